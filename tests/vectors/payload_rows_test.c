/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of rows as lists and as words, whatever they are made of; bitmaps kept; postings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "saved.h"
#include "vectors/payload_pvt.h"

enum { MAX = 5 << 16 };

/* Sparse, dense and run-like parts, chosen by @how. */
static roaring_bitmap_t *draw(uint32_t how)
{
	roaring_bitmap_t *map = roaring_bitmap_create();

	ASSERT_TRUE(map != NULL);
	for (uint32_t block = 0; block < 5; block++, how /= 4) {
		uint32_t base = block << 16;

		switch (how % 4) {
		case 1:
			for (int i = 0; i < 300; i++)
				roaring_bitmap_add(map, base + (harness_random() & 0xffff));
			break;
		case 2:
			for (int i = 0; i < 30000; i++)
				roaring_bitmap_add(map, base + (harness_random() & 0xffff));
			break;
		case 3:
			roaring_bitmap_add_range_closed(map, base + 100, base + 50000);
			roaring_bitmap_add_range_closed(map, base + 60000, base + 0xffff);
			break;
		default:
			break;
		}
	}
	return map;
}

/* One of the next @n ways to draw. */
static uint32_t next_of(uint32_t how, uint32_t n)
{
	return how + 1 + (uint32_t)(harness_random() % (n * (uint32_t)harness_work_part()));
}

TEST(words_have_the_rows_of_the_set)
{
	uint64_t *words = malloc(MAX / 8);

	ASSERT_TRUE(words != NULL);
	for (uint32_t how = 0; how < 1024; how = next_of(how, 16)) {
		struct sl_row_set set = {draw(how)};
		uint32_t rows = MAX - (uint32_t)(harness_random() % 70000), n = 0;

		memset(words, 0xff, MAX / 8);
		ASSERT_EQ(0, sl_row_set_words(&set, words, rows));
		for (uint32_t row = 0; row < rows; row++) {
			bool is = words[row / 64] >> row % 64 & 1;

			ASSERT_EQ(sl_row_set_has(&set, row), is);
			n += is;
		}
		if (rows % 64)
			ASSERT_EQ(0, words[rows / 64] >> rows % 64);
		ASSERT_EQ(roaring_bitmap_rank(set.map, rows - 1), n);
		roaring_bitmap_free(set.map);
	}
	free(words);
}

TEST(bitmaps_are_made_of_words)
{
	for (uint32_t how = 0; how < 1024; how = next_of(how, 16)) {
		struct sl_row_set set = {draw(how)};
		uint64_t *words = calloc(MAX / 64, 8);
		roaring_bitmap_t *again;

		ASSERT_TRUE(words != NULL);
		ASSERT_EQ(0, sl_row_set_words(&set, words, MAX));
		again = bitmap_of_words(words, MAX / 64);
		ASSERT_TRUE(again != NULL);
		ASSERT_TRUE(roaring_bitmap_equals(set.map, again));
		roaring_bitmap_free(again);
		roaring_bitmap_free(set.map);
		free(words);
	}
}

TEST(rows_are_read_in_parts)
{
	struct sl_row_set set = {draw(1 + 2 * 4 + 3 * 16)};
	uint32_t rows[100], n, from = 0, all = 0;

	while ((n = sl_row_set_next(&set, from, rows, 100))) {
		for (uint32_t i = 0; i < n; i++) {
			ASSERT_TRUE(rows[i] >= from);
			ASSERT_TRUE(sl_row_set_has(&set, rows[i]));
			from = rows[i] + 1;
		}
		all += n;
	}
	EXPECT_EQ(sl_row_set_count(&set), all);
	EXPECT_EQ(1, sl_row_set_next(&set, 0, rows, 1));
	sl_row_set_remove(&set, rows[0]);
	EXPECT_FALSE(sl_row_set_has(&set, rows[0]));
	EXPECT_EQ(all - 1, sl_row_set_count(&set));
	roaring_bitmap_free(set.map);
}

static int save(void *what, struct index_out *out)
{
	return bitmap_save(what, out);
}

struct loaded {
	roaring_bitmap_t *map;
	uint64_t rows;
};

static int load(void *what, struct index_in *in)
{
	struct loaded *l = what;

	return bitmap_load(in, l->rows, &l->map);
}

TEST(bitmaps_are_kept_within_their_rows)
{
	uint8_t room[300000];

	for (uint32_t how = 0; how < 1024; how = next_of(how, 32)) {
		roaring_bitmap_t *map = draw(how);
		struct bytes b = {room, .room = sizeof(room)};
		struct loaded l = {NULL, MAX};

		ASSERT_EQ(0, index_save_by(save, map, write_bytes, &b));
		ASSERT_EQ(0, index_load_by(load, &l, read_bytes, &b));
		ASSERT_TRUE(roaring_bitmap_equals(map, l.map));
		l.rows = roaring_bitmap_maximum(map);
		b.at = 0;
		ASSERT_EQ(how ? -EBADMSG : 0, index_load_by(load, &l, read_bytes, &b));
		roaring_bitmap_free(l.map);
		roaring_bitmap_free(map);
	}
}

TEST(a_damaged_bitmap_is_refused)
{
	uint8_t room[100000];
	roaring_bitmap_t *map = draw(1 + 2 * 4 + 3 * 16);
	struct bytes b = {room, .room = sizeof(room)};

	roaring_bitmap_run_optimize(map);
	ASSERT_EQ(0, index_save_by(save, map, write_bytes, &b));
	for (int i = 0; i < 2000; i++) {
		size_t at = harness_random() % b.n;
		struct loaded l = {NULL, MAX};
		int err;

		b.p[at] ^= (uint8_t)(1 << i % 8);
		b.at = 0;
		err = index_load_by(load, &l, read_bytes, &b);
		ASSERT_TRUE(err == -EBADMSG || err == -ENODATA);
		if (l.map)
			roaring_bitmap_free(l.map);
		b.p[at] ^= (uint8_t)(1 << i % 8);
	}
	roaring_bitmap_free(map);
}

TEST(postings_are_sets_of_any_size)
{
	struct posting p = {0};
	bool model[40] = {false};
	roaring_bitmap_t *even = roaring_bitmap_create(), *rows;

	for (uint32_t i = 0; i < 40; i += 2)
		roaring_bitmap_add(even, i);
	for (int i = 0; i < 5000; i++) {
		uint32_t row = (uint32_t)(harness_random() % (i % 1000 < 500 ? 4 : 40)), n = 0;
		uint32_t n_even = 0;

		model[row] = i % 3;
		if (model[row])
			ASSERT_EQ(0, posting_add(&p, row));
		else
			posting_remove(&p, row);
		rows = roaring_bitmap_create();
		posting_into(&p, rows);
		for (uint32_t r = 0; r < 40; r++) {
			ASSERT_EQ(model[r], roaring_bitmap_contains(rows, r));
			n += model[r];
			n_even += model[r] && r % 2 == 0;
		}
		ASSERT_EQ(n, posting_count(&p));
		ASSERT_EQ(n_even, posting_count_of(&p, even));
		roaring_bitmap_free(rows);
	}
	posting_done(&p);
	roaring_bitmap_free(even);
}

TEST_HARNESS_MAIN
