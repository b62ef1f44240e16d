// SPDX-License-Identifier: Apache-2.0
/*
 * Values of objects as JSON, straight into an answer.
 *
 * Interface: the last part of json.h. Names and texts are taken from the object where they lie.
 */
#include <string.h>

#include <sluice/bytes.h>

#include "json.h"

void http_json_uuid(struct http_json *j, const uint8_t *uuid)
{
	char text[SL_UUID_TEXT_BYTES];

	sl_uuid_print(uuid, text);
	http_json_text(j, text, sizeof(text));
}

static void put_date(struct http_json *j, int64_t us)
{
	char text[SL_DATE_TEXT_BYTES];

	http_json_text(j, text, sl_date_print(us, text));
}

static void put_geo(struct http_json *j, enum sl_object_json form, const struct sl_value *v)
{
	bool point = form == SL_JSON_POINT;
	double latitude, longitude;

	sl_value_geo(v, &latitude, &longitude);
	http_json_open(j, '{');
	http_json_key(j, point ? "lat" : "latitude");
	http_json_double(j, latitude);
	http_json_key(j, point ? "lon" : "longitude");
	http_json_double(j, longitude);
	http_json_close(j, '}');
}

/* In pieces of whole groups, so that no memory is needed for all of it. */
static void put_blob(struct http_json *j, const struct sl_value *v)
{
	enum { PIECE_BYTES = 240 };
	char text[PIECE_BYTES / 3 * 4 + 4];
	size_t n;
	const uint8_t *data = sl_value_blob(v, &n);

	http_json_raw(j, "\"", 1);
	for (size_t at = 0; at < n; at += PIECE_BYTES) {
		size_t step = sl_min(n - at, (size_t)PIECE_BYTES);

		j->comma = false;
		http_json_raw(j, text, sl_base64_print(data + at, step, text));
	}
	j->comma = false;
	http_json_raw(j, "\"", 1);
}

static void put_list(struct http_json *j, enum sl_object_json form, const struct sl_value *v)
{
	http_json_open(j, '[');
	for (uint32_t i = 0; i < sl_value_count(v); i++)
		http_json_value(j, form, sl_value_at(v, i));
	http_json_close(j, ']');
}

static void put_map(struct http_json *j, enum sl_object_json form, const struct sl_value *v)
{
	http_json_open(j, '{');
	for (uint32_t i = 0; i < sl_value_count(v); i++) {
		const struct sl_value *child = sl_value_at(v, i);
		size_t n;
		const char *name = sl_value_name(child, &n);

		http_json_key_n(j, name, n);
		http_json_value(j, form, child);
	}
	http_json_close(j, '}');
}

static void put_text(struct http_json *j, const struct sl_value *v)
{
	size_t n;
	const char *text = sl_value_text(v, &n);

	http_json_text(j, text, n);
}

void http_json_value(struct http_json *j, enum sl_object_json form, const struct sl_value *v)
{
	switch (sl_value_type(v)) {
	case SL_VALUE_BOOLEAN:
		http_json_bool(j, sl_value_boolean(v));
		break;
	case SL_VALUE_INTEGER:
		http_json_int(j, sl_value_integer(v));
		break;
	case SL_VALUE_NUMBER:
		http_json_double(j, sl_value_number(v));
		break;
	case SL_VALUE_TEXT:
		put_text(j, v);
		break;
	case SL_VALUE_DATE:
		put_date(j, sl_value_date(v));
		break;
	case SL_VALUE_UUID:
		http_json_uuid(j, sl_value_uuid(v));
		break;
	case SL_VALUE_GEO:
		put_geo(j, form, v);
		break;
	case SL_VALUE_BLOB:
		put_blob(j, v);
		break;
	case SL_VALUE_LIST:
		put_list(j, form, v);
		break;
	case SL_VALUE_MAP:
		put_map(j, form, v);
		break;
	default:
		http_json_null(j);
	}
}

static void put_component(struct http_json *j, enum sl_vector_type type, const uint8_t *data,
			  uint32_t i)
{
	float f;

	switch (type) {
	case SL_VECTOR_F32:
		memcpy(&f, data + i * sizeof(f), sizeof(f));
		http_json_float(j, f);
		break;
	case SL_VECTOR_F16:
		http_json_float(j, sl_half_float(sl_load_le16(data + i * 2)));
		break;
	case SL_VECTOR_I8:
		http_json_int(j, (int8_t)data[i]);
		break;
	default:
		http_json_uint(j, data[i / 8] >> i % 8 & 1);
	}
}

void http_json_vector(struct http_json *j, enum sl_vector_type type, const void *data, uint32_t dim)
{
	http_json_open(j, '[');
	for (uint32_t i = 0; i < dim; i++)
		put_component(j, type, data, i);
	http_json_close(j, ']');
}
