/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: the partitions of a core: their logs, opened when first used, and the snapshots of
 * what they remember of producers.
 *
 * Interface: "partitions" of topics_pvt.h.
 * Invariants: a partition's folder exists only if its log was made in it completely, for it is
 * made under another name; without a folder nothing was ever appended, so the log is empty and
 * begins at 0. State changes only while it is BUSY with one fiber, others wait. A snapshot's
 * offset is at most the durable end. A partition is freed when it is off the table and nobody is
 * inside.
 *
 * Order of parts: the table; opening; making; entering and leaving; snapshots; dropping; closing;
 * the fibers.
 */
#include <errno.h>
#include <fcntl.h>

#include "topics_pvt.h"

/* A snapshot is written again after so much was appended: what an unclean start has to walk. */
#define SNAPSHOT_EVERY_BYTES (64 * SL_MIB)
#define REPLAY_BATCHES 4096
#define SNAPSHOT_BYTES_MAX (16 * SL_MIB)

int partition_result(int rc)
{
	switch (rc) {
	case -ENOSPC:
	case -EDQUOT:
		return SL_REFUSED_NO_SPACE;
	case -ESHUTDOWN:
		return SL_REFUSED_UNKNOWN_PARTITION;
	case -EIO:
	case -EROFS:
	case -EBADMSG:
		return SL_REFUSED_FAILED;
	default:
		return rc;
	}
}

/* ---- the table -------------------------------------------------------------------------- */

uint64_t partition_hash(const struct sl_uuid *topic, uint32_t index)
{
	return sl_mix64(sl_load_le64(topic->b) ^ sl_mix64(sl_load_le64(topic->b + 8) + index));
}

/* The cores take the hash modulo their number; the table takes other bits of it. */
static struct partition **table_at(struct core_state *tc, uint64_t hash)
{
	return &tc->table[hash >> 32 & (tc->table_n - 1)];
}

struct partition *partition_find(struct core_state *tc, const struct sl_uuid *topic,
				 uint32_t index)
{
	struct partition *p;

	if (!tc->table_n)
		return NULL;
	p = *table_at(tc, partition_hash(topic, index));
	while (p && (p->index != index || !sl_uuid_equal(&p->topic, topic)))
		p = p->next;
	return p;
}

static int table_grow(struct core_state *tc)
{
	uint32_t n = tc->table_n ? tc->table_n * 2 : 64;
	struct partition **table;

	if (tc->partitions_n < tc->table_n)
		return 0;
	table = calloc(n, sizeof(struct partition *));
	if (!table)
		return -ENOMEM;
	free(tc->table);
	tc->table = table;
	tc->table_n = n;
	sl_list_each(at, &tc->partitions) {
		struct partition *p = sl_list_entry(at, struct partition, node);
		struct partition **head = table_at(tc, partition_hash(&p->topic, p->index));

		p->next = *head;
		*head = p;
	}
	return 0;
}

static void partition_init(struct partition *p, struct core_state *tc,
			   const struct sl_topic *topic, uint32_t index)
{
	char folder[TOPIC_FOLDER_BYTES];

	p->tc = tc;
	p->topic = topic->id;
	p->index = index;
	p->state = PARTITION_NEW;
	settings_log_conf(&tc->conf, topic, &p->conf);
	sl_list_init(&p->due);
	sl_order_init(&p->empty, 0);
	sl_waitq_init(&p->changed);
	sl_waitq_init(&p->producing);
	producers_init(&p->producers);
	topic_folder_name(topic, folder);
	snprintf(p->name, sizeof(p->name), "%s-%u", topic->name, index);
	snprintf(p->path, sizeof(p->path), "%s/%u", folder, index);
}

static int table_add(struct core_state *tc, const struct sl_topic *topic, uint32_t index,
		     struct partition **ret_part)
{
	struct partition *p, **head;

	if (table_grow(tc))
		return -ENOMEM;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	partition_init(p, tc, topic, index);
	head = table_at(tc, partition_hash(&p->topic, p->index));
	p->next = *head;
	*head = p;
	sl_list_append(&tc->partitions, &p->node);
	tc->partitions_n++;
	*ret_part = p;
	return 0;
}

static void table_remove(struct partition *p)
{
	struct core_state *tc = p->tc;
	struct partition **at = table_at(tc, partition_hash(&p->topic, p->index));

	SL_ASSERT(tc->partitions_n > 0);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	sl_list_remove(&p->node);
	sl_list_remove(&p->due);
	tc->partitions_n--;
}

static void partition_free(struct partition *p)
{
	SL_ASSERT(p->users == 0);
	SL_ASSERT(!p->log);
	producers_done(&p->producers);
	free(p);
}

/* ---- opening ---------------------------------------------------------------------------- */

struct replay {
	struct partition *p;
	int64_t now_ms;
	uint64_t batches;
};

static int replay_batch(void *arg, const uint8_t *header, const struct sl_frame *frame)
{
	struct replay *r = arg;
	struct producer *producer;
	struct sl_batch b;

	r->batches++;
	sl_batch_load(header, &b);
	if (b.producer_id < 0)
		return 0;
	producer = producers_get(&r->p->producers, b.producer_id);
	if (!producer)
		return -ENOMEM;
	producer_note(&r->p->producers, producer, &b, frame->base, r->now_ms);
	return 0;
}

/*
 * Reads the snapshot into the empty producers. Return: the offset that it is of; 0 without one.
 * *ret_wrong: there is one, and it is of no use.
 */
static uint64_t snapshot_read(struct partition *p, bool *ret_wrong, int64_t deadline)
{
	char path[sizeof(p->path) + sizeof(".producers")];
	uint64_t offset = 0;
	struct statx stx;
	uint8_t *buf;
	ssize_t n;

	snprintf(path, sizeof(path), "%s.producers", p->path);
	if (sl_stat(p->tc->t->dir, path, &stx, deadline) || stx.stx_size > SNAPSHOT_BYTES_MAX)
		return 0;
	buf = malloc(stx.stx_size + 1);
	if (!buf)
		return 0;
	n = sl_read_file(p->tc->t->dir, path, buf, stx.stx_size, deadline);
	*ret_wrong = n < 0 || producers_decode(&p->producers, buf, (size_t)n, &offset) ||
		     offset > sl_log_end(p->log);
	free(buf);
	if (!*ret_wrong)
		return offset;
	producers_done(&p->producers);
	return 0;
}

/* What was remembered, and what the log says since. */
static int producers_load(struct partition *p, int64_t deadline)
{
	struct replay r = {.p = p, .now_ms = wall_ms()};
	bool wrong = false;
	uint64_t offset = snapshot_read(p, &wrong, deadline);
	uint64_t from = sl_max(offset, sl_log_start(p->log));
	int rc;

	p->snapshot_at = offset;
	rc = sl_log_each(p->log, from, replay_batch, &r, deadline);
	if (rc)
		return rc;
	p->snapshot_bytes = r.batches;
	if (r.batches > REPLAY_BATCHES)
		partition_appended(p, SNAPSHOT_EVERY_BYTES);
	if (wrong)
		topics_event(p->tc, SL_TOPICS_REBUILT, p->name, (int64_t)r.batches);
	producers_expire(&p->producers, r.now_ms - p->tc->conf.producer_expire_ms);
	return 0;
}

static int log_open(struct partition *p, int64_t deadline)
{
	int rc = sl_log_open(p->tc->logs, p->tc->t->dir, p->path, p->name, &sl_batch_kind,
			     &p->conf, &p->log, deadline);

	if (rc)
		return rc;
	rc = producers_load(p, deadline);
	if (rc) {
		producers_done(&p->producers);
		sl_log_abandon(p->log);
		p->log = NULL;
	}
	return rc;
}

static int folder_sync(struct partition *p, int64_t deadline)
{
	char folder[sizeof(p->path)];
	int fd, rc;

	memcpy(folder, p->path, sizeof(folder));
	*strrchr(folder, '/') = 0;
	fd = sl_open(p->tc->t->dir, folder, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (fd < 0)
		return fd;
	rc = sl_fsync(fd, false, SL_FAULT(SYNC_PARTITION_FOLDER), deadline);
	sl_close(fd);
	return rc;
}

/* Return: 0, p->log is NULL if there is none; -errno. */
static int log_look(struct partition *p, int64_t deadline)
{
	struct statx stx;
	int rc = sl_stat(p->tc->t->dir, p->path, &stx, deadline);

	if (rc == -ENOENT)
		return 0;
	if (!rc)
		rc = log_open(p, deadline);
	/* It may have been made just before a kill, and its name not be durable yet. */
	if (!rc && sl_log_end(p->log) == 0 && folder_sync(p, SL_NEVER))
		rc = -EIO;
	if (rc && p->log) {
		sl_log_abandon(p->log);
		p->log = NULL;
	}
	return rc;
}

/* ---- making ----------------------------------------------------------------------------- */

static int log_make(struct partition *p, int64_t deadline)
{
	char new[sizeof(p->path) + sizeof(".new")];
	int dir = p->tc->t->dir, rc;

	snprintf(new, sizeof(new), "%s.new", p->path);
	rc = sl_mkdir(dir, new, 0700, deadline);
	if (rc == -EEXIST) {
		rc = sl_remove_tree(dir, new, deadline);
		if (!rc)
			rc = sl_mkdir(dir, new, 0700, deadline);
	}
	if (rc)
		return rc;
	rc = sl_log_create(dir, new, &sl_batch_kind, deadline);
	if (!rc)
		rc = sl_rename(dir, new, dir, p->path, deadline);
	if (rc) {
		sl_remove_tree(dir, new, SL_NEVER);
		return rc;
	}
	/* Nothing is appended before the folder's name is durable: a failure here is final. */
	rc = folder_sync(p, SL_NEVER);
	return rc ? -EIO : log_open(p, deadline);
}

/* ---- entering and leaving --------------------------------------------------------------- */

static void state_set(struct partition *p, enum partition_state state, int err)
{
	/* Dropped meanwhile: who dropped it takes the log away. */
	if (p->state != PARTITION_GONE) {
		p->state = state;
		p->err = err;
	}
	sl_waitq_wake_all(&p->changed, 0);
}

/* The disk may be full or memory short for a while; anything else stays until the restart. */
static bool passing(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM || rc == -ETIME ||
	       rc == -EMFILE || rc == -ENFILE;
}

static void partition_look(struct partition *p, int64_t deadline)
{
	int rc;

	p->state = PARTITION_BUSY;
	rc = log_look(p, deadline);
	if (rc == 0) {
		state_set(p, p->log ? PARTITION_OPEN : PARTITION_EMPTY, 0);
		return;
	}
	state_set(p, passing(rc) ? PARTITION_NEW : PARTITION_FAILED, rc);
	topics_event(p->tc, SL_TOPICS_FAILED, p->name, rc);
}

static void partition_make(struct partition *p, int64_t deadline)
{
	int rc;

	p->state = PARTITION_BUSY;
	rc = log_make(p, deadline);
	if (rc == 0) {
		state_set(p, PARTITION_OPEN, 0);
		/* Those who waited for a first batch look again, and wait with the log. */
		sl_order_advance(&p->empty, UINT64_MAX);
		return;
	}
	state_set(p, passing(rc) ? PARTITION_NEW : PARTITION_FAILED, rc);
	topics_event(p->tc, SL_TOPICS_FAILED, p->name, rc);
}

/* Brings @p into a state that serves. Return: as partition_enter(). */
static int partition_ready(struct partition *p, bool create, int64_t deadline)
{
	for (bool tried = false;; tried = true) {
		int rc;

		switch (p->state) {
		case PARTITION_OPEN:
			return 0;
		case PARTITION_GONE:
			return SL_REFUSED_UNKNOWN_PARTITION;
		case PARTITION_FAILED:
			return SL_REFUSED_FAILED;
		case PARTITION_BUSY:
			rc = sl_waitq_wait(&p->changed, deadline);
			if (rc)
				return rc;
			break;
		case PARTITION_NEW:
			if (tried && p->err)
				return partition_result(p->err);
			partition_look(p, deadline);
			break;
		case PARTITION_EMPTY:
			if (!create)
				return 0;
			partition_make(p, deadline);
			break;
		}
	}
}

int partition_enter(struct core_state *tc, const struct sl_topic *topic, uint32_t index,
		    bool create, struct partition **ret_part, int64_t deadline)
{
	struct partition *p = partition_find(tc, &topic->id, index);
	int rc;

	SL_ON_CORE(tc->core);
	if (sl_unlikely(!p)) {
		/* The caller's view may be older than this core's. */
		if (index >= topic->partitions ||
		    !sl_topics_view_find_id(tc->home_view, &topic->id))
			return SL_REFUSED_UNKNOWN_PARTITION;
		rc = table_add(tc, topic, index, &p);
		if (rc)
			return rc;
	}
	p->users++;
	rc = partition_ready(p, create, deadline);
	if (rc) {
		partition_leave(p);
		return rc;
	}
	*ret_part = p;
	return 0;
}

void partition_leave(struct partition *p)
{
	SL_ON_CORE(p->tc->core);
	SL_ASSERT(p->users > 0);
	if (--p->users == 0)
		sl_waitq_wake_all(&p->changed, 0);
}

/* ---- snapshots -------------------------------------------------------------------------- */

void partition_appended(struct partition *p, uint64_t bytes)
{
	p->snapshot_bytes += bytes;
	if (p->snapshot_bytes < SNAPSHOT_EVERY_BYTES || !sl_list_empty(&p->due))
		return;
	sl_list_append(&p->tc->due, &p->due);
	sl_waitq_wake_all(&p->tc->keeper, 0);
}

static int snapshot_write(struct partition *p, const struct blob_out *b, int64_t deadline)
{
	char folder[sizeof(p->path)], name[24], *slash;
	int fd, rc;

	memcpy(folder, p->path, sizeof(folder));
	slash = strrchr(folder, '/');
	*slash = 0;
	snprintf(name, sizeof(name), "%u.producers", p->index);
	fd = sl_open(p->tc->t->dir, folder, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (fd < 0)
		return fd;
	rc = sl_write_file(fd, name, b->p, b->len, SL_FAULT(SYNC_SNAPSHOT),
			   SL_FAULT(SYNC_SNAPSHOT_FOLDER), deadline);
	sl_close(fd);
	return rc;
}

int partition_snapshot(struct partition *p, int64_t deadline)
{
	struct blob_out b = {0};
	uint64_t bytes = p->snapshot_bytes, offset;
	int rc = 0;

	sl_list_remove(&p->due);
	if (!p->log || p->snapshotting || (p->snapshot_at == sl_log_end(p->log) && !bytes))
		return 0;
	p->snapshotting = p->gathering = true;
	/*
	 * No append of a producer may be between the log and what is remembered: then the offset
	 * would tell of more than the snapshot holds. New ones wait for this moment to pass.
	 */
	while (rc == 0 && p->producing_n)
		rc = sl_waitq_wait(&p->producing, deadline);
	offset = sl_log_end(p->log);
	producers_expire(&p->producers, wall_ms() - p->tc->conf.producer_expire_ms);
	if (!rc)
		rc = producers_encode(&p->producers, offset, &b);
	p->gathering = false;
	sl_waitq_wake_all(&p->producing, 0);
	if (!rc)
		rc = sl_log_sync(p->log, deadline);
	if (!rc && sl_log_durable(p->log) < offset)
		rc = -EIO;
	if (!rc)
		rc = snapshot_write(p, &b, deadline);
	blob_done(&b);
	if (!rc) {
		p->snapshot_at = offset;
		p->snapshot_bytes -= sl_min(bytes, p->snapshot_bytes);
	}
	p->snapshotting = false;
	sl_waitq_wake_all(&p->changed, 0);
	return rc;
}

/* ---- dropping --------------------------------------------------------------------------- */

/* Takes @p off the table; whoever waits for it or its log is told. */
static void partition_drop(struct partition *p)
{
	table_remove(p);
	p->users++;
	p->state = PARTITION_GONE;
	sl_order_fail(&p->empty, -ESHUTDOWN);
	if (p->log)
		sl_order_fail(sl_log_order(p->log), -ESHUTDOWN);
	sl_waitq_wake_all(&p->changed, 0);
	sl_waitq_wake_all(&p->producing, 0);
	while (p->users > 1)
		sl_waitq_wait(&p->changed, SL_NEVER);
	if (p->log)
		sl_log_abandon(p->log);
	p->log = NULL;
	p->users--;
	partition_free(p);
}

void partitions_drop(struct core_state *tc, const struct sl_uuid *id)
{
	for (;;) {
		struct partition *found = NULL;

		sl_list_each(at, &tc->partitions) {
			struct partition *p = sl_list_entry(at, struct partition, node);

			if (sl_uuid_equal(&p->topic, id)) {
				found = p;
				break;
			}
		}
		if (!found)
			return;
		partition_drop(found);
	}
}

void partitions_configure(struct core_state *tc)
{
	sl_list_each(at, &tc->partitions) {
		struct partition *p = sl_list_entry(at, struct partition, node);
		const struct sl_topic *topic = sl_topics_view_find_id(tc->home_view, &p->topic);

		if (!topic)
			continue;
		settings_log_conf(&tc->conf, topic, &p->conf);
		if (p->log)
			sl_log_configure(p->log, &p->conf);
	}
}

/* ---- closing ---------------------------------------------------------------------------- */

int partitions_close(struct core_state *tc, int64_t deadline)
{
	int first = 0;

	while (!sl_list_empty(&tc->partitions)) {
		struct partition *p = sl_list_first(&tc->partitions, struct partition, node);
		int rc = 0;

		SL_ASSERT(p->users == 0);
		if (p->log) {
			rc = sl_log_failed(p->log) ? 0 : partition_snapshot(p, deadline);
			if (rc)
				topics_event(tc, SL_TOPICS_SNAPSHOT, p->name, rc);
			rc = sl_log_close(p->log, deadline);
			p->log = NULL;
		}
		first = first ? first : rc;
		sl_order_fail(&p->empty, -ESHUTDOWN);
		table_remove(p);
		partition_free(p);
	}
	free(tc->table);
	tc->table = NULL;
	tc->table_n = 0;
	return first;
}

/* ---- the fibers ------------------------------------------------------------------------- */

static void open_one(struct core_state *tc, const struct sl_topic *topic, uint32_t index)
{
	struct partition *p;

	if (partition_enter(tc, topic, index, false, &p, SL_NEVER) == 0)
		partition_leave(p);
}

void partitions_opener(void *core_state)
{
	struct core_state *tc = core_state;
	struct sl_topics_view *view = sl_topics_view(tc->t);

	for (uint32_t i = 0; i < view->n; i++) {
		const struct sl_topic *topic = sl_topics_view_at(view, i);

		for (uint32_t k = 0; k < topic->partitions && !tc->draining; k++)
			if (sl_topic_home(topic, k) == tc->core)
				open_one(tc, topic, k);
	}
	sl_topics_view_release(view);
	core_fiber_end(tc);
}

void partitions_keeper(void *core_state)
{
	struct core_state *tc = core_state;

	while (!tc->stopping) {
		struct partition *p = sl_list_first(&tc->due, struct partition, due);
		int rc;

		if (!p) {
			sl_waitq_wait(&tc->keeper, SL_NEVER);
			continue;
		}
		p->users++;
		rc = partition_snapshot(p, SL_NEVER);
		if (rc && p->state == PARTITION_OPEN)
			topics_event(tc, SL_TOPICS_SNAPSHOT, p->name, rc);
		/* After a failure the next attempt comes with the next bytes, not at once. */
		p->snapshot_bytes = rc ? 0 : p->snapshot_bytes;
		partition_leave(p);
	}
	core_fiber_end(tc);
}
