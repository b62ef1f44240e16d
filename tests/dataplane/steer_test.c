// SPDX-License-Identifier: Apache-2.0
/* Steering: four cores' listeners, and which of them gets a connection, by policy and mechanism. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/conf_pvt.h"
#include "dataplane/conn_pvt.h"
#include "dataplane/dataplane.h"
#include "harness.h"

enum { CORES = 4, CONNS = 64 };

/* ---- the server: answers each byte with the number of its core ---------------------------- */

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	return 1;
}

static int serve(struct sl_conn *c)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, 1);

	sl_conn_skip(c, 1);
	if (!r)
		return -ENOMEM;
	r->bytes[0] = (uint8_t)sl_core_id(sl_conn_core(c));
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 1)));
	return sl_deliver(r, SL_NEVER);
}

static const struct sl_proto proto = {
	.name = "core", .stack = SL_STACK_SMALL, .need = need, .serve = serve};

FIXTURE(steer)
{
	struct sl_bpf *bpf;
	struct sl_steering s;
	struct sl_cores *cores;
	struct sl_listener *l[CORES];
	int cpus[CORES];
	uint16_t port;
	int fd[CONNS];
	int n;
	uint32_t open; /* connections that cores know of */
};

FIXTURE_VARIANT(steer)
{
	bool program;
};

FIXTURE_VARIANT_ADD(steer, program){.program = true};
FIXTURE_VARIANT_ADD(steer, no_program){.program = false};

/* ---- on a core ---------------------------------------------------------------------------- */

struct errand {
	struct sl_msg msg;
	FIXTURE_DATA(steer) *self;
	void (*fn)(FIXTURE_DATA(steer) *self);
	sem_t done;
};

static void errand_fiber(void *arg)
{
	struct errand *e = arg;

	e->fn(e->self);
	sem_post(&e->done);
}

static void errand_begins(struct sl_msg *msg)
{
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, errand_fiber,
				    sl_container_of(msg, struct errand, msg)));
}

static void on_core(FIXTURE_DATA(steer) *self, uint32_t i, void (*fn)(FIXTURE_DATA(steer) *self))
{
	struct errand e = {.msg.fn = errand_begins, .self = self, .fn = fn};

	sem_init(&e.done, 0, 0);
	sl_post(sl_cores_at(self->cores, i), &e.msg);
	while (sem_wait(&e.done))
		continue;
	sem_destroy(&e.done);
}

static void on_every_core(FIXTURE_DATA(steer) *self, void (*fn)(FIXTURE_DATA(steer) *self))
{
	for (uint32_t i = 0; i < CORES; i++)
		on_core(self, i, fn);
}

static int start(struct sl_core *core, void *arg)
{
	return 0;
}

static void listen_here(FIXTURE_DATA(steer) *self)
{
	const struct sl_conn_limits limits = {.memory_bytes = SL_MIB, .ahead_bytes = 4096,
					      .replies = 16, .conns = 2 * CONNS};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = self->port};
	uint32_t i = sl_core_id(sl_core_self());
	struct sockaddr_storage bound;
	char why[200] = "";

	a.sin_addr.s_addr = htonl(INADDR_ANY);
	ASSERT_EQ(0, sl_listen((struct sockaddr *)&a, sizeof(a), &proto, NULL, 0, &limits,
			       &self->l[i], why, sizeof(why)));
	ASSERT_EQ(0, sl_listener_addr(self->l[i], &bound));
	self->port = ((struct sockaddr_in *)&bound)->sin_port;
}

static void steer_here(FIXTURE_DATA(steer) *self)
{
	sl_listener_steer(self->l[sl_core_id(sl_core_self())], &self->s, 0);
}

static void drain_here(FIXTURE_DATA(steer) *self)
{
	struct sl_listener *l = self->l[sl_core_id(sl_core_self())];

	sl_listener_drain(l, sl_now() + SL_SEC);
	sl_listener_free(l);
}

static void set(FIXTURE_DATA(steer) *self, enum sl_steer_policy policy,
		const struct sl_conf_rules *rules)
{
	ASSERT_EQ(0, sl_steering_set(&self->s, policy, rules));
	on_every_core(self, steer_here);
}

static const struct sl_conf_rules no_rules;

FIXTURE_SETUP(steer)
{
	const struct sl_bpf_conf bpf = {.wanted = variant->program ? 1u << SL_BPF_STEER : 0,
					.steer_cores = CORES};
	struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 16 * SL_MIB, .rx_buffers = 16};
	cpu_set_t set;
	char why[300];
	int n = 0;

	ASSERT_EQ(0, sl_bpf_load(&bpf, &self->bpf));
	if (variant->program && sl_bpf_status(self->bpf, SL_BPF_STEER)->state != SL_BPF_LOADED)
		SKIP(return, "%s", sl_bpf_status(self->bpf, SL_BPF_STEER)->why);
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	/* Cores from the last on have the processors that there are, the others have none. */
	for (int i = 0; i < CPU_SETSIZE && n < CORES; i++)
		if (CPU_ISSET((unsigned)i, &set))
			self->cpus[CORES - 1 - n++] = i;
	for (; n < CORES; n++)
		self->cpus[CORES - 1 - n] = CPU_SETSIZE - 1 - n;
	ASSERT_EQ(0, sl_cores_start(&conf, start, NULL, &self->cores, why, sizeof(why)));
	sl_steering_init(&self->s, self->bpf, CORES, self->cpus);
	on_every_core(self, listen_here);
}

FIXTURE_TEARDOWN(steer)
{
	if (!self->cores) { /* skipped */
		sl_bpf_free(self->bpf);
		return;
	}
	for (int i = 0; i < self->n; i++)
		close(self->fd[i]);
	on_every_core(self, drain_here);
	sl_cores_stop(self->cores);
	sl_cores_join(self->cores);
	sl_bpf_free(self->bpf);
}

/* ---- clients ------------------------------------------------------------------------------ */

/* Connects from 127.0.0.@last. */
static int connect_from(FIXTURE_DATA(steer) *self, uint32_t last)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(0x7f000000 | last);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = self->port;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&from, sizeof(from)));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, sizeof(to)));
	return self->fd[self->n++] = fd;
}

static int core_of(int fd)
{
	uint8_t core = 'x';

	ASSERT_EQ(1, send(fd, "?", 1, MSG_NOSIGNAL));
	ASSERT_EQ(1, recv(fd, &core, 1, 0));
	ASSERT_LT(core, CORES);
	return core;
}

static void close_nth(FIXTURE_DATA(steer) *self, int i)
{
	close(self->fd[i]);
	self->fd[i] = self->fd[--self->n];
}

static void count_cores(FIXTURE_DATA(steer) *self, int got[static CORES])
{
	memset(got, 0, CORES * sizeof(got[0]));
	for (int i = 0; i < self->n; i++)
		got[core_of(self->fd[i])]++;
}

static void add_open(FIXTURE_DATA(steer) *self)
{
	self->open += sl_listener_conns(self->l[sl_core_id(sl_core_self())]);
}

/* Waits until the cores together know of @n connections. */
static bool open_reaches(FIXTURE_DATA(steer) *self, uint32_t n)
{
	for (int i = 0; i < 2000 * harness_time_scale(); i++) {
		self->open = 0;
		on_every_core(self, add_open);
		if (self->open == n)
			return true;
		usleep(2000);
	}
	return false;
}

/* ---- policies ----------------------------------------------------------------------------- */

TEST_F(steer, load_keeps_cores_equal_whatever_closes)
{
	int got[CORES];

	set(self, SL_STEER_LOAD, &no_rules);
	if (!variant->program) {
		EXPECT_EQ(SL_STEER_BY_KERNEL, self->s.mechanism);
		for (int i = 0; i < CONNS; i++)
			core_of(connect_from(self, 1));
		return;
	}
	EXPECT_EQ(SL_STEER_BY_EBPF, self->s.mechanism);
	for (int round = 0; round < 3; round++) {
		while (self->n < CONNS)
			connect_from(self, 1);
		count_cores(self, got);
		for (int i = 0; i < CORES; i++)
			EXPECT_EQ(CONNS / CORES, got[i]);
		while (self->n > CONNS / 2)
			close_nth(self, (int)(harness_random() % (unsigned)self->n));
		EXPECT_TRUE(open_reaches(self, CONNS / 2));
	}
}

static int64_t load_of(const FIXTURE_DATA(steer) *self, uint32_t core)
{
	const struct sl_steer_core *c = &self->s.shared->cores[core];

	return (int64_t)(__atomic_load_n(&c->selected, __ATOMIC_ACQUIRE) -
			 __atomic_load_n(&c->gone, __ATOMIC_ACQUIRE));
}

static bool load_reaches(const FIXTURE_DATA(steer) *self, uint32_t core, int64_t n)
{
	for (int i = 0; i < 10000 * harness_time_scale() && load_of(self, core) != n; i += 5)
		usleep(5000);
	return load_of(self, core) == n;
}

TEST_F(steer, selections_that_never_arrive_leave_no_trace)
{
	if (!variant->program) {
		EXPECT_NULL(self->s.shared);
		return;
	}
	set(self, SL_STEER_LOAD, &no_rules);
	for (int i = 0; i < CORES; i++)
		core_of(connect_from(self, 1));
	__atomic_fetch_add(&self->s.shared->cores[1].selected, 5, __ATOMIC_RELEASE);
	EXPECT_EQ(6, load_of(self, 1));
	EXPECT_TRUE(load_reaches(self, 1, 1));
	EXPECT_EQ(1, load_of(self, 0));
}

TEST_F(steer, connections_from_before_the_program_count)
{
	int got[CORES];

	if (!variant->program) {
		EXPECT_NULL(self->s.shared);
		return;
	}
	while (self->n < CONNS / 4)
		core_of(connect_from(self, 1));
	set(self, SL_STEER_LOAD, &no_rules);
	while (self->n < CONNS / 2)
		core_of(connect_from(self, 1));
	set(self, SL_STEER_HASH, &no_rules);
	EXPECT_EQ(SL_STEER_BY_KERNEL, self->s.mechanism);
	while (self->n < CONNS / 4 * 3)
		core_of(connect_from(self, 1));
	count_cores(self, got);
	for (uint32_t i = 0; i < CORES; i++)
		EXPECT_EQ(got[i], load_of(self, i));
}

TEST_F(steer, source_keeps_an_address_on_one_core)
{
	unsigned cores = 0;

	set(self, SL_STEER_SOURCE, &no_rules);
	EXPECT_EQ(variant->program ? SL_STEER_BY_EBPF : SL_STEER_BY_CLASSIC_BPF, self->s.mechanism);
	for (uint32_t a = 1; a <= 16; a++) {
		int core = core_of(connect_from(self, a));

		for (int i = 0; i < 3; i++)
			EXPECT_EQ(core, core_of(connect_from(self, a)));
		cores |= 1u << core;
	}
	EXPECT_LT(1, __builtin_popcount(cores));
}

/* From each processor that there is, the core that is said to be pinned to it. */
static void expect_by_cpu(FIXTURE_DATA(steer) *self)
{
	cpu_set_t before, one;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(before), &before));
	for (int i = CORES - 1; i >= 0 && CPU_ISSET((unsigned)self->cpus[i], &before); i--) {
		CPU_ZERO(&one);
		CPU_SET((unsigned)self->cpus[i], &one);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
		for (int k = 0; k < 4; k++)
			EXPECT_EQ(i, core_of(connect_from(self, 1)));
	}
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(before), &before));
}

TEST_F(steer, cpu_follows_the_processor)
{
	set(self, SL_STEER_CPU, &no_rules);
	EXPECT_EQ(variant->program ? SL_STEER_BY_EBPF : SL_STEER_BY_CLASSIC_BPF, self->s.mechanism);
	expect_by_cpu(self);
}

static void many_cores_here(FIXTURE_DATA(steer) *self)
{
	struct sl_steering many;
	uint32_t i = sl_core_id(sl_core_self());

	/* More than a classic program may be long, of which four listen here. */
	sl_steering_init(&many, NULL, 5000, self->cpus);
	ASSERT_EQ(0, sl_steering_set(&many, SL_STEER_CPU, &no_rules));
	EXPECT_EQ(SL_STEER_BY_INCOMING_CPU, sl_steer_apply(&many, 0, i, self->l[i]->fd));
	many.cpus = NULL;
	EXPECT_EQ(SL_STEER_BY_KERNEL, sl_steer_apply(&many, 0, i, self->l[i]->fd));
	many.cpus = self->cpus;
	EXPECT_EQ(SL_STEER_BY_INCOMING_CPU, sl_steer_apply(&many, 0, i, self->l[i]->fd));
}

TEST_F(steer, a_hint_to_the_kernel_is_the_last_step_above_its_hash)
{
	on_every_core(self, many_cores_here);
	for (int i = 0; i < 4; i++)
		core_of(connect_from(self, 1));
}

TEST_F(steer, rules_give_a_prefix_its_cores)
{
	struct sl_conf_rules rules;
	const struct sl_conf_key key = {.type = SL_CONF_RULES};
	int got[CORES];

	ASSERT_EQ(0, sl_conf_value_parse(
			     &key, "127.0.0.0/8:1, 127.0.0.7/32:2-3, 127.0.0.9/32:9", &rules));
	EXPECT_EQ(1, sl_steering_set(&self->s, SL_STEER_RULES_FIRST, &rules));
	on_every_core(self, steer_here);
	for (int i = 0; i < 8; i++)
		core_of(connect_from(self, 7));
	count_cores(self, got);
	if (!variant->program) {
		EXPECT_EQ(SL_STEER_BY_KERNEL, self->s.mechanism);
		return;
	}
	EXPECT_EQ(4, got[2]);
	EXPECT_EQ(4, got[3]);
	EXPECT_EQ(1, core_of(connect_from(self, 8)));
	EXPECT_EQ(1, core_of(connect_from(self, 9))); /* its own rule names no core that there is */
}

TEST_F(steer, policies_change_while_it_serves)
{
	static const enum sl_steer_policy policies[] = {
		SL_STEER_LOAD, SL_STEER_SOURCE, SL_STEER_HASH, SL_STEER_CPU, SL_STEER_SOURCE};
	int first = core_of(connect_from(self, 1));

	for (size_t i = 0; i < SL_ARRAY_SIZE(policies); i++) {
		int a, b;

		set(self, policies[i], &no_rules);
		EXPECT_EQ(policies[i], self->s.policy);
		a = core_of(connect_from(self, 3));
		b = core_of(connect_from(self, 3));
		if (policies[i] == SL_STEER_SOURCE)
			EXPECT_EQ(a, b);
		if (policies[i] == SL_STEER_LOAD && variant->program)
			EXPECT_NE(a, b);
		if (policies[i] == SL_STEER_HASH)
			EXPECT_EQ(SL_STEER_BY_KERNEL, self->s.mechanism);
	}
	EXPECT_EQ(first, core_of(self->fd[0]));
}

/* ---- what is shown ------------------------------------------------------------------------ */

TEST(one_row_of_the_metric_is_shown)
{
	struct sl_registry *registry;
	struct sl_steering s;
	struct sl_text page = {0};

	ASSERT_EQ(0, sl_registry_new(1, &registry));
	sl_steering_init(&s, NULL, 2, NULL);
	sl_steering_register(&s, registry);
	ASSERT_EQ(0, sl_steering_set(&s, SL_STEER_LOAD, &no_rules));
	ASSERT_EQ(0, sl_metrics_render(registry, &page));
	sl_text_put(&page, "", 1);
	EXPECT_NOT_NULL(strstr(page.data,
			       "\nsluice_steering{policy=\"load\",mechanism=\"kernel\"} 1\n"));
	EXPECT_NULL(strstr(page.data, "policy=\"hash\""));
	sl_text_done(&page);
	sl_registry_free(registry);
}

TEST(one_core_has_nothing_to_steer)
{
	EXPECT_EQ(SL_STEER_HASH, sl_steer_policy_of(SL_STEERING_AUTO, 1));
	EXPECT_EQ(SL_STEER_HASH, sl_steer_policy_of(SL_STEERING_LOAD, 1));
	EXPECT_EQ(SL_STEER_LOAD, sl_steer_policy_of(SL_STEERING_AUTO, 2));
	EXPECT_EQ(SL_STEER_SOURCE, sl_steer_policy_of(SL_STEERING_SOURCE, 2));
	EXPECT_STREQ("rules", sl_steer_policy_name(SL_STEER_RULES_FIRST));
	EXPECT_STREQ("classic-bpf", sl_steer_mechanism_name(SL_STEER_BY_CLASSIC_BPF));
}

TEST_HARNESS_MAIN
