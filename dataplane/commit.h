/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: points in a log's order for which replies wait until they are durable.
 *
 * An order belongs to one log and lives on that log's home core. A commit is a wait for one of
 * its points by a reply or a fiber of any core; the order tells it once, by a message to its
 * core: durable, or lost.
 */
#ifndef DATAPLANE_COMMIT_H
#define DATAPLANE_COMMIT_H

#include "core.h"

struct sl_order {
	struct sl_list pending; /* struct sl_commit, by rising point */
	uint64_t durable;	/* every point up to it survives a crash */
	int lost;		/* 0, or the -errno because of which nothing above durable will */
};

struct sl_commit {
	struct sl_msg msg; /* first: carries the news to its core */
	struct sl_list node;
	struct sl_core *core; /* whose thread done() is called on */
	uint64_t point;
	int res; /* 0, or -errno: what it waited for is lost */
	void (*done)(struct sl_commit *commit);
};

void sl_order_init(struct sl_order *order, uint64_t durable);

/**
 * sl_order_add() - tell @commit (core and done set) once @point is durable.
 * On the order's home core. Points need not rise from call to call.
 * Return: true if it is decided already: commit->res is set and done() is not called.
 */
bool sl_order_add(struct sl_order *order, struct sl_commit *commit, uint64_t point);

/**
 * sl_order_cancel() - @commit is no longer to be told. On the order's home core.
 * To a @commit of another core the news may be on its way already: its done() then comes before
 * the return of the sl_call() that cancelled it.
 */
void sl_order_cancel(struct sl_order *order, struct sl_commit *commit);

/* Everything up to @durable is durable: tells those who waited for it. */
void sl_order_advance(struct sl_order *order, uint64_t durable);

/* Nothing above order->durable will become durable: tells all who wait @err, now and later. */
void sl_order_fail(struct sl_order *order, int err);

/* Parks a fiber of the home core until @point is durable. Return: 0, the loss, or -ETIME. */
int sl_order_wait(struct sl_order *order, uint64_t point, int64_t deadline);

#endif
