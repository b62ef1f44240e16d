/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk: a backend whose files live in memory, and whose power can be cut.
 *
 * For tests only: tests of any folder may include this header, nothing else may.
 *
 * Files and folders (OPENAT to RENAMEAT of enum sl_op) are simulated, by absolute paths, by paths
 * relative to AT_FDCWD (both start at the simulated root folder) and by simulated descriptors,
 * which are numbered from SL_SIM_FD_BASE and never used twice. Everything else, relative paths at
 * and operations on real descriptors included, goes to the inner backend. SENDFILE from a
 * simulated file to a real socket works (by a copy); SPLICE from one says -EINVAL.
 *
 * What a reader sees (the page cache) and what is on disk are kept apart. A read sees every write.
 * FSYNC of a file makes its content and size durable, not its name; FSYNC of a folder makes its
 * entries durable, not what lies in them; a rename from one folder to another needs FSYNC of both,
 * and the folder that it leads to must itself be durable. A change that is made durable takes along
 * those that it builds on (an earlier one of the same name; what was in a folder that it removes).
 * What was not synced stays a pending change until it is, or until sl_sim_reboot() decides.
 *
 * A simulated disk may be used by several threads; sl_sim_reboot(), _clone() and _free() need it
 * to be idle. It is made for tests, so running out of memory ends the process by an assertion.
 *
 *	struct sl_sim *sim = sl_sim_new(seed, NULL);
 *	sl_backend_use(sl_sim_backend(sim));
 *	sl_sim_cut_after(sim, n);
 *	... work until it fails with -EIO, or ends ...
 *	struct sl_sim *other = sl_sim_clone(sim);	// the same crash, for another outcome
 *	sl_sim_reboot(sim, SL_SIM_RANDOM);
 *	... recover, and check what was acknowledged ...
 */
#ifndef URING_SIM_H
#define URING_SIM_H

#include <stdio.h>

#include "uring.h"

#define SL_SIM_FD_BASE (1 << 24)
#define SL_SIM_SECTOR_BYTES 512

struct sl_sim;

/* @seed: decides everything random. @inner: for all else; NULL: the kernel. Never NULL. */
struct sl_sim *sl_sim_new(uint64_t seed, struct sl_backend *inner);

/* No operation may be held back any more (sl_sim_delay()). Accepts NULL. */
void sl_sim_free(struct sl_sim *sim);

struct sl_backend *sl_sim_backend(struct sl_sim *sim);

/**
 * sl_sim_clone() - a second disk in the same state, pending changes, cut and settings included,
 * but without open descriptors. Memory is shared until one of the two writes to it.
 */
struct sl_sim *sl_sim_clone(struct sl_sim *sim);

/* Starts the random sequence anew, so that a clone's RANDOM outcome differs. */
void sl_sim_seed(struct sl_sim *sim, uint64_t seed);

/**
 * sl_sim_delay() - operations begun on a ring take effect and complete 0..@turns_max turns later,
 * drawn at random, so that they overlap and overtake each other; 0 (as at first): they take effect
 * at once and complete at the next turn, in order. An fsync that is held back covers what was
 * done before it began, and nothing is durable before it completes.
 */
void sl_sim_delay(struct sl_sim *sim, uint32_t turns_max);

/* ---- cutting the power ------------------------------------------------------------------ */

/**
 * sl_sim_ops() - mutating operations so far: creation (by OPENAT or MKDIRAT), truncation, writes,
 * FALLOCATE, FSYNC, UNLINKAT, RENAMEAT. One that is refused (-ENOENT, -ENOSPC, …) does not count,
 * an FSYNC that is skipped or made to fail does. Goes on counting after a reboot.
 */
uint64_t sl_sim_ops(struct sl_sim *sim);

/**
 * sl_sim_cut_after() - cut the power in the middle of the mutating operation that follows the
 * next @n ones. That one may have happened or not (its change is pending; an FSYNC has made
 * nothing surely durable), and it and every later operation on the disk fails with -EIO, reads
 * too, but CLOSE. To try every cut point, count with sl_sim_ops() in a run without a cut.
 */
void sl_sim_cut_after(struct sl_sim *sim, uint64_t n);

/* Cuts the power now, between two operations. */
void sl_sim_cut(struct sl_sim *sim);

/* Whether the power is cut. */
bool sl_sim_is_cut(struct sl_sim *sim);

/**
 * enum sl_sim_policy - what becomes of pending changes.
 * @SL_SIM_KEEP_ALL: all survive.
 * @SL_SIM_LOSE_ALL: none does.
 * @SL_SIM_RANDOM: of the folders' changes any subset that leaves a tree (a rename whole or not at
 *	all); of each file any of the sizes that it had since its last sync, and each sector as it
 *	was on disk or after any of the writes to it since: writes are lost, torn and reordered,
 *	and what a surviving size spans without its data reads as zeros.
 */
enum sl_sim_policy { SL_SIM_KEEP_ALL, SL_SIM_LOSE_ALL, SL_SIM_RANDOM };

/**
 * sl_sim_reboot() - power on: the disk as it may look after the power went, now (if it was not cut)
 * or when it was cut. All that survived is durable; descriptors opened before are dead (-EBADF).
 * Settings (limit, skipped syncs, delay) stay; cuts and failing syncs that are yet to come do not.
 */
void sl_sim_reboot(struct sl_sim *sim, enum sl_sim_policy policy);

/* ---- misbehaviour ----------------------------------------------------------------------- */

/* From now on FSYNCs named @point do nothing and say success: for the test of the tests. */
void sl_sim_skip_sync(struct sl_sim *sim, enum sl_fault point);

/* FSYNCs named @point so far, skipped and failed ones included: was the point reached at all? */
uint64_t sl_sim_syncs(struct sl_sim *sim, enum sl_fault point);

/**
 * sl_sim_fail_sync() - the @nth FSYNC from now (1: the next) fails once, with -EIO. As in Linux
 * what it should have written stays readable and counts as clean: later FSYNCs succeed without
 * writing it, and a cut loses it. 0: none. Replaces an earlier call and sl_sim_fail_sync_at().
 */
void sl_sim_fail_sync(struct sl_sim *sim, uint64_t nth);

/* The same, counting only FSYNCs named @point. */
void sl_sim_fail_sync_at(struct sl_sim *sim, enum sl_fault point, uint64_t nth);

/**
 * sl_sim_flip() - flip bit @bit (0..7) of the byte at @offset of file @path, in memory and on disk
 * and in pending writes. Return: 0, -ENOENT, -EISDIR, or -ERANGE behind the file's end.
 */
int sl_sim_flip(struct sl_sim *sim, const char *path, uint64_t offset, int bit);

/**
 * sl_sim_limit() - size of the disk; 0: no limit. Space is taken in pages of 4 KiB by writes and
 * FALLOCATE; a write that fits in part is short, one that does not fit at all, a creation on a full
 * disk and a FALLOCATE that does not fit as a whole say -ENOSPC.
 */
void sl_sim_limit(struct sl_sim *sim, uint64_t bytes);

/* Bytes taken at present. */
uint64_t sl_sim_used(struct sl_sim *sim);

/* Lists the tree, each entry with what is not durable of it, for a test that failed. */
void sl_sim_dump(struct sl_sim *sim, FILE *out);

#endif
