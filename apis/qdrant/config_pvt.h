/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a collection is kept, inside: what the files config*.c share.
 *
 * Order of parts: vectors; meta.
 */
#ifndef APIS_QDRANT_CONFIG_PVT_H
#define APIS_QDRANT_CONFIG_PVT_H

#include "qdrant_pvt.h"

/* ---- vectors ---------------------------------------------------------------------------- */

const char *qd_distance_name(enum sl_metric metric);

/* @hnsw: a difference to what is in *ret. m = 0 means that there is no graph. */
int qd_read_hnsw(struct qd_call *c, yyjson_val *hnsw, struct sl_index_conf *ret);

/* Which codes stand for vectors while a search chooses among them; the index's own choice if
 * nothing is said. @v: "quantization_config", or NULL: *ret stays. */
int qd_read_quantiser(struct qd_call *c, yyjson_val *v, struct sl_index_conf *ret);

/* What the index cannot do is done as it would by itself. */
void qd_settle_quantiser(struct sl_objects_vector *v);

/* @v: {size, distance, ...}; @hnsw, @quantization: of the collection. */
int qd_read_vector(struct qd_call *c, const char *name, yyjson_val *v, yyjson_val *hnsw,
		   yyjson_val *quantization, struct sl_objects_vector *ret);

/* @v: {size, distance}, or a map of them by name. @body: of the collection. */
int qd_read_vectors(struct qd_call *c, yyjson_val *v, yyjson_val *body,
		    struct sl_objects_conf *ret);

/* ---- meta ------------------------------------------------------------------------------- */

/**
 * struct qd_meta - what clients read back, while it changes.
 * @doc: in the arena, and not freed. @config, @params, @schema: parts of it.
 */
struct qd_meta {
	yyjson_mut_doc *doc;
	yyjson_mut_val *config, *params, *schema;
};

/* The type of property that Qdrant calls @name. */
bool qd_schema_find(const char *name, enum sl_payload_type *ret_type);

/* That of a collection of which nothing is said. */
int qd_meta_default(struct qd_call *c, struct qd_meta *ret);

/* That of the collection, or one for what another API has made. */
int qd_meta_of(struct qd_call *c, struct qd_meta *ret);

/* Whether the collection's meta is of this folder's making, and may be written. */
int qd_meta_check_own(struct qd_call *c);

/* Puts @v under @name, in place of what is there. */
int qd_meta_put(struct qd_meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *v);

/* Puts what the map @diff has into the map @name of @map; maps within are merged alike. */
int qd_meta_merge(struct qd_meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *diff);

/* Says that there is an index of @type at @path. */
int qd_meta_add_index(struct qd_meta *meta, const char *path, enum sl_payload_type type);

int qd_meta_write(struct qd_call *c, const struct qd_meta *meta, struct sl_objects_conf *ret);

#endif
