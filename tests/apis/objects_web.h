/* SPDX-License-Identifier: Apache-2.0 */
/* An API of the store of objects over sockets, in a folder of the test's own. */
#ifndef TESTS_APIS_OBJECTS_WEB_H
#define TESTS_APIS_OBJECTS_WEB_H

#include "proto/http/web.h"

/* Serves @api, whose arg is the store, while @client runs, in a thread of its own; then starts a
 * second time, on the same folder, for @again, if that is not NULL. */
void objects_web_run(struct http_api api, void (*client)(struct web *w),
		     void (*again)(struct web *w));

/* One request. @body: "" sends none. Return: the status; @a is to be given to web_answer_done(). */
int objects_web_ask(struct web *w, const char *method, const char *path, const char *body,
		    struct web_answer *a);

#endif
