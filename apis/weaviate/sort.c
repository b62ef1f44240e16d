// SPDX-License-Identifier: Apache-2.0
/*
 * Objects in the order of some of their values. What has none comes first, or last where the order
 * falls.
 *
 * Interface: wv_sort_key_of(), wv_find_sorted() and wv_sort_hits() of weaviate_pvt.h. All that a
 * filter means is looked at once, page by page; what stays of an object is its id and the values
 * that the order is by.
 *
 * Order of parts: keys; values; rows; hits; all objects.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- keys ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sort_by by;
} sorts[] = {
	{"id", SORT_BY_ID},
	{"_id", SORT_BY_ID},
	{"_creationTimeUnix", SORT_BY_CREATED},
	{"_lastUpdateTimeUnix", SORT_BY_UPDATED},
};

bool wv_sort_key_of(const struct wv_class *k, const char *name, const char *order,
		    struct wv_sort_key *ret_key)
{
	const struct wv_property *p = wv_class_property(k, name, strlen(name));

	*ret_key = (struct wv_sort_key){.name = name, .descending = !strcmp(order, "desc")};
	for (size_t i = 0; i < SL_ARRAY_SIZE(sorts); i++) {
		if (strcmp(sorts[i].name, name))
			continue;
		ret_key->by = sorts[i].by;
		return true;
	}
	return p != NULL;
}

/* ---- values ----------------------------------------------------------------------------- */

struct sort_value {
	enum { NOTHING, NUMBER, INTEGER, TEXT } kind;
	union {
		double number;
		int64_t integer;
		struct http_str text;
	};
};

static int text_value(struct http_arena *a, const char *p, size_t n, struct sort_value *ret)
{
	char *copy = http_arena_text(a, p, n);

	*ret = (struct sort_value){.kind = TEXT, .text = {copy, n}};
	return copy ? 0 : -ENOMEM;
}

static int value_of(struct http_arena *a, const struct sl_value *v, struct sort_value *ret)
{
	const char *p;
	size_t n;

	switch (sl_value_type(v)) {
	case SL_VALUE_BOOLEAN:
		*ret = (struct sort_value){.kind = INTEGER, .integer = sl_value_boolean(v)};
		return 0;
	case SL_VALUE_INTEGER:
		*ret = (struct sort_value){.kind = INTEGER, .integer = sl_value_integer(v)};
		return 0;
	case SL_VALUE_DATE:
		*ret = (struct sort_value){.kind = INTEGER, .integer = sl_value_date(v)};
		return 0;
	case SL_VALUE_NUMBER:
		*ret = (struct sort_value){.kind = NUMBER, .number = sl_value_number(v)};
		return 0;
	case SL_VALUE_TEXT:
		p = sl_value_text(v, &n);
		return text_value(a, p, n, ret);
	case SL_VALUE_UUID:
		return text_value(a, (const char *)sl_value_uuid(v), SL_OBJECT_UUID_BYTES, ret);
	default:
		*ret = (struct sort_value){.kind = NOTHING};
		return 0;
	}
}

static int read_value(struct http_arena *a, const struct wv_sort_key *key,
		      const struct sl_object *o, struct sort_value *ret)
{
	const struct sl_value *v;
	const uint8_t *id;

	*ret = (struct sort_value){.kind = NOTHING};
	switch (key->by) {
	case SORT_BY_ID:
		sl_object_key(o, &id);
		return text_value(a, (const char *)id, SL_OBJECT_UUID_BYTES, ret);
	case SORT_BY_CREATED:
		*ret = (struct sort_value){.kind = INTEGER, .integer = sl_object_created_ms(o)};
		return 0;
	case SORT_BY_UPDATED:
		*ret = (struct sort_value){.kind = INTEGER, .integer = sl_object_updated_ms(o)};
		return 0;
	default:
		v = sl_value_get(sl_object_properties(o), key->name, strlen(key->name));
		if (v && sl_value_type(v) == SL_VALUE_LIST)
			v = sl_value_count(v) ? sl_value_at(v, 0) : NULL;
		return v ? value_of(a, v, ret) : 0;
	}
}

static double number_of(const struct sort_value *v)
{
	return v->kind == INTEGER ? (double)v->integer : v->number;
}

static int compare_texts(struct http_str a, struct http_str b)
{
	int order = memcmp(a.p, b.p, sl_min(a.n, b.n));

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_values(const struct sort_value *a, const struct sort_value *b)
{
	double x, y;

	if ((a->kind == TEXT) != (b->kind == TEXT) || a->kind == NOTHING || b->kind == NOTHING)
		return (a->kind > b->kind) - (a->kind < b->kind);
	if (a->kind == TEXT)
		return compare_texts(a->text, b->text);
	if (a->kind == INTEGER && b->kind == INTEGER)
		return (a->integer > b->integer) - (a->integer < b->integer);
	x = number_of(a);
	y = number_of(b);
	return (x > y) - (x < y);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* @at: the order in which it came. @values: as many as there are keys. */
struct row {
	struct sl_filter_key key;
	uint32_t at;
	struct sort_value *values;
};

struct rows {
	struct wv_call *c;
	const struct wv_finding *f;
	struct row *v;
	uint32_t n, room;
};

static int compare_rows(const void *a, const void *b, void *finding)
{
	const struct row *x = a, *y = b;
	const struct wv_finding *f = finding;

	for (uint32_t i = 0; i < f->sort_n; i++) {
		int order = compare_values(&x->values[i], &y->values[i]);

		if (order)
			return f->sort[i].descending ? -order : order;
	}
	return (x->at > y->at) - (x->at < y->at);
}

static int add_row(void *arg, const struct sl_object *o)
{
	struct rows *rows = arg;
	struct http_arena *a = &rows->c->arena;
	const uint8_t *uuid;
	struct row *row;

	if (rows->n == rows->room) {
		struct row *more;

		rows->room = sl_max(2 * rows->room, 256u);
		more = realloc(rows->v, rows->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		rows->v = more;
	}
	row = &rows->v[rows->n];
	sl_object_key(o, &uuid);
	row->key = objects_key_uuid(uuid);
	row->at = rows->n++;
	row->values = http_arena_array(a, struct sort_value, rows->f->sort_n);
	if (!row->values)
		return -ENOMEM;
	for (uint32_t i = 0; i < rows->f->sort_n; i++) {
		int err = read_value(a, &rows->f->sort[i], o, &row->values[i]);

		if (err)
			return err;
	}
	return 0;
}

static void sort_rows(struct rows *rows)
{
	if (rows->n)
		qsort_r(rows->v, rows->n, sizeof(*rows->v), compare_rows, (void *)rows->f);
}

/* ---- hits ------------------------------------------------------------------------------- */

int wv_sort_hits(struct wv_call *c, struct wv_finding *f)
{
	struct objects_hit *sorted = http_arena_array(&c->arena, struct objects_hit, f->n);
	struct rows rows = {.c = c, .f = f};
	int err = sorted ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < f->n && !err; i++)
		err = add_row(&rows, f->hits[i].object);
	if (!err)
		sort_rows(&rows);
	for (uint32_t i = 0; i < f->n && !err; i++)
		sorted[i] = f->hits[rows.v[i].at];
	if (!err && f->n)
		memcpy(f->hits, sorted, f->n * sizeof(*sorted));
	free(rows.v);
	return err;
}

/* ---- all objects ------------------------------------------------------------------------ */

/* Those from f->offset on, at most f->limit. */
static int take_page(struct wv_call *c, struct wv_finding *f, const struct rows *rows)
{
	uint32_t from = sl_min(f->offset, rows->n), n = sl_min(f->limit, rows->n - from);
	struct sl_filter_key *keys = http_arena_array(&c->arena, struct sl_filter_key, n);
	struct objects_hit *hits = http_arena_array(&c->arena, struct objects_hit, n);
	uint32_t kept = 0;
	int err;

	if (!keys || !hits)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		keys[i] = rows->v[from + i].key;
	err = n ? objects_get(c->objects, f->k->collection->name, keys, n, hits, c->deadline) : 0;
	if (err)
		return err;
	/* One that was deleted meanwhile holds nothing. */
	for (uint32_t i = 0; i < n; i++) {
		if (hits[i].object)
			hits[kept++] = hits[i];
		else
			objects_release(&hits[i], 1);
	}
	f->hits = hits;
	f->n = kept;
	return 0;
}

int wv_find_sorted(struct wv_call *c, struct wv_finding *f)
{
	struct rows rows = {.c = c, .f = f};
	int err = wv_find_each(c, f->k, f->filter, add_row, &rows);

	if (!err)
		sort_rows(&rows);
	if (!err)
		err = take_page(c, f, &rows);
	free(rows.v);
	return err;
}
