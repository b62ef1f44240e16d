/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up machine for checks of `sluice doctor`: a root folder with files of /proc and /sys. */
#ifndef TESTS_TOOLS_SLUICE_DOCTOR_KIT_H
#define TESTS_TOOLS_SLUICE_DOCTOR_KIT_H

#include "tools/sluice/doctor.h"

struct doctor_kit {
	struct doctor d;
	struct doctor_report report;
	struct sl_conf conf;
};

void doctor_kit_init(struct doctor_kit *k);
void doctor_kit_done(struct doctor_kit *k);

/* Writes @text to @path ("/proc/sys/...") of the made-up machine. */
void doctor_kit_file(const char *path, const char *text);

#endif
