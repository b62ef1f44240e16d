// SPDX-License-Identifier: Apache-2.0
/*
 * Two pages of metrics, compared.
 *
 * Interface: the views of top.h. A counter that fell was reset by a restart of the daemon, so that
 * what it shows has grown since; a sample that is new has grown from nothing, because the daemon
 * leaves out labelled histograms that counted nothing.
 * Invariant: a cell whose metric the page lacks is NaN.
 * Order of parts: samples; growth; quantiles; cells; rows; views; sorting.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "top.h"

/* ---- samples ---------------------------------------------------------------------------- */

/* @hint: where the last one was found in @before: pages of one daemon have the same order. */
struct compare {
	const struct prom_page *before, *now;
	double interval_s;
	size_t hint;
};

static bool same_labels(const struct prom_sample *a, const struct prom_sample *b)
{
	if (a->labels_n != b->labels_n)
		return false;
	for (size_t i = 0; i < a->labels_n; i++) {
		const char *value = prom_label_value(b, a->labels[i].name);

		if (!value || strcmp(a->labels[i].value, value))
			return false;
	}
	return true;
}

/* The sample that was what @s is now, or NULL. */
static const struct prom_sample *find_before(struct compare *c, const struct prom_sample *s)
{
	for (size_t i = 0; i < c->before->samples_n; i++) {
		size_t at = (c->hint + i) % c->before->samples_n;
		const struct prom_sample *old = &c->before->samples[at];

		if (strcmp(old->name, s->name) || !same_labels(old, s))
			continue;
		c->hint = at + 1;
		return old;
	}
	return NULL;
}

static bool is_metric(const struct prom_sample *s, const char *metric, const char *suffix)
{
	size_t n = strlen(metric);

	return !strncmp(s->name, metric, n) && !strcmp(s->name + n, suffix);
}

static bool is_of_row(const struct prom_sample *s, const struct top_section *section,
		      const struct top_row *row)
{
	for (int k = 0; k < 2 && section->labels[k]; k++) {
		const char *value = prom_label_value(s, section->labels[k]);

		if (!value || strcmp(value, row->names[k]))
			return false;
	}
	return true;
}

/* ---- growth ----------------------------------------------------------------------------- */

static double growth(struct compare *c, const struct prom_sample *s)
{
	const struct prom_sample *old;

	if (!c->before)
		return NAN;
	old = find_before(c, s);
	return old && old->value <= s->value ? s->value - old->value : s->value;
}

/* ---- quantiles -------------------------------------------------------------------------- */

/* A histogram has one bucket a bound; those of several are added up. */
#define BUCKETS_MAX 128

struct buckets {
	struct {
		double bound, count; /* of values at most bound */
	} v[BUCKETS_MAX];
	size_t n;
};

static void bucket_add(struct buckets *b, double bound, double count)
{
	size_t at = 0;

	while (at < b->n && b->v[at].bound < bound)
		at++;
	if (at == b->n || b->v[at].bound > bound) {
		if (b->n == BUCKETS_MAX)
			return;
		memmove(&b->v[at + 1], &b->v[at], (b->n - at) * sizeof(b->v[0]));
		b->v[at].bound = bound;
		b->v[at].count = 0;
		b->n++;
	}
	b->v[at].count += count;
}

/* Values are taken to lie evenly within a bucket; beyond the last bound nothing is known. */
static double quantile(const struct buckets *b, double q)
{
	double all = b->n ? b->v[b->n - 1].count : 0, rank = q * all;
	double lower = 0, below = 0;

	if (!(all > 0))
		return NAN;
	for (size_t i = 0; i < b->n; i++) {
		double bound = b->v[i].bound, here = b->v[i].count - below;

		if (isinf(bound))
			return lower;
		if (b->v[i].count >= rank && here > 0)
			return lower + (bound - lower) * sl_max(rank - below, 0.0) / here;
		lower = bound;
		below = b->v[i].count;
	}
	return lower;
}

static double cell_quantile(struct compare *c, const struct top_section *section,
			    const struct top_column *column, const struct top_row *row)
{
	struct buckets b = {.n = 0};

	for (size_t i = 0; i < c->now->samples_n; i++) {
		const struct prom_sample *s = &c->now->samples[i];
		const char *le;

		if (!is_metric(s, column->metric, "_bucket") || !is_of_row(s, section, row))
			continue;
		le = prom_label_value(s, "le");
		if (le)
			bucket_add(&b, strtod(le, NULL), growth(c, s));
	}
	return quantile(&b, column->q);
}

/* ---- cells ------------------------------------------------------------------------------ */

static double cell(struct compare *c, const struct top_section *section,
		   const struct top_column *column, const struct top_row *row)
{
	double sum = 0, copied = 0;
	size_t n = 0;

	if (column->how == TOP_QUANTILE)
		return cell_quantile(c, section, column, row);
	for (size_t i = 0; i < c->now->samples_n; i++) {
		const struct prom_sample *s = &c->now->samples[i];
		const char *rung;
		double v;

		if (!is_metric(s, column->metric, "") || !is_of_row(s, section, row))
			continue;
		v = column->how == TOP_LEVEL ? s->value : growth(c, s);
		rung = prom_label_value(s, "rung");
		copied += rung && !strcmp(rung, "copy") ? v : 0;
		sum += v;
		n++;
	}
	if (!n || isnan(sum))
		return NAN;
	if (column->how == TOP_SHARE)
		return sum > 0 ? (sum - copied) / sum : NAN;
	return column->how == TOP_RATE ? sum / c->interval_s : sum;
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Whether @s counts what a column of @section shows. */
static bool is_of_section(const struct prom_sample *s, const struct top_section *section)
{
	for (size_t k = 0; k < section->columns_n; k++) {
		const struct top_column *col = &section->columns[k];

		if (is_metric(s, col->metric, col->how == TOP_QUANTILE ? "_bucket" : ""))
			return true;
	}
	return false;
}

static int row_add(struct top_table *t, const struct top_section *section,
		   const struct prom_sample *s)
{
	struct top_row row = {.listed = t->rows_n};
	struct top_row *rows;

	for (int k = 0; k < 2 && section->labels[k]; k++) {
		row.names[k] = prom_label_value(s, section->labels[k]);
		if (!row.names[k])
			return 0;
	}
	for (size_t i = t->rows_n; i > 0; i--)
		if (is_of_row(s, section, &t->rows[i - 1]))
			return 0;
	rows = reallocarray(t->rows, t->rows_n + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	rows[t->rows_n++] = row;
	return 0;
}

static int rows_find(struct compare *c, const struct top_section *section, struct top_table *t)
{
	if (!section->labels[0]) {
		t->rows = calloc(1, sizeof(*t->rows));
		t->rows_n = t->rows != NULL;
		return t->rows ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < c->now->samples_n; i++) {
		const struct prom_sample *s = &c->now->samples[i];

		if (is_of_section(s, section) && row_add(t, section, s))
			return -ENOMEM;
	}
	return 0;
}

/* ---- views ------------------------------------------------------------------------------ */

int top_view_make(const struct prom_page *before, const struct prom_page *now, double interval_s,
		  struct top_view *ret_view)
{
	struct compare c = {.before = before, .now = now, .interval_s = interval_s};
	struct top_view view = {.interval_s = interval_s};

	SL_ASSERT(interval_s > 0);
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		const struct top_section *section = &top_sections[i];
		struct top_table *t = &view.tables[i];

		if (rows_find(&c, section, t)) {
			top_view_done(&view);
			return -ENOMEM;
		}
		for (size_t r = 0; r < t->rows_n; r++)
			for (size_t k = 0; k < section->columns_n; k++)
				t->rows[r].cells[k] =
					cell(&c, section, &section->columns[k], &t->rows[r]);
	}
	*ret_view = view;
	return 0;
}

void top_view_done(struct top_view *view)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++)
		free(view->tables[i].rows);
	*view = (struct top_view){0};
}

/* ---- sorting ---------------------------------------------------------------------------- */

/* By cell @column, the larger first and what is not known last; else, and by name, as listed. */
static bool precedes(const struct top_row *a, const struct top_row *b, int column)
{
	double x = column < 0 ? 0 : a->cells[column], y = column < 0 ? 0 : b->cells[column];

	if (isnan(x) != isnan(y))
		return isnan(y);
	return isnan(x) || x == y ? a->listed < b->listed : x > y;
}

static void rows_sort(struct top_table *t, int column)
{
	for (size_t i = 1; i < t->rows_n; i++) {
		struct top_row row = t->rows[i];
		size_t at = i;

		for (; at > 0 && precedes(&row, &t->rows[at - 1], column); at--)
			t->rows[at] = t->rows[at - 1];
		t->rows[at] = row;
	}
}

static int sort_column(const struct top_section *section, enum top_sort sort)
{
	const char *key = sort == TOP_BY_BUSIEST   ? section->busiest
			  : sort == TOP_BY_SLOWEST ? section->slowest
						   : NULL;

	for (size_t k = 0; k < section->columns_n && key; k++)
		if (!strcmp(section->columns[k].key, key))
			return (int)k;
	return -1;
}

void top_view_sort(struct top_view *view, enum top_sort sort)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++)
		rows_sort(&view->tables[i], sort_column(&top_sections[i], sort));
}
