// SPDX-License-Identifier: Apache-2.0
/* Interface: h2_client.h. Order of parts: what comes; the connection; requests; waiting; frames. */
#include "h2_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "serving.h"

/* ---- what comes ------------------------------------------------------------------------- */

static struct h2c_answer *answer_of(struct h2c *c, int32_t id)
{
	ASSERT_LT(id / 2, H2C_STREAMS);
	return c->answers[id / 2];
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
		     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
	struct h2c_answer *a = answer_of(user, f->hd.stream_id);
	char *p = a->head + a->head_n;

	if (name_n == 7 && !memcmp(name, ":status", 7))
		a->status = atoi((const char *)value);
	if (a->head_n + name_n + value_n + 4 > sizeof(a->head))
		return 0;
	memcpy(p, name, name_n);
	memcpy(p + name_n, ": ", 2);
	memcpy(p + name_n + 2, value, value_n);
	memcpy(p + name_n + 2 + value_n, "\n", 2);
	a->head_n += name_n + value_n + 3;
	return 0;
}

static int on_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t n,
		    void *user)
{
	struct h2c_answer *a = answer_of(user, id);

	if (a->n + n + 1 > a->max) {
		a->max = 2 * (a->n + n + 1);
		a->body = realloc(a->body, a->max);
		ASSERT_NOT_NULL(a->body);
	}
	memcpy(a->body + a->n, data, n);
	a->n += n;
	a->body[a->n] = 0;
	return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2c *c = user;

	if (f->hd.type == NGHTTP2_GOAWAY) {
		c->goaway = f->goaway.error_code;
		c->goaway_last = f->goaway.last_stream_id;
	}
	if (f->hd.type == NGHTTP2_DATA && f->hd.length > c->frame_longest)
		c->frame_longest = f->hd.length;
	return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t error, void *user)
{
	struct h2c_answer *a = answer_of(user, id);

	a->closed = true;
	a->error = error;
	return 0;
}

/* ---- the connection --------------------------------------------------------------------- */

static void new_session(struct h2c *c)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;

	ASSERT_EQ(0, nghttp2_session_callbacks_new(&cb));
	ASSERT_EQ(0, nghttp2_option_new(&option));
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_option_set_no_auto_window_update(option, c->deaf);
	nghttp2_option_set_no_http_messaging(option, 1);
	ASSERT_EQ(0, nghttp2_session_client_new2(&c->ng, cb, c, option));
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
}

void h2c_open(struct h2c *c, const struct web *w)
{
	nghttp2_settings_entry settings[2];
	size_t n = 0;

	c->fd = web_connect(w);
	c->goaway = -1;
	new_session(c);
	if (c->window)
		settings[n++] =
			(nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->window};
	if (c->frame_max)
		settings[n++] =
			(nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_FRAME_SIZE, c->frame_max};
	ASSERT_EQ(0, nghttp2_submit_settings(c->ng, 0, settings, n));
	h2c_flush(c);
}

void h2c_close(struct h2c *c)
{
	nghttp2_session_del(c->ng);
	close(c->fd);
	for (size_t i = 0; i < H2C_STREAMS; i++) {
		if (c->answers[i])
			free(c->answers[i]->body);
		free(c->answers[i]);
	}
}

/* ---- requests --------------------------------------------------------------------------- */

static ssize_t read_upload(nghttp2_session *ng, int32_t id, uint8_t *dst, size_t max,
			   uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct h2c_answer *a = answer_of(user, id);
	size_t n = sl_min(max, a->upload_n - a->sent);

	if (!n && a->hold)
		return NGHTTP2_ERR_DEFERRED;
	if (n)
		memcpy(dst, a->upload + a->sent, n);
	a->sent += n;
	if (a->sent == a->upload_n && !a->hold)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void put(nghttp2_nv *nv, const char *name, size_t name_n, const char *value, size_t n)
{
	*nv = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_n, n, 0};
}

static struct h2c_answer *submit(struct h2c *c, const char *method, const char *path,
				 const char *fields, const struct h2c_answer *upload)
{
	nghttp2_data_provider body = {.read_callback = read_upload};
	struct h2c_answer *a = calloc(1, sizeof(*a));
	nghttp2_nv nv[300];
	size_t n = 4;
	int32_t id;

	ASSERT_NOT_NULL(a);
	put(&nv[0], ":method", 7, method, strlen(method));
	put(&nv[1], ":scheme", 7, "http", 4);
	put(&nv[2], ":authority", 10, "host:1", 6);
	put(&nv[3], ":path", 5, path, strlen(path));
	while (fields && *fields) {
		const char *colon = strchr(fields + 1, ':'), *end = strchr(fields, '\n');

		ASSERT_LT(n, SL_ARRAY_SIZE(nv));
		put(&nv[n++], fields, (size_t)(colon - fields), colon + 2,
		    (size_t)(end - colon) - 2);
		fields = end + 1;
	}
	if (upload)
		*a = *upload;
	a->body = calloc(1, a->max = 64);
	id = nghttp2_submit_request(c->ng, NULL, nv, n, upload ? &body : NULL, NULL);
	ASSERT_LT(0, id);
	ASSERT_LT(id / 2, H2C_STREAMS);
	c->answers[id / 2] = a;
	h2c_flush(c);
	return a;
}

struct h2c_answer *h2c_ask(struct h2c *c, const char *method, const char *path, const char *fields)
{
	return submit(c, method, path, fields, NULL);
}

struct h2c_answer *h2c_send(struct h2c *c, const char *path, const char *fields, const void *body,
			    size_t n, bool hold)
{
	struct h2c_answer upload = {.upload = body, .upload_n = n, .hold = hold};

	return submit(c, "POST", path, fields, &upload);
}

/* ---- waiting ---------------------------------------------------------------------------- */

void h2c_flush(struct h2c *c)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->ng, &p)) > 0)
		serving_send(c->fd, p, (size_t)n);
	ASSERT_EQ(0, n);
}

bool h2c_step(struct h2c *c)
{
	uint8_t data[16384];
	ssize_t n;

	h2c_flush(c);
	n = recv(c->fd, data, sizeof(data), 0);
	if (n < 0 && errno == EAGAIN)
		ASSERT_TRUE(!"an answer within 20 s");
	if (n <= 0) {
		c->ended = true;
		return false;
	}
	ASSERT_EQ(n, nghttp2_session_mem_recv(c->ng, data, (size_t)n));
	return true;
}

int h2c_wait(struct h2c *c, struct h2c_answer *a)
{
	do
		h2c_flush(c); /* which may be what closes it */
	while (!a->closed && h2c_step(c));
	return a->status;
}

void h2c_wait_end(struct h2c *c)
{
	while (h2c_step(c))
		;
}

/* ---- frames ----------------------------------------------------------------------------- */

void h2c_frame(struct h2c *c, uint8_t type, uint8_t flags, int32_t id, const void *payload,
	       size_t n)
{
	uint8_t head[9] = {
		(uint8_t)(n >> 16),  (uint8_t)(n >> 8),	  (uint8_t)n,	      type,	  flags,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	serving_send(c->fd, head, sizeof(head));
	serving_send(c->fd, payload, n);
}
