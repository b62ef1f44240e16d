/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all HTTP connections share.
 *
 * Interface: the server's part of http.h; http_server_date(). What changes while connections are
 * served is an atomic word; a core's date is that core's alone.
 */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "response.h"

struct http_core {
	_Alignas(64) int64_t until; /* sl_now() when the date's second is over */
	char date[HTTP_DATE_BYTES];
};

int http_server_init(struct http_server *s, const struct http_server_conf *conf)
{
	struct http_core *cores;

	SL_ASSERT(conf->cores > 0);
	cores = aligned_alloc(_Alignof(struct http_core), conf->cores * sizeof(*cores));
	if (!cores)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->cores; i++)
		cores[i] = (struct http_core){.until = INT64_MIN};
	*s = (struct http_server){
		.name = conf->name ? conf->name : "http",
		.log = conf->log,
		.registry = conf->registry,
		.keys = conf->keys,
		.apis = conf->apis,
		.apis_n = conf->apis_n,
		.not_ready = "starting",
		.cores = cores,
		.cores_n = conf->cores,
	};
	http_server_set_limits(s, conf->head_bytes_max, conf->body_bytes_max);
	return 0;
}

void http_server_done(struct http_server *s)
{
	if (!s)
		return;
	free(s->cores);
	*s = (struct http_server){0};
}

void http_server_set_limits(struct http_server *s, uint64_t head_bytes_max,
			    uint64_t body_bytes_max)
{
	head_bytes_max = sl_min(head_bytes_max, SL_CONN_WINDOW_BYTES);
	__atomic_store_n(&s->head_bytes_max, head_bytes_max, __ATOMIC_RELAXED);
	__atomic_store_n(&s->body_bytes_max, body_bytes_max, __ATOMIC_RELAXED);
}

void http_server_set_ready(struct http_server *s, const char *not_ready)
{
	__atomic_store_n(&s->not_ready, not_ready, __ATOMIC_RELEASE);
}

const char *http_server_date(struct http_server *s, uint32_t core)
{
	struct http_core *c = &s->cores[core];
	int64_t now = sl_now(), wall;

	SL_ASSERT(core < s->cores_n);
	if (now >= c->until) {
		wall = sl_wall_clock_ns();
		/* A clock before 1970 or beyond 9999 is wrong in any case: tell a date. */
		http_date_format(wall > 0 && http_date_can(wall / SL_SEC) ? wall / SL_SEC : 0,
				 c->date);
		c->until = now + SL_SEC - sl_max(wall, (int64_t)0) % SL_SEC;
	}
	return c->date;
}
