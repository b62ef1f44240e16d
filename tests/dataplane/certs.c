/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests; interface: certs.h. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "certs.h"
#include "harness.h"

static EVP_PKEY *new_key(bool rsa)
{
	EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

	ASSERT_NOT_NULL(key);
	return key;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ASSERT_NOT_NULL(e);
	ASSERT_EQ(1, X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

/* @issuer NULL: signed by itself. */
static X509 *new_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
			     bool authority)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)(harness_random() >> 33));
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
	if (authority)
		add_extension(x, issuer ? issuer : x, NID_basic_constraints, "critical,CA:TRUE");
	else
		add_extension(x, issuer ? issuer : x, NID_subject_alt_name,
			      "DNS:localhost,IP:127.0.0.1,IP:::1");
	ASSERT_LT(0, X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()));
	return x;
}

static void path_of(char *dst, size_t size, const char *name)
{
	snprintf(dst, size, "%s/%s", harness_tmpdir(), name);
}

static void write_certificate(const char *path, X509 *x)
{
	FILE *f = fopen(path, "w");

	ASSERT_NOT_NULL(f);
	ASSERT_EQ(1, PEM_write_X509(f, x));
	fclose(f);
}

static void write_key(const char *path, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");

	ASSERT_NOT_NULL(f);
	ASSERT_EQ(1, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
}

static void write_pair(const char *name, const char *certificate, const char *key_path, bool rsa,
		       X509 *issuer, EVP_PKEY *issuer_key)
{
	EVP_PKEY *key = new_key(rsa);
	X509 *x = new_certificate(name, key, issuer, issuer_key, false);

	write_certificate(certificate, x);
	write_key(key_path, key);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certs_make(struct certs *c, bool rsa)
{
	EVP_PKEY *key = new_key(rsa);
	X509 *ca = new_certificate("authority", key, NULL, NULL, true);
	FILE *f;

	path_of(c->ca, sizeof(c->ca), "ca.pem");
	path_of(c->server, sizeof(c->server), "server.pem");
	path_of(c->server_key, sizeof(c->server_key), "server-key.pem");
	path_of(c->client, sizeof(c->client), "client.pem");
	path_of(c->client_key, sizeof(c->client_key), "client-key.pem");
	path_of(c->other, sizeof(c->other), "other.pem");
	path_of(c->other_key, sizeof(c->other_key), "other-key.pem");
	path_of(c->rubbish, sizeof(c->rubbish), "rubbish.pem");
	write_certificate(c->ca, ca);
	write_pair("server", c->server, c->server_key, rsa, ca, key);
	write_pair("client", c->client, c->client_key, rsa, ca, key);
	write_pair("nobody", c->other, c->other_key, rsa, NULL, NULL);
	f = fopen(c->rubbish, "w");
	ASSERT_NOT_NULL(f);
	fputs("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	X509_free(ca);
	EVP_PKEY_free(key);
}

SSL_CTX *certs_client(const struct certs *c, bool with_own)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	ASSERT_NOT_NULL(ctx);
	ASSERT_EQ(1, SSL_CTX_load_verify_locations(ctx, c->ca, NULL));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (with_own) {
		ASSERT_EQ(1, SSL_CTX_use_certificate_chain_file(ctx, c->client));
		ASSERT_EQ(1, SSL_CTX_use_PrivateKey_file(ctx, c->client_key, SSL_FILETYPE_PEM));
	}
	return ctx;
}

SSL *certs_shake(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	ASSERT_NOT_NULL(ssl);
	ASSERT_EQ(1, SSL_set_fd(ssl, fd));
	ASSERT_EQ(1, SSL_set1_host(ssl, "localhost"));
	if (SSL_connect(ssl) == 1)
		return ssl;
	ERR_clear_error();
	SSL_free(ssl);
	return NULL;
}
