/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk's crashes: which pending changes survive, and copies of a disk.
 *
 * Interface: sl_sim_reboot(), sl_sim_clone(). Invariants: what survives is drawn from the disk's
 * own sequence and in the order of the changes, so a seed says it all; a file's bytes on disk are
 * never other than some state that its cache went through, sector by sector; after a reboot every
 * node is in the tree and has no pending change.
 *
 * Order of parts: chance; contents; folders; rebooting; cloning.
 */
#include <string.h>

#include "sim_pvt.h"

/* ---- chance ----------------------------------------------------------------------------- */

/**
 * struct fate - how kind this crash is.
 * @policy: what was asked for. @odds: of 8, that something survives under SL_SIM_RANDOM; drawn
 * once, so that there are crashes which keep almost all and such which keep almost nothing.
 */
struct fate {
	struct sl_sim *sim;
	enum sl_sim_policy policy;
	uint32_t odds;
};

static struct fate fate_draw(struct sl_sim *sim, enum sl_sim_policy policy)
{
	static const uint8_t odds[] = {1, 4, 4, 7};

	return (struct fate){sim, policy, odds[sim_random(sim) % SL_ARRAY_SIZE(odds)]};
}

static bool survives(const struct fate *f)
{
	if (f->policy == SL_SIM_RANDOM)
		return sim_random(f->sim) % 8 < f->odds;
	return f->policy == SL_SIM_KEEP_ALL;
}

/* ---- contents --------------------------------------------------------------------------- */

/* Brings the sector at @off to disk as it is in @run; the disk writes no less than a sector. */
static void sector_keep(struct content *c, const struct pages *run, uint64_t off)
{
	uint8_t sector[SL_SIM_SECTOR_BYTES];

	pages_read(run, off, sector, sizeof(sector));
	pages_write(&c->disk, off, sector, sizeof(sector));
}

/* A write of several sectors: whole or not, its first ones, or each on its own. */
static void write_survive(const struct fate *f, struct content *c, const struct pages *run,
			  const struct change *ch)
{
	uint64_t first = ch->off / SL_SIM_SECTOR_BYTES;
	uint64_t last = (ch->off + ch->len - 1) / SL_SIM_SECTOR_BYTES;
	uint64_t how = sim_random(f->sim) % 4;
	uint64_t torn_at = first + sim_random(f->sim) % (last - first + 1);
	bool whole = survives(f);

	for (uint64_t s = first; s <= last; s++)
		if (how == 0 ? s < torn_at : how == 1 ? survives(f) : whole)
			sector_keep(c, run, s * SL_SIM_SECTOR_BYTES);
}

/* @sized: the file's size on disk is of this change or a later one. */
static void change_survive(const struct fate *f, struct content *c, const struct pages *run,
			   const struct change *ch, bool sized)
{
	switch (ch->kind) {
	case CHANGE_WRITE:
		write_survive(f, c, run, ch);
		break;
	case CHANGE_PUNCH:
	case CHANGE_RESERVE:
		if (survives(f))
			change_apply(ch, &c->disk);
		break;
	case CHANGE_TRUNCATE:
		/* What a size that is on disk has cut off does not come back behind a later one. */
		if (sized)
			change_apply(ch, &c->disk);
		break;
	}
}

/* Replays the changes on what was cached, letting sectors of each state of it reach the disk. */
static void content_gamble(const struct fate *f, struct content *c)
{
	struct pages run = {0};
	uint32_t n = 0, i = 0, size_of;

	sl_list_each(node, &c->changes)
		n++;
	if (!n)
		return;
	/* A size is one of the states that it had, the last one as likely as all others. */
	size_of = survives(f) ? n : (uint32_t)(sim_random(f->sim) % (n + 1));
	pages_share_all(&run, &c->base);
	sl_list_each(node, &c->changes) {
		const struct change *ch = sl_list_entry(node, struct change, node);

		change_apply(ch, &run);
		i++;
		if (i <= size_of)
			c->disk_size = ch->size;
		change_survive(f, c, &run, ch, i <= size_of);
	}
	pages_done(&run);
	pages_trim(&c->disk, c->disk_size);
}

static void content_survive(const struct fate *f, struct content *c)
{
	if (f->policy == SL_SIM_RANDOM)
		content_gamble(f, c);
	else if (f->policy == SL_SIM_KEEP_ALL)
		content_sync(c, UINT64_MAX, false);
	content_settle(c);
}

/* ---- folders ---------------------------------------------------------------------------- */

static void folders_survive(const struct fate *f)
{
	struct sl_sim *sim = f->sim;

	sl_list_each_safe(n, &sim->dir_changes) {
		struct dir_change *dc = sl_list_entry(n, struct dir_change, node);

		if (survives(f) && !dc->lost && dir_change_fits(sim, dc))
			dir_change_apply(sim, dc);
		else
			dir_change_free(dc);
	}
}

static void cache_load(struct sl_sim *sim, struct node *dir)
{
	for (uint32_t i = 0; i < dir->disk.n; i++) {
		const struct entry *e = &dir->disk.v[i];

		SL_ASSERT(!e->node->names); /* a tree: each node has one name */
		entries_add(&dir->cache, e->name, e->node, e->cookie);
		e->node->names = 1;
		if (!e->node->folder)
			continue;
		e->node->parent = dir;
		cache_load(sim, e->node);
	}
}

/* ---- rebooting -------------------------------------------------------------------------- */

void sl_sim_reboot(struct sl_sim *sim, enum sl_sim_policy policy)
{
	struct fate f;

	sim_lock(sim);
	f = fate_draw(sim, policy);
	sim_files_drop(sim);
	folders_survive(&f);
	tree_forget(sim, false); /* what the disk does not name ends here */
	sim->root->names = 1;
	cache_load(sim, sim->root);
	sim->used = 0;
	sl_list_each(n, &sim->nodes) {
		struct node *node = sl_list_entry(n, struct node, all);

		SL_ASSERT(node->names && !node->opens);
		content_survive(&f, &node->content);
		sim->used += node->content.used;
	}
	sim->boots++;
	sim->dead = false;
	sim->cut_at = 0;
	sim->fail_nth = 0;
	sim_unlock(sim);
}

/* ---- cloning ---------------------------------------------------------------------------- */

static void twin_make(struct sl_sim *clone, struct node *n)
{
	struct node *twin = node_new(clone, n->folder, n->mode);

	twin->ino = n->ino;
	twin->names = n->names;
	twin->changed_ns = n->changed_ns;
	content_done(&twin->content);
	content_copy(&twin->content, &n->content);
	n->twin = twin;
}

static struct node *twin_of(const struct node *n)
{
	return n ? n->twin : NULL;
}

static void entries_copy(struct entries *to, const struct entries *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		entries_add(to, from->v[i].name, twin_of(from->v[i].node), from->v[i].cookie);
}

static void dir_change_copy(struct sl_sim *clone, const struct dir_change *dc)
{
	struct dir_change *copy = sim_alloc(sizeof(*copy));

	*copy = *dc;
	for (int i = 0; i < dc->n; i++) {
		const struct slot *s = &dc->slot[i];

		copy->slot[i] = (struct slot){
			.dir = node_get(twin_of(s->dir)),
			.name = strdup(s->name),
			.before = node_get(twin_of(s->before)),
			.after = node_get(twin_of(s->after)),
			.synced = s->synced,
		};
		SL_ASSERT(copy->slot[i].name);
	}
	sl_list_append(&clone->dir_changes, &copy->node);
}

static void tree_copy(struct sl_sim *clone, const struct sl_sim *sim)
{
	sl_list_each(n, &sim->nodes)
		twin_make(clone, sl_list_entry(n, struct node, all));
	sl_list_each(n, &sim->nodes) {
		struct node *node = sl_list_entry(n, struct node, all);

		entries_copy(&node->twin->cache, &node->cache);
		entries_copy(&node->twin->disk, &node->disk);
		node->twin->parent = twin_of(node->parent);
	}
	sl_list_each(n, &sim->dir_changes)
		dir_change_copy(clone, sl_list_entry(n, struct dir_change, node));
	node_put(clone->root);
	clone->root = node_get(sim->root->twin);
}

/* Puts the references that node_new() gave; what only a descriptor kept alive ends here. */
static void twins_release(struct sl_sim *clone, const struct sl_sim *sim)
{
	sl_list_each(n, &sim->nodes) {
		struct node *node = sl_list_entry(n, struct node, all);

		node_leave(clone, node->twin);
		node_put(node->twin);
		node->twin = NULL;
	}
}

struct sl_sim *sl_sim_clone(struct sl_sim *sim)
{
	struct sl_sim *clone = sl_sim_new(sim->seed, sim->inner);

	sim_lock(sim);
	SL_ASSERT(!sim->held);
	clone->fd_base = sim->fd_base + (int)sim->files_n;
	clone->rng = sim->rng;
	clone->seq = sim->seq;
	clone->cookie = sim->cookie;
	clone->ops = sim->ops;
	clone->cut_at = sim->cut_at;
	clone->used = sim->used;
	clone->limit = sim->limit;
	clone->skipped = sim->skipped;
	memcpy(clone->syncs, sim->syncs, sizeof(clone->syncs));
	clone->fail_nth = sim->fail_nth;
	clone->fail_point = sim->fail_point;
	clone->turns_max = sim->turns_max;
	clone->dead = sim->dead;
	tree_copy(clone, sim);
	twins_release(clone, sim);
	clone->ino = sim->ino;
	sim_unlock(sim);
	return clone;
}
