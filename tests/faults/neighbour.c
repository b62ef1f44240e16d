/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A well-behaved client beside the others (neighbour.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "neighbour.h"

static int fetch_back(struct neighbour *n, struct wire *w, int64_t offset)
{
	struct wire_fetched f;
	int err = wire_fetch(w, n->topic, n->partition, offset, 1 << 16, 5000, &f);

	if (!err && !f.len)
		err = -ENODATA;
	wire_answer_done(&f.answer);
	return err;
}

static int go_round(struct neighbour *n, struct wire *w, unsigned round)
{
	struct wire_batch b = {.first = round, .n = 1, .value_bytes = 100, .producer_id = -1};
	int64_t base;
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);
	int err = wire_produce(w, n->topic, n->partition, -1, p, len, &base);

	free(p);
	return err ? err : fetch_back(n, w, base);
}

static void *live(void *arg)
{
	struct neighbour *n = arg;
	struct wire w;
	int err = wire_open(&w, n->port);

	while (!err && !atomic_load(&n->stop)) {
		err = go_round(n, &w, atomic_load(&n->rounds));
		if (err)
			break;
		atomic_fetch_add(&n->rounds, 1);
		wire_sleep(SL_MSEC);
	}
	atomic_store(&n->failed, err);
	wire_close(&w);
	return NULL;
}

void neighbour_start(struct neighbour *n, uint16_t port, const char *topic, int32_t partition)
{
	memset(n, 0, sizeof(*n));
	n->port = port;
	n->topic = topic;
	n->partition = partition;
	ASSERT_EQ(0, pthread_create(&n->thread, NULL, live, n));
	ASSERT_TRUE(neighbour_goes_on(n, 1));
}

bool neighbour_goes_on(struct neighbour *n, unsigned rounds)
{
	int64_t limit = wire_now() + 20 * SL_SEC * harness_time_scale();
	/* The round under way may have begun before; it does not count. */
	unsigned from = atomic_load(&n->rounds), until = from + 1 + rounds;

	while (atomic_load(&n->rounds) < until && !atomic_load(&n->failed) && wire_now() < limit)
		wire_sleep(SL_MSEC);
	if (atomic_load(&n->rounds) >= until)
		return true;
	TH_LOG("neighbour: %u rounds instead of %u, result %d", atomic_load(&n->rounds) - from,
	       rounds + 1, atomic_load(&n->failed));
	return false;
}

void neighbour_stop(struct neighbour *n)
{
	atomic_store(&n->stop, true);
	pthread_join(n->thread, NULL);
	EXPECT_EQ(0, atomic_load(&n->failed));
	TH_LOG("neighbour: %u rounds", atomic_load(&n->rounds));
}
