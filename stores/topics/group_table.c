/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_table: a shard's groups by their ids, and which shard and core an id belongs to.
 *
 * Interface: "the table of groups" of groups_pvt.h; none of it parks.
 * Invariants: the hash never changes, since files depend on it; a group that was taken off keeps
 * its memory while a call is inside.
 */
#include <errno.h>

#include "groups_pvt.h"

static uint64_t group_hash(struct sl_str id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	/* FNV-1a: files depend on it. */
	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (uint8_t)id.s[i]) * UINT64_C(0x100000001b3);
	return sl_mix64(h);
}

uint32_t shard_index(struct sl_str group)
{
	return (uint32_t)(group_hash(group) % SL_GROUP_SHARDS);
}

struct sl_core *sl_group_home(struct sl_str group)
{
	return shard_home(shard_index(group));
}

struct sl_core *shard_home(uint32_t index)
{
	struct sl_cores *cores = sl_core_cores(sl_core_self());

	return sl_cores_at(cores, index % sl_cores_count(cores));
}

static struct group **bucket(const struct group_table *gt, struct sl_str id)
{
	return &gt->buckets[group_hash(id) / SL_GROUP_SHARDS & (gt->buckets_n - 1)];
}

struct group *shard_group(const struct shard *sh, struct sl_str id)
{
	struct group *g;

	if (!sh->groups.buckets_n)
		return NULL;
	for (g = *bucket(&sh->groups, id); g && !str_equal(g->id, id); g = g->next)
		;
	return g;
}

static int table_grow(struct group_table *gt)
{
	uint32_t n = gt->buckets_n ? gt->buckets_n * 2 : 16;
	struct group **buckets;

	if (gt->n < gt->buckets_n)
		return 0;
	buckets = calloc(n, sizeof(struct group *));
	if (!buckets)
		return -ENOMEM;
	free(gt->buckets);
	gt->buckets = buckets;
	gt->buckets_n = n;
	sl_list_each(at, &gt->all) {
		struct group *g = sl_list_entry(at, struct group, node);
		struct group **head = bucket(gt, g->id);

		g->next = *head;
		*head = g;
	}
	return 0;
}

struct group *shard_group_get(struct shard *sh, struct sl_str id)
{
	struct group *g = shard_group(sh, id), **head;

	if (!g) {
		if (table_grow(&sh->groups))
			return NULL;
		g = group_new(sh, id);
		if (!g)
			return NULL;
		head = bucket(&sh->groups, id);
		g->next = *head;
		*head = g;
		sl_list_append(&sh->groups.all, &g->node);
		sh->groups.n++;
	}
	g->users++;
	return g;
}

void group_leave(struct group *g)
{
	SL_ASSERT(g->users > 0);
	if (--g->users == 0 && g->state == SL_GROUP_DEAD)
		group_free(g);
}

void shard_group_remove(struct group *g)
{
	struct group_table *gt = &g->shard->groups;
	struct group **at = bucket(gt, g->id);

	SL_ASSERT(gt->n > 0);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	gt->n--;
	sl_list_remove(&g->node);
	sl_list_remove(&g->dirty);
	g->users++;
	while (g->members_n) {
		struct group_member *m = sl_list_first(&g->members, struct group_member, node);

		group_wait_end(&m->join, SL_REFUSED_UNKNOWN_MEMBER);
		group_wait_end(&m->sync, SL_REFUSED_UNKNOWN_MEMBER);
		group_member_free(m);
	}
	sl_timer_clear(&g->round);
	g->state = SL_GROUP_DEAD;
	group_leave(g);
}

void shard_groups_clear(struct shard *sh)
{
	while (!sl_list_empty(&sh->groups.all))
		shard_group_remove(sl_list_first(&sh->groups.all, struct group, node));
}
