/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon on its cores: start, signals, reload, end.
 *
 * The main thread starts the cores, loads what counts in the kernel once they serve, and waits for
 * their end; everything else happens in one fiber on core 0. Order of the end: waits in the engine
 * are ended, connections drained, logs synced and closed, cores stopped. Invariant: DATADIR is
 * marked clean only if all of that succeeded.
 *
 * Order of parts: what the engine is given; events; static files; start; signals; end; the run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon.h"

/* How long requests in progress may take once the daemon is asked to stop. */
#define DRAIN_NS (10 * SL_SEC)

/* Of that, what is left to tell clients that their answer will not come. */
#define ANSWER_NS (2 * SL_SEC)

/* How often a full disk is asked whether it has space again. */
#define COUNT_AGAIN_NS SL_SEC

/* ---- what the engine is given ----------------------------------------------------------- */

static const char *const log_events[SL_LOG_EVENT_LAST] = {
	[SL_LOG_TORN_TAIL] = "log.torn-tail",	  [SL_LOG_QUARANTINED] = "log.quarantined",
	[SL_LOG_FAILED] = "log.failed",		  [SL_LOG_FULL] = "log.disk-full",
	[SL_LOG_INDEX] = "log.index-rebuilt",	  [SL_LOG_DELETED] = "log.segment-deleted",
};

static void on_log_event(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	(void)arg;
	switch (event) {
	case SL_LOG_FAILED:
		sl_log_err(log_events[event], SL_KV(log, name), SL_KV_ERRNO((int)a));
		break;
	case SL_LOG_FULL:
		sl_log_err(log_events[event], SL_KV(log, name), SL_KV(wanted_bytes, a));
		break;
	case SL_LOG_QUARANTINED:
		sl_log_err(log_events[event], SL_KV(log, name), SL_KV(offset, a),
			   SL_KV(records, b));
		break;
	case SL_LOG_TORN_TAIL:
		sl_log_notice(log_events[event], SL_KV(log, name), SL_KV(cut_bytes, a),
			      SL_KV(end_offset, b));
		break;
	default:
		sl_log_info(log_events[event], SL_KV(log, name), SL_KV(segment, a));
		break;
	}
}

static const char *const topics_events[SL_TOPICS_EVENT_LAST] = {
	[SL_TOPICS_SKIPPED] = "topics.folder-skipped",
	[SL_TOPICS_FINISHED] = "topics.leftover-finished",
	[SL_TOPICS_FAILED] = "topics.partition-failed",
	[SL_TOPICS_SNAPSHOT] = "topics.snapshot-failed",
	[SL_TOPICS_REBUILT] = "topics.snapshot-rebuilt",
	[SL_TOPICS_GROUP_LOST] = "groups.record-skipped",
	[SL_TOPICS_GROUP_EXPIRED] = "groups.offsets-expired",
};

static void on_topics_event(void *arg, enum sl_topics_event event, const char *name, int64_t a)
{
	bool bad = event == SL_TOPICS_SKIPPED || event == SL_TOPICS_FAILED ||
		   event == SL_TOPICS_SNAPSHOT || event == SL_TOPICS_GROUP_LOST;

	(void)arg;
	if (bad && a < 0)
		sl_log_warn(topics_events[event], SL_KV(name, name), SL_KV_ERRNO((int)a));
	else if (bad)
		sl_log_warn(topics_events[event], SL_KV(name, name), SL_KV(offset, a));
	else
		sl_log_info(topics_events[event], SL_KV(name, name), SL_KV(count, a));
}

struct sl_topics_conf daemon_topics_conf(struct daemon *d)
{
	const struct sl_conf *c = &d->conf;

	return (struct sl_topics_conf){
		.dir = d->datadir.fd,
		.cores = d->cores ? sl_cores_count(d->cores) : 0,
		.epoch = (uint32_t)d->datadir.incarnation,
		.log = {
			.durability = (enum sl_durability)c->node.durability,
			.segment_bytes = c->log.segment_bytes,
			.segment_ms = c->log.segment_ms,
			.retention_bytes = c->log.retention_bytes,
			.retention_ms = c->log.retention_ms,
			.index_interval_bytes = (uint32_t)c->log.index_interval_bytes,
			.preallocate_bytes = (uint32_t)c->log.preallocate_bytes,
			.epoch = (uint32_t)d->datadir.incarnation,
		},
		.logs = {
			.event = on_log_event,
			.scrub_bytes_per_s = c->log.scrub_bytes_per_s,
			.scrub_rest_ns = c->log.scrub_interval_ns,
			.retention_check_ns = c->log.retention_check_interval_ns,
			.refused = &d->refused,
			.background = true,
		},
		.batch_bytes_max = c->kafka.max_batch_bytes,
		.partitions_max = 100000,
		.group_initial_delay_ns = c->kafka.group_initial_rebalance_delay_ms * SL_MSEC,
		.group_session_min_ns = c->kafka.group_min_session_timeout_ns,
		.group_session_max_ns = c->kafka.group_max_session_timeout_ns,
		.offsets_retention_ns = c->kafka.offsets_retention_ns,
		.group_members_max = 10000,
		.event = on_topics_event,
	};
}

int daemon_configure_kafka(struct daemon *d)
{
	const struct sl_conf *c = &d->conf;
	struct kafka_config *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->older = d->kafka;
	k->server = (struct kafka_server){
		.topics = d->topics,
		.port = c->kafka.advertised.port,
		.node_id = (int32_t)c->kafka.node_id,
		.core_port = c->kafka.core_ports.first,
		.cores = d->cores_n,
		.epoch = (uint32_t)d->datadir.incarnation,
		.default_partitions = (uint32_t)c->kafka.default_partitions,
		.auto_create_topics = c->kafka.auto_create_topics,
		.move_conns = c->node.steering_move,
		.request_bytes_max = c->kafka.max_request_bytes,
		.fetch_bytes_max = c->kafka.fetch_max_bytes,
	};
	snprintf(k->server.host, sizeof(k->server.host), "%s", c->kafka.advertised.host);
	snprintf(k->server.cluster_id, sizeof(k->server.cluster_id), "%.63s",
		 d->datadir.cluster_id);
	d->kafka = k;
	return 0;
}

/* ---- static files ----------------------------------------------------------------------- */

/* A file's name is looked up again so soon after it was found, when it is asked for. */
#define STATIC_CHECK_NS SL_SEC
#define STATIC_IDLE_NS (60 * SL_SEC)

static uint64_t max_age_s(const struct daemon *d)
{
	return (uint64_t)(d->conf.statics.max_age_ns / SL_SEC);
}

/*
 * How many files each core may keep open: half of the descriptors that there may be, at most, for
 * connections and stores need theirs.
 */
static uint32_t kept_files(const struct daemon *d, uint32_t cores)
{
	uint64_t wanted = d->conf.statics.open_files, most;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return (uint32_t)wanted;
	most = sl_max(limit.rlim_cur / 2 / cores, (rlim_t)1);
	if (wanted <= most)
		return (uint32_t)wanted;
	sl_log_warn("static.open-files-lowered", SL_KV(wanted, wanted), SL_KV(kept, most),
		    SL_KV(limit, (uint64_t)limit.rlim_cur),
		    SL_KV(cure, "raise LimitNOFILE (ulimit -Hn), or lower static.open_files"));
	return (uint32_t)most;
}

static int open_files(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	const char *root = d->conf.statics.root;
	int err;

	d->root = sl_open_now(AT_FDCWD, root, O_PATH | O_DIRECTORY, 0);
	if (d->root < 0) {
		snprintf(why, why_len, "static.root = %s: %s; name a folder that this user may "
			 "enter", root, strerror(-d->root));
		return d->root;
	}
	err = sl_static_new(&(struct sl_static_conf){
				    .dir = d->root,
				    .cores = cores,
				    .files_max = kept_files(d, cores),
				    .check_ns = STATIC_CHECK_NS,
				    .idle_ns = STATIC_IDLE_NS,
			    }, &d->files);
	if (err) {
		sl_close(d->root);
		return err;
	}
	http_static_init(&d->static_api, d->files, d->conf.statics.index, max_age_s(d));
	return apis_serve(d, LISTENER_STATIC, cores, &d->web);
}

static void close_files(struct daemon *d)
{
	http_server_done(&d->web);
	if (!d->files)
		return;
	sl_static_free(d->files);
	sl_close(d->root);
}

/* ---- start ------------------------------------------------------------------------------ */

/* Processors that this process may use, in order. Return: how many. */
static uint32_t usable_cpus(int cpus[static CPU_SETSIZE])
{
	cpu_set_t set;
	uint32_t n = 0;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((unsigned)i, &set))
			cpus[n++] = i;
	return n;
}

/* A list is pinned to, and so are all; a mere number of cores goes where there is room. */
void daemon_choose_cpus(struct daemon *d)
{
	const struct sl_conf_cpus *c = &d->conf.node.cores;
	uint32_t n = 0;

	_Static_assert(CPU_SETSIZE <= SL_CONF_CPUS_MAX, "room for each processor");
	if (!c->is_list) {
		n = usable_cpus(d->cpus);
		d->pinned = n && (!c->count || c->count == n);
		d->cores_n = c->count ? (uint32_t)c->count : sl_max(n, 1u);
		return;
	}
	for (int i = 0; i < SL_CONF_CPUS_MAX; i++)
		if (c->mask[i / 64] >> i % 64 & 1)
			d->cpus[n++] = i;
	d->pinned = true;
	d->cores_n = n;
}

/* The nodes of @n processors. Return: whether it matters: there are several, and it is not off. */
static bool choose_nodes(enum sl_numa_mode mode, const int *cpus, uint32_t n,
			 int nodes[static CPU_SETSIZE])
{
	if (mode == SL_NUMA_OFF || sl_numa_nodes() == 1)
		return false;
	for (uint32_t i = 0; i < n; i++)
		nodes[i] = sl_numa_node_of_cpu(cpus[i]);
	return true;
}

static int start_core(struct sl_core *core, void *arg)
{
	struct daemon *d = arg;
	int err = sl_topics_start(d->topics, SL_NEVER);

	(void)core;
	if (!err)
		err = objects_start(d->objects, SL_NEVER);
	return err ? err : cache_start_core(d, SL_NEVER);
}

static int make_registry(struct daemon *d, uint32_t cores)
{
	const char *const *apis, *const *searches, *const *http_apis;
	uint32_t n;
	int err = sl_registry_new(cores, &d->registry);

	if (err)
		return err;
	for (int i = 0; i < SL_RUNG_LAST; i++)
		d->rungs[i] = sl_rung_name((enum sl_rung)i);
	for (int i = 0; i < SL_CLOSE_LAST; i++)
		d->closes[i] = sl_close_name((enum sl_close)i);
	for (int i = 0; i < SL_FALLBACK_LAST; i++)
		d->fallbacks[i] = sl_fallback_name((enum sl_fallback)i);
	for (int i = 0; i < SL_DIRECT_FALLBACK_LAST; i++)
		d->direct_fallbacks[i] = sl_direct_fallback_name((enum sl_direct_fallback)i);
	apis = kafka_api_names(&n);
	sl_registry_dim(d->registry, SL_DIM_LISTENER, listener_names, LISTENER_LAST);
	sl_registry_dim(d->registry, SL_DIM_RUNG, d->rungs, SL_RUNG_LAST);
	sl_registry_dim(d->registry, SL_DIM_CLOSE, d->closes, SL_CLOSE_LAST);
	sl_registry_dim(d->registry, SL_DIM_FALLBACK, d->fallbacks, SL_FALLBACK_LAST);
	sl_registry_dim(d->registry, SL_DIM_API, apis, n);
	searches = objects_search_names(&n);
	sl_registry_dim(d->registry, SL_DIM_SEARCH, searches, n);
	http_apis = apis_names(&n);
	sl_registry_dim(d->registry, SL_DIM_HTTP_API, http_apis, n);
	sl_registry_dim(d->registry, SL_DIM_DIRECT_FALLBACK, d->direct_fallbacks,
			SL_DIRECT_FALLBACK_LAST);
	sl_telemetry_init(&d->telemetry, d->registry, d->bpf);
	sl_steering_init(&d->steering, d->bpf, cores, d->pinned ? d->cpus : NULL);
	sl_steering_register(&d->steering, d->registry);
	return 0;
}

static void greet(const struct daemon *d)
{
	const char *kafka = listener_address(d, LISTENER_KAFKA);
	const char *http = listener_address(d, LISTENER_HTTP);
	const char *statics = listener_address(d, LISTENER_STATIC);
	const char *proxy = listener_address(d, LISTENER_PROXY);

	printf("sluice %s serves: kafka %s, http %s%s%s%s%s, data in %s (%.0f ms)\n", SL_VERSION,
	       kafka ? kafka : "off", http ? http : "off", statics ? ", static " : "",
	       statics ? statics : "", proxy ? ", proxy " : "", proxy ? proxy : "",
	       d->conf.node.datadir,
	       (double)(sl_clock_ns() - d->began_ns) / 1e6);
	if (kafka && !sl_conf_encrypts(&d->conf, listener_names[LISTENER_KAFKA]))
		printf("  echo hello | kcat -P -b %s -t greetings\n"
		       "  kcat -C -b %s -t greetings -e\n", kafka, kafka);
	fflush(stdout);
}

/* ---- signals ---------------------------------------------------------------------------- */

static void report_setting(void *arg, enum sl_conf_severity severity, const char *text)
{
	(void)arg;
	if (severity == SL_CONF_NOTICE)
		sl_log_notice("settings.changed", SL_KV(text, text));
	else
		sl_log_warn("settings.problem", SL_KV(text, text));
}

int daemon_on_every_core(struct daemon *d, int (*fn)(void *arg, int64_t deadline))
{
	int first = 0;

	for (uint32_t i = 0; i < sl_cores_count(d->cores); i++) {
		int err = sl_call(sl_cores_at(d->cores, i), fn, d, SL_NEVER);

		first = first ? first : err;
	}
	return first;
}

static int configure_topics(void *arg, int64_t deadline)
{
	struct daemon *d = arg;
	struct sl_topics_conf conf = daemon_topics_conf(d);

	(void)deadline;
	sl_topics_configure(d->topics, &conf);
	return 0;
}

static void reopen_access_log(struct daemon *d)
{
	char why[256];

	if (d->access_log &&
	    http_log_reopen(d->access_log, (enum sl_log_format)d->conf.node.log_format, why,
			    sizeof(why)))
		sl_log_warn("access-log.kept", SL_KV(why, why));
}

static void apply(struct daemon *d)
{
	char why[400];

	sl_log_setup((enum sl_log_level)d->conf.node.log_level,
		     (enum sl_log_format)d->conf.node.log_format);
	http_server_set_limits(&d->http, d->conf.http.max_head_bytes, d->conf.http.max_body_bytes);
	http_server_set_limits(&d->web, d->conf.http.max_head_bytes, d->conf.http.max_body_bytes);
	http_static_set_max_age(&d->static_api, max_age_s(d));
	daemon_on_every_core(d, configure_topics);
	objects_apply(d);
	cache_apply(d);
	proxy_apply(d);
	if (daemon_tls_load(d, why, sizeof(why)))
		sl_log_err("tls.kept", SL_KV(why, why));
	if (sl_keyring_load(&d->keys, d->conf.http.keys, why, sizeof(why), SL_NEVER))
		sl_log_err("keys.kept", SL_KV(why, why));
	if (!daemon_configure_kafka(d))
		listeners_configure(d);
}

static void reload(struct daemon *d)
{
	struct sl_conf_report report = {.fn = report_setting};
	struct sl_conf fresh;
	int n;

	sl_notify_reloading();
	if (sl_conf_load(&fresh, &d->source, &report)) {
		sl_log_err("settings.kept", SL_KV(errors, report.errors));
	} else {
		n = sl_conf_reload(&d->conf, &fresh, &report);
		if (n < 0) {
			sl_conf_done(&fresh);
		} else {
			sl_conf_done(&d->conf);
			d->conf = fresh;
			apply(d);
		}
		sl_log_notice("settings.reloaded", SL_KV(changed, n));
	}
	reopen_access_log(d);
	sl_notify_ready("serving");
}

/* On core 0. @not_ready: NULL, or why. */
static void set_ready(struct daemon *d, const char *not_ready)
{
	http_server_set_ready(&d->http, not_ready);
	sl_metric_set(sl_core_metrics(sl_core_self()), SL_M_READY, !not_ready);
}

static void report_state(const struct daemon *d)
{
	for (uint32_t i = 0; i < sl_cores_count(d->cores); i++)
		sl_log_notice("core.state", SL_KV(id, i),
			      SL_KV(arena_bytes, sl_buf_bytes_used(sl_cores_at(d->cores, i))));
}

/*
 * Batches carry the number of this start. Until the disk has space to keep that number, the next
 * start would take the same, so nothing is appended; what is stored is served.
 */
static void count_start(struct daemon *d)
{
	int err = sl_datadir_count(&d->datadir, SL_NEVER);

	if (err == d->refused)
		return;
	__atomic_store_n(&d->refused, err, __ATOMIC_RELEASE);
	if (err)
		sl_log_err("daemon.read-only", SL_KV(datadir, d->conf.node.datadir),
			   SL_KV_ERRNO(err));
	else
		sl_log_notice("daemon.writable", SL_KV(datadir, d->conf.node.datadir));
}

/* Returns when a signal asks to stop. */
static void serve_signals(struct daemon *d)
{
	int64_t watchdog_ns = sl_notify_watchdog_ns();

	for (;;) {
		int64_t until = watchdog_ns ? sl_now() + watchdog_ns : SL_NEVER;
		struct sl_io io;
		int signal;

		if (d->datadir.pending)
			until = sl_min(until, sl_now() + COUNT_AGAIN_NS);
		sl_io_poll(&io, d->signal_fd, POLLIN, 0);
		sl_await(&io, until);
		if (watchdog_ns)
			sl_notify_alive();
		if (d->datadir.pending)
			count_start(d);
		while ((signal = sl_signals_next(d->signal_fd)) > SL_SIGNAL_NONE) {
			if (signal == SL_SIGNAL_STOP)
				return;
			if (signal == SL_SIGNAL_RELOAD)
				reload(d);
			else
				report_state(d);
		}
	}
}

/* ---- end -------------------------------------------------------------------------------- */

static int drain_topics(void *arg, int64_t deadline)
{
	struct daemon *d = arg;

	(void)deadline;
	sl_topics_drain(d->topics);
	return 0;
}

static int stop_topics(void *arg, int64_t deadline)
{
	struct daemon *d = arg;

	return sl_topics_stop(d->topics, deadline);
}

static int stop_files(void *arg, int64_t deadline)
{
	struct daemon *d = arg;

	(void)deadline;
	if (d->files)
		sl_static_stop(d->files);
	return 0;
}

static int stop_access_log(void *arg, int64_t deadline)
{
	struct daemon *d = arg;

	(void)deadline;
	return d->access_log ? http_log_stop(d->access_log) : 0;
}

static int end(struct daemon *d)
{
	int err, objects;

	sl_log_notice("daemon.stopping");
	sl_notify_stopping("draining connections");
	set_ready(d, "draining");
	daemon_on_every_core(d, drain_topics);
	proxy_drain(d, sl_now() + DRAIN_NS - ANSWER_NS);
	listeners_close(d, sl_now() + DRAIN_NS);
	daemon_on_every_core(d, stop_access_log);
	daemon_on_every_core(d, stop_files);
	daemon_on_every_core(d, proxy_stop_core);
	daemon_on_every_core(d, cache_stop_core);
	daemon_on_every_core(d, objects_drain_core);
	objects = daemon_on_every_core(d, objects_stop_core);
	err = daemon_on_every_core(d, stop_topics);
	err = err ? err : objects;
	if (err)
		sl_log_err("daemon.stopped-unclean", SL_KV_ERRNO(err));
	return err;
}

/* ---- the run ---------------------------------------------------------------------------- */

/* @begun: it serves, or will not. */
struct run {
	struct sl_msg msg;
	struct daemon *d;
	sem_t begun;
	int res;
	bool clean;
};

static void run_fiber(void *arg)
{
	struct run *r = arg;
	struct daemon *d = r->d;
	char why[400];

	r->res = sl_keyring_load(&d->keys, d->conf.http.keys, why, sizeof(why), SL_NEVER);
	if (!r->res)
		r->res = listeners_open(d, why, sizeof(why));
	if (r->res) {
		sl_log_err("daemon.cannot-listen", SL_KV(why, why));
		sem_post(&r->begun);
	} else {
		set_ready(d, NULL);
		greet(d);
		sl_notify_ready("serving");
		sem_post(&r->begun);
		serve_signals(d);
	}
	r->clean = !end(d);
	sl_cores_stop(d->cores);
}

static void run_here(struct sl_msg *msg)
{
	struct run *r = sl_container_of(msg, struct run, msg);

	/* The first fiber of an empty core: without memory for it nothing could go on. */
	SL_ASSERT(!sl_fiber_start(SL_STACK_LARGE, run_fiber, r));
}

static int open_access_log(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	const char *path = d->conf.http.access_log;

	if (!path[0])
		return 0;
	return http_log_open(path, (enum sl_log_format)d->conf.node.log_format, cores,
			     &d->access_log, why, why_len);
}

static int start_cores(struct daemon *d, char *why, size_t why_len)
{
	int nodes[CPU_SETSIZE];
	struct sl_cores_conf conf = {.n = d->cores_n, .cpus = d->pinned ? d->cpus : NULL};
	struct sl_topics_conf topics;
	int err;

	if (d->pinned &&
	    choose_nodes((enum sl_numa_mode)d->conf.node.numa, d->cpus, conf.n, nodes))
		conf.nodes = nodes;
	conf.spin_ns = d->conf.node.spin_ns;
	conf.arena_bytes_max = d->conf.node.memory_max_bytes / conf.n;
	err = make_registry(d, conf.n);
	if (err)
		return err;
	conf.registry = d->registry;
	topics = daemon_topics_conf(d);
	topics.cores = conf.n;
	err = sl_topics_open(&topics, &d->topics);
	if (err) {
		snprintf(why, why_len, "%s: the topics cannot be read: %s", d->conf.node.datadir,
			 err == -EPROTONOSUPPORT ? "written by a newer sluice; use that one"
						 : strerror(-err));
		return err;
	}
	err = objects_begin(d, conf.n, why, why_len);
	if (!err)
		err = open_access_log(d, conf.n, why, why_len);
	if (!err)
		err = cache_begin(d, conf.n, why, why_len);
	if (!err)
		err = proxy_begin(d, conf.n, why, why_len);
	if (!err)
		err = apis_serve(d, LISTENER_HTTP, conf.n, &d->http);
	if (!err && d->conf.statics.listen.n)
		err = open_files(d, conf.n, why, why_len);
	if (!err)
		err = daemon_configure_kafka(d);
	if (err)
		return err;
	return sl_cores_start(&conf, start_core, d, &d->cores, why, why_len);
}

static void free_all(struct daemon *d)
{
	struct kafka_config *k;

	listeners_free(d);
	daemon_tls_free(d);
	sl_keyring_done(&d->keys);
	sl_topics_close(d->topics);
	objects_free(d->objects);
	proxy_free(d);
	cache_free(d->cache);
	http_server_done(&d->http);
	close_files(d);
	http_log_free(d->access_log);
	sl_registry_free(d->registry);
	while ((k = d->kafka)) {
		d->kafka = k->older;
		free(k);
	}
}

int daemon_run(struct daemon *d, bool *ret_clean)
{
	struct run run = {.msg.fn = run_here, .d = d};
	char why[256] = "";
	struct sl_bpf_conf counting;
	int err = start_cores(d, why, sizeof(why));

	if (err) {
		sl_log_err("daemon.cannot-start", SL_KV(why, why[0] ? why : strerror(-err)));
		free_all(d);
		return err;
	}
	counting = programs_that_count(d); /* a reload may change the settings from here on */
	sem_init(&run.begun, 0, 0);
	sl_post(sl_cores_at(d->cores, 0), &run.msg);
	while (sem_wait(&run.begun)) /* EINTR */
		;
	if (!run.res)
		programs_count(d, &counting);
	sl_cores_join(d->cores);
	sem_destroy(&run.begun);
	free_all(d);
	*ret_clean = run.clean;
	return run.res;
}
