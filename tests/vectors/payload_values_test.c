/* SPDX-License-Identifier: Apache-2.0 */
/* Facets and orders: each value with its rows, from a value on, in either direction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_kit.h"
#include "harness.h"

FIXTURE(values)
{
	struct sl_payload *p;
};

static const char *const points[] = {
	"{\"payload\": {\"k\": \"red\", \"i\": 3, \"f\": 0.5, \"b\": true,"
	" \"d\": \"1970-01-02\"}}",
	"{\"payload\": {\"k\": [\"red\", \"blue\"], \"i\": [1, 3], \"f\": -2, \"b\": false}}",
	"{\"payload\": {\"k\": \"blue\", \"i\": -5, \"f\": 1e9, \"b\": true,"
	" \"d\": \"1969-01-01\"}}",
	"{\"payload\": {\"k\": null, \"u\": \"00000000-0000-0000-0000-00000000000a\"}}",
	"{\"payload\": {\"k\": [\"red\", \"red\"], \"i\": 3, \"f\": 0.5}}",
};

FIXTURE_SETUP(values)
{
	static const struct sl_payload_conf confs[] = {
		{"k", SL_PAYLOAD_KEYWORD}, {"i", SL_PAYLOAD_INTEGER}, {"f", SL_PAYLOAD_NUMBER},
		{"b", SL_PAYLOAD_BOOLEAN}, {"d", SL_PAYLOAD_DATE},    {"u", SL_PAYLOAD_UUID},
		{"t", SL_PAYLOAD_TEXT},
	};

	ASSERT_EQ(0, sl_payload_new(NULL, NULL, &self->p));
	for (size_t i = 0; i < SL_ARRAY_SIZE(confs); i++) {
		ASSERT_EQ(0, sl_payload_index_add(self->p, &confs[i]));
		sl_payload_index_ready(self->p, confs[i].path, confs[i].type);
	}
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(points); i++) {
		struct sl_object *o = object_of(points[i]);

		ASSERT_EQ(0, sl_payload_add(self->p, i, o));
		free(o);
	}
}

FIXTURE_TEARDOWN(values)
{
	sl_payload_free(self->p);
}

struct seen {
	char text[300];
	size_t n;
	int left;
};

static int see(void *arg, const struct sl_operand *v, uint32_t n)
{
	struct seen *s = arg;
	char *at = s->text + s->n;
	size_t room = sizeof(s->text) - s->n;

	switch (v->type) {
	case SL_VALUE_TEXT:
		s->n += (size_t)snprintf(at, room, "%.*s:%u ", (int)v->text.n, v->text.p, n);
		break;
	case SL_VALUE_NUMBER:
		s->n += (size_t)snprintf(at, room, "%g:%u ", v->number, n);
		break;
	case SL_VALUE_BOOLEAN:
		s->n += (size_t)snprintf(at, room, "%d:%u ", v->boolean, n);
		break;
	case SL_VALUE_UUID:
		s->n += (size_t)snprintf(at, room, "..%02x:%u ", v->uuid[15], n);
		break;
	case SL_VALUE_DATE:
		s->n += (size_t)snprintf(at, room, "%lds:%u ", (long)(v->date / 1000000), n);
		break;
	default:
		s->n += (size_t)snprintf(at, room, "%ld:%u ", (long)v->integer, n);
	}
	return --s->left == 0 ? 77 : 0;
}

static const char *facet(struct sl_payload *p, const char *path, const struct sl_filter *f)
{
	static struct seen s;
	struct sl_row_set *set = NULL;
	bool exact;

	s = (struct seen){.left = 100};
	if (f)
		ASSERT_EQ(0, sl_payload_rows(p, f, &set, &exact));
	ASSERT_EQ(0, sl_payload_facet(p, path, set, see, &s));
	sl_row_set_free(set);
	return s.text;
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

TEST_F(values, facets_count_rows)
{
	const char *k = facet(self->p, "k", NULL);

	EXPECT_TRUE(has(k, "red:3 ") && has(k, "blue:2 ") && strlen(k) == 13);
	k = facet(self->p, "k", MATCH("b", BOOLEAN(true)));
	EXPECT_TRUE(has(k, "red:1 ") && has(k, "blue:1 ") && strlen(k) == 13);
	EXPECT_STREQ("red:2 ", facet(self->p, "k", MATCH("f", NUMBER(0.5))));
	EXPECT_STREQ("-5:1 1:1 3:3 ", facet(self->p, "i", NULL));
	EXPECT_STREQ("3:2 ", facet(self->p, "i", MATCH("f", NUMBER(0.5))));
	EXPECT_STREQ("", facet(self->p, "i", MATCH("f", NUMBER(7))));
	EXPECT_STREQ("..0a:1 ", facet(self->p, "u", NULL));
	k = facet(self->p, "b", NULL);
	EXPECT_TRUE(has(k, "1:2 ") && has(k, "0:1 "));
}

TEST_F(values, what_has_no_index_has_no_values)
{
	struct seen s = {.left = 1};

	EXPECT_EQ(-ENOENT, sl_payload_facet(self->p, "f", NULL, see, &s));
	EXPECT_EQ(-ENOENT, sl_payload_facet(self->p, "t", NULL, see, &s));
	EXPECT_EQ(-ENOENT, sl_payload_order(self->p, "k", false, NULL, see, &s));
	EXPECT_EQ(-EINVAL,
		  sl_payload_order(self->p, "i", false, &(struct sl_operand)TEXT("a"), see, &s));
	EXPECT_EQ(77, sl_payload_facet(self->p, "k", NULL, see, &s));
	EXPECT_TRUE(sl_payload_can_facet(self->p, "i"));
	EXPECT_FALSE(sl_payload_can_facet(self->p, "d"));
	EXPECT_TRUE(sl_payload_can_order(self->p, "d"));
	EXPECT_FALSE(sl_payload_can_order(self->p, "k"));
	EXPECT_FALSE(sl_payload_can_order(self->p, "x"));
}

static const char *order(struct sl_payload *p, const char *path, bool falling,
			 const struct sl_operand *from, int n)
{
	static struct seen s;

	s = (struct seen){.left = n};
	ASSERT_TRUE(sl_payload_order(p, path, falling, from, see, &s) >= 0);
	return s.text;
}

#define FROM(o) &(struct sl_operand)o

TEST_F(values, rows_come_in_the_order_of_their_values)
{
	EXPECT_STREQ("-5:2 1:1 3:0 3:1 3:4 ", order(self->p, "i", false, NULL, 100));
	EXPECT_STREQ("3:0 3:1 3:4 1:1 -5:2 ", order(self->p, "i", true, NULL, 100));
	EXPECT_STREQ("1:1 3:0 ", order(self->p, "i", false, FROM(INTEGER(-4)), 2));
	EXPECT_STREQ("3:0 3:1 3:4 ", order(self->p, "i", false, FROM(NUMBER(1.5)), 100));
	EXPECT_STREQ("1:1 -5:2 ", order(self->p, "i", true, FROM(NUMBER(2.5)), 100));
	EXPECT_STREQ("", order(self->p, "i", false, FROM(INTEGER(4)), 100));
	EXPECT_STREQ("", order(self->p, "i", true, FROM(INTEGER(-6)), 100));
	EXPECT_STREQ("-2:1 0.5:0 0.5:4 1e+09:2 ", order(self->p, "f", false, NULL, 100));
	EXPECT_STREQ("0.5:0 0.5:4 -2:1 ", order(self->p, "f", true, FROM(INTEGER(7)), 100));
	EXPECT_STREQ("-31536000s:2 86400s:0 ", order(self->p, "d", false, NULL, 100));
	EXPECT_STREQ("-31536000s:2 ", order(self->p, "d", true, FROM(DATE(0)), 100));
}

TEST_HARNESS_MAIN
