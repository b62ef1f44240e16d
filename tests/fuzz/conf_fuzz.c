// SPDX-License-Identifier: Apache-2.0
/* Settings from arbitrary bytes: first byte chooses a file's text or a --set. */
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>

#include "dataplane/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(void *arg, enum sl_conf_severity severity, const char *text)
{
	SL_ASSERT(severity <= SL_CONF_NOTICE);
	SL_ASSERT(strlen(text) > 0 && arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl_conf conf, defaults;
	struct sl_conf_report report = {.fn = check_text, .arg = &conf};
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (!text || sl_conf_init(&conf) || sl_conf_init(&defaults))
		abort();
	if (data[0] & 1)
		sl_conf_set(&conf, text, &report);
	else
		sl_conf_parse(&conf, "fuzz", (const char *)data + 1, size - 1, data[0] & 2,
			      &report);
	sl_conf_check(&conf, &report);
	SL_ASSERT(sl_conf_reload(&defaults, &conf, &report) >= 0);
	sl_conf_done(&defaults);
	sl_conf_done(&conf);
	free(text);
	return 0;
}
