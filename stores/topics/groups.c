/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups: describing, listing and deleting groups.
 *
 * Interface: "looking at groups" of groups.h.
 * Order of parts: describing; listing; deleting.
 */
#include <errno.h>

#include "groups_pvt.h"

static const char *const state_names[] = {
	[SL_GROUP_EMPTY] = "Empty",
	[SL_GROUP_PREPARING] = "PreparingRebalance",
	[SL_GROUP_COMPLETING] = "CompletingRebalance",
	[SL_GROUP_STABLE] = "Stable",
	[SL_GROUP_DEAD] = "Dead",
};
static_assert(SL_ARRAY_SIZE(state_names) == SL_GROUP_STATE_LAST, "a name for each state");

const char *sl_group_state_name(enum sl_group_state state)
{
	SL_ASSERT(state < SL_GROUP_STATE_LAST);
	return state_names[state];
}

/* ---- describing ------------------------------------------------------------------------- */

/* As Kafka: only a stable group says what its members know and what they were given. */
static struct sl_str member_metadata(const struct group *g, const struct group_member *m)
{
	return g->state == SL_GROUP_STABLE ? group_member_metadata(m, g->protocol)
					   : (struct sl_str){"", 0};
}

static struct sl_str member_assignment(const struct group *g, const struct group_member *m)
{
	return g->state == SL_GROUP_STABLE ? m->assignment : (struct sl_str){"", 0};
}

static size_t member_bytes(const struct group *g, const struct group_member *m)
{
	return sizeof(struct sl_group_member_info) + m->id.len + m->instance_id.len +
	       m->client_id.len + m->client_host.len + member_metadata(g, m).len +
	       member_assignment(g, m).len;
}

static size_t group_bytes(const struct group *g, bool members)
{
	size_t bytes = g->id.len + g->protocol_type.len + g->protocol.len;

	if (!members)
		return bytes;
	sl_list_each(n, &g->members)
		bytes += member_bytes(g, sl_list_entry(n, struct group_member, node));
	return bytes;
}

static void pack_group(struct pack *pk, const struct group *g, struct sl_group_info *info)
{
	info->state = g->state;
	info->generation = g->generation;
	info->group = pack_str(pk, g->id);
	info->protocol_type = pack_str(pk, g->protocol_type);
	info->protocol = g->state == SL_GROUP_STABLE ? pack_str(pk, g->protocol)
						     : (struct sl_str){"", 0};
}

static void pack_members(struct pack *pk, const struct group *g, struct sl_group_info *info)
{
	sl_list_each(n, &g->members) {
		const struct group_member *m = sl_list_entry(n, struct group_member, node);

		info->members[info->members_n++] = (struct sl_group_member_info){
			.member_id = pack_str(pk, m->id),
			.instance_id = pack_str(pk, m->instance_id),
			.client_id = pack_str(pk, m->client_id),
			.client_host = pack_str(pk, m->client_host),
			.metadata = pack_str(pk, member_metadata(g, m)),
			.assignment = pack_str(pk, member_assignment(g, m)),
		};
	}
}

static int describe_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct sl_group_info info = {.state = SL_GROUP_DEAD}, *ret = v->arg;
	struct pack pk;
	int rc = pack_init(&pk, g ? group_bytes(g, true) : v->group.len, &info.memory);

	if (rc)
		return rc;
	if (g) {
		info.members = pack_room(&pk, g->members_n * sizeof(*info.members));
		pack_members(&pk, g, &info);
		pack_group(&pk, g, &info);
	} else {
		info.group = pack_str(&pk, v->group);
	}
	*ret = info;
	return 0;
}

int sl_group_describe(struct sl_topics *t, struct sl_str group, struct sl_group_info *ret_info,
		      int64_t deadline)
{
	return group_visit(t, group, describe_here, ret_info, deadline);
}

void sl_group_info_done(struct sl_group_info *info)
{
	free(info->memory);
	*info = (struct sl_group_info){0};
}

/* ---- listing ---------------------------------------------------------------------------- */

/* One block of a core's groups, chained through its first bytes until the list is put together. */
struct list_block {
	struct list_block *next;
	struct sl_group_info *groups;
	uint32_t n;
	uint32_t zero;
};

struct list_visit {
	struct core_state *tc;
	uint32_t index;
	struct list_block *block;
};

static int list_here(void *arg, int64_t deadline)
{
	struct list_visit *v = arg;
	size_t bytes = sizeof(struct list_block);
	struct shard *sh = NULL;
	struct list_block *b;
	struct pack pk;
	void *memory = NULL;
	int rc = shard_enter(v->tc, v->index, &sh, deadline);

	if (rc)
		return rc;
	sl_list_each(n, &sh->groups.all)
		bytes += sizeof(struct sl_group_info) +
			 group_bytes(sl_list_entry(n, struct group, node), false);
	rc = pack_init(&pk, bytes, &memory);
	if (rc)
		return rc;
	b = pack_room(&pk, sizeof(*b));
	*b = (struct list_block){
		.groups = pack_room(&pk, sh->groups.n * sizeof(struct sl_group_info)),
	};
	sl_list_each(n, &sh->groups.all) {
		b->groups[b->n] = (struct sl_group_info){0};
		pack_group(&pk, sl_list_entry(n, struct group, node), &b->groups[b->n]);
		b->n++;
	}
	v->block = b;
	return 0;
}

static void blocks_free(struct list_block *b)
{
	while (b) {
		struct list_block *next = b->next;

		free(b);
		b = next;
	}
}

int sl_groups_list(struct sl_topics *t, struct sl_group_list *ret_list, int64_t deadline)
{
	struct sl_group_list list = {0};
	struct list_block *blocks = NULL;
	int rc = 0;

	for (uint32_t i = 0; i < SL_GROUP_SHARDS && !rc; i++) {
		struct sl_core *home = shard_home(i);
		struct list_visit v = {topics_at(t, home), i, NULL};

		rc = sl_call(home, list_here, &v, deadline);
		if (rc)
			break;
		v.block->next = blocks;
		blocks = v.block;
		list.n += v.block->n;
	}
	if (!rc) {
		list.groups = calloc(list.n + 1, sizeof(struct sl_group_info));
		rc = list.groups ? 0 : -ENOMEM;
	}
	if (rc) {
		blocks_free(blocks);
		return rc;
	}
	list.n = 0;
	for (struct list_block *b = blocks; b; b = b->next) {
		memcpy(list.groups + list.n, b->groups, b->n * sizeof(struct sl_group_info));
		list.n += b->n;
	}
	list.memory = blocks;
	*ret_list = list;
	return 0;
}

void sl_group_list_done(struct sl_group_list *list)
{
	blocks_free(list->memory);
	free(list->groups);
	*list = (struct sl_group_list){0};
}

/* ---- deleting --------------------------------------------------------------------------- */

static int delete_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	if (!g)
		return SL_REFUSED_UNKNOWN_GROUP;
	if (g->state != SL_GROUP_EMPTY)
		return SL_REFUSED_NON_EMPTY_GROUP;
	return shard_delete_group(g);
}

int sl_group_delete(struct sl_topics *t, struct sl_str group, int64_t deadline)
{
	return group_visit(t, group, delete_here, NULL, deadline);
}
