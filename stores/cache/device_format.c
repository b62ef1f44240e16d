/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache on a device, prepared: how it is divided, the description that says so, and its first
 * state, in which there is no object.
 *
 * Interface: cache_format() of cache.h; "reading and writing it" of device_pvt.h. Invariant: while
 * it is made it is no cache, neither the old one nor the new.
 *
 * Order of parts: bytes; the description; dividing; making one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device_pvt.h"

enum { DEVICE_BLOCK_BYTES = 4096 };

/* ---- bytes ------------------------------------------------------------------------------ */

int device_open_alone(int dir, const char *path, bool exclusive, int64_t deadline)
{
	struct statx stx;
	int err = sl_stat(dir, path, &stx, deadline), fd;

	if (err)
		return err;
	if (!S_ISREG(stx.stx_mode) && !S_ISBLK(stx.stx_mode))
		return S_ISDIR(stx.stx_mode) ? -EISDIR : -ENOTBLK;
	/* Refused if it is mounted, or of use to somebody else in the kernel. */
	fd = sl_open(dir, path, O_RDWR | (S_ISBLK(stx.stx_mode) ? O_EXCL : 0), 0, deadline);
	if (fd >= 0 && !exclusive && flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		sl_close(fd);
		return err;
	}
	return fd;
}

/* Of a block device nothing else tells it. */
int64_t device_size(int fd)
{
	struct statx stx;
	int err = sl_stat_now(fd, "", &stx);
	off_t end;

	if (err)
		return err;
	if (S_ISREG(stx.stx_mode))
		return (int64_t)stx.stx_size;
	end = lseek(fd, 0, SEEK_END);
	return end < 0 ? -errno : end;
}

int device_write_zeros(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[64 << 10];
	int err = 0;

	for (uint64_t at = 0; at < len && !err; at += sizeof(zeros))
		err = sl_write_all(fd, zeros, sl_min(len - at, (uint64_t)sizeof(zeros)), off + at,
				   SL_NEVER);
	return err;
}

static int is_blank(int fd, uint64_t off, uint64_t len, bool *ret_blank)
{
	uint8_t *data = malloc(len);
	int err = data ? sl_read_all(fd, data, len, off, SL_NEVER) : -ENOMEM;

	for (uint64_t i = 0; i < len && !err && *ret_blank; i++)
		*ret_blank = !data[i];
	free(data);
	return err;
}

int device_write_journal_header(int fd, uint64_t off, const struct journal_header *h)
{
	uint8_t out[2 * JOURNAL_HEADER_BYTES];

	journal_header_encode(h, out);
	journal_header_encode(h, out + JOURNAL_HEADER_BYTES);
	return sl_write_all(fd, out, sizeof(out), off, SL_NEVER);
}

/* ---- the description -------------------------------------------------------------------- */

static uint64_t copy_at(uint64_t bytes)
{
	return sl_round_down(bytes, (uint64_t)DEVICE_BLOCK_BYTES) - DEVICE_BLOCK_BYTES;
}

static int read_layout(int fd, uint64_t off, struct device_layout *ret_layout)
{
	uint8_t raw[SUPER_BYTES];
	int err = sl_read_all(fd, raw, sizeof(raw), off, SL_NEVER);

	return err ? err : device_layout_decode(raw, ret_layout);
}

int device_write_layout(int fd, const struct device_layout *l, uint64_t off)
{
	uint8_t block[DEVICE_BLOCK_BYTES] = {0};

	device_layout_encode(l, block);
	return sl_write_all(fd, block, sizeof(block), off, SL_NEVER);
}

int device_find_layout(int fd, uint64_t bytes, struct device_layout *ret_layout, bool *ret_first)
{
	int err = read_layout(fd, 0, ret_layout), err2;

	*ret_first = !err;
	if (!err || err == -EPROTONOSUPPORT || bytes < 2 * DEVICE_BLOCK_BYTES)
		return err;
	err2 = read_layout(fd, copy_at(bytes), ret_layout);
	return !err2 || err2 == -EPROTONOSUPPORT ? err2 : err;
}

/* ---- dividing --------------------------------------------------------------------------- */

enum { SLOTS_MIN = 8, SLOTS_WANTED = 32 };

/*
 * The page cache may keep so much as one, whose parts could not be taken out of it: no slot begins
 * within one of these.
 */
#define SLOT_ALIGN (2 * SL_MIB)

#define JOURNAL_BYTES_MAX (32 * SL_MIB)

/* Return: 0; -ENOSPC: it is too small. */
static int lay_out(uint64_t bytes, const struct cache_format_conf *conf,
		   struct device_layout *ret_layout)
{
	struct device_layout l = {
		.super = {.shards = cache_shards_for(bytes), .block_size = conf->block_size},
		.bytes = sl_round_down(bytes, (uint64_t)DEVICE_BLOCK_BYTES),
	};
	uint64_t align = conf->slot_bytes ? sl_min(conf->slot_bytes, SLOT_ALIGN) : SLOT_ALIGN;

	l.first = align;
	if (l.bytes < l.first + DEVICE_BLOCK_BYTES)
		return -ENOSPC;
	l.shard_bytes =
		sl_round_down((l.bytes - DEVICE_BLOCK_BYTES - l.first) / l.super.shards, align);
	l.journal_bytes = conf->journal_bytes;
	if (!l.journal_bytes)
		l.journal_bytes = sl_round_up(sl_min(l.shard_bytes / 128, JOURNAL_BYTES_MAX),
					      DEVICE_JOURNAL_BYTES_MIN);
	if (l.shard_bytes < 2 * l.journal_bytes)
		return -ENOSPC;
	l.slot_bytes = conf->slot_bytes;
	if (!l.slot_bytes)
		l.slot_bytes = sl_max(
			sl_round_down((l.shard_bytes - 2 * l.journal_bytes) / SLOTS_WANTED, align),
			align);
	l.slot_bytes = sl_min(l.slot_bytes, SL_GIB);
	l.slots = (uint32_t)((l.shard_bytes - 2 * l.journal_bytes) / l.slot_bytes);
	if (l.slots < SLOTS_MIN)
		return -ENOSPC;
	sl_random(&l.super.seed, sizeof(l.super.seed));
	*ret_layout = l;
	return 0;
}

/* ---- making one ------------------------------------------------------------------------- */

/* No segment, and an empty journal. */
static int clear_shard(int fd, const struct device_layout *l, uint32_t shard)
{
	struct journal_header h = {.generation = 1};
	int err = 0;

	for (uint32_t i = 0; i < l->slots && !err; i++)
		err = device_write_zeros(fd, device_slot_at(l, shard, i), SEG_HEADER_BYTES);
	sl_random(&h.salt, sizeof(h.salt));
	if (!err)
		err = device_write_journal_header(fd, device_journal_at(l, shard, 0), &h);
	if (!err)
		err = device_write_zeros(fd, device_journal_at(l, shard, 1),
					 2 * JOURNAL_HEADER_BYTES);
	return err;
}

/* While it is made it is no cache, neither the old one nor the new. */
static int write_device(int fd, const struct device_layout *l)
{
	int err = device_write_zeros(fd, 0, DEVICE_BLOCK_BYTES);

	if (!err)
		err = device_write_zeros(fd, copy_at(l->bytes), DEVICE_BLOCK_BYTES);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_FORMAT), SL_NEVER);
	for (uint32_t i = 0; i < l->super.shards && !err; i++)
		err = clear_shard(fd, l, i);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_FORMAT), SL_NEVER);
	if (!err)
		err = device_write_layout(fd, l, 0);
	if (!err)
		err = device_write_layout(fd, l, copy_at(l->bytes));
	return err ? err : sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_SUPER), SL_NEVER);
}

/* Whether what is there may go. */
static int may_go(int fd, uint64_t bytes, bool force)
{
	uint64_t look = sl_min(bytes, SL_MIB);
	struct device_layout old;
	bool blank = true, first;
	int err = is_blank(fd, 0, look, &blank);

	if (!err)
		err = is_blank(fd, bytes - look, look, &blank);
	if (err || blank)
		return err;
	err = device_find_layout(fd, bytes, &old, &first);
	if (err && err != -EPROTONOSUPPORT)
		return -ENOTEMPTY;
	return force ? 0 : -EEXIST;
}

static const char *format_cure(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no such device; a plain file is made first, by truncate -s SIZE";
	case -EISDIR:
		return "it is a folder, which needs no preparation";
	case -ENOTBLK:
		return "it is neither a block device nor a plain file";
	case -EBUSY:
		return "it is in use: mounted, or of another process";
	case -EEXIST:
		return "there is a cache on it; --force empties it";
	case -ENOTEMPTY:
		return "its first or last MiB is not zeros: something may be on it. If that may "
		       "go: wipefs --all, or blkdiscard, or dd if=/dev/zero";
	case -ENOSPC:
		return "it is too small: a cache needs 21 MiB";
	case -EACCES:
	case -EPERM:
		return "this user may not write to it";
	default:
		return strerror(-err);
	}
}

int cache_format(int dir, const char *path, const struct cache_format_conf *conf,
		 struct cache_format *ret_format, char *why, size_t why_len, int64_t deadline)
{
	struct cache_format_conf c = *conf;
	struct device_layout l;
	int fd = device_open_alone(dir, path, conf->exclusive, deadline), err = sl_min(fd, 0);
	int64_t bytes = err ? err : device_size(fd);

	c.block_size = c.block_size ? c.block_size : 4096;
	if (!err)
		err = bytes < 0 ? (int)bytes : lay_out((uint64_t)bytes, &c, &l);
	if (!err)
		err = may_go(fd, (uint64_t)bytes, conf->force);
	if (!err)
		err = write_device(fd, &l);
	sl_close(fd);
	if (err)
		snprintf(why, why_len, "%s: %s", path, format_cure(err));
	else
		*ret_format = (struct cache_format){
			.bytes = l.slots * l.slot_bytes * l.super.shards,
			.shards = l.super.shards,
			.slots = l.slots,
			.slot_bytes = l.slot_bytes,
		};
	return err;
}
