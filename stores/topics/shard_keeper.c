/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_keeper: the fiber that does for a core's shards what nobody waits for: writes groups that
 * changed by a timer, snapshots, and looks for what is too old.
 *
 * Interface: keeper_*(), shard_dirty() of groups_pvt.h.
 */
#include "groups_pvt.h"

#define KEEPER_TICK_MIN_NS (100 * SL_MSEC)
#define KEEPER_TICK_MAX_NS (60 * SL_SEC)

void shard_dirty(struct group *g)
{
	struct shards *all = g->shard->tc->shards;

	if (!sl_list_empty(&g->dirty))
		return;
	sl_list_append(&all->dirty, &g->dirty);
	sl_waitq_wake_all(&all->keeper, 0);
}

static void write_dirty(struct shards *all)
{
	struct group *g;

	while ((g = sl_list_first(&all->dirty, struct group, dirty))) {
		sl_list_remove(&g->dirty);
		g->users++;
		/* The next change tries again; until then the journal tells of an older round. */
		if (g->state == SL_GROUP_EMPTY || g->state == SL_GROUP_STABLE)
			shard_write_group(g, g->state == SL_GROUP_STABLE, SL_NEVER);
		group_leave(g);
	}
}

static bool keeper_work(struct core_state *tc)
{
	struct shards *all = tc->shards;

	if (!sl_list_empty(&all->dirty) || all->retention_due)
		return true;
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++)
		if (all->at[i] && shard_snapshot_due(all->at[i]))
			return true;
	return false;
}

static void keeper_fiber(void *core_state)
{
	struct core_state *tc = core_state;
	struct shards *all = tc->shards;

	for (uint32_t i = 0; i < SL_GROUP_SHARDS && !tc->draining; i++)
		if (all->at[i])
			shard_ready(all->at[i], false, SL_NEVER);
	while (!tc->stopping) {
		bool retain = all->retention_due;

		if (!keeper_work(tc)) {
			sl_waitq_wait(&all->keeper, SL_NEVER);
			continue;
		}
		all->retention_due = false;
		write_dirty(all);
		for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
			if (all->at[i] && retain)
				shard_retain(all->at[i]);
			if (all->at[i] && shard_snapshot_due(all->at[i]))
				shard_snapshot_save(all->at[i], SL_NEVER);
		}
	}
	write_dirty(all);
	core_fiber_end(tc);
}

/* Often enough that offsets are not kept much longer than they have to be. */
static int64_t keeper_pause_ns(const struct core_state *tc)
{
	return sl_min(sl_max(tc->conf.offsets_retention_ns / 8, KEEPER_TICK_MIN_NS),
		      KEEPER_TICK_MAX_NS);
}

static void keeper_tick(struct sl_timer *timer)
{
	struct shards *all = sl_container_of(timer, struct shards, tick);

	all->retention_due = true;
	sl_timer_set(timer, sl_now() + keeper_pause_ns(all->tc));
	sl_waitq_wake_all(&all->keeper, 0);
}

void keeper_init(struct shards *all)
{
	sl_list_init(&all->dirty);
	sl_waitq_init(&all->keeper);
	sl_timer_init(&all->tick, keeper_tick);
}

int keeper_start(struct core_state *tc)
{
	sl_timer_set(&tc->shards->tick, sl_now() + keeper_pause_ns(tc));
	return core_fiber_start(tc, keeper_fiber);
}
