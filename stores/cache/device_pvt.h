/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache on a device: what device.c and device_format.c share.
 *
 * A description, kept in the first and in the last block, divides the device into a part for each
 * shard, and that into slots and two areas for the journal.
 */
#ifndef STORES_CACHE_DEVICE_PVT_H
#define STORES_CACHE_DEVICE_PVT_H

#include "cache_pvt.h"

/* ---- where things are ------------------------------------------------------------------- */

static inline uint64_t device_shard_at(const struct device_layout *l, uint32_t shard)
{
	return l->first + shard * l->shard_bytes;
}

static inline uint64_t device_slot_at(const struct device_layout *l, uint32_t shard, uint32_t slot)
{
	return device_shard_at(l, shard) + slot * l->slot_bytes;
}

static inline uint64_t device_journal_at(const struct device_layout *l, uint32_t shard, int area)
{
	return device_slot_at(l, shard, l->slots) + (uint64_t)area * l->journal_bytes;
}

/* ---- reading and writing it ------------------------------------------------------------- */

/* For this process alone. Return: its descriptor; -EISDIR, -ENOTBLK: it is no device; -errno. */
int device_open_alone(int dir, const char *path, bool exclusive, int64_t deadline);

/* Its bytes, or -errno. */
int64_t device_size(int fd);

/* The description, from either place. @ret_first: from the first one. */
int device_find_layout(int fd, uint64_t bytes, struct device_layout *ret_layout, bool *ret_first);
int device_write_layout(int fd, const struct device_layout *l, uint64_t off);

int device_write_zeros(int fd, uint64_t off, uint64_t len);
int device_write_journal_header(int fd, uint64_t off, const struct journal_header *h);

#endif
