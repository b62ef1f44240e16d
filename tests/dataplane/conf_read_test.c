// SPDX-License-Identifier: Apache-2.0
/* Settings as they are read: files, drop-ins, --set, what is refused and how. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf_fixture.h"

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

TEST_F(conf, a_file_overrides_defaults)
{
	ASSERT_EQ(0, conf_parse(self, "; comment\n# comment\n\n[node]\ncores = 0-3,6 ; inline\n"
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
	ASSERT_EQ(0, conf_parse(self, "[kafka]\n  node_id = 7\n\tadvertised = db1:9092\n"));
	EXPECT_EQ(7, self->conf.kafka.node_id);
	EXPECT_STREQ("db1", self->conf.kafka.advertised.host);
	EXPECT_EQ(9092, self->conf.kafka.advertised.port);
}

TEST_F(conf, a_bad_value_names_file_line_key_value_and_what_is_allowed)
{
	EXPECT_EQ(-EINVAL, conf_parse(self, "[log]\n\nsegment_bytes = 12X\n"));
	ASSERT_EQ(1, self->heard.n);
	EXPECT_STREQ("a.conf:3: log.segment_bytes = \"12X\" is not understood; allowed: bytes, or "
		     "with K, M, G or T, 64K to 2147483647",
		     self->heard.text[0]);
	EXPECT_EQ(SL_GIB, self->conf.log.segment_bytes);
}

TEST_F(conf, every_mistake_of_a_file_is_reported)
{
	EXPECT_EQ(-EINVAL, conf_parse(self, "[node]\ndurability = maybe\nlog_level = loud\n"
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

	EXPECT_EQ(-EINVAL, conf_parse(self, text));
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
	EXPECT_EQ(-EINVAL, conf_parse(self, "listen = off\n"));
	EXPECT_STREQ("a.conf:1: unknown setting (no section).listen", self->heard.text[0]);
}

TEST_F(conf, an_overlong_line_is_refused_and_not_cut)
{
	char text[400] = "[node]\ndatadir = /";

	memset(text + strlen(text), 'x', 300);
	EXPECT_EQ(-EINVAL, conf_parse(self, text));
	EXPECT_STREQ("a.conf:2: the line is too long (at most 198 characters)",
		     self->heard.text[0]);
	EXPECT_STREQ("data", self->conf.node.datadir);
}

TEST_F(conf, the_longest_line_is_read_whole)
{
	static const char head[] = "datadir = /";
	char text[400] = "[node]\ndatadir = /";

	memset(text + strlen(text), 'x', 198 - strlen(head));
	EXPECT_EQ(0, conf_parse(self, text));
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

TEST_HARNESS_MAIN
