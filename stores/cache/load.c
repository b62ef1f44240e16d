/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: from an object's place on disk to a view of it, all of it verified that is kept.
 *
 * Interface: view_load(), view_verify(). A small object is read as a whole, into the view's own
 * memory, and verified once. Of a large one only head and sums are kept; its body stays in the page
 * cache, and each block is verified when it is first given out and whenever it was found absent
 * since. Nothing tells of a block that left the cache and came back between two looks.
 *
 * Order of parts: memory; small objects; large ones; verifying blocks.
 */
#include "cache_pvt.h"
#include "sums.h"

/* ---- memory ----------------------------------------------------------------------------- */

static void view_gone(struct sl_buf *buf)
{
	struct view *w = sl_container_of(buf, struct view, buf);

	sl_direct_close(w->direct);
	sl_file_release(w->file);
	free(w);
}

static struct view *view_new(size_t bytes)
{
	struct view *w = malloc(sizeof(*w) + bytes);

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	sl_buf_init(&w->buf, w + 1, bytes, view_gone);
	sl_list_init(&w->node);
	w->memory = sizeof(*w) + bytes;
	return w;
}

/* What the caller sees, from the head. */
static void view_show(struct view *w)
{
	const struct head *h = &w->head;

	w->o = (struct cache_object){
		.bytes = h->bytes,
		.meta = w->text + h->key_n + h->tags_n,
		.meta_bytes = h->meta_n,
		.stored_ms = h->stored_ms,
		.expires_ms = h->expires_ms,
		.version = h->version,
	};
}

/* Whether the head is the one that the table means. */
static int check_head(const struct place *at, const uint8_t *raw, const uint64_t hash[2],
		      uint64_t room, struct head *ret_head)
{
	int err = head_decode(raw, at->salt, ret_head);

	if (err)
		return -EBADMSG;
	if (ret_head->hash[0] != hash[0] || ret_head->hash[1] != hash[1] ||
	    ret_head->version != at->version || head_total(ret_head) > room)
		return -EBADMSG;
	return 0;
}

/*
 * The same, wherever it is: @raw is at the object's beginning, @other at its second place, or NULL.
 * Return: 0, and where from the beginning it is; -EBADMSG.
 */
static int find_head(const struct place *at, const uint8_t *raw, const uint8_t *other,
		     uint32_t block_size, const uint64_t hash[2], uint64_t room,
		     struct head *ret_head, uint32_t *ret_at)
{
	*ret_at = 0;
	if (!check_head(at, raw, hash, room, ret_head))
		return 0;
	*ret_at = block_size / 2;
	if (other && !check_head(at, other, hash, room, ret_head) &&
	    head_has_other(ret_head, block_size))
		return 0;
	return -EBADMSG;
}

/* ---- small objects ---------------------------------------------------------------------- */

static int check_body(const struct head *h, const uint8_t *data)
{
	const uint8_t *body = data + h->body_at;
	uint64_t n = body_blocks(h->bytes), sum;

	if (!h->sums_at)
		return XXH3_64bits(body, h->bytes) == h->body_sum ? 0 : -EBADMSG;
	if (XXH3_64bits(data + h->sums_at, n * sizeof(sum)) != h->body_sum)
		return -EBADMSG;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t off = i * BODY_BLOCK_BYTES;

		memcpy(&sum, data + h->sums_at + i * sizeof(sum), sizeof(sum));
		if (XXH3_64bits(body + off, sl_min(h->bytes - off, BODY_BLOCK_BYTES)) != sum)
			return -EBADMSG;
	}
	return 0;
}

static int load_whole(const struct place *at, uint32_t block_size, const uint64_t hash[2],
		      uint64_t total, struct view **ret_view, int64_t deadline)
{
	struct view *w = view_new(total);
	uint8_t *data = (uint8_t *)(w + 1);
	ssize_t n;
	int err;

	if (!w)
		return -ENOMEM;
	n = sl_read_some(at->file->fd, data, total, at->pos, deadline);
	err = n < 0 ? (int)n : n < HEAD_BYTES ? -ENODATA : 0;
	if (!err) {
		/* The last object of a file ends before its blocks do. */
		memset(data + n, 0, total - (size_t)n);
		err = find_head(at, data, total > block_size ? data + block_size / 2 : NULL,
				block_size, hash, total, &w->head, &w->head_at);
	}
	if (!err)
		err = head_text_check(data + w->head_at, at->salt, data + w->head_at + HEAD_BYTES);
	if (!err)
		err = check_body(&w->head, data);
	if (err) {
		sl_buf_release(&w->buf);
		return err;
	}
	w->text = data + w->head_at + HEAD_BYTES;
	w->body = data + w->head.body_at;
	w->sums = w->head.sums_at ? (const uint64_t *)(data + w->head.sums_at) : NULL;
	view_show(w);
	*ret_view = w;
	return 0;
}

/* ---- large ones ------------------------------------------------------------------------- */

static uint64_t seen_words(uint64_t bytes)
{
	return (body_blocks(bytes) + 63) / 64;
}

/* Room for text, sums and marks behind the view. */
static struct view *view_of(const struct head *h)
{
	size_t text = sl_round_up(head_text_n(h), 8);
	size_t sums = sl_max(body_blocks(h->bytes), 1u) * sizeof(uint64_t);
	size_t seen = sl_max(seen_words(h->bytes), 1u) * sizeof(uint64_t);
	struct view *w = view_new(text + sums + 2 * seen);
	uint8_t *data = (uint8_t *)(w + 1);

	if (!w)
		return NULL;
	w->head = *h;
	w->text = data;
	w->sums = (uint64_t *)(data + text);
	w->seen = (uint64_t *)(data + text + sums);
	w->looked = w->seen + seen / sizeof(uint64_t);
	memset(w->seen, 0, 2 * seen);
	return w;
}

static int read_sums(struct view *w, const struct place *at, int64_t deadline)
{
	uint64_t *sums = (uint64_t *)w->sums;
	size_t n = body_blocks(w->head.bytes) * sizeof(*sums);
	int err;

	if (!w->head.sums_at) {
		sums[0] = w->head.body_sum;
		return 0;
	}
	err = sl_read_all(at->file->fd, sums, n, at->pos + w->head.sums_at, deadline);
	if (!err && XXH3_64bits(sums, n) != w->head.body_sum)
		err = -EBADMSG;
	return err;
}

/* Takes the reference on @at's file over if it succeeds. */
static int load_head(const struct place *at, uint32_t block_size, const uint64_t hash[2],
		     uint64_t total, struct view **ret_view, int64_t deadline)
{
	uint8_t raw[2][HEAD_BYTES];
	struct head h;
	struct view *w;
	uint32_t head_at;
	int err = sl_read_all(at->file->fd, raw[0], HEAD_BYTES, at->pos, deadline);

	if (!err && check_head(at, raw[0], hash, total, &h))
		err = sl_read_all(at->file->fd, raw[1], HEAD_BYTES, at->pos + block_size / 2,
				  deadline);
	if (!err)
		err = find_head(at, raw[0], raw[1], block_size, hash, total, &h, &head_at);
	if (err)
		return err;
	w = view_of(&h);
	if (!w)
		return -ENOMEM;
	w->head_at = head_at;
	err = sl_read_all(at->file->fd, w->text, head_text_n(&h), at->pos + head_at + HEAD_BYTES,
			  deadline);
	if (!err)
		err = head_text_check(raw[head_at ? 1 : 0], at->salt, w->text);
	if (!err)
		err = read_sums(w, at, deadline);
	if (err) {
		sl_buf_release(&w->buf);
		return err;
	}
	w->file = at->file;
	w->body_pos = at->pos + h.body_at;
	view_show(w);
	*ret_view = w;
	return 0;
}

int view_load(struct cache *c, const struct place *at, const uint64_t hash[2],
	      struct view **ret_view, int64_t deadline)
{
	uint64_t total = (uint64_t)at->blocks * c->super.block_size;
	bool whole = total < views_threshold(views_here(c));
	uint32_t block = c->super.block_size;
	int err = whole ? load_whole(at, block, hash, total, ret_view, deadline)
			: load_head(at, block, hash, total, ret_view, deadline);

	if (err || whole)
		sl_file_release(at->file);
	if (!err)
		(*ret_view)->owner = views_here(c);
	return err;
}

/* ---- verifying blocks ------------------------------------------------------------------- */

#define BELIEVED_NS (50 * SL_MSEC) /* as delivery believes that pages are there */

/* Whether all of these blocks were looked at a moment ago; they will have been next time. */
static bool was_looked_at(struct view *w, uint64_t first, uint64_t end)
{
	int64_t now = sl_now();
	bool all = true;

	if (now - w->looked_at >= BELIEVED_NS) {
		memset(w->looked, 0, sl_max(seen_words(w->o.bytes), 1u) * sizeof(uint64_t));
		w->looked_at = now;
	}
	for (uint64_t b = first; b < end;) {
		uint64_t n = sl_min(end - b, 64 - b % 64);
		uint64_t mask = (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX) << b % 64;

		all &= (w->looked[b / 64] & mask) == mask;
		w->looked[b / 64] |= mask;
		b += n;
	}
	return all;
}

/* Marks of blocks that are not in the page cache any more do not count. */
void view_look(struct view *w, uint64_t first, uint64_t end)
{
	uint64_t at = first * BODY_BLOCK_BYTES, to = sl_min(end * BODY_BLOCK_BYTES, w->o.bytes);

	if (was_looked_at(w, first, end))
		return;
	if (sl_resident(w->file->fd, w->body_pos + at, to - at) == 1)
		return;
	for (uint64_t b = first; b < end; b++) {
		at = b * BODY_BLOCK_BYTES;
		if (view_has_seen(w, b) &&
		    sl_resident(w->file->fd, w->body_pos + at,
				sl_min(w->o.bytes - at, BODY_BLOCK_BYTES)) != 1)
			w->seen[b / 64] &= ~(UINT64_C(1) << b % 64);
	}
}

enum { RUN_BLOCKS = 4 };

/* Reads blocks from @first on that were not verified, RUN_BLOCKS at most. Return: behind them. */
static int verify_run(struct view *w, uint64_t first, uint64_t end, uint8_t *buf,
		      uint64_t *ret_next, int64_t deadline)
{
	uint64_t n = 1, at = first * BODY_BLOCK_BYTES, len;
	int err;

	while (n < RUN_BLOCKS && first + n < end && !view_has_seen(w, first + n))
		n++;
	len = sl_min(w->o.bytes - at, n * BODY_BLOCK_BYTES);
	err = sl_read_all(w->file->fd, buf, len, w->body_pos + at, deadline);
	for (uint64_t i = 0; i < n && !err; i++) {
		uint64_t b = first + i, off = i * BODY_BLOCK_BYTES;

		if (XXH3_64bits(buf + off, sl_min(len - off, BODY_BLOCK_BYTES)) != w->sums[b])
			return -EBADMSG;
		w->seen[b / 64] |= UINT64_C(1) << b % 64;
	}
	count_up(&w->owner->counts.verified_blocks, n);
	*ret_next = first + n;
	return err;
}

int view_verify(struct view *w, uint64_t off, uint64_t len, int64_t deadline)
{
	uint64_t first = off / BODY_BLOCK_BYTES, end = body_blocks(off + len);
	struct sl_buf *buf = NULL;
	int err = 0;

	view_look(w, first, end);
	while (first < end && !err) {
		if (view_has_seen(w, first)) {
			first++;
			continue;
		}
		if (!buf)
			buf = sl_buf_new(RUN_BLOCKS * BODY_BLOCK_BYTES);
		if (!buf)
			return -ENOMEM;
		err = verify_run(w, first, end, buf->data, &first, deadline);
		if (sl_fiber_self() && !err && first < end)
			sl_fiber_yield(deadline);
	}
	sl_buf_release(buf);
	return err;
}
