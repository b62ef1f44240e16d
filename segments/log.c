/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: their making, opening and closing, what is common to those of a core, and what is known
 * of one without asking the disk.
 *
 * Interface: sl_logs_*(), sl_log_create() to sl_log_home(); "logs" of segments_pvt.h. Invariants:
 * a log is freed when nobody uses it (users == 0); the calls that may park hold it meanwhile.
 *
 * Order of parts: the logs of a core; holding; events and failure; creating; opening; closing;
 * limits; what is known.
 */
#include "segments_pvt.h"

/* ---- the logs of a core ----------------------------------------------------------------- */

static void (*const fibers[])(void *arg) = {commit_fiber, retain_fiber, scrub_fiber};

int sl_logs_new(const struct sl_logs_conf *conf, struct sl_logs **ret_logs)
{
	struct sl_logs *logs = calloc(1, sizeof(*logs));
	int err = -ENOMEM;

	if (!logs)
		return -ENOMEM;
	logs->conf = *conf;
	logs->home = sl_core_self();
	sl_list_init(&logs->all);
	sl_list_init(&logs->dirty);
	sl_list_init(&logs->quiet);
	sl_list_init(&logs->lazy);
	sl_list_init(&logs->lru);
	sl_waitq_init(&logs->work);
	sl_waitq_init(&logs->pause);
	sl_waitq_init(&logs->ended);
	if (commit_round_new(&logs->round))
		goto out_free;
	SL_ASSERT(!conf->background || logs->home);
	for (size_t i = 0; conf->background && i < SL_ARRAY_SIZE(fibers); i++) {
		err = sl_fiber_start(SL_STACK_SMALL, fibers[i], logs);
		if (err)
			goto out_fibers;
		logs->fibers++;
	}
	*ret_logs = logs;
	return 0;
out_fibers:
	sl_logs_free(logs, SL_NEVER);
	return err;
out_free:
	free(logs);
	return err;
}

void sl_logs_free(struct sl_logs *logs, int64_t deadline)
{
	if (!logs)
		return;
	SL_ASSERT(sl_list_empty(&logs->all));
	logs->stop = true;
	sl_waitq_wake_all(&logs->work, 0);
	sl_waitq_wake_all(&logs->pause, 0);
	/* Its fibers and abandoned logs use it: past the deadline it is left to them. */
	while (logs->fibers || logs->logs)
		if (sl_waitq_wait(&logs->ended, deadline) == -ETIME)
			return;
	commit_round_free(logs->round);
	free(logs);
}

/* ---- holding ---------------------------------------------------------------------------- */

static void log_free(struct sl_log *log)
{
	struct sl_logs *logs = log->logs;

	SL_ASSERT(!log->users && log->queue == QUEUE_NONE && sl_list_empty(&log->order.pending));
	for (uint32_t i = 0; i < log->n_segs; i++)
		seg_free(log, log->segs[i]);
	free(log->segs);
	free(log->bads.v);
	sl_close(log->dir);
	sl_list_remove(&log->node);
	if (log->err)
		log_count(log, SL_M_LOG_FAILED, (uint64_t)-1);
	free(log->name);
	free(log);
	logs->logs--;
	sl_waitq_wake_all(&logs->ended, 0);
}

int log_enter(struct sl_log *log)
{
	SL_ON_CORE(log->home);
	if (log->closing || log->dead)
		return -ESHUTDOWN;
	log->users++;
	return 0;
}

void log_leave(struct sl_log *log)
{
	SL_ASSERT(log->users > 0);
	if (--log->users)
		return;
	if (log->dead)
		log_free(log);
	else
		sl_waitq_wake_all(&log->drained, 0);
}

/* ---- events and failure ----------------------------------------------------------------- */

void log_event(struct sl_log *log, enum sl_log_event event, int64_t a, int64_t b)
{
	const struct sl_logs_conf *conf = &log->logs->conf;

	if (conf->event)
		conf->event(conf->arg, log->name, event, a, b);
}

void log_count(struct sl_log *log, enum sl_metric_id id, uint64_t n)
{
	if (log->home)
		sl_metric_add(sl_core_metrics(log->home), id, n);
}

int log_fail(struct sl_log *log, int err)
{
	SL_ASSERT(err < 0);
	if (log->err)
		return err;
	log->err = err;
	/* With durability none more was readable than is known to be on the disk. */
	if (log->readable.off > log->synced.off)
		log->readable = log->synced;
	commit_unqueue(log);
	log_count(log, SL_M_LOG_FAILED, 1);
	log_event(log, SL_LOG_FAILED, err, 0);
	sl_order_fail(&log->order, err);
	return err;
}

/* ---- creating --------------------------------------------------------------------------- */

int sl_log_create(int dir, const char *path, const struct sl_log_kind *kind, int64_t deadline)
{
	struct seg_header h = {.kind = kind->id, .created_ms = sl_wall_clock_ns() / SL_MSEC};
	struct seg_slot slot = {
		.seq = 1,
		.mark = {.pos = SEG_DATA, .time_max = -1, .log_time_max = -1},
		.clean = true,
	};
	int folder, fd;

	SL_ASSERT(kind->header_bytes <= SEG_HEADER_MAX);
	folder = sl_open(dir, path, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (folder < 0)
		return folder;
	sl_random(&h.salt, sizeof(h.salt));
	fd = seg_create(folder, &h, &slot, deadline);
	sl_close(fd);
	sl_close(folder);
	return fd < 0 ? fd : 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

int log_add_segment(struct sl_log *log, struct segment *seg)
{
	SL_ASSERT(!log->n_segs || log_last(log)->base < seg->base);
	if (log->n_segs == log->cap_segs) {
		uint32_t cap = log->cap_segs ? log->cap_segs * 2 : 4;
		struct segment **bigger = realloc(log->segs, cap * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		log->segs = bigger;
		log->cap_segs = cap;
	}
	log->segs[log->n_segs++] = seg;
	return 0;
}

static struct sl_log *log_new(struct sl_logs *logs, const char *name,
			      const struct sl_log_kind *kind, const struct sl_log_conf *conf)
{
	struct sl_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->name = strdup(name);
	if (!log->name) {
		free(log);
		return NULL;
	}
	log->logs = logs;
	log->home = logs->home;
	log->kind = kind;
	log->dir = -1;
	sl_list_init(&log->node);
	sl_list_init(&log->tail_waiters);
	sl_list_init(&log->commit_node);
	sl_mutex_init(&log->sync);
	sl_mutex_init(&log->load);
	sl_waitq_init(&log->taken);
	sl_waitq_init(&log->drained);
	sl_order_init(&log->order, 0);
	sl_log_configure(log, conf);
	log->reserve_step = PREALLOCATE_MIN;
	logs->logs++;
	return log;
}

int sl_log_open(struct sl_logs *logs, int dir, const char *path, const char *name,
		const struct sl_log_kind *kind, const struct sl_log_conf *conf,
		struct sl_log **ret_log, int64_t deadline)
{
	struct sl_log *log;
	int err;

	SL_ASSERT(kind->header_bytes > 0 && kind->header_bytes <= SEG_HEADER_MAX);
	SL_ON_CORE(logs->home);
	err = commit_round_grow(logs->round, logs->logs + 1);
	if (err)
		return err;
	log = log_new(logs, name, kind, conf);
	if (!log)
		return -ENOMEM;
	log->dir = sl_open_now(dir, path, O_RDONLY | O_DIRECTORY, 0);
	err = log->dir < 0 ? log->dir : log_recover(log, deadline);
	if (err) {
		log_free(log);
		return err;
	}
	sl_order_init(&log->order, log->readable.off);
	sl_list_append(&logs->all, &log->node);
	commit_queue(log);
	*ret_log = log;
	return 0;
}

/* ---- closing ---------------------------------------------------------------------------- */

/* A small segment's index is found again faster than a file is made durable. */
#define INDEX_WORTH_BYTES (2 * SL_MIB)

/* Leaves the segment so that opening it needs no look at its batches. */
static int mark_clean(struct sl_log *log, int64_t deadline)
{
	struct segment *seg = log_last(log);
	int err;

	while (log->saving)
		if (sl_waitq_wait(&log->drained, deadline) == -ETIME)
			return -ETIME;
	if (log->clean_on_disk && log->slot_off == log->tail.off && log->slot_start == log->start)
		return 0;
	err = commit_now(log, false, deadline);
	if (err)
		return err;
	if (!seg->sealed && seg->index.from == SEG_DATA && log->tail.pos > INDEX_WORTH_BYTES)
		index_save(log, seg, &log->tail, deadline);
	err = sl_mutex_lock(&log->sync, deadline);
	if (err)
		return err;
	if (!seg->sealed)
		reserve_trim(log, seg->sf, log->tail.pos, deadline);
	err = commit_slot(log, &log->synced, log->start, true);
	if (!err)
		err = sl_fsync(seg->sf->file.fd, false, SL_FAULT(SYNC_CLOSE), SL_NEVER);
	commit_unlock(log);
	return err;
}

/* The end of closing and abandoning: the last who uses it frees it. */
static void leave_for_good(struct sl_log *log)
{
	commit_unqueue(log);
	sl_list_remove(&log->node);
	sl_order_fail(&log->order, -ESHUTDOWN);
	if (log->users)
		log->dead = true;
	else
		log_free(log);
}

int sl_log_close(struct sl_log *log, int64_t deadline)
{
	int err = log_enter(log);

	if (err)
		return err;
	log->closing = true;
	/* The tail is taken from whoever holds it, so that nothing comes after the mark. */
	err = tail_take(log, deadline);
	if (!err) {
		err = log->err ? log->err : mark_clean(log, deadline);
		tail_give(log);
	}
	log->users--;
	while (log->users && !err)
		err = sl_waitq_wait(&log->drained, deadline);
	leave_for_good(log);
	return err;
}

void sl_log_abandon(struct sl_log *log)
{
	SL_ON_CORE(log->home);
	SL_ASSERT(!log->dead && !log->closing);
	log->closing = true;
	leave_for_good(log);
}

/* ---- limits ----------------------------------------------------------------------------- */

void sl_log_configure(struct sl_log *log, const struct sl_log_conf *conf)
{
	struct sl_log_conf *c = &log->conf;

	*c = *conf;
	if (!c->segment_bytes || c->segment_bytes > SEG_BYTES_MAX)
		c->segment_bytes = SEG_BYTES_MAX;
	if (!c->index_interval_bytes)
		c->index_interval_bytes = INDEX_INTERVAL;
	if (!c->preallocate_bytes)
		c->preallocate_bytes = PREALLOCATE_MAX;
	if (log->n_segs)
		commit_queue(log);
}

/* ---- what is known ---------------------------------------------------------------------- */

uint64_t sl_log_start(const struct sl_log *log)
{
	return log->start;
}

uint64_t sl_log_durable(const struct sl_log *log)
{
	return log->readable.off;
}

uint64_t sl_log_end(const struct sl_log *log)
{
	return log->tail.off;
}

uint64_t sl_log_bytes(const struct sl_log *log)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < log->n_segs; i++)
		bytes += log->segs[i]->bytes;
	return bytes;
}

int64_t sl_log_time_max(const struct sl_log *log, uint64_t *ret_base)
{
	if (log->readable.log_time_max >= 0 && ret_base)
		*ret_base = log->readable.log_time_base;
	return log->readable.log_time_max;
}

bool sl_log_was_clean(const struct sl_log *log)
{
	return log->was_clean;
}

uint32_t sl_log_epoch(const struct sl_log *log)
{
	return log->tail.epoch;
}

int sl_log_failed(const struct sl_log *log)
{
	return log->err;
}

struct sl_order *sl_log_order(struct sl_log *log)
{
	return &log->order;
}

struct sl_core *sl_log_home(const struct sl_log *log)
{
	return log->home;
}

uint32_t log_find_segment(const struct sl_log *log, uint64_t offset)
{
	uint32_t lo = 0, hi = log->n_segs;

	SL_ASSERT(log->n_segs > 0);
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (log->segs[mid]->base <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}
