/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response, read as its bytes come.
 *
 * Interface: origin_read.h. llhttp, strict, reads heads and chunks; what it lets pass and another
 * could read otherwise is refused. Bodies that are not chunked go straight to the reader's memory.
 * Invariants: no byte behind a response is taken for a part of it; a response whose framing is in
 * doubt is refused, for a cache would give the error to everybody.
 *
 * Order of parts: the reader; the parser's callbacks; framing; heads; bodies.
 */
#include "origin_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>


/* ---- the reader ------------------------------------------------------------------------- */

enum { IN_BYTES = 16 << 10 };

enum framing { NONE, KNOWN, CHUNKED, UNTIL_CLOSE };

/**
 * struct origin_reader - @in: bytes that came and are not used up, [@at, @have).
 * @raw: bytes of the head so far. @name, @value: of the field that is being read; @connection: all
 * values of Connection. @codings, @lengths: how often those fields came.
 * @whole: the head has ended. @done: the body, too. @out, @out_n: where chunks' content goes.
 * @fed, @got: bytes of chunks, and of content among them.
 */
struct origin_reader {
	origin_read_fn *read;
	void *arg;
	llhttp_t parser;
	struct sl_text name, value, all, connection;
	size_t at, have, raw;
	uint64_t left, fed, got;
	enum framing framing;
	uint32_t codings, lengths;
	bool is_head, begun, whole, done, keep, is_coded;
	uint8_t *out;
	size_t out_n;
	uint8_t in[IN_BYTES];
};

struct origin_reader *origin_reader_new(origin_read_fn *read, void *arg)
{
	struct origin_reader *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, offsetof(struct origin_reader, in));
	r->read = read;
	r->arg = arg;
	return r;
}

void origin_reader_free(struct origin_reader *r)
{
	if (!r)
		return;
	sl_text_done(&r->name);
	sl_text_done(&r->value);
	sl_text_done(&r->all);
	sl_text_done(&r->connection);
	free(r);
}

void origin_head_done(struct origin_head *h)
{
	sl_text_done(&h->fields);
	sl_text_done(&h->dropped);
	*h = (struct origin_head){0};
}

bool origin_reader_begun(const struct origin_reader *r)
{
	return r->begun;
}

bool origin_reader_reusable(const struct origin_reader *r)
{
	return r->whole && r->done && r->keep && r->at == r->have;
}

/* Return: > 0: there are bytes; 0: the peer ended; -errno. */
static ssize_t fill(struct origin_reader *r, int64_t deadline)
{
	ssize_t n;

	if (r->at < r->have)
		return (ssize_t)(r->have - r->at);
	r->at = r->have = 0;
	n = r->read(r->arg, r->in, sizeof(r->in), deadline);
	if (n > 0) {
		r->have = (size_t)n;
		r->begun = true;
	}
	return n;
}

/* ---- the parser's callbacks ------------------------------------------------------------- */

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	struct origin_reader *r = p->data;

	if (!r->whole)
		sl_text_put(&r->name, at, n);
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct origin_reader *r = p->data;

	if (!r->whole)
		sl_text_put(&r->value, at, n);
	return 0;
}

static bool is_sound(struct http_str name, struct http_str value)
{
	for (size_t i = 0; i < name.n; i++)
		if (!http_is_token((uint8_t)name.p[i]))
			return false;
	for (size_t i = 0; i < value.n; i++)
		if (((uint8_t)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return false;
	return name.n > 0;
}

/* A coding that would have to be undone. Of others nothing is known, and nothing is done. */
static bool is_coded(struct http_str codings)
{
	static const char *const known[] = {"gzip",	  "x-gzip", "deflate", "compress",
					    "x-compress", "br",	    "zstd"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(known); i++)
		if (http_list_has(codings, http_str_of(known[i])))
			return true;
	return false;
}

static void note_framing(struct origin_reader *r, struct http_str name, struct http_str value)
{
	if (http_str_is(name, "Transfer-Encoding")) {
		r->codings++;
		r->is_coded |= is_coded(value);
	} else if (http_str_is(name, "Content-Length")) {
		r->lengths++;
	} else if (http_str_is(name, "Connection")) {
		sl_text_put(&r->connection, ",", r->connection.len ? 1 : 0);
		sl_text_put(&r->connection, value.p, value.n);
	}
}

static int on_value_complete(llhttp_t *p)
{
	struct origin_reader *r = p->data;
	struct http_str name = {r->name.data, r->name.len};
	struct http_str value = {r->value.data, r->value.len};

	if (r->whole)
		return 0;
	if (r->name.err || r->value.err || !is_sound(name, value))
		return HPE_USER;
	note_framing(r, name, value);
	if (!http_str_is(name, "Content-Length"))
		http_lines_put(&r->all, name, value);
	r->name.len = r->value.len = 0;
	return 0;
}

static int on_head_complete(llhttp_t *p)
{
	struct origin_reader *r = p->data;

	r->whole = true;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct origin_reader *r = p->data;

	memcpy(r->out + r->out_n, at, n);
	r->out_n += n;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	struct origin_reader *r = p->data;

	r->done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_head_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

static void start_message(struct origin_reader *r)
{
	llhttp_init(&r->parser, HTTP_RESPONSE, &settings);
	r->parser.data = r;
	r->name.len = r->value.len = r->all.len = r->connection.len = 0;
	r->name.err = r->value.err = r->all.err = r->connection.err = 0;
	r->raw = 0;
	r->codings = r->lengths = 0;
	r->left = r->fed = r->got = 0;
	r->framing = NONE;
	r->whole = r->done = r->keep = r->is_coded = false;
}

void origin_reader_start(struct origin_reader *r, bool is_head)
{
	start_message(r);
	r->is_head = is_head;
	r->begun = r->at < r->have;
}

/* ---- framing ---------------------------------------------------------------------------- */

/* RFC 9112, 6.3; what it lets a recipient guess is refused. */
static int find_framing(struct origin_reader *r, uint32_t status, uint64_t *ret_bytes)
{
	bool chunked = r->parser.flags & F_CHUNKED;

	*ret_bytes = UINT64_MAX;
	if (r->codings > 1 || r->lengths > 1 || (r->codings && r->lengths) || r->is_coded)
		return -EPROTO;
	if (r->codings && !r->parser.http_minor)
		return -EPROTO;
	if (r->lengths)
		*ret_bytes = r->parser.content_length;
	if (r->is_head || status < 200 || status == 204 || status == 304)
		r->framing = NONE;
	else if (chunked)
		r->framing = CHUNKED;
	else if (r->lengths)
		r->framing = KNOWN;
	else
		r->framing = UNTIL_CLOSE;
	r->left = r->framing == KNOWN ? *ret_bytes : 0;
	r->done = r->framing == NONE || (r->framing == KNOWN && !r->left);
	r->keep = r->framing != UNTIL_CLOSE && !(r->parser.flags & F_CONNECTION_CLOSE) &&
		  (r->parser.http_minor || r->parser.flags & F_CONNECTION_KEEP_ALIVE);
	return 0;
}

/* ---- heads ------------------------------------------------------------------------------ */

static int parse_head(struct origin_reader *r, int64_t deadline)
{
	while (!r->whole) {
		ssize_t n = fill(r, deadline);
		const char *p = (const char *)r->in + r->at;
		llhttp_errno_t err;

		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		err = llhttp_execute(&r->parser, p, (size_t)n);
		if (err == HPE_PAUSED && r->whole)
			n = llhttp_get_error_pos(&r->parser) - p;
		else if (err != HPE_OK)
			return -EPROTO;
		r->at += (size_t)n;
		r->raw += (size_t)n;
		if (r->raw > ORIGIN_HEAD_BYTES_MAX)
			return -EPROTO;
	}
	return 0;
}

/* What is for everybody. */
static void pass_on(const struct origin_reader *r, struct origin_head *h)
{
	struct http_lines left = http_lines_of(&r->all);
	struct http_str connection = {r->connection.data, r->connection.len};
	struct http_line line;

	while (http_lines_next(&left, &line))
		if (!http_field_is_hop(line.name, connection))
			sl_text_put(&h->fields, line.text.p, line.text.n);
	sl_text_put(&h->dropped, connection.p, connection.n);
}

int origin_reader_head(struct origin_reader *r, struct origin_head *ret_head, int64_t deadline)
{
	struct origin_head h = {0};
	int err;

	if (r->whole)
		start_message(r); /* an interim head went before */
	err = parse_head(r, deadline);
	if (err)
		return err;
	h.status = r->parser.status_code;
	/* 101 was not asked for, and beyond 599 there is nothing. */
	if (r->parser.http_major != 1 || h.status < 100 || h.status == 101 || h.status > 599)
		return -EPROTO;
	err = find_framing(r, h.status, &h.bytes);
	if (err)
		return err;
	pass_on(r, &h);
	err = r->all.err | r->connection.err | h.fields.err | h.dropped.err;
	if (err) {
		origin_head_done(&h);
		return -ENOMEM;
	}
	*ret_head = h;
	return 0;
}

/* ---- bodies ----------------------------------------------------------------------------- */

/* Bytes that are there already, or else straight from where they come. */
static ssize_t read_plain(struct origin_reader *r, void *dst, size_t max, int64_t deadline)
{
	size_t n = sl_min(r->have - r->at, max);

	if (!n)
		return r->read(r->arg, dst, max, deadline);
	memcpy(dst, r->in + r->at, n);
	r->at += n;
	return (ssize_t)n;
}

static ssize_t read_known(struct origin_reader *r, void *dst, size_t max, int64_t deadline)
{
	ssize_t n = read_plain(r, dst, sl_min(r->left, (uint64_t)max), deadline);

	if (n <= 0)
		return n ? n : -ECONNRESET;
	r->left -= (uint64_t)n;
	r->done = !r->left;
	return n;
}

static ssize_t read_until_close(struct origin_reader *r, void *dst, size_t max, int64_t deadline)
{
	ssize_t n = read_plain(r, dst, max, deadline);

	r->done = !n;
	return n;
}

/* Extensions and trailers bring nothing: what a sane sender needs of them, and no more. */
enum { FRAMING_BYTES_FREE = 16 << 10, FRAMING_PER_BYTE = 16 };

static ssize_t read_chunked(struct origin_reader *r, uint8_t *dst, size_t max, int64_t deadline)
{
	r->out = dst;
	r->out_n = 0;
	while (!r->out_n && !r->done) {
		ssize_t n = fill(r, deadline);
		const char *p = (const char *)r->in + r->at;
		llhttp_errno_t err;

		if (n <= 0)
			return n ? n : -ECONNRESET;
		if (llhttp_get_errno(&r->parser) == HPE_PAUSED)
			llhttp_resume(&r->parser);
		r->parser.upgrade = 0;
		n = sl_min(n, (ssize_t)max);
		err = llhttp_execute(&r->parser, p, (size_t)n);
		if (err == HPE_PAUSED && r->done)
			n = llhttp_get_error_pos(&r->parser) - p;
		else if (err != HPE_OK)
			return -EPROTO;
		r->at += (size_t)n;
		r->fed += (uint64_t)n;
		r->got += r->out_n;
		if (r->fed - r->got > FRAMING_BYTES_FREE + r->got * FRAMING_PER_BYTE)
			return -EPROTO;
	}
	return (ssize_t)r->out_n;
}

ssize_t origin_reader_body(struct origin_reader *r, void *dst, size_t max, int64_t deadline)
{
	SL_ASSERT(r->whole && max > 0);
	if (r->done)
		return 0;
	switch (r->framing) {
	case KNOWN:
		return read_known(r, dst, max, deadline);
	case CHUNKED:
		return read_chunked(r, dst, max, deadline);
	default:
		return read_until_close(r, dst, max, deadline);
	}
}
