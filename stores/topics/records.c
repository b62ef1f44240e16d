/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records: reading the records of one batch, whatever its codec, in bounded memory.
 *
 * Interface: batch.h. The reader holds a window on the uncompressed bytes: for a batch that is not
 * compressed the batch itself, otherwise a buffer that the decoder fills and that grows to the
 * longest record, but not beyond the caller's limit.
 * Invariant: pos <= len <= cap of the window; nothing outside it is ever looked at.
 *
 * Order of parts: the window; records; headers of records.
 */
#include <errno.h>

#include "codec_pvt.h"
#include "varint_pvt.h"

#define WINDOW_BYTES (16 * SL_KIB)

/* The longest head of a record: length, attributes, time and offset deltas. */
#define HEAD_BYTES_MAX (3 * VARINT_BYTES_MAX + 1)

struct sl_records {
	struct sl_batch batch;
	int32_t left; /* records not yet returned */
	size_t bytes_max;
	bool compressed;
	struct decoder decoder;
	const uint8_t *window; /* the batch, or own */
	uint8_t *own;
	size_t pos, len, cap;
};

/* ---- the window ------------------------------------------------------------------------- */

static int window_grow(struct sl_records *r, size_t cap)
{
	uint8_t *own = realloc(r->own, cap);

	if (!own)
		return -ENOMEM;
	r->own = own;
	r->window = own;
	r->cap = cap;
	return 0;
}

/* Makes @n bytes readable at pos, or as many as there are. Return: 0 or -errno. */
static int window_fill(struct sl_records *r, size_t n)
{
	SL_ASSERT(r->pos <= r->len);
	if (r->len - r->pos >= n || !r->compressed)
		return 0;
	memmove(r->own, r->own + r->pos, r->len - r->pos);
	r->len -= r->pos;
	r->pos = 0;
	while (r->len < n) {
		ssize_t got;

		/* As bytes come, not as a length promises them. */
		if (r->len == r->cap) {
			int rc = window_grow(r, sl_min(n, r->cap * 2));

			if (rc)
				return rc;
		}
		got = decoder_read(&r->decoder, r->own + r->len, r->cap - r->len);
		if (got <= 0)
			return (int)got;
		r->len += (size_t)got;
	}
	return 0;
}

/* Steps over @n bytes. */
static int window_skip(struct sl_records *r, size_t n)
{
	while (n > 0) {
		size_t step;
		int rc = window_fill(r, 1);

		if (rc)
			return rc;
		step = sl_min(n, r->len - r->pos);
		if (step == 0)
			return -EBADMSG;
		r->pos += step;
		n -= step;
	}
	return 0;
}

static struct cursor window_cursor(const struct sl_records *r, size_t max)
{
	const uint8_t *p = r->window + r->pos;

	return (struct cursor){p, p + sl_min(max, r->len - r->pos)};
}

/* ---- records ---------------------------------------------------------------------------- */

static int window_open(struct sl_records *r, const uint8_t *p, size_t len)
{
	enum sl_codec codec = r->batch.attributes & SL_BATCH_CODEC_MASK;
	int rc;

	if (codec == SL_CODEC_NONE) {
		r->window = p;
		r->len = r->cap = len;
		return 0;
	}
	rc = decoder_init(&r->decoder, codec, p, len);
	if (rc)
		return rc;
	r->compressed = true;
	return window_grow(r, WINDOW_BYTES);
}

int sl_records_open(const void *p, size_t len, size_t bytes_max, struct sl_records **ret_records)
{
	const uint8_t *bytes = p;
	struct sl_records *r;
	struct sl_frame frame;
	int rc;

	if (len < SL_BATCH_HEADER_BYTES || sl_batch_kind.frame(p, &frame) || frame.bytes != len)
		return -EBADMSG;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	sl_batch_load(p, &r->batch);
	r->left = r->batch.records;
	r->bytes_max = bytes_max;
	rc = window_open(r, bytes + SL_BATCH_HEADER_BYTES, len - SL_BATCH_HEADER_BYTES);
	if (rc) {
		sl_records_close(r);
		return rc;
	}
	*ret_records = r;
	return 0;
}

void sl_records_close(struct sl_records *r)
{
	if (!r)
		return;
	if (r->compressed)
		decoder_done(&r->decoder);
	free(r->own);
	free(r);
}

/* After the last record there must be nothing. */
static int records_end(struct sl_records *r)
{
	int rc = window_fill(r, 1);

	if (rc)
		return rc;
	return r->pos == r->len ? 0 : -EBADMSG;
}

/* Takes the length of the next record. */
static int record_length(struct sl_records *r, size_t *ret_len)
{
	struct cursor c;
	int64_t n;
	int rc = window_fill(r, HEAD_BYTES_MAX);

	if (rc)
		return rc;
	c = window_cursor(r, HEAD_BYTES_MAX);
	if (!varint_get(&c, &n) || n < 0 || n > INT32_MAX)
		return -EBADMSG;
	r->pos = (size_t)(c.p - r->window);
	*ret_len = (size_t)n;
	return 0;
}

/* Attributes, time and offset. */
static bool record_head(const struct sl_records *r, struct cursor *c, struct sl_record *ret_record)
{
	const struct sl_batch *b = &r->batch;
	int64_t time, offset;

	if (cursor_left(c) < 1)
		return false;
	c->p++;
	if (!varint_get(c, &time) || !varint_get(c, &offset) || offset < 0 ||
	    offset > b->last_delta)
		return false;
	ret_record->offset = b->base_offset + offset;
	ret_record->time_ms = b->attributes & SL_BATCH_APPEND_TIME
				      ? b->time_max
				      : (int64_t)((uint64_t)b->time_first + (uint64_t)time);
	return true;
}

static bool record_body(struct cursor *c, struct sl_record *ret_record)
{
	int64_t headers;

	if (!varint_get_bytes(c, &ret_record->key, &ret_record->key_bytes) ||
	    !varint_get_bytes(c, &ret_record->value, &ret_record->value_bytes) ||
	    !varint_get(c, &headers) || headers < 0 || headers > (int64_t)cursor_left(c))
		return false;
	ret_record->headers = c->p;
	ret_record->headers_bytes = cursor_left(c);
	ret_record->headers_n = (uint32_t)headers;
	return true;
}

int sl_records_next(struct sl_records *r, struct sl_record *ret_record)
{
	struct sl_record rec = {0};
	struct cursor c;
	size_t len = 0;
	int rc;

	if (r->left == 0)
		return records_end(r);
	rc = record_length(r, &len);
	if (rc)
		return rc;
	if (len > r->bytes_max)
		return -E2BIG;
	rc = window_fill(r, len);
	if (rc)
		return rc;
	c = window_cursor(r, len);
	if (cursor_left(&c) < len || !record_head(r, &c, &rec) || !record_body(&c, &rec))
		return -EBADMSG;
	r->pos += len;
	r->left--;
	*ret_record = rec;
	return 1;
}

int sl_records_next_time(struct sl_records *r, struct sl_record *ret_record)
{
	struct sl_record rec = {0};
	struct cursor c;
	size_t len = 0;
	int rc;

	if (r->left == 0)
		return records_end(r);
	rc = record_length(r, &len);
	if (rc)
		return rc;
	rc = window_fill(r, sl_min(len, (size_t)HEAD_BYTES_MAX));
	if (rc)
		return rc;
	c = window_cursor(r, len);
	if (!record_head(r, &c, &rec))
		return -EBADMSG;
	rc = window_skip(r, len);
	if (rc)
		return rc;
	r->left--;
	*ret_record = rec;
	return 1;
}

/* ---- headers of records ----------------------------------------------------------------- */

int sl_record_header_next(struct sl_record *record, struct sl_record_header *ret_header)
{
	struct cursor c = {record->headers, record->headers + record->headers_bytes};
	struct sl_record_header h;

	if (record->headers_n == 0)
		return record->headers_bytes == 0 ? 0 : -EBADMSG;
	if (!varint_get_bytes(&c, &h.key, &h.key_bytes) || !h.key ||
	    !varint_get_bytes(&c, &h.value, &h.value_bytes))
		return -EBADMSG;
	record->headers = c.p;
	record->headers_bytes = cursor_left(&c);
	record->headers_n--;
	*ret_header = h;
	return 1;
}
