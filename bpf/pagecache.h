/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What pagecache.bpf.c counts and pagecache.c maps. */
#ifndef BPF_PAGECACHE_H
#define BPF_PAGECACHE_H

#include <stdint.h>

/**
 * struct sl_pagecache - pieces of regular files (folios: one page or some) since the program was
 * loaded.
 * @missed: brought into the page cache because this process read, or read ahead, what was not
 *	there. @grown: made by what it wrote behind the end of a file. @dropped: taken out again, by
 *	anybody, of files that this process had brought there.
 */
struct sl_pagecache {
	uint64_t missed;
	uint64_t grown;
	uint64_t dropped;
};

#endif
