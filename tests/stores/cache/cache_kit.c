/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache under test, and objects that follow from numbers.
 *
 * Interface: cache_kit.h. Order of parts: a cache under test; objects; storing; looking up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_kit.h"

/* ---- a cache under test ------------------------------------------------------------------- */

static void heard(void *arg, enum cache_event event, int64_t a, int64_t b)
{
	struct cache_kit *k = arg;

	(void)a;
	(void)b;
	__atomic_fetch_add(&k->events[event], 1, __ATOMIC_RELAXED);
}

void cache_kit_init(struct cache_kit *k, struct sl_sim *sim)
{
	*k = (struct cache_kit){.sim = sim};
	k->conf = (struct cache_conf){
		.dir = -1,
		.path = "cache",
		.max_bytes = 16 * SL_MIB,
		.sendfile = true,
		.event = heard,
		.exclusive = sim,
	};
}

static int open_folder(const struct cache_kit *k)
{
	return sl_open(AT_FDCWD, k->sim ? "/" : harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0,
		       SL_NEVER);
}

uint32_t cache_kit_make_device_of(struct cache_kit *k, uint64_t bytes,
				  struct cache_format_conf conf)
{
	struct sl_backend *before = k->sim ? sl_backend_use(sl_sim_backend(k->sim)) : NULL;
	struct cache_format made;
	char why[200] = "";
	int dir = open_folder(k);
	int fd = sl_open(dir, "cache", O_RDWR | O_CREAT | O_EXCL, 0600, SL_NEVER);

	conf.exclusive = k->sim;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sl_ftruncate(fd, bytes, SL_NEVER));
	ASSERT_EQ(0, sl_fsync(fd, false, SL_FAULT(NONE), SL_NEVER));
	ASSERT_EQ(0, sl_fsync(dir, false, SL_FAULT(NONE), SL_NEVER));
	sl_close(fd);
	ASSERT_EQ(0, cache_format(dir, "cache", &conf, &made, why, sizeof(why), SL_NEVER));
	sl_close(dir);
	k->conf.max_bytes = 0;
	if (k->sim)
		sl_backend_use(before);
	return made.slots;
}

void cache_kit_make_device(struct cache_kit *k, uint32_t slots)
{
	const struct cache_format_conf conf = {.slot_bytes = 256 * SL_KIB,
					       .journal_bytes = 16 * SL_KIB};

	/* In front the description, behind the journal and the other description. */
	ASSERT_EQ(slots, cache_kit_make_device_of(k, (slots + 2) * conf.slot_bytes + 4096, conf));
}

static int start_core(void *arg, int64_t deadline)
{
	return cache_start(arg, deadline);
}

static int stop_core(void *arg, int64_t deadline)
{
	cache_stop(arg, deadline);
	return 0;
}

static int on_every_core(struct cache_kit *k, int (*fn)(void *arg, int64_t deadline))
{
	struct sl_core *self = sl_core_self();
	uint32_t n = self ? sl_cores_count(sl_core_cores(self)) : 1;
	int first = 0;

	for (uint32_t i = 0; i < n; i++) {
		int err = self ? sl_call(sl_cores_at(sl_core_cores(self), i), fn, k->c, SL_NEVER)
			       : fn(k->c, SL_NEVER);

		first = first ? first : err;
	}
	return first;
}

int cache_kit_open(struct cache_kit *k)
{
	char why[200];
	struct sl_core *self = sl_core_self();
	int err;

	k->conf.arg = k;
	k->conf.dir = open_folder(k);
	if (k->conf.dir < 0)
		return k->conf.dir;
	err = cache_open(self ? sl_cores_count(sl_core_cores(self)) : 0, &k->conf, &k->c, why,
			 sizeof(why), SL_NEVER);
	if (err) {
		sl_close(k->conf.dir);
		k->c = NULL;
		return err;
	}
	return on_every_core(k, start_core);
}

void cache_kit_close(struct cache_kit *k)
{
	if (!k->c)
		return;
	on_every_core(k, stop_core);
	cache_free(k->c);
	sl_close(k->conf.dir);
	k->c = NULL;
}

int cache_kit_reopen(struct cache_kit *k)
{
	cache_kit_close(k);
	return cache_kit_open(k);
}

int cache_kit_open_and_close(struct cache_kit *k)
{
	int err = cache_kit_open(k);

	cache_kit_close(k);
	return err;
}

int cache_kit_open_why(struct cache_kit *k, const char *path, char *ret_why, size_t len)
{
	struct cache_conf conf = k->conf;
	struct cache *c;
	int err;

	conf.dir = AT_FDCWD;
	conf.path = path;
	err = cache_open(1, &conf, &c, ret_why, len, SL_NEVER);
	if (!err)
		cache_free(c);
	return err;
}

/* A fiber of core 0, when all cores are there. */
struct call {
	struct sl_msg msg;
	struct cache_kit *k;
	struct sl_cores *cores;
	int res;
};

static void run_body(void *arg)
{
	struct call *c = arg;

	c->res = c->k->body(c->k);
	if (c->cores)
		sl_cores_stop(c->cores);
}

static void run_here(struct sl_msg *msg)
{
	struct call *c = sl_container_of(msg, struct call, msg);

	SL_ASSERT(!sl_fiber_start(SL_STACK_LARGE, run_body, c));
}

static int nothing(struct sl_core *core, void *arg)
{
	(void)core;
	(void)arg;
	return 0;
}

static int run_alone(void *arg)
{
	run_body(arg);
	return 0;
}

int cache_kit_run(struct cache_kit *k, int (*body)(struct cache_kit *k))
{
	struct sl_cores_conf conf = {
		.n = k->cores ? k->cores : 1,
		.backend = k->backend ? k->backend : k->sim ? sl_sim_backend(k->sim) : NULL,
		.arena_bytes_max = 64 * SL_MIB,
		.rx_buffers = 8,
	};
	struct call c = {.msg.fn = run_here, .k = k};
	char why[200];

	k->body = body;
	if (conf.n == 1)
		return sl_core_run(&conf, run_alone, &c) ? -EIO : c.res;
	ASSERT_EQ(0, sl_cores_start(&conf, nothing, NULL, &c.cores, why, sizeof(why)));
	sl_post(sl_cores_at(c.cores, 0), &c.msg);
	sl_cores_join(c.cores);
	return c.res;
}

/* ---- objects ------------------------------------------------------------------------------ */

struct cache_key cache_kit_key(uint32_t id)
{
	static __thread char text[8][32];
	static __thread unsigned turn;
	char *p = text[turn++ % 8];

	return (struct cache_key){p, (size_t)snprintf(p, sizeof(text[0]), "k:/object/%u", id)};
}

const char *cache_kit_meta(const struct cache_kit_object *o)
{
	static __thread char text[64];

	snprintf(text, sizeof(text), "object %u, generation %u", o->id, o->gen);
	return text;
}

/* Word @i of a body. */
static uint64_t word(const struct cache_kit_object *o, uint64_t i)
{
	uint32_t gen = o->body ? o->body : o->gen;

	return sl_mix64(i * 0x9e3779b97f4a7c15 + ((uint64_t)o->id << 32 | gen));
}

void cache_kit_fill(const struct cache_kit_object *o, uint64_t off, uint8_t *dst, size_t len)
{
	for (size_t done = 0; done < len;) {
		uint64_t at = off + done, w = word(o, at / 8);
		size_t n = sl_min(len - done, (size_t)(8 - at % 8));

		memcpy(dst + done, (uint8_t *)&w + at % 8, n);
		done += n;
	}
}

bool cache_kit_is(const struct cache_kit_object *o, uint64_t off, const uint8_t *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		uint64_t at = off + done, w = word(o, at / 8);
		size_t n = sl_min(len - done, (size_t)(8 - at % 8));

		if (memcmp(data + done, (uint8_t *)&w + at % 8, n))
			return false;
		done += n;
	}
	return true;
}

/* ---- storing ------------------------------------------------------------------------------ */

static int put(struct cache_kit *k, const struct cache_kit_object *o, struct cache_put_conf *conf)
{
	struct cache_put *p;
	uint64_t done = 0;
	int err;

	conf->meta = cache_kit_meta(o);
	conf->meta_bytes = (uint32_t)strlen(conf->meta);
	if (!conf->expires_ms)
		conf->expires_ms = INT64_MAX;
	err = cache_put_begin(k->c, cache_kit_key(o->id), conf, &p, SL_NEVER);
	if (err)
		return err;
	while (done < o->bytes && !err) {
		void *room;
		size_t n;

		err = cache_put_room(p, &room, &n, SL_NEVER);
		if (err)
			break;
		n = sl_min(n, (size_t)(o->bytes - done));
		cache_kit_fill(o, done, room, n);
		err = cache_put_took(p, n, SL_NEVER);
		done += n;
	}
	if (!err)
		return cache_put_commit(p, SL_NEVER);
	cache_put_abort(p);
	return err;
}

int cache_kit_put(struct cache_kit *k, const struct cache_kit_object *o, const char *tag)
{
	struct cache_key key = {tag, tag ? strlen(tag) : 0};
	struct cache_put_conf conf = {.bytes = o->bytes, .tags = &key, .tags_n = tag ? 1 : 0};

	return put(k, o, &conf);
}

int cache_kit_put_unknown(struct cache_kit *k, const struct cache_kit_object *o)
{
	struct cache_put_conf conf = {.bytes = CACHE_BYTES_UNKNOWN};

	return put(k, o, &conf);
}

/* ---- looking up --------------------------------------------------------------------------- */

static bool extent_is(const struct sl_extent *e, const struct cache_kit_object *o, uint64_t off)
{
	uint8_t *data = malloc(e->len);
	bool is;

	SL_ASSERT(data);
	is = !sl_read_all(e->file->fd, data, e->len, e->off, SL_NEVER) &&
	     cache_kit_is(o, off, data, e->len);
	free(data);
	return is;
}

bool cache_kit_parts_are(struct sl_part *parts, int n, const struct cache_kit_object *o,
			 uint64_t off)
{
	bool is = true;

	for (int i = 0; i < n; i++) {
		const struct sl_part *p = &parts[i];

		is = is && (p->kind == SL_PART_SLICE
				    ? cache_kit_is(o, off, p->slice.data, p->slice.len)
				    : extent_is(&p->extent, o, off));
		off += sl_part_len(p);
		sl_part_release(&parts[i]);
	}
	return is;
}

int cache_kit_range(struct cache_object *held, const struct cache_kit_object *o, uint64_t off,
		    uint64_t len)
{
	while (len) {
		struct sl_part parts[CACHE_PARTS_MAX];
		uint64_t step = sl_min(len, CACHE_WINDOW_BYTES), got = 0;
		int n = cache_parts(held, off, step, parts, CACHE_PARTS_MAX, SL_NEVER);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			got += sl_part_len(&parts[i]);
		if (!cache_kit_parts_are(parts, n, o, off) || got != step)
			return 1;
		off += step;
		len -= step;
	}
	return 0;
}

int cache_kit_get(struct cache_kit *k, const struct cache_kit_object *o,
		  struct cache_object **ret_object)
{
	const char *meta = cache_kit_meta(o);
	struct cache_object *held;
	int res = cache_lookup(k->c, cache_kit_key(o->id), 0, &held, SL_NEVER);

	if (res)
		return res;
	if (held->bytes != o->bytes || held->meta_bytes != strlen(meta) ||
	    memcmp(held->meta, meta, held->meta_bytes))
		res = 1;
	else
		res = cache_kit_range(held, o, 0, o->bytes);
	if (ret_object && !res)
		*ret_object = held;
	else
		cache_release(held);
	return res;
}
