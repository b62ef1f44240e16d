// SPDX-License-Identifier: Apache-2.0
/*
 * Static files over sockets.
 * Order of parts: the folder; whole files; ranges; conditions; paths; files that change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apis/static/static.h"
#include "harness.h"
#include "proto/http/web.h"
#include "stores/static/static.h"

#define REQUEST(method, path, fields)                                                              \
	method " " path " HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define GET(path) REQUEST("GET", path, "")

/* ---- the folder ------------------------------------------------------------------------- */

static int root;
static struct sl_static_conf files = {
	.cores = 1, .files_max = 100, .check_ns = SL_SEC, .idle_ns = 60 * SL_SEC};

static void put(const char *name, const char *text)
{
	struct timespec t[2] = {{.tv_sec = 784111777}, {.tv_sec = 784111777}};
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	ASSERT_EQ(0, futimens(fd, t));
	close(fd);
}

/* A file of @n bytes whose i-th is letter i % 26. */
static void put_letters(const char *name, size_t n)
{
	char *text = malloc(n + 1);

	ASSERT_NOT_NULL(text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 26);
	text[n] = 0;
	put(name, text);
	free(text);
}

/* Makes @name so long, by cutting it or by a hole. */
static void cut(const char *name, off_t bytes)
{
	int fd = openat(root, name, O_RDWR | O_CREAT, 0644);

	ASSERT_EQ(0, ftruncate(fd, bytes));
	close(fd);
}

static void stop(struct web *w)
{
	const struct http_static *s = w->conf.apis->arg;

	sl_static_stop(s->files);
}

static void serve(void (*client)(struct web *w), uint64_t max_age_s)
{
	struct http_static s;
	const struct http_api api = {"static", http_static_routes, http_static_routes_n, &s, 0};
	struct web w = {.client = client, .end = stop, .conf = {.apis = &api, .apis_n = 1}};
	struct sl_static *opened;

	root = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, root);
	put("index.html", "<p>");
	put("ten.txt", "0123456789");
	put("empty", "");
	put_letters("large.bin", 300000);
	ASSERT_EQ(0, mkdirat(root, "d", 0755));
	put("d/index.html", "<d>");
	ASSERT_EQ(0, mkdirat(root, "bare", 0755));
	put("a b%.css", "css");
	files.dir = root;
	ASSERT_EQ(0, sl_static_new(&files, &opened));
	http_static_init(&s, opened, "index.html", max_age_s);
	web_run(&w);
	sl_static_free(opened);
	close(root);
}

static bool has(const struct web_answer *a, const char *line)
{
	char wanted[600];

	snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", line);
	if (strstr(a->head, wanted))
		return true;
	TH_LOG("no '%s' in: %s", line, a->head);
	return false;
}

/* One request of its own; whether it is answered by @status and, unless NULL, @body. */
static bool asks(const struct web *w, const char *text, int status, const char *body)
{
	struct web_answer a;
	bool ok;

	web_ask(w, text, &a);
	ok = EXPECT_EQ(status, a.status);
	if (ok && body)
		ok = EXPECT_STREQ(body, a.body);
	if (!ok)
		TH_LOG("asked: %s", text);
	web_answer_done(&a);
	return ok;
}

/* ---- whole files ------------------------------------------------------------------------ */

static void ask_whole(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, web_ask(w, GET("/ten.txt"), &a));
	EXPECT_STREQ("0123456789", a.body);
	EXPECT_TRUE(has(&a, "Content-Type: text/plain"));
	EXPECT_TRUE(has(&a, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"));
	EXPECT_TRUE(has(&a, "ETag: \"2ebc98a1-0-a\""));
	EXPECT_TRUE(has(&a, "Accept-Ranges: bytes"));
	EXPECT_NULL(strstr(a.head, "Cache-Control"));
	web_answer_done(&a);
	EXPECT_EQ(200, web_ask(w, REQUEST("HEAD", "/ten.txt", "Range: bytes=1-2\r\n"), &a));
	EXPECT_TRUE(has(&a, "Content-Length: 10"));
	web_answer_done(&a);
	EXPECT_EQ(200, web_ask(w, GET("/empty"), &a));
	EXPECT_TRUE(has(&a, "Content-Length: 0"));
	EXPECT_TRUE(has(&a, "Content-Type: application/octet-stream"));
	web_answer_done(&a);
	EXPECT_EQ(200, web_ask(w, GET("/large.bin"), &a));
	ASSERT_EQ(300000, a.n);
	for (size_t i = 0; i < a.n; i++)
		ASSERT_EQ('a' + i % 26, a.body[i]);
	web_answer_done(&a);
}

TEST(files_are_sent_with_what_describes_them)
{
	serve(ask_whole, 0);
}

static void ask_age(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, web_ask(w, GET("/ten.txt"), &a));
	EXPECT_TRUE(has(&a, "Cache-Control: max-age=3600"));
	web_answer_done(&a);
}

TEST(max_age_is_told)
{
	serve(ask_age, 3600);
}

/* Every answer behind the others, on one connection. */
static void ask_in_line(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	for (int i = 0; i < 100; i++)
		web_send_text(fd, i % 3 ? GET("/ten.txt") : GET("/large.bin"));
	for (int i = 0; i < 100; i++) {
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(i % 3 ? 10 : 300000, a.n);
		EXPECT_MEMEQ(i % 3 ? "0123456789" : "abcdefghij", a.body, 10);
		web_answer_done(&a);
	}
	close(fd);
}

TEST(many_requests_share_a_connection)
{
	serve(ask_in_line, 0);
}

/* ---- ranges ----------------------------------------------------------------------------- */

static bool ask_range(const struct web *w, const char *range, const char *content_range,
		      const char *body)
{
	struct web_answer a;
	char text[256], line[100];
	bool ok;

	snprintf(text, sizeof(text), REQUEST("GET", "/ten.txt", "Range: %s\r\n"), range);
	snprintf(line, sizeof(line), "Content-Range: bytes %s", content_range);
	ok = EXPECT_EQ(206, web_ask(w, text, &a)) && EXPECT_STREQ(body, a.body) && has(&a, line) &&
	     has(&a, "Content-Type: text/plain");
	web_answer_done(&a);
	return ok;
}

static void ask_ranges(struct web *w)
{
	EXPECT_TRUE(ask_range(w, "bytes=0-0", "0-0/10", "0"));
	EXPECT_TRUE(ask_range(w, "bytes=3-5", "3-5/10", "345"));
	EXPECT_TRUE(ask_range(w, "bytes=7-", "7-9/10", "789"));
	EXPECT_TRUE(ask_range(w, "bytes=-2", "8-9/10", "89"));
	EXPECT_TRUE(ask_range(w, "bytes=5-100", "5-9/10", "56789"));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "Range: bytes=5-3\r\n"), 200, "0123456789"));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/empty", "Range: bytes=0-\r\n"), 200, ""));
}

TEST(one_range_is_cut_out)
{
	serve(ask_ranges, 0);
}

static void ask_beyond(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(416, web_ask(w, REQUEST("GET", "/ten.txt", "Range: bytes=10-\r\n"), &a));
	EXPECT_TRUE(has(&a, "Content-Range: bytes */10"));
	EXPECT_NOT_NULL(strstr(a.body, "none of these bytes"));
	web_answer_done(&a);
}

TEST(a_range_behind_the_end_is_refused)
{
	serve(ask_beyond, 0);
}

/* Follows "--BOUNDARY" through @a's body as a client would. */
static void check_parts(const struct web_answer *a, const char *const *ranges,
			const char *const *bodies, size_t n)
{
	const char *type = strstr(a->head, "\r\nContent-Type: multipart/byteranges; boundary=");
	char boundary[64] = "\r\n--", head[200];
	const char *p = a->body;

	ASSERT_NOT_NULL(type);
	sscanf(type + 47, "%40[0-9a-f]", boundary + 4);
	for (size_t i = 0; i < n; i++) {
		size_t head_n = (size_t)snprintf(head, sizeof(head),
						 "%s\r\nContent-Type: text/plain\r\n"
						 "Content-Range: bytes %s\r\n\r\n",
						 boundary, ranges[i]);

		ASSERT_MEMEQ(head, p, head_n);
		p += head_n;
		ASSERT_MEMEQ(bodies[i], p, strlen(bodies[i]));
		p += strlen(bodies[i]);
	}
	snprintf(head, sizeof(head), "%s--\r\n", boundary);
	EXPECT_STREQ(head, p);
}

static void ask_parts(struct web *w)
{
	static const char *const ranges[] = {"8-9/10", "0-2/10", "5-5/10"};
	static const char *const bodies[] = {"89", "012", "5"};
	struct web_answer a;

	EXPECT_EQ(206, web_ask(w, REQUEST("GET", "/ten.txt", "Range: bytes=-2,0-2,50-,5-5\r\n"),
			       &a));
	EXPECT_NULL(strstr(a.head, "Content-Range"));
	check_parts(&a, ranges, bodies, 3);
	web_answer_done(&a);
	EXPECT_EQ(206, web_ask(w, REQUEST("GET", "/large.bin", "Range: bytes=0-0,1-0299999\r\n"),
			       &a));
	EXPECT_LT(300000, a.n);
	web_answer_done(&a);
}

TEST(several_ranges_are_parts_of_one_body)
{
	serve(ask_parts, 0);
}

static void ask_far(struct web *w)
{
	struct web_answer a;
	int fd;

	cut("sparse", INT64_C(6) << 30);
	fd = openat(root, "sparse", O_RDWR);
	ASSERT_EQ(3, pwrite(fd, "far", 3, INT64_C(5) << 30));
	close(fd);
	EXPECT_EQ(206, web_ask(w, REQUEST("GET", "/sparse",
					  "Range: bytes=5368709120-5368709122\r\n"), &a));
	EXPECT_STREQ("far", a.body);
	EXPECT_TRUE(has(&a, "Content-Range: bytes 5368709120-5368709122/6442450944"));
	web_answer_done(&a);
	EXPECT_EQ(200, web_ask(w, REQUEST("HEAD", "/sparse", ""), &a));
	EXPECT_TRUE(has(&a, "Content-Length: 6442450944"));
	web_answer_done(&a);
}

TEST(files_may_be_larger_than_4_gib)
{
	serve(ask_far, 0);
}

/* ---- conditions ------------------------------------------------------------------------- */

#define ETAG "\"2ebc98a1-0-a\""

static void ask_conditions(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(304, web_ask(w, REQUEST("GET", "/ten.txt", "If-None-Match: " ETAG "\r\n"), &a));
	EXPECT_TRUE(has(&a, "ETag: " ETAG));
	EXPECT_NULL(strstr(a.head, "Content-"));
	web_answer_done(&a);
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "If-None-Match: \"x\"\r\n"), 200, NULL));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "If-Match: \"x\"\r\n"), 412, NULL));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt",
				    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
			 304, NULL));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "Range: bytes=1-2\r\nIf-Range: " ETAG
				    "\r\n"), 206, "12"));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "Range: bytes=1-2\r\nIf-Range: \"x\"\r\n"),
			 200, "0123456789"));
	EXPECT_TRUE(asks(w, REQUEST("GET", "/ten.txt", "Range: bytes=10-\r\nIf-Range: \"x\"\r\n"),
			 200, NULL));
}

TEST(conditions_are_kept)
{
	serve(ask_conditions, 0);
}

/* ---- paths ------------------------------------------------------------------------------ */

static bool redirects(const struct web *w, const char *text, const char *location)
{
	struct web_answer a;
	char line[300];
	bool ok;

	snprintf(line, sizeof(line), "Location: %s", location);
	ok = EXPECT_EQ(301, web_ask(w, text, &a)) && has(&a, line);
	web_answer_done(&a);
	return ok;
}

static void ask_folders(struct web *w)
{
	ASSERT_EQ(0, mkdirat(root, "x:y z", 0755));
	ASSERT_EQ(0, mkdirat(root, "evil.example", 0755));
	EXPECT_TRUE(asks(w, GET("/"), 200, "<p>"));
	EXPECT_TRUE(asks(w, GET("http://h"), 200, "<p>"));
	EXPECT_TRUE(asks(w, GET("/d/"), 200, "<d>"));
	EXPECT_TRUE(asks(w, GET("/d/."), 200, "<d>"));
	EXPECT_TRUE(asks(w, GET("/bare/"), 404, NULL));
	EXPECT_TRUE(redirects(w, GET("/d"), "./d/"));
	EXPECT_TRUE(redirects(w, GET("/d?a=b"), "./d/?a=b"));
	EXPECT_TRUE(redirects(w, GET("/x:y%20z"), "./x%3Ay%20z/"));
	EXPECT_TRUE(redirects(w, GET("//evil.example"), "./evil.example/"));
}

TEST(a_folder_means_its_index)
{
	serve(ask_folders, 0);
}

static void ask_outside(struct web *w)
{
	ASSERT_EQ(0, symlinkat("ten.txt", root, "inside"));
	ASSERT_EQ(0, symlinkat("/etc/passwd", root, "outside"));
	ASSERT_EQ(0, symlinkat("..", root, "up"));
	ASSERT_EQ(0, mkfifoat(root, "fifo", 0666));
	EXPECT_TRUE(asks(w, GET("/inside"), 200, "0123456789"));
	EXPECT_TRUE(asks(w, GET("/outside"), 403, NULL));
	EXPECT_TRUE(asks(w, GET("/up/etc/passwd"), 403, NULL));
	EXPECT_TRUE(asks(w, GET("/fifo"), 403, NULL));
	EXPECT_TRUE(asks(w, GET("/../etc/passwd"), 400, NULL));
	EXPECT_TRUE(asks(w, GET("/%2e%2e/etc/passwd"), 400, NULL));
	EXPECT_TRUE(asks(w, GET("/d/../../etc/passwd"), 400, NULL));
	EXPECT_TRUE(asks(w, GET("/..%2fetc%2fpasswd"), 404, NULL));
	EXPECT_TRUE(asks(w, GET("/ten.txt%00.html"), 400, NULL));
	EXPECT_TRUE(asks(w, GET("/%"), 400, NULL));
	EXPECT_TRUE(asks(w, GET("/ten.txt/"), 404, NULL));
	EXPECT_TRUE(asks(w, GET("/none"), 404, "{\"error\": \"not found\"}\n"));
}

TEST(nothing_leads_out_of_the_folder)
{
	serve(ask_outside, 0);
}

static void ask_long(struct web *w)
{
	static char text[3500];

	/* A name may have 255 bytes; the whole is bounded by the head. */
	snprintf(text, sizeof(text), "GET /%0300d HTTP/1.1\r\nHost: h\r\n\r\n", 0);
	EXPECT_TRUE(asks(w, text, 414, NULL));
	snprintf(text, sizeof(text), "GET /%03000d HTTP/1.1\r\nHost: h\r\n\r\n", 0);
	EXPECT_TRUE(asks(w, text, 414, NULL));
}

TEST(long_names_are_refused)
{
	serve(ask_long, 0);
}

static void ask_wrongly(struct web *w)
{
	struct web_answer a;

	EXPECT_TRUE(asks(w, GET("/a%20b%25.css"), 200, "css"));
	EXPECT_EQ(405, web_ask(w, REQUEST("PUT", "/ten.txt", "Content-Length: 0\r\n"), &a));
	EXPECT_TRUE(has(&a, "Allow: GET, HEAD, OPTIONS"));
	web_answer_done(&a);
	EXPECT_EQ(204, web_ask(w, REQUEST("OPTIONS", "/ten.txt", ""), &a));
	EXPECT_TRUE(has(&a, "Allow: GET, HEAD, OPTIONS"));
	web_answer_done(&a);
	EXPECT_TRUE(asks(w, GET("/metrics"), 404, NULL));
}

TEST(other_methods_and_pages_are_refused)
{
	serve(ask_wrongly, 0);
}

/* ---- files that change ------------------------------------------------------------------ */

/* So much that sockets cannot hold it: the rest is sent when it is read. */
#define SLOW_BYTES (64 << 20)

/* A request for slow.bin of whose answer only the head is read. */
static int begin_slow(const struct web *w)
{
	struct web_answer a;
	int fd;

	cut("slow.bin", SLOW_BYTES);
	fd = web_connect(w);
	web_send_text(fd, GET("/slow.bin"));
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_EQ(200, a.status);
	web_answer_done(&a);
	return fd;
}

static size_t read_to_end(int fd, size_t max)
{
	static char buf[1 << 20];
	size_t n = 0;

	while (n < max) {
		ssize_t k = recv(fd, buf, sl_min(sizeof(buf), max - n), 0);

		if (k <= 0)
			break;
		n += (size_t)k;
	}
	return n;
}

static void ask_replaced(struct web *w)
{
	int fd = begin_slow(w);

	put("other", "other");
	ASSERT_EQ(0, renameat(root, "other", root, "slow.bin"));
	EXPECT_EQ(SLOW_BYTES, read_to_end(fd, SLOW_BYTES));
	close(fd);
}

TEST(a_file_replaced_while_it_is_sent_is_sent_to_its_end)
{
	serve(ask_replaced, 0);
}

static void ask_grown(struct web *w)
{
	int fd = begin_slow(w);
	struct web_answer a;

	cut("slow.bin", 2 * SLOW_BYTES);
	EXPECT_EQ(SLOW_BYTES, read_to_end(fd, SLOW_BYTES));
	web_send_text(fd, GET("/ten.txt"));
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_STREQ("0123456789", a.body);
	web_answer_done(&a);
	close(fd);
}

TEST(a_file_that_grows_is_sent_as_long_as_was_promised)
{
	serve(ask_grown, 0);
}

static void ask_cut(struct web *w)
{
	int fd = begin_slow(w);

	cut("slow.bin", 1000);
	EXPECT_GT(SLOW_BYTES, read_to_end(fd, SLOW_BYTES));
	close(fd);
	EXPECT_TRUE(asks(w, GET("/ten.txt"), 200, NULL));
}

TEST(a_file_cut_short_while_it_is_sent_ends_its_connection)
{
	serve(ask_cut, 0);
}

TEST_HARNESS_MAIN
