/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptions of topics and snapshots of producers of arbitrary bytes: refused, or read and then
 * written and read again to the same. The first byte chooses which, and whether the frame is
 * mended, so that the fuzzer gets behind the checksum.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "stores/topics/producers_pvt.h"
#include "stores/topics/topic_meta_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *p, size_t len, const char *magic)
{
	if (len < BLOB_HEADER_BYTES + BLOB_SUM_BYTES)
		return;
	memcpy(p, magic, BLOB_MAGIC_BYTES);
	sl_store_le16(p + 10, 1);
	sl_store_le32(p + 12, (uint32_t)len);
	sl_store_le64(p + len - BLOB_SUM_BYTES, XXH3_64bits(p, len - BLOB_SUM_BYTES));
}

static void read_topic(const uint8_t *p, size_t len)
{
	struct sl_topic topic, back;
	struct blob_out b = {0};
	int rc;

	if (topic_meta_decode(p, len, &topic))
		return;
	rc = topic_meta_encode(&topic, &b);
	SL_ASSERT(rc == 0);
	rc = topic_meta_decode(b.p, b.len, &back);
	SL_ASSERT(rc == 0);
	SL_ASSERT(memcmp(&topic, &back, sizeof(topic)) == 0);
	blob_done(&b);
}

static void read_producers(const uint8_t *p, size_t len)
{
	struct producers ps, back;
	struct blob_out b = {0};
	uint64_t offset, again;
	int rc;

	producers_init(&ps);
	producers_init(&back);
	if (producers_decode(&ps, p, len, &offset) == 0) {
		rc = producers_encode(&ps, offset, &b);
		SL_ASSERT(rc == 0);
		rc = producers_decode(&back, b.p, b.len, &again);
		SL_ASSERT(rc == 0);
		SL_ASSERT(again == offset && back.n == ps.n);
	}
	blob_done(&b);
	producers_done(&ps);
	producers_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p;

	if (size < 1)
		return 0;
	p = malloc(size);
	if (!p)
		abort();
	memcpy(p, data + 1, size - 1);
	if (data[0] & 2)
		mend(p, size - 1, data[0] & 1 ? "SLPRODS" : "SLTOPIC");
	if (data[0] & 1)
		read_producers(p, size - 1);
	else
		read_topic(p, size - 1);
	free(p);
	return 0;
}
