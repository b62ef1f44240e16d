/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts: files read, rules set.
 *
 * Interface: tls.h. Files are read through dataplane/file.h and handed to OpenSSL as memory. A
 * context goes with its last connection, which may have moved to another core: so its references
 * are counted atomically.
 *
 * Order of parts: words; files; rules; protocols; the calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "file.h"
#include "tls_pvt.h"

/* Of one made now: what goes on, and where a failure is told. */
struct making {
	const struct sl_tls_conf *conf;
	struct sl_tls *tls;
	char *why;
	size_t why_len;
	int64_t deadline;
};

/* ---- words ------------------------------------------------------------------------------ */

const char *tls_reason(void)
{
	unsigned long err = ERR_peek_error();
	const char *words = err ? ERR_reason_error_string(err) : NULL;

	ERR_clear_error();
	return words ? words : "broken TLS";
}

static int refuse_file(const struct making *m, const char *what, const char *path, int err,
		       const char *cause)
{
	snprintf(m->why, m->why_len, "%s %s: %s", what, path, cause);
	ERR_clear_error();
	return err;
}

static bool given(const char *text)
{
	return text && text[0];
}

/* ---- files ------------------------------------------------------------------------------ */

enum { FILE_BYTES_MAX = 4 << 20 };

struct pem {
	uint8_t *p;
	size_t len;
	BIO *bio;
};

static void pem_close(struct pem *f)
{
	BIO_free(f->bio);
	OPENSSL_cleanse(f->p, f->len);
	free(f->p);
}

static int pem_open(const struct making *m, const char *what, const char *path,
		    struct pem *ret_pem)
{
	struct pem f = {.p = malloc(FILE_BYTES_MAX)};
	ssize_t n = f.p ? sl_read_file(AT_FDCWD, path, f.p, FILE_BYTES_MAX, m->deadline) : -ENOMEM;

	if (n >= 0) {
		f.len = (size_t)n;
		f.bio = BIO_new_mem_buf(f.p, (int)n);
	}
	if (f.bio) {
		*ret_pem = f;
		return 0;
	}
	pem_close(&f);
	return refuse_file(m, what, path, n < 0 ? (int)n : -ENOMEM,
			   n == -EACCES ? "Permission denied; the user that the daemon runs as "
					  "must be able to read it"
			   : n < 0	? strerror((int)-n)
					: strerror(ENOMEM));
}

static X509 *next_certificate(struct pem *f)
{
	return PEM_read_bio_X509(f->bio, NULL, NULL, NULL);
}

/* Whether the file ended in order, rather than in something that is no certificate. */
static bool ended(void)
{
	unsigned long err = ERR_peek_last_error();

	return ERR_GET_LIB(err) == ERR_LIB_PEM && ERR_GET_REASON(err) == PEM_R_NO_START_LINE;
}

static int use_chain(const struct making *m, struct pem *f)
{
	SSL_CTX *ctx = m->tls->ctx;
	const char *path = m->conf->certificate;
	X509 *x = next_certificate(f);

	if (!x)
		return refuse_file(m, "certificate", path, -EINVAL,
				   "holds no certificate in PEM form");
	if (SSL_CTX_use_certificate(ctx, x) != 1) {
		X509_free(x);
		return refuse_file(m, "certificate", path, -EINVAL, tls_reason());
	}
	X509_free(x);
	while ((x = next_certificate(f)))
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			return refuse_file(m, "certificate", path, -EINVAL, tls_reason());
		}
	if (!ended())
		return refuse_file(m, "certificate", path, -EINVAL,
				   "one of those behind the first cannot be read");
	ERR_clear_error();
	return 0;
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int use_key(const struct making *m, struct pem *f)
{
	const char *path = m->conf->key;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(f->bio, NULL, no_passphrase, NULL);
	int ok;

	if (!key)
		return refuse_file(m, "key", path, -EINVAL,
				   "holds no private key in PEM form, or an encrypted one; store "
				   "it without a passphrase");
	ok = SSL_CTX_use_PrivateKey(m->tls->ctx, key);
	EVP_PKEY_free(key);
	if (ok == 1 && SSL_CTX_check_private_key(m->tls->ctx) == 1)
		return 0;
	snprintf(m->why, m->why_len, "key %s does not belong to the first certificate of %s: %s",
		 path, m->conf->certificate, tls_reason());
	return -EINVAL;
}

static int use_authorities(const struct making *m, struct pem *f)
{
	X509_STORE *store = SSL_CTX_get_cert_store(m->tls->ctx);
	int n = 0;
	X509 *x;

	for (; (x = next_certificate(f)); n++) {
		int ok = X509_STORE_add_cert(store, x) == 1 &&
			 SSL_CTX_add_client_CA(m->tls->ctx, x) == 1;

		X509_free(x);
		if (!ok)
			return refuse_file(m, "authorities", m->conf->ca, -EINVAL, tls_reason());
	}
	if (!n || !ended())
		return refuse_file(m, "authorities", m->conf->ca, -EINVAL,
				   n ? "one of them cannot be read"
				     : "holds no certificate in PEM form");
	ERR_clear_error();
	return 0;
}

static int with_file(const struct making *m, const char *what, const char *path,
		     int (*use)(const struct making *m, struct pem *f))
{
	struct pem f;
	int err = pem_open(m, what, path, &f);

	if (err)
		return err;
	err = use(m, &f);
	pem_close(&f);
	return err;
}

static int use_own(const struct making *m)
{
	int err = with_file(m, "certificate", m->conf->certificate, use_chain);

	return err ? err : with_file(m, "key", m->conf->key, use_key);
}

/* ---- rules ------------------------------------------------------------------------------ */

/* Of TLS 1.2: a key of its own for each session, and encryption that is authenticated. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Splits the setting: names of 1.3 begin with TLS_. */
static int set_ciphers(const struct making *m)
{
	const char *text = m->conf->ciphers;
	char old[1000] = "", new[1000] = "";

	if (!given(text))
		return SSL_CTX_set_cipher_list(m->tls->ctx, CIPHERS_1_2) == 1 ? 0 : -ENOMEM;
	while (*text) {
		size_t len = strcspn(text, ":, ");
		char *list = strncmp(text, "TLS_", 4) ? old : new;
		size_t at = strlen(list);

		if (len)
			snprintf(list + at, sizeof(old) - at, "%s%.*s", at ? ":" : "", (int)len,
				 text);
		text += len + (text[len] != 0);
	}
	if ((!old[0] || SSL_CTX_set_cipher_list(m->tls->ctx, old) == 1) &&
	    (!new[0] || SSL_CTX_set_ciphersuites(m->tls->ctx, new) == 1))
		return 0;
	ERR_clear_error();
	snprintf(m->why, m->why_len, "ciphers %s: OpenSSL knows none of these, or not one of those "
		 "of TLS 1.3; `openssl ciphers -v` lists them", m->conf->ciphers);
	return -EINVAL;
}

static int set_rules(const struct making *m)
{
	SSL_CTX *ctx = m->tls->ctx;

	SSL_CTX_set_min_proto_version(ctx, m->conf->min_version == SL_TLS_1_3 ? TLS1_3_VERSION
									      : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	return set_ciphers(m);
}

/* ---- protocols -------------------------------------------------------------------------- */

uint32_t tls_alpn_wire(const char *text, uint8_t *dst, uint32_t max)
{
	uint32_t n = 0;

	while (*text) {
		size_t len = strcspn(text, ",");

		if (!len || len > 255 || n + 1 + len > max)
			return 0;
		dst[n++] = (uint8_t)len;
		memcpy(dst + n, text, len);
		n += (uint32_t)len;
		text += len + (text[len] == ',');
	}
	return n;
}

/* The first of ours that the client offers. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
			   const unsigned char *offered, unsigned int offered_len, void *arg)
{
	const struct sl_tls *tls = arg;
	unsigned char *name;

	if (SSL_select_next_proto(&name, ret_len, tls->alpn, tls->alpn_len, offered,
				  offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- the calls -------------------------------------------------------------------------- */

struct sl_tls *sl_tls_retain(struct sl_tls *tls)
{
	__atomic_fetch_add(&tls->refs, 1, __ATOMIC_RELAXED);
	return tls;
}

void sl_tls_free(struct sl_tls *tls)
{
	if (!tls || __atomic_fetch_sub(&tls->refs, 1, __ATOMIC_ACQ_REL) > 1)
		return;
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->bio);
	tickets_done(&tls->tickets);
	free(tls);
}

static int make(struct making *m, const SSL_METHOD *method)
{
	struct sl_tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return -ENOMEM;
	m->tls = tls;
	tls->refs = 1;
	tls->bio = tls_bio_method();
	tls->ctx = SSL_CTX_new(method);
	if (!tls->bio || !tls->ctx || SSL_CTX_set_app_data(tls->ctx, tls) != 1)
		return -ENOMEM;
	return set_rules(m);
}

static int server_rules(struct making *m)
{
	const struct sl_tls_conf *conf = m->conf;
	struct sl_tls *tls = m->tls;
	int err = use_own(m);

	if (err)
		return err;
	if (given(conf->ca)) {
		err = with_file(m, "authorities", conf->ca, use_authorities);
		if (err)
			return err;
		SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
	}
	if (given(conf->alpn)) {
		tls->alpn_len = tls_alpn_wire(conf->alpn, tls->alpn, sizeof(tls->alpn));
		SL_ASSERT(tls->alpn_len);
		SSL_CTX_set_alpn_select_cb(tls->ctx, choose_protocol, tls);
	}
	/* Whom a ticket let in once is let in again wherever its keys are the same. */
	if (SSL_CTX_set_session_id_context(tls->ctx, (const uint8_t *)"sluice", 6) != 1)
		return -ENOMEM;
	tickets_init(&tls->tickets, conf->seed, conf->seed_ns);
	tickets_use(tls->ctx);
	tls->kernel = conf->kernel;
	if (conf->kernel)
		tls_kernel_prepare(tls->ctx);
	return 0;
}

static int client_rules(struct making *m)
{
	const struct sl_tls_conf *conf = m->conf;
	int err = given(conf->certificate) ? use_own(m) : 0;

	if (err)
		return err;
	SSL_CTX_set_verify(m->tls->ctx, SSL_VERIFY_PEER, NULL);
	if (given(conf->ca))
		return with_file(m, "authorities", conf->ca, use_authorities);
	return SSL_CTX_set_default_verify_paths(m->tls->ctx) == 1 ? 0 : -ENOMEM;
}

static int finish(struct making *m, int err, struct sl_tls **ret_tls)
{
	if (!err) {
		*ret_tls = m->tls;
		return 0;
	}
	sl_tls_free(m->tls);
	ERR_clear_error();
	if (!m->why[0])
		snprintf(m->why, m->why_len, "%s", strerror(-err));
	return err;
}

int sl_tls_server_new(const struct sl_tls_conf *conf, struct sl_tls **ret_tls, char *why,
		      size_t why_len, int64_t deadline)
{
	struct making m = {.conf = conf, .why = why, .why_len = why_len, .deadline = deadline};
	int err;

	why[0] = 0;
	err = make(&m, TLS_server_method());
	if (!err)
		err = server_rules(&m);
	return finish(&m, err, ret_tls);
}

int sl_tls_client_new(const struct sl_tls_conf *conf, struct sl_tls **ret_tls, char *why,
		      size_t why_len, int64_t deadline)
{
	struct making m = {.conf = conf, .why = why, .why_len = why_len, .deadline = deadline};
	int err;

	why[0] = 0;
	err = make(&m, TLS_client_method());
	if (!err)
		err = client_rules(&m);
	return finish(&m, err, ret_tls);
}
