/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of uring/ share. */
#ifndef URING_PVT_H
#define URING_PVT_H

#include <liburing.h>

#include "uring.h"

/**
 * struct op_row - one row of the operation table.
 * @prep: fills an SQE; NULL where io_uring has no such operation.
 * @now: the system call; NULL where the operation has a meaning only on a ring.
 * @opcode: what the kernel must know for @prep.
 * @kind: whether tests that fail files or sockets count it.
 */
struct op_row {
	const char *name;
	void (*prep)(struct io_uring_sqe *sqe, const struct sl_io *io);
	int (*now)(struct sl_io *io);
	uint8_t opcode;
	enum { OP_OTHER, OP_FILE, OP_SOCKET } kind;
};

extern const struct op_row op_table[SL_OP_LAST];

/* User data below this bound names no struct sl_io. */
enum { UD_NONE = 1, UD_WAKE = 2, UD_BOUND = 16 };

struct sl_ring {
	struct io_uring uring;
	struct sl_backend *backend;
	struct sl_list ready;	   /* finished without the kernel, done() due */
	struct sl_ring_stats stats;
	uint64_t features;	   /* bit per enum sl_feature */
	uint64_t opcodes;	   /* bit per enum sl_op: the kernel can do it on a ring */
	uint64_t *file_slots;	   /* bit per registered file in use */
	uint32_t files, buffers;
	uint32_t inflight;
	uint16_t gen;
	bool enabled;
	void (*wake)(void *arg);
	void *wake_arg;
	int event_fd;		   /* for threads without a ring */
	uint64_t event_count;
	struct sl_io event_io;
};

/* features.c: explains why the kernel refused a ring with @err; one line with the cure. */
void feature_explain(int err, char *why, size_t len);

/* features.c: fills ring->features and ring->opcodes; -ENOSYS and @why if a required one lacks. */
int feature_probe(struct sl_ring *ring, char *why, size_t len);

static inline void feature_set(struct sl_ring *ring, enum sl_feature f)
{
	ring->features |= UINT64_C(1) << f;
}

#endif
