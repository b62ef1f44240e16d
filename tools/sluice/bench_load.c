// SPDX-License-Identifier: Apache-2.0
/*
 * The load: some connections on one thread, each with requests in flight, made beforehand, whose
 * responses are looked at as little as is needed to know that they are right; fetched bytes are
 * dropped in the kernel (MSG_TRUNC), not copied.
 *
 * Interface: bench_load_run(). Invariants: responses come in the order of the requests, and any
 * other correlation id, error code or number of bytes ends the run; what is counted was answered.
 * Order of parts: state; sending; receiving; the loop; results.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"

/* ---- state ------------------------------------------------------------------------------ */

/* What is received at once: responses that are small anyway, or the head of a large one. */
#define RX_SMALL (64 * SL_KIB)
#define RX_HEAD 512
#define LARGE_BYTES (32 * SL_KIB)
#define DROP_BYTES (4 * SL_MIB)
#define UNANSWERED_TURN 256 /* requests with acks 0 before the clock is looked at */

struct link {
	int fd;
	bool wants_out;
	struct bench_frame *frame;
	uint8_t *tx; /* the frame with this request's correlation id and offset */
	size_t tx_at; /* bytes of it sent; len: nothing is being sent */
	int32_t sent, answered; /* counts; correlation ids are 1 and up */
	int64_t batch; /* next one to fetch */
	int64_t *began_at; /* ring of in_flight times */
	uint8_t *rx;
	size_t rx_n;
	size_t drop; /* bytes of the present response that are still to be dropped */
};

struct run {
	struct bench_load *load;
	int epoll;
	struct link *links;
	int links_n;
	size_t rx_cap, head;
	bool measuring, stopping;
	uint64_t asked; /* requests begun */
	uint64_t in_flight;
	int64_t stop_at;
	uint64_t drop_cap;
};

static int run_fail(struct run *r, int err, const char *what)
{
	if (!r->load->error[0])
		snprintf(r->load->error, sizeof(r->load->error), "%s: %s", what, strerror(-err));
	return err;
}

static int32_t flight(const struct link *l)
{
	return l->sent - l->answered;
}

/* ---- sending ---------------------------------------------------------------------------- */

static bool may_begin(const struct run *r, const struct link *l)
{
	const struct bench_load *b = r->load;

	return !r->stopping && flight(l) < b->o->in_flight &&
	       (!b->requests_max || r->asked < (uint64_t)b->requests_max);
}

static void request_begin(struct run *r, struct link *l)
{
	struct bench_load *b = r->load;

	l->began_at[l->sent % b->o->in_flight] = now_ns();
	l->sent++;
	r->asked++;
	r->in_flight++;
	l->tx_at = 0;
	sl_store_be32(l->tx + l->frame->correlation_at, (uint32_t)l->sent);
	if (b->kind == BENCH_FETCH) {
		sl_store_be64(l->tx + l->frame->offset_at, (uint64_t)l->batch * l->frame->records);
		l->batch = (l->batch + 1) % b->batches;
	}
}

static void answered(struct run *r, struct link *l, uint64_t bytes)
{
	struct bench_load *b = r->load;
	int64_t took = now_ns() - l->began_at[l->answered % b->o->in_flight];

	l->answered++;
	r->in_flight--;
	if (!r->measuring)
		return;
	b->requests++;
	b->bytes += bytes;
	if (b->samples < BENCH_SAMPLES_MAX)
		b->latency_ns[b->samples++] = (uint32_t)sl_min(took, (int64_t)UINT32_MAX);
}

static int out_watch(struct run *r, struct link *l, bool on)
{
	struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = l};

	if (l->wants_out == on)
		return 0;
	l->wants_out = on;
	return epoll_ctl(r->epoll, EPOLL_CTL_MOD, l->fd, &e) ? -errno : 0;
}

/* Sends until the socket or what may be in flight is full. */
static int link_send(struct run *r, struct link *l)
{
	const bool unanswered = !r->load->o->acks && r->load->kind != BENCH_FETCH;
	const size_t len = l->frame->len;

	for (unsigned i = 0;; i++) {
		ssize_t n;

		if (unanswered && i == UNANSWERED_TURN)
			return out_watch(r, l, true);
		if (l->tx_at == len && !may_begin(r, l))
			return out_watch(r, l, false);
		if (l->tx_at == len)
			request_begin(r, l);
		n = send(l->fd, l->tx + l->tx_at, len - l->tx_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return out_watch(r, l, true);
		if (n < 0 && errno != EINTR)
			return run_fail(r, -errno, "sending");
		l->tx_at += n > 0 ? (size_t)n : 0;
		if (l->tx_at == len && unanswered)
			answered(r, l, len);
	}
}

/* ---- receiving -------------------------------------------------------------------------- */

static int refused(struct run *r, int code)
{
	snprintf(r->load->error, sizeof(r->load->error), "the server refused: %s (%s)",
		 kafka_error_text(code), kafka_error_name(code));
	return -EREMOTEIO;
}

/* The response whose head is at @p. Return: its bytes behind the length, or -errno. */
static int64_t response_take(struct run *r, struct link *l, const uint8_t *p, uint32_t len)
{
	enum bench_kind kind = r->load->kind;
	int64_t records;
	int32_t id;
	int code, err = bench_response(kind, p, sl_min((size_t)len, r->head), &id, &code, &records);

	if (err || id != l->answered + 1)
		return run_fail(r, -EPROTO, "reading a response");
	if (code)
		return refused(r, code);
	if (kind == BENCH_FETCH && records != (int64_t)l->frame->batch_bytes) {
		snprintf(r->load->error, sizeof(r->load->error),
			 "a fetch brought %lld bytes of records, not one batch of %zu",
			 (long long)records, l->frame->batch_bytes);
		return -EPROTO;
	}
	answered(r, l, kind == BENCH_FETCH ? (uint64_t)records : l->frame->len);
	return len;
}

/* Works off what is in rx. */
static int rx_take(struct run *r, struct link *l)
{
	size_t at = 0;

	while (l->rx_n - at >= KAFKA_FRAME_PREFIX_BYTES) {
		uint32_t len = sl_load_be32(l->rx + at);
		size_t have = l->rx_n - at - KAFKA_FRAME_PREFIX_BYTES;
		int64_t n;

		if (have < sl_min((size_t)len, r->head))
			break;
		n = response_take(r, l, l->rx + at + KAFKA_FRAME_PREFIX_BYTES, len);
		if (n < 0)
			return (int)n;
		if (have < len) {
			l->drop = len - have;
			at = l->rx_n;
		} else {
			at += KAFKA_FRAME_PREFIX_BYTES + len;
		}
	}
	memmove(l->rx, l->rx + at, l->rx_n - at);
	l->rx_n -= at;
	return 0;
}

static int link_receive(struct run *r, struct link *l)
{
	for (;;) {
		bool dropping = l->drop > 0;
		size_t want = dropping ? sl_min(l->drop, (size_t)DROP_BYTES) : r->rx_cap - l->rx_n;
		ssize_t n = recv(l->fd, dropping ? NULL : l->rx + l->rx_n, want,
				 MSG_DONTWAIT | (dropping ? MSG_TRUNC : 0));
		int err;

		if (!n)
			return run_fail(r, -ECONNRESET, "the server closed a connection");
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return run_fail(r, -errno, "receiving");
		if (dropping) {
			l->drop -= (size_t)n;
		} else {
			l->rx_n += (size_t)n;
			err = rx_take(r, l);
			if (err)
				return err;
		}
		if ((size_t)n < want)
			return 0;
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

static int link_open(struct run *r, struct link *l, int i)
{
	const struct bench_options *o = r->load->o;
	struct net_addr addr;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};

	l->frame = &r->load->frames[i % o->partitions];
	l->tx = malloc(l->frame->len);
	l->rx = malloc(r->rx_cap);
	l->began_at = calloc((size_t)o->in_flight, sizeof(*l->began_at));
	if (!l->tx || !l->rx || !l->began_at)
		return run_fail(r, -ENOMEM, "connecting");
	memcpy(l->tx, l->frame->p, l->frame->len);
	l->tx_at = l->frame->len;
	if (r->load->kind == BENCH_FETCH)
		l->batch = r->load->batches * i / r->links_n;
	if (net_addr_parse(o->bootstrap, strcspn(o->bootstrap, ","), 9092, &addr))
		return run_fail(r, -EINVAL, "--bootstrap");
	l->fd = net_connect(&addr, now_ns() + o->timeout_ns);
	if (l->fd < 0)
		return run_fail(r, l->fd, "connecting");
	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, l->fd, &e) ? -errno : 0;
}

static int run_open(struct run *r)
{
	const struct bench_load *b = r->load;
	int err = 0;

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		return run_fail(r, -errno, "epoll");
	r->head = bench_response_head(b->kind, b->topic);
	r->rx_cap = b->kind == BENCH_FETCH && b->frames[0].batch_bytes >= LARGE_BYTES ? RX_HEAD
										      : RX_SMALL;
	r->links = calloc((size_t)b->o->connections, sizeof(*r->links));
	if (!r->links)
		return run_fail(r, -ENOMEM, "connecting");
	r->links_n = (int)b->o->connections;
	for (int i = 0; i < r->links_n; i++)
		r->links[i].fd = -1;
	for (int i = 0; i < r->links_n && !err; i++)
		err = link_open(r, &r->links[i], i);
	return err;
}

static void run_close(struct run *r)
{
	for (int i = 0; i < r->links_n; i++) {
		struct link *l = &r->links[i];

		if (l->fd >= 0)
			close(l->fd);
		free(l->tx);
		free(l->rx);
		free(l->began_at);
	}
	free(r->links);
	if (r->epoll >= 0)
		close(r->epoll);
}

/* One wait and what it brought; @until bounds the wait. Return: 0; -ETIME; -errno. */
static int turn(struct run *r, int64_t until)
{
	struct epoll_event events[64];
	int64_t left = until - now_ns();
	int n = epoll_wait(r->epoll, events, 64, (int)(sl_max(left, INT64_C(0)) / SL_MSEC) + 1);
	int err = 0;

	if (n < 0)
		return errno == EINTR ? 0 : run_fail(r, -errno, "epoll");
	for (int i = 0; i < n && !err; i++) {
		struct link *l = events[i].data.ptr;

		if (events[i].events & ~(uint32_t)EPOLLOUT)
			err = link_receive(r, l);
		if (!err)
			err = link_send(r, l);
	}
	return err ? err : !n && left <= 0 ? -ETIME : 0;
}

static bool is_over(const struct run *r, int64_t until)
{
	const struct bench_load *b = r->load;

	if (b->requests_max && b->requests >= (uint64_t)b->requests_max)
		return true;
	if (r->measuring && b->o->bytes_max && b->bytes >= b->o->bytes_max)
		return true;
	return now_ns() >= until;
}

static int run_until(struct run *r, int64_t until)
{
	int err = 0;

	while (!err) {
		if (is_over(r, until))
			return 0;
		err = turn(r, until);
		if (err == -ETIME)
			err = 0;
	}
	return err;
}

static int run_measured(struct run *r)
{
	struct bench_load *b = r->load;
	struct bench_cpu from, to;
	int err = 0;

	for (int i = 0; i < r->links_n && !err; i++)
		err = link_send(r, &r->links[i]);
	if (!err && !b->requests_max)
		err = run_until(r, now_ns() + b->o->warmup_ns);
	if (err)
		return err;
	r->measuring = true;
	err = bench_cpu_read(b->o->pid, &from);
	if (!err)
		err = run_until(r, b->requests_max ? SL_NEVER : now_ns() + b->o->run_ns);
	if (!err)
		err = bench_cpu_read(b->o->pid, &to);
	r->measuring = false;
	if (err)
		return run_fail(r, err, err == -ESRCH ? "--pid" : "measuring");
	bench_cpu_used(b, &from, &to);
	return 0;
}

/* ---- results ---------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void bench_samples_sort(struct bench_load *load)
{
	qsort(load->latency_ns, load->samples, sizeof(*load->latency_ns), by_size);
}

void bench_cpu_used(struct bench_load *load, const struct bench_cpu *from,
		    const struct bench_cpu *to)
{
	load->seconds = (double)(to->at_ns - from->at_ns) / 1e9;
	load->used = (struct bench_cpu){
		.at_ns = to->at_ns - from->at_ns,
		.server_s = load->o->pid ? to->server_s - from->server_s : -1,
		.client_s = to->client_s - from->client_s,
		.busy_s = to->busy_s - from->busy_s,
		.irq_s = to->irq_s - from->irq_s,
	};
}

int bench_load_run(struct bench_load *load)
{
	struct run r = {.load = load, .epoll = -1};
	int64_t drained;
	int err;

	load->requests = load->bytes = load->samples = 0;
	load->latency_ns = malloc(BENCH_SAMPLES_MAX * sizeof(*load->latency_ns));
	err = load->latency_ns ? run_open(&r) : run_fail(&r, -ENOMEM, "measuring");
	if (!err)
		err = run_measured(&r);
	/* What is under way is let end, so that the server does not meet broken connections. */
	r.stopping = true;
	drained = now_ns() + load->o->timeout_ns;
	while (!err && r.in_flight && now_ns() < drained)
		err = turn(&r, drained);
	run_close(&r);
	if (!err)
		bench_samples_sort(load);
	return err;
}

void bench_load_done(struct bench_load *load)
{
	free(load->latency_ns);
	load->latency_ns = NULL;
}
