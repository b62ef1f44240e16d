/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net: blocking TCP with deadlines, for programs that are clients. Deadlines are absolute
 * CLOCK_MONOTONIC ns; a call that ends in one may block its thread until then.
 */
#ifndef TOOLS_SLUICE_NET_H
#define TOOLS_SLUICE_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sluice/util.h>

#define NET_HOST_BYTES 256

struct net_addr {
	char host[NET_HOST_BYTES]; /* name or number, without brackets */
	uint16_t port;
};

int64_t now_ns(void);

void sleep_ns(int64_t ns);

/**
 * net_addr_parse() - "HOST:PORT", "[v6]:PORT" or "HOST", @len bytes at @text.
 * Return: 0; -EINVAL if it is none of these.
 */
int net_addr_parse(const char *text, size_t len, uint16_t port_default, struct net_addr *ret_addr);

/**
 * net_connect() - connect to the first address of the name that answers.
 * Return: a non-blocking socket with TCP_NODELAY; -ENOENT if the name has no address; -ETIME; or
 *         the errno of the last attempt.
 */
int net_connect(const struct net_addr *addr, int64_t deadline);

/* All @len bytes. Return: 0; -ETIME; -ECONNRESET when the peer closed; -errno. */
int net_send_all(int fd, const void *p, size_t len, int64_t deadline);
int net_recv_all(int fd, void *p, size_t len, int64_t deadline);

/* What comes first, at most @len bytes. Return: bytes; 0 when the peer closed; -ETIME; -errno. */
ssize_t net_recv_some(int fd, void *p, size_t len, int64_t deadline);

/* Takes @len bytes off the socket without copying them out. As net_recv_all(). */
int net_drop(int fd, size_t len, int64_t deadline);

#endif
