/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics: the event log's engine. Topics and their partitions, idempotent producers, fetches and
 * their waits, consumer groups and their offsets. No protocol: proto/kafka only translates.
 *
 * Who owns what: core 0 owns the catalogue of topics and hands every core an immutable view of
 * it; a partition's log and producers live on the core that the hash of (topic id, partition)
 * chooses, a group and its offsets on the core of its shard (groups.h). The calls below may be
 * made on any core, in a fiber; they go where they have to.
 *
 * Results: 0 (or a count where one is told); a positive enum sl_refusal, which the caller's
 * protocol turns into its own code; or a negative -errno (-ETIME, -ENOMEM, -EIO, …: the disk's or
 * the machine's fault). Outputs are untouched unless 0 is returned or the comment says otherwise.
 *
 * This layer never logs: what the operator must hear goes to the events of struct sl_topics_conf.
 *
 * Order of parts: open and close; topics; appending; reading; producers. batch.h holds record
 * batches, groups.h consumer groups and offsets, refusal.h the results.
 */
#ifndef STORES_TOPICS_TOPICS_H
#define STORES_TOPICS_TOPICS_H

#include "batch.h"
#include "groups.h"
#include "refusal.h"

/* ---- open and close --------------------------------------------------------------------- */

enum sl_topics_event {
	SL_TOPICS_SKIPPED,	/* name: a folder that is no topic's; a: -errno */
	SL_TOPICS_FINISHED,	/* name: a deletion or creation that a crash had left half done */
	SL_TOPICS_FAILED,	/* name: topic-partition whose log does not open; a: -errno */
	SL_TOPICS_SNAPSHOT,	/* name: whose snapshot could not be written; a: -errno */
	SL_TOPICS_REBUILT,	/* name: whose snapshot was of no use; a: batches read again */
	SL_TOPICS_GROUP_LOST,	/* name: journal with a record that makes no sense; a: its offset */
	SL_TOPICS_GROUP_EXPIRED, /* name: group whose offsets were kept long enough */
	SL_TOPICS_EVENT_LAST
};

/**
 * struct sl_topics_conf - limits and surroundings.
 * @dir: DATADIR, open as long as the engine is. @cores: how many will call sl_topics_start().
 * @epoch: the leader epoch, of this start of the node. @log: defaults of partitions.
 * @logs: scrub, retention and background of the logs; its event gets what partitions meet.
 * @batch_bytes_max: default of max.message.bytes. @partitions_max: of one topic.
 * @producer_expire_ms: how long an idle producer is remembered (0: a day).
 * @group_*: see sl_group_join. @offset_metadata_bytes_max: of one committed offset (0: 4096).
 * @event: may be NULL; must not park; called on any core.
 */
struct sl_topics_conf {
	int dir;
	uint32_t cores;
	uint32_t epoch;
	struct sl_log_conf log;
	struct sl_logs_conf logs;
	uint64_t batch_bytes_max;
	uint32_t partitions_max;
	int64_t producer_expire_ms;
	int64_t group_initial_delay_ns;
	int64_t group_session_min_ns, group_session_max_ns;
	int64_t offsets_retention_ns;
	uint32_t group_members_max;
	uint32_t offset_metadata_bytes_max;
	void (*event)(void *arg, enum sl_topics_event event, const char *name, int64_t a);
	void *arg;
};

/**
 * sl_topics_open() - read the catalogue, finishing what a crash left half done.
 * Before the cores start, or on the only core; blocks the thread for some 10 µs a topic.
 * Return: 0; -EPROTONOSUPPORT: written by a newer sluice; -errno.
 */
int sl_topics_open(const struct sl_topics_conf *conf, struct sl_topics **ret_topics);

/**
 * sl_topics_start() - make the calling core serve; once on each core, in a fiber, before anything
 * else here. Logs are opened when first used, and by a fiber in the background.
 */
int sl_topics_start(struct sl_topics *t, int64_t deadline);

/* Takes new limits (dir, cores and epoch stay); on each core. */
void sl_topics_configure(struct sl_topics *t, const struct sl_topics_conf *conf);

/* On each core: ends waits of fetches, joins and syncs (SL_REFUSED_STOPPING), now and later. */
void sl_topics_drain(struct sl_topics *t);

/**
 * sl_topics_stop() - the clean close of the calling core's share: sync, snapshots, logs closed.
 * On each core, after sl_topics_drain() on all and when no call is in progress or to come; no core
 * may end before all of them have stopped, for they still call each other.
 * Return: 0 or the first -errno; everything is closed either way.
 */
int sl_topics_stop(struct sl_topics *t, int64_t deadline);

/* After every core that started has stopped. Accepts NULL. */
void sl_topics_close(struct sl_topics *t);

/* ---- topics ----------------------------------------------------------------------------- */

#define SL_TOPIC_NAME_MAX 249

/* The settings that a topic may have of its own; those that are not set are the node's. */
enum sl_topic_key {
	SL_TOPIC_CLEANUP_POLICY,	/* 0: delete */
	SL_TOPIC_COMPRESSION_TYPE,	/* 0: producer */
	SL_TOPIC_MAX_MESSAGE_BYTES,
	SL_TOPIC_TIMESTAMP_TYPE,	/* 0: CreateTime, 1: LogAppendTime */
	SL_TOPIC_MIN_INSYNC_REPLICAS,	/* 1 */
	SL_TOPIC_RETENTION_BYTES,	/* -1: no limit */
	SL_TOPIC_RETENTION_MS,		/* -1: no limit */
	SL_TOPIC_SEGMENT_BYTES,
	SL_TOPIC_SEGMENT_MS,
	SL_TOPIC_DURABILITY,		/* enum sl_durability */
	SL_TOPIC_KEY_LAST
};

struct sl_topic_settings {
	uint32_t set; /* bit (1 << key): the topic has its own */
	int64_t value[SL_TOPIC_KEY_LAST];
};

/* "cleanup.policy" and so on. */
const char *sl_topic_key_name(enum sl_topic_key key);

/* The key named, or SL_TOPIC_KEY_LAST. */
enum sl_topic_key sl_topic_key_find(struct sl_str name);

/* Parses @value into *ret_settings and marks it as set. Return: 0 or SL_REFUSED_BAD_CONFIG. */
int sl_topic_settings_set(struct sl_topic_settings *ret_settings, enum sl_topic_key key,
			  struct sl_str value);

/* @value as text, as sl_topic_settings_set() reads it. Return: its length. */
size_t sl_topic_value_text(enum sl_topic_key key, int64_t value, char *ret_text, size_t size);

/**
 * struct sl_topic - a topic as a view shows it; immutable.
 * @own: what it was created with; @in_force: every key's value, with the node's defaults.
 */
struct sl_topic {
	char name[SL_TOPIC_NAME_MAX + 1];
	uint32_t name_len;
	uint32_t partitions;
	struct sl_uuid id;
	int64_t created_ms;
	struct sl_topic_settings own;
	struct sl_topic_settings in_force;
};

/**
 * struct sl_topics_view - all topics at one moment, by name. Held by a core-local reference:
 * topics in it stay as long as that is held, over parking calls too.
 */
struct sl_topics_view;

/* The calling core's current view, with a reference; to be released on the same core. */
struct sl_topics_view *sl_topics_view(struct sl_topics *t);
void sl_topics_view_release(struct sl_topics_view *view);

uint32_t sl_topics_view_count(const struct sl_topics_view *view);

/* By rising name. */
const struct sl_topic *sl_topics_view_at(const struct sl_topics_view *view, uint32_t i);

/* NULL: there is none. */
const struct sl_topic *sl_topics_view_find(const struct sl_topics_view *view, struct sl_str name);
const struct sl_topic *sl_topics_view_find_id(const struct sl_topics_view *view,
					      const struct sl_uuid *id);

/* Whether @name may be a topic's: 1 to 249 of a-z A-Z 0-9 . _ -, but neither . nor .. */
bool sl_topic_name_ok(struct sl_str name);

/**
 * sl_topics_create() - create a topic; durable and in every core's view on return.
 * @check_only: say what would come of it, and do nothing. @ret_id: its id (may be NULL).
 * Return: 0; SL_REFUSED_BAD_NAME; _TOPIC_EXISTS (also where the name differs from another one by
 * . and _ only: then _BAD_NAME); _BAD_PARTITIONS; _NO_SPACE; _STOPPING; -errno.
 */
int sl_topics_create(struct sl_topics *t, struct sl_str name, uint32_t partitions,
		     const struct sl_topic_settings *settings, bool check_only,
		     struct sl_uuid *ret_id, int64_t deadline);

/**
 * sl_topics_delete() - delete a topic: gone from every view, durably, on return; its files go in
 * the background, its committed offsets with it.
 * Return: 0; SL_REFUSED_UNKNOWN_TOPIC_ID; _STOPPING; -errno.
 */
int sl_topics_delete(struct sl_topics *t, const struct sl_uuid *id, int64_t deadline);

/* Gives a topic other settings or more partitions (0: as many). As sl_topics_create(). */
int sl_topics_alter(struct sl_topics *t, const struct sl_uuid *id, uint32_t partitions,
		    const struct sl_topic_settings *settings, bool check_only, int64_t deadline);

/* The core that is home to a partition: calls made there need no hop. */
struct sl_core *sl_topic_home(const struct sl_topic *topic, uint32_t partition);

/* ---- appending -------------------------------------------------------------------------- */

/**
 * struct sl_topic_append - one batch for one partition.
 * @topic: of a view that the caller holds. @commit: of the reply's hold, or NULL (nobody waits).
 * Filled on return of the call that appends:
 * @base: offset of the first record; of a duplicate the original's. @duplicate: it was one.
 * @decided: commit->res tells the outcome already, done() will not come.
 * @log_start: first offset of the partition. @append_ms: LogAppendTime, or -1.
 * @fault: with SL_REFUSED_BATCH_*: what is wrong.
 * The rest is the engine's.
 */
struct sl_topic_append {
	const struct sl_topic *topic;
	uint32_t partition;
	struct sl_commit *commit;

	uint64_t base;
	uint64_t log_start;
	int64_t append_ms;
	enum sl_batch_fault fault;
	bool duplicate;
	bool decided;

	bool patched; /* the header in the caller's memory has been replaced by ours */
	uint32_t crc; /* so far */
	uint64_t bytes, bytes_done;
	struct sl_topics *topics;
	struct partition *part;
	struct producer *producer;
	struct sl_log *log;
	struct sl_batch batch;
	struct sl_frame frame;
	struct sl_append stream;
	uint8_t header[SL_BATCH_HEADER_BYTES];
};

/**
 * sl_topic_append() - check and append the batch that @iov holds (iov[0] at least its header,
 * writable); @iov is used up. The commit is told when it is durable: until then nobody may hear
 * of @base.
 * Return: 0: appended, or a duplicate (the commit then waits for the original); SL_REFUSED_
 * UNKNOWN_PARTITION, _BATCH_*, _OUT_OF_ORDER, _FENCED_PRODUCER, _NO_SPACE, _FAILED, _STOPPING;
 * -ETIME, -errno. On anything but 0 the commit will not be told.
 */
int sl_topic_append(struct sl_topics *t, struct sl_topic_append *a, struct iovec *iov, int n,
		    int64_t deadline);

/**
 * sl_topic_append_begin() - the same for a batch that arrives in steps: check its header.
 * @header: its first SL_BATCH_HEADER_BYTES. @total: bytes that the request holds for the
 * partition. On anything but 0 there is nothing to abort (the rest of the batch is to be skipped).
 */
int sl_topic_append_begin(struct sl_topics *t, struct sl_topic_append *a, const void *header,
			  uint64_t total, int64_t deadline);

/**
 * sl_topic_append_write() - the next @len bytes, from the first (the first call's hold the
 * header); @p is written to. At best 64 to 256 KiB at once.
 * Return: 0; or as sl_topic_append(): then abort, and skip the rest.
 */
int sl_topic_append_write(struct sl_topic_append *a, void *p, size_t len, int64_t deadline);

/* All bytes were given: verify and append. As sl_topic_append(). Ends @a. */
int sl_topic_append_finish(struct sl_topic_append *a, int64_t deadline);

/* Nothing stays. Ends @a. */
void sl_topic_append_abort(struct sl_topic_append *a);

/* ---- reading ---------------------------------------------------------------------------- */

#define SL_FETCH_SPANS 2

/**
 * struct sl_fetch_part - what one partition of a fetch asks and gets.
 * @topic: of a view that the caller holds. @offset: first wanted record. @bytes_max: limit for
 * the partition. @epoch: the leader epoch that the caller believes in, or -1.
 * @result: 0 or SL_REFUSED_UNKNOWN_PARTITION, _OUT_OF_RANGE, _QUARANTINED, _STALE_EPOCH,
 * _FUTURE_EPOCH, _FAILED; or -errno.
 * @start, @end: first offset kept, and durable end (valid too with _OUT_OF_RANGE).
 * @spans, @n_spans: whole batches, in order, whose files are held on the caller's core: each to be
 * released by sl_file_release(), as sl_fetch_release() does for all.
 * @bytes: of the spans together.
 */
struct sl_fetch_part {
	const struct sl_topic *topic;
	uint32_t partition;
	int32_t epoch;
	uint64_t offset;
	uint64_t bytes_max;

	int result;
	uint64_t start, end;
	uint64_t bytes;
	uint32_t n_spans;
	struct sl_span spans[SL_FETCH_SPANS];

	struct sl_fetch *fetch;
	struct sl_commit commit;
	bool armed, told;
};

/**
 * struct sl_fetch - a fetch from many partitions.
 * @bytes_max: limit over all, spent in the order of the parts; the first batch found is returned
 * even if it is larger. @bytes_min: see sl_fetch_wait().
 * @wait: how to park on @q until woken or @deadline; NULL: sl_waitq_wait(). A connection's
 * handler passes its sl_conn_wait(), so that the wait ends with the connection.
 * @bytes, @refused: of all parts, after each look: bytes found, parts whose result is not 0.
 */
struct sl_fetch {
	struct sl_fetch_part *parts;
	uint32_t n;
	uint64_t bytes_max;
	uint64_t bytes_min;
	int (*wait)(void *arg, struct sl_waitq *q, int64_t deadline);
	void *wait_arg;

	uint64_t bytes;
	uint32_t refused;

	struct sl_list node;
	struct sl_waitq q;
	bool woken;
};

/* Looks once at every part, with one hop for each core that is home to some. 0 or -errno. */
int sl_fetch_once(struct sl_topics *t, struct sl_fetch *f, int64_t deadline);

/**
 * sl_fetch_wait() - look until there are bytes_min bytes, or a part is refused, or @deadline, or
 * the engine drains, or @wait returns anything but 0 and -ETIME (which is then returned, and
 * nothing is held). At @deadline what was found is returned as by sl_fetch_once(). 0 or -errno.
 */
int sl_fetch_wait(struct sl_topics *t, struct sl_fetch *f, int64_t deadline);

/* Releases every span that @f holds. */
void sl_fetch_release(struct sl_fetch *f);

/* What sl_topic_offsets() is asked for instead of a time. */
enum {
	SL_OFFSET_LATEST = -1,	 /* the durable end */
	SL_OFFSET_EARLIEST = -2, /* the first kept */
	SL_OFFSET_TIME_MAX = -3, /* the record with the largest timestamp */
};

/**
 * struct sl_offset_query - what one partition is asked.
 * @time_ms: the first record at or after this time, or one of the above. @epoch: as of a fetch.
 * @result: 0, or as of a fetch. @offset: -1 if there is no such record. @offset_ms: its time, or
 * -1. @offset_epoch: its leader epoch, or the node's.
 */
struct sl_offset_query {
	const struct sl_topic *topic;
	uint32_t partition;
	int32_t epoch;
	int64_t time_ms;

	int result;
	int64_t offset;
	int64_t offset_ms;
	int32_t offset_epoch;
};

/* Answers @n queries, with one hop for each core. Return: 0 or -errno. */
int sl_topic_offsets(struct sl_topics *t, struct sl_offset_query *queries, uint32_t n,
		     int64_t deadline);

/* What is known of a partition, for lists and metrics. */
struct sl_partition_info {
	uint64_t start, end, bytes;
	int failed; /* 0 or -errno */
};

int sl_topic_partition_info(struct sl_topics *t, const struct sl_topic *topic, uint32_t partition,
			    struct sl_partition_info *ret_info, int64_t deadline);

/* ---- producers -------------------------------------------------------------------------- */

/* A producer id that was never given before, nor will be again. Return: 0; _STOPPING; -errno. */
int sl_producer_id_new(struct sl_topics *t, int64_t *ret_id, int64_t deadline);

#endif
