// SPDX-License-Identifier: Apache-2.0
/*
 * sluice log dump | verify: segment files, looked at without a daemon.
 *
 * Interface: verb_log(). Invariants: nothing is changed; of a whole DATADIR the lock is taken, so
 * that no daemon writes meanwhile; a partition's folder or a file may be looked at any time, and
 * then its last batch may be one that is being written.
 * Order of parts: files; dump; verify; the table.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "net.h"
#include "options.h"
#include "verbs.h"

#define PATH_BYTES 4096
#define DEPTH_MAX 8
#define RECORD_BYTES_MAX SL_GIB
#define PROGRESS_NS (200 * SL_MSEC)

/* ---- files ------------------------------------------------------------------------------ */

typedef int each_file_fn(void *arg, const char *path);

static bool is_segment(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, ".log");
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int folder_walk(const char *path, int depth, each_file_fn *each, void *arg);

static int entry_walk(const char *folder, const char *name, int depth, each_file_fn *each,
		      void *arg)
{
	char path[PATH_BYTES];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return -ENAMETOOLONG;
	if (lstat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return depth < DEPTH_MAX ? folder_walk(path, depth + 1, each, arg) : 0;
	return S_ISREG(st.st_mode) && is_segment(name) ? each(arg, path) : 0;
}

/* Every segment below @path, by rising name. Return: 0; what @each returned; -errno. */
static int folder_walk(const char *path, int depth, each_file_fn *each, void *arg)
{
	struct dirent **entries;
	int n = scandir(path, &entries, visible, alphasort), err = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (!err)
			err = entry_walk(path, entries[i]->d_name, depth, each, arg);
		free(entries[i]);
	}
	free(entries);
	return err;
}

static int path_walk(const char *path, each_file_fn *each, void *arg)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? folder_walk(path, 0, each, arg) : each(arg, path);
}

/* Whether @path is a DATADIR: it holds what its format says. */
static bool is_datadir(const char *path)
{
	char file[PATH_BYTES];

	return (size_t)snprintf(file, sizeof(file), "%s/VERSION", path) < sizeof(file) &&
	       !access(file, F_OK);
}

typedef int each_batch_fn(void *arg, const uint8_t *header, const struct sl_frame *frame,
			  uint64_t pos, int err);

/* Which kind a file is, it says itself; the other kinds refuse it. */
static int inspect(const char *path, each_batch_fn *each, void *arg,
		   const struct sl_log_kind **ret_kind, struct sl_segment_info *ret_info)
{
	int err;

	*ret_kind = &sl_batch_kind;
	err = sl_segment_inspect(AT_FDCWD, path, &sl_batch_kind, each, arg, ret_info);
	if (err != -EBADMSG || ret_info->batches || ret_info->bad)
		return err;
	err = sl_segment_inspect(AT_FDCWD, path, &group_journal_kind, each, arg, ret_info);
	if (err != -EBADMSG || ret_info->batches || ret_info->bad)
		*ret_kind = &group_journal_kind;
	return err;
}

/* ---- dump ------------------------------------------------------------------------------- */

struct log_options {
	bool records;
	const char *format;
};

static const struct option_row dump_rows[] = {
	{"records", NULL, OPTION_FLAG, offsetof(struct log_options, records), 0, 0, NULL,
	 "each batch's records too"},
	{"format", "FORMAT", OPTION_TEXT, offsetof(struct log_options, format), 0, 0, NULL,
	 "how records are printed, as of sluice consume (%o %T %k %v)"},
};

static const struct usage dump_usage = {
	.name = "log dump",
	.args = "FILE|FOLDER",
	.what = "Prints the batches of a segment file, or of every segment below FOLDER: where,\n"
		"offsets, size, times, producer, codec, and whether the checksum agrees.",
	.rows = dump_rows,
	.rows_n = SL_ARRAY_SIZE(dump_rows),
	.args_min = 1,
	.args_max = 1,
	.more = "Exit status 1 if something cannot be read or is damaged.",
};

struct dump {
	struct log_options o;
	struct format format;
	const char *path;
	int fd;
	bool is_records; /* of a partition: has record batches */
	bool bad;
};

static const char *const codecs[8] = {"none", "gzip", "snappy", "lz4", "zstd", "?", "?", "?"};

static int records_dump(struct dump *d, const struct sl_frame *f, uint64_t pos)
{
	struct sl_records *records;
	struct sl_record r;
	uint8_t *batch = malloc(f->bytes);
	int got = -ENOMEM;

	if (!batch)
		return got;
	got = pread(d->fd, batch, f->bytes, (off_t)pos) == (ssize_t)f->bytes ? 0 : -EIO;
	if (!got)
		got = sl_records_open(batch, f->bytes, RECORD_BYTES_MAX, &records);
	if (got) {
		free(batch);
		return got;
	}
	while ((got = sl_records_next(records, &r)) == 1 && !ferror(stdout)) {
		printf("    ");
		format_print(&d->format, stdout, "", 0, &r);
	}
	sl_records_close(records);
	free(batch);
	return got;
}

static void batch_print(const uint8_t *header, const struct sl_frame *f)
{
	struct sl_batch b;

	sl_batch_load(header, &b);
	printf(" times %" PRId64 "..%" PRId64 " codec %s", b.time_first, b.time_max,
	       codecs[b.attributes & SL_BATCH_CODEC_MASK]);
	if (b.producer_id >= 0)
		printf(" producer %" PRId64 "/%d sequence %d", b.producer_id, b.producer_epoch,
		       b.sequence);
	if (b.attributes & SL_BATCH_TRANSACTIONAL)
		printf(" transactional");
	if (b.attributes & SL_BATCH_CONTROL)
		printf(" control");
}

static int batch_dump(void *arg, const uint8_t *header, const struct sl_frame *f, uint64_t pos,
		      int err)
{
	struct dump *d = arg;

	if (err) {
		printf("  at %" PRIu64 ": no good batch from offset %" PRIu64 " on\n", pos,
		       f->base);
		d->bad = true;
		return 0;
	}
	printf("  at %" PRIu64 " offset %" PRIu64 "..%" PRIu64 " bytes %" PRIu64 " epoch %u", pos,
	       f->base, f->base + f->records - 1, f->bytes, f->epoch);
	d->is_records = header[SL_BATCH_MAGIC] == 2;
	if (d->is_records)
		batch_print(header, f);
	printf("\n");
	if (d->is_records && d->o.records && records_dump(d, f, pos)) {
		printf("    (its records cannot be read)\n");
		d->bad = true;
	}
	return 0;
}

static void info_print(const struct sl_segment_info *i)
{
	printf("  %" PRIu64 " batches, offsets %" PRIu64 " to %" PRIu64 ", %" PRIu64
	       " bytes, durable "
	       "at least to %" PRIu64 ", %s, index %s\n",
	       i->batches, i->base, i->next, i->bytes, i->durable_bytes,
	       i->sealed ? "sealed" : "open", i->index_ok ? "fits" : "missing or wrong");
}

static int file_dump(void *arg, const char *path)
{
	const struct sl_log_kind *kind;
	struct sl_segment_info info;
	struct dump *d = arg;
	int err;

	d->path = path;
	d->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	printf("%s\n", path);
	err = inspect(path, batch_dump, d, &kind, &info);
	close(d->fd);
	if (err) {
		complain("log dump", "%s: %s", path,
			 err == -EBADMSG ? "not a segment, or its header is damaged"
					 : strerror(-err));
		d->bad = true;
	} else {
		info_print(&info);
	}
	return ferror(stdout) ? -EPIPE : 0;
}

static int dump(int argc, char **argv)
{
	struct dump d = {.o = {.format = "%o %T %k %v\\n"}};
	const char *path;
	int err = options_parse(&dump_usage, argc, argv, &d.o, &path);

	if (err)
		return options_exit(err);
	if (format_parse(d.o.format, &d.format)) {
		complain("log dump", "--format '%s' is none; see sluice consume --help",
			 d.o.format);
		return EXIT_USAGE;
	}
	err = path_walk(path, file_dump, &d);
	if (err && err != -EPIPE)
		complain("log dump", "%s: %s", path, strerror(-err));
	return err || d.bad ? 1 : 0;
}

/* ---- verify ----------------------------------------------------------------------------- */

static const struct usage verify_usage = {
	.name = "log verify",
	.args = "DATADIR|FOLDER|FILE",
	.what = "Checks each batch of each segment against its checksum and its neighbours. Of a\n"
		"DATADIR the lock is taken: stop the daemon first.",
	.args_min = 1,
	.args_max = 1,
	.more = "Prints what is bad, one line each, and a count; exit status 1 if anything is. An\n"
		"unfinished batch behind what is durable is no fault: the next start cuts it off.",
};

struct verify {
	const char *path;
	uint64_t pos; /* in the present file */
	struct sl_segment_info info; /* durable_bytes is known before the first batch */
	uint64_t files, batches, bytes, bad, torn, indexes;
	int64_t told_at;
	bool progress;
};

static void verify_progress(struct verify *v)
{
	int64_t now;

	if (!v->progress)
		return;
	now = now_ns();
	if (now < v->told_at + PROGRESS_NS)
		return;
	v->told_at = now;
	fprintf(stderr, "\r%" PRIu64 " files, %" PRIu64 " MiB", v->files,
		(v->bytes + v->pos) >> 20);
}

static int batch_verify(void *arg, const uint8_t *header, const struct sl_frame *f, uint64_t pos,
			int err)
{
	struct verify *v = arg;

	v->pos = pos;
	verify_progress(v);
	if (err && pos >= v->info.durable_bytes) {
		v->torn++;
		printf("%s: unfinished from byte %" PRIu64 " (offset %" PRIu64 ") on\n", v->path,
		       pos, f->base);
	} else if (err) {
		v->bad++;
		printf("%s: bad at byte %" PRIu64 ", offset %" PRIu64 "\n", v->path, pos, f->base);
	}
	return 0;
}

static int file_verify(void *arg, const char *path)
{
	const struct sl_log_kind *kind;
	struct verify *v = arg;
	int err;

	v->path = path;
	err = inspect(path, batch_verify, v, &kind, &v->info);
	v->files++;
	v->pos = 0;
	v->bytes += v->info.bytes;
	v->batches += v->info.batches;
	if (err) {
		v->bad++;
		printf("%s: %s\n", path,
		       err == -EBADMSG ? "no segment that can be read: its header is damaged"
				       : strerror(-err));
	} else if (v->info.sealed && !v->info.index_ok) {
		v->indexes++;
		printf("%s: its index is missing or wrong; the next start writes it anew\n", path);
	}
	return 0;
}

static int verify_path(struct verify *v, const char *path)
{
	struct sl_datadir dd;
	struct sl_datadir_conf conf = {
		.path = path, .uid = (uid_t)-1, .gid = (gid_t)-1, .offline = true};
	char why[512];
	int err;

	if (!is_datadir(path))
		return path_walk(path, file_verify, v);
	err = sl_datadir_open(&dd, &conf, why, sizeof(why), SL_NEVER);
	if (err) {
		complain("log verify", "%s", why);
		return -ECANCELED;
	}
	err = path_walk(path, file_verify, v);
	sl_datadir_close(&dd, dd.was_clean, SL_NEVER);
	return err;
}

static int verify(int argc, char **argv)
{
	struct verify v = {.progress = isatty(STDERR_FILENO)};
	const char *path;
	int err = options_parse(&verify_usage, argc, argv, NULL, &path);

	if (err)
		return options_exit(err);
	err = verify_path(&v, path);
	if (v.progress)
		fprintf(stderr, "\r\033[K");
	if (err) {
		if (err != -ECANCELED)
			complain("log verify", "%s: %s", path, strerror(-err));
		return 1;
	}
	printf("%" PRIu64 " segments, %" PRIu64 " batches, %" PRIu64 " bytes: %" PRIu64
	       " bad, %" PRIu64 " unfinished, %" PRIu64 " without index\n",
	       v.files, v.batches, v.bytes, v.bad, v.torn, v.indexes);
	return v.bad ? 1 : 0;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct verb words[] = {
	{"dump", dump, "print batches, and records, of segment files"},
	{"verify", verify, "check every checksum below a folder"},
};

int verb_log(int argc, char **argv)
{
	return verbs_run("sluice log", words, SL_ARRAY_SIZE(words), argc, argv);
}
