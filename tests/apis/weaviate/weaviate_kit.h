/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weaviate's API over sockets: a server with a store of objects in a folder of the test's own.
 * What is asked and what comes back are JSON texts.
 */
#ifndef TESTS_APIS_WEAVIATE_WEAVIATE_KIT_H
#define TESTS_APIS_WEAVIATE_WEAVIATE_KIT_H

#include "apis/objects_web.h"

/* Serves while @client runs, in a thread of its own; then starts a second time, on the same
 * folder, for @again, if that is not NULL. */
void weaviate_kit_run(void (*client)(struct web *w), void (*again)(struct web *w));

/* Expects @status, and that a part of the answer is @part (NULL: whatever it is). */
void weaviate_kit_expect(struct web *w, const char *method, const char *path, const char *body,
			 int status, const char *part);

/* Expects 200 and, as they are, the bytes of the answer. */
void weaviate_kit_is(struct web *w, const char *method, const char *path, const char *body,
		     const char *answer);

/* Expects @status and an error of which @part is a part of the message. */
void weaviate_kit_refused(struct web *w, const char *method, const char *path, const char *body,
			  int status, const char *part);

/* Asks a query of GraphQL; expects that @data is what comes below "data", and no error. */
void weaviate_kit_query(struct web *w, const char *query, const char *data);

/* The same below "Get" and the class: a list. */
void weaviate_kit_get(struct web *w, const char *query, const char *list);

/* Gets the usual objects by @arguments; expects these, by their number, in this order. */
void weaviate_kit_find(struct web *w, const char *arguments, const char *digits);

/* Expects an error of which @part is a part of the message. */
void weaviate_kit_wrong(struct web *w, const char *query, const char *part);

/* "00000000-0000-0000-0000-0000000000" and two digits. */
#define ID(two) "00000000-0000-0000-0000-0000000000" two

/* The usual: a class Thing with properties of many types, by L2, and of it objects 1 to 5:
 * {"name": "thing one", "n": 1, "x": 0.5, "good": true, "tags": ["odd", "all"], ...} at (1, 0). */
void weaviate_kit_fill(struct web *w);

#endif
