// SPDX-License-Identifier: Apache-2.0
/* Moves: nothing is lost on the way, and ends and drains may come at any moment. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "certs.h"
#include "dataplane/conn_pvt.h"
#include "dataplane/dataplane.h"
#include "harness.h"

enum { CORES = 2, PIPELINED = 20000 };

/*
 * Each byte is a request, answered by the core's number. 'm' asks for a move to the other core, 's'
 * takes a while, 'h' is answered a while later, by a hold.
 */
static struct sl_core *other(void)
{
	struct sl_core *self = sl_core_self();

	return sl_cores_at(sl_core_cores(self), 1 - sl_core_id(self));
}

struct later {
	struct sl_timer timer;
	struct sl_hold *hold;
};

static void later_due(struct sl_timer *timer)
{
	struct later *l = sl_container_of(timer, struct later, timer);

	sl_hold_settle(l->hold, 0);
	free(l);
}

static void hold_for_a_while(struct sl_reply *r)
{
	struct later *l = calloc(1, sizeof(*l));

	ASSERT_NOT_NULL(l);
	l->hold = sl_reply_hold(r, NULL, NULL);
	sl_timer_init(&l->timer, later_due);
	ASSERT_EQ(0, sl_timer_set(&l->timer, sl_now() + 5 * SL_MSEC));
}

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	return 1;
}

static int serve(struct sl_conn *c)
{
	uint64_t *served = sl_conn_state(c);
	const uint8_t *p;
	struct sl_reply *r;
	uint8_t what;
	int err = sl_conn_peek(c, 1, &p, SL_NEVER);

	if (err)
		return err;
	what = *p;
	sl_conn_skip(c, 1);
	r = sl_reply_new(c, 1, 1, 1);
	if (!r)
		return -ENOMEM;
	r->bytes[0] = (uint8_t)sl_core_id(sl_conn_core(c));
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 1)));
	++*served;
	if (what == 's')
		sl_sleep(sl_now() + 5 * SL_MSEC);
	if (what == 'h')
		hold_for_a_while(r);
	if (what == 'm')
		sl_conn_move(c, other());
	return sl_deliver(r, SL_NEVER);
}

static uint64_t closed_served; /* requests of connections that ended, of both cores */
static uint32_t closed_conns;

static void closed(struct sl_conn *c)
{
	__atomic_fetch_add(&closed_served, *(uint64_t *)sl_conn_state(c), __ATOMIC_RELAXED);
	__atomic_fetch_add(&closed_conns, 1, __ATOMIC_RELAXED);
}

static const struct sl_proto proto = {.name = "move",
				      .stack = SL_STACK_SMALL,
				      .conn_bytes = sizeof(uint64_t),
				      .need = need,
				      .serve = serve,
				      .closed = closed};

/* ---- the server --------------------------------------------------------------------------- */

FIXTURE(move)
{
	struct sl_cores *cores;
	struct sl_listener *l[CORES];
	uint16_t port; /* of core 0's; core 1 listens elsewhere */
	bool drained;
	struct sl_tls_conf tls;
};

struct errand {
	struct sl_msg msg;
	FIXTURE_DATA(move) *self;
	void (*fn)(FIXTURE_DATA(move) *self);
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

static void on_every_core(FIXTURE_DATA(move) *self, void (*fn)(FIXTURE_DATA(move) *self))
{
	struct errand e[CORES];

	for (uint32_t i = 0; i < CORES; i++) {
		e[i] = (struct errand){.msg.fn = errand_begins, .self = self, .fn = fn};
		sem_init(&e[i].done, 0, 0);
		sl_post(sl_cores_at(self->cores, i), &e[i].msg);
	}
	for (uint32_t i = 0; i < CORES; i++) {
		while (sem_wait(&e[i].done))
			continue;
		sem_destroy(&e[i].done);
	}
}

static int start(struct sl_core *core, void *arg)
{
	return 0;
}

static void listen_here(FIXTURE_DATA(move) *self)
{
	const struct sl_conn_limits limits = {.memory_bytes = SL_MIB, .ahead_bytes = 4096,
					      .replies = 16, .conns = 1000};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint32_t i = sl_core_id(sl_core_self());
	struct sockaddr_storage bound;
	char why[200] = "";

	ASSERT_EQ(0, sl_listen((struct sockaddr *)&a, sizeof(a), &proto, NULL, 0, &limits,
			       &self->l[i], why, sizeof(why)));
	ASSERT_EQ(0, sl_listener_addr(self->l[i], &bound));
	if (!i)
		self->port = ((struct sockaddr_in *)&bound)->sin_port;
}

static void drain_here(FIXTURE_DATA(move) *self)
{
	struct sl_listener *l = self->l[sl_core_id(sl_core_self())];

	sl_listener_drain(l, sl_now() + SL_SEC);
	sl_listener_free(l);
}

static void drain(FIXTURE_DATA(move) *self)
{
	if (!self->drained)
		on_every_core(self, drain_here);
	self->drained = true;
}

FIXTURE_SETUP(move)
{
	struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 16 * SL_MIB, .rx_buffers = 16};
	char why[300];

	ASSERT_EQ(0, sl_cores_start(&conf, start, NULL, &self->cores, why, sizeof(why)));
	on_every_core(self, listen_here);
}

static void expect_no_memory(FIXTURE_DATA(move) *self)
{
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
}

FIXTURE_TEARDOWN(move)
{
	drain(self);
	on_every_core(self, expect_no_memory);
	sl_cores_stop(self->cores);
	sl_cores_join(self->cores);
}

/* ---- clients ------------------------------------------------------------------------------ */

static int connect_here(const FIXTURE_DATA(move) *self)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = self->port,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, sizeof(to)));
	return fd;
}

static int ask(int fd, char what)
{
	uint8_t core = 'x';

	ASSERT_EQ(1, send(fd, &what, 1, MSG_NOSIGNAL));
	ASSERT_EQ(1, recv(fd, &core, 1, 0));
	return core;
}

TEST_F(move, the_next_request_is_served_there)
{
	int fd = connect_here(self);

	EXPECT_EQ(0, ask(fd, '?'));
	EXPECT_EQ(0, ask(fd, 'm'));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(1, ask(fd, '?'));
	close(fd);
}

TEST_F(move, there_is_no_second_move)
{
	int fd = connect_here(self);

	EXPECT_EQ(0, ask(fd, 'm'));
	EXPECT_EQ(1, ask(fd, 'm'));
	EXPECT_EQ(1, ask(fd, 'm'));
	EXPECT_EQ(1, ask(fd, '?'));
	close(fd);
}

struct sending {
	int fd;
	const char *bytes;
	size_t n;
};

static void *send_all(void *arg)
{
	struct sending *s = arg;

	for (size_t done = 0; done < s->n;) {
		ssize_t n = send(s->fd, s->bytes + done, s->n - done, MSG_NOSIGNAL);

		ASSERT_LT(0, n);
		done += (size_t)n;
	}
	return NULL;
}

/* @bytes at once, of which @move_at asks for the move: all are answered, each by its core. */
static void expect_pipelined(FIXTURE_DATA(move) *self, const char *bytes, size_t n, size_t move_at)
{
	struct sending s = {.fd = connect_here(self), .bytes = bytes, .n = n};
	uint8_t *back = malloc(n);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, send_all, &s));
	ASSERT_EQ((ssize_t)n, recv(s.fd, back, n, MSG_WAITALL));
	pthread_join(thread, NULL);
	for (size_t i = 0; i < n; i++)
		if (!EXPECT_EQ(i <= move_at ? 0 : 1, back[i]))
			break;
	close(s.fd);
	free(back);
}

TEST_F(move, bytes_buffered_ahead_are_not_lost)
{
	char *bytes = malloc(PIPELINED);
	size_t move_at = harness_random() % (PIPELINED / 2);

	memset(bytes, '?', PIPELINED);
	bytes[move_at] = 'm';
	expect_pipelined(self, bytes, PIPELINED, move_at);
	expect_pipelined(self, "m?", 2, 0);
	expect_pipelined(self, "sms?", 4, 1);
	free(bytes);
}

TEST_F(move, replies_on_hold_leave_first)
{
	expect_pipelined(self, "hhhm??", 6, 3);
	expect_pipelined(self, "hmhhs?", 6, 1);
}

static void secure_here(FIXTURE_DATA(move) *self)
{
	struct sl_tls *tls;
	char why[300];

	ASSERT_EQ(0, sl_tls_server_new(&self->tls, &tls, why, sizeof(why), SL_NEVER));
	sl_listener_secure(self->l[sl_core_id(sl_core_self())], tls);
}

/* Says @bytes, which end in the middle of a record, then that record's rest. */
static void say_in_two(SSL *ssl, int fd, const char *bytes, int n)
{
	char *sealed = malloc((size_t)n + 1000);
	BIO *out = BIO_new(BIO_s_mem());
	int len;

	ASSERT_TRUE(sealed && out);
	SSL_set0_wbio(ssl, out);
	ASSERT_EQ(n, SSL_write(ssl, bytes, n));
	ASSERT_EQ(1, SSL_write(ssl, "?", 1));
	len = BIO_read(out, sealed, n + 1000);
	ASSERT_LT(n + 1, len);
	ASSERT_EQ(len - 5, send(fd, sealed, (size_t)len - 5, MSG_NOSIGNAL));
	usleep((useconds_t)(harness_random() % 3000));
	ASSERT_EQ(5, send(fd, sealed + len - 5, 5, MSG_NOSIGNAL));
	free(sealed);
}

static void expect_cores(SSL *ssl, int n, int move_at)
{
	uint8_t core;

	for (int i = 0; i < n; i++) {
		ASSERT_EQ(1, SSL_read(ssl, &core, 1));
		if (!EXPECT_EQ(i <= move_at ? 0 : 1, core))
			break;
	}
}

/* What is encrypted goes on there, whatever of it was received, decrypted or neither. */
TEST_F(move, takes_tls_along)
{
	enum { ROUNDS = 10, REQUESTS = 2000 };
	struct certs certs;
	char bytes[REQUESTS];
	SSL_CTX *client;

	certs_make(&certs, false);
	client = certs_client(&certs, false);
	self->tls = (struct sl_tls_conf){.certificate = certs.server, .key = certs.server_key};
	on_every_core(self, secure_here);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = connect_here(self), move_at = (int)(harness_random() % REQUESTS);
		SSL *ssl = certs_shake(client, fd);

		ASSERT_NOT_NULL(ssl);
		memset(bytes, '?', REQUESTS);
		bytes[harness_random() % REQUESTS] = move_at % 2 ? 's' : 'h';
		bytes[move_at] = 'm';
		say_in_two(ssl, fd, bytes, REQUESTS);
		expect_cores(ssl, REQUESTS + 1, move_at);
		SSL_free(ssl);
		close(fd);
	}
	SSL_CTX_free(client);
}

static uint32_t closed_now(void)
{
	return __atomic_load_n(&closed_conns, __ATOMIC_RELAXED);
}

/* A client that ends at any moment of a move; what became of its connection is told once. */
TEST_F(move, the_peer_may_end_meanwhile)
{
	static const char *const requests[] = {"m", "hm", "m?", "hm??", "sm", "m?s", "mh", "?"};
	enum { ROUNDS = 20 };
	uint32_t n = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < SL_ARRAY_SIZE(requests); i++, n++) {
			int fd = connect_here(self);
			size_t len = strlen(requests[i]);

			ASSERT_EQ((ssize_t)len, send(fd, requests[i], len, MSG_NOSIGNAL));
			if (round % 3 == 1)
				usleep((useconds_t)(harness_random() % 7000));
			if (round % 3 == 2)
				shutdown(fd, SHUT_WR);
			close(fd);
		}
	}
	/* What is still queued in the kernel when draining begins would be no connection at all. */
	for (int i = 0; i < 4000 * harness_time_scale() && closed_now() < n; i++)
		usleep(5000);
	EXPECT_EQ(n, closed_now());
	drain(self);
	EXPECT_EQ(n, closed_now());
}

TEST_F(move, draining_may_come_meanwhile)
{
	enum { CONNS = 40 };
	int fd[CONNS];

	for (int i = 0; i < CONNS; i++) {
		fd[i] = connect_here(self);
		EXPECT_EQ(0, ask(fd[i], '?'));
	}
	for (int i = 0; i < CONNS; i++)
		ASSERT_EQ(3, send(fd[i], i % 3 ? "m??" : "hm?", 3, MSG_NOSIGNAL));
	drain(self);
	EXPECT_EQ(CONNS, closed_conns);
	for (int i = 0; i < CONNS; i++)
		close(fd[i]);
}

/* Moves in both directions at once, by clients that go on asking. */
static void *client(void *arg)
{
	FIXTURE_DATA(move) *self = arg;

	for (int i = 0; i < 50; i++) {
		int fd = connect_here(self);

		ASSERT_EQ(0, ask(fd, '?'));
		ASSERT_EQ(0, ask(fd, 'm'));
		ASSERT_EQ(1, ask(fd, '?'));
		ASSERT_EQ(1, ask(fd, 'h'));
		close(fd);
	}
	return NULL;
}

TEST_F(move, many_move_at_once)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, client, self));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	drain(self);
	EXPECT_EQ(200, closed_conns);
	EXPECT_EQ(800, closed_served);
}

TEST_HARNESS_MAIN
