// SPDX-License-Identifier: Apache-2.0
/*
 * An HTTP server on one core of this process, and a plain blocking client in a thread.
 *
 * Interface: web.h. The core runs on the calling thread; the client knows nothing but sockets.
 */
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/* ---- the server ------------------------------------------------------------------------- */

static void *client_thread(void *arg)
{
	struct web *w = arg;

	w->client(w);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int serve_client(void *arg)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage bound;
	struct sl_listener *listener;
	struct web *w = arg;
	pthread_t thread;
	char why[256];

	if (!EXPECT_EQ(0, sl_listen((struct sockaddr *)&any, sizeof(any), &http_proto, &w->server,
				    0, &w->limits, &listener, why, sizeof(why)))) {
		TH_LOG("%s", why);
		return -1;
	}
	ASSERT_EQ(0, sl_listener_addr(listener, &bound));
	w->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	ASSERT_EQ(0, pthread_create(&thread, NULL, client_thread, w));
	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE))
		sl_sleep(sl_clock_ns() + SL_MSEC);
	pthread_join(thread, NULL);
	sl_listener_drain(listener, sl_clock_ns() + 3 * SL_SEC);
	EXPECT_EQ(0, sl_listener_conns(listener));
	sl_listener_free(listener);
	return 0;
}

static void fill_defaults(struct web *w)
{
	struct sl_conn_limits *l = &w->limits;

	w->conf.cores = 1;
	w->conf.registry = w->registry;
	if (!w->conf.head_bytes_max)
		w->conf.head_bytes_max = 4096;
	if (!w->conf.body_bytes_max)
		w->conf.body_bytes_max = 4 << 20;
	l->idle_ns = l->idle_ns ? l->idle_ns : 10 * SL_SEC;
	l->header_ns = l->header_ns ? l->header_ns : 10 * SL_SEC;
	l->write_ns = l->write_ns ? l->write_ns : 10 * SL_SEC;
	l->memory_bytes = l->memory_bytes ? l->memory_bytes : 1 << 20;
	if (!l->ahead_bytes && !w->nothing_ahead)
		l->ahead_bytes = 256 << 10;
	l->replies = l->replies ? l->replies : 64;
	l->conns = l->conns ? l->conns : 1000;
}

/* The tables of names that tools/sluiced gives. */
static void name_dimensions(struct sl_registry *r)
{
	static const char *const listeners[] = {"http"};
	static const char *closes[SL_CLOSE_LAST], *rungs[SL_RUNG_LAST], *falls[SL_FALLBACK_LAST];

	for (int i = 0; i < SL_CLOSE_LAST; i++)
		closes[i] = sl_close_name((enum sl_close)i);
	for (int i = 0; i < SL_RUNG_LAST; i++)
		rungs[i] = sl_rung_name((enum sl_rung)i);
	for (int i = 0; i < SL_FALLBACK_LAST; i++)
		falls[i] = sl_fallback_name((enum sl_fallback)i);
	sl_registry_dim(r, SL_DIM_LISTENER, listeners, 1);
	sl_registry_dim(r, SL_DIM_CLOSE, closes, SL_CLOSE_LAST);
	sl_registry_dim(r, SL_DIM_RUNG, rungs, SL_RUNG_LAST);
	sl_registry_dim(r, SL_DIM_FALLBACK, falls, SL_FALLBACK_LAST);
}

void web_run(struct web *w)
{
	struct sl_cores_conf cores = {.n = 1, .arena_bytes_max = 256 << 20};

	ASSERT_EQ(0, sl_registry_new(1, &w->registry));
	name_dimensions(w->registry);
	cores.registry = w->registry;
	fill_defaults(w);
	ASSERT_EQ(0, http_server_init(&w->server, &w->conf));
	w->done = 0;
	ASSERT_EQ(0, sl_core_run(&cores, serve_client, w));
	http_server_done(&w->server);
	sl_registry_free(w->registry);
}

/* ---- the client ------------------------------------------------------------------------- */

int web_connect(const struct web *w)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(w->port)};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

/* A server that has refused may end before all is sent. */
void web_send(int fd, const void *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = send(fd, (const char *)data + done, n - done, MSG_NOSIGNAL);

		if (k < 0)
			return;
		done += (size_t)k;
	}
}

void web_send_text(int fd, const char *text)
{
	web_send(fd, text, strlen(text));
}

/* One byte, or 0 at the end. */
static size_t next(int fd, char *ret_c)
{
	ssize_t k = recv(fd, ret_c, 1, 0);

	if (k < 0 && errno == EAGAIN)
		ASSERT_TRUE(!"an answer within 20 s");
	return k > 0;
}

bool web_read(int fd, bool head_only, struct web_answer *a)
{
	const char *length;
	size_t n = 0;

	*a = (struct web_answer){0};
	while (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4)) {
		ASSERT_LT(n, sizeof(a->head) - 1);
		if (!next(fd, a->head + n)) {
			if (n)
				TH_LOG("the connection ended within a head: %s", a->head);
			return false;
		}
		n++;
	}
	ASSERT_MEMEQ("HTTP/1.1 ", a->head, 9);
	a->status = atoi(a->head + 9);
	length = strstr(a->head, "\r\nContent-Length: ");
	if (length && !head_only)
		a->n = strtoul(length + 18, NULL, 10);
	a->body = calloc(1, a->n + 1);
	ASSERT_NOT_NULL(a->body);
	for (size_t done = 0; done < a->n;) {
		ssize_t k = recv(fd, a->body + done, a->n - done, 0);

		ASSERT_LT(0, k);
		done += (size_t)k;
	}
	return true;
}

void web_answer_done(struct web_answer *a)
{
	free(a->body);
	a->body = NULL;
}

bool web_ended(int fd)
{
	char c;

	return !next(fd, &c);
}

int web_ask(const struct web *w, const char *text, struct web_answer *a)
{
	int fd = web_connect(w);

	web_send_text(fd, text);
	if (!web_read(fd, !strncmp(text, "HEAD", 4), a))
		a->status = 0;
	close(fd);
	return a->status;
}
