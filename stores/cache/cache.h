/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: objects found by a key, kept on disk as long as there is room for them.
 *
 * What is stored is checksummed, survives crashes, and is never given out otherwise than it was
 * stored: what does not verify is a miss. What is evicted, replaced or purged stays readable for
 * those who hold it. The objects of a shard belong to one core; the calls below may be made on any
 * core, in a fiber, or by a tool on a thread without cores.
 *
 * No call tells of a disk's trouble where a miss will do: a cache that cannot read has fewer
 * objects, and is no reason for anybody to fail.
 *
 * This layer never logs: what the operator must hear goes to struct cache_conf's event().
 *
 * Order of parts: the cache; looking up; storing; removing; watching.
 */
#ifndef STORES_CACHE_CACHE_H
#define STORES_CACHE_CACHE_H

#include "dataplane/dataplane.h"

/* ---- the cache -------------------------------------------------------------------------- */

#define CACHE_KEY_BYTES_MAX 8192
#define CACHE_META_BYTES_MAX (64 * 1024)
#define CACHE_TAGS_MAX 64
#define CACHE_TAG_BYTES_MAX 1024
#define CACHE_BYTES_MIN SL_MIB
#define CACHE_BYTES_DEFAULT SL_GIB

struct cache;

/* What the operator must hear of. */
enum cache_event {
	CACHE_DROPPED,	   /* a: segments that could not be read at the start, b: -errno of one */
	CACHE_QUARANTINED, /* a: version of the object that did not verify, b: -errno */
	CACHE_FULL,	   /* a: bytes that the disk has no space for */
	CACHE_FAILED,	   /* a: -errno of a write or sync; what was being stored is not */
	CACHE_EVENT_LAST
};

/* Whether bodies that are not in the page cache are read past it. */
enum cache_direct {
	CACHE_DIRECT_AUTO, /* when they are asked for the first time, and it is 1 MiB at most */
	CACHE_DIRECT_ALWAYS, /* as often as they are not there */
	CACHE_DIRECT_NEVER
};

/* What is done with an optional object (struct cache_put_conf) when there is no free space. */
enum cache_admission {
	CACHE_ADMIT_ALL, /* it is stored */
	CACHE_ADMIT_SECOND /* it is stored if that was tried, or it was stored, lately */
};

/**
 * struct cache_conf - how a cache is kept; zero fields take the defaults.
 * @dir, @path: where: a folder, made if it is missing (but for its parents), or a device that
 *	cache_format() prepared.
 * @max_bytes: that its files take, at least CACHE_BYTES_MIN (0: CACHE_BYTES_DEFAULT), or of a
 *	device (0: all of it).
 * @block_size: what objects' places are rounded to (4096), a power of two up to 64 KiB; taken when
 *	the cache is made; of a device, when it is prepared.
 * @object_max_bytes: the longest body that is stored (0: as long as the cache can).
 * @admission: what is done with optional ones.
 * @ttl_ns: how long an object lives whose storer does not say (0: for ever).
 * @mmap_threshold: objects of at least so many bytes stay in the page cache, smaller ones are kept
 *	in memory of the cache's own (64 KiB), or some of these, if it does not hold them all.
 * @sendfile: give large objects out as extents of their file. @direct: or read them past the page
 *	cache.
 * @durability: when what is stored counts as stored; as node.durability.
 * @memory_bytes: for small objects and the heads of large ones, on all cores together (128 MiB).
 * @scrub_bytes_per_s, @scrub_rest_ns: the background check (0: none; an hour).
 * @event: may be NULL. Called on a core of the cache, must not park.
 * @exclusive: nobody else can reach it, so that it need not be locked.
 */
struct cache_conf {
	int dir;
	const char *path;
	uint64_t max_bytes;
	uint32_t block_size;
	uint64_t object_max_bytes;
	enum cache_admission admission;
	int64_t ttl_ns;
	uint64_t mmap_threshold;
	bool sendfile;
	enum cache_direct direct;
	enum sl_durability durability;
	uint64_t memory_bytes;
	uint64_t scrub_bytes_per_s;
	int64_t scrub_rest_ns;
	void (*event)(void *arg, enum cache_event event, int64_t a, int64_t b);
	void *arg;
	bool exclusive;
};

/* Makes the folder @path of @dir; its name is durable on return. Return: 0; -EEXIST; -errno. */
int cache_make(int dir, const char *path, int64_t deadline);

/**
 * struct cache_format_conf - how a device is prepared; zero fields take the defaults.
 * @block_size: as of struct cache_conf. @force: also if there is a cache on it, which is emptied.
 * @slot_bytes, @journal_bytes: of a segment's place, and of a journal's; for tests, which need many
 * on little space. @exclusive: as of struct cache_conf.
 */
struct cache_format_conf {
	uint32_t block_size;
	bool force, exclusive;
	uint64_t slot_bytes, journal_bytes;
};

/* What came of it. @bytes: that objects may take, by slots. */
struct cache_format {
	uint64_t bytes, slot_bytes;
	uint32_t shards, slots; /* slots of each */
};

/**
 * cache_format() - make a cache of the block device or plain file @path of @dir.
 * @why: on failure the cause and its cure in one line.
 * Return: 0; -EBUSY: it is in use; -EEXIST: there is a cache on it; -ENOTEMPTY: something else may
 * be; -ENOSPC: it is too small; -EISDIR, -ENOTBLK: it is no such thing; -errno.
 */
int cache_format(int dir, const char *path, const struct cache_format_conf *conf,
		 struct cache_format *ret_format, char *why, size_t why_len, int64_t deadline);

/**
 * cache_open() - take it for this process; nothing of it is read but its description.
 * @cores: how many there will be; 0: the caller's thread alone.
 * @why: on failure the cause and its cure in one line.
 * Return: 0; -EBUSY: another process has it; -EPROTONOSUPPORT: made by a newer sluice;
 * -EMEDIUMTYPE: a device that cache_format() did not prepare; -ERANGE: one that became smaller;
 * -errno.
 * Damage is no failure: what cannot be read is dropped.
 */
int cache_open(uint32_t cores, const struct cache_conf *conf, struct cache **ret_cache, char *why,
	       size_t why_len, int64_t deadline);

/* Finds again what the shards of this core hold; on each core, before anybody asks. */
int cache_start(struct cache *c, int64_t deadline);

/*
 * Takes over max_bytes, object_max_bytes, admission, ttl_ns, mmap_threshold, sendfile, direct,
 * memory_bytes and scrub_bytes_per_s.
 */
void cache_configure(struct cache *c, const struct cache_conf *conf);

/* Frees what is above a smaller max_bytes now and not only when it is needed; on each core. */
int cache_trim(struct cache *c, int64_t deadline);

/*
 * Lets go of what this core keeps in memory, and seals what its shards write; on each core, when
 * nobody asks any more. Parts that are being sent stay valid.
 */
void cache_stop(struct cache *c, int64_t deadline);

/* After the cores. Accepts NULL. */
void cache_free(struct cache *c);

/* ---- looking up ------------------------------------------------------------------------- */

/* 1..CACHE_KEY_BYTES_MAX bytes, any bytes. */
struct cache_key {
	const void *p;
	size_t n;
};

/**
 * struct cache_object - one version of a stored object, held; on the core that looked it up.
 * @bytes: of its body. @meta: the storer's own. @stored_ms, @expires_ms: since 1970, INT64_MAX:
 * never. @version: unique in the cache; rises with each storing.
 */
struct cache_object {
	uint64_t bytes;
	const uint8_t *meta;
	uint32_t meta_bytes;
	int64_t stored_ms, expires_ms;
	uint64_t version;
};

enum { CACHE_STALE = 1 }; /* also what is past its expires_ms */

/**
 * cache_lookup() - the object of @key. Parks unless this core has it in memory.
 * Return: 0, with an object to be released; -ENOENT: there is none, or it could not be read or did
 * not verify; -ENOMEM; -ETIME.
 */
int cache_lookup(struct cache *c, struct cache_key key, uint32_t flags,
		 struct cache_object **ret_object, int64_t deadline);

void cache_release(struct cache_object *o);

/* Its tags, to be stored again with another meta. Return: how many; at most CACHE_TAGS_MAX. */
uint32_t cache_tags(const struct cache_object *o, struct cache_key ret_tags[CACHE_TAGS_MAX]);

/* The most parts that one cache_parts() or cache_put_parts() gives; the most bytes asked for. */
#define CACHE_PARTS_MAX 8
#define CACHE_WINDOW_BYTES (8 * SL_MIB)

/**
 * cache_parts() - bytes [@off, @off + @len) of the body for sl_deliver(), each block of 64 KiB
 * verified since it came from the disk. @len is at most CACHE_WINDOW_BYTES. Parks to verify.
 * Return: parts, each with a reference, 1 to CACHE_PARTS_MAX (0 if @len is 0); -EBADMSG: it does
 * not verify, and is quarantined, or cannot be read; -ENOMEM; -ETIME.
 */
int cache_parts(struct cache_object *o, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		uint32_t n, int64_t deadline);

/* The same into memory of the caller's, verified each time. Return: 0 or as above. */
int cache_read(struct cache_object *o, uint64_t off, void *dst, size_t len, int64_t deadline);

enum { CACHE_VERIFY = 2 }; /* every byte again, whether or not it was verified */

/**
 * cache_map() - the same bytes of the body, in memory of the caller's process, readable as long as
 * @o is held: of a large object its file is mapped. @flags: 0 or CACHE_VERIFY.
 * A disk that fails later, when a page has left the cache and comes back, is a SIGBUS of whoever
 * reads it. On a core it parks; on a plain thread it blocks, and others may have their turn.
 * Return: 0; -EBADMSG: it does not verify, and is quarantined, or cannot be read; -ENOMEM; -ETIME.
 */
int cache_map(struct cache_object *o, uint64_t off, uint64_t len, uint32_t flags,
	      const uint8_t **ret_data, int64_t deadline);

/* ---- storing ---------------------------------------------------------------------------- */

#define CACHE_BYTES_UNKNOWN UINT64_MAX

/**
 * struct cache_put_conf - what is to be stored.
 * @bytes: of the body, or CACHE_BYTES_UNKNOWN. @expires_ms: since 1970; INT64_MAX: never; 0: by the
 * cache's ttl. @tags: for cache_purge_tag(). @optional: who stores it does well without.
 */
struct cache_put_conf {
	const void *meta;
	uint32_t meta_bytes;
	uint64_t bytes;
	int64_t expires_ms;
	const struct cache_key *tags;
	uint32_t tags_n;
	bool optional;
};

struct cache_put;

/**
 * cache_put_begin() - begin to store an object, invisible until it is committed. Key, meta and tags
 * are copied. On the core that goes on with it.
 * Return: 0; -EAGAIN: it is optional, and asked for too seldom to be stored now; -EFBIG: larger
 * than the cache takes; -EMSGSIZE: key, meta or tags are too long;
 * -ENOSPC; -ENOMEM; -errno of the disk; -ETIME.
 */
int cache_put_begin(struct cache *c, struct cache_key key, const struct cache_put_conf *conf,
		    struct cache_put **ret_put, int64_t deadline);

/**
 * cache_put_room() - memory to receive the next bytes of the body into, and how much (at least 1,
 * at most 256 KiB; less than what is missing only because of that). cache_put_took() says how much
 * of it was filled; -EFBIG: it is longer by now than the cache takes. There is no further copy in
 * user space.
 */
int cache_put_room(struct cache_put *p, void **ret_room, size_t *ret_n, int64_t deadline);
int cache_put_took(struct cache_put *p, size_t n, int64_t deadline);

/* The copying form. -EBADMSG: more than was promised. */
int cache_put_write(struct cache_put *p, const void *data, size_t n, int64_t deadline);

/*
 * Parts of what has come so far, cache_put_written() bytes, to be sent while the rest comes. They
 * can be had until the put is ended, also when room, took or write failed (-ENOSPC, -EFBIG: there
 * is no room for the rest): then what came before, and what a failing took was given, unless
 * cache_put_written() says otherwise.
 */
uint64_t cache_put_written(const struct cache_put *p);
int cache_put_parts(struct cache_put *p, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		    uint32_t n);

/**
 * cache_put_commit() - make it visible and, by @durability, durable. Ends @p.
 * Return: 0; -EBADMSG: it is shorter than promised; -errno: it is not stored.
 */
int cache_put_commit(struct cache_put *p, int64_t deadline);

/* The same; @ret_version: which version it is, that struct cache_object tells of. */
int cache_put_commit_version(struct cache_put *p, uint64_t *ret_version, int64_t deadline);

/* Nothing of it becomes visible. Ends @p. Accepts NULL. */
void cache_put_abort(struct cache_put *p);

/**
 * cache_update() - a new meta and expiry for version @version, which becomes a new one.
 * Return: 0; -ENOENT: there is no such object; -ESTALE: another version is stored; -errno.
 */
int cache_update(struct cache *c, struct cache_key key, uint64_t version, const void *meta,
		 uint32_t meta_bytes, int64_t expires_ms, int64_t deadline);

/* ---- removing --------------------------------------------------------------------------- */

/* Durable on return. -ENOENT: there was none. */
int cache_remove(struct cache *c, struct cache_key key, int64_t deadline);

/* All objects whose keys begin so, or that were stored with this tag; their space comes later. */
int cache_purge_prefix(struct cache *c, struct cache_key prefix, int64_t deadline);
int cache_purge_tag(struct cache *c, struct cache_key tag, int64_t deadline);

/* ---- watching --------------------------------------------------------------------------- */

struct cache_verify {
	uint64_t objects, bytes; /* looked at */
	uint64_t bad;		 /* that did not verify, and are quarantined */
};

/* Verifies everything, from the disk. Return: 0 or -errno. */
int cache_verify(struct cache *c, struct cache_verify *ret_verify, int64_t deadline);

struct cache_stat {
	uint64_t objects, bytes, max_bytes, segments;
	uint64_t memory_objects, memory_bytes;
	uint64_t hits, memory_hits, misses, stored, stored_bytes, refused;
	uint64_t evicted, carried, removed, quarantined;
	uint64_t extents, extent_bytes, slices, slice_bytes;
	uint64_t mapped, mapped_bytes, mapped_refused, mapped_unreadable;
	uint64_t direct, direct_bytes, direct_refused, direct_no_memory, copies, copy_bytes;
	uint64_t verified_blocks;
	uint64_t whole_bytes; /* smaller objects are kept in memory, on the core with least room */
};

/* From any core; figures of other cores are as they were a moment ago. */
void cache_stat(const struct cache *c, struct cache_stat *ret_stat);

#endif
