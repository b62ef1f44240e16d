/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: opening and closing, what nobody waits for, watching.
 *
 * Interface: "the store", "keys" and "watching" of <sluice/objects.h>. Below is stores/objects,
 * which is written for the fibers of cores; here it has no core, and the program's threads take
 * turns in it (dataplane/turns.c). So a call is: have a turn, make the store's call, leave; whoever
 * waits for the disk meanwhile is not in it. The folder is the daemon's: it is locked, and counts
 * its starts, as for the daemon.
 *
 * Order of parts: events; the store; keys; watching.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

/* ---- events ----------------------------------------------------------------------------- */

static void on_event(void *arg, enum objects_event event, const char *name, int64_t a)
{
	struct objects_figures *n = arg;
	uint64_t *const counts[OBJECTS_EVENT_LAST] = {
		[OBJECTS_SKIPPED] = &n->skipped,
		[OBJECTS_FAILED] = &n->failed,
		[OBJECTS_REBUILT] = &n->rebuilt,
		[OBJECTS_CHECKPOINT_FAILED] = &n->checkpoints_failed,
		[OBJECTS_COMPACTED] = &n->compacted,
	};

	(void)name;
	if (event == OBJECTS_LOST)
		n->lost += (uint64_t)a;
	if (event == OBJECTS_COMPACTED)
		n->compacted_bytes += (uint64_t)a;
	if (counts[event])
		++*counts[event];
}

static void on_log_event(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	struct objects_figures *n = arg;

	(void)name;
	switch (event) {
	case SL_LOG_TORN_TAIL:
		n->torn_bytes += (uint64_t)a;
		break;
	case SL_LOG_QUARANTINED:
		n->quarantined += (uint64_t)b;
		break;
	case SL_LOG_FAILED:
		n->logs_failed++;
		break;
	case SL_LOG_FULL:
		n->full++;
		break;
	default:
		break;
	}
}

/* ---- the store -------------------------------------------------------------------------- */

/* Takes the folder, and reads what collections are in it. */
static int begin(struct sl_objects *o, const char *path, struct objects_store_conf *conf, char *why,
		 size_t why_len)
{
	const struct sl_datadir_conf folder = {
		.path = path, .uid = (uid_t)-1, .gid = (gid_t)-1};
	char text[512] = "";
	int err = sl_datadir_open(&o->datadir, &folder, text, sizeof(text), SL_NEVER);

	if (err) {
		say(why, why_len, text);
		return err;
	}
	o->refused = o->datadir.pending;
	conf->dir = o->datadir.fd;
	conf->epoch = (uint32_t)o->datadir.incarnation;
	conf->event = on_event;
	conf->arg = &o->n;
	conf->logs.event = on_log_event;
	conf->logs.arg = &o->n;
	conf->logs.refused = &o->refused;
	sl_turns_enter(o->turns);
	err = objects_open(conf, &o->objects);
	if (!err)
		err = objects_start(o->objects, SL_NEVER);
	sl_turns_leave(o->turns);
	if (err && why)
		snprintf(why, why_len, "%s: the collections cannot be read: %s", path,
			 err == -EPROTONOSUPPORT ? "written by a newer sluice; use that one"
						 : strerror(-err));
	return err;
}

static void gone(struct sl_objects *o)
{
	objects_free(o->objects);
	sl_turns_free(o->turns);
	free(o);
}

int sl_objects_open(const char *path, const char *settings, struct sl_objects **ret_objects,
		    char *why, size_t why_len)
{
	struct sl_objects *o = calloc(1, sizeof(*o));
	struct objects_store_conf conf;
	int err;

	say(why, why_len, "");
	if (!o)
		return -ENOMEM;
	err = objects_settings_read(settings, &conf, why, why_len);
	if (!err)
		err = sl_turns_new(&o->turns);
	if (!err)
		err = begin(o, path, &conf, why, why_len);
	if (!err) {
		*ret_objects = o;
		return 0;
	}
	if (why && why_len && !why[0])
		say(why, why_len, strerror(-err));
	sl_datadir_close(&o->datadir, false, SL_NEVER);
	gone(o);
	return err;
}

int sl_objects_close(struct sl_objects *o)
{
	int err, marked;

	if (!o)
		return 0;
	sl_turns_enter(o->turns);
	err = objects_stop(o->objects, SL_NEVER);
	sl_turns_leave(o->turns);
	marked = sl_datadir_close(&o->datadir, !err && !o->refused, SL_NEVER);
	gone(o);
	return err ? err : marked;
}

int sl_objects_work(struct sl_objects *o, int64_t wait_ms)
{
	int64_t wait = sl_min(sl_max(wait_ms, INT64_C(0)), INT64_MAX / SL_MSEC / 4);
	int more;

	sl_turns_enter(o->turns);
	more = objects_keep(o->objects, sl_now() + wait * SL_MSEC);
	/* Who calls again at once would keep the others out. */
	sl_fiber_yield(SL_NEVER);
	sl_turns_leave(o->turns);
	return more;
}

/* ---- keys ------------------------------------------------------------------------------- */

struct sl_filter_key sl_objects_key_integer(uint64_t key)
{
	return objects_key_integer(key);
}

struct sl_filter_key sl_objects_key_uuid(const uint8_t uuid[SL_OBJECT_UUID_BYTES])
{
	return objects_key_uuid(uuid);
}

/* ---- watching --------------------------------------------------------------------------- */

/* In the order of the manual page. */
#define FIGURE(field) {#field, offsetof(struct objects_figures, field)}
static const struct {
	const char *name;
	size_t offset;
} figures[] = {
	FIGURE(skipped),	FIGURE(failed),	       FIGURE(lost),	     FIGURE(rebuilt),
	FIGURE(checkpoints_failed), FIGURE(compacted), FIGURE(compacted_bytes), FIGURE(torn_bytes),
	FIGURE(quarantined),	FIGURE(logs_failed),   FIGURE(full),
};
#undef FIGURE

static_assert(SL_ARRAY_SIZE(figures) == sizeof(struct objects_figures) / sizeof(uint64_t),
	      "each figure has its row");

void sl_objects_stat(struct sl_objects *o,
		     void (*each)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct objects_figures n;
	struct objects_view *view;
	uint64_t collections;

	sl_turns_enter(o->turns);
	n = o->n;
	view = objects_view(o->objects);
	collections = objects_view_count(view);
	objects_view_release(view);
	sl_turns_leave(o->turns);
	each(arg, "collections", collections);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		uint64_t value;

		memcpy(&value, (const char *)&n + figures[i].offset, sizeof(value));
		each(arg, figures[i].name, value);
	}
}
