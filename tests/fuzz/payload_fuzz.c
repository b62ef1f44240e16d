/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as saved payload indexes, with and without a right sum: they are refused, or they can
 * be asked, changed, and are saved as they came.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <sluice/assert.h>

#include "vectors/filter_kit.h"
#include "vectors/saved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int skip(void *arg, const struct sl_operand *value, uint32_t row)
{
	return value->type == SL_VALUE_NULL;
}

static void ask_one(struct sl_payload *p, const struct sl_filter *f)
{
	struct sl_estimate e = sl_payload_estimate(p, f);
	struct sl_row_set *set;
	uint64_t words[16];
	bool exact;

	SL_ASSERT(e.min <= e.max);
	SL_ASSERT(!sl_payload_rows(p, f, &set, &exact));
	SL_ASSERT(!sl_row_set_words(set, words, 1000));
	sl_row_set_free(set);
}

static void ask(struct sl_payload *p, const char *path)
{
	static const struct sl_place corners[] = {{-10, -10}, {10, -10}, {0, 20}};
	const struct sl_ring ring = {corners, 3};

	ask_one(p, MATCH(path, TEXT("a"), INTEGER(1), NUMBER(.5), BOOLEAN(true), DATE(0)));
	ask_one(p, NONE(EXCEPT(path, TEXT("a"))));
	ask_one(p, RANGE(path, .low = NUMBER(-1e300), .high = INTEGER(INT64_MAX)));
	ask_one(p, RANGE(path, .low = DATE(-1)));
	ask_one(p, RANGE(path, .high = TEXT("b")));
	ask_one(p, IN_TEXT(WORDS, path, "a b"));
	ask_one(p, IN_TEXT(LIKE, path, "*a?"));
	ask_one(p, FILTER(SL_FILTER_POLYGON, path, .rings = &ring, .ring_n = 1));
	ask_one(p, ALL(COUNT(path, 0, 2), NONE(IS_NULL(path)), IS_EMPTY(path)));
	ask_one(p, NESTED(path, MATCH("a", TEXT("a"))));
	sl_payload_facet(p, path, NULL, skip, NULL);
	sl_payload_order(p, path, true, NULL, skip, NULL);
}

static void use(struct sl_payload *p)
{
	struct sl_object_builder *b;
	const struct sl_object *o;
	uint8_t bytes[256];
	size_t n;

	SL_ASSERT(!sl_object_builder_new(&b));
	SL_ASSERT(!sl_object_put_text(b, SL_OBJECT_PROPERTIES, "a", "a b", 3));
	SL_ASSERT(!sl_object_build_bytes(b, &n) && n <= sizeof(bytes));
	SL_ASSERT(!sl_object_build(b, bytes, n));
	SL_ASSERT(!sl_object_open(bytes, n, &o));
	sl_object_builder_free(b);
	for (uint32_t i = 0; sl_payload_index_at(p, i, NULL); i++)
		ask(p, sl_payload_index_at(p, i, NULL)->path);
	ask(p, "a");
	if (!sl_payload_add(p, 7, o))
		SL_ASSERT(!sl_payload_remove(p, 7, o));
	ask(p, "a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = {.n = size, .room = size}, again;
	struct sl_payload *p;

	if (size < 9)
		return 0;
	b.p = malloc(size);
	again = (struct bytes){.p = malloc(size), .room = size};
	SL_ASSERT(b.p && again.p);
	memcpy(b.p, data + 1, --b.n);
	if (data[0] & 1)
		sl_store_le64(b.p + b.n - 8, XXH3_64bits(b.p, b.n - 8));
	if (!sl_payload_load(read_bytes, &b, NULL, NULL, &p)) {
		SL_ASSERT(!sl_payload_save(p, write_bytes, &again));
		SL_ASSERT(again.n == b.at && !memcmp(again.p, b.p, again.n));
		use(p);
		sl_payload_free(p);
	}
	free(b.p);
	free(again.p);
	return 0;
}
