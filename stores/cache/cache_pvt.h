/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of stores/cache share.
 *
 * A key's hash names its shard, a shard has a home core, a folder, a table of its objects, and two
 * rows of segments. A segment is a file to which objects are appended; its first blocks hold a
 * header and an index, a record for each object in it. What an object looked like when it was
 * loaded is a view, of which each core has its own.
 *
 * Order of parts: where it lies; segments; the journal; shards; views; puts; the scrub;
 * the cache.
 */
#ifndef STORES_CACHE_CACHE_PVT_H
#define STORES_CACHE_CACHE_PVT_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "format.h"
#include "purge.h"
#include "s3fifo.h"
#include "table.h"

/* ---- where it lies (folder.c, device.c) ------------------------------------------------- */

struct cache;
struct device;
struct journal;
struct segment;
struct shard;

/**
 * struct seat - where a segment, or a journal, is: from @base of @fd on.
 * @bytes: how long it was when it was found (0: it is new). @leave: nobody needs it any more; of
 * what was removed @bytes may be freed in steps, which parks. @device: the rest says which slot of
 * it this is.
 */
struct seat {
	int fd;
	uint64_t base, bytes;
	void (*leave)(struct seat *seat, uint64_t bytes);
	struct device *device;
	uint32_t shard, slot;
};

/** struct medium - what keeps a cache. */
struct medium {
	/* Takes it for this process, and reads the description into cache->super. */
	int (*open)(struct cache *c, int64_t deadline);
	/* Whether or not it could be opened. */
	void (*close)(struct cache *c);

	int (*shard_open)(struct shard *s);
	void (*shard_close)(struct shard *s);
	/* The numbers of its segments, in any order. */
	int (*list)(struct shard *s, int (*each)(void *arg, uint32_t seq), void *arg);
	/* Nothing is found any more by a start, nor known of by the journal. */
	int (*empty)(struct shard *s);

	/* Makes the segment of @h: durable, and without objects. */
	int (*make)(struct shard *s, const struct seg_header *h, struct seat *ret_seat,
		    int64_t deadline);
	int (*find)(struct shard *s, uint32_t seq, struct seat *ret_seat);
	/* A start does not find it any more; who holds it still can read it. */
	int (*remove)(struct shard *s, const struct segment *g, int64_t deadline);
	/* Opens it once more, for direct reads of this core; -ENOENT: it was removed meanwhile. */
	int (*open_direct)(const struct segment *g, struct sl_direct **ret_file, int64_t deadline);

	/* Finds the journal's seat. -ENOENT: there is none yet. */
	int (*journal_open)(struct journal *j);
	/* @data takes its place, at once, and durably. */
	int (*journal_replace)(struct journal *j, const uint8_t *data, size_t n, int64_t deadline);
};

extern const struct medium medium_folder, medium_device;

/* Room for objects on it, of a slot, and for those that share a slot. */
uint64_t device_bytes(const struct device *d);
uint64_t device_slot_bytes(const struct device *d);
uint64_t device_segment_bytes(const struct device *d);

/* Whether @slots more may be taken; none: whether no more are taken than may be. */
bool device_has_room(const struct shard *s, uint32_t slots);

/* ---- segments (segment.c) --------------------------------------------------------------- */

/**
 * struct segment - a file of objects.
 * @node: of its region's row. @id: its number in the table of objects, used again when it is gone.
 * @seq: its name. @pos: where the next object goes, from @seat's beginning. @records: written.
 * @written, @synced: objects whose bytes and record were written, and of these the durable. @puts:
 * who still writes into it.
 * @solo: it has one object, and grows with it. @leaving: it is being reclaimed.
 * @unsealed: what was sealed was added to. @no_seal: it was found without, and gets none.
 * @err: what a write or sync said; nothing is added.
 * @map: of the whole file, once somebody asked for it; any core may be the first.
 * @doubtful: found by the start, and perhaps not on disk.
 */
struct segment {
	struct sl_list node;
	struct sl_file file;
	struct seat seat;
	struct shard *shard;
	uint64_t salt;
	uint64_t pos, room;
	uint64_t written, synced;
	uint32_t id, seq, index_max, records, puts;
	uint8_t *map;
	size_t map_bytes;
	struct record *extra; /* found without the index, @extra_n of them */
	uint32_t extra_n;
	enum cache_region region;
	int err;
	bool solo, sealed, unsealed, no_seal, syncing, leaving, unlinked, doubtful;
	struct sl_waitq sync;
};

static inline uint64_t cseg_data_at(uint32_t index_max, uint32_t block_size)
{
	return sl_round_up(SEG_HEADER_BYTES + (uint64_t)index_max * RECORD_BYTES,
			   sl_max(block_size, 4096u));
}

/* Where byte @pos of it is in its file. */
static inline uint64_t cseg_at(const struct segment *g, uint64_t pos)
{
	return g->seat.base + pos;
}

/* The same of block @block. */
uint64_t cseg_block_at(const struct segment *g, uint64_t block);

/* What a new one begins with. */
void cseg_first_block(const struct seg_header *h, uint8_t out[SEG_HEADER_BYTES]);
int cseg_first_decode(const uint8_t in[SEG_HEADER_BYTES], struct seg_header *ret_header);

/* Of an object that is alone, whose meta may be changed so often; as many as a block holds. */
enum { SOLO_RECORDS = 4096 / RECORD_BYTES };

/* Makes the next segment of @region. @bytes: for objects; 0: solo. */
int cseg_create(struct shard *s, enum cache_region region, uint64_t bytes,
	       struct segment **ret_segment, int64_t deadline);

/* Opens segment @seq as it is found. Return: 0; -EBADMSG; -errno. */
int cseg_load(struct shard *s, uint32_t seq, struct segment **ret_segment);

/* Writes the record of an object whose bytes are there. */
int cseg_record(struct segment *g, const struct record *r);

/* Until everything written so far is durable. Return: 0; what the sync said; -ETIME. */
int cseg_sync(struct segment *g, int64_t deadline);

/* Something will be added after all: the seal, if there is one, does not count any more. */
int cseg_unseal(struct segment *g);

/* No object will be added: says so in the file if nobody writes any more. */
void cseg_seal(struct segment *g);

/* Memory for indexes, one after the other; begins as {0}, @p is to be freed in the end. */
struct index {
	uint8_t *p;
	size_t room;
};

/* The first seg->records of the index as they lie on disk. */
int cseg_read_index(struct segment *g, struct index *index, int64_t deadline);

/**
 * cseg_find_index() - the index of a segment without a seal, as far as it goes.
 * Records are written in order, so that behind the first step without any there is at most what a
 * power cut left of records that nobody was told of. They do not come back, for no record is
 * written there again: not when seg->index_max is *ret_end from then on, nor by a later start, as
 * this segment gets no seal. Sets seg->records.
 */
enum { INDEX_STEP_RECORDS = 1024 };
int cseg_find_index(struct segment *g, struct index *index, uint32_t *ret_end, int64_t deadline);

/* The @i-th record of what was read. Return: as record_decode(). */
static inline int cseg_record_at(const struct segment *g, const struct index *index, uint32_t i,
				 struct record *ret_record)
{
	return record_decode(index->p + (size_t)i * RECORD_BYTES, g->salt, i, ret_record);
}

/* Whether @index is what the seal tells of; a segment that was not sealed has no seal. */
bool cseg_is_sealed_as(struct segment *g, const uint8_t *index, uint32_t *ret_durable);

/* Removes it: name, place in its row, and its space when nobody holds it any more. */
int cseg_unlink(struct segment *g, int64_t deadline);

/* Closes it; what holds its file keeps that open. */
void cseg_close(struct segment *g);

/* ---- the journal (journal.c) ------------------------------------------------------------ */

/* A record that still matters. */
struct gone {
	struct sl_list node; /* journal->live */
	struct gone *next;   /* of its bucket */
	struct journal_record r;
	uint8_t text[];
};

/**
 * struct journal - a shard's list of what is gone though it may lie in a segment.
 * @seat: with an fd of -1: there is none yet. @end: where the next record goes. @next: its number.
 * @durable: records before this one are on disk. @live: what still matters, @live_n records and
 * @live_bytes of the file, which may have @room. @buckets: of hashes, while the shard is recovered.
 * @broken: the file cannot be trusted, and is made anew before it is used again.
 */
struct journal {
	struct shard *shard;
	struct seat seat;
	uint64_t salt, end, next, durable, live_bytes, room;
	struct sl_list live;
	struct gone **buckets;
	uint32_t buckets_n, live_n;
	struct sl_mutex lock;
	bool broken;
};

void journal_init(struct journal *j, struct shard *s);
void journal_done(struct journal *j);

/* Reads it. Return: 0; -EBADMSG: something that was durable is missing; -ENOMEM; -errno. */
int journal_load(struct journal *j, int64_t deadline);

/* Forgets everything; the file is made anew when it is needed. */
void journal_clear(struct journal *j);

/* Whether @version of this object is gone; until journal_loaded(). */
bool journal_says_gone(const struct journal *j, const uint64_t hash[2], uint64_t version);
void journal_loaded(struct journal *j);

/**
 * journal_add() - add a record about what lies in the segments so far.
 * @type: @hash and @version count (GONE, BAD), or @text and @version (PREFIX, TAG).
 * Durable after the next journal_sync() that returns 0, which is where a disk's trouble is told
 * (without durability: in the file then).
 * Return: 0; -ENOMEM, -ETIME: nothing was added.
 */
int journal_add(struct journal *j, enum journal_type type, const uint64_t hash[2], uint64_t version,
		const void *text, uint32_t n, int64_t deadline);
int journal_sync(struct journal *j, int64_t deadline);

/* There is no segment before @seq: forgets what concerned those alone, and shrinks the file. */
void journal_trim(struct journal *j, uint32_t seq, int64_t deadline);

/* ---- shards (shard.c, carry.c, reclaim.c, recover.c) ------------------------------------ */

enum {
	SLOT_SHADOWS = 1, /* an older version may lie in a segment */
	SLOT_SHARED = 2,  /* other cores may have views of it */
};

/* Figures of one shard or of the views of one core, by its core; read by all. */
struct counts {
	uint64_t objects, bytes, segments;
	uint64_t stored, stored_bytes, refused, evicted, carried, removed, quarantined;
	uint64_t memory_objects, memory_bytes;
	uint64_t hits, memory_hits, misses;
	uint64_t extents, extent_bytes, slices, slice_bytes;
	uint64_t mapped, mapped_bytes, mapped_refused, mapped_unreadable;
	uint64_t direct, direct_bytes, direct_refused, direct_no_memory, copies, copy_bytes;
	uint64_t verified_blocks;
};

static inline void count_up(uint64_t *slot, uint64_t n)
{
	__atomic_store_n(slot, *slot + n, __ATOMIC_RELAXED);
}

/**
 * struct shard - a part of the cache; touched by its home alone.
 * @segs: segments by their ids. @regions: oldest first. @active: where objects are appended.
 * @last_seq, @last_version: given out. @bytes: of all files. @full_bytes: until @full_until no more
 * may be taken, for the disk was full then. @commits: under way. @making: who makes segments, or
 * frees some. @updating: who changes an object's meta. @started: it is of use; a shard whose folder
 * cannot be read for want of something (memory, descriptors) leaves it alone, finds nothing and
 * takes nothing.
 */
struct shard {
	_Alignas(64) struct cache *c;
	struct sl_core *home;
	uint32_t id;
	int dir;
	struct cache_table table;
	struct s3fifo fifo;
	struct purge_list bans;
	struct journal journal;
	struct segment **segs;
	uint32_t segs_n;
	struct sl_list regions[CACHE_REGIONS];
	struct segment *active[CACHE_REGIONS];
	uint32_t last_seq;
	uint64_t last_version;
	uint64_t bytes;
	uint64_t full_bytes;
	int64_t full_until;
	uint32_t commits;
	struct sl_mutex making, updating;
	struct counts n;
	bool started;
};

int shard_init(struct shard *s, struct cache *c, uint32_t id);
void shard_done(struct shard *s);

/* Finds again what is in its folder. What cannot be read is dropped; see struct shard. */
void shard_recover(struct shard *s, int64_t deadline);

/* Makes durable, at once, what of these shards may not be yet, before anybody finds it. */
void recover_sync(struct shard *const *shards, uint32_t n);

/* Waits for who still writes, and seals what was written. */
void shard_stop(struct shard *s);

/* Tells of trouble. */
void shard_event(const struct shard *s, enum cache_event event, int64_t a, int64_t b);

/* Space of one shard, and of one of its segments. */
uint64_t shard_max_bytes(const struct shard *s);
uint64_t shard_segment_bytes(const struct shard *s);

/* The disk is full: for a while that is all the space there is, so that objects make room. */
void shard_note_full(struct shard *s);
uint64_t shard_limit(const struct shard *s);

/* Whether there is room for @bytes more (0: whether too much is taken); for another segment. */
bool shard_has_room(const struct shard *s, uint64_t bytes);
bool shard_has_space(const struct shard *s);

/* The largest object that shares a segment; and that is kept at all. */
uint64_t shard_shared_max(const struct shard *s);
uint64_t shard_object_max(const struct shard *s);

uint64_t shard_next_version(struct shard *s);

/**
 * shard_reserve() - room for an object of @bytes in a segment of @region, which stays until
 * shard_unpin(). An object that is too large to share one gets a segment of its own.
 */
int shard_reserve(struct shard *s, enum cache_region region, uint64_t bytes,
		  struct segment **ret_segment, uint64_t *ret_pos, int64_t deadline);

/* The same while segments are made already (@making is held), and without freeing any. */
int shard_reserve_now(struct shard *s, enum cache_region region, uint64_t bytes,
		      struct segment **ret_segment, uint64_t *ret_pos, int64_t deadline);

/* @bytes more for the object of a segment of its own. */
int shard_grow(struct segment *g, uint64_t bytes, int64_t deadline);

/* The object of a segment of its own ends at @pos: gives back what it does not need. */
void shard_fit(struct segment *g, uint64_t pos);

void shard_unpin(struct segment *g);

/* Puts @h's head, @at behind @pos, and its record beside a body that is written there already. */
int shard_write_head(struct segment *g, uint64_t pos, uint32_t at, const struct head *h,
		     const uint8_t *text);

/* That object is written: durable, if it must be, and in the table. Parks. */
int shard_commit(struct shard *s, struct segment *g, uint64_t pos, const struct head *h,
		 const uint8_t *text);

/* Whether @version is banned. @text: of its head. */
bool shard_bans(const struct shard *s, const struct head *h, const uint8_t *text);

/**
 * struct forgets - hashes of objects that other cores may have views of, gathered so that these
 * are told once.
 */
struct forgets {
	uint64_t (*hashes)[2];
	uint32_t n, room;
	bool all; /* there was no memory for them */
};

void forgets_add(struct forgets *f, struct cache *c, const uint64_t hash[2], uint32_t flags);

/* Tells other cores, and frees it. Parks. */
void forgets_tell(struct forgets *f, struct cache *c);

/**
 * shard_take() - take the object out of the table, and off every core's views.
 * @version: only this one (0: any). @type: 0 if its segment goes with it: then it is remembered in
 * the journal only if an older version may come back. The caller syncs the journal. Parks.
 * Return: 0; -ENOENT; -ENOMEM: it is still there.
 */
int shard_take(struct shard *s, const uint64_t hash[2], uint64_t version, enum journal_type type,
	       struct forgets *f);

/* Takes everything out of the table; the journal says so in one record. Parks. */
void shard_forget_all(struct shard *s);

/* Copies the object of @slot from @from to the end of main; -EBADMSG and the like: it is bad. */
int shard_carry(struct shard *s, struct segment *from, const uint64_t hash[2],
		const struct cache_slot *slot, int64_t deadline);

/* Bytes that files take or were promised. */
uint64_t shard_committed(const struct shard *s);

/* Frees space until there is room for @bytes more. @making is held. */
int shard_reclaim(struct shard *s, uint64_t bytes, int64_t deadline);

/* The same, from outside: the space may have shrunk. */
int shard_trim(struct shard *s, int64_t deadline);

/* Where an object of a shard lies, as the shard tells those who load it. */
struct place {
	struct sl_file *file; /* granted to the core that asked */
	uint64_t salt, pos, version;
	uint32_t blocks;
	bool banned_maybe;
	bool again; /* it was asked for before */
};

/* Return: 0; -ENOENT. @now_ms: 0: whatever its age. */
int shard_find(struct shard *s, const uint64_t hash[2], int64_t now_ms, struct sl_core *to,
	       struct place *ret_place);

/* ---- views (view.c, load.c, direct.c, map.c) -------------------------------------------- */

/**
 * struct view - an object as it was loaded by a core.
 * @o: what the caller sees. @head_at: from the object's beginning. @buf: the view's memory, whose
 * references keep it. @node: in the order of coming; @next: of its bucket. @text: key, tags and
 * meta. @body: all of it, or NULL: it lies in @file at @body_pos, with @sums of its blocks, of
 * which those in @seen were verified and have been in the page cache since, as was looked at last,
 * for those in @looked, since @looked_at. @dead: no longer found. @used: asked for since it was
 * last passed over. @direct: its file past the page cache, once it was opened; @no_direct: that
 * does not work.
 */
struct view {
	struct cache_object o;
	struct sl_buf buf;
	struct views *owner;
	struct sl_list node;
	struct view *next;
	struct head head;
	uint32_t head_at;
	uint8_t *text;
	const uint8_t *body;
	struct sl_file *file;
	uint64_t body_pos;
	const uint64_t *sums;
	uint64_t *seen, *looked;
	struct sl_direct *direct;
	int64_t looked_at;
	size_t memory;
	uint8_t hits; /* told its home */
	bool dead, used, no_direct;
};

/* A load that is under way, so that others wait for it. */
struct loading {
	struct sl_list node;
	uint64_t hash[2];
	bool stale; /* the object was replaced meanwhile */
	struct sl_waitq done;
};

/**
 * struct views - of one core.
 * @halvings: of the setting of which objects are kept whole, for memory does not hold those. Of the
 * last @loaded objects @again had been asked for before, and @dropped went to make room.
 */
struct views {
	_Alignas(64) struct cache *c;
	struct view **buckets;
	uint64_t mask;
	struct sl_list views;
	struct sl_list loads;
	uint64_t memory, n;
	struct counts counts;
	struct sl_waitq scrub;
	uint32_t halvings, loaded, again, dropped;
	bool stopped, scrubbing;
};

int views_init(struct views *v, struct cache *c);
void views_stop(struct views *v);
void views_done(struct views *v);
struct views *views_here(struct cache *c);

struct view *views_find(struct views *v, const uint64_t hash[2], struct cache_key key);
void views_add(struct views *v, struct view *w);

/* What takes less is kept whole. */
uint64_t views_threshold(const struct views *v);

/* An object was loaded, @again: not for the first time. */
void views_note_load(struct views *v, bool again);

/* Forgets views of this core: of one object, or of all that @match says. */
void views_forget(struct views *v, const uint64_t hash[2]);
void views_forget_all(struct views *v, bool (*match)(const struct view *w, const void *arg),
		      const void *arg);

/* Reads and checks an object; -EBADMSG, -EIO, -ENODATA: it is bad. Takes the place's file over. */
int view_load(struct cache *c, const struct place *at, const uint64_t hash[2],
	      struct view **ret_view, int64_t deadline);

/* Verifies blocks of a large body that were not, or that left the page cache since. */
int view_verify(struct view *w, uint64_t off, uint64_t len, int64_t deadline);

/**
 * direct_parts() - bytes of a large body past the page cache, if that is the better way.
 * Return: parts, as cache_parts(); 0: the page cache is the way; -errno of what was read.
 */
int direct_parts(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		 int64_t deadline);

/* Whether block @b of a large body was verified. */
static inline bool view_has_seen(const struct view *w, uint64_t b)
{
	return w->seen[b / 64] >> b % 64 & 1;
}

/* Forgets that of those that left the page cache, as far as that was not looked at a moment ago. */
void view_look(struct view *w, uint64_t first, uint64_t end);

/* The sum of mapped memory; -EIO: some of it cannot be read. */
int map_sum(const uint8_t *p, size_t n, uint64_t *ret_sum);

/* An object of this segment is complete: delivery may take extents of it from mapped memory. */
void map_allow(struct sl_file *file);

/* Lets go of a mapped segment's pages, so that they can leave the page cache. */
void map_drop(struct segment *g);

/*
 * Whether @err, of reading what was stored, means that it is lost: what a disk or a file system
 * says of the bytes themselves. Others may pass.
 */
static inline bool cache_is_damage(int err)
{
	return err == -EBADMSG || err == -EIO || err == -ENODATA || err == -EILSEQ ||
	       err == -EUCLEAN || err == -EREMOTEIO;
}

/* An object that does not verify: out of the table, on every core. -ENOENT: it was not there. */
int cache_quarantine(struct cache *c, const uint64_t hash[2], uint64_t version, int err);

/**
 * cache_read_res() - what the caller of a look-up hears of @err, of reading the object. What is
 * damaged is quarantined; what cannot be read now may be read later.
 * Return: -EBADMSG: either; 0, -ENOMEM and -ETIME as they are.
 */
int cache_read_res(struct cache *c, const uint64_t hash[2], uint64_t version, int err);

/* ---- puts (put.c, for update.c) --------------------------------------------------------- */

/* Key, tags and meta, as they follow a head. @p: room for head_text_n(). */
void put_write_text(uint8_t *p, struct cache_key key, const struct cache_put_conf *conf);

/* When an object goes whose storer says @expires_ms (0: nothing). */
int64_t put_expiry(const struct cache *c, int64_t expires_ms);

/* Its commit is to find the object in @version, or fails: -ENOENT; -ESTALE. */
void put_replaces(struct cache_put *p, uint64_t version);

/* ---- the scrub (scrub.c) ---------------------------------------------------------------- */

/* The background check of this core's shards, until views_stop() and this end it. */
void scrub_start(struct views *v);
void scrub_stop(struct views *v);

/* ---- the cache (cache.c) ---------------------------------------------------------------- */

struct cache {
	struct cache_conf conf; /* fields that change are read and written as atomics */
	struct super super;
	const struct medium *medium;
	int dir, lock_fd; /* of a folder */
	struct device *device; /* or NULL */
	uint32_t cores_n;
	char *path;
	struct views *views; /* per core */
	struct shard *shards;
};

#define CONF(c, field) __atomic_load_n(&(c)->conf.field, __ATOMIC_RELAXED)

/* How many shards a new cache has. */
uint32_t cache_shards_for(uint64_t max_bytes);

struct shard *cache_shard(struct cache *c, const uint64_t hash[2]);
void cache_hash(const struct cache *c, struct cache_key key, uint64_t ret_hash[2]);

/* Runs @fn(@arg) where the shard lives, or on every core but this one. */
int shard_call(struct shard *s, int (*fn)(void *arg, int64_t deadline), void *arg,
	       int64_t deadline);
void cache_call_others(struct cache *c, int (*fn)(void *arg, int64_t deadline), void *arg);

/* Views of this object are forgotten on all cores that may have any. */
void cache_forget(struct cache *c, const uint64_t hash[2], bool shared);

int64_t cache_now_ms(void);

#endif
