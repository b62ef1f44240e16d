/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record batches of arbitrary bytes: judged, and read under every codec. The first byte says
 * whether a good header is put before the rest, so that the fuzzer gets to the records.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/bytes.h>

#include "stores/topics/topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_records(const uint8_t *p, size_t len, bool times)
{
	struct sl_records *records;
	struct sl_record r;
	uint64_t touched = 0;
	int rc, n = 0;

	if (sl_records_open(p, len, 1 << 16, &records))
		return;
	while ((rc = (times ? sl_records_next_time : sl_records_next)(records, &r)) == 1) {
		struct sl_record_header h;

		for (size_t i = 0; !times && i < r.key_bytes; i++)
			touched += r.key[i];
		for (size_t i = 0; !times && i < r.value_bytes; i++)
			touched += r.value[i];
		while (!times && sl_record_header_next(&r, &h) == 1)
			touched += h.key_bytes + h.value_bytes;
		if (++n == 10000)
			break;
	}
	SL_ASSERT(touched < UINT64_MAX);
	SL_ASSERT(rc == 1 || rc == 0 || rc == -EBADMSG || rc == -E2BIG || rc == -ENOMEM);
	sl_records_close(records);
}

/* A header that fits, over the bytes at @p. */
static void make_header(uint8_t *p, size_t len, uint8_t choice)
{
	struct sl_batch b = {
		.length = (int32_t)(len - SL_BATCH_LENGTH_ABOVE),
		.magic = 2,
		.attributes = choice >> 2 & 7,
		.last_delta = choice >> 5,
		.producer_id = -1,
		.records = (choice >> 5) + 1,
	};

	sl_batch_store(p, &b);
	b.crc = sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES);
	sl_batch_store(p, &b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t header, len;
	struct sl_batch b;
	uint8_t *p;

	if (size < 1)
		return 0;
	header = data[0] & 1 ? SL_BATCH_HEADER_BYTES : 0;
	len = header + size - 1;
	p = malloc(len ? len : 1);
	if (!p)
		abort();
	memcpy(p + header, data + 1, size - 1);
	if (header)
		make_header(p, len, data[0]);
	if (sl_batch_check(p, len, &b) == SL_BATCH_FINE) {
		sl_batch_set_append_time(p, 12345);
		sl_batch_load(p, &b);
		SL_ASSERT(b.crc ==
			  sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES));
	}
	read_records(p, len, data[0] & 2);
	free(p);
	return 0;
}
