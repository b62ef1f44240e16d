/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of topics, their folders' names, and the frame of small files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "harness.h"
#include "stores/topics/topic_meta_pvt.h"

static struct sl_topic example(void)
{
	struct sl_topic t = {.name = "orders.eu-1", .name_len = 11, .partitions = 12,
			     .created_ms = 1700000000123};

	for (int i = 0; i < 16; i++)
		t.id.b[i] = (uint8_t)(i * 17);
	t.own.set = 1U << SL_TOPIC_RETENTION_MS | 1U << SL_TOPIC_DURABILITY;
	t.own.value[SL_TOPIC_RETENTION_MS] = -1;
	t.own.value[SL_TOPIC_DURABILITY] = SL_DURABILITY_EACH;
	return t;
}

TEST(description_comes_back)
{
	struct sl_topic t = example(), back;
	struct blob_out b = {0};

	ASSERT_EQ(0, topic_meta_encode(&t, &b));
	ASSERT_EQ(0, topic_meta_decode(b.p, b.len, &back));
	EXPECT_STREQ(t.name, back.name);
	EXPECT_EQ(t.name_len, back.name_len);
	EXPECT_TRUE(sl_uuid_equal(&t.id, &back.id));
	EXPECT_EQ(12, back.partitions);
	EXPECT_EQ(1700000000123, back.created_ms);
	EXPECT_EQ(t.own.set, back.own.set);
	EXPECT_EQ(-1, back.own.value[SL_TOPIC_RETENTION_MS]);
	for (size_t n = 0; n < b.len; n++) {
		EXPECT_EQ(-EBADMSG, topic_meta_decode(b.p, n, &back));
		b.p[n] ^= 1;
		EXPECT_EQ(-EBADMSG, topic_meta_decode(b.p, b.len, &back));
		b.p[n] ^= 1;
	}
	blob_done(&b);
}

/* A newer sluice says who may read what it wrote. */
TEST(newer_versions_are_read_if_they_allow_it)
{
	struct sl_topic t = example(), back;
	struct blob_out b = {0};

	ASSERT_EQ(0, topic_meta_encode(&t, &b));
	sl_store_le16(b.p + 8, 9);
	sl_store_le64(b.p + b.len - 8, XXH3_64bits(b.p, b.len - 8));
	EXPECT_EQ(0, topic_meta_decode(b.p, b.len, &back));
	sl_store_le16(b.p + 10, 2);
	sl_store_le64(b.p + b.len - 8, XXH3_64bits(b.p, b.len - 8));
	EXPECT_EQ(-EPROTONOSUPPORT, topic_meta_decode(b.p, b.len, &back));
	blob_done(&b);
}

TEST(folders_are_told_apart)
{
	struct sl_topic t = example();
	char name[TOPIC_FOLDER_BYTES];

	topic_folder_name(&t, name);
	EXPECT_STREQ("orders.eu-1.00112233445566778899aabbccddeeff", name);
	EXPECT_EQ(TOPIC_FOLDER_TOPIC, topic_folder_kind(name));
	topic_folder_marked(TOPIC_NEW_PREFIX, &t.id, name);
	EXPECT_EQ(TOPIC_FOLDER_NEW, topic_folder_kind(name));
	topic_folder_marked(TOPIC_DELETED_PREFIX, &t.id, name);
	EXPECT_EQ(TOPIC_FOLDER_DELETED, topic_folder_kind(name));
	/* A topic may be called like that. */
	EXPECT_EQ(TOPIC_FOLDER_TOPIC,
		  topic_folder_kind("deleted-x.00112233445566778899aabbccddeeff"));
	EXPECT_EQ(TOPIC_FOLDER_OTHER, topic_folder_kind("deleted-x"));
	EXPECT_EQ(TOPIC_FOLDER_OTHER, topic_folder_kind(".00112233445566778899aabbccddeeff"));
	EXPECT_EQ(TOPIC_FOLDER_OTHER, topic_folder_kind("x.00112233445566778899aabbccddeefF"));
	memset(t.name, 'n', SL_TOPIC_NAME_MAX);
	t.name_len = SL_TOPIC_NAME_MAX;
	topic_folder_name(&t, name);
	EXPECT_GT(256, strlen(name));
	EXPECT_EQ(TOPIC_FOLDER_TOPIC, topic_folder_kind(name));
}

TEST(names_collide_by_dots_and_underscores_only)
{
	EXPECT_TRUE(topic_names_collide("a.b_c", "a_b.c"));
	EXPECT_FALSE(topic_names_collide("a.b", "a-b"));
	EXPECT_FALSE(topic_names_collide("a.b", "a.bc"));
}

TEST(strings_and_numbers_are_bounded)
{
	struct blob_out b = {0};
	struct blob_in in;

	blob_put_str(&b, (struct sl_str){"abc", 3});
	blob_put_str(&b, (struct sl_str){0});
	blob_put_str(&b, (struct sl_str){"", 0});
	blob_put_u32(&b, 1000);
	in = (struct blob_in){b.p, b.p + b.len, false};
	EXPECT_EQ(3, blob_get_str(&in).len);
	EXPECT_EQ(NULL, blob_get_str(&in).s);
	EXPECT_NE(NULL, blob_get_str(&in).s);
	EXPECT_EQ(0, blob_get_count(&in, 1));
	EXPECT_TRUE(in.bad);
	EXPECT_EQ(0, blob_get_u64(&in));
	EXPECT_FALSE(blob_complete(&in));
	blob_done(&b);
}

TEST_HARNESS_MAIN
