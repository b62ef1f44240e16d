/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache on a device: a block device, or a plain file made for it, without a file system of ours.
 *
 * Interface: medium_device, whose rows cache_pvt.h explains; the figures that a shard asks for. How
 * a device is divided, and how it is prepared, is in device_format.c: into a part for each shard,
 * and that into slots, which hold what a folder's files would, and two areas for the journal, which
 * is written anew into the one that it is not in.
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
 * Order of parts: the device; figures; slots; shards; segments; journals; the table.
 */
#include <fcntl.h>

#include "device_pvt.h"

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
	int64_t bytes = device_size(d->fd);
	bool first;
	int err = bytes < 0 ? (int)bytes
			    : device_find_layout(d->fd, (uint64_t)bytes, &d->layout, &first);

	/* Not one of ours, as far as can be seen. */
	if (err == -EBADMSG || err == -ENODATA)
		return -EMEDIUMTYPE;
	if (!err && d->layout.bytes > (uint64_t)bytes)
		return -ERANGE;
	return err || first ? err : device_write_layout(d->fd, &d->layout, 0);
}

static int device_open(struct cache *c, int64_t deadline)
{
	struct device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->refs = 1;
	d->fd = device_open_alone(c->conf.dir, c->path, c->conf.exclusive, deadline);
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

/* ---- figures ---------------------------------------------------------------------------- */

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
		.base = device_slot_at(&d->layout, s->id, slot),
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
		return device_write_zeros(seat->fd, seat->base, data_at);
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
				      device_journal_at(&d->layout, s->id, area), SL_NEVER);

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
	int err = sl_read_all(d->fd, block, sizeof(block), device_slot_at(&d->layout, s->id, slot),
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
		err = device_write_zeros(d->fd, device_slot_at(&d->layout, s->id, i),
					 SEG_HEADER_BYTES);
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
	int err = device_write_zeros(g->seat.fd, g->seat.base, SEG_HEADER_BYTES);

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
		.base = device_journal_at(&d->layout, j->shard->id, ds->area),
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
	int err = device_write_zeros(d->fd, at, 2 * JOURNAL_HEADER_BYTES);

	return err ? err : sl_fsync(d->fd, true, SL_FAULT(SYNC_CACHE_JOURNAL_NEW), SL_NEVER);
}

static int device_journal_replace(struct journal *j, const uint8_t *data, size_t n,
				  int64_t deadline)
{
	const size_t head = 2 * JOURNAL_HEADER_BYTES;
	const struct device *d = j->shard->c->device;
	struct device_shard *ds = of(j->shard);
	int area = ds->area == 0 ? 1 : 0;
	uint64_t at = device_journal_at(&d->layout, j->shard->id, area);
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
	err = device_write_journal_header(d->fd, at, &h);
	if (!err)
		err = sl_fsync(d->fd, true, SL_FAULT(SYNC_CACHE_JOURNAL_FLIP), SL_NEVER);
	if (err)
		return err;
	ds->doubt = false;
	/* Should the new header be lost, the old one must not pass for it. */
	if (ds->area >= 0)
		device_write_zeros(d->fd, device_journal_at(&d->layout, j->shard->id, ds->area),
				   head);
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
