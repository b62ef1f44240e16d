// SPDX-License-Identifier: Apache-2.0
/* Responses in pieces, over a wire that notes what it is asked for; real ones are in h1_test.c. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "proto/http/wire.h"

static struct http_request rq;
static struct http_response rs;
static char calls[64];
static int next_err;

static int note(char call)
{
	int err = next_err;

	calls[strlen(calls)] = call;
	next_err = 0;
	return err;
}

static int note_begin(struct http_request *r, struct http_response *s, uint64_t bytes,
		      int64_t deadline)
{
	return note('b');
}

static int note_send(struct http_request *r, struct sl_part *parts, uint32_t n, int64_t deadline)
{
	for (uint32_t i = 0; i < n; i++)
		sl_part_release(&parts[i]);
	return note('s');
}

static int note_end(struct http_request *r, int64_t deadline)
{
	return note('e');
}

static int note_interim(struct http_request *r, int status, const char *lines, size_t n,
			int64_t deadline)
{
	return note('i');
}

static const struct http_wire wire = {
	.begin = note_begin, .send = note_send, .end = note_end, .interim = note_interim};

static int begin(enum http_method m, int status, uint64_t bytes)
{
	memset(calls, 0, sizeof(calls));
	rq = (struct http_request){.wire = &wire, .method = m};
	http_response_init(&rs);
	rs.status = status;
	return http_stream_begin(&rq, &rs, bytes, SL_NEVER);
}

/* Sends @n bytes of a buf, of which no reference may be left. */
static int send_bytes(size_t n)
{
	struct sl_buf *buf = sl_buf_new(1024);
	struct sl_part parts[2];
	int err;

	ASSERT_NOT_NULL(buf);
	parts[0] = sl_part_slice(sl_slice_of(buf, 0, 0));
	parts[1] = sl_part_slice(sl_slice_of(buf, 0, n));
	err = http_stream_send(&rq, parts, 2, SL_NEVER);
	EXPECT_EQ(1, buf->refs);
	sl_buf_release(buf);
	return err;
}

TEST(what_was_promised_is_sent)
{
	ASSERT_EQ(0, begin(HTTP_M_GET, 200, 10));
	EXPECT_EQ(0, send_bytes(4));
	EXPECT_EQ(0, send_bytes(0));
	EXPECT_EQ(0, send_bytes(6));
	EXPECT_EQ(0, http_stream_end(&rq, SL_NEVER));
	EXPECT_TRUE(rq.out.ended);
	EXPECT_STREQ("bsse", calls);
}

TEST(body_of_unknown_length_takes_any)
{
	ASSERT_EQ(0, begin(HTTP_M_GET, 200, HTTP_BYTES_UNKNOWN));
	EXPECT_EQ(0, send_bytes(1000));
	EXPECT_EQ(0, send_bytes(1000));
	EXPECT_EQ(0, http_stream_end(&rq, SL_NEVER));
	EXPECT_STREQ("bsse", calls);
}

TEST(more_than_promised_is_not_sent)
{
	ASSERT_EQ(0, begin(HTTP_M_GET, 200, 10));
	EXPECT_EQ(-EMSGSIZE, send_bytes(11));
	EXPECT_EQ(-EMSGSIZE, send_bytes(1));
	EXPECT_EQ(-EMSGSIZE, http_stream_end(&rq, SL_NEVER));
	EXPECT_FALSE(rq.out.ended);
	EXPECT_STREQ("b", calls);
}

TEST(less_than_promised_is_no_end)
{
	ASSERT_EQ(0, begin(HTTP_M_GET, 200, 10));
	EXPECT_EQ(0, send_bytes(9));
	EXPECT_EQ(-EPROTO, http_stream_end(&rq, SL_NEVER));
	EXPECT_FALSE(rq.out.ended);
	EXPECT_STREQ("bs", calls);
}

TEST(head_and_statuses_without_body_send_nothing)
{
	static const struct {
		enum http_method m;
		int status;
	} rows[] = {{HTTP_M_HEAD, 200}, {HTTP_M_GET, 204}, {HTTP_M_GET, 304}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, begin(rows[i].m, rows[i].status, 10));
		EXPECT_EQ(0, send_bytes(500));
		EXPECT_EQ(0, http_stream_end(&rq, SL_NEVER));
		EXPECT_STREQ("be", calls);
	}
}

TEST(failure_is_told_by_each_later_call)
{
	ASSERT_EQ(0, begin(HTTP_M_GET, 200, 100));
	next_err = -ECONNRESET;
	EXPECT_EQ(-ECONNRESET, send_bytes(1));
	EXPECT_EQ(-ECONNRESET, send_bytes(1));
	EXPECT_EQ(-ECONNRESET, http_stream_end(&rq, SL_NEVER));
	EXPECT_STREQ("bs", calls);
	next_err = -ENOMEM;
	EXPECT_EQ(-ENOMEM, begin(HTTP_M_GET, 200, 100));
	EXPECT_EQ(-ENOMEM, send_bytes(1));
	EXPECT_STREQ("b", calls);
}

TEST(interim_response_is_the_wires)
{
	memset(calls, 0, sizeof(calls));
	rq = (struct http_request){.wire = &wire};
	EXPECT_EQ(0, http_interim(&rq, 103, "", 0, SL_NEVER));
	next_err = -ENOMEM;
	EXPECT_EQ(-ENOMEM, http_interim(&rq, 100, NULL, 0, SL_NEVER));
	EXPECT_STREQ("ii", calls);
}

TEST_HARNESS_MAIN
