/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flight does: asks the origin, and stores what comes if it may be stored.
 *
 * Interface: flight_fly() of flight_pvt.h. Invariant: what becomes visible in the cache came whole,
 * as its length, its chunks or its end told; what did not is given up, and its readers see a cut.
 *
 * Order of parts: asking; where it is stored; storing; passing; slices; validating; the fiber.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flight_pvt.h"

/* ---- asking ----------------------------------------------------------------------------- */

/* Of FLIGHT_SLICE it is the slice that is asked for, if the object is still the same. */
static void put_conditions(const struct flight *f, struct sl_text *head)
{
	struct http_str etag = {0}, changed = {0};
	bool has_etag = http_lines_find(f->old.fields, "ETag", &etag);
	bool has_date = http_lines_find(f->old.fields, "Last-Modified", &changed);

	if (f->kind == FLIGHT_SLICE) {
		http_lines_put(head, http_str_of("If-Range"), has_etag ? etag : changed);
		return;
	}
	if (has_etag)
		http_lines_put(head, http_str_of("If-None-Match"), etag);
	if (has_date)
		http_lines_put(head, http_str_of("If-Modified-Since"), changed);
}

static void put_head(const struct flight *f, struct sl_text *head)
{
	uint64_t n = f->slice_bytes;

	sl_text_put_string(head, "GET ");
	sl_text_put(head, f->path.p, f->path.n);
	sl_text_put_string(head, " HTTP/1.1\r\n");
	http_lines_put(head, http_str_of("Host"), f->host);
	sl_text_put(head, f->lines.p, f->lines.n);
	if (f->kind != FLIGHT_WHOLE)
		sl_text_printf(head, "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\n", f->slice * n,
			       f->slice * n + n - 1);
	if (f->has_old)
		put_conditions(f, head);
	sl_text_put_string(head, "\r\n");
}

/* Without memory for it an interim response is not told. */
static void keep_interim(struct flight *f, struct origin_head *h)
{
	struct interim **at = &f->interim, *i = f->led ? calloc(1, sizeof(*i)) : NULL;

	if (!i || h->status == 100) {
		free(i);
		return;
	}
	i->status = h->status;
	i->lines = h->fields;
	h->fields = (struct sl_text){0};
	while (*at)
		at = &(*at)->next;
	*at = i;
	flight_news(f, FLIGHT_ASKING);
}

/* The final head; an exchange in *ret_x to be ended in any case. */
static int ask(struct flight *f, const struct sl_text *head, struct origin_exchange **ret_x,
	       struct origin_head *ret_h)
{
	const struct origin_request rq = {.head = http_str_text(head), .again = true};
	char why[200] = "";
	int err = origin_begin(f->proxy->origin, &rq, ret_x, why, sizeof(why), SL_NEVER);

	if (err) {
		sl_log_warn("proxy.origin-unreachable", SL_KV(why, why), SL_KV_ERRNO(err));
		return err;
	}
	for (;;) {
		err = origin_read_head(*ret_x, ret_h, SL_NEVER);
		if (err || ret_h->status >= 200)
			return err;
		keep_interim(f, ret_h);
		origin_head_done(ret_h);
	}
}

/* ---- where it is stored ------------------------------------------------------------------ */

/* The generation that leads to the variants, which a first one makes. */
static int find_generation(struct flight *f)
{
	struct stored marker = {.kind = STORED_VARIES}, old;
	struct cache_put_conf conf = {.bytes = 0, .expires_ms = INT64_MAX};
	struct cache *c = f->proxy->cache;
	struct cache_object *o;
	struct cache_put *put;
	struct sl_text meta = {0};
	bool same = false;
	int err = cache_lookup(c, proxy_key(f->base), CACHE_STALE, &o, SL_NEVER);

	if (!err) {
		same = !stored_read(o->meta, o->meta_bytes, &old) && old.kind == STORED_VARIES &&
		       old.fields.n == f->names.len &&
		       !memcmp(old.fields.p, f->names.data, f->names.len);
		f->generation = same ? old.generation : 0;
		cache_release(o);
	}
	if (same)
		return 0;
	sl_random(&f->generation, sizeof(f->generation));
	marker.generation = f->generation;
	marker.fields = http_lines_of(&f->names);
	stored_write(&marker, &meta);
	conf.meta = meta.data;
	conf.meta_bytes = (uint32_t)meta.len;
	err = meta.err;
	if (!err)
		err = cache_put_begin(c, proxy_key(f->base), &conf, &put, SL_NEVER);
	if (!err)
		err = cache_put_commit(put, SL_NEVER);
	sl_text_done(&meta);
	return err;
}

/* Where it is stored. Return: 0; -EMSGSIZE: nowhere, no request could select it; -errno. */
static int find_key(struct flight *f)
{
	int err;

	if (!http_vary_of(http_lines_of(&f->fields), &f->names))
		return -EMSGSIZE;
	if (f->names.err)
		return f->names.err;
	f->stored_key.len = 0;
	if (!f->names.len) {
		sl_text_put(&f->stored_key, f->base.p, f->base.n);
		return f->stored_key.err;
	}
	err = find_generation(f);
	if (err)
		return err;
	flight_vary_key(f->base, f->generation, http_str_text(&f->names),
			(struct http_lines){f->lines.p, f->lines.n}, &f->stored_key);
	if (f->stored_key.err)
		return f->stored_key.err;
	return f->stored_key.len > CACHE_KEY_BYTES_MAX ? -EMSGSIZE : 0;
}

/* ---- storing ---------------------------------------------------------------------------- */

/* Cache-Tag names tags, to purge many objects at once by; in @text, in the proxy's space. */
static uint32_t find_tags(const struct flight *f, struct sl_text *text, struct cache_key *tags)
{
	struct http_lines left = http_lines_of(&f->fields);
	struct http_line line;
	uint32_t n = 0;
	size_t at = 0;

	while (http_lines_next(&left, &line)) {
		struct http_str tag;

		if (!http_str_is(line.name, "Cache-Tag"))
			continue;
		while (n < CACHE_TAGS_MAX && http_list_next(&line.value, &tag))
			if (tag.n + 2 <= CACHE_TAG_BYTES_MAX) {
				tags[n++].n = tag.n + 2;
				sl_text_put(text, "p:", 2);
				sl_text_put(text, tag.p, tag.n);
			}
	}
	for (uint32_t i = 0; i < n && !text->err; at += tags[i++].n)
		tags[i].p = text->data + at;
	return n;
}

struct stored flight_slices_head(const struct flight *f)
{
	return (struct stored){
		.kind = STORED_SLICED,
		.bytes = f->whole,
		.slice_bytes = f->slice_bytes,
		.generation = f->slices,
		.caching = f->caching,
		.fields = http_lines_of(&f->fields),
	};
}

/* A whole response can do without; slices are stored as the first one was. */
static int begin_put(struct flight *f, const struct stored *s, struct http_str key, uint64_t bytes,
		     bool optional, struct cache_put **ret_put)
{
	struct cache_key tags[CACHE_TAGS_MAX];
	struct sl_text meta = {0}, text = {0};
	struct cache_put_conf conf = {.bytes = bytes, .tags = tags, .optional = optional};
	int err;

	stored_write(s, &meta);
	conf.meta = meta.data;
	conf.meta_bytes = (uint32_t)meta.len;
	conf.expires_ms = proxy_expiry_ms(&f->caching);
	conf.tags_n = find_tags(f, &text, tags);
	err = meta.err ? meta.err : meta.len > CACHE_META_BYTES_MAX ? -EMSGSIZE : text.err;
	if (!err)
		err = cache_put_begin(f->proxy->cache, proxy_key(key), &conf, ret_put, SL_NEVER);
	sl_text_done(&meta);
	sl_text_done(&text);
	return err;
}

/* Nothing comes behind what was told. */
static int check_end(struct origin_exchange *x)
{
	uint8_t more;
	ssize_t n = origin_read_body(x, &more, 1, SL_NEVER);

	return n > 0 ? -EBADMSG : (int)n;
}

/*
 * The whole body, of @bytes bytes if that is known, into @put. Return: 0; -errno: with f->refused
 * if it is the cache that failed, and @put has all that came.
 */
static int fill(struct flight *f, struct origin_exchange *x, struct cache_put *put, uint64_t bytes)
{
	for (uint64_t got = 0;;) {
		size_t room;
		void *p;
		ssize_t n;
		int err;

		if (got == bytes)
			return check_end(x);
		err = cache_put_room(put, &p, &room, SL_NEVER);
		f->refused = err;
		if (err)
			return err;
		n = origin_read_body(x, p, room, SL_NEVER);
		if (n <= 0)
			return (int)n;
		got += (uint64_t)n;
		sl_count(SL_M_PROXY_ORIGIN_BYTES, (uint64_t)n);
		err = cache_put_took(put, (size_t)n, SL_NEVER);
		f->refused = err && cache_put_written(put) == got;
		if (err)
			return err;
		sl_waitq_wake_all(&f->changed, 0);
	}
}

/* The cache takes no more: the rest goes to who reads it by now, and nobody else. */
static void spill(struct flight *f, struct origin_exchange *x)
{
	f->refused = true;
	flight_unlist(f);
	flight_news(f, FLIGHT_PASSING);
	f->err = flight_queue(f, x);
	flight_news(f, f->err ? FLIGHT_FLOP : FLIGHT_DONE);
}

/* What makes it found, if that is not its own key. */
static int put_slices_head(struct flight *f)
{
	const struct stored s = flight_slices_head(f);
	struct cache_put *put;
	int err = begin_put(f, &s, http_str_text(&f->stored_key), 0, false, &put);

	return err ? err : cache_put_commit(put, SL_NEVER);
}

/* All of it came: it is stored, unless it was forgotten meanwhile. */
static int commit(struct flight *f, struct cache_put *put)
{
	int err = cache_put_commit(put, SL_NEVER);

	/* Slices that nothing leads to are not found. */
	if (err || (f->whole && f->forgotten))
		return err;
	if (f->whole)
		err = put_slices_head(f);
	/* Its readers have it still. */
	if (!err && f->forgotten)
		cache_remove(f->proxy->cache, proxy_key(http_str_text(&f->stored_key)), SL_NEVER);
	return err;
}

static void store(struct flight *f, struct origin_exchange *x, struct cache_put *put)
{
	int err;

	f->put = put;
	flight_news(f, FLIGHT_STORING);
	err = fill(f, x, put, f->bytes);
	if (!err || f->refused)
		flight_keep(f);
	f->put = NULL;
	if (err) {
		cache_put_abort(put);
		f->err = err;
		if (f->refused)
			spill(f, x);
		else
			flight_news(f, FLIGHT_FLOP);
		return;
	}
	f->filled = true;
	f->bytes = f->came;
	flight_news(f, FLIGHT_COMMITTING);
	/* Who waits for the last bytes takes them before their turn to be synced. */
	sl_fiber_yield(SL_NEVER);
	err = commit(f, put);
	f->refused = err;
	f->err = err;
	flight_news(f, err ? FLIGHT_FLOP : FLIGHT_DONE);
}

/* ---- passing ---------------------------------------------------------------------------- */

/* To the leader, all fields as they are. */
static void pass(struct flight *f, struct origin_exchange *x, const struct origin_head *h)
{
	f->fields.len = 0;
	f->passed = true;
	sl_text_put(&f->fields, h->fields.data, h->fields.len);
	if (f->fields.err || !f->led) {
		f->err = f->fields.err;
		flight_news(f, f->err ? FLIGHT_FLOP : FLIGHT_DONE);
		return;
	}
	flight_news(f, FLIGHT_PASSING);
	f->err = flight_queue(f, x);
	flight_mark_alone(f);
	flight_news(f, f->err ? FLIGHT_FLOP : FLIGHT_DONE);
}

/* ---- slices ----------------------------------------------------------------------------- */

/* "bytes 0-9/100". Return: whether it is one. */
static bool parse_content_range(struct http_lines fields, uint64_t *ret_first, uint64_t *ret_last,
				uint64_t *ret_bytes)
{
	struct http_str v;
	char text[80];
	int n = 0;

	if (!http_lines_find(fields, "Content-Range", &v) || v.n >= sizeof(text) ||
	    memchr(v.p, '-', v.n) == NULL)
		return false;
	memcpy(text, v.p, v.n);
	text[v.n] = 0;
	return sscanf(text, "bytes %20" SCNu64 "-%20" SCNu64 "/%20" SCNu64 "%n", ret_first,
		      ret_last, ret_bytes, &n) == 3 &&
	       (size_t)n == v.n;
}

/* A 206 of exactly the slice that was asked for, with the object's length. */
static bool is_the_slice(const struct flight *f, const struct origin_head *h, uint64_t *ret_bytes)
{
	uint64_t n = f->slice_bytes, first, last, bytes;

	if (!parse_content_range(http_lines_of(&h->fields), &first, &last, &bytes) || !bytes)
		return false;
	if (first != f->slice * n || last != sl_min(first + n, bytes) - 1 || last < first)
		return false;
	*ret_bytes = bytes;
	return h->bytes == UINT64_MAX || h->bytes == last - first + 1;
}

/* Slices fetched at different times belong together only if a strong validator says so. */
static bool has_strong_validator(struct http_lines fields)
{
	struct http_str v;

	if (http_lines_find(fields, "ETag", &v))
		return http_etag_same(v, v, true);
	return http_lines_find(fields, "Last-Modified", &v);
}

static bool same_validator(struct http_lines a, struct http_lines b)
{
	struct http_str va, vb;
	bool in_a = http_lines_find(a, "ETag", &va), in_b = http_lines_find(b, "ETag", &vb);

	if (in_a || in_b)
		return in_a && in_b && http_etag_same(va, vb, true);
	in_a = http_lines_find(a, "Last-Modified", &va);
	in_b = http_lines_find(b, "Last-Modified", &vb);
	return in_a && in_b && http_str_same(va, vb);
}

static uint64_t bytes_of_slice(const struct flight *f, uint64_t bytes)
{
	return sl_min(f->slice_bytes, bytes - f->slice * f->slice_bytes);
}

static void end(struct flight *f, int err, enum flight_state state)
{
	f->err = err;
	flight_news(f, err ? FLIGHT_FLOP : state);
}

/* It streams while it is stored, and the head that leads to all of them is stored behind it. */
static int store_first_slice(struct flight *f, struct origin_exchange *x, uint64_t bytes)
{
	const struct stored s = {.kind = STORED_SLICE};
	struct sl_text key = {0};
	struct cache_put *put;
	int err;

	sl_random(&f->slices, sizeof(f->slices));
	flight_slice_key(http_str_text(&f->stored_key), f->slices, f->slice, &key);
	err = key.err;
	if (!err)
		err = begin_put(f, &s, http_str_text(&key), bytes_of_slice(f, bytes), false, &put);
	sl_text_done(&key);
	if (err)
		return err;
	f->whole = bytes;
	f->bytes = bytes_of_slice(f, bytes);
	store(f, x, put);
	return 0;
}

/* It streams to those who wait while it is stored under its own key. */
static void take_slice(struct flight *f, struct origin_exchange *x, const struct origin_head *h)
{
	const struct stored s = {.kind = STORED_SLICE};
	struct cache_put *put;
	uint64_t bytes;

	if (h->status == 206 && is_the_slice(f, h, &bytes) && bytes == f->old.bytes &&
	    same_validator(f->old.fields, http_lines_of(&h->fields))) {
		f->caching = f->old.caching;
		f->bytes = bytes_of_slice(f, bytes);
		if (begin_put(f, &s, http_str_text(&f->key), f->bytes, false, &put))
			spill(f, x);
		else
			store(f, x, put);
		return;
	}
	if (h->status >= 500) {
		end(f, -EIO, FLIGHT_FLOP);
		return;
	}
	/* It is another object by now, or none: the head that led here is of no use. */
	cache_remove(f->proxy->cache, proxy_key(f->base), SL_NEVER);
	end(f, 0, FLIGHT_OTHER);
}

/* ---- validating ------------------------------------------------------------------------- */

/* A strong validator that is not ours tells of another response (RFC 9111, 4.3.4). */
static bool is_of_another(const struct flight *f, const struct origin_head *h)
{
	struct http_str ours, theirs;

	return http_lines_find(http_lines_of(&h->fields), "ETag", &theirs) &&
	       http_etag_same(theirs, theirs, true) &&
	       (!http_lines_find(f->old.fields, "ETag", &ours) ||
		!http_etag_same(ours, theirs, false));
}

static void validated(struct flight *f, const struct origin_head *h, int64_t asked_ms)
{
	const struct proxy_old old = {.key = http_str_text(&f->key), .version = f->seen,
				      .stored = &f->old};

	sl_count(SL_M_PROXY_VALIDATIONS, 1);
	if (is_of_another(f, h)) {
		cache_remove(f->proxy->cache, proxy_key(http_str_text(&f->key)), SL_NEVER);
		end(f, 0, FLIGHT_OTHER);
		return;
	}
	end(f, proxy_freshen(f->proxy, &old, h, asked_ms, SL_NEVER), FLIGHT_DONE);
}

/* ---- the fiber -------------------------------------------------------------------------- */

/* What was asked for is not what the client wants; nobody is to ask for it again so soon. */
static void give_up_part(struct flight *f)
{
	f->contended = true;
	flight_mark_alone(f);
	end(f, 0, FLIGHT_UNSHARED);
}

/* @part: a 206 of the first slice, of an object of @bytes bytes. */
static void take_new(struct flight *f, struct origin_exchange *x, const struct origin_head *h,
		     int64_t asked_ms, bool part, uint64_t bytes)
{
	struct http_received r = proxy_received(f->proxy, h, asked_ms);
	struct stored s = {.kind = STORED_WHOLE};
	struct sl_text scratch = {0};
	struct cache_put *put;
	struct http_cc cc;
	bool may;
	int err;

	r.status = part ? 200 : h->status;
	err = http_caching_of(&r, &f->caching, &cc, &scratch);
	may = !err && http_may_store(&r, &f->caching, &cc, f->authorized) &&
	      (!part || has_strong_validator(r.fields));
	if (may)
		err = proxy_keep_fields(h, &cc, part, &f->fields);
	if (may && !err)
		err = find_key(f);
	sl_text_done(&scratch);
	if (may && !err && part && bytes > f->slice_bytes) {
		if (store_first_slice(f, x, bytes))
			give_up_part(f);
		return;
	}
	f->status = r.status;
	f->bytes = part ? bytes : h->bytes;
	s.caching = f->caching;
	s.fields = http_lines_of(&f->fields);
	s.bytes = f->bytes;
	if (may && !err)
		err = begin_put(f, &s, http_str_text(&f->stored_key), f->bytes, !part, &put);
	if (may && !err) {
		store(f, x, put);
	} else if (part) {
		give_up_part(f);
	} else {
		pass(f, x, h);
	}
}

static void take(struct flight *f, struct origin_exchange *x, const struct origin_head *h,
		 int64_t asked_ms)
{
	uint64_t bytes = 0;

	f->status = h->status;
	if (h->status == 304 && !f->has_old)
		end(f, -EPROTO, FLIGHT_FLOP);
	else if (f->kind == FLIGHT_SLICE)
		take_slice(f, x, h);
	else if (h->status == 304)
		validated(f, h, asked_ms);
	else if (h->status >= 500 && f->has_old)
		pass(f, x, h);
	else if (f->kind == FLIGHT_FIRST_SLICE && h->status == 206 && !is_the_slice(f, h, &bytes))
		give_up_part(f);
	else
		take_new(f, x, h, asked_ms, bytes > 0, bytes);
}

/* What was stored since the request looked, by a flight that has just ended. */
static bool is_there(struct flight *f)
{
	struct cache_object *o;
	bool other;

	if (cache_lookup(f->proxy->cache, proxy_key(http_str_text(&f->key)), CACHE_STALE, &o,
			 SL_NEVER))
		return false;
	other = o->version != f->seen;
	cache_release(o);
	return other;
}

static void fly(struct flight *f)
{
	struct origin_exchange *x = NULL;
	struct origin_head h = {0};
	struct sl_text head = {0};
	int64_t asked_ms = proxy_now_ms();
	int err;

	put_head(f, &head);
	err = head.err;
	if (!err)
		err = ask(f, &head, &x, &h);
	if (err) {
		sl_count(SL_M_PROXY_ORIGIN_ERRORS, 1);
		end(f, err, FLIGHT_FLOP);
	} else {
		take(f, x, &h, asked_ms);
	}
	origin_head_done(&h);
	origin_end(x);
	sl_text_done(&head);
}

void flight_fly(void *arg)
{
	struct flight *f = arg;

	if (is_there(f))
		end(f, 0, FLIGHT_DONE);
	else
		fly(f);
	flight_release(f);
}
