/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c: the checksum that most kinds of logs have. Interface: sl_crc32c(). */
#include <isa-l/crc.h>

#include "segments_pvt.h"

/* crc32_iscsi() neither inverts its start nor its result, and takes at most an int of bytes. */
uint32_t sl_crc32c(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *bytes = p;

	crc = ~crc;
	while (len > 0) {
		size_t n = sl_min(len, (size_t)SL_GIB);

		crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)n, crc);
		bytes += n;
		len -= n;
	}
	return ~crc;
}
