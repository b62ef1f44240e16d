/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, made in harness_tmpdir(): an authority, a server's for localhost and
 * 127.0.0.1, a client's, a server's of nobody (signed by itself), and plain rubbish. And a thread's
 * client of TLS, which is OpenSSL's own.
 */
#ifndef TESTS_DATAPLANE_CERTS_H
#define TESTS_DATAPLANE_CERTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Paths of PEM files. */
struct certs {
	char ca[300];
	char server[300], server_key[300];
	char client[300], client_key[300];
	char other[300], other_key[300];
	char rubbish[300];
};

/* By ECDSA; @rsa: by RSA with 2048 bits. */
void certs_make(struct certs *c, bool rsa);

/* A client's context that trusts the authority; @with_own: and shows the client's certificate. */
SSL_CTX *certs_client(const struct certs *c, bool with_own);

/* TLS over @fd, connected and shaken hands; NULL if that failed. SSL_free() leaves @fd open. */
SSL *certs_shake(SSL_CTX *ctx, int fd);

#endif
