/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many rows a filter will mean, from what the indexes have counted.
 *
 * Interface: payload.h (sl_payload_estimate()). Conditions are taken for independent of each other;
 * of one that no index knows half of the rows are expected.
 *
 * Order of parts: estimates; one condition; joined ones; the call.
 */
#include <math.h>
#include <string.h>

#include "payload_pvt.h"

/* ---- estimates -------------------------------------------------------------------------- */

/* @all: rows there are. */
struct guess {
	const struct sl_payload *p;
	const struct payload_nest *in;
	uint32_t all;
};

static uint32_t count_of(const roaring_bitmap_t *rows)
{
	return (uint32_t)roaring_bitmap_get_cardinality(rows);
}

static struct sl_estimate exactly(uint32_t n)
{
	return (struct sl_estimate){n, n, n};
}

/* Of at most @max, nothing is known. */
static struct sl_estimate at_most(uint32_t max)
{
	return (struct sl_estimate){0, max / 2, max};
}

static double share(const struct guess *g, uint32_t n)
{
	return g->all ? (double)n / g->all : 0;
}

static struct sl_estimate bounded(struct sl_estimate e, double expected)
{
	double n = round(expected);

	e.expected = n < e.min ? e.min : n > e.max ? e.max : (uint32_t)n;
	return e;
}

/* ---- one condition ---------------------------------------------------------------------- */

static struct sl_estimate unknown_item(const struct guess *g, const char *path)
{
	struct payload_index *x = payload_find(g->p, g->in, path, PAYLOAD_ANY);

	return at_most(x ? count_of(x->present) : g->all);
}

/* Of pairs of keys and rows; a row may be in several. */
static struct sl_estimate of_pairs(const struct payload_index *x, struct key_bounds b)
{
	uint32_t present = count_of(x->present), others = count_of(x->others);
	uint64_t pairs = sorted_count(&x->sorted, b.range) + others;
	uint32_t max = (uint32_t)sl_min(pairs, (uint64_t)present);
	bool single = b.exact && !others && roaring_bitmap_is_empty(x->many);

	return (struct sl_estimate){single ? max : 0, max, max};
}

/* @w: NULL: no row has it. */
static uint32_t rows_of(const struct word *w)
{
	return w ? posting_count(&w->rows) : 0;
}

static struct sl_estimate match_one(const struct guess *g, const char *path,
				    const struct sl_operand *o)
{
	struct payload_index *x = payload_find_for(g->p, g->in, path, o->type);
	struct key_bounds b;
	bool sorted;

	if (!x)
		return unknown_item(g, path);
	if (!payload_is_sorted(x->conf.type))
		return exactly(rows_of(payload_word(x, o)));
	sorted = key_bounds_of(x->conf.type, o, false, o, false, &b);
	SL_ASSERT(sorted);
	return of_pairs(x, b);
}

static struct sl_estimate match(const struct guess *g, const struct sl_filter *f)
{
	struct sl_estimate to = {0};
	double expected = 0;

	for (uint32_t i = 0; i < f->operand_n; i++) {
		struct sl_estimate e = match_one(g, f->path, &f->operands[i]);

		to.min = sl_max(to.min, e.min);
		to.max = (uint32_t)sl_min((uint64_t)to.max + e.max, (uint64_t)g->all);
		expected += e.expected;
	}
	return bounded(to, expected);
}

static struct sl_estimate contains_all(const struct guess *g, const struct sl_filter *f)
{
	struct sl_estimate to = {0, 0, g->all};
	double expected = g->all;

	for (uint32_t i = 0; i < f->operand_n; i++) {
		struct sl_estimate e = match_one(g, f->path, &f->operands[i]);

		to.max = sl_min(to.max, e.max);
		expected *= share(g, e.expected);
	}
	return bounded(to, expected);
}

static struct sl_estimate except(const struct guess *g, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(g->p, g->in, f->path, PAYLOAD_ANY);
	struct sl_estimate without = match(g, f);
	uint32_t present, many;

	if (!x)
		return at_most(g->all);
	present = count_of(x->present);
	many = count_of(x->many);
	return bounded((struct sl_estimate){present - many > without.max
						    ? present - many - without.max
						    : 0,
					    0, present},
		       (double)present - without.expected);
}

static struct sl_estimate range(const struct guess *g, const struct sl_filter *f)
{
	struct payload_index *x = payload_find_range(g->p, g->in, f);
	struct key_bounds b;

	if (!x || !key_bounds_of_range(x->conf.type, f, &b))
		return unknown_item(g, f->path);
	return of_pairs(x, b);
}

static uint32_t token_rows(const struct payload_index *x, struct token token)
{
	char key[256];
	uint32_t n;

	if (token.n > sizeof(key))
		return count_of(x->present);
	n = (uint32_t)token_fold(token, x->conf.tokeniser.keep_case, key);
	return rows_of(dict_find(&x->dict, key, n));
}

/* There are at most as many rows as of the rarest token, or of all of them. */
static struct sl_estimate words(const struct payload_index *x, const struct sl_filter *f)
{
	struct tokens q = tokens_of_query(f);
	uint32_t rarest = UINT32_MAX, present = count_of(x->present), n = 0, max;
	bool any = f->kind == SL_FILTER_WORDS_ANY;
	struct token token;
	uint64_t sum = 0;

	for (; tokens_next(&q, &token); n++) {
		uint32_t rows = token_rows(x, token);

		rarest = sl_min(rarest, rows);
		sum += rows;
	}
	max = any || !n ? (uint32_t)sl_min(sum, (uint64_t)present) : rarest;
	return (struct sl_estimate){0, max, max};
}

static struct sl_estimate text(const struct guess *g, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(g->p, g->in, f->path, SL_PAYLOAD_TEXT);

	if (!x || f->kind == SL_FILTER_LIKE || f->kind == SL_FILTER_SUBSTRING ||
	    f->tokeniser.kind == SL_TOKENS_PREFIX || !payload_has_tokens(x, f))
		return unknown_item(g, f->path);
	return words(x, f);
}

static __attribute__((noinline)) struct sl_estimate places(const struct guess *g,
							   const struct sl_filter *f)
{
	struct payload_index *x = payload_find(g->p, g->in, f->path, SL_PAYLOAD_GEO);
	struct key_range ranges[CELL_RANGES_MAX];
	uint64_t pairs = 0;
	uint32_t n;

	if (!x)
		return unknown_item(g, f->path);
	n = cell_ranges(place_bounds(f), ranges);
	for (uint32_t i = 0; i < n; i++)
		pairs += sorted_count(&x->sorted, ranges[i]);
	return at_most((uint32_t)sl_min(pairs, (uint64_t)count_of(x->present)));
}

static struct sl_estimate count(const struct guess *g, const struct sl_filter *f)
{
	struct payload_index *x = g->in ? NULL : payload_find(g->p, NULL, f->path, PAYLOAD_ANY);
	struct key_range range = {f->count.min, f->count.max};
	uint64_t n;

	if (!x)
		return at_most(g->all);
	n = sorted_count(&x->counts, range);
	n += range.low <= 1 && range.high >= 1 ? count_of(x->one) : 0;
	n = sl_min(n, (uint64_t)g->all);
	return (struct sl_estimate){0, (uint32_t)n, (uint32_t)n};
}

static struct sl_estimate of_bitmap(const struct guess *g, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(g->p, g->in, f->path, PAYLOAD_ANY);

	if (!x || (g->in && f->kind == SL_FILTER_IS_EMPTY))
		return at_most(g->all);
	return exactly(count_of(f->kind == SL_FILTER_IS_NULL ? x->null : x->empty));
}

static struct sl_estimate has_vector(const struct guess *g, const struct sl_filter *f)
{
	uint32_t n = (uint32_t)strlen(f->vector);

	return exactly(rows_of(dict_find(&g->p->vectors, f->vector, n)));
}

/* ---- joined ones ------------------------------------------------------------------------ */

static struct sl_estimate guess(const struct guess *g, const struct sl_filter *f);

static struct sl_estimate all(const struct guess *g, const struct sl_filter *f)
{
	struct sl_estimate to = exactly(g->all);
	double expected = g->all;

	for (uint32_t i = 0; i < f->of_n; i++) {
		struct sl_estimate e = guess(g, f->of[i]);
		uint32_t missing = g->all - e.min;

		to.min = to.min > missing ? to.min - missing : 0;
		to.max = sl_min(to.max, e.max);
		expected *= share(g, e.expected);
	}
	return bounded(to, expected);
}

/* Where several must hold, the sum of what may be is shared by them. */
static struct sl_estimate any(const struct guess *g, const struct sl_filter *f, uint32_t at_least)
{
	struct sl_estimate to = {0};
	double without = 1, sum = 0, max = 0;

	for (uint32_t i = 0; i < f->of_n; i++) {
		struct sl_estimate e = guess(g, f->of[i]);

		to.min = at_least == 1 ? sl_max(to.min, e.min) : 0;
		max += e.max;
		sum += e.expected;
		without *= 1 - share(g, e.expected);
	}
	to.max = (uint32_t)sl_min(max / at_least, (double)g->all);
	return bounded(to, at_least == 1 ? (1 - without) * g->all : sum / at_least);
}

static struct sl_estimate none(const struct guess *g, const struct sl_filter *f)
{
	struct sl_estimate e = any(g, f, 1);

	return (struct sl_estimate){g->all - e.max, g->all - e.expected, g->all - e.min};
}

static struct sl_estimate nested(const struct guess *g, const struct sl_filter *f)
{
	struct payload_nest in = {g->in, f->path};
	struct sl_estimate e = all(&(struct guess){g->p, &in, g->all}, f);

	e.min = 0;
	return e;
}

static struct sl_estimate guess(const struct guess *g, const struct sl_filter *f)
{
	switch (f->kind) {
	case SL_FILTER_ALL:
		return all(g, f);
	case SL_FILTER_ANY:
		return any(g, f, sl_max(f->at_least, 1u));
	case SL_FILTER_NONE:
		return g->in ? at_most(g->all) : none(g, f);
	case SL_FILTER_NESTED:
		return nested(g, f);
	case SL_FILTER_MATCH:
		return match(g, f);
	case SL_FILTER_EXCEPT:
		return except(g, f);
	case SL_FILTER_CONTAINS_ALL:
		return contains_all(g, f);
	case SL_FILTER_RANGE:
		return range(g, f);
	case SL_FILTER_RADIUS:
	case SL_FILTER_BOX:
	case SL_FILTER_POLYGON:
		return places(g, f);
	case SL_FILTER_COUNT:
		return count(g, f);
	case SL_FILTER_IS_NULL:
	case SL_FILTER_IS_EMPTY:
		return of_bitmap(g, f);
	case SL_FILTER_HAS_KEY:
		return (struct sl_estimate){0, sl_min(f->key_n, g->all), sl_min(f->key_n, g->all)};
	case SL_FILTER_HAS_VECTOR:
		return has_vector(g, f);
	default:
		return text(g, f);
	}
}

/* ---- the call --------------------------------------------------------------------------- */

struct sl_estimate sl_payload_estimate(const struct sl_payload *p, const struct sl_filter *f)
{
	return guess(&(struct guess){p, NULL, count_of(p->rows)}, f);
}
