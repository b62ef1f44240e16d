/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL's Aggregate: figures of all objects, of those that are meant, and of groups.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

static void expect(struct web *w, const char *query, const char *list)
{
	char wanted[4000];

	snprintf(wanted, sizeof(wanted), "{\"Aggregate\":{\"Thing\":%s}}", list);
	weaviate_kit_query(w, query, wanted);
}

static void figures(struct web *w)
{
	weaviate_kit_fill(w);
	expect(w, "{Aggregate{Thing{meta{count}}}}", "[{\"meta\":{\"count\":5}}]");
	expect(w,
	       "{Aggregate{Thing(where:{path:[\"n\"] operator:LessThan valueInt:3}){meta{count}}}}",
	       "[{\"meta\":{\"count\":2}}]");
	expect(w, "{Aggregate{Thing{n{count type minimum maximum mean median sum mode}}}}",
	       "[{\"n\":{\"count\":5,\"type\":\"int\",\"minimum\":1.0,\"maximum\":5.0,\"mean\":3.0,"
	       "\"median\":3.0,\"sum\":15.0,\"mode\":1.0}}]");
	expect(w,
	       "{Aggregate{Thing(where:{path:[\"n\"] operator:LessThan valueInt:3})"
	       "{x{median mean}}}}",
	       "[{\"x\":{\"median\":2.0,\"mean\":2.0}}]");
	expect(w, "{Aggregate{Thing{good{totalTrue totalFalse percentageTrue percentageFalse}}}}",
	       "[{\"good\":{\"totalTrue\":3.0,\"totalFalse\":2.0,\"percentageTrue\":0.6,"
	       "\"percentageFalse\":0.4}}]");
	expect(w, "{Aggregate{Thing{tags{count type topOccurrences(limit:2){value occurs}}}}}",
	       "[{\"tags\":{\"count\":10,\"type\":\"text[]\","
	       "\"topOccurrences\":[{\"value\":\"all\","
	       "\"occurs\":5},{\"value\":\"odd\",\"occurs\":3}]}}]");
	expect(w, "{Aggregate{Thing{born{minimum maximum}}}}",
	       "[{\"born\":{\"minimum\":\"2001-01-01T00:00:00Z\","
	       "\"maximum\":\"2005-01-01T00:00:00Z\"}}]");
	expect(w,
	       "{Aggregate{Thing(where:{path:[\"n\"] operator:Equal valueInt:99})"
	       "{meta{count} n{count mean}}}}",
	       "[{\"meta\":{\"count\":0},\"n\":{\"count\":0,\"mean\":null}}]");
}

TEST(figures_of_all_objects)
{
	weaviate_kit_run(figures, NULL);
}

static void groups(struct web *w)
{
	weaviate_kit_fill(w);
	expect(w,
	       "{Aggregate{Thing(groupBy:[\"good\"]){groupedBy{path value} meta{count} n{sum}}}}",
	       "[{\"groupedBy\":{\"path\":[\"good\"],\"value\":true},\"meta\":{\"count\":3},"
	       "\"n\":{\"sum\":9.0}},{\"groupedBy\":{\"path\":[\"good\"],\"value\":false},"
	       "\"meta\":{\"count\":2},\"n\":{\"sum\":6.0}}]");
	/* An object is in the group of each of its values. */
	expect(w, "{Aggregate{Thing(groupBy:[\"tags\"] limit:2){groupedBy{value} meta{count}}}}",
	       "[{\"groupedBy\":{\"value\":\"all\"},\"meta\":{\"count\":5}},"
	       "{\"groupedBy\":{\"value\":\"odd\"},\"meta\":{\"count\":3}}]");
}

TEST(groups_are_by_values)
{
	weaviate_kit_run(groups, NULL);
}

static void near(struct web *w)
{
	weaviate_kit_fill(w);
	expect(w, "{Aggregate{Thing(nearVector:{vector:[5,0]} objectLimit:2){meta{count} n{sum}}}}",
	       "[{\"meta\":{\"count\":2},\"n\":{\"sum\":9.0}}]");
	expect(w, "{Aggregate{Thing(nearVector:{vector:[5,0] distance:1.5}){meta{count}}}}",
	       "[{\"meta\":{\"count\":2}}]");
	weaviate_kit_wrong(w, "{Aggregate{Thing(nearVector:{vector:[5,0]}){meta{count}}}}",
			   "must provide objectLimit");
	weaviate_kit_wrong(w,
			   "{Aggregate{Thing(nearVector:{vector:[5,0]} objectLimit:0)"
			   "{meta{count}}}}",
			   "must provide objectLimit");
}

TEST(figures_of_the_nearest)
{
	weaviate_kit_run(near, NULL);
}

static void refuse(struct web *w)
{
	static const struct {
		const char *query, *part;
	} rows[] = {
		{"{Aggregate{No{meta{count}}}}", "on type \\\"AggregateObjectsObj\\\""},
		{"{Aggregate{Thing{no{count}}}}", "on type \\\"AggregateThing\\\""},
		{"{Aggregate{Thing{name{mean}}}}", "Cannot query field \\\"mean\\\""},
		{"{Aggregate{Thing{n{topOccurrences{value}}}}}", "\\\"topOccurrences\\\""},
		{"{Aggregate{Thing{n}}}", "must have a selection of subfields"},
		{"{Aggregate{Thing}}", "must have a selection of subfields"},
		{"{Aggregate{Thing(groupBy:[\"no\"]){meta{count}}}}", "groupBy:"},
		{"{Aggregate{Thing(groupBy:[\"at\"]){meta{count}}}}", "groupBy:"},
		{"{Aggregate{Thing(offset:1){meta{count}}}}", "Argument \\\"offset\\\""},
	};

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		weaviate_kit_wrong(w, rows[i].query, rows[i].part);
}

TEST(figures_that_cannot_be_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

/* ---- many objects ------------------------------------------------------------------------- */

enum { TAGS = 1200 };

/* More than there may be groups; under a sanitizer not many more. */
static int many(void)
{
	return harness_time_scale() > 1 ? 12000 : 48000;
}

/* Object i has n = i, and one of TAGS tags. */
static void put_many(struct web *w)
{
	size_t room = (size_t)many() * 140 + 100, at = 0;
	char *body = calloc(1, room);
	struct web_answer a;

	ASSERT_NOT_NULL(body);
	at += (size_t)snprintf(body, room, "{\"objects\":[");
	for (int i = 0; i < many(); i++)
		at += (size_t)snprintf(body + at, room - at,
				       "%s{\"class\":\"Thing\",\"id\":"
				       "\"00000000-0000-0000-0000-%012d\""
				       ",\"properties\":{\"n\":%d,\"tag\":\"t%d\"}}",
				       i ? "," : "", i, i, i % TAGS);
	at += (size_t)snprintf(body + at, room - at, "]}");
	ASSERT_LT(at, room);
	ASSERT_EQ(200, objects_web_ask(w, "POST", "/v1/batch/objects", body, &a));
	EXPECT_NULL(strstr(a.body, "FAILED"));
	web_answer_done(&a);
	free(body);
}

static void count_many(struct web *w)
{
	int n = many(), each = n / TAGS;
	char want[300];

	weaviate_kit_expect(w, "POST", "/v1/schema",
			    "{\"class\":\"Thing\",\"properties\":["
			    "{\"name\":\"n\",\"dataType\":[\"int\"]},"
			    "{\"name\":\"tag\",\"dataType\":[\"text\"],"
			    "\"tokenization\":\"field\"}]}",
			    200, NULL);
	put_many(w);
	snprintf(want, sizeof(want),
		 "[{\"n\":{\"count\":%d,\"minimum\":0.0,\"maximum\":%d.0,\"mean\":%d.5,"
		 "\"median\":%d.5,\"sum\":%lld.0}}]",
		 n, n - 1, n / 2 - 1, n / 2 - 1, (long long)n * (n - 1) / 2);
	expect(w, "{Aggregate{Thing{n{count minimum maximum mean median sum}}}}", want);
	snprintf(want, sizeof(want),
		 "[{\"tag\":{\"count\":%d,\"topOccurrences\":[{\"value\":\"t0\",\"occurs\":%d},"
		 "{\"value\":\"t1\",\"occurs\":%d}]}}]", n, each, each);
	expect(w, "{Aggregate{Thing{tag{count topOccurrences(limit:2){value occurs}}}}}", want);
	snprintf(want, sizeof(want), "[{\"meta\":{\"count\":%d},\"n\":{\"count\":%d}}]", each,
		 each);
	expect(w, "{Aggregate{Thing(groupBy:[\"tag\"] limit:1){meta{count}n{count}}}}", want);
	weaviate_kit_wrong(w, "{Aggregate{Thing(groupBy:[\"n\"]){meta{count}}}}",
			   "more than 10000 different values");
}

TEST(figures_of_many_objects)
{
	weaviate_kit_run(count_many, NULL);
}

TEST_HARNESS_MAIN
