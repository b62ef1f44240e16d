/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: what each does, alone, in one write and side by side; what is refused.
 *
 * Order of parts: one; many; all that match; side by side.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- one ---------------------------------------------------------------------------------- */

static struct sl_objects_op put_op(enum sl_objects_op_kind kind, uint64_t key, int64_t n)
{
	return (struct sl_objects_op){.kind = kind,
				      .object = ok_make(&(struct ok_object){.key = key, .n = n})};
}

/* Adds one to "n"; @arg: counts calls. */
static int add_one(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	int64_t n = sl_value_integer(sl_value_find(sl_object_properties(old), "n"));

	++*(int *)arg;
	return sl_object_put_integer(b, SL_OBJECT_PROPERTIES, "n", n + 1);
}

static int leave(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	(void)arg;
	(void)old;
	(void)b;
	return 1;
}

static int other_key(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	(void)arg;
	(void)old;
	sl_object_put_key_integer(b, 99);
	return 0;
}

static int write_one(struct ok *k, struct sl_objects_op *op)
{
	int rc = objects_write(k->o, "c", op, 1, false, NULL, SL_NEVER);

	return rc ? rc : op->result;
}

static int one_by_one(struct ok *k)
{
	struct sl_objects_op a = put_op(SL_OBJECTS_INSERT, 1, 10),
			     b = put_op(SL_OBJECTS_INSERT, 1, 20);
	struct sl_objects_op c = {.kind = SL_OBJECTS_CHANGE, .key = objects_key_integer(1)};
	int calls = 0;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	EXPECT_EQ(0, write_one(k, &a));
	EXPECT_EQ(-EEXIST, write_one(k, &b));
	EXPECT_EQ(10, ok_number(k, "c", 1));
	c.change = add_one;
	c.arg = &calls;
	EXPECT_EQ(0, write_one(k, &c));
	EXPECT_EQ(1, calls);
	EXPECT_LT(a.version, c.version);
	EXPECT_EQ(11, ok_number(k, "c", 1));
	c.change = leave;
	EXPECT_EQ(1, write_one(k, &c));
	c.change = other_key;
	EXPECT_EQ(-EINVAL, write_one(k, &c));
	EXPECT_EQ(SL_OBJECTS_NO_KEY, c.fault);
	c.key = objects_key_integer(2);
	EXPECT_EQ(-ENOENT, write_one(k, &c));
	EXPECT_EQ(-ENOENT, ok_delete(k, "c", 2));
	EXPECT_EQ(0, ok_delete(k, "c", 1));
	EXPECT_EQ(0, ok_count(k, "c"));
	free((void *)a.object);
	free((void *)b.object);
	return ok_close(k);
}

TEST(each_kind_looks_at_what_is_there)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, one_by_one);
}

/* ---- many --------------------------------------------------------------------------------- */

/* An object with the vector @name of @dim components. */
static struct sl_object *odd_object(uint64_t key, const char *name, uint32_t dim,
				    enum sl_vector_type type)
{
	struct sl_object_builder *b;
	float vector[16] = {1};
	struct sl_object *o;
	size_t n;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	if (key)
		sl_object_put_key_integer(b, key);
	ASSERT_EQ(0, sl_object_put_vector(b, name, type, vector, dim));
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	o = aligned_alloc(64, sl_round_up(n, 64));
	ASSERT_EQ(0, sl_object_build(b, o, n));
	sl_object_builder_free(b);
	return o;
}

static int refused(struct ok *k)
{
	struct sl_objects_op ops[5] = {
		put_op(SL_OBJECTS_PUT, 1, 1),
		{.kind = SL_OBJECTS_PUT, .object = odd_object(2, "", 5, SL_VECTOR_F32)},
		{.kind = SL_OBJECTS_PUT, .object = odd_object(3, "x", OK_DIM, SL_VECTOR_F32)},
		{.kind = SL_OBJECTS_PUT, .object = odd_object(0, "", OK_DIM, SL_VECTOR_F32)},
		{.kind = SL_OBJECTS_PUT, .object = odd_object(4, "", OK_DIM, SL_VECTOR_I8)},
	};

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	EXPECT_EQ(-EINVAL, objects_write(k->o, "c", ops, 5, true, NULL, SL_NEVER));
	EXPECT_EQ(0, ok_count(k, "c"));
	EXPECT_EQ(0, objects_write(k->o, "c", ops, 5, false, NULL, SL_NEVER));
	EXPECT_EQ(0, ops[0].result);
	for (int i = 1; i < 5; i++)
		EXPECT_EQ(-EINVAL, ops[i].result);
	EXPECT_EQ(SL_OBJECTS_WRONG_DIM, ops[1].fault);
	EXPECT_EQ(5, ops[1].dim);
	EXPECT_EQ(SL_OBJECTS_UNKNOWN_VECTOR, ops[2].fault);
	EXPECT_EQ(SL_OBJECTS_NO_KEY, ops[3].fault);
	EXPECT_EQ(SL_OBJECTS_WRONG_TYPE, ops[4].fault);
	EXPECT_EQ(1, ok_count(k, "c"));
	for (int i = 0; i < 5; i++)
		free((void *)ops[i].object);
	return ok_close(k);
}

TEST(what_does_not_fit_is_refused_and_says_why)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, refused);
}

/* Of one key, in one write: each sees what the one before it did. */
static int in_order(struct ok *k)
{
	int calls = 0;
	struct sl_objects_op ops[6] = {
		put_op(SL_OBJECTS_INSERT, 1, 10),
		put_op(SL_OBJECTS_INSERT, 1, 20),
		{.kind = SL_OBJECTS_CHANGE,
		 .key = objects_key_integer(1),
		 .change = add_one,
		 .arg = &calls},
		{.kind = SL_OBJECTS_DELETE, .key = objects_key_integer(1)},
		{.kind = SL_OBJECTS_DELETE, .key = objects_key_integer(1)},
		put_op(SL_OBJECTS_INSERT, 1, 30),
	};

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	EXPECT_EQ(0, objects_write(k->o, "c", ops, 6, false, NULL, SL_NEVER));
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(-EEXIST, ops[1].result);
	EXPECT_EQ(0, ops[2].result);
	EXPECT_EQ(0, ops[3].result);
	EXPECT_EQ(-ENOENT, ops[4].result);
	EXPECT_EQ(0, ops[5].result);
	EXPECT_EQ(30, ok_number(k, "c", 1));
	free((void *)ops[0].object);
	free((void *)ops[1].object);
	free((void *)ops[5].object);
	return ok_close(k);
}

TEST(operations_of_one_write_see_each_other)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, in_order);
}

/* Several batches' worth. */
static int large(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	EXPECT_EQ(0, ok_put(k, "c", 0, 20000, 0));
	EXPECT_EQ(20000, ok_count(k, "c"));
	EXPECT_EQ(0, ok_put(k, "c", 10000, 20000, 5));
	EXPECT_EQ(30000, ok_count(k, "c"));
	EXPECT_EQ(9999, ok_number(k, "c", 9999));
	EXPECT_EQ(10005, ok_number(k, "c", 10000));
	EXPECT_EQ(29999, ok_nearest(k, "c", 30004, false));
	return ok_close(k);
}

TEST(large_writes_are_several_batches)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, large);
}

/* ---- all that match ----------------------------------------------------------------------- */

static int matching(struct ok *k)
{
	const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
	const struct sl_filter even = {
		.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = add_one};
	uint64_t n = 0;
	int calls = 0;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 3000, 0));
	op.arg = &calls;
	EXPECT_EQ(0, objects_write_matching(k->o, "c", &even, &op, UINT64_MAX, &n, NULL, SL_NEVER));
	EXPECT_EQ(1500, n);
	EXPECT_EQ(1500, calls);
	EXPECT_EQ(3, ok_number(k, "c", 2));
	EXPECT_EQ(3, ok_number(k, "c", 3));
	op = (struct sl_objects_op){.kind = SL_OBJECTS_DELETE};
	EXPECT_EQ(0, objects_write_matching(k->o, "c", &even, &op, 100, &n, NULL, SL_NEVER));
	EXPECT_EQ(100, n);
	EXPECT_EQ(2900, ok_count(k, "c"));
	EXPECT_EQ(0, objects_write_matching(k->o, "c", &even, &op, UINT64_MAX, &n, NULL, SL_NEVER));
	EXPECT_EQ(1400, n);
	EXPECT_EQ(0, objects_write_matching(k->o, "c", NULL, &op, UINT64_MAX, &n, NULL, SL_NEVER));
	EXPECT_EQ(1500, n);
	EXPECT_EQ(0, ok_count(k, "c"));
	return ok_close(k);
}

TEST(all_that_match_are_changed_or_deleted)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, matching);
}

/* ---- side by side ------------------------------------------------------------------------- */

enum { WRITERS = 12, ROUNDS = 20 };

struct side {
	struct ok k; /* first */
	int calls, running, err;
	struct sl_waitq ended;
};

static void adder(void *arg)
{
	struct side *s = arg;

	for (int i = 0; i < ROUNDS && !s->err; i++) {
		struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE,
					   .key = objects_key_integer(1),
					   .change = add_one,
					   .arg = &s->calls};

		s->err = write_one(&s->k, &op);
	}
	if (--s->running == 0)
		sl_waitq_wake_all(&s->ended, 0);
}

static int side_by_side(struct ok *k)
{
	struct side *s = (struct side *)k;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 1, 1, 0));
	sl_waitq_init(&s->ended);
	for (s->running = 0; s->running < WRITERS; s->running++)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, adder, s));
	while (s->running)
		sl_waitq_wait(&s->ended, SL_NEVER);
	EXPECT_EQ(0, s->err);
	/* None of them is lost. */
	EXPECT_EQ(1 + WRITERS * ROUNDS, ok_number(k, "c", 1));
	return ok_close(k);
}

TEST(changes_of_one_object_do_not_lose_each_other)
{
	struct side s = {0};

	ok_init(&s.k, NULL);
	RUN(&s.k, side_by_side);
}

TEST_HARNESS_MAIN
