/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are passed on to the origin, and answers that are passed back, for one client
 * alone.
 *
 * Interface: proxy_pass() and proxy_pass_head() of proxy_pvt.h. Neither body is ever held as a
 * whole. What changes something at the origin makes the cache forget what it had of it (RFC 9111,
 * 4.4).
 *
 * Order of parts: the request; what it changes; the response; the call.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "flight.h"

enum { PIECE_BYTES = 64 << 10 };

struct pass {
	struct http_request *rq;
	struct http_proxy *proxy;
	struct origin_exchange *x;
	struct sl_text head, path, host;
	bool chunked;
	const struct proxy_old *old; /* to be freshened; or NULL */
	int64_t asked_ms;
};

/* ---- the request ------------------------------------------------------------------------ */

static struct http_str method_of(const struct http_request *rq)
{
	if (rq->method == HTTP_M_OTHER)
		return http_request_str(rq, rq->method_text);
	return http_str_of(http_method_name(rq->method));
}

static bool is_safe(const struct http_request *rq)
{
	return rq->method == HTTP_M_GET || rq->method == HTTP_M_HEAD ||
	       rq->method == HTTP_M_OPTIONS;
}

static bool may_repeat(const struct http_request *rq)
{
	return rq->body.done &&
	       (is_safe(rq) || rq->method == HTTP_M_PUT || rq->method == HTTP_M_DELETE);
}

static int put_head(struct pass *p)
{
	const struct http_request *rq = p->rq;
	struct http_str method = method_of(rq);

	proxy_put_path(rq, &p->path);
	if (p->proxy->host[0])
		sl_text_put_string(&p->host, p->proxy->host);
	else
		proxy_put_host(rq, &p->host);
	sl_text_put(&p->head, method.p, method.n);
	sl_text_put(&p->head, " ", 1);
	sl_text_put(&p->head, p->path.data, p->path.len);
	sl_text_put_string(&p->head, " HTTP/1.1\r\n");
	http_lines_put(&p->head, http_str_of("Host"), http_str_text(&p->host));
	proxy_put_lines(rq, true, &p->head);
	/* By HTTP/2 a body may come without a length and without chunks. */
	p->chunked = !rq->body.done &&
		     (rq->body.chunked || rq->body.left == HTTP_BYTES_UNKNOWN);
	if (p->chunked)
		sl_text_put_string(&p->head, "Transfer-Encoding: chunked\r\n");
	else if (!rq->body.done || rq->method == HTTP_M_POST || rq->method == HTTP_M_PUT)
		sl_text_printf(&p->head, "Content-Length: %" PRIu64 "\r\n", rq->body.left);
	sl_text_put_string(&p->head, "\r\n");
	return p->path.err ? p->path.err : p->host.err ? p->host.err : p->head.err;
}

static int send_piece(struct pass *p, void *data, size_t n, int64_t deadline)
{
	char size[24];
	struct iovec iov[3] = {{size, 0}, {data, n}, {"\r\n", 2}};

	if (!p->chunked)
		return origin_send(p->x, iov + 1, 1, deadline);
	iov[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", n);
	return origin_send(p->x, iov, 3, deadline);
}

/* Return: 0; -EIO: the origin takes no more, but may have answered; -errno of the client. */
static int send_body(struct pass *p, int64_t deadline)
{
	struct iovec last = {"0\r\n\r\n", 5};
	struct sl_buf *buf;
	int err = 0;

	if (p->rq->body.done)
		return 0;
	buf = sl_buf_new(PIECE_BYTES);
	if (!buf)
		return -ENOMEM;
	while (!err && !p->rq->body.done) {
		ssize_t n = http_body_read(p->rq, buf->data, PIECE_BYTES, deadline);

		if (n < 0)
			err = (int)n;
		else if (n > 0 && send_piece(p, buf->data, (size_t)n, deadline))
			err = -EIO;
	}
	if (!err && p->chunked && origin_send(p->x, &last, 1, deadline))
		err = -EIO;
	sl_buf_release(buf);
	return err;
}

/* ---- what it changes -------------------------------------------------------------------- */

static void forget(struct pass *p, struct http_str path, int64_t deadline)
{
	struct sl_text key = {0};

	sl_text_printf(&key, "p:%s://", p->rq->scheme);
	proxy_put_host(p->rq, &key);
	sl_text_put(&key, path.p, path.n);
	if (key.err || key.len > CACHE_KEY_BYTES_MAX)
		goto out;
	http_proxy_forget(p->proxy, HTTP_PROXY_FORGETS_KEY, http_str_text(&key));
	cache_remove(p->proxy->cache, proxy_key(http_str_text(&key)), deadline);
out:
	sl_text_done(&key);
}

/* The target, and what Location and Content-Location name of the same origin. */
static void forget_changed(struct pass *p, const struct origin_head *h, int64_t deadline)
{
	static const char *const names[] = {"Location", "Content-Location"};
	struct sl_text host = {0};
	struct http_target base = {.scheme = http_str_of(p->rq->scheme)};

	proxy_put_host(p->rq, &host);
	base.host = http_str_text(&host);
	base.path = http_str_text(&p->path);
	forget(p, base.path, deadline);
	for (size_t i = 0; i < SL_ARRAY_SIZE(names) && !host.err; i++) {
		struct sl_text path = {0};
		struct http_str v;

		if (http_lines_find(http_lines_of(&h->fields), names[i], &v) &&
		    http_target_resolve(&base, v, &path))
			forget(p, http_str_text(&path), deadline);
		sl_text_done(&path);
	}
	sl_text_done(&host);
}

/* ---- the response ----------------------------------------------------------------------- */

static int read_head(struct pass *p, struct origin_head *ret_h, int64_t deadline)
{
	for (;;) {
		int err = origin_read_head(p->x, ret_h, deadline);

		if (err || ret_h->status >= 200)
			return err;
		/* The client's 100 Continue was sent when its body was read. */
		if (ret_h->status != 100)
			err = http_interim(p->rq, (int)ret_h->status, ret_h->fields.data,
					   ret_h->fields.len, deadline);
		origin_head_done(ret_h);
		if (err)
			return err;
	}
}

static int send_back(struct pass *p, int64_t deadline)
{
	for (;;) {
		struct sl_buf *buf = sl_buf_new(PIECE_BYTES);
		struct sl_part part;
		ssize_t n;
		int err;

		if (!buf)
			return -ENOMEM;
		n = origin_read_body(p->x, buf->data, PIECE_BYTES, deadline);
		if (n <= 0) {
			sl_buf_release(buf);
			return n ? (int)n : http_stream_end(p->rq, deadline);
		}
		sl_count(SL_M_PROXY_ORIGIN_BYTES, (uint64_t)n);
		part = sl_part_slice((struct sl_slice){buf, buf->data, (size_t)n});
		err = http_stream_send(p->rq, &part, 1, deadline);
		if (err)
			return err;
	}
}

static int answer(struct pass *p, struct http_response *rs, const struct origin_head *h,
		  enum http_fwd why, int64_t deadline)
{
	const struct http_cache_status how = {
		.fwd = why, .fwd_status = h->status, .ttl_s = INT64_MIN};
	int err;

	if (!is_safe(p->rq) && h->status < 400)
		forget_changed(p, h, deadline);
	p->rq->cache = http_cache_status_word(&how);
	rs->status = (int)h->status;
	err = proxy_put_fields(rs, http_lines_of(&h->fields), &how);
	if (!err)
		err = http_stream_begin(p->rq, rs, h->bytes, deadline);
	return err ? err : send_back(p, deadline);
}

/* ---- the call --------------------------------------------------------------------------- */

static int exchange(struct pass *p, struct http_response *rs, enum http_fwd why, int64_t deadline)
{
	struct origin_head h = {0};
	struct origin_request rq = {.is_head = p->rq->method == HTTP_M_HEAD,
				    .again = may_repeat(p->rq)};
	char reason[200] = "";
	int err = put_head(p);

	if (err)
		return err;
	rq.head = http_str_text(&p->head);
	err = origin_begin(p->proxy->origin, &rq, &p->x, reason, sizeof(reason), deadline);
	if (err) {
		sl_log_warn("proxy.origin-unreachable", SL_KV(why, reason), SL_KV_ERRNO(err));
	} else {
		err = send_body(p, deadline);
		if (err && err != -EIO)
			return err;
		err = read_head(p, &h, deadline);
	}
	if (err) {
		sl_count(SL_M_PROXY_ORIGIN_ERRORS, 1);
		return proxy_put_error(rs, err);
	}
	err = answer(p, rs, &h, why, deadline);
	if (!err && p->old && h.status == 200)
		proxy_freshen_by_head(p->proxy, p->old, &h, p->asked_ms, deadline);
	origin_head_done(&h);
	return err;
}

int proxy_pass_head(struct http_request *rq, struct http_response *rs, enum http_fwd why,
		    const struct proxy_old *old, int64_t deadline)
{
	struct pass p = {.rq = rq, .proxy = rq->api_arg, .old = old, .asked_ms = proxy_now_ms()};
	int err;

	sl_count(SL_M_PROXY_PASSES, 1);
	err = exchange(&p, rs, why, deadline);
	origin_end(p.x);
	sl_text_done(&p.head);
	sl_text_done(&p.path);
	sl_text_done(&p.host);
	return err;
}

int proxy_pass(struct http_request *rq, struct http_response *rs, enum http_fwd why,
	       int64_t deadline)
{
	return proxy_pass_head(rq, rs, why, NULL, deadline);
}
