/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and servers that the tests of h2*.c share. */
#ifndef TESTS_PROTO_HTTP_H2_WEB_H
#define TESTS_PROTO_HTTP_H2_WEB_H

#include "h2_client.h"

enum { H2_FILE_BYTES = 3 << 20, H2_PIECE = 100000, H2_PIECES = 20 };

/*
 * What handlers did, as the client waits for it: the last result of one that reads or goes on for
 * ever; handlers begun of those that wait until released is set; files closed.
 */
extern int h2_last_err, h2_begun, h2_released, h2_files_gone;

/* Byte @i of bodies that say where they are. */
uint8_t h2_byte_at(size_t i);

/* A server with the routes of h2_web.c, whose client is @client; limits as of struct web. */
void h2_run(void (*client)(struct web *w));
void h2_run_within(struct sl_conn_limits limits, void (*client)(struct web *w));

void h2_wait_until(const int *counter, int value);

/* The answer is 200 with @n such bytes. */
void h2_expect_bytes(const struct h2c_answer *a, size_t n);

/* A request that is answered as usual: the connection is well. */
void h2_expect_alive(struct h2c *c);

#endif
