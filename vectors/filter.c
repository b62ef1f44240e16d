/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters on one object, where it lies.
 *
 * Interface: <sluice/filter.h>, filter_pvt.h.
 *
 * A condition on a path is a question to each value there (`holds`), or one about all that there
 * is at that path. Nothing is allocated and nothing fails: what can be wrong with a filter
 * sl_filter_check() says before.
 *
 * Order of parts: values as something else; equality and order; questions to a value; walking;
 * conditions about all values; filters; checking.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "filter_pvt.h"
#include "object_pvt.h"

/* ---- values as something else ----------------------------------------------------------- */

bool filter_date(const struct sl_value *v, int64_t *ret_us)
{
	size_t n;
	const char *p;

	if (sl_value_type(v) == SL_VALUE_DATE) {
		*ret_us = sl_value_date(v);
		return true;
	}
	if (sl_value_type(v) != SL_VALUE_TEXT)
		return false;
	p = sl_value_text(v, &n);
	return sl_date_parse(p, n, ret_us);
}

bool filter_uuid(const struct sl_value *v, uint8_t ret_uuid[SL_OBJECT_UUID_BYTES])
{
	size_t n;
	const char *p;

	if (sl_value_type(v) == SL_VALUE_UUID) {
		memcpy(ret_uuid, sl_value_uuid(v), SL_OBJECT_UUID_BYTES);
		return true;
	}
	if (sl_value_type(v) != SL_VALUE_TEXT)
		return false;
	p = sl_value_text(v, &n);
	return sl_uuid_parse(p, n, ret_uuid);
}

static bool is_number(const struct sl_value *v)
{
	enum sl_value_type type = sl_value_type(v);

	return type == SL_VALUE_INTEGER || type == SL_VALUE_NUMBER;
}

static bool degrees(const struct sl_value *map, const char *name, const char *long_name,
		    double *ret)
{
	const struct sl_value *v = sl_value_get(map, name, strlen(name));

	v = v ? v : sl_value_get(map, long_name, strlen(long_name));
	if (!v || !is_number(v))
		return false;
	*ret = sl_value_number(v);
	return true;
}

bool filter_place(const struct sl_value *v, struct sl_place *ret_place)
{
	struct sl_place place;

	if (sl_value_type(v) == SL_VALUE_GEO) {
		sl_value_geo(v, &ret_place->latitude, &ret_place->longitude);
		return true;
	}
	if (sl_value_type(v) != SL_VALUE_MAP || !degrees(v, "lat", "latitude", &place.latitude) ||
	    !degrees(v, "lon", "longitude", &place.longitude) ||
	    !object_is_geo(place.latitude, place.longitude))
		return false;
	*ret_place = place;
	return true;
}

uint64_t filter_count(const struct sl_value *v)
{
	switch (sl_value_type(v)) {
	case SL_VALUE_NULL:
		return 0;
	case SL_VALUE_LIST:
		return sl_value_count(v);
	default:
		return 1;
	}
}

/* ---- equality and order ----------------------------------------------------------------- */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int order_numbers(const struct sl_value *v, const struct sl_operand *o)
{
	bool integer = sl_value_type(v) == SL_VALUE_INTEGER;

	if (o->type == SL_VALUE_INTEGER)
		return integer ? ORDER(sl_value_integer(v), o->integer)
			       : -object_order_mixed(o->integer, sl_value_number(v));
	return integer ? object_order_mixed(sl_value_integer(v), o->number)
		       : ORDER(sl_value_number(v), o->number);
}

static bool order_texts(const struct sl_value *v, const struct sl_operand *o, int *ret)
{
	size_t n;
	const char *p;

	if (sl_value_type(v) != SL_VALUE_TEXT)
		return false;
	p = sl_value_text(v, &n);
	*ret = object_names_compare(p, n, o->text.p, o->text.n);
	return true;
}

static bool order_dates(const struct sl_value *v, const struct sl_operand *o, int *ret)
{
	int64_t us;

	if (!filter_date(v, &us))
		return false;
	*ret = ORDER(us, o->date);
	return true;
}

static bool order_uuids(const struct sl_value *v, const struct sl_operand *o, int *ret)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];

	if (!filter_uuid(v, uuid))
		return false;
	*ret = memcmp(uuid, o->uuid, sizeof(uuid));
	return true;
}

/* How the value stands to the operand; false: they have nothing to do with each other. */
static bool order(const struct sl_value *v, const struct sl_operand *o, int *ret)
{
	switch (o->type) {
	case SL_VALUE_BOOLEAN:
		if (sl_value_type(v) != SL_VALUE_BOOLEAN)
			return false;
		*ret = sl_value_boolean(v) - o->boolean;
		return true;
	case SL_VALUE_INTEGER:
	case SL_VALUE_NUMBER:
		if (!is_number(v))
			return false;
		*ret = order_numbers(v, o);
		return true;
	case SL_VALUE_TEXT:
		return order_texts(v, o, ret);
	case SL_VALUE_DATE:
		return order_dates(v, o, ret);
	case SL_VALUE_UUID:
		return order_uuids(v, o, ret);
	default:
		return false;
	}
}

static bool equals(const struct sl_value *v, const struct sl_operand *o)
{
	int is;

	return order(v, o, &is) && !is;
}

/* ---- questions to a value --------------------------------------------------------------- */

typedef bool (*holds_fn)(const struct sl_filter *f, const struct sl_value *v);

static bool is_one_of(const struct sl_filter *f, const struct sl_value *v)
{
	for (uint32_t i = 0; i < f->operand_n; i++)
		if (equals(v, &f->operands[i]))
			return true;
	return false;
}

static bool is_another(const struct sl_filter *f, const struct sl_value *v)
{
	return sl_value_type(v) != SL_VALUE_NULL && !is_one_of(f, v);
}

static bool is_above(const struct sl_filter *f, const struct sl_value *v)
{
	int is;

	if (f->range.low.type == SL_VALUE_NULL)
		return true;
	return order(v, &f->range.low, &is) && (f->range.low_open ? is > 0 : is >= 0);
}

static bool is_below(const struct sl_filter *f, const struct sl_value *v)
{
	int is;

	if (f->range.high.type == SL_VALUE_NULL)
		return true;
	return order(v, &f->range.high, &is) && (f->range.high_open ? is < 0 : is <= 0);
}

/* Without bounds: all numbers. */
static bool is_in_range(const struct sl_filter *f, const struct sl_value *v)
{
	if (f->range.low.type == SL_VALUE_NULL && f->range.high.type == SL_VALUE_NULL)
		return is_number(v);
	return is_above(f, v) && is_below(f, v);
}

static bool is_there(const struct sl_filter *f, const struct sl_value *v)
{
	struct sl_place place;

	return filter_place(v, &place) && place_is_meant(f, place);
}

static bool has_bytes(const struct sl_filter *f, const char *p, size_t n)
{
	return !f->text_n || (n && memmem(p, n, f->text, f->text_n));
}

/* NULL bounds do not come here, but for one of them. */
static bool text_is_in_range(const struct sl_filter *f, const char *p, size_t n)
{
	const struct sl_operand *low = &f->range.low, *high = &f->range.high;
	int is = low->type == SL_VALUE_NULL ? 1
					    : object_names_compare(p, n, low->text.p, low->text.n);

	if (f->range.low_open ? is <= 0 : is < 0)
		return false;
	is = high->type == SL_VALUE_NULL ? -1
					 : object_names_compare(p, n, high->text.p, high->text.n);
	return f->range.high_open ? is < 0 : is <= 0;
}

bool filter_text_holds(const struct sl_filter *f, const char *p, size_t n)
{
	switch (f->kind) {
	case SL_FILTER_WORDS:
		return text_has_words(f, p, n);
	case SL_FILTER_WORDS_ANY:
		return text_has_any_word(f, p, n);
	case SL_FILTER_PHRASE:
		return text_has_phrase(f, p, n);
	case SL_FILTER_SUBSTRING:
		return has_bytes(f, p, n);
	case SL_FILTER_LIKE:
		return text_is_like(f, p, n);
	default:
		SL_ASSERT(f->kind == SL_FILTER_RANGE);
		return text_is_in_range(f, p, n);
	}
}

static bool is_such_text(const struct sl_filter *f, const struct sl_value *v)
{
	const char *p;
	size_t n;

	if (sl_value_type(v) != SL_VALUE_TEXT)
		return false;
	p = sl_value_text(v, &n);
	return filter_text_holds(f, p, n);
}

/* NULL: the condition is none on single values. */
static const holds_fn questions[] = {
	[SL_FILTER_MATCH] = is_one_of,	   [SL_FILTER_EXCEPT] = is_another,
	[SL_FILTER_WORDS] = is_such_text,  [SL_FILTER_WORDS_ANY] = is_such_text,
	[SL_FILTER_PHRASE] = is_such_text, [SL_FILTER_SUBSTRING] = is_such_text,
	[SL_FILTER_LIKE] = is_such_text,   [SL_FILTER_RANGE] = is_in_range,
	[SL_FILTER_RADIUS] = is_there,	   [SL_FILTER_BOX] = is_there,
	[SL_FILTER_POLYGON] = is_there,	   [SL_FILTER_LAST] = NULL,
};

/* ---- walking ---------------------------------------------------------------------------- */

struct walk {
	int (*each)(void *arg, const struct sl_value *item);
	void *arg;
};

static int visit_value(void *arg, const struct sl_value *v)
{
	struct walk *w = arg;
	int ret = 0;

	if (sl_value_type(v) != SL_VALUE_LIST)
		return w->each(w->arg, v);
	for (uint32_t i = 0; !ret && i < sl_value_count(v); i++)
		ret = w->each(w->arg, sl_value_at(v, i));
	return ret;
}

int filter_visit_items(const struct sl_value *v, const char *path,
		       int (*each)(void *arg, const struct sl_value *item), void *arg)
{
	struct walk w = {each, arg};

	return sl_value_visit(v, path, visit_value, &w);
}

static int ask(void *arg, const struct sl_value *item)
{
	const struct sl_filter *f = arg;

	return questions[f->kind](f, item);
}

static bool one_holds(const struct sl_filter *f, const struct sl_value *map)
{
	return filter_visit_items(map, f->path, ask, (void *)f) > 0;
}

/* ---- conditions about all values -------------------------------------------------------- */

static bool contains_all(const struct sl_filter *f, const struct sl_value *map)
{
	struct sl_filter one = {.kind = SL_FILTER_MATCH, .path = f->path, .operand_n = 1};

	for (uint32_t i = 0; i < f->operand_n; i++) {
		one.operands = &f->operands[i];
		if (!one_holds(&one, map))
			return false;
	}
	return true;
}

struct counting {
	const struct sl_filter *f;
	bool any;
};

static bool is_count(const struct sl_filter *f, uint64_t n)
{
	return n >= f->count.min && n <= f->count.max;
}

static int count(void *arg, const struct sl_value *v)
{
	struct counting *c = arg;

	c->any = true;
	return is_count(c->f, filter_count(v));
}

static bool has_count(const struct sl_filter *f, const struct sl_value *map)
{
	struct counting c = {f};

	return sl_value_visit(map, f->path, count, &c) > 0 || (!c.any && is_count(f, 0));
}

static int find_null(void *arg, const struct sl_value *item)
{
	return sl_value_type(item) == SL_VALUE_NULL;
}

static int find_any(void *arg, const struct sl_value *v)
{
	return sl_value_type(v) == SL_VALUE_LIST ? sl_value_count(v) > 0
						 : sl_value_type(v) != SL_VALUE_NULL;
}

static bool has_key(const struct sl_filter *f, const struct sl_object *o)
{
	const uint8_t *key;
	enum sl_key_kind kind = sl_object_key(o, &key);

	for (uint32_t i = 0; i < f->key_n; i++)
		if (f->keys[i].kind == kind && !memcmp(f->keys[i].key, key, SL_OBJECT_UUID_BYTES))
			return true;
	return false;
}

/* ---- filters ---------------------------------------------------------------------------- */

static bool matches(const struct sl_filter *f, const struct sl_object *o,
		    const struct sl_value *map);

static bool at_least(const struct sl_filter *f, uint32_t n, const struct sl_object *o,
		     const struct sl_value *map)
{
	for (uint32_t i = 0; n && i < f->of_n; i++)
		if (matches(f->of[i], o, map))
			n--;
	return !n;
}

static bool all(const struct sl_filter *f, const struct sl_object *o, const struct sl_value *map)
{
	for (uint32_t i = 0; i < f->of_n; i++)
		if (!matches(f->of[i], o, map))
			return false;
	return true;
}

struct nest {
	const struct sl_filter *f;
	const struct sl_object *o;
};

static int within(void *arg, const struct sl_value *v)
{
	struct nest *n = arg;

	for (uint32_t i = 0; sl_value_type(v) == SL_VALUE_LIST && i < sl_value_count(v); i++) {
		const struct sl_value *map = sl_value_at(v, i);

		if (sl_value_type(map) == SL_VALUE_MAP && all(n->f, n->o, map))
			return 1;
	}
	return 0;
}

static bool matches(const struct sl_filter *f, const struct sl_object *o,
		    const struct sl_value *map)
{
	switch (f->kind) {
	case SL_FILTER_ALL:
		return all(f, o, map);
	case SL_FILTER_ANY:
		return at_least(f, sl_max(f->at_least, 1u), o, map);
	case SL_FILTER_NONE:
		return !at_least(f, 1, o, map);
	case SL_FILTER_NESTED:
		return sl_value_visit(map, f->path, within, &(struct nest){f, o}) > 0;
	case SL_FILTER_CONTAINS_ALL:
		return contains_all(f, map);
	case SL_FILTER_COUNT:
		return has_count(f, map);
	case SL_FILTER_IS_NULL:
		return filter_visit_items(map, f->path, find_null, NULL) > 0;
	case SL_FILTER_IS_EMPTY:
		return sl_value_visit(map, f->path, find_any, NULL) <= 0;
	case SL_FILTER_HAS_KEY:
		return has_key(f, o);
	case SL_FILTER_HAS_VECTOR:
		return sl_object_vector(o, f->vector, NULL, NULL);
	default:
		SL_ASSERT(f->kind < SL_FILTER_LAST);
		SL_ASSERT(questions[f->kind]);
		return one_holds(f, map);
	}
}

bool sl_filter_matches(const struct sl_filter *f, const struct sl_object *o)
{
	return matches(f, o, sl_object_properties(o));
}

/* ---- checking --------------------------------------------------------------------------- */

struct checking {
	char *why;
	size_t why_len;
};

static int __attribute__((format(printf, 2, 3)))
wrong(const struct checking *c, const char *fmt, ...)
{
	va_list args;

	if (c->why && c->why_len) {
		va_start(args, fmt);
		vsnprintf(c->why, c->why_len, fmt, args);
		va_end(args);
	}
	return -EINVAL;
}

static int check_path(const struct checking *c, const char *path)
{
	if (object_is_path(path))
		return 0;
	return wrong(c,
		     "\"%s\" is no path: names with dots between, [3] or [] behind those of lists, "
		     "\"\" around names with dots or brackets",
		     path);
}

static int check_operand(const struct checking *c, const struct sl_filter *f,
			 const struct sl_operand *o)
{
	if (o->type == SL_VALUE_NUMBER && isnan(o->number))
		return wrong(c, "%s: a value to compare with is no number", f->path);
	return 0;
}

static int check_operands(const struct checking *c, const struct sl_filter *f)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < f->operand_n; i++)
		err = check_operand(c, f, &f->operands[i]);
	return err;
}

static int check_range(const struct checking *c, const struct sl_filter *f)
{
	int err = check_operand(c, f, &f->range.low);

	return err ? err : check_operand(c, f, &f->range.high);
}

static int check_place(const struct checking *c, const struct sl_filter *f, struct sl_place place)
{
	if (object_is_geo(place.latitude, place.longitude))
		return 0;
	return wrong(c,
		     "%s: no place has latitude %g and longitude %g: latitudes are from -90 to 90, "
		     "longitudes from -180 to 180",
		     f->path, place.latitude, place.longitude);
}

static int check_circle(const struct checking *c, const struct sl_filter *f)
{
	if (!(f->radius.radius_m >= 0))
		return wrong(c, "%s: the radius must not be below 0 m, and is %g", f->path,
			     f->radius.radius_m);
	return check_place(c, f, f->radius.centre);
}

static int check_box(const struct checking *c, const struct sl_filter *f)
{
	int err = check_place(c, f, f->box.top_left);

	return err ? err : check_place(c, f, f->box.bottom_right);
}

static int check_polygon(const struct checking *c, const struct sl_filter *f)
{
	int err = f->ring_n ? 0 : wrong(c, "%s: a polygon without corners", f->path);

	for (uint32_t i = 0; !err && i < f->ring_n; i++) {
		const struct sl_ring *ring = &f->rings[i];

		if (ring->n < 3)
			return wrong(c, "%s: a polygon needs at least 3 corners, and has %u",
				     f->path, ring->n);
		for (uint32_t at = 0; !err && at < ring->n; at++)
			err = check_place(c, f, ring->places[at]);
	}
	return err;
}

static int check(const struct checking *c, const struct sl_filter *f, unsigned depth);

static int check_all(const struct checking *c, const struct sl_filter *f, unsigned depth)
{
	int err = 0;

	if (depth == SL_FILTER_DEPTH_MAX)
		return wrong(c, "more than %d filters within one another", SL_FILTER_DEPTH_MAX);
	for (uint32_t i = 0; !err && i < f->of_n; i++)
		err = check(c, f->of[i], depth + 1);
	return err;
}

static bool has_path(const struct sl_filter *f)
{
	return f->kind >= SL_FILTER_NESTED && f->kind != SL_FILTER_HAS_KEY &&
	       f->kind != SL_FILTER_HAS_VECTOR;
}

static int check(const struct checking *c, const struct sl_filter *f, unsigned depth)
{
	int err = has_path(f) ? check_path(c, f->path) : 0;

	if (err)
		return err;
	switch (f->kind) {
	case SL_FILTER_ALL:
	case SL_FILTER_ANY:
	case SL_FILTER_NONE:
	case SL_FILTER_NESTED:
		return check_all(c, f, depth);
	case SL_FILTER_MATCH:
	case SL_FILTER_EXCEPT:
	case SL_FILTER_CONTAINS_ALL:
		return check_operands(c, f);
	case SL_FILTER_RANGE:
		return check_range(c, f);
	case SL_FILTER_RADIUS:
		return check_circle(c, f);
	case SL_FILTER_BOX:
		return check_box(c, f);
	case SL_FILTER_POLYGON:
		return check_polygon(c, f);
	default:
		SL_ASSERT(f->kind < SL_FILTER_LAST);
		return 0;
	}
}

int sl_filter_check(const struct sl_filter *f, char *why, size_t why_len)
{
	return check(&(struct checking){why, why_len}, f, 1);
}
