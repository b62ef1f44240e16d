// SPDX-License-Identifier: Apache-2.0
/*
 * Finding objects: the nearest ones, or those that a filter means, for GraphQL and for lists.
 *
 * Interface: the part "finding" of weaviate_pvt.h.
 *
 * Order of parts: distances; the nearest; lists; calls.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- distances -------------------------------------------------------------------------- */

float wv_distance_of(enum sl_metric metric, float score)
{
	switch (metric) {
	case SL_METRIC_COSINE:
		return 1 - score;
	case SL_METRIC_DOT:
		return 0 - score; /* not -0 */
	case SL_METRIC_L2:
		return score * score;
	default:
		return score;
	}
}

/* The score of what is so far away. */
static float score_of(enum sl_metric metric, float distance)
{
	switch (metric) {
	case SL_METRIC_COSINE:
		return 1 - distance;
	case SL_METRIC_DOT:
		return -distance;
	case SL_METRIC_L2:
		return sqrtf(sl_max(distance, 0.0f));
	default:
		return distance;
	}
}

/* ---- the nearest ------------------------------------------------------------------------ */

static int explain(const struct wv_finding *f, const struct objects_query *q, char why[FAULT_BYTES])
{
	if (q->result != -EINVAL)
		return q->result;
	if (q->fault == SL_OBJECTS_WRONG_DIM)
		snprintf(why, FAULT_BYTES, "vector search: vector lengths don't match: %u vs %u",
			 f->vector->dim, f->dim);
	else
		wv_fault_text(f->k->collection, q->fault, 0, 0, why);
	return -EINVAL;
}

static int find_nearest(struct wv_call *c, struct wv_finding *f, char why[FAULT_BYTES])
{
	struct objects_query *q = &f->query;
	int err;

	/* Nothing was stored that could be near. */
	if (!f->vector->dim || !f->limit)
		return 0;
	*q = (struct objects_query){
		.vector_name = f->vector->name,
		.vector = f->values,
		.dim = f->dim,
		.k = f->limit,
		.offset = f->offset,
		.filter = f->filter,
		.effort = f->vector->effort,
		.bounded = f->bounded,
		.bound = f->bounded ? score_of(f->vector->metric, f->distance_max) : 0,
		.with_objects = f->with_objects || f->sort_n,
	};
	err = objects_search(c->objects, f->k->collection->name, q, 1, c->deadline);
	if (err)
		return err;
	err = explain(f, q, why);
	if (err) {
		objects_queries_done(q, 1);
		return err;
	}
	f->hits = q->hits;
	f->n = q->n;
	f->searched = true;
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------ */

static int find_list(struct wv_call *c, struct wv_finding *f)
{
	const struct sl_objects_scroll scroll = {
		.filter = f->filter,
		.from = f->after,
		.after = f->after.kind != SL_KEY_NONE,
		.skip = f->offset,
		.limit = f->limit,
		.with_objects = f->with_objects,
	};
	int err;

	if (!f->limit)
		return 0;
	err = objects_scroll(c->objects, f->k->collection->name, &scroll, &f->list, c->deadline);
	if (err)
		return err;
	f->hits = f->list.hits;
	f->n = f->list.n;
	return 0;
}

/* ---- calls ------------------------------------------------------------------------------ */

int wv_find(struct wv_call *c, struct wv_finding *f, char why[FAULT_BYTES])
{
	int err;

	*why = 0;
	if (f->vector) {
		err = find_nearest(c, f, why);
		if (!err && f->sort_n)
			err = wv_sort_hits(c, f);
	} else {
		err = f->sort_n ? wv_find_sorted(c, f) : find_list(c, f);
	}
	if (err)
		wv_find_done(f);
	return err;
}

void wv_find_done(struct wv_finding *f)
{
	if (f->searched)
		objects_queries_done(&f->query, 1);
	else if (f->list.hits)
		objects_list_done(&f->list);
	else if (f->hits)
		objects_release(f->hits, f->n);
	f->searched = false;
	f->list = (struct objects_list){0};
	f->hits = NULL;
	f->n = 0;
}

int wv_find_each(struct wv_call *c, const struct wv_class *k, const struct sl_filter *filter,
		 int (*each)(void *arg, const struct sl_object *o), void *arg)
{
	enum { PAGE = 1000 };
	struct sl_objects_scroll scroll = {.filter = filter, .limit = PAGE, .with_objects = true};
	int err = 0;

	do {
		struct objects_list list = {0};

		err = objects_scroll(c->objects, k->collection->name, &scroll, &list, c->deadline);
		for (uint32_t i = 0; i < list.n && !err; i++)
			err = each(arg, list.hits[i].object);
		scroll.from = list.next;
		if (list.hits)
			objects_list_done(&list);
	} while (!err && scroll.from.kind != SL_KEY_NONE);
	return err;
}

int wv_find_object(struct wv_call *c, const struct wv_class *k, const uint8_t *uuid,
		   struct objects_hit *ret_hit)
{
	const struct sl_filter_key key = objects_key_uuid(uuid);
	int err = objects_get(c->objects, k->collection->name, &key, 1, ret_hit, c->deadline);

	if (err)
		return err;
	if (ret_hit->object)
		return 0;
	objects_release(ret_hit, 1);
	return -ENOENT;
}
