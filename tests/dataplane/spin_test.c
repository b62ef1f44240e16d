/* SPDX-License-Identifier: Apache-2.0 */
/* Spinning before sleeping: only while it brings more, and never on a core that sends seldom. */
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/core_pvt.h"
#include "harness.h"
#include "peer.h"

#define EPOCH_NS (2 * SL_MSEC)

/*
 * Epochs in which a spinning core sends @with bytes and another @without, in @sends pieces, of
 * which it finds @at_once whenever it wakes (0: one).
 */
struct load {
	uint64_t with, without, sends, at_once;
};

/* Return: in how many of @n epochs the core spun. */
static int spun(struct spin *s, int64_t *now, const struct load *l, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++) {
		bool on = spin_wanted(s, *now);

		/* Within an epoch the answer stays. */
		for (uint64_t sent = 0; sent < l->sends; sent += sl_max(l->at_once, 1ul))
			EXPECT_EQ(on, spin_wanted(s, *now + EPOCH_NS / 2));
		count += on;
		*now += EPOCH_NS;
		s->work.bytes += on ? l->with : l->without;
		s->work.sends += l->sends;
	}
	return count;
}

TEST(a_core_spins_while_more_is_sent_that_way)
{
	struct spin s = {.ns_max = 1};
	struct load pays = {.with = 2000000, .without = 1000000, .sends = 100};
	struct load costs = {.with = 1000000, .without = 1000000, .sends = 100};
	int64_t now = SL_SEC;

	spun(&s, &now, &pays, 500);
	EXPECT_LE(960, spun(&s, &now, &pays, 1000));
	spun(&s, &now, &costs, 2000);
	EXPECT_GE(40, spun(&s, &now, &costs, 1000));
}

TEST(who_finds_several_answers_at_a_time_does_not_try)
{
	struct spin s = {.ns_max = 1};
	struct load alone = {.with = 2000000, .without = 1000000, .sends = 100};
	struct load crowd = {.with = 2000000, .without = 1000000, .sends = 100, .at_once = 5};
	int64_t now = SL_SEC;

	EXPECT_EQ(0, spun(&s, &now, &crowd, 1000));
	spun(&s, &now, &alone, 500);
	EXPECT_LE(90, spun(&s, &now, &alone, 100));
	EXPECT_GE(1, spun(&s, &now, &crowd, 1000));
}

TEST(a_little_more_is_not_worth_it)
{
	struct spin s = {.ns_max = 1};
	struct load little = {.with = 1100000, .without = 1000000, .sends = 100};
	int64_t now = SL_SEC;

	EXPECT_GE(160, spun(&s, &now, &little, 5000));
}

/* Chance favours neither way: what is sent by chance alone must not look like a gain. */
TEST(what_varies_by_chance_does_not_look_like_a_gain)
{
	struct spin s = {.ns_max = 1};
	int64_t now = SL_SEC;
	int count = 0;

	srandom((unsigned)harness_seed());
	for (int i = 0; i < 20000; i++) {
		uint64_t bytes = 700000 + (uint64_t)random() % 600000;
		struct load l = {.with = bytes, .without = bytes, .sends = 100};

		count += spun(&s, &now, &l, 1);
	}
	EXPECT_GE(20000 / 8, count);
}

TEST(a_core_that_sends_seldom_tries_it_seldom)
{
	struct spin s = {.ns_max = 1};
	struct load seldom = {.with = 5000000, .without = 1000000, .sends = 3};
	int64_t now = SL_SEC;

	EXPECT_GE(63, spun(&s, &now, &seldom, 2000));
}

TEST(an_epoch_with_a_long_pause_tells_nothing)
{
	struct spin s = {.ns_max = 1};
	int64_t now = SL_SEC;

	for (int i = 0; i < 2000; i++) {
		bool on = spin_wanted(&s, now);

		now += (on ? 1 : 20) * EPOCH_NS;
		s.work.bytes += 1000000;
		s.work.sends += 100;
	}
	EXPECT_EQ(0, s.gain > 0);
}

TEST(a_core_that_may_not_spin_does_not)
{
	struct spin s = {0};
	struct load pays = {.with = 2000000, .without = 1000000, .sends = 100};
	int64_t now = SL_SEC;

	EXPECT_EQ(0, spun(&s, &now, &pays, 1000));
}

/* ---- a core ----------------------------------------------------------------------------- */

/* Makes the core spin whenever it has nothing to do: what it measures is not known here. */
static void always(struct peer *x, void *arg)
{
	(void)arg;
	x->core->spin.on = true;
	x->core->spin.began_at = sl_clock_ns() + 3600 * SL_SEC;
}

static void read_spun(struct peer *x, void *ret_ns)
{
	*(uint64_t *)ret_ns = sl_core_metrics(x->core)->scalars[SL_M_CORE_SPIN];
}

/* While it waits for each of these it spins for up to a second, or until they come. */
static void talk(struct peer *x)
{
	uint64_t spun_ns;
	int fd;

	peer_do(x, always, NULL);
	fd = peer_connect(x);
	for (int i = 0; i < 20; i++)
		peer_ping(fd, "hello");
	close(fd);
	peer_do(x, read_spun, &spun_ns);
	EXPECT_LT(0, spun_ns);
}

TEST(a_spinning_core_serves_and_stops)
{
	struct sl_cores_conf conf = {.spin_ns = SL_SEC};

	peer_run(&(struct peer){.conf = &conf, .client = talk});
}

TEST_HARNESS_MAIN
