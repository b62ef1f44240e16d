/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores of integers at any alignment in a stated byte order: _be for the wire, _le for
 * what lies on disk.
 */
#ifndef SLUICE_BYTES_H
#define SLUICE_BYTES_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sluice runs on little-endian machines");

#define SL_BYTES_DEFINE(bits)                                                                      \
	static inline uint##bits##_t sl_load_le##bits(const void *p)                               \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		memcpy(&v, p, sizeof(v));                                                          \
		return v;                                                                          \
	}                                                                                          \
	static inline uint##bits##_t sl_load_be##bits(const void *p)                               \
	{                                                                                          \
		return __builtin_bswap##bits(sl_load_le##bits(p));                                 \
	}                                                                                          \
	static inline void sl_store_le##bits(void *p, uint##bits##_t v)                            \
	{                                                                                          \
		memcpy(p, &v, sizeof(v));                                                          \
	}                                                                                          \
	static inline void sl_store_be##bits(void *p, uint##bits##_t v)                            \
	{                                                                                          \
		sl_store_le##bits(p, __builtin_bswap##bits(v));                                    \
	}

SL_BYTES_DEFINE(16)
SL_BYTES_DEFINE(32)
SL_BYTES_DEFINE(64)
#undef SL_BYTES_DEFINE

#endif
