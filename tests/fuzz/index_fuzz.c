/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as a sealed segment's index, and as the list of quarantined ranges, with and without a
 * right sum: whatever they say, every record is found, or refused as quarantined, and nothing
 * crashes.
 */
#include <fcntl.h>
#include <xxhash.h>

#include "segments/kit.h"
#include "segments/segments_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS = 30, BYTES = 120 };

struct job {
	struct kit k; /* first */
	const uint8_t *data;
	size_t size;
};

static int make(struct kit *k)
{
	SL_ASSERT(!kit_create(k));
	SL_ASSERT(!kit_fill(k, 0, RECORDS, BYTES));
	return kit_close(k);
}

static void replace(struct kit *k, const char *path, const uint8_t *data, size_t size)
{
	SL_ASSERT(!sl_write_file(k->dir, path, data, size, SL_FAULT(NONE), SL_FAULT(NONE),
				 SL_NEVER));
}

static void put_index(struct kit *k, const uint8_t *data, size_t size, bool fix)
{
	uint8_t raw[1024] = {0}, block[SEG_DATA];
	struct index_entry *e;
	struct index_file f;
	struct seg_header h;
	struct seg_slot s;
	size_t len = sl_min(size, sizeof(raw));
	int fd;

	memcpy(raw, data, len);
	if (fix) {
		/* The entries as they are, under a header that fits the segment. */
		uint32_t n = (uint32_t)(sl_max(len, (size_t)INDEX_HEADER) - INDEX_HEADER) /
			     INDEX_ENTRY;

		fd = sl_open(k->dir, kit_path(0, ".log"), O_RDONLY, 0, SL_NEVER);
		SL_ASSERT(!sl_read_all(fd, block, sizeof(block), 0, SL_NEVER));
		sl_close(fd);
		SL_ASSERT(!seg_block_decode(block, &h, &s));
		f = (struct index_file){.salt = h.salt, .base = 0,
					.covered = {.pos = SEG_DATA + 10 * BYTES, .off = 10}};
		e = malloc(n * INDEX_ENTRY + 1);
		SL_ASSERT(e);
		memcpy(e, raw + INDEX_HEADER, n * INDEX_ENTRY);
		index_encode(&f, e, n, raw);
		free(e);
		len = INDEX_HEADER + n * INDEX_ENTRY;
	}
	replace(k, kit_path(0, ".idx"), raw, len);
}

static void put_quarantine(struct kit *k, const uint8_t *data, size_t size, bool fix)
{
	uint8_t raw[1024] = {0};
	size_t len = sl_min(size, sizeof(raw));

	memcpy(raw, data, len);
	if (fix && len >= BAD_HEADER) {
		uint32_t n = (uint32_t)(len - BAD_HEADER) / BAD_ENTRY;

		sl_store_le64(raw, UINT64_C(0x31444142454c5553));
		sl_store_le32(raw + 12, 1);
		sl_store_le32(raw + 16, n);
		len = BAD_HEADER + n * BAD_ENTRY;
		sl_store_le64(raw + 32, XXH3_64bits_withSeed(raw + BAD_HEADER, n * BAD_ENTRY,
							     XXH3_64bits(raw, 32)));
	}
	replace(k, "log/" BAD_FILE, raw, len);
}

static int use(struct kit *k)
{
	struct job *j = (struct job *)k;
	bool list = j->data[0] & 2;

	(list ? put_quarantine : put_index)(k, j->data + 1, j->size - 1, j->data[0] & 1);
	if (kit_open(k))
		return 0;
	SL_ASSERT(sl_log_end(k->log) == RECORDS);
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct sl_span span;
		int r = sl_log_read(k->log, i, 1, NULL, &span, 1, SL_NEVER);

		SL_ASSERT(r == 1 || r == -EBADMSG);
		if (r == 1)
			sl_file_release(span.extent.file);
	}
	SL_ASSERT(sl_log_scrub(k->log, SL_NEVER) >= 0);
	SL_ASSERT(!kit_fill(k, 90, 1, BYTES));
	kit_close(k);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sl_sim *made;
	struct job j = {.k.conf = {.segment_bytes = SEG_DATA + 10 * BYTES,
				   .index_interval_bytes = 256},
			.data = data, .size = size};

	if (size < 1)
		return 0;
	if (!made) {
		made = sl_sim_new(1, NULL);
		j.k.sim = made;
		SL_ASSERT(!kit_run_plain(&j.k, make));
	}
	j.k.sim = sl_sim_clone(made);
	kit_run_plain(&j.k, use);
	sl_sim_free(j.k.sim);
	return 0;
}
