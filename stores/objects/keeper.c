/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper: what nobody waits for: rows move to indexes, checkpoints are written, logs compacted,
 * collections that nobody asks for are put away. One fiber a core; where threads take turns, one of
 * them at a time.
 *
 * Interface: keeper(), keeper_wake() of objects_pvt.h, objects_keep().
 * Invariant: it holds the core for about STEP_NS at a time.
 *
 * Order of parts: what is due; one collection; all of a core.
 */
#include "objects_pvt.h"

#define STEP_NS (300 * SL_USEC)

/* How often it looks for what is idle. */
#define LOOK_NS SL_SEC

/* Rows that were indexed are worth a checkpoint when they are so many, and so large a part, all
 * being done; when they are more, also in the middle of it. */
#define MOVED_MIN 1024u
#define MOVED_PART 16u
#define MOVED_MUCH 16384u
#define MOVED_MUCH_PART 4u

/* ---- what is due ------------------------------------------------------------------------ */

void keeper_wake(struct core_store *cs)
{
	cs->work = true;
	sl_waitq_wake_all(&cs->keeper, 0);
}

static bool unusable(const struct collection *c)
{
	return c->state == COLLECTION_FAILED || (c->state == COLLECTION_OPEN && c->stale);
}

static bool idle(const struct collection *c)
{
	return c->state == COLLECTION_OPEN && !c->users && sl_list_empty(&c->pending) &&
	       sl_now() - c->used_at >= c->cs->conf.idle_ns;
}

static bool checkpoint_due(const struct collection *c)
{
	if (sl_log_failed(c->log))
		return false;
	/* No more often than what is written is worth it. */
	if (c->since >= sl_max(c->cs->conf.checkpoint_bytes, c->checkpoint_bytes))
		return true;
	if (c->indexing)
		return c->moved >= MOVED_MUCH && c->moved >= c->rows.live / MOVED_MUCH_PART;
	return c->moved >= MOVED_MIN && c->moved >= c->rows.live / MOVED_PART;
}

/* ---- one collection --------------------------------------------------------------------- */

/* Return: whether there was something to do. */
static bool index_step(struct collection *c)
{
	bool more = false;

	if (!c->indexing)
		return false;
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		struct vector *v = c->vectors[i];

		if (v->next || vector_wants_anew(v, c->own->revisions[i]))
			more |= far_anew(c, i, STEP_NS);
		else
			more |= vector_step(v, STEP_NS, &c->moved) == 1;
	}
	c->indexing = more;
	return true;
}

/* What could not be done is tried again when there is a reason again: more was written. */
static bool keep(struct collection *c)
{
	bool worked = index_step(c);

	if (checkpoint_due(c)) {
		checkpoint_save(c, SL_NEVER);
		return true;
	}
	if (worked)
		return true;
	if (compaction_due(c) && !sl_log_failed(c->log) && c->since >= c->compact_from) {
		int rc = collection_compact(c, SL_NEVER);

		c->compact_from = rc ? c->since + c->cs->conf.checkpoint_bytes / 4 : 0;
		return true;
	}
	return false;
}

/* ---- all of a core ---------------------------------------------------------------------- */

/* Looks at each collection once. Return: whether there was something to do. */
static bool round_of(struct core_store *cs)
{
	bool worked = false;

	/* Collections come and go while one is worked on, which goes to the end of the list. */
	for (uint32_t n = cs->collections_n; n && !cs->draining; n--) {
		struct collection *c = sl_list_first(&cs->collections, struct collection, node);
		bool more = false;

		if (!c)
			break;
		sl_list_remove(&c->node);
		sl_list_append(&cs->collections, &c->node);
		if (!c->users && (unusable(c) || idle(c))) {
			collection_put_away(c, !unusable(c), SL_NEVER);
			continue;
		}
		if (c->state != COLLECTION_OPEN || c->stale)
			continue;
		collection_use(c);
		more = keep(c);
		collection_unuse(c);
		if (more)
			sl_fiber_yield(SL_NEVER);
		worked |= more;
	}
	return worked;
}

/* Also while there is always something to do. */
static void show(const struct core_store *cs, int64_t *at)
{
	if (sl_now() < *at)
		return;
	figures_show(cs);
	*at = sl_now() + LOOK_NS;
}

void keeper(void *core_state)
{
	struct core_store *cs = core_state;
	int64_t show_at = 0;

	while (!cs->draining) {
		show(cs, &show_at);
		cs->work = false;
		if (!round_of(cs) && !cs->work)
			sl_waitq_wait(&cs->keeper, sl_now() + LOOK_NS);
	}
	store_fiber_end(cs);
}

int objects_keep(struct objects *o, int64_t deadline)
{
	struct core_store *cs = objects_self(o);
	bool worked = false;

	if (sl_mutex_lock(&cs->keeping, deadline))
		return 0;
	while (!cs->draining) {
		cs->work = false;
		worked = round_of(cs) || cs->work;
		if (worked || sl_now() >= deadline)
			break;
		sl_waitq_wait(&cs->keeper, sl_min(deadline, sl_now() + LOOK_NS));
	}
	sl_mutex_unlock(&cs->keeping);
	return worked;
}
