/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: sluice's disk cache in a program of one's own, without the daemon. libsluice(3).
 *
 * Objects are bytes under keys, kept in a folder as long as there is room for them. What is stored
 * is checksummed and survives crashes; what does not verify is a miss, never a wrong byte. A cache
 * belongs to one process at a time, and its calls may be made by any of its threads.
 *
 * Calls block the calling thread. They return 0 or a count, or a negative errno: -ENOENT means that
 * there is no such object (any more). Keys are 1 to SL_CACHE_KEY_BYTES_MAX bytes, any bytes.
 *
 * Order of parts: the cache; storing; looking up; held objects; removing; watching.
 */
#ifndef SLUICE_CACHE_H
#define SLUICE_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_cache;
struct sl_cache_put;
struct sl_cache_object;

#define SL_CACHE_KEY_BYTES_MAX 8192
#define SL_CACHE_META_BYTES_MAX 65536
#define SL_CACHE_TAGS_MAX 64
#define SL_CACHE_TAG_BYTES_MAX 1024

/* ---- the cache -------------------------------------------------------------------------- */

/**
 * sl_cache_open() - take the cache in the folder @path, which is made if it is missing, or on the
 *	device @path, which `sluice cache format` prepared.
 * @settings: those of the section [cache] of sluice.conf(5), but path, as "max_bytes=4G ttl=1h";
 *	separated by spaces, commas or lines, without spaces within. NULL or "": the defaults.
 * @why, @why_len: on failure one line that says what is wrong and what to do; NULL: not wanted.
 * Damage is no failure: what cannot be read is dropped.
 * Return: 0; -EBUSY: another process has it; -EINVAL: a setting is wrong; -EPROTONOSUPPORT: made
 *	   by a newer sluice; -errno.
 */
int sl_cache_open(const char *path, const char *settings, struct sl_cache **ret_cache, char *why,
		  size_t why_len);

/*
 * Takes the settings that may change while it is open: max_bytes, object_max_bytes, ttl,
 * mmap_threshold and memory_max_bytes; others are left as they are. All that are not named get
 * their defaults. A smaller max_bytes is reached by the next objects that are stored.
 */
int sl_cache_configure(struct sl_cache *cache, const char *settings, char *why, size_t why_len);

/* No other call may be under way, no put open and no object held. Accepts NULL. */
void sl_cache_close(struct sl_cache *cache);

/* ---- storing ---------------------------------------------------------------------------- */

/* How long an object is found: milliseconds, or one of these. */
#define SL_CACHE_TTL_DEFAULT 0 /* the setting ttl */
#define SL_CACHE_TTL_NEVER INT64_MAX /* until its space is needed */

/**
 * sl_cache_put() - store @n bytes under @key, in place of what is there.
 * Return: 0 when it is found by everybody and durable, as the setting durability says; -EFBIG:
 *	   larger than this cache takes; -ENOSPC; -errno. Then nothing has changed.
 */
int sl_cache_put(struct sl_cache *cache, const void *key, size_t key_n, const void *data, size_t n,
		 int64_t ttl_ms);

/**
 * sl_cache_put_begin() - the same piece by piece. Nothing is found before the commit. The calls
 * for one put are made by one thread at a time.
 */
int sl_cache_put_begin(struct sl_cache *cache, const void *key, size_t key_n,
		       struct sl_cache_put **ret_put);

/*
 * What may be said about it, before its first bytes: its length, which must then be kept; how long
 * it is found; bytes of the storer's own that come with it; tags by which it can be purged.
 * Return: 0; -EBUSY: bytes were written already; -EMSGSIZE: too long, or too many; -ENOMEM.
 */
int sl_cache_put_bytes(struct sl_cache_put *put, uint64_t bytes);
int sl_cache_put_ttl(struct sl_cache_put *put, int64_t ttl_ms);
int sl_cache_put_meta(struct sl_cache_put *put, const void *meta, size_t n);
int sl_cache_put_tag(struct sl_cache_put *put, const void *tag, size_t n);

/* The next @n bytes. -EBADMSG: more than was said. After a failure there is nothing but abort. */
int sl_cache_put_write(struct sl_cache_put *put, const void *data, size_t n);

/* Ends the put, whatever it returns: as sl_cache_put(), or -EBADMSG: fewer bytes than was said. */
int sl_cache_put_commit(struct sl_cache_put *put);

/* Ends it without storing anything. Accepts NULL. */
void sl_cache_put_abort(struct sl_cache_put *put);

/* ---- looking up ------------------------------------------------------------------------- */

enum sl_cache_flag {
	SL_CACHE_STALE = 1, /* find also what is past its time, and not evicted yet */
	SL_CACHE_VERIFY = 2 /* verify every byte again, not only since it came from the disk */
};

/**
 * sl_cache_lookup() - copy at most @n bytes of the object of @key, from @off on, into @buf. What
 * is not in memory of the cache is verified in @buf.
 * Return: how many (0: it ends at @off or before); -ENOENT; -errno.
 */
ssize_t sl_cache_lookup(struct sl_cache *cache, const void *key, size_t key_n, uint64_t off,
			void *buf, size_t n);

/**
 * sl_cache_lookup_zero_copy() - the whole object of @key in memory, without a copy: small ones are
 * in memory of the cache, of large ones the file is mapped.
 * @flags: of enum sl_cache_flag. @ret_data, @ret_bytes: readable until @ret_object is released.
 * Return: 0; -ENOENT; -errno.
 */
int sl_cache_lookup_zero_copy(struct sl_cache *cache, const void *key, size_t key_n, unsigned flags,
			      struct sl_cache_object **ret_object, const void **ret_data,
			      size_t *ret_bytes);

/* ---- held objects ----------------------------------------------------------------------- */

/**
 * sl_cache_hold() - find the object of @key and hold this version of it: removal, eviction and
 * replacement leave it readable until it is released. Nothing of its bytes is read yet.
 * @flags: 0 or SL_CACHE_STALE.
 */
int sl_cache_hold(struct sl_cache *cache, const void *key, size_t key_n, unsigned flags,
		  struct sl_cache_object **ret_object);

/* By any thread. Accepts NULL. */
void sl_cache_release(struct sl_cache_object *object);

/* Its length; a number that rises with each storing; when it was stored, and until when it is
 * found (ms since 1970; INT64_MAX: for ever). */
uint64_t sl_cache_object_bytes(const struct sl_cache_object *object);
uint64_t sl_cache_object_version(const struct sl_cache_object *object);
int64_t sl_cache_object_stored_ms(const struct sl_cache_object *object);
int64_t sl_cache_object_expires_ms(const struct sl_cache_object *object);

/* What sl_cache_put_meta() gave, readable while the object is held. */
const void *sl_cache_object_meta(const struct sl_cache_object *object, size_t *ret_bytes);

/*
 * The next three take a range of the object. What does not verify is -EBADMSG; the object is not
 * found any more then.
 *
 * sl_cache_object_read(): copies at most @n bytes from @off on. Return: how many; -errno.
 */
ssize_t sl_cache_object_read(struct sl_cache_object *object, uint64_t off, void *buf, size_t n);

/*
 * sl_cache_object_map(): @ret_data is readable while the object is held. @flags: 0 or
 * SL_CACHE_VERIFY. @off and @n must lie within the object (-ERANGE).
 */
int sl_cache_object_map(struct sl_cache_object *object, uint64_t off, size_t n, unsigned flags,
			const void **ret_data);

/*
 * sl_cache_object_send(): sends at most @n bytes from @off on to a stream socket, large objects
 * without a copy (sendfile). Return: how many, fewer only if @socket does not block and is full,
 * or the peer is gone after some; -EAGAIN; -errno.
 */
ssize_t sl_cache_object_send(struct sl_cache_object *object, uint64_t off, size_t n, int socket);

/* ---- removing --------------------------------------------------------------------------- */

/* -ENOENT: there was none. */
int sl_cache_remove(struct sl_cache *cache, const void *key, size_t key_n);

/* All objects whose keys begin so (@n 0: all), or that were stored with this tag, at once. */
int sl_cache_purge_prefix(struct sl_cache *cache, const void *prefix, size_t n);
int sl_cache_purge_tag(struct sl_cache *cache, const void *tag, size_t n);

/* ---- watching --------------------------------------------------------------------------- */

/* Calls @each for every figure of the cache; libsluice(3) says what they mean. */
void sl_cache_stat(struct sl_cache *cache,
		   void (*each)(void *arg, const char *name, uint64_t value), void *arg);

/*
 * Reads and verifies everything that is stored. Return: how many objects did not verify, and are
 * not found any more; -errno. @ret_objects, @ret_bytes: looked at; may be NULL.
 */
int64_t sl_cache_verify(struct sl_cache *cache, uint64_t *ret_objects, uint64_t *ret_bytes);

#ifdef __cplusplus
}
#endif

#endif
