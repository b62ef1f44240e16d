/* SPDX-License-Identifier: Apache-2.0 */
/* page: HTTP/1.1, one request a connection, with a deadline. */
#ifndef TOOLS_SLUICE_PAGE_H
#define TOOLS_SLUICE_PAGE_H

#include "net.h"

/* @body: @n bytes and a NUL, on the heap. */
struct page {
	int status;
	char *body;
	size_t n;
};

#define PAGE_BYTES_MAX (64u << 20)

/**
 * page_get() - ask @addr for @path and read the whole page, whatever its status.
 * Return: 0; what net_connect() says; -ETIME; -EPROTO: that is no HTTP, or it ends too early;
 *	   -EMSGSIZE: over PAGE_BYTES_MAX; -ENOMEM; -errno.
 */
int page_get(const struct net_addr *addr, const char *path, int64_t deadline,
	     struct page *ret_page);

/**
 * struct page_request - a request with bodies that need not fit into memory.
 * @fields: further header lines, each with its CRLF. @body: a descriptor to be read to its end and
 * sent, or -1: no body. @out: where the body of an answer of status 2xx is written, or -1: it goes
 * into the page, as those of other answers do. @timeout_ns: how long each step may take.
 */
struct page_request {
	const char *method, *path, *fields;
	int body, out;
	int64_t timeout_ns;
};

/* As page_get(); -EIO: @body or @out failed, or @body has become shorter. */
int page_exchange(const struct net_addr *addr, const struct page_request *q,
		  struct page *ret_page);

/* Frees the body. Accepts a zeroed page. */
void page_done(struct page *page);

#endif
