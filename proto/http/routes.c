/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's own pages: their table, and the handlers of metrics and health.
 *
 * Interface: http_routes in route.h.
 * Order of parts: metrics; health; the table.
 */
#include <errno.h>
#include <string.h>

#include "route.h"
#include "status.h"

/* ---- metrics ---------------------------------------------------------------------------- */

static int get_metrics(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_text text = {0};
	int err = sl_metrics_render(rq->server->registry, &text);

	if (!err)
		err = http_response_body(rs, SL_METRICS_CONTENT_TYPE, text.data, text.len);
	sl_text_done(&text);
	return err;
}

/* ---- health ----------------------------------------------------------------------------- */

static int say_ok(struct http_response *rs)
{
	return http_response_body(rs, "text/plain; charset=utf-8", "ok\n", 3);
}

/* Whoever can answer is alive. */
static int get_healthz(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return say_ok(rs);
}

static int get_readyz(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	const char *not_ready = __atomic_load_n(&rq->server->not_ready, __ATOMIC_ACQUIRE);

	if (!not_ready)
		return say_ok(rs);
	http_response_error(rs, 503, not_ready);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------- */

const struct http_route http_routes[] = {
	{HTTP_ON(GET), "/", http_status_get, HTTP_ROUTE_OPEN},
	{HTTP_ON(GET), "/status/{}", http_status_file_get, HTTP_ROUTE_OPEN},
	{HTTP_ON(GET), "/metrics", get_metrics, HTTP_ROUTE_NO_STORE},
	{HTTP_ON(GET), "/healthz", get_healthz, HTTP_ROUTE_NO_STORE | HTTP_ROUTE_OPEN},
	{HTTP_ON(GET), "/readyz", get_readyz, HTTP_ROUTE_NO_STORE | HTTP_ROUTE_OPEN},
};
const size_t http_routes_n = SL_ARRAY_SIZE(http_routes);
