/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and offsets that are too old, or deleted while somebody comes. */
#include "topic_kit.h"

FIXTURE(expiry)
{
	struct tk k;
};
FIXTURE_SETUP(expiry)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
}
FIXTURE_TEARDOWN(expiry)
{
	sl_sim_free(self->k.sim);
}

static int retained(struct tk *k)
{
	k->conf.offsets_retention_ns = 3 * SL_SEC; /* no machine stalls for so long */
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	ASSERT_EQ(0, tk_commit(k, "old", 0, 10, NULL));
	ASSERT_EQ(0, tk_commit(k, "new", 0, 10, NULL));
	for (int i = 0; i < 1000 && tk_committed_all(k, "old"); i++) {
		ASSERT_EQ(0, tk_commit(k, "new", 0, i, NULL));
		sl_sleep(sl_now() + 20 * SL_MSEC);
	}
	EXPECT_EQ(0, tk_committed_all(k, "old"));
	EXPECT_EQ(1, tk_committed_all(k, "new"));
	EXPECT_EQ(1, k->events[SL_TOPICS_GROUP_EXPIRED]);
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(1, tk_committed_all(k, "new"));
	/* If its going was not yet durable, it goes again. */
	for (int i = 0; i < 1000 && tk_committed_all(k, "old"); i++)
		sl_sleep(sl_now() + 20 * SL_MSEC);
	EXPECT_EQ(0, tk_committed_all(k, "old"));
	return tk_close(k);
}

TEST_F(expiry, of_groups_without_members_go_after_a_while)
{
	EXPECT_EQ(0, tk_run(&self->k, retained));
}

TEST_HARNESS_MAIN
