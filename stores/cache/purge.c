/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bans: a table by hash, and the lengths that prefixes have.
 *
 * Interface: purge.h. Whether a key is banned is one look into the table for each length that
 * some prefix has and the key reaches; purges of one caller tend to have few lengths.
 *
 * Invariants: a text has at most one ban of its kind; the list is in the order of the marks, which
 * rise; below[kind] is the largest of the kind's bans, 0 without any.
 *
 * Order of parts: the table; lengths; the calls.
 */
#include "purge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <sluice/assert.h>

/* ---- the table -------------------------------------------------------------------------- */

static uint64_t hash_of(const struct purge_list *l, enum purge_kind kind, const void *text,
			size_t n)
{
	return XXH3_64bits_withSeed(text, n, l->seed + (uint64_t)kind);
}

static struct purge_ban **bucket_of(const struct purge_list *l, uint64_t hash)
{
	return &l->buckets[hash & (l->buckets_n - 1)];
}

static struct purge_ban *find(const struct purge_list *l, enum purge_kind kind, const void *text,
			      size_t n)
{
	uint64_t hash = hash_of(l, kind, text, n);
	struct purge_ban *b;

	if (!l->buckets_n)
		return NULL;
	for (b = *bucket_of(l, hash); b; b = b->next)
		if (b->hash == hash && b->kind == kind && b->n == n && !memcmp(b->text, text, n))
			return b;
	return NULL;
}

static void chain(struct purge_list *l, struct purge_ban *b)
{
	struct purge_ban **bucket = bucket_of(l, b->hash);

	b->next = *bucket;
	*bucket = b;
}

/* Keeps about one ban a bucket. */
static int table_grow(struct purge_list *l)
{
	uint32_t n = l->buckets_n ? l->buckets_n * 2 : 16;
	struct purge_ban **buckets;

	if (l->bans_n < l->buckets_n)
		return 0;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(l->buckets);
	l->buckets = buckets;
	l->buckets_n = n;
	sl_list_each(at, &l->bans) chain(l, sl_list_entry(at, struct purge_ban, node));
	return 0;
}

/* ---- lengths ---------------------------------------------------------------------------- */

/* The place of length @n, or of the next larger one. */
static uint32_t length_place(const struct purge_list *l, uint32_t n)
{
	uint32_t i = 0;

	while (i < l->lengths_n && l->lengths[i].n < n)
		i++;
	return i;
}

static int lengths_grow(struct purge_list *l)
{
	uint32_t room = l->lengths_room ? l->lengths_room * 2 : 4;
	struct purge_length *grown;

	if (l->lengths_n < l->lengths_room)
		return 0;
	grown = realloc(l->lengths, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->lengths = grown;
	l->lengths_room = room;
	return 0;
}

/* There is room: lengths_grow() was called. */
static void length_add(struct purge_list *l, uint32_t n)
{
	uint32_t i = length_place(l, n);

	if (i == l->lengths_n || l->lengths[i].n != n) {
		memmove(&l->lengths[i + 1], &l->lengths[i],
			(l->lengths_n - i) * sizeof(*l->lengths));
		l->lengths[i] = (struct purge_length){.n = n};
		l->lengths_n++;
	}
	l->lengths[i].bans++;
}

static void length_drop(struct purge_list *l, uint32_t n)
{
	uint32_t i = length_place(l, n);

	SL_ASSERT(i < l->lengths_n && l->lengths[i].n == n);
	if (--l->lengths[i].bans)
		return;
	l->lengths_n--;
	memmove(&l->lengths[i], &l->lengths[i + 1], (l->lengths_n - i) * sizeof(*l->lengths));
}

/* ---- the calls -------------------------------------------------------------------------- */

void purge_init(struct purge_list *l, uint64_t seed)
{
	*l = (struct purge_list){.seed = seed};
	sl_list_init(&l->bans);
}

void purge_done(struct purge_list *l)
{
	sl_list_each_safe(at, &l->bans) free(sl_list_entry(at, struct purge_ban, node));
	free(l->buckets);
	free(l->lengths);
	purge_init(l, l->seed);
}

static int ban_new(struct purge_list *l, enum purge_kind kind, const void *text, size_t n,
		   struct purge_ban **ret_ban)
{
	struct purge_ban *b;

	if (table_grow(l) || (kind == PURGE_PREFIX && lengths_grow(l)))
		return -ENOMEM;
	b = malloc(sizeof(*b) + n);
	if (!b)
		return -ENOMEM;
	*b = (struct purge_ban){.hash = hash_of(l, kind, text, n), .kind = kind, .n = (uint32_t)n};
	memcpy(b->text, text, n);
	sl_list_init(&b->node);
	chain(l, b);
	l->bans_n++;
	if (kind == PURGE_PREFIX)
		length_add(l, b->n);
	*ret_ban = b;
	return 0;
}

static void ban_drop(struct purge_list *l, struct purge_ban *b)
{
	struct purge_ban **at = bucket_of(l, b->hash);

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	sl_list_remove(&b->node);
	l->bans_n--;
	if (b->kind == PURGE_PREFIX)
		length_drop(l, b->n);
	free(b);
}

int purge_add(struct purge_list *l, enum purge_kind kind, const void *text, size_t n,
	      uint64_t below)
{
	struct purge_ban *b = find(l, kind, text, n);

	SL_ASSERT(n <= UINT32_MAX);
	if (!b && ban_new(l, kind, text, n, &b))
		return -ENOMEM;
	b->below = sl_max(b->below, below);
	b->mark = ++l->mark;
	sl_list_remove(&b->node);
	sl_list_append(&l->bans, &b->node);
	l->below[kind] = sl_max(l->below[kind], below);
	return 0;
}

bool purge_hits_key(const struct purge_list *l, const void *key, size_t n, uint64_t version)
{
	if (!purge_may_hit(l, PURGE_PREFIX, version))
		return false;
	for (uint32_t i = 0; i < l->lengths_n && l->lengths[i].n <= n; i++) {
		const struct purge_ban *b = find(l, PURGE_PREFIX, key, l->lengths[i].n);

		if (b && version < b->below)
			return true;
	}
	return false;
}

bool purge_hits_tag(const struct purge_list *l, const void *tag, size_t n, uint64_t version)
{
	const struct purge_ban *b;

	if (!purge_may_hit(l, PURGE_TAG, version))
		return false;
	b = find(l, PURGE_TAG, tag, n);
	return b && version < b->below;
}

uint64_t purge_mark(const struct purge_list *l)
{
	return l->mark;
}

void purge_retire(struct purge_list *l, uint64_t mark)
{
	sl_list_each_safe(at, &l->bans)
	{
		struct purge_ban *b = sl_list_entry(at, struct purge_ban, node);

		if (b->mark > mark)
			break;
		ban_drop(l, b);
	}
	memset(l->below, 0, sizeof(l->below));
	sl_list_each(at, &l->bans)
	{
		const struct purge_ban *b = sl_list_entry(at, struct purge_ban, node);

		l->below[b->kind] = sl_max(l->below[b->kind], b->below);
	}
}

uint32_t purge_count(const struct purge_list *l)
{
	return l->bans_n;
}
