/* SPDX-License-Identifier: Apache-2.0 */
/* conf's inside: values as text (conf_value.c), used by conf.c and by their tests. */
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

#endif
