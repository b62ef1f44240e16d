/* SPDX-License-Identifier: Apache-2.0 */
/* Bufs and slices: classes, exhaustion, counts, foreign releases, bounds. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

static int on_core(uint64_t arena_bytes, int (*fn)(void *), void *arg)
{
	return sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = arena_bytes}, fn, arg);
}

static uint64_t used(void)
{
	return sl_buf_bytes_used(sl_core_self());
}

/* Whether @fn on a core aborts the process. */
static bool aborts(int (*fn)(void *))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		close(2);
		signal(SIGABRT, SIG_DFL);
		on_core(32 * SL_MIB, fn, NULL);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 134;
}

/* ---- classes ---------------------------------------------------------------------------- */

static int classes(void *arg)
{
	static const struct {
		size_t asked, got;
	} rows[] = {
		{1, 1 << 10},
		{1024, 1 << 10},
		{1025, 4 << 10},
		{16 << 10, 16 << 10},
		{(16 << 10) + 1, 64 << 10},
		{256 << 10, 256 << 10},
		{(256 << 10) + 1, 1 << 20},
		{4 << 20, 4 << 20},
		{16 << 20, 16 << 20},
	};

	(void)arg;
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct sl_buf *b = sl_buf_new(rows[i].asked);

		ASSERT_NOT_NULL(b);
		EXPECT_EQ(rows[i].got, b->bytes);
		EXPECT_EQ(rows[i].got, used());
		EXPECT_EQ(0, (uintptr_t)b->data % 1024);
		memset(b->data, 0xa5, b->bytes);
		sl_buf_release(b);
		EXPECT_EQ(0, used());
	}
	sl_buf_release(NULL);
	return 0;
}

TEST(a_buf_has_the_size_of_its_class)
{
	EXPECT_EQ(0, on_core(64 * SL_MIB, classes, NULL));
}

enum { LIVE = 600 };

static int random_use(void *arg)
{
	static struct sl_buf *live[LIVE];
	static uint8_t mark[LIVE];
	uint64_t sum = 0;

	(void)arg;
	for (int step = 0; step < 20000; step++) {
		int i = (int)(harness_random() % LIVE);

		if (live[i]) {
			/* Nobody else wrote into it. */
			for (uint32_t k = 0; k < live[i]->bytes; k += live[i]->bytes / 4)
				ASSERT_EQ(mark[i], live[i]->data[k]);
			ASSERT_EQ(mark[i], live[i]->data[live[i]->bytes - 1]);
			sum -= live[i]->bytes;
			sl_buf_release(live[i]);
			live[i] = NULL;
		} else {
			live[i] = sl_buf_new(1 + harness_random() % (1u << harness_random() % 18));
			ASSERT_NOT_NULL(live[i]);
			mark[i] = (uint8_t)step;
			memset(live[i]->data, mark[i], live[i]->bytes);
			sum += live[i]->bytes;
		}
		ASSERT_EQ(sum, used());
	}
	for (int i = 0; i < LIVE; i++)
		sl_buf_release(live[i]);
	EXPECT_EQ(0, used());
	return 0;
}

TEST(bufs_in_use_never_overlap)
{
	EXPECT_EQ(0, on_core(256 * SL_MIB, random_use, NULL));
}

static int exhaust(void *arg)
{
	static struct sl_buf *b[2048];
	struct sl_buf *large[2];
	int n = 0;

	(void)arg;
	for (int i = 0; i < 2; i++)
		large[i] = sl_buf_new(SL_BUF_BYTES_MAX);
	EXPECT_NOT_NULL(large[1]);
	EXPECT_NULL(sl_buf_new(SL_BUF_BYTES_MAX));
	EXPECT_NULL(sl_buf_new(1));
	EXPECT_EQ(32 * SL_MIB, used());
	sl_buf_release(large[0]);
	while (n < 2048 && (b[n] = sl_buf_new(16 << 10)))
		n++;
	EXPECT_EQ(1024, n); /* the one chunk, split */
	sl_buf_release(b[--n]);
	EXPECT_NOT_NULL(b[n] = sl_buf_new(16 << 10));
	n++;
	while (n)
		sl_buf_release(b[--n]);
	sl_buf_release(large[1]);
	/* Trimmed: the memory reads as zeros. */
	large[1] = sl_buf_new(SL_BUF_BYTES_MAX);
	ASSERT_NOT_NULL(large[1]);
	EXPECT_EQ(0, large[1]->data[12345]);
	sl_buf_release(large[1]);
	return 0;
}

TEST(an_arena_that_is_used_up_refuses_and_recovers)
{
	EXPECT_EQ(0, on_core(32 * SL_MIB, exhaust, NULL));
}

TEST(outside_cores_bufs_come_from_the_heap)
{
	struct sl_buf *b = sl_buf_new(5000);
	struct sl_slice s;

	ASSERT_NOT_NULL(b);
	EXPECT_EQ(5000, b->bytes);
	EXPECT_NULL(b->home);
	memset(b->data, 1, 5000);
	s = sl_slice_of(b, 10, 4990);
	sl_buf_release(b);
	EXPECT_EQ(1, s.data[4989]);
	sl_slice_release(&s);
	EXPECT_NULL(s.buf);
}

/* ---- counts and bounds ------------------------------------------------------------------ */

static int slices(void *arg)
{
	struct sl_buf *b = sl_buf_new(1000);
	struct sl_slice s = sl_slice_of(b, 100, 200), t;
	struct sl_part p;

	(void)arg;
	EXPECT_EQ(2, b->refs);
	t = sl_slice_sub(&s, 50, 150);
	EXPECT_EQ(3, b->refs);
	EXPECT_TRUE(t.data == b->data + 150);
	sl_slice_release(&s);
	sl_buf_release(b);
	EXPECT_EQ(1, b->refs);
	p = sl_part_slice(t);
	EXPECT_EQ(150, sl_part_len(&p));
	sl_part_release(&p);
	EXPECT_EQ(0, used());
	EXPECT_EQ(0, sl_part_len(&p));
	sl_part_release(&p); /* is empty */
	s = sl_slice_borrow("text", 4);
	t = sl_slice_sub(&s, 4, 0);
	EXPECT_NULL(t.buf);
	sl_slice_release(&t);
	return 0;
}

TEST(slices_hold_their_buf)
{
	EXPECT_EQ(0, on_core(32 * SL_MIB, slices, NULL));
}

static int release_twice(void *arg)
{
	struct sl_buf *b = sl_buf_new(1);

	(void)arg;
	sl_buf_release(b);
	sl_buf_release(b);
	return 0;
}

static int retain_freed(void *arg)
{
	struct sl_buf *b = sl_buf_new(1);

	(void)arg;
	sl_buf_release(b);
	sl_buf_retain(b);
	return 0;
}

static int slice_past_the_end(void *arg)
{
	struct sl_buf *b = sl_buf_new(1024);

	(void)arg;
	sl_slice_of(b, 1, 1024);
	return 0;
}

static int slice_overflow(void *arg)
{
	struct sl_slice s = sl_slice_borrow("text", 4);

	(void)arg;
	sl_slice_sub(&s, 2, SIZE_MAX);
	return 0;
}

static int new_of_nothing(void *arg)
{
	(void)arg;
	sl_buf_new(0);
	return 0;
}

static int keep_one(void *arg)
{
	(void)arg;
	sl_buf_new(1);
	return 0;
}

TEST(misuse_is_caught)
{
	EXPECT_TRUE(aborts(release_twice));
	EXPECT_TRUE(aborts(retain_freed));
	EXPECT_TRUE(aborts(slice_past_the_end));
	EXPECT_TRUE(aborts(slice_overflow));
	EXPECT_TRUE(aborts(new_of_nothing));
	EXPECT_TRUE(aborts(keep_one)); /* a core ends with a buf in use */
}

/* ---- several cores ---------------------------------------------------------------------- */

enum { HANDED = 3000 };

struct hand {
	struct sl_msg msg;
	struct sl_buf *buf;
	uint8_t mark;
};

static struct hand hands[HANDED];

static void take_hand(struct sl_msg *msg)
{
	struct hand *h = sl_container_of(msg, struct hand, msg);

	if (sl_core_self() == h->buf->home)
		EXPECT_EQ(2, sl_core_id(sl_core_self()));
	EXPECT_EQ(h->mark, h->buf->data[7]);
	sl_buf_release(h->buf);
}

static void hand_out(void *arg)
{
	struct sl_cores *cores = sl_core_cores(sl_core_self());

	(void)arg;
	for (int i = 0; i < HANDED; i++) {
		struct hand *h = &hands[i];

		while (!(h->buf = sl_buf_new(1 + (size_t)i * 97 % 60000)))
			sl_sleep(sl_now() + SL_MSEC / 10);
		h->mark = (uint8_t)i;
		h->buf->data[7] = h->mark;
		h->msg.fn = take_hand;
		sl_post(sl_cores_at(cores, 1 + (uint32_t)i % 2), &h->msg);
	}
	while (used())
		sl_sleep(sl_now() + SL_MSEC);
}

static int start_handing(struct sl_core *core, void *arg)
{
	if (sl_core_id(core))
		return 0;
	return sl_fiber_start(SL_STACK_SMALL, hand_out, arg);
}

TEST(a_foreign_release_goes_home)
{
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&(struct sl_cores_conf){.n = 3, .arena_bytes_max = 16 * SL_MIB},
				    start_handing, NULL, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	for (int i = 0; i < HANDED; i++)
		EXPECT_NOT_NULL(hands[i].buf);
}

TEST_HARNESS_MAIN
