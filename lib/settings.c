/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of a cache and of a store of objects, from one line of text.
 *
 * Interface: settings_read(), objects_settings_read(). They are those of the daemon's sections
 * [cache], and [objects] with one of [node], read by the same table, so that names, units, limits
 * and messages are the same.
 *
 * Order of parts: text; what it says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

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

/* ---- text ------------------------------------------------------------------------------- */

#define BETWEEN " ,\t\n"

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

/* Of these two sections: @section, and [node] for what is not in it; NULL: none is. */
struct sections {
	const char *section, *of_node;
};

/* As a settings file has them: one a line, each below its section. */
static char *as_file(const char *settings, const struct sections *in)
{
	const char *at = settings + strspn(settings, BETWEEN);
	size_t room = (strlen(settings) + 1) * (strlen(in->section) + 16), n;
	char *text = malloc(room);
	size_t len = 0;

	if (!text)
		return NULL;
	*text = '\0';
	for (; *at; at += n, at += strspn(at, BETWEEN)) {
		bool node = in->of_node && strncmp(at, in->of_node, strlen(in->of_node)) == 0;

		n = strcspn(at, BETWEEN);
		len += (size_t)snprintf(text + len, room - len, "[%s]\n%.*s\n",
					node ? "node" : in->section, (int)n, at);
	}
	return text;
}

/* @ret_conf: to be ended by sl_conf_done(). */
static int parse(const char *settings, const struct sections *in, struct sl_conf *ret_conf,
		 char *why, size_t why_len)
{
	struct told told = {.text = why, .len = why ? why_len : 0};
	struct sl_conf_report report = {.fn = tell, .arg = &told};
	const char *word;
	size_t len = lone_word(settings, &word);
	char *text;
	int err;

	if (len) {
		if (told.len)
			snprintf(why, why_len, "settings: \"%.*s\" is not name=value", (int)len,
				 word);
		return -EINVAL;
	}
	text = as_file(settings, in);
	if (!text)
		return -ENOMEM;
	err = sl_conf_init(ret_conf);
	if (!err)
		err = sl_conf_parse(ret_conf, "settings", text, strlen(text), true, &report);
	free(text);
	if (err)
		sl_conf_done(ret_conf);
	return err;
}

/* ---- what it says ----------------------------------------------------------------------- */

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
	static const struct sections in = {.section = "cache"};
	struct sl_conf conf;
	int err = parse(settings ? settings : "", &in, &conf, why, why_len);

	if (err)
		return err;
	*ret_conf = conf_of(&conf);
	sl_conf_done(&conf);
	return 0;
}

int objects_settings_read(const char *settings, struct objects_store_conf *ret_conf, char *why,
			  size_t why_len)
{
	static const struct sections in = {.section = "objects", .of_node = "durability="};
	struct sl_conf conf;
	int err = parse(settings ? settings : "", &in, &conf, why, why_len);

	if (err)
		return err;
	*ret_conf = (struct objects_store_conf){
		.dir = -1,
		.cores = 1,
		.log = {.durability = (enum sl_durability)conf.node.durability},
		.checkpoint_bytes = conf.objects.checkpoint_bytes,
		.idle_ns = conf.objects.idle_timeout_ns,
		.memory_max_bytes = conf.objects.memory_max_bytes,
	};
	sl_conf_done(&conf);
	return 0;
}
