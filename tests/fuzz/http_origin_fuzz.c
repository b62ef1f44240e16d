// SPDX-License-Identifier: Apache-2.0
/*
 * Responses of an origin. The first byte says in what steps the rest comes, and whether it answers
 * a HEAD. Whatever comes: fields that are passed on have no line end, nothing of the connection and
 * nothing of the framing among them, and no body is longer than was told.
 */
#include <string.h>

#include "apis/proxy/origin_read.h"
#include "apis/proxy/rfc9111.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct wire {
	const uint8_t *p;
	size_t n, step;
};

static ssize_t from_wire(void *arg, void *dst, size_t max, int64_t deadline)
{
	struct wire *w = arg;
	size_t n = sl_min(sl_min(max, w->step), w->n);

	(void)deadline;
	memcpy(dst, w->p, n);
	w->p += n;
	w->n -= n;
	return (ssize_t)n;
}

static void check_fields(const struct origin_head *h)
{
	struct http_lines left = http_lines_of(&h->fields);
	struct http_line line;
	size_t seen = 0;

	while (http_lines_next(&left, &line)) {
		SL_ASSERT(!http_field_is_hop(line.name, http_str_of("")));
		SL_ASSERT(!http_str_is(line.name, "Content-Length"));
		SL_ASSERT(!memchr(line.value.p, '\r', line.value.n));
		SL_ASSERT(!memchr(line.value.p, '\n', line.value.n));
		seen += line.text.n;
	}
	SL_ASSERT(seen == h->fields.len);
}

static void check_rules(const struct origin_head *h)
{
	struct http_received r = {
		.fields = http_lines_of(&h->fields),
		.status = h->status,
		.guess_max_s = 86400,
	};
	struct sl_text scratch = {0}, names = {0}, path = {0};
	const struct http_target base = {http_str_of("http"), http_str_of("h"),
					 http_str_of("/a/b?c")};
	struct http_caching c;
	struct http_str v;
	struct http_cc cc;

	SL_ASSERT(!http_caching_of(&r, &c, &cc, &scratch));
	SL_ASSERT(c.fresh_s >= 0 && c.fresh_s <= HTTP_SECONDS_MAX * 200);
	if (http_may_store(&r, &c, &cc, false))
		SL_ASSERT(!http_cc_has(&cc, HTTP_CC_PRIVATE));
	http_vary_of(r.fields, &names);
	if (http_lines_find(r.fields, "Location", &v) && http_target_resolve(&base, v, &path))
		SL_ASSERT(path.len && path.data[0] == '/');
	sl_text_done(&scratch);
	sl_text_done(&names);
	sl_text_done(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct wire w;
	struct origin_reader *r;
	struct origin_head h;

	if (n < 1)
		return 0;
	w = (struct wire){data + 1, n - 1, (size_t)(data[0] >> 1) + 1};
	r = origin_reader_new(from_wire, &w);
	origin_reader_start(r, data[0] & 1);
	while (!origin_reader_head(r, &h, SL_NEVER)) {
		uint64_t told = h.bytes, got = 0;
		bool last = h.status >= 200;
		uint8_t body[64];
		ssize_t k = 0;

		check_fields(&h);
		check_rules(&h);
		origin_head_done(&h);
		while (last && (k = origin_reader_body(r, body, sizeof(body), SL_NEVER)) > 0)
			got += (uint64_t)k;
		SL_ASSERT(got <= told);
		SL_ASSERT(k || !last || !got || told == UINT64_MAX || got == told);
		if (!last)
			continue;
		if (k || !origin_reader_reusable(r))
			break;
		origin_reader_start(r, false);
	}
	origin_reader_free(r);
	return 0;
}
