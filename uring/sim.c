/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk: its backend, and its settings.
 *
 * Interface: sim.h but for what sim_crash.c has. Invariants: everything behind the backend happens
 * under the disk's lock, so operations of several threads have one order; an operation that is
 * held back counts as in flight to its caller.
 *
 * Order of parts: memory and numbers; life; whose operation it is; now; start; settings; the tree
 * in words.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sim_pvt.h"

/* ---- memory and numbers ------------------------------------------------------------------- */

void *sim_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	SL_ASSERT(p);
	return p;
}

uint64_t sim_random(struct sl_sim *sim)
{
	sim->rng += UINT64_C(0x9e3779b97f4a7c15);
	return sl_mix64(sim->rng);
}

uint64_t sim_seq(struct sl_sim *sim)
{
	return ++sim->seq;
}

void sim_lock(struct sl_sim *sim)
{
	int err = pthread_mutex_lock(&sim->lock);

	SL_ASSERT(!err);
}

void sim_unlock(struct sl_sim *sim)
{
	int err = pthread_mutex_unlock(&sim->lock);

	SL_ASSERT(!err);
}

struct open_file *sim_file(struct sl_sim *sim, int fd)
{
	int64_t i = (int64_t)fd - sim->fd_base;

	return i >= 0 && i < sim->files_n && sim->files[i].node ? &sim->files[i] : NULL;
}

/* ---- whose operation it is ---------------------------------------------------------------- */

enum owner { INNER, OURS, FROM_OURS, NOBODY };

static bool is_ours(int fd)
{
	return fd >= SL_SIM_FD_BASE;
}

static bool path_is_ours(int dir, const char *path)
{
	return *path == '/' || dir == AT_FDCWD || is_ours(dir);
}

/* OURS; FROM_OURS: a SENDFILE of a simulated file; NOBODY: it joins what cannot be joined. */
static enum owner owner_of(const struct sl_io *io)
{
	if (io->options & SL_IO_FIXED_FILE)
		return INNER; /* a slot of the kernel's table */
	switch (io->op) {
	case SL_OP_OPENAT:
	case SL_OP_OPENAT2:
	case SL_OP_STATX:
	case SL_OP_MKDIRAT:
	case SL_OP_UNLINKAT:
		return path_is_ours(io->fd, io->path) ? OURS : INNER;
	case SL_OP_RENAMEAT:
		if (path_is_ours(io->fd, io->path) != path_is_ours(io->fd2, io->path2))
			return NOBODY;
		return path_is_ours(io->fd, io->path) ? OURS : INNER;
	case SL_OP_SENDFILE:
		if (is_ours(io->fd2))
			return is_ours(io->fd) || !io->off2 ? NOBODY : FROM_OURS;
		return is_ours(io->fd) ? NOBODY : INNER;
	case SL_OP_SPLICE:
		return is_ours(io->fd) || is_ours(io->fd2) ? NOBODY : INNER;
	default:
		return io->op <= SL_OP_RENAMEAT && is_ours(io->fd) ? OURS : INNER;
	}
}

/* ---- now ---------------------------------------------------------------------------------- */

static struct sl_sim *sim_of(struct sl_backend *b)
{
	return sl_container_of(b, struct sl_sim, backend);
}

static int perform(struct sl_sim *sim, const struct sl_io *io)
{
	int res;

	sim_lock(sim);
	res = sim_perform(sim, io, UINT64_MAX);
	sim_unlock(sim);
	return res;
}

/* Reads a piece of the file and sends it by the inner backend, which knows the socket. */
static int send_file(struct sl_sim *sim, const struct sl_io *io)
{
	size_t len = sl_min(io->len, (uint32_t)(64 * SL_KIB));
	void *piece = sim_alloc(len);
	struct sl_io part;
	int res;

	sl_io_read(&part, io->fd2, piece, len, (uint64_t)*io->off2);
	res = perform(sim, &part);
	if (res > 0) {
		sl_io_send(&part, io->fd, piece, (size_t)res, MSG_NOSIGNAL);
		res = sim->inner->now(sim->inner, &part);
	}
	if (res > 0)
		*io->off2 += res;
	free(piece);
	return res;
}

static int sim_now(struct sl_backend *b, struct sl_io *io)
{
	struct sl_sim *sim = sim_of(b);

	switch (owner_of(io)) {
	case INNER:
		return sim->inner->now(sim->inner, io);
	case OURS:
		return io->res = perform(sim, io);
	case FROM_OURS:
		return io->res = send_file(sim, io);
	case NOBODY:
		break;
	}
	return io->res = io->op == SL_OP_RENAMEAT ? -EXDEV : -EINVAL;
}

/* ---- start -------------------------------------------------------------------------------- */

/**
 * struct held - an operation that takes effect some turns later.
 * @proxy: goes round with the ring until @turns is 0.
 * @copy: the operation as it was begun. @seq: last change at that time.
 */
struct held {
	struct sl_io proxy;
	struct sl_io copy;
	struct sl_io *io;
	struct sl_sim *sim;
	struct sl_ring *ring;
	uint64_t seq;
	uint64_t boots;
	uint32_t turns;
};

static void held_done(struct sl_io *proxy)
{
	struct held *h = sl_container_of(proxy, struct held, proxy);
	struct sl_io *io = h->io;

	if (h->turns) {
		h->turns--;
		sl_ring_complete(h->ring, proxy);
		return;
	}
	sim_lock(h->sim);
	h->sim->held--;
	io->res = h->boots == h->sim->boots ? sim_perform(h->sim, &h->copy, h->seq) : -EIO;
	sim_unlock(h->sim);
	io->inflight = false; /* sl_ring_complete() marks it again */
	sl_ring_complete(h->ring, io);
	free(h);
}

/* Whether operations are to be held back; if so, draws for how long and counts one. */
static bool draw_delay(struct sl_sim *sim, struct held *h)
{
	bool delays;

	sim_lock(sim);
	delays = sim->turns_max > 0;
	if (delays) {
		h->seq = sim->seq;
		h->boots = sim->boots;
		h->turns = (uint32_t)(sim_random(sim) % ((uint64_t)sim->turns_max + 1));
		sim->held++;
	}
	sim_unlock(sim);
	return delays;
}

static void hold(struct sl_ring *ring, struct sl_io *io, const struct held *how)
{
	struct held *h = sim_alloc(sizeof(*h));

	SL_ASSERT(!io->inflight);
	*h = *how;
	io->inflight = true;
	sl_io_init(&h->proxy, SL_OP_CLOCK, -1);
	h->proxy.done = held_done;
	sl_ring_complete(ring, &h->proxy);
}

static int sim_start(struct sl_backend *b, struct sl_ring *ring, struct sl_io *io)
{
	struct sl_sim *sim = sim_of(b);
	enum owner owner = owner_of(io);
	struct held h = {.copy = *io, .io = io, .sim = sim, .ring = ring};

	if (owner == INNER)
		return sim->inner->start(sim->inner, ring, io);
	if (owner == OURS && draw_delay(sim, &h)) {
		hold(ring, io, &h);
		return 0;
	}
	sim_now(b, io);
	sl_ring_complete(ring, io);
	return 0;
}

/* ---- life --------------------------------------------------------------------------------- */

struct sl_sim *sl_sim_new(uint64_t seed, struct sl_backend *inner)
{
	struct sl_sim *sim = sim_alloc(sizeof(*sim));
	int err;

	sim->backend = (struct sl_backend){"sim", sim_now, sim_start};
	sim->inner = inner ? inner : sl_backend_kernel();
	err = pthread_mutex_init(&sim->lock, NULL);
	SL_ASSERT(!err);
	sl_list_init(&sim->nodes);
	sl_list_init(&sim->dir_changes);
	sim->fd_base = SL_SIM_FD_BASE;
	sim->seed = sim->rng = seed;
	sim->limit = UINT64_MAX;
	sim->fail_point = -1;
	sim->root = node_new(sim, true, 0755);
	sim->root->names = 1;
	return sim;
}

void sl_sim_free(struct sl_sim *sim)
{
	struct dir_change *dc;

	if (!sim)
		return;
	SL_ASSERT(!sim->held);
	sim_files_drop(sim);
	while ((dc = sl_list_first(&sim->dir_changes, struct dir_change, node)))
		dir_change_free(dc);
	tree_forget(sim, true);
	node_put(sim->root);
	SL_ASSERT(sl_list_empty(&sim->nodes));
	free(sim->files);
	pthread_mutex_destroy(&sim->lock);
	free(sim);
}

struct sl_backend *sl_sim_backend(struct sl_sim *sim)
{
	return &sim->backend;
}

/* ---- settings ----------------------------------------------------------------------------- */

void sl_sim_seed(struct sl_sim *sim, uint64_t seed)
{
	sim_lock(sim);
	sim->rng = seed;
	sim_unlock(sim);
}

void sl_sim_delay(struct sl_sim *sim, uint32_t turns_max)
{
	sim_lock(sim);
	sim->turns_max = turns_max;
	sim_unlock(sim);
}

uint64_t sl_sim_ops(struct sl_sim *sim)
{
	uint64_t n;

	sim_lock(sim);
	n = sim->ops;
	sim_unlock(sim);
	return n;
}

void sl_sim_cut_after(struct sl_sim *sim, uint64_t n)
{
	sim_lock(sim);
	sim->cut_at = n < UINT64_MAX - sim->ops ? sim->ops + n + 1 : 0;
	sim_unlock(sim);
}

void sl_sim_cut(struct sl_sim *sim)
{
	sim_lock(sim);
	sim->dead = true;
	sim_unlock(sim);
}

bool sl_sim_is_cut(struct sl_sim *sim)
{
	bool dead;

	sim_lock(sim);
	dead = sim->dead;
	sim_unlock(sim);
	return dead;
}

void sl_sim_skip_sync(struct sl_sim *sim, enum sl_fault point)
{
	SL_ASSERT(point < SL_FAULT_LAST);
	sim_lock(sim);
	sim->skipped |= UINT64_C(1) << point;
	sim_unlock(sim);
}

uint64_t sl_sim_syncs(struct sl_sim *sim, enum sl_fault point)
{
	uint64_t n;

	SL_ASSERT(point < SL_FAULT_LAST);
	sim_lock(sim);
	n = sim->syncs[point];
	sim_unlock(sim);
	return n;
}

static void fail_sync(struct sl_sim *sim, int point, uint64_t nth)
{
	sim_lock(sim);
	sim->fail_point = point;
	sim->fail_nth = nth;
	sim_unlock(sim);
}

void sl_sim_fail_sync(struct sl_sim *sim, uint64_t nth)
{
	fail_sync(sim, -1, nth);
}

void sl_sim_fail_sync_at(struct sl_sim *sim, enum sl_fault point, uint64_t nth)
{
	SL_ASSERT(point < SL_FAULT_LAST);
	fail_sync(sim, (int)point, nth);
}

static int flip(struct sl_sim *sim, const char *path, uint64_t offset, uint8_t mask)
{
	struct place at;
	uint64_t used;
	int err = tree_find(sim, sim->root, path, &at);

	if (err)
		return err;
	if (!at.node)
		return -ENOENT;
	if (at.node->folder)
		return -EISDIR;
	if (offset >= at.node->content.cache_size)
		return -ERANGE;
	used = at.node->content.used;
	content_flip(&at.node->content, offset, mask);
	sim->used += at.node->content.used - used;
	return 0;
}

int sl_sim_flip(struct sl_sim *sim, const char *path, uint64_t offset, int bit)
{
	int err;

	SL_ASSERT(bit >= 0 && bit < 8);
	sim_lock(sim);
	err = flip(sim, path, offset, (uint8_t)(1 << bit));
	sim_unlock(sim);
	return err;
}

void sl_sim_limit(struct sl_sim *sim, uint64_t bytes)
{
	sim_lock(sim);
	sim->limit = bytes ? bytes / PAGE_BYTES : UINT64_MAX;
	sim_unlock(sim);
}

uint64_t sl_sim_used(struct sl_sim *sim)
{
	uint64_t used;

	sim_lock(sim);
	used = sim->used * PAGE_BYTES;
	sim_unlock(sim);
	return used;
}

/* ---- the tree in words -------------------------------------------------------------------- */

static uint32_t list_length(const struct sl_list *head)
{
	uint32_t n = 0;

	sl_list_each(i, head)
		n++;
	return n;
}

static void dump_file(const struct node *n, FILE *out)
{
	const struct content *c = &n->content;
	uint32_t pending = list_length(&c->changes);

	fprintf(out, " %llu bytes", (unsigned long long)c->cache_size);
	if (c->disk_size != c->cache_size)
		fprintf(out, ", %llu on disk", (unsigned long long)c->disk_size);
	if (pending)
		fprintf(out, ", %u changes pending", pending);
}

static void dump_folder(const struct node *dir, int depth, FILE *out)
{
	for (uint32_t i = 0; i < dir->cache.n; i++) {
		const struct entry *e = &dir->cache.v[i];

		fprintf(out, "%*s%s%s", depth * 2, "", e->name, e->node->folder ? "/" : "");
		if (!e->node->folder)
			dump_file(e->node, out);
		if (entries_find(&dir->disk, e->name) != e->node)
			fprintf(out, " (name not on disk)");
		fprintf(out, "\n");
		if (e->node->folder)
			dump_folder(e->node, depth + 1, out);
	}
	for (uint32_t i = 0; i < dir->disk.n; i++)
		if (!entries_find(&dir->cache, dir->disk.v[i].name))
			fprintf(out, "%*s%s (gone, but on disk)\n", depth * 2, "",
				dir->disk.v[i].name);
}

void sl_sim_dump(struct sl_sim *sim, FILE *out)
{
	sim_lock(sim);
	fprintf(out, "/ after %llu operations, %s, %u changes of folders pending\n",
		(unsigned long long)sim->ops, sim->dead ? "power cut" : "power on",
		list_length(&sim->dir_changes));
	dump_folder(sim->root, 1, out);
	sim_unlock(sim);
}
