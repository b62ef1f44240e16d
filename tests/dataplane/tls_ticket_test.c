/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tickets: the same from the same seed, new with time, the last one still known. */
#include <string.h>

#include "dataplane/dataplane.h"
#include "dataplane/tls_pvt.h"
#include "harness.h"

#define HOUR (3600 * SL_SEC)

static const uint8_t seed[SL_TLS_SEED_BYTES] = "a seed of thirty-two bytes, so.";

static bool same(const struct ticket_key *a, const struct ticket_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

TEST(the_same_seed_gives_the_same_keys_at_the_same_time)
{
	struct tickets a, b;

	tickets_init(&a, seed, 100);
	tickets_init(&b, seed, 100);
	EXPECT_TRUE(same(&a.now, &b.now));
	for (int i = 1; i < 10; i++)
		tickets_turn(&a, 100 + i * 12 * HOUR);
	tickets_turn(&b, 100 + 9 * 12 * HOUR); /* that slept */
	EXPECT_TRUE(same(&a.now, &b.now));
	EXPECT_TRUE(same(&a.before, &b.before));
	tickets_done(&a);
	tickets_done(&b);
}

TEST(a_key_serves_its_time_and_is_known_for_as_long_again)
{
	struct tickets t;
	struct ticket_key first;

	tickets_init(&t, seed, 0);
	first = t.now;
	EXPECT_FALSE(t.has_before);
	tickets_turn(&t, 12 * HOUR - 1);
	EXPECT_TRUE(same(&first, &t.now));
	tickets_turn(&t, 12 * HOUR);
	EXPECT_FALSE(same(&first, &t.now));
	EXPECT_TRUE(t.has_before && same(&first, &t.before));
	tickets_turn(&t, 5 * HOUR); /* time does not go back */
	EXPECT_TRUE(same(&first, &t.before));
	tickets_turn(&t, 24 * HOUR);
	EXPECT_FALSE(same(&first, &t.before));
	tickets_done(&t);
}

TEST(the_parts_of_a_key_differ_and_its_seed_is_gone)
{
	struct tickets t;

	tickets_init(&t, seed, 0);
	EXPECT_MEMNE(t.now.aes, t.now.mac, sizeof(t.now.aes));
	EXPECT_MEMNE(t.now.aes, t.now.name, sizeof(t.now.name));
	EXPECT_MEMNE(seed, t.seed, sizeof(seed));
	tickets_done(&t);
}

TEST_HARNESS_MAIN
