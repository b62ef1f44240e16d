/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acked: an idempotent producer that tells what was acknowledged, and a reader that looks whether
 * it is there; for power cuts, with a sluiced on each side of them.
 *
 * Interface, by the environment: ACKED_PORT, the daemon's; ACKED_NAME, what the lines begin with.
 *   acked produces   until ACKED_BATCHES batches are acknowledged; prints "acked NAME PARTITION
 *                    END" for each, END being the number of records that are acknowledged
 *   acked keeps      ACKED_ENDS "END END END": prints "kept NAME" if so many records are there,
 *                    once and in order, else "lost NAME"; more may be there
 * The record of offset N has the number N, as in tests/faults/kill9_test.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/wire.h"
#include "guest.h"
#include "harness.h"

enum { PARTITIONS = 3, RECORDS_MAX = 20, VALUE_BYTES = 300, LIMIT_S = 600 };

static const char topic[] = "acked";

TEST_TIMEOUT(produces, LIMIT_S)
{
	struct wire_batch b = {.value_bytes = VALUE_BYTES};
	uint64_t ends[PARTITIONS] = {0};
	int batches = atoi(guest_setting("ACKED_BATCHES"));
	struct wire w;

	wire_must_open(&w, guest_port());
	ASSERT_EQ(0, wire_topic_create(&w, topic, PARTITIONS, NULL));
	ASSERT_EQ(0, wire_producer_id(&w, &b.producer_id, &b.producer_epoch));
	for (int i = 0; i < batches; i++) {
		int32_t partition = i % PARTITIONS;
		int64_t base;
		uint8_t *p;
		size_t len;

		b.first = ends[partition];
		b.sequence = (int32_t)b.first;
		b.n = 1 + (uint32_t)(harness_random() % RECORDS_MAX);
		p = wire_batch_make(&b, &len);
		ASSERT_EQ(0, wire_produce(&w, topic, partition, -1, p, len, &base));
		free(p);
		ASSERT_EQ((int64_t)b.first, base);
		ends[partition] += b.n;
		guest_tell_acked(partition, ends[partition]);
	}
	wire_close(&w);
}

TEST_TIMEOUT(keeps, LIMIT_S)
{
	unsigned long long ends[PARTITIONS];
	bool lost = false;
	struct wire w;

	ASSERT_EQ(PARTITIONS, sscanf(guest_setting("ACKED_ENDS"), "%llu %llu %llu", &ends[0],
				     &ends[1], &ends[2]));
	wire_must_open(&w, guest_port());
	for (int32_t i = 0; i < PARTITIONS; i++) {
		int64_t there = wire_count_once(&w, topic, i);

		TH_LOG("%s-%d: %llu acknowledged, %lld there", topic, i, ends[i], (long long)there);
		EXPECT_TRUE(there >= 0 || there == -EREMOTEIO); /* the latter: no such topic */
		lost |= ends[i] && there < (int64_t)ends[i];
	}
	wire_close(&w);
	guest_tell_kept(lost);
}

TEST_HARNESS_MAIN
