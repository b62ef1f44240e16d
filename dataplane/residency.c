/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether bytes of a file are in the page cache.
 *
 * Interface: residency_probe(), residency_has(), sl_resident(). The answer is a good guess: pages
 * may leave the cache between the look and the send, which then waits for the disk on the core. So
 * a look covers WINDOW_BYTES at most, or WINDOW_BYTES_LONG of what is long, since that is sent in
 * larger pieces, and is believed for BELIEVED_NS. One cachestat() takes 0.14 us for 64 KiB and 0.2
 * us for 256 KiB of small pages (Linux 6.18), 2 % of what sending them takes. What is asked for
 * again and again is looked for once in that time: a file keeps the range that was found last, for
 * its home core. A map of the cache kept by a kernel program would be paid for by every page that
 * comes and goes (docs/design.md).
 *
 * Before Linux 6.5 mincore() tells the same of a mapping.
 */
#include <errno.h>
#include <sys/mman.h>

#include "conn_pvt.h"
#include "file.h"

enum { WINDOW_BYTES = 512 << 10, WINDOW_BYTES_LONG = 2 << 20, PAGE_BYTES = 4096 };

#define BELIEVED_NS (50 * SL_MSEC)

/* At most WINDOW_BYTES_LONG. Return: 1, 0, or -errno: it cannot be told. */
static int cached_by_mincore(int fd, uint64_t off, size_t len)
{
	unsigned char in_core[WINDOW_BYTES_LONG / PAGE_BYTES + 1];
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)off);
	int cached = 1;

	if (p == MAP_FAILED)
		return -EOPNOTSUPP; /* what cannot be mapped is not of the page cache */
	if (mincore(p, len, in_core))
		cached = -EOPNOTSUPP;
	for (size_t i = 0; i < len / PAGE_BYTES && cached > 0; i++)
		cached = in_core[i] & 1;
	munmap(p, len);
	return cached;
}

/* The same of whole pages [@off, @off + @len). */
static int cached(int fd, uint64_t off, size_t len)
{
	struct sl_cachestat stat = {0};
	struct sl_io io;
	int err;

	sl_io_cachestat(&io, fd, off, (uint32_t)len, &stat);
	err = sl_io_now(&io);
	if (err == -ENOSYS || err == -EPERM) /* EPERM: a seccomp filter does not know the call */
		return cached_by_mincore(fd, off, len);
	return err ? err : stat.cached >= len / PAGE_BYTES;
}

int sl_resident(int fd, uint64_t off, uint64_t len)
{
	uint64_t end = sl_round_up(off + len, (uint64_t)PAGE_BYTES);
	int res = 1;

	for (off &= ~(uint64_t)(PAGE_BYTES - 1); off < end && res > 0; off += WINDOW_BYTES)
		res = cached(fd, off, sl_min(end - off, (uint64_t)WINDOW_BYTES));
	return res;
}

static uint64_t window(const struct sl_conn *c, const struct sl_extent *e)
{
	return e->len - c->cursor.off > WINDOW_BYTES_LONG ? WINDOW_BYTES_LONG : WINDOW_BYTES;
}

/* Notes in its file that [@from, @to) was found; what follows what was found before joins it. */
static void note(struct sl_file *f, uint64_t from, uint64_t to, int64_t now)
{
	if (from != f->resident.to || now - f->resident.since > BELIEVED_NS) {
		f->resident.from = from;
		f->resident.since = now;
	}
	f->resident.to = to;
}

/* Whether [@from, @to) of @f was found lately, by whichever connection. */
static bool is_noted(const struct sl_conn *c, const struct sl_file *f, uint64_t from, uint64_t to)
{
	return f->home == c->l->core && from >= f->resident.from && to <= f->resident.to &&
	       c->l->core->now - f->resident.since <= BELIEVED_NS;
}

/* Asks the kernel about at most @bytes from the cursor on. Return: whether they are there. */
static bool ask(struct sl_conn *c, const struct sl_extent *e, uint64_t bytes)
{
	struct cursor *at = &c->cursor;
	uint64_t end = sl_min(e->len, at->off + bytes);
	uint64_t from = (e->off + at->off) & ~(uint64_t)(PAGE_BYTES - 1);
	uint64_t to = sl_round_up(e->off + end, (uint64_t)PAGE_BYTES);

	/* A file that has no page cache waits in its own way. */
	if (!cached(e->file->fd, from, to - from))
		return false;
	at->resident = end;
	if (e->file->home == c->l->core)
		note(e->file, from, to, at->probed_at);
	return true;
}

/* Sets the cursor's resident and probed_at. */
static void look(struct sl_conn *c, const struct sl_extent *e)
{
	struct cursor *at = &c->cursor;

	if (is_noted(c, e->file, e->off + at->off, e->off + at->off + 1)) {
		at->resident = sl_min(e->len, e->file->resident.to - e->off);
		at->probed_at = e->file->resident.since;
		return;
	}
	at->resident = 0;
	at->probed_at = c->l->core->now;
	if (!ask(c, e, window(c, e)) && window(c, e) > WINDOW_BYTES)
		ask(c, e, WINDOW_BYTES);
}

bool residency_probe(struct sl_conn *c, const struct sl_extent *e, size_t *bytes_max)
{
	struct cursor *at = &c->cursor;

	if (at->off >= at->resident || c->l->core->now - at->probed_at > BELIEVED_NS)
		look(c, e);
	if (at->off >= at->resident)
		return false;
	*bytes_max = sl_min(*bytes_max,
			    (size_t)sl_min(at->resident - at->off, window(c, e)));
	return true;
}

bool residency_has(const struct sl_conn *c, const struct sl_extent *e, uint64_t off, size_t len)
{
	uint64_t from = (e->off + off) & ~(uint64_t)(PAGE_BYTES - 1);
	uint64_t to = sl_round_up(e->off + off + len, (uint64_t)PAGE_BYTES);

	SL_ASSERT(len && len <= WINDOW_BYTES);
	if (is_noted(c, e->file, from, to))
		return true;
	/* 1: there are errors, which are no answer. */
	if (cached(e->file->fd, from, to - from) != 1)
		return false;
	if (e->file->home == c->l->core)
		note(e->file, from, to, c->l->core->now);
	return true;
}
