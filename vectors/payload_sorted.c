/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorted keys of payload indexes: pairs of a key and a row, in leaves of at most LEAF_KEYS.
 *
 * Interface: payload_pvt.h. A full leaf is split in two, neighbours that are little filled become
 * one; above the leaves there is just the list of them, which a search halves.
 *
 * Order of parts: finding; changing; walking; keeping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "payload_pvt.h"

/* ---- finding ---------------------------------------------------------------------------- */

static bool is_below(const struct leaf *l, uint32_t i, uint64_t key, uint32_t row)
{
	return l->keys[i] < key || (l->keys[i] == key && l->rows[i] < row);
}

/* The last leaf whose first pair is not above, or the first. */
static uint32_t leaf_of(const struct sorted *s, uint64_t key, uint32_t row)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct leaf *l = s->leaves[mid];

		if (is_below(l, 0, key, row) || (l->keys[0] == key && l->rows[0] == row))
			low = mid + 1;
		else
			high = mid;
	}
	return low ? low - 1 : 0;
}

static uint32_t place_in(const struct leaf *l, uint64_t key, uint32_t row)
{
	uint32_t low = 0, high = l->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (is_below(l, mid, key, row))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct sorted_at sorted_find(const struct sorted *s, uint64_t key, uint32_t row)
{
	struct sorted_at at = {.leaf = leaf_of(s, key, row)};

	if (at.leaf == s->n)
		return at;
	at.i = place_in(s->leaves[at.leaf], key, row);
	return at.i < s->leaves[at.leaf]->n ? at : (struct sorted_at){at.leaf + 1, 0};
}

struct sorted_at sorted_end(const struct sorted *s)
{
	return (struct sorted_at){s->n, 0};
}

/* ---- changing --------------------------------------------------------------------------- */

void sorted_done(struct sorted *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		free(s->leaves[i]);
	free(s->leaves);
	*s = (struct sorted){0};
}

/* An empty leaf at @at of the list. */
static int put_leaf(struct sorted *s, uint32_t at)
{
	struct leaf *l = malloc(sizeof(*l));

	if (l && s->n == s->room) {
		uint32_t room = s->room ? s->room * 2 : 4;
		struct leaf **leaves = realloc(s->leaves, room * sizeof(struct leaf *));

		if (!leaves) {
			free(l);
			return -ENOMEM;
		}
		s->leaves = leaves;
		s->room = room;
	}
	if (!l)
		return -ENOMEM;
	memmove(s->leaves + at + 1, s->leaves + at, (s->n - at) * sizeof(struct leaf *));
	l->n = 0;
	s->leaves[at] = l;
	s->n++;
	return 0;
}

static void take_leaf(struct sorted *s, uint32_t at)
{
	free(s->leaves[at]);
	s->n--;
	memmove(s->leaves + at, s->leaves + at + 1, (s->n - at) * sizeof(struct leaf *));
}

/* Pairs from @from on to the end of another. */
static void move(struct leaf *from, uint32_t at, struct leaf *to)
{
	uint32_t n = from->n - at;

	memcpy(to->keys + to->n, from->keys + at, n * sizeof(*to->keys));
	memcpy(to->rows + to->n, from->rows + at, n * sizeof(*to->rows));
	to->n += n;
	from->n = at;
}

/* What comes in order fills its leaves: only the new pair goes into the next one. */
static int split(struct sorted *s, struct sorted_at *at)
{
	bool last = at->leaf + 1 == s->n && at->i == LEAF_KEYS;
	int err = put_leaf(s, at->leaf + 1);

	if (err)
		return err;
	move(s->leaves[at->leaf], last ? LEAF_KEYS : LEAF_KEYS / 2, s->leaves[at->leaf + 1]);
	if (at->i > s->leaves[at->leaf]->n || last) {
		at->i -= s->leaves[at->leaf]->n;
		at->leaf++;
	}
	return 0;
}

int sorted_add(struct sorted *s, uint64_t key, uint32_t row)
{
	struct sorted_at at = {.leaf = leaf_of(s, key, row)};
	struct leaf *l;
	int err = s->n ? 0 : put_leaf(s, 0);

	if (err)
		return err;
	l = s->leaves[at.leaf];
	at.i = place_in(l, key, row);
	if (at.i < l->n && l->keys[at.i] == key && l->rows[at.i] == row)
		return 0;
	err = l->n == LEAF_KEYS ? split(s, &at) : 0;
	if (err)
		return err;
	l = s->leaves[at.leaf];
	memmove(l->keys + at.i + 1, l->keys + at.i, (l->n - at.i) * sizeof(*l->keys));
	memmove(l->rows + at.i + 1, l->rows + at.i, (l->n - at.i) * sizeof(*l->rows));
	l->keys[at.i] = key;
	l->rows[at.i] = row;
	l->n++;
	s->pairs++;
	return 0;
}

static void join(struct sorted *s, uint32_t at)
{
	if (at + 1 >= s->n || s->leaves[at]->n + s->leaves[at + 1]->n > LEAF_KEYS / 2)
		return;
	move(s->leaves[at + 1], 0, s->leaves[at]);
	take_leaf(s, at + 1);
}

void sorted_remove(struct sorted *s, uint64_t key, uint32_t row)
{
	struct sorted_at at = sorted_find(s, key, row);
	struct leaf *l;

	if (at.leaf == s->n)
		return;
	l = s->leaves[at.leaf];
	if (l->keys[at.i] != key || l->rows[at.i] != row)
		return;
	l->n--;
	memmove(l->keys + at.i, l->keys + at.i + 1, (l->n - at.i) * sizeof(*l->keys));
	memmove(l->rows + at.i, l->rows + at.i + 1, (l->n - at.i) * sizeof(*l->rows));
	s->pairs--;
	if (!l->n) {
		take_leaf(s, at.leaf);
		return;
	}
	join(s, at.leaf);
	if (at.leaf)
		join(s, at.leaf - 1);
}

/* ---- walking ---------------------------------------------------------------------------- */

bool sorted_next(const struct sorted *s, struct sorted_at *at, struct sorted_at end,
		 uint64_t *ret_key, uint32_t *ret_row)
{
	const struct leaf *l;

	if (at->leaf > end.leaf || (at->leaf == end.leaf && at->i >= end.i))
		return false;
	l = s->leaves[at->leaf];
	*ret_key = l->keys[at->i];
	*ret_row = l->rows[at->i];
	if (++at->i == l->n)
		*at = (struct sorted_at){at->leaf + 1, 0};
	return true;
}

struct sorted_part sorted_range(const struct sorted *s, struct key_range range)
{
	struct sorted_at end = sorted_end(s);

	if (range.low > range.high)
		return (struct sorted_part){end, end};
	return (struct sorted_part){
		sorted_find(s, range.low, 0),
		range.high == UINT64_MAX ? end : sorted_find(s, range.high + 1, 0),
	};
}

static uint64_t pairs_of(const struct sorted *s, struct sorted_part part)
{
	uint64_t n = 0;

	for (uint32_t i = part.from.leaf; i < part.to.leaf; i++)
		n += s->leaves[i]->n;
	return n - part.from.i + part.to.i;
}

uint64_t sorted_count(const struct sorted *s, struct key_range range)
{
	return pairs_of(s, sorted_range(s, range));
}

/* The rows that the part has in one of its leaves. Return: how many. */
static uint32_t rows_in(const struct sorted *s, struct sorted_part part, uint32_t leaf,
			const uint32_t **ret_rows)
{
	uint32_t first = leaf == part.from.leaf ? part.from.i : 0;

	*ret_rows = s->leaves[leaf]->rows + first;
	return (leaf == part.to.leaf ? part.to.i : s->leaves[leaf]->n) - first;
}

/* Calls for the rows of each leaf. */
static void add_few(const struct sorted *s, struct sorted_part part, roaring_bitmap_t *rows)
{
	for (uint32_t leaf = part.from.leaf; leaf <= part.to.leaf && leaf < s->n; leaf++) {
		const uint32_t *in;
		uint32_t n = rows_in(s, part, leaf, &in);

		if (n)
			roaring_bitmap_add_many(rows, n, in);
	}
}

static void set_bits(const struct sorted *s, struct sorted_part part, uint64_t *words)
{
	for (uint32_t leaf = part.from.leaf; leaf <= part.to.leaf && leaf < s->n; leaf++) {
		const uint32_t *in;
		uint32_t n = rows_in(s, part, leaf, &in);

		for (uint32_t i = 0; i < n; i++)
			words[in[i] / 64] |= UINT64_C(1) << in[i] % 64;
	}
}

int sorted_into(const struct sorted *s, struct key_range range, uint64_t rows_max,
		roaring_bitmap_t *rows)
{
	uint32_t words_n = (uint32_t)((rows_max + 63) / 64);
	struct sorted_part part = sorted_range(s, range);
	roaring_bitmap_t *many;
	uint64_t *words;

	/* rows come in no order: for many of them bits are set faster than a bitmap is searched */
	if (pairs_of(s, part) < words_n / 8 + 64) {
		add_few(s, part, rows);
		return 0;
	}
	words = calloc(words_n, sizeof(*words));
	if (!words)
		return -ENOMEM;
	set_bits(s, part, words);
	many = bitmap_of_words(words, words_n);
	free(words);
	if (!many)
		return -ENOMEM;
	roaring_bitmap_or_inplace(rows, many);
	roaring_bitmap_free(many);
	return 0;
}

uint64_t sorted_bytes(const struct sorted *s)
{
	return s->n * sizeof(struct leaf) + s->room * sizeof(struct leaf *);
}

/* ---- keeping ---------------------------------------------------------------------------- */

int sorted_save(const struct sorted *s, struct index_out *out)
{
	int err = index_write(out, &s->pairs, sizeof(s->pairs));

	for (uint32_t i = 0; !err && i < s->n; i++) {
		const struct leaf *l = s->leaves[i];

		for (uint32_t at = 0; !err && at < l->n; at++) {
			err = index_write(out, &l->keys[at], sizeof(l->keys[at]));
			if (!err)
				err = index_write(out, &l->rows[at], sizeof(l->rows[at]));
		}
	}
	return err;
}

int sorted_load(struct sorted *s, struct index_in *in, uint64_t rows)
{
	uint64_t pairs, key, before = 0;
	uint32_t row, row_before = 0;
	int err = index_read(in, &pairs, sizeof(pairs));

	for (uint64_t i = 0; !err && i < pairs; i++, before = key, row_before = row) {
		err = index_read(in, &key, sizeof(key));
		if (!err)
			err = index_read(in, &row, sizeof(row));
		if (err)
			break;
		if (row >= rows || (i && (key < before || (key == before && row <= row_before))))
			return -EBADMSG;
		err = sorted_add(s, key, row);
	}
	return err;
}
