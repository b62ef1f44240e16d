/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, plain and by TLS: bytes both ways, ends, resets, slow peers, each call failing. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "certs.h"
#include "dataplane/dataplane.h"
#include "harness.h"

enum { BULK_BYTES = 3 << 20 };

/*
 * A server on a thread of its own: what it does with a connection is told by its first byte. 'e':
 * echoes until the end, 'b': BULK_BYTES bytes and an end, 's': takes BULK_BYTES bytes, slowly, and
 * answers with one, 'q': ends at once, 'c': the same
 * without saying so by TLS, 'r': resets, 'p': answers with one byte, and one more when
 * it gets another.
 */
struct server {
	pthread_t thread;
	int listener;
	uint16_t port;
	uint8_t *bulk;
	SSL_CTX *tls; /* NULL: plain */
};

/* A connection of it. */
struct link {
	int fd;
	SSL *ssl;
};

static ssize_t take(const struct link *l, void *p, size_t n)
{
	return l->ssl ? SSL_read(l->ssl, p, (int)n) : recv(l->fd, p, n, 0);
}

static void send_all(const struct link *l, const void *p, size_t n)
{
	while (n) {
		ssize_t w = l->ssl ? SSL_write(l->ssl, p, (int)n) : send(l->fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return;
		p = (const uint8_t *)p + w;
		n -= (size_t)w;
	}
}

static void echo(const struct link *l)
{
	uint8_t buf[10000];
	ssize_t n;

	while ((n = take(l, buf, sizeof(buf))) > 0)
		send_all(l, buf, (size_t)n);
}

static void take_slowly(const struct link *l, const uint8_t *bulk)
{
	uint8_t buf[30000];
	size_t got = 0;
	ssize_t n;

	usleep(20000);
	while (got < BULK_BYTES && (n = take(l, buf, sizeof(buf))) > 0) {
		if (memcmp(bulk + got, buf, (size_t)n) != 0)
			break;
		got += (size_t)n;
	}
	send_all(l, got == BULK_BYTES ? "y" : "n", 1);
}

static void reset(const struct link *l)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Return: whether the end is to be said, where that can be. */
static bool serve_one(struct server *s, const struct link *l)
{
	uint8_t what = 0;

	if (take(l, &what, 1) != 1)
		return false;
	if (what == 'e')
		echo(l);
	else if (what == 'b')
		send_all(l, s->bulk, BULK_BYTES);
	else if (what == 's')
		take_slowly(l, s->bulk);
	else if (what == 'r')
		reset(l);
	else if (what == 'p') {
		send_all(l, "1", 1);
		if (take(l, &what, 1) == 1)
			send_all(l, "2", 1);
		take(l, &what, 1);
	}
	return what != 'c' && what != 'r';
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct link l = {0};

	while ((l.fd = accept(s->listener, NULL, NULL)) >= 0) {
		bool told = true;

		if (s->tls) {
			l.ssl = SSL_new(s->tls);
			SSL_set_fd(l.ssl, l.fd);
			told = SSL_accept(l.ssl) == 1;
		}
		if (told)
			told = serve_one(s, &l);
		if (told && l.ssl)
			SSL_shutdown(l.ssl);
		ERR_clear_error();
		SSL_free(l.ssl);
		l.ssl = NULL;
		close(l.fd);
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
	const struct certs *certs; /* TLS; NULL: plain */
	struct sl_tls_conf client;
	struct sl_tls *tls;
	const char *server_name;
	struct sl_faults *faults;
	char why[200];
	void (*fn)(struct side *x);
};

static int run(void *arg)
{
	struct side *x = arg;

	if (x->certs) {
		if (!x->client.ca)
			x->client.ca = x->certs->ca;
		ASSERT_EQ(0, sl_tls_client_new(&x->client, &x->tls, x->why, sizeof(x->why),
					       SL_NEVER));
	}
	x->fn(x);
	sl_tls_free(x->tls);
	return 0;
}

static SSL_CTX *server_context(const struct certs *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	ASSERT_NOT_NULL(ctx);
	ASSERT_EQ(1, SSL_CTX_use_certificate_chain_file(ctx, c->server));
	ASSERT_EQ(1, SSL_CTX_use_PrivateKey_file(ctx, c->server_key, SSL_FILETYPE_PEM));
	return ctx;
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
	s->tls = x->certs ? server_context(x->certs) : NULL;
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, serve, s));
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){
					 .arena_bytes_max = 16 * SL_MIB,
					 .backend = x->faults ? &x->faults->backend : NULL},
				 run, x));
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->tls);
	free(s->bulk);
}

/* Without and with TLS. */
static void beside_both(void (*fn)(struct side *x))
{
	struct certs certs;

	beside_server(&(struct side){0}, fn);
	certs_make(&certs, false);
	signal(SIGPIPE, SIG_IGN); /* for the server */
	beside_server(&(struct side){.certs = &certs}, fn);
}

static int64_t in_time(void)
{
	return sl_now() + 20 * SL_SEC * harness_time_scale();
}

static int try_open(struct side *x, const char *host, uint16_t port, struct sl_stream **ret_stream,
		    int64_t deadline)
{
	const struct sl_stream_conf conf = {
		.host = host, .port = port, .tls = x->tls, .server_name = x->server_name};

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
	beside_both(echoes);
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
	beside_both(bulk_in);
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
	beside_both(bulk_out);
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
	s = open_to(x, 'c');
	EXPECT_EQ(x->tls ? -ECONNRESET : 0, sl_stream_read(s, &c, 1, in_time()));
	sl_stream_close(s);
	s = open_to(x, 'r');
	EXPECT_EQ(-ECONNRESET, sl_stream_read(s, &c, 1, in_time()));
	EXPECT_FALSE(sl_stream_reusable(s));
	EXPECT_EQ(-EPIPE, write_all(s, "x", 1, in_time()));
	sl_stream_close(s);
}

TEST(an_end_and_a_reset_differ)
{
	beside_both(ends);
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
	beside_both(pool);
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
	beside_both(nobody);
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

/* Keeps the descriptors of @fds until somebody needs one. */
struct keeper {
	struct sl_shedder shedder;
	int fds[64], n;
};

static bool shed(struct sl_shedder *shedder)
{
	struct keeper *k = sl_container_of(shedder, struct keeper, shedder);
	bool any = k->n;

	while (k->n)
		close(k->fds[--k->n]);
	return any;
}

static void without_descriptors(struct side *x)
{
	struct keeper k = {.shedder.shed = shed};
	struct rlimit few;
	struct sl_stream *s;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &few));
	few.rlim_cur = SL_ARRAY_SIZE(k.fds);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	while (k.n < (int)SL_ARRAY_SIZE(k.fds) && (k.fds[k.n] = dup(0)) >= 0)
		k.n++;
	ASSERT_EQ(EMFILE, errno);
	EXPECT_EQ(-EMFILE, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	sl_shedder_add(&k.shedder);
	s = open_to(x, 'p');
	EXPECT_EQ(0, k.n);
	sl_list_remove(&k.shedder.node);
	sl_stream_close(s);
}

TEST(what_is_kept_makes_room_for_a_stream)
{
	beside_server(&(struct side){0}, without_descriptors);
}

TEST(who_does_not_answer_is_given_up_at_the_deadline)
{
	beside_server(&(struct side){0}, black_hole);
}

/* ---- whom TLS trusts ------------------------------------------------------------------------ */

static void try_refused(struct side *x, const char *says)
{
	struct sl_stream *s = NULL;

	EXPECT_GT(0, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	if (!EXPECT_TRUE(strstr(x->why, says)))
		TH_LOG("%s", x->why);
	EXPECT_NULL(s);
}

static void other_names(struct side *x)
{
	struct sl_stream *s;

	x->server_name = "localhost";
	ASSERT_EQ(0, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	sl_stream_close(s);
	x->server_name = "[::1]";
	ASSERT_EQ(0, try_open(x, "127.0.0.1", x->server.port, &s, in_time()));
	sl_stream_close(s);
	x->server_name = "example.org";
	try_refused(x, "trust its authority, or correct the name");
	x->server_name = "127.0.0.2";
	try_refused(x, "certificate");
}

static void strangers(struct side *x)
{
	try_refused(x, "certificate");
}

TEST(only_a_peer_with_the_right_certificate_is_trusted)
{
	struct certs certs;

	certs_make(&certs, false);
	signal(SIGPIPE, SIG_IGN);
	beside_server(&(struct side){.certs = &certs}, other_names);
	beside_server(&(struct side){.certs = &certs, .client.ca = certs.other}, strangers);
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

static void each_call_fails(const struct certs *certs)
{
	struct sl_faults f;
	uint64_t n;

	sl_faults_init(&f, NULL);
	f.ops = sl_ops_socket_mask() | UINT64_C(1) << SL_OP_POLL;
	beside_server(&(struct side){.faults = &f, .certs = certs}, once);
	n = f.count;
	ASSERT_LT(2, n);
	for (uint64_t i = 1; i <= n; i++) {
		f.nth = i;
		f.err = EIO;
		f.count = 0;
		beside_server(&(struct side){.faults = &f, .certs = certs}, once);
	}
}

TEST_TIMEOUT(each_failing_call_is_told, 120)
{
	struct certs certs;

	each_call_fails(NULL);
	certs_make(&certs, false);
	signal(SIGPIPE, SIG_IGN);
	each_call_fails(&certs);
}

TEST_HARNESS_MAIN
