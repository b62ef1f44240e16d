/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of texts: words, their small letters, patterns.
 *
 * Interface: filter_pvt.h. Nothing is copied or taken: a token is a part of its text, and letters
 * are made small while they are compared. Letters of all scripts are letters by simple rules: what
 * is not known to be a sign or a space is one. Small letters are known of the Latin, Greek,
 * Cyrillic and Armenian scripts; none of them takes more bytes than its capital.
 *
 * Order of parts: characters; small letters; tokens; comparing; conditions.
 */
#include <string.h>

#include "filter_pvt.h"

/* ---- characters ------------------------------------------------------------------------- */

/* The character at @p, which is moved behind it; of what is no UTF-8 each byte is one, that no text
 * has. */
static uint32_t next_char(const char **p, const char *end)
{
	const uint8_t *at = (const uint8_t *)*p;
	size_t len = at[0] < 0xc0 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4, have = 1;
	uint32_t c = at[0] & (0x7fu >> len);

	if (at[0] < 0x80) {
		++*p;
		return at[0];
	}
	while (have < len && have < (size_t)(end - *p) && (at[have] & 0xc0) == 0x80)
		c = c << 6 | (at[have++] & 0x3f);
	if (len == 1 || have < len) {
		++*p;
		return 0xdc00u | at[0];
	}
	*p += len;
	return c;
}

static size_t put_char(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static bool is_space(uint32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

/* Signs and spaces above ASCII, rising. */
static const struct {
	uint32_t first, last;
} signs[] = {
	{0x80, 0xa9},	    {0xab, 0xb1},     {0xb4, 0xb4},	{0xb6, 0xb8},
	{0xbb, 0xbb},	    {0xbf, 0xbf},     {0xd7, 0xd7},	{0xf7, 0xf7},
	{0x37e, 0x37e},	    {0x387, 0x387},   {0x55a, 0x55f},	{0x589, 0x58a},
	{0x5be, 0x5be},	    {0x5c0, 0x5c0},   {0x5c3, 0x5c3},	{0x5c6, 0x5c6},
	{0x5f3, 0x5f4},	    {0x600, 0x60f},   {0x61b, 0x61f},	{0x66a, 0x66d},
	{0x6d4, 0x6d4},	    {0x964, 0x965},   {0xe4f, 0xe4f},	{0xe5a, 0xe5b},
	{0x1680, 0x1680},   {0x17d4, 0x17da}, {0x2000, 0x206f}, {0x20a0, 0x20cf},
	{0x2190, 0x245f},   {0x2500, 0x2bff}, {0x2e00, 0x2fff}, {0x3000, 0x3004},
	{0x3008, 0x3020},   {0x3030, 0x3030}, {0x303d, 0x303f}, {0x30a0, 0x30a0},
	{0x30fb, 0x30fb},   {0xe000, 0xf8ff}, {0xfd3e, 0xfd3f}, {0xfe00, 0xfe1f},
	{0xfe30, 0xfe6f},   {0xfeff, 0xfeff}, {0xff00, 0xff0f}, {0xff1a, 0xff20},
	{0xff3b, 0xff40},   {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1f000, 0x1faff},
	{0xe0000, 0xe0fff},
};

static bool is_word(uint32_t c)
{
	size_t low = 0, high = SL_ARRAY_SIZE(signs);

	if (c < 0x80)
		return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c < signs[mid].first)
			high = mid;
		else if (c > signs[mid].last)
			low = mid + 1;
		else
			return false;
	}
	return true;
}

/* ---- small letters ---------------------------------------------------------------------- */

/* Capitals from @first to @last: @add to each, or (0) to every second one 1, from the first on. */
static const struct {
	uint32_t first, last;
	int32_t add;
} capitals[] = {
	{'A', 'Z', 32},		 {0xc0, 0xd6, 32},	  {0xd8, 0xde, 32},
	{0x100, 0x12f, 0},	 {0x130, 0x130, -199},	  {0x132, 0x137, 0},
	{0x139, 0x148, 0},	 {0x14a, 0x177, 0},	  {0x178, 0x178, -121},
	{0x179, 0x17e, 0},	 {0x1a0, 0x1a5, 0},	  {0x1af, 0x1af, 0},
	{0x1cd, 0x1dc, 0},	 {0x1de, 0x1ef, 0},	  {0x1f8, 0x21f, 0},
	{0x222, 0x233, 0},	 {0x386, 0x386, 38},	  {0x388, 0x38a, 37},
	{0x38c, 0x38c, 64},	 {0x38e, 0x38f, 63},	  {0x391, 0x3a1, 32},
	{0x3a3, 0x3ab, 32},	 {0x3c2, 0x3c2, 1},	  {0x400, 0x40f, 80},
	{0x410, 0x42f, 32},	 {0x460, 0x481, 0},	  {0x48a, 0x4bf, 0},
	{0x4c0, 0x4c0, 15},	 {0x4c1, 0x4ce, 0},	  {0x4d0, 0x52f, 0},
	{0x531, 0x556, 48},	 {0x1e00, 0x1e95, 0},	  {0x1e9e, 0x1e9e, -7615},
	{0x1ea0, 0x1eff, 0},	 {0x2126, 0x2126, -7517}, {0x212a, 0x212a, -8383},
	{0x212b, 0x212b, -8262}, {0xff21, 0xff3a, 32},
};

static uint32_t small(uint32_t c)
{
	size_t low = 0, high = SL_ARRAY_SIZE(capitals);

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c < capitals[mid].first)
			high = mid;
		else if (c > capitals[mid].last)
			low = mid + 1;
		else if (capitals[mid].add)
			return c + (uint32_t)capitals[mid].add;
		else
			return c + !((c - capitals[mid].first) % 2);
	}
	return c;
}

static uint32_t folded(uint32_t c, bool keep_case)
{
	return keep_case ? c : small(c);
}

size_t token_fold(struct token token, bool keep_case, char *ret_text)
{
	const char *p = token.p, *end = token.p + token.n;
	size_t n = 0;

	while (p < end) {
		const char *from = p;
		uint32_t c = next_char(&p, end), to = folded(c, keep_case);

		if (to == c) {
			memcpy(ret_text + n, from, (size_t)(p - from));
			n += (size_t)(p - from);
		} else {
			n += put_char(to, ret_text + n);
		}
	}
	return n;
}

/* ---- tokens ----------------------------------------------------------------------------- */

struct tokens tokens_of(const struct sl_tokeniser *t, const char *p, size_t n)
{
	return (struct tokens){.p = p, .end = p + n, .tokeniser = *t};
}

struct tokens tokens_of_query(const struct sl_filter *f)
{
	struct tokens q = tokens_of(&f->tokeniser, f->text, f->text_n);

	q.query = true;
	q.wild = f->kind == SL_FILTER_LIKE;
	return q;
}

static bool is_inside(const struct tokens *t, uint32_t c)
{
	if (t->wild && (c == '*' || c == '?'))
		return true;
	switch (t->tokeniser.kind) {
	case SL_TOKENS_WORD:
	case SL_TOKENS_PREFIX:
		return is_word(c);
	default:
		return !is_space(c);
	}
}

/* To the first character that is one of a token (@inside), or none. Return: how many it passed. */
static uint32_t skip(struct tokens *t, bool inside)
{
	uint32_t n = 0;

	while (t->p < t->end) {
		const char *next = t->p;

		if (is_inside(t, next_char(&next, t->end)) == inside)
			break;
		t->p = next;
		n++;
	}
	return n;
}

/* All that is left, but for white space at its end. Return: characters. */
static uint32_t take_field(struct tokens *t, struct token *ret)
{
	uint32_t n = 0, all = 0;

	*ret = (struct token){t->p, 0};
	while (t->p < t->end) {
		bool space = is_space(next_char(&t->p, t->end));

		all++;
		if (!space) {
			n = all;
			ret->n = (size_t)(t->p - ret->p);
		}
	}
	return n;
}

static void cut(struct token *token, uint32_t chars)
{
	const char *p = token->p;

	while (chars--)
		next_char(&p, token->p + token->n);
	token->n = (size_t)(p - token->p);
}

bool tokens_next(struct tokens *t, struct token *ret_token)
{
	uint32_t min = t->wild ? 0 : t->tokeniser.min, max = t->wild ? 0 : t->tokeniser.max;
	bool prefix = t->tokeniser.kind == SL_TOKENS_PREFIX;

	for (;;) {
		struct token token;
		uint32_t chars;

		skip(t, true);
		if (t->p == t->end)
			return false;
		token.p = t->p;
		if (t->tokeniser.kind == SL_TOKENS_FIELD) {
			chars = take_field(t, &token);
		} else {
			chars = skip(t, false);
			token.n = (size_t)(t->p - token.p);
		}
		if (chars < min || (max && chars > max && !prefix))
			continue;
		if (max && chars > max && t->query)
			cut(&token, max);
		*ret_token = token;
		return true;
	}
}

/* ---- comparing -------------------------------------------------------------------------- */

bool token_is(const struct sl_tokeniser *t, struct token token, struct token query)
{
	const char *a = token.p, *a_end = a + token.n, *b = query.p, *b_end = b + query.n;

	while (a < a_end && b < b_end)
		if (folded(next_char(&a, a_end), t->keep_case) !=
		    folded(next_char(&b, b_end), t->keep_case))
			return false;
	return b == b_end && (a == a_end || t->kind == SL_TOKENS_PREFIX);
}

bool token_is_like(const struct sl_tokeniser *t, struct token token, struct token pattern)
{
	const char *a = token.p, *a_end = a + token.n, *b = pattern.p, *b_end = b + pattern.n;
	const char *star = NULL,
		   *from = NULL; /* behind the last *, and what it has not yet taken */

	for (;;) {
		const char *a_next = a, *b_next = b;
		uint32_t c, want;

		if (b < b_end && *b == '*') {
			star = ++b;
			from = a;
			continue;
		}
		if (a == a_end && b == b_end)
			return true;
		if (a < a_end && b < b_end) {
			c = next_char(&a_next, a_end);
			want = next_char(&b_next, b_end);
			if (want == '?' || folded(c, t->keep_case) == folded(want, t->keep_case)) {
				a = a_next;
				b = b_next;
				continue;
			}
		}
		if (!star || from == a_end)
			return false;
		next_char(&from, a_end); /* the * takes one more */
		a = from;
		b = star;
	}
}

/* ---- conditions ------------------------------------------------------------------------- */

typedef bool (*token_fn)(const struct sl_tokeniser *t, struct token token, struct token query);

static bool has(const struct sl_filter *f, const char *p, size_t n, struct token query, token_fn is)
{
	struct tokens t = tokens_of(&f->tokeniser, p, n);
	struct token token;

	while (tokens_next(&t, &token))
		if (is(&f->tokeniser, token, query))
			return true;
	return false;
}

/* Whether the text has each token of the query, of which there is one. */
static bool has_all(const struct sl_filter *f, const char *p, size_t n, token_fn is)
{
	struct tokens q = tokens_of_query(f);
	struct token query;
	bool any = false;

	while (tokens_next(&q, &query)) {
		if (!has(f, p, n, query, is))
			return false;
		any = true;
	}
	return any;
}

bool text_has_words(const struct sl_filter *f, const char *p, size_t n)
{
	return has_all(f, p, n, token_is);
}

bool text_has_any_word(const struct sl_filter *f, const char *p, size_t n)
{
	struct tokens q = tokens_of_query(f);
	struct token query;

	while (tokens_next(&q, &query))
		if (has(f, p, n, query, token_is))
			return true;
	return false;
}

/* The tokens of @t begin with those of the query. */
static bool goes_on(const struct sl_filter *f, struct tokens t)
{
	struct tokens q = tokens_of_query(f);
	struct token query, token;

	while (tokens_next(&q, &query))
		if (!tokens_next(&t, &token) || !token_is(&f->tokeniser, token, query))
			return false;
	return true;
}

bool text_has_phrase(const struct sl_filter *f, const char *p, size_t n)
{
	struct tokens t = tokens_of(&f->tokeniser, p, n), q = tokens_of_query(f);
	struct token token;

	if (!tokens_next(&q, &token))
		return false;
	for (;;) {
		struct tokens here = t;

		if (!tokens_next(&t, &token))
			return false;
		if (goes_on(f, here))
			return true;
	}
}

bool text_is_like(const struct sl_filter *f, const char *p, size_t n)
{
	return has_all(f, p, n, token_is_like);
}
