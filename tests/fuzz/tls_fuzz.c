// SPDX-License-Identifier: Apache-2.0
/*
 * What a client sends to a server of TLS, and a server to a client: arbitrary bytes, in pieces. The
 * first byte chooses the side, the second the length of a piece.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/assert.h>

#include "dataplane/dataplane.h"
#include "dataplane/tls_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A context with a certificate of its own, made once. */
static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	SL_ASSERT(ctx && key && x);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	SL_ASSERT(X509_sign(x, key, EVP_sha256()) > 0);
	SL_ASSERT(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	SSL_CTX_set_read_ahead(ctx, 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

/* As far as what came allows. */
static int step(struct tls *t)
{
	uint8_t buf[1000];
	int res = t->ready ? 0 : tls_handshake(t);

	while (!res && t->ready) {
		ssize_t n = tls_read(t, buf, sizeof(buf));

		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
	}
	SL_ASSERT(res < 0);
	return res;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sl_tls tls;
	struct tls t;
	size_t piece;
	int fd[2], res = -EAGAIN;

	if (size < 2)
		return 0;
	if (!tls.ctx) {
		tls = (struct sl_tls){.ctx = context(), .bio = tls_bio_method(), .refs = 1};
		SL_ASSERT(tls.bio);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		abort();
	SL_ASSERT(!tls_init(&t, &tls, fd[0], data[0] & 1));
	piece = 1 + (size_t)data[1] * 16;
	data += 2;
	size -= 2;
	if (!(data[-2] & 1))
		step(&t); /* a client speaks first */
	while (size && res == -EAGAIN) {
		size_t n = sl_min(size, piece);

		if (send(fd[1], data, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			break;
		data += n;
		size -= n;
		res = step(&t);
	}
	close(fd[1]);
	if (res == -EAGAIN)
		SL_ASSERT(step(&t) != -EAGAIN); /* an end is an end */
	tls_end(&t);
	tls_done(&t);
	close(fd[0]);
	return 0;
}
