// SPDX-License-Identifier: Apache-2.0
/*
 * steer: which core gets a new connection.
 *
 * Interface: steer.h; steer_*() of conn_pvt.h inside the folder, for listeners and connections.
 * Invariants: a listener joins the program once; what a weaker mechanism left behind is taken off
 * before another one is tried; a core alone writes its `gone`.
 *
 * A core's load, for the program, is what it selected less what is gone. The core takes off a
 * connection when it closes; one that it was given without the program (by the hash, or by another
 * core) it puts on at once; and once a second it takes off what was selected more than a second
 * ago and never arrived: a SYN whose handshake was not finished.
 *
 * Order of parts: names; counting; classic BPF; the ladder; the process's steering.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "conn_pvt.h"
#include "steer.h"

/* ---- names ------------------------------------------------------------------------------ */

static const char *const policy_names[SL_STEER_POLICY_LAST] = {
	[SL_STEER_HASH] = "hash",	[SL_STEER_LOAD] = "load",
	[SL_STEER_CPU] = "cpu",		[SL_STEER_SOURCE] = "source",
	[SL_STEER_RULES_FIRST] = "rules",
};

const char *sl_steer_policy_name(enum sl_steer_policy policy)
{
	SL_ASSERT(policy < SL_STEER_POLICY_LAST);
	return policy_names[policy];
}

/* ---- counting --------------------------------------------------------------------------- */

#define CORRECT_NS SL_SEC

static uint64_t selected(const struct sl_steer_count *n)
{
	return __atomic_load_n(&n->shared->selected, __ATOMIC_RELAXED);
}

static void publish(struct sl_steer_count *n)
{
	__atomic_store_n(&n->shared->gone, n->closed + (uint64_t)n->corrected, __ATOMIC_RELAXED);
}

/* Selections, of @selected_n, that have not arrived; negative: more arrived than were selected. */
static int64_t missing(const struct sl_steer_count *n, uint64_t selected_n)
{
	return (int64_t)(selected_n - n->accepted) - n->corrected;
}

static void correct(struct sl_timer *timer)
{
	struct sl_steer_count *n = sl_container_of(timer, struct sl_steer_count, timer);

	n->corrected += sl_max(missing(n, n->seen), (int64_t)0);
	n->seen = selected(n);
	publish(n);
	sl_timer_set(&n->timer, sl_now() + CORRECT_NS); /* without memory: at the next connection */
}

void steer_opened(struct sl_core *core)
{
	struct sl_steer_count *n = &core->steer;

	n->accepted++;
	sl_metric_add(core->metrics, SL_M_CORE_CONNECTIONS, 1);
	if (!n->shared)
		return;
	n->corrected += sl_min(missing(n, selected(n)), (int64_t)0);
	publish(n);
	if (!n->timer.slot)
		sl_timer_set(&n->timer, core->now + CORRECT_NS);
}

void steer_closed(struct sl_core *core)
{
	struct sl_steer_count *n = &core->steer;

	n->closed++;
	sl_metric_add(core->metrics, SL_M_CORE_CONNECTIONS, (uint64_t)-1);
	if (n->shared)
		publish(n);
}

/* From now on the program asks for the core's load. */
static void count_for(struct sl_core *core, struct sl_steer *shared)
{
	struct sl_steer_count *n = &core->steer;

	if (n->shared)
		return;
	n->shared = &shared->cores[core->id];
	n->seen = selected(n);
	n->corrected = missing(n, n->seen);
	publish(n);
	sl_timer_init(&n->timer, correct);
	sl_timer_set(&n->timer, core->now + CORRECT_NS);
}

/* ---- classic BPF ------------------------------------------------------------------------ */

/* A program's value is a socket's place in its group, which is its core: they listen in order. */
enum { CLASSIC_CORES_MAX = 1024, CLASSIC_BASE_INSNS = 24 };

struct classic {
	struct sock_filter *v;
	uint16_t n;
};

static void emit(struct classic *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->v[p->n++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void end_modulo(struct classic *p, uint32_t cores)
{
	emit(p, BPF_ALU | BPF_MOD | BPF_K, cores, 0, 0);
	emit(p, BPF_RET | BPF_A, 0, 0, 0);
}

static void make_cpu(struct classic *p, const struct sl_steering *s)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_CPU), 0, 0);
	for (uint32_t i = 0; s->cpus && i < s->cores; i++) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)s->cpus[i], 0, 1);
		emit(p, BPF_RET | BPF_K, i, 0, 0);
	}
	end_modulo(p, s->cores);
}

/* Of the network header the source address, 4 bytes of IPv4 or the four words of IPv6. */
static void make_source(struct classic *p, const struct sl_steering *s)
{
	enum { IPV4_SOURCE_AT = 12, IPV6_SOURCE_AT = 8, IPV6_INSNS = 10 };

	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL), 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 2, 0);
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_NET_OFF + IPV4_SOURCE_AT), 0, 0);
	emit(p, BPF_JMP | BPF_JA, IPV6_INSNS, 0, 0);
	for (int i = 0; i < 4; i++) {
		emit(p, BPF_LD | BPF_W | BPF_ABS,
		     (uint32_t)(SKF_NET_OFF + IPV6_SOURCE_AT + 4 * i), 0, 0);
		if (i)
			emit(p, BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0);
		if (i < 3)
			emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
	}
	emit(p, BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1, 0, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 16, 0, 0);
	end_modulo(p, s->cores);
}

static int by_classic(const struct sl_steering *s, uint32_t group, uint32_t core, int fd)
{
	struct classic program = {.n = 0};
	struct sock_fprog attach;
	int err = 0;

	(void)group;
	(void)core;
	if (s->cores > CLASSIC_CORES_MAX)
		return -E2BIG;
	program.v = calloc(CLASSIC_BASE_INSNS + 2 * s->cores, sizeof(*program.v));
	if (!program.v)
		return -ENOMEM;
	if (s->policy == SL_STEER_CPU)
		make_cpu(&program, s);
	else
		make_source(&program, s);
	attach = (struct sock_fprog){.len = program.n, .filter = program.v};
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attach, sizeof(attach)))
		err = -errno;
	free(program.v);
	return err;
}

/* ---- the ladder ------------------------------------------------------------------------- */

static int by_ebpf(const struct sl_steering *s, uint32_t group, uint32_t core, int fd)
{
	return s->shared ? sl_bpf_steer_join(s->bpf, group, core, fd) : -EOPNOTSUPP;
}

static int by_incoming_cpu(const struct sl_steering *s, uint32_t group, uint32_t core, int fd)
{
	(void)group;
	if (!s->cpus)
		return -EOPNOTSUPP;
	if (setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &s->cpus[core], sizeof(s->cpus[core])))
		return -errno;
	return 0;
}

static int by_kernel(const struct sl_steering *s, uint32_t group, uint32_t core, int fd)
{
	(void)s;
	(void)group;
	(void)core;
	(void)fd;
	return 0;
}

#define ALL ((1u << SL_STEER_POLICY_LAST) - 1)

/* From the best to what always works; @policies: those that it carries out. */
static const struct {
	const char *name;
	uint32_t policies;
	int (*apply)(const struct sl_steering *s, uint32_t group, uint32_t core, int fd);
} ladder[SL_STEER_MECHANISM_LAST] = {
	[SL_STEER_BY_EBPF] = {"ebpf", ALL & ~(1u << SL_STEER_HASH), by_ebpf},
	[SL_STEER_BY_CLASSIC_BPF] = {"classic-bpf", 1u << SL_STEER_CPU | 1u << SL_STEER_SOURCE,
				     by_classic},
	[SL_STEER_BY_INCOMING_CPU] = {"incoming-cpu", 1u << SL_STEER_CPU, by_incoming_cpu},
	[SL_STEER_BY_KERNEL] = {"kernel", ALL, by_kernel},
};

const char *sl_steer_mechanism_name(enum sl_steer_mechanism mechanism)
{
	SL_ASSERT(mechanism < SL_STEER_MECHANISM_LAST);
	return ladder[mechanism].name;
}

/* Takes off what another policy left: the program of the group, and the hint. */
static void take_off(int fd)
{
	int none = -1;

	setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof(none));
	setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &none, sizeof(none));
}

enum sl_steer_mechanism sl_steer_apply(const struct sl_steering *s, uint32_t group, uint32_t core,
				       int fd)
{
	int m = 0;

	take_off(fd);
	while (!(ladder[m].policies >> s->policy & 1) || ladder[m].apply(s, group, core, fd))
		m++;
	return (enum sl_steer_mechanism)m;
}

/* The last listener that is asked decides what is told: all of them meet the same kernel. */
void sl_listener_steer(struct sl_listener *l, struct sl_steering *s, uint32_t group)
{
	uint32_t m;

	SL_ON_CORE(l->core);
	if (l->joined)
		m = s->policy == SL_STEER_HASH ? SL_STEER_BY_KERNEL : SL_STEER_BY_EBPF;
	else
		m = sl_steer_apply(s, group, l->core->id, l->fd);
	if (m == SL_STEER_BY_EBPF) {
		l->joined = true;
		count_for(l->core, s->shared);
	}
	__atomic_store_n(&s->mechanism, m, __ATOMIC_RELAXED);
}

/* ---- the process's steering ------------------------------------------------------------- */

static bool read_steering(void *arg, enum sl_metric_id id, uint32_t i, uint32_t j,
			  uint64_t *ret_value, struct sl_hist *ret_hist)
{
	const struct sl_steering *s = arg;

	(void)id;
	(void)ret_hist;
	*ret_value = 1;
	return i == __atomic_load_n(&s->policy, __ATOMIC_RELAXED) &&
	       j == __atomic_load_n(&s->mechanism, __ATOMIC_RELAXED);
}

void sl_steering_init(struct sl_steering *s, const struct sl_bpf *bpf, uint32_t cores,
		      const int *cpus)
{
	*s = (struct sl_steering){
		.bpf = bpf,
		.shared = bpf ? sl_bpf_steer(bpf) : NULL,
		.cpus = cpus,
		.cores = cores,
		.policy = SL_STEER_HASH,
		.mechanism = SL_STEER_BY_KERNEL,
		.source = {.read = read_steering, .arg = s},
	};
	for (uint32_t i = 0; s->shared && cpus && i < cores; i++)
		if (cpus[i] < SL_STEER_CPUS)
			s->shared->core_of_cpu[cpus[i]] = i + 1;
}

void sl_steering_register(struct sl_steering *s, struct sl_registry *registry)
{
	for (int i = 0; i < SL_STEER_POLICY_LAST; i++)
		s->policies[i] = policy_names[i];
	for (int i = 0; i < SL_STEER_MECHANISM_LAST; i++)
		s->mechanisms[i] = ladder[i].name;
	sl_registry_dim(registry, SL_DIM_POLICY, s->policies, SL_STEER_POLICY_LAST);
	sl_registry_dim(registry, SL_DIM_MECHANISM, s->mechanisms, SL_STEER_MECHANISM_LAST);
	sl_registry_source(registry, SL_M_STEERING, &s->source);
}

enum sl_steer_policy sl_steer_policy_of(enum sl_steering_choice choice, uint32_t cores)
{
	static const enum sl_steer_policy policies[] = {
		[SL_STEERING_AUTO] = SL_STEER_LOAD,	[SL_STEERING_HASH] = SL_STEER_HASH,
		[SL_STEERING_LOAD] = SL_STEER_LOAD,	[SL_STEERING_CPU] = SL_STEER_CPU,
		[SL_STEERING_SOURCE] = SL_STEER_SOURCE, [SL_STEERING_RULES] = SL_STEER_RULES_FIRST,
	};

	SL_ASSERT(choice < SL_ARRAY_SIZE(policies));
	return cores > 1 ? policies[choice] : SL_STEER_HASH;
}

/* The cores of @rule that exist. Return: whether there are any. */
static bool mask_of(const struct sl_conf_rule *rule, uint32_t cores, struct sl_steer_mask *ret_mask)
{
	uint32_t end = sl_min(sl_min(rule->last + 1u, cores), (uint32_t)SL_STEER_CORES);

	*ret_mask = (struct sl_steer_mask){0};
	for (uint32_t i = rule->first; i < end; i++)
		ret_mask->bits[i / 64] |= UINT64_C(1) << i % 64;
	return rule->first < end;
}

int sl_steering_set(struct sl_steering *s, enum sl_steer_policy policy,
		    const struct sl_conf_rules *rules)
{
	struct sl_steer_rule v[SL_CONF_RULES_MAX];
	uint32_t n = 0;
	int err = 0;

	_Static_assert(SL_CONF_RULES_MAX <= SL_STEER_RULES, "the program takes them all");
	for (uint32_t i = 0; i < rules->n; i++) {
		const struct sl_conf_rule *r = &rules->v[i];

		if (!mask_of(r, s->cores, &v[n].mask))
			continue;
		v[n].prefix.bits = r->bits;
		memcpy(v[n++].prefix.addr, r->addr, sizeof(r->addr));
	}
	if (s->shared)
		err = sl_bpf_steer_rules(s->bpf, v, n);
	__atomic_store_n(&s->policy, policy, __ATOMIC_RELAXED);
	if (s->shared)
		__atomic_store_n(&s->shared->policy, policy, __ATOMIC_RELAXED);
	return err ? err : (int)(rules->n - n);
}
