/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting allocations: a program that calls these gets an allocator in the place of the C
 * library's which counts the calls of cores' threads, and of no other thread.
 */
#ifndef TESTS_ALLOCS_H
#define TESTS_ALLOCS_H

#include <stdbool.h>

/* False under a sanitizer that has an allocator of its own: nothing is counted then. */
bool allocs_can_count(void);

/* Calls of malloc, calloc and realloc by cores' threads since the start. */
unsigned long allocs_counted(void);

#endif
