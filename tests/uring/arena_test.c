/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: growing, trimming, registering chunk by chunk, reading into registered memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "rings.h"

TEST(it_grows_by_chunks_and_no_further)
{
	struct sl_arena a;
	uint8_t *p;

	ASSERT_EQ(0, sl_arena_init(&a, 3 * SL_ARENA_CHUNK_BYTES - 5));
	EXPECT_EQ(3 * SL_ARENA_CHUNK_BYTES, a.bytes_max);
	for (uint64_t i = 0; i < 3; i++) {
		p = sl_arena_grow(&a);
		EXPECT_TRUE(p == a.base + i * SL_ARENA_CHUNK_BYTES);
		p[0] = p[SL_ARENA_CHUNK_BYTES - 1] = 1;
	}
	EXPECT_NULL(sl_arena_grow(&a));
	sl_arena_done(&a);
	EXPECT_NULL(a.base);
	sl_arena_done(&a); /* once more harms nothing */
}

TEST(what_cannot_be_reserved_is_an_error)
{
	struct sl_arena a;

	EXPECT_EQ(-ENOMEM, sl_arena_init(&a, UINT64_C(1) << 50));
	EXPECT_NULL(a.base);
	sl_arena_done(&a);
}

TEST(trimmed_memory_reads_as_zeros)
{
	struct sl_arena a;
	uint8_t *p;

	ASSERT_EQ(0, sl_arena_init(&a, SL_ARENA_CHUNK_BYTES));
	p = sl_arena_grow(&a);
	memset(p, 1, 16384);
	sl_arena_trim(&a, p + 4096, 8192);
	EXPECT_EQ(1, p[4095]);
	EXPECT_EQ(0, p[4096]);
	EXPECT_EQ(0, p[12287]);
	EXPECT_EQ(1, p[12288]);
	p[4096] = 2;
	EXPECT_EQ(2, p[4096]);
	sl_arena_done(&a);
}

TEST(fixed_buffers_are_registered_when_needed)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){.buffers = 2});
	char path[300];
	struct sl_arena a;
	struct sl_io io;
	uint8_t *p[3];
	int fd;

	if (!sl_ring_has(ring, SL_FEATURE_SPARSE_BUFFERS)) {
		sl_ring_free(ring);
		SKIP(return, "no sparse table of buffers");
	}
	snprintf(path, sizeof(path), "%s/f", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(10, write(fd, "0123456789", 10));
	ASSERT_EQ(0, sl_arena_init(&a, 3 * SL_ARENA_CHUNK_BYTES));
	for (int i = 0; i < 3; i++)
		p[i] = sl_arena_grow(&a);
	EXPECT_EQ(1, sl_arena_register(&a, ring, p[1] + 77));
	EXPECT_EQ(1, sl_arena_register(&a, ring, p[1]));
	EXPECT_EQ(0, sl_arena_register(&a, ring, p[0] + SL_ARENA_CHUNK_BYTES - 1));
	EXPECT_EQ(-EOPNOTSUPP, sl_arena_register(&a, ring, p[2])); /* no slot left */
	sl_io_read_fixed(&io, fd, p[1] + 5000, 6, 2, 1);
	EXPECT_EQ(6, ring_do(ring, &io));
	EXPECT_MEMEQ("234567", p[1] + 5000, 6);
	sl_io_read_fixed(&io, fd, p[1] + 5000, 6, 2, 0); /* lies in another buffer */
	EXPECT_EQ(-EFAULT, ring_do(ring, &io));
	sl_ring_free(ring);
	sl_arena_done(&a);
	close(fd);
}

TEST(trimming_leaves_registered_memory_to_the_ring)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){.buffers = 2});
	char path[300];
	struct sl_arena a;
	struct sl_io io;
	uint8_t *p;
	int fd;

	if (!sl_ring_has(ring, SL_FEATURE_SPARSE_BUFFERS)) {
		sl_ring_free(ring);
		SKIP(return, "no sparse table of buffers");
	}
	snprintf(path, sizeof(path), "%s/f", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(10, write(fd, "0123456789", 10));
	ASSERT_EQ(0, sl_arena_init(&a, 2 * SL_ARENA_CHUNK_BYTES));
	p = sl_arena_grow(&a);
	sl_arena_grow(&a);
	memset(p, 1, 2 * SL_ARENA_CHUNK_BYTES);
	ASSERT_EQ(0, sl_arena_register(&a, ring, p));
	sl_arena_trim(&a, p + 4096, 2 * SL_ARENA_CHUNK_BYTES - 8192);
	EXPECT_EQ(1, p[SL_ARENA_CHUNK_BYTES - 1]);
	EXPECT_EQ(0, p[SL_ARENA_CHUNK_BYTES]);
	EXPECT_EQ(0, p[2 * SL_ARENA_CHUNK_BYTES - 4097]);
	EXPECT_EQ(1, p[2 * SL_ARENA_CHUNK_BYTES - 4096]);
	/* A page given back here would be another one than the ring reads into. */
	sl_io_read_fixed(&io, fd, p + 8192, 6, 2, 0);
	EXPECT_EQ(6, ring_do(ring, &io));
	EXPECT_MEMEQ("234567", p + 8192, 6);
	sl_ring_free(ring);
	sl_arena_done(&a);
	close(fd);
}

TEST_HARNESS_MAIN
