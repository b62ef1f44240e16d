/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailboxes: how a core hears from the others.
 *
 * Interface: sl_post(), sl_call(); mailbox_*() for the core loop. A message is pushed onto a
 * lock-free list that its owner takes whole. Invariant: a message that is pushed while the owner
 * sleeps, or makes up its mind to, wakes it: the owner announces sleep before it looks a last
 * time, and the sender looks at the announcement after it pushed.
 *
 * Order of parts: messages; calls.
 */
#include <errno.h>

#include "core_pvt.h"

/* ---- messages --------------------------------------------------------------------------- */

void sl_post(struct sl_core *to, struct sl_msg *msg)
{
	struct mailbox *m = &to->mailbox;
	struct sl_core *from = sl_core_self();
	struct sl_msg *head = __atomic_load_n(&m->head, __ATOMIC_RELAXED);

	SL_ASSERT(msg->fn);
	do
		msg->next = head;
	while (!__atomic_compare_exchange_n(&m->head, &head, msg, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
	if (from == to || !__atomic_load_n(&m->sleeping, __ATOMIC_SEQ_CST))
		return;
	if (!__atomic_exchange_n(&m->sleeping, 0, __ATOMIC_SEQ_CST))
		return; /* somebody else does it */
	if (!from || sl_ring_wake(from->ring, to->ring))
		sl_ring_wake_from_outside(to->ring);
}

bool mailbox_empty(const struct mailbox *m)
{
	return !__atomic_load_n(&m->head, __ATOMIC_SEQ_CST);
}

int mailbox_run(struct mailbox *m)
{
	struct sl_msg *in_order = NULL;
	struct sl_msg *msg;
	int n = 0;

	if (mailbox_empty(m))
		return 0;
	msg = __atomic_exchange_n(&m->head, NULL, __ATOMIC_ACQUIRE);
	while (msg) {
		struct sl_msg *next = msg->next;

		msg->next = in_order;
		in_order = msg;
		msg = next;
	}
	while ((msg = in_order)) {
		in_order = msg->next;
		msg->fn(msg);
		n++;
	}
	return n;
}

/* ---- calls ------------------------------------------------------------------------------ */

/* Lies on the caller's stack, who is parked until it has come back. */
struct call {
	struct sl_msg msg;
	int (*fn)(void *arg, int64_t deadline);
	void *arg;
	int64_t deadline;
	struct sl_core *from;
	struct sl_fiber *caller;
	int res;
};

static void call_returned(struct sl_msg *msg)
{
	struct call *c = sl_container_of(msg, struct call, msg);

	sl_fiber_wake(c->caller, c->res);
}

static void call_return(struct call *c, int res)
{
	c->res = res;
	c->msg.fn = call_returned;
	sl_post(c->from, &c->msg);
}

static void call_run(void *arg)
{
	struct call *c = arg;

	call_return(c, c->fn(c->arg, c->deadline));
}

static void call_arrived(struct sl_msg *msg)
{
	struct call *c = sl_container_of(msg, struct call, msg);

	if (sl_fiber_start(SL_STACK_SMALL, call_run, c))
		call_return(c, -ENOMEM);
}

int sl_call(struct sl_core *to, int (*fn)(void *arg, int64_t deadline), void *arg,
	    int64_t deadline)
{
	struct call c = {
		.msg.fn = call_arrived,
		.fn = fn,
		.arg = arg,
		.deadline = deadline,
		.from = sl_core_self(),
		.caller = sl_fiber_self(),
	};

	if (to == c.from)
		return fn(arg, deadline);
	SL_ASSERT(c.caller);
	sl_metric_add(c.from->metrics, SL_M_CORE_CALLS, 1);
	sl_post(to, &c.msg);
	return sl_fiber_park(SL_NEVER);
}
