/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts, for crash suites: a workload on the simulated disk runs once for each of its mutating
 * operations, with the power cut in the middle of that; each such disk is turned on with several
 * outcomes, and the suite says what is owed then.
 *
 *	static const struct cuts suite = {.world_bytes = sizeof(struct world), ...};
 *
 *	EXPECT_EQ(0, cuts_try(&suite, seed));
 *	struct cuts c = suite;			// the test of the tests
 *	c.skip = SL_FAULT(SYNC_INDEX);
 *	EXPECT_LT(0, cuts_try(&c, 99));
 */
#ifndef TESTS_URING_CUTS_H
#define TESTS_URING_CUTS_H

#include "uring/sim.h"

/**
 * struct cuts - a suite.
 * @world_bytes: what @begin fills: a workload at its beginning, and its model. It returns the new
 *	disk, which the suite need not free.
 * @work: until it ends or fails.
 * @check: what is owed to @world by @disk, on which the power is on again; @policy and @seed
 *	decided what is left of it. It frees @disk. @ret_wrong is "" when called.
 * @restart: may be NULL; starts and stops on a disk: each fourth time the power goes again in that,
 *	before @check.
 * @how: the suite's own, for @begin.
 * @policies: the outcomes. @delay: see sl_sim_delay(). @step: the power goes in each one of so many
 *	operations (0: in all). @skip: syncs that do nothing, and are to be missed.
 */
struct cuts {
	size_t world_bytes;
	struct sl_sim *(*begin)(void *world, uint64_t seed, const void *how);
	void (*work)(void *world);
	void (*check)(void *world, struct sl_sim *disk, uint64_t seed, enum sl_sim_policy policy,
		      char *ret_wrong, size_t len);
	void (*restart)(struct sl_sim *disk);
	const void *how;
	const enum sl_sim_policy *policies;
	uint32_t policies_n;
	uint32_t delay, step;
	enum sl_fault skip;
};

/**
 * cuts_try() - cut, and check. Of all cuts it does harness_work_part(): one thread does everything.
 * Return: cuts with an outcome in which something is wrong, each of them logged. With @c->skip: as
 *	many as it took to find the first, 0 or 1.
 */
int cuts_try(const struct cuts *c, uint64_t seed);

/* Expects that each of @points was reached on @sim: a sync that never comes cannot be missed. */
void cuts_expect_syncs(struct sl_sim *sim, const enum sl_fault *points, size_t n);

#endif
