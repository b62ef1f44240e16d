/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard: a sixteenth of the groups, on its core: brought into memory, entered, closed.
 *
 * Interface: "shards" of groups_pvt.h, shards_*() of topics_pvt.h. A load reads the snapshot and
 * then the journal from there; a failure that may pass leaves the shard for the next who enters.
 *
 * Order of parts: loading; entering; start and stop.
 */
#include <errno.h>

#include "groups_pvt.h"

/* ---- loading ---------------------------------------------------------------------------- */

/* Offsets of topics that were deleted while nobody could tell. */
static void offset_known(void *arg, struct group_offset *o)
{
	struct group *g = arg;

	if (!sl_topics_view_find_id(g->shard->tc->home_view, &o->topic))
		group_offset_remove(g, o);
}

/* Return: 0, sh->log is NULL if there is none yet; -errno. */
static int shard_load(struct shard *sh, int64_t deadline)
{
	uint64_t from = 0;
	int rc = shard_snapshot_load(sh, &from, deadline);

	if (rc)
		return rc;
	rc = journal_open(sh, deadline);
	if (rc == -ENOENT)
		rc = 0;
	/* Made just before a kill, its name may not be durable yet. */
	if (!rc && sh->log && sl_log_end(sh->log) == 0)
		rc = groups_sync(sh);
	if (!rc && sh->log)
		rc = journal_replay(sh, from, deadline);
	if (rc) {
		shard_groups_clear(sh);
		if (sh->log)
			sl_log_abandon(sh->log);
		sh->log = NULL;
		return rc;
	}
	sh->snapshot_at = from;
	sl_list_each(n, &sh->groups.all) {
		struct group *g = sl_list_entry(n, struct group, node);

		group_offsets_each(g, offset_known, g);
		group_resume(g);
	}
	return 0;
}

/* ---- entering --------------------------------------------------------------------------- */

static bool passing(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM || rc == -ETIME ||
	       rc == -EMFILE || rc == -ENFILE;
}

static void state_set(struct shard *sh, enum partition_state ok, int rc)
{
	sh->state = rc == 0 ? ok : passing(rc) ? sh->state : PARTITION_FAILED;
	sh->err = rc;
	if (rc)
		topics_event(sh->tc, SL_TOPICS_FAILED, sh->name, rc);
	sl_waitq_wake_all(&sh->changed, 0);
}

int shard_ready(struct shard *sh, bool make, int64_t deadline)
{
	int rc = 0;

	while (!rc) {
		if (sh->state == PARTITION_OPEN || (sh->state == PARTITION_EMPTY && !make))
			return 0;
		if (sh->state == PARTITION_FAILED)
			return SL_REFUSED_FAILED;
		if (sh->state == PARTITION_BUSY) {
			rc = sl_waitq_wait(&sh->changed, deadline);
			continue;
		}
		if (sh->state == PARTITION_NEW) {
			sh->state = PARTITION_BUSY;
			rc = shard_load(sh, deadline);
			sh->state = PARTITION_NEW;
			state_set(sh, sh->log ? PARTITION_OPEN : PARTITION_EMPTY, rc);
		} else {
			sh->state = PARTITION_BUSY;
			rc = journal_make(sh, deadline);
			sh->state = PARTITION_EMPTY;
			state_set(sh, PARTITION_OPEN, rc);
		}
	}
	return partition_result(rc);
}

int shard_enter(struct core_state *tc, uint32_t index, struct shard **ret_shard, int64_t deadline)
{
	struct shard *sh;
	int rc = core_ready(tc, deadline);

	if (rc)
		return rc;
	sh = tc->shards->at[index];
	SL_ASSERT(sh);
	rc = shard_ready(sh, false, deadline);
	if (!rc)
		*ret_shard = sh;
	return rc;
}

static int visit_here(void *arg, int64_t deadline)
{
	struct group_visit *v = arg;
	int rc = shard_enter(v->tc, shard_index(v->group), &v->sh, deadline);

	return rc ? rc : v->fn(v, shard_group(v->sh, v->group), deadline);
}

int group_visit(struct sl_topics *t, struct sl_str group, group_visit_fn *fn, void *arg,
		int64_t deadline)
{
	struct group_visit v = {.group = group, .fn = fn, .arg = arg};
	struct sl_core *home;

	if (!group.s || group.len < 1 || group.len > GROUP_ID_BYTES_MAX)
		return SL_REFUSED_BAD_GROUP;
	home = shard_home(shard_index(group));
	v.tc = topics_at(t, home);
	return sl_call(home, visit_here, &v, deadline);
}

/* ---- start and stop --------------------------------------------------------------------- */

static struct shard *shard_new(struct core_state *tc, uint32_t index)
{
	struct shard *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return NULL;
	sh->tc = tc;
	sh->index = index;
	sl_waitq_init(&sh->changed);
	sl_list_init(&sh->groups.all);
	sl_list_init(&sh->writes);
	snprintf(sh->name, sizeof(sh->name), "groups-%u", index);
	return sh;
}

int shards_start(struct core_state *tc, int64_t deadline)
{
	struct shards *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	tc->shards = all;
	all->tc = tc;
	keeper_init(all);
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		if (shard_home(i) != tc->core)
			continue;
		all->at[i] = shard_new(tc, i);
		if (!all->at[i])
			return -ENOMEM;
	}
	return keeper_start(tc);
}

void shards_drain(struct core_state *tc)
{
	if (!tc->shards)
		return;
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		struct shard *sh = tc->shards->at[i];

		if (!sh)
			continue;
		sl_list_each(n, &sh->groups.all) {
			struct group *g = sl_list_entry(n, struct group, node);

			sl_list_each(k, &g->members) {
				struct group_member *m =
					sl_list_entry(k, struct group_member, node);

				group_wait_end(&m->join, SL_REFUSED_STOPPING);
				group_wait_end(&m->sync, SL_REFUSED_STOPPING);
			}
		}
	}
	sl_waitq_wake_all(&tc->shards->keeper, 0);
}

static int shard_close(struct shard *sh, int64_t deadline)
{
	int rc = 0;

	if (sh->log) {
		if (sh->since_bytes)
			shard_snapshot_save(sh, deadline);
		rc = sl_log_close(sh->log, deadline);
		sh->log = NULL;
	}
	shard_groups_clear(sh);
	free(sh->groups.buckets);
	free(sh);
	return rc;
}

int shards_stop(struct core_state *tc, int64_t deadline)
{
	int first = 0;

	if (!tc->shards)
		return 0;
	sl_timer_clear(&tc->shards->tick);
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		int rc = tc->shards->at[i] ? shard_close(tc->shards->at[i], deadline) : 0;

		first = first ? first : rc;
	}
	free(tc->shards);
	tc->shards = NULL;
	return first;
}
