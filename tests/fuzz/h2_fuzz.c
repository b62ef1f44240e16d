// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/2 connections: the input is what a client sends behind the preface.
 *
 * A server in a thread serves each of them by handlers that read, answer, send in pieces and break
 * off; the client ends its side and reads to the end. What is checked is that the server survives,
 * ends the connection, and closes each file that a response was of. Unlike other targets this one
 * has a state, a server that lives as long as the process, for starting a core takes longer than
 * an input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/http/h2.h"
#include "proto/http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__asan_default_options(void);

/* What a core's thread refers to lies in memory that the leak checker does not look into. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- the server ------------------------------------------------------------------------- */

enum { FILE_BYTES = 300000 };

static struct http_server server;
static uint16_t port;
static int files; /* open; atomic */

static void file_gone(struct sl_file *f)
{
	close(f->fd);
	free(f);
	__atomic_sub_fetch(&files, 1, __ATOMIC_RELEASE);
}

static int put_file(struct http_response *rs)
{
	struct sl_file *f = malloc(sizeof(*f));
	int fd = memfd_create("file", MFD_CLOEXEC);

	SL_ASSERT(f && fd >= 0 && !ftruncate(fd, FILE_BYTES) && !sl_file_init(f, fd, file_gone));
	__atomic_add_fetch(&files, 1, __ATOMIC_RELEASE);
	rs->parts[rs->n++] =
		sl_part_extent((struct sl_extent){.file = f, .off = 0, .len = FILE_BYTES});
	return 0;
}

static int get_file(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return put_file(rs);
}

static int post_echo(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	static char data[1 << 16];
	ssize_t n = http_body_read(rq, data, sizeof(data), deadline);

	return n < 0 ? (int)n : http_response_body(rs, "text/plain", data, (size_t)n);
}

static int get_pieces(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = http_stream_begin(rq, rs, HTTP_BYTES_UNKNOWN, deadline);

	for (int i = 0; i < 5 && !err; i++) {
		struct http_response piece;

		http_response_init(&piece);
		put_file(&piece);
		err = http_stream_send(rq, piece.parts, piece.n, deadline);
	}
	return err || rq->query.n ? -EIO : http_stream_end(rq, deadline);
}

static const struct http_route fuzz_routes[] = {
	{HTTP_ON(GET), "/", get_file, 0},
	{HTTP_ON(POST), "/", post_echo, 0},
	{HTTP_ON(GET), "/index.html", get_pieces, 0},
};

static const struct http_api fuzz_api = {"test", fuzz_routes, SL_ARRAY_SIZE(fuzz_routes), NULL, 0};

static int listen_for_ever(void *arg)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sl_conn_limits limits = {.header_ns = 2 * SL_SEC,
					.write_ns = 2 * SL_SEC,
					.memory_bytes = 1 << 20,
					.ahead_bytes = 256 << 10,
					.replies = 64,
					.conns = 100};
	struct sockaddr_storage at;
	struct sl_listener *l;
	char why[200];

	SL_ASSERT(!sl_listen((struct sockaddr *)&addr, sizeof(addr), &http_proto, &server, 0,
			     &limits, &l, why, sizeof(why)));
	SL_ASSERT(!sl_listener_addr(l, &at));
	__atomic_store_n(&port, ((struct sockaddr_in *)&at)->sin_port, __ATOMIC_RELEASE);
	for (;;)
		sl_sleep(SL_NEVER);
}

static void *serve(void *arg)
{
	struct sl_cores_conf cores = {.n = 1, .arena_bytes_max = 256 << 20};

	SL_ASSERT(!sl_core_run(&cores, listen_for_ever, NULL));
	return NULL;
}

static void start_server(void)
{
	const struct http_server_conf conf = {
		.cores = 1,
		.head_bytes_max = 4096,
		.body_bytes_max = 1 << 20,
		.apis = &fuzz_api,
		.apis_n = 1,
	};
	pthread_t thread;

	SL_ASSERT(!http_server_init(&server, &conf));
	SL_ASSERT(!pthread_create(&thread, NULL, serve, NULL));
	while (!__atomic_load_n(&port, __ATOMIC_ACQUIRE))
		usleep(100);
}

/* ---- the client ------------------------------------------------------------------------- */

/* By an end or a reset; one that stays silent for longer than its own limits has hung. */
static void read_to_the_end(int fd)
{
	struct timeval patience = {.tv_sec = 60};
	char data[65536];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do
		n = recv(fd, data, sizeof(data), 0);
	while (n > 0);
	SL_ASSERT(n == 0 || errno != EAGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd;

	if (n > 100000)
		return 0;
	if (!port)
		start_server();
	addr.sin_port = port;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SL_ASSERT(fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	send(fd, HTTP_H2_PREFACE, HTTP_H2_PREFACE_BYTES, MSG_NOSIGNAL);
	for (size_t done = 0; done < n;) {
		ssize_t k = send(fd, data + done, n - done, MSG_NOSIGNAL);

		if (k < 0)
			break;
		done += (size_t)k;
	}
	shutdown(fd, SHUT_WR);
	read_to_the_end(fd);
	close(fd);
	for (int i = 0; __atomic_load_n(&files, __ATOMIC_ACQUIRE); i++) {
		SL_ASSERT(i < 50000);
		usleep(100);
	}
	return 0;
}
