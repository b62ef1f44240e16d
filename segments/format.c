/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How segments lie on disk: encoding and decoding of the header, the slots and the footer, and
 * the names of files (docs/format.md).
 *
 * Interface: the first part of segments_pvt.h. Invariants: what decodes has the right magic, a
 * version that this code may read, and the right sum; nothing of a structure is looked at before
 * its sum was. A slot's sum is seeded with the segment's salt, so that one of another incarnation
 * of the file never passes.
 *
 * Order of parts: structures; header; slots; the first block; footer; names.
 */
#include <stdio.h>
#include <xxhash.h>

#include "segments_pvt.h"

/* ---- structures ------------------------------------------------------------------------- */

#define MAGIC_HEADER UINT64_C(0x31474553454c5553) /* "SULESEG1" */
#define MAGIC_FOOTER UINT64_C(0x31544f46454c5553) /* "SULEFOT1" */

struct disk_header {
	uint64_t magic;
	uint32_t version, version_min;
	uint16_t kind, reserved0;
	uint32_t data;
	uint64_t base;
	uint64_t salt;
	int64_t created_ms;
	uint8_t reserved[456];
	uint64_t sum;
};

static_assert(sizeof(struct disk_header) == SEG_SECTOR, "a header is a sector");
static_assert(offsetof(struct disk_header, base) == 24, "format");
static_assert(offsetof(struct disk_header, sum) == 504, "format");

struct disk_slot {
	uint64_t seq;
	uint64_t pos;
	uint64_t off;
	int64_t time_max;
	uint64_t time_base;
	int64_t log_time_max;
	uint64_t log_time_base;
	uint64_t start;
	uint32_t epoch, flags;
	uint64_t count;
	uint8_t reserved[424];
	uint64_t sum;
};

enum { SLOT_CLEAN = 1 };

static_assert(sizeof(struct disk_slot) == SEG_SECTOR, "a slot is a sector");
static_assert(offsetof(struct disk_slot, start) == 56, "format");
static_assert(offsetof(struct disk_slot, sum) == 504, "format");

struct disk_footer {
	uint64_t magic;
	uint32_t version, version_min;
	uint64_t salt;
	uint16_t kind, reserved0;
	uint32_t epoch;
	uint64_t base;
	uint64_t next;
	uint64_t bytes;
	uint64_t count;
	int64_t time_max;
	uint64_t time_base;
	uint8_t reserved[40];
	uint64_t sum;
};

static_assert(sizeof(struct disk_footer) == SEG_FOOTER, "format");
static_assert(offsetof(struct disk_footer, base) == 32, "format");
static_assert(offsetof(struct disk_footer, sum) == 120, "format");

/* Every sum is the last eight bytes and covers what lies before it. */
static uint64_t sum_of(const void *p, size_t len, uint64_t salt)
{
	return XXH3_64bits_withSeed(p, len - sizeof(uint64_t), salt);
}

/* ---- header ----------------------------------------------------------------------------- */

void seg_header_encode(const struct seg_header *h, uint8_t sector[SEG_SECTOR])
{
	struct disk_header d = {
		.magic = MAGIC_HEADER,
		.version = SEG_VERSION,
		.version_min = SEG_VERSION,
		.kind = h->kind,
		.data = SEG_DATA,
		.base = h->base,
		.salt = h->salt,
		.created_ms = h->created_ms,
	};

	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(sector, &d, sizeof(d));
}

int seg_header_decode(const uint8_t sector[SEG_SECTOR], struct seg_header *ret_header)
{
	struct disk_header d;

	memcpy(&d, sector, sizeof(d));
	if (d.magic != MAGIC_HEADER || d.sum != sum_of(&d, sizeof(d), 0))
		return -EBADMSG;
	if (d.version_min > SEG_VERSION)
		return -EPROTONOSUPPORT;
	if (d.data != SEG_DATA)
		return -EBADMSG;
	*ret_header = (struct seg_header){
		.kind = d.kind,
		.base = d.base,
		.salt = d.salt,
		.created_ms = d.created_ms,
	};
	return 0;
}

/* ---- slots ------------------------------------------------------------------------------ */

void seg_slot_encode(const struct seg_slot *s, uint64_t salt, uint8_t sector[SEG_SECTOR])
{
	struct disk_slot d = {
		.seq = s->seq,
		.pos = s->mark.pos,
		.off = s->mark.off,
		.time_max = s->mark.time_max,
		.time_base = s->mark.time_base,
		.log_time_max = s->mark.log_time_max,
		.log_time_base = s->mark.log_time_base,
		.start = s->start,
		.epoch = s->mark.epoch,
		.flags = s->clean ? SLOT_CLEAN : 0,
		.count = s->mark.count,
	};

	SL_ASSERT(s->seq > 0 && s->mark.pos >= SEG_DATA);
	d.sum = sum_of(&d, sizeof(d), salt);
	memcpy(sector, &d, sizeof(d));
}

int seg_slot_decode(const uint8_t sector[SEG_SECTOR], uint64_t salt, struct seg_slot *ret_slot)
{
	struct disk_slot d;

	memcpy(&d, sector, sizeof(d));
	if (d.sum != sum_of(&d, sizeof(d), salt) || !d.seq || d.pos < SEG_DATA ||
	    d.pos > UINT32_MAX || d.off > INT64_MAX)
		return -EBADMSG;
	*ret_slot = (struct seg_slot){
		.seq = d.seq,
		.mark = {
			.pos = d.pos,
			.off = d.off,
			.time_max = d.time_max,
			.time_base = d.time_base,
			.log_time_max = d.log_time_max,
			.log_time_base = d.log_time_base,
			.count = d.count,
			.epoch = d.epoch,
		},
		.start = d.start,
		.clean = d.flags & SLOT_CLEAN,
	};
	return 0;
}

/* ---- the first block -------------------------------------------------------------------- */

void seg_block_encode(const struct seg_header *h, const struct seg_slot *s,
		      uint8_t block[SEG_DATA])
{
	memset(block, 0, SEG_DATA);
	seg_header_encode(h, block);
	seg_header_encode(h, block + SEG_COPY);
	seg_slot_encode(s, h->salt, block + seg_slot_at(s->seq));
}

/* The sum does not save us from a writer's mistake or a forger: the mark must make sense here. */
static bool slot_fits(const struct seg_slot *s, const struct seg_header *h)
{
	const struct mark *m = &s->mark;

	return m->off >= h->base && m->off - h->base <= UINT32_MAX &&
	       (m->off > h->base || m->pos == SEG_DATA);
}

int seg_block_decode(const uint8_t block[SEG_DATA], struct seg_header *ret_header,
		     struct seg_slot *ret_slot)
{
	struct seg_slot best = {0};
	struct seg_header h;
	int err = seg_header_decode(block, &h);

	if (err == -EBADMSG)
		err = seg_header_decode(block + SEG_COPY, &h);
	if (err)
		return err;
	for (uint64_t i = 0; i < 2; i++) {
		struct seg_slot s;

		if (seg_slot_decode(block + seg_slot_at(i), h.salt, &s))
			continue;
		if ((s.seq & 1) == i && slot_fits(&s, &h) && s.seq > best.seq)
			best = s;
	}
	*ret_header = h;
	*ret_slot = best;
	return 0;
}

/* ---- footer ----------------------------------------------------------------------------- */

void seg_footer_encode(const struct seg_footer *f, uint8_t raw[SEG_FOOTER])
{
	struct disk_footer d = {
		.magic = MAGIC_FOOTER,
		.version = SEG_VERSION,
		.version_min = SEG_VERSION,
		.salt = f->salt,
		.kind = f->kind,
		.epoch = f->epoch,
		.base = f->base,
		.next = f->next,
		.bytes = f->bytes,
		.count = f->count,
		.time_max = f->time_max,
		.time_base = f->time_base,
	};

	SL_ASSERT(f->next > f->base && f->bytes > SEG_DATA);
	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(raw, &d, sizeof(d));
}

int seg_footer_decode(const uint8_t raw[SEG_FOOTER], struct seg_footer *ret_footer)
{
	struct disk_footer d;

	memcpy(&d, raw, sizeof(d));
	if (d.magic != MAGIC_FOOTER || d.sum != sum_of(&d, sizeof(d), 0))
		return -EBADMSG;
	if (d.version_min > SEG_VERSION)
		return -EPROTONOSUPPORT;
	if (d.next <= d.base || d.next - d.base > UINT32_MAX || d.bytes <= SEG_DATA ||
	    d.bytes > UINT32_MAX)
		return -EBADMSG;
	*ret_footer = (struct seg_footer){
		.kind = d.kind,
		.epoch = d.epoch,
		.salt = d.salt,
		.base = d.base,
		.next = d.next,
		.bytes = d.bytes,
		.count = d.count,
		.time_max = d.time_max,
		.time_base = d.time_base,
	};
	return 0;
}

/* ---- names ------------------------------------------------------------------------------ */

static const char *const suffixes[] = {[SEG_LOG] = ".log", [SEG_INDEX] = ".idx"};

enum { NAME_DIGITS = 20 };

void seg_name(char name[SEG_NAME], uint64_t base, enum seg_suffix suffix)
{
	snprintf(name, SEG_NAME, "%020llu%s", (unsigned long long)base, suffixes[suffix]);
}

bool seg_name_parse(const char *name, uint64_t *ret_base, enum seg_suffix *ret_suffix)
{
	uint64_t base = 0;

	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		if (__builtin_mul_overflow(base, 10, &base) ||
		    __builtin_add_overflow(base, (uint64_t)(name[i] - '0'), &base))
			return false;
	}
	for (int i = SEG_LOG; i <= SEG_INDEX; i++)
		if (!strcmp(name + NAME_DIGITS, suffixes[i])) {
			*ret_base = base;
			*ret_suffix = (enum seg_suffix)i;
			return true;
		}
	return false;
}
