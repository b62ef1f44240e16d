// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of the Kafka protocol from arbitrary bytes.
 *
 * First byte: API; second: version and direction, or a whole request with its header. What decodes
 * is encoded, decoded and encoded again: both messages and both encodings must be equal, and as
 * long as was promised.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>

#include "proto/kafka/messages.h"
#include "tests/proto/kafka/random_msg.h"

#define HEAP_BYTES_MAX (16u << 20)
#define MSG_BYTES_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *encode(const struct kafka_schema *schema, int version, const void *msg,
		       struct kafka_sizes *ret_sizes)
{
	struct kafka_out out;
	uint8_t *p;

	SL_ASSERT(kafka_size(schema, version, msg, ret_sizes) == 0);
	SL_ASSERT(ret_sizes->splits == 0);
	p = malloc(ret_sizes->mem_bytes + 1);
	SL_ASSERT(p);
	kafka_out_init(&out, p, ret_sizes->mem_bytes);
	SL_ASSERT(kafka_encode(schema, version, msg, &out) == 0);
	SL_ASSERT(out.len == ret_sizes->mem_bytes);
	return p;
}

static void check_message(const struct kafka_schema *schema, int version, const uint8_t *p,
			  size_t n)
{
	_Alignas(16) char room[4096], first[MSG_BYTES_MAX], second[MSG_BYTES_MAX];
	struct kafka_sizes sizes, again_sizes;
	struct sl_bump mem;
	uint8_t *wire, *again;
	int err;

	SL_ASSERT(schema->size <= MSG_BYTES_MAX);
	sl_bump_init(&mem, room, sizeof(room), HEAP_BYTES_MAX);
	err = kafka_decode(schema, version, p, n, &mem, first);
	SL_ASSERT(mem.heap_bytes <= HEAP_BYTES_MAX);
	SL_ASSERT(!err || err == -EBADMSG || err == -ENOMEM || err == -EOPNOTSUPP);
	SL_ASSERT((err == -EOPNOTSUPP) == (version < schema->min || version > schema->max));
	if (!err) {
		wire = encode(schema, version, first, &sizes);
		/* The second decoding needs as much memory as the first: half the limit at most. */
		if (!kafka_decode(schema, version, wire, sizes.mem_bytes, &mem, second)) {
			SL_ASSERT(msg_equal(schema, first, second));
			again = encode(schema, version, second, &again_sizes);
			SL_ASSERT(sizes.wire_bytes == again_sizes.wire_bytes);
			SL_ASSERT(!memcmp(wire, again, sizes.mem_bytes));
			free(again);
		} else {
			SL_ASSERT(mem.heap_bytes > HEAP_BYTES_MAX / 4);
		}
		free(wire);
	}
	sl_bump_done(&mem);
}

static void check_request(const uint8_t *p, size_t n)
{
	struct kafka_request_header head;
	const struct kafka_api_info *info;
	struct kafka_in in;

	kafka_in_init(&in, p, n);
	if (kafka_request_header_decode(&in, &head))
		return;
	SL_ASSERT(in.p <= p + n);
	info = kafka_api_find(head.api_key);
	if (info)
		check_message(info->request, head.api_version, in.p, kafka_in_left(&in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kafka_api_info *info;
	int version;

	if (size < 2)
		return 0;
	if (data[1] & 0x40) {
		check_request(data + 2, size - 2);
		return 0;
	}
	info = kafka_api_find(data[0] % KAFKA_API_LAST);
	version = data[1] & 0x1f;
	if (info)
		check_message(data[1] & 0x80 ? info->response : info->request, version, data + 2,
			      size - 2);
	return 0;
}
