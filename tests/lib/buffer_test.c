/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's buffers: counts, bounds, classes, the pool's bound and its end, threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/buffer.h>
#include <sluice/util.h>

#include "harness.h"

FIXTURE(pool)
{
	struct sl_pool *pool;
	struct sl_buffer *b;
};

FIXTURE_SETUP(pool)
{
	ASSERT_EQ(0, sl_pool_new(0, &self->pool));
	ASSERT_EQ(0, sl_buffer_new(self->pool, 1000, &self->b));
}

FIXTURE_TEARDOWN(pool)
{
	sl_buffer_release(self->b);
	sl_pool_free(self->pool);
}

static uint64_t idle(struct sl_pool *pool)
{
	uint64_t bytes;

	sl_pool_stat(pool, NULL, &bytes);
	return bytes;
}

static uint64_t held(struct sl_pool *pool)
{
	uint64_t bytes;

	sl_pool_stat(pool, &bytes, NULL);
	return bytes;
}

TEST_F(pool, blocks_are_of_eight_classes)
{
	static const size_t classes[] = {1 << 10,   4 << 10, 16 << 10, 64 << 10,
					 256 << 10, 1 << 20, 4 << 20,  16 << 20};

	_Static_assert(SL_ARRAY_SIZE(classes) == SL_POOL_CLASSES, "one each");
	for (uint32_t i = 0; i < SL_POOL_CLASSES; i++) {
		struct sl_buffer *whole, *more;

		ASSERT_EQ(0, sl_buffer_new(self->pool, classes[i], &whole));
		EXPECT_EQ(classes[i], sl_buffer_bytes(whole));
		EXPECT_EQ(0u, (uintptr_t)sl_buffer_data(whole) % (classes[i] < 4096 ? 64 : 4096));
		memset(sl_buffer_data(whole), 1, classes[i]);
		if (i + 1 < SL_POOL_CLASSES) {
			ASSERT_EQ(0, sl_buffer_new(self->pool, classes[i] + 1, &more));
			EXPECT_EQ(classes[i + 1], sl_buffer_bytes(more));
			sl_buffer_release(more);
		} else {
			EXPECT_EQ(-E2BIG, sl_buffer_new(self->pool, classes[i] + 1, &more));
		}
		sl_buffer_release(whole);
	}
	EXPECT_EQ(-EINVAL, sl_buffer_new(self->pool, 0, &self->b));
}

TEST_F(pool, the_last_release_gives_a_block_back)
{
	void *data = sl_buffer_data(self->b);

	EXPECT_EQ(1u, sl_buffer_count(self->b));
	EXPECT_EQ(self->b, sl_buffer_retain(self->b));
	EXPECT_EQ(2u, sl_buffer_count(self->b));
	sl_buffer_release(self->b);
	EXPECT_EQ(0u, idle(self->pool));
	EXPECT_EQ(1024u, held(self->pool));
	sl_buffer_release(self->b);
	EXPECT_EQ(1024u, idle(self->pool));
	EXPECT_EQ(0u, held(self->pool));
	ASSERT_EQ(0, sl_buffer_new(self->pool, 1, &self->b));
	EXPECT_EQ(data, sl_buffer_data(self->b));
	EXPECT_EQ(0u, idle(self->pool));
	EXPECT_EQ(0u, sl_pool_trim(self->pool));
}

TEST_F(pool, slices_hold_what_they_show)
{
	struct sl_buffer_slice a, b, none = {0};

	memcpy(sl_buffer_data(self->b), "0123456789", 10);
	ASSERT_EQ(0, sl_buffer_slice(self->b, 2, 5, &a));
	ASSERT_EQ(0, sl_buffer_slice_again(&a, 1, 4, &b));
	EXPECT_EQ(3u, sl_buffer_count(self->b));
	sl_buffer_slice_release(&a);
	EXPECT_EQ(NULL, a.buffer);
	EXPECT_EQ(4u, b.n);
	EXPECT_EQ(0, memcmp("3456", b.data, 4));
	sl_buffer_slice_release(&b);
	sl_buffer_slice_release(&none);
	EXPECT_EQ(1u, sl_buffer_count(self->b));
}

TEST_F(pool, no_slice_leaves_its_bytes)
{
	struct sl_buffer_slice all, s;
	size_t n = sl_buffer_bytes(self->b);

	ASSERT_EQ(0, sl_buffer_slice(self->b, n, 0, &s));
	sl_buffer_slice_release(&s);
	EXPECT_EQ(-ERANGE, sl_buffer_slice(self->b, n, 1, &s));
	EXPECT_EQ(-ERANGE, sl_buffer_slice(self->b, n + 1, 0, &s));
	EXPECT_EQ(-ERANGE, sl_buffer_slice(self->b, 1, SIZE_MAX, &s));
	ASSERT_EQ(0, sl_buffer_slice(self->b, 10, 10, &all));
	EXPECT_EQ(-ERANGE, sl_buffer_slice_again(&all, 0, 11, &s));
	EXPECT_EQ(-ERANGE, sl_buffer_slice_again(&all, 11, 0, &s));
	EXPECT_EQ(-ERANGE, sl_buffer_slice_again(&all, 5, SIZE_MAX - 2, &s));
	EXPECT_EQ(2u, sl_buffer_count(self->b));
	sl_buffer_slice_release(&all);
}

TEST_F(pool, buffers_outlive_their_pool)
{
	sl_pool_free(self->pool);
	self->pool = NULL;
	memset(sl_buffer_data(self->b), 7, sl_buffer_bytes(self->b));
	EXPECT_EQ(7, *(uint8_t *)sl_buffer_data(self->b));
}

TEST(a_pool_keeps_its_bound)
{
	struct sl_buffer *a, *b, *c;
	struct sl_pool *pool;

	ASSERT_EQ(0, sl_pool_new(8192, &pool));
	ASSERT_EQ(0, sl_buffer_new(pool, 4096, &a));
	ASSERT_EQ(0, sl_buffer_new(pool, 4096, &b));
	EXPECT_EQ(-ENOBUFS, sl_buffer_new(pool, 1, &c));
	sl_buffer_release(a);
	ASSERT_EQ(0, sl_buffer_new(pool, 1, &c)); /* what waits makes room for another class */
	EXPECT_EQ(4096u + 1024u, held(pool));
	EXPECT_EQ(0u, idle(pool));
	sl_buffer_release(b);
	sl_buffer_release(c);
	EXPECT_EQ(4096u + 1024u, sl_pool_trim(pool));
	sl_pool_free(pool);
	sl_pool_free(NULL);
}

TEST(the_heap_gives_just_what_is_asked_for)
{
	struct sl_buffer *b;

	ASSERT_EQ(0, sl_buffer_new_heap(1001, &b));
	EXPECT_EQ(1001u, sl_buffer_bytes(b));
	EXPECT_EQ(SL_BUFFER_HEAP, sl_buffer_kind(b));
	EXPECT_EQ(0u, (uintptr_t)sl_buffer_data(b) % 64);
	memset(sl_buffer_data(b), 1, 1001);
	sl_buffer_release(b);
	EXPECT_EQ(-EINVAL, sl_buffer_new_heap(0, &b));
	EXPECT_EQ(-EINVAL, sl_buffer_new_heap(SIZE_MAX, &b));
	sl_buffer_release(NULL);
}

TEST(a_mapped_file_is_read_in_place)
{
	int fd = open(harness_tmpdir(), O_TMPFILE | O_RDWR, 0600);
	static uint8_t bytes[10000];
	struct sl_buffer *b;

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	ASSERT_EQ((ssize_t)sizeof(bytes), pwrite(fd, bytes, sizeof(bytes), 0));
	EXPECT_EQ(-ERANGE, sl_buffer_map(fd, 1, sizeof(bytes), &b));
	EXPECT_EQ(-ERANGE, sl_buffer_map(fd, sizeof(bytes) + 1, 1, &b));
	EXPECT_EQ(-EINVAL, sl_buffer_map(fd, 0, 0, &b));
	EXPECT_EQ(-EBADF, sl_buffer_map(-1, 0, 1, &b));
	ASSERT_EQ(0, sl_buffer_map(fd, 5001, 3000, &b));
	close(fd);
	EXPECT_EQ(SL_BUFFER_MAPPED, sl_buffer_kind(b));
	EXPECT_EQ(3000u, sl_buffer_bytes(b));
	EXPECT_EQ(0, memcmp(bytes + 5001, sl_buffer_data(b), 3000));
	sl_buffer_release(b);
}

static void *use(void *pool)
{
	for (int i = 0; i < 2000; i++) {
		struct sl_buffer_slice s;
		struct sl_buffer *b;

		if (sl_buffer_new(pool, 1 + (size_t)i % 5000, &b) || sl_buffer_slice(b, 0, 1, &s))
			return pool;
		*(uint8_t *)sl_buffer_data(b) = (uint8_t)i;
		sl_buffer_release(b);
		if (s.data[0] != (uint8_t)i)
			return pool;
		sl_buffer_slice_release(&s);
	}
	return NULL;
}

TEST(threads_share_a_pool)
{
	pthread_t threads[4];
	struct sl_pool *pool;
	void *failed;

	ASSERT_EQ(0, sl_pool_new(0, &pool));
	for (size_t i = 0; i < SL_ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use, pool));
	for (size_t i = 0; i < SL_ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &failed);
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_EQ(0u, held(pool));
	sl_pool_free(pool);
}

TEST_HARNESS_MAIN
