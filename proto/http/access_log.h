/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: a line for each request.
 *
 * What a request costs is the writing of its line into memory of its core; a fiber takes the
 * lines of a second, or 64 KiB of them, to the file by the core's ring. A file that takes no more
 * loses lines, which are counted, and holds up nobody.
 */
#ifndef PROTO_HTTP_ACCESS_LOG_H
#define PROTO_HTTP_ACCESS_LOG_H

#include "request.h"

/**
 * http_log_request() - a line for @rq, if its server has a log. On the core of its connection.
 * Of a request that was refused (rq->refusal) only when, from whom and why is told.
 * @status: of the answer; 0: the client went before it. @bytes: of the answer's body.
 */
void http_log_request(const struct http_request *rq, int status, uint64_t bytes);

#endif
