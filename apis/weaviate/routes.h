/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the API, which routes.c has in its table. */
#ifndef APIS_WEAVIATE_ROUTES_H
#define APIS_WEAVIATE_ROUTES_H

struct wv_call;

/* What stands where Weaviate tells of its nodes and shards. */
#define NODE_NAME "sluice"
#define SHARD_NAME "sluice"

/* service.c */
int wv_root_get(struct wv_call *c);
int wv_meta_get(struct wv_call *c);
int wv_ready_get(struct wv_call *c);
int wv_live_get(struct wv_call *c);
int wv_openid_get(struct wv_call *c);
int wv_nodes_get(struct wv_call *c);
int wv_no_shard_status(struct wv_call *c);
int wv_no_backups(struct wv_call *c);
int wv_no_classifications(struct wv_call *c);
int wv_no_users(struct wv_call *c);

/* schema.c; two of these are named after the class, not after what they look at. */
int wv_schema_get(struct wv_call *c);
int wv_schema_post(struct wv_call *c);
int wv_class_get(struct wv_call *c);
int wv_class_put(struct wv_call *c);
int wv_class_delete(struct wv_call *c);
int wv_properties_post(struct wv_call *c);
int wv_shards_get(struct wv_call *c);

/* tenants.c */
int wv_tenants_get(struct wv_call *c);
int wv_tenants_post(struct wv_call *c);
int wv_tenants_put(struct wv_call *c);
int wv_tenants_delete(struct wv_call *c);
int wv_tenant_get(struct wv_call *c);

/* objects.c: "/v1/objects", "/v1/objects/{class}/{id}" and "/v1/objects/{id}". */
int wv_objects_list(struct wv_call *c);
int wv_objects_post(struct wv_call *c);
int wv_objects_validate(struct wv_call *c);
int wv_object_get(struct wv_call *c);
int wv_object_head(struct wv_call *c);
int wv_object_replace(struct wv_call *c);
int wv_object_patch(struct wv_call *c);
int wv_object_delete(struct wv_call *c);

/* references.c */
int wv_references_post(struct wv_call *c);
int wv_references_put(struct wv_call *c);
int wv_references_delete(struct wv_call *c);
int wv_batch_references_post(struct wv_call *c);

/* batch.c */
int wv_batch_objects_post(struct wv_call *c);
int wv_batch_objects_delete(struct wv_call *c);

/* query.c */
int wv_graphql_post(struct wv_call *c);
int wv_graphql_batch_post(struct wv_call *c);

#endif
