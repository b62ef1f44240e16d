// SPDX-License-Identifier: Apache-2.0
/*
 * The table of routes.
 *
 * Interface: qdrant.h. Each row of routes.def becomes a function that proto/http calls, and a row
 * of the table. Paths whose last segment is a word stand before those that take any.
 */
#include "qdrant_pvt.h"

#define Q(methods, path, handler, need, flags)                                                     \
	static int serve_##handler(struct http_request *rq, struct http_response *rs,              \
				   int64_t deadline)                                               \
	{                                                                                          \
		return qd_serve(rq, rs, deadline, QD_##need, qd_##handler);                        \
	}
#include "routes.def"

#define Q(methods, path, handler, need, flags)                                                     \
	{HTTP_ON(methods), path, serve_##handler, HTTP_ROUTE_##flags},
#define AGAIN(methods, path, handler, flags) Q(methods, path, handler, , flags)
const struct http_route qdrant_routes[] = {
#include "routes.def"
};
const size_t qdrant_routes_n = SL_ARRAY_SIZE(qdrant_routes);
