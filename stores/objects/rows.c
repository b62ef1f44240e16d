/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: which object is in which row, and where a key is: open addressing, linear probing.
 *
 * Interface: "rows" of objects_pvt.h.
 * Invariants: a slot is used for each row that is not free, and no other; the slots between a key's
 * own place and where it is are all used, so that a removal moves back what follows; at least a
 * third of the slots is empty.
 *
 * Order of parts: slots; room; rows.
 */
#include "objects_pvt.h"

/* ---- slots ------------------------------------------------------------------------------ */

uint64_t key_hash(const struct sl_filter_key *key)
{
	uint64_t h = sl_mix64(sl_load_le64(key->key) + key->kind);

	h = sl_mix64(h ^ sl_load_le64(key->key + 8));
	return h ? h : 1;
}

static uint32_t slot_of(const struct rows *r, uint32_t row)
{
	struct sl_filter_key key = row_key(&r->at[row]);

	return (uint32_t)key_hash(&key) & r->mask;
}

void rows_enter(struct rows *r, uint32_t row)
{
	uint32_t i = slot_of(r, row);

	while (r->slots[i])
		i = (i + 1) & r->mask;
	r->slots[i] = row + 1;
	r->live++;
}

static void slots_remove(struct rows *r, uint32_t row)
{
	uint32_t i = slot_of(r, row), gap;

	while (r->slots[i] != row + 1)
		i = (i + 1) & r->mask;
	gap = i;
	for (i = (i + 1) & r->mask; r->slots[i]; i = (i + 1) & r->mask) {
		uint32_t own = slot_of(r, r->slots[i] - 1);

		/* Whether its own place is not behind the gap. */
		if (((i - own) & r->mask) < ((i - gap) & r->mask))
			continue;
		r->slots[gap] = r->slots[i];
		gap = i;
	}
	r->slots[gap] = 0;
}

static int slots_grow(struct rows *r, uint64_t n)
{
	uint64_t slots = r->mask ? (uint64_t)r->mask + 1 : 16;
	uint32_t *old = r->slots, *fresh;

	while (slots * 2 < n * 3)
		slots *= 2;
	if (r->slots && slots == (uint64_t)r->mask + 1)
		return 0;
	fresh = calloc(slots, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	r->slots = fresh;
	r->mask = (uint32_t)(slots - 1);
	r->live = 0;
	for (uint32_t i = 0; i < r->n; i++)
		if (r->at[i].place)
			rows_enter(r, i);
	free(old);
	return 0;
}

/* ---- room ------------------------------------------------------------------------------- */

void rows_done(struct rows *r)
{
	free(r->at);
	free(r->slots);
	free(r->free);
	*r = (struct rows){0};
}

int rows_reserve(struct rows *r, uint64_t n)
{
	uint64_t cap = sl_max(n, sl_min((uint64_t)r->cap * 3 / 2, (uint64_t)SL_ROW_NONE));
	uint32_t *gaps;
	struct row *at;

	if (n >= SL_ROW_NONE)
		return -EFBIG;
	if (n > r->cap) {
		at = realloc(r->at, cap * sizeof(*at));
		if (!at)
			return -ENOMEM;
		r->at = at;
		gaps = realloc(r->free, cap * sizeof(*gaps));
		if (!gaps)
			return -ENOMEM;
		r->free = gaps;
		r->cap = (uint32_t)cap;
	}
	return slots_grow(r, n);
}

uint64_t rows_bytes(const struct rows *r)
{
	return (uint64_t)r->cap * (sizeof(*r->at) + sizeof(*r->free)) +
	       (r->slots ? ((uint64_t)r->mask + 1) * sizeof(*r->slots) : 0);
}

/* ---- rows ------------------------------------------------------------------------------- */

uint32_t rows_find(const struct rows *r, const struct sl_filter_key *key)
{
	if (!r->slots)
		return SL_ROW_NONE;
	for (uint32_t i = (uint32_t)key_hash(key) & r->mask; r->slots[i]; i = (i + 1) & r->mask) {
		const struct row *row = &r->at[r->slots[i] - 1];

		if (row_kind(row) == key->kind && memcmp(row->key, key->key, sizeof(row->key)) == 0)
			return r->slots[i] - 1;
	}
	return SL_ROW_NONE;
}

uint32_t rows_add(struct rows *r, const struct sl_filter_key *key, uint64_t offset)
{
	uint32_t row = r->free_n ? r->free[--r->free_n] : r->n++;

	SL_ASSERT(row < r->cap);
	SL_ASSERT(key->kind != SL_KEY_NONE);
	r->at[row] = (struct row){.place = row_place(offset, key->kind)};
	memcpy(r->at[row].key, key->key, sizeof(key->key));
	rows_enter(r, row);
	return row;
}

void rows_remove(struct rows *r, uint32_t row, bool again)
{
	SL_ASSERT(row < r->n && r->at[row].place);
	slots_remove(r, row);
	r->at[row].place = 0;
	r->live--;
	if (again)
		r->free[r->free_n++] = row;
}
