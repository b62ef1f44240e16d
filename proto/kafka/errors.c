/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and texts of the Kafka protocol's error codes, from errors.def.
 *
 * Invariant: the codes run from -1 to KAFKA_ERR_LAST - 1 without a gap, so the table is indexed
 * by code + 1.
 */
#include "errors.h"

#include <stddef.h>

#include <sluice/assert.h>
#include <sluice/util.h>

struct row {
	const char *name, *text;
	bool retriable;
};

static const struct row rows[] = {
#define X(code, id, again, words) [(code) + 1] = {.name = #id, .text = words, .retriable = again},
#include "errors.def"
#undef X
};

_Static_assert(SL_ARRAY_SIZE(rows) == KAFKA_ERR_LAST + 1, "one row a code");

static const struct row *find(int code)
{
	static const struct row unlisted = {.name = "UNLISTED", .text = "a code unknown to sluice"};
	const struct row *row;

	if (code < -1 || code >= KAFKA_ERR_LAST)
		return &unlisted;
	row = &rows[code + 1];
	SL_ASSERT(row->name);
	return row;
}

const char *kafka_error_name(int code)
{
	return find(code)->name;
}

const char *kafka_error_text(int code)
{
	return find(code)->text;
}

bool kafka_error_is_retriable(int code)
{
	return find(code)->retriable;
}
