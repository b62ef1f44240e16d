/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of random contents and their comparison, for the tests and fuzzers of the codec. */
#ifndef TESTS_PROTO_KAFKA_RANDOM_MSG_H
#define TESTS_PROTO_KAFKA_RANDOM_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/kafka/codec.h"

/* A splitmix64 sequence; any value of state will do. */
struct random_source {
	uint64_t state;
};

uint64_t random_next(struct random_source *rnd);

/**
 * random_msg() - fill @msg with what @version of it can carry; the other fields get defaults.
 * @mem: strings and arrays come from here; running out is fatal.
 */
void random_msg(const struct kafka_schema *schema, int version, struct random_source *rnd,
		struct sl_bump *mem, void *msg);

/**
 * msg_equal() - compare two messages in depth (a cookie of records is not compared).
 */
bool msg_equal(const struct kafka_schema *schema, const void *a, const void *b);

#endif
