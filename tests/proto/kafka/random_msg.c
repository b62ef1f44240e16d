// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of random contents, made from the schemas alone: no test has to know a message.
 *
 * Interface: random_msg.h. Values are chosen to meet the edges: null, empty, default, extreme
 * numbers, and lengths on both sides of one byte's varint.
 */
#include "random_msg.h"

#include <stdlib.h>

uint64_t random_next(struct random_source *rnd)
{
	return sl_mix64(rnd->state += UINT64_C(0x9e3779b97f4a7c15));
}

static void *take(struct sl_bump *mem, size_t bytes)
{
	void *p = sl_bump_alloc(mem, bytes);

	if (!p)
		abort();
	return p;
}

static int32_t random_len(struct random_source *rnd, bool nullable)
{
	unsigned pick = (unsigned)(random_next(rnd) % 16);

	if (nullable && pick < 3)
		return -1;
	if (pick < 5)
		return 0;
	if (pick == 15)
		return 120 + (int32_t)(random_next(rnd) % 20);
	return (int32_t)(random_next(rnd) % 12);
}

static const uint8_t *random_bytes(struct random_source *rnd, struct sl_bump *mem, int32_t n)
{
	uint8_t *p = n > 0 ? take(mem, (size_t)n) : NULL;

	for (int32_t i = 0; i < n; i++)
		p[i] = (uint8_t)random_next(rnd);
	return p;
}

static int64_t random_int(struct random_source *rnd, int64_t dflt)
{
	switch (random_next(rnd) % 6) {
	case 0:
		return dflt;
	case 1:
		return -1;
	case 2:
		return INT64_MAX;
	case 3:
		return INT64_MIN;
	default:
		return (int64_t)random_next(rnd);
	}
}

static void random_scalar(const struct kafka_field *f, int type, bool nullable,
			  struct random_source *rnd, struct sl_bump *mem, void *to)
{
	int64_t i = random_int(rnd, f->dflt);
	int32_t n;

	switch (type) {
	case KAFKA_T_BOOL:
		*(bool *)to = i & 1;
		break;
	case KAFKA_T_INT8:
		*(int8_t *)to = (int8_t)i;
		break;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		*(int16_t *)to = (int16_t)i;
		break;
	case KAFKA_T_INT32:
		*(int32_t *)to = (int32_t)i;
		break;
	case KAFKA_T_INT64:
		*(int64_t *)to = i;
		break;
	case KAFKA_T_UUID:
		for (size_t k = 0; k < 16; k++)
			((struct kafka_uuid *)to)->b[k] = (uint8_t)(i ? random_next(rnd) : 0);
		break;
	case KAFKA_T_STRING:
		n = random_len(rnd, nullable);
		*(struct kafka_str *)to =
			(struct kafka_str){.p = (const char *)random_bytes(rnd, mem, n), .n = n};
		break;
	case KAFKA_T_BYTES:
		n = random_len(rnd, nullable);
		*(struct kafka_bytes *)to =
			(struct kafka_bytes){.p = random_bytes(rnd, mem, n), .n = n};
		break;
	case KAFKA_T_RECORDS:
		n = random_len(rnd, nullable);
		*(struct kafka_records *)to =
			(struct kafka_records){.p = random_bytes(rnd, mem, n), .n = n};
		break;
	}
}

static size_t elem_size(const struct kafka_field *f)
{
	static const size_t sizes[KAFKA_T_LAST] = {
		[KAFKA_T_INT32] = sizeof(int32_t),
		[KAFKA_T_INT64] = sizeof(int64_t),
		[KAFKA_T_STRING] = sizeof(struct kafka_str),
	};
	size_t bytes = f->schema ? f->schema->size : sizes[f->elem];

	if (!bytes)
		abort();
	return bytes;
}

static void random_array(const struct kafka_field *f, int version, struct random_source *rnd,
			 struct sl_bump *mem, struct kafka_array *to)
{
	bool nullable = f->is_nullable && version >= f->nullable_since;
	int32_t n = (int32_t)(random_next(rnd) % 5) - 1;
	char *v;

	if (n < 0 && !nullable)
		n = 1;
	v = n > 0 ? take(mem, (size_t)n * elem_size(f)) : NULL;
	for (int32_t i = 0; i < n; i++) {
		void *at = v + (size_t)i * elem_size(f);

		if (f->schema)
			random_msg(f->schema, version, rnd, mem, at);
		else
			random_scalar(f, f->elem, false, rnd, mem, at);
	}
	*to = (struct kafka_array){.v = v, .n = n};
}

void random_msg(const struct kafka_schema *schema, int version, struct random_source *rnd,
		struct sl_bump *mem, void *msg)
{
	kafka_init(schema, msg);
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];
		void *at = (char *)msg + f->offset;

		if (version < f->since || version > f->until)
			continue;
		if (f->is_tagged && random_next(rnd) % 2)
			continue;
		if (f->type == KAFKA_T_ARRAY)
			random_array(f, version, rnd, mem, at);
		else if (f->type == KAFKA_T_STRUCT)
			random_msg(f->schema, version, rnd, mem, at);
		else
			random_scalar(f, f->type, f->is_nullable && version >= f->nullable_since,
				      rnd, mem, at);
	}
}

static bool slices_equal(const void *a, int32_t an, const void *b, int32_t bn)
{
	return an == bn && (an <= 0 || !memcmp(a, b, (size_t)an));
}

static bool scalar_equal(int type, const void *a, const void *b)
{
	const struct kafka_str *sa = a, *sb = b;
	const struct kafka_bytes *ba = a, *bb = b;
	const struct kafka_records *ra = a, *rb = b;

	switch (type) {
	case KAFKA_T_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case KAFKA_T_INT8:
		return *(const int8_t *)a == *(const int8_t *)b;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		return *(const int16_t *)a == *(const int16_t *)b;
	case KAFKA_T_INT32:
		return *(const int32_t *)a == *(const int32_t *)b;
	case KAFKA_T_INT64:
		return *(const int64_t *)a == *(const int64_t *)b;
	case KAFKA_T_UUID:
		return !memcmp(a, b, sizeof(struct kafka_uuid));
	case KAFKA_T_STRING:
		return slices_equal(sa->p, sa->n, sb->p, sb->n);
	case KAFKA_T_BYTES:
		return slices_equal(ba->p, ba->n, bb->p, bb->n);
	case KAFKA_T_RECORDS:
		return slices_equal(ra->p, ra->n, rb->p, rb->n);
	}
	abort();
}

static bool array_equal(const struct kafka_field *f, const struct kafka_array *a,
			const struct kafka_array *b)
{
	if (a->n != b->n)
		return false;
	for (int32_t i = 0; i < a->n; i++) {
		const char *x = (const char *)a->v + (size_t)i * elem_size(f);
		const char *y = (const char *)b->v + (size_t)i * elem_size(f);

		if (f->schema ? !msg_equal(f->schema, x, y) : !scalar_equal(f->elem, x, y))
			return false;
	}
	return true;
}

bool msg_equal(const struct kafka_schema *schema, const void *a, const void *b)
{
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];
		const char *x = (const char *)a + f->offset;
		const char *y = (const char *)b + f->offset;
		bool equal;

		if (f->type == KAFKA_T_ARRAY)
			equal = array_equal(f, (const void *)x, (const void *)y);
		else if (f->type == KAFKA_T_STRUCT)
			equal = msg_equal(f->schema, x, y);
		else
			equal = scalar_equal(f->type, x, y);
		if (!equal)
			return false;
	}
	return true;
}
