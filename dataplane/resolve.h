/* SPDX-License-Identifier: Apache-2.0 */
/* Names of hosts, asked without blocking the core. */
#ifndef DATAPLANE_RESOLVE_H
#define DATAPLANE_RESOLVE_H

#include "conf.h"

/* The most addresses of one name that are of use. */
enum { SL_RESOLVE_MAX = 16 };

/**
 * struct sl_resolve_conf - what to look for.
 * @host: a name, or an address as text, IPv6 also in brackets; nothing is asked then.
 * @port: goes into each address.
 * @servers: "127.0.0.1:5353,[::1]:53" to ask; NULL: what /etc/resolv.conf says. /etc/hosts is
 *	looked at first.
 */
struct sl_resolve_conf {
	const char *host;
	uint16_t port;
	const char *servers;
};

/**
 * sl_resolve() - the addresses of a host, in the order in which they are to be tried.
 * On a fiber, which it parks while it waits for an answer.
 * @ret_addrs: room for @n (> 0) of them.
 * Return: how many, 1..@n; -ENOENT: there are none; -ETIME; -EHOSTUNREACH: no server answered, or
 *	with an error; -ENOMEM. The cause and its cure are in @why.
 */
int sl_resolve(const struct sl_resolve_conf *conf, struct sl_conf_addr *ret_addrs, uint32_t n,
	       char *why, size_t why_len, int64_t deadline);

#endif
