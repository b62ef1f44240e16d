/* SPDX-License-Identifier: Apache-2.0 */
/* TLS inside the folder: contexts, session tickets, and one connection's state. */
#ifndef DATAPLANE_TLS_PVT_H
#define DATAPLANE_TLS_PVT_H

#include <openssl/ssl.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "buf.h"
#include "tls.h"

/* ---- tls_ticket.c ------------------------------------------------------------------------ */

/* Keys of session tickets: one encrypts, that and the one before decrypt. */
struct ticket_key {
	uint8_t name[16], aes[32], mac[32];
};

struct tickets {
	uint8_t seed[SL_TLS_SEED_BYTES]; /* of the next key */
	int64_t from_ns;
	int64_t epoch;
	struct ticket_key now, before;
	bool has_before;
};

void tickets_init(struct tickets *t, const uint8_t seed[SL_TLS_SEED_BYTES], int64_t from_ns);
void tickets_done(struct tickets *t);

/* Takes the keys of the time @now_ns. */
void tickets_turn(struct tickets *t, int64_t now_ns);

/* Has @ctx, whose tls_of() is there, use its keys. */
void tickets_use(SSL_CTX *ctx);

/* ---- tls.c ------------------------------------------------------------------------------ */

struct sl_tls {
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	uint32_t refs; /* atomic: its owner's and its connections' */
	struct tickets tickets;
	uint8_t alpn[64]; /* as on the wire */
	uint32_t alpn_len;
	bool kernel;
};

static inline struct sl_tls *tls_of(const SSL_CTX *ctx)
{
	return (struct sl_tls *)SSL_CTX_get_app_data(ctx);
}

/* "h2,http/1.1" as on the wire. Return: its length, 0 if it does not fit. */
uint32_t tls_alpn_wire(const char *text, uint8_t *dst, uint32_t max);

/* What OpenSSL's first error says, in words that live for ever; empties the queue. */
const char *tls_reason(void);

/* ---- tls_io.c --------------------------------------------------------------------------- */

/* What one tls_write() takes at most, as full records. */
enum { TLS_RECORD_BYTES = 16 << 10, TLS_WRITE_BYTES = 3 * TLS_RECORD_BYTES };

/**
 * struct tls - TLS over a socket that does not block.
 * @out: encrypted bytes that the socket did not take yet. @corked: gather there instead of sending.
 * @ready: the handshake is done. @failed: nothing may be said any more. @ended: the end was said.
 * @drained: the last read took all there was. @ahead: a byte is known to be there.
 * @hung_up: the peer will send no more than what is there. @cut: it ended without saying so.
 * @kernel: the kernel encrypts what is sent. @end_due: it has no room yet for the end that is said.
 * @secret, @secret_len, @records: for it, see tls_kernel.c.
 * @err: -errno of the socket. @reason: why it failed, or NULL.
 */
struct tls {
	SSL *ssl;
	struct sl_tls *from;
	int fd;
	struct sl_buf *out;
	uint32_t out_off, out_len;
	uint64_t received; /* bytes, encrypted */
	uint8_t secret[48];
	uint32_t secret_len;
	uint64_t records;
	bool corked, ready, failed, ended, drained, ahead, hung_up, cut, kernel, end_due;
	int err;
	const char *reason;
};

/* How OpenSSL reaches a struct tls; NULL: out of memory. */
BIO_METHOD *tls_bio_method(void);

/* Return: 0 or -ENOMEM. */
int tls_init(struct tls *t, struct sl_tls *tls, int fd, bool server);

/* Accepts a zeroed struct. */
void tls_done(struct tls *t);

/*
 * None of these parks or blocks. What they make ready to be sent and the socket does not take stays
 * in @out: tls_flush() goes on with it when there is room.
 */

/* Return: 0: done; -EAGAIN: when the peer has sent more; -errno. */
int tls_handshake(struct tls *t);

/* Return: bytes; 0: the peer said that it ends; -EAGAIN; -ECONNRESET also for a cut; -errno. */
ssize_t tls_read(struct tls *t, void *dst, size_t max);

/* The same without taking: whether a byte is there. Return: 1, 0, -EAGAIN, -errno. */
int tls_peek(struct tls *t);

/* Return: bytes taken, at least 1, if not all, then TLS_WRITE_BYTES; -EAGAIN; -errno. */
ssize_t tls_write(struct tls *t, const struct iovec *iov, int n);

/* Return: 0: nothing is left; -EAGAIN; -errno. */
int tls_flush(struct tls *t);

static inline bool tls_pending(const struct tls *t)
{
	return t->out || t->end_due;
}

/* Says that nothing follows, once. */
void tls_end(struct tls *t);

/* ---- tls_kernel.c ----------------------------------------------------------------------- */

/* Has handshakes of @ctx note what the kernel needs. */
void tls_kernel_prepare(SSL_CTX *ctx);

/**
 * tls_kernel_take() - after the handshake: the kernel encrypts what is sent from now on, which goes
 * to the socket as plain bytes.
 * Return: 0; -ENOENT: it has no TLS; -EOPNOTSUPP: not this version or cipher.
 */
int tls_kernel_take(struct tls *t);

/* The end, by the kernel. Return: 0, -EAGAIN or -errno. */
int tls_kernel_end(const struct tls *t);

bool tls_expand(const EVP_MD *md, const uint8_t *secret, size_t secret_len, const char *label,
		uint8_t *dst, size_t len);

#endif
