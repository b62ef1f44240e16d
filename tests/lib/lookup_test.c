/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's cache: copies, memory without a copy, sockets; and many threads at a time. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib_kit.h"
#include "uring/uring.h"

FIXTURE(lookup)
{
	struct sl_cache *c;
	int in, out; /* a pair of sockets */
};

FIXTURE_SETUP(lookup)
{
	int fds[2];

	self->c = lib_open("max_bytes=256M durability=none");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	self->out = fds[0];
	self->in = fds[1];
}

FIXTURE_TEARDOWN(lookup)
{
	close(self->in);
	close(self->out);
	sl_cache_close(self->c);
}

static const size_t sizes[] = {0, 1, 4096, 65535, 65536, 300000, 1048576, 9000001};

static struct sl_cache_object *hold(struct sl_cache *c, uint64_t seed)
{
	struct sl_cache_object *o = NULL;

	ASSERT_EQ(0, sl_cache_hold(c, lib_key(seed), strlen(lib_key(seed)), 0, &o));
	return o;
}

/* ---- copies and maps -------------------------------------------------------------------- */

TEST_F(lookup, a_copy_may_be_of_any_range)
{
	static uint8_t buf[70000];

	EXPECT_EQ(0, lib_put(self->c, 1, 300000));
	EXPECT_EQ(0, sl_cache_lookup(self->c, lib_key(1), 5, 300000, buf, 1));
	EXPECT_EQ(0, sl_cache_lookup(self->c, lib_key(1), 5, UINT64_MAX, buf, 1));
	EXPECT_EQ(-ENOENT, sl_cache_lookup(self->c, lib_key(1), 4, 0, buf, 1));
	for (int i = 0; i < 50; i++) {
		uint64_t off = harness_random() % 300000;
		size_t n = harness_random() % sizeof(buf);
		size_t there = sl_min((uint64_t)n, 300000 - off);

		ASSERT_EQ(there, sl_cache_lookup(self->c, lib_key(1), 5, off, buf, n));
		ASSERT_TRUE(lib_is(buf, there, 1, off));
	}
}

TEST_F(lookup, memory_without_a_copy_has_the_whole_object)
{
	for (uint64_t i = 0; i < SL_ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(0, lib_put(self->c, i, sizes[i]));
	for (uint64_t i = 0; i < 2 * SL_ARRAY_SIZE(sizes); i++) {
		uint64_t seed = i / 2;
		struct sl_cache_object *o;
		const void *data;
		size_t n;

		ASSERT_EQ(0,
			  sl_cache_lookup_zero_copy(self->c, lib_key(seed), strlen(lib_key(seed)),
						    i % 2 ? SL_CACHE_VERIFY : 0, &o, &data, &n));
		EXPECT_EQ(sizes[seed], n);
		EXPECT_TRUE(lib_is(data, n, seed, 0));
		sl_cache_release(o);
	}
	sl_cache_release(NULL);
	/* Once verified a block is not verified again, unless that is asked for. */
	EXPECT_GT(lib_stat(self->c, "verified_blocks"), 0);
	EXPECT_EQ(2 * SL_ARRAY_SIZE(sizes), lib_stat(self->c, "mapped"));
}

TEST_F(lookup, a_held_object_gives_ranges_and_refuses_what_is_outside)
{
	struct sl_cache_object *o;
	const void *data;
	uint8_t buf[100];

	EXPECT_EQ(0, lib_put(self->c, 1, 1000000));
	o = hold(self->c, 1);
	EXPECT_EQ(0, lib_put(self->c, 1, 10));
	EXPECT_EQ(1000000, sl_cache_object_bytes(o));
	EXPECT_EQ(0, sl_cache_object_map(o, 500000, 500000, 0, &data));
	EXPECT_TRUE(lib_is(data, 500000, 1, 500000));
	EXPECT_EQ(-ERANGE, sl_cache_object_map(o, 500000, 500001, 0, &data));
	EXPECT_EQ(-ERANGE, sl_cache_object_map(o, 1000001, 0, 0, &data));
	EXPECT_EQ(-ERANGE, sl_cache_object_map(o, UINT64_MAX, 2, 0, &data));
	EXPECT_EQ(0, sl_cache_object_map(o, 1000000, 0, 0, &data));
	EXPECT_EQ(40, sl_cache_object_read(o, 999960, buf, sizeof(buf)));
	EXPECT_TRUE(lib_is(buf, 40, 1, 999960));
	sl_cache_release(o);
	EXPECT_EQ(0, lib_get(self->c, 1, 10));
}

/* ---- sockets ---------------------------------------------------------------------------- */

struct receiver {
	int from;
	size_t n;
	uint64_t seed;
	bool same;
};

static void *receive(void *arg)
{
	struct receiver *r = arg;
	uint8_t *body = malloc(r->n + 1);
	size_t got = 0;
	ssize_t n;

	while ((n = recv(r->from, body + got, r->n + 1 - got, 0)) > 0)
		got += (size_t)n;
	r->same = got == r->n && lib_is(body, got, r->seed, 0);
	free(body);
	return NULL;
}

TEST_F(lookup, an_object_is_sent_to_a_socket)
{
	for (uint64_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct receiver r = {.n = sizes[i], .seed = i};
		struct sl_cache_object *o;
		pthread_t thread;
		int fds[2];

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
		r.from = fds[0];
		EXPECT_EQ(0, lib_put(self->c, i, sizes[i]));
		o = hold(self->c, i);
		ASSERT_EQ(0, pthread_create(&thread, NULL, receive, &r));
		EXPECT_EQ(sizes[i], sl_cache_object_send(o, 0, SIZE_MAX, fds[1]));
		close(fds[1]);
		pthread_join(thread, NULL);
		EXPECT_TRUE(r.same);
		sl_cache_release(o);
		close(fds[0]);
	}
}

TEST_F(lookup, a_socket_that_is_full_or_gone_is_told)
{
	struct sl_cache_object *o;
	ssize_t n;

	EXPECT_EQ(0, lib_put(self->c, 1, 30000));
	EXPECT_EQ(0, lib_put(self->c, 2, 9000000));
	ASSERT_EQ(0, fcntl(self->in, F_SETFL, O_NONBLOCK));
	o = hold(self->c, 2);
	n = sl_cache_object_send(o, 0, SIZE_MAX, self->in);
	EXPECT_GT(n, 0);
	EXPECT_LT(n, 9000000);
	EXPECT_EQ(-EAGAIN, sl_cache_object_send(o, (uint64_t)n, SIZE_MAX, self->in));
	sl_cache_release(o);
	close(self->out);
	self->out = -1;
	o = hold(self->c, 1);
	EXPECT_EQ(-EPIPE, sl_cache_object_send(o, 0, SIZE_MAX, self->in));
	EXPECT_EQ(-ENOTSOCK, sl_cache_object_send(o, 0, SIZE_MAX, STDERR_FILENO));
	sl_cache_release(o);
}

struct stuck {
	struct sl_cache *c;
	int to;
	ssize_t sent;
};

static void *send_large(void *arg)
{
	struct stuck *s = arg;
	struct sl_cache_object *o = hold(s->c, 2);

	s->sent = sl_cache_object_send(o, 0, SIZE_MAX, s->to);
	sl_cache_release(o);
	return NULL;
}

/* The peer does not read before the others are done. */
TEST_F(lookup, a_peer_that_does_not_read_keeps_nobody_waiting)
{
	struct stuck s = {.c = self->c, .to = self->in};
	struct receiver r = {.from = self->out, .n = 9000000, .seed = 2};
	pthread_t thread;
	char c;

	EXPECT_EQ(0, lib_put(self->c, 2, 9000000));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_large, &s));
	ASSERT_EQ(1, recv(self->out, &c, 1, MSG_PEEK)); /* it is sending */
	EXPECT_EQ(0, lib_put(self->c, 1, 100000));
	EXPECT_EQ(0, lib_get(self->c, 1, 100000));
	EXPECT_EQ(0, sl_cache_purge_prefix(self->c, "", 0));
	EXPECT_EQ(-ENOENT, lib_get(self->c, 1, 100000));
	r.n = 9000000;
	while (r.n) {
		static uint8_t buf[100000];
		ssize_t n = recv(self->out, buf, sizeof(buf), 0);

		ASSERT_GT(n, 0);
		ASSERT_TRUE(lib_is(buf, (size_t)n, 2, 9000000 - r.n));
		r.n -= (size_t)n;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(9000000, s.sent);
}

/* ---- threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, KEYS = 40 };

struct worker {
	struct sl_cache *c;
	uint32_t number, rounds, hits;
};

static size_t size_of(uint64_t seed)
{
	return sl_mix64(seed) % (seed % 5 ? 20000 : 400000);
}

static void look_up(struct worker *w, uint64_t seed)
{
	struct sl_cache_object *o;
	const void *data;
	size_t n;
	int err;

	if (seed % 2) {
		err = lib_get(w->c, seed, size_of(seed));
		if (!err)
			w->hits++;
		ASSERT_TRUE(!err || err == -ENOENT);
		return;
	}
	err = sl_cache_lookup_zero_copy(w->c, lib_key(seed), strlen(lib_key(seed)), 0, &o, &data,
					&n);
	ASSERT_TRUE(!err || err == -ENOENT);
	if (err)
		return;
	ASSERT_EQ(size_of(seed), n);
	ASSERT_TRUE(lib_is(data, n, seed, 0));
	sl_cache_release(o);
	w->hits++;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t x = harness_seed() + w->number;

	for (uint32_t i = 0; i < w->rounds; i++) {
		uint64_t seed;

		x = sl_mix64(x + 1);
		seed = x % KEYS;
		switch (x >> 32 & 15) {
		case 0:
		case 1:
		case 2:
			ASSERT_EQ(0, lib_put(w->c, seed, size_of(seed)));
			break;
		case 3:
			sl_cache_remove(w->c, lib_key(seed), strlen(lib_key(seed)));
			break;
		default:
			look_up(w, seed);
			break;
		}
	}
	return NULL;
}

/* Each with a sync, so that threads meet in the middle of calls. */
TEST(threads_do_not_disturb_each_other)
{
	struct sl_cache *c = lib_open("max_bytes=16M durability=group");
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint32_t hits = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.c = c, .number = i, .rounds = 400};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &workers[i]));
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		hits += workers[i].hits;
	}
	EXPECT_GT(hits, 100);
	EXPECT_EQ(0, lib_stat(c, "quarantined"));
	sl_cache_close(c);
}

TEST_HARNESS_MAIN
