/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A well-behaved client that goes on beside the others: a thread that produces one record and
 * fetches it back, again and again. Whether others hold it up shows in the rounds that it makes
 * while they are known to be there, never in how long one takes: a machine that is busy with
 * other things slows it down as well, but does not stop it for good.
 */
#ifndef TESTS_FAULTS_NEIGHBOUR_H
#define TESTS_FAULTS_NEIGHBOUR_H

#include <pthread.h>
#include <stdatomic.h>

#include "wire.h"

/**
 * struct neighbour - @topic, @partition: what it produces to, made by the caller.
 * @rounds: how many there were. @failed: what ended it, or 0.
 */
struct neighbour {
	pthread_t thread;
	atomic_bool stop;
	atomic_uint rounds;
	uint16_t port;
	const char *topic;
	int32_t partition;
	atomic_int failed;
};

/* Returns when it has made a round. */
void neighbour_start(struct neighbour *n, uint16_t port, const char *topic, int32_t partition);

/* Waits up to 20 s (scaled) until it has made @rounds that begin now or later. */
bool neighbour_goes_on(struct neighbour *n, unsigned rounds);

/* Ends it. EXPECTs that nothing failed. */
void neighbour_stop(struct neighbour *n);

#endif
