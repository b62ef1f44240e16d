/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's reverse proxy: its settings, its start and end.
 *
 * Interface: "proxy.c" of daemon.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"

static struct http_proxy_conf conf_of(const struct daemon *d)
{
	const struct sl_conf *c = &d->conf;

	return (struct http_proxy_conf){
		.cache = d->cache,
		.origin = c->proxy.origin,
		.host = c->proxy.host,
		.tls = d->origin_tls,
		.connect_ns = c->proxy.connect_timeout_ns,
		.first_byte_ns = c->proxy.first_byte_timeout_ns,
		.between_bytes_ns = c->proxy.between_bytes_timeout_ns,
		.idle_ns = c->proxy.idle_timeout_ns,
		.idle_max = (uint32_t)c->proxy.idle_connections,
		.slice_bytes = c->proxy.slice_bytes,
		.guess_max_ns = c->proxy.guess_max_ns,
		.stale_max_ns = c->proxy.stale_max_ns,
	};
}

/* A context for each core, of an origin by https. */
static int begin_tls(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	const struct sl_tls_conf conf = {.ca = d->conf.proxy.origin_ca};
	int err = 0;

	if (strncmp(d->conf.proxy.origin, "https://", 8))
		return 0;
	d->origin_tls = calloc(cores, sizeof(struct sl_tls *));
	if (!d->origin_tls)
		return -ENOMEM;
	for (; d->origin_tls_n < cores && !err; d->origin_tls_n += !err)
		err = sl_tls_client_new(&conf, &d->origin_tls[d->origin_tls_n], why, why_len,
					SL_NEVER);
	return err;
}

int proxy_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	struct http_proxy_conf conf;
	int err;

	if (!d->conf.proxy.listen.n)
		return 0;
	if (!d->cache) {
		snprintf(why, why_len, "proxy.listen needs a cache: set cache.path");
		return -EINVAL;
	}
	if (!d->conf.proxy.origin[0]) {
		snprintf(why, why_len,
			 "proxy.listen needs proxy.origin, the URL of the server "
			 "behind it");
		return -EINVAL;
	}
	err = begin_tls(d, cores, why, why_len);
	if (err)
		return err;
	conf = conf_of(d);
	err = http_proxy_new(&conf, cores, &d->proxy, why, why_len);
	if (err)
		return err;
	return apis_serve(d, LISTENER_PROXY, cores, &d->front);
}

void proxy_drain(struct daemon *d, int64_t at)
{
	if (d->proxy)
		http_proxy_drain(d->proxy, at);
}

int proxy_stop_core(void *arg, int64_t deadline)
{
	struct daemon *d = arg;

	if (d->proxy)
		http_proxy_stop(d->proxy, deadline);
	return 0;
}

void proxy_apply(struct daemon *d)
{
	struct http_proxy_conf conf = conf_of(d);

	if (!d->proxy)
		return;
	http_proxy_configure(d->proxy, &conf);
	http_server_set_limits(&d->front, d->conf.http.max_head_bytes, d->conf.http.max_body_bytes);
}

void proxy_free(struct daemon *d)
{
	http_server_done(&d->front);
	http_proxy_free(d->proxy);
	while (d->origin_tls_n)
		sl_tls_free(d->origin_tls[--d->origin_tls_n]);
	free(d->origin_tls);
}
