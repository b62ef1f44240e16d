/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole server on a simulated disk whose Nth operation fails, or whose power is cut there, for
 * every N (or as many as the time allows, spread evenly): its clients get errors or closed
 * connections, never silence; what was acknowledged is there after a start without faults, and
 * after a power cut that loses what was not synced; nothing crashes or hangs.
 *
 * Order of parts: the workload; the check; the loop; the tests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "server.h"
#include "uring/sim.h"
#include "wire.h"

/* ---- the workload --------------------------------------------------------------------------- */

enum { PARTITIONS = 2, BATCHES = 14 };

static const char topic[] = "faulty";
static const char group[] = "followers";

/* What the clients were told. Numbers of batches and records are the same: one record each. */
struct told {
	bool created;
	int64_t base[BATCHES]; /* -1: not acknowledged */
	int64_t commit;	       /* largest offset whose commit was acknowledged, or -1 */
	int64_t commit_tried;
	unsigned refusals, closed, silences;
};

static void note(struct told *t, int err)
{
	t->silences += err == -ETIME;
	t->closed += err < 0;
	t->refusals += err > 0;
}

/* Small ones, some as large as a window, and some that are streamed. */
static int produce(struct wire *w, uint64_t number, int64_t *ret_base)
{
	static const uint32_t sizes[] = {100, 30000, 300000};
	struct wire_batch b = {.first = number, .n = 1, .value_bytes = sizes[number % 3],
			       .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);
	int err = wire_produce(w, topic, (int32_t)(number % PARTITIONS), -1, p, len, ret_base);

	free(p);
	return err;
}

static int commit(struct wire *w, int64_t offset)
{
	struct kafka_offset_commit_request req;
	struct kafka_offset_commit_request_topic t = {.name = kafka_str_of(topic)};
	struct kafka_offset_commit_request_partition part;
	struct kafka_offset_commit_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_offset_commit_request_schema, &req);
	kafka_init(&kafka_offset_commit_request_partition_schema, &part);
	req.group_id = kafka_str_of(group);
	req.topics.v = &t;
	req.topics.n = 1;
	t.partitions.v = &part;
	t.partitions.n = 1;
	part.committed_offset = offset;
	err = wire_call(w, KAFKA_OFFSET_COMMIT, 6, &req, &res, &a);
	if (!err)
		err = res.topics.v[0].partitions.v[0].error_code;
	wire_answer_done(&a);
	return err;
}

static int committed(struct wire *w, int64_t *ret_offset)
{
	struct kafka_offset_fetch_request req;
	struct kafka_offset_fetch_request_topic t = {.name = kafka_str_of(topic)};
	struct kafka_offset_fetch_response res;
	struct wire_answer a;
	int32_t index = 0;
	int err;

	kafka_init(&kafka_offset_fetch_request_schema, &req);
	req.group_id = kafka_str_of(group);
	req.topics.v = &t;
	req.topics.n = 1;
	t.partition_indexes.v = &index;
	t.partition_indexes.n = 1;
	err = wire_call(w, KAFKA_OFFSET_FETCH, 5, &req, &res, &a);
	if (!err)
		err = res.error_code;
	if (!err)
		err = res.topics.v[0].partitions.v[0].error_code;
	if (!err)
		*ret_offset = res.topics.v[0].partitions.v[0].committed_offset;
	wire_answer_done(&a);
	return err;
}

/* A connection, again if the last one was closed. */
static struct wire *reconnected(struct server *s, struct wire *w, struct told *t, int err)
{
	note(t, err);
	if (err < 0)
		wire_close(w);
	if (w->fd < 0)
		note(t, wire_open(w, s->port));
	return w;
}

static int fetch_some(struct wire *w, int32_t partition)
{
	struct wire_fetched f;
	int err = wire_fetch(w, topic, partition, 0, 1 << 20, 0, &f);

	wire_answer_done(&f.answer);
	return err;
}

static void work(struct server *s, void *arg)
{
	struct told *t = arg;
	struct wire w = {.fd = -1};
	int64_t id;
	int16_t epoch;
	int err;

	reconnected(s, &w, t, 0);
	err = wire_topic_create(&w, topic, PARTITIONS, NULL);
	t->created = !err;
	for (uint64_t i = 0; i < BATCHES; i++) {
		int64_t base = -1;

		reconnected(s, &w, t, err);
		err = produce(&w, i, &base);
		t->base[i] = err ? -1 : base;
		if (i % 5 != 4)
			continue;
		reconnected(s, &w, t, err);
		t->commit_tried = (int64_t)i;
		err = commit(&w, (int64_t)i);
		if (!err)
			t->commit = (int64_t)i;
		reconnected(s, &w, t, err);
		err = fetch_some(&w, (int32_t)(i % PARTITIONS));
	}
	reconnected(s, &w, t, err);
	err = wire_producer_id(&w, &id, &epoch);
	reconnected(s, &w, t, err);
	wire_close(&w);
}

/* ---- the check ------------------------------------------------------------------------------ */

struct found {
	const struct told *told;
	int32_t partition;
	unsigned times[BATCHES];
	bool wrong;
};

static int find(void *arg, int64_t offset, const uint8_t *value, size_t len)
{
	struct found *f = arg;
	uint64_t number = BATCHES;
	int err = wire_value_number(value, len, &number);

	if (err || number >= BATCHES || (int32_t)(number % PARTITIONS) != f->partition ||
	    (f->told->base[number] >= 0 && f->told->base[number] != offset)) {
		TH_LOG("partition %d, offset %lld: number %llu", f->partition, (long long)offset,
		       (unsigned long long)number);
		f->wrong = true;
		return -EBADMSG;
	}
	f->times[number]++;
	return 0;
}

static bool check_records(struct wire *w, const struct told *t)
{
	struct found f = {.told = t};

	for (; f.partition < PARTITIONS; f.partition++) {
		int64_t end;
		int err = wire_read_all(w, topic, f.partition, find, &f, &end);

		if (err == KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION && !t->created)
			continue;
		if (err) {
			TH_LOG("partition %d: %s", f.partition,
			       err > 0 ? kafka_error_name(err) : strerror(-err));
			f.wrong = true;
		}
	}
	for (int i = 0; i < BATCHES; i++) {
		if (f.times[i] > 1 || (t->base[i] >= 0 && !f.times[i])) {
			TH_LOG("number %d is there %u times, acknowledged at %lld", i, f.times[i],
			       (long long)t->base[i]);
			f.wrong = true;
		}
	}
	return !f.wrong;
}

/* Sets commit_tried to -2 if something is not as it was told. */
static void check(struct server *s, void *arg)
{
	struct told *t = arg;
	struct wire w;
	int64_t at = -1;
	bool fine;
	int err;

	wire_must_open(&w, s->port);
	fine = check_records(&w, t);
	err = committed(&w, &at);
	for (int i = 0; i < 200 && err == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS; i++) {
		wire_sleep(5 * SL_MSEC);
		err = committed(&w, &at);
	}
	if (err || at < t->commit || at > t->commit_tried) {
		TH_LOG("committed %lld of %lld to %lld: %d", (long long)at, (long long)t->commit,
		       (long long)t->commit_tried, err);
		fine = false;
	}
	wire_close(&w);
	if (!fine)
		t->commit_tried = -2;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* A disk and what happens to it. */
struct world {
	struct sl_sim *sim;
	struct sl_faults faults;
	struct told told;
};

static void world_init(struct world *x, uint64_t seed)
{
	x->sim = sl_sim_new(seed, NULL);
	sl_faults_init(&x->faults, sl_sim_backend(x->sim));
	x->faults.ops = sl_ops_file_mask();
	x->told = (struct told){.commit = -1, .commit_tried = -1};
	memset(x->told.base, -1, sizeof(x->told.base));
}

/* One life of a server with the workload, from an empty disk. */
static void live(struct world *x)
{
	struct server s;

	server_init(&s, "/");
	s.backend = &x->faults.backend;
	s.client = work;
	s.arg = &x->told;
	server_run(&s);
}

/* Starts a server on @sim without faults. Return: whether all is as it was told. */
static bool look(struct world *x, struct sl_sim *sim)
{
	struct told told = x->told;
	struct server s;

	server_init(&s, "/");
	s.backend = sl_sim_backend(sim);
	s.conf.epoch = s.conf.log.epoch = s.kafka.epoch = 2;
	s.client = check;
	s.arg = &told;
	return EXPECT_EQ(0, server_run(&s)) && told.commit_tried != -2;
}

/* The disk after a power cut, and, unless it was cut already, as it is. */
static bool look_at_all(struct world *x, enum sl_sim_policy policy, bool as_it_is)
{
	struct sl_sim *cut = sl_sim_clone(x->sim);
	bool fine = EXPECT_EQ(0u, x->told.silences);

	sl_sim_reboot(cut, policy);
	if (!look(x, cut)) {
		TH_LOG("so it was after a power cut");
		fine = false;
	}
	sl_sim_free(cut);
	if (as_it_is && !look(x, x->sim))
		fine = false;
	sl_sim_free(x->sim);
	return fine;
}

/* Calls @one for 1 to @n, or for so many of them as take some 15 s, spread evenly. */
static void for_each(uint64_t n, void (*one)(uint64_t nth, void *arg), void *arg)
{
	int64_t began = wire_now(), each_ns;
	uint64_t most, step, done = 1;

	one(1 + harness_random() % n, arg);
	each_ns = wire_now() - began;
	most = (uint64_t)(15 * SL_SEC / sl_max(each_ns, SL_MSEC)) + 1;
	step = sl_max((n + most - 1) / most, UINT64_C(1));
	for (uint64_t i = 1 + harness_random() % step; i <= n; i += step) {
		/* Whoever else uses the machine may make it slower meanwhile. */
		if (wire_now() - began > 30 * SL_SEC)
			break;
		one(i, arg);
		done++;
	}
	TH_LOG("%llu of %llu", (unsigned long long)done, (unsigned long long)n);
}

/* ---- the tests ------------------------------------------------------------------------------ */

FIXTURE(nth)
{
	int err;
	bool sticky;
};
FIXTURE_VARIANT(nth)
{
	int err;
	bool sticky;
};
FIXTURE_VARIANT_ADD(nth, eio){.err = EIO};
FIXTURE_VARIANT_ADD(nth, eio_for_good){.err = EIO, .sticky = true};
FIXTURE_VARIANT_ADD(nth, enospc){.err = ENOSPC};
FIXTURE_VARIANT_ADD(nth, enospc_for_good){.err = ENOSPC, .sticky = true};
FIXTURE_VARIANT_ADD(nth, emfile){.err = EMFILE};
FIXTURE_VARIANT_ADD(nth, short_transfer){.err = 0};
FIXTURE_SETUP(nth)
{
	self->err = variant->err;
	self->sticky = variant->sticky;
	/* What fails is told by the hundred. */
	sl_log_setup(SL_LOG_LEVEL_ERR, SL_LOG_LOGFMT);
}
FIXTURE_TEARDOWN(nth)
{
}

static void fail_nth(uint64_t nth, void *arg)
{
	FIXTURE_DATA(nth) *self = arg;
	struct world x;

	world_init(&x, nth);
	x.faults.nth = nth;
	x.faults.err = self->err;
	x.faults.sticky = self->sticky;
	live(&x);
	if (!self->err)
		EXPECT_EQ(0u, x.told.refusals + x.told.closed);
	if (!look_at_all(&x, SL_SIM_LOSE_ALL, true))
		TH_LOG("operation %llu", (unsigned long long)nth);
}

TEST_F_TIMEOUT(nth, acknowledged_stays_whatever_fails, 58)
{
	struct world x;

	world_init(&x, 0);
	live(&x);
	EXPECT_EQ(0u, x.told.refusals);
	EXPECT_EQ(0u, x.told.closed);
	ASSERT_LT(100u, x.faults.count);
	ASSERT_TRUE(look_at_all(&x, SL_SIM_LOSE_ALL, true));
	for_each(x.faults.count, fail_nth, self);
}

static void cut_nth(uint64_t nth, void *arg)
{
	struct world x;

	(void)arg;
	world_init(&x, harness_random());
	sl_sim_cut_after(x.sim, nth);
	live(&x);
	if (!look_at_all(&x, SL_SIM_RANDOM, false))
		TH_LOG("power cut after operation %llu", (unsigned long long)nth);
}

TEST_TIMEOUT(power_cut_leaves_what_was_acknowledged, 58)
{
	struct world x;
	uint64_t n;

	sl_log_setup(SL_LOG_LEVEL_ERR, SL_LOG_LOGFMT);
	world_init(&x, 0);
	live(&x);
	n = sl_sim_ops(x.sim);
	ASSERT_LT(50u, n);
	ASSERT_TRUE(look_at_all(&x, SL_SIM_KEEP_ALL, true));
	for_each(n, cut_nth, NULL);
}

/* The test of the test: without the sync that an acknowledgement waits for, it notices. */
TEST(left_out_commit_is_noticed)
{
	struct world x;

	sl_log_setup(SL_LOG_LEVEL_ERR, SL_LOG_LOGFMT);
	world_init(&x, 0);
	sl_sim_skip_sync(x.sim, SL_FAULT_SYNC_COMMIT);
	sl_sim_cut_after(x.sim, 180);
	live(&x);
	EXPECT_LT(0u, sl_sim_syncs(x.sim, SL_FAULT_SYNC_COMMIT));
	EXPECT_FALSE(look_at_all(&x, SL_SIM_LOSE_ALL, false));
}

TEST_HARNESS_MAIN
