/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/2 request, from its fields as they come. */
#ifndef PROTO_HTTP_H2_HEAD_H
#define PROTO_HTTP_H2_HEAD_H

#include "request.h"

/**
 * struct h2_head - zeroed but for @max at its start.
 * @buf, @n: the fields so far, each behind its lengths. @max: the longest head, counted as
 * SETTINGS_MAX_HEADER_LIST_SIZE does: 32 bytes a field more than its own; @listed: so much came.
 * @refusal: why the head is refused; later fields are counted only.
 */
struct h2_head {
	struct sl_buf *buf;
	uint32_t n;
	uint64_t max, listed;
	enum http_refusal refusal;
};

/* The next field, pseudo-header fields too. Return: 0 or -ENOMEM. */
int h2_head_add(struct h2_head *h, const void *name, size_t name_n, const void *value,
		size_t value_n);

/**
 * h2_head_parse() - once, when all fields have come: sets what a head sets in @rq, as
 * http_request_parse() does, with spans in @h's memory. @ended: no body follows.
 */
enum http_refusal h2_head_parse(struct h2_head *h, bool ended, struct http_request *rq);

void h2_head_done(struct h2_head *h);

#endif
