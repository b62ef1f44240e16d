/* SPDX-License-Identifier: Apache-2.0 */
/* A flight, for flight.c and flight_fill.c. */
#ifndef APIS_PROXY_FLIGHT_PVT_H
#define APIS_PROXY_FLIGHT_PVT_H

#include <sluice/list.h>

#include "flight.h"

enum flight_state {
	FLIGHT_ASKING, /* nothing final has come */
	FLIGHT_PASSING, /* to the leader alone, by @queued */
	FLIGHT_STORING, /* into @put */
	FLIGHT_COMMITTING, /* all of it came */
	FLIGHT_ENDED, /* from here on it is not found any more */
	FLIGHT_DONE = FLIGHT_ENDED,
	FLIGHT_OTHER, /* FLIGHT_CHANGED */
	FLIGHT_UNSHARED, /* FLIGHT_ALONE, the leader too */
	FLIGHT_FLOP, /* FLIGHT_FAILED */
};

struct interim {
	struct interim *next;
	uint32_t status;
	struct sl_text lines;
};

/* Pieces that wait for the leader, each of at most so many bytes. */
enum { QUEUED_MAX = 4, PIECE_BYTES = 256 << 10 };

/**
 * struct flight - of its home core.
 * @refs: of its fiber and of who reads it. @led: somebody waits for it. @left: he has gone.
 * @forgotten: what it brings is not to be stored.
 * @contended: another could not share it. @passed: it was passed to the leader. @filled: all of the
 * body came, of @bytes bytes, and was or is being stored.
 * @asked: what @base, @host, @path and @lines point into. @old, @old_fields: what is stored.
 * @fields: end-to-end lines of the response, as they are stored or passed.
 * @names, @generation: of Vary. @stored_key: under which it is stored.
 * @interim: heads that came before, the oldest first. @object: what was stored.
 */
struct flight {
	struct sl_list node;
	struct http_proxy *proxy;
	struct sl_core *home;
	uint64_t hash;
	uint32_t refs;
	bool listed, led, left, forgotten, contended, passed, filled, authorized, has_old;
	enum flight_state state;
	int err;
	struct sl_waitq changed;

	enum flight_kind kind;
	struct sl_text key, asked;
	struct http_str base, host, path, lines;
	struct stored old;
	struct sl_text old_fields;
	uint64_t seen, slice;

	uint32_t status;
	uint64_t bytes;
	struct http_caching caching;
	struct sl_text fields, names, stored_key;
	uint64_t generation;
	struct interim *interim;

	struct sl_slice queued[QUEUED_MAX];
	uint32_t queued_n;
	struct cache_put *put;
	struct cache_object *object;
};

/* The fiber of a flight, @arg: from the request to the origin to the outcome. */
void flight_fly(void *arg);

/* Moves on to @state, and wakes who waits for it. */
void flight_news(struct flight *f, enum flight_state state);

/* Its key will not be waited for again, for a while, if others had to go away. */
void flight_mark_alone(struct flight *f);

void flight_unlist(struct flight *f);
void flight_release(struct flight *f);

#endif
