/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primitives of the Kafka protocol that are too long or too rare to be inline.
 *
 * Interface: wire.h. Invariants: a cursor never passes its end; after an error a cursor is empty
 * and an output is not written to any more. Order: varints, tagged fields, records.
 */
#include "wire.h"

#include <sluice/assert.h>

/* A varint of up to @bits bits: seven a byte, low first, the top bit set on all but the last. */
uint64_t kafka_get_varint_slow(struct kafka_in *in, unsigned bits)
{
	const uint8_t *p = in->p;
	uint64_t v = 0;

	SL_ASSERT(bits == 32 || bits == 64);
	for (unsigned shift = 0; shift < bits; shift += 7) {
		if (p == in->end) {
			kafka_in_fail(in, -ENODATA);
			return 0;
		}
		v |= (uint64_t)(*p & 0x7f) << shift;
		/* Bits beyond the width would be lost: the peer means another number. */
		if (shift + 7 > bits && (*p & 0x7f) >> (bits - shift))
			break;
		if (!(*p++ & 0x80)) {
			in->p = p;
			return v;
		}
	}
	kafka_in_fail(in, -EBADMSG);
	return 0;
}

void kafka_put_uvarlong(struct kafka_out *out, uint64_t v)
{
	uint8_t *p = kafka_put_room(out, kafka_uvarint_bytes(v));

	if (!p)
		return;
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	SL_ASSERT(p == out->p + out->len);
}

uint32_t kafka_get_tag(struct kafka_in *in, struct kafka_in *ret_field)
{
	uint32_t tag = kafka_get_uvarint(in);
	uint32_t n = kafka_get_uvarint(in);
	const uint8_t *p = kafka_get_raw(in, n);

	kafka_in_init(ret_field, p ? p : in->p, p ? n : 0);
	SL_ASSERT(ret_field->end <= in->end);
	return tag;
}

void kafka_skip_tags(struct kafka_in *in)
{
	struct kafka_in field;

	/* Each round takes two bytes or fails, so a lying count ends with the input. */
	for (uint32_t n = kafka_get_uvarint(in); n && !in->err; n--)
		kafka_get_tag(in, &field);
}

void kafka_put_records(struct kafka_out *out, struct kafka_records r, bool flexible)
{
	kafka_put_len(out, r.n, flexible);
	if (r.n <= 0 || out->err)
		return;
	if (r.p) {
		kafka_put_raw(out, r.p, (size_t)r.n);
		return;
	}
	if (out->p) {
		if (out->splits_n == out->splits_cap) {
			kafka_out_fail(out, -ENOBUFS);
			return;
		}
		out->splits[out->splits_n] =
			(struct kafka_split){.at = out->len, .cookie = r.cookie, .n = r.n};
	}
	out->splits_n++;
	out->split_bytes += (uint64_t)r.n;
}
