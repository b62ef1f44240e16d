// SPDX-License-Identifier: Apache-2.0
/*
 * Several lists of hits made one, and one list made various.
 *
 * Interface: qd_fuse() and qd_diversify() of qdrant_pvt.h. Reciprocal rank fusion adds up, for each
 * point, 1 / (k + its rank) of each list, ranks counting from 0; distribution-based fusion adds up
 * scores, each list's scaled so that three standard deviations around their mean become 0 to 1.
 * Maximal marginal relevance takes hits one by one, each the best of what is left when its likeness
 * to those taken is held against it. Hits stay with whoever holds them; copies are answered.
 *
 * Order of parts: points by key; scores of lists; fusing; likeness; diversifying.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- points by key ---------------------------------------------------------------------- */

/* A table of hits by their key, of which less than half is in use. */
struct table {
	struct objects_hit *hits;
	uint32_t n, mask, *slots; /* slots: 1 + the number of a hit, 0: none */
};

static int table_init(struct qd_call *c, size_t room, struct table *ret)
{
	size_t slots = 16;

	while (slots < 2 * room)
		slots *= 2;
	ret->n = 0;
	ret->mask = (uint32_t)slots - 1;
	ret->hits = http_arena_array(&c->arena, struct objects_hit, room);
	ret->slots = http_arena_array(&c->arena, uint32_t, slots);
	return ret->hits && ret->slots ? 0 : -ENOMEM;
}

static uint32_t key_hash(const struct sl_filter_key *key)
{
	uint64_t words[2];

	memcpy(words, key->key, sizeof(words));
	return (uint32_t)(sl_mix64(words[0] ^ sl_mix64(words[1] + key->kind)) >> 32);
}

/* The hit of that key; a new one is a copy of @hit with a score of 0. */
static struct objects_hit *table_find(struct table *t, const struct objects_hit *hit)
{
	uint32_t at = key_hash(&hit->key) & t->mask;

	for (; t->slots[at]; at = (at + 1) & t->mask)
		if (!objects_key_compare(&t->hits[t->slots[at] - 1].key, &hit->key))
			return &t->hits[t->slots[at] - 1];
	t->hits[t->n] = *hit;
	t->hits[t->n].score = 0;
	t->slots[at] = ++t->n;
	return &t->hits[t->n - 1];
}

/* ---- scores of lists -------------------------------------------------------------------- */

static bool smaller_is_nearer(const struct qd_call *c, const struct qd_query *q)
{
	const struct sl_objects_vector *conf = qd_vector_conf(c->collection, q->q.vector_name);

	return q->kind == QD_NEAREST && conf && !objects_larger_is_nearer(conf->metric);
}

static void add_ranks(struct table *t, const struct qd_query *q, double k, double weight)
{
	for (uint32_t i = 0; i < q->n; i++)
		table_find(t, &q->hits[i])->score += (float)(weight / (k + i));
}

static void add_scores(struct table *t, const struct qd_query *q, bool smaller, double weight)
{
	double sum = 0, squares = 0, mean, deviation, low, width;

	for (uint32_t i = 0; i < q->n; i++)
		sum += q->hits[i].score;
	mean = q->n ? sum / q->n : 0;
	for (uint32_t i = 0; i < q->n; i++)
		squares += (q->hits[i].score - mean) * (q->hits[i].score - mean);
	deviation = q->n > 1 ? sqrt(squares / (q->n - 1)) : 0;
	low = mean - 3 * deviation;
	width = 6 * deviation;
	for (uint32_t i = 0; i < q->n; i++) {
		double score = width > 0 ? (q->hits[i].score - low) / width : 0.5;

		table_find(t, &q->hits[i])->score +=
			(float)(weight * (smaller ? 1 - score : score));
	}
}

/* ---- fusing ----------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b)
{
	const struct objects_hit *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return objects_key_compare(&x->key, &y->key);
}

/* Of @hits in their order what was asked for. */
static void cut(struct qd_query *q, struct objects_hit *hits, uint32_t n)
{
	while (n && q->q.bounded && hits[n - 1].score < q->q.bound)
		n--;
	q->hits = hits + sl_min(q->offset, n);
	q->n = sl_min(q->limit, n - sl_min(q->offset, n));
}

int qd_fuse(struct qd_call *c, struct qd_query *q)
{
	struct table t;
	size_t room = 0;
	int err;

	for (uint32_t i = 0; i < q->prefetch_n; i++)
		room += q->prefetch[i].n;
	if (q->weights && q->weights_n != q->prefetch_n)
		return qd_wrong(c, 400, "Bad request: rrf has %u weights for %u prefetches",
				q->weights_n, q->prefetch_n);
	err = table_init(c, room, &t);
	if (err)
		return err;
	for (uint32_t i = 0; i < q->prefetch_n; i++) {
		const struct qd_query *p = &q->prefetch[i];
		double weight = q->weights ? q->weights[i] : 1;

		if (q->kind == QD_RRF)
			add_ranks(&t, p, q->rrf_k, weight);
		else
			add_scores(&t, p, smaller_is_nearer(c, p), weight);
	}
	qsort(t.hits, t.n, sizeof(*t.hits), by_score);
	cut(q, t.hits, t.n);
	return 0;
}

/* ---- likeness --------------------------------------------------------------------------- */

static const float *vector_of(const struct objects_hit *hit, const char *name, uint32_t dim)
{
	enum sl_vector_type type;
	uint32_t has;
	const void *v = hit->object ? sl_object_vector(hit->object, name, &type, &has) : NULL;

	return v && type == SL_VECTOR_F32 && has == dim ? v : NULL;
}

/* Of a hit to the query, on the scale of pairs of hits. */
static float relevance(enum sl_metric metric, float score)
{
	return metric == SL_METRIC_L2	       ? -score * score
	       : metric == SL_METRIC_MANHATTAN ? -score
					       : score;
}

static float likeness(enum sl_metric metric, const float *a, const float *b, uint32_t dim)
{
	float distance = sl_distance(metric, SL_F32)(a, b, dim);

	return metric == SL_METRIC_COSINE ? 1 - distance : -distance;
}

/* ---- diversifying ----------------------------------------------------------------------- */

/* @nearest: the greatest likeness to one that was taken. */
struct candidate {
	const float *vector;
	float nearest;
	bool taken;
};

static float marginal(const struct qd_query *q, enum sl_metric metric, uint32_t i,
		      const struct candidate *candidate, bool first)
{
	float score = relevance(metric, q->hits[i].score);

	if (first)
		return score;
	return (float)((1 - q->diversity) * score - q->diversity * candidate->nearest);
}

static uint32_t best_of(const struct qd_query *q, enum sl_metric metric,
			const struct candidate *candidates, bool first)
{
	uint32_t best = UINT32_MAX;
	float best_score = 0;

	for (uint32_t i = 0; i < q->n; i++) {
		float score;

		if (candidates[i].taken || !candidates[i].vector)
			continue;
		score = marginal(q, metric, i, &candidates[i], first);
		if (best == UINT32_MAX || score > best_score) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

/* Candidates that are looked at before others have their turn. */
enum { LOOKS_A_TURN = 16384 };

int qd_diversify(struct qd_call *c, struct qd_query *q)
{
	const struct sl_objects_vector *conf = qd_vector_conf(c->collection, q->q.vector_name);
	struct candidate *candidates = http_arena_array(&c->arena, struct candidate, q->n);
	uint32_t want = sl_min(q->limit + q->offset, q->n), n = 0, looks = 0;
	struct objects_hit *hits = http_arena_array(&c->arena, struct objects_hit, want);

	if (!candidates || !hits)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->n; i++)
		candidates[i] = (struct candidate){
			.vector = vector_of(&q->hits[i], conf->name, conf->dim),
			.nearest = -INFINITY,
		};
	while (n < want) {
		uint32_t best = best_of(q, conf->metric, candidates, !n);

		if (best == UINT32_MAX)
			break;
		candidates[best].taken = true;
		hits[n++] = q->hits[best];
		for (uint32_t i = 0; i < q->n; i++)
			if (!candidates[i].taken && candidates[i].vector)
				candidates[i].nearest =
					fmaxf(candidates[i].nearest,
					      likeness(conf->metric, candidates[i].vector,
						       candidates[best].vector, conf->dim));
		looks += q->n;
		if (looks >= LOOKS_A_TURN) {
			if (sl_now() >= c->deadline)
				return -ETIME;
			sl_fiber_yield(c->deadline);
			looks = 0;
		}
	}
	q->hits = hits + sl_min(q->offset, n);
	q->n = n - sl_min(q->offset, n);
	return 0;
}
