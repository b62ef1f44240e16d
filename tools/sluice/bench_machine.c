// SPDX-License-Identifier: Apache-2.0
/*
 * The machine's own limits, to which a server's figures are compared: loopback, page cache, sync.
 *
 * Interface: bench_machine(); the disk's are in bench_direct.c. Each limit is measured by the
 * plainest code that does it, for about a second; two processes take the first and the last
 * processor that we may use.
 * Order of parts: common; loopback; round trips; files; report.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"
#include "options.h"

#define STEP_BYTES (256 * SL_KIB)
#define LOOPBACK_BYTES (4 * SL_GIB)
#define FILE_BYTES SL_GIB
#define ROUND_TRIPS 20000
#define SYNCS 200

struct limits {
	double loopback_gb_per_s, send_s_per_gb, recv_s_per_gb;
	double round_trip_p50_us;
	double write_gb_per_s, write_s_per_gb;
	double sync_4k_p50_us, sync_1m_gb_per_s;
	struct bench_disk disk;
};

/* ---- common ----------------------------------------------------------------------------- */

static double cpu_s(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Takes the first (or last) of the processors that we may use. */
static void pin(bool last)
{
	cpu_set_t all, one;
	int cpu = -1;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (int i = 0; i < CPU_SETSIZE && (last || cpu < 0); i++)
		if (CPU_ISSET(i, &all))
			cpu = i;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A connected pair over loopback. */
static int tcp_pair(int *ret_fds)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int one = 1, err = 0;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), b = -1;

	if (listener < 0 || a < 0 || bind(listener, (struct sockaddr *)&addr, len) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(a, (struct sockaddr *)&addr, len))
		err = -errno;
	if (!err)
		b = accept(listener, NULL, NULL);
	if (!err && b < 0)
		err = -errno;
	if (listener >= 0)
		close(listener);
	if (err) {
		if (a >= 0)
			close(a);
		return err;
	}
	setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(b, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ret_fds[0] = a;
	ret_fds[1] = b;
	return 0;
}

/* ---- loopback --------------------------------------------------------------------------- */

/* The other process: takes all there is. */
static void receive_all(int fd, char *buf)
{
	pin(true);
	while (recv(fd, buf, STEP_BYTES, 0) > 0)
		;
}

static int send_much(int fd, const char *buf)
{
	for (uint64_t done = 0; done < LOOPBACK_BYTES;) {
		ssize_t n = send(fd, buf, STEP_BYTES, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		done += (uint64_t)n;
	}
	return 0;
}

static int loopback(struct limits *l, char *buf)
{
	double children = cpu_s(RUSAGE_CHILDREN), own;
	int fds[2], err = tcp_pair(fds);
	int64_t began;
	pid_t pid;

	if (err)
		return err;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(fds[0]);
		receive_all(fds[1], buf);
		_exit(0);
	}
	close(fds[1]);
	began = now_ns();
	own = cpu_s(RUSAGE_SELF);
	err = send_much(fds[0], buf);
	own = cpu_s(RUSAGE_SELF) - own;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	l->loopback_gb_per_s = LOOPBACK_BYTES / 1e9 / ((double)(now_ns() - began) / 1e9);
	l->send_s_per_gb = own / (LOOPBACK_BYTES / 1e9);
	l->recv_s_per_gb = (cpu_s(RUSAGE_CHILDREN) - children) / (LOOPBACK_BYTES / 1e9);
	return err;
}

/* ---- round trips ------------------------------------------------------------------------ */

static void echo_all(int fd, char *buf)
{
	ssize_t n;

	pin(true);
	while ((n = recv(fd, buf, 128, 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0)
			break;
}

static int round_trips(struct limits *l, char *buf)
{
	int64_t *took = malloc(ROUND_TRIPS * sizeof(*took));
	int fds[2], err = took ? tcp_pair(fds) : -ENOMEM;
	pid_t pid = err ? 0 : fork();

	if (err || pid < 0) {
		free(took);
		return err ? err : -errno;
	}
	if (!pid) {
		close(fds[0]);
		echo_all(fds[1], buf);
		_exit(0);
	}
	close(fds[1]);
	for (int i = 0; i < ROUND_TRIPS && !err; i++) {
		int64_t began = now_ns();

		if (send(fds[0], buf, 100, MSG_NOSIGNAL) < 0 ||
		    recv(fds[0], buf, 100, MSG_WAITALL) <= 0)
			err = -ECONNRESET;
		took[i] = now_ns() - began;
	}
	close(fds[0]);
	waitpid(pid, NULL, 0);
	qsort(took, ROUND_TRIPS, sizeof(*took), by_time);
	l->round_trip_p50_us = (double)took[ROUND_TRIPS / 2] / 1e3;
	free(took);
	return err;
}

/* ---- files ------------------------------------------------------------------------------ */

static int write_all(int fd, const char *buf, size_t len, off_t at)
{
	return pwrite(fd, buf, len, at) == (ssize_t)len ? 0 : errno ? -errno : -EIO;
}

static int page_cache(struct limits *l, int fd, const char *buf)
{
	int64_t began = now_ns();
	double own = cpu_s(RUSAGE_SELF);
	int err = 0;

	for (uint64_t at = 0; at < FILE_BYTES && !err; at += STEP_BYTES)
		err = write_all(fd, buf, STEP_BYTES, (off_t)at);
	l->write_gb_per_s = FILE_BYTES / 1e9 / ((double)(now_ns() - began) / 1e9);
	l->write_s_per_gb = (cpu_s(RUSAGE_SELF) - own) / (FILE_BYTES / 1e9);
	return err;
}

/* Appends and syncs, one after the other; *@ret_p50_us of one. */
static int sync_each(int fd, const char *buf, size_t step, double *ret_p50_us)
{
	int64_t took[SYNCS];
	int err = 0;

	for (int i = 0; i < SYNCS && !err; i++) {
		int64_t began = now_ns();

		for (size_t n = 0; n < step && !err; n += sl_min(step, (size_t)STEP_BYTES))
			err = write_all(fd, buf, sl_min(step, (size_t)STEP_BYTES),
					(off_t)((size_t)i * step + n));
		if (!err && fdatasync(fd))
			err = -errno;
		took[i] = now_ns() - began;
	}
	qsort(took, SYNCS, sizeof(took[0]), by_time);
	*ret_p50_us = (double)took[SYNCS / 2] / 1e3;
	return err;
}

/* A file without a name in @dir, with its space reserved. */
static int scratch(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FILE_BYTES) && errno != EOPNOTSUPP) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int files(struct limits *l, const char *dir, const char *buf)
{
	double us = 0;
	int fd = scratch(dir);
	int err = fd < 0 ? fd : page_cache(l, fd, buf);

	if (fd >= 0)
		close(fd);
	fd = err ? -1 : scratch(dir);
	if (fd < 0)
		return err ? err : fd;
	err = sync_each(fd, buf, 4096, &l->sync_4k_p50_us);
	if (!err)
		err = sync_each(fd, buf, SL_MIB, &us);
	l->sync_1m_gb_per_s = us > 0 ? SL_MIB / 1e3 / us : 0;
	close(fd);
	return err;
}

/* ---- report ----------------------------------------------------------------------------- */

static void report(const struct limits *l, bool json)
{
	const struct bench_disk *d = &l->disk;

	if (json)
		printf("{\"bench\":\"machine\",\"loopback_gb_per_s\":%.3f,"
		       "\"loopback_send_cpu_s_per_gb\":%.4f,\"loopback_recv_cpu_s_per_gb\":%.4f,"
		       "\"round_trip_p50_us\":%.2f,\"write_gb_per_s\":%.3f,"
		       "\"write_cpu_s_per_gb\":%.4f,\"sync_4k_p50_us\":%.1f,"
		       "\"sync_1m_gb_per_s\":%.3f,\"direct\":%s,"
		       "\"direct_random_4k_iops\":%.0f,\"direct_random_4k_cpu_us\":%.2f,"
		       "\"direct_gb_per_s\":%.3f,\"direct_cpu_s_per_gb\":%.4f,"
		       "\"pread_gb_per_s\":%.3f,\"pread_cpu_s_per_gb\":%.4f}\n",
		       l->loopback_gb_per_s, l->send_s_per_gb, l->recv_s_per_gb,
		       l->round_trip_p50_us, l->write_gb_per_s, l->write_s_per_gb,
		       l->sync_4k_p50_us, l->sync_1m_gb_per_s, d->buffered ? "false" : "true",
		       d->random_iops, d->random_cpu_us, d->direct_gb_per_s, d->direct_s_per_gb,
		       d->pread_gb_per_s, d->pread_s_per_gb);
	else
		printf("loopback          %.2f GB/s   send %.3f CPU s/GB   receive %.3f CPU s/GB\n"
		       "round trip        p50 %.1f us\n"
		       "page-cache write  %.2f GB/s   %.3f CPU s/GB\n"
		       "append + sync     4 KiB p50 %.0f us   1 MiB %.2f GB/s\n"
		       "random reads      %.0f of 4 KiB a second, %d in flight   "
		       "%.1f us CPU each%s\n"
		       "sequential reads  %.2f GB/s   %.3f CPU s/GB   pread %.2f GB/s   "
		       "%.3f CPU s/GB\n",
		       l->loopback_gb_per_s, l->send_s_per_gb, l->recv_s_per_gb,
		       l->round_trip_p50_us, l->write_gb_per_s, l->write_s_per_gb,
		       l->sync_4k_p50_us, l->sync_1m_gb_per_s, d->random_iops, BENCH_DISK_DEPTH,
		       d->random_cpu_us, d->buffered ? " (no direct reads here)" : "",
		       d->direct_gb_per_s, d->direct_s_per_gb, d->pread_gb_per_s,
		       d->pread_s_per_gb);
}

int bench_machine(const struct bench_options *o)
{
	struct limits l = {0};
	char *buf = malloc(STEP_BYTES);
	int err = buf ? 0 : -ENOMEM;

	if (!err) {
		memset(buf, 'x', STEP_BYTES);
		pin(false);
		err = loopback(&l, buf);
	}
	if (!err)
		err = round_trips(&l, buf);
	if (!err)
		err = files(&l, o->dir, buf);
	if (!err)
		err = bench_direct(o->dir, &l.disk);
	free(buf);
	if (err) {
		complain("bench machine", "%s: %s (it needs loopback, and 1 GiB in --dir %s)",
			 "measuring", strerror(-err), o->dir);
		return err;
	}
	report(&l, o->json);
	return 0;
}
