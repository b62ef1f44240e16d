/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's cache: looking up, and what may be done with an object that is held.
 *
 * Interface: "looking up" and "held objects" of <sluice/cache.h>. A socket is sent to outside of
 * the turn, so that a peer that does not read keeps nobody else waiting.
 *
 * Order of parts: holding; reading and mapping; sending; at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib_pvt.h"

static_assert((int)SL_CACHE_STALE == (int)CACHE_STALE && (int)SL_CACHE_VERIFY == (int)CACHE_VERIFY,
	      "flags are handed on as they are");

/* ---- holding ---------------------------------------------------------------------------- */

/*
 * Holds what is under @key, in one turn with mapping it if @ret_data is asked for: once an object
 * is verified, this is most of what a look-up costs.
 */
static int hold(struct sl_cache *c, const void *key, size_t key_n, unsigned flags,
		struct sl_cache_object **ret_object, const uint8_t **ret_data)
{
	struct sl_cache_object *object = malloc(sizeof(*object));
	int err;

	if (!object)
		return -ENOMEM;
	object->cache = c;
	sl_turns_enter(c->turns);
	err = cache_lookup(c->cache, key_of(key, key_n), flags & CACHE_STALE, &object->o, SL_NEVER);
	if (!err && ret_data) {
		err = cache_map(object->o, 0, object->o->bytes, flags & CACHE_VERIFY, ret_data,
				SL_NEVER);
		if (err)
			cache_release(object->o);
	}
	sl_turns_leave(c->turns);
	if (err) {
		free(object);
		return err;
	}
	*ret_object = object;
	return 0;
}

int sl_cache_hold(struct sl_cache *c, const void *key, size_t key_n, unsigned flags,
		  struct sl_cache_object **ret_object)
{
	return hold(c, key, key_n, flags, ret_object, NULL);
}

void sl_cache_release(struct sl_cache_object *object)
{
	if (!object)
		return;
	sl_turns_enter(object->cache->turns);
	cache_release(object->o);
	sl_turns_leave(object->cache->turns);
	free(object);
}

uint64_t sl_cache_object_bytes(const struct sl_cache_object *object)
{
	return object->o->bytes;
}

uint64_t sl_cache_object_version(const struct sl_cache_object *object)
{
	return object->o->version;
}

int64_t sl_cache_object_stored_ms(const struct sl_cache_object *object)
{
	return object->o->stored_ms;
}

int64_t sl_cache_object_expires_ms(const struct sl_cache_object *object)
{
	return object->o->expires_ms;
}

const void *sl_cache_object_meta(const struct sl_cache_object *object, size_t *ret_bytes)
{
	*ret_bytes = object->o->meta_bytes;
	return object->o->meta;
}

/* ---- reading and mapping ---------------------------------------------------------------- */

/* What of @n bytes from @off on there is. */
static size_t within(const struct cache_object *o, uint64_t off, size_t n)
{
	return off < o->bytes ? (size_t)sl_min((uint64_t)n, o->bytes - off) : 0;
}

static ssize_t read_in_turn(struct cache_object *o, uint64_t off, void *buf, size_t n)
{
	int err;

	n = within(o, off, n);
	err = n ? cache_read(o, off, buf, n, SL_NEVER) : 0;
	return err ? err : (ssize_t)n;
}

ssize_t sl_cache_object_read(struct sl_cache_object *object, uint64_t off, void *buf, size_t n)
{
	ssize_t got;

	sl_turns_enter(object->cache->turns);
	got = read_in_turn(object->o, off, buf, n);
	sl_turns_leave(object->cache->turns);
	return got;
}

int sl_cache_object_map(struct sl_cache_object *object, uint64_t off, size_t n, unsigned flags,
			const void **ret_data)
{
	const uint8_t *data = NULL;
	int err;

	if (off > object->o->bytes || within(object->o, off, n) != n)
		return -ERANGE;
	sl_turns_enter(object->cache->turns);
	err = cache_map(object->o, off, n, flags & CACHE_VERIFY, &data, SL_NEVER);
	sl_turns_leave(object->cache->turns);
	if (!err)
		*ret_data = data;
	return err;
}

/* ---- sending ---------------------------------------------------------------------------- */

/* Some of a part, from @done on. Return: how much; -errno. */
static int send_some(int socket, const struct sl_part *part, uint64_t done)
{
	uint64_t left = sl_min(sl_part_len(part) - done, SL_GIB);
	struct sl_io io;
	int64_t off;

	if (part->kind == SL_PART_SLICE) {
		sl_io_send(&io, socket, part->slice.data + done, left, MSG_NOSIGNAL);
	} else {
		off = (int64_t)(part->extent.off + done);
		sl_io_sendfile(&io, socket, part->extent.file->fd, &off, left);
	}
	return sl_io_now(&io);
}

/* Return: how much of it was sent; *ret_err: why not all. */
static uint64_t send_part(int socket, const struct sl_part *part, int *ret_err)
{
	uint64_t done = 0;

	while (done < sl_part_len(part)) {
		int n = send_some(socket, part, done);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			*ret_err = n ? n : -EIO; /* the file is shorter than it was */
			break;
		}
		done += (uint64_t)n;
	}
	return done;
}

/* One window of the object. */
static uint64_t send_window(struct sl_cache_object *object, uint64_t off, uint64_t len, int socket,
			    int *ret_err)
{
	struct sl_part parts[CACHE_PARTS_MAX];
	uint64_t sent = 0;
	int n;

	sl_turns_enter(object->cache->turns);
	n = cache_parts(object->o, off, len, parts, CACHE_PARTS_MAX, SL_NEVER);
	sl_turns_leave(object->cache->turns);
	if (n < 0) {
		*ret_err = n;
		return 0;
	}
	for (int i = 0; i < n && !*ret_err; i++)
		sent += send_part(socket, &parts[i], ret_err);
	sl_turns_enter(object->cache->turns);
	for (int i = 0; i < n; i++)
		sl_part_release(&parts[i]);
	sl_turns_leave(object->cache->turns);
	return sent;
}

ssize_t sl_cache_object_send(struct sl_cache_object *object, uint64_t off, size_t n, int socket)
{
	uint64_t sent = 0;
	int err = 0;

	n = within(object->o, off, n);
	while (sent < n && !err)
		sent += send_window(object, off + sent, sl_min(n - sent, CACHE_WINDOW_BYTES),
				    socket, &err);
	return sent ? (ssize_t)sent : err;
}

/* ---- at once ---------------------------------------------------------------------------- */

ssize_t sl_cache_lookup(struct sl_cache *c, const void *key, size_t key_n, uint64_t off, void *buf,
			size_t n)
{
	struct cache_object *o;
	ssize_t got;

	sl_turns_enter(c->turns);
	got = cache_lookup(c->cache, key_of(key, key_n), 0, &o, SL_NEVER);
	if (!got) {
		got = read_in_turn(o, off, buf, n);
		cache_release(o);
	}
	sl_turns_leave(c->turns);
	return got;
}

int sl_cache_lookup_zero_copy(struct sl_cache *c, const void *key, size_t key_n, unsigned flags,
			      struct sl_cache_object **ret_object, const void **ret_data,
			      size_t *ret_bytes)
{
	const uint8_t *data;
	int err = hold(c, key, key_n, flags, ret_object, &data);

	if (err)
		return err == -EBADMSG ? -ENOENT : err;
	*ret_data = data;
	*ret_bytes = (*ret_object)->o->bytes;
	return 0;
}
