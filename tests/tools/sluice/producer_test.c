// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/producer.c: once and in order, also when sluiced dies under it. */
#include "tools/sluice/producer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/daemon.h"
#include "harness.h"

FIXTURE(producer)
{
	struct daemon_kit d;
	struct client *c;
	struct client_topic t;
	struct producer *p;
	uint64_t acked;
	char bootstrap[64];
};

static void acked(void *arg, int32_t partition, int64_t base, uint32_t records)
{
	FIXTURE_DATA(producer) *self = arg;

	self->acked += records;
}

FIXTURE_SETUP(producer)
{
	struct client_conf conf = {.bootstrap = self->bootstrap, .timeout_ns = 20 * SL_SEC};
	struct producer_conf p = {.acks = -1,
				  .batch_bytes = 2000,
				  .retry_ns = 20 * SL_SEC,
				  .acked = acked,
				  .arg = self};

	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	snprintf(self->bootstrap, sizeof(self->bootstrap), "127.0.0.1:%u", self->d.kafka_port);
	daemon_set(&self->d, "kafka.listen=%s", self->bootstrap);
	ASSERT_EQ(0, client_new(&conf, &self->c));
	ASSERT_EQ(0, client_topic_create(self->c, "t", 2, NULL, 0));
	ASSERT_EQ(0, client_topic_find(self->c, "t", false, &self->t));
	ASSERT_EQ(0, producer_new(self->c, &self->t, &p, &self->p));
}

FIXTURE_TEARDOWN(producer)
{
	producer_free(self->p);
	client_topic_done(&self->t);
	client_free(self->c);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

static int add(FIXTURE_DATA(producer) * self, int32_t partition, uint32_t number)
{
	char text[200];
	struct sl_record r = {
		.time_ms = 1, .value = (const uint8_t *)text, .value_bytes = sizeof(text)};

	memset(text, 'x', sizeof(text));
	memcpy(text, &number, sizeof(number));
	return producer_add(self->p, partition, &r, NULL, 0);
}

/* The numbers in @partition are from 0 to @n - 1, in order. */
static void expect_numbers(FIXTURE_DATA(producer) * self, int32_t partition, uint32_t n)
{
	struct client_fetch f = {.partition = partition, .bytes_max = 1 << 20, .wait_ms = 100};
	uint32_t next = 0;

	while (next < n) {
		struct client_records got;
		struct sl_records *records;
		struct sl_record r;
		size_t at = 0;

		ASSERT_EQ(0, client_fetch(self->c, &self->t, &f, &got));
		ASSERT_LT(0, got.len);
		while (got.len - at >= SL_BATCH_HEADER_BYTES) {
			struct sl_batch b;
			size_t len;

			sl_batch_load(got.p + at, &b);
			len = (size_t)sl_batch_bytes(&b);
			if (got.len - at < len)
				break;
			ASSERT_EQ(0, sl_records_open(got.p + at, len, 1 << 20, &records));
			while (sl_records_next(records, &r) == 1) {
				uint32_t number;

				memcpy(&number, r.value, sizeof(number));
				ASSERT_EQ(next, number);
				ASSERT_EQ(next, r.offset);
				next++;
			}
			sl_records_close(records);
			at += len;
		}
		f.offset = next;
		client_records_done(&got);
	}
	EXPECT_EQ(n, next);
}

TEST_F(producer, batches_are_sent_when_full_and_when_flushed)
{
	for (uint32_t i = 0; i < 100; i++)
		ASSERT_EQ(0, add(self, i % 2, i / 2));
	EXPECT_LT(0, producer_acked(self->p));
	EXPECT_EQ(100, producer_acked(self->p) + producer_waiting(self->p));
	ASSERT_EQ(0, producer_flush(self->p));
	EXPECT_EQ(100, producer_acked(self->p));
	EXPECT_EQ(100, self->acked);
	expect_numbers(self, 0, 50);
	expect_numbers(self, 1, 50);
}

TEST_F(producer, unknown_partition_is_refused)
{
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, add(self, 2, 0));
	EXPECT_EQ(0, add(self, 1, 0));
	EXPECT_EQ(0, producer_flush(self->p));
}

/* A broker that is killed while the producer goes on: whoever kills it is another process. */
TEST_F_TIMEOUT(producer, goes_on_when_the_daemon_is_killed, 90)
{
	for (uint32_t i = 0; i < 500; i++) {
		if (i == 100 || i == 300) {
			daemon_kill(&self->d);
			daemon_must_start(&self->d);
		}
		ASSERT_EQ(0, add(self, 0, i));
	}
	ASSERT_EQ(0, producer_flush(self->p));
	expect_numbers(self, 0, 500);
}

TEST_F(producer, a_refusal_for_good_ends_it)
{
	static char big[4 << 20];
	struct sl_record r = {
		.time_ms = 1, .value = (const uint8_t *)big, .value_bytes = sizeof(big)};

	ASSERT_EQ(0, producer_add(self->p, 0, &r, NULL, 0));
	EXPECT_EQ(KAFKA_ERR_MESSAGE_TOO_LARGE, producer_flush(self->p));
	EXPECT_NOT_NULL(strstr(client_error(self->c), "max.message.bytes"));
	EXPECT_EQ(KAFKA_ERR_MESSAGE_TOO_LARGE, add(self, 0, 0));
}

TEST_HARNESS_MAIN
