/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of stores/objects share: a store on a core, on the simulated or the real disk;
 * objects whose contents follow from a number.
 *
 * Order of parts: a store under test; collections; objects; questions.
 */
#ifndef TESTS_STORES_OBJECTS_OBJECTS_KIT_H
#define TESTS_STORES_OBJECTS_OBJECTS_KIT_H

#include "harness.h"
#include "stores/objects/objects.h"
#include "uring/sim.h"

/* ---- a store under test ------------------------------------------------------------------- */

struct ok {
	struct sl_sim *sim; /* NULL: the real disk, in harness_tmpdir() */
	struct objects *o;
	struct objects_store_conf conf; /* as ok_init() sets it; may be changed before opening */
	uint32_t events[OBJECTS_EVENT_LAST];
	int64_t told[OBJECTS_EVENT_LAST]; /* a of the last one */
	uint32_t log_events[SL_LOG_EVENT_LAST];
	void *arg; /* the test's own */
};

/* @sim: taken over by the test, or NULL. */
void ok_init(struct ok *k, struct sl_sim *sim);

/* Runs @body(@k) in a fiber of one core on the kit's disk. Return: its value. */
int ok_run(struct ok *k, int (*body)(struct ok *k));

/* In a body. ok_open() opens and starts; ok_close() drains, stops and frees. */
int ok_open(struct ok *k);
int ok_close(struct ok *k);

/* As after a kill -9, on the simulated disk: the memory goes, nothing is written. */
void ok_kill(struct ok *k);

/* ---- collections -------------------------------------------------------------------------- */

enum { OK_DIM = 8 };

/* "c", of one vector "" of OK_DIM components of f32, compared by L2, found by @kind. */
int ok_create(struct ok *k, const char *name, enum sl_index_kind kind);

/* ---- objects ------------------------------------------------------------------------------ */

/**
 * struct ok_object - the object of key @key: property "n" is @n, "even" whether it is, and "text"
 * as long as @padding; the vector, unless @bare, follows from @n.
 */
struct ok_object {
	uint64_t key;
	int64_t n;
	size_t padding;
	bool bare;
};

void ok_vector(int64_t n, float ret_vector[OK_DIM]);

/* To be freed. */
struct sl_object *ok_make(const struct ok_object *x);

/* Puts objects of keys @from .. @from + @n - 1, whose numbers are their keys plus @add, at once. */
int ok_put(struct ok *k, const char *name, uint64_t from, uint32_t n, int64_t add);
int ok_delete(struct ok *k, const char *name, uint64_t key);

/* ---- questions ---------------------------------------------------------------------------- */

/* The number of the object of @key; -1: there is none; another -errno less 1000. */
int64_t ok_number(struct ok *k, const char *name, uint64_t key);

/* How many there are, or -errno. */
int64_t ok_count(struct ok *k, const char *name);

/* The key that is nearest to the vector of @n, or -1. */
int64_t ok_nearest(struct ok *k, const char *name, int64_t n, bool exact);

/* Waits until no rows are left to be indexed. */
int ok_indexed(struct ok *k, const char *name);

#endif
