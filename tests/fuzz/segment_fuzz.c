/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a log whose last segment is what the input makes of a good one, on a simulated disk, and
 * uses it in every way: inspect, read, find, walk, scrub, append, close, open again. Nothing may
 * crash, hang, or be given out in disorder; what was appended to it must be there afterwards.
 *
 * The input: a byte of flags; then, with RAW, the bytes from the first batch on; else edits of
 * three bytes each (position, and what to change there). So that the fuzzer gets behind the
 * checksums, the flags say which of them are made right afterwards.
 */
#include <fcntl.h>
#include <xxhash.h>

#include "segments/kit.h"
#include "segments/segments_pvt.h"

enum {
	FIX_HEADER = 1,
	FIX_SLOTS = 2,
	FIX_BATCHES = 4,
	FIX_FOOTER = 8,
	RAW = 16,
	SEALED = 32,
	CUT = 64, /* the first edit's position is where the file ends */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- good segments ------------------------------------------------------------------------ */

enum { BATCHES = 12, BYTES = 130, IMAGE_MAX = SEG_DATA + (1 << 14) };

struct image {
	uint8_t data[IMAGE_MAX];
	size_t size;
};

/* [0]: of a log in use; [1]: sealed. Made once, never changed. */
static struct image images[2];

static int make(struct kit *k)
{
	struct image *im = &images[k->conf.segment_bytes != 0];
	int fd;

	SL_ASSERT(!kit_create(k));
	SL_ASSERT(!kit_fill(k, 0, BATCHES + 1, BYTES));
	fd = sl_open(k->dir, kit_path(0, ".log"), O_RDONLY, 0, SL_NEVER);
	im->size = (size_t)sl_read_some(fd, im->data, IMAGE_MAX, 0, SL_NEVER);
	sl_close(fd);
	return kit_close(k);
}

static void make_images(void)
{
	for (int i = 0; i < 2 && !images[i].size; i++) {
		struct kit k = {.sim = sl_sim_new(1, NULL), .conf.index_interval_bytes = 256};

		k.conf.segment_bytes = i ? SEG_DATA + BATCHES * BYTES : 0;
		SL_ASSERT(!kit_run_plain(&k, make));
		sl_sim_free(k.sim);
	}
}

/* ---- making checksums right --------------------------------------------------------------- */

static uint64_t salt_of(const struct image *im)
{
	return sl_load_le64(im->data + 32);
}

static void fix_header(struct image *im)
{
	sl_store_le64(im->data + 504, XXH3_64bits_withSeed(im->data, 504, 0));
}

static void fix_slots(struct image *im)
{
	for (uint64_t i = 0; i < 2; i++) {
		uint8_t *slot = im->data + seg_slot_at(i);

		sl_store_le64(slot + 504, XXH3_64bits_withSeed(slot, 504, salt_of(im)));
	}
}

static void fix_batches(struct image *im)
{
	for (size_t at = SEG_DATA; at + KIT_HEADER <= im->size;) {
		uint8_t *p = im->data + at;
		struct sl_frame f;

		if (kit_kind.frame(p, &f) || f.bytes > im->size - at)
			break;
		sl_store_le32(p + 20, kit_kind.sum(0, p + KIT_SUM_FROM, f.bytes - KIT_SUM_FROM));
		at += f.bytes;
	}
}

static void fix_footer(struct image *im)
{
	uint8_t *foot = im->data + im->size - SEG_FOOTER;

	if (im->size >= SEG_DATA + SEG_FOOTER)
		sl_store_le64(foot + 120, XXH3_64bits_withSeed(foot, 120, 0));
}

static void edit(struct image *im, const uint8_t *data, size_t size, bool cut)
{
	for (size_t i = 0; i + 3 <= size; i += 3) {
		size_t at = sl_load_le16(data + i) % im->size;

		if (cut && !i)
			im->size = sl_max(at, (size_t)1);
		else
			im->data[at] ^= data[i + 2];
	}
}

static void build(struct image *im, const uint8_t *data, size_t size)
{
	int flags = data[0];

	*im = images[flags & SEALED ? 1 : 0];
	if (flags & RAW) {
		im->size = SEG_DATA + sl_min(size - 1, (size_t)(IMAGE_MAX - SEG_DATA));
		memcpy(im->data + SEG_DATA, data + 1, im->size - SEG_DATA);
	} else {
		edit(im, data + 1, size - 1, flags & CUT);
	}
	if (flags & FIX_HEADER)
		fix_header(im);
	if (flags & FIX_SLOTS)
		fix_slots(im);
	if (flags & FIX_BATCHES)
		fix_batches(im);
	if (flags & FIX_FOOTER)
		fix_footer(im);
}

/* ---- using what came of it ---------------------------------------------------------------- */

static int each(void *arg, const uint8_t *header, const struct sl_frame *frame)
{
	uint64_t *next = arg;

	SL_ASSERT(frame->base >= *next);
	*next = frame->base + frame->records;
	return 0;
}

static void read_all(struct kit *k)
{
	uint64_t at = sl_log_start(k->log), end = sl_log_durable(k->log);
	int reads = 0;

	while (at < end && reads++ < 200) {
		struct sl_span span;
		int r = sl_log_read(k->log, at, 1000, NULL, &span, 1, SL_NEVER);

		if (r == -EBADMSG) {
			at++;
			continue;
		}
		SL_ASSERT(r == 1);
		SL_ASSERT(span.base <= at && span.next > at && span.next <= end);
		at = span.next;
		sl_file_release(span.extent.file);
	}
}

static int use(struct kit *k)
{
	struct kit_batch b = {7, 1, 100, 5};
	uint64_t base = 0, next = 0;
	struct sl_segment_info info;
	struct sl_frame f;

	sl_segment_inspect(k->dir, kit_path(0, ".log"), &kit_kind, NULL, NULL, &info);
	if (kit_open(k))
		return 0;
	read_all(k);
	sl_log_find_time(k->log, 1000, &f, SL_NEVER);
	SL_ASSERT(sl_log_each(k->log, 0, each, &next, SL_NEVER) <= 0);
	SL_ASSERT(sl_log_scrub(k->log, SL_NEVER) >= 0);
	read_all(k);
	if (sl_log_end(k->log) < INT64_MAX / 2 && !kit_append(k, &b, &base)) {
		uint32_t id = 0;

		SL_ASSERT(kit_read(k, base, 1, &id, 1, NULL) == 1 && id == 7);
		SL_ASSERT(!kit_close(k));
		SL_ASSERT(!kit_open(k));
		SL_ASSERT(sl_log_end(k->log) == base + 1);
		SL_ASSERT(kit_read(k, base, 1, &id, 1, NULL) == 1 && id == 7);
	}
	kit_close(k);
	return 0;
}

struct job {
	struct kit k; /* first */
	struct image image;
};

static int store_and_use(struct kit *k)
{
	struct image *im = &((struct job *)k)->image;
	int fd;

	SL_ASSERT(!sl_mkdir(k->dir, "log", 0700, SL_NEVER));
	fd = sl_open(k->dir, kit_path(0, ".log"), O_RDWR | O_CREAT, 0600, SL_NEVER);
	SL_ASSERT(fd >= 0);
	SL_ASSERT(!sl_write_all(fd, im->data, im->size, 0, SL_NEVER));
	sl_close(fd);
	return use(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct job *j;

	if (size < 1)
		return 0;
	make_images();
	j = calloc(1, sizeof(*j));
	SL_ASSERT(j);
	build(&j->image, data, size);
	j->k.conf.index_interval_bytes = 256;
	j->k.sim = sl_sim_new(1, NULL);
	kit_run_plain(&j->k, store_and_use);
	sl_sim_free(j->k.sim);
	free(j);
	return 0;
}
