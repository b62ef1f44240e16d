/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producers: sequence checks of idempotent producers, and snapshots of what they rest on.
 *
 * Interface: producers_pvt.h. A batch is identified by producer id, epoch and sequence numbers;
 * each partition checks its own.
 * Invariants: a producer that is known has at least one batch, unless its first append is in
 * progress (busy) or failed; the list of use holds every producer once.
 *
 * Order of parts: the table; checks; snapshots.
 */
#include "producers_pvt.h"

#include <errno.h>

#define SNAPSHOT_MAGIC "SLPRODS"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_BATCH_BYTES 16
#define SNAPSHOT_PRODUCER_BYTES 20

static_assert(sizeof(SNAPSHOT_MAGIC) == BLOB_MAGIC_BYTES, "with its zero");

/* ---- the table -------------------------------------------------------------------------- */

void producers_init(struct producers *ps)
{
	*ps = (struct producers){0};
	sl_list_init(&ps->used);
}

void producers_done(struct producers *ps)
{
	sl_list_each_safe(n, &ps->used)
		free(sl_list_entry(n, struct producer, node));
	free(ps->buckets);
	producers_init(ps);
}

static struct producer **bucket(const struct producers *ps, int64_t id)
{
	return &ps->buckets[sl_mix64((uint64_t)id) & (ps->buckets_n - 1)];
}

struct producer *producers_find(const struct producers *ps, int64_t id)
{
	struct producer *p;

	if (!ps->buckets_n)
		return NULL;
	for (p = *bucket(ps, id); p && p->id != id; p = p->next)
		;
	return p;
}

/* Keeps about one producer a bucket. */
static int table_grow(struct producers *ps)
{
	struct producers grown = *ps;

	if (ps->n < ps->buckets_n)
		return 0;
	grown.buckets_n = ps->buckets_n ? ps->buckets_n * 2 : 4;
	grown.buckets = calloc(grown.buckets_n, sizeof(struct producer *));
	if (!grown.buckets)
		return -ENOMEM;
	sl_list_each(n, &ps->used) {
		struct producer *p = sl_list_entry(n, struct producer, node);
		struct producer **at = bucket(&grown, p->id);

		p->next = *at;
		*at = p;
	}
	free(ps->buckets);
	ps->buckets = grown.buckets;
	ps->buckets_n = grown.buckets_n;
	return 0;
}

void producers_drop(struct producers *ps, struct producer *p)
{
	struct producer **at = bucket(ps, p->id);

	SL_ASSERT(!p->busy);
	SL_ASSERT(ps->n > 0);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	sl_list_remove(&p->node);
	ps->n--;
	free(p);
}

static void drop_oldest(struct producers *ps)
{
	sl_list_each(n, &ps->used) {
		struct producer *p = sl_list_entry(n, struct producer, node);

		if (!p->busy) {
			producers_drop(ps, p);
			return;
		}
	}
}

struct producer *producers_get(struct producers *ps, int64_t id)
{
	struct producer *p = producers_find(ps, id), **at;

	if (p)
		return p;
	if (ps->n >= PRODUCERS_MAX)
		drop_oldest(ps);
	if (table_grow(ps))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->id = id;
	at = bucket(ps, id);
	p->next = *at;
	*at = p;
	sl_list_append(&ps->used, &p->node);
	ps->n++;
	return p;
}

void producers_expire(struct producers *ps, int64_t before_ms)
{
	sl_list_each_safe(n, &ps->used) {
		struct producer *p = sl_list_entry(n, struct producer, node);

		if (p->used_ms >= before_ms)
			return;
		if (!p->busy)
			producers_drop(ps, p);
	}
}

/* ---- checks ----------------------------------------------------------------------------- */

static int32_t batch_last(const struct sl_batch *b)
{
	return sequence_add(b->sequence, b->last_delta);
}

int producer_check(const struct producer *p, const struct sl_batch *b,
		   struct producer_batch *ret_batch)
{
	/* Nothing known, perhaps because all of its batches were deleted: any start will do. */
	if (!p || p->n == 0)
		return 0;
	if (b->producer_epoch < p->epoch)
		return SL_REFUSED_FENCED_PRODUCER;
	if (b->producer_epoch > p->epoch)
		return b->sequence == 0 ? 0 : SL_REFUSED_OUT_OF_ORDER;
	for (unsigned i = 0; i < p->n; i++) {
		const struct producer_batch *known = &p->batches[i];

		if (known->first == b->sequence && known->last == batch_last(b)) {
			*ret_batch = *known;
			return -EEXIST;
		}
	}
	if (b->sequence != sequence_add(p->batches[p->newest].last, 1))
		return SL_REFUSED_OUT_OF_ORDER;
	return 0;
}

void producer_note(struct producers *ps, struct producer *p, const struct sl_batch *b,
		   uint64_t base, int64_t now_ms)
{
	SL_ASSERT(b->producer_id == p->id);
	if (b->producer_epoch != p->epoch || p->n == 0) {
		p->epoch = b->producer_epoch;
		p->n = 0;
		p->newest = PRODUCER_BATCHES - 1;
	}
	p->newest = (uint8_t)((p->newest + 1) % PRODUCER_BATCHES);
	p->batches[p->newest] = (struct producer_batch){b->sequence, batch_last(b), base};
	if (p->n < PRODUCER_BATCHES)
		p->n++;
	p->used_ms = now_ms;
	sl_list_remove(&p->node);
	sl_list_append(&ps->used, &p->node);
}

/* ---- snapshots -------------------------------------------------------------------------- */

/* Oldest batch first, so that reading them back in order rebuilds the ring. */
static void producer_encode(const struct producer *p, struct blob_out *b)
{
	blob_put_u64(b, (uint64_t)p->id);
	blob_put_u64(b, (uint64_t)p->used_ms);
	blob_put_u16(b, (uint16_t)p->epoch);
	blob_put_u16(b, p->n);
	for (unsigned i = 0; i < p->n; i++) {
		unsigned at = (p->newest + PRODUCER_BATCHES + 1 - p->n + i) % PRODUCER_BATCHES;
		const struct producer_batch *known = &p->batches[at];

		blob_put_u32(b, (uint32_t)known->first);
		blob_put_u32(b, (uint32_t)known->last);
		blob_put_u64(b, known->base);
	}
}

int producers_encode(const struct producers *ps, uint64_t offset, struct blob_out *b)
{
	uint32_t n = 0;

	sl_list_each(at, &ps->used)
		n += sl_list_entry(at, struct producer, node)->n > 0;
	blob_begin(b, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);
	blob_put_u64(b, offset);
	blob_put_u32(b, n);
	sl_list_each(at, &ps->used) {
		const struct producer *p = sl_list_entry(at, struct producer, node);

		if (p->n > 0)
			producer_encode(p, b);
	}
	return blob_end(b);
}

static int producer_decode(struct producers *ps, struct blob_in *in)
{
	struct producer got = {.id = (int64_t)blob_get_u64(in)}, *p;

	got.used_ms = (int64_t)blob_get_u64(in);
	got.epoch = (int16_t)blob_get_u16(in);
	got.n = (uint8_t)blob_get_u16(in);
	if (in->bad || got.n < 1 || got.n > PRODUCER_BATCHES || got.id < 0 ||
	    producers_find(ps, got.id))
		return -EBADMSG;
	for (unsigned i = 0; i < got.n; i++) {
		got.batches[i].first = (int32_t)(blob_get_u32(in) & INT32_MAX);
		got.batches[i].last = (int32_t)(blob_get_u32(in) & INT32_MAX);
		got.batches[i].base = blob_get_u64(in);
	}
	p = producers_get(ps, got.id);
	if (!p)
		return -ENOMEM;
	p->used_ms = got.used_ms;
	p->epoch = got.epoch;
	p->n = got.n;
	p->newest = (uint8_t)(got.n - 1);
	memcpy(p->batches, got.batches, sizeof(p->batches));
	return in->bad ? -EBADMSG : 0;
}

int producers_decode(struct producers *ps, const void *p, size_t len, uint64_t *ret_offset)
{
	struct blob_in in;
	uint64_t offset;
	uint32_t n;
	int rc = blob_open(&in, p, len, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);

	SL_ASSERT(ps->n == 0);
	if (rc)
		return rc;
	offset = blob_get_u64(&in);
	n = blob_get_count(&in, SNAPSHOT_PRODUCER_BYTES + SNAPSHOT_BATCH_BYTES);
	while (n-- > 0 && !rc)
		rc = producer_decode(ps, &in);
	if (!rc && !blob_complete(&in))
		rc = -EBADMSG;
	if (rc) {
		producers_done(ps);
		return rc;
	}
	*ret_offset = offset;
	return 0;
}
