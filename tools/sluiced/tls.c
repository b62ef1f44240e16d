/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the daemon's listeners: made for all of them on all cores before any gets its own, so that
 * a reload changes everything or nothing. One seed goes to all of a load: a session resumes on any
 * core, and on none once who may come in was changed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

static struct sl_tls_conf conf_of(const struct daemon *d, enum listener which)
{
	const struct sl_conf *c = &d->conf;

	return (struct sl_tls_conf){
		.certificate = c->tls.certificate,
		.key = c->tls.key,
		.ca = c->tls.client_ca,
		.ciphers = c->tls.ciphers,
		.alpn = listener_proto(which)->alpn,
		.min_version = (enum sl_tls_version)c->tls.min_version,
		.kernel = c->tls.kernel,
	};
}

static void free_set(struct sl_tls **set, uint32_t n)
{
	for (uint32_t i = 0; set && i < n; i++)
		sl_tls_free(set[i]);
	free(set);
}

int daemon_tls_load(struct daemon *d, char *why, size_t why_len)
{
	uint32_t n = d->cores_n * LISTENER_LAST;
	struct sl_tls **set = calloc(n, sizeof(*set));
	uint8_t seed[SL_TLS_SEED_BYTES];
	int64_t now = sl_clock_ns();
	int err = 0;

	if (!set) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	sl_random(seed, sizeof(seed));
	for (uint32_t i = 0; i < n && !err; i++) {
		enum listener which = (enum listener)(i % LISTENER_LAST);
		struct sl_tls_conf conf = conf_of(d, which);

		if (!sl_conf_encrypts(&d->conf, listener_names[which]))
			continue;
		memcpy(conf.seed, seed, sizeof(seed));
		conf.seed_ns = now;
		err = sl_tls_server_new(&conf, &set[i], why, why_len, SL_NEVER);
	}
	if (err) {
		free_set(set, n);
		return err;
	}
	daemon_tls_free(d);
	d->tls = set;
	return 0;
}

struct sl_tls *daemon_tls_take(const struct daemon *d, uint32_t core, enum listener which)
{
	struct sl_tls *tls = d->tls ? d->tls[core * LISTENER_LAST + which] : NULL;

	return tls ? sl_tls_retain(tls) : NULL;
}

void daemon_tls_free(struct daemon *d)
{
	free_set(d->tls, d->cores_n * LISTENER_LAST);
	d->tls = NULL;
}
