// SPDX-License-Identifier: Apache-2.0
/* Directives for caches. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/cachecontrol.h"
#include "proto/http/lines.h"

static const char *const names[] = {
	[HTTP_CC_NO_STORE] = "no-store",
	[HTTP_CC_NO_CACHE] = "no-cache",
	[HTTP_CC_PRIVATE] = "private",
	[HTTP_CC_PUBLIC] = "public",
	[HTTP_CC_MUST_REVALIDATE] = "must-revalidate",
	[HTTP_CC_PROXY_REVALIDATE] = "proxy-revalidate",
	[HTTP_CC_MUST_UNDERSTAND] = "must-understand",
	[HTTP_CC_NO_TRANSFORM] = "no-transform",
	[HTTP_CC_IMMUTABLE] = "immutable",
	[HTTP_CC_ONLY_IF_CACHED] = "only-if-cached",
	[HTTP_CC_MAX_AGE] = "max-age",
	[HTTP_CC_S_MAXAGE] = "s-maxage",
	[HTTP_CC_STALE_WHILE_REVALIDATE] = "swr",
	[HTTP_CC_STALE_IF_ERROR] = "sie",
	[HTTP_CC_MAX_STALE] = "max-stale",
	[HTTP_CC_MIN_FRESH] = "min-fresh",
};

/* "no-store max-age=5 [a, b]": what is set, in the order of the directives, then the lists. */
static const char *told(const struct http_cc *cc)
{
	static char seen[512];
	size_t n = 0;

	seen[0] = 0;
	for (int d = 0; d < HTTP_CC_LAST; d++) {
		if (!http_cc_has(cc, (enum http_cc_directive)d))
			continue;
		n += (size_t)snprintf(seen + n, sizeof(seen) - n, "%s%s", n ? " " : "", names[d]);
		if (d >= (int)HTTP_CC_FIRST_SECONDS)
			n += (size_t)snprintf(seen + n, sizeof(seen) - n, "=%" PRId64,
					      http_cc_seconds(cc, (enum http_cc_directive)d));
	}
	for (uint32_t i = 0; i < cc->lists_n; i++)
		n += (size_t)snprintf(seen + n, sizeof(seen) - n, "%s[%.*s]", n ? " " : "",
				      (int)cc->lists[i].n, cc->lists[i].p);
	return seen;
}

static const struct {
	const char *value, *told;
} plain[] = {
	{"", ""},
	{"max-age=3600", "max-age=3600"},
	{"MaX-aGe=3600", "max-age=3600"},
	{"max-age=003600", "max-age=3600"},
	{"max-age=2147483647", "max-age=2147483647"},
	{"max-age=2147483649", "max-age=2147483648"},
	{"max-age=99999999999999999999999", "max-age=2147483648"},
	{"max-age=\"3600\"", "max-age=3600"},
	{"max-age='3600'", "max-age=0"},
	{"max-age=-3600", "max-age=0"},
	{"max-age=3600.5", "max-age=0"},
	{"max-age=a3600", "max-age=0"},
	{"max-age=3600a", "max-age=0"},
	{"max-age=", "max-age=0"},
	{"max-age", "max-age=0"},
	{"max-age= 3600", "max-age=0"},
	{"max-age =3600", ""},
	{"s-maxage=x", "s-maxage=0"},
	{"max-age=1800, max-age=1", "max-age=1800"},
	{"max-age=1, max-age=1800", "max-age=1"},
	{"extension=\"max-age=3600\", max-age=1", "max-age=1"},
	{"max-age=1, extension=\"max-age=3600, no-store\"", "max-age=1"},
	{"extension=\"max-age=3600", ""},
	{"nO-StOrE", "no-store"},
	{"no-store=1", "no-store"},
	{"no-cache", "no-cache"},
	{"no-cache=\"a, b\", private=c, max-age=5", "max-age=5 [a, b] [c]"},
	{"private=\"\"", "[]"},
	{"private, public,,must-revalidate", "private public must-revalidate"},
	{"proxy-revalidate, must-understand, immutable, no-transform",
	 "proxy-revalidate must-understand no-transform immutable"},
	{"stale-while-revalidate=5, stale-if-error=6", "swr=5 sie=6"},
	{"stale-while-revalidate=x, stale-if-error", ""},
	{"max-stale", "max-stale=9223372036854775807"},
	{"max-stale=7, min-fresh=8, only-if-cached", "only-if-cached max-stale=7 min-fresh=8"},
	{"min-fresh", ""},
	{"nothing-to-see-here", ""},
};

TEST(directives_are_read)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(plain); i++) {
		struct http_cc cc = {0};

		http_cc_parse(&cc, http_str_of(plain[i].value));
		if (!EXPECT_STREQ(plain[i].told, told(&cc)))
			TH_LOG("of '%s'", plain[i].value);
	}
}

TEST(fields_add_up_and_the_first_counts)
{
	struct http_cc cc = {0};

	http_cc_parse(&cc, http_str_of("max-age=1, no-cache=\"a\""));
	http_cc_parse(&cc, http_str_of("max-age=1800, s-maxage=3"));
	EXPECT_STREQ("max-age=1 s-maxage=3 [a]", told(&cc));
}

TEST(more_lists_than_are_kept_mean_all_fields)
{
	struct http_cc cc = {0};

	for (int i = 0; i <= HTTP_CC_LISTS_MAX; i++)
		http_cc_parse(&cc, http_str_of("private=\"a\""));
	EXPECT_EQ(HTTP_CC_LISTS_MAX, cc.lists_n);
	EXPECT_TRUE(http_cc_has(&cc, HTTP_CC_PRIVATE));
}

/* NULL: not to be used. */
static const struct {
	const char *value, *told;
} targeted[] = {
	{"", NULL},
	{"   ", NULL},
	{"max-age=10000", "max-age=10000"},
	{"max-age=99999999999", "max-age=2147483648"},
	{"max-age=1, max-age=2", "max-age=2"},
	{"max-age=1;x=2;y, no-store", "no-store max-age=1"},
	{"max-age=0 ,\tprivate", "private max-age=0"},
	{"no-cache=?1, no-store=?0", "no-cache"},
	{"no-store, no-store=?0", ""},
	{"private=\"a\"", "[a]"},
	{"foo", ""},
	{"foo=(a \"b\" 1;x ?0), bar=:YWJj:, baz=@123, t=tok/en, d=1.5, max-age=3", "max-age=3"},
	{"foo=()", ""},
	{"max-age=\"10000\"", "max-age=0"},
	{"max-age=1.0", "max-age=0"},
	{"max-age=-1", "max-age=0"},
	{"max-age", "max-age=0"},
	{"stale-if-error=\"5\"", ""},
	{"max-age=10000, &&&&&", NULL},
	{"max-age =10000", NULL},
	{"max-age= 10000", NULL},
	{"MaX-aGe=10000", NULL},
	{"max-age=1,", NULL},
	{"max-age=1 no-store", NULL},
	{"a=\"x", NULL},
	{"a=\"\\x\"", NULL},
	{"a=(1", NULL},
	{"a=(1,2)", NULL},
	{"a=?2", NULL},
	{"a=:*:", NULL},
	{"a=:YQ", NULL},
	{"a=1.", NULL},
	{"a=1.1234", NULL},
	{"a=1234567890123456", NULL},
	{"a=@1.5", NULL},
	{"a=-", NULL},
	{"a=", NULL},
	{"a;B", NULL},
};

TEST(targeted_fields_are_structured)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(targeted); i++) {
		struct http_cc cc = {0};
		bool used = http_cc_parse_targeted(&cc, http_str_of(targeted[i].value));

		if (!EXPECT_EQ(targeted[i].told != NULL, used) ||
		    !EXPECT_STREQ(used ? targeted[i].told : "", told(&cc)))
			TH_LOG("of '%s'", targeted[i].value);
	}
}

TEST_HARNESS_MAIN
