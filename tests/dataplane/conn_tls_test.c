/* SPDX-License-Identifier: Apache-2.0 */
/* Connections with TLS: what is served, who is let in, how they end, what breaks them. */
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "certs.h"
#include "dataplane/conn_pvt.h"
#include "peer.h"

FIXTURE(tls)
{
	struct certs certs;
	struct sl_tls_conf conf;
	struct peer peer;
	SSL_CTX *client;
};

FIXTURE_VARIANT(tls)
{
	int version;
	bool rsa, kernel;
	const char *ciphers;
};

FIXTURE_VARIANT_ADD(tls, 1_3){.version = TLS1_3_VERSION};
FIXTURE_VARIANT_ADD(tls, 1_3_kernel){.version = TLS1_3_VERSION, .kernel = true};
FIXTURE_VARIANT_ADD(tls, 1_3_kernel_aes_128){.version = TLS1_3_VERSION, .kernel = true,
					     .ciphers = "TLS_AES_128_GCM_SHA256"};
FIXTURE_VARIANT_ADD(tls, 1_3_kernel_chacha){.version = TLS1_3_VERSION, .kernel = true,
					    .ciphers = "TLS_CHACHA20_POLY1305_SHA256"};
FIXTURE_VARIANT_ADD(tls, 1_2){.version = TLS1_2_VERSION, .rsa = true};

FIXTURE_SETUP(tls)
{
	certs_make(&self->certs, variant->rsa);
	self->conf = (struct sl_tls_conf){.certificate = self->certs.server,
					  .key = self->certs.server_key,
					  .kernel = variant->kernel,
					  .ciphers = variant->ciphers,
					  .seed = {1, 2, 3}};
	self->peer = (struct peer){.tls = &self->conf, .arg = self};
	self->client = certs_client(&self->certs, false);
	SSL_CTX_set_max_proto_version(self->client, variant->version);
}

FIXTURE_TEARDOWN(tls)
{
	SSL_CTX_free(self->client);
}

static FIXTURE_DATA(tls) * fixture_of(const struct peer *x)
{
	return x->arg;
}

/* ---- the client ----------------------------------------------------------------------------- */

struct link {
	SSL *ssl;
	int fd;
};

static struct link shake_with(struct peer *x, SSL_CTX *ctx)
{
	struct link l = {.fd = peer_connect(x)};

	l.ssl = certs_shake(ctx, l.fd);
	return l;
}

static struct link shake(struct peer *x)
{
	struct link l = shake_with(x, fixture_of(x)->client);

	ASSERT_NOT_NULL(l.ssl);
	return l;
}

static void drop(struct link *l)
{
	SSL_free(l->ssl);
	close(l->fd);
	l->ssl = NULL;
}

static void say(const struct link *l, const void *p, size_t n)
{
	ASSERT_EQ((int)n, SSL_write(l->ssl, p, (int)n));
}

static void hear(const struct link *l, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		int got = SSL_read(l->ssl, (uint8_t *)p + done, (int)(n - done));

		ASSERT_LT(0, got);
		done += (size_t)got;
	}
}

static void request(const struct link *l, const char *body)
{
	uint8_t msg[4 + PEER_BODY_MAX];
	uint32_t len = (uint32_t)strlen(body);

	sl_store_be32(msg, len);
	memcpy(msg + 4, body, len);
	say(l, msg, 4 + len);
}

static void expect(const struct link *l, const void *body, size_t len)
{
	uint8_t head[4], *back = calloc(1, len + 1);

	ASSERT_TRUE(back != NULL);
	hear(l, head, 4);
	ASSERT_EQ(len, sl_load_be32(head));
	if (len)
		hear(l, back, len);
	EXPECT_TRUE(!memcmp(body, back, len));
	free(back);
}

static void ping(const struct link *l, const char *text)
{
	request(l, text);
	expect(l, text, strlen(text));
}

/* How the server ended: SSL_ERROR_ZERO_RETURN said that nothing follows. */
static int end_of(const struct link *l)
{
	char c;
	int n = SSL_read(l->ssl, &c, 1);
	int err = n > 0 ? 0 : SSL_get_error(l->ssl, n);

	ERR_clear_error();
	return err;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void pings(struct peer *x)
{
	struct link l = shake(x), other = shake(x);

	ping(&l, "first");
	ping(&other, "");
	ping(&l, "second");
	/* In pieces, and several at once. */
	say(&l, "\0", 1);
	say(&l, "\0\0", 2);
	say(&l, "\3ab", 3);
	ping(&other, "meanwhile");
	say(&l, "c\0\0\0\1d\0\0\0\1e", 11);
	expect(&l, "abc", 3);
	expect(&l, "d", 1);
	expect(&l, "e", 1);
	EXPECT_LE(2, peer_metric(x, SL_M_TLS_HANDSHAKES, 0));
	drop(&other);
	ping(&l, "third");
	drop(&l);
}

TEST_F(tls, requests_are_answered)
{
	self->peer.client = pings;
	peer_run(&self->peer);
	EXPECT_EQ(2, self->peer.closed);
}

/* "off len off len…": extents of the file behind each other, each after one byte of memory. */
static int answer_parts(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	uint64_t off[8], bytes[8], total = 0;
	struct sl_reply *r;
	uint32_t n = 0;
	int used;

	for (; n < 8 && sscanf(body, "%lu %lu%n", &off[n], &bytes[n], &used) == 2; n++) {
		total += bytes[n] + 1;
		body += used;
	}
	if (!n)
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 2 * n, 0, (uint32_t)total, "", 0);
	if (!r)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		sl_reply_add(r, sl_part_slice(sl_slice_borrow("|", 1)));
		peer_add_extent(x, r, off[i], bytes[i]);
	}
	return sl_deliver(r, SL_NEVER);
}

static void ask_parts(struct peer *x, const struct link *l, uint32_t n)
{
	char text[400] = "";
	uint8_t *want = malloc(8 * (SL_MIB + 1));
	size_t len = 0, at = 0;

	ASSERT_TRUE(want != NULL);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t bytes = 1 + harness_random() % (1 << harness_random() % 21);
		uint64_t off = harness_random() % (PEER_FILE_BYTES - bytes);

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%lu %lu ", off, bytes);
		want[len] = '|';
		memcpy(want + len + 1, x->bytes + off, bytes);
		len += bytes + 1;
	}
	request(l, text);
	expect(l, want, len);
	free(want);
}

/* Whether the kernel encrypts, which it must if it is asked to and has its module. */
static bool kernel_encrypts(struct peer *x)
{
	bool does = peer_metric(x, SL_M_TLS_KERNEL, 0);

	if (x->tls->kernel && !access("/sys/module/tls", F_OK))
		EXPECT_TRUE(does);
	return does;
}

static void mixed_parts(struct peer *x)
{
	struct link l = shake(x);

	for (int i = 0; i < 60; i++) {
		if (i % 4 == 3)
			peer_drop_once(x, 0, PEER_FILE_BYTES);
		ask_parts(x, &l, 1 + (uint32_t)harness_random() % 7);
	}
	if (kernel_encrypts(x)) {
		EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_TLS));
		EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_BYTES, SL_RUNG_SENDFILE));
	} else {
		EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_TLS));
		EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_BYTES, SL_RUNG_SENDFILE));
		EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_BYTES, SL_RUNG_SPLICE));
	}
	drop(&l);
}

TEST_F(tls, parts_of_every_size_arrive)
{
	self->peer.client = mixed_parts;
	self->peer.answer = answer_parts;
	peer_run(&self->peer);
}

/* ---- files that are mapped ------------------------------------------------------------------ */

static uint8_t *peer_map;

static int map_peer_file(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data)
{
	(void)file;
	(void)len;
	*ret_data = peer_map + off;
	return 0;
}

static void map_file(struct peer *x)
{
	peer_map = mmap(NULL, PEER_FILE_BYTES, PROT_READ, MAP_SHARED, x->file.fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)peer_map);
	x->file.map = map_peer_file;
}

static void unmap_file(struct peer *x)
{
	(void)x;
	munmap(peer_map, PEER_FILE_BYTES);
}

/* Of a file that is empty: who reads there gets a SIGBUS. */
static void map_what_fails(struct peer *x)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);

	ASSERT_LE(0, fd);
	peer_map = mmap(NULL, PEER_FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)peer_map);
	close(fd);
	x->file.map = map_peer_file;
}

static void refuse_to_map(struct peer *x)
{
	x->file.map = peer_map_nothing;
}

static void mapped_parts(struct peer *x)
{
	struct link l = shake(x);
	uint64_t mapped;

	for (int i = 0; i < 40; i++) {
		if (i % 10 == 9)
			peer_drop_once(x, 0, PEER_FILE_BYTES);
		ask_parts(x, &l, 1 + (uint32_t)harness_random() % 7);
	}
	mapped = peer_metric(x, SL_M_DELIVER_MAPPED, 0);
	if (kernel_encrypts(x))
		EXPECT_EQ(0, mapped);
	else
		EXPECT_LT(0, mapped);
	EXPECT_LE(mapped, peer_metric(x, SL_M_DELIVER_COPIED, 0));
	drop(&l);
}

TEST_F(tls, what_is_mapped_is_encrypted_where_it_lies)
{
	self->peer.client = mapped_parts;
	self->peer.answer = answer_parts;
	self->peer.start = map_file;
	self->peer.end = unmap_file;
	peer_run(&self->peer);
}

/* What arrives is read instead, and why is counted, for @reason alone. */
static void expect_read(struct peer *x, enum sl_fallback reason, enum sl_fallback other)
{
	struct link l = shake(x);

	for (int i = 0; i < 10; i++)
		ask_parts(x, &l, 1 + (uint32_t)harness_random() % 7);
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_MAPPED, 0));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, other));
	if (kernel_encrypts(x))
		EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, reason));
	else
		EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, reason));
	drop(&l);
}

static void unreadable_parts(struct peer *x)
{
	expect_read(x, SL_FALLBACK_UNREADABLE, SL_FALLBACK_MAP);
}

TEST_F(tls, what_is_mapped_and_cannot_be_read_there_is_copied)
{
	self->peer.client = unreadable_parts;
	self->peer.answer = answer_parts;
	self->peer.start = map_what_fails;
	self->peer.end = unmap_file;
	peer_run(&self->peer);
}

static void refused_parts(struct peer *x)
{
	expect_read(x, SL_FALLBACK_MAP, SL_FALLBACK_UNREADABLE);
}

TEST_F(tls, what_cannot_be_mapped_is_copied)
{
	self->peer.client = refused_parts;
	self->peer.answer = answer_parts;
	self->peer.start = refuse_to_map;
	peer_run(&self->peer);
}

static void cut_file(struct peer *x)
{
	struct link l = shake(x), other = shake(x);
	static const char part[] = "100000 500000";
	static uint8_t want[500001] = "|";

	memcpy(want + 1, x->bytes + 100000, sizeof(want) - 1);
	request(&l, part);
	expect(&l, want, sizeof(want));
	/* A moment after it was found: nobody looks again. */
	ASSERT_EQ(0, ftruncate(x->file.fd, 4096));
	request(&l, part);
	while (!end_of(&l))
		;
	ping(&other, "is served");
	if (!kernel_encrypts(x))
		EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_UNREADABLE));
	drop(&other);
	drop(&l);
}

TEST_F(tls, a_mapped_file_that_is_cut_short_ends_one_connection)
{
	self->peer.client = cut_file;
	self->peer.answer = answer_parts;
	self->peer.start = map_file;
	self->peer.end = unmap_file;
	peer_run(&self->peer);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int answer_slowly_sent(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	peer_small_socket(c);
	return answer_parts(x, c, body, len);
}

static void slow_reader(struct peer *x)
{
	struct link l = shake(x);

	for (int i = 0; i < 6; i++)
		ask_parts(x, &l, 4);
	drop(&l);
}

TEST_F(tls, a_full_socket_is_waited_for)
{
	self->peer.client = slow_reader;
	self->peer.answer = answer_slowly_sent;
	peer_run(&self->peer);
}

/* A body of 1 MiB, taken in place in uneven steps, is answered by its sum. */
enum { BODY_BYTES = 1 << 20 };

static ssize_t need_mark(struct sl_conn *c, const uint8_t *p, size_t have)
{
	return 1;
}

static int serve_body(struct sl_conn *c)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, 4);
	static uint8_t step[100000];
	uint32_t sum = 0;

	ASSERT_NOT_NULL(r);
	for (size_t done = 0; done < BODY_BYTES;) {
		size_t n = sl_min(sizeof(step), (size_t)BODY_BYTES - done);
		int err = sl_conn_read_all(c, step, n, sl_conn_read_deadline(c));

		if (err) {
			sl_reply_free(r);
			return err;
		}
		for (size_t i = 0; i < n; i++)
			sum = sum * 31 + step[i];
		done += n;
	}
	sl_store_be32(r->bytes, sum);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 4)));
	return sl_deliver(r, SL_NEVER);
}

static void closed_body(struct sl_conn *c)
{
	((struct peer *)sl_conn_arg(c))->closed++;
}

static const struct sl_proto body_proto = {.name = "body",
					   .alpn = "two,one",
					   .stack = SL_STACK_SMALL,
					   .need = need_mark,
					   .serve = serve_body,
					   .closed = closed_body};

static void bodies(struct peer *x)
{
	struct link l = shake(x);
	uint8_t *body = malloc(BODY_BYTES), back[4];

	ASSERT_TRUE(body != NULL);
	for (int i = 0; i < 3; i++) {
		uint32_t sum = 0;

		for (size_t j = 0; j < BODY_BYTES; j++) {
			body[j] = (uint8_t)harness_random();
			sum = sum * 31 + body[j];
		}
		say(&l, body, BODY_BYTES);
		hear(&l, back, 4);
		EXPECT_EQ(sum, sl_load_be32(back));
	}
	say(&l, body, 1000); /* a body that is cut: no answer, no leak */
	drop(&l);
	free(body);
}

TEST_F(tls, long_bodies_are_read_in_place)
{
	self->peer.client = bodies;
	self->peer.proto = &body_proto;
	peer_run(&self->peer);
	EXPECT_EQ(1, self->peer.closed);
}

/* A request that its handler looks at as a whole; the answer is its sum. */
enum { PEEK_BYTES = 60000, PEEK_STEP = 7000 };

static int serve_peek(struct sl_conn *c)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, 4);
	const uint8_t *p;
	uint32_t sum = 0;
	int err;

	ASSERT_NOT_NULL(r);
	err = sl_conn_peek(c, PEEK_BYTES, &p, sl_conn_read_deadline(c));
	if (err) {
		sl_reply_free(r);
		return err;
	}
	for (size_t i = 0; i < PEEK_BYTES; i++)
		sum = sum * 31 + p[i];
	sl_conn_skip(c, PEEK_BYTES);
	sl_store_be32(r->bytes, sum);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, 4)));
	return sl_deliver(r, SL_NEVER);
}

static const struct sl_proto peek_proto = {
	.name = "peek", .stack = SL_STACK_SMALL, .need = need_mark, .serve = serve_peek};

/* Each piece comes when the one before is used up, and waited for again. */
static void pieces(struct peer *x)
{
	struct link l = shake(x);
	uint8_t *body = malloc(PEEK_BYTES), back[4];
	uint64_t said = 0;

	ASSERT_TRUE(body != NULL);
	for (int i = 0; i < 3; i++) {
		uint32_t sum = 0;

		for (size_t j = 0; j < PEEK_BYTES; j++) {
			body[j] = (uint8_t)harness_random();
			sum = sum * 31 + body[j];
		}
		for (size_t at = 0; at < PEEK_BYTES; at += PEEK_STEP) {
			size_t n = sl_min((size_t)PEEK_STEP, PEEK_BYTES - at);

			say(&l, body + at, n);
			said += n;
			ASSERT_TRUE(peer_metric_reaches(x, SL_M_RECEIVE_BYTES, 0, said));
			usleep(1000);
		}
		hear(&l, back, 4);
		EXPECT_EQ(sum, sl_load_be32(back));
	}
	drop(&l);
	free(body);
}

TEST_F(tls, a_request_in_pieces_is_gathered)
{
	self->peer.client = pieces;
	self->peer.proto = &peek_proto;
	peer_run(&self->peer);
}

/* ---- who is let in -------------------------------------------------------------------------- */

static void only_known(struct peer *x)
{
	FIXTURE_DATA(tls) *self = fixture_of(x);
	SSL_CTX *known = certs_client(&self->certs, true);
	struct link l = shake_with(x, self->client);
	char c;

	/* By 1.3 a client learns of the refusal from its first read. */
	EXPECT_TRUE(!l.ssl || SSL_read(l.ssl, &c, 1) <= 0);
	ERR_clear_error();
	drop(&l);
	SSL_CTX_set_max_proto_version(known, SSL_CTX_get_max_proto_version(self->client));
	l = shake_with(x, known);
	ASSERT_NOT_NULL(l.ssl);
	ping(&l, "known");
	drop(&l);
	SSL_CTX_free(known);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_HANDSHAKE, 1));
}

TEST_F(tls, a_client_must_show_a_certificate_of_the_authority)
{
	self->conf.ca = self->certs.ca;
	self->peer.client = only_known;
	peer_run(&self->peer);
}

static void old_client(struct peer *x)
{
	FIXTURE_DATA(tls) *self = fixture_of(x);
	struct link l = shake_with(x, self->client);

	if (SSL_CTX_get_max_proto_version(self->client) == TLS1_2_VERSION)
		EXPECT_NULL(l.ssl);
	else
		ping(&l, "new enough");
	drop(&l);
}

TEST_F(tls, an_older_version_is_refused)
{
	self->conf.min_version = SL_TLS_1_3;
	self->peer.client = old_client;
	peer_run(&self->peer);
}

static void protocols(struct peer *x)
{
	static const struct {
		const char *wire, *chosen; /* NULL: refused */
	} cases[] = {{"\3one\3two", "two"}, {"\3one", "one"}, {"\5three", NULL}, {"", ""}};
	FIXTURE_DATA(tls) *self = fixture_of(x);

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		const unsigned char *name = NULL;
		unsigned int len = 0;
		struct link l;

		SSL_CTX_set_alpn_protos(self->client, (const uint8_t *)cases[i].wire,
					(unsigned int)strlen(cases[i].wire));
		l = shake_with(x, self->client);
		EXPECT_EQ(cases[i].chosen != NULL, l.ssl != NULL);
		if (l.ssl)
			SSL_get0_alpn_selected(l.ssl, &name, &len);
		if (cases[i].chosen)
			EXPECT_EQ(strlen(cases[i].chosen), len);
		if (len)
			EXPECT_MEMEQ(cases[i].chosen, name, len);
		drop(&l);
	}
}

TEST_F(tls, the_protocol_is_the_best_that_both_speak)
{
	self->conf.alpn = "two,one";
	self->peer.client = protocols;
	peer_run(&self->peer);
}

/* ---- sessions and reloads ------------------------------------------------------------------- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	SSL_SESSION_free(*kept);
	*kept = session;
	return 1;
}

static bool resumes(struct peer *x, SSL_SESSION **session)
{
	FIXTURE_DATA(tls) *self = fixture_of(x);
	struct link l = {.fd = peer_connect(x)};
	bool resumed;

	l.ssl = SSL_new(self->client);
	ASSERT_EQ(1, SSL_set_fd(l.ssl, l.fd));
	SSL_set_app_data(l.ssl, session);
	if (*session)
		ASSERT_EQ(1, SSL_set_session(l.ssl, *session));
	ASSERT_EQ(1, SSL_connect(l.ssl));
	ping(&l, "which brings the tickets");
	resumed = SSL_session_reused(l.ssl);
	ASSERT_NOT_NULL(*session);
	SSL_shutdown(l.ssl);
	drop(&l);
	return resumed;
}

static void secure_anew(struct peer *x, void *arg)
{
	sl_listener_secure(x->l, arg);
}

static struct sl_tls *context(const struct sl_tls_conf *conf)
{
	struct sl_tls *tls;
	char why[200];

	ASSERT_EQ(0, sl_tls_server_new(conf, &tls, why, sizeof(why), SL_NEVER));
	return tls;
}

static void sessions(struct peer *x)
{
	FIXTURE_DATA(tls) *self = fixture_of(x);
	struct sl_tls_conf other = self->conf;
	SSL_SESSION *session = NULL;

	SSL_CTX_set_session_cache_mode(self->client, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(self->client, keep_session);
	EXPECT_FALSE(resumes(x, &session));
	EXPECT_TRUE(resumes(x, &session));
	EXPECT_EQ(1, peer_metric(x, SL_M_TLS_RESUMED, 0));
	EXPECT_TRUE(resumes(x, &session));
	peer_do(x, secure_anew, context(&self->conf)); /* as another core's: the same seed */
	EXPECT_TRUE(resumes(x, &session));
	other.seed[0]++;
	peer_do(x, secure_anew, context(&other));
	EXPECT_FALSE(resumes(x, &session));
	SSL_SESSION_free(session);
}

TEST_F(tls, a_session_resumes_wherever_the_seed_is_the_same)
{
	self->peer.client = sessions;
	peer_run(&self->peer);
}

static void reloads(struct peer *x)
{
	FIXTURE_DATA(tls) *self = fixture_of(x);
	struct sl_tls_conf other = self->conf;
	struct link before = shake(x), after;

	other.certificate = self->certs.other;
	other.key = self->certs.other_key;
	peer_do(x, secure_anew, context(&other));
	ping(&before, "goes on");
	after = shake_with(x, self->client);
	EXPECT_NULL(after.ssl); /* for nobody knows who signed that one */
	drop(&after);
	peer_do(x, secure_anew, context(&self->conf));
	after = shake(x);
	ping(&after, "again");
	ping(&before, "still");
	drop(&after);
	drop(&before);
}

TEST_F(tls, a_new_certificate_is_for_new_connections)
{
	self->peer.client = reloads;
	peer_run(&self->peer);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static int answer_and_close(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	uint32_t bytes = strcmp(body, "much") ? len : PEER_FILE_BYTES;
	struct sl_reply *r = peer_reply(c, 1, 0, bytes, body, bytes == len ? len : 0);

	if (!r)
		return -ENOMEM;
	if (bytes != len)
		peer_add_extent(x, r, 0, bytes);
	r->close = true;
	return sl_deliver(r, SL_NEVER);
}

static void server_ends(struct peer *x)
{
	struct link l = shake(x);

	ping(&l, "last");
	EXPECT_EQ(SSL_ERROR_ZERO_RETURN, end_of(&l));
	EXPECT_EQ(1, SSL_shutdown(l.ssl));
	drop(&l);
	l = shake(x); /* its socket is full when the end is to be said */
	request(&l, "much");
	usleep(20000);
	expect(&l, x->bytes, PEER_FILE_BYTES);
	EXPECT_EQ(SSL_ERROR_ZERO_RETURN, end_of(&l));
	drop(&l);
}

TEST_F(tls, an_end_of_the_server_is_said)
{
	self->peer.client = server_ends;
	self->peer.answer = answer_and_close;
	peer_run(&self->peer);
	EXPECT_EQ(2, self->peer.closed);
}

static void client_ends(struct peer *x)
{
	struct link l = shake(x);

	ping(&l, "x");
	request(&l, "and");
	EXPECT_EQ(0, SSL_shutdown(l.ssl));
	expect(&l, "and", 3); /* one way only */
	EXPECT_EQ(SSL_ERROR_ZERO_RETURN, end_of(&l));
	drop(&l);
	l = shake(x);
	say(&l, "\0\0", 2);
	close(l.fd); /* in the middle, without a word */
	SSL_free(l.ssl);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_PEER, 2));
}

TEST_F(tls, ends_of_the_client_are_taken)
{
	self->peer.client = client_ends;
	peer_run(&self->peer);
}

/* Waits for what never comes, until the peer ends. */
static int answer_after_wait(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_waitq q;

	if (strcmp(body, "wait") != 0)
		return peer_echo(x, c, body, len);
	sl_waitq_init(&q);
	while (!sl_conn_ending(c))
		sl_conn_wait(c, &q, SL_NEVER);
	return peer_echo(x, c, body, len);
}

static void ends_while_waited(struct peer *x)
{
	struct link l = shake(x);

	request(&l, "wait");
	SSL_shutdown(l.ssl);
	expect(&l, "wait", 4);
	drop(&l);
	l = shake(x); /* more is there when it ends: that is served, too */
	request(&l, "wait");
	request(&l, "more");
	SSL_shutdown(l.ssl);
	shutdown(l.fd, SHUT_WR);
	expect(&l, "wait", 4);
	expect(&l, "more", 4);
	drop(&l);
}

TEST_F(tls, a_long_wait_ends_with_the_connection)
{
	self->peer.client = ends_while_waited;
	self->peer.answer = answer_after_wait;
	peer_run(&self->peer);
}

/* A request came while another one waited, and the connection goes on afterwards. */
static int answer_when_woken(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_waitq q;

	sl_waitq_init(&q);
	if (!strcmp(body, "wait"))
		EXPECT_EQ(-ETIME, sl_conn_wait(c, &q, sl_now() + 100 * SL_MSEC));
	return peer_echo(x, c, body, len);
}

static void goes_on(struct peer *x)
{
	struct link l = shake(x);

	for (int i = 0; i < 3; i++) {
		request(&l, "wait");
		request(&l, "ahead");
		expect(&l, "wait", 4);
		expect(&l, "ahead", 5);
		ping(&l, "later");
	}
	drop(&l);
}

TEST_F(tls, what_came_during_a_wait_is_served_afterwards)
{
	self->peer.client = goes_on;
	self->peer.answer = answer_when_woken;
	peer_run(&self->peer);
}

/* ---- what breaks them ----------------------------------------------------------------------- */

static void no_handshake(struct peer *x)
{
	int fd = peer_connect(x), silent = peer_connect(x);
	uint8_t garbage[2000];
	struct link l;

	peer_send(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	EXPECT_TRUE(peer_ends_after_all(fd));
	close(fd);
	for (int i = 0; i < 30; i++) {
		for (size_t j = 0; j < sizeof(garbage); j++)
			garbage[j] = (uint8_t)harness_random();
		if (i % 2)
			memcpy(garbage, "\x16\x03\x01\x02\x00\x01", 6); /* begins well */
		fd = peer_connect(x);
		send(fd, garbage, 1 + harness_random() % sizeof(garbage), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		EXPECT_TRUE(peer_ends_after_all(fd));
		close(fd);
	}
	close(silent);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_HANDSHAKE, 32));
	l = shake(x);
	ping(&l, "others are served");
	drop(&l);
}

TEST_F(tls, who_speaks_no_tls_is_sent_away)
{
	self->peer.client = no_handshake;
	peer_run(&self->peer);
}

static void count_fibers(struct peer *x, void *arg)
{
	*(uint32_t *)arg = x->core->fibers.count;
}

static void slow_handshakes(struct peer *x)
{
	int silent = peer_connect(x), begun = peer_connect(x);
	uint32_t fibers;

	peer_send(begun, "\x16\x03\x01", 3);
	peer_do(x, count_fibers, &fibers);
	EXPECT_EQ(1, fibers); /* the test's own */
	EXPECT_TRUE(peer_ends(silent));
	EXPECT_TRUE(peer_ends(begun));
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_HANDSHAKE, 2));
	close(silent);
	close(begun);
}

TEST_F(tls, a_slow_handshake_is_cut_and_holds_no_fiber)
{
	self->peer.limits = (struct sl_conn_limits){
		20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 1000, 3000,
		.handshake_ns = 100 * SL_MSEC};
	self->peer.client = slow_handshakes;
	peer_run(&self->peer);
}

static void broken_record(struct peer *x)
{
	struct link l = shake(x);

	ping(&l, "well");
	peer_send(l.fd, "\x17\x03\x03\x00\x20 this is not encrypted by anybody ", 37);
	EXPECT_EQ(SSL_ERROR_SSL, end_of(&l)); /* an alert */
	drop(&l);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_PROTOCOL, 1));
	l = shake(x);
	ping(&l, "others are served");
	drop(&l);
}

TEST_F(tls, a_broken_record_ends_the_connection_with_an_alert)
{
	self->peer.client = broken_record;
	peer_run(&self->peer);
}

static void once(struct peer *x)
{
	struct link l = shake_with(x, fixture_of(x)->client);
	char text[] = "\0\0\0\5hello", back[9];
	int n = 0;

	if (l.ssl && SSL_write(l.ssl, text, 9) == 9)
		while (n < 9) {
			int got = SSL_read(l.ssl, back + n, 9 - n);

			if (got <= 0)
				break;
			n += got;
		}
	if (n)
		EXPECT_TRUE(!memcmp(back, text, (size_t)n));
	if (l.ssl)
		SSL_shutdown(l.ssl);
	ERR_clear_error();
	drop(&l);
}

TEST_F_TIMEOUT(tls, each_failing_call_ends_one_connection_at_most, 120)
{
	const uint64_t ops = UINT64_C(1) << SL_OP_RECV | UINT64_C(1) << SL_OP_SEND |
			     UINT64_C(1) << SL_OP_POLL | UINT64_C(1) << SL_OP_SHUTDOWN;
	struct sl_faults f;
	uint64_t n;

	sl_faults_init(&f, NULL);
	f.ops = ops;
	self->peer.backend = &f.backend;
	self->peer.client = once;
	peer_run(&self->peer);
	n = f.count;
	ASSERT_LT(5, n);
	for (uint64_t i = 1; i <= n + 1; i++) {
		for (int how = 0; how < 2; how++) {
			sl_faults_init(&f, NULL);
			f.ops = ops;
			f.nth = i;
			f.err = how ? EIO : 0; /* or short */
			self->peer = (struct peer){.tls = &self->conf, .arg = self,
						   .backend = &f.backend, .client = once};
			peer_run(&self->peer);
		}
	}
}

TEST_HARNESS_MAIN
