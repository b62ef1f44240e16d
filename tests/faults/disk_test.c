/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a daemon whose files were damaged, whose disk is full, whose DATADIR or port is
 * another's: what is whole is served, what is not is told, and it says in one line what is wrong.
 *
 * Order of parts: files; damaged batches; indexes, tails, snapshots; a full disk; refusals to
 * start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "harness.h"
#include "wire.h"

/* ---- files ---------------------------------------------------------------------------------- */

static const char topic[] = "stored";

/* Records, of which each is a batch; a segment holds about seven. */
enum { RECORDS = 40, VALUE_BYTES = 9000, SEGMENT_BYTES = 64 << 10 };

/* The @at-th file below DATADIR that @pattern names; from the last if negative. */
static void find_file(const struct daemon_kit *d, const char *pattern, int at,
		      char path[static 600])
{
	char all[600];
	glob_t g;

	snprintf(all, sizeof(all), "%s/%s", d->datadir, pattern);
	ASSERT_EQ(0, glob(all, 0, NULL, &g));
	ASSERT_LT(at, (int)g.gl_pathc);
	at = at < 0 ? (int)g.gl_pathc + at : at;
	snprintf(path, 600, "%s", g.gl_pathv[at]);
	globfree(&g);
}

static off_t file_bytes(const char *path)
{
	struct stat st;

	ASSERT_EQ(0, stat(path, &st));
	return st.st_size;
}

static void flip_bit(const char *path, off_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, pread(fd, &byte, 1, at));
	byte ^= 0x10;
	ASSERT_EQ(1, pwrite(fd, &byte, 1, at));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
}

static void append_garbage(const char *path, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)harness_random();

		ASSERT_EQ(1, write(fd, &byte, 1));
	}
	close(fd);
}

/* Where the batch of offset @offset begins in its segment, and its length. */
static off_t find_batch(const char *path, int64_t offset, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = 4096, found = -1; /* where a segment's batches begin */
	uint8_t header[SL_BATCH_HEADER_BYTES];

	ASSERT_LE(0, fd);
	while (found < 0 && pread(fd, header, sizeof(header), at) == sizeof(header)) {
		struct sl_batch b;

		sl_batch_load(header, &b);
		ASSERT_LT(0, b.length);
		*ret_len = (size_t)sl_batch_bytes(&b);
		if (b.base_offset == offset)
			found = at;
		at += (off_t)*ret_len;
	}
	close(fd);
	ASSERT_LT(0, found);
	return found;
}

static int produce(struct wire *w, uint64_t number)
{
	struct wire_batch b = {.first = number, .n = 1, .value_bytes = VALUE_BYTES,
			       .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);
	int err = wire_produce(w, topic, 0, -1, p, len, NULL);

	free(p);
	return err;
}

/* A daemon with records in several segments, and a connection. */
FIXTURE(disk)
{
	struct daemon_kit d;
	struct wire w;
};
FIXTURE_SETUP(disk)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "log.segment_bytes=%d", SEGMENT_BYTES);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
	for (uint64_t i = 0; i < RECORDS; i++)
		ASSERT_EQ(0, produce(&self->w, i));
}
FIXTURE_TEARDOWN(disk)
{
	EXPECT_TRUE(daemon_runs(&self->d));
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

static void stop(FIXTURE_DATA(disk) * self, bool cleanly)
{
	wire_close(&self->w);
	if (cleanly)
		ASSERT_EQ(0, daemon_stop(&self->d));
	else
		daemon_kill(&self->d);
}

static void start(FIXTURE_DATA(disk) * self)
{
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
}

/* The result of fetching the record at @offset; its value is checked. */
static int fetch_one(struct wire *w, int64_t offset)
{
	struct wire_fetched f;
	uint64_t number = 0;
	int err = wire_fetch(w, topic, 0, offset, 1, 0, &f);

	if (!err) {
		struct sl_records *records = NULL;
		struct sl_record r;

		if (!EXPECT_LT((size_t)SL_BATCH_HEADER_BYTES, f.len))
			err = -ENODATA;
		else
			err = sl_records_open(f.records, f.len, 1 << 20, &records);
		if (!err && sl_records_next(records, &r) != 1)
			err = -EBADMSG;
		if (!err)
			err = wire_value_number(r.value, r.value_bytes, &number);
		sl_records_close(records);
		if (!err)
			EXPECT_EQ((uint64_t)offset, number);
	}
	wire_answer_done(&f.answer);
	return err;
}

/* Fetches every record by itself: all are there but @bad (-1: none), which is told as corrupt. */
static void expect_all_but(struct wire *w, int64_t bad, int64_t end)
{
	for (int64_t i = 0; i < end; i++) {
		int err = fetch_one(w, i);

		if (!EXPECT_EQ(i == bad ? KAFKA_ERR_CORRUPT_MESSAGE : 0, err))
			TH_LOG("offset %lld", (long long)i);
	}
}

/* ---- damaged batches ------------------------------------------------------------------------ */

/* The batch of offset @bad is in the segment whose base is below it. */
static void damage(FIXTURE_DATA(disk) * self, int64_t bad, off_t within)
{
	char path[600];
	size_t len = 0;
	off_t at;
	int i = 0;

	for (;; i++) {
		long long base;

		find_file(&self->d, "topics/stored.*/0/*.log", i, path);
		ASSERT_EQ(1, sscanf(strrchr(path, '/') + 1, "%lld", &base));
		if (base > bad)
			break;
	}
	ASSERT_LT(0, i);
	find_file(&self->d, "topics/stored.*/0/*.log", i - 1, path);
	at = find_batch(path, bad, &len);
	flip_bit(path, at + (within < 0 ? (off_t)len + within : within));
}

static void scrub_often(FIXTURE_DATA(disk) * self)
{
	daemon_set(&self->d, "log.scrub_interval=200ms");
	daemon_set(&self->d, "log.scrub_bytes_per_s=64M");
}

TEST_F(disk, flipped_bit_is_found_by_scrub_and_told_once)
{
	enum { BAD = 10 };

	stop(self, true);
	damage(self, BAD, -100);
	scrub_often(self);
	start(self);
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "log.quarantined", 1));
	expect_all_but(&self->w, BAD, RECORDS);
	EXPECT_EQ(0, produce(&self->w, RECORDS));
	/* It stays known: further looks and starts say nothing new. */
	wire_sleep(500 * SL_MSEC);
	stop(self, true);
	start(self);
	wire_sleep(500 * SL_MSEC);
	expect_all_but(&self->w, BAD, RECORDS + 1);
	EXPECT_EQ(1u, daemon_log_count(&self->d, "log.quarantined"));
}

TEST_F(disk, bit_flipped_while_running_is_found_by_scrub)
{
	enum { BAD = 3 };

	stop(self, true);
	scrub_often(self);
	start(self);
	damage(self, BAD, 2000);
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "log.quarantined", 1));
	expect_all_but(&self->w, BAD, RECORDS);
}

/* A batch that cannot be found its way past is told by the first who comes by. */
TEST_F(disk, damaged_header_is_told_and_passed_over)
{
	enum { BAD = 12 };

	stop(self, false);
	damage(self, BAD, SL_BATCH_MAGIC);
	start(self);
	expect_all_but(&self->w, BAD, RECORDS);
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "log.quarantined", 1));
	EXPECT_EQ(0, produce(&self->w, RECORDS));
}

/* ---- indexes, tails, snapshots -------------------------------------------------------------- */

TEST_F(disk, lost_and_damaged_indexes_are_made_anew)
{
	char path[600];

	stop(self, true);
	find_file(&self->d, "topics/stored.*/0/*.idx", 0, path);
	ASSERT_EQ(0, unlink(path));
	find_file(&self->d, "topics/stored.*/0/*.idx", 0, path);
	flip_bit(path, 40);
	find_file(&self->d, "topics/stored.*/0/*.idx", 1, path);
	flip_bit(path, file_bytes(path) - 3);
	find_file(&self->d, "topics/stored.*/0/*.idx", 2, path);
	ASSERT_EQ(0, truncate(path, file_bytes(path) / 2));
	find_file(&self->d, "topics/stored.*/0/*.idx", 3, path);
	ASSERT_EQ(0, truncate(path, 0));
	start(self);
	expect_all_but(&self->w, -1, RECORDS);
	EXPECT_EQ(RECORDS, wire_count_once(&self->w, topic, 0));
	EXPECT_LE(4u, daemon_log_wait(&self->d, "log.index-rebuilt", 4));
	EXPECT_EQ(0, produce(&self->w, RECORDS));
}

TEST_F(disk, garbage_behind_the_tail_is_cut_off)
{
	char path[600];

	for (uint64_t end = RECORDS; end < RECORDS + 5; end++) {
		stop(self, false);
		find_file(&self->d, "topics/stored.*/0/*.log", -1, path);
		append_garbage(path, 1 + (size_t)(harness_random() % 3000));
		start(self);
		EXPECT_EQ((int64_t)end, wire_count_once(&self->w, topic, 0));
		EXPECT_EQ(0, produce(&self->w, end));
	}
	EXPECT_LE(5u, daemon_log_count(&self->d, "log.torn-tail"));
}

/* Without durability a crash may cut what was acknowledged, but nothing else. */
TEST_F(disk, truncated_batch_is_cut_off_as_a_whole)
{
	char path[600];
	int64_t end;

	stop(self, false);
	find_file(&self->d, "topics/stored.*/0/*.log", -1, path);
	ASSERT_EQ(0, truncate(path, file_bytes(path) - VALUE_BYTES / 2));
	start(self);
	end = wire_count_once(&self->w, topic, 0);
	EXPECT_LE(RECORDS - 7, end);
	EXPECT_GT(RECORDS, end);
	TH_LOG("%lld of %d records are left", (long long)end, RECORDS);
}

TEST_F(disk, lost_snapshot_of_producers_is_made_anew)
{
	struct wire_batch b = {.first = RECORDS, .n = 5, .value_bytes = 100};
	char path[600];
	int64_t base;
	size_t len;
	uint8_t *p;

	ASSERT_EQ(0, wire_producer_id(&self->w, &b.producer_id, &b.producer_epoch));
	p = wire_batch_make(&b, &len);
	EXPECT_EQ(0, wire_produce(&self->w, topic, 0, -1, p, len, &base));
	EXPECT_EQ(RECORDS, base);
	for (int i = 0; i < 2; i++) {
		stop(self, true);
		find_file(&self->d, "topics/stored.*/0.producers", 0, path);
		if (i)
			flip_bit(path, file_bytes(path) / 2);
		else
			ASSERT_EQ(0, unlink(path));
		start(self);
		EXPECT_EQ(0, wire_produce(&self->w, topic, 0, -1, p, len, &base));
		EXPECT_EQ(RECORDS, base);
	}
	EXPECT_EQ(RECORDS + 5, wire_count_once(&self->w, topic, 0));
	free(p);
}

/* ---- a full disk ---------------------------------------------------------------------------- */

FIXTURE(full)
{
	struct daemon_kit d;
	struct wire w;
	char mounted[200], ballast[250];
};
FIXTURE_VARIANT(full)
{
	const char *type;
};
FIXTURE_VARIANT_ADD(full, tmpfs){.type = "tmpfs"};
FIXTURE_VARIANT_ADD(full, ext4){.type = "ext4"};

/* In a mount namespace of this test's own: what is mounted goes with it. Return: 0 or -1. */
static int mount_small(const char *type, const char *where)
{
	char command[1200];

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (!strcmp(type, "tmpfs"))
		return mount("none", where, "tmpfs", 0, "size=16M");
	snprintf(command, sizeof(command),
		 "exec >/dev/null 2>&1; truncate -s 16M '%s.image' && mkfs.ext4 -q '%s.image' && "
		 "mount -o loop '%s.image' '%s'",
		 where, where, where, where);
	return system(command) ? -1 : 0;
}

FIXTURE_SETUP(full)
{
	char datadir[250];

	snprintf(self->mounted, sizeof(self->mounted), "%s/disk", harness_tmpdir());
	snprintf(self->ballast, sizeof(self->ballast), "%s/ballast", self->mounted);
	ASSERT_EQ(0, mkdir(self->mounted, 0700));
	if (mount_small(variant->type, self->mounted))
		SKIP(return, "cannot mount a small %s: %s", variant->type, strerror(errno));
	snprintf(datadir, sizeof(datadir), "%s/data", self->mounted);
	daemon_init(&self->d, datadir);
	daemon_set(&self->d, "log.preallocate_bytes=%d", 256 << 10);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
}
FIXTURE_TEARDOWN(full)
{
	EXPECT_TRUE(daemon_runs(&self->d));
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
	umount(self->mounted);
}

static void put_ballast(const char *path, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fallocate(fd, 0, (off_t)bytes));
	close(fd);
}

/* Takes what is left, and what is set aside for writing that back. */
static void fill_up(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	static const char block[1024];
	bool more = true;

	ASSERT_LE(0, fd);
	while (more) {
		more = false;
		while (write(fd, block, sizeof(block)) > 0)
			more = true;
		ASSERT_EQ(0, fsync(fd));
	}
	close(fd);
}

/* Produces until it is refused. Return: records acknowledged in all. */
static uint64_t produce_until_full(struct wire *w, uint64_t from)
{
	int err = 0;

	while (!err && from < 4000) {
		err = produce(w, from);
		from += !err;
	}
	EXPECT_EQ(KAFKA_ERR_KAFKA_STORAGE_ERROR, err);
	return from;
}

TEST_F(full, refuses_writes_until_space_returns)
{
	uint64_t n;

	put_ballast(self->ballast, 6 << 20);
	n = produce_until_full(&self->w, 0);
	TH_LOG("%llu records until full", (unsigned long long)n);
	EXPECT_LT(100u, n);
	EXPECT_LE(1u, daemon_log_count(&self->d, "log.disk-full"));
	/* Reading goes on, and so does everything that needs no space. */
	EXPECT_EQ((int64_t)n, wire_count_once(&self->w, topic, 0));
	EXPECT_EQ(0, wire_ping(&self->w));
	EXPECT_EQ(KAFKA_ERR_KAFKA_STORAGE_ERROR, produce(&self->w, n));
	ASSERT_EQ(0, unlink(self->ballast));
	for (int i = 0; i < 50; i++)
		if (EXPECT_EQ(0, produce(&self->w, n)))
			n++;
	EXPECT_EQ((int64_t)n, wire_count_once(&self->w, topic, 0));
	wire_close(&self->w);
	daemon_kill(&self->d);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	EXPECT_EQ((int64_t)n, wire_count_once(&self->w, topic, 0));
	EXPECT_EQ(0, produce(&self->w, n));
}

TEST_F(full, deleted_topic_gives_space_back)
{
	uint64_t n;
	int err = -1;

	ASSERT_EQ(0, wire_topic_create(&self->w, "other", 1, NULL));
	for (uint64_t i = 0; i < 400; i++) {
		struct wire_batch b = {.first = i, .n = 1, .value_bytes = 10000,
				       .producer_id = -1};
		size_t len;
		uint8_t *p = wire_batch_make(&b, &len);

		ASSERT_EQ(0, wire_produce(&self->w, "other", 0, -1, p, len, NULL));
		free(p);
	}
	n = produce_until_full(&self->w, 0);
	ASSERT_EQ(0, wire_topic_delete(&self->w, "other"));
	for (int i = 0; err && i < 500; i++) {
		err = produce(&self->w, n);
		if (err)
			wire_sleep(10 * SL_MSEC);
	}
	EXPECT_EQ(0, err);
	EXPECT_EQ((int64_t)n + !err, wire_count_once(&self->w, topic, 0));
}

/* The leader epoch of the batch at @offset, which is the number of the start that took it. */
static int32_t epoch_at(struct wire *w, int64_t offset)
{
	struct wire_fetched f;
	struct sl_batch b = {.epoch = -1};

	EXPECT_EQ(0, wire_fetch(w, topic, 0, offset, 1, 0, &f));
	if (EXPECT_LE((size_t)SL_BATCH_HEADER_BYTES, f.len))
		sl_batch_load(f.records, &b);
	wire_answer_done(&f.answer);
	return b.epoch;
}

/* Produces a record when there is space for it. */
static void produce_when_possible(struct wire *w, uint64_t number)
{
	int err = -1;

	for (int i = 0; err && i < 1000 * harness_time_scale(); i++) {
		err = produce(w, number);
		if (!err)
			break;
		ASSERT_EQ(KAFKA_ERR_KAFKA_STORAGE_ERROR, err);
		wire_sleep(10 * SL_MSEC);
	}
	EXPECT_EQ(0, err);
}

/*
 * Full to the brim at the start: what is there is served, nothing is appended under a number that
 * the next start would use too, and writes go on by themselves when there is space.
 */
TEST_F_TIMEOUT(full, start_on_a_full_disk_serves_and_writes_when_it_can, 58)
{
	uint64_t n;

	put_ballast(self->ballast, 9 << 20);
	n = produce_until_full(&self->w, 0);
	wire_close(&self->w);
	for (int i = 0; i < 2; i++) {
		daemon_kill(&self->d);
		fill_up(self->ballast);
		daemon_must_start(&self->d);
		wire_must_open(&self->w, self->d.kafka_port);
		EXPECT_EQ(i + 1u, daemon_log_count(&self->d, "daemon.read-only"));
		EXPECT_EQ((int64_t)n, wire_count_once(&self->w, topic, 0));
		EXPECT_EQ(KAFKA_ERR_KAFKA_STORAGE_ERROR, produce(&self->w, n));
		if (!i)
			wire_close(&self->w);
	}
	EXPECT_EQ(0u, daemon_log_count(&self->d, "daemon.writable"));
	ASSERT_EQ(0, unlink(self->ballast));
	produce_when_possible(&self->w, n);
	EXPECT_EQ(1u, daemon_log_count(&self->d, "daemon.writable"));
	wire_close(&self->w);
	daemon_kill(&self->d);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	EXPECT_EQ(0, produce(&self->w, n + 1));
	EXPECT_EQ((int64_t)n + 2, wire_count_once(&self->w, topic, 0));
	EXPECT_EQ(1, epoch_at(&self->w, 0));
	EXPECT_EQ(2, epoch_at(&self->w, (int64_t)n));
	EXPECT_EQ(3, epoch_at(&self->w, (int64_t)n + 1));
}

/* ---- refusals to start ---------------------------------------------------------------------- */

static void write_version(const struct daemon_kit *d, int format)
{
	char path[600], text[512];
	FILE *f;
	int n = snprintf(text, sizeof(text),
			 "sluice datadir\nformat %d\nmin_reader %d\ncluster_id abc\n"
			 "incarnation 7\nclean yes\n", format, format);

	snprintf(path, sizeof(path), "%s/VERSION", d->datadir);
	f = fopen(path, "we");
	ASSERT_TRUE(f != NULL);
	fprintf(f, "%scrc32c %08x\n", text, sl_crc32c(0, text, (size_t)n));
	fclose(f);
}

TEST(newer_format_is_refused_with_a_clear_line)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_must_start(&d);
	ASSERT_EQ(0, daemon_stop(&d));
	write_version(&d, 99);
	EXPECT_EQ(1, daemon_start(&d));
	EXPECT_EQ(1u, daemon_log_count(&d, "newer"));
	daemon_log_show(&d);
	write_version(&d, 1);
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST(second_daemon_is_refused_and_told_who_holds_it)
{
	struct daemon_kit first, second;
	char pid[32];

	daemon_init(&first, NULL);
	daemon_must_start(&first);
	daemon_init(&second, NULL);
	snprintf(second.log, sizeof(second.log), "%s/second.log", harness_tmpdir());
	snprintf(second.out, sizeof(second.out), "%s/second.out", harness_tmpdir());
	EXPECT_EQ(1, daemon_start(&second));
	snprintf(pid, sizeof(pid), "%d", first.pid);
	EXPECT_EQ(1u, daemon_log_count(&second, pid));
	daemon_log_show(&second);
	EXPECT_TRUE(daemon_runs(&first));
	EXPECT_EQ(0, daemon_stop(&first));
	EXPECT_EQ(0, daemon_start(&second));
	EXPECT_EQ(0, daemon_stop(&second));
}

/* Another program's port, and that of a sluiced with another DATADIR. */
TEST(port_in_use_is_told)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);
	struct daemon_kit first, second;
	char text[64];

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, len));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(a.sin_port));
	daemon_init(&first, NULL);
	daemon_set(&first, "kafka.listen=%s", text);
	EXPECT_EQ(1, daemon_start(&first));
	EXPECT_LE(1u, daemon_log_count(&first, text));
	EXPECT_LE(1u, daemon_log_count(&first, "in use"));
	daemon_log_show(&first);
	close(fd);
	daemon_must_start(&first);
	daemon_init(&second, NULL);
	snprintf(second.datadir, sizeof(second.datadir), "%s/second", harness_tmpdir());
	snprintf(second.log, sizeof(second.log), "%s/second.log", harness_tmpdir());
	snprintf(second.out, sizeof(second.out), "%s/second.out", harness_tmpdir());
	daemon_set(&second, "kafka.listen=%s", text);
	EXPECT_EQ(1, daemon_start(&second));
	EXPECT_LE(1u, daemon_log_count(&second, "in use"));
	daemon_kill(&second);
	/* One that was killed leaves its port to the next. */
	for (int i = 0; i < 5; i++) {
		daemon_kill(&first);
		daemon_must_start(&first);
	}
	EXPECT_EQ(0, daemon_stop(&first));
}

TEST_HARNESS_MAIN
