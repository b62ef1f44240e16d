/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GET on its way: what is stored for it, what the origin would be told, how it went.
 *
 * Interface: proxy_get_*() of get.h.
 */
#include <errno.h>
#include <string.h>

#include "get.h"

void proxy_get_drop(struct proxy_get *g)
{
	cache_release(g->object);
	g->object = NULL;
}

void proxy_get_done(struct proxy_get *g)
{
	proxy_get_drop(g);
	sl_text_done(&g->base);
	sl_text_done(&g->selected);
	sl_text_done(&g->lines);
	sl_text_done(&g->path);
	sl_text_done(&g->host);
	sl_text_done(&g->validated);
}

int proxy_get_lines(struct proxy_get *g)
{
	if (g->lines.len)
		return g->lines.err;
	proxy_put_lines(g->rq, false, &g->lines);
	proxy_put_path(g->rq, &g->path);
	if (g->proxy->host[0])
		sl_text_put_string(&g->host, g->proxy->host);
	else
		proxy_put_host(g->rq, &g->host);
	return g->lines.err ? g->lines.err : g->path.err ? g->path.err : g->host.err;
}

/* Of g->key. Return: 0; -ENOENT; -errno. What is no head counts as absent. */
static int look(struct proxy_get *g)
{
	int err = cache_lookup(g->proxy->cache, proxy_key(g->key), CACHE_STALE, &g->object,
			       g->deadline);

	if (err)
		return err;
	if (!stored_read(g->object->meta, g->object->meta_bytes, &g->stored))
		return 0;
	proxy_get_drop(g);
	return -ENOENT;
}

int proxy_get_look_up(struct proxy_get *g)
{
	struct http_lines lines;
	int err;

	proxy_get_drop(g);
	g->varies = false;
	g->key = http_str_text(&g->base);
	err = look(g);
	if (!err && g->stored.kind == STORED_VARIES) {
		g->varies = true;
		err = proxy_get_lines(g);
		if (err)
			return err;
		lines = http_lines_of(&g->lines);
		g->selected.len = 0;
		flight_vary_key(http_str_text(&g->base), g->stored.generation,
				(struct http_str){g->stored.fields.p, g->stored.fields.n}, lines,
				&g->selected);
		proxy_get_drop(g);
		if (g->selected.err)
			return g->selected.err;
		g->key = http_str_text(&g->selected);
		err = g->key.n > CACHE_KEY_BYTES_MAX ? -ENOENT : look(g);
	}
	if (!err && g->stored.kind != STORED_WHOLE && g->stored.kind != STORED_SLICED)
		proxy_get_drop(g);
	return err == -ENOENT ? 0 : err;
}

bool proxy_get_is_validated(const struct proxy_get *g)
{
	return g->validated.len && g->validated.len == g->key.n &&
	       !memcmp(g->validated.data, g->key.p, g->key.n);
}

struct http_cache_status proxy_get_how(const struct proxy_get *g, int64_t now_ms)
{
	return (struct http_cache_status){
		.hit = g->fwd == HTTP_FWD_NONE,
		.fwd = g->fwd,
		.fwd_status = g->fwd_status,
		.collapsed = g->collapsed,
		.stored = g->kept,
		.ttl_s = http_ttl_s(&g->stored.caching, now_ms),
	};
}
