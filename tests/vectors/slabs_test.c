/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks from slabs: each is its own, at its place, and few take little. */
#include <stdlib.h>
#include <string.h>

#include <sluice/util.h>

#include "harness.h"
#include "vectors/slabs.h"

/* Fills and checks @n chunks of @bytes. */
static void use_chunks(size_t bytes, uint32_t n)
{
	struct sl_slabs s = {0};
	uint8_t **chunks = calloc(n, sizeof(*chunks));

	ASSERT_NE(NULL, chunks);
	sl_slabs_init(&s, bytes);
	for (uint32_t i = 0; i < n; i++) {
		chunks[i] = sl_slabs_take(&s);
		ASSERT_NE(NULL, chunks[i]);
		ASSERT_EQ(0, (uintptr_t)chunks[i] % 64);
		memset(chunks[i], (int)i, bytes);
	}
	for (uint32_t i = 0; i < n; i++) {
		ASSERT_EQ((uint8_t)i, chunks[i][0]);
		ASSERT_EQ((uint8_t)i, chunks[i][bytes - 1]);
	}
	EXPECT_TRUE(s.n < n);
	sl_slabs_done(&s);
	EXPECT_EQ(0, s.n);
	free(chunks);
}

TEST(chunks_of_any_size_keep_what_is_put_there)
{
	use_chunks(1024, 10000);
	use_chunks(100 * 64, 3000);
	use_chunks((3 << 20) + 64, 40);
}

/* The first are as large as they are; one behind them begins a slab. */
TEST(few_chunks_take_their_own_memory)
{
	struct sl_slabs s = {0};

	sl_slabs_init(&s, 1 << 20);
	for (int i = 0; i < 4; i++)
		ASSERT_NE(NULL, sl_slabs_take(&s));
	EXPECT_EQ(4, s.n);
	EXPECT_EQ(0, s.left);
	ASSERT_NE(NULL, sl_slabs_take(&s));
	EXPECT_EQ(SL_SLAB_BYTES - (1 << 20), s.left);
	ASSERT_NE(NULL, sl_slabs_take(&s));
	EXPECT_EQ(5, s.n);
	sl_slabs_done(&s);
}

TEST(a_chunk_may_be_larger_than_a_slab)
{
	struct sl_slabs s = {0};
	uint8_t *a, *b;

	sl_slabs_init(&s, SL_SLAB_BYTES + 64);
	a = sl_slabs_take(&s);
	b = sl_slabs_take(&s);
	ASSERT_TRUE(a && b && a != b);
	a[SL_SLAB_BYTES + 63] = b[SL_SLAB_BYTES + 63] = 1;
	EXPECT_EQ(2, s.n);
	sl_slabs_done(&s);
}

TEST_HARNESS_MAIN
