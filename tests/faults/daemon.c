/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sluiced under test (daemon.h). The daemon dies with the test: the harness kills what a test's
 * process leaves behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/util.h>

#include "daemon.h"
#include "harness.h"
#include "wire.h"

/* ---- its life ----------------------------------------------------------------------------- */

void daemon_init(struct daemon_kit *d, const char *datadir)
{
	const char *tmp = harness_tmpdir();

	memset(d, 0, sizeof(*d));
	if (datadir)
		snprintf(d->datadir, sizeof(d->datadir), "%s", datadir);
	else
		snprintf(d->datadir, sizeof(d->datadir), "%s/data", tmp);
	snprintf(d->log, sizeof(d->log), "%s/daemon.log", tmp);
	snprintf(d->out, sizeof(d->out), "%s/daemon.out", tmp);
	daemon_set(d, "kafka.listen=127.0.0.1:0");
	daemon_set(d, "http.listen=127.0.0.1:0");
	daemon_set(d, "node.cores=1");
	daemon_set(d, "log.retention_ms=off"); /* the records of wire.h are of 1970 */
}

void daemon_set(struct daemon_kit *d, const char *format, ...)
{
	char text[sizeof(d->settings[0])];
	unsigned i = 0;
	va_list ap;

	va_start(ap, format);
	ASSERT_GT((int)sizeof(text), vsnprintf(text, sizeof(text), format, ap));
	va_end(ap);
	while (i < d->settings_n && strncmp(d->settings[i], text, strcspn(text, "=") + 1))
		i++;
	ASSERT_LT(i, (unsigned)DAEMON_SETTINGS_MAX);
	memcpy(d->settings[i], text, sizeof(text));
	d->settings_n = sl_max(d->settings_n, i + 1);
}

static void run_program(struct daemon_kit *d)
{
	char *argv[DAEMON_SETTINGS_MAX * 2 + 4];
	int n = 0;
	int out = open(d->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	argv[n++] = (char *)harness_build_path("sluiced");
	argv[n++] = "-D";
	argv[n++] = d->datadir;
	for (unsigned i = 0; i < d->settings_n; i++) {
		argv[n++] = "--set";
		argv[n++] = d->settings[i];
	}
	argv[n] = NULL;
	if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

/* Reads the ports off the greeting. Return: whether it was there. */
static bool greeted(struct daemon_kit *d)
{
	char text[600];
	unsigned kafka = 0, http = 0, statics = 0;
	int fd = open(d->out, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (!strchr(text, '\n'))
		return false;
	at = strstr(text, "kafka 127.0.0.1:");
	if (at)
		sscanf(at, "kafka 127.0.0.1:%u", &kafka);
	at = strstr(text, "http 127.0.0.1:");
	if (at)
		sscanf(at, "http 127.0.0.1:%u", &http);
	at = strstr(text, "static 127.0.0.1:");
	if (at)
		sscanf(at, "static 127.0.0.1:%u", &statics);
	d->kafka_port = (uint16_t)kafka;
	d->http_port = (uint16_t)http;
	d->static_port = (uint16_t)statics;
	return kafka != 0;
}

/* Return: whether it has ended, with its status. */
static bool ended(struct daemon_kit *d, int *ret_status, int options)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(d->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	*ret_status = pid < 0 ? 255 : WIFEXITED(status) ? WEXITSTATUS(status)
							 : 128 + WTERMSIG(status);
	d->pid = 0;
	d->kafka_port = d->http_port = 0;
	return true;
}

void daemon_launch(struct daemon_kit *d)
{
	ASSERT_EQ(0, d->pid);
	unlink(d->out);
	d->pid = fork();
	ASSERT_LE(0, d->pid);
	if (!d->pid)
		run_program(d);
}

int daemon_start(struct daemon_kit *d)
{
	int64_t began = wire_now(), limit = began + 20 * SL_SEC * harness_time_scale();
	int status;

	daemon_launch(d);
	for (;;) {
		if (greeted(d))
			break;
		if (ended(d, &status, WNOHANG))
			return status ? status : 255;
		if (wire_now() > limit) {
			daemon_kill(d);
			return -ETIME;
		}
		wire_sleep(SL_MSEC);
	}
	d->ready_ns = wire_now() - began;
	return 0;
}

void daemon_must_start(struct daemon_kit *d)
{
	int status = daemon_start(d);

	if (status)
		daemon_log_show(d);
	ASSERT_EQ(0, status);
}

int daemon_stop(struct daemon_kit *d)
{
	int64_t limit = wire_now() + 20 * SL_SEC * harness_time_scale();
	int status;

	ASSERT_LT(0, d->pid);
	kill(d->pid, SIGTERM);
	while (!ended(d, &status, WNOHANG)) {
		if (wire_now() > limit) {
			daemon_kill(d);
			return -ETIME;
		}
		wire_sleep(SL_MSEC);
	}
	return status;
}

void daemon_kill(struct daemon_kit *d)
{
	int status;

	if (d->pid <= 0)
		return;
	kill(d->pid, SIGKILL);
	ended(d, &status, 0);
}

bool daemon_runs(struct daemon_kit *d)
{
	int status;

	if (!d->pid)
		return false;
	if (!ended(d, &status, WNOHANG))
		return true;
	TH_LOG("sluiced ended by itself with status %d", status);
	daemon_log_show(d);
	return false;
}

/* ---- what it says --------------------------------------------------------------------------- */

unsigned daemon_log_count(const struct daemon_kit *d, const char *text)
{
	FILE *f = fopen(d->log, "re");
	char *line = NULL;
	size_t cap = 0;
	unsigned n = 0;

	if (!f)
		return 0;
	while (getline(&line, &cap, f) > 0)
		n += strstr(line, text) != NULL;
	free(line);
	fclose(f);
	return n;
}

unsigned daemon_log_wait(const struct daemon_kit *d, const char *text, unsigned n)
{
	int64_t limit = wire_now() + 10 * SL_SEC * harness_time_scale();
	unsigned seen;

	while ((seen = daemon_log_count(d, text)) < n && wire_now() < limit)
		wire_sleep(5 * SL_MSEC);
	return seen;
}

void daemon_log_show(const struct daemon_kit *d)
{
	enum { SHOWN = 30 };
	FILE *f = fopen(d->log, "re");
	char *line = NULL;
	size_t cap = 0;
	unsigned n = 0, all = 0;

	if (!f)
		return;
	while (getline(&line, &cap, f) > 0)
		all++;
	rewind(f);
	while (getline(&line, &cap, f) > 0)
		if (n++ + SHOWN >= all)
			TH_LOG("sluiced: %.*s", (int)strcspn(line, "\n"), line);
	free(line);
	fclose(f);
}

/* ---- what it takes -------------------------------------------------------------------------- */

uint64_t daemon_rss_bytes(const struct daemon_kit *d)
{
	unsigned long size = 0, resident = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", d->pid);
	f = d->pid > 0 ? fopen(path, "re") : NULL;
	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

unsigned daemon_descriptors(const struct daemon_kit *d)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", d->pid);
	dir = d->pid > 0 ? opendir(path) : NULL;
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - sl_min(n, 2u);
}
