/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as an object, with and without a right sum: it is refused, or all of it can be read,
 * and a builder that loads it writes the same bytes.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "vectors/object_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_sum(uint8_t *p, size_t n)
{
	sl_store_le64(p, OBJECT_MAGIC);
	sl_store_le32(p + offsetof(struct object_header, bytes), (uint32_t)n);
	sl_store_le32(p + offsetof(struct object_header, version), OBJECT_VERSION);
	sl_store_le32(p + offsetof(struct object_header, version_min), OBJECT_VERSION_MIN);
	sl_store_le64(p + offsetof(struct object_header, sum),
		      XXH3_64bits(p + OBJECT_SUMMED_FROM, n - OBJECT_SUMMED_FROM));
}

static int ignore(void *arg, const struct sl_value *v)
{
	return sl_value_compare(v, v);
}

static void print(const struct sl_object *o, enum sl_object_json form)
{
	char *text;
	size_t n;

	SL_ASSERT(!sl_object_to_json(o, form, &text, &n));
	free(text);
}

static void build_again(const struct sl_object *o)
{
	size_t n = sl_object_bytes(o), again_n;
	struct sl_object_builder *b;
	uint8_t *again = malloc(n);

	SL_ASSERT(again && !sl_object_builder_new(&b));
	SL_ASSERT(!sl_object_load(b, o));
	SL_ASSERT(!sl_object_build_bytes(b, &again_n) && again_n == n);
	SL_ASSERT(!sl_object_build(b, again, n));
	SL_ASSERT(!memcmp(again + 24, (const uint8_t *)o + 24, n - 24));
	sl_object_builder_free(b);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sl_object *o;
	uint8_t *bytes;

	if (size < 1)
		return 0;
	bytes = malloc(size); /* of just its length, for the sanitizer */
	SL_ASSERT(bytes);
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1 && size - 1 >= sizeof(struct object_header))
		set_sum(bytes, size - 1);
	if (!sl_object_open(bytes, size - 1, &o)) {
		sl_value_visit(sl_object_properties(o), "[].a[0]", ignore, NULL);
		sl_value_visit(sl_object_properties(o), "a.b", ignore, NULL);
		print(o, SL_JSON_POINT);
		print(o, SL_JSON_OBJECT);
		build_again(o);
	}
	free(bytes);
	return 0;
}
