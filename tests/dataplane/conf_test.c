// SPDX-License-Identifier: Apache-2.0
/* Settings: defaults, what they must be as a whole, reload. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf_fixture.h"

TEST_F(conf, defaults_are_as_documented)
{
	struct sl_conf *c = &self->conf;

	EXPECT_EQ(0, c->node.cores.count);
	EXPECT_STREQ("data", c->node.datadir);
	EXPECT_EQ(SL_DURABILITY_GROUP, c->node.durability);
	EXPECT_FALSE(c->node.insecure);
	EXPECT_EQ(SL_LOG_LOGFMT, c->node.log_format);
	ASSERT_EQ(1, c->kafka.listen.n);
	EXPECT_EQ(9092, ntohs(c->kafka.listen.addrs[0].in4.sin_port));
	EXPECT_TRUE(sl_conf_addr_is_loopback(&c->kafka.listen.addrs[0]));
	EXPECT_EQ(1048588, c->kafka.max_batch_bytes);
	EXPECT_EQ(SL_GIB, c->log.segment_bytes);
	EXPECT_EQ(0, c->log.retention_bytes);
	EXPECT_EQ(604800000, c->log.retention_ms);
	EXPECT_EQ(600 * SL_SEC, c->conn.idle_timeout_ns);
	EXPECT_EQ(0, sl_conf_check(c, &self->heard.report));
}

TEST_F(conf, every_row_has_a_help_sentence)
{
	for (int i = 0; i < SL_CONF_LAST; i++) {
		const struct sl_conf_key *k = sl_conf_key((enum sl_conf_id)i);

		EXPECT_EQ('.', k->help[strlen(k->help) - 1]);
		EXPECT_NOT_NULL(sl_conf_section_help(k->section));
	}
}

TEST_F(conf, other_addresses_than_loopback_need_insecure)
{
	ASSERT_EQ(0, conf_parse(self, "[kafka]\nlisten = 127.0.0.1:9092, *:9093\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	ASSERT_EQ(1, self->heard.n);
	EXPECT_STREQ("a.conf:2: kafka.listen = 0.0.0.0:9093 can be reached from other machines, "
		     "without encryption or authentication; listen on 127.0.0.1 or [::1], add it "
		     "to tls.listeners and set tls.client_ca, or set node.insecure = yes",
		     self->heard.text[0]);
	ASSERT_EQ(0, sl_conf_set(&self->conf, "node.insecure=yes", &self->heard.report));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, other_addresses_need_tls_and_known_clients)
{
	ASSERT_EQ(0,
		  conf_parse(self, "[kafka]\nlisten = *:9092\n[http]\nlisten = *:8080\n"
				   "[tls]\nlisteners = kafka, http\ncertificate = c\nkey = k\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_EQ(2, self->heard.n);
	EXPECT_TRUE(strstr(self->heard.text[0], "without authentication"));
	ASSERT_EQ(0, sl_conf_set(&self->conf, "http.keys=f", &self->heard.report));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_EQ(3, self->heard.n); /* keys are of HTTP alone */
	EXPECT_TRUE(strstr(self->heard.text[2], "kafka.listen"));
	ASSERT_EQ(0, sl_conf_set(&self->conf, "tls.client_ca=a", &self->heard.report));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
	ASSERT_EQ(0, sl_conf_set(&self->conf, "tls.listeners=kafka", &self->heard.report));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, who_is_encrypted_exists_and_has_a_certificate)
{
	ASSERT_EQ(0, conf_parse(self, "[tls]\nlisteners = kafka http\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_TRUE(strstr(self->heard.text[0], "a.conf:2: tls.listeners = kafka http needs "
						"tls.certificate and tls.key"));
	EXPECT_TRUE(sl_conf_encrypts(&self->conf, "http"));
	EXPECT_FALSE(sl_conf_encrypts(&self->conf, "static"));
	EXPECT_FALSE(sl_conf_encrypts(&self->conf, "kaf"));
	ASSERT_EQ(0, sl_conf_set(&self->conf, "tls.listeners=kafka,log", &self->heard.report));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_TRUE(strstr(self->heard.text[1], "names log"));
}

TEST_F(conf, loopback_is_told_from_other_addresses)
{
	static const char *const inside[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1",
					     "[::ffff:127.0.0.1]:1"};
	static const char *const outside[] = {"*:1",	     "[::]:1",	    "10.0.0.1:1",
					      "128.0.0.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"};
	char set[64];

	for (size_t i = 0; i < SL_ARRAY_SIZE(inside); i++) {
		snprintf(set, sizeof(set), "http.listen=%s", inside[i]);
		ASSERT_EQ(0, sl_conf_set(&self->conf, set, &self->heard.report));
		EXPECT_TRUE(sl_conf_addr_is_loopback(&self->conf.http.listen.addrs[0]));
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(outside); i++) {
		snprintf(set, sizeof(set), "http.listen=%s", outside[i]);
		ASSERT_EQ(0, sl_conf_set(&self->conf, set, &self->heard.report));
		EXPECT_FALSE(sl_conf_addr_is_loopback(&self->conf.http.listen.addrs[0]));
	}
}

TEST_F(conf, two_listeners_cannot_share_an_address)
{
	ASSERT_EQ(0, conf_parse(self, "[http]\nlisten = 127.0.0.1:9092\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: kafka.listen and http.listen both listen on 127.0.0.1:9092",
		     self->heard.text[0]);
	ASSERT_EQ(0,
		  conf_parse(self, "[http]\nlisten = 127.0.0.1:0\n[kafka]\nlisten=127.0.0.1:0\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, static_files_need_their_folder)
{
	ASSERT_EQ(0, conf_parse(self, "[static]\nlisten = 127.0.0.1:8081\nmax_age = 90s\n"));
	EXPECT_EQ(1, self->conf.statics.listen.n);
	EXPECT_EQ(90 * SL_SEC, self->conf.statics.max_age_ns);
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: static.listen = 127.0.0.1:8081 needs static.root, the folder whose "
		     "files are served",
		     self->heard.text[0]);
	ASSERT_EQ(0, sl_conf_set(&self->conf, "static.root=/srv", &self->heard.report));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("/srv", self->conf.statics.root);
}

TEST_F(conf, blocks_of_the_cache_are_a_power_of_two)
{
	ASSERT_EQ(0, conf_parse(self, "[cache]\nblock_size = 12K\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: cache.block_size = 12K is not a power of two; 4K, 8K, 16K, 32K and "
		     "64K are", self->heard.text[0]);
	ASSERT_EQ(0, conf_parse(self, "[cache]\nblock_size = 16K\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, a_listener_cannot_have_the_port_of_a_core)
{
	ASSERT_EQ(0,
		  conf_parse(self, "[kafka]\ncore_ports = 9090-9095\nlisten = 127.0.0.1:9092\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:3: kafka.listen has port 9092, which is among kafka.core_ports = "
		     "9090-9095", self->heard.text[0]);
	ASSERT_EQ(0, conf_parse(self, "[kafka]\ncore_ports = 9093-9095\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, limits_that_contradict_each_other_are_refused)
{
	ASSERT_EQ(0, conf_parse(self, "[kafka]\nmax_batch_bytes = 200M\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: kafka.max_batch_bytes = 200M is above kafka.max_request_bytes = "
		     "100M",
		     self->heard.text[0]);
}

TEST_F(conf, reload_takes_over_what_it_may_and_names_the_rest)
{
	struct sl_conf next;

	ASSERT_EQ(0, sl_conf_init(&next));
	ASSERT_EQ(0, sl_conf_set(&next, "node.log_level=debug", &self->heard.report));
	ASSERT_EQ(0, sl_conf_set(&next, "node.datadir=/elsewhere", &self->heard.report));
	ASSERT_EQ(0, sl_conf_set(&next, "log.segment_bytes=1024M", &self->heard.report));
	EXPECT_EQ(1, sl_conf_reload(&self->conf, &next, &self->heard.report));
	EXPECT_EQ(4, next.node.log_level);
	EXPECT_STREQ("data", next.node.datadir);
	ASSERT_EQ(2, self->heard.n);
	EXPECT_EQ(SL_CONF_WARNING, self->heard.severity[0]);
	EXPECT_STREQ("--set: node.datadir = /elsewhere needs a restart; data stays in force",
		     self->heard.text[0]);
	EXPECT_EQ(SL_CONF_NOTICE, self->heard.severity[1]);
	EXPECT_STREQ("--set: node.log_level is now debug, was info", self->heard.text[1]);
	sl_conf_done(&next);
}

TEST(done_accepts_null_and_a_zeroed_struct)
{
	struct sl_conf conf = {0};

	sl_conf_done(NULL);
	sl_conf_done(&conf);
	EXPECT_EQ(0, conf.files_n);
}

TEST_HARNESS_MAIN
