/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the messages, generated from messages.def, and the table of APIs.
 *
 * Interface: messages.h (a schema for each struct), kafka_api_find() of codec.h.
 * Invariants: checked by tests/proto/kafka/messages_test.c (tags ascend, versions nest).
 * Order: what the attributes of a row become; schemas; APIs; checks of apis.def.
 */
#include "messages.h"

#include <sluice/util.h>

/* The attributes that a row may carry. */
#define SINCE(a) .since = (a), .until = INT8_MAX
#define RANGE(a, b) .since = (a), .until = (b)
#define NULLABLE(a) .is_nullable = true, .nullable_since = (a)
#define TAG(t) .is_tagged = true, .tag = (t)
#define DEFAULT(x) .dflt = (x)
#define DEFAULT_NULL .is_null_default = true

/* Versions of each API, for the messages that end with END_MESSAGE(). */
enum {
#define API(id, key, name, lowest, highest, flexible)                                              \
	MIN_##id = (lowest), MAX_##id = (highest), FLEXIBLE_##id = (flexible),
#include "messages.def"
};

#define ROW(ty, nm, ...)                                                                           \
	{.name = #nm,                                                                              \
	 .type = KAFKA_T_##ty,                                                                     \
	 .offset = offsetof(struct KAFKA_PASTE(kafka_, T, ), nm),                                  \
	 __VA_ARGS__},
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* The array of a struct's fields, then its schema. */
#define BEGIN static const struct kafka_field KAFKA_PASTE(fields_, T, )[] = {
#define FIELD(type, name, ...) ROW(type, name, __VA_ARGS__)
#define ARRAY(type, name, ...) ROW(ARRAY, name, .elem = KAFKA_T_##type, __VA_ARGS__)
#define STRUCT(type, name, ...) ROW(STRUCT, name, .schema = &kafka_##type##_schema, __VA_ARGS__)
#define STRUCTS(type, name, ...)                                                                   \
	ROW(ARRAY, name, .elem = KAFKA_T_STRUCT, .schema = &kafka_##type##_schema, __VA_ARGS__)
#define SCHEMA(...)                                                                                \
	}                                                                                          \
	;                                                                                          \
	const struct kafka_schema KAFKA_PASTE(kafka_, T, _schema) = {                              \
		.name = TEXT(T),                                                                   \
		.fields = KAFKA_PASTE(fields_, T, ),                                               \
		.fields_n = SL_ARRAY_SIZE(KAFKA_PASTE(fields_, T, )),                              \
		.size = sizeof(struct KAFKA_PASTE(kafka_, T, )),                                   \
		__VA_ARGS__};
#define END SCHEMA()
#define END_MESSAGE(id)                                                                            \
	SCHEMA(.min = MIN_##id, .max = MAX_##id, .flexible_since = FLEXIBLE_##id,                  \
	       .is_message = true)
#include "messages.def"

static const struct kafka_api_info apis[KAFKA_API_LAST] = {
#define API(id, number, nm, lowest, highest, flexible)                                             \
	[number] = {.name = #nm,                                                                   \
		    .key = (number),                                                               \
		    .min = (lowest),                                                               \
		    .max = (highest),                                                              \
		    .flexible_since = (flexible),                                                  \
		    .request = &kafka_##nm##_request_schema,                                       \
		    .response = &kafka_##nm##_response_schema},
#include "messages.def"
};

const struct kafka_api_info *kafka_api_find(int key)
{
	if (key < 0 || key >= KAFKA_API_LAST || !apis[key].name)
		return NULL;
	return &apis[key];
}

/* What the server advertises must be what the codec has. */
#define X(id, nm, lowest, highest, flexible)                                                       \
	_Static_assert((highest) <= MAX_##id && (lowest) <= (highest), #nm ": versions");          \
	_Static_assert((flexible) == FLEXIBLE_##id, #nm ": first flexible version");
#include "apis.def"
#undef X
