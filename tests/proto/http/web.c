// SPDX-License-Identifier: Apache-2.0
/*
 * An HTTP server on one core of this process, and a plain blocking client in a thread.
 *
 * Interface: web.h. The core runs on the calling thread; the client knows nothing but sockets.
 */
#include "web.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "proto/http/route.h"
#include "serving.h"

/* ---- the server ------------------------------------------------------------------------- */

static void run_client(void *arg)
{
	struct web *w = arg;

	w->client(w);
}

static int run_core(void *arg)
{
	struct web *w = arg;
	struct serving serving = {.proto = &http_proto,
				  .server = &w->server,
				  .limits = &w->limits,
				  .client = run_client,
				  .arg = w,
				  .ret_port = &w->port};

	if (w->begin)
		w->begin(w);
	serving_run(&serving);
	if (w->end)
		w->end(w);
	return 0;
}

static void fill_defaults(struct web *w)
{
	struct sl_conn_limits *l = &w->limits;

	if (!w->conf.apis) {
		w->own = (struct http_api){
			.name = "sluice", .routes = http_routes, .routes_n = http_routes_n};
		w->conf.apis = &w->own;
		w->conf.apis_n = 1;
	}
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

void web_run(struct web *w)
{
	struct sl_cores_conf cores = {.n = 1, .arena_bytes_max = 256 << 20, .backend = w->backend};

	w->registry = serving_registry(1, "http", NULL, 0);
	cores.registry = w->registry;
	fill_defaults(w);
	ASSERT_EQ(0, http_server_init(&w->server, &w->conf));
	ASSERT_EQ(0, sl_core_run(&cores, run_core, w));
	http_server_done(&w->server);
	sl_registry_free(w->registry);
}

/* ---- the client ------------------------------------------------------------------------- */

int web_connect(const struct web *w)
{
	return serving_connect(w->port);
}

void web_send_text(int fd, const char *text)
{
	serving_send(fd, text, strlen(text));
}

static bool receive(int fd, struct web_answer *a, size_t n)
{
	a->body = realloc(a->body, a->n + n + 1);
	ASSERT_NOT_NULL(a->body);
	a->cut = !serving_receive(fd, a->body + a->n, n);
	if (!a->cut)
		a->n += n;
	a->body[a->n] = 0;
	return !a->cut;
}

static void receive_chunks(int fd, struct web_answer *a)
{
	for (;;) {
		char line[20] = {0}, end[2];
		size_t n = 0, bytes;

		while (!strchr(line, '\n')) {
			ASSERT_LT(n, sizeof(line) - 1);
			a->cut = !serving_receive(fd, line + n++, 1);
			if (a->cut)
				return;
		}
		bytes = strtoul(line, NULL, 16);
		if (!receive(fd, a, bytes))
			return;
		a->cut = !serving_receive(fd, end, 2);
		if (a->cut)
			return;
		ASSERT_MEMEQ("\r\n", end, 2);
		if (!bytes)
			return;
	}
}

bool web_read(int fd, bool head_only, struct web_answer *a)
{
	const char *length;
	size_t n = 0;

	*a = (struct web_answer){0};
	while (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4)) {
		ASSERT_LT(n, sizeof(a->head) - 1);
		if (!serving_receive(fd, a->head + n, 1)) {
			if (n)
				TH_LOG("the connection ended within a head: %s", a->head);
			return false;
		}
		n++;
	}
	ASSERT_MEMEQ("HTTP/1.1 ", a->head, 9);
	a->status = atoi(a->head + 9);
	length = head_only ? NULL : strstr(a->head, "\r\nContent-Length: ");
	receive(fd, a, length ? strtoul(length + 18, NULL, 10) : 0);
	if (!head_only && strstr(a->head, "\r\nTransfer-Encoding: chunked\r\n"))
		receive_chunks(fd, a);
	return true;
}

void web_answer_done(struct web_answer *a)
{
	free(a->body);
	a->body = NULL;
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
