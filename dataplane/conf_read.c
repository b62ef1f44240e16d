// SPDX-License-Identifier: Apache-2.0
/*
 * conf's reading: settings from an INI file, its drop-ins and the command line.
 *
 * Interface: conf.h. inih splits lines; the reader below feeds it, because only so are line
 * numbers known and overlong lines noticed (a packaged inih cuts them silently, and takes an
 * indented line for the continuation of a value).
 * Invariant: every mistake is reported, not the first.
 * Order of parts: one text; files; all sources.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_pvt.h"
#include "file.h"

#define FILE_BYTES_MAX SL_MIB

/* ---- one text --------------------------------------------------------------------------- */

struct reader {
	struct sl_conf *conf;
	struct sl_conf_report *report;
	struct sl_conf_origin at; /* the line last given out */
	const char *pos, *end;
	bool strict;
	int err;
};

static void reader_fail(struct reader *r, const char *what)
{
	sl_conf_tell(r->report, SL_CONF_ERROR, &r->at, "%s", what);
	r->err = -EINVAL;
}

/* inih's way to ask for a line: without leading blanks, whole, or an empty one if it is bad. */
static char *reader_line(char *buf, int size, void *arg)
{
	struct reader *r = arg;
	const char *line = r->pos, *newline;
	size_t len;

	if (line == r->end || r->err == -ENOMEM)
		return NULL;
	newline = memchr(line, '\n', (size_t)(r->end - line));
	len = (size_t)((newline ? newline : r->end) - line);
	r->pos = newline ? newline + 1 : r->end;
	r->at.line++;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (memchr(line, '\0', len)) {
		reader_fail(r, "the line holds a zero byte");
		len = 0;
	} else if (len && *line != '#' && *line != ';' && len + 1 > (size_t)size - 1) {
		reader_fail(r, "the line is too long (at most 198 characters)");
		len = 0;
	}
	len = sl_min(len, (size_t)size - 2);
	memcpy(buf, line, len);
	buf[len] = '\n';
	buf[len + 1] = '\0';
	return buf;
}

static int reader_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *r = arg;
	enum sl_conf_id id = sl_conf_key_find(section, strlen(section), name);
	int rc;

	if (id == SL_CONF_LAST) {
		sl_conf_tell(r->report, r->strict ? SL_CONF_ERROR : SL_CONF_WARNING, &r->at,
			     "unknown setting %s.%s%s", *section ? section : "(no section)", name,
			     r->strict ? "" : " is ignored");
		r->err = r->strict ? -EINVAL : r->err;
		return 1;
	}
	rc = sl_conf_value_set(r->conf, id, value, &r->at, r->report);
	if (rc)
		r->err = rc;
	return 1;
}

int sl_conf_parse(struct sl_conf *conf, const char *name, const char *text, size_t len, bool strict,
		  struct sl_conf_report *report)
{
	struct reader r = {.conf = conf, .report = report, .strict = strict};
	int line;

	r.at.file = sl_conf_file_intern(conf, name);
	if (!r.at.file)
		return -ENOMEM;
	r.pos = text;
	r.end = text + len;
	line = ini_parse_stream(reader_line, &r, reader_pair, &r);
	if (line < 0 || r.err == -ENOMEM)
		return -ENOMEM;
	if (line > 0) {
		r.at.line = (unsigned)line;
		reader_fail(&r, "not a [section], key = value or comment (the first such line)");
	}
	return r.err;
}

static void trim(char *text)
{
	size_t len = strlen(text), lead = strspn(text, " \t");

	while (len > lead && isspace((unsigned char)text[len - 1]))
		len--;
	memmove(text, text + lead, len - lead);
	text[len - lead] = '\0';
}

int sl_conf_set(struct sl_conf *conf, const char *assignment, struct sl_conf_report *report)
{
	struct sl_conf_origin at = {.file = sl_conf_file_intern(conf, "--set")};
	char *name = strdup(assignment);
	char *value, *dot;
	enum sl_conf_id id = SL_CONF_LAST;
	int rc = -EINVAL;

	if (!name || !at.file) {
		free(name);
		return -ENOMEM;
	}
	value = strchr(name, '=');
	if (!value) {
		sl_conf_tell(report, SL_CONF_ERROR, &at, "\"%s\" is not section.key=value",
			     assignment);
		goto out;
	}
	*value++ = '\0';
	trim(name);
	trim(value);
	dot = strchr(name, '.');
	if (dot)
		id = sl_conf_key_find(name, (size_t)(dot - name), dot + 1);
	if (id == SL_CONF_LAST)
		sl_conf_tell(report, SL_CONF_ERROR, &at, "unknown setting %s", name);
	else
		rc = sl_conf_value_set(conf, id, value, &at, report);
out:
	free(name);
	return rc;
}

/* ---- files ------------------------------------------------------------------------------ */

/* The whole file into heap memory of the caller. -E2BIG above FILE_BYTES_MAX. */
static int file_read(const char *path, char **ret_text, size_t *ret_len)
{
	char *text = malloc(FILE_BYTES_MAX);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = sl_read_file(AT_FDCWD, path, text, FILE_BYTES_MAX, SL_NEVER);
	if (n < 0) {
		free(text);
		return (int)n;
	}
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

static int file_load(struct sl_conf *conf, const char *path, const struct sl_conf_source *src,
		     bool optional, struct sl_conf_report *report)
{
	struct sl_conf_origin at = {.file = path};
	size_t len = 0;
	char *text = NULL;
	int rc = file_read(path, &text, &len);

	if (rc == -ENOENT && optional)
		return 0;
	if (rc) {
		sl_conf_tell(report, SL_CONF_ERROR, &at, "cannot be read: %s", strerror(-rc));
		return rc;
	}
	rc = sl_conf_parse(conf, path, text, len, src->strict, report);
	free(text);
	return rc;
}

struct names {
	const char *folder;
	char **names;
	size_t n;
};

static void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

static bool is_drop_in(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".conf") == 0;
}

/* Adds the path of @name, if it is a drop-in's. */
static int names_add(void *arg, const char *name, int type)
{
	struct names *l = arg;
	char **names;

	(void)type;
	if (!is_drop_in(name))
		return 0;
	names = realloc(l->names, (l->n + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	l->names = names;
	if (asprintf(&l->names[l->n], "%s/%s", l->folder, name) < 0)
		return -ENOMEM;
	l->n++;
	return 0;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The drop-ins of @l->folder, if there is such a folder, in the order of their names. */
static int names_read(struct names *l)
{
	int rc, fd = sl_open(AT_FDCWD, l->folder, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = sl_list_folder(fd, names_add, l);
	sl_close(fd);
	if (l->n)
		qsort(l->names, l->n, sizeof(*l->names), names_compare);
	return rc;
}

static int drop_ins_load(struct sl_conf *conf, const struct sl_conf_source *src,
			 struct sl_conf_report *report)
{
	struct names l = {0};
	char *folder;
	int rc;

	if (asprintf(&folder, "%s.d", src->file) < 0)
		return -ENOMEM;
	l.folder = folder;
	rc = names_read(&l);
	if (rc) {
		const struct sl_conf_origin at = {.file = folder};

		sl_conf_tell(report, SL_CONF_ERROR, &at, "cannot be read: %s", strerror(-rc));
	}
	for (size_t i = 0; i < l.n; i++) {
		int rc2 = file_load(conf, l.names[i], src, false, report);

		if (rc2)
			rc = rc2;
	}
	names_done(&l);
	free(folder);
	return rc;
}

/* ---- all sources ------------------------------------------------------------------------ */

int sl_conf_load(struct sl_conf *ret_conf, const struct sl_conf_source *src,
		 struct sl_conf_report *report)
{
	struct sl_conf conf;
	int rc, first = sl_conf_init(&conf);

	if (first)
		return first;
	if (src->file) {
		first = file_load(&conf, src->file, src, src->file_optional, report);
		rc = drop_ins_load(&conf, src, report);
		first = first ? first : rc;
	}
	for (size_t i = 0; i < src->sets_n; i++) {
		rc = sl_conf_set(&conf, src->sets[i], report);
		first = first ? first : rc;
	}
	rc = sl_conf_check(&conf, report);
	first = first ? first : rc;
	if (first) {
		sl_conf_done(&conf);
		return first;
	}
	*ret_conf = conf;
	return 0;
}
