// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots of collections: made, listed, downloaded, recovered from.
 *
 * Interface: handlers of qdrant_pvt.h. A snapshot is a file of the store's; it leaves as an extent
 * of that file. One that is uploaded goes into a file without a name first.
 *
 * Order of parts: descriptions; handlers; recovery; uploads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qdrant_pvt.h"

/* ---- descriptions ----------------------------------------------------------------------- */

static void put_snapshot(struct http_json *j, const struct sl_objects_snapshot *s)
{
	time_t seconds = (time_t)(s->created_ms / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	http_json_open(j, '{');
	http_json_key(j, "name");
	http_json_string(j, s->name);
	http_json_key(j, "creation_time");
	http_json_string(j, text);
	http_json_key(j, "size");
	http_json_uint(j, s->bytes);
	http_json_key(j, "checksum");
	http_json_null(j);
	http_json_close(j, '}');
}

static int no_snapshot(struct qd_call *c, const char *name)
{
	return qd_wrong(c, 404, "Not found: Snapshot %.300s not found", name);
}

/* ---- handlers --------------------------------------------------------------------------- */

int qd_snapshots_list(struct qd_call *c)
{
	struct sl_objects_snapshot *list;
	uint32_t n;
	int err = objects_snapshot_list(c->o, c->name, &list, &n, c->deadline);

	if (err)
		return err;
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < n; i++)
		put_snapshot(&c->j, &list[i]);
	http_json_close(&c->j, ']');
	free(list);
	return 0;
}

int qd_snapshot_create(struct qd_call *c)
{
	struct sl_objects_snapshot snapshot;
	int err = objects_snapshot_create(c->o, c->name, &snapshot, c->deadline);

	if (!err)
		put_snapshot(&c->j, &snapshot);
	return err;
}

int qd_snapshot_delete(struct qd_call *c)
{
	const char *name;
	int err = qd_path_name(c, 1, &name);

	if (!err)
		err = objects_snapshot_delete(c->o, c->name, name, c->deadline);
	if (err == -ENOENT)
		return no_snapshot(c, name);
	if (!err)
		http_json_bool(&c->j, true);
	return err;
}

int qd_snapshot_download(struct qd_call *c)
{
	const char *name;
	struct sl_extent extent;
	int err = qd_path_name(c, 1, &name);

	if (!err)
		err = objects_snapshot_open(c->o, c->name, name, &extent, c->deadline);
	if (err == -ENOENT)
		return no_snapshot(c, name);
	if (err)
		return err;
	c->sent = true;
	c->rs->content_type = "application/octet-stream";
	c->rs->parts[c->rs->n++] = sl_part_extent(extent);
	return 0;
}

/* ---- recovery --------------------------------------------------------------------------- */

/* What became of the snapshot @what. */
static int put_restored(struct qd_call *c, int err, const char *what, const char *why)
{
	if (*why && (err == -EBADMSG || err == -EINVAL))
		return qd_wrong(c, 400, "Wrong input: %s", why);
	if (err == -EBADMSG)
		return qd_wrong(c, 400, "Wrong input: %s: it is no snapshot, or damaged", what);
	if (!err)
		http_json_bool(&c->j, true);
	return err;
}

static int restore(struct qd_call *c, int dir, const char *path)
{
	char why[200] = "";
	int err = objects_snapshot_restore(c->o, c->name, dir, path, why, sizeof(why), c->deadline);

	if (err == -ENOENT)
		return qd_wrong(c, 404, "Not found: Snapshot %s not found", path);
	return put_restored(c, err, path, why);
}

int qd_snapshot_recover(struct qd_call *c)
{
	static const char scheme[] = "file://";
	const char *location = NULL;
	int err = qd_get_string(c, c->body, "location", &location);

	if (err)
		return err;
	if (!location || strncmp(location, scheme, sizeof(scheme) - 1) ||
	    location[sizeof(scheme) - 1] != '/')
		return qd_wrong(c, 400,
				"Wrong input: location: expected file:///PATH on the server: "
				"upload others by .../snapshots/upload");
	return restore(c, AT_FDCWD, location + sizeof(scheme) - 1);
}

/* ---- uploads ---------------------------------------------------------------------------- */

static ssize_t read_body(void *call, void *to, size_t max)
{
	struct qd_call *c = call;

	return http_body_read(c->rq, to, max, c->deadline);
}

/* Goes to the file, in whichever part of the form: clients send but one. */
static int begin_form(struct qd_call *c, struct http_form *f)
{
	struct http_str type = {0}, name;
	int err;

	*f = (struct http_form){.read = read_body, .arg = c};
	f->text = http_arena_alloc(&c->arena, HTTP_FORM_PIECE_BYTES, 64);
	if (!f->text)
		return -ENOMEM;
	http_request_field(c->rq, "Content-Type", &type);
	err = http_form_init(f, type);
	while (!err) {
		err = http_form_next(f, &name);
		if (!err)
			err = -EPROTO;
		else if (err == 1 && http_str_is(name, "snapshot"))
			return 0;
		else if (err == 1)
			err = 0;
	}
	return err;
}

static int receive(struct qd_call *c, struct objects_upload *upload)
{
	struct http_form f;
	const char *data;
	ssize_t n = 0;
	int err = begin_form(c, &f);

	while (!err && (n = http_form_read(&f, &data)) > 0)
		err = objects_upload_write(upload, data, (size_t)n, c->deadline);
	err = err ? err : (int)n;
	if (err == -EPROTO)
		return qd_wrong(c, 400,
				"Wrong input: expected multipart/form-data with a file `snapshot`");
	return err;
}

int qd_snapshot_upload(struct qd_call *c)
{
	struct objects_upload *upload;
	char why[200] = "";
	int err = objects_upload_new(c->o, &upload, c->deadline);

	if (err)
		return err;
	err = receive(c, upload);
	if (!err)
		err = put_restored(c,
				   objects_upload_restore(upload, c->name, why, sizeof(why),
							  c->deadline),
				   "snapshot", why);
	objects_upload_free(upload);
	return err;
}
