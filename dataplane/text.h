/* SPDX-License-Identifier: Apache-2.0 */
/* text: a growing buffer for text of unknown length, such as a page of metrics. */
#ifndef DATAPLANE_TEXT_H
#define DATAPLANE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct sl_text - memory that grows, of the heap; zeroed is empty and ready.
 * @err: 0, or -ENOMEM from the first failure on; then nothing more is added, so that a caller may
 *	check once at the end. @lent: the memory is the caller's, as long as that is enough.
 */
struct sl_text {
	char *data; /* len bytes, not NUL-terminated */
	size_t len, cap;
	int err;
	bool lent;
};

/* An empty one, for which the @n bytes at @p are enough most of the time. */
static inline struct sl_text sl_text_lent(void *p, size_t n)
{
	return (struct sl_text){.data = (char *)p, .cap = n, .lent = true};
}

/* Frees what it holds and leaves it empty. Accepts NULL. */
void sl_text_done(struct sl_text *t);

void sl_text_put(struct sl_text *t, const void *data, size_t len);
void sl_text_put_string(struct sl_text *t, const char *s);
__attribute__((format(printf, 2, 3))) void sl_text_printf(struct sl_text *t, const char *format,
							  ...);

/* The most digits of an uint64_t. */
#define SL_DIGITS_MAX 20

/* @v in digits, at most SL_DIGITS_MAX of them, without a NUL. Return: the end. */
char *sl_digits_put(char *p, uint64_t v);

/* The value of a hexadecimal digit, small or capital; -1: it is none. */
int sl_hex_digit(char c);

#endif
