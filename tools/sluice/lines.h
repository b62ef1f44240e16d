/* SPDX-License-Identifier: Apache-2.0 */
/* lines: lines out of a descriptor, with a limit on how long to wait for the next one. */
#ifndef TOOLS_SLUICE_LINES_H
#define TOOLS_SLUICE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines {
	int fd;
	char *buf;
	size_t start, end, cap; /* what was read and not yet given out */
	size_t scanned; /* bytes behind start known to hold no newline */
	bool eof;
};

void lines_init(struct lines *l, int fd);

/* Frees its memory; the descriptor stays. */
void lines_done(struct lines *l);

/**
 * lines_next() - the next line, without its newline; good until the next call. A last line may
 * lack it.
 * @wait_ns: how long to wait for the line's end.
 * Return: 1; 0 at the end; -EAGAIN: it is not there yet; -EMSGSIZE: it is longer than @line_max;
 *         -ENOMEM; the errno of reading.
 */
int lines_next(struct lines *l, size_t line_max, int64_t wait_ns, const char **ret_line,
	       size_t *ret_len);

#endif
