// SPDX-License-Identifier: Apache-2.0
/*
 * Prometheus' text format, read.
 *
 * Interface: prom.h. The page is copied once and cut up in place: names and values end in NULs
 * where their delimiters stood. Invariant: there are no more samples than lines, and no more
 * labels than equals signs, so that both arrays are made at once and never move.
 * Order of parts: tokens; labels; samples; the page.
 */
#include "prom.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokens ----------------------------------------------------------------------------- */

/* The line is [p, end), and *end is its newline. */
struct line {
	char *p, *end;
};

static void blanks_skip(struct line *l)
{
	while (*l->p == ' ' || *l->p == '\t')
		l->p++;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* @colons: they belong to names of metrics, not to those of labels. Return: bytes, 0: no name. */
static size_t name_bytes(const char *p, bool colons)
{
	size_t n = 0;

	while (is_letter(p[n]) || (n && p[n] >= '0' && p[n] <= '9') || (colons && p[n] == ':'))
		n++;
	return n;
}

/* A number up to a blank or the line's end; strtod() alone would look for it on later lines. */
static int number_take(struct line *l, double *ret_value)
{
	char *end;
	double v;

	if (strchr("\n\r\v\f", *l->p))
		return -EBADMSG;
	v = strtod(l->p, &end);
	if (end == l->p || end > l->end || (*end != ' ' && *end != '\t' && *end != '\n'))
		return -EBADMSG;
	l->p = end;
	*ret_value = v;
	return 0;
}

/* ---- labels ----------------------------------------------------------------------------- */

/* From behind the opening quote; escapes are undone in place. */
static int quoted_take(struct line *l, const char **ret_value)
{
	char *from = l->p, *to = l->p;

	*ret_value = to;
	for (; from < l->end && *from != '"'; from++) {
		char c = *from;

		if (!c)
			return -EBADMSG;
		if (c == '\\') {
			c = *++from;
			if (c == 'n')
				c = '\n';
			else if (c != '\\' && c != '"')
				return -EBADMSG;
		}
		*to++ = c;
	}
	if (from == l->end)
		return -EBADMSG;
	*to = 0;
	l->p = from + 1;
	return 0;
}

static int label_take(struct line *l, struct prom_label *ret_label)
{
	size_t n = name_bytes(l->p, false);
	char *name_end = l->p + n;

	if (!n)
		return -EBADMSG;
	ret_label->name = l->p;
	l->p = name_end;
	blanks_skip(l);
	if (*l->p != '=')
		return -EBADMSG;
	l->p++;
	blanks_skip(l);
	if (*l->p != '"')
		return -EBADMSG;
	l->p++;
	*name_end = 0;
	return quoted_take(l, &ret_label->value);
}

/* From behind the opening brace to behind the closing one. Return: how many, or -EBADMSG. */
static ssize_t labels_take(struct line *l, struct prom_label *ret_labels)
{
	ssize_t n = 0;

	for (;;) {
		int err;

		blanks_skip(l);
		if (*l->p == '}')
			break;
		err = label_take(l, &ret_labels[n]);
		if (err)
			return err;
		n++;
		blanks_skip(l);
		if (*l->p == ',')
			l->p++;
		else if (*l->p != '}')
			return -EBADMSG;
	}
	l->p++;
	return n;
}

/* ---- samples ---------------------------------------------------------------------------- */

/* The time of a sample, in ms, is not kept. */
static int timestamp_skip(struct line *l)
{
	char *end;

	blanks_skip(l);
	if (l->p == l->end)
		return 0;
	if (strchr("\r\v\f", *l->p))
		return -EBADMSG;
	strtoll(l->p, &end, 10);
	if (end == l->p || end > l->end)
		return -EBADMSG;
	l->p = end;
	blanks_skip(l);
	return l->p == l->end ? 0 : -EBADMSG;
}

static int sample_take(struct line *l, struct prom_label *labels, struct prom_sample *ret_sample)
{
	size_t n = name_bytes(l->p, true);
	char *name_end = l->p + n;
	ssize_t labels_n = 0;
	int err;

	if (!n)
		return -EBADMSG;
	*ret_sample = (struct prom_sample){.name = l->p, .labels = labels};
	l->p = name_end;
	blanks_skip(l);
	if (*l->p == '{') {
		l->p++;
		labels_n = labels_take(l, labels);
		if (labels_n < 0)
			return (int)labels_n;
		blanks_skip(l);
	} else if (l->p == name_end) {
		return -EBADMSG;
	}
	ret_sample->labels_n = (size_t)labels_n;
	err = number_take(l, &ret_sample->value);
	*name_end = 0;
	return err ? err : timestamp_skip(l);
}

/* ---- the page --------------------------------------------------------------------------- */

static size_t bytes_count(const char *text, size_t n, char c)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += text[i] == c;
	return count;
}

static int lines_take(struct prom_page *page, size_t n, size_t *ret_line)
{
	struct line l = {.p = page->text};
	size_t labels_n = 0;

	for (size_t line = 1; l.p < page->text + n; line++, l.p = l.end + 1) {
		struct prom_sample *s = &page->samples[page->samples_n];
		int err = 0;

		l.end = memchr(l.p, '\n', (size_t)(page->text + n - l.p));
		if (l.end)
			blanks_skip(&l);
		if (l.end && (l.p == l.end || *l.p == '#'))
			continue;
		err = l.end ? sample_take(&l, page->labels + labels_n, s) : -EBADMSG;
		if (err) {
			*ret_line = line;
			return err;
		}
		labels_n += s->labels_n;
		page->samples_n++;
	}
	return 0;
}

int prom_parse(const char *text, size_t n, struct prom_page *ret_page, size_t *ret_line)
{
	struct prom_page page = {0};
	int err = -ENOMEM;

	page.text = malloc(n + 1);
	page.samples = calloc(bytes_count(text, n, '\n') + 1, sizeof(*page.samples));
	page.labels = calloc(bytes_count(text, n, '=') + 1, sizeof(*page.labels));
	if (page.text && page.samples && page.labels) {
		memcpy(page.text, text, n);
		page.text[n] = 0;
		err = lines_take(&page, n, ret_line);
	}
	if (err)
		prom_page_done(&page);
	else
		*ret_page = page;
	return err;
}

void prom_page_done(struct prom_page *page)
{
	free(page->samples);
	free(page->labels);
	free(page->text);
	*page = (struct prom_page){0};
}

const char *prom_label_value(const struct prom_sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->labels_n; i++)
		if (!strcmp(sample->labels[i].name, name))
			return sample->labels[i].value;
	return NULL;
}
