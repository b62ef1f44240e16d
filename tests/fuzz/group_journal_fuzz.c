/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of group journals of arbitrary bytes: a sequence of (type, length, payload) is applied to
 * a shard in memory, without a core; it must be refused or make sense, and applying all of it
 * again must not crash either.
 */
#include <stdlib.h>
#include <string.h>

#include "stores/topics/groups_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply_all(struct shard *sh, const uint8_t *data, size_t size)
{
	uint64_t point = 0;

	while (size >= 3) {
		size_t len = sl_min((size_t)sl_load_le16(data + 1), size - 3);

		group_apply(sh, data[0] & 7, data + 3, len, (int64_t)point, point);
		data += 3 + len;
		size -= 3 + len;
		point++;
	}
}

static void check_groups(struct shard *sh)
{
	uint32_t n = 0;

	sl_list_each(at, &sh->groups.all) {
		struct group *g = sl_list_entry(at, struct group, node);
		uint32_t members = 0;

		n++;
		sl_list_each(m, &g->members)
			members++;
		SL_ASSERT(members == g->members_n);
		SL_ASSERT(g->users == 0 && g->state != SL_GROUP_DEAD);
		SL_ASSERT(shard_group(sh, g->id) == g);
	}
	SL_ASSERT(n == sh->groups.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shards all = {0};
	struct core_state tc = {.shards = &all};
	struct shard sh = {.tc = &tc};

	sl_list_init(&all.dirty);
	sl_waitq_init(&all.keeper);
	sl_list_init(&sh.groups.all);
	sl_list_init(&sh.writes);
	group_apply_record(&sh, data, size);
	apply_all(&sh, data, size);
	check_groups(&sh);
	apply_all(&sh, data, size);
	check_groups(&sh);
	while (!sl_list_empty(&sh.groups.all))
		shard_group_remove(sl_list_first(&sh.groups.all, struct group, node));
	free(sh.groups.buckets);
	return 0;
}
