/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What payload indexes are made of, for the files payload*.c.
 *
 * An index takes the items at its path (filter.h) as keys. Texts, UUIDs and booleans are words of a
 * dictionary, each with the rows that have it; numbers, dates and places are sorted, each with its
 * row. Beside its keys an index knows of each row whether something is there, null or empty, and
 * how many: that answers for whatever type is there.
 *
 * Order of parts: bitmaps; postings; dictionaries; sorted keys; cells; indexes; keys of bounds.
 */
#ifndef VECTORS_PAYLOAD_PVT_H
#define VECTORS_PAYLOAD_PVT_H

#include <roaring/roaring.h>

#include "filter_pvt.h"
#include "index_pvt.h"
#include "payload.h"

/* ---- bitmaps ---------------------------------------------------------------------------- */

struct sl_row_set {
	roaring_bitmap_t *map;
};

/* A bitmap of the bits in @words; NULL: out of memory. */
roaring_bitmap_t *bitmap_of_words(const uint64_t *words, uint32_t n);

/* So many bytes, to be freed; in steps, so that a length that lies does not take them at once. */
int payload_read(struct index_in *in, uint64_t bytes, uint8_t **ret_p);

int bitmap_save(const roaring_bitmap_t *map, struct index_out *out);

/* @ret_map: was one that is freed, if not NULL. -EBADMSG: a row is at @rows or above. */
int bitmap_load(struct index_in *in, uint64_t rows, roaring_bitmap_t **ret_map);

/* ---- postings --------------------------------------------------------------------------- */

#define POSTING_INLINE 2

/* Rows, each once; a few of them need no bitmap. @map: NULL: they are the @n first of @rows. */
struct posting {
	roaring_bitmap_t *map;
	uint32_t n;
	uint32_t rows[POSTING_INLINE];
};

void posting_done(struct posting *p);
int posting_add(struct posting *p, uint32_t row);
void posting_remove(struct posting *p, uint32_t row);
uint32_t posting_count(const struct posting *p);
uint32_t posting_count_of(const struct posting *p, const roaring_bitmap_t *rows);
void posting_into(const struct posting *p, roaring_bitmap_t *rows); /* adds them */
uint64_t posting_bytes(const struct posting *p); /* without the struct */

/* ---- dictionaries ----------------------------------------------------------------------- */

struct word {
	struct posting rows;
	uint32_t hash, n;
	char key[]; /* @n bytes */
};

/* Open addressing; @room is a power of two, or 0. NULL slots are free. */
struct dict {
	struct word **slots;
	uint32_t n, room;
};

void dict_done(struct dict *d);
struct word *dict_find(const struct dict *d, const void *key, uint32_t n);
int dict_add(struct dict *d, const void *key, uint32_t n, uint32_t row);
void dict_remove(struct dict *d, const void *key, uint32_t n, uint32_t row);
uint64_t dict_bytes(const struct dict *d);
int dict_save(const struct dict *d, struct index_out *out);
int dict_load(struct dict *d, struct index_in *in, uint64_t rows);

/* ---- sorted keys ------------------------------------------------------------------------ */

#define LEAF_KEYS 256

struct leaf {
	uint32_t n;
	uint32_t rows[LEAF_KEYS];
	uint64_t keys[LEAF_KEYS];
};

/* Pairs of key and row, each once, rising; no leaf is empty. */
struct sorted {
	struct leaf **leaves;
	uint32_t n, room;
	uint64_t pairs;
};

/* A place between two pairs; at the end @leaf is the number of leaves. */
struct sorted_at {
	uint32_t leaf, i;
};

void sorted_done(struct sorted *s);
int sorted_add(struct sorted *s, uint64_t key, uint32_t row);
void sorted_remove(struct sorted *s, uint64_t key, uint32_t row);

/* Before the first pair that is not below it. */
struct sorted_at sorted_find(const struct sorted *s, uint64_t key, uint32_t row);

/* The pair behind the place, which is moved on; false at @end. */
bool sorted_next(const struct sorted *s, struct sorted_at *at, struct sorted_at end,
		 uint64_t *ret_key, uint32_t *ret_row);
struct sorted_at sorted_end(const struct sorted *s);

/* Keys from @low to @high, both meant; none if @low is above. */
struct key_range {
	uint64_t low, high;
};

/* The pairs of these keys: from @from up to @to. */
struct sorted_part {
	struct sorted_at from, to;
};

struct sorted_part sorted_range(const struct sorted *s, struct key_range range);
uint64_t sorted_count(const struct sorted *s, struct key_range range); /* pairs */

/* Adds their rows, all below @rows_max. 0; -ENOMEM. */
int sorted_into(const struct sorted *s, struct key_range range, uint64_t rows_max,
		roaring_bitmap_t *rows);

uint64_t sorted_bytes(const struct sorted *s);
int sorted_save(const struct sorted *s, struct index_out *out);
int sorted_load(struct sorted *s, struct index_in *in, uint64_t rows);

/* ---- cells ------------------------------------------------------------------------------ */

/* A place's bits of latitude and longitude in turns; it is known to within CELL_SLACK degrees. */
#define CELL_SLACK 1e-7
#define CELL_RANGES_MAX 128

uint64_t cell_of(struct sl_place place);
struct sl_place cell_place(uint64_t cell);

/* Ranges that hold all cells of places within @b. Return: how many, of at most CELL_RANGES_MAX. */
uint32_t cell_ranges(struct bounds b, struct key_range *ret_ranges);

/* ---- indexes ---------------------------------------------------------------------------- */

/**
 * struct payload_index - one path, one type.
 * @rows: those that are in it. Of these:
 * @present: with an item that is not null; @many: with more than one such.
 * @null, @empty: what SL_FILTER_IS_NULL, _IS_EMPTY mean. @others: with a number that is no key.
 * @one: with a value that counts 1; @counts: keys are the other counts.
 * Keys are in @dict or @sorted, as the type has it.
 */
struct payload_index {
	struct sl_payload_conf conf;
	char *path;
	bool ready;
	roaring_bitmap_t *rows, *present, *many, *null, *empty, *others, *one;
	struct sorted counts;
	struct dict dict;
	struct sorted sorted;
};

/**
 * struct sl_payload - @rows: all. @vectors: which of them have a vector of that name.
 * @text: room for a token.
 */
struct sl_payload {
	sl_row_of_fn row_of;
	void *row_of_arg;
	roaring_bitmap_t *rows;
	struct dict vectors;
	struct payload_index **indexes;
	uint32_t index_n;
	char *text;
	size_t text_room;
};

/* All its bitmaps, for whoever does the same to each; behind the last NULL. */
roaring_bitmap_t **payload_bitmap(struct payload_index *x, uint32_t i);

int payload_index_new(const struct sl_payload_conf *conf, struct payload_index **ret_index);
void payload_index_free(struct payload_index *x); /* accepts NULL */

/* Paths of nested conditions, the innermost first. */
struct payload_nest {
	const struct payload_nest *up;
	const char *path;
};

/* Of any type, in payload_find(). */
#define PAYLOAD_ANY SL_PAYLOAD_LAST

/* The index of @path, within @in (NULL: of none), that is ready; NULL: there is none. */
struct payload_index *payload_find(const struct sl_payload *p, const struct payload_nest *in,
				   const char *path, enum sl_payload_type type);

/* That which has operands of a type as its keys. */
struct payload_index *payload_find_for(const struct sl_payload *p, const struct payload_nest *in,
				       const char *path, enum sl_value_type type);

/* That which has what the bounds of @f are of as its keys; without bounds: numbers. */
struct payload_index *payload_find_range(const struct sl_payload *p, const struct payload_nest *in,
					 const struct sl_filter *f);

/* The word that @o is in an index whose keys it is of, which are words; NULL: no row has it. */
const struct word *payload_word(const struct payload_index *x, const struct sl_operand *o);

/* Whether its tokens are those that a condition of @text looks for. */
bool payload_has_tokens(const struct payload_index *x, const struct sl_filter *f);

/* One more, at the end; it is the payload's from then on. */
int payload_append(struct sl_payload *p, struct payload_index *x);

/* 0; -EINVAL: it can be none; -EEXIST: there is one of its path and type. */
int payload_can_add(const struct sl_payload *p, const struct sl_payload_conf *conf);

int payload_reserve_text(struct sl_payload *p, size_t n);

/* All rows are below. */
uint64_t payload_rows_max(const struct sl_payload *p);

/* Whether keys of a type are sorted. */
static inline bool payload_is_sorted(enum sl_payload_type type)
{
	return type == SL_PAYLOAD_INTEGER || type == SL_PAYLOAD_NUMBER || type == SL_PAYLOAD_DATE ||
	       type == SL_PAYLOAD_GEO;
}

/* ---- keys of bounds --------------------------------------------------------------------- */

static inline uint64_t key_of_integer(int64_t v)
{
	return (uint64_t)v ^ UINT64_C(1) << 63;
}

static inline int64_t integer_of_key(uint64_t key)
{
	return (int64_t)(key ^ UINT64_C(1) << 63);
}

uint64_t key_of_number(double v);
double number_of_key(uint64_t key);

/* What an index has of a range. @exact: else the keys at its two ends may not be meant. */
struct key_bounds {
	struct key_range range;
	bool exact;
};

/* Whether the bounds are of what an index of that type sorts. */
bool key_bounds_of(enum sl_payload_type type, const struct sl_operand *low, bool low_open,
		   const struct sl_operand *high, bool high_open, struct key_bounds *ret_bounds);

/* The same of a condition of @range; false as well if the index sorts nothing. */
bool key_bounds_of_range(enum sl_payload_type type, const struct sl_filter *f,
			 struct key_bounds *ret_bounds);

/* The same without the keys that may not be meant. */
struct key_range key_bounds_sure(struct key_bounds b);

#endif
