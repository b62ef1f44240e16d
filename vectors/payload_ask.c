/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking payload indexes: which rows a filter means.
 *
 * Interface: payload.h (sl_payload_rows()).
 *
 * Every condition is answered from above (rows that may be meant: none is missing) or from below
 * (rows that surely are); an exact answer is both. NONE turns one into the other, the rest keeps
 * the direction. What no index knows is: from above all rows, from below none.
 *
 * Within a nested condition an index tells of a row that one of its maps has something, not which;
 * so there are answers from above only, and those that hold for what is missing are all rows.
 *
 * Order of parts: answers; what is not known; words; sorted keys; match and except; range;
 * texts; places; what is there; joined ones; calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "object_pvt.h"
#include "payload_pvt.h"

/* ---- answers ---------------------------------------------------------------------------- */

/* @rows: NULL: out of memory. */
struct answer {
	roaring_bitmap_t *rows;
	bool exact;
};

/* @above: else from below. */
struct asking {
	const struct sl_payload *p;
	const struct payload_nest *in;
	bool above;
};

static struct answer ask(const struct asking *a, const struct sl_filter *f);

static struct answer none(bool exact)
{
	return (struct answer){roaring_bitmap_create(), exact};
}

static struct answer copy(const roaring_bitmap_t *rows, bool exact)
{
	return (struct answer){roaring_bitmap_copy(rows), exact};
}

static void drop(struct answer is)
{
	if (is.rows)
		roaring_bitmap_free(is.rows);
}

static struct answer failed(struct answer so_far)
{
	drop(so_far);
	return (struct answer){NULL};
}

typedef void (*join_fn)(roaring_bitmap_t *to, const roaring_bitmap_t *with);

/* @to joined with @with, which is gone. */
static struct answer join(struct answer to, struct answer with, join_fn by)
{
	if (!to.rows || !with.rows) {
		drop(with);
		return failed(to);
	}
	by(to.rows, with.rows);
	roaring_bitmap_free(with.rows);
	to.exact = to.exact && with.exact;
	return to;
}

/* ---- what is not known ------------------------------------------------------------------ */

static struct answer unknown(const struct asking *a)
{
	return a->above ? copy(a->p->rows, false) : none(false);
}

/* The same of what needs an item that is not null. */
static struct answer unknown_item(const struct asking *a, const char *path)
{
	struct payload_index *x = a->above ? payload_find(a->p, a->in, path, PAYLOAD_ANY) : NULL;

	return x ? copy(x->present, false) : unknown(a);
}

/* ---- words ------------------------------------------------------------------------------ */

typedef bool (*word_fn)(const void *arg, const struct word *w);

/* Rows of all words for which @is holds. */
static struct answer of_words(const struct payload_index *x, word_fn is, const void *arg)
{
	struct answer to = none(true);

	for (uint32_t i = 0; to.rows && i < x->dict.room; i++) {
		const struct word *w = x->dict.slots[i];

		if (w && is(arg, w))
			posting_into(&w->rows, to.rows);
	}
	return to;
}

/* @w: NULL: no row has it. */
static struct answer of_word(const struct word *w)
{
	struct answer to = none(true);

	if (w && to.rows)
		posting_into(&w->rows, to.rows);
	return to;
}

/* ---- sorted keys ------------------------------------------------------------------------ */

static struct answer of_keys(const struct asking *a, const struct payload_index *x,
			     struct key_bounds b)
{
	struct answer to = none(b.exact);

	if (to.rows && sorted_into(&x->sorted, a->above ? b.range : key_bounds_sure(b),
				   payload_rows_max(a->p), to.rows))
		return failed(to);
	/* a number that is no key of an index of integers */
	if (to.rows && !roaring_bitmap_is_empty(x->others)) {
		to.exact = false;
		if (a->above)
			roaring_bitmap_or_inplace(to.rows, x->others);
	}
	return to;
}

/* ---- match and except ------------------------------------------------------------------- */

static struct answer match_one(const struct asking *a, const char *path, const struct sl_operand *o)
{
	struct payload_index *x = payload_find_for(a->p, a->in, path, o->type);
	struct key_bounds b;
	bool sorted;

	if (!x)
		return unknown_item(a, path);
	if (!payload_is_sorted(x->conf.type))
		return of_word(payload_word(x, o));
	sorted = key_bounds_of(x->conf.type, o, false, o, false, &b);
	SL_ASSERT(sorted);
	return of_keys(a, x, b);
}

static struct answer match(const struct asking *a, const struct sl_filter *f)
{
	struct answer to = none(true);

	for (uint32_t i = 0; to.rows && i < f->operand_n; i++)
		to = join(to, match_one(a, f->path, &f->operands[i]), roaring_bitmap_or_inplace);
	return to;
}

static struct answer contains_all(const struct asking *a, const struct sl_filter *f)
{
	struct answer to = copy(a->p->rows, true);

	for (uint32_t i = 0; to.rows && i < f->operand_n; i++)
		to = join(to, match_one(a, f->path, &f->operands[i]), roaring_bitmap_and_inplace);
	return to;
}

/*
 * Of rows with one item: those that do not match. Of the others an index does not know: from above
 * they are meant, from below they are not.
 */
static struct answer except(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(a->p, a->in, f->path, PAYLOAD_ANY);
	struct answer to, without;

	if (!x)
		return unknown(a);
	to = copy(x->present, true);
	if (to.rows)
		roaring_bitmap_andnot_inplace(to.rows, x->many);
	without = match(&(struct asking){a->p, a->in, !a->above}, f);
	to = join(to, without, roaring_bitmap_andnot_inplace);
	if (to.rows && !roaring_bitmap_is_empty(x->many)) {
		to.exact = false;
		if (a->above)
			roaring_bitmap_or_inplace(to.rows, x->many);
	}
	return to;
}

/* ---- range ------------------------------------------------------------------------------ */

static bool word_holds(const void *arg, const struct word *w)
{
	return filter_text_holds(arg, w->key, w->n);
}

static bool is_text_or_none(const struct sl_operand *bound)
{
	return bound->type == SL_VALUE_NULL || bound->type == SL_VALUE_TEXT;
}

static struct answer range(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = payload_find_range(a->p, a->in, f);
	struct key_bounds b;

	if (x && x->conf.type == SL_PAYLOAD_KEYWORD && is_text_or_none(&f->range.low) &&
	    is_text_or_none(&f->range.high))
		return of_words(x, word_holds, f);
	if (!x || !key_bounds_of_range(x->conf.type, f, &b))
		return unknown_item(a, f->path);
	return of_keys(a, x, b);
}

/* ---- texts ------------------------------------------------------------------------------ */

struct pattern {
	const struct sl_tokeniser *tokeniser;
	struct token token;
	bool (*is)(const struct sl_tokeniser *t, struct token token, struct token query);
};

static bool word_is(const void *arg, const struct word *w)
{
	const struct pattern *p = arg;

	return p->is(p->tokeniser, (struct token){w->key, w->n}, p->token);
}

/* Rows with a token that is like one of a query. */
static struct answer of_token(const struct payload_index *x, bool like, struct token token)
{
	const struct sl_tokeniser *t = &x->conf.tokeniser;
	struct answer to;
	char *text;

	if (like || t->kind == SL_TOKENS_PREFIX)
		return of_words(x, word_is,
				&(struct pattern){t, token, like ? token_is_like : token_is});
	text = malloc(token.n);
	if (!text)
		return (struct answer){NULL};
	to = of_word(dict_find(&x->dict, text, (uint32_t)token_fold(token, t->keep_case, text)));
	free(text);
	return to;
}

static struct answer any_token(const struct payload_index *x, const struct sl_filter *f)
{
	struct tokens q = tokens_of_query(f);
	struct answer to = none(true);
	struct token token;

	while (to.rows && tokens_next(&q, &token))
		to = join(to, of_token(x, false, token), roaring_bitmap_or_inplace);
	return to;
}

/*
 * Rows with all tokens. They are in one text for sure only where there is one item, and in their
 * order only if there is one of them.
 */
static struct answer all_tokens(const struct asking *a, const struct payload_index *x,
				const struct sl_filter *f)
{
	struct tokens q = tokens_of_query(f);
	struct answer to = {NULL};
	struct token token;
	uint32_t n = 0;

	for (; tokens_next(&q, &token); n++) {
		struct answer one = of_token(x, q.wild, token);

		to = n ? join(to, one, roaring_bitmap_and_inplace) : one;
		if (!to.rows)
			return to;
	}
	if (n < 2)
		return n ? to : none(true);
	if (f->kind == SL_FILTER_PHRASE || roaring_bitmap_intersect(to.rows, x->many))
		to.exact = false;
	if (!to.exact && !a->above)
		roaring_bitmap_andnot_inplace(to.rows,
					      f->kind == SL_FILTER_PHRASE ? x->rows : x->many);
	return to;
}

/* An index of whole texts answers all of it, by a look at each that there is. */
static struct answer text(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(a->p, a->in, f->path, SL_PAYLOAD_TEXT);

	if (x && f->kind != SL_FILTER_SUBSTRING && payload_has_tokens(x, f))
		return f->kind == SL_FILTER_WORDS_ANY ? any_token(x, f) : all_tokens(a, x, f);
	x = payload_find(a->p, a->in, f->path, SL_PAYLOAD_KEYWORD);
	return x ? of_words(x, word_holds, f) : unknown_item(a, f->path);
}

/* ---- places ----------------------------------------------------------------------------- */

/* Cells that are at the edge of what is meant are in the answer from above only. */
static void put_cells(const struct asking *a, const struct payload_index *x,
		      const struct sl_filter *f, struct key_range range, struct answer *to)
{
	struct sorted_part part = sorted_range(&x->sorted, range);
	uint64_t cell;
	uint32_t row;

	while (sorted_next(&x->sorted, &part.from, part.to, &cell, &row)) {
		enum place_answer is = place_answer(f, cell_place(cell), CELL_SLACK);

		if (is == PLACE_DOUBT)
			to->exact = false;
		if (is == PLACE_IN || (is == PLACE_DOUBT && a->above))
			roaring_bitmap_add(to->rows, row);
	}
}

/* Its ranges are not to lie on the stack of each level of a filter. */
static __attribute__((noinline)) struct answer places(const struct asking *a,
						      const struct sl_filter *f)
{
	struct payload_index *x = payload_find(a->p, a->in, f->path, SL_PAYLOAD_GEO);
	struct key_range ranges[CELL_RANGES_MAX];
	struct answer to;
	uint32_t n;

	if (!x)
		return unknown_item(a, f->path);
	to = none(true);
	n = to.rows ? cell_ranges(place_bounds(f), ranges) : 0;
	for (uint32_t i = 0; i < n; i++)
		put_cells(a, x, f, ranges[i], &to);
	return to;
}

/* ---- what is there ---------------------------------------------------------------------- */

static struct answer count(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = a->in ? NULL : payload_find(a->p, a->in, f->path, PAYLOAD_ANY);
	struct key_range range = {f->count.min, f->count.max};
	bool one = range.low <= 1 && range.high >= 1;
	struct answer to;

	if (!x)
		return unknown(a);
	to = one ? copy(x->one, true) : none(true);
	if (to.rows && sorted_into(&x->counts, range, payload_rows_max(a->p), to.rows))
		return failed(to);
	return to;
}

static struct answer is_null(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = payload_find(a->p, a->in, f->path, PAYLOAD_ANY);

	return x ? copy(x->null, true) : unknown(a);
}

static struct answer is_empty(const struct asking *a, const struct sl_filter *f)
{
	struct payload_index *x = a->in ? NULL : payload_find(a->p, a->in, f->path, PAYLOAD_ANY);

	return x ? copy(x->empty, true) : unknown(a);
}

static struct answer has_key(const struct asking *a, const struct sl_filter *f)
{
	struct answer to;

	if (!a->p->row_of)
		return unknown(a);
	to = none(true);
	for (uint32_t i = 0; to.rows && i < f->key_n; i++) {
		uint32_t row = a->p->row_of(a->p->row_of_arg, f->keys[i].kind, f->keys[i].key);

		if (row != SL_ROW_NONE && roaring_bitmap_contains(a->p->rows, row))
			roaring_bitmap_add(to.rows, row);
	}
	return to;
}

static struct answer has_vector(const struct asking *a, const struct sl_filter *f)
{
	return of_word(dict_find(&a->p->vectors, f->vector, (uint32_t)strlen(f->vector)));
}

/* ---- joined ones ------------------------------------------------------------------------ */

static struct answer all(const struct asking *a, const struct sl_filter *f)
{
	struct answer to = copy(a->p->rows, true);

	for (uint32_t i = 0; to.rows && i < f->of_n; i++) {
		to = join(to, ask(a, f->of[i]), roaring_bitmap_and_inplace);
		if (to.rows && roaring_bitmap_is_empty(to.rows))
			break;
	}
	return to;
}

static struct answer any(const struct asking *a, const struct sl_filter *f)
{
	struct answer to = none(true);

	for (uint32_t i = 0; to.rows && i < f->of_n; i++)
		to = join(to, ask(a, f->of[i]), roaring_bitmap_or_inplace);
	return to;
}

static void done_levels(roaring_bitmap_t **levels, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (levels[i])
			roaring_bitmap_free(levels[i]);
	free(levels);
}

/* @levels[i]: the rows of which more than i conditions held so far. False: out of memory. */
static bool raise_levels(roaring_bitmap_t **levels, uint32_t n, const roaring_bitmap_t *rows)
{
	for (uint32_t i = n; i--;) {
		roaring_bitmap_t *raised = i ? roaring_bitmap_and(levels[i - 1], rows)
					     : roaring_bitmap_copy(rows);

		if (!raised)
			return false;
		roaring_bitmap_or_inplace(levels[i], raised);
		roaring_bitmap_free(raised);
	}
	return true;
}

static struct answer at_least(const struct asking *a, const struct sl_filter *f)
{
	uint32_t n = f->at_least;
	roaring_bitmap_t **levels;
	struct answer to = {NULL, true};
	bool ok = true;

	if (n > f->of_n)
		return none(true);
	levels = calloc(n, sizeof(*levels));
	if (!levels)
		return to;
	for (uint32_t i = 0; ok && i < n; i++)
		ok = (levels[i] = roaring_bitmap_create());
	for (uint32_t i = 0; ok && i < f->of_n; i++) {
		struct answer one = ask(a, f->of[i]);

		ok = one.rows && raise_levels(levels, n, one.rows);
		to.exact = to.exact && one.exact;
		drop(one);
	}
	if (ok) {
		to.rows = levels[n - 1];
		levels[n - 1] = NULL;
	}
	done_levels(levels, n);
	return to;
}

static struct answer none_of(const struct asking *a, const struct sl_filter *f)
{
	if (a->in)
		return unknown(a);
	return join(copy(a->p->rows, true), any(&(struct asking){a->p, NULL, !a->above}, f),
		    roaring_bitmap_andnot_inplace);
}

static struct answer nested(const struct asking *a, const struct sl_filter *f)
{
	struct payload_nest in = {a->in, f->path};
	struct answer to;

	if (!a->above)
		return none(false);
	to = all(&(struct asking){a->p, &in, true}, f);
	to.exact = false;
	return to;
}

static struct answer ask_one(const struct asking *a, const struct sl_filter *f)
{
	switch (f->kind) {
	case SL_FILTER_ALL:
		return all(a, f);
	case SL_FILTER_ANY:
		return f->at_least > 1 ? at_least(a, f) : any(a, f);
	case SL_FILTER_NONE:
		return none_of(a, f);
	case SL_FILTER_NESTED:
		return nested(a, f);
	case SL_FILTER_MATCH:
		return match(a, f);
	case SL_FILTER_EXCEPT:
		return except(a, f);
	case SL_FILTER_CONTAINS_ALL:
		return contains_all(a, f);
	case SL_FILTER_RANGE:
		return range(a, f);
	case SL_FILTER_RADIUS:
	case SL_FILTER_BOX:
	case SL_FILTER_POLYGON:
		return places(a, f);
	case SL_FILTER_COUNT:
		return count(a, f);
	case SL_FILTER_IS_NULL:
		return is_null(a, f);
	case SL_FILTER_IS_EMPTY:
		return is_empty(a, f);
	case SL_FILTER_HAS_KEY:
		return has_key(a, f);
	case SL_FILTER_HAS_VECTOR:
		return has_vector(a, f);
	default:
		return text(a, f);
	}
}

static struct answer ask(const struct asking *a, const struct sl_filter *f)
{
	struct answer is = ask_one(a, f);

	/* if none may be, that is so */
	if (is.rows && a->above && !is.exact)
		is.exact = roaring_bitmap_is_empty(is.rows);
	return is;
}

/* ---- calls ------------------------------------------------------------------------------ */

int sl_payload_rows(const struct sl_payload *p, const struct sl_filter *f,
		    struct sl_row_set **ret_set, bool *ret_exact)
{
	struct answer is = ask(&(struct asking){p, NULL, true}, f);
	struct sl_row_set *s = malloc(sizeof(*s));

	if (!is.rows || !s) {
		drop(is);
		free(s);
		return -ENOMEM;
	}
	s->map = is.rows;
	*ret_set = s;
	*ret_exact = is.exact;
	return 0;
}
