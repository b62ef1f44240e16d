// SPDX-License-Identifier: Apache-2.0
/* The bump arena: the caller's room first, the heap after it, never beyond the limit. */
#include <string.h>

#include "harness.h"
#include "proto/kafka/bump.h"

static bool lies_in(const void *p, const void *room, size_t bytes)
{
	return (const char *)p >= (const char *)room &&
	       (const char *)p < (const char *)room + bytes;
}

TEST(room_of_the_caller_comes_first)
{
	_Alignas(16) char room[64];
	struct sl_bump mem;
	char *a, *b, *c;

	sl_bump_init(&mem, room, sizeof(room), 1 << 16);
	a = sl_bump_alloc(&mem, 1);
	b = sl_bump_alloc(&mem, 56);
	c = sl_bump_alloc(&mem, 1);
	EXPECT_EQ((uintptr_t)room, (uintptr_t)a);
	EXPECT_EQ((uintptr_t)room + SL_BUMP_ALIGN, (uintptr_t)b);
	ASSERT_NOT_NULL(c);
	EXPECT_FALSE(lies_in(c, room, sizeof(room)));
	sl_bump_done(&mem);
}

TEST(unaligned_room_gives_aligned_memory)
{
	_Alignas(16) char room[64];
	struct sl_bump mem;
	char *a;

	sl_bump_init(&mem, room + 3, 40, 0);
	a = sl_bump_alloc(&mem, 32);
	ASSERT_NOT_NULL(a);
	EXPECT_EQ(0, (uintptr_t)a % SL_BUMP_ALIGN);
	EXPECT_TRUE(a + 32 <= room + 43);
	EXPECT_NULL(sl_bump_alloc(&mem, 1));
	sl_bump_done(&mem);
}

TEST(limit_is_kept_and_left_room_stays_of_use)
{
	struct sl_bump mem;
	size_t got = 0;

	sl_bump_init(&mem, NULL, 0, 100000);
	EXPECT_NULL(sl_bump_alloc(&mem, 100001));
	EXPECT_NULL(sl_bump_alloc(&mem, SIZE_MAX));
	EXPECT_NULL(sl_bump_alloc(&mem, SIZE_MAX - 20));
	for (char *p; (p = sl_bump_alloc(&mem, 100)); got += 104)
		memset(p, 1, 100);
	EXPECT_LT(90000, got);
	EXPECT_LE(got, 100000);
	EXPECT_LE(mem.heap_bytes, 100000);
	sl_bump_reset(&mem);
	EXPECT_EQ(0, mem.heap_bytes);
	EXPECT_NOT_NULL(sl_bump_alloc(&mem, 90000));
	sl_bump_done(&mem);
}

TEST(nothing_is_still_a_pointer)
{
	char room[16];
	struct sl_bump mem;

	sl_bump_init(&mem, room, sizeof(room), 0);
	EXPECT_NOT_NULL(sl_bump_alloc(&mem, 0));
	sl_bump_done(&mem);
}

TEST(done_accepts_a_zeroed_arena)
{
	struct sl_bump mem = {.p = NULL};

	sl_bump_done(&mem);
	EXPECT_NULL(mem.chunks);
}

TEST_HARNESS_MAIN
