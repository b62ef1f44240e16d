// SPDX-License-Identifier: Apache-2.0
/* A response read as its bytes come. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apis/proxy/origin_read.h"
#include "harness.h"

/* What comes, @step bytes at a time; then the peer ends, or with @cut breaks off. */
struct wire {
	const char *p;
	size_t n, step;
	bool cut;
};

static ssize_t from_wire(void *arg, void *dst, size_t max, int64_t deadline)
{
	struct wire *w = arg;
	size_t n = sl_min(sl_min(max, w->step), w->n);

	(void)deadline;
	if (!n && w->cut)
		return -ECONNRESET;
	memcpy(dst, w->p, n);
	w->p += n;
	w->n -= n;
	return (ssize_t)n;
}

struct seen {
	int err; /* of the head, or of the body */
	uint32_t status, interim;
	uint64_t bytes;
	bool reusable;
	size_t body_n;
	char body[256], fields[512];
};

static void read_body(struct origin_reader *r, size_t max, struct seen *s)
{
	for (;;) {
		ssize_t n = origin_reader_body(r, s->body + s->body_n,
					       sl_min(max, sizeof(s->body) - s->body_n), SL_NEVER);

		s->err = n < 0 ? (int)n : 0;
		if (n <= 0)
			return;
		s->body_n += (size_t)n;
		ASSERT_LT(s->body_n, sizeof(s->body));
	}
}

static struct seen look(struct wire w, bool is_head)
{
	struct origin_reader *r = origin_reader_new(from_wire, &w);
	struct seen s = {0};

	ASSERT_TRUE(r != NULL);
	origin_reader_start(r, is_head);
	for (;;) {
		struct origin_head h;

		s.err = origin_reader_head(r, &h, SL_NEVER);
		if (s.err)
			break;
		snprintf(s.fields, sizeof(s.fields), "%.*s", (int)h.fields.len,
			 h.fields.len ? h.fields.data : "");
		s.status = h.status;
		s.bytes = h.bytes;
		origin_head_done(&h);
		if (s.status >= 200)
			break;
		s.interim++;
	}
	if (!s.err)
		read_body(r, w.step, &s);
	s.reusable = !s.err && origin_reader_reusable(r) && !w.n;
	origin_reader_free(r);
	return s;
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *what, *text;
	int err;
	const char *body; /* NULL: does not count */
	bool reusable, is_head;
} cases[] = {
	{"length", OK "Content-Length: 3\r\n\r\nabc", 0, "abc", true, false},
	{"no body", OK "Content-Length: 0\r\n\r\n", 0, "", true, false},
	{"more than told", OK "Content-Length: 3\r\n\r\nabcd", 0, "abc", false, false},
	{"less than told", OK "Content-Length: 4\r\n\r\nabc", -ECONNRESET, NULL, false, false},
	{"until the end", OK "\r\nabc", 0, "abc", false, false},
	{"unknown coding", OK "Transfer-Encoding: xyz\r\n\r\nabc", 0, "abc", false, false},
	{"chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\n\r\n",
	 0, "abcde", true, false},
	{"trailers", OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", 0, "a",
	 true, false},
	{"more behind chunks", OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", 0, "", false,
	 false},
	{"cut in a chunk", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nab", -ECONNRESET, NULL, false,
	 false},
	{"cut before the last chunk", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	 -ECONNRESET, NULL, false, false},
	{"bad size", OK "Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n", -EPROTO, NULL,
	 false, false},
	{"negative size", OK "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", -EPROTO,
	 NULL, false, false},
	{"huge size", OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", -EPROTO,
	 NULL, false, false},
	{"bare LF in chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", -EPROTO, NULL,
	 false, false},
	{"no CRLF behind a chunk", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
	 -EPROTO, NULL, false, false},
	{"close", OK "Content-Length: 1\r\nConnection: close\r\n\r\na", 0, "a", false, false},
	{"version 1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 0, "a", false, false},
	{"version 1.0 kept",
	 "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na", 0, "a", true,
	 false},
	{"to HEAD", OK "Content-Length: 3\r\n\r\n", 0, "", true, true},
	{"to HEAD, chunked", OK "Transfer-Encoding: chunked\r\n\r\n", 0, "", true, true},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n", 0, "", true, false},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 0, "", true,
	 false},
	{"interim",
	 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" OK
	 "Content-Length: 1\r\n\r\na",
	 0, "a", true, false},
	{"no reason", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 0, "a", true, false},
	/* Whose end is in doubt. */
	{"two lengths", OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", -EPROTO, NULL,
	 false, false},
	{"twice the same length", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", -EPROTO,
	 NULL, false, false},
	{"a list of lengths", OK "Content-Length: 3, 3\r\n\r\nabc", -EPROTO, NULL, false, false},
	{"negative length", OK "Content-Length: -3\r\n\r\nabc", -EPROTO, NULL, false, false},
	{"huge length", OK "Content-Length: 99999999999999999999999\r\n\r\nabc", -EPROTO, NULL,
	 false, false},
	{"length and chunks", OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 -EPROTO, NULL, false, false},
	{"chunks and length", OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	 -EPROTO, NULL, false, false},
	{"two codings",
	 OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EPROTO,
	 NULL, false, false},
	{"gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", -EPROTO, NULL,
	 false, false},
	{"gzip", OK "Transfer-Encoding: gzip\r\n\r\nabc", -EPROTO, NULL, false, false},
	{"chunks of 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EPROTO,
	 NULL, false, false},
	/* What is no response. */
	{"nothing", "", -ECONNRESET, NULL, false, false},
	{"a bare body", "<html>", -EPROTO, NULL, false, false},
	{"a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", -EPROTO, NULL, false, false},
	{"half a head", OK "Content-Le", -ECONNRESET, NULL, false, false},
	{"version 2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", -EPROTO, NULL, false, false},
	{"status 999", "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n", -EPROTO, NULL, false, false},
	{"status 99", "HTTP/1.1 99 No\r\nContent-Length: 0\r\n\r\n", -EPROTO, NULL, false, false},
	{"status 101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", -EPROTO, NULL, false, false},
	{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", -EPROTO, NULL, false, false},
	{"NUL in a value", NULL, -EPROTO, NULL, false, false},
	{"space before the colon", OK "Content-Length : 0\r\n\r\n", -EPROTO, NULL, false, false},
	{"no colon", OK "Content-Length\r\n\r\n", -EPROTO, NULL, false, false},
	{"no name", OK ": x\r\n\r\n", -EPROTO, NULL, false, false},
	{"folded", OK "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", -EPROTO, NULL, false, false},
};

TEST(responses_are_read_or_refused)
{
	static const char nul[] = OK "X: a\0b\r\nContent-Length: 0\r\n\r\n";

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		/* As one piece, and byte by byte. */
		for (size_t step = 1; step < 10000; step += 9998) {
			struct wire w = {cases[i].text, 0, step, false};
			struct seen s;

			w.n = w.p ? strlen(w.p) : sizeof(nul) - 1;
			w.p = w.p ? w.p : nul;
			s = look(w, cases[i].is_head);
			if (!EXPECT_EQ(cases[i].err, s.err) ||
			    !EXPECT_EQ(cases[i].reusable, s.reusable) ||
			    (cases[i].body && !EXPECT_STREQ(cases[i].body, s.body)))
				TH_LOG("%s, in steps of %zu", cases[i].what, step);
		}
	}
}

TEST(fields_of_the_connection_are_left_out)
{
	static const char text[] = OK "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nA: 2\r\n"
				      "Keep-Alive: timeout=5\r\nContent-Length: 3\r\nTE: x\r\n"
				      "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\nabc";
	struct seen s = look((struct wire){text, sizeof(text) - 1, 7, false}, false);

	EXPECT_EQ(0, s.err);
	EXPECT_EQ(3, s.bytes);
	EXPECT_STREQ("A: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n", s.fields);
}

TEST(interim_heads_come_one_by_one)
{
	static const char text[] = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" OK
				   "Content-Length: 0\r\nB: 1\r\n\r\n";
	struct seen s = look((struct wire){text, sizeof(text) - 1, 1000, false}, false);

	EXPECT_EQ(1, s.interim);
	EXPECT_EQ(200, s.status);
	EXPECT_STREQ("B: 1\r\n", s.fields);
}

TEST(cut_is_no_end)
{
	static const char text[] = OK "\r\nabc";
	struct seen s = look((struct wire){text, sizeof(text) - 1, 1000, true}, false);

	EXPECT_EQ(-ECONNRESET, s.err);
}

TEST(head_and_framing_are_bounded)
{
	static char text[256 << 10];
	size_t n;
	struct seen s;

	n = (size_t)snprintf(text, sizeof(text), OK "X: ");
	memset(text + n, 'a', sizeof(text) - n);
	s = look((struct wire){text, sizeof(text), 4096, false}, false);
	EXPECT_EQ(-EPROTO, s.err);
	n = (size_t)snprintf(text, sizeof(text), OK "Transfer-Encoding: chunked\r\n\r\n1;");
	memset(text + n, 'a', sizeof(text) - n);
	s = look((struct wire){text, sizeof(text), 4096, false}, false);
	EXPECT_EQ(-EPROTO, s.err);
}

TEST_HARNESS_MAIN
