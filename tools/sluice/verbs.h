/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs: what `sluice` can do, one function and one file each. main.c has the table.
 *
 * A verb gets its part of the command line, argv[0] being the verb itself, and returns the
 * program's exit status: 0 when all went well, 1 when it did not, 2 for wrong usage. It prints
 * results to standard output and everything else to standard error.
 */
#ifndef TOOLS_SLUICE_VERBS_H
#define TOOLS_SLUICE_VERBS_H

int verb_topic(int argc, char **argv);
int verb_produce(int argc, char **argv);
int verb_consume(int argc, char **argv);
int verb_cache(int argc, char **argv);
int verb_log(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_bench(int argc, char **argv);

struct verb {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *line; /* what it does, in one line */
};

/**
 * verbs_run() - dispatch argv[1] (argv[0] being what is typed up to here) to a row of @rows.
 * @name: what is typed, "sluice" or "sluice topic". Prints the table for --help, and complains of
 * a missing or unknown word.
 * Return: exit status.
 */
int verbs_run(const char *name, const struct verb *rows, unsigned n, int argc, char **argv);

#endif
