/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the simulated disk share: sim.c (the backend and its settings), sim_ops.c
 * (operations), sim_tree.c (folders and paths), sim_data.c (file contents), sim_crash.c (what
 * survives a power cut, clones).
 *
 * A node is a file or a folder. Its cached state is what readers see; its disk state is what is
 * surely durable; a list of changes leads from one to the other.
 */
#ifndef SIM_PVT_H
#define SIM_PVT_H

#include <pthread.h>

#include "sim.h"

#define PAGE_BYTES 4096
#define PAGES_PER_LEAF 64
#define FILE_BYTES_MAX (UINT64_C(1) << 40)
#define NAME_BYTES_MAX 255

struct sl_sim;
struct node;

/* ---- file contents (sim_data.c) --------------------------------------------------------- */

/* Shared by everyone who counts a reference; written to only by the sole owner of one. */
struct page {
	uint32_t refs; /* atomic: clones are used by other threads */
	uint8_t bytes[PAGE_BYTES];
};

struct leaf {
	struct page *pages[PAGES_PER_LEAF]; /* NULL: a hole; page_reserved: allocated zeros */
};

/* A sparse content. Bytes behind its file's size are zeros. */
struct pages {
	struct leaf **leaves;
	uint64_t n; /* leaves, some of them NULL */
};

enum change_kind { CHANGE_WRITE, CHANGE_PUNCH, CHANGE_RESERVE, CHANGE_TRUNCATE };

/**
 * struct change - a change of a file's content since its last sync.
 * @off, @len: bytes concerned; TRUNCATE: from the new size to the end of all.
 * @size: of the file after it.
 */
struct change {
	struct sl_list node;
	uint64_t seq;
	uint64_t off, len;
	uint64_t size;
	enum change_kind kind;
	uint8_t data[]; /* WRITE */
};

/**
 * struct content - a file's bytes.
 * @cache: what a read sees. @disk: what is surely durable. @base: what was cached when the last
 * sync was tried: @changes lead from it to @cache. It differs from @disk only in what a failed
 * sync has lost.
 * @used: pages allocated in @cache.
 */
struct content {
	struct pages cache, base, disk;
	uint64_t cache_size, base_size, disk_size;
	uint64_t used;
	struct sl_list changes;
};

void pages_done(struct pages *p);
void pages_share_all(struct pages *to, const struct pages *from);
void pages_share(struct pages *to, const struct pages *from, uint64_t off, uint64_t len);
void pages_read(const struct pages *p, uint64_t off, void *buf, uint64_t len);
void pages_write(struct pages *p, uint64_t off, const void *data, uint64_t len);
void pages_zero(struct pages *p, uint64_t off, uint64_t len);
void pages_trim(struct pages *p, uint64_t size);
void pages_reserve(struct pages *p, uint64_t off, uint64_t len);
uint64_t pages_missing(const struct pages *p, uint64_t off, uint64_t len);
uint64_t pages_count(const struct pages *p);

void content_init(struct content *c);
void content_done(struct content *c);
void content_copy(struct content *to, const struct content *from);

/* Does @ch to @p; the size is the caller's. */
void change_apply(const struct change *ch, struct pages *p);

/* They add a change to @c; space was checked by the caller. */
void content_write(struct content *c, uint64_t seq, uint64_t off, const void *data, uint64_t len);
void content_punch(struct content *c, uint64_t seq, uint64_t off, uint64_t len);
void content_reserve(struct content *c, uint64_t seq, uint64_t off, uint64_t len, uint64_t size);
void content_truncate(struct content *c, uint64_t seq, uint64_t size);

/* Makes changes up to @seq durable; @lost: only makes believe, as a failed sync does. */
void content_sync(struct content *c, uint64_t seq, bool lost);

/* Flips the bits of @mask in the byte at @off, in all states and pending writes. */
void content_flip(struct content *c, uint64_t off, uint8_t mask);

/* The disk's state is made the only one. */
void content_settle(struct content *c);

/* ---- folders (sim_tree.c) --------------------------------------------------------------- */

struct entry {
	char *name;
	struct node *node; /* counted */
	uint32_t hash;
	uint64_t cookie; /* entries are in its order, which looks random */
};

struct entries {
	struct entry *v;
	uint32_t n, room;
};

/**
 * struct node - a file or folder, counted by entries, descriptors and changes of folders.
 * @names: cached entries that name it, 0 or 1. @parent: of a cached folder, weak; NULL when it is
 * no longer in the tree. @twin: its copy while a clone is made.
 */
struct node {
	struct sl_list all;
	uint64_t ino;
	uint32_t refs;
	uint32_t names;
	uint32_t opens;
	uint32_t mode;
	int64_t changed_ns;
	struct node *parent;
	struct node *twin;
	struct entries cache, disk; /* a folder's */
	struct content content;	    /* a file's */
	bool folder;
};

/* One name in one folder, and what it stood for before and after a change; NULL: nothing. */
struct slot {
	struct node *dir;
	char *name;
	struct node *before, *after;
	bool synced; /* its folder was */
};

/**
 * struct dir_change - a change of one or two names in folders that happens wholly or not at all.
 * @lost: a failed sync pretended to have written it.
 * @chosen: to be made durable now.
 */
struct dir_change {
	struct sl_list node;
	uint64_t seq;
	int n;
	struct slot slot[2];
	bool lost;
	bool chosen;
};

/* Where a path leads: @dir and the last component's @name; @node is NULL if nothing is there. */
struct place {
	struct node *dir;
	struct node *node;
	char name[NAME_BYTES_MAX + 1];
	bool must_be_folder; /* a slash follows the name */
};

struct node *node_new(struct sl_sim *sim, bool folder, uint32_t mode);
struct node *node_get(struct node *n);
void node_put(struct node *n);

/* Nobody can reach it any more but through the disk's state: gives back its space. */
void node_leave(struct sl_sim *sim, struct node *n);

struct node *entries_find(const struct entries *e, const char *name);
void entries_set(struct entries *e, const char *name, struct node *n, uint64_t cookie);
void entries_add(struct entries *e, const char *name, struct node *n, uint64_t cookie);
void entries_clear(struct entries *e);

/* Follows @path from @dir. Return: 0 (also if only the last component is missing, or is a file
 * with a slash behind it), or -errno. */
int tree_find(struct sl_sim *sim, struct node *dir, const char *path, struct place *ret_place);

/* They change the cache and note a change; arguments are as valid as the calls' rules ask. */
struct node *tree_create(struct sl_sim *sim, const struct place *at, bool folder, uint32_t mode);
void tree_remove(struct sl_sim *sim, const struct place *at);
void tree_rename(struct sl_sim *sim, const struct place *from, const struct place *to);

/* Takes apart the cached tree and, with @disk_too, the disk's; unheld nodes end. Folders that
 * changed places since they were synced hold each other through both. */
void tree_forget(struct sl_sim *sim, bool disk_too);

bool tree_is_within(const struct node *n, const struct node *ancestor);

/* Makes the changes of @dir up to @seq durable; @lost as in content_sync(). */
void tree_sync(struct sl_sim *sim, struct node *dir, uint64_t seq, bool lost);

/* Whether @dc may follow on the disk's state as it is, and doing it there. */
bool dir_change_fits(struct sl_sim *sim, const struct dir_change *dc);
void dir_change_apply(struct sl_sim *sim, struct dir_change *dc);
void dir_change_free(struct dir_change *dc);

/* ---- the disk (sim.c, sim_ops.c, sim_crash.c) ---------------------------------------------- */

struct open_file {
	struct node *node; /* counted; NULL: closed */
	uint64_t cookie;   /* GETDENTS: of the last entry given */
	int flags;
};

struct sl_sim {
	struct sl_backend backend;
	struct sl_backend *inner;
	pthread_mutex_t lock; /* of all below */
	struct sl_list nodes;
	struct node *root;
	struct sl_list dir_changes; /* in order; what is on disk is gone from it */
	struct open_file *files;
	uint32_t files_n, files_room;
	int fd_base; /* number of files[0] */
	uint64_t seed, rng;
	uint64_t seq, ino, cookie;
	uint64_t ops, cut_at;	/* cut_at: the number of the op that is cut, 0: none */
	uint64_t used, limit;	/* pages; limit UINT64_MAX: none */
	uint64_t boots;
	uint64_t skipped; /* bit per enum sl_fault */
	uint64_t syncs[SL_FAULT_LAST];
	uint64_t fail_nth; /* the fsync to fail counts down to 0 */
	int fail_point;	   /* enum sl_fault, or -1: any */
	uint32_t turns_max;
	uint32_t held; /* operations held back */
	bool dead;
};

_Static_assert(SL_FAULT_LAST <= 64, "skipped syncs are a 64-bit mask");

/* Zeroed memory of a test's disk: never NULL. */
void *sim_alloc(size_t bytes);

uint64_t sim_random(struct sl_sim *sim);

/* The next number of the order of changes. */
uint64_t sim_seq(struct sl_sim *sim);

void sim_lock(struct sl_sim *sim);
void sim_unlock(struct sl_sim *sim);

/* The open file @fd, or NULL. */
struct open_file *sim_file(struct sl_sim *sim, int fd);

/* Forgets all descriptors. */
void sim_files_drop(struct sl_sim *sim);

/**
 * sim_perform() - do @io, which is the simulation's; locked.
 * @seq: an FSYNC covers changes up to this one. Return: what becomes io->res.
 */
int sim_perform(struct sl_sim *sim, const struct sl_io *io, uint64_t seq);

#endif
