/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies past the page cache: what nobody asked for before, and is not in memory, is read from the
 * disk into the core's arena and sent from there, so that it does not push out what others ask for.
 *
 * Interface: direct_parts() of cache_pvt.h. Every block is verified as it comes. A view opens its
 * file once for this, and keeps it open. Where it does not work (no direct reads, no memory) the
 * page cache is the way, which is counted.
 *
 * Order of parts: whether; reading; verifying; cutting; the call.
 */
#include "cache_pvt.h"
#include "sums.h"

/* More than this a slow reader is not to hold of the arena. */
#define DIRECT_BYTES_MAX SL_MIB

static_assert((DIRECT_BYTES_MAX + 2 * BODY_BLOCK_BYTES) / SL_DIRECT_STEP_BYTES + 2 <=
		      CACHE_PARTS_MAX, "what is read comes in so many slices");

/* ---- whether ---------------------------------------------------------------------------- */

/* What is asked for again is better kept by the page cache. */
static bool is_wanted(const struct view *w, uint64_t off, uint64_t len)
{
	enum cache_direct how = CONF(w->owner->c, direct);

	if (how == CACHE_DIRECT_NEVER || len > DIRECT_BYTES_MAX || !sl_core_self() ||
	    w->no_direct || (how == CACHE_DIRECT_AUTO && w->hits))
		return false;
	return sl_resident(w->file->fd, w->body_pos + off, len) == 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int open_file(struct view *w, int64_t deadline)
{
	struct segment *g = sl_container_of(w->file, struct segment, file);
	struct sl_direct *file;
	int err;

	if (w->direct)
		return 0;
	err = g->shard->c->medium->open_direct(g, &file, deadline);
	if (!err && !w->direct)
		w->direct = file;
	else if (!err)
		sl_direct_close(file); /* another reader was faster */
	if (!err && sl_direct_align(w->direct) == 1)
		err = -EOPNOTSUPP;
	w->no_direct = err && err != -ENOMEM && err != -ETIME;
	return err;
}

/* ---- verifying -------------------------------------------------------------------------- */

/* Sums of blocks from @block on, over what comes in pieces. */
struct check {
	const struct view *w;
	XXH3_state_t *sum;
	uint64_t block, left; /* bytes of it */
};

static void next_block(struct check *k)
{
	k->left = sl_min(k->w->o.bytes - k->block * BODY_BLOCK_BYTES, BODY_BLOCK_BYTES);
	XXH3_64bits_reset(k->sum);
}

static int check_piece(struct check *k, const uint8_t *data, size_t n)
{
	while (n) {
		size_t step = sl_min(n, (size_t)k->left);

		XXH3_64bits_update(k->sum, data, step);
		data += step;
		n -= step;
		k->left -= step;
		if (k->left)
			continue;
		if (XXH3_64bits_digest(k->sum) != k->w->sums[k->block])
			return -EBADMSG;
		if (++k->block < body_blocks(k->w->o.bytes))
			next_block(k);
	}
	return 0;
}

/* @slices: blocks from @first on, which end before @end. */
static int check_slices(const struct view *w, uint64_t first, uint64_t end,
			const struct sl_slice *slices, int n)
{
	struct check k = {.w = w, .sum = XXH3_createState(), .block = first};
	int err = k.sum ? 0 : -ENOMEM;

	if (!err)
		next_block(&k);
	for (int i = 0; i < n && !err; i++)
		err = check_piece(&k, slices[i].data, slices[i].len);
	if (!err && k.block < end)
		err = -ENODATA; /* the file ends before */
	XXH3_freeState(k.sum);
	count_up(&w->owner->counts.verified_blocks, k.block - first);
	return err;
}

/* ---- cutting ---------------------------------------------------------------------------- */

/* Of @slices, the first byte of which is at @at, what is of [@off, @off + @len), as parts. */
static int cut(struct sl_slice *slices, int n, uint64_t at, uint64_t off, uint64_t len,
	       struct sl_part *ret_parts)
{
	int got = 0;

	for (int i = 0; i < n; i++) {
		uint64_t end = at + slices[i].len;
		uint64_t from = sl_max(at, off), to = sl_min(end, off + len);

		if (from < to)
			ret_parts[got++] = sl_part_slice((struct sl_slice){
				slices[i].buf, slices[i].data + (from - at), to - from});
		else
			sl_slice_release(&slices[i]);
		at = end;
	}
	return got;
}

/* ---- the call --------------------------------------------------------------------------- */

static int read_parts(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		      int64_t deadline)
{
	uint64_t first = off / BODY_BLOCK_BYTES, end = body_blocks(off + len);
	uint64_t at = first * BODY_BLOCK_BYTES, to = sl_min(end * BODY_BLOCK_BYTES, w->o.bytes);
	struct sl_slice slices[CACHE_PARTS_MAX];
	int err = open_file(w, deadline), n;

	if (err)
		return err;
	n = sl_direct_read(w->direct, w->body_pos + at, to - at, slices, CACHE_PARTS_MAX, deadline);
	if (n < 0)
		return n;
	err = check_slices(w, first, end, slices, n);
	if (!err)
		return cut(slices, n, at, off, len, ret_parts);
	while (n)
		sl_slice_release(&slices[--n]);
	return err;
}

int direct_parts(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		 int64_t deadline)
{
	int n;

	if (!is_wanted(w, off, len))
		return 0;
	n = read_parts(w, off, len, ret_parts, deadline);
	if (n == -ETIME || cache_is_damage(n))
		return n;
	if (n < 0) {
		count_up(n == -ENOMEM ? &w->owner->counts.direct_no_memory
				      : &w->owner->counts.direct_refused, 1);
		sl_count(SL_M_CACHE_DIRECT_FALLBACKS, 1);
		return 0;
	}
	count_up(&w->owner->counts.direct, 1);
	count_up(&w->owner->counts.direct_bytes, len);
	sl_count(SL_M_CACHE_DIRECT, 1);
	sl_count(SL_M_CACHE_DIRECT_BYTES, len);
	return n;
}
