/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting allocations: a program that calls these gets an allocator in the place of the C
 * library's which counts the calls of cores' threads, and of no other thread, and fails the one it
 * is told to.
 */
#ifndef TESTS_ALLOCS_H
#define TESTS_ALLOCS_H

#include <stdbool.h>

/* False under a sanitizer that has an allocator of its own: nothing is counted or fails then. */
bool allocs_can_count(void);

/* Calls of malloc, calloc and realloc by cores' threads since the start. */
unsigned long allocs_counted(void);

/* Of these calls the @nth from now on fails. 0: none. */
void allocs_fail(unsigned long nth);

#endif
