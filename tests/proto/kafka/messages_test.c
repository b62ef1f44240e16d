// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold of the tables whatever rows are added to messages.def. Which fields a message
 * has is tested by known bytes in codec_test.
 */
#include <string.h>

#include "harness.h"
#include "proto/kafka/messages.h"

static void check_field(const struct kafka_schema *schema, const struct kafka_field *f,
			int flexible_since)
{
	bool ok = EXPECT_LE(f->since, f->until) && EXPECT_LT(f->offset, schema->size);

	ok = ok && EXPECT_LT(f->type, KAFKA_T_LAST);
	if (f->is_nullable)
		ok = ok && EXPECT_LE(f->since, f->nullable_since) &&
		     EXPECT_LE(f->nullable_since, f->until);
	if (f->is_null_default)
		ok = ok && EXPECT_TRUE(f->is_nullable);
	if (f->is_tagged)
		ok = ok && EXPECT_LE(flexible_since, f->since) && EXPECT_LT(f->tag, 32) &&
		     EXPECT_NE(KAFKA_T_RECORDS, f->type);
	if (f->type == KAFKA_T_STRUCT || (f->type == KAFKA_T_ARRAY && f->elem == KAFKA_T_STRUCT))
		ok = ok && EXPECT_NOT_NULL(f->schema) && EXPECT_FALSE(f->schema->is_message);
	else
		ok = ok && EXPECT_NULL(f->schema);
	if (f->dflt)
		ok = ok && EXPECT_LE(f->type, KAFKA_T_INT64);
	if (!ok)
		TH_LOG("%s.%s", schema->name, f->name);
}

/* @since, @until: the versions in which the struct itself occurs. */
static void check_schema(const struct kafka_schema *schema, int since, int until,
			 int flexible_since)
{
	int last_tag = -1;
	bool filled = false;

	EXPECT_LT(0, schema->fields_n);
	for (unsigned i = 0; i < schema->fields_n; i++) {
		const struct kafka_field *f = &schema->fields[i];

		check_field(schema, f, flexible_since);
		/* A row that no version of the message reaches is a slip. */
		EXPECT_LE(sl_max(f->since, since), sl_min(f->until, until));
		filled = filled || (f->since <= since && !f->is_tagged);
		if (f->is_tagged) {
			EXPECT_LT(last_tag, f->tag);
			last_tag = f->tag;
		}
		if (f->schema)
			check_schema(f->schema, sl_max(f->since, since), sl_min(f->until, until),
				     flexible_since);
	}
	/* An element must take at least one byte, or counts could not be checked. */
	if (!schema->is_message && !EXPECT_TRUE(filled))
		TH_LOG("%s", schema->name);
}

TEST(tables_are_consistent)
{
	int apis = 0;

	for (int key = -1; key <= KAFKA_API_LAST; key++) {
		const struct kafka_api_info *info = kafka_api_find(key);

		if (!info)
			continue;
		apis++;
		EXPECT_EQ(key, info->key);
		EXPECT_LE(0, info->min);
		EXPECT_LE(info->min, info->max);
		EXPECT_TRUE(info->request->is_message && info->response->is_message);
		EXPECT_EQ(0, strncmp(info->name, info->request->name, strlen(info->name)));
		EXPECT_EQ(0, strncmp(info->name, info->response->name, strlen(info->name)));
		EXPECT_EQ(info->min, info->request->min);
		EXPECT_EQ(info->max, info->response->max);
		check_schema(info->request, info->min, info->max, info->flexible_since);
		check_schema(info->response, info->min, info->max, info->flexible_since);
	}
	EXPECT_EQ(24, apis);
}

TEST(keys_that_are_not_known_have_no_row)
{
	EXPECT_NULL(kafka_api_find(-1));
	EXPECT_NULL(kafka_api_find(4));
	EXPECT_NULL(kafka_api_find(KAFKA_API_LAST));
	EXPECT_NULL(kafka_api_find(32767));
	EXPECT_NULL(kafka_api_find(-32768));
}

TEST(members_have_the_shape_of_arrays)
{
	struct kafka_metadata_response m;

	EXPECT_EQ(sizeof(struct kafka_array), sizeof(m.brokers));
	EXPECT_EQ(offsetof(struct kafka_array, n),
		  (size_t)((char *)&m.brokers.n - (char *)&m.brokers));
	EXPECT_EQ(sizeof(struct kafka_array), sizeof(m.topics));
}

TEST(advertised_versions_are_in_range)
{
	int rows = 0;

#define X(id, nm, lowest, highest, flexible)                                                       \
	do {                                                                                       \
		const struct kafka_api_info *info = kafka_api_find(KAFKA_##id);                    \
		ASSERT_NOT_NULL(info);                                                             \
		EXPECT_STREQ(#nm, info->name);                                                     \
		EXPECT_GE(info->max, highest);                                                     \
		if (KAFKA_##id != KAFKA_PRODUCE)                                                   \
			EXPECT_LE(info->min, lowest);                                              \
		rows++;                                                                            \
	} while (0);
#include "proto/kafka/apis.def"
#undef X
	EXPECT_LE(15, rows);
}

TEST_HARNESS_MAIN
