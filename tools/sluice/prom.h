/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prom: pages of metrics in Prometheus' text format 0.0.4, as /metrics gives them.
 *
 * A page is samples in their order, each a name, labels and a number. Comments, HELP and TYPE
 * among them, are passed over: what a sample means is the reader's knowledge.
 */
#ifndef TOOLS_SLUICE_PROM_H
#define TOOLS_SLUICE_PROM_H

#include <stddef.h>
#include <stdint.h>

struct prom_label {
	const char *name, *value;
};

/* @value may be NaN or infinite. */
struct prom_sample {
	const char *name;
	const struct prom_label *labels;
	size_t labels_n;
	double value;
};

/* Its strings and labels live as long as the page. A zeroed one is empty. */
struct prom_page {
	struct prom_sample *samples;
	size_t samples_n;
	struct prom_label *labels;
	char *text;
};

/**
 * prom_parse() - read a whole page, @n bytes at @text.
 * @ret_line: where it is wrong, from 1; set by -EBADMSG only.
 * Return: 0; -EBADMSG: that is no such page, or its end is missing; -ENOMEM.
 */
int prom_parse(const char *text, size_t n, struct prom_page *ret_page, size_t *ret_line);

/* Frees what it holds and leaves it empty. */
void prom_page_done(struct prom_page *page);

/* The value of label @name of @sample, or NULL. */
const char *prom_label_value(const struct prom_sample *sample, const char *name);

#endif
