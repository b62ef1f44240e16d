/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read: objects by key, out of the log into memory that is held.
 *
 * Interface: "keys and held objects" and objects_get() of objects.h, object_load().
 * Invariants: what is given out was verified since it came from the file. An object that is moved
 * while it is read is looked for again, at its new place.
 *
 * Order of parts: keys; held objects; loading; by key.
 */
#include "objects_pvt.h"

/* ---- keys ------------------------------------------------------------------------------- */

struct sl_filter_key objects_key_integer(uint64_t key)
{
	struct sl_filter_key k = {.kind = SL_KEY_INTEGER};

	sl_store_le64(k.key, key);
	return k;
}

struct sl_filter_key objects_key_uuid(const uint8_t uuid[SL_OBJECT_UUID_BYTES])
{
	struct sl_filter_key k = {.kind = SL_KEY_UUID};

	memcpy(k.key, uuid, sizeof(k.key));
	return k;
}

int objects_key_compare(const struct sl_filter_key *a, const struct sl_filter_key *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == SL_KEY_INTEGER) {
		uint64_t x = sl_load_le64(a->key), y = sl_load_le64(b->key);

		return (x > y) - (x < y);
	}
	return memcmp(a->key, b->key, sizeof(a->key));
}

/* ---- held objects ----------------------------------------------------------------------- */

/* What the arena has no block for lies on the heap. */
struct heap_buf {
	struct sl_buf buf; /* first */
	uint8_t *data;
};

static void heap_gone(struct sl_buf *buf)
{
	struct heap_buf *h = (struct heap_buf *)buf;

	free(h->data);
	free(h);
}

static struct sl_buf *heap_new(size_t bytes)
{
	struct heap_buf *h = malloc(sizeof(*h));
	size_t room = sl_round_up(bytes, SL_OBJECT_ALIGN);

	if (!h)
		return NULL;
	h->data = aligned_alloc(SL_OBJECT_ALIGN, room);
	if (!h->data) {
		free(h);
		return NULL;
	}
	sl_buf_init(&h->buf, h->data, room, heap_gone);
	return &h->buf;
}

static struct sl_buf *room_for(size_t bytes)
{
	struct sl_buf *buf = bytes <= SL_BUF_BYTES_MAX ? sl_buf_new(bytes) : NULL;

	return buf ? buf : heap_new(bytes);
}

void objects_release(struct objects_hit *hits, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sl_buf_release(hits[i].buf);
		hits[i].buf = NULL;
		hits[i].object = NULL;
	}
}

/* ---- loading ---------------------------------------------------------------------------- */

/* The @bytes at @at of the batch that holds @offset. */
static int place_read(struct collection *c, uint64_t offset, uint32_t at, void *p, size_t bytes,
		      int64_t deadline)
{
	struct sl_span span;
	int rc = sl_log_read(c->log, offset, 1, NULL, &span, 1, deadline);

	if (rc <= 0)
		return rc ? rc : -ERANGE;
	sl_file_held(span.extent.file);
	rc = at + (uint64_t)bytes > span.extent.len
		     ? -EBADMSG
		     : sl_read_all(span.extent.file->fd, p, bytes, span.extent.off + at, deadline);
	sl_file_release(span.extent.file);
	return rc;
}

int object_open(const void *p, const struct row *row, const struct sl_object **ret_object)
{
	int rc = sl_object_open(p, row->bytes, ret_object);

	if (rc)
		return rc;
	return has_key(*ret_object, row_kind(row), row->key) ? 0 : -EBADMSG;
}

int object_load(struct collection *c, uint32_t row, struct objects_hit *ret_hit, int64_t deadline)
{
	struct sl_filter_key key;
	struct sl_buf *buf;
	struct row now;
	int rc;

	if (row >= c->rows.n || !c->rows.at[row].place)
		return -ENOENT;
	key = row_key(&c->rows.at[row]);
	do {
		now = c->rows.at[row];
		buf = room_for(now.bytes);
		if (!buf)
			return -ENOMEM;
		rc = place_read(c, row_offset(&now), now.at, buf->data, now.bytes, deadline);
		if (!rc)
			rc = object_open(buf->data, &now, &ret_hit->object);
		if (!rc)
			break;
		sl_buf_release(buf);
		ret_hit->object = NULL;
		/* It may have been moved or replaced meanwhile, and its place trimmed. */
		row = rows_find(&c->rows, &key);
		if (row == SL_ROW_NONE)
			return -ENOENT;
	} while (c->rows.at[row].place != now.place);
	if (rc)
		return rc == -ERANGE || rc == -ENODATA ? -EBADMSG : rc;
	ret_hit->buf = buf;
	ret_hit->key = key;
	ret_hit->version = now.version;
	return 0;
}

/* ---- by key ----------------------------------------------------------------------------- */

struct get {
	struct visit visit;
	const struct sl_filter_key *keys;
	uint32_t n;
	struct objects_hit *hits;
};

static int get_here(struct collection *c, void *visit, int64_t deadline)
{
	struct get *g = visit;
	uint64_t bytes = 0;
	int rc = 0;

	for (uint32_t i = 0; i < g->n && !rc; i++) {
		uint32_t row = rows_find(&c->rows, &g->keys[i]);

		g->hits[i] = (struct objects_hit){.key = g->keys[i]};
		if (row == SL_ROW_NONE)
			continue;
		bytes += c->rows.at[row].bytes;
		rc = bytes > SL_OBJECTS_BYTES_MAX ? -E2BIG
						  : object_load(c, row, &g->hits[i], deadline);
		if (rc == -ENOENT)
			rc = 0;
		if (rc)
			objects_release(g->hits, i);
	}
	return rc;
}

int objects_get(struct objects *o, const char *name, const struct sl_filter_key *keys, uint32_t n,
		struct objects_hit *ret_hits, int64_t deadline)
{
	struct get g = {.keys = keys, .n = n, .hits = ret_hits};

	return visit(o, name, get_here, &g.visit, deadline);
}
