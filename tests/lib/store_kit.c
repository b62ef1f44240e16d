/* SPDX-License-Identifier: Apache-2.0 */
/* A store of objects for tests of libsluice, and what is in it (store_kit.h). */
#include "store_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_kit.h"
#include "uring/uring.h"

struct sl_objects *store_open(const char *settings)
{
	struct sl_objects *o = NULL;
	char path[200], why[300];

	snprintf(path, sizeof(path), "%s/store", harness_tmpdir());
	if (!EXPECT_EQ(0, sl_objects_open(path, settings, &o, why, sizeof(why)))) {
		TH_LOG("%s", why);
		ASSERT_NOT_NULL(o);
	}
	return o;
}

static int create(struct sl_objects *o, const char *name, enum sl_index_kind kind, bool on_disk)
{
	const struct sl_objects_vector vector = {
		.name = "",
		.dim = STORE_DIM,
		.metric = SL_METRIC_L2,
		.component = SL_F32,
		.index = {.kind = kind},
		.on_disk = on_disk,
	};
	const struct sl_payload_conf index = {.path = "n", .type = SL_PAYLOAD_INTEGER};
	const struct sl_objects_conf conf = {
		.vectors = &vector,
		.vectors_n = 1,
		.indexes = &index,
		.indexes_n = 1,
		.strict = true,
		.meta = "meta",
		.meta_n = 4,
	};
	char why[200];
	int err = sl_objects_create(o, name, &conf, why, sizeof(why));

	if (err)
		TH_LOG("%s", why);
	return err;
}

int store_create(struct sl_objects *o, const char *name, enum sl_index_kind kind)
{
	return create(o, name, kind, false);
}

int store_create_on_disk(struct sl_objects *o, const char *name, enum sl_index_kind kind)
{
	return create(o, name, kind, true);
}

void store_vector(int64_t n, float ret_vector[STORE_DIM])
{
	uint64_t x = (uint64_t)n;

	for (int i = 0; i < STORE_DIM; i++) {
		x = sl_mix64(x + 1);
		ret_vector[i] = (float)(x % 1000) / 100;
	}
}

struct sl_object *store_object(uint64_t key, int64_t n)
{
	static const char *const texts[] = {"one", "two", "three"};
	const char *text = texts[(uint64_t)n % SL_ARRAY_SIZE(texts)];
	struct sl_object_builder *b;
	float vector[STORE_DIM];
	struct sl_object *o;
	size_t bytes;

	store_vector(n, vector);
	ASSERT_EQ(0, sl_object_builder_new(&b));
	sl_object_put_key_integer(b, key);
	ASSERT_EQ(0, sl_object_put_integer(b, SL_OBJECT_PROPERTIES, "n", n));
	ASSERT_EQ(0, sl_object_put_boolean(b, SL_OBJECT_PROPERTIES, "even", n % 2 == 0));
	ASSERT_EQ(0, sl_object_put_text(b, SL_OBJECT_PROPERTIES, "text", text, strlen(text)));
	ASSERT_EQ(0, sl_object_put_vector(b, "", SL_VECTOR_F32, vector, STORE_DIM));
	ASSERT_EQ(0, sl_object_build_bytes(b, &bytes));
	o = aligned_alloc(SL_OBJECT_ALIGN, sl_round_up(bytes, SL_OBJECT_ALIGN));
	ASSERT_NOT_NULL(o);
	ASSERT_EQ(0, sl_object_build(b, o, bytes));
	sl_object_builder_free(b);
	return o;
}

int store_put(struct sl_objects *o, const char *name, uint64_t from, uint32_t n, int64_t add)
{
	struct sl_objects_op *ops = calloc(n, sizeof(*ops));
	int err;

	ASSERT_NOT_NULL(ops);
	for (uint32_t i = 0; i < n; i++)
		ops[i] = (struct sl_objects_op){
			.kind = SL_OBJECTS_PUT,
			.object = store_object(from + i, (int64_t)(from + i) + add),
		};
	err = sl_objects_write(o, name, ops, n, false);
	for (uint32_t i = 0; i < n; i++) {
		if (!err)
			err = ops[i].result;
		free((void *)ops[i].object);
	}
	free(ops);
	return err;
}

int64_t store_number(struct sl_objects *o, const char *name, uint64_t key)
{
	struct sl_filter_key at = sl_objects_key_integer(key);
	struct sl_objects_hit hit;
	int64_t n = -1;
	int err = sl_objects_get(o, name, &at, 1, &hit);

	if (err)
		return err - 1000;
	if (hit.object)
		n = sl_value_integer(sl_value_find(sl_object_properties(hit.object), "n"));
	sl_objects_release(&hit, 1);
	return n;
}

int64_t store_count(struct sl_objects *o, const char *name)
{
	uint64_t n = 0;
	int err = sl_objects_count(o, name, NULL, true, &n);

	return err ? err : (int64_t)n;
}

int64_t store_nearest(struct sl_objects *o, const char *name, int64_t n)
{
	float vector[STORE_DIM];
	struct sl_objects_query q = {.vector = vector, .dim = STORE_DIM, .k = 1};
	int64_t key = -1;
	int err;

	store_vector(n, vector);
	err = sl_objects_search(o, name, &q, 1);
	if (err || q.result)
		return (err ? err : q.result) - 1000;
	if (q.n)
		key = (int64_t)store_key(&q.hits[0].key);
	sl_objects_queries_done(&q, 1);
	return key;
}

uint64_t store_key(const struct sl_filter_key *key)
{
	uint64_t n;

	ASSERT_EQ(SL_KEY_INTEGER, key->kind);
	memcpy(&n, key->key, sizeof(n));
	return n;
}

uint64_t store_stat(struct sl_objects *o, const char *name)
{
	struct lib_figure w = {.name = name};

	sl_objects_stat(o, lib_figure_note, &w);
	ASSERT_TRUE(w.found);
	return w.value;
}
