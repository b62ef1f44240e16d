// SPDX-License-Identifier: Apache-2.0
/*
 * The status page.
 *
 * Interface: status.h; its files are in status/, taken into the program by status_files.S, so that
 * the page needs no network but the one that it comes from. The policy that is sent with it lets a
 * browser run and load nothing else. Files change with the program only; browsers keep them and
 * ask by their ETag whether they are still the same.
 * Order of parts: the files; sending one; the handlers.
 */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

/* ---- the files -------------------------------------------------------------------------- */

#define FILE_OF(symbol) extern const char http_status_##symbol[], http_status_##symbol##_end[]

FILE_OF(page_html);
FILE_OF(page_css);
FILE_OF(page_js);
FILE_OF(mark_svg);

struct file {
	const char *name, *content_type, *data, *end;
};

#define ROW(symbol, name, type)                                                                    \
	{                                                                                          \
		name, type, http_status_##symbol, http_status_##symbol##_end                       \
	}

static const struct file page = ROW(page_html, "page.html", "text/html; charset=utf-8");

static const struct file files[] = {
	ROW(page_css, "page.css", "text/css; charset=utf-8"),
	ROW(page_js, "page.js", "text/javascript; charset=utf-8"),
	ROW(mark_svg, "mark.svg", "image/svg+xml"),
};

/* ---- sending one ------------------------------------------------------------------------ */

static const char *const fields[][2] = {
	{"Cache-Control", "no-cache"}, /* keep it, but ask */
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	 "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
};

/* Whether @list, as If-None-Match has it, names @etag; a weak one (W/) counts like a strong one. */
static bool names_etag(struct http_str list, const char *etag)
{
	if (list.n == 1 && *list.p == '*')
		return true;
	return memmem(list.p, list.n, etag, strlen(etag));
}

static int send_file(struct http_request *rq, struct http_response *rs, const struct file *f)
{
	size_t n = (size_t)(f->end - f->data);
	struct http_str known;
	char etag[24];
	int err;

	snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)XXH3_64bits(f->data, n));
	err = http_response_field(rs, "ETag", etag);
	for (size_t i = 0; i < SL_ARRAY_SIZE(fields) && !err; i++)
		err = http_response_field(rs, fields[i][0], fields[i][1]);
	if (err)
		return err;
	if (http_request_field(rq, "If-None-Match", &known) && names_etag(known, etag)) {
		rs->status = 304;
		return 0;
	}
	rs->content_type = f->content_type;
	rs->parts[rs->n++] = sl_part_slice(sl_slice_borrow(f->data, n));
	return 0;
}

/* ---- the handlers ----------------------------------------------------------------------- */

/* Browsers name text/html when a person asks for a page; programs do not, or say any type. */
bool http_status_wanted(const struct http_request *rq)
{
	static const char html[] = "text/html";

	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_str value = http_request_str(rq, rq->fields[i].value);

		if (!http_str_is(http_request_str(rq, rq->fields[i].name), "Accept"))
			continue;
		for (; value.n >= sizeof(html) - 1; value.p++, value.n--)
			if (!strncasecmp(value.p, html, sizeof(html) - 1))
				return true;
	}
	return false;
}

int http_status_get(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	static const char greeting[] = "{\"title\": \"sluice\", \"version\": \"" SL_VERSION "\"}\n";
	int err = http_response_field(rs, "Vary", "Accept");

	if (!err && http_status_wanted(rq))
		return send_file(rq, rs, &page);
	return err ? err
		   : http_response_body(rs, "application/json", greeting, sizeof(greeting) - 1);
}

int http_status_file_get(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	const struct http_str *name = &rq->params[0];

	for (size_t i = 0; i < SL_ARRAY_SIZE(files); i++)
		if (name->n == strlen(files[i].name) && !memcmp(name->p, files[i].name, name->n))
			return send_file(rq, rs, &files[i]);
	http_response_error(rs, 404, "no such path");
	return 0;
}
