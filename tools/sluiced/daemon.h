/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's one object: what main.c builds before the cores start, daemon.c runs on them and
 * listeners.c opens to the world.
 */
#ifndef TOOLS_SLUICED_DAEMON_H
#define TOOLS_SLUICED_DAEMON_H

#include <pthread.h>

#include "apis/cache/cache.h"
#include "apis/proxy/proxy.h"
#include "apis/static/static.h"
#include "bpf/bpf.h"
#include "dataplane/dataplane.h"
#include "proto/http/http.h"
#include "proto/kafka/kafka.h"
#include "stores/cache/cache.h"
#include "stores/objects/objects.h"
#include "stores/static/static.h"

/* Listeners, as the metrics' label names them; a row each in listeners.c. */
enum listener {
	LISTENER_KAFKA,
	LISTENER_HTTP,
	LISTENER_STATIC,
	LISTENER_PROXY,
	LISTENER_LAST
};

/* On one listener. */
#define APIS_MAX 8

/**
 * struct daemon - everything of one process.
 * @source, @conf: where the settings come from, and those in force (replaced by a reload, on core
 *	0 alone). @kafka: what the Kafka listeners' connections are given; a reload makes a new one
 *	and keeps the old ones for those who still look at them.
 * @root, @files, @web: static.root, its files and their server; NULL and zeroed without
 *	static.listen.
 * @cache: NULL without cache.path.
 * @proxy, @front: the reverse proxy and its server; NULL and zeroed without proxy.listen.
 * @origin_tls: of an https origin, for each of @origin_tls_n cores.
 * @bpf: the kernel's programs, see programs.c; @telemetry shows what it counts, @steering is what
 *	it and its like do for new connections. @cpus: where cores are pinned, if @pinned.
 * @tls: what listeners with TLS speak, by core and listener (tls.c); NULL: none does.
 * @keys: of the HTTP APIs. @apis: of each listener; @cache_api, @static_api: what two of them work
 *	on.
 * @listeners: per core, those that it opened. @refused: 0, or the -errno that appends get while
 *	the start is not counted in DATADIR; core 0 changes it, all read it.
 */
struct daemon {
	struct sl_conf_source source;
	struct sl_conf conf;
	struct sl_datadir datadir;
	int refused;
	struct sl_bpf *bpf;
	struct sl_telemetry telemetry;
	struct sl_steering steering;
	int cpus[SL_CONF_CPUS_MAX];
	uint32_t cores_n;
	bool pinned;
	struct sl_registry *registry;
	const char *rungs[SL_RUNG_LAST]; /* the registry's names */
	const char *closes[SL_CLOSE_LAST];
	const char *fallbacks[SL_FALLBACK_LAST];
	const char *direct_fallbacks[SL_DIRECT_FALLBACK_LAST];
	struct sl_topics *topics;
	struct http_log *access_log; /* NULL: off */
	struct http_server http;
	int root;
	struct sl_static *files;
	struct http_server web;
	struct objects *objects;
	struct cache *cache;
	struct http_proxy *proxy;
	struct http_server front;
	struct sl_tls **origin_tls;
	uint32_t origin_tls_n;
	struct kafka_config *kafka;
	struct sl_cores *cores;
	struct sl_tls **tls;
	struct sl_keyring keys;
	struct http_api apis[LISTENER_LAST][APIS_MAX];
	struct http_cache cache_api;
	struct http_static static_api;
	struct core_listeners *listeners;
	int signal_fd;
	int64_t began_ns;
};

struct kafka_config {
	struct kafka_config *older;
	struct kafka_server server;
};

/* ---- apis.c ----------------------------------------------------------------------------- */

/* Makes the server of @which, with the APIs of its rows. Return: 0 or -ENOMEM. */
int apis_serve(struct daemon *d, enum listener which, uint32_t cores, struct http_server *ret_s);

/* The values of SL_DIM_HTTP_API: their names. */
const char *const *apis_names(uint32_t *ret_n);

/* ---- listeners.c ------------------------------------------------------------------------ */

/* The names of enum listener. */
extern const char *const listener_names[LISTENER_LAST];

/* Opens every configured listener on every core; from core 0. @why as usual. */
int listeners_open(struct daemon *d, char *why, size_t why_len);

/* How many addresses the settings name, of all listeners. */
uint32_t listeners_addresses(const struct sl_conf *conf);

/* Gives every listener the settings in force; from core 0. */
void listeners_configure(struct daemon *d);

/* Ends connections and listeners of every core until @deadline at most; from core 0. */
void listeners_close(struct daemon *d, int64_t deadline);

/* The protocol of @which. */
const struct sl_proto *listener_proto(enum listener which);

/* The address of the first listener of @which ("127.0.0.1:9092"), or NULL if it is off. */
const char *listener_address(const struct daemon *d, enum listener which);

void listeners_free(struct daemon *d);

/* ---- objects.c -------------------------------------------------------------------------- */

/* Makes @d->objects for @cores cores; before these. @why as usual. */
int objects_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len);

/* On each core, when the listeners are closed: all drain, then all stop. */
int objects_drain_core(void *d, int64_t deadline);
int objects_stop_core(void *d, int64_t deadline);

/* Gives it the settings in force; from core 0. */
void objects_apply(struct daemon *d);

/* ---- cache.c ---------------------------------------------------------------------------- */

/* Makes cache.path, if it is missing, for node.user; before privileges are given up. */
int cache_make_folder(const struct daemon *d, char *why, size_t why_len);

/* Makes @d->cache for @cores cores, if there is to be one; before the cores. @why as usual. */
int cache_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len);

/* On each core: finds again what its shards hold; lets go of it. */
int cache_start_core(struct daemon *d, int64_t deadline);
int cache_stop_core(void *d, int64_t deadline);

/* Gives it the settings in force; from core 0. */
void cache_apply(struct daemon *d);

/* ---- proxy.c ---------------------------------------------------------------------------- */

/* Makes @d->proxy and its server, if there is to be one; behind the cache, before the cores. */
int proxy_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len);

/* Gives up what the origin has not sent by @at; from core 0, before the listeners are closed. */
void proxy_drain(struct daemon *d, int64_t at);

/* On each core, when the listeners are closed and before the cache stops. */
int proxy_stop_core(void *d, int64_t deadline);

/* Gives it the settings in force; from core 0. */
void proxy_apply(struct daemon *d);

void proxy_free(struct daemon *d);

/* ---- programs.c ------------------------------------------------------------------------- */

/* What loads kernel programs; @bpf: NULL if there was no memory. */
struct loader {
	pthread_t thread;
	struct sl_bpf_conf conf;
	struct sl_bpf *bpf;
	bool has_thread;
};

/* Loads those that listeners are opened with, by a thread; until programs_end(). */
void programs_begin(struct loader *l, const struct daemon *d);

/* Makes @d->bpf, which a program that is refused does not keep. Return: 0 or -ENOMEM. */
int programs_end(struct loader *l, struct daemon *d);

/* Loads those that count; by the first thread, when the listeners are open. */
void programs_count(struct daemon *d, const struct sl_bpf_conf *conf);

/* What programs_count() is to load, by the settings as they are. */
struct sl_bpf_conf programs_that_count(const struct daemon *d);

/* ---- tls.c ------------------------------------------------------------------------------ */

/**
 * daemon_tls_load() - read certificate, key and authorities for every listener of every core anew.
 * In a fiber. Return: 0, or -errno with the cause in @why: then what there was stays.
 */
int daemon_tls_load(struct daemon *d, char *why, size_t why_len);

/* What @which speaks on @core, for sl_listener_secure(); NULL: no TLS. */
struct sl_tls *daemon_tls_take(const struct daemon *d, uint32_t core, enum listener which);
void daemon_tls_free(struct daemon *d);

/* ---- daemon.c --------------------------------------------------------------------------- */

/* How many cores there will be, and on which processors: @d->cores_n, cpus and pinned. */
void daemon_choose_cpus(struct daemon *d);

/* Makes @d->kafka from the settings in force. Return: 0 or -ENOMEM. */
int daemon_configure_kafka(struct daemon *d);

/* What the engine of topics is given. */
struct sl_topics_conf daemon_topics_conf(struct daemon *d);

/* Calls @fn(@d) on one core after the other. Return: the first error. */
int daemon_on_every_core(struct daemon *d, int (*fn)(void *arg, int64_t deadline));

/**
 * daemon_run() - start the cores, serve until a signal asks to stop, and end in order.
 * Return: 0, or -errno with the cause logged; *ret_clean: everything is synced.
 */
int daemon_run(struct daemon *d, bool *ret_clean);

#endif
