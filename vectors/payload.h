/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload indexes: which rows of a collection a filter means, without a look at their objects.
 *
 * A collection numbers its objects by rows (index.h) and tells here which object is in which. Each
 * index is of one path and one type (sluice/filter.h); a condition that none of them can answer is
 * left to sl_filter_matches(). Conditions on keys and vectors need no index, just the rows. Like a
 * vector index it belongs to one core, neither parks nor reads.
 *
 * Order of parts: making; changing; sets of rows; asking; values; keeping.
 */
#ifndef VECTORS_PAYLOAD_H
#define VECTORS_PAYLOAD_H

#include <sluice/filter.h>

#include "index.h"

/* ---- making ----------------------------------------------------------------------------- */

/* Gives the row of the object with that key, or SL_ROW_NONE. */
typedef uint32_t (*sl_row_of_fn)(void *arg, enum sl_key_kind kind, const uint8_t *key);

struct sl_payload;

const char *sl_payload_type_name(enum sl_payload_type type);

/* @row_of(@arg): what SL_FILTER_HAS_KEY asks; NULL: such conditions are not answered. 0; -ENOMEM */
int sl_payload_new(sl_row_of_fn row_of, void *arg, struct sl_payload **ret_payload);

/* Accepts NULL. */
void sl_payload_free(struct sl_payload *p);

/* ---- changing --------------------------------------------------------------------------- */

/**
 * sl_payload_index_add() - one more index, which knows no row: it answers nothing until
 * sl_payload_index_ready().
 * Return: 0; -EINVAL: no path; -EEXIST: of that path and type there is one; -ENOMEM.
 */
int sl_payload_index_add(struct sl_payload *p, const struct sl_payload_conf *conf);

/* Puts a row that was added before the index was into it; again is no matter. 0; -ENOMEM. */
int sl_payload_index_row(struct sl_payload *p, const char *path, enum sl_payload_type type,
			 uint32_t row, const struct sl_object *o);

/* All rows are in that index. */
void sl_payload_index_ready(struct sl_payload *p, const char *path, enum sl_payload_type type);

/* Return: 0; -ENOENT. */
int sl_payload_index_remove(struct sl_payload *p, const char *path, enum sl_payload_type type);

/* Those there are; NULL behind the last. @ret_ready may be NULL. */
const struct sl_payload_conf *sl_payload_index_at(const struct sl_payload *p, uint32_t i,
						  bool *ret_ready);

/* Puts @o, which is in @row, into all indexes. Return: 0; -EEXIST; -ENOMEM: nothing was changed. */
int sl_payload_add(struct sl_payload *p, uint32_t row, const struct sl_object *o);

/* Takes @row out; @o is what was put. Return: 0; -ENOENT. */
int sl_payload_remove(struct sl_payload *p, uint32_t row, const struct sl_object *o);

/* Memory that is taken. */
uint64_t sl_payload_bytes(const struct sl_payload *p);

/* ---- sets of rows ----------------------------------------------------------------------- */

/* Rows, each once. They stay as they are when the indexes change. */
struct sl_row_set;

void sl_row_set_free(struct sl_row_set *s); /* accepts NULL */
uint32_t sl_row_set_count(const struct sl_row_set *s);
bool sl_row_set_has(const struct sl_row_set *s, uint32_t row);

/* Takes a row out that looked as if it were meant. */
void sl_row_set_remove(struct sl_row_set *s, uint32_t row);

/* The next rows from @from on, rising, at most @n. Return: how many. */
uint32_t sl_row_set_next(const struct sl_row_set *s, uint32_t from, uint32_t *ret_rows, uint32_t n);

/* As struct sl_query wants them: a bit for each row below @rows, in (@rows + 63) / 64 words.
 * Return: 0; -ENOMEM. */
int sl_row_set_words(const struct sl_row_set *s, uint64_t *ret_words, uint32_t rows);

/* ---- asking ----------------------------------------------------------------------------- */

/* How many rows it will be: at least, probably, at most. */
struct sl_estimate {
	uint32_t min, expected, max;
};

/* Quickly, without finding them. */
struct sl_estimate sl_payload_estimate(const struct sl_payload *p, const struct sl_filter *f);

/**
 * sl_payload_rows() - the rows that @f means.
 * @ret_exact: it is these; false: these hold all of them, and sl_filter_matches() says which.
 * @f passed sl_filter_check(). Return: 0; -ENOMEM.
 */
int sl_payload_rows(const struct sl_payload *p, const struct sl_filter *f,
		    struct sl_row_set **ret_set, bool *ret_exact);

/* ---- values ----------------------------------------------------------------------------- */

/* Whether an index can do that for @path, and is ready. */
bool sl_payload_can_facet(const struct sl_payload *p, const char *path);
bool sl_payload_can_order(const struct sl_payload *p, const char *path);

/**
 * sl_payload_facet() - each value at @path and how many rows of @set (NULL: all) have it.
 * @each: until it returns other than 0. Values that no row has are left out; the order is any.
 * Indexes of keywords, integers, booleans and UUIDs.
 * Return: 0, what @each returned; -ENOENT: no such index.
 */
int sl_payload_facet(const struct sl_payload *p, const char *path, const struct sl_row_set *set,
		     int (*each)(void *arg, const struct sl_operand *value, uint32_t rows),
		     void *arg);

/**
 * sl_payload_order() - rows by what is at @path; a row with several values comes once for each.
 * @from: the first value that is wanted; NULL: all. @each: until it returns other than 0.
 * Rows of equal values rise, also if values fall. Indexes of integers, numbers and dates.
 * Return: as above; -EINVAL: @from is of another type.
 */
int sl_payload_order(const struct sl_payload *p, const char *path, bool falling,
		     const struct sl_operand *from,
		     int (*each)(void *arg, const struct sl_operand *value, uint32_t row),
		     void *arg);

/* ---- keeping ---------------------------------------------------------------------------- */

/* All indexes with their rows, as sl_index_save() saves. */
int sl_payload_save(const struct sl_payload *p, sl_write_fn write, void *arg);

/**
 * sl_payload_load() - what was saved. Any bytes may come. An index that was not ready is left out.
 * Return: 0; -EBADMSG: it does not verify; -ENOMEM; or what @read returned.
 */
int sl_payload_load(sl_read_fn read, void *arg, sl_row_of_fn row_of, void *row_of_arg,
		    struct sl_payload **ret_payload);

#endif
