// SPDX-License-Identifier: Apache-2.0
/*
 * datadir: LOCK and VERSION. Interface: datadir.h.
 *
 * Locking and ownership are system calls without a row in the operation table: they neither move
 * data nor can they lose any.
 * Invariants: nothing in the folder is read or written before the lock is held; VERSION is only
 * ever replaced whole; a folder that holds other things than ours is never made ours.
 * Order of parts: messages; VERSION as text; the folder; the lock; opening; counting later and
 * closing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "datadir.h"
#include "file.h"

#define VERSION_NAME "VERSION"
#define LOCK_NAME "LOCK"
#define VERSION_BYTES_MAX 512

/* ---- messages --------------------------------------------------------------------------- */

struct why {
	char *text;
	size_t len;
	const char *path;
	const char *with, *option; /* behind "another folder" */
};

/* Tells "PATH: …" and returns @err. */
static __attribute__((format(printf, 3, 4))) int fail(const struct why *why, int err,
						      const char *format, ...)
{
	va_list args;
	int n = snprintf(why->text, why->len, "%s: ", why->path);

	va_start(args, format);
	if (n >= 0 && (size_t)n < why->len)
		vsnprintf(why->text + n, why->len - (size_t)n, format, args);
	va_end(args);
	return err;
}

/* ---- VERSION as text -------------------------------------------------------------------- */

struct version {
	uint32_t format, min_reader;
	uint64_t incarnation;
	bool clean;
	char cluster_id[SL_DATADIR_CLUSTER_ID_BYTES];
};

/* Of the iSCSI polynomial, as everywhere in the data folder. */
static uint32_t crc32c(const void *data, size_t len)
{
	return ~crc32_iscsi((unsigned char *)data, (int)len, UINT32_MAX);
}

static size_t version_format(const struct version *v, char *ret_text)
{
	int n = snprintf(ret_text, VERSION_BYTES_MAX,
			 "sluice datadir\nformat %u\nmin_reader %u\ncluster_id %s\n"
			 "incarnation %" PRIu64 "\nclean %s\n",
			 v->format, v->min_reader, v->cluster_id, v->incarnation,
			 v->clean ? "yes" : "no");

	SL_ASSERT(n > 0 && n + 16 < VERSION_BYTES_MAX);
	return (size_t)n + (size_t)snprintf(ret_text + n, VERSION_BYTES_MAX - (size_t)n,
					    "crc32c %08x\n", crc32c(ret_text, (size_t)n));
}

/* The value of line "@key value\n" at *text, advanced past it; NULL if it is another line. */
static char *line_value(char **text, const char *key)
{
	size_t len = strlen(key);
	char *value, *end;

	if (strncmp(*text, key, len) != 0 || (*text)[len] != ' ')
		return NULL;
	value = *text + len + 1;
	end = strchr(value, '\n');
	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return value;
}

static int line_number(char **text, const char *key, uint64_t max, uint64_t *ret_value)
{
	const char *value = line_value(text, key);
	char *end;
	uint64_t v;

	if (!value || *value < '0' || *value > '9')
		return -EBADMSG;
	errno = 0;
	v = strtoull(value, &end, 10);
	if (errno || *end || v > max)
		return -EBADMSG;
	*ret_value = v;
	return 0;
}

/*
 * The first three lines mean the same in every format, and are read before the checksum is looked
 * at: a newer format's text may go on otherwise. @text is NUL-terminated and is cut up.
 */
static int version_parse(char *text, size_t len, struct version *ret_v)
{
	struct version v = {0};
	uint64_t format, min_reader, incarnation;
	const char *id, *clean, *crc;
	char *p = text, *crc_line = strstr(text, "\ncrc32c ");
	uint32_t seen = crc_line ? crc32c(text, (size_t)(crc_line + 1 - text)) : 0;
	char expected[16];

	if (memchr(text, '\0', len) || strncmp(p, "sluice datadir\n", 15) != 0)
		return -EBADMSG;
	p += 15;
	if (line_number(&p, "format", UINT32_MAX, &format) ||
	    line_number(&p, "min_reader", UINT32_MAX, &min_reader))
		return -EBADMSG;
	v.format = (uint32_t)format;
	v.min_reader = (uint32_t)min_reader;
	if (v.min_reader > SL_DATADIR_FORMAT) {
		*ret_v = v;
		return -EPROTONOSUPPORT;
	}
	id = line_value(&p, "cluster_id");
	if (!id || strlen(id) >= sizeof(v.cluster_id) ||
	    line_number(&p, "incarnation", INT64_MAX, &incarnation))
		return -EBADMSG;
	clean = line_value(&p, "clean");
	crc = crc_line ? line_value(&p, "crc32c") : NULL;
	snprintf(expected, sizeof(expected), "%08x", seen);
	if (!clean || !crc || *p || strcmp(crc, expected) != 0)
		return -EBADMSG;
	memcpy(v.cluster_id, id, strlen(id));
	v.incarnation = incarnation;
	v.clean = strcmp(clean, "yes") == 0;
	*ret_v = v;
	return 0;
}

/* 0, -ENOENT: there is none; else told. */
static int version_read(int dir, struct version *ret_v, const struct why *why, int64_t deadline)
{
	char text[VERSION_BYTES_MAX + 1];
	struct version v = {0};
	ssize_t n = sl_read_file(dir, VERSION_NAME, text, VERSION_BYTES_MAX, deadline);
	int rc;

	if (n == -ENOENT)
		return -ENOENT;
	if (n < 0 && n != -E2BIG)
		return fail(why, (int)n, VERSION_NAME " cannot be read: %s", strerror((int)-n));
	if (n == -E2BIG)
		n = 0;
	text[n] = '\0';
	rc = version_parse(text, (size_t)n, &v);
	if (rc == -EPROTONOSUPPORT)
		return fail(why, rc,
			    "its format %u needs a sluice that reads format %u, this one reads %u: "
			    "use the newer program, or another folder%s%s",
			    v.format, v.min_reader, SL_DATADIR_FORMAT, why->with, why->option);
	if (rc)
		return fail(why, rc,
			    VERSION_NAME " is damaged; restore it from a backup of this folder, or "
					 "see \"VERSION\" in docs/format.md");
	*ret_v = v;
	return 0;
}

static int version_write(int dir, const struct version *v, int64_t deadline)
{
	char text[VERSION_BYTES_MAX];

	return sl_write_file(dir, VERSION_NAME, text, version_format(v, text),
			     SL_FAULT_SYNC_DATADIR_VERSION, SL_FAULT_SYNC_DATADIR_FOLDER, deadline);
}

/* Whether what is created has to be given to the user that the process will change to. */
static bool is_for_user(const struct sl_datadir_conf *conf)
{
	return conf->uid != (uid_t)-1 && !conf->offline;
}

/* ---- the folder ------------------------------------------------------------------------- */

/* What may lie in a folder whose creation was cut off, or in a fresh file system. */
static int refuse_strangers(void *arg, const char *name, int type)
{
	static const char *const known[] = {LOCK_NAME, VERSION_NAME, "lost+found"};

	(void)arg;
	(void)type;
	if (strncmp(name, VERSION_NAME ".", sizeof(VERSION_NAME)) == 0)
		return 0; /* the temporary file of sl_write_file() */
	for (size_t i = 0; i < SL_ARRAY_SIZE(known); i++)
		if (strcmp(name, known[i]) == 0)
			return 0;
	return -ENOTEMPTY;
}

/*
 * The new folder's name must outlive a crash as the records in it do. Done whenever there is no
 * VERSION yet: whoever made the folder may have been killed before it came to this.
 */
static int sync_parent(int dir, int64_t deadline)
{
	int fd = sl_open(dir, "..", O_RDONLY | O_DIRECTORY, 0, deadline);
	int rc = fd < 0 ? fd : sl_fsync(fd, false, SL_FAULT_SYNC_DATADIR_PARENT, deadline);

	if (fd >= 0)
		sl_close(fd);
	return rc == -EACCES ? 0 : rc; /* a parent that we may not read was not ours to make */
}

static int folder_open(const struct sl_datadir_conf *conf, const struct why *why, int *ret_fd,
		       int64_t deadline)
{
	bool created = false;
	int rc, fd = sl_open(AT_FDCWD, conf->path, O_RDONLY | O_DIRECTORY, 0, deadline);

	if (fd == -ENOENT && !conf->offline) {
		rc = sl_mkdir(AT_FDCWD, conf->path, 0700, deadline);
		if (rc && rc != -EEXIST)
			return fail(why, rc, "cannot be created: %s%s", strerror(-rc),
				    rc == -ENOENT ? " (create its parent folder first)" : "");
		created = rc == 0;
		fd = sl_open(AT_FDCWD, conf->path, O_RDONLY | O_DIRECTORY, 0, deadline);
	}
	if (fd < 0)
		return fail(why, fd, "cannot be opened: %s", strerror(-fd));
	if (created && is_for_user(conf) && fchown(fd, conf->uid, conf->gid) != 0) {
		rc = fail(why, -errno, "cannot be given to node.user: %s", strerror(errno));
		sl_close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* A folder of somebody else would be found unusable only after the change of user. */
static int check_owner(int dir, const struct sl_datadir_conf *conf, const struct why *why,
		       int64_t deadline)
{
	struct statx stx;
	int rc;

	if (!is_for_user(conf))
		return 0;
	rc = sl_stat(dir, "", &stx, deadline);
	if (rc)
		return fail(why, rc, "cannot be examined: %s", strerror(-rc));
	if (stx.stx_uid == conf->uid)
		return 0;
	return fail(why, -EACCES,
		    "belongs to user %u, and node.user is %u: chown -R it, or change "
		    "node.user",
		    stx.stx_uid, conf->uid);
}

/* ---- the lock --------------------------------------------------------------------------- */

/* The number of the process that holds the lock, or 0 if it cannot be told. */
static int holder_pid(int fd, int64_t deadline)
{
	char text[16] = "";

	if (sl_read_some(fd, text, sizeof(text) - 1, 0, deadline) <= 0)
		return 0;
	return atoi(text);
}

static int lock_busy(int fd, const struct why *why, int64_t deadline)
{
	int pid = holder_pid(fd, deadline);

	if (pid > 0)
		return fail(why, -EBUSY,
			    "is in use by process %d: stop it (kill %d), or choose "
			    "another folder%s%s",
			    pid, pid, why->with, why->option);
	return fail(why, -EBUSY,
		    "is in use by another process: stop it, or choose another folder%s%s",
		    why->with, why->option);
}

/* For who is refused; whoever holds the lock may use the folder, even if this cannot be written. */
static void lock_sign(int fd, int64_t deadline)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (sl_ftruncate(fd, 0, deadline) == 0)
		sl_write_all(fd, text, (size_t)n, 0, deadline);
}

static int lock_open(int dir, bool offline, int64_t deadline)
{
	int fd = sl_open(dir, LOCK_NAME, O_RDWR | (offline ? 0 : O_CREAT), 0600, deadline);

	/* A tool may look at a folder on a medium that cannot be written to. */
	if ((fd == -EROFS || fd == -EACCES) && offline)
		fd = sl_open(dir, LOCK_NAME, O_RDONLY, 0, deadline);
	return fd;
}

static int lock_take(int dir, const struct sl_datadir_conf *conf, const struct why *why,
		     int *ret_fd, int64_t deadline)
{
	int rc = 0, fd = lock_open(dir, conf->offline, deadline);

	if (fd == -ENOENT)
		return fail(why, -ENOENT, "holds no " LOCK_NAME ": not a data folder of sluice");
	if (fd < 0)
		return fail(why, fd, LOCK_NAME " cannot be opened: %s", strerror(-fd));
	if (!conf->exclusive && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = -errno;
		rc = rc == -EWOULDBLOCK
			     ? lock_busy(fd, why, deadline)
			     : fail(why, rc, LOCK_NAME " cannot be locked: %s", strerror(-rc));
	} else if (is_for_user(conf) && fchown(fd, conf->uid, conf->gid) != 0) {
		rc = fail(why, -errno, LOCK_NAME " cannot be given to node.user: %s",
			  strerror(errno));
	}
	if (rc) {
		sl_close(fd);
		return rc;
	}
	lock_sign(fd, deadline);
	*ret_fd = fd;
	return 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* 22 characters of unpadded base64url, the form that Kafka's own tools generate. */
static void cluster_id_generate(char *ret_id)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t bytes[22];

	do {
		sl_random(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			ret_id[i] = digits[bytes[i] % 64];
	} while (ret_id[0] == '-'); /* would look like an option */
	ret_id[sizeof(bytes)] = '\0';
}

static int version_new(int dir, const struct sl_datadir_conf *conf, struct version *ret_v,
		       const struct why *why, int64_t deadline)
{
	struct version v = {.clean = true};
	int rc;

	if (conf->offline)
		return fail(why, -ENOENT, "holds no " VERSION_NAME ": not a data folder of sluice");
	rc = sl_list_folder(dir, refuse_strangers, NULL);
	if (rc == -ENOTEMPTY)
		return fail(why, rc,
			    "is not empty and holds no " VERSION_NAME ": not a data "
			    "folder of sluice; choose another%s%s",
			    why->with, why->option);
	if (rc)
		return fail(why, rc, "cannot be listed: %s", strerror(-rc));
	rc = sync_parent(dir, deadline);
	if (rc)
		return fail(why, rc, "its parent folder cannot be synced: %s", strerror(-rc));
	if (conf->cluster_id && *conf->cluster_id)
		snprintf(v.cluster_id, sizeof(v.cluster_id), "%s", conf->cluster_id);
	else
		cluster_id_generate(v.cluster_id);
	*ret_v = v;
	return 0;
}

static int version_load(struct sl_datadir *dd, const struct sl_datadir_conf *conf,
			struct version *ret_v, const struct why *why, int64_t deadline)
{
	int rc = version_read(dd->fd, ret_v, why, deadline);

	if (rc == -ENOENT) {
		dd->is_new = true;
		return version_new(dd->fd, conf, ret_v, why, deadline);
	}
	if (rc)
		return rc;
	if (conf->cluster_id && *conf->cluster_id && !conf->offline &&
	    strcmp(conf->cluster_id, ret_v->cluster_id) != 0)
		return fail(why, -EINVAL,
			    "belongs to cluster %s, and kafka.cluster_id is %s: "
			    "remove that setting, or choose another folder%s%s",
			    ret_v->cluster_id, conf->cluster_id, why->with, why->option);
	return 0;
}

/* Takes over what VERSION says; the daemon counts its incarnation. */
static int version_adopt(struct sl_datadir *dd, const struct sl_datadir_conf *conf,
			 struct version *v, const struct why *why, int64_t deadline)
{
	int rc = 0;

	dd->was_clean = v->clean;
	if (!conf->offline) {
		v->format = SL_DATADIR_FORMAT;
		v->min_reader = SL_DATADIR_MIN_READER;
		v->incarnation++;
		v->clean = false;
		rc = version_write(dd->fd, v, deadline);
		if (!dd->is_new && (rc == -ENOSPC || rc == -EDQUOT)) {
			dd->pending = rc;
			rc = 0;
		}
		if (rc == 0 && is_for_user(conf) &&
		    fchownat(dd->fd, VERSION_NAME, conf->uid, conf->gid, 0) != 0)
			rc = -errno;
		if (rc)
			return fail(why, rc, VERSION_NAME " cannot be written: %s", strerror(-rc));
	}
	dd->format = v->format;
	dd->incarnation = v->incarnation;
	memcpy(dd->cluster_id, v->cluster_id, sizeof(dd->cluster_id));
	return 0;
}

int sl_datadir_open(struct sl_datadir *ret_dd, const struct sl_datadir_conf *conf, char *why_text,
		    size_t why_len, int64_t deadline)
{
	struct why why = {
		.text = why_text,
		.len = why_len,
		.path = conf->path,
		.with = conf->option ? " with " : "",
		.option = conf->option ? conf->option : "",
	};
	struct sl_datadir dd = {.fd = -1, .lock_fd = -1, .offline = conf->offline};
	struct version v = {0};
	int rc;

	SL_ASSERT(why_len > 0);
	SL_ASSERT(!conf->cluster_id || strlen(conf->cluster_id) < sizeof(dd.cluster_id));
	rc = folder_open(conf, &why, &dd.fd, deadline);
	if (rc)
		return rc;
	rc = check_owner(dd.fd, conf, &why, deadline);
	if (rc == 0)
		rc = lock_take(dd.fd, conf, &why, &dd.lock_fd, deadline);
	if (rc)
		goto out_close;
	rc = version_load(&dd, conf, &v, &why, deadline);
	if (rc == 0)
		rc = version_adopt(&dd, conf, &v, &why, deadline);
	if (rc)
		goto out_unlock;
	*ret_dd = dd;
	return 0;
out_unlock:
	sl_close(dd.lock_fd);
out_close:
	sl_close(dd.fd);
	return rc;
}

/* ---- counting later, closing ------------------------------------------------------------ */

static int version_put(const struct sl_datadir *dd, bool clean, int64_t deadline)
{
	struct version v = {.format = dd->format,
			    .min_reader = SL_DATADIR_MIN_READER,
			    .incarnation = dd->incarnation,
			    .clean = clean};

	memcpy(v.cluster_id, dd->cluster_id, sizeof(v.cluster_id));
	return version_write(dd->fd, &v, deadline);
}

int sl_datadir_count(struct sl_datadir *dd, int64_t deadline)
{
	int rc = dd->pending ? version_put(dd, false, deadline) : 0;

	if (rc == 0)
		dd->pending = 0;
	return rc;
}

int sl_datadir_close(struct sl_datadir *dd, bool clean, int64_t deadline)
{
	int rc = 0;

	if (!dd || dd->lock_fd <= 0)
		return 0;
	if (clean && !dd->offline)
		rc = version_put(dd, true, deadline);
	sl_close(dd->lock_fd); /* the lock goes with its descriptor */
	sl_close(dd->fd);
	*dd = (struct sl_datadir){.fd = -1, .lock_fd = -1};
	return rc;
}
