/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on several cores: calls that go to a home elsewhere, views on every core, waits
 * across cores; and with the Nth file operation failing, for every N.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic_kit.h"

/* ---- several cores ------------------------------------------------------------------------ */

enum { CORES = 3, PARTITIONS = 12, PER_CORE = 30 };

/* One process of several cores; what each does is in body(). */
struct cluster {
	struct tk k;
	struct sl_cores *cores;
	int (*body)(struct cluster *c, uint32_t core);
	uint32_t ready, worked, stopped; /* cores that have come so far: atomics */
	int rc[CORES];
};

static void meet(uint32_t *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < CORES)
		sl_sleep(sl_now() + SL_MSEC);
}

struct start {
	struct cluster *c;
	uint32_t core;
};

static void core_work(void *arg)
{
	struct start *s = arg;
	struct cluster *c = s->c;

	c->rc[s->core] = c->body(c, s->core);
	meet(&c->worked);
	sl_topics_drain(c->k.t);
	meet(&c->ready);
	EXPECT_EQ(0, sl_topics_stop(c->k.t, SL_NEVER));
	meet(&c->stopped);
	if (s->core == 0)
		sl_cores_stop(sl_core_cores(sl_core_self()));
	free(s);
}

static int core_start(struct sl_core *core, void *arg)
{
	struct cluster *c = arg;
	struct start *s = malloc(sizeof(*s));
	int rc = sl_topics_start(c->k.t, SL_NEVER);

	if (rc || !s)
		return rc ? rc : -ENOMEM;
	*s = (struct start){c, sl_core_id(core)};
	return sl_fiber_start(SL_STACK_SMALL, core_work, s);
}

static void cluster_run(struct cluster *c, int (*body)(struct cluster *c, uint32_t core))
{
	struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 64 * SL_MIB, .rx_buffers = 8};
	char why[256] = "";

	c->body = body;
	c->ready = c->worked = c->stopped = 0;
	c->k.conf.cores = CORES;
	c->k.conf.dir = sl_open_now(AT_FDCWD, harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0);
	ASSERT_LE(0, c->k.conf.dir);
	ASSERT_EQ(0, sl_topics_open(&c->k.conf, &c->k.t));
	if (!EXPECT_EQ(0, sl_cores_start(&conf, core_start, c, &c->cores, why, sizeof(why))))
		TH_LOG("%s", why);
	sl_cores_join(c->cores);
	sl_topics_close(c->k.t);
	sl_close(c->k.conf.dir);
	for (int i = 0; i < CORES; i++)
		EXPECT_EQ(0, c->rc[i]);
}

static void wait_for_topic(struct cluster *c, const char *name)
{
	while (!tk_topic(&c->k, name))
		sl_sleep(sl_now() + SL_MSEC);
}

/* Every core appends to and reads all partitions, wherever they are. */
static int all_append(struct cluster *c, uint32_t core)
{
	int64_t numbers[CORES * PER_CORE];

	if (core == 1)
		EXPECT_EQ(0, tk_create(&c->k, "t", PARTITIONS));
	wait_for_topic(c, "t");
	for (int i = 0; i < PER_CORE; i++) {
		for (uint32_t p = 0; p < PARTITIONS; p++) {
			struct tk_batch b = tk_idempotent(core * 1000 + i, 1, core + 1, 0, i);
			int rc;

			b.padding = 2000;
			rc = i % 2 ? tk_append_streamed(&c->k, "t", p, &b, 700, NULL)
				   : tk_append(&c->k, "t", p, &b, NULL);
			if (!EXPECT_EQ(0, rc))
				return rc;
		}
	}
	meet(&c->k.events[0]); /* borrowed as a counter */
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		int64_t last[CORES] = {-1, -1, -1};

		EXPECT_EQ(CORES * PER_CORE,
			  tk_read(&c->k, "t", p, 0, numbers, CORES * PER_CORE));
		for (int i = 0; i < CORES * PER_CORE; i++) {
			int64_t from = numbers[i] / 1000, n = numbers[i] % 1000;

			EXPECT_EQ(last[from] + 1, n);
			last[from] = n;
		}
	}
	return 0;
}

TEST(partitions_of_other_cores_are_used_like_own_ones)
{
	struct cluster c = {0};

	tk_init(&c.k, NULL);
	cluster_run(&c, all_append);
}

static int wait_across(struct cluster *c, uint32_t core)
{
	struct sl_fetch_part parts[PARTITIONS];
	struct sl_fetch f = {.parts = parts, .n = PARTITIONS, .bytes_max = SL_MIB, .bytes_min = 1};
	struct sl_topics_view *view;

	if (core == 1)
		EXPECT_EQ(0, tk_create(&c->k, "w", PARTITIONS));
	wait_for_topic(c, "w");
	if (core == 0) {
		for (uint32_t i = 0; i < 200; i++) {
			struct tk_batch b = tk_one(i);

			EXPECT_EQ(0, tk_append(&c->k, "w", i % PARTITIONS, &b, NULL));
			if (i % 7 == 0)
				sl_sleep(sl_now() + SL_MSEC);
		}
		return 0;
	}
	view = sl_topics_view(c->k.t);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		parts[p] = (struct sl_fetch_part){
			.topic = sl_topics_view_find(view, tk_str("w")),
			.partition = p, .epoch = -1, .bytes_max = SL_MIB};
	for (int seen = 0; seen < 200;) {
		/* Short deadlines too, so that waits are taken back while news is on its way. */
		int64_t patience = sl_now() % 3 ? SL_SEC : SL_MSEC / 2;

		EXPECT_EQ(0, sl_fetch_wait(c->k.t, &f, sl_now() + patience));
		for (uint32_t p = 0; p < PARTITIONS; p++) {
			for (uint32_t i = 0; i < parts[p].n_spans; i++) {
				seen += (int)(parts[p].spans[i].next - parts[p].offset);
				parts[p].offset = parts[p].spans[i].next;
			}
		}
		sl_fetch_release(&f);
	}
	sl_topics_view_release(view);
	return 0;
}

TEST(waits_reach_across_cores)
{
	struct cluster c = {0};

	tk_init(&c.k, NULL);
	cluster_run(&c, wait_across);
}

static int change_topics(struct cluster *c, uint32_t core)
{
	char name[16];

	for (int i = 0; i < 20; i++) {
		struct tk_batch b = tk_one(i);
		const struct sl_topic *t;
		struct sl_uuid id;

		snprintf(name, sizeof(name), "c%u-%d", core, i % 3);
		EXPECT_EQ(0, tk_create(&c->k, name, 4));
		for (uint32_t p = 0; p < 4; p++)
			EXPECT_EQ(0, tk_append(&c->k, name, p, &b, NULL));
		t = tk_topic(&c->k, name);
		if (!EXPECT_TRUE(t != NULL))
			return -1;
		id = t->id;
		EXPECT_EQ(0, sl_topics_delete(c->k.t, &id, SL_NEVER));
	}
	return 0;
}

TEST(topics_come_and_go_on_all_cores)
{
	struct cluster c = {0};

	tk_init(&c.k, NULL);
	cluster_run(&c, change_topics);
}

static int use_groups(struct cluster *c, uint32_t core)
{
	int64_t id, last = -1;

	if (core == 0)
		EXPECT_EQ(0, tk_create(&c->k, "t", 1));
	wait_for_topic(c, "t");
	for (int i = 0; i < 20; i++) {
		char group[16];
		struct sl_group_member who = {.generation = -1};
		struct sl_offset o = {.topic = tk_topic(&c->k, "t")->id, .offset = i};
		struct sl_offset_list list;

		snprintf(group, sizeof(group), "g%u-%d", core, i % 5);
		who.group = tk_str(group);
		EXPECT_EQ(0, sl_offsets_commit(c->k.t, &who, &o, 1, SL_NEVER));
		if (!EXPECT_EQ(0, sl_offsets_fetch(c->k.t, &who, NULL, 0, &list, SL_NEVER)))
			return -1;
		EXPECT_EQ(1, list.n);
		EXPECT_EQ(i, list.offsets[0].offset);
		sl_offset_list_done(&list);
		EXPECT_EQ(0, sl_producer_id_new(c->k.t, &id, SL_NEVER));
		EXPECT_LT(last, id);
		last = id;
	}
	return 0;
}

/* Stored by three cores, read by one: files do not know how many there were. */
static int find_groups(struct tk *k)
{
	struct sl_group_list list;
	struct sl_topics_view *view;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_groups_list(k->t, &list, SL_NEVER));
	EXPECT_EQ(15, list.n);
	sl_group_list_done(&list);
	view = sl_topics_view(k->t);
	EXPECT_EQ(1, sl_topics_view_count(view));
	sl_topics_view_release(view);
	return tk_close(k);
}

TEST(groups_live_on_all_cores_and_move_with_their_number)
{
	struct cluster c = {0};

	tk_init(&c.k, NULL);
	cluster_run(&c, use_groups);
	c.k.conf.cores = 1;
	EXPECT_EQ(0, tk_run(&c.k, find_groups));
}

/* ---- faults ------------------------------------------------------------------------------- */

/* What was acknowledged while the Nth operation failed. */
struct faulty {
	struct tk k; /* first */
	struct sl_faults faults;
	int64_t acked[2];
	int64_t committed;
	bool created;
};

static int64_t try_append(struct faulty *f, const char *topic, int64_t from)
{
	for (int64_t i = from; i < from + 4; i++) {
		struct tk_batch b = tk_idempotent(i, 1, 5, 0, (int32_t)i);
		int rc = i % 2 ? tk_append_streamed(&f->k, topic, 0, &b, 100, NULL)
			       : tk_append(&f->k, topic, 0, &b, NULL);

		if (rc)
			return i;
	}
	return from + 4;
}

static void try_commit(struct faulty *f, const char *topic)
{
	struct sl_group_member who = {.group = tk_str("g"), .generation = -1};
	struct sl_offset o = {.topic = tk_topic(&f->k, topic)->id, .offset = f->committed + 1};

	if (sl_offsets_commit(f->k.t, &who, &o, 1, SL_NEVER) == 0)
		f->committed++;
}

static int work_on(struct tk *k)
{
	struct faulty *f = (struct faulty *)k;
	int64_t id;

	if (tk_open(k))
		return 0;
	f->created |= tk_create(k, "t", 1) == 0;
	sl_producer_id_new(k->t, &id, SL_NEVER);
	if (tk_topic(k, "t")) {
		f->acked[0] = try_append(f, "t", 0);
		try_commit(f, "t");
	}
	tk_close(k);
	if (tk_open(k))
		return 0;
	if (tk_topic(k, "t")) {
		f->acked[1] = try_append(f, "t", f->acked[0]);
		try_commit(f, "t");
		try_commit(f, "t");
	}
	tk_close(k);
	return 0;
}

static int check_after(struct tk *k)
{
	struct faulty *f = (struct faulty *)k;
	struct sl_group_member who = {.group = tk_str("g"), .generation = -1};
	struct sl_offset_list list;
	int64_t numbers[64], acked = sl_max(f->acked[0], f->acked[1]);
	int n;

	ASSERT_EQ(0, tk_open(k));
	EXPECT_TRUE(!f->created || tk_topic(k, "t"));
	if (tk_topic(k, "t")) {
		n = tk_read(k, "t", 0, 0, numbers, 64);
		EXPECT_LE(acked, n);
		for (int i = 0; i < n; i++)
			EXPECT_EQ(i, numbers[i]);
		ASSERT_EQ(0, sl_offsets_fetch(k->t, &who, NULL, 0, &list, SL_NEVER));
		EXPECT_LE(f->committed, list.n ? list.offsets[0].offset : 0);
		sl_offset_list_done(&list);
	}
	return tk_close(k);
}

static void run_faulty(struct faulty *f, struct sl_backend *backend, int (*body)(struct tk *k))
{
	struct sl_cores_conf conf = {.backend = backend, .arena_bytes_max = 64 * SL_MIB,
				     .rx_buffers = 8};

	EXPECT_EQ(0, sl_core_run(&conf, (int (*)(void *))body, &f->k));
}

/* Return: operations that were counted. */
static uint64_t try_fault(uint64_t nth, int err, bool sticky)
{
	struct faulty f = {0};
	uint64_t count;

	tk_init(&f.k, sl_sim_new(1, NULL));
	sl_faults_init(&f.faults, sl_sim_backend(f.k.sim));
	f.faults.ops = sl_ops_file_mask();
	f.faults.nth = nth;
	f.faults.err = err;
	f.faults.sticky = sticky;
	run_faulty(&f, &f.faults.backend, work_on);
	count = f.faults.count;
	sl_sim_reboot(f.k.sim, SL_SIM_LOSE_ALL);
	run_faulty(&f, sl_sim_backend(f.k.sim), check_after);
	sl_sim_free(f.k.sim);
	return count;
}

FIXTURE(fault)
{
	int unused;
};
FIXTURE_VARIANT(fault)
{
	int err;
	bool sticky;
};
FIXTURE_VARIANT_ADD(fault, eio){EIO, false};
FIXTURE_VARIANT_ADD(fault, eio_for_ever){EIO, true};
FIXTURE_VARIANT_ADD(fault, enospc){ENOSPC, false};
FIXTURE_VARIANT_ADD(fault, enospc_for_ever){ENOSPC, true};
FIXTURE_VARIANT_ADD(fault, emfile){EMFILE, false};
FIXTURE_VARIANT_ADD(fault, shorter){0, false};
FIXTURE_SETUP(fault)
{
}
FIXTURE_TEARDOWN(fault)
{
}

TEST_F_TIMEOUT(fault, of_any_operation_loses_nothing_acknowledged, 120)
{
	uint64_t count = try_fault(0, variant->err, variant->sticky);
	uint64_t step = (uint64_t)harness_work_part();

	ASSERT_LT(100, count);
	for (uint64_t nth = 1 + harness_random() % step; nth <= count; nth += step)
		try_fault(nth, variant->err, variant->sticky);
}

TEST_HARNESS_MAIN
