/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions: what must hold whatever a peer or a disk does.
 *
 * SL_ASSERT stays in release builds; SL_DCHECK is for checks whose cost grows with the data and
 * is compiled in by -DSL_DEBUG and the sanitizer builds. A peer's or a disk's fault is an error
 * code, never an assertion.
 */
#ifndef SLUICE_ASSERT_H
#define SLUICE_ASSERT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SL_ASSERT(cond)                                                                            \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			sl_assert_failed(#cond, __FILE__, __LINE__, __func__);                     \
	} while (0)

#ifdef SL_DEBUG
#define SL_DCHECK(cond) SL_ASSERT(cond)
#else
#define SL_DCHECK(cond) ((void)sizeof(!(cond)))
#endif

/* Prints the broken condition and aborts: what state says is not to be trusted any more. */
static inline __attribute__((cold, noreturn)) void
sl_assert_failed(const char *cond, const char *file, int line, const char *func)
{
	fprintf(stderr, "sluice: assertion failed: %s (%s:%d, %s)\n", cond, file, line, func);
	abort();
}

#endif
