/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover: what a collection's log holds, brought into memory when it is opened.
 *
 * Interface: collection_recover(), payload_complete() of objects_pvt.h. The log is read once, in
 * order. Below the offset of the checkpoint, if there is one, an operation is of use only if it
 * put what a row of the checkpoint holds: that row gets its vectors, and the checkpoint's indexes
 * then know it. Where no vectors are to be in memory the rows are as the checkpoint has them, and
 * that part of the log is not read at all. From there on operations are applied as they were.
 * Invariants: the log alone gives the same objects; a checkpoint that is damaged costs time only.
 *
 * Order of parts: rows of a checkpoint; operations; the log; indexes; without the log; the whole;
 * payloads.
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

/* The rows as the checkpoint has them, but for their keys' slots. */
static int rows_load(struct recovery *r)
{
	struct checkpoint *k = &r->checkpoint;
	struct rows *rows = &r->c->rows;
	struct run run;

	checkpoint_run(k, k->rows_at, (uint64_t)k->rows * sizeof(*rows->at), &run);
	rows->n = k->rows;
	return rows->n ? run_read(&run, rows->at, rows->n * sizeof(*rows->at)) : 0;
}

/* Puts down what is to be found in the log; the rows are free until it is. */
static int wanted_make(struct recovery *r)
{
	struct rows *rows = &r->c->rows;

	r->wanted = calloc((size_t)rows->n + 1, sizeof(*r->wanted));
	if (!r->wanted)
		return -ENOMEM;
	for (uint32_t row = 0; row < rows->n; row++) {
		if (rows->at[row].place)
			r->wanted[r->wanted_n++] = (struct wanted){rows->at[row].place, row};
		else
			rows->free[rows->free_n++] = row;
	}
	qsort(r->wanted, r->wanted_n, sizeof(*r->wanted), by_offset);
	if (rows->n)
		memset(rows->at, 0, rows->n * sizeof(*rows->at));
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

static bool bit_of(const uint8_t *bits, uint32_t row)
{
	return bits[row / 8] >> row % 8 & 1;
}

/* Vectors that may be far, of which there is no index: rows are indexed as they come, so that they
 * need never be in memory all at once. */
static bool is_made_anew(const struct recovery *r, uint32_t i)
{
	const struct vector *v = r->c->vectors[i];

	return v->rows.partial && !v->far && !r->checkpoint.index_bytes[i];
}

/* Gives @row its vector, where rows are in memory; of others those that wait to be indexed. */
static int vector_restore_row(struct recovery *r, uint32_t i, uint32_t row,
			      const struct sl_object *o)
{
	struct vector *v = r->c->vectors[i];
	bool in_tail = is_made_anew(r, i) || (v->far && bit_of(r->checkpoint.tails[i], row));
	int rc;

	if (v->far && !in_tail) {
		if (bit_of(r->checkpoint.has[i], row))
			vector_claim(v, row);
		return 0;
	}
	rc = vector_put(v, row, o);
	if (rc <= 0)
		return rc;
	if (in_tail)
		return vector_add(v, row);
	vector_claim(v, row);
	return 0;
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
		if (vector_restore_row(r, i, row, o))
			c->stale = true;
	if (!r->payload && collection_has_payload(c) && sl_payload_add(c->payload, row, o))
		c->stale = true;
}

/* What operation @offset, which was not damaged, does from the checkpoint on. */
static int op_replay(struct recovery *r, uint64_t offset, const struct batch_entry *e,
		     const struct sl_object *o, int64_t deadline)
{
	struct collection *c = r->c;
	struct sl_filter_key key = entry_key(e);
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
		far_keep_up(c, deadline);
		at = span.next;
		sl_fiber_yield(deadline);
	}
	return 0;
}

/* ---- indexes ---------------------------------------------------------------------------- */

/* Of vectors that may be far before rows are there, of others once they are. */
static int main_load(struct recovery *r, uint32_t i)
{
	struct checkpoint *k = &r->checkpoint;
	struct vector *v = r->c->vectors[i];
	const struct sl_index_conf conf = vector_index_conf(v->conf);
	struct run run;
	int rc;

	if (!k->tails[i] || !k->index_bytes[i] || v->main)
		return 0;
	checkpoint_run(k, k->index_at[i], k->index_bytes[i], &run);
	rc = sl_index_load(&conf, &v->rows, run_read, &run, &v->main);
	return rc == -EBADMSG ? 0 : rc;
}

static int far_load(struct recovery *r)
{
	int rc = 0;

	for (uint32_t i = 0; i < r->c->vectors_n && !rc; i++) {
		struct vector *v = r->c->vectors[i];

		if (!v->rows.partial)
			continue;
		rc = main_load(r, i);
		if (!rc && !vector_go_far(v)) {
			sl_index_free(v->main);
			v->main = NULL;
		}
	}
	return rc;
}

/* Rows that have the vector and are not in the tail are in the index that was saved. */
static int indexes_settle(struct recovery *r)
{
	struct checkpoint *k = &r->checkpoint;
	struct collection *c = r->c;
	int rc = 0;

	for (uint32_t i = 0; i < c->vectors_n && !rc; i++) {
		struct vector *v = c->vectors[i];

		if (is_made_anew(r, i))
			continue;
		rc = main_load(r, i);
		if (!rc)
			rc = vector_settle(v, k->rows, v->main ? k->tails[i] : NULL);
	}
	return rc;
}

/* Nothing is in @row of the checkpoint. What payload indexes say of it cannot be taken back. */
static void row_gone(struct recovery *r, uint32_t row)
{
	struct collection *c = r->c;

	c->rows.at[row].place = 0;
	if (r->payload && collection_has_payload(c))
		c->retired++;
	else
		c->rows.free[c->rows.free_n++] = row;
}

/* What an older checkpoint says of the part that was trimmed since was moved: it comes later. */
static bool is_trimmed(const struct collection *c, uint64_t place)
{
	return (place & ROW_OFFSET_MASK) < sl_log_start(c->log);
}

/* All that the checkpoint has, from the log. */
static int rows_from_log(struct recovery *r, int64_t deadline)
{
	struct collection *c = r->c;
	int rc = wanted_make(r);

	if (!rc)
		rc = log_read(r, 0, r->checkpoint.offset, deadline);
	for (uint32_t i = 0; i < r->wanted_n && !rc; i++) {
		const struct wanted *w = &r->wanted[i];

		if (c->rows.at[w->row].place)
			continue;
		c->lost += !is_trimmed(c, w->place);
		row_gone(r, w->row);
	}
	return rc;
}

/* ---- without the log -------------------------------------------------------------------- */

/* Whether the checkpoint tells all that is to be in memory. */
static bool is_enough(const struct recovery *r)
{
	const struct collection *c = r->c;

	for (uint32_t i = 0; i < c->vectors_n; i++)
		if (!c->vectors[i]->far)
			return false;
	return c->vectors_n && (r->payload || !collection_has_payload(c));
}

/* Rows of the tail are in memory. */
static int tail_restore(struct recovery *r, uint32_t row, int64_t deadline)
{
	struct collection *c = r->c;
	struct objects_hit hit = {0};
	int rc = 0;

	for (uint32_t i = 0; i < c->vectors_n && !rc; i++) {
		if (!bit_of(r->checkpoint.tails[i], row))
			continue;
		if (!hit.object)
			rc = object_load(c, row, &hit, deadline);
		if (!rc)
			rc = vector_put(c->vectors[i], row, hit.object);
		rc = rc == 1 ? vector_add(c->vectors[i], row) : rc;
	}
	objects_release(&hit, 1);
	if (rc == -EBADMSG)
		c->lost++;
	return rc == -EBADMSG ? 0 : rc;
}

static int rows_from_checkpoint(struct recovery *r, int64_t deadline)
{
	struct collection *c = r->c;
	int rc = 0;

	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		struct row *at = &c->rows.at[row];

		if (!at->place || is_trimmed(c, at->place)) {
			if (at->place)
				row_gone(r, row);
			else
				c->rows.free[c->rows.free_n++] = row;
			continue;
		}
		rows_enter(&c->rows, row);
		c->live_bytes += at->bytes;
		for (uint32_t i = 0; i < c->vectors_n; i++)
			if (bit_of(r->checkpoint.has[i], row) &&
			    !bit_of(r->checkpoint.tails[i], row))
				vector_claim(c->vectors[i], row);
		rc = tail_restore(r, row, deadline);
		if (row % 4096 == 0)
			sl_fiber_yield(deadline);
	}
	return rc;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int payload_load(struct recovery *r)
{
	struct checkpoint *k = &r->checkpoint;
	struct run run;
	int rc = -EBADMSG;

	checkpoint_run(k, k->payload_at, k->payload_bytes, &run);
	if (k->payload_bytes)
		rc = collection_payload_load(r->c, &run);
	r->payload = !rc;
	if (rc != -EBADMSG)
		return rc;
	rc = collection_payload_new(r->c);
	return rc ? rc : payload_declare(r->c);
}

static int checkpoint_use(struct recovery *r, int64_t deadline)
{
	struct collection *c = r->c;
	int rc = collection_reserve(c, r->checkpoint.rows);

	if (!rc)
		rc = rows_load(r);
	if (!rc)
		rc = payload_load(r);
	if (!rc)
		rc = far_load(r);
	if (!rc)
		rc = is_enough(r) ? rows_from_checkpoint(r, deadline) : rows_from_log(r, deadline);
	return rc ? rc : indexes_settle(r);
}

static int recover(struct recovery *r, int64_t deadline)
{
	struct collection *c = r->c;
	int rc = r->checkpoint.fd < 0 ? payload_declare(c) : checkpoint_use(r, deadline);

	r->replaying = true;
	if (!rc)
		rc = log_read(r, r->checkpoint.offset, UINT64_MAX, deadline);
	c->applied = sl_log_durable(c->log);
	free(r->wanted);
	free(r->buf);
	return rc;
}

int collection_recover(struct collection *c, int64_t deadline)
{
	struct recovery r = {.c = c};
	int rc = checkpoint_load(c, &r.checkpoint, deadline);

	if (rc && rc != -ENOENT)
		return rc;
	rc = recover(&r, deadline);
	checkpoint_done(&r.checkpoint);
	if (rc == -ESTALE) {
		/* Rows and index are not of each other. */
		objects_tell(c->cs, OBJECTS_REBUILT, c->own->pub.name, -EBADMSG);
		r = (struct recovery){.c = c, .checkpoint.fd = -1};
		rc = collection_reset(c);
		if (!rc)
			rc = recover(&r, deadline);
	}
	if (!rc && c->lost)
		objects_tell(c->cs, OBJECTS_LOST, c->own->pub.name, (int64_t)c->lost);
	return rc;
}

/* ---- payloads --------------------------------------------------------------------------- */

int payload_declare(struct collection *c)
{
	const struct sl_objects_conf *conf = &c->own->pub.conf;
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
	const struct sl_objects_conf *conf = &c->own->pub.conf;

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
