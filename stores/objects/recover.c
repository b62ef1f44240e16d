/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover: what a collection's log holds, brought into memory when it is opened.
 *
 * Interface: collection_recover(), payload_complete() of objects_pvt.h. The log is read once, in
 * order. Below the offset of the checkpoint, if there is one, an operation is of use only if it
 * put what a row of the checkpoint holds: that row gets its vectors, and the checkpoint's indexes
 * then know it. From there on operations are applied as they were.
 * Invariants: the log alone gives the same objects; a checkpoint that is damaged costs time only.
 *
 * Order of parts: rows of a checkpoint; operations; the log; indexes; payloads.
 */
#include "objects_pvt.h"

/* ---- rows of a checkpoint --------------------------------------------------------------- */

/* A row of the checkpoint that is not found yet. */
struct wanted {
	uint64_t place;
	uint32_t row;
};

/**
 * struct recovery - the opening of a collection.
 * @checkpoint: zeroed: there is none. @wanted: its rows, by offset; @next: the first one whose
 * operation was not passed. @buf: what is read of the log. @payload: payload indexes are those of
 * the checkpoint. @replaying: what comes is applied; before, only what lies below the checkpoint's
 * offset is looked at.
 */
struct recovery {
	struct collection *c;
	struct checkpoint checkpoint;
	struct wanted *wanted;
	uint32_t wanted_n, next;
	uint8_t *buf;
	size_t buf_n;
	bool payload, replaying;
};

static int by_offset(const void *a, const void *b)
{
	uint64_t x = ((const struct wanted *)a)->place & ROW_OFFSET_MASK;
	uint64_t y = ((const struct wanted *)b)->place & ROW_OFFSET_MASK;

	return (x > y) - (x < y);
}

static int wanted_make(struct recovery *r)
{
	const struct checkpoint *k = &r->checkpoint;

	r->wanted = calloc((size_t)k->rows + 1, sizeof(*r->wanted));
	if (!r->wanted)
		return -ENOMEM;
	for (uint32_t row = 0; row < k->rows; row++) {
		uint64_t place = sl_load_le64(k->places + 8 * (size_t)row);

		if (place)
			r->wanted[r->wanted_n++] = (struct wanted){place, row};
	}
	qsort(r->wanted, r->wanted_n, sizeof(*r->wanted), by_offset);
	return 0;
}

/* ---- operations ------------------------------------------------------------------------- */

static uint64_t version_of(const struct batch_entry *e, uint64_t offset)
{
	return e->version ? e->version - 1 : offset;
}

/* The row of the checkpoint that operation @offset put; SL_ROW_NONE: none. */
static uint32_t wanted_row(struct recovery *r, uint64_t offset)
{
	while (r->next < r->wanted_n && (r->wanted[r->next].place & ROW_OFFSET_MASK) < offset)
		r->next++;
	if (r->next < r->wanted_n && (r->wanted[r->next].place & ROW_OFFSET_MASK) == offset)
		return r->wanted[r->next].row;
	return SL_ROW_NONE;
}

/* Fills the row of the checkpoint that holds @o. */
static void row_restore(struct recovery *r, uint32_t row, uint64_t offset,
			const struct batch_entry *e, const struct sl_object *o)
{
	struct collection *c = r->c;
	struct row *to = &c->rows.at[row];

	*to = (struct row){.version = version_of(e, offset),
			   .place = row_place(offset, e->kind),
			   .at = e->at,
			   .bytes = e->bytes};
	memcpy(to->key, e->key, sizeof(to->key));
	rows_enter(&c->rows, row);
	c->live_bytes += e->bytes;
	for (uint32_t i = 0; i < c->vectors_n; i++)
		if (vector_put(c->vectors[i], row, o))
			vector_claim(c->vectors[i], row);
	if (!r->payload && collection_has_payload(c) && sl_payload_add(c->payload, row, o))
		c->stale = true;
}

/* What operation @offset, which was not damaged, does from the checkpoint on. */
static int op_replay(struct recovery *r, uint64_t offset, const struct batch_entry *e,
		     const struct sl_object *o, int64_t deadline)
{
	struct collection *c = r->c;
	struct objects_key key = entry_key(e);
	struct objects_hit old = {0};
	uint32_t row;
	int rc;

	row = rows_find(&c->rows, &key);
	if (row != SL_ROW_NONE && e->version && c->rows.at[row].version == e->version - 1) {
		apply_move(c, row, offset, e->at);
		return 0;
	}
	if (row != SL_ROW_NONE && collection_has_payload(c)) {
		rc = object_load(c, row, &old, deadline);
		if (rc && rc != -EBADMSG)
			return rc;
	}
	rc = e->op == BATCH_PUT ? collection_reserve(c, (uint64_t)c->rows.n + 1) : 0;
	if (!rc && e->op == BATCH_PUT)
		apply_put(c, &key, offset, version_of(e, offset), e->at, o, old.object);
	else if (!rc)
		apply_delete(c, &key, old.object);
	objects_release(&old, 1);
	c->changed++;
	return rc;
}

static bool is_objects(const struct sl_object *o, const struct batch_entry *e)
{
	return sl_object_bytes(o) == e->bytes && has_key(o, (enum sl_key_kind)e->kind, e->key);
}

/* Operation @i of the batch at @p. */
static int op_read(struct recovery *r, const uint8_t *p, const struct sl_frame *frame,
		   const uint8_t *entries, uint32_t i, int64_t deadline)
{
	uint64_t offset = frame->base + i;
	const struct sl_object *o = NULL;
	struct batch_entry e;
	uint32_t row = SL_ROW_NONE;

	/* What is read may reach over the checkpoint's offset: that comes again. */
	if (!r->replaying && offset >= r->checkpoint.offset)
		return 0;
	entry_load(entries, i, &e);
	if (!r->replaying) {
		row = wanted_row(r, offset);
		if (row == SL_ROW_NONE)
			return 0;
	}
	if (e.kind == SL_KEY_NONE || e.kind >= SL_KEY_LAST ||
	    (e.op != BATCH_PUT && e.op != BATCH_DELETE) ||
	    (e.op == BATCH_PUT && (e.at > frame->bytes || e.bytes > frame->bytes - e.at ||
				   sl_object_open(p + e.at, e.bytes, &o) || !is_objects(o, &e)))) {
		r->c->lost++;
		return 0;
	}
	if (r->replaying)
		return op_replay(r, offset, &e, o, deadline);
	if (o)
		row_restore(r, row, offset, &e, o);
	return 0;
}

/* ---- the log ---------------------------------------------------------------------------- */

/* All batches in the @n bytes at @p. */
static int batches_read(struct recovery *r, const uint8_t *p, size_t n, int64_t deadline)
{
	int rc = 0;

	while (n && !rc) {
		const uint8_t *entries;
		struct sl_frame frame;
		bool whole;

		rc = batch_read(p, n, &frame, &entries, &whole);
		if (rc == -EBADMSG && (n < BATCH_HEADER_BYTES ||
				       objects_log_kind.frame(p, &frame) || frame.bytes > n))
			return rc;
		if (rc) {
			/* Not even what it put can be told. */
			r->c->lost += frame.records;
			rc = 0;
		} else {
			for (uint32_t i = 0; i < frame.records && !rc; i++)
				rc = op_read(r, p, &frame, entries, i, deadline);
		}
		p += frame.bytes;
		n -= frame.bytes;
	}
	return rc;
}

static int span_read(struct recovery *r, const struct sl_span *span, int64_t deadline)
{
	size_t n = span->extent.len;
	int rc;

	if (n > r->buf_n) {
		free(r->buf);
		r->buf_n = sl_round_up(n, 4096);
		r->buf = aligned_alloc(4096, r->buf_n);
		if (!r->buf) {
			r->buf_n = 0;
			return -ENOMEM;
		}
	}
	rc = sl_read_all(span->extent.file->fd, r->buf, n, span->extent.off, deadline);
	return rc ? rc : batches_read(r, r->buf, n, deadline);
}

/* Reads the log from @from to @to. */
static int log_read(struct recovery *r, uint64_t from, uint64_t to, int64_t deadline)
{
	struct collection *c = r->c;
	uint64_t at = sl_max(from, sl_log_start(c->log));

	to = sl_min(to, sl_log_durable(c->log));
	while (at < to) {
		struct sl_span span;
		int rc, n = sl_log_read(c->log, at, BATCH_BYTES, NULL, &span, 1, deadline);

		if (n == -EBADMSG) {
			/* Quarantined: what it said is lost, what comes later is not. */
			c->lost++;
			at++;
			continue;
		}
		if (n <= 0)
			return n;
		sl_file_held(span.extent.file);
		rc = span_read(r, &span, deadline);
		sl_file_release(span.extent.file);
		if (rc == -EBADMSG)
			c->lost++;
		else if (rc)
			return rc;
		if (span.base >= r->checkpoint.offset)
			c->since += span.extent.len;
		at = span.next;
		sl_fiber_yield(deadline);
	}
	return 0;
}

/* ---- indexes ---------------------------------------------------------------------------- */

/* Rows that have the vector and are not in @tail are in the index that was saved. */
static int vector_restore(struct recovery *r, uint32_t i)
{
	const struct checkpoint *k = &r->checkpoint;
	struct vector *v = r->c->vectors[i];
	const struct sl_index_conf conf = vector_index_conf(v->conf);
	struct run run = {k->indexes[i], k->index_bytes[i]};
	int rc = -ENOENT;

	if (k->tails[i] && run.n)
		rc = sl_index_load(&conf, &v->rows, run_read, &run, &v->main);
	if (rc && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	return vector_settle(v, k->rows, rc ? NULL : k->tails[i]);
}

static int indexes_restore(struct recovery *r)
{
	struct collection *c = r->c;
	int rc = 0;

	for (uint32_t i = 0; i < c->vectors_n && !rc; i++)
		rc = vector_restore(r, i);
	for (uint32_t row = 0; row < r->checkpoint.rows && !rc; row++) {
		uint64_t place = sl_load_le64(r->checkpoint.places + 8 * (size_t)row);

		if (c->rows.at[row].place)
			continue;
		if (place)
			c->lost++;
		/* What payload indexes say of a row that is lost cannot be taken back. */
		if (place && r->payload && collection_has_payload(c))
			c->retired++;
		else
			c->rows.free[c->rows.free_n++] = row;
	}
	return rc;
}

static int checkpoint_use(struct recovery *r, int64_t deadline)
{
	struct collection *c = r->c;
	const struct checkpoint *k = &r->checkpoint;
	struct run run = {k->payload, k->payload_bytes};
	int rc = wanted_make(r);

	if (!rc)
		rc = collection_reserve(c, k->rows);
	if (rc)
		return rc;
	c->rows.n = k->rows;
	memset(c->rows.at, 0, k->rows * sizeof(*c->rows.at));
	if (run.n) {
		rc = collection_payload_load(c, &run);
		if (rc == -ENOMEM)
			return rc;
		r->payload = !rc;
		rc = rc ? collection_payload_new(c) : 0;
	}
	if (!rc && !r->payload)
		rc = payload_declare(c);
	if (!rc)
		rc = log_read(r, 0, k->offset, deadline);
	return rc ? rc : indexes_restore(r);
}

int collection_recover(struct collection *c, int64_t deadline)
{
	struct recovery r = {.c = c};
	int rc = checkpoint_load(c, &r.checkpoint, deadline);

	/* One that is of later than the log is has nothing to do with it. */
	if (!rc && r.checkpoint.offset > sl_log_durable(c->log)) {
		checkpoint_done(&r.checkpoint);
		rc = -EBADMSG;
	}
	if (rc == -EBADMSG)
		objects_tell(c->cs, OBJECTS_REBUILT, c->own->pub.name, rc);
	if (rc && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	rc = rc ? payload_declare(c) : checkpoint_use(&r, deadline);
	r.replaying = true;
	if (!rc)
		rc = log_read(&r, r.checkpoint.offset, UINT64_MAX, deadline);
	c->applied = sl_log_durable(c->log);
	if (!rc && c->lost)
		objects_tell(c->cs, OBJECTS_LOST, c->own->pub.name, (int64_t)c->lost);
	checkpoint_done(&r.checkpoint);
	free(r.wanted);
	free(r.buf);
	return rc;
}

/* ---- payloads --------------------------------------------------------------------------- */

int payload_declare(struct collection *c)
{
	const struct objects_collection_conf *conf = &c->own->pub.conf;
	int rc = 0;

	for (uint32_t i = 0; i < conf->indexes_n && !rc; i++) {
		const struct sl_payload_conf *x = &conf->indexes[i];

		rc = sl_payload_index_add(c->payload, x);
		if (!rc)
			sl_payload_index_ready(c->payload, x->path, x->type);
	}
	return rc;
}

bool payload_same(const struct sl_payload_conf *a, const struct sl_payload_conf *b)
{
	return a->type == b->type && strcmp(a->path, b->path) == 0 &&
	       a->tokeniser.kind == b->tokeniser.kind &&
	       a->tokeniser.keep_case == b->tokeniser.keep_case &&
	       a->tokeniser.min == b->tokeniser.min && a->tokeniser.max == b->tokeniser.max;
}

static bool payload_has(const struct collection *c, const struct sl_payload_conf *conf)
{
	const struct sl_payload_conf *x;
	bool ready;

	for (uint32_t i = 0; (x = sl_payload_index_at(c->payload, i, &ready)); i++)
		if (ready && payload_same(x, conf))
			return true;
	return false;
}

static bool payload_is_complete(const struct collection *c)
{
	const struct objects_collection_conf *conf = &c->own->pub.conf;

	for (uint32_t i = 0; i < conf->indexes_n; i++)
		if (!payload_has(c, &conf->indexes[i]))
			return false;
	return true;
}

/* Puts all objects into @payload, while nobody writes. */
static int payload_fill(struct collection *c, struct sl_payload *payload, int64_t deadline)
{
	int rc = 0;

	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		struct objects_hit hit = {0};

		if (!c->rows.at[row].place)
			continue;
		rc = object_load(c, row, &hit, deadline);
		if (rc == -EBADMSG) {
			rc = 0;
			continue;
		}
		if (!rc)
			rc = sl_payload_add(payload, row, hit.object);
		objects_release(&hit, 1);
		if (row % 32 == 0)
			sl_fiber_yield(deadline);
	}
	return rc;
}

int payload_complete(struct collection *c, int64_t deadline)
{
	struct sl_payload *old;
	int rc;

	if (payload_is_complete(c))
		return 0;
	rc = sl_mutex_lock(&c->writing, deadline);
	if (rc)
		return rc;
	rc = pending_drain(c, deadline);
	/* The old one answers until the new one is whole. */
	old = c->payload;
	c->payload = NULL;
	if (!rc)
		rc = collection_payload_new(c);
	if (!rc)
		rc = payload_declare(c);
	if (!rc) {
		struct sl_payload *fresh = c->payload;

		c->payload = old;
		rc = payload_fill(c, fresh, deadline);
		c->payload = fresh;
	}
	if (rc) {
		sl_payload_free(c->payload);
		c->payload = old;
	} else {
		sl_payload_free(old);
		c->retired = 0;
		c->changed++;
	}
	sl_mutex_unlock(&c->writing);
	return rc;
}
