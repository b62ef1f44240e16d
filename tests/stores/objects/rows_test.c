/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and their keys, held against a model: what is added is found, what is removed is not. */
#include <string.h>

#include <sluice/util.h>

#include "harness.h"
#include "stores/objects/objects_pvt.h"

enum { MANY = 5000 };

static struct sl_filter_key key_of(uint64_t n)
{
	struct sl_filter_key key = objects_key_integer(n);

	/* As a UUID the same bytes are another key. */
	if (n % 3 == 0)
		key.kind = SL_KEY_UUID;
	return key;
}

TEST(keys_come_and_go)
{
	static uint32_t row_of[MANY];
	struct rows r = {0};
	uint32_t live = 0;

	for (uint64_t i = 0; i < MANY; i++)
		row_of[i] = SL_ROW_NONE;
	for (int turn = 0; turn < 40000; turn++) {
		uint64_t n = harness_random() % MANY;
		struct sl_filter_key key = key_of(n);

		ASSERT_EQ(row_of[n], rows_find(&r, &key));
		if (row_of[n] == SL_ROW_NONE) {
			ASSERT_EQ(0, rows_reserve(&r, (uint64_t)r.n + 1));
			row_of[n] = rows_add(&r, &key, n);
			live++;
		} else if (harness_random() % 2) {
			rows_remove(&r, row_of[n], true);
			row_of[n] = SL_ROW_NONE;
			live--;
		}
		ASSERT_EQ(live, r.live);
	}
	for (uint64_t n = 0; n < MANY; n++) {
		struct sl_filter_key key = key_of(n), other = key;

		EXPECT_EQ(row_of[n], rows_find(&r, &key));
		other.kind = key.kind == SL_KEY_UUID ? SL_KEY_INTEGER : SL_KEY_UUID;
		EXPECT_EQ(SL_ROW_NONE, rows_find(&r, &other));
	}
	/* Rows that were given back are used again. */
	EXPECT_LE(r.n, MANY);
	rows_done(&r);
}

TEST(a_key_costs_at_most_32_bytes)
{
	struct rows r = {0};

	for (uint64_t n = 1000; n < 400000; n = n * 3 / 2) {
		ASSERT_EQ(0, rows_reserve(&r, n));
		EXPECT_LE(sizeof(((struct row *)0)->key) * n + ((uint64_t)r.mask + 1) * 4, 32 * n);
	}
	rows_done(&r);
}

TEST_HARNESS_MAIN
