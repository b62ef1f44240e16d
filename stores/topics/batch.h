/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: Kafka's record batches, magic 2, which lie in partition logs as the wire had them.
 *
 * All fields are big-endian on the wire and on disk. The checksum (CRC32C) begins at the
 * attributes, so that base offset and leader epoch are written in place without a new one.
 *
 * Order of parts: the header; checking; LogAppendTime; records out of a batch; a batch out of
 * records.
 */
#ifndef STORES_TOPICS_BATCH_H
#define STORES_TOPICS_BATCH_H

#include <sys/types.h>

#include "segments/segments.h"

/* ---- the header ------------------------------------------------------------------------- */

enum {
	SL_BATCH_BASE_OFFSET = 0,
	SL_BATCH_LENGTH = 8, /* of what follows this field */
	SL_BATCH_EPOCH = 12, /* partition leader epoch */
	SL_BATCH_MAGIC = 16,
	SL_BATCH_CRC = 17,
	SL_BATCH_ATTRIBUTES = 21,
	SL_BATCH_LAST_DELTA = 23,
	SL_BATCH_TIME_FIRST = 27,
	SL_BATCH_TIME_MAX = 35,
	SL_BATCH_PRODUCER_ID = 43,
	SL_BATCH_PRODUCER_EPOCH = 51,
	SL_BATCH_SEQUENCE = 53,
	SL_BATCH_RECORDS = 57,
	SL_BATCH_HEADER_BYTES = 61
};

/* Bytes before what SL_BATCH_LENGTH counts. */
#define SL_BATCH_LENGTH_ABOVE 12

enum sl_codec {
	SL_CODEC_NONE,
	SL_CODEC_GZIP,
	SL_CODEC_SNAPPY,
	SL_CODEC_LZ4,
	SL_CODEC_ZSTD,
	SL_CODEC_LAST
};

/* Attribute bits. */
enum {
	SL_BATCH_CODEC_MASK = 7,
	SL_BATCH_APPEND_TIME = 1 << 3,
	SL_BATCH_TRANSACTIONAL = 1 << 4,
	SL_BATCH_CONTROL = 1 << 5,
	SL_BATCH_DELETE_HORIZON = 1 << 6,
};

/* A header in host byte order. */
struct sl_batch {
	int64_t base_offset;
	int32_t length;
	int32_t epoch;
	int8_t magic;
	uint32_t crc;
	uint16_t attributes;
	int32_t last_delta;
	int64_t time_first, time_max;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t sequence;
	int32_t records;
};

/* Reads the SL_BATCH_HEADER_BYTES at @p, without judging them. */
void sl_batch_load(const void *p, struct sl_batch *ret_batch);

/* Writes them. */
void sl_batch_store(void *p, const struct sl_batch *batch);

/* Bytes of the whole batch, as its length field says (it may lie). */
static inline int64_t sl_batch_bytes(const struct sl_batch *batch)
{
	return (int64_t)batch->length + SL_BATCH_LENGTH_ABOVE;
}

/* How partition logs frame their batches. */
extern const struct sl_log_kind sl_batch_kind;

/* ---- checking --------------------------------------------------------------------------- */

/* Why a producer's batch is refused; 0 means that it is not. Kafka's names in the comments. */
enum sl_batch_fault {
	SL_BATCH_FINE,
	SL_BATCH_SHORT,	    /* fewer bytes than a header, or than its length: CORRUPT_MESSAGE */
	SL_BATCH_TRAILING,  /* more bytes than one batch: INVALID_RECORD */
	SL_BATCH_OLD_MAGIC, /* magic 0 or 1: UNSUPPORTED_FOR_MESSAGE_FORMAT */
	SL_BATCH_BAD_MAGIC, /* another magic: CORRUPT_MESSAGE */
	SL_BATCH_BAD_LENGTH, /* negative or below a header: CORRUPT_MESSAGE */
	SL_BATCH_BAD_COUNT, /* records, last offset delta disagree or are < 1: INVALID_RECORD */
	SL_BATCH_BAD_CODEC, /* codec 5 to 7: UNSUPPORTED_COMPRESSION_TYPE */
	SL_BATCH_BAD_ATTRIBUTES, /* reserved bits, control, transactional: INVALID_RECORD */
	SL_BATCH_BAD_TIME,  /* negative other than -1: INVALID_TIMESTAMP */
	SL_BATCH_BAD_PRODUCER, /* id, epoch and sequence do not go together: INVALID_RECORD */
	SL_BATCH_BAD_SUM,   /* CORRUPT_MESSAGE */
	SL_BATCH_FAULT_LAST
};

/* In words, for error messages. */
const char *sl_batch_fault_text(enum sl_batch_fault fault);

/**
 * sl_batch_check_header() - whether a producer may send a batch with this header.
 * @p: @have bytes, of which the first SL_BATCH_HEADER_BYTES are looked at. @total: bytes that the
 * request holds for the partition, which the batch has to fill.
 * Return: SL_BATCH_FINE, with *ret_batch filled, or why not (never SL_BATCH_BAD_SUM).
 */
enum sl_batch_fault sl_batch_check_header(const void *p, size_t have, uint64_t total,
					  struct sl_batch *ret_batch);

/* The same for a whole batch in memory, checksum included. */
enum sl_batch_fault sl_batch_check(const void *p, size_t len, struct sl_batch *ret_batch);

/* ---- LogAppendTime ---------------------------------------------------------------------- */

/**
 * sl_batch_set_append_time() - give the batch whose header is at @p the time @now_ms as that of
 * all its records, as topics with message.timestamp.type=LogAppendTime do.
 * Only the header is touched: the new checksum is worked out from the old one, which has to be
 * right (or else the new one is wrong to the same degree, and a check finds out all the same).
 */
void sl_batch_set_append_time(void *p, int64_t now_ms);

/* ---- records out of a batch ------------------------------------------------------------- */

/* A record; pointers go into the reader's memory and are good until its next call. */
struct sl_record {
	int64_t offset;
	int64_t time_ms;
	const uint8_t *key, *value; /* NULL: null */
	size_t key_bytes, value_bytes;
	const uint8_t *headers; /* encoded: walk with sl_record_header_next() */
	size_t headers_bytes;
	uint32_t headers_n;
};

struct sl_records;

/**
 * sl_records_open() - read the records of the whole batch at @p, @len bytes, which must stay.
 * Decompresses step by step as records are asked for.
 * @bytes_max: the longest record, uncompressed, that is accepted.
 * Return: 0; -EBADMSG; -ENOMEM. The checksum is not looked at.
 */
int sl_records_open(const void *p, size_t len, size_t bytes_max, struct sl_records **ret_records);

/**
 * sl_records_next() - the next record.
 * Return: 1; 0 after the last; -EBADMSG: what is there is not what the header says; -E2BIG: a
 * record exceeds bytes_max; -ENOMEM.
 */
int sl_records_next(struct sl_records *r, struct sl_record *ret_record);

/* The same for offset and time alone: keys, values and headers are skipped (NULL), at any size. */
int sl_records_next_time(struct sl_records *r, struct sl_record *ret_record);

/* Accepts NULL. */
void sl_records_close(struct sl_records *r);

/* A header of a record. */
struct sl_record_header {
	const uint8_t *key, *value; /* value NULL: null */
	size_t key_bytes, value_bytes;
};

/* Takes the next header off @record's headers. Return: 1; 0 after the last; -EBADMSG. */
int sl_record_header_next(struct sl_record *record, struct sl_record_header *ret_header);

/* ---- a batch out of records ------------------------------------------------------------- */

struct sl_batch_builder;

/* Return: 0 or -ENOMEM; -EINVAL for an unknown codec. */
int sl_batch_builder_new(enum sl_codec codec, struct sl_batch_builder **ret_builder);

/* Adds a record; offset and headers_bytes are not used, @headers (n of them) may be NULL. */
int sl_batch_builder_add(struct sl_batch_builder *b, const struct sl_record *record,
			 const struct sl_record_header *headers, uint32_t n);

/* Bytes of records added so far, uncompressed. */
size_t sl_batch_builder_bytes(const struct sl_batch_builder *b);

/* Who produces; without it the batch is not idempotent. */
void sl_batch_builder_producer(struct sl_batch_builder *b, int64_t id, int16_t epoch,
			       int32_t sequence);

/**
 * sl_batch_builder_finish() - the batch, checksum and all, with base offset 0; at least one record
 * was added. The memory is the builder's, good until the next add, which begins a new batch.
 * Return: 0 or -ENOMEM.
 */
int sl_batch_builder_finish(struct sl_batch_builder *b, const uint8_t **ret_p, size_t *ret_len);

/* Accepts NULL. */
void sl_batch_builder_free(struct sl_batch_builder *b);

#endif
