// SPDX-License-Identifier: Apache-2.0
/* Settings: files, drop-ins, --set, what is refused and how, reload. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/conf.h"
#include "harness.h"

#define TEXTS_MAX 16

/* Reports heard, in order. */
struct heard {
	struct sl_conf_report report;
	int n;
	enum sl_conf_severity severity[TEXTS_MAX];
	char text[TEXTS_MAX][1024];
};

static void hear(void *arg, enum sl_conf_severity severity, const char *text)
{
	struct heard *h = arg;

	ASSERT_GT(TEXTS_MAX, h->n);
	h->severity[h->n] = severity;
	snprintf(h->text[h->n], sizeof(h->text[0]), "%s", text);
	h->n++;
}

FIXTURE(conf)
{
	struct sl_conf conf;
	struct heard heard;
};
FIXTURE_SETUP(conf)
{
	self->heard.report = (struct sl_conf_report){.fn = hear, .arg = &self->heard};
	ASSERT_EQ(0, sl_conf_init(&self->conf));
}
FIXTURE_TEARDOWN(conf)
{
	sl_conf_done(&self->conf);
}

static int parse(FIXTURE_DATA(conf) * self, const char *text)
{
	return sl_conf_parse(&self->conf, "a.conf", text, strlen(text), true, &self->heard.report);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs(text, f);
	fclose(f);
}

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

TEST_F(conf, a_file_overrides_defaults)
{
	ASSERT_EQ(0, parse(self, "; comment\n# comment\n\n[node]\ncores = 0-3,6 ; inline\n"
				 "durability=each\n[log]\nsegment_bytes: 64M\n"
				 "retention_ms = 1h\n[conn]\nidle_timeout=off\n"));
	EXPECT_EQ(0, self->heard.n);
	EXPECT_TRUE(self->conf.node.cores.is_list);
	EXPECT_EQ(5, self->conf.node.cores.count);
	EXPECT_EQ(0x4f, self->conf.node.cores.mask[0]);
	EXPECT_EQ(SL_DURABILITY_EACH, self->conf.node.durability);
	EXPECT_EQ(64 * SL_MIB, self->conf.log.segment_bytes);
	EXPECT_EQ(3600000, self->conf.log.retention_ms);
	EXPECT_EQ(0, self->conf.conn.idle_timeout_ns);
}

TEST_F(conf, an_indented_line_is_a_setting_of_its_own)
{
	ASSERT_EQ(0, parse(self, "[kafka]\n  node_id = 7\n\tadvertised = db1:9092\n"));
	EXPECT_EQ(7, self->conf.kafka.node_id);
	EXPECT_STREQ("db1", self->conf.kafka.advertised.host);
	EXPECT_EQ(9092, self->conf.kafka.advertised.port);
}

TEST_F(conf, a_bad_value_names_file_line_key_value_and_what_is_allowed)
{
	EXPECT_EQ(-EINVAL, parse(self, "[log]\n\nsegment_bytes = 12X\n"));
	ASSERT_EQ(1, self->heard.n);
	EXPECT_STREQ("a.conf:3: log.segment_bytes = \"12X\" is not understood; allowed: bytes, or "
		     "with K, M, G or T, 64K to 2147483647",
		     self->heard.text[0]);
	EXPECT_EQ(SL_GIB, self->conf.log.segment_bytes);
}

TEST_F(conf, every_mistake_of_a_file_is_reported)
{
	EXPECT_EQ(-EINVAL, parse(self, "[node]\ndurability = maybe\nlog_level = loud\n"
				       "[conn]\nmax = 0\nnonsense\n"));
	ASSERT_EQ(4, self->heard.n);
	EXPECT_EQ(4, self->heard.report.errors);
	EXPECT_STREQ("a.conf:2: node.durability = \"maybe\" is not understood; allowed: group, "
		     "each or none",
		     self->heard.text[0]);
	EXPECT_STREQ("a.conf:5: conn.max = \"0\" is out of range; allowed: a whole number, 1 to "
		     "10000000",
		     self->heard.text[2]);
	EXPECT_STREQ("a.conf:6: not a [section], key = value or comment (the first such line)",
		     self->heard.text[3]);
}

TEST_F(conf, an_unknown_key_is_an_error_when_strict_and_a_warning_when_not)
{
	static const char text[] = "[kafka]\nnode_idd = 3\n[pgg]\nlisten = off\n";

	EXPECT_EQ(-EINVAL, parse(self, text));
	ASSERT_EQ(2, self->heard.n);
	EXPECT_STREQ("a.conf:2: unknown setting kafka.node_idd", self->heard.text[0]);
	EXPECT_EQ(SL_CONF_ERROR, self->heard.severity[0]);
	EXPECT_EQ(0, sl_conf_parse(&self->conf, "b.conf", text, strlen(text), false,
				   &self->heard.report));
	ASSERT_EQ(4, self->heard.n);
	EXPECT_EQ(SL_CONF_WARNING, self->heard.severity[3]);
	EXPECT_STREQ("b.conf:4: unknown setting pgg.listen is ignored", self->heard.text[3]);
}

TEST_F(conf, a_key_before_any_section_is_unknown)
{
	EXPECT_EQ(-EINVAL, parse(self, "listen = off\n"));
	EXPECT_STREQ("a.conf:1: unknown setting (no section).listen", self->heard.text[0]);
}

TEST_F(conf, an_overlong_line_is_refused_and_not_cut)
{
	char text[400] = "[node]\ndatadir = /";

	memset(text + strlen(text), 'x', 300);
	EXPECT_EQ(-EINVAL, parse(self, text));
	EXPECT_STREQ("a.conf:2: the line is too long (at most 198 characters)",
		     self->heard.text[0]);
	EXPECT_STREQ("data", self->conf.node.datadir);
}

TEST_F(conf, the_longest_line_is_read_whole)
{
	static const char head[] = "datadir = /";
	char text[400] = "[node]\ndatadir = /";

	memset(text + strlen(text), 'x', 198 - strlen(head));
	EXPECT_EQ(0, parse(self, text));
	EXPECT_EQ(198 - strlen("datadir = "), strlen(self->conf.node.datadir));
}

TEST_F(conf, a_zero_byte_is_refused)
{
	static const char text[] = "[node]\nuser = a\0b\n";

	EXPECT_EQ(-EINVAL, sl_conf_parse(&self->conf, "a.conf", text, sizeof(text) - 1, true,
					 &self->heard.report));
	EXPECT_STREQ("", self->conf.node.user);
}

TEST_F(conf, set_takes_section_key_and_value)
{
	EXPECT_EQ(0, sl_conf_set(&self->conf, "kafka.listen = 127.0.0.1:0", &self->heard.report));
	EXPECT_EQ(0, ntohs(self->conf.kafka.listen.addrs[0].in4.sin_port));
	EXPECT_EQ(-EINVAL, sl_conf_set(&self->conf, "kafka.listen", &self->heard.report));
	EXPECT_EQ(-EINVAL, sl_conf_set(&self->conf, "listen=off", &self->heard.report));
	EXPECT_EQ(-EINVAL, sl_conf_set(&self->conf, "conn.max=many", &self->heard.report));
	ASSERT_EQ(3, self->heard.n);
	EXPECT_STREQ("--set: conn.max = \"many\" is not understood; allowed: a whole number, 1 to "
		     "10000000",
		     self->heard.text[2]);
}

TEST_F(conf, other_addresses_than_loopback_need_insecure)
{
	ASSERT_EQ(0, parse(self, "[kafka]\nlisten = 127.0.0.1:9092, *:9093\n"));
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
	ASSERT_EQ(0, parse(self, "[kafka]\nlisten = *:9092\n[http]\nlisten = *:8080\n"
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
	ASSERT_EQ(0, parse(self, "[tls]\nlisteners = kafka http\n"));
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
	ASSERT_EQ(0, parse(self, "[http]\nlisten = 127.0.0.1:9092\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: kafka.listen and http.listen both listen on 127.0.0.1:9092",
		     self->heard.text[0]);
	ASSERT_EQ(0, parse(self, "[http]\nlisten = 127.0.0.1:0\n[kafka]\nlisten=127.0.0.1:0\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, static_files_need_their_folder)
{
	ASSERT_EQ(0, parse(self, "[static]\nlisten = 127.0.0.1:8081\nmax_age = 90s\n"));
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
	ASSERT_EQ(0, parse(self, "[cache]\nblock_size = 12K\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: cache.block_size = 12K is not a power of two; 4K, 8K, 16K, 32K and "
		     "64K are", self->heard.text[0]);
	ASSERT_EQ(0, parse(self, "[cache]\nblock_size = 16K\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, a_listener_cannot_have_the_port_of_a_core)
{
	ASSERT_EQ(0, parse(self, "[kafka]\ncore_ports = 9090-9095\nlisten = 127.0.0.1:9092\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:3: kafka.listen has port 9092, which is among kafka.core_ports = "
		     "9090-9095", self->heard.text[0]);
	ASSERT_EQ(0, parse(self, "[kafka]\ncore_ports = 9093-9095\n"));
	EXPECT_EQ(0, sl_conf_check(&self->conf, &self->heard.report));
}

TEST_F(conf, limits_that_contradict_each_other_are_refused)
{
	ASSERT_EQ(0, parse(self, "[kafka]\nmax_batch_bytes = 200M\n"));
	EXPECT_EQ(-EINVAL, sl_conf_check(&self->conf, &self->heard.report));
	EXPECT_STREQ("a.conf:2: kafka.max_batch_bytes = 200M is above kafka.max_request_bytes = "
		     "100M",
		     self->heard.text[0]);
}

TEST_F(conf, drop_ins_follow_in_the_order_of_their_names_and_set_wins)
{
	static const char *const sets[] = {"kafka.node_id=9"};
	const char *dir = harness_tmpdir();
	char file[256], folder[272];
	struct sl_conf_source src = {.file = file, .strict = true};
	struct sl_conf loaded;

	snprintf(file, sizeof(file), "%s/sluice.conf", dir);
	snprintf(folder, sizeof(folder), "%s.d", file);
	ASSERT_EQ(0, mkdir(folder, 0700));
	write_file(dir, "sluice.conf", "[kafka]\nnode_id = 1\ndefault_partitions = 2\n");
	write_file(folder, "20-b.conf", "[kafka]\nnode_id = 3\n");
	write_file(folder, "10-a.conf", "[kafka]\nnode_id = 2\ndefault_partitions = 5\n");
	write_file(folder, ".hidden.conf", "[kafka]\nnode_id = 4\n");
	write_file(folder, "30-c.conf~", "[kafka]\nnode_id = 5\n");
	ASSERT_EQ(0, sl_conf_load(&loaded, &src, &self->heard.report));
	EXPECT_EQ(3, loaded.kafka.node_id);
	EXPECT_EQ(5, loaded.kafka.default_partitions);
	EXPECT_EQ(2, loaded.origin[SL_CONF_ID_kafka_node_id].line);
	sl_conf_done(&loaded);
	src.sets = sets;
	src.sets_n = 1;
	ASSERT_EQ(0, sl_conf_load(&loaded, &src, &self->heard.report));
	EXPECT_EQ(9, loaded.kafka.node_id);
	sl_conf_done(&loaded);
}

TEST_F(conf, a_missing_file_is_an_error_unless_optional)
{
	char file[256];
	struct sl_conf_source src = {.file = file};
	struct sl_conf loaded;

	snprintf(file, sizeof(file), "%s/none.conf", harness_tmpdir());
	EXPECT_EQ(-ENOENT, sl_conf_load(&loaded, &src, &self->heard.report));
	EXPECT_EQ(1, self->heard.report.errors);
	src.file_optional = true;
	ASSERT_EQ(0, sl_conf_load(&loaded, &src, &self->heard.report));
	sl_conf_done(&loaded);
}

TEST_F(conf, an_endless_file_is_refused)
{
	struct sl_conf_source src = {.file = "/dev/zero"};
	struct sl_conf loaded;

	EXPECT_EQ(-E2BIG, sl_conf_load(&loaded, &src, &self->heard.report));
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
