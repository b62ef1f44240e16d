/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What collections take of memory: the bound on it, and what an import of vectors that are on disk
 * takes in truth.
 *
 * Order of parts: the bound; an import.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- the bound ---------------------------------------------------------------------------- */

enum { AT_ONCE = 1000 };

/* Puts objects into @name until they are refused. Return: how many it has. */
static uint32_t fill(struct ok *k, const char *name)
{
	uint32_t n = 0;
	int rc;

	while (!(rc = ok_put(k, name, n, AT_ONCE, 0)) && n < 1000 * AT_ONCE)
		n += AT_ONCE;
	EXPECT_EQ(-ENOMEM, rc);
	EXPECT_EQ(n, ok_count(k, name));
	return n;
}

static int insert(struct ok *k, const char *name, uint64_t key)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_INSERT,
				   .object = ok_make(&(struct ok_object){.key = key, .n = 1})};
	int rc = objects_write(k->o, name, &op, 1, false, NULL, SL_NEVER);

	free((void *)op.object);
	return rc ? rc : op.result;
}

static int set_number(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	(void)old;
	return sl_object_put_integer(b, SL_OBJECT_PROPERTIES, "n", *(int64_t *)arg);
}

static int change(struct ok *k, const char *name, uint64_t key, int64_t number)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE,
				   .key = objects_key_integer(key),
				   .change = set_number,
				   .arg = &number};
	int rc = objects_write(k->o, name, &op, 1, false, NULL, SL_NEVER);

	return rc ? rc : op.result;
}

static int bounded(struct ok *k)
{
	uint32_t n, one;
	int rc;

	k->conf.memory_max_bytes = SL_MIB;
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_create(k, "d", SL_INDEX_FLAT));
	n = fill(k, "c");
	/* A row and its vector are some hundred bytes. */
	EXPECT_LT(2 * AT_ONCE, n);
	EXPECT_LT(n, 20 * AT_ONCE);
	/* One may fit where a thousand do not. */
	for (one = n; !(rc = insert(k, "c", one)) && one < n + 10 * AT_ONCE; one++)
		;
	EXPECT_EQ(-ENOMEM, rc);
	EXPECT_EQ(one, ok_count(k, "c"));
	EXPECT_EQ(-ENOMEM, insert(k, "d", 0));
	/* What is there is served. */
	EXPECT_EQ(7, ok_nearest(k, "c", 7, false));
	EXPECT_EQ(0, change(k, "c", 7, 100));
	EXPECT_EQ(100, ok_number(k, "c", 7));
	EXPECT_EQ(0, ok_delete(k, "c", 8));
	EXPECT_EQ(one - 1, ok_count(k, "c"));
	return ok_close(k);
}

static int bounded_again(struct ok *k)
{
	int rc;

	/* All of it is there, and counts from the start on, without what it had to spare. */
	k->conf.memory_max_bytes = SL_MIB / 2;
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(100, ok_number(k, "c", 7));
	EXPECT_EQ(-ENOMEM, insert(k, "d", 0));
	k->conf.memory_max_bytes = 2 * SL_MIB;
	objects_configure(k->o, &k->conf);
	EXPECT_EQ(0, insert(k, "d", 0));
	k->conf.memory_max_bytes = SL_MIB / 2;
	objects_configure(k->o, &k->conf);
	EXPECT_EQ(-ENOMEM, insert(k, "d", 1));
	/* What is gone does not count, once it has gone. */
	ASSERT_EQ(0, objects_delete(k->o, "c", SL_NEVER));
	while ((rc = insert(k, "d", 1)) == -ENOMEM)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, rc);
	return ok_close(k);
}

TEST(puts_are_refused_while_collections_take_what_they_may)
{
	struct ok k;

	ok_init(&k, sl_sim_new(harness_seed(), NULL));
	RUN(&k, bounded);
	RUN(&k, bounded_again);
	sl_sim_free(k.sim);
}

/* ---- an import ---------------------------------------------------------------------------- */

enum { DIM = 512, ROWS = 30000 };

/* What is resident from now on counts. Return: whether the kernel can do that. */
static bool resident_begin(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");
	bool done = f && fputs("5", f) >= 0;

	return f && !fclose(f) && done;
}

/* The most that was resident since. */
static uint64_t resident_most(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t kib = 0;
	char line[128];

	ASSERT_NOT_NULL(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * SL_KIB;
}

/* All are made in one piece of memory of @bytes each, which is the caller's. */
static void make(struct sl_object_builder *b, uint64_t key, struct sl_object *o, size_t bytes)
{
	float vector[DIM];
	uint64_t x = key;
	size_t n;

	for (int i = 0; i < DIM; i++) {
		x = sl_mix64(x + 1);
		vector[i] = (float)(x % 1000) / 1000;
	}
	sl_object_builder_reset(b);
	sl_object_put_key_integer(b, key);
	ASSERT_EQ(0, sl_object_put_vector(b, "", SL_VECTOR_F32, vector, DIM));
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	ASSERT_LE(n, bytes);
	ASSERT_EQ(0, sl_object_build(b, o, n));
}

static void import(struct ok *k, const char *name)
{
	static struct sl_objects_op ops[AT_ONCE];
	const size_t bytes = DIM * sizeof(float) + 1024;
	struct sl_object_builder *b;
	uint8_t *memory = aligned_alloc(SL_OBJECT_ALIGN, AT_ONCE * bytes);

	ASSERT_NOT_NULL(memory);
	ASSERT_EQ(0, sl_object_builder_new(&b));
	for (uint64_t key = 0; key < ROWS; key += AT_ONCE) {
		for (uint64_t i = 0; i < AT_ONCE; i++) {
			struct sl_object *o = (struct sl_object *)(memory + i * bytes);

			make(b, key + i, o, bytes);
			ops[i] = (struct sl_objects_op){.kind = SL_OBJECTS_PUT, .object = o};
		}
		ASSERT_EQ(0, objects_write(k->o, name, ops, AT_ONCE, true, NULL, SL_NEVER));
	}
	sl_object_builder_free(b);
	free(memory);
}

/* The core's backend, which counts what is told the page cache. */
struct importing {
	struct ok k; /* first */
	struct sl_faults faults;
};

static int import_far(void *arg)
{
	struct importing *x = arg;
	struct ok *k = &x->k;
	const struct sl_objects_vector vector = {
		.name = "",
		.dim = DIM,
		.metric = SL_METRIC_L2,
		.component = SL_F32,
		.index = {.kind = SL_INDEX_HNSW},
		.automatic = true,
		.on_disk = true,
	};
	const struct sl_objects_conf conf = {.vectors = &vector, .vectors_n = 1};
	uint64_t before, most;
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, objects_create(k->o, "far", &conf, why, sizeof(why), SL_NEVER));
	if (!resident_begin())
		SKIP(return ok_close(k), "/proc/self/clear_refs does not say what was resident");
	before = resident_most();
	import(k, "far");
	ASSERT_EQ(0, ok_indexed(k, "far"));
	most = resident_most();
	if (!EXPECT_LT(most - before, (uint64_t)ROWS * DIM * sizeof(float) / 2))
		TH_LOG("%" PRIu64 " KiB, then up to %" PRIu64, before / SL_KIB, most / SL_KIB);
	/* Of what checkpoints write no more than a part may stay dirty. */
	EXPECT_LT(0, x->faults.count);
	EXPECT_EQ(ROWS, ok_count(k, "far"));
	return ok_close(k);
}

/* Not what the store says that it takes, but what the process does: codes, also while lists are
 * made again and again, and what is under way; not vectors, nor copies of codes. */
TEST_TIMEOUT(an_import_of_vectors_on_disk_takes_a_part_of_them_at_any_time, 120)
{
	struct sl_cores_conf conf = {.arena_bytes_max = 256 * SL_MIB, .rx_buffers = 8};
	struct importing x;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	SKIP(return, "the sanitizer's own memory is more than what is asked for here");
#endif
	ok_init(&x.k, NULL);
	sl_faults_init(&x.faults, sl_backend_kernel());
	x.faults.ops = UINT64_C(1) << SL_OP_FADVISE;
	conf.backend = &x.faults.backend;
	ASSERT_EQ(0, sl_core_run(&conf, import_far, &x));
}

TEST_HARNESS_MAIN
