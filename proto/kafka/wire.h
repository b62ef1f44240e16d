/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primitives of the Kafka protocol: bounds-checked readers and writers.
 *
 * Both directions keep a sticky error instead of one check a call: after the first failure every
 * further call does nothing and reads give zero, so a caller checks `in.err` or `out.err` once,
 * before it believes what it read or sends what it wrote.
 *
 * Integers are big-endian. "compact" is the form of flexible versions: lengths are unsigned
 * varints of n + 1, 0 meaning null. A string or a run of bytes that was read is a slice of the
 * input: it lives as long as the input does.
 *
 * Source of the formats: the protocol guide of Apache Kafka and KIP-482.
 */
#ifndef PROTO_KAFKA_WIRE_H
#define PROTO_KAFKA_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sluice/bytes.h>
#include <sluice/util.h>

/* Longest string that either encoding may carry, in bytes. */
#define KAFKA_STR_BYTES_MAX INT16_MAX

/* ---- values --------------------------------------------------------------------------------- */

/* UTF-8 text, not checked to be such, not terminated; n < 0 is null. A zeroed one is empty. */
struct kafka_str {
	const char *p;
	int32_t n;
};

struct kafka_bytes {
	const uint8_t *p;
	int32_t n;
};

/*
 * Record batches. n < 0 is null. With p NULL and n > 0 the bytes are elsewhere (in a segment):
 * the encoder writes the length only and notes a split with the cookie, see struct kafka_out.
 */
struct kafka_records {
	const uint8_t *p;
	int32_t n;
	uint64_t cookie;
};

struct kafka_uuid {
	uint8_t b[16];
};

#define KAFKA_STR(literal) ((struct kafka_str){.p = (literal), .n = sizeof(literal) - 1})
#define KAFKA_STR_NULL ((struct kafka_str){.n = -1})
#define KAFKA_BYTES_NULL ((struct kafka_bytes){.n = -1})
#define KAFKA_RECORDS_NULL ((struct kafka_records){.n = -1})

/* A slice of the terminated string @s (NULL gives null), which must outlive it. */
static inline struct kafka_str kafka_str_of(const char *s)
{
	return s ? (struct kafka_str){.p = s, .n = (int32_t)strlen(s)} : KAFKA_STR_NULL;
}

static inline bool kafka_str_is_null(struct kafka_str s)
{
	return s.n < 0;
}

/* Null equals null only. */
static inline bool kafka_str_eq(struct kafka_str a, struct kafka_str b)
{
	return (a.n < 0 && b.n < 0) || (a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, (size_t)a.n)));
}

static inline bool kafka_uuid_eq(struct kafka_uuid a, struct kafka_uuid b)
{
	return !memcmp(a.b, b.b, sizeof(a.b));
}

/* The all-zero id stands for "none" wherever the protocol has an id. */
static inline bool kafka_uuid_is_zero(struct kafka_uuid a)
{
	return kafka_uuid_eq(a, (struct kafka_uuid){{0}});
}

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * A cursor over [p, end). err is 0, -ENODATA (the input ended too early: a stream's reader waits
 * for more and starts again where it had got to) or -EBADMSG (malformed whatever follows).
 */
struct kafka_in {
	const uint8_t *p, *end;
	int err;
};

static inline void kafka_in_init(struct kafka_in *in, const void *p, size_t n)
{
	in->p = p;
	in->end = n ? in->p + n : in->p;
	in->err = 0;
}

static inline size_t kafka_in_left(const struct kafka_in *in)
{
	return (size_t)(in->end - in->p);
}

/* Notes the first error and empties the cursor, so that every later read fails too. */
static inline void kafka_in_fail(struct kafka_in *in, int err)
{
	if (!in->err)
		in->err = err;
	in->p = in->end;
}

/**
 * kafka_get_raw() - take the next @n bytes.
 * Return: where they begin; NULL (and -ENODATA noted) when fewer are left.
 */
static inline const uint8_t *kafka_get_raw(struct kafka_in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (sl_unlikely(n > kafka_in_left(in) || in->err)) {
		kafka_in_fail(in, -ENODATA);
		return NULL;
	}
	in->p += n;
	return p;
}

static inline int8_t kafka_get_i8(struct kafka_in *in)
{
	const uint8_t *p = kafka_get_raw(in, 1);

	return p ? (int8_t)*p : 0;
}

static inline int16_t kafka_get_i16(struct kafka_in *in)
{
	const uint8_t *p = kafka_get_raw(in, 2);

	return p ? (int16_t)sl_load_be16(p) : 0;
}

static inline uint16_t kafka_get_u16(struct kafka_in *in)
{
	return (uint16_t)kafka_get_i16(in);
}

static inline int32_t kafka_get_i32(struct kafka_in *in)
{
	const uint8_t *p = kafka_get_raw(in, 4);

	return p ? (int32_t)sl_load_be32(p) : 0;
}

static inline uint32_t kafka_get_u32(struct kafka_in *in)
{
	return (uint32_t)kafka_get_i32(in);
}

static inline int64_t kafka_get_i64(struct kafka_in *in)
{
	const uint8_t *p = kafka_get_raw(in, 8);

	return p ? (int64_t)sl_load_be64(p) : 0;
}

static inline double kafka_get_f64(struct kafka_in *in)
{
	int64_t bits = kafka_get_i64(in);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Any non-zero byte is true. */
static inline bool kafka_get_bool(struct kafka_in *in)
{
	return kafka_get_i8(in) != 0;
}

static inline struct kafka_uuid kafka_get_uuid(struct kafka_in *in)
{
	struct kafka_uuid v = {{0}};
	const uint8_t *p = kafka_get_raw(in, sizeof(v.b));

	if (p)
		memcpy(v.b, p, sizeof(v.b));
	return v;
}

/* Varints of more than one byte. */
uint64_t kafka_get_varint_slow(struct kafka_in *in, unsigned bits);

/* Unsigned varint of 32 bits: five bytes at most, else -EBADMSG. */
static inline uint32_t kafka_get_uvarint(struct kafka_in *in)
{
	if (sl_likely(in->p < in->end && *in->p < 0x80))
		return *in->p++;
	return (uint32_t)kafka_get_varint_slow(in, 32);
}

/* Zigzag varint of 32 bits (lengths inside records). */
static inline int32_t kafka_get_varint(struct kafka_in *in)
{
	uint32_t v = kafka_get_uvarint(in);

	return (int32_t)((v >> 1) ^ -(v & 1));
}

/* Zigzag varint of 64 bits: ten bytes at most. */
static inline int64_t kafka_get_varlong(struct kafka_in *in)
{
	uint64_t v = kafka_get_varint_slow(in, 64);

	return (int64_t)((v >> 1) ^ -(v & 1));
}

/**
 * kafka_get_len() - the length in front of bytes, records or an array's elements.
 * @flexible: compact form.
 * Return: >= 0; -1 for null. Below -1 or above INT32_MAX is -EBADMSG. The length is not compared
 *         with what is left: a stream's reader does not hold it yet.
 */
static inline int32_t kafka_get_len(struct kafka_in *in, bool flexible)
{
	int64_t n = flexible ? (int64_t)kafka_get_uvarint(in) - 1 : kafka_get_i32(in);

	if (sl_unlikely(in->err))
		return 0;
	if (sl_unlikely(n < -1 || n > INT32_MAX)) {
		kafka_in_fail(in, -EBADMSG);
		return 0;
	}
	return (int32_t)n;
}

/* The length in front of a string: as kafka_get_len(), two bytes wide when not compact. */
static inline int32_t kafka_get_str_len(struct kafka_in *in, bool flexible)
{
	int64_t n = flexible ? (int64_t)kafka_get_uvarint(in) - 1 : kafka_get_i16(in);

	if (sl_unlikely(in->err))
		return 0;
	if (sl_unlikely(n < -1 || n > KAFKA_STR_BYTES_MAX)) {
		kafka_in_fail(in, -EBADMSG);
		return 0;
	}
	return (int32_t)n;
}

/* A string that may be null. */
static inline struct kafka_str kafka_get_nullable_str(struct kafka_in *in, bool flexible)
{
	struct kafka_str s = {.n = kafka_get_str_len(in, flexible)};

	if (s.n > 0)
		s.p = (const char *)kafka_get_raw(in, (size_t)s.n);
	return sl_likely(!in->err) ? s : (struct kafka_str){.n = 0};
}

/* A string that may not: null is -EBADMSG. */
static inline struct kafka_str kafka_get_str(struct kafka_in *in, bool flexible)
{
	struct kafka_str s = kafka_get_nullable_str(in, flexible);

	if (sl_unlikely(s.n < 0)) {
		kafka_in_fail(in, -EBADMSG);
		s.n = 0;
	}
	return s;
}

static inline struct kafka_bytes kafka_get_nullable_bytes(struct kafka_in *in, bool flexible)
{
	struct kafka_bytes b = {.n = kafka_get_len(in, flexible)};

	if (b.n > 0)
		b.p = kafka_get_raw(in, (size_t)b.n);
	return sl_likely(!in->err) ? b : (struct kafka_bytes){.n = 0};
}

static inline struct kafka_bytes kafka_get_bytes(struct kafka_in *in, bool flexible)
{
	struct kafka_bytes b = kafka_get_nullable_bytes(in, flexible);

	if (sl_unlikely(b.n < 0)) {
		kafka_in_fail(in, -EBADMSG);
		b.n = 0;
	}
	return b;
}

/**
 * kafka_get_tag() - head of the next tagged field: its tag, and its bytes as a cursor of their own.
 * Return: the tag. @ret_field is left empty when there is an error.
 */
uint32_t kafka_get_tag(struct kafka_in *in, struct kafka_in *ret_field);

/**
 * kafka_skip_tags() - pass over a whole section of tagged fields, none of which is wanted.
 */
void kafka_skip_tags(struct kafka_in *in);

/* ---- writing -------------------------------------------------------------------------------- */

/* Where bytes that are not in the output belong. */
struct kafka_split {
	size_t at; /* they come before out->p[at] (and after the splits before this one) */
	uint64_t cookie; /* the field's own, kafka_records.cookie */
	int32_t n; /* how many, > 0 */
};

/*
 * An output: the caller's memory of cap bytes, filled from len on. With p NULL nothing is stored
 * and len only counts. Splits are noted in the caller's array while there is room.
 *
 * err is 0, -ENOBUFS (cap or splits_cap too small) or -EINVAL (a value that the protocol cannot
 * carry: null where it may not be, a string beyond 32,767 bytes).
 */
struct kafka_out {
	uint8_t *p;
	size_t len, cap;
	struct kafka_split *splits;
	unsigned splits_n, splits_cap;
	uint64_t split_bytes; /* sum of the splits' n: on the wire, not in p */
	uint32_t errors;      /* error codes other than 0 among what was written */
	int err;
};

static inline void kafka_out_init(struct kafka_out *out, void *p, size_t cap)
{
	*out = (struct kafka_out){.p = p, .cap = p ? cap : 0};
}

/* Gives @out room for @cap split points; needed only where records lie elsewhere. */
static inline void kafka_out_splits(struct kafka_out *out, struct kafka_split *splits, unsigned cap)
{
	out->splits = splits;
	out->splits_cap = cap;
}

static inline void kafka_out_fail(struct kafka_out *out, int err)
{
	if (!out->err)
		out->err = err;
}

/**
 * kafka_put_room() - the next @n bytes of the output, to be filled by the caller.
 * Return: where; NULL when only counting, or on an error (-ENOBUFS noted).
 */
static inline uint8_t *kafka_put_room(struct kafka_out *out, size_t n)
{
	uint8_t *p;

	if (!out->p) {
		out->len += n;
		return NULL;
	}
	if (sl_unlikely(out->err || n > out->cap - out->len)) {
		kafka_out_fail(out, -ENOBUFS);
		return NULL;
	}
	p = out->p + out->len;
	out->len += n;
	return p;
}

static inline void kafka_put_raw(struct kafka_out *out, const void *from, size_t n)
{
	uint8_t *p = kafka_put_room(out, n);

	if (p && n)
		memcpy(p, from, n);
}

static inline void kafka_put_i8(struct kafka_out *out, int8_t v)
{
	uint8_t *p = kafka_put_room(out, 1);

	if (p)
		*p = (uint8_t)v;
}

static inline void kafka_put_i16(struct kafka_out *out, int16_t v)
{
	uint8_t *p = kafka_put_room(out, 2);

	if (p)
		sl_store_be16(p, (uint16_t)v);
}

static inline void kafka_put_u16(struct kafka_out *out, uint16_t v)
{
	kafka_put_i16(out, (int16_t)v);
}

static inline void kafka_put_i32(struct kafka_out *out, int32_t v)
{
	uint8_t *p = kafka_put_room(out, 4);

	if (p)
		sl_store_be32(p, (uint32_t)v);
}

static inline void kafka_put_u32(struct kafka_out *out, uint32_t v)
{
	kafka_put_i32(out, (int32_t)v);
}

static inline void kafka_put_i64(struct kafka_out *out, int64_t v)
{
	uint8_t *p = kafka_put_room(out, 8);

	if (p)
		sl_store_be64(p, (uint64_t)v);
}

static inline void kafka_put_f64(struct kafka_out *out, double v)
{
	int64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	kafka_put_i64(out, bits);
}

static inline void kafka_put_bool(struct kafka_out *out, bool v)
{
	kafka_put_i8(out, v);
}

static inline void kafka_put_uuid(struct kafka_out *out, struct kafka_uuid v)
{
	kafka_put_raw(out, v.b, sizeof(v.b));
}

/* Bytes that a varint of @v takes, 1 to 10. */
static inline unsigned kafka_uvarint_bytes(uint64_t v)
{
	return v < 0x80 ? 1 : (70 - (unsigned)__builtin_clzll(v)) / 7;
}

void kafka_put_uvarlong(struct kafka_out *out, uint64_t v);

static inline void kafka_put_uvarint(struct kafka_out *out, uint32_t v)
{
	if (sl_likely(v < 0x80))
		kafka_put_i8(out, (int8_t)v);
	else
		kafka_put_uvarlong(out, v);
}

static inline void kafka_put_varint(struct kafka_out *out, int32_t v)
{
	kafka_put_uvarint(out, ((uint32_t)v << 1) ^ (uint32_t)(v >> 31));
}

static inline void kafka_put_varlong(struct kafka_out *out, int64_t v)
{
	kafka_put_uvarlong(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

/* Length of bytes, records or an array; @n < 0 writes null. */
static inline void kafka_put_len(struct kafka_out *out, int32_t n, bool flexible)
{
	if (flexible)
		kafka_put_uvarint(out, n < 0 ? 0 : (uint32_t)n + 1);
	else
		kafka_put_i32(out, n < 0 ? -1 : n);
}

static inline void kafka_put_nullable_str(struct kafka_out *out, struct kafka_str s, bool flexible)
{
	if (sl_unlikely(s.n > KAFKA_STR_BYTES_MAX)) {
		kafka_out_fail(out, -EINVAL);
		return;
	}
	if (flexible)
		kafka_put_len(out, s.n, true);
	else
		kafka_put_i16(out, s.n < 0 ? -1 : (int16_t)s.n);
	if (s.n > 0)
		kafka_put_raw(out, s.p, (size_t)s.n);
}

static inline void kafka_put_str(struct kafka_out *out, struct kafka_str s, bool flexible)
{
	if (sl_unlikely(s.n < 0))
		kafka_out_fail(out, -EINVAL);
	else
		kafka_put_nullable_str(out, s, flexible);
}

static inline void kafka_put_nullable_bytes(struct kafka_out *out, struct kafka_bytes b,
					    bool flexible)
{
	kafka_put_len(out, b.n, flexible);
	if (b.n > 0)
		kafka_put_raw(out, b.p, (size_t)b.n);
}

static inline void kafka_put_bytes(struct kafka_out *out, struct kafka_bytes b, bool flexible)
{
	if (sl_unlikely(b.n < 0))
		kafka_out_fail(out, -EINVAL);
	else
		kafka_put_nullable_bytes(out, b, flexible);
}

/**
 * kafka_put_records() - length and, where they are in memory, the bytes of records (may be null).
 *
 * With r.p NULL and r.n > 0 a split is noted at the output's present end; -ENOBUFS when the
 * caller's array of splits is full.
 */
void kafka_put_records(struct kafka_out *out, struct kafka_records r, bool flexible);

#endif
