/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's listeners: which protocol is served on which addresses, on every core.
 *
 * A new protocol is one row of `rows` and one value of enum listener.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

_Static_assert(LISTENER_LAST <= SL_BPF_LISTENERS, "a place for each listener");

const char *const listener_names[LISTENER_LAST] = {
	[LISTENER_KAFKA] = "kafka",
	[LISTENER_HTTP] = "http",
	[LISTENER_STATIC] = "static",
	[LISTENER_PROXY] = "proxy",
};

static const struct sl_conf_addrs *kafka_addrs(const struct sl_conf *conf)
{
	return &conf->kafka.listen;
}

static const struct sl_conf_addrs *http_addrs(const struct sl_conf *conf)
{
	return &conf->http.listen;
}

static const struct sl_conf_addrs *static_addrs(const struct sl_conf *conf)
{
	return &conf->statics.listen;
}

static const struct sl_conf_addrs *proxy_addrs(const struct sl_conf *conf)
{
	return &conf->proxy.listen;
}

static void *kafka_arg(struct daemon *d)
{
	return &d->kafka->server;
}

static void *http_arg(struct daemon *d)
{
	return &d->http;
}

static void *static_arg(struct daemon *d)
{
	return &d->web;
}

static void *proxy_arg(struct daemon *d)
{
	return &d->front;
}

static const struct {
	const struct sl_proto *proto;
	const struct sl_conf_addrs *(*addrs)(const struct sl_conf *conf);
	void *(*arg)(struct daemon *d);
} rows[LISTENER_LAST] = {
	[LISTENER_KAFKA] = {&kafka_proto, kafka_addrs, kafka_arg},
	[LISTENER_HTTP] = {&http_proto, http_addrs, http_arg},
	[LISTENER_STATIC] = {&http_proto, static_addrs, static_arg},
	[LISTENER_PROXY] = {&http_proto, proxy_addrs, proxy_arg},
};

/*
 * One address of a listener, as one core has it. @group: of steering; UNSTEERED: the core's own
 * port.
 */
struct open_listener {
	struct sl_listener *l;
	enum listener which;
	uint32_t group;
	char text[SL_CONF_ADDR_TEXT];
};

#define UNSTEERED UINT32_MAX

/* @groups: how many of @n are steered. */
struct core_listeners {
	struct open_listener v[(LISTENER_LAST + 1) * SL_CONF_ADDRS_MAX];
	uint32_t n, groups;
};

/* How long a predecessor that was killed may take to let go of its port. */
#define ALONE_NS (2 * SL_SEC)

/* How many replies may wait on a connection before its next request has to. */
enum { REPLIES_MAX = 64 };

static struct sl_conn_limits limits_of(const struct daemon *d)
{
	uint32_t cores = sl_cores_count(d->cores);

	return (struct sl_conn_limits){
		.idle_ns = d->conf.conn.idle_timeout_ns,
		.header_ns = d->conf.conn.header_timeout_ns,
		.write_ns = d->conf.conn.write_timeout_ns,
		.memory_bytes = d->conf.conn.memory_max_bytes,
		.ahead_bytes = d->conf.conn.buffered_max_bytes,
		.replies = REPLIES_MAX,
		.conns = (uint32_t)((d->conf.conn.max + cores - 1) / cores),
		.handshake_ns = d->conf.tls.handshake_timeout_ns,
		.loopback_reno = d->conf.conn.loopback_reno,
		.deliver = {
			.copy_max_bytes = (uint32_t)d->conf.deliver.copy_max_bytes,
			.zerocopy_min_bytes = (uint32_t)d->conf.deliver.zerocopy_min_bytes,
			.rung = (uint8_t)d->conf.deliver.rung,
			.adaptive = d->conf.deliver.adaptive,
			.unbounded = !d->conf.deliver.bound_queue,
		},
	};
}

/* To who watches this core: how many connections it may have open. */
static void tell_limit(const struct core_listeners *mine, uint32_t conns_max)
{
	struct sl_metrics *m = sl_core_metrics(sl_core_self());

	for (uint32_t which = 0; which < LISTENER_LAST; which++) {
		uint64_t *cell = sl_metric_cell(m, SL_M_CONNECTIONS_MAX, which, 0), n = 0;

		for (uint32_t i = 0; i < mine->n; i++)
			n += mine->v[i].which == which ? conns_max : 0;
		sl_cell_add(cell, n - *cell);
	}
}

/* ---- steering --------------------------------------------------------------------------- */

static void set_steering(struct daemon *d)
{
	enum sl_steering_choice choice = (enum sl_steering_choice)d->conf.node.steering;
	int res = sl_steering_set(&d->steering, sl_steer_policy_of(choice, d->cores_n),
				  &d->conf.node.steering_rules);

	if (res < 0)
		sl_log_warn("steering.rules-not-set", SL_KV_ERRNO(res));
	else if (res)
		sl_log_warn("steering.rules-dropped", SL_KV(rules, res), SL_KV(cores, d->cores_n),
			    SL_KV(why, "they name only cores that there are not"));
}

/* One line: what was asked for, what does it, and why not more. */
static void tell_steering(const struct daemon *d)
{
	const struct sl_bpf_status *program = sl_bpf_status(d->bpf, SL_BPF_STEER);
	const char *why = program->state == SL_BPF_OFF	     ? "bpf.steer or bpf.enabled is no"
			  : program->state == SL_BPF_REFUSED ? program->why
							     : "no socket could join the program";
	const char *policy = sl_steer_policy_name((enum sl_steer_policy)d->steering.policy);
	enum sl_steer_mechanism by = (enum sl_steer_mechanism)d->steering.mechanism;

	if (d->steering.policy == SL_STEER_HASH || by == SL_STEER_BY_EBPF)
		sl_log_info("steering.chosen", SL_KV(policy, policy),
			    SL_KV(mechanism, sl_steer_mechanism_name(by)));
	else
		sl_log_notice("steering.lessened", SL_KV(policy, policy),
			      SL_KV(mechanism, sl_steer_mechanism_name(by)), SL_KV(why, why));
}

struct opening {
	struct daemon *d;
	enum listener which;
	uint32_t at; /* which of the listener's addresses */
	struct sl_conf_addr addr; /* its port is filled in by the first core */
	char *why;
	size_t why_len;
};

/* ---- ports of cores --------------------------------------------------------------------- */

static uint16_t *port_of(struct sl_conf_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? &addr->in6.sin6_port : &addr->in4.sin_port;
}

/* The core's own port: mapped to its listener @l by the program, or else a listener, too. */
static int open_core_port(struct opening *o, const struct sl_listener *l)
{
	const struct sl_bpf *bpf = o->d->bpf;
	uint32_t core = sl_core_id(sl_core_self());
	struct core_listeners *mine = &o->d->listeners[core];
	struct open_listener *own = &mine->v[mine->n];
	struct sl_conn_limits limits = limits_of(o->d);
	struct sl_conf_addr addr = o->addr;
	int err;

	if (sl_bpf_ports(bpf) && !sl_listener_join_ports(l, bpf, o->at))
		return 0;
	*port_of(&addr) = htons((uint16_t)(o->d->conf.kafka.core_ports.first + core));
	err = sl_listen(&addr.sa, addr.sa_bytes, rows[o->which].proto, rows[o->which].arg(o->d),
			o->which, &limits, &own->l, o->why, o->why_len);
	if (err)
		return err;
	sl_listener_secure(own->l, daemon_tls_take(o->d, core, o->which));
	own->which = o->which;
	own->group = UNSTEERED;
	sl_conf_addr_format(&addr, own->text);
	mine->n++;
	return 0;
}

/* Tells the program an address, before the cores join. */
static void map_address(const struct daemon *d, const struct opening *o)
{
	struct sl_ports *ports = sl_bpf_ports(d->bpf);
	struct sl_ports_addr *a = &ports->addrs[o->at];

	a->is_ipv6 = o->addr.sa.sa_family == AF_INET6;
	if (a->is_ipv6) {
		memcpy(a->addr, &o->addr.in6.sin6_addr, sizeof(a->addr));
		a->any = IN6_IS_ADDR_UNSPECIFIED(&o->addr.in6.sin6_addr);
	} else {
		a->addr[10] = a->addr[11] = 0xff;
		memcpy(a->addr + 12, &o->addr.in4.sin_addr, sizeof(o->addr.in4.sin_addr));
		a->any = o->addr.in4.sin_addr.s_addr == htonl(INADDR_ANY);
	}
	ports->addrs_n = o->at + 1;
}

/* That nobody else has one of the ports, for which the program would take them from him. */
static int core_ports_free(const struct opening *o)
{
	const struct sl_conf_ports *p = &o->d->conf.kafka.core_ports;
	uint32_t n = o->d->cores_n;

	if (p->last - p->first + 1u < n) {
		snprintf(o->why, o->why_len, "%u ports are too few for %u cores",
			 p->last - p->first + 1u, n);
		return -ERANGE;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct sl_conf_addr addr = o->addr;
		char reason[200];
		int err;

		*port_of(&addr) = htons((uint16_t)(p->first + i));
		err = sl_listen_alone(&addr.sa, addr.sa_bytes, reason, sizeof(reason),
				      sl_now() + ALONE_NS);
		if (err) {
			snprintf(o->why, o->why_len, "port %u: %s", p->first + i, reason);
			return err;
		}
	}
	return 0;
}

static bool with_core_ports(const struct opening *o)
{
	return o->which == LISTENER_KAFKA && o->d->conf.kafka.core_ports.first;
}

/* ---- opening ---------------------------------------------------------------------------- */

static int open_here(void *arg, int64_t deadline)
{
	struct opening *o = arg;
	struct core_listeners *mine = &o->d->listeners[sl_core_id(sl_core_self())];
	struct open_listener *at = &mine->v[mine->n];
	struct sl_conn_limits limits = limits_of(o->d);
	struct sockaddr_storage bound;
	int err;

	(void)deadline;
	err = sl_listen(&o->addr.sa, o->addr.sa_bytes, rows[o->which].proto,
			rows[o->which].arg(o->d), o->which, &limits, &at->l, o->why, o->why_len);
	if (err)
		return err;
	sl_listener_secure(at->l, daemon_tls_take(o->d, sl_core_id(sl_core_self()), o->which));
	at->which = o->which;
	at->group = mine->groups++;
	sl_listener_steer(at->l, &o->d->steering, at->group);
	mine->n++;
	tell_limit(mine, limits.conns);
	err = sl_listener_addr(at->l, &bound);
	if (err)
		return err;
	memcpy(&o->addr, &bound, o->addr.sa_bytes);
	sl_conf_addr_format(&o->addr, at->text);
	return with_core_ports(o) ? open_core_port(o, at->l) : 0;
}

static int open_everywhere(struct opening *o)
{
	char reason[300] = "", text[SL_CONF_ADDR_TEXT];
	const char *setting = "listen";
	char *why = o->why;
	size_t why_len = o->why_len;
	int err;

	sl_conf_addr_format(&o->addr, text);
	o->why = reason;
	o->why_len = sizeof(reason);
	err = sl_listen_alone(&o->addr.sa, o->addr.sa_bytes, reason, sizeof(reason),
			      sl_now() + ALONE_NS);
	if (!err && with_core_ports(o)) {
		err = core_ports_free(o);
		setting = err ? "core_ports" : setting;
		if (sl_bpf_ports(o->d->bpf))
			map_address(o->d, o);
	}
	for (uint32_t i = 0; i < sl_cores_count(o->d->cores) && !err; i++)
		err = sl_call(sl_cores_at(o->d->cores, i), open_here, o, SL_NEVER);
	if (!err)
		sl_bpf_tcp_listens(o->d->bpf, ntohs(*port_of(&o->addr)), o->which);
	if (err)
		snprintf(why, why_len, "%s.%s = %s: %s", listener_names[o->which], setting, text,
			 reason[0] ? reason : strerror(-err));
	return err;
}

/* From now on the program maps, if it is there. */
static void open_ports(struct daemon *d)
{
	struct sl_ports *ports = sl_bpf_ports(d->bpf);
	uint32_t first = d->conf.kafka.core_ports.first;

	if (ports)
		__atomic_store_n(&ports->first, first, __ATOMIC_RELEASE);
	if (first)
		sl_log_info("core-ports.open", SL_KV(first_port, first), SL_KV(cores, d->cores_n),
			    SL_KV(mechanism, ports ? "ebpf" : "listeners"));
}

uint32_t listeners_addresses(const struct sl_conf *conf)
{
	uint32_t n = 0;

	for (int which = 0; which < LISTENER_LAST; which++)
		n += rows[which].addrs(conf)->n;
	return n;
}

int listeners_open(struct daemon *d, char *why, size_t why_len)
{
	int err = daemon_tls_load(d, why, why_len);

	if (err)
		return err;
	set_steering(d);
	d->listeners = calloc(sl_cores_count(d->cores), sizeof(*d->listeners));
	if (!d->listeners) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	for (int which = 0; which < LISTENER_LAST; which++) {
		const struct sl_conf_addrs *addrs = rows[which].addrs(&d->conf);

		for (uint32_t i = 0; i < addrs->n; i++) {
			struct opening o = {.d = d, .which = (enum listener)which, .at = i,
					    .addr = addrs->addrs[i], .why = why,
					    .why_len = why_len};

			err = open_everywhere(&o);
			if (err)
				return err;
		}
	}
	tell_steering(d);
	open_ports(d);
	return 0;
}

/* ---- while they serve ------------------------------------------------------------------- */

static int configure_here(void *arg, int64_t deadline)
{
	struct daemon *d = arg;
	struct core_listeners *mine = &d->listeners[sl_core_id(sl_core_self())];
	struct sl_conn_limits limits = limits_of(d);

	(void)deadline;
	for (uint32_t i = 0; i < mine->n; i++) {
		sl_listener_configure(mine->v[i].l, rows[mine->v[i].which].arg(d), &limits);
		sl_listener_secure(mine->v[i].l, daemon_tls_take(d, sl_core_id(sl_core_self()),
								 mine->v[i].which));
		if (mine->v[i].group != UNSTEERED)
			sl_listener_steer(mine->v[i].l, &d->steering, mine->v[i].group);
	}
	tell_limit(mine, limits.conns);
	return 0;
}

void listeners_configure(struct daemon *d)
{
	set_steering(d);
	for (uint32_t i = 0; i < sl_cores_count(d->cores); i++)
		sl_call(sl_cores_at(d->cores, i), configure_here, d, SL_NEVER);
	tell_steering(d);
}

const struct sl_proto *listener_proto(enum listener which)
{
	return rows[which].proto;
}

const char *listener_address(const struct daemon *d, enum listener which)
{
	for (uint32_t i = 0; i < d->listeners[0].n; i++)
		if (d->listeners[0].v[i].which == which)
			return d->listeners[0].v[i].text;
	return NULL;
}

/* ---- closing ---------------------------------------------------------------------------- */

/* All cores drain at once, so that the deadline is not spent by the first. */
struct closing {
	struct sl_msg msg;
	struct daemon *d;
	struct sl_core *core;
	struct sl_core *asked_by;
	struct sl_waitq *done;
	uint32_t *left;
	int64_t deadline;
};

static void closed(struct sl_msg *msg)
{
	struct closing *c = sl_container_of(msg, struct closing, msg);

	if (--*c->left == 0)
		sl_waitq_wake_all(c->done, 0);
}

static void close_here(void *arg)
{
	struct closing *c = arg;
	struct core_listeners *mine = &c->d->listeners[sl_core_id(c->core)];

	for (uint32_t i = 0; i < mine->n; i++)
		sl_listener_drain(mine->v[i].l, c->deadline);
	for (uint32_t i = 0; i < mine->n; i++)
		sl_listener_free(mine->v[i].l);
	mine->n = 0;
	c->msg.fn = closed;
	sl_post(c->asked_by, &c->msg);
}

static void close_asked(struct sl_msg *msg)
{
	struct closing *c = sl_container_of(msg, struct closing, msg);

	/* Without a fiber the listeners stay open until the process ends. */
	if (sl_fiber_start(SL_STACK_SMALL, close_here, c)) {
		c->msg.fn = closed;
		sl_post(c->asked_by, &c->msg);
	}
}

void listeners_close(struct daemon *d, int64_t deadline)
{
	uint32_t n = sl_cores_count(d->cores);
	struct closing *all;
	struct sl_waitq done;
	uint32_t left = n;

	if (!d->listeners)
		return;
	all = calloc(n, sizeof(*all));
	SL_ASSERT(all);
	sl_waitq_init(&done);
	for (uint32_t i = 0; i < n; i++) {
		all[i] = (struct closing){
			.msg.fn = close_asked,
			.d = d,
			.core = sl_cores_at(d->cores, i),
			.asked_by = sl_core_self(),
			.done = &done,
			.left = &left,
			.deadline = deadline,
		};
		sl_post(all[i].core, &all[i].msg);
	}
	while (left)
		sl_waitq_wait(&done, SL_NEVER);
	free(all);
}

void listeners_free(struct daemon *d)
{
	free(d->listeners);
	d->listeners = NULL;
}
