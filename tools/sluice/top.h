/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top: what `sluice top` shows of two pages of metrics, and how.
 *
 * A view is a table for each section of top_sections.c; text, JSON and the live screen are made of
 * views alone. What a daemon does not count is NaN in a view, "-" on a screen, null in JSON.
 *
 * Order of parts: sections; views; text; JSON; the live screen.
 */
#ifndef TOOLS_SLUICE_TOP_H
#define TOOLS_SLUICE_TOP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "prom.h"

/* ---- sections --------------------------------------------------------------------------- */

/* How a cell comes from a metric's samples that have the row's labels. */
enum top_how {
	TOP_LEVEL, /* their sum, as it is now */
	TOP_RATE, /* their growth in a second */
	TOP_SHARE, /* the share of their growth that did not go by rung "copy" */
	TOP_QUANTILE, /* of what a histogram counted in the interval */
};

enum top_unit { TOP_ONE, TOP_BYTES, TOP_SECONDS, TOP_PERCENT, TOP_UNIT_LAST };

/**
 * struct top_column - one figure of each row.
 * @key: its name in JSON. @q: of a quantile. @warn: above it the cell stands out; 0: never.
 * @rank: 0: always shown; the highest goes first where the terminal is narrow.
 */
struct top_column {
	const char *key, *title, *metric;
	enum top_how how;
	enum top_unit unit;
	unsigned rank;
	double q, warn;
};

#define TOP_COLUMNS_MAX 10

/**
 * struct top_section - a table: a row for each value of its labels, or one row without any.
 * @busiest, @slowest: keys of the columns to sort by; NULL: not sorted. @hides_idle: rows in which
 * nothing happened are left out of text. @right: its place where two columns of tables have room.
 */
struct top_section {
	const char *key, *title;
	const char *labels[2];
	const struct top_column *columns;
	size_t columns_n;
	const char *busiest, *slowest;
	bool hides_idle, right;
};

enum {
	TOP_TOTAL,
	TOP_CORES,
	TOP_LISTENERS,
	TOP_DELIVERY,
	TOP_TCP,
	TOP_KAFKA,
	TOP_HTTP,
	TOP_OBJECTS,
	TOP_SEARCHES,
	TOP_STORAGE,
	TOP_RING,
	TOP_FALLBACKS,
	TOP_CLOSED,
	TOP_RING_OPS,
	TOP_PROGRAMS,
	TOP_SECTION_LAST
};

extern const struct top_section top_sections[TOP_SECTION_LAST];

/* ---- views ------------------------------------------------------------------------------ */

/* @names: values of the section's labels; of the newer page. @listed: position there. */
struct top_row {
	size_t listed;
	const char *names[2];
	double cells[TOP_COLUMNS_MAX];
};

struct top_table {
	struct top_row *rows;
	size_t rows_n;
};

struct top_view {
	double interval_s;
	struct top_table tables[TOP_SECTION_LAST];
};

/**
 * top_view_make() - compare two pages.
 * @before: NULL: there is none, and no growth is known. @now: outlives the view.
 * @interval_s: between the two, > 0.
 * Return: 0 or -ENOMEM.
 */
int top_view_make(const struct prom_page *before, const struct prom_page *now, double interval_s,
		  struct top_view *ret_view);

/* Frees what it holds and leaves it empty. */
void top_view_done(struct top_view *view);

enum top_sort { TOP_BY_NAME, TOP_BY_BUSIEST, TOP_BY_SLOWEST, TOP_SORT_LAST };

/* By name: as the daemon lists them. */
void top_view_sort(struct top_view *view, enum top_sort sort);

/* ---- text ------------------------------------------------------------------------------- */

enum top_style { TOP_PLAIN, TOP_TITLE, TOP_HEAD, TOP_FAINT, TOP_WARN, TOP_STYLE_LAST };

#define TOP_WIDTH_MIN 40
#define TOP_WIDTH_MAX 400

/* One line of ASCII, and the style of each character. */
struct top_line {
	size_t n;
	char text[TOP_WIDTH_MAX];
	uint8_t style[TOP_WIDTH_MAX];
};

struct top_lines {
	struct top_line *v;
	size_t n, cap;
};

/**
 * top_layout() - lay a view out in lines of at most @width characters (TOP_WIDTH_MIN.._MAX).
 * @idle: rows in which nothing happened, too. Return: 0 or -ENOMEM.
 */
int top_layout(const struct top_view *view, size_t width, bool idle, struct top_lines *ret_lines);

/* Frees what it holds and leaves it empty. */
void top_lines_done(struct top_lines *lines);

/* "1.2k", "34.5MB", "85us", "97%", "-" */
#define TOP_NUMBER_BYTES 16
void top_number_format(double v, enum top_unit unit, char *ret_text);

/* ---- JSON ------------------------------------------------------------------------------- */

/* One object and a newline. Return: 0 or -ENOMEM; write errors stay in @out. */
int top_json_print(FILE *out, const struct top_view *view, const char *address);

/* ---- the live screen -------------------------------------------------------------------- */

struct net_addr;

/**
 * struct top_conf - what to watch.
 * @address: @addr as it was typed. @interval_ns: between looks; @timeout_ns: for each.
 */
struct top_conf {
	const char *address;
	const struct net_addr *addr;
	int64_t interval_ns, timeout_ns;
	enum top_sort sort;
};

/**
 * top_look() - fetch a page of metrics.
 * @ret_why: why it failed, and what to do about it; TOP_WHY_BYTES.
 * Return: 0 or -errno.
 */
#define TOP_WHY_BYTES 256
int top_look(const struct top_conf *conf, struct prom_page *ret_page, char *ret_why);

/* Until the user ends it. Return: exit status. */
int top_screen_run(const struct top_conf *conf);

#endif
