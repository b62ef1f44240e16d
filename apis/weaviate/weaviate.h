/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weaviate: Weaviate's REST and GraphQL API over stores/objects. docs/weaviate.md says what of it
 * is served.
 *
 * A class is a collection whose name begins with "weaviate:", and whose meta is the class's JSON:
 * what other APIs keep is not seen here.
 */
#ifndef APIS_WEAVIATE_WEAVIATE_H
#define APIS_WEAVIATE_WEAVIATE_H

#include "proto/http/route.h"

/* The argument of the API (struct http_api) is a struct objects, which outlives the server. */
extern const struct http_route weaviate_routes[];
extern const size_t weaviate_routes_n;

#endif
