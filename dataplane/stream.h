/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: connections that this side opens, plain or by TLS, as straight-line calls on a fiber.
 *
 * A stream belongs to the core on which it was opened. One fiber may read it while another one
 * writes.
 */
#ifndef DATAPLANE_STREAM_H
#define DATAPLANE_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "fiber.h"

struct sl_stream;
struct sl_tls;

/**
 * struct sl_stream_conf - whom to connect to; copied by nobody, read during the call only.
 * @host: a name, or an address as text. @port: of TCP.
 * @tls: how to encrypt (sl_tls_client_new()); NULL: not at all.
 * @server_name: whom the peer's certificate must name, and what it is asked for; NULL: @host.
 * @alpn: protocols to offer, "h2,http/1.1"; NULL: none.
 */
struct sl_stream_conf {
	const char *host;
	uint16_t port;
	struct sl_tls *tls;
	const char *server_name;
	const char *alpn;
};

/**
 * sl_stream_connect() - open a connection: the host's addresses are tried one after the other, each
 * with its share of the time that is left.
 * Return: 0; -ETIME; -ECONNREFUSED and the like, of the last address tried; as sl_resolve(). The
 *	cause and its cure are in @why.
 */
int sl_stream_connect(const struct sl_stream_conf *conf, struct sl_stream **ret_stream, char *why,
		      size_t why_len, int64_t deadline);

/**
 * sl_stream_read() - at least one byte, at most @max (> 0), as much as is there.
 * Return: how many; 0: the peer ended in order (by TLS: said so; a mere cut is -ECONNRESET);
 *	-ETIME; -errno. After an error the stream can only be closed, but for -ETIME.
 */
ssize_t sl_stream_read(struct sl_stream *s, void *dst, size_t max, int64_t deadline);

/* Writes all of @iov, which is used up. Return: 0, -ETIME or -errno: then some may be written. */
int sl_stream_writev_all(struct sl_stream *s, struct iovec *iov, int n, int64_t deadline);

/* The peer said nothing since its last answer, and did not end: fit for a pool. Never parks. */
bool sl_stream_reusable(struct sl_stream *s);

/* Never parks; not while a fiber reads or writes. Accepts NULL. */
void sl_stream_close(struct sl_stream *s);

#endif
