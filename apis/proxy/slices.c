/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers from slices: of an object that is kept in parts, those that are wanted, each found in the
 * cache or fetched while the one before it is sent.
 *
 * Interface: proxy_answer_slices() of get.h. Order of parts: fetching; holding; the answer.
 */
#include <errno.h>

#include "get.h"

/* ---- fetching --------------------------------------------------------------------------- */

static void slice_ask(struct proxy_slices *s, uint64_t at, struct http_str key,
		      struct flight_ask *ret)
{
	struct proxy_get *g = s->get;

	*ret = (struct flight_ask){
		.kind = FLIGHT_SLICE,
		.key = key,
		.base = s->key,
		.host = http_str_text(&g->host),
		.path = http_str_text(&g->path),
		.lines = http_str_text(&g->lines),
		.old = &s->head,
		.slice = at,
		.slice_bytes = s->head.slice_bytes,
	};
}

/* Return: 0: look again, unless s->flight has it; -ESTALE: the object has changed; -errno. */
static int on_slice_news(struct proxy_slices *s, struct flight_reader *f,
			 const struct flight_view *v)
{
	s->get->fwd = HTTP_FWD_PARTIAL;
	s->get->fwd_status = v->status;
	s->get->collapsed |= v->collapsed;
	s->get->kept = v->news == FLIGHT_STORED || v->storing;
	switch (v->news) {
	case FLIGHT_STREAM:
		s->flight = f;
		return 0;
	case FLIGHT_STORED:
		return 0;
	case FLIGHT_CHANGED:
		return -ESTALE;
	default:
		return v->err ? v->err : -ECONNRESET;
	}
}

/* The slice is fetched, once for all. Return: as above. */
static int fetch_slice(struct proxy_slices *s, uint64_t at, struct http_str key, int64_t deadline)
{
	struct flight_reader *f = NULL;
	struct flight_view v;
	struct flight_ask ask;
	int err = proxy_get_lines(s->get);

	if (err)
		return err;
	slice_ask(s, at, key, &ask);
	err = flight_join(s->get->proxy, &ask, &f, &v, deadline);
	if (err)
		return err;
	while (v.news == FLIGHT_INTERIM && !err) {
		flight_view_done(&v);
		err = flight_wait(f, &v, deadline);
	}
	if (!err) {
		err = on_slice_news(s, f, &v);
		flight_view_done(&v);
	}
	if (f != s->flight)
		flight_leave(f);
	return err;
}

/* While this one is sent, the next one comes. */
static void fetch_ahead(struct proxy_slices *s, uint64_t at)
{
	char own[KEY_OWN_BYTES];
	struct sl_text key = sl_text_lent(own, sizeof(own));
	struct cache_object *o;
	struct flight_ask ask;

	if (at * s->head.slice_bytes >= s->head.bytes || proxy_get_lines(s->get))
		return;
	flight_slice_key(s->key, s->head.generation, at, &key);
	if (!key.err && !cache_lookup(s->get->proxy->cache, proxy_key(http_str_text(&key)),
				      CACHE_STALE, &o, s->get->deadline)) {
		cache_release(o);
	} else if (!key.err) {
		slice_ask(s, at, http_str_text(&key), &ask);
		flight_begin(s->get->proxy, &ask);
	}
	sl_text_done(&key);
}

/* ---- holding ---------------------------------------------------------------------------- */

static void drop_slice(struct proxy_slices *s)
{
	cache_release(s->object);
	flight_leave(s->flight);
	s->object = NULL;
	s->flight = NULL;
}

static uint64_t slice_len(const struct proxy_slices *s, uint64_t at)
{
	return sl_min(s->head.slice_bytes, s->head.bytes - at * s->head.slice_bytes);
}

static int hold_slice(struct proxy_slices *s, uint64_t at, int64_t deadline)
{
	struct http_proxy *p = s->get->proxy;
	char own[KEY_OWN_BYTES];
	struct sl_text key = sl_text_lent(own, sizeof(own));
	int err;

	if ((s->object || s->flight) && s->at == at)
		return 0;
	drop_slice(s);
	s->at = at;
	flight_slice_key(s->key, s->head.generation, at, &key);
	err = key.err;
	for (int i = 0; i < 3 && !err && !s->flight; i++) {
		err = cache_lookup(p->cache, proxy_key(http_str_text(&key)), CACHE_STALE,
				   &s->object, deadline);
		if (err != -ENOENT)
			break;
		sl_count(SL_M_PROXY_SLICES, 1);
		err = fetch_slice(s, at, http_str_text(&key), deadline);
	}
	sl_text_done(&key);
	if (!err && !s->object && !s->flight)
		return -EIO;
	return !err && s->object && s->object->bytes != slice_len(s, at) ? -EBADMSG : err;
}

static int slice_parts(void *arg, uint64_t off, uint64_t len, struct sl_part *ret_parts, uint32_t n,
		       int64_t deadline)
{
	struct proxy_slices *s = arg;
	uint64_t size = s->head.slice_bytes, at = off / size, in = off % size;
	int got, err = hold_slice(s, at, deadline);
	uint64_t here;

	if (err)
		return err;
	here = sl_min(len, slice_len(s, at) - in);
	if (s->flight)
		got = flight_parts(s->flight, in, here, ret_parts, n, deadline);
	else
		got = cache_parts(s->object, in, here, ret_parts, n, deadline);
	if (got > 0 && len > here)
		fetch_ahead(s, at + 1);
	return got;
}

/* ---- the answer ------------------------------------------------------------------------- */

/* Whether the first slice is there is told by Cache-Status. */
static int slice_ready(struct proxy_answer *a, uint64_t off, int64_t deadline)
{
	struct proxy_slices *s = a->arg;
	int err = hold_slice(s, off / s->head.slice_bytes, deadline);

	a->how = proxy_get_how(s->get, proxy_now_ms());
	return err;
}

int proxy_answer_slices(struct proxy_slices *s)
{
	struct proxy_get *g = s->get;
	struct proxy_answer a = {
		.status = s->head.caching.status,
		.fields = s->head.fields,
		.caching = &s->head.caching,
		.bytes = s->head.bytes,
		.parts = slice_parts,
		.ready = slice_ready,
		.arg = s,
		.eager = true,
		.how = proxy_get_how(g, proxy_now_ms()),
	};
	int err = proxy_answer(g->rq, g->rs, &a, g->deadline);

	drop_slice(s);
	return err;
}
