/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streamed appends: a batch written behind the tail in steps, while it still arrives.
 *
 * Interface: sl_log_reserve(), sl_append_*(), stream_take_back(). The stream writes straight into
 * the last segment's file, from its own core, with an unplaced header, so that nothing of it can
 * pass for a batch before sl_append_finish() places it. If it stalls while others wait, the log
 * takes the tail back: the bytes so far go to memory, the file is cut, and the batch is appended
 * as a whole once it has come.
 *
 * Invariants: only who holds the tail writes behind it. The stream's core and the log's home agree
 * by a->state: the core makes it WRITING while it writes, home makes it TAKING only from HOLDING,
 * so that home never takes the tail during a write, and the core never begins one after.
 *
 * Order of parts: the state; bytes kept in memory; taking back; reserving; writing; ending.
 */
#include "segments_pvt.h"

/* ---- the state -------------------------------------------------------------------------- */

enum stream_state {
	STREAM_HOLDING, /* has the tail, does nothing at the moment */
	STREAM_WRITING, /* its core is in a write */
	STREAM_TAKING,	/* home is taking the tail back */
	STREAM_KEPT,	/* has lost the tail; the bytes are in memory */
};

static uint32_t state_of(const struct sl_append *a)
{
	return __atomic_load_n(&a->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct sl_append *a, enum stream_state state)
{
	__atomic_store_n(&a->state, state, __ATOMIC_RELEASE);
}

static bool change_state(struct sl_append *a, enum stream_state from, enum stream_state to)
{
	uint32_t expected = from;

	return __atomic_compare_exchange_n(&a->state, &expected, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* ---- bytes kept in memory --------------------------------------------------------------- */

enum { KEPT_CHUNK = 256 << 10 };

struct sl_append_kept {
	uint64_t bytes;
	uint32_t n, cap;
	struct sl_buf **chunks; /* all full but the last */
};

static void kept_free(struct sl_append_kept *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->n; i++)
		sl_buf_release(k->chunks[i]);
	free(k->chunks);
	free(k);
}

/* Room for @len more bytes in one piece, at most up to the end of a chunk. NULL: no memory. */
static uint8_t *kept_room(struct sl_append_kept *k, size_t *len)
{
	uint32_t used = (uint32_t)(k->bytes % KEPT_CHUNK);

	if (!used) {
		if (k->n == k->cap) {
			uint32_t cap = k->cap ? k->cap * 2 : 8;
			struct sl_buf **bigger = realloc(k->chunks, cap * sizeof(*bigger));

			if (!bigger)
				return NULL;
			k->chunks = bigger;
			k->cap = cap;
		}
		k->chunks[k->n] = sl_buf_new(KEPT_CHUNK);
		if (!k->chunks[k->n])
			return NULL;
		k->n++;
	}
	*len = sl_min(*len, (size_t)(KEPT_CHUNK - used));
	return k->chunks[k->n - 1]->data + used;
}

static int kept_add(struct sl_append_kept *k, const uint8_t *data, size_t len)
{
	while (len) {
		size_t part = len;
		uint8_t *to = kept_room(k, &part);

		if (!to)
			return -ENOBUFS;
		memcpy(to, data, part);
		k->bytes += part;
		data += part;
		len -= part;
	}
	return 0;
}

/* The first @bytes of @file behind @pos. */
static int kept_read(struct sl_append_kept *k, int fd, uint64_t pos, uint64_t bytes)
{
	while (k->bytes < bytes) {
		size_t part = (size_t)(bytes - k->bytes);
		uint8_t *to = kept_room(k, &part);
		int err;

		if (!to)
			return -ENOBUFS;
		err = sl_read_all(fd, to, part, pos + k->bytes, SL_NEVER);
		if (err)
			return err;
		k->bytes += part;
	}
	return 0;
}

/* ---- taking back ------------------------------------------------------------------------ */

/* A stream that others wait for must move on at least every so often, and this fast on average. */
#define STALL_NS (5 * SL_MSEC)
#define TRICKLE_NS (25 * SL_MSEC)
#define TRICKLE_BYTES_PER_S (64 * SL_MIB)

static bool stalls(const struct sl_append *a, int64_t now)
{
	int64_t progress = __atomic_load_n(&a->progress_at, __ATOMIC_RELAXED);
	uint64_t done = __atomic_load_n(&a->done, __ATOMIC_RELAXED);
	double held_s = (double)(now - a->began_at) / 1e9;

	if (now - progress >= STALL_NS)
		return true;
	return now - a->began_at >= TRICKLE_NS &&
	       (double)done < held_s * (double)TRICKLE_BYTES_PER_S;
}

bool stream_take_back(struct sl_log *log)
{
	struct sl_append *a = log->stream;
	struct sl_append_kept *k;
	int err = 0;

	SL_ASSERT(a && log->tail_held);
	if (sl_may_park() && !stalls(a, sl_now()))
		return false;
	if (!change_state(a, STREAM_HOLDING, STREAM_TAKING))
		return false;
	k = calloc(1, sizeof(*k));
	if (!k)
		err = -ENOMEM;
	else if (a->done)
		err = kept_read(k, a->file->fd, a->pos, a->done);
	if (a->done)
		append_undo(log, 0, a->done);
	if (err && !a->err)
		a->err = err;
	a->kept = k;
	log->stream = NULL;
	set_state(a, STREAM_KEPT);
	sl_waitq_wake_all(&log->taken, 0);
	tail_give(log);
	return true;
}

/* ---- reserving -------------------------------------------------------------------------- */

static int reserve_at_home(void *arg, int64_t deadline)
{
	struct sl_append *a = arg;
	struct sl_log *log = a->log;
	int err = log_enter(log);

	if (err)
		return err;
	err = append_begin(log, deadline);
	if (err)
		goto out_leave;
	err = append_room(log, &a->frame, deadline);
	if (err) {
		tail_give(log);
		goto out_leave;
	}
	a->pos = log->tail.pos;
	a->file = &log_last(log)->sf->file;
	a->began_at = a->progress_at = sl_now();
	sl_file_grant(a->file, a->core);
	log->stream = a;
	tail_streams(log);
	return 0; /* the log is held until the stream ends */
out_leave:
	log_leave(log);
	return err;
}

int sl_log_reserve(struct sl_log *log, const struct sl_frame *frame, struct sl_append *ret_append,
		   int64_t deadline)
{
	int err;

	SL_ASSERT(frame->bytes >= log->kind->header_bytes && frame->records > 0);
	*ret_append = (struct sl_append){
		.log = log, .frame = *frame, .core = sl_core_self(), .state = STREAM_HOLDING};
	sl_list_init(&ret_append->node);
	err = sl_call(log->home, reserve_at_home, ret_append, deadline);
	if (!err)
		sl_file_held(ret_append->file);
	return err;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* On the home core: lets a taking back come to its end. */
static int wait_taken(void *arg, int64_t deadline)
{
	struct sl_append *a = arg;

	(void)deadline;
	while (state_of(a) == STREAM_TAKING)
		sl_waitq_wait(&a->log->taken, SL_NEVER);
	return 0;
}

static int write_behind_tail(struct sl_append *a, const void *data, size_t len)
{
	struct iovec iov = {(void *)data, len};
	int err = sl_writev_all(a->file->fd, &iov, 1, a->pos + a->done, SL_NEVER);

	if (!err)
		__atomic_store_n(&a->done, a->done + len, __ATOMIC_RELAXED);
	__atomic_store_n(&a->progress_at, sl_now(), __ATOMIC_RELAXED);
	return err;
}

int sl_append_write(struct sl_append *a, void *data, size_t len, int64_t deadline)
{
	int err;

	SL_ASSERT(len <= a->frame.bytes - a->done);
	if (!a->done) {
		SL_ASSERT(len >= a->log->kind->header_bytes);
		a->log->kind->unplace(data);
	}
	if (change_state(a, STREAM_HOLDING, STREAM_WRITING)) {
		err = a->err ? a->err : write_behind_tail(a, data, len);
		a->err = err;
		set_state(a, STREAM_HOLDING);
		return err;
	}
	if (state_of(a) == STREAM_TAKING) {
		err = sl_call(a->log->home, wait_taken, a, deadline);
		if (err)
			return err;
	}
	SL_ASSERT(state_of(a) == STREAM_KEPT);
	if (!a->err)
		a->err = kept_add(a->kept, data, len);
	if (!a->err)
		a->done += len;
	return a->err;
}

/* ---- ending ----------------------------------------------------------------------------- */

struct ending {
	struct sl_append *a;
	struct sl_commit *commit;
	uint64_t base;
};

/* The batch lies whole behind the tail: places its header there. */
static int place_written(struct sl_log *log, struct sl_append *a, uint64_t *ret_base)
{
	uint8_t header[SEG_HEADER_MAX];
	size_t len = log->kind->header_bytes;
	uint32_t epoch = append_epoch(log);
	int err = sl_read_all(a->file->fd, header, len, a->pos, SL_NEVER);

	if (!err) {
		log->kind->place(header, log->tail.off, epoch);
		err = sl_write_all(a->file->fd, header, len, a->pos, SL_NEVER);
	}
	if (err)
		return append_undo(log, err, a->frame.bytes);
	*ret_base = log->tail.off;
	append_publish(log, &a->frame, log->tail.off, epoch);
	return 0;
}

static int finish_written(struct sl_log *log, struct ending *e)
{
	struct sl_append *a = e->a;
	int err = log->err;

	SL_ASSERT(log->stream == a && a->pos == log->tail.pos);
	/* Otherwise it is home's turn now, and nobody else's. */
	log->stream = NULL;
	if (!err && a->err)
		err = append_undo(log, a->err, a->frame.bytes);
	if (!err && (log->closing || log->dead))
		err = append_undo(log, 0, a->done) ? log->err : -ESHUTDOWN;
	if (!err)
		err = place_written(log, a, &e->base);
	tail_give(log);
	return err;
}

static int append_kept(struct sl_log *log, struct ending *e, int64_t deadline)
{
	struct sl_append_kept *k = e->a->kept;
	struct iovec *iov;
	int err;

	if (e->a->err)
		return e->a->err;
	iov = calloc(k->n, sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->n; i++)
		iov[i] = (struct iovec){k->chunks[i]->data, KEPT_CHUNK};
	iov[k->n - 1].iov_len = (size_t)(k->bytes - (uint64_t)(k->n - 1) * KEPT_CHUNK);
	err = append_begin(log, deadline);
	if (!err) {
		err = append_placed(log, iov, (int)k->n, &e->a->frame, &e->base, deadline);
		tail_give(log);
	}
	free(iov);
	return err;
}

static int finish_at_home(void *arg, int64_t deadline)
{
	struct ending *e = arg;
	struct sl_append *a = e->a;
	struct sl_log *log = a->log;
	int err;

	wait_taken(a, deadline);
	if (state_of(a) == STREAM_KEPT)
		err = append_kept(log, e, deadline);
	else
		err = finish_written(log, e);
	if (!err)
		err = append_settle(log, e->commit, e->base + a->frame.records, deadline);
	log_leave(log);
	return err;
}

/* On the stream's own core. */
static void give_back(struct sl_append *a)
{
	kept_free(a->kept);
	a->kept = NULL;
	sl_file_release(a->file);
	a->file = NULL;
	a->log = NULL;
}

int sl_append_finish(struct sl_append *a, struct sl_commit *commit, uint64_t *ret_base,
		     int64_t deadline)
{
	struct ending e = {.a = a, .commit = commit};
	int err;

	SL_ASSERT(a->log && (a->err || a->done == a->frame.bytes));
	err = sl_call(a->log->home, finish_at_home, &e, deadline);
	if (err == -ENOMEM && a->log) {
		sl_append_abort(a);
		return err;
	}
	give_back(a);
	if (err >= 0)
		*ret_base = e.base;
	return err;
}

static int abort_at_home(void *arg, int64_t deadline)
{
	struct sl_append *a = arg;
	struct sl_log *log = a->log;

	wait_taken(a, deadline);
	if (state_of(a) != STREAM_KEPT) {
		SL_ASSERT(log->stream == a);
		log->stream = NULL;
		if (a->done || a->err)
			append_undo(log, a->err, a->frame.bytes);
		tail_give(log);
	}
	log_leave(log);
	return 0;
}

void sl_append_abort(struct sl_append *a)
{
	if (!a->log)
		return;
	/* Without a fiber at home the tail would never come back: until there is memory for one. */
	while (sl_call(a->log->home, abort_at_home, a, SL_NEVER))
		sl_sleep(sl_now() + SL_MSEC);
	give_back(a);
}
