// SPDX-License-Identifier: Apache-2.0
/*
 * Words of a command line that choose a function: `sluice VERB`, `sluice topic create`.
 *
 * Interface: verbs_run(). Invariant: usage lists the table that dispatch walks.
 */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2

static void table_print(FILE *out, const char *name, const struct verb *rows, unsigned n)
{
	fprintf(out, "usage: %s WORD [OPTION]... [ARGUMENT]...\n\n", name);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "  %-10s %s\n", rows[i].name, rows[i].line);
	fprintf(out, "\n%s WORD --help tells its options.\n", name);
}

int verbs_run(const char *name, const struct verb *rows, unsigned n, int argc, char **argv)
{
	if (argc < 2) {
		table_print(stderr, name, rows, n);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		table_print(stdout, name, rows, n);
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(argv[1], rows[i].name))
			return rows[i].fn(argc - 1, argv + 1);
	fprintf(stderr, "%s: there is no '%s'; %s --help lists what there is\n", name, argv[1],
		name);
	return EXIT_USAGE;
}
