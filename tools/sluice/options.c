// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of a verb, read and explained by one table.
 *
 * Interface: options.h. Invariant: what is not in the table is refused by name, and what is
 * printed by --help is the table.
 * Order of parts: values; printing; the command line.
 */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ----------------------------------------------------------------------------- */

const char *bootstrap_default(void)
{
	const char *env = getenv("SLUICE_BOOTSTRAP");

	return env && *env ? env : "127.0.0.1:9092";
}

const char *http_default(void)
{
	const char *env = getenv("SLUICE_HTTP");

	return env && *env ? env : "127.0.0.1:8080";
}

const char *key_default(void)
{
	const char *env = getenv("SLUICE_KEY");

	return env && *env ? env : NULL;
}

static int whole_number(const char *text, const char **ret_end, int64_t *ret_v)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || errno)
		return -EINVAL;
	*ret_end = end;
	*ret_v = v;
	return 0;
}

/* A number and one of @units, "" among them if a plain number is allowed. */
static int scaled(const char *text, const char *const *units, const int64_t *scales, size_t n,
		  int64_t *ret_v)
{
	const char *end;
	int64_t v;

	if (whole_number(text, &end, &v))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(end, units[i]))
			continue;
		return __builtin_mul_overflow(v, scales[i], ret_v) ? -EINVAL : 0;
	}
	return -EINVAL;
}

int bytes_parse(const char *text, uint64_t *ret_bytes)
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	static const int64_t scales[] = {1, 1 << 10, 1 << 20, 1 << 30, INT64_C(1) << 40};
	int64_t v;

	if (scaled(text, units, scales, SL_ARRAY_SIZE(units), &v) || v < 0)
		return -EINVAL;
	*ret_bytes = (uint64_t)v;
	return 0;
}

static int time_parse(const char *text, int64_t *ret_ns)
{
	static const char *const units[] = {"", "ms", "us", "s", "m", "h"};
	static const int64_t scales[] = {SL_SEC, SL_MSEC,     SL_USEC,
					 SL_SEC, 60 * SL_SEC, 3600 * SL_SEC};

	return scaled(text, units, scales, SL_ARRAY_SIZE(units), ret_ns);
}

/* The position of @text among the words "a|b|c", or -EINVAL. */
static int word_find(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (int i = 0; *words; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && !memcmp(words, text, n))
			return i;
		words += n + (words[n] == '|');
	}
	return -EINVAL;
}

static int list_add(struct option_list *list, const char *text)
{
	if (list->n == OPTION_LIST_MAX)
		return -EINVAL;
	list->v[list->n++] = text;
	return 0;
}

static bool in_range(const struct option_row *row, int64_t v)
{
	return (!row->min && !row->max) || (v >= row->min && v <= row->max);
}

/* Return: 0 or -EINVAL. */
static int value_set(const struct option_row *row, void *options, const char *text)
{
	void *field = (char *)options + row->offset;
	const char *end = "";
	int64_t v = 0;
	int err = 0;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)field = text;
		return 0;
	case OPTION_LIST:
		return list_add(field, text);
	case OPTION_CHOICE:
		v = word_find(row->words, text);
		if (v < 0)
			return -EINVAL;
		*(int *)field = (int)v;
		return 0;
	case OPTION_NUMBER:
		err = whole_number(text, &end, &v);
		break;
	case OPTION_BYTES:
		err = bytes_parse(text, (uint64_t *)&v);
		break;
	case OPTION_TIME:
	default:
		err = time_parse(text, &v);
	}
	if (err || *end || !in_range(row, v))
		return -EINVAL;
	memcpy(field, &v, sizeof(v));
	return 0;
}

/* ---- printing --------------------------------------------------------------------------- */

void complain(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "sluice %s: ", name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void words_print(FILE *out, const char *words)
{
	for (; *words; words++) {
		if (*words == '|')
			fputs(", ", out);
		else
			fputc(*words, out);
	}
}

static void row_print(const struct option_row *row)
{
	char head[64];

	snprintf(head, sizeof(head), "--%s%s%s", row->name, row->value ? " " : "",
		 row->value ? row->value : "");
	printf("  %-24s  %s", head, row->help);
	if (row->words) {
		printf(": ");
		words_print(stdout, row->words);
	}
	printf("\n");
}

void usage_print(const struct usage *usage)
{
	printf("usage: sluice %s%s%s%s\n\n%s\n", usage->name, usage->rows_n ? " [OPTION]..." : "",
	       *usage->args ? " " : "", usage->args, usage->what);
	if (usage->rows_n)
		printf("\n");
	for (size_t i = 0; i < usage->rows_n; i++)
		row_print(&usage->rows[i]);
	if (usage->more)
		printf("\n%s\n", usage->more);
}

static void value_complain(const struct usage *usage, const struct option_row *row,
			   const char *text)
{
	static const char *const kinds[OPTION_TYPE_LAST] = {
		[OPTION_NUMBER] = "a whole number",
		[OPTION_BYTES] = "bytes such as 4096, 64K or 1G",
		[OPTION_TIME] = "a time such as 250ms or 5s",
		[OPTION_LIST] = "one of at most 64 values"};

	fprintf(stderr, "sluice %s: --%s '%s' is not allowed: expected ", usage->name, row->name,
		text);
	if (row->words)
		words_print(stderr, row->words);
	else
		fputs(kinds[row->type], stderr);
	if ((row->min || row->max) && row->type != OPTION_TIME)
		fprintf(stderr, " from %lld to %lld", (long long)row->min, (long long)row->max);
	fputc('\n', stderr);
}

/* ---- the command line ------------------------------------------------------------------- */

static const struct option_row *row_find(const struct usage *usage, const char *name, size_t len)
{
	for (size_t i = 0; i < usage->rows_n; i++) {
		const struct option_row *row = &usage->rows[i];

		if (strlen(row->name) == len && !memcmp(row->name, name, len))
			return row;
	}
	return NULL;
}

/* The option argv[*@at]; moves @at behind its value. Return: 0 or OPTIONS_BAD. */
static int option_take(const struct usage *usage, int argc, char **argv, int *at, void *options)
{
	const char *name = argv[*at] + 2;
	size_t len = strcspn(name, "=");
	const struct option_row *row = argv[*at][1] == '-' ? row_find(usage, name, len) : NULL;
	const char *text = name[len] == '=' ? name + len + 1 : NULL;

	if (!row) {
		complain(usage->name, "unknown option %s; see sluice %s --help", argv[*at],
			 usage->name);
		return OPTIONS_BAD;
	}
	if (row->type == OPTION_FLAG && text) {
		complain(usage->name, "--%s takes no value", row->name);
		return OPTIONS_BAD;
	}
	if (row->type != OPTION_FLAG && !text) {
		if (*at + 1 == argc) {
			complain(usage->name, "--%s needs a value: %s", row->name, row->value);
			return OPTIONS_BAD;
		}
		text = argv[++*at];
	}
	if (value_set(row, options, text)) {
		value_complain(usage, row, text);
		return OPTIONS_BAD;
	}
	return 0;
}

static int args_check(const struct usage *usage, int n)
{
	if (n >= usage->args_min && n <= usage->args_max)
		return 0;
	complain(usage->name, "%s; usage: sluice %s [OPTION]... %s",
		 n < usage->args_min ? "an argument is missing" : "too many arguments", usage->name,
		 usage->args);
	return OPTIONS_BAD;
}

static bool is_help(const char *text)
{
	return !strcmp(text, "--help") || !strcmp(text, "-h");
}

int options_parse(const struct usage *usage, int argc, char **argv, void *ret_options,
		  const char **ret_args)
{
	bool options_end = false;
	int n = 0, err;

	for (int i = 1; i < argc; i++) {
		if (!options_end && is_help(argv[i])) {
			usage_print(usage);
			return OPTIONS_HELP;
		}
		if (!options_end && !strcmp(argv[i], "--")) {
			options_end = true;
		} else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
			err = option_take(usage, argc, argv, &i, ret_options);
			if (err)
				return err;
		} else {
			if (n < usage->args_max)
				ret_args[n] = argv[i];
			n++;
		}
	}
	return args_check(usage, n);
}
