// SPDX-License-Identifier: Apache-2.0
/*
 * The routes of Weaviate's API, by REST and GraphQL.
 *
 * Interface: weaviate_routes of weaviate.h. Each handler works on a struct wv_call, which is made
 * and ended around it.
 *
 * Order of parts: handlers; the table.
 */
#include "routes.h"
#include "weaviate_pvt.h"

/* ---- handlers --------------------------------------------------------------------------- */

/* serve_NAME() is wv_NAME() as a handler of struct http_route. */
#define SERVE(name)                                                                                \
	static int serve_##name(struct http_request *rq, struct http_response *rs,                 \
				int64_t deadline)                                                  \
	{                                                                                          \
		return wv_call_run(rq, rs, deadline, wv_##name);                                   \
	}

SERVE(root_get)
SERVE(meta_get)
SERVE(ready_get)
SERVE(live_get)
SERVE(openid_get)
SERVE(nodes_get)
SERVE(schema_get)
SERVE(schema_post)
SERVE(class_get)
SERVE(class_put)
SERVE(class_delete)
SERVE(properties_post)
SERVE(shards_get)
SERVE(tenants_get)
SERVE(tenants_post)
SERVE(tenants_put)
SERVE(tenants_delete)
SERVE(tenant_get)
SERVE(objects_list)
SERVE(objects_post)
SERVE(objects_validate)
SERVE(object_get)
SERVE(object_head)
SERVE(object_replace)
SERVE(object_patch)
SERVE(object_delete)
SERVE(references_post)
SERVE(references_put)
SERVE(references_delete)
SERVE(batch_objects_post)
SERVE(batch_objects_delete)
SERVE(batch_references_post)
SERVE(graphql_post)
SERVE(graphql_batch_post)
SERVE(no_shard_status)
SERVE(no_backups)
SERVE(no_classifications)
SERVE(no_users)

/* ---- the table -------------------------------------------------------------------------- */

enum {
	NOW = HTTP_ROUTE_NO_STORE,
	OPEN = HTTP_ROUTE_NO_STORE | HTTP_ROUTE_OPEN,
	READ = HTTP_ROUTE_NO_STORE | HTTP_ROUTE_LONG_BODY,
	WRITE = HTTP_ROUTE_NO_STORE | HTTP_ROUTE_WRITE | HTTP_ROUTE_LONG_BODY,
};

/* In path patterns: "{}" is a class or an id. */
#define OBJECT "/v1/objects/{}/{}"
#define OBJECT_ALONE "/v1/objects/{}"
#define REFERENCES "/references/{}"
#define TENANTS "/v1/schema/{}/tenants"

const struct http_route weaviate_routes[] = {
	{HTTP_ON(GET), "/v1", serve_root_get, OPEN},
	{HTTP_ON(GET), "/v1/meta", serve_meta_get, OPEN},
	{HTTP_ON(GET), "/v1/.well-known/ready", serve_ready_get, OPEN},
	{HTTP_ON(GET), "/v1/.well-known/live", serve_live_get, OPEN},
	{HTTP_ON(GET), "/v1/.well-known/openid-configuration", serve_openid_get, OPEN},
	{HTTP_ON(GET), "/v1/nodes", serve_nodes_get, NOW},
	{HTTP_ON(GET), "/v1/nodes/{}", serve_nodes_get, NOW},
	{HTTP_ON(GET), "/v1/schema", serve_schema_get, NOW},
	{HTTP_ON(POST), "/v1/schema", serve_schema_post, WRITE},
	{HTTP_ON(GET), "/v1/schema/{}", serve_class_get, NOW},
	{HTTP_ON(PUT), "/v1/schema/{}", serve_class_put, WRITE},
	{HTTP_ON(DELETE), "/v1/schema/{}", serve_class_delete, WRITE},
	{HTTP_ON(POST), "/v1/schema/{}/properties", serve_properties_post, WRITE},
	{HTTP_ON(GET), "/v1/schema/{}/shards", serve_shards_get, NOW},
	{HTTP_ON(GET), TENANTS, serve_tenants_get, NOW},
	{HTTP_ON(POST), TENANTS, serve_tenants_post, WRITE},
	{HTTP_ON(PUT), TENANTS, serve_tenants_put, WRITE},
	{HTTP_ON(DELETE), TENANTS, serve_tenants_delete, WRITE},
	{HTTP_ON(GET), TENANTS "/{}", serve_tenant_get, NOW},
	{HTTP_ON(GET), "/v1/objects", serve_objects_list, NOW},
	{HTTP_ON(POST), "/v1/objects", serve_objects_post, WRITE},
	{HTTP_ON(POST), "/v1/objects/validate", serve_objects_validate, WRITE},
	{HTTP_ON(HEAD), OBJECT, serve_object_head, NOW},
	{HTTP_ON(GET), OBJECT, serve_object_get, NOW},
	{HTTP_ON(PUT), OBJECT, serve_object_replace, WRITE},
	{HTTP_ON(PATCH), OBJECT, serve_object_patch, WRITE},
	{HTTP_ON(DELETE), OBJECT, serve_object_delete, WRITE},
	{HTTP_ON(HEAD), OBJECT_ALONE, serve_object_head, NOW},
	{HTTP_ON(GET), OBJECT_ALONE, serve_object_get, NOW},
	{HTTP_ON(PUT), OBJECT_ALONE, serve_object_replace, WRITE},
	{HTTP_ON(PATCH), OBJECT_ALONE, serve_object_patch, WRITE},
	{HTTP_ON(DELETE), OBJECT_ALONE, serve_object_delete, WRITE},
	{HTTP_ON(POST), OBJECT REFERENCES, serve_references_post, WRITE},
	{HTTP_ON(PUT), OBJECT REFERENCES, serve_references_put, WRITE},
	{HTTP_ON(DELETE), OBJECT REFERENCES, serve_references_delete, WRITE},
	{HTTP_ON(POST), OBJECT_ALONE REFERENCES, serve_references_post, WRITE},
	{HTTP_ON(PUT), OBJECT_ALONE REFERENCES, serve_references_put, WRITE},
	{HTTP_ON(DELETE), OBJECT_ALONE REFERENCES, serve_references_delete, WRITE},
	{HTTP_ON(POST), "/v1/batch/objects", serve_batch_objects_post, WRITE},
	{HTTP_ON(DELETE), "/v1/batch/objects", serve_batch_objects_delete, WRITE},
	{HTTP_ON(POST), "/v1/batch/references", serve_batch_references_post, WRITE},
	{HTTP_ON(POST), "/v1/graphql", serve_graphql_post, READ},
	{HTTP_ON(POST), "/v1/graphql/batch", serve_graphql_batch_post, READ},
	/* what there is none of here: refused by a sentence */
	{HTTP_ON(PUT), "/v1/schema/{}/shards/{}", serve_no_shard_status, WRITE},
	{HTTP_ON(ANY), "/v1/backups/{*}", serve_no_backups, WRITE},
	{HTTP_ON(ANY), "/v1/classifications", serve_no_classifications, WRITE},
	{HTTP_ON(ANY), "/v1/classifications/{*}", serve_no_classifications, WRITE},
	{HTTP_ON(ANY), "/v1/users/{*}", serve_no_users, WRITE},
	{HTTP_ON(ANY), "/v1/authz/{*}", serve_no_users, WRITE},
};
const size_t weaviate_routes_n = SL_ARRAY_SIZE(weaviate_routes);
