/* SPDX-License-Identifier: Apache-2.0 */
/* Files whose extents are held on several cores: gone() comes once, when nobody holds one. */
#include <errno.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "harness.h"

struct doc {
	struct sl_file file;
	int gone;
	uint32_t left; /* extents still held anywhere; atomic */
};

static void went(struct sl_file *file)
{
	struct doc *d = sl_container_of(file, struct doc, file);

	EXPECT_TRUE(!file->home || file->home == sl_core_self());
	EXPECT_EQ(0, __atomic_load_n(&d->left, __ATOMIC_ACQUIRE));
	d->gone++;
}

/* ---- one core --------------------------------------------------------------------------- */

TEST(outside_cores_a_file_counts_too)
{
	struct doc d = {0};
	struct sl_part p;

	ASSERT_EQ(0, sl_file_init(&d.file, 7, went));
	sl_file_retain(&d.file);
	p = sl_part_extent((struct sl_extent){&d.file, 10, 20});
	EXPECT_EQ(20, sl_part_len(&p));
	sl_file_release(&d.file);
	EXPECT_EQ(0, d.gone);
	sl_part_release(&p);
	EXPECT_EQ(1, d.gone);
	sl_file_release(NULL);
}

TEST(a_borrowed_part_holds_nothing)
{
	struct sl_buf *buf = sl_buf_new(1000);
	struct doc d = {0};
	struct sl_part extent, slice, piece;

	ASSERT_NOT_NULL(buf);
	ASSERT_EQ(0, sl_file_init(&d.file, 7, went));
	extent = sl_part_extent((struct sl_extent){&d.file, 10, 20});
	piece = sl_part_borrow(&extent, 5, 15);
	EXPECT_EQ(15, sl_part_len(&piece));
	EXPECT_EQ(15, piece.extent.off);
	sl_part_release(&piece);
	EXPECT_EQ(0, d.gone);
	sl_part_release(&extent);
	EXPECT_EQ(1, d.gone);
	slice = sl_part_slice(sl_slice_of(buf, 100, 50));
	piece = sl_part_borrow(&slice, 50, 0);
	EXPECT_EQ(0, sl_part_len(&piece));
	piece = sl_part_borrow(&slice, 1, 2);
	EXPECT_EQ(2, sl_part_len(&piece));
	EXPECT_TRUE(piece.slice.data == buf->data + 101);
	sl_part_release(&piece);
	EXPECT_EQ(2, buf->refs);
	sl_part_release(&slice);
	EXPECT_EQ(1, buf->refs);
	sl_buf_release(buf);
}

static int on_one_core(void *arg)
{
	struct doc d = {0};

	(void)arg;
	ASSERT_EQ(0, sl_file_init(&d.file, 7, went));
	sl_file_grant(&d.file, sl_core_self());
	sl_file_held(&d.file);
	sl_file_release(&d.file);
	EXPECT_EQ(0, d.gone);
	sl_file_release(&d.file);
	EXPECT_EQ(1, d.gone);
	return 0;
}

TEST(a_grant_to_the_home_core_is_a_reference)
{
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB},
				 on_one_core, NULL));
}

/* ---- several cores ---------------------------------------------------------------------- */

enum { CORES = 3, DOCS = 40, ROUNDS = 400, HELD = 16 };

static struct doc docs[DOCS];
static uint32_t ended;

struct take {
	struct doc *d;
	struct sl_core *to;
};

/* On the home core: a reference for another one, as a read of a log gives it. */
static int grant(void *arg, int64_t deadline)
{
	struct take *t = arg;

	(void)deadline;
	sl_file_grant(&t->d->file, t->to);
	__atomic_fetch_add(&t->d->left, 1, __ATOMIC_RELAXED);
	return 0;
}

static void release(struct doc *d)
{
	__atomic_fetch_sub(&d->left, 1, __ATOMIC_RELEASE);
	sl_file_release(&d->file);
}

static void hold_and_release(void *arg)
{
	struct sl_core *self = sl_core_self();
	struct sl_cores *cores = sl_core_cores(self);
	uint64_t random = 1 + sl_core_id(self);
	struct doc *held[HELD] = {0};

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t at = (uint32_t)(sl_mix64(random++) % HELD);
		struct doc *d = &docs[sl_mix64(random++) % DOCS];
		struct take t = {d, self};

		if (held[at]) {
			release(held[at]);
			held[at] = NULL;
			continue;
		}
		sl_call(sl_cores_at(cores, (uint32_t)(d - docs) % CORES), grant, &t, SL_NEVER);
		sl_file_held(&d->file);
		held[at] = d;
	}
	__atomic_fetch_add(&ended, 1, __ATOMIC_ACQ_REL);
	/* The owners let go of theirs meanwhile: what is held here is still good. */
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < CORES * 2)
		sl_sleep(sl_now() + SL_MSEC);
	for (int i = 0; i < HELD; i++)
		if (held[i])
			release(held[i]);
}

static void own(void *arg)
{
	uint32_t id = sl_core_id(sl_core_self());

	(void)arg;
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < CORES)
		sl_sleep(sl_now() + SL_MSEC);
	for (uint32_t i = id; i < DOCS; i += CORES)
		sl_file_release(&docs[i].file);
	__atomic_fetch_add(&ended, 1, __ATOMIC_ACQ_REL);
}

static uint32_t made;

static int make_docs(struct sl_core *core, void *arg)
{
	for (uint32_t i = sl_core_id(core); i < DOCS; i += CORES)
		ASSERT_EQ(0, sl_file_init(&docs[i].file, (int)i, went));
	__atomic_fetch_add(&made, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&made, __ATOMIC_ACQUIRE) < CORES)
		sl_fiber_yield(SL_NEVER);
	if (sl_fiber_start(SL_STACK_SMALL, hold_and_release, arg))
		return -ENOMEM;
	return sl_fiber_start(SL_STACK_SMALL, own, arg);
}

TEST(gone_comes_once_after_the_last_release_anywhere)
{
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&(struct sl_cores_conf){.n = CORES,
							    .arena_bytes_max = 16 * SL_MIB},
				    make_docs, NULL, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	for (int i = 0; i < DOCS; i++) {
		EXPECT_EQ(1, docs[i].gone);
		EXPECT_EQ(0, docs[i].left);
		EXPECT_EQ(0, docs[i].file.granted);
	}
}

TEST_HARNESS_MAIN
