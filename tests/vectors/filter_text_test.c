/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what the words of a text are, which are the same, and what is like a pattern. */
#include <string.h>

#include "harness.h"
#include "vectors/filter_pvt.h"

/* All tokens, folded, with a | behind each. */
static const char *all(struct sl_tokeniser t, bool query, const char *text)
{
	static char seen[300];
	struct tokens tokens = tokens_of(&t, text, strlen(text));
	struct token token;
	size_t n = 0;

	tokens.query = query;
	while (tokens_next(&tokens, &token)) {
		n += token_fold(token, t.keep_case, seen + n);
		seen[n++] = '|';
	}
	seen[n] = '\0';
	return seen;
}

#define EXPECT_TOKENS(want, text, ...)                                                             \
	EXPECT_STREQ(want, all((struct sl_tokeniser){__VA_ARGS__}, false, text))

TEST(words_are_letters_and_digits)
{
	EXPECT_TOKENS("the|quick|fox|s|2|legs|", " The quick-fox's (2) legs. ", SL_TOKENS_WORD);
	EXPECT_TOKENS("", "  ... !", SL_TOKENS_WORD);
	EXPECT_TOKENS("", "", SL_TOKENS_WORD);
	EXPECT_TOKENS("straße|naïve|œuvre|", "Straße, NAÏVE «Œuvre»", SL_TOKENS_WORD);
	EXPECT_TOKENS("привет|мир|", "ПРИВЕТ—мир…", SL_TOKENS_WORD);
	EXPECT_TOKENS("οδυσσευσ|", "Οδυσσευς", SL_TOKENS_WORD);
	EXPECT_TOKENS("東京|タワー|", "東京、タワー。", SL_TOKENS_WORD);
	EXPECT_TOKENS("ok|ďž|ÿ|", "😀ok😀 ĎŽ Ÿ", SL_TOKENS_WORD);
	EXPECT_TOKENS("The|Fox|", "The Fox", SL_TOKENS_WORD, true);
}

TEST(tokens_end_at_spaces_or_not_at_all)
{
	EXPECT_TOKENS("the|fox's|x-ray|", "\tThe fox's\u3000X-ray ", SL_TOKENS_SPACE);
	EXPECT_TOKENS("the  fox|", "  The  Fox \n", SL_TOKENS_FIELD);
	EXPECT_TOKENS("", " \n", SL_TOKENS_FIELD);
}

TEST(short_and_long_tokens_are_passed_over)
{
	EXPECT_TOKENS("bb|ccc|", "a bb ccc dddd", SL_TOKENS_WORD, false, 2, 3);
	EXPECT_TOKENS("éé|", "é éé", SL_TOKENS_WORD, false, 2, 2);
	EXPECT_TOKENS("dddd|", "a dddd", SL_TOKENS_PREFIX, false, 2, 3);
	EXPECT_STREQ("dd|",
		     all((struct sl_tokeniser){SL_TOKENS_PREFIX, false, 1, 2}, true, "dddd"));
}

TEST(bytes_that_are_no_utf8_are_letters_of_no_text)
{
	static const char bad[] = "\xc5 \xe2\x82 a\xffz\xf0";
	struct tokens t = tokens_of(&(struct sl_tokeniser){SL_TOKENS_WORD}, bad, sizeof(bad) - 1);
	struct token token;
	char out[sizeof(bad)];
	size_t n = 0;

	while (tokens_next(&t, &token)) {
		ASSERT_EQ(token.n, token_fold(token, false, out));
		EXPECT_EQ(0, memcmp(token.p, out, token.n));
		n++;
	}
	EXPECT_TRUE(n >= 3);
}

static bool like(struct sl_tokeniser t, const char *text, const char *pattern)
{
	struct sl_filter f = {SL_FILTER_LIKE, .text = pattern, .text_n = strlen(pattern),
			      .tokeniser = t};

	return text_is_like(&f, text, strlen(text));
}

TEST(patterns_are_matched)
{
	static const struct {
		const char *text, *pattern;
		bool is;
	} cases[] = {
		{"carousel", "car*", true},	{"car", "car*", true},
		{"scar", "car*", false},	{"scar", "*car", true},
		{"scars", "*car*", true},	{"cat", "c?t", true},
		{"ct", "c?t", false},		{"coat", "c??t", true},
		{"Łódź", "?ó?ź", true},		{"ŁÓDŹ", "łó*", true},
		{"abcabd", "*abd", true},	{"aaa", "a*a*a", true},
		{"aa", "a*a*a", false},		{"abc", "***", true},
		{"abc", "*?*?*?*", true},	{"abc", "*?*?*?*?*", false},
		{"abcbcd", "a*bcd", true},	{"abc", "abc", true},
		{"abc", "ab", false},		{"abc", "abcd", false},
		{"x car", "car", true},		{"the car park", "par? c*r", true},
		{"the car", "par? c*r", false}, {"abc", "", false},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		bool is = like((struct sl_tokeniser){SL_TOKENS_WORD}, cases[i].text,
			       cases[i].pattern);

		if (!EXPECT_EQ(cases[i].is, is))
			TH_LOG("%s like %s", cases[i].text, cases[i].pattern);
	}
	EXPECT_TRUE(like((struct sl_tokeniser){SL_TOKENS_FIELD}, "the car park", "the*p?rk"));
	EXPECT_FALSE(like((struct sl_tokeniser){SL_TOKENS_FIELD}, "the car park", "car*"));
	EXPECT_FALSE(like((struct sl_tokeniser){SL_TOKENS_FIELD, true}, "The", "the"));
}

static bool holds(enum sl_filter_kind kind, struct sl_tokeniser t, const char *text,
		  const char *query)
{
	struct sl_filter f = {kind, .text = query, .text_n = strlen(query), .tokeniser = t};

	return filter_text_holds(&f, text, strlen(text));
}

TEST(words_and_phrases_are_found)
{
	const struct sl_tokeniser word = {SL_TOKENS_WORD}, prefix = {SL_TOKENS_PREFIX, false, 2};
	const char *text = "A rose is a rose is a red rose";

	EXPECT_TRUE(holds(SL_FILTER_WORDS, word, text, "Rose, is red"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS, word, text, "rose blue"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS, word, text, "ros"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS, word, text, " . "));
	EXPECT_TRUE(holds(SL_FILTER_WORDS, prefix, text, "ros re"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS, prefix, text, "ose"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS, prefix, text, "r"));
	EXPECT_TRUE(holds(SL_FILTER_WORDS_ANY, word, text, "blue rose"));
	EXPECT_FALSE(holds(SL_FILTER_WORDS_ANY, word, text, "blue"));
	EXPECT_TRUE(holds(SL_FILTER_PHRASE, word, text, "is a RED"));
	EXPECT_TRUE(holds(SL_FILTER_PHRASE, word, text, "red rose"));
	EXPECT_FALSE(holds(SL_FILTER_PHRASE, word, text, "rose red"));
	EXPECT_FALSE(holds(SL_FILTER_PHRASE, word, text, "red rose is"));
	EXPECT_FALSE(holds(SL_FILTER_PHRASE, word, text, ""));
	EXPECT_TRUE(holds(SL_FILTER_SUBSTRING, word, text, "e is a r"));
	EXPECT_TRUE(holds(SL_FILTER_SUBSTRING, word, "", ""));
	EXPECT_FALSE(holds(SL_FILTER_SUBSTRING, word, "", "a"));
}

/* Small letters of the first 0x2200 characters stay small, and none becomes longer. */
TEST(folding_twice_is_folding_once)
{
	for (uint32_t c = 0x80; c < 0x2200; c++) {
		char once[4], twice[4], text[4];
		size_t n = c < 0x800 ? 2 : 3, n_once;

		text[0] = (char)(n == 2 ? 0xc0 | c >> 6 : 0xe0 | c >> 12);
		text[1] = (char)(0x80 | (n == 2 ? c & 0x3f : c >> 6 & 0x3f));
		text[2] = (char)(0x80 | (c & 0x3f));
		n_once = token_fold((struct token){text, n}, false, once);
		ASSERT_TRUE(n_once <= n);
		ASSERT_EQ(n_once, token_fold((struct token){once, n_once}, false, twice));
		ASSERT_EQ(0, memcmp(once, twice, n_once));
	}
}

TEST_HARNESS_MAIN
