/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: the command line of a verb, described by one table from which it is read and from
 * which --help is printed.
 *
 *	struct produce_options { const char *bootstrap; uint64_t batch_bytes; };
 *	static const struct option_row rows[] = {
 *		OPTION_BOOTSTRAP(struct produce_options, bootstrap),
 *		{"batch-bytes", "N", OPTION_BYTES, offsetof(...), 1, SL_GIB, NULL, "…"},
 *	};
 */
#ifndef TOOLS_SLUICE_OPTIONS_H
#define TOOLS_SLUICE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/util.h>

enum option_type {
	OPTION_FLAG, /* bool; no value */
	OPTION_TEXT, /* const char * */
	OPTION_LIST, /* struct option_list; may be repeated */
	OPTION_NUMBER, /* int64_t */
	OPTION_BYTES, /* uint64_t: 4096, 64K, 1G (powers of 1024) */
	OPTION_TIME, /* int64_t ns: 5s, 250ms, 2m; a plain number is seconds */
	OPTION_CHOICE, /* int: position in the row's words */
	OPTION_TYPE_LAST
};

#define OPTION_LIST_MAX 64

struct option_list {
	const char *v[OPTION_LIST_MAX];
	unsigned n;
};

/**
 * struct option_row - one option.
 * @name: without dashes. @value: what --help calls its value; NULL for a flag. @offset: of the
 * field in the verb's struct. @min, @max: allowed range of numbers, bytes, times (both 0: any).
 * @words: of a choice, separated by "|". @help: one sentence without a full stop.
 */
struct option_row {
	const char *name;
	const char *value;
	enum option_type type;
	size_t offset;
	int64_t min, max;
	const char *words;
	const char *help;
};

/**
 * struct usage - what a verb takes.
 * @name: as typed: "topic create". @args: its arguments: "TOPIC". @what: what it does, in whole
 * sentences. @args_min, @args_max: how many arguments. @more: what --help says last, or NULL.
 */
struct usage {
	const char *name;
	const char *args;
	const char *what;
	const struct option_row *rows;
	size_t rows_n;
	int args_min, args_max;
	const char *more;
};

#define EXIT_USAGE 2

/* What options_parse() returns beside 0. */
enum { OPTIONS_HELP = 1, OPTIONS_BAD = 2 };

/**
 * options_parse() - read a verb's command line; argv[0] is the verb.
 * @ret_options: the struct that the rows' offsets are of, holding the defaults.
 * @ret_args: room for args_max arguments (and only these; the rest is refused).
 * Options may stand before, between and behind arguments; "--" ends them.
 * Return: 0; OPTIONS_HELP: --help was asked for and printed; OPTIONS_BAD: the mistake was printed.
 *         The verb's exit status is then options_exit() of it.
 */
int options_parse(const struct usage *usage, int argc, char **argv, void *ret_options,
		  const char **ret_args);

/* 0 after OPTIONS_HELP, 2 after OPTIONS_BAD. */
static inline int options_exit(int parsed)
{
	return parsed == OPTIONS_HELP ? 0 : EXIT_USAGE;
}

void usage_print(const struct usage *usage);

/* "sluice NAME: text" to standard error. */
__attribute__((format(printf, 2, 3))) void complain(const char *name, const char *format, ...);

/* 4096, 64K, 1G: 0 or -EINVAL. */
int bytes_parse(const char *text, uint64_t *ret_bytes);

/* The address that verbs talk to unless told otherwise: SLUICE_BOOTSTRAP or 127.0.0.1:9092. */
const char *bootstrap_default(void);

/* The same of http.listen: SLUICE_HTTP or 127.0.0.1:8080. */
const char *http_default(void);

/* The key for daemons that ask for one: SLUICE_KEY, or NULL. Command lines are for all to see. */
const char *key_default(void);

/* The port of an address without one. */
enum { HTTP_PORT = 8080 };

/* clang-format off */
#define OPTION_HTTP(type, field)                                                                   \
	{"http", "HOST:PORT", OPTION_TEXT, offsetof(type, field), 0, 0, NULL,                      \
	 "the daemon's http.listen; SLUICE_HTTP, or 127.0.0.1:8080, unless given"}

#define OPTION_BOOTSTRAP(type, field)                                                              \
	{"bootstrap", "HOST:PORT", OPTION_TEXT, offsetof(type, field), 0, 0, NULL,                 \
	 "where the daemon listens; SLUICE_BOOTSTRAP, or 127.0.0.1:9092, unless given"}

#define OPTION_TIMEOUT(type, field)                                                                \
	{"timeout", "TIME", OPTION_TIME, offsetof(type, field), SL_MSEC, 86400 * SL_SEC, NULL,     \
	 "how long to try before giving up (30s)"}
/* clang-format on */

#endif
