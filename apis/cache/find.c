/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP: what a request names, what is stored there, and what is said if that fails.
 *
 * Interface: "keys" to "conditions" of cache_pvt.h. Invariant: keys are "k:" and the
 * percent-decoded rest of the path, any bytes, and tags alike, so that nothing here meets what the
 * proxy stores.
 *
 * Order of parts: keys; what went wrong; what is found; conditions.
 */

#include "cache_pvt.h"

/* ---- keys ------------------------------------------------------------------------------- */

int http_cache_name(const char *space, struct http_str encoded, struct http_cache_name *ret_name)
{
	ssize_t n = http_percent_decode(encoded, ret_name->bytes + SPACE_BYTES,
					sizeof(ret_name->bytes) - SPACE_BYTES);

	if (n < 0)
		return (int)n;
	memcpy(ret_name->bytes, space, SPACE_BYTES);
	ret_name->n = SPACE_BYTES + (size_t)n;
	return 0;
}

/* ---- what went wrong -------------------------------------------------------------------- */

int http_cache_answered(struct http_response *rs, int status, const char *text)
{
	http_response_error(rs, status, text);
	return 1;
}

int http_cache_failed(struct http_response *rs, int err)
{
	switch (err) {
	case -ENOENT:
		return http_cache_answered(rs, 404, "not in the cache");
	case -EFBIG:
		return http_cache_answered(rs, 413,
					   "too large: make cache.max_bytes four times its size");
	case -EMSGSIZE:
		return http_cache_answered(rs, 431,
					   "key, header fields or tags are too long to be kept");
	case -EIO:
	case -EBADMSG:
	case -EROFS:
		return http_cache_answered(rs, 503, "the cache's disk failed");
	case -ETIME:
		return http_cache_answered(rs, 503, "the cache's disk is too slow");
	default:
		return err;
	}
}

int http_cache_find(const struct http_request *rq, struct http_response *rs,
		    struct cache **ret_cache)
{
	*ret_cache = ((const struct http_cache *)rq->api_arg)->cache;
	return *ret_cache ? 0 : http_cache_answered(rs, 404, "there is no cache: set cache.path");
}

int http_cache_find_key(const struct http_request *rq, struct http_response *rs,
			struct cache **ret_cache, struct http_cache_name *ret_name)
{
	int res = http_cache_find(rq, rs, ret_cache);

	return res ? res : http_cache_name(SPACE, rq->params[0], ret_name);
}

/* ---- what is found ---------------------------------------------------------------------- */

void http_cache_etag(struct http_str own, uint64_t version, char ret_etag[ETAG_ROOM])
{
	char *p = ret_etag;
	int shift = 60;

	if (own.n) {
		SL_ASSERT(own.n < ETAG_ROOM);
		memcpy(ret_etag, own.p, own.n);
		ret_etag[own.n] = 0;
		return;
	}
	*p++ = '"';
	while (shift && !(version >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[version >> shift & 15];
	*p++ = '"';
	*p = 0;
}

/* What the storer did not say follows from the storing itself. */
static void describe(struct http_cache_found *f)
{
	http_cache_etag(f->kept[HTTP_KEPT_ETAG], f->o->version, f->etag);
	f->v = (struct http_validators){.etag = f->etag};
	if (!f->kept[HTTP_KEPT_LAST_MODIFIED].n ||
	    http_date_parse(f->kept[HTTP_KEPT_LAST_MODIFIED], &f->v.changed_s))
		f->v.changed_s = f->o->stored_ms / 1000;
}

int http_cache_look_up(struct cache *c, const struct http_cache_name *name,
		       struct http_cache_found *ret_f, int64_t deadline)
{
	int err = cache_lookup(c, http_cache_key(name), 0, &ret_f->o, deadline);

	if (err)
		return err;
	err = http_cache_meta_unpack(ret_f->o->meta, ret_f->o->meta_bytes, ret_f->kept);
	if (err) {
		/* Not stored by this interface. */
		cache_release(ret_f->o);
		return -ENOENT;
	}
	describe(ret_f);
	return 0;
}

/* ---- conditions ------------------------------------------------------------------------- */

bool http_cache_has_condition(const struct http_request *rq)
{
	static const char *const names[] = {"If-Match", "If-None-Match", "If-Unmodified-Since"};
	struct http_str v;

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (http_request_field(rq, names[i], &v))
			return true;
	return false;
}

int http_cache_may_write(struct http_request *rq, struct http_response *rs, struct cache *c,
			 const struct http_cache_name *name, bool *ret_there, int64_t deadline)
{
	struct http_cache_found f;
	int err = http_cache_look_up(c, name, &f, deadline), status;

	if (err && err != -ENOENT)
		return http_cache_failed(rs, err);
	*ret_there = !err;
	status = http_condition_write(rq, err ? NULL : &f.v);
	if (!err)
		cache_release(f.o);
	return status ? http_cache_answered(rs, status,
					    "what is stored is not what the request says")
		      : 0;
}
