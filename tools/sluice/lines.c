// SPDX-License-Identifier: Apache-2.0
/*
 * Lines out of a descriptor.
 *
 * Interface: lines.h. Invariant: start <= start + scanned <= end <= cap.
 */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/util.h>

#define READ_BYTES (256 * SL_KIB)

void lines_init(struct lines *l, int fd)
{
	*l = (struct lines){.fd = fd};
}

void lines_done(struct lines *l)
{
	free(l->buf);
	l->buf = NULL;
}

/* Room for READ_BYTES more: what was given out goes first. */
static int room_make(struct lines *l)
{
	size_t held = l->end - l->start;
	size_t want = held + READ_BYTES;
	char *buf;

	if (l->start && l->cap - l->end < READ_BYTES) {
		memmove(l->buf, l->buf + l->start, held);
		l->start = 0;
		l->end = held;
	}
	if (l->cap - l->end >= READ_BYTES)
		return 0;
	want = sl_max(want, 2 * l->cap);
	buf = realloc(l->buf, want);
	if (!buf)
		return -ENOMEM;
	l->buf = buf;
	l->cap = want;
	return 0;
}

/* Return: 0, with more bytes or at the end; -EAGAIN; -errno. */
static int more(struct lines *l, int64_t wait_ns)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	ssize_t n;
	int err = room_make(l);

	if (err)
		return err;
	if (!poll(&p, 1, (int)sl_min(wait_ns / SL_MSEC, INT64_C(1000000))))
		return -EAGAIN;
	n = read(l->fd, l->buf + l->end, READ_BYTES);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	l->end += (size_t)n;
	l->eof = !n;
	return 0;
}

int lines_next(struct lines *l, size_t line_max, int64_t wait_ns, const char **ret_line,
	       size_t *ret_len)
{
	for (;;) {
		char *from = l->buf + l->start;
		size_t held = l->end - l->start;
		char *newline = NULL;
		int err;

		if (held > l->scanned)
			newline = memchr(from + l->scanned, '\n', held - l->scanned);
		if (newline || (l->eof && held)) {
			*ret_line = from;
			*ret_len = newline ? (size_t)(newline - from) : held;
			l->start += *ret_len + (newline != NULL);
			l->scanned = 0;
			return *ret_len > line_max ? -EMSGSIZE : 1;
		}
		if (l->eof)
			return 0;
		l->scanned = held;
		if (held > line_max)
			return -EMSGSIZE;
		err = more(l, wait_ns);
		if (err)
			return err;
	}
}
