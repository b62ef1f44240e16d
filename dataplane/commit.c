/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: who waits for which point of a log's order, and who is told.
 *
 * Interface: commit.h. Invariants: pending commits wait for points above order->durable and rise
 * from first to last; each is told once; a lost order tells everybody who comes later, too.
 */
#include <errno.h>

#include "commit.h"

void sl_order_init(struct sl_order *order, uint64_t durable)
{
	sl_list_init(&order->pending);
	order->durable = durable;
	order->lost = 0;
}

static void arrived(struct sl_msg *msg)
{
	struct sl_commit *c = sl_container_of(msg, struct sl_commit, msg);

	c->done(c);
}

static void tell(struct sl_commit *c, int res)
{
	sl_list_remove(&c->node);
	c->res = res;
	if (c->core == sl_core_self()) {
		c->done(c);
		return;
	}
	c->msg.fn = arrived;
	sl_post(c->core, &c->msg);
}

bool sl_order_add(struct sl_order *order, struct sl_commit *commit, uint64_t point)
{
	struct sl_list *at;

	SL_ASSERT(commit->done && commit->core);
	sl_list_init(&commit->node);
	commit->point = point;
	commit->res = 0;
	if (point <= order->durable)
		return true;
	if (order->lost) {
		commit->res = order->lost;
		return true;
	}
	/* Nearly always the last: walk from the end. */
	for (at = order->pending.prev; at != &order->pending; at = at->prev)
		if (sl_list_entry(at, struct sl_commit, node)->point <= point)
			break;
	sl_list_push(at, &commit->node);
	return false;
}

void sl_order_cancel(struct sl_order *order, struct sl_commit *commit)
{
	(void)order;
	sl_list_remove(&commit->node);
}

void sl_order_advance(struct sl_order *order, uint64_t durable)
{
	struct sl_commit *c;

	SL_ASSERT(durable >= order->durable);
	order->durable = durable;
	while ((c = sl_list_first(&order->pending, struct sl_commit, node)) && c->point <= durable)
		tell(c, 0);
}

void sl_order_fail(struct sl_order *order, int err)
{
	struct sl_commit *c;

	SL_ASSERT(err < 0);
	if (!order->lost)
		order->lost = err;
	while ((c = sl_list_first(&order->pending, struct sl_commit, node)))
		tell(c, order->lost);
}

struct parked {
	struct sl_commit commit;
	struct sl_fiber *fiber;
};

static void wake_parked(struct sl_commit *commit)
{
	sl_fiber_wake(sl_container_of(commit, struct parked, commit)->fiber, commit->res);
}

int sl_order_wait(struct sl_order *order, uint64_t point, int64_t deadline)
{
	struct parked p = {
		.commit = {.core = sl_core_self(), .done = wake_parked},
		.fiber = sl_fiber_self(),
	};
	int res;

	if (sl_order_add(order, &p.commit, point))
		return p.commit.res;
	SL_ASSERT(p.fiber);
	res = sl_fiber_park(deadline);
	sl_order_cancel(order, &p.commit); /* the deadline came first, or it is off the list */
	return res;
}
