/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder: making record batches, for tools and tests.
 *
 * Interface: batch.h. Records are encoded as they are added; finishing compresses them, puts the
 * header before them and sums it all up.
 * Invariant: plain holds whole records only, of which batch.records counts all.
 */
#include <errno.h>

#include "codec_pvt.h"
#include "varint_pvt.h"

struct sl_batch_builder {
	struct sl_batch batch;
	uint8_t *plain; /* records, encoded */
	size_t plain_len, plain_cap;
	uint8_t *out; /* the finished batch */
	size_t out_cap;
	bool finished;
};

static int grow(uint8_t **p, size_t *cap, size_t want)
{
	size_t n = sl_max(want, *cap * 2);
	uint8_t *q;

	if (want <= *cap)
		return 0;
	q = realloc(*p, n);
	if (!q)
		return -ENOMEM;
	*p = q;
	*cap = n;
	return 0;
}

static void batch_reset(struct sl_batch_builder *b)
{
	b->batch = (struct sl_batch){
		.magic = 2,
		.epoch = -1,
		.attributes = b->batch.attributes,
		.time_first = -1,
		.time_max = -1,
		.producer_id = -1,
		.producer_epoch = -1,
		.sequence = -1,
	};
	b->plain_len = 0;
	b->finished = false;
}

int sl_batch_builder_new(enum sl_codec codec, struct sl_batch_builder **ret_builder)
{
	struct sl_batch_builder *b;

	if (codec >= SL_CODEC_LAST)
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->batch.attributes = (uint16_t)codec;
	batch_reset(b);
	*ret_builder = b;
	return 0;
}

void sl_batch_builder_free(struct sl_batch_builder *b)
{
	if (!b)
		return;
	free(b->plain);
	free(b->out);
	free(b);
}

static size_t put_bytes(uint8_t *p, const uint8_t *bytes, size_t len)
{
	size_t n = varint_put(p, bytes ? (int64_t)len : -1);

	if (bytes)
		memcpy(p + n, bytes, len);
	return bytes ? n + len : n;
}

static size_t record_bound(const struct sl_record *r, const struct sl_record_header *headers,
			   uint32_t n)
{
	size_t bytes = 6 * VARINT_BYTES_MAX + 1 + r->key_bytes + r->value_bytes;

	for (uint32_t i = 0; i < n; i++)
		bytes += 2 * VARINT_BYTES_MAX + headers[i].key_bytes + headers[i].value_bytes;
	return bytes;
}

static size_t record_put(uint8_t *p, const struct sl_batch *b, const struct sl_record *r,
			 const struct sl_record_header *headers, uint32_t n)
{
	uint8_t *q = p;

	*q++ = 0;
	q += varint_put(q, r->time_ms - b->time_first);
	q += varint_put(q, b->records);
	q += put_bytes(q, r->key, r->key_bytes);
	q += put_bytes(q, r->value, r->value_bytes);
	q += varint_put(q, n);
	for (uint32_t i = 0; i < n; i++) {
		q += put_bytes(q, headers[i].key, headers[i].key_bytes);
		q += put_bytes(q, headers[i].value, headers[i].value_bytes);
	}
	return (size_t)(q - p);
}

int sl_batch_builder_add(struct sl_batch_builder *b, const struct sl_record *record,
			 const struct sl_record_header *headers, uint32_t n)
{
	size_t bound = record_bound(record, headers, n), len, head;
	uint8_t length[VARINT_BYTES_MAX];
	int rc;

	if (b->finished)
		batch_reset(b);
	rc = grow(&b->plain, &b->plain_cap, b->plain_len + bound);
	if (rc)
		return rc;
	if (b->batch.records == 0)
		b->batch.time_first = record->time_ms;
	b->batch.time_max = sl_max(b->batch.time_max, record->time_ms);
	/* The length comes first and is known last: leave room for the longest, then close up. */
	len = record_put(b->plain + b->plain_len + VARINT_BYTES_MAX, &b->batch, record, headers,
			 n);
	head = varint_put(length, (int64_t)len);
	SL_ASSERT(len + head <= bound);
	memcpy(b->plain + b->plain_len, length, head);
	memmove(b->plain + b->plain_len + head, b->plain + b->plain_len + VARINT_BYTES_MAX, len);
	b->plain_len += head + len;
	b->batch.records++;
	return 0;
}

size_t sl_batch_builder_bytes(const struct sl_batch_builder *b)
{
	return b->finished ? 0 : b->plain_len;
}

void sl_batch_builder_producer(struct sl_batch_builder *b, int64_t id, int16_t epoch,
			       int32_t sequence)
{
	if (b->finished)
		batch_reset(b);
	b->batch.producer_id = id;
	b->batch.producer_epoch = epoch;
	b->batch.sequence = sequence;
}

int sl_batch_builder_finish(struct sl_batch_builder *b, const uint8_t **ret_p, size_t *ret_len)
{
	enum sl_codec codec = b->batch.attributes & SL_BATCH_CODEC_MASK;
	size_t bound = codec_bound(codec, b->plain_len), len;
	ssize_t packed;
	int rc;

	SL_ASSERT(b->batch.records > 0);
	SL_ASSERT(!b->finished);
	rc = grow(&b->out, &b->out_cap, SL_BATCH_HEADER_BYTES + bound);
	if (rc)
		return rc;
	packed = codec_compress(codec, b->plain, b->plain_len, b->out + SL_BATCH_HEADER_BYTES,
				bound);
	if (packed < 0)
		return (int)packed;
	len = SL_BATCH_HEADER_BYTES + (size_t)packed;
	b->batch.length = (int32_t)(len - SL_BATCH_LENGTH_ABOVE);
	b->batch.last_delta = b->batch.records - 1;
	sl_batch_store(b->out, &b->batch);
	b->batch.crc = sl_crc32c(0, b->out + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES);
	sl_batch_store(b->out, &b->batch);
	b->finished = true;
	*ret_p = b->out;
	*ret_len = len;
	return 0;
}
