// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL's Aggregate: figures of a class's objects, of all of them or of each group.
 *
 * Interface: wv_aggregate_plan() and wv_aggregate_run() of weaviate_pvt.h. Unless only a count is
 * wanted, each object is looked at once: aggregate_groups.c adds it to its groups, and in the end
 * aggregate_figures.c tells of them. Invariant: others have a turn at least every thousand objects.
 *
 * Order of parts: selecting; calls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aggregate_pvt.h"

/* ---- selecting -------------------------------------------------------------------------- */

static int select_column(struct wv_query *q, const struct wv_class *k, struct agg_column *col)
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
		if (!agg_has_figure(col->p, col->figures[i], &col->keeps))
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
	a->columns = http_arena_array(&q->c->arena, struct agg_column, n);
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

static int count_nearest(struct wv_query *q, struct wv_plan *p, struct agg_groups *g)
{
	int err;

	/* "limit" is of groups. */
	err = limit_of(p, &p->f.limit);
	p->f.with_objects = true;
	if (!err)
		err = wv_find(q->c, &p->f, p->why);
	for (uint32_t i = 0; i < p->f.n && !err; i++)
		err = agg_count(g, p->f.hits[i].object);
	wv_find_done(&p->f);
	return err;
}

static int count_only(struct wv_query *q, const struct wv_plan *p, struct agg_groups *g)
{
	struct agg_group *group;
	int err = agg_group_all(g, &group);

	return err ? err
		   : objects_count(q->c->objects, p->f.k->collection->name, p->f.filter, true,
				   &group->n, q->c->deadline);
}

int wv_aggregate_run(struct wv_query *q, struct wv_plan *p)
{
	const struct wv_aggregation *a = p->aggregate;
	struct agg_groups g = {.c = q->c, .a = a};
	uint32_t limit = p->limited ? p->f.limit : UINT32_MAX;
	struct agg_group *group;
	int err;

	if (a->by)
		g.slots = http_arena_array(&q->c->arena, uint16_t, GROUP_SLOTS);
	/* Without groups there is one also if it has no objects. */
	if (a->by)
		err = g.slots ? 0 : -ENOMEM;
	else
		err = agg_group_all(&g, &group);
	if (!err && p->f.vector)
		err = count_nearest(q, p, &g);
	else if (!err && !a->values && !a->by)
		err = count_only(q, p, &g);
	else if (!err)
		err = wv_find_each(q->c, p->f.k, p->f.filter, agg_count, &g);
	if (err == -E2BIG)
		snprintf(p->why, sizeof(p->why), "groupBy: more than %d different values",
			 GROUPS_MAX);
	if (err == -EFBIG)
		snprintf(p->why, sizeof(p->why),
			 "median, mode and topOccurrences are made of at most %d values",
			 VALUES_MAX);
	if (err == -E2BIG || err == -EFBIG)
		err = -EINVAL;
	return err ? err : agg_put(&g, limit);
}
