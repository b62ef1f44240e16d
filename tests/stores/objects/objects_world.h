/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload on a store with a model of what it was promised, and the check of what the store must
 * hold after a crash or a fault: collections, an alias, and objects as they were acknowledged last,
 * each found by its key and by its vector; none that was deleted; and it goes on.
 */
#ifndef TESTS_STORES_OBJECTS_OBJECTS_WORLD_H
#define TESTS_STORES_OBJECTS_OBJECTS_WORLD_H

#include "objects_kit.h"

enum { COLLECTIONS = 3, KEYS = 24, TRIES = 8 };

enum fate { NEVER, MAYBE, SURELY, MAYBE_DELETED, DELETED };

/* Numbers of an object: what was acknowledged last, and what was tried since; GONE: none. */
#define GONE INT64_C(-1)

struct object_model {
	int64_t is, tried[TRIES];
	uint32_t tries;
};

struct model {
	enum fate fate[COLLECTIONS];
	struct object_model object[COLLECTIONS][KEYS];
	enum fate alias;
	int64_t next;
};

/* @go_on: after an error. @wrong: what is, if anything. */
struct world {
	struct ok k; /* first */
	struct model m;
	bool go_on;
	char wrong[200];
};

/* A new disk. @w->k.sim's delay, cuts and faults are the caller's. */
void objects_world_init(struct world *w, uint64_t seed);

/* The workload: a body for ok_run(). Stops at the first error, unless @w->go_on. */
int objects_world_work(struct ok *k);

/* Whether disk @sim, which is used up, holds what it should. If not *ret_wrong says what. */
bool objects_world_check(const struct model *m, struct sl_sim *sim, char *ret_wrong, size_t len);

#endif
