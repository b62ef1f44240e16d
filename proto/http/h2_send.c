/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent on an HTTP/2 connection.
 *
 * Interface: h2_send_*() of h2_pvt.h, and the row of wire.h. Frames are gathered in replies of the
 * connection: what nghttp2 makes is copied there, the content of DATA is the parts themselves, so
 * that an extent goes the way that its size and residency ask for. A part that is longer than a
 * frame leaves in pieces, of which the last has the reference: replies go in order, so it outlives
 * the others; of a stream that is reset in between a reply without bytes keeps it.
 * Invariants: no callback of nghttp2 parks or delivers: they say that there is no room, and
 * h2_send_flush() delivers; few replies are queued, so that who comes late is not behind much.
 *
 * Order of parts: replies; what nghttp2 makes; content; flushing; a stream's parts; heads; the
 * wire.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "h2_pvt.h"

/* ---- replies ---------------------------------------------------------------------------- */

enum {
	REPLY_PARTS = 48,
	REPLY_BYTES = 2300, /* so that all of a reply fits a buf of 4 KiB */
	REPLY_PAYLOAD = 256 << 10,
	FRAME_PARTS = 16, /* the most that one DATA frame consists of */
	QUEUED_MAX = 4,
};

/* Whether there is room for @parts and @bytes of memory in the reply. Return: 0, or as nghttp2. */
static int reserve(struct h2 *h2, uint32_t parts, size_t bytes)
{
	struct sl_reply *r = h2->reply;

	if (!r) {
		r = sl_reply_new(h2->conn, REPLY_PARTS, 0, REPLY_BYTES);
		if (!r)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		h2->reply = r;
		h2->reply_n = 0;
		h2->payload = 0;
	}
	return r->n + parts > REPLY_PARTS || h2->reply_n + bytes > REPLY_BYTES ||
			       h2->payload >= REPLY_PAYLOAD
		       ? NGHTTP2_ERR_WOULDBLOCK
		       : 0;
}

/* Copies behind what was copied last, into the same slice if nothing is between them. */
static void put(struct h2 *h2, const void *data, size_t n)
{
	struct sl_reply *r = h2->reply;
	uint8_t *p = r->bytes + h2->reply_n;
	struct sl_part *last = r->n ? &r->parts[r->n - 1] : NULL;

	memcpy(p, data, n);
	h2->reply_n += n;
	if (last && last->kind == SL_PART_SLICE && last->slice.data + last->slice.len == p)
		last->slice.len += n;
	else
		sl_reply_add(r, sl_part_slice(sl_slice_borrow(p, n)));
}

/* ---- what nghttp2 makes ----------------------------------------------------------------- */

static ssize_t send_frame(nghttp2_session *ng, const uint8_t *data, size_t n, int flags, void *user)
{
	struct h2 *h2 = user;
	int err = reserve(h2, 1, 1);

	if (err)
		return err;
	n = sl_min(n, REPLY_BYTES - h2->reply_n);
	put(h2, data, n);
	return (ssize_t)n;
}

static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	bool ends = (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) &&
		    f->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);

	if (ends && st && !st->in_ended)
		h2_stream_answered(st);
	return 0;
}

/* A head that the library will not send. */
static int on_frame_not_sent(nghttp2_session *ng, const nghttp2_frame *f, int error, void *user)
{
	if (f->hd.type == NGHTTP2_HEADERS)
		nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, f->hd.stream_id,
					  NGHTTP2_INTERNAL_ERROR);
	return 0;
}

/* ---- content ---------------------------------------------------------------------------- */

static struct sl_part *parts_of(const struct h2_out *o)
{
	return (struct sl_part *)o->buf->data;
}

static size_t memory_of(const struct sl_part *p)
{
	return p->kind == SL_PART_SLICE ? p->slice.len : 0;
}

static ssize_t frame_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t conn_window,
			    int32_t stream_window, uint32_t frame_max, void *user)
{
	return sl_min(sl_min(conn_window, stream_window),
		      (int32_t)sl_min(frame_max, (uint32_t)H2_FRAME_BYTES));
}

static ssize_t read_content(nghttp2_session *ng, int32_t id, uint8_t *room, size_t max,
			    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	const struct h2_stream *st = source->ptr;
	const struct h2_out *o = &st->out;
	uint64_t n = 0;

	if (!o->bytes && !o->ended)
		return NGHTTP2_ERR_DEFERRED;
	for (uint32_t i = o->at; i < o->n && i < o->at + FRAME_PARTS; i++)
		n += sl_part_len(&parts_of(o)[i]);
	n = sl_min(n - (o->bytes ? o->off : 0), (uint64_t)max);
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (o->ended && n == o->bytes)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* Moves the next @n bytes, all of them of one part, to the reply. */
static void move_piece(struct h2_stream *st, uint64_t n)
{
	struct h2_out *o = &st->out;
	struct sl_part *p = &parts_of(o)[o->at];
	struct sl_part piece = sl_part_borrow(p, o->off, n);

	if (p->kind == SL_PART_SLICE) {
		o->held -= n;
		st->h2->held -= n;
	}
	o->bytes -= n;
	st->h2->out_bytes -= n;
	o->off += n;
	if (o->off == sl_part_len(p)) {
		piece.borrowed = p->borrowed;
		if (p->kind == SL_PART_SLICE)
			piece.slice.buf = p->slice.buf;
		o->at++;
		o->off = 0;
	}
	sl_reply_add(st->h2->reply, piece);
	st->h2->payload += n;
}

static int send_content(nghttp2_session *ng, nghttp2_frame *f, const uint8_t *head, size_t n,
			nghttp2_data_source *source, void *user)
{
	enum { FRAME_HEAD_BYTES = 9 };
	struct h2_stream *st = source->ptr;
	struct h2_out *o = &st->out;
	struct h2 *h2 = user;
	int err = reserve(h2, 1 + FRAME_PARTS, FRAME_HEAD_BYTES);

	if (err)
		return err;
	if (n && !o->keeper && n < o->bytes) {
		o->keeper = sl_reply_new(h2->conn, 1, 0, 0);
		if (!o->keeper)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	put(h2, head, FRAME_HEAD_BYTES);
	while (n) {
		uint64_t left = sl_part_len(&parts_of(o)[o->at]) - o->off;
		uint64_t step = sl_min(left, (uint64_t)n);

		if (step)
			move_piece(st, step);
		else
			sl_part_release(&parts_of(o)[o->at++]);
		n -= step;
	}
	h2->data_sent = true;
	h2_guard_earn(&h2->guard, H2_GUARD_DATA);
	if (o->bytes <= H2_OUT_BYTES / 2)
		sl_waitq_wake_all(&st->changed, 0);
	return 0;
}

void h2_send_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_send_callback(cb, send_frame);
	nghttp2_session_callbacks_set_send_data_callback(cb, send_content);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, frame_length);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_sent);
}

/* ---- flushing --------------------------------------------------------------------------- */

static int deliver(struct h2 *h2, struct sl_reply *r)
{
	return sl_deliver(r, SL_NEVER);
}

/* Those that keep what was borrowed come behind the borrowers. */
static int deliver_all(struct h2 *h2)
{
	struct sl_reply *r = h2->reply;
	struct sl_list *n;
	int err = 0;

	h2->reply = NULL;
	if (r)
		err = deliver(h2, r);
	while (!err && (n = sl_list_pop(&h2->kept)))
		err = deliver(h2, sl_list_entry(n, struct sl_reply, node));
	return err;
}

int h2_send_flush(struct h2 *h2)
{
	while (sl_conn_queued(h2->conn) < QUEUED_MAX && nghttp2_session_want_write(h2->ng)) {
		int rc = nghttp2_session_send(h2->ng), err;

		if (rc)
			return rc == NGHTTP2_ERR_NOMEM || rc == NGHTTP2_ERR_CALLBACK_FAILURE
				       ? -ENOMEM
				       : -EPROTO;
		if (!h2->reply)
			break; /* the peer's windows are used up */
		err = deliver_all(h2);
		if (err)
			return err;
	}
	return sl_list_empty(&h2->kept) ? 0 : deliver_all(h2);
}

int h2_send_close(struct h2 *h2)
{
	struct sl_reply *r = sl_reply_new(h2->conn, 1, 0, 0);

	if (!r)
		return -ENOMEM;
	r->close = true;
	return deliver(h2, r);
}

void h2_send_done(struct h2 *h2)
{
	struct sl_list *n;

	sl_reply_free(h2->reply);
	h2->reply = NULL;
	while ((n = sl_list_pop(&h2->kept)))
		sl_reply_free(sl_list_entry(n, struct sl_reply, node));
}

/* ---- a stream's parts ------------------------------------------------------------------- */

static int reserve_parts(struct h2_out *o, uint32_t n)
{
	uint32_t left = o->n - o->at;
	struct sl_buf *buf = o->buf;

	if (buf && (o->n + n) * sizeof(struct sl_part) <= buf->bytes)
		return 0;
	if (!buf || (left + n) * sizeof(struct sl_part) > buf->bytes) {
		buf = sl_buf_new((left + n) * sizeof(struct sl_part));
		if (!buf)
			return -ENOMEM;
	}
	if (left)
		memmove(buf->data, parts_of(o) + o->at, left * sizeof(struct sl_part));
	if (buf != o->buf)
		sl_buf_release(o->buf);
	o->buf = buf;
	o->at = 0;
	o->n = left;
	return 0;
}

/* Takes the references of @parts. */
static int add_parts(struct h2_stream *st, struct sl_part *parts, uint32_t n)
{
	struct h2_out *o = &st->out;
	int err = st->closed ? -ECONNRESET : reserve_parts(o, n);

	for (uint32_t i = 0; i < n; i++) {
		if (err) {
			sl_part_release(&parts[i]);
			continue;
		}
		o->bytes += sl_part_len(&parts[i]);
		st->h2->out_bytes += sl_part_len(&parts[i]);
		o->held += memory_of(&parts[i]);
		st->h2->held += memory_of(&parts[i]);
		parts_of(o)[o->n++] = parts[i];
	}
	return err;
}

/* The first part, of which pieces are on their way, is kept until they are gone. */
static void keep_first(struct h2_stream *st)
{
	struct h2_out *o = &st->out;
	struct sl_part *p = &parts_of(o)[o->at];

	if (p->kind == SL_PART_SLICE)
		p->slice.len = 0;
	else
		p->extent.len = 0;
	sl_reply_add(o->keeper, *p);
	sl_list_append(&st->h2->kept, &o->keeper->node);
	o->keeper = NULL;
	o->at++;
}

void h2_send_drop(struct h2_stream *st)
{
	struct h2_out *o = &st->out;

	st->h2->held -= o->held;
	st->h2->out_bytes -= o->bytes;
	if (o->off)
		keep_first(st);
	while (o->at < o->n)
		sl_part_release(&parts_of(o)[o->at++]);
	sl_buf_release(o->buf);
	sl_reply_free(o->keeper);
	*o = (struct h2_out){.ended = true};
}

/* ---- heads ------------------------------------------------------------------------------ */

/* Fields to be sent; names in lower case in @text, numbers in @number. */
struct fields {
	nghttp2_nv *nv;
	size_t n;
	char *text;
	char status[4], length[21];
	char date[HTTP_DATE_BYTES];
};

static void put_field(struct fields *f, const char *name, size_t name_n, const char *value,
		      size_t value_n)
{
	f->nv[f->n++] = (nghttp2_nv){.name = (uint8_t *)name,
				     .value = (uint8_t *)value,
				     .namelen = name_n,
				     .valuelen = value_n};
}

static void put_text(struct fields *f, const char *name, const char *value)
{
	put_field(f, name, strlen(name), value, strlen(value));
}

static size_t lines_of(const char *lines, size_t n)
{
	size_t count = 0;

	for (const char *p = lines; (p = memchr(p, '\n', (size_t)(lines + n - p))); p++)
		count++;
	return count;
}

/* Fields that speak of an HTTP/1.1 connection are another server's that were handed on. */
static bool is_of_connection(struct http_str name)
{
	return http_str_is(name, "connection") || http_str_is(name, "keep-alive") ||
	       http_str_is(name, "proxy-connection") || http_str_is(name, "transfer-encoding") ||
	       http_str_is(name, "upgrade");
}

/* "Name: value\r\n" lines, as a response has them. */
static void put_lines(struct fields *f, const char *lines, size_t n)
{
	const char *p = lines, *end = lines + n;

	memcpy(f->text, lines, n);
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		const char *colon = memchr(p, ':', (size_t)(end - p));
		char *name = f->text + (p - lines);
		size_t name_n = (size_t)(colon - p);

		SL_ASSERT(stop && colon && colon + 2 < stop);
		for (size_t i = 0; i < name_n; i++)
			if (name[i] >= 'A' && name[i] <= 'Z')
				name[i] |= 0x20;
		if (!is_of_connection((struct http_str){name, name_n}))
			put_field(f, name, name_n, name + name_n + 2, (size_t)(stop - colon) - 3);
		p = stop + 1;
	}
}

enum { OWN_FIELDS = 5 };

/* Memory for @lines and as many fields. Return: the buf, or NULL. */
static struct sl_buf *fields_new(struct fields *f, const char *lines, size_t n)
{
	size_t nv_bytes = (OWN_FIELDS + lines_of(lines, n)) * sizeof(nghttp2_nv);
	struct sl_buf *buf = sl_buf_new(nv_bytes + n);

	if (!buf)
		return NULL;
	f->nv = (nghttp2_nv *)buf->data;
	f->n = 0;
	f->text = (char *)buf->data + nv_bytes;
	return buf;
}

static void put_status(struct fields *f, int status)
{
	for (int i = 2; i >= 0; i--, status /= 10)
		f->status[i] = (char)('0' + status % 10);
	put_field(f, ":status", 7, f->status, 3);
}

static void put_own(struct http_request *rq, const struct http_response *rs, struct fields *f,
		    uint64_t bytes)
{
	put_status(f, rs->status);
	if (!rs->forwarded) {
		memcpy(f->date, http_server_date(rq->server, sl_core_id(sl_conn_core(rq->conn))),
		       sizeof(f->date));
		put_text(f, "server", "sluice/" SL_VERSION);
		put_text(f, "date", f->date);
	}
	if (rs->content_type)
		put_text(f, "content-type", rs->content_type);
	if (bytes != HTTP_BYTES_UNKNOWN && !http_status_ends_head(rs->status)) {
		snprintf(f->length, sizeof(f->length), "%llu", (unsigned long long)bytes);
		put_text(f, "content-length", f->length);
	}
}

static int send_head(struct http_request *rq, const struct http_response *rs, uint64_t bytes,
		     bool body)
{
	struct h2_stream *st = rq->stream;
	nghttp2_data_provider content = {.source.ptr = st, .read_callback = read_content};
	struct fields f;
	struct sl_buf *buf;
	int rc;

	if (st->closed)
		return -ECONNRESET;
	buf = fields_new(&f, http_response_extra(rs), rs->extra_n);
	if (!buf)
		return -ENOMEM;
	put_own(rq, rs, &f, bytes);
	put_lines(&f, http_response_extra(rs), rs->extra_n);
	rc = nghttp2_submit_response(st->h2->ng, st->id, f.nv, f.n, body ? &content : NULL);
	sl_buf_release(buf);
	sl_conn_poke(rq->conn);
	return rc ? -ENOMEM : 0;
}

/* ---- the wire --------------------------------------------------------------------------- */

static int put_small(struct h2_stream *st, const struct http_response *rs)
{
	struct sl_part part;
	struct sl_buf *buf;

	if (!rs->small_n)
		return 0;
	buf = sl_buf_new(rs->small_n);
	if (!buf)
		return -ENOMEM;
	memcpy(buf->data, rs->small, rs->small_n);
	part = sl_part_slice((struct sl_slice){.buf = buf, .data = buf->data, .len = rs->small_n});
	return add_parts(st, &part, 1);
}

int h2_send_answer(struct http_request *rq, struct http_response *rs)
{
	struct h2_stream *st = rq->stream;
	uint64_t bytes = http_response_bytes(rs);
	bool body = bytes && rq->method != HTTP_M_HEAD && !http_status_ends_head(rs->status);
	int err = 0;

	if (body) {
		err = put_small(st, rs);
		if (!err) {
			err = add_parts(st, rs->parts, rs->n);
			rs->n = 0;
		}
		st->out.ended = true;
	}
	return err ? err : send_head(rq, rs, bytes, body);
}

static int h2_begin(struct http_request *rq, struct http_response *rs, uint64_t bytes,
		    int64_t deadline)
{
	return send_head(rq, rs, bytes, !rq->out.silent && bytes);
}

static bool must_wait(const struct h2_stream *st)
{
	const struct h2_out *o = &st->out;

	return o->bytes > H2_OUT_BYTES ||
	       (o->held && st->h2->held > sl_conn_memory_max(st->h2->conn));
}

static int h2_send(struct http_request *rq, struct sl_part *parts, uint32_t n, int64_t deadline)
{
	struct h2_stream *st = rq->stream;
	int err = add_parts(st, parts, n);

	if (err)
		return err;
	nghttp2_session_resume_data(st->h2->ng, st->id);
	sl_conn_poke(rq->conn);
	while (!err && must_wait(st))
		err = h2_stream_wait(st, deadline);
	return err;
}

static int h2_finish(struct http_request *rq, int64_t deadline)
{
	struct h2_stream *st = rq->stream;

	if (st->closed)
		return rq->out.silent || !rq->out.left ? 0 : -ECONNRESET;
	st->out.ended = true;
	nghttp2_session_resume_data(st->h2->ng, st->id);
	sl_conn_poke(rq->conn);
	return 0;
}

static int h2_interim(struct http_request *rq, int status, const char *lines, size_t n,
		      int64_t deadline)
{
	struct h2_stream *st = rq->stream;
	struct fields f;
	struct sl_buf *buf;
	int rc;

	if (st->closed)
		return -ECONNRESET;
	buf = fields_new(&f, lines, n);
	if (!buf)
		return -ENOMEM;
	put_status(&f, status);
	put_lines(&f, lines, n);
	rc = nghttp2_submit_headers(st->h2->ng, NGHTTP2_FLAG_NONE, st->id, NULL, f.nv, f.n, NULL);
	sl_buf_release(buf);
	sl_conn_poke(rq->conn);
	return rc < 0 ? -ENOMEM : 0;
}

const struct http_wire http_h2_wire = {
	.read = h2_stream_read,
	.begin = h2_begin,
	.send = h2_send,
	.end = h2_finish,
	.interim = h2_interim,
};
