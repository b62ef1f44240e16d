// SPDX-License-Identifier: Apache-2.0
/*
 * The cache by HTTP, over sockets: a server with a cache in a folder of the test's own.
 * Order of parts: a server with a cache; storing and getting; ranges; conditions; removing;
 * mistakes; faults.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apis/cache/cache.h"
#include "harness.h"
#include "proto/http/web.h"
#include "stores/cache/cache.h"

/* ---- a server with a cache -------------------------------------------------------------- */

#define HEAD(method, path, fields) method " " path " HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define GET(path) HEAD("GET", path, "")

/* Of other routes; objects may be longer. */
enum { BODY_MAX = 64 << 10 };

static struct cache *cache;

static void begin(struct web *w)
{
	ASSERT_EQ(0, cache_start(cache, SL_NEVER));
}

static void end(struct web *w)
{
	cache_stop(cache, SL_NEVER);
}

static struct sl_faults faults;

/* A full disk refuses what takes space, another one everything. */
static uint64_t ops_of(int err)
{
	return err == ENOSPC ? 1ull << SL_OP_WRITE | 1ull << SL_OP_WRITEV |
				       1ull << SL_OP_FALLOCATE | 1ull << SL_OP_FTRUNCATE
			     : sl_ops_file_mask();
}

/* "/faults/NTH/ERR/1": from the NTH operation on files on (0: none) all fail; /0: that one. */
static int set_faults(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	faults.count = 0;
	faults.nth = strtoull(rq->params[0].p, NULL, 10);
	faults.err = atoi(rq->params[1].p);
	faults.ops = ops_of(faults.err);
	faults.sticky = rq->params[2].p[0] == '1';
	return 0;
}

static const struct http_route failing_routes[] = {
	{HTTP_ON(GET), "/faults/{}/{}/{}", set_faults, 0},
};

static void run_with(void (*client)(struct web *w), bool failing)
{
	struct cache_conf conf = {
		.path = "cache",
		.max_bytes = 256 * SL_MIB,
		.sendfile = true,
	};
	struct http_cache api = {0};
	const struct http_api apis[] = {
		{"cache", http_cache_routes, http_cache_routes_n, &api, 0},
		{"faults", failing_routes, SL_ARRAY_SIZE(failing_routes), NULL, 0},
	};
	struct web w = {.client = client, .begin = begin, .end = end,
			.conf = {.body_bytes_max = BODY_MAX, .apis = apis,
				 .apis_n = failing ? 2 : 1}};
	char why[300] = "";
	int err;

	if (failing) {
		sl_faults_init(&faults, NULL);
		w.backend = &faults.backend;
	}
	conf.dir = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, conf.dir);
	err = cache_open(1, &conf, &cache, why, sizeof(why), SL_NEVER);
	if (err)
		TH_LOG("%s", why);
	ASSERT_EQ(0, err);
	api.cache = cache;
	web_run(&w);
	cache_free(cache);
	close(conf.dir);
}

static void run(void (*client)(struct web *w))
{
	run_with(client, false);
}

/* The bytes of a body, of which no two stretches are alike. */
static uint8_t *body_of(size_t n, uint32_t seed)
{
	uint8_t *p = calloc(1, n + 8);
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	ASSERT_NOT_NULL(p);
	for (size_t i = 0; i < n; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(p + i, &x, 8);
	}
	return p;
}

/* @fields: with their CRLF. Return: the status. */
static int put(int fd, const char *path, const char *fields, const void *body, size_t n)
{
	struct web_answer a;
	char head[1000];
	int status;

	snprintf(head, sizeof(head), HEAD("PUT", "%s", "%sContent-Length: %zu\r\n"), path, fields,
		 n);
	web_send_text(fd, head);
	serving_send(fd, body, n);
	ASSERT_TRUE(web_read(fd, false, &a));
	status = a.status;
	web_answer_done(&a);
	return status;
}

static int ask(int fd, const char *text, struct web_answer *a)
{
	web_send_text(fd, text);
	ASSERT_TRUE(web_read(fd, !strncmp(text, "HEAD", 4), a));
	return a->status;
}

static void expect_status(int fd, const char *text, int status)
{
	struct web_answer a;

	if (!EXPECT_EQ(status, ask(fd, text, &a)))
		TH_LOG("%s%s%s", text, a.head, a.body);
	web_answer_done(&a);
}

static void expect_body(int fd, const char *text, int status, const void *body, size_t n)
{
	struct web_answer a;

	EXPECT_EQ(status, ask(fd, text, &a));
	if (EXPECT_EQ(n, a.n))
		EXPECT_TRUE(!memcmp(body, a.body, n));
	else
		TH_LOG("%s%s", text, a.head);
	web_answer_done(&a);
}

/* The value of a field, up to its CRLF; "" if it is not there. */
static const char *field(const struct web_answer *a, const char *name)
{
	static char value[500];
	char line[100];
	const char *at;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	at = strstr(a->head, line);
	if (!at)
		return "";
	at += strlen(line);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

/* ---- storing and getting ---------------------------------------------------------------- */

static void store_sizes(struct web *w)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 65536, 65537, 300000, 4 << 20,
				       (4 << 20) + 1, 9 << 20, 20 << 20};
	int fd = web_connect(w);

	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		uint8_t *body = body_of(sizes[i], i);
		char path[40], text[200];

		snprintf(path, sizeof(path), "/cache/a/%u", i);
		snprintf(text, sizeof(text), GET("%s"), path);
		expect_status(fd, text, 404);
		EXPECT_EQ(201, put(fd, path, "", body, sizes[i]));
		expect_body(fd, text, 200, body, sizes[i]);
		expect_body(fd, text, 200, body, sizes[i]);
		snprintf(text, sizeof(text), HEAD("HEAD", "%s", ""), path);
		expect_body(fd, text, 200, "", 0);
		free(body);
	}
	close(fd);
}

TEST_TIMEOUT(what_is_stored_is_got_whatever_its_size, 60)
{
	run(store_sizes);
}

static void store_chunks(struct web *w)
{
	enum { CHUNK = 100000, N = 30 };
	uint8_t *body = body_of(CHUNK * N, 7);
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, HEAD("PUT", "/cache/c", "Transfer-Encoding: chunked\r\n"));
	for (int i = 0; i < N; i++) {
		web_send_text(fd, "186A0\r\n");
		serving_send(fd, body + i * CHUNK, CHUNK);
		web_send_text(fd, "\r\n");
	}
	web_send_text(fd, "0\r\nContent-Type: text/trailer\r\n\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(201, a.status);
	web_answer_done(&a);
	ask(fd, GET("/cache/c"), &a);
	EXPECT_EQ(CHUNK * N, a.n);
	EXPECT_TRUE(a.n == CHUNK * N && !memcmp(body, a.body, a.n));
	EXPECT_STREQ("application/octet-stream", field(&a, "Content-Type"));
	web_answer_done(&a);
	free(body);
	close(fd);
}

TEST(a_body_in_chunks_is_stored_and_its_trailers_are_not)
{
	run(store_chunks);
}

static void replace(struct web *w)
{
	char first[200];
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/r", "", "one", 3));
	ask(fd, GET("/cache/r"), &a);
	snprintf(first, sizeof(first), "%s", field(&a, "ETag"));
	web_answer_done(&a);
	EXPECT_EQ(204, put(fd, "/cache/r", "", "two", 3));
	ask(fd, GET("/cache/r"), &a);
	EXPECT_STREQ("two", a.body);
	EXPECT_STRNE(first, field(&a, "ETag"));
	web_answer_done(&a);
	close(fd);
}

/* The answer to a PUT. Return: the tag that it tells. */
static const char *put_tag(int fd, const char *fields, int status)
{
	struct web_answer a;
	char head[500];
	const char *tag;

	snprintf(head, sizeof(head), HEAD("PUT", "/cache/tag", "%sContent-Length: 3\r\n") "abc",
		 fields);
	EXPECT_EQ(status, ask(fd, head, &a));
	tag = field(&a, "ETag");
	web_answer_done(&a);
	return tag;
}

enum { TAGS = 5 };

static char told[TAGS][200], found[TAGS][200]; /* by the answer to a PUT, and to a GET after it */

/* Stores with @fields, as the @i-th, and asks for it. */
static void tell_tag(int fd, unsigned i, const char *fields, int status)
{
	static const char get[] = GET("/cache/tag");
	struct web_answer a;

	snprintf(told[i], sizeof(told[i]), "%s", put_tag(fd, fields, status));
	ask(fd, get, &a);
	snprintf(found[i], sizeof(found[i]), "%s", field(&a, "ETag"));
	web_answer_done(&a);
}

static void tell_tags(struct web *w)
{
	char match[300];
	int fd = web_connect(w);

	tell_tag(fd, 0, "", 201);
	tell_tag(fd, 1, "", 204);
	snprintf(match, sizeof(match), "If-Match: %s\r\n", told[1]);
	tell_tag(fd, 2, match, 204);
	tell_tag(fd, 3, "ETag: \"own\"\r\n", 204);
	tell_tag(fd, 4, "ETag: W/\"weak\"\r\n", 204);
	close(fd);
}

TEST(a_put_tells_the_tag_of_what_it_stored)
{
	run(tell_tags);
	for (unsigned i = 0; i < TAGS; i++) {
		EXPECT_STRNE("", told[i]);
		EXPECT_STREQ(told[i], found[i]);
	}
	EXPECT_STRNE(told[1], told[2]);
	EXPECT_STREQ("\"own\"", told[3]);
	EXPECT_STRNE("W/\"weak\"", told[4]);
}

TEST(what_is_stored_again_is_another_version)
{
	run(replace);
}

static void store_descriptions(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/d",
			   "Content-Type: text/html\r\nContent-Encoding: gzip\r\n"
			   "Content-Language: de\r\nContent-Disposition: inline\r\n"
			   "Cache-Control: public, max-age=100\r\nETag: \"mine\"\r\n"
			   "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Other: no\r\n",
			   "x", 1));
	ask(fd, HEAD("HEAD", "/cache/d", ""), &a);
	EXPECT_STREQ("text/html", field(&a, "Content-Type"));
	EXPECT_STREQ("gzip", field(&a, "Content-Encoding"));
	EXPECT_STREQ("de", field(&a, "Content-Language"));
	EXPECT_STREQ("inline", field(&a, "Content-Disposition"));
	EXPECT_STREQ("public, max-age=100", field(&a, "Cache-Control"));
	EXPECT_STREQ("\"mine\"", field(&a, "ETag"));
	EXPECT_STREQ("Sun, 06 Nov 1994 08:49:37 GMT", field(&a, "Last-Modified"));
	EXPECT_STREQ("", field(&a, "X-Other"));
	EXPECT_STREQ("bytes", field(&a, "Accept-Ranges"));
	EXPECT_STREQ("1", field(&a, "Content-Length"));
	EXPECT_LT(0, strlen(field(&a, "Age")));
	web_answer_done(&a);
	/* What is no strong validator would not tell versions apart. */
	EXPECT_EQ(201, put(fd, "/cache/e", "ETag: W/\"weak\"\r\nLast-Modified: long ago\r\n", "x",
			   1));
	ask(fd, HEAD("HEAD", "/cache/e", ""), &a);
	EXPECT_EQ('"', field(&a, "ETag")[0]);
	EXPECT_STRNE("long ago", field(&a, "Last-Modified"));
	web_answer_done(&a);
	close(fd);
}

TEST(what_its_storer_said_of_an_object_is_said_again)
{
	run(store_descriptions);
}

static void store_odd_keys(struct web *w)
{
	static const char *const paths[] = {
		"/cache/a%00b", "/cache/a%2Fb", "/cache/%2e%2E/%20", "/cache/..", "/cache//",
		"/cache/a//b", "/cache/%FF%fe", "/cache/a?b",
	};
	char body[2] = "0", text[100];
	int fd = web_connect(w);

	for (size_t i = 0; i < SL_ARRAY_SIZE(paths); i++, body[0]++)
		EXPECT_EQ(201, put(fd, paths[i], "", body, 1));
	body[0] = '0';
	for (size_t i = 0; i < SL_ARRAY_SIZE(paths); i++, body[0]++) {
		snprintf(text, sizeof(text), GET("%s"), paths[i]);
		expect_body(fd, text, 200, body, 1);
	}
	/* The same key, written differently; a query is no part of it. */
	expect_body(fd, GET("/cache/%61/b"), 200, "1", 1);
	expect_body(fd, GET("/cache/a/b"), 200, "1", 1);
	expect_body(fd, GET("/cache/a"), 200, "7", 1);
	close(fd);
}

TEST(keys_are_any_bytes_percent_encoded)
{
	run(store_odd_keys);
}

static void let_expire(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/long", "Cache-Control: max-age=1000\r\n", "x", 1));
	EXPECT_EQ(201, put(fd, "/cache/s", "Cache-Control: max-age=1000, s-maxage=1\r\n", "x", 1));
	EXPECT_EQ(201, put(fd, "/cache/gone", "Cache-Control: max-age=0\r\n", "x", 1));
	expect_status(fd, GET("/cache/gone"), 404);
	while (ask(fd, GET("/cache/s"), &a) != 404) {
		web_answer_done(&a);
		usleep(50000);
	}
	web_answer_done(&a);
	expect_status(fd, GET("/cache/long"), 200);
	EXPECT_EQ(201, put(fd, "/cache/s", "", "x", 1)); /* nothing that counts was there */
	close(fd);
}

TEST(an_object_is_there_as_long_as_its_storer_said)
{
	run(let_expire);
}

/* ---- ranges ----------------------------------------------------------------------------- */

static void ask_ranges(struct web *w)
{
	enum { N = 20 << 20 };
	static const struct {
		const char *range, *content_range;
		size_t off, n;
	} rows[] = {
		{"0-0", "bytes 0-0/20971520", 0, 1},
		{"65535-65536", "bytes 65535-65536/20971520", 65535, 2},
		{"20000000-", "bytes 20000000-20971519/20971520", 20000000, 971520},
		{"-5", "bytes 20971515-20971519/20971520", 20971515, 5},
		{"1-20971519", "bytes 1-20971519/20971520", 1, 20971519},
		{"4194303-12582912", "bytes 4194303-12582912/20971520", 4194303, 8388610},
	};
	uint8_t *body = body_of(N, 3);
	int fd = web_connect(w);
	struct web_answer a;
	char text[200];

	EXPECT_EQ(201, put(fd, "/cache/big", "", body, N));
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), HEAD("GET", "/cache/big", "Range: bytes=%s\r\n"),
			 rows[i].range);
		EXPECT_EQ(206, ask(fd, text, &a));
		EXPECT_STREQ(rows[i].content_range, field(&a, "Content-Range"));
		EXPECT_EQ(rows[i].n, a.n);
		EXPECT_TRUE(a.n == rows[i].n && !memcmp(body + rows[i].off, a.body, a.n));
		web_answer_done(&a);
	}
	EXPECT_EQ(416, ask(fd, HEAD("GET", "/cache/big", "Range: bytes=20971520-\r\n"), &a));
	EXPECT_STREQ("bytes */20971520", field(&a, "Content-Range"));
	web_answer_done(&a);
	expect_body(fd, HEAD("GET", "/cache/big", "Range: bytes=5-4\r\n"), 200, body, N);
	expect_body(fd, HEAD("GET", "/cache/big", "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n"),
		    200, body, N);
	free(body);
	close(fd);
}

TEST_TIMEOUT(a_range_is_sent_as_it_lies_in_the_object, 60)
{
	run(ask_ranges);
}

static void ask_several_ranges(struct web *w)
{
	enum { N = 12 << 20 };
	uint8_t *body = body_of(N, 4);
	int fd = web_connect(w);
	struct web_answer a;
	const char *p, *boundary;

	EXPECT_EQ(201, put(fd, "/cache/big", "Content-Type: video/x\r\n", body, N));
	EXPECT_EQ(206, ask(fd, HEAD("GET", "/cache/big", "Range: bytes=-3, 0-9437183, 5-6\r\n"),
			   &a));
	boundary = strstr(field(&a, "Content-Type"), "boundary=");
	ASSERT_NOT_NULL(boundary);
	boundary = strdup(boundary + 9);
	p = a.body;
	for (int i = 0; i < 3; i++) {
		static const struct {
			size_t off, n;
		} r[] = {{N - 3, 3}, {0, 9437184}, {5, 2}};
		char head[300];
		int n = snprintf(head, sizeof(head), "\r\n--%s\r\nContent-Type: video/x\r\n"
				 "Content-Range: bytes %zu-%zu/12582912\r\n\r\n", boundary,
				 r[i].off, r[i].off + r[i].n - 1);

		EXPECT_MEMEQ(head, p, (size_t)n);
		EXPECT_TRUE(!memcmp(body + r[i].off, p + n, r[i].n));
		p += (size_t)n + r[i].n;
	}
	EXPECT_MEMEQ("\r\n--", p, 4);
	EXPECT_EQ(a.body + a.n, p + 4 + strlen(boundary) + 4);
	web_answer_done(&a);
	free((char *)boundary);
	expect_status(fd, GET("/cache/big"), 200);
	free(body);
	close(fd);
}

TEST_TIMEOUT(several_ranges_come_in_one_multipart_body, 60)
{
	run(ask_several_ranges);
}

/* ---- conditions ------------------------------------------------------------------------- */

static void ask_conditionally(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/v", "ETag: \"1\"\r\n", "x", 1));
	EXPECT_EQ(304, ask(fd, HEAD("GET", "/cache/v", "If-None-Match: \"1\"\r\n"), &a));
	EXPECT_STREQ("\"1\"", field(&a, "ETag"));
	EXPECT_STREQ("", field(&a, "Content-Length"));
	web_answer_done(&a);
	expect_status(fd, HEAD("GET", "/cache/v", "If-Match: \"2\"\r\n"), 412);
	expect_status(fd, HEAD("GET", "/cache/v", "If-None-Match: \"2\"\r\n"), 200);
	/* Only if there is none; only if it is this one. */
	EXPECT_EQ(412, put(fd, "/cache/v", "If-None-Match: *\r\n", "y", 1));
	EXPECT_EQ(412, put(fd, "/cache/v", "If-Match: \"2\"\r\n", "y", 1));
	EXPECT_EQ(412, put(fd, "/cache/none", "If-Match: *\r\n", "y", 1));
	expect_status(fd, GET("/cache/none"), 404);
	expect_body(fd, GET("/cache/v"), 200, "x", 1);
	EXPECT_EQ(204, put(fd, "/cache/v", "If-Match: \"1\"\r\n", "z", 1));
	EXPECT_EQ(201, put(fd, "/cache/new", "If-None-Match: *\r\n", "n", 1));
	expect_body(fd, GET("/cache/v"), 200, "z", 1);
	expect_status(fd, HEAD("DELETE", "/cache/v", "If-Match: \"2\"\r\n"), 412);
	expect_status(fd, HEAD("DELETE", "/cache/v", "If-Match: *\r\n"), 204);
	close(fd);
}

TEST(conditions_hold_for_getting_and_for_storing)
{
	run(ask_conditionally);
}

static void wait_to_continue(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/v", "", "x", 1));
	web_send_text(fd, HEAD("PUT", "/cache/v", "If-None-Match: *\r\nExpect: 100-continue\r\n"
			       "Content-Length: 1000\r\n"));
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(412, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(a_body_that_would_not_be_stored_is_not_asked_for)
{
	run(wait_to_continue);
}

/* ---- removing --------------------------------------------------------------------------- */

static void remove_objects(struct web *w)
{
	int fd = web_connect(w);

	EXPECT_EQ(201, put(fd, "/cache/a/1", "Cache-Tag: red, blue\r\n", "1", 1));
	EXPECT_EQ(201, put(fd, "/cache/a/2", "Surrogate-Key: red green\r\n", "2", 1));
	EXPECT_EQ(201, put(fd, "/cache/b/3", "Cache-Tag: blue\r\nCache-Tag: x\r\n", "3", 1));
	EXPECT_EQ(201, put(fd, "/cache/b/4", "", "4", 1));
	expect_status(fd, HEAD("DELETE", "/cache/b/4", ""), 204);
	expect_status(fd, HEAD("DELETE", "/cache/b/4", ""), 404);
	expect_status(fd, GET("/cache/b/4"), 404);
	expect_status(fd, HEAD("POST", "/cache-purge?tag=green", ""), 204);
	expect_status(fd, GET("/cache/a/2"), 404);
	expect_status(fd, GET("/cache/a/1"), 200);
	expect_status(fd, HEAD("POST", "/cache-purge?tag=blu", ""), 204);
	expect_status(fd, GET("/cache/a/1"), 200);
	expect_status(fd, HEAD("POST", "/cache-purge?tag=%62lue", ""), 204);
	expect_status(fd, GET("/cache/a/1"), 404);
	expect_status(fd, GET("/cache/b/3"), 404);
	EXPECT_EQ(201, put(fd, "/cache/a/1", "", "1", 1));
	EXPECT_EQ(201, put(fd, "/cache/b/1", "", "1", 1));
	EXPECT_EQ(201, put(fd, "/cache/b/2", "", "1", 1));
	expect_status(fd, HEAD("POST", "/cache-purge?prefix=a/", ""), 204);
	expect_status(fd, GET("/cache/a/1"), 404);
	expect_status(fd, GET("/cache/b/1"), 200);
	expect_status(fd, HEAD("POST", "/cache-purge?key=b/1", ""), 204);
	expect_status(fd, HEAD("POST", "/cache-purge?key=b/1", ""), 204);
	expect_status(fd, GET("/cache/b/1"), 404);
	expect_status(fd, HEAD("POST", "/cache-purge?prefix=", ""), 204);
	expect_status(fd, GET("/cache/b/2"), 404);
	EXPECT_EQ(201, put(fd, "/cache/b/2", "Cache-Tag: red\r\n", "1", 1));
	expect_status(fd, HEAD("POST", "/cache-purge?space=proxy&prefix=", ""), 204);
	expect_status(fd, HEAD("POST", "/cache-purge?space=proxy&key=b/2", ""), 204);
	expect_status(fd, HEAD("POST", "/cache-purge?space=proxy&tag=red", ""), 204);
	expect_status(fd, GET("/cache/b/2"), 200);
	expect_status(fd, HEAD("POST", "/cache-purge?space=other&prefix=", ""), 400);
	expect_status(fd, HEAD("POST", "/cache-purge?space=proxy&", ""), 400);
	expect_status(fd, HEAD("POST", "/cache-purge", ""), 400);
	expect_status(fd, HEAD("POST", "/cache-purge?all", ""), 400);
	expect_status(fd, HEAD("POST", "/cache-purge?prefix=a&tag=b", ""), 400);
	expect_status(fd, HEAD("POST", "/cache-purge?tag=%zz", ""), 400);
	close(fd);
}

TEST(objects_are_removed_by_key_by_prefix_and_by_tag)
{
	run(remove_objects);
}

static void look_at_figures(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/a", "", "1", 1));
	expect_status(fd, GET("/cache/a"), 200);
	expect_status(fd, GET("/cache/b"), 404);
	EXPECT_EQ(200, ask(fd, GET("/cache/"), &a));
	EXPECT_STREQ("application/json", field(&a, "Content-Type"));
	EXPECT_MEMEQ("{\"objects\": 1, \"bytes\": ", a.body, 23);
	EXPECT_NOT_NULL(strstr(a.body, "\"stored\": 1, "));
	web_answer_done(&a);
	close(fd);
}

TEST(what_the_cache_holds_and_did_is_told_as_json)
{
	run(look_at_figures);
}

/* ---- mistakes --------------------------------------------------------------------------- */

static void make_mistakes(struct web *w)
{
	char many[1600] = "";
	int fd = web_connect(w);
	struct web_answer a;

	for (int i = 0; i < CACHE_TAGS_MAX + 1; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "%st%d",
			 i ? "," : "Cache-Tag: ", i);
	snprintf(many + strlen(many), sizeof(many) - strlen(many), "\r\n");
	EXPECT_EQ(431, put(fd, "/cache/a", many, "x", 1));
	EXPECT_EQ(400, put(fd, "/cache/%4", "", "x", 1));
	EXPECT_EQ(400, put(fd, "/cache/a", "Content-Range: bytes 0-0/5\r\n", "x", 1));
	expect_status(fd, GET("/cache/a"), 404);
	EXPECT_EQ(405, put(fd, "/cache/", "", "x", 1));
	expect_status(fd, HEAD("POST", "/cache/a", ""), 405);
	/* A body that is cut off, or not sound, is not stored. */
	web_send_text(fd, HEAD("PUT", "/cache/cut", "Content-Length: 10\r\n") "12345");
	shutdown(fd, SHUT_WR);
	EXPECT_FALSE(web_read(fd, false, &a));
	close(fd);
	fd = web_connect(w);
	web_send_text(fd, HEAD("PUT", "/cache/cut", "Transfer-Encoding: chunked\r\n")
			  "5\r\n12345\r\nx\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(400, a.status);
	web_answer_done(&a);
	close(fd);
	fd = web_connect(w);
	expect_status(fd, GET("/cache/cut"), 404);
	close(fd);
}

TEST(mistakes_are_told_and_nothing_of_them_is_stored)
{
	run(make_mistakes);
}

static void ask_without_a_cache(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(404, put(fd, "/cache/a", "", "x", 1));
	EXPECT_EQ(404, ask(fd, GET("/cache/"), &a));
	EXPECT_STREQ("{\"error\": \"there is no cache: set cache.path\"}\n", a.body);
	web_answer_done(&a);
	close(fd);
}

TEST(without_a_cache_the_setting_is_named)
{
	struct http_cache none = {0};
	const struct http_api api = {"cache", http_cache_routes, http_cache_routes_n, &none, 0};
	struct web w = {.client = ask_without_a_cache, .conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

/* ---- faults ----------------------------------------------------------------------------- */

static int damaged;

/* Turns a bit in each block of a segment that is written, but for its head and index. */
static int damage(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint8_t block[4096];
	size_t len = strlen(path);
	int fd;

	if (type != FTW_F || len < 4 || strcmp(path + len - 4, ".seg"))
		return 0;
	fd = open(path, O_RDWR);
	for (off_t at = 256 << 10; pread(fd, block, sizeof(block), at) > 0; at += sizeof(block)) {
		bool zero = true;

		for (size_t i = 0; i < sizeof(block) && zero; i++)
			zero = !block[i];
		block[2048] ^= 1;
		if (!zero)
			damaged += pwrite(fd, block, sizeof(block), at) == sizeof(block);
	}
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return 0;
}

static void find_damage(struct web *w)
{
	enum { N = 6 << 20 };
	uint8_t *body = body_of(N, 9);
	char folder[300];
	int fd = web_connect(w);

	EXPECT_EQ(201, put(fd, "/cache/a", "", body, N));
	snprintf(folder, sizeof(folder), "%s/cache", harness_tmpdir());
	ASSERT_EQ(0, nftw(folder, damage, 8, FTW_PHYS));
	EXPECT_LT(0, damaged);
	/* It was never read: so it is verified now, and not there. */
	expect_status(fd, GET("/cache/a"), 404);
	expect_status(fd, GET("/cache/a"), 404);
	EXPECT_EQ(201, put(fd, "/cache/a", "", body, N));
	expect_body(fd, GET("/cache/a"), 200, body, N);
	free(body);
	close(fd);
}

TEST(an_object_that_went_bad_is_not_there)
{
	run(find_damage);
}

static void verify_all(struct web *w)
{
	enum { N = 6 << 20 };
	static const char verify[] = HEAD("POST", "/cache-verify", "");
	static const char good[] = "{\"objects\": 2, \"bytes\": 6291457, \"bad\": 0}\n";
	uint8_t *body = body_of(N, 10);
	char folder[300];
	int fd = web_connect(w);
	struct web_answer a;

	EXPECT_EQ(201, put(fd, "/cache/a", "", body, N));
	EXPECT_EQ(201, put(fd, "/cache/b", "", "x", 1));
	expect_body(fd, verify, 200, good, sizeof(good) - 1);
	snprintf(folder, sizeof(folder), "%s/cache", harness_tmpdir());
	ASSERT_EQ(0, nftw(folder, damage, 8, FTW_PHYS));
	EXPECT_EQ(200, ask(fd, verify, &a));
	EXPECT_NULL(strstr(a.body, "\"bad\": 0}"));
	web_answer_done(&a);
	expect_status(fd, GET("/cache/a"), 404);
	free(body);
	close(fd);
}

TEST(everything_is_verified_when_asked_for)
{
	run(verify_all);
}

static void fail(int fd, unsigned nth, int err, bool sticky)
{
	char text[100];

	snprintf(text, sizeof(text), GET("/faults/%u/%d/%d"), nth, err, sticky);
	expect_status(fd, text, 200);
}

/* A new connection for each: one whose body was not taken ends. */
static int put_anew(struct web *w, const char *path, const void *body, size_t n)
{
	int fd = web_connect(w), status = put(fd, path, "", body, n);

	close(fd);
	return status;
}

/* On a full disk what is stored may have to make room. */
static void expect_whole_or_gone(int fd, const char *text, const void *body, size_t n)
{
	struct web_answer got;
	int status = ask(fd, text, &got);

	if (status != 404) {
		EXPECT_EQ(200, status);
		EXPECT_EQ(n, got.n);
		EXPECT_EQ(0, memcmp(body, got.body, sl_min(n, got.n)));
	}
	web_answer_done(&got);
}

static void fill_disk(struct web *w)
{
	enum { N = 1 << 20 };
	uint8_t *body = body_of(N, 1);
	int fd = web_connect(w);

	EXPECT_EQ(201, put(fd, "/cache/before", "", "b", 1));
	fail(fd, 1, ENOSPC, true);
	EXPECT_EQ(507, put_anew(w, "/cache/large", body, N));
	EXPECT_EQ(507, put_anew(w, "/cache/small", "s", 1));
	expect_status(fd, GET("/cache/large"), 404);
	expect_status(fd, GET("/cache/small"), 404);
	expect_whole_or_gone(fd, GET("/cache/before"), "b", 1);
	fail(fd, 0, 0, false);
	EXPECT_EQ(201, put_anew(w, "/cache/large", body, N));
	EXPECT_EQ(201, put_anew(w, "/cache/small", "s", 1));
	expect_body(fd, GET("/cache/large"), 200, body, N);
	free(body);
	close(fd);
}

TEST(a_full_disk_is_told_by_507_until_it_has_space)
{
	run_with(fill_disk, true);
}

static void fail_disk(struct web *w)
{
	int fd = web_connect(w);

	EXPECT_EQ(201, put(fd, "/cache/before", "", "b", 1));
	expect_body(fd, GET("/cache/before"), 200, "b", 1);
	fail(fd, 1, EIO, true);
	EXPECT_EQ(503, put_anew(w, "/cache/after", "a", 1));
	expect_status(fd, GET("/cache/after"), 404);
	close(fd);
}

TEST(a_failed_disk_is_told_by_503)
{
	run_with(fail_disk, true);
}

enum { FAULTS = 24 };

/* Of puts, each of which met a fault at another operation: that were stored, that were refused,
 * that left neither the old object nor the new one, nor nothing. */
static unsigned stored_n, refused_n, broken_n;

/* Whether what is there is one of the two, whole, or nothing. */
static bool is_either(struct web *w, const void *a, const void *b, size_t n, bool stored)
{
	int fd = web_connect(w);
	struct web_answer got;
	int status = ask(fd, GET("/cache/k"), &got);
	bool good = status == 404;

	if (status == 200 && got.n == n)
		good = (!stored && !memcmp(a, got.body, n)) || !memcmp(b, got.body, n);
	web_answer_done(&got);
	close(fd);
	return good;
}

static void fail_each(struct web *w, size_t n, int err)
{
	uint8_t *old = body_of(n, 100);

	EXPECT_EQ(2, put_anew(w, "/cache/k", old, n) / 100);
	for (unsigned nth = 1; nth <= FAULTS; nth++) {
		uint8_t *new = body_of(n, 100 + nth);
		int fd = web_connect(w), status;

		fail(fd, nth, err, false);
		status = put_anew(w, "/cache/k", new, n);
		fail(fd, 0, 0, false);
		stored_n += status == 201 || status == 204;
		refused_n += status == 503 || status == 507;
		broken_n += !is_either(w, old, new, n, status < 300);
		close(fd);
		if (status < 300) {
			free(old);
			old = new;
		} else {
			free(new);
		}
	}
	free(old);
}

static void fail_each_of_small(struct web *w)
{
	fail_each(w, 3000, ENOSPC);
	fail_each(w, 3000, EIO);
}

TEST_TIMEOUT(an_operation_that_fails_leaves_the_old_or_the_new, 60)
{
	run_with(fail_each_of_small, true);
	EXPECT_EQ(0, broken_n);
	EXPECT_LT(0, refused_n);
	EXPECT_EQ(2 * FAULTS, stored_n + refused_n);
}

static void fail_each_of_large(struct web *w)
{
	fail_each(w, 700000, ENOSPC);
	fail_each(w, 700000, EIO);
}

TEST_TIMEOUT(an_operation_that_fails_leaves_the_old_or_the_new_of_a_large_object, 60)
{
	run_with(fail_each_of_large, true);
	EXPECT_EQ(0, broken_n);
	EXPECT_LT(0, refused_n);
	EXPECT_EQ(2 * FAULTS, stored_n + refused_n);
}

TEST_HARNESS_MAIN
