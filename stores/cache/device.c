/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache on a device: a block device, or a plain file made for it, without a file system of ours.
 *
 * Interface: medium_device, whose rows cache_pvt.h explains; cache_format() of cache.h; the figures
 * that a shard asks for. A description, kept in the first and in the last block, divides the device
 * into a part for each shard, and that into slots, which hold what a folder's files would, and two
 * areas for the journal, which is written anew into the one that it is not in.
 *
 * Writes go through the page cache, so that what was just stored is sent from there. Sockets may
 * hold pages of it for long after they were sent: before a slot is used again its pages are taken
 * out of the page cache as they are, and what is written next comes to lie in others.
 *
 * Invariants: a slot without a header is free, and is not used again while somebody holds what was
 * in it. A segment that was removed may come back with a power cut, until the journal is written
 * anew, which tells what in it does not count; that what is left of it does not pass for what is
 * in its slot now is seen by the salt in every sum. Of two areas with a journal the later one
 * counts, which is on disk as a whole before it says so. What is written more than once is never
 * sent to anybody.
 *
 * Order of parts: what it is divided into; making one; the device; slots; shards; segments;
 * journals; the table.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_pvt.h"

enum slot_state {
	SLOT_FREE,
	SLOT_TAKEN,
	SLOT_HELD, /* removed, and somebody holds it still */
};

struct device_slot {
	uint32_t seq;
	uint8_t state;
};

/* Of a shard; its home's. @area: where its journal is (-1: nowhere), of @generation. */
struct device_shard {
	struct device_slot *slots;
	uint32_t taken, held;
	int area;
	uint64_t generation;
	bool doubt; /* the other area may have a header */
};

/**
 * struct device - what the cache and every seat hold; the last one closes it.
 * @layout: does not change while it is open.
 */
struct device {
	int fd;
	uint32_t refs; /* atomic */
	struct device_layout layout;
	struct device_shard shards[CACHE_SHARDS_MAX];
};

/* ---- what it is divided into ------------------------------------------------------------ */

enum { DEVICE_BLOCK_BYTES = 4096, SLOTS_MIN = 8, SLOTS_WANTED = 32 };

/*
 * The page cache may keep so much as one, whose parts could not be taken out of it: no slot begins
 * within one of these.
 */
#define SLOT_ALIGN (2 * SL_MIB)

#define JOURNAL_BYTES_MAX (32 * SL_MIB)

static uint64_t shard_at(const struct device_layout *l, uint32_t shard)
{
	return l->first + shard * l->shard_bytes;
}

static uint64_t slot_at(const struct device_layout *l, uint32_t shard, uint32_t slot)
{
	return shard_at(l, shard) + slot * l->slot_bytes;
}

static uint64_t journal_at(const struct device_layout *l, uint32_t shard, int area)
{
	return slot_at(l, shard, l->slots) + (uint64_t)area * l->journal_bytes;
}

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
	l.shard_bytes = sl_round_down((l.bytes - DEVICE_BLOCK_BYTES - l.first) / l.super.shards,
				      align);
	l.journal_bytes = conf->journal_bytes;
	if (!l.journal_bytes)
		l.journal_bytes = sl_round_up(sl_min(l.shard_bytes / 128, JOURNAL_BYTES_MAX),
					      DEVICE_JOURNAL_BYTES_MIN);
	if (l.shard_bytes < 2 * l.journal_bytes)
		return -ENOSPC;
	l.slot_bytes = conf->slot_bytes;
	if (!l.slot_bytes)
		l.slot_bytes = sl_max(sl_round_down((l.shard_bytes - 2 * l.journal_bytes) /
						    SLOTS_WANTED, align), align);
	l.slot_bytes = sl_min(l.slot_bytes, SL_GIB);
	l.slots = (uint32_t)((l.shard_bytes - 2 * l.journal_bytes) / l.slot_bytes);
	if (l.slots < SLOTS_MIN)
		return -ENOSPC;
	sl_random(&l.super.seed, sizeof(l.super.seed));
	*ret_layout = l;
	return 0;
}

uint64_t device_bytes(const struct device *d)
{
	return d->layout.slots * d->layout.slot_bytes * d->layout.super.shards;
}

uint64_t device_slot_bytes(const struct device *d)
{
	return d->layout.slot_bytes;
}

/* As many blocks as there is room for with a record for each. */
uint64_t device_segment_bytes(const struct device *d)
{
	uint32_t block = d->layout.super.block_size;
	uint64_t n = d->layout.slot_bytes / (block + RECORD_BYTES);

	while (cseg_data_at((uint32_t)n, block) + n * block > d->layout.slot_bytes)
		n--;
	return n * block;
}

/* What is held cannot be had, but that everything goes because of it is not what is wanted. */
bool device_has_room(const struct shard *s, uint32_t slots)
{
	const struct device *d = s->c->device;
	const struct device_shard *ds = &d->shards[s->id];
	uint64_t max = shard_max_bytes(s) / d->layout.slot_bytes;
	uint32_t held = slots ? sl_min(ds->held, d->layout.slots / 4) : 0;

	return ds->taken + held + slots <= sl_max(max, 4u);
}

/* ---- making one ------------------------------------------------------------------------- */

static int is_blank(int fd, uint64_t off, uint64_t len, bool *ret_blank)
{
	uint8_t *data = malloc(len);
	int err = data ? sl_read_all(fd, data, len, off, SL_NEVER) : -ENOMEM;

	for (uint64_t i = 0; i < len && !err && *ret_blank; i++)
		*ret_blank = !data[i];
	free(data);
	return err;
}

static int write_zeros(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[64 << 10];
	int err = 0;

	for (uint64_t at = 0; at < len && !err; at += sizeof(zeros))
		err = sl_write_all(fd, zeros, sl_min(len - at, (uint64_t)sizeof(zeros)), off + at,
				   SL_NEVER);
	return err;
}

/* Of a block device nothing else tells it. */
static int64_t size_of(int fd)
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

static int write_layout(int fd, const struct device_layout *l, uint64_t off)
{
	uint8_t block[DEVICE_BLOCK_BYTES] = {0};

	device_layout_encode(l, block);
	return sl_write_all(fd, block, sizeof(block), off, SL_NEVER);
}

/* From either place. @ret_first: from the first one. */
static int find_layout(int fd, uint64_t bytes, struct device_layout *ret_layout, bool *ret_first)
{
	int err = read_layout(fd, 0, ret_layout), err2;

	*ret_first = !err;
	if (!err || err == -EPROTONOSUPPORT || bytes < 2 * DEVICE_BLOCK_BYTES)
		return err;
	err2 = read_layout(fd, copy_at(bytes), ret_layout);
	return !err2 || err2 == -EPROTONOSUPPORT ? err2 : err;
}

static int write_journal_header(int fd, uint64_t off, const struct journal_header *h)
{
	uint8_t out[2 * JOURNAL_HEADER_BYTES];

	journal_header_encode(h, out);
	journal_header_encode(h, out + JOURNAL_HEADER_BYTES);
	return sl_write_all(fd, out, sizeof(out), off, SL_NEVER);
}

/* No segment, and an empty journal. */
static int clear_shard(int fd, const struct device_layout *l, uint32_t shard)
{
	struct journal_header h = {.generation = 1};
	int err = 0;

	for (uint32_t i = 0; i < l->slots && !err; i++)
		err = write_zeros(fd, slot_at(l, shard, i), SEG_HEADER_BYTES);
	sl_random(&h.salt, sizeof(h.salt));
	if (!err)
		err = write_journal_header(fd, journal_at(l, shard, 0), &h);
	if (!err)
		err = write_zeros(fd, journal_at(l, shard, 1), 2 * JOURNAL_HEADER_BYTES);
	return err;
}

/* While it is made it is no cache, neither the old one nor the new. */
static int write_device(int fd, const struct device_layout *l)
{
	int err = write_zeros(fd, 0, DEVICE_BLOCK_BYTES);

	if (!err)
		err = write_zeros(fd, copy_at(l->bytes), DEVICE_BLOCK_BYTES);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_FORMAT), SL_NEVER);
	for (uint32_t i = 0; i < l->super.shards && !err; i++)
		err = clear_shard(fd, l, i);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_FORMAT), SL_NEVER);
	if (!err)
		err = write_layout(fd, l, 0);
	if (!err)
		err = write_layout(fd, l, copy_at(l->bytes));
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
	err = find_layout(fd, bytes, &old, &first);
	if (err && err != -EPROTONOSUPPORT)
		return -ENOTEMPTY;
	return force ? 0 : -EEXIST;
}

/* For this process alone. Return: its descriptor; -EISDIR, -ENOTBLK: it is no device; -errno. */
static int open_alone(int dir, const char *path, bool exclusive, int64_t deadline)
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
	int fd = open_alone(dir, path, conf->exclusive, deadline), err = sl_min(fd, 0);
	int64_t bytes = err ? err : size_of(fd);

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

/* ---- the device ------------------------------------------------------------------------- */

static void device_release(struct device *d)
{
	if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint32_t i = 0; i < CACHE_SHARDS_MAX; i++)
		free(d->shards[i].slots);
	sl_close(d->fd);
	free(d);
}

static int take_layout(struct device *d)
{
	int64_t bytes = size_of(d->fd);
	bool first;
	int err = bytes < 0 ? (int)bytes
			    : find_layout(d->fd, (uint64_t)bytes, &d->layout, &first);

	/* Not one of ours, as far as can be seen. */
	if (err == -EBADMSG || err == -ENODATA)
		return -EMEDIUMTYPE;
	if (!err && d->layout.bytes > (uint64_t)bytes)
		return -ERANGE;
	return err || first ? err : write_layout(d->fd, &d->layout, 0);
}

static int device_open(struct cache *c, int64_t deadline)
{
	struct device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->refs = 1;
	d->fd = open_alone(c->conf.dir, c->path, c->conf.exclusive, deadline);
	err = d->fd < 0 ? d->fd : take_layout(d);
	if (err) {
		device_release(d);
		return err;
	}
	c->device = d;
	c->super = d->layout.super;
	return 0;
}

static void device_close(struct cache *c)
{
	if (c->device)
		device_release(c->device);
}

/* ---- slots ------------------------------------------------------------------------------ */

static struct device_shard *of(const struct shard *s)
{
	return &s->c->device->shards[s->id];
}

/* Nobody holds it any more: it may be used again. */
static void leave_slot(struct seat *seat, uint64_t bytes)
{
	struct device *d = seat->device;
	struct device_shard *ds = &d->shards[seat->shard];
	struct device_slot *slot = &ds->slots[seat->slot];

	(void)bytes;
	if (slot->state == SLOT_HELD)
		ds->held--;
	else
		ds->taken--;
	slot->state = SLOT_FREE;
	device_release(d);
}

static struct seat seat_at(const struct shard *s, uint32_t slot)
{
	struct device *d = s->c->device;

	__atomic_add_fetch(&d->refs, 1, __ATOMIC_RELAXED);
	return (struct seat){
		.fd = d->fd,
		.base = slot_at(&d->layout, s->id, slot),
		.bytes = d->layout.slot_bytes,
		.leave = leave_slot,
		.device = d,
		.shard = s->id,
		.slot = slot,
	};
}

/* So long a slot is waited for that somebody holds. */
#define HELD_NS SL_SEC

static int take_slot(struct shard *s, uint32_t seq, uint32_t *ret_slot, int64_t deadline)
{
	struct device_shard *ds = of(s);
	int64_t until = sl_min(deadline, sl_now() + HELD_NS);

	for (;;) {
		for (uint32_t i = 0; i < s->c->device->layout.slots; i++) {
			if (ds->slots[i].state != SLOT_FREE)
				continue;
			ds->slots[i] = (struct device_slot){seq, SLOT_TAKEN};
			ds->taken++;
			*ret_slot = i;
			return 0;
		}
		if (!sl_fiber_self() || sl_now() >= until)
			return -ENOSPC;
		sl_sleep(sl_now() + SL_MSEC);
	}
}

static bool is_in_page_cache(const struct seat *seat)
{
	struct sl_cachestat stat = {0};
	struct sl_io io;

	sl_io_cachestat(&io, seat->fd, seat->base, (uint32_t)seat->bytes, &stat);
	return sl_io_now(&io) || stat.cached;
}

/*
 * Takes all of a slot out of the page cache, and makes its header and index zeros. A block device
 * that cannot zero by itself says so, but lets go of its pages before.
 */
static int detach(const struct seat *seat, uint64_t data_at, int64_t deadline)
{
	int err = sl_fallocate(seat->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, seat->base,
			       seat->bytes, deadline);

	if (err != -EOPNOTSUPP)
		return err;
	if (!is_in_page_cache(seat))
		return write_zeros(seat->fd, seat->base, data_at);
	return sl_fallocate(seat->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, seat->base,
			    seat->bytes, deadline);
}

/* ---- shards ----------------------------------------------------------------------------- */

/* The journal's place is the one whose header is the later. */
static int find_journal(struct shard *s)
{
	struct device *d = s->c->device;
	struct device_shard *ds = of(s);

	ds->area = -1;
	ds->generation = 0;
	for (int area = 0; area < 2; area++) {
		uint8_t raw[2 * JOURNAL_HEADER_BYTES];
		struct journal_header h;
		int err = sl_read_all(d->fd, raw, sizeof(raw),
				      journal_at(&d->layout, s->id, area), SL_NEVER);

		if (err)
			return err;
		err = journal_header_decode(raw, &h);
		if (err == -EBADMSG)
			err = journal_header_decode(raw + JOURNAL_HEADER_BYTES, &h);
		if (err || h.generation <= ds->generation)
			continue;
		ds->area = area;
		ds->generation = h.generation;
	}
	return 0;
}

static int device_shard_open(struct shard *s)
{
	struct device_shard *ds = of(s);

	ds->slots = calloc(s->c->device->layout.slots, sizeof(*ds->slots));
	return ds->slots ? find_journal(s) : -ENOMEM;
}

static void device_shard_close(struct shard *s)
{
	(void)s; /* who still holds a slot gives it back */
}

/* Return: 1: a segment's; 0: free; -EBADMSG, -errno. */
static int look_at_slot(const struct shard *s, uint32_t slot, struct seg_header *ret_header)
{
	const struct device *d = s->c->device;
	uint8_t block[SEG_HEADER_BYTES];
	int err = sl_read_all(d->fd, block, sizeof(block), slot_at(&d->layout, s->id, slot),
			      SL_NEVER);
	bool first = true, last = true;

	if (err)
		return err;
	err = cseg_first_decode(block, ret_header);
	if (!err)
		return ret_header->shard == s->id ? 1 : -EBADMSG;
	/* One of the two may be damaged, as of two headers one may be. */
	for (uint32_t i = 0; i < SEG_SECTOR_BYTES; i++) {
		first = first && !block[i];
		last = last && !block[sizeof(block) - 1 - i];
	}
	return first || last ? 0 : err;
}

static int device_list(struct shard *s, int (*each)(void *arg, uint32_t seq), void *arg)
{
	struct device_shard *ds = of(s);

	for (uint32_t i = 0; i < s->c->device->layout.slots; i++) {
		struct seg_header h;
		int res = look_at_slot(s, i, &h);

		if (res == 1) {
			ds->slots[i] = (struct device_slot){h.seq, SLOT_TAKEN};
			ds->taken++;
			res = each(arg, h.seq);
		}
		if (res)
			return res;
	}
	return 0;
}

static int device_empty(struct shard *s)
{
	struct device *d = s->c->device;
	struct device_shard *ds = of(s);
	int err = 0;

	for (uint32_t i = 0; i < d->layout.slots && !err; i++) {
		err = write_zeros(d->fd, slot_at(&d->layout, s->id, i), SEG_HEADER_BYTES);
		if (!err && ds->slots[i].state == SLOT_TAKEN) {
			ds->slots[i].state = SLOT_FREE;
			ds->taken--;
		}
	}
	/* On disk before the new journal is. */
	journal_clear(&s->journal);
	return err ? err : journal_sync(&s->journal, SL_NEVER);
}

/* ---- segments --------------------------------------------------------------------------- */

static int device_make(struct shard *s, const struct seg_header *h, struct seat *ret_seat,
		       int64_t deadline)
{
	uint8_t block[SEG_HEADER_BYTES];
	struct seat seat;
	uint32_t slot;
	int err = take_slot(s, h->seq, &slot, deadline);

	if (err)
		return err;
	seat = seat_at(s, slot);
	err = detach(&seat, cseg_data_at(h->index_max, s->c->super.block_size), deadline);
	/* On disk with the first object, since a sync is for all of the device. */
	cseg_first_block(h, block);
	if (!err)
		err = sl_write_all(seat.fd, block, sizeof(block), seat.base, deadline);
	if (err)
		leave_slot(&seat, 0);
	else
		*ret_seat = seat;
	return err;
}

static int device_find(struct shard *s, uint32_t seq, struct seat *ret_seat)
{
	const struct device_shard *ds = of(s);

	for (uint32_t i = 0; i < s->c->device->layout.slots; i++)
		if (ds->slots[i].state == SLOT_TAKEN && ds->slots[i].seq == seq) {
			*ret_seat = seat_at(s, i);
			return 0;
		}
	return -ENOENT;
}

static int device_remove(struct shard *s, const struct segment *g, int64_t deadline)
{
	struct device_shard *ds = of(s);
	int err = write_zeros(g->seat.fd, g->seat.base, SEG_HEADER_BYTES);

	(void)deadline;
	if (err)
		return err;
	ds->slots[g->seat.slot].state = SLOT_HELD;
	ds->taken--;
	ds->held++;
	return 0;
}

static int device_open_direct(const struct segment *g, struct sl_direct **ret_file,
			      int64_t deadline)
{
	const struct cache *c = g->shard->c;

	return sl_direct_open(c->conf.dir, c->path, ret_file, deadline);
}

/* ---- journals --------------------------------------------------------------------------- */

/* The device is open as long as the shard is. */
static void leave_area(struct seat *seat, uint64_t bytes)
{
	(void)seat;
	(void)bytes;
}

static void sit_down(struct journal *j)
{
	const struct device *d = j->shard->c->device;
	const struct device_shard *ds = of(j->shard);

	j->room = d->layout.journal_bytes;
	j->seat = (struct seat){
		.fd = d->fd,
		.base = journal_at(&d->layout, j->shard->id, ds->area),
		.bytes = d->layout.journal_bytes,
		.leave = leave_area,
	};
}

static int device_journal_open(struct journal *j)
{
	if (of(j->shard)->area < 0)
		return -EBADMSG;
	sit_down(j);
	return 0;
}

/* What could not be finished may have come to be on disk. */
static int clear_area(const struct device *d, uint64_t at)
{
	int err = write_zeros(d->fd, at, 2 * JOURNAL_HEADER_BYTES);

	return err ? err : sl_fsync(d->fd, true, SL_FAULT(SYNC_CACHE_JOURNAL_NEW), SL_NEVER);
}

static int device_journal_replace(struct journal *j, const uint8_t *data, size_t n,
				  int64_t deadline)
{
	const size_t head = 2 * JOURNAL_HEADER_BYTES;
	const struct device *d = j->shard->c->device;
	struct device_shard *ds = of(j->shard);
	int area = ds->area == 0 ? 1 : 0;
	uint64_t at = journal_at(&d->layout, j->shard->id, area);
	struct journal_header h;
	int err = journal_header_decode(data, &h);

	SL_ASSERT(!err && n >= head && n <= d->layout.journal_bytes);
	h.generation = ds->generation + 1;
	err = ds->doubt ? clear_area(d, at) : 0;
	if (!err)
		err = sl_write_all(d->fd, data + head, n - head, at + head, deadline);
	if (!err)
		err = sl_fsync(d->fd, true, SL_FAULT(SYNC_CACHE_JOURNAL_NEW), SL_NEVER);
	if (err)
		return err;
	ds->doubt = true;
	err = write_journal_header(d->fd, at, &h);
	if (!err)
		err = sl_fsync(d->fd, true, SL_FAULT(SYNC_CACHE_JOURNAL_FLIP), SL_NEVER);
	if (err)
		return err;
	ds->doubt = false;
	/* Should the new header be lost, the old one must not pass for it. */
	if (ds->area >= 0)
		write_zeros(d->fd, journal_at(&d->layout, j->shard->id, ds->area), head);
	ds->area = area;
	ds->generation = h.generation;
	sit_down(j);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------- */

const struct medium medium_device = {
	.open = device_open,
	.close = device_close,
	.shard_open = device_shard_open,
	.shard_close = device_shard_close,
	.list = device_list,
	.empty = device_empty,
	.make = device_make,
	.find = device_find,
	.remove = device_remove,
	.open_direct = device_open_direct,
	.journal_open = device_journal_open,
	.journal_replace = device_journal_replace,
};
