// SPDX-License-Identifier: Apache-2.0
/* Interface: h2_web.h. Order of parts: handlers; the server; the client. */
#include "h2_web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "proto/http/route.h"

/* ---- handlers --------------------------------------------------------------------------- */

int h2_last_err, h2_begun, h2_released, h2_files_gone;

uint8_t h2_byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static int get_say(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", rq->params[0].p, rq->params[0].n);
}

/* Nothing but its length ends a parameter. */
static size_t number(struct http_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n = n * 10 + (size_t)(s.p[i] - '0');
	return n;
}

/* As many bytes as the path says, in parts of many sizes. */
static int get_big(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	size_t left = number(rq->params[0]), at = 0;

	rs->content_type = "text/plain";
	for (uint32_t i = 0; left; i++) {
		size_t n = i + 1 == HTTP_PARTS_MAX ? left : sl_min(left, (size_t)1 << i % 18);
		struct sl_buf *buf = sl_buf_new(n);

		if (!buf)
			return -ENOMEM;
		for (size_t k = 0; k < n; k++)
			buf->data[k] = h2_byte_at(at++);
		rs->parts[rs->n++] =
			sl_part_slice((struct sl_slice){.buf = buf, .data = buf->data, .len = n});
		left -= n;
	}
	return 0;
}

static void file_gone(struct sl_file *f)
{
	close(f->fd);
	free(f);
	__atomic_add_fetch(&h2_files_gone, 1, __ATOMIC_RELEASE);
}

/* A file of its own for each request, which must be closed after its last byte. */
static int get_file(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_file *f = malloc(sizeof(*f));
	uint8_t *data = calloc(1, H2_FILE_BYTES);
	int fd = memfd_create("file", MFD_CLOEXEC);

	ASSERT_TRUE(f && data && fd >= 0);
	for (size_t i = 0; i < H2_FILE_BYTES; i++)
		data[i] = h2_byte_at(i);
	ASSERT_EQ(H2_FILE_BYTES, write(fd, data, H2_FILE_BYTES));
	free(data);
	ASSERT_EQ(0, sl_file_init(f, fd, file_gone));
	rs->content_type = "text/plain";
	rs->parts[rs->n++] =
		sl_part_extent((struct sl_extent){.file = f, .off = 0, .len = H2_FILE_BYTES});
	return 0;
}

static int get_fail(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return -(int)number(rq->params[0]);
}

static int post_echo(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	char *data = calloc(1, 5 << 20);
	size_t n = 0;
	ssize_t k;

	ASSERT_NOT_NULL(data);
	while ((k = http_body_read(rq, data + n, sl_min((5 << 20) - n, (size_t)100000), deadline)) >
	       0)
		n += (size_t)k;
	if (!k)
		k = http_response_body(rs, "text/plain", data, n);
	__atomic_store_n(&h2_last_err, (int)k, __ATOMIC_RELEASE);
	free(data);
	return (int)k;
}

static int post_ignore(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", "ignored", 7);
}

static void wait_for_release(void)
{
	__atomic_add_fetch(&h2_begun, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&h2_released, __ATOMIC_ACQUIRE))
		sl_sleep(sl_now() + SL_MSEC);
}

/* Answers when it is h2_released. */
static int any_wait(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	wait_for_release();
	return http_response_body(rs, "text/plain", "late", 4);
}

/* Reads its body when it is h2_released. */
static int post_late(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	wait_for_release();
	return post_echo(rq, rs, deadline);
}

static int send_piece(struct http_request *rq, int64_t deadline)
{
	struct sl_buf *buf = sl_buf_new(H2_PIECE);
	struct sl_part parts[3];

	if (!buf)
		return -ENOMEM;
	memset(buf->data, 'x', H2_PIECE);
	parts[0] = sl_part_slice(sl_slice_borrow("<", 1));
	parts[1] = sl_part_slice(sl_slice_of(buf, 0, 0));
	parts[2] = sl_part_slice(
		(struct sl_slice){.buf = buf, .data = buf->data, .len = H2_PIECE - 1});
	return http_stream_send(rq, parts, 3, deadline);
}

static int send_pieces(struct http_request *rq, struct http_response *rs, uint64_t bytes, int n,
		       int64_t deadline)
{
	int err = http_response_field(rs, "X-Own", "Field");

	if (!err)
		err = http_stream_begin(rq, rs, bytes, deadline);
	for (int i = 0; i < n && !err; i++)
		err = send_piece(rq, deadline);
	return err;
}

static int get_pieces(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	bool known = rq->params[0].n && *rq->params[0].p == 'k';
	int err = send_pieces(rq, rs, known ? H2_PIECE * H2_PIECES : HTTP_BYTES_UNKNOWN, H2_PIECES,
			      deadline);

	return err ? err : http_stream_end(rq, deadline);
}

static int get_empty(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, 0, deadline);

	return err ? err : http_stream_end(rq, deadline);
}

static int get_cut(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return send_pieces(rq, rs, H2_PIECE * H2_PIECES, 2, deadline);
}

static int get_endless(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, 0, deadline);

	while (!err) {
		__atomic_add_fetch(&h2_begun, 1, __ATOMIC_RELEASE);
		err = send_piece(rq, deadline);
	}
	__atomic_store_n(&h2_last_err, err, __ATOMIC_RELEASE);
	return err;
}

static int get_hints(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	static const char hints[] = "Link: </a.css>\r\nLink: </b.css>\r\n";
	int err = http_interim(rq, 103, hints, sizeof(hints) - 1, deadline);

	return err ? err : http_response_body(rs, "text/plain", "page", 4);
}

static int get_fields(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = http_response_field(rs, "Connection", "close");

	for (int i = 0; i < 500 && !err; i++)
		err = http_response_field(rs, "X-Many",
					  "a value of a field that comes often, and "
					  "is long enough to fill a head by itself");
	return err ? err : http_response_body(rs, "text/plain", "many", 4);
}

/* "method authority cookie" */
static int any_tell(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct http_str m = http_request_str(rq, rq->method_text);
	struct http_str a = http_request_str(rq, rq->authority), c = {"", 0};
	char text[200];
	int n;

	http_request_field(rq, "Cookie", &c);
	n = snprintf(text, sizeof(text), "%d %.*s %.*s %.*s", rq->major, (int)m.n, m.p, (int)a.n,
		     a.p, (int)c.n, c.p);
	return http_response_body(rs, "text/plain", text, (size_t)n);
}

static const struct http_route routes[] = {
	{HTTP_ON(GET), "/say/{}", get_say, HTTP_ROUTE_NO_STORE},
	{HTTP_ON(GET), "/big/{}", get_big, 0},
	{HTTP_ON(GET), "/file", get_file, 0},
	{HTTP_ON(GET), "/fail/{}", get_fail, 0},
	{HTTP_ON(POST), "/echo", post_echo, 0},
	{HTTP_ON(POST), "/ignore", post_ignore, 0},
	{HTTP_ON(ANY), "/wait", any_wait, 0},
	{HTTP_ON(POST), "/late", post_late, 0},
	{HTTP_ON(GET), "/pieces/{}", get_pieces, 0},
	{HTTP_ON(GET), "/empty", get_empty, 0},
	{HTTP_ON(GET), "/cut", get_cut, 0},
	{HTTP_ON(GET), "/endless", get_endless, 0},
	{HTTP_ON(GET), "/hints", get_hints, 0},
	{HTTP_ON(GET), "/fields", get_fields, 0},
	{HTTP_ON(ANY), "/tell", any_tell, 0},
};

static const struct http_api api = {"test", routes, SL_ARRAY_SIZE(routes), NULL, 0};

/* ---- the server ------------------------------------------------------------------------- */

void h2_run(void (*client)(struct web *w))
{
	struct web w = {.client = client,
			.conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

void h2_run_within(struct sl_conn_limits limits, void (*client)(struct web *w))
{
	struct web w = {.client = client,
			.limits = limits,
			.conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

/* ---- the client ------------------------------------------------------------------------- */

void h2_wait_until(const int *counter, int value)
{
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < value)
		usleep(1000);
}

void h2_expect_bytes(const struct h2c_answer *a, size_t n)
{
	EXPECT_EQ(200, a->status);
	ASSERT_EQ(n, a->n);
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)a->body[i] != h2_byte_at(i)) {
			EXPECT_EQ(h2_byte_at(i), (uint8_t)a->body[i]);
			TH_LOG("at byte %zu", i);
			return;
		}
}

void h2_expect_alive(struct h2c *c)
{
	struct h2c_answer *a = h2c_ask(c, "GET", "/say/alive", NULL);

	EXPECT_EQ(200, h2c_wait(c, a));
	EXPECT_STREQ("alive", a->body);
}
