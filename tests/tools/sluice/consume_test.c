// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/consume.c: where it begins, where it ends, what it prints. */
#include <stdio.h>
#include <string.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(consume)
{
	struct daemon_kit d;
};

FIXTURE_SETUP(consume)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	ASSERT_EQ(
		0,
		RUN(self->d.kafka_port, NULL, "topic", "create", "t", "--partitions", "2")->status);
	ASSERT_EQ(0, RUN(self->d.kafka_port, "a\nb\nc\nd\n", "produce", "t", "--partition", "0")
			     ->status);
	ASSERT_EQ(0, RUN(self->d.kafka_port, "x\ny\n", "produce", "t", "--partition", "1")->status);
}

FIXTURE_TEARDOWN(consume)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

#define CONSUME(...) RUN(self->d.kafka_port, NULL, "consume", "t", __VA_ARGS__)

TEST_F(consume, all_partitions_or_one)
{
	EXPECT_STREQ("a\nb\nc\nd\nx\ny\n", CONSUME("--exit-at-end")->out);
	EXPECT_STREQ("x\ny\n", CONSUME("--exit-at-end", "--partition", "1")->out);
	EXPECT_EQ(1, CONSUME("--exit-at-end", "--partition", "2")->status);
}

TEST_F(consume, begins_where_it_is_told)
{
	const char *zero[] = {"--partition", "0"};

	EXPECT_STREQ("c\nd\n", CONSUME("--exit-at-end", zero[0], zero[1], "--offset", "2")->out);
	EXPECT_STREQ("d\n", CONSUME("--exit-at-end", zero[0], zero[1], "--offset", "-1")->out);
	EXPECT_STREQ("a\nb\nc\nd\n",
		     CONSUME("--exit-at-end", zero[0], zero[1], "--offset", "-99")->out);
	EXPECT_STREQ("", CONSUME("--exit-at-end", "--offset", "latest")->out);
	EXPECT_STREQ("a\nb\nc\nd\n",
		     CONSUME("--exit-at-end", zero[0], zero[1], "--offset", "@0")->out);
	EXPECT_STREQ("", CONSUME("--exit-at-end", "--offset", "@2200-01-01T00:00:00Z")->out);
}

TEST_F(consume, stops_after_count)
{
	const struct run_result *r = CONSUME("--count", "3", "--format", "%p/%o=%v ");

	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("0/0=a 0/1=b 0/2=c ", r->out);
}

TEST_F(consume, an_offset_that_is_not_there_is_an_error)
{
	const struct run_result *r = CONSUME("--partition", "0", "--offset", "77", "--count", "1");

	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "OFFSET_OUT_OF_RANGE"));
}

TEST_F(consume, a_missing_topic_is_not_created)
{
	EXPECT_EQ(1, RUN(self->d.kafka_port, NULL, "consume", "none", "--exit-at-end")->status);
	EXPECT_STREQ("t\t2\n", RUN(self->d.kafka_port, NULL, "topic", "list")->out);
}

TEST_HARNESS_MAIN
