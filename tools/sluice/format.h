/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format: how a record is printed: raw values, a JSON object a line, or a pattern:
 *
 *	%k key  %v value  %o offset  %p partition  %t topic  %T timestamp in ms since 1970
 *	%h headers as key=value, separated by commas  %%  \n \t \r \\
 */
#ifndef TOOLS_SLUICE_FORMAT_H
#define TOOLS_SLUICE_FORMAT_H

#include <stdio.h>

#include "proto/kafka/kafka.h"

enum format_kind { FORMAT_RAW, FORMAT_JSON, FORMAT_PATTERN };

struct format {
	enum format_kind kind;
	const char *pattern;
};

/* "raw", "json" or a pattern, which must outlive it. Return: 0; -EINVAL: an unknown letter. */
int format_parse(const char *text, struct format *ret_format);

/* Prints @r; -EBADMSG if its headers make no sense. Write errors stay in @out. */
int format_print(const struct format *f, FILE *out, const char *topic, int32_t partition,
		 const struct sl_record *r);

/* @n bytes as the inside of a JSON string; what is not UTF-8 is the caller's business. */
void json_text(FILE *out, const uint8_t *p, size_t n);

/* Whether the bytes are well-formed UTF-8. */
bool utf8_ok(const uint8_t *p, size_t n);

#endif
