// SPDX-License-Identifier: Apache-2.0
/*
 * The live screen of `sluice top`, by ncurses.
 *
 * Interface: top_screen_run(). One thread: it looks at the daemon when that is due and waits for
 * keys until then. A look that fails leaves the last view on the screen and says why above it.
 * Invariant: a view's page outlives it.
 * Order of parts: the terminal; looking; drawing; keys; the run.
 */
#include <errno.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/util.h>

#include "net.h"
#include "options.h"
#include "top.h"

/**
 * struct screen - @page, @at_ns: the last answer, and when it came; none yet without samples.
 * @why: why the last look failed, or "". @first: the line at the top. @due_ns: the next look.
 */
struct screen {
	const struct top_conf *conf;
	SCREEN *terminal;
	attr_t styles[TOP_STYLE_LAST];
	struct prom_page page;
	int64_t at_ns, due_ns;
	struct top_view view;
	struct top_lines lines;
	char why[TOP_WHY_BYTES];
	enum top_sort sort;
	size_t first;
	bool paused, idle, ended;
};

/* ---- the terminal ----------------------------------------------------------------------- */

static void styles_set(struct screen *s)
{
	const char *no_color = getenv("NO_COLOR");

	s->styles[TOP_TITLE] = A_BOLD;
	s->styles[TOP_FAINT] = A_DIM;
	s->styles[TOP_WARN] = A_BOLD | A_REVERSE;
	if (!has_colors() || (no_color && *no_color) || start_color() == ERR ||
	    use_default_colors() == ERR)
		return;
	init_pair(1, COLOR_CYAN, -1);
	init_pair(2, COLOR_RED, -1);
	s->styles[TOP_TITLE] = A_BOLD | COLOR_PAIR(1);
	s->styles[TOP_HEAD] = COLOR_PAIR(1);
	s->styles[TOP_WARN] = A_BOLD | COLOR_PAIR(2);
}

static int terminal_open(struct screen *s)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		complain("top", "needs a terminal; without one use --once");
		return -ENOTTY;
	}
	s->terminal = newterm(NULL, stdout, stdin);
	if (!s->terminal) {
		complain("top", "the terminal '%s' is not known; set TERM, or use --once",
			 term ? term : "");
		return -ENOTTY;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	styles_set(s);
	return 0;
}

static void terminal_close(struct screen *s)
{
	endwin();
	delscreen(s->terminal);
}

/* ---- looking ---------------------------------------------------------------------------- */

/* Return: 0 or -ENOMEM. */
static int lay_out(struct screen *s)
{
	size_t width = (size_t)sl_min(sl_max(COLS, TOP_WIDTH_MIN), TOP_WIDTH_MAX);
	struct top_lines lines;
	int err = top_layout(&s->view, width, s->idle, &lines);

	if (err)
		return err;
	top_lines_done(&s->lines);
	s->lines = lines;
	return 0;
}

/* Return: 0, also when the daemon did not answer; -ENOMEM. */
static int look(struct screen *s)
{
	struct prom_page page;
	struct top_view view;
	bool first = !s->page.samples;
	int64_t now;
	int err;

	s->due_ns = now_ns() + s->conf->interval_ns;
	err = top_look(s->conf, &page, s->why);
	now = now_ns();
	if (err)
		return err == -ENOMEM ? err : 0;
	s->why[0] = 0;
	err = top_view_make(first ? NULL : &s->page, &page,
			    first ? 1 : (double)(now - s->at_ns) / (double)SL_SEC, &view);
	if (err) {
		prom_page_done(&page);
		return err;
	}
	top_view_sort(&view, s->sort);
	top_view_done(&s->view);
	prom_page_done(&s->page);
	s->view = view;
	s->page = page;
	s->at_ns = now;
	return lay_out(s);
}

/* ---- drawing ---------------------------------------------------------------------------- */

/* Above the tables: what is watched, and two lines of what is wrong. Below them: the keys. */
static int lines_above(const struct screen *s)
{
	return s->why[0] ? 3 : 2;
}

static size_t room(const struct screen *s)
{
	return (size_t)sl_max(LINES - lines_above(s) - 1, 1);
}

static void draw_line(const struct screen *s, int y, const struct top_line *line)
{
	for (size_t i = 0; i < line->n && (int)i < COLS; i++)
		mvaddch(y, (int)i, (chtype)line->text[i] | s->styles[line->style[i]]);
}

/* Cut at the screen's edge, which ncurses itself would go beyond. */
static void draw_text(int y, const char *text, attr_t style)
{
	attrset(style);
	mvaddnstr(y, 0, text, COLS);
	attrset(A_NORMAL);
}

static void draw_head(const struct screen *s)
{
	static const char *const orders[TOP_SORT_LAST] = {
		[TOP_BY_NAME] = "by name",
		[TOP_BY_BUSIEST] = "busiest first",
		[TOP_BY_SLOWEST] = "slowest first",
	};
	char text[512];

	snprintf(text, sizeof(text), "%ssluice %s  %s  every %.4g s  %s%s",
		 s->paused ? "paused: " : "", SL_VERSION, s->conf->address,
		 (double)s->conf->interval_ns / (double)SL_SEC, orders[s->sort],
		 s->idle ? "  with idle rows" : "");
	draw_text(0, text, s->paused ? A_REVERSE : A_BOLD);
	if (!s->why[0])
		return;
	draw_text(1, s->why, s->styles[TOP_WARN]);
	draw_text(2, s->lines.n ? "Trying again; below is the last answer." : "Trying again.",
		  s->styles[TOP_WARN]);
}

static void draw(struct screen *s)
{
	size_t last = s->lines.n > room(s) ? s->lines.n - room(s) : 0;
	char keys[128];

	s->first = sl_min(s->first, last);
	erase();
	draw_head(s);
	for (size_t i = 0; i < room(s) && s->first + i < s->lines.n; i++)
		draw_line(s, lines_above(s) + (int)i, &s->lines.v[s->first + i]);
	snprintf(keys, sizeof(keys), " q quit  p %s  s sort  a %s idle rows%s ",
		 s->paused ? "go on" : "pause", s->idle ? "hide" : "show",
		 last ? "  arrows scroll" : "");
	draw_text(LINES - 1, keys, A_REVERSE);
	refresh();
}

/* ---- keys ------------------------------------------------------------------------------- */

static void scroll_by(struct screen *s, size_t n, bool down)
{
	if (down)
		s->first += n; /* draw() keeps it in range */
	else
		s->first -= sl_min(s->first, n);
}

/* Return: 0 or -ENOMEM. */
static int key(struct screen *s, int c)
{
	switch (c) {
	case 'q':
		s->ended = true;
		return 0;
	case 'p':
	case ' ':
		s->paused = !s->paused;
		return 0;
	case 's':
		s->sort = (s->sort + 1) % TOP_SORT_LAST;
		top_view_sort(&s->view, s->sort);
		return lay_out(s);
	case 'a':
		s->idle = !s->idle;
		return lay_out(s);
	case KEY_RESIZE:
		return lay_out(s);
	case KEY_DOWN:
	case KEY_UP:
		scroll_by(s, 1, c == KEY_DOWN);
		return 0;
	case KEY_NPAGE:
	case KEY_PPAGE:
		scroll_by(s, room(s), c == KEY_NPAGE);
		return 0;
	case KEY_HOME:
		s->first = 0;
		return 0;
	default:
		return 0;
	}
}

/* ---- the run ---------------------------------------------------------------------------- */

/* The next key, or ERR when it is time to look. */
static int wait_for_key(const struct screen *s)
{
	int64_t left_ns = s->paused ? SL_SEC : s->due_ns - now_ns();

	timeout((int)(sl_min(sl_max(left_ns, (int64_t)0), SL_SEC) / SL_MSEC) + 1);
	return getch();
}

static int run(struct screen *s)
{
	int err = 0;

	while (!s->ended && !err) {
		if (!s->paused && now_ns() >= s->due_ns)
			err = look(s);
		draw(s);
		if (!err)
			err = key(s, wait_for_key(s));
	}
	return err;
}

int top_screen_run(const struct top_conf *conf)
{
	struct screen s = {.conf = conf, .sort = conf->sort};
	int err = terminal_open(&s);

	if (err)
		return 1;
	draw(&s);
	err = run(&s);
	terminal_close(&s);
	if (err)
		complain("top", "%s", strerror(-err));
	top_lines_done(&s.lines);
	top_view_done(&s.view);
	prom_page_done(&s.page);
	return err ? 1 : 0;
}
