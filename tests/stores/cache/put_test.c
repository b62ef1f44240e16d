/* SPDX-License-Identifier: Apache-2.0 */
/* Storing: what is promised and kept, what is sent while it comes, what is given up, updates. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_kit.h"

FIXTURE(put)
{
	struct cache_kit k;
};
FIXTURE_SETUP(put)
{
	cache_kit_init(&self->k, NULL);
	self->k.conf.durability = SL_DURABILITY_NONE;
}
FIXTURE_TEARDOWN(put)
{
}

static struct cache_put *begin(struct cache_kit *k, const struct cache_kit_object *o,
			       uint64_t promised)
{
	struct cache_put_conf conf = {.meta = cache_kit_meta(o), .bytes = promised,
				      .expires_ms = INT64_MAX};
	struct cache_put *p;

	conf.meta_bytes = (uint32_t)strlen(conf.meta);
	ASSERT_EQ(0, cache_put_begin(k->c, cache_kit_key(o->id), &conf, &p, SL_NEVER));
	return p;
}

static int write_some(struct cache_put *p, const struct cache_kit_object *o, uint64_t off,
		      uint64_t len)
{
	uint8_t data[5000];
	int err = 0;

	while (len && !err) {
		size_t n = sl_min(len, (uint64_t)sizeof(data));

		cache_kit_fill(o, off, data, n);
		err = cache_put_write(p, data, n, SL_NEVER);
		off += n;
		len -= n;
	}
	return err;
}

/* ---- promises ----------------------------------------------------------------------------- */

static int break_promises(struct cache_kit *k)
{
	static const uint64_t sizes[] = {100, 300000, 700000};
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct cache_kit_object o = {.id = i, .bytes = sizes[i]};
		struct cache_put *p = begin(k, &o, o.bytes);

		EXPECT_EQ(0, write_some(p, &o, 0, o.bytes - 1));
		EXPECT_EQ(-EBADMSG, cache_put_commit(p, SL_NEVER));
		EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
		p = begin(k, &o, o.bytes);
		EXPECT_EQ(0, write_some(p, &o, 0, o.bytes));
		EXPECT_EQ(-EBADMSG, write_some(p, &o, o.bytes, 1));
		cache_put_abort(p);
		EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
	}
	cache_stat(k->c, &st);
	EXPECT_EQ(0, st.stored);
	EXPECT_EQ(0, st.objects);
	cache_kit_close(k);
	return 0;
}

TEST_F(put, a_broken_promise_stores_nothing)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, break_promises));
}

static int refuse(struct cache_kit *k)
{
	static char big[CACHE_META_BYTES_MAX + 1];
	struct cache_key tag = {big, CACHE_TAG_BYTES_MAX + 1}, key = {"k", 1};
	struct cache_put_conf conf = {.bytes = 1};
	struct cache_put *p;

	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(-EMSGSIZE, cache_put_begin(k->c, (struct cache_key){"", 0}, &conf, &p, SL_NEVER));
	EXPECT_EQ(-EMSGSIZE, cache_put_begin(k->c, (struct cache_key){big, CACHE_KEY_BYTES_MAX + 1},
					     &conf, &p, SL_NEVER));
	conf = (struct cache_put_conf){.bytes = 1, .tags = &tag, .tags_n = 1};
	EXPECT_EQ(-EMSGSIZE, cache_put_begin(k->c, key, &conf, &p, SL_NEVER));
	conf = (struct cache_put_conf){.bytes = 1, .meta = big, .meta_bytes = sizeof(big)};
	EXPECT_EQ(-EMSGSIZE, cache_put_begin(k->c, key, &conf, &p, SL_NEVER));
	conf = (struct cache_put_conf){.bytes = 13 * SL_MIB};
	EXPECT_EQ(-EFBIG, cache_put_begin(k->c, key, &conf, &p, SL_NEVER));
	cache_kit_close(k);
	return 0;
}

TEST_F(put, what_is_too_long_is_refused)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, refuse));
}

static int refuse_long(struct cache_kit *k)
{
	const struct cache_kit_object fits = {.id = 1, .bytes = 300000},
				      long_ = {.id = 2, .bytes = 300001};
	struct sl_part parts[CACHE_PARTS_MAX];
	struct cache_put *p;
	int n;

	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(-EFBIG, cache_kit_put(k, &long_, NULL));
	EXPECT_EQ(-EFBIG, cache_kit_put_unknown(k, &long_));
	EXPECT_EQ(0, cache_kit_put(k, &fits, NULL));
	EXPECT_EQ(0, cache_kit_put_unknown(k, &fits));
	/* What came of it can still be sent. */
	p = begin(k, &long_, CACHE_BYTES_UNKNOWN);
	EXPECT_EQ(-EFBIG, write_some(p, &long_, 0, long_.bytes));
	ASSERT_EQ(long_.bytes, cache_put_written(p));
	n = cache_put_parts(p, 0, long_.bytes, parts, CACHE_PARTS_MAX);
	EXPECT_TRUE(cache_kit_parts_are(parts, n, &long_, 0));
	cache_put_abort(p);
	k->conf.object_max_bytes = 0;
	cache_configure(k->c, &k->conf);
	EXPECT_EQ(0, cache_kit_put_unknown(k, &long_));
	cache_kit_close(k);
	return 0;
}

TEST_F(put, an_object_may_be_as_long_as_the_setting_says)
{
	self->k.conf.object_max_bytes = 300000;
	EXPECT_EQ(0, cache_kit_run(&self->k, refuse_long));
}

static int put_optional(struct cache_kit *k, uint32_t id)
{
	const struct cache_kit_object o = {.id = id, .bytes = 300000};
	struct cache_put_conf conf = {.bytes = o.bytes, .expires_ms = INT64_MAX, .optional = true};
	struct cache_put *p;
	int err = cache_put_begin(k->c, cache_kit_key(id), &conf, &p, SL_NEVER);

	if (err)
		return err;
	EXPECT_EQ(0, write_some(p, &o, 0, o.bytes));
	return cache_put_commit(p, SL_NEVER);
}

static int put_what_is_new(struct cache_kit *k)
{
	const struct cache_kit_object obliged = {.id = 1000, .bytes = 300000};
	struct cache_stat st;
	uint32_t n = 0;
	int err;

	ASSERT_EQ(0, cache_kit_open(k));
	while (!(err = put_optional(k, n)) && n < 100) /* there is free space */
		n++;
	EXPECT_EQ(-EAGAIN, err);
	EXPECT_LT(40, n);
	EXPECT_EQ(0, put_optional(k, n)); /* the second time */
	EXPECT_EQ(0, put_optional(k, n)); /* it is there */
	EXPECT_EQ(0, cache_kit_put(k, &obliged, NULL));
	EXPECT_EQ(-EAGAIN, put_optional(k, n + 1));
	cache_stat(k->c, &st);
	EXPECT_EQ(2, st.refused);
	k->conf.admission = CACHE_ADMIT_ALL;
	cache_configure(k->c, &k->conf);
	EXPECT_EQ(0, put_optional(k, n + 2));
	cache_kit_close(k);
	return 0;
}

TEST_F(put, what_is_optional_is_stored_the_second_time_when_space_is_used_up)
{
	self->k.conf.admission = CACHE_ADMIT_SECOND;
	EXPECT_EQ(0, cache_kit_run(&self->k, put_what_is_new));
}

/* Over and over: as long as its segment has room for records, nothing of the body is written. */
static int update_often(struct cache_kit *k)
{
	const struct cache_kit_object o = {.id = 1, .bytes = 700000};
	struct cache_object *held;
	struct cache_stat before, st;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &o, "tag"));
	cache_stat(k->c, &before);
	for (uint32_t i = 1; i <= 70; i++) {
		const struct cache_kit_object next = {.id = 1, .gen = i};
		const char *meta = cache_kit_meta(&next);

		ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(1), 0, &held, SL_NEVER));
		ASSERT_EQ(0, cache_update(k->c, cache_kit_key(1), held->version, meta,
					  (uint32_t)strlen(meta), INT64_MAX, SL_NEVER));
		cache_release(held);
		cache_stat(k->c, &st);
		EXPECT_EQ(i < 64, before.bytes == st.bytes);
		if (i % 8 == 0)
			ASSERT_EQ(0, cache_kit_reopen(k));
		ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(1), 0, &held, SL_NEVER));
		EXPECT_EQ(strlen(meta), held->meta_bytes);
		EXPECT_MEMEQ(meta, held->meta, held->meta_bytes);
		EXPECT_EQ(0, cache_kit_range(held, &o, 0, o.bytes));
		cache_release(held);
	}
	cache_kit_close(k);
	return 0;
}

TEST_F(put, an_update_writes_no_body)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, update_often));
}

/* The largest object that the cache takes room for, in steps of a 128th of it. */
static uint64_t largest(struct cache_kit *k)
{
	uint64_t step = k->conf.max_bytes / 128, bytes = step;

	for (;; bytes += step) {
		struct cache_put_conf conf = {.bytes = bytes};
		struct cache_put *p;
		int err;

		/* What was given up lets go of its space a little later. */
		while ((err = cache_put_begin(k->c, cache_kit_key(1), &conf, &p, SL_NEVER)) ==
		       -ENOSPC)
			sl_sleep(sl_now() + SL_MSEC);
		if (err) {
			EXPECT_EQ(-EFBIG, err);
			return bytes - step;
		}
		cache_put_abort(p);
	}
}

static int take_large(struct cache_kit *k)
{
	static const uint64_t sizes[] = {16 * SL_MIB, 100 * SL_MIB, 128 * SL_MIB, SL_GIB,
					 20 * SL_GIB, 200 * SL_GIB, 1024 * SL_GIB};

	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		char path[20];
		uint64_t quarter = sizes[i] / 4, least = sl_max(quarter, 64 * SL_MIB);

		/* A quarter; 64 MiB where that is below three quarters; 40 GiB are ample. */
		least = sl_min(sl_min(least, 40 * SL_GIB), sizes[i] / 128 * 95);
		snprintf(path, sizeof(path), "cache%u", i);
		k->conf.path = path;
		k->conf.max_bytes = sizes[i];
		ASSERT_EQ(0, cache_kit_open(k));
		EXPECT_LE(least, largest(k));
		cache_kit_close(k);
	}
	return 0;
}

TEST_F(put, a_quarter_of_the_cache_is_not_too_large)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, take_large));
}

static int store_quarters(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	/* More than there is room for, so that the last ones take the place of others. */
	for (uint32_t i = 0; i < 8; i++) {
		struct cache_kit_object o = {.id = i, .bytes = k->conf.max_bytes / 4};

		EXPECT_EQ(0, i % 2 ? cache_kit_put_unknown(k, &o) : cache_kit_put(k, &o, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
	cache_kit_close(k);
	return 0;
}

TEST_F_TIMEOUT(put, a_quarter_of_the_cache_is_kept, 120)
{
	self->k.conf.max_bytes = 256 * SL_MIB;
	EXPECT_EQ(0, cache_kit_run(&self->k, store_quarters));
}

/* ---- while it comes ----------------------------------------------------------------------- */

static void send_while_filling(struct cache_kit *k, uint32_t id, uint64_t bytes, uint64_t promised)
{
	struct cache_kit_object o = {.id = id, .bytes = bytes};
	struct sl_part early[CACHE_PARTS_MAX], parts[CACHE_PARTS_MAX];
	struct cache_put *p = begin(k, &o, promised);
	uint64_t done = 0, step = 90001;
	int n_early = 0;

	while (done < bytes) {
		uint64_t n = sl_min(step, bytes - done);
		int got;

		ASSERT_EQ(0, write_some(p, &o, done, n));
		done += n;
		EXPECT_EQ(done, cache_put_written(p));
		got = cache_put_parts(p, done / 3, done - done / 3, parts, CACHE_PARTS_MAX);
		EXPECT_LT(0, got);
		EXPECT_TRUE(cache_kit_parts_are(parts, got, &o, done / 3));
		/* Held until the end: what is given out is not filled again. */
		if (!n_early)
			n_early = cache_put_parts(p, 0, done, early, CACHE_PARTS_MAX);
	}
	ASSERT_EQ(0, cache_put_commit(p, SL_NEVER));
	EXPECT_TRUE(cache_kit_parts_are(early, n_early, &o, 0));
	EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
}

static int fill_and_send(struct cache_kit *k)
{
	static const uint64_t sizes[] = {1000, 262144, 300000, 800000, 1500000, 4000000};

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		send_while_filling(k, 2 * i, sizes[i], sizes[i]);
		send_while_filling(k, 2 * i + 1, sizes[i], CACHE_BYTES_UNKNOWN);
	}
	cache_kit_close(k);
	return 0;
}

TEST_F(put, what_came_can_be_sent_while_the_rest_comes)
{
	/* All of it at a time, a quarter of the cache. */
	self->k.conf.max_bytes = 64 * SL_MIB;
	EXPECT_EQ(0, cache_kit_run(&self->k, fill_and_send));
}

static int give_up(struct cache_kit *k)
{
	struct cache_stat before, after;

	ASSERT_EQ(0, cache_kit_open(k));
	cache_stat(k->c, &before);
	for (uint32_t i = 0; i < 40; i++) {
		struct cache_kit_object o = {.id = i, .bytes = 3000000};
		struct cache_put *p = begin(k, &o, i % 2 ? CACHE_BYTES_UNKNOWN : o.bytes);

		EXPECT_EQ(0, write_some(p, &o, 0, 2000000));
		cache_put_abort(p);
		EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
	}
	/* Large ones had segments of their own, which go. */
	do {
		sl_sleep(sl_now() + SL_MSEC);
		cache_stat(k->c, &after);
	} while (after.segments != before.segments);
	EXPECT_EQ(0, after.objects);
	cache_kit_close(k);
	return 0;
}

TEST_F(put, what_is_given_up_leaves_nothing)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, give_up));
}

static int tell_versions(struct cache_kit *k)
{
	struct cache_put_conf conf = {.bytes = 3};
	uint64_t version, last = 0;
	struct cache_object *o;
	struct cache_put *p;

	ASSERT_EQ(0, cache_kit_open(k));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, cache_put_begin(k->c, cache_kit_key(1), &conf, &p, SL_NEVER));
		EXPECT_EQ(0, cache_put_write(p, "abc", 3, SL_NEVER));
		ASSERT_EQ(0, cache_put_commit_version(p, &version, SL_NEVER));
		ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(1), 0, &o, SL_NEVER));
		EXPECT_EQ(version, o->version);
		EXPECT_LT(last, version);
		last = version;
		cache_release(o);
	}
	ASSERT_EQ(0, cache_put_begin(k->c, cache_kit_key(1), &conf, &p, SL_NEVER));
	EXPECT_EQ(-EBADMSG, cache_put_commit_version(p, &version, SL_NEVER));
	EXPECT_EQ(last, version);
	cache_kit_close(k);
	return 0;
}

TEST_F(put, a_commit_tells_the_version)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, tell_versions));
}

/* ---- expiry and updates ------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	return sl_wall_clock_ns() / SL_MSEC;
}

static int put_until(struct cache_kit *k, uint32_t id, int64_t expires_ms)
{
	struct cache_put_conf conf = {.bytes = 0, .expires_ms = expires_ms};
	struct cache_put *p;
	int err = cache_put_begin(k->c, cache_kit_key(id), &conf, &p, SL_NEVER);

	return err ? err : cache_put_commit(p, SL_NEVER);
}

static int expire(struct cache_kit *k)
{
	int64_t soon = now_ms() + 1500;
	struct cache_object *o;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, put_until(k, 1, soon));
	ASSERT_EQ(0, put_until(k, 2, 0)); /* by the cache's ttl */
	ASSERT_EQ(0, put_until(k, 3, now_ms() - 5000));
	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(1), 0, &o, SL_NEVER));
	EXPECT_EQ(soon, o->expires_ms);
	EXPECT_LE(o->stored_ms, now_ms());
	cache_release(o);
	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(2), 0, &o, SL_NEVER));
	EXPECT_LT(now_ms() + 3000 * 1000, o->expires_ms);
	EXPECT_LE(o->expires_ms, now_ms() + 3600 * 1000);
	cache_release(o);
	while (now_ms() < soon)
		sl_sleep(sl_now() + 10 * SL_MSEC);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOENT, cache_lookup(k->c, cache_kit_key(1), 0, &o, SL_NEVER));
		EXPECT_EQ(-ENOENT, cache_lookup(k->c, cache_kit_key(3), 0, &o, SL_NEVER));
		for (uint32_t id = 1; id <= 3; id++) {
			ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(id), CACHE_STALE, &o,
						  SL_NEVER));
			cache_release(o);
		}
		ASSERT_EQ(0, cache_kit_reopen(k));
	}
	cache_kit_close(k);
	return 0;
}

TEST_F(put, objects_expire_and_are_found_stale)
{
	self->k.conf.ttl_ns = 3600 * SL_SEC;
	EXPECT_EQ(0, cache_kit_run(&self->k, expire));
}

static void update(struct cache_kit *k, uint32_t id, uint64_t bytes)
{
	struct cache_kit_object o = {.id = id, .bytes = bytes};
	struct cache_key tags[CACHE_TAGS_MAX];
	struct cache_object *held;
	uint64_t first;
	const char *meta;

	ASSERT_EQ(0, cache_kit_put(k, &o, "tag"));
	ASSERT_EQ(0, cache_kit_get(k, &o, &held));
	first = held->version;
	cache_release(held);
	/* Another generation's meta with the same body. */
	o.gen = 7;
	meta = cache_kit_meta(&o);
	ASSERT_EQ(0, cache_update(k->c, cache_kit_key(id), first, meta, (uint32_t)strlen(meta),
				  INT64_MAX, SL_NEVER));
	EXPECT_EQ(-ESTALE, cache_update(k->c, cache_kit_key(id), first, meta, 1, 0, SL_NEVER));
	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(id), 0, &held, SL_NEVER));
	EXPECT_LT(first, held->version);
	EXPECT_EQ(strlen(meta), held->meta_bytes);
	EXPECT_MEMEQ(meta, held->meta, held->meta_bytes);
	ASSERT_EQ(1, cache_tags(held, tags));
	EXPECT_EQ(3, tags[0].n);
	EXPECT_MEMEQ("tag", tags[0].p, 3);
	o.gen = 0;
	EXPECT_EQ(0, cache_kit_range(held, &o, 0, bytes));
	cache_release(held);
}

static int update_some(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	update(k, 1, 0);
	update(k, 2, 5000);
	update(k, 3, 200000);
	update(k, 4, 900000);
	EXPECT_EQ(-ENOENT, cache_update(k->c, cache_kit_key(9), 1, "", 0, 0, SL_NEVER));
	cache_kit_close(k);
	return 0;
}

TEST_F(put, an_update_changes_meta_and_keeps_the_body)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, update_some));
}

struct updating {
	struct cache_kit *k;
	bool ended;
	int err;
};

static const struct cache_kit_object updated = {.id = 1, .bytes = 66000};
static const struct cache_kit_object next = {.id = 1, .gen = 1};

static void update_once(void *arg)
{
	struct updating *u = arg;
	struct cache_object *held;
	const char *meta = cache_kit_meta(&next);

	u->err = cache_lookup(u->k->c, cache_kit_key(1), 0, &held, SL_NEVER);
	if (!u->err) {
		u->err = cache_update(u->k->c, cache_kit_key(1), held->version, meta,
				      (uint32_t)strlen(meta), INT64_MAX, SL_NEVER);
		cache_release(held);
	}
	u->ended = true;
}

/* The index is read for the seal, from the disk, and grows meanwhile. */
static int update_while_sealed(struct cache_kit *k)
{
	struct updating u = {.k = k};
	struct cache_kit_object o = {.id = 2, .bytes = 90000};
	struct cache_object *held;
	char path[4200], seal[512], none[512] = {0};
	int fd;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &updated, NULL));
	ASSERT_EQ(0, cache_kit_get(k, &updated, NULL));
	for (; o.id < 12; o.id++)
		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	snprintf(path, sizeof(path), "%s/cache/00/00000001.seg", harness_tmpdir());
	fd = open(path, O_RDONLY);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_LARGE, update_once, &u));
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL)); /* in another segment */
	while (!u.ended)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, u.err);
	ASSERT_EQ(sizeof(seal), pread(fd, seal, sizeof(seal), sizeof(seal)));
	EXPECT_MEMEQ(none, seal, sizeof(seal)); /* until the end */
	close(fd);
	ASSERT_EQ(0, cache_kit_reopen(k));
	EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(1), 0, &held, SL_NEVER));
	EXPECT_MEMEQ(cache_kit_meta(&next), held->meta, held->meta_bytes);
	EXPECT_EQ(0, cache_kit_range(held, &updated, 0, updated.bytes));
	cache_release(held);
	cache_kit_close(k);
	return 0;
}

TEST_F(put, an_update_while_its_segment_is_sealed_is_not_sealed_away)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, update_while_sealed));
}

TEST_HARNESS_MAIN
