// SPDX-License-Identifier: Apache-2.0
/*
 * runner: runs programs that print TAP, several at a time, and counts what they say.
 *
 * Interface: runner [-j JOBS] [-d BUILDDIR] [-c CANARY] [-s SUMMARY] [-x SCALE] [-w PART] [-r]
 *            [-v] [PROGRAM...]
 * Prints failures with the lines that led to them, and skips with their reason; -v prints all.
 * The last line is "N passed, N failed, N skipped"; the status is 0 only if none failed. -c names
 * a program of which each test must fail: that counts as one passed test. -s appends the three
 * numbers to a file. -x multiplies time limits, -w lets tests with one thread do one in PART of
 * their cases (and says so), -r turns address randomisation off (older thread sanitizers cannot
 * place their shadow otherwise). With SLUICE_TIMES=N in the environment it also lists the N
 * programs and the N tests that took longest, before that line.
 * At most JOBS programs are at work: one that waits lets another begin beside it (run_all()).
 * Invariants: every program leaves at least one counted result; a missing plan, a short run or a
 * bad exit status is a failure of its own.
 * Order of parts: what took long; jobs; reading TAP; the end of a job; the main loop.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define PROGRAM_LIMIT_S 900
#define KEPT_BYTES_MAX (64 * 1024)
#define JOBS_WAITING 4 /* programs at most for each of JOBS, if the others wait */
#define LOOK_S 0.5 /* how often to look whether they do */
#define EXIT_SKIP 4
#define SILENCE_S 10 /* a heavy test may be as silent: one more beside it does no harm */

struct counts {
	int passed, failed, skipped;
};

/* One running program. */
struct job {
	const char *path;
	bool canary;
	pid_t pid;
	int fd;
	double started_s, result_s; /* when it began, and when it told its last result */
	bool overtime;
	int planned; /* -1 until the plan is read */
	char skipped[256]; /* why the program as a whole is: "1..0 # SKIP why", and exit status 4 */
	struct counts counts;
	char *kept; /* lines since the last result, shown when a test fails */
	size_t kept_bytes;
	char line[4096];
	size_t line_bytes;
};

static struct {
	int jobs, scale, part, times;
	bool verbose, fixed_addresses;
	const char *build, *canary, *summary;
} opt = {.jobs = 1, .scale = 1, .part = 1, .build = ""};

static struct counts total;

/* ---- what took long -------------------------------------------------------------------------- */

/* A program or a test of it. */
struct took {
	double wall_s, cpu_s;
	char what[200];
};

/* The longest so far, longest first. */
struct ranking {
	struct took *rows; /* opt.times of them */
	int n;
};

static struct ranking slow_programs, slow_tests;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_s(const struct rusage *r)
{
	return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) +
	       (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1e6;
}

static void rank(struct ranking *r, double wall_s, double cpu, const char *program,
		 const char *test)
{
	int at = r->n;

	while (at > 0 && r->rows[at - 1].wall_s < wall_s)
		at--;
	if (at == opt.times)
		return;
	if (r->n < opt.times)
		r->n++;
	memmove(&r->rows[at + 1], &r->rows[at], (size_t)(r->n - 1 - at) * sizeof(*r->rows));
	r->rows[at] = (struct took){.wall_s = wall_s, .cpu_s = cpu};
	snprintf(r->rows[at].what, sizeof(r->rows[at].what), "%s %s", program, test);
}

static int rankings_new(void)
{
	slow_programs.rows = calloc((size_t)opt.times + 1, sizeof(struct took));
	slow_tests.rows = calloc((size_t)opt.times + 1, sizeof(struct took));
	return slow_programs.rows && slow_tests.rows ? 0 : -1;
}

static void rankings_print(double wall_s)
{
	struct rusage all;

	getrusage(RUSAGE_CHILDREN, &all);
	if (!opt.times)
		return;
	for (int i = 0; i < slow_tests.n; i++)
		printf("TIME %7.1f s               %s\n", slow_tests.rows[i].wall_s,
		       slow_tests.rows[i].what);
	for (int i = 0; i < slow_programs.n; i++)
		printf("TIME %7.1f s %7.1f s CPU %s\n", slow_programs.rows[i].wall_s,
		       slow_programs.rows[i].cpu_s, slow_programs.rows[i].what);
	printf("TIME %7.1f s %7.1f s CPU all\n", wall_s, cpu_s(&all));
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* The program's name without the build folder. */
static const char *job_name(const struct job *job)
{
	size_t bytes = strlen(opt.build);

	if (bytes && !strncmp(job->path, opt.build, bytes) && job->path[bytes] == '/')
		return job->path + bytes + 1;
	return job->path;
}

/* Where it is not 1: a number of the environment that the program's harness reads. */
static void tell_program(const char *name, int value)
{
	char text[16];

	if (value == 1)
		return;
	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

__attribute__((noreturn)) static void job_exec(const struct job *job, int out)
{
	int in = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	tell_program("SLUICE_TIME_SCALE", opt.scale);
	tell_program("SLUICE_WORK_PART", opt.part);
	if (opt.fixed_addresses)
		personality(personality(0xffffffff) | ADDR_NO_RANDOMIZE);
	execlp(job->path, job->path, (char *)NULL);
	printf("# cannot run %s: %s\n", job->path, strerror(errno));
	fflush(stdout);
	_exit(127);
}

static int job_start(struct job *job, const char *path, bool canary)
{
	int fds[2];

	*job = (struct job){.path = path, .canary = canary, .planned = -1};
	job->started_s = job->result_s = now_s();
	job->kept = malloc(KEPT_BYTES_MAX);
	if (!job->kept || pipe2(fds, O_CLOEXEC))
		return -1;
	job->pid = fork();
	if (job->pid < 0)
		return -1;
	if (!job->pid)
		job_exec(job, fds[1]);
	setpgid(job->pid, job->pid);
	close(fds[1]);
	job->fd = fds[0];
	return 0;
}

/* ---- reading TAP ------------------------------------------------------------------------- */

static void keep(struct job *job, const char *line)
{
	size_t bytes = strlen(line);

	/* Of a long report the latest lines tell most: drop the older half. */
	if (job->kept_bytes + bytes + 1 > KEPT_BYTES_MAX) {
		size_t half = job->kept_bytes / 2;

		memmove(job->kept, job->kept + half, job->kept_bytes - half);
		job->kept_bytes -= half;
	}
	memcpy(job->kept + job->kept_bytes, line, bytes);
	job->kept_bytes += bytes;
	job->kept[job->kept_bytes++] = '\n';
}

static void report(struct job *job, const char *outcome, const char *test)
{
	printf("%s %s %s\n", outcome, job_name(job), test);
	if (!strncmp(outcome, "FAIL", 4))
		fwrite(job->kept, 1, job->kept_bytes, stdout);
	fflush(stdout);
}

/* Counts one "ok" or "not ok" line; @rest follows those words. */
static void result_count(struct job *job, bool ok, char *rest)
{
	char *skip = strstr(rest, "# SKIP");
	double told_s = now_s();

	while (isspace((unsigned char)*rest) || isdigit((unsigned char)*rest))
		rest++;
	if (!strncmp(rest, "- ", 2))
		rest += 2;
	rank(&slow_tests, told_s - job->result_s, 0, job_name(job), rest);
	job->result_s = told_s;
	if (ok && skip) {
		job->counts.skipped++;
		report(job, "SKIP", rest);
	} else if (ok) {
		job->counts.passed++;
		if (opt.verbose)
			report(job, "ok  ", rest);
	} else {
		job->counts.failed++;
		if (!job->canary)
			report(job, "FAIL", rest);
	}
	job->kept_bytes = 0;
}

static void plan_read(struct job *job, const char *plan)
{
	const char *skip = strstr(plan, "# SKIP");

	job->planned = atoi(plan);
	if (!job->planned && skip)
		snprintf(job->skipped, sizeof(job->skipped), "%s", skip);
}

static void line_read(struct job *job, char *line)
{
	if (opt.verbose && strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7))
		printf("     %s: %s\n", job_name(job), line);
	if (!strncmp(line, "ok ", 3))
		result_count(job, true, line + 3);
	else if (!strncmp(line, "not ok ", 7))
		result_count(job, false, line + 7);
	else if (!strncmp(line, "1..", 3))
		plan_read(job, line + 3);
	else if (strncmp(line, "TAP version", 11))
		keep(job, line);
}

/* Takes what the program printed; false at the end of its output. */
static bool job_read(struct job *job)
{
	char chunk[4096];
	ssize_t n = read(job->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < n; i++) {
		if (chunk[i] != '\n' && job->line_bytes < sizeof(job->line) - 1) {
			job->line[job->line_bytes++] = chunk[i];
		} else {
			job->line[job->line_bytes] = '\0';
			line_read(job, job->line);
			job->line_bytes = 0;
			if (chunk[i] != '\n')
				job->line[job->line_bytes++] = chunk[i];
		}
	}
	return n > 0;
}

/* ---- the end of a job -------------------------------------------------------------------- */

/* A canary is well only if all its tests ran and every one failed. */
static void canary_judge(struct job *job)
{
	struct counts c = job->counts;

	if (c.failed > 0 && c.failed == job->planned && !c.passed && !c.skipped) {
		total.passed++;
		return;
	}
	total.failed++;
	printf("FAIL %s: %d of its %d tests failed, all must: this run proves nothing\n",
	       job_name(job), c.failed, job->planned);
}

static void job_end(struct job *job)
{
	struct counts *c = &job->counts;
	char why[128] = "";
	struct rusage used = {0};
	int status = 0, seen;

	if (job->line_bytes) {
		job->line[job->line_bytes] = '\0';
		line_read(job, job->line);
	}
	seen = c->passed + c->failed + c->skipped;
	close(job->fd);
	wait4(job->pid, &status, 0, &used);
	kill(-job->pid, SIGKILL);
	rank(&slow_programs, now_s() - job->started_s, cpu_s(&used), job_name(job), "");
	if (job->canary) {
		canary_judge(job);
		free(job->kept);
		return;
	}
	if (job->overtime)
		snprintf(why, sizeof(why), "stopped after %d s", PROGRAM_LIMIT_S * opt.scale);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "died of signal %d", WTERMSIG(status));
	else if (job->planned < 0)
		snprintf(why, sizeof(why), "printed no plan, exit status %d", WEXITSTATUS(status));
	else if (seen != job->planned)
		snprintf(why, sizeof(why), "planned %d tests and reported %d", job->planned, seen);
	else if (*job->skipped && WEXITSTATUS(status) == EXIT_SKIP)
		c->skipped++;
	else if (*job->skipped || (WEXITSTATUS(status) && !c->failed))
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	if (*why) {
		c->failed++;
		report(job, "FAIL", why);
	} else if (*job->skipped) {
		report(job, "SKIP", job->skipped);
	}
	total.passed += c->passed;
	total.failed += c->failed;
	total.skipped += c->skipped;
	free(job->kept);
}

/* ---- the main loop ----------------------------------------------------------------------- */

static void overtime_check(struct job *job)
{
	if (!job->overtime && now_s() - job->started_s > PROGRAM_LIMIT_S * opt.scale) {
		job->overtime = true;
		kill(-job->pid, SIGKILL);
	}
}

/* Jiffies of all processors, and of those the ones in which they had nothing to do. */
struct ticks {
	unsigned long long all, idle;
};

static struct ticks ticks_now(void)
{
	unsigned long long v[8] = {0};
	struct ticks t = {0};
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return t;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
		   &v[4], &v[5], &v[6], &v[7]) == 8) {
		for (int i = 0; i < 8; i++)
			t.all += v[i];
		/* Waiting for a disk is idle, too, and what is nice gives way. */
		t.idle = v[1] + v[3] + v[4];
	}
	fclose(f);
	return t;
}

/*
 * Many tests wait for a limit to pass, and use no processor meanwhile. Whether one of those was
 * idle since the last look, or no program has said anything since @heard_s.
 */
static bool all_wait(double heard_s)
{
	static struct ticks last;
	static double looked_s;
	struct ticks t, was = last;
	double now = now_s();

	if (now - looked_s < LOOK_S)
		return false;
	looked_s = now;
	t = last = ticks_now();
	if (now - heard_s > SILENCE_S)
		return true;
	return t.all > was.all &&
	       (t.idle - was.idle) * (unsigned long long)opt.jobs * 2 > t.all - was.all;
}

/* Whether one more may begin beside @n: beyond opt.jobs only one at a look. */
static bool room_for_another(int n, double heard_s)
{
	int most = opt.jobs * JOBS_WAITING < JOBS_MAX ? opt.jobs * JOBS_WAITING : JOBS_MAX;

	return n < opt.jobs || (opt.jobs > 1 && n < most && all_wait(heard_s));
}

/* Runs @paths, and the canary first. */
static int run_all(char **paths)
{
	struct job running[JOBS_MAX];
	bool canary = opt.canary != NULL;
	double heard_s = now_s();
	int n = 0;

	while (canary || *paths || n) {
		struct pollfd pfds[JOBS_MAX];

		while ((canary || *paths) && room_for_another(n, heard_s)) {
			if (job_start(&running[n], canary ? opt.canary : *paths, canary))
				return -1;
			if (!canary)
				paths++;
			canary = false;
			n++;
		}
		for (int i = 0; i < n; i++)
			pfds[i] = (struct pollfd){.fd = running[i].fd, .events = POLLIN};
		poll(pfds, (nfds_t)n, *paths ? (int)(LOOK_S * 1000) : 1000);
		for (int i = n - 1; i >= 0; i--) {
			overtime_check(&running[i]);
			if (!pfds[i].revents)
				continue;
			heard_s = now_s();
			if (job_read(&running[i]))
				continue;
			job_end(&running[i]);
			running[i] = running[--n];
		}
	}
	return 0;
}

static int summary_append(void)
{
	FILE *f = fopen(opt.summary, "a");

	if (!f)
		return -1;
	fprintf(f, "%d %d %d\n", total.passed, total.failed, total.skipped);
	return fclose(f);
}

int main(int argc, char **argv)
{
	double began_s = now_s();
	int c;

	while ((c = getopt(argc, argv, "j:d:c:s:x:w:rv")) != -1) {
		switch (c) {
		case 'j':
			opt.jobs = atoi(optarg);
			break;
		case 'd':
			opt.build = optarg;
			break;
		case 'c':
			opt.canary = optarg;
			break;
		case 's':
			opt.summary = optarg;
			break;
		case 'x':
			opt.scale = atoi(optarg);
			break;
		case 'w':
			opt.part = atoi(optarg);
			break;
		case 'r':
			opt.fixed_addresses = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		default:
			return 2;
		}
	}
	if (opt.jobs < 1 || opt.jobs > JOBS_MAX || opt.scale < 1 || opt.part < 1) {
		fprintf(stderr, "runner: -j takes 1 to %d, -x and -w at least 1\n", JOBS_MAX);
		return 2;
	}
	if (getenv("SLUICE_TIMES"))
		opt.times = atoi(getenv("SLUICE_TIMES"));
	if (opt.part > 1)
		printf("NOTE tests with one thread do one in %d of their cases\n", opt.part);
	if (opt.times < 0 || rankings_new() || run_all(argv + optind)) {
		perror("runner");
		return 1;
	}
	if (opt.summary && summary_append()) {
		perror(opt.summary);
		return 1;
	}
	rankings_print(now_s() - began_s);
	printf("%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped);
	return total.failed || !(total.passed + total.skipped) ? 1 : 0;
}
