/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights: what is being fetched from the origin for the cache, once for all who wait for it.
 *
 * The home core of a key owns its flight; the calls below may be made on any core, in a fiber.
 */
#ifndef APIS_PROXY_FLIGHT_H
#define APIS_PROXY_FLIGHT_H

#include "proxy_pvt.h"

struct flight_reader;

enum flight_kind {
	FLIGHT_WHOLE, /* the response as a whole */
	FLIGHT_FIRST_SLICE, /* a slice, of what nothing is known yet or is to be validated */
	FLIGHT_SLICE, /* a slice of what is known */
};

/**
 * struct flight_ask - what is wanted.
 * @key: to store it under; @base: the key without what Vary or slices add to it.
 * @host, @path, @lines: of the request; @authorized: with Authorization.
 * @old: what is stored and to be validated; or, for FLIGHT_SLICE, whose slice it is; NULL: nothing.
 * @seen: the version that was found under @key, 0: none. Another one that is there by the time the
 *	flight begins is the answer. @slice: the number of the slice, @slice_bytes: what each has.
 */
struct flight_ask {
	enum flight_kind kind;
	struct http_str key, base, host, path, lines;
	const struct stored *old;
	uint64_t seen, slice, slice_bytes;
	bool authorized;
};

enum flight_news {
	FLIGHT_STORED, /* look it up, under view.key */
	FLIGHT_STREAM, /* its body comes: flight_parts() */
	FLIGHT_INTERIM, /* an interim response came; flight_wait() for what follows */
	FLIGHT_ALONE, /* it cannot be shared: ask for yourself */
	FLIGHT_CHANGED, /* the slice is of another object now, which is not stored any more */
	FLIGHT_FAILED, /* the origin could not be asked: view.err */
};

/**
 * struct flight_view - what came of it; to be given back by flight_view_done().
 * @collapsed: another request's answer. @storing: what is streamed is being stored, and can be had
 *	from any byte on.
 * @status, @fields, @bytes, @caching: of the response; of an interim one the first two.
 * @key: what it was stored under; empty: not known.
 * @sliced: what comes is slice @slice, the first that is had of @head, which is stored under @key
 *	behind it; it points into @fields.
 */
struct flight_view {
	enum flight_news news;
	int err;
	bool collapsed, storing;
	uint32_t status;
	uint64_t bytes;
	struct http_caching caching;
	struct sl_text fields, key;
	bool sliced;
	uint64_t slice;
	struct stored head;
};

void flight_view_done(struct flight_view *v);

int flights_new(struct http_proxy *p);
void flights_free(struct http_proxy *p);

/* Waits until no flight of this core is under way; on each core, when nobody asks any more. */
void flights_stop(struct http_proxy *p, int64_t deadline);

/**
 * flight_join() - begin it, or join one of the same key that is under way, and wait for news.
 * Return: 0, with *ret_reader to be left (NULL: nothing is to be read); or -errno.
 */
int flight_join(struct http_proxy *p, const struct flight_ask *ask,
		struct flight_reader **ret_reader, struct flight_view *ret_view, int64_t deadline);

/* Begins it without waiting, unless it is under way. */
void flight_begin(struct http_proxy *p, const struct flight_ask *ask);

/* The next news, after FLIGHT_INTERIM. */
int flight_wait(struct flight_reader *r, struct flight_view *ret_view, int64_t deadline);

/**
 * flight_parts() - what has come of [@off, @off + @len), waiting for at least one byte. Of a stream
 * that is not stored only the next bytes can be had.
 * Return: parts, each with a reference of this core's; 0: the body ended at @off; -errno: it is
 * cut.
 */
int flight_parts(struct flight_reader *r, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		 uint32_t n, int64_t deadline);

/* What is being stored goes on without readers; what is not, ends. Accepts NULL. */
void flight_leave(struct flight_reader *r);

/* The key of a slice of what is stored under @key. */
void flight_slice_key(struct http_str key, uint64_t generation, uint64_t slice,
		      struct sl_text *ret_key);

/* The key of what a request selects by @names, of Vary. */
void flight_vary_key(struct http_str base, uint64_t generation, struct http_str names,
		     struct http_lines lines, struct sl_text *ret_key);

#endif
