// SPDX-License-Identifier: Apache-2.0
/* The memory of one request. Without a core bufs are of the heap, so that sanitizers see them. */
#include <string.h>

#include "harness.h"
#include "proto/http/arena.h"

TEST(pieces_are_apart_and_aligned)
{
	struct http_arena a;
	uint8_t *pieces[200];

	http_arena_init(&a, SL_MIB);
	for (size_t i = 0; i < SL_ARRAY_SIZE(pieces); i++) {
		size_t align = (size_t)1 << i % 7;

		pieces[i] = http_arena_alloc(&a, i, align);
		ASSERT_NOT_NULL(pieces[i]);
		EXPECT_EQ(0, (uintptr_t)pieces[i] % align);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(pieces); i++)
		for (size_t k = 0; k < i; k++)
			ASSERT_EQ((uint8_t)i, pieces[i][k]);
	http_arena_done(&a);
	EXPECT_NULL(a.newest);
}

TEST(bound_is_kept)
{
	struct http_arena a;

	http_arena_init(&a, 8 * SL_KIB);
	EXPECT_NULL(http_arena_alloc(&a, 9 * SL_KIB, 1));
	EXPECT_NOT_NULL(http_arena_alloc(&a, 3 * SL_KIB, 1));
	EXPECT_NULL(http_arena_alloc(&a, 7 * SL_KIB, 1));
	EXPECT_NOT_NULL(http_arena_alloc(&a, 500, 1));
	http_arena_done(&a);
	http_arena_init(&a, UINT64_MAX);
	EXPECT_NULL(http_arena_alloc(&a, HTTP_ARENA_PIECE_MAX + 1, 1));
	EXPECT_NULL(http_arena_array(&a, uint64_t, SIZE_MAX / 4));
	http_arena_done(&a);
}

TEST(cleared_gives_the_same_memory)
{
	struct http_arena a;
	void *large;

	http_arena_init(&a, SL_MIB);
	http_arena_clear(&a);
	ASSERT_NOT_NULL(http_arena_alloc(&a, 1, 1));
	large = http_arena_alloc(&a, 10 * SL_KIB, 64);
	ASSERT_NOT_NULL(large);
	for (int i = 0; i < 1000; i++) {
		http_arena_clear(&a);
		EXPECT_TRUE(large == http_arena_alloc(&a, 10 * SL_KIB, 64));
	}
	http_arena_done(&a);
}

TEST(zeroed_and_texts)
{
	struct http_arena a;
	uint32_t *numbers;
	char *text;

	http_arena_init(&a, SL_MIB);
	memset(http_arena_alloc(&a, 100, 1), 0xff, 100);
	http_arena_clear(&a);
	numbers = http_arena_array(&a, uint32_t, 20);
	ASSERT_NOT_NULL(numbers);
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, numbers[i]);
	text = http_arena_text(&a, "abcdef", 3);
	EXPECT_STREQ("abc", text);
	http_arena_done(&a);
}

TEST_HARNESS_MAIN
