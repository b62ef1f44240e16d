/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: bytes both ways, ends, resets, slow peers, each call failing. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

enum { BULK_BYTES = 3 << 20 };

/*
 * A server on a thread of its own: what it does with a connection is told by its first byte. 'e':
 * echoes until the end, 'b': BULK_BYTES bytes and an end, 's': takes BULK_BYTES bytes, slowly, and
 * answers with one, 'q': ends at once, 'r': resets, 'p': answers with one byte, and one more when
 * it gets another.
 */
struct server {
	pthread_t thread;
	int listener;
	uint16_t port;
	uint8_t *bulk;
};

static void send_all(int fd, const void *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return;
		p = (const uint8_t *)p + w;
		n -= (size_t)w;
	}
}

static void echo(int fd)
{
	uint8_t buf[10000];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		send_all(fd, buf, (size_t)n);
}

static void take_slowly(int fd, const uint8_t *bulk)
{
	uint8_t buf[30000];
	size_t got = 0;
	ssize_t n;

	usleep(20000);
	while (got < BULK_BYTES && (n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (memcmp(bulk + got, buf, (size_t)n) != 0)
			break;
		got += (size_t)n;
	}
	send_all(fd, got == BULK_BYTES ? "y" : "n", 1);
}

static void reset(int fd)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void serve_one(struct server *s, int fd)
{
	uint8_t what = 0;

	if (recv(fd, &what, 1, 0) != 1)
		return;
	if (what == 'e')
		echo(fd);
	else if (what == 'b')
		send_all(fd, s->bulk, BULK_BYTES);
	else if (what == 's')
		take_slowly(fd, s->bulk);
	else if (what == 'r')
		reset(fd);
	else if (what == 'p') {
		send_all(fd, "1", 1);
		if (recv(fd, &what, 1, 0) == 1)
			send_all(fd, "2", 1);
		recv(fd, &what, 1, 0);
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		serve_one(s, fd);
		close(fd);
	}
	return NULL;
}

static int listen_at(uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(fd, 10));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* ---- a core beside it ----------------------------------------------------------------------- */

struct side {
	struct server server;
	struct sl_faults *faults;
	char why[200];
	void (*fn)(struct side *x);
};

static int run(void *arg)
{
	struct side *x = arg;

	x->fn(x);
	return 0;
}

static void beside_server(struct side *x, void (*fn)(struct side *x))
{
	struct server *s = &x->server;

	x->fn = fn;
	s->bulk = malloc(BULK_BYTES);
	ASSERT_TRUE(s->bulk != NULL);
	for (size_t i = 0; i < BULK_BYTES; i++)
		s->bulk[i] = (uint8_t)harness_random();
	s->listener = listen_at(&s->port);
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, serve, s));
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){
					 .arena_bytes_max = 16 * SL_MIB,
					 .backend = x->faults ? &x->faults->backend : NULL},
				 run, x));
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	free(s->bulk);
}

static int64_t in_time(void)
{
	return sl_now() + 20 * SL_SEC * harness_time_scale();
}

static int try_open(struct side *x, const char *host, uint16_t port, struct sl_stream **ret_stream,
		    int64_t deadline)
{
	const struct sl_stream_conf conf = {.host = host, .port = port};

	x->why[0] = 0;
	return sl_stream_connect(&conf, ret_stream, x->why, sizeof(x->why), deadline);
}

static int write_all(struct sl_stream *s, const void *p, size_t n, int64_t deadline)
{
	struct iovec iov = {(void *)p, n};

	return sl_stream_writev_all(s, &iov, 1, deadline);
}

/* A stream whose peer does @what. */
static struct sl_stream *open_to(struct side *x, char what)
{
	struct sl_stream *s;

	ASSERT_EQ(0, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	ASSERT_EQ(0, write_all(s, &what, 1, in_time()));
	return s;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void echoes(struct side *x)
{
	struct sl_stream *s = open_to(x, 'e');
	struct iovec iov[] = {{"one", 3}, {NULL, 0}, {" and ", 5}, {"two", 3}};
	char back[12] = "";
	size_t got = 0;

	ASSERT_EQ(0, sl_stream_writev_all(s, iov, 4, in_time()));
	while (got < 11) {
		ssize_t n = sl_stream_read(s, back + got, 11 - got, in_time());

		ASSERT_LT(0, n);
		got += (size_t)n;
	}
	EXPECT_STREQ("one and two", back);
	EXPECT_EQ(0, sl_stream_writev_all(s, iov, 0, in_time()));
	EXPECT_EQ(-ETIME, sl_stream_read(s, back, 1, sl_now() + 10 * SL_MSEC));
	ASSERT_EQ(0, write_all(s, "x", 1, in_time())); /* time that ran out breaks nothing */
	EXPECT_EQ(1, sl_stream_read(s, back, 5, in_time()));
	sl_stream_close(s);
	sl_stream_close(NULL);
}

TEST(what_is_written_comes_back)
{
	beside_server(&(struct side){0}, echoes);
}

static void bulk_in(struct side *x)
{
	struct sl_stream *s = open_to(x, 'b');
	uint8_t *dst = malloc(BULK_BYTES + 1);
	size_t got = 0;
	ssize_t n;

	ASSERT_TRUE(dst != NULL);
	while ((n = sl_stream_read(s, dst + got, BULK_BYTES + 1 - got, in_time())) > 0)
		got += (size_t)n;
	EXPECT_EQ(0, n);
	ASSERT_EQ(BULK_BYTES, got);
	EXPECT_MEMEQ(x->server.bulk, dst, BULK_BYTES);
	EXPECT_EQ(0, sl_stream_read(s, dst, 1, in_time()));
	free(dst);
	sl_stream_close(s);
}

TEST(much_is_read_until_the_end)
{
	beside_server(&(struct side){0}, bulk_in);
}

static void bulk_out(struct side *x)
{
	enum { PIECES = 1500 };
	struct sl_stream *s = open_to(x, 's');
	struct iovec iov[PIECES];
	size_t step = BULK_BYTES / PIECES;
	uint8_t back = 0;

	for (size_t i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){x->server.bulk + i * step, step};
	iov[PIECES - 1].iov_len = BULK_BYTES - (PIECES - 1) * step;
	ASSERT_EQ(0, sl_stream_writev_all(s, iov, PIECES, in_time()));
	EXPECT_EQ(1, sl_stream_read(s, &back, 1, in_time()));
	EXPECT_EQ('y', back);
	sl_stream_close(s);
}

TEST(many_pieces_reach_a_slow_peer)
{
	beside_server(&(struct side){0}, bulk_out);
}

static void no_room(struct side *x)
{
	struct sl_stream *s;

	/* The listener takes connections that nobody reads. */
	ASSERT_EQ(0, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	while (!write_all(s, x->server.bulk, BULK_BYTES, sl_now() + 20 * SL_MSEC))
		continue;
	EXPECT_EQ(-ETIME, write_all(s, x->server.bulk, BULK_BYTES, sl_now() + 20 * SL_MSEC));
	sl_stream_close(s);
}

TEST(a_peer_that_takes_nothing_is_waited_for_until_the_deadline)
{
	struct side x = {0};
	uint16_t port;
	int quiet = listen_at(&port);

	x.server.port = port;
	x.server.bulk = calloc(1, BULK_BYTES);
	x.fn = no_room;
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB}, run, &x));
	free(x.server.bulk);
	close(quiet);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void ends(struct side *x)
{
	struct sl_stream *s = open_to(x, 'q');
	char c;

	EXPECT_EQ(0, sl_stream_read(s, &c, 1, in_time()));
	EXPECT_FALSE(sl_stream_reusable(s));
	sl_stream_close(s);
	s = open_to(x, 'r');
	EXPECT_EQ(-ECONNRESET, sl_stream_read(s, &c, 1, in_time()));
	EXPECT_FALSE(sl_stream_reusable(s));
	EXPECT_EQ(-EPIPE, write_all(s, "x", 1, in_time()));
	sl_stream_close(s);
}

TEST(an_end_and_a_reset_differ)
{
	beside_server(&(struct side){0}, ends);
}

static void pool(struct side *x)
{
	struct sl_stream *s = open_to(x, 'p');
	char c;

	ASSERT_EQ(1, sl_stream_read(s, &c, 1, in_time()));
	EXPECT_TRUE(sl_stream_reusable(s));
	ASSERT_EQ(0, write_all(s, "x", 1, in_time()));
	/* What nobody asked for makes it unfit. */
	while (sl_stream_reusable(s))
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(1, sl_stream_read(s, &c, 1, in_time()));
	EXPECT_TRUE(sl_stream_reusable(s));
	sl_stream_close(s);
}

TEST(a_stream_with_bytes_left_is_not_reusable)
{
	beside_server(&(struct side){0}, pool);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void nobody(struct side *x)
{
	struct sl_stream *s = NULL;
	uint16_t port;

	close(listen_at(&port));
	EXPECT_EQ(-ECONNREFUSED, try_open(x, "127.0.0.1", port, &s, in_time()));
	EXPECT_TRUE(strstr(x->why, "127.0.0.1") && strstr(x->why, "is it running"));
	EXPECT_EQ(-ECONNREFUSED, try_open(x, "localhost", port, &s, in_time()));
	EXPECT_TRUE(strstr(x->why, "localhost"));
	EXPECT_EQ(-ENOENT, try_open(x, "a..b", port, &s, in_time()));
	EXPECT_NULL(s);
	ASSERT_EQ(0, try_open(x, "localhost", x->server.port, &s, in_time()));
	sl_stream_close(s);
}

TEST(who_cannot_be_reached_is_told_with_the_address)
{
	beside_server(&(struct side){0}, nobody);
}

/* A listener whose queue is full drops what comes. */
static void black_hole(struct side *x)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	struct sl_stream *s[64];
	int fd = socket(AF_INET, SOCK_STREAM, 0), n = 0, err;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(fd, 0));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	while (!(err = try_open(x, "127.0.0.1", ntohs(a.sin_port), &s[n],
				sl_now() + 300 * SL_MSEC)))
		ASSERT_LT(++n, 64);
	EXPECT_EQ(-ETIME, err);
	EXPECT_TRUE(strstr(x->why, "no connection in time"));
	while (n)
		sl_stream_close(s[--n]);
	close(fd);
}

TEST(who_does_not_answer_is_given_up_at_the_deadline)
{
	beside_server(&(struct side){0}, black_hole);
}

/* ---- faults --------------------------------------------------------------------------------- */

static void once(struct side *x)
{
	struct sl_stream *s;
	char back[4];
	ssize_t n;

	if (try_open(x, "127.0.0.1", x->server.port, &s, in_time())) {
		EXPECT_TRUE(x->why[0]);
		return;
	}
	if (!write_all(s, "eabc", 4, in_time())) {
		n = sl_stream_read(s, back, 3, in_time());
		EXPECT_TRUE(n < 0 || !memcmp(back, "abc", (size_t)n));
	}
	sl_stream_close(s);
}

TEST(each_failing_call_is_told)
{
	struct sl_faults f;
	uint64_t n;

	sl_faults_init(&f, NULL);
	f.ops = sl_ops_socket_mask() | UINT64_C(1) << SL_OP_POLL;
	beside_server(&(struct side){.faults = &f}, once);
	n = f.count;
	ASSERT_LT(2, n);
	for (uint64_t i = 1; i <= n; i++) {
		f.nth = i;
		f.err = EIO;
		f.count = 0;
		beside_server(&(struct side){.faults = &f}, once);
	}
}

TEST_HARNESS_MAIN
