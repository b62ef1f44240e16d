/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of a folder, found by their paths.
 *
 * Interface: static.h. Each core has a table of its own, so that nothing is shared and a hot file
 * costs a look-up by hash. A file is looked at again by opening its path anew and comparing what
 * was found: the ring does that without a worker while the kernel has the names at hand, which
 * cannot be said of asking for a path's status. The list is in the order of coming; what was asked
 * for since it was last passed over stays once more when room is needed ("second chance"), so that
 * a hit moves nothing. Where the process or the system runs out of descriptors, some of those that
 * are kept make room for the file that is asked for, or for a connection.
 *
 * Invariants: a path has at most one file in a core's table; the table holds one reference to each,
 * and the file is closed with the last of all. What is found must be found again after parking.
 *
 * Order of parts: entries; the table; time; looking at the disk; the calls.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "static.h"

/* ---- entries ---------------------------------------------------------------------------- */

/*
 * A small file that is asked for again and again is mapped, so that what is sent of it need not be
 * read first. Not one that is asked for once: that would cost more than the reading.
 */
enum { MAP_AFTER = 16, MAP_BYTES_MAX = 64 << 10 };

struct table;

/* @used: asked for since it was last passed over. @asked: how often, up to MAP_AFTER. */
struct entry {
	struct sl_file file;
	struct table *t;
	struct sl_list node; /* table->files */
	struct entry *next;  /* of the same bucket */
	uint64_t hash;
	int64_t checked_at, used_at;
	struct statx stx;
	bool used;
	uint8_t asked;
	_Alignas(max_align_t) uint8_t note[SL_STATIC_NOTE_BYTES];
	char path[];
};

static void unmap(struct entry *e);

static void gone(struct sl_file *file)
{
	struct entry *e = sl_container_of(file, struct entry, file);

	unmap(e);
	sl_close(file->fd);
	free(e);
}

/* Takes @fd over if it succeeds. */
static int entry_new(struct table *t, int fd, const struct statx *stx, const char *path,
		     uint64_t hash, struct entry **ret_entry)
{
	size_t n = strlen(path) + 1;
	struct entry *e = malloc(sizeof(*e) + n);

	if (!e)
		return -ENOMEM;
	e->t = t;
	e->hash = hash;
	e->stx = *stx;
	e->used = false;
	e->asked = 0;
	memset(e->note, 0, sizeof(e->note));
	memcpy(e->path, path, n);
	sl_list_init(&e->node);
	if (sl_file_init(&e->file, fd, gone)) {
		free(e);
		return -ENOMEM;
	}
	*ret_entry = e;
	return 0;
}

/* Whether @e's file is the one that @stx tells of, unchanged. */
static bool is_same(const struct entry *e, const struct statx *stx)
{
	const struct statx *s = &e->stx;

	return s->stx_ino == stx->stx_ino && s->stx_dev_major == stx->stx_dev_major &&
	       s->stx_dev_minor == stx->stx_dev_minor && s->stx_size == stx->stx_size &&
	       !memcmp(&s->stx_mtime, &stx->stx_mtime, sizeof(s->stx_mtime)) &&
	       !memcmp(&s->stx_ctime, &stx->stx_ctime, sizeof(s->stx_ctime));
}

/* ---- the table -------------------------------------------------------------------------- */

/*
 * One core's. @maps: of files, those in use included. @stopped: takes no more, though a fiber may
 * still be looking.
 */
struct table {
	_Alignas(64) struct sl_static *st;
	struct entry **buckets;
	struct sl_list files; /* by their coming */
	uint32_t n, maps;
	bool stopped;
	struct sl_timer sweep;
	struct sl_shedder shedder;
};

/* Of a process, all cores together: a quarter of what the kernel allows by default. */
enum { MAPS_MAX = 16384 };

struct sl_static {
	struct sl_static_conf conf;
	uint64_t seed, mask;
	uint32_t maps_max; /* of each table */
	struct table tables[];
};

static struct entry **bucket_of(const struct table *t, uint64_t hash)
{
	return &t->buckets[hash & t->st->mask];
}

static struct entry *find(const struct table *t, const char *path, uint64_t hash)
{
	struct entry *e = *bucket_of(t, hash);

	while (e && (e->hash != hash || strcmp(e->path, path)))
		e = e->next;
	return e;
}

/* What fails is read instead, as ever. */
static void map(struct entry *e)
{
	size_t bytes = (size_t)e->stx.stx_size;
	void *p;

	if (!bytes || bytes > MAP_BYTES_MAX || e->t->maps >= e->t->st->maps_max)
		return;
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, e->file.fd, 0);
	if (p == MAP_FAILED)
		return;
	e->t->maps++;
	e->file.image_bytes = bytes;
	e->file.image = p;
}

static void unmap(struct entry *e)
{
	if (!e->file.image)
		return;
	munmap((void *)e->file.image, e->file.image_bytes);
	e->t->maps--;
}

static void count_files(int64_t n)
{
	sl_count(SL_M_STATIC_FILES, (uint64_t)n);
}

static void drop(struct table *t, struct entry *e)
{
	struct entry **at = bucket_of(t, e->hash);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	sl_list_remove(&e->node);
	SL_ASSERT(t->n > 0);
	t->n--;
	count_files(-1);
	sl_file_release(&e->file);
}

static void pass_over(struct table *t, struct entry *e)
{
	e->used = false;
	sl_list_remove(&e->node);
	sl_list_append(&t->files, &e->node);
}

static void make_room(struct table *t)
{
	while (t->n >= t->st->conf.files_max) {
		struct entry *e = sl_list_first(&t->files, struct entry, node);

		if (e->used)
			pass_over(t, e);
		else
			drop(t, e);
	}
}

/* Whether dropping it gives its descriptor back: nobody else holds it. */
static bool is_idle(const struct entry *e)
{
	return e->file.refs == 1 && !e->file.granted;
}

/* What of the kept files is closed at once where descriptors ran out: one in so many. */
enum { SHED_SHARE = 8 };

/*
 * Closes the oldest files, some at a time, so that not each new file has to be refused first.
 * Return: whether any was.
 */
static bool shed(struct sl_shedder *shedder)
{
	struct table *t = sl_container_of(shedder, struct table, shedder);
	uint32_t want = sl_max(t->n / SHED_SHARE, 1u), shed_n = 0;

	/* The second time around none is in use any more. */
	for (uint32_t left = 2 * t->n; left && shed_n < want; left--) {
		struct entry *e = sl_list_first(&t->files, struct entry, node);

		if (e->used || !is_idle(e)) {
			pass_over(t, e);
			continue;
		}
		drop(t, e);
		shed_n++;
	}
	sl_count(SL_M_STATIC_SHED, shed_n);
	return shed_n;
}

/* ---- time ------------------------------------------------------------------------------- */

static int set_sweep(struct table *t)
{
	return sl_timer_set(&t->sweep, sl_now() + t->st->conf.idle_ns / 4);
}

/* Files that nobody asks for are closed: a deleted one keeps its space until then. */
static void sweep(struct sl_timer *timer)
{
	struct table *t = sl_container_of(timer, struct table, sweep);
	int64_t oldest = sl_now() - t->st->conf.idle_ns;

	sl_list_each_safe(n, &t->files) {
		struct entry *e = sl_list_entry(n, struct entry, node);

		if (e->used_at <= oldest)
			drop(t, e);
	}
	/* If that fails, the next new file sets it. */
	if (t->n)
		set_sweep(t);
}

static int add(struct table *t, struct entry *e)
{
	struct entry **bucket = bucket_of(t, e->hash);

	if (t->stopped)
		return -ECANCELED;
	if (!t->sweep.slot && set_sweep(t))
		return -ENOMEM;
	if (sl_list_empty(&t->shedder.node))
		sl_shedder_add(&t->shedder);
	make_room(t);
	e->next = *bucket;
	*bucket = e;
	sl_list_append(&t->files, &e->node);
	t->n++;
	count_files(1);
	return 0;
}

/* ---- looking at the disk ---------------------------------------------------------------- */

static int open_regular(const struct sl_static *st, const char *path, struct statx *ret_stx,
			int64_t deadline)
{
	int fd = sl_open_beneath(st->conf.dir, path, deadline);
	int err;

	sl_count(SL_M_STATIC_OPENS, 1);
	if (fd < 0)
		return fd == -ENXIO ? -EACCES : fd; /* a socket */
	err = sl_stat_now(fd, "", ret_stx);
	if (!err && S_ISDIR(ret_stx->stx_mode))
		err = -EISDIR;
	else if (!err && !S_ISREG(ret_stx->stx_mode))
		err = -EACCES;
	if (err) {
		sl_close(fd);
		return err;
	}
	return fd;
}

/* What says nothing about the path. */
static bool is_shortage(int err)
{
	return sl_no_descriptor(err) || err == -ENOMEM || err == -ETIME;
}

/* The same, at the cost of what is kept, unless the path's own file is among it. */
static int open_at_any_rate(struct table *t, const char *path, uint64_t hash,
			    struct statx *ret_stx, int64_t deadline)
{
	int fd = open_regular(t->st, path, ret_stx, deadline);

	while (sl_no_descriptor(fd) && !find(t, path, hash) && sl_descriptors_shed())
		fd = open_regular(t->st, path, ret_stx, deadline);
	return fd;
}

/* The table's entry for @path, after a look at the disk. */
static int look(struct table *t, const char *path, uint64_t hash, struct entry **ret_entry,
		int64_t deadline)
{
	int64_t now = sl_now();
	struct entry *old = find(t, path, hash), *e;
	struct statx stx;
	int fd, err;

	/* Who asks meanwhile goes on with what there is. */
	if (old)
		old->checked_at = now;
	fd = open_at_any_rate(t, path, hash, &stx, deadline);
	old = find(t, path, hash);
	if (old && ((fd >= 0 && is_same(old, &stx)) || is_shortage(fd))) {
		sl_close(fd);
		*ret_entry = old;
		return 0;
	}
	if (old)
		drop(t, old);
	if (fd < 0)
		return fd;
	err = entry_new(t, fd, &stx, path, hash, &e);
	if (err) {
		sl_close(fd);
		return err;
	}
	e->checked_at = now;
	err = add(t, e);
	if (err) {
		sl_file_release(&e->file);
		return err;
	}
	*ret_entry = e;
	return 0;
}

/* ---- the calls -------------------------------------------------------------------------- */

static struct table *table_here(struct sl_static *st)
{
	uint32_t core = sl_core_id(sl_core_self());

	SL_ASSERT(core < st->conf.cores);
	return &st->tables[core];
}

int sl_static_find(struct sl_static *st, const char *path, struct sl_static_file *ret_file,
		   int64_t deadline)
{
	struct table *t = table_here(st);
	uint64_t hash = XXH3_64bits_withSeed(path, strlen(path), st->seed);
	struct entry *e = find(t, path, hash);
	int err;

	if (!e || sl_now() - e->checked_at >= st->conf.check_ns) {
		err = look(t, path, hash, &e, deadline);
		if (err)
			return err;
	}
	e->used = true;
	e->used_at = sl_now();
	if (e->asked < MAP_AFTER && ++e->asked == MAP_AFTER)
		map(e);
	sl_file_retain(&e->file);
	*ret_file = (struct sl_static_file){
		.file = &e->file,
		.bytes = e->stx.stx_size,
		.changed_s = e->stx.stx_mtime.tv_sec,
		.changed_ns = e->stx.stx_mtime.tv_nsec,
		.note = e->note,
	};
	return 0;
}

static int table_init(struct table *t, struct sl_static *st)
{
	t->st = st;
	t->n = t->maps = 0;
	t->stopped = false;
	t->buckets = calloc(st->mask + 1, sizeof(struct entry *));
	sl_list_init(&t->files);
	sl_timer_init(&t->sweep, sweep);
	sl_list_init(&t->shedder.node);
	t->shedder.shed = shed;
	return t->buckets ? 0 : -ENOMEM;
}

int sl_static_new(const struct sl_static_conf *conf, struct sl_static **ret_static)
{
	struct sl_static *st;
	int err = 0;

	SL_ASSERT(conf->cores > 0 && conf->files_max > 0 && conf->idle_ns > 0);
	st = aligned_alloc(_Alignof(struct table), sizeof(*st) + conf->cores * sizeof(*st->tables));
	if (!st)
		return -ENOMEM;
	st->conf = *conf;
	sl_random(&st->seed, sizeof(st->seed));
	st->maps_max = sl_max(MAPS_MAX / conf->cores, 1u);
	for (st->mask = 15; st->mask < conf->files_max - 1;)
		st->mask = st->mask << 1 | 1;
	for (uint32_t i = 0; i < conf->cores; i++)
		err |= table_init(&st->tables[i], st);
	if (err) {
		sl_static_free(st);
		return -ENOMEM;
	}
	*ret_static = st;
	return 0;
}

void sl_static_stop(struct sl_static *st)
{
	struct table *t = table_here(st);

	t->stopped = true;
	sl_timer_clear(&t->sweep);
	sl_list_remove(&t->shedder.node);
	while (t->n)
		drop(t, sl_list_first(&t->files, struct entry, node));
}

void sl_static_free(struct sl_static *st)
{
	if (!st)
		return;
	for (uint32_t i = 0; i < st->conf.cores; i++) {
		SL_ASSERT(!st->tables[i].n);
		free(st->tables[i].buckets);
	}
	free(st);
}
