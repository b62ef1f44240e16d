/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static: the files of one folder, kept open on each core as long as they are asked for.
 *
 * Files are changed by others, at any time; what is given out is a file as it was when it was
 * opened, and is read from there even if its name has come to mean another one. A file that is
 * cut short while it is sent ends its connection, for the length was promised.
 *
 * Order of parts: the folder; its files.
 */
#ifndef STORES_STATIC_STATIC_H
#define STORES_STATIC_STATIC_H

#include "dataplane/dataplane.h"

/* ---- the folder ------------------------------------------------------------------------- */

struct sl_static;

/**
 * struct sl_static_conf - how a folder is served.
 * @dir: its descriptor (O_PATH will do), which stays the caller's and open until sl_static_free().
 * @cores: that serve it, numbered from 0. @files_max: kept open by each of them, at least 1; fewer
 *	where the process has no descriptors for so many.
 * @check_ns: for how long a path is believed to lead to the file that was found there last; what
 *	was changed meanwhile is noticed afterwards. 0: looked at each time.
 * @idle_ns: a file that was not asked for in so long is closed, soon after.
 */
struct sl_static_conf {
	int dir;
	uint32_t cores;
	uint32_t files_max;
	int64_t check_ns, idle_ns;
};

/* Return: 0 or -ENOMEM. */
int sl_static_new(const struct sl_static_conf *conf, struct sl_static **ret_static);

/*
 * Closes this core's files but those that are being sent, and finds no more (-ECANCELED); on each
 * core, before it ends.
 */
void sl_static_stop(struct sl_static *st);

/* After the cores. Accepts NULL. */
void sl_static_free(struct sl_static *st);

/* ---- its files -------------------------------------------------------------------------- */

/* What may be kept with an open file by who asks for it. */
enum { SL_STATIC_NOTE_BYTES = 256 };

/**
 * struct sl_static_file - a regular file as it was found.
 * @file: to be released on this core. @bytes: its length. @changed_s, @changed_ns: since 1970,
 * when its contents last changed. @note: SL_STATIC_NOTE_BYTES, aligned for anything and zeros when
 * the file was opened, for this core's askers to make once what they would else make of the path
 * and of these for each request.
 */
struct sl_static_file {
	struct sl_file *file;
	uint64_t bytes;
	int64_t changed_s;
	uint32_t changed_ns;
	void *note;
};

/**
 * sl_static_find() - the file at @path, relative to the folder: no "." or ".." is needed in it,
 * and none leads out of the folder, nor does a link. On a core; costs no system call if the file
 * is open and was looked at within check_ns.
 * Return: 0, with @ret_file to be released; -EISDIR; -EACCES: it may not be read, or is neither
 *	   file nor folder; -ENOENT, -ENOTDIR, -ENAMETOOLONG: there is none; -EXDEV, -ELOOP: a link
 *	   leads out of the folder or round; another -errno.
 */
int sl_static_find(struct sl_static *st, const char *path, struct sl_static_file *ret_file,
		   int64_t deadline);

#endif
