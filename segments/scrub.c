/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrub: looking from time to time at all that is stored, on the disk and not in the cache.
 *
 * Interface: sl_log_scrub(), scrub_fiber(). What is durable is dropped from the page cache before
 * it is read, at a pace that leaves the disk to others; what does not verify is quarantined.
 */
#include "segments_pvt.h"

/* Between the end of one look at everything and the next. */
#define REST_NS (3600 * SL_SEC)

static int scrub_segment(struct sl_log *log, struct segment *seg, uint64_t pace, const bool *stop,
			 int64_t deadline)
{
	struct exam x = {
		.pos = SEG_DATA,
		.off = seg->base,
		.scrub = true,
		.pace_bytes_per_s = pace,
		.stop = stop,
	};
	struct sl_io io;

	if (seg == log_last(log)) {
		/* Only what was synced is what the disk has to show. */
		x.limit = log->synced.pos;
		x.limit_off = log->synced.off;
	} else {
		seg_limits(log, seg, false, &x.limit, &x.limit_off);
	}
	/* Without a length: to the end. Pages in sockets or not yet written stay. */
	sl_io_fadvise(&io, seg->sf->file.fd, 0, 0, POSIX_FADV_DONTNEED);
	sl_await(&io, deadline);
	return seg_examine(log, seg, &x, deadline);
}

static int scrub(struct sl_log *log, uint64_t pace, const bool *stop, int64_t deadline)
{
	uint64_t from = log->start;
	int found = 0;

	while (from < log->synced.off && !(stop && *stop) && !log->closing) {
		struct segment *seg = log->segs[log_find_segment(log, from)];
		bool last = seg == log_last(log);
		int n = seg_use(log, seg, deadline);

		if (!n) {
			n = scrub_segment(log, seg, pace, stop, deadline);
			from = seg->next;
			seg_unpin(log, seg);
		}
		if (n == -ESTALE) {
			from = sl_max(from, log->start);
			continue;
		}
		if (n < 0)
			return n;
		found += n;
		if (last)
			break;
	}
	return found;
}

int sl_log_scrub(struct sl_log *log, int64_t deadline)
{
	int n = log_enter(log);

	if (n)
		return n;
	n = scrub(log, 0, NULL, deadline);
	log_leave(log);
	return n;
}

void scrub_fiber(void *arg)
{
	struct sl_logs *logs = arg;

	while (!logs->stop) {
		int64_t rest = logs->conf.scrub_rest_ns ? logs->conf.scrub_rest_ns : REST_NS;

		sl_waitq_wait(&logs->pause,
			      logs->conf.scrub_bytes_per_s ? sl_now() + rest : SL_NEVER);
		for (uint32_t left = logs->logs; left && !logs->stop; left--) {
			struct sl_log *log = sl_list_first(&logs->all, struct sl_log, node);

			if (!log)
				break;
			sl_list_remove(&log->node);
			sl_list_append(&logs->all, &log->node);
			if (log_enter(log))
				continue;
			scrub(log, logs->conf.scrub_bytes_per_s, &logs->stop, SL_NEVER);
			log_leave(log);
		}
	}
	logs->fibers--;
	sl_waitq_wake_all(&logs->ended, 0);
}
