/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of session tickets, the same on every core without a word between them.
 *
 * Interface: tickets_*() of tls_pvt.h. Each key comes from a seed, and so does the next seed: cores
 * that begin with the same one have the same keys at the same time. A seed is overwritten by the
 * next, so that no key can be made again once its time is over. A key encrypts for TURN_NS and
 * decrypts for as long again.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "core.h"
#include "tls_pvt.h"

#define TURN_NS (12 * 3600 * SL_SEC)

/* SHA-256 of @seed and @what; without memory for it nothing could be encrypted. */
static void derive(const uint8_t *seed, const char *what, uint8_t *dst, size_t len)
{
	uint8_t in[SL_TLS_SEED_BYTES + 8] = {0}, out[32];
	size_t n = strlen(what);

	SL_ASSERT(n <= 8 && len <= sizeof(out));
	memcpy(in, seed, SL_TLS_SEED_BYTES);
	memcpy(in + SL_TLS_SEED_BYTES, what, n);
	SL_ASSERT(EVP_Digest(in, sizeof(in), out, NULL, EVP_sha256(), NULL));
	memcpy(dst, out, len);
	OPENSSL_cleanse(in, sizeof(in));
	OPENSSL_cleanse(out, sizeof(out));
}

static void make_key(struct tickets *t)
{
	derive(t->seed, "name", t->now.name, sizeof(t->now.name));
	derive(t->seed, "aes", t->now.aes, sizeof(t->now.aes));
	derive(t->seed, "mac", t->now.mac, sizeof(t->now.mac));
	derive(t->seed, "next", t->seed, sizeof(t->seed));
}

void tickets_init(struct tickets *t, const uint8_t seed[SL_TLS_SEED_BYTES], int64_t from_ns)
{
	*t = (struct tickets){.from_ns = from_ns};
	memcpy(t->seed, seed, SL_TLS_SEED_BYTES);
	make_key(t);
}

void tickets_done(struct tickets *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
}

void tickets_turn(struct tickets *t, int64_t now_ns)
{
	int64_t epoch = (now_ns - t->from_ns) / TURN_NS;

	while (t->epoch < epoch) {
		t->before = t->now;
		t->has_before = true;
		make_key(t);
		t->epoch++;
	}
}

static int set_keys(const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
		    EVP_MAC_CTX *mac, bool encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac,
						  sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"sha256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, encrypt) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* Return, as OpenSSL wants it: -1 failed; 0 unknown ticket; 1 fine; 2 fine, and renew it. */
static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		   EVP_MAC_CTX *mac, int encrypt)
{
	struct tickets *t = &tls_of(SSL_get_SSL_CTX(ssl))->tickets;
	const struct ticket_key *k = &t->now;

	tickets_turn(t, sl_now());
	if (encrypt) {
		memcpy(name, k->name, sizeof(k->name));
		sl_random(iv, 16);
		return set_keys(k, iv, cipher, mac, true) ? 1 : -1;
	}
	if (memcmp(name, k->name, sizeof(k->name)) != 0) {
		k = &t->before;
		if (!t->has_before || memcmp(name, k->name, sizeof(k->name)) != 0)
			return 0;
	}
	if (!set_keys(k, iv, cipher, mac, false))
		return -1;
	/* By TLS 1.3 a ticket is used once. */
	return k == &t->now && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

void tickets_use(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_key);
	SSL_CTX_set_timeout(ctx, (long)(TURN_NS / SL_SEC));
}
