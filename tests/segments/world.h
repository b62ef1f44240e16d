/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload on one log with a model of what it was promised, and the check of what a log must
 * hold after a crash or a fault: every batch that was acknowledged or served, at its offset,
 * intact and once; nothing that was never appended; a start that was acknowledged; the knowledge
 * of a clean close, with its indexes; and it goes on.
 */
#ifndef TESTS_SEGMENTS_WORLD_H
#define TESTS_SEGMENTS_WORLD_H

#include "kit.h"

enum { IDS = 128 };

struct model {
	struct kit_batch batch[IDS];
	uint64_t base[IDS];
	bool tried[IDS], owed[IDS];
	uint32_t n;
	bool created;	    /* acknowledged */
	bool closed;	    /* cleanly, and not opened since */
	bool index_may_lack; /* its writing may have failed */
	uint64_t start_min; /* acknowledged */
	uint64_t start_max; /* asked for */
};

struct world {
	struct kit k; /* first */
	struct model m;
	uint64_t rng;
	uint32_t writers;
	struct sl_waitq joined;
	int err;
	bool go_on;
};


/* A new disk and what the workload draws from. @sim's delay, cuts and faults are the caller's. */
void world_init(struct world *w, uint64_t seed);

/**
 * world_work() - the workload: a body for kit_run(). Creates, appends in all ways, rolls, trims,
 * retains, is killed, opens and closes. Stops at the first error unless @w->go_on; nothing is left
 * open.
 */
int world_work(struct kit *k);

/* What is wrong, if anything. */
struct verdict {
	const struct model *m;
	char wrong[160];
};

/* Opens the log on disk @sim as it is and checks it. @append: try whether the log goes on. */
void world_check(struct sl_sim *sim, struct verdict *v, bool append);

#endif
