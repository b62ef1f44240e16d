/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: collections.
 *
 * Interface: "collections" of <sluice/objects.h>. How a collection is kept has the same fields here
 * and in the store.
 *
 * Order of parts: how they are kept; changing; those that there are.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

static_assert(SL_OBJECTS_NAME_BYTES_MAX == OBJECTS_NAME_MAX, "as the header says");
static_assert(SL_OBJECTS_VECTORS_MAX == OBJECTS_VECTORS_MAX, "as the header says");
static_assert(SL_OBJECTS_INDEXES_MAX == OBJECTS_INDEXES_MAX, "as the header says");
static_assert(SL_OBJECTS_META_BYTES_MAX == OBJECTS_META_MAX, "as the header says");

/* ---- how they are kept ------------------------------------------------------------------ */

/* @ret_vectors: of @ret_conf, to be freed. */
static int conf_in(const struct sl_objects_conf *conf, struct objects_collection_conf *ret_conf,
		   struct objects_vector_conf **ret_vectors)
{
	struct objects_vector_conf *vectors = calloc((size_t)conf->vectors_n + 1, sizeof(*vectors));

	if (!vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->vectors_n; i++) {
		const struct sl_objects_vector *v = &conf->vectors[i];

		vectors[i] = (struct objects_vector_conf){
			.name = v->name,
			.dim = v->dim,
			.metric = v->metric,
			.component = v->component,
			.index = v->index,
			.automatic = v->automatic,
			.on_disk = v->on_disk,
		};
	}
	*ret_conf = (struct objects_collection_conf){
		.vectors = vectors,
		.vectors_n = conf->vectors_n,
		.indexes = conf->indexes,
		.indexes_n = conf->indexes_n,
		.strict = conf->strict,
		.as_given = conf->as_given,
		.meta = conf->meta,
		.meta_n = conf->meta_n,
	};
	*ret_vectors = vectors;
	return 0;
}

/* @vectors: room for those of @c. */
static struct sl_objects_collection collection_out(const struct objects_collection *c,
						   struct sl_objects_vector *vectors)
{
	for (uint32_t i = 0; i < c->conf.vectors_n; i++) {
		const struct objects_vector_conf *v = &c->conf.vectors[i];

		vectors[i] = (struct sl_objects_vector){
			.name = v->name,
			.dim = v->dim,
			.metric = v->metric,
			.component = v->component,
			.index = v->index,
			.automatic = v->automatic,
			.on_disk = v->on_disk,
		};
	}
	return (struct sl_objects_collection){
		.name = c->name,
		.created_ms = c->created_ms,
		.generation = c->generation,
		.conf = {
			.vectors = vectors,
			.vectors_n = c->conf.vectors_n,
			.indexes = c->conf.indexes,
			.indexes_n = c->conf.indexes_n,
			.strict = c->conf.strict,
			.as_given = c->conf.as_given,
			.meta = c->conf.meta,
			.meta_n = c->conf.meta_n,
		},
	};
}

/* ---- changing --------------------------------------------------------------------------- */

int sl_objects_create(struct sl_objects *o, const char *name, const struct sl_objects_conf *conf,
		      char *why, size_t why_len)
{
	struct objects_collection_conf c;
	struct objects_vector_conf *vectors;
	int err = conf_in(conf, &c, &vectors);

	if (err)
		return err;
	sl_turns_enter(o->turns);
	err = objects_create(o->objects, name, &c, why, why ? why_len : 0, SL_NEVER);
	sl_turns_leave(o->turns);
	free(vectors);
	return err;
}

int sl_objects_change(struct sl_objects *o, const char *name, uint64_t generation,
		      const struct sl_objects_conf *conf, char *why, size_t why_len)
{
	struct objects_collection_conf c;
	struct objects_vector_conf *vectors;
	int err = conf_in(conf, &c, &vectors);

	if (err)
		return err;
	sl_turns_enter(o->turns);
	err = objects_change(o->objects, name, generation, &c, why, why ? why_len : 0, SL_NEVER);
	sl_turns_leave(o->turns);
	free(vectors);
	return err;
}

int sl_objects_drop(struct sl_objects *o, const char *name)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_delete(o->objects, name, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_alias(struct sl_objects *o, const char *alias, const char *name)
{
	const struct objects_alias_change change = {
		.kind = name ? OBJECTS_ALIAS_CREATE : OBJECTS_ALIAS_DELETE,
		.alias = alias,
		.name = name,
	};
	int err;

	sl_turns_enter(o->turns);
	err = objects_alias(o->objects, &change, 1, NULL, 0, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

/* ---- those that there are --------------------------------------------------------------- */

/* Out of the turn: a view stays as it is while it is held. */
static int each_of(const struct objects_view *view,
		   int (*each)(void *arg, const struct sl_objects_collection *collection),
		   void *arg)
{
	struct sl_objects_vector *vectors = calloc(OBJECTS_VECTORS_MAX, sizeof(*vectors));
	int rc = vectors ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < objects_view_count(view) && !rc; i++) {
		struct sl_objects_collection c = collection_out(objects_view_at(view, i), vectors);

		rc = each(arg, &c);
	}
	free(vectors);
	return rc;
}

int sl_objects_collections(struct sl_objects *o,
			   int (*each)(void *arg, const struct sl_objects_collection *collection),
			   void *arg)
{
	struct objects_view *view;
	int rc;

	sl_turns_enter(o->turns);
	view = objects_view(o->objects);
	sl_turns_leave(o->turns);
	rc = each_of(view, each, arg);
	sl_turns_enter(o->turns);
	objects_view_release(view);
	sl_turns_leave(o->turns);
	return rc;
}

int sl_objects_info(struct sl_objects *o, const char *name, struct sl_objects_info *ret_info)
{
	struct objects_info i;
	int err;

	sl_turns_enter(o->turns);
	err = objects_info(o->objects, name, &i, SL_NEVER);
	sl_turns_leave(o->turns);
	if (err)
		return err;
	*ret_info = (struct sl_objects_info){
		.objects = i.objects,
		.vectors = i.vectors,
		.indexed = i.indexed,
		.log_bytes = i.log_bytes,
		.live_bytes = i.live_bytes,
		.memory_bytes = i.memory_bytes,
		.indexing = i.indexing,
		.failed = i.failed,
	};
	return 0;
}
