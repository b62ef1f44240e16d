/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write: operations become batches of the log.
 *
 * Interface: "writing" of objects.h. One call at a time looks at what is there and appends; whoever
 * waits for the sync does not keep others from that. A PUT looks at nothing; an operation that
 * needs to know what is there waits until what is pending for its key is applied.
 * Invariants: room in memory is made before a batch is appended; offsets rise in the order in which
 * operations were asked for.
 *
 * Order of parts: objects; checks; staging; operations; calls; all that match.
 */
#include <math.h>

#include "objects_pvt.h"

/* ---- objects ---------------------------------------------------------------------------- */

int object_new(struct sl_object_builder *b, struct sl_object **ret_object)
{
	struct sl_object *o;
	size_t n;
	int rc = sl_object_build_bytes(b, &n);

	if (rc)
		return rc;
	o = aligned_alloc(SL_OBJECT_ALIGN, sl_round_up(n, SL_OBJECT_ALIGN));
	if (!o)
		return -ENOMEM;
	rc = sl_object_build(b, o, n);
	if (rc)
		free(o);
	else
		*ret_object = o;
	return rc;
}

/* ---- checks ----------------------------------------------------------------------------- */

/**
 * struct writing - a call, at home.
 * @filter: operations are for objects that match it. @batch: what is staged, with what is @olds[i]
 * replaced and of operation @which[i]. @end: behind the last batch that was appended.
 * @units: vectors that were made of length 1.
 */
struct writing {
	struct visit visit;
	struct sl_objects_op *ops;
	uint32_t n;
	bool all;
	const struct sl_filter *filter;
	struct batch batch;
	struct sl_object **olds;
	uint32_t *which;
	uint64_t end;
	float *units;
};

static bool takes_type(const struct sl_objects_vector *conf, enum sl_vector_type type)
{
	return type == SL_VECTOR_F32 ||
	       (conf->metric != SL_METRIC_COSINE && (enum sl_component)type == conf->component);
}

static int refuse(struct sl_objects_op *op, enum sl_objects_fault fault, uint32_t vector,
		  uint32_t dim)
{
	op->fault = fault;
	op->vector = vector;
	op->dim = dim;
	return -EINVAL;
}

static int object_check(const struct collection *c, struct sl_objects_op *op,
			const struct sl_object *o)
{
	uint32_t named = 0, dim;
	enum sl_vector_type type;
	const uint8_t *key;

	if (!o)
		return refuse(op, SL_OBJECTS_BAD_OBJECT, 0, 0);
	if (sl_object_key(o, &key) == SL_KEY_NONE)
		return refuse(op, SL_OBJECTS_NO_KEY, 0, 0);
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		const struct sl_objects_vector *conf = c->vectors[i]->conf;

		if (!sl_object_vector(o, conf->name, &type, &dim))
			continue;
		named++;
		if (dim != conf->dim)
			return refuse(op, SL_OBJECTS_WRONG_DIM, i, dim);
		if (!takes_type(conf, type))
			return refuse(op, SL_OBJECTS_WRONG_TYPE, i, dim);
	}
	if (c->own->pub.conf.strict && named < sl_object_vector_count(o))
		return refuse(op, SL_OBJECTS_UNKNOWN_VECTOR, 0, 0);
	return 0;
}

/* ---- staging ---------------------------------------------------------------------------- */

static int flush(struct collection *c, struct writing *w, int64_t deadline)
{
	uint32_t n = w->batch.n;
	uint64_t base;
	int rc;

	if (!n)
		return 0;
	rc = pending_append(c, &w->batch, w->olds, &base, deadline);
	w->olds = NULL;
	if (rc)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		w->ops[w->which[i]].version = base + i;
	w->end = base + n;
	return 0;
}

/* All that was appended so far, here and by others, is to be seen. */
static int catch_up(struct collection *c, struct writing *w, int64_t deadline)
{
	int rc = flush(c, w, deadline);

	return rc ? rc : pending_drain(c, deadline);
}

/* Whether the object's vector of cosine @v is not of length 1. */
static bool wants_unit(const struct vector *v, const struct sl_object *o, const void **ret_p)
{
	enum sl_vector_type type;
	double sum = 0;
	uint32_t dim;
	const uint8_t *p = sl_object_vector(o, v->conf->name, &type, &dim);

	if (!p || v->conf->metric != SL_METRIC_COSINE)
		return false;
	*ret_p = p;
	for (uint32_t i = 0; i < dim; i++) {
		float f;

		memcpy(&f, p + i * sizeof(f), sizeof(f));
		sum += (double)f * f;
	}
	return sum > 0 && fabs(sum - 1) > 1e-6;
}

/* Puts into @c->builder the object with vectors of cosine of length 1. Return: 1: it has; 0: @o is
 * as it should be; -errno. */
static int normalise(struct collection *c, struct writing *w, const struct sl_object *o)
{
	size_t at = 0, all = 0;
	int rc = 0, any = 0;
	const void *p;

	if (c->own->pub.conf.as_given)
		return 0;
	for (uint32_t i = 0; i < c->vectors_n; i++)
		all += c->vectors[i]->conf->dim;
	for (uint32_t i = 0; i < c->vectors_n && !rc; i++) {
		const struct sl_objects_vector *conf = c->vectors[i]->conf;

		if (!wants_unit(c->vectors[i], o, &p))
			continue;
		if (!w->units)
			w->units = malloc(all * sizeof(*w->units));
		if (!w->units)
			return -ENOMEM;
		if (!any++) {
			sl_object_builder_reset(c->builder);
			rc = sl_object_load(c->builder, o);
		}
		memcpy(w->units + at, p, conf->dim * sizeof(*w->units));
		vector_normalise(w->units + at, conf->dim);
		if (!rc)
			rc = sl_object_put_vector(c->builder, conf->name, SL_VECTOR_F32,
						  w->units + at, conf->dim);
		at += conf->dim;
	}
	return rc ? rc : any > 0;
}

static int stage(struct writing *w, uint32_t i, enum batch_op op, const struct sl_filter_key *key,
		 size_t bytes, struct sl_object *old, uint8_t **ret_room)
{
	int rc;

	if (old && !w->olds) {
		w->olds = calloc(BATCH_OPS_MAX, sizeof(*w->olds));
		if (!w->olds)
			return -ENOMEM;
	}
	rc = batch_add(&w->batch, op, key, 0, bytes, ret_room);
	if (rc)
		return rc;
	w->which[w->batch.n - 1] = i;
	if (w->olds)
		w->olds[w->batch.n - 1] = old;
	return 0;
}

/* @old is kept if it returns 0. */
static int stage_object(struct collection *c, struct writing *w, uint32_t i,
			const struct sl_object *o, struct sl_object *old)
{
	const struct sl_filter_key key = object_key(o);
	uint8_t *room = NULL;
	size_t n = sl_object_bytes(o);
	int built = normalise(c, w, o), rc = sl_min(built, 0);

	if (built == 1)
		rc = sl_object_build_bytes(c->builder, &n);
	if (!rc)
		rc = stage(w, i, BATCH_PUT, &key, n, old, &room);
	if (rc)
		return rc;
	if (built != 1) {
		memcpy(room, o, n);
		return 0;
	}
	rc = sl_object_build(c->builder, room, n);
	if (rc && w->olds)
		w->olds[w->batch.n - 1] = NULL;
	return rc;
}

/* ---- operations ------------------------------------------------------------------------- */

/* A copy of the object in @row, wherever one is wanted. */
static int old_copy(struct collection *c, uint32_t row, struct sl_object **ret_old,
		    int64_t deadline)
{
	struct objects_hit hit = {0};
	struct sl_object *old;
	size_t n;
	int rc = object_load(c, row, &hit, deadline);

	if (rc)
		return rc;
	n = sl_object_bytes(hit.object);
	old = aligned_alloc(SL_OBJECT_ALIGN, sl_round_up(n, SL_OBJECT_ALIGN));
	if (old)
		memcpy(old, hit.object, n);
	objects_release(&hit, 1);
	*ret_old = old;
	return old ? 0 : -ENOMEM;
}

/* What @op->change makes of @old; to be freed. Return: 0; 1: it stays; the operation's result. */
static int changed(struct collection *c, const struct sl_objects_op *op,
		   const struct sl_object *old, struct sl_object **ret_object)
{
	int rc;

	sl_object_builder_reset(c->builder);
	rc = sl_object_load(c->builder, old);
	if (!rc)
		rc = op->change(op->arg, old, c->builder);
	return rc ? rc : object_new(c->builder, ret_object);
}

static struct sl_filter_key op_key(const struct sl_objects_op *op)
{
	bool given = op->kind == SL_OBJECTS_PUT || op->kind == SL_OBJECTS_INSERT;

	return given ? object_key(op->object) : op->key;
}

static int change_stage(struct collection *c, struct writing *w, uint32_t i, struct sl_object *old,
			bool keep)
{
	struct sl_objects_op *op = &w->ops[i];
	struct sl_object *o = NULL;
	int rc = changed(c, op, old, &o);

	if (rc) {
		op->result = rc;
		return rc == -ENOMEM ? rc : 1;
	}
	op->result = has_key(o, op->key.kind, op->key.key) ? object_check(c, op, o)
							   : refuse(op, SL_OBJECTS_NO_KEY, 0, 0);
	rc = op->result ? 1 : stage_object(c, w, i, o, keep ? old : NULL);
	free(o);
	return rc;
}

/* @keep: @old will be wanted when it is applied. Return: 0: staged; 1: decided without; -errno: the
 * whole call ends. */
static int op_stage(struct collection *c, struct writing *w, uint32_t i,
		    const struct sl_filter_key *key, uint32_t row, struct sl_object *old, bool keep)
{
	struct sl_objects_op *op = &w->ops[i];
	struct sl_object *kept = keep ? old : NULL;

	if (w->filter && !sl_filter_matches(w->filter, old)) {
		op->result = 1;
		return 1;
	}
	switch (op->kind) {
	case SL_OBJECTS_INSERT:
		op->result = row == SL_ROW_NONE ? 0 : -EEXIST;
		return op->result ? 1 : stage_object(c, w, i, op->object, kept);
	case SL_OBJECTS_CHANGE:
		return change_stage(c, w, i, old, keep);
	case SL_OBJECTS_DELETE:
		return stage(w, i, BATCH_DELETE, key, 0, kept, NULL);
	default:
		return stage_object(c, w, i, op->object, kept);
	}
}

static int op_plan(struct collection *c, struct writing *w, uint32_t i, int64_t deadline)
{
	struct sl_objects_op *op = &w->ops[i];
	struct sl_filter_key key = op_key(op);
	bool payload = collection_has_payload(c), old_wanted;
	struct sl_object *old = NULL;
	uint64_t hash = key_hash(&key);
	uint32_t row;
	int rc = 0;

	if ((op->kind != SL_OBJECTS_PUT || payload) &&
	    (batch_has(&w->batch, hash) || pending_has(c, hash)))
		rc = catch_up(c, w, deadline);
	if (rc)
		return rc;
	row = rows_find(&c->rows, &key);
	if (row == SL_ROW_NONE &&
	    (op->kind == SL_OBJECTS_CHANGE || op->kind == SL_OBJECTS_DELETE)) {
		op->result = -ENOENT;
		return 0;
	}
	old_wanted = payload || w->filter || op->kind == SL_OBJECTS_CHANGE;
	if (row != SL_ROW_NONE && old_wanted)
		rc = old_copy(c, row, &old, deadline);
	if (rc == -EBADMSG && (op->kind == SL_OBJECTS_CHANGE || w->filter)) {
		op->result = rc;
		return 0;
	}
	if (rc && rc != -EBADMSG)
		return rc;
	rc = op_stage(c, w, i, &key, row, old, payload);
	if (rc || !payload)
		free(old);
	return sl_min(rc, 0);
}

/* ---- calls ------------------------------------------------------------------------------ */

/* What can be said without a look at what is there. Return: how many are refused. */
static uint32_t ops_check(struct collection *c, struct writing *w)
{
	uint32_t refused = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		struct sl_objects_op *op = &w->ops[i];

		op->result = 0;
		op->fault = SL_OBJECTS_FINE;
		op->vector = 0;
		op->dim = 0;
		op->version = 0;
		if (op->kind == SL_OBJECTS_PUT || op->kind == SL_OBJECTS_INSERT)
			op->result = object_check(c, op, op->object);
		else if (op->key.kind == SL_KEY_NONE)
			op->result = refuse(op, SL_OBJECTS_NO_KEY, 0, 0);
		refused += op->result != 0;
	}
	return refused;
}

/* Of objects that may come on top of what is there. */
static uint64_t bytes_put(const struct writing *w)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct sl_objects_op *op = &w->ops[i];

		if (!op->result && (op->kind == SL_OBJECTS_PUT || op->kind == SL_OBJECTS_INSERT))
			n += sl_object_bytes(op->object);
	}
	return n;
}

static int ops_plan(struct collection *c, struct writing *w, int64_t deadline)
{
	int rc = sl_log_failed(c->log);

	for (uint32_t i = 0; i < w->n && !rc; i++) {
		if (w->ops[i].result)
			continue;
		rc = op_plan(c, w, i, deadline);
		if (!rc && batch_full(&w->batch))
			rc = flush(c, w, deadline);
	}
	return rc ? rc : flush(c, w, deadline);
}

static void writing_done(struct writing *w)
{
	olds_free(w->olds, w->batch.n);
	batch_done(&w->batch);
	free(w->which);
	free(w->units);
}

static int write_here(struct collection *c, void *visit, int64_t deadline)
{
	struct writing *w = visit;
	int rc, settled = 0;

	if (ops_check(c, w) && w->all)
		return -EINVAL;
	w->which = calloc(sl_min(w->n, (uint32_t)BATCH_OPS_MAX), sizeof(*w->which));
	if (!w->which)
		return -ENOMEM;
	rc = sl_mutex_lock(&c->writing, deadline);
	if (!rc) {
		const uint64_t bytes = bytes_put(w);

		far_keep_up(c, deadline);
		rc = bytes ? memory_check(c, bytes) : 0;
		if (!rc)
			rc = ops_plan(c, w, deadline);
		sl_mutex_unlock(&c->writing);
	}
	writing_done(w);
	if (w->end)
		settled = pending_settle(c, w->end);
	return settled ? settled : rc;
}

int objects_write(struct objects *o, const char *name, struct sl_objects_op *ops, uint32_t n,
		  bool all, uint64_t *ret_version, int64_t deadline)
{
	struct writing w = {.ops = ops, .n = n, .all = all};
	int rc;

	SL_ASSERT(n > 0);
	rc = visit(o, name, write_here, &w.visit, deadline);
	if (!rc && ret_version)
		*ret_version = w.end ? w.end - 1 : 0;
	return rc;
}

/* ---- all that match --------------------------------------------------------------------- */

#define MATCHING_OPS 1024u

struct matching {
	struct visit visit;
	const struct sl_filter *filter;
	const struct sl_objects_op *op;
	uint64_t limit, done, end;
};

/* The operation for the rows of @m from *@row on, as many as there are @ops. */
static uint32_t ops_fill(const struct collection *c, const struct matching *g,
			 const struct matches *m, uint32_t *row, struct sl_objects_op *ops)
{
	uint32_t n = 0, max = (uint32_t)sl_min((uint64_t)MATCHING_OPS, g->limit - g->done);

	for (; *row < c->rows.n && n < max; ++*row) {
		if (!c->rows.at[*row].place || !matches_has(m, *row))
			continue;
		ops[n] = *g->op;
		ops[n++].key = row_key(&c->rows.at[*row]);
	}
	return n;
}

static int matching_steps(struct collection *c, struct matching *g, const struct matches *m,
			  struct sl_objects_op *ops, int64_t deadline)
{
	uint32_t n, row = 0;
	int rc = 0;

	while (!rc && (n = ops_fill(c, g, m, &row, ops))) {
		struct writing w = {.ops = ops, .n = n, .filter = g->filter};

		rc = write_here(c, &w, deadline);
		for (uint32_t i = 0; i < n && !rc; i++)
			g->done += ops[i].result == 0;
		g->end = sl_max(g->end, w.end);
	}
	return rc;
}

static int matching_here(struct collection *c, void *visit, int64_t deadline)
{
	static const struct sl_filter every = {.kind = SL_FILTER_ALL};
	struct matching *g = visit;
	struct sl_objects_op *ops;
	struct matches m;
	int rc = matches_find(c, g->filter, &m, deadline);

	if (rc)
		return rc;
	if (!g->filter)
		g->filter = &every;
	ops = calloc(MATCHING_OPS, sizeof(*ops));
	rc = ops ? matching_steps(c, g, &m, ops, deadline) : -ENOMEM;
	free(ops);
	matches_done(&m);
	return rc;
}

int objects_write_matching(struct objects *o, const char *name, const struct sl_filter *filter,
			   const struct sl_objects_op *op, uint64_t limit, uint64_t *ret_n,
			   uint64_t *ret_version, int64_t deadline)
{
	struct matching g = {.filter = filter, .op = op, .limit = limit};
	int rc;

	SL_ASSERT(op->kind == SL_OBJECTS_CHANGE || op->kind == SL_OBJECTS_DELETE);
	rc = visit(o, name, matching_here, &g.visit, deadline);
	if (rc)
		return rc;
	if (ret_n)
		*ret_n = g.done;
	if (ret_version)
		*ret_version = g.end ? g.end - 1 : 0;
	return 0;
}
