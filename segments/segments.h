/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: bytes at rest. Partition logs made of append-only checksummed segment files, with
 * group commit, recovery, quarantine, retention and scrub (docs/format.md says how they lie on
 * disk, docs/design.md "Bytes at rest" why).
 *
 * A log is a sequence of batches; a batch is one or more records with consecutive offsets, framed
 * and checksummed as its kind says, and stored as the wire had it but for its placing (base offset
 * and epoch). A log lives on its home core, the one that opened it: unless a call says otherwise,
 * it is to be called there, in a fiber, or by an offline tool on a thread without a core.
 *
 * This layer never logs: what the operator must hear goes to struct sl_logs_conf's event().
 *
 * Order of parts: kinds; the logs of a core; logs; appending; reading; keeping.
 */
#ifndef SEGMENTS_SEGMENTS_H
#define SEGMENTS_SEGMENTS_H

#include "dataplane/dataplane.h"

/* ---- kinds ------------------------------------------------------------------------------ */

/**
 * struct sl_frame - what a batch's header says of it.
 * @base: offset of its first record. @records: offsets that it takes, > 0. @epoch: of its placing.
 * @bytes: of the whole batch, header included. @time_max: largest timestamp, ms since 1970, or -1.
 * @sum: the checksum that the bytes from @sum_from to the end must have.
 */
struct sl_frame {
	uint64_t base;
	uint64_t bytes;
	int64_t time_max;
	uint32_t records;
	uint32_t epoch;
	uint32_t sum;
	uint32_t sum_from;
};

/**
 * struct sl_log_kind - how the batches of a kind of log are framed; a const table of the store.
 * @id: written into every segment; a log opened with another kind is refused.
 * @header_bytes: how much frame() and place() look at, <= 256.
 * @frame: reads a header; -EBADMSG if these bytes cannot be one.
 * @place: writes base offset and epoch into a header; these bytes are outside the checksum.
 * @unplace: makes a header that frame() refuses or whose placing never fits a log, for batches
 *	written before they are known to be whole.
 * @sum: continues the checksum @sum (0 at first) over @len bytes at @p.
 */
struct sl_log_kind {
	const char *name;
	uint16_t id;
	uint16_t header_bytes;
	int (*frame)(const uint8_t *header, struct sl_frame *ret_frame);
	void (*place)(uint8_t *header, uint64_t base, uint32_t epoch);
	void (*unplace)(uint8_t *header);
	uint32_t (*sum)(uint32_t sum, const void *p, size_t len);
};

/* For kinds whose sum it is: continues the CRC32C @crc (0 at first) over @len bytes. */
uint32_t sl_crc32c(uint32_t crc, const void *p, size_t len);

/* ---- the logs of a core ----------------------------------------------------------------- */

/* enum sl_durability, when an append is acknowledged, is dataplane/conf.h's. */

/* What the operator must hear of. */
enum sl_log_event {
	SL_LOG_TORN_TAIL,   /* a: bytes cut off, b: offset at which the log now ends */
	SL_LOG_QUARANTINED, /* a: first offset, b: offsets that can no longer be read */
	SL_LOG_FAILED,	    /* a: -errno; the log refuses everything above its durable tail */
	SL_LOG_FULL,	    /* a: bytes asked for; the disk is full, appends are refused */
	SL_LOG_INDEX,	    /* a: base offset of the segment whose index was rebuilt */
	SL_LOG_DELETED,	    /* a: base offset of the segment that retention removed */
	SL_LOG_EVENT_LAST
};

struct sl_log;

/**
 * struct sl_logs_conf - what the logs of one core have in common.
 * @event: may be NULL. Called on the core, must not park; @name is the log's name.
 * @scrub_bytes_per_s: pace of the background scrub (0: none).
 * @scrub_rest_ns: between two looks of it at everything (0: an hour).
 * @refused: NULL, or while it points to something other than 0, appends end with that -errno and
 *	nothing else changes. Another thread may change it.
 * @background: start the committer's, retention's and scrub's fibers (a daemon's core); without,
 *	commits happen in sl_log_sync() and by each append's own sync (tools, some tests).
 */
struct sl_logs_conf {
	void (*event)(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b);
	void *arg;
	uint64_t scrub_bytes_per_s;
	int64_t scrub_rest_ns;
	int64_t retention_check_ns;
	const int *refused;
	bool background;
};

struct sl_logs;

int sl_logs_new(const struct sl_logs_conf *conf, struct sl_logs **ret_logs);

/* Ends its fibers and frees it; every log must be closed. Accepts NULL. Parks. */
void sl_logs_free(struct sl_logs *logs, int64_t deadline);

/* ---- logs ------------------------------------------------------------------------------- */

/* Of one log; zero fields of size and time mean no limit where that makes sense. */
struct sl_log_conf {
	enum sl_durability durability;
	uint64_t segment_bytes;
	int64_t segment_ms;
	uint64_t retention_bytes;
	int64_t retention_ms;
	uint32_t index_interval_bytes; /* 0: 64 KiB */
	uint32_t preallocate_bytes;    /* largest step; 0: 16 MiB */
	uint32_t epoch;		       /* that batches appended now are placed with */
};

/**
 * sl_log_create() - make an empty log in the existing folder @path of @dir, durable on return
 * (but for @path's own name, which the caller syncs).
 */
int sl_log_create(int dir, const char *path, const struct sl_log_kind *kind, int64_t deadline);

/**
 * sl_log_open() - open the log in folder @path of @dir and recover it: cut a torn tail, check
 * what was not known to be durable, rebuild what indexes are missing or wrong. Cheap after a clean
 * close. @name: for events, copied.
 * Return: 0; -EPROTONOSUPPORT: written by a newer sluice; -EBADMSG: not a log of this kind, or the
 * header of its last segment is destroyed; -errno of the disk.
 */
int sl_log_open(struct sl_logs *logs, int dir, const char *path, const char *name,
		const struct sl_log_kind *kind, const struct sl_log_conf *conf,
		struct sl_log **ret_log, int64_t deadline);

/* Syncs, marks as cleanly closed and frees. Extents that are still held stay readable. */
int sl_log_close(struct sl_log *log, int64_t deadline);

/* Frees the log and its memory; its files are left to the caller to remove (sl_remove_tree()). */
void sl_log_abandon(struct sl_log *log);

/* Takes new limits; kind and folder stay. */
void sl_log_configure(struct sl_log *log, const struct sl_log_conf *conf);

/* First offset kept; end of what may be read and was acknowledged; end of what was appended. */
uint64_t sl_log_start(const struct sl_log *log);
uint64_t sl_log_durable(const struct sl_log *log);
uint64_t sl_log_end(const struct sl_log *log);

/* Bytes of all segments; largest timestamp of what may be read, with its batch's base, or -1. */
uint64_t sl_log_bytes(const struct sl_log *log);
int64_t sl_log_time_max(const struct sl_log *log, uint64_t *ret_base);

/*
 * Whether it was cleanly closed before it was opened (else whoever places batches must raise the
 * epoch), and the epoch of its last batch; batches are never placed with a lower one.
 */
bool sl_log_was_clean(const struct sl_log *log);
uint32_t sl_log_epoch(const struct sl_log *log);

/* 0, or the -errno because of which it is in the failed state. */
int sl_log_failed(const struct sl_log *log);

/* The order of its commits: a commit's point is an offset, durable when sl_log_durable() >= it. */
struct sl_order *sl_log_order(struct sl_log *log);

struct sl_core *sl_log_home(const struct sl_log *log);

/* ---- appending -------------------------------------------------------------------------- */

/**
 * sl_log_append() - append one whole, verified batch that lies in memory.
 * @iov, @n: its bytes; iov[0] holds the header at least, writable, which is placed here.
 * @frame: from kind->frame(), already checked against the bytes.
 * @commit: NULL, or told when the batch is durable (core and done set by the caller).
 * @ret_base: the offset of its first record.
 * Parks while another append is in progress, to roll a segment, and to write; concurrent appends
 * take offsets in the order in which they came.
 * Return: 0, commit's done() will come; 1: decided already, commit->res is set; -ENOSPC, -EIO and
 * the like: nothing was appended, done() will not come; -ETIME.
 */
int sl_log_append(struct sl_log *log, struct iovec *iov, int n, const struct sl_frame *frame,
		  struct sl_commit *commit, uint64_t *ret_base, int64_t deadline);

/**
 * struct sl_append - a batch on its way into the log in steps, so that no step leaves the
 * processor's cache: written behind the tail, invisible until sl_append_finish().
 *
 * It holds the tail only while it makes progress. If another append waits for longer than a few
 * ms, the log takes back the tail, keeping the bytes so far in memory (which a stalled sender must
 * pay for, not the others), and sl_append_finish() appends the batch as a whole.
 * May be used on any core; reserve, finish and abort go home by themselves.
 */
struct sl_append {
	struct sl_log *log;
	struct sl_frame frame;
	struct sl_list node;
	struct sl_core *core;
	struct sl_file *file;
	struct sl_append_kept *kept; /* the bytes, once the tail was taken back */
	uint64_t pos;		     /* in the file */
	uint64_t done;		     /* bytes written */
	int64_t began_at;
	int64_t progress_at;
	uint32_t state; /* who may write at the tail: decided between the cores (stream.c) */
	int err;
};

/* @header: kind->header_bytes of the batch, unplaced; @frame from it. Parks for the tail. */
int sl_log_reserve(struct sl_log *log, const struct sl_frame *frame, struct sl_append *ret_append,
		   int64_t deadline);

/* The next @len bytes; the first call's must hold the header, which is unplaced in place. */
int sl_append_write(struct sl_append *a, void *data, size_t len, int64_t deadline);

/* All bytes were written and verified by the caller: as sl_log_append(). Ends @a. */
int sl_append_finish(struct sl_append *a, struct sl_commit *commit, uint64_t *ret_base,
		     int64_t deadline);

/* Nothing of it stays. Ends @a. Does not fail; parks for the way home and back. */
void sl_append_abort(struct sl_append *a);

/* Begins another segment, unless the last one is empty: a trim deletes whole ones only. Return: 0;
 * -ENOSPC and the like; -ETIME. */
int sl_log_roll(struct sl_log *log, int64_t deadline);

/* Makes everything appended so far durable. Return: 0, the log's failure, or -ETIME. */
int sl_log_sync(struct sl_log *log, int64_t deadline);

/* ---- reading ---------------------------------------------------------------------------- */

/* Whole batches in one segment. base: offset of the first record of the first one; next: behind;
 * segment: that of the segment's first one. */
struct sl_span {
	struct sl_extent extent;
	uint64_t base, next, segment;
};

/**
 * sl_log_read() - locate stored batches for a reader; copies nothing.
 * @offset: first wanted record; the first batch may begin below it.
 * @bytes_max: limit over all spans; the first batch is returned even if it is larger.
 * @ret_spans, @n: room for n spans, filled in order; the file references in them are granted to
 *	the core @to (NULL: the caller's), which calls sl_file_held() for each and releases each.
 * Only what is durable is returned (order above).
 * Return: spans (0 at the durable end); -ERANGE before the start or behind the durable end;
 * -EBADMSG if the batch at @offset is quarantined; -errno.
 */
int sl_log_read(struct sl_log *log, uint64_t offset, uint64_t bytes_max, struct sl_core *to,
		struct sl_span *ret_spans, int n, int64_t deadline);

/* Opens the file of @segment (of a span) for direct reads, at the places that extents have. When it
 * goes it stays readable until its space is freed. Return: 0; -ENOENT; -errno. */
int sl_log_open_direct(struct sl_log *log, uint64_t segment, struct sl_direct **ret_file,
		       int64_t deadline);

/**
 * sl_log_find_time() - the first durable batch whose largest timestamp is at least @time_ms.
 * Return: 0; -ENOENT if there is none; -errno.
 */
int sl_log_find_time(struct sl_log *log, int64_t time_ms, struct sl_frame *ret_frame,
		     int64_t deadline);

/**
 * sl_log_each() - call @each(@arg, header, frame) for every batch from offset @from to the end of
 * the log, in order; a value other than 0 ends the walk and is returned. Quarantined batches are
 * passed over. Yields now and then.
 */
int sl_log_each(struct sl_log *log, uint64_t from,
		int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame),
		void *arg, int64_t deadline);

/* ---- keeping ---------------------------------------------------------------------------- */

/**
 * sl_log_trim() - raise the log's start to @start (no lower than now, no higher than the durable
 * end), durable on return; segments wholly below it are deleted.
 */
int sl_log_trim(struct sl_log *log, uint64_t start, int64_t deadline);

/* Deletes what retention by size and time allows at wall time @now_ms; never the active segment
 * unless it is rolled first. Return: segments deleted, or -errno. */
int sl_log_retain(struct sl_log *log, int64_t now_ms, int64_t deadline);

/**
 * sl_log_scrub() - verify the checksums of all durable batches from the disk, and quarantine what
 * does not verify. Return: batches found bad, or -errno.
 */
int sl_log_scrub(struct sl_log *log, int64_t deadline);

/**
 * struct sl_segment_info - one segment file, for offline tools (`sluice log dump`).
 */
struct sl_segment_info {
	char name[64];
	uint64_t base, next, bytes, durable_bytes, batches, bad;
	bool sealed, index_ok;
	int err; /* why it cannot be read further, or 0 */
};

/* Reads a segment file without a log being open and without changing anything. */
int sl_segment_inspect(int dir, const char *name, const struct sl_log_kind *kind,
		       int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame,
				   uint64_t pos, int err),
		       void *arg, struct sl_segment_info *ret_info);

#endif
