/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, read in place.
 *
 * Interface: object.h. A struct sl_object is the object's first byte, a struct sl_value the first
 * of a slot in it; both may lie at any address.
 *
 * Invariant: sl_object_open() walks over the bytes in the order in which they are written, and each
 * must be where the writer puts it. So nothing overlaps, the time is that of the bytes, and what
 * the other calls follow stays within the object.
 *
 * Order of parts: loads; checking; opening; objects; vectors and references; values; comparing.
 */
#include <errno.h>
#include <math.h>
#include <xxhash.h>

#include "object_pvt.h"

/* ---- loads ------------------------------------------------------------------------------ */

#define HEADER_LOAD(o, field)                                                                      \
	({                                                                                         \
		__typeof__(((struct object_header *)NULL)->field) v_;                              \
		memcpy(&v_, bytes_of(o) + offsetof(struct object_header, field), sizeof(v_));      \
		v_;                                                                                \
	})

static inline const uint8_t *bytes_of(const struct sl_object *o)
{
	return (const uint8_t *)o;
}

static inline struct object_slot slot_at(const void *p)
{
	struct object_slot s;

	memcpy(&s, p, sizeof(s));
	return s;
}

static inline struct object_slot slot_of(const struct sl_value *v)
{
	return slot_at(v);
}

static inline const uint8_t *behind(const struct sl_value *v, uint32_t at)
{
	return (const uint8_t *)v + at;
}

/* ---- checking --------------------------------------------------------------------------- */

/* Bytes before @at are right. */
struct check {
	const uint8_t *p;
	size_t n, at;
};

static bool take(struct check *c, size_t n)
{
	if (n > c->n - c->at)
		return false;
	c->at += n;
	return true;
}

static bool take_zeros(struct check *c, size_t align)
{
	size_t to = sl_round_up(c->at, align);

	if (to > c->n)
		return false;
	while (c->at < to)
		if (c->p[c->at++])
			return false;
	return true;
}

static bool take_text(struct check *c, size_t n)
{
	const char *p = (const char *)c->p + c->at;

	return take(c, n) && object_is_utf8(p, n);
}

static bool children(struct check *c, size_t slot, unsigned depth);

/* What lies behind the slot at @slot. */
static bool payload(struct check *c, size_t slot, unsigned depth)
{
	struct object_slot s = slot_at(c->p + slot);
	double geo[2];

	switch (s.type) {
	case SL_VALUE_NULL:
		return !s.integer;
	case SL_VALUE_BOOLEAN:
		return s.integer == 0 || s.integer == 1;
	case SL_VALUE_INTEGER:
		return true;
	case SL_VALUE_NUMBER:
		return isfinite(s.number);
	case SL_VALUE_DATE:
		return s.integer >= OBJECT_DATE_MIN && s.integer <= OBJECT_DATE_MAX;
	case SL_VALUE_TEXT:
		return s.at == c->at - slot && take_text(c, s.n);
	case SL_VALUE_BLOB:
		return s.at == c->at - slot && take(c, s.n);
	case SL_VALUE_UUID:
		return s.at == c->at - slot && s.n == SL_OBJECT_UUID_BYTES && take(c, s.n);
	case SL_VALUE_GEO:
		if (s.at != c->at - slot || s.n != sizeof(geo) || !take(c, s.n))
			return false;
		memcpy(geo, c->p + slot + s.at, sizeof(geo));
		return object_is_geo(geo[0], geo[1]);
	case SL_VALUE_LIST:
	case SL_VALUE_MAP:
		return depth < SL_OBJECT_DEPTH_MAX && children(c, slot, depth + 1);
	default:
		return false;
	}
}

/* Names of a map rise, those of a list are not there. */
static bool names(struct check *c, size_t first, uint32_t n, bool map)
{
	const uint8_t *before = NULL;
	size_t before_n = 0;

	for (size_t at = first; at < first + (size_t)n * OBJECT_SLOT; at += OBJECT_SLOT) {
		struct object_slot s = slot_at(c->p + at);

		if (s.zero || s.name != (map ? c->at - at : 0) || (!map && s.name_n))
			return false;
		if (!take_text(c, s.name_n))
			return false;
		if (map && before &&
		    object_names_compare(before, before_n, c->p + at + s.name, s.name_n) >= 0)
			return false;
		before = c->p + at + s.name;
		before_n = s.name_n;
	}
	return true;
}

static bool children(struct check *c, size_t slot, unsigned depth)
{
	struct object_slot s = slot_at(c->p + slot);
	size_t first;

	if (!take_zeros(c, OBJECT_TABLE_ALIGN))
		return false;
	first = c->at;
	if (s.at != first - slot || !take(c, (size_t)s.n * OBJECT_SLOT))
		return false;
	if (!names(c, first, s.n, s.type == SL_VALUE_MAP))
		return false;
	for (uint32_t i = 0; i < s.n; i++)
		if (!payload(c, first + (size_t)i * OBJECT_SLOT, depth))
			return false;
	return true;
}

/* The table of @n entries that the header says to be at @at, 0 if there are none. */
static bool table(struct check *c, uint32_t at, uint32_t n, size_t entry)
{
	if (!n)
		return !at;
	return take_zeros(c, OBJECT_TABLE_ALIGN) && at == c->at && take(c, n * entry);
}

static bool is_tail_zero(const struct object_vector *v, const uint8_t *data)
{
	return v->type != SL_VECTOR_BITS || v->dim % 8 == 0 || !(data[v->dim / 8] >> v->dim % 8);
}

static bool vector_names(struct check *c, uint32_t first, uint32_t n)
{
	struct object_vector v, before = {0};

	for (uint32_t i = 0; i < n; i++, before = v) {
		memcpy(&v, c->p + first + i * OBJECT_VECTOR, sizeof(v));
		if (v.zero || v.type >= SL_VECTOR_LAST || !v.dim || v.dim > SL_OBJECT_DIM_MAX)
			return false;
		if (v.name != c->at || !take_text(c, v.name_n))
			return false;
		if (i && object_names_compare(c->p + before.name, before.name_n, c->p + v.name,
					      v.name_n) >= 0)
			return false;
	}
	return true;
}

static bool vectors(struct check *c)
{
	struct object_header h;
	struct object_vector v;

	memcpy(&h, c->p, sizeof(h));
	if (!table(c, h.vectors, h.vector_n, OBJECT_VECTOR) ||
	    !vector_names(c, h.vectors, h.vector_n))
		return false;
	for (uint32_t i = 0; i < h.vector_n; i++) {
		memcpy(&v, c->p + h.vectors + i * OBJECT_VECTOR, sizeof(v));
		if (!take_zeros(c, SL_OBJECT_ALIGN) || v.data != c->at ||
		    !take(c, sl_vector_bytes(v.type, v.dim)) || !is_tail_zero(&v, c->p + v.data))
			return false;
	}
	return true;
}

static bool references(struct check *c)
{
	struct object_reference r, before = {0};
	struct object_header h;

	memcpy(&h, c->p, sizeof(h));
	if (!table(c, h.references, h.reference_n, OBJECT_REFERENCE))
		return false;
	for (uint32_t i = 0; i < h.reference_n; i++, before = r) {
		memcpy(&r, c->p + h.references + i * OBJECT_REFERENCE, sizeof(r));
		if (r.zero || r.name != c->at || !take_text(c, r.name_n))
			return false;
		if (r.target != c->at || !take_text(c, r.target_n))
			return false;
		if (i && object_names_compare(c->p + before.name, before.name_n, c->p + r.name,
					      r.name_n) > 0)
			return false;
	}
	return true;
}

static bool key_is_right(const struct object_header *h)
{
	static const uint8_t zeros[SL_OBJECT_UUID_BYTES];

	switch (h->key_kind) {
	case SL_KEY_NONE:
		return !memcmp(h->key, zeros, sizeof(zeros));
	case SL_KEY_INTEGER:
		return !memcmp(h->key + 8, zeros, 8);
	default:
		return h->key_kind == SL_KEY_UUID;
	}
}

static bool all(struct check *c)
{
	size_t root = offsetof(struct object_header, properties);
	struct object_slot s = slot_at(c->p + root);

	return s.type == SL_VALUE_MAP && !s.name && !s.name_n && !s.zero && children(c, root, 0) &&
	       vectors(c) && references(c) && take_zeros(c, OBJECT_TABLE_ALIGN) && c->at == c->n;
}

/* ---- opening ---------------------------------------------------------------------------- */

int sl_object_open(const void *data, size_t n, const struct sl_object **ret_object)
{
	struct check c = {.p = data, .at = sizeof(struct object_header)};
	struct object_header h;

	if (n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, data, sizeof(h));
	if (h.magic != OBJECT_MAGIC || h.bytes < sizeof(h) || h.bytes > n ||
	    h.bytes > SL_OBJECT_BYTES_MAX)
		return -EBADMSG;
	if (XXH3_64bits(c.p + OBJECT_SUMMED_FROM, h.bytes - OBJECT_SUMMED_FROM) != h.sum)
		return -EBADMSG;
	if (h.version_min > OBJECT_VERSION)
		return -EPROTONOSUPPORT;
	c.n = h.bytes;
	if (!key_is_right(&h) || !all(&c))
		return -EBADMSG;
	*ret_object = data;
	return 0;
}

/* ---- objects ---------------------------------------------------------------------------- */

size_t sl_object_bytes(const struct sl_object *o)
{
	return HEADER_LOAD(o, bytes);
}

int64_t sl_object_created_ms(const struct sl_object *o)
{
	return HEADER_LOAD(o, created_ms);
}

int64_t sl_object_updated_ms(const struct sl_object *o)
{
	return HEADER_LOAD(o, updated_ms);
}

enum sl_key_kind sl_object_key(const struct sl_object *o, const uint8_t **ret_key)
{
	*ret_key = bytes_of(o) + offsetof(struct object_header, key);
	return HEADER_LOAD(o, key_kind);
}

const struct sl_value *sl_object_properties(const struct sl_object *o)
{
	return (const struct sl_value *)(bytes_of(o) + offsetof(struct object_header, properties));
}

/* ---- vectors and references ------------------------------------------------------------- */

uint32_t sl_object_vector_count(const struct sl_object *o)
{
	return HEADER_LOAD(o, vector_n);
}

static struct object_vector vector_at(const struct sl_object *o, uint32_t i)
{
	struct object_vector v;

	SL_ASSERT(i < sl_object_vector_count(o));
	memcpy(&v, bytes_of(o) + HEADER_LOAD(o, vectors) + i * OBJECT_VECTOR, sizeof(v));
	return v;
}

const void *sl_object_vector_at(const struct sl_object *o, uint32_t i, const char **ret_name,
				size_t *ret_name_n, enum sl_vector_type *ret_type,
				uint32_t *ret_dim)
{
	struct object_vector v = vector_at(o, i);

	if (ret_name)
		*ret_name = (const char *)bytes_of(o) + v.name;
	if (ret_name_n)
		*ret_name_n = v.name_n;
	if (ret_type)
		*ret_type = v.type;
	if (ret_dim)
		*ret_dim = v.dim;
	return bytes_of(o) + v.data;
}

const void *sl_object_vector(const struct sl_object *o, const char *name,
			     enum sl_vector_type *ret_type, uint32_t *ret_dim)
{
	uint32_t low = 0, high = sl_object_vector_count(o);
	size_t n = strlen(name);

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct object_vector v = vector_at(o, mid);
		int order = object_names_compare(name, n, bytes_of(o) + v.name, v.name_n);

		if (!order)
			return sl_object_vector_at(o, mid, NULL, NULL, ret_type, ret_dim);
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

uint32_t sl_object_reference_count(const struct sl_object *o)
{
	return HEADER_LOAD(o, reference_n);
}

const uint8_t *sl_object_reference_at(const struct sl_object *o, uint32_t i, const char **ret_name,
				      size_t *ret_name_n, const char **ret_target,
				      size_t *ret_target_n)
{
	const uint8_t *at = bytes_of(o) + HEADER_LOAD(o, references) + i * OBJECT_REFERENCE;
	struct object_reference r;

	SL_ASSERT(i < sl_object_reference_count(o));
	memcpy(&r, at, sizeof(r));
	if (ret_name)
		*ret_name = (const char *)bytes_of(o) + r.name;
	if (ret_name_n)
		*ret_name_n = r.name_n;
	if (ret_target)
		*ret_target = (const char *)bytes_of(o) + r.target;
	if (ret_target_n)
		*ret_target_n = r.target_n;
	return at + offsetof(struct object_reference, uuid);
}

/* ---- values ----------------------------------------------------------------------------- */

enum sl_value_type sl_value_type(const struct sl_value *v)
{
	return slot_of(v).type;
}

const char *sl_value_name(const struct sl_value *v, size_t *ret_n)
{
	struct object_slot s = slot_of(v);

	*ret_n = s.name_n;
	return (const char *)behind(v, s.name);
}

static int64_t integer_of(const struct sl_value *v, enum sl_value_type type)
{
	struct object_slot s = slot_of(v);

	SL_ASSERT(s.type == type);
	return s.integer;
}

bool sl_value_boolean(const struct sl_value *v)
{
	return integer_of(v, SL_VALUE_BOOLEAN);
}

int64_t sl_value_integer(const struct sl_value *v)
{
	return integer_of(v, SL_VALUE_INTEGER);
}

int64_t sl_value_date(const struct sl_value *v)
{
	return integer_of(v, SL_VALUE_DATE);
}

double sl_value_number(const struct sl_value *v)
{
	struct object_slot s = slot_of(v);

	SL_ASSERT(s.type == SL_VALUE_NUMBER || s.type == SL_VALUE_INTEGER);
	return s.type == SL_VALUE_NUMBER ? s.number : (double)s.integer;
}

static const uint8_t *bytes_at(const struct sl_value *v, enum sl_value_type type, size_t *ret_n)
{
	struct object_slot s = slot_of(v);

	SL_ASSERT(s.type == type);
	*ret_n = s.n;
	return behind(v, s.at);
}

const char *sl_value_text(const struct sl_value *v, size_t *ret_n)
{
	return (const char *)bytes_at(v, SL_VALUE_TEXT, ret_n);
}

const void *sl_value_blob(const struct sl_value *v, size_t *ret_n)
{
	return bytes_at(v, SL_VALUE_BLOB, ret_n);
}

const uint8_t *sl_value_uuid(const struct sl_value *v)
{
	size_t n;

	return bytes_at(v, SL_VALUE_UUID, &n);
}

void sl_value_geo(const struct sl_value *v, double *ret_latitude, double *ret_longitude)
{
	double geo[2];
	size_t n;

	memcpy(geo, bytes_at(v, SL_VALUE_GEO, &n), sizeof(geo));
	*ret_latitude = geo[0];
	*ret_longitude = geo[1];
}

uint32_t sl_value_count(const struct sl_value *v)
{
	struct object_slot s = slot_of(v);

	return s.type == SL_VALUE_LIST || s.type == SL_VALUE_MAP ? s.n : 0;
}

const struct sl_value *sl_value_at(const struct sl_value *v, uint32_t i)
{
	SL_ASSERT(i < sl_value_count(v));
	return (const struct sl_value *)(behind(v, slot_of(v).at) + (size_t)i * OBJECT_SLOT);
}

const struct sl_value *sl_value_get(const struct sl_value *v, const char *name, size_t n)
{
	uint32_t low = 0, high = sl_value_type(v) == SL_VALUE_MAP ? sl_value_count(v) : 0;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct sl_value *child = sl_value_at(v, mid);
		size_t child_n;
		const char *child_name = sl_value_name(child, &child_n);
		int order = object_names_compare(name, n, child_name, child_n);

		if (!order)
			return child;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* ---- comparing -------------------------------------------------------------------------- */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

int object_order_mixed(int64_t integer, double number)
{
	int64_t whole;

	if (number >= 0x1p63)
		return -1;
	if (number < -0x1p63)
		return 1;
	whole = (int64_t)number;
	return integer != whole ? ORDER(integer, whole) : ORDER(0, number - (double)whole);
}

static int compare_numbers(const struct object_slot *a, const struct object_slot *b)
{
	if (a->type == SL_VALUE_INTEGER)
		return b->type == SL_VALUE_INTEGER ? ORDER(a->integer, b->integer)
						   : object_order_mixed(a->integer, b->number);
	return b->type == SL_VALUE_INTEGER ? -object_order_mixed(b->integer, a->number)
					   : ORDER(a->number, b->number);
}

static int compare_geo(const struct sl_value *a, const struct sl_value *b)
{
	double a_lat, a_lon, b_lat, b_lon;

	sl_value_geo(a, &a_lat, &a_lon);
	sl_value_geo(b, &b_lat, &b_lon);
	return a_lat != b_lat ? ORDER(a_lat, b_lat) : ORDER(a_lon, b_lon);
}

static int compare_children(const struct sl_value *a, const struct sl_value *b)
{
	uint32_t a_n = sl_value_count(a), b_n = sl_value_count(b);

	for (uint32_t i = 0; i < sl_min(a_n, b_n); i++) {
		const struct sl_value *x = sl_value_at(a, i), *y = sl_value_at(b, i);
		size_t x_n, y_n;
		const char *x_name = sl_value_name(x, &x_n), *y_name = sl_value_name(y, &y_n);
		int order = object_names_compare(x_name, x_n, y_name, y_n);

		if (!order)
			order = sl_value_compare(x, y);
		if (order)
			return order;
	}
	return ORDER(a_n, b_n);
}

int sl_value_compare(const struct sl_value *a, const struct sl_value *b)
{
	struct object_slot x = slot_of(a), y = slot_of(b);
	int x_rank = x.type == SL_VALUE_INTEGER ? SL_VALUE_NUMBER : x.type;
	int y_rank = y.type == SL_VALUE_INTEGER ? SL_VALUE_NUMBER : y.type;

	if (x_rank != y_rank)
		return ORDER(x_rank, y_rank);
	switch (x_rank) {
	case SL_VALUE_NULL:
		return 0;
	case SL_VALUE_NUMBER:
		return compare_numbers(&x, &y);
	case SL_VALUE_BOOLEAN:
	case SL_VALUE_DATE:
		return ORDER(x.integer, y.integer);
	case SL_VALUE_GEO:
		return compare_geo(a, b);
	case SL_VALUE_LIST:
	case SL_VALUE_MAP:
		return compare_children(a, b);
	default:
		return object_names_compare(behind(a, x.at), x.n, behind(b, y.at), y.n);
	}
}

/* One content has one form. The header's part is the key; sums and times are left out. */
int sl_object_compare(const struct sl_object *a, const struct sl_object *b)
{
	size_t key = offsetof(struct object_header, key_kind);
	size_t rest = offsetof(struct object_header, properties);
	int order = memcmp(bytes_of(a) + key, bytes_of(b) + key,
			   offsetof(struct object_header, created_ms) - key);

	return order ? order
		     : object_names_compare(bytes_of(a) + rest, sl_object_bytes(a) - rest,
					    bytes_of(b) + rest, sl_object_bytes(b) - rest);
}
