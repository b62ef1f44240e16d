/* SPDX-License-Identifier: Apache-2.0 */
/* run: the program `sluice` in a process of its own, with what it reads and what it says. */
#ifndef TESTS_TOOLS_SLUICE_RUN_H
#define TESTS_TOOLS_SLUICE_RUN_H

#include <stddef.h>

enum { RUN_OUT_BYTES = 1 << 20 };

/* @status: exit status, or 128 + the signal. @out, @err: text, cut at RUN_OUT_BYTES. */
struct run_result {
	int status;
	char out[RUN_OUT_BYTES], err[RUN_OUT_BYTES];
};

/**
 * run_sluice() - run it until it ends.
 * @bootstrap_port: goes into SLUICE_BOOTSTRAP; 0: a port where nobody listens.
 * @input: its standard input, or NULL: none. @args: what follows "sluice", with a NULL at the end.
 * Return: what came of it, in static storage.
 */
const struct run_result *run_sluice(unsigned bootstrap_port, const char *input,
				    const char *const *args);

#define RUN(port, input, ...) run_sluice(port, input, (const char *const[]){__VA_ARGS__, NULL})

#endif
