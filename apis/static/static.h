/* SPDX-License-Identifier: Apache-2.0 */
/* Static files by HTTP: GET and HEAD of what lies below a folder. */
#ifndef APIS_STATIC_STATIC_H
#define APIS_STATIC_STATIC_H

#include "proto/http/route.h"

struct sl_static;

/**
 * struct http_static - what the table's handlers work on: the arg of its struct http_api.
 * @files: the engine's. @index: the name that a folder's own path means. @max_age_s: an atomic.
 */
struct http_static {
	struct sl_static *files;
	uint64_t max_age_s;
	char index[256];
};

/* @files: outlives @s. @index: at most 255 bytes. @max_age_s: static.max_age, 0: off. */
void http_static_init(struct http_static *s, struct sl_static *files, const char *index,
		      uint64_t max_age_s);

/* A new static.max_age, after a reload. Any thread. */
void http_static_set_max_age(struct http_static *s, uint64_t max_age_s);

extern const struct http_route http_static_routes[];
extern const size_t http_static_routes_n;

#endif
