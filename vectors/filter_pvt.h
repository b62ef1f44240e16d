/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What filters stand on: places on the globe, tokens of texts, one value against one condition; for
 * the files filter*.c and payload*.c.
 *
 * Order of parts: values; places; tokens.
 */
#ifndef VECTORS_FILTER_PVT_H
#define VECTORS_FILTER_PVT_H

#include <sluice/assert.h>
#include <sluice/filter.h>
#include <sluice/util.h>

/* ---- values ----------------------------------------------------------------------------- */

/* Calls @each for every value that a condition on @path looks at: items instead of their list. */
int filter_visit_items(const struct sl_value *v, const char *path,
		       int (*each)(void *arg, const struct sl_value *item), void *arg);

/* Items that SL_FILTER_COUNT counts in a value. */
uint64_t filter_count(const struct sl_value *v);

/* What dates, UUIDs and places are, texts and maps among them. */
bool filter_date(const struct sl_value *v, int64_t *ret_us);
bool filter_uuid(const struct sl_value *v, uint8_t ret_uuid[SL_OBJECT_UUID_BYTES]);
bool filter_place(const struct sl_value *v, struct sl_place *ret_place);

/* Whether a text fulfils a condition of @text or of @range on texts. */
bool filter_text_holds(const struct sl_filter *f, const char *p, size_t n);

/* ---- places ----------------------------------------------------------------------------- */

/* Longitudes of @west > @east go over 180 degrees. */
struct bounds {
	double south, north, west, east;
};

enum place_answer { PLACE_OUT, PLACE_DOUBT, PLACE_IN };

bool place_is_meant(const struct sl_filter *f, struct sl_place place);

/* The same of a place that is known to within @slack degrees. */
enum place_answer place_answer(const struct sl_filter *f, struct sl_place place, double slack);

/* All that is meant is within these. */
struct bounds place_bounds(const struct sl_filter *f);

/* ---- tokens ----------------------------------------------------------------------------- */

/* A part of a text, as it stands there; which capitals are small letters is for who compares. */
struct token {
	const char *p;
	size_t n;
};

/**
 * struct tokens - what of a text is still to come.
 * @query: prefixes are cut, not passed over. @wild: * and ? are part of words, any length counts.
 */
struct tokens {
	const char *p, *end;
	struct sl_tokeniser tokeniser;
	bool query, wild;
};

struct tokens tokens_of(const struct sl_tokeniser *t, const char *p, size_t n);

/* Those that a condition of @text looks for. */
struct tokens tokens_of_query(const struct sl_filter *f);
bool tokens_next(struct tokens *t, struct token *ret_token);

/* As a token is kept: small letters unless @keep_case. @ret_text has room for @n bytes. */
size_t token_fold(struct token token, bool keep_case, char *ret_text);

/* Whether one of a text is what a query's stands for. */
bool token_is(const struct sl_tokeniser *t, struct token token, struct token query);
bool token_is_like(const struct sl_tokeniser *t, struct token token, struct token pattern);

/* The conditions of @text on one text. */
bool text_has_words(const struct sl_filter *f, const char *p, size_t n);
bool text_has_any_word(const struct sl_filter *f, const char *p, size_t n);
bool text_has_phrase(const struct sl_filter *f, const char *p, size_t n);
bool text_is_like(const struct sl_filter *f, const char *p, size_t n);

#endif
