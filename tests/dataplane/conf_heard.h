/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of settings, heard for a test to read. */
#ifndef TESTS_DATAPLANE_CONF_HEARD_H
#define TESTS_DATAPLANE_CONF_HEARD_H

#include "dataplane/conf.h"

#define CONF_HEARD_MAX 16

/* In order. @report: to be handed over. */
struct conf_heard {
	struct sl_conf_report report;
	int n;
	enum sl_conf_severity severity[CONF_HEARD_MAX];
	char text[CONF_HEARD_MAX][1024];
};

void conf_heard_init(struct conf_heard *h);

#endif
