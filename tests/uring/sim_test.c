/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk as a backend: what is its own, operations on a ring, threads, settings. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_calls.h"

FIXTURE(sim)
{
	struct sl_sim *sim;
	struct sl_ring *ring;
	char why[200];
};

FIXTURE_SETUP(sim)
{
	struct sl_ring_conf conf = {0};

	self->sim = sl_sim_new(5, NULL);
	sl_backend_use(sl_sim_backend(self->sim));
	conf.backend = sl_sim_backend(self->sim);
	if (sl_ring_new(&conf, &self->ring, self->why, sizeof(self->why)))
		SKIP(return, "no ring: %s", self->why);
	ASSERT_EQ(0, sl_ring_enable(self->ring));
}

FIXTURE_TEARDOWN(sim)
{
	sl_ring_free(self->ring);
	sl_backend_use(NULL);
	sl_sim_free(self->sim);
}

/* ---- whose operation it is ---------------------------------------------------------------- */

TEST_F(sim, real_descriptors_and_surroundings_are_the_machines)
{
	char path[300], c;
	int dir, fd;

	sl_backend_use(NULL);
	dir = call_open(harness_tmpdir(), O_RDONLY | O_DIRECTORY);
	sl_backend_use(sl_sim_backend(self->sim));
	fd = call_open_at(dir, "real", O_RDWR | O_CREAT);
	ASSERT_LE(0, fd);
	EXPECT_GT(SL_SIM_FD_BASE, fd);
	EXPECT_EQ(1, call_write(fd, "r", 1, 0));
	EXPECT_EQ(1, call_read(fd, &c, 1, 0));
	snprintf(path, sizeof(path), "%s/real", harness_tmpdir());
	EXPECT_EQ(-ENOENT, call_open(path, O_RDONLY)); /* of the simulation */
	EXPECT_EQ(-EXDEV, call_rename_at(dir, "real", AT_FDCWD, "a"));
	EXPECT_EQ(0, call_unlink_at(dir, "real", 0));
	EXPECT_LT(0, sl_wall_clock_ns());
	sl_random(&c, 1);
	EXPECT_EQ(0, sl_sim_ops(self->sim));
	EXPECT_EQ(0, call_close(fd));
	EXPECT_EQ(0, call_close(dir));
}

TEST_F(sim, sendfile_sends_from_a_simulated_file)
{
	char buf[16] = "";
	int64_t off = 2;
	struct sl_io io;
	int pair[2];
	int fd = call_open("a", O_RDWR | O_CREAT);

	call_write(fd, "0123456789", 10, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	sl_io_sendfile(&io, pair[0], fd, &off, 5);
	EXPECT_EQ(5, sl_io_now(&io));
	EXPECT_EQ(7, off);
	EXPECT_EQ(5, read(pair[1], buf, sizeof(buf)));
	EXPECT_STREQ("23456", buf);
	off = 10;
	EXPECT_EQ(0, sl_io_now(&io));
	sl_io_sendfile(&io, pair[0], fd, NULL, 5);
	EXPECT_EQ(-EINVAL, sl_io_now(&io));
	sl_io_splice(&io, pair[0], fd, &off, 5, 0);
	EXPECT_EQ(-EINVAL, sl_io_now(&io));
	sl_sim_cut(self->sim);
	off = 0;
	sl_io_sendfile(&io, pair[0], fd, &off, 5);
	EXPECT_EQ(-EIO, sl_io_now(&io));
	close(pair[0]);
	close(pair[1]);
}

/* ---- on a ring ------------------------------------------------------------------------------ */

/* An operation that notes when it completed. */
struct noted {
	struct sl_io io;
	int *count;
	int order; /* from 1 */
};

static void note(struct sl_io *io)
{
	struct noted *n = sl_container_of(io, struct noted, io);

	n->order = ++*n->count;
}

static void begin(struct sl_ring *ring, struct noted *n, int *count)
{
	n->io.done = note;
	n->count = count;
	ASSERT_EQ(0, sl_ring_start(ring, &n->io));
}

static void turn_until(struct sl_ring *ring, const int *count, int want)
{
	for (int i = 0; i < 1000 && *count < want; i++)
		ASSERT_LE(0, sl_ring_turn(ring, 0));
	ASSERT_EQ(want, *count);
	EXPECT_EQ(0, sl_ring_inflight(ring));
}

TEST_F(sim, operations_complete_on_the_next_turn_in_order)
{
	struct noted w[3];
	int count = 0, fd = call_open("a", O_RDWR | O_CREAT);

	for (int i = 0; i < 3; i++) {
		sl_io_write(&w[i].io, fd, &"abc"[i], 1, (uint64_t)i);
		begin(self->ring, &w[i], &count);
		EXPECT_TRUE(w[i].io.inflight);
	}
	EXPECT_EQ(0, count);
	EXPECT_LE(3, sl_ring_turn(self->ring, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(i + 1, w[i].order);
		EXPECT_EQ(1, w[i].io.res);
		EXPECT_FALSE(w[i].io.inflight);
	}
	EXPECT_EQ(3, call_size("a"));
}

TEST_F(sim, delayed_operations_overtake_each_other)
{
	struct noted r[20];
	bool overtaken = false;
	int count = 0, fd;
	char c[20];

	call_put("a", "x", true);
	fd = call_open("a", O_RDONLY);
	sl_sim_delay(self->sim, 8);
	for (int i = 0; i < 20; i++) {
		sl_io_read(&r[i].io, fd, &c[i], 1, 0);
		begin(self->ring, &r[i], &count);
		EXPECT_TRUE(r[i].io.inflight);
		EXPECT_EQ(0, sl_ring_cancel(self->ring, &r[i].io)); /* done() is due anyway */
	}
	turn_until(self->ring, &count, 20);
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(1, r[i].io.res);
		EXPECT_EQ('x', c[i]);
		overtaken |= i && r[i].order < r[i - 1].order;
	}
	EXPECT_TRUE(overtaken);
}

/* Writes "old", starts a sync that is held back, writes "new" behind it and lets it complete. */
static void overlap(struct sl_sim *sim, struct sl_ring *ring, bool complete)
{
	struct noted s;
	int count = 0, fd = call_open("a", O_RDWR | O_CREAT);

	call_sync_path("/");
	call_write(fd, "old", 3, 0);
	sl_sim_delay(sim, 4);
	sl_io_fsync(&s.io, fd, true, SL_FAULT_NONE);
	begin(ring, &s, &count);
	call_write(fd, "new", 3, 0);
	if (!complete)
		sl_sim_cut(sim);
	turn_until(ring, &count, 1);
	EXPECT_EQ(complete ? 0 : -EIO, s.io.res);
	sl_sim_delay(sim, 0);
	sl_sim_reboot(sim, SL_SIM_LOSE_ALL);
}

TEST_F(sim, a_held_sync_covers_only_what_came_before_it)
{
	char buf[256];

	overlap(self->sim, self->ring, true);
	EXPECT_STREQ("old", call_get("a", buf));
}

TEST_F(sim, a_held_sync_of_a_folder_does_too)
{
	struct noted s;
	char buf[256];
	int count = 0;

	call_put("before", "text", true);
	sl_sim_delay(self->sim, 4);
	sl_io_fsync(&s.io, call_open("/", O_RDONLY | O_DIRECTORY), false, SL_FAULT_NONE);
	begin(self->ring, &s, &count);
	call_put("behind", "text", true);
	turn_until(self->ring, &count, 1);
	EXPECT_EQ(0, s.io.res);
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("before", buf));
	EXPECT_STREQ("-", call_get("behind", buf));
}

TEST_F(sim, a_held_sync_that_did_not_complete_made_nothing_durable)
{
	char buf[256];

	overlap(self->sim, self->ring, false);
	EXPECT_STREQ("", call_get("a", buf));
}

TEST_F(sim, a_held_operation_does_not_outlive_its_boot)
{
	struct noted m;
	struct statx stx;
	int count = 0;

	sl_sim_delay(self->sim, 4);
	sl_io_mkdirat(&m.io, AT_FDCWD, "d", 0700);
	begin(self->ring, &m, &count);
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	turn_until(self->ring, &count, 1);
	EXPECT_EQ(-EIO, m.io.res);
	EXPECT_EQ(-ENOENT, call_statx(AT_FDCWD, "d", 0, &stx));
}

TEST_F(sim, faults_stand_before_a_simulated_disk)
{
	struct sl_faults f;
	struct noted w;
	int count = 0, fd;
	char buf[256];

	sl_faults_init(&f, sl_sim_backend(self->sim));
	f.ops = UINT64_C(1) << SL_OP_WRITE;
	f.nth = 1;
	fd = call_open("a", O_RDWR | O_CREAT);
	sl_sim_delay(self->sim, 3); /* a short write stays one although it is held back */
	sl_io_write(&w.io, fd, "12345678", 8, 0);
	w.io.done = note;
	w.count = &count;
	ASSERT_EQ(0, f.backend.start(&f.backend, self->ring, &w.io));
	EXPECT_EQ(8, w.io.len);
	turn_until(self->ring, &count, 1);
	EXPECT_EQ(4, w.io.res);
	EXPECT_STREQ("1234", call_get("a", buf));
}

/* ---- threads and words ---------------------------------------------------------------------- */

struct worker {
	struct sl_sim *sim;
	int number;
	int bad;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	char path[32];
	uint64_t v = 0;
	int fd;

	sl_backend_use(sl_sim_backend(w->sim));
	snprintf(path, sizeof(path), "file-%d", w->number);
	fd = call_open(path, O_RDWR | O_CREAT);
	for (uint64_t i = 1; i <= 500; i++) {
		w->bad += call_write(fd, &i, sizeof(i), i * 100) != sizeof(i);
		w->bad += call_fsync(fd) != 0;
		w->bad += call_read(fd, &v, sizeof(v), i * 100) != sizeof(v) || v != i;
		w->bad += call_sync_path("/") != 0;
	}
	return NULL;
}

TEST_F(sim, several_threads_share_a_disk)
{
	struct worker workers[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){self->sim, i, 0};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &workers[i]));
	}
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, workers[i].bad);
	}
	EXPECT_EQ(4 * (1 + 3 * 500), sl_sim_ops(self->sim));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(500 * 100 + 8, call_size("file-3"));
}

TEST_F(sim, the_dump_tells_what_is_not_durable)
{
	char text[2000] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	ASSERT_NOT_NULL(out);
	call_mkdir("d");
	call_put("d/kept", "12345", true);
	call_sync_path("d");
	call_sync_path("/");
	call_put("d/new", "123", false);
	call_unlink("d/kept");
	sl_sim_dump(self->sim, out);
	fclose(out);
	EXPECT_NOT_NULL(strstr(text, "power on, 2 changes of folders pending\n"));
	EXPECT_NOT_NULL(strstr(text, "  d/\n"));
	EXPECT_NOT_NULL(strstr(text, "    new 3 bytes, 0 on disk, 1 changes pending "
				     "(name not on disk)\n"));
	EXPECT_NOT_NULL(strstr(text, "    kept (gone, but on disk)\n"));
}

TEST_F(sim, the_limit_may_move)
{
	int fd = call_open("a", O_RDWR | O_CREAT);

	sl_sim_limit(self->sim, 4096);
	EXPECT_EQ(1, call_write(fd, "x", 1, 0));
	EXPECT_EQ(-ENOSPC, call_write(fd, "x", 1, 4096));
	sl_sim_limit(self->sim, 8192);
	EXPECT_EQ(1, call_write(fd, "x", 1, 4096));
	sl_sim_limit(self->sim, 4096); /* less than is used */
	EXPECT_EQ(-ENOSPC, call_write(fd, "x", 1, 8192));
	EXPECT_EQ(1, call_write(fd, "x", 1, 1));
	sl_sim_limit(self->sim, 0);
	EXPECT_EQ(1, call_write(fd, "x", 1, 8192));
}

TEST_HARNESS_MAIN
