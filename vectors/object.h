/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects within sluice: what <sluice/object.h> gives everybody, and building from JSON that
 * somebody else parsed.
 */
#ifndef VECTORS_OBJECT_H
#define VECTORS_OBJECT_H

#include <sluice/object.h>

struct yyjson_val;

/* As sl_object_put_json(), of a value of a document that stays until the object is built: many
 * objects of one request are parsed at once, and their numbers go from there to their vectors. */
int sl_object_put_json_value(struct sl_object_builder *b, enum sl_object_json form,
			     struct yyjson_val *value, const struct sl_object_hint *hints,
			     size_t hint_n, char *why, size_t why_len);

#endif
