/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: a collection as it was at one moment, in a file that can be taken elsewhere.
 *
 * Interface: "snapshots" of objects.h; docs/format.md has the layout: a header, the description,
 * then batches as in a log, then a footer. They lie in the collection's folder, in snapshots/.
 * Invariants: a file has its name only when it is whole and durable; nobody writes to the
 * collection while one is made; one is looked at as a whole before anything is restored from it,
 * and what is restored takes the place of what was there in one step.
 *
 * Order of parts: names; writing; making one; those there are; reading; restoring; uploads.
 */
#include <dirent.h>
#include <xxhash.h>

#include "objects_pvt.h"

#define FOLDER SNAPSHOTS
#define SUFFIX ".snapshot"
#define UNDER_WAY "new" /* one at a time, since writes wait */
#define SNAPSHOT_MAGIC UINT64_C(0x31504e534f434c53) /* "SLCOSNP1" */
#define SNAPSHOT_END UINT64_C(0x31444e454f434c53) /* "SLCOEND1" */

enum { SNAPSHOT_VERSION = 1, SNAPSHOT_HEADER = 64, SNAPSHOT_FOOTER = 64 };

struct snapshot_header {
	uint64_t magic;
	uint32_t version, version_min;
	uint64_t description_bytes;
	uint8_t zero[40];
};
static_assert(sizeof(struct snapshot_header) == SNAPSHOT_HEADER, "docs/format.md");

struct snapshot_footer {
	uint64_t magic;
	uint64_t objects;
	uint64_t bytes; /* before it */
	uint8_t zero[32];
	uint64_t sum; /* XXH3 of the header and of what is above here */
};
static_assert(sizeof(struct snapshot_footer) == SNAPSHOT_FOOTER, "docs/format.md");

static uint64_t sum_of(const struct snapshot_header *h, const struct snapshot_footer *f)
{
	uint8_t both[SNAPSHOT_HEADER + SNAPSHOT_FOOTER - 8];

	memcpy(both, h, sizeof(*h));
	memcpy(both + sizeof(*h), f, sizeof(*f) - sizeof(f->sum));
	return XXH3_64bits(both, sizeof(both));
}

/* ---- names ------------------------------------------------------------------------------ */

#define PATH_BYTES (ID_TEXT_BYTES + sizeof(FOLDER) + SL_OBJECTS_SNAPSHOT_NAME_MAX + 2)

static bool snapshot_name_ok(const char *name)
{
	size_t n = strlen(name), end = strlen(SUFFIX);

	return n > end && n < SL_OBJECTS_SNAPSHOT_NAME_MAX && !strchr(name, '/') &&
	       strcmp(name + n - end, SUFFIX) == 0;
}

/* The path of @snapshot from the store's folder on. Return: 0 or -ENOENT. */
static int snapshot_path(struct objects *o, const char *name, const char *snapshot,
			 char ret_path[PATH_BYTES])
{
	struct objects_view *view = objects_view(o);
	const struct objects_collection *pub = objects_view_find(view, name);
	char id[ID_TEXT_BYTES];

	if (pub)
		id_print(pub->id, id);
	objects_view_release(view);
	if (!pub || !snapshot_name_ok(snapshot))
		return -ENOENT;
	snprintf(ret_path, PATH_BYTES, "%s/" FOLDER "/%s", id, snapshot);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------- */

struct snapshotting {
	struct visit visit;
	struct sl_objects_snapshot *snapshot;
	struct snapshot_header header;
	struct batch batch;
	uint64_t pos, objects;
	int fd;
};

static int put_bytes(struct snapshotting *s, const void *p, size_t n, int64_t deadline)
{
	int rc = sl_write_all(s->fd, p, n, s->pos, deadline);

	s->pos += n;
	return rc;
}

static int put_description(struct snapshotting *s, const struct collection *c, int64_t deadline)
{
	struct sl_object *o;
	size_t n;
	int rc = described_encode(c->own, &o);

	if (rc)
		return rc;
	n = sl_object_bytes(o);
	s->header = (struct snapshot_header){.magic = SNAPSHOT_MAGIC,
					     .version = SNAPSHOT_VERSION,
					     .version_min = SNAPSHOT_VERSION,
					     .description_bytes = n};
	rc = put_bytes(s, &s->header, sizeof(s->header), deadline);
	if (!rc)
		rc = put_bytes(s, o, n, deadline);
	s->pos = sl_round_up(s->pos, BATCH_ALIGN);
	free(o);
	return rc;
}

static int put_batch(struct snapshotting *s, int64_t deadline)
{
	size_t n;
	uint8_t *table;
	int rc;

	if (!s->batch.n)
		return 0;
	table = batch_table(&s->batch, &n);
	if (!table)
		return -ENOMEM;
	objects_log_kind.place(table, s->objects, 0);
	rc = put_bytes(s, table, n, deadline);
	if (!rc)
		rc = put_bytes(s, s->batch.data, s->batch.len, deadline);
	free(table);
	s->objects += s->batch.n;
	batch_done(&s->batch);
	return rc;
}

static int put_object(struct snapshotting *s, const struct objects_hit *hit, int64_t deadline)
{
	size_t n = sl_object_bytes(hit->object);
	uint8_t *room;
	int rc = batch_add(&s->batch, BATCH_PUT, &hit->key, hit->version + 1, n, &room);

	if (rc)
		return rc;
	memcpy(room, hit->object, n);
	return batch_full(&s->batch) ? put_batch(s, deadline) : 0;
}

static int put_objects(struct snapshotting *s, struct collection *c, int64_t deadline)
{
	int rc = 0;

	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		struct objects_hit hit = {0};

		if (!c->rows.at[row].place)
			continue;
		rc = object_load(c, row, &hit, deadline);
		if (!rc)
			rc = put_object(s, &hit, deadline);
		objects_release(&hit, 1);
		if (row % 32 == 0)
			sl_fiber_yield(deadline);
	}
	return rc ? rc : put_batch(s, deadline);
}

/* ---- making one ------------------------------------------------------------------------- */

static int write_all(struct snapshotting *s, struct collection *c, int64_t deadline)
{
	struct snapshot_footer f = {.magic = SNAPSHOT_END};
	int rc = put_description(s, c, deadline);

	if (!rc)
		rc = put_objects(s, c, deadline);
	f.objects = s->objects;
	f.bytes = s->pos;
	f.sum = sum_of(&s->header, &f);
	if (!rc)
		rc = put_bytes(s, &f, sizeof(f), deadline);
	return rc ? rc : sl_fsync(s->fd, false, SL_FAULT(SYNC_OBJECTS_SNAPSHOT), deadline);
}

static int folder_of(struct collection *c, int64_t deadline)
{
	int rc = sl_mkdir(c->dir, FOLDER, 0700, deadline);

	if (!rc)
		rc = sl_fsync(c->dir, false, SL_FAULT(SYNC_OBJECTS_SNAPSHOT_FOLDER), deadline);
	if (rc && rc != -EEXIST)
		return rc;
	return sl_open(c->dir, FOLDER, O_RDONLY | O_DIRECTORY, 0, deadline);
}

static int snapshot_write(struct snapshotting *s, struct collection *c, int dir, int64_t deadline)
{
	int rc;

	s->fd = sl_open(dir, UNDER_WAY, O_RDWR | O_CREAT | O_TRUNC, 0600, deadline);
	if (s->fd < 0)
		return s->fd;
	rc = write_all(s, c, deadline);
	sl_close(s->fd);
	batch_done(&s->batch);
	if (!rc)
		rc = sl_rename(dir, UNDER_WAY, dir, s->snapshot->name, deadline);
	if (!rc)
		rc = sl_fsync(dir, false, SL_FAULT(SYNC_OBJECTS_SNAPSHOT_FOLDER), deadline);
	if (rc)
		sl_unlink(dir, UNDER_WAY, 0, SL_NEVER);
	return rc;
}

static int create_here(struct collection *c, void *visit, int64_t deadline)
{
	struct snapshotting *s = visit;
	int rc, dir = folder_of(c, deadline);

	if (dir < 0)
		return dir;
	rc = sl_mutex_lock(&c->writing, deadline);
	if (!rc) {
		rc = pending_drain(c, deadline);
		s->snapshot->created_ms = wall_ms();
		snprintf(s->snapshot->name, sizeof(s->snapshot->name), "%.200s-%lld" SUFFIX,
			 c->own->pub.name, (long long)s->snapshot->created_ms);
		if (!rc)
			rc = snapshot_write(s, c, dir, deadline);
		sl_mutex_unlock(&c->writing);
	}
	sl_close(dir);
	s->snapshot->bytes = s->pos;
	return rc;
}

int objects_snapshot_create(struct objects *o, const char *name,
			    struct sl_objects_snapshot *ret_snapshot, int64_t deadline)
{
	struct sl_objects_snapshot snapshot = {0};
	struct snapshotting s = {.snapshot = &snapshot};
	int rc = visit(o, name, create_here, &s.visit, deadline);

	if (!rc)
		*ret_snapshot = snapshot;
	return rc;
}

/* ---- those there are -------------------------------------------------------------------- */

struct listing {
	struct visit visit;
	int dir;
	struct sl_objects_snapshot *at;
	uint32_t n;
};

static int list_entry(void *arg, const char *name, int type)
{
	struct listing *l = arg;
	struct sl_objects_snapshot *at;
	struct statx stx;

	if (type != DT_REG || !snapshot_name_ok(name) || sl_stat_now(l->dir, name, &stx))
		return 0;
	at = realloc(l->at, (l->n + 1) * sizeof(*at));
	if (!at)
		return -ENOMEM;
	l->at = at;
	at = &at[l->n++];
	snprintf(at->name, sizeof(at->name), "%s", name);
	at->bytes = stx.stx_size;
	at->created_ms = stx.stx_mtime.tv_sec * 1000 + stx.stx_mtime.tv_nsec / SL_MSEC;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct sl_objects_snapshot *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int list_here(struct collection *c, void *visit, int64_t deadline)
{
	struct listing *l = visit;
	int rc;

	l->dir = sl_open(c->dir, FOLDER, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (l->dir == -ENOENT)
		return 0;
	if (l->dir < 0)
		return l->dir;
	rc = sl_list_folder(l->dir, list_entry, l);
	sl_close(l->dir);
	if (rc)
		free(l->at);
	else if (l->n)
		qsort(l->at, l->n, sizeof(*l->at), by_time);
	return rc;
}

int objects_snapshot_list(struct objects *o, const char *name,
			  struct sl_objects_snapshot **ret_snapshots, uint32_t *ret_n,
			  int64_t deadline)
{
	struct listing l = {0};
	int rc = visit(o, name, list_here, &l.visit, deadline);

	if (rc)
		return rc;
	*ret_snapshots = l.at;
	*ret_n = l.n;
	return 0;
}

int objects_snapshot_delete(struct objects *o, const char *name, const char *snapshot,
			    int64_t deadline)
{
	char path[PATH_BYTES];
	int rc = snapshot_path(o, name, snapshot, path);

	return rc ? rc : sl_unlink(o->dir, path, 0, deadline);
}

/* ---- reading ---------------------------------------------------------------------------- */

static void file_gone(struct sl_file *file)
{
	sl_close(file->fd);
	free(file);
}

int objects_snapshot_open(struct objects *o, const char *name, const char *snapshot,
			  struct sl_extent *ret_extent, int64_t deadline)
{
	char path[PATH_BYTES];
	struct sl_file *file;
	struct statx stx;
	int fd, rc = snapshot_path(o, name, snapshot, path);

	if (rc)
		return rc;
	fd = sl_open(o->dir, path, O_RDONLY, 0, deadline);
	if (fd < 0)
		return fd;
	rc = sl_stat(fd, "", &stx, deadline);
	file = rc ? NULL : calloc(1, sizeof(*file));
	if (!rc)
		rc = file ? sl_file_init(file, fd, file_gone) : -ENOMEM;
	if (rc) {
		free(file);
		sl_close(fd);
		return rc;
	}
	*ret_extent = (struct sl_extent){file, 0, stx.stx_size};
	return 0;
}

/**
 * struct restoring - a snapshot that is read.
 * @end: where the footer begins. @put: objects are written; else they are only looked at. @ops:
 * room for those of a batch.
 */
struct restoring {
	struct objects *o;
	const char *name;
	int fd;
	uint64_t pos, end, objects;
	struct snapshot_footer footer;
	struct described *described;
	bool put;
	uint8_t *buf;
	size_t buf_n;
	struct sl_objects_op *ops;
};

static int get_bytes(struct restoring *r, size_t n, int64_t deadline)
{
	int rc;

	if (n > r->end - r->pos)
		return -EBADMSG;
	if (n > r->buf_n) {
		free(r->buf);
		r->buf_n = sl_round_up(n, BATCH_ALIGN);
		r->buf = aligned_alloc(BATCH_ALIGN, r->buf_n);
		if (!r->buf) {
			r->buf_n = 0;
			return -ENOMEM;
		}
	}
	rc = sl_read_all(r->fd, r->buf, n, r->pos, deadline);
	return rc == -ENODATA ? -EBADMSG : rc;
}

static int get_description(struct restoring *r, int64_t deadline)
{
	struct snapshot_header h;
	int rc = get_bytes(r, sizeof(h), deadline);

	if (rc)
		return rc;
	memcpy(&h, r->buf, sizeof(h));
	if (h.magic != SNAPSHOT_MAGIC || r->footer.sum != sum_of(&h, &r->footer))
		return -EBADMSG;
	if (h.version_min > SNAPSHOT_VERSION)
		return -EPROTONOSUPPORT;
	if (h.description_bytes > SL_OBJECT_BYTES_MAX)
		return -EBADMSG;
	r->pos = sizeof(h);
	rc = get_bytes(r, h.description_bytes, deadline);
	if (!rc && !r->described)
		rc = described_decode(r->buf, h.description_bytes, &r->described);
	r->pos = sl_round_up(r->pos + h.description_bytes, BATCH_ALIGN);
	return rc;
}

/* The objects of a batch at r->buf. */
static int get_objects(struct restoring *r, const struct sl_frame *frame, const uint8_t *entries,
		       int64_t deadline)
{
	for (uint32_t i = 0; i < frame->records; i++) {
		struct batch_entry e;
		const struct sl_object *o;

		entry_load(entries, i, &e);
		if (e.op != BATCH_PUT || e.at > frame->bytes || e.bytes > frame->bytes - e.at ||
		    sl_object_open(r->buf + e.at, e.bytes, &o))
			return -EBADMSG;
		r->ops[i] = (struct sl_objects_op){.kind = SL_OBJECTS_PUT, .object = o};
	}
	r->objects += frame->records;
	if (!r->put)
		return 0;
	return objects_write(r->o, r->name, r->ops, frame->records, true, NULL, deadline);
}

static int get_batch(struct restoring *r, int64_t deadline)
{
	const uint8_t *entries;
	struct sl_frame frame;
	bool whole;
	int rc = get_bytes(r, BATCH_HEADER_BYTES, deadline);

	if (!rc)
		rc = objects_log_kind.frame(r->buf, &frame);
	if (!rc)
		rc = frame.base == r->objects && !frame.epoch ? get_bytes(r, frame.bytes, deadline)
							      : -EBADMSG;
	if (!rc)
		rc = batch_read(r->buf, frame.bytes, &frame, &entries, &whole);
	if (!rc)
		rc = whole ? get_objects(r, &frame, entries, deadline) : -EBADMSG;
	r->pos += rc ? 0 : frame.bytes;
	return rc;
}

static int get_footer(struct restoring *r, int64_t deadline)
{
	struct snapshot_footer *f = &r->footer;
	struct statx stx;
	int rc = sl_stat(r->fd, "", &stx, deadline);

	if (rc)
		return rc;
	if (stx.stx_size < SNAPSHOT_HEADER + SNAPSHOT_FOOTER)
		return -EBADMSG;
	r->end = stx.stx_size - SNAPSHOT_FOOTER;
	rc = sl_read_all(r->fd, f, sizeof(*f), r->end, deadline);
	if (rc)
		return rc;
	return f->magic == SNAPSHOT_END && f->bytes == r->end ? 0 : -EBADMSG;
}

/* From the first byte to the last, with r->put or without. */
static int get_all(struct restoring *r, int64_t deadline)
{
	int rc = get_footer(r, deadline);

	r->pos = r->objects = 0;
	if (!rc)
		rc = get_description(r, deadline);
	while (!rc && r->pos < r->end)
		rc = get_batch(r, deadline);
	if (!rc && r->footer.objects != r->objects)
		rc = -EBADMSG;
	return rc;
}

/* ---- restoring -------------------------------------------------------------------------- */

/* Nobody sees the collection before it is whole, nor does it replace anything until then. */
static int restore_draft(struct restoring *r, char *why, size_t why_len, int64_t deadline)
{
	char draft[DRAFT_NAME_BYTES];
	const char *name = r->name;
	int rc = draft_create(r->o, &r->described->pub.conf, draft, why, why_len, deadline);

	if (rc)
		return rc;
	r->name = draft;
	r->put = true;
	rc = get_all(r, deadline);
	if (!rc)
		rc = draft_publish(r->o, draft, name, deadline);
	if (rc)
		objects_delete(r->o, draft, SL_NEVER);
	return rc;
}

static int restore(struct restoring *r, char *why, size_t why_len, int64_t deadline)
{
	int rc;

	if (!name_ok(r->name)) {
		snprintf(why, why_len, "a collection cannot have that name");
		return -EINVAL;
	}
	rc = get_all(r, deadline);
	if (rc == -EBADMSG)
		snprintf(why, why_len, "the file is no snapshot of a collection, or is damaged");
	return rc ? rc : restore_draft(r, why, why_len, deadline);
}

/* Of the file @fd. */
static int restore_file(struct objects *o, const char *name, int fd, char *why, size_t why_len,
			int64_t deadline)
{
	struct restoring r = {.o = o, .name = name, .fd = fd};
	int rc;

	if (why_len)
		why[0] = 0;
	r.ops = calloc(BATCH_OPS_MAX, sizeof(*r.ops));
	rc = r.ops ? restore(&r, why, why_len, deadline) : -ENOMEM;
	free(r.described);
	free(r.buf);
	free(r.ops);
	return rc;
}

int objects_snapshot_restore(struct objects *o, const char *name, int dir, const char *path,
			     char *why, size_t why_len, int64_t deadline)
{
	int rc, fd = sl_open(dir, path, O_RDONLY, 0, deadline);

	if (fd < 0)
		return fd;
	rc = restore_file(o, name, fd, why, why_len, deadline);
	sl_close(fd);
	return rc;
}

/* ---- uploads ---------------------------------------------------------------------------- */

struct objects_upload {
	struct objects *o;
	int fd;
	uint64_t bytes;
};

/* Opens a file without a name. */
static int upload_open(struct objects *o, int64_t deadline)
{
	uint8_t random[SL_OBJECT_UUID_BYTES];
	char name[sizeof(OBJECTS_UPLOAD) + ID_TEXT_BYTES] = OBJECTS_UPLOAD;
	int fd, rc;

	sl_random(random, sizeof(random));
	id_print(random, name + strlen(name));
	fd = sl_open(o->dir, name, O_RDWR | O_CREAT | O_EXCL, 0600, deadline);
	if (fd < 0)
		return fd;
	rc = sl_unlink(o->dir, name, 0, deadline);
	if (!rc)
		return fd;
	sl_close(fd);
	return rc;
}

int objects_upload_new(struct objects *o, struct objects_upload **ret_upload, int64_t deadline)
{
	struct objects_upload *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->o = o;
	u->fd = upload_open(o, deadline);
	if (u->fd < 0) {
		int rc = u->fd;

		free(u);
		return rc;
	}
	*ret_upload = u;
	return 0;
}

int objects_upload_write(struct objects_upload *u, const void *data, size_t n, int64_t deadline)
{
	int rc = sl_write_all(u->fd, data, n, u->bytes, deadline);

	if (!rc)
		u->bytes += n;
	return rc;
}

int objects_upload_restore(struct objects_upload *u, const char *name, char *why, size_t why_len,
			   int64_t deadline)
{
	return restore_file(u->o, name, u->fd, why, why_len, deadline);
}

void objects_upload_free(struct objects_upload *u)
{
	if (!u)
		return;
	sl_close_large(u->fd, u->bytes, SL_NEVER);
	free(u);
}
