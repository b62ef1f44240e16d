/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that the Kafka protocol has no answer to: the connection is to be closed.
 */
#ifndef TESTS_FAULTS_BAD_FRAMES_H
#define TESTS_FAULTS_BAD_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* A request under construction, in network byte order. */
struct bytes {
	uint8_t p[4096];
	size_t n;
};

/* The last @bytes bytes of @value. */
void bytes_put(struct bytes *b, uint64_t value, unsigned bytes);

/* Length (filled in by bytes_seal()), key, version, correlation id 1, and an empty client id. */
struct bytes bytes_head(int key, int version);

struct bytes bytes_seal(struct bytes b);

struct bad_frame {
	const char *name;
	struct bytes (*make)(void);
};

/* The topic that they name, where it must exist for them to be bad. */
extern const char bad_frames_topic[];

extern const struct bad_frame bad_frames[];
extern const size_t bad_frames_n;

#endif
