/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted keys: pairs come and go in any order, and ranges of them are those of a plain table. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vectors/payload_pvt.h"

enum { KEYS = 300, ROWS = 64 };

FIXTURE(sorted)
{
	struct sorted s;
	uint64_t model[KEYS]; /* a bit for each row */
};

FIXTURE_SETUP(sorted)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(sorted)
{
	sorted_done(&self->s);
}

/* Keys at both ends of what there is, and between. */
static uint64_t key_of(uint32_t i)
{
	return i == KEYS - 1 ? UINT64_MAX : (uint64_t)i * i * 1000003;
}

static void expect_range(FIXTURE_DATA(sorted) * self, uint32_t low, uint32_t high)
{
	struct key_range range = {key_of(low), key_of(high)};
	roaring_bitmap_t *rows = roaring_bitmap_create();
	uint64_t pairs = 0, of = 0;

	for (uint32_t i = low; i <= high && low <= high; i++) {
		pairs += (uint64_t)__builtin_popcountll(self->model[i]);
		of |= self->model[i];
	}
	ASSERT_EQ(pairs, sorted_count(&self->s, range));
	ASSERT_EQ(0, sorted_into(&self->s, range, ROWS, rows));
	ASSERT_EQ(__builtin_popcountll(of), roaring_bitmap_get_cardinality(rows));
	for (uint32_t row = 0; row < ROWS; row++)
		ASSERT_EQ(of >> row & 1, roaring_bitmap_contains(rows, row));
	roaring_bitmap_free(rows);
}

static void expect_all(FIXTURE_DATA(sorted) * self)
{
	struct sorted_at at = {0, 0};
	uint64_t key;
	uint32_t row;

	for (uint32_t i = 0; i < KEYS; i++)
		for (uint64_t rows = self->model[i]; rows; rows &= rows - 1) {
			ASSERT_TRUE(sorted_next(&self->s, &at, sorted_end(&self->s), &key, &row));
			ASSERT_EQ(key_of(i), key);
			ASSERT_EQ((uint32_t)__builtin_ctzll(rows), row);
		}
	ASSERT_FALSE(sorted_next(&self->s, &at, sorted_end(&self->s), &key, &row));
}

TEST_F(sorted, pairs_are_those_that_came_and_did_not_go)
{
	for (int i = 0; i < 60000; i++) {
		uint32_t k = (uint32_t)(harness_random() % KEYS), row = harness_random() % ROWS;

		if (harness_random() % 100 < (i / 15000 % 2 ? 20u : 80u)) {
			ASSERT_EQ(0, sorted_add(&self->s, key_of(k), row));
			self->model[k] |= UINT64_C(1) << row;
		} else {
			sorted_remove(&self->s, key_of(k), row);
			self->model[k] &= ~(UINT64_C(1) << row);
		}
		if (i % 50 == 0)
			expect_range(self, (uint32_t)(harness_random() % KEYS),
				     (uint32_t)(harness_random() % KEYS));
		if (i % 5000 == 0)
			expect_all(self);
	}
	expect_range(self, 0, KEYS - 1);
	for (uint32_t k = 0; k < KEYS; k++)
		for (uint32_t row = 0; row < ROWS; row++)
			sorted_remove(&self->s, key_of(k), row);
	EXPECT_EQ(0, self->s.pairs);
	EXPECT_EQ(0, self->s.n);
}

TEST_F(sorted, rising_keys_fill_their_leaves)
{
	for (uint32_t i = 0; i < 10 * LEAF_KEYS; i++)
		ASSERT_EQ(0, sorted_add(&self->s, i, 0));
	EXPECT_EQ(10, self->s.n);
	for (uint32_t i = 0; i < 10 * LEAF_KEYS; i++)
		if (i % 8)
			sorted_remove(&self->s, i, 0);
	EXPECT_TRUE(self->s.n < 7);
	EXPECT_EQ(10 * LEAF_KEYS / 8, sorted_count(&self->s, (struct key_range){0, UINT64_MAX}));
}

/* Rows of more than a few pairs go by another way than those of a few. */
TEST_F(sorted, many_rows_are_those_of_few)
{
	enum { MANY = 200000 };
	uint32_t key_of_row[256];
	roaring_bitmap_t *rows = roaring_bitmap_create();

	for (uint32_t row = 0; row < MANY; row++) {
		uint32_t key = (uint32_t)(sl_mix64(row) % 256);

		key_of_row[key] = row;
		ASSERT_EQ(0, sorted_add(&self->s, key, row));
	}
	ASSERT_EQ(0, sorted_into(&self->s, (struct key_range){10, 200}, MANY, rows));
	for (uint32_t row = 0; row < MANY; row++) {
		uint64_t key = sl_mix64(row) % 256;

		ASSERT_EQ(key >= 10 && key <= 200, roaring_bitmap_contains(rows, row));
	}
	EXPECT_TRUE(roaring_bitmap_contains(rows, key_of_row[10]));
	EXPECT_FALSE(roaring_bitmap_contains(rows, key_of_row[9]));
	roaring_bitmap_free(rows);
}

TEST_HARNESS_MAIN
