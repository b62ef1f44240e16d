// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/topic.c: the verb against a started sluiced. */
#include <stdio.h>
#include <string.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(topic)
{
	struct daemon_kit d;
};

FIXTURE_SETUP(topic)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
}

FIXTURE_TEARDOWN(topic)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

#define SLUICE(...) RUN(self->d.kafka_port, NULL, __VA_ARGS__)

TEST_F(topic, create_list_describe_delete)
{
	const struct run_result *r;

	ASSERT_EQ(0, SLUICE("topic", "create", "clicks", "--partitions", "4", "--config",
			    "retention.ms=60000")
			     ->status);
	ASSERT_EQ(0, SLUICE("topic", "create", "another")->status);
	r = SLUICE("topic", "list");
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("another\t1\nclicks\t4\n", r->out);
	r = SLUICE("topic", "describe", "clicks");
	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, "config\tretention.ms\t60000\town\n"));
	EXPECT_NOT_NULL(strstr(r->out, "partition\t3\tleader 1\tstart 0\tend 0\n"));
	EXPECT_EQ(0, SLUICE("topic", "delete", "clicks")->status);
	EXPECT_STREQ("another\t1\n", SLUICE("topic", "list")->out);
}

TEST_F(topic, refusals_name_topic_and_cause)
{
	const struct run_result *r;

	ASSERT_EQ(0, SLUICE("topic", "create", "t")->status);
	r = SLUICE("topic", "create", "t");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "'t'"));
	EXPECT_NOT_NULL(strstr(r->err, "TOPIC_ALREADY_EXISTS"));
	EXPECT_EQ(0, SLUICE("topic", "create", "t", "--if-not-exists")->status);
	EXPECT_EQ(1, SLUICE("topic", "create", "bad/name")->status);
	EXPECT_EQ(1, SLUICE("topic", "create", "u", "--config", "no.such=1")->status);
	EXPECT_EQ(1, SLUICE("topic", "describe", "u")->status);
	EXPECT_EQ(1, SLUICE("topic", "delete", "u")->status);
	EXPECT_EQ(0, SLUICE("topic", "delete", "u", "--if-exists")->status);
}

TEST_HARNESS_MAIN
