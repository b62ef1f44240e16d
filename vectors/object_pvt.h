/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: their layout, the builder's memory, paths and texts, for the files object*.c.
 *
 * A slot tells of one value. What does not fit into it lies behind it, at a distance from the slot
 * itself: a value can be read by whoever has a pointer to its slot.
 *
 * Order of parts: the layout; the builder; paths; texts.
 */
#ifndef VECTORS_OBJECT_PVT_H
#define VECTORS_OBJECT_PVT_H

#include <sluice/assert.h>
#include <sluice/bytes.h>
#include <sluice/distance.h>
#include <sluice/util.h>
#include <yyjson.h>

#include "object.h"

/* ---- the layout ------------------------------------------------------------------------- */

#define OBJECT_MAGIC UINT64_C(0x314a424f43554c53) /* "SLUCOBJ1" */

enum {
	OBJECT_VERSION = 1,
	OBJECT_VERSION_MIN = 1,
	OBJECT_SUMMED_FROM = 16, /* behind the magic and the sum */
	OBJECT_SLOT = 16,
	OBJECT_VECTOR = 16,
	OBJECT_REFERENCE = 32,
	OBJECT_TABLE_ALIGN = 8,
};

/* Read by its fields' offsets only, since it may lie anywhere. */
struct object_header {
	uint64_t magic;
	uint64_t sum;
	uint32_t version, version_min;
	uint32_t bytes;
	uint32_t key_kind;
	uint8_t key[SL_OBJECT_UUID_BYTES];
	int64_t created_ms, updated_ms;
	uint8_t properties[OBJECT_SLOT];
	uint32_t vectors, vector_n;
	uint32_t references, reference_n;
};
_Static_assert(sizeof(struct object_header) == 96, "docs/format.md");
_Static_assert(offsetof(struct object_header, key) == 32, "docs/format.md");
_Static_assert(offsetof(struct object_header, properties) == 64, "docs/format.md");
_Static_assert(offsetof(struct object_header, vectors) == 80, "docs/format.md");

struct object_slot {
	uint32_t name; /* from the slot on; 0 in a list */
	uint16_t name_n;
	uint8_t type, zero;
	union {
		int64_t integer; /* and boolean, date */
		double number;
		struct {
			uint32_t at, n; /* from the slot on; bytes, or values */
		};
	};
};
_Static_assert(sizeof(struct object_slot) == OBJECT_SLOT, "docs/format.md");

/* From the object's beginning on. */
struct object_vector {
	uint32_t name;
	uint16_t name_n;
	uint8_t type, zero;
	uint32_t dim;
	uint32_t data;
};
_Static_assert(sizeof(struct object_vector) == OBJECT_VECTOR, "docs/format.md");

struct object_reference {
	uint32_t name;
	uint16_t name_n, zero;
	uint32_t target, target_n;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
};
_Static_assert(sizeof(struct object_reference) == OBJECT_REFERENCE, "docs/format.md");

/* The order of names: by their bytes, a shorter one first. */
static inline int object_names_compare(const void *a, size_t a_n, const void *b, size_t b_n)
{
	size_t n = sl_min(a_n, b_n);
	int order = n ? memcmp(a, b, n) : 0;

	return order ? order : (a_n > b_n) - (a_n < b_n);
}

/* The order of an integer and a number, exactly: a double does not have every integer. */
int object_order_mixed(int64_t integer, double number);

/* ---- the builder ------------------------------------------------------------------------ */

#define NODE_NONE UINT32_MAX

/* A value that is put; those of one list or map are a chain, in the order in which they came. */
struct node {
	const char *name;
	uint16_t name_n;
	uint8_t type;
	uint8_t depth; /* of a list or map: how many it is within */
	uint32_t n; /* bytes, or values */
	uint32_t next, first, last;
	union {
		int64_t integer;
		double number;
		double geo[2];
		uint8_t uuid[SL_OBJECT_UUID_BYTES];
		const void *p;
	};
};

/* Its components are at @data, or are the numbers of @json. */
struct vector {
	const char *name;
	uint16_t name_n;
	enum sl_vector_type type;
	uint32_t dim;
	const void *data;
	yyjson_val *json;
};

struct reference {
	const char *name, *target;
	uint16_t name_n;
	uint32_t target_n;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
};

/* What values of JSON need until the object is built: documents and decoded blobs. */
struct held {
	struct held *next;
	yyjson_doc *doc;
	uint8_t bytes[];
};

/**
 * struct sl_object_builder - what was put so far.
 * @nodes: the first is the map of properties.
 * @order: room in which the values of a map are sorted.
 */
struct sl_object_builder {
	enum sl_key_kind key_kind;
	uint8_t key[SL_OBJECT_UUID_BYTES];
	int64_t created_ms, updated_ms;
	struct node *nodes;
	uint32_t node_n, node_room;
	struct vector *vectors;
	uint32_t vector_n, vector_room;
	struct reference *references;
	uint32_t reference_n, reference_room;
	uint32_t *order;
	uint32_t order_room;
	struct held *held;
};

/* The calls of object.h, by names of any bytes. @node: all but its place in the chain. */
int object_put(struct sl_object_builder *b, uint32_t in, struct node node, uint32_t *ret_in);
int object_put_vector(struct sl_object_builder *b, struct vector vector);
int object_put_reference(struct sl_object_builder *b, struct reference reference);

/* The last value of that name in the map @in, or NODE_NONE. */
uint32_t object_child(const struct sl_object_builder *b, uint32_t in, const char *name, size_t n);

/* Room for @n bytes until the reset, or with @doc, which is freed then; NULL: there is none. */
struct held *object_hold(struct sl_object_builder *b, yyjson_doc *doc, size_t n);

/* Of a number of JSON. */
static inline double object_number(yyjson_val *v)
{
	return yyjson_is_real(v)   ? yyjson_get_real(v)
	       : yyjson_is_sint(v) ? (double)yyjson_get_sint(v)
				   : (double)yyjson_get_uint(v);
}

/* ---- paths ------------------------------------------------------------------------------ */

enum step_kind { STEP_END, STEP_NAME, STEP_ITEM, STEP_ALL, STEP_WRONG };

struct step {
	enum step_kind kind;
	const char *name;
	size_t name_n;
	uint32_t item;
};

/* The next step of a path; @path is moved behind it. */
struct step object_path_step(const char **path);

bool object_is_path(const char *path);

/* ---- texts ------------------------------------------------------------------------------ */

#define OBJECT_DATE_MIN INT64_C(-62167219200000000) /* the year 0 */
#define OBJECT_DATE_MAX INT64_C(253402300799999999) /* the end of 9999 */

bool object_is_utf8(const char *p, size_t n);
bool object_is_geo(double latitude, double longitude);

/* Base64 with or without its padding. @ret_data has room for n / 4 * 3 + 3. */
bool object_base64_parse(const char *p, size_t n, uint8_t *ret_data, size_t *ret_n);

#endif
