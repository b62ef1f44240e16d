// SPDX-License-Identifier: Apache-2.0
/*
 * conf: the table of settings, their values, and what these must be as a whole.
 *
 * Interface: conf.h; conf_pvt.h for conf_read.c, which has the texts that they are read from.
 * Invariants: every field has a value from sl_conf_init() on, and text[] and origin[] belong to
 * it; a refused value leaves the earlier one in place; every mistake is reported, not the first.
 * Order of parts: the table; reports; one value; the whole; reload.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>

#include "conf_pvt.h"

#define REPORT_BYTES 1024

/* ---- the table -------------------------------------------------------------------------- */

/* Where each section begins in struct sl_conf. */
enum {
#define SECTION(section, member, help) AT_##section = offsetof(struct sl_conf, member),
#define END(member)
#define X(...)
#include "config.def"
#undef X
#undef END
#undef SECTION
};

static const struct sl_conf_key keys[] = {
#define RELOAD SL_CONF_RELOAD
#define OFF SL_CONF_OFF
#define LISTEN SL_CONF_LISTEN
#define ANY .min = 0
#define RANGE(lo, hi) .min = (int64_t)(lo), .max = (int64_t)(hi)
#define ONEOF(words) .choices = (words)
#define SECTION(section, member, help)
#define END(member)
#define X(sec, k, field, t, deflt, allowed, flag, text)                                            \
	[SL_CONF_ID_##sec##_##k] = {.section = #sec,                                               \
				    .key = #k,                                                     \
				    .type = SL_CONF_##t,                                           \
				    .flags = flag,                                                 \
				    .offset = AT_##sec + offsetof(struct sl_conf_##sec, field),    \
				    .def = deflt,                                                  \
				    allowed,                                                       \
				    .help = text},
#include "config.def"
#undef X
#undef END
#undef SECTION
#undef ONEOF
#undef RANGE
#undef ANY
#undef LISTEN
#undef OFF
#undef RELOAD
};
_Static_assert(SL_ARRAY_SIZE(keys) == SL_CONF_LAST, "a row for each setting");

static const struct {
	const char *name, *help;
} sections[] = {
#define SECTION(section, member, help) {#section, help},
#define END(member)
#define X(...)
#include "config.def"
#undef X
#undef END
#undef SECTION
};

const struct sl_conf_key *sl_conf_key(enum sl_conf_id id)
{
	SL_ASSERT(id < SL_CONF_LAST);
	return &keys[id];
}

const char *sl_conf_section_help(const char *section)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(sections); i++)
		if (strcmp(section, sections[i].name) == 0)
			return sections[i].help;
	return NULL;
}

enum sl_conf_id sl_conf_key_find(const char *section, size_t section_len, const char *key)
{
	int id = 0;

	for (; id < SL_CONF_LAST; id++)
		if (strlen(keys[id].section) == section_len &&
		    memcmp(keys[id].section, section, section_len) == 0 &&
		    strcmp(keys[id].key, key) == 0)
			break;
	return (enum sl_conf_id)id;
}

/* ---- reports ---------------------------------------------------------------------------- */

/* "sluice.conf:7: ", "--set: ", or nothing for a default. */
static void origin_format(const struct sl_conf_origin *o, char *ret_text, size_t size)
{
	if (!o->file)
		ret_text[0] = '\0';
	else if (o->line)
		snprintf(ret_text, size, "%s:%u: ", o->file, o->line);
	else
		snprintf(ret_text, size, "%s: ", o->file);
}

void sl_conf_tell(struct sl_conf_report *report, enum sl_conf_severity severity,
		  const struct sl_conf_origin *origin, const char *format, ...)
{
	char text[REPORT_BYTES];
	size_t used;
	va_list args;

	report->errors += severity == SL_CONF_ERROR;
	report->warnings += severity == SL_CONF_WARNING;
	if (!report->fn)
		return;
	origin_format(origin, text, sizeof(text));
	used = strlen(text);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	report->fn(report->arg, severity, text);
}

/* ---- one value -------------------------------------------------------------------------- */

static void *field_of(const struct sl_conf *conf, enum sl_conf_id id)
{
	return (char *)conf + keys[id].offset;
}

static int value_store(struct sl_conf *conf, enum sl_conf_id id, const char *text,
		       const struct sl_conf_origin *origin)
{
	union {
		char *string;
		char bytes[sizeof(struct sl_conf_addrs) + sizeof(struct sl_conf_rules)];
	} value;
	size_t n = sl_conf_type_bytes(keys[id].type);
	char *copy;
	int rc;

	SL_ASSERT(n <= sizeof(value));
	rc = sl_conf_value_parse(&keys[id], text, &value);
	if (rc)
		return rc;
	copy = strdup(text);
	if (!copy) {
		if (keys[id].type == SL_CONF_STRING)
			free(value.string);
		return -ENOMEM;
	}
	if (keys[id].type == SL_CONF_STRING)
		free(*(char **)field_of(conf, id));
	memcpy(field_of(conf, id), &value, n);
	free(conf->text[id]);
	conf->text[id] = copy;
	conf->origin[id] = *origin;
	return 0;
}

int sl_conf_value_set(struct sl_conf *conf, enum sl_conf_id id, const char *text,
		      const struct sl_conf_origin *origin, struct sl_conf_report *report)
{
	const struct sl_conf_key *k = &keys[id];
	int rc = value_store(conf, id, text, origin);
	char allowed[256];

	if (rc != -EINVAL && rc != -ERANGE)
		return rc;
	sl_conf_allowed(k, allowed, sizeof(allowed));
	sl_conf_tell(report, SL_CONF_ERROR, origin, "%s.%s = \"%s\" %s; allowed: %s", k->section,
		     k->key, text, rc == -ERANGE ? "is out of range" : "is not understood",
		     allowed);
	return -EINVAL;
}

const char *sl_conf_file_intern(struct sl_conf *conf, const char *name)
{
	char **files;
	char *copy;

	for (size_t i = 0; i < conf->files_n; i++)
		if (strcmp(conf->files[i], name) == 0)
			return conf->files[i];
	copy = strdup(name);
	if (!copy)
		return NULL;
	files = realloc(conf->files, (conf->files_n + 1) * sizeof(*files));
	if (!files) {
		free(copy);
		return NULL;
	}
	conf->files = files;
	conf->files[conf->files_n++] = copy;
	return copy;
}

int sl_conf_init(struct sl_conf *conf)
{
	const struct sl_conf_origin nowhere = {0};

	memset(conf, 0, sizeof(*conf));
	for (int id = 0; id < SL_CONF_LAST; id++) {
		int rc = value_store(conf, (enum sl_conf_id)id, keys[id].def, &nowhere);

		if (rc) {
			SL_ASSERT(rc == -ENOMEM); /* a default outside its own range */
			sl_conf_done(conf);
			return rc;
		}
	}
	return 0;
}

void sl_conf_done(struct sl_conf *conf)
{
	if (!conf)
		return;
	for (int id = 0; id < SL_CONF_LAST; id++) {
		free(conf->text[id]);
		if (keys[id].type == SL_CONF_STRING)
			free(*(char **)field_of(conf, (enum sl_conf_id)id));
	}
	for (size_t i = 0; i < conf->files_n; i++)
		free(conf->files[i]);
	free(conf->files);
	memset(conf, 0, sizeof(*conf));
}

/* ---- the whole -------------------------------------------------------------------------- */

/* Takes the next word of a list with commas or spaces off *@text. Return: its length, 0: none. */
static size_t next_word(const char **text, const char **ret_word)
{
	size_t len;

	*text += strspn(*text, ", ");
	*ret_word = *text;
	len = strcspn(*text, ", ");
	*text += len;
	return len;
}

static bool same_word(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && !memcmp(word, text, len);
}

bool sl_conf_encrypts(const struct sl_conf *conf, const char *section)
{
	const char *text = conf->tls.listeners, *word;
	size_t len;

	while ((len = next_word(&text, &word)))
		if (same_word(word, len, section))
			return true;
	return false;
}

static bool is_listener(const char *word, size_t len)
{
	for (int i = 0; i < SL_CONF_LAST; i++)
		if (keys[i].flags & SL_CONF_LISTEN && same_word(word, len, keys[i].section))
			return true;
	return false;
}

/* Who is encrypted exists, and so is what to encrypt with. */
static int check_tls(const struct sl_conf *conf, struct sl_conf_report *report)
{
	const struct sl_conf_origin *at = &conf->origin[SL_CONF_ID_tls_listeners];
	const char *text = conf->tls.listeners, *word;
	size_t len, n = 0;

	for (; (len = next_word(&text, &word)); n++)
		if (!is_listener(word, len)) {
			sl_conf_tell(report, SL_CONF_ERROR, at,
				     "tls.listeners names %.*s, which is no section with a listen "
				     "setting",
				     (int)len, word);
			return -EINVAL;
		}
	if (!n || (conf->tls.certificate[0] && conf->tls.key[0]))
		return 0;
	sl_conf_tell(report, SL_CONF_ERROR, at,
		     "tls.listeners = %s needs tls.certificate and tls.key, the files to encrypt "
		     "with",
		     conf->tls.listeners);
	return -EINVAL;
}

/* Who connects there cannot read along, and has shown who he is. */
static bool is_guarded(const struct sl_conf *conf, const char *section)
{
	return sl_conf_encrypts(conf, section) &&
	       (conf->tls.client_ca[0] || (!strcmp(section, "http") && conf->http.keys[0]));
}

static int check_loopback(const struct sl_conf *conf, enum sl_conf_id id,
			  struct sl_conf_report *report)
{
	const struct sl_conf_addrs *list = field_of(conf, id);
	char text[SL_CONF_ADDR_TEXT];

	if (conf->node.insecure || is_guarded(conf, keys[id].section))
		return 0;
	for (uint32_t i = 0; i < list->n; i++) {
		if (sl_conf_addr_is_loopback(&list->addrs[i]))
			continue;
		sl_conf_addr_format(&list->addrs[i], text);
		sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[id],
			     "%s.%s = %s can be reached from other machines, without %s; listen on "
			     "127.0.0.1 or [::1], %s, or set node.insecure = yes",
			     keys[id].section, keys[id].key, text,
			     sl_conf_encrypts(conf, keys[id].section)
				     ? "authentication"
				     : "encryption or authentication",
			     sl_conf_encrypts(conf, keys[id].section)
				     ? "set tls.client_ca"
				     : "add it to tls.listeners and set tls.client_ca");
		return -EINVAL;
	}
	return 0;
}

static uint16_t addr_port(const struct sl_conf_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in4.sin_port;
}

/* SO_REUSEPORT would let two protocols share a port, each getting some of the connections. */
static int check_shared(const struct sl_conf *conf, enum sl_conf_id a, enum sl_conf_id b,
			struct sl_conf_report *report)
{
	const struct sl_conf_addrs *la = field_of(conf, a), *lb = field_of(conf, b);
	char text[SL_CONF_ADDR_TEXT];

	for (uint32_t i = 0; i < la->n; i++) {
		for (uint32_t j = 0; j < lb->n; j++) {
			if ((a == b && i >= j) || addr_port(&la->addrs[i]) == 0 ||
			    memcmp(&la->addrs[i], &lb->addrs[j], sizeof(la->addrs[i])) != 0)
				continue;
			sl_conf_addr_format(&la->addrs[i], text);
			sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[b],
				     "%s.%s and %s.%s both listen on %s", keys[a].section,
				     keys[a].key, keys[b].section, keys[b].key, text);
			return -EINVAL;
		}
	}
	return 0;
}

/* An address without what is to be served there. */
static int check_root(const struct sl_conf *conf, struct sl_conf_report *report)
{
	if (!conf->statics.listen.n || conf->statics.root[0])
		return 0;
	sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[SL_CONF_ID_static_listen],
		     "static.listen = %s needs static.root, the folder whose files are served",
		     conf->text[SL_CONF_ID_static_listen]);
	return -EINVAL;
}

static int check_block_size(const struct sl_conf *conf, struct sl_conf_report *report)
{
	uint64_t bytes = conf->cache.block_size;

	if (!(bytes & (bytes - 1)))
		return 0;
	sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[SL_CONF_ID_cache_block_size],
		     "cache.block_size = %s is not a power of two; 4K, 8K, 16K, 32K and 64K are",
		     conf->text[SL_CONF_ID_cache_block_size]);
	return -EINVAL;
}

/* The program that maps a core's port would take it from whoever listens there. */
static int check_core_ports(const struct sl_conf *conf, enum sl_conf_id id,
			    struct sl_conf_report *report)
{
	const struct sl_conf_addrs *list = field_of(conf, id);
	const struct sl_conf_ports *p = &conf->kafka.core_ports;

	for (uint32_t i = 0; p->first && i < list->n; i++) {
		uint16_t port = ntohs(addr_port(&list->addrs[i]));

		if (port < p->first || port > p->last)
			continue;
		sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[id],
			     "%s.%s has port %u, which is among kafka.core_ports = %s",
			     keys[id].section, keys[id].key, port,
			     conf->text[SL_CONF_ID_kafka_core_ports]);
		return -EINVAL;
	}
	return 0;
}

/* Reports that @small is above @large; both are sizes or times in the same unit. */
static int check_order(const struct sl_conf *conf, enum sl_conf_id small, enum sl_conf_id large,
		       struct sl_conf_report *report)
{
	SL_ASSERT(sl_conf_type_bytes(keys[small].type) == sizeof(uint64_t));
	SL_ASSERT(keys[small].type == keys[large].type);
	if (*(uint64_t *)field_of(conf, small) <= *(uint64_t *)field_of(conf, large))
		return 0;
	sl_conf_tell(report, SL_CONF_ERROR, &conf->origin[small], "%s.%s = %s is above %s.%s = %s",
		     keys[small].section, keys[small].key, conf->text[small], keys[large].section,
		     keys[large].key, conf->text[large]);
	return -EINVAL;
}

int sl_conf_check(const struct sl_conf *conf, struct sl_conf_report *report)
{
	static const enum sl_conf_id orders[][2] = {
		{SL_CONF_ID_kafka_group_min_session_timeout,
		 SL_CONF_ID_kafka_group_max_session_timeout},
		{SL_CONF_ID_kafka_max_batch_bytes, SL_CONF_ID_kafka_max_request_bytes},
		{SL_CONF_ID_conn_buffered_max, SL_CONF_ID_conn_memory_max_bytes},
		{SL_CONF_ID_conn_memory_max_bytes, SL_CONF_ID_node_memory_max_bytes},
	};
	int rc = 0;

	for (int a = 0; a < SL_CONF_LAST; a++) {
		if (!(keys[a].flags & SL_CONF_LISTEN))
			continue;
		rc |= check_loopback(conf, (enum sl_conf_id)a, report);
		rc |= check_core_ports(conf, (enum sl_conf_id)a, report);
		for (int b = a; b < SL_CONF_LAST; b++)
			if (keys[b].flags & SL_CONF_LISTEN)
				rc |= check_shared(conf, (enum sl_conf_id)a, (enum sl_conf_id)b,
						   report);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(orders); i++)
		rc |= check_order(conf, orders[i][0], orders[i][1], report);
	rc |= check_root(conf, report);
	rc |= check_block_size(conf, report);
	rc |= check_tls(conf, report);
	return rc ? -EINVAL : 0;
}

/* ---- reload ----------------------------------------------------------------------------- */

int sl_conf_reload(const struct sl_conf *old, struct sl_conf *new, struct sl_conf_report *report)
{
	int changed = 0;

	for (int i = 0; i < SL_CONF_LAST; i++) {
		enum sl_conf_id id = (enum sl_conf_id)i;
		const struct sl_conf_key *k = &keys[i];
		struct sl_conf_origin origin = {0};
		int rc;

		if (sl_conf_value_equal(k->type, field_of(old, id), field_of(new, id)))
			continue;
		if (k->flags & SL_CONF_RELOAD) {
			sl_conf_tell(report, SL_CONF_NOTICE, &new->origin[i],
				     "%s.%s is now %s, was %s", k->section, k->key, new->text[i],
				     old->text[i]);
			changed++;
			continue;
		}
		sl_conf_tell(report, SL_CONF_WARNING, &new->origin[i],
			     "%s.%s = %s needs a restart; %s stays in force", k->section, k->key,
			     new->text[i], old->text[i]);
		origin.line = old->origin[i].line;
		if (old->origin[i].file) {
			origin.file = sl_conf_file_intern(new, old->origin[i].file);
			if (!origin.file)
				return -ENOMEM;
		}
		rc = value_store(new, id, old->text[i], &origin);
		if (rc) {
			SL_ASSERT(rc == -ENOMEM); /* it was accepted before */
			return rc;
		}
	}
	return changed;
}
