/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk's folders: nodes, entries, paths, and the changes that are not on disk yet.
 *
 * Interface: node_*(), entries_*(), tree_*(), dir_change_*() of sim_pvt.h. Invariants: doing all
 * changes of folders, in order, to the disk's entries gives the cached ones; a change reaches the
 * disk only where it fits, so the disk's entries are a tree at all times, and nothing that was in
 * it leaves it but by its own removal.
 *
 * Order of parts: nodes; entries; paths; changes; syncing a folder.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sim_pvt.h"

/* ---- nodes ------------------------------------------------------------------------------ */

struct node *node_new(struct sl_sim *sim, bool folder, uint32_t mode)
{
	struct node *n = sim_alloc(sizeof(*n));

	n->ino = ++sim->ino;
	n->refs = 1;
	n->folder = folder;
	n->mode = (folder ? S_IFDIR : S_IFREG) | (mode & 07777);
	content_init(&n->content);
	sl_list_append(&sim->nodes, &n->all);
	return n;
}

struct node *node_get(struct node *n)
{
	if (n)
		n->refs++;
	return n;
}

void node_put(struct node *n)
{
	if (!n)
		return;
	SL_ASSERT(n->refs > 0);
	if (--n->refs)
		return;
	sl_list_remove(&n->all);
	entries_clear(&n->cache);
	entries_clear(&n->disk);
	content_done(&n->content);
	free(n);
}

void node_leave(struct sl_sim *sim, struct node *n)
{
	if (n->names || n->opens)
		return;
	SL_ASSERT(sim->used >= n->content.used);
	sim->used -= n->content.used;
	n->content.used = 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

static uint32_t name_hash(const char *name)
{
	uint64_t h = 0;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return (uint32_t)sl_mix64(h);
}

static struct entry *entry_of(const struct entries *e, const char *name)
{
	uint32_t hash = name_hash(name);

	for (uint32_t i = 0; i < e->n; i++)
		if (e->v[i].hash == hash && !strcmp(e->v[i].name, name))
			return &e->v[i];
	return NULL;
}

struct node *entries_find(const struct entries *e, const char *name)
{
	struct entry *entry = entry_of(e, name);

	return entry ? entry->node : NULL;
}

static void entry_remove(struct entries *e, struct entry *entry)
{
	size_t index = (size_t)(entry - e->v);
	struct node *n = entry->node;

	free(entry->name);
	e->n--;
	memmove(entry, entry + 1, (e->n - index) * sizeof(*entry));
	node_put(n);
}

void entries_add(struct entries *e, const char *name, struct node *n, uint64_t cookie)
{
	uint32_t at = e->n;

	if (e->n == e->room) {
		e->room = e->room ? e->room * 2 : 4;
		e->v = realloc(e->v, e->room * sizeof(*e->v));
		SL_ASSERT(e->v);
	}
	while (at && e->v[at - 1].cookie > cookie)
		at--;
	memmove(&e->v[at + 1], &e->v[at], (e->n - at) * sizeof(*e->v));
	e->v[at] = (struct entry){strdup(name), node_get(n), name_hash(name), cookie};
	SL_ASSERT(e->v[at].name);
	e->n++;
}

/* Lets @name stand for @n, or for nothing if @n is NULL. */
void entries_set(struct entries *e, const char *name, struct node *n, uint64_t cookie)
{
	struct entry *entry = entry_of(e, name);

	node_get(n);
	if (entry)
		entry_remove(e, entry);
	if (n)
		entries_add(e, name, n, cookie);
	node_put(n);
}

void entries_clear(struct entries *e)
{
	while (e->n)
		entry_remove(e, &e->v[e->n - 1]);
	free(e->v);
	*e = (struct entries){0};
}

/* A place among a folder's entries: past those of "." and "..", and in no order that means a
 * thing, for a real disk's order does not either. */
static uint64_t new_cookie(struct sl_sim *sim)
{
	return (sl_mix64(++sim->cookie ^ sim->seed) >> 2) + 3;
}

/* ---- paths ------------------------------------------------------------------------------ */

/* Copies the component at @path. Return: what follows it and its slashes; NULL: too long. */
static const char *next_component(const char *path, char *ret_name)
{
	size_t len = strcspn(path, "/");

	if (len > NAME_BYTES_MAX)
		return NULL;
	memcpy(ret_name, path, len);
	ret_name[len] = 0;
	return path + len;
}

/* What @name stands for in @dir; "." and ".." too. */
static struct node *look_up(struct sl_sim *sim, struct node *dir, const char *name)
{
	if (!strcmp(name, "."))
		return dir;
	if (!strcmp(name, ".."))
		return dir == sim->root ? dir : dir->parent;
	return entries_find(&dir->cache, name);
}

int tree_find(struct sl_sim *sim, struct node *dir, const char *path, struct place *ret_place)
{
	struct place at = {.dir = *path == '/' ? sim->root : dir};

	if (!*path)
		return -ENOENT;
	path += strspn(path, "/");
	if (!*path) {
		at.node = at.dir;
		at.name[0] = '.';
	}
	while (*path) {
		if (!at.dir)
			return -ENOENT;
		if (!at.dir->folder)
			return -ENOTDIR;
		path = next_component(path, at.name);
		if (!path)
			return -ENAMETOOLONG;
		at.node = look_up(sim, at.dir, at.name);
		at.must_be_folder = *path == '/';
		path += strspn(path, "/");
		if (*path)
			at.dir = at.node;
	}
	*ret_place = at;
	return 0;
}

bool tree_is_within(const struct node *n, const struct node *ancestor)
{
	for (; n; n = n->parent)
		if (n == ancestor)
			return true;
	return false;
}

void tree_forget(struct sl_sim *sim, bool disk_too)
{
	sl_list_each(n, &sim->nodes)
		node_get(sl_list_entry(n, struct node, all));
	sl_list_each(n, &sim->nodes) {
		struct node *node = sl_list_entry(n, struct node, all);

		entries_clear(&node->cache);
		if (disk_too)
			entries_clear(&node->disk);
		node->parent = NULL;
		node->names = 0;
	}
	/* Each node still holds its own reference when its turn comes, so the next one lives. */
	sl_list_each_safe(n, &sim->nodes)
		node_put(sl_list_entry(n, struct node, all));
}

/* ---- changes ---------------------------------------------------------------------------- */

static void slot_fill(struct slot *s, struct node *dir, const char *name, struct node *before,
		      struct node *after)
{
	s->dir = node_get(dir);
	s->name = strdup(name);
	SL_ASSERT(s->name);
	s->before = node_get(before);
	s->after = node_get(after);
}

static struct dir_change *dir_change_new(struct sl_sim *sim)
{
	struct dir_change *dc = sim_alloc(sizeof(*dc));

	dc->seq = sim_seq(sim);
	sl_list_append(&sim->dir_changes, &dc->node);
	return dc;
}

void dir_change_free(struct dir_change *dc)
{
	sl_list_remove(&dc->node);
	for (int i = 0; i < dc->n; i++) {
		node_put(dc->slot[i].dir);
		node_put(dc->slot[i].before);
		node_put(dc->slot[i].after);
		free(dc->slot[i].name);
	}
	free(dc);
}

static void cache_set(struct sl_sim *sim, const struct place *at, struct node *n)
{
	entries_set(&at->dir->cache, at->name, n, new_cookie(sim));
	if (!n)
		return;
	n->names = 1;
	n->parent = n->folder ? at->dir : NULL;
}

/* @n has lost its cached name for good; changes that hold it keep it alive. */
static void cache_drop(struct sl_sim *sim, struct node *n)
{
	n->names = 0;
	n->parent = NULL;
	node_leave(sim, n);
}

struct node *tree_create(struct sl_sim *sim, const struct place *at, bool folder, uint32_t mode)
{
	struct dir_change *dc = dir_change_new(sim);
	struct node *n = node_new(sim, folder, mode);

	SL_ASSERT(!at->node);
	dc->n = 1;
	slot_fill(&dc->slot[0], at->dir, at->name, NULL, n);
	cache_set(sim, at, n);
	node_put(n);
	return n;
}

void tree_remove(struct sl_sim *sim, const struct place *at)
{
	struct dir_change *dc = dir_change_new(sim);

	dc->n = 1;
	slot_fill(&dc->slot[0], at->dir, at->name, at->node, NULL);
	cache_set(sim, at, NULL);
	cache_drop(sim, at->node);
}

void tree_rename(struct sl_sim *sim, const struct place *from, const struct place *to)
{
	struct dir_change *dc = dir_change_new(sim);

	SL_ASSERT(from->node && from->node != to->node);
	dc->n = 2;
	slot_fill(&dc->slot[0], from->dir, from->name, from->node, NULL);
	slot_fill(&dc->slot[1], to->dir, to->name, to->node, from->node);
	cache_set(sim, from, NULL);
	cache_set(sim, to, from->node);
	if (to->node)
		cache_drop(sim, to->node);
}

/* Whether @n lies in @ancestor, or is it, on disk. */
static bool disk_is_within(const struct node *n, const struct node *ancestor)
{
	if (n == ancestor)
		return true;
	for (uint32_t i = 0; i < ancestor->disk.n; i++)
		if (ancestor->disk.v[i].node->folder &&
		    disk_is_within(n, ancestor->disk.v[i].node))
			return true;
	return false;
}

/* What @dc takes out of the tree, or NULL: a rename takes out what it replaces. */
static const struct node *removed_by(const struct dir_change *dc)
{
	return dc->slot[dc->n - 1].before;
}

/* Whether it moves something from one folder to another. */
static bool crosses(const struct dir_change *dc)
{
	return dc->n == 2 && dc->slot[0].dir != dc->slot[1].dir;
}

/* What moves to another folder must neither vanish with it nor become its own ancestor. */
static bool target_fits(struct sl_sim *sim, const struct dir_change *dc)
{
	const struct node *target = dc->slot[1].dir;
	const struct node *moved = dc->slot[1].after;

	return disk_is_within(target, sim->root) &&
	       !(moved->folder && disk_is_within(target, moved));
}

bool dir_change_fits(struct sl_sim *sim, const struct dir_change *dc)
{
	for (int i = 0; i < dc->n; i++) {
		const struct slot *s = &dc->slot[i];

		if (entries_find(&s->dir->disk, s->name) != s->before)
			return false;
	}
	if (removed_by(dc) && removed_by(dc)->disk.n)
		return false; /* a folder is empty when it goes */
	return !crosses(dc) || target_fits(sim, dc);
}

void dir_change_apply(struct sl_sim *sim, struct dir_change *dc)
{
	for (int i = 0; i < dc->n; i++) {
		struct slot *s = &dc->slot[i];

		entries_set(&s->dir->disk, s->name, s->after, new_cookie(sim));
	}
	dir_change_free(dc);
}

/* ---- syncing a folder --------------------------------------------------------------------- */

static bool same_name(const struct slot *a, const struct slot *b)
{
	return a->dir == b->dir && !strcmp(a->name, b->name);
}

static bool moves_folder(const struct dir_change *dc)
{
	return dc->n == 2 && dc->slot[1].after->folder;
}

/* Whether @later makes no sense on disk without the earlier @dc. */
static bool builds_on(const struct dir_change *later, const struct dir_change *dc)
{
	if (moves_folder(later) && moves_folder(dc))
		return true; /* out of order they could make a ring of folders */
	for (int j = 0; j < dc->n; j++) {
		if (dc->slot[j].dir == removed_by(later))
			return true; /* what was in the folder when it went */
		for (int i = 0; i < later->n; i++)
			if (same_name(&dc->slot[j], &later->slot[i]))
				return true;
	}
	return false;
}

/* Notes that @dir was synced after @dc. Return: whether all of its folders now were. */
static bool mark_synced(struct dir_change *dc, const struct node *dir)
{
	bool all = true;

	for (int i = 0; i < dc->n; i++) {
		dc->slot[i].synced |= dc->slot[i].dir == dir;
		all &= dc->slot[i].synced;
	}
	return all;
}

/* Chooses what the chosen ones build on, from the last to the first. */
static void choose_closure(struct sl_sim *sim)
{
	for (struct sl_list *n = sim->dir_changes.prev; n != &sim->dir_changes; n = n->prev) {
		const struct dir_change *later = sl_list_entry(n, struct dir_change, node);

		for (struct sl_list *m = n->prev; later->chosen && m != &sim->dir_changes;
		     m = m->prev) {
			struct dir_change *dc = sl_list_entry(m, struct dir_change, node);

			dc->chosen |= builds_on(later, dc);
		}
	}
}

void tree_sync(struct sl_sim *sim, struct node *dir, uint64_t seq, bool lost)
{
	sl_list_each(n, &sim->dir_changes) {
		struct dir_change *dc = sl_list_entry(n, struct dir_change, node);
		bool all;

		if (dc->seq > seq)
			break;
		all = mark_synced(dc, dir);
		if (lost && all)
			dc->lost = true;
		else if (all && !dc->lost)
			dc->chosen = true;
	}
	choose_closure(sim);
	sl_list_each_safe(n, &sim->dir_changes) {
		struct dir_change *dc = sl_list_entry(n, struct dir_change, node);

		if (dc->chosen && dir_change_fits(sim, dc))
			dir_change_apply(sim, dc);
		else
			dc->chosen = false; /* if it was: waits for the folder it leads to */
	}
}
