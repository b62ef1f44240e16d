/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nghttp2 tells of frames that came.
 *
 * Interface: h2_recv_callbacks(). Heads and bodies go to their streams; what is answered by the
 * library alone, or brings nothing, is paid for by the guard. A stream whose request is malformed
 * is reset by the library, and its handler never begun.
 *
 * Order of parts: floods; heads; bodies; ends; the table.
 */
#include <errno.h>

#include "h2_pvt.h"

/* ---- floods ----------------------------------------------------------------------------- */

static void spend(struct h2 *h2, int64_t n)
{
	if (!h2_guard_spend(&h2->guard, n, sl_now()))
		h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- heads ------------------------------------------------------------------------------ */

static bool is_request(const nghttp2_frame *f)
{
	return f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/*
 * A stream that was skipped, and is begun after a later one. The library lets it pass, since it
 * does not know it from one that this side reset and the peer has not yet heard of.
 */
static bool is_late(struct h2 *h2, int32_t id)
{
	int32_t behind = (h2->last_id - id) / 2;

	if (id > h2->last_id) {
		behind = -behind;
		h2->seen = behind < 64 ? h2->seen << behind | 1 : 1;
		h2->last_id = id;
		return false;
	}
	return behind < 64 && !(h2->seen >> behind & 1);
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
	if (hd->type == NGHTTP2_HEADERS && hd->stream_id % 2 && is_late(user, hd->stream_id))
		h2_end(user, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *st;

	h2->in_head = true;
	h2->head_fed = 0;
	h2->head_at = sl_conn_read_deadline(h2->conn);
	if (!is_request(f))
		return 0;
	st = h2_stream_new(h2, f->hd.stream_id);
	if (!st)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(ng, f->hd.stream_id, st);
	return 0;
}

/* Trailers bring nothing that a handler would ask for. */
static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
		     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);

	if (!st || !is_request(f))
		return 0;
	return h2_head_add(&st->head, name, name_n, value, value_n)
		       ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
		       : 0;
}

/* The library would leave such a field out and go on: what remains is not what was sent. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
			     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
			     void *user)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void on_headers(struct h2 *h2, struct h2_stream *st, const nghttp2_frame *f)
{
	h2->in_head = false;
	h2->head_at = SL_NEVER;
	if (!st)
		return;
	if (is_request(f))
		sl_list_append(&h2->waiting, &st->wait);
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		h2_stream_receive_end(st);
}

/* ---- bodies ----------------------------------------------------------------------------- */

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t n, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

	h2_guard_earn(&h2->guard, H2_GUARD_DATA);
	if (!st)
		return nghttp2_session_consume_connection(ng, n) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
	if (!h2_stream_receive(st, data, n))
		return 0;
	nghttp2_session_consume_connection(ng, n);
	nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
	return 0;
}

static void on_data(struct h2 *h2, struct h2_stream *st, const nghttp2_frame *f)
{
	bool last = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (!last)
		spend(h2, 1); /* which on_data_chunk() gave back, if there was anything */
	if (last && st)
		h2_stream_receive_end(st);
}

/* ---- ends ------------------------------------------------------------------------------- */

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *st =
		f->hd.stream_id ? nghttp2_session_get_stream_user_data(ng, f->hd.stream_id) : NULL;

	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(h2, st, f);
		break;
	case NGHTTP2_DATA:
		on_data(h2, st, f);
		break;
	case NGHTTP2_RST_STREAM:
		spend(h2, H2_GUARD_RESET);
		break;
	case NGHTTP2_PING:
		h2->pinged |= f->hd.flags & NGHTTP2_FLAG_ACK;
		spend(h2, 1);
		break;
	default:
		spend(h2, 1);
	}
	return 0;
}

/* A frame that the library answers by resetting its stream. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *f, int error, void *user)
{
	spend(user, H2_GUARD_RESET);
	return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

	if (!st)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (!error)
		h2_guard_earn(&h2->guard, H2_GUARD_REQUEST);
	h2_stream_close(st);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------- */

void h2_recv_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
}
