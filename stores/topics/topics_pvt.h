/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics_pvt: the engine from inside: what each core keeps, views, partitions.
 *
 * struct core_state is touched by its core alone, but for what says otherwise. The catalogue's
 * master (struct sl_topics below "core 0") belongs to core 0.
 */
#ifndef STORES_TOPICS_TOPICS_PVT_H
#define STORES_TOPICS_TOPICS_PVT_H

#include "producers_pvt.h"
#include "topic_meta_pvt.h"

struct shards;

/* ---- views ------------------------------------------------------------------------------ */

/* A topic and how many views show it; core 0's. */
struct topic_node {
	struct sl_topic topic;
	uint32_t refs;
};

struct sl_topics_view {
	struct sl_view view; /* each core uses it twice: for look-ups, and as home */
	struct sl_list node; /* of all views; core 0's */
	uint32_t n, mask;
	struct topic_node **by_name; /* n, sorted */
	uint32_t *names, *ids;	     /* mask + 1 slots of position + 1, 0: none */
};

/**
 * view_new() - a view of @nodes, @n of them, sorted by name; retains them.
 * On core 0, or before the cores start.
 */
int view_new(struct sl_topics *t, struct topic_node *const *nodes, uint32_t n,
	     struct sl_topics_view **ret_view);
void view_free(struct sl_topics_view *view);
void topic_node_release(struct topic_node *node);

/* ---- partitions ------------------------------------------------------------------------- */

enum partition_state {
	PARTITION_NEW,	 /* not looked at */
	PARTITION_BUSY,	 /* being opened or made */
	PARTITION_EMPTY, /* never appended to: there is no log */
	PARTITION_OPEN,
	PARTITION_FAILED, /* its log does not open */
	PARTITION_GONE,	  /* its topic is deleted; off the table */
};

struct partition {
	struct partition *next; /* in the table */
	struct sl_list node;	/* of all of the core */
	struct sl_list due;	/* for a snapshot */
	struct core_state *tc;
	struct sl_uuid topic;
	uint32_t index;
	enum partition_state state;
	int err;
	uint32_t users; /* calls in progress */
	struct sl_log *log;
	struct sl_log_conf conf;
	struct sl_order empty;	   /* readers that wait for the first append of all */
	struct sl_waitq changed;   /* state, users */
	struct sl_waitq producing; /* an idempotent append ended, or may begin */
	uint32_t producing_n;	   /* idempotent appends in progress */
	bool gathering;		   /* a snapshot waits for them to end */
	struct producers producers;
	uint64_t snapshot_at;	 /* offset that the snapshot on disk is of */
	uint64_t snapshot_bytes; /* appended since */
	bool snapshotting;
	char name[SL_TOPIC_NAME_MAX + 12];
	char path[TOPIC_FOLDER_BYTES + 12];
};

/**
 * partition_enter() - a partition of this core, its log open if it has one; to be left again.
 * @create: make its log if it has none.
 * Return: 0; SL_REFUSED_UNKNOWN_PARTITION (also: the topic was deleted), _FAILED, _NO_SPACE,
 * _STOPPING; -ETIME; -ENOMEM.
 */
int partition_enter(struct core_state *tc, const struct sl_topic *topic, uint32_t index,
		    bool create, struct partition **ret_part, int64_t deadline);
void partition_leave(struct partition *p);

/* The partition if it is on the table, whatever its state, or NULL. */
struct partition *partition_find(struct core_state *tc, const struct sl_uuid *topic,
				 uint32_t index);

/* Whether a reader that believes in leader epoch @epoch (-1: none) may go on: 0, or a refusal. */
int epoch_check(const struct core_state *tc, int32_t epoch);

/* -errno of a log as this layer's result. */
int partition_result(int rc);

static inline uint64_t partition_start(const struct partition *p)
{
	return p->log ? sl_log_start(p->log) : 0;
}

static inline uint64_t partition_end(const struct partition *p)
{
	return p->log ? sl_log_durable(p->log) : 0;
}

static inline struct sl_order *partition_order(struct partition *p)
{
	return p->log ? sl_log_order(p->log) : &p->empty;
}

/* Writes what is remembered of producers, of all that is durable. Return: 0 or -errno. */
int partition_snapshot(struct partition *p, int64_t deadline);

/* Batches were appended: a snapshot may be due. */
void partition_appended(struct partition *p, uint64_t bytes);

/* Takes all partitions of @id off the table and frees them once nobody is inside. Parks. */
void partitions_drop(struct core_state *tc, const struct sl_uuid *id);

/* Gives the partitions the settings that their topics have in the core's view. */
void partitions_configure(struct core_state *tc);

/* Closes all. Return: 0 or the first -errno. */
int partitions_close(struct core_state *tc, int64_t deadline);

/* The fibers that open logs after the start, and write snapshots that are due. */
void partitions_opener(void *core_state);
void partitions_keeper(void *core_state);

uint64_t partition_hash(const struct sl_uuid *topic, uint32_t index);

/* ---- cores ------------------------------------------------------------------------------ */

struct core_state {
	struct sl_topics *t;
	struct sl_core *core;
	struct sl_topics_conf conf;
	bool started, draining, stopping;
	struct sl_logs *logs;
	struct sl_topics_view *view;	  /* for look-ups */
	struct sl_topics_view *home_view; /* for what the core is home to */

	struct partition **table; /* table_n, a power of two or 0 */
	uint32_t table_n, partitions_n;
	struct sl_list partitions;
	struct sl_list due;
	struct sl_waitq keeper; /* something is due, or the end */
	struct sl_list fetches; /* that wait: struct sl_fetch */

	struct shards *shards;
	uint32_t fibers; /* of the background, running */
	struct sl_waitq ended;
} __attribute__((aligned(64)));

struct sl_topics {
	struct sl_topics_conf conf;
	int dir, groups_dir;
	uint32_t cores_n;
	struct core_state *cores;

	/* core 0 */
	struct sl_mutex changing; /* the catalogue */
	struct sl_list views;
	struct sl_topics_view *view;
	char **leftovers; /* folders of creations and deletions that a crash cut short */
	uint32_t leftovers_n;
	struct sl_mutex producer_ids;
	int64_t producer_id_next, producer_id_end;
};

/* The calling core's state. */
static inline struct core_state *topics_self(struct sl_topics *t)
{
	uint32_t id = sl_core_id(sl_core_self());

	SL_ASSERT(id < t->cores_n);
	return &t->cores[id];
}

static inline struct core_state *topics_at(struct sl_topics *t, const struct sl_core *core)
{
	SL_ASSERT(sl_core_id(core) < t->cores_n);
	return &t->cores[sl_core_id(core)];
}

/* In what a call runs on another core: that core may not have started yet, or have stopped. */
int core_ready(struct core_state *tc, int64_t deadline);

/* Starts @fn in a fiber that sl_topics_stop() waits for; it calls core_fiber_end() last. */
int core_fiber_start(struct core_state *tc, void (*fn)(void *tc));
void core_fiber_end(struct core_state *tc);

void topics_event(struct core_state *tc, enum sl_topics_event event, const char *name, int64_t a);

static inline int64_t wall_ms(void)
{
	return sl_wall_clock_ns() / SL_MSEC;
}

/* ---- the catalogue on disk -------------------------------------------------------------- */

int files_scan(struct sl_topics *t);
int files_create(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline);
int files_rewrite(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline);

/* Makes the deletion durable. */
int files_delete(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline);

/* Removes what creations and deletions of earlier starts left behind. On core 0. */
void files_sweep(struct sl_topics *t);

/* Removes what a deletion left. */
int files_remove(struct sl_topics *t, const struct sl_uuid *id, int64_t deadline);

/* Fills topic->in_force. */
void settings_resolve(const struct sl_topics_conf *conf, struct sl_topic *topic);
void settings_log_conf(const struct sl_topics_conf *conf, const struct sl_topic *topic,
		       struct sl_log_conf *ret_conf);

/* A fiber: gives all topics the defaults of core 0's conf. */
void topics_resolve_all(void *core_state);

/* Reads the next producer id; before the cores start. */
int producer_ids_load(struct sl_topics *t);

/* ---- groups ----------------------------------------------------------------------------- */

int shards_start(struct core_state *tc, int64_t deadline);
void shards_drain(struct core_state *tc);
int shards_stop(struct core_state *tc, int64_t deadline);

/* Forgets the offsets of a topic that is deleted. Parks. */
void shards_forget_topic(struct core_state *tc, const struct sl_uuid *id);

#endif
