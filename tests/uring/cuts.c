/* SPDX-License-Identifier: Apache-2.0 */
/* cuts.h: a workload, cut at each of its operations. */
#include "uring/cuts.h"

#include <stdio.h>
#include <stdlib.h>

#include <sluice/util.h>

#include "harness.h"

/* The power goes again after @n operations of the next start. */
static void cut_again(const struct cuts *c, struct sl_sim *disk, uint64_t n,
		      enum sl_sim_policy policy)
{
	sl_sim_cut_after(disk, n);
	c->restart(disk);
	sl_sim_reboot(disk, policy);
}

/* Every outcome of the cut that @world ended in. Return: whether something is wrong in one. */
static bool is_wrong(const struct cuts *c, void *world, struct sl_sim *sim, uint64_t seed,
		     char *ret_wrong, size_t len)
{
	bool wrong = false;

	for (uint32_t i = 0; i < c->policies_n; i++) {
		struct sl_sim *disk = sl_sim_clone(sim);
		char why[256] = "";

		sl_sim_seed(disk, seed + i);
		sl_sim_reboot(disk, c->policies[i]);
		if (c->restart && (seed + i) % 4 == 0)
			cut_again(c, disk, (seed + i) / 4 % 13, c->policies[i]);
		c->check(world, disk, seed + i, c->policies[i], why, sizeof(why));
		if (why[0] && !wrong)
			snprintf(ret_wrong, len, "outcome %u: %s", i, why);
		wrong |= why[0];
	}
	return wrong;
}

/* The cut of operation @cut. Return: whether there is none after it. */
static bool try_cut(const struct cuts *c, void *world, uint64_t seed, uint64_t cut, int *wrong)
{
	struct sl_sim *sim = c->begin(world, seed, c->how);
	bool ended;
	char why[300];

	sl_sim_delay(sim, c->delay);
	if (c->skip)
		sl_sim_skip_sync(sim, c->skip);
	sl_sim_cut_after(sim, cut);
	c->work(world);
	ended = !sl_sim_is_cut(sim);
	if (ended)
		sl_sim_cut(sim);
	if (is_wrong(c, world, sim, seed + cut * 17, why, sizeof(why))) {
		++*wrong;
		if (!c->skip)
			TH_LOG("seed %llu, cut at %llu: %s", (unsigned long long)seed,
			       (unsigned long long)cut, why);
	}
	sl_sim_free(sim);
	return ended;
}

int cuts_try(const struct cuts *c, uint64_t seed)
{
	uint64_t step = sl_max(c->step, 1u) * (c->skip ? 1u : (uint32_t)harness_work_part());
	uint64_t cut = harness_random() % step;
	void *world = malloc(c->world_bytes);
	int wrong = 0;

	ASSERT_NOT_NULL(world);
	while (!try_cut(c, world, seed, cut, &wrong) && !(c->skip && wrong))
		cut += step;
	free(world);
	return wrong;
}

void cuts_expect_syncs(struct sl_sim *sim, const enum sl_fault *points, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!EXPECT_LT(0, sl_sim_syncs(sim, points[i])))
			TH_LOG("sync point %d", points[i]);
}
