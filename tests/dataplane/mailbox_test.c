/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: messages in order from many cores at once, from outside, calls and calls back. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

static struct sl_cores *start(uint32_t n, int (*fn)(struct sl_core *core, void *arg), void *arg)
{
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&(struct sl_cores_conf){.n = n, .arena_bytes_max = 16 * SL_MIB},
				    fn, arg, &cores, why, sizeof(why)));
	return cores;
}

static void stop(struct sl_cores *cores)
{
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

/* ---- messages --------------------------------------------------------------------------- */

enum { CORES = 4, EACH = 5000 };

/* What core [to] last heard from core [from]; of the receiver alone. */
struct traffic {
	uint32_t seen[CORES][CORES];
	uint32_t ready;
};

struct note {
	struct sl_msg msg;
	struct traffic *t;
	uint32_t from, seq;
};

static void note_arrived(struct sl_msg *msg)
{
	struct note *n = sl_container_of(msg, struct note, msg);
	uint32_t *seen = &n->t->seen[sl_core_id(sl_core_self())][n->from];

	EXPECT_NULL(sl_fiber_self());
	if (n->seq != *seen)
		EXPECT_EQ(*seen, n->seq);
	*seen = n->seq + 1;
	free(n);
}

static void send_all(void *arg)
{
	struct traffic *t = arg;
	struct sl_core *self = sl_core_self();

	for (uint32_t i = 0; i < EACH; i++) {
		for (uint32_t to = 0; to < CORES; to++) {
			struct note *n = malloc(sizeof(*n));

			*n = (struct note){
				.msg.fn = note_arrived, .t = t, .from = sl_core_id(self), .seq = i};
			sl_post(sl_cores_at(sl_core_cores(self), to), &n->msg);
		}
		/* Pauses of every kind: none, a turn, and a sleep from which messages wake. */
		if (i % 64 == 63)
			sl_fiber_yield(SL_NEVER);
		if (i % 500 == 499)
			sl_sleep(sl_now() + SL_MSEC);
	}
}

static int start_sender(struct sl_core *core, void *arg)
{
	(void)core;
	return sl_fiber_start(SL_STACK_SMALL, send_all, arg);
}

TEST(messages_of_one_sender_arrive_in_order)
{
	static struct traffic t;

	stop(start(CORES, start_sender, &t));
	for (int to = 0; to < CORES; to++)
		for (int from = 0; from < CORES; from++)
			EXPECT_EQ(EACH, t.seen[to][from]);
}

static int nothing(struct sl_core *core, void *arg)
{
	(void)core;
	(void)arg;
	return 0;
}

struct ping {
	struct sl_msg msg;
	uint32_t *count;
};

static void ping_arrived(struct sl_msg *msg)
{
	struct ping *p = sl_container_of(msg, struct ping, msg);

	__atomic_fetch_add(p->count, 1, __ATOMIC_RELEASE);
}

/* Each wakes a core that sleeps in its ring: a wake-up that is lost hangs the test. */
TEST(a_thread_without_a_core_wakes_one)
{
	struct sl_cores *cores = start(2, nothing, NULL);
	uint32_t count = 0;

	for (uint32_t i = 0; i < 2000; i++) {
		struct ping p = {.msg.fn = ping_arrived, .count = &count};

		if (i % 100 == 0)
			usleep(1000);
		sl_post(sl_cores_at(cores, i % 2), &p.msg);
		while (__atomic_load_n(&count, __ATOMIC_ACQUIRE) <= i)
			sched_yield();
	}
	stop(cores);
}

struct posting {
	struct sl_cores *cores;
	struct traffic *t;
	uint32_t from;
};

static void *post_from_thread(void *arg)
{
	struct posting *p = arg;

	for (uint32_t i = 0; i < EACH; i++)
		for (uint32_t to = 0; to < 2; to++) {
			struct note *n = malloc(sizeof(*n));

			*n = (struct note){
				.msg.fn = note_arrived, .t = p->t, .from = p->from, .seq = i};
			sl_post(sl_cores_at(p->cores, to), &n->msg);
		}
	return NULL;
}

TEST(threads_without_a_core_post_at_once)
{
	static struct traffic t;
	struct sl_cores *cores = start(2, nothing, NULL);
	struct posting p[3];
	pthread_t threads[3];

	for (uint32_t i = 0; i < 3; i++) {
		p[i] = (struct posting){cores, &t, i};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, post_from_thread, &p[i]));
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	stop(cores);
	for (int to = 0; to < 2; to++)
		for (int from = 0; from < 3; from++)
			EXPECT_EQ(EACH, t.seen[to][from]);
}

/* ---- calls ------------------------------------------------------------------------------ */

struct depth {
	struct sl_cores *cores;
	uint32_t left;
};

/* Goes from core to core and back, so that each waits for the next one. */
static int go_round(void *arg, int64_t deadline)
{
	struct depth *d = arg;
	uint32_t next = (sl_core_id(sl_core_self()) + 1) % sl_cores_count(d->cores);
	int res;

	if (!d->left--)
		return 100;
	res = sl_call(sl_cores_at(d->cores, next), go_round, d, deadline);
	return res < 0 ? res : res + 1;
}

struct calls {
	uint32_t done;
	int64_t seen_deadline;
};

static int sum(void *arg, int64_t deadline)
{
	uint32_t *v = arg;

	EXPECT_EQ(12345, deadline);
	*v += 1;
	return (int)*v;
}

static void call_many(void *arg)
{
	struct calls *x = arg;
	struct sl_core *self = sl_core_self();
	struct sl_cores *cores = sl_core_cores(self);

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t v = i;

		EXPECT_EQ((int)i + 1, sl_call(sl_cores_at(cores, i % 3), sum, &v, 12345));
		EXPECT_EQ(i + 1, v);
		if (i % 100 == 0) {
			struct depth d = {cores, 20};

			EXPECT_EQ(120, sl_call(self, go_round, &d, SL_NEVER));
		}
	}
	__atomic_fetch_add(&x->done, 1, __ATOMIC_RELAXED);
}

static int start_callers(struct sl_core *core, void *arg)
{
	(void)core;
	for (int i = 0; i < 4; i++)
		if (sl_fiber_start(SL_STACK_SMALL, call_many, arg))
			return -ENOMEM;
	return 0;
}

TEST(calls_nest_across_cores)
{
	struct calls x = {0};

	stop(start(3, start_callers, &x));
	EXPECT_EQ(12, x.done);
}

static int too_slow(void *arg, int64_t deadline)
{
	int err = sl_fiber_park(deadline);

	*(bool *)arg = true;
	return err;
}

static int call_late(struct sl_core *core, void *arg)
{
	struct sl_core *other = sl_cores_at(sl_core_cores(core), 1);
	bool returned = false;
	int64_t deadline = sl_now() + 5 * SL_MSEC;

	(void)arg;
	if (sl_core_id(core))
		return 0;
	EXPECT_EQ(-ETIME, sl_call(other, too_slow, &returned, deadline));
	EXPECT_TRUE(returned); /* only then may the argument go */
	EXPECT_LE(deadline, sl_clock_ns());
	return 0;
}

TEST(a_call_keeps_to_its_deadline_itself)
{
	stop(start(2, call_late, NULL));
}

TEST_HARNESS_MAIN
