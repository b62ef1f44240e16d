/* SPDX-License-Identifier: Apache-2.0 */
/* Direct reads: every alignment, the file's end, faults, budgets, read-ahead, what goes on late. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"
#include "uring/sim.h"

#define BIT(op) (UINT64_C(1) << (op))
#define READS (BIT(SL_OP_READ) | BIT(SL_OP_READ_FIXED))
#define TMPFS_MAGIC 0x01021994
#define FILE_BYTES (6 * SL_MIB + 777)

enum { SLICES = 40 };

/* ---- a backend that holds reads back ---------------------------------------------------- */

/*
 * What was begun waits in @held until hold_let() hands it on; @open hands everything on.
 * @cap: the most bytes that a read brings; 0: no limit.
 */
struct hold {
	struct sl_backend backend;
	struct sl_backend *inner;
	struct sl_ring *ring;
	struct sl_io *held[256];
	uint32_t n;
	int cap;
	bool open;
};

static int hold_now(struct sl_backend *b, struct sl_io *io)
{
	struct hold *h = sl_container_of(b, struct hold, backend);
	int res = h->inner->now(h->inner, io);

	if (h->cap && READS >> io->op & 1)
		res = sl_min(res, h->cap);
	return io->res = res;
}

static int hold_start(struct sl_backend *b, struct sl_ring *ring, struct sl_io *io)
{
	struct hold *h = sl_container_of(b, struct hold, backend);

	if (h->cap && READS >> io->op & 1) {
		hold_now(b, io);
		sl_ring_complete(ring, io);
		return 0;
	}
	if (h->open || !(READS >> io->op & 1))
		return h->inner->start(h->inner, ring, io);
	ASSERT_GT(SL_ARRAY_SIZE(h->held), h->n);
	h->ring = ring;
	h->held[h->n++] = io;
	return 0;
}

/* Hands on the one held longest. */
static void hold_let(struct hold *h)
{
	struct sl_io *io = h->held[0];

	ASSERT_LT(0, h->n);
	memmove(h->held, h->held + 1, --h->n * sizeof(h->held[0]));
	ASSERT_EQ(0, h->inner->start(h->inner, h->ring, io));
}

static void hold_let_all(struct hold *h)
{
	h->open = true;
	while (h->n)
		hold_let(h);
}

static uint64_t held_bytes(const struct hold *h)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < h->n; i++)
		sum += h->held[i]->len;
	return sum;
}

/* ---- the fixture ------------------------------------------------------------------------ */

/* Every test runs on a core over a real disk, over tmpfs, and over the simulated disk. */
FIXTURE(direct)
{
	struct sl_sim *sim;
	struct sl_backend *disk;
	struct sl_faults f;
	struct hold hold;
	uint8_t *bytes; /* what is in the file */
	uint64_t size;
	char shm[64];
	int dir;
	void (*fn)(FIXTURE_DATA(direct) * self);
};

FIXTURE_VARIANT(direct)
{
	bool sim, tmpfs;
};

FIXTURE_VARIANT_ADD(direct, disk){.sim = false};
FIXTURE_VARIANT_ADD(direct, tmpfs){.tmpfs = true};
FIXTURE_VARIANT_ADD(direct, sim){.sim = true};

static void set_up(FIXTURE_DATA(direct) * self)
{
	sl_faults_init(&self->f, self->disk);
	self->hold = (struct hold){
		.backend = {"hold", hold_now, hold_start}, .inner = &self->f.backend, .open = true};
	self->size = FILE_BYTES;
	self->bytes = malloc(self->size);
	for (uint64_t i = 0; i < self->size; i += 8) {
		uint64_t v = harness_random();

		memcpy(self->bytes + i, &v, sl_min(self->size - i, (uint64_t)8));
	}
}

FIXTURE_SETUP(direct)
{
	struct statfs fs;

	if (variant->tmpfs) {
		if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC)
			SKIP(return, "no tmpfs at /dev/shm");
		snprintf(self->shm, sizeof(self->shm), "/dev/shm/sluice-XXXXXX");
		if (!mkdtemp(self->shm))
			SKIP(return, "/dev/shm: %s", strerror(errno));
	}
	if (variant->sim) {
		self->sim = sl_sim_new(harness_seed(), NULL);
		self->disk = sl_sim_backend(self->sim);
	}
	set_up(self);
}

FIXTURE_TEARDOWN(direct)
{
	char command[100];

	sl_sim_free(self->sim);
	free(self->bytes);
	snprintf(command, sizeof(command), "rm -rf '%s'", self->shm);
	if (*self->shm)
		EXPECT_EQ(0, system(command));
}

/* Fills the file through the thread's backend; what is then in the page cache is let go. */
static void make_file(FIXTURE_DATA(direct) * self)
{
	int fd = sl_open_now(self->dir, "f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct iovec iov = {self->bytes, self->size};

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sl_writev_all(fd, &iov, 1, 0, SL_NEVER));
	if (!self->sim) {
		ASSERT_EQ(0, fsync(fd));
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	sl_close(fd);
}

static int run_job(void *arg)
{
	FIXTURE_DATA(direct) *self = arg;

	self->dir = sl_open_now(AT_FDCWD,
				self->sim    ? "/"
				: *self->shm ? self->shm
					     : harness_tmpdir(),
				O_RDONLY | O_DIRECTORY, 0);
	ASSERT_LE(0, self->dir);
	make_file(self);
	self->fn(self);
	sl_close(self->dir);
	return 0;
}

static void over(FIXTURE_DATA(direct) * self, struct sl_cores_conf conf,
		 void (*fn)(FIXTURE_DATA(direct) * self))
{
	self->fn = fn;
	conf.backend = &self->hold.backend;
	conf.arena_bytes_max = conf.arena_bytes_max ? conf.arena_bytes_max : 32 * SL_MIB;
	EXPECT_EQ(0, sl_core_run(&conf, run_job, self));
}

/* The same on a thread without a core. */
static void over_thread(void (*fn)(FIXTURE_DATA(direct) * self))
{
	FIXTURE_DATA(direct) self = {.sim = NULL};

	set_up(&self);
	self.fn = fn;
	sl_backend_use(&self.hold.backend);
	run_job(&self);
	sl_backend_use(NULL);
	free(self.bytes);
}

static const struct sl_cores_conf plain = {0};

static struct sl_direct *file_of(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = NULL;

	ASSERT_EQ(0, sl_direct_open(self->dir, "f", &f, SL_NEVER));
	ASSERT_EQ(self->size, sl_direct_size(f));
	return f;
}

static uint64_t metric(enum sl_metric_id id)
{
	return sl_core_metrics(sl_core_self())->scalars[id];
}

static uint64_t fallbacks(enum sl_direct_fallback reason)
{
	return *sl_metric_cell(sl_core_metrics(sl_core_self()), SL_M_DIRECT_FALLBACKS, reason, 0);
}

/* Nothing is in flight, and no memory in use. */
static void expect_rest(void)
{
	if (!sl_core_self())
		return;
	EXPECT_EQ(0, metric(SL_M_DIRECT_IN_FLIGHT));
	EXPECT_EQ(0, metric(SL_M_DIRECT_IN_FLIGHT_BYTES));
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
}

/* Turns of the core, so that others run and completions come. */
static void turns(int n)
{
	while (n--)
		sl_fiber_yield(SL_NEVER);
}

/* Waits for all that is in flight. */
static void rest(void)
{
	while (sl_core_self() && metric(SL_M_DIRECT_IN_FLIGHT))
		turns(1);
}

/* Reads, and compares with what pread would say. Return: as sl_direct_read(). */
static int read_and_compare(FIXTURE_DATA(direct) * self, struct sl_direct *f, uint64_t off,
			    size_t len, int64_t deadline)
{
	uint64_t there = off < self->size ? sl_min(self->size - off, (uint64_t)len) : 0, at = 0;
	struct sl_slice s[SLICES] = {0};
	int n = sl_direct_read(f, off, len, s, SLICES, deadline);

	for (int i = 0; i < n; i++) {
		ASSERT_LT(0, s[i].len);
		ASSERT_LE(s[i].len, there - at);
		if (memcmp(self->bytes + off + at, s[i].data, s[i].len))
			EXPECT_MEMEQ(self->bytes + off + at, s[i].data, s[i].len);
		at += s[i].len;
		sl_slice_release(&s[i]);
	}
	if (n >= 0 && !EXPECT_EQ(there, at))
		TH_LOG("of %zu at %llu", len, (unsigned long long)off);
	for (int i = 0; n < 0 && i < SLICES; i++)
		ASSERT_NULL(s[i].buf);
	return n;
}

/* ---- alignment and the end -------------------------------------------------------------- */

static void every_alignment(FIXTURE_DATA(direct) * self)
{
	static const int64_t near[] = {-1, 0, 1, 255, 512, 513};
	static const uint64_t at[] = {0, 512, 4096, 8192, SL_DIRECT_STEP_BYTES};
	struct sl_direct *f = file_of(self);

	for (size_t i = 0; i < SL_ARRAY_SIZE(at) * SL_ARRAY_SIZE(near); i++) {
		int64_t off = (int64_t)at[i / SL_ARRAY_SIZE(near)] + near[i % SL_ARRAY_SIZE(near)];

		for (size_t k = 0; k < SL_ARRAY_SIZE(at) * SL_ARRAY_SIZE(near); k++) {
			int64_t len = (int64_t)at[k / SL_ARRAY_SIZE(near)] +
				      near[k % SL_ARRAY_SIZE(near)];

			if (off >= 0 && len >= 0)
				EXPECT_LE(0, read_and_compare(self, f, (uint64_t)off, (size_t)len,
							      SL_NEVER));
		}
	}
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, every_alignment_reads_what_pread_does)
{
	over(self, plain, every_alignment);
}

static void ends(FIXTURE_DATA(direct) * self)
{
	static const uint64_t sizes[] = {0, 1, 511, 512, 4095, 4096, 4097, 3 * 4096 + 777};

	for (size_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct sl_direct *f;

		self->size = sizes[i];
		make_file(self);
		f = file_of(self);
		for (uint64_t back = 0; back < 3; back++)
			for (uint64_t len = 0; len < 6; len++)
				EXPECT_LE(0, read_and_compare(self, f,
							      self->size - sl_min(back, self->size),
							      len, SL_NEVER));
		EXPECT_LE(0, read_and_compare(self, f, 0, 100000, SL_NEVER));
		EXPECT_EQ(0, read_and_compare(self, f, self->size + 1, 1, SL_NEVER));
		EXPECT_EQ(0, read_and_compare(self, f, self->size + 100000, 100000, SL_NEVER));
		sl_direct_close(f);
	}
	expect_rest();
}

TEST_F(direct, the_end_of_the_file_ends_a_read)
{
	over(self, plain, ends);
}

static void whole(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);

	EXPECT_EQ(25, read_and_compare(self, f, 0, self->size, SL_NEVER));
	EXPECT_EQ(25, read_and_compare(self, f, 1, self->size + SL_MIB, SL_NEVER));
	EXPECT_EQ(1, read_and_compare(self, f, SL_MIB - 1, 2, SL_NEVER));
	sl_direct_close(f);
	sl_direct_close(NULL);
	expect_rest();
}

TEST_F(direct, more_than_a_window_is_read)
{
	over(self, plain, whole);
}

/* Whether the page cache has the file's second page; a read that would not wait brings it there. */
static bool is_cached(int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	uint8_t there = 0;

	ASSERT_TRUE(p != MAP_FAILED);
	ASSERT_EQ(0, mincore(p, 4096, &there));
	munmap(p, 4096);
	return there & 1;
}

static void past_the_cache(FIXTURE_DATA(direct) * self)
{
	int64_t until = sl_now() + 5 * SL_SEC * harness_time_scale();
	int fd = openat(self->dir, "f", O_RDONLY);
	struct sl_direct *f = file_of(self);

	/* The kernel lets go when it likes. */
	while (is_cached(fd) && sl_now() < until) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		sl_sleep(sl_now() + SL_MSEC);
	}
	if (sl_direct_align(f) == 1)
		SKIP(goto out, "no direct reads in the folder for temporary files");
	ASSERT_FALSE(is_cached(fd));
	EXPECT_EQ(2, read_and_compare(self, f, 100, 300000, SL_NEVER));
	EXPECT_FALSE(is_cached(fd));
	EXPECT_EQ(2, metric(SL_M_DIRECT_READS));
	EXPECT_LE(300000, metric(SL_M_DIRECT_BYTES));
	for (int i = 0; i < SL_DIRECT_FALLBACK_LAST; i++)
		EXPECT_EQ(0, fallbacks((enum sl_direct_fallback)i));
out:
	close(fd);
	sl_direct_close(f);
}

TEST(bytes_come_past_the_page_cache)
{
	FIXTURE_DATA(direct) self = {.sim = NULL};

	set_up(&self);
	over(&self, plain, past_the_cache);
	free(self.bytes);
}

static void refused(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);

	EXPECT_EQ(1, sl_direct_align(f));
	EXPECT_EQ(1, read_and_compare(self, f, 100, 5000, SL_NEVER));
	EXPECT_EQ(1, metric(SL_M_DIRECT_READS));
	EXPECT_EQ(5000, metric(SL_M_DIRECT_BYTES));
	EXPECT_EQ(1, fallbacks(SL_DIRECT_BUFFERED));
	sl_direct_close(f);
}

/* The simulated disk refuses O_DIRECT. */
TEST(refused_direct_reads_go_by_the_page_cache)
{
	FIXTURE_DATA(direct) self = {.sim = sl_sim_new(harness_seed(), NULL)};

	self.disk = sl_sim_backend(self.sim);
	set_up(&self);
	over(&self, plain, refused);
	sl_sim_free(self.sim);
	free(self.bytes);
}

static void written_meanwhile(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	int fd = sl_open(self->dir, "f", O_RDWR, 0, SL_NEVER);

	for (int i = 0; i < 20; i++) {
		uint64_t at = self->size - 1 - (uint64_t)i * 9973;

		self->bytes[at] ^= 0x55;
		ASSERT_EQ(0, sl_write_all(fd, &self->bytes[at], 1, at, SL_NEVER));
		EXPECT_EQ(1, read_and_compare(self, f, at - 10, 20, SL_NEVER));
	}
	sl_close(fd);
	sl_direct_close(f);
}

TEST_F(direct, what_is_written_meanwhile_is_read)
{
	over(self, plain, written_meanwhile);
}

/* ---- faults ----------------------------------------------------------------------------- */

static void opening_fails(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = NULL;

	EXPECT_EQ(-ENOENT, sl_direct_open(self->dir, "none", &f, SL_NEVER));
	self->f.ops = BIT(SL_OP_OPENAT) | BIT(SL_OP_STATX);
	self->f.err = EIO;
	for (self->f.nth = 1;; self->f.nth++) {
		int err;

		self->f.count = 0;
		err = sl_direct_open(self->dir, "f", &f, SL_NEVER);
		if (self->f.count < self->f.nth)
			break;
		EXPECT_EQ(-EIO, err);
		EXPECT_NULL(f);
	}
	EXPECT_LE(3, self->f.nth);
	self->f.nth = 0;
	sl_direct_close(f);
}

TEST_F(direct, a_failed_opening_is_told)
{
	over(self, plain, opening_fails);
}

/* Each read of a long one fails in turn, with each of the errors a disk has. */
static void nth_fails(FIXTURE_DATA(direct) * self)
{
	static const int errs[] = {EIO, ENODATA};
	struct sl_direct *f = file_of(self);

	self->f.ops = READS;
	for (size_t i = 0; i < SL_ARRAY_SIZE(errs); i++) {
		self->f.err = errs[i];
		for (self->f.nth = 1; self->f.nth <= 21; self->f.nth++) {
			self->f.count = 0;
			EXPECT_EQ(-errs[i],
				  read_and_compare(self, f, 999, 5 * SL_MIB + 1, SL_NEVER));
			EXPECT_LE(self->f.nth, self->f.count);
			expect_rest();
		}
		self->f.count = 0;
		EXPECT_EQ(21, read_and_compare(self, f, 999, 5 * SL_MIB + 1, SL_NEVER));
		EXPECT_EQ(21, self->f.count);
	}
	sl_direct_close(f);
}

TEST_F(direct, a_failed_read_is_told_and_leaves_nothing)
{
	over(self, plain, nth_fails);
}

/* Ranges whose last pieces are two blocks: a fault halves them, and half a block cannot be read. */
static void nth_short(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	uint32_t block = sl_max(sl_direct_align(f), 512u);
	uint64_t last = sl_round_down(self->size, block) - block;

	self->f.ops = READS;
	self->f.err = 0;
	for (self->f.nth = 1; self->f.nth <= 5; self->f.nth++) {
		self->f.count = 0;
		EXPECT_EQ(5, read_and_compare(self, f, block + 1, SL_MIB + block + 9, SL_NEVER));
		EXPECT_EQ(6, self->f.count);
		expect_rest();
	}
	self->f.nth = 1;
	self->f.count = 0;
	EXPECT_EQ(1, read_and_compare(self, f, last + 1, 2 * block - 1, SL_NEVER));
	EXPECT_LE(2, self->f.count);
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_short_read_is_continued)
{
	over(self, plain, nth_short);
}

static void never_a_block(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);

	self->hold.cap = 100;
	/* The same part of a block again and again: neither a way to its end nor the file's end. */
	EXPECT_EQ(sl_direct_align(f) == 1 ? 1 : -EIO,
		  read_and_compare(self, f, 100, 5000, SL_NEVER));
	EXPECT_EQ(1, read_and_compare(self, f, 0, 100, SL_NEVER));
	EXPECT_EQ(1, read_and_compare(self, f, sl_round_down(self->size, 4096) + 10, 10, SL_NEVER));
	self->hold.cap = 0;
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_disk_that_gets_no_further_is_an_error)
{
	over(self, plain, never_a_block);
}

static void arena_used_up(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	struct sl_buf *all = sl_buf_new(SL_BUF_BYTES_MAX);

	ASSERT_NOT_NULL(all);
	EXPECT_EQ(-ENOMEM, read_and_compare(self, f, 0, 10, SL_NEVER));
	EXPECT_EQ(0, metric(SL_M_DIRECT_IN_FLIGHT));
	sl_buf_release(all);
	EXPECT_EQ(1, read_and_compare(self, f, 0, 10, SL_NEVER));
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_used_up_arena_refuses)
{
	over(self, (struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB}, arena_used_up);
}

/* Leaves enough for a ring, and less than a chunk of the arena takes. */
static void forget_memlock(void)
{
	cap_value_t lock = CAP_IPC_LOCK;
	cap_t caps = cap_get_proc();
	struct rlimit r;

	ASSERT_EQ(0, cap_set_flag(caps, CAP_EFFECTIVE, 1, &lock, CAP_CLEAR));
	ASSERT_EQ(0, cap_set_flag(caps, CAP_PERMITTED, 1, &lock, CAP_CLEAR));
	ASSERT_EQ(0, cap_set_proc(caps));
	cap_free(caps);
	ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &r));
	r.rlim_cur = r.rlim_max = sl_min(r.rlim_max, (rlim_t)(12 * SL_MIB));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &r));
	harness_leaks_unchecked();
}

static void unregistered(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);

	for (int i = 1; i <= 3; i++) {
		EXPECT_EQ(1, read_and_compare(self, f, 100, 5000, SL_NEVER));
		EXPECT_EQ(i, fallbacks(SL_DIRECT_MEMLOCK));
	}
	sl_direct_close(f);
}

TEST_F(direct, memory_that_may_not_be_locked_is_read_into_all_the_same)
{
	char log[4000] = "", path[300];
	const char *told;
	ssize_t n;
	int fd;

	forget_memlock();
	snprintf(path, sizeof(path), "%s/log", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	sl_log_to_fd(fd);
	over(self, plain, unregistered);
	sl_log_to_fd(2);
	n = pread(fd, log, sizeof(log) - 1, 0);
	close(fd);
	ASSERT_LT(0, n);
	told = strstr(log, "event=direct.unregistered");
	ASSERT_NOT_NULL(told);
	EXPECT_NOT_NULL(strstr(told, "LimitMEMLOCK"));
	EXPECT_NULL(strstr(told + 1, "event=direct.unregistered"));
}

/* ---- deadlines -------------------------------------------------------------------------- */

struct late {
	FIXTURE_DATA(direct) * self;
	struct sl_direct *file;
	int64_t deadline;
	size_t len;
	int res;
	bool ended;
};

static void read_late(void *arg)
{
	struct late *l = arg;

	l->res = read_and_compare(l->self, l->file, 0, l->len, l->deadline);
	l->ended = true;
}

static void deadline_passes(FIXTURE_DATA(direct) * self)
{
	struct late l = {self, file_of(self), sl_now(), SL_MIB};

	self->hold.open = false;
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, read_late, &l));
	turns(20);
	/* Time is up, and still it waits: the disk may yet write into its memory. */
	EXPECT_FALSE(l.ended);
	EXPECT_EQ(4, self->hold.n);
	EXPECT_LT(0, sl_buf_bytes_used(sl_core_self()));
	while (self->hold.n > 1)
		hold_let(&self->hold);
	sl_sleep(sl_now() + 10 * SL_MSEC);
	EXPECT_FALSE(l.ended);
	hold_let_all(&self->hold);
	while (!l.ended)
		turns(1);
	EXPECT_EQ(-ETIME, l.res);
	expect_rest();
	sl_direct_close(l.file);
}

TEST_F(direct, no_memory_is_let_go_before_its_completion)
{
	over(self, plain, deadline_passes);
}

/* ---- budgets ---------------------------------------------------------------------------- */

enum { CROWD = 12 };

static const struct sl_cores_conf tight = {.direct_ops_max = 5, .direct_bytes_max = SL_MIB};

static void crowd(FIXTURE_DATA(direct) * self)
{
	struct late l[CROWD], hurried;
	struct sl_direct *f = file_of(self);
	uint32_t left = CROWD;

	self->hold.open = false;
	for (int i = 0; i < CROWD; i++) {
		l[i] = (struct late){self, f, SL_NEVER, SL_MIB};
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, read_late, &l[i]));
	}
	turns(5);
	EXPECT_EQ(4, self->hold.n); /* a MiB of 256 KiB each */
	/* Who is not served in time goes without having begun anything. */
	hurried = (struct late){self, f, sl_now(), SL_MIB};
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, read_late, &hurried));
	while (!hurried.ended)
		turns(1);
	EXPECT_EQ(-ETIME, hurried.res);
	EXPECT_EQ(4, self->hold.n);
	while (left) {
		ASSERT_LT(0, self->hold.n);
		hold_let(&self->hold);
		while (metric(SL_M_DIRECT_IN_FLIGHT) != self->hold.n)
			turns(1);
		turns(2);
		EXPECT_GE(SL_MIB, held_bytes(&self->hold));
		EXPECT_EQ(held_bytes(&self->hold), metric(SL_M_DIRECT_IN_FLIGHT_BYTES));
		left = 0;
		for (int i = 0; i < CROWD; i++)
			left += !l[i].ended;
	}
	for (int i = 0; i < CROWD; i++)
		EXPECT_EQ(4, l[i].res);
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_core_has_no_more_in_flight_than_it_may)
{
	over(self, tight, crowd);
}

static void few_at_once(FIXTURE_DATA(direct) * self)
{
	struct late l[CROWD];
	struct sl_direct *f = file_of(self);

	self->hold.open = false;
	for (int i = 0; i < CROWD; i++) {
		l[i] = (struct late){self, f, SL_NEVER, 1000};
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, read_late, &l[i]));
	}
	turns(5);
	EXPECT_EQ(5, self->hold.n);
	hold_let_all(&self->hold);
	for (int i = 0; i < CROWD; i++) {
		while (!l[i].ended)
			turns(1);
		EXPECT_EQ(1, l[i].res);
	}
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_core_has_no_more_operations_than_it_may)
{
	over(self, tight, few_at_once);
}

TEST_F(direct, a_budget_below_one_operation_lets_one_pass)
{
	over(self, (struct sl_cores_conf){.direct_ops_max = 1, .direct_bytes_max = 1}, whole);
}

/* ---- readers ---------------------------------------------------------------------------- */

/* Reads [@off, @end) to its end, and compares. Return: 0 or -errno. */
static int read_through(FIXTURE_DATA(direct) * self, struct sl_direct *f,
			const struct sl_direct_reader_conf *conf)
{
	uint64_t end = conf->end ? sl_min(conf->end, self->size) : self->size, at = conf->off;
	struct sl_direct_reader *r = NULL;
	struct sl_slice s;
	int res;

	ASSERT_EQ(0, sl_direct_reader_new(f, conf, &r));
	while ((res = sl_direct_reader_next(r, &s, SL_NEVER)) == 1) {
		ASSERT_LT(0, s.len);
		ASSERT_LE(at + s.len, end);
		if (memcmp(self->bytes + at, s.data, s.len))
			EXPECT_MEMEQ(self->bytes + at, s.data, s.len);
		at += s.len;
		sl_slice_release(&s);
	}
	if (!res)
		EXPECT_EQ(sl_max(end, conf->off), at);
	EXPECT_EQ(res, sl_direct_reader_next(r, &s, SL_NEVER)); /* is final */
	sl_direct_reader_free(r);
	return res;
}

static void read_all(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);

	EXPECT_EQ(0, read_through(self, f, &(struct sl_direct_reader_conf){0}));
	EXPECT_EQ(0, read_through(self, f, &(struct sl_direct_reader_conf){.ops_max = 1}));
	for (uint64_t off = 65535; off < 65538; off++)
		EXPECT_EQ(0, read_through(self, f,
					  &(struct sl_direct_reader_conf){.off = off,
									  .end = 2 * off + 1}));
	EXPECT_EQ(0, read_through(self, f, &(struct sl_direct_reader_conf){.off = self->size - 3}));
	EXPECT_EQ(0, read_through(self, f, &(struct sl_direct_reader_conf){.off = self->size}));
	EXPECT_EQ(0, read_through(self, f,
				  &(struct sl_direct_reader_conf){.off = self->size + 9,
								  .end = self->size + 10}));
	sl_direct_reader_free(NULL);
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, a_reader_reads_on_to_the_end)
{
	over(self, plain, read_all);
}

static void read_through_faults(FIXTURE_DATA(direct) * self)
{
	static const int errs[] = {EIO, ENODATA, 0};
	/* Up to where pieces are whole: a short one is half as long, and must still be aligned. */
	const struct sl_direct_reader_conf conf = {.off = 5, .end = 6 * SL_MIB};
	struct sl_direct *f = file_of(self);

	self->f.ops = READS;
	for (size_t i = 0; i < SL_ARRAY_SIZE(errs); i++) {
		self->f.err = errs[i];
		for (self->f.nth = 1;; self->f.nth++) {
			int res;

			self->f.count = 0;
			res = read_through(self, f, &conf);
			if (self->f.count < self->f.nth)
				break;
			EXPECT_EQ(-errs[i], res);
			rest();
			expect_rest();
		}
		EXPECT_LT(24, self->f.nth);
	}
	self->f.nth = 0;
	sl_direct_close(f);
}

TEST_F(direct, a_reader_tells_of_a_failed_read_and_continues_short_ones)
{
	over(self, plain, read_through_faults);
}

static void take_one(struct sl_direct_reader *r)
{
	struct sl_slice s;

	ASSERT_EQ(1, sl_direct_reader_next(r, &s, SL_NEVER));
	sl_slice_release(&s);
}

/* Two of them read before either is asked for anything. */
static void begins(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	struct sl_direct_reader *r[2];
	struct sl_slice s;

	self->hold.open = false;
	for (int i = 0; i < 2; i++) {
		const struct sl_direct_reader_conf conf = {
			.off = 5000 * (uint64_t)i, .end = 5000 * (uint64_t)i + 3, .ops_max = 1};

		ASSERT_EQ(0, sl_direct_reader_new(f, &conf, &r[i]));
		sl_direct_reader_begin(r[i]);
		sl_direct_reader_begin(r[i]);
	}
	EXPECT_EQ(2, metric(SL_M_DIRECT_IN_FLIGHT));
	EXPECT_EQ(2, self->hold.n);
	hold_let_all(&self->hold);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, sl_direct_reader_next(r[i], &s, SL_NEVER));
		EXPECT_EQ(3, s.len);
		EXPECT_EQ(0, memcmp(self->bytes + 5000 * i, s.data, 3));
		sl_slice_release(&s);
		EXPECT_EQ(0, sl_direct_reader_next(r[i], &s, SL_NEVER));
		sl_direct_reader_free(r[i]);
	}
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, readers_read_at_once_if_they_are_begun)
{
	over(self, plain, begins);
}

static void ahead(FIXTURE_DATA(direct) * self)
{
	const struct sl_direct_reader_conf conf = {.ahead_bytes_max = SL_MIB, .ops_max = 9};
	uint64_t want = 64 * SL_KIB, far = 0;
	struct sl_direct *f = file_of(self);
	struct sl_direct_reader *r;

	ASSERT_EQ(0, sl_direct_reader_new(f, &conf, &r));
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
	for (int i = 0; i < 6; i++) {
		/* The first one is not there yet, and waited for. */
		self->hold.open = !i;
		take_one(r);
		/* What is ahead doubles each time, and is not waited for. */
		want = sl_min(2 * want, SL_MIB);
		while (metric(SL_M_DIRECT_IN_FLIGHT) != self->hold.n)
			turns(1);
		EXPECT_GE(want, sl_buf_bytes_used(sl_core_self()));
		EXPECT_GE(9, self->hold.n);
		far = sl_max(far, sl_buf_bytes_used(sl_core_self()));
		hold_let_all(&self->hold);
		rest();
	}
	EXPECT_EQ(SL_MIB - 256 * SL_KIB, sl_round_down(far, 256 * SL_KIB));
	sl_direct_reader_free(r);
	sl_direct_close(f);
	expect_rest();
}

TEST_F(direct, what_is_read_ahead_doubles_up_to_its_limit)
{
	over(self, plain, ahead);
}

static void free_in_flight(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	struct sl_direct_reader *r;

	ASSERT_EQ(0, sl_direct_reader_new(f, &(struct sl_direct_reader_conf){0}, &r));
	for (int i = 0; i < 4; i++)
		take_one(r);
	rest();
	self->hold.open = false;
	take_one(r);
	EXPECT_LT(0, self->hold.n);
	sl_direct_reader_free(r);
	sl_direct_close(f);
	EXPECT_LT(0, sl_buf_bytes_used(sl_core_self()));
	hold_let_all(&self->hold);
	rest();
	expect_rest();
}

TEST_F(direct, a_freed_reader_goes_with_its_last_completion)
{
	over(self, plain, free_in_flight);
}

static void reader_is_late(FIXTURE_DATA(direct) * self)
{
	struct sl_direct *f = file_of(self);
	struct sl_direct_reader *r;
	struct sl_slice s;

	ASSERT_EQ(0, sl_direct_reader_new(f, &(struct sl_direct_reader_conf){.off = 77}, &r));
	self->hold.open = false;
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ETIME, sl_direct_reader_next(r, &s, sl_now()));
	EXPECT_EQ(1, self->hold.n);
	hold_let_all(&self->hold);
	ASSERT_EQ(1, sl_direct_reader_next(r, &s, SL_NEVER));
	EXPECT_MEMEQ(self->bytes + 77, s.data, s.len);
	sl_slice_release(&s);
	sl_direct_reader_free(r);
	sl_direct_close(f);
	rest();
	expect_rest();
}

TEST_F(direct, a_reader_goes_on_after_its_deadline)
{
	over(self, plain, reader_is_late);
}

/* ---- without a core --------------------------------------------------------------------- */

TEST(a_thread_without_a_core_reads_the_same)
{
	over_thread(every_alignment);
	over_thread(ends);
	over_thread(whole);
	over_thread(read_all);
}

TEST(a_thread_without_a_core_is_told_of_faults)
{
	over_thread(opening_fails);
	over_thread(nth_fails);
	over_thread(nth_short);
	over_thread(never_a_block);
	over_thread(read_through_faults);
}

/* ---- many at once ----------------------------------------------------------------------- */

enum { READERS = 24 };

struct many {
	FIXTURE_DATA(direct) * self;
	struct sl_direct *file;
	uint64_t seed;
	int left;
};

static void read_at_random(void *arg)
{
	struct many *m = arg;
	uint64_t seed = m->seed++;

	for (uint64_t i = 0; i < 12; i++) {
		uint64_t v = sl_mix64(seed * 1000 + i), off = v % FILE_BYTES;

		if (v >> 60 < 4)
			EXPECT_EQ(0,
				  read_through(m->self, m->file,
					       &(struct sl_direct_reader_conf){
						       .off = off, .end = off + 1 + v % SL_MIB}));
		else
			EXPECT_LT(0, read_and_compare(m->self, m->file, off, 1 + (v >> 32) % 400000,
						      SL_NEVER));
	}
	m->left--;
}

static void many(FIXTURE_DATA(direct) * self)
{
	struct many m = {self, file_of(self), harness_random(), READERS};

	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, read_at_random, &m));
	while (m.left)
		sl_sleep(sl_now() + SL_MSEC);
	rest();
	sl_direct_close(m.file);
	expect_rest();
}

TEST_F_TIMEOUT(direct, many_read_at_once, 60)
{
	if (self->sim)
		sl_sim_delay(self->sim, 8);
	over(self,
	     (struct sl_cores_conf){.direct_ops_max = 20,
				    .direct_bytes_max = 2 * SL_MIB,
				    .arena_bytes_max = 256 * SL_MIB},
	     many);
}

TEST_HARNESS_MAIN
