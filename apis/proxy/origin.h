/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin: the server behind the proxy, asked by HTTP/1.1 over connections that are kept.
 *
 * An exchange belongs to the core that began it, and is one fiber's.
 *
 * Order of parts: the origin; exchanges.
 */
#ifndef APIS_PROXY_ORIGIN_H
#define APIS_PROXY_ORIGIN_H

#include "origin_read.h"

/* ---- the origin ------------------------------------------------------------------------- */

struct origin;

/**
 * struct origin_conf - where it is, and how long it may take.
 * @host, @port: to connect to. @tls: how, for each core, good as long as the origin; NULL: plain.
 * @connect_ns, @first_byte_ns, @between_bytes_ns: for a connection, for the head of the response
 *	once the request was sent, and for each further step. @idle_ns: how long one is kept
 *	unused. @idle_max: how many of them on each core.
 */
struct origin_conf {
	char host[256];
	uint16_t port;
	struct sl_tls *const *tls;
	int64_t connect_ns, first_byte_ns, between_bytes_ns, idle_ns;
	uint32_t idle_max;
};

/* @cores: numbered from 0. Return: 0 or -ENOMEM. */
int origin_new(const struct origin_conf *conf, uint32_t cores, struct origin **ret_origin);

/* After the cores. Accepts NULL. */
void origin_free(struct origin *o);

/* Whoever still waits for the origin at @at does not any more; from any thread. */
void origin_drain(struct origin *o, int64_t at);

/* Closes this core's unused connections; on each core, when nobody asks any more. */
void origin_stop(struct origin *o);

/* ---- exchanges -------------------------------------------------------------------------- */

struct origin_exchange;

/**
 * struct origin_request - one request to send.
 * @head: all of its head, the empty line included; good until the final head was read.
 * @is_head: of method HEAD, whose response has no body. @again: to be sent again, on a new
 *	connection, if a kept one turns out to be closed: the method is idempotent and there is no
 *	body. Without it a new connection is made in any case.
 */
struct origin_request {
	struct http_str head;
	bool is_head, again;
};

/**
 * origin_begin() - connect, or take a kept connection, and send the head.
 * Return: 0; -ETIME; -ECONNREFUSED and the like; the cause is in @why.
 */
int origin_begin(struct origin *o, const struct origin_request *rq,
		 struct origin_exchange **ret_exchange, char *why, size_t why_len,
		 int64_t deadline);

/* The next bytes of the request's body, framed by the caller. Return: 0 or -errno. */
int origin_send(struct origin_exchange *x, struct iovec *iov, int n, int64_t deadline);

/**
 * origin_read_head() - the next head: any number of interim ones (status below 200), then the final
 * one. Return: 0; -EPROTO: it is no HTTP/1.x response whose framing is sure; -ECONNRESET; -ETIME.
 */
int origin_read_head(struct origin_exchange *x, struct origin_head *ret_head, int64_t deadline);

/**
 * origin_read_body() - at least one byte, at most @max (> 0). Return: bytes; 0: the body is whole;
 * -ECONNRESET: it was cut; -EPROTO: its chunks are malformed; -ETIME.
 */
ssize_t origin_read_body(struct origin_exchange *x, void *dst, size_t max, int64_t deadline);

/* Keeps the connection if nothing of the response is left, else closes it. Accepts NULL. */
void origin_end(struct origin_exchange *x);

#endif
