// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1: llhttp reads the answer, net.c moves the bytes.
 *
 * Interface: page.h. Invariant: a page is given only when it came to its end, so that one
 * that was cut off is never taken for a short one.
 * Order of parts: reading; sending; the calls.
 */
#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <llhttp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "options.h"

/* Paths of pages are words of this program. */
enum { PATH_BYTES_MAX = 900 };

/* ---- reading ---------------------------------------------------------------------------- */

/* @out: of the request. @step_ns: 0: the deadline is that of all steps together. */
struct reading {
	struct page page;
	size_t cap;
	int out, err;
	int64_t deadline, step_ns;
	bool whole;
};

static int64_t due(const struct reading *r)
{
	return r->step_ns ? now_ns() + r->step_ns : r->deadline;
}

static int write_out(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int keep(struct reading *r, const char *at, size_t n)
{
	size_t cap = sl_max(r->cap, (size_t)1 << 14);
	char *body;

	if (n > PAGE_BYTES_MAX - r->page.n)
		return -EMSGSIZE;
	while (cap <= r->page.n + n)
		cap *= 2;
	body = cap == r->cap ? r->page.body : realloc(r->page.body, cap);
	if (!body)
		return -ENOMEM;
	r->page.body = body;
	r->cap = cap;
	memcpy(body + r->page.n, at, n);
	r->page.n += n;
	body[r->page.n] = 0;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *r = parser->data;
	bool good = llhttp_get_status_code(parser) / 100 == 2;

	r->err = r->out >= 0 && good ? write_out(r->out, at, n) : keep(r, at, n);
	return r->err ? -1 : 0;
}

/* Stops there: what a server sends behind its answer is not looked at. */
static int on_complete(llhttp_t *parser)
{
	struct reading *r = parser->data;

	if (llhttp_get_status_code(parser) / 100 == 1)
		return 0;
	r->whole = true;
	r->page.status = llhttp_get_status_code(parser);
	return HPE_PAUSED;
}

static int page_read(int fd, struct reading *r)
{
	static const llhttp_settings_t settings = {.on_body = on_body,
						   .on_message_complete = on_complete};
	char bytes[1 << 16];
	llhttp_t parser;

	llhttp_init(&parser, HTTP_RESPONSE, &settings);
	parser.data = r;
	while (!r->whole) {
		ssize_t n = net_recv_some(fd, bytes, sizeof(bytes), due(r));
		llhttp_errno_t err;

		if (n < 0)
			return (int)n;
		err = n ? llhttp_execute(&parser, bytes, (size_t)n) : llhttp_finish(&parser);
		if (r->err)
			return r->err;
		if (!r->whole && (err != HPE_OK || !n))
			return -EPROTO;
	}
	return 0;
}

/* An answer without a body has an empty one. */
static int body_ensure(struct page *page)
{
	if (!page->body)
		page->body = calloc(1, 1);
	return page->body ? 0 : -ENOMEM;
}

/* ---- sending ---------------------------------------------------------------------------- */

/* What is left of @fd, or -1: who knows. */
static int64_t bytes_left(int fd)
{
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || at < 0)
		return -1;
	return sl_max((int64_t)(st.st_size - at), INT64_C(0));
}

static int send_head(int fd, const struct net_addr *addr, const struct page_request *q,
		     int64_t body_bytes, int64_t deadline)
{
	bool v6 = strchr(addr->host, ':');
	const char *key = key_default();
	struct sl_text t = {0};
	int err;

	sl_text_printf(&t,
		       "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: sluice/" SL_VERSION
		       "\r\nConnection: close\r\n%s",
		       q->method, q->path, v6 ? "[" : "", addr->host, v6 ? "]" : "", addr->port,
		       q->fields);
	if (key)
		sl_text_printf(&t, "Authorization: Bearer %s\r\n", key);
	if (q->body >= 0 && body_bytes >= 0)
		sl_text_printf(&t, "Content-Length: %" PRId64 "\r\n", body_bytes);
	else if (q->body >= 0)
		sl_text_put_string(&t, "Transfer-Encoding: chunked\r\n");
	sl_text_put_string(&t, "\r\n");
	err = t.err ? t.err : net_send_all(fd, t.data, t.len, deadline);
	sl_text_done(&t);
	return err;
}

/* A piece of the body, by itself or as a chunk. */
static int send_piece(int fd, const char *p, size_t n, bool chunked, int64_t deadline)
{
	char head[24];
	int err = 0;

	if (chunked)
		err = net_send_all(fd, head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", n),
				   deadline);
	if (!err)
		err = net_send_all(fd, p, n, deadline);
	if (!err && chunked)
		err = net_send_all(fd, "\r\n", 2, deadline);
	return err;
}

static int send_body(int fd, const struct page_request *q, int64_t left)
{
	char bytes[1 << 16];
	bool chunked = left < 0;

	while (left) {
		size_t want = chunked ? sizeof(bytes)
				      : (size_t)sl_min(left, (int64_t)sizeof(bytes));
		ssize_t n = read(q->body, bytes, want);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (!n && !chunked))
			return -EIO;
		if (!n)
			return net_send_all(fd, "0\r\n\r\n", 5, now_ns() + q->timeout_ns);
		err = send_piece(fd, bytes, (size_t)n, chunked, now_ns() + q->timeout_ns);
		if (err)
			return err;
		if (!chunked)
			left -= n;
	}
	return 0;
}

/* ---- the calls -------------------------------------------------------------------------- */

static int exchange(const struct net_addr *addr, const struct page_request *q, struct reading *r)
{
	int64_t body_bytes = q->body >= 0 ? bytes_left(q->body) : 0;
	int fd = net_connect(addr, due(r)), err;

	if (fd < 0)
		return fd;
	err = send_head(fd, addr, q, body_bytes, due(r));
	if (!err && q->body >= 0)
		err = send_body(fd, q, body_bytes);
	/* A server that wants no more of a body says why, and may close before it is sent. */
	if (!err || err == -ECONNRESET) {
		int sent = err;

		err = page_read(fd, r);
		if (err == -EPROTO && sent)
			err = sent;
	}
	if (!err)
		err = body_ensure(&r->page);
	close(fd);
	return err;
}

static int page_ask(const struct net_addr *addr, const struct page_request *q, struct reading *r,
		    struct page *ret_page)
{
	int err = exchange(addr, q, r);

	if (err)
		free(r->page.body);
	else
		*ret_page = r->page;
	return err;
}

int page_exchange(const struct net_addr *addr, const struct page_request *q, struct page *ret_page)
{
	struct reading r = {.out = q->out, .step_ns = q->timeout_ns};

	return page_ask(addr, q, &r, ret_page);
}

int page_get(const struct net_addr *addr, const char *path, int64_t deadline, struct page *ret_page)
{
	const struct page_request q = {.method = "GET", .path = path, .fields = "", .body = -1};
	struct reading r = {.out = -1, .deadline = deadline};

	return strlen(path) > PATH_BYTES_MAX ? -EINVAL : page_ask(addr, &q, &r, ret_page);
}

void page_done(struct page *page)
{
	free(page->body);
	*page = (struct page){0};
}
