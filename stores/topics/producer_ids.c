/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer_ids: ids for idempotent producers, each given once in the life of the data folder.
 *
 * Interface: sl_producer_id_new() of topics.h, producer_ids_load().
 * Core 0 reserves ids in blocks: the file names the first id that no block holds, and is durable
 * before an id of its block is given. A start begins with a new block, so that a crash costs at
 * most one.
 */
#include <errno.h>

#include "topics_pvt.h"

#define IDS_FILE "producer-ids"
#define IDS_MAGIC "SLPRIDS"
#define IDS_VERSION 1
#define IDS_BLOCK 1000
#define IDS_FILE_BYTES_MAX 256

static_assert(sizeof(IDS_MAGIC) == BLOB_MAGIC_BYTES, "with its zero");

static int ids_decode(const void *p, size_t len, int64_t *ret_next)
{
	struct blob_in in;
	uint64_t next;
	int rc = blob_open(&in, p, len, IDS_MAGIC, IDS_VERSION);

	if (rc)
		return rc;
	next = blob_get_u64(&in);
	if (!blob_complete(&in) || next > INT64_MAX - IDS_BLOCK)
		return -EBADMSG;
	*ret_next = (int64_t)next;
	return 0;
}

int producer_ids_load(struct sl_topics *t)
{
	uint8_t buf[IDS_FILE_BYTES_MAX];
	ssize_t n = sl_read_file(t->dir, IDS_FILE, buf, sizeof(buf), SL_NEVER);
	int rc = 0;

	if (n >= 0)
		rc = ids_decode(buf, (size_t)n, &t->producer_id_next);
	else if (n != -ENOENT)
		rc = (int)n;
	t->producer_id_end = t->producer_id_next;
	return rc;
}

static int ids_reserve(struct sl_topics *t, int64_t deadline)
{
	int64_t end = t->producer_id_next + IDS_BLOCK;
	struct blob_out b = {0};
	int rc;

	if (end > INT64_MAX - IDS_BLOCK)
		return -EOVERFLOW;
	blob_begin(&b, IDS_MAGIC, IDS_VERSION);
	blob_put_u64(&b, (uint64_t)end);
	rc = blob_end(&b);
	if (!rc)
		rc = sl_write_file(t->dir, IDS_FILE, b.p, b.len, SL_FAULT(SYNC_SNAPSHOT),
				   SL_FAULT(SYNC_SNAPSHOT_FOLDER), deadline);
	blob_done(&b);
	if (!rc)
		t->producer_id_end = end;
	return rc;
}

struct visit {
	struct sl_topics *t;
	int64_t id;
};

static int new_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	struct sl_topics *t = v->t;
	int rc = core_ready(&t->cores[0], deadline);

	if (!rc)
		rc = sl_mutex_lock(&t->producer_ids, deadline);
	if (rc)
		return rc;
	if (t->producer_id_next == t->producer_id_end)
		rc = ids_reserve(t, deadline);
	if (!rc)
		v->id = t->producer_id_next++;
	sl_mutex_unlock(&t->producer_ids);
	return partition_result(rc);
}

int sl_producer_id_new(struct sl_topics *t, int64_t *ret_id, int64_t deadline)
{
	struct visit v = {.t = t};
	int rc = sl_call(sl_cores_at(sl_core_cores(sl_core_self()), 0), new_here, &v, deadline);

	if (!rc)
		*ret_id = v.id;
	return rc;
}
