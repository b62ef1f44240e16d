// SPDX-License-Identifier: Apache-2.0
/*
 * sluice top: what a daemon is doing, live or once.
 *
 * Interface: verb_top(), and top_look(), by which the live screen looks too. All that is known of
 * the daemon is two pages of its /metrics; top_view.c compares them.
 * Order of parts: a look; once; the verb.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "options.h"
#include "page.h"
#include "top.h"
#include "verbs.h"

/* ---- a look ----------------------------------------------------------------------------- */

static void unreachable(const struct top_conf *conf, int err, char *ret_why)
{
	const char *what = err == -ETIME    ? "no answer in time"
			   : err == -ENOENT ? "this name has no address"
			   : err == -EPROTO ? "what answers does not speak HTTP"
					    : strerror(-err);

	snprintf(ret_why, TOP_WHY_BYTES, "%s: %s; does sluiced run, with http.listen there?",
		 conf->address, what);
}

static bool is_of_sluice(const struct prom_page *page)
{
	for (size_t i = 0; i < page->samples_n; i++)
		if (!strncmp(page->samples[i].name, "sluice_", 7))
			return true;
	return false;
}

static int read_metrics(const struct top_conf *conf, const struct page *page,
			struct prom_page *ret_page, char *ret_why)
{
	struct prom_page metrics;
	size_t line = 0;
	int err;

	if (page->status != 200) {
		snprintf(ret_why, TOP_WHY_BYTES,
			 "%s: /metrics is answered by status %d; is that sluiced's http.listen?",
			 conf->address, page->status);
		return -EPROTO;
	}
	err = prom_parse(page->body, page->n, &metrics, &line);
	if (err == -EBADMSG)
		snprintf(ret_why, TOP_WHY_BYTES,
			 "%s: line %zu of /metrics is not in Prometheus' text format; "
			 "is that sluiced's http.listen?",
			 conf->address, line);
	else if (err)
		snprintf(ret_why, TOP_WHY_BYTES, "%s: /metrics: %s", conf->address, strerror(-err));
	if (err)
		return err;
	if (!is_of_sluice(&metrics)) {
		snprintf(ret_why, TOP_WHY_BYTES,
			 "%s: /metrics has no metric of sluice; is that sluiced's http.listen?",
			 conf->address);
		prom_page_done(&metrics);
		return -EPROTO;
	}
	*ret_page = metrics;
	return 0;
}

int top_look(const struct top_conf *conf, struct prom_page *ret_page, char *ret_why)
{
	struct page page;
	int err = page_get(conf->addr, "/metrics", now_ns() + conf->timeout_ns, &page);

	if (err) {
		unreachable(conf, err, ret_why);
		return err;
	}
	err = read_metrics(conf, &page, ret_page, ret_why);
	page_done(&page);
	return err;
}

/* ---- once ------------------------------------------------------------------------------- */

static int text_print(const struct top_view *view)
{
	const char *columns = getenv("COLUMNS");
	size_t width = columns ? strtoul(columns, NULL, 10) : 0;
	struct top_lines lines;
	int err;

	width = width ? sl_min(sl_max(width, (size_t)TOP_WIDTH_MIN), (size_t)TOP_WIDTH_MAX) : 120;
	err = top_layout(view, width, false, &lines);
	if (err)
		return err;
	for (size_t i = 0; i < lines.n; i++)
		printf("%.*s\n", (int)lines.v[i].n, lines.v[i].text);
	top_lines_done(&lines);
	return 0;
}

static int compare_print(const struct top_conf *conf, const struct prom_page *pages,
			 double interval_s, bool json)
{
	struct top_view view;
	int err = top_view_make(&pages[0], &pages[1], interval_s, &view);

	if (err)
		return err;
	top_view_sort(&view, conf->sort);
	err = json ? top_json_print(stdout, &view, conf->address) : text_print(&view);
	top_view_done(&view);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = -EIO;
	return err;
}

/* Two looks, one interval apart; what counts is when their answers were there. */
static int once(const struct top_conf *conf, bool json)
{
	struct prom_page pages[2] = {{0}, {0}};
	char why[TOP_WHY_BYTES];
	int64_t began_ns;
	int status = 1, err;

	if (top_look(conf, &pages[0], why)) {
		complain("top", "%s", why);
		return 1;
	}
	began_ns = now_ns();
	sleep_ns(conf->interval_ns);
	if (top_look(conf, &pages[1], why)) {
		complain("top", "%s", why);
		goto out;
	}
	err = compare_print(conf, pages, (double)(now_ns() - began_ns) / (double)SL_SEC, json);
	if (err)
		complain("top", "printing: %s", strerror(-err));
	else
		status = 0;
out:
	prom_page_done(&pages[0]);
	prom_page_done(&pages[1]);
	return status;
}

/* ---- the verb --------------------------------------------------------------------------- */

struct top_options {
	const char *http;
	int64_t interval_ns, timeout_ns;
	int sort;
	bool once, json;
};

static const struct option_row rows[] = {
	OPTION_HTTP(struct top_options, http),
	{"interval", "TIME", OPTION_TIME, offsetof(struct top_options, interval_ns), 100 * SL_MSEC,
	 3600 * SL_SEC, NULL, "from one look to the next, at least 100ms (1s)"},
	{"sort", "ORDER", OPTION_CHOICE, offsetof(struct top_options, sort), 0, 0,
	 "name|busiest|slowest", "the order of rows"},
	{"once", NULL, OPTION_FLAG, offsetof(struct top_options, once), 0, 0, NULL,
	 "print one interval and end"},
	{"json", NULL, OPTION_FLAG, offsetof(struct top_options, json), 0, 0, NULL,
	 "with --once: print one JSON object"},
	{"timeout", "TIME", OPTION_TIME, offsetof(struct top_options, timeout_ns), SL_MSEC,
	 86400 * SL_SEC, NULL, "how long to wait for an answer (5s)"},
};

static const struct usage usage = {
	.name = "top",
	.args = "",
	.what = "Shows what a daemon is doing, by its /metrics: cores, listeners, ways of\n"
		"delivery, Kafka APIs, storage, the ring. Rates and quantiles are those of the\n"
		"last interval; \"-\" is what the daemon does not count, or what nothing happened\n"
		"to measure.",
	.rows = rows,
	.rows_n = SL_ARRAY_SIZE(rows),
	.more = "Keys: q quits, p pauses, s sorts by name, busiest, slowest, a shows idle rows,\n"
		"arrows and page keys scroll. A daemon that does not answer is asked again.\n"
		"Without a terminal use --once; COLUMNS sets its width (120).\n"
		"Exit status: 0; 1 if the daemon did not answer --once; 2 for wrong usage.",
};

int verb_top(int argc, char **argv)
{
	struct top_options o = {
		.http = http_default(),
		.interval_ns = SL_SEC,
		.timeout_ns = 5 * SL_SEC,
	};
	struct net_addr addr;
	struct top_conf conf = {.addr = &addr};
	int status = options_parse(&usage, argc, argv, &o, NULL);

	if (status)
		return options_exit(status);
	if (net_addr_parse(o.http, strlen(o.http), HTTP_PORT, &addr)) {
		complain("top", "--http '%s' is no address: expected HOST:PORT", o.http);
		return EXIT_USAGE;
	}
	if (o.json && !o.once) {
		complain("top", "--json needs --once");
		return EXIT_USAGE;
	}
	conf.address = o.http;
	conf.interval_ns = o.interval_ns;
	conf.timeout_ns = o.timeout_ns;
	conf.sort = (enum top_sort)o.sort;
	return o.once ? once(&conf, o.json) : top_screen_run(&conf);
}
