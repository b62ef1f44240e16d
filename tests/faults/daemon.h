/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sluiced under test: the program itself, in a process of its own, on ports that the kernel
 * chose, with its data in a folder of the test.
 *
 * Order of parts: its life; what it says; what it takes.
 */
#ifndef TESTS_FAULTS_DAEMON_H
#define TESTS_FAULTS_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { DAEMON_SETTINGS_MAX = 24, DAEMON_PATH_BYTES = 300 };

/**
 * struct daemon_kit - @datadir: DATADIR. @log: its standard error, of all its starts one after
 * the other; @out: its standard output, of the last start.
 * @kafka_port, @http_port, @static_port: of the last start, 0 while it is not known to serve.
 */
struct daemon_kit {
	char datadir[DAEMON_PATH_BYTES];
	char log[DAEMON_PATH_BYTES], out[DAEMON_PATH_BYTES];
	char settings[DAEMON_SETTINGS_MAX][96];
	unsigned settings_n;
	pid_t pid; /* 0: not running */
	uint16_t kafka_port, http_port, static_port;
	int64_t ready_ns; /* from the last start until it served */
};

/* ---- its life ----------------------------------------------------------------------------- */

/* @datadir: NULL is a folder below harness_tmpdir(). Loopback, ports by the kernel; keeps all. */
void daemon_init(struct daemon_kit *d, const char *datadir);

/* A setting for the next starts ("node.cores=2"); a later one of the same name replaces it. */
void daemon_set(struct daemon_kit *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Starts it and does not wait. */
void daemon_launch(struct daemon_kit *d);

/* Starts it and waits until it serves. Return: 0; its exit status if it ended before (> 0, or
 * 128 + the signal); -ETIME. */
int daemon_start(struct daemon_kit *d);

/* As daemon_start(), but a failure ends the test, and shows the log. */
void daemon_must_start(struct daemon_kit *d);

/* SIGTERM, and wait. Return: its exit status; 128 + the signal that ended it; -ETIME: killed. */
int daemon_stop(struct daemon_kit *d);

/* SIGKILL, and wait. */
void daemon_kill(struct daemon_kit *d);

/* Whether it still runs; notices when it died. */
bool daemon_runs(struct daemon_kit *d);

/* ---- what it says --------------------------------------------------------------------------- */

/* Lines of its log that contain @text. */
unsigned daemon_log_count(const struct daemon_kit *d, const char *text);

/* Waits up to 10 s (scaled) until at least @n lines contain @text. Return: how many do. */
unsigned daemon_log_wait(const struct daemon_kit *d, const char *text, unsigned n);

/* Writes the log's last lines where a failing test shows them. */
void daemon_log_show(const struct daemon_kit *d);

/* ---- what it takes -------------------------------------------------------------------------- */

/* Resident memory; 0 when it does not run. */
uint64_t daemon_rss_bytes(const struct daemon_kit *d);

/* Open descriptors; 0 when it does not run. */
unsigned daemon_descriptors(const struct daemon_kit *d);

#endif
