/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qdrant: collections of objects by Qdrant's REST API, as its clients speak it. docs/qdrant.md.
 *
 * tools/sluiced makes it a struct http_api whose argument is the store, a struct objects.
 */
#ifndef APIS_QDRANT_QDRANT_H
#define APIS_QDRANT_QDRANT_H

#include "proto/http/route.h"
#include "stores/objects/objects.h"

/* The release whose API this is, as clients that ask for it are told. */
#define QDRANT_VERSION "1.19.0"

extern const struct http_route qdrant_routes[];
extern const size_t qdrant_routes_n;

#endif
