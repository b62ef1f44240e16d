// SPDX-License-Identifier: Apache-2.0
/*
 * tools/sluice/client*.c against a started sluiced, and against peers that do not speak Kafka.
 */
#include "tools/sluice/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults/daemon.h"
#include "harness.h"

/* ---- against sluiced -------------------------------------------------------------------- */

FIXTURE(client)
{
	struct daemon_kit d;
	struct client *c;
	char bootstrap[64];
};

FIXTURE_SETUP(client)
{
	struct client_conf conf = {.bootstrap = self->bootstrap, .timeout_ns = 10 * SL_SEC};

	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	/* The first address does not answer; the second does. */
	snprintf(self->bootstrap, sizeof(self->bootstrap), "127.0.0.1:1,127.0.0.1:%u",
		 self->d.kafka_port);
	ASSERT_EQ(0, client_new(&conf, &self->c));
}

FIXTURE_TEARDOWN(client)
{
	client_free(self->c);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

TEST_F(client, topics_come_and_go)
{
	struct client_setting setting = {KAFKA_STR("retention.ms"), KAFKA_STR("60000")};
	struct client_topic t, *all;
	size_t n;

	ASSERT_EQ(0, client_topic_create(self->c, "a", 3, &setting, 1));
	ASSERT_EQ(0, client_topic_create(self->c, "b", -1, NULL, 0));
	EXPECT_EQ(KAFKA_ERR_TOPIC_ALREADY_EXISTS, client_topic_create(self->c, "a", 1, NULL, 0));
	EXPECT_NOT_NULL(strstr(client_error(self->c), "TOPIC_ALREADY_EXISTS"));
	ASSERT_EQ(0, client_topic_find(self->c, "a", false, &t));
	EXPECT_EQ(3, t.partitions_n);
	EXPECT_EQ(2, t.partitions[2].index);
	EXPECT_FALSE(kafka_uuid_is_zero(t.id));
	client_topic_done(&t);
	ASSERT_EQ(0, client_topics(self->c, &all, &n));
	ASSERT_EQ(2, n);
	EXPECT_STREQ("a", all[0].name);
	EXPECT_STREQ("b", all[1].name);
	client_topics_free(all, n);
	ASSERT_EQ(0, client_topic_delete(self->c, "a"));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, client_topic_delete(self->c, "a"));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, client_topic_find(self->c, "a", false, &t));
}

TEST_F(client, bad_settings_are_refused)
{
	struct client_setting setting = {KAFKA_STR("no.such.setting"), KAFKA_STR("1")};

	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, client_topic_create(self->c, "a", 1, &setting, 1));
	EXPECT_EQ(KAFKA_ERR_INVALID_TOPIC_EXCEPTION,
		  client_topic_create(self->c, "no/slash", 1, NULL, 0));
}

static int one_record(const char **ret_p, size_t *ret_len, struct sl_batch_builder *b, int64_t ms)
{
	struct sl_record r = {.time_ms = ms, .value = (const uint8_t *)"hello", .value_bytes = 5};
	int err = sl_batch_builder_add(b, &r, NULL, 0);

	return err ? err : sl_batch_builder_finish(b, (const uint8_t **)ret_p, ret_len);
}

TEST_F(client, what_is_produced_is_fetched_and_found_by_time)
{
	struct client_fetch f = {.partition = 0, .bytes_max = 1 << 20, .wait_ms = 1000};
	struct sl_batch_builder *b;
	struct client_records r;
	struct client_topic t;
	int64_t base = -7, offset;
	const char *batch;
	size_t len;

	ASSERT_EQ(0, client_topic_create(self->c, "a", 1, NULL, 0));
	ASSERT_EQ(0, client_topic_find(self->c, "a", false, &t));
	ASSERT_EQ(0, sl_batch_builder_new(SL_CODEC_NONE, &b));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, one_record(&batch, &len, b, 1000 + i));
		ASSERT_EQ(0, client_produce(self->c, &t, 0, i == 1 ? 1 : -1, batch, len, &base));
		EXPECT_EQ(i, base);
	}
	ASSERT_EQ(0, client_offset(self->c, &t, 0, CLIENT_LATEST, &offset));
	EXPECT_EQ(3, offset);
	ASSERT_EQ(0, client_offset(self->c, &t, 0, CLIENT_EARLIEST, &offset));
	EXPECT_EQ(0, offset);
	ASSERT_EQ(0, client_offset(self->c, &t, 0, 1001, &offset));
	EXPECT_EQ(1, offset);
	ASSERT_EQ(0, client_offset(self->c, &t, 0, 2000, &offset));
	EXPECT_EQ(-1, offset);
	ASSERT_EQ(0, client_fetch(self->c, &t, &f, &r));
	EXPECT_EQ(3 * len, r.len);
	EXPECT_EQ(3, r.high_watermark);
	client_records_done(&r);
	f.offset = 99;
	EXPECT_EQ(KAFKA_ERR_OFFSET_OUT_OF_RANGE, client_fetch(self->c, &t, &f, &r));
	f.partition = 5;
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, client_fetch(self->c, &t, &f, &r));
	client_topic_done(&t);
	sl_batch_builder_free(b);
}

TEST_F(client, unacknowledged_batches_arrive_all_the_same)
{
	struct client_fetch f = {.partition = 0, .bytes_max = 1 << 20, .wait_ms = 5000};
	struct sl_batch_builder *b;
	struct client_records r;
	struct client_topic t;
	int64_t base = -7;
	const char *batch;
	size_t len;

	ASSERT_EQ(0, client_topic_find(self->c, "auto", true, &t));
	ASSERT_EQ(0, sl_batch_builder_new(SL_CODEC_NONE, &b));
	ASSERT_EQ(0, one_record(&batch, &len, b, 1));
	ASSERT_EQ(0, client_produce(self->c, &t, 0, 0, batch, len, &base));
	EXPECT_EQ(-1, base);
	ASSERT_EQ(0, client_fetch(self->c, &t, &f, &r));
	EXPECT_EQ(len, r.len);
	client_records_done(&r);
	client_topic_done(&t);
	sl_batch_builder_free(b);
}

TEST_F(client, producer_ids_differ)
{
	int64_t a, b;
	int16_t epoch;

	ASSERT_EQ(0, client_producer_id(self->c, &a, &epoch));
	ASSERT_EQ(0, client_producer_id(self->c, &b, &epoch));
	EXPECT_NE(a, b);
}

TEST_F(client, connects_again_after_a_restart)
{
	struct client_topic t;

	ASSERT_EQ(0, client_topic_create(self->c, "a", 1, NULL, 0));
	daemon_set(&self->d, "kafka.listen=127.0.0.1:%u", self->d.kafka_port);
	ASSERT_EQ(0, daemon_stop(&self->d));
	EXPECT_GT(0, client_topic_find(self->c, "a", false, &t));
	daemon_must_start(&self->d);
	EXPECT_EQ(0, client_topic_find(self->c, "a", false, &t));
	client_topic_done(&t);
}

/* ---- against strangers ------------------------------------------------------------------ */

/* A listener whose one connection gets @answer, @n bytes; *@ret_port: where. */
static int stranger(const void *answer, size_t n, uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	char buf[4096];

	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&addr, &len));
	*ret_port = ntohs(addr.sin_port);
	if (fork())
		return listener;
	fd = accept(listener, NULL, NULL);
	if (recv(fd, buf, sizeof(buf), 0) > 0 && send(fd, answer, n, MSG_NOSIGNAL) == (ssize_t)n)
		shutdown(fd, SHUT_WR);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	_exit(0);
}

static void expect_stranger(const char *answer, size_t n, int want)
{
	char bootstrap[64];
	struct client_conf conf = {.bootstrap = bootstrap, .timeout_ns = 5 * SL_SEC};
	struct client *c;
	uint16_t port;
	int listener = stranger(answer, n, &port);

	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", port);
	EXPECT_EQ(want, client_new(&conf, &c));
	EXPECT_NOT_NULL(strstr(client_error(c), bootstrap));
	client_free(c);
	close(listener);
}

TEST(strangers_are_told_apart)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	static const char lying[] = "\x7f\xff\xff\xff";
	static const char wrong_id[] = "\0\0\0\x06\0\0\0\x63\0\0";
	static const char garbage[] = "\0\0\0\x08\0\0\0\x01\xff\xff\xff\xff";

	expect_stranger(http, sizeof(http) - 1, -EPROTO);
	expect_stranger(lying, sizeof(lying) - 1, -EPROTO);
	expect_stranger(wrong_id, sizeof(wrong_id) - 1, -EPROTO);
	expect_stranger(garbage, sizeof(garbage) - 1, -EPROTO);
	expect_stranger("", 0, -ECONNRESET);
}

TEST(bad_addresses_are_refused)
{
	struct client_conf conf = {.bootstrap = "a:b", .timeout_ns = SL_SEC};
	struct client *c;

	EXPECT_EQ(-EINVAL, client_new(&conf, &c));
	EXPECT_NOT_NULL(strstr(client_error(c), "'a:b'"));
	client_free(c);
}

TEST_HARNESS_MAIN
