/* SPDX-License-Identifier: Apache-2.0 */
/* Cores: starting, failing to start, stopping, homes, cores without io_uring. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dataplane/core_pvt.h"
#include "dataplane/dataplane.h"
#include "harness.h"
#include "uring/uring_pvt.h"

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

TEST(cores_without_threads_tell_the_cause)
{
	struct starts s = {.fail_core = -1};
	struct sl_cores *cores = NULL;
	char why[300] = "";
	struct rlimit r = {1, 1};

	/* The limit is the user's, and root has none. */
	if (!geteuid())
		ASSERT_EQ(0, setuid(65534));
	harness_leaks_unchecked();
	ASSERT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
	EXPECT_GT(0, sl_cores_start(&three, note_start, &s, &cores, why, sizeof(why)));
	EXPECT_NULL(cores);
	EXPECT_NOT_NULL(strstr(why, "ulimit -u"));
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

/* ---- memory nodes ----------------------------------------------------------------------- */

/* @p must lie on @node; it was touched. */
static void expect_on(int node, const void *p, const char *what)
{
	if (!EXPECT_EQ(node, sl_numa_node_of(p)))
		TH_LOG("%s of core %u", what, sl_core_id(sl_core_self()));
}

/* All that this core works with lies on its node. */
static int see_memory(struct sl_core *core, void *arg)
{
	int node = sl_core_node(core), on_stack = 1;
	struct sl_buf *small = sl_buf_new(1), *large = sl_buf_new(SL_BUF_BYTES_MAX / 4);
	uint8_t *heap = malloc(100000);

	EXPECT_EQ(((const int *)arg)[sl_core_id(core)], node);
	EXPECT_EQ(node, (int)core->metrics->scalars[SL_M_CORE_NODE]);
	core->rx.ring.mem[0] = 0;
	small->data[0] = large->data[0] = large->data[large->bytes - 1] = heap[50000] = 1;
	expect_on(node, core, "the core");
	expect_on(node, core->metrics, "metrics");
	expect_on(node, core->metrics->cells[SL_M_REQUEST_TIME], "histograms");
	expect_on(node, &on_stack, "the stack");
	expect_on(node, small->data, "a small buf");
	expect_on(node, large->data, "a large buf");
	expect_on(node, large->data + large->bytes - 1, "a large buf's end");
	expect_on(node, small, "a buf's descriptor");
	expect_on(node, heap + 50000, "the heap");
	expect_on(node, core->rx.ring.mem, "receive buffers");
	expect_on(node, core->ring, "the ring's struct");
	expect_on(node, core->ring->uring.sq.ring_ptr, "the ring");
	expect_on(node, core->ring->uring.sq.sqes, "the ring's submissions");
	free(heap);
	sl_buf_release(small);
	sl_buf_release(large);
	return 0;
}

/* Fills @cpus with two processors, if possible of two nodes. Return: how many nodes these have. */
static int cpus_of_two_nodes(int cpus[2], int nodes[2])
{
	cpu_set_t set;
	int n = 0;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (!CPU_ISSET((unsigned)cpu, &set) || (n && sl_numa_node_of_cpu(cpu) == nodes[0]))
			continue;
		cpus[n] = cpu;
		nodes[n++] = sl_numa_node_of_cpu(cpu);
	}
	if (n == 1) {
		cpus[1] = cpus[0];
		nodes[1] = nodes[0];
	}
	return n;
}

static void swap(int pair[2])
{
	int first = pair[0];

	pair[0] = pair[1];
	pair[1] = first;
}

/* Kernels without NUMA and some containers refuse. */
static bool can_place(const int nodes[2])
{
	struct sl_numa_policy before;
	int touched = 1, err = nodes[0] < 0 ? -ENOSYS : sl_numa_prefer(nodes[0], &before);

	if (!err)
		err = sl_numa_restore(&before);
	if (!err)
		err = sl_numa_node_of(&touched);
	if (err < 0)
		SKIP(return false, "memory cannot be placed here: %s", strerror(-err));
	return true;
}

static void start_placed(const int cpus[2], const int nodes[2],
			 int (*start)(struct sl_core *core, void *arg), void *arg)
{
	struct sl_cores_conf conf = {
		.n = 2, .cpus = cpus, .nodes = nodes, .arena_bytes_max = 32 * SL_MIB};
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&conf, start, arg, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

TEST(memory_of_a_core_lies_on_its_node)
{
	int cpus[2], nodes[2];

	cpus_of_two_nodes(cpus, nodes);
	if (can_place(nodes))
		start_placed(cpus, nodes, see_memory, nodes);
}

/* One start a process: a second one's threads find heaps that those of the first have left. */
TEST(cores_of_two_nodes_have_memory_of_their_own)
{
	int cpus[2], nodes[2];

	if (cpus_of_two_nodes(cpus, nodes) < 2)
		SKIP(return, "processors of one memory node only");
	if (can_place(nodes))
		start_placed(cpus, nodes, see_memory, nodes);
}

TEST(cores_of_two_nodes_in_the_other_order_have_so_too)
{
	int cpus[2], nodes[2];

	if (cpus_of_two_nodes(cpus, nodes) < 2)
		SKIP(return, "processors of one memory node only");
	swap(cpus);
	swap(nodes);
	if (can_place(nodes))
		start_placed(cpus, nodes, see_memory, nodes);
}

static int see_no_node(struct sl_core *core, void *arg)
{
	(void)arg;
	EXPECT_EQ(-1, sl_core_node(core));
	EXPECT_EQ(-1, (int64_t)core->metrics->scalars[SL_M_CORE_NODE]);
	return 0;
}

TEST(a_core_without_a_processor_has_no_node)
{
	static const int nodes[3] = {0, 0, 0};
	struct sl_cores_conf conf = three;
	struct sl_cores *cores;
	char why[200];

	conf.nodes = nodes;
	ASSERT_EQ(0, sl_cores_start(&conf, see_no_node, NULL, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

/* A buf that is let go on a core of another node goes home, and its memory with it. */
struct abroad {
	struct sl_msg msg;
	struct sl_buf *buf;
};

static void let_go(struct sl_msg *msg)
{
	struct abroad *a = sl_container_of(msg, struct abroad, msg);

	EXPECT_TRUE(a->buf->home != sl_core_self());
	a->buf->data[0]++;
	sl_buf_release(a->buf);
}

static void send_abroad(void *arg)
{
	struct sl_core *core = sl_core_self();
	struct abroad *a = arg;
	const uint8_t *data;

	a->buf = sl_buf_new(SL_MIB);
	data = a->buf->data;
	a->msg.fn = let_go;
	sl_post(sl_cores_at(sl_core_cores(core), 1), &a->msg);
	while (sl_buf_bytes_used(core))
		sl_sleep(sl_now() + SL_MSEC / 10);
	a->buf = sl_buf_new(SL_MIB);
	EXPECT_TRUE(data == a->buf->data);
	a->buf->data[0] = 1;
	expect_on(sl_core_node(core), a->buf->data, "a buf that was abroad");
	sl_buf_release(a->buf);
}

static int start_abroad(struct sl_core *core, void *arg)
{
	return sl_core_id(core) ? 0 : sl_fiber_start(SL_STACK_SMALL, send_abroad, arg);
}

TEST(a_buf_released_on_another_node_returns_to_its_arena)
{
	struct abroad a = {.buf = NULL};
	int cpus[2], nodes[2];

	if (cpus_of_two_nodes(cpus, nodes) < 2)
		SKIP(return, "processors of one memory node only");
	if (!can_place(nodes))
		return;
	start_placed(cpus, nodes, start_abroad, &a);
	EXPECT_NOT_NULL(a.buf);
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
