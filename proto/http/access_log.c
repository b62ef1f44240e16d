/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log.
 *
 * Interface: access_log.h, and the log's part of http.h. Each core has a buffer of its own that
 * fills with whole lines. When there are enough of them, or a second after the first, a fiber
 * takes the buffer away and appends it to the file in one write, so that the lines of cores do not
 * mix; a new buffer is filled meanwhile. Invariants: a core has at most one buffer that fills and
 * one that is written; a line is written whole or counted as dropped.
 *
 * Order of parts: the file; writing; a line; the calls of the daemon.
 */
#include "access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a buffer holds, and from when on it is written. */
enum { BUFFER_BYTES = 256 << 10, WRITE_BYTES = 64 << 10 };

/* How long its first line may wait, and the file take nothing: a FIFO's reader may stand still. */
#define WAIT_NS SL_SEC
#define WRITE_NS (5 * SL_SEC)

/* So much of what clients write into their fields. */
enum { METHOD_BYTES = 32, TARGET_BYTES = 1024, AGENT_BYTES = 256 };

/**
 * struct log_core - one core's lines.
 * @buf, @n, @lines: those that wait, NULL: none. @writing: a fiber has others, @idle: when not.
 * @torn: the last write failed, maybe within a line. @dropped: not yet told by a line of the
 * daemon's own log.
 */
struct log_core {
	_Alignas(64) struct http_log *log;
	struct sl_timer timer;
	struct sl_buf *buf;
	size_t n;
	uint64_t lines, dropped;
	struct sl_waitq idle;
	int fd;
	bool writing, torn;
};

struct http_log {
	char *path;
	int fd, format;
	uint32_t cores_n;
	struct log_core *cores;
};

/* ---- the file --------------------------------------------------------------------------- */

/* A FIFO without a reader is told of at once. */
enum { OPEN_FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, OPEN_MODE = 0640 };

static int refuse(const char *path, const char *what, char *why, size_t why_len)
{
	snprintf(why, why_len, "http.access_log = %s: %s; name a file in a folder that this user "
		 "may write in, or off", path, what);
	return -EINVAL;
}

/* @fd: as open(2) gave it. Return: @fd, or -errno with the cause in @why. */
static int check_file(const char *path, int fd, char *why, size_t why_len)
{
	struct statx stx;
	int err;

	if (fd < 0)
		return refuse(path, strerror(-fd), why, why_len);
	err = sl_stat_now(fd, "", &stx);
	if (!err && (S_ISREG(stx.stx_mode) || S_ISFIFO(stx.stx_mode)))
		return fd;
	sl_close(fd);
	return refuse(path, err ? strerror(-err) : "is neither file nor FIFO", why, why_len);
}

/* ---- writing ---------------------------------------------------------------------------- */

static int append(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		struct sl_io io;
		int done;

		/* By the ring: what is written inline may wait for the disk. */
		sl_io_write(&io, fd, p, n, 0);
		done = sl_await(&io, sl_now() + WRITE_NS);
		if (done <= 0)
			return done ? done : -EIO;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static void drop(struct log_core *c, uint64_t lines)
{
	c->dropped += lines;
	sl_count(SL_M_ACCESS_LOG_DROPPED, lines);
}

static void write_buffer(struct log_core *c)
{
	struct sl_buf *buf = c->buf;
	uint64_t lines = c->lines;
	size_t n = c->n;
	int err = 0;

	c->buf = NULL;
	c->n = 0;
	c->lines = 0;
	/* What is left of a cut line gets an end of its own. */
	if (c->torn)
		err = append(c->fd, (const uint8_t *)"\n", 1);
	if (!err)
		err = append(c->fd, buf->data, n);
	c->torn = err != 0;
	sl_buf_release(buf);
	if (err)
		drop(c, lines);
	if (!c->dropped)
		return;
	sl_log_warn("access-log.dropped", SL_KV(path, c->log->path), SL_KV(lines, c->dropped),
		    SL_KV_ERRNO(err ? err : -EAGAIN));
	c->dropped = 0;
}

static void wait_for_more(struct log_core *c)
{
	/* Without memory for the timer the lines go with the next ones. */
	if (c->n)
		sl_timer_set(&c->timer, sl_now() + WAIT_NS);
}

static void write_fiber(void *arg)
{
	struct log_core *c = arg;

	do
		write_buffer(c);
	while (c->n >= WRITE_BYTES);
	c->writing = false;
	wait_for_more(c);
	sl_waitq_wake_all(&c->idle, 0);
}

/* To be called outside fibers, too. */
static void begin_writing(struct log_core *c)
{
	if (c->writing || !c->n)
		return;
	sl_timer_clear(&c->timer);
	c->writing = !sl_fiber_start(SL_STACK_SMALL, write_fiber, c);
	if (!c->writing)
		wait_for_more(c);
}

static void on_timer(struct sl_timer *timer)
{
	begin_writing(sl_container_of(timer, struct log_core, timer));
}

/* ---- a line ----------------------------------------------------------------------------- */

/* Where the next line goes, SL_LOG_LINE_BYTES of room; NULL: nowhere. */
static char *room(struct log_core *c)
{
	if (!c->buf)
		c->buf = sl_buf_new(BUFFER_BYTES);
	if (!c->buf || BUFFER_BYTES - c->n < SL_LOG_LINE_BYTES)
		return NULL;
	return (char *)c->buf->data + c->n;
}

static struct sl_log_field client_field(const struct http_request *rq, const char *name,
					const char *key)
{
	struct http_str v = {0};

	http_request_field(rq, name, &v);
	return (struct sl_log_field){.key = key, .kind = SL_LOG_BYTES, .data = v.p,
				     .len = sl_min(v.n, (size_t)AGENT_BYTES)};
}

static const char *version_of(const struct http_request *rq)
{
	return rq->major == 2 ? "2" : rq->minor ? "1.1" : "1.0";
}

/* What may be long comes last: a line that is too long loses its end. */
static size_t put_line(const struct http_log *log, const struct http_request *rq, int status,
		       uint64_t bytes, char *ret_line)
{
	struct sl_log_field f[SL_LOG_FIELDS_MAX];
	size_t n = 0;

	f[n++] = SL_KV(listener, rq->server->name);
	f[n++] = SL_KV(peer, rq->peer);
	f[n++] = SL_KV(status, status);
	f[n++] = SL_KV(body_bytes, bytes);
	f[n++] = SL_KV(time_us, (sl_clock_ns() - rq->began_ns) / 1000);
	if (rq->refusal) {
		f[n++] = SL_KV(refused, http_refusal_error(rq->refusal)->text);
	} else {
		struct http_str method = http_request_str(rq, rq->method_text);
		struct http_str target = http_request_str(rq, rq->target);

		f[n++] = SL_KV(version, version_of(rq));
		f[n++] = SL_KV_BYTES(method, method.p, sl_min(method.n, (size_t)METHOD_BYTES));
		f[n++] = SL_KV_BYTES(target, target.p, sl_min(target.n, (size_t)TARGET_BYTES));
		if (rq->key[0])
			f[n++] = SL_KV(key, (const char *)rq->key);
		if (rq->cache)
			f[n++] = SL_KV(cache, rq->cache);
		f[n++] = client_field(rq, "User-Agent", "agent");
		f[n++] = client_field(rq, "Referer", "referer");
	}
	return sl_log_format((enum sl_log_format)__atomic_load_n(&log->format, __ATOMIC_RELAXED),
			     sl_wall_clock_ns(), SL_LOG_LEVEL_INFO, "http.request", f, n, ret_line);
}

void http_log_request(const struct http_request *rq, int status, uint64_t bytes)
{
	struct http_log *log = rq->server->log;
	struct log_core *c;
	char *line;

	if (!log)
		return;
	c = &log->cores[sl_core_id(sl_core_self())];
	line = room(c);
	if (!line) {
		drop(c, 1);
		return;
	}
	c->n += put_line(log, rq, status, bytes, line);
	SL_ASSERT(c->n <= BUFFER_BYTES);
	if (!c->lines++ && !c->writing)
		wait_for_more(c);
	if (c->n >= WRITE_BYTES)
		begin_writing(c);
}

/* ---- the calls of the daemon ------------------------------------------------------------ */

int http_log_open(const char *path, enum sl_log_format format, uint32_t cores,
		  struct http_log **ret_log, char *why, size_t why_len)
{
	struct http_log *log;
	int fd = check_file(path, sl_open_now(AT_FDCWD, path, OPEN_FLAGS, OPEN_MODE), why, why_len);

	if (fd < 0)
		return fd;
	log = calloc(1, sizeof(*log));
	if (!log)
		goto out_close;
	*log = (struct http_log){.fd = fd, .format = format, .cores_n = cores};
	log->path = strdup(path);
	log->cores = aligned_alloc(_Alignof(struct log_core), cores * sizeof(*log->cores));
	if (!log->path || !log->cores)
		goto out_free;
	for (uint32_t i = 0; i < cores; i++) {
		struct log_core *c = &log->cores[i];

		*c = (struct log_core){.log = log, .fd = fd};
		sl_timer_init(&c->timer, on_timer);
		sl_waitq_init(&c->idle);
	}
	*ret_log = log;
	return 0;
out_free:
	free(log->cores);
	free(log->path);
	free(log);
out_close:
	sl_close(fd);
	return -ENOMEM;
}

struct switching {
	struct http_log *log;
	int fd;
};

/* Lines that wait go to the new file. */
static int switch_here(void *arg, int64_t deadline)
{
	struct switching *s = arg;
	struct log_core *c = &s->log->cores[sl_core_id(sl_core_self())];

	while (c->writing)
		sl_waitq_wait(&c->idle, SL_NEVER);
	c->fd = s->fd;
	c->torn = false;
	return 0;
}

int http_log_reopen(struct http_log *log, enum sl_log_format format, char *why, size_t why_len)
{
	struct sl_cores *cores = sl_core_cores(sl_core_self());
	struct switching s = {.log = log};

	__atomic_store_n(&log->format, format, __ATOMIC_RELAXED);
	s.fd = check_file(log->path, sl_open(AT_FDCWD, log->path, OPEN_FLAGS, OPEN_MODE, SL_NEVER),
			  why, why_len);
	if (s.fd < 0)
		return s.fd;
	for (uint32_t i = 0; i < log->cores_n; i++)
		while (sl_call(sl_cores_at(cores, i), switch_here, &s, SL_NEVER))
			sl_sleep(sl_now() + SL_SEC); /* out of memory: the old file stays open */
	sl_close(log->fd);
	log->fd = s.fd;
	return 0;
}

int http_log_stop(struct http_log *log)
{
	struct log_core *c = &log->cores[sl_core_id(sl_core_self())];

	sl_timer_clear(&c->timer);
	while (c->writing || c->n) {
		begin_writing(c);
		if (c->writing)
			sl_waitq_wait(&c->idle, SL_NEVER);
		else
			sl_sleep(sl_now() + 10 * SL_MSEC);
	}
	return 0;
}

void http_log_free(struct http_log *log)
{
	if (!log)
		return;
	sl_close(log->fd);
	free(log->cores);
	free(log->path);
	free(log);
}
