/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking HTTP/2 client over nghttp2 for tests, which also sends frames that it would not. */
#ifndef TESTS_PROTO_HTTP_H2_CLIENT_H
#define TESTS_PROTO_HTTP_H2_CLIENT_H

#include <nghttp2/nghttp2.h>

#include "web.h"

enum { H2C_STREAMS = 2048 };

/**
 * struct h2c_answer - what came on a stream.
 * @head: "name: value\n" of each field, of interim responses too. @body: @n bytes, and a NUL.
 * @sent: bytes of the request's body that have left. @error: with which it was @closed.
 */
struct h2c_answer {
	char head[8192];
	size_t head_n;
	int status;
	char *body;
	size_t n, max;
	const char *upload;
	size_t upload_n, sent;
	bool closed, hold;
	uint32_t error;
};

/**
 * struct h2c - a connection.
 * @window, @frame_max: what SETTINGS tell (0: the protocol's defaults). @deaf: opens no window.
 * @ended: the server closed it. @goaway: its error, -1: none came.
 */
struct h2c {
	int fd;
	uint32_t window, frame_max;
	bool deaf, ended;
	int64_t goaway;
	int32_t goaway_last;
	size_t frame_longest; /* of DATA */
	nghttp2_session *ng;
	struct h2c_answer *answers[H2C_STREAMS];
};

/* Zeroed but for its conf, @c becomes a connection to @w that has sent its preface. */
void h2c_open(struct h2c *c, const struct web *w);
void h2c_close(struct h2c *c);

/* A request; @fields: NULL or "name: value\n" lines. Return: its stream's answer, as it comes. */
struct h2c_answer *h2c_ask(struct h2c *c, const char *method, const char *path, const char *fields);

/* The same with a body. @hold: more of it may come: it is not ended. */
struct h2c_answer *h2c_send(struct h2c *c, const char *path, const char *fields, const void *body,
			    size_t n, bool hold);

/* Receives and sends until @a is closed, or the connection has ended. Return: the status. */
int h2c_wait(struct h2c *c, struct h2c_answer *a);

/* The same until the connection has ended. */
void h2c_wait_end(struct h2c *c);

/* Receives and sends once. Return: whether the connection is still there. */
bool h2c_step(struct h2c *c);

/* Sends what nghttp2 has to send. */
void h2c_flush(struct h2c *c);

/* A frame of the caller's own making. */
void h2c_frame(struct h2c *c, uint8_t type, uint8_t flags, int32_t id, const void *payload,
	       size_t n);

#endif
