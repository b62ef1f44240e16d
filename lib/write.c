/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: writing.
 *
 * Interface: "writing" of <sluice/objects.h>. Threads that write at the same moment share a sync:
 * whoever waits for the disk has left the turn, and the others append meanwhile.
 *
 * Order of parts: operations; calls; all that match.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

/* ---- operations ------------------------------------------------------------------------- */

static_assert((int)SL_OBJECTS_PUT == (int)OBJECTS_PUT &&
		      (int)SL_OBJECTS_INSERT == (int)OBJECTS_INSERT &&
		      (int)SL_OBJECTS_CHANGE == (int)OBJECTS_CHANGE &&
		      (int)SL_OBJECTS_DELETE == (int)OBJECTS_DELETE &&
		      (int)SL_OBJECTS_OP_LAST == (int)OBJECTS_OP_LAST,
	      "kinds are handed on as they are");
static_assert((int)SL_OBJECTS_NO_KEY == (int)OBJECTS_NO_KEY &&
		      (int)SL_OBJECTS_BAD_OBJECT == (int)OBJECTS_BAD_OBJECT &&
		      (int)SL_OBJECTS_UNKNOWN_VECTOR == (int)OBJECTS_UNKNOWN_VECTOR &&
		      (int)SL_OBJECTS_WRONG_DIM == (int)OBJECTS_WRONG_DIM &&
		      (int)SL_OBJECTS_WRONG_TYPE == (int)OBJECTS_WRONG_TYPE &&
		      (int)SL_OBJECTS_BAD_QUERY == (int)OBJECTS_BAD_QUERY &&
		      (int)SL_OBJECTS_NO_OBJECT == (int)OBJECTS_NO_OBJECT &&
		      (int)SL_OBJECTS_FAULT_LAST == (int)OBJECTS_FAULT_LAST,
	      "faults are handed on as they are");

static bool kinds_ok(const struct sl_objects_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ops[i].kind >= SL_OBJECTS_OP_LAST)
			return false;
	return true;
}

static struct objects_op op_in(const struct sl_objects_op *op)
{
	return (struct objects_op){
		.kind = (enum objects_op_kind)op->kind,
		.key = key_in(&op->key),
		.object = op->object,
		.change = op->change,
		.arg = op->arg,
	};
}

/* What became of it. */
static void op_out(const struct objects_op *op, struct sl_objects_op *ret_op)
{
	ret_op->result = op->result;
	ret_op->fault = (enum sl_objects_fault)op->fault;
	ret_op->vector = op->vector;
	ret_op->dim = op->dim;
	ret_op->version = op->version;
}

/* ---- calls ------------------------------------------------------------------------------ */

static int write_in_turn(struct sl_objects *o, const char *name, struct objects_op *ops, uint32_t n,
			 bool all)
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
	struct objects_op *in;
	int err;

	if (!n || !kinds_ok(ops, n))
		return -EINVAL;
	in = calloc(n, sizeof(*in));
	if (!in)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		in[i] = op_in(&ops[i]);
	err = write_in_turn(o, name, in, n, all);
	for (uint32_t i = 0; i < n; i++)
		op_out(&in[i], &ops[i]);
	free(in);
	return err;
}

int sl_objects_put(struct sl_objects *o, const char *name, const struct sl_object *object)
{
	struct objects_op op = {.kind = OBJECTS_PUT, .object = object};
	int err = write_in_turn(o, name, &op, 1, false);

	return err ? err : op.result;
}

int sl_objects_delete(struct sl_objects *o, const char *name, struct sl_filter_key key)
{
	struct objects_op op = {.kind = OBJECTS_DELETE, .key = key_in(&key)};
	int err = write_in_turn(o, name, &op, 1, false);

	return err ? err : op.result;
}

/* ---- all that match --------------------------------------------------------------------- */

int sl_objects_write_matching(struct sl_objects *o, const char *name,
			      const struct sl_filter *filter, const struct sl_objects_op *op,
			      uint64_t limit, uint64_t *ret_n)
{
	struct objects_op in = op_in(op);
	int err;

	if (op->kind != SL_OBJECTS_CHANGE && op->kind != SL_OBJECTS_DELETE)
		return -EINVAL;
	sl_turns_enter(o->turns);
	err = objects_write_matching(o->objects, name, filter, &in, limit, ret_n, NULL, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}
