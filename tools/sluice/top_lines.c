// SPDX-License-Identifier: Apache-2.0
/*
 * A view laid out in lines of text.
 *
 * Interface: the text of top.h. A table is a line of titles and a line for each row; where it is
 * too wide its columns go by rank, and where two tables have room beside each other they have.
 * Invariant: lines are printable ASCII, whatever a daemon's labels say.
 * Order of parts: numbers; lines; tables; columns of tables.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "top.h"

/* ---- numbers ---------------------------------------------------------------------------- */

/* Three digits at least: 9.87 98.7 987, and 0 for nothing. */
static int digits_after_point(double v)
{
	return v == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
}

/* The largest of @units, each @step times the one before, that leaves @v at least 1. */
static void scale(double v, double step, const char *const *units, size_t n, char *ret_text)
{
	size_t i = 0;

	while (i + 1 < n && v >= step * 0.9995) {
		v /= step;
		i++;
	}
	snprintf(ret_text, TOP_NUMBER_BYTES, "%.*f%s", digits_after_point(v), v, units[i]);
}

static void format_one(double v, char *ret_text)
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P"};

	if (v < 1e4 && v == floor(v))
		snprintf(ret_text, TOP_NUMBER_BYTES, "%.0f", v);
	else
		scale(v, 1000, units, SL_ARRAY_SIZE(units), ret_text);
}

static void format_bytes(double v, char *ret_text)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};

	if (v < 999.5)
		snprintf(ret_text, TOP_NUMBER_BYTES, "%.0fB", v);
	else
		scale(v, 1000, units, SL_ARRAY_SIZE(units), ret_text);
}

static void format_seconds(double v, char *ret_text)
{
	static const char *const units[] = {"us", "ms", "s"};

	scale(v * 1e6, 1000, units, SL_ARRAY_SIZE(units), ret_text);
}

static void format_percent(double v, char *ret_text)
{
	snprintf(ret_text, TOP_NUMBER_BYTES, "%.*f%%", v > 0 && v < 0.0995 ? 1 : 0, v * 100);
}

void top_number_format(double v, enum top_unit unit, char *ret_text)
{
	static void (*const formats[])(double v, char *ret_text) = {
		[TOP_ONE] = format_one,
		[TOP_BYTES] = format_bytes,
		[TOP_SECONDS] = format_seconds,
		[TOP_PERCENT] = format_percent,
	};

	_Static_assert(SL_ARRAY_SIZE(formats) == TOP_UNIT_LAST, "a format for each unit");
	if (isnan(v) || v < 0)
		snprintf(ret_text, TOP_NUMBER_BYTES, "-");
	else if (v > 1e18)
		snprintf(ret_text, TOP_NUMBER_BYTES, "huge");
	else
		formats[unit](v, ret_text);
}

/* ---- lines ------------------------------------------------------------------------------ */

static struct top_line *line_add(struct top_lines *lines)
{
	if (lines->n == lines->cap) {
		size_t cap = sl_max(lines->cap * 2, (size_t)32);
		struct top_line *v = reallocarray(lines->v, cap, sizeof(*v));

		if (!v)
			return NULL;
		lines->v = v;
		lines->cap = cap;
	}
	lines->v[lines->n] = (struct top_line){0};
	return &lines->v[lines->n++];
}

void top_lines_done(struct top_lines *lines)
{
	free(lines->v);
	*lines = (struct top_lines){0};
}

/* At column @at, filled up with blanks before it; what does not fit is cut. */
static void line_put(struct top_line *line, size_t at, const char *text, enum top_style style)
{
	SL_ASSERT(at >= line->n);
	while (line->n < at && line->n < TOP_WIDTH_MAX)
		line->text[line->n++] = ' ';
	for (; *text && line->n < TOP_WIDTH_MAX; text++) {
		bool printable = *text >= ' ' && *text <= '~';

		line->style[line->n] = (uint8_t)style;
		line->text[line->n++] = printable ? *text : '?';
	}
}

/* So that it ends before column @end. */
static void line_put_right(struct top_line *line, size_t end, const char *text,
			   enum top_style style)
{
	size_t n = strlen(text);

	line_put(line, sl_max(line->n, end > n ? end - n : 0), text, style);
}

static void line_trim(struct top_line *line, size_t width)
{
	line->n = sl_min(line->n, width);
	while (line->n && line->text[line->n - 1] == ' ')
		line->n--;
}

/* ---- tables ----------------------------------------------------------------------------- */

/* Every figure has room for a title and the blanks before it. */
enum { CELL_WIDTH = 11, NAME_WIDTH_MIN = 10, NAME_WIDTH_MAX = 28 };

/* Which columns a table shows, and how wide its names are. */
struct shape {
	size_t name_width;
	unsigned rank_max;
};

static void name_format(const struct top_row *row, char *ret_text, size_t len)
{
	snprintf(ret_text, len, "%s%s%s", row->names[0] ? row->names[0] : "",
		 row->names[1] ? " " : "", row->names[1] ? row->names[1] : "");
}

static size_t columns_to_rank(const struct top_section *section, unsigned rank)
{
	size_t n = 0;

	for (size_t k = 0; k < section->columns_n; k++)
		n += section->columns[k].rank <= rank;
	return n;
}

static struct shape shape_of(const struct top_section *section, const struct top_table *t,
			     size_t width)
{
	struct shape s = {.name_width = sl_max(strlen(section->title), (size_t)NAME_WIDTH_MIN)};
	char name[NAME_WIDTH_MAX + 1];

	for (size_t i = 0; i < t->rows_n; i++) {
		name_format(&t->rows[i], name, sizeof(name));
		s.name_width = sl_max(s.name_width, strlen(name));
	}
	for (unsigned rank = 3; rank > 0 && !s.rank_max; rank--)
		if (s.name_width + columns_to_rank(section, rank) * CELL_WIDTH <= width)
			s.rank_max = rank;
	return s;
}

static bool is_idle(const struct top_section *section, const struct top_row *row)
{
	for (size_t k = 0; k < section->columns_n; k++)
		if (row->cells[k] > 0)
			return false;
	return true;
}

static int heading_put(struct top_lines *lines, const struct top_section *section,
		       const struct shape *shape)
{
	struct top_line *line = line_add(lines);
	size_t end = shape->name_width;

	if (!line)
		return -ENOMEM;
	line_put(line, 0, section->title, TOP_TITLE);
	for (size_t k = 0; k < section->columns_n; k++) {
		if (section->columns[k].rank > shape->rank_max)
			continue;
		end += CELL_WIDTH;
		line_put_right(line, end, section->columns[k].title, TOP_HEAD);
	}
	return 0;
}

static enum top_style style_of(const struct top_column *col, double v)
{
	if (col->warn > 0 && v > col->warn)
		return TOP_WARN;
	return v > 0 ? TOP_PLAIN : TOP_FAINT;
}

static int row_put(struct top_lines *lines, const struct top_section *section,
		   const struct top_row *row, const struct shape *shape)
{
	struct top_line *line = line_add(lines);
	size_t end = shape->name_width;
	char text[NAME_WIDTH_MAX + 1];

	if (!line)
		return -ENOMEM;
	name_format(row, text, sizeof(text));
	line_put(line, 0, text, TOP_PLAIN);
	for (size_t k = 0; k < section->columns_n; k++) {
		const struct top_column *col = &section->columns[k];

		if (col->rank > shape->rank_max)
			continue;
		end += CELL_WIDTH;
		top_number_format(row->cells[k], col->unit, text);
		line_put_right(line, end, text, style_of(col, row->cells[k]));
	}
	return 0;
}

/* A table whose rows are all left out is left out itself. */
static int table_put(struct top_lines *lines, const struct top_section *section,
		     const struct top_table *t, size_t width, bool idle)
{
	struct shape shape = shape_of(section, t, width);
	bool headed = false;
	int err = 0;

	for (size_t i = 0; i < t->rows_n && !err; i++) {
		if (section->hides_idle && !idle && is_idle(section, &t->rows[i]))
			continue;
		if (!headed)
			err = heading_put(lines, section, &shape);
		headed = true;
		if (!err)
			err = row_put(lines, section, &t->rows[i], &shape);
	}
	if (headed && !err && !line_add(lines))
		err = -ENOMEM;
	return err;
}

/* ---- columns of tables ------------------------------------------------------------------ */

/* From this width on, tables stand in two columns with a gap between. */
enum { TWO_COLUMNS_WIDTH = 170, GAP = 4 };

static int tables_put(struct top_lines *lines, const struct top_view *view, size_t width, bool idle,
		      bool left, bool right)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		const struct top_section *section = &top_sections[i];
		int err = 0;

		if (section->right ? right : left)
			err = table_put(lines, section, &view->tables[i], width, idle);
		if (err)
			return err;
	}
	return 0;
}

/* Sets @from behind column @at of the lines of @to. */
static int beside(struct top_lines *to, const struct top_lines *from, size_t at)
{
	for (size_t i = 0; i < from->n; i++) {
		struct top_line *line = i < to->n ? &to->v[i] : line_add(to);
		const struct top_line *add = &from->v[i];

		if (!line)
			return -ENOMEM;
		line_put(line, at, "", TOP_PLAIN);
		for (size_t k = 0; k < add->n && line->n < TOP_WIDTH_MAX; k++) {
			line->style[line->n] = add->style[k];
			line->text[line->n++] = add->text[k];
		}
	}
	return 0;
}

int top_layout(const struct top_view *view, size_t width, bool idle, struct top_lines *ret_lines)
{
	struct top_lines left = {0}, right = {0};
	bool two = width >= TWO_COLUMNS_WIDTH;
	size_t half = (width - GAP) / 2;
	int err;

	SL_ASSERT(width >= TOP_WIDTH_MIN && width <= TOP_WIDTH_MAX);
	err = tables_put(&left, view, two ? half : width, idle, true, !two);
	if (!err && two)
		err = tables_put(&right, view, half, idle, false, true);
	if (!err)
		err = beside(&left, &right, half + GAP);
	top_lines_done(&right);
	if (err) {
		top_lines_done(&left);
		return err;
	}
	for (size_t i = 0; i < left.n; i++)
		line_trim(&left.v[i], width);
	while (left.n && !left.v[left.n - 1].n)
		left.n--;
	*ret_lines = left;
	return 0;
}
