/* SPDX-License-Identifier: Apache-2.0 */
/* A flight, for flight.c and flight_fill.c. */
#ifndef APIS_PROXY_FLIGHT_PVT_H
#define APIS_PROXY_FLIGHT_PVT_H

#include <sluice/list.h>

#include "flight.h"

enum flight_state {
	FLIGHT_ASKING, /* nothing final has come */
	FLIGHT_PASSING, /* by @queued, what comes is not stored */
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

/* Pieces that wait for their readers, each of at most so many bytes. */
enum { QUEUED_MAX = 4, PIECE_BYTES = 256 << 10 };

/* struct flight_reader - who waits for news or reads. @at: it has what lies before. */
struct flight_reader {
	struct flight *f;
	struct sl_list node;
	uint64_t at;
};

/**
 * struct flight - of its home core.
 * @refs: of its fiber and of who reads it. @led: somebody waits for it.
 * @forgotten: what it brings is not to be stored.
 * @contended: another could not share it. @passed: it was passed to the leader. @filled: all of the
 * body came, of @bytes bytes. @refused: the cache could not take it.
 * @asked: what @base, @host, @path and @lines point into. @old, @old_fields: what is stored.
 * @fields: end-to-end lines of the response, as they are stored or passed.
 * @names, @generation: of Vary. @stored_key: under which it is stored.
 * @whole: of the object whose first slice this is; 0: it is none. @slices: leads to its slices.
 * @interim: heads that came before, the oldest first.
 * @kept: the first @kept_bytes of the body, once @put is not there any more. @queued: what came
 * behind them and was not stored, from @queued_at to @came.
 */
struct flight {
	struct sl_list node;
	struct http_proxy *proxy;
	struct sl_core *home;
	uint64_t hash;
	uint32_t refs;
	bool listed, led, forgotten, refused, contended, passed, filled;
	bool authorized, has_old;
	enum flight_state state;
	int err;
	struct sl_waitq changed;
	struct sl_list readers;

	enum flight_kind kind;
	struct sl_text key, asked;
	struct http_str base, host, path, lines;
	struct stored old;
	struct sl_text old_fields;
	uint64_t seen, slice, slice_bytes;

	uint32_t status;
	uint64_t bytes;
	struct http_caching caching;
	struct sl_text fields, names, stored_key;
	uint64_t generation, whole, slices;
	struct interim *interim;

	struct cache_put *put;
	struct sl_part kept[CACHE_PARTS_MAX];
	struct sl_slice queued[QUEUED_MAX];
	uint32_t kept_n, queued_n;
	uint64_t kept_bytes, queued_at, came;
};

/* The fiber of a flight, @arg: from the request to the origin to the outcome. */
void flight_fly(void *arg);

/* Moves on to @state, and wakes who waits for it. */
void flight_news(struct flight *f, enum flight_state state);

/* What leads to all slices of the object whose first one comes; points into @f. */
struct stored flight_slices_head(const struct flight *f);

/* Keeps what came so far readable when @f->put ends; @f->put is NULL then. */
void flight_keep(struct flight *f);

/**
 * flight_queue() - the rest of the body, from what is kept on, for who reads it by now; as fast as
 * the slowest of them.
 * Return: 0: @f->filled; -EPIPE: nobody reads it any more; -errno.
 */
int flight_queue(struct flight *f, struct origin_exchange *x);

/* Drops what is kept and queued. */
void flight_drop(struct flight *f);

/* Its key will not be waited for again, for a while, if others had to go away. */
void flight_mark_alone(struct flight *f);

void flight_unlist(struct flight *f);
void flight_release(struct flight *f);

#endif
