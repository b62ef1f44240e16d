/* SPDX-License-Identifier: Apache-2.0 */
/* Dictionaries: words come, go and are found, as in a plain table. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "vectors/payload_pvt.h"

enum { WORDS = 400, ROWS = 64 };

TEST(words_have_their_rows)
{
	uint64_t model[WORDS] = {0};
	struct dict d = {0};
	char key[16];

	for (int i = 0; i < 100000; i++) {
		uint32_t word = (uint32_t)(harness_random() % WORDS), row = i % ROWS;
		uint32_t n = (uint32_t)snprintf(key, sizeof(key), "%x", word * word);
		struct word *w;

		/* more come at first, more go later */
		if (harness_random() % 100 < (i < 50000 ? 70u : 30u)) {
			ASSERT_EQ(0, dict_add(&d, key, n, row));
			model[word] |= UINT64_C(1) << row;
		} else {
			dict_remove(&d, key, n, row);
			model[word] &= ~(UINT64_C(1) << row);
		}
		w = dict_find(&d, key, n);
		ASSERT_EQ(model[word] != 0, w != NULL);
		if (w)
			ASSERT_EQ(__builtin_popcountll(model[word]), posting_count(&w->rows));
	}
	for (uint32_t word = 0; word < WORDS; word++) {
		uint32_t n = (uint32_t)snprintf(key, sizeof(key), "%x", word * word);

		ASSERT_EQ(model[word] != 0, dict_find(&d, key, n) != NULL);
		for (uint32_t row = 0; row < ROWS; row++)
			dict_remove(&d, key, n, row);
	}
	EXPECT_EQ(0, d.n);
	dict_done(&d);
}

TEST(an_empty_word_is_a_word)
{
	struct dict d = {0};

	EXPECT_NULL(dict_find(&d, "", 0));
	dict_remove(&d, "", 0, 1);
	EXPECT_EQ(0, dict_add(&d, "", 0, 1));
	EXPECT_TRUE(dict_find(&d, "", 0) != NULL);
	EXPECT_NULL(dict_find(&d, "\0", 1));
	EXPECT_TRUE(dict_bytes(&d) > 0);
	dict_remove(&d, "", 0, 1);
	EXPECT_NULL(dict_find(&d, "", 0));
	dict_done(&d);
}

TEST_HARNESS_MAIN
