/* SPDX-License-Identifier: Apache-2.0 */
/* The status page: what a browser finds at "/", and the files that it asks for then. */
#ifndef PROTO_HTTP_STATUS_H
#define PROTO_HTTP_STATUS_H

#include "request.h"
#include "response.h"

/* Whether a browser asks for a page, not a program. */
bool http_status_wanted(const struct http_request *rq);

/* Handlers of "/" and "/status/{}", as of struct http_route. */
int http_status_get(struct http_request *rq, struct http_response *rs, int64_t deadline);
int http_status_file_get(struct http_request *rq, struct http_response *rs, int64_t deadline);

#endif
