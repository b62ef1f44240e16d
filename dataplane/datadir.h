/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datadir: DATADIR itself: who holds it, what format it has, whether its last user ended well.
 *
 *	LOCK	locked (flock) by the process that uses the folder, whose number it holds
 *	VERSION	text, one "key value" a line (docs/format.md): format, the least format whose
 *		readers understand it, cluster id, incarnation, clean, and a CRC32C of all that
 *
 * The daemon takes the folder, counts an incarnation and marks it unclean; a clean end marks it
 * clean again. Where the disk has no space for that, the folder is taken all the same, and the
 * count is pending: what is stored can be served, and nothing may be stored that carries the
 * incarnation, for the next start may get the same. Offline tools take the lock alone.
 */
#ifndef DATAPLANE_DATADIR_H
#define DATAPLANE_DATADIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The format that this program writes, and the least one that a reader of it must know. */
#define SL_DATADIR_FORMAT 1
#define SL_DATADIR_MIN_READER 1

#define SL_DATADIR_CLUSTER_ID_BYTES 65 /* with the NUL */

/**
 * struct sl_datadir - an opened DATADIR.
 * @fd: the folder, for the stores to open theirs from.
 * @incarnation: counts the daemon's starts, from 1; for salts and leader epochs.
 * @was_clean: the last daemon ended in order (true for a new folder).
 * @is_new: this opening created it.
 * @pending: 0, or the -errno (-ENOSPC, -EDQUOT) for which @incarnation is not on disk yet: see
 *	sl_datadir_count().
 */
struct sl_datadir {
	int fd;
	int lock_fd;
	bool offline;
	bool was_clean;
	bool is_new;
	int pending;
	uint32_t format;
	uint64_t incarnation;
	char cluster_id[SL_DATADIR_CLUSTER_ID_BYTES];
};

/**
 * struct sl_datadir_conf - how to open one.
 * @path: node.datadir. @option: by which whoever is refused names another, as "-D"; NULL: by none.
 * @cluster_id: what the settings ask for, or empty: the stored one, or a new one at random.
 * @uid, @gid: who is to own what is created, when the process is root and will change to that
 *	user; (uid_t)-1: the process itself.
 * @offline: for a tool: nothing is created or changed but the lock.
 * @exclusive: nobody else can reach the folder, so that it need not be locked (simulated disks
 *	cannot be).
 */
struct sl_datadir_conf {
	const char *path;
	const char *option;
	const char *cluster_id;
	uid_t uid;
	gid_t gid;
	bool offline;
	bool exclusive;
};

/**
 * sl_datadir_open() - lock the folder, creating it if it is missing (with its parents it does not).
 * @why: on failure the cause and its cure in one line.
 * Return: 0; -EBUSY: another process holds it; -ENOTEMPTY: it holds something else;
 *         -EPROTONOSUPPORT: its format is newer; -EBADMSG: VERSION is damaged; -EINVAL: it is
 *         another cluster's; or the errno of the call that failed.
 */
int sl_datadir_open(struct sl_datadir *ret_dd, const struct sl_datadir_conf *conf, char *why,
		    size_t why_len, int64_t deadline);

/**
 * sl_datadir_count() - put a pending incarnation on disk, if there is one.
 * Return: 0: it is there; -ENOSPC, -EDQUOT: there is still no space; -errno. May be tried again.
 */
int sl_datadir_count(struct sl_datadir *dd, int64_t deadline);

/**
 * sl_datadir_close() - give the folder back.
 * @clean: everything is synced: the next start need not look for torn tails.
 * Return: 0, or -errno if it could not be marked clean (it is given back all the same).
 * Accepts NULL and a zeroed struct.
 */
int sl_datadir_close(struct sl_datadir *dd, bool clean, int64_t deadline);

#endif
