/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scroll: objects in the order of their keys or of a value, and how many there are.
 *
 * Interface: objects_scroll(), objects_count() of objects.h. By key: of the rows whose key is next
 * a page is picked, whose objects are then looked at; so a short list costs little whatever the
 * filter.
 *
 * Order of parts: what was found; by key; by value; the call; counting.
 */
#include "objects_pvt.h"

/* So many rows are picked at least, where some may turn out not to match. */
#define PICK_MIN 256u

/* ---- what was found --------------------------------------------------------------------- */

/**
 * struct scrolling - a call, at home.
 * @skip: still to be passed over. @bytes: of the objects so far.
 */
struct scrolling {
	struct visit visit;
	const struct sl_objects_scroll *ask;
	struct objects_list list;
	uint32_t room, skip;
	uint64_t bytes;
	struct matches matches;
};

static int list_grow(struct scrolling *s)
{
	uint32_t room = s->room ? s->room * 2 : 16;
	struct objects_hit *hits;

	if (s->list.n < s->room)
		return 0;
	hits = realloc(s->list.hits, room * sizeof(*hits));
	if (!hits)
		return -ENOMEM;
	s->list.hits = hits;
	s->room = room;
	return 0;
}

/* Takes the object in @row, if it matches. Return: 0; 1: the list is full, @row comes next. */
static int take(struct collection *c, struct scrolling *s, uint32_t row, int64_t deadline)
{
	struct objects_hit hit = {.key = row_key(&c->rows.at[row]),
				  .version = c->rows.at[row].version};
	bool full = s->list.n == s->ask->limit ||
		    s->bytes + c->rows.at[row].bytes > SL_OBJECTS_BYTES_MAX;
	int rc = 0;

	if ((s->ask->with_objects && !full && !s->skip) || s->matches.loose) {
		rc = object_load(c, row, &hit, deadline);
		if (rc)
			return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
		if (s->matches.loose && !sl_filter_matches(s->ask->filter, hit.object)) {
			objects_release(&hit, 1);
			return 0;
		}
	}
	if (!s->ask->with_objects || full || s->skip)
		objects_release(&hit, 1);
	if (s->skip) {
		s->skip--;
		return 0;
	}
	if (full)
		return 1;
	rc = list_grow(s);
	if (rc) {
		objects_release(&hit, 1);
		return rc;
	}
	s->bytes += hit.object ? sl_object_bytes(hit.object) : 0;
	s->list.hits[s->list.n++] = hit;
	return 0;
}

/* ---- by key ----------------------------------------------------------------------------- */

/* The rows with the lowest keys so far; the highest of them first, as a heap. */
struct picked {
	const struct rows *rows;
	uint32_t *at;
	uint32_t n, max;
};

static int compare(const struct rows *rows, uint32_t a, uint32_t b)
{
	struct sl_filter_key x = row_key(&rows->at[a]), y = row_key(&rows->at[b]);

	return objects_key_compare(&x, &y);
}

static void sift_down(struct picked *p, uint32_t i)
{
	for (;;) {
		uint32_t child = 2 * i + 1, row = p->at[i];

		if (child >= p->n)
			return;
		if (child + 1 < p->n && compare(p->rows, p->at[child + 1], p->at[child]) > 0)
			child++;
		if (compare(p->rows, p->at[child], row) <= 0)
			return;
		p->at[i] = p->at[child];
		p->at[child] = row;
		i = child;
	}
}

static void pick(struct picked *p, uint32_t row)
{
	if (p->n < p->max) {
		p->at[p->n++] = row;
		for (uint32_t i = p->n / 2; p->n == p->max && i-- > 0;)
			sift_down(p, i);
		return;
	}
	if (compare(p->rows, row, p->at[0]) > 0)
		return;
	p->at[0] = row;
	sift_down(p, 0);
}

static int by_key(const void *a, const void *b, void *rows)
{
	return compare(rows, *(const uint32_t *)a, *(const uint32_t *)b);
}

/* The next rows of the list behind (or, first, from) @from, in order. */
static void page_pick(const struct collection *c, const struct scrolling *s,
		      const struct sl_filter_key *from, bool after, struct picked *p)
{
	p->n = 0;
	for (uint32_t row = 0; row < c->rows.n; row++) {
		const struct row *r = &c->rows.at[row];
		struct sl_filter_key key;

		if (!r->place || !matches_has(&s->matches, row))
			continue;
		key = row_key(r);
		if (from->kind == SL_KEY_NONE || objects_key_compare(&key, from) >= (after ? 1 : 0))
			pick(p, row);
	}
	qsort_r(p->at, p->n, sizeof(*p->at), by_key, (void *)&c->rows);
}

static int page_take(struct collection *c, struct scrolling *s, const struct picked *p,
		     struct sl_filter_key *keys, int64_t deadline)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->n; i++)
		keys[i] = row_key(&c->rows.at[p->at[i]]);
	for (uint32_t i = 0; i < p->n && !rc; i++) {
		/* Rows may have changed while objects were read. */
		uint32_t row = rows_find(&c->rows, &keys[i]);

		if (row == SL_ROW_NONE)
			continue;
		rc = take(c, s, row, deadline);
		if (rc == 1)
			s->list.next = keys[i];
	}
	return rc;
}

static int scroll_keys(struct collection *c, struct scrolling *s, int64_t deadline)
{
	uint64_t wanted = (uint64_t)s->ask->limit + s->ask->skip + 1;
	struct picked p = {.rows = &c->rows};
	struct sl_filter_key *keys, from = s->ask->from;
	bool after = s->ask->after;
	int rc = 0;

	p.max = (uint32_t)sl_min(sl_max(wanted, (uint64_t)PICK_MIN), (uint64_t)c->rows.live + 1);
	p.at = calloc(p.max, sizeof(*p.at));
	keys = calloc(p.max, sizeof(*keys));
	if (!p.at || !keys)
		rc = -ENOMEM;
	while (!rc) {
		page_pick(c, s, &from, after, &p);
		rc = page_take(c, s, &p, keys, deadline);
		if (p.n < p.max)
			break;
		from = keys[p.n - 1];
		after = true;
		sl_fiber_yield(deadline);
	}
	free(p.at);
	free(keys);
	return sl_min(rc, 0);
}

/* ---- by value --------------------------------------------------------------------------- */

/* A row and its value; integers and dates fit into it as they are. */
struct valued {
	long double value;
	uint32_t row;
};

struct ordering {
	struct collection *c;
	struct scrolling *s;
	struct valued *at;
	uint32_t n, room, max;
	uint64_t *seen;
	int err;
};

static int valued_add(struct ordering *g, long double value, uint32_t row)
{
	if (g->n == g->room) {
		uint32_t room = g->room ? g->room * 2 : 64;
		struct valued *at = realloc(g->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		g->at = at;
		g->room = room;
	}
	g->at[g->n++] = (struct valued){value, row};
	return 0;
}

/* From an index, in order: enough are enough. */
static int ordered(void *arg, const struct sl_operand *value, uint32_t row)
{
	struct ordering *g = arg;

	(void)value;
	if (row >= g->c->rows.n || !g->c->rows.at[row].place || !matches_has(&g->s->matches, row) ||
	    g->seen[row / 64] >> row % 64 & 1)
		return 0;
	g->seen[row / 64] |= UINT64_C(1) << row % 64;
	g->err = valued_add(g, 0, row);
	return g->err || g->n == g->max;
}

static bool value_of(const struct sl_value *v, long double *ret_value)
{
	switch (sl_value_type(v)) {
	case SL_VALUE_INTEGER:
		*ret_value = sl_value_integer(v);
		return true;
	case SL_VALUE_NUMBER:
		*ret_value = sl_value_number(v);
		return true;
	case SL_VALUE_DATE:
		*ret_value = sl_value_date(v);
		return true;
	default:
		return false;
	}
}

static int first_value(void *arg, const struct sl_value *v)
{
	if (sl_value_type(v) == SL_VALUE_LIST) {
		for (uint32_t i = 0; i < sl_value_count(v); i++)
			if (value_of(sl_value_at(v, i), arg))
				return 1;
		return 0;
	}
	return value_of(v, arg);
}

static long double operand_value(const struct sl_operand *x)
{
	return x->type == SL_VALUE_NUMBER ? x->number
	       : x->type == SL_VALUE_DATE ? x->date
					  : x->integer;
}

static int rising(const void *a, const void *b)
{
	const struct valued *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int falling(const void *a, const void *b)
{
	const struct valued *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* Without an index: all objects are looked at. */
static int order_objects(struct ordering *g, int64_t deadline)
{
	const struct sl_objects_scroll *ask = g->s->ask;
	struct collection *c = g->c;
	int rc = 0;

	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		struct objects_hit hit = {0};
		long double value;

		if (!c->rows.at[row].place || !matches_has(&g->s->matches, row))
			continue;
		rc = object_load(c, row, &hit, deadline);
		if (rc == -ENOENT || rc == -EBADMSG) {
			rc = 0;
			continue;
		}
		if (!rc &&
		    sl_value_visit(sl_object_properties(hit.object), ask->order_by, first_value,
				   &value) == 1 &&
		    (!ask->order_from ||
		     (ask->descending ? value <= operand_value(ask->order_from)
				      : value >= operand_value(ask->order_from))))
			rc = valued_add(g, value, row);
		objects_release(&hit, 1);
		if (row % 32 == 0)
			sl_fiber_yield(deadline);
	}
	if (!rc && g->n)
		qsort(g->at, g->n, sizeof(*g->at), ask->descending ? falling : rising);
	return rc;
}

static int order_index(struct ordering *g)
{
	const struct sl_objects_scroll *ask = g->s->ask;
	int rc;

	g->seen = calloc((size_t)g->c->rows.n / 64 + 1, sizeof(*g->seen));
	if (!g->seen)
		return -ENOMEM;
	rc = sl_payload_order(g->c->payload, ask->order_by, ask->descending, ask->order_from,
			      ordered, g);
	free(g->seen);
	return g->err ? g->err : sl_min(rc, 0);
}

static int scroll_values(struct collection *c, struct scrolling *s, int64_t deadline)
{
	struct ordering g = {.c = c, .s = s, .max = s->ask->limit + s->ask->skip};
	int rc;

	if (collection_has_payload(c) && sl_payload_can_order(c->payload, s->ask->order_by))
		rc = g.max ? order_index(&g) : 0;
	else
		rc = order_objects(&g, deadline);
	/* Rows were free to change: what is in one now is what is shown, if it matches. */
	for (uint32_t i = 0; i < g.n && !rc; i++)
		if (c->rows.at[g.at[i].row].place)
			rc = take(c, s, g.at[i].row, deadline);
	free(g.at);
	return sl_min(rc, 0);
}

/* ---- the call --------------------------------------------------------------------------- */

static int scroll_here(struct collection *c, void *visit, int64_t deadline)
{
	struct scrolling *s = visit;
	int rc;

	s->skip = s->ask->skip;
	rc = s->ask->order_by ? matches_find(c, s->ask->filter, &s->matches, deadline)
			      : matches_guess(c, s->ask->filter, &s->matches);
	if (rc)
		return rc;
	rc = s->ask->order_by ? scroll_values(c, s, deadline) : scroll_keys(c, s, deadline);
	matches_done(&s->matches);
	if (rc)
		objects_list_done(&s->list);
	return rc;
}

int objects_scroll(struct objects *o, const char *name, const struct sl_objects_scroll *scroll,
		   struct objects_list *ret_list, int64_t deadline)
{
	struct scrolling s = {.ask = scroll};
	int rc;

	if (scroll->limit > SL_OBJECTS_LIMIT_MAX || scroll->skip > SL_OBJECTS_LIMIT_MAX)
		return -EINVAL;
	rc = visit(o, name, scroll_here, &s.visit, deadline);
	if (!rc)
		*ret_list = s.list;
	return rc;
}

void objects_list_done(struct objects_list *list)
{
	objects_release(list->hits, list->n);
	free(list->hits);
	*list = (struct objects_list){0};
}

/* ---- counting --------------------------------------------------------------------------- */

struct counting {
	struct visit visit;
	const struct sl_filter *filter;
	bool exact;
	uint64_t n;
};

static int count_here(struct collection *c, void *visit, int64_t deadline)
{
	struct counting *g = visit;
	struct matches m;
	int rc;

	if (g->filter && !g->exact && collection_has_payload(c)) {
		rc = sl_filter_check(g->filter, NULL, 0);
		if (!rc)
			g->n = sl_payload_estimate(c->payload, g->filter).expected;
		return rc;
	}
	rc = matches_find(c, g->filter, &m, deadline);
	if (rc)
		return rc;
	g->n = m.count;
	matches_done(&m);
	return 0;
}

int objects_count(struct objects *o, const char *name, const struct sl_filter *filter, bool exact,
		  uint64_t *ret_n, int64_t deadline)
{
	struct counting g = {.filter = filter, .exact = exact};
	int rc = visit(o, name, count_here, &g.visit, deadline);

	if (!rc)
		*ret_n = g.n;
	return rc;
}
