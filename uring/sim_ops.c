/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk's operations: the rules and errors of Linux, on the tree and its contents.
 *
 * Interface: sim_perform(). Invariants: an operation that is refused changes nothing and does not
 * count as mutating; the one in which the power is cut is noted as pending and fails.
 *
 * Order of parts: arguments; descriptors; contents; syncing; names; looking; the table.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "sim_pvt.h"

/* What a disk without a limit says it has. */
#define UNLIMITED_PAGES (UINT64_C(1) << 40)

/* ---- arguments -------------------------------------------------------------------------- */

/* Counts a mutating operation. Return: 0, or -EIO if the power goes in its middle. */
static int mutate(struct sl_sim *sim)
{
	SL_ASSERT(!sim->dead);
	sim->ops++;
	if (sim->cut_at && sim->ops >= sim->cut_at)
		sim->dead = true;
	return sim->dead ? -EIO : 0;
}

static void touch(struct sl_sim *sim, struct node *n)
{
	struct sl_io io;

	sl_io_init(&io, SL_OP_CLOCK, -1);
	io.flags = CLOCK_REALTIME;
	if (!sim->inner->now(sim->inner, &io))
		n->changed_ns = (int64_t)io.off;
}

/* The folder that relative paths at @fd start from. */
static int folder_at(struct sl_sim *sim, int fd, const char *path, struct node **ret_dir)
{
	const struct open_file *f;

	if (fd == AT_FDCWD || *path == '/') {
		*ret_dir = sim->root;
		return 0;
	}
	f = sim_file(sim, fd);
	if (!f)
		return -EBADF;
	if (!f->node->folder)
		return -ENOTDIR;
	*ret_dir = f->node;
	return 0;
}

static int find(struct sl_sim *sim, int fd, const char *path, struct place *ret_place)
{
	struct node *dir;
	int err;

	if (strlen(path) >= 4096)
		return -ENAMETOOLONG;
	err = folder_at(sim, fd, path, &dir);
	return err ? err : tree_find(sim, dir, path, ret_place);
}

/* The same, for what must be there. */
static int find_old(struct sl_sim *sim, int fd, const char *path, struct place *ret_place)
{
	int err = find(sim, fd, path, ret_place);

	if (err)
		return err;
	if (!ret_place->node)
		return -ENOENT;
	return ret_place->must_be_folder && !ret_place->node->folder ? -ENOTDIR : 0;
}

static bool is_dots(const struct place *at)
{
	return !strcmp(at->name, ".") || !strcmp(at->name, "..");
}

/* Whether a name can be made in @dir. */
static int check_room_for_name(struct sl_sim *sim, const struct node *dir)
{
	if (dir != sim->root && !dir->names)
		return -ENOENT; /* the folder itself was removed */
	return sim->used >= sim->limit ? -ENOSPC : 0;
}

/* The file open as @fd with one of the access modes @want (bits 1 << O_…). */
static int file_of(struct sl_sim *sim, int fd, int want, struct node **ret_node)
{
	const struct open_file *f = sim_file(sim, fd);

	if (!f || f->flags & O_PATH || !(want >> (f->flags & O_ACCMODE) & 1))
		return -EBADF;
	if (f->node->folder)
		return -EISDIR;
	*ret_node = f->node;
	return 0;
}

enum {
	TO_READ = 1 << O_RDONLY | 1 << O_RDWR,
	TO_WRITE = 1 << O_WRONLY | 1 << O_RDWR,
};

/* ---- descriptors ------------------------------------------------------------------------ */

static int open_node(struct sl_sim *sim, struct node *n, int flags)
{
	if (sim->files_n == sim->files_room) {
		sim->files_room = sim->files_room ? sim->files_room * 2 : 16;
		sim->files = realloc(sim->files, sim->files_room * sizeof(*sim->files));
		SL_ASSERT(sim->files);
	}
	n->opens++;
	sim->files[sim->files_n] = (struct open_file){.node = node_get(n), .flags = flags};
	return sim->fd_base + (int)sim->files_n++;
}

static int truncate_node(struct sl_sim *sim, struct node *n, uint64_t size)
{
	uint64_t used = n->content.used;
	int err = mutate(sim);

	content_truncate(&n->content, sim_seq(sim), size);
	sim->used -= used - n->content.used;
	touch(sim, n);
	return err;
}

static int create(struct sl_sim *sim, struct place *at, bool folder, uint32_t mode)
{
	int err = check_room_for_name(sim, at->dir);

	if (err)
		return err;
	err = mutate(sim);
	at->node = tree_create(sim, at, folder, mode);
	touch(sim, at->node);
	touch(sim, at->dir);
	return err;
}

static int open_new(struct sl_sim *sim, struct place *at, const struct sl_io *io)
{
	int err;

	if (!(io->flags & O_CREAT))
		return -ENOENT;
	err = create(sim, at, false, io->len);
	return err ? err : open_node(sim, at->node, (int)io->flags);
}

static int open_old(struct sl_sim *sim, const struct place *at, const struct sl_io *io)
{
	int flags = (int)io->flags;
	struct node *n = at->node;
	int err = 0;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (n->folder && (flags & O_CREAT || (flags & O_ACCMODE) != O_RDONLY))
		return -EISDIR;
	if (!n->folder && (flags & O_DIRECTORY || at->must_be_folder))
		return -ENOTDIR;
	if (flags & O_TRUNC && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY)
		err = truncate_node(sim, n, 0);
	return err ? err : open_node(sim, n, flags);
}

/* Appending, direct and synchronous files are not simulated, and said so. */
static int op_openat(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	int flags = (int)io->flags;
	struct place at;
	int err;

	(void)seq;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	if (flags & (O_APPEND | O_DIRECT | O_SYNC))
		return -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	err = find(sim, io->fd, io->path, &at);
	if (err)
		return err;
	if (flags & O_CREAT && at.must_be_folder)
		return -EISDIR;
	return at.node ? open_old(sim, &at, io) : open_new(sim, &at, io);
}

/* Whether @path stays below where it starts; there are no links that could lead it out. */
static bool is_beneath(const char *path)
{
	int depth = 0;

	if (*path == '/')
		return false;
	while (*path && depth >= 0) {
		size_t n = strcspn(path, "/");

		if (n == 2 && !memcmp(path, "..", 2))
			depth--;
		else if (n && !(n == 1 && *path == '.'))
			depth++;
		path += n;
		path += strspn(path, "/");
	}
	return depth >= 0;
}

static int op_openat2(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	const struct open_how *how = io->how;
	struct sl_io plain;

	if (how->resolve & ~(uint64_t)(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS) ||
	    (how->mode && !(how->flags & O_CREAT)))
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && !is_beneath(io->path))
		return -EXDEV;
	sl_io_openat(&plain, io->fd, io->path, (int)how->flags, (int)how->mode);
	return op_openat(sim, &plain, seq);
}

static void let_go(struct sl_sim *sim, struct open_file *f)
{
	struct node *n = f->node;

	f->node = NULL;
	SL_ASSERT(n->opens > 0);
	n->opens--;
	node_leave(sim, n);
	node_put(n);
}

void sim_files_drop(struct sl_sim *sim)
{
	for (uint32_t i = 0; i < sim->files_n; i++)
		if (sim->files[i].node)
			let_go(sim, &sim->files[i]);
	sim->fd_base += (int)sim->files_n;
	sim->files_n = 0;
}

static int op_close(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct open_file *f = sim_file(sim, io->fd);

	(void)seq;
	if (!f)
		return -EBADF;
	let_go(sim, f);
	return 0;
}

/* ---- contents --------------------------------------------------------------------------- */

static int read_one(const struct content *c, void *buf, uint64_t len, uint64_t off)
{
	if (off > INT64_MAX)
		return -EINVAL;
	if (off >= c->cache_size)
		return 0;
	len = sl_min(len, c->cache_size - off);
	len = sl_min(len, (uint64_t)INT32_MAX);
	pages_read(&c->cache, off, buf, len);
	return (int)len;
}

static int op_read(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct node *n;
	int err = file_of(sim, io->fd, TO_READ, &n);

	(void)seq;
	return err ? err : read_one(&n->content, io->buf, io->len, io->off);
}

static int op_readv(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	uint64_t done = 0;
	struct node *n;
	int err = file_of(sim, io->fd, TO_READ, &n);

	(void)seq;
	for (uint32_t i = 0; !err && i < io->len; i++) {
		int got = read_one(&n->content, io->iov[i].iov_base,
				   sl_min(io->iov[i].iov_len, INT32_MAX - done), io->off + done);

		if (got < 0)
			return got;
		done += (uint64_t)got;
	}
	return err ? err : (int)done;
}

static uint64_t pages_free(const struct sl_sim *sim)
{
	return sim->limit > sim->used ? sim->limit - sim->used : 0;
}

/* How many of @len bytes the disk has room for. */
static uint64_t fitting(const struct sl_sim *sim, const struct pages *p, uint64_t off, uint64_t len)
{
	uint64_t room = pages_free(sim);
	uint64_t fits = 0;

	if (sim->limit == UINT64_MAX || pages_missing(p, off, len) <= room)
		return len;
	while (fits < len) {
		uint64_t step = sl_min(len - fits, PAGE_BYTES - (off + fits) % PAGE_BYTES);
		uint64_t missing = pages_missing(p, off + fits, step);

		if (missing > room)
			break;
		room -= missing;
		fits += step;
	}
	return fits;
}

static int write_one(struct sl_sim *sim, struct node *n, const void *data, uint64_t len,
		     uint64_t off)
{
	struct content *c = &n->content;
	uint64_t used = c->used;
	int err;

	if (off > INT64_MAX)
		return -EINVAL;
	len = sl_min(len, (uint64_t)INT32_MAX);
	if (len > FILE_BYTES_MAX || off > FILE_BYTES_MAX - len)
		return -EFBIG;
	if (!len)
		return 0;
	len = fitting(sim, &c->cache, off, len);
	if (!len)
		return -ENOSPC;
	err = mutate(sim);
	content_write(c, sim_seq(sim), off, data, len);
	sim->used += c->used - used;
	touch(sim, n);
	return err ? err : (int)len;
}

static int op_write(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct node *n;
	int err = file_of(sim, io->fd, TO_WRITE, &n);

	(void)seq;
	return err ? err : write_one(sim, n, io->data, io->len, io->off);
}

/* One write, as Linux promises: one change that is torn as a whole. */
static int op_writev(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	uint64_t total = 0, at = 0;
	uint8_t *all;
	struct node *n;
	int res = file_of(sim, io->fd, TO_WRITE, &n);

	(void)seq;
	if (res)
		return res;
	for (uint32_t i = 0; i < io->len; i++)
		total += io->iov[i].iov_len;
	if (total > INT32_MAX)
		return -EINVAL;
	all = sim_alloc(total);
	for (uint32_t i = 0; i < io->len; i++) {
		if (io->iov[i].iov_len)
			memcpy(all + at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
	res = write_one(sim, n, all, total, io->off);
	free(all);
	return res;
}

static int punch(struct sl_sim *sim, struct node *n, uint64_t off, uint64_t len)
{
	uint64_t used = n->content.used;
	int err = mutate(sim);

	content_punch(&n->content, sim_seq(sim), off, len);
	sim->used -= used - n->content.used;
	touch(sim, n);
	return err;
}

static int reserve(struct sl_sim *sim, struct node *n, uint64_t off, uint64_t len, bool keep_size)
{
	struct content *c = &n->content;
	uint64_t missing = pages_missing(&c->cache, off, len);
	uint64_t size = keep_size ? c->cache_size : sl_max(c->cache_size, off + len);
	int err;

	if (missing > pages_free(sim))
		return -ENOSPC;
	err = mutate(sim);
	content_reserve(c, sim_seq(sim), off, len, size);
	sim->used += missing;
	touch(sim, n);
	return err;
}

static int op_fallocate(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct node *n;
	int err = file_of(sim, io->fd, TO_WRITE, &n);

	(void)seq;
	if (err)
		return err;
	if (!io->len || io->off > INT64_MAX)
		return -EINVAL;
	if (io->off > FILE_BYTES_MAX - io->len)
		return -EFBIG;
	switch (io->flags) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
		return reserve(sim, n, io->off, io->len, io->flags != 0);
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		return punch(sim, n, io->off, io->len);
	default:
		return -EOPNOTSUPP;
	}
}

static int op_ftruncate(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct node *n;
	int err = file_of(sim, io->fd, TO_WRITE, &n);

	(void)seq;
	if (err)
		return sim_file(sim, io->fd) ? -EINVAL : -EBADF;
	if (io->off > INT64_MAX)
		return -EINVAL;
	if (io->off > FILE_BYTES_MAX)
		return -EFBIG;
	return truncate_node(sim, n, io->off);
}

static int op_fadvise(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	(void)seq;
	return sim_file(sim, io->fd) ? 0 : -EBADF;
}

/* ---- syncing ---------------------------------------------------------------------------- */

/* Whether this FSYNC is the one that shall fail. */
static bool sync_fails(struct sl_sim *sim, int point)
{
	if (!sim->fail_nth || (sim->fail_point >= 0 && sim->fail_point != point))
		return false;
	return --sim->fail_nth == 0;
}

static int op_fsync(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct open_file *f = sim_file(sim, io->fd);
	bool fails;
	int err;

	SL_ASSERT(io->fault < SL_FAULT_LAST);
	if (!f || f->flags & O_PATH)
		return -EBADF;
	sim->syncs[io->fault]++;
	err = mutate(sim);
	if (err)
		return err; /* what it would have written is pending anyway */
	if (sim->skipped >> io->fault & 1)
		return 0;
	fails = sync_fails(sim, io->fault);
	if (f->node->folder)
		tree_sync(sim, f->node, seq, fails);
	else
		content_sync(&f->node->content, seq, fails);
	return fails ? -EIO : 0;
}

/* ---- names ------------------------------------------------------------------------------ */

static int op_mkdirat(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct place at;
	int err = find(sim, io->fd, io->path, &at);

	(void)seq;
	if (err)
		return err;
	return at.node ? -EEXIST : create(sim, &at, true, io->len);
}

static int op_unlinkat(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	bool folder = io->flags & AT_REMOVEDIR;
	struct place at;
	int err = find_old(sim, io->fd, io->path, &at);

	(void)seq;
	if (err)
		return err;
	if (is_dots(&at) && folder)
		return at.name[1] ? -ENOTEMPTY : -EINVAL;
	if (at.node->folder != folder)
		return folder ? -ENOTDIR : -EISDIR;
	if (at.node->cache.n)
		return -ENOTEMPTY;
	err = mutate(sim);
	tree_remove(sim, &at);
	touch(sim, at.dir);
	return err;
}

static int check_rename(struct sl_sim *sim, const struct place *from, const struct place *to)
{
	if (is_dots(from) || is_dots(to))
		return -EBUSY;
	if (!from->node)
		return -ENOENT;
	if (to->dir != sim->root && !to->dir->names)
		return -ENOENT;
	if (!from->node->folder && (from->must_be_folder || to->must_be_folder))
		return -ENOTDIR;
	if (from->node->folder && tree_is_within(to->dir, from->node))
		return -EINVAL;
	if (to->node && tree_is_within(from->dir, to->node))
		return -ENOTEMPTY;
	if (!to->node || to->node == from->node)
		return 0;
	if (to->node->folder != from->node->folder)
		return to->node->folder ? -EISDIR : -ENOTDIR;
	return to->node->cache.n ? -ENOTEMPTY : 0;
}

static int op_renameat(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct place from, to;
	int err = find(sim, io->fd, io->path, &from);

	(void)seq;
	if (!err)
		err = find(sim, io->fd2, io->path2, &to);
	if (!err)
		err = check_rename(sim, &from, &to);
	if (err || from.node == to.node)
		return err;
	err = mutate(sim);
	tree_rename(sim, &from, &to);
	touch(sim, from.dir);
	touch(sim, to.dir);
	return err;
}

/* ---- looking ---------------------------------------------------------------------------- */

static struct statx_timestamp timestamp(int64_t ns)
{
	return (struct statx_timestamp){.tv_sec = ns / SL_SEC, .tv_nsec = (uint32_t)(ns % SL_SEC)};
}

static void describe(const struct node *n, struct statx *ret_stx)
{
	struct statx_timestamp t = timestamp(n->changed_ns);

	*ret_stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = PAGE_BYTES,
		.stx_nlink = n->folder ? n->names * 2 : n->names,
		.stx_mode = (uint16_t)n->mode,
		.stx_ino = n->ino,
		.stx_size = n->folder ? PAGE_BYTES : n->content.cache_size,
		.stx_blocks = n->content.used * (PAGE_BYTES / 512),
		.stx_atime = t,
		.stx_ctime = t,
		.stx_mtime = t,
		.stx_dev_minor = 1,
	};
}

static int op_statx(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct place at;
	int err;

	(void)seq;
	if (!*io->path) {
		const struct open_file *f = sim_file(sim, io->fd);

		if (!(io->flags & AT_EMPTY_PATH))
			return -ENOENT;
		if (!f && io->fd != AT_FDCWD)
			return -EBADF;
		describe(f ? f->node : sim->root, io->stx);
		return 0;
	}
	err = find_old(sim, io->fd, io->path, &at);
	if (err)
		return err;
	describe(at.node, io->stx);
	return 0;
}

/* The simulated machine has memory for everything. */
static int op_cachestat(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct node *n;
	int err = file_of(sim, io->fd, TO_READ, &n);
	uint64_t end;

	(void)seq;
	if (err)
		return err;
	end = sl_min(n->content.cache_size, io->off + io->len);
	*io->cachestat = (struct sl_cachestat){0};
	if (end > io->off)
		io->cachestat->cached = (sl_round_up(end, PAGE_BYTES) - io->off) / PAGE_BYTES;
	return 0;
}

static int op_statfs(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct statfs *fs = io->buf;

	(void)seq;
	if (!sim_file(sim, io->fd))
		return -EBADF;
	*fs = (struct statfs){.f_bsize = PAGE_BYTES};
	fs->f_blocks = sim->limit == UINT64_MAX ? UNLIMITED_PAGES : sim->limit;
	fs->f_bfree = fs->f_blocks - sl_min(sim->used, (uint64_t)fs->f_blocks);
	fs->f_bavail = fs->f_bfree;
	return 0;
}

/* Adds one record to @buf of @len bytes. Return: its length, or 0 if it does not fit. */
static size_t put_dirent(uint8_t *buf, size_t len, const struct node *n, const char *name,
			 uint64_t cookie)
{
	size_t name_bytes = strlen(name) + 1;
	size_t bytes = sl_round_up(offsetof(struct dirent64, d_name) + name_bytes, 8);
	struct dirent64 d = {
		.d_ino = n->ino,
		.d_off = (int64_t)cookie,
		.d_reclen = (uint16_t)bytes,
		.d_type = n->folder ? DT_DIR : DT_REG,
	};

	if (bytes > len)
		return 0;
	memset(buf, 0, bytes);
	memcpy(buf, &d, offsetof(struct dirent64, d_name));
	memcpy(buf + offsetof(struct dirent64, d_name), name, name_bytes);
	return bytes;
}

/* The first entry of @dir whose cookie is above @cookie: NULL at the end. */
static const struct entry *entry_behind(struct sl_sim *sim, const struct node *dir, uint64_t cookie,
					struct entry *dots)
{
	if (cookie < 2) {
		struct node *up = dir == sim->root || !dir->parent ? (struct node *)dir :
								     dir->parent;

		*dots = cookie ? (struct entry){"..", up, 0, 2} :
				 (struct entry){".", (struct node *)dir, 0, 1};
		return dots;
	}
	for (uint32_t i = 0; i < dir->cache.n; i++)
		if (dir->cache.v[i].cookie > cookie)
			return &dir->cache.v[i];
	return NULL;
}

static int op_getdents(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	struct open_file *f = sim_file(sim, io->fd);
	const struct entry *e;
	struct entry dots;
	size_t done = 0;

	(void)seq;
	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (!f->node->folder)
		return -ENOTDIR;
	while ((e = entry_behind(sim, f->node, f->cookie, &dots))) {
		size_t n = put_dirent((uint8_t *)io->buf + done, io->len - done, e->node, e->name,
				      e->cookie);

		if (!n)
			return done ? (int)done : -EINVAL;
		done += n;
		f->cookie = e->cookie;
	}
	return (int)done;
}

/* ---- the table -------------------------------------------------------------------------- */

typedef int op_fn(struct sl_sim *sim, const struct sl_io *io, uint64_t seq);

static op_fn *const ops[] = {
	[SL_OP_OPENAT] = op_openat,
	[SL_OP_OPENAT2] = op_openat2,
	[SL_OP_CLOSE] = op_close,
	[SL_OP_READ] = op_read,
	[SL_OP_READV] = op_readv,
	[SL_OP_READ_FIXED] = op_read,
	[SL_OP_WRITE] = op_write,
	[SL_OP_WRITEV] = op_writev,
	[SL_OP_FSYNC] = op_fsync,
	[SL_OP_FALLOCATE] = op_fallocate,
	[SL_OP_FTRUNCATE] = op_ftruncate,
	[SL_OP_FADVISE] = op_fadvise,
	[SL_OP_CACHESTAT] = op_cachestat,
	[SL_OP_STATX] = op_statx,
	[SL_OP_STATFS] = op_statfs,
	[SL_OP_GETDENTS] = op_getdents,
	[SL_OP_MKDIRAT] = op_mkdirat,
	[SL_OP_UNLINKAT] = op_unlinkat,
	[SL_OP_RENAMEAT] = op_renameat,
};

_Static_assert(SL_ARRAY_SIZE(ops) == SL_OP_RENAMEAT + 1, "one row for each operation on files");

int sim_perform(struct sl_sim *sim, const struct sl_io *io, uint64_t seq)
{
	SL_ASSERT(io->op < SL_ARRAY_SIZE(ops) && ops[io->op]);
	if (sim->dead && io->op != SL_OP_CLOSE)
		return -EIO;
	return ops[io->op](sim, io, seq);
}
