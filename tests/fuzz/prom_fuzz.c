// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of metrics from arbitrary bytes. What was read is written again and read again, and must
 * be the same; a view of it can be laid out and printed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>

#include "tools/sluice/top.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			fputs("\\n", out);
		else if (*s == '\\' || *s == '"')
			fprintf(out, "\\%c", *s);
		else
			fputc(*s, out);
	}
}

static void write_page(FILE *out, const struct prom_page *page)
{
	for (size_t i = 0; i < page->samples_n; i++) {
		const struct prom_sample *s = &page->samples[i];

		fprintf(out, "%s{", s->name);
		for (size_t k = 0; k < s->labels_n; k++) {
			fprintf(out, "%s=\"", s->labels[k].name);
			write_value(out, s->labels[k].value);
			fputs("\",", out);
		}
		fprintf(out, "} %.17g\n", s->value);
	}
}

static void check_same(const struct prom_page *a, const struct prom_page *b)
{
	SL_ASSERT(a->samples_n == b->samples_n);
	for (size_t i = 0; i < a->samples_n; i++) {
		const struct prom_sample *x = &a->samples[i], *y = &b->samples[i];

		SL_ASSERT(!strcmp(x->name, y->name));
		SL_ASSERT(x->value == y->value || (isnan(x->value) && isnan(y->value)));
		SL_ASSERT(x->labels_n == y->labels_n);
		for (size_t k = 0; k < x->labels_n; k++) {
			SL_ASSERT(!strcmp(x->labels[k].name, y->labels[k].name));
			SL_ASSERT(!strcmp(x->labels[k].value, y->labels[k].value));
		}
	}
}

static void check_view(const struct prom_page *page)
{
	struct prom_page nothing = {0};
	struct top_view view;
	struct top_lines lines;

	SL_ASSERT(!top_view_make(&nothing, page, 1, &view));
	for (int sort = 0; sort < TOP_SORT_LAST; sort++)
		top_view_sort(&view, (enum top_sort)sort);
	SL_ASSERT(!top_layout(&view, TOP_WIDTH_MIN + page->samples_n % 300, true, &lines));
	for (size_t i = 0; i < lines.n; i++)
		for (size_t k = 0; k < lines.v[i].n; k++)
			SL_ASSERT(lines.v[i].text[k] >= ' ' && lines.v[i].text[k] <= '~');
	top_lines_done(&lines);
	top_view_done(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct prom_page page, again;
	size_t line, n = 0;
	char *text = NULL;
	FILE *out;

	if (prom_parse((const char *)data, size, &page, &line))
		return 0;
	out = open_memstream(&text, &n);
	SL_ASSERT(out);
	write_page(out, &page);
	fclose(out);
	SL_ASSERT(!prom_parse(text, n, &again, &line));
	check_same(&page, &again);
	check_view(&page);
	prom_page_done(&again);
	prom_page_done(&page);
	free(text);
	return 0;
}
