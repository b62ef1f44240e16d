/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of held objects in memory of the caller's process, without a copy.
 *
 * Interface: cache_map(), map_allow(). A segment's file is mapped as a whole, once, and unmapped
 * when nobody holds it any more; what was given out of it is never written again, and the file
 * keeps its length while it is held. Pages are populated before they are looked at, which tells of
 * a disk's trouble by an error. What goes wrong between that and the look is an error of
 * sl_mapped_try() while a sum is made.
 *
 * On a plain thread blocks are verified in place. A core's pages come by its ring instead, which
 * does not keep it waiting.
 *
 * Order of parts: sums; the file; verifying; the call.
 */
#include <sys/mman.h>

#include "cache_pvt.h"
#include "sums.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/* ---- sums ------------------------------------------------------------------------------- */

struct summing {
	const uint8_t *p;
	size_t n;
	uint64_t sum;
};

static void sum_up(void *arg)
{
	struct summing *s = arg;

	s->sum = XXH3_64bits(s->p, s->n);
}

int map_sum(const uint8_t *p, size_t n, uint64_t *ret_sum)
{
	struct summing s = {.p = p, .n = n};
	int err = sl_mapped_try(sum_up, &s);

	if (!err)
		*ret_sum = s.sum;
	return err;
}

/* ---- the file --------------------------------------------------------------------------- */

/* Of several who are the first at a time one mapping stays. */
static int map_file(struct segment *g, const uint8_t **ret_map)
{
	uint8_t *map = __atomic_load_n(&g->map, __ATOMIC_ACQUIRE), *none = NULL;
	/* A segment that may still grow ends where its room does; one object alone is complete. */
	size_t bytes = g->solo ? g->pos : g->room;

	if (!map) {
		map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, g->file.fd, (off_t)g->seat.base);
		if (map == MAP_FAILED)
			return -errno;
		__atomic_store_n(&g->map_bytes, bytes, __ATOMIC_RELAXED); /* the same for all */
		if (!__atomic_compare_exchange_n(&g->map, &none, map, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			munmap(map, bytes);
			map = none;
		}
	}
	*ret_map = map;
	return 0;
}

static int map_extent(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data)
{
	struct segment *g = sl_container_of(file, struct segment, file);
	const uint8_t *map = NULL;
	int err = map_file(g, &map);

	SL_ASSERT(off >= g->seat.base);
	off -= g->seat.base;
	if (!err && off + len > __atomic_load_n(&g->map_bytes, __ATOMIC_RELAXED))
		err = -ERANGE;
	if (!err)
		*ret_data = map + off;
	return err;
}

void map_allow(struct sl_file *file)
{
	if (!__atomic_load_n(&file->map, __ATOMIC_RELAXED))
		__atomic_store_n(&file->map, map_extent, __ATOMIC_RELEASE);
}

void map_drop(struct segment *g)
{
	uint8_t *map = __atomic_load_n(&g->map, __ATOMIC_ACQUIRE);

	if (map)
		madvise(map, g->map_bytes, MADV_DONTNEED);
}

/* Brings [@p, @p + @n) in; whatever reading it would raise is an error here. */
static int populate(const uint8_t *p, size_t n)
{
	uintptr_t from = sl_round_down((uintptr_t)p, 4096);

	while (madvise((void *)from, (uintptr_t)p + n - from, MADV_POPULATE_READ))
		if (errno != EAGAIN && errno != EINTR)
			return errno == EINVAL ? 0 : errno == ENOMEM ? -ENOMEM : -EIO;
	return 0;
}

/* ---- verifying -------------------------------------------------------------------------- */

enum { RUN_BLOCKS = 64 };

static uint64_t sum_of(const struct view *w, uint64_t block)
{
	return w->sums ? w->sums[block] : w->head.body_sum;
}

static size_t block_bytes(const struct view *w, uint64_t block)
{
	return sl_min(w->o.bytes - block * BODY_BLOCK_BYTES, BODY_BLOCK_BYTES);
}

/* Blocks [@first, @end), while others have their turn: they touch nothing of what is read here. */
static int verify_blocks(const struct view *w, const uint8_t *body, uint64_t first, uint64_t end)
{
	size_t n = (end - first - 1) * BODY_BLOCK_BYTES + block_bytes(w, end - 1);
	int err;

	sl_turns_pause();
	err = populate(body + first * BODY_BLOCK_BYTES, n);
	for (uint64_t b = first; b < end && !err; b++) {
		uint64_t sum;

		err = map_sum(body + b * BODY_BLOCK_BYTES, block_bytes(w, b), &sum);
		if (!err && sum != sum_of(w, b))
			err = -EBADMSG;
	}
	sl_turns_resume();
	return err;
}

static bool needs_look(const struct view *w, uint64_t b, uint32_t flags)
{
	return flags & CACHE_VERIFY || (!w->body && !view_has_seen(w, b));
}

static int verify_run(struct view *w, const uint8_t *body, uint64_t first, uint64_t end)
{
	int err = verify_blocks(w, body, first, end);

	if (err)
		return err;
	for (uint64_t b = first; b < end && !w->body; b++)
		w->seen[b / 64] |= UINT64_C(1) << b % 64;
	count_up(&w->owner->counts.verified_blocks, end - first);
	return 0;
}

/* All of @first to @end that need it, in runs. */
static int verify(struct view *w, const uint8_t *body, uint64_t first, uint64_t end, uint32_t flags)
{
	int err = 0;

	while (first < end && !err) {
		uint64_t next = first;

		while (next < end && next - first < RUN_BLOCKS && needs_look(w, next, flags))
			next++;
		if (next > first)
			err = verify_run(w, body, first, next);
		first = sl_max(next, first + 1);
	}
	return err;
}

/* ---- the call --------------------------------------------------------------------------- */

static int map_large(struct view *w, uint64_t off, uint64_t len, uint32_t flags,
		     const uint8_t **ret_body, int64_t deadline)
{
	uint64_t first = off / BODY_BLOCK_BYTES, end = body_blocks(off + len);
	struct segment *g = sl_container_of(w->file, struct segment, file);
	const uint8_t *map = NULL;
	int err = map_file(g, &map);

	if (err) {
		count_up(&w->owner->counts.mapped_refused, 1);
		return err;
	}
	*ret_body = map + (w->body_pos - g->seat.base);
	if (!sl_core_self()) {
		view_look(w, first, end);
		return verify(w, *ret_body, first, end, flags);
	}
	for (uint64_t b = first; flags & CACHE_VERIFY && b < end; b++)
		w->seen[b / 64] &= ~(UINT64_C(1) << b % 64);
	return view_verify(w, off, len, deadline);
}

int cache_map(struct cache_object *o, uint64_t off, uint64_t len, uint32_t flags,
	      const uint8_t **ret_data, int64_t deadline)
{
	struct view *w = sl_container_of(o, struct view, o);
	const uint8_t *body = w->body;
	int err = 0;

	SL_ASSERT(off <= o->bytes && len <= o->bytes - off);
	if (!body && len)
		err = map_large(w, off, len, flags, &body, deadline);
	else if (len)
		err = verify(w, body, off / BODY_BLOCK_BYTES, body_blocks(off + len), flags);
	if (cache_is_damage(err) && err != -EBADMSG)
		count_up(&w->owner->counts.mapped_unreadable, 1);
	err = cache_read_res(w->owner->c, w->head.hash, o->version, err);
	if (err)
		return err;
	count_up(&w->owner->counts.mapped, 1);
	count_up(&w->owner->counts.mapped_bytes, len);
	*ret_data = len ? body + off : (const uint8_t *)"";
	return 0;
}
