/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an HTTP/2 connection, for h2*.c.
 *
 * The fiber in serve() alone reads, sends and ends the connection; each request has a fiber of its
 * own for its handler. All are of one core, and nothing that nghttp2 calls parks, so that between
 * two parking calls each of them sees the session whole.
 *
 * Order of parts: a connection; a stream; h2_recv.c; h2_stream.c; h2_send.c.
 */
#ifndef PROTO_HTTP_H2_PVT_H
#define PROTO_HTTP_H2_PVT_H

#include <nghttp2/nghttp2.h>

#include "h2_guard.h"
#include "h2_head.h"
#include "wire.h"

enum {
	H2_STREAMS_MAX = 128, /* told to the peer; handlers that run at once */
	H2_STREAM_WINDOW = 256 << 10, /* of a request's body, received and not read */
	H2_CONN_WINDOW = 1 << 20, /* of all of them */
	H2_OUT_BYTES = 256 << 10, /* of a response in pieces, queued before its handler waits */
	H2_FRAME_BYTES = 64 << 10, /* the longest DATA frame sent to a peer that allows it */
	H2_HEAD_BYTES_MAX = 256 << 10, /* the longest response head */
};

/* ---- a connection ----------------------------------------------------------------------- */

/**
 * struct h2 - in the frame of serve().
 * @peer: for the access log.
 * @streams: all; @waiting: those whose handler is not begun yet. @fibers: handlers that run; @gone
 * is woken when the last of them ends.
 * @out_bytes: of responses, not yet in frames.
 * @held: memory that requests' bodies and responses keep here, which bounds how many are begun.
 * @reply: frames on their way, of which the last slice ends at @reply_end; @payload: of DATA in it.
 * @kept: replies that do nothing but keep what earlier ones borrowed.
 * @last_id: the highest that the peer began; @seen: bit n: also the n-th odd one below.
 * @head_fed: bytes that came since a header block began; @in_head: it has not ended.
 * @head_at, @idle_at, @stuck_at, @drain_at, @answered_at: when patience ends.
 */
struct h2 {
	struct sl_conn *conn;
	struct http_server *server;
	const char *peer;
	nghttp2_session *ng;
	struct sl_list streams, waiting;
	uint32_t fibers;
	struct sl_waitq gone;
	size_t held;
	uint64_t out_bytes;
	struct h2_guard guard;

	struct sl_reply *reply;
	size_t reply_n;
	uint64_t payload;
	struct sl_list kept;
	bool data_sent;

	int32_t last_id;
	uint64_t seen;
	bool in_head, pinged, ended;
	uint64_t head_fed;
	int64_t head_at, idle_at, stuck_at, drain_at, answered_at;
	enum { H2_SERVES, H2_SAYS_SO, H2_DRAINS } drain;
};

/* The peer is told why, and the connection ends. */
void h2_end(struct h2 *h2, uint32_t error);

/* ---- a stream --------------------------------------------------------------------------- */

/**
 * struct h2_out - parts to be sent, of which the first was sent up to @off.
 * @bytes: of all; @held: the memory among them. @ended: nothing comes behind.
 * @keeper: once a part is sent in pieces: a reply for its reference, should the stream be reset.
 */
struct h2_out {
	struct sl_buf *buf;
	uint32_t at, n;
	uint64_t off, bytes;
	size_t held;
	bool ended;
	struct sl_reply *keeper;
};

/**
 * struct h2_stream - in a buf of its own, until its handler and nghttp2 are both done with it.
 * @in, @in_off, @in_n: the request's body, received and not read; @in_ended: all of it has come.
 * @dropping: nobody will read the rest.
 * @dropped: bytes of that. @answered_at: when the peer must have ended its body by then.
 * @running: its handler has a fiber. @closed: it is nghttp2's no more. @changed: wakes the handler.
 */
struct h2_stream {
	struct sl_buf *buf;
	struct sl_list node, wait;
	struct h2 *h2;
	int32_t id;
	bool running, closed, in_ended, dropping;
	struct h2_head head;
	struct sl_buf *in;
	uint32_t in_off, in_n;
	uint64_t dropped;
	int64_t answered_at;
	struct h2_out out;
	struct sl_waitq changed;
};

/* ---- h2_recv.c -------------------------------------------------------------------------- */

void h2_recv_callbacks(nghttp2_session_callbacks *cb);

/* ---- h2_stream.c ------------------------------------------------------------------------ */

struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id);

/* nghttp2, or the connection, is done with it. May free it. */
void h2_stream_close(struct h2_stream *st);

/* Begins handlers that wait, as far as memory allows. */
void h2_stream_start(struct h2 *h2);

/* Bytes of its request's body came. Return: 0, or -ENOMEM. */
int h2_stream_receive(struct h2_stream *st, const uint8_t *data, size_t n);

/* The request's body is whole. */
void h2_stream_receive_end(struct h2_stream *st);

/* Its response has been sent, and the request's body has not ended. */
void h2_stream_answered(struct h2_stream *st);

/* Resets those of which that has been so for too long. */
void h2_stream_call_off(struct h2 *h2);

/* http_body_read() of HTTP/2. */
ssize_t h2_stream_read(struct http_request *rq, void *dst, size_t max, int64_t deadline);

/* Parks its handler until something changed. Return: 0; -ETIME; -ECONNRESET: it is closed. */
int h2_stream_wait(struct h2_stream *st, int64_t deadline);

/* ---- h2_send.c -------------------------------------------------------------------------- */

void h2_send_callbacks(nghttp2_session_callbacks *cb);

/* Hands frames to the connection as far as it takes them. Return: 0, or -errno. */
int h2_send_flush(struct h2 *h2);

/* Sends the last reply, with which the connection ends. Return: 0, or -errno. */
int h2_send_close(struct h2 *h2);

/* Drops what @st has to send. */
void h2_send_drop(struct h2_stream *st);

/* Drops what was not delivered. */
void h2_send_done(struct h2 *h2);

/* The whole of @rs; takes its parts. Return: 0, or -errno. */
int h2_send_answer(struct http_request *rq, struct http_response *rs);

extern const struct http_wire http_h2_wire;

#endif
