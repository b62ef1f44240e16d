// SPDX-License-Identifier: Apache-2.0
/*
 * Tenants: made, told and removed; their objects apart from each other; what follows the class.
 *
 * Order of parts: the usual; tenants; objects; many at once; GraphQL; statuses; made by objects;
 * the class; refusals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

#define T "/v1/schema/Multi/tenants"
#define O "/v1/objects/Multi/"

/* ---- the usual -------------------------------------------------------------------------- */

static void make_class(struct web *w, const char *more)
{
	char body[400];

	snprintf(body, sizeof(body),
		 "{\"class\":\"Multi\",\"properties\":[{\"name\":\"n\",\"dataType\":[\"int\"]}],"
		 "\"vectorIndexConfig\":{\"distance\":\"l2-squared\"},"
		 "\"multiTenancyConfig\":{\"enabled\":true%s}}", more);
	weaviate_kit_expect(w, "POST", "/v1/schema", body, 200, "\"enabled\":true");
}

static void put(struct web *w, const char *tenant, const char *id, int n, int status,
		const char *part)
{
	char body[400];

	snprintf(body, sizeof(body),
		 "{\"class\":\"Multi\",\"tenant\":\"%s\",\"id\":\"%s\",\"properties\":{\"n\":%d},"
		 "\"vector\":[%d,0]}", tenant, id, n, n);
	if (status == 200)
		weaviate_kit_expect(w, "POST", "/v1/objects", body, 200, part);
	else
		weaviate_kit_refused(w, "POST", "/v1/objects", body, status, part);
}

static void make_two(struct web *w)
{
	make_class(w, "");
	weaviate_kit_is(w, "POST", T, "[{\"name\":\"ann\"},{\"name\":\"Bob-2\"}]",
			"[{\"activityStatus\":\"HOT\",\"name\":\"ann\"},"
			"{\"activityStatus\":\"HOT\",\"name\":\"Bob-2\"}]");
}

/* ---- tenants ---------------------------------------------------------------------------- */

static void make_tenants(struct web *w)
{
	make_two(w);
	/* One that is there stays as it is. */
	weaviate_kit_is(w, "POST", T, "[{\"name\":\"ann\",\"activityStatus\":\"COLD\"}]",
			"[{\"activityStatus\":\"COLD\",\"name\":\"ann\"}]");
	weaviate_kit_is(w, "GET", T, "",
			"[{\"activityStatus\":\"HOT\",\"name\":\"Bob-2\"},"
			"{\"activityStatus\":\"HOT\",\"name\":\"ann\"}]");
	weaviate_kit_is(w, "GET", T "/ann", "", "{\"activityStatus\":\"HOT\",\"name\":\"ann\"}");
	weaviate_kit_refused(w, "GET", T "/carl", "", 404, "tenant not found: \\\"carl\\\"");
	weaviate_kit_expect(w, "GET", "/v1/schema/Multi/shards", "", 200, "\"name\":\"ann\"");
	weaviate_kit_expect(w, "GET", "/v1/nodes?output=verbose", "", 200, "\"shardCount\":2");
	weaviate_kit_expect(w, "DELETE", T, "[\"ann\",\"carl\"]", 200, NULL);
	weaviate_kit_is(w, "GET", T, "", "[{\"activityStatus\":\"HOT\",\"name\":\"Bob-2\"}]");
	put(w, "Bob-2", ID("01"), 1, 200, "\"tenant\":\"Bob-2\"");
}

static void look_again(struct web *w)
{
	weaviate_kit_is(w, "GET", T, "", "[{\"activityStatus\":\"HOT\",\"name\":\"Bob-2\"}]");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=Bob-2", "", 200, "\"n\":1");
	weaviate_kit_expect(w, "DELETE", "/v1/schema/Multi", "", 200, NULL);
	weaviate_kit_is(w, "GET", "/v1/schema", "", "{\"classes\":[]}");
	/* Of a new class of that name it has none. */
	make_class(w, "");
	weaviate_kit_is(w, "GET", T, "", "[]");
}

TEST(tenants_are_made_told_and_removed_and_outlive_a_restart)
{
	weaviate_kit_run(make_tenants, look_again);
}

/* ---- objects ---------------------------------------------------------------------------- */

static void change_objects(struct web *w)
{
	make_two(w);
	put(w, "ann", ID("01"), 1, 200, "\"tenant\":\"ann\"");
	put(w, "Bob-2", ID("01"), 2, 200, "\"n\":2");
	put(w, "ann", ID("01"), 3, 422, "id already exists");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=ann", "", 200, "\"n\":1");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=Bob-2", "", 200, "\"n\":2");
	weaviate_kit_expect(w, "HEAD", O ID("01") "?tenant=ann", "", 204, NULL);
	weaviate_kit_expect(w, "PATCH", O ID("01"),
			    "{\"tenant\":\"ann\",\"properties\":{\"n\":11}}", 204, NULL);
	weaviate_kit_expect(w, "PUT", O ID("01"),
			    "{\"class\":\"Multi\",\"tenant\":\"Bob-2\",\"properties\":{\"n\":22}}",
			    200, "\"n\":22");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Multi&tenant=ann", "", 200, "\"n\":11");
	weaviate_kit_expect(w, "DELETE", O ID("01") "?tenant=ann", "", 204, NULL);
	weaviate_kit_refused(w, "GET", O ID("01") "?tenant=ann", "", 404, "no object");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=Bob-2", "", 200, "\"n\":22");
	/* Who tells no class is not given what somebody keeps apart. */
	weaviate_kit_refused(w, "GET", "/v1/objects/" ID("01"), "", 404, "no object");
	weaviate_kit_expect(w, "GET", "/v1/objects", "", 200, "\"totalResults\":0");
}

TEST(objects_of_tenants_are_apart)
{
	weaviate_kit_run(change_objects, NULL);
}

/* ---- many at once ----------------------------------------------------------------------- */

#define ITEM(tenant, two, n)                                                                       \
	"{\"class\":\"Multi\"," tenant "\"id\":\"" ID(two) "\",\"properties\":{\"n\":" n "}}"
#define MATCH_ALL                                                                                  \
	"{\"match\":{\"class\":\"Multi\",\"where\":{\"path\":[\"n\"],\"operator\":"                \
	"\"GreaterThan\",\"valueInt\":0}}}"

static void batch(struct web *w)
{
	struct web_answer a;

	make_two(w);
	ASSERT_EQ(200, objects_web_ask(w, "POST", "/v1/batch/objects",
				       "{\"objects\":[" ITEM("\"tenant\":\"ann\",", "01", "1") ","
				       ITEM("\"tenant\":\"Bob-2\",", "02", "2") ","
				       ITEM("", "03", "3") ","
				       ITEM("\"tenant\":\"carl\",", "04", "4") ","
				       ITEM("\"tenant\":\"ann\",", "05", "5") "]}", &a));
	EXPECT_NOT_NULL(strstr(a.body, "request was without tenant"));
	EXPECT_NOT_NULL(strstr(a.body, "tenant not found: \\\"carl\\\""));
	EXPECT_NOT_NULL(strstr(a.body, "\"tenant\":\"Bob-2\""));
	web_answer_done(&a);
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Multi&tenant=ann", "", 200,
			    "\"totalResults\":2");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Multi&tenant=Bob-2", "", 200,
			    "\"totalResults\":1");
	weaviate_kit_refused(w, "DELETE", "/v1/batch/objects", MATCH_ALL, 422, "without tenant");
	weaviate_kit_expect(w, "DELETE", "/v1/batch/objects?tenant=ann", MATCH_ALL, 200,
			    "\"successful\":2");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Multi&tenant=Bob-2", "", 200,
			    "\"totalResults\":1");
}

TEST(of_a_batch_each_object_is_its_own_tenants)
{
	weaviate_kit_run(batch, NULL);
}

/* ---- GraphQL ---------------------------------------------------------------------------- */

#define REFERENCE(tenant)                                                                          \
	"{\"from\":\"weaviate://localhost/Multi/" ID("01") "/to\",\"to\":"                         \
	"\"weaviate://localhost/Multi/" ID("02") "\",\"tenant\":\"" tenant "\"}"

static void query(struct web *w)
{
	make_two(w);
	weaviate_kit_expect(w, "POST", "/v1/schema/Multi/properties",
			    "{\"name\":\"to\",\"dataType\":[\"Multi\"]}", 200, NULL);
	put(w, "ann", ID("01"), 1, 200, "ann");
	put(w, "ann", ID("02"), 2, 200, "ann");
	put(w, "Bob-2", ID("01"), 7, 200, "Bob");
	weaviate_kit_query(w, "{Get{Multi(tenant:\"ann\",nearVector:{vector:[2,0]}){n}}}",
			   "{\"Get\":{\"Multi\":[{\"n\":2},{\"n\":1}]}}");
	weaviate_kit_query(w, "{Get{Multi(tenant:\"Bob-2\",where:{path:[\"n\"],operator:"
			      "GreaterThan,valueInt:1}){n}}}", "{\"Get\":{\"Multi\":[{\"n\":7}]}}");
	weaviate_kit_query(w, "{Get{a:Multi(tenant:\"ann\",nearObject:{id:\"" ID("02") "\"},"
			      "limit:1){n}b:Multi(tenant:\"Bob-2\",limit:1){n}}}",
			   "{\"Get\":{\"a\":[{\"n\":2}],\"b\":[{\"n\":7}]}}");
	weaviate_kit_query(w, "{Aggregate{Multi(tenant:\"ann\"){meta{count}n{count}}}}",
			   "{\"Aggregate\":{\"Multi\":[{\"meta\":{\"count\":2},"
			   "\"n\":{\"count\":2}}]}}");
	weaviate_kit_wrong(w, "{Get{Multi{n}}}", "request was without tenant");
	weaviate_kit_wrong(w, "{Get{Multi(tenant:\"carl\"){n}}}", "tenant not found");
	/* References stay within the tenant. */
	weaviate_kit_expect(w, "POST", "/v1/batch/references",
			    "[" REFERENCE("ann") "," REFERENCE("carl") "]", 200,
			    "tenant not found");
	weaviate_kit_query(w, "{Get{Multi(tenant:\"ann\",limit:1){to{... on Multi{n}}}}}",
			   "{\"Get\":{\"Multi\":[{\"to\":[{\"n\":2}]}]}}");
	weaviate_kit_expect(w, "DELETE", O ID("01") "/references/to?tenant=ann",
			    "{\"beacon\":\"weaviate://localhost/Multi/" ID("02") "\"}", 204, NULL);
	weaviate_kit_query(w, "{Get{Multi(tenant:\"ann\",limit:1){to{... on Multi{n}}}}}",
			   "{\"Get\":{\"Multi\":[{\"to\":null}]}}");
}

TEST(queries_are_of_one_tenant)
{
	weaviate_kit_run(query, NULL);
}

/* ---- statuses --------------------------------------------------------------------------- */

static void rest(struct web *w)
{
	make_two(w);
	put(w, "ann", ID("01"), 1, 200, "ann");
	weaviate_kit_is(w, "PUT", T, "[{\"name\":\"ann\",\"activityStatus\":\"INACTIVE\"}]",
			"[{\"activityStatus\":\"COLD\",\"name\":\"ann\"}]");
	weaviate_kit_is(w, "GET", T "/ann", "", "{\"activityStatus\":\"COLD\",\"name\":\"ann\"}");
	put(w, "ann", ID("02"), 2, 422, "tenant not active: 'ann'");
	weaviate_kit_refused(w, "GET", O ID("01") "?tenant=ann", "", 422, "tenant not active");
	weaviate_kit_wrong(w, "{Get{Multi(tenant:\"ann\"){n}}}", "tenant not active");
	weaviate_kit_expect(w, "PUT", T, "[{\"name\":\"ann\",\"activityStatus\":\"HOT\"}]", 200,
			    "HOT");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=ann", "", 200, "\"n\":1");
	weaviate_kit_refused(w, "PUT", T, "[{\"name\":\"ann\",\"activityStatus\":\"FROZEN\"}]", 422,
			     "nowhere to offload");
	weaviate_kit_refused(w, "PUT", T, "[{\"name\":\"ann\",\"activityStatus\":\"COLD\"},"
			     "{\"name\":\"carl\"}]", 422, "tenant not found: \\\"carl\\\"");
	weaviate_kit_is(w, "GET", T "/ann", "", "{\"activityStatus\":\"HOT\",\"name\":\"ann\"}");
}

TEST(a_cold_tenant_rests_until_it_is_hot_again)
{
	weaviate_kit_run(rest, NULL);
}

/* ---- made by objects -------------------------------------------------------------------- */

static void make_by_objects(struct web *w)
{
	make_class(w, ",\"autoTenantCreation\":true,\"autoTenantActivation\":true");
	put(w, "new", ID("01"), 1, 200, "\"tenant\":\"new\"");
	put(w, "a b", ID("01"), 1, 422, "tenant not found");
	weaviate_kit_expect(w, "PUT", T, "[{\"name\":\"new\",\"activityStatus\":\"COLD\"}]", 200,
			    "COLD");
	weaviate_kit_expect(w, "GET", O ID("01") "?tenant=new", "", 200, "\"n\":1");
	put(w, "new", ID("02"), 2, 200, "\"n\":2");
	weaviate_kit_is(w, "GET", T, "", "[{\"activityStatus\":\"HOT\",\"name\":\"new\"}]");
}

TEST(objects_make_tenants_and_wake_them_where_the_class_says_so)
{
	weaviate_kit_run(make_by_objects, NULL);
}

/* ---- the class -------------------------------------------------------------------------- */

/* What one tenant's object teaches the class, the others have, too. */
static void learn(struct web *w)
{
	make_two(w);
	put(w, "ann", ID("01"), 1, 200, "ann");
	weaviate_kit_expect(w, "POST", "/v1/objects",
			    "{\"class\":\"Multi\",\"tenant\":\"ann\",\"id\":\"" ID("02") "\","
			    "\"properties\":{\"word\":\"good day\"}}", 200, "good day");
	weaviate_kit_expect(w, "GET", "/v1/schema/Multi", "", 200, "\"name\":\"word\"");
	weaviate_kit_expect(w, "POST", "/v1/objects",
			    "{\"class\":\"Multi\",\"tenant\":\"Bob-2\",\"id\":\"" ID("03") "\","
			    "\"properties\":{\"word\":\"good night\"}}", 200, "good night");
	weaviate_kit_query(w, "{Get{Multi(tenant:\"Bob-2\",where:{path:[\"word\"],operator:Equal,"
			      "valueText:\"good\"}){word}}}",
			   "{\"Get\":{\"Multi\":[{\"word\":\"good night\"}]}}");
	put(w, "Bob-2", ID("04"), 4, 200, "\"n\":4");
	weaviate_kit_query(w, "{Get{Multi(tenant:\"Bob-2\",nearVector:{vector:[4,0]}){n}}}",
			   "{\"Get\":{\"Multi\":[{\"n\":4}]}}");
	weaviate_kit_refused(w, "POST", "/v1/objects",
			     "{\"class\":\"Multi\",\"tenant\":\"Bob-2\",\"vector\":[1,2,3]}", 500,
			     "length 3");
	weaviate_kit_refused(w, "PUT", "/v1/schema/Multi",
			     "{\"class\":\"Multi\",\"multiTenancyConfig\":{\"enabled\":false}}",
			     422, "disabling multi-tenancy");
	weaviate_kit_expect(w, "POST", "/v1/schema", "{\"class\":\"Plain\"}", 200, NULL);
	weaviate_kit_refused(w, "PUT", "/v1/schema/Plain",
			     "{\"class\":\"Plain\",\"multiTenancyConfig\":{\"enabled\":true}}", 422,
			     "enabling multi-tenancy");
}

TEST(tenants_follow_their_class)
{
	weaviate_kit_run(learn, NULL);
}

/* ---- refusals --------------------------------------------------------------------------- */

static void refuse(struct web *w)
{
	char name[300], body[400];

	make_two(w);
	weaviate_kit_refused(w, "POST", T, "{}", 422, "a list of tenants");
	weaviate_kit_refused(w, "POST", T, "[{\"name\":\"c\"},{\"name\":\"a/b\"}]", 422, "'a/b'");
	weaviate_kit_refused(w, "POST", T, "[{\"name\":\"c\"},{}]", 422, "tenant name ''");
	weaviate_kit_refused(w, "POST", T, "[{\"name\":\"c\",\"activityStatus\":\"tepid\"}]", 422,
			     "'tepid'");
	weaviate_kit_refused(w, "GET", T "/c", "", 404, "tenant not found");
	weaviate_kit_refused(w, "DELETE", T, "[7]", 422, "names of tenants");
	weaviate_kit_refused(w, "DELETE", T, "{}", 422, "a list of tenants");
	weaviate_kit_refused(w, "DELETE", "/v1/schema/None/tenants", "[\"ann\"]", 404,
			     "could not find class");
	weaviate_kit_refused(w, "GET", "/v1/schema/None/tenants", "", 404, "could not find class");
	weaviate_kit_refused(w, "POST", "/v1/objects", "{\"class\":\"Unknown\",\"tenant\":\"t\"}",
			     422, "multi-tenancy disabled");
	weaviate_kit_refused(w, "GET", "/v1/schema/Unknown", "", 404, "could not find class");
	memset(name, 'n', 230);
	name[230] = 0;
	snprintf(body, sizeof(body),
		 "{\"class\":\"%s\",\"multiTenancyConfig\":{\"enabled\":true}}", name);
	weaviate_kit_expect(w, "POST", "/v1/schema", body, 200, NULL);
	name[0] = 'N';
	snprintf(body, sizeof(body), "/v1/schema/%s/tenants", name);
	weaviate_kit_expect(w, "POST", body, "[{\"name\":\"fifteen-letters\"}]", 200, NULL);
	weaviate_kit_refused(w, "POST", body, "[{\"name\":\"sixteen-letters-\"}]", 422,
			     "1 characters too long");
}

TEST(what_cannot_be_is_refused_and_changes_nothing)
{
	weaviate_kit_run(refuse, NULL);
}

TEST_HARNESS_MAIN
