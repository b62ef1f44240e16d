/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition remembers of producers: checks, limits, expiry, snapshots. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "stores/topics/producers_pvt.h"

static struct sl_batch batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t n)
{
	return (struct sl_batch){.producer_id = id, .producer_epoch = epoch, .sequence = sequence,
				 .last_delta = n - 1, .records = n};
}

/* Appends as far as @ps is concerned. Return: producer_check()'s answer. */
static int put(struct producers *ps, const struct sl_batch *b, uint64_t base, int64_t now_ms)
{
	struct producer_batch original = {0};
	int rc = producer_check(producers_find(ps, b->producer_id), b, &original);

	if (rc)
		return rc;
	producer_note(ps, producers_get(ps, b->producer_id), b, base, now_ms);
	return 0;
}

TEST(sequences_wrap_at_two_to_the_31)
{
	EXPECT_EQ(0, sequence_add(INT32_MAX, 1));
	EXPECT_EQ(4, sequence_add(INT32_MAX - 5, 10));
	EXPECT_EQ(7, sequence_add(3, 4));
}

TEST(unknown_producer_may_begin_anywhere)
{
	struct producers ps;
	struct sl_batch b = batch_of(1, 0, 77, 3);

	producers_init(&ps);
	EXPECT_EQ(0, put(&ps, &b, 0, 0));
	b = batch_of(1, 0, 80, 1);
	EXPECT_EQ(0, put(&ps, &b, 3, 0));
	b = batch_of(1, 0, 80, 1);
	EXPECT_EQ(-EEXIST, put(&ps, &b, 0, 0));
	b = batch_of(1, 0, 80, 2);
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, put(&ps, &b, 0, 0));
	producers_done(&ps);
}

TEST(snapshot_gives_back_what_is_remembered)
{
	struct producers ps, back;
	struct blob_out blob = {0};
	uint64_t offset = 0;

	producers_init(&ps);
	producers_init(&back);
	for (int64_t id = 0; id < 100; id++) {
		for (int i = 0; i <= id % 8; i++) {
			struct sl_batch b = batch_of(id, (int16_t)(id % 3), i * 10, 10);

			ASSERT_EQ(0, put(&ps, &b, (uint64_t)(id * 1000 + i), id));
		}
	}
	ASSERT_EQ(0, producers_encode(&ps, 4242, &blob));
	ASSERT_EQ(0, producers_decode(&back, blob.p, blob.len, &offset));
	EXPECT_EQ(4242, offset);
	EXPECT_EQ(100, back.n);
	for (int64_t id = 0; id < 100; id++) {
		int last = (int)(id % 8);
		struct sl_batch b = batch_of(id, (int16_t)(id % 3), last * 10, 10);
		struct producer_batch original = {0};

		EXPECT_EQ(-EEXIST, producer_check(producers_find(&back, id), &b, &original));
		EXPECT_EQ(id * 1000 + last, original.base);
		b.sequence += 10;
		EXPECT_EQ(0, put(&back, &b, 1, 1));
	}
	/* Every cut and every flipped bit is noticed. */
	for (size_t n = 0; n < blob.len; n += 1 + n / 20) {
		struct producers other;

		producers_init(&other);
		EXPECT_EQ(-EBADMSG, producers_decode(&other, blob.p, n, &offset));
		blob.p[n] ^= 16;
		EXPECT_EQ(-EBADMSG, producers_decode(&other, blob.p, blob.len, &offset));
		blob.p[n] ^= 16;
		EXPECT_EQ(0, other.n);
		producers_done(&other);
	}
	blob_done(&blob);
	producers_done(&ps);
	producers_done(&back);
}

TEST(idle_ones_expire_in_order_of_use)
{
	struct producers ps;

	producers_init(&ps);
	for (int64_t id = 0; id < 10; id++) {
		struct sl_batch b = batch_of(id, 0, 0, 1);

		ASSERT_EQ(0, put(&ps, &b, 0, id * 100));
	}
	producers_find(&ps, 2)->busy = true;
	producers_expire(&ps, 500);
	EXPECT_EQ(6, ps.n);
	EXPECT_EQ(NULL, producers_find(&ps, 1));
	EXPECT_NE(NULL, producers_find(&ps, 2));
	EXPECT_NE(NULL, producers_find(&ps, 5));
	producers_find(&ps, 2)->busy = false;
	producers_done(&ps);
}

TEST(number_of_producers_is_bounded)
{
	struct producers ps;

	producers_init(&ps);
	for (int64_t id = 0; id < PRODUCERS_MAX + 10; id++) {
		struct sl_batch b = batch_of(id, 0, 0, 1);

		ASSERT_EQ(0, put(&ps, &b, 0, id));
	}
	EXPECT_EQ(PRODUCERS_MAX, ps.n);
	EXPECT_EQ(NULL, producers_find(&ps, 9));
	EXPECT_NE(NULL, producers_find(&ps, 10));
	producers_done(&ps);
}

TEST_HARNESS_MAIN
