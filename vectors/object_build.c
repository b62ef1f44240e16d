/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, built: what is put, taken over from another object or removed is kept as nodes.
 *
 * Interface: "building" of object.h, but its last two calls, which are in object_write.c; and
 * object_pvt.h for object_json.c.
 *
 * Invariant: what object.c demands of names, texts and numbers is checked when they are put.
 *
 * Order of parts: memory; values; vectors, references and the rest; changing.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "object_pvt.h"

_Static_assert(SL_OBJECT_DIM_MAX == SL_DIM_MAX, "vectors can be compared");

/* ---- memory ----------------------------------------------------------------------------- */

/* Room for one more entry of @size bytes. */
static int grow(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = sl_max(*room * 2, 16u);
	void *p;

	if (n < *room)
		return 0;
	if (*room > UINT32_MAX / 2)
		return -ENOMEM;
	p = realloc(*array, more * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = more;
	return 0;
}

#define GROW(b, what)                                                                              \
	grow((void **)&(b)->what##s, (b)->what##_n, &(b)->what##_room, sizeof(*(b)->what##s))

int sl_object_builder_new(struct sl_object_builder **ret_builder)
{
	struct sl_object_builder *b = calloc(1, sizeof(*b));

	if (!b || GROW(b, node)) {
		free(b);
		return -ENOMEM;
	}
	sl_object_builder_reset(b);
	*ret_builder = b;
	return 0;
}

struct held *object_hold(struct sl_object_builder *b, yyjson_doc *doc, size_t n)
{
	struct held *held = malloc(sizeof(*held) + n);

	if (!held)
		return NULL;
	held->doc = doc;
	held->next = b->held;
	b->held = held;
	return held;
}

static void let_go(struct sl_object_builder *b)
{
	while (b->held) {
		struct held *held = b->held;

		b->held = held->next;
		yyjson_doc_free(held->doc);
		free(held);
	}
}

void sl_object_builder_free(struct sl_object_builder *b)
{
	if (!b)
		return;
	let_go(b);
	free(b->nodes);
	free(b->vectors);
	free(b->references);
	free(b->order);
	free(b);
}

void sl_object_builder_reset(struct sl_object_builder *b)
{
	let_go(b);
	b->key_kind = SL_KEY_NONE;
	memset(b->key, 0, sizeof(b->key));
	b->created_ms = b->updated_ms = 0;
	b->vector_n = b->reference_n = 0;
	b->nodes[SL_OBJECT_PROPERTIES] = (struct node){
		.type = SL_VALUE_MAP,
		.next = NODE_NONE,
		.first = NODE_NONE,
		.last = NODE_NONE,
	};
	b->node_n = 1;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool is_container(const struct node *node)
{
	return node->type == SL_VALUE_LIST || node->type == SL_VALUE_MAP;
}

int object_put(struct sl_object_builder *b, uint32_t in, struct node node, uint32_t *ret_in)
{
	uint32_t at = b->node_n;
	struct node *parent;

	SL_ASSERT(in < b->node_n && is_container(&b->nodes[in]));
	SL_ASSERT(!node.name == (b->nodes[in].type == SL_VALUE_LIST));
	if (is_container(&node) && b->nodes[in].depth == SL_OBJECT_DEPTH_MAX)
		return -EMSGSIZE;
	if (GROW(b, node))
		return -ENOMEM;
	parent = &b->nodes[in];
	node.depth = (uint8_t)(parent->depth + 1);
	node.next = node.first = node.last = NODE_NONE;
	b->nodes[at] = node;
	if (parent->last == NODE_NONE)
		parent->first = at;
	else
		b->nodes[parent->last].next = at;
	parent->last = at;
	parent->n++;
	b->node_n++;
	if (ret_in)
		*ret_in = at;
	return 0;
}

static int name_check(const char *name, size_t n)
{
	return n > SL_OBJECT_NAME_BYTES_MAX ? -EMSGSIZE : !object_is_utf8(name, n) ? -EILSEQ : 0;
}

static int put(struct sl_object_builder *b, uint32_t in, const char *name, struct node node,
	       uint32_t *ret_in)
{
	size_t n = name ? strlen(name) : 0;
	int err = name_check(name, n);

	if (err)
		return err;
	node.name = name;
	node.name_n = (uint16_t)n;
	return object_put(b, in, node, ret_in);
}

int sl_object_put_null(struct sl_object_builder *b, uint32_t in, const char *name)
{
	return put(b, in, name, (struct node){.type = SL_VALUE_NULL}, NULL);
}

int sl_object_put_boolean(struct sl_object_builder *b, uint32_t in, const char *name, bool v)
{
	return put(b, in, name, (struct node){.type = SL_VALUE_BOOLEAN, .integer = v}, NULL);
}

int sl_object_put_integer(struct sl_object_builder *b, uint32_t in, const char *name, int64_t v)
{
	return put(b, in, name, (struct node){.type = SL_VALUE_INTEGER, .integer = v}, NULL);
}

int sl_object_put_number(struct sl_object_builder *b, uint32_t in, const char *name, double v)
{
	if (!isfinite(v))
		return -ERANGE;
	return put(b, in, name, (struct node){.type = SL_VALUE_NUMBER, .number = v}, NULL);
}

static int put_bytes(struct sl_object_builder *b, uint32_t in, const char *name,
		     enum sl_value_type type, const void *p, size_t n)
{
	if (n > SL_OBJECT_BYTES_MAX)
		return -EMSGSIZE;
	return put(b, in, name, (struct node){.type = (uint8_t)type, .n = (uint32_t)n, .p = p},
		   NULL);
}

int sl_object_put_text(struct sl_object_builder *b, uint32_t in, const char *name, const char *text,
		       size_t n)
{
	return object_is_utf8(text, n) ? put_bytes(b, in, name, SL_VALUE_TEXT, text, n) : -EILSEQ;
}

int sl_object_put_date(struct sl_object_builder *b, uint32_t in, const char *name, int64_t us)
{
	if (us < OBJECT_DATE_MIN || us > OBJECT_DATE_MAX)
		return -ERANGE;
	return put(b, in, name, (struct node){.type = SL_VALUE_DATE, .integer = us}, NULL);
}

int sl_object_put_uuid(struct sl_object_builder *b, uint32_t in, const char *name,
		       const uint8_t uuid[SL_OBJECT_UUID_BYTES])
{
	struct node node = {.type = SL_VALUE_UUID, .n = SL_OBJECT_UUID_BYTES};

	memcpy(node.uuid, uuid, sizeof(node.uuid));
	return put(b, in, name, node, NULL);
}

int sl_object_put_geo(struct sl_object_builder *b, uint32_t in, const char *name, double latitude,
		      double longitude)
{
	struct node node = {.type = SL_VALUE_GEO, .n = sizeof(node.geo)};

	if (!object_is_geo(latitude, longitude))
		return -ERANGE;
	node.geo[0] = latitude;
	node.geo[1] = longitude;
	return put(b, in, name, node, NULL);
}

int sl_object_put_blob(struct sl_object_builder *b, uint32_t in, const char *name, const void *data,
		       size_t n)
{
	return put_bytes(b, in, name, SL_VALUE_BLOB, data, n);
}

int sl_object_put_list(struct sl_object_builder *b, uint32_t in, const char *name, uint32_t *ret_in)
{
	return put(b, in, name, (struct node){.type = SL_VALUE_LIST}, ret_in);
}

int sl_object_put_map(struct sl_object_builder *b, uint32_t in, const char *name, uint32_t *ret_in)
{
	return put(b, in, name, (struct node){.type = SL_VALUE_MAP}, ret_in);
}

/* ---- vectors, references and the rest --------------------------------------------------- */

void sl_object_put_key_integer(struct sl_object_builder *b, uint64_t key)
{
	b->key_kind = SL_KEY_INTEGER;
	memset(b->key, 0, sizeof(b->key));
	sl_store_le64(b->key, key);
}

void sl_object_put_key_uuid(struct sl_object_builder *b, const uint8_t uuid[SL_OBJECT_UUID_BYTES])
{
	b->key_kind = SL_KEY_UUID;
	memcpy(b->key, uuid, sizeof(b->key));
}

void sl_object_put_times(struct sl_object_builder *b, int64_t created_ms, int64_t updated_ms)
{
	b->created_ms = created_ms;
	b->updated_ms = updated_ms;
}

/* Where the vector of that name is, or where it would have to be. */
static uint32_t vector_place(const struct sl_object_builder *b, const char *name, size_t n,
			     bool *ret_there)
{
	uint32_t i = 0;
	int order = 1;

	for (; i < b->vector_n; i++) {
		order = object_names_compare(b->vectors[i].name, b->vectors[i].name_n, name, n);
		if (order >= 0)
			break;
	}
	*ret_there = i < b->vector_n && !order;
	return i;
}

int object_put_vector(struct sl_object_builder *b, struct vector vector)
{
	bool there;
	uint32_t i = vector_place(b, vector.name, vector.name_n, &there);

	if (!vector.dim || vector.dim > SL_OBJECT_DIM_MAX)
		return -ERANGE;
	if (GROW(b, vector))
		return -ENOMEM;
	if (!there) {
		memmove(b->vectors + i + 1, b->vectors + i,
			(b->vector_n - i) * sizeof(*b->vectors));
		b->vector_n++;
	}
	b->vectors[i] = vector;
	return 0;
}

/* Exponents of all ones are infinities and what is no number. */
static bool is_finite(enum sl_vector_type type, const uint8_t *data, uint32_t dim)
{
	bool finite = true;

	for (uint32_t i = 0; type == SL_VECTOR_F32 && i < dim; i++)
		finite &= (sl_load_le32(data + i * 4) & 0x7f800000) != 0x7f800000;
	for (uint32_t i = 0; type == SL_VECTOR_F16 && i < dim; i++)
		finite &= (sl_load_le16(data + i * 2) & 0x7c00) != 0x7c00;
	return finite;
}

int sl_object_put_vector(struct sl_object_builder *b, const char *name, enum sl_vector_type type,
			 const void *data, uint32_t dim)
{
	size_t n = strlen(name);
	int err = name_check(name, n);

	SL_ASSERT(type < SL_VECTOR_LAST);
	if (err)
		return err;
	if (!dim || dim > SL_OBJECT_DIM_MAX || !is_finite(type, data, dim))
		return -ERANGE;
	return object_put_vector(b, (struct vector){.name = name,
						    .name_n = (uint16_t)n,
						    .type = type,
						    .dim = dim,
						    .data = data});
}

int sl_object_remove_vector(struct sl_object_builder *b, const char *name)
{
	bool there;
	uint32_t i = vector_place(b, name, strlen(name), &there);

	if (!there)
		return -ENOENT;
	b->vector_n--;
	memmove(b->vectors + i, b->vectors + i + 1, (b->vector_n - i) * sizeof(*b->vectors));
	return 0;
}

int object_put_reference(struct sl_object_builder *b, struct reference reference)
{
	uint32_t i = b->reference_n;

	if (GROW(b, reference))
		return -ENOMEM;
	for (; i && object_names_compare(b->references[i - 1].name, b->references[i - 1].name_n,
					 reference.name, reference.name_n) > 0;
	     i--)
		b->references[i] = b->references[i - 1];
	b->references[i] = reference;
	b->reference_n++;
	return 0;
}

int sl_object_put_reference(struct sl_object_builder *b, const char *name, const char *target,
			    const uint8_t uuid[SL_OBJECT_UUID_BYTES])
{
	size_t n = strlen(name), target_n = strlen(target);
	struct reference r = {.name = name, .target = target};
	int err = name_check(name, n);

	if (!err)
		err = name_check(target, target_n);
	if (err)
		return err;
	r.name_n = (uint16_t)n;
	r.target_n = (uint32_t)target_n;
	memcpy(r.uuid, uuid, sizeof(r.uuid));
	return object_put_reference(b, r);
}

int sl_object_remove_references(struct sl_object_builder *b, const char *name)
{
	uint32_t kept = 0, n = b->reference_n;

	for (uint32_t i = 0; i < n; i++) {
		const struct reference *r = &b->references[i];

		if (object_names_compare(r->name, r->name_n, name, strlen(name)))
			b->references[kept++] = *r;
	}
	b->reference_n = kept;
	return kept < n ? 0 : -ENOENT;
}

/* ---- changing --------------------------------------------------------------------------- */

static int load_value(struct sl_object_builder *b, uint32_t in, const struct sl_value *v)
{
	struct node node = {.type = (uint8_t)sl_value_type(v)};
	size_t n = 0;
	uint32_t as;
	int err;

	if (b->nodes[in].type == SL_VALUE_MAP) {
		node.name = sl_value_name(v, &n);
		node.name_n = (uint16_t)n;
	}
	switch (node.type) {
	case SL_VALUE_BOOLEAN:
		node.integer = sl_value_boolean(v);
		break;
	case SL_VALUE_INTEGER:
		node.integer = sl_value_integer(v);
		break;
	case SL_VALUE_DATE:
		node.integer = sl_value_date(v);
		break;
	case SL_VALUE_NUMBER:
		node.number = sl_value_number(v);
		break;
	case SL_VALUE_TEXT:
	case SL_VALUE_BLOB:
		node.p = node.type == SL_VALUE_TEXT ? sl_value_text(v, &n) : sl_value_blob(v, &n);
		node.n = (uint32_t)n;
		break;
	case SL_VALUE_UUID:
		memcpy(node.uuid, sl_value_uuid(v), sizeof(node.uuid));
		node.n = sizeof(node.uuid);
		break;
	case SL_VALUE_GEO:
		sl_value_geo(v, &node.geo[0], &node.geo[1]);
		node.n = sizeof(node.geo);
		break;
	}
	err = object_put(b, in, node, &as);
	for (uint32_t i = 0; !err && i < sl_value_count(v); i++)
		err = load_value(b, as, sl_value_at(v, i));
	return err;
}

static int load_vectors(struct sl_object_builder *b, const struct sl_object *o)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < sl_object_vector_count(o); i++) {
		struct vector v = {0};
		size_t n;

		v.data = sl_object_vector_at(o, i, &v.name, &n, &v.type, &v.dim);
		v.name_n = (uint16_t)n;
		err = object_put_vector(b, v);
	}
	return err;
}

static int load_references(struct sl_object_builder *b, const struct sl_object *o)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < sl_object_reference_count(o); i++) {
		struct reference r;
		size_t n, target_n;

		memcpy(r.uuid, sl_object_reference_at(o, i, &r.name, &n, &r.target, &target_n),
		       sizeof(r.uuid));
		r.name_n = (uint16_t)n;
		r.target_n = (uint32_t)target_n;
		err = object_put_reference(b, r);
	}
	return err;
}

int sl_object_load(struct sl_object_builder *b, const struct sl_object *o)
{
	const struct sl_value *properties = sl_object_properties(o);
	const uint8_t *key;
	int err = 0;

	b->key_kind = sl_object_key(o, &key);
	memcpy(b->key, key, sizeof(b->key));
	sl_object_put_times(b, sl_object_created_ms(o), sl_object_updated_ms(o));
	for (uint32_t i = 0; !err && i < sl_value_count(properties); i++)
		err = load_value(b, SL_OBJECT_PROPERTIES, sl_value_at(properties, i));
	if (!err)
		err = load_vectors(b, o);
	return err ? err : load_references(b, o);
}

uint32_t object_child(const struct sl_object_builder *b, uint32_t in, const char *name, size_t n)
{
	uint32_t found = NODE_NONE;

	for (uint32_t i = b->nodes[in].first; i != NODE_NONE; i = b->nodes[i].next)
		if (b->nodes[i].name_n == n && !memcmp(b->nodes[i].name, name, n))
			found = i;
	return found;
}

/* Takes what @wanted says out of the chain of @in: all of a name, or the item of a number. */
static bool cut(struct sl_object_builder *b, uint32_t in, const struct step *wanted)
{
	struct node *parent = &b->nodes[in];
	uint32_t *link = &parent->first, last = NODE_NONE, item = 0;
	bool any = false;

	for (uint32_t i = *link; i != NODE_NONE; i = b->nodes[i].next, item++) {
		const struct node *node = &b->nodes[i];
		bool hit = wanted->kind == STEP_ALL ||
			   (wanted->kind == STEP_ITEM && wanted->item == item) ||
			   (wanted->kind == STEP_NAME && node->name_n == wanted->name_n &&
			    !memcmp(node->name, wanted->name, wanted->name_n));

		any |= hit;
		if (hit) {
			parent->n--;
			continue;
		}
		*link = i;
		link = &b->nodes[i].next;
		last = i;
	}
	*link = NODE_NONE;
	parent->last = last;
	return any;
}

static int remove_at(struct sl_object_builder *b, uint32_t in, const char *path);

/* What @rest is below every value of the list @in, or the one of @s. */
static int remove_below(struct sl_object_builder *b, uint32_t in, const struct step *s,
			const char *rest)
{
	uint32_t item = 0;
	int ret = -ENOENT;

	for (uint32_t i = b->nodes[in].first; i != NODE_NONE; i = b->nodes[i].next, item++) {
		if (s->kind == STEP_ITEM && s->item != item)
			continue;
		if (!remove_at(b, i, rest))
			ret = 0;
	}
	return ret;
}

static int remove_at(struct sl_object_builder *b, uint32_t in, const char *path)
{
	const char *rest = path;
	struct step s = object_path_step(&rest);
	enum sl_value_type type = b->nodes[in].type;
	uint32_t child;

	if (type == SL_VALUE_LIST && s.kind == STEP_NAME)
		return remove_below(b, in, &(struct step){.kind = STEP_ALL}, path);
	if (s.kind == STEP_NAME ? type != SL_VALUE_MAP : type != SL_VALUE_LIST)
		return -ENOENT;
	if (!*rest)
		return cut(b, in, &s) ? 0 : -ENOENT;
	if (s.kind != STEP_NAME)
		return remove_below(b, in, &s, rest);
	child = object_child(b, in, s.name, s.name_n);
	return child == NODE_NONE ? -ENOENT : remove_at(b, child, rest);
}

int sl_object_remove(struct sl_object_builder *b, const char *path)
{
	if (!*path) {
		cut(b, SL_OBJECT_PROPERTIES, &(struct step){.kind = STEP_ALL});
		return 0;
	}
	return object_is_path(path) ? remove_at(b, SL_OBJECT_PROPERTIES, path) : -EINVAL;
}
