/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache in a folder: a file for each segment, a folder for each shard.
 *
 * Interface: medium_folder, whose rows cache_pvt.h explains. The folder's description says how many
 * shards there are and seeds the hashes; it is kept twice, and never changes. A cache whose
 * description is lost is emptied: nothing in it could be found. Invariants: what has a name is
 * whole, for it was written and synced under another one; a name is durable before what it stands
 * for is used.
 *
 * Order of parts: the description; the folder; shards; segments; journals; the table.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "cache_pvt.h"

/* ---- the description -------------------------------------------------------------------- */

#define SUPER_NAME "CACHE"
#define SUPER_COPY_NAME "CACHE.copy"
#define LOCK_NAME "LOCK"

static int read_super(int dir, const char *name, struct super *ret_super, int64_t deadline)
{
	uint8_t raw[SUPER_BYTES];
	ssize_t n = sl_read_file(dir, name, raw, sizeof(raw), deadline);

	if (n < 0)
		return n == -E2BIG ? -EBADMSG : (int)n;
	return n == (ssize_t)sizeof(raw) ? super_decode(raw, ret_super) : -EBADMSG;
}

static int write_super(struct cache *c, const char *name, int64_t deadline)
{
	uint8_t raw[SUPER_BYTES];

	super_encode(&c->super, raw);
	return sl_write_file(c->dir, name, raw, sizeof(raw), SL_FAULT(SYNC_CACHE_SUPER),
			     SL_FAULT(SYNC_CACHE_FOLDER), deadline);
}

static int remove_shard(void *arg, const char *name, int type)
{
	struct cache *c = arg;
	char *end;

	(void)type;
	if (strtoul(name, &end, 10) >= CACHE_SHARDS_MAX || end != name + 2 || *end)
		return 0;
	return sl_remove_tree(c->dir, name, SL_NEVER);
}

static int make_super(struct cache *c, int64_t deadline)
{
	int err = sl_list_folder(c->dir, remove_shard, c);

	sl_random(&c->super.seed, sizeof(c->super.seed));
	c->super.shards = cache_shards_for(c->conf.max_bytes);
	c->super.block_size = c->conf.block_size;
	if (!err)
		err = write_super(c, SUPER_NAME, deadline);
	return err ? err : write_super(c, SUPER_COPY_NAME, deadline);
}

static int load_super(struct cache *c, int64_t deadline)
{
	int err = read_super(c->dir, SUPER_NAME, &c->super, deadline), err2;

	if (!err || err == -EPROTONOSUPPORT)
		return err;
	err2 = read_super(c->dir, SUPER_COPY_NAME, &c->super, deadline);
	if (!err2)
		return write_super(c, SUPER_NAME, deadline);
	if (err2 == -EPROTONOSUPPORT)
		return err2;
	if ((err != -ENOENT || err2 != -ENOENT) && c->conf.event)
		c->conf.event(c->conf.arg, CACHE_DROPPED, CACHE_SHARDS_MAX, err);
	return make_super(c, deadline);
}

/* ---- the folder ------------------------------------------------------------------------- */

int cache_make(int dir, const char *path, int64_t deadline)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int fd, err = sl_mkdir(dir, path, 0700, deadline);

	if (err)
		return err;
	parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!parent)
		return -ENOMEM;
	fd = sl_open(dir, parent, O_RDONLY | O_DIRECTORY, 0, deadline);
	free(parent);
	if (fd < 0)
		return fd;
	err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_PARENT), deadline);
	sl_close(fd);
	return err;
}

static int folder_open(struct cache *c, int64_t deadline)
{
	int err = cache_make(c->conf.dir, c->path, deadline);

	if (err && err != -EEXIST)
		return err;
	c->dir = sl_open(c->conf.dir, c->path, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (c->dir < 0)
		return c->dir;
	c->lock_fd = sl_open(c->dir, LOCK_NAME, O_RDWR | O_CREAT, 0600, deadline);
	if (c->lock_fd < 0)
		return c->lock_fd;
	if (!c->conf.exclusive && flock(c->lock_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return load_super(c, deadline);
}

static void folder_close(struct cache *c)
{
	sl_close(c->lock_fd);
	sl_close(c->dir);
}

/* ---- shards ----------------------------------------------------------------------------- */

static int folder_shard_open(struct shard *s)
{
	char name[8];
	int err;

	snprintf(name, sizeof(name), "%02u", s->id);
	s->dir = sl_open_now(s->c->dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (s->dir != -ENOENT)
		return sl_min(s->dir, 0);
	err = sl_mkdir(s->c->dir, name, 0700, SL_NEVER);
	if (!err)
		err = sl_fsync(s->c->dir, false, SL_FAULT(SYNC_CACHE_FOLDER), SL_NEVER);
	s->dir = err ? err : sl_open_now(s->c->dir, name, O_RDONLY | O_DIRECTORY, 0);
	return sl_min(s->dir, 0);
}

static void folder_shard_close(struct shard *s)
{
	sl_close(s->dir);
	s->dir = -1;
}

/* The number of the segment of this name, or -1. */
static int64_t seq_of(const char *name)
{
	char *end;
	unsigned long seq = strtoul(name, &end, 16);

	return end == name + 8 && !strcmp(end, ".seg") ? (int64_t)seq : -1;
}

struct listing {
	struct shard *s;
	int (*each)(void *arg, uint32_t seq);
	void *arg;
};

static int list_name(void *arg, const char *name, int type)
{
	struct listing *l = arg;
	const char *dot = strchr(name, '.');
	int64_t seq = seq_of(name);

	(void)type;
	if (seq >= 0)
		return l->each(l->arg, (uint32_t)seq);
	if (dot && dot != name && !strcmp(dot, ".seg.tmp"))
		sl_unlink(l->s->dir, name, 0, SL_NEVER);
	return 0;
}

static int folder_list(struct shard *s, int (*each)(void *arg, uint32_t seq), void *arg)
{
	struct listing l = {s, each, arg};

	return sl_list_folder(s->dir, list_name, &l);
}

static int remove_segment(void *arg, const char *name, int type)
{
	struct shard *s = arg;

	(void)type;
	return seq_of(name) < 0 ? 0 : sl_unlink(s->dir, name, 0, SL_NEVER);
}

static int remove_name(void *arg, const char *name, int type)
{
	struct shard *s = arg;

	(void)type;
	return sl_unlink(s->dir, name, 0, SL_NEVER);
}

/* The journal goes last: while a segment is there, it may still matter. */
static int folder_empty(struct shard *s)
{
	int err = sl_list_folder(s->dir, remove_segment, s);

	if (!err)
		err = sl_fsync(s->dir, false, SL_FAULT(SYNC_CACHE_FOLDER), SL_NEVER);
	journal_clear(&s->journal);
	return err ? err : sl_list_folder(s->dir, remove_name, s);
}

/* ---- segments --------------------------------------------------------------------------- */

enum { NAME_BYTES = 24 };

static void segment_name(char name[NAME_BYTES], uint32_t seq)
{
	snprintf(name, NAME_BYTES, "%08x.seg", seq);
}

static void close_file(struct seat *seat, uint64_t bytes)
{
	if (bytes)
		sl_close_large(seat->fd, bytes, SL_NEVER);
	else
		sl_close(seat->fd);
}

static struct seat seat_of(int fd, uint64_t bytes)
{
	return (struct seat){.fd = fd, .bytes = bytes, .leave = close_file};
}

static int seat_find(int dir, const char *name, struct seat *ret_seat)
{
	int fd = sl_open_now(dir, name, O_RDWR, 0);
	struct statx stx;
	int err;

	if (fd < 0)
		return fd;
	err = sl_stat_now(fd, "", &stx);
	if (err)
		sl_close(fd);
	else
		*ret_seat = seat_of(fd, stx.stx_size);
	return err;
}

static int write_first(struct shard *s, const char *tmp, const struct seg_header *h,
		       int64_t deadline)
{
	uint8_t block[SEG_HEADER_BYTES];
	int fd = sl_open(s->dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600, deadline);
	int err;

	if (fd < 0)
		return fd;
	cseg_first_block(h, block);
	err = sl_write_all(fd, block, sizeof(block), 0, deadline);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_SEGMENT), deadline);
	if (!err)
		return fd;
	sl_close(fd);
	return err;
}

static int folder_make(struct shard *s, const struct seg_header *h, struct seat *ret_seat,
		       int64_t deadline)
{
	char name[NAME_BYTES], tmp[NAME_BYTES + 4];
	int fd, err;

	segment_name(name, h->seq);
	snprintf(tmp, sizeof(tmp), "%s.tmp", name);
	fd = write_first(s, tmp, h, deadline);
	err = fd < 0 ? fd : sl_rename(s->dir, tmp, s->dir, name, deadline);
	if (err) {
		sl_close(fd);
		sl_unlink(s->dir, tmp, 0, SL_NEVER);
		return err;
	}
	err = sl_fsync(s->dir, false, SL_FAULT(SYNC_CACHE_FOLDER), deadline);
	if (err) {
		sl_close(fd);
		sl_unlink(s->dir, name, 0, SL_NEVER);
		return err;
	}
	*ret_seat = seat_of(fd, 0);
	return 0;
}

static int folder_find(struct shard *s, uint32_t seq, struct seat *ret_seat)
{
	char name[NAME_BYTES];

	segment_name(name, seq);
	return seat_find(s->dir, name, ret_seat);
}

static int folder_remove(struct shard *s, const struct segment *g, int64_t deadline)
{
	char name[NAME_BYTES];
	int err;

	segment_name(name, g->seq);
	err = sl_unlink(s->dir, name, 0, deadline);
	return err == -ENOENT ? 0 : err;
}

static int folder_open_direct(const struct segment *g, struct sl_direct **ret_file,
			      int64_t deadline)
{
	char name[NAME_BYTES];

	segment_name(name, g->seq);
	return sl_direct_open(g->shard->dir, name, ret_file, deadline);
}

/* ---- journals --------------------------------------------------------------------------- */

#define JOURNAL_NAME "journal"
#define JOURNAL_TMP_NAME "journal.tmp"

static int folder_journal_open(struct journal *j)
{
	return seat_find(j->shard->dir, JOURNAL_NAME, &j->seat);
}

/* By a file that takes the old one's place. */
static int folder_journal_replace(struct journal *j, const uint8_t *data, size_t n,
				  int64_t deadline)
{
	int dir = j->shard->dir;
	int fd = sl_open(dir, JOURNAL_TMP_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600, deadline);
	int err;

	if (fd < 0)
		return fd;
	err = sl_write_all(fd, data, n, 0, deadline);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_CACHE_JOURNAL_NEW), SL_NEVER);
	if (!err)
		err = sl_rename(dir, JOURNAL_TMP_NAME, dir, JOURNAL_NAME, SL_NEVER);
	if (!err)
		err = sl_fsync(dir, false, SL_FAULT(SYNC_CACHE_JOURNAL_FOLDER), SL_NEVER);
	if (err) {
		sl_close(fd);
		return err;
	}
	sl_close(j->seat.fd);
	j->seat = seat_of(fd, n);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------- */

const struct medium medium_folder = {
	.open = folder_open,
	.close = folder_close,
	.shard_open = folder_shard_open,
	.shard_close = folder_shard_close,
	.list = folder_list,
	.empty = folder_empty,
	.make = folder_make,
	.find = folder_find,
	.remove = folder_remove,
	.open_direct = folder_open_direct,
	.journal_open = folder_journal_open,
	.journal_replace = folder_journal_replace,
};
