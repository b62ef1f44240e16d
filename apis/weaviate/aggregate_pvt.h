/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregate's inside: aggregate.c plans, aggregate_groups.c counts, aggregate_figures.c tells.
 *
 * Order of parts: what is asked; values; groups; figures.
 */
#ifndef APIS_WEAVIATE_AGGREGATE_PVT_H
#define APIS_WEAVIATE_AGGREGATE_PVT_H

#include <string.h>

#include "weaviate_pvt.h"

/* ---- what is asked ---------------------------------------------------------------------- */

/* What is to be told of one property, or of "meta" and "groupedBy" (@p NULL). @keeps: some figure
 * is made of all values. */
struct agg_column {
	const struct gql_selection *selection;
	const struct wv_property *p;
	const struct gql_selection *const *figures;
	uint32_t figures_n;
	bool keeps;
};

/**
 * struct wv_aggregation - what is selected of a class. @by: the property that makes groups, or
 * NULL.
 * @values: some column needs the objects.
 */
struct wv_aggregation {
	struct agg_column *columns;
	uint32_t columns_n;
	const struct wv_property *by;
	bool values;
};

/* ---- values ----------------------------------------------------------------------------- */

/* A number, a date in microseconds, true or false as 1 or 0; or a text. */
struct agg_value {
	double number;
	struct http_str text;
};

/* The most values of one column within one group that are kept: as many as lie in one piece. */
enum { VALUES_MAX = 1 << 19 };

/**
 * struct agg_measured - the values of one column within one group; in the call's memory.
 * @v: those that are kept, @n of them. @count: of all; @sum, @least, @most: of their numbers.
 */
struct agg_measured {
	struct agg_value *v;
	uint32_t n, room;
	uint64_t count;
	double sum, least, most;
};

static inline bool agg_is_text(const struct wv_property *p)
{
	return p->type == DATA_TEXT || p->type == DATA_UUID || p->type == DATA_BLOB;
}

static inline int agg_compare_texts(const void *a, const void *b)
{
	const struct agg_value *x = a, *y = b;
	int order = memcmp(x->text.p, y->text.p, sl_min(x->text.n, y->text.n));

	return order ? order : (x->text.n > y->text.n) - (x->text.n < y->text.n);
}

static inline int agg_compare_numbers(const void *a, const void *b)
{
	const struct agg_value *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* ---- groups ----------------------------------------------------------------------------- */

/* Objects with the same value; @measured: for each column. */
struct agg_group {
	struct agg_value by;
	uint64_t n;
	struct agg_measured *measured;
};

/* More values than this are no groups anybody looks at. */
enum { GROUPS_MAX = 10000, GROUP_SLOTS = 32768 };

/* @slots: group + 1 by the hash of its value, of GROUP_SLOTS; 0: none. NULL: there is one group. */
struct agg_groups {
	struct wv_call *c;
	const struct wv_aggregation *a;
	struct agg_group *v;
	uint32_t n, room;
	uint16_t *slots;
};

/* The only one, where there are no groups. */
int agg_group_all(struct agg_groups *g, struct agg_group **ret_group);

/* Adds what stays of @o to its group; an object is in the group of each of its values, and in none
 * if it has none. @groups: struct agg_groups. Return: 0; -E2BIG: there are too many groups; -EFBIG:
 * too many values; -ENOMEM. */
int agg_count(void *groups, const struct sl_object *o);

/* ---- figures ---------------------------------------------------------------------------- */

/* Return: whether the property has that figure; *ret_keeps is set if it takes all values. */
bool agg_has_figure(const struct wv_property *p, const struct gql_selection *s, bool *ret_keeps);

/* The answer: @limit groups at the most, the largest first. Return: 0; -ENOMEM. */
int agg_put(struct agg_groups *g, uint32_t limit);

#endif
