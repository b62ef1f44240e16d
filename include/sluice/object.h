/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object: a key, typed properties, named vectors and references in one run of bytes. libsluice(3).
 *
 * An object is read where it lies, at any address, without a copy: sl_object_open() looks at every
 * byte once, after that no call fails. What it gives points into these bytes. One content has one
 * form, so that equal objects are equal bytes. docs/format.md has the layout.
 *
 * Calls return 0 or a count, or a negative errno. Text and names are UTF-8. Numbers and components
 * of vectors are finite.
 *
 * Order of parts: limits; what a value is; building; from JSON; reading objects; reading values;
 * to JSON.
 */
#ifndef SLUICE_OBJECT_H
#define SLUICE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_object;
struct sl_value;
struct sl_object_builder;

/* ---- limits ----------------------------------------------------------------------------- */

#define SL_OBJECT_BYTES_MAX (256u << 20)
#define SL_OBJECT_NAME_BYTES_MAX 65535
#define SL_OBJECT_DEPTH_MAX 64 /* maps and lists within one another */
#define SL_OBJECT_DIM_MAX 65536
#define SL_OBJECT_ALIGN 64 /* of vectors, if the object itself is aligned so */
#define SL_OBJECT_UUID_BYTES 16

/* ---- what a value is -------------------------------------------------------------------- */

enum sl_value_type {
	SL_VALUE_NULL,
	SL_VALUE_BOOLEAN,
	SL_VALUE_INTEGER, /* int64_t */
	SL_VALUE_NUMBER, /* double */
	SL_VALUE_TEXT,
	SL_VALUE_DATE, /* microseconds since 1970, of the years 0 to 9999 */
	SL_VALUE_UUID, /* 16 bytes, in the order of its text */
	SL_VALUE_GEO, /* latitude, longitude in degrees */
	SL_VALUE_BLOB,
	SL_VALUE_LIST, /* of values of any types */
	SL_VALUE_MAP, /* of values under names, in the order of the names' bytes */
	SL_VALUE_LAST
};

/* Components of a vector; bits: eight a byte from the lowest on, the last byte's others are 0. */
enum sl_vector_type { SL_VECTOR_F32, SL_VECTOR_F16, SL_VECTOR_I8, SL_VECTOR_BITS, SL_VECTOR_LAST };

enum sl_key_kind {
	SL_KEY_NONE,
	SL_KEY_INTEGER, /* uint64_t, little-endian, then zeros */
	SL_KEY_UUID,
	SL_KEY_LAST
};

/* ---- building --------------------------------------------------------------------------- */

/* A builder makes one object after another. Texts, blobs, vectors and loaded objects that it is
 * given are not copied: they must stay as they are until sl_object_build() or the reset. */
int sl_object_builder_new(struct sl_object_builder **ret_builder);
void sl_object_builder_free(struct sl_object_builder *b); /* accepts NULL */
void sl_object_builder_reset(struct sl_object_builder *b);

void sl_object_put_key_integer(struct sl_object_builder *b, uint64_t key);
void sl_object_put_key_uuid(struct sl_object_builder *b, const uint8_t uuid[SL_OBJECT_UUID_BYTES]);
void sl_object_put_times(struct sl_object_builder *b, int64_t created_ms, int64_t updated_ms);

#define SL_OBJECT_PROPERTIES 0u /* the map that every object has */

/*
 * One more value in the map or list @in. @name: NULL in a list; of equal names the last counts.
 * Lists and maps give what stands for them as @in.
 * Return: 0; -EILSEQ: no UTF-8; -ERANGE: not finite, or no such date or place; -EMSGSIZE: name too
 *	   long, or too deep; -ENOMEM.
 */
int sl_object_put_null(struct sl_object_builder *b, uint32_t in, const char *name);
int sl_object_put_boolean(struct sl_object_builder *b, uint32_t in, const char *name, bool v);
int sl_object_put_integer(struct sl_object_builder *b, uint32_t in, const char *name, int64_t v);
int sl_object_put_number(struct sl_object_builder *b, uint32_t in, const char *name, double v);
int sl_object_put_text(struct sl_object_builder *b, uint32_t in, const char *name, const char *text,
		       size_t n);
int sl_object_put_date(struct sl_object_builder *b, uint32_t in, const char *name, int64_t us);
int sl_object_put_uuid(struct sl_object_builder *b, uint32_t in, const char *name,
		       const uint8_t uuid[SL_OBJECT_UUID_BYTES]);
int sl_object_put_geo(struct sl_object_builder *b, uint32_t in, const char *name, double latitude,
		      double longitude);
int sl_object_put_blob(struct sl_object_builder *b, uint32_t in, const char *name, const void *data,
		       size_t n);
int sl_object_put_list(struct sl_object_builder *b, uint32_t in, const char *name,
		       uint32_t *ret_in);
int sl_object_put_map(struct sl_object_builder *b, uint32_t in, const char *name, uint32_t *ret_in);

/*
 * The vector @name ("" is as good a name as any), in place of one of that name. @data needs no
 * alignment. -ERANGE: a component is not finite, or @dim is 0 or above SL_OBJECT_DIM_MAX.
 */
int sl_object_put_vector(struct sl_object_builder *b, const char *name, enum sl_vector_type type,
			 const void *data, uint32_t dim);
int sl_object_remove_vector(struct sl_object_builder *b, const char *name); /* -ENOENT */

/* One more reference @name, to the object @uuid of the collection @target ("": not told). */
int sl_object_put_reference(struct sl_object_builder *b, const char *name, const char *target,
			    const uint8_t uuid[SL_OBJECT_UUID_BYTES]);
int sl_object_remove_references(struct sl_object_builder *b, const char *name); /* -ENOENT */

/*
 * To change an object: load it into a builder that was reset, put what is to be new, remove what is
 * to be gone, build another. What is put under a name takes the place of what was there.
 * sl_object_remove(): the value at @path as of sl_value_find(); "": all properties. -ENOENT.
 */
int sl_object_load(struct sl_object_builder *b, const struct sl_object *o);
int sl_object_remove(struct sl_object_builder *b, const char *path);

/**
 * sl_object_build_bytes() - how long the object will be, as it stands.
 * Return: 0; -EFBIG: above SL_OBJECT_BYTES_MAX; -ENOMEM.
 */
int sl_object_build_bytes(struct sl_object_builder *b, size_t *ret_bytes);

/* Writes it to @buf, which has @n bytes, as many as the call above said. 0; -ENOSPC; as above. */
int sl_object_build(struct sl_object_builder *b, void *buf, size_t n);

/* ---- from JSON -------------------------------------------------------------------------- */

/* How an object looks in JSON: as Qdrant's points, or as Weaviate's objects. */
enum sl_object_json {
	SL_JSON_POINT, /* id, vector ([...] or {"name": [...]}), payload */
	SL_JSON_OBJECT, /* id, vector, vectors, properties with beacons among them, times */
	SL_JSON_LAST
};

/* The value at @path, or what the list there holds, is of this type; without it text is text. */
struct sl_object_hint {
	const char *path; /* names with a dot between */
	enum sl_value_type type;
};

/**
 * sl_object_put_json() - put all that the JSON @text of @n bytes says.
 * @hints, @hint_n: may be NULL, 0. @why, @why_len: on failure a line that says what is wrong;
 *	NULL: not wanted.
 * Integers that do not fit become numbers; members that have no meaning here are passed over.
 * Return: 0; -EINVAL: no JSON, or not of this form; else as the calls above. After a failure there
 *	   is nothing but the reset.
 */
int sl_object_put_json(struct sl_object_builder *b, enum sl_object_json form, const char *text,
		       size_t n, const struct sl_object_hint *hints, size_t hint_n, char *why,
		       size_t why_len);

/* Puts the members of the JSON map @text into the map at @path ("": the properties), which is made
 * where it is missing, or is no map. */
int sl_object_merge_json(struct sl_object_builder *b, enum sl_object_json form, const char *path,
			 const char *text, size_t n, const struct sl_object_hint *hints,
			 size_t hint_n, char *why, size_t why_len);

/* ---- reading objects -------------------------------------------------------------------- */

/**
 * sl_object_open() - see whether an object lies at @data, and is whole.
 * @n: bytes that may be read there; there may be more than the object's.
 * @ret_object: points to @data; there is nothing to close.
 * Return: 0; -EBADMSG: there is none; -EPROTONOSUPPORT: written by a newer sluice.
 */
int sl_object_open(const void *data, size_t n, const struct sl_object **ret_object);

size_t sl_object_bytes(const struct sl_object *o);
int64_t sl_object_created_ms(const struct sl_object *o);
int64_t sl_object_updated_ms(const struct sl_object *o);

/* @ret_key: the key as its kind says, 16 bytes in the object. */
enum sl_key_kind sl_object_key(const struct sl_object *o, const uint8_t **ret_key);

/* 0 if they are equal in all but their times; else an order. */
int sl_object_compare(const struct sl_object *a, const struct sl_object *b);

const struct sl_value *sl_object_properties(const struct sl_object *o); /* a map */

/* Vectors, in the order of their names. Outputs may be NULL. NULL: there is no such vector. */
uint32_t sl_object_vector_count(const struct sl_object *o);
const void *sl_object_vector_at(const struct sl_object *o, uint32_t i, const char **ret_name,
				size_t *ret_name_n, enum sl_vector_type *ret_type,
				uint32_t *ret_dim);
const void *sl_object_vector(const struct sl_object *o, const char *name,
			     enum sl_vector_type *ret_type, uint32_t *ret_dim);

/* References, in the order of their names, of one name as they were put. */
uint32_t sl_object_reference_count(const struct sl_object *o);
const uint8_t *sl_object_reference_at(const struct sl_object *o, uint32_t i, const char **ret_name,
				      size_t *ret_name_n, const char **ret_target,
				      size_t *ret_target_n);

/* ---- reading values --------------------------------------------------------------------- */

enum sl_value_type sl_value_type(const struct sl_value *v);

/* The name under which it stands in its map; of no bytes in a list. Not ended by a zero. */
const char *sl_value_name(const struct sl_value *v, size_t *ret_n);

/* The value must be of the type that is asked for, a number may be an integer too (asserted). */
bool sl_value_boolean(const struct sl_value *v);
int64_t sl_value_integer(const struct sl_value *v);
double sl_value_number(const struct sl_value *v);
int64_t sl_value_date(const struct sl_value *v);
const char *sl_value_text(const struct sl_value *v, size_t *ret_n); /* not ended by a zero */
const void *sl_value_blob(const struct sl_value *v, size_t *ret_n);
const uint8_t *sl_value_uuid(const struct sl_value *v);
void sl_value_geo(const struct sl_value *v, double *ret_latitude, double *ret_longitude);

/* How many values a list or a map has (0: others), the @i-th of them, and that of a name (NULL). */
uint32_t sl_value_count(const struct sl_value *v);
const struct sl_value *sl_value_at(const struct sl_value *v, uint32_t i);
const struct sl_value *sl_value_get(const struct sl_value *v, const char *name, size_t n);

/*
 * The value at a path: names with dots between, [3] for an item of a list, [] for all of them; a
 * name with dots or brackets in it stands in double quotes. A name finds it in all maps of a list
 * too. Of several, the first; NULL: none, or no such path can be.
 */
const struct sl_value *sl_value_find(const struct sl_value *v, const char *path);

/* Calls @each for all of them, until it returns other than 0, which is then returned. -EINVAL. */
int sl_value_visit(const struct sl_value *v, const char *path,
		   int (*each)(void *arg, const struct sl_value *v), void *arg);

/* An order of all values: by type (integers and numbers by what they say), then by content. */
int sl_value_compare(const struct sl_value *a, const struct sl_value *b);

/* ---- to JSON ---------------------------------------------------------------------------- */

/* @ret_text: ended by a zero, which @ret_n does not count; to be freed by free(). 0; -ENOMEM. */
int sl_object_to_json(const struct sl_object *o, enum sl_object_json form, char **ret_text,
		      size_t *ret_n);

#ifdef __cplusplus
}
#endif

#endif
