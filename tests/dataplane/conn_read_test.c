/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: peeks, skips and reads of every size whatever the pieces in which bytes come, scarce
 * shared buffers, what is received ahead, ends and limits in the middle of a body.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

/* The bytes that follow a request "r<seed>" or "p<seed>", and their number. */
static uint8_t byte_at(uint64_t seed, uint64_t i)
{
	return (uint8_t)(sl_mix64(seed + i / 8) >> i % 8 * 8);
}

static uint32_t body_bytes(uint64_t seed)
{
	static const uint32_t most[] = {1, 100, 2000, 9000, 30000, 100000, 300000, 1000000};

	return 1 + (uint32_t)(sl_mix64(seed) % most[sl_mix64(seed + 1) % SL_ARRAY_SIZE(most)]);
}

static uint64_t next(uint64_t *random)
{
	return sl_mix64((*random)++);
}

/* Any magnitude below 2^@bits. */
static uint32_t next_size(uint64_t *random, uint32_t bits)
{
	uint32_t most = 1u << next(random) % bits;

	return 1 + (uint32_t)(next(random) % most);
}

/* ---- the server's side ------------------------------------------------------------------ */

static bool same(const uint8_t *p, uint64_t seed, uint32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != byte_at(seed, at + i))
			return false;
	return true;
}

/* Takes the body in steps of random size and kind. Return: 0; 1 if it differs; -errno. */
static int take_body(struct sl_conn *c, uint64_t seed, uint32_t len, bool peeks)
{
	uint64_t random = seed;
	uint8_t *dst = malloc(256 << 10);
	int err = 0;

	for (uint32_t at = 0; at < len && !err;) {
		uint32_t n = next_size(&random, 18);
		const uint8_t *p = dst;

		n = sl_min(n, len - at);
		if (peeks && next(&random) % 2) {
			err = sl_conn_peek(c, n, &p, sl_conn_read_deadline(c));
			if (!err && !same(p, seed, at, n))
				err = 1;
			if (err)
				break;
			EXPECT_LE(n, sl_conn_buffered(c));
			if (next(&random) % 2)
				continue; /* the same bytes again, by another call */
			sl_conn_skip(c, n);
		} else {
			err = sl_conn_read_all(c, dst, n, sl_conn_read_deadline(c));
			if (!err && !same(dst, seed, at, n))
				err = 1;
		}
		at += n;
		if (next(&random) % 8 == 0)
			sl_fiber_yield(SL_NEVER);
	}
	free(dst);
	return err;
}

enum { BODIES = 150 };

static uint32_t bodies_same; /* that came as they were sent; the core's */

static int answer_body(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	uint64_t seed;
	int err;

	if (*body != 'r' && *body != 'p')
		return peer_echo(x, c, body, len);
	seed = strtoull(body + 1, NULL, 10);
	err = take_body(c, seed, body_bytes(seed), *body == 'p');
	if (err < 0)
		return err;
	if (err)
		TH_LOG("body of seed %llu differs", (unsigned long long)seed);
	bodies_same += !err;
	return peer_echo(x, c, body, len);
}

/* ---- the client's side ------------------------------------------------------------------ */

static void send_body(int fd, uint64_t seed, uint32_t len, bool in_pieces)
{
	uint8_t *p = malloc(len);
	uint64_t random = seed ^ 77;

	for (uint32_t i = 0; i < len; i++)
		p[i] = byte_at(seed, i);
	for (uint32_t at = 0; at < len;) {
		uint32_t n = len;

		if (in_pieces)
			n = next_size(&random, 17);
		n = sl_min(n, len - at);
		peer_send(fd, p + at, n);
		at += n;
		if (in_pieces && next(&random) % 16 == 0)
			usleep(100);
	}
	free(p);
}

static void bodies(struct peer *x)
{
	int fd = peer_connect(x);
	uint64_t seed = harness_seed() % 1000000;
	char text[40];

	for (int i = 0; i < BODIES; i++) {
		uint64_t s = seed + (uint64_t)i * 1000003;

		snprintf(text, sizeof(text), "%c%llu", i % 2 ? 'p' : 'r', (unsigned long long)s);
		peer_request(fd, text);
		send_body(fd, s, body_bytes(s), i % 3);
		/* Sometimes the next request follows at once. */
		if (i % 5 == 0) {
			peer_request(fd, "behind it");
			peer_expect_text(fd, text);
			peer_expect_text(fd, "behind it");
			continue;
		}
		peer_expect_text(fd, text);
	}
	close(fd);
}

TEST_TIMEOUT(bodies_are_read_whatever_the_pieces, 60)
{
	peer_run(&(struct peer){.answer = answer_body, .client = bodies});
	EXPECT_EQ(BODIES, bodies_same);
}

TEST_TIMEOUT(short_receives_lose_nothing, 60)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = UINT64_C(1) << SL_OP_RECV;
	f.nth = 1;
	f.sticky = true;
	peer_run(&(struct peer){.answer = answer_body, .client = bodies, .backend = &f.backend});
	EXPECT_LT(BODIES, f.count); /* there were more receives than bodies */
	EXPECT_EQ(BODIES, bodies_same);
}

/* ---- shared buffers that are scarce ------------------------------------------------------ */

static const struct sl_cores_conf scarce = {.rx_buffers = 4, .rx_buffer_bytes = 1024};

enum { TALKERS = 12, ROUNDS = 100, AT_ONCE = 3 };

static uint32_t answered; /* atomic: requests of talkers */

static void *talk(void *arg)
{
	struct peer *x = arg;
	int fd = peer_connect(x);
	char text[PEER_BODY_MAX + 1];

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < ROUNDS; i++) {
		text[i * 9] = 0;
		for (int k = 0; k < AT_ONCE; k++)
			peer_request(fd, text);
		for (int k = 0; k < AT_ONCE; k++) {
			peer_expect_text(fd, text);
			__atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED);
		}
		text[i * 9] = 'x';
	}
	close(fd);
	return NULL;
}

static void crowd(struct peer *x)
{
	pthread_t threads[TALKERS];
	int silent[100];

	/* Each has sent half a request: they must not keep the buffers. */
	for (int i = 0; i < 100; i++) {
		silent[i] = peer_connect(x);
		peer_send(silent[i], "\0\0\2\0half of it", 14);
	}
	for (int i = 0; i < TALKERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, talk, x));
	for (int i = 0; i < TALKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 100; i++)
		close(silent[i]);
}

TEST_TIMEOUT(four_buffers_serve_a_hundred_connections, 60)
{
	peer_run(&(struct peer){.client = crowd, .conf = &scarce});
	EXPECT_EQ(TALKERS * ROUNDS * AT_ONCE, answered);
}

static void bodies_scarce(struct peer *x)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, talk, x));
	bodies(x);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

TEST_TIMEOUT(bodies_are_read_though_buffers_are_scarce, 60)
{
	peer_run(&(struct peer){.answer = answer_body, .client = bodies_scarce, .conf = &scarce});
	EXPECT_EQ(BODIES, bodies_same);
	EXPECT_EQ(4 * ROUNDS * AT_ONCE, answered);
}

/* ---- what is received ahead --------------------------------------------------------------- */

static const struct sl_cores_conf sixteen = {.rx_buffers = 16, .rx_buffer_bytes = 4096};

static size_t ahead_bytes; /* that were received while nobody read; the core's */

static int answer_ahead(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	if (!strcmp(body, "stop")) {
		int64_t limit = sl_now() + 10 * SL_SEC * harness_time_scale();

		while (sl_conn_buffered(c) <= 1000 && sl_now() < limit)
			sl_sleep(sl_now() + SL_MSEC);
		sl_sleep(sl_now() + 100 * SL_MSEC); /* for more, if more were taken */
		ahead_bytes = sl_conn_buffered(c);
	}
	return peer_echo(x, c, body, len);
}

static void *send_ahead(void *arg)
{
	char text[PEER_BODY_MAX + 1];

	memset(text, 'a', PEER_BODY_MAX);
	text[PEER_BODY_MAX] = 0;
	for (int i = 0; i < 2000; i++)
		peer_request(*(int *)arg, text);
	return NULL;
}

static void ahead(struct peer *x)
{
	int fd = peer_connect(x), other = peer_connect(x);
	char text[PEER_BODY_MAX + 1];
	pthread_t thread;

	memset(text, 'a', PEER_BODY_MAX);
	text[PEER_BODY_MAX] = 0;
	peer_request(fd, "stop");
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_ahead, &fd));
	for (int i = 0; i < 50; i++)
		peer_ping(other, "meanwhile");
	peer_expect_text(fd, "stop");
	for (int i = 0; i < 2000; i++)
		peer_expect_text(fd, text);
	pthread_join(thread, NULL);
	close(fd);
	close(other);
}

TEST(what_comes_ahead_of_its_turn_is_bounded)
{
	struct peer x = {.answer = answer_ahead, .client = ahead, .conf = &sixteen};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB,
					   16 << 10,	100,	     3000};
	peer_run(&x);
	EXPECT_LT(1000, ahead_bytes);
	/* The multishot receive may have filled every shared buffer before it was ended. */
	EXPECT_LE(ahead_bytes, (16 << 10) + 16 * 4096);
}

/* ---- ends and limits -------------------------------------------------------------------- */

enum { WAYS = 3 };

static int read_err; /* atomic: the last outcome on the core */
static int read_errs[WAYS]; /* that of each way to read, as the client saw it */

static int answer_read(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	static uint8_t dst[200000];
	const uint8_t *p;
	int err;

	if (!strcmp(body, "peek"))
		err = sl_conn_peek(c, 200000, &p, sl_conn_read_deadline(c));
	else if (!strcmp(body, "few"))
		err = sl_conn_peek(c, 100, &p, sl_conn_read_deadline(c));
	else if (!strcmp(body, "read"))
		err = sl_conn_read_all(c, dst, 200000, sl_conn_read_deadline(c));
	else
		return peer_echo(x, c, body, len);
	__atomic_store_n(&read_err, err, __ATOMIC_RELEASE);
	return err;
}

static void half_bodies(struct peer *x, bool leaves, enum sl_close why)
{
	static const char *const how[WAYS] = {"few", "peek", "read"};

	for (unsigned i = 0; i < WAYS; i++) {
		int fd = peer_connect(x);

		peer_request(fd, how[i]);
		peer_send(fd, "some bytes", 10);
		usleep(3000);
		if (leaves)
			shutdown(fd, SHUT_WR);
		EXPECT_TRUE(peer_ends(fd));
		close(fd);
		EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, why, i + 1));
		read_errs[i] = __atomic_load_n(&read_err, __ATOMIC_ACQUIRE);
	}
}

static void peer_leaves(struct peer *x)
{
	half_bodies(x, true, SL_CLOSE_PEER);
}

static void peer_stops(struct peer *x)
{
	half_bodies(x, false, SL_CLOSE_HEADER);
}

TEST(a_peer_that_leaves_in_the_middle_is_seen)
{
	peer_run(&(struct peer){.answer = answer_read, .client = peer_leaves});
	for (unsigned i = 0; i < WAYS; i++)
		EXPECT_EQ(-ECONNRESET, read_errs[i]);
}

TEST(a_peer_that_stops_in_the_middle_is_ended)
{
	struct peer x = {.answer = answer_read, .client = peer_stops};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 100 * SL_MSEC, 20 * SL_SEC, SL_MIB,
					   64 << 10,	100,	       3000};
	peer_run(&x);
	for (unsigned i = 0; i < WAYS; i++)
		EXPECT_EQ(-ETIME, read_errs[i]);
}

/* Both the reader's deadline and the writer's pass while the core is busy: one turn sees both. */
static int answer_stuck(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;
	const uint8_t *p;

	if (!strcmp(body, "busy")) {
		int64_t until = sl_clock_ns() + 150 * SL_MSEC * harness_time_scale();

		while (sl_clock_ns() < until)
			continue;
		return peer_echo(x, c, body, len);
	}
	if (strcmp(body, "stuck"))
		return peer_echo(x, c, body, len);
	for (int i = 0; i < 4; i++) {
		r = peer_reply(c, 1, 0, PEER_FILE_BYTES, "", 0);
		peer_add_extent(x, r, 0, PEER_FILE_BYTES);
		if (sl_deliver(r, SL_NEVER))
			return -EPIPE;
	}
	read_err = sl_conn_peek(c, 100, &p, sl_conn_read_deadline(c));
	return read_err;
}

static void stuck(struct peer *x)
{
	int fd = peer_connect(x), other = peer_connect(x);

	peer_request(fd, "stuck");
	usleep(20000);
	peer_request(other, "busy");
	peer_expect_text(other, "busy");
	peer_ping(other, "fine");
	close(fd);
	close(other);
}

TEST(two_deadlines_may_pass_in_one_turn)
{
	struct peer x = {.answer = answer_stuck, .client = stuck};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 100 * SL_MSEC, 100 * SL_MSEC, SL_MIB,
					   64 << 10,	100,	       3000};
	peer_run(&x);
	/* Whichever was first. */
	EXPECT_TRUE(read_err == -ETIME || read_err == -ECONNRESET);
}

/* ---- a request before it is served -------------------------------------------------------- */

static bool ended;

static void too_much_memory(struct peer *x)
{
	int fd = peer_connect(x);
	char text[600];

	memset(text, 'm', sizeof(text));
	text[500] = 0;
	peer_ping(fd, text);
	text[500] = 'm';
	text[599] = 0;
	peer_send(fd, "\0\0", 2);
	usleep(2000);
	peer_send(fd, "\2\x57mmm", 5); /* 599 bytes are to come, more than the budget */
	ended = peer_ends(fd);
	close(fd);
}

TEST(a_request_beyond_the_budget_ends_the_connection)
{
	struct peer x = {.client = too_much_memory};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, 512,
					   64 << 10,	100,	     3000};
	peer_run(&x);
	EXPECT_TRUE(ended);
}

TEST_HARNESS_MAIN
