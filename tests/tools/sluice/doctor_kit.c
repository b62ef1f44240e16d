/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up machine for checks of `sluice doctor` (doctor_kit.h). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor_kit.h"
#include "harness.h"

void doctor_kit_init(struct doctor_kit *k)
{
	ASSERT_EQ(0, sl_conf_init(&k->conf));
	k->d = (struct doctor){.root = harness_tmpdir(),
			       .release = "6.1.0-13-amd64",
			       .conf = &k->conf,
			       .report = &k->report};
}

void doctor_kit_done(struct doctor_kit *k)
{
	sl_conf_done(&k->conf);
}

void doctor_kit_file(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", harness_tmpdir(), path);
	for (char *slash = full + strlen(harness_tmpdir()) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = 0;
		mkdir(full, 0700);
		*slash = '/';
	}
	f = fopen(full, "we");
	ASSERT_NOT_NULL(f);
	fputs(text, f);
	fclose(f);
}
