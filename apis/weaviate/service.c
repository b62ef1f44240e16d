// SPDX-License-Identifier: Apache-2.0
/*
 * What clients ask of the server itself.
 *
 * Interface: handlers of "/v1", "/v1/meta", "/v1/.well-known/…" and "/v1/nodes" in routes.h.
 *
 * Order of parts: the server; nodes; what there is not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- the server ------------------------------------------------------------------------- */

/* Clients look at it for what they may send: the Weaviate whose API this is. */
#define WEAVIATE_VERSION "1.30.0"

static void put_link(struct http_json *j, const char *href)
{
	http_json_open(j, '{');
	http_json_key(j, "href");
	http_json_string(j, href);
	http_json_close(j, '}');
}

int wv_root_get(struct wv_call *c)
{
	static const char *const links[] = {"/v1/meta",	   "/v1/schema",	"/v1/objects",
					    "/v1/graphql", "/v1/batch/objects", "/v1/nodes"};

	http_json_open(&c->json, '{');
	http_json_key(&c->json, "links");
	http_json_open(&c->json, '[');
	for (size_t i = 0; i < SL_ARRAY_SIZE(links); i++)
		put_link(&c->json, links[i]);
	http_json_close(&c->json, ']');
	http_json_close(&c->json, '}');
	return 0;
}

int wv_meta_get(struct wv_call *c)
{
	struct http_str host = http_request_str(c->rq, c->rq->authority);
	struct http_json *j = &c->json;
	char hostname[300];

	snprintf(hostname, sizeof(hostname), "%s://%.*s", c->rq->scheme,
		 (int)sl_min(host.n, (size_t)255), host.p);
	http_json_open(j, '{');
	http_json_key(j, "hostname");
	http_json_string(j, hostname);
	http_json_key(j, "modules");
	http_json_open(j, '{');
	http_json_close(j, '}');
	http_json_key(j, "version");
	http_json_string(j, WEAVIATE_VERSION);
	http_json_close(j, '}');
	return 0;
}

int wv_live_get(struct wv_call *c)
{
	c->rs->status = 200;
	return 0;
}

/* As of "/readyz". */
int wv_ready_get(struct wv_call *c)
{
	bool ready = !__atomic_load_n(&c->rq->server->not_ready, __ATOMIC_ACQUIRE);

	c->rs->status = ready ? 200 : 503;
	return 0;
}

/* Who may connect is known by http.keys, or by TLS. */
int wv_openid_get(struct wv_call *c)
{
	c->rs->status = 404;
	return 0;
}

/* ---- nodes ------------------------------------------------------------------------------ */

static int put_shard(struct wv_call *c, const struct objects_collection *col, const char *class,
		     const char *name, uint64_t *objects)
{
	struct http_json *j = &c->json;
	struct sl_objects_info info;
	int err = objects_info(c->objects, col->name, &info, c->deadline);

	if (err)
		return err == -ENOENT ? 0 : err;
	*objects += info.objects;
	http_json_open(j, '{');
	http_json_key(j, "class");
	http_json_string(j, class);
	http_json_key(j, "name");
	http_json_string(j, name);
	http_json_key(j, "objectCount");
	http_json_uint(j, info.objects);
	http_json_key(j, "vectorIndexingStatus");
	http_json_string(j, wv_queue(&info) ? "INDEXING" : "READY");
	http_json_key(j, "vectorQueueLength");
	http_json_uint(j, wv_queue(&info));
	http_json_key(j, "compressed");
	http_json_bool(j, false);
	http_json_key(j, "loaded");
	http_json_bool(j, true);
	http_json_close(j, '}');
	return 0;
}

/* The collection is a class, or a tenant of the class @k that was found before. */
static int look_at(struct wv_call *c, const struct objects_collection *col,
		   const struct wv_class **k, const char **ret_shard)
{
	const char *name = wv_class_name_of(col);
	int res = 0;

	*ret_shard = NULL;
	if (name)
		res = wv_class_find(c, name, k);
	if (res || !*k)
		return res;
	if ((*k)->tenancy.on)
		*ret_shard = wv_tenant_name_of(col, *k);
	else if (name)
		*ret_shard = SHARD_NAME;
	return 0;
}

/* By name, so that tenants come behind their class. */
static int put_shards(struct wv_call *c, bool verbose, uint64_t *objects, uint64_t *shards)
{
	const struct wv_class *k = NULL;
	int res = 0;

	for (uint32_t i = 0; i < objects_view_count(c->view) && !res; i++) {
		const struct objects_collection *col = objects_view_at(c->view, i);
		const char *shard;

		res = look_at(c, col, &k, &shard);
		if (res || !shard)
			continue;
		++*shards;
		if (verbose)
			res = put_shard(c, col, k->name, shard, objects);
	}
	return res;
}

/* Without output=verbose no shard is told of, and nothing is asked of collections. */
int wv_nodes_get(struct wv_call *c)
{
	static const char no_queue[] = "{\"queueLength\":0,\"ratePerSecond\":0}";
	struct http_json *j = &c->json;
	uint64_t objects = 0, shards = 0;
	const char *output;
	int res = wv_call_query(c, "output", &output);
	bool verbose = !res && output && !strcmp(output, "verbose");

	if (res)
		return res;
	http_json_open(j, '{');
	http_json_key(j, "nodes");
	http_json_open(j, '[');
	http_json_open(j, '{');
	http_json_key(j, "name");
	http_json_string(j, NODE_NAME);
	http_json_key(j, "status");
	http_json_string(j, "HEALTHY");
	http_json_key(j, "version");
	http_json_string(j, WEAVIATE_VERSION);
	http_json_key(j, "gitHash");
	http_json_string(j, "");
	http_json_key(j, "batchStats");
	http_json_raw(j, no_queue, sizeof(no_queue) - 1);
	http_json_key(j, "shards");
	http_json_open(j, '[');
	res = put_shards(c, verbose, &objects, &shards);
	http_json_close(j, ']');
	http_json_key(j, "stats");
	http_json_open(j, '{');
	http_json_key(j, "objectCount");
	http_json_uint(j, objects);
	http_json_key(j, "shardCount");
	http_json_uint(j, shards);
	http_json_close(j, '}');
	http_json_close(j, '}');
	http_json_close(j, ']');
	http_json_close(j, '}');
	return res < 0 ? wv_failed(c, res, "") : res;
}

/* ---- what there is not ------------------------------------------------------------------ */

int wv_no_shard_status(struct wv_call *c)
{
	return wv_refuse(c, 422,
			 "the status of a shard cannot be set: it is READONLY while its disk takes "
			 "no writes, and not otherwise");
}

int wv_no_backups(struct wv_call *c)
{
	return wv_refuse(c, 422,
			 "backups are not served: copy the data folder while the daemon is "
			 "stopped, or take snapshots by POST "
			 "/collections/weaviate:CLASS/snapshots");
}

int wv_no_classifications(struct wv_call *c)
{
	return wv_refuse(c, 422, "classifications are not served: they need modules");
}

int wv_no_users(struct wv_call *c)
{
	return wv_refuse(c, 422,
			 "users and roles are not served: the setting http.keys names a file of "
			 "keys, and what each is good for");
}
