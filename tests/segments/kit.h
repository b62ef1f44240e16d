/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of segments/ share: a trivial kind of log, batches whose bytes follow from a
 * number, and a core on a simulated or the real disk to run a test's body on.
 *
 * Order of parts: the kind; batches; a log under test.
 */
#ifndef TESTS_SEGMENTS_KIT_H
#define TESTS_SEGMENTS_KIT_H

#include "harness.h"
#include "segments/segments.h"
#include "uring/sim.h"

/* ---- the kind ----------------------------------------------------------------------------- */

/*
 * A batch: base u64, epoch u32, bytes u32, magic u32, crc32c u32 of what follows: records u32,
 * id u32, time i64, payload. All little-endian.
 */
enum { KIT_HEADER = 40, KIT_SUM_FROM = 24 };

extern const struct sl_log_kind kit_kind;

/* The number that the batch was made from. */
uint32_t kit_id(const uint8_t *header);

/* ---- batches ------------------------------------------------------------------------------ */

struct kit_batch {
	uint32_t id;
	uint32_t records;
	size_t bytes; /* KIT_HEADER or more */
	int64_t time;
};

/* Fills @buf, @b->bytes long. Return: what its header says. */
struct sl_frame kit_make(const struct kit_batch *b, uint8_t *buf);

/* Whether @buf holds batch @b, whole, whatever its placing. */
bool kit_is(const struct kit_batch *b, const uint8_t *buf);

/* ---- a log under test --------------------------------------------------------------------- */

/**
 * struct kit - a folder "log" on a disk, and what was heard of it.
 * @dir: its parent. @events: how often each came; @a, @b: of the last one.
 */
struct kit {
	struct sl_sim *sim; /* NULL: the real disk, in harness_tmpdir() */
	struct sl_logs *logs;
	struct sl_log *log;
	struct sl_log_conf conf;
	int dir;
	bool background;
	const int *refused;
	uint32_t events[SL_LOG_EVENT_LAST];
	int64_t a[SL_LOG_EVENT_LAST], b[SL_LOG_EVENT_LAST];
};

/* Runs @body(@k) in a fiber of a core on the kit's disk. Return: its value. */
int kit_run(struct kit *k, int (*body)(struct kit *k));

/* The same with a core made as @conf says. */
int kit_run_on(struct kit *k, const struct sl_cores_conf *conf, int (*body)(struct kit *k));

/* The same on the calling thread without a core; k->background must be off. */
int kit_run_plain(struct kit *k, int (*body)(struct kit *k));

/* Makes the empty log, its folder durable, and opens it. */
int kit_create(struct kit *k);

/* Opens what is there. Return: 0 or -errno. */
int kit_open(struct kit *k);

/* Closes the log and its logs. Return: what closing said. */
int kit_close(struct kit *k);

/* As after a crash of the process: nothing is synced or marked. */
void kit_abandon(struct kit *k);

/* Appends @b; waits until it is durable, if it may. */
int kit_append(struct kit *k, const struct kit_batch *b, uint64_t *ret_base);

/* The same without waiting. @commit: may be NULL. */
int kit_append_nowait(struct kit *k, const struct kit_batch *b, struct sl_commit *commit,
		      uint64_t *ret_base);

/* Appends @n small batches with one record each, ids and times from @id on. Return: 0 or -errno. */
int kit_fill(struct kit *k, uint32_t id, uint32_t n, size_t bytes);

/**
 * kit_read() - the ids of the durable batches from @offset on, checked byte for byte: each one
 * verifies, and each span's batches have consecutive offsets.
 * @ret_ids, @n: room. @ret_next: the offset behind. Return: batches, or -errno of sl_log_read().
 */
int kit_read(struct kit *k, uint64_t offset, uint64_t bytes_max, uint32_t *ret_ids, int n,
	     uint64_t *ret_next);

/* The last segment's path on the disk, such as "log/00000000000000000000.log". */
const char *kit_path(uint64_t base, const char *suffix);

/* Flips a bit of a file on either disk. Return: 0 or -errno. */
int kit_flip(struct kit *k, const char *path, uint64_t offset, int bit);

#endif
