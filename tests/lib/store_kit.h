/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of libsluice's store of objects share: a store in the test's folder, objects that
 * go by a number. */
#ifndef TESTS_LIB_STORE_KIT_H
#define TESTS_LIB_STORE_KIT_H

#include <sluice/objects.h>

#include "harness.h"

enum { STORE_DIM = 8 };

/* Opens the store in harness_tmpdir()/store; ends the test if that fails. */
struct sl_objects *store_open(const char *settings);

/* A collection of one vector "" of STORE_DIM components of f32, compared by L2, with an index over
 * the property "n". */
int store_create(struct sl_objects *o, const char *name, enum sl_index_kind kind);

/* The same, with vectors that are read from the disk. */
int store_create_on_disk(struct sl_objects *o, const char *name, enum sl_index_kind kind);

/* The vector that goes by @n. */
void store_vector(int64_t n, float ret_vector[STORE_DIM]);

/* An object of key @key with the vector of @n; its properties: n; even, whether it is; text, "one",
 * "two" or "three" in turns. To be freed. */
struct sl_object *store_object(uint64_t key, int64_t n);

/* Puts objects of keys @from .. @from + @n - 1 at once, whose numbers are their keys plus @add. */
int store_put(struct sl_objects *o, const char *name, uint64_t from, uint32_t n, int64_t add);

/* The number of the object of @key; -1: there is none; another -errno less 1000. */
int64_t store_number(struct sl_objects *o, const char *name, uint64_t key);

/* How many there are, or -errno. */
int64_t store_count(struct sl_objects *o, const char *name);

/* The key that is nearest to the vector of @n; -1: none; another -errno less 1000. */
int64_t store_nearest(struct sl_objects *o, const char *name, int64_t n);

/* The integer that the key is. */
uint64_t store_key(const struct sl_filter_key *key);

/* The figure of this name; ends the test if there is none. */
uint64_t store_stat(struct sl_objects *o, const char *name);

#endif
