/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS in the kernel: what is sent is encrypted there, so that files go to the socket by themselves.
 *
 * Interface: tls_kernel_*() of tls_pvt.h. The handshake is OpenSSL's; its secret for what we send,
 * and the number of records that were sent with it, are noted on the way, and when the handshake is
 * done the kernel takes over from there. TLS 1.3 alone: by 1.2 the kernel would have to guess which
 * nonces were used. What comes is still decrypted here. OpenSSL then has nothing to send any more
 * but an answer to a change of the peer's keys, which the peer gets on without, and alerts, of
 * which close_notify goes by the kernel, too.
 *
 * Order of parts: what is noted; keys; the kernel; the end.
 */
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <string.h>

#include "core.h"
#include "tls_pvt.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* ---- what is noted ---------------------------------------------------------------------- */

static struct tls *tls_of_ssl(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

static int nibble(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* "SERVER_TRAFFIC_SECRET_0 <random> <secret>", when it begins to be used. */
static void note_secret(const SSL *ssl, const char *line)
{
	static const char what[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct tls *t = tls_of_ssl(ssl);
	const char *hex = strrchr(line, ' ');
	size_t n;

	if (strncmp(line, what, sizeof(what) - 1) != 0)
		return;
	n = strlen(++hex) / 2;
	if (n > sizeof(t->secret))
		return;
	for (size_t i = 0; i < n; i++)
		t->secret[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	t->secret_len = (uint32_t)n;
	t->records = 0;
}

static void note_record(int sent, int version, int type, const void *p, size_t len, SSL *ssl,
			void *arg)
{
	(void)version;
	(void)p;
	(void)len;
	(void)arg;
	if (sent && type == SSL3_RT_HEADER)
		tls_of_ssl(ssl)->records++;
}

void tls_kernel_prepare(SSL_CTX *ctx)
{
	SSL_CTX_set_keylog_callback(ctx, note_secret);
	SSL_CTX_set_msg_callback(ctx, note_record);
}

/* ---- keys ------------------------------------------------------------------------------- */

/* HKDF-Expand-Label of RFC 8446, without a context. */
bool tls_expand(const EVP_MD *md, const uint8_t *secret, size_t secret_len, const char *label,
		uint8_t *dst, size_t len)
{
	uint8_t info[32] = {0, (uint8_t)len, (uint8_t)(6 + strlen(label))};
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)EVP_MD_get0_name(md), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
						  10 + strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	ok = ctx && EVP_KDF_derive(ctx, dst, len, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

/* As the kernel wants them. */
union crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm_128;
	struct tls12_crypto_info_aes_gcm_256 gcm_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

struct keys {
	uint8_t key[32], iv[12], seq[8];
};

static bool derive(const struct tls *t, const SSL_CIPHER *cipher, size_t key_len, struct keys *k)
{
	const EVP_MD *md = SSL_CIPHER_get_handshake_digest(cipher);

	for (int i = 0; i < 8; i++)
		k->seq[i] = (uint8_t)(t->records >> (56 - 8 * i));
	return md && tls_expand(md, t->secret, t->secret_len, "key", k->key, key_len) &&
	       tls_expand(md, t->secret, t->secret_len, "iv", k->iv, sizeof(k->iv));
}

#define FILL(to, k)                                                                                \
	do {                                                                                       \
		memcpy((to)->key, (k)->key, sizeof((to)->key));                                    \
		memcpy((to)->salt, (k)->iv, sizeof((to)->salt));                                   \
		memcpy((to)->iv, (k)->iv + sizeof((to)->salt), sizeof((to)->iv));                  \
		memcpy((to)->rec_seq, (k)->seq, sizeof((to)->rec_seq));                            \
	} while (0)

/* Return: how long @ret_info is, 0: no cipher that the kernel knows. */
static socklen_t crypto_of(const struct tls *t, union crypto_info *ret_info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	union crypto_info c = {.info.version = TLS_1_3_VERSION};
	socklen_t len = 0;
	struct keys k;

	switch (SSL_CIPHER_get_id(cipher)) {
	case TLS1_3_CK_AES_128_GCM_SHA256:
		c.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		if (derive(t, cipher, sizeof(c.gcm_128.key), &k))
			len = sizeof(c.gcm_128);
		FILL(&c.gcm_128, &k);
		break;
	case TLS1_3_CK_AES_256_GCM_SHA384:
		c.info.cipher_type = TLS_CIPHER_AES_GCM_256;
		if (derive(t, cipher, sizeof(c.gcm_256.key), &k))
			len = sizeof(c.gcm_256);
		FILL(&c.gcm_256, &k);
		break;
	case TLS1_3_CK_CHACHA20_POLY1305_SHA256:
		c.info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		if (derive(t, cipher, sizeof(c.chacha.key), &k))
			len = sizeof(c.chacha);
		memcpy(c.chacha.key, k.key, sizeof(c.chacha.key));
		memcpy(c.chacha.iv, k.iv, sizeof(c.chacha.iv));
		memcpy(c.chacha.rec_seq, k.seq, sizeof(c.chacha.rec_seq));
		break;
	default:
		break;
	}
	OPENSSL_cleanse(&k, sizeof(k));
	*ret_info = c;
	return len;
}

/* ---- the kernel ------------------------------------------------------------------------- */

int tls_kernel_take(struct tls *t)
{
	union crypto_info info;
	socklen_t len = 0;
	int err = 0;

	SSL_set_msg_callback(t->ssl, NULL);
	if (t->secret_len && SSL_version(t->ssl) == TLS1_3_VERSION && !tls_pending(t))
		len = crypto_of(t, &info);
	OPENSSL_cleanse(t->secret, sizeof(t->secret));
	if (!len)
		return -EOPNOTSUPP;
	if (setsockopt(t->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err = -ENOENT;
	else if (setsockopt(t->fd, SOL_TLS, TLS_TX, &info, len))
		err = -EOPNOTSUPP;
	else
		t->kernel = true;
	OPENSSL_cleanse(&info, sizeof(info));
	return err;
}

/* ---- the end ---------------------------------------------------------------------------- */

int tls_kernel_end(const struct tls *t)
{
	enum { ALERT = 21, WARNING = 1, CLOSE_NOTIFY = 0 };
	uint8_t alert[2] = {WARNING, CLOSE_NOTIFY};
	struct iovec iov = {alert, sizeof(alert)};
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(1)];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct sl_io io;
	int n;

	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(c) = ALERT;
	sl_io_sendmsg(&io, t->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	n = sl_io_now(&io);
	return sl_min(n, 0);
}
