/* SPDX-License-Identifier: Apache-2.0 */
/* Payload indexes are kept: what was saved says the same, damage is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter_random.h"
#include "harness.h"
#include "saved.h"

enum { ROWS = 400 };

FIXTURE(save)
{
	struct sl_object *objects[ROWS];
	struct sl_payload *p;
	struct bytes b;
};

FIXTURE_SETUP(save)
{
	ASSERT_EQ(0, sl_payload_new(NULL, NULL, &self->p));
	for (int i = 0; i < RANDOM_INDEXES; i++) {
		const struct sl_payload_conf *c = &random_indexes[i];

		ASSERT_EQ(0, sl_payload_index_add(self->p, c));
		sl_payload_index_ready(self->p, c->path, c->type);
	}
	for (uint32_t row = 0; row < ROWS; row++) {
		self->objects[row] = random_object(row);
		ASSERT_EQ(0, sl_payload_add(self->p, row * 3, self->objects[row]));
	}
	self->b = (struct bytes){.p = malloc(1 << 20), .room = 1 << 20};
	ASSERT_TRUE(self->b.p != NULL);
	ASSERT_EQ(0, sl_payload_save(self->p, write_bytes, &self->b));
}

FIXTURE_TEARDOWN(save)
{
	sl_payload_free(self->p);
	free(self->b.p);
	for (int i = 0; i < ROWS; i++)
		free(self->objects[i]);
}

static void expect_same(struct sl_payload *a, struct sl_payload *b, const struct sl_filter *f)
{
	struct sl_row_set *x, *y;
	bool x_exact, y_exact;
	uint32_t row[1], from = 0;

	ASSERT_EQ(0, sl_payload_rows(a, f, &x, &x_exact));
	ASSERT_EQ(0, sl_payload_rows(b, f, &y, &y_exact));
	ASSERT_EQ(x_exact, y_exact);
	ASSERT_EQ(sl_row_set_count(x), sl_row_set_count(y));
	for (; sl_row_set_next(x, from, row, 1); from = row[0] + 1)
		ASSERT_TRUE(sl_row_set_has(y, row[0]));
	sl_row_set_free(x);
	sl_row_set_free(y);
}

TEST_F(save, what_was_saved_says_the_same)
{
	struct random_filter *r = malloc(sizeof(*r));
	struct bytes again = {.p = malloc(1 << 20), .room = 1 << 20};
	struct sl_payload *p;

	ASSERT_TRUE(r && again.p);
	ASSERT_EQ(0, sl_payload_load(read_bytes, &self->b, NULL, NULL, &p));
	EXPECT_EQ(self->b.n, self->b.at);
	ASSERT_EQ(0, sl_payload_save(p, write_bytes, &again));
	ASSERT_EQ(self->b.n, again.n);
	EXPECT_EQ(0, memcmp(self->b.p, again.p, again.n));
	for (int i = 0; i < 500; i++)
		expect_same(self->p, p, random_filter(r, ROWS));
	sl_payload_free(p);
	free(again.p);
	free(r);
}

TEST_F(save, what_was_loaded_changes_as_before)
{
	struct bytes empty = {.p = malloc(1 << 20), .room = 1 << 20}, never = empty;
	struct sl_payload *p, *fresh;

	never.p = malloc(1 << 20);
	ASSERT_TRUE(empty.p && never.p);
	ASSERT_EQ(0, sl_payload_load(read_bytes, &self->b, NULL, NULL, &p));
	for (uint32_t row = 0; row < ROWS; row++)
		ASSERT_EQ(0, sl_payload_remove(p, row * 3, self->objects[row]));
	ASSERT_EQ(0, sl_payload_new(NULL, NULL, &fresh));
	for (int i = 0; i < RANDOM_INDEXES; i++) {
		const struct sl_payload_conf *c = &random_indexes[i];

		ASSERT_EQ(0, sl_payload_index_add(fresh, c));
		sl_payload_index_ready(fresh, c->path, c->type);
	}
	ASSERT_EQ(0, sl_payload_save(p, write_bytes, &empty));
	ASSERT_EQ(0, sl_payload_save(fresh, write_bytes, &never));
	ASSERT_EQ(never.n, empty.n);
	EXPECT_EQ(0, memcmp(never.p, empty.p, never.n));
	sl_payload_free(p);
	sl_payload_free(fresh);
	free(empty.p);
	free(never.p);
}

TEST_F(save, an_index_that_is_not_ready_is_left_out)
{
	const struct sl_payload_conf late = {"late", SL_PAYLOAD_KEYWORD};
	struct bytes again = {.p = malloc(1 << 20), .room = 1 << 20};

	ASSERT_TRUE(again.p != NULL);
	ASSERT_EQ(0, sl_payload_index_add(self->p, &late));
	ASSERT_EQ(0, sl_payload_save(self->p, write_bytes, &again));
	ASSERT_EQ(self->b.n, again.n);
	EXPECT_EQ(0, memcmp(self->b.p, again.p, again.n));
	free(again.p);
}

static int load(struct bytes *b)
{
	struct sl_payload *p = NULL;
	int err;

	b->at = 0;
	err = sl_payload_load(read_bytes, b, NULL, NULL, &p);
	sl_payload_free(p);
	return err;
}

TEST_F(save, damage_is_refused)
{
	for (int i = 0; i < 1000; i++) {
		size_t at = harness_random() % self->b.n;
		int err;

		self->b.p[at] ^= (uint8_t)(1 << i % 8);
		err = load(&self->b);
		ASSERT_TRUE(err == -EBADMSG || err == -ENODATA);
		self->b.p[at] ^= (uint8_t)(1 << i % 8);
	}
	EXPECT_EQ(0, load(&self->b));
	self->b.n--;
	EXPECT_EQ(-ENODATA, load(&self->b));
}

TEST_F(save, a_failing_write_is_told)
{
	for (size_t room = 0; room < self->b.n; room += 1 + room / 7) {
		struct bytes b = {.p = self->b.p, .room = room};

		ASSERT_EQ(-ENOSPC, sl_payload_save(self->p, write_bytes, &b));
	}
}

TEST_HARNESS_MAIN
