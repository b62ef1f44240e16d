/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP clients of a whole daemon that mean ill or do not go on: the corpus of unsound requests at
 * each of its listeners, peers who are slow with a head, a body, or with taking an answer, and more
 * of them than it has descriptors beside the files that it keeps open.
 *
 * Order of parts: the daemon; unsound requests; slow peers; out of descriptors.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "harness.h"
#include "proto/http/corpus.h"
#include "proto/http/web.h"

/* ---- the daemon ----------------------------------------------------------------------------- */

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

FIXTURE(http)
{
	struct daemon_kit d;
};

FIXTURE_SETUP(http)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "static.listen=127.0.0.1:0");
	daemon_set(&self->d, "static.root=%s", harness_tmpdir());
	daemon_set(&self->d, "cache.path=%s/cache", harness_tmpdir());
	daemon_set(&self->d, "cache.max_bytes=2G");
}

FIXTURE_TEARDOWN(http)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

/* The status of the answer to @text, on a connection of its own; 0: there is none. */
static int ask(uint16_t port, const char *text, size_t n)
{
	int fd = serving_connect(port), status = 0;
	struct web_answer a;

	serving_send(fd, text, n);
	if (web_read(fd, false, &a)) {
		status = a.status;
		web_answer_done(&a);
	}
	close(fd);
	return status;
}

static int ask_text(uint16_t port, const char *text)
{
	return ask(port, text, strlen(text));
}

/* ---- unsound requests ----------------------------------------------------------------------- */

/* One answer, and the end: nothing behind it is served. */
static void expect_refusal(uint16_t port, const char *name, const char *bytes, size_t n, int status)
{
	int fd = serving_connect(port);
	struct web_answer a = {0};

	serving_send(fd, bytes, n);
	if (!EXPECT_TRUE(web_read(fd, false, &a)) || !EXPECT_EQ(status, a.status) ||
	    !EXPECT_TRUE(serving_ended(fd)))
		TH_LOG("in %s", name);
	web_answer_done(&a);
	close(fd);
}

TEST_F_TIMEOUT(http, unsound_requests_are_refused_at_each_listener, 60)
{
	daemon_must_start(&self->d);
	for (size_t i = 0; i < corpus_n; i++) {
		const struct corpus_row *r = &corpus[i];

		if (!r->status)
			continue;
		expect_refusal(self->d.http_port, r->name, r->bytes, r->n, r->status);
		expect_refusal(self->d.static_port, r->name, r->bytes, r->n, r->status);
	}
	EXPECT_EQ(200, ask_text(self->d.http_port, HEALTH));
}

TEST_F_TIMEOUT(http, bodies_in_unsound_chunks_are_not_stored, 60)
{
	static const char head[] = "PUT /cache/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked";

	daemon_must_start(&self->d);
	for (size_t i = 0; i < corpus_n; i++) {
		const struct corpus_row *r = &corpus[i];
		const char *body = strstr(r->bytes, "\r\n\r\n");
		char text[1000];
		size_t n;

		if (r->status)
			continue;
		ASSERT_NOT_NULL(body);
		n = r->n - (size_t)(body - r->bytes);
		ASSERT_LT(sizeof(head) + n, sizeof(text));
		memcpy(text, head, sizeof(head) - 1);
		memcpy(text + sizeof(head) - 1, body, n);
		expect_refusal(self->d.http_port, r->name, text, sizeof(head) - 1 + n, 400);
		EXPECT_EQ(404, ask_text(self->d.http_port,
					"GET /cache/k HTTP/1.1\r\nHost: h\r\n\r\n"));
	}
}

/* ---- slow peers ----------------------------------------------------------------------------- */

/* Sends a byte now and then until the server ends the connection, and asks for others meanwhile. */
static void trickle(uint16_t port, int fd)
{
	char waste[1000];
	ssize_t n;

	do {
		send(fd, "a", 1, MSG_NOSIGNAL);
		EXPECT_EQ(200, ask_text(port, HEALTH));
		usleep(50000);
		n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT | MSG_PEEK);
	} while (n < 0 && errno == EAGAIN);
}

TEST_F(http, a_head_that_trickles_ends_the_connection)
{
	static const char head[] = "GET /healthz HTTP/1.1\r\nHost: h\r\nX: ";
	int fd;

	daemon_set(&self->d, "conn.header_timeout=500ms");
	daemon_must_start(&self->d);
	fd = serving_connect(self->d.http_port);
	serving_send(fd, head, sizeof(head) - 1);
	trickle(self->d.http_port, fd);
	EXPECT_TRUE(serving_ended(fd));
	EXPECT_EQ(1, daemon_log_wait(&self->d, "reason=incomplete-request", 1));
	close(fd);
}

TEST_F(http, a_body_that_trickles_is_given_up_and_not_stored)
{
	static const char *const heads[] = {
		"PUT /cache/k HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\n\r\n",
		"PUT /cache/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n",
	};

	daemon_set(&self->d, "conn.header_timeout=500ms");
	daemon_must_start(&self->d);
	for (size_t i = 0; i < SL_ARRAY_SIZE(heads); i++) {
		int fd = serving_connect(self->d.http_port);
		struct web_answer a;

		serving_send(fd, heads[i], strlen(heads[i]));
		trickle(self->d.http_port, fd);
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(408, a.status);
		web_answer_done(&a);
		EXPECT_TRUE(serving_ended(fd));
		close(fd);
	}
	EXPECT_EQ(404, ask_text(self->d.http_port, "GET /cache/k HTTP/1.1\r\nHost: h\r\n\r\n"));
}

TEST_F(http, an_answer_that_nobody_takes_ends_the_connection)
{
	enum { N = 32 << 20 };
	static const char head[] = "PUT /cache/k HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 33554432\r\n\r\n";
	static const char get[] = "GET /cache/k HTTP/1.1\r\nHost: h\r\n\r\n";
	char *body = calloc(1, N);
	struct web_answer a;
	int fd;

	daemon_set(&self->d, "conn.write_timeout=500ms");
	daemon_must_start(&self->d);
	ASSERT_NOT_NULL(body);
	fd = serving_connect(self->d.http_port);
	serving_send(fd, head, sizeof(head) - 1);
	serving_send(fd, body, N);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(201, a.status);
	web_answer_done(&a);
	serving_send(fd, get, sizeof(get) - 1);
	EXPECT_EQ(1, daemon_log_wait(&self->d, "reason=slow-reader", 1));
	EXPECT_EQ(200, ask_text(self->d.http_port, HEALTH));
	/* What it did not take is not made up for: the body is cut, and seen to be. */
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, 16));
	for (ssize_t n, got = 0;; got += n) {
		n = recv(fd, body, N, 0);
		if (n > 0)
			continue;
		EXPECT_GT(N, got);
		break;
	}
	close(fd);
	free(body);
}

/* ---- out of descriptors --------------------------------------------------------------------- */

/* A daemon keeps half of its descriptors for files. */
enum { DESCRIPTORS = 160, FILES = DESCRIPTORS / 2 };

static void get_file(int fd, int i)
{
	struct web_answer a;
	char text[64];

	snprintf(text, sizeof(text), "GET /f%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
	serving_send(fd, text, strlen(text));
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(200, a.status);
	web_answer_done(&a);
}

static void put_files(void)
{
	char path[300];

	for (int i = 0; i < FILES; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/f%d", harness_tmpdir(), i);
		f = fopen(path, "w");
		ASSERT_NOT_NULL(f);
		fclose(f);
	}
}

TEST_F(http, files_that_are_kept_open_make_room_for_connections)
{
	struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
	int fd, fds[DESCRIPTORS], n;

	put_files();
	daemon_set(&self->d, "node.cores=1");
	daemon_set(&self->d, "bpf.enabled=no"); /* their descriptors come a while after the start */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	daemon_must_start(&self->d);
	fd = serving_connect(self->d.static_port);
	for (int i = 0; i < FILES; i++)
		get_file(fd, i);
	n = DESCRIPTORS - (int)daemon_descriptors(&self->d);
	ASSERT_GT(FILES, n);
	n += FILES / 2;
	for (int i = 0; i < n; i++) {
		fds[i] = serving_connect(self->d.static_port);
		get_file(fds[i], i % 4);
	}
	EXPECT_EQ(0, daemon_log_count(&self->d, "accept.failed"));
	while (n)
		close(fds[--n]);
	close(fd);
}

TEST_HARNESS_MAIN
