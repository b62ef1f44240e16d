/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches: scores of each metric, what they should be like, bounds, filters with and without
 * indexes, many at once, and the recall of a graph that is made behind.
 *
 * Order of parts: collections; scores; what is asked; filters; codes; which index; recall.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"
#include "stores/objects/objects_pvt.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- collections -------------------------------------------------------------------------- */

static int create_as(struct ok *k, const char *name, enum sl_metric metric,
		     const struct sl_payload_conf *indexes, uint32_t n)
{
	const struct sl_objects_vector vector = {.name = "",
						 .dim = OK_DIM,
						 .metric = metric,
						 .component = SL_F32,
						 .index = {.kind = SL_INDEX_HNSW}};
	const struct sl_objects_conf conf = {
		.vectors = &vector, .vectors_n = 1, .indexes = indexes, .indexes_n = n};
	char why[200];

	return objects_create(k->o, name, &conf, why, sizeof(why), SL_NEVER);
}

static uint64_t key_of(const struct objects_hit *hit)
{
	uint64_t key;

	memcpy(&key, hit->key.key, sizeof(key));
	return key;
}

static struct objects_query query_for(const float *vector, uint32_t k)
{
	return (struct objects_query){.vector_name = "", .vector = vector, .dim = OK_DIM, .k = k};
}

/* ---- scores ------------------------------------------------------------------------------- */

static double by_hand(enum sl_metric metric, const float *a, const float *b)
{
	double dot = 0, aa = 0, bb = 0, l2 = 0, l1 = 0;

	for (int i = 0; i < OK_DIM; i++) {
		dot += (double)a[i] * b[i];
		aa += (double)a[i] * a[i];
		bb += (double)b[i] * b[i];
		l2 += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		l1 += fabs((double)a[i] - b[i]);
	}
	switch (metric) {
	case SL_METRIC_COSINE:
		return dot / sqrt(aa * bb);
	case SL_METRIC_DOT:
		return dot;
	case SL_METRIC_L2:
		return sqrt(l2);
	default:
		return l1;
	}
}

static void check_metric(struct ok *k, enum sl_metric metric)
{
	float asked[OK_DIM], there[OK_DIM];
	struct objects_query q = query_for(asked, 20);

	ok_vector(1234, asked);
	ASSERT_EQ(0, create_as(k, "m", metric, NULL, 0));
	ASSERT_EQ(0, ok_put(k, "m", 0, 100, 0));
	ASSERT_EQ(0, objects_search(k->o, "m", &q, 1, SL_NEVER));
	ASSERT_EQ(0, q.result);
	ASSERT_EQ(20, q.n);
	for (uint32_t i = 0; i < q.n; i++) {
		ok_vector((int64_t)key_of(&q.hits[i]), there);
		EXPECT_TRUE(fabs(q.hits[i].score - by_hand(metric, asked, there)) < 1e-3);
		if (i && objects_larger_is_nearer(metric))
			EXPECT_TRUE(q.hits[i].score <= q.hits[i - 1].score);
		else if (i)
			EXPECT_TRUE(q.hits[i].score >= q.hits[i - 1].score);
	}
	objects_queries_done(&q, 1);
	ASSERT_EQ(0, objects_delete(k->o, "m", SL_NEVER));
}

static int metrics(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	check_metric(k, SL_METRIC_COSINE);
	check_metric(k, SL_METRIC_DOT);
	check_metric(k, SL_METRIC_L2);
	check_metric(k, SL_METRIC_MANHATTAN);
	return ok_close(k);
}

TEST(scores_are_of_the_metric)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, metrics);
}

static double length_of(struct ok *k, const char *name, uint64_t key)
{
	struct sl_filter_key at = objects_key_integer(key);
	struct objects_hit hit;
	const float *v;
	double sum = 0;

	ASSERT_EQ(0, objects_get(k->o, name, &at, 1, &hit, SL_NEVER));
	ASSERT_NE(NULL, hit.object);
	v = sl_object_vector(hit.object, "", NULL, NULL);
	for (int i = 0; i < OK_DIM; i++)
		sum += (double)v[i] * v[i];
	objects_release(&hit, 1);
	return sqrt(sum);
}

static int cosine(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, create_as(k, "c", SL_METRIC_COSINE, NULL, 0));
	ASSERT_EQ(0, create_as(k, "l", SL_METRIC_L2, NULL, 0));
	ASSERT_EQ(0, ok_put(k, "c", 1, 1, 0));
	ASSERT_EQ(0, ok_put(k, "l", 1, 1, 0));
	EXPECT_TRUE(fabs(length_of(k, "c", 1) - 1) < 1e-6);
	EXPECT_TRUE(length_of(k, "l", 1) > 2);
	return ok_close(k);
}

TEST(vectors_of_cosine_are_kept_at_length_one)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, cosine);
}

/* ---- what is asked ------------------------------------------------------------------------ */

static float first_component(void *arg, const float *vector, uint32_t dim)
{
	++*(uint32_t *)arg;
	EXPECT_EQ(OK_DIM, dim);
	return vector[0];
}

static int asked(struct ok *k)
{
	float vector[OK_DIM], nan[OK_DIM] = {NAN};
	struct objects_query q = query_for(vector, 10), all[4];
	uint32_t calls = 0;
	float bound;

	ok_vector(5, vector);
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 50, 0));
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	ASSERT_EQ(10, q.n);
	EXPECT_EQ(5, key_of(&q.hits[0]));
	EXPECT_EQ(NULL, q.hits[0].object);
	bound = q.hits[4].score;
	objects_queries_done(&q, 1);

	/* Nothing farther than the fifth; the object is with it. */
	q.bounded = q.with_objects = true;
	q.bound = bound;
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	EXPECT_EQ(5, q.n);
	ASSERT_NE(NULL, q.hits[0].object);
	objects_queries_done(&q, 1);

	/* Like an object, which is not among the hits; a part of them; wrong ones; by hand. */
	all[0] = (struct objects_query){.vector_name = "", .like = objects_key_integer(5), .k = 4};
	all[1] = query_for(vector, 3);
	all[1].offset = 1;
	all[2] = query_for(nan, 3);
	all[3] = (struct objects_query){
		.vector_name = "", .k = 3, .weigh = first_component, .arg = &calls};
	ASSERT_EQ(0, objects_search(k->o, "c", all, 4, SL_NEVER));
	ASSERT_EQ(4, all[0].n);
	ASSERT_EQ(3, all[1].n);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(key_of(&all[0].hits[i]), key_of(&all[1].hits[i]));
	EXPECT_EQ(-EINVAL, all[2].result);
	EXPECT_EQ(SL_OBJECTS_BAD_QUERY, all[2].fault);
	ASSERT_EQ(3, all[3].n);
	EXPECT_EQ(50, calls);
	EXPECT_TRUE(all[3].hits[0].score >= all[3].hits[1].score);
	EXPECT_TRUE(all[3].hits[1].score >= all[3].hits[2].score);
	objects_queries_done(all, 4);

	q = (struct objects_query){.vector_name = "x", .vector = vector, .dim = OK_DIM, .k = 1};
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	EXPECT_EQ(SL_OBJECTS_UNKNOWN_VECTOR, q.fault);
	q = query_for(vector, 1);
	q.dim = 3;
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	EXPECT_EQ(SL_OBJECTS_WRONG_DIM, q.fault);
	q = (struct objects_query){.vector_name = "", .like = objects_key_integer(500), .k = 4};
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	EXPECT_EQ(SL_OBJECTS_NO_OBJECT, q.fault);
	q = query_for(vector, UINT32_MAX);
	ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
	EXPECT_EQ(SL_OBJECTS_BAD_QUERY, q.fault);
	return ok_close(k);
}

TEST(queries_say_what_they_want)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, asked);
}

/* ---- filters ------------------------------------------------------------------------------ */

static void check_filter(struct ok *k, const char *name)
{
	const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
	const struct sl_filter even = {
		.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};
	struct sl_filter low = {.kind = SL_FILTER_RANGE, .path = "n"};
	const struct sl_filter *const of[] = {&even, &low};
	const struct sl_filter both = {.kind = SL_FILTER_ALL, .of = of, .of_n = 2};
	float vector[OK_DIM];
	struct objects_query q = query_for(vector, 1000);
	uint64_t n = 0;

	low.range.high = (struct sl_operand){.type = SL_VALUE_INTEGER, .integer = 100};
	ok_vector(7, vector);
	q.filter = &both;
	ASSERT_EQ(0, objects_search(k->o, name, &q, 1, SL_NEVER));
	ASSERT_EQ(0, q.result);
	/* 0, 2, .., 100, but for those that were deleted or changed */
	EXPECT_EQ(49, q.n);
	for (uint32_t i = 0; i < q.n; i++)
		EXPECT_EQ(0, key_of(&q.hits[i]) % 2);
	objects_queries_done(&q, 1);
	ASSERT_EQ(0, objects_count(k->o, name, &both, true, &n, SL_NEVER));
	EXPECT_EQ(49, n);
}

static const struct sl_payload_conf payload[] = {
	{.path = "even", .type = SL_PAYLOAD_BOOLEAN},
	{.path = "n", .type = SL_PAYLOAD_INTEGER},
};

static int filters(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "with" : "without";

		ASSERT_EQ(0, create_as(k, name, SL_METRIC_L2, payload, i ? 2 : 0));
		ASSERT_EQ(0, ok_put(k, name, 0, 500, 0));
		ASSERT_EQ(0, ok_delete(k, name, 10));
		ASSERT_EQ(0, ok_put(k, name, 20, 1, 1));
		check_filter(k, name);
	}
	return ok_close(k);
}

static int filters_again(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	check_filter(k, "with");
	check_filter(k, "without");
	return ok_close(k);
}

/* Indexes that come later are of all that is there; those that go are not needed. */
static int filters_change(struct ok *k)
{
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "with" : "without";
		struct objects_view *view = objects_view(k->o);
		struct sl_objects_conf conf = objects_view_find(view, name)->conf;

		conf.indexes = payload;
		conf.indexes_n = i ? 0 : 2;
		EXPECT_EQ(0, objects_change(k->o, name, 0, &conf, why, sizeof(why), SL_NEVER));
		objects_view_release(view);
		check_filter(k, name);
	}
	return ok_close(k);
}

TEST(filters_hold_with_and_without_indexes)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, filters);
	RUN(&k, filters_again);
	RUN(&k, filters_change);
	RUN(&k, filters_again);
}

/* ---- codes -------------------------------------------------------------------------------- */

enum { CODED = 1000, TRIES = 50 };

static int create_coded(struct ok *k, enum sl_quantiser quantiser)
{
	const struct sl_objects_vector vector = {
		.name = "",
		.dim = OK_DIM,
		.metric = SL_METRIC_L2,
		.component = SL_F32,
		.index = {.kind = SL_INDEX_HNSW, .quantiser = quantiser},
	};
	const struct sl_objects_conf conf = {.vectors = &vector, .vectors_n = 1};
	char why[200];

	return objects_create(k->o, "c", &conf, why, sizeof(why), SL_NEVER);
}

/* How many of the nearest are found, and how many have the score that their vectors give. */
static void ask_coded(struct ok *k, struct objects_query q, uint32_t *ret_found, uint32_t *ret_true)
{
	float vector[OK_DIM], there[OK_DIM];

	*ret_found = *ret_true = 0;
	q.vector_name = "";
	q.vector = vector;
	q.dim = OK_DIM;
	q.k = 1;
	for (int64_t i = 0; i < TRIES; i++) {
		ok_vector(100000 + i, vector);
		ASSERT_EQ(0, objects_search(k->o, "c", &q, 1, SL_NEVER));
		ASSERT_EQ(1, q.n);
		ok_vector((int64_t)key_of(&q.hits[0]), there);
		*ret_true += fabs(q.hits[0].score - by_hand(SL_METRIC_L2, vector, there)) < 1e-4;
		*ret_found += (int64_t)key_of(&q.hits[0]) == ok_nearest(k, "c", 100000 + i, true);
		objects_queries_done(&q, 1);
	}
}

static int coded(struct ok *k)
{
	uint32_t found, more, real;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, create_coded(k, SL_QUANTISER_BINARY));
	ASSERT_EQ(0, ok_put(k, "c", 0, CODED, 0));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	ask_coded(k, (struct objects_query){.oversampling = 1}, &found, &real);
	EXPECT_EQ(TRIES, real);
	ask_coded(k, (struct objects_query){.oversampling = 300}, &more, &real);
	EXPECT_EQ(TRIES, real);
	EXPECT_TRUE(more > found);
	ask_coded(k, (struct objects_query){.estimates = true}, &found, &real);
	EXPECT_TRUE(real < TRIES);
	return ok_close(k);
}

TEST(codes_alone_are_rough_and_more_candidates_make_good_for_that)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, coded);
}

/* ---- which index -------------------------------------------------------------------------- */

static enum sl_index_kind kind_of(struct sl_objects_vector conf)
{
	return vector_index_conf(&conf).kind;
}

static enum sl_quantiser quantiser_of(struct sl_objects_vector conf)
{
	return vector_index_conf(&conf).quantiser;
}

#define OF(...) kind_of((struct sl_objects_vector){.index = {.kind = SL_INDEX_HNSW}, __VA_ARGS__})

TEST(lists_stand_for_a_graph_of_which_nothing_is_said)
{
	EXPECT_EQ(SL_INDEX_IVF, OF(.automatic = true));
	EXPECT_EQ(SL_INDEX_IVF, OF(.automatic = true, .component = SL_F16));
	EXPECT_EQ(SL_INDEX_IVF, OF(.automatic = true, .metric = SL_METRIC_DOT));
	EXPECT_EQ(SL_INDEX_IVF, OF(.automatic = true, .metric = SL_METRIC_COSINE));
	EXPECT_EQ(SL_INDEX_IVF, OF(.automatic = true, .on_disk = true));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = false));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = true, .metric = SL_METRIC_MANHATTAN));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = true, .component = SL_I8));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = true, .component = SL_BITS));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = true, .index.links = 32));
	EXPECT_EQ(SL_INDEX_HNSW, OF(.automatic = true, .index.effort_add = 200));
	EXPECT_EQ(SL_INDEX_FLAT, kind_of((struct sl_objects_vector){
					 .automatic = true, .index = {.kind = SL_INDEX_FLAT}}));
}

TEST(codes_are_short_where_vectors_are_on_disk)
{
	struct sl_objects_vector conf = {
		.automatic = true, .on_disk = true, .index = {.kind = SL_INDEX_HNSW}};

	EXPECT_EQ(SL_QUANTISER_RABITQ, quantiser_of(conf));
	conf.index.quantiser = SL_QUANTISER_SQ8;
	EXPECT_EQ(SL_QUANTISER_SQ8, quantiser_of(conf));
	conf.index.quantiser = SL_QUANTISER_DEFAULT;
	conf.on_disk = false;
	EXPECT_EQ(SL_QUANTISER_DEFAULT, quantiser_of(conf));
}

/* ---- recall ------------------------------------------------------------------------------- */

enum { MANY = 3000, ASKED = 100 };

static double recall_of(struct ok *k, const char *name)
{
	int same = 0;

	for (int64_t i = 0; i < ASKED; i++)
		same += ok_nearest(k, name, 100000 + i, false) ==
			ok_nearest(k, name, 100000 + i, true);
	return (double)same / ASKED;
}

static int graph(struct ok *k)
{
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, ok_put(k, "c", 0, MANY, 0));
	/* Found from the first moment on. */
	EXPECT_EQ(1.0, recall_of(k, "c"));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(MANY, info.objects);
	EXPECT_EQ(MANY, info.indexed);
	EXPECT_TRUE(recall_of(k, "c") >= 0.97);
	/* All of it is replaced. */
	ASSERT_EQ(0, ok_put(k, "c", 0, MANY, 7));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	EXPECT_TRUE(recall_of(k, "c") >= 0.97);
	/* And once more, piece by piece. */
	for (uint64_t from = 0; from < MANY; from += MANY / 10) {
		ASSERT_EQ(0, ok_put(k, "c", from, MANY / 10, 1000000));
		ASSERT_EQ(0, ok_indexed(k, "c"));
	}
	EXPECT_TRUE(recall_of(k, "c") >= 0.97);
	EXPECT_EQ(MANY, ok_count(k, "c"));
	return ok_close(k);
}

static int graph_again(struct ok *k)
{
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(MANY, info.objects);
	/* Not made anew. */
	EXPECT_EQ(MANY, info.indexed);
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	EXPECT_TRUE(recall_of(k, "c") >= 0.97);
	return ok_close(k);
}

TEST_TIMEOUT(a_graph_is_made_behind_and_kept, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, graph);
	RUN(&k, graph_again);
}

TEST_HARNESS_MAIN
