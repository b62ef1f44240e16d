/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: making what was appended durable, for many logs at a time.
 *
 * Interface: commit_*() of segments_pvt.h, sl_log_sync(). One fiber of the core takes all dirty
 * logs, makes them durable together by a strategy of the table, and tells each log's order; the
 * next round gathers what came meanwhile. Before each sync the watermark of the one before it goes
 * into the segment's next slot, so that it costs no sync of its own; a log that falls quiet is
 * brought up to date a little later.
 *
 * Invariants: whoever writes slots or syncs the last segment holds log->sync, so that at most one
 * slot is ever not yet durable, and never the newest durable one; log->synced only rises, and only
 * after a sync that began after the bytes were written; a failed sync fails the log for good.
 *
 * Order of parts: strategies; where logs wait; one log; rounds; the fiber.
 */
#include <sluice/probe.h>

#include "segments_pvt.h"

/* ---- strategies ------------------------------------------------------------------------- */

const struct commit_strategy commit_strategies[COMMIT_LAST] = {
	[COMMIT_FSYNC] = {.name = "fsync", .commit = commit_by_fsync},
};

static_assert(SL_ARRAY_SIZE(commit_strategies) == COMMIT_LAST, "a row for each strategy");

/* ---- where logs wait -------------------------------------------------------------------- */

static struct sl_list *list_of(struct sl_logs *logs, enum log_queue q)
{
	switch (q) {
	case QUEUE_DIRTY:
		return &logs->dirty;
	case QUEUE_QUIET:
		return &logs->quiet;
	case QUEUE_LAZY:
		return &logs->lazy;
	case QUEUE_NONE:
		break;
	}
	return NULL;
}

static bool slot_is_behind(const struct sl_log *log)
{
	return log->slot_off != log->synced.off || log->slot_start != log->start;
}

static enum log_queue wanted(const struct sl_log *log)
{
	if (log->err || log->dead || log->closing || !log->logs->conf.background || log->sync.held)
		return QUEUE_NONE; /* who holds log->sync queues it afterwards */
	if (log->tail.off > log->synced.off) {
		bool lazy = log->conf.durability == SL_DURABILITY_NONE &&
			    log->tail.pos - log->synced.pos < LAZY_BYTES;

		return lazy ? QUEUE_LAZY : QUEUE_DIRTY;
	}
	return slot_is_behind(log) ? QUEUE_QUIET : QUEUE_NONE;
}

void commit_unqueue(struct sl_log *log)
{
	sl_list_remove(&log->commit_node);
	log->queue = QUEUE_NONE;
}

void commit_queue(struct sl_log *log)
{
	struct sl_logs *logs = log->logs;
	enum log_queue q = wanted(log);
	struct sl_list *list = list_of(logs, q);
	bool first;

	if (q == log->queue)
		return;
	commit_unqueue(log);
	if (!list)
		return;
	first = sl_list_empty(list);
	log->queue = q;
	log->due = sl_now() + (q == QUEUE_QUIET ? QUIET_NS : q == QUEUE_LAZY ? LAZY_NS : 0);
	sl_list_append(list, &log->commit_node);
	if (first)
		sl_waitq_wake_all(&logs->work, 0);
}

/* ---- one log ---------------------------------------------------------------------------- */

void commit_unlock(struct sl_log *log)
{
	sl_mutex_unlock(&log->sync);
	commit_queue(log);
}

int commit_slot(struct sl_log *log, const struct mark *m, uint64_t start, bool clean)
{
	struct seg_slot slot = {.seq = log->seq + 1, .mark = *m, .start = start, .clean = clean};
	struct segment *seg = log_last(log);
	uint8_t sector[SEG_SECTOR];
	int err;

	SL_ASSERT(log->sync.held && m->off <= log->synced.off);
	seg_slot_encode(&slot, seg->salt, sector);
	log->clean_on_disk = false;
	err = sl_write_all(seg->sf->file.fd, sector, sizeof(sector), seg_slot_at(slot.seq),
			   SL_NEVER);
	if (!err)
		log->seq = slot.seq;
	return err;
}

/* Writes the slot that the next sync takes along. Return: 0 or -errno (the log has failed). */
static int prepare(struct sl_log *log, struct commit_item *item)
{
	int err = 0;

	item->log = log;
	item->target = log->tail;
	item->slot_off = log->slot_off;
	item->slot_start = log->slot_start;
	if (!slot_is_behind(log))
		return 0;
	err = commit_slot(log, &log->synced, log->start, false);
	if (no_space(err))
		return 0; /* the old slot is as true as before */
	if (err)
		return log_fail(log, err);
	item->slot_off = log->synced.off;
	item->slot_start = log->start;
	return 0;
}

int commit_finish(struct sl_log *log, const struct mark *target, int res)
{
	SL_ASSERT(log->sync.held);
	if (res < 0)
		return log_fail(log, res);
	if (log->err)
		return log->err;
	SL_ASSERT(target->off >= log->synced.off);
	log->synced = *target;
	if (target->off > log->readable.off)
		log->readable = *target;
	if (target->off > log->order.durable)
		sl_order_advance(&log->order, target->off);
	return 0;
}

static int finish_item(struct commit_item *item, int res)
{
	struct sl_log *log = item->log;

	if (res >= 0) {
		log->slot_off = item->slot_off;
		log->slot_start = item->slot_start;
	}
	return commit_finish(log, &item->target, res);
}

static void count_sync(struct sl_core *core, int64_t ns)
{
	SL_PROBE1(commit, ns);
	if (core)
		sl_metric_record(sl_core_metrics(core), SL_M_COMMIT_FSYNC_TIME, (uint64_t)ns);
}

int commit_locked(struct sl_log *log, enum sl_fault fault)
{
	struct commit_item item;
	int64_t began;
	int err = log->err ? log->err : prepare(log, &item);

	if (err)
		return err;
	began = sl_clock_ns();
	err = sl_fsync(log_last(log)->sf->file.fd, true, fault, SL_NEVER);
	count_sync(log->home, sl_clock_ns() - began);
	return finish_item(&item, err);
}

int commit_now(struct sl_log *log, bool force, int64_t deadline)
{
	uint64_t end = log->tail.off;
	int err = sl_mutex_lock(&log->sync, deadline);

	if (err)
		return err;
	if (log->err)
		err = log->err;
	else if (force || log->synced.off < end)
		err = commit_locked(log, SL_FAULT(SYNC_COMMIT));
	commit_unlock(log);
	return err;
}

int sl_log_sync(struct sl_log *log, int64_t deadline)
{
	int err = log_enter(log);

	if (err)
		return err;
	err = commit_now(log, false, deadline);
	log_leave(log);
	return err;
}

/* ---- rounds ----------------------------------------------------------------------------- */

int commit_round_new(struct commit_round **ret_round)
{
	struct commit_round *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*ret_round = r;
	return 0;
}

/* More than this are taken in several rounds. */
enum { ROUND_MAX = 1024 };

int commit_round_grow(struct commit_round *r, uint32_t logs)
{
	uint32_t cap = r->cap ? r->cap * 2 : 16;
	struct commit_item *items;
	struct sl_io **ios;

	/* Not while a round is on its way: its operations lie in the old memory. */
	if (logs <= r->cap || r->cap >= ROUND_MAX || r->n)
		return 0;
	items = calloc(cap, sizeof(*items));
	ios = calloc(cap, sizeof(*ios));
	if (!items || !ios) {
		free(items);
		free(ios);
		return -ENOMEM;
	}
	free(r->items);
	free(r->ios);
	*r = (struct commit_round){.items = items, .ios = ios, .cap = cap};
	return 0;
}

void commit_round_free(struct commit_round *r)
{
	if (!r)
		return;
	free(r->items);
	free(r->ios);
	free(r);
}

static void gather(struct sl_logs *logs, struct commit_round *r)
{
	struct sl_list *n;

	while (r->n < r->cap && (n = sl_list_pop(&logs->dirty))) {
		struct sl_log *log = sl_list_entry(n, struct sl_log, commit_node);

		log->queue = QUEUE_NONE;
		if (log->sync.held || sl_mutex_lock(&log->sync, 0))
			continue;
		if (prepare(log, &r->items[r->n])) {
			commit_unlock(log);
			continue;
		}
		log->users++;
		r->n++;
	}
}

static void run_round(struct sl_logs *logs)
{
	struct commit_round *r = logs->round;
	int64_t began = sl_clock_ns();

	gather(logs, r);
	if (!r->n)
		return;
	commit_strategies[COMMIT_FSYNC].commit(r, SL_NEVER);
	count_sync(logs->home, sl_clock_ns() - began);
	for (uint32_t i = 0; i < r->n; i++) {
		struct sl_log *log = r->items[i].log;

		finish_item(&r->items[i], r->items[i].io.res);
		commit_unlock(log);
		log_leave(log);
	}
	if (logs->home) {
		sl_metric_add(sl_core_metrics(logs->home), SL_M_COMMIT_ROUNDS, 1);
		sl_metric_add(sl_core_metrics(logs->home), SL_M_COMMIT_LOGS, r->n);
	}
	r->n = 0;
}

/* ---- the fiber -------------------------------------------------------------------------- */

/* Makes the logs of @from that are due dirty. Return: when the next one is. */
static int64_t promote(struct sl_logs *logs, struct sl_list *from, int64_t now)
{
	struct sl_log *log;

	while ((log = sl_list_first(from, struct sl_log, commit_node))) {
		if (log->due > now)
			return log->due;
		commit_unqueue(log);
		log->queue = QUEUE_DIRTY;
		sl_list_append(&logs->dirty, &log->commit_node);
	}
	return SL_NEVER;
}

void commit_fiber(void *arg)
{
	struct sl_logs *logs = arg;

	while (!logs->stop) {
		int64_t now = sl_now();
		int64_t quiet = promote(logs, &logs->quiet, now);
		int64_t lazy = promote(logs, &logs->lazy, now);

		if (sl_list_empty(&logs->dirty))
			sl_waitq_wait(&logs->work, sl_min(quiet, lazy));
		else
			run_round(logs);
	}
	logs->fibers--;
	sl_waitq_wake_all(&logs->ended, 0);
}
