/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static files: GET and HEAD of what lies below static.root.
 *
 * Interface: static.h. The engine, stores/static, gives a file; here it is named, dated and cut
 * into what was asked for. A body is an extent of the file, so that its bytes go from the page
 * cache to the socket.
 *
 * Order of parts: what is served; what describes a file; whole, one range, several; redirects;
 * the handler; the table.
 */
#include "static.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mime.h"
#include "stores/static/static.h"

/* ---- what is served --------------------------------------------------------------------- */

void http_static_init(struct http_static *s, struct sl_static *files, const char *index,
		      uint64_t max_age_s)
{
	*s = (struct http_static){.files = files};
	memcpy(s->index, index, strnlen(index, sizeof(s->index) - 1));
	http_static_set_max_age(s, max_age_s);
}

void http_static_set_max_age(struct http_static *s, uint64_t max_age_s)
{
	__atomic_store_n(&s->max_age_s, max_age_s, __ATOMIC_RELAXED);
}

/* ---- what describes a file -------------------------------------------------------------- */

/* Three numbers in hexadecimal, quotes and dashes. */
enum { ETAG_BYTES = 3 * 16 + 5 };

/* Room for the names of the fields and their ends, too. */
enum { LINES_BYTES = ETAG_BYTES + HTTP_DATE_BYTES + 48 };

/* Kept with the open file. @n: bytes of @lines, 0: it is to be made. */
struct description {
	const char *type;
	uint32_t n;
	char etag[ETAG_BYTES];
	char lines[LINES_BYTES];
};

_Static_assert(sizeof(struct description) <= SL_STATIC_NOTE_BYTES, "it is a file's note");

struct found {
	struct sl_static_file file;
	struct description *d;
};

static char *put_hex(char *p, uint64_t v)
{
	int shift = v ? (63 - __builtin_clzll(v)) & ~3 : 0;

	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

/* What changes whenever a file is written or replaced, as far as its times tell. */
static void etag_format(const struct sl_static_file *f, char *ret_etag)
{
	char *p = ret_etag;

	*p++ = '"';
	p = put_hex(p, (uint64_t)f->changed_s);
	*p++ = '-';
	p = put_hex(p, f->changed_ns);
	*p++ = '-';
	p = put_hex(p, f->bytes);
	*p++ = '"';
	*p = 0;
	SL_ASSERT(p < ret_etag + ETAG_BYTES);
}

static void describe(struct description *d, const struct sl_static_file *f, const char *path)
{
	char date[HTTP_DATE_BYTES];
	int n;

	d->type = http_mime_type(path);
	etag_format(f, d->etag);
	n = snprintf(d->lines, sizeof(d->lines), "ETag: %s\r\nAccept-Ranges: bytes\r\n", d->etag);
	if (http_date_can(f->changed_s)) {
		http_date_format(f->changed_s, date);
		n += snprintf(d->lines + n, sizeof(d->lines) - (size_t)n,
			      "Last-Modified: %s\r\n", date);
	}
	SL_ASSERT((size_t)n < sizeof(d->lines));
	d->n = (uint32_t)n;
}

static int put_fields(const struct http_request *rq, struct http_response *rs,
		      const struct description *d)
{
	const struct http_static *s = rq->api_arg;
	uint64_t max_age_s = __atomic_load_n(&s->max_age_s, __ATOMIC_RELAXED);
	int err = http_response_lines(rs, d->lines, d->n);
	char age[40];

	if (err || !max_age_s)
		return err;
	snprintf(age, sizeof(age), "max-age=%" PRIu64, max_age_s);
	return http_response_field(rs, "Cache-Control", age);
}

/* ---- whole, one range, several ---------------------------------------------------------- */

/* Adds [@off, @off + @len) of the file, with a reference of its own. */
static void add_extent(struct http_response *rs, const struct found *f, uint64_t off, uint64_t len)
{
	SL_ASSERT(rs->n < HTTP_PARTS_MAX && off + len <= f->file.bytes);
	sl_file_retain(f->file.file);
	rs->parts[rs->n++] =
		sl_part_extent((struct sl_extent){.file = f->file.file, .off = off, .len = len});
}

static int put_range(struct http_response *rs, const struct found *f, const struct http_range *r)
{
	rs->content_type = f->d->type;
	add_extent(rs, f, r->off, r->len);
	return http_partial_one(rs, r, f->file.bytes);
}

static int put_ranges(struct http_response *rs, const struct found *f, const struct http_range *r,
		      int n)
{
	struct http_multipart m;
	int err = http_multipart_make(rs, (struct http_str){f->d->type, strlen(f->d->type)},
				      f->file.bytes, r, n, &m);

	if (err)
		return err;
	for (int i = 0; i < n; i++) {
		rs->parts[rs->n++] = http_multipart_take(&m, i);
		add_extent(rs, f, r[i].off, r[i].len);
	}
	/* With it goes the memory of all, the type's too, when it is sent. */
	rs->parts[rs->n++] = http_multipart_take(&m, n);
	http_multipart_done(&m);
	return 0;
}

static int put_body(const struct http_request *rq, struct http_response *rs, const struct found *f,
		    const struct http_validators *v)
{
	struct http_range ranges[HTTP_RANGES_MAX];
	int n = http_partial_choose(rq, v, f->file.bytes, ranges);

	if (n < 0)
		return http_partial_none(rs, "file", f->file.bytes);
	if (n == 1)
		return put_range(rs, f, ranges);
	if (n > 1)
		return put_ranges(rs, f, ranges, n);
	rs->content_type = f->d->type;
	if (f->file.bytes)
		add_extent(rs, f, 0, f->file.bytes);
	return 0;
}

_Static_assert(2 * HTTP_RANGES_MAX + 1 <= HTTP_PARTS_MAX, "a head for each range, and the end");

/* ---- redirects -------------------------------------------------------------------------- */

/*
 * To the same folder with its slash, relative to what was asked for: so it holds behind a proxy
 * that puts a prefix before it, and cannot lead to another host.
 */
static int redirect(const struct http_request *rq, struct http_response *rs, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct http_str query = http_request_str(rq, rq->query);
	char location[HTTP_EXTRA_BYTES] = "./";
	ssize_t n = http_path_encode(name, strlen(name), location + 2, sizeof(location) - 4);

	if (n < 0)
		return -ENAMETOOLONG;
	rs->status = 301;
	if (query.n && query.n < sizeof(location) - 4 - (size_t)n)
		snprintf(location + 2 + n, sizeof(location) - 2 - (size_t)n, "/?%.*s",
			 (int)query.n, query.p);
	else
		memcpy(location + 2 + n, "/", 2);
	return http_response_field(rs, "Location", location);
}

/* ---- the handler ------------------------------------------------------------------------ */

/* The path of the file that is meant; a folder means its index. */
static int find_path(const struct http_request *rq, char *ret_path)
{
	const struct http_static *s = rq->api_arg;
	size_t index_n = strlen(s->index);
	ssize_t n = http_path_clean(http_request_str(rq, rq->path), ret_path);

	if (n < 0)
		return (int)n;
	if (n && ret_path[n - 1] != '/')
		return 0;
	if ((size_t)n + index_n >= HTTP_PATH_BYTES)
		return -ENAMETOOLONG;
	memcpy(ret_path + n, s->index, index_n + 1);
	return 0;
}

static int answer(const struct http_request *rq, struct http_response *rs, const struct found *f)
{
	struct http_validators v = {.etag = f->d->etag, .changed_s = f->file.changed_s};
	int err = put_fields(rq, rs, f->d);
	int status;

	if (err)
		return err;
	status = http_condition_check(rq, &v);
	if (!status)
		return put_body(rq, rs, f, &v);
	if (status == 412)
		http_response_error(rs, status, "the file is not what the request says it is");
	rs->status = status;
	return 0;
}

static int get_file(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	const struct http_static *s = rq->api_arg;
	char path[HTTP_PATH_BYTES];
	struct found f;
	int err = find_path(rq, path);

	if (!err)
		err = sl_static_find(s->files, path, &f.file, deadline);
	if (err == -EISDIR)
		return redirect(rq, rs, path);
	if (err)
		return err;
	f.d = f.file.note;
	if (!f.d->n)
		describe(f.d, &f.file, path);
	err = answer(rq, rs, &f);
	sl_file_release(f.file.file);
	return err;
}

/* ---- the table -------------------------------------------------------------------------- */

const struct http_route http_static_routes[] = {
	{HTTP_ON(GET), "{*}", get_file, 0},
};
const size_t http_static_routes_n = SL_ARRAY_SIZE(http_static_routes);
