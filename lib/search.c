/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: searching.
 *
 * Interface: "searching" of <sluice/objects.h>. Searches of threads that wait for a turn at the
 * same time are not answered together: whoever has many queries asks them in one call.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

static struct objects_query query_in(const struct sl_objects_query *q)
{
	return (struct objects_query){
		.vector_name = q->vector_name ? q->vector_name : "",
		.vector = q->vector,
		.dim = q->dim,
		.like = q->like,
		.weigh = q->weigh,
		.arg = q->arg,
		.k = q->k,
		.offset = q->offset,
		.filter = q->filter,
		.effort = q->effort,
		.oversampling = q->oversampling,
		.exact = q->exact,
		.estimates = q->estimates,
		.bounded = q->bounded,
		.bound = q->bound,
		.with_objects = q->with_objects,
	};
}

/* What was found; what @q holds is taken over. */
static void query_out(struct objects_query *q, struct sl_objects_query *ret_q)
{
	ret_q->result = q->result;
	ret_q->fault = q->fault;
	ret_q->hits = NULL;
	ret_q->n = 0;
	if (q->result)
		return;
	ret_q->result = hits_out_new(q->hits, q->n, &ret_q->hits);
	if (!ret_q->result)
		ret_q->n = q->n;
}

int sl_objects_search(struct sl_objects *o, const char *name, struct sl_objects_query *queries,
		      uint32_t n)
{
	struct objects_query *in = calloc((size_t)n + 1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		in[i] = query_in(&queries[i]);
	sl_turns_enter(o->turns);
	err = objects_search(o->objects, name, in, n, SL_NEVER);
	sl_turns_leave(o->turns);
	for (uint32_t i = 0; i < n && !err; i++)
		query_out(&in[i], &queries[i]);
	free(in);
	return err;
}

void sl_objects_queries_done(struct sl_objects_query *queries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sl_objects_release(queries[i].hits, queries[i].n);
		free(queries[i].hits);
		queries[i].hits = NULL;
		queries[i].n = 0;
	}
}
