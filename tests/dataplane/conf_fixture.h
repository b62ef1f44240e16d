/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of tests of settings: defaults, and what is reported from there on. */
#ifndef TESTS_DATAPLANE_CONF_FIXTURE_H
#define TESTS_DATAPLANE_CONF_FIXTURE_H

#include <string.h>

#include "conf_heard.h"
#include "harness.h"

FIXTURE(conf)
{
	struct sl_conf conf;
	struct conf_heard heard;
};
FIXTURE_SETUP(conf)
{
	conf_heard_init(&self->heard);
	ASSERT_EQ(0, sl_conf_init(&self->conf));
}
FIXTURE_TEARDOWN(conf)
{
	sl_conf_done(&self->conf);
}

/* Takes over the settings of @text, in which every mistake counts. */
static inline int conf_parse(FIXTURE_DATA(conf) * self, const char *text)
{
	return sl_conf_parse(&self->conf, "a.conf", text, strlen(text), true, &self->heard.report);
}

#endif
