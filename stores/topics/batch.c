/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: headers of record batches: reading, judging, framing and the change to LogAppendTime.
 *
 * Interface: batch.h (records.c and builder.c hold the rest of it).
 * Invariant: what frame() accepts has sane lengths and counts, so callers may add them up.
 *
 * Order of parts: loading and storing; the kind; checking; LogAppendTime.
 */
#include "batch.h"

#include <errno.h>
#include <isa-l/crc.h>

#include <sluice/bytes.h>

static_assert(SL_BATCH_RECORDS + 4 == SL_BATCH_HEADER_BYTES, "61 bytes, as Kafka's");

/* ---- loading and storing ---------------------------------------------------------------- */

void sl_batch_load(const void *p, struct sl_batch *ret_batch)
{
	const uint8_t *h = p;

	*ret_batch = (struct sl_batch){
		.base_offset = (int64_t)sl_load_be64(h + SL_BATCH_BASE_OFFSET),
		.length = (int32_t)sl_load_be32(h + SL_BATCH_LENGTH),
		.epoch = (int32_t)sl_load_be32(h + SL_BATCH_EPOCH),
		.magic = (int8_t)h[SL_BATCH_MAGIC],
		.crc = sl_load_be32(h + SL_BATCH_CRC),
		.attributes = sl_load_be16(h + SL_BATCH_ATTRIBUTES),
		.last_delta = (int32_t)sl_load_be32(h + SL_BATCH_LAST_DELTA),
		.time_first = (int64_t)sl_load_be64(h + SL_BATCH_TIME_FIRST),
		.time_max = (int64_t)sl_load_be64(h + SL_BATCH_TIME_MAX),
		.producer_id = (int64_t)sl_load_be64(h + SL_BATCH_PRODUCER_ID),
		.producer_epoch = (int16_t)sl_load_be16(h + SL_BATCH_PRODUCER_EPOCH),
		.sequence = (int32_t)sl_load_be32(h + SL_BATCH_SEQUENCE),
		.records = (int32_t)sl_load_be32(h + SL_BATCH_RECORDS),
	};
}

void sl_batch_store(void *p, const struct sl_batch *batch)
{
	uint8_t *h = p;

	sl_store_be64(h + SL_BATCH_BASE_OFFSET, (uint64_t)batch->base_offset);
	sl_store_be32(h + SL_BATCH_LENGTH, (uint32_t)batch->length);
	sl_store_be32(h + SL_BATCH_EPOCH, (uint32_t)batch->epoch);
	h[SL_BATCH_MAGIC] = (uint8_t)batch->magic;
	sl_store_be32(h + SL_BATCH_CRC, batch->crc);
	sl_store_be16(h + SL_BATCH_ATTRIBUTES, batch->attributes);
	sl_store_be32(h + SL_BATCH_LAST_DELTA, (uint32_t)batch->last_delta);
	sl_store_be64(h + SL_BATCH_TIME_FIRST, (uint64_t)batch->time_first);
	sl_store_be64(h + SL_BATCH_TIME_MAX, (uint64_t)batch->time_max);
	sl_store_be64(h + SL_BATCH_PRODUCER_ID, (uint64_t)batch->producer_id);
	sl_store_be16(h + SL_BATCH_PRODUCER_EPOCH, (uint16_t)batch->producer_epoch);
	sl_store_be32(h + SL_BATCH_SEQUENCE, (uint32_t)batch->sequence);
	sl_store_be32(h + SL_BATCH_RECORDS, (uint32_t)batch->records);
}

/* ---- the kind --------------------------------------------------------------------------- */

static int kind_frame(const uint8_t *header, struct sl_frame *ret_frame)
{
	struct sl_batch b;

	sl_batch_load(header, &b);
	if (b.magic != 2 || b.base_offset < 0 || b.last_delta < 0 || b.records < 1 ||
	    b.last_delta == INT32_MAX || sl_batch_bytes(&b) < SL_BATCH_HEADER_BYTES)
		return -EBADMSG;
	*ret_frame = (struct sl_frame){
		.base = (uint64_t)b.base_offset,
		.bytes = (uint64_t)sl_batch_bytes(&b),
		.time_max = b.time_max,
		.records = (uint32_t)b.last_delta + 1,
		.epoch = (uint32_t)b.epoch,
		.sum = b.crc,
		.sum_from = SL_BATCH_ATTRIBUTES,
	};
	return 0;
}

static void kind_place(uint8_t *header, uint64_t base, uint32_t epoch)
{
	SL_ASSERT(base <= INT64_MAX);
	sl_store_be64(header + SL_BATCH_BASE_OFFSET, base);
	sl_store_be32(header + SL_BATCH_EPOCH, epoch);
}

/* A base offset of -1, which frame() refuses. */
static void kind_unplace(uint8_t *header)
{
	sl_store_be64(header + SL_BATCH_BASE_OFFSET, UINT64_MAX);
}

const struct sl_log_kind sl_batch_kind = {
	.name = "kafka-batch",
	.id = 1,
	.header_bytes = SL_BATCH_HEADER_BYTES,
	.frame = kind_frame,
	.place = kind_place,
	.unplace = kind_unplace,
	.sum = sl_crc32c,
};

/* ---- checking --------------------------------------------------------------------------- */

static const char *const fault_texts[] = {
	[SL_BATCH_FINE] = "fine",
	[SL_BATCH_SHORT] = "the batch is cut off",
	[SL_BATCH_TRAILING] = "more than one batch for a partition",
	[SL_BATCH_OLD_MAGIC] = "message formats 0 and 1 are not stored",
	[SL_BATCH_BAD_MAGIC] = "unknown message format",
	[SL_BATCH_BAD_LENGTH] = "the batch's length is too small",
	[SL_BATCH_BAD_COUNT] = "the record count disagrees with the last offset delta",
	[SL_BATCH_BAD_CODEC] = "unknown compression codec",
	[SL_BATCH_BAD_ATTRIBUTES] = "a control, transactional or reserved attribute is set",
	[SL_BATCH_BAD_TIME] = "a timestamp is negative or its type is not the producer's to set",
	[SL_BATCH_BAD_PRODUCER] = "producer id, epoch and sequence do not go together",
	[SL_BATCH_BAD_SUM] = "the checksum is wrong",
};
static_assert(SL_ARRAY_SIZE(fault_texts) == SL_BATCH_FAULT_LAST, "a text for each fault");

const char *sl_batch_fault_text(enum sl_batch_fault fault)
{
	SL_ASSERT(fault < SL_BATCH_FAULT_LAST);
	return fault_texts[fault];
}

static enum sl_batch_fault check_size(const struct sl_batch *b, uint64_t total)
{
	int64_t bytes = sl_batch_bytes(b);

	if (bytes < SL_BATCH_HEADER_BYTES)
		return SL_BATCH_BAD_LENGTH;
	if ((uint64_t)bytes > total)
		return SL_BATCH_SHORT;
	return (uint64_t)bytes < total ? SL_BATCH_TRAILING : SL_BATCH_FINE;
}

static bool producer_ok(const struct sl_batch *b)
{
	if (b->producer_id < 0)
		return b->producer_id == -1;
	return b->producer_epoch >= 0 && b->sequence >= 0;
}

static enum sl_batch_fault check_fields(const struct sl_batch *b)
{
	const unsigned known = SL_BATCH_CODEC_MASK | SL_BATCH_APPEND_TIME;

	if (b->records < 1 || b->last_delta != b->records - 1)
		return SL_BATCH_BAD_COUNT;
	if (b->attributes & ~known)
		return SL_BATCH_BAD_ATTRIBUTES;
	if ((b->attributes & SL_BATCH_CODEC_MASK) >= SL_CODEC_LAST)
		return SL_BATCH_BAD_CODEC;
	if (b->attributes & SL_BATCH_APPEND_TIME || b->time_first < -1 || b->time_max < -1)
		return SL_BATCH_BAD_TIME;
	return producer_ok(b) ? SL_BATCH_FINE : SL_BATCH_BAD_PRODUCER;
}

enum sl_batch_fault sl_batch_check_header(const void *p, size_t have, uint64_t total,
					  struct sl_batch *ret_batch)
{
	enum sl_batch_fault fault;
	struct sl_batch b;
	int8_t magic;

	/* Older messages are shorter, but have their magic at the same place. */
	if (have <= SL_BATCH_MAGIC)
		return SL_BATCH_SHORT;
	magic = ((const int8_t *)p)[SL_BATCH_MAGIC];
	if (magic == 0 || magic == 1)
		return SL_BATCH_OLD_MAGIC;
	if (magic != 2)
		return SL_BATCH_BAD_MAGIC;
	if (have < SL_BATCH_HEADER_BYTES)
		return SL_BATCH_SHORT;
	sl_batch_load(p, &b);
	fault = check_size(&b, total);
	if (!fault)
		fault = check_fields(&b);
	if (!fault)
		*ret_batch = b;
	return fault;
}

enum sl_batch_fault sl_batch_check(const void *p, size_t len, struct sl_batch *ret_batch)
{
	const uint8_t *bytes = p;
	struct sl_batch b = {0};
	enum sl_batch_fault fault = sl_batch_check_header(p, len, len, &b);

	if (fault)
		return fault;
	if (sl_crc32c(0, bytes + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES) != b.crc)
		return SL_BATCH_BAD_SUM;
	*ret_batch = b;
	return SL_BATCH_FINE;
}

/* ---- LogAppendTime ---------------------------------------------------------------------- */

#define CRC32C_POLY UINT32_C(0x82f63b78) /* bits reversed, as the sums are */
#define CRC_X0 (UINT32_C(1) << 31)
#define CRC_X8 (UINT32_C(1) << 23)

/* Product of two polynomials over GF(2), modulo CRC-32C's. */
static uint32_t crc_multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t m = CRC_X0; m; m >>= 1) {
		if (a & m)
			product ^= b;
		b = b & 1 ? b >> 1 ^ CRC32C_POLY : b >> 1;
	}
	return product;
}

/* What the plain remainder @crc becomes by @zeros zero bytes that follow. */
static uint32_t crc_shift(uint32_t crc, uint64_t zeros)
{
	uint32_t power = CRC_X8;

	for (; zeros; zeros >>= 1) {
		if (zeros & 1)
			crc = crc_multiply(power, crc);
		power = crc_multiply(power, power);
	}
	return crc;
}

/*
 * A checksum is linear: those of two batches that differ in the header alone differ by the
 * remainder of the difference, followed by as many zeros as there are bytes behind it.
 */
void sl_batch_set_append_time(void *p, int64_t now_ms)
{
	enum { FROM = SL_BATCH_ATTRIBUTES, TO = SL_BATCH_TIME_MAX + 8 };
	uint8_t *h = p, diff[TO - FROM];
	struct sl_batch b;
	uint64_t behind;

	sl_batch_load(h, &b);
	SL_ASSERT(sl_batch_bytes(&b) >= SL_BATCH_HEADER_BYTES);
	behind = (uint64_t)sl_batch_bytes(&b) - TO;
	memcpy(diff, h + FROM, sizeof(diff));
	sl_store_be16(h + SL_BATCH_ATTRIBUTES, b.attributes | SL_BATCH_APPEND_TIME);
	sl_store_be64(h + SL_BATCH_TIME_MAX, (uint64_t)now_ms);
	for (size_t i = 0; i < sizeof(diff); i++)
		diff[i] ^= h[FROM + i];
	sl_store_be32(h + SL_BATCH_CRC,
		      b.crc ^ crc_shift(crc32_iscsi(diff, sizeof(diff), 0), behind));
}
