/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: addresses, limits, out of descriptors, draining in every state, socket faults. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/conn_pvt.h"
#include "peer.h"

#define BIT(op) (UINT64_C(1) << (op))

/* ---- addresses -------------------------------------------------------------------------- */

static void ping_some(struct peer *x)
{
	int fd[10];

	for (int i = 0; i < 10; i++) {
		fd[i] = peer_connect(x);
		peer_ping(fd[i], "hello");
	}
	for (int i = 0; i < 10; i++) {
		peer_ping(fd[i], "again");
		close(fd[i]);
	}
}

static struct sockaddr_un unix_addr(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", harness_tmpdir());
	return a;
}

TEST(a_unix_domain_socket_is_an_address)
{
	struct sockaddr_un a = unix_addr();

	peer_run(&(struct peer){
		.addr = (struct sockaddr *)&a, .addr_len = sizeof(a), .client = ping_some});
}

/* The control of congestion of the connection that asks, as its answer. */
static int answer_congestion(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	char name[16] = "";
	socklen_t name_len = sizeof(name) - 1;

	(void)body;
	(void)len;
	EXPECT_EQ(0, getsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, name, &name_len));
	return peer_echo(x, c, name, (uint32_t)strlen(name));
}

static void congestion_is(struct peer *x)
{
	struct sockaddr_in6 a = {0}; /* the port of an IPv4 address lies in the same place */
	int fd;

	memcpy(&a, x->addr, x->addr_len);
	a.sin6_port = htons(x->port);
	fd = socket(a.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&a, x->addr_len));
	peer_request(fd, "which");
	peer_expect_text(fd, x->arg);
	close(fd);
}

static void expect_congestion(const void *addr, socklen_t len, bool loopback_reno, char *expected)
{
	peer_run(&(struct peer){
		.limits = {20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 1000, 3000,
			   loopback_reno},
		.addr = addr,
		.addr_len = len,
		.answer = answer_congestion,
		.client = congestion_is,
		.arg = expected});
}

/* What the kernel gives to a socket of its own accord. */
static void default_congestion(char *ret_name, socklen_t bytes)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(ret_name, 0, bytes--);
	ASSERT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ret_name, &bytes));
	close(fd);
}

TEST(on_a_loopback_address_nothing_is_paced_if_the_setting_says_so)
{
	struct sockaddr_in any = {.sin_family = AF_INET}, loopback = any;
	char usual[16];

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	default_congestion(usual, sizeof(usual));
	expect_congestion(&loopback, sizeof(loopback), true, "reno");
	expect_congestion(&loopback, sizeof(loopback), false, usual);
	expect_congestion(&any, sizeof(any), true, usual);
}

TEST(on_a_loopback_address_of_ipv6_nothing_is_paced_either)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		SKIP(return, "no IPv6 here");
	close(fd);
	expect_congestion(&a, sizeof(a), true, "reno");
}

static int listen_twice(void *arg)
{
	struct sockaddr_un a = unix_addr();
	struct sl_conn_limits limits = {.conns = 1};
	static const struct sl_proto proto = {.name = "none"};
	struct sl_listener *l = NULL;
	char why[200] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)arg;
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, sizeof(a)));
	EXPECT_EQ(-EADDRINUSE, sl_listen((struct sockaddr *)&a, sizeof(a), &proto, NULL, 0, &limits,
					 &l, why, sizeof(why)));
	EXPECT_NULL(l);
	EXPECT_NOT_NULL(strstr(why, "another process"));
	a.sun_family = 255;
	EXPECT_EQ(-EAFNOSUPPORT, sl_listen((struct sockaddr *)&a, sizeof(a), &proto, NULL, 0,
					   &limits, &l, why, sizeof(why)));
	EXPECT_NULL(l);
	sl_listener_free(NULL);
	close(fd);
	return 0;
}

TEST(an_address_in_use_is_an_error_that_says_so)
{
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB},
				 listen_twice, NULL));
}

/* ---- limits ----------------------------------------------------------------------------- */

static void one_too_many(struct peer *x)
{
	int a = peer_connect(x), b = peer_connect(x), c;

	peer_ping(a, "one");
	peer_ping(b, "two");
	c = peer_connect(x);
	EXPECT_TRUE(peer_ends(c));
	close(c);
	peer_ping(a, "three");
	close(a);
	while (peer_metric(x, SL_M_CONNECTIONS, 0) > 1)
		usleep(1000);
	c = peer_connect(x);
	peer_ping(c, "four");
	close(b);
	close(c);
	EXPECT_EQ(1, peer_metric(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_LIMIT));
}

TEST(a_connection_too_many_is_refused)
{
	struct peer x = {.client = one_too_many};

	x.limits = (struct sl_conn_limits){
		20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 4, 2};
	peer_run(&x);
}

static void shorter_idle(struct peer *x, void *arg)
{
	struct sl_conn_limits l = x->limits;

	(void)arg;
	l.idle_ns = 50 * SL_MSEC;
	sl_listener_configure(x->l, x, &l);
}

static void configured(struct peer *x)
{
	int fd = peer_connect(x);

	peer_ping(fd, "before");
	peer_do(x, shorter_idle, NULL);
	peer_ping(fd, "from now on");
	EXPECT_TRUE(peer_ends(fd));
	close(fd);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_IDLE, 1));
}

TEST(limits_may_change_while_connected)
{
	peer_run(&(struct peer){.client = configured});
}

/* ---- out of descriptors ----------------------------------------------------------------- */

static void set_nth(struct peer *x, void *arg)
{
	((struct sl_faults *)x->arg)->nth = *(uint64_t *)arg;
	__atomic_store_n(&((struct sl_faults *)x->arg)->count, 0, __ATOMIC_RELAXED);
}

static void refused_for_a_while(struct peer *x)
{
	struct sl_faults *f = x->arg;
	int fd = peer_connect(x);

	peer_request(fd, "patience");
	EXPECT_TRUE(peer_silent(fd, 350));
	EXPECT_LE(2, __atomic_load_n(&f->count, __ATOMIC_RELAXED));
	EXPECT_GE(6, __atomic_load_n(&f->count, __ATOMIC_RELAXED)); /* it does not spin */
	peer_do(x, set_nth, &(uint64_t){0});
	peer_expect_text(fd, "patience");
	close(fd);
}

TEST(accepting_backs_off_and_recovers)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_ACCEPT);
	f.nth = 1;
	f.err = EMFILE;
	f.sticky = true;
	peer_run(&(struct peer){.client = refused_for_a_while, .backend = &f.backend, .arg = &f});
}

/* An accept keeps to the limit that held when it was begun. */
static void few_descriptors(struct peer *x)
{
	struct rlimit few;

	(void)x;
	getrlimit(RLIMIT_NOFILE, &few);
	few.rlim_cur = 64;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
}

static void no_descriptors(struct peer *x)
{
	int fd = peer_connect(x), other = socket(AF_INET, SOCK_STREAM, 0);
	int taken[64], n = 0;

	peer_ping(fd, "one");
	while (n < 64 && (taken[n] = dup(0)) >= 0)
		n++;
	EXPECT_EQ(EMFILE, errno);
	peer_connect_with(x, other);
	peer_request(other, "two");
	EXPECT_TRUE(peer_silent(other, 150));
	peer_ping(fd, "three");
	while (n)
		close(taken[--n]);
	peer_expect_text(other, "two");
	close(fd);
	close(other);
}

TEST(a_process_out_of_descriptors_goes_on)
{
	peer_run(&(struct peer){.start = few_descriptors, .client = no_descriptors});
}

/* Who keeps descriptors on the core; closes one each time. */
struct keeper {
	struct sl_shedder shedder;
	int fds[64];
	uint32_t n, calls;
};

static bool shed_one(struct sl_shedder *shedder)
{
	struct keeper *k = sl_container_of(shedder, struct keeper, shedder);

	k->calls++;
	if (!k->n)
		return false;
	close(k->fds[--k->n]);
	return true;
}

static void keep_descriptors(struct peer *x)
{
	struct keeper *k = x->arg;

	few_descriptors(x);
	k->shedder.shed = shed_one;
	sl_shedder_add(&k->shedder);
}

static void stop_keeping(struct peer *x)
{
	sl_list_remove(&((struct keeper *)x->arg)->shedder.node);
}

/* All that are left but one, which is the client's. */
static void take_descriptors(struct peer *x, void *arg)
{
	struct keeper *k = x->arg;

	(void)arg;
	while (k->n < SL_ARRAY_SIZE(k->fds) && (k->fds[k->n] = dup(0)) >= 0)
		k->n++;
	EXPECT_EQ(EMFILE, errno);
	close(k->fds[--k->n]);
}

static void look_at_keeper(struct peer *x, void *ret_keeper)
{
	*(struct keeper *)ret_keeper = *(struct keeper *)x->arg;
}

static void room_is_made(struct peer *x)
{
	struct keeper before, after;
	int fd;

	peer_do(x, take_descriptors, NULL);
	peer_do(x, look_at_keeper, &before);
	fd = peer_connect(x);
	peer_ping(fd, "one");
	peer_do(x, look_at_keeper, &after);
	/* A multishot accept wants another one for the connection that may come next. */
	EXPECT_LE(1, after.calls);
	EXPECT_GE(2, after.calls);
	EXPECT_EQ(before.n - after.calls, after.n);
	EXPECT_EQ(1, peer_metric(x, SL_M_CONNECTIONS_TOTAL, 0));
	close(fd);
}

TEST(what_is_kept_makes_room_for_a_connection)
{
	struct keeper k = {.n = 0};

	peer_run(&(struct peer){.start = keep_descriptors, .client = room_is_made,
				.end = stop_keeping, .arg = &k});
}

/* ---- draining --------------------------------------------------------------------------- */

/* The accept has failed, and its failure is not told yet, when the listener drains. */
static int drain_at_once(void *arg)
{
	struct sockaddr_un a = unix_addr();
	struct sl_conn_limits limits = {.conns = 10};
	static const struct sl_proto proto = {.name = "none"};
	struct sl_listener *l;
	char why[200];

	(void)arg;
	ASSERT_EQ(0, sl_listen((struct sockaddr *)&a, sizeof(a), &proto, NULL, 0, &limits, &l, why,
			       sizeof(why)));
	sl_listener_drain(l, sl_now() + SL_SEC);
	sl_listener_free(l);
	return 0;
}

TEST(a_listener_whose_accept_fails_drains)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_ACCEPT);
	f.nth = 1;
	f.err = EMFILE;
	f.sticky = true;
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB,
							 .backend = &f.backend},
				 drain_at_once, NULL));
}

struct states {
	int fd[10];
	int n;
	struct sl_waitq q;
	int begun; /* atomic: requests */
	int wait_res;
	int64_t asked_at;
};

static void states_start(struct peer *x)
{
	sl_waitq_init(&((struct states *)x->arg)->q);
}

/* "file": all of it. "last": an echo, and the connection's end. */
static int answer_file(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;

	if (!strcmp(body, "file")) {
		r = peer_reply(c, 1, 0, PEER_FILE_BYTES, "", 0);
		peer_add_extent(x, r, 0, PEER_FILE_BYTES);
		return sl_deliver(r, SL_NEVER);
	}
	if (!strcmp(body, "last")) {
		r = peer_reply(c, 0, 0, len, body, len);
		r->close = true;
		return sl_deliver(r, SL_NEVER);
	}
	return peer_echo(x, c, body, len);
}

/*
 * "wait": until something ends it. "slow": until after draining has begun. "body": reads what
 * never comes.
 */
static int answer_states(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct states *s = x->arg;
	const uint8_t *p;

	__atomic_fetch_add(&s->begun, 1, __ATOMIC_RELEASE);
	if (!strcmp(body, "wait")) {
		s->wait_res = sl_conn_wait(c, &s->q, SL_NEVER);
		EXPECT_TRUE(sl_conn_ending(c));
	} else if (!strcmp(body, "slow")) {
		while (!sl_conn_ending(c))
			sl_sleep(sl_now() + SL_MSEC);
		sl_sleep(sl_now() + 10 * SL_MSEC);
	} else if (!strcmp(body, "body")) {
		return sl_conn_peek(c, 100, &p, SL_NEVER);
	}
	return answer_file(x, c, body, len);
}

static void every_state(struct peer *x)
{
	static const char *const requests[] = {"idle", "wait", "slow", "body", "file", "last"};
	struct states *s = x->arg;

	for (size_t i = 0; i < SL_ARRAY_SIZE(requests); i++) {
		s->fd[s->n] = peer_connect(x);
		peer_request(s->fd[s->n++], requests[i]);
	}
	peer_expect_text(s->fd[0], "idle");
	peer_expect_text(s->fd[5], "last");
	s->fd[s->n] = peer_connect(x); /* half a request */
	peer_send(s->fd[s->n++], "\0\0", 2);
	s->fd[s->n++] = peer_connect(x); /* nothing at all */
	while (__atomic_load_n(&s->begun, __ATOMIC_ACQUIRE) < (int)SL_ARRAY_SIZE(requests) ||
	       peer_metric(x, SL_M_CONNECTIONS, 0) < (uint64_t)s->n)
		usleep(1000);
	s->asked_at = sl_clock_ns();
}

static void every_state_ended(struct peer *x)
{
	struct states *s = x->arg;

	/* By the deadline of draining, for the limits of the connections are 20 s. */
	EXPECT_GT(15 * SL_SEC * harness_time_scale(), sl_clock_ns() - s->asked_at);
	EXPECT_EQ(-ECONNRESET, s->wait_res);
	peer_expect_text(s->fd[1], "wait");
	peer_expect_text(s->fd[2], "slow");
	for (int i = 0; i < s->n; i++) {
		EXPECT_TRUE(peer_ends_after_all(s->fd[i]));
		close(s->fd[i]);
	}
	EXPECT_EQ(s->n, x->closed);
}

TEST(draining_ends_connections_in_every_state)
{
	struct states s = {0};
	struct peer x = {.answer = answer_states,
			 .client = every_state,
			 .start = states_start,
			 .end = every_state_ended,
			 .arg = &s,
			 .drain_ns = 3 * SL_SEC * harness_time_scale()};

	peer_run(&x);
}

/* A fiber that is woken by what it waits for and by the end of its connection in one turn. */
struct meeting {
	struct sl_waitq q;
	int stage;
	int res;
};

static void meeting_start(struct peer *x)
{
	sl_waitq_init(&((struct meeting *)x->arg)->q);
}

static int answer_meeting(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct meeting *m = x->arg;

	if (!strcmp(body, "wait")) {
		__atomic_store_n(&m->stage, 1, __ATOMIC_RELEASE);
		m->res = sl_conn_wait(c, &m->q, SL_NEVER);
	} else if (!strcmp(body, "wake")) {
		__atomic_store_n(&m->stage, 2, __ATOMIC_RELEASE);
		while (__atomic_load_n(&m->stage, __ATOMIC_ACQUIRE) != 3)
			continue;
		EXPECT_EQ(1, sl_waitq_wake_one(&m->q, 77));
	}
	return peer_echo(x, c, body, len);
}

static void meet(struct peer *x)
{
	struct meeting *m = x->arg;
	int waits = peer_connect(x), wakes = peer_connect(x);

	peer_request(waits, "wait");
	while (__atomic_load_n(&m->stage, __ATOMIC_ACQUIRE) != 1)
		usleep(100);
	usleep(2000);
	peer_request(wakes, "wake");
	while (__atomic_load_n(&m->stage, __ATOMIC_ACQUIRE) != 2)
		usleep(100);
	close(waits);
	usleep(2000);
	__atomic_store_n(&m->stage, 3, __ATOMIC_RELEASE);
	peer_expect_text(wakes, "wake");
	close(wakes);
}

TEST(a_wake_up_and_the_connections_end_may_fall_into_one_turn)
{
	struct meeting m = {0};
	struct peer x = {
		.answer = answer_meeting, .client = meet, .start = meeting_start, .arg = &m};

	peer_run(&x);
	EXPECT_EQ(77, m.res);
}

/* ---- faults of sockets ------------------------------------------------------------------ */

FIXTURE(socket_faults)
{
	struct sl_faults f;
};

FIXTURE_VARIANT(socket_faults)
{
	int err;
};

FIXTURE_VARIANT_ADD(socket_faults, reset){.err = ECONNRESET};
FIXTURE_VARIANT_ADD(socket_faults, no_memory){.err = ENOMEM};
FIXTURE_VARIANT_ADD(socket_faults, io_error){.err = EIO};
FIXTURE_VARIANT_ADD(socket_faults, cut_short){.err = 0};

FIXTURE_SETUP(socket_faults)
{
	sl_faults_init(&self->f, NULL);
	self->f.ops = sl_ops_socket_mask() | BIT(SL_OP_POLL);
	self->f.err = variant->err;
}

FIXTURE_TEARDOWN(socket_faults)
{
}

/* Takes what comes until @want bytes, the end, or a second without any. */
static size_t take(int fd, size_t want)
{
	static __thread uint8_t drop[65536];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t sum = 0;

	while (sum < want && poll(&p, 1, 1000 * harness_time_scale()) == 1) {
		ssize_t n = recv(fd, drop, sizeof(drop), 0);

		if (n <= 0)
			break;
		sum += (size_t)n;
	}
	return sum;
}

/* Echoes, a file, and the end, of which the nth call fails; the others notice nothing. */
static void each_call_fails(struct peer *x)
{
	struct sl_faults *f = x->arg;
	int bystander = peer_connect(x);
	uint64_t n = 1, made;

	do {
		int fd;

		peer_ping(bystander, "before");
		peer_do(x, set_nth, &n);
		fd = peer_connect(x);
		peer_request(fd, "one");
		if (take(fd, 7) == 7) {
			peer_request(fd, "file");
			if (take(fd, 4 + PEER_FILE_BYTES) == 4 + PEER_FILE_BYTES)
				peer_request(fd, "last");
			take(fd, 8);
		}
		close(fd);
		usleep(2000);
		made = __atomic_load_n(&f->count, __ATOMIC_RELAXED);
		peer_do(x, set_nth, &(uint64_t){0});
		peer_ping(bystander, "after");
		fd = peer_connect(x);
		peer_ping(fd, "another");
		close(fd);
	} while (n++ < made && n < 60);
	EXPECT_LT(5, n);
	close(bystander);
}

TEST_F_TIMEOUT(socket_faults, harm_one_connection_at_most, 120)
{
	struct peer x = {.client = each_call_fails,
			 .answer = answer_file,
			 .backend = &self->f.backend,
			 .arg = &self->f};

	peer_run(&x);
}

TEST_HARNESS_MAIN
