/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protocol served on one core of this process, for a plain blocking client in a thread that
 * knows nothing but sockets: what the servers of one protocol's tests are built on.
 *
 * Order of parts: the core; the client.
 */
#ifndef TESTS_SERVING_H
#define TESTS_SERVING_H

#include "dataplane/dataplane.h"

/* ---- the core --------------------------------------------------------------------------- */

/* A registry for @cores with the names that tools/sluiced gives; @apis: of the protocol. */
struct sl_registry *serving_registry(uint32_t cores, const char *listener,
				     const char *const *apis, uint32_t apis_n);

/* Limits that no client of a test meets but on purpose. */
extern const struct sl_conn_limits serving_limits;

/**
 * struct serving - @proto, @server: what listens, and the argument of its connections.
 * @client: runs with @arg in a thread of its own while the core serves; @ret_port is set before.
 * @drain: called with @server when the client has ended, before connections drain; may be NULL.
 * @drain_ns: what that may take (0: 3 s).
 */
struct serving {
	const struct sl_proto *proto;
	void *server;
	const struct sl_conn_limits *limits;
	void (*client)(void *arg);
	void *arg;
	void (*drain)(void *server);
	int64_t drain_ns;
	uint16_t *ret_port;
	int done;
};

/* In a fiber of the core: listens on loopback until @s->client has returned, and drains. */
void serving_run(struct serving *s);

/* ---- the client ------------------------------------------------------------------------- */

/* A connection; receiving ends the test after 20 s (scaled) of silence. */
int serving_connect(uint16_t port);

/* A server that has refused may end before all is sent. */
void serving_send(int fd, const void *p, size_t n);

/* Exactly @n bytes. Return: false at the connection's end. */
bool serving_receive(int fd, void *p, size_t n);

/* Whether the server ends the connection with nothing more to read; waits for it. */
bool serving_ended(int fd);

#endif
