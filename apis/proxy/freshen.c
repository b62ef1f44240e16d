/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored response brought up to date by a later one without a body: 304, or 200 to HEAD.
 *
 * Interface: "what is kept of a response" of proxy_pvt.h. Invariant: only the version that was
 * asked about is changed; what replaced it meanwhile is newer still.
 *
 * Order of parts: what is kept; updating; HEAD.
 */
#include <errno.h>

#include "proxy_pvt.h"

/* ---- what is kept ----------------------------------------------------------------------- */

int proxy_keep_fields(const struct origin_head *h, const struct http_cc *cc, bool part,
		      struct sl_text *ret_fields)
{
	struct http_lines left = http_lines_of(&h->fields);
	struct http_str dropped = http_str_text(&h->dropped), any;
	struct http_line line;

	ret_fields->len = 0;
	while (http_lines_next(&left, &line)) {
		if (http_field_unstored(line.name, dropped, cc) || http_str_is(line.name, "Age") ||
		    (part && http_str_is(line.name, "Content-Range")))
			continue;
		sl_text_put(ret_fields, line.text.p, line.text.n);
	}
	if (!http_lines_find(http_lines_of(ret_fields), "Date", &any)) {
		char date[HTTP_DATE_BYTES];
		int64_t s = proxy_now_ms() / 1000;

		http_date_format(http_date_can(s) ? s : 0, date);
		http_lines_put_string(ret_fields, "Date", date);
	}
	return ret_fields->err;
}

struct http_received proxy_received(const struct http_proxy *p, const struct origin_head *h,
				    int64_t asked_ms)
{
	return (struct http_received){
		.fields = http_lines_of(&h->fields),
		.status = h->status,
		.asked_ms = asked_ms,
		.came_ms = proxy_now_ms(),
		.guess_max_s = proxy_guess_max_s(p),
	};
}

int64_t proxy_expiry_ms(const struct http_caching *c)
{
	return c->born_ms + (c->fresh_s + sl_max(c->swr_s, c->sie_s)) * 1000;
}

/* ---- updating --------------------------------------------------------------------------- */

static int update(struct http_proxy *p, const struct proxy_old *old, const struct stored *s,
		  int64_t deadline)
{
	struct sl_text meta = {0};
	int err;

	stored_write(s, &meta);
	err = meta.err;
	if (!err && meta.len > CACHE_META_BYTES_MAX)
		err = -EMSGSIZE;
	if (!err)
		err = cache_update(p->cache, proxy_key(old->key), old->version, meta.data,
				   (uint32_t)meta.len, proxy_expiry_ms(&s->caching), deadline);
	sl_text_done(&meta);
	return err == -ENOENT || err == -ESTALE ? 0 : err;
}

int proxy_freshen(struct http_proxy *p, const struct proxy_old *old, const struct origin_head *h,
		  int64_t asked_ms, int64_t deadline)
{
	struct http_received r = proxy_received(p, h, asked_ms);
	struct stored s = *old->stored;
	struct sl_text fields = {0}, merged = {0}, scratch = {0};
	struct http_cc cc;
	int err = proxy_keep_fields(h, &(struct http_cc){0}, true, &fields);

	http_fields_update(old->stored->fields, http_lines_of(&fields), &merged);
	s.fields = r.fields = http_lines_of(&merged);
	r.status = s.caching.status;
	err = err ? err : merged.err;
	if (!err)
		err = http_caching_of(&r, &s.caching, &cc, &scratch);
	if (!err)
		err = update(p, old, &s, deadline);
	sl_text_done(&fields);
	sl_text_done(&merged);
	sl_text_done(&scratch);
	return err;
}

/* ---- HEAD ------------------------------------------------------------------------------- */

/* Whether a validator that came is the stored one. */
static bool is_same(struct http_lines stored, struct http_lines came, const char *name)
{
	struct http_str ours, theirs;

	return !http_lines_find(came, name, &theirs) ||
	       (http_lines_find(stored, name, &ours) && http_etag_same(ours, theirs, false));
}

/* RFC 9111, 4.3.5. */
void proxy_freshen_by_head(struct http_proxy *p, const struct proxy_old *old,
			   const struct origin_head *h, int64_t asked_ms, int64_t deadline)
{
	struct http_lines came = http_lines_of(&h->fields), stored = old->stored->fields;
	struct http_received r = proxy_received(p, h, asked_ms);
	struct http_caching caching;
	struct sl_text scratch = {0};
	struct http_cc cc;
	bool same = is_same(stored, came, "ETag") && is_same(stored, came, "Last-Modified") &&
		    (h->bytes == HTTP_BYTES_UNKNOWN || h->bytes == old->bytes);

	/* The client has its answer by now, whatever becomes of this. */
	if (same && !http_caching_of(&r, &caching, &cc, &scratch) &&
	    !http_cc_has(&cc, HTTP_CC_NO_STORE) && !http_cc_has(&cc, HTTP_CC_PRIVATE))
		(void)proxy_freshen(p, old, h, asked_ms, deadline);
	else
		(void)cache_remove(p->cache, proxy_key(old->key), deadline);
	sl_text_done(&scratch);
}
