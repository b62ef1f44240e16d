/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: what operations do to a collection in memory, and the batches that wait to be durable.
 *
 * Interface: "applying" of objects_pvt.h, pending_*().
 * Invariants: operations are applied in the order of the log, when they are durable; room for them
 * was made before they were appended. Where memory runs out nevertheless the collection is stale:
 * it is opened anew, from the log, before anybody else comes in.
 *
 * Order of parts: objects; batches that wait; applying them.
 */
#include "objects_pvt.h"

/* ---- objects ---------------------------------------------------------------------------- */

void apply_vectors(struct collection *c, uint32_t row, const struct sl_object *o)
{
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		struct vector *v = c->vectors[i];
		int rc = vector_put(v, row, o);

		if (rc < 0 || (rc && vector_add(v, row)))
			c->stale = true;
	}
}

/* Nobody finds @row any more. Return: whether it may be used again. */
static bool forget(struct collection *c, uint32_t row, const struct sl_object *old)
{
	for (uint32_t i = 0; i < c->vectors_n; i++)
		vector_remove(c->vectors[i], row);
	c->live_bytes -= c->rows.at[row].bytes;
	if (!collection_has_payload(c))
		return true;
	/* One that could not be read when the indexes were made is not in them. */
	if (old) {
		sl_payload_remove(c->payload, row, old);
		return true;
	}
	/* What its properties were cannot be told: payload indexes go on to name the row. */
	c->retired++;
	return false;
}

void apply_put(struct collection *c, const struct sl_filter_key *key, uint64_t offset,
	       uint64_t version, uint32_t at, const struct sl_object *o,
	       const struct sl_object *old)
{
	uint32_t row = rows_find(&c->rows, key);

	if (row != SL_ROW_NONE && !forget(c, row, old)) {
		rows_remove(&c->rows, row, false);
		row = SL_ROW_NONE;
	}
	if (row == SL_ROW_NONE)
		row = rows_add(&c->rows, key, offset);
	c->rows.at[row].place = row_place(offset, key->kind);
	c->rows.at[row].version = version;
	c->rows.at[row].at = at;
	c->rows.at[row].bytes = (uint32_t)sl_object_bytes(o);
	far_forget(c, row);
	c->live_bytes += sl_object_bytes(o);
	apply_vectors(c, row, o);
	if (collection_has_payload(c) && sl_payload_add(c->payload, row, o))
		c->stale = true;
}

void apply_delete(struct collection *c, const struct sl_filter_key *key,
		  const struct sl_object *old)
{
	uint32_t row = rows_find(&c->rows, key);

	if (row != SL_ROW_NONE)
		rows_remove(&c->rows, row, forget(c, row, old));
}

void apply_move(struct collection *c, uint32_t row, uint64_t offset, uint32_t at)
{
	struct row *r = &c->rows.at[row];

	r->place = row_place(offset, row_kind(r));
	r->at = at;
	far_forget(c, row);
}

/* ---- batches that wait ------------------------------------------------------------------ */

void olds_free(struct sl_object **olds, uint32_t n)
{
	for (uint32_t i = 0; olds && i < n; i++)
		free(olds[i]);
	free(olds);
}

static void pending_free(struct pending *p)
{
	olds_free(p->olds, p->batch.n);
	batch_done(&p->batch);
	free(p);
}

bool pending_has(const struct collection *c, uint64_t hash)
{
	sl_list_each(n, &c->pending)
		if (batch_has(&sl_list_entry(n, struct pending, node)->batch, hash))
			return true;
	return false;
}

int pending_append(struct collection *c, struct batch *batch, struct sl_object **olds,
		   uint64_t *ret_base, int64_t deadline)
{
	struct pending *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		olds_free(olds, batch->n);
		return -ENOMEM;
	}
	sl_list_init(&p->node);
	p->batch = *batch;
	p->olds = olds;
	*batch = (struct batch){0};
	rc = collection_reserve(c, (uint64_t)c->rows.n + c->promised + p->batch.n);
	if (!rc)
		rc = batch_append(c->log, &p->batch, &p->base, deadline);
	if (rc) {
		pending_free(p);
		return rc;
	}
	c->promised += p->batch.n;
	sl_list_append(&c->pending, &p->node);
	*ret_base = p->base;
	return 0;
}

/* ---- applying them ---------------------------------------------------------------------- */

static void entry_apply(struct collection *c, const struct pending *p, uint32_t i)
{
	const struct batch_entry *e = &p->batch.entries[i];
	const struct sl_object *old = p->olds ? p->olds[i] : NULL;
	struct sl_filter_key key = entry_key(e);
	uint64_t offset = p->base + i;
	uint32_t row;

	if (e->op == BATCH_DELETE) {
		apply_delete(c, &key, old);
		return;
	}
	if (e->version) {
		row = rows_find(&c->rows, &key);
		if (row != SL_ROW_NONE)
			apply_move(c, row, offset, e->at);
		return;
	}
	/* Its memory begins where the first object does. */
	apply_put(c, &key, offset, offset, e->at,
		  (const struct sl_object *)(p->batch.data + (e->at - batch_data_at(&p->batch))),
		  old);
}

/* What compaction moved is not written anew. */
static void pending_count(const struct pending *p)
{
	uint32_t written = 0;

	for (uint32_t i = 0; i < p->batch.n; i++)
		written += !p->batch.entries[i].version;
	sl_count(SL_M_OBJECTS_WRITTEN, written);
	sl_count(SL_M_OBJECTS_BATCHES, 1);
}

static void pending_apply(struct collection *c, struct pending *p)
{
	for (uint32_t i = 0; i < p->batch.n; i++)
		entry_apply(c, p, i);
	pending_count(p);
	c->applied = p->base + p->batch.n;
	c->promised -= p->batch.n;
	c->changed += p->batch.n;
	c->since += p->batch.len + p->batch.n * (uint64_t)BATCH_ENTRY_BYTES;
	sl_list_remove(&p->node);
	pending_free(p);
}

void apply_durable(struct collection *c)
{
	uint64_t durable = sl_log_durable(c->log);
	bool lost = sl_log_failed(c->log) != 0, any = false;

	while (!sl_list_empty(&c->pending)) {
		struct pending *p = sl_list_first(&c->pending, struct pending, node);

		if (p->base + p->batch.n <= durable) {
			pending_apply(c, p);
		} else if (lost) {
			c->promised -= p->batch.n;
			sl_list_remove(&p->node);
			pending_free(p);
		} else {
			break;
		}
		any = true;
	}
	if (any)
		sl_waitq_wake_all(&c->settled, 0);
	if (any && !lost) {
		c->indexing = true;
		keeper_wake(c->cs);
	}
}

/* Whatever the caller's patience, it is written: see it through. */
static int durable_wait(struct sl_log *log, bool background, uint64_t end)
{
	if (background)
		return sl_order_wait(sl_log_order(log), end, SL_NEVER);
	/* The first who comes syncs, also for those who come meanwhile. */
	return sl_log_durable(log) >= end ? 0 : sl_log_sync(log, SL_NEVER);
}

int pending_settle(struct collection *c, uint64_t end)
{
	int rc = durable_wait(c->log, c->cs->conf.logs.background, end);

	apply_durable(c);
	return rc;
}

int pending_drain(struct collection *c, int64_t deadline)
{
	const struct pending *last;

	(void)deadline;
	if (sl_list_empty(&c->pending))
		return 0;
	last = sl_list_entry(c->pending.prev, struct pending, node);
	return pending_settle(c, last->base + last->batch.n);
}
