/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue: views of all topics, which each core holds and core 0 replaces.
 *
 * Interface: sl_topics_view*() of topics.h, view_*() of topics_pvt.h.
 * Invariants: a view never changes once it is made; core 0 frees it when no core holds it any more.
 *
 * Order of parts: making and freeing; references; looking up.
 */
#include <errno.h>
#include <xxhash.h>

#include "topics_pvt.h"

/* ---- making and freeing ----------------------------------------------------------------- */

void topic_node_release(struct topic_node *node)
{
	SL_ASSERT(node->refs > 0);
	if (--node->refs == 0)
		free(node);
}

static uint32_t name_hash(struct sl_str name)
{
	return (uint32_t)XXH3_64bits(name.s, name.len);
}

static uint32_t id_hash(const struct sl_uuid *id)
{
	return (uint32_t)sl_mix64(sl_load_le64(id->b) ^ sl_load_le64(id->b + 8));
}

static void index_put(uint32_t *slots, uint32_t mask, uint32_t hash, uint32_t position)
{
	while (slots[hash & mask])
		hash++;
	slots[hash & mask] = position + 1;
}

static void view_index(struct sl_topics_view *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		const struct sl_topic *topic = &v->by_name[i]->topic;
		struct sl_str name = {topic->name, topic->name_len};

		index_put(v->names, v->mask, name_hash(name), i);
		index_put(v->ids, v->mask, id_hash(&topic->id), i);
	}
}

static void view_destroy(struct sl_topics_view *v)
{
	free(v->by_name);
	free(v->names);
	free(v->ids);
	sl_view_done(&v->view);
	free(v);
}

static void gone(struct sl_view *view)
{
	view_free(sl_container_of(view, struct sl_topics_view, view));
}

int view_new(struct sl_topics *t, struct topic_node *const *nodes, uint32_t n,
	     struct sl_topics_view **ret_view)
{
	struct sl_topics_view *v = calloc(1, sizeof(*v));
	uint32_t slots = 8;

	if (!v)
		return -ENOMEM;
	while (slots < n * 2)
		slots *= 2;
	v->n = n;
	v->mask = slots - 1;
	v->by_name = calloc(n + 1, sizeof(struct topic_node *));
	v->names = calloc(slots, sizeof(uint32_t));
	v->ids = calloc(slots, sizeof(uint32_t));
	if (!v->by_name || !v->names || !v->ids || sl_view_init(&v->view, t->cores_n, 2, gone)) {
		view_destroy(v);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		v->by_name[i] = nodes[i];
		nodes[i]->refs++;
	}
	view_index(v);
	sl_list_append(&t->views, &v->node);
	*ret_view = v;
	return 0;
}

void view_free(struct sl_topics_view *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		topic_node_release(v->by_name[i]);
	sl_list_remove(&v->node);
	view_destroy(v);
}

/* ---- references ------------------------------------------------------------------------- */

struct sl_topics_view *sl_topics_view(struct sl_topics *t)
{
	struct sl_topics_view *v = topics_self(t)->view;

	sl_view_retain(&v->view);
	return v;
}

void sl_topics_view_release(struct sl_topics_view *v)
{
	if (v)
		sl_view_release(&v->view);
}

/* ---- looking up ------------------------------------------------------------------------- */

uint32_t sl_topics_view_count(const struct sl_topics_view *v)
{
	return v->n;
}

const struct sl_topic *sl_topics_view_at(const struct sl_topics_view *v, uint32_t i)
{
	SL_ASSERT(i < v->n);
	return &v->by_name[i]->topic;
}

const struct sl_topic *sl_topics_view_find(const struct sl_topics_view *v, struct sl_str name)
{
	uint32_t h;

	if (!name.s)
		return NULL;
	for (h = name_hash(name); v->names[h & v->mask]; h++) {
		const struct sl_topic *topic = &v->by_name[v->names[h & v->mask] - 1]->topic;

		if (topic->name_len == name.len && memcmp(topic->name, name.s, name.len) == 0)
			return topic;
	}
	return NULL;
}

const struct sl_topic *sl_topics_view_find_id(const struct sl_topics_view *v,
					      const struct sl_uuid *id)
{
	for (uint32_t h = id_hash(id); v->ids[h & v->mask]; h++) {
		const struct sl_topic *topic = &v->by_name[v->ids[h & v->mask] - 1]->topic;

		if (sl_uuid_equal(&topic->id, id))
			return topic;
	}
	return NULL;
}
