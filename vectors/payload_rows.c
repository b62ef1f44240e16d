/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in CRoaring's bitmaps: sets that are given out, postings of words.
 *
 * Interface: payload.h (sl_row_set_*()), payload_pvt.h (bitmaps, postings).
 *
 * What a bitmap is made of is read and written in Roaring's portable format, which is specified:
 * whole containers at once, and what comes from a disk is checked before the library sees it. A
 * container has the rows of one upper half: a list of lower halves if they are 4096 or fewer, runs
 * of them, or 65536 bits.
 *
 * Order of parts: the portable format; words; keeping; sets; postings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/bytes.h>

#include "payload_pvt.h"

/* ---- the portable format ---------------------------------------------------------------- */

enum {
	COOKIE = 12346, /* then the number of containers */
	COOKIE_RUNS =
		12347, /* that number, less 1, in its upper half; a bit for each that has runs */
	OFFSETS_FROM = 4, /* with so many containers there are offsets behind their heads */
	LIST_MAX = 4096,
	BITS_BYTES = 8192,
	CONTAINERS_MAX = 65536,
};

struct container {
	enum { LIST, BITS, RUNS } kind;
	uint32_t base; /* its first row */
	uint32_t n; /* rows; of RUNS: runs */
	const uint8_t *p;
};

/* @i: the next of @n; @at: its content. */
struct containers {
	const uint8_t *p, *end, *runs, *heads, *at;
	uint32_t n, i;
};

static size_t left(const struct containers *c)
{
	return (size_t)(c->end - c->at);
}

static bool open_containers(struct containers *c, const uint8_t *p, size_t n)
{
	uint32_t cookie;
	size_t heads;

	*c = (struct containers){.p = p, .at = p + 8, .end = p + n};
	if (n < 8)
		return false;
	cookie = sl_load_le32(p);
	if (cookie == COOKIE) {
		c->n = sl_load_le32(p + 4);
	} else if ((cookie & 0xffff) == COOKIE_RUNS) {
		c->n = (cookie >> 16) + 1;
		c->runs = p + 4;
		c->at = p + 4 + (c->n + 7) / 8;
	} else {
		return false;
	}
	if (c->n > CONTAINERS_MAX || c->at > c->end)
		return false;
	heads = c->n * (c->runs && c->n < OFFSETS_FROM ? 4u : 8u);
	if (left(c) < heads)
		return false;
	c->heads = c->at;
	c->at += heads;
	return true;
}

/* Return: whether there is one more, and it lies within the bytes. */
static bool next_container(struct containers *c, struct container *ret)
{
	size_t bytes;

	if (c->i == c->n)
		return false;
	*ret = (struct container){.base = (uint32_t)sl_load_le16(c->heads + 4 * c->i) << 16,
				  .n = sl_load_le16(c->heads + 4 * c->i + 2) + 1u,
				  .p = c->at};
	if (c->runs && c->runs[c->i / 8] >> c->i % 8 & 1) {
		if (left(c) < 2)
			return false;
		*ret = (struct container){RUNS, ret->base, sl_load_le16(c->at), c->at + 2};
		bytes = 2 + ret->n * 4;
	} else {
		ret->kind = ret->n > LIST_MAX ? BITS : LIST;
		bytes = ret->kind == BITS ? BITS_BYTES : ret->n * 2;
	}
	if (left(c) < bytes)
		return false;
	c->at += bytes;
	c->i++;
	return true;
}

/* ---- words ------------------------------------------------------------------------------ */

static void set_bits(uint64_t *words, uint32_t words_n, const struct container *c)
{
	uint32_t first = c->base / 64, n = words_n > first ? words_n - first : 0;

	if (c->kind == BITS) {
		memcpy(words + sl_min(first, words_n), c->p,
		       sl_min(n, BITS_BYTES / 8u) * sizeof(*words));
		return;
	}
	for (uint32_t i = 0; c->kind == LIST && i < c->n; i++) {
		uint32_t low = sl_load_le16(c->p + 2 * i);

		if (low / 64 < n)
			words[first + low / 64] |= UINT64_C(1) << low % 64;
	}
	for (uint32_t i = 0; c->kind == RUNS && i < c->n; i++) {
		uint32_t low = sl_load_le16(c->p + 4 * i);
		uint32_t last = low + sl_load_le16(c->p + 4 * i + 2);

		for (; low <= last && low / 64 < n; low++)
			words[first + low / 64] |= UINT64_C(1) << low % 64;
	}
}

static uint8_t *portable(const roaring_bitmap_t *map, size_t *ret_n)
{
	uint8_t *p;

	*ret_n = roaring_bitmap_portable_size_in_bytes(map);
	p = malloc(*ret_n);
	if (p)
		roaring_bitmap_portable_serialize(map, (char *)p);
	return p;
}

int sl_row_set_words(const struct sl_row_set *s, uint64_t *ret_words, uint32_t rows)
{
	uint32_t words_n = rows / 64 + (rows % 64 != 0);
	struct containers all;
	struct container c;
	size_t n;
	uint8_t *p = portable(s->map, &n);

	if (!p)
		return -ENOMEM;
	memset(ret_words, 0, words_n * sizeof(*ret_words));
	SL_ASSERT(open_containers(&all, p, n));
	while (next_container(&all, &c))
		set_bits(ret_words, words_n, &c);
	SL_ASSERT(all.i == all.n);
	if (rows % 64)
		ret_words[words_n - 1] &= (UINT64_C(1) << rows % 64) - 1;
	free(p);
	return 0;
}

static uint32_t count_bits(const uint64_t *words, uint32_t n)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < n; i++)
		bits += (uint32_t)__builtin_popcountll(words[i]);
	return bits;
}

/* Writes the container of @words, which has @rows rows. Return: its bytes. */
static size_t put_container(uint8_t *out, const uint64_t *words, uint32_t n, uint32_t rows)
{
	uint8_t *at = out;

	if (rows > LIST_MAX) {
		memcpy(out, words, n * sizeof(*words));
		memset(out + n * sizeof(*words), 0, BITS_BYTES - n * sizeof(*words));
		return BITS_BYTES;
	}
	for (uint32_t i = 0; i < n; i++)
		for (uint64_t word = words[i]; word; word &= word - 1, at += 2)
			sl_store_le16(at, (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(word)));
	return (size_t)(at - out);
}

roaring_bitmap_t *bitmap_of_words(const uint64_t *words, uint32_t n)
{
	enum { WORDS = BITS_BYTES / 8 };
	uint32_t blocks = (n + WORDS - 1) / WORDS, containers = 0;
	uint8_t *p = malloc(8 + blocks * (8 + (size_t)BITS_BYTES)), *heads = p + 8, *at;
	roaring_bitmap_t *map;

	if (!p)
		return NULL;
	for (uint32_t i = 0; i < blocks; i++)
		containers += count_bits(words + i * WORDS, sl_min(n - i * WORDS, WORDS + 0u)) > 0;
	sl_store_le32(p, COOKIE);
	sl_store_le32(p + 4, containers);
	at = heads + containers * 8;
	for (uint32_t i = 0, to = 0; i < blocks; i++) {
		uint32_t have = sl_min(n - i * WORDS, WORDS + 0u);
		uint32_t rows = count_bits(words + i * WORDS, have);

		if (!rows)
			continue;
		sl_store_le16(heads + 4 * to, (uint16_t)i);
		sl_store_le16(heads + 4 * to + 2, (uint16_t)(rows - 1));
		sl_store_le32(heads + 4 * (containers + to), (uint32_t)(at - p));
		at += put_container(at, words + i * WORDS, have, rows);
		to++;
	}
	map = roaring_bitmap_portable_deserialize_safe((const char *)p, (size_t)(at - p));
	free(p);
	return map;
}

/* ---- keeping ---------------------------------------------------------------------------- */

static bool list_rises(const struct container *c)
{
	for (uint32_t i = 1; i < c->n; i++)
		if (sl_load_le16(c->p + 2 * i) <= sl_load_le16(c->p + 2 * i - 2))
			return false;
	return true;
}

/* Runs do not touch, and stay within the container. */
static bool runs_rise(const struct container *c)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t low = sl_load_le16(c->p + 4 * i);
		uint32_t last = low + sl_load_le16(c->p + 4 * i + 2);

		if (low < from || last > UINT16_MAX)
			return false;
		from = last + 2;
	}
	return c->n > 0;
}

static bool has_bits(const struct container *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BITS_BYTES; i += 8)
		n += (uint32_t)__builtin_popcountll(sl_load_le64(c->p + i));
	return n == c->n;
}

/* How many rows the runs have must be what the head says. */
static bool runs_are_told(const struct containers *all, const struct container *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
		n += sl_load_le16(c->p + 4 * i + 2) + 1u;
	return n == sl_load_le16(all->heads + 4 * (all->i - 1) + 2) + 1u;
}

static bool is_right(const struct containers *all, const struct container *c)
{
	switch (c->kind) {
	case LIST:
		return list_rises(c);
	case BITS:
		return has_bits(c);
	default:
		return runs_rise(c) && runs_are_told(all, c);
	}
}

/* The offset that its head tells is where it lies. */
static bool offset_is_right(const struct containers *all, const struct container *c)
{
	const uint8_t *offset = all->heads + 4 * all->n + 4 * (all->i - 1);
	size_t at = (size_t)(c->p - all->p) - (c->kind == RUNS ? 2 : 0);

	if (all->runs && all->n < OFFSETS_FROM)
		return true;
	return sl_load_le32(offset) == at;
}

static bool verify(const uint8_t *p, size_t n)
{
	struct containers all;
	struct container c;
	int64_t before = -1;

	if (!open_containers(&all, p, n))
		return false;
	while (next_container(&all, &c)) {
		if (c.base <= before || !is_right(&all, &c) || !offset_is_right(&all, &c))
			return false;
		before = c.base;
	}
	return all.i == all.n && all.at == all.end;
}

int bitmap_save(const roaring_bitmap_t *map, struct index_out *out)
{
	size_t n;
	uint8_t *p = portable(map, &n);
	uint64_t bytes = n;
	int err;

	if (!p)
		return -ENOMEM;
	err = index_write(out, &bytes, sizeof(bytes));
	if (!err)
		err = index_write(out, p, n);
	free(p);
	return err;
}

int payload_read(struct index_in *in, uint64_t bytes, uint8_t **ret_p)
{
	enum { STEP = 65536 };
	uint8_t *p = malloc(1), *more;
	int err = p ? 0 : -ENOMEM;

	for (uint64_t at = 0; !err && at < bytes; at += STEP) {
		size_t step = (size_t)sl_min(bytes - at, (uint64_t)STEP);

		more = realloc(p, at + step);
		if (!more) {
			err = -ENOMEM;
			break;
		}
		p = more;
		err = index_read(in, p + at, step);
	}
	if (err) {
		free(p);
		return err;
	}
	*ret_p = p;
	return 0;
}

int bitmap_load(struct index_in *in, uint64_t rows, roaring_bitmap_t **ret_map)
{
	roaring_bitmap_t *map = NULL;
	uint64_t bytes;
	uint8_t *p = NULL;
	int err = index_read(in, &bytes, sizeof(bytes));

	if (!err)
		err = bytes < 8 ? -EBADMSG : payload_read(in, bytes, &p);
	if (err)
		return err;
	if (!verify(p, bytes))
		err = -EBADMSG;
	else if (!(map = roaring_bitmap_portable_deserialize_safe((const char *)p, bytes)))
		err = -ENOMEM;
	free(p);
	if (!err && !roaring_bitmap_is_empty(map) && roaring_bitmap_maximum(map) >= rows)
		err = -EBADMSG;
	if (err) {
		if (map)
			roaring_bitmap_free(map);
		return err;
	}
	if (*ret_map)
		roaring_bitmap_free(*ret_map);
	*ret_map = map;
	return 0;
}

/* ---- sets ------------------------------------------------------------------------------- */

void sl_row_set_free(struct sl_row_set *s)
{
	if (s && s->map)
		roaring_bitmap_free(s->map);
	free(s);
}

uint32_t sl_row_set_count(const struct sl_row_set *s)
{
	return (uint32_t)roaring_bitmap_get_cardinality(s->map);
}

bool sl_row_set_has(const struct sl_row_set *s, uint32_t row)
{
	return roaring_bitmap_contains(s->map, row);
}

void sl_row_set_remove(struct sl_row_set *s, uint32_t row)
{
	roaring_bitmap_remove(s->map, row);
}

uint32_t sl_row_set_next(const struct sl_row_set *s, uint32_t from, uint32_t *ret_rows, uint32_t n)
{
	roaring_uint32_iterator_t it;

	roaring_init_iterator(s->map, &it);
	if (!roaring_move_uint32_iterator_equalorlarger(&it, from))
		return 0;
	return roaring_read_uint32_iterator(&it, ret_rows, n);
}

/* ---- postings --------------------------------------------------------------------------- */

void posting_done(struct posting *p)
{
	if (p->map)
		roaring_bitmap_free(p->map);
	*p = (struct posting){0};
}

static bool has_inline(const struct posting *p, uint32_t row, uint32_t *ret_at)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->rows[i] == row) {
			*ret_at = i;
			return true;
		}
	return false;
}

int posting_add(struct posting *p, uint32_t row)
{
	uint32_t at;

	if (p->map) {
		roaring_bitmap_add(p->map, row);
		return 0;
	}
	if (has_inline(p, row, &at))
		return 0;
	if (p->n < POSTING_INLINE) {
		p->rows[p->n++] = row;
		return 0;
	}
	p->map = roaring_bitmap_of_ptr(p->n, p->rows);
	if (!p->map)
		return -ENOMEM;
	roaring_bitmap_add(p->map, row);
	return 0;
}

void posting_remove(struct posting *p, uint32_t row)
{
	uint32_t at;

	if (!p->map) {
		if (has_inline(p, row, &at))
			p->rows[at] = p->rows[--p->n];
		return;
	}
	roaring_bitmap_remove(p->map, row);
	p->n = (uint32_t)roaring_bitmap_get_cardinality(p->map);
	if (p->n > POSTING_INLINE)
		return;
	roaring_bitmap_to_uint32_array(p->map, p->rows);
	roaring_bitmap_free(p->map);
	p->map = NULL;
}

uint32_t posting_count(const struct posting *p)
{
	return p->map ? (uint32_t)roaring_bitmap_get_cardinality(p->map) : p->n;
}

uint32_t posting_count_of(const struct posting *p, const roaring_bitmap_t *rows)
{
	uint32_t n = 0;

	if (p->map)
		return (uint32_t)roaring_bitmap_and_cardinality(p->map, rows);
	for (uint32_t i = 0; i < p->n; i++)
		n += roaring_bitmap_contains(rows, p->rows[i]);
	return n;
}

void posting_into(const struct posting *p, roaring_bitmap_t *rows)
{
	if (p->map)
		roaring_bitmap_or_inplace(rows, p->map);
	else
		roaring_bitmap_add_many(rows, p->n, p->rows);
}

uint64_t posting_bytes(const struct posting *p)
{
	return p->map ? sizeof(*p->map) + roaring_bitmap_portable_size_in_bytes(p->map) : 0;
}
