/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue: views of all collections and aliases, which each core holds and core 0 replaces.
 *
 * Interface: objects_view*() of objects.h, catalogue_view_*() of objects_pvt.h.
 * Invariants: a view never changes once it is made; core 0 frees it when no core holds it any more.
 *
 * Order of parts: making and freeing; references; looking up.
 */
#include "objects_pvt.h"

/* ---- making and freeing ----------------------------------------------------------------- */

void described_release(struct described *node)
{
	SL_ASSERT(node->refs > 0);
	if (--node->refs == 0)
		free(node);
}

static void view_destroy(struct objects_view *v)
{
	for (uint32_t i = 0; v->aliases && i < v->aliases_n; i++)
		free((char *)v->aliases[i].alias);
	free(v->aliases);
	free(v->by_name);
	sl_view_done(&v->view);
	free(v);
}

static const struct described *node_by_id(const struct objects_view *v, const uint8_t *id)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (memcmp(v->by_name[i]->pub.id, id, SL_OBJECT_UUID_BYTES) == 0)
			return v->by_name[i];
	return NULL;
}

static int by_alias(const void *a, const void *b)
{
	const struct objects_alias *x = a, *y = b;

	return strcmp(x->alias, y->alias);
}

static int view_aliases(struct objects_view *v, const struct alias *aliases, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct described *node = node_by_id(v, aliases[i].id);
		struct objects_alias *to = &v->aliases[v->aliases_n];

		if (!node)
			continue;
		to->alias = strdup(aliases[i].alias);
		to->name = node->pub.name;
		if (!to->alias)
			return -ENOMEM;
		v->aliases_n++;
	}
	if (v->aliases_n)
		qsort(v->aliases, v->aliases_n, sizeof(*v->aliases), by_alias);
	return 0;
}

static void gone(struct sl_view *view)
{
	catalogue_view_free(sl_container_of(view, struct objects_view, view));
}

int catalogue_view_new(struct objects *o, struct described *const *nodes, uint32_t n,
		       const struct alias *aliases, uint32_t aliases_n,
		       struct objects_view **ret_view)
{
	struct objects_view *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->by_name = calloc((size_t)n + 1, sizeof(*v->by_name));
	v->aliases = calloc((size_t)aliases_n + 1, sizeof(*v->aliases));
	if (!v->by_name || !v->aliases || sl_view_init(&v->view, o->cores_n, 1, gone))
		goto out_destroy;
	for (; v->n < n; v->n++) {
		v->by_name[v->n] = nodes[v->n];
		v->drafts += is_draft(nodes[v->n]->pub.name);
	}
	if (view_aliases(v, aliases, aliases_n))
		goto out_destroy;
	for (uint32_t i = 0; i < n; i++)
		nodes[i]->refs++;
	sl_list_append(&o->views, &v->node);
	*ret_view = v;
	return 0;
out_destroy:
	view_destroy(v);
	return -ENOMEM;
}

void catalogue_view_free(struct objects_view *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		described_release(v->by_name[i]);
	sl_list_remove(&v->node);
	view_destroy(v);
}

/* ---- references ------------------------------------------------------------------------- */

struct objects_view *objects_view(struct objects *o)
{
	struct objects_view *v = objects_self(o)->view;

	sl_view_retain(&v->view);
	return v;
}

void objects_view_release(struct objects_view *v)
{
	if (v)
		sl_view_release(&v->view);
}

/* ---- looking up ------------------------------------------------------------------------- */

uint32_t objects_view_count(const struct objects_view *v)
{
	return v->n - v->drafts;
}

const struct objects_collection *objects_view_at(const struct objects_view *v, uint32_t i)
{
	SL_ASSERT(i < v->n - v->drafts);
	return &v->by_name[v->drafts + i]->pub;
}

static int name_to_node(const void *name, const void *node)
{
	return strcmp(name, (*(struct described *const *)node)->pub.name);
}

static int name_to_alias(const void *name, const void *alias)
{
	return strcmp(name, ((const struct objects_alias *)alias)->alias);
}

const struct objects_collection *objects_view_find(const struct objects_view *v, const char *name)
{
	const struct objects_alias *alias;
	struct described **at;

	alias = bsearch(name, v->aliases, v->aliases_n, sizeof(*v->aliases), name_to_alias);
	if (alias)
		name = alias->name;
	at = bsearch(name, v->by_name, v->n, sizeof(struct described *), name_to_node);
	return at ? &(*at)->pub : NULL;
}

uint32_t objects_view_alias_count(const struct objects_view *v)
{
	return v->aliases_n;
}

const struct objects_alias *objects_view_alias_at(const struct objects_view *v, uint32_t i)
{
	SL_ASSERT(i < v->aliases_n);
	return &v->aliases[i];
}
