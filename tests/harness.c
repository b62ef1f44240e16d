// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the tests that harness.h registered, each in a process of its own.
 *
 * Interface: harness.h. main() of every test program is harness_main().
 * Invariants: what a test leaves to its parent stands in `shared` (a mapping that outlives the
 * process), so a test that dies at any point is judged by what it had noted; the parent kills the
 * test's process group and removes its folder before the next test starts.
 * Order of parts: state; values and assertions; what a test may call; one test; the program.
 */
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

/* ---- state --------------------------------------------------------------------------------- */

struct harness_shared {
	atomic_uint checks; /* assertions executed */
	atomic_uint failures;
	atomic_bool skipped;
	char skip_reason[256];
	char tmpdir[PATH_MAX];
};

static struct harness_shared *shared;
static struct harness_test *tests_head, **tests_tail = &tests_head;
static uint64_t seed, random_state;
static int time_scale = 1, work_part = 1;
static bool leaks_unchecked; /* of the test's own process */

/* ---- values and assertions ------------------------------------------------------------------- */

struct harness_value harness_of_signed(long long v)
{
	struct harness_value value = {.kind = HARNESS_INTEGER, .negative = v < 0};

	value.bits = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	value.real = (double)v;
	return value;
}

struct harness_value harness_of_unsigned(unsigned long long v)
{
	return (struct harness_value){.kind = HARNESS_INTEGER, .bits = v, .real = (double)v};
}

struct harness_value harness_of_real(double v)
{
	return (struct harness_value){.kind = HARNESS_REAL, .negative = v < 0, .real = v};
}

struct harness_value harness_of_pointer(const volatile void *v)
{
	return (struct harness_value){.kind = HARNESS_POINTER, .bits = (uintptr_t)v};
}

static void value_print(char *out, size_t room, struct harness_value v)
{
	const char *sign = v.negative ? "-" : "";

	if (v.kind == HARNESS_REAL)
		snprintf(out, room, "%.17g", v.real);
	else if (v.kind == HARNESS_POINTER)
		snprintf(out, room, "%p", (void *)(uintptr_t)v.bits);
	else if (v.negative && v.bits < 4096 && strerrorname_np((int)v.bits))
		snprintf(out, room, "-%d (-%s)", (int)v.bits, strerrorname_np((int)v.bits));
	else if (v.bits < 10)
		snprintf(out, room, "%s%llu", sign, (unsigned long long)v.bits);
	else
		snprintf(out, room, "%s%llu (%s0x%llx)", sign, (unsigned long long)v.bits, sign,
			 (unsigned long long)v.bits);
}

/* -1, 0, 1; 2 where a NaN makes the two unordered. */
static int value_order(struct harness_value a, struct harness_value b)
{
	if (a.kind == HARNESS_REAL || b.kind == HARNESS_REAL) {
		if (a.real != a.real || b.real != b.real)
			return 2;
		return a.real < b.real ? -1 : a.real > b.real;
	}
	if (a.negative != b.negative)
		return a.negative ? -1 : 1;
	if (a.bits == b.bits)
		return 0;
	return (a.bits < b.bits) != a.negative ? -1 : 1;
}

static bool relation_holds(enum harness_relation relation, int order)
{
	switch (relation) {
	case HARNESS_EQ:
		return order == 0;
	case HARNESS_NE:
		return order != 0;
	case HARNESS_LT:
		return order == -1;
	case HARNESS_LE:
		return order == -1 || order == 0;
	case HARNESS_GT:
		return order == 1;
	case HARNESS_GE:
		return order == 1 || order == 0;
	}
	abort();
}

/* Notes the outcome of one assertion; does not return when a fatal one failed. */
static bool conclude(struct harness_site site, bool holds)
{
	atomic_fetch_add(&shared->checks, 1);
	if (holds)
		return true;
	atomic_fetch_add(&shared->failures, 1);
	fflush(stdout);
	if (site.fatal)
		_exit(1);
	return false;
}

bool harness_compare(struct harness_site site, enum harness_relation relation,
		     struct harness_value expected, struct harness_value seen)
{
	static const char *const signs[] = {
		[HARNESS_EQ] = "==", [HARNESS_NE] = "!=", [HARNESS_LT] = "<",
		[HARNESS_LE] = "<=", [HARNESS_GT] = ">",  [HARNESS_GE] = ">=",
	};
	bool holds = relation_holds(relation, value_order(expected, seen));
	char left[64], right[64];

	if (!holds) {
		value_print(left, sizeof(left), expected);
		value_print(right, sizeof(right), seen);
		printf("# %s:%d: expected %s %s %s, saw %s and %s\n", site.file, site.line,
		       site.expected, signs[relation], site.seen, left, right);
	}
	return conclude(site, holds);
}

bool harness_truth(struct harness_site site, bool expected, bool seen)
{
	if (expected != seen)
		printf("# %s:%d: expected %s to be %s\n", site.file, site.line, site.seen,
		       site.expected);
	return conclude(site, expected == seen);
}

static void string_print(const char *name, const char *s)
{
	if (s)
		printf("#   %s = \"%s\"\n", name, s);
	else
		printf("#   %s = NULL\n", name);
}

bool harness_string(struct harness_site site, const char *expected, const char *seen, bool equal)
{
	bool same = expected && seen ? strcmp(expected, seen) == 0 : expected == seen;

	if (same != equal) {
		printf("# %s:%d: expected %s %s %s\n", site.file, site.line, site.expected,
		       equal ? "==" : "!=", site.seen);
		string_print("expected", expected);
		string_print("seen", seen);
	}
	return conclude(site, same == equal);
}

static void bytes_print(const char *name, const unsigned char *p, size_t from, size_t bytes)
{
	printf("#   %s [%zu..]:", name, from);
	for (size_t i = from; i < bytes && i < from + 16; i++)
		printf(" %02x", p[i]);
	printf("\n");
}

bool harness_memory(struct harness_site site, const void *expected, const void *seen, size_t bytes,
		    bool equal)
{
	bool present = expected && seen;
	bool same = bytes == 0 || (present ? memcmp(expected, seen, bytes) == 0 : expected == seen);
	size_t at = 0;

	if (same != equal) {
		printf("# %s:%d: expected %zu bytes of %s %s %s\n", site.file, site.line, bytes,
		       site.expected, equal ? "==" : "!=", site.seen);
		while (present && at < bytes &&
		       ((const char *)expected)[at] == ((const char *)seen)[at])
			at++;
		if (present && at < bytes) {
			bytes_print("expected", expected, at, bytes);
			bytes_print("seen", seen, at, bytes);
		}
	}
	return conclude(site, same == equal);
}

/* ---- what a test may call ---------------------------------------------------------------- */

uint64_t harness_seed(void)
{
	return seed;
}

uint64_t harness_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

int harness_time_scale(void)
{
	return time_scale;
}

int harness_work_part(void)
{
	return work_part;
}

const char *harness_tmpdir(void)
{
	const char *base = getenv("TMPDIR");

	if (shared->tmpdir[0])
		return shared->tmpdir;
	snprintf(shared->tmpdir, sizeof(shared->tmpdir), "%s/sluice-test-XXXXXX",
		 base && *base ? base : "/tmp");
	if (!mkdtemp(shared->tmpdir)) {
		printf("# cannot make %s: %s\n", shared->tmpdir, strerror(errno));
		shared->tmpdir[0] = '\0';
		atomic_fetch_add(&shared->failures, 1);
		fflush(stdout);
		_exit(1);
	}
	return shared->tmpdir;
}

const char *harness_build_path(const char *name)
{
	static char path[PATH_MAX];
	const char *build = getenv("SLUICE_BUILD");

	snprintf(path, sizeof(path), "%s/%s", build && *build ? build : "build", name);
	return path;
}

int harness_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

void harness_leaks_unchecked(void)
{
	leaks_unchecked = true;
}

void harness_log(const char *file, int line, const char *fmt, ...)
{
	char text[8192], *line_at = text, *end;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("# %s:%d: ", file, line);
	for (; (end = strchr(line_at, '\n')); line_at = end + 1)
		printf("%.*s\n#   ", (int)(end - line_at), line_at);
	printf("%s\n", line_at);
}

void harness_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(shared->skip_reason, sizeof(shared->skip_reason), fmt, args);
	va_end(args);
	atomic_store(&shared->skipped, true);
}

bool harness_over(void)
{
	return atomic_load(&shared->skipped);
}

const void *harness_variant_data(const struct harness_test *t)
{
	return t->variant ? t->variant->data : NULL;
}

/* ---- one test ---------------------------------------------------------------------------- */

void harness_test_add(struct harness_test *t)
{
	*tests_tail = t;
	tests_tail = &t->next;
}

void harness_variant_add(struct harness_fixture *f, struct harness_variant *v)
{
	struct harness_variant **at = &f->variants;

	while (*at)
		at = &(*at)->next;
	*at = v;
}

static void title_print(char *out, size_t room, const struct harness_test *t)
{
	if (!t->fixture)
		snprintf(out, room, "%s", t->name);
	else if (!t->variant)
		snprintf(out, room, "%s.%s", t->fixture->name, t->name);
	else
		snprintf(out, room, "%s.%s.%s", t->fixture->name, t->variant->name, t->name);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAVE_SANITIZER 1
#endif
#endif

/* Says where a crash or the time limit (SIGABRT) found the test, then lets the signal kill it. */
static void crash_report(int signal_number)
{
	static const char head[] = "# where it was (addr2line -pfe PROGRAM OFFSET):\n";
	void *frames[32];
	ssize_t written = write(STDOUT_FILENO, head, sizeof(head) - 1);

	(void)written;
	backtrace_symbols_fd(frames, backtrace(frames, 32), STDOUT_FILENO);
	raise(signal_number);
}

/* The sanitizers report by themselves. A stack of its own: the test's may have overflowed. */
static void crash_reports_enable(void)
{
#ifndef HAVE_SANITIZER
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	static char stack[64 * 1024];
	struct sigaction act = {.sa_handler = crash_report, .sa_flags = SA_ONSTACK | SA_RESETHAND};
	void *first[1];

	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &act, NULL);
	backtrace(first, 1); /* loads the unwinder now: a crashed heap could not */
#else
	(void)crash_report;
#endif
}

/* The test's own process. exit(), not _exit(), so that the leak checker looks at a passed test. */
__attribute__((noreturn)) static void child_run(const struct harness_test *t)
{
	t->run(t);
	fflush(stdout);
	if (atomic_load(&shared->skipped))
		_exit(HARNESS_EXIT_SKIP);
	if (atomic_load(&shared->failures) || leaks_unchecked)
		_exit(atomic_load(&shared->failures) ? 1 : 0);
	exit(0);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for @pid to end for at most @limit_ms; false when the time is over. */
static bool child_wait(pid_t pid, int64_t limit_ms, int *ret_status)
{
	int64_t end = now_ms() + limit_ms;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	bool ended = false;

	while (!ended) {
		int64_t left = end - now_ms();

		if (left <= 0)
			break;
		if (fd >= 0)
			poll(&pfd, 1, (int)left);
		else
			poll(NULL, 0, left < 5 ? (int)left : 5);
		ended = waitpid(pid, ret_status, WNOHANG) == pid;
	}
	if (fd >= 0)
		close(fd);
	return ended;
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

/* Kills and reaps children that left the test's group: orphans come to us, the subreaper. */
static void strays_kill(void)
{
	char path[64];
	int pid, found = 1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	while (found) {
		found = 0;
		f = fopen(path, "r");
		if (!f)
			return;
		while (fscanf(f, "%d", &pid) == 1) {
			kill(pid, SIGKILL);
			found += waitpid(pid, NULL, 0) == pid;
		}
		fclose(f);
	}
}

/* Kills what the test left running, reaps it and removes the test's folder. */
static void clean_up(pid_t group)
{
	kill(-group, SIGKILL);
	while (waitpid(-group, NULL, 0) > 0)
		;
	strays_kill();
	if (shared->tmpdir[0] &&
	    nftw(shared->tmpdir, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
		printf("# could not remove %s: %s\n", shared->tmpdir, strerror(errno));
}

/* NULL when the ended child passed, else why it failed. */
static const char *verdict(int status, char *why, size_t room)
{
	if (WIFSIGNALED(status))
		snprintf(why, room, "died of signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (atomic_load(&shared->failures))
		snprintf(why, room, "%u of %u assertions failed", atomic_load(&shared->failures),
			 atomic_load(&shared->checks));
	else if (WEXITSTATUS(status) != 0)
		snprintf(why, room, "exited with status %d", WEXITSTATUS(status));
	else if (!atomic_load(&shared->checks))
		snprintf(why, room, "asserted nothing");
	else
		return NULL;
	return why;
}

/* Runs one test and prints its line; true unless it failed. */
static bool test_run(const struct harness_test *t, int number, bool fork_it)
{
	int64_t limit_ms = (int64_t)t->limit_s * 1000 * time_scale;
	char title[256], why[128];
	const char *failed;
	int status = 0;
	pid_t pid;

	title_print(title, sizeof(title), t);
	memset(shared, 0, sizeof(*shared));
	random_state = seed;
	fflush(stdout);
	if (!fork_it)
		child_run(t);
	pid = fork();
	if (pid < 0) {
		printf("# fork: %s\nnot ok %d %s\n", strerror(errno), number, title);
		return false;
	}
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		crash_reports_enable();
		child_run(t);
	}
	setpgid(pid, pid);
	if (child_wait(pid, limit_ms, &status)) {
		failed = verdict(status, why, sizeof(why));
	} else {
		kill(-pid, SIGABRT);
		if (!child_wait(pid, 500, &status)) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		snprintf(why, sizeof(why), "still running after its limit of %lld s",
			 (long long)limit_ms / 1000);
		failed = why;
	}
	clean_up(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP &&
	    atomic_load(&shared->skipped) && !atomic_load(&shared->failures)) {
		printf("ok %d %s # SKIP %s\n", number, title, shared->skip_reason);
		return true;
	}
	if (failed)
		printf("# %s: %s\n", title, failed);
	printf("%sok %d %s\n", failed ? "not " : "", number, title);
	return !failed;
}

/* ---- the program ------------------------------------------------------------------------- */

/* True when no pattern was given or one of them names the test. */
static bool wanted(const struct harness_test *t, char **patterns)
{
	char title[256];

	title_print(title, sizeof(title), t);
	if (!*patterns)
		return true;
	for (; *patterns; patterns++) {
		if (!fnmatch(*patterns, title, 0) || !strcmp(*patterns, t->name))
			return true;
	}
	return false;
}

/* Calls @visit for each wanted test, a test of a fixture once for each variant. */
static int tests_each(char **patterns, bool (*visit)(const struct harness_test *, int, bool),
		      bool flag, int *ret_failed)
{
	int count = 0, failed = 0;

	for (struct harness_test *t = tests_head; t; t = t->next) {
		struct harness_test row = *t;
		const struct harness_variant *v = t->fixture ? t->fixture->variants : NULL;

		do {
			row.variant = v;
			if (wanted(&row, patterns) && !visit(&row, ++count, flag))
				failed++;
			v = v ? v->next : NULL;
		} while (v);
	}
	*ret_failed = failed;
	return count;
}

static bool visit_count(const struct harness_test *t, int number, bool print)
{
	char title[256];

	(void)number;
	title_print(title, sizeof(title), t);
	if (print)
		printf("%s\n", title);
	return true;
}

static void environment_read(void)
{
	const char *text = getenv("SLUICE_SEED");
	const char *scale = getenv("SLUICE_TIME_SCALE");
	const char *part = getenv("SLUICE_WORK_PART");

	if (text && *text)
		seed = strtoull(text, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)now_ms();
	if (scale && atoi(scale) > 1)
		time_scale = atoi(scale);
	if (part && atoi(part) > 1)
		work_part = atoi(part);
}

int harness_main(int argc, char **argv, const char *file)
{
	bool list = false, fork_it = true;
	char **patterns = argv + 1;
	int total, failed;

	for (; *patterns && !strncmp(*patterns, "--", 2); patterns++) {
		if (!strcmp(*patterns, "--list")) {
			list = true;
		} else if (!strcmp(*patterns, "--nofork")) {
			fork_it = false;
		} else {
			printf("usage: %s [--list] [--nofork] [TEST-OR-PATTERN...]\n", argv[0]);
			return strcmp(*patterns, "--help") ? 2 : 0;
		}
	}
	(void)argc;
	environment_read();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	total = tests_each(patterns, visit_count, list, &failed);
	if (list)
		return 0;
	printf("TAP version 13\n1..%d\n# %s, SLUICE_SEED=%#llx\n", total, file,
	       (unsigned long long)seed);
	if (!total)
		return 2;
	tests_each(patterns, test_run, fork_it, &failed);
	return failed ? 1 : 0;
}
