// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/partitioner.c: the same partition as Kafka's clients would choose. */
#include "tools/sluice/partitioner.h"

#include <string.h>

#include <sluice/util.h>

#include "harness.h"

/* Values that Kafka's own clients give. */
TEST(hashes_are_those_of_kafka)
{
	static const struct {
		const char *key;
		int32_t hash;
	} known[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(known); i++)
		EXPECT_EQ(known[i].hash, (int32_t)murmur2(known[i].key, strlen(known[i].key)));
}

TEST(partitions_are_in_range)
{
	for (int n = 1; n < 50; n++) {
		uint64_t key = harness_random();
		int32_t p = partition_of_key(&key, sizeof(key), n);

		EXPECT_LE(0, p);
		EXPECT_LT(p, n);
	}
}

TEST_HARNESS_MAIN
