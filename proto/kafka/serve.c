/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request after the other: frame, header, dispatch, reply.
 *
 * Interface: kafka_proto, kafka_api_names(), the helpers of kafka_pvt.h. Small frames are served
 * from where they were received; larger ones are first brought together, but for Produce, whose
 * handler reads its body itself. Invariant: serve() leaves the connection behind the request's
 * frame, or closes it.
 *
 * Order of parts: dispatch; reply; frames; the protocol; helpers.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "kafka_pvt.h"

/* ---- dispatch --------------------------------------------------------------------------- */

struct row {
	int (*handle)(struct kafka_request *rq, const void *req, void *res);
	int16_t min, max;
};

#define X(id, name, ...)                                                                           \
	static int call_##name(struct kafka_request *rq, const void *req, void *res)               \
	{                                                                                          \
		return kafka_##name##_handle(rq, req, res);                                        \
	}
#include "apis.def"
#undef X

static const struct row rows[KAFKA_API_LAST] = {
#define X(id, name, min_, max_, ...) [KAFKA_##id] = {call_##name, min_, max_},
#include "apis.def"
#undef X
};

static const char *const names[KAFKA_API_LAST] = {
#define X(id, name, ...) [KAFKA_##id] = #name,
#include "apis.def"
#undef X
};

const char *const *kafka_api_names(uint32_t *ret_n)
{
	*ret_n = KAFKA_API_LAST;
	return names;
}

/* What a version that is not served costs: ApiVersions answers, so that clients learn. */
static const struct row *find(struct kafka_request *rq, const struct kafka_request_header *h)
{
	const struct row *row;

	if (h->api_key < 0 || h->api_key >= KAFKA_API_LAST)
		return NULL;
	row = &rows[h->api_key];
	rq->api = kafka_api_find(h->api_key);
	if (!row->handle || !rq->api)
		return NULL;
	rq->version = h->api_version;
	if (h->api_version >= row->min && h->api_version <= row->max &&
	    h->api_version >= rq->api->min)
		return row;
	return h->api_key == KAFKA_API_VERSIONS ? row : NULL;
}

/* ---- reply ------------------------------------------------------------------------------ */

static int reply(struct kafka_request *rq, const void *res)
{
	enum kafka_api api = (enum kafka_api)rq->api->key;
	struct kafka_sizes sizes;
	struct kafka_out out;
	struct sl_reply *r;
	int err = kafka_response_size(api, rq->version, res, &sizes);

	if (err)
		return err;
	r = kafka_reply_new(rq, 1, sizes.mem_bytes);
	if (!r)
		return -ENOMEM;
	kafka_out_init(&out, r->bytes, sizes.mem_bytes);
	err = kafka_response_encode(api, rq->version, rq->correlation_id, res, &sizes, &out);
	if (err) {
		sl_reply_free(r);
		return err;
	}
	kafka_count_errors(api, out.errors);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, out.len)));
	return sl_deliver(r, SL_NEVER);
}

/*
 * The largest request or response struct fits; checked when it is used. What they point at may
 * take so much that a fetch of a whole session fits, with half as much again.
 */
enum { MESSAGE_BYTES = 512, ROOM_BYTES = 8192, HEAP_BYTES_MAX = 64 << 20 };

static int handle(struct kafka_request *rq, const struct row *row, struct kafka_in *in)
{
	_Alignas(16) uint8_t req[MESSAGE_BYTES], res[MESSAGE_BYTES];
	int err;

	SL_ASSERT(rq->api->request->size <= sizeof(req));
	SL_ASSERT(rq->api->response->size <= sizeof(res));
	kafka_init(rq->api->response, res);
	if (rq->version > row->max) {
		rq->version = 0; /* of ApiVersions: the answer to what is too new is in version 0 */
		kafka_init(rq->api->request, req);
		((struct kafka_api_versions_response *)res)->error_code =
			KAFKA_ERR_UNSUPPORTED_VERSION;
	} else {
		/* librdkafka 2.16 sends bytes after a Metadata 13, and brokers pass over them. */
		err = kafka_decode_from(rq->api->request, rq->version, in, rq->mem, req);
		if (err == -ENODATA)
			err = -EBADMSG;
		if (err)
			return err;
	}
	err = row->handle(rq, req, res);
	if (!err)
		err = reply(rq, res);
	if (rq->unhold)
		rq->unhold(rq->unhold_arg);
	return err == KAFKA_REPLIED ? 0 : err;
}

/* ---- frames ----------------------------------------------------------------------------- */

enum {
	FRAME_MIN_BYTES = 8,	  /* key, version, correlation id */
	SMALL_FRAME_BYTES = 4096, /* served from where it was received */
	HEAD_BYTES = 12,	  /* length, key, version, correlation id */
};

static ssize_t need(struct sl_conn *conn, const uint8_t *p, size_t have)
{
	const struct kafka_server *server = sl_conn_arg(conn);
	int32_t size;

	if (have < KAFKA_FRAME_PREFIX_BYTES)
		return KAFKA_FRAME_PREFIX_BYTES;
	size = (int32_t)sl_load_be32(p);
	if (size < FRAME_MIN_BYTES)
		return -EBADMSG;
	if ((uint64_t)size > server->request_bytes_max) {
		sl_conn_blame(conn, "a request is longer than kafka.max_request_bytes");
		return -EMSGSIZE;
	}
	if (size <= SMALL_FRAME_BYTES - KAFKA_FRAME_PREFIX_BYTES)
		return size + KAFKA_FRAME_PREFIX_BYTES;
	return HEAD_BYTES;
}

/* Peeks at or reads the rest of the frame. @ret_buf: to be released, if set. */
static int whole_frame(struct kafka_request *rq, size_t size, const uint8_t **ret_p,
		       struct sl_buf **ret_buf)
{
	int64_t deadline = sl_conn_read_deadline(rq->conn);
	struct sl_buf *buf;
	int err;

	if (size <= SL_CONN_WINDOW_BYTES)
		return sl_conn_peek(rq->conn, size, ret_p, deadline);
	if (size > sl_min((size_t)SL_BUF_BYTES_MAX, sl_conn_memory_max(rq->conn))) {
		sl_conn_blame(rq->conn, "a request other than Produce has more than "
					"conn.memory_max_bytes, or 16 MiB");
		return -EMSGSIZE;
	}
	buf = sl_buf_new(size);
	if (!buf)
		return -ENOMEM;
	err = sl_conn_read_all(rq->conn, buf->data, size, deadline);
	if (err) {
		sl_buf_release(buf);
		return err;
	}
	*ret_buf = buf;
	*ret_p = buf->data;
	return 0;
}

static int serve_whole(struct kafka_request *rq, size_t size)
{
	struct kafka_request_header header;
	struct sl_buf *buf = NULL;
	const struct row *row;
	struct kafka_in in;
	const uint8_t *p;
	int err = whole_frame(rq, size, &p, &buf);

	if (err)
		return err;
	kafka_in_init(&in, p, size);
	err = kafka_request_header_decode(&in, &header);
	if (!err) {
		rq->correlation_id = header.correlation_id;
		rq->client_id = header.client_id;
		row = find(rq, &header);
		err = row ? handle(rq, row, &in) : -EPROTONOSUPPORT;
	}
	if (buf)
		sl_buf_release(buf);
	else
		sl_conn_skip(rq->conn, size);
	return err;
}

static void count(struct kafka_request *rq, int key, int64_t began, int err)
{
	struct sl_metrics *m = sl_core_metrics(sl_conn_core(rq->conn));

	if (key < 0 || key >= KAFKA_API_LAST || !rows[key].handle)
		return;
	sl_metric_add1(m, SL_M_KAFKA_REQUESTS, (uint32_t)key, 1);
	sl_metric_record1(m, SL_M_KAFKA_REQUEST_TIME, (uint32_t)key,
			  (uint64_t)(sl_clock_ns() - began));
	/* Not those whose peer has gone meanwhile. */
	if (err && !sl_conn_ending(rq->conn))
		sl_metric_add1(m, SL_M_KAFKA_ABORTED, (uint32_t)key, 1);
}

/* ---- the protocol ----------------------------------------------------------------------- */

static int serve(struct sl_conn *conn)
{
	_Alignas(16) uint8_t room[ROOM_BYTES];
	const struct kafka_server *server = sl_conn_arg(conn);
	int64_t began = sl_clock_ns();
	struct sl_bump mem;
	struct kafka_request rq = {
		.conn = conn,
		.server = server,
		.topics = server->topics,
		.mem = &mem,
	};
	const uint8_t *p;
	size_t size;
	int key, err;

	err = sl_conn_peek(conn, HEAD_BYTES, &p, sl_conn_read_deadline(conn));
	if (err)
		return err;
	size = sl_load_be32(p);
	key = (int16_t)sl_load_be16(p + 4);
	sl_conn_skip(conn, KAFKA_FRAME_PREFIX_BYTES);
	sl_bump_init(&mem, room, sizeof(room), HEAP_BYTES_MAX);
	if (key == KAFKA_PRODUCE) {
		rq.api = kafka_api_find(KAFKA_PRODUCE);
		rq.frame_left = size;
		err = kafka_produce_serve(&rq);
	} else {
		err = serve_whole(&rq, size);
	}
	if (err && mem.refused)
		sl_conn_blame(conn, "a request or its answer takes more than 64 MiB in memory");
	sl_bump_done(&mem);
	if (!err)
		kafka_settle(&rq);
	count(&rq, key, began, err);
	return err;
}

static void closed(struct sl_conn *conn)
{
	struct kafka_conn *state = sl_conn_state(conn);

	fetch_session_free(state->session);
}

const struct sl_proto kafka_proto = {
	.name = "kafka",
	.stack = SL_STACK_SMALL,
	.conn_bytes = sizeof(struct kafka_conn),
	.need = need,
	.serve = serve,
	.closed = closed,
};

/* ---- helpers ---------------------------------------------------------------------------- */

struct sl_reply *kafka_reply_new(struct kafka_request *rq, uint32_t parts, size_t bytes)
{
	struct sl_reply *r = sl_reply_new(rq->conn, parts, 0, bytes);

	if (!r)
		sl_conn_blame(rq->conn,
			      "an answer, its records apart, has more than 16 MiB, or buffer "
			      "memory (node.memory_max_bytes) is used up");
	return r;
}

void kafka_count_errors(enum kafka_api api, uint32_t n)
{
	if (sl_unlikely(n))
		sl_metric_add1(sl_core_metrics(sl_core_self()), SL_M_KAFKA_ERRORS, api, n);
}

void *kafka_alloc(struct kafka_request *rq, size_t n, size_t bytes)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, bytes, &all))
		return NULL;
	p = sl_bump_alloc(rq->mem, all);
	return p ? memset(p, 0, all) : NULL;
}

struct kafka_str kafka_strdup(struct kafka_request *rq, const char *s, size_t len)
{
	char *p = sl_bump_alloc(rq->mem, len);

	if (!p)
		return (struct kafka_str){0};
	memcpy(p, s, len);
	return (struct kafka_str){p, (int32_t)len};
}

int kafka_park(void *conn, struct sl_waitq *q, int64_t deadline)
{
	return sl_conn_wait(conn, q, deadline);
}

int64_t kafka_deadline(int32_t ms)
{
	return sl_now() + sl_max(0, sl_min(ms, 600000)) * SL_MSEC;
}

struct kafka_str kafka_advertised(struct kafka_request *rq, int32_t *ret_port)
{
	struct sockaddr_storage a;
	char text[INET6_ADDRSTRLEN] = "localhost";

	*ret_port = rq->server->port;
	if (rq->server->host[0])
		return kafka_str_of(rq->server->host);
	if (sl_conn_local(rq->conn, &a))
		return KAFKA_STR("localhost");
	if (a.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		*ret_port = ntohs(in->sin_port);
	} else if (a.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a;

		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		*ret_port = ntohs(in6->sin6_port);
	}
	return kafka_strdup(rq, text, strlen(text));
}
