// SPDX-License-Identifier: Apache-2.0
/*
 * A protocol that serves a connection for as long as it lasts, with fibers of its own: of each byte
 * that it is sent it answers 'e' at once, 'f' from a fiber, 's' by many replies, each of them made
 * when one before it was sent; 't' waits for a short deadline; the drain by 'D'.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "certs.h"
#include "peer.h"

enum { SENT_IN_A_ROW = 200, LARGE = 100000 };

struct session {
	struct sl_conn *conn;
	int fibers, done, left;
	bool short_wait;
};

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	return (ssize_t)have;
}

static int say(struct sl_conn *c, const char *text, size_t n, bool close)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, n);

	if (!r)
		return -ENOMEM;
	memcpy(r->bytes, text, n);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, n)));
	r->close = close;
	return sl_deliver(r, SL_NEVER);
}

/* Two pokes and no wait between them are one event; nothing is lost. */
static void work(void *arg)
{
	struct session *s = arg;

	sl_sleep(sl_now() + SL_MSEC);
	s->done++;
	sl_conn_poke(s->conn);
	sl_conn_poke(s->conn);
	s->fibers--;
}

static int take(struct session *s, uint8_t byte)
{
	switch (byte) {
	case 'f':
		s->fibers++;
		return sl_fiber_start(SL_STACK_SMALL, work, s);
	case 's':
		s->left = SENT_IN_A_ROW;
		return 0;
	case 't':
		s->short_wait = true;
		return 0;
	default:
		return say(s->conn, "e", 1, false);
	}
}

static int receive(struct session *s)
{
	const uint8_t *p;
	size_t n;
	int err = 0;

	while (!err && (n = sl_conn_next(s->conn, &p))) {
		err = take(s, *p);
		sl_conn_skip(s->conn, 1);
	}
	return err;
}

static int send_next(struct session *s)
{
	static const char large[LARGE];
	int err = 0;

	while (!err && s->left && sl_conn_queued(s->conn) < 2) {
		s->left--;
		err = say(s->conn, large, sizeof(large), false);
	}
	for (; !err && s->done; s->done--) {
		sl_conn_note_request(s->conn, SL_MSEC);
		err = say(s->conn, "F", 1, false);
	}
	return err;
}

static int serve(struct sl_conn *c)
{
	struct session s = {.conn = c};
	int err = 0;

	while (!err) {
		err = receive(&s);
		if (!err)
			err = send_next(&s);
		if (!err && sl_conn_ending(c) && !s.fibers && !s.left)
			return say(c, "D", 1, true);
		if (!err)
			err = sl_conn_wait_event(c, s.left > 0,
						 s.short_wait ? sl_now() + SL_MSEC : SL_NEVER);
		if (err == -ETIME) {
			s.short_wait = false;
			err = say(c, "t", 1, false);
		}
	}
	while (s.fibers)
		sl_sleep(sl_now() + SL_MSEC);
	return err;
}

static const struct sl_proto proto = {
	.name = "events", .stack = SL_STACK_SMALL, .need = need, .serve = serve};

/* ---- the client ----------------------------------------------------------------------------- */

FIXTURE(events)
{
	struct certs certs;
	struct sl_tls_conf conf;
	struct peer peer;
	SSL_CTX *client;
	int fd;
	SSL *ssl; /* NULL: plain */
};

FIXTURE_VARIANT(events)
{
	bool tls;
};

FIXTURE_VARIANT_ADD(events, plain){.tls = false};
FIXTURE_VARIANT_ADD(events, tls){.tls = true};

FIXTURE_SETUP(events)
{
	self->peer = (struct peer){.proto = &proto, .arg = self};
	if (!variant->tls)
		return;
	certs_make(&self->certs, false);
	self->conf = (struct sl_tls_conf){.certificate = self->certs.server,
					  .key = self->certs.server_key,
					  .seed = {1, 2, 3}};
	self->peer.tls = &self->conf;
	self->client = certs_client(&self->certs, false);
}

FIXTURE_TEARDOWN(events)
{
	SSL_CTX_free(self->client);
}

static FIXTURE_DATA(events) * fixture_of(const struct peer *x)
{
	return x->arg;
}

static void open_it(struct peer *x)
{
	FIXTURE_DATA(events) *self = fixture_of(x);

	self->fd = peer_connect(x);
	if (!self->client)
		return;
	self->ssl = certs_shake(self->client, self->fd);
	ASSERT_NOT_NULL(self->ssl);
}

static void close_it(FIXTURE_DATA(events) *self)
{
	SSL_free(self->ssl);
	self->ssl = NULL;
	close(self->fd);
}

static void say_bytes(FIXTURE_DATA(events) *self, const char *text)
{
	int n = (int)strlen(text);

	if (self->ssl)
		ASSERT_EQ(n, SSL_write(self->ssl, text, n));
	else
		peer_send(self->fd, text, (size_t)n);
}

static size_t hear_some(FIXTURE_DATA(events) *self, void *dst, size_t max)
{
	ssize_t n = self->ssl ? SSL_read(self->ssl, dst, (int)max) : read(self->fd, dst, max);

	ASSERT_LT(0, n);
	return (size_t)n;
}

static void expect_text(FIXTURE_DATA(events) *self, const char *text)
{
	char got[16] = {0};

	for (size_t i = 0; i < strlen(text); i++)
		hear_some(self, got + i, 1);
	EXPECT_STREQ(text, got);
}

/* ---- what wakes ----------------------------------------------------------------------------- */

static void talk(struct peer *x)
{
	FIXTURE_DATA(events) *self = fixture_of(x);
	static char data[LARGE];
	size_t left = (size_t)SENT_IN_A_ROW * LARGE;
	char c;

	open_it(x);
	say_bytes(self, "ee");
	expect_text(self, "ee");
	say_bytes(self, "t");
	expect_text(self, "t");
	for (int i = 0; i < 50; i++) {
		say_bytes(self, "fe");
		hear_some(self, &c, 1);
		EXPECT_TRUE(c == 'e' || c == 'F');
		hear_some(self, &c, 1);
	}
	say_bytes(self, "s");
	while (left)
		left -= hear_some(self, data, sl_min(left, sizeof(data)));
	say_bytes(self, "e");
	expect_text(self, "e");
	EXPECT_EQ(50, peer_metric(x, SL_M_REQUESTS, 0));
}

/* One that waits for nothing but events is woken by the drain. */
TEST_F(events, of_every_kind_wake)
{
	self->peer.client = talk;
	peer_run(&self->peer);
	expect_text(self, "D");
	close_it(self);
}

static void leave(struct peer *x)
{
	FIXTURE_DATA(events) *self = fixture_of(x);

	open_it(x);
	say_bytes(self, "ffff");
	close_it(self);
	open_it(x);
	say_bytes(self, "e");
	expect_text(self, "e");
	close_it(self);
	while (peer_metric(x, SL_M_CONNECTIONS, 0))
		usleep(1000);
}

TEST_F(events, are_peers_ends_too)
{
	self->peer.client = leave;
	peer_run(&self->peer);
}

/* "e" as it goes to the socket, not sent. Return: its length. */
static int seal(FIXTURE_DATA(events) *self, char *dst, int max)
{
	BIO *out;
	int n;

	*dst = 'e';
	if (!self->ssl)
		return 1;
	out = BIO_new(BIO_s_mem());
	ASSERT_NOT_NULL(out);
	SSL_set0_wbio(self->ssl, out);
	say_bytes(self, "e");
	n = BIO_read(out, dst, max);
	ASSERT_LT(1, n);
	return n;
}

/* Part of a record makes the socket readable, and brings no byte. */
static void speak_in_parts(struct peer *x)
{
	FIXTURE_DATA(events) *self = fixture_of(x);
	char record[200];

	open_it(x);
	say_bytes(self, "e");
	expect_text(self, "e");
	for (int i = 0; i < 5; i++) {
		int n = seal(self, record, sizeof(record)), at = 0;

		for (; at < 3 && at < n - 1; at++) {
			peer_send(self->fd, record + at, 1);
			usleep(5000);
		}
		peer_send(self->fd, record + at, (size_t)(n - at));
		expect_text(self, "e");
	}
	close_it(self);
}

TEST_F(events, need_not_come_at_once)
{
	self->peer.client = speak_in_parts;
	peer_run(&self->peer);
}

TEST_HARNESS_MAIN
