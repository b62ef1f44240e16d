/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob: small files and records of the store: integers and strings, little-endian, in a growing
 * buffer; read back with every length checked.
 *
 * A file is one blob: magic (8 bytes), version, minimum reader version, total bytes, contents,
 * and the XXH3 of all before it.
 */
#ifndef STORES_TOPICS_BLOB_PVT_H
#define STORES_TOPICS_BLOB_PVT_H

#include <sluice/bytes.h>

#include "refusal.h"

#define BLOB_HEADER_BYTES 16
#define BLOB_SUM_BYTES 8
#define BLOB_MAGIC_BYTES 8

/* Zeroed is empty and ready. @err: -ENOMEM from the first failure on; then nothing is added. */
struct blob_out {
	uint8_t *p;
	size_t len, cap;
	int err;
};

void blob_done(struct blob_out *b);

/* @len bytes to be filled by the caller, or NULL. */
uint8_t *blob_room(struct blob_out *b, size_t len);
void blob_put(struct blob_out *b, const void *p, size_t len);
void blob_put_u16(struct blob_out *b, uint16_t v);
void blob_put_u32(struct blob_out *b, uint32_t v);
void blob_put_u64(struct blob_out *b, uint64_t v);

/* A string or null: length + 1 in 32 bits (0: null), bytes. */
void blob_put_str(struct blob_out *b, struct sl_str s);

/* The frame of a file: begin first, end last. blob_end() returns b->err. */
void blob_begin(struct blob_out *b, const char *magic, uint16_t version);
int blob_end(struct blob_out *b);

/* @bad: more was asked for than there is; all that is read then is zero. */
struct blob_in {
	const uint8_t *p, *end;
	bool bad;
};

static inline size_t blob_left(const struct blob_in *b)
{
	return (size_t)(b->end - b->p);
}

/* The next @len bytes, or NULL. */
const uint8_t *blob_get(struct blob_in *b, size_t len);
uint16_t blob_get_u16(struct blob_in *b);
uint32_t blob_get_u32(struct blob_in *b);
uint64_t blob_get_u64(struct blob_in *b);
struct sl_str blob_get_str(struct blob_in *b);

/* A count of things of at least @bytes each, which fit in what is left; or bad. */
uint32_t blob_get_count(struct blob_in *b, size_t bytes);

/**
 * blob_open() - begin reading a file's contents.
 * Return: 0; -EBADMSG: not such a file, or damaged; -EPROTONOSUPPORT: for newer readers only.
 */
int blob_open(struct blob_in *b, const void *p, size_t len, const char *magic, uint16_t version);

/* Everything was read, and nothing was missing. */
static inline bool blob_complete(const struct blob_in *b)
{
	return !b->bad && b->p == b->end;
}

#endif
