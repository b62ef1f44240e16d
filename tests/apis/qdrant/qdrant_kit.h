/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Qdrant's API over sockets: a server with a store of objects in a folder of the test's own.
 * What is asked and what comes back are JSON texts; of an answer what is compared is the "result",
 * or the text of the error.
 */
#ifndef TESTS_APIS_QDRANT_QDRANT_KIT_H
#define TESTS_APIS_QDRANT_QDRANT_KIT_H

#include "apis/objects_web.h"

/* Serves while @client runs, in a thread of its own; then starts a second time, on the same
 * folder, for @again, if that is not NULL. */
void qdrant_kit_run(void (*client)(struct web *w), void (*again)(struct web *w));

/* Expects 200 and, as they are, the bytes of the result; NULL: whatever it is. */
void qdrant_kit_expect(struct web *w, const char *method, const char *path, const char *body,
		       const char *result);

/* Expects that a part of the result is @part. */
void qdrant_kit_expect_part(struct web *w, const char *method, const char *path, const char *body,
			    const char *part);

/* Expects an error of @status, a part of whose text is @part. */
void qdrant_kit_refused(struct web *w, const char *method, const char *path, const char *body,
			int status, const char *part);

/* The usual: a collection @name of two dimensions, compared by L2. */
void qdrant_kit_create(struct web *w, const char *name);

/* Points 0 to @n - 1 of it at (id, 0), with {"n": id, "even": …, "text": "word id"}. */
void qdrant_kit_fill(struct web *w, const char *name, int n);

#endif
