/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP, inside. What answers a request or fails returns 1 where the response is made:
 * it is the answer.
 *
 * Order of parts: keys, what went wrong, what is found, conditions (find.c); handlers (get.c,
 * put.c).
 */
#ifndef APIS_CACHE_CACHE_PVT_H
#define APIS_CACHE_CACHE_PVT_H

#include <errno.h>
#include <string.h>

#include "cache.h"
#include "meta.h"
#include "stores/cache/cache.h"

/* ---- keys ------------------------------------------------------------------------------- */

/* Of this interface, and of the proxy's: no name of one is ever one of the other. */
#define SPACE "k:"
#define SPACE_PROXY "p:"
enum { SPACE_BYTES = sizeof(SPACE) - 1 };
_Static_assert(sizeof(SPACE) == sizeof(SPACE_PROXY), "spaces differ by their letter");

/* A key or a tag, percent-decoded, behind its space. */
struct http_cache_name {
	size_t n;
	char bytes[CACHE_KEY_BYTES_MAX];
};

static inline struct cache_key http_cache_key(const struct http_cache_name *name)
{
	return (struct cache_key){name->bytes, name->n};
}

/* @encoded: percent-encoded. Return: 0; -EINVAL; -EMSGSIZE. */
int http_cache_name(const char *space, struct http_str encoded, struct http_cache_name *ret_name);

/* ---- what went wrong -------------------------------------------------------------------- */

/* Return: 1: @rs is the answer. */
int http_cache_answered(struct http_response *rs, int status, const char *text);

/* What the engine could not do, but for what everybody's errno says (errmap.c). */
int http_cache_failed(struct http_response *rs, int err);

/* 1 and 0 are the same to who called the handler. */
static inline int http_cache_outcome(int res)
{
	return res < 0 ? res : 0;
}

/* Return: 0; 1: answered: there is none. */
int http_cache_find(const struct http_request *rq, struct http_response *rs,
		    struct cache **ret_cache);

/* The cache and the key that the path names. Return: 0; 1: answered; -errno. */
int http_cache_find_key(const struct http_request *rq, struct http_response *rs,
			struct cache **ret_cache, struct http_cache_name *ret_name);

/* ---- what is found ---------------------------------------------------------------------- */

enum { ETAG_ROOM = HTTP_KEPT_ETAG_BYTES + 1 };

/* @kept: spans of the object's memory. @v: its etag points into @etag. */
struct http_cache_found {
	struct cache_object *o;
	struct http_str kept[HTTP_KEPT_LAST];
	struct http_validators v;
	char etag[ETAG_ROOM];
};

/* The storer's own, or one that no other version has. */
void http_cache_etag(struct http_str own, uint64_t version, char ret_etag[ETAG_ROOM]);

/* Return: 0, with an object to be released; -ENOENT; -errno. */
int http_cache_look_up(struct cache *c, const struct http_cache_name *name,
		       struct http_cache_found *ret_f, int64_t deadline);

/* ---- conditions ------------------------------------------------------------------------- */

bool http_cache_has_condition(const struct http_request *rq);

/*
 * Whether what is stored now lets @rq write. Return: 0, with *ret_there; 1: answered; -errno.
 */
int http_cache_may_write(struct http_request *rq, struct http_response *rs, struct cache *c,
			 const struct http_cache_name *name, bool *ret_there, int64_t deadline);

/* ---- handlers --------------------------------------------------------------------------- */

int http_cache_get(struct http_request *rq, struct http_response *rs, int64_t deadline);
int http_cache_put(struct http_request *rq, struct http_response *rs, int64_t deadline);

#endif
