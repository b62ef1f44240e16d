/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite of topics: a workload on the simulated disk, the power cut in the middle of each
 * of its mutating operations, several outcomes of each cut, and what is owed then: topics that
 * were created or deleted; records that were acknowledged, once and at their offset; sequences of
 * producers; committed offsets; producer ids that were never given before.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: the model; the workload; checks; cuts; tests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "topic_kit.h"
#include "uring/cuts.h"

/* ---- the model ---------------------------------------------------------------------------- */

enum { TOPICS = 4, PARTS = 2, RECORDS = 64, COMMITS = 3 };

enum fate { NEVER, MAYBE, SURELY, MAYBE_DELETED, DELETED };

/* A partition's records are numbered from 0 in the order of appending, one a batch. */
struct partition_model {
	int64_t acked;	    /* records that were acknowledged: all below */
	int64_t tried;	    /* records that were handed over */
};

struct model {
	enum fate fate[TOPICS];
	struct partition_model part[TOPICS][PARTS];
	int64_t committed[COMMITS], commit_tried[COMMITS]; /* by group; for topic 0 */
	int64_t id_max;
	int64_t producer;
};

struct world {
	struct tk k; /* first */
	struct model m;
	bool go_on;
	char wrong[200];
};

#define WRONG(w, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(w)->wrong[0])                                                                \
			snprintf((w)->wrong, sizeof((w)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

static const char *topic_name(int i)
{
	static const char *const names[TOPICS] = {"zero", "one", "two", "three"};

	return names[i];
}

static struct tk_batch batch_of(const struct model *m, int topic, int part, int64_t number)
{
	struct tk_batch b = tk_idempotent(number, 1, m->producer + part, 0, (int32_t)number);

	b.padding = 50 + (size_t)(number * 37 + topic * 11) % 300;
	return b;
}

/* ---- the workload ------------------------------------------------------------------------- */

static int create(struct world *w, int i)
{
	int rc;

	w->m.fate[i] = MAYBE;
	rc = tk_create(&w->k, topic_name(i), PARTS);
	if (!rc)
		w->m.fate[i] = SURELY;
	return rc;
}

static int delete(struct world *w, int i)
{
	const struct sl_topic *t = tk_topic(&w->k, topic_name(i));
	struct sl_uuid id;
	int rc;

	if (!t)
		return -ENOENT;
	id = t->id;
	w->m.fate[i] = MAYBE_DELETED;
	rc = sl_topics_delete(w->k.t, &id, SL_NEVER);
	if (!rc)
		w->m.fate[i] = DELETED;
	return rc;
}

static int append(struct world *w, int topic, int part, int n)
{
	struct partition_model *p = &w->m.part[topic][part];
	int rc = 0;

	for (int i = 0; i < n && !rc; i++) {
		struct tk_batch b = batch_of(&w->m, topic, part, p->tried);
		int64_t number = p->tried++;
		uint64_t base = 0;

		if (number % 3 == 2)
			rc = tk_append_streamed(&w->k, topic_name(topic), (uint32_t)part, &b, 64,
						&base);
		else
			rc = tk_append(&w->k, topic_name(topic), (uint32_t)part, &b, &base);
		if (!rc && base != (uint64_t)number)
			WRONG(w, "record %lld of %s-%d went to %llu", (long long)number,
			      topic_name(topic), part, (unsigned long long)base);
		if (!rc)
			p->acked = number + 1;
	}
	return rc;
}

static int commit(struct world *w, int i)
{
	const struct sl_topic *t = tk_topic(&w->k, "zero");
	char group[8];
	struct sl_group_member who = {.group = {group, 0}, .generation = -1};
	struct sl_offset o = {.offset = w->m.commit_tried[i] + 1};
	int rc;

	if (!t)
		return -ENOENT;
	who.group.len = (size_t)snprintf(group, sizeof(group), "g%d", i);
	o.topic = t->id;
	w->m.commit_tried[i] = o.offset;
	rc = sl_offsets_commit(w->k.t, &who, &o, 1, SL_NEVER);
	if (!rc)
		w->m.committed[i] = o.offset;
	return rc;
}

static int new_id(struct world *w)
{
	int64_t id = -1;
	int rc = sl_producer_id_new(w->k.t, &id, SL_NEVER);

	if (rc)
		return rc;
	if (id <= w->m.id_max)
		WRONG(w, "producer id %lld was given before", (long long)id);
	w->m.id_max = sl_max(w->m.id_max, id);
	return 0;
}

static int reopen(struct world *w)
{
	int rc = tk_close(&w->k);

	return rc ? rc : tk_open(&w->k);
}

static int work_steps(struct world *w)
{
	int rc = create(w, 0);

	rc = rc ? rc : new_id(w);
	rc = rc ? rc : append(w, 0, 0, 3);
	rc = rc ? rc : commit(w, 0);
	rc = rc ? rc : create(w, 1);
	rc = rc ? rc : append(w, 1, 1, 2);
	rc = rc ? rc : reopen(w);
	rc = rc ? rc : append(w, 0, 0, 3);
	rc = rc ? rc : append(w, 0, 1, 1);
	rc = rc ? rc : commit(w, 0);
	rc = rc ? rc : commit(w, 1);
	rc = rc ? rc : new_id(w);
	rc = rc ? rc : create(w, 2);
	rc = rc ? rc : delete(w, 1);
	rc = rc ? rc : append(w, 2, 0, 1);
	rc = rc ? rc : reopen(w);
	rc = rc ? rc : new_id(w);
	rc = rc ? rc : commit(w, 0);
	rc = rc ? rc : append(w, 0, 0, 2);
	rc = rc ? rc : append(w, 2, 0, 4);
	rc = rc ? rc : delete(w, 2);
	rc = rc ? rc : create(w, 3);
	return rc ? rc : append(w, 3, 0, 2);
}

static int work_all(struct tk *k)
{
	struct world *w = (struct world *)k;
	int rc = tk_open(k);

	if (rc)
		return rc;
	rc = work_steps(w);
	if (k->t)
		tk_close(k);
	return rc;
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){0};
	tk_init(&w->k, sl_sim_new(seed, NULL));
	w->m.producer = 500;
	w->m.id_max = -1;
}

/* ---- checks ------------------------------------------------------------------------------- */

static void check_topic(struct world *w, int i)
{
	const struct sl_topic *t = tk_topic(&w->k, topic_name(i));
	enum fate fate = w->m.fate[i];

	if (fate == SURELY && !t)
		WRONG(w, "topic %s is lost", topic_name(i));
	if ((fate == NEVER || fate == DELETED) && t)
		WRONG(w, "topic %s is back", topic_name(i));
	if (t && t->partitions != PARTS)
		WRONG(w, "topic %s has %u partitions", topic_name(i), t->partitions);
}

static void check_partition(struct world *w, int topic, int part)
{
	struct partition_model *p = &w->m.part[topic][part];
	int64_t numbers[RECORDS];
	int n;

	if (w->wrong[0] || !tk_topic(&w->k, topic_name(topic)))
		return;
	n = tk_read(&w->k, topic_name(topic), (uint32_t)part, 0, numbers, RECORDS);
	if (n < p->acked || n > p->tried) {
		WRONG(w, "%s-%d holds %d records, %lld were acknowledged, %lld tried",
		      topic_name(topic), part, n, (long long)p->acked, (long long)p->tried);
		return;
	}
	for (int i = 0; i < n; i++)
		if (numbers[i] != i)
			WRONG(w, "%s-%d holds %lld at %d", topic_name(topic), part,
			      (long long)numbers[i], i);
	/* As a producer that heard no answer: the last one again, and then on. */
	for (int64_t i = sl_max(n - 3, 0); i < n + 2 && !w->wrong[0]; i++) {
		struct tk_batch b = batch_of(&w->m, topic, part, i);
		uint64_t base = 0;
		int rc = tk_append(&w->k, topic_name(topic), (uint32_t)part, &b, &base);

		if (rc || base != (uint64_t)i)
			WRONG(w, "repeating %lld of %s-%d says %d, offset %llu", (long long)i,
			      topic_name(topic), part, rc, (unsigned long long)base);
	}
	if (!w->wrong[0] && tk_end(&w->k, topic_name(topic), (uint32_t)part) != n + 2)
		WRONG(w, "%s-%d: a repetition was stored", topic_name(topic), part);
}

static void check_commit(struct world *w, int i)
{
	const struct sl_topic *t = tk_topic(&w->k, "zero");
	char group[8];
	struct sl_group_member who = {.group = {group, 0}, .generation = -1};
	struct sl_offset_list list;
	struct sl_offset o = {0};
	int64_t seen;

	if (!t)
		return;
	who.group.len = (size_t)snprintf(group, sizeof(group), "g%d", i);
	o.topic = t->id;
	if (sl_offsets_fetch(w->k.t, &who, &o, 1, &list, SL_NEVER)) {
		WRONG(w, "offsets of %s cannot be read", group);
		return;
	}
	seen = list.offsets[0].offset;
	if (seen < w->m.committed[i] && !(seen == -1 && w->m.committed[i] == 0))
		WRONG(w, "%s is at %lld, %lld was acknowledged", group, (long long)seen,
		      (long long)w->m.committed[i]);
	if (seen > w->m.commit_tried[i])
		WRONG(w, "%s is at %lld, nobody committed that", group, (long long)seen);
	sl_offset_list_done(&list);
}

static int check_all(struct tk *k)
{
	struct world *w = (struct world *)k;
	int rc = tk_open(k);

	if (rc) {
		WRONG(w, "it does not open: %d", rc);
		return 0;
	}
	for (int i = 0; i < TOPICS; i++)
		check_topic(w, i);
	for (int i = 0; i < TOPICS; i++)
		for (int part = 0; part < PARTS; part++)
			check_partition(w, i, part);
	for (int i = 0; i < COMMITS; i++)
		check_commit(w, i);
	new_id(w);
	if (!w->wrong[0] && k->events[SL_TOPICS_SKIPPED])
		WRONG(w, "a topic's folder was passed over");
	if (!w->wrong[0] && k->events[SL_TOPICS_GROUP_LOST])
		WRONG(w, "a group's record was lost");
	tk_close(k);
	return 0;
}

/* Checks disk @sim, which is used up. Return: whether all is well; if not *ret_wrong says why. */
static bool disk_is_well(const struct model *m, struct sl_sim *sim, char *ret_wrong, size_t len)
{
	struct world c = {.m = *m};

	tk_init(&c.k, sim);
	c.k.conf.epoch = 2;
	tk_run(&c.k, check_all);
	if (c.wrong[0])
		snprintf(ret_wrong, len, "%s", c.wrong);
	sl_sim_free(sim);
	return !c.wrong[0];
}

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_close(struct tk *k)
{
	if (tk_open(k) == 0) {
		sl_sleep(sl_now() + SL_MSEC);
		tk_close(k);
	}
	return 0;
}

static void restart(struct sl_sim *disk)
{
	struct tk k;

	tk_init(&k, disk);
	tk_run(&k, open_close);
}

static struct sl_sim *begin(void *world, uint64_t seed, const void *how)
{
	struct world *w = world;

	world_init(w, seed);
	return w->k.sim;
}

static void work(void *world)
{
	struct world *w = world;

	tk_run(&w->k, work_all);
}

static void check(void *world, struct sl_sim *disk, uint64_t seed, enum sl_sim_policy policy,
		  char *ret_wrong, size_t len)
{
	const struct world *w = world;

	if (disk_is_well(&w->m, disk, ret_wrong, len) && w->wrong[0])
		snprintf(ret_wrong, len, "%s", w->wrong);
}

static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL, SL_SIM_RANDOM,
					      SL_SIM_RANDOM};

static const struct cuts suite = {
	.world_bytes = sizeof(struct world),
	.begin = begin,
	.work = work,
	.check = check,
	.restart = restart,
	.policies = policies,
	.policies_n = SL_ARRAY_SIZE(policies),
};

/* ---- tests -------------------------------------------------------------------------------- */

TEST(workload_reaches_every_sync)
{
	static const enum sl_fault points[] = {
		SL_FAULT(SYNC_DATADIR_FOLDER),	 SL_FAULT(SYNC_TOPIC_META),
		SL_FAULT(SYNC_TOPIC_NEW),	 SL_FAULT(SYNC_TOPIC_FOLDER),
		SL_FAULT(SYNC_PARTITION_FOLDER), SL_FAULT(SYNC_SNAPSHOT),
		SL_FAULT(SYNC_SNAPSHOT_FOLDER),
	};
	struct world w;

	world_init(&w, 1);
	ASSERT_EQ(0, tk_run(&w.k, work_all));
	cuts_expect_syncs(w.k.sim, points, SL_ARRAY_SIZE(points));
	EXPECT_STREQ("", w.wrong);
	sl_sim_free(w.k.sim);
}

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	uint64_t seed; /* 0: the run's */
	uint32_t delay;
};
FIXTURE_VARIANT_ADD(cuts, fixed){4712, 0};
FIXTURE_VARIANT_ADD(cuts, random){0, 0};
FIXTURE_VARIANT_ADD(cuts, random_late){0, 3};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_promised_is_lost, 120)
{
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;
	struct cuts c = suite;

	c.delay = variant->delay;
	EXPECT_EQ(0, cuts_try(&c, seed));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
};
FIXTURE_VARIANT_ADD(left_out, datadir_folder){SL_FAULT(SYNC_DATADIR_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, topic_meta){SL_FAULT(SYNC_TOPIC_META)};
FIXTURE_VARIANT_ADD(left_out, topic_new){SL_FAULT(SYNC_TOPIC_NEW)};
FIXTURE_VARIANT_ADD(left_out, topic_folder){SL_FAULT(SYNC_TOPIC_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, partition_folder){SL_FAULT(SYNC_PARTITION_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, snapshot){SL_FAULT(SYNC_SNAPSHOT)};
FIXTURE_VARIANT_ADD(left_out, snapshot_folder){SL_FAULT(SYNC_SNAPSHOT_FOLDER)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

/* The test of the tests. */
TEST_F_TIMEOUT(left_out, sync_is_missed, 120)
{
	struct cuts c = suite;

	c.skip = variant->point;
	EXPECT_LT(0, cuts_try(&c, 99));
}

TEST_HARNESS_MAIN
