// SPDX-License-Identifier: Apache-2.0
/* Growing text. */
#include <string.h>

#include "dataplane/text.h"
#include "harness.h"

TEST(text_grows_and_keeps_what_it_has)
{
	struct sl_text t = {0};

	for (int i = 0; i < 10000; i++)
		sl_text_printf(&t, "%05d,", i);
	sl_text_put_string(&t, "end");
	sl_text_put(&t, "\0!", 2);
	EXPECT_EQ(0, t.err);
	ASSERT_EQ(60005, t.len);
	EXPECT_MEMEQ("00000,00001,", t.data, 12);
	EXPECT_MEMEQ("09999,end\0!", t.data + t.len - 11, 11);
	sl_text_done(&t);
	EXPECT_EQ(0, t.len);
	sl_text_done(&t);
	sl_text_done(NULL);
}

TEST(numbers_in_digits)
{
	static const struct {
		uint64_t v;
		const char *text;
	} rows[] = {{0, "0"}, {7, "7"}, {10, "10"}, {90210, "90210"},
		    {UINT64_MAX, "18446744073709551615"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char p[SL_DIGITS_MAX + 1];

		*sl_digits_put(p, rows[i].v) = 0;
		EXPECT_STREQ(rows[i].text, p);
	}
}

TEST(hexadecimal_digits)
{
	static const char digits[] = "0123456789abcdef";

	for (int c = -128; c < 128; c++) {
		int letter = c >= 'A' && c <= 'Z' ? c + 32 : c;
		const char *small = c > 0 ? strchr(digits, letter) : NULL;

		EXPECT_EQ(small ? small - digits : -1, sl_hex_digit((char)c));
	}
}

TEST(one_piece_longer_than_all_before_fits)
{
	static char big[100000];
	struct sl_text t = {0};

	memset(big, 'x', sizeof(big));
	sl_text_put_string(&t, "a");
	sl_text_put(&t, big, sizeof(big));
	EXPECT_EQ(sizeof(big) + 1, t.len);
	EXPECT_EQ('x', t.data[t.len - 1]);
	sl_text_done(&t);
}

TEST(lent_memory_is_used_until_it_is_full)
{
	char own[16];
	struct sl_text t = sl_text_lent(own, sizeof(own));

	sl_text_put(&t, "0123456789abcdef", 16);
	EXPECT_EQ((void *)own, (void *)t.data);
	sl_text_put_string(&t, "ghi");
	EXPECT_NE((void *)own, (void *)t.data);
	EXPECT_EQ(0, t.err);
	ASSERT_EQ(19, t.len);
	EXPECT_MEMEQ("0123456789abcdefghi", t.data, 19);
	sl_text_done(&t);
	t = sl_text_lent(own, sizeof(own));
	sl_text_done(&t); /* which is not the heap's */
}

TEST_HARNESS_MAIN
