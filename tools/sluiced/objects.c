/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's store of objects: its settings, its events, its start and end.
 *
 * Interface: "objects.c" of daemon.h. What a collection cannot read or keep is logged, and never
 * keeps the daemon from serving the others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

static const char *const events[OBJECTS_EVENT_LAST] = {
	[OBJECTS_SKIPPED] = "objects.folder-skipped",
	[OBJECTS_FAILED] = "objects.collection-failed",
	[OBJECTS_LOST] = "objects.lost",
	[OBJECTS_REBUILT] = "objects.indexes-rebuilt",
	[OBJECTS_CHECKPOINT_FAILED] = "objects.checkpoint-failed",
	[OBJECTS_COMPACTED] = "objects.compacted",
};

static void on_event(void *arg, enum objects_event event, const char *name, int64_t a)
{
	(void)arg;
	switch (event) {
	case OBJECTS_LOST:
		sl_log_err(events[event], SL_KV(collection, name), SL_KV(objects, a));
		break;
	case OBJECTS_COMPACTED:
		sl_log_info(events[event], SL_KV(collection, name), SL_KV(freed_bytes, a));
		break;
	default:
		sl_log_warn(events[event], SL_KV(collection, name), SL_KV_ERRNO((int)a));
		break;
	}
}

/* Logs as those of topics, but for what a collection decides itself. */
static struct objects_store_conf conf_of(struct daemon *d)
{
	const struct sl_topics_conf topics = daemon_topics_conf(d);
	const struct sl_conf *c = &d->conf;

	return (struct objects_store_conf){
		.dir = topics.dir,
		.cores = topics.cores,
		.epoch = topics.epoch,
		.log =
			{
				.durability = topics.log.durability,
				.preallocate_bytes = topics.log.preallocate_bytes,
			},
		.logs = topics.logs,
		.checkpoint_bytes = c->objects.checkpoint_bytes,
		.idle_ns = c->objects.idle_timeout_ns,
		.memory_max_bytes = c->objects.memory_max_bytes,
		.event = on_event,
	};
}

int objects_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	struct objects_store_conf conf = conf_of(d);
	int err;

	conf.cores = cores;
	err = objects_open(&conf, &d->objects);
	if (err)
		snprintf(why, why_len, "%s: the collections cannot be read: %s",
			 d->conf.node.datadir,
			 err == -EPROTONOSUPPORT ? "written by a newer sluice; use that one"
						 : strerror(-err));
	return err;
}

int objects_drain_core(void *d, int64_t deadline)
{
	(void)deadline;
	objects_drain(((struct daemon *)d)->objects);
	return 0;
}

int objects_stop_core(void *d, int64_t deadline)
{
	return objects_stop(((struct daemon *)d)->objects, deadline);
}

static int configure_core(void *arg, int64_t deadline)
{
	struct daemon *d = arg;
	struct objects_store_conf conf = conf_of(d);

	(void)deadline;
	objects_configure(d->objects, &conf);
	return 0;
}

void objects_apply(struct daemon *d)
{
	daemon_on_every_core(d, configure_core);
}
