/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct reads: bytes of files past the page cache, straight from the disk into a core's arena, by
 * O_DIRECT and memory that is registered with the ring. For stores that cache what they read
 * themselves, and for scans that would only push others' pages out.
 *
 * What is asked for need not be aligned: heads and tails are cut off by slicing. Where direct reads
 * are refused (a file system without them, memory that may not be registered) the same calls read
 * another way, and the way is counted (sluice_direct_fallbacks_total).
 *
 * A file and its readers belong to the core that opened it. Each core has a bounded number of
 * operations and bytes in flight; who finds no room for what it needs now waits in order, and what
 * is only read ahead is left for later.
 *
 * Order of parts: files; reads; readers.
 */
#ifndef DATAPLANE_DIRECT_H
#define DATAPLANE_DIRECT_H

#include "buf.h"

/* ---- files ------------------------------------------------------------------------------ */

/* Why an operation did not read directly into registered memory; label `reason`. */
enum sl_direct_fallback {
	SL_DIRECT_BUFFERED, /* the file has no direct reads: by the page cache */
	SL_DIRECT_MEMLOCK, /* RLIMIT_MEMLOCK without CAP_IPC_LOCK: into plain memory */
	SL_DIRECT_UNREGISTERED, /* no slots for registered memory, or another reason: the same */
	SL_DIRECT_FALLBACK_LAST
};

const char *sl_direct_fallback_name(enum sl_direct_fallback reason);

struct sl_direct;

/**
 * sl_direct_open() - open @path at @dir for reading. What is written to it meanwhile is seen, as
 * the kernel writes out what lies in the page cache before it reads.
 * Return: 0 or -errno.
 */
int sl_direct_open(int dir, const char *path, struct sl_direct **ret_file, int64_t deadline);

/* Nobody may be reading; readers may be left. Never waits. Accepts NULL. */
void sl_direct_close(struct sl_direct *file);

/* What offsets and lengths are rounded to; 1: the file is read by the page cache. */
uint32_t sl_direct_align(const struct sl_direct *file);

/* When it was opened. */
uint64_t sl_direct_size(const struct sl_direct *file);

/* ---- reads ------------------------------------------------------------------------------ */

/* The longest slice, and one operation's most bytes. */
#define SL_DIRECT_STEP_BYTES (UINT64_C(256) << 10)

/* The most slices that a read of @len bytes comes in. */
static inline uint32_t sl_direct_slices(size_t len)
{
	return (uint32_t)(len / SL_DIRECT_STEP_BYTES) + 2;
}

/**
 * sl_direct_read() - read @len bytes at @off.
 * @ret_slices, @n: room for at least sl_direct_slices(@len); those filled hold a reference each, in
 *	order; of a failure nothing is left in them.
 * @deadline: -ETIME then, once what was begun is cancelled or done: a disk that does not answer
 *	holds the caller.
 * Return: slices; together they are shorter than @len only at the file's end, where it is 0. Or
 *	-errno: what the disk said (-EIO, -ENODATA); -ENOMEM: the arena is used up.
 */
int sl_direct_read(struct sl_direct *file, uint64_t off, size_t len, struct sl_slice *ret_slices,
		   uint32_t n, int64_t deadline);

/* ---- readers ---------------------------------------------------------------------------- */

/**
 * struct sl_direct_reader_conf - a sequential reader; zero fields take the defaults.
 * @off: its first byte. @end: one behind its last (the file's end).
 * @ahead_bytes_max: the most bytes read ahead of the caller (4 MiB), after doubling from 64 KiB.
 * @ops_max: the most operations in flight (16).
 */
struct sl_direct_reader_conf {
	uint64_t off;
	uint64_t end;
	uint64_t ahead_bytes_max;
	uint32_t ops_max;
};

struct sl_direct_reader;

/* Begins nothing yet. Return: 0 or -ENOMEM. */
int sl_direct_reader_new(struct sl_direct *file, const struct sl_direct_reader_conf *conf,
			 struct sl_direct_reader **ret_reader);

/* Begins to read before the first slice is asked for, as far as there is room now. */
void sl_direct_reader_begin(struct sl_direct_reader *reader);

/**
 * sl_direct_reader_next() - the next bytes, and read on ahead. One fiber at a time.
 * @ret_slice: not empty; holds a reference.
 * @deadline: after -ETIME the next call goes on where this one waited; nothing is lost.
 * Return: 1; 0 at the end, which is final; -errno as sl_direct_read(), also final but for -ENOMEM.
 */
int sl_direct_reader_next(struct sl_direct_reader *reader, struct sl_slice *ret_slice,
			  int64_t deadline);

/**
 * sl_direct_reader_free() - never waits: what is in flight is cancelled, and its memory goes when
 * the last completion has come. Accepts NULL.
 */
void sl_direct_reader_free(struct sl_direct_reader *reader);

#endif
