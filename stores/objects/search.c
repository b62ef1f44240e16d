/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search: which objects are nearest to a query.
 *
 * Interface: "searching" of objects.h. A query becomes a job, which looks at the main index and at
 * the tail. Jobs that wait on a core at the same time are answered together where that is faster
 * (vectors/batch.h); one that is alone is answered at once.
 * Invariants: between the look at an index and the reading of keys nobody else has a turn, so that
 * a hit is an object; an object that is then loaded has that key.
 *
 * Order of parts: jobs; answering; making jobs; objects of hits; all vectors; calls.
 */
#include <math.h>

#include "objects_pvt.h"

/* ---- jobs ------------------------------------------------------------------------------- */

/* Scans that take longer wait for others that are ready to come along: what that costs is little
 * beside them. */
#define SCAN_WORTH_BYTES (256 * SL_KIB)

/* How long scans that are answered together may take. */
#define TOGETHER_NS (2 * SL_MSEC)

/**
 * struct job - a query on its way.
 * @node: among those that wait. @vector: the query as rows are. @hits: room for @k. @skip_row: the
 * object that hits should be like. @applied: of the collection, when @matches were found. @began:
 * for the figures. @alone: it was found to need vectors that are not in memory.
 */
struct job {
	struct sl_list node;
	struct objects_query *ask;
	struct vector *v;
	void *vector;
	struct matches matches;
	struct sl_hit *hits;
	uint32_t k, n;
	uint32_t skip_row;
	uint64_t applied;
	int64_t began;
	bool waits, alone;
	int err;
};

static struct sl_query query_of(const struct job *j, const struct sl_index *index)
{
	return (struct sl_query){
		.vector = j->vector,
		.k = j->k,
		.effort = sl_index_effort(index, j->ask->effort),
		.oversampling = j->ask->oversampling,
		.exact = j->ask->exact,
		.estimates = j->ask->estimates,
		.allowed = j->matches.words,
		.allowed_rows = j->matches.rows,
		.allowed_n = j->matches.count,
	};
}

/* Rows that it looks at one by one. */
static uint32_t scan_rows(const struct job *j)
{
	uint32_t n = sl_index_count(j->v->tail);

	if (j->v->main && j->ask->exact)
		n += sl_index_count(j->v->main);
	return j->matches.words ? sl_min(n, j->matches.count) : n;
}

/* Of @n hits from each of both the @k nearest. */
static uint32_t merge(struct sl_hit *main, uint32_t main_n, const struct sl_hit *tail,
		      uint32_t tail_n, uint32_t k, struct sl_hit *ret_hits)
{
	uint32_t n = 0, i = 0, t = 0;

	while (n < k && (i < main_n || t < tail_n)) {
		bool left = t == tail_n || (i < main_n && main[i].distance <= tail[t].distance);

		ret_hits[n++] = left ? main[i++] : tail[t++];
	}
	return n;
}

static bool far(const struct job *j, float score)
{
	const struct objects_query *q = j->ask;

	if (!q->bounded)
		return false;
	return q->weigh || objects_larger_is_nearer(j->v->conf->metric) ? !(score >= q->bound)
									: !(score <= q->bound);
}

/* The hits of @j as objects, without these: nobody else has had a turn since they were found. */
static int hits_take(const struct collection *c, struct job *j)
{
	struct objects_query *q = j->ask;
	uint32_t skip = q->offset;

	/* Rows may have become others' since the filter was asked. */
	if (j->matches.words && j->applied != c->applied)
		j->matches.loose = true;
	q->hits = calloc((size_t)sl_min(q->k, j->n) + 1, sizeof(*q->hits));
	if (!q->hits)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->n && q->n < q->k; i++) {
		const struct row *row = &c->rows.at[j->hits[i].row];
		float score = q->weigh ? -j->hits[i].distance
				       : vector_score(j->v, j->hits[i].distance);

		if (j->hits[i].row == j->skip_row)
			continue;
		if (far(j, score))
			break;
		if (skip) {
			skip--;
			continue;
		}
		q->hits[q->n++] = (struct objects_hit){
			.key = row_key(row),
			.version = row->version,
			.score = score,
		};
	}
	return 0;
}

/* ---- answering -------------------------------------------------------------------------- */

/* Asks @index for all of @jobs. @ret_hits: k of each, one behind the other. */
static int ask_index(struct collection *c, struct sl_index *index, struct job *const *jobs,
		     uint32_t n, struct sl_hit *ret_hits, uint32_t *ret_n)
{
	struct sl_query queries[SL_BATCH_MAX];
	int found;

	if (!index || !sl_index_count(index)) {
		memset(ret_n, 0, n * sizeof(*ret_n));
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		queries[i] = query_of(jobs[i], index);
	if (n > 1)
		return sl_index_search_many(index, queries, n, ret_hits, ret_n, c->scratch);
	found = sl_index_search(index, queries, ret_hits, c->scratch);
	if (found < 0)
		return found;
	ret_n[0] = (uint32_t)found;
	return 0;
}

/* @jobs are of one vector. */
static void answer(struct collection *c, struct job **jobs, uint32_t n)
{
	struct vector *v = jobs[0]->v;
	uint32_t main_n[SL_BATCH_MAX], tail_n[SL_BATCH_MAX];
	struct sl_hit *main, *tail;
	size_t room = 0;
	int rc = 0;

	for (uint32_t i = 0; i < n; i++)
		room += jobs[i]->k;
	main = malloc((2 * room + 1) * sizeof(*main));
	tail = main + room;
	if (!main)
		rc = -ENOMEM;
	if (!rc)
		rc = ask_index(c, v->main, jobs, n, main, main_n);
	if (!rc)
		rc = ask_index(c, v->tail, jobs, n, tail, tail_n);
	for (uint32_t i = 0, at = 0; i < n; at += jobs[i++]->k) {
		struct job *j = jobs[i];

		j->err = rc;
		j->waits = false;
		if (rc)
			continue;
		j->n = merge(main + at, main_n[i], tail + at, tail_n[i], j->k, j->hits);
		j->err = hits_take(c, j);
	}
	free(main);
}

/* Whether vectors are to be read for it. */
static bool is_far(const struct job *j)
{
	return j->v->far && j->v->main;
}

/* Answers the job that waits for longest, and those that go with it. */
static void answer_some(struct collection *c)
{
	struct sl_waiting waiting[2 * SL_BATCH_MAX];
	struct job *all[2 * SL_BATCH_MAX], *jobs[SL_BATCH_MAX] = {0};
	uint32_t which[SL_BATCH_MAX], n = 0, taken;

	sl_list_each_safe(node, &c->waiting) {
		struct job *j = sl_list_entry(node, struct job, node);

		if (n == SL_ARRAY_SIZE(all))
			break;
		if (is_far(j)) {
			sl_list_remove(&j->node);
			j->waits = false;
			j->alone = true;
			continue;
		}
		waiting[n] = (struct sl_waiting){
			.index = j->v->tail,
			.rows = j->v->main && !j->ask->exact ? 0 : scan_rows(j),
			.row_bytes = j->v->rows.stride,
		};
		all[n++] = j;
	}
	if (!n)
		return;
	taken = sl_batch_take(waiting, n, TOGETHER_NS, which);
	for (uint32_t i = 0; i < taken; i++) {
		jobs[i] = all[which[i]];
		sl_list_remove(&jobs[i]->node);
	}
	answer(c, jobs, taken);
}

/* It may have come back into memory meanwhile. */
static void answer_alone(struct collection *c, struct job *j, int64_t deadline)
{
	struct sl_query query;
	int n;

	if (!is_far(j)) {
		answer(c, &j, 1);
		return;
	}
	query = query_of(j, j->v->main);
	n = far_search(c, j->v, &query, j->hits, deadline);
	j->n = (uint32_t)sl_max(n, 0);
	j->err = n < 0 ? n : hits_take(c, j);
}

/* Answers @n jobs, those without an error. */
static void jobs_answer(struct collection *c, struct job *jobs, uint32_t n, int64_t deadline)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (jobs[i].err || jobs[i].ask->weigh)
			continue;
		jobs[i].alone = is_far(&jobs[i]);
		if (jobs[i].alone)
			continue;
		jobs[i].waits = true;
		sl_list_append(&c->waiting, &jobs[i].node);
		bytes += scan_rows(&jobs[i]) * (uint64_t)jobs[i].v->rows.stride;
	}
	if (bytes > SCAN_WORTH_BYTES)
		sl_fiber_yield(deadline);
	for (uint32_t i = 0; i < n; i++)
		while (jobs[i].waits)
			answer_some(c);
	for (uint32_t i = 0; i < n; i++)
		if (jobs[i].alone)
			answer_alone(c, &jobs[i], deadline);
}

/* ---- making jobs ------------------------------------------------------------------------ */

static void job_done(struct job *j)
{
	free(j->vector);
	free(j->hits);
	matches_done(&j->matches);
}

static int refuse(struct objects_query *q, enum sl_objects_fault fault)
{
	q->fault = fault;
	return -EINVAL;
}

static int job_vector(struct collection *c, struct job *j, int64_t deadline)
{
	struct objects_query *q = j->ask;
	struct vector *v = j->v;
	int rc;

	j->skip_row = SL_ROW_NONE;
	j->vector = aligned_alloc(SL_ROW_ALIGN, v->rows.stride);
	if (!j->vector)
		return -ENOMEM;
	memset(j->vector, 0, v->rows.stride);
	if (q->vector) {
		if (q->dim != v->rows.dim)
			return refuse(q, SL_OBJECTS_WRONG_DIM);
		return vector_query(v, q->vector, j->vector) ? 0 : refuse(q, SL_OBJECTS_BAD_QUERY);
	}
	if (q->like.kind == SL_KEY_NONE)
		return refuse(q, SL_OBJECTS_BAD_QUERY);
	j->skip_row = rows_find(&c->rows, &q->like);
	if (j->skip_row == SL_ROW_NONE || !vector_has(v, j->skip_row))
		return refuse(q, SL_OBJECTS_NO_OBJECT);
	rc = far_vector(c, v, j->skip_row, j->vector, deadline);
	return rc == -ENOENT || rc == -EBADMSG ? refuse(q, SL_OBJECTS_NO_OBJECT) : rc;
}

static int job_make(struct collection *c, struct job *j, int64_t deadline)
{
	struct objects_query *q = j->ask;
	uint32_t which = collection_vector(c, q->vector_name);
	uint64_t k = (uint64_t)q->k + q->offset + (q->vector || q->weigh ? 0 : 1);
	int rc;

	if (which == c->vectors_n)
		return refuse(q, SL_OBJECTS_UNKNOWN_VECTOR);
	if (k > SL_OBJECTS_LIMIT_MAX)
		return refuse(q, SL_OBJECTS_BAD_QUERY);
	j->v = c->vectors[which];
	j->applied = c->applied;
	rc = matches_find(c, q->filter, &j->matches, deadline);
	if (!rc && !q->weigh)
		rc = job_vector(c, j, deadline);
	if (rc)
		return rc;
	j->k = (uint32_t)sl_min(k, (uint64_t)vector_count(j->v));
	j->hits = malloc((j->k + 1) * sizeof(*j->hits));
	return j->hits ? 0 : -ENOMEM;
}

/* ---- objects of hits -------------------------------------------------------------------- */

/* Loads the objects; what is gone meanwhile, or cannot be read, or does not match, is left out. */
static int hits_load(struct collection *c, struct job *j, int64_t deadline)
{
	struct objects_query *q = j->ask;
	uint32_t n = 0;
	uint64_t bytes = 0;
	int rc = 0;

	for (uint32_t i = 0; i < q->n && !rc; i++) {
		struct objects_hit hit = q->hits[i];
		uint32_t row = rows_find(&c->rows, &hit.key);

		rc = object_load(c, row, &hit, deadline);
		if (rc == -ENOENT || rc == -EBADMSG) {
			rc = 0;
			continue;
		}
		if (rc)
			break;
		bytes += sl_object_bytes(hit.object);
		if (j->matches.loose && !sl_filter_matches(q->filter, hit.object)) {
			objects_release(&hit, 1);
			continue;
		}
		if (!q->with_objects)
			objects_release(&hit, 1);
		q->hits[n++] = hit;
		if (bytes > SL_OBJECTS_BYTES_MAX)
			rc = -E2BIG;
	}
	q->n = n;
	return rc;
}

/* ---- all vectors ------------------------------------------------------------------------ */

static bool nearer(struct sl_hit a, struct sl_hit b)
{
	return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
}

/* A heap, the farthest first, that becomes a list. */
static void weighed_put(struct job *j, struct sl_hit hit)
{
	uint32_t i;

	if (j->n < j->k) {
		for (i = j->n++; i && nearer(j->hits[(i - 1) / 2], hit); i = (i - 1) / 2)
			j->hits[i] = j->hits[(i - 1) / 2];
		j->hits[i] = hit;
		return;
	}
	if (!j->k || !nearer(hit, j->hits[0]))
		return;
	for (i = 0; 2 * i + 1 < j->n;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < j->n && nearer(j->hits[child], j->hits[child + 1]))
			child++;
		if (!nearer(hit, j->hits[child]))
			break;
		j->hits[i] = j->hits[child];
		i = child;
	}
	j->hits[i] = hit;
}

static int by_distance(const void *a, const void *b)
{
	const struct sl_hit *x = a, *y = b;

	return nearer(*x, *y) ? -1 : nearer(*y, *x);
}

/* What all vectors are given to. */
struct weighing {
	struct job *j;
	float *floats;
};

static void weigh(void *arg, uint32_t row, const void *vector)
{
	struct weighing *w = arg;
	struct objects_query *q = w->j->ask;
	float score;

	vector_floats(w->j->v, vector, w->floats);
	score = q->weigh(q->arg, w->floats, w->j->v->rows.dim);
	weighed_put(w->j, (struct sl_hit){isnan(score) ? INFINITY : -score, row});
}

static int weigh_all(struct collection *c, struct job *j, int64_t deadline)
{
	struct weighing w = {j, malloc(j->v->rows.dim * sizeof(float) + 1)};
	struct sl_hit *far = malloc((c->rows.live + (size_t)1) * sizeof(*far));
	uint64_t since = c->applied;
	uint32_t far_n = 0;
	int rc = w.floats && far ? 0 : -ENOMEM;

	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		if (!vector_has(j->v, row) || !matches_has(&j->matches, row))
			continue;
		if (vector_is_here(j->v, row))
			weigh(&w, row, sl_row(&j->v->rows, row));
		else
			far[far_n++] = (struct sl_hit){.row = row};
	}
	if (!rc && far_n)
		rc = far_each(c, j->v, far, far_n, weigh, &w, deadline);
	free(w.floats);
	free(far);
	qsort(j->hits, j->n, sizeof(*j->hits), by_distance);
	j->n = far_clean(c, since, j->hits, j->n);
	return rc;
}

/* ---- calls ------------------------------------------------------------------------------ */

struct searching {
	struct visit visit;
	struct objects_query *queries;
	uint32_t n;
};

static int job_finish(struct collection *c, struct job *j, int64_t deadline)
{
	int rc = j->err;

	if (!rc && j->ask->weigh) {
		rc = weigh_all(c, j, deadline);
		if (!rc)
			rc = hits_take(c, j);
	}
	if (!rc && (j->ask->with_objects || j->matches.loose))
		rc = hits_load(c, j, deadline);
	return rc;
}

/* As it is counted. */
static enum search_kind kind_of(const struct job *j)
{
	static const enum search_kind kinds[SL_INDEX_LAST] = {
		[SL_INDEX_FLAT] = SEARCH_FLAT,
		[SL_INDEX_IVF] = SEARCH_IVF,
		[SL_INDEX_HNSW] = SEARCH_HNSW,
	};

	if (j->ask->filter)
		return SEARCH_FILTERED;
	if (j->ask->weigh)
		return SEARCH_WEIGHED;
	if (!j->v->main || j->ask->exact)
		return SEARCH_FLAT;
	return kinds[vector_index_conf(j->v->conf).kind];
}

static int search_here(struct collection *c, void *visit, int64_t deadline)
{
	struct searching *s = visit;
	struct job *jobs = calloc(s->n, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n; i++) {
		struct objects_query *q = &s->queries[i];

		q->fault = SL_OBJECTS_FINE;
		q->hits = NULL;
		q->n = 0;
		jobs[i] = (struct job){
			.ask = q, .skip_row = SL_ROW_NONE, .began = sl_clock_ns()};
		sl_list_init(&jobs[i].node);
		jobs[i].err = job_make(c, &jobs[i], deadline);
	}
	jobs_answer(c, jobs, s->n, deadline);
	for (uint32_t i = 0; i < s->n; i++) {
		s->queries[i].result = job_finish(c, &jobs[i], deadline);
		if (s->queries[i].result)
			objects_queries_done(&s->queries[i], 1);
		else
			search_count(kind_of(&jobs[i]), sl_clock_ns() - jobs[i].began);
		job_done(&jobs[i]);
	}
	free(jobs);
	return 0;
}

int objects_search(struct objects *o, const char *name, struct objects_query *queries, uint32_t n,
		   int64_t deadline)
{
	struct searching s = {.queries = queries, .n = n};

	return visit(o, name, search_here, &s.visit, deadline);
}

void objects_queries_done(struct objects_query *queries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		objects_release(queries[i].hits, queries[i].n);
		free(queries[i].hits);
		queries[i].hits = NULL;
		queries[i].n = 0;
	}
}
