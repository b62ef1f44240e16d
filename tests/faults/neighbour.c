/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A well-behaved client beside the others (neighbour.h).
 */
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

	n->failed = wire_open(&w, n->port);
	while (!n->failed && !atomic_load(&n->stop)) {
		unsigned round = atomic_load(&n->rounds);
		int64_t began = wire_now();

		n->failed = go_round(n, &w, round);
		if (n->failed)
			break;
		if (round < NEIGHBOUR_TIMES)
			n->times_ns[round] = wire_now() - began;
		atomic_store(&n->rounds, round + 1);
		wire_sleep(SL_MSEC);
	}
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
}

void neighbour_stop(struct neighbour *n)
{
	atomic_store(&n->stop, true);
	pthread_join(n->thread, NULL);
	EXPECT_EQ(0, n->failed);
	EXPECT_LT(0u, atomic_load(&n->rounds));
	TH_LOG("neighbour: %u rounds, median %.1f ms, 90 %% %.1f ms, longest %.1f ms", n->rounds,
	       (double)neighbour_percentile(n, 0, 50) / 1e6,
	       (double)neighbour_percentile(n, 0, 90) / 1e6,
	       (double)neighbour_percentile(n, 0, 100) / 1e6);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int64_t neighbour_percentile(const struct neighbour *n, unsigned from, unsigned percent)
{
	unsigned have = sl_min(atomic_load(&n->rounds), (unsigned)NEIGHBOUR_TIMES);
	int64_t *sorted, found;
	size_t count;

	if (have <= from)
		return 0;
	count = have - from;
	sorted = malloc(count * sizeof(*sorted));
	ASSERT_TRUE(sorted != NULL);
	memcpy(sorted, &n->times_ns[from], count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_value);
	found = sorted[sl_min(count - 1, count * percent / 100)];
	free(sorted);
	return found;
}
