/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: snapshots.
 *
 * Interface: "snapshots" of <sluice/objects.h>.
 */
#include <errno.h>
#include <fcntl.h>

#include "lib_pvt.h"

int sl_objects_snapshot_create(struct sl_objects *o, const char *name,
			       struct sl_objects_snapshot *ret_snapshot)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_create(o->objects, name, ret_snapshot, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_snapshot_list(struct sl_objects *o, const char *name,
			     struct sl_objects_snapshot **ret_snapshots, uint32_t *ret_n)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_list(o->objects, name, ret_snapshots, ret_n, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_snapshot_delete(struct sl_objects *o, const char *name, const char *snapshot)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_delete(o->objects, name, snapshot, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_snapshot_open(struct sl_objects *o, const char *name, const char *snapshot,
			     int *ret_fd)
{
	struct sl_extent extent;
	int err, fd = -1;

	sl_turns_enter(o->turns);
	err = objects_snapshot_open(o->objects, name, snapshot, &extent, SL_NEVER);
	if (!err) {
		fd = fcntl(extent.file->fd, F_DUPFD_CLOEXEC, 0);
		err = fd < 0 ? -errno : 0;
		sl_file_release(extent.file);
	}
	sl_turns_leave(o->turns);
	if (!err)
		*ret_fd = fd;
	return err;
}

int sl_objects_snapshot_restore(struct sl_objects *o, const char *name, const char *path, char *why,
				size_t why_len)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_restore(o->objects, name, AT_FDCWD, path, why, why ? why_len : 0,
				       SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}
