/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects within sluice: what <sluice/object.h> gives everybody, building from JSON that somebody
 * else parsed, and texts that stand for values.
 */
#ifndef VECTORS_OBJECT_H
#define VECTORS_OBJECT_H

#include <sluice/object.h>

struct yyjson_val;

/* As sl_object_put_json(), of a value of a document that stays until the object is built: many
 * objects of one request are parsed at once, and their numbers go from there to their vectors. */
int sl_object_put_json_value(struct sl_object_builder *b, enum sl_object_json form,
			     struct yyjson_val *value, const struct sl_object_hint *hints,
			     size_t hint_n, char *why, size_t why_len);

#define SL_UUID_TEXT_BYTES 36
#define SL_DATE_TEXT_BYTES 28

/* 8-4-4-4-12 hexadecimal digits, or 32 of them. What is printed does not end by a zero. */
bool sl_uuid_parse(const char *p, size_t n, uint8_t ret_uuid[SL_OBJECT_UUID_BYTES]);
void sl_uuid_print(const uint8_t *uuid, char ret_text[SL_UUID_TEXT_BYTES]);

/* RFC 3339; also a date alone, a space for the T, no zone for UTC, then no seconds either. What is
 * below 1 us is cut. */
bool sl_date_parse(const char *p, size_t n, int64_t *ret_us);
size_t sl_date_print(int64_t us, char ret_text[SL_DATE_TEXT_BYTES]);

/* Base64 with its padding. @ret_text has room for n / 3 * 4 + 4. */
size_t sl_base64_print(const uint8_t *data, size_t n, char *ret_text);

#endif
