/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_offsets: a group's committed offsets in memory, by topic id and partition.
 *
 * Interface: "offsets" of groups_pvt.h.
 * Invariant: an entry's point is that of the newest record that spoke of it, so records may be
 * applied in the order in which their writers wake up, and be read again after a snapshot.
 */
#include <errno.h>

#include "groups_pvt.h"

static struct group_offset **bucket(const struct group *g, const struct sl_uuid *topic,
				    uint32_t partition)
{
	return &g->offsets[partition_hash(topic, partition) & (g->offsets_slots - 1)];
}

struct group_offset *group_offset_find(const struct group *g, const struct sl_uuid *topic,
				       uint32_t partition)
{
	struct group_offset *o;

	if (!g->offsets_slots)
		return NULL;
	o = *bucket(g, topic, partition);
	while (o && (o->partition != partition || !sl_uuid_equal(&o->topic, topic)))
		o = o->next;
	return o;
}

void group_offsets_each(struct group *g, void (*each)(void *arg, struct group_offset *o),
			void *arg)
{
	for (uint32_t i = 0; i < g->offsets_slots; i++) {
		for (struct group_offset *o = g->offsets[i], *next; o; o = next) {
			next = o->next;
			each(arg, o);
		}
	}
}

static int table_grow(struct group *g)
{
	uint32_t slots = g->offsets_slots ? g->offsets_slots * 2 : 8;
	struct group_offset **old = g->offsets, **new;
	uint32_t old_slots = g->offsets_slots;

	if (g->offsets_n < g->offsets_slots)
		return 0;
	new = calloc(slots, sizeof(struct group_offset *));
	if (!new)
		return -ENOMEM;
	g->offsets = new;
	g->offsets_slots = slots;
	for (uint32_t i = 0; i < old_slots; i++) {
		for (struct group_offset *o = old[i], *next; o; o = next) {
			struct group_offset **at = bucket(g, &o->topic, o->partition);

			next = o->next;
			o->next = *at;
			*at = o;
		}
	}
	free(old);
	return 0;
}

static struct group_offset *offset_get(struct group *g, const struct sl_offset *o)
{
	struct group_offset *e = group_offset_find(g, &o->topic, o->partition), **at;

	if (e || table_grow(g))
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->topic = o->topic;
	e->partition = o->partition;
	at = bucket(g, &o->topic, o->partition);
	e->next = *at;
	*at = e;
	g->offsets_n++;
	return e;
}

int group_offset_put(struct group *g, const struct sl_offset *o, int64_t at_ms, uint64_t point)
{
	struct group_offset *e;
	struct sl_str metadata;

	if (str_copy(o->metadata, &metadata))
		return -ENOMEM;
	e = offset_get(g, o);
	if (!e || e->point > point) {
		str_free(&metadata);
		return e ? 0 : -ENOMEM;
	}
	str_free(&e->metadata);
	e->metadata = metadata;
	e->epoch = o->epoch;
	e->offset = o->offset;
	e->at_ms = at_ms;
	e->point = point;
	return 0;
}

void group_offset_remove(struct group *g, struct group_offset *o)
{
	struct group_offset **at = bucket(g, &o->topic, o->partition);

	SL_ASSERT(g->offsets_n > 0);
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	g->offsets_n--;
	str_free(&o->metadata);
	free(o);
}
