/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: what is made of which files, and what is said of wrong ones. */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs.h"
#include "dataplane/dataplane.h"
#include "dataplane/tls_pvt.h"
#include "harness.h"

FIXTURE(tls)
{
	struct certs certs;
	struct sl_tls_conf conf;
	char why[400];
};

FIXTURE_SETUP(tls)
{
	certs_make(&self->certs, false);
	self->conf = (struct sl_tls_conf){.certificate = self->certs.server,
					  .key = self->certs.server_key};
}

FIXTURE_TEARDOWN(tls)
{
}

static int server(FIXTURE_DATA(tls) * self, struct sl_tls **ret_tls)
{
	return sl_tls_server_new(&self->conf, ret_tls, self->why, sizeof(self->why), SL_NEVER);
}

static void refused(FIXTURE_DATA(tls) * self, int err, const char *says, const char *path)
{
	struct sl_tls *tls = NULL;

	EXPECT_EQ(err, server(self, &tls));
	EXPECT_NULL(tls);
	if (!EXPECT_TRUE(strstr(self->why, says) && strstr(self->why, path)))
		TH_LOG("%s", self->why);
	EXPECT_EQ(0, ERR_peek_error());
}

TEST_F(tls, is_made_of_its_files)
{
	struct sl_tls *tls;

	self->conf.ca = self->certs.ca;
	self->conf.alpn = "h2,http/1.1";
	ASSERT_EQ(0, server(self, &tls));
	EXPECT_EQ(tls, sl_tls_retain(tls));
	sl_tls_free(tls);
	EXPECT_EQ(TLS1_2_VERSION, SSL_CTX_get_min_proto_version(tls->ctx));
	EXPECT_MEMEQ("\2h2\10http/1.1", tls->alpn, 12);
	sl_tls_free(tls);
	sl_tls_free(NULL);
	ASSERT_EQ(0, sl_tls_client_new(&(struct sl_tls_conf){.ca = self->certs.ca}, &tls,
				       self->why, sizeof(self->why), SL_NEVER));
	sl_tls_free(tls);
	ASSERT_EQ(0, sl_tls_client_new(&(struct sl_tls_conf){0}, &tls, self->why,
				       sizeof(self->why), SL_NEVER));
	sl_tls_free(tls);
}

TEST_F(tls, a_wrong_file_is_named_with_what_is_wrong)
{
	self->conf.certificate = "/nowhere/c.pem";
	refused(self, -ENOENT, "certificate", "/nowhere/c.pem: No such file");
	self->conf.certificate = self->certs.rubbish;
	refused(self, -EINVAL, "no certificate", self->certs.rubbish);
	self->conf.certificate = self->certs.server_key;
	refused(self, -EINVAL, "no certificate", self->certs.server_key);
	self->conf.certificate = self->certs.server;
	self->conf.key = self->certs.server;
	refused(self, -EINVAL, "passphrase", self->certs.server);
	self->conf.key = self->certs.other_key;
	refused(self, -EINVAL, "does not belong", self->certs.other_key);
	self->conf.key = self->certs.server_key;
	self->conf.ca = self->certs.rubbish;
	refused(self, -EINVAL, "authorities", self->certs.rubbish);
	self->conf.ca = self->certs.server_key;
	refused(self, -EINVAL, "authorities", self->certs.server_key);
}

TEST_F(tls, a_chain_is_read_to_its_end)
{
	char path[320], both[1200];
	struct sl_tls *tls;
	STACK_OF(X509) *chain = NULL;

	snprintf(path, sizeof(path), "%s/chain.pem", harness_tmpdir());
	snprintf(both, sizeof(both), "cat %s %s >%s", self->certs.server, self->certs.ca, path);
	ASSERT_EQ(0, system(both));
	self->conf.certificate = path;
	ASSERT_EQ(0, server(self, &tls));
	ASSERT_EQ(1, SSL_CTX_get0_chain_certs(tls->ctx, &chain));
	EXPECT_EQ(1, sk_X509_num(chain));
	sl_tls_free(tls);
	snprintf(both, sizeof(both), "cat %s >>%s", self->certs.rubbish, path);
	ASSERT_EQ(0, system(both));
	refused(self, -EINVAL, "behind the first", path);
}

TEST_F(tls, ciphers_of_both_versions_are_one_list)
{
	struct sl_tls *tls;

	self->conf.ciphers = "TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES128-GCM-SHA256, "
			     "TLS_CHACHA20_POLY1305_SHA256";
	ASSERT_EQ(0, server(self, &tls));
	EXPECT_EQ(3, sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(tls->ctx)));
	sl_tls_free(tls);
	self->conf.ciphers = "ROT13";
	refused(self, -EINVAL, "openssl ciphers", "ROT13");
	self->conf.ciphers = "TLS_ROT13";
	refused(self, -EINVAL, "openssl ciphers", "TLS_ROT13");
}

TEST(a_list_of_protocols_that_does_not_fit_is_none)
{
	uint8_t wire[8];

	EXPECT_EQ(3, tls_alpn_wire("h2", wire, sizeof(wire)));
	EXPECT_EQ(0, tls_alpn_wire("h2,http/1.1", wire, sizeof(wire)));
	EXPECT_EQ(0, tls_alpn_wire("", wire, sizeof(wire)));
	EXPECT_EQ(0, tls_alpn_wire(",", wire, sizeof(wire)));
}

TEST_HARNESS_MAIN
