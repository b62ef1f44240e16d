/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of segments/ share.
 *
 * Order of parts: the format; walking over batches; segments; indexes; quarantine; logs; the jobs
 * of a log, by file.
 */
#ifndef SEGMENTS_PVT_H
#define SEGMENTS_PVT_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/bytes.h>

#include "segments.h"

/* ---- the format (format.c; docs/format.md) ------------------------------------------------ */

enum {
	SEG_VERSION = 1,
	SEG_DATA = 4096,    /* where batches begin */
	SEG_SECTOR = 512,   /* of the header, its copy and the two slots */
	SEG_SLOTS = 512,    /* where the slots begin */
	SEG_COPY = 3584,    /* where the header's copy lies */
	SEG_FOOTER = 128,   /* bytes */
	SEG_HEADER_MAX = 256, /* of a batch, as its kind may look at */
	SEG_NAME = 32,	    /* room for a file's name */
	INDEX_HEADER = 96,
	INDEX_ENTRY = 16,
	BAD_HEADER = 40,
	BAD_ENTRY = 48,
};

/* Segments stay below 4 GiB whatever the last batch's length, since an index has 32 bits. */
#define SEG_BYTES_MAX (UINT64_C(2) * SL_GIB - 1)

struct seg_header {
	uint16_t kind;
	uint64_t base, salt;
	int64_t created_ms;
};

/**
 * struct mark - a point between two batches, with what is known of all that lies before it.
 * @off: next offset. @pos: its place in the last segment. @epoch: of the batch before.
 * @time_max, @time_base: largest timestamp in this segment and the base of its batch; -1: none.
 * @log_time_max, @log_time_base: the same over the whole log.
 */
struct mark {
	uint64_t off, pos;
	int64_t time_max;
	uint64_t time_base;
	int64_t log_time_max;
	uint64_t log_time_base;
	uint64_t count; /* of batches in this segment */
	uint32_t epoch;
};

/* Takes @m over a batch that was placed at @base with @epoch. */
void mark_advance(struct mark *m, const struct sl_frame *frame, uint64_t base, uint32_t epoch);

/* One of the two watermarks of a segment. */
struct seg_slot {
	uint64_t seq;
	struct mark mark;
	uint64_t start; /* of the log */
	bool clean;	/* cleanly closed: the file ends at mark.pos */
};

struct seg_footer {
	uint16_t kind;
	uint32_t epoch;
	uint64_t salt, base, next, bytes, count;
	int64_t time_max;
	uint64_t time_base;
};

void seg_header_encode(const struct seg_header *h, uint8_t sector[SEG_SECTOR]);
/* Return: 0; -EBADMSG; -EPROTONOSUPPORT: of a newer sluice. */
int seg_header_decode(const uint8_t sector[SEG_SECTOR], struct seg_header *ret_header);

void seg_slot_encode(const struct seg_slot *s, uint64_t salt, uint8_t sector[SEG_SECTOR]);
int seg_slot_decode(const uint8_t sector[SEG_SECTOR], uint64_t salt, struct seg_slot *ret_slot);

static inline uint64_t seg_slot_at(uint64_t seq)
{
	return SEG_SLOTS + (seq & 1) * SEG_SECTOR;
}

/* The whole first block of a new segment. */
void seg_block_encode(const struct seg_header *h, const struct seg_slot *s,
		      uint8_t block[SEG_DATA]);

/**
 * seg_block_decode() - read a segment's first block: the header or its copy, and the later slot.
 * @ret_slot: seq 0 if none of the two can be read.
 */
int seg_block_decode(const uint8_t block[SEG_DATA], struct seg_header *ret_header,
		     struct seg_slot *ret_slot);

void seg_footer_encode(const struct seg_footer *f, uint8_t raw[SEG_FOOTER]);
int seg_footer_decode(const uint8_t raw[SEG_FOOTER], struct seg_footer *ret_footer);

enum seg_suffix { SEG_LOG, SEG_INDEX };

/* Names: %020llu.log and %020llu.idx. */
void seg_name(char name[SEG_NAME], uint64_t base, enum seg_suffix suffix);
/* Return: whether @name is of the form. */
bool seg_name_parse(const char *name, uint64_t *ret_base, enum seg_suffix *ret_suffix);

/* ---- walking over batches (walk.c) -------------------------------------------------------- */

struct bad_list;

/**
 * struct walk - a reader that goes from batch to batch of one file.
 * @bads: quarantined ranges to pass over, or NULL; @seg_base names the segment in it.
 * @pos, @next: of the next batch: where it lies, and its offset.
 * @limit, @limit_off: position and offset that no batch reaches over, and at which batches end;
 *	limit_off is UINT64_MAX if it is not known.
 * @rising, @epoch: epochs must not fall (@epoch: the least). Only asked of what may be stale: below
 *	a watermark a flipped epoch, which no checksum covers, must not condemn what follows.
 */
struct walk {
	const struct sl_log_kind *kind;
	const struct bad_list *bads;
	uint64_t seg_base;
	int fd;
	uint32_t cap, have;
	uint8_t *buf;
	uint64_t at; /* position of buf's first byte */
	uint64_t pos, limit;
	uint64_t next, limit_off;
	bool rising;
	uint32_t epoch;
};

/* How much of a file is read at a time: to hop over headers; to look at everything. */
enum { WALK_HOP = 4096, WALK_ALL = 256 << 10 };

/**
 * walk_peek() - the batch at w->pos, if it continues the log.
 * @ret_header: kind->header_bytes of it, good until the next call with @w; may be NULL.
 * Return: 1; 0 at the limit; -EBADMSG; -errno of the read.
 */
int walk_peek(struct walk *w, struct sl_frame *ret_frame, const uint8_t **ret_header,
	      int64_t deadline);

/* Verifies the checksum of the batch that walk_peek() gave. Return: 0; -EBADMSG; -errno. */
int walk_sum(struct walk *w, const struct sl_frame *frame, int64_t deadline);

/* Goes on to the next batch. */
void walk_step(struct walk *w, const struct sl_frame *frame);

/**
 * walk_resync() - find where batches go on behind the one at w->pos, which is bad.
 * Return: 1 and the place; 0 if there is none before the limit; -errno.
 */
int walk_resync(struct walk *w, uint64_t *ret_pos, uint64_t *ret_off, int64_t deadline);

/* ---- segments (segment.c) ----------------------------------------------------------------- */

/* A segment's open file; lives as long as extents of it. */
struct seg_file {
	struct sl_file file;
	struct segment *seg; /* NULL once the segment gave it up */
	struct sl_list lru;  /* logs->lru, for sealed ones */
	uint64_t bytes;
	bool unlinked;
};

struct index_entry {
	uint32_t rel; /* offset behind the segment's base */
	uint32_t pos;
	int64_t time_before; /* largest timestamp before it in the segment, or -1 */
};

/**
 * struct index - where batches of a segment begin, about every interval bytes.
 * @from: the entries tell of batches from this position on; SEG_DATA: of all.
 * @last: position of the last entry, or @from.
 */
struct index {
	struct index_entry *e;
	uint32_t n, cap;
	uint64_t from, last;
};

/**
 * struct segment - one file of a log.
 * @end, @next, @time_*, @salt: of a sealed segment, once @loaded; the last segment's are in the
 *	log's marks while it is not sealed. @next is also right before.
 * @bytes: of its file.
 * @pins: fibers that use it over a parking call; a deleted one is freed at the last.
 */
struct segment {
	struct seg_file *sf;
	uint64_t base, next, end, bytes, salt, count;
	int64_t created_ms, changed_ms, time_max;
	uint64_t time_base;
	uint32_t pins;
	bool sealed, loaded, gone;
	struct index index;
};

/* Takes over @fd. Return: 0 or -ENOMEM (fd is closed). */
int seg_file_new(int fd, uint64_t bytes, struct seg_file **ret_sf);

struct segment *seg_new(uint64_t base);
/* Closes and frees it; extents stay. Accepts NULL. */
void seg_free(struct sl_log *log, struct segment *seg);

/* Opens a sealed segment and reads what is known of it, if need be; pins it. */
int seg_use(struct sl_log *log, struct segment *seg, int64_t deadline);
void seg_pin(struct segment *seg);
void seg_unpin(struct sl_log *log, struct segment *seg);

/* A sealed segment's file may be closed when others are needed more. */
void seg_lru_add(struct sl_log *log, struct segment *seg);

/* Where the segment's readable batches end, and the offset there; @all: up to the tail. */
void seg_limits(const struct sl_log *log, const struct segment *seg, bool all, uint64_t *ret_pos,
		uint64_t *ret_off);

/**
 * seg_create() - a new file of @base in folder @dir, durable under its name.
 * Return: its descriptor, or -errno (nothing is left of it).
 */
int seg_create(int dir, const struct seg_header *h, const struct seg_slot *slot,
	       int64_t deadline);

/* Deletes the files of a segment that is no longer in the log. The folder is to be synced. */
int seg_unlink(struct sl_log *log, struct segment *seg, int64_t deadline);

/* Writes at the end of the active segment, in steps, blocking the core. Return: 0 or -errno. */
int seg_write(int fd, struct iovec *iov, int n, uint64_t pos);

/* A walk over @seg (used and pinned) from its beginning, with @buf of @cap bytes. */
void seg_walk_init(struct walk *w, struct sl_log *log, struct segment *seg, uint8_t *buf,
		   uint32_t cap, uint64_t limit, uint64_t limit_off);

/* ---- indexes (index.c) -------------------------------------------------------------------- */

void index_init(struct index *x, uint64_t from);
void index_done(struct index *x);

/* Told of every batch in order; without memory the index stays sparser. */
void index_note(struct index *x, uint32_t interval, uint64_t rel, uint64_t pos,
		int64_t time_before);

/* The last entry at or before; what it says of the first batch if there is none. */
struct index_entry index_by_offset(const struct index *x, uint64_t rel);
struct index_entry index_by_pos(const struct index *x, uint64_t pos);
struct index_entry index_by_time(const struct index *x, int64_t time);
/* The first entry behind @pos. Return: whether there is one. */
bool index_after_pos(const struct index *x, uint64_t pos, struct index_entry *ret_entry);

/* Makes seg->index complete: from its file, or from the batches. @seg is used and pinned. */
int index_need(struct sl_log *log, struct segment *seg, int64_t deadline);

/* Writes the complete index of @seg, whose batches end at @m. Return: 0 or -errno. */
int index_save(struct sl_log *log, struct segment *seg, const struct mark *m, int64_t deadline);

/* What an index file says of the point up to which it goes. */
struct index_file {
	uint64_t salt, base;
	struct mark covered;
	uint32_t interval;
};

/* @raw: INDEX_HEADER + n * INDEX_ENTRY bytes. */
void index_encode(const struct index_file *f, const struct index_entry *e, uint32_t n,
		  uint8_t *raw);
/* @ret_entries: to be freed. Return: their number; -EBADMSG; -ENOMEM. */
int index_decode(const uint8_t *raw, size_t len, struct index_file *ret_file,
		 struct index_entry **ret_entries);

/* ---- quarantine (quarantine.c) ------------------------------------------------------------ */

/* Offsets [first, next) that cannot be read, in bytes [pos, pos + bytes) of segment seg. */
struct bad {
	uint64_t seg, pos, bytes, first, next;
	int64_t found_ms;
};

struct bad_list {
	struct bad *v; /* by rising first */
	uint32_t n, cap;
};

#define BAD_FILE "quarantine"

/* The range that holds @offset, or NULL. */
const struct bad *bad_at(const struct bad_list *l, uint64_t offset);
/* The range that begins at @pos of segment @seg with offset @first, or NULL. */
const struct bad *bad_at_pos(const struct bad_list *l, uint64_t seg, uint64_t pos,
			     uint64_t first);
/* The first range of segment @seg at or behind @pos and @offset, or NULL. */
const struct bad *bad_after(const struct bad_list *l, uint64_t seg, uint64_t pos, uint64_t offset);

int bad_load(struct sl_log *log, int64_t deadline);
/* Adds @bad, tells of it, and writes the list to the disk. */
int bad_add(struct sl_log *log, const struct bad *bad, int64_t deadline);
/* Forgets those of segments below @base, in memory. */
void bad_forget(struct sl_log *log, uint64_t base);

/**
 * struct exam - a look at every byte of a range of one segment, quarantining what is bad.
 * @pos, @off: where it begins. @limit, @limit_off: where it ends (limit_off: UINT64_MAX if
 *	that is not known: what is bad up to the limit is then the torn tail, left alone).
 * @once: stop after the first bad range.
 * @scrub: counted as such. @pace_bytes_per_s: 0: none.
 * @stop: ends it early when it becomes true, or NULL.
 * @mark: set to the end of what was verified; its log_time_* fields are kept up.
 */
struct exam {
	uint64_t pos, off, limit, limit_off;
	bool once;
	bool scrub;
	uint64_t pace_bytes_per_s;
	const bool *stop;
	struct mark mark;
};

/* Return: ranges found bad, or -errno. */
int seg_examine(struct sl_log *log, struct segment *seg, struct exam *x, int64_t deadline);

/**
 * seg_damaged() - a walk that did not look at checksums met something bad in @seg before @pos:
 * find and quarantine it. Return: 0 if something was; -EBADMSG if not; -errno.
 */
int seg_damaged(struct sl_log *log, struct segment *seg, uint64_t pos, int64_t deadline);

/* ---- logs (log.c) ------------------------------------------------------------------------- */

/* Where a log waits for the committer. */
enum log_queue {
	QUEUE_NONE,
	QUEUE_DIRTY, /* to be synced now */
	QUEUE_QUIET, /* only its watermark is behind: soon */
	QUEUE_LAZY,  /* durability none: some time */
};

enum {
	RECENTS = 8,
	OPEN_SEALED_MAX = 256,
};

#define QUIET_NS (150 * SL_MSEC)
#define LAZY_NS (SL_SEC)
#define LAZY_BYTES (64 * SL_MIB)
#define INDEX_INTERVAL (64 * SL_KIB)
#define PREALLOCATE_MIN (64 * SL_KIB)
#define PREALLOCATE_MAX (16 * SL_MIB)

/* What a full disk, a quota or the largest possible file says: passing, and no failure of a log. */
static inline bool no_space(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

struct sl_logs {
	struct sl_logs_conf conf;
	struct sl_core *home;
	struct sl_list all;
	struct sl_list dirty, quiet, lazy; /* sl_log.commit_node */
	struct sl_list lru;
	uint32_t open_sealed, logs, fibers;
	bool stop;
	bool giving_back;      /* reserved space, by a fiber */
	int64_t reserve_after; /* the disk was full a moment ago */
	struct sl_waitq work;	 /* the committer waits */
	struct sl_waitq pause;	 /* retention and scrub wait */
	struct sl_waitq ended;	 /* sl_logs_free() waits */
	struct commit_round *round;
};

struct recent {
	uint64_t off, pos, seg_base;
};

struct sl_log {
	struct sl_logs *logs;
	struct sl_core *home;
	struct sl_list node; /* logs->all */
	const struct sl_log_kind *kind;
	struct sl_log_conf conf;
	char *name;
	int dir;
	int err;
	bool was_clean, clean_on_disk, full_told;

	struct segment **segs; /* by rising base; the last is appended to unless sealed */
	uint32_t n_segs, cap_segs;
	uint64_t start;

	/* All in the last segment; synced <= tail; readable is synced but for durability none. */
	struct mark tail, synced, readable;
	struct sl_order order;

	/* The newest slot: what it says, and the lock of who writes slots and syncs. */
	uint64_t seq, slot_off, slot_start;
	struct sl_mutex sync;

	struct sl_mutex load; /* one segment is loaded at a time */

	/* The right to write behind the tail. */
	bool tail_held;
	struct sl_list tail_waiters;
	struct sl_append *stream; /* holds the tail, if it is a streamed append that does */
	struct sl_waitq taken;	  /* for a stream's owner, while its tail is taken back */

	enum log_queue queue;
	struct sl_list commit_node;
	int64_t due;

	uint64_t reserved_end; /* of the active segment: disk space is reserved up to here */
	uint64_t reserve_step;
	bool reserving;

	uint32_t users;
	uint32_t saving; /* indexes on their way to the disk */
	bool closing, dead;
	struct sl_waitq drained;

	struct bad_list bads;
	struct recent recents[RECENTS];
	uint32_t recent_next;
};

static inline struct segment *log_last(const struct sl_log *log)
{
	SL_ASSERT(log->n_segs > 0);
	return log->segs[log->n_segs - 1];
}

/* Calls that may park hold the log while they last. Return: 0 or -ESHUTDOWN. */
int log_enter(struct sl_log *log);
void log_leave(struct sl_log *log);

void log_event(struct sl_log *log, enum sl_log_event event, int64_t a, int64_t b);
void log_count(struct sl_log *log, enum sl_metric_id id, uint64_t n);

/* The failed state. Return: @err. */
int log_fail(struct sl_log *log, int err);

/* Adds @seg behind the others. */
int log_add_segment(struct sl_log *log, struct segment *seg);

/* Position in segs of the segment that holds @offset: the last whose base is not above it. */
uint32_t log_find_segment(const struct sl_log *log, uint64_t offset);

/* Finds the largest timestamp again after its batch was removed. */
int log_refresh_time(struct sl_log *log, int64_t deadline);

/* ---- the jobs of a log -------------------------------------------------------------------- */

/* recover.c: fills a log that knows its folder and kind. */
int log_recover(struct sl_log *log, int64_t deadline);

/* tail.c: the right to write behind the tail; first come, first served. */
int tail_take(struct sl_log *log, int64_t deadline);
void tail_give(struct sl_log *log);

/* Its holder is a stream from now on (log->stream): who waits looks whether it stalls. */
void tail_streams(struct sl_log *log);

/* append.c: with the tail held. */
int append_placed(struct sl_log *log, struct iovec *iov, int n, const struct sl_frame *frame,
		  uint64_t *ret_base, int64_t deadline);
/* Takes the tail for an append. Return: 0; -ESHUTDOWN; the log's failure; -ETIME. */
int append_begin(struct sl_log *log, int64_t deadline);
/* Begins another segment if the batch does not fit the last. */
int append_room(struct sl_log *log, const struct sl_frame *frame, int64_t deadline);
/*
 * What was written behind the tail, @bytes at most, did not become part of the log, because of @err
 * or because it was given up (0). Return: the error, which may be that of undoing.
 */
int append_undo(struct sl_log *log, int err, uint64_t bytes);
/* There was no space for @bytes: tells it once, and makes what room there is. */
void append_full(struct sl_log *log, uint64_t bytes);
/* The batch behind the tail is whole and placed: it is part of the log. */
void append_publish(struct sl_log *log, const struct sl_frame *frame, uint64_t base,
		    uint32_t epoch);
/* The epoch that a batch is placed with now. */
uint32_t append_epoch(const struct sl_log *log);
/* Tail no longer held: @commit for the batches up to @end; as sl_log_append() returns. */
int append_settle(struct sl_log *log, struct sl_commit *commit, uint64_t end, int64_t deadline);

/* stream.c: takes the tail from a streamed append that does not use it. Return: whether it did. */
bool stream_take_back(struct sl_log *log);

/* reserve.c: disk space ahead of the tail. */
void reserve_ahead(struct sl_log *log);
/* Gives back what is reserved behind the end of @sf's file, @size bytes. */
void reserve_trim(struct sl_log *log, struct seg_file *sf, uint64_t size, int64_t deadline);

/* All logs of the core give back what they have ahead. */
void reserve_give_back(struct sl_logs *logs);

/* seal.c: with the tail held: seals the last segment (unless it is) and begins another. */
int log_roll(struct sl_log *log, int64_t deadline);
/* Whether the last segment is @segment_ms old and not empty. */
bool log_too_old(const struct sl_log *log, int64_t now_ms);

/* commit.c */
struct commit_item {
	struct sl_io io;
	struct sl_log *log;
	struct mark target;
	uint64_t slot_off; /* what the slot written with it says */
	uint64_t slot_start;
};

struct commit_round {
	struct commit_item *items;
	struct sl_io **ios;
	uint32_t n, cap;
};

/* One way to make several files durable: sets each item's io.res. */
struct commit_strategy {
	const char *name;
	void (*commit)(struct commit_round *r, int64_t deadline);
};

enum commit_strategy_id { COMMIT_FSYNC, COMMIT_LAST };
extern const struct commit_strategy commit_strategies[COMMIT_LAST];
void commit_by_fsync(struct commit_round *r, int64_t deadline); /* commit_fsync.c */

int commit_round_new(struct commit_round **ret_round);
int commit_round_grow(struct commit_round *r, uint32_t logs);
void commit_round_free(struct commit_round *r);
void commit_fiber(void *arg); /* struct sl_logs */

/* Puts the log where the committer finds it in time, or nowhere. */
void commit_queue(struct sl_log *log);
void commit_unqueue(struct sl_log *log);

/* Ends holding log->sync. */
void commit_unlock(struct sl_log *log);

/* Writes the watermark @m into the next slot. With log->sync held. Return: 0 or -errno. */
int commit_slot(struct sl_log *log, const struct mark *m, uint64_t start, bool clean);
/* @target and all before it is durable (@res 0), or the log fails. With log->sync held. */
int commit_finish(struct sl_log *log, const struct mark *target, int res);
/* Syncs the last segment up to the tail. @force: even if nothing was appended. */
int commit_now(struct sl_log *log, bool force, int64_t deadline);
/* The same with log->sync held, and a fault name of its own. */
int commit_locked(struct sl_log *log, enum sl_fault fault);

/* retain.c, scrub.c: their fibers; @arg is struct sl_logs. */
void retain_fiber(void *arg);
void scrub_fiber(void *arg);
/* Deletes the first @n segments, never the last; the log's start must be above them, durably. */
int retain_drop(struct sl_log *log, uint32_t n, int64_t deadline);
/* As sl_log_trim() without the checks. */
int retain_raise_start(struct sl_log *log, uint64_t start, int64_t deadline);

#endif
