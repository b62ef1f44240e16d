/* SPDX-License-Identifier: Apache-2.0 */
/* Cores: starting, failing to start, stopping, homes, cores without io_uring. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

static const struct sl_cores_conf three = {.n = 3, .arena_bytes_max = 16 * SL_MIB};

struct starts {
	uint32_t seen[8];
	int fail_core; /* -1: none */
};

static int note_start(struct sl_core *core, void *arg)
{
	struct starts *s = arg;

	EXPECT_TRUE(sl_core_self() == core);
	EXPECT_NOT_NULL(sl_fiber_self());
	EXPECT_NOT_NULL(sl_core_metrics(core));
	EXPECT_EQ(3, sl_cores_count(sl_core_cores(core)));
	EXPECT_TRUE(sl_cores_at(sl_core_cores(core), sl_core_id(core)) == core);
	__atomic_fetch_add(&s->seen[sl_core_id(core)], 1, __ATOMIC_RELAXED);
	return s->fail_core == (int)sl_core_id(core) ? -EADDRINUSE : 0;
}

TEST(every_core_starts_once)
{
	struct starts s = {.fail_core = -1};
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&three, note_start, &s, &cores, why, sizeof(why)));
	EXPECT_NULL(sl_core_self());
	sl_cores_stop(cores);
	usleep(20000);
	sl_cores_stop(cores); /* once more harms nothing, though they may have ended */
	sl_cores_join(cores);
	sl_cores_join(NULL);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(1, s.seen[i]);
}

TEST(one_core_that_cannot_start_ends_all)
{
	for (int i = 0; i < 3; i++) {
		struct starts s = {.fail_core = i};
		struct sl_cores *cores = NULL;
		char why[200];

		EXPECT_EQ(-EADDRINUSE,
			  sl_cores_start(&three, note_start, &s, &cores, why, sizeof(why)));
		EXPECT_NULL(cores);
		EXPECT_NOT_NULL(strstr(why, strerror(EADDRINUSE)));
	}
}

TEST(a_processor_that_does_not_exist_is_an_error)
{
	int cpus[3] = {0, CPU_SETSIZE - 1, 0};
	struct sl_cores_conf conf = three;
	struct starts s = {.fail_core = -1};
	struct sl_cores *cores = NULL;
	char why[200];

	conf.cpus = cpus;
	EXPECT_EQ(-EINVAL, sl_cores_start(&conf, note_start, &s, &cores, why, sizeof(why)));
	EXPECT_NULL(cores);
	EXPECT_NE(0, why[0]);
}

static int see_cpu(struct sl_core *core, void *arg)
{
	cpu_set_t set;

	(void)arg;
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	EXPECT_EQ(1, CPU_COUNT(&set));
	EXPECT_TRUE(CPU_ISSET(0, &set));
	(void)core;
	return 0;
}

TEST(cores_that_cannot_be_made_tell_the_cause)
{
	struct starts s = {.fail_core = -1};
	struct sl_cores *cores = NULL;
	char why[300] = "";
	struct rlimit r;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &r);
	/* For one ring and its event, but not for three; liburing raises the soft limit itself. */
	r.rlim_cur = r.rlim_max = (rlim_t)next + 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
	EXPECT_GT(0, sl_cores_start(&three, note_start, &s, &cores, why, sizeof(why)));
	EXPECT_NULL(cores);
	EXPECT_NOT_NULL(strstr(why, "RLIMIT_NOFILE"));
	EXPECT_EQ(0, s.seen[0]);
}

TEST(cores_are_pinned)
{
	int cpus[3] = {0, 0, 0};
	struct sl_cores_conf conf = three;
	struct sl_cores *cores;
	char why[200];

	conf.cpus = cpus;
	ASSERT_EQ(0, sl_cores_start(&conf, see_cpu, NULL, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

/* ---- stopping --------------------------------------------------------------------------- */

static uint32_t late_work;

static void work_late(void *arg)
{
	sl_sleep(sl_now() + 30 * SL_MSEC);
	__atomic_fetch_add((uint32_t *)arg, 1, __ATOMIC_RELAXED);
}

static int start_late(struct sl_core *core, void *arg)
{
	(void)core;
	return sl_fiber_start(SL_STACK_SMALL, work_late, arg);
}

TEST(cores_end_when_their_last_fiber_has)
{
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&three, start_late, &late_work, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	EXPECT_EQ(3, late_work);
}

static int call_back(void *arg, int64_t deadline)
{
	(void)deadline;
	__atomic_fetch_add((uint32_t *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

static void call_late(void *arg)
{
	struct sl_core *self = sl_core_self();
	struct sl_cores *cores = sl_core_cores(self);

	sl_sleep(sl_now() + 10 * SL_MSEC * sl_core_id(self));
	for (uint32_t i = 0; i < 3; i++)
		sl_call(sl_cores_at(cores, i), call_back, arg, SL_NEVER);
}

static int start_callers(struct sl_core *core, void *arg)
{
	(void)core;
	return sl_fiber_start(SL_STACK_SMALL, call_late, arg);
}

TEST(a_core_serves_the_others_until_all_rest)
{
	uint32_t calls = 0;
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&three, start_callers, &calls, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	EXPECT_EQ(9, calls);
}

/* ---- surroundings ----------------------------------------------------------------------- */

static int nothing(struct sl_core *core, void *arg)
{
	(void)core;
	(void)arg;
	return 0;
}

TEST(homes_are_spread)
{
	struct sl_cores *cores;
	int homes[3] = {0};
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&three, nothing, NULL, &cores, why, sizeof(why)));
	for (uint64_t i = 0; i < 3000; i++) {
		struct sl_core *home = sl_core_home(cores, i);

		EXPECT_TRUE(home == sl_core_home(cores, i));
		homes[sl_core_id(home)]++;
	}
	for (int i = 0; i < 3; i++)
		EXPECT_LT(800, homes[i]);
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

static int give(void *arg)
{
	int64_t turn = sl_now();

	EXPECT_EQ(turn, sl_now()); /* stands still during a turn */
	EXPECT_LE(turn, sl_clock_ns());
	return *(int *)arg;
}

TEST(one_core_runs_on_the_calling_thread)
{
	int v = -7;

	EXPECT_EQ(-7, sl_core_run(NULL, give, &v));
	EXPECT_NULL(sl_core_self());
	v = 5;
	EXPECT_EQ(5, sl_core_run(&three, give, &v)); /* one, whatever was asked for */
	EXPECT_LT(0, sl_now());
}

TEST(one_core_that_cannot_be_made_is_an_error)
{
	int cpu = CPU_SETSIZE - 1, v = 1;

	EXPECT_EQ(-EINVAL, sl_core_run(&(struct sl_cores_conf){.cpus = &cpu}, give, &v));
	EXPECT_NULL(sl_core_self());
}

TEST_HARNESS_MAIN
