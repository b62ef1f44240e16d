/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core with one listener, and a thread that is its client: for tests of connections, delivery
 * and listeners. A request is a 4-byte length (big-endian) and a body of at most PEER_BODY_MAX
 * bytes; what answers it is the test's own.
 *
 * Limits of @limits that a test lets pass are short, the others long: a client may be stalled by
 * the machine for a second anywhere, also between two pieces of a request.
 */
#ifndef TESTS_DATAPLANE_PEER_H
#define TESTS_DATAPLANE_PEER_H

#include <pthread.h>

#include "dataplane/dataplane.h"
#include "harness.h"

enum { PEER_BODY_MAX = 1000, PEER_FILE_BYTES = 4 << 20 };

/**
 * struct peer - a server and the thread that is its peer. Fill the first part, call peer_run().
 * @limits: zero: generous ones; times are scaled for sanitizers. @addr: where to listen (NULL: a
 *	free port of 127.0.0.1). @backend: the core's; NULL: the kernel.
 * @proto: another protocol than that of the opening comment, whose connections have the peer as
 *	their argument; @answer is not called then. NULL: that one.
 * @tls: what its connections speak, or NULL: nothing but TCP.
 * @answer: serves one request, which is consumed already, in its fiber; NULL: echoes it.
 * @client: runs on a thread of its own against the server; the server drains when it returns.
 * @start, @end: in a fiber of the core, before and after all that; may be NULL.
 * @file: PEER_FILE_BYTES bytes of no pattern, also at @bytes. @order: no point is durable.
 */
struct peer {
	struct sl_conn_limits limits;
	const struct sockaddr *addr;
	socklen_t addr_len;
	struct sl_backend *backend;
	const struct sl_cores_conf *conf;
	const struct sl_proto *proto;
	const struct sl_tls_conf *tls;
	int (*answer)(struct peer *x, struct sl_conn *c, const char *body, uint32_t len);
	void (*client)(struct peer *x);
	void (*start)(struct peer *x);
	void (*end)(struct peer *x);
	void *arg;

	struct sl_core *core;
	struct sl_listener *l;
	struct sl_file file;
	uint8_t *bytes;
	struct sl_order order;
	uint16_t port;
	int closed;
	int done_pipe[2];
	int64_t drain_ns;
};

void peer_run(struct peer *x);

/* ---- on the core, in answer() ------------------------------------------------------------ */

/* A reply with @body behind its length; @parts: room for more. */
struct sl_reply *peer_reply(struct sl_conn *c, uint32_t parts, uint32_t holds, uint32_t length,
			    const void *body, uint32_t body_len);

/* Appends bytes [@off, @off + @len) of the peer's file. */
void peer_add_extent(struct peer *x, struct sl_reply *r, uint64_t off, uint64_t len);

/* The connection's socket takes few bytes at a time from now on. */
void peer_small_socket(struct sl_conn *c);

int peer_echo(struct peer *x, struct sl_conn *c, const char *body, uint32_t len);

/*
 * An answer() to "<off> <len>": an extent of the file, which may lie past its end; "<off> <len>
 * <n>": in @n extents that follow each other. "s...": on a small socket. Else as peer_echo().
 */
int peer_extent(struct peer *x, struct sl_conn *c, const char *body, uint32_t len);

/* A file's map() that has no memory for it. */
int peer_map_nothing(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data);

/* ---- on the client's thread ----------------------------------------------------------------- */

int peer_connect(const struct peer *x);

/* Connects @fd, a socket that exists already. */
void peer_connect_with(const struct peer *x, int fd);
void peer_send(int fd, const void *p, size_t n);
void peer_request(int fd, const char *body);

/* Any body, also a longer one, in one piece. */
void peer_request_bytes(int fd, const void *body, uint32_t len);

/* Receives one reply. Return: whether its body is @body. */
bool peer_gets(int fd, const void *body, size_t len);

/* The same; another reply ends the test. */
void peer_expect(int fd, const void *body, size_t len);
void peer_expect_text(int fd, const char *text);

/* One request and its echo. */
void peer_ping(int fd, const char *text);

/* Whether the server ends the connection within 10 s (scaled), having sent nothing more. */
bool peer_ends(int fd);

/* The same, whatever it still sends. */
bool peer_ends_after_all(int fd);

/* Whether nothing comes within @ms. */
bool peer_silent(int fd, int ms);

/* Runs @fn on the core, outside fibers, and waits for it. */
void peer_do(struct peer *x, void (*fn)(struct peer *x, void *arg), void *arg);

/* The value of a metric's cell. */
uint64_t peer_metric(struct peer *x, enum sl_metric_id id, uint32_t j);

/* Bytes that went by @rung. */
uint64_t peer_sent(struct peer *x, enum sl_rung rung);

/*
 * Writes the file out and drops [@off, @off + @len) of it from the page cache. Return: whether it
 * is gone; there are file systems that are nothing but page cache.
 */
bool peer_drop_cache(struct peer *x, uint64_t off, uint64_t len);

/* The same, tried once: for who goes on in either case. */
bool peer_drop_once(struct peer *x, uint64_t off, uint64_t len);

/* Waits up to 10 s (scaled) until the metric's cell is at least @value. Return: whether it is. */
bool peer_metric_reaches(struct peer *x, enum sl_metric_id id, uint32_t j, uint64_t value);

void peer_advance(struct peer *x, uint64_t durable);
void peer_fail(struct peer *x);

#endif
