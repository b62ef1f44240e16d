/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes of the Kafka protocol; errors.def holds the rows. */
#ifndef PROTO_KAFKA_ERRORS_H
#define PROTO_KAFKA_ERRORS_H

#include <stdbool.h>

enum kafka_error {
#define X(code, name, retriable, text) KAFKA_ERR_##name = (code),
#include "errors.def"
#undef X
	KAFKA_ERR_LAST
};

/**
 * kafka_error_name() - the protocol's name of a code, such as "NOT_COORDINATOR".
 * Return: a constant; "UNLISTED" for a code that sluice does not know.
 */
const char *kafka_error_name(int code);

/**
 * kafka_error_text() - one plain line about a code, without a full stop.
 * Return: a constant, for unknown codes too.
 */
const char *kafka_error_text(int code);

/**
 * kafka_error_is_retriable() - may the same request be sent again? false for unknown codes.
 */
bool kafka_error_is_retriable(int code);

#endif
