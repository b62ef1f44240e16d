/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a head, and its characters.
 *
 * Interface: head.h. Only lines are looked at here; what stands in them is request.c's. Each byte
 * is looked at once however the head is cut up on its way, so that a peer who sends it byte by
 * byte costs no more than another. Bytes that cannot become a request end the search at once:
 * a connection that waits for more of them would hold its buffers until the deadline.
 */
#include "head.h"

#include <errno.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#define T HTTP_CHAR_TOKEN
#define V HTTP_CHAR_VALUE
#define R HTTP_CHAR_TARGET
#define H HTTP_CHAR_HOST
#define ALL (T | V | R | H)

const uint8_t http_chars[256] = {
	['\t'] = V, [' '] = V,
	['0' ... '9'] = ALL, ['A' ... 'Z'] = ALL, ['a' ... 'z'] = ALL,
	['!'] = ALL, ['$'] = ALL, ['%'] = ALL, ['&'] = ALL, ['\''] = ALL, ['*'] = ALL,
	['+'] = ALL, ['-'] = ALL, ['.'] = ALL, ['_'] = ALL, ['~'] = ALL,
	['('] = V | R | H, [')'] = V | R | H, [':'] = V | R | H, [';'] = V | R | H,
	['='] = V | R | H, ['['] = V | R | H, [']'] = V | R | H,
	['^'] = T | V | R, ['`'] = T | V | R, ['|'] = T | V | R, ['#'] = T | V,
	['"'] = V | R, [','] = V | R, ['/'] = V | R, ['<'] = V | R, ['>'] = V | R,
	['?'] = V | R, ['@'] = V | R, ['\\'] = V | R, ['{'] = V | R, ['}'] = V | R,
	[0x80 ... 0xff] = V,
};

#undef T
#undef V
#undef R
#undef H
#undef ALL

static ssize_t refuse(struct http_scan *s, enum http_refusal why)
{
	s->refusal = why;
	return -EPROTO;
}

/* A CR may be the first half of an empty line. */
static bool may_begin(const struct http_scan *s, const uint8_t *p, size_t n)
{
	return s->begun || n <= s->begin || p[s->begin] == '\r' || http_is_token(p[s->begin]);
}

ssize_t http_head_scan(struct http_scan *s, const uint8_t *p, size_t have, size_t max)
{
	size_t n = sl_min(have, max);

	SL_ASSERT(s->at <= have && s->line <= s->at);
	if (s->refusal)
		return -EPROTO;
	while (s->at < n) {
		const uint8_t *lf;
		uint32_t end;

		if (!may_begin(s, p, n))
			return refuse(s, HTTP_REFUSE_NOT_HTTP);
		lf = memchr(p + s->at, '\n', n - s->at);
		if (!lf) {
			s->at = (uint32_t)n;
			break;
		}
		end = (uint32_t)(lf - p);
		if (end == s->line || p[end - 1] != '\r')
			return refuse(s, HTTP_REFUSE_BARE_LF);
		if (end - s->line > 1)
			s->begun = true;
		else if (s->begun)
			return end + 1;
		else
			s->begin = end + 1;
		s->at = s->line = end + 1;
	}
	if (n == max)
		return refuse(s, s->begun ? HTTP_REFUSE_HEAD_LONG : HTTP_REFUSE_TARGET_LONG);
	return 0;
}
