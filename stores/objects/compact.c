/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact: gives back what replaced and deleted objects take of a log.
 *
 * Interface: compaction_due(), collection_compact() of objects_pvt.h. Another segment is begun;
 * what is live is appended once more, at the end, with the version that it had; then, when a
 * checkpoint says where everything lies now, the log is trimmed.
 * Invariants: an object is moved only while nothing is pending for its key; nothing is trimmed
 * before what was moved is durable and in a checkpoint, so that a start finds all of it, and its
 * indexes.
 *
 * Order of parts: when; moving; the whole.
 */
#include "objects_pvt.h"

/* ---- when ------------------------------------------------------------------------------- */

/* Less is never worth it. */
#define DEAD_BYTES_MIN (16 * SL_MIB)

/* What an object takes of a log besides its own bytes, about. */
#define AROUND_OBJECT_BYTES 128u

bool compaction_due(const struct collection *c)
{
	uint64_t live = c->live_bytes + c->rows.live * (uint64_t)AROUND_OBJECT_BYTES;

	return sl_log_bytes(c->log) > 2 * live + DEAD_BYTES_MIN;
}

/* ---- moving ----------------------------------------------------------------------------- */

struct moving {
	struct collection *c;
	struct batch batch;
	uint8_t *buf;
	size_t buf_n;
};

/* Puts the object of @e, which operation @offset put, into the batch if it is live. */
static int object_move(struct moving *m, uint64_t offset, const struct batch_entry *e,
		       const uint8_t *p, int64_t deadline)
{
	struct collection *c = m->c;
	struct sl_filter_key key = entry_key(e);
	const struct sl_object *o;
	uint8_t *room = NULL;
	uint32_t row;
	int rc = 0;

	row = rows_find(&c->rows, &key);
	if (row == SL_ROW_NONE || row_offset(&c->rows.at[row]) != offset)
		return 0;
	if (pending_has(c, key_hash(&key))) {
		rc = pending_drain(c, deadline);
		row = rows_find(&c->rows, &key);
		if (rc || row == SL_ROW_NONE || row_offset(&c->rows.at[row]) != offset)
			return rc;
	}
	/* What is damaged is gone from here on, and does not come back. */
	if (sl_object_open(p, e->bytes, &o)) {
		objects_tell(c->cs, OBJECTS_LOST, c->own->pub.name, 1);
		return batch_add(&m->batch, BATCH_DELETE, &key, 0, 0, NULL);
	}
	rc = batch_add(&m->batch, BATCH_PUT, &key, c->rows.at[row].version + 1, e->bytes, &room);
	if (!rc)
		memcpy(room, p, e->bytes);
	return rc;
}

static int batch_flush(struct moving *m, int64_t deadline)
{
	uint64_t base;

	return m->batch.n ? pending_append(m->c, &m->batch, NULL, &base, deadline) : 0;
}

/* All batches in the @n bytes at @p; with c->writing. */
static int batches_move(struct moving *m, const uint8_t *p, size_t n, int64_t deadline)
{
	int rc = 0;

	while (n && !rc) {
		const uint8_t *entries;
		struct sl_frame frame;
		bool whole;

		if (n < BATCH_HEADER_BYTES || objects_log_kind.frame(p, &frame) || frame.bytes > n)
			return 0;
		if (!batch_read(p, n, &frame, &entries, &whole)) {
			for (uint32_t i = 0; i < frame.records && !rc; i++) {
				struct batch_entry e;

				entry_load(entries, i, &e);
				if (e.op == BATCH_PUT && e.at <= frame.bytes &&
				    e.bytes <= frame.bytes - e.at)
					rc = object_move(m, frame.base + i, &e, p + e.at, deadline);
				if (!rc && batch_full(&m->batch))
					rc = batch_flush(m, deadline);
			}
		}
		p += frame.bytes;
		n -= frame.bytes;
	}
	return rc ? rc : batch_flush(m, deadline);
}

static int span_move(struct moving *m, const struct sl_span *span, int64_t deadline)
{
	struct collection *c = m->c;
	size_t n = span->extent.len;
	int rc;

	if (n > m->buf_n) {
		free(m->buf);
		m->buf_n = n;
		m->buf = malloc(n);
		if (!m->buf) {
			m->buf_n = 0;
			return -ENOMEM;
		}
	}
	rc = sl_read_all(span->extent.file->fd, m->buf, n, span->extent.off, deadline);
	if (rc)
		return rc;
	rc = sl_mutex_lock(&c->writing, deadline);
	if (rc)
		return rc;
	rc = batches_move(m, m->buf, n, deadline);
	/* At the pace of the disk. */
	if (!rc)
		rc = pending_drain(c, deadline);
	sl_mutex_unlock(&c->writing);
	return rc;
}

/* Moves what lies below @end. Return: 0; 1: others need the core; -errno. */
static int log_move(struct moving *m, uint64_t end, int64_t deadline)
{
	struct collection *c = m->c;
	uint64_t at = sl_log_start(c->log);

	while (at < end) {
		struct sl_span span;
		int rc, n;

		if (c->cs->draining || c->state != COLLECTION_OPEN)
			return 1;
		n = sl_log_read(c->log, at, BATCH_BYTES, NULL, &span, 1, deadline);
		if (n == -EBADMSG) {
			at++;
			continue;
		}
		if (n <= 0)
			return n;
		sl_file_held(span.extent.file);
		rc = span_move(m, &span, deadline);
		sl_file_release(span.extent.file);
		if (rc)
			return rc;
		at = span.next;
		sl_fiber_yield(deadline);
	}
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------- */

/* All that was written so far lies in segments that can go. @ret_end: behind it. */
static int segment_begin(struct collection *c, uint64_t *ret_end, int64_t deadline)
{
	int rc = sl_mutex_lock(&c->writing, deadline);

	if (rc)
		return rc;
	rc = pending_drain(c, deadline);
	if (!rc)
		rc = sl_log_roll(c->log, deadline);
	*ret_end = c->applied;
	sl_mutex_unlock(&c->writing);
	return rc;
}

int collection_compact(struct collection *c, int64_t deadline)
{
	struct moving m = {.c = c};
	uint64_t end = 0, before = sl_log_bytes(c->log);
	int rc = segment_begin(c, &end, deadline);

	if (!rc)
		rc = log_move(&m, end, deadline);
	batch_done(&m.batch);
	free(m.buf);
	if (!rc)
		rc = checkpoint_save(c, deadline);
	if (!rc)
		rc = sl_log_trim(c->log, end, deadline);
	far_trimmed(c);
	/* More may have been written meanwhile than was given back. */
	if (!rc)
		objects_tell(c->cs, OBJECTS_COMPACTED, c->own->pub.name,
			     (int64_t)(before - sl_min(before, sl_log_bytes(c->log))));
	return sl_min(rc, 0);
}
