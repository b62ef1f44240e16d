/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server on one core of this process, and a plain blocking client in a thread. */
#ifndef TESTS_PROTO_HTTP_WEB_H
#define TESTS_PROTO_HTTP_WEB_H

#include "proto/http/http.h"
#include "serving.h"

/**
 * struct web - a server for one test; zero fields take the defaults.
 * @conf: APIs and limits (NULL APIs: the daemon's own pages; 4 KiB of head, 4 MiB of body).
 * @limits: of its connections (times of 10 s). @nothing_ahead: an ahead_bytes of 0 is meant so.
 * @backend: who carries the core's operations out (NULL: the kernel).
 * @begin, @end: on the server's core, before it listens and after it has drained; may be NULL.
 * @client: runs in a thread of its own while the server serves; the server drains afterwards.
 * @server, @port: set when @client runs.
 */
struct web {
	struct http_server_conf conf;
	struct http_api own; /* those pages */
	struct sl_conn_limits limits;
	bool nothing_ahead;
	struct sl_backend *backend;
	void (*begin)(struct web *w);
	void (*end)(struct web *w);
	void (*client)(struct web *w);
	struct http_server server;
	struct sl_registry *registry;
	uint16_t port;
};

/* Runs @w->client against @w; anything that fails on the server's side ends the test. */
void web_run(struct web *w);

/* A connection to @w, which also takes raw bytes (serving.h). */
int web_connect(const struct web *w);
void web_send_text(int fd, const char *text);

/**
 * struct web_answer - one response as read.
 * @head: NUL-terminated, its last empty line included. @body: @n bytes, and a NUL. @cut: the
 * connection ended within it.
 */
struct web_answer {
	int status;
	bool cut;
	size_t n;
	char head[80 << 10];
	char *body;
};

/**
 * web_read() - the next response, its body by its Content-Length or in chunks (none if @head_only).
 * Return: false at the connection's end; else true, and @a is to be given to web_answer_done().
 */
bool web_read(int fd, bool head_only, struct web_answer *a);
void web_answer_done(struct web_answer *a);

/* Sends @text on a connection of its own and reads one response. Return: its status, 0: none. */
int web_ask(const struct web *w, const char *text, struct web_answer *a);

#endif
