/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs of the messages, generated from messages.def, and the schemas that describe them.
 *
 * struct kafka_fetch_request goes with kafka_fetch_request_schema, and so on for each row of
 * messages.def. A zeroed struct is valid: empty strings and no elements; kafka_init() sets the
 * protocol's defaults (-1 for many ids), so start a message to be sent with it.
 */
#ifndef PROTO_KAFKA_MESSAGES_H
#define PROTO_KAFKA_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"

#define KAFKA_C_BOOL bool
#define KAFKA_C_INT8 int8_t
#define KAFKA_C_INT16 int16_t
#define KAFKA_C_ERROR int16_t
#define KAFKA_C_INT32 int32_t
#define KAFKA_C_INT64 int64_t
#define KAFKA_C_UUID struct kafka_uuid
#define KAFKA_C_STRING struct kafka_str
#define KAFKA_C_BYTES struct kafka_bytes
#define KAFKA_C_RECORDS struct kafka_records

#define KAFKA_PASTE_(a, b, c) a##b##c
#define KAFKA_PASTE(a, b, c) KAFKA_PASTE_(a, b, c)

/* The structs. */
#define BEGIN struct KAFKA_PASTE(kafka_, T, ) {
#define FIELD(type, name, ...) KAFKA_C_##type name;
#define ARRAY(type, name, ...)                                                                     \
	struct {                                                                                   \
		KAFKA_C_##type *v;                                                                 \
		int32_t n;                                                                         \
	} name;
#define STRUCT(type, name, ...) struct kafka_##type name;
#define STRUCTS(type, name, ...)                                                                   \
	struct {                                                                                   \
		struct kafka_##type *v;                                                            \
		int32_t n;                                                                         \
	} name;
#define END                                                                                        \
	}                                                                                          \
	;
#define END_MESSAGE(api) END
#include "messages.def"

/* Their schemas. */
#define BEGIN extern const struct kafka_schema KAFKA_PASTE(kafka_, T, _schema);
#include "messages.def"

#endif
