/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP.
 *
 * Interface: cache.h; the engine is stores/cache. A body that is stored is received into the
 * engine's own memory; one that is sent leaves as the engine's parts, in windows of some MiB, each
 * verified before it leaves. Invariants: keys are "k:" and the percent-decoded rest of the path,
 * any bytes, and tags alike, so that nothing here meets what the proxy stores; what does not verify
 * is not there; a response that has begun is either sent whole or cut off.
 *
 * Order of parts: keys; what went wrong; what is found; conditions; getting; storing; removing;
 * purging; figures; the table.
 */
#include "cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "meta.h"
#include "stores/cache/cache.h"

/* ---- keys ------------------------------------------------------------------------------- */

/* Of this interface, and of the proxy's: no name of one is ever one of the other. */
#define SPACE "k:"
#define SPACE_PROXY "p:"
enum { SPACE_BYTES = sizeof(SPACE) - 1 };
_Static_assert(sizeof(SPACE) == sizeof(SPACE_PROXY), "spaces differ by their letter");

/* A key or a tag, percent-decoded, behind its space. */
struct name {
	size_t n;
	char bytes[CACHE_KEY_BYTES_MAX];
};

static int name_of(const char *space, struct http_str encoded, struct name *ret_name)
{
	ssize_t n = http_percent_decode(encoded, ret_name->bytes + SPACE_BYTES,
					sizeof(ret_name->bytes) - SPACE_BYTES);

	if (n < 0)
		return (int)n;
	memcpy(ret_name->bytes, space, SPACE_BYTES);
	ret_name->n = SPACE_BYTES + (size_t)n;
	return 0;
}

static struct cache_key key_of(const struct name *name)
{
	return (struct cache_key){name->bytes, name->n};
}

/* ---- what went wrong -------------------------------------------------------------------- */

/* Return: 1: @rs is the answer. */
static int answered(struct http_response *rs, int status, const char *text)
{
	http_response_error(rs, status, text);
	return 1;
}

/* What the engine could not do, but for what everybody's errno says (errmap.c). */
static int engine_failed(struct http_response *rs, int err)
{
	switch (err) {
	case -ENOENT:
		return answered(rs, 404, "not in the cache");
	case -EFBIG:
		return answered(rs, 413, "too large: make cache.max_bytes four times its size");
	case -EMSGSIZE:
		return answered(rs, 431, "key, header fields or tags are too long to be kept");
	case -EIO:
	case -EBADMSG:
	case -EROFS:
		return answered(rs, 503, "the cache's disk failed");
	case -ETIME:
		return answered(rs, 503, "the cache's disk is too slow");
	default:
		return err;
	}
}

/* 1 and 0 are the same to who called the handler. */
static int outcome(int res)
{
	return res < 0 ? res : 0;
}

static int find_cache(const struct http_request *rq, struct http_response *rs,
		      struct cache **ret_cache)
{
	*ret_cache = ((const struct http_cache *)rq->api_arg)->cache;
	return *ret_cache ? 0 : answered(rs, 404, "there is no cache: set cache.path");
}

/* The cache and the key that the path names. Return: 0; 1: answered; -errno. */
static int find_key(const struct http_request *rq, struct http_response *rs,
		    struct cache **ret_cache, struct name *ret_name)
{
	int res = find_cache(rq, rs, ret_cache);

	return res ? res : name_of(SPACE, rq->params[0], ret_name);
}

/* ---- what is found ---------------------------------------------------------------------- */

enum { ETAG_ROOM = HTTP_KEPT_ETAG_BYTES + 1 };

/* @kept: spans of the object's memory. @v: its etag points into @etag. */
struct found {
	struct cache_object *o;
	struct http_str kept[HTTP_KEPT_LAST];
	struct http_validators v;
	char etag[ETAG_ROOM];
};

/* The storer's own, or one that no other version has. */
static void write_etag(struct http_str own, uint64_t version, char ret_etag[ETAG_ROOM])
{
	if (own.n)
		snprintf(ret_etag, ETAG_ROOM, "%.*s", (int)own.n, own.p);
	else
		snprintf(ret_etag, ETAG_ROOM, "\"%" PRIx64 "\"", version);
}

/* What the storer did not say follows from the storing itself. */
static void describe(struct found *f)
{
	write_etag(f->kept[HTTP_KEPT_ETAG], f->o->version, f->etag);
	f->v = (struct http_validators){.etag = f->etag};
	if (http_date_parse(f->kept[HTTP_KEPT_LAST_MODIFIED], &f->v.changed_s))
		f->v.changed_s = f->o->stored_ms / 1000;
}

/* Return: 0, with an object to be released; -ENOENT; -errno. */
static int look_up(struct cache *c, const struct name *name, struct found *ret_f, int64_t deadline)
{
	int err = cache_lookup(c, key_of(name), 0, &ret_f->o, deadline);

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

/*
 * Whether what is stored now lets @rq write. Return: 0, with *ret_there; 1: answered; -errno.
 */
static int may_write(struct http_request *rq, struct http_response *rs, struct cache *c,
		     const struct name *name, bool *ret_there, int64_t deadline)
{
	struct found f;
	int err = look_up(c, name, &f, deadline), status;

	if (err && err != -ENOENT)
		return engine_failed(rs, err);
	*ret_there = !err;
	status = http_condition_write(rq, err ? NULL : &f.v);
	if (!err)
		cache_release(f.o);
	return status ? answered(rs, status, "what is stored is not what the request says") : 0;
}

/* ---- getting ---------------------------------------------------------------------------- */

/* What is sent at once of a large body: the client takes some while the next is verified. */
#define WINDOW_BYTES (4 * SL_MIB)

_Static_assert(CACHE_PARTS_MAX <= HTTP_PARTS_MAX, "a window is a response");
_Static_assert(WINDOW_BYTES <= CACHE_WINDOW_BYTES, "a window is one call of the engine");

static int put_kept(struct http_response *rs, const struct found *f, enum http_kept k)
{
	const char *name = http_kept_name(k);

	if (!f->kept[k].n)
		return 0;
	return http_response_field_str(rs, (struct http_str){name, strlen(name)}, f->kept[k]);
}

static int put_number(struct http_response *rs, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return http_response_field(rs, name, text);
}

/* What is said of an object also where its body is not sent: all but its type. */
static int put_fields(struct http_response *rs, const struct found *f)
{
	int64_t age_ms = sl_wall_clock_ns() / SL_MSEC - f->o->stored_ms;
	char date[HTTP_DATE_BYTES];
	int err = http_response_field(rs, "ETag", f->etag);

	if (!err && http_date_can(f->v.changed_s)) {
		http_date_format(f->v.changed_s, date);
		err = http_response_field(rs, "Last-Modified", date);
	}
	if (!err)
		err = put_number(rs, "Age", age_ms > 0 ? (uint64_t)age_ms / 1000 : 0);
	if (!err)
		err = http_response_field(rs, "Accept-Ranges", "bytes");
	for (int k = HTTP_KEPT_CONTENT_TYPE + 1; k <= HTTP_KEPT_CACHE_CONTROL && !err; k++)
		err = put_kept(rs, f, (enum http_kept)k);
	return err;
}

static struct http_str type_of(const struct found *f)
{
	static const char unknown[] = "application/octet-stream";

	return f->kept[HTTP_KEPT_CONTENT_TYPE].n
		       ? f->kept[HTTP_KEPT_CONTENT_TYPE]
		       : (struct http_str){unknown, sizeof(unknown) - 1};
}

static int put_type(struct http_response *rs, const struct found *f)
{
	static const char name[] = "Content-Type";

	return http_response_field_str(rs, (struct http_str){name, sizeof(name) - 1}, type_of(f));
}

/* So much of a range as is taken at a time; the parts are sent or dropped. */
struct window {
	uint64_t bytes;
	uint32_t n;
	struct sl_part parts[CACHE_PARTS_MAX];
};

/* What lies behind the first @done bytes of @r. */
static int window_take(struct window *w, const struct found *f, const struct http_range *r,
		       uint64_t done, int64_t deadline)
{
	int n;

	w->bytes = sl_min(r->len - done, WINDOW_BYTES);
	n = cache_parts(f->o, r->off + done, w->bytes, w->parts, CACHE_PARTS_MAX, deadline);
	w->n = n > 0 ? (uint32_t)n : 0;
	return sl_min(n, 0);
}

static void window_drop(struct window *w)
{
	while (w->n)
		sl_part_release(&w->parts[--w->n]);
}

/* Sends a range of the body, window by window, of which @w is the first. */
static int send_range(struct http_request *rq, const struct found *f, const struct http_range *r,
		      struct window *w, int64_t deadline)
{
	uint64_t done = 0;
	int err = 0;

	while (!err) {
		err = http_stream_send(rq, w->parts, w->n, deadline);
		w->n = 0;
		done += w->bytes;
		if (done == r->len)
			break;
		if (!err)
			err = window_take(w, f, r, done, deadline);
	}
	return err;
}

/*
 * One stretch of the body: whole in the response, or in pieces behind its head. Before the head
 * leaves, the first window is taken: what does not even begin as it should is a miss.
 */
static int send_one(struct http_request *rq, struct http_response *rs, const struct found *f,
		    const struct http_range *r, int64_t deadline)
{
	bool head_only = rq->method == HTTP_M_HEAD;
	struct window w = {.n = 0};
	int n, err = put_type(rs, f);

	if (err)
		return err;
	if (r->len <= WINDOW_BYTES && !head_only) {
		n = cache_parts(f->o, r->off, r->len, rs->parts, HTTP_PARTS_MAX, deadline);
		rs->n = n > 0 ? (uint32_t)n : 0;
		return sl_min(n, 0);
	}
	if (!head_only)
		err = window_take(&w, f, r, 0, deadline);
	if (!err)
		err = http_stream_begin(rq, rs, r->len, deadline);
	if (!err && !head_only)
		err = send_range(rq, f, r, &w, deadline);
	window_drop(&w);
	return err ? err : http_stream_end(rq, deadline);
}

static int send_several(struct http_request *rq, struct http_response *rs, const struct found *f,
			const struct http_range *ranges, int n, int64_t deadline)
{
	struct http_multipart m;
	struct window w;
	int err = window_take(&w, f, &ranges[0], 0, deadline);

	if (!err)
		err = http_multipart_make(rs, type_of(f), f->o->bytes, ranges, n, &m);
	if (err) {
		window_drop(&w);
		return err;
	}
	err = http_stream_begin(rq, rs, m.bytes, deadline);
	for (int i = 0; i <= n && !err; i++) {
		struct sl_part head = http_multipart_take(&m, i);

		err = http_stream_send(rq, &head, 1, deadline);
		if (!err && i && i < n)
			err = window_take(&w, f, &ranges[i], 0, deadline);
		if (!err && i < n)
			err = send_range(rq, f, &ranges[i], &w, deadline);
	}
	window_drop(&w);
	http_multipart_done(&m);
	return err ? err : http_stream_end(rq, deadline);
}

static int send_body(struct http_request *rq, struct http_response *rs, const struct found *f,
		     int64_t deadline)
{
	struct http_range ranges[HTTP_RANGES_MAX] = {{0}};
	int n = http_partial_choose(rq, &f->v, f->o->bytes, ranges), err = 0;

	if (n < 0)
		return http_partial_none(rs, "object", f->o->bytes);
	if (n > 1)
		return send_several(rq, rs, f, ranges, n, deadline);
	if (n)
		err = http_partial_one(rs, &ranges[0], f->o->bytes);
	else
		ranges[0].len = f->o->bytes;
	return err ? err : send_one(rq, rs, f, &ranges[0], deadline);
}

static int get_found(struct http_request *rq, struct http_response *rs, const struct found *f,
		     int64_t deadline)
{
	int err = put_fields(rs, f), status;

	if (err)
		return err;
	status = http_condition_check(rq, &f->v);
	if (status == 412)
		return answered(rs, status, "the object is not what the request says it is");
	if (status) {
		rs->status = status;
		return 0;
	}
	err = send_body(rq, rs, f, deadline);
	if (err != -EBADMSG || rq->out.begun)
		return err;
	/* What was said of it holds no longer. */
	http_response_done(rs);
	return engine_failed(rs, -ENOENT);
}

static int get_object(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct name name;
	struct found f;
	int res = find_key(rq, rs, &c, &name);

	if (!res) {
		res = look_up(c, &name, &f, deadline);
		if (res)
			return outcome(engine_failed(rs, res));
		res = get_found(rq, rs, &f, deadline);
		cache_release(f.o);
	}
	return outcome(res);
}

/* ---- storing ---------------------------------------------------------------------------- */

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
			return engine_failed(rs, err);
		got = http_body_read(rq, room, n, deadline);
		if (got < 0)
			return (int)got;
		if (!got)
			break;
		err = cache_put_took(p, (size_t)got, deadline);
		if (err)
			return engine_failed(rs, err);
	}
	return 0;
}

/* What a GET would tell, so that the storer can go on with If-Match. */
static int put_new_etag(const struct http_request *rq, struct http_response *rs, uint64_t version)
{
	struct http_str own = {0};
	char etag[ETAG_ROOM];

	http_cache_meta_etag(rq, &own);
	write_etag(own, version, etag);
	return http_response_field(rs, "ETag", etag);
}

/* Conditions count for the moment of storing; what was not yet received is dropped if they fail. */
static int store(struct http_request *rq, struct http_response *rs, struct cache *c,
		 const struct name *name, struct cache_put *p, int64_t deadline)
{
	uint64_t version;
	bool there;
	int res = receive(rq, rs, p, deadline);

	if (!res)
		res = may_write(rq, rs, c, name, &there, deadline);
	if (res) {
		cache_put_abort(p);
		return res;
	}
	res = cache_put_commit_version(p, &version, deadline);
	if (res)
		return engine_failed(rs, res);
	rs->status = there ? 204 : 201;
	return put_new_etag(rq, rs, version);
}

static bool has_condition(const struct http_request *rq)
{
	static const char *const names[] = {"If-Match", "If-None-Match", "If-Unmodified-Since"};
	struct http_str v;

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (http_request_field(rq, names[i], &v))
			return true;
	return false;
}

static int put(struct http_request *rq, struct http_response *rs, struct cache *c,
	       const struct name *name, int64_t deadline)
{
	struct storing s;
	struct cache_put *p;
	struct http_str v;
	bool there;
	int res = 0;

	if (http_request_field(rq, "Content-Range", &v))
		return answered(rs, 400, "an object is stored as a whole, without Content-Range");
	/* Before the body, so that a client that waits for 100 Continue need not send it. */
	if (has_condition(rq))
		res = may_write(rq, rs, c, name, &there, deadline);
	if (res)
		return res;
	res = describe_storing(&s, rq);
	if (res)
		return engine_failed(rs, res);
	res = cache_put_begin(c, key_of(name), &s.conf, &p, deadline);
	sl_buf_release(s.memory);
	if (res)
		return engine_failed(rs, res);
	return store(rq, rs, c, name, p, deadline);
}

static int put_object(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct name name;
	int res = find_key(rq, rs, &c, &name);

	return outcome(res ? res : put(rq, rs, c, &name, deadline));
}

/* ---- removing --------------------------------------------------------------------------- */

static int delete_object(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct name name;
	bool there;
	int res = find_key(rq, rs, &c, &name);

	if (!res && has_condition(rq))
		res = may_write(rq, rs, c, &name, &there, deadline);
	if (res)
		return outcome(res);
	res = cache_remove(c, key_of(&name), deadline);
	if (res)
		return outcome(engine_failed(rs, res));
	rs->status = 204;
	return 0;
}

/* ---- purging ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*purge)(struct cache *c, struct cache_key key, int64_t deadline);
	enum http_cache_purge what;
} purges[] = {
	{"key", cache_remove, HTTP_CACHE_PURGE_KEY},
	{"prefix", cache_purge_prefix, HTTP_CACHE_PURGE_PREFIX},
	{"tag", cache_purge_tag, HTTP_CACHE_PURGE_TAG}
};

/* Takes "space=proxy&" off the front of @query. Return: the space that is meant. */
static const char *take_space(struct http_str *query)
{
	static const char front[] = "space=proxy&";
	size_t n = sizeof(front) - 1;

	if (query->n < n || memcmp(query->p, front, n))
		return SPACE;
	*query = (struct http_str){query->p + n, query->n - n};
	return SPACE_PROXY;
}

static int purge_named(struct http_request *rq, struct http_response *rs, struct cache *c,
		       size_t row, const struct name *name, int64_t deadline)
{
	const struct http_cache *api = rq->api_arg;
	struct http_str key = {name->bytes, name->n};
	int err;

	/* What is being fetched may be what was to go. */
	if (api->purging && !memcmp(name->bytes, SPACE_PROXY, SPACE_BYTES))
		api->purging(api->purging_arg, purges[row].what, key);
	err = purges[row].purge(c, key_of(name), deadline);
	if (err && err != -ENOENT)
		return engine_failed(rs, err);
	rs->status = 204; /* gone is gone, whether or not it was there */
	return 0;
}

/* Purges as "name=value" says. */
static int purge(struct http_request *rq, struct http_response *rs, struct cache *c,
		 int64_t deadline)
{
	struct http_str query = http_request_str(rq, rq->query);
	const char *space = take_space(&query);
	const char *equals = query.n ? memchr(query.p, '=', query.n) : NULL;
	struct http_str what = {query.p, equals ? (size_t)(equals - query.p) : 0};
	struct name name;
	int err;

	/* One at a time: what another parameter would mean beside it is nobody's guess. */
	if (query.n && memchr(query.p, '&', query.n))
		what.n = 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(purges) && what.n; i++) {
		if (!http_str_is(what, purges[i].name))
			continue;
		err = name_of(space, (struct http_str){equals + 1, query.n - what.n - 1}, &name);
		return err ? err : purge_named(rq, rs, c, i, &name, deadline);
	}
	return answered(rs, 400, "say what to purge: ?key=, ?prefix= or ?tag=, percent-encoded, "
			"behind ?space=proxy& of the proxy's");
}

static int post_purge(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	int res = find_cache(rq, rs, &c);

	return outcome(res ? res : purge(rq, rs, c, deadline));
}

/* ---- figures ---------------------------------------------------------------------------- */

#define FIGURE(member) {#member, offsetof(struct cache_stat, member)}

static const struct {
	const char *name;
	size_t at;
} figures[] = {
	FIGURE(objects), FIGURE(bytes), FIGURE(max_bytes), FIGURE(segments),
	FIGURE(memory_objects), FIGURE(memory_bytes),
	FIGURE(hits), FIGURE(memory_hits), FIGURE(misses), FIGURE(stored), FIGURE(stored_bytes),
	FIGURE(refused), FIGURE(evicted), FIGURE(carried), FIGURE(removed), FIGURE(quarantined),
	FIGURE(extents), FIGURE(extent_bytes), FIGURE(slices), FIGURE(slice_bytes),
	FIGURE(mapped), FIGURE(mapped_bytes),
	FIGURE(direct), FIGURE(direct_bytes), FIGURE(direct_refused), FIGURE(direct_no_memory),
	FIGURE(copies), FIGURE(copy_bytes),
	FIGURE(verified_blocks), FIGURE(whole_bytes),
};

static int send_text(struct http_response *rs, struct sl_text *text)
{
	int err = text->err;

	if (!err)
		err = http_response_body(rs, "application/json", text->data, text->len);
	sl_text_done(text);
	return err;
}

static int get_stat(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_text text = {0};
	struct cache_stat stat;
	struct cache *c;
	int res = find_cache(rq, rs, &c);

	if (res)
		return outcome(res);
	cache_stat(c, &stat);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		uint64_t v;

		memcpy(&v, (const char *)&stat + figures[i].at, sizeof(v));
		sl_text_printf(&text, "%s\"%s\": %" PRIu64, i ? ", " : "{", figures[i].name, v);
	}
	sl_text_put_string(&text, "}\n");
	return send_text(rs, &text);
}

static int post_verify(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_text text = {0};
	struct cache_verify v;
	struct cache *c;
	int res = find_cache(rq, rs, &c);

	if (!res)
		res = cache_verify(c, &v, deadline);
	if (res)
		return outcome(res > 0 ? res : engine_failed(rs, res));
	sl_text_printf(&text, "{\"objects\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"bad\": %" PRIu64
		       "}\n", v.objects, v.bytes, v.bad);
	return send_text(rs, &text);
}

/* ---- the table -------------------------------------------------------------------------- */

const struct http_route http_cache_routes[] = {
	{HTTP_ON(GET), "/cache/", get_stat, HTTP_ROUTE_NO_STORE},
	{HTTP_ON(GET), "/cache/{*}", get_object, 0},
	{HTTP_ON(PUT), "/cache/{*}", put_object, HTTP_ROUTE_WRITE | HTTP_ROUTE_LONG_BODY},
	{HTTP_ON(DELETE), "/cache/{*}", delete_object, HTTP_ROUTE_WRITE},
	{HTTP_ON(POST), "/cache-purge", post_purge, HTTP_ROUTE_WRITE},
	{HTTP_ON(POST), "/cache-verify", post_verify, HTTP_ROUTE_ADMIN},
};
const size_t http_cache_routes_n = SL_ARRAY_SIZE(http_cache_routes);
