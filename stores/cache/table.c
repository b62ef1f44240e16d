/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a shard's objects: linear hashing over chained slots.
 *
 * Interface: table.h. Slots lie in chunks, without gaps; a chain leads from a bucket's head
 * through their numbers. There are as many buckets as slots, or up to a third more after deletes:
 * a put splits a bucket in two, a del joins two, when that is due. So memory follows the number of
 * objects, which a table that doubles does not, and nothing is ever moved as a whole.
 *
 * Invariants: slot i exists for i < slots_n, and is on the chain of bucket_of() its hash; heads
 * beyond heads_n are not read.
 *
 * Order of parts: chunks; buckets; splitting and joining; the calls.
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#define SLOTS_A_CHUNK 1024u
#define HEADS_A_CHUNK 1024u
#define NONE UINT32_MAX

/* ---- chunks ----------------------------------------------------------------------------- */

/* Room for one more pointer in a list of chunks. */
static int list_grow(void ***list, uint32_t n, uint32_t *room)
{
	uint32_t more = *room ? *room * 2 : 4;
	void **grown;

	if (n < *room)
		return 0;
	grown = realloc(*list, more * sizeof(void *));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	*room = more;
	return 0;
}

static int slot_chunk_add(struct cache_table *t)
{
	struct cache_slot *chunk;

	if (list_grow((void ***)&t->slots, t->slot_chunks, &t->slot_room))
		return -ENOMEM;
	chunk = malloc(SLOTS_A_CHUNK * sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	t->slots[t->slot_chunks++] = chunk;
	return 0;
}

static int head_chunk_add(struct cache_table *t)
{
	uint32_t *chunk;

	if (list_grow((void ***)&t->heads, t->head_chunks, &t->head_room))
		return -ENOMEM;
	chunk = malloc(HEADS_A_CHUNK * sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	t->heads[t->head_chunks++] = chunk;
	return 0;
}

static struct cache_slot *slot_at(const struct cache_table *t, uint32_t i)
{
	return &t->slots[i / SLOTS_A_CHUNK][i % SLOTS_A_CHUNK];
}

/* ---- buckets ---------------------------------------------------------------------------- */

static uint32_t *head_at(const struct cache_table *t, uint32_t bucket)
{
	return &t->heads[bucket / HEADS_A_CHUNK][bucket % HEADS_A_CHUNK];
}

/* The largest power of two that is at most @n, which is not 0. */
static uint32_t power_below(uint32_t n)
{
	return 1u << (31 - (uint32_t)__builtin_clz(n));
}

/*
 * With heads_n between 2^k and 2^(k+1), the buckets below heads_n - 2^k are split by one bit more
 * than those that follow.
 */
static uint32_t bucket_of(const struct cache_table *t, const struct cache_slot *s)
{
	uint32_t low = power_below(t->heads_n);
	uint32_t bucket = s->hash[0] & (low * 2 - 1);

	return bucket < t->heads_n ? bucket : bucket & (low - 1);
}

static bool is_hash(const struct cache_slot *s, const uint32_t *hash)
{
	return s->hash[0] == hash[0] && s->hash[1] == hash[1] && s->hash[2] == hash[2];
}

static struct cache_slot *find(const struct cache_table *t, const struct cache_slot *like)
{
	if (!t->heads_n)
		return NULL;
	for (uint32_t i = *head_at(t, bucket_of(t, like)); i != NONE;) {
		struct cache_slot *s = slot_at(t, i);

		if (is_hash(s, like->hash))
			return s;
		i = s->next;
	}
	return NULL;
}

/* Where @slot's number stands: a head, or the slot before it on the chain. */
static uint32_t *link_to(const struct cache_table *t, const struct cache_slot *slot)
{
	uint32_t *link = head_at(t, bucket_of(t, slot));

	for (;;) {
		SL_ASSERT(*link != NONE);
		if (slot_at(t, *link) == slot)
			return link;
		link = &slot_at(t, *link)->next;
	}
}

/* ---- splitting and joining -------------------------------------------------------------- */

static int split(struct cache_table *t)
{
	uint32_t added = t->heads_n, bit = power_below(added);
	uint32_t *link = head_at(t, added - bit), *moved;

	if (added / HEADS_A_CHUNK == t->head_chunks && head_chunk_add(t))
		return -ENOMEM;
	moved = head_at(t, added);
	*moved = NONE;
	t->heads_n++;
	while (*link != NONE) {
		struct cache_slot *s = slot_at(t, *link);

		if (!(s->hash[0] & bit)) {
			link = &s->next;
			continue;
		}
		*moved = *link;
		*link = s->next;
		moved = &s->next;
		*moved = NONE;
	}
	return 0;
}

static void join(struct cache_table *t)
{
	uint32_t gone = --t->heads_n;
	uint32_t *link = head_at(t, gone - power_below(gone));

	while (*link != NONE)
		link = &slot_at(t, *link)->next;
	*link = *head_at(t, gone);
	if (gone % HEADS_A_CHUNK == 0)
		free(t->heads[--t->head_chunks]);
}

/* Two steps at most: one that could not be done for lack of memory is made up for later. */
static void grow(struct cache_table *t)
{
	for (int i = 0; i < 2 && t->heads_n < t->slots_n; i++)
		if (split(t))
			return; /* longer chains, and the next put tries again */
}

static void shrink(struct cache_table *t)
{
	uint32_t chunks = t->slots_n / SLOTS_A_CHUNK + 2;

	for (int i = 0; i < 2; i++)
		if (t->heads_n > HEADS_A_CHUNK && t->slots_n < t->heads_n - t->heads_n / 4)
			join(t);
	while (t->slot_chunks > chunks)
		free(t->slots[--t->slot_chunks]);
}

/* ---- the calls -------------------------------------------------------------------------- */

void cache_table_init(struct cache_table *t)
{
	*t = (struct cache_table){0};
}

void cache_table_done(struct cache_table *t)
{
	while (t->slot_chunks)
		free(t->slots[--t->slot_chunks]);
	while (t->head_chunks)
		free(t->heads[--t->head_chunks]);
	free(t->slots);
	free(t->heads);
	cache_table_init(t);
}

struct cache_slot *cache_table_find(const struct cache_table *t, const uint64_t hash[2])
{
	struct cache_slot like;

	cache_slot_set_hash(&like, hash);
	return find(t, &like);
}

static int make_heads(struct cache_table *t)
{
	if (t->heads_n)
		return 0;
	if (!t->head_chunks && head_chunk_add(t))
		return -ENOMEM;
	memset(t->heads[0], 0xff, HEADS_A_CHUNK * sizeof(uint32_t));
	t->heads_n = HEADS_A_CHUNK;
	return 0;
}

void cache_table_expect(struct cache_table *t, uint32_t n)
{
	if (!n || make_heads(t))
		return;
	while (t->heads_n < n && !split(t))
		;
}

void cache_table_fit(struct cache_table *t)
{
	while (t->heads_n > HEADS_A_CHUNK && t->slots_n < t->heads_n)
		join(t);
}

void cache_table_fetch_head(const struct cache_table *t, const uint64_t hash[2])
{
	struct cache_slot like;

	cache_slot_set_hash(&like, hash);
	if (t->heads_n)
		__builtin_prefetch(head_at(t, bucket_of(t, &like)));
}

void cache_table_fetch_slot(const struct cache_table *t, const uint64_t hash[2])
{
	struct cache_slot like;
	uint32_t i;

	cache_slot_set_hash(&like, hash);
	i = t->heads_n ? *head_at(t, bucket_of(t, &like)) : NONE;
	if (i != NONE)
		__builtin_prefetch(slot_at(t, i));
}

/* Room for one more slot, and a bucket to begin with. */
static int make_room(struct cache_table *t)
{
	if (t->slots_n == NONE || make_heads(t))
		return -ENOMEM;
	return t->slots_n / SLOTS_A_CHUNK == t->slot_chunks ? slot_chunk_add(t) : 0;
}

int cache_table_put(struct cache_table *t, const struct cache_slot *slot,
		    struct cache_slot *ret_old)
{
	struct cache_slot *s = find(t, slot);
	uint32_t next;

	if (!s)
		return cache_table_add(t, slot);
	next = s->next;
	*ret_old = *s;
	*s = *slot;
	s->next = next;
	return 1;
}

int cache_table_add(struct cache_table *t, const struct cache_slot *slot)
{
	struct cache_slot *s;
	uint32_t *head;

	if (make_room(t))
		return -ENOMEM;
	s = slot_at(t, t->slots_n);
	*s = *slot;
	head = head_at(t, bucket_of(t, s));
	s->next = *head;
	*head = t->slots_n++;
	grow(t);
	return 0;
}

void cache_table_del(struct cache_table *t, struct cache_slot *slot)
{
	uint32_t *link = link_to(t, slot), i = *link;
	struct cache_slot *last = slot_at(t, t->slots_n - 1);

	*link = slot->next;
	if (slot != last) {
		*link_to(t, last) = i;
		*slot = *last;
	}
	t->slots_n--;
	shrink(t);
}

uint32_t cache_table_count(const struct cache_table *t)
{
	return t->slots_n;
}

struct cache_slot *cache_table_at(const struct cache_table *t, uint32_t i)
{
	SL_ASSERT(i < t->slots_n);
	return slot_at(t, i);
}

uint64_t cache_table_bytes(const struct cache_table *t)
{
	return (uint64_t)t->slot_chunks * SLOTS_A_CHUNK * sizeof(struct cache_slot) +
	       (uint64_t)t->head_chunks * HEADS_A_CHUNK * sizeof(uint32_t) +
	       (uint64_t)(t->slot_room + t->head_room) * sizeof(void *);
}
