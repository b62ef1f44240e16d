/* SPDX-License-Identifier: Apache-2.0 */
/* filter_random.h: the drawing. */
#include "filter_random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

const struct sl_payload_conf random_indexes[RANDOM_INDEXES] = {
	{"k", SL_PAYLOAD_KEYWORD},     {"i", SL_PAYLOAD_INTEGER}, {"f", SL_PAYLOAD_NUMBER},
	{"b", SL_PAYLOAD_BOOLEAN},     {"d", SL_PAYLOAD_DATE},	  {"u", SL_PAYLOAD_UUID},
	{"g", SL_PAYLOAD_GEO},	       {"t", SL_PAYLOAD_TEXT},	  {"n[].k", SL_PAYLOAD_KEYWORD},
	{"n[].i", SL_PAYLOAD_INTEGER}, {"t", SL_PAYLOAD_KEYWORD},
};

static uint64_t below(uint64_t n)
{
	return harness_random() % n;
}

/* ---- objects ---------------------------------------------------------------------------- */

struct out {
	char text[8192];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	o->n += (size_t)vsnprintf(o->text + o->n, sizeof(o->text) - o->n, fmt, args);
	va_end(args);
	ASSERT_TRUE(o->n < sizeof(o->text));
}

static const char *const words[] = {"red", "Green", "blue", "Straße", "x", "", "red wine", "RED"};

static void put_words(struct out *o)
{
	put(o, "\"");
	for (uint64_t i = below(5); i--;)
		put(o, "%s%s", words[below(SL_ARRAY_SIZE(words))], below(3) ? " " : ", ");
	put(o, "\"");
}

static void put_integer(struct out *o)
{
	static const char *const odd[] = {"9223372036854775807",
					  "-9223372036854775808",
					  "9007199254740993",
					  "9007199254740992",
					  "2.5",
					  "3.0"};

	if (below(12))
		put(o, "%d", (int)below(9) - 4);
	else
		put(o, "%s", odd[below(SL_ARRAY_SIZE(odd))]);
}

static void put_number(struct out *o)
{
	static const char *const odd[] = {
		"-0.0", "1e300", "-1e300", "9007199254740993", "9007199254740992.0", "5e-324"};

	if (below(12))
		put(o, "%g", (double)below(64) / 8 - 4);
	else
		put(o, "%s", odd[below(SL_ARRAY_SIZE(odd))]);
}

static void put_date(struct out *o)
{
	if (below(8))
		put(o, "\"%04d-03-%02d\"", (int)(1968 + below(4)), (int)(1 + below(28)));
	else
		put(o, "\"no date\"");
}

static void put_uuid(struct out *o)
{
	put(o, "\"%08x-0000-0000-0000-00000000000%c\"", (unsigned)below(3), below(2) ? 'a' : 'A');
}

static void put_place(struct out *o)
{
	double lat = (double)below(19) * 10 - 90, lon = (double)below(37) * 10 - 180;

	if (below(2)) {
		lat = lat / 100 + (double)below(1000) / 1e4;
		lon = lon / 100 + (double)below(1000) / 1e4;
	}
	put(o, "{\"lat\": %.9g, \"lon\": %.9g}", lat, lon);
}

typedef void (*put_fn)(struct out *o);

static void put_other(struct out *o)
{
	static const char *const others[] = {"null", "true", "7", "\"red\"", "{\"k\": 1}", "[1]"};

	put(o, "%s", others[below(SL_ARRAY_SIZE(others))]);
}

static void put_item(struct out *o, put_fn item)
{
	(below(10) ? item : put_other)(o);
}

/* A value, a list of them, something else, or nothing at all. */
static void put_member(struct out *o, const char *name, put_fn item)
{
	uint64_t n = below(4);

	if (!below(5))
		return;
	put(o, "%s\"%s\": ", o->text[o->n - 1] == '{' ? "" : ", ", name);
	if (below(3)) {
		put_item(o, item);
		return;
	}
	put(o, "[");
	for (uint64_t i = 0; i < n; i++) {
		put(o, i ? ", " : "");
		put_item(o, item);
	}
	put(o, "]");
}

static void put_word(struct out *o)
{
	put(o, "\"%s\"", words[below(SL_ARRAY_SIZE(words))]);
}

static void put_boolean(struct out *o)
{
	put(o, below(2) ? "true" : "false");
}

static void put_map(struct out *o)
{
	put(o, "{");
	put_member(o, "k", put_word);
	put_member(o, "i", put_integer);
	put(o, "}");
}

struct sl_object *random_object(uint64_t key)
{
	static const char *const vectors[] = {"[1, 2]", "{\"image\": [1]}", "{}",
					      "{\"text\": [2]}"};
	struct out o = {.n = 0};

	put(&o, "{\"id\": %ju, \"vector\": %s, \"payload\": {", (uintmax_t)key,
	    vectors[below(SL_ARRAY_SIZE(vectors))]);
	put_member(&o, "k", put_word);
	put_member(&o, "i", put_integer);
	put_member(&o, "f", put_number);
	put_member(&o, "b", put_boolean);
	put_member(&o, "d", put_date);
	put_member(&o, "u", put_uuid);
	put_member(&o, "g", put_place);
	put_member(&o, "t", put_words);
	put_member(&o, "n", put_map);
	put(&o, "}}");
	return object_of(o.text);
}

/* ---- filters ---------------------------------------------------------------------------- */

static struct sl_operand text_operand(void)
{
	const char *word = words[below(SL_ARRAY_SIZE(words))];

	return (struct sl_operand){SL_VALUE_TEXT, .text = {word, strlen(word)}};
}

static struct sl_operand number_operand(void)
{
	static const double odd[] = {9007199254740992., 0x1p63, -0x1p63, 1e300, -0.0, 2.5, -1e300};

	if (!below(6))
		return (struct sl_operand){SL_VALUE_NUMBER,
					   .number = odd[below(SL_ARRAY_SIZE(odd))]};
	if (below(2))
		return (struct sl_operand){SL_VALUE_NUMBER, .number = (double)below(64) / 8 - 4};
	if (below(8))
		return (struct sl_operand){SL_VALUE_INTEGER, .integer = (int64_t)below(9) - 4};
	return (struct sl_operand){SL_VALUE_INTEGER,
				   .integer = below(2) ? INT64_MAX - (int64_t)below(2)
						       : 9007199254740992 + (int64_t)below(2)};
}

static struct sl_operand date_operand(void)
{
	int64_t us = ((int64_t)below(4 * 365) - 730) * 86400 * 1000000;

	return (struct sl_operand){SL_VALUE_DATE, .date = us};
}

static struct sl_operand operand_for(const char *path)
{
	struct sl_operand o = {SL_VALUE_UUID};

	switch (below(12) ? path[strlen(path) - 1] : "kifbdu"[below(6)]) {
	case 'i':
	case 'f':
		return number_operand();
	case 'b':
		return (struct sl_operand){SL_VALUE_BOOLEAN, .boolean = below(2)};
	case 'd':
		return date_operand();
	case 'u':
		o.uuid[3] = (uint8_t)below(3);
		o.uuid[15] = 10;
		return o;
	default:
		return text_operand();
	}
}

static const char *const paths[] = {"k", "i", "f",     "b",	"d",   "u",
				    "g", "t", "n[].k", "n[].i", "k[]", "missing"};

static void draw_operands(struct random_filter *r, struct sl_filter *f)
{
	f->operands = r->operands + r->operand_n;
	f->operand_n = (uint32_t)below(4);
	for (uint32_t i = 0; i < f->operand_n; i++)
		r->operands[r->operand_n++] = operand_for(f->path);
}

static void draw_text(struct sl_filter *f)
{
	static const char *const queries[] = {"red",	  "RED wine", "green x", "r*", "?",
					      "*a?e r?d", "",	      "straße",	 "ed"};
	const char *query = queries[below(SL_ARRAY_SIZE(queries))];

	f->path = below(4) ? "t" : paths[below(SL_ARRAY_SIZE(paths))];
	f->text = query;
	f->text_n = strlen(query);
	if (!below(4))
		f->tokeniser = (struct sl_tokeniser){below(SL_TOKENS_LAST), below(2), 0, 0};
}

static void draw_range(struct sl_filter *f)
{
	if (below(4))
		f->range.low = operand_for(f->path);
	if (below(4))
		f->range.high = operand_for(f->path);
	f->range.low_open = below(2);
	f->range.high_open = below(2);
}

static struct sl_place draw_place(void)
{
	double scale = below(2) ? 1 : 100;

	return (struct sl_place){((double)below(19) * 10 - 90) / scale,
				 ((double)below(37) * 10 - 180) / scale};
}

static void draw_shape(struct random_filter *r, struct sl_filter *f)
{
	struct sl_place *at = r->places + r->place_n;

	f->path = below(5) ? "g" : paths[below(SL_ARRAY_SIZE(paths))];
	for (int i = 0; i < 4; i++)
		at[i] = draw_place();
	r->place_n += 4;
	if (f->kind == SL_FILTER_RADIUS) {
		f->radius.centre = at[0];
		f->radius.radius_m = (double)below(2000) * (below(2) ? 10e3 : 100);
	} else if (f->kind == SL_FILTER_BOX) {
		f->box.top_left = at[0];
		f->box.bottom_right = at[1];
	} else {
		f->rings = r->rings + r->ring_n;
		f->ring_n = 1;
		r->rings[r->ring_n++] = (struct sl_ring){at, 4};
	}
}

static void draw_keys(struct random_filter *r, struct sl_filter *f, uint64_t keys)
{
	f->keys = r->keys + r->key_n;
	f->key_n = (uint32_t)below(4);
	for (uint32_t i = 0; i < f->key_n; i++) {
		struct sl_filter_key *k = &r->keys[r->key_n++];

		*k = (struct sl_filter_key){below(9) ? SL_KEY_INTEGER : SL_KEY_UUID};
		sl_store_le64(k->key, below(keys + 2));
	}
}

static const struct sl_filter *draw(struct random_filter *r, uint64_t keys, int depth, bool inside);

static void draw_of(struct random_filter *r, struct sl_filter *f, uint64_t keys, int depth,
		    bool inside)
{
	uint32_t n = (uint32_t)below(4), at = r->of_n;

	r->of_n += n;
	f->of = r->of + at;
	f->of_n = n;
	if (f->kind == SL_FILTER_ANY)
		f->at_least = (uint32_t)below(4);
	for (uint32_t i = 0; i < n; i++)
		r->of[at + i] = draw(r, keys, depth + 1, inside);
}

/* @inside: within the maps of n. */
static const struct sl_filter *draw(struct random_filter *r, uint64_t keys, int depth, bool inside)
{
	struct sl_filter *f = &r->filters[r->n++];

	*f = (struct sl_filter){below(SL_FILTER_LAST)};
	if (depth < 2 && below(2))
		f->kind = below(SL_FILTER_MATCH);
	if (depth == 3 && f->kind < SL_FILTER_MATCH)
		f->kind = SL_FILTER_MATCH + below(3);
	f->path = paths[below(SL_ARRAY_SIZE(paths))];
	if (inside)
		f->path = below(2) ? "k" : "i";
	switch (f->kind) {
	case SL_FILTER_NESTED:
		f->path = "n";
		draw_of(r, f, keys, depth, true);
		break;
	case SL_FILTER_ALL:
	case SL_FILTER_ANY:
	case SL_FILTER_NONE:
		draw_of(r, f, keys, depth, inside);
		break;
	case SL_FILTER_MATCH:
	case SL_FILTER_EXCEPT:
	case SL_FILTER_CONTAINS_ALL:
		draw_operands(r, f);
		break;
	case SL_FILTER_RANGE:
		draw_range(f);
		break;
	case SL_FILTER_RADIUS:
	case SL_FILTER_BOX:
	case SL_FILTER_POLYGON:
		draw_shape(r, f);
		break;
	case SL_FILTER_COUNT:
		f->count.min = below(4);
		f->count.max = below(3) ? below(5) : UINT64_MAX;
		break;
	case SL_FILTER_IS_NULL:
	case SL_FILTER_IS_EMPTY:
		break;
	case SL_FILTER_HAS_KEY:
		draw_keys(r, f, keys);
		break;
	case SL_FILTER_HAS_VECTOR:
		f->vector = below(2) ? "image" : "";
		break;
	default:
		draw_text(f);
	}
	return f;
}

const struct sl_filter *random_filter(struct random_filter *r, uint64_t keys)
{
	*r = (struct random_filter){.n = 0};
	return draw(r, keys, 0, false);
}
