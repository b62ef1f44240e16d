/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of libsluice share: a cache in the test's folder, bodies that go by a number. */
#ifndef TESTS_LIB_LIB_KIT_H
#define TESTS_LIB_LIB_KIT_H

#include <sluice/cache.h>

#include "harness.h"

/* Opens the cache in harness_tmpdir()/cache; ends the test if that fails. */
struct sl_cache *lib_open(const char *settings);

/* Byte @at of the body that goes by the number @seed; and all of one. */
void lib_fill(uint8_t *dst, size_t n, uint64_t seed, uint64_t at);
bool lib_is(const void *data, size_t n, uint64_t seed, uint64_t at);

/* "key-@seed", in static memory of the calling thread. */
const char *lib_key(uint64_t seed);

/* Stores body @seed of @n bytes under its key; or looks it up by copy and compares. 0 or -errno. */
int lib_put(struct sl_cache *c, uint64_t seed, size_t n);
int lib_get(struct sl_cache *c, uint64_t seed, size_t n);

/* A figure that is looked for: for sl_cache_stat() and sl_objects_stat(). */
struct lib_figure {
	const char *name;
	uint64_t value;
	bool found;
};

void lib_figure_note(void *figure, const char *name, uint64_t value);

/* The figure of this name; ends the test if there is none. */
uint64_t lib_stat(struct sl_cache *c, const char *name);

#endif
