// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/produce.c: lines in, counts out; consume.c is what looks at the result. */
#include <stdio.h>
#include <string.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(produce)
{
	struct daemon_kit d;
};

FIXTURE_SETUP(produce)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
}

FIXTURE_TEARDOWN(produce)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

#define SLUICE(input, ...) RUN(self->d.kafka_port, input, __VA_ARGS__)
#define CONSUME(...) SLUICE(NULL, "consume", __VA_ARGS__, "--exit-at-end")->out

TEST_F(produce, lines_become_records)
{
	const struct run_result *r = SLUICE("one\n\nthree", "produce", "t");

	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("3 records acknowledged\n", r->out);
	EXPECT_STREQ("one\n\nthree\n", CONSUME("t"));
	EXPECT_STREQ("", SLUICE("x\n", "produce", "t", "--quiet")->out);
}

TEST_F(produce, keys_and_headers)
{
	ASSERT_EQ(0, SLUICE("k1::v1\nonly\n::v3\n", "produce", "t", "--key-separator",
			    "::", "--header", "a=b", "--header", "c=")
			     ->status);
	EXPECT_STREQ("k1|v1|a=b,c=;|only|a=b,c=;|v3|a=b,c=;",
		     CONSUME("t", "--format", "%k|%v|%h;"));
	EXPECT_NOT_NULL(
		strstr(CONSUME("t", "--format", "json"), "\"key\":null,\"value\":\"only\""));
	EXPECT_NOT_NULL(strstr(CONSUME("t", "--format", "json"), "\"key\":\"\",\"value\":\"v3\""));
}

TEST_F(produce, equal_keys_share_a_partition)
{
	ASSERT_EQ(0, SLUICE(NULL, "topic", "create", "t", "--partitions", "5")->status);
	ASSERT_EQ(0,
		  SLUICE("a 1\nb 2\na 3\nb 4\n", "produce", "t", "--key-separator", " ")->status);
	ASSERT_EQ(0, SLUICE("a 5\n", "produce", "t", "--key-separator", " ")->status);
	EXPECT_NOT_NULL(strstr(CONSUME("t", "--format", "%k%v "), "a1 a3 a5 "));
	EXPECT_NOT_NULL(strstr(CONSUME("t", "--format", "%k%v "), "b2 b4 "));
}

TEST_F(produce, every_codec_and_acks)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	static const char *const acks[] = {"0", "1", "all"};
	static char lines[200001];
	const struct run_result *r;

	for (int i = 0; i < 20000; i++)
		snprintf(lines + 10 * i, 11, "line%05d\n", i);
	for (int i = 0; i < 5; i++) {
		r = SLUICE(lines, "produce", codecs[i], "--codec", codecs[i], "--batch-bytes",
			   "64K");
		EXPECT_STREQ("20000 records acknowledged\n", r->out);
		EXPECT_STREQ(lines, CONSUME(codecs[i]));
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, SLUICE("x\n", "produce", "acks", "--acks", acks[i])->status);
}

TEST_F(produce, a_file_is_read)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/lines", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs("from\na file\n", f);
	fclose(f);
	EXPECT_EQ(0, SLUICE(NULL, "produce", "t", "--file", path)->status);
	EXPECT_STREQ("from\na file\n", CONSUME("t"));
	EXPECT_EQ(1, SLUICE(NULL, "produce", "t", "--file", "/nonexistent")->status);
}

TEST_F(produce, failure_says_how_many_were_stored)
{
	const struct run_result *r;

	ASSERT_EQ(
		0,
		SLUICE(NULL, "topic", "create", "t", "--config", "max.message.bytes=300")->status);
	r = SLUICE(
		"short\n"
		"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"
		"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"
		"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"
		"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"
		"\n",
		"produce", "t", "--batch-bytes", "256");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "MESSAGE_TOO_LARGE"));
	EXPECT_NOT_NULL(strstr(r->err, "1 of 2 records were acknowledged"));
}

TEST_HARNESS_MAIN
