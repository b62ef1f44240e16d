/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's cache: storing as a whole and piece by piece, what may be said, what goes wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_kit.h"
#include "uring/uring.h"

FIXTURE(put)
{
	struct sl_cache *c;
	struct sl_cache_put *p;
};

FIXTURE_SETUP(put)
{
	self->c = lib_open("max_bytes=64M");
	ASSERT_EQ(0, sl_cache_put_begin(self->c, lib_key(1), strlen(lib_key(1)), &self->p));
}

FIXTURE_TEARDOWN(put)
{
	sl_cache_close(self->c);
}

/* @n bytes of body 1 in pieces of random length. */
static int write_pieces(struct sl_cache_put *p, size_t n)
{
	static uint8_t piece[100000];
	size_t done = 0;
	int err = 0;

	while (done < n && !err) {
		size_t step = sl_min(harness_random() % sizeof(piece) + 1, n - done);

		lib_fill(piece, step, 1, done);
		err = sl_cache_put_write(p, piece, step);
		done += step;
	}
	return err;
}

TEST_F(put, pieces_become_one_object)
{
	EXPECT_EQ(0, write_pieces(self->p, 3333333));
	EXPECT_EQ(-ENOENT, lib_get(self->c, 1, 3333333));
	EXPECT_EQ(0, sl_cache_put_commit(self->p));
	EXPECT_EQ(0, lib_get(self->c, 1, 3333333));
}

TEST_F(put, a_length_that_is_said_must_be_kept)
{
	EXPECT_EQ(0, sl_cache_put_bytes(self->p, 1000));
	EXPECT_EQ(0, write_pieces(self->p, 999));
	EXPECT_EQ(-EBADMSG, sl_cache_put_commit(self->p));
	EXPECT_EQ(-ENOENT, lib_get(self->c, 1, 999));
	ASSERT_EQ(0, sl_cache_put_begin(self->c, "k", 1, &self->p));
	EXPECT_EQ(0, sl_cache_put_bytes(self->p, 3));
	EXPECT_EQ(-EBADMSG, sl_cache_put_write(self->p, "1234", 4));
	EXPECT_EQ(-EBADMSG, sl_cache_put_write(self->p, "1", 1)); /* nothing is left but its end */
	EXPECT_EQ(-EBADMSG, sl_cache_put_commit(self->p));
	ASSERT_EQ(0, sl_cache_put_begin(self->c, "k", 1, &self->p));
	EXPECT_EQ(0, sl_cache_put_bytes(self->p, 0));
	EXPECT_EQ(0, sl_cache_put_commit(self->p));
	EXPECT_EQ(0, sl_cache_lookup(self->c, "k", 1, 0, NULL, 0));
}

TEST_F(put, an_aborted_put_leaves_what_was_there)
{
	EXPECT_EQ(0, lib_put(self->c, 1, 777));
	EXPECT_EQ(0, write_pieces(self->p, 2000000));
	sl_cache_put_abort(self->p);
	EXPECT_EQ(0, lib_get(self->c, 1, 777));
	sl_cache_put_abort(NULL);
}

TEST_F(put, what_is_said_comes_back_with_the_object)
{
	int64_t now = sl_wall_clock_ns() / SL_MSEC;
	struct sl_cache_object *o;
	size_t n;

	EXPECT_EQ(0, sl_cache_put_meta(self->p, "old", 3));
	EXPECT_EQ(0, sl_cache_put_meta(self->p, "text/plain", 10));
	EXPECT_EQ(0, sl_cache_put_ttl(self->p, 3600000));
	EXPECT_EQ(0, sl_cache_put_tag(self->p, "t", 1));
	EXPECT_EQ(0, write_pieces(self->p, 50));
	EXPECT_EQ(-EBUSY, sl_cache_put_meta(self->p, "late", 4));
	EXPECT_EQ(-EBUSY, sl_cache_put_ttl(self->p, 1));
	EXPECT_EQ(-EBUSY, sl_cache_put_tag(self->p, "t", 1));
	EXPECT_EQ(-EBUSY, sl_cache_put_bytes(self->p, 50));
	EXPECT_EQ(0, sl_cache_put_commit(self->p));
	ASSERT_EQ(0, sl_cache_hold(self->c, lib_key(1), strlen(lib_key(1)), 0, &o));
	EXPECT_MEMEQ("text/plain", sl_cache_object_meta(o, &n), 10);
	EXPECT_EQ(10, n);
	EXPECT_GE(sl_cache_object_stored_ms(o), now);
	EXPECT_GE(sl_cache_object_expires_ms(o), now + 3600000);
	EXPECT_LE(sl_cache_object_expires_ms(o), now + 3600000 + 60000 * harness_time_scale());
	sl_cache_release(o);
}

TEST_F(put, how_long_an_object_is_found)
{
	struct sl_cache_object *o;

	sl_cache_put_abort(self->p);
	EXPECT_EQ(0, sl_cache_put(self->c, "never", 5, "x", 1, SL_CACHE_TTL_NEVER));
	EXPECT_EQ(0, sl_cache_put(self->c, "soon", 4, "x", 1, 1));
	EXPECT_EQ(-EINVAL, sl_cache_put(self->c, "wrong", 5, "x", 1, -1));
	ASSERT_EQ(0, sl_cache_hold(self->c, "never", 5, 0, &o));
	EXPECT_EQ(INT64_MAX, sl_cache_object_expires_ms(o));
	sl_cache_release(o);
	while (!sl_cache_hold(self->c, "soon", 4, 0, &o))
		sl_cache_release(o);
	EXPECT_EQ(-ENOENT, sl_cache_lookup(self->c, "soon", 4, 0, NULL, 0));
	ASSERT_EQ(0, sl_cache_hold(self->c, "soon", 4, SL_CACHE_STALE, &o));
	EXPECT_EQ(1, sl_cache_object_bytes(o));
	sl_cache_release(o);
}

TEST_F(put, versions_rise)
{
	struct sl_cache_object *a, *b;

	sl_cache_put_abort(self->p);
	EXPECT_EQ(0, sl_cache_put(self->c, "k", 1, "1", 1, 0));
	ASSERT_EQ(0, sl_cache_hold(self->c, "k", 1, 0, &a));
	EXPECT_EQ(0, sl_cache_put(self->c, "k", 1, "22", 2, 0));
	ASSERT_EQ(0, sl_cache_hold(self->c, "k", 1, 0, &b));
	EXPECT_GT(sl_cache_object_version(b), sl_cache_object_version(a));
	EXPECT_EQ(1, sl_cache_object_bytes(a));
	EXPECT_EQ(2, sl_cache_object_bytes(b));
	sl_cache_release(a);
	sl_cache_release(b);
}

TEST_F(put, what_is_too_long_is_refused)
{
	static char text[SL_CACHE_META_BYTES_MAX + 1];
	struct sl_cache_put *p;

	EXPECT_EQ(-EMSGSIZE, sl_cache_put_begin(self->c, text, 0, &p));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put_begin(self->c, text, SL_CACHE_KEY_BYTES_MAX + 1, &p));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put(self->c, text, 0, "x", 1, 0));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put_meta(self->p, text, sizeof(text)));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put_tag(self->p, text, 0));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put_tag(self->p, text, SL_CACHE_TAG_BYTES_MAX + 1));
	for (int i = 0; i < SL_CACHE_TAGS_MAX; i++)
		EXPECT_EQ(0, sl_cache_put_tag(self->p, text, SL_CACHE_TAG_BYTES_MAX));
	EXPECT_EQ(-EMSGSIZE, sl_cache_put_tag(self->p, text, 1));
	EXPECT_EQ(0, sl_cache_put_meta(self->p, text, sizeof(text) - 1));
	EXPECT_EQ(0, write_pieces(self->p, 1234));
	EXPECT_EQ(0, sl_cache_put_commit(self->p));
	EXPECT_EQ(0, lib_get(self->c, 1, 1234));
	/* More than a quarter of the cache. */
	ASSERT_EQ(0, sl_cache_put_begin(self->c, "k", 1, &self->p));
	EXPECT_EQ(0, sl_cache_put_bytes(self->p, UINT64_C(1) << 30));
	EXPECT_EQ(-EFBIG, sl_cache_put_write(self->p, "x", 1));
	sl_cache_put_abort(self->p);
}

TEST_HARNESS_MAIN
