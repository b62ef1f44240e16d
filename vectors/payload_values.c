/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that payload indexes know: how many rows have each, and rows in their order.
 *
 * Interface: payload.h (sl_payload_facet(), sl_payload_order()).
 *
 * Order of parts: operands of keys; facets; orders.
 */
#include <errno.h>
#include <string.h>

#include "payload_pvt.h"

/* ---- operands of keys ------------------------------------------------------------------- */

static struct sl_operand of_word(enum sl_payload_type type, const struct word *w)
{
	struct sl_operand o = {0};

	switch (type) {
	case SL_PAYLOAD_BOOLEAN:
		o.type = SL_VALUE_BOOLEAN;
		o.boolean = w->key[0];
		return o;
	case SL_PAYLOAD_UUID:
		o.type = SL_VALUE_UUID;
		memcpy(o.uuid, w->key, sizeof(o.uuid));
		return o;
	default:
		o.type = SL_VALUE_TEXT;
		o.text.p = w->key;
		o.text.n = w->n;
		return o;
	}
}

static struct sl_operand of_key(enum sl_payload_type type, uint64_t key)
{
	switch (type) {
	case SL_PAYLOAD_NUMBER:
		return (struct sl_operand){SL_VALUE_NUMBER, .number = number_of_key(key)};
	case SL_PAYLOAD_DATE:
		return (struct sl_operand){SL_VALUE_DATE, .date = integer_of_key(key)};
	default:
		return (struct sl_operand){SL_VALUE_INTEGER, .integer = integer_of_key(key)};
	}
}

/* ---- facets ----------------------------------------------------------------------------- */

typedef int (*facet_fn)(void *arg, const struct sl_operand *value, uint32_t rows);

static const enum sl_payload_type facets[] = {SL_PAYLOAD_KEYWORD, SL_PAYLOAD_INTEGER,
					      SL_PAYLOAD_BOOLEAN, SL_PAYLOAD_UUID};

static struct payload_index *facet_index(const struct sl_payload *p, const char *path)
{
	struct payload_index *x = NULL;

	for (uint32_t i = 0; !x && i < SL_ARRAY_SIZE(facets); i++)
		x = payload_find(p, NULL, path, facets[i]);
	return x;
}

bool sl_payload_can_facet(const struct sl_payload *p, const char *path)
{
	return facet_index(p, path);
}

static int facet_words(const struct payload_index *x, const struct sl_row_set *set, facet_fn each,
		       void *arg)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < x->dict.room; i++) {
		const struct word *w = x->dict.slots[i];
		struct sl_operand value;
		uint32_t n;

		if (!w)
			continue;
		n = set ? posting_count_of(&w->rows, set->map) : posting_count(&w->rows);
		if (!n)
			continue;
		value = of_word(x->conf.type, w);
		ret = each(arg, &value, n);
	}
	return ret;
}

static int facet_keys(const struct payload_index *x, const struct sl_row_set *set, facet_fn each,
		      void *arg)
{
	struct sorted_at at = {0, 0}, end = sorted_end(&x->sorted);
	uint64_t key = 0, next;
	uint32_t n = 0, row;
	int ret = 0;

	while (!ret && sorted_next(&x->sorted, &at, end, &next, &row)) {
		struct sl_operand value = of_key(x->conf.type, key);

		if (next != key && n) {
			ret = each(arg, &value, n);
			n = 0;
		}
		key = next;
		n += !set || roaring_bitmap_contains(set->map, row);
	}
	if (!ret && n) {
		struct sl_operand value = of_key(x->conf.type, key);

		ret = each(arg, &value, n);
	}
	return ret;
}

int sl_payload_facet(const struct sl_payload *p, const char *path, const struct sl_row_set *set,
		     facet_fn each, void *arg)
{
	struct payload_index *x = facet_index(p, path);

	if (!x)
		return -ENOENT;
	return payload_is_sorted(x->conf.type) ? facet_keys(x, set, each, arg)
					       : facet_words(x, set, each, arg);
}

/* ---- orders ----------------------------------------------------------------------------- */

typedef int (*order_fn)(void *arg, const struct sl_operand *value, uint32_t row);

static struct payload_index *order_index(const struct sl_payload *p, const char *path)
{
	struct payload_index *x = payload_find_for(p, NULL, path, SL_VALUE_NUMBER);

	return x ? x : payload_find(p, NULL, path, SL_PAYLOAD_DATE);
}

bool sl_payload_can_order(const struct sl_payload *p, const char *path)
{
	return order_index(p, path);
}

static int order_pairs(const struct payload_index *x, struct sorted_part part, order_fn each,
		       void *arg)
{
	uint64_t key;
	uint32_t row;
	int ret = 0;

	while (!ret && sorted_next(&x->sorted, &part.from, part.to, &key, &row)) {
		struct sl_operand value = of_key(x->conf.type, key);

		ret = each(arg, &value, row);
	}
	return ret;
}

/* The key before a place, which is not the first. */
static uint64_t key_before(const struct sorted *s, struct sorted_at at)
{
	const struct leaf *l = s->leaves[at.i ? at.leaf : at.leaf - 1];

	return l->keys[at.i ? at.i - 1 : l->n - 1];
}

static int order_falling(const struct payload_index *x, struct sorted_part part, order_fn each,
			 void *arg)
{
	int ret = 0;

	while (!ret && (part.to.leaf != part.from.leaf || part.to.i != part.from.i)) {
		uint64_t key = key_before(&x->sorted, part.to);
		struct sorted_at from = sorted_find(&x->sorted, key, 0);

		ret = order_pairs(x, (struct sorted_part){from, part.to}, each, arg);
		part.to = from;
	}
	return ret;
}

int sl_payload_order(const struct sl_payload *p, const char *path, bool falling,
		     const struct sl_operand *from, order_fn each, void *arg)
{
	static const struct sl_operand no_bound = {SL_VALUE_NULL};
	const struct payload_index *x = order_index(p, path);
	struct sorted_part part;
	struct key_bounds b;

	if (!x)
		return -ENOENT;
	if (!key_bounds_of(x->conf.type, falling || !from ? &no_bound : from, false,
			   falling && from ? from : &no_bound, false, &b))
		return -EINVAL;
	part = sorted_range(&x->sorted, b.range);
	return falling ? order_falling(x, part, each, arg) : order_pairs(x, part, each, arg);
}
