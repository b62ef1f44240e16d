/* SPDX-License-Identifier: Apache-2.0 */
/* A shard that cannot be had now, and again when that has passed. */
#include <string.h>

#include "topic_kit.h"

FIXTURE(shard)
{
	struct tk k;
};
FIXTURE_SETUP(shard)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
}
FIXTURE_TEARDOWN(shard)
{
	sl_sim_free(self->k.sim);
}

static int full(struct tk *k)
{
	char metadata[4001];
	int rc = 0, n = 0;

	memset(metadata, 'm', 4000);
	metadata[4000] = 0;
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	/* No space for a journal, */
	sl_sim_limit(k->sim, 1);
	EXPECT_EQ(SL_REFUSED_NO_SPACE, tk_commit(k, "g", 0, 1, metadata));
	EXPECT_EQ(-1, tk_committed(k, "g", 0, NULL));
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + SL_MIB);
	/* then for one more record. */
	for (; !rc && n < 1000; n++)
		rc = tk_commit(k, "g", 0, n, metadata);
	EXPECT_EQ(SL_REFUSED_NO_SPACE, rc);
	EXPECT_EQ(n - 2, tk_committed(k, "g", 0, NULL));
	sl_sim_limit(k->sim, 0);
	EXPECT_EQ(0, tk_commit(k, "g", 1, n, metadata));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(n - 2, tk_committed(k, "g", 0, NULL));
	EXPECT_EQ(n, tk_committed(k, "g", 1, NULL));
	return tk_close(k);
}

TEST_F(shard, full_disk_refuses_and_passes)
{
	EXPECT_EQ(0, tk_run(&self->k, full));
}

TEST_HARNESS_MAIN
