/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: writing.
 *
 * Interface: "writing" of <sluice/objects.h>. Threads that write at the same moment share a sync:
 * whoever waits for the disk has left the turn, and the others append meanwhile.
 *
 * Order of parts: calls; all that match.
 */
#include <errno.h>

#include "lib_pvt.h"

/* ---- calls ------------------------------------------------------------------------------ */

static bool kinds_ok(const struct sl_objects_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ops[i].kind >= SL_OBJECTS_OP_LAST)
			return false;
	return true;
}

static int write_in_turn(struct sl_objects *o, const char *name, struct sl_objects_op *ops,
			 uint32_t n, bool all)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_write(o->objects, name, ops, n, all, NULL, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_write(struct sl_objects *o, const char *name, struct sl_objects_op *ops, uint32_t n,
		     bool all)
{
	return n && kinds_ok(ops, n) ? write_in_turn(o, name, ops, n, all) : -EINVAL;
}

int sl_objects_put(struct sl_objects *o, const char *name, const struct sl_object *object)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_PUT, .object = object};
	int err = write_in_turn(o, name, &op, 1, false);

	return err ? err : op.result;
}

int sl_objects_delete(struct sl_objects *o, const char *name, struct sl_filter_key key)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_DELETE, .key = key};
	int err = write_in_turn(o, name, &op, 1, false);

	return err ? err : op.result;
}

/* ---- all that match --------------------------------------------------------------------- */

int sl_objects_write_matching(struct sl_objects *o, const char *name,
			      const struct sl_filter *filter, const struct sl_objects_op *op,
			      uint64_t limit, uint64_t *ret_n)
{
	int err;

	if (op->kind != SL_OBJECTS_CHANGE && op->kind != SL_OBJECTS_DELETE)
		return -EINVAL;
	sl_turns_enter(o->turns);
	err = objects_write_matching(o->objects, name, filter, op, limit, ret_n, NULL, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}
