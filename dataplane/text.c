// SPDX-License-Identifier: Apache-2.0
/*
 * text: a growing buffer. Interface: text.h. Grows by doubling, from 1 KiB.
 * Invariant: len <= cap, and data holds cap bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "text.h"

void sl_text_done(struct sl_text *t)
{
	if (!t)
		return;
	if (!t->lent)
		free(t->data);
	*t = (struct sl_text){0};
}

/* Room for @n more bytes. */
static int reserve(struct sl_text *t, size_t n)
{
	size_t cap = sl_max(t->cap, (size_t)SL_KIB);
	char *data;

	SL_ASSERT(t->len <= t->cap);
	if (t->err || n <= t->cap - t->len)
		return t->err;
	while (cap - t->len < n)
		cap *= 2;
	data = realloc(t->lent ? NULL : t->data, cap);
	if (!data)
		return t->err = -ENOMEM;
	if (t->lent)
		memcpy(data, t->data, t->len);
	t->lent = false;
	t->data = data;
	t->cap = cap;
	return 0;
}

void sl_text_put(struct sl_text *t, const void *data, size_t len)
{
	if (len == 0 || reserve(t, len))
		return;
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

void sl_text_put_string(struct sl_text *t, const char *s)
{
	sl_text_put(t, s, strlen(s));
}

void sl_text_printf(struct sl_text *t, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	SL_ASSERT(n >= 0);
	if (reserve(t, (size_t)n + 1) == 0) {
		vsnprintf(t->data + t->len, (size_t)n + 1, format, again);
		t->len += (size_t)n;
	}
	va_end(again);
}

char *sl_digits_put(char *p, uint64_t v)
{
	size_t n = 1;

	for (uint64_t limit = 10; v >= limit && n < SL_DIGITS_MAX; limit *= 10)
		n++;
	for (char *at = p + n; at > p; v /= 10)
		*--at = (char)('0' + v % 10);
	return p + n;
}

int sl_hex_digit(char c)
{
	char letter = c | 0x20;

	if (c >= '0' && c <= '9')
		return c - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}
