// SPDX-License-Identifier: Apache-2.0
/*
 * How a record is printed.
 *
 * Interface: format.h. Invariant: what JSON cannot carry as text is printed as base64 under
 * another name (key_base64, value_base64), so that nothing is lost and nothing is ambiguous.
 * Order of parts: text; JSON; patterns; choosing.
 */
#include "format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at @p, 0 if it is none. */
static size_t utf8_step(const uint8_t *p, size_t n)
{
	uint32_t c = p[0];
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (!len || len > n)
		return 0;
	c &= 0xffu >> (len + (len > 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (len == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return len;
}

bool utf8_ok(const uint8_t *p, size_t n)
{
	while (n) {
		size_t step = utf8_step(p, n);

		if (!step)
			return false;
		p += step;
		n -= step;
	}
	return true;
}

static void base64(FILE *out, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		fputc(digits[v >> 18], out);
		fputc(digits[v >> 12 & 63], out);
		fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', out);
		fputc(i + 2 < n ? digits[v & 63] : '=', out);
	}
}

/* ---- JSON ------------------------------------------------------------------------------- */

void json_text(FILE *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			fprintf(out, "\\%c", p[i]);
		else if (p[i] == '\n')
			fputs("\\n", out);
		else if (p[i] == '\t')
			fputs("\\t", out);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			fprintf(out, "\\u%04x", p[i]);
		else
			fputc(p[i], out);
	}
}

/* "name":"text", "name":null or "name_base64":"…" */
static void json_member(FILE *out, const char *name, const uint8_t *p, size_t n)
{
	if (!p) {
		fprintf(out, "\"%s\":null", name);
	} else if (utf8_ok(p, n)) {
		fprintf(out, "\"%s\":\"", name);
		json_text(out, p, n);
		fputc('"', out);
	} else {
		fprintf(out, "\"%s_base64\":\"", name);
		base64(out, p, n);
		fputc('"', out);
	}
}

static int json_headers(FILE *out, const struct sl_record *record)
{
	struct sl_record r = *record;
	struct sl_record_header h;
	const char *between = "";
	int got;

	fputs("\"headers\":[", out);
	while ((got = sl_record_header_next(&r, &h)) == 1) {
		fprintf(out, "%s{", between);
		json_member(out, "key", h.key, h.key_bytes);
		fputc(',', out);
		json_member(out, "value", h.value, h.value_bytes);
		fputc('}', out);
		between = ",";
	}
	fputc(']', out);
	return got;
}

static int json_print(FILE *out, const char *topic, int32_t partition, const struct sl_record *r)
{
	int err;

	fprintf(out, "{\"topic\":\"");
	json_text(out, (const uint8_t *)topic, strlen(topic));
	fprintf(out, "\",\"partition\":%d,\"offset\":%" PRId64 ",\"timestamp\":%" PRId64 ",",
		partition, r->offset, r->time_ms);
	json_member(out, "key", r->key, r->key_bytes);
	fputc(',', out);
	json_member(out, "value", r->value, r->value_bytes);
	fputc(',', out);
	err = json_headers(out, r);
	fputs("}\n", out);
	return err;
}

/* ---- patterns --------------------------------------------------------------------------- */

static int headers_print(FILE *out, const struct sl_record *record)
{
	struct sl_record r = *record;
	struct sl_record_header h;
	const char *between = "";
	int got;

	while ((got = sl_record_header_next(&r, &h)) == 1) {
		fputs(between, out);
		fwrite(h.key, 1, h.key_bytes, out);
		fputc('=', out);
		if (h.value)
			fwrite(h.value, 1, h.value_bytes, out);
		between = ",";
	}
	return got;
}

static int letter_print(FILE *out, char letter, const char *topic, int32_t partition,
			const struct sl_record *r)
{
	switch (letter) {
	case 'k':
		fwrite(r->key ? r->key : (const uint8_t *)"", 1, r->key_bytes, out);
		return 0;
	case 'v':
		fwrite(r->value ? r->value : (const uint8_t *)"", 1, r->value_bytes, out);
		return 0;
	case 'o':
		fprintf(out, "%" PRId64, r->offset);
		return 0;
	case 'p':
		fprintf(out, "%d", partition);
		return 0;
	case 't':
		fputs(topic, out);
		return 0;
	case 'T':
		fprintf(out, "%" PRId64, r->time_ms);
		return 0;
	case 'h':
		return headers_print(out, r);
	default:
		fputc(letter, out);
		return 0;
	}
}

static char escape_of(char letter)
{
	switch (letter) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return letter;
	}
}

static int pattern_print(const char *pattern, FILE *out, const char *topic, int32_t partition,
			 const struct sl_record *r)
{
	int err = 0;

	for (const char *p = pattern; *p && !err; p++) {
		if (*p == '%' && p[1])
			err = letter_print(out, *++p, topic, partition, r);
		else if (*p == '\\' && p[1])
			fputc(escape_of(*++p), out);
		else
			fputc(*p, out);
	}
	return err;
}

/* ---- choosing --------------------------------------------------------------------------- */

int format_parse(const char *text, struct format *ret_format)
{
	*ret_format = (struct format){.pattern = text};
	if (!strcmp(text, "raw") || !strcmp(text, "json")) {
		ret_format->kind = text[0] == 'r' ? FORMAT_RAW : FORMAT_JSON;
		return 0;
	}
	ret_format->kind = FORMAT_PATTERN;
	if (!strpbrk(text, "%\\"))
		return -EINVAL;
	for (const char *p = strchr(text, '%'); p; p = strchr(p + 2, '%'))
		if (!p[1] || !strchr("kvoptTh%", p[1]))
			return -EINVAL;
	return 0;
}

int format_print(const struct format *f, FILE *out, const char *topic, int32_t partition,
		 const struct sl_record *r)
{
	switch (f->kind) {
	case FORMAT_JSON:
		return json_print(out, topic, partition, r);
	case FORMAT_PATTERN:
		return pattern_print(f->pattern, out, topic, partition, r);
	case FORMAT_RAW:
	default:
		fwrite(r->value ? r->value : (const uint8_t *)"", 1, r->value_bytes, out);
		fputc('\n', out);
		return 0;
	}
}
