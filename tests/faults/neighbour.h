/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A well-behaved client that goes on beside the others: a thread that produces one record and
 * fetches it back, again and again, and notes how long each took.
 */
#ifndef TESTS_FAULTS_NEIGHBOUR_H
#define TESTS_FAULTS_NEIGHBOUR_H

#include <pthread.h>
#include <stdatomic.h>

#include "wire.h"

/**
 * struct neighbour - @topic, @partition: what it produces to, made by the caller.
 * @times_ns: of each round so far, in order of time; @rounds: how many there were (the oldest
 * TIMES are kept). @failed: what ended it, or 0.
 */
enum { NEIGHBOUR_TIMES = 1 << 16 };

struct neighbour {
	pthread_t thread;
	atomic_bool stop;
	atomic_uint rounds;
	uint16_t port;
	const char *topic;
	int32_t partition;
	int failed;
	int64_t times_ns[NEIGHBOUR_TIMES];
};

void neighbour_start(struct neighbour *n, uint16_t port, const char *topic, int32_t partition);

/* Ends it. EXPECTs that nothing failed and that it got somewhere. */
void neighbour_stop(struct neighbour *n);

/* Of the rounds from number @from on: the one at @percent of them in rising order; 0: none. */
int64_t neighbour_percentile(const struct neighbour *n, unsigned from, unsigned percent);

#endif
