/* SPDX-License-Identifier: Apache-2.0 */
/* A GET that is answered from the cache, or by flights. */
#ifndef APIS_PROXY_GET_H
#define APIS_PROXY_GET_H

#include "flight.h"

/* ---- a GET (get.c) ---------------------------------------------------------------------- */

/* Keys of most requests need no memory of the heap. */
enum { KEY_OWN_BYTES = 512 };

/**
 * struct proxy_get - a GET or HEAD on its way.
 * @base: the key without what Vary adds; @key: of @object or, if there is none, of what was looked
 * for last: it is @base or @selected. @lines, @path, @host: what the origin is told, once it is
 * needed. @validated: under this key lies what was fetched or validated for this request. @object,
 * @stored: what was found. @collapsed: another request's flight brought it. @fwd: why the origin
 * was asked, @fwd_status its answer, @kept: which is stored, or is being.
 */
struct proxy_get {
	struct http_request *rq;
	struct http_response *rs;
	struct http_proxy *proxy;
	struct http_cc cc;
	struct sl_text base, selected, lines, path, host, validated;
	struct http_str key;
	struct cache_object *object;
	struct stored stored;
	bool varies, collapsed, kept;
	enum http_fwd fwd;
	uint32_t fwd_status;
	int64_t deadline;
};

/* What is stored for the request, by what it selects. Return: 0, g->object NULL if nothing is;
 * -errno. */
int proxy_get_look_up(struct proxy_get *g);

/* Lets go of what was found. */
void proxy_get_drop(struct proxy_get *g);

/* Whether what was found is what was fetched or validated for this request. */
bool proxy_get_is_validated(const struct proxy_get *g);

/* @lines, @path and @host are there. Return: 0 or -ENOMEM. */
int proxy_get_lines(struct proxy_get *g);

/* What Cache-Status says so far, at @now_ms. */
struct http_cache_status proxy_get_how(const struct proxy_get *g, int64_t now_ms);

void proxy_get_done(struct proxy_get *g);

/* ---- answers from slices (slices.c) ----------------------------------------------------- */

/*
 * @at: the slice that @object is, or that comes by @flight: held while it is read. @head, @key: of
 * what the get has, and holds: it may be replaced while its slices are fetched.
 */
struct proxy_slices {
	struct proxy_get *get;
	struct stored head;
	struct http_str key;
	struct cache_object *object;
	struct flight_reader *flight;
	uint64_t at;
};

/* The answer, of what is stored in slices. Lets go of the one that is held. Return: 0;
 * -EBADMSG, -ESTALE: it is not what it was; -errno. */
int proxy_answer_slices(struct proxy_slices *s);

#endif
