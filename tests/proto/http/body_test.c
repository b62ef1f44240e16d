// SPDX-License-Identifier: Apache-2.0
/* Chunks on memory; bodies over sockets are in serve_test.c. */
#include <errno.h>
#include <string.h>

#include "corpus.h"
#include "harness.h"
#include "proto/http/head.h"
#include "proto/http/request.h"

#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct http_request rq;

/* Parses the head of @bytes. Return: where its body begins. */
static size_t begin(const char *bytes, size_t n)
{
	struct http_scan s = {0};
	ssize_t end = http_head_scan(&s, (const uint8_t *)bytes, n, 1 << 16);

	ASSERT_LT(0, end);
	ASSERT_EQ(0, http_request_parse(&rq, (const uint8_t *)bytes, (size_t)end, s.begin));
	return (size_t)end;
}

/* Decodes @n bytes in steps of @step. Return: content's length in @out, or the error. */
static ssize_t decode(const char *in, size_t n, size_t step, char *out, size_t *ret_used)
{
	size_t done = 0, got = 0;

	while (done < n && !rq.body.done) {
		size_t used;
		ssize_t k = http_chunked_decode(&rq, (const uint8_t *)in + done,
						sl_min(step, n - done), (uint8_t *)out + got,
						&used);

		if (k < 0)
			return k;
		done += used;
		got += (size_t)k;
	}
	*ret_used = done;
	return (ssize_t)got;
}

TEST(chunks_are_joined_however_they_are_cut_up)
{
	static const char text[] = CHUNKED "5\r\nhello\r\n1;name=\"v\"\r\n,\r\n6;x\r\n world\r\n"
					   "000\r\nTrailer: t\r\n\r\nGET /next";

	for (size_t step = 1; step < sizeof(text); step++) {
		size_t at = begin(text, sizeof(text) - 1), used = 0;
		char out[sizeof(text)];

		ASSERT_EQ(12, decode(text + at, sizeof(text) - 1 - at, step, out, &used));
		EXPECT_MEMEQ("hello, world", out, 12);
		EXPECT_TRUE(rq.body.done);
		EXPECT_STREQ("GET /next", text + at + used);
		EXPECT_EQ(12, rq.body.got);
		EXPECT_EQ(1 + 1, rq.fields_n);
	}
}

TEST(body_without_content_ends)
{
	static const char text[] = CHUNKED "0\r\n\r\n";
	size_t at = begin(text, sizeof(text) - 1), used = 0;
	char out[16];

	EXPECT_EQ(0, decode(text + at, 5, 5, out, &used));
	EXPECT_EQ(5, used);
	EXPECT_TRUE(rq.body.done);
}

TEST(chunks_behind_an_offered_upgrade_are_a_body)
{
	static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
				   "Upgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "2\r\nab\r\n0\r\n\r\n";
	size_t at = begin(text, sizeof(text) - 1), used = 0;
	char out[32];

	EXPECT_EQ(2, decode(text + at, sizeof(text) - 1 - at, 3, out, &used));
	EXPECT_TRUE(rq.body.done);
	EXPECT_EQ(sizeof(text) - 1 - at, used);
}

TEST(unsound_chunks_are_refused_however_they_are_cut_up)
{
	int rows = 0;

	for (size_t i = 0; i < corpus_n; i++) {
		const struct corpus_row *r = &corpus[i];

		if (r->status)
			continue;
		rows++;
		for (size_t step = 1; step < 40; step++) {
			size_t at = begin(r->bytes, r->n), used = 0;
			char out[256];
			ssize_t got = decode(r->bytes + at, r->n - at, step, out, &used);

			if (!EXPECT_EQ(-EPROTO, got))
				TH_LOG("in %s by %zu: done %d used %zu", r->name, step,
				       rq.body.done, used);
		}
	}
	EXPECT_LT(10, rows);
}

TEST(content_over_the_limit_is_refused)
{
	static const char text[] = CHUNKED "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n";
	size_t at = begin(text, sizeof(text) - 1), used = 0;
	char out[64];

	rq.body.max = 9;
	EXPECT_EQ(-EMSGSIZE, decode(text + at, sizeof(text) - 1 - at, 1, out, &used));
	at = begin(text, sizeof(text) - 1);
	rq.body.max = 10;
	EXPECT_EQ(10, decode(text + at, sizeof(text) - 1 - at, 1, out, &used));
}

/* A chunk of one byte with an extension of thousands, or trailers without end. */
TEST(framing_without_content_is_refused)
{
	static char text[1 << 16] = CHUNKED "1;";
	size_t at = begin(text, strlen(text)), used = 0;
	static char out[1 << 16];

	memset(text + at + 2, 'x', sizeof(text) - at - 2);
	EXPECT_EQ(-EPROTO, decode(text + at, sizeof(text) - at, 1000, out, &used));
	EXPECT_LT(rq.body.fed, 20000);
}

TEST_HARNESS_MAIN
