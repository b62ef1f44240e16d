/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_expiry: groups and offsets that go: too old, deleted, or of a topic that is no more.
 *
 * Interface: shard_retain(), shard_delete_group(), shards_forget_topic().
 * Invariant: a group is taken off only after the record that says so is durable; of what came while
 * it was written nothing is lost.
 *
 * Order of parts: deletion; age; topics.
 */
#include "groups_pvt.h"

/* ---- deletion --------------------------------------------------------------------------- */

static int write_gone(struct shard *sh, struct sl_str id, uint64_t *ret_point)
{
	struct blob_out b = {0};
	struct journal_write write;
	int rc;

	group_record_begin(&b);
	group_encode_gone(&b, id);
	rc = group_record_end(&b, GROUP_RECORD_GONE, wall_ms());
	if (!rc) {
		rc = shard_write(sh, &b, &write, ret_point, SL_NEVER);
		shard_write_end(sh, &write);
	}
	blob_done(&b);
	return rc;
}

struct older {
	struct group *g;
	uint64_t point;
};

static void offset_older(void *arg, struct group_offset *o)
{
	struct older *older = arg;

	if (o->point < older->point)
		group_offset_remove(older->g, o);
}

int shard_delete_group(struct group *g)
{
	struct older older = {.g = g};
	struct shard *sh = g->shard;
	int rc;

	g->users++;
	rc = sh->log ? write_gone(sh, g->id, &older.point) : 0;
	if (!rc && g->state == SL_GROUP_EMPTY && !g->pending_n) {
		shard_group_remove(g);
	} else if (!rc && g->state != SL_GROUP_DEAD) {
		/* Somebody came meanwhile: what was before is gone, the group begins anew. */
		group_offsets_each(g, offset_older, &older);
		shard_dirty(g);
	}
	group_leave(g);
	return rc;
}

/* ---- age -------------------------------------------------------------------------------- */

struct expiry {
	struct group *g;
	int64_t before_ms;
};

static void offset_expire(void *arg, struct group_offset *o)
{
	struct expiry *e = arg;

	if (o->at_ms < e->before_ms)
		group_offset_remove(e->g, o);
}

/*
 * Offsets of a group without members go when both they and the end of its last member are old
 * enough; the group goes with the last of them. A removal that a crash undoes is made again.
 */
static bool group_expire(struct group *g, int64_t now_ms)
{
	int64_t keep_ms = g->shard->tc->conf.offsets_retention_ns / SL_MSEC;
	struct expiry e = {g, now_ms - keep_ms};
	bool had = g->offsets_n > 0;

	if (g->state != SL_GROUP_EMPTY || g->pending_n || g->users)
		return false;
	if (!g->persisted || g->empty_since_ms < e.before_ms)
		group_offsets_each(g, offset_expire, &e);
	if (g->offsets_n || (!had && g->persisted && g->empty_since_ms >= e.before_ms))
		return false;
	if (had)
		topics_event(g->shard->tc, SL_TOPICS_GROUP_EXPIRED, g->id.s, 0);
	return true;
}

void shard_retain(struct shard *sh)
{
	int64_t now_ms = wall_ms();
	struct group *g;

	do {
		g = NULL;
		sl_list_each(n, &sh->groups.all) {
			struct group *each = sl_list_entry(n, struct group, node);

			if (group_expire(each, now_ms)) {
				g = each;
				break;
			}
		}
	} while (g && shard_delete_group(g) == 0);
}

/* ---- topics ----------------------------------------------------------------------------- */

static void offset_forget(void *arg, struct group_offset *o)
{
	const struct sl_uuid *id = ((void **)arg)[0];

	if (sl_uuid_equal(&o->topic, id))
		group_offset_remove(((void **)arg)[1], o);
}

/* Without a record: a load forgets the offsets of topics that do not exist. */
void shards_forget_topic(struct core_state *tc, const struct sl_uuid *id)
{
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		if (!tc->shards->at[i])
			continue;
		sl_list_each(n, &tc->shards->at[i]->groups.all) {
			struct group *g = sl_list_entry(n, struct group, node);
			void *arg[] = {(void *)(uintptr_t)id, g};

			group_offsets_each(g, offset_forget, arg);
		}
	}
}
