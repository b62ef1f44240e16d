/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dictionaries of payload indexes: words and the rows that have them.
 *
 * Interface: payload_pvt.h. A word without rows is gone. Saved words rise, so that equal
 * dictionaries are equal bytes, whatever came first.
 *
 * Order of parts: finding; changing; keeping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "object_pvt.h"
#include "payload_pvt.h"

enum { ROOM_MIN = 16 };

/* ---- finding ---------------------------------------------------------------------------- */

static bool is_key(const struct word *w, uint32_t hash, const void *key, uint32_t n)
{
	return w->hash == hash && w->n == n && (!n || !memcmp(w->key, key, n));
}

/* The slot of the word, or that where it would be. There is a free one. */
static uint32_t slot_of(const struct dict *d, uint32_t hash, const void *key, uint32_t n)
{
	uint32_t i = hash & (d->room - 1);

	while (d->slots[i] && !is_key(d->slots[i], hash, key, n))
		i = (i + 1) & (d->room - 1);
	return i;
}

static uint32_t hash_of(const void *key, uint32_t n)
{
	return (uint32_t)XXH3_64bits(key, n);
}

struct word *dict_find(const struct dict *d, const void *key, uint32_t n)
{
	return d->room ? d->slots[slot_of(d, hash_of(key, n), key, n)] : NULL;
}

/* ---- changing --------------------------------------------------------------------------- */

static void word_free(struct word *w)
{
	posting_done(&w->rows);
	free(w);
}

void dict_done(struct dict *d)
{
	for (uint32_t i = 0; i < d->room; i++)
		if (d->slots[i])
			word_free(d->slots[i]);
	free(d->slots);
	*d = (struct dict){0};
}

static int grow(struct dict *d)
{
	struct dict to = {.n = d->n, .room = d->room ? d->room * 2 : ROOM_MIN};

	if (d->n + 1 <= d->room / 4 * 3)
		return 0;
	to.slots = calloc(to.room, sizeof(struct word *));
	if (!to.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->room; i++) {
		struct word *w = d->slots[i];

		if (w)
			to.slots[slot_of(&to, w->hash, w->key, w->n)] = w;
	}
	free(d->slots);
	*d = to;
	return 0;
}

/* The word, which is made where it is missing; NULL: out of memory. */
static struct word *put(struct dict *d, const void *key, uint32_t n)
{
	uint32_t hash = hash_of(key, n), slot;
	struct word *w;

	if (grow(d))
		return NULL;
	slot = slot_of(d, hash, key, n);
	if (d->slots[slot])
		return d->slots[slot];
	w = calloc(1, sizeof(*w) + n);
	if (!w)
		return NULL;
	w->hash = hash;
	w->n = n;
	if (n)
		memcpy(w->key, key, n);
	d->slots[slot] = w;
	d->n++;
	return w;
}

/* Those behind it move up, as far as they were kept from their place by it. */
static void drop(struct dict *d, uint32_t slot)
{
	uint32_t mask = d->room - 1;

	word_free(d->slots[slot]);
	d->slots[slot] = NULL;
	d->n--;
	for (uint32_t i = (slot + 1) & mask; d->slots[i]; i = (i + 1) & mask) {
		uint32_t home = d->slots[i]->hash & mask;

		if (((i - home) & mask) >= ((i - slot) & mask)) {
			d->slots[slot] = d->slots[i];
			d->slots[i] = NULL;
			slot = i;
		}
	}
}

int dict_add(struct dict *d, const void *key, uint32_t n, uint32_t row)
{
	struct word *w = put(d, key, n);

	return w ? posting_add(&w->rows, row) : -ENOMEM;
}

void dict_remove(struct dict *d, const void *key, uint32_t n, uint32_t row)
{
	uint32_t slot;

	if (!d->room)
		return;
	slot = slot_of(d, hash_of(key, n), key, n);
	if (!d->slots[slot])
		return;
	posting_remove(&d->slots[slot]->rows, row);
	if (!posting_count(&d->slots[slot]->rows))
		drop(d, slot);
}

uint64_t dict_bytes(const struct dict *d)
{
	uint64_t bytes = d->room * sizeof(struct word *);

	for (uint32_t i = 0; i < d->room; i++)
		if (d->slots[i])
			bytes += sizeof(struct word) + d->slots[i]->n +
				 posting_bytes(&d->slots[i]->rows);
	return bytes;
}

/* ---- keeping ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;

	return object_names_compare(x->key, x->n, y->key, y->n);
}

static int save_word(const struct word *w, struct index_out *out)
{
	uint32_t head[2] = {w->n, w->rows.map ? 0 : w->rows.n};
	uint32_t rows[POSTING_INLINE];
	int err = index_write(out, head, sizeof(head));

	if (!err)
		err = index_write(out, w->key, w->n);
	if (err)
		return err;
	if (w->rows.map)
		return bitmap_save(w->rows.map, out);
	memcpy(rows, w->rows.rows, sizeof(rows));
	if (w->rows.n == POSTING_INLINE && rows[0] > rows[1]) {
		rows[0] = w->rows.rows[1];
		rows[1] = w->rows.rows[0];
	}
	return index_write(out, rows, w->rows.n * sizeof(*rows));
}

int dict_save(const struct dict *d, struct index_out *out)
{
	struct word **words = malloc((d->n + 1) * sizeof(struct word *));
	uint32_t n = 0;
	int err;

	if (!words)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->room; i++)
		if (d->slots[i])
			words[n++] = d->slots[i];
	SL_ASSERT(n == d->n);
	qsort(words, n, sizeof(struct word *), compare);
	err = index_write(out, &n, sizeof(n));
	for (uint32_t i = 0; !err && i < n; i++)
		err = save_word(words[i], out);
	free(words);
	return err;
}

static int load_rows(struct posting *p, uint32_t n, struct index_in *in, uint64_t rows)
{
	int err;

	if (n) {
		err = index_read(in, p->rows, n * sizeof(*p->rows));
		p->n = n;
		for (uint32_t i = 0; !err && i < n; i++)
			if (p->rows[i] >= rows || (i && p->rows[i] <= p->rows[i - 1]))
				return -EBADMSG;
		return err;
	}
	err = bitmap_load(in, rows, &p->map);
	if (err)
		return err;
	p->n = (uint32_t)roaring_bitmap_get_cardinality(p->map);
	return p->n > POSTING_INLINE ? 0 : -EBADMSG;
}

/* @key: the word before, NULL at first; then this one, to be freed by whoever calls. */
static int load_word(struct dict *d, struct index_in *in, uint64_t rows, uint8_t **key,
		     uint32_t *key_n)
{
	uint32_t head[2];
	struct word *w;
	uint8_t *next;
	int err = index_read(in, head, sizeof(head)), order;

	if (err)
		return err;
	if (head[0] > SL_OBJECT_BYTES_MAX || head[1] > POSTING_INLINE)
		return -EBADMSG;
	err = payload_read(in, head[0], &next);
	if (err)
		return err;
	order = *key ? object_names_compare(*key, *key_n, next, head[0]) : -1;
	free(*key);
	*key = next;
	*key_n = head[0];
	if (order >= 0)
		return -EBADMSG;
	w = put(d, next, head[0]);
	return w ? load_rows(&w->rows, head[1], in, rows) : -ENOMEM;
}

int dict_load(struct dict *d, struct index_in *in, uint64_t rows)
{
	uint8_t *key = NULL;
	uint32_t n, key_n = 0;
	int err = index_read(in, &n, sizeof(n));

	for (uint32_t i = 0; !err && i < n; i++)
		err = load_word(d, in, rows, &key, &key_n);
	free(key);
	return err;
}
