// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregate's figures: what is told of each group.
 *
 * Interface: agg_has_figure(), agg_put() of aggregate_pvt.h. Invariant: others have a turn every
 * SORTED_AT_ONCE values that are sorted.
 *
 * Order of parts: sorting; figures; the most frequent; answers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregate_pvt.h"

/* ---- sorting ---------------------------------------------------------------------------- */

enum { SORTED_AT_ONCE = 4096 };

struct sorting {
	size_t bytes; /* of an item */
	int (*compare)(const void *a, const void *b);
	int64_t deadline;
};

/* Of two sorted runs from @from on, of @left and @right items, one at @to. */
static void merge(const struct sorting *s, const char *from, uint32_t left, uint32_t right,
		  char *to)
{
	const char *a = from, *a_end = a + left * s->bytes;
	const char *b = a_end, *b_end = b + right * s->bytes;

	for (uint32_t i = 0; i < left + right; i++, to += s->bytes) {
		bool first = b == b_end || (a < a_end && s->compare(a, b) <= 0);

		memcpy(to, first ? a : b, s->bytes);
		a += first ? s->bytes : 0;
		b += first ? 0 : s->bytes;
		if (i % SORTED_AT_ONCE == SORTED_AT_ONCE - 1)
			sl_fiber_yield(s->deadline);
	}
}

/* As qsort(), but others have their turns. Return: 0 or -ENOMEM. */
static int sort(struct wv_call *c, void *items, uint32_t n, size_t bytes,
		int (*compare)(const void *a, const void *b))
{
	const struct sorting s = {bytes, compare, c->deadline};
	char *from = items, *to = http_arena_alloc(&c->arena, n * bytes + 1, 64);

	if (!to)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i += SORTED_AT_ONCE) {
		qsort(from + i * bytes, sl_min(n - i, (uint32_t)SORTED_AT_ONCE), bytes, compare);
		sl_fiber_yield(c->deadline);
	}
	for (uint32_t run = SORTED_AT_ONCE; run < n; run *= 2) {
		char *was = from;

		for (uint32_t i = 0; i < n; i += 2 * run) {
			uint32_t left = sl_min(run, n - i), right = sl_min(run, n - i - left);

			merge(&s, from + i * bytes, left, right, to + i * bytes);
		}
		from = to;
		to = was;
	}
	if (from != items)
		memcpy(items, from, n * bytes);
	return 0;
}

/* ---- figures ---------------------------------------------------------------------------- */

static void put_value(struct http_json *j, const struct wv_property *p, const struct agg_value *v)
{
	char text[SL_DATE_TEXT_BYTES];

	if (agg_is_text(p))
		http_json_text(j, v->text.p, v->text.n);
	else if (p->type == DATA_DATE)
		http_json_text(j, text, sl_date_print((int64_t)v->number, text));
	else if (p->type == DATA_BOOLEAN)
		http_json_bool(j, v->number > 0);
	else
		http_json_double(j, v->number);
}

/* Where the run of equal values ends that begins at @i. */
static uint32_t run_end(const struct wv_property *p, const struct agg_measured *m, uint32_t i)
{
	uint32_t end = i + 1;

	while (end < m->n && !(agg_is_text(p) ? agg_compare_texts(&m->v[i], &m->v[end])
					      : agg_compare_numbers(&m->v[i], &m->v[end])))
		end++;
	return end;
}

static void put_minimum(struct http_json *j, const struct agg_column *col,
			const struct agg_measured *m)
{
	put_value(j, col->p, &(struct agg_value){.number = m->least});
}

static void put_maximum(struct http_json *j, const struct agg_column *col,
			const struct agg_measured *m)
{
	put_value(j, col->p, &(struct agg_value){.number = m->most});
}

static void put_sum(struct http_json *j, const struct agg_column *col, const struct agg_measured *m)
{
	http_json_double(j, m->sum);
}

static void put_mean(struct http_json *j, const struct agg_column *col,
		     const struct agg_measured *m)
{
	http_json_double(j, m->sum / (double)m->count);
}

static void put_median(struct http_json *j, const struct agg_column *col,
		       const struct agg_measured *m)
{
	const struct agg_value *low = &m->v[(m->n - 1) / 2], *high = &m->v[m->n / 2];

	put_value(j, col->p, &(struct agg_value){.number = (low->number + high->number) / 2});
}

static void put_mode(struct http_json *j, const struct agg_column *col,
		     const struct agg_measured *m)
{
	uint32_t best = 0, longest = 0, end;

	for (uint32_t i = 0; i < m->n; i = end) {
		end = run_end(col->p, m, i);
		if (end - i <= longest)
			continue;
		longest = end - i;
		best = i;
	}
	put_value(j, col->p, &m->v[best]);
}

static void put_total_true(struct http_json *j, const struct agg_column *col,
			   const struct agg_measured *m)
{
	http_json_double(j, m->sum);
}

static void put_total_false(struct http_json *j, const struct agg_column *col,
			    const struct agg_measured *m)
{
	http_json_double(j, (double)m->count - m->sum);
}

static void put_part_true(struct http_json *j, const struct agg_column *col,
			  const struct agg_measured *m)
{
	http_json_double(j, m->sum / (double)m->count);
}

static void put_part_false(struct http_json *j, const struct agg_column *col,
			   const struct agg_measured *m)
{
	http_json_double(j, 1 - m->sum / (double)m->count);
}

enum { NUMBERS = 1 << DATA_INT | 1 << DATA_NUMBER, DATES = 1 << DATA_DATE };

/* @types: of properties that have the figure. Of no values they are null. @keeps: it is made of all
 * values, sorted. */
static const struct {
	const char *name;
	uint32_t types;
	void (*put)(struct http_json *j, const struct agg_column *col,
		    const struct agg_measured *m);
	bool keeps;
} figures[] = {
	{"minimum", NUMBERS | DATES, put_minimum, false},
	{"maximum", NUMBERS | DATES, put_maximum, false},
	{"mean", NUMBERS, put_mean, false},
	{"median", NUMBERS | DATES, put_median, true},
	{"mode", NUMBERS | DATES, put_mode, true},
	{"sum", NUMBERS, put_sum, false},
	{"totalTrue", 1 << DATA_BOOLEAN, put_total_true, false},
	{"totalFalse", 1 << DATA_BOOLEAN, put_total_false, false},
	{"percentageTrue", 1 << DATA_BOOLEAN, put_part_true, false},
	{"percentageFalse", 1 << DATA_BOOLEAN, put_part_false, false},
};

bool agg_has_figure(const struct wv_property *p, const struct gql_selection *s, bool *ret_keeps)
{
	bool top = gql_name_is(s, "topOccurrences");

	if (gql_name_is(s, "count") || gql_name_is(s, "type"))
		return true;
	*ret_keeps |= top;
	if (top)
		return agg_is_text(p);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		if (!gql_name_is(s, figures[i].name))
			continue;
		*ret_keeps |= figures[i].keeps;
		return figures[i].types & 1u << p->type;
	}
	return false;
}

/* ---- the most frequent ------------------------------------------------------------------ */

struct run {
	uint32_t at, n;
};

static int by_length(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->n != y->n ? (y->n > x->n) - (y->n < x->n) : (x->at > y->at) - (x->at < y->at);
}

static void put_run(struct http_json *j, const struct agg_column *col, const struct agg_measured *m,
		    const struct run *run, const struct gql_selection *s)
{
	http_json_open(j, '{');
	for (; s; s = s->next) {
		if (s->fragment)
			continue;
		http_json_key_n(j, s->alias.p, s->alias.n);
		if (gql_name_is(s, "occurs"))
			http_json_uint(j, run->n);
		else if (gql_name_is(s, "value"))
			put_value(j, col->p, &m->v[run->at]);
		else
			http_json_null(j);
	}
	http_json_close(j, '}');
}

enum { TOP_DEFAULT = 5 };

static int put_top(struct agg_groups *g, const struct agg_column *col, const struct agg_measured *m,
		   const struct gql_selection *s)
{
	const struct gql_value *limit = gql_get(&s->args, "limit");
	struct http_json *j = &g->c->json;
	struct run *runs = http_arena_array(&g->c->arena, struct run, m->n);
	uint32_t n = 0, max = TOP_DEFAULT;

	if (!runs)
		return -ENOMEM;
	if (limit && limit->kind == GQL_INTEGER && limit->integer >= 0)
		max = (uint32_t)sl_min(limit->integer, (int64_t)UINT32_MAX);
	for (uint32_t i = 0; i < m->n; i += runs[n++].n)
		runs[n] = (struct run){i, run_end(col->p, m, i) - i};
	if (sort(g->c, runs, n, sizeof(*runs), by_length))
		return -ENOMEM;
	http_json_open(j, '[');
	for (uint32_t i = 0; i < sl_min(n, max); i++)
		put_run(j, col, m, &runs[i], s->first);
	http_json_close(j, ']');
	return 0;
}

/* ---- answers ---------------------------------------------------------------------------- */

static void put_type(struct http_json *j, const struct wv_property *p)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%s", wv_data_type_name(p->type), p->list ? "[]" : "");
	http_json_string(j, text);
}

static int put_figure(struct agg_groups *g, const struct agg_column *col,
		      const struct agg_measured *m, const struct gql_selection *s)
{
	struct http_json *j = &g->c->json;

	http_json_key_n(j, s->alias.p, s->alias.n);
	if (gql_name_is(s, "count"))
		http_json_uint(j, m->count);
	else if (gql_name_is(s, "type"))
		put_type(j, col->p);
	else if (gql_name_is(s, "topOccurrences"))
		return put_top(g, col, m, s);
	else
		for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
			if (!gql_name_is(s, figures[i].name))
				continue;
			if (m->count)
				figures[i].put(j, col, m);
			else
				http_json_null(j);
		}
	return 0;
}

/* "meta" and "groupedBy". */
static void put_about(struct agg_groups *g, const struct agg_column *col,
		      const struct agg_group *group)
{
	struct http_json *j = &g->c->json;

	for (uint32_t i = 0; i < col->figures_n; i++) {
		const struct gql_selection *s = col->figures[i];

		http_json_key_n(j, s->alias.p, s->alias.n);
		if (gql_name_is(s, "count")) {
			http_json_uint(j, group->n);
		} else if (gql_name_is(s, "value") && g->a->by) {
			put_value(j, g->a->by, &group->by);
		} else if (gql_name_is(s, "path") && g->a->by) {
			http_json_open(j, '[');
			http_json_string(j, g->a->by->name);
			http_json_close(j, ']');
		} else {
			http_json_null(j);
		}
	}
}

static int put_column(struct agg_groups *g, const struct agg_group *group, uint32_t i)
{
	const struct agg_column *col = &g->a->columns[i];
	struct agg_measured *m = &group->measured[i];
	struct http_json *j = &g->c->json;
	int err = 0;

	http_json_key_n(j, col->selection->alias.p, col->selection->alias.n);
	http_json_open(j, '{');
	if (m->n)
		err = sort(g->c, m->v, m->n, sizeof(*m->v),
			   agg_is_text(col->p) ? agg_compare_texts : agg_compare_numbers);
	if (!col->p)
		put_about(g, col, group);
	for (uint32_t k = 0; col->p && k < col->figures_n && !err; k++)
		err = put_figure(g, col, m, col->figures[k]);
	http_json_close(j, '}');
	return err;
}

static int by_size(const void *a, const void *b)
{
	const struct agg_group *x = a, *y = b;

	return (y->n > x->n) - (y->n < x->n);
}

int agg_put(struct agg_groups *g, uint32_t limit)
{
	struct http_json *j = &g->c->json;
	int err = 0;

	if (g->n)
		qsort(g->v, g->n, sizeof(*g->v), by_size); /* GROUPS_MAX at the most */
	http_json_open(j, '[');
	for (uint32_t i = 0; i < sl_min(g->n, limit) && !err; i++) {
		http_json_open(j, '{');
		for (uint32_t k = 0; k < g->a->columns_n && !err; k++)
			err = put_column(g, &g->v[i], k);
		http_json_close(j, '}');
	}
	http_json_close(j, ']');
	return err;
}
