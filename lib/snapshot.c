/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: snapshots.
 *
 * Interface: "snapshots" of <sluice/objects.h>.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib_pvt.h"

static_assert(SL_OBJECTS_SNAPSHOT_NAME_MAX == OBJECTS_SNAPSHOT_NAME_MAX, "as the header says");

static void snapshot_out(const struct objects_snapshot *s, struct sl_objects_snapshot *ret_s)
{
	memcpy(ret_s->name, s->name, sizeof(ret_s->name));
	ret_s->bytes = s->bytes;
	ret_s->created_ms = s->created_ms;
}

int sl_objects_snapshot_create(struct sl_objects *o, const char *name,
			       struct sl_objects_snapshot *ret_snapshot)
{
	struct objects_snapshot s;
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_create(o->objects, name, &s, SL_NEVER);
	sl_turns_leave(o->turns);
	if (!err)
		snapshot_out(&s, ret_snapshot);
	return err;
}

int sl_objects_snapshot_list(struct sl_objects *o, const char *name,
			     struct sl_objects_snapshot **ret_snapshots, uint32_t *ret_n)
{
	struct sl_objects_snapshot *out;
	struct objects_snapshot *s = NULL;
	uint32_t n;
	int err;

	sl_turns_enter(o->turns);
	err = objects_snapshot_list(o->objects, name, &s, &n, SL_NEVER);
	sl_turns_leave(o->turns);
	if (err)
		return err;
	out = calloc((size_t)n + 1, sizeof(*out));
	for (uint32_t i = 0; out && i < n; i++)
		snapshot_out(&s[i], &out[i]);
	free(s);
	if (!out)
		return -ENOMEM;
	*ret_snapshots = out;
	*ret_n = n;
	return 0;
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
