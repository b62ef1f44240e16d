/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: certificate, key and rules, from which connections are made.
 *
 * A struct sl_tls is made whole from files and not changed afterwards; a reload makes another one,
 * for new connections. Each core has its own, so that none shares OpenSSL's counts and locks.
 */
#ifndef DATAPLANE_TLS_H
#define DATAPLANE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_tls;

/* tls.min_version; in the order of its ONEOF. */
enum sl_tls_version { SL_TLS_1_2, SL_TLS_1_3 };

enum { SL_TLS_SEED_BYTES = 32 };

/**
 * struct sl_tls_conf - what to make one of; strings may be NULL or "" where that has a meaning.
 * @certificate: PEM file: the certificate, then those that lead to its authority. Needed by
 *	servers; clients show one if they have it. @key: PEM file of its private key.
 * @ca: PEM file of authorities. Servers: clients must show a certificate of one of them; none: they
 *	need not show any. Clients: who may sign the peer's; none: those that the system trusts.
 * @ciphers: OpenSSL's names, separated by colons, those of TLS 1.3 among them; none: all of TLS
 *	1.3, of 1.2 those with forward secrecy and authenticated encryption.
 * @alpn: servers: the protocols that may be chosen, best first ("h2,http/1.1"); none: whatever the
 *	client offers is passed over.
 * @seed: servers: from which keys of session tickets are made; contexts with the same seed and
 *	@seed_ns, the time at which it was drawn, take each other's tickets.
 * @kernel: servers: let the kernel encrypt what is sent, where it can.
 */
struct sl_tls_conf {
	const char *certificate;
	const char *key;
	const char *ca;
	const char *ciphers;
	const char *alpn;
	enum sl_tls_version min_version;
	uint8_t seed[SL_TLS_SEED_BYTES];
	int64_t seed_ns;
	bool kernel;
};

/**
 * sl_tls_server_new(), sl_tls_client_new() - read the files and make a context. Parks a fiber,
 * blocks a thread without one.
 * Return: 0; -errno with the file, the cause and the cure in @why.
 */
int sl_tls_server_new(const struct sl_tls_conf *conf, struct sl_tls **ret_tls, char *why,
		      size_t why_len, int64_t deadline);
int sl_tls_client_new(const struct sl_tls_conf *conf, struct sl_tls **ret_tls, char *why,
		      size_t why_len, int64_t deadline);

/* One more owner, on any core. */
struct sl_tls *sl_tls_retain(struct sl_tls *tls);

/* Connections that were made of it go on. Accepts NULL. */
void sl_tls_free(struct sl_tls *tls);

#endif
