/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP: what is stored. A body is received into the engine's own memory.
 *
 * Interface: http_cache_put() of cache_pvt.h. Order of parts: what is said of it; the body; the
 * handler.
 */
#include "cache_pvt.h"

/* ---- what is said of it ----------------------------------------------------------------- */

/* @tags: in @names, one behind the other. */
struct storing {
	struct cache_put_conf conf;
	struct cache_key tags[CACHE_TAGS_MAX];
	struct sl_buf *memory;
	size_t used;
};

static int add_tag(struct storing *s, const char *p, size_t n)
{
	char *at = (char *)s->memory->data + s->used;

	if (s->conf.tags_n == CACHE_TAGS_MAX || SPACE_BYTES + n > CACHE_TAG_BYTES_MAX)
		return -EMSGSIZE;
	memcpy(at, SPACE, SPACE_BYTES);
	memcpy(at + SPACE_BYTES, p, n);
	s->used += SPACE_BYTES + n;
	s->tags[s->conf.tags_n++] = (struct cache_key){at, SPACE_BYTES + n};
	return 0;
}

/* The words of a field, between @separators. */
static int add_tags(struct storing *s, struct http_str v, const char *separators)
{
	const char *p = v.p, *end = v.p + v.n;
	int err = 0;

	while (p < end && !err) {
		const char *begin = p;

		while (p < end && !strchr(separators, *p))
			p++;
		if (p > begin)
			err = add_tag(s, begin, (size_t)(p - begin));
		p++;
	}
	return err;
}

/* Both ways in which CDNs write them, in as many fields as there are. */
static int take_tags(struct storing *s, const struct http_request *rq)
{
	int err = 0;

	for (uint32_t i = 0; i < rq->fields_n && !err; i++) {
		struct http_str name = http_request_str(rq, rq->fields[i].name);
		struct http_str value = http_request_str(rq, rq->fields[i].value);

		if (http_str_is(name, "Cache-Tag"))
			err = add_tags(s, value, ", \t");
		else if (http_str_is(name, "Surrogate-Key"))
			err = add_tags(s, value, " \t");
	}
	s->conf.tags = s->tags;
	return err;
}

/* When it is to be forgotten; 0: as cache.ttl says. */
static int64_t expiry_of(const struct http_request *rq)
{
	struct http_cc cc = {0};
	int64_t s;

	for (uint32_t i = 0; i < rq->fields_n; i++)
		if (http_str_is(http_request_str(rq, rq->fields[i].name), "Cache-Control"))
			http_cc_parse(&cc, http_request_str(rq, rq->fields[i].value));
	s = http_cc_seconds(&cc, HTTP_CC_S_MAXAGE);
	if (s < 0)
		s = http_cc_seconds(&cc, HTTP_CC_MAX_AGE);
	return s < 0 ? 0 : sl_wall_clock_ns() / SL_MSEC + s * 1000;
}

/* What is stored beside the body. Return: 0, with memory to be released; -errno. */
static int describe_storing(struct storing *s, const struct http_request *rq)
{
	size_t meta_max = http_cache_meta_bytes(rq);
	ssize_t n;
	int err;

	*s = (struct storing){0};
	s->memory = sl_buf_new(meta_max + rq->head_bytes + CACHE_TAGS_MAX * SPACE_BYTES);
	if (!s->memory)
		return -ENOMEM;
	n = http_cache_meta_pack(rq, s->memory->data);
	err = (int)sl_min(n, (ssize_t)0);
	s->used = meta_max;
	s->conf = (struct cache_put_conf){
		.meta = s->memory->data,
		.meta_bytes = (uint32_t)n,
		.bytes = rq->body.chunked ? CACHE_BYTES_UNKNOWN : rq->body.left,
		.expires_ms = expiry_of(rq),
	};
	if (!err && n > CACHE_META_BYTES_MAX)
		err = -EMSGSIZE;
	if (!err)
		err = take_tags(s, rq);
	if (err)
		sl_buf_release(s->memory);
	return err;
}

/* ---- the body --------------------------------------------------------------------------- */

/* Receives the body. Return: 0; 1: answered; -errno of the client's side. */
static int receive(struct http_request *rq, struct http_response *rs, struct cache_put *p,
		   int64_t deadline)
{
	while (!rq->body.done) {
		ssize_t got;
		void *room;
		size_t n;
		int err = cache_put_room(p, &room, &n, deadline);

		if (err)
			return http_cache_failed(rs, err);
		got = http_body_read(rq, room, n, deadline);
		if (got < 0)
			return (int)got;
		if (!got)
			break;
		err = cache_put_took(p, (size_t)got, deadline);
		if (err)
			return http_cache_failed(rs, err);
	}
	return 0;
}

/* What a GET would tell, so that the storer can go on with If-Match. */
static int put_new_etag(const struct http_request *rq, struct http_response *rs, uint64_t version)
{
	struct http_str own = {0};
	char etag[ETAG_ROOM];

	http_cache_meta_etag(rq, &own);
	http_cache_etag(own, version, etag);
	return http_response_field(rs, "ETag", etag);
}

/* Conditions count for the moment of storing; what was not yet received is dropped if they fail. */
static int store(struct http_request *rq, struct http_response *rs, struct cache *c,
		 const struct http_cache_name *name, struct cache_put *p, int64_t deadline)
{
	uint64_t version;
	bool there;
	int res = receive(rq, rs, p, deadline);

	if (!res)
		res = http_cache_may_write(rq, rs, c, name, &there, deadline);
	if (res) {
		cache_put_abort(p);
		return res;
	}
	res = cache_put_commit_version(p, &version, deadline);
	if (res)
		return http_cache_failed(rs, res);
	rs->status = there ? 204 : 201;
	return put_new_etag(rq, rs, version);
}

/* ---- the handler ------------------------------------------------------------------------ */

static int put(struct http_request *rq, struct http_response *rs, struct cache *c,
	       const struct http_cache_name *name, int64_t deadline)
{
	struct storing s;
	struct cache_put *p;
	struct http_str v;
	bool there;
	int res = 0;

	if (http_request_field(rq, "Content-Range", &v))
		return http_cache_answered(rs, 400,
					   "an object is stored as a whole, without Content-Range");
	/* Before the body, so that a client that waits for 100 Continue need not send it. */
	if (http_cache_has_condition(rq))
		res = http_cache_may_write(rq, rs, c, name, &there, deadline);
	if (res)
		return res;
	res = describe_storing(&s, rq);
	if (res)
		return http_cache_failed(rs, res);
	res = cache_put_begin(c, http_cache_key(name), &s.conf, &p, deadline);
	sl_buf_release(s.memory);
	if (res)
		return http_cache_failed(rs, res);
	return store(rq, rs, c, name, p, deadline);
}

int http_cache_put(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct http_cache_name name;
	int res = http_cache_find_key(rq, rs, &c, &name);

	return http_cache_outcome(res ? res : put(rq, rs, c, &name, deadline));
}
