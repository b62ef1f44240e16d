/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: opening, starting, draining, stopping and closing; what each core keeps.
 *
 * Interface: "open and close" of topics.h, "cores" of topics_pvt.h.
 * Invariants: a core's state is touched by its own fibers alone, once it has started; what comes
 * from another core before that waits, and after the stop is refused.
 *
 * Order of parts: settings; open and close; cores; start; drain and stop.
 */
#include <errno.h>
#include <fcntl.h>

#include "topics_pvt.h"

#define READY_POLL_NS SL_MSEC
#define DAY_MS (INT64_C(86400) * 1000)

/* ---- settings --------------------------------------------------------------------------- */

static int64_t limit_or(uint64_t bytes, int64_t without)
{
	return bytes && bytes <= INT64_MAX ? (int64_t)bytes : without;
}

void settings_resolve(const struct sl_topics_conf *conf, struct sl_topic *topic)
{
	const int64_t defaults[] = {
		[SL_TOPIC_CLEANUP_POLICY] = 0,
		[SL_TOPIC_COMPRESSION_TYPE] = 0,
		[SL_TOPIC_MAX_MESSAGE_BYTES] = (int64_t)conf->batch_bytes_max,
		[SL_TOPIC_TIMESTAMP_TYPE] = 0,
		[SL_TOPIC_MIN_INSYNC_REPLICAS] = 1,
		[SL_TOPIC_RETENTION_BYTES] = limit_or(conf->log.retention_bytes, -1),
		[SL_TOPIC_RETENTION_MS] = conf->log.retention_ms > 0 ? conf->log.retention_ms : -1,
		[SL_TOPIC_SEGMENT_BYTES] = limit_or(conf->log.segment_bytes, (int64_t)SL_GIB),
		[SL_TOPIC_SEGMENT_MS] = conf->log.segment_ms > 0 ? conf->log.segment_ms
								 : 7 * DAY_MS,
		[SL_TOPIC_DURABILITY] = conf->log.durability,
	};

	static_assert(SL_ARRAY_SIZE(defaults) == SL_TOPIC_KEY_LAST, "a default for each key");
	topic->in_force.set = topic->own.set;
	for (unsigned k = 0; k < SL_TOPIC_KEY_LAST; k++)
		topic->in_force.value[k] = topic->own.set & 1U << k ? topic->own.value[k]
								    : defaults[k];
}

void settings_log_conf(const struct sl_topics_conf *conf, const struct sl_topic *topic,
		       struct sl_log_conf *ret_conf)
{
	const int64_t *v = topic->in_force.value;

	*ret_conf = conf->log;
	ret_conf->durability = (enum sl_durability)v[SL_TOPIC_DURABILITY];
	ret_conf->segment_bytes = (uint64_t)v[SL_TOPIC_SEGMENT_BYTES];
	ret_conf->segment_ms = v[SL_TOPIC_SEGMENT_MS];
	ret_conf->retention_bytes = (uint64_t)sl_max(v[SL_TOPIC_RETENTION_BYTES], INT64_C(0));
	ret_conf->retention_ms = sl_max(v[SL_TOPIC_RETENTION_MS], INT64_C(0));
	ret_conf->epoch = conf->epoch;
}

static void conf_take(struct sl_topics_conf *dst, const struct sl_topics_conf *src)
{
	*dst = *src;
	if (!dst->producer_expire_ms)
		dst->producer_expire_ms = DAY_MS;
	if (!dst->batch_bytes_max)
		dst->batch_bytes_max = 1048588;
	if (!dst->partitions_max)
		dst->partitions_max = 10000;
	if (!dst->group_session_max_ns)
		dst->group_session_max_ns = 1800 * SL_SEC;
	if (!dst->offsets_retention_ns)
		dst->offsets_retention_ns = 7 * 86400 * SL_SEC;
	if (!dst->group_members_max)
		dst->group_members_max = 10000;
	if (!dst->offset_metadata_bytes_max)
		dst->offset_metadata_bytes_max = 4096;
}

/* ---- open and close --------------------------------------------------------------------- */

static int folder_open(int dir, const char *name, int *ret_fd)
{
	int rc = sl_mkdir(dir, name, 0700, SL_NEVER);

	if (rc && rc != -EEXIST)
		return rc;
	rc = sl_open(dir, name, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	if (rc < 0)
		return rc;
	*ret_fd = rc;
	return 0;
}

/*
 * The folders, their names durable. They are synced even if they were there: a kill may have come
 * between a name and its sync, and what is built on such a name has to last.
 */
static int folders_open(struct sl_topics *t)
{
	int rc = folder_open(t->conf.dir, "topics", &t->dir);

	if (!rc)
		rc = folder_open(t->conf.dir, "groups", &t->groups_dir);
	if (!rc)
		rc = sl_fsync(t->conf.dir, false, SL_FAULT(SYNC_DATADIR_FOLDER), SL_NEVER);
	if (!rc)
		rc = sl_fsync(t->dir, false, SL_FAULT(SYNC_TOPIC_FOLDER), SL_NEVER);
	return rc;
}

static void core_init(struct sl_topics *t, struct core_state *tc)
{
	tc->t = t;
	tc->conf = t->conf;
	sl_list_init(&tc->partitions);
	sl_list_init(&tc->due);
	sl_list_init(&tc->fetches);
	sl_waitq_init(&tc->keeper);
	sl_waitq_init(&tc->ended);
}

int sl_topics_open(const struct sl_topics_conf *conf, struct sl_topics **ret_topics)
{
	struct sl_topics *t = calloc(1, sizeof(*t));
	int rc = -ENOMEM;

	SL_ASSERT(conf->cores > 0);
	if (!t)
		return -ENOMEM;
	t->dir = t->groups_dir = -1;
	conf_take(&t->conf, conf);
	sl_list_init(&t->views);
	sl_mutex_init(&t->changing);
	sl_mutex_init(&t->producer_ids);
	t->cores_n = conf->cores;
	t->cores = aligned_alloc(64, conf->cores * sizeof(struct core_state));
	if (!t->cores)
		goto out_close;
	memset(t->cores, 0, conf->cores * sizeof(struct core_state));
	for (uint32_t i = 0; i < conf->cores; i++)
		core_init(t, &t->cores[i]);
	rc = folders_open(t);
	if (!rc)
		rc = producer_ids_load(t);
	if (!rc)
		rc = files_scan(t);
	if (rc)
		goto out_close;
	/* Now, for a core that starts late is given newer ones by core 0. */
	for (uint32_t i = 0; i < conf->cores; i++)
		t->cores[i].view = t->cores[i].home_view = t->view;
	*ret_topics = t;
	return 0;
out_close:
	sl_topics_close(t);
	return rc;
}

void sl_topics_close(struct sl_topics *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; t->cores && i < t->cores_n; i++)
		SL_ASSERT(!t->cores[i].started || t->cores[i].stopping);
	sl_list_each_safe(n, &t->views)
		view_free(sl_list_entry(n, struct sl_topics_view, node));
	if (t->dir >= 0)
		sl_close(t->dir);
	if (t->groups_dir >= 0)
		sl_close(t->groups_dir);
	for (uint32_t i = 0; i < t->leftovers_n; i++)
		free(t->leftovers[i]);
	free(t->leftovers);
	free(t->cores);
	free(t);
}

void topics_event(struct core_state *tc, enum sl_topics_event event, const char *name, int64_t a)
{
	if (tc->conf.event)
		tc->conf.event(tc->conf.arg, event, name, a);
}

/* ---- cores ------------------------------------------------------------------------------ */

int core_ready(struct core_state *tc, int64_t deadline)
{
	while (sl_unlikely(!tc->started)) {
		if (sl_now() >= deadline)
			return -ETIME;
		sl_sleep(sl_now() + READY_POLL_NS);
	}
	return tc->stopping ? SL_REFUSED_STOPPING : 0;
}

int core_fiber_start(struct core_state *tc, void (*fn)(void *tc))
{
	int rc;

	tc->fibers++;
	rc = sl_fiber_start(SL_STACK_SMALL, fn, tc);
	if (rc)
		tc->fibers--;
	return rc;
}

void core_fiber_end(struct core_state *tc)
{
	SL_ASSERT(tc->fibers > 0);
	if (--tc->fibers == 0)
		sl_waitq_wake_all(&tc->ended, 0);
}

/* ---- start ------------------------------------------------------------------------------ */

/* Core 0's: what creations and deletions left behind. */
static void sweeper(void *core_state)
{
	struct core_state *tc = core_state;

	files_sweep(tc->t);
	core_fiber_end(tc);
}

int sl_topics_start(struct sl_topics *t, int64_t deadline)
{
	struct core_state *tc = topics_self(t);
	int rc;

	SL_ASSERT(!tc->started);
	tc->core = sl_core_self();
	rc = sl_logs_new(&tc->conf.logs, &tc->logs);
	if (rc)
		return rc;
	rc = shards_start(tc, deadline);
	if (!rc)
		rc = core_fiber_start(tc, partitions_keeper);
	if (!rc)
		rc = core_fiber_start(tc, partitions_opener);
	if (!rc && tc == &t->cores[0])
		rc = core_fiber_start(tc, sweeper);
	/* Also on failure: what did start is then ended by the stop. */
	tc->started = true;
	if (rc)
		sl_topics_stop(t, SL_NEVER);
	return rc;
}

void sl_topics_configure(struct sl_topics *t, const struct sl_topics_conf *conf)
{
	struct core_state *tc = topics_self(t);
	struct sl_topics_conf old = tc->conf;

	conf_take(&tc->conf, conf);
	tc->conf.dir = old.dir;
	tc->conf.cores = old.cores;
	tc->conf.epoch = old.epoch;
	/* Without memory for it, topics keep the defaults that they have. */
	if (tc == &t->cores[0] && !tc->draining)
		core_fiber_start(tc, topics_resolve_all);
}

/* ---- drain and stop --------------------------------------------------------------------- */

void sl_topics_drain(struct sl_topics *t)
{
	struct core_state *tc = topics_self(t);

	tc->draining = true;
	sl_list_each(n, &tc->fetches) {
		struct sl_fetch *f = sl_list_entry(n, struct sl_fetch, node);

		f->woken = true;
		sl_waitq_wake_all(&f->q, 0);
	}
	shards_drain(tc);
}

int sl_topics_stop(struct sl_topics *t, int64_t deadline)
{
	struct core_state *tc = topics_self(t);
	int rc, first;

	SL_ASSERT(tc->started);
	sl_topics_drain(t);
	tc->stopping = true;
	sl_waitq_wake_all(&tc->keeper, 0);
	while (tc->fibers)
		sl_waitq_wait(&tc->ended, SL_NEVER);
	first = shards_stop(tc, deadline);
	rc = partitions_close(tc, deadline);
	sl_logs_free(tc->logs, deadline);
	tc->logs = NULL;
	return first ? first : rc;
}
