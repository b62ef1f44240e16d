// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * pagecache: what comes into the page cache by this process's reads, and what leaves it. Attaches
 * to the raw tracepoints mm_filemap_add_to_page_cache and mm_filemap_delete_from_page_cache. Its
 * peer, which loads it, is pagecache.c; both share pagecache.h.
 *
 * Which files are ours shows by what this process brings in: their inodes are noted in a table
 * without lists or locks, where a later one may take the place of an earlier one.
 */
#include "pagecache.h"
#include "program.h"

struct sl_pagecache pagecache;

enum { PLACES = 4096, PAGE_SHIFT = 12, TYPE_MASK = 0170000, REGULAR = 0100000 };

static uint64_t inodes[PLACES];

static inline uint64_t *place_of(uint64_t inode)
{
	return &inodes[(inode >> 6 ^ inode >> 18) % PLACES];
}

static inline uint64_t inode_of(uint64_t folio)
{
	uint64_t mapping = 0, inode = 0;

	KERNEL_READ(mapping, folio, fields, FOLIO_MAPPING);
	KERNEL_READ(inode, mapping, fields, MAPPING_HOST);
	return inode;
}

SEC("raw_tp")
int BPF_PROG(on_add, uint64_t folio)
{
	uint64_t inode, index = 0;
	uint16_t mode = 0;
	int64_t size = 0;

	if (!is_own())
		return 0;
	inode = inode_of(folio);
	KERNEL_READ(mode, inode, fields, INODE_MODE);
	/* The file system's own blocks are cached as pages of its device. */
	if ((mode & TYPE_MASK) != REGULAR)
		return 0;
	*place_of(inode) = inode;
	KERNEL_READ(size, inode, fields, INODE_SIZE);
	KERNEL_READ(index, folio, fields, FOLIO_INDEX);
	/* Who writes behind the end makes the page first, and the file longer afterwards. */
	if ((int64_t)(index << PAGE_SHIFT) < size)
		count(&pagecache.missed);
	else
		count(&pagecache.grown);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_delete, uint64_t folio)
{
	uint64_t inode = inode_of(folio);

	if (inode && *place_of(inode) == inode)
		count(&pagecache.dropped);
	return 0;
}
