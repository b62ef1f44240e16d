/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH3 over bodies, by the widest instructions that the processor has: on x86-64 the library
 * chooses them at run time, if the calls go by this header. The sums are the same.
 */
#ifndef STORES_CACHE_SUMS_H
#define STORES_CACHE_SUMS_H

#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

#endif
