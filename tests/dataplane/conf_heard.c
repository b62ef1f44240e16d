/* SPDX-License-Identifier: Apache-2.0 */
/* conf_heard.h: reports of settings. */
#include "conf_heard.h"

#include <stdio.h>

#include "harness.h"

static void hear(void *arg, enum sl_conf_severity severity, const char *text)
{
	struct conf_heard *h = arg;

	ASSERT_GT(CONF_HEARD_MAX, h->n);
	h->severity[h->n] = severity;
	snprintf(h->text[h->n], sizeof(h->text[0]), "%s", text);
	h->n++;
}

void conf_heard_init(struct conf_heard *h)
{
	*h = (struct conf_heard){.report = {.fn = hear, .arg = h}};
}
