/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of conf, for its tests too: values as text (conf_value.c); what conf_read.c needs. */
#ifndef DATAPLANE_CONF_PVT_H
#define DATAPLANE_CONF_PVT_H

#include "conf.h"

/* Bytes of a field of @type in struct sl_conf. */
size_t sl_conf_type_bytes(enum sl_conf_type type);

/**
 * sl_conf_value_parse() - turn @text into a field of the type and range of @key.
 * @ret_field: sl_conf_type_bytes() bytes, overwritten whole; a STRING's memory is the caller's.
 * Return: 0, -EINVAL (not of the type), -ERANGE (outside the range), -ENOMEM.
 */
int sl_conf_value_parse(const struct sl_conf_key *key, const char *text, void *ret_field);

/* Whether two fields of @type hold the same value. */
bool sl_conf_value_equal(enum sl_conf_type type, const void *a, const void *b);

/* The row of a setting; SL_CONF_LAST: there is none. */
enum sl_conf_id sl_conf_key_find(const char *section, size_t section_len, const char *key);

/* Stores, or reports why not: 0, -EINVAL or -ENOMEM. */
int sl_conf_value_set(struct sl_conf *conf, enum sl_conf_id id, const char *text,
		      const struct sl_conf_origin *origin, struct sl_conf_report *report);

/* Keeps a copy of @name for origins to point at; NULL without memory. */
const char *sl_conf_file_intern(struct sl_conf *conf, const char *name);

/* Reports, with the place in front. */
void __attribute__((format(printf, 4, 5)))
sl_conf_tell(struct sl_conf_report *report, enum sl_conf_severity severity,
	     const struct sl_conf_origin *origin, const char *format, ...);

#endif
