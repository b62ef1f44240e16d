// SPDX-License-Identifier: Apache-2.0
/*
 * JSON read and written.
 *
 * Interface: json.h but values of objects. Trees are yyjson's, whose memory is the arena; answers
 * are bytes in bufs that become parts of the response. Invariants: a buf's bytes are written once;
 * what was written before an error is never sent.
 *
 * Order of parts: bodies; trees; ends; bufs; structure; texts; numbers; sending.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bodies ----------------------------------------------------------------------------- */

/* Of known length. */
static int read_known(struct http_request *rq, struct http_arena *a, char **ret_text, size_t *ret_n,
		      int64_t deadline)
{
	size_t n = rq->body.left, at = 0;
	char *text = http_arena_alloc(a, n + YYJSON_PADDING_SIZE, 16);

	if (!text)
		return -ENOMEM;
	while (at < n) {
		ssize_t got = http_body_read(rq, text + at, n - at, deadline);

		if (got < 0)
			return (int)got;
		if (!got)
			break;
		at += (size_t)got;
	}
	*ret_text = text;
	*ret_n = at;
	return 0;
}

enum { STEP_BYTES = 4096 };

/* In chunks: room grows by doubling. */
static int read_unknown(struct http_request *rq, struct http_arena *a, size_t bytes_max,
			char **ret_text, size_t *ret_n, int64_t deadline)
{
	size_t room = STEP_BYTES, at = 0;
	char *text = http_arena_alloc(a, room + YYJSON_PADDING_SIZE, 16);
	ssize_t got;

	if (!text)
		return -ENOMEM;
	while ((got = http_body_read(rq, text + at, room - at, deadline)) > 0) {
		char *larger;

		at += (size_t)got;
		if (at > bytes_max)
			return -EMSGSIZE;
		if (at < room)
			continue;
		room *= 2;
		larger = http_arena_alloc(a, room + YYJSON_PADDING_SIZE, 16);
		if (!larger)
			return -ENOMEM;
		text = memcpy(larger, text, at);
	}
	if (got < 0)
		return (int)got;
	*ret_text = text;
	*ret_n = at;
	return 0;
}

int http_body_text(struct http_request *rq, struct http_arena *a, size_t bytes_max, char **ret_text,
		   size_t *ret_n, int64_t deadline)
{
	SL_ASSERT(bytes_max + YYJSON_PADDING_SIZE <= HTTP_ARENA_PIECE_MAX);
	if (rq->body.left == HTTP_BYTES_UNKNOWN || rq->body.chunked)
		return read_unknown(rq, a, bytes_max, ret_text, ret_n, deadline);
	if (rq->body.left > bytes_max)
		return -EMSGSIZE;
	return read_known(rq, a, ret_text, ret_n, deadline);
}

/* ---- trees ------------------------------------------------------------------------------ */

static void *tree_alloc(void *a, size_t n)
{
	return http_arena_alloc(a, n, 16);
}

static void *tree_realloc(void *a, void *p, size_t old_n, size_t n)
{
	void *larger = http_arena_alloc(a, n, 16);

	return larger ? memcpy(larger, p, sl_min(old_n, n)) : NULL;
}

static void tree_free(void *a, void *p)
{
}

struct yyjson_alc http_json_alc(struct http_arena *a)
{
	return (struct yyjson_alc){tree_alloc, tree_realloc, tree_free, a};
}

int http_json_parse(struct http_arena *a, char *text, size_t n, yyjson_val **ret_root,
		    struct http_json_error *ret_error)
{
	const struct yyjson_alc alc = http_json_alc(a);
	char behind[YYJSON_PADDING_SIZE];
	yyjson_read_err err;
	yyjson_doc *doc;

	memcpy(behind, text + n, sizeof(behind));
	memset(text + n, 0, sizeof(behind));
	doc = yyjson_read_opts(text, n, YYJSON_READ_INSITU, &alc, &err);
	memcpy(text + n, behind, sizeof(behind));
	if (doc) {
		*ret_root = yyjson_doc_get_root(doc);
		return 0;
	}
	if (err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
		return -ENOMEM;
	*ret_error = (struct http_json_error){err.msg, err.pos};
	return -EPROTO;
}

/* ---- ends ------------------------------------------------------------------------------- */

/* Behind the quote that ends the string whose first one is at @p. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

/* Of a number, or a word: only what follows tells. */
static const char *word_end(const char *p, const char *end)
{
	while (p < end && !strchr(",]} \t\r\n", *p))
		p++;
	return p < end ? p : NULL;
}

const char *http_json_end(const char *p, const char *end)
{
	size_t depth = 0;

	if (p < end && *p != '{' && *p != '[' && *p != '"')
		return word_end(p, end);
	while (p && p < end) {
		char c = *p;

		if (c == '"')
			p = string_end(p, end);
		else
			p++;
		if (c == '{' || c == '[')
			depth++;
		if ((c == '}' || c == ']') && depth)
			depth--;
		if (p && !depth)
			return p;
	}
	return NULL;
}

/* ---- bufs ------------------------------------------------------------------------------- */

/* What is reserved at once, at most; longer texts are cut where a buf ends. */
enum { RESERVE_MAX = 512 };

void http_json_init(struct http_json *j, uint64_t bytes_max)
{
	j->buf = NULL;
	j->p = j->end = NULL;
	j->n = 0;
	j->comma = false;
	j->err = 0;
	j->bytes = 0;
	j->bytes_max = bytes_max;
}

void http_json_done(struct http_json *j)
{
	sl_buf_release(j->buf);
	for (uint32_t i = 0; i < j->n; i++)
		sl_part_release(&j->parts[i]);
	http_json_init(j, j->bytes_max);
}

/* The open buf is a part now. */
static void seal(struct http_json *j)
{
	size_t n = j->buf ? (size_t)(j->p - j->buf->data) : 0;

	if (!j->buf)
		return;
	j->bytes += n;
	j->parts[j->n++] =
		sl_part_slice((struct sl_slice){.buf = j->buf, .data = j->buf->data, .len = n});
	j->buf = NULL;
}

/* Each buf is four times as long as the one before it, up to the longest there are. */
static bool next_buf(struct http_json *j)
{
	size_t bytes = sl_max((size_t)SL_KIB, j->buf ? 4 * (size_t)j->buf->bytes : 0);

	seal(j);
	if (j->bytes > j->bytes_max || j->n == HTTP_PARTS_MAX)
		j->err = -E2BIG;
	else if (!(j->buf = sl_buf_new(sl_min(bytes, (size_t)SL_BUF_BYTES_MAX))))
		j->err = -ENOMEM;
	if (j->err)
		return false;
	j->p = j->buf->data;
	j->end = j->p + j->buf->bytes;
	return true;
}

/* Room for @n bytes at j->p. */
static bool reserve(struct http_json *j, size_t n)
{
	SL_ASSERT(n <= RESERVE_MAX);
	if (j->err)
		return false;
	return n <= (size_t)(j->end - j->p) || next_buf(j);
}

static void put(struct http_json *j, const char *p, size_t n)
{
	while (n && reserve(j, 1)) {
		size_t step = sl_min(n, (size_t)(j->end - j->p));

		memcpy(j->p, p, step);
		j->p += step;
		p += step;
		n -= step;
	}
}

/* ---- structure -------------------------------------------------------------------------- */

/* Before a value, or a name. */
static void separate(struct http_json *j)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
}

void http_json_open(struct http_json *j, char bracket)
{
	separate(j);
	put(j, &bracket, 1);
	j->comma = false;
}

void http_json_close(struct http_json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void http_json_key(struct http_json *j, const char *name)
{
	separate(j);
	put(j, "\"", 1);
	put(j, name, strlen(name));
	put(j, "\":", 2);
	j->comma = false;
}

void http_json_raw(struct http_json *j, const char *json, size_t n)
{
	separate(j);
	put(j, json, n);
}

void http_json_bool(struct http_json *j, bool v)
{
	http_json_raw(j, v ? "true" : "false", v ? 4 : 5);
}

void http_json_null(struct http_json *j)
{
	http_json_raw(j, "null", 4);
}

/* ---- texts ------------------------------------------------------------------------------ */

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct http_json *j, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *known = c ? strchr(from, c) : NULL;
	char text[8];

	if (known)
		put(j, (const char[]){'\\', to[known - from]}, 2);
	else
		put(j, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

static void put_quoted(struct http_json *j, const char *text, size_t n)
{
	put(j, "\"", 1);
	for (size_t at = 0, plain = 0; at < n; at = plain) {
		while (plain < n && is_plain(text[plain]))
			plain++;
		put(j, text + at, plain - at);
		if (plain < n)
			put_escape(j, (unsigned char)text[plain++]);
	}
	put(j, "\"", 1);
}

void http_json_key_n(struct http_json *j, const char *name, size_t n)
{
	separate(j);
	put_quoted(j, name, n);
	put(j, ":", 1);
	j->comma = false;
}

void http_json_text(struct http_json *j, const char *text, size_t n)
{
	separate(j);
	put_quoted(j, text, n);
}

void http_json_string(struct http_json *j, const char *text)
{
	http_json_text(j, text, strlen(text));
}

/* ---- numbers ---------------------------------------------------------------------------- */

void http_json_uint(struct http_json *j, uint64_t v)
{
	separate(j);
	if (reserve(j, SL_DIGITS_MAX))
		j->p = (uint8_t *)sl_digits_put((char *)j->p, v);
}

void http_json_int(struct http_json *j, int64_t v)
{
	if (v >= 0) {
		http_json_uint(j, (uint64_t)v);
		return;
	}
	separate(j);
	put(j, "-", 1);
	if (reserve(j, SL_DIGITS_MAX))
		j->p = (uint8_t *)sl_digits_put((char *)j->p, -(uint64_t)v);
}

void http_json_double(struct http_json *j, double v)
{
	char text[32];
	size_t n;

	if (!isfinite(v)) {
		http_json_null(j);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		n = (size_t)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (!strpbrk(text, ".e"))
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".0");
	http_json_raw(j, text, n);
}

/* Most digits that a float needs, and powers of ten that a double has exactly. */
enum { FLOAT_DIGITS_MAX = 9, POWER_MAX = 22 };

static const double powers[POWER_MAX + 1] = {1e0,  1e1,	 1e2,  1e3,  1e4,  1e5,	 1e6,  1e7,
					     1e8,  1e9,	 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double scale(double v, int power)
{
	return power < 0 ? v / powers[-power] : v * powers[power];
}

/* Whether who reads @shown / 10^@power gets @v, whichever way the last bit was rounded. */
static bool gives(double shown, int power, float v)
{
	double back = scale(shown, -power);

	return (float)(back * (1 + 1e-14)) == v && (float)(back * (1 - 1e-14)) == v;
}

/* @digits / 10^@point, without zeros at its end. */
static void put_decimal(struct http_json *j, uint64_t digits, int point)
{
	char text[SL_DIGITS_MAX];
	int n;

	while (point > 1 && digits % 10 == 0) {
		digits /= 10;
		point--;
	}
	n = (int)(sl_digits_put(text, digits) - text);
	put(j, text, (size_t)sl_max(n - point, 0));
	put(j, n > point ? "." : "0.", n > point ? 1 : 2);
	for (int i = n; i < point; i++)
		put(j, "0", 1);
	put(j, text + sl_max(n - point, 0), (size_t)sl_min(n, point));
}

/* Of 0.0001 up to a million in decimals, by sums of doubles; others are rare. */
void http_json_float(struct http_json *j, float v)
{
	double magnitude = fabs((double)v);
	int before = 0;

	if (!(magnitude >= 1e-4 && magnitude < 1e6)) {
		char text[32];

		for (int digits = 6; v && isfinite(v) && digits <= FLOAT_DIGITS_MAX; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, (double)v);
			if (strtof(text, NULL) == v) {
				http_json_double(j, strtod(text, NULL));
				return;
			}
		}
		http_json_double(j, (double)v);
		return;
	}
	while (before < 6 && magnitude >= powers[before])
		before++;
	while (before > -3 && before <= 0 && magnitude * powers[-before + 1] < 1)
		before--;
	separate(j);
	if (v < 0)
		put(j, "-", 1);
	for (int digits = 6; digits <= FLOAT_DIGITS_MAX; digits++) {
		int point = sl_max(digits - before, 1);
		double shown = nearbyint(scale(magnitude, point));

		if (digits < FLOAT_DIGITS_MAX && !gives(shown, point, (float)magnitude))
			continue;
		put_decimal(j, (uint64_t)shown, point);
		return;
	}
}

/* ---- sending ---------------------------------------------------------------------------- */

int http_json_send(struct http_json *j, struct http_response *rs)
{
	size_t n = j->buf ? (size_t)(j->p - j->buf->data) : 0;
	int err = j->err;

	if (!err && !j->n && n <= HTTP_SMALL_BYTES) {
		err = http_response_body(rs, "application/json", j->buf ? j->buf->data : NULL, n);
	} else if (!err) {
		seal(j);
		rs->content_type = "application/json";
		memcpy(rs->parts, j->parts, j->n * sizeof(j->parts[0]));
		rs->n = j->n;
		j->n = 0;
	}
	http_json_done(j);
	return err;
}
