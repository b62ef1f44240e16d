// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregate's counting: what stays of the objects of each group.
 *
 * Interface: agg_group_all(), agg_count() of aggregate_pvt.h. What stays of an object is added up,
 * but for figures that are made of all values in their order: these are kept, up to VALUES_MAX of
 * them.
 *
 * Order of parts: values; groups.
 */
#include <errno.h>
#include <math.h>
#include <xxhash.h>

#include "aggregate_pvt.h"

/* ---- values ----------------------------------------------------------------------------- */

/* Return: 0; -EFBIG: there are too many; -ENOMEM. */
static int keep_value(struct http_arena *a, struct agg_measured *m, const struct agg_value *v)
{
	if (m->n == VALUES_MAX)
		return -EFBIG;
	if (m->n == m->room) {
		struct agg_value *more;

		m->room = sl_max(2 * m->room, 16u);
		more = http_arena_array(a, struct agg_value, m->room);
		if (!more)
			return -ENOMEM;
		if (m->n)
			memcpy(more, m->v, m->n * sizeof(*more));
		m->v = more;
	}
	m->v[m->n++] = *v;
	return 0;
}

static void add_number(struct agg_measured *m, double number)
{
	m->least = m->count ? fmin(m->least, number) : number;
	m->most = m->count ? fmax(m->most, number) : number;
	m->sum += number;
	m->count++;
}

/* As a value of its own memory. Return: 1; 0: nothing that is counted; -ENOMEM. */
static int read_value(struct http_arena *a, const struct sl_value *v, struct agg_value *ret)
{
	char uuid[SL_UUID_TEXT_BYTES];
	const char *p;
	size_t n;

	*ret = (struct agg_value){0};
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
static int measure(struct http_arena *a, struct agg_measured *m, const struct sl_value *v,
		   bool keep)
{
	uint32_t n = sl_value_type(v) == SL_VALUE_LIST ? sl_value_count(v) : 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct sl_value *item = sl_value_type(v) == SL_VALUE_LIST ? sl_value_at(v, i)
										: v;
		struct agg_value value;
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

/* ---- groups ----------------------------------------------------------------------------- */

static int add_group(struct agg_groups *g, const struct agg_value *by, struct agg_group **ret_group)
{
	if (g->n == GROUPS_MAX)
		return -E2BIG;
	if (g->n == g->room) {
		struct agg_group *more;

		g->room = sl_max(2 * g->room, 4u);
		more = http_arena_array(&g->c->arena, struct agg_group, g->room);
		if (!more)
			return -ENOMEM;
		if (g->n)
			memcpy(more, g->v, g->n * sizeof(*more));
		g->v = more;
	}
	*ret_group = &g->v[g->n];
	**ret_group = (struct agg_group){
		.by = *by,
		.measured = http_arena_array(&g->c->arena, struct agg_measured, g->a->columns_n),
	};
	if (!(*ret_group)->measured)
		return -ENOMEM;
	g->n++;
	return 0;
}

int agg_group_all(struct agg_groups *g, struct agg_group **ret_group)
{
	if (!g->n)
		return add_group(g, &(struct agg_value){0}, ret_group);
	*ret_group = g->v;
	return 0;
}

static int find_group(struct agg_groups *g, const struct agg_value *by,
		      struct agg_group **ret_group)
{
	bool text = agg_is_text(g->a->by);
	double number = by->number + 0; /* no -0 */
	uint64_t hash = text ? XXH3_64bits(by->text.p, by->text.n)
			     : XXH3_64bits(&number, sizeof(number));
	uint32_t at = hash % GROUP_SLOTS;
	int err;

	for (; g->slots[at]; at = (at + 1) % GROUP_SLOTS) {
		struct agg_group *group = &g->v[g->slots[at] - 1];

		if (text ? agg_compare_texts(&group->by, by) : agg_compare_numbers(&group->by, by))
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
static int count_in(struct agg_groups *g, const struct agg_value *by, const struct sl_object *o)
{
	const struct sl_value *properties = sl_object_properties(o);
	struct agg_group *group;
	int err = by ? find_group(g, by, &group) : agg_group_all(g, &group);

	if (err)
		return err;
	group->n++;
	for (uint32_t i = 0; i < g->a->columns_n && !err; i++) {
		const struct agg_column *col = &g->a->columns[i];
		const struct sl_value *v =
			col->p ? sl_value_get(properties, col->p->name, strlen(col->p->name))
			       : NULL;

		err = v ? measure(&g->c->arena, &group->measured[i], v, col->keeps) : 0;
	}
	return err;
}

int agg_count(void *groups, const struct sl_object *o)
{
	struct agg_groups *g = groups;
	const struct wv_property *by = g->a->by;
	const struct sl_value *v;
	struct agg_measured values = {0};
	int err;

	if (!by)
		return count_in(g, NULL, o);
	v = sl_value_get(sl_object_properties(o), by->name, strlen(by->name));
	err = v ? measure(&g->c->arena, &values, v, true) : 0;
	for (uint32_t i = 0; i < values.n && !err; i++)
		err = count_in(g, &values.v[i], o);
	return err;
}
