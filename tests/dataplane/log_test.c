// SPDX-License-Identifier: Apache-2.0
/* Log lines: form, escaping, levels, limits, and a reader that does not read. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yyjson.h>

#include <sluice/util.h>

#include "dataplane/log.h"
#include "harness.h"

#define WALL (INT64_C(1769860800) * SL_SEC + 7 * SL_MSEC) /* 2026-01-31T12:00:00.007Z */

static const char *format(enum sl_log_format form, const struct sl_log_field *fields, size_t n)
{
	static char line[SL_LOG_LINE_BYTES + 1];
	size_t len = sl_log_format(form, WALL, SL_LOG_LEVEL_WARN, "conn.closed", fields, n, line);

	line[len] = '\0';
	return line;
}

TEST(a_logfmt_line_has_time_level_event_and_fields)
{
	const char *peer = "127.0.0.1:5";
	const struct sl_log_field fields[] = {SL_KV(peer, peer),  SL_KV(bytes, (size_t)17),
					      SL_KV(delta, -3),	  SL_KV(ok, (bool)true),
					      SL_KV(ratio, 0.25), SL_KV_ERRNO(-ECONNRESET)};

	EXPECT_STREQ("time=2026-01-31T12:00:00.007Z level=warn event=conn.closed peer=127.0.0.1:5 "
		     "bytes=17 delta=-3 ok=true ratio=0.25 error=\"Connection reset by peer\"\n",
		     format(SL_LOG_LOGFMT, fields, SL_ARRAY_SIZE(fields)));
}

TEST(a_json_line_is_one_object)
{
	const struct sl_log_field fields[] = {SL_KV(peer, "a b"), SL_KV(bytes, UINT64_MAX),
					      SL_KV(ok, (bool)false)};

	EXPECT_STREQ("{\"time\":\"2026-01-31T12:00:00.007Z\",\"level\":\"warn\","
		     "\"event\":\"conn.closed\",\"peer\":\"a b\",\"bytes\":18446744073709551615,"
		     "\"ok\":false}\n",
		     format(SL_LOG_JSON, fields, SL_ARRAY_SIZE(fields)));
}

TEST(dates_are_those_of_the_calendar)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {{0, "1970-01-01T00:00:00"},		 {951782400, "2000-02-29T00:00:00"},
		    {951868800, "2000-03-01T00:00:00"},	 {1735689599, "2024-12-31T23:59:59"},
		    {4107542400, "2100-03-01T00:00:00"}, {1709210096, "2024-02-29T12:34:56"}};
	char line[SL_LOG_LINE_BYTES];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		sl_log_format(SL_LOG_LOGFMT, rows[i].s * SL_SEC, SL_LOG_LEVEL_INFO, "x", NULL, 0,
			      line);
		EXPECT_MEMEQ(rows[i].text, line + 5, 19);
	}
}

TEST(values_that_could_mislead_are_quoted_and_escaped)
{
	static const struct {
		const char *value, *text;
	} rows[] = {{"", "v=\"\"\n"},
		    {"plain-1", "v=plain-1\n"},
		    {"a b", "v=\"a b\"\n"},
		    {"a=b", "v=\"a=b\"\n"},
		    {"say \"hi\"", "v=\"say \\\"hi\\\"\"\n"},
		    {"back\\slash", "v=\"back\\\\slash\"\n"},
		    {"x\nlevel=err event=forged", "v=\"x\\nlevel=err event=forged\"\n"},
		    {"\x01\x1b[31m\x7f", "v=\"\\u0001\\u001b[31m\\u007f\"\n"},
		    {"gr\xc3\xbc\xc3\x9f", "v=\"gr\xc3\xbc\xc3\x9f\"\n"},
		    {"bad\xff\xc3", "v=\"bad\\ufffd\\ufffd\"\n"},
		    {"\xc0\x80\xed\xa0\x80", "v=\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"\n"}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		const struct sl_log_field field = SL_KV(v, rows[i].value);

		EXPECT_STREQ(rows[i].text, strstr(format(SL_LOG_LOGFMT, &field, 1), "v="));
	}
}

TEST(json_holds_whatever_bytes_a_peer_sends)
{
	for (int round = 0; round < 300; round++) {
		char bytes[64];
		size_t len = harness_random() % sizeof(bytes);
		const struct sl_log_field fields[] = {SL_KV_BYTES(v, bytes, len),
						      SL_KV(inf, (double)INFINITY)};
		const char *line;
		yyjson_doc *doc;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)harness_random();
		line = format(SL_LOG_JSON, fields, 2);
		doc = yyjson_read(line, strlen(line), 0);
		ASSERT_NOT_NULL(doc);
		EXPECT_TRUE(yyjson_is_str(yyjson_obj_get(yyjson_doc_get_root(doc), "v")));
		EXPECT_EQ(1, strcspn(line, "\n") == strlen(line) - 1);
		yyjson_doc_free(doc);
	}
}

TEST(a_long_line_loses_whole_fields_and_says_so)
{
	static char big[5000];
	const struct sl_log_field fields[] = {SL_KV(first, 1), SL_KV_BYTES(big, big, sizeof(big)),
					      SL_KV(last, 2)};
	const char *line;

	memset(big, 'x', sizeof(big));
	line = format(SL_LOG_LOGFMT, fields, 3);
	EXPECT_NOT_NULL(strstr(line, " first=1 truncated=true\n"));
	line = format(SL_LOG_JSON, fields, 3);
	EXPECT_NOT_NULL(strstr(line, ",\"first\":1,\"truncated\":true}\n"));
	for (size_t n = 3900; n < 4200; n++) {
		const struct sl_log_field one = SL_KV_BYTES(big, big, n);

		line = format(SL_LOG_JSON, &one, 1);
		ASSERT_GE(SL_LOG_LINE_BYTES, strlen(line));
		EXPECT_EQ('\n', line[strlen(line) - 1]);
	}
}

FIXTURE(pipe)
{
	int fds[2];
};
FIXTURE_SETUP(pipe)
{
	ASSERT_EQ(0, pipe2(self->fds, O_CLOEXEC | O_NONBLOCK));
	sl_log_to_fd(self->fds[1]);
}
FIXTURE_TEARDOWN(pipe)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

static const char *drain(FIXTURE_DATA(pipe) * self)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t n;

	while ((n = read(self->fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

TEST_F(pipe, lines_below_the_level_are_neither_written_nor_evaluated)
{
	int evaluated = 0;

	sl_log_setup(SL_LOG_LEVEL_WARN, SL_LOG_LOGFMT);
	sl_log_info("quiet", SL_KV(n, ++evaluated));
	sl_log_warn("loud", SL_KV(n, ++evaluated));
	sl_log_err("bare");
	EXPECT_EQ(1, evaluated);
	EXPECT_EQ(2, count(drain(self), "\n"));
}

TEST_F(pipe, a_core_thread_names_its_core)
{
	sl_log_thread_core(3);
	sl_log_info("x", SL_KV(a, 1));
	sl_log_thread_core(-1);
	EXPECT_NOT_NULL(strstr(drain(self), "event=x core=3 a=1\n"));
}

static void noisy(int i)
{
	sl_log_warn("noise", SL_KV(i, i));
}

TEST_F(pipe, a_noisy_place_is_limited_and_tells_what_it_left_out)
{
	const char *text;

	for (int i = 0; i < 100; i++)
		noisy(i);
	EXPECT_EQ(SL_LOG_BURST_LINES, count(drain(self), "event=noise"));
	sl_log_warn("other.place");
	EXPECT_EQ(1, count(drain(self), "event=other.place"));
	sleep(SL_LOG_WINDOW_S + 1);
	noisy(100);
	text = drain(self);
	EXPECT_NOT_NULL(strstr(text, "event=noise suppressed=90 i=100\n"));
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		noisy(i);
		sl_log_debug("debug.line", SL_KV(i, i));
	}
	return arg;
}

TEST_F(pipe, threads_share_a_limit_and_lines_stay_whole)
{
	pthread_t threads[4];
	const char *text;
	int noise;

	sl_log_setup(SL_LOG_LEVEL_DEBUG, SL_LOG_JSON);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, log_many, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	text = drain(self);
	noise = count(text, "\"event\":\"noise\"");
	EXPECT_GE(2 * SL_LOG_BURST_LINES, noise);
	for (const char *p = text, *end; *p; p = end + 1) {
		yyjson_doc *doc;

		end = strchr(p, '\n');
		ASSERT_NOT_NULL(end);
		doc = yyjson_read(p, (size_t)(end - p), 0);
		EXPECT_NOT_NULL(doc);
		yyjson_doc_free(doc);
	}
}

TEST_F(pipe, a_full_pipe_drops_lines_instead_of_waiting_and_the_next_line_tells)
{
	int before = fcntl(self->fds[1], F_GETFL);
	uint64_t dropped;

	/* as a daemon has it: a blocking descriptor */
	ASSERT_EQ(0, fcntl(self->fds[1], F_SETFL, before & ~O_NONBLOCK));
	sl_log_setup(SL_LOG_LEVEL_DEBUG, SL_LOG_LOGFMT);
	for (int i = 0; i < 5000; i++)
		sl_log_debug("flood", SL_KV(i, i));
	dropped = sl_log_dropped();
	EXPECT_LT(0, dropped);
	EXPECT_EQ(5000, count(drain(self), "event=flood") + (int)dropped);
	sl_log_info("after");
	EXPECT_NOT_NULL(strstr(drain(self), "event=after dropped="));
}

TEST_F(pipe, a_reader_that_left_does_no_harm)
{
	signal(SIGPIPE, SIG_IGN);
	close(self->fds[0]);
	sl_log_info("into.nothing");
	EXPECT_EQ(1, sl_log_dropped());
	self->fds[0] = -1;
}

TEST_HARNESS_MAIN
