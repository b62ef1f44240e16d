/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a shard's groups: found, taken off, and the hash that files depend on. */
#include <stdio.h>

#include "stores/topics/groups_pvt.h"
#include "topic_kit.h"

TEST(shard_of_an_id_never_changes)
{
	/* FNV-1a of 64 bits and sl_mix64(), worked out apart from this code. */
	EXPECT_EQ(4, shard_index(tk_str("g")));
	EXPECT_EQ(3, shard_index(tk_str("billing-app")));
	EXPECT_EQ(11, shard_index(tk_str("")));
	EXPECT_EQ(3, shard_index(tk_str("grüße")));
}

FIXTURE(table)
{
	struct shard sh;
};
FIXTURE_SETUP(table)
{
	sl_list_init(&self->sh.groups.all);
}
FIXTURE_TEARDOWN(table)
{
	shard_groups_clear(&self->sh);
	EXPECT_EQ(0, self->sh.groups.n);
	free(self->sh.groups.buckets);
}

enum { MANY = 500 };

static struct sl_str name_of(int i, char name[static 16])
{
	snprintf(name, 16, "group-%d", i);
	return tk_str(name);
}

TEST_F(table, groups_are_found_by_their_ids)
{
	struct group *made[MANY];
	char name[16];

	EXPECT_NULL(shard_group(&self->sh, tk_str("group-0")));
	for (int i = 0; i < MANY; i++) {
		made[i] = shard_group_get(&self->sh, name_of(i, name));
		ASSERT_NOT_NULL(made[i]);
		EXPECT_EQ(1, made[i]->users);
		group_leave(made[i]);
	}
	EXPECT_EQ(MANY, self->sh.groups.n);
	for (int i = 0; i < MANY; i += 2)
		shard_group_remove(made[i]);
	EXPECT_EQ(MANY / 2, self->sh.groups.n);
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(i % 2 ? made[i] : NULL, shard_group(&self->sh, name_of(i, name)));
}

TEST_F(table, group_stays_while_a_call_is_inside)
{
	struct group *g = shard_group_get(&self->sh, tk_str("g")), *again;

	EXPECT_EQ(g, shard_group_get(&self->sh, tk_str("g")));
	EXPECT_EQ(2, g->users);
	shard_group_remove(g);
	EXPECT_EQ(SL_GROUP_DEAD, g->state);
	EXPECT_NULL(shard_group(&self->sh, tk_str("g")));
	again = shard_group_get(&self->sh, tk_str("g"));
	EXPECT_NE(g, again);
	group_leave(again);
	group_leave(g);
	group_leave(g);
}

TEST_HARNESS_MAIN
