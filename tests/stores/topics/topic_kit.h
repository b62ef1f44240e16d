/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of stores/topics share: an engine on a core, on the simulated or the real disk;
 * batches whose one value is a number; waiting for commits.
 *
 * Order of parts: an engine under test; topics; batches; groups.
 */
#ifndef TESTS_STORES_TOPICS_TOPIC_KIT_H
#define TESTS_STORES_TOPICS_TOPIC_KIT_H

#include "harness.h"
#include "stores/topics/topics.h"
#include "uring/sim.h"

/* ---- an engine under test ----------------------------------------------------------------- */

struct tk {
	struct sl_sim *sim; /* NULL: the real disk, in harness_tmpdir() */
	struct sl_topics *t;
	struct sl_topics_conf conf; /* as tk_init() sets it; may be changed before opening */
	uint32_t events[SL_TOPICS_EVENT_LAST];
	uint32_t log_events[SL_LOG_EVENT_LAST];
	void *arg; /* the test's own */
};

/* @sim: taken over by the test, or NULL. */
void tk_init(struct tk *k, struct sl_sim *sim);

/* Runs @body(@k) in a fiber of one core on the kit's disk. Return: its value. */
int tk_run(struct tk *k, int (*body)(struct tk *k));

/* In a body. tk_open() opens and starts; tk_close() drains, stops and closes. */
int tk_open(struct tk *k);
int tk_close(struct tk *k);

/* As after a kill -9, on the simulated disk: the memory goes, nothing is written. */
void tk_kill(struct tk *k);

/* ---- topics ------------------------------------------------------------------------------- */

static inline struct sl_str tk_str(const char *s)
{
	return (struct sl_str){s, s ? strlen(s) : 0};
}

int tk_create(struct tk *k, const char *name, uint32_t partitions);

/* The topic of that name in the current view, or NULL; good until the view changes. */
const struct sl_topic *tk_topic(struct tk *k, const char *name);

/* ---- batches ------------------------------------------------------------------------------ */

/* A batch of @n records, the values being @number, @number + 1, … as text. To be freed. */
struct tk_batch {
	enum sl_codec codec;
	int64_t number;
	uint32_t n;
	int64_t time_ms; /* of the first; each next one is 1 ms later */
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t sequence;
	size_t padding; /* bytes added to each value */
};

uint8_t *tk_batch_make(const struct tk_batch *b, size_t *ret_len);

/* Appends @b to a partition of @topic and waits until it is durable. Return: as sl_topic_append(),
 * or what the commit said. *@ret_base may be NULL. */
int tk_append(struct tk *k, const char *topic, uint32_t partition, const struct tk_batch *b,
	       uint64_t *ret_base);

/* The same in steps of @step bytes. */
int tk_append_streamed(struct tk *k, const char *topic, uint32_t partition,
			const struct tk_batch *b, size_t step, uint64_t *ret_base);

/* A number as the value of a batch's only record. */
static inline struct tk_batch tk_one(int64_t number)
{
	return (struct tk_batch){.number = number, .n = 1, .time_ms = 1000 + number,
				  .producer_id = -1, .producer_epoch = -1, .sequence = -1};
}

static inline struct tk_batch tk_idempotent(int64_t number, uint32_t n, int64_t id,
					      int16_t epoch, int32_t sequence)
{
	return (struct tk_batch){.number = number, .n = n, .time_ms = 1000 + number,
				  .producer_id = id, .producer_epoch = epoch,
				  .sequence = sequence};
}

/**
 * tk_read() - the numbers of the durable records of a partition from @offset on, each batch
 * checked. Return: how many (at most @n), or a negative refusal or -errno.
 */
int tk_read(struct tk *k, const char *topic, uint32_t partition, uint64_t offset,
	     int64_t *ret_numbers, int n);

/* The durable end of a partition, or -1. */
int64_t tk_end(struct tk *k, const char *topic, uint32_t partition);

/* ---- groups ------------------------------------------------------------------------------- */

/* tk_open() and a topic, which is what offsets are committed for: it must be "t". */
int tk_open_with(struct tk *k, const char *topic, uint32_t partitions);

/* Who commits without being a member. */
struct sl_group_member tk_nobody(const char *group);

/* Commits for a partition of "t", in epoch 3. Return: 0, a refusal or -errno. */
int tk_commit(struct tk *k, const char *group, uint32_t partition, int64_t offset,
	      const char *metadata);

/* What is committed there, -1: nothing. *@ret_metadata as text, may be NULL. */
int64_t tk_committed(struct tk *k, const char *group, uint32_t partition, char *ret_metadata);

/* How many offsets the group has. */
uint32_t tk_committed_all(struct tk *k, const char *group);

#endif
