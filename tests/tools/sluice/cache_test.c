// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/cache.c: the verb against a daemon with a cache, and against one without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(cache)
{
	struct daemon_kit d;
	char http[32];
};

static void start(struct daemon_kit *d, char *ret_http, size_t n)
{
	daemon_must_start(d);
	snprintf(ret_http, n, "127.0.0.1:%u", d->http_port);
}

FIXTURE_SETUP(cache)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "cache.path=%s/cache", harness_tmpdir());
	start(&self->d, self->http, sizeof(self->http));
}

FIXTURE_TEARDOWN(cache)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

#define CACHE(input, ...)                                                                          \
	RUN(0, input, "cache", __VA_ARGS__, "--http", self->http, "--timeout", "60s")

TEST_F(cache, what_is_put_is_got)
{
	const struct run_result *r;
	char file[300], out[300];
	char text[100] = "";
	FILE *f;

	EXPECT_EQ(0, CACHE("from a pipe\n", "put", "a/b c%")->status);
	r = CACHE(NULL, "get", "a/b c%");
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("from a pipe\n", r->out);
	EXPECT_STREQ("", r->err);
	r = CACHE(NULL, "get", "a/b c%", "--range", "5-5");
	EXPECT_STREQ("a", r->out);
	snprintf(file, sizeof(file), "%s/in", harness_tmpdir());
	snprintf(out, sizeof(out), "%s/out", harness_tmpdir());
	f = fopen(file, "w");
	ASSERT_NOT_NULL(f);
	fputs("from a file", f);
	fclose(f);
	EXPECT_EQ(0, CACHE(NULL, "put", "f", file, "--type", "text/plain")->status);
	EXPECT_EQ(0, CACHE(NULL, "get", "f", "--output", out)->status);
	f = fopen(out, "r");
	ASSERT_NOT_NULL(f);
	EXPECT_NOT_NULL(fgets(text, sizeof(text), f));
	EXPECT_STREQ("from a file", text);
	fclose(f);
	EXPECT_EQ(0, CACHE(NULL, "remove", "f")->status);
	r = CACHE(NULL, "get", "f");
	EXPECT_EQ(1, r->status);
	EXPECT_STREQ("sluice cache get: not in the cache (status 404)\n", r->err);
	EXPECT_STREQ("", r->out);
	EXPECT_EQ(1, CACHE(NULL, "remove", "f")->status);
}

TEST_F(cache, an_object_that_is_there_is_not_replaced_if_so_asked)
{
	const struct run_result *r;

	EXPECT_EQ(0, CACHE("one", "put", "k", "--if-absent")->status);
	r = CACHE("two", "put", "k", "--if-absent");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "(status 412)"));
	EXPECT_STREQ("one", CACHE(NULL, "get", "k")->out);
	EXPECT_EQ(0, CACHE("two", "put", "k")->status);
	EXPECT_STREQ("two", CACHE(NULL, "get", "k")->out);
}

TEST_F(cache, objects_are_purged_by_key_prefix_and_tag)
{
	EXPECT_EQ(0, CACHE("1", "put", "a/1", "--tag", "red", "--tag", "blue")->status);
	EXPECT_EQ(0, CACHE("2", "put", "a/2", "--ttl", "1h")->status);
	EXPECT_EQ(0, CACHE("3", "put", "b/3")->status);
	EXPECT_EQ(0, CACHE(NULL, "purge", "--tag", "blue")->status);
	EXPECT_EQ(1, CACHE(NULL, "get", "a/1")->status);
	EXPECT_EQ(0, CACHE(NULL, "get", "a/2")->status);
	EXPECT_EQ(0, CACHE(NULL, "purge", "--prefix", "a/")->status);
	EXPECT_EQ(1, CACHE(NULL, "get", "a/2")->status);
	EXPECT_EQ(0, CACHE(NULL, "purge", "--key", "b/3")->status);
	EXPECT_EQ(1, CACHE(NULL, "get", "b/3")->status);
}

TEST_F(cache, figures_are_lines_or_json)
{
	const struct run_result *r;
	yyjson_doc *doc;

	EXPECT_EQ(0, CACHE("1", "put", "a")->status);
	r = CACHE(NULL, "stat");
	EXPECT_EQ(0, r->status);
	EXPECT_MEMEQ("objects\t1\n", r->out, 10);
	r = CACHE(NULL, "stat", "--json");
	EXPECT_EQ(0, r->status);
	doc = yyjson_read(r->out, strlen(r->out), 0);
	EXPECT_EQ(1, yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), "objects")));
	yyjson_doc_free(doc);
}

TEST_F(cache, everything_is_verified)
{
	const struct run_result *r;

	EXPECT_EQ(0, CACHE("12345", "put", "a")->status);
	r = CACHE(NULL, "verify");
	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("objects\t1\nbytes\t5\nbad\t0\n", r->out);
	EXPECT_STREQ("{\"objects\": 1, \"bytes\": 5, \"bad\": 0}\n",
		     CACHE(NULL, "verify", "--json")->out);
}

/* Without a daemon, which is then started with it. */
TEST(a_device_is_prepared_and_used)
{
	const struct run_result *r;
	struct daemon_kit d;
	char path[300], http[32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/device", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fclose(f);
	r = RUN(0, NULL, "cache", "format", path);
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "too small"));
	ASSERT_EQ(0, truncate(path, 64 << 20));
	EXPECT_EQ(2, RUN(0, NULL, "cache", "format", path, "--block-size", "5000")->status);
	r = RUN(0, NULL, "cache", "format", path, "--block-size", "8K");
	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, "1 shards of 30 slots of 2097152 bytes"));
	EXPECT_EQ(1, RUN(0, NULL, "cache", "format", path)->status);
	daemon_init(&d, NULL);
	daemon_set(&d, "cache.path=%s", path);
	start(&d, http, sizeof(http));
	EXPECT_EQ(0, RUN(0, "text", "cache", "put", "k", "--http", http)->status);
	EXPECT_STREQ("text", RUN(0, NULL, "cache", "get", "k", "--http", http)->out);
	r = RUN(0, NULL, "cache", "stat", "--http", http);
	EXPECT_NOT_NULL(strstr(r->out, "max_bytes\t62914560\n"));
	r = RUN(0, NULL, "cache", "format", path, "--force");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "in use"));
	EXPECT_EQ(0, daemon_stop(&d));
	EXPECT_EQ(0, RUN(0, NULL, "cache", "format", path, "--force")->status);
}

TEST_F(cache, a_load_is_measured_and_leaves_nothing)
{
	const struct run_result *r = CACHE(NULL, "bench", "--objects", "20", "--bytes", "10K",
					   "--connections", "3", "--seconds", "100ms");

	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, "stored 20 objects of 10240 bytes"));
	EXPECT_NOT_NULL(strstr(r->out, "requests/s"));
	EXPECT_EQ(1, CACHE(NULL, "get", "bench-0")->status);
}

TEST_F(cache, mistakes_are_told)
{
	const struct run_result *r;

	EXPECT_EQ(2, CACHE(NULL, "purge")->status);
	EXPECT_EQ(2, CACHE(NULL, "purge", "--key", "a", "--tag", "b")->status);
	EXPECT_EQ(2, CACHE(NULL, "put")->status);
	EXPECT_EQ(2, CACHE("x", "put", "a", "--tag", "two words")->status);
	EXPECT_EQ(2, CACHE("x", "put", "a", "--type", "a\r\nb: c")->status);
	EXPECT_EQ(2, CACHE(NULL, "get", "a", "--range", "first")->status);
	r = CACHE(NULL, "put", "a", "/nowhere/file");
	EXPECT_EQ(1, r->status);
	EXPECT_STREQ("sluice cache put: /nowhere/file: No such file or directory\n", r->err);
	r = RUN(0, NULL, "cache", "stat", "--http", "127.0.0.1:1");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "127.0.0.1:1: Connection refused; does sluiced run"));
}

/* Larger than the cache takes: the answer comes before the body is sent. */
TEST_F(cache, a_refusal_is_told_while_the_body_is_sent)
{
	const struct run_result *r;
	char file[300];
	FILE *f;

	snprintf(file, sizeof(file), "%s/large", harness_tmpdir());
	f = fopen(file, "w");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(0, fseeko(f, INT64_C(2) << 30, SEEK_SET));
	fputc('x', f);
	fclose(f);
	r = CACHE(NULL, "put", "a", file);
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "(status 413)"));
}

/* SHA-256 of "secret". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

TEST(a_key_is_shown_to_who_asks_for_one)
{
	struct daemon_kit d;
	char http[32], path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/keys", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs("writer " SECRET " read,write\n", f);
	fclose(f);
	daemon_init(&d, NULL);
	daemon_set(&d, "cache.path=%s/cache", harness_tmpdir());
	daemon_set(&d, "http.keys=%s", path);
	start(&d, http, sizeof(http));
	unsetenv("SLUICE_KEY");
	EXPECT_NOT_NULL(strstr(RUN(0, "x", "cache", "put", "a", "--http", http)->err,
			       "Authorization: Bearer KEY (status 401)"));
	setenv("SLUICE_KEY", "secret", 1);
	EXPECT_EQ(0, RUN(0, "x", "cache", "put", "a", "--http", http)->status);
	EXPECT_STREQ("x", RUN(0, NULL, "cache", "get", "a", "--http", http)->out);
	EXPECT_EQ(0, RUN(0, NULL, "cache", "bench", "--http", http, "--objects", "3",
			 "--connections", "1", "--seconds", "10ms")->status);
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST(without_a_cache_the_setting_is_named)
{
	struct daemon_kit d;
	const struct run_result *r;
	char http[32];

	daemon_init(&d, NULL);
	start(&d, http, sizeof(http));
	r = RUN(0, NULL, "cache", "stat", "--http", http);
	EXPECT_EQ(1, r->status);
	EXPECT_STREQ("sluice cache stat: there is no cache: set cache.path (status 404)\n", r->err);
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST_HARNESS_MAIN
