/* SPDX-License-Identifier: Apache-2.0 */
/* What the cache interface keeps with an object: what its storer said of it. */
#ifndef APIS_CACHE_META_H
#define APIS_CACHE_META_H

#include "proto/http/route.h"

/* Fields of a PUT that are kept; on disk by these numbers, so new ones come last. */
enum http_kept {
	HTTP_KEPT_CONTENT_TYPE,
	HTTP_KEPT_CONTENT_ENCODING,
	HTTP_KEPT_CONTENT_LANGUAGE,
	HTTP_KEPT_CONTENT_DISPOSITION,
	HTTP_KEPT_CACHE_CONTROL,
	HTTP_KEPT_ETAG,
	HTTP_KEPT_LAST_MODIFIED,
	HTTP_KEPT_LAST
};

/* "Content-Type" */
const char *http_kept_name(enum http_kept k);

/* The longest entity tag that is kept, with its quotes. */
#define HTTP_KEPT_ETAG_BYTES 128

/* Room for what http_cache_meta_pack() writes of @rq. */
static inline size_t http_cache_meta_bytes(const struct http_request *rq)
{
	return 2 + HTTP_KEPT_LAST * 3 + rq->head_bytes;
}

/**
 * http_cache_meta_pack() - what is kept of @rq, into @ret_meta. A validator that is none (a weak or
 * malformed tag, a date that cannot be read) is left out.
 * Return: bytes; -EMSGSIZE: a field is longer than 65,535 bytes.
 */
ssize_t http_cache_meta_pack(const struct http_request *rq, uint8_t *ret_meta);

/* The storer's entity tag, as http_cache_meta_pack() keeps it; false: there is none. */
bool http_cache_meta_etag(const struct http_request *rq, struct http_str *ret_etag);

/**
 * http_cache_meta_unpack() - the fields in [@p, @p + @n), as spans of it; n is 0 of those that are
 * not there. What later versions may have added is passed over.
 * @ret_kept: HTTP_KEPT_LAST. Return: 0; -EBADMSG: this was never packed.
 */
int http_cache_meta_unpack(const uint8_t *p, size_t n, struct http_str *ret_kept);

#endif
