/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of JSON and conditions in one line each, for the tests of filters and payload indexes. */
#ifndef TESTS_VECTORS_FILTER_KIT_H
#define TESTS_VECTORS_FILTER_KIT_H

#include <sluice/bytes.h>
#include <sluice/util.h>

#include "vectors/vectors.h"

/* The object of a point in JSON, to be freed by free(). */
struct sl_object *object_of(const char *point);

#define TEXT(s)                                                                                    \
	{                                                                                          \
		.type = SL_VALUE_TEXT, .text = { s, sizeof(s) - 1 }                                \
	}
#define INTEGER(i)                                                                                 \
	{                                                                                          \
		.type = SL_VALUE_INTEGER, .integer = (i)                                           \
	}
#define NUMBER(d)                                                                                  \
	{                                                                                          \
		.type = SL_VALUE_NUMBER, .number = (d)                                             \
	}
#define BOOLEAN(b)                                                                                 \
	{                                                                                          \
		.type = SL_VALUE_BOOLEAN, .boolean = (b)                                           \
	}
#define DATE(us)                                                                                   \
	{                                                                                          \
		.type = SL_VALUE_DATE, .date = (us)                                                \
	}

#define OPERANDS(...)                                                                              \
	.operands = (const struct sl_operand[]){__VA_ARGS__},                                      \
	.operand_n = sizeof((const struct sl_operand[]){__VA_ARGS__}) / sizeof(struct sl_operand)
#define OF(...)                                                                                    \
	.of = (const struct sl_filter *const[]){__VA_ARGS__},                                      \
	.of_n = sizeof((const struct sl_filter *const[]){__VA_ARGS__}) / sizeof(void *)
#define FILTER(...) (&(const struct sl_filter){__VA_ARGS__})

#define MATCH(p, ...) FILTER(SL_FILTER_MATCH, p, OPERANDS(__VA_ARGS__))
#define EXCEPT(p, ...) FILTER(SL_FILTER_EXCEPT, p, OPERANDS(__VA_ARGS__))
#define CONTAINS_ALL(p, ...) FILTER(SL_FILTER_CONTAINS_ALL, p, OPERANDS(__VA_ARGS__))
#define ALL(...) FILTER(SL_FILTER_ALL, OF(__VA_ARGS__))
#define ANY(...) FILTER(SL_FILTER_ANY, OF(__VA_ARGS__))
#define NONE(...) FILTER(SL_FILTER_NONE, OF(__VA_ARGS__))
#define NESTED(p, ...) FILTER(SL_FILTER_NESTED, p, OF(__VA_ARGS__))
#define RANGE(p, ...) FILTER(SL_FILTER_RANGE, p, .range = {__VA_ARGS__})
#define COUNT(p, low, high) FILTER(SL_FILTER_COUNT, p, .count = {low, high})
#define IS_NULL(p) FILTER(SL_FILTER_IS_NULL, p)
#define IS_EMPTY(p) FILTER(SL_FILTER_IS_EMPTY, p)
#define IN_TEXT(k, p, s, ...)                                                                      \
	FILTER(SL_FILTER_##k, p, .text = s, .text_n = sizeof(s) - 1, .tokeniser = {__VA_ARGS__})

#endif
