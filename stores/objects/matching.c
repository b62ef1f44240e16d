/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matching: which rows a filter means, by payload indexes as far as they go, then by the objects.
 *
 * Interface: "matching" of objects_pvt.h.
 *
 * Order of parts: what indexes say; what objects say.
 */
#include "objects_pvt.h"

/* So many objects are looked at before others have their turn. */
#define LOOKS_A_TURN 32u

/* ---- what indexes say ------------------------------------------------------------------- */

static int words_new(struct matches *m, uint32_t rows)
{
	m->rows = rows;
	m->words = calloc((size_t)rows / 64 + 1, sizeof(*m->words));
	return m->words ? 0 : -ENOMEM;
}

static void set(struct matches *m, uint32_t row)
{
	m->words[row / 64] |= UINT64_C(1) << row % 64;
	m->count++;
}

static void unset(struct matches *m, uint32_t row)
{
	m->words[row / 64] &= ~(UINT64_C(1) << row % 64);
	m->count--;
}

/* Of keys that must be among @f's. */
static void guess_keys(const struct collection *c, const struct sl_filter *f, struct matches *m)
{
	for (uint32_t i = 0; i < f->key_n; i++) {
		struct sl_filter_key key = key_from(f->keys[i].kind, f->keys[i].key);
		uint32_t row = rows_find(&c->rows, &key);

		if (row != SL_ROW_NONE && !matches_has(m, row))
			set(m, row);
	}
}

/* A condition on keys that has to hold; NULL: none. */
static const struct sl_filter *keys_of(const struct sl_filter *f)
{
	if (f->kind == SL_FILTER_HAS_KEY)
		return f;
	for (uint32_t i = 0; f->kind == SL_FILTER_ALL && i < f->of_n; i++)
		if (f->of[i]->kind == SL_FILTER_HAS_KEY)
			return f->of[i];
	return NULL;
}

static int guess_payload(struct collection *c, const struct sl_filter *f, struct matches *m)
{
	struct sl_row_set *found;
	bool exact;
	int rc = sl_payload_rows(c->payload, f, &found, &exact);

	if (rc)
		return rc;
	sl_row_set_words(found, m->words, m->rows);
	m->loose = !exact;
	sl_row_set_free(found);
	/* Rows that are retired are named by indexes still. */
	for (uint32_t word = 0; word < m->rows / 64 + 1; word++)
		m->count += (uint32_t)__builtin_popcountll(m->words[word]);
	for (uint32_t row = 0; c->retired && row < m->rows; row++)
		if (matches_has(m, row) && !c->rows.at[row].place)
			unset(m, row);
	return 0;
}

int matches_guess(struct collection *c, const struct sl_filter *filter, struct matches *ret_matches)
{
	struct matches m = {0};
	const struct sl_filter *keys;
	int rc = filter ? sl_filter_check(filter, NULL, 0) : 0;

	if (rc)
		return rc;
	if (!filter) {
		*ret_matches = (struct matches){.rows = c->rows.n, .count = c->rows.live};
		return 0;
	}
	rc = words_new(&m, c->rows.n);
	if (rc)
		return rc;
	keys = keys_of(filter);
	if (keys) {
		guess_keys(c, keys, &m);
		m.loose = keys != filter;
	} else if (collection_has_payload(c)) {
		rc = guess_payload(c, filter, &m);
	} else {
		m.loose = true;
		for (uint32_t row = 0; row < m.rows; row++)
			if (c->rows.at[row].place)
				set(&m, row);
	}
	if (rc)
		matches_done(&m);
	else
		*ret_matches = m;
	return rc;
}

/* ---- what objects say ------------------------------------------------------------------- */

int object_matches(struct collection *c, uint32_t row, const struct sl_filter *filter,
		   int64_t deadline)
{
	struct objects_hit hit = {0};
	int rc = object_load(c, row, &hit, deadline);

	/* What cannot be read matches nothing. */
	if (rc)
		return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
	rc = sl_filter_matches(filter, hit.object);
	objects_release(&hit, 1);
	return rc;
}

int matches_find(struct collection *c, const struct sl_filter *filter, struct matches *ret_matches,
		 int64_t deadline)
{
	uint64_t applied = c->applied;
	struct matches m;
	uint32_t looks = 0;
	int rc = matches_guess(c, filter, &m);

	if (rc)
		return rc;
	for (uint32_t row = 0; m.loose && row < m.rows; row++) {
		if (!matches_has(&m, row))
			continue;
		rc = object_matches(c, row, filter, deadline);
		if (rc < 0) {
			matches_done(&m);
			return rc;
		}
		if (!rc)
			unset(&m, row);
		if (++looks % LOOKS_A_TURN == 0)
			sl_fiber_yield(deadline);
	}
	m.loose = m.loose && c->applied != applied;
	*ret_matches = m;
	return 0;
}

void matches_done(struct matches *m)
{
	free(m->words);
	*m = (struct matches){0};
}
