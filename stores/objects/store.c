/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: opening, starting, draining, stopping and freeing; what each core keeps; the way home.
 *
 * Interface: "open and close" of objects.h, "cores" of objects_pvt.h.
 * Invariants: a core's state is touched by its own fibers alone, once it has started; what comes
 * from another core before that waits, and after the stop is refused.
 *
 * Order of parts: settings; open and free; cores; visits; start; drain and stop.
 */
#include <xxhash.h>

#include "objects_pvt.h"

#define READY_POLL_NS SL_MSEC

/* ---- settings --------------------------------------------------------------------------- */

static void conf_take(struct objects_store_conf *dst, const struct objects_store_conf *src)
{
	*dst = *src;
	if (!dst->checkpoint_bytes)
		dst->checkpoint_bytes = 64 * SL_MIB;
	if (!dst->idle_ns)
		dst->idle_ns = 60 * SL_SEC;
	if (!dst->log.segment_bytes)
		dst->log.segment_bytes = 256 * SL_MIB;
	dst->log.epoch = dst->epoch;
	/* Only what was moved to the end of a log may go. */
	dst->log.retention_bytes = 0;
	dst->log.retention_ms = 0;
	dst->log.segment_ms = 0;
	/* An object is found from the entry before it. */
	dst->log.index_interval_bytes = 4096;
}

/* ---- open and free ---------------------------------------------------------------------- */

/* Its name durable: a kill may have come between it and its sync. */
static int folder_open(struct objects *o)
{
	int rc = sl_mkdir(o->conf.dir, "objects", 0700, SL_NEVER);

	if (rc && rc != -EEXIST)
		return rc;
	rc = sl_open(o->conf.dir, "objects", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	if (rc < 0)
		return rc;
	o->dir = rc;
	rc = sl_fsync(o->conf.dir, false, SL_FAULT(SYNC_DATADIR_FOLDER), SL_NEVER);
	if (!rc)
		rc = sl_fsync(o->dir, false, SL_FAULT(SYNC_OBJECTS_FOLDER), SL_NEVER);
	return rc;
}

static void core_init(struct objects *o, struct core_store *cs)
{
	cs->o = o;
	cs->conf = o->conf;
	sl_list_init(&cs->collections);
	sl_waitq_init(&cs->keeper);
	sl_waitq_init(&cs->ended);
	sl_mutex_init(&cs->keeping);
}

int objects_open(const struct objects_store_conf *conf, struct objects **ret_objects)
{
	struct objects *o = calloc(1, sizeof(*o));
	int rc = -ENOMEM;

	SL_ASSERT(conf->cores > 0);
	if (!o)
		return -ENOMEM;
	o->dir = -1;
	conf_take(&o->conf, conf);
	sl_list_init(&o->views);
	sl_mutex_init(&o->changing);
	o->cores_n = conf->cores;
	o->cores = aligned_alloc(64, conf->cores * sizeof(*o->cores));
	if (!o->cores)
		goto out_free;
	memset(o->cores, 0, conf->cores * sizeof(*o->cores));
	for (uint32_t i = 0; i < conf->cores; i++)
		core_init(o, &o->cores[i]);
	rc = folder_open(o);
	if (!rc)
		rc = folders_scan(o);
	if (rc)
		goto out_free;
	for (uint32_t i = 0; i < conf->cores; i++)
		o->cores[i].view = o->view;
	*ret_objects = o;
	return 0;
out_free:
	objects_free(o);
	return rc;
}

void objects_free(struct objects *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; o->cores && i < o->cores_n; i++) {
		SL_ASSERT(!o->cores[i].started || o->cores[i].stopping);
		free(o->cores[i].table);
	}
	sl_list_each_safe(n, &o->views)
		catalogue_view_free(sl_list_entry(n, struct objects_view, node));
	if (o->dir >= 0)
		sl_close(o->dir);
	for (uint32_t i = 0; i < o->leftovers_n; i++)
		free(o->leftovers[i]);
	for (uint32_t i = 0; i < o->aliases_n; i++)
		free(o->aliases[i].alias);
	free(o->leftovers);
	free(o->aliases);
	free(o->cores);
	free(o);
}

void objects_tell(struct core_store *cs, enum objects_event event, const char *name, int64_t a)
{
	event_count(event, a);
	if (cs->conf.event)
		cs->conf.event(cs->conf.arg, event, name, a);
}

/* ---- cores ------------------------------------------------------------------------------ */

struct sl_core *collection_home(const struct objects_collection *pub)
{
	struct sl_core *self = sl_core_self();

	if (!self)
		return NULL;
	return sl_core_home(sl_core_cores(self), XXH3_64bits(pub->id, sizeof(pub->id)));
}

int home_ready(struct core_store *cs, int64_t deadline)
{
	while (sl_unlikely(!cs->started)) {
		if (sl_now() >= deadline)
			return -ETIME;
		sl_sleep(sl_now() + READY_POLL_NS);
	}
	return cs->stopping ? -ESHUTDOWN : 0;
}

int store_fiber_start(struct core_store *cs, void (*fn)(void *arg), void *arg)
{
	int rc;

	cs->fibers++;
	if (!sl_core_self()) {
		fn(arg);
		return 0;
	}
	rc = sl_fiber_start(SL_STACK_SMALL, fn, arg);
	if (rc)
		cs->fibers--;
	return rc;
}

void store_fiber_end(struct core_store *cs)
{
	SL_ASSERT(cs->fibers > 0);
	if (--cs->fibers == 0)
		sl_waitq_wake_all(&cs->ended, 0);
}

/* ---- visits ----------------------------------------------------------------------------- */

static int visit_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	struct core_store *cs = objects_self(v->o);
	struct collection *c;
	int rc = home_ready(cs, deadline);

	if (!rc && cs->draining)
		rc = -ESHUTDOWN;
	if (!rc)
		rc = collection_enter(cs, v->pub, &c, deadline);
	if (rc)
		return rc;
	rc = v->fn(c, v, deadline);
	collection_leave(c);
	return rc;
}

int visit(struct objects *o, const char *name,
	  int (*fn)(struct collection *c, void *visit, int64_t deadline), struct visit *v,
	  int64_t deadline)
{
	struct objects_view *view = objects_view(o);
	const struct objects_collection *pub = objects_view_find(view, name);
	int rc = -ENOENT;

	if (pub) {
		*v = (struct visit){o, pub, fn};
		rc = sl_call(collection_home(pub), visit_here, v, deadline);
	}
	objects_view_release(view);
	return rc;
}

/* ---- start ------------------------------------------------------------------------------ */

/* Core 0's: what creations and deletions left behind. */
static void sweeper(void *core_state)
{
	struct core_store *cs = core_state;

	folders_sweep(cs->o);
	store_fiber_end(cs);
}

int objects_start(struct objects *o, int64_t deadline)
{
	struct core_store *cs = objects_self(o);
	int rc;

	SL_ASSERT(!cs->started);
	rc = sl_logs_new(&cs->conf.logs, &cs->logs);
	if (rc)
		return rc;
	if (sl_core_self())
		rc = store_fiber_start(cs, keeper, cs);
	if (!rc && cs == &o->cores[0])
		rc = store_fiber_start(cs, sweeper, cs);
	/* Also on failure: what did start is then ended by the stop. */
	cs->started = true;
	if (rc)
		objects_stop(o, deadline);
	return rc;
}

void objects_configure(struct objects *o, const struct objects_store_conf *conf)
{
	struct core_store *cs = objects_self(o);
	struct objects_store_conf old = cs->conf;

	cs->conf = *conf;
	cs->conf.dir = old.dir;
	cs->conf.cores = old.cores;
	cs->conf.epoch = old.epoch;
	conf_take(&cs->conf, &cs->conf);
	sl_list_each(n, &cs->collections) {
		struct collection *c = sl_list_entry(n, struct collection, node);

		if (c->state == COLLECTION_OPEN)
			sl_log_configure(c->log, &cs->conf.log);
	}
	keeper_wake(cs);
}

/* ---- drain and stop --------------------------------------------------------------------- */

void objects_drain(struct objects *o)
{
	struct core_store *cs = objects_self(o);

	cs->draining = true;
	keeper_wake(cs);
}

int objects_stop(struct objects *o, int64_t deadline)
{
	struct core_store *cs = objects_self(o);
	int rc;

	SL_ASSERT(cs->started);
	objects_drain(o);
	while (cs->fibers)
		sl_waitq_wait(&cs->ended, SL_NEVER);
	cs->stopping = true;
	rc = collections_close(cs, deadline);
	sl_logs_free(cs->logs, deadline);
	cs->logs = NULL;
	return rc;
}
