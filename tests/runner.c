// SPDX-License-Identifier: Apache-2.0
/*
 * runner: runs programs that print TAP, several at a time, and counts what they say.
 *
 * Interface: runner [-j JOBS] [-d BUILDDIR] [-c CANARY] [-s SUMMARY] [-x SCALE] [-r] [-v]
 *            [PROGRAM...]
 * Prints failures with the lines that led to them, and skips with their reason; -v prints all.
 * The last line is "N passed, N failed, N skipped"; the status is 0 only if none failed. -c names
 * a program of which each test must fail: that counts as one passed test. -s appends the three
 * numbers to a file. -x multiplies time limits, -r turns address randomisation off (older
 * thread sanitizers cannot place their shadow otherwise).
 * Invariants: every program leaves at least one counted result; a missing plan, a short run or a
 * bad exit status is a failure of its own.
 * Order of parts: jobs; reading TAP; the end of a job; the main loop.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define PROGRAM_LIMIT_S 900
#define KEPT_BYTES_MAX (64 * 1024)

struct counts {
	int passed, failed, skipped;
};

/* One running program. */
struct job {
	const char *path;
	bool canary;
	pid_t pid;
	int fd;
	time_t started;
	bool overtime;
	int planned; /* -1 until the plan is read */
	struct counts counts;
	char *kept; /* lines since the last result, shown when a test fails */
	size_t kept_bytes;
	char line[4096];
	size_t line_bytes;
};

static struct {
	int jobs, scale;
	bool verbose, fixed_addresses;
	const char *build, *canary, *summary;
} opt = {.jobs = 1, .scale = 1, .build = ""};

static struct counts total;

/* ---- jobs ------------------------------------------------------------------------------------ */

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* The program's name without the build folder. */
static const char *job_name(const struct job *job)
{
	size_t bytes = strlen(opt.build);

	if (bytes && !strncmp(job->path, opt.build, bytes) && job->path[bytes] == '/')
		return job->path + bytes + 1;
	return job->path;
}

__attribute__((noreturn)) static void job_exec(const struct job *job, int out)
{
	char scale[16];
	int in = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (opt.scale > 1) {
		snprintf(scale, sizeof(scale), "%d", opt.scale);
		setenv("SLUICE_TIME_SCALE", scale, 1);
	}
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

	*job = (struct job){.path = path, .canary = canary, .planned = -1, .started = now_s()};
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

	while (isspace((unsigned char)*rest) || isdigit((unsigned char)*rest))
		rest++;
	if (!strncmp(rest, "- ", 2))
		rest += 2;
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

static void line_read(struct job *job, char *line)
{
	if (opt.verbose && strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7))
		printf("     %s: %s\n", job_name(job), line);
	if (!strncmp(line, "ok ", 3))
		result_count(job, true, line + 3);
	else if (!strncmp(line, "not ok ", 7))
		result_count(job, false, line + 7);
	else if (!strncmp(line, "1..", 3))
		job->planned = atoi(line + 3);
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
	int seen = c->passed + c->failed + c->skipped;
	char why[128] = "";
	int status = 0;

	if (job->line_bytes) {
		job->line[job->line_bytes] = '\0';
		line_read(job, job->line);
	}
	close(job->fd);
	waitpid(job->pid, &status, 0);
	kill(-job->pid, SIGKILL);
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
	else if (WEXITSTATUS(status) && !c->failed)
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	if (*why) {
		c->failed++;
		report(job, "FAIL", why);
	}
	total.passed += c->passed;
	total.failed += c->failed;
	total.skipped += c->skipped;
	free(job->kept);
}

/* ---- the main loop ----------------------------------------------------------------------- */

static void overtime_check(struct job *job)
{
	if (!job->overtime && now_s() - job->started > (time_t)PROGRAM_LIMIT_S * opt.scale) {
		job->overtime = true;
		kill(-job->pid, SIGKILL);
	}
}

/* Runs @paths (and the canary first) with at most opt.jobs at a time. */
static int run_all(char **paths)
{
	struct job running[JOBS_MAX];
	bool canary = opt.canary != NULL;
	int n = 0;

	while (canary || *paths || n) {
		struct pollfd pfds[JOBS_MAX];

		while (n < opt.jobs && (canary || *paths)) {
			if (job_start(&running[n], canary ? opt.canary : *paths, canary))
				return -1;
			if (!canary)
				paths++;
			canary = false;
			n++;
		}
		for (int i = 0; i < n; i++)
			pfds[i] = (struct pollfd){.fd = running[i].fd, .events = POLLIN};
		poll(pfds, (nfds_t)n, 1000);
		for (int i = n - 1; i >= 0; i--) {
			overtime_check(&running[i]);
			if (!pfds[i].revents || job_read(&running[i]))
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
	int c;

	while ((c = getopt(argc, argv, "j:d:c:s:x:rv")) != -1) {
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
	if (opt.jobs < 1 || opt.jobs > JOBS_MAX || opt.scale < 1) {
		fprintf(stderr, "runner: -j takes 1 to %d, -x at least 1\n", JOBS_MAX);
		return 2;
	}
	if (run_all(argv + optind)) {
		perror("runner");
		return 1;
	}
	if (opt.summary && summary_append()) {
		perror(opt.summary);
		return 1;
	}
	printf("%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped);
	return total.failed || !(total.passed + total.skipped) ? 1 : 0;
}
