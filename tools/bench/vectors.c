/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-vectors: our part of the benchmark of vector indexes, one thread, in process.
 *
 *	bench-vectors FOLDER KIND EFFORT...
 *	bench-vectors FOLDER KIND - <EFFORTS
 *
 * FOLDER holds base.f32 and queries.f32 (two 32-bit numbers, rows and dimension, then the floats)
 * and truth.i32 (for each query its ten nearest rows by L2). Each line is one JSON object: the
 * build (bytes are those of the vectors, too), then for each effort the best of three passes over
 * the queries, one by one, or of each effort that is read one pass; "flat-many" and the like answer
 * them by 32 at once. LISTS, RESCORE, LINKS, EFFORT_ADD, QUANTISER and BITS in the environment are
 * the fields of struct sl_index_conf, OVERSAMPLING the one of struct sl_query; METRIC is dot or
 * cosine (dot of vectors of length 1) instead of L2, and what is right is searched for exactly
 * first.
 * ALLOWED, in the environment, are numbers: how many in a thousand of the rows may be given, in
 * turn; those with the greatest sums of their components if FAR is set, for the queries with the
 * least, else any. The first FILTERED queries are asked then, for what is searched for exactly
 * first.
 *
 * Order of parts: files; filters; building; passes; main.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/util.h>

#include "vectors/vectors.h"

enum { K = 10, PASSES = 3, MANY = 32, FILTERED = 500 };

static void fail(const char *what, const char *of)
{
	fprintf(stderr, "bench-vectors: %s: %s\n", of, what);
	exit(2);
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- files ------------------------------------------------------------------------------ */

struct set {
	struct sl_rows rows;
	struct sl_slabs slabs;
	uint8_t **chunks;
	uint32_t n, queries_n;
	float *queries;
	int32_t *truth;
	uint64_t *allowed;
	uint32_t allowed_n;
};

static FILE *open_file(const char *folder, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f)
		fail("cannot be opened", path);
	return f;
}

static void read_all(FILE *f, void *p, size_t n, const char *name)
{
	if (fread(p, 1, n, f) != n)
		fail("is too short", name);
}

static void *room(size_t n)
{
	void *p = aligned_alloc(SL_ROW_ALIGN, sl_round_up(n, SL_ROW_ALIGN));

	if (!p)
		fail("no memory", "rows");
	return p;
}

static void read_base(struct set *s, const char *folder)
{
	FILE *f = open_file(folder, "base.f32");
	uint32_t head[2], chunks;

	read_all(f, head, sizeof(head), "base.f32");
	s->n = head[0];
	chunks = (s->n + SL_ROWS_A_CHUNK - 1) / SL_ROWS_A_CHUNK;
	s->rows = (struct sl_rows){
		.stride = sl_round_up(head[1] * sizeof(float), SL_ROW_ALIGN),
		.dim = head[1],
		.component = SL_F32,
		.metric = SL_METRIC_L2,
	};
	s->chunks = room(chunks * sizeof(*s->chunks));
	sl_slabs_init(&s->slabs, SL_ROWS_A_CHUNK * s->rows.stride);
	for (uint32_t i = 0; i < chunks; i++) {
		s->chunks[i] = sl_slabs_take(&s->slabs);
		if (!s->chunks[i])
			fail("no memory", "rows");
	}
	s->rows.chunks = (const uint8_t *const *)s->chunks;
	for (uint32_t i = 0; i < s->n; i++)
		read_all(f, s->chunks[i / SL_ROWS_A_CHUNK] + i % SL_ROWS_A_CHUNK * s->rows.stride,
			 s->rows.dim * sizeof(float), "base.f32");
	fclose(f);
}

static void read_queries(struct set *s, const char *folder)
{
	FILE *f = open_file(folder, "queries.f32");
	uint32_t head[2];

	read_all(f, head, sizeof(head), "queries.f32");
	if (head[1] != s->rows.dim)
		fail("is of another dimension than base.f32", "queries.f32");
	s->queries_n = head[0];
	s->queries = room((size_t)head[0] * head[1] * sizeof(float));
	read_all(f, s->queries, (size_t)head[0] * head[1] * sizeof(float), "queries.f32");
	fclose(f);
	f = open_file(folder, "truth.i32");
	s->truth = room((size_t)head[0] * K * sizeof(int32_t));
	read_all(f, s->truth, (size_t)head[0] * K * sizeof(int32_t), "truth.i32");
	fclose(f);
}

/* ---- filters ---------------------------------------------------------------------------- */

struct ranked {
	double sum;
	uint32_t at;
};

static int by_sum(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->sum > y->sum) - (x->sum < y->sum);
}

static struct ranked rank(const struct set *s, const float *vector, uint32_t at)
{
	struct ranked r = {.at = at};

	for (uint32_t i = 0; i < s->rows.dim; i++)
		r.sum += (double)vector[i];
	return r;
}

/* The queries whose sums are the least come first. */
static void sort_queries(struct set *s)
{
	size_t bytes = s->rows.dim * sizeof(float);
	struct ranked *ranks = room(s->queries_n * sizeof(*ranks));
	float *sorted = room(s->queries_n * bytes);

	for (uint32_t i = 0; i < s->queries_n; i++)
		ranks[i] = rank(s, s->queries + (size_t)i * s->rows.dim, i);
	qsort(ranks, s->queries_n, sizeof(*ranks), by_sum);
	for (uint32_t i = 0; i < s->queries_n; i++)
		memcpy(sorted + (size_t)i * s->rows.dim,
		       s->queries + (size_t)ranks[i].at * s->rows.dim, bytes);
	free(s->queries);
	free(ranks);
	s->queries = sorted;
}

static void allow(struct set *s, uint32_t in_a_thousand, bool far)
{
	struct ranked *ranks = room(s->n * sizeof(*ranks));

	free(s->allowed);
	s->allowed = room((s->n + 63) / 64 * sizeof(*s->allowed));
	memset(s->allowed, 0, (s->n + 63) / 64 * sizeof(*s->allowed));
	s->allowed_n = (uint32_t)((uint64_t)s->n * in_a_thousand / 1000);
	for (uint32_t i = 0; i < s->n; i++) {
		ranks[i] = rank(s, sl_row(&s->rows, i), i);
		if (!far)
			ranks[i].sum = (double)sl_mix64(i);
	}
	qsort(ranks, s->n, sizeof(*ranks), by_sum);
	for (uint32_t i = s->n - s->allowed_n; i < s->n; i++)
		s->allowed[ranks[i].at / 64] |= UINT64_C(1) << ranks[i].at % 64;
	free(ranks);
}

/* What is right among what is allowed. */
static void search_truth(struct set *s, struct sl_index *index, struct sl_scratch *scratch)
{
	for (uint32_t q = 0; q < s->queries_n; q++) {
		struct sl_query query = {
			.vector = s->queries + (size_t)q * s->rows.dim,
			.k = K,
			.exact = true,
			.allowed = s->allowed,
			.allowed_rows = s->n,
			.allowed_n = s->allowed_n,
		};
		struct sl_hit hits[K];
		int n = sl_index_search(index, &query, hits, scratch);

		for (int i = 0; i < K; i++)
			s->truth[q * K + (uint32_t)i] = i < n ? (int32_t)hits[i].row : -1;
	}
}

/* ---- building --------------------------------------------------------------------------- */

static struct sl_index *build(const struct set *s, const struct sl_index_conf *conf)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct sl_index *index;

	if (sl_index_new(conf, &s->rows, &index))
		fail("no memory", "index");
	for (uint32_t row = 0; row < s->n; row++)
		if (sl_index_add(index, row))
			fail("no memory", "index");
	while (sl_index_step(index, SL_SEC) > 0)
		;
	printf("{\"build_cpu_s\": %.3f, \"bytes_a_vector\": %.1f}\n",
	       seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	       (double)sl_index_bytes(index) / s->n + (double)s->rows.stride);
	fflush(stdout);
	return index;
}

/* ---- passes ----------------------------------------------------------------------------- */

static uint32_t right(const struct set *s, uint32_t query, const struct sl_hit *hits, uint32_t n)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < K; j++)
			found += (uint32_t)s->truth[query * K + j] == hits[i].row;
	return found;
}

/* Answers @n queries from @first on. Return: how many of their nearest rows were found. */
static uint32_t answer(const struct set *s, struct sl_index *index, struct sl_scratch *scratch,
		       uint32_t first, uint32_t n, uint32_t effort)
{
	struct sl_query queries[MANY] = {0};
	struct sl_hit hits[MANY * K];
	const char *oversampling = getenv("OVERSAMPLING");
	uint32_t counts[MANY], found = 0;

	for (uint32_t i = 0; i < n; i++)
		queries[i] = (struct sl_query){
			.vector = s->queries + (size_t)(first + i) * s->rows.dim,
			.k = K,
			.effort = effort,
			.oversampling = oversampling ? (float)atof(oversampling) : 0,
			.allowed = s->allowed,
			.allowed_rows = s->n,
			.allowed_n = s->allowed_n,
		};
	if (sl_index_search_many(index, queries, n, hits, counts, scratch))
		fail("no memory", "search");
	for (uint32_t i = 0; i < n; i++)
		found += right(s, first + i, hits + i * K, counts[i]);
	return found;
}

static void passes(const struct set *s, struct sl_index *index, struct sl_scratch *scratch,
		   uint32_t effort, uint32_t at_once, int n)
{
	double best = 1e9;
	uint32_t found = 0;

	for (int pass = 0; pass < n; pass++) {
		double from = seconds(CLOCK_PROCESS_CPUTIME_ID);

		found = 0;
		for (uint32_t q = 0; q < s->queries_n; q += at_once)
			found += answer(s, index, scratch, q, sl_min(at_once, s->queries_n - q),
					effort);
		best = sl_min(best, seconds(CLOCK_PROCESS_CPUTIME_ID) - from);
	}
	printf("{\"effort\": %u, \"recall\": %.4f, \"qps\": %.0f}\n", effort,
	       (double)found / K / s->queries_n, s->queries_n / best);
	fflush(stdout);
}

static void efforts(const struct set *s, struct sl_index *index, struct sl_scratch *scratch,
		    char **argv, uint32_t at_once)
{
	unsigned int effort;

	if (!strcmp(*argv, "-"))
		while (scanf("%u", &effort) == 1)
			passes(s, index, scratch, effort, at_once, 1);
	else
		for (; *argv; argv++)
			passes(s, index, scratch, (uint32_t)atoi(*argv), at_once, PASSES);
}

static void filtered(struct set *s, struct sl_index *index, struct sl_scratch *scratch, char **argv)
{
	bool far = getenv("FAR");
	char *at = getenv("ALLOWED");

	if (far)
		sort_queries(s);
	s->queries_n = sl_min(s->queries_n, (uint32_t)FILTERED);
	while (*at) {
		char *end;

		allow(s, (uint32_t)strtoul(at, &end, 10), far);
		if (end == at)
			fail("is to be numbers", "ALLOWED");
		search_truth(s, index, scratch);
		printf("{\"allowed\": %u}\n", s->allowed_n);
		efforts(s, index, scratch, argv, 1);
		at = end + (*end == ',');
	}
}

/* ---- main ------------------------------------------------------------------------------- */

static enum sl_index_kind kind_of(const char *name)
{
	for (uint32_t i = 0; i < SL_INDEX_LAST; i++)
		if (!strncmp(name, sl_index_name((enum sl_index_kind)i),
			     strlen(sl_index_name((enum sl_index_kind)i))))
			return (enum sl_index_kind)i;
	fail("no such kind of index", name);
	return SL_INDEX_LAST;
}

static enum sl_quantiser quantiser_of(const char *name)
{
	for (uint32_t i = 0; name && i < SL_QUANTISER_LAST; i++)
		if (!strcmp(name, sl_quantiser_name((enum sl_quantiser)i)))
			return (enum sl_quantiser)i;
	if (name)
		fail("no such quantiser", name);
	return SL_QUANTISER_DEFAULT;
}

static void shorten(float *vector, uint32_t dim)
{
	double square = 0;

	for (uint32_t i = 0; i < dim; i++)
		square += (double)vector[i] * (double)vector[i];
	for (uint32_t i = 0; square > 0 && i < dim; i++)
		vector[i] = (float)(vector[i] / sqrt(square));
}

static void set_metric(struct set *s, const char *name)
{
	if (!name)
		return;
	if (strcmp(name, "dot") != 0 && strcmp(name, "cosine") != 0)
		fail("no such metric", name);
	s->rows.metric = SL_METRIC_DOT;
	for (uint32_t i = 0; !strcmp(name, "cosine") && i < s->n; i++)
		shorten((float *)(s->chunks[i / SL_ROWS_A_CHUNK] +
				  i % SL_ROWS_A_CHUNK * s->rows.stride),
			s->rows.dim);
	for (uint32_t i = 0; !strcmp(name, "cosine") && i < s->queries_n; i++)
		shorten(s->queries + (size_t)i * s->rows.dim, s->rows.dim);
}

static uint32_t number_of(const char *name)
{
	return getenv(name) ? (uint32_t)atoi(getenv(name)) : 0;
}

int main(int argc, char **argv)
{
	struct sl_index_conf conf = {.seed = 1};
	struct sl_scratch *scratch;
	struct sl_index *index;
	struct set s = {0};

	if (argc < 4)
		fail("FOLDER KIND EFFORT... (or -)", "usage");
	read_base(&s, argv[1]);
	read_queries(&s, argv[1]);
	conf.kind = kind_of(argv[2]);
	conf.quantiser = quantiser_of(getenv("QUANTISER"));
	conf.quantiser_bits = number_of("BITS");
	conf.rescore = number_of("RESCORE");
	conf.lists = number_of("LISTS");
	conf.links = number_of("LINKS");
	conf.effort_add = number_of("EFFORT_ADD");
	set_metric(&s, getenv("METRIC"));
	index = build(&s, &conf);
	if (sl_scratch_new(&scratch))
		fail("no memory", "scratch");
	if (s.rows.metric != SL_METRIC_L2)
		search_truth(&s, index, scratch);
	if (getenv("ALLOWED"))
		filtered(&s, index, scratch, argv + 3);
	else
		efforts(&s, index, scratch, argv + 3, strstr(argv[2], "-many") ? MANY : 1);
	sl_scratch_free(scratch);
	sl_index_free(index);
	return 0;
}
