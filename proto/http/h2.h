/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 for serve.c: a connection that begins with its preface. */
#ifndef PROTO_HTTP_H2_H
#define PROTO_HTTP_H2_H

#include "http.h"

/* What a client sends first (RFC 9113, section 3.4). */
#define HTTP_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { HTTP_H2_PREFACE_BYTES = sizeof(HTTP_H2_PREFACE) - 1 };

/**
 * http_h2_serve() - serve @conn, of which the preface is to be read next, to its end. @peer: its
 * address for the access log, which outlives the connection.
 * Return: as a protocol's serve(); what is still received then is to be dropped.
 */
int http_h2_serve(struct sl_conn *conn, const char *peer);

#endif
