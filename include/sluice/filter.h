/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: which objects are meant. libsluice(3).
 *
 * A filter is a tree of plain structs in the caller's memory, which nothing here keeps or frees: a
 * request builds it in its own. sl_filter_matches() looks at one object where it lies;
 * the collections of objects.h find all that match.
 *
 * Values: a condition on a path looks at each value that sl_value_visit() finds there. If that is a
 * list, its items stand for it (those lists that are in it do not). One value that does is enough;
 * where there is none the condition does not hold, if nothing else is said.
 *
 * Order of parts: operands; tokens; places; filters; calls; indexes of properties.
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include <sluice/object.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- operands --------------------------------------------------------------------------- */

/**
 * struct sl_operand - what values are compared with.
 * @type: SL_VALUE_BOOLEAN, _INTEGER, _NUMBER, _TEXT, _DATE or _UUID.
 *
 * Integers and numbers are compared by what they say. To a date also texts are compared that are
 * dates, to a UUID those that are UUIDs.
 */
struct sl_operand {
	enum sl_value_type type;
	union {
		bool boolean;
		int64_t integer;
		double number;
		int64_t date; /* microseconds since 1970 */
		struct {
			const char *p;
			size_t n;
		} text;
		uint8_t uuid[SL_OBJECT_UUID_BYTES];
	};
};

/* ---- tokens ----------------------------------------------------------------------------- */

enum sl_tokens {
	SL_TOKENS_WORD, /* letters and digits in a row */
	SL_TOKENS_SPACE, /* what stands between white space */
	SL_TOKENS_FIELD, /* the text, without white space around it */
	SL_TOKENS_PREFIX, /* words; a token of a query is found where a word begins with it */
	SL_TOKENS_LAST
};

/**
 * struct sl_tokeniser - what the words of a text are.
 * @keep_case: else capitals are the same as small letters.
 * @min, @max: shorter and longer tokens, in characters, are passed over; 0: no limit. In a query
 *	for prefixes a longer token is cut.
 */
struct sl_tokeniser {
	enum sl_tokens kind;
	bool keep_case;
	uint32_t min, max;
};

/* ---- places ----------------------------------------------------------------------------- */

struct sl_place {
	double latitude, longitude; /* degrees */
};

/* Corners one after the other; the last is joined to the first. */
struct sl_ring {
	const struct sl_place *places;
	uint32_t n;
};

/* ---- filters ---------------------------------------------------------------------------- */

enum sl_filter_kind {
	/* of @of */
	SL_FILTER_ALL, /* all of them; so none at all: every object */
	SL_FILTER_ANY, /* at least @at_least (0: one) of them */
	SL_FILTER_NONE, /* none of them */
	SL_FILTER_NESTED, /* a map in the list at @path for which all of them hold, within it */
	/* of @operands */
	SL_FILTER_MATCH, /* equal to one of them */
	SL_FILTER_EXCEPT, /* neither null nor equal to one of them */
	SL_FILTER_CONTAINS_ALL, /* for each of them, a value that is equal */
	/* of @text */
	SL_FILTER_WORDS, /* all of its tokens in one text; none if it has none */
	SL_FILTER_WORDS_ANY, /* one of its tokens */
	SL_FILTER_PHRASE, /* all of its tokens one after the other, in one text */
	SL_FILTER_SUBSTRING, /* its bytes */
	SL_FILTER_LIKE, /* a token that is like it: * any characters, ? one */
	SL_FILTER_RANGE, /* of @range: bounds are numbers, dates or texts (by their bytes) */
	/* of @geo; places are SL_VALUE_GEO, or maps with lat, lon or latitude, longitude */
	SL_FILTER_RADIUS, /* nearer than @radius_m to @centre */
	SL_FILTER_BOX, /* between, not on, @top_left and @bottom_right; over 180 degrees too */
	SL_FILTER_POLYGON, /* in the first of @rings, in none of the others */
	SL_FILTER_COUNT, /* of @count: from @min to @max items; null or missing: 0, else 1 */
	SL_FILTER_IS_NULL, /* null, or a list with a null in it */
	SL_FILTER_IS_EMPTY, /* nothing at @path but null and [] */
	/* no @path */
	SL_FILTER_HAS_KEY, /* one of @keys */
	SL_FILTER_HAS_VECTOR, /* of the name @vector, zero-ended */
	SL_FILTER_LAST
};

struct sl_filter_key {
	enum sl_key_kind kind;
	uint8_t key[SL_OBJECT_UUID_BYTES]; /* as of sl_object_key() */
};

/**
 * struct sl_filter - one condition, or a few under one.
 * @path: as of sl_value_find(), within a nested one from its map on. What is no path finds nothing.
 */
struct sl_filter {
	enum sl_filter_kind kind;
	const char *path;
	union {
		struct {
			const struct sl_filter *const *of;
			uint32_t of_n, at_least;
		};
		struct {
			const struct sl_operand *operands;
			uint32_t operand_n;
		};
		struct {
			const char *text;
			size_t text_n;
			struct sl_tokeniser tokeniser;
		};
		struct {
			struct sl_operand low, high; /* SL_VALUE_NULL: no bound */
			bool low_open, high_open; /* the bound itself is not meant */
		} range;
		struct {
			struct sl_place centre;
			double radius_m;
		} radius;
		struct {
			struct sl_place top_left, bottom_right;
		} box;
		struct {
			const struct sl_ring *rings;
			uint32_t ring_n;
		};
		struct {
			uint64_t min, max; /* both meant */
		} count;
		struct {
			const struct sl_filter_key *keys;
			uint32_t key_n;
		};
		const char *vector;
	};
};

/* ---- calls ------------------------------------------------------------------------------ */

#define SL_FILTER_DEPTH_MAX 64

/**
 * sl_filter_check() - see whether a filter can be asked for at all.
 * @why, @why_len: on failure a line that says what is wrong; NULL: not wanted.
 * Return: 0; -EINVAL: a path that is none, a place that is none, a bound that is no number (NaN), a
 *	   polygon of fewer than three corners, or deeper than SL_FILTER_DEPTH_MAX.
 */
int sl_filter_check(const struct sl_filter *f, char *why, size_t why_len);

/* Whether @o is meant; @f passed sl_filter_check(). */
bool sl_filter_matches(const struct sl_filter *f, const struct sl_object *o);

/* ---- indexes of properties -------------------------------------------------------------- */

enum sl_payload_type {
	SL_PAYLOAD_KEYWORD, /* texts: match, except; all other conditions by a look at each one */
	SL_PAYLOAD_INTEGER, /* match, range */
	SL_PAYLOAD_NUMBER, /* integers too: match, range */
	SL_PAYLOAD_BOOLEAN,
	SL_PAYLOAD_DATE, /* texts that are dates too: match, range */
	SL_PAYLOAD_UUID, /* texts that are UUIDs too: match, except */
	SL_PAYLOAD_GEO, /* radius, box, polygon */
	SL_PAYLOAD_TEXT, /* tokens of texts: words, phrases, like */
	SL_PAYLOAD_LAST
};

/* @tokeniser: of SL_PAYLOAD_TEXT; conditions with another one are not answered by it. */
struct sl_payload_conf {
	const char *path;
	enum sl_payload_type type;
	struct sl_tokeniser tokeniser;
};

#ifdef __cplusplus
}
#endif

#endif
