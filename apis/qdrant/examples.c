// SPDX-License-Identifier: Apache-2.0
/*
 * Searches by examples: by one that is a point, by several that are liked or not, by pairs of them.
 *
 * Interface: qd_nearest() and its kin of qdrant_pvt.h. Examples are vectors, or points whose
 * vector is meant; these are read first, and are not among the hits. Then the search is one by
 * their average, or every vector is weighed, on the collection's core, by how it compares with each
 * example: Qdrant's formulas, with its likeness: of L2 minus the squared distance, of Manhattan
 * minus the distance.
 *
 * Order of parts: reading examples; likeness; averages; weighing; sampling.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- reading examples ------------------------------------------------------------------- */

enum { EXAMPLES_MAX = 1024 };

/**
 * struct examples - @vectors: of each of @n, as the collection keeps them. @keys: of the points
 * among them, @keys_n.
 */
struct examples {
	const struct sl_objects_vector *conf;
	const float **vectors;
	uint32_t n, keys_n, room;
	struct sl_filter_key *keys;
	uint32_t *key_of; /* which of the vectors a key stands for */
};

static int examples_init(struct qd_call *c, const struct qd_query *q, size_t room,
			 struct examples *ret)
{
	if (room > EXAMPLES_MAX)
		return qd_wrong(c, 400, "Wrong input: more than %d examples", EXAMPLES_MAX);
	*ret = (struct examples){.conf = qd_vector_conf(c->collection, q->q.vector_name),
				 .room = (uint32_t)room};
	ret->vectors = http_arena_array(&c->arena, const float *, room);
	ret->keys = http_arena_array(&c->arena, struct sl_filter_key, room);
	ret->key_of = http_arena_array(&c->arena, uint32_t, room);
	return ret->vectors && ret->keys && ret->key_of ? 0 : -ENOMEM;
}

/* At length 1, as the store keeps those that are compared by their angle. */
static const float *prepared(struct qd_call *c, const struct sl_objects_vector *conf,
			     const float *v)
{
	float *copy, sum = 0;

	if (conf->metric != SL_METRIC_COSINE)
		return v;
	for (uint32_t i = 0; i < conf->dim; i++)
		sum += v[i] * v[i];
	copy = http_arena_alloc(&c->arena, conf->dim * sizeof(*copy), 64);
	for (uint32_t i = 0; copy && i < conf->dim; i++)
		copy[i] = sum > 0 ? v[i] / sqrtf(sum) : v[i];
	return copy;
}

/* One more, a list of numbers or an id. */
static int add_example(struct qd_call *c, yyjson_val *v, struct examples *ex)
{
	const float *vector;
	uint32_t dim;
	int err;

	SL_ASSERT(ex->n < ex->room);
	if (yyjson_is_obj(v) || yyjson_is_arr(yyjson_arr_get_first(v)))
		return qd_wrong(c, 400,
				"Wrong input: an example is a vector or a point ID: sparse "
				"vectors, multivectors and inference are not supported");
	if (!yyjson_is_arr(v)) {
		ex->key_of[ex->keys_n] = ex->n++;
		return qd_id(c, v, &ex->keys[ex->keys_n++]);
	}
	err = qd_vector(c, v, &vector, &dim);
	if (err)
		return err;
	if (dim != ex->conf->dim)
		return qd_fault(c, SL_OBJECTS_WRONG_DIM, ex->conf, ex->conf->name, dim);
	vector = prepared(c, ex->conf, vector);
	ex->vectors[ex->n++] = vector;
	return vector ? 0 : -ENOMEM;
}

static int add_examples(struct qd_call *c, yyjson_val *list, struct examples *ex)
{
	yyjson_arr_iter iter = {0};
	yyjson_val *v;
	int err = 0;

	while (!err && list && (v = qd_many_at(list, &iter)))
		err = add_example(c, v, ex);
	return err;
}

/* The vector @name of what was found for the @i-th key. */
static int take_vector(struct qd_call *c, struct examples *ex, uint32_t i,
		       const struct objects_hit *hit, const char *name)
{
	enum sl_vector_type type;
	uint32_t dim;
	const void *data = hit->object ? sl_object_vector(hit->object, name, &type, &dim) : NULL;
	float *copy;

	if (!data)
		return qd_fault(c, SL_OBJECTS_NO_OBJECT, NULL, name, 0);
	if (type != SL_VECTOR_F32)
		return qd_fault(c, SL_OBJECTS_WRONG_TYPE, NULL, name, 0);
	if (dim != ex->conf->dim)
		return qd_fault(c, SL_OBJECTS_WRONG_DIM, ex->conf, name, dim);
	copy = http_arena_alloc(&c->arena, dim * sizeof(*copy), 64);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, dim * sizeof(*copy));
	ex->vectors[ex->key_of[i]] = prepared(c, ex->conf, copy);
	return ex->vectors[ex->key_of[i]] ? 0 : -ENOMEM;
}

/* Reads the points among the examples: of this collection, or of the one that @lookup names. */
static int look_up(struct qd_call *c, yyjson_val *lookup, struct examples *ex)
{
	const char *collection = c->name, *name = ex->conf->name;
	struct objects_hit *hits = http_arena_array(&c->arena, struct objects_hit, ex->keys_n);
	int err = qd_get_string(c, lookup, "collection", &collection);

	if (!err)
		err = qd_get_string(c, lookup, "vector", &name);
	if (err || !ex->keys_n)
		return err;
	if (!hits)
		return -ENOMEM;
	err = objects_get(c->o, collection, ex->keys, ex->keys_n, hits, c->deadline);
	if (err == -ENOENT)
		return qd_no_collection(c, collection);
	if (err)
		return err;
	for (uint32_t i = 0; !err && i < ex->keys_n; i++)
		err = take_vector(c, ex, i, &hits[i], name);
	objects_release(hits, ex->keys_n);
	return err;
}

/* The points among them are not what is looked for, unless they are another collection's. */
static int leave_out(struct qd_call *c, yyjson_val *lookup, const struct examples *ex,
		     struct qd_query *ret)
{
	const struct sl_filter *others;
	int err;

	if (!ex->keys_n || qd_member(lookup, "collection"))
		return 0;
	err = qd_filter_keys(c, ex->keys, ex->keys_n, true, &others);
	return err ? err : qd_filter_both(c, ret->q.filter, others, &ret->q.filter);
}

int qd_nearest(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	struct examples ex;
	int err;

	ret->kind = QD_NEAREST;
	if (yyjson_is_arr(v) && !yyjson_is_arr(yyjson_arr_get_first(v)))
		return qd_vector(c, v, &ret->q.vector, &ret->q.dim);
	if (!lookup && !yyjson_is_ctn(v))
		return qd_id(c, v, &ret->q.like);
	err = examples_init(c, ret, 1, &ex);
	if (!err)
		err = add_example(c, v, &ex);
	if (!err)
		err = look_up(c, lookup, &ex);
	if (err)
		return err;
	ret->q.vector = ex.vectors[0];
	ret->q.dim = ex.conf->dim;
	return 0;
}

/* ---- likeness --------------------------------------------------------------------------- */

enum formula { BEST_SCORE, SUM_SCORES, DISCOVER, CONTEXT };

/**
 * struct weighing - the examples, and how a vector is weighed by them. Of DISCOVER the first is the
 * target; of it and CONTEXT pairs follow, the liked one first. Of the others the first @positive_n
 * are liked, the rest are not.
 */
struct weighing {
	enum formula formula;
	enum sl_metric metric;
	sl_distance_fn distance;
	const float **vectors;
	uint32_t n, positive_n;
};

static float likeness(const struct weighing *w, uint32_t i, const float *v, uint32_t dim)
{
	float distance = w->distance(w->vectors[i], v, dim);

	return w->metric == SL_METRIC_COSINE ? 1 - distance : -distance;
}

/* From -1 to 1. */
static float fast_sigmoid(float x)
{
	return x / (1 + fabsf(x));
}

static float scaled_sigmoid(float x)
{
	return 0.5f * (fast_sigmoid(x) + 1);
}

/* ---- averages --------------------------------------------------------------------------- */

static void add_up(float *to, const struct examples *ex, uint32_t from, uint32_t until,
		   float factor)
{
	for (uint32_t i = from; i < until; i++)
		for (uint32_t k = 0; k < ex->conf->dim; k++)
			to[k] += factor * ex->vectors[i][k];
}

/* The liked ones' average, moved on from the others' by as much as it is away from it. */
static int by_average(struct qd_call *c, const struct examples *ex, uint32_t positive_n,
		      struct qd_query *ret)
{
	float *average = http_arena_array(&c->arena, float, ex->conf->dim);
	uint32_t negative_n = ex->n - positive_n;

	if (!positive_n)
		return qd_wrong(c, 400,
				"Wrong input: At least one positive vector ID required with "
				"this strategy");
	if (!average)
		return -ENOMEM;
	add_up(average, ex, 0, positive_n, (negative_n ? 2.0f : 1.0f) / (float)positive_n);
	add_up(average, ex, positive_n, ex->n, negative_n ? -1.0f / (float)negative_n : 0);
	ret->kind = QD_NEAREST;
	ret->q.vector = average;
	ret->q.dim = ex->conf->dim;
	return 0;
}

/* ---- weighing --------------------------------------------------------------------------- */

static float best_score(const struct weighing *w, const float *v, uint32_t dim)
{
	float positive = -INFINITY, negative = -INFINITY;

	for (uint32_t i = 0; i < w->n; i++) {
		float score = likeness(w, i, v, dim);

		if (i < w->positive_n)
			positive = fmaxf(positive, score);
		else
			negative = fmaxf(negative, score);
	}
	return positive > negative ? scaled_sigmoid(positive) : -scaled_sigmoid(negative);
}

static float sum_scores(const struct weighing *w, const float *v, uint32_t dim)
{
	float sum = 0;

	for (uint32_t i = 0; i < w->n; i++)
		sum += (i < w->positive_n ? 1.0f : -1.0f) * likeness(w, i, v, dim);
	return sum;
}

/* How many pairs say that it is on the liked side, then how near it is to the target. */
static float discover(const struct weighing *w, const float *v, uint32_t dim)
{
	float rank = 0;

	for (uint32_t i = 1; i + 1 < w->n; i += 2) {
		float difference = likeness(w, i, v, dim) - likeness(w, i + 1, v, dim);

		rank += difference > 0 ? 1.0f : difference < 0 ? -1.0f : 0;
	}
	return rank + scaled_sigmoid(likeness(w, 0, v, dim));
}

/* 0 on the liked side of all pairs, else less. */
static float context(const struct weighing *w, const float *v, uint32_t dim)
{
	float loss = 0;

	for (uint32_t i = 0; i + 1 < w->n; i += 2) {
		float difference = likeness(w, i, v, dim) - likeness(w, i + 1, v, dim);

		loss += fast_sigmoid(fminf(difference - FLT_EPSILON, 0));
	}
	return loss;
}

/* On the collection's core. */
static float weigh(void *arg, const float *v, uint32_t dim)
{
	static float (*const formulas[])(const struct weighing *w, const float *v, uint32_t dim) = {
		[BEST_SCORE] = best_score,
		[SUM_SCORES] = sum_scores,
		[DISCOVER] = discover,
		[CONTEXT] = context,
	};
	const struct weighing *w = arg;

	return formulas[w->formula](w, v, dim);
}

static int by_weight(struct qd_call *c, enum formula formula, const struct examples *ex,
		     uint32_t positive_n, struct qd_query *ret)
{
	struct weighing *w = http_arena_new(&c->arena, struct weighing);

	if (!w)
		return -ENOMEM;
	*w = (struct weighing){
		.formula = formula,
		.metric = ex->conf->metric,
		.distance = sl_distance(ex->conf->metric, SL_F32),
		.vectors = ex->vectors,
		.n = ex->n,
		.positive_n = positive_n,
	};
	ret->kind = QD_WEIGHED;
	ret->q.weigh = weigh;
	ret->q.arg = w;
	return 0;
}

int qd_recommend(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	yyjson_val *positive = qd_member(v, "positive"), *negative = qd_member(v, "negative");
	const char *strategy = "average_vector";
	uint32_t positive_n;
	struct examples ex;
	int err = qd_get_string(c, v, "strategy", &strategy);

	if (!err)
		err = examples_init(c, ret, yyjson_arr_size(positive) + yyjson_arr_size(negative),
				    &ex);
	if (!err &&
	    ((positive && !yyjson_is_arr(positive)) || (negative && !yyjson_is_arr(negative))))
		err = qd_format_error(c, "positive, negative: expected lists of examples");
	if (!err)
		err = add_examples(c, positive, &ex);
	positive_n = err ? 0 : ex.n;
	if (!err)
		err = add_examples(c, negative, &ex);
	if (!err && !ex.n)
		err = qd_wrong(c, 400,
			       "Wrong input: At least one positive or negative vector ID "
			       "required");
	if (!err)
		err = look_up(c, lookup, &ex);
	if (!err)
		err = leave_out(c, lookup, &ex, ret);
	if (err)
		return err;
	if (!strcmp(strategy, "average_vector"))
		return by_average(c, &ex, positive_n, ret);
	if (!strcmp(strategy, "best_score"))
		return by_weight(c, BEST_SCORE, &ex, positive_n, ret);
	if (!strcmp(strategy, "sum_scores"))
		return by_weight(c, SUM_SCORES, &ex, positive_n, ret);
	return qd_format_error(c, "strategy: expected average_vector, best_score or sum_scores");
}

/* "context": a pair of examples, or several. */
static int add_pairs(struct qd_call *c, yyjson_val *pairs, struct examples *ex)
{
	yyjson_arr_iter iter = {0};
	yyjson_val *pair;
	int err = 0;

	while (!err && pairs && (pair = qd_many_at(pairs, &iter))) {
		yyjson_val *positive = qd_member(pair, "positive");
		yyjson_val *negative = qd_member(pair, "negative");

		if (!positive || !negative)
			return qd_format_error(c,
					       "context: expected pairs of positive and negative");
		err = add_example(c, positive, ex);
		if (!err)
			err = add_example(c, negative, ex);
	}
	return err;
}

int qd_discover(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	yyjson_val *target = qd_member(v, "target"), *pairs = qd_member(v, "context");
	struct examples ex;
	int err = examples_init(c, ret, 1 + 2 * qd_many(pairs), &ex);

	if (!err && !target && !qd_many(pairs))
		err = qd_wrong(c, 400, "Bad request: target or context must be specified");
	if (!err && target)
		err = add_example(c, target, &ex);
	if (!err)
		err = add_pairs(c, pairs, &ex);
	if (!err)
		err = look_up(c, lookup, &ex);
	if (!err)
		err = leave_out(c, lookup, &ex, ret);
	return err ? err : by_weight(c, target ? DISCOVER : CONTEXT, &ex, 0, ret);
}

/* ---- sampling --------------------------------------------------------------------------- */

static float draw(void *arg, const float *v, uint32_t dim)
{
	uint64_t *state = arg;

	*state += UINT64_C(0x9e3779b97f4a7c15);
	return (float)(sl_mix64(*state) >> 40);
}

int qd_sample(struct qd_call *c, struct qd_query *ret)
{
	uint64_t *state = http_arena_new(&c->arena, uint64_t);

	if (!state)
		return -ENOMEM;
	if (!c->collection->conf.vectors_n) {
		ret->kind = QD_SCROLL;
		return 0;
	}
	*state = (uint64_t)sl_now() ^ (uintptr_t)state;
	ret->kind = QD_SAMPLE;
	if (!qd_vector_conf(c->collection, ret->q.vector_name))
		ret->q.vector_name = c->collection->conf.vectors[0].name;
	ret->q.weigh = draw;
	ret->q.arg = state;
	return 0;
}
