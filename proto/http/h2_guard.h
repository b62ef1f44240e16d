/* SPDX-License-Identifier: Apache-2.0 */
/* How much work a peer may cause that brings nobody anything. */
#ifndef PROTO_HTTP_H2_GUARD_H
#define PROTO_HTTP_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* What a peer may be ahead; what time gives back; what is earned when something useful is done. */
enum {
	H2_GUARD_TOKENS = 1000,
	H2_GUARD_TOKENS_PER_S = 100,
	H2_GUARD_REQUEST = 8, /* a request was answered */
	H2_GUARD_DATA = 2, /* a DATA frame with content came or left */
	H2_GUARD_RESET = 4, /* costs of a stream that the peer broke off; other frames cost 1 */
};

struct h2_guard {
	int64_t tokens, at_ns;
};

void h2_guard_init(struct h2_guard *g, int64_t now_ns);

/* Takes @n tokens. Return: false once the peer has used up more than it has. */
bool h2_guard_spend(struct h2_guard *g, int64_t n, int64_t now_ns);

void h2_guard_earn(struct h2_guard *g, int64_t n);

#endif
