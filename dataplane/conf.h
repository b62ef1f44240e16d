/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf: the settings, from an INI file, its drop-ins and the command line.
 *
 * struct sl_conf has one field for each row of config.def: conf->kafka.node_id. A struct is built
 * whole by sl_conf_load() and not changed afterwards; a reload builds a second one and compares.
 * Mistakes are told through a report callback, because settings are read before logs exist.
 *
 * Order of parts: the types of values; the struct; reading it; looking at rows.
 */
#ifndef DATAPLANE_CONF_H
#define DATAPLANE_CONF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <sluice/util.h>

#include "log.h"

/* ---- types of values -------------------------------------------------------------------- */

#define SL_CONF_ADDRS_MAX 8
#define SL_CONF_CPUS_MAX 1024
#define SL_CONF_RULES_MAX 64

/* node.durability; in the order of its ONEOF. */
enum sl_durability { SL_DURABILITY_GROUP, SL_DURABILITY_EACH, SL_DURABILITY_NONE };

/* One address to listen on. Unused bytes are zero, so that two may be compared by memcmp. */
struct sl_conf_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
	socklen_t sa_bytes;
};

/* ADDRS: "127.0.0.1:9092, [::1]:9092", "localhost:9092", "*:9092", or "off" (n is 0). */
struct sl_conf_addrs {
	uint32_t n;
	struct sl_conf_addr addrs[SL_CONF_ADDRS_MAX];
};

/* HOSTPORT: "name:9092", "[::1]:9092"; empty: host is "" and port 0. */
struct sl_conf_hostport {
	char host[256];
	uint16_t port;
};

/* CPUS: a count (0: all), or a list, in which case count is the number of bits set. */
struct sl_conf_cpus {
	uint32_t count;
	bool is_list;
	uint64_t mask[SL_CONF_CPUS_MAX / 64];
};

/* node.steering; in the order of its ONEOF. */
enum sl_steering_choice {
	SL_STEERING_AUTO,
	SL_STEERING_HASH,
	SL_STEERING_LOAD,
	SL_STEERING_CPU,
	SL_STEERING_SOURCE,
	SL_STEERING_RULES
};

/* One prefix and its cores. IPv4 is ::ffff:a.b.c.d, its @bits 96 more than written. */
struct sl_conf_rule {
	uint8_t addr[16]; /* zero behind @bits */
	uint16_t bits;
	uint16_t first, last;
};

/* RULES: "10.1.0.0/16:0-3, [2001:db8::]/32:4"; empty: n is 0. */
struct sl_conf_rules {
	uint32_t n;
	struct sl_conf_rule v[SL_CONF_RULES_MAX];
};

/* PORTS: "9100-9163", or "off": both 0. */
struct sl_conf_ports {
	uint16_t first, last;
};

enum sl_conf_type {
	SL_CONF_BOOL, /* bool: yes no on off true false 1 0 */
	SL_CONF_UINT, /* uint64_t */
	SL_CONF_BYTES, /* uint64_t: 4096, 64K, 1G (powers of 1024) */
	SL_CONF_TIME_NS, /* int64_t: 5s, 250ms, 10m, 7d; the unit is required, except for 0 */
	SL_CONF_TIME_MS, /* int64_t: the same; a plain number is milliseconds */
	SL_CONF_CHOICE, /* int: position in the row's list of words */
	SL_CONF_STRING, /* char *, never NULL, owned by the struct */
	SL_CONF_ADDRS, /* struct sl_conf_addrs */
	SL_CONF_HOSTPORT, /* struct sl_conf_hostport */
	SL_CONF_CPUS, /* struct sl_conf_cpus */
	SL_CONF_RULES, /* struct sl_conf_rules */
	SL_CONF_PORTS, /* struct sl_conf_ports */
	SL_CONF_TYPE_LAST
};

typedef bool sl_conf_BOOL;
typedef uint64_t sl_conf_UINT;
typedef uint64_t sl_conf_BYTES;
typedef int64_t sl_conf_TIME_NS;
typedef int64_t sl_conf_TIME_MS;
typedef int sl_conf_CHOICE;
typedef char *sl_conf_STRING;
typedef struct sl_conf_addrs sl_conf_ADDRS;
typedef struct sl_conf_hostport sl_conf_HOSTPORT;
typedef struct sl_conf_cpus sl_conf_CPUS;
typedef struct sl_conf_rules sl_conf_RULES;
typedef struct sl_conf_ports sl_conf_PORTS;

enum {
	SL_CONF_RELOAD = 1 << 0,
	SL_CONF_OFF = 1 << 1,
	SL_CONF_LISTEN = 1 << 2,
};

/* ---- the struct ------------------------------------------------------------------------- */

/* SL_CONF_ID_kafka_listen and so on: a setting's row. */
enum sl_conf_id {
#define SECTION(section, member, help)
#define END(member)
#define X(section, key, ...) SL_CONF_ID_##section##_##key,
#include "config.def"
#undef X
#undef END
#undef SECTION
	SL_CONF_LAST
};

/* Where a value came from. @file is owned by the struct: a path, "--set", or NULL: the default. */
struct sl_conf_origin {
	const char *file;
	unsigned line;
};

struct sl_conf {
#define SECTION(section, member, help) struct sl_conf_##section {
#define END(member)                                                                                \
	}                                                                                          \
	member;
#define X(section, key, field, type, ...) sl_conf_##type field;
#include "config.def"
#undef X
#undef END
#undef SECTION
	char *text[SL_CONF_LAST]; /* the values as written */
	struct sl_conf_origin origin[SL_CONF_LAST];
	char **files; /* what origins point at */
	size_t files_n;
};

/* ---- reading it ------------------------------------------------------------------------- */

enum sl_conf_severity { SL_CONF_ERROR, SL_CONF_WARNING, SL_CONF_NOTICE };

/**
 * struct sl_conf_report - who is told of mistakes.
 * @fn: gets one sentence that names file, line, key, value and what is allowed; the text is gone
 *	after the call. NULL: nobody is told.
 * @errors, @warnings: counted here.
 */
struct sl_conf_report {
	void (*fn)(void *arg, enum sl_conf_severity severity, const char *text);
	void *arg;
	unsigned errors, warnings;
};

/**
 * struct sl_conf_source - where settings are read from; later ones win.
 * @file: the INI file, or NULL; then @file.d/ *.conf in the order of their names.
 * @file_optional: a missing @file is no error.
 * @sets: "section.key=value", @sets_n of them.
 * @strict: an unknown section or key is an error (--check), not a warning.
 */
struct sl_conf_source {
	const char *file;
	bool file_optional;
	bool strict;
	const char *const *sets;
	size_t sets_n;
};

/**
 * sl_conf_load() - read all of @src over the defaults and check it as a whole.
 * Reads small files: from a plain thread, blocking it, or from a fiber, parking it.
 * Return: 0; -EINVAL if anything is wrong (each mistake was reported); -ENOMEM; or the errno of
 *         reading a file. On failure *ret_conf needs no done.
 */
int sl_conf_load(struct sl_conf *ret_conf, const struct sl_conf_source *src,
		 struct sl_conf_report *report);

/**
 * sl_conf_reload() - turn @new, just loaded, into what is in force after a SIGHUP.
 * Reports each changed setting: a notice if it is taken over, a warning if it needs a restart, in
 * which case @new gets @old's value back.
 * Return: how many settings changed and are taken over, or -ENOMEM (@new is then of no use).
 */
int sl_conf_reload(const struct sl_conf *old, struct sl_conf *new, struct sl_conf_report *report);

/* Frees what the struct owns. Accepts NULL, a zeroed struct and a half-built one. */
void sl_conf_done(struct sl_conf *conf);

/* The parts of sl_conf_load(), for tests and tools. */

/* All settings at their defaults: 0 or -ENOMEM. */
int sl_conf_init(struct sl_conf *conf);
/* The text of one file, @name in messages: 0, -EINVAL (reported) or -ENOMEM. */
int sl_conf_parse(struct sl_conf *conf, const char *name, const char *text, size_t len, bool strict,
		  struct sl_conf_report *report);
/* "section.key=value": 0, -EINVAL (reported) or -ENOMEM. */
int sl_conf_set(struct sl_conf *conf, const char *assignment, struct sl_conf_report *report);
/* What concerns several settings at once: 0 or -EINVAL (reported). */
int sl_conf_check(const struct sl_conf *conf, struct sl_conf_report *report);

/* ---- looking at rows -------------------------------------------------------------------- */

/**
 * struct sl_conf_key - a row of config.def.
 * @min, @max: allowed range in the field's unit (STRING: length); both 0: any.
 * @choices: CHOICE: the words, separated by "|".
 */
struct sl_conf_key {
	const char *section, *key;
	enum sl_conf_type type;
	unsigned flags;
	size_t offset; /* of the field in struct sl_conf */
	const char *def;
	int64_t min, max;
	const char *choices;
	const char *help;
};

/* Row @id; asserts that it exists. */
const struct sl_conf_key *sl_conf_key(enum sl_conf_id id);
/* The sentence about a section, or NULL. */
const char *sl_conf_section_help(const char *section);
/* What a value of this row may be, in words: "64K to 2G", "group, each or none". */
void sl_conf_allowed(const struct sl_conf_key *key, char *ret_text, size_t size);
/* Whether the listener of @section is among tls.listeners. */
bool sl_conf_encrypts(const struct sl_conf *conf, const char *section);
/* Whether @addr can only be reached from this machine. */
bool sl_conf_addr_is_loopback(const struct sl_conf_addr *addr);
/* "127.0.0.1:9092", "[::1]:9092" into @ret_text, SL_CONF_ADDR_TEXT bytes. */
#define SL_CONF_ADDR_TEXT 64
void sl_conf_addr_format(const struct sl_conf_addr *addr, char *ret_text);

#endif
