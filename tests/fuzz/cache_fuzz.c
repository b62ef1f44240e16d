/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as what lies before a cached object, as a record of a segment's index and as one of a
 * shard's journal, with a right sum: what is accepted has lengths that fit each other and the
 * input, and is encoded to the same fields again.
 */
#include <xxhash.h>

#include "stores/cache/cache_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SALT = 7, NUMBER = 3 };

/* The sum is the last eight bytes of @n. */
static void fix_sum(uint8_t *p, size_t n, uint64_t seed)
{
	uint64_t sum = XXH3_64bits_withSeed(p, n - sizeof(sum), seed);

	memcpy(p + n - sizeof(sum), &sum, sizeof(sum));
}

static void try_head(const uint8_t *data, size_t size)
{
	static const uint64_t magic = UINT64_C(0x314f4343454c5553);
	static uint8_t text[HEAD_TEXT_MAX];
	uint8_t raw[HEAD_BYTES] = {0}, out[HEAD_BYTES];
	struct head h, again;

	memcpy(raw, data, sl_min(size, sizeof(raw)));
	memcpy(raw, &magic, sizeof(magic));
	fix_sum(raw, sizeof(raw), SALT);
	if (head_decode(raw, SALT, &h))
		return;
	SL_ASSERT(head_text_n(&h) <= HEAD_TEXT_MAX);
	SL_ASSERT(h.body_at >= HEAD_BYTES + head_text_n(&h));
	SL_ASSERT(head_total(&h) >= h.body_at + h.bytes);
	SL_ASSERT(!h.sums_at == (h.bytes <= BODY_BLOCK_BYTES));
	head_encode(&h, SALT, text, out);
	SL_ASSERT(!head_decode(out, SALT, &again) && !memcmp(&h, &again, sizeof(h)));
	SL_ASSERT(!head_text_check(out, SALT, text));
}

static void try_record(const uint8_t *data, size_t size)
{
	uint8_t raw[RECORD_BYTES] = {0}, out[RECORD_BYTES];
	struct record r, again;

	memcpy(raw, data, sl_min(size, sizeof(raw)));
	fix_sum(raw, sizeof(raw), SALT + NUMBER);
	if (record_decode(raw, SALT, NUMBER, &r))
		return;
	SL_ASSERT(r.blocks && r.version <= CACHE_VERSION_MAX);
	record_encode(&r, SALT, NUMBER, out);
	SL_ASSERT(!record_decode(out, SALT, NUMBER, &again) && !memcmp(&r, &again, sizeof(r)));
}

static void try_journal(const uint8_t *data, size_t size)
{
	struct journal_record r, again;
	uint8_t out[16 << 10];

	if (journal_record_decode(data, size, SALT, &r))
		return;
	SL_ASSERT(journal_record_bytes(r.n) <= size);
	journal_record_encode(&r, SALT, data + JOURNAL_TEXT_AT, out);
	SL_ASSERT(!journal_record_decode(out, sizeof(out), SALT, &again));
	SL_ASSERT(!memcmp(&r, &again, sizeof(r)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_record r = {.type = JOURNAL_TAG, .number = 1};
	uint8_t raw[16 << 10];

	try_head(data, size);
	try_record(data, size);
	try_journal(data, size);
	/* A whole one with the input as its text, cut short. */
	r.n = (uint32_t)sl_min(size, (size_t)CACHE_KEY_BYTES_MAX);
	journal_record_encode(&r, SALT, data, raw);
	try_journal(raw, sizeof(raw));
	SL_ASSERT(journal_record_decode(raw, journal_record_bytes(r.n) - 1, SALT, &r) == -EBADMSG);
	return 0;
}
