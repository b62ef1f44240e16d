// SPDX-License-Identifier: Apache-2.0
/*
 * GET by HTTP/1.1: llhttp reads the answer, net.c moves the bytes.
 *
 * Interface: page.h. Invariant: a page is given only when it came to its end, so that one
 * that was cut off is never taken for a short one.
 */
#include "page.h"

#include <errno.h>
#include <llhttp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reading {
	struct page page;
	size_t cap;
	int err;
	bool whole;
};

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *r = parser->data;
	size_t cap = sl_max(r->cap, (size_t)1 << 14);
	char *body;

	if (n > PAGE_BYTES_MAX - r->page.n) {
		r->err = -EMSGSIZE;
		return -1;
	}
	while (cap <= r->page.n + n)
		cap *= 2;
	body = cap == r->cap ? r->page.body : realloc(r->page.body, cap);
	if (!body) {
		r->err = -ENOMEM;
		return -1;
	}
	r->page.body = body;
	r->cap = cap;
	memcpy(body + r->page.n, at, n);
	r->page.n += n;
	body[r->page.n] = 0;
	return 0;
}

/* Stops there: what a server sends behind its answer is not looked at. */
static int on_complete(llhttp_t *parser)
{
	struct reading *r = parser->data;

	r->whole = true;
	r->page.status = llhttp_get_status_code(parser);
	return HPE_PAUSED;
}

static int page_read(int fd, int64_t deadline, struct reading *r)
{
	static const llhttp_settings_t settings = {.on_body = on_body,
						   .on_message_complete = on_complete};
	char bytes[1 << 14];
	llhttp_t parser;

	llhttp_init(&parser, HTTP_RESPONSE, &settings);
	parser.data = r;
	while (!r->whole) {
		ssize_t n = net_recv_some(fd, bytes, sizeof(bytes), deadline);
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

int page_get(const struct net_addr *addr, const char *path, int64_t deadline, struct page *ret_page)
{
	bool v6 = strchr(addr->host, ':');
	struct reading r = {0};
	char head[1024];
	int n = snprintf(head, sizeof(head),
			 "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: sluice/" SL_VERSION
			 "\r\nConnection: close\r\n\r\n",
			 path, v6 ? "[" : "", addr->host, v6 ? "]" : "", addr->port);
	int fd, err;

	if (n >= (int)sizeof(head))
		return -EINVAL;
	fd = net_connect(addr, deadline);
	if (fd < 0)
		return fd;
	err = net_send_all(fd, head, (size_t)n, deadline);
	if (!err)
		err = page_read(fd, deadline, &r);
	if (!err)
		err = body_ensure(&r.page);
	close(fd);
	if (err)
		free(r.page.body);
	else
		*ret_page = r.page;
	return err;
}

void page_done(struct page *page)
{
	free(page->body);
	*page = (struct page){0};
}
