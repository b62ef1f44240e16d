/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of the Kafka protocol: walks the tables of messages.c over bytes and structs.
 *
 * Interface: codec.h. Decoder and encoder have the same shape, one function each for a value, an
 * array, the tagged fields and a struct. Sizes are found by the encoder itself, run over an
 * output that only counts: so size and encoding cannot disagree.
 *
 * Invariants: schemas are trees, so recursion ends with them (four deep at most); nothing is
 * allocated for an array before its count was compared with the bytes left.
 * Order: defaults, decoding, encoding, frames.
 */
#include "codec.h"

#include <sluice/assert.h>

/* Sizes in C of what an array may hold; a struct's is in its schema. */
static const uint8_t elem_bytes[KAFKA_T_LAST] = {
	[KAFKA_T_BOOL] = sizeof(bool),
	[KAFKA_T_INT8] = sizeof(int8_t),
	[KAFKA_T_INT16] = sizeof(int16_t),
	[KAFKA_T_ERROR] = sizeof(int16_t),
	[KAFKA_T_INT32] = sizeof(int32_t),
	[KAFKA_T_INT64] = sizeof(int64_t),
	[KAFKA_T_UUID] = sizeof(struct kafka_uuid),
	[KAFKA_T_STRING] = sizeof(struct kafka_str),
	[KAFKA_T_BYTES] = sizeof(struct kafka_bytes),
	[KAFKA_T_RECORDS] = sizeof(struct kafka_records),
};

static bool has_field(const struct kafka_field *f, int version)
{
	return version >= f->since && version <= f->until;
}

static bool may_be_null(const struct kafka_field *f, int version)
{
	return f->is_nullable && version >= f->nullable_since;
}

static size_t array_elem_bytes(const struct kafka_field *f)
{
	return f->schema ? f->schema->size : elem_bytes[f->elem];
}

static int check_version(const struct kafka_schema *schema, int version)
{
	SL_ASSERT(schema->is_message);
	return version >= schema->min && version <= schema->max ? 0 : -EOPNOTSUPP;
}

/* ---- defaults ------------------------------------------------------------------------------- */

static void set_default(const struct kafka_field *f, void *to)
{
	int32_t none = f->is_null_default ? -1 : 0;

	switch (f->type) {
	case KAFKA_T_BOOL:
		*(bool *)to = f->dflt != 0;
		break;
	case KAFKA_T_INT8:
		*(int8_t *)to = (int8_t)f->dflt;
		break;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		*(int16_t *)to = (int16_t)f->dflt;
		break;
	case KAFKA_T_INT32:
		*(int32_t *)to = (int32_t)f->dflt;
		break;
	case KAFKA_T_INT64:
		*(int64_t *)to = f->dflt;
		break;
	case KAFKA_T_UUID:
		*(struct kafka_uuid *)to = (struct kafka_uuid){{0}};
		break;
	case KAFKA_T_STRING:
		*(struct kafka_str *)to = (struct kafka_str){.n = none};
		break;
	case KAFKA_T_BYTES:
		*(struct kafka_bytes *)to = (struct kafka_bytes){.n = none};
		break;
	case KAFKA_T_RECORDS:
		*(struct kafka_records *)to = (struct kafka_records){.n = none};
		break;
	case KAFKA_T_ARRAY:
		*(struct kafka_array *)to = (struct kafka_array){.n = none};
		break;
	case KAFKA_T_STRUCT:
		kafka_init(f->schema, to);
		break;
	}
}

void kafka_init(const struct kafka_schema *schema, void *msg)
{
	for (unsigned i = 0; i < schema->fields_n; i++)
		set_default(&schema->fields[i], (char *)msg + schema->fields[i].offset);
}

static bool is_default_struct(const struct kafka_schema *schema, const void *msg);

/* Whether a tagged field may be left out. */
static bool is_default(const struct kafka_field *f, const void *from)
{
	int32_t none = f->is_null_default ? -1 : 0;

	switch (f->type) {
	case KAFKA_T_BOOL:
		return *(const bool *)from == (f->dflt != 0);
	case KAFKA_T_INT8:
		return *(const int8_t *)from == f->dflt;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		return *(const int16_t *)from == f->dflt;
	case KAFKA_T_INT32:
		return *(const int32_t *)from == f->dflt;
	case KAFKA_T_INT64:
		return *(const int64_t *)from == f->dflt;
	case KAFKA_T_UUID:
		return kafka_uuid_is_zero(*(const struct kafka_uuid *)from);
	case KAFKA_T_STRING:
		return sl_max(((const struct kafka_str *)from)->n, -1) == none;
	case KAFKA_T_BYTES:
		return sl_max(((const struct kafka_bytes *)from)->n, -1) == none;
	case KAFKA_T_RECORDS:
		return sl_max(((const struct kafka_records *)from)->n, -1) == none;
	case KAFKA_T_ARRAY:
		return sl_max(((const struct kafka_array *)from)->n, -1) == none;
	}
	SL_ASSERT(f->type == KAFKA_T_STRUCT);
	return is_default_struct(f->schema, from);
}

static bool is_default_struct(const struct kafka_schema *schema, const void *msg)
{
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];

		if (!is_default(f, (const char *)msg + f->offset))
			return false;
	}
	return true;
}

/* ---- decoding ------------------------------------------------------------------------------- */

struct decoder {
	struct kafka_in *in;
	struct sl_bump *mem;
	int version;
	bool flexible;
};

static void get_struct(const struct decoder *d, const struct kafka_schema *schema, void *to);

/* Fewest bytes that a value of @type can take on the wire, at least 1. */
static size_t wire_bytes_min(const struct decoder *d, int type, const struct kafka_schema *schema)
{
	size_t n = 0;

	switch (type) {
	case KAFKA_T_BOOL:
	case KAFKA_T_INT8:
		return 1;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		return 2;
	case KAFKA_T_INT32:
		return 4;
	case KAFKA_T_INT64:
		return 8;
	case KAFKA_T_UUID:
		return 16;
	case KAFKA_T_STRING:
		return d->flexible ? 1 : 2;
	case KAFKA_T_BYTES:
	case KAFKA_T_RECORDS:
	case KAFKA_T_ARRAY:
		return d->flexible ? 1 : 4;
	}
	SL_ASSERT(type == KAFKA_T_STRUCT && schema);
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];

		if (has_field(f, d->version) && !f->is_tagged)
			n += wire_bytes_min(d, f->type, f->schema);
	}
	return sl_max(n + d->flexible, (size_t)1);
}

/* Null where it may not be is malformed. */
static inline void check_null(const struct decoder *d, int32_t n, bool nullable)
{
	if (sl_unlikely(n < 0 && !nullable))
		kafka_in_fail(d->in, -EBADMSG);
}

/* A value that is neither an array nor a struct: a field, or an element (those are never null). */
static inline void get_scalar(const struct decoder *d, int type, bool nullable, void *to)
{
	switch (type) {
	case KAFKA_T_BOOL:
		*(bool *)to = kafka_get_bool(d->in);
		break;
	case KAFKA_T_INT8:
		*(int8_t *)to = kafka_get_i8(d->in);
		break;
	case KAFKA_T_INT16:
	case KAFKA_T_ERROR:
		*(int16_t *)to = kafka_get_i16(d->in);
		break;
	case KAFKA_T_INT32:
		*(int32_t *)to = kafka_get_i32(d->in);
		break;
	case KAFKA_T_INT64:
		*(int64_t *)to = kafka_get_i64(d->in);
		break;
	case KAFKA_T_UUID:
		*(struct kafka_uuid *)to = kafka_get_uuid(d->in);
		break;
	case KAFKA_T_STRING: {
		struct kafka_str s = kafka_get_nullable_str(d->in, d->flexible);

		check_null(d, s.n, nullable);
		*(struct kafka_str *)to = s;
		break;
	}
	case KAFKA_T_BYTES:
	case KAFKA_T_RECORDS: {
		struct kafka_bytes b = kafka_get_nullable_bytes(d->in, d->flexible);

		check_null(d, b.n, nullable);
		if (type == KAFKA_T_BYTES)
			*(struct kafka_bytes *)to = b;
		else
			*(struct kafka_records *)to = (struct kafka_records){.p = b.p, .n = b.n};
		break;
	}
	default:
		SL_ASSERT(type < KAFKA_T_STRUCT);
	}
}

/* Leaves @to an empty array when there is an error, so that nobody walks what is not there. */
static void get_array(const struct decoder *d, const struct kafka_field *f, struct kafka_array *to)
{
	int32_t n = kafka_get_len(d->in, d->flexible);
	size_t each = array_elem_bytes(f);
	char *v;

	*to = (struct kafka_array){.n = n < 0 ? -1 : 0};
	if (n <= 0) {
		check_null(d, n, may_be_null(f, d->version));
		return;
	}
	if ((size_t)n > kafka_in_left(d->in) / wire_bytes_min(d, f->elem, f->schema)) {
		kafka_in_fail(d->in, -ENODATA);
		return;
	}
	v = sl_bump_alloc(d->mem, (size_t)n * each);
	if (!v) {
		kafka_in_fail(d->in, -ENOMEM);
		return;
	}
	for (int32_t i = 0; i < n && !d->in->err; i++) {
		if (f->schema)
			get_struct(d, f->schema, v + (size_t)i * each);
		else
			get_scalar(d, f->elem, false, v + (size_t)i * each);
	}
	if (!d->in->err)
		*to = (struct kafka_array){.v = v, .n = n};
}

static void get_value(const struct decoder *d, const struct kafka_field *f, void *to)
{
	if (f->type == KAFKA_T_ARRAY)
		get_array(d, f, to);
	else if (f->type == KAFKA_T_STRUCT)
		get_struct(d, f->schema, to);
	else
		get_scalar(d, f->type, may_be_null(f, d->version), to);
}

static const struct kafka_field *find_tag(const struct kafka_schema *schema, int version,
					  uint32_t tag)
{
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];

		if (f->is_tagged && f->tag == tag && has_field(f, version))
			return f;
	}
	return NULL;
}

/* The section of tagged fields at the end of a struct: known ones are read, others skipped. */
static void get_tags(const struct decoder *d, const struct kafka_schema *schema, void *to)
{
	uint32_t seen = 0;

	for (uint32_t n = kafka_get_uvarint(d->in); sl_unlikely(n) && !d->in->err; n--) {
		struct kafka_in field;
		struct decoder sub = *d;
		uint32_t tag = kafka_get_tag(d->in, &field);
		const struct kafka_field *f = find_tag(schema, d->version, tag);

		if (d->in->err || !f)
			continue;
		if (seen & (UINT32_C(1) << f->tag)) {
			kafka_in_fail(d->in, -EBADMSG);
			return;
		}
		seen |= UINT32_C(1) << f->tag;
		sub.in = &field;
		get_value(&sub, f, (char *)to + f->offset);
		/* All of its bytes are here: too few is no less malformed than too many. */
		if (field.err == -ENOMEM)
			kafka_in_fail(d->in, -ENOMEM);
		else if (field.err || kafka_in_left(&field))
			kafka_in_fail(d->in, -EBADMSG);
	}
}

static void get_struct(const struct decoder *d, const struct kafka_schema *schema, void *to)
{
	const struct kafka_field *end = schema->fields + schema->fields_n;

	for (const struct kafka_field *f = schema->fields; f < end; f++) {
		void *at = (char *)to + f->offset;

		if (has_field(f, d->version) && !f->is_tagged)
			get_value(d, f, at);
		else
			set_default(f, at);
	}
	if (d->flexible)
		get_tags(d, schema, to);
}

int kafka_decode_from(const struct kafka_schema *schema, int version, struct kafka_in *in,
		      struct sl_bump *mem, void *ret_msg)
{
	struct decoder d = {.in = in,
			    .mem = mem,
			    .version = version,
			    .flexible = version >= schema->flexible_since};
	int err = check_version(schema, version);

	if (err)
		return err;
	get_struct(&d, schema, ret_msg);
	SL_ASSERT(in->p <= in->end);
	return in->err;
}

int kafka_decode(const struct kafka_schema *schema, int version, const void *p, size_t n,
		 struct sl_bump *mem, void *ret_msg)
{
	struct kafka_in in;
	int err;

	kafka_in_init(&in, p, n);
	err = kafka_decode_from(schema, version, &in, mem, ret_msg);
	if (err == -ENODATA || (!err && kafka_in_left(&in)))
		return -EBADMSG;
	return err;
}

/* ---- encoding ------------------------------------------------------------------------------- */

struct encoder {
	struct kafka_out *out;
	int version;
	bool flexible;
};

static void put_struct(const struct encoder *e, const struct kafka_schema *schema,
		       const void *from);

/* False, and -EINVAL noted, for a null that the version cannot carry. */
static inline bool is_sendable(const struct encoder *e, int32_t n, bool nullable)
{
	if (sl_likely(n >= 0 || nullable))
		return true;
	kafka_out_fail(e->out, -EINVAL);
	return false;
}

static inline void put_scalar(const struct encoder *e, int type, bool nullable, const void *from)
{
	switch (type) {
	case KAFKA_T_BOOL:
		kafka_put_bool(e->out, *(const bool *)from);
		break;
	case KAFKA_T_INT8:
		kafka_put_i8(e->out, *(const int8_t *)from);
		break;
	case KAFKA_T_INT16:
		kafka_put_i16(e->out, *(const int16_t *)from);
		break;
	case KAFKA_T_ERROR:
		if (sl_unlikely(*(const int16_t *)from))
			e->out->errors++;
		kafka_put_i16(e->out, *(const int16_t *)from);
		break;
	case KAFKA_T_INT32:
		kafka_put_i32(e->out, *(const int32_t *)from);
		break;
	case KAFKA_T_INT64:
		kafka_put_i64(e->out, *(const int64_t *)from);
		break;
	case KAFKA_T_UUID:
		kafka_put_uuid(e->out, *(const struct kafka_uuid *)from);
		break;
	case KAFKA_T_STRING:
		if (is_sendable(e, ((const struct kafka_str *)from)->n, nullable))
			kafka_put_nullable_str(e->out, *(const struct kafka_str *)from,
					       e->flexible);
		break;
	case KAFKA_T_BYTES:
		if (is_sendable(e, ((const struct kafka_bytes *)from)->n, nullable))
			kafka_put_nullable_bytes(e->out, *(const struct kafka_bytes *)from,
						 e->flexible);
		break;
	case KAFKA_T_RECORDS:
		if (is_sendable(e, ((const struct kafka_records *)from)->n, nullable))
			kafka_put_records(e->out, *(const struct kafka_records *)from, e->flexible);
		break;
	default:
		SL_ASSERT(type < KAFKA_T_STRUCT);
	}
}

static void put_array(const struct encoder *e, const struct kafka_field *f,
		      const struct kafka_array *from)
{
	size_t each = array_elem_bytes(f);
	const char *v = from->v;

	if (!is_sendable(e, from->n, may_be_null(f, e->version)))
		return;
	SL_ASSERT(v || from->n <= 0);
	kafka_put_len(e->out, from->n, e->flexible);
	for (int32_t i = 0; i < from->n; i++) {
		if (f->schema)
			put_struct(e, f->schema, v + (size_t)i * each);
		else
			put_scalar(e, f->elem, false, v + (size_t)i * each);
	}
}

static void put_value(const struct encoder *e, const struct kafka_field *f, const void *from)
{
	if (f->type == KAFKA_T_ARRAY)
		put_array(e, f, from);
	else if (f->type == KAFKA_T_STRUCT)
		put_struct(e, f->schema, from);
	else
		put_scalar(e, f->type, may_be_null(f, e->version), from);
}

static void put_tag(const struct encoder *e, const struct kafka_field *f, const void *from)
{
	struct kafka_out counted = {.p = NULL};
	struct encoder counting = *e;

	counting.out = &counted;
	put_value(&counting, f, from);
	/* A split inside a tagged field would need its length here as well; no message has one. */
	SL_ASSERT(counted.splits_n == 0);
	if (counted.err || counted.len > INT32_MAX) {
		kafka_out_fail(e->out, counted.err ? counted.err : -EMSGSIZE);
		return;
	}
	kafka_put_uvarint(e->out, f->tag);
	kafka_put_uvarint(e->out, (uint32_t)counted.len);
	put_value(e, f, from);
}

static bool wants_tag(const struct encoder *e, const struct kafka_field *f, const void *msg)
{
	return f->is_tagged && has_field(f, e->version) &&
	       !is_default(f, (const char *)msg + f->offset);
}

static void put_tags(const struct encoder *e, const struct kafka_schema *schema, const void *from)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < schema->fields_n; i++)
		n += wants_tag(e, &schema->fields[i], from);
	kafka_put_uvarint(e->out, n);
	for (unsigned i = 0; n && i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];

		if (!wants_tag(e, f, from))
			continue;
		put_tag(e, f, (const char *)from + f->offset);
		n--;
	}
	SL_ASSERT(n == 0);
}

static void put_struct(const struct encoder *e, const struct kafka_schema *schema, const void *from)
{
	const struct kafka_field *end = schema->fields + schema->fields_n;

	for (const struct kafka_field *f = schema->fields; f < end; f++)
		if (has_field(f, e->version) && !f->is_tagged)
			put_value(e, f, (const char *)from + f->offset);
	if (e->flexible)
		put_tags(e, schema, from);
}

int kafka_encode(const struct kafka_schema *schema, int version, const void *msg,
		 struct kafka_out *out)
{
	struct encoder e = {
		.out = out, .version = version, .flexible = version >= schema->flexible_since};
	int err = check_version(schema, version);

	if (err)
		return err;
	put_struct(&e, schema, msg);
	SL_ASSERT(!out->p || out->len <= out->cap);
	return out->err;
}

int kafka_size(const struct kafka_schema *schema, int version, const void *msg,
	       struct kafka_sizes *ret_sizes)
{
	struct kafka_out out = {.p = NULL};
	int err = kafka_encode(schema, version, msg, &out);

	if (err)
		return err;
	if (out.len + out.split_bytes > INT32_MAX)
		return -EMSGSIZE;
	*ret_sizes = (struct kafka_sizes){.wire_bytes = out.len + out.split_bytes,
					  .mem_bytes = out.len,
					  .splits = out.splits_n};
	return 0;
}
