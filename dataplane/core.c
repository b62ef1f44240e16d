/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cores: their making, their loop, their end.
 *
 * Interface: core.h but for mailbox.c and timer.c. A turn of the loop runs messages, timers and
 * ready fibers, goes on with connections that used up their share of sending, and turns the ring:
 * waiting there when there is nothing else to do, at first without sleeping where that pays
 * (spin.c). Invariants: everything of a core is made and
 * touched by its own thread alone, but for the mailbox; a core ends only when no fiber is leased
 * and nothing is in flight.
 *
 * Order of parts: making; the loop; threads; one core for tests and tools; the calling core.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core_pvt.h"
#include "log.h"

static __thread struct sl_core *this_core;

/* ---- making ----------------------------------------------------------------------------- */

static void woken(void *arg)
{
	struct sl_core *core = arg;

	__atomic_store_n(&core->mailbox.sleeping, 0, __ATOMIC_RELAXED);
}

static void core_free(struct sl_core *core)
{
	if (!core)
		return;
	timers_done(&core->timers);
	bufs_done(&core->bufs);
	sl_ring_free(core->ring);
	free(core->rx.chunks);
	munmap(core, sizeof(*core));
}

/* Whole pages, so that a core lies on its own node whatever the heap is made of. */
static struct sl_core *core_alloc(void)
{
	struct sl_core *core = mmap(NULL, sizeof(*core), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return core == MAP_FAILED ? NULL : core;
}

static struct sl_core *core_new(struct sl_cores *cores, uint32_t id,
				const struct sl_cores_conf *conf, int node, char *why,
				size_t why_len)
{
	struct sl_core *core = core_alloc();
	struct sl_ring_conf ring = {
		.buffers = 1024,
		.files = 1024,
		.backend = conf->backend,
		.wake = woken,
		.wake_arg = core,
	};
	int err = -ENOMEM;

	if (!core)
		goto out;
	core->cores = cores;
	core->id = id;
	core->node = node;
	core->backend = conf->backend;
	fibers_init(&core->fibers);
	direct_init(&core->direct, conf->direct_ops_max, conf->direct_bytes_max);
	core->spin.ns_max = conf->spin_ns;
	sl_list_init(&core->listeners);
	sl_list_init(&core->shedders);
	sl_list_init(&core->sending);
	sl_list_init(&core->file_notes);
	sl_list_init(&core->transfers);
	sl_list_init(&core->zerocopies);
	pipes_init(&core->pipes);
	fetches_init(&core->fetches);
	sl_list_init(&core->rx.starved);
	core->rx.ring.count = conf->rx_buffers ? conf->rx_buffers : 256;
	core->rx.ring.bytes = conf->rx_buffer_bytes ? conf->rx_buffer_bytes : 4096;
	core->rx.chunks = calloc(core->rx.ring.count, sizeof(*core->rx.chunks));
	if (!core->rx.chunks ||
	    bufs_init(&core->bufs, conf->arena_bytes_max ? conf->arena_bytes_max : SL_GIB, node))
		goto out;
	err = sl_ring_new(&ring, &core->ring, why, why_len);
	if (!err)
		return core;
	core_free(core);
	return NULL;
out:
	snprintf(why, why_len, "core %u: %s", id, strerror(-err));
	core_free(core);
	return NULL;
}

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* What a core is made of; its own thread makes it, so that its memory can come to lie there. */
struct seat {
	struct sl_cores *cores;
	const struct sl_cores_conf *conf;
	uint32_t id;
	char *why;
	size_t why_len;
};

/*
 * Makes a core on the calling thread, which is its own from now on. Pinned and with its preference
 * for memory set first, for what is touched here, by the kernel for the ring, too: that takes part
 * of it from the node of the processor that asks, whatever the policy.
 */
static struct sl_core *core_make(const struct seat *s)
{
	int cpu = s->conf->cpus ? s->conf->cpus[s->id] : -1;
	int node = s->conf->cpus && s->conf->nodes ? s->conf->nodes[s->id] : -1;
	struct sl_numa_policy policy = {0};
	int pin_res = cpu < 0 ? 0 : pin(cpu);
	int err = node < 0 ? 0 : sl_numa_prefer(node, &policy);
	struct sl_core *core;

	if (err) {
		sl_log_notice("core.unplaced", SL_KV(node, node), SL_KV_ERRNO(err),
			      SL_KV(fallback, "memory of any node"));
		node = -1;
	}
	core = core_new(s->cores, s->id, s->conf, node, s->why, s->why_len);
	if (!core) {
		if (node >= 0)
			sl_numa_restore(&policy);
		return NULL;
	}
	core->pin_res = pin_res;
	core->policy = policy;
	return core;
}

/* A registry for cores whose metrics nobody reads, so that counting needs no exceptions. */
static int private_registry(struct sl_cores *cores)
{
	static const char *const names[128];
	int err = sl_registry_new(cores->n, &cores->registry);

	if (err)
		return err;
	cores->owns_registry = true;
	for (int dim = SL_DIM_CORE + 1; dim < SL_DIM_LAST; dim++)
		sl_registry_dim(cores->registry, (enum sl_dim)dim, names, SL_ARRAY_SIZE(names));
	return 0;
}

static void cores_free(struct sl_cores *cores)
{
	for (uint32_t i = 0; i < cores->n; i++)
		core_free(cores->core[i]);
	if (cores->owns_registry)
		sl_registry_free(cores->registry);
	pthread_barrier_destroy(&cores->ended);
	pthread_cond_destroy(&cores->cond);
	pthread_mutex_destroy(&cores->lock);
	free(cores);
}

/* Cores without any core in them yet. */
static struct sl_cores *cores_new(const struct sl_cores_conf *conf, char *why, size_t why_len)
{
	uint32_t n = conf->n ? conf->n : 1;
	struct sl_cores *cores = calloc(1, sizeof(*cores) + n * sizeof(cores->core[0]));

	if (!cores) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		return NULL;
	}
	cores->n = n;
	cores->registry = conf->registry;
	pthread_barrier_init(&cores->ended, NULL, n);
	pthread_mutex_init(&cores->lock, NULL);
	pthread_cond_init(&cores->cond, NULL);
	if (!cores->registry && private_registry(cores)) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		cores_free(cores);
		return NULL;
	}
	return cores;
}

/* ---- the loop --------------------------------------------------------------------------- */

static bool stopping(const struct sl_cores *cores)
{
	return __atomic_load_n(&cores->stop, __ATOMIC_ACQUIRE);
}

static bool at_rest(struct sl_core *core)
{
	return !core->fibers.count && !sl_ring_inflight(core->ring) &&
	       mailbox_empty(&core->mailbox) && sl_list_empty(&core->sending);
}

/* How long a core that is to stop waits before it looks again whether the others rest, too. */
#define STOP_POLL_NS (2 * SL_MSEC)

/* Whether the core may end: nothing is left to do on any of them. */
static bool all_rest(struct sl_core *core)
{
	struct sl_cores *cores = core->cores;
	bool rest = stopping(cores) && at_rest(core);

	if (rest != core->resting)
		__atomic_store_n(&core->resting, rest, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; rest && i < cores->n; i++)
		rest = __atomic_load_n(&cores->core[i]->resting, __ATOMIC_SEQ_CST);
	return rest;
}

/* Announces sleep unless there is work. Return: until when to wait in the ring; 0: not at all. */
static int64_t rest_until(struct sl_core *core)
{
	int64_t timer_at = timers_next(&core->timers);

	if (!sl_list_empty(&core->fibers.ready) || !sl_list_empty(&core->sending))
		return 0;
	__atomic_store_n(&core->mailbox.sleeping, 1, __ATOMIC_SEQ_CST);
	if (mailbox_empty(&core->mailbox))
		return stopping(core->cores) ? sl_min(timer_at, core->now + STOP_POLL_NS)
					     : timer_at;
	__atomic_store_n(&core->mailbox.sleeping, 0, __ATOMIC_RELAXED);
	return 0;
}

static void count(struct sl_core *core, int messages)
{
	const struct sl_ring_stats *now = sl_ring_stats(core->ring);
	struct sl_ring_stats *then = &core->counted;
	struct sl_metrics *m = core->metrics;

	sl_metric_add(m, SL_M_CORE_LOOPS, 1);
	sl_metric_add(m, SL_M_MAILBOX_MESSAGES, (uint64_t)messages);
	sl_metric_add(m, SL_M_RING_SUBMITS, now->submits - then->submits);
	sl_metric_add(m, SL_M_RING_COMPLETIONS, now->completions - then->completions);
	sl_metric_add(m, SL_M_RING_OVERFLOWS, now->overflows - then->overflows);
	sl_metric_set(m, SL_M_FIBERS, core->fibers.count);
	sl_metric_set(m, SL_M_ARENA_BYTES, core->bufs.used_bytes);
	*then = *now;
}

/* Nothing is to be done before @wait_until. Return: whether there is after all. */
static bool spin(struct sl_core *core, int64_t wait_until)
{
	int64_t now = sl_clock_ns();
	bool found;

	sl_metric_add(core->metrics, SL_M_CORE_BUSY, (uint64_t)(now - core->now));
	if (!spin_wanted(&core->spin, now))
		return false;
	found = sl_ring_watch(core->ring, sl_min(wait_until, now + core->spin.ns_max));
	sl_metric_add(core->metrics, SL_M_CORE_SPIN, (uint64_t)(sl_clock_ns() - now));
	return found;
}

static void loop(struct sl_core *core)
{
	while (!all_rest(core)) {
		int64_t wait_until;
		int n;

		core->now = core_clock(core);
		n = mailbox_run(&core->mailbox);
		timers_run(&core->timers, core->now);
		fibers_run(core);
		conns_send(core);
		count(core, n);
		wait_until = rest_until(core);
		if (wait_until && spin(core, wait_until))
			wait_until = 0;
		n = sl_ring_turn(core->ring, wait_until);
		__atomic_store_n(&core->mailbox.sleeping, 0, __ATOMIC_RELAXED);
		if (n < 0) {
			sl_log_err("ring.failed", SL_KV_ERRNO(n));
			SL_ASSERT(!"io_uring_enter failed");
		}
	}
}

/* What the cores told each other last: notes about files go home and back. */
static void settle(struct sl_core *core)
{
	for (int i = 0; i < 3; i++) {
		pthread_barrier_wait(&core->cores->ended);
		mailbox_run(&core->mailbox);
	}
	pthread_barrier_wait(&core->cores->ended);
}

static int enter_core(struct sl_core *core)
{
	int err;

	this_core = core;
	sl_backend_use(core->backend);
	sl_log_thread_core((int)core->id);
	core->now = sl_clock_ns();
	if (core->pin_res)
		return core->pin_res;
	err = sl_metrics_new(core->cores->registry, core->id, &core->metrics);
	if (err)
		return err;
	sl_metric_set(core->metrics, SL_M_CORE_NODE, (uint64_t)core->node);
	err = sl_ring_enable(core->ring);
	if (err)
		return err;
	return sl_bufring_init(&core->rx.ring, core->ring, 0, core->rx.ring.count,
			       core->rx.ring.bytes);
}

static void leave_core(struct sl_core *core)
{
	sl_bufring_done(&core->rx.ring);
	fibers_done(&core->fibers);
	file_notes_done(core);
	transfers_done(core);
	zerocopies_done(core);
	pipes_done(&core->pipes);
	sl_ring_free(core->ring);
	core->ring = NULL;
	bufs_done(&core->bufs);
	core->bufs = (struct bufs){0};
	if (core->node >= 0)
		sl_numa_restore(&core->policy);
	sl_backend_use(NULL);
	sl_log_thread_core(-1);
	this_core = NULL;
}

/* ---- threads ---------------------------------------------------------------------------- */

/* One core less is starting; the first failure is everybody's. */
static void report_start(struct sl_core *core, int res)
{
	struct sl_cores *cores = core->cores;

	pthread_mutex_lock(&cores->lock);
	core->start_res = res;
	cores->started++;
	pthread_cond_broadcast(&cores->cond);
	pthread_mutex_unlock(&cores->lock);
}

static void start_fiber(void *arg)
{
	struct sl_core *core = arg;

	report_start(core, core->start(core, core->start_arg));
}

/* Tells that the core is made, or not, and stops until all are. Return: whether to go on. */
static bool report_made(struct sl_cores *cores, uint32_t id, struct sl_core *core)
{
	enum cores_phase phase;

	pthread_mutex_lock(&cores->lock);
	cores->core[id] = core;
	cores->made++;
	pthread_cond_broadcast(&cores->cond);
	while (cores->phase == CORES_MAKING)
		pthread_cond_wait(&cores->cond, &cores->lock);
	phase = cores->phase;
	pthread_mutex_unlock(&cores->lock);
	return core && phase == CORES_RUNNING;
}

/* A core that saw the stop by itself must not free the ring that is yet to be woken. */
static void wait_for_stopper(struct sl_cores *cores)
{
	pthread_mutex_lock(&cores->lock);
	pthread_mutex_unlock(&cores->lock);
}

static void *core_thread(void *arg)
{
	struct seat *seat = arg;
	struct sl_core *core;
	char name[16];
	bool entered;
	int err;

	snprintf(name, sizeof(name), "sluice/%u", seat->id);
	pthread_setname_np(pthread_self(), name);
	core = core_make(seat);
	if (!report_made(seat->cores, seat->id, core))
		return NULL;
	err = enter_core(core);
	entered = !err;
	if (!err)
		err = sl_fiber_start(SL_STACK_LARGE, start_fiber, core);
	if (err)
		report_start(core, err);
	if (entered)
		loop(core);
	else
		__atomic_store_n(&core->resting, 1, __ATOMIC_SEQ_CST);
	settle(core);
	wait_for_stopper(core->cores);
	leave_core(core);
	return NULL;
}

/* Lets the threads that made cores go on, or end. */
static void enter_phase(struct sl_cores *cores, enum cores_phase phase)
{
	pthread_mutex_lock(&cores->lock);
	cores->phase = phase;
	pthread_cond_broadcast(&cores->cond);
	pthread_mutex_unlock(&cores->lock);
}

/* Has core @id made by a thread of its own. Return: whether it is. */
static bool have_made(struct seat *seat)
{
	struct sl_cores *cores = seat->cores;
	pthread_t thread;
	struct sl_core *core;
	int err = pthread_create(&thread, NULL, core_thread, seat);

	if (err) {
		snprintf(seat->why, seat->why_len,
			 "no thread for core %u: %s; raise the limit of threads (ulimit -u, or "
			 "TasksMax= in the unit)", seat->id, strerror(err));
		enter_phase(cores, CORES_GIVEN_UP);
		return false;
	}
	pthread_mutex_lock(&cores->lock);
	while (cores->made <= seat->id)
		pthread_cond_wait(&cores->cond, &cores->lock);
	core = cores->core[seat->id];
	pthread_mutex_unlock(&cores->lock);
	if (!core) {
		enter_phase(cores, CORES_GIVEN_UP);
		pthread_join(thread, NULL);
		return false;
	}
	core->thread = thread;
	core->has_thread = true;
	return true;
}

static int wait_started(struct sl_cores *cores, uint32_t n)
{
	int err = 0;

	pthread_mutex_lock(&cores->lock);
	while (cores->started < n)
		pthread_cond_wait(&cores->cond, &cores->lock);
	for (uint32_t i = 0; i < n && !err; i++)
		err = cores->core[i]->start_res;
	pthread_mutex_unlock(&cores->lock);
	return err;
}

int sl_cores_start(const struct sl_cores_conf *conf, int (*start)(struct sl_core *core, void *arg),
		   void *arg, struct sl_cores **ret_cores, char *why, size_t why_len)
{
	struct sl_cores *cores;
	struct seat *seats;
	bool made;
	int err;

	why[0] = 0;
	cores = cores_new(conf, why, why_len);
	if (!cores)
		return -ENOSYS;
	seats = calloc(cores->n, sizeof(*seats));
	made = seats;
	for (uint32_t i = 0; i < cores->n && made; i++) {
		seats[i] = (struct seat){cores, conf, i, why, why_len};
		made = have_made(&seats[i]);
		if (made) {
			cores->core[i]->start = start;
			cores->core[i]->start_arg = arg;
		}
	}
	if (made)
		enter_phase(cores, CORES_RUNNING);
	err = made ? wait_started(cores, cores->n) : seats ? -ENOSYS : -ENOMEM;
	if (!err) {
		free(seats);
		*ret_cores = cores;
		return 0;
	}
	if (!why[0])
		snprintf(why, why_len, "a core could not start: %s", strerror(-err));
	if (made)
		sl_cores_stop(cores);
	sl_cores_join(cores);
	free(seats);
	return err;
}

void sl_cores_stop(struct sl_cores *cores)
{
	bool again;

	pthread_mutex_lock(&cores->lock);
	/* Cores that were asked before may have ended. */
	again = __atomic_exchange_n(&cores->stop, 1, __ATOMIC_ACQ_REL);
	for (uint32_t i = 0; i < cores->n && !again; i++)
		if (cores->core[i]->has_thread)
			sl_ring_wake_from_outside(cores->core[i]->ring);
	pthread_mutex_unlock(&cores->lock);
}

void sl_cores_join(struct sl_cores *cores)
{
	if (!cores)
		return;
	for (uint32_t i = 0; i < cores->n; i++)
		if (cores->core[i] && cores->core[i]->has_thread)
			pthread_join(cores->core[i]->thread, NULL);
	cores_free(cores);
}

/* ---- one core for tests and tools ------------------------------------------------------- */

struct run {
	int (*fn)(void *arg);
	void *arg;
	int res;
};

static void run_fiber(void *arg)
{
	struct run *run = arg;

	run->res = run->fn(run->arg);
	__atomic_store_n(&sl_core_self()->cores->stop, 1, __ATOMIC_RELEASE);
}

int sl_core_run(const struct sl_cores_conf *conf, int (*fn)(void *arg), void *arg)
{
	struct sl_cores_conf one = conf ? *conf : (struct sl_cores_conf){0};
	struct run run = {.fn = fn, .arg = arg};
	struct sl_backend *before = NULL;
	struct sl_cores *cores;
	char why[256];
	int err;

	one.n = 1;
	cores = cores_new(&one, why, sizeof(why));
	if (cores)
		cores->core[0] = core_make(&(struct seat){cores, &one, 0, why, sizeof(why)});
	if (!cores || !cores->core[0]) {
		fprintf(stderr, "sluice: %s\n", why);
		if (cores)
			cores_free(cores);
		return -ENOSYS;
	}
	before = sl_backend_use(one.backend);
	err = enter_core(cores->core[0]);
	if (!err)
		err = sl_fiber_start(SL_STACK_LARGE, run_fiber, &run);
	if (!err)
		loop(cores->core[0]);
	leave_core(cores->core[0]);
	sl_backend_use(before);
	cores_free(cores);
	return err ? err : run.res;
}

/* ---- the calling core ------------------------------------------------------------------- */

struct sl_core *sl_core_self(void)
{
	return this_core;
}

uint32_t sl_cores_count(const struct sl_cores *cores)
{
	return cores->n;
}

struct sl_core *sl_cores_at(const struct sl_cores *cores, uint32_t i)
{
	SL_ASSERT(i < cores->n);
	return cores->core[i];
}

uint32_t sl_core_id(const struct sl_core *core)
{
	return core->id;
}

struct sl_cores *sl_core_cores(const struct sl_core *core)
{
	return core->cores;
}

struct sl_ring *sl_core_ring(const struct sl_core *core)
{
	return core->ring;
}

int sl_core_node(const struct sl_core *core)
{
	return core->node;
}

struct sl_metrics *sl_core_metrics(struct sl_core *core)
{
	return core->metrics;
}

void sl_count(enum sl_metric_id id, uint64_t n)
{
	struct sl_core *core = sl_core_self();

	if (core)
		sl_metric_add(core->metrics, id, n);
}

struct sl_core *sl_core_home(const struct sl_cores *cores, uint64_t hash)
{
	return cores->core[sl_mix64(hash) % cores->n];
}

int64_t sl_now(void)
{
	return this_core ? this_core->now : sl_clock_ns();
}
