/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections against a protocol of lengths: a request is a 4-byte length and a body; the reply
 * echoes the body, as one slice, or, for a body "file:N", N bytes of a file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "dataplane/dataplane.h"
#include "harness.h"

/* ---- the protocol ----------------------------------------------------------------------- */

struct server {
	struct sl_conn_limits limits;
	struct sl_listener *l;
	struct sl_core *core;
	struct sl_file file;
	struct sl_order order; /* requests "hold" wait for its point 1, "lost" for its loss */
	uint16_t port;
	int stop_pipe[2];
	int closed;
};

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	uint32_t len;

	(void)c;
	if (have < 4)
		return 4;
	len = sl_load_be32(p);
	if (len > 64 << 20)
		return -EMSGSIZE;
	return len <= 2048 ? len + 4 : 4;
}

static void note_lost(struct sl_hold *h, int err)
{
	h->reply->bytes[4] = (uint8_t)-err;
}

static int reply_held(struct sl_conn *c, const char *what)
{
	struct server *s = sl_conn_arg(c);
	struct sl_reply *r = sl_reply_new(c, 1, 1, 5);
	struct sl_hold *h = sl_reply_hold(r, note_lost, NULL);

	sl_store_be32(r->bytes, 1);
	r->bytes[4] = what[0] == 'h' ? 'H' : 'L';
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 5)));
	if (sl_order_add(&s->order, &h->commit, what[0] == 'h' ? 1 : 2))
		sl_hold_settle(h, h->commit.res);
	return sl_deliver(r, SL_NEVER);
}

static int reply_file(struct sl_conn *c, uint64_t n)
{
	struct server *s = sl_conn_arg(c);
	struct sl_reply *r = sl_reply_new(c, 2, 0, 4);

	if (!r)
		return -ENOMEM;
	sl_store_be32(r->bytes, (uint32_t)n);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 4)));
	sl_file_retain(&s->file);
	sl_reply_add(r, sl_part_extent((struct sl_extent){&s->file, 0, n}));
	return sl_deliver(r, SL_NEVER);
}

static int serve(struct sl_conn *c)
{
	struct sl_reply *r;
	const uint8_t *p;
	uint32_t len;
	int err = sl_conn_peek(c, 4, &p, sl_conn_read_deadline(c));

	if (err)
		return err;
	len = sl_load_be32(p);
	if (len <= 2048) {
		err = sl_conn_peek(c, len + 4, &p, sl_conn_read_deadline(c));
		if (err)
			return err;
		if (len == 4 && (!memcmp(p + 4, "hold", 4) || !memcmp(p + 4, "lost", 4))) {
			char what[4];

			memcpy(what, p + 4, 4);
			sl_conn_skip(c, len + 4);
			return reply_held(c, what);
		}
		if (len > 5 && !memcmp(p + 4, "file:", 5)) {
			char text[32] = "";

			memcpy(text, p + 9, sl_min((size_t)len - 5, sizeof(text) - 1));
			sl_conn_skip(c, len + 4);
			return reply_file(c, strtoull(text, NULL, 10));
		}
	}
	sl_conn_skip(c, 4);
	r = sl_reply_new(c, 1, 0, len + 4);
	if (!r)
		return -ENOMEM;
	sl_store_be32(r->bytes, len);
	for (uint32_t done = 0; done < len;) {
		uint32_t n = sl_min(len - done, 256u << 10);

		err = sl_conn_read_all(c, r->bytes + 4 + done, n, sl_conn_read_deadline(c));
		if (err) {
			sl_reply_free(r);
			return err;
		}
		done += n;
	}
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, len + 4)));
	return sl_deliver(r, SL_NEVER);
}

static void closed(struct sl_conn *c)
{
	__atomic_fetch_add(&((struct server *)sl_conn_arg(c))->closed, 1, __ATOMIC_RELEASE);
}

static const struct sl_proto echo = {
	.name = "echo", .stack = SL_STACK_SMALL, .need = need, .serve = serve, .closed = closed,
};

/* ---- the server and its clients --------------------------------------------------------- */

static void file_gone(struct sl_file *f)
{
	close(f->fd);
}

struct session {
	struct server s;
	void (*client)(struct session *x, int fd);
};

static int connect_to(const struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

static void *client_thread(void *arg)
{
	struct session *x = arg;
	int fd = connect_to(&x->s);

	x->client(x, fd);
	close(fd);
	ASSERT_EQ(1, write(x->s.stop_pipe[1], "x", 1));
	return NULL;
}

static int run_server(void *arg)
{
	struct session *x = arg;
	struct server *s = &x->s;
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct sockaddr_storage bound;
	char why[100] = "", path[256];
	pthread_t thread;
	struct sl_io io;
	int fd;

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	for (int i = 0; i < 8 << 20; i += 4096) {
		uint8_t block[4096];

		for (int k = 0; k < 4096; k++)
			block[k] = (uint8_t)((i + k) * 2654435761u >> 13);
		ASSERT_EQ(4096, write(fd, block, 4096));
	}
	ASSERT_EQ(0, sl_file_init(&s->file, fd, file_gone));
	sl_order_init(&s->order, 0);
	s->core = sl_core_self();
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, sl_listen((struct sockaddr *)&a, sizeof(a), &echo, s, 0, &s->limits, &s->l,
			       why, sizeof(why)));
	ASSERT_EQ(0, sl_listener_addr(s->l, &bound));
	s->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	ASSERT_EQ(0, pipe(s->stop_pipe));
	ASSERT_EQ(0, pthread_create(&thread, NULL, client_thread, x));
	sl_io_poll(&io, s->stop_pipe[0], POLLIN, 0);
	sl_await(&io, SL_NEVER);
	sl_listener_drain(s->l, sl_now() + SL_SEC);
	sl_listener_free(s->l);
	sl_order_fail(&s->order, -EIO);
	pthread_join(thread, NULL);
	sl_file_release(&s->file);
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
	return 0;
}

static void serve_client(void (*client)(struct session *x, int fd),
			 const struct sl_conn_limits *limits)
{
	struct session x = {
		.client = client,
		.s.limits = limits ? *limits
				   : (struct sl_conn_limits){10 * SL_SEC, 5 * SL_SEC, 5 * SL_SEC,
							     SL_MIB, 64 << 10, 64, 3000},
	};

	x.s.limits.idle_ns *= harness_time_scale();
	x.s.limits.header_ns *= harness_time_scale();
	x.s.limits.write_ns *= harness_time_scale();
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 256 * SL_MIB},
				 run_server, &x));
}

static void send_all(int fd, const void *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		ASSERT_LT(0, w);
		p = (const uint8_t *)p + w;
		n -= (size_t)w;
	}
}

static void recv_all(int fd, void *p, size_t n)
{
	if (n)
		ASSERT_EQ((ssize_t)n, recv(fd, p, n, MSG_WAITALL));
}

static void request(int fd, const void *body, uint32_t len)
{
	uint8_t head[4];

	sl_store_be32(head, len);
	send_all(fd, head, 4);
	send_all(fd, body, len);
}

static void expect_echo(int fd, const void *body, uint32_t len)
{
	uint8_t head[4], *back = malloc(len + 1);

	recv_all(fd, head, 4);
	ASSERT_EQ(len, sl_load_be32(head));
	recv_all(fd, back, len);
	EXPECT_TRUE(!memcmp(body, back, len));
	free(back);
}

/* Whether the peer ends the connection within @ms; what it still sends is dropped. */
static bool ends_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char drop[4096];

	while (poll(&p, 1, ms) == 1) {
		if (recv(fd, drop, sizeof(drop), 0) <= 0)
			return true;
	}
	return false;
}

/* ---- requests --------------------------------------------------------------------------- */

static void sizes(struct session *x, int fd)
{
	static const uint32_t lens[] = {0, 1, 100, 2048, 2049, 4092, 5000, 70000, 300000, 3000000,
					1, 200000, 17};
	uint8_t *body = malloc(3000000);

	(void)x;
	for (uint32_t i = 0; i < 3000000; i++)
		body[i] = (uint8_t)harness_random();
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < SL_ARRAY_SIZE(lens); i++) {
			request(fd, body + i, lens[i] - (lens[i] > 100 ? i : 0));
			expect_echo(fd, body + i, lens[i] - (lens[i] > 100 ? i : 0));
		}
	free(body);
}

TEST(requests_of_every_size_are_echoed)
{
	serve_client(sizes, NULL);
}

static void bytewise(struct session *x, int fd)
{
	uint8_t msg[104];

	(void)x;
	sl_store_be32(msg, 100);
	memset(msg + 4, 'b', 100);
	for (int i = 0; i < 104; i++) {
		send_all(fd, msg + i, 1);
		if (i % 10 == 0)
			usleep(500);
	}
	expect_echo(fd, msg + 4, 100);
}

TEST(a_request_may_come_byte_by_byte)
{
	serve_client(bytewise, NULL);
}

static void pipelined(struct session *x, int fd)
{
	char body[1500];

	(void)x;
	for (int i = 0; i < 500; i++) {
		memset(body, i, sizeof(body));
		request(fd, body, (uint32_t)(i * 3));
	}
	for (int i = 0; i < 500; i++) {
		memset(body, i, sizeof(body));
		expect_echo(fd, body, (uint32_t)(i * 3));
	}
}

TEST(pipelined_requests_are_answered_in_order)
{
	serve_client(pipelined, NULL);
}

static void file_extents(struct session *x, int fd)
{
	static const uint32_t lens[] = {1, 4096, 16384, 16385, 65536, 1 << 20, 8 << 20};
	uint8_t *want = malloc(8 << 20);
	char name[32];

	ASSERT_EQ(8 << 20, pread(x->s.file.fd, want, 8 << 20, 0));
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < SL_ARRAY_SIZE(lens); i++) {
			snprintf(name, sizeof(name), "file:%u", lens[i]);
			request(fd, name, (uint32_t)strlen(name));
			expect_echo(fd, want, lens[i]);
		}
	free(want);
}

TEST(extents_arrive_whole_whatever_their_size)
{
	serve_client(file_extents, NULL);
}

/* ---- holds ------------------------------------------------------------------------------ */

struct nudge {
	struct sl_msg msg;
	struct server *s;
	bool fail;
};

static void nudged(struct sl_msg *msg)
{
	struct nudge *n = sl_container_of(msg, struct nudge, msg);

	if (n->fail)
		sl_order_fail(&n->s->order, -EIO);
	else
		sl_order_advance(&n->s->order, 1);
	free(n);
}

static void nudge(struct session *x, bool fail)
{
	struct nudge *n = malloc(sizeof(*n));

	*n = (struct nudge){.msg.fn = nudged, .s = &x->s, .fail = fail};
	sl_post(x->s.core, &n->msg);
}

static void held(struct session *x, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t got[5];

	request(fd, "hold", 4);
	request(fd, "lost", 4);
	request(fd, "after", 5);
	EXPECT_EQ(0, poll(&p, 1, 50));
	nudge(x, false);
	recv_all(fd, got, 5);
	EXPECT_EQ('H', got[4]);
	EXPECT_EQ(0, poll(&p, 1, 50));
	nudge(x, true);
	recv_all(fd, got, 5);
	EXPECT_EQ(EIO, got[4]);
	expect_echo(fd, "after", 5);
}

TEST(replies_wait_for_their_commit_and_keep_their_order)
{
	serve_client(held, NULL);
}

static void held_and_gone(struct session *x, int fd)
{
	int second = connect_to(&x->s);

	request(second, "hold", 4);
	request(fd, "ping", 4);
	expect_echo(fd, "ping", 4);
	close(second);
	usleep(20000);
	nudge(x, false);
	request(fd, "pong", 4);
	expect_echo(fd, "pong", 4);
}

TEST(a_connection_may_end_while_its_reply_is_held)
{
	serve_client(held_and_gone, NULL);
}

/* ---- limits ----------------------------------------------------------------------------- */

static const struct sl_conn_limits short_limits = {
	200 * SL_MSEC, 100 * SL_MSEC, 200 * SL_MSEC, SL_MIB, 64 << 10, 8, 3000,
};

static void idle(struct session *x, int fd)
{
	(void)x;
	request(fd, "a", 1);
	expect_echo(fd, "a", 1);
	EXPECT_TRUE(ends_within(fd, 2000 * harness_time_scale()));
}

TEST(an_idle_connection_is_ended)
{
	serve_client(idle, &short_limits);
}

static void half_a_request(struct session *x, int fd)
{
	(void)x;
	send_all(fd, "\0\0", 2);
	EXPECT_TRUE(ends_within(fd, 2000 * harness_time_scale()));
}

TEST(half_a_request_is_ended)
{
	serve_client(half_a_request, &short_limits);
}

static void half_a_body(struct session *x, int fd)
{
	uint8_t head[4];

	(void)x;
	sl_store_be32(head, 1 << 20);
	send_all(fd, head, 4);
	send_all(fd, "some", 4);
	EXPECT_TRUE(ends_within(fd, 2000 * harness_time_scale()));
}

TEST(half_a_body_is_ended)
{
	serve_client(half_a_body, &short_limits);
}

static void slow_reader(struct session *x, int fd)
{
	int other = connect_to(&x->s);

	for (int i = 0; i < 8; i++)
		request(fd, "file:8388608", 12);
	for (int i = 0; i < 100 * harness_time_scale(); i++) {
		request(other, "fine", 4);
		expect_echo(other, "fine", 4);
		usleep(5000);
	}
	EXPECT_EQ(1, __atomic_load_n(&x->s.closed, __ATOMIC_ACQUIRE));
	close(other);
	(void)fd;
}

TEST(a_reader_that_takes_nothing_is_ended_and_nobody_notices)
{
	serve_client(slow_reader, &short_limits);
}

static void too_long(struct session *x, int fd)
{
	(void)x;
	send_all(fd, "\x7f\xff\xff\xff", 4);
	EXPECT_TRUE(ends_within(fd, 2000 * harness_time_scale()));
}

TEST(a_lying_length_ends_the_connection)
{
	serve_client(too_long, NULL);
}

static void silent_crowd(struct session *x, int fd)
{
	int fds[1000];

	for (int i = 0; i < 1000; i++) {
		fds[i] = connect_to(&x->s);
		if (i % 2)
			send_all(fds[i], "\0", 1);
	}
	for (int i = 0; i < 50; i++) {
		request(fd, "still here", 10);
		expect_echo(fd, "still here", 10);
	}
	for (int i = 0; i < 1000; i++)
		close(fds[i]);
}

TEST(a_thousand_silent_connections_starve_nobody)
{
	serve_client(silent_crowd, NULL);
}

TEST_HARNESS_MAIN
