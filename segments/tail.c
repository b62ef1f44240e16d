/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tail: who may write behind a log's end.
 *
 * Interface: tail_take(), tail_give(), tail_streams(). Invariants: at most one holds it; it goes to
 * who waited first; a streamed append that holds it without using it loses it to the first who
 * waits, whether that one came before or after the stream got it.
 */
#include "segments_pvt.h"

/* Lies on the waiting fiber's stack. */
struct tail_waiter {
	struct sl_list node;
	struct sl_waitq q;
	bool granted;
};

/* How often a waiter looks whether the stream before it still moves. */
#define LOOK_NS (2 * SL_MSEC)

static bool is_first(const struct sl_log *log, const struct tail_waiter *w)
{
	return log->tail_waiters.next == &w->node;
}

static int wait_turn(struct sl_log *log, struct tail_waiter *w, int64_t deadline)
{
	while (!w->granted) {
		int64_t until = deadline;

		if (log->stream)
			until = sl_min(deadline, sl_now() + LOOK_NS);
		sl_waitq_wait(&w->q, until);
		if (w->granted)
			break;
		if (is_first(log, w) && log->stream && stream_take_back(log))
			continue;
		if (sl_now() >= deadline && !w->granted)
			return -ETIME;
	}
	return 0;
}

int tail_take(struct sl_log *log, int64_t deadline)
{
	struct tail_waiter w = {0};
	int err;

	if (!log->tail_held) {
		SL_ASSERT(sl_list_empty(&log->tail_waiters));
		log->tail_held = true;
		return 0;
	}
	sl_waitq_init(&w.q);
	sl_list_append(&log->tail_waiters, &w.node);
	if (!sl_may_park()) {
		/* A tool has nobody else to wait for than its own stream. */
		stream_take_back(log);
		SL_ASSERT(w.granted);
		return 0;
	}
	err = wait_turn(log, &w, deadline);
	if (err)
		sl_list_remove(&w.node);
	return err;
}

void tail_give(struct sl_log *log)
{
	struct sl_list *n;
	struct tail_waiter *w;

	SL_ASSERT(log->tail_held && !log->stream);
	n = sl_list_pop(&log->tail_waiters);
	if (!n) {
		log->tail_held = false;
		return;
	}
	w = sl_list_entry(n, struct tail_waiter, node);
	w->granted = true;
	sl_waitq_wake_one(&w->q, 0);
}

void tail_streams(struct sl_log *log)
{
	struct tail_waiter *w = sl_list_first(&log->tail_waiters, struct tail_waiter, node);

	/* It waited for an append that would not stall: from now on it has to look. */
	if (w)
		sl_waitq_wake_one(&w->q, 0);
}
