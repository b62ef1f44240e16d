/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of a cache, from one line of text.
 *
 * Interface: settings_read(). They are those of the daemon's section [cache], read by the same
 * table, so that names, units, limits and messages are the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_pvt.h"

/* The first mistake. */
struct told {
	char *text;
	size_t len;
	bool any;
};

static void tell(void *arg, enum sl_conf_severity severity, const char *text)
{
	struct told *t = arg;

	(void)severity;
	if (t->any)
		return;
	t->any = true;
	if (t->len)
		snprintf(t->text, t->len, "%s", text);
}

#define BETWEEN " ,\t\n"
#define SECTION_LINE "[cache]\n"

/* The first word that gives no value. Return: its length, or 0. */
static size_t lone_word(const char *settings, const char **ret_word)
{
	const char *at = settings + strspn(settings, BETWEEN);

	while (*at) {
		size_t n = strcspn(at, BETWEEN);

		if (!memchr(at, '=', n) || *at == '=') {
			*ret_word = at;
			return n;
		}
		at += n;
		at += strspn(at, BETWEEN);
	}
	return 0;
}

/* As a settings file has them: one a line. */
static char *as_file(const char *settings, size_t *ret_len)
{
	size_t head = sizeof(SECTION_LINE) - 1, n = strlen(settings);
	char *text = malloc(head + n + 1);

	if (!text)
		return NULL;
	memcpy(text, SECTION_LINE, head);
	for (size_t i = 0; i < n; i++)
		text[head + i] = strchr(BETWEEN, settings[i]) ? '\n' : settings[i];
	text[head + n] = '\0';
	*ret_len = head + n;
	return text;
}

static struct cache_conf conf_of(const struct sl_conf *c)
{
	return (struct cache_conf){
		.dir = AT_FDCWD,
		.max_bytes = c->cache.max_bytes,
		.block_size = (uint32_t)c->cache.block_size,
		.object_max_bytes = c->cache.object_max_bytes,
		.ttl_ns = c->cache.ttl_ns,
		.mmap_threshold = c->cache.mmap_threshold,
		.sendfile = true,
		.direct = CACHE_DIRECT_NEVER,
		.durability = (enum sl_durability)c->cache.durability,
		.memory_bytes = c->cache.memory_max_bytes,
	};
}

int settings_read(const char *settings, struct cache_conf *ret_conf, char *why, size_t why_len)
{
	struct told told = {.text = why, .len = why ? why_len : 0};
	struct sl_conf_report report = {.fn = tell, .arg = &told};
	struct sl_conf conf;
	const char *word;
	size_t len;
	char *text;
	int err;

	settings = settings ? settings : "";
	len = lone_word(settings, &word);
	if (len) {
		if (told.len)
			snprintf(why, why_len, "settings: \"%.*s\" is not name=value", (int)len,
				 word);
		return -EINVAL;
	}
	text = as_file(settings, &len);
	if (!text)
		return -ENOMEM;
	err = sl_conf_init(&conf);
	if (!err)
		err = sl_conf_parse(&conf, "settings", text, len, true, &report);
	if (!err)
		*ret_conf = conf_of(&conf);
	sl_conf_done(&conf);
	free(text);
	return err;
}
