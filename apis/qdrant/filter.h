/* SPDX-License-Identifier: Apache-2.0 */
/* Filters in the making, in the call's arena: what filter.c and filter_field.c share. */
#ifndef APIS_QDRANT_FILTER_H
#define APIS_QDRANT_FILTER_H

#include "qdrant_pvt.h"

/* NULL without memory. @path may be NULL. */
struct sl_filter *qd_filter_new(struct qd_call *c, enum sl_filter_kind kind, const char *path);

/* One of @kind over the @n of @of. Return: 0 or -ENOMEM. */
int qd_filter_over(struct qd_call *c, enum sl_filter_kind kind, const struct sl_filter **of,
		   uint32_t n, struct sl_filter **ret);

/* The "key" of a condition, which must be there. */
int qd_filter_path(struct qd_call *c, yyjson_val *map, const char **ret_path);

/* A condition that has a "key": all of what it says of that field. */
int qd_filter_field(struct qd_call *c, yyjson_val *v, struct sl_filter **ret);

/* An end of a range: a number, or a date. */
int qd_filter_bound(struct qd_call *c, yyjson_val *v, const char *path, struct sl_operand *ret);

#endif
