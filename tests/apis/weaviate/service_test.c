/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask of the server itself, and what is said of requests that are none. */
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

static void ask(struct web *w)
{
	weaviate_kit_expect(w, "GET", "/v1", "", 200, "{\"links\":[{\"href\":\"/v1/meta\"}");
	weaviate_kit_expect(w, "GET", "/v1/meta", "", 200,
			    "{\"hostname\":\"http://h\",\"modules\":{},\"version\":\"1.");
	weaviate_kit_expect(w, "GET", "/v1/.well-known/live", "", 200, NULL);
	weaviate_kit_expect(w, "GET", "/v1/.well-known/ready", "", 503, NULL);
	http_server_set_ready(&w->server, NULL);
	weaviate_kit_expect(w, "GET", "/v1/.well-known/ready", "", 200, NULL);
	weaviate_kit_expect(w, "GET", "/v1/.well-known/openid-configuration", "", 404, NULL);
}

TEST(the_server_tells_of_itself)
{
	weaviate_kit_run(ask, NULL);
}

static void nodes(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "GET", "/v1/nodes", "", 200, "\"status\":\"HEALTHY\"");
	weaviate_kit_expect(w, "GET", "/v1/nodes", "", 200, "\"shards\":[],");
	weaviate_kit_expect(w, "GET", "/v1/nodes?output=verbose", "", 200,
			    "{\"class\":\"Thing\",\"name\":\"sluice\",\"objectCount\":5,");
	weaviate_kit_expect(w, "GET", "/v1/nodes?output=verbose", "", 200,
			    "\"stats\":{\"objectCount\":5,\"shardCount\":1}");
}

TEST(the_node_tells_of_its_classes)
{
	weaviate_kit_run(nodes, NULL);
}

static void refuse(struct web *w)
{
	weaviate_kit_refused(w, "POST", "/v1/objects", "", 400, "the body is no JSON");
	weaviate_kit_refused(w, "POST", "/v1/objects", "{\"class\":", 400, "at byte 9");
	weaviate_kit_refused(w, "GET", "/v1/schema/a%00b", "", 400, "a NUL");
	weaviate_kit_refused(w, "POST", "/v1/graphql/batch", "{}", 422, "a list of queries");
	weaviate_kit_expect(w, "POST", "/v1/graphql", "{}", 200, "query: a text is expected");
	weaviate_kit_expect(w, "GET", "/v1/nothing", "", 404, NULL);
	weaviate_kit_expect(w, "POST", "/v1/graphql/batch", "[{\"query\":\"{Get{A{n}}}\"},{}]", 200,
			    "},{\"data\":null,\"errors\":");
}

TEST(requests_that_are_none_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

static void ask_for_what_is_not(struct web *w)
{
	static const struct {
		const char *method, *path, *part;
	} rows[] = {
		{"PUT", "/v1/schema/A/shards/s", "status of a shard"},
		{"POST", "/v1/backups/filesystem", "backups are not served"},
		{"GET", "/v1/backups/filesystem/b/restore", "backups are not served"},
		{"POST", "/v1/classifications", "classifications are not served"},
		{"GET", "/v1/classifications/c", "classifications are not served"},
		{"GET", "/v1/users/own-info", "http.keys"},
		{"GET", "/v1/authz/roles", "http.keys"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		weaviate_kit_refused(w, rows[i].method, rows[i].path, "", 422, rows[i].part);
}

TEST(what_clients_ask_for_and_is_not_served_says_so)
{
	weaviate_kit_run(ask_for_what_is_not, NULL);
}

TEST_HARNESS_MAIN
