// SPDX-License-Identifier: Apache-2.0
/*
 * conf_value: the text of a setting's value <-> a field of struct sl_conf.
 *
 * Interface: conf_pvt.h, and of conf.h sl_conf_allowed() and the two about addresses.
 * Invariants: a parser reads the whole text or refuses it; a field is zeroed before it is filled,
 * so that equal values are equal bytes (but for STRING).
 * Order of parts: numbers with units; words and strings; addresses; processors; rules and
 * ports; the table of types; what is allowed, in words.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/assert.h>

#include "conf_pvt.h"

/* ---- numbers with units ----------------------------------------------------------------- */

struct unit {
	const char *name;
	int64_t factor;
};

/* The first spelling of a size is the one that sl_conf_allowed() prints. */
static const struct unit size_units[] = {
	{"T", INT64_C(1) << 40},
	{"G", INT64_C(1) << 30},
	{"M", INT64_C(1) << 20},
	{"K", INT64_C(1) << 10},
	{"", 1},
	{"B", 1},
	{"TB", INT64_C(1) << 40},
	{"GB", INT64_C(1) << 30},
	{"MB", INT64_C(1) << 20},
	{"KB", INT64_C(1) << 10},
	{"TiB", INT64_C(1) << 40},
	{"GiB", INT64_C(1) << 30},
	{"MiB", INT64_C(1) << 20},
	{"KiB", INT64_C(1) << 10},
};

static const struct unit time_units[] = {
	{"d", 86400 * SL_SEC}, {"h", 3600 * SL_SEC}, {"m", 60 * SL_SEC}, {"s", SL_SEC},
	{"ms", SL_MSEC},       {"us", SL_USEC},	     {"ns", 1},		 {"w", 7 * 86400 * SL_SEC},
	{"min", 60 * SL_SEC},
};

/* Reads digits; the rest of the text goes to *ret_rest. */
static int parse_digits(const char *text, int64_t *ret_value, const char **ret_rest)
{
	int64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *text - '0', &v))
			return -ERANGE;
	*ret_value = v;
	*ret_rest = text;
	return 0;
}

static int parse_unit(const char *name, const struct unit *units, size_t n, int64_t *ret_factor)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(name, units[i].name) == 0) {
			*ret_factor = units[i].factor;
			return 0;
		}
	}
	return -EINVAL;
}

static int check_range(const struct sl_conf_key *key, int64_t v)
{
	if (key->min == 0 && key->max == 0)
		return 0;
	return v < key->min || v > key->max ? -ERANGE : 0;
}

static bool is_off(const struct sl_conf_key *key, const char *text)
{
	return (key->flags & SL_CONF_OFF) && strcasecmp(text, "off") == 0;
}

/* A number, then one of @units; without a unit it counts @bare, 0 meaning that it needs one. */
static int parse_number(const struct sl_conf_key *key, const char *text, const struct unit *units,
			size_t units_n, int64_t bare, int64_t *ret_value)
{
	int64_t v, factor = bare;
	const char *rest;
	int rc;

	if (is_off(key, text)) {
		*ret_value = 0;
		return 0;
	}
	rc = parse_digits(text, &v, &rest);
	if (rc)
		return rc;
	while (*rest == ' ')
		rest++;
	if (*rest && parse_unit(rest, units, units_n, &factor))
		return -EINVAL;
	if (!*rest && bare == 0 && v != 0)
		return -EINVAL;
	if (__builtin_mul_overflow(v, factor, &v))
		return -ERANGE;
	*ret_value = v;
	return 0;
}

static int parse_uint(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	int64_t v;
	int rc = parse_number(key, text, NULL, 0, 1, &v);

	if (rc == 0 && !is_off(key, text))
		rc = check_range(key, v);
	if (rc == 0)
		*(sl_conf_UINT *)ret_field = (uint64_t)v;
	return rc;
}

static int parse_bytes(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	int64_t v;
	int rc = parse_number(key, text, size_units, SL_ARRAY_SIZE(size_units), 1, &v);

	if (rc == 0 && !is_off(key, text))
		rc = check_range(key, v);
	if (rc == 0)
		*(sl_conf_BYTES *)ret_field = (uint64_t)v;
	return rc;
}

static int parse_time_ns(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	int64_t v;
	int rc = parse_number(key, text, time_units, SL_ARRAY_SIZE(time_units), 0, &v);

	if (rc == 0 && !is_off(key, text))
		rc = check_range(key, v);
	if (rc == 0)
		*(sl_conf_TIME_NS *)ret_field = v;
	return rc;
}

/* Through nanoseconds this would end at 292 years; a plain number does not pass through them. */
static int parse_time_ms(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	const char *rest;
	int64_t v;
	int rc = parse_digits(text, &v, &rest);

	if (rc || *rest) {
		rc = parse_number(key, text, time_units, SL_ARRAY_SIZE(time_units), 0, &v);
		if (rc)
			return rc;
		if (v % SL_MSEC)
			return -EINVAL;
		v /= SL_MSEC;
	}
	if (!is_off(key, text))
		rc = check_range(key, v);
	if (rc == 0)
		*(sl_conf_TIME_MS *)ret_field = v;
	return rc;
}

/* ---- words and strings ------------------------------------------------------------------ */

static int parse_bool(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

	(void)key;
	for (size_t i = 0; i < SL_ARRAY_SIZE(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*(sl_conf_BOOL *)ret_field = i % 2 == 1;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_choice(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	size_t len = strlen(text);
	const char *word = key->choices;
	int index = 0;

	SL_ASSERT(word);
	for (;; index++) {
		size_t n = strcspn(word, "|");

		if (n == len && strncasecmp(word, text, n) == 0) {
			*(sl_conf_CHOICE *)ret_field = index;
			return 0;
		}
		if (!word[n])
			return -EINVAL;
		word += n + 1;
	}
}

static int parse_string(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	int rc = check_range(key, (int64_t)strlen(text));
	char *copy;

	if (is_off(key, text))
		text = "";
	for (const char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			return -EINVAL;
	if (rc)
		return rc;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*(sl_conf_STRING *)ret_field = copy;
	return 0;
}

/* ---- addresses -------------------------------------------------------------------------- */

/* Splits "host:port" or "[host]:port"; @ret_host has room for @host_size bytes. */
static int split_hostport(const char *text, size_t len, char *ret_host, size_t host_size,
			  uint16_t *ret_port)
{
	const char *end = text + len, *host = text, *host_end, *rest;
	int64_t port;

	if (len && *text == '[') {
		host = text + 1;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end || host_end + 1 == end || host_end[1] != ':')
			return -EINVAL;
		rest = host_end + 2;
	} else {
		host_end = memchr(text, ':', len);
		if (!host_end)
			return -EINVAL;
		rest = host_end + 1;
	}
	if (host_end == host || (size_t)(host_end - host) >= host_size)
		return -EINVAL;
	if (parse_digits(rest, &port, &rest) || rest != end || port > UINT16_MAX)
		return -EINVAL;
	memcpy(ret_host, host, (size_t)(host_end - host));
	ret_host[host_end - host] = '\0';
	*ret_port = (uint16_t)port;
	return 0;
}

/* Names other than localhost are refused: what they resolve to changes under a listener. */
static int parse_addr(const char *text, size_t len, struct sl_conf_addr *ret_addr)
{
	char name[64];
	const char *host = name;
	uint16_t port;
	struct sl_conf_addr addr;
	int rc = split_hostport(text, len, name, sizeof(name), &port);

	if (rc)
		return rc;
	memset(&addr, 0, sizeof(addr));
	if (strcasecmp(name, "localhost") == 0)
		host = "127.0.0.1";
	else if (strcmp(name, "*") == 0)
		host = "0.0.0.0";
	if (*text != '[' && inet_pton(AF_INET, host, &addr.in4.sin_addr) == 1) {
		addr.in4.sin_family = AF_INET;
		addr.in4.sin_port = htons(port);
		addr.sa_bytes = sizeof(addr.in4);
	} else if (*text == '[' && inet_pton(AF_INET6, host, &addr.in6.sin6_addr) == 1) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		addr.sa_bytes = sizeof(addr.in6);
	} else {
		return -EINVAL;
	}
	*ret_addr = addr;
	return 0;
}

static int parse_addrs(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	static const char separators[] = ", \t";
	struct sl_conf_addrs *addrs = ret_field;

	(void)key;
	if (strcasecmp(text, "off") == 0)
		return 0;
	text += strspn(text, separators);
	while (*text) {
		size_t len = strcspn(text, separators);

		if (addrs->n == SL_CONF_ADDRS_MAX)
			return -ERANGE;
		if (parse_addr(text, len, &addrs->addrs[addrs->n]))
			return -EINVAL;
		addrs->n++;
		text += len;
		text += strspn(text, separators);
	}
	return addrs->n ? 0 : -EINVAL;
}

static int parse_hostport(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	struct sl_conf_hostport *hp = ret_field;

	(void)key;
	if (!*text)
		return 0;
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p))
			return -EINVAL;
	if (split_hostport(text, strlen(text), hp->host, sizeof(hp->host), &hp->port))
		return -EINVAL;
	return hp->port ? 0 : -EINVAL;
}

bool sl_conf_addr_is_loopback(const struct sl_conf_addr *addr)
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;

	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in4.sin_addr.s_addr) >> 24 == 127;
	if (addr->sa.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

void sl_conf_addr_format(const struct sl_conf_addr *addr, char *ret_text)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
		snprintf(ret_text, SL_CONF_ADDR_TEXT, "[%s]:%u", host, ntohs(addr->in6.sin6_port));
		return;
	}
	inet_ntop(AF_INET, &addr->in4.sin_addr, host, sizeof(host));
	snprintf(ret_text, SL_CONF_ADDR_TEXT, "%s:%u", host, ntohs(addr->in4.sin_port));
}

/* ---- processors ------------------------------------------------------------------------- */

/* One "a" or "a-b" of a list; advances *text past it. */
static int parse_cpu_range(const char **text, struct sl_conf_cpus *cpus)
{
	int64_t first, last;

	if (parse_digits(*text, &first, text))
		return -EINVAL;
	last = first;
	if (**text == '-' && parse_digits(*text + 1, &last, text))
		return -EINVAL;
	if (last < first)
		return -EINVAL;
	if (last >= SL_CONF_CPUS_MAX)
		return -ERANGE;
	for (int64_t i = first; i <= last; i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);

		cpus->count += !(cpus->mask[i / 64] & bit);
		cpus->mask[i / 64] |= bit;
	}
	return 0;
}

static int parse_cpus(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	struct sl_conf_cpus *cpus = ret_field;
	const char *rest;
	int64_t count;
	int rc;

	(void)key;
	if (strcasecmp(text, "all") == 0)
		return 0;
	if (parse_digits(text, &count, &rest) == 0 && !*rest) {
		cpus->count = (uint32_t)count;
		return count > SL_CONF_CPUS_MAX ? -ERANGE : 0;
	}
	cpus->is_list = true;
	for (;;) {
		rc = parse_cpu_range(&text, cpus);
		if (rc || !*text)
			return rc;
		if (*text++ != ',')
			return -EINVAL;
	}
}

/* ---- rules and ports -------------------------------------------------------------------- */

/* "10.1.0.0/16" or "[2001:db8::]/32"; advances *text past it. Bits behind the prefix are cut. */
static int parse_prefix(const char **text, struct sl_conf_rule *rule)
{
	bool is_ipv6 = **text == '[';
	const char *from = *text + is_ipv6, *to = from + strcspn(from, is_ipv6 ? "]" : "/");
	char name[INET6_ADDRSTRLEN];
	int64_t bits;

	if (!*to || (size_t)(to - from) >= sizeof(name))
		return -EINVAL;
	memcpy(name, from, (size_t)(to - from));
	name[to - from] = '\0';
	to += is_ipv6;
	if (*to++ != '/' || parse_digits(to, &bits, text))
		return -EINVAL;
	rule->addr[10] = rule->addr[11] = is_ipv6 ? 0 : 0xff;
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, name, rule->addr + (is_ipv6 ? 0 : 12)) != 1)
		return -EINVAL;
	if (bits > (is_ipv6 ? 128 : 32))
		return -ERANGE;
	rule->bits = (uint16_t)(bits + (is_ipv6 ? 0 : 96));
	for (unsigned i = rule->bits; i < 128; i++)
		rule->addr[i / 8] &= (uint8_t)~(0x80 >> i % 8);
	return 0;
}

/* One "PREFIX/BITS:FIRST-LAST" or "PREFIX/BITS:CORE"; advances *text past it. */
static int parse_rule(const char **text, struct sl_conf_rule *rule)
{
	int64_t first, last;
	int rc = parse_prefix(text, rule);

	if (rc)
		return rc;
	if (*(*text)++ != ':' || parse_digits(*text, &first, text))
		return -EINVAL;
	last = first;
	if (**text == '-' && parse_digits(*text + 1, &last, text))
		return -EINVAL;
	if (last < first)
		return -EINVAL;
	if (last >= SL_CONF_CPUS_MAX)
		return -ERANGE;
	rule->first = (uint16_t)first;
	rule->last = (uint16_t)last;
	return 0;
}

static int parse_rules(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	static const char separators[] = ", \t";
	struct sl_conf_rules *rules = ret_field;

	(void)key;
	text += strspn(text, separators);
	while (*text) {
		int rc;

		if (rules->n == SL_CONF_RULES_MAX)
			return -ERANGE;
		rc = parse_rule(&text, &rules->v[rules->n]);
		if (rc)
			return rc;
		if (*text && !strchr(separators, *text))
			return -EINVAL;
		rules->n++;
		text += strspn(text, separators);
	}
	return 0;
}

static int parse_ports(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	struct sl_conf_ports *ports = ret_field;
	int64_t first, last;

	(void)key;
	if (strcasecmp(text, "off") == 0)
		return 0;
	if (parse_digits(text, &first, &text) || *text++ != '-' ||
	    parse_digits(text, &last, &text) || *text || first < 1 || last < first)
		return -EINVAL;
	if (last > UINT16_MAX)
		return -ERANGE;
	*ports = (struct sl_conf_ports){(uint16_t)first, (uint16_t)last};
	return 0;
}

/* ---- the table of types ----------------------------------------------------------------- */

static const struct {
	size_t bytes;
	int (*parse)(const struct sl_conf_key *key, const char *text, void *ret_field);
} types[] = {
#define ROW(type, fn) [SL_CONF_##type] = {sizeof(sl_conf_##type), fn}
	ROW(BOOL, parse_bool),	     ROW(UINT, parse_uint),	  ROW(BYTES, parse_bytes),
	ROW(TIME_NS, parse_time_ns), ROW(TIME_MS, parse_time_ms), ROW(CHOICE, parse_choice),
	ROW(STRING, parse_string),   ROW(ADDRS, parse_addrs),	  ROW(HOSTPORT, parse_hostport),
	ROW(CPUS, parse_cpus),	     ROW(RULES, parse_rules),
	ROW(PORTS, parse_ports),
#undef ROW
};
_Static_assert(SL_ARRAY_SIZE(types) == SL_CONF_TYPE_LAST, "a parser for each type");

/* Room for a field of any type, so that a refused value leaves the old one alone. */
union any {
	sl_conf_UINT number;
	sl_conf_STRING string;
	sl_conf_ADDRS addrs;
	sl_conf_HOSTPORT hostport;
	sl_conf_CPUS cpus;
	sl_conf_RULES rules;
	sl_conf_PORTS ports;
};

size_t sl_conf_type_bytes(enum sl_conf_type type)
{
	SL_ASSERT(type < SL_CONF_TYPE_LAST);
	return types[type].bytes;
}

int sl_conf_value_parse(const struct sl_conf_key *key, const char *text, void *ret_field)
{
	union any any;
	int rc;

	SL_ASSERT(key->type < SL_CONF_TYPE_LAST);
	SL_ASSERT(types[key->type].bytes <= sizeof(any));
	memset(&any, 0, sizeof(any));
	rc = types[key->type].parse(key, text, &any);
	if (rc == 0)
		memcpy(ret_field, &any, types[key->type].bytes);
	return rc;
}

bool sl_conf_value_equal(enum sl_conf_type type, const void *a, const void *b)
{
	SL_ASSERT(type < SL_CONF_TYPE_LAST);
	if (type == SL_CONF_STRING)
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	return memcmp(a, b, types[type].bytes) == 0;
}

/* ---- what is allowed, in words ---------------------------------------------------------- */

/* @v in the largest of the first @n units that divides it. */
static void format_number(int64_t v, const struct unit *units, size_t n, char *ret_text,
			  size_t size)
{
	for (size_t i = 0; i < n; i++) {
		if (v && v % units[i].factor == 0) {
			snprintf(ret_text, size, "%lld%s", (long long)(v / units[i].factor),
				 units[i].name);
			return;
		}
	}
	snprintf(ret_text, size, "%lld", (long long)v);
}

static void allowed_range(const struct sl_conf_key *key, const struct unit *units, size_t n,
			  int64_t scale, const char *what, char *ret_text, size_t size)
{
	const char *off = key->flags & SL_CONF_OFF ? ", or off" : "";
	char min[32], max[32];
	int64_t most;

	format_number(key->min * scale, units, n, min, sizeof(min));
	if (__builtin_mul_overflow(key->max, scale, &most))
		most = INT64_MAX;
	format_number(most, units, n, max, sizeof(max));
	if (most == INT64_MAX)
		snprintf(ret_text, size, "%s, at least %s%s", what, min, off);
	else
		snprintf(ret_text, size, "%s, %s to %s%s", what, min, max, off);
}

static void allowed_choice(const char *choices, char *ret_text, size_t size)
{
	size_t used = 0;

	ret_text[0] = '\0';
	while (*choices && used + 1 < size) {
		size_t n = strcspn(choices, "|");
		const char *rest = choices + n + (choices[n] == '|');
		const char *between = !*rest ? "" : strchr(rest, '|') ? ", " : " or ";

		used += (size_t)snprintf(ret_text + used, size - used, "%.*s%s", (int)n, choices,
					 between);
		choices = rest;
	}
}

void sl_conf_allowed(const struct sl_conf_key *key, char *ret_text, size_t size)
{
	SL_ASSERT(size > 0);
	switch (key->type) {
	case SL_CONF_BOOL:
		snprintf(ret_text, size, "yes or no");
		return;
	case SL_CONF_UINT:
		allowed_range(key, NULL, 0, 1, "a whole number", ret_text, size);
		return;
	case SL_CONF_BYTES:
		allowed_range(key, size_units, 5, 1, "bytes, or with K, M, G or T", ret_text, size);
		return;
	case SL_CONF_TIME_NS:
		allowed_range(key, time_units, 7, 1, "a time with ms, s, m, h or d", ret_text,
			      size);
		return;
	case SL_CONF_TIME_MS:
		allowed_range(key, time_units, 7, SL_MSEC, "milliseconds, or with ms, s, m, h or d",
			      ret_text, size);
		return;
	case SL_CONF_CHOICE:
		allowed_choice(key->choices, ret_text, size);
		return;
	case SL_CONF_STRING:
		snprintf(ret_text, size, "%lld to %lld characters%s", (long long)key->min,
			 (long long)key->max, key->flags & SL_CONF_OFF ? ", or off" : "");
		return;
	case SL_CONF_ADDRS:
		snprintf(ret_text, size,
			 "up to %d of ADDRESS:PORT, [IPV6]:PORT, localhost:PORT or *:PORT, "
			 "separated by commas; or off",
			 SL_CONF_ADDRS_MAX);
		return;
	case SL_CONF_HOSTPORT:
		snprintf(ret_text, size, "HOST:PORT, or empty");
		return;
	case SL_CONF_CPUS:
		snprintf(ret_text, size, "a count (0: all), or a list such as 0-3,6 below %d",
			 SL_CONF_CPUS_MAX);
		return;
	case SL_CONF_RULES:
		snprintf(ret_text, size,
			 "up to %d of PREFIX/BITS:CORE or PREFIX/BITS:FIRST-LAST, IPv6 prefixes in "
			 "brackets, separated by commas; or empty",
			 SL_CONF_RULES_MAX);
		return;
	case SL_CONF_PORTS:
		snprintf(ret_text, size, "FIRST-LAST, ports from 1 to 65535, or off");
		return;
	case SL_CONF_TYPE_LAST:
		break;
	}
	SL_ASSERT(!"a type without words");
}
