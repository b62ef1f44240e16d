/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, written: a builder's nodes are sorted once, and then written in one go.
 *
 * Interface: sl_object_build_bytes(), sl_object_build() of object.h.
 *
 * Invariants: measuring and writing are the same code, so that a length that was told is kept;
 * what object.c demands of every byte is what emit() and its callers do.
 *
 * Order of parts: sorting; writing; building.
 */
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "object_pvt.h"

_Static_assert((int)SL_VECTOR_F32 == (int)SL_F32 && (int)SL_VECTOR_F16 == (int)SL_F16 &&
		       (int)SL_VECTOR_I8 == (int)SL_I8 && (int)SL_VECTOR_BITS == (int)SL_BITS,
	       "types of vectors are components of distances");

/* ---- sorting ---------------------------------------------------------------------------- */

static int compare_nodes(const void *x, const void *y, void *arg)
{
	const struct node *nodes = arg;
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
	int order = object_names_compare(nodes[a].name, nodes[a].name_n, nodes[b].name,
					 nodes[b].name_n);

	/* a node that came later has a higher number */
	return order ? order : (a > b) - (a < b);
}

static bool is_sorted(const struct sl_object_builder *b, uint32_t map)
{
	uint32_t before = b->nodes[map].first;

	if (before == NODE_NONE)
		return true;
	for (uint32_t i = b->nodes[before].next; i != NODE_NONE; before = i, i = b->nodes[i].next)
		if (object_names_compare(b->nodes[before].name, b->nodes[before].name_n,
					 b->nodes[i].name, b->nodes[i].name_n) >= 0)
			return false;
	return true;
}

/* By their names, the last one of each. */
static int sort_map(struct sl_object_builder *b, uint32_t map)
{
	uint32_t n = 0, kept = 0, *link = &b->nodes[map].first;

	if (is_sorted(b, map))
		return 0;
	if (b->order_room < b->nodes[map].n) {
		uint32_t *order = realloc(b->order, b->nodes[map].n * sizeof(*order));

		if (!order)
			return -ENOMEM;
		b->order = order;
		b->order_room = b->nodes[map].n;
	}
	for (uint32_t i = *link; i != NODE_NONE; i = b->nodes[i].next)
		b->order[n++] = i;
	SL_ASSERT(n == b->nodes[map].n);
	qsort_r(b->order, n, sizeof(*b->order), compare_nodes, b->nodes);
	for (uint32_t i = 0; i < n; i++) {
		const struct node *node = &b->nodes[b->order[i]], *next;

		next = i + 1 < n ? &b->nodes[b->order[i + 1]] : NULL;
		if (next &&
		    !object_names_compare(node->name, node->name_n, next->name, next->name_n))
			continue;
		*link = b->nodes[map].last = b->order[i];
		link = &b->nodes[b->order[i]].next;
		kept++;
	}
	*link = NODE_NONE;
	b->nodes[map].n = kept;
	return 0;
}

static int sort_all(struct sl_object_builder *b)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->node_n; i++)
		if (b->nodes[i].type == SL_VALUE_MAP)
			err = sort_map(b, i);
	return err;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* @p: NULL: only count. */
struct out {
	uint8_t *p;
	size_t at;
};

static void emit(struct out *o, const void *data, size_t n)
{
	if (o->p && n)
		memcpy(o->p + o->at, data, n);
	o->at += n;
}

static void emit_zeros(struct out *o, size_t align)
{
	size_t to = sl_round_up(o->at, align);

	if (o->p)
		memset(o->p + o->at, 0, to - o->at);
	o->at = to;
}

/* Begins a table of @n entries, of zeros. */
static size_t emit_table(struct out *o, uint32_t n, size_t entry)
{
	size_t at;

	emit_zeros(o, OBJECT_TABLE_ALIGN);
	at = o->at;
	if (o->p)
		memset(o->p + at, 0, n * entry);
	o->at += n * entry;
	return at;
}

static void set_entry(struct out *o, size_t at, const void *entry, size_t n)
{
	if (o->p)
		memcpy(o->p + at, entry, n);
}

static void emit_children(const struct sl_object_builder *b, struct out *o, uint32_t in,
			  size_t slot_at, struct object_slot slot);

/* What lies behind the slot of @i, which begins at @at, and the slot. */
static void emit_payload(const struct sl_object_builder *b, struct out *o, uint32_t i, size_t at,
			 struct object_slot slot)
{
	const struct node *node = &b->nodes[i];

	slot.type = node->type;
	switch (node->type) {
	case SL_VALUE_LIST:
	case SL_VALUE_MAP:
		emit_children(b, o, i, at, slot);
		return;
	case SL_VALUE_TEXT:
	case SL_VALUE_BLOB:
	case SL_VALUE_UUID:
	case SL_VALUE_GEO:
		slot.at = (uint32_t)(o->at - at);
		slot.n = node->n;
		emit(o,
		     node->type == SL_VALUE_TEXT || node->type == SL_VALUE_BLOB ? node->p
										: node->uuid,
		     node->n);
		break;
	default:
		slot.integer = node->integer;
	}
	set_entry(o, at, &slot, sizeof(slot));
}

static void emit_children(const struct sl_object_builder *b, struct out *o, uint32_t in,
			  size_t slot_at, struct object_slot slot)
{
	const struct node *node = &b->nodes[in];
	size_t first = emit_table(o, node->n, OBJECT_SLOT), at = first, name = o->at;

	slot.at = (uint32_t)(first - slot_at);
	slot.n = node->n;
	set_entry(o, slot_at, &slot, sizeof(slot));
	for (uint32_t i = node->first; i != NODE_NONE; i = b->nodes[i].next)
		emit(o, b->nodes[i].name, b->nodes[i].name_n);
	for (uint32_t i = node->first; i != NODE_NONE; i = b->nodes[i].next, at += OBJECT_SLOT) {
		struct object_slot child = {.name_n = b->nodes[i].name_n};

		if (node->type == SL_VALUE_MAP)
			child.name = (uint32_t)(name - at);
		name += child.name_n;
		emit_payload(b, o, i, at, child);
	}
}

static void emit_components(struct out *o, const struct vector *v)
{
	size_t n = sl_vector_bytes((enum sl_component)v->type, v->dim);
	yyjson_arr_iter iter;
	yyjson_val *number;

	if (v->data || !o->p) {
		emit(o, v->data, n);
		if (o->p && v->type == SL_VECTOR_BITS && v->dim % 8)
			o->p[o->at - 1] &= (uint8_t)((1u << v->dim % 8) - 1);
		return;
	}
	yyjson_arr_iter_init(v->json, &iter);
	while ((number = yyjson_arr_iter_next(&iter))) {
		float f = (float)object_number(number);

		memcpy(o->p + o->at, &f, sizeof(f));
		o->at += sizeof(f);
	}
}

static void emit_vectors(const struct sl_object_builder *b, struct out *o,
			 struct object_header *header)
{
	size_t at = emit_table(o, b->vector_n, OBJECT_VECTOR), name = o->at;

	header->vectors = (uint32_t)at;
	header->vector_n = b->vector_n;
	for (uint32_t i = 0; i < b->vector_n; i++)
		emit(o, b->vectors[i].name, b->vectors[i].name_n);
	for (uint32_t i = 0; i < b->vector_n; i++, at += OBJECT_VECTOR) {
		const struct vector *v = &b->vectors[i];
		struct object_vector entry = {
			.name = (uint32_t)name,
			.name_n = v->name_n,
			.type = (uint8_t)v->type,
			.dim = v->dim,
		};

		name += v->name_n;
		emit_zeros(o, SL_OBJECT_ALIGN);
		entry.data = (uint32_t)o->at;
		emit_components(o, v);
		set_entry(o, at, &entry, sizeof(entry));
	}
}

static void emit_references(const struct sl_object_builder *b, struct out *o,
			    struct object_header *header)
{
	size_t at = emit_table(o, b->reference_n, OBJECT_REFERENCE);

	header->references = (uint32_t)at;
	header->reference_n = b->reference_n;
	for (uint32_t i = 0; i < b->reference_n; i++, at += OBJECT_REFERENCE) {
		const struct reference *r = &b->references[i];
		struct object_reference entry = {
			.name = (uint32_t)o->at,
			.name_n = r->name_n,
			.target = (uint32_t)(o->at + r->name_n),
			.target_n = r->target_n,
		};

		memcpy(entry.uuid, r->uuid, sizeof(entry.uuid));
		emit(o, r->name, r->name_n);
		emit(o, r->target, r->target_n);
		set_entry(o, at, &entry, sizeof(entry));
	}
}

static void emit_all(const struct sl_object_builder *b, struct out *o)
{
	size_t root = offsetof(struct object_header, properties);
	struct object_header h = {
		.magic = OBJECT_MAGIC,
		.version = OBJECT_VERSION,
		.version_min = OBJECT_VERSION_MIN,
		.key_kind = b->key_kind,
		.created_ms = b->created_ms,
		.updated_ms = b->updated_ms,
	};

	memcpy(h.key, b->key, sizeof(h.key));
	o->at = sizeof(h);
	emit_payload(b, o, SL_OBJECT_PROPERTIES, root, (struct object_slot){0});
	if (o->p)
		memcpy(h.properties, o->p + root, sizeof(h.properties));
	if (b->vector_n)
		emit_vectors(b, o, &h);
	if (b->reference_n)
		emit_references(b, o, &h);
	emit_zeros(o, OBJECT_TABLE_ALIGN);
	h.bytes = (uint32_t)o->at;
	set_entry(o, 0, &h, sizeof(h));
}

/* ---- building --------------------------------------------------------------------------- */

int sl_object_build_bytes(struct sl_object_builder *b, size_t *ret_bytes)
{
	struct out o = {0};
	int err = sort_all(b);

	if (err)
		return err;
	emit_all(b, &o);
	if (o.at > SL_OBJECT_BYTES_MAX)
		return -EFBIG;
	*ret_bytes = o.at;
	return 0;
}

int sl_object_build(struct sl_object_builder *b, void *buf, size_t n)
{
	struct out o = {.p = buf};
	size_t bytes;
	int err = sl_object_build_bytes(b, &bytes);

	if (err)
		return err;
	if (n < bytes)
		return -ENOSPC;
	emit_all(b, &o);
	SL_ASSERT(o.at == bytes);
	sl_store_le64(o.p + offsetof(struct object_header, sum),
		      XXH3_64bits(o.p + OBJECT_SUMMED_FROM, bytes - OBJECT_SUMMED_FROM));
	return 0;
}
