/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery: order, holds, losses, parts of every kind and number, closing, a full socket. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "dataplane/conn_pvt.h"
#include "peer.h"

/* ---- holds ------------------------------------------------------------------------------ */

enum { ORDERS = 8 };

/* One order for each of several replies, and what becomes of it. */
struct orders {
	struct sl_order order[ORDERS];
	struct sl_reply *kept;
	int undecided;
};

static void orders_start(struct peer *x)
{
	struct orders *o = x->arg;

	for (int i = 0; i < ORDERS; i++)
		sl_order_init(&o->order[i], 0);
}

static void orders_end(struct peer *x)
{
	struct orders *o = x->arg;

	for (int i = 0; i < ORDERS; i++)
		EXPECT_TRUE(sl_list_empty(&o->order[i].pending));
}

static void tell_of_loss(struct sl_hold *h, int err)
{
	h->reply->bytes[4] = 'L';
	h->reply->bytes[5] = (uint8_t)('0' + (uintptr_t)h->cookie);
	EXPECT_EQ(-EIO, err);
}

static void hold(struct sl_reply *r, struct sl_order *order, uint64_t point, bool tells,
		 uintptr_t cookie)
{
	struct sl_hold *h = sl_reply_hold(r, tells ? tell_of_loss : NULL, (void *)cookie);

	if (sl_order_add(order, &h->commit, point))
		sl_hold_settle(h, h->commit.res);
}

/*
 * "h3": waits for order 3. "t3": the same, and tells of its loss. "a": waits for all. "x3": waits
 * for order 3 and is abandoned, still empty. "E": fails with -EPROTO behind the replies before it.
 */
static int answer_held(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct orders *o = x->arg;
	struct sl_reply *r;
	int n = len > 1 ? body[1] - '0' : 0;

	if (*body == 'E')
		return -EPROTO;
	if (!strchr("htax", *body))
		return peer_echo(x, c, body, len);
	r = *body == 'x' ? sl_reply_new(c, 1, ORDERS, 8) : peer_reply(c, 0, ORDERS, len, body, len);
	ASSERT_NOT_NULL(r);
	for (int i = 0; i < ORDERS; i++)
		if (*body == 'a' || i == n)
			hold(r, &o->order[i], 1, *body != 'h', (uintptr_t)i);
	if (*body == 'x') {
		sl_reply_abandon(r);
		return 0;
	}
	return sl_deliver(r, SL_NEVER);
}

struct decision {
	int order;
	bool lost;
};

static void decide(struct peer *x, void *arg)
{
	struct decision *d = arg;
	struct sl_order *order = &((struct orders *)x->arg)->order[d->order];

	if (d->lost)
		sl_order_fail(order, -EIO);
	else
		sl_order_advance(order, 1);
}

static void make_durable(struct peer *x, int order)
{
	peer_do(x, decide, &(struct decision){order, false});
}

static void lose(struct peer *x, int order)
{
	peer_do(x, decide, &(struct decision){order, true});
}

struct look {
	int order;
	bool held;
};

static void look_at(struct peer *x, void *arg)
{
	struct look *l = arg;

	l->held = !sl_list_empty(&((struct orders *)x->arg)->order[l->order].pending);
}

/* Waits until a reply is held by the order. */
static void await_held(struct peer *x, int order)
{
	struct look l = {.order = order};

	while (peer_do(x, look_at, &l), !l.held)
		usleep(1000);
}

static void with_orders(void (*client)(struct peer *x))
{
	struct orders o = {0};
	struct peer x = {
		.answer = answer_held,
		.client = client,
		.start = orders_start,
		.end = orders_end,
		.arg = &o,
	};

	peer_run(&x);
}

static void shuffle(int *p, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int k = (int)(harness_random() % (uint64_t)(i + 1)), t = p[i];

		p[i] = p[k];
		p[k] = t;
	}
}

static void any_order(struct peer *x)
{
	int fd = peer_connect(x), sequence[ORDERS], next = 0;
	bool durable[ORDERS] = {0};
	char text[3] = "h0";

	for (int i = 0; i < ORDERS; i++) {
		sequence[i] = i;
		text[1] = (char)('0' + i);
		peer_request(fd, text);
		peer_request(fd, "ping");
	}
	shuffle(sequence, ORDERS);
	for (int i = 0; i < ORDERS; i++) {
		EXPECT_TRUE(peer_silent(fd, 10));
		make_durable(x, sequence[i]);
		durable[sequence[i]] = true;
		for (; next < ORDERS && durable[next]; next++) {
			text[1] = (char)('0' + next);
			peer_expect_text(fd, text);
			peer_expect_text(fd, "ping");
		}
	}
	EXPECT_EQ(ORDERS, next);
	close(fd);
}

TEST(replies_keep_their_order_whatever_becomes_durable_first)
{
	with_orders(any_order);
}

static void all_of_them(struct peer *x)
{
	int fd = peer_connect(x), sequence[ORDERS];

	for (int i = 0; i < ORDERS; i++)
		sequence[i] = i;
	shuffle(sequence, ORDERS);
	peer_request(fd, "a0");
	for (int i = 0; i < ORDERS; i++) {
		EXPECT_TRUE(peer_silent(fd, 5));
		make_durable(x, sequence[i]);
	}
	peer_expect_text(fd, "a0");
	close(fd);
}

TEST(a_reply_waits_for_all_its_holds)
{
	with_orders(all_of_them);
}

static void tells(struct peer *x)
{
	int fd = peer_connect(x);

	peer_request(fd, "t2");
	peer_request(fd, "ping");
	lose(x, 2);
	peer_expect_text(fd, "L2");
	peer_expect_text(fd, "ping");
	peer_request(fd, "t2"); /* lost already when it is asked for */
	peer_expect_text(fd, "L2");
	peer_request(fd, "a0");
	for (int i = 0; i < ORDERS; i++) {
		if (i == 2)
			continue;
		EXPECT_TRUE(peer_silent(fd, 5));
		make_durable(x, i);
	}
	peer_expect_text(fd, "L2");
	close(fd);
}

TEST(a_loss_is_told_in_the_reply)
{
	with_orders(tells);
}

static void breaks(struct peer *x)
{
	int fd = peer_connect(x), other = peer_connect(x);

	peer_request(fd, "before");
	peer_request(fd, "h1");
	peer_request(fd, "next");
	peer_expect_text(fd, "before");
	peer_request(other, "h2");
	lose(x, 1);
	EXPECT_TRUE(peer_ends(fd));
	make_durable(x, 2);
	peer_expect_text(other, "h2");
	peer_ping(other, "fine");
	close(fd);
	close(other);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_ERROR, 1));
}

TEST(a_loss_that_nobody_can_tell_ends_the_connection)
{
	with_orders(breaks);
}

static void abandons(struct peer *x)
{
	for (int lost = 0; lost < 2; lost++) {
		int fd = peer_connect(x);

		peer_request(fd, lost ? "x3" : "x4");
		await_held(x, lost ? 3 : 4);
		EXPECT_TRUE(peer_silent(fd, 20));
		if (lost)
			lose(x, 3);
		else
			make_durable(x, 4);
		EXPECT_TRUE(peer_ends(fd));
		close(fd);
	}
}

TEST(an_abandoned_reply_ends_the_connection_when_it_is_decided)
{
	with_orders(abandons);
}

static void gone_before(struct peer *x)
{
	for (int i = 0; i < ORDERS; i++) {
		int fd = peer_connect(x);
		char text[3] = {i % 2 ? 'h' : 'x', (char)('0' + i), 0};
		struct linger now = {1, 0};

		peer_request(fd, text);
		peer_request(fd, "ping");
		usleep(5000);
		if (i % 4 < 2) /* a reset, or a proper end */
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	usleep(20000);
	for (int i = 0; i < ORDERS; i++) {
		if (i % 3)
			make_durable(x, i);
		else
			lose(x, i);
	}
}

TEST(holds_outlive_a_peer_that_has_gone)
{
	with_orders(gone_before);
}

/* The server ends the connection after "E", but owes two replies; the peer ended its half. */
static void owed(struct peer *x)
{
	int fd = peer_connect(x);

	peer_request(fd, "h0");
	peer_request(fd, "one");
	peer_request(fd, "two");
	peer_request(fd, "E");
	EXPECT_TRUE(peer_silent(fd, 20));
	shutdown(fd, SHUT_WR);
	EXPECT_TRUE(peer_silent(fd, 20));
	make_durable(x, 0);
	peer_expect_text(fd, "h0");
	peer_expect_text(fd, "one");
	peer_expect_text(fd, "two");
	EXPECT_TRUE(peer_ends(fd));
	close(fd);
}

TEST(replies_that_are_owed_are_sent_before_the_end)
{
	with_orders(owed);
}

/* ---- parts ------------------------------------------------------------------------------ */

struct random {
	uint64_t state;
};

static uint64_t next(struct random *r)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return r->state >> 33;
}

/* One part of a random reply: bytes of the file, as a slice or as an extent. */
struct piece {
	bool extent;
	uint64_t off, len;
};

/* The pieces that @seed stands for; both ends make them. Return: how many. */
static uint32_t pieces_of(uint64_t seed, struct piece *p, uint32_t max, uint64_t *ret_bytes)
{
	struct random r = {seed};
	uint32_t n = 1 + (uint32_t)(next(&r) % max);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		static const uint64_t most[] = {0, 0, 1, 100, 5000, 16384, 16385, 40000, 300000};
		uint64_t len = most[next(&r) % SL_ARRAY_SIZE(most)];

		if (len > 100 && next(&r) % 2)
			len -= next(&r) % 100;
		if (sum + len > 1500000)
			len = 0;
		p[i] = (struct piece){next(&r) % 2, next(&r) % (PEER_FILE_BYTES - 300000), len};
		sum += len;
	}
	*ret_bytes = sum;
	return n;
}

enum { PIECES = 200 };

static int answer_pieces(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct piece *p = malloc(PIECES * sizeof(*p));
	struct sl_reply *r;
	uint64_t bytes;
	uint32_t n = pieces_of(strtoull(body + 1, NULL, 10), p, PIECES, &bytes);

	(void)len;
	if (*body == 's')
		peer_small_socket(c);
	r = peer_reply(c, PIECES, 0, (uint32_t)bytes, "", 0);
	if (!r) {
		free(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		if (p[i].extent)
			peer_add_extent(x, r, p[i].off, p[i].len);
		else
			sl_reply_add(r,
				     sl_part_slice(sl_slice_borrow(x->bytes + p[i].off, p[i].len)));
	free(p);
	return sl_deliver(r, SL_NEVER);
}

static void expect_pieces(struct peer *x, int fd, uint64_t seed)
{
	struct piece p[PIECES];
	uint64_t bytes, at = 0;
	uint32_t n = pieces_of(seed, p, PIECES, &bytes);
	uint8_t *want = malloc(bytes + 1);

	for (uint32_t i = 0; i < n; i++) {
		memcpy(want + at, x->bytes + p[i].off, p[i].len);
		at += p[i].len;
	}
	peer_expect(fd, want, bytes);
	free(want);
}

static void pieces(struct peer *x, char how, int rounds)
{
	int fd = peer_connect(x);
	uint64_t seed = harness_seed() % 1000000;

	/* Two at a time, so that replies follow each other at every boundary. */
	for (int i = 0; i < rounds; i++) {
		char text[40];

		for (int k = 0; k < 2; k++) {
			snprintf(text, sizeof(text), "%c%llu", how,
				 (unsigned long long)seed + (unsigned)i * 2 + (unsigned)k);
			peer_request(fd, text);
		}
		for (int k = 0; k < 2; k++)
			expect_pieces(x, fd, seed + (unsigned)i * 2 + (unsigned)k);
	}
	close(fd);
}

static void pieces_normal(struct peer *x)
{
	pieces(x, 'p', 60);
}

TEST(parts_of_every_kind_size_and_number_arrive)
{
	peer_run(&(struct peer){.answer = answer_pieces, .client = pieces_normal});
}

static void pieces_small_socket(struct peer *x)
{
	pieces(x, 's', 10);
}

TEST(replies_go_on_where_the_socket_was_full)
{
	peer_run(&(struct peer){.answer = answer_pieces, .client = pieces_small_socket});
}

static void pieces_short(struct peer *x)
{
	pieces(x, 'p', 15);
}

TEST(sends_that_are_short_lose_nothing)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = UINT64_C(1) << SL_OP_SEND | UINT64_C(1) << SL_OP_SENDMSG |
		UINT64_C(1) << SL_OP_SENDFILE | UINT64_C(1) << SL_OP_READ;
	f.nth = 1;
	f.sticky = true;
	peer_run(&(struct peer){
		.answer = answer_pieces, .client = pieces_short, .backend = &f.backend});
	EXPECT_LT(100, f.count);
}

static int answer_nothing(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r = sl_reply_new(c, 4, 0, 0);

	if (*body != 'n') {
		sl_reply_free(r);
		return peer_echo(x, c, body, len);
	}
	sl_reply_add(r, sl_part_slice(sl_slice_borrow("", 0)));
	peer_add_extent(x, r, 100, 0);
	return sl_deliver(r, SL_NEVER);
}

static void nothing(struct peer *x)
{
	int fd = peer_connect(x);

	peer_request(fd, "n");
	peer_ping(fd, "one");
	for (int i = 0; i < 100; i++)
		peer_request(fd, "n");
	peer_request(fd, "two");
	peer_request(fd, "n");
	peer_expect_text(fd, "two");
	peer_ping(fd, "three");
	close(fd);
}

TEST(a_reply_may_have_no_bytes)
{
	peer_run(&(struct peer){.answer = answer_nothing, .client = nothing});
}

/* ---- when they leave -------------------------------------------------------------------- */

/* How many replies were queued when sl_deliver() came back, of each request. */
struct left {
	uint32_t queued[4];
	int n;
};

static int answer_and_count(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct left *l = x->arg;
	int err = peer_echo(x, c, body, len);

	if (l->n < 4)
		l->queued[l->n++] = c->n_replies;
	return err;
}

static void alone(struct peer *x)
{
	int fd = peer_connect(x);

	for (int i = 0; i < 4; i++)
		peer_ping(fd, "alone");
	close(fd);
}

TEST(the_answer_to_a_lone_request_leaves_at_once)
{
	struct left l = {.queued = {9, 9, 9, 9}};

	peer_run(&(struct peer){.answer = answer_and_count, .client = alone, .arg = &l});
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, l.queued[i]);
}

/* Four requests in one piece. */
static void at_once(struct peer *x)
{
	static const char four[] = "\0\0\0\1a\0\0\0\1b\0\0\0\1c\0\0\0\1d";
	int fd = peer_connect(x);

	peer_send(fd, four, sizeof(four) - 1);
	for (int i = 0; i < 4; i++)
		peer_expect(fd, &"abcd"[i], 1);
	close(fd);
}

TEST(answers_to_requests_that_came_together_leave_together)
{
	struct left l = {0};

	peer_run(&(struct peer){.answer = answer_and_count, .client = at_once, .arg = &l});
	for (uint32_t i = 0; i < 4; i++)
		EXPECT_EQ(i + 1, l.queued[i]);
}

/* ---- closing ---------------------------------------------------------------------------- */

static int answer_last(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;

	if (*body != 'c')
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 1, 0, PEER_FILE_BYTES, "", 0);
	peer_add_extent(x, r, 0, PEER_FILE_BYTES);
	r->close = true;
	return sl_deliver(r, SL_NEVER);
}

/* Sends on while the last reply is on its way: a reset would overtake it at its end. */
static void last(struct peer *x)
{
	int fd = peer_connect(x);
	char more[2000];

	memset(more, 0, sizeof(more));
	peer_request(fd, "before");
	peer_request(fd, "c");
	peer_send(fd, more, 3); /* half a length */
	peer_expect_text(fd, "before");
	usleep(20000);
	peer_expect(fd, x->bytes, PEER_FILE_BYTES);
	EXPECT_TRUE(peer_ends(fd));
	close(fd);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_REPLY, 1));
}

TEST(the_last_reply_arrives_whole)
{
	peer_run(&(struct peer){.answer = answer_last, .client = last});
}

static void unheard(struct peer *x)
{
	int fd = peer_connect(x);

	peer_request(fd, "c");
	usleep(20000);
	close(fd); /* with most of it unread */
	fd = peer_connect(x);
	peer_ping(fd, "fine");
	close(fd);
}

TEST(a_peer_that_leaves_during_the_last_reply_harms_nobody)
{
	peer_run(&(struct peer){.answer = answer_last, .client = unheard});
}

/* A peer that takes nothing is ended when the write limit has passed, and no sooner. */
static void takes_nothing(struct peer *x)
{
	int fd = peer_connect(x), other = peer_connect(x);

	for (int i = 0; i < 8; i++)
		peer_request(fd, "f");
	peer_ping(other, "ping");
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_SLOW, 1));
	peer_ping(other, "still");
	close(fd);
	close(other);
}

static int answer_file(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;

	if (*body != 'f')
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 1, 0, PEER_FILE_BYTES, "", 0);
	peer_add_extent(x, r, 0, PEER_FILE_BYTES);
	return sl_deliver(r, SL_NEVER);
}

TEST(a_peer_that_takes_nothing_is_ended)
{
	struct peer x = {.answer = answer_file, .client = takes_nothing};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 200 * SL_MSEC, SL_MIB,
					   64 << 10,	3,	     3000};
	peer_run(&x);
}

/* ---- too many replies ------------------------------------------------------------------- */

struct full {
	struct orders o;
	int delivered, late;
};

static int answer_until_full(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct full *f = x->arg;
	struct sl_reply *r = peer_reply(c, 0, 1, len, body, len);
	int err;

	hold(r, &f->o.order[0], 1, true, 0);
	err = sl_deliver(r, *body == 'd' ? sl_now() + 5 * SL_MSEC : SL_NEVER);
	f->delivered += !err;
	f->late += err == -ETIME;
	return err == -ETIME ? 0 : err;
}

static void read_full(struct peer *x, void *arg)
{
	*(struct full *)arg = *(struct full *)x->arg;
}

/* Waits up to 10 s (scaled) until so many have been delivered and are late. Return: what is. */
static struct full await_full(struct peer *x, int delivered, int late)
{
	struct full f;

	for (int i = 0; i < 5000 * harness_time_scale(); i++) {
		peer_do(x, read_full, &f);
		if (f.delivered >= delivered && f.late >= late)
			break;
		usleep(2000);
	}
	return f;
}

static void full_queue(struct peer *x)
{
	int fd = peer_connect(x);

	for (int i = 0; i < 10; i++)
		peer_request(fd, "wait");
	await_full(x, 4, 0);
	usleep(20000);
	EXPECT_EQ(4, await_full(x, 4, 0).delivered); /* the fifth waits for room */
	make_durable(x, 0);
	for (int i = 0; i < 10; i++)
		peer_expect_text(fd, "wait");
	close(fd);
}

TEST(deliver_waits_while_too_many_replies_are_queued)
{
	struct full f = {0};
	struct peer x = {.answer = answer_until_full,
			 .client = full_queue,
			 .start = orders_start,
			 .arg = &f};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB,
					   64 << 10,	4,	     3000};
	peer_run(&x);
	EXPECT_EQ(10, f.delivered);
}

/* ---- too much memory -------------------------------------------------------------------- */

enum { HEAVY_BYTES = 200 << 10, HEAVY_CLASS_BYTES = 256 << 10, HEAVY_MEMORY = 1 << 20 };

struct heavy {
	int delivered;
	uint64_t before, most;
	bool sliced; /* the bytes are in a buf of their own */
};

static int answer_heavily(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct heavy *f = x->arg;
	struct sl_reply *r = sl_reply_new(c, 2, 0, f->sliced ? 4 : HEAVY_BYTES + 4);
	int err;

	(void)body;
	(void)len;
	if (!r)
		return -ENOMEM;
	sl_store_be32(r->bytes, HEAVY_BYTES);
	if (f->sliced) {
		struct sl_buf *buf = sl_buf_new(HEAVY_BYTES);

		ASSERT_NOT_NULL(buf);
		memset(buf->data, 'x', HEAVY_BYTES);
		sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 4)));
		sl_reply_add(r, sl_part_slice(sl_slice_of(buf, 0, HEAVY_BYTES)));
		sl_buf_release(buf);
	} else {
		memset(r->bytes + 4, 'x', HEAVY_BYTES);
		sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, HEAVY_BYTES + 4)));
	}
	f->most = sl_max(f->most, sl_buf_bytes_used(x->core) - f->before);
	err = sl_deliver(r, SL_NEVER);
	f->delivered += !err;
	return err;
}

static void read_heavy(struct peer *x, void *arg)
{
	*(struct heavy *)arg = *(struct heavy *)x->arg;
}

/* Asks much and reads nothing until the server stands still; then reads it all. */
static void asks_and_waits(struct peer *x)
{
	enum { ASKED = 60 };
	int fd = peer_connect(x), same = 0;
	struct heavy seen = {0}, last = {0};
	char *body = calloc(1, HEAVY_BYTES);

	for (int i = 0; i < ASKED; i++)
		peer_request(fd, "more");
	while (same < 50) {
		usleep(2000);
		peer_do(x, read_heavy, &seen);
		same = seen.delivered && seen.delivered == last.delivered ? same + 1 : 0;
		last = seen;
	}
	EXPECT_GT(ASKED, seen.delivered);
	memset(body, 'x', HEAVY_BYTES);
	for (int i = 0; i < ASKED; i++)
		peer_expect(fd, body, HEAVY_BYTES);
	free(body);
	close(fd);
}

static void note_before(struct peer *x)
{
	((struct heavy *)x->arg)->before = sl_buf_bytes_used(x->core);
}

static void heavy_replies(bool sliced)
{
	struct heavy f = {.sliced = sliced};
	struct peer x = {.answer = answer_heavily,
			 .client = asks_and_waits,
			 .start = note_before,
			 .arg = &f};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, HEAVY_MEMORY,
					   64 << 10,	64,	     3000};
	peer_run(&x);
	EXPECT_EQ(60, f.delivered);
	EXPECT_LT(HEAVY_MEMORY / 2, f.most);
	/* Up to the limit, one reply beyond it, and the small things: windows, requests. */
	EXPECT_GE(HEAVY_MEMORY + 2 * HEAVY_CLASS_BYTES + SL_CONN_WINDOW_BYTES, f.most);
}

TEST(queued_replies_hold_bounded_memory)
{
	heavy_replies(false);
}

TEST(bufs_of_queued_replies_count_too)
{
	heavy_replies(true);
}

/* ---- too late --------------------------------------------------------------------------- */

static void late_queue(struct peer *x)
{
	int fd = peer_connect(x);

	for (int i = 0; i < 7; i++)
		peer_request(fd, "d");
	EXPECT_EQ(3, await_full(x, 4, 3).late);
	make_durable(x, 0);
	for (int i = 0; i < 7; i++)
		peer_expect_text(fd, "d");
	close(fd);
}

TEST(a_late_deliver_has_delivered_all_the_same)
{
	struct full f = {0};
	struct peer x = {.answer = answer_until_full,
			 .client = late_queue,
			 .start = orders_start,
			 .arg = &f};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB,
					   64 << 10,	4,	     3000};
	peer_run(&x);
	EXPECT_EQ(4, f.delivered);
	EXPECT_EQ(3, f.late);
}

static void ends_while_waiting(struct peer *x)
{
	int fd = peer_connect(x);
	struct linger now = {1, 0};

	for (int i = 0; i < 10; i++)
		peer_request(fd, "wait");
	usleep(20000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	usleep(20000);
	make_durable(x, 0);
}

TEST(deliver_ends_with_its_connection)
{
	struct full f = {0};
	struct peer x = {.answer = answer_until_full,
			 .client = ends_while_waiting,
			 .start = orders_start,
			 .arg = &f};

	x.limits = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB,
					   64 << 10,	4,	     3000};
	peer_run(&x);
}

/* ---- limits of a reply ------------------------------------------------------------------ */

static int answer_too_large(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;

	EXPECT_NULL(sl_reply_new(c, 1, 0, SL_BUF_BYTES_MAX + 1));
	EXPECT_NULL(sl_reply_new(c, UINT32_MAX, UINT32_MAX, 0));
	sl_reply_free(NULL);
	r = sl_reply_new(c, 2, 2, 100);
	EXPECT_EQ(2, r->parts_max);
	EXPECT_EQ(2, r->holds_max);
	EXPECT_EQ(100, r->bytes_max);
	sl_hold_settle(sl_reply_hold(r, tell_of_loss, NULL), 0);
	peer_add_extent(x, r, 0, 1);
	sl_reply_free(r); /* with its part, and its hold decided */
	r = sl_reply_new(c, 2, 2, 100);
	sl_hold_settle(sl_reply_hold(r, NULL, NULL), 0);
	sl_reply_abandon(r); /* nothing is undecided: the connection stays */
	return peer_echo(x, c, body, len);
}

static void one_ping(struct peer *x)
{
	int fd = peer_connect(x);

	peer_ping(fd, "ping");
	peer_ping(fd, "pong");
	close(fd);
}

TEST(a_reply_may_be_refused_or_given_up)
{
	peer_run(&(struct peer){.answer = answer_too_large, .client = one_ping});
}

TEST_HARNESS_MAIN
