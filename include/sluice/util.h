/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small helpers that every layer uses: array sizes, containers, rounding, time units.
 *
 * Times are int64_t nanoseconds of CLOCK_MONOTONIC unless a name says otherwise; a deadline is an
 * absolute time, SL_NEVER meaning that there is none.
 */
#ifndef SLUICE_UTIL_H
#define SLUICE_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define SL_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define sl_container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define sl_likely(x) __builtin_expect(!!(x), 1)
#define sl_unlikely(x) __builtin_expect(!!(x), 0)

/* Each use names its copies anew (__COUNTER__), so that uses may be nested. */
#define SL_PASTE_(a, b) a##b
#define SL_PASTE(a, b) SL_PASTE_(a, b)
#define sl_min(a, b) SL_PICK(<, a, b, SL_PASTE(sl_a_, __COUNTER__), SL_PASTE(sl_b_, __COUNTER__))
#define sl_max(a, b) SL_PICK(>, a, b, SL_PASTE(sl_a_, __COUNTER__), SL_PASTE(sl_b_, __COUNTER__))
#define SL_PICK(op, a, b, a_, b_)                                                                  \
	({                                                                                         \
		__typeof__(a) a_ = (a);                                                            \
		__typeof__(b) b_ = (b);                                                            \
		a_ op b_ ? a_ : b_;                                                                \
	})

#define SL_KIB (UINT64_C(1) << 10)
#define SL_MIB (UINT64_C(1) << 20)
#define SL_GIB (UINT64_C(1) << 30)

#define SL_USEC INT64_C(1000)
#define SL_MSEC INT64_C(1000000)
#define SL_SEC INT64_C(1000000000)
#define SL_NEVER INT64_MAX

/* Rounds @x up to a multiple of @to, a power of two. */
static inline uint64_t sl_round_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) & ~(to - 1);
}

/* Rounds @x down to a multiple of @to, a power of two. */
static inline uint64_t sl_round_down(uint64_t x, uint64_t to)
{
	return x & ~(to - 1);
}

/* Mixes all bits of @x into all bits of the result (the finaliser of SplitMix64). */
static inline uint64_t sl_mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

#endif
