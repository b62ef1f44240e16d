// SPDX-License-Identifier: Apache-2.0
/*
 * What clients ask of a server as such: its version, and how a cluster of one looks.
 *
 * Interface: handlers of qdrant_pvt.h. There is one node and one shard; what else telemetry tells
 * of is at /metrics.
 *
 * Order of parts: what there is; what there is not.
 */
#include "qdrant_pvt.h"

#define PEER 1

/* ---- what there is ---------------------------------------------------------------------- */

int qd_greet(struct qd_call *c)
{
	static const char greeting[] =
		"{\"title\":\"qdrant - vector search engine\",\"version\":\"" QDRANT_VERSION
		"\",\"commit\":null}";

	c->sent = true;
	if (http_status_wanted(c->rq)) {
		c->rq->api = NULL; /* no client of Qdrant's asks for that */
		return http_status_get(c->rq, c->rs, c->deadline);
	}
	return http_response_body(c->rs, "application/json", greeting, sizeof(greeting) - 1);
}

int qd_livez(struct qd_call *c)
{
	static const char text[] = "healthz check passed";

	c->sent = true;
	return http_response_body(c->rs, "text/plain", text, sizeof(text) - 1);
}

int qd_issues(struct qd_call *c)
{
	http_json_raw(&c->j, "{\"issues\":[]}", 13);
	return 0;
}

int qd_issues_clear(struct qd_call *c)
{
	http_json_bool(&c->j, true);
	return 0;
}

int qd_cluster(struct qd_call *c)
{
	static const char disabled[] = "{\"status\":\"disabled\"}";

	http_json_raw(&c->j, disabled, sizeof(disabled) - 1);
	return 0;
}

int qd_telemetry(struct qd_call *c)
{
	struct objects_view *view = objects_view(c->o);

	http_json_open(&c->j, '{');
	http_json_key(&c->j, "id");
	http_json_string(&c->j, "00000000-0000-0000-0000-000000000000");
	http_json_key(&c->j, "app");
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "name");
	http_json_string(&c->j, "sluice " SL_VERSION);
	http_json_key(&c->j, "version");
	http_json_string(&c->j, QDRANT_VERSION);
	http_json_close(&c->j, '}');
	http_json_key(&c->j, "collections");
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "number_of_collections");
	http_json_uint(&c->j, objects_view_count(view));
	http_json_close(&c->j, '}');
	http_json_close(&c->j, '}');
	objects_view_release(view);
	return 0;
}

int qd_collection_cluster(struct qd_call *c)
{
	struct sl_objects_info info;
	int err = objects_info(c->o, c->name, &info, c->deadline);

	if (err)
		return err;
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "peer_id");
	http_json_uint(&c->j, PEER);
	http_json_key(&c->j, "shard_count");
	http_json_uint(&c->j, 1);
	http_json_key(&c->j, "local_shards");
	http_json_open(&c->j, '[');
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "shard_id");
	http_json_uint(&c->j, 0);
	http_json_key(&c->j, "points_count");
	http_json_uint(&c->j, info.objects);
	http_json_key(&c->j, "state");
	http_json_string(&c->j, "Active");
	http_json_close(&c->j, '}');
	http_json_close(&c->j, ']');
	http_json_key(&c->j, "remote_shards");
	http_json_raw(&c->j, "[]", 2);
	http_json_key(&c->j, "shard_transfers");
	http_json_raw(&c->j, "[]", 2);
	http_json_close(&c->j, '}');
	return 0;
}

int qd_optimizations(struct qd_call *c)
{
	static const char none[] = "{\"summary\":{\"queued_optimizations\":0,\"queued_segments\":0,"
				   "\"queued_points\":0,\"idle_segments\":1},\"running\":[]}";

	http_json_raw(&c->j, none, sizeof(none) - 1);
	return 0;
}

/* Shard keys are of collections that are sharded by them, which none is. */
int qd_shards_list(struct qd_call *c)
{
	http_json_raw(&c->j, "{\"shard_keys\":[]}", 17);
	return 0;
}

/* ---- what there is not ------------------------------------------------------------------ */

int qd_no_cluster(struct qd_call *c)
{
	return qd_wrong(c, 400,
			"Bad request: Distributed mode disabled: there is one node, and each "
			"collection is one shard");
}

int qd_no_storage_snapshots(struct qd_call *c)
{
	return qd_wrong(c, 400,
			"Bad request: snapshots of the whole storage are not supported: make one "
			"of each collection, by /collections/{collection_name}/snapshots");
}

int qd_no_quotas(struct qd_call *c)
{
	return qd_wrong(c, 400,
			"Bad request: quotas are not supported: limits are settings of sluiced, "
			"such as node.memory_max_bytes");
}

int qd_no_locks(struct qd_call *c)
{
	return qd_wrong(c, 400,
			"Bad request: locks are not supported: with http.keys, give clients keys "
			"that cannot write");
}
