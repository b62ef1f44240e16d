/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as the JSON of an object: it is refused, or an object that can be read comes of it;
 * that of a point, printed and read again, is the same object.
 */
#include <stdlib.h>

#include "vectors/object_pvt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sl_object_hint hints[] = {
	{"d", SL_VALUE_DATE}, {"u", SL_VALUE_UUID},   {"g", SL_VALUE_GEO},
	{"b", SL_VALUE_BLOB}, {"n", SL_VALUE_NUMBER}, {"a.d", SL_VALUE_DATE},
};

static uint8_t *build(struct sl_object_builder *b, const struct sl_object **ret_object)
{
	uint8_t *bytes;
	size_t n;

	SL_ASSERT(!sl_object_build_bytes(b, &n));
	bytes = malloc(n);
	SL_ASSERT(bytes);
	SL_ASSERT(!sl_object_build(b, bytes, n));
	SL_ASSERT(!sl_object_open(bytes, n, ret_object));
	SL_ASSERT(sl_object_bytes(*ret_object) == n);
	return bytes;
}

static int read_text(struct sl_object_builder *b, enum sl_object_json form, const char *text,
		     size_t n)
{
	char why[64];

	sl_object_builder_reset(b);
	return sl_object_put_json(b, form, text, n, hints, SL_ARRAY_SIZE(hints), why, sizeof(why));
}

static void use(struct sl_object_builder *b, enum sl_object_json form)
{
	const struct sl_object *o, *again;
	uint8_t *bytes = build(b, &o), *again_bytes;
	char *text;
	size_t n;

	SL_ASSERT(!sl_object_to_json(o, form, &text, &n));
	if (form == SL_JSON_POINT) {
		SL_ASSERT(!read_text(b, form, text, n));
		again_bytes = build(b, &again);
		SL_ASSERT(!sl_object_compare(o, again));
		free(again_bytes);
	}
	free(text);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sl_object_json form;
	struct sl_object_builder *b;

	if (size < 1)
		return 0;
	form = data[0] % SL_JSON_LAST;
	SL_ASSERT(!sl_object_builder_new(&b));
	if (!read_text(b, form, (const char *)data + 1, size - 1))
		use(b, form);
	sl_object_builder_free(b);
	return 0;
}
