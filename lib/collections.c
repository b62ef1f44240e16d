/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: collections.
 *
 * Interface: "collections" of <sluice/objects.h>.
 *
 * Order of parts: changing; those that there are.
 */
#include "lib_pvt.h"

/* ---- changing --------------------------------------------------------------------------- */

int sl_objects_create(struct sl_objects *o, const char *name, const struct sl_objects_conf *conf,
		      char *why, size_t why_len)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_create(o->objects, name, conf, why, why ? why_len : 0, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_change(struct sl_objects *o, const char *name, uint64_t generation,
		      const struct sl_objects_conf *conf, char *why, size_t why_len)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_change(o->objects, name, generation, conf, why, why ? why_len : 0, SL_NEVER);
	sl_turns_leave(o->turns);
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
	int rc = 0;

	for (uint32_t i = 0; i < objects_view_count(view) && !rc; i++) {
		const struct objects_collection *c = objects_view_at(view, i);
		const struct sl_objects_collection shown = {
			.name = c->name,
			.created_ms = c->created_ms,
			.generation = c->generation,
			.conf = c->conf,
		};

		rc = each(arg, &shown);
	}
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
	int err;

	sl_turns_enter(o->turns);
	err = objects_info(o->objects, name, ret_info, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}
