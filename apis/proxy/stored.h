/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the proxy keeps with an object of the cache: the response's head, or where to look instead.
 * The layout on disk is in docs/format.md.
 */
#ifndef APIS_PROXY_STORED_H
#define APIS_PROXY_STORED_H

#include "rfc9111.h"

enum stored_kind {
	STORED_WHOLE = 1, /* the object's body is the response's */
	STORED_VARIES, /* no response: its fields are the names in Vary, to look further by */
	STORED_SLICED, /* the body lies in slices, objects of their own */
	STORED_SLICE, /* one of them */
};

/**
 * struct stored - the head of a stored response.
 * @kind: enum stored_kind. @generation: of STORED_VARIES and STORED_SLICED: part of the keys that
 *	they lead to, so that what an earlier one led to is not found any more.
 * @bytes: of the whole body. @slice_bytes: of all slices but the last one.
 * @fields: end-to-end lines; of STORED_VARIES the names.
 */
struct stored {
	uint32_t kind;
	uint64_t generation, bytes, slice_bytes;
	struct http_caching caching;
	struct http_lines fields;
};

/* Appends it to @t. */
void stored_write(const struct stored *s, struct sl_text *t);

/* @ret_s points into @meta. Return: 0; -EBADMSG: it was not written by stored_write(). */
int stored_read(const void *meta, size_t n, struct stored *ret_s);

#endif
