/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: creating, deleting, altering, views, names, what a restart finds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "allocs.h"
#include "topic_kit.h"

FIXTURE(topics)
{
	struct tk k;
};
FIXTURE_VARIANT(topics)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(topics, real){false};
FIXTURE_VARIANT_ADD(topics, sim){true};
FIXTURE_SETUP(topics)
{
	tk_init(&self->k, variant->sim ? sl_sim_new(harness_random(), NULL) : NULL);
}
FIXTURE_TEARDOWN(topics)
{
	if (self->k.sim)
		sl_sim_free(self->k.sim);
}

static int create_find(struct tk *k)
{
	struct sl_topics_view *view;
	const struct sl_topic *t;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, tk_create(k, "beta", 3));
	ASSERT_EQ(0, tk_create(k, "alpha", 1));
	EXPECT_EQ(SL_REFUSED_TOPIC_EXISTS, tk_create(k, "beta", 3));
	view = sl_topics_view(k->t);
	ASSERT_EQ(2, sl_topics_view_count(view));
	EXPECT_STREQ("alpha", sl_topics_view_at(view, 0)->name);
	t = sl_topics_view_at(view, 1);
	EXPECT_STREQ("beta", t->name);
	EXPECT_EQ(3, t->partitions);
	EXPECT_EQ(t, sl_topics_view_find(view, tk_str("beta")));
	EXPECT_EQ(t, sl_topics_view_find_id(view, &t->id));
	EXPECT_EQ(NULL, sl_topics_view_find(view, tk_str("bet")));
	EXPECT_EQ(NULL, sl_topics_view_find_id(view, &(struct sl_uuid){0}));
	sl_topics_view_release(view);
	return tk_close(k);
}

TEST_F(topics, are_found_by_name_and_id)
{
	EXPECT_EQ(0, tk_run(&self->k, create_find));
}

static int restart(struct tk *k)
{
	struct sl_topic_settings s = {0};
	struct sl_uuid id, other;
	const struct sl_topic *t;

	ASSERT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("12345")));
	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("a"), 7, &s, false, &id, SL_NEVER));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("b"), 1, NULL, false, &other, SL_NEVER));
	ASSERT_EQ(0, sl_topics_delete(k->t, &other, SL_NEVER));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	t = tk_topic(k, "a");
	ASSERT_NE(NULL, t);
	EXPECT_TRUE(sl_uuid_equal(&id, &t->id));
	EXPECT_EQ(7, t->partitions);
	EXPECT_EQ(1U << SL_TOPIC_RETENTION_MS, t->own.set);
	EXPECT_EQ(12345, t->in_force.value[SL_TOPIC_RETENTION_MS]);
	EXPECT_EQ(SL_MIB, t->in_force.value[SL_TOPIC_SEGMENT_BYTES]);
	EXPECT_EQ(NULL, tk_topic(k, "b"));
	return tk_close(k);
}

TEST_F(topics, are_there_after_a_restart)
{
	EXPECT_EQ(0, tk_run(&self->k, restart));
}

static int refuse(struct tk *k)
{
	char name[300];

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, tk_create(k, "my.topic", 1));
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, "my_topic", 1));
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, "", 1));
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, ".", 1));
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, "..", 1));
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, "a/b", 1));
	EXPECT_EQ(0, tk_create(k, "...", 1));
	memset(name, 'x', sizeof(name));
	name[249] = 0;
	EXPECT_EQ(0, tk_create(k, name, 1));
	name[249] = 'x';
	name[250] = 0;
	EXPECT_EQ(SL_REFUSED_BAD_NAME, tk_create(k, name, 1));
	EXPECT_EQ(SL_REFUSED_BAD_PARTITIONS, tk_create(k, "p", 0));
	EXPECT_EQ(SL_REFUSED_BAD_PARTITIONS, tk_create(k, "p", 101));
	EXPECT_EQ(0, tk_create(k, "p", 100));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	name[249] = 0;
	EXPECT_NE(NULL, tk_topic(k, name));
	return tk_close(k);
}

TEST_F(topics, names_and_counts_are_checked)
{
	EXPECT_EQ(0, tk_run(&self->k, refuse));
}

static int check_only(struct tk *k)
{
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, sl_topics_create(k->t, tk_str("c"), 1, NULL, true, NULL, SL_NEVER));
	EXPECT_EQ(NULL, tk_topic(k, "c"));
	EXPECT_EQ(0, tk_create(k, "c", 1));
	EXPECT_EQ(SL_REFUSED_TOPIC_EXISTS,
		  sl_topics_create(k->t, tk_str("c"), 1, NULL, true, NULL, SL_NEVER));
	return tk_close(k);
}

TEST_F(topics, a_check_creates_nothing)
{
	EXPECT_EQ(0, tk_run(&self->k, check_only));
}

static int delete_again(struct tk *k)
{
	struct tk_batch b = tk_one(5);
	struct sl_uuid first, second;
	int64_t numbers[4];

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("d"), 2, NULL, false, &first, SL_NEVER));
	ASSERT_EQ(0, tk_append(k, "d", 0, &b, NULL));
	ASSERT_EQ(0, sl_topics_delete(k->t, &first, SL_NEVER));
	EXPECT_EQ(NULL, tk_topic(k, "d"));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_TOPIC_ID, sl_topics_delete(k->t, &first, SL_NEVER));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("d"), 2, NULL, false, &second, SL_NEVER));
	EXPECT_FALSE(sl_uuid_equal(&first, &second));
	EXPECT_EQ(0, tk_end(k, "d", 0));
	EXPECT_EQ(0, tk_read(k, "d", 0, 0, numbers, 4));
	return tk_close(k);
}

TEST_F(topics, made_anew_are_empty)
{
	EXPECT_EQ(0, tk_run(&self->k, delete_again));
}

/* A caller that still holds an old view gets an answer, not a new partition. */
static int old_view(struct tk *k)
{
	struct sl_topic_append a = {0};
	struct tk_batch b = tk_one(1);
	struct sl_topics_view *view;
	struct sl_uuid id;
	struct iovec iov;
	void *p;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("o"), 2, NULL, false, &id, SL_NEVER));
	view = sl_topics_view(k->t);
	a.topic = sl_topics_view_find(view, tk_str("o"));
	ASSERT_EQ(0, sl_topics_delete(k->t, &id, SL_NEVER));
	sl_sleep(sl_now() + 50 * SL_MSEC);
	p = iov.iov_base = tk_batch_make(&b, &iov.iov_len);
	EXPECT_EQ(SL_REFUSED_UNKNOWN_PARTITION, sl_topic_append(k->t, &a, &iov, 1, SL_NEVER));
	free(p);
	sl_topics_view_release(view);
	return tk_close(k);
}

TEST_F(topics, deleted_ones_take_no_appends)
{
	EXPECT_EQ(0, tk_run(&self->k, old_view));
}

static int alter(struct tk *k)
{
	struct sl_topic_settings s = {0};
	struct tk_batch b = tk_one(1);
	struct sl_uuid id;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("e"), 2, NULL, false, &id, SL_NEVER));
	ASSERT_EQ(0, tk_append(k, "e", 1, &b, NULL));
	ASSERT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_MAX_MESSAGE_BYTES, tk_str("300")));
	EXPECT_EQ(SL_REFUSED_BAD_PARTITIONS, sl_topics_alter(k->t, &id, 2, &s, false, SL_NEVER));
	ASSERT_EQ(0, sl_topics_alter(k->t, &id, 5, &s, false, SL_NEVER));
	EXPECT_EQ(5, tk_topic(k, "e")->partitions);
	ASSERT_EQ(0, tk_append(k, "e", 4, &b, NULL));
	b.padding = 300;
	EXPECT_EQ(SL_REFUSED_BATCH_TOO_LARGE, tk_append(k, "e", 4, &b, NULL));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(5, tk_topic(k, "e")->partitions);
	EXPECT_EQ(300, tk_topic(k, "e")->in_force.value[SL_TOPIC_MAX_MESSAGE_BYTES]);
	EXPECT_EQ(1, tk_end(k, "e", 1));
	return tk_close(k);
}

TEST_F(topics, take_new_settings_and_partitions)
{
	EXPECT_EQ(0, tk_run(&self->k, alter));
}

static int defaults(struct tk *k)
{
	struct sl_topics_conf conf;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, tk_create(k, "f", 1));
	conf = k->conf;
	conf.batch_bytes_max = 4321;
	sl_topics_configure(k->t, &conf);
	for (int i = 0; i < 10000; i++) {
		if (tk_topic(k, "f")->in_force.value[SL_TOPIC_MAX_MESSAGE_BYTES] == 4321)
			break;
		sl_sleep(sl_now() + SL_MSEC);
	}
	EXPECT_EQ(4321, tk_topic(k, "f")->in_force.value[SL_TOPIC_MAX_MESSAGE_BYTES]);
	return tk_close(k);
}

TEST_F(topics, follow_new_defaults)
{
	EXPECT_EQ(0, tk_run(&self->k, defaults));
}

/* Many partitions cost nothing until they are used. */
static int many(struct tk *k)
{
	struct tk_batch b = tk_one(1);
	int64_t began;

	k->conf.partitions_max = 10000;
	ASSERT_EQ(0, tk_open(k));
	began = sl_clock_ns();
	ASSERT_EQ(0, tk_create(k, "g", 10000));
	EXPECT_GT(SL_SEC, sl_clock_ns() - began);
	ASSERT_EQ(0, tk_append(k, "g", 9999, &b, NULL));
	EXPECT_EQ(0, tk_end(k, "g", 9998));
	EXPECT_EQ(1, tk_end(k, "g", 9999));
	return tk_close(k);
}

TEST_F(topics, ten_thousand_partitions_are_quick)
{
	EXPECT_EQ(0, tk_run(&self->k, many));
}

static int strangers(struct tk *k)
{
	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, tk_create(k, "h", 1));
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, "topics/who-is-this", 0700, SL_NEVER));
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, "topics/x.0123456789abcdef0123456789abcdef", 0700,
			      SL_NEVER));
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, "topics/deleted-0123456789abcdef0123456789abcdef",
			      0700, SL_NEVER));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(2, k->events[SL_TOPICS_SKIPPED]);
	EXPECT_NE(NULL, tk_topic(k, "h"));
	EXPECT_EQ(NULL, tk_topic(k, "x"));
	ASSERT_EQ(0, tk_close(k));
	EXPECT_EQ(1, k->events[SL_TOPICS_FINISHED]);
	return 0;
}

TEST_F(topics, folders_that_are_no_topics_are_passed_over)
{
	EXPECT_EQ(0, tk_run(&self->k, strangers));
}

TEST(settings_are_named_and_checked)
{
	struct sl_topic_settings s = {0};
	char text[32];

	EXPECT_EQ(SL_TOPIC_KEY_LAST, sl_topic_key_find(tk_str("cleanup")));
	EXPECT_EQ(SL_TOPIC_KEY_LAST, sl_topic_key_find((struct sl_str){0}));
	for (unsigned k = 0; k < SL_TOPIC_KEY_LAST; k++)
		EXPECT_EQ(k, sl_topic_key_find(tk_str(sl_topic_key_name(k))));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_CLEANUP_POLICY, tk_str("compact")));
	EXPECT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_CLEANUP_POLICY, tk_str("delete")));
	EXPECT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("-1")));
	EXPECT_EQ(-1, s.value[SL_TOPIC_RETENTION_MS]);
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("-2")));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("")));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("-")));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("1x")));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, tk_str("99999999999999999999")));
	EXPECT_EQ(SL_REFUSED_BAD_CONFIG,
		  sl_topic_settings_set(&s, SL_TOPIC_RETENTION_MS, (struct sl_str){0}));
	EXPECT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_DURABILITY, tk_str("none")));
	EXPECT_EQ(SL_DURABILITY_NONE, s.value[SL_TOPIC_DURABILITY]);
	EXPECT_EQ(4, sl_topic_value_text(SL_TOPIC_DURABILITY, SL_DURABILITY_NONE, text, 32));
	EXPECT_STREQ("none", text);
	EXPECT_EQ(2, sl_topic_value_text(SL_TOPIC_RETENTION_BYTES, -1, text, 32));
	EXPECT_STREQ("-1", text);
}

/* ---- without memory ----------------------------------------------------------------------- */

static int create_m(struct tk *k)
{
	return tk_create(k, "m", 1);
}

static int grow_m(struct tk *k)
{
	return sl_topics_alter(k->t, &tk_topic(k, "m")->id, 2, NULL, false, SL_NEVER);
}

static int delete_m(struct tk *k)
{
	return sl_topics_delete(k->t, &tk_topic(k, "m")->id, SL_NEVER);
}

static uint32_t partitions_of_m(struct tk *k)
{
	const struct sl_topic *t = tk_topic(k, "m");

	return t ? t->partitions : 0;
}

/* "m" has @n partitions, and nothing else of it is left. 0: there is none. */
static void prepare_m(struct tk *k, uint32_t n)
{
	if (partitions_of_m(k))
		ASSERT_EQ(0, delete_m(k));
	if (n)
		ASSERT_EQ(0, tk_create(k, "m", n));
}

/* Fails each allocation of @change in turn. What it says then is what is so, here and at the next
 * start. */
static void change_without_memory(struct tk *k, int (*change)(struct tk *k), uint32_t before,
				  uint32_t after)
{
	unsigned long nth = 0, made, failed = 0;

	do {
		unsigned long from;
		int rc;

		prepare_m(k, before);
		from = allocs_counted();
		allocs_fail(++nth);
		rc = change(k);
		allocs_fail(0);
		made = allocs_counted() - from;
		failed += rc != 0;
		EXPECT_EQ(rc ? before : after, partitions_of_m(k));
		ASSERT_EQ(0, tk_close(k));
		ASSERT_EQ(0, tk_open(k));
		EXPECT_EQ(rc ? before : after, partitions_of_m(k));
	} while (nth <= made);
	EXPECT_LT(0, failed);
}

static int without_memory(struct tk *k)
{
	ASSERT_EQ(0, tk_open(k));
	change_without_memory(k, create_m, 0, 1);
	change_without_memory(k, grow_m, 1, 2);
	change_without_memory(k, delete_m, 2, 0);
	return tk_close(k);
}

/* On the real disk: the simulated one cannot do without memory. */
TEST(changes_without_memory_change_nothing)
{
	struct tk k;

	if (!allocs_can_count())
		SKIP(return, "a sanitizer has the allocator");
	tk_init(&k, NULL);
	EXPECT_EQ(0, tk_run(&k, without_memory));
}

TEST_HARNESS_MAIN
