// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL's Aggregate: figures of a class's objects, of all of them or of each group.
 *
 * Interface: wv_aggregate_plan() and wv_aggregate_run() of weaviate_pvt.h. Unless only a count is
 * wanted, each object is looked at once. What stays of it is added up, but for figures that are
 * made of all values in their order: these are kept, up to VALUES_MAX of them.
 * Invariant: others have a turn at least every thousand objects, and every SORTED_AT_ONCE values
 * that are sorted.
 *
 * Order of parts: columns; values; sorting; groups; figures; the most frequent; answers; selecting;
 * calls.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "weaviate_pvt.h"

/* ---- columns ---------------------------------------------------------------------------- */

/* What is to be told of one property, or of "meta" and "groupedBy" (@p NULL). @keeps: some figure
 * is made of all values. */
struct column {
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
	struct column *columns;
	uint32_t columns_n;
	const struct wv_property *by;
	bool values;
};

/* ---- values ----------------------------------------------------------------------------- */

/* A number, a date in microseconds, true or false as 1 or 0; or a text. */
struct value {
	double number;
	struct http_str text;
};

/* The most values of one column within one group that are kept: as many as lie in one piece. */
enum { VALUES_MAX = 1 << 19 };

/**
 * struct measured - the values of one column within one group; in the call's memory.
 * @v: those that are kept, @n of them. @count: of all; @sum, @least, @most: of their numbers.
 */
struct measured {
	struct value *v;
	uint32_t n, room;
	uint64_t count;
	double sum, least, most;
};

static bool is_text(const struct wv_property *p)
{
	return p->type == DATA_TEXT || p->type == DATA_UUID || p->type == DATA_BLOB;
}

static int compare_texts(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	int order = memcmp(x->text.p, y->text.p, sl_min(x->text.n, y->text.n));

	return order ? order : (x->text.n > y->text.n) - (x->text.n < y->text.n);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct value *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Return: 0; -EFBIG: there are too many; -ENOMEM. */
static int keep_value(struct http_arena *a, struct measured *m, const struct value *v)
{
	if (m->n == VALUES_MAX)
		return -EFBIG;
	if (m->n == m->room) {
		struct value *more;

		m->room = sl_max(2 * m->room, 16u);
		more = http_arena_array(a, struct value, m->room);
		if (!more)
			return -ENOMEM;
		if (m->n)
			memcpy(more, m->v, m->n * sizeof(*more));
		m->v = more;
	}
	m->v[m->n++] = *v;
	return 0;
}

static void add_number(struct measured *m, double number)
{
	m->least = m->count ? fmin(m->least, number) : number;
	m->most = m->count ? fmax(m->most, number) : number;
	m->sum += number;
	m->count++;
}

/* As a value of its own memory. Return: 1; 0: nothing that is counted; -ENOMEM. */
static int read_value(struct http_arena *a, const struct sl_value *v, struct value *ret)
{
	char uuid[SL_UUID_TEXT_BYTES];
	const char *p;
	size_t n;

	*ret = (struct value){0};
	switch (sl_value_type(v)) {
	case SL_VALUE_BOOLEAN:
		ret->number = sl_value_boolean(v);
		return 1;
	case SL_VALUE_INTEGER:
	case SL_VALUE_NUMBER:
		ret->number = sl_value_number(v);
		return 1;
	case SL_VALUE_DATE:
		ret->number = (double)sl_value_date(v);
		return 1;
	case SL_VALUE_TEXT:
		p = sl_value_text(v, &n);
		ret->text = (struct http_str){http_arena_text(a, p, n), n};
		return ret->text.p ? 1 : -ENOMEM;
	case SL_VALUE_UUID:
		sl_uuid_print(sl_value_uuid(v), uuid);
		ret->text = (struct http_str){http_arena_text(a, uuid, sizeof(uuid)), sizeof(uuid)};
		return ret->text.p ? 1 : -ENOMEM;
	default:
		return 0;
	}
}

/* @keep: the values, too. */
static int measure(struct http_arena *a, struct measured *m, const struct sl_value *v, bool keep)
{
	uint32_t n = sl_value_type(v) == SL_VALUE_LIST ? sl_value_count(v) : 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct sl_value *item = sl_value_type(v) == SL_VALUE_LIST ? sl_value_at(v, i)
										: v;
		struct value value;
		int res = read_value(a, item, &value);

		if (res > 0)
			add_number(m, value.number);
		if (res > 0 && keep)
			res = keep_value(a, m, &value);
		if (res < 0)
			return res;
	}
	return 0;
}

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

/* ---- groups ----------------------------------------------------------------------------- */

/* Objects with the same value; @measured: for each column. */
struct group {
	struct value by;
	uint64_t n;
	struct measured *measured;
};

/* More values than this are no groups anybody looks at. */
enum { GROUPS_MAX = 10000, GROUP_SLOTS = 32768 };

/* @slots: group + 1 by the hash of its value, of GROUP_SLOTS; 0: none. NULL: there is one group. */
struct groups {
	struct wv_call *c;
	const struct wv_aggregation *a;
	struct group *v;
	uint32_t n, room;
	uint16_t *slots;
};

static int add_group(struct groups *g, const struct value *by, struct group **ret_group)
{
	if (g->n == GROUPS_MAX)
		return -E2BIG;
	if (g->n == g->room) {
		struct group *more;

		g->room = sl_max(2 * g->room, 4u);
		more = http_arena_array(&g->c->arena, struct group, g->room);
		if (!more)
			return -ENOMEM;
		if (g->n)
			memcpy(more, g->v, g->n * sizeof(*more));
		g->v = more;
	}
	*ret_group = &g->v[g->n];
	**ret_group = (struct group){
		.by = *by,
		.measured = http_arena_array(&g->c->arena, struct measured, g->a->columns_n),
	};
	if (!(*ret_group)->measured)
		return -ENOMEM;
	g->n++;
	return 0;
}

/* The only one, where there are no groups. */
static int all_group(struct groups *g, struct group **ret_group)
{
	if (!g->n)
		return add_group(g, &(struct value){0}, ret_group);
	*ret_group = g->v;
	return 0;
}

static int find_group(struct groups *g, const struct value *by, struct group **ret_group)
{
	bool text = is_text(g->a->by);
	double number = by->number + 0; /* no -0 */
	uint64_t hash = text ? XXH3_64bits(by->text.p, by->text.n)
			     : XXH3_64bits(&number, sizeof(number));
	uint32_t at = hash % GROUP_SLOTS;
	int err;

	for (; g->slots[at]; at = (at + 1) % GROUP_SLOTS) {
		struct group *group = &g->v[g->slots[at] - 1];

		if (text ? compare_texts(&group->by, by) : compare_numbers(&group->by, by))
			continue;
		*ret_group = group;
		return 0;
	}
	err = add_group(g, by, ret_group);
	if (!err)
		g->slots[at] = (uint16_t)g->n;
	return err;
}

/* @by: NULL: there are no groups. */
static int count_in(struct groups *g, const struct value *by, const struct sl_object *o)
{
	const struct sl_value *properties = sl_object_properties(o);
	struct group *group;
	int err = by ? find_group(g, by, &group) : all_group(g, &group);

	if (err)
		return err;
	group->n++;
	for (uint32_t i = 0; i < g->a->columns_n && !err; i++) {
		const struct column *col = &g->a->columns[i];
		const struct sl_value *v =
			col->p ? sl_value_get(properties, col->p->name, strlen(col->p->name))
			       : NULL;

		err = v ? measure(&g->c->arena, &group->measured[i], v, col->keeps) : 0;
	}
	return err;
}

/* An object is in the group of each of its values, and in none if it has none. */
static int count_object(void *groups, const struct sl_object *o)
{
	struct groups *g = groups;
	const struct wv_property *by = g->a->by;
	const struct sl_value *v;
	struct measured values = {0};
	int err;

	if (!by)
		return count_in(g, NULL, o);
	v = sl_value_get(sl_object_properties(o), by->name, strlen(by->name));
	err = v ? measure(&g->c->arena, &values, v, true) : 0;
	for (uint32_t i = 0; i < values.n && !err; i++)
		err = count_in(g, &values.v[i], o);
	return err;
}

static int by_size(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return (y->n > x->n) - (y->n < x->n);
}

/* ---- figures ---------------------------------------------------------------------------- */

static void put_value(struct http_json *j, const struct wv_property *p, const struct value *v)
{
	char text[SL_DATE_TEXT_BYTES];

	if (is_text(p))
		http_json_text(j, v->text.p, v->text.n);
	else if (p->type == DATA_DATE)
		http_json_text(j, text, sl_date_print((int64_t)v->number, text));
	else if (p->type == DATA_BOOLEAN)
		http_json_bool(j, v->number > 0);
	else
		http_json_double(j, v->number);
}

/* Where the run of equal values ends that begins at @i. */
static uint32_t run_end(const struct wv_property *p, const struct measured *m, uint32_t i)
{
	uint32_t end = i + 1;

	while (end < m->n && !(is_text(p) ? compare_texts(&m->v[i], &m->v[end])
					  : compare_numbers(&m->v[i], &m->v[end])))
		end++;
	return end;
}

static void put_minimum(struct http_json *j, const struct column *col, const struct measured *m)
{
	put_value(j, col->p, &(struct value){.number = m->least});
}

static void put_maximum(struct http_json *j, const struct column *col, const struct measured *m)
{
	put_value(j, col->p, &(struct value){.number = m->most});
}

static void put_sum(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, m->sum);
}

static void put_mean(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, m->sum / (double)m->count);
}

static void put_median(struct http_json *j, const struct column *col, const struct measured *m)
{
	const struct value *low = &m->v[(m->n - 1) / 2], *high = &m->v[m->n / 2];

	put_value(j, col->p, &(struct value){.number = (low->number + high->number) / 2});
}

static void put_mode(struct http_json *j, const struct column *col, const struct measured *m)
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

static void put_total_true(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, m->sum);
}

static void put_total_false(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, (double)m->count - m->sum);
}

static void put_part_true(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, m->sum / (double)m->count);
}

static void put_part_false(struct http_json *j, const struct column *col, const struct measured *m)
{
	http_json_double(j, 1 - m->sum / (double)m->count);
}

enum { NUMBERS = 1 << DATA_INT | 1 << DATA_NUMBER, DATES = 1 << DATA_DATE };

/* @types: of properties that have the figure. Of no values they are null. @keeps: it is made of all
 * values, sorted. */
static const struct {
	const char *name;
	uint32_t types;
	void (*put)(struct http_json *j, const struct column *col, const struct measured *m);
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

/* ---- the most frequent ------------------------------------------------------------------ */

struct run {
	uint32_t at, n;
};

static int by_length(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->n != y->n ? (y->n > x->n) - (y->n < x->n) : (x->at > y->at) - (x->at < y->at);
}

static void put_run(struct http_json *j, const struct column *col, const struct measured *m,
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

static int put_top(struct groups *g, const struct column *col, const struct measured *m,
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

static int put_figure(struct groups *g, const struct column *col, const struct measured *m,
		      const struct gql_selection *s)
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
static void put_about(struct groups *g, const struct column *col, const struct group *group)
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

static int put_column(struct groups *g, const struct group *group, uint32_t i)
{
	const struct column *col = &g->a->columns[i];
	struct measured *m = &group->measured[i];
	struct http_json *j = &g->c->json;
	int err = 0;

	http_json_key_n(j, col->selection->alias.p, col->selection->alias.n);
	http_json_open(j, '{');
	if (m->n)
		err = sort(g->c, m->v, m->n, sizeof(*m->v),
			   is_text(col->p) ? compare_texts : compare_numbers);
	if (!col->p)
		put_about(g, col, group);
	for (uint32_t k = 0; col->p && k < col->figures_n && !err; k++)
		err = put_figure(g, col, m, col->figures[k]);
	http_json_close(j, '}');
	return err;
}

static int put_groups(struct groups *g, uint32_t limit)
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

/* ---- selecting -------------------------------------------------------------------------- */

/* Return: whether the property has that figure; *ret_keeps is set if it takes all values. */
static bool has_figure(const struct wv_property *p, const struct gql_selection *s, bool *ret_keeps)
{
	bool top = gql_name_is(s, "topOccurrences");

	if (gql_name_is(s, "count") || gql_name_is(s, "type"))
		return true;
	*ret_keeps |= top;
	if (top)
		return is_text(p);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		if (!gql_name_is(s, figures[i].name))
			continue;
		*ret_keeps |= figures[i].keeps;
		return figures[i].types & 1u << p->type;
	}
	return false;
}

static int select_column(struct wv_query *q, const struct wv_class *k, struct column *col)
{
	const struct gql_selection *s = col->selection;
	bool meta = gql_name_is(s, "meta"), by = gql_name_is(s, "groupedBy");
	int err = wv_query_flatten(q, s->first, "", &col->figures, &col->figures_n);

	if (err)
		return err;
	if (!col->figures_n)
		return wv_query_wrong(q, "Field \"%.*s\" must have a selection of subfields",
				      (int)sl_min(s->name.n, (size_t)64), s->name.p);
	col->p = meta || by ? NULL : wv_class_property(k, s->name.p, s->name.n);
	if (!col->p && !meta && !by)
		return wv_query_wrong(q, "Cannot query field \"%.*s\" on type \"Aggregate%.64s\"",
				      (int)sl_min(s->name.n, (size_t)64), s->name.p, k->name);
	for (uint32_t i = 0; col->p && i < col->figures_n; i++)
		if (!has_figure(col->p, col->figures[i], &col->keeps))
			return wv_query_wrong(q,
					      "Cannot query field \"%.*s\" on type "
					      "\"Aggregate%.64s%.64sObj\"",
					      (int)sl_min(col->figures[i]->name.n, (size_t)64),
					      col->figures[i]->name.p, k->name, col->p->name);
	return 0;
}

/* "groupBy": a list with the name of a property. */
static int select_by(struct wv_query *q, const struct wv_plan *p, struct wv_aggregation *a)
{
	const struct gql_value *by = gql_get(&p->selection->args, "groupBy");

	if (by && by->kind == GQL_LIST)
		by = by->n == 1 ? by->items : NULL;
	else if (!by)
		return 0;
	a->by = by && gql_is_text(by) ? wv_class_property(p->f.k, by->text, by->n) : NULL;
	if (!a->by || a->by->type == DATA_GEO || a->by->type >= DATA_PHONE)
		return wv_query_wrong(
			q, "groupBy: a list with the name of one property is expected, of "
			   "a type that can be compared");
	return 0;
}

/* ---- calls ------------------------------------------------------------------------------ */

int wv_aggregate_plan(struct wv_query *q, struct wv_plan *p)
{
	struct wv_aggregation *a = http_arena_new(&q->c->arena, struct wv_aggregation);
	const struct gql_selection *const *fields;
	uint32_t n;
	int err = a ? wv_query_flatten(q, p->selection->first, p->f.k->name, &fields, &n) : -ENOMEM;

	if (err)
		return err;
	if (!n)
		return wv_query_wrong(q, "Field \"%.64s\" must have a selection of subfields",
				      p->f.k->name);
	p->aggregate = a;
	a->columns_n = n;
	a->columns = http_arena_array(&q->c->arena, struct column, n);
	if (!a->columns)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		a->columns[i].selection = fields[i];
		err = select_column(q, p->f.k, &a->columns[i]);
		a->values |= a->columns[i].p != NULL;
	}
	return err ? err : select_by(q, p, a);
}

/* How many of the nearest objects count. */
static int limit_of(struct wv_plan *p, uint32_t *ret_limit)
{
	const struct gql_value *limit = gql_get(&p->selection->args, "objectLimit");

	*ret_limit = RESULTS_MAX;
	if (limit && limit->kind == GQL_INTEGER && limit->integer > 0)
		*ret_limit = (uint32_t)sl_min(limit->integer, (int64_t)RESULTS_MAX);
	else if (limit || !p->f.bounded) {
		snprintf(p->why, sizeof(p->why),
			 "must provide objectLimit, certainty or distance "
			 "with vector search");
		return -EINVAL;
	}
	return 0;
}

static int count_nearest(struct wv_query *q, struct wv_plan *p, struct groups *g)
{
	int err;

	/* "limit" is of groups. */
	err = limit_of(p, &p->f.limit);
	p->f.with_objects = true;
	if (!err)
		err = wv_find(q->c, &p->f, p->why);
	for (uint32_t i = 0; i < p->f.n && !err; i++)
		err = count_object(g, p->f.hits[i].object);
	wv_find_done(&p->f);
	return err;
}

static int count_only(struct wv_query *q, const struct wv_plan *p, struct groups *g)
{
	struct group *group;
	int err = all_group(g, &group);

	return err ? err
		   : objects_count(q->c->objects, p->f.k->collection->name, p->f.filter, true,
				   &group->n, q->c->deadline);
}

int wv_aggregate_run(struct wv_query *q, struct wv_plan *p)
{
	const struct wv_aggregation *a = p->aggregate;
	struct groups g = {.c = q->c, .a = a};
	uint32_t limit = p->limited ? p->f.limit : UINT32_MAX;
	struct group *group;
	int err;

	if (a->by)
		g.slots = http_arena_array(&q->c->arena, uint16_t, GROUP_SLOTS);
	/* Without groups there is one also if it has no objects. */
	if (a->by)
		err = g.slots ? 0 : -ENOMEM;
	else
		err = all_group(&g, &group);
	if (!err && p->f.vector)
		err = count_nearest(q, p, &g);
	else if (!err && !a->values && !a->by)
		err = count_only(q, p, &g);
	else if (!err)
		err = wv_find_each(q->c, p->f.k, p->f.filter, count_object, &g);
	if (err == -E2BIG)
		snprintf(p->why, sizeof(p->why), "groupBy: more than %d different values",
			 GROUPS_MAX);
	if (err == -EFBIG)
		snprintf(p->why, sizeof(p->why),
			 "median, mode and topOccurrences are made of at most %d values",
			 VALUES_MAX);
	if (err == -E2BIG || err == -EFBIG)
		err = -EINVAL;
	return err ? err : put_groups(&g, limit);
}
