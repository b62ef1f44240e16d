/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's cache: its settings, its events, its start and end.
 *
 * Interface: "cache.c" of daemon.h. What the cache cannot read or keep is logged, and never keeps
 * the daemon from serving; only a folder that cannot be used at all does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"

static const char *const events[CACHE_EVENT_LAST] = {
	[CACHE_DROPPED] = "cache.dropped",
	[CACHE_QUARANTINED] = "cache.quarantined",
	[CACHE_FULL] = "cache.disk-full",
	[CACHE_FAILED] = "cache.failed",
};

static void on_event(void *arg, enum cache_event event, int64_t a, int64_t b)
{
	(void)arg;
	switch (event) {
	case CACHE_DROPPED:
		sl_log_err(events[event], SL_KV(segments, a), SL_KV_ERRNO((int)b));
		break;
	case CACHE_QUARANTINED:
		sl_log_err(events[event], SL_KV(version, a), SL_KV_ERRNO((int)b));
		break;
	case CACHE_FULL:
		sl_log_err(events[event], SL_KV(wanted_bytes, a));
		break;
	default:
		sl_log_err(events[event], SL_KV_ERRNO((int)a));
		break;
	}
}

static struct cache_conf conf_of(const struct daemon *d)
{
	const struct sl_conf *c = &d->conf;

	return (struct cache_conf){
		.dir = AT_FDCWD,
		.path = c->cache.path,
		.max_bytes = c->cache.max_bytes,
		.block_size = (uint32_t)c->cache.block_size,
		.object_max_bytes = c->cache.object_max_bytes,
		.admission = (enum cache_admission)c->cache.admission,
		.ttl_ns = c->cache.ttl_ns,
		.mmap_threshold = c->cache.mmap_threshold,
		.sendfile = c->cache.sendfile,
		.direct = (enum cache_direct)c->cache.direct,
		.durability = (enum sl_durability)c->cache.durability,
		.memory_bytes = c->cache.memory_max_bytes,
		.scrub_bytes_per_s = c->cache.scrub_bytes_per_s,
		.event = on_event,
	};
}

int cache_make_folder(const struct daemon *d, char *why, size_t why_len)
{
	const char *path = d->conf.cache.path, *user = d->conf.node.user;
	uid_t uid;
	gid_t gid;
	int err;

	if (!path[0])
		return 0;
	err = cache_make(AT_FDCWD, path, SL_NEVER);
	if (err == -EEXIST)
		return 0;
	if (!err && user[0] && !geteuid()) {
		err = sl_privileges_user(user, &uid, &gid);
		if (!err && chown(path, uid, gid))
			err = -errno;
	}
	if (err)
		snprintf(why, why_len, "cache.path = %s: the folder cannot be made: %s", path,
			 strerror(-err));
	return err;
}

int cache_begin(struct daemon *d, uint32_t cores, char *why, size_t why_len)
{
	struct cache_conf conf = conf_of(d);

	if (!conf.path[0])
		return 0;
	return cache_open(cores, &conf, &d->cache, why, why_len, SL_NEVER);
}

int cache_start_core(struct daemon *d, int64_t deadline)
{
	return d->cache ? cache_start(d->cache, deadline) : 0;
}

int cache_stop_core(void *d, int64_t deadline)
{
	struct cache *c = ((struct daemon *)d)->cache;

	if (c)
		cache_stop(c, deadline);
	return 0;
}

static int trim_core(void *c, int64_t deadline)
{
	return cache_trim(c, deadline);
}

void cache_apply(struct daemon *d)
{
	struct cache_conf conf = conf_of(d);

	if (!d->cache)
		return;
	cache_configure(d->cache, &conf);
	for (uint32_t i = 0; i < sl_cores_count(d->cores); i++) {
		int err = sl_call(sl_cores_at(d->cores, i), trim_core, d->cache, SL_NEVER);

		if (err)
			sl_log_warn("cache.not-trimmed", SL_KV_ERRNO(err));
	}
}
