/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3-FIFO: its verdicts one by one; and misses on traces, beside the algorithm as published, which
 * moves single objects where a store reclaims whole segments.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "stores/cache/s3fifo.h"
#include "uring/uring.h"

static void hash_of(uint64_t key, uint64_t *ret_hash)
{
	ret_hash[0] = sl_mix64(key + 1);
	ret_hash[1] = sl_mix64(ret_hash[0]);
}

static struct cache_slot slot_of(uint64_t key, enum cache_region region, uint32_t freq)
{
	struct cache_slot s = {.region = region, .freq = freq, .blocks = 1};
	uint64_t hash[2];

	hash_of(key, hash);
	cache_slot_set_hash(&s, hash);
	return s;
}

static enum cache_region admit(struct s3fifo *q, uint64_t key)
{
	uint64_t hash[2];

	hash_of(key, hash);
	return s3fifo_admit(q, hash);
}

static enum s3fifo_verdict reclaim(struct s3fifo *q, struct cache_slot *s)
{
	s3fifo_added(q, s);
	return s3fifo_reclaim(q, s);
}

/* ---- verdicts --------------------------------------------------------------------------- */

TEST(being_asked_for_counts_to_three)
{
	struct cache_slot s = slot_of(1, CACHE_SMALL, 0);

	for (uint32_t i = 1; i < 10; i++) {
		s3fifo_hit(&s);
		EXPECT_EQ(sl_min(i, 3u), (uint32_t)s.freq);
	}
}

TEST(small_carries_what_was_asked_for_twice)
{
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	for (uint32_t freq = 0; freq <= 3; freq++) {
		struct cache_slot s = slot_of(freq, CACHE_SMALL, freq);

		if (freq < 2) {
			EXPECT_EQ(S3FIFO_DROP, reclaim(&q, &s));
			EXPECT_EQ(0, q.objects[CACHE_MAIN]);
			continue;
		}
		EXPECT_EQ(S3FIFO_CARRY, reclaim(&q, &s));
		EXPECT_EQ(CACHE_MAIN, (uint32_t)s.region);
		EXPECT_EQ(0, (uint32_t)s.freq);
		EXPECT_EQ(freq - 1, q.objects[CACHE_MAIN]);
	}
	EXPECT_EQ(0, q.objects[CACHE_SMALL]);
	s3fifo_done(&q);
}

TEST(main_carries_what_was_asked_for_and_forgets_the_rest)
{
	struct cache_slot s = slot_of(1, CACHE_MAIN, 2);
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	EXPECT_EQ(S3FIFO_CARRY, reclaim(&q, &s));
	EXPECT_EQ(1, (uint32_t)s.freq);
	EXPECT_EQ(S3FIFO_CARRY, s3fifo_reclaim(&q, &s));
	EXPECT_EQ(0, (uint32_t)s.freq);
	EXPECT_EQ(1, q.objects[CACHE_MAIN]);
	EXPECT_EQ(S3FIFO_DROP, s3fifo_reclaim(&q, &s));
	EXPECT_EQ(0, q.objects[CACHE_MAIN]);
	EXPECT_EQ(CACHE_SMALL, admit(&q, 1));
	s3fifo_done(&q);
}

TEST(what_small_dropped_comes_back_to_main_once)
{
	struct cache_slot s = slot_of(7, CACHE_SMALL, 1);
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	EXPECT_EQ(CACHE_SMALL, admit(&q, 7));
	EXPECT_EQ(S3FIFO_DROP, reclaim(&q, &s));
	EXPECT_EQ(CACHE_SMALL, admit(&q, 8));
	EXPECT_EQ(CACHE_MAIN, admit(&q, 7));
	EXPECT_EQ(CACHE_SMALL, admit(&q, 7));
	s3fifo_done(&q);
}

/* With 10,000 objects, of which 9,000 would be in main, some 9,000 ghosts, in generations. */
TEST(ghosts_are_as_many_as_main_would_hold)
{
	uint32_t old = 0, middle = 0, recent = 0;
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	q.objects[CACHE_MAIN] = 9000;
	q.objects[CACHE_SMALL] = 1000;
	for (uint64_t key = 0; key < 30000; key++) {
		struct cache_slot s = slot_of(key, CACHE_SMALL, 0);

		EXPECT_EQ(S3FIFO_DROP, reclaim(&q, &s));
	}
	for (uint64_t key = 0; key < 30000; key++) {
		bool known = admit(&q, key) == CACHE_MAIN;

		if (key < 30000 - 9700)
			old += known;
		else if (key < 30000 - 8300)
			middle += known;
		else
			recent += known;
	}
	TH_LOG("of %d old %u, of 1400 near the limit %u, of 8300 recent %u", 30000 - 9700, old,
	       middle, recent);
	EXPECT_LE(old, 200);
	EXPECT_GE(recent, 7900);
	EXPECT_LE(middle, 1400);
	EXPECT_LE(s3fifo_bytes(&q), 9000 * 4);
	s3fifo_done(&q);
}

TEST(what_is_refused_is_admitted_to_main_the_next_time)
{
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	for (uint64_t key = 1; key <= 10; key++) {
		uint64_t hash[2] = {sl_mix64(key), sl_mix64(key + 1000)};

		EXPECT_TRUE(s3fifo_refuses(&q, hash));
		EXPECT_FALSE(s3fifo_refuses(&q, hash));
		EXPECT_EQ(CACHE_MAIN, s3fifo_admit(&q, hash));
		EXPECT_TRUE(s3fifo_refuses(&q, hash));
	}
	s3fifo_done(&q);
}

TEST(small_is_reclaimed_from_a_tenth_on)
{
	struct s3fifo q;

	s3fifo_init(&q, 1000);
	s3fifo_grew(&q, CACHE_SMALL, 50);
	EXPECT_EQ(CACHE_SMALL, s3fifo_next(&q)); /* there is nothing else */
	s3fifo_grew(&q, CACHE_MAIN, 900);
	EXPECT_EQ(CACHE_MAIN, s3fifo_next(&q));
	s3fifo_grew(&q, CACHE_SMALL, 50);
	EXPECT_EQ(CACHE_SMALL, s3fifo_next(&q));
	s3fifo_shrank(&q, CACHE_SMALL, 1);
	EXPECT_EQ(CACHE_MAIN, s3fifo_next(&q));
	s3fifo_resize(&q, 900);
	EXPECT_EQ(CACHE_SMALL, s3fifo_next(&q));
	s3fifo_resize(&q, 0);
	s3fifo_shrank(&q, CACHE_SMALL, 99);
	EXPECT_EQ(CACHE_MAIN, s3fifo_next(&q));
	s3fifo_done(&q);
}

/* ---- traces ----------------------------------------------------------------------------- */

#define OBJECTS 50000
#define REQUESTS 600000
#define MIXED_BLOCKS_MAX 64

/* Object @i is asked for as often as 1 / (i + 1)^skew says, in random order. */
struct trace {
	uint32_t *requests;
	uint32_t *blocks; /* of each object */
	uint64_t blocks_all;
};

static uint32_t draw(const double *sums)
{
	double at = sums[OBJECTS - 1] * ((double)(harness_random() >> 11) * 0x1p-53);
	uint32_t low = 0, high = OBJECTS - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sums[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void trace_init(struct trace *t, double skew, bool mixed)
{
	double *sums = calloc(OBJECTS, sizeof(*sums)), sum = 0;

	t->requests = calloc(REQUESTS, sizeof(*t->requests));
	t->blocks = calloc(OBJECTS, sizeof(*t->blocks));
	t->blocks_all = 0;
	for (uint32_t i = 0; i < OBJECTS; i++) {
		double size = exp2(6 * ((double)(sl_mix64(i + 77) >> 11) * 0x1p-53));

		t->blocks[i] = mixed ? (uint32_t)size : 1;
		ASSERT_LE(t->blocks[i], MIXED_BLOCKS_MAX);
		t->blocks_all += t->blocks[i];
		sum += pow(i + 1, -skew);
		sums[i] = sum;
	}
	for (uint32_t i = 0; i < REQUESTS; i++)
		t->requests[i] = draw(sums);
	free(sums);
}

static void trace_done(struct trace *t)
{
	free(t->requests);
	free(t->blocks);
}

/* ---- the algorithm as published --------------------------------------------------------- */

enum place { NOWHERE, SMALL, MAIN, GHOST };

/* A first in, first out queue of objects; each is on one queue at most. */
struct queue {
	uint32_t at[OBJECTS];
	uint32_t first, n;
	uint64_t blocks;
};

/*
 * @ghosts: all that were ever added, of which those from @ghost_first on count; one that came back
 * is not looked for there, but is no GHOST any more, or has a later @ghost_at.
 */
struct model {
	const struct trace *trace;
	uint64_t blocks_max;
	uint8_t place[OBJECTS], freq[OBJECTS];
	struct queue queues[MAIN + 1];
	uint32_t ghosts[REQUESTS], ghost_at[OBJECTS];
	uint32_t ghost_first, ghost_next;
	uint64_t ghost_blocks;
};

static void push(struct model *m, enum place place, uint32_t object)
{
	struct queue *q = &m->queues[place];

	ASSERT_LT(q->n, OBJECTS);
	q->at[(q->first + q->n++) % OBJECTS] = object;
	q->blocks += m->trace->blocks[object];
	m->place[object] = (uint8_t)place;
}

static uint32_t pop(struct model *m, enum place place)
{
	struct queue *q = &m->queues[place];
	uint32_t object = q->at[q->first];

	ASSERT_GT(q->n, 0);
	q->first = (q->first + 1) % OBJECTS;
	q->n--;
	q->blocks -= m->trace->blocks[object];
	m->place[object] = NOWHERE;
	return object;
}

static void ghost_drop(struct model *m, uint32_t object)
{
	m->place[object] = NOWHERE;
	m->ghost_blocks -= m->trace->blocks[object];
}

static void ghost_push(struct model *m, uint32_t object)
{
	m->place[object] = GHOST;
	m->ghost_at[object] = m->ghost_next;
	m->ghosts[m->ghost_next++] = object;
	m->ghost_blocks += m->trace->blocks[object];
	while (m->ghost_blocks > m->blocks_max / 10 * 9) {
		uint32_t at = m->ghost_first++, oldest = m->ghosts[at];

		if (m->place[oldest] == GHOST && m->ghost_at[oldest] == at)
			ghost_drop(m, oldest);
	}
}

static void model_evict(struct model *m)
{
	uint64_t small = m->queues[SMALL].blocks;
	uint32_t object;

	if (small >= m->blocks_max / 10 || !m->queues[MAIN].n) {
		object = pop(m, SMALL);
		if (m->freq[object] > 1) {
			m->freq[object] = 0;
			push(m, MAIN, object);
			return;
		}
		ghost_push(m, object);
		return;
	}
	object = pop(m, MAIN);
	if (m->freq[object]) {
		m->freq[object]--;
		push(m, MAIN, object);
	}
}

/* Return: misses. */
static uint32_t model_run(const struct trace *t, uint64_t blocks_max)
{
	struct model *m = calloc(1, sizeof(*m));
	uint32_t misses = 0;

	m->trace = t;
	m->blocks_max = blocks_max;
	for (uint32_t i = 0; i < REQUESTS; i++) {
		uint32_t object = t->requests[i];
		bool ghost = m->place[object] == GHOST;

		if (m->place[object] == SMALL || m->place[object] == MAIN) {
			m->freq[object] = (uint8_t)sl_min(m->freq[object] + 1, 3);
			continue;
		}
		misses++;
		if (ghost)
			ghost_drop(m, object);
		while (m->queues[SMALL].blocks + m->queues[MAIN].blocks + t->blocks[object] >
		       blocks_max)
			model_evict(m);
		m->freq[object] = 0;
		push(m, ghost ? MAIN : SMALL, object);
	}
	free(m);
	return misses;
}

/* ---- a store of segments ---------------------------------------------------------------- */

#define SEGMENTS 256 /* in a full cache */
#define RING (4 * SEGMENTS)

/* @hashes: of the objects written to it, in order. */
struct segment {
	uint64_t (*hashes)[2];
	uint32_t n;
	uint64_t blocks;
};

/* Segment number n of a region is at n % RING; the last one is being written. */
struct row {
	struct segment at[RING];
	uint32_t first, next;
};

struct store {
	struct s3fifo q;
	struct cache_table t;
	struct row rows[CACHE_REGIONS];
	uint64_t segment_blocks;
};

static struct segment *segment_to_write(struct store *st, enum cache_region region, uint64_t blocks,
					uint32_t *ret_number)
{
	struct row *r = &st->rows[region];
	struct segment *s = &r->at[(r->next - 1) % RING];

	if (r->next == r->first || s->blocks + blocks > st->segment_blocks) {
		ASSERT_LT(r->next - r->first, RING);
		s = &r->at[r->next++ % RING];
		s->hashes = calloc(st->segment_blocks, sizeof(*s->hashes));
		s->n = 0;
		s->blocks = 0;
	}
	*ret_number = r->next - 1;
	return s;
}

static void store_append(struct store *st, struct cache_slot *slot, const uint64_t hash[2])
{
	uint32_t number;
	struct segment *s = segment_to_write(st, slot->region, slot->blocks, &number);

	slot->segment = number;
	slot->block = (uint32_t)s->blocks;
	memcpy(s->hashes[s->n++], hash, sizeof(*s->hashes));
	s->blocks += slot->blocks;
	s3fifo_grew(&st->q, slot->region, slot->blocks);
}

static void store_reclaim(struct store *st)
{
	enum cache_region region = s3fifo_next(&st->q);
	struct row *r = &st->rows[region];
	struct segment *s = &r->at[r->first % RING];
	uint32_t number = r->first++;

	ASSERT_NE(r->next, number);
	for (uint32_t i = 0; i < s->n; i++) {
		struct cache_slot *slot = cache_table_find(&st->t, s->hashes[i]);

		if (!slot || slot->region != region || slot->segment != number)
			continue;
		if (s3fifo_reclaim(&st->q, slot) == S3FIFO_DROP)
			cache_table_del(&st->t, slot);
		else
			store_append(st, slot, s->hashes[i]);
	}
	s3fifo_shrank(&st->q, region, s->blocks);
	free(s->hashes);
}

static void store_put(struct store *st, const uint64_t hash[2], uint32_t blocks)
{
	struct cache_slot slot = {.blocks = blocks, .region = s3fifo_admit(&st->q, hash)}, old;

	while (st->q.blocks[CACHE_SMALL] + st->q.blocks[CACHE_MAIN] + blocks > st->q.blocks_max)
		store_reclaim(st);
	cache_slot_set_hash(&slot, hash);
	store_append(st, &slot, hash);
	ASSERT_EQ(0, cache_table_put(&st->t, &slot, &old));
	s3fifo_added(&st->q, &slot);
}

/* Return: misses. */
static uint32_t store_run(const struct trace *t, uint64_t blocks_max)
{
	struct store *st = calloc(1, sizeof(*st));
	uint32_t misses = 0;

	s3fifo_init(&st->q, blocks_max);
	cache_table_init(&st->t);
	st->segment_blocks = sl_max(blocks_max / SEGMENTS, (uint64_t)MIXED_BLOCKS_MAX);
	for (uint32_t i = 0; i < REQUESTS; i++) {
		struct cache_slot *slot;
		uint64_t hash[2];

		hash_of(t->requests[i], hash);
		slot = cache_table_find(&st->t, hash);
		if (slot) {
			s3fifo_hit(slot);
			continue;
		}
		misses++;
		store_put(st, hash, t->blocks[t->requests[i]]);
	}
	EXPECT_EQ(cache_table_count(&st->t),
		  st->q.objects[CACHE_SMALL] + st->q.objects[CACHE_MAIN]);
	for (int i = 0; i < CACHE_REGIONS; i++)
		for (struct row *r = &st->rows[i]; r->first != r->next;)
			free(r->at[r->first++ % RING].hashes);
	s3fifo_done(&st->q);
	cache_table_done(&st->t);
	free(st);
	return misses;
}

/* ---- both ------------------------------------------------------------------------------- */

FIXTURE(misses)
{
	struct trace trace;
};

/* @share: of all objects' space that the cache has. */
FIXTURE_VARIANT(misses)
{
	double skew, share;
	bool mixed;
};

FIXTURE_VARIANT_ADD(misses, skew_06_tenth){.skew = 0.6, .share = 0.1};
FIXTURE_VARIANT_ADD(misses, skew_08_fiftieth){.skew = 0.8, .share = 0.02};
FIXTURE_VARIANT_ADD(misses, skew_08_tenth){.skew = 0.8, .share = 0.1};
FIXTURE_VARIANT_ADD(misses, skew_10_fiftieth){.skew = 1.0, .share = 0.02};
FIXTURE_VARIANT_ADD(misses, skew_10_tenth){.skew = 1.0, .share = 0.1};
FIXTURE_VARIANT_ADD(misses, skew_10_third){.skew = 1.0, .share = 0.33};
FIXTURE_VARIANT_ADD(misses, skew_12_tenth){.skew = 1.2, .share = 0.1};
FIXTURE_VARIANT_ADD(misses, mixed_08_tenth){.skew = 0.8, .share = 0.1, .mixed = true};
FIXTURE_VARIANT_ADD(misses, mixed_10_twentieth){.skew = 1.0, .share = 0.05, .mixed = true};
FIXTURE_VARIANT_ADD(misses, mixed_12_third){.skew = 1.2, .share = 0.33, .mixed = true};

FIXTURE_SETUP(misses)
{
	trace_init(&self->trace, variant->skew, variant->mixed);
}

FIXTURE_TEARDOWN(misses)
{
	trace_done(&self->trace);
}

TEST_F(misses, are_within_2_percent_of_the_published_algorithm)
{
	uint64_t blocks_max = (uint64_t)((double)self->trace.blocks_all * variant->share);
	double model = model_run(&self->trace, blocks_max);
	double store = store_run(&self->trace, blocks_max);

	TH_LOG("of %d: %.0f as published, %.0f by segments (%+.2f %%)", REQUESTS, model, store,
	       100 * (store / model - 1));
	EXPECT_LT(0, model);
	EXPECT_LE(fabs(store / model - 1), 0.02);
}

TEST_HARNESS_MAIN
