// SPDX-License-Identifier: Apache-2.0
/* What a shared cache may do with a response. */
#include <stdio.h>
#include <string.h>

#include "apis/proxy/rfc9111.h"
#include "harness.h"

/* Mon, 29 Nov 2027 12:00:00 GMT */
#define NOW_S INT64_C(1827489600)
#define NOW (NOW_S * 1000)
#define DATE "Date: Mon, 29 Nov 2027 12:00:00 GMT\r\n"

static struct http_lines lines(const char *text)
{
	return (struct http_lines){text, strlen(text)};
}

struct seen {
	struct http_caching c;
	struct http_cc cc;
	bool stored;
};

/* Of a response that came at NOW, a second after it was asked for if @slow. */
static struct seen look_at(uint32_t status, const char *fields, bool authorized)
{
	struct http_received r = {
		.fields = lines(fields),
		.status = status,
		.asked_ms = NOW,
		.came_ms = NOW,
		.guess_max_s = 86400,
	};
	struct sl_text scratch = {0};
	struct seen s;

	ASSERT_EQ(0, http_caching_of(&r, &s.c, &s.cc, &scratch));
	s.stored = http_may_store(&r, &s.c, &s.cc, authorized);
	s.cc.lists_n = 0;
	sl_text_done(&scratch);
	return s;
}

/* ---- lifetime and age ------------------------------------------------------------------- */

static const struct {
	const char *fields;
	int64_t fresh_s, age_s;
} lives[] = {
	{"", 0, 0},
	{"Cache-Control: max-age=60\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nCache-Control: s-maxage=5\r\n", 5, 0},
	{"Cache-Control: s-maxage=60, max-age=5\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nExpires: Mon, 29 Nov 2027 11:00:00 GMT\r\n" DATE, 60, 0},
	{"Cache-Control: max-age=0\r\nExpires: Mon, 29 Nov 2027 13:00:00 GMT\r\n" DATE, 0, 0},
	{"Expires: Mon, 29 Nov 2027 13:00:00 GMT\r\n" DATE, 3600, 0},
	{"Expires: Mon, 29 Nov 2027 13:00:00 GMT\r\nDate: foo\r\n", 3600, 0},
	{"Expires: Mon, 29 Nov 2027 13:00:00 GMT\r\n", 3600, 0},
	{"Expires: Mon, 29 Nov 2027 11:00:00 GMT\r\n" DATE, 0, 0},
	{"Expires: 0\r\nLast-Modified: Mon, 22 Nov 2027 12:00:00 GMT\r\n" DATE, 0, 0},
	{"Expires: Mon, 29 Nov 2027 13:00:00 UTC\r\n" DATE, 0, 0},
	/* Both clocks fast: what counts is their difference. */
	{"Expires: Mon, 29 Nov 2027 14:00:00 GMT\r\nDate: Mon, 29 Nov 2027 13:00:00 GMT\r\n", 3600,
	 0},
	/* A tenth of a day; at most a day. */
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 8640, 0},
	{"Last-Modified: Sun, 28 Nov 2010 12:00:00 GMT\r\n" DATE, 86400, 0},
	{"Last-Modified: Tue, 30 Nov 2027 12:00:00 GMT\r\n" DATE, 0, 0},
	{"Cache-Control: max-age=60\r\nAge: 30\r\n", 60, 30},
	{"Cache-Control: max-age=60\r\nAge: 7200, 0\r\n", 60, 7200},
	{"Cache-Control: max-age=60\r\nAge: 0, 7200\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nAge: 0\r\nAge: 7200\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nAge: 7200\r\nAge: 0\r\n", 60, 7200},
	{"Cache-Control: max-age=60\r\nAge: 2147483649\r\n", 60, 2147483648},
	{"Cache-Control: max-age=60\r\nAge: 7200;foo=1\r\n", 60, 7200},
	{"Cache-Control: max-age=60\r\nAge: abc\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nAge: -7200\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nAge: 7200.0\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nDate: Mon, 29 Nov 2027 11:59:00 GMT\r\n", 60, 60},
	{"Cache-Control: max-age=60\r\nAge: 90\r\nDate: Mon, 29 Nov 2027 11:59:00 GMT\r\n", 60, 90},
	{"Cache-Control: max-age=1\r\nCDN-Cache-Control: max-age=60\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nCDN-Cache-Control: max-age=1\r\n", 1, 0},
	{"Expires: Mon, 29 Nov 2027 13:00:00 GMT\r\nCDN-Cache-Control: public\r\n", 0, 0},
	{"Cache-Control: max-age=60\r\nCDN-Cache-Control: max-age=1, &&&\r\n", 60, 0},
	{"Cache-Control: max-age=60\r\nSurrogate-Control: max-age=1\r\n", 60, 0},
};

TEST(lifetime_and_age_are_told_by_the_fields)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(lives); i++) {
		struct seen s = look_at(200, lives[i].fields, false);

		if (!EXPECT_EQ(lives[i].fresh_s, s.c.fresh_s) ||
		    !EXPECT_EQ(lives[i].age_s, http_age_s(&s.c, NOW)))
			TH_LOG("of '%s'", lives[i].fields);
	}
}

TEST(time_on_the_way_counts_as_age)
{
	struct http_received r = {
		.fields = lines("Cache-Control: max-age=60\r\nAge: 3\r\n"),
		.status = 200,
		.asked_ms = NOW - 5000,
		.came_ms = NOW,
	};
	struct sl_text scratch = {0};
	struct http_caching c;
	struct http_cc cc;

	ASSERT_EQ(0, http_caching_of(&r, &c, &cc, &scratch));
	EXPECT_EQ(8, http_age_s(&c, NOW));
	EXPECT_EQ(10, http_age_s(&c, NOW + 2000));
	EXPECT_EQ(50, http_ttl_s(&c, NOW + 2000));
	sl_text_done(&scratch);
}

/* ---- storing ---------------------------------------------------------------------------- */

#define FRESH "Cache-Control: max-age=60\r\n"

static const struct {
	const char *fields;
	uint32_t status;
	bool authorized, stored;
} stores[] = {
	{FRESH, 200, false, true},
	{FRESH, 299, false, true},
	{FRESH, 404, false, true},
	{FRESH, 500, false, true},
	{FRESH, 599, false, true},
	{FRESH, 206, false, false},
	{FRESH, 304, false, false},
	{FRESH, 416, false, false},
	{FRESH, 200, true, false},
	{"Cache-Control: max-age=60, public\r\n", 200, true, true},
	{"Cache-Control: max-age=60, must-revalidate\r\n", 200, true, true},
	{"Cache-Control: s-maxage=60\r\n", 200, true, true},
	{"Cache-Control: max-age=60, private\r\n", 200, false, false},
	{"Cache-Control: max-age=60, private=\"a\"\r\n", 200, false, true},
	{"Cache-Control: max-age=60, no-store\r\n", 200, false, false},
	{"Cache-Control: max-age=60, no-store, must-understand\r\n", 200, false, true},
	{"Cache-Control: max-age=60, no-store, must-understand\r\n", 599, false, false},
	{"Cache-Control: max-age=60, must-understand\r\n", 599, false, false},
	{"Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60\r\n", 200, false, true},
	{"Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store\r\n", 200, false, false},
	{"Cache-Control: max-age=60\r\nCDN-Cache-Control: private\r\n", 200, false, false},
	/* Nothing is told: only what can be guessed or validated is of use. */
	{"", 200, false, false},
	{"ETag: \"a\"\r\n", 200, false, true},
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 200, false, true},
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 201, false, false},
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 403, false, false},
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 502, false, false},
	{"Last-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 599, false, false},
	{"Cache-Control: public\r\nLast-Modified: Sun, 28 Nov 2027 12:00:00 GMT\r\n" DATE, 599,
	 false, true},
	{"Cache-Control: max-age=0\r\n", 200, false, false},
	{"Cache-Control: max-age=0, stale-while-revalidate=9\r\n", 200, false, true},
	{"Cache-Control: max-age=0\r\nETag: \"a\"\r\n", 200, false, true},
	{"Cache-Control: max-age=60, no-cache\r\n", 200, false, false},
	{"Cache-Control: max-age=60, no-cache\r\nETag: \"a\"\r\n", 200, false, true},
	{"Cache-Control: max-age=60, no-cache=\"a\"\r\n", 200, false, true},
};

TEST(what_may_be_stored_is)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(stores); i++) {
		struct seen s = look_at(stores[i].status, stores[i].fields, stores[i].authorized);

		if (!EXPECT_EQ(stores[i].stored, s.stored))
			TH_LOG("of %u '%s'", stores[i].status, stores[i].fields);
	}
}

TEST(fields_that_are_not_stored)
{
	struct http_cc cc = {0};

	http_cc_parse(&cc, http_str_of("no-cache=\"a, b\", private=c"));
	EXPECT_TRUE(http_field_unstored(http_str_of("A"), http_str_of(""), &cc));
	EXPECT_TRUE(http_field_unstored(http_str_of("c"), http_str_of(""), &cc));
	EXPECT_TRUE(http_field_unstored(http_str_of("x"), http_str_of("x"), &cc));
	EXPECT_FALSE(http_field_unstored(http_str_of("Set-Cookie"), http_str_of("x"), &cc));
}

/* ---- reuse ------------------------------------------------------------------------------ */

static const struct {
	const char *response, *request;
	int64_t after_s;
	enum http_reuse reuse;
	bool closed, failed; /* what http_reuse_on_error() says */
} reuses[] = {
	{"max-age=10", "", 0, HTTP_REUSE_AS_IS, true, false},
	{"max-age=10", "", 9, HTTP_REUSE_AS_IS, true, false},
	{"max-age=10", "", 10, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "", 109, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "", 110, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10, no-cache", "", 0, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10, must-revalidate", "", 11, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10, proxy-revalidate", "max-stale", 11, HTTP_REUSE_VALIDATED, false, false},
	{"s-maxage=10", "", 11, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10, stale-while-revalidate=5", "", 14, HTTP_REUSE_AND_VALIDATE, true, false},
	{"max-age=10, stale-while-revalidate=5", "", 15, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10, stale-while-revalidate=5, must-revalidate", "", 11, HTTP_REUSE_VALIDATED,
	 false, false},
	{"max-age=10, stale-if-error=1000", "", 500, HTTP_REUSE_VALIDATED, true, true},
	{"max-age=10, stale-if-error=1000", "", 1010, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10", "stale-if-error=1000", 500, HTTP_REUSE_VALIDATED, true, true},
	{"max-age=10", "no-cache", 0, HTTP_REUSE_VALIDATED, false, false},
	{"max-age=10", "max-age=0", 1, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "max-age=5", 5, HTTP_REUSE_AS_IS, true, false},
	{"max-age=10", "max-age=5", 6, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "min-fresh=5", 5, HTTP_REUSE_AS_IS, true, false},
	{"max-age=10", "min-fresh=5", 6, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "max-stale=5", 15, HTTP_REUSE_AS_IS, true, false},
	{"max-age=10", "max-stale=5", 16, HTTP_REUSE_VALIDATED, true, false},
	{"max-age=10", "max-stale", 1000, HTTP_REUSE_AS_IS, false, false},
	{"max-age=10", "nothing-to-see-here", 1, HTTP_REUSE_AS_IS, true, false},
};

TEST(reuse_is_decided_by_both_sides)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(reuses); i++) {
		struct http_cc request = {0};
		char fields[128];
		struct seen s;
		int64_t at = NOW + reuses[i].after_s * 1000;

		snprintf(fields, sizeof(fields), "Cache-Control: %s\r\n", reuses[i].response);
		s = look_at(200, fields, false);
		http_cc_parse(&request, http_str_of(reuses[i].request));
		if (!EXPECT_EQ(reuses[i].reuse, http_reuse(&s.c, &request, at)) ||
		    !EXPECT_EQ(reuses[i].closed,
			       http_reuse_on_error(&s.c, &request, at, false, 100)) ||
		    !EXPECT_EQ(reuses[i].failed,
			       http_reuse_on_error(&s.c, &request, at, true, 100)))
			TH_LOG("'%s' for '%s' after %jd s", reuses[i].response, reuses[i].request,
			       (intmax_t)reuses[i].after_s);
	}
}

/* ---- selecting by Vary ------------------------------------------------------------------ */

/* The names, or "*". */
static const char *vary(const char *fields)
{
	static char seen[128];
	struct sl_text names = {0};

	if (!http_vary_of(lines(fields), &names)) {
		sl_text_done(&names);
		return "*";
	}
	snprintf(seen, sizeof(seen), "%.*s", (int)names.len, names.len ? names.data : "");
	sl_text_done(&names);
	return seen;
}

TEST(vary_names_fields_or_anything)
{
	EXPECT_STREQ("", vary("A: b\r\n"));
	EXPECT_STREQ("foo,bar,", vary("Vary: Foo, bar\r\n"));
	EXPECT_STREQ("foo,bar,", vary("Vary: Foo, foo\r\nVary: bar\r\n"));
	EXPECT_STREQ("*", vary("Vary: *\r\n"));
	EXPECT_STREQ("*", vary("Vary: , *\r\n"));
	EXPECT_STREQ("*", vary("Vary: \r\nVary: Foo, *\r\n"));
}

static bool selects_same(const char *names, const char *a, const char *b)
{
	struct sl_text ka = {0}, kb = {0};
	bool same;

	http_vary_select(http_str_of(names), lines(a), &ka);
	http_vary_select(http_str_of(names), lines(b), &kb);
	ASSERT_EQ(0, ka.err + kb.err);
	same = ka.len == kb.len && !memcmp(ka.data, kb.data, ka.len);
	sl_text_done(&ka);
	sl_text_done(&kb);
	return same;
}

TEST(requests_select_by_what_vary_names)
{
	EXPECT_TRUE(selects_same("foo,", "Foo: 1\r\nOther: 2\r\n", "foo: 1\r\nOther: 3\r\n"));
	EXPECT_FALSE(selects_same("foo,", "Foo: 1\r\n", "Foo: 2\r\n"));
	EXPECT_FALSE(selects_same("foo,", "Foo: 1\r\n", ""));
	EXPECT_FALSE(selects_same("foo,", "Foo: \r\n", ""));
	EXPECT_TRUE(selects_same("foo,bar,", "Foo: 1\r\n", "Foo: 1\r\n"));
	EXPECT_FALSE(selects_same("foo,bar,", "Foo: 1\r\nBar: 2\r\n", "Foo: 2\r\nBar: 1\r\n"));
	EXPECT_FALSE(selects_same("foo,", "Foo: A\r\n", "Foo: a\r\n"));
	EXPECT_TRUE(selects_same("accept-language,", "Accept-Language: en, de\r\n",
				 "Accept-Language:  eN ,  De\r\n"));
}

/* ---- updating --------------------------------------------------------------------------- */

TEST(update_replaces_fields_but_those_of_the_bytes)
{
	struct sl_text t = {0};
	static const char want[] =
		"Content-Length: 36\r\nKeep: 1\r\nETag: \"b\"\r\nA: 2\r\nA: 3\r\n";

	http_fields_update(lines("A: 1\r\nContent-Length: 36\r\nKeep: 1\r\na: 9\r\n"),
			   lines("ETag: \"b\"\r\nContent-Length: 10\r\nA: 2\r\nA: 3\r\n"), &t);
	ASSERT_EQ(sizeof(want) - 1, t.len);
	EXPECT_EQ(0, memcmp(want, t.data, t.len));
	sl_text_done(&t);
}

static bool etags(const char *a, const char *b, bool strong)
{
	return http_etag_same(http_str_of(a), http_str_of(b), strong);
}

TEST(entity_tags_are_compared_in_two_ways)
{
	EXPECT_TRUE(etags("\"a\"", "\"a\"", true));
	EXPECT_FALSE(etags("\"a\"", "\"b\"", false));
	EXPECT_TRUE(etags("W/\"a\"", "\"a\"", false));
	EXPECT_TRUE(etags("W/\"a\"", "W/\"a\"", false));
	EXPECT_FALSE(etags("W/\"a\"", "W/\"a\"", true));
	EXPECT_FALSE(etags("", "", true));
}

/* ---- targets ---------------------------------------------------------------------------- */

static const struct {
	const char *reference, *path; /* NULL: of another origin */
} targets[] = {
	{"/x", "/x"},	      {"/x?y=1#z", "/x?y=1"},
	{"x", "/a/x"},	      {"x/y?q", "/a/x/y?q"},
	{"./x", "/a/x"},      {"../x", "/x"},
	{"../../../x", "/x"}, {"/p/./q/../r", "/p/r"},
	{"/p/..", "/"},	      {"?q", "/a/b?q"},
	{"", "/a/b?old"},     {"http://h:1/x", "/x"},
	{"HTTP://H:1", "/"},  {"http://h:1?q", "/?q"},
	{"//h:1/x", "/x"},    {"https://h:1/x", NULL},
	{"http://h/x", NULL}, {"http://other:1/x", NULL},
	{"//other/x", NULL},  {"http:x", NULL},
	{"mailto:a@b", NULL},
};

TEST(references_are_resolved_within_the_origin)
{
	const struct http_target base = {http_str_of("http"), http_str_of("h:1"),
					 http_str_of("/a/b?old")};

	for (size_t i = 0; i < SL_ARRAY_SIZE(targets); i++) {
		struct sl_text t = {0};
		bool same = http_target_resolve(&base, http_str_of(targets[i].reference), &t);

		if (!EXPECT_EQ(targets[i].path != NULL, same) ||
		    (same && !EXPECT_TRUE(t.len == strlen(targets[i].path) &&
					  !memcmp(t.data, targets[i].path, t.len))))
			TH_LOG("of '%s': '%.*s'", targets[i].reference, (int)t.len, t.data);
		sl_text_done(&t);
	}
}

/* ---- Cache-Status ----------------------------------------------------------------------- */

TEST(cache_status_tells_how_it_was_answered)
{
	char text[HTTP_CACHE_STATUS_BYTES];
	struct http_cache_status hit = {.hit = true, .ttl_s = -5};
	struct http_cache_status miss = {.fwd = HTTP_FWD_URI_MISS,
					 .fwd_status = 200,
					 .stored = true,
					 .collapsed = true,
					 .ttl_s = INT64_MIN,
					 .detail = "slice"};

	http_cache_status_format(&hit, text);
	EXPECT_STREQ("sluice; hit; ttl=-5", text);
	http_cache_status_format(&miss, text);
	EXPECT_STREQ("sluice; fwd=uri-miss; fwd-status=200; stored; collapsed; detail=slice", text);
}

TEST_HARNESS_MAIN
