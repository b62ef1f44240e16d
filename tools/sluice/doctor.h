/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: what this machine lacks for sluice, one finding a line.
 *
 * The checks (doctor_checks.c has their table) fill a report; the verb (doctor.c) prints it.
 */
#ifndef TOOLS_SLUICE_DOCTOR_H
#define TOOLS_SLUICE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/dataplane.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_WARN, /* the daemon runs, and does something worse than it could */
	DOCTOR_FAIL, /* the daemon does not start */
	DOCTOR_LEVEL_LAST
};

/**
 * struct doctor_finding - one thing looked at. Programs read it: a name is never given away again.
 * @value: what was found, as the machine says it; "" where that is no single word.
 * @text: the same for people, and what it costs. @cure: what to do, a command where there is one;
 *	"" when all is well.
 */
struct doctor_finding {
	enum doctor_level level;
	char name[40];
	char value[40];
	char text[320];
	char cure[200];
};

#define DOCTOR_FINDINGS_MAX 96

struct doctor_report {
	struct doctor_finding v[DOCTOR_FINDINGS_MAX];
	size_t n;
};

/**
 * struct doctor - what is examined.
 * @root: put before paths of /proc, "" but in tests. @release: of the kernel.
 * @conf: the daemon's settings: its folder and listeners.
 */
struct doctor {
	const char *root;
	const char *release;
	const struct sl_conf *conf;
	struct doctor_report *report;
};

/* One check; adds one finding or more. */
struct doctor_check {
	const char *name;
	void (*fn)(struct doctor *d, const char *name);
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_checks_n;

/* Adds a finding; printf-like text. */
__attribute__((format(printf, 5, 6))) void doctor_add(struct doctor *d, enum doctor_level level,
						      const char *name, const char *cure,
						      const char *format, ...);

/* The value of the finding that was added last. */
__attribute__((format(printf, 2, 3))) void doctor_value(struct doctor *d, const char *format, ...);

/* A number, or the first line, of a file below @d->root. Return: whether it is there. */
bool doctor_read_number(const struct doctor *d, const char *path, int64_t *ret_v);
bool doctor_read_line(const struct doctor *d, const char *path, char *ret_line, size_t len);

/* Checks of doctor_memory.c. */
void doctor_check_memory(struct doctor *d, const char *name);
void doctor_check_hugepages(struct doctor *d, const char *name);
void doctor_check_thp(struct doctor *d, const char *name);
void doctor_check_numa(struct doctor *d, const char *name);

/* Whether release @text ("6.1.0-13-amd64") is at least @major.@minor. */
bool doctor_release_at_least(const char *text, int major, int minor);

#endif
