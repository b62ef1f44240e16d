/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS over one socket: OpenSSL between the caller's bytes and the socket's.
 *
 * Interface: tls_init(), tls_*() of tls_pvt.h. OpenSSL reaches the socket through a BIO of our own,
 * which goes by uring's table of operations and takes all that OpenSSL writes: what the socket has
 * no room for is kept in a buf. So a write never stops in the middle of a record, reading and
 * writing do not wait for each other, and several records leave by one call. Invariants: nothing
 * here parks, so that OpenSSL's error queue, which is the thread's, is empty whenever another fiber
 * runs; @out is there only while it holds bytes.
 *
 * Order of parts: the socket; outcomes; the calls.
 */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "core.h"
#include "mapped.h"
#include "tls_pvt.h"

enum {
	OUT_BYTES_MAX = 256 << 10,	 /* that a peer who does not read may make us hold */
	HANDSHAKE_BYTES_MAX = 256 << 10, /* that it may send before it is known */
};

/* ---- the socket ------------------------------------------------------------------------- */

/* Keeps @len more bytes. Return: 0 or -errno. */
static int keep(struct tls *t, const uint8_t *data, size_t len)
{
	size_t need = t->out_off + t->out_len + len;
	struct sl_buf *buf;

	if (!t->out || t->out->bytes < need) {
		if (t->out_len + len > OUT_BYTES_MAX)
			return -ENOBUFS;
		buf = sl_buf_new(sl_max(t->out_len + len, t->corked ? (size_t)64 << 10 : 0));
		if (!buf)
			return -ENOMEM;
		if (t->out)
			memcpy(buf->data, t->out->data + t->out_off, t->out_len);
		sl_buf_release(t->out);
		t->out = buf;
		t->out_off = 0;
	}
	memcpy(t->out->data + t->out_off + t->out_len, data, len);
	t->out_len += (uint32_t)len;
	return 0;
}

static int send_now(const struct tls *t, const uint8_t *data, size_t len)
{
	struct sl_io io;

	sl_io_send(&io, t->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sl_io_now(&io);
}

/* By the kernel. Return: as tls_flush(). */
static int say_end(struct tls *t)
{
	int err = tls_kernel_end(t);

	t->end_due = err == -EAGAIN;
	return err;
}

int tls_flush(struct tls *t)
{
	while (t->out) {
		int n = send_now(t, t->out->data + t->out_off, t->out_len);

		if (n <= 0)
			return n ? n : -EIO;
		t->out_off += (uint32_t)n;
		t->out_len -= (uint32_t)n;
		if (t->out_len)
			continue;
		sl_buf_release(t->out);
		t->out = NULL;
		t->out_off = 0;
	}
	return t->end_due ? say_end(t) : 0;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct tls *t = BIO_get_data(bio);
	const uint8_t *p = (const uint8_t *)data;
	size_t left = (size_t)len;

	if (t->kernel) /* whose records are ahead of OpenSSL's: nobody would understand this */
		return len;
	if (!t->corked && !t->out) {
		int n = send_now(t, p, left);

		if (n < 0 && n != -EAGAIN) {
			t->err = n;
			return -1;
		}
		if (n > 0) {
			p += n;
			left -= (size_t)n;
		}
	}
	if (left)
		t->err = keep(t, p, left);
	return t->err ? -1 : len;
}

static int bio_read(BIO *bio, char *dst, int max)
{
	struct tls *t = BIO_get_data(bio);
	struct sl_io io;
	int n;

	BIO_clear_retry_flags(bio);
	sl_io_recv(&io, t->fd, dst, (size_t)max, MSG_DONTWAIT);
	n = sl_io_now(&io);
	if (n > 0) {
		t->received += (uint64_t)n;
		if (t->ready || t->received <= HANDSHAKE_BYTES_MAX)
			return n;
		n = -EMSGSIZE;
	}
	if (n == -EAGAIN)
		BIO_set_retry_read(bio);
	else if (n)
		t->err = n;
	else
		t->cut = true;
	return n ? -1 : 0;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls *t = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP || (cmd == BIO_CTRL_EOF && t->cut);
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice");

	if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- outcomes --------------------------------------------------------------------------- */

/* Of a call that returned @ret <= 0. Return: 0: the peer's end, -EAGAIN, or another -errno. */
static int outcome(struct tls *t, int ret)
{
	switch (SSL_get_error(t->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		t->drained = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		break;
	}
	t->failed = true;
	if (t->err) {
		ERR_clear_error();
		return t->err;
	}
	if (t->cut) {
		ERR_clear_error();
		return -ECONNRESET;
	}
	t->reason = tls_reason();
	return -EPROTO;
}

/* ---- the calls -------------------------------------------------------------------------- */

int tls_init(struct tls *t, struct sl_tls *tls, int fd, bool server)
{
	BIO *bio = BIO_new(tls->bio);

	*t = (struct tls){.ssl = SSL_new(tls->ctx), .fd = fd};
	if (!bio || !t->ssl) {
		BIO_free(bio);
		SSL_free(t->ssl);
		t->ssl = NULL;
		ERR_clear_error();
		return -ENOMEM;
	}
	t->from = sl_tls_retain(tls);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	if (server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return 0;
}

void tls_done(struct tls *t)
{
	SSL_free(t->ssl);
	sl_tls_free(t->from);
	sl_buf_release(t->out);
	*t = (struct tls){0};
	ERR_clear_error();
}

int tls_handshake(struct tls *t)
{
	int ret, err;

	ERR_clear_error();
	t->drained = false;
	ret = SSL_do_handshake(t->ssl);
	if (ret == 1) {
		t->ready = true;
		return 0;
	}
	err = outcome(t, ret);
	return err ? err : -ECONNRESET;
}

ssize_t tls_read(struct tls *t, void *dst, size_t max)
{
	size_t n;
	int ret;

	if (t->failed)
		return -ECONNRESET;
	ERR_clear_error();
	t->drained = t->ahead = false;
	ret = SSL_read_ex(t->ssl, dst, max, &n);
	return ret == 1 ? (ssize_t)n : outcome(t, ret);
}

int tls_peek(struct tls *t)
{
	uint8_t byte;
	size_t n;
	int ret;

	if (t->failed)
		return -ECONNRESET;
	ERR_clear_error();
	t->drained = false;
	ret = SSL_peek_ex(t->ssl, &byte, 1, &n);
	if (ret != 1)
		return outcome(t, ret);
	t->ahead = true;
	return 1;
}

/* Where a write is in its vectors. */
struct source {
	const struct iovec *iov;
	int n;
	size_t off; /* in the first */
};

static size_t bytes_left(const struct source *s)
{
	size_t bytes = 0;

	for (int i = 0; i < s->n; i++)
		bytes += s->iov[i].iov_len;
	return bytes - s->off;
}

static void skip(struct source *s, size_t bytes)
{
	s->off += bytes;
	while (s->n && s->off >= s->iov->iov_len) {
		s->off -= s->iov->iov_len;
		s->iov++;
		s->n--;
	}
}

/* The next @len bytes in one piece: where they lie, or gathered in @room. */
static const uint8_t *piece(struct source *s, uint8_t *room, size_t len)
{
	size_t done = 0;
	const uint8_t *p;

	if (s->iov->iov_len - s->off >= len) {
		p = (const uint8_t *)s->iov->iov_base + s->off;
		skip(s, len);
		return p;
	}
	while (done < len) {
		size_t step = sl_min(s->iov->iov_len - s->off, len - done);

		memcpy(room + done, (const uint8_t *)s->iov->iov_base + s->off, step);
		skip(s, step);
		done += step;
	}
	return room;
}

/* Encrypts what @s has, as full records. Return: 0 or -errno. */
static int encrypt_records(struct tls *t, struct source *s, uint8_t *room, size_t bytes)
{
	while (bytes) {
		size_t len = sl_min(bytes, (size_t)TLS_RECORD_BYTES), n;
		int ret;

		ERR_clear_error();
		ret = SSL_write_ex(t->ssl, piece(s, room, len), len, &n);
		if (ret != 1) {
			int err = outcome(t, ret);

			return err && err != -EAGAIN ? err : -EPIPE;
		}
		SL_ASSERT(n == len); /* the BIO takes everything */
		bytes -= len;
	}
	return 0;
}

struct encrypting {
	struct tls *t;
	struct source *s;
	uint8_t *room;
	size_t bytes;
	int err;
};

static void encrypt_all(void *arg)
{
	struct encrypting *e = arg;

	e->err = encrypt_records(e->t, e->s, e->room, e->bytes);
}

/* The same; what it reads may be mapped. Of a record that is left in the middle nothing is sent. */
static int encrypt(struct tls *t, struct source *s, uint8_t *room, size_t bytes)
{
	struct encrypting e = {t, s, room, bytes, 0};
	int err = sl_mapped_try(encrypt_all, &e);

	t->failed |= err;
	return err ? err : e.err;
}

ssize_t tls_write(struct tls *t, const struct iovec *iov, int n)
{
	struct source s = {.iov = iov, .n = n};
	struct sl_buf *room;
	size_t bytes;
	int err = t->failed || t->ended ? -EPIPE : tls_flush(t);

	if (err)
		return err;
	skip(&s, 0);
	bytes = sl_min(bytes_left(&s), (size_t)TLS_WRITE_BYTES);
	if (!bytes)
		return 0;
	room = s.n > 1 ? sl_buf_new(TLS_RECORD_BYTES) : NULL;
	if (s.n > 1 && !room)
		return -ENOMEM;
	t->corked = bytes > TLS_RECORD_BYTES;
	err = encrypt(t, &s, room ? room->data : NULL, bytes);
	t->corked = false;
	sl_buf_release(room);
	if (!err)
		err = tls_flush(t);
	return err && err != -EAGAIN ? err : (ssize_t)bytes;
}

void tls_end(struct tls *t)
{
	if (!t->ready || t->failed || t->ended)
		return;
	t->ended = true;
	if (t->kernel)
		say_end(t);
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
}
