/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response read out of bytes as they come, from wherever they come.
 *
 * Order of parts: heads; the reader.
 */
#ifndef APIS_PROXY_ORIGIN_READ_H
#define APIS_PROXY_ORIGIN_READ_H

#include "proto/http/route.h"

/* ---- heads ------------------------------------------------------------------------------ */

/* The longest head of a response. */
#define ORIGIN_HEAD_BYTES_MAX (64 << 10)

/**
 * struct origin_head - a response's head; to be given back by origin_head_done().
 * @fields: those that may be passed on: neither of the connection nor of the framing.
 * @dropped: names that Connection lists, as a list; they are not among @fields.
 * @bytes: of the body, as told; UINT64_MAX: not told.
 */
struct origin_head {
	uint32_t status;
	struct sl_text fields, dropped;
	uint64_t bytes;
};

void origin_head_done(struct origin_head *h);

/* ---- the reader ------------------------------------------------------------------------- */

struct origin_reader;

/* As sl_stream_read(). */
typedef ssize_t origin_read_fn(void *arg, void *dst, size_t max, int64_t deadline);

/* Bytes come from @read(@arg, …). Return: the reader, or NULL: out of memory. */
struct origin_reader *origin_reader_new(origin_read_fn *read, void *arg);

/* Accepts NULL. */
void origin_reader_free(struct origin_reader *r);

/* Before each response. @is_head: to a HEAD, so that it has no body. */
void origin_reader_start(struct origin_reader *r, bool is_head);

/* As origin_read_head(). */
int origin_reader_head(struct origin_reader *r, struct origin_head *ret_head, int64_t deadline);

/* As origin_read_body(). */
ssize_t origin_reader_body(struct origin_reader *r, void *dst, size_t max, int64_t deadline);

/* The response is whole, nothing came behind it, and another may follow. */
bool origin_reader_reusable(const struct origin_reader *r);

/* Something of the response has come. */
bool origin_reader_begun(const struct origin_reader *r);

#endif
