// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies of forms. The first byte is how many come at a time; whatever that is, the parts are the
 * same, and no part holds the delimiter.
 */
#include <string.h>

#include "proto/http/form.h"
#include "proto/http/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct source {
	const uint8_t *p;
	size_t n, step;
};

static ssize_t take(void *arg, void *to, size_t max)
{
	struct source *s = arg;
	size_t n = sl_min(sl_min(max, s->step), s->n);

	memcpy(to, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

/* What of a body there is: its parts, their bytes, their last one, and how it ends. */
struct seen {
	size_t parts, bytes;
	char last;
	ssize_t end;
};

static struct seen look(const uint8_t *data, size_t n, size_t step)
{
	static char text[HTTP_FORM_PIECE_BYTES];
	struct source s = {data, n, step};
	struct http_form f = {.read = take, .arg = &s, .text = text};
	struct seen seen = {0};
	struct http_str name;
	const char *p;

	SL_ASSERT(!http_form_init(&f, http_str_of("multipart/form-data; boundary=X")));
	while ((seen.end = http_form_next(&f, &name)) == 1) {
		seen.parts++;
		while ((seen.end = http_form_read(&f, &p)) > 0) {
			SL_ASSERT(!memmem(p, (size_t)seen.end, f.delimiter, f.delimiter_n));
			seen.bytes += (size_t)seen.end;
			seen.last = p[seen.end - 1];
		}
		if (seen.end)
			break;
	}
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct seen whole, pieces;

	if (!n)
		return 0;
	whole = look(data + 1, n - 1, n);
	pieces = look(data + 1, n - 1, (size_t)data[0] + 1);
	SL_ASSERT(whole.end == pieces.end && whole.parts == pieces.parts);
	SL_ASSERT(whole.end || (whole.bytes == pieces.bytes && whole.last == pieces.last));
	return 0;
}
