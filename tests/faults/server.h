/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka server with its engine on one core of this process, so that its operations can go
 * through a backend that fails some of them; the client runs in a thread.
 */
#ifndef TESTS_FAULTS_SERVER_H
#define TESTS_FAULTS_SERVER_H

#include "proto/kafka/kafka.h"
#include "uring/uring.h"

/**
 * struct server - @path: DATADIR, an existing folder of @backend (NULL: the kernel). @conf: may be
 * changed after server_init(). @client: runs while it serves, with @port to connect to.
 * Filled: @served: it came so far as to serve; @stopped: what its clean end said.
 */
struct server {
	const char *path;
	struct sl_backend *backend;
	struct sl_topics_conf conf;
	void (*client)(struct server *s, void *arg);
	void *arg;
	uint16_t port;
	bool served;
	int stopped;

	struct sl_topics *topics;
	struct kafka_server kafka;
};

void server_init(struct server *s, const char *path);

/* One life of it on the calling thread. Return: 0, or -errno of opening, when it did not serve. */
int server_run(struct server *s);

#endif
