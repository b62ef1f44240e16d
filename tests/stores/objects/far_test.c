/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors that are not in memory: what they take, answers beside those of a collection that has
 * them in memory, starts, lists, reads that fail, objects that are replaced and moved under
 * searches, an index that is made anew.
 *
 * Order of parts: collections; answers; starts; lists; reads that fail; changes under searches; an
 * index made anew.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- collections -------------------------------------------------------------------------- */

/* More than it takes until vectors leave memory. */
enum { ROWS = 4500, K = 10, QUERIES = 50 };

static struct sl_objects_conf conf_of(struct sl_objects_vector *v, bool on_disk, uint32_t links)
{
	static const struct sl_payload_conf indexes[] = {
		{.path = "even", .type = SL_PAYLOAD_BOOLEAN},
	};

	*v = (struct sl_objects_vector){
		.name = "",
		.dim = OK_DIM,
		.metric = SL_METRIC_L2,
		.component = SL_F32,
		.index = {.kind = SL_INDEX_HNSW, .links = links},
		.on_disk = on_disk,
	};
	return (struct sl_objects_conf){
		.vectors = v, .vectors_n = 1, .indexes = indexes, .indexes_n = 1};
}

static void create_as(struct ok *k, const char *name, bool on_disk)
{
	struct sl_objects_vector v;
	const struct sl_objects_conf conf = conf_of(&v, on_disk, 0);
	char why[200];

	ASSERT_EQ(0, objects_create(k->o, name, &conf, why, sizeof(why), SL_NEVER));
}

static void fill(struct ok *k, const char *name, bool on_disk)
{
	create_as(k, name, on_disk);
	ASSERT_EQ(0, ok_put(k, name, 0, ROWS, 0));
	ASSERT_EQ(0, ok_indexed(k, name));
}

static uint64_t memory_of(struct ok *k, const char *name)
{
	struct sl_objects_info info;

	ASSERT_EQ(0, objects_info(k->o, name, &info, SL_NEVER));
	EXPECT_EQ(info.vectors, info.indexed);
	return info.memory_bytes;
}

/* ---- answers ------------------------------------------------------------------------------ */

static float first_component(void *arg, const float *vector, uint32_t dim)
{
	ASSERT_EQ(OK_DIM, dim);
	++*(uint32_t *)arg;
	return -fabsf(vector[0] - 5) - fabsf(vector[1] - 5);
}

/* What both collections answer, and how many hits are in both answers. */
static uint32_t in_both(struct ok *k, struct objects_query q)
{
	struct objects_query far = q, near = q;
	uint32_t same = 0;

	ASSERT_EQ(0, objects_search(k->o, "far", &far, 1, SL_NEVER));
	ASSERT_EQ(0, objects_search(k->o, "near", &near, 1, SL_NEVER));
	ASSERT_EQ(0, far.result);
	ASSERT_EQ(0, near.result);
	EXPECT_EQ(near.n, far.n);
	for (uint32_t i = 0; i < far.n; i++)
		for (uint32_t j = 0; j < near.n; j++)
			same += objects_key_compare(&far.hits[i].key, &near.hits[j].key) == 0 &&
				far.hits[i].score == near.hits[j].score;
	objects_queries_done(&far, 1);
	objects_queries_done(&near, 1);
	return same;
}

static void check_exact(struct ok *k, const float *vector)
{
	const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
	const struct sl_filter even = {
		.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};
	struct objects_query q = {
		.vector_name = "", .vector = vector, .dim = OK_DIM, .k = K, .exact = true};

	EXPECT_EQ(K, in_both(k, q));
	q.filter = &even;
	EXPECT_EQ(K, in_both(k, q));
}

static int answers(struct ok *k)
{
	struct objects_query q = {.vector_name = "", .dim = OK_DIM, .k = K};
	float vector[OK_DIM];
	uint32_t same = 0, weighed = 0;

	ASSERT_EQ(0, ok_open(k));
	fill(k, "near", false);
	fill(k, "far", true);
	/* Most of the rows' memory, which is all that is different. */
	EXPECT_LT(memory_of(k, "far") + (ROWS * 64 * 8 / 10), memory_of(k, "near"));
	for (int i = 0; i < QUERIES; i++) {
		ok_vector(100000 + i, vector);
		q.vector = vector;
		same += in_both(k, q);
	}
	/* Both walk the same graph; the codes of one were made of fewer vectors. */
	EXPECT_LT(QUERIES * K * 95 / 100, same);
	ok_vector(100000, vector);
	check_exact(k, vector);
	q.vector = NULL;
	q.like = objects_key_integer(17);
	q.exact = true;
	EXPECT_EQ(K, in_both(k, q));
	q.weigh = first_component;
	q.arg = &weighed;
	EXPECT_EQ(K, in_both(k, q));
	EXPECT_EQ(2 * ROWS, weighed);
	return ok_close(k);
}

TEST_TIMEOUT(answers_are_those_of_vectors_in_memory, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, answers);
}

/* ---- starts ------------------------------------------------------------------------------- */

static int leave(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	ASSERT_EQ(0, ok_put(k, "far", 10, 100, 50000));
	ASSERT_EQ(0, ok_delete(k, "far", 3));
	return ok_close(k);
}

static void check_all(struct ok *k)
{
	EXPECT_EQ(ROWS - 1, ok_count(k, "far"));
	for (int64_t key = 0; key < 300; key++) {
		int64_t n = key >= 10 && key < 110 ? key + 50000 : key;

		EXPECT_EQ(key == 3 ? -1 : n, ok_number(k, "far", (uint64_t)key));
		if (key != 3)
			EXPECT_EQ(key, ok_nearest(k, "far", n, false));
	}
}

static int find(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	check_all(k);
	ASSERT_EQ(0, ok_indexed(k, "far"));
	EXPECT_LT(memory_of(k, "far"), ROWS * (64 + 300));
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	EXPECT_EQ(0, k->events[OBJECTS_LOST]);
	return ok_close(k);
}

static int drop_checkpoints(struct ok *k)
{
	struct objects_view *view;
	char path[100] = "objects/";
	size_t at = strlen(path);

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
		at += (size_t)snprintf(path + at, sizeof(path) - at, "%02x",
				       objects_view_find(view, "far")->id[i]);
	objects_view_release(view);
	snprintf(path + at, sizeof(path) - at, "/checkpoint");
	ASSERT_EQ(0, sl_unlink(k->conf.dir, path, 0, SL_NEVER));
	snprintf(path + at, sizeof(path) - at, "/checkpoint.old");
	EXPECT_EQ(0, sl_unlink(k->conf.dir, path, 0, SL_NEVER));
	return ok_close(k);
}

TEST_TIMEOUT(start_finds_them_with_a_checkpoint_and_without, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, leave);
	RUN(&k, find);
	RUN(&k, drop_checkpoints);
	RUN(&k, find);
}

/* ---- lists -------------------------------------------------------------------------------- */

static int make_lists(struct ok *k)
{
	struct sl_objects_vector v;
	struct sl_objects_conf conf = conf_of(&v, true, 0);
	char why[200];

	v.index = (struct sl_index_conf){.kind = SL_INDEX_IVF,
					 .quantiser = SL_QUANTISER_RABITQ,
					 .quantiser_bits = 4};
	ASSERT_EQ(0, ok_open(k));
	fill(k, "near", false);
	ASSERT_EQ(0, objects_create(k->o, "far", &conf, why, sizeof(why), SL_NEVER));
	ASSERT_EQ(0, ok_put(k, "far", 0, ROWS, 0));
	ASSERT_EQ(0, ok_indexed(k, "far"));
	return ok_close(k);
}

/* So many more that lists are made once more, of what codes of the others stand for. */
enum { MORE_ROWS = 3 * ROWS };

static int lists_answer(struct ok *k)
{
	struct objects_query q = {.vector_name = "", .dim = OK_DIM, .k = K};
	float vector[OK_DIM];
	uint32_t same = 0;

	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	/* The rows' memory is not there, whatever lists take. */
	EXPECT_LT(memory_of(k, "far") + (ROWS * 64 * 5 / 10), memory_of(k, "near"));
	ASSERT_EQ(0, ok_put(k, "near", ROWS, MORE_ROWS - ROWS, 0));
	ASSERT_EQ(0, ok_put(k, "far", ROWS, MORE_ROWS - ROWS, 0));
	ASSERT_EQ(0, ok_indexed(k, "near"));
	ASSERT_EQ(0, ok_indexed(k, "far"));
	for (int i = 0; i < QUERIES; i++) {
		ok_vector(100000 + i, vector);
		q.vector = vector;
		same += in_both(k, q);
	}
	EXPECT_LT(QUERIES * K * 90 / 100, same);
	for (int64_t key = 0; key < 300; key++)
		EXPECT_EQ(key, ok_nearest(k, "far", key, false));
	return ok_close(k);
}

TEST_TIMEOUT(lists_of_what_is_on_disk_answer_and_are_made_again, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, make_lists);
	RUN(&k, lists_answer);
}

/* ---- reads that fail ---------------------------------------------------------------------- */

/* The core's backend, whose reads fail once the test says which. */
struct failing {
	struct ok k; /* first */
	struct sl_faults faults;
};

static int search_with_faults(struct ok *k)
{
	struct failing *f = (struct failing *)k;
	uint64_t reads = 0;
	int failed = 0;

	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	/* From then on it is known where the objects are. */
	EXPECT_EQ(777, ok_nearest(k, "far", 777, false));
	for (uint64_t n = 0; n <= reads; n++) {
		int64_t key;

		f->faults.count = 0;
		f->faults.nth = n;
		key = ok_nearest(k, "far", 777, false);
		f->faults.nth = 0;
		if (!n)
			reads = f->faults.count;
		/* An answer that is not complete is none. */
		failed += key == -EIO - 1000;
		EXPECT_TRUE(key == 777 || (n && key == -EIO - 1000));
		EXPECT_EQ(777, ok_nearest(k, "far", 777, false));
	}
	EXPECT_LT(0, reads);
	EXPECT_EQ((int64_t)reads, failed);
	return ok_close(k);
}

/* After a start all places are looked up, those of one batch at once. */
static int look_up(struct ok *k)
{
	struct failing *f = (struct failing *)k;
	uint64_t first;

	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	ASSERT_EQ(0, ok_close(k));
	ASSERT_EQ(0, ok_open(k));
	f->faults.count = 0;
	for (int64_t key = 0; key < 2 * QUERIES; key++)
		EXPECT_EQ(key * 40, ok_nearest(k, "far", key * 40, false));
	first = f->faults.count;
	f->faults.count = 0;
	for (int64_t key = 0; key < 2 * QUERIES; key++)
		EXPECT_EQ(key * 40, ok_nearest(k, "far", key * 40, false));
	/* Those of objects, and of a few batches. */
	EXPECT_LT(0, f->faults.count);
	if (!EXPECT_LT(first, f->faults.count + 50))
		TH_LOG("%" PRIu64 " reads, then %" PRIu64, first, f->faults.count);
	return ok_close(k);
}

static int run_failing(void *arg)
{
	return search_with_faults(arg);
}

static int run_look_up(void *arg)
{
	return look_up(arg);
}

/* With reads that are counted. */
static void run_with_reads(int (*body)(void *arg))
{
	struct failing f;
	struct sl_cores_conf conf = {.arena_bytes_max = 256 * SL_MIB, .rx_buffers = 8};

	ok_init(&f.k, sl_sim_new(harness_seed(), NULL));
	sl_faults_init(&f.faults, sl_sim_backend(f.k.sim));
	f.faults.ops = UINT64_C(1) << SL_OP_READ | UINT64_C(1) << SL_OP_READ_FIXED;
	f.faults.err = EIO;
	conf.backend = &f.faults.backend;
	ASSERT_EQ(0, sl_core_run(&conf, body, &f));
	sl_sim_free(f.k.sim);
}

TEST_TIMEOUT(search_whose_read_fails_says_so, 120)
{
	run_with_reads(run_failing);
}

TEST_TIMEOUT(places_of_what_was_written_together_are_looked_up_together, 120)
{
	run_with_reads(run_look_up);
}

/* ---- changes under searches --------------------------------------------------------------- */

struct searcher {
	struct ok *k;
	bool stop, ended;
	uint64_t searches;
};

/* Keys below 100 keep their vectors, whatever is written of the others. */
static void search_on(void *arg)
{
	struct searcher *s = arg;

	while (!s->stop) {
		int64_t key = (int64_t)(s->searches++ % 100);

		EXPECT_EQ(key, ok_nearest(s->k, "far", key, false));
		sl_sleep(sl_now() + SL_MSEC);
	}
	s->ended = true;
}

static void searcher_start(struct searcher *s, struct ok *k)
{
	*s = (struct searcher){.k = k};
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, search_on, s));
}

static void searcher_stop(struct searcher *s)
{
	s->stop = true;
	while (!s->ended)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_LT(0, s->searches);
}

/* Objects of the keys from @from on, with much text. */
static void put_long(struct ok *k, uint64_t from, int64_t add)
{
	struct sl_objects_op ops[64];

	for (uint64_t i = 0; i < SL_ARRAY_SIZE(ops); i++)
		ops[i] = (struct sl_objects_op){
			.kind = SL_OBJECTS_PUT,
			.object = ok_make(&(struct ok_object){.key = from + i,
							      .n = (int64_t)(from + i) + add,
							      .padding = 20000})};
	ASSERT_EQ(0, objects_write(k->o, "far", ops, SL_ARRAY_SIZE(ops), true, NULL, SL_NEVER));
	for (size_t i = 0; i < SL_ARRAY_SIZE(ops); i++)
		free((void *)ops[i].object);
}

static int moved(struct ok *k)
{
	struct searcher s;
	int64_t until;

	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	searcher_start(&s, k);
	for (uint32_t i = 0; !k->events[OBJECTS_COMPACTED] && i < 100; i++)
		put_long(k, 1000 + i % 10 * 64, 10000 * (1 + i / 10));
	/* Until all is moved to the end of the log. */
	until = sl_now() + 60 * SL_SEC * harness_time_scale();
	while (!k->events[OBJECTS_COMPACTED] && sl_now() < until)
		sl_sleep(sl_now() + SL_MSEC);
	searcher_stop(&s);
	EXPECT_LT(0, k->events[OBJECTS_COMPACTED]);
	EXPECT_EQ(ROWS, ok_count(k, "far"));
	return ok_close(k);
}

TEST_TIMEOUT(objects_are_moved_under_searches, 240)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, moved);
}

/* ---- an index made anew ------------------------------------------------------------------- */

static int other_links(struct ok *k)
{
	struct sl_objects_vector v;
	const struct sl_objects_conf conf = conf_of(&v, true, 8);
	struct searcher s;
	uint64_t before;
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	before = memory_of(k, "far");
	searcher_start(&s, k);
	ASSERT_EQ(0, objects_change(k->o, "far", 0, &conf, why, sizeof(why), SL_NEVER));
	ASSERT_EQ(0, ok_put(k, "far", 4300, 100, 90000));
	ASSERT_EQ(0, ok_indexed(k, "far"));
	searcher_stop(&s);
	/* Of half as many links, beside others' figures. */
	EXPECT_LT(memory_of(k, "far") + ROWS * 48, before);
	for (int64_t key = 4300; key < 4400; key++)
		EXPECT_EQ(key, ok_nearest(k, "far", key + 90000, false));
	return ok_close(k);
}

static int stays(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(ROWS, ok_count(k, "far"));
	EXPECT_EQ(4350, ok_nearest(k, "far", 94350, false));
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	return ok_close(k);
}

/* The end comes before the other index is there: it is made at the start, a few rows at a time. */
static int cut_short(struct ok *k)
{
	struct sl_objects_vector v;
	const struct sl_objects_conf conf = conf_of(&v, true, 8);
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	fill(k, "far", true);
	ASSERT_EQ(0, ok_close(k));
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, objects_change(k->o, "far", 0, &conf, why, sizeof(why), SL_NEVER));
	return ok_close(k);
}

static int is_made(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(ROWS, ok_count(k, "far"));
	for (int64_t key = 0; key < 300; key++)
		EXPECT_EQ(key, ok_nearest(k, "far", key, false));
	ASSERT_EQ(0, ok_indexed(k, "far"));
	for (int64_t key = 0; key < 300; key++)
		EXPECT_EQ(key, ok_nearest(k, "far", key, false));
	EXPECT_LT(memory_of(k, "far"), ROWS * (64 + 250));
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	return ok_close(k);
}

TEST_TIMEOUT(an_index_that_was_not_made_is_made_at_the_start, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, cut_short);
	RUN(&k, is_made);
}

TEST_TIMEOUT(another_index_is_made_while_the_old_one_answers, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, other_links);
	RUN(&k, stays);
}

TEST_HARNESS_MAIN
