/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin.
 *
 * Interface: origin.h. Each core keeps connections of its own, the one used last first; where
 * descriptors run out, the oldest of them makes room for what needs one. Invariant: a connection is
 * kept only if its last response was read to its end and nothing came behind it.
 *
 * Order of parts: the origin; connections that are kept; exchanges.
 */
#include "origin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/list.h>

/* ---- the origin ------------------------------------------------------------------------- */

/*
 * @kept: its connections, the one used last at the front. @timer: for those that nobody uses.
 * @shedder: for those that others need more.
 */
struct origin_core {
	_Alignas(64) struct sl_list kept;
	uint32_t kept_n;
	struct sl_timer timer;
	struct sl_shedder shedder;
	struct origin *origin;
};

struct origin {
	struct origin_conf conf;
	struct origin_core *cores;
	uint32_t cores_n;
	int64_t drain_at; /* an atomic */
};

/**
 * struct origin_exchange - a connection, in use for one exchange or kept for the next.
 * @reused: it was kept. @head, @again: the request, to be sent again.
 */
struct origin_exchange {
	struct sl_list node;
	struct origin_core *core;
	struct sl_stream *stream;
	struct origin_reader *reader;
	int64_t since;
	bool reused, again, is_head, head_read;
	struct http_str head;
};

static void sweep(struct sl_timer *timer);
static bool shed(struct sl_shedder *shedder);

int origin_new(const struct origin_conf *conf, uint32_t cores, struct origin **ret_origin)
{
	struct origin *o = malloc(sizeof(*o));

	SL_ASSERT(cores > 0);
	if (!o)
		return -ENOMEM;
	*o = (struct origin){.conf = *conf, .cores_n = cores, .drain_at = SL_NEVER};
	o->cores = aligned_alloc(_Alignof(struct origin_core), cores * sizeof(*o->cores));
	if (!o->cores) {
		free(o);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < cores; i++) {
		o->cores[i] = (struct origin_core){.origin = o, .shedder.shed = shed};
		sl_list_init(&o->cores[i].kept);
		sl_list_init(&o->cores[i].shedder.node);
		sl_timer_init(&o->cores[i].timer, sweep);
	}
	*ret_origin = o;
	return 0;
}

void origin_free(struct origin *o)
{
	if (!o)
		return;
	free(o->cores);
	free(o);
}

void origin_drain(struct origin *o, int64_t at)
{
	__atomic_store_n(&o->drain_at, at, __ATOMIC_RELAXED);
}

static struct origin_core *core_of(struct origin *o)
{
	uint32_t id = sl_core_id(sl_core_self());

	SL_ASSERT(id < o->cores_n);
	return &o->cores[id];
}

/* ---- connections that are kept ---------------------------------------------------------- */

static void close_connection(struct origin_exchange *x)
{
	sl_stream_close(x->stream);
	origin_reader_free(x->reader);
	free(x);
}

static struct origin_exchange *oldest(struct origin_core *c)
{
	return sl_container_of(c->kept.prev, struct origin_exchange, node);
}

static void close_oldest(struct origin_core *c)
{
	struct origin_exchange *x = oldest(c);

	sl_list_remove(&x->node);
	c->kept_n--;
	close_connection(x);
}

/* Without a timer, for lack of memory, they stay until the next one is kept. */
static void sweep_later(struct origin_core *c)
{
	if (c->kept_n && !c->timer.slot)
		sl_timer_set(&c->timer, oldest(c)->since + c->origin->conf.idle_ns);
}

static void sweep(struct sl_timer *timer)
{
	struct origin_core *c = sl_container_of(timer, struct origin_core, timer);

	while (c->kept_n && oldest(c)->since + c->origin->conf.idle_ns <= sl_now())
		close_oldest(c);
	sweep_later(c);
}

static bool shed(struct sl_shedder *shedder)
{
	struct origin_core *c = sl_container_of(shedder, struct origin_core, shedder);

	if (!c->kept_n)
		return false;
	close_oldest(c);
	return true;
}

static struct origin_exchange *take_kept(struct origin_core *c)
{
	while (c->kept_n) {
		struct origin_exchange *x =
			sl_container_of(c->kept.next, struct origin_exchange, node);

		sl_list_remove(&x->node);
		c->kept_n--;
		if (sl_stream_reusable(x->stream))
			return x;
		close_connection(x);
	}
	return NULL;
}

void origin_stop(struct origin *o)
{
	struct origin_core *c = core_of(o);

	sl_timer_clear(&c->timer);
	sl_list_remove(&c->shedder.node);
	while (c->kept_n)
		close_oldest(c);
}

void origin_end(struct origin_exchange *x)
{
	struct origin_core *c;

	if (!x)
		return;
	c = x->core;
	if (!x->head_read || !origin_reader_reusable(x->reader) || !c->origin->conf.idle_max) {
		close_connection(x);
		return;
	}
	if (c->kept_n == c->origin->conf.idle_max)
		close_oldest(c);
	if (sl_list_empty(&c->shedder.node))
		sl_shedder_add(&c->shedder);
	x->since = sl_now();
	sl_list_push(&c->kept, &x->node);
	c->kept_n++;
	sweep_later(c);
}

/* ---- exchanges -------------------------------------------------------------------------- */

/* How long nobody may look whether the daemon ends. */
#define STEP_NS (500 * SL_MSEC)

static ssize_t read_stream(void *arg, void *dst, size_t max, int64_t deadline)
{
	struct origin_exchange *x = arg;
	const struct origin *o = x->core->origin;

	for (;;) {
		ssize_t n = sl_stream_read(x->stream, dst, max,
					   sl_min(deadline, sl_now() + STEP_NS));

		if (n != -ETIME || sl_now() >= deadline)
			return n;
		if (sl_now() >= __atomic_load_n(&o->drain_at, __ATOMIC_RELAXED))
			return -ECANCELED;
	}
}

static int connect_new(struct origin *o, struct origin_exchange *x, char *why, size_t why_len,
		       int64_t deadline)
{
	const struct sl_stream_conf conf = {
		.host = o->conf.host,
		.port = o->conf.port,
		.tls = o->conf.tls ? o->conf.tls[sl_core_id(sl_core_self())] : NULL,
		.alpn = o->conf.tls ? "http/1.1" : NULL,
	};

	x->reused = false;
	return sl_stream_connect(&conf, &x->stream, why, why_len,
				 sl_min(deadline, sl_now() + o->conf.connect_ns));
}

static int open_new(struct origin *o, struct origin_exchange **ret_x, char *why, size_t why_len,
		    int64_t deadline)
{
	struct origin_exchange *x = calloc(1, sizeof(*x));
	int err = -ENOMEM;

	if (!x)
		goto out;
	x->core = core_of(o);
	x->reader = origin_reader_new(read_stream, x);
	if (!x->reader)
		goto out;
	err = connect_new(o, x, why, why_len, deadline);
	if (err)
		goto out_connect;
	*ret_x = x;
	return 0;
out:
	snprintf(why, why_len, "%s", strerror(ENOMEM));
out_connect:
	if (x)
		origin_reader_free(x->reader);
	free(x);
	return err;
}

static int send_head(struct origin_exchange *x, int64_t deadline)
{
	struct iovec iov = {.iov_base = (void *)x->head.p, .iov_len = x->head.n};

	origin_reader_start(x->reader, x->is_head);
	x->head_read = false;
	return origin_send(x, &iov, 1, deadline);
}

/* The same request on a new connection, if the kept one was closed before it could answer. */
static int send_again(struct origin_exchange *x, int64_t deadline)
{
	char why[200];
	int err;

	sl_stream_close(x->stream);
	x->stream = NULL;
	err = connect_new(x->core->origin, x, why, sizeof(why), deadline);
	if (err)
		return err;
	return send_head(x, deadline);
}

static bool may_send_again(const struct origin_exchange *x, int err)
{
	return (err == -ECONNRESET || err == -EPIPE) && x->reused && x->again &&
	       !origin_reader_begun(x->reader);
}

int origin_begin(struct origin *o, const struct origin_request *rq,
		 struct origin_exchange **ret_exchange, char *why, size_t why_len, int64_t deadline)
{
	/* What cannot be sent again must not meet a connection that the origin just closed. */
	struct origin_exchange *x = rq->again ? take_kept(core_of(o)) : NULL;
	int err = 0;

	if (x)
		x->reused = true;
	else
		err = open_new(o, &x, why, why_len, deadline);
	if (err)
		return err;
	x->head = rq->head;
	x->again = rq->again;
	x->is_head = rq->is_head;
	err = send_head(x, deadline);
	if (err && may_send_again(x, err))
		err = send_again(x, deadline);
	if (err) {
		snprintf(why, why_len, "%s: %s", o->conf.host, strerror(-err));
		close_connection(x);
		return err;
	}
	*ret_exchange = x;
	return 0;
}

int origin_send(struct origin_exchange *x, struct iovec *iov, int n, int64_t deadline)
{
	int64_t limit = sl_now() + x->core->origin->conf.between_bytes_ns;

	return sl_stream_writev_all(x->stream, iov, n, sl_min(deadline, limit));
}

int origin_read_head(struct origin_exchange *x, struct origin_head *ret_head, int64_t deadline)
{
	int64_t limit = sl_now() + x->core->origin->conf.first_byte_ns;
	int err;

	deadline = sl_min(deadline, limit);
	err = origin_reader_head(x->reader, ret_head, deadline);
	if (err && may_send_again(x, err)) {
		err = send_again(x, deadline);
		if (!err)
			err = origin_reader_head(x->reader, ret_head, deadline);
	}
	x->again = false;
	if (!err)
		x->head_read = ret_head->status >= 200;
	return err;
}

ssize_t origin_read_body(struct origin_exchange *x, void *dst, size_t max, int64_t deadline)
{
	int64_t limit = sl_now() + x->core->origin->conf.between_bytes_ns;

	return origin_reader_body(x->reader, dst, max, sl_min(deadline, limit));
}
