// SPDX-License-Identifier: Apache-2.0
/*
 * A load of HTTP requests: connections that are kept, one request under way on each, the next one
 * when its answer has come. Of an answer the head is read and the body dropped in the kernel
 * (MSG_TRUNC), so that the client takes as little of the machine as it can.
 *
 * Interface: bench_http_run(). Invariants: an answer that is not 200 with a Content-Length ends the
 * run; requests count when they are answered, bytes of bodies as they come.
 * Order of parts: state; asking; answers; the loop; the run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"
#include "options.h"

/* ---- state ------------------------------------------------------------------------------ */

/* What is received before the length of an answer is known; a small one comes as a whole. */
enum { RX_BYTES = 8 << 10, DROP_BYTES = 4 << 20 };

struct link {
	int fd;
	bool in_body;
	uint64_t left; /* of the body */
	int64_t began_at;
	size_t rx_n;
	char rx[RX_BYTES + 1];
};

struct run {
	struct bench_load *load;
	int epoll;
	struct link *links;
	uint64_t asked, answered;
	const char *key; /* NULL: none */
	bool measuring;
};

static int run_fail(struct run *r, int err, const char *what)
{
	if (!r->load->error[0])
		snprintf(r->load->error, sizeof(r->load->error), "%s: %s", what, strerror(-err));
	return err;
}

/* ---- asking ----------------------------------------------------------------------------- */

/* With --files each request asks for the next of them. */
static int ask(struct run *r, struct link *l)
{
	const struct bench_options *o = r->load->o;
	char text[1024], number[24] = "";
	ssize_t sent;
	int n;

	if (o->requests_max && r->asked == (uint64_t)o->requests_max)
		return 0;
	if (o->files)
		snprintf(number, sizeof(number), "%" PRIu64, r->asked % (uint64_t)o->files);
	n = snprintf(text, sizeof(text), "GET %s%s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", o->path,
		     number, o->bootstrap, r->key ? "Authorization: Bearer " : "",
		     r->key ? r->key : "", r->key ? "\r\n" : "");
	if ((size_t)n >= sizeof(text))
		return run_fail(r, -ENAMETOOLONG, "the path");
	r->asked++;
	l->began_at = now_ns();
	l->in_body = false;
	/* Nothing else is under way, so there is room for it. */
	sent = send(l->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent == n ? 0 : run_fail(r, sent < 0 ? -errno : -EAGAIN, "sending");
}

static int answered(struct run *r, struct link *l)
{
	struct bench_load *b = r->load;
	int64_t took = now_ns() - l->began_at;

	r->answered++;
	if (r->measuring) {
		b->requests++;
		if (b->samples < BENCH_SAMPLES_MAX)
			b->latency_ns[b->samples++] = (uint32_t)sl_min(took, (int64_t)UINT32_MAX);
	}
	return ask(r, l);
}

/* ---- answers ---------------------------------------------------------------------------- */

static int refused(struct run *r, const char *head)
{
	snprintf(r->load->error, sizeof(r->load->error), "the server answered: %.*s",
		 (int)strcspn(head, "\r\n"), head);
	return -EREMOTEIO;
}

/* The head in rx, once it is whole. Return: its length; 0: not yet; -errno. */
static ssize_t take_head(struct run *r, struct link *l)
{
	const char *end, *length;

	l->rx[l->rx_n] = 0;
	end = strstr(l->rx, "\r\n\r\n");
	if (!end)
		return l->rx_n < RX_BYTES ? 0 : run_fail(r, -EMSGSIZE, "reading a head");
	if (strncmp(l->rx, "HTTP/1.1 200", 12))
		return refused(r, l->rx);
	length = strcasestr(l->rx, "\r\nContent-Length:");
	if (!length || length > end)
		return run_fail(r, -EPROTO, "no Content-Length");
	l->left = strtoull(length + 17, NULL, 10);
	l->in_body = true;
	return end + 4 - l->rx;
}

static int take_body(struct run *r, struct link *l, size_t n)
{
	if (n > l->left)
		return run_fail(r, -EPROTO, "more than was asked for");
	l->left -= n;
	if (r->measuring)
		r->load->bytes += n;
	return l->left ? 0 : answered(r, l);
}

static int received(struct run *r, struct link *l, size_t n)
{
	ssize_t head;

	if (l->in_body)
		return take_body(r, l, n);
	l->rx_n += n;
	head = take_head(r, l);
	if (head <= 0)
		return (int)head;
	n = l->rx_n - (size_t)head;
	l->rx_n = 0;
	return take_body(r, l, n);
}

static int link_receive(struct run *r, struct link *l)
{
	for (;;) {
		size_t want = l->in_body ? sl_min(l->left, (uint64_t)DROP_BYTES)
					 : RX_BYTES - l->rx_n;
		ssize_t n = recv(l->fd, l->in_body ? NULL : l->rx + l->rx_n, want,
				 MSG_DONTWAIT | (l->in_body ? MSG_TRUNC : 0));
		int err;

		if (!n)
			return run_fail(r, -ECONNRESET, "the server closed a connection");
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return run_fail(r, -errno, "receiving");
		err = received(r, l, (size_t)n);
		if (err || (size_t)n < want)
			return err;
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

static bool is_over(const struct run *r, int64_t until)
{
	const struct bench_options *o = r->load->o;

	return (o->requests_max && r->answered == (uint64_t)o->requests_max) || now_ns() >= until;
}

static int run_until(struct run *r, int64_t until)
{
	struct epoll_event events[256];
	int err = 0;

	while (!err && !is_over(r, until)) {
		int64_t left = sl_min((until - now_ns()) / SL_MSEC, INT64_C(1000));
		int n = epoll_wait(r->epoll, events, 256, (int)sl_max(left, INT64_C(0)) + 1);

		if (n < 0 && errno != EINTR)
			return run_fail(r, -errno, "epoll");
		for (int i = 0; i < n && !err; i++)
			err = link_receive(r, events[i].data.ptr);
	}
	return err;
}

/* ---- the run ---------------------------------------------------------------------------- */

static int links_open(struct run *r)
{
	const struct bench_options *o = r->load->o;
	struct net_addr addr;

	r->links = calloc((size_t)o->connections, sizeof(*r->links));
	if (!r->links)
		return run_fail(r, -ENOMEM, "connecting");
	for (int64_t i = 0; i < o->connections; i++)
		r->links[i].fd = -1;
	if (net_addr_parse(o->bootstrap, strlen(o->bootstrap), 80, &addr))
		return run_fail(r, -EINVAL, o->bootstrap);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		return run_fail(r, -errno, "epoll");
	for (int64_t i = 0; i < o->connections; i++) {
		struct link *l = &r->links[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};

		l->fd = net_connect(&addr, now_ns() + o->timeout_ns);
		if (l->fd < 0)
			return run_fail(r, l->fd, "connecting");
		if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, l->fd, &e))
			return run_fail(r, -errno, "epoll");
	}
	return 0;
}

static void links_close(struct run *r)
{
	for (int64_t i = 0; r->links && i < r->load->o->connections; i++)
		if (r->links[i].fd >= 0)
			close(r->links[i].fd);
	free(r->links);
	if (r->epoll >= 0)
		close(r->epoll);
}

static int ask_all(struct run *r)
{
	int err = 0;

	for (int64_t i = 0; i < r->load->o->connections && !err; i++)
		err = ask(r, &r->links[i]);
	return err;
}

/* A number of requests is measured from the first; a time, after a warm-up. */
static int measure(struct run *r)
{
	struct bench_load *b = r->load;
	const struct bench_options *o = b->o;
	struct bench_cpu from, to;
	int err = 0;

	if (!o->requests_max)
		err = ask_all(r);
	if (!err && !o->requests_max)
		err = run_until(r, now_ns() + o->warmup_ns);
	if (err)
		return err;
	r->measuring = true;
	if (bench_cpu_read(o->pid, &from))
		return run_fail(r, -ESRCH, "--pid");
	if (o->requests_max)
		err = ask_all(r);
	if (!err)
		err = run_until(r, now_ns() + o->run_ns);
	if (err)
		return err;
	if (bench_cpu_read(o->pid, &to))
		return run_fail(r, -ESRCH, "--pid");
	bench_cpu_used(b, &from, &to);
	return 0;
}

int bench_http_run(struct bench_load *load)
{
	struct run r = {.load = load, .epoll = -1, .key = key_default()};
	int err;

	load->latency_ns = malloc(BENCH_SAMPLES_MAX * sizeof(*load->latency_ns));
	err = load->latency_ns ? links_open(&r) : run_fail(&r, -ENOMEM, "measuring");
	if (!err)
		err = measure(&r);
	links_close(&r);
	if (!err)
		bench_samples_sort(load);
	return err;
}
