/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that no server may answer as if they were sound. */
#ifndef TESTS_PROTO_HTTP_CORPUS_H
#define TESTS_PROTO_HTTP_CORPUS_H

#include <stddef.h>

/**
 * struct corpus_row - one request.
 * @name: what is wrong with it. @bytes, @n: as sent.
 * @status: with which its head is refused; 0: the head is sound, and its chunked body is not.
 */
struct corpus_row {
	const char *name;
	const char *bytes;
	size_t n;
	int status;
};

extern const struct corpus_row corpus[];
extern const size_t corpus_n;

#endif
