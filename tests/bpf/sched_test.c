// SPDX-License-Identifier: Apache-2.0
/* Run queues: a core that shares its processor waits for it, and only cores are counted. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "dataplane/hist.h"
#include "harness.h"
#include "uring/uring.h"

FIXTURE(sched)
{
	struct sl_bpf *bpf;
	const struct sl_sched *sched;
};

FIXTURE_SETUP(sched)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_SCHED};
	const struct sl_bpf_status *status;

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_SCHED);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->sched = sl_bpf_sched(self->bpf);
	ASSERT_NOT_NULL(self->sched);
}

FIXTURE_TEARDOWN(sched)
{
	sl_bpf_free(self->bpf);
}

/* All threads of a test here share one processor. */
static void share_a_processor(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	ASSERT_LE(0, cpu);
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
}

struct thread {
	const char *name;
	pthread_t thread;
	bool sleeps; /* between bits of work; else it works on */
	int stop;
};

static void *work(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	usleep(1); /* a thread becomes known when it first leaves its processor */
	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED))
		if (t->sleeps)
			usleep(500);
	return NULL;
}

static void begin(struct thread *t)
{
	ASSERT_EQ(0, pthread_create(&t->thread, NULL, work, t));
}

static void end(struct thread *t)
{
	__atomic_store_n(&t->stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(t->thread, NULL));
}

/* Waits until @n waits of core @core are counted. */
static void until(const struct sl_sched *s, uint32_t core, uint64_t n)
{
	int64_t until = sl_clock_ns() + 20 * SL_SEC * harness_time_scale();

	while (sl_hist_count(&s->cores[core]) < n && sl_clock_ns() < until)
		usleep(1000);
	EXPECT_LE(n, sl_hist_count(&s->cores[core]));
}

TEST_F(sched, a_core_that_is_woken_is_counted_each_time)
{
	struct thread core = {.name = "sluice/3", .sleeps = true};

	begin(&core);
	until(self->sched, 3, 50);
	end(&core);
	EXPECT_LT(0, self->sched->cores[3].sum);
	for (uint32_t i = 0; i < SL_BPF_CORES; i++)
		if (i != 3)
			EXPECT_EQ(0, sl_hist_count(&self->sched->cores[i]));
}

TEST_F(sched, a_core_that_is_preempted_waits_for_its_turn)
{
	struct thread core = {.name = "sluice/17"}, other = {.name = "other"};

	share_a_processor();
	begin(&core);
	begin(&other);
	until(self->sched, 17, 5);
	end(&core);
	end(&other);
	/* The other one works on for a time slice: milliseconds, not a moment. */
	EXPECT_LT(SL_MSEC / 2, self->sched->cores[17].max);
}

TEST_F(sched, threads_of_other_names_are_none_of_ours)
{
	struct thread others[] = {{.name = "sluice", .sleeps = true},
				  {.name = "sluice/", .sleeps = true},
				  {.name = "sluice/1x", .sleeps = true},
				  {.name = "sluice/256", .sleeps = true},
				  {.name = "sluicf/1", .sleeps = true}};
	struct thread core = {.name = "sluice/255", .sleeps = true};

	for (size_t i = 0; i < SL_ARRAY_SIZE(others); i++)
		begin(&others[i]);
	begin(&core);
	until(self->sched, 255, 20);
	for (size_t i = 0; i < SL_ARRAY_SIZE(others); i++)
		end(&others[i]);
	end(&core);
	for (uint32_t i = 0; i < 255; i++)
		EXPECT_EQ(0, sl_hist_count(&self->sched->cores[i]));
}

TEST_HARNESS_MAIN
