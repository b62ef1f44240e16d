/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a core that has nothing to do looks for something for a moment before it sleeps.
 *
 * Interface: spin_wanted() of core_pvt.h. A core that sleeps is woken by an interrupt from the
 * processor of whoever has something for it, and both pay: on a virtual machine some 20 us each.
 * With few connections, whose requests follow their answers, that is most of their time; with many
 * it is little, and a spinning core spends time that others could use. Which it is, is measured:
 * time is cut into epochs, one in EXPLORE of them is spent the way that seems the worse one, and
 * the bytes sent in it a second are held against those of the epoch before. The share by which
 * they differ, of their sum, is symmetric, so that chance alone does not favour either way.
 *
 * A core that sends seldom never spins: of what it sends in an epoch nothing can be told. Neither
 * does one that finds work for several answers each time that it wakes, who share the cost of it:
 * what the trials alone cost there is more than spinning could bring.
 */
#include "core_pvt.h"

#define EPOCH_NS (2 * SL_MSEC)

enum { EXPLORE = 32, SENDS_MIN = 8, SENDS_A_WAKE_MAX = 3 };

/* A quarter more has to be sent, and spinning goes on while it is a tenth. */
#define GAIN_BEGIN (0.25 / 2.25)
#define GAIN_GO_ON (0.10 / 2.10)
#define GAIN_WEIGHT 0.125

/* What the epoch brought a second; 0: it was too long, so the core was idle or stalled, or too
 * little was sent. */
static uint64_t rate(const struct spin *s, int64_t took)
{
	if (took > 4 * EPOCH_NS || s->work.sends - s->began.sends < SENDS_MIN)
		return 0;
	return (s->work.bytes - s->began.bytes) * SL_SEC / (uint64_t)took;
}

/* The epoch that ended was spent the other way than the one before. */
static void learn(struct spin *s, uint64_t per_s)
{
	double with = (double)(s->on ? per_s : s->before_per_s);
	double without = (double)(s->on ? s->before_per_s : per_s);

	s->gain += ((with - without) / (with + without) - s->gain) * GAIN_WEIGHT;
	s->pays = s->gain > (s->pays ? GAIN_GO_ON : GAIN_BEGIN);
}

/* Whether the epoch's wakes brought several answers each. */
static bool shares_wakes(const struct spin *s)
{
	return s->work.sends - s->began.sends > SENDS_A_WAKE_MAX * s->looks;
}

bool spin_wanted(struct spin *s, int64_t now)
{
	int64_t took = now - s->began_at;
	uint64_t per_s;

	if (!s->ns_max)
		return false;
	s->looks++;
	if (took < EPOCH_NS)
		return s->on;
	per_s = rate(s, took);
	if (shares_wakes(s)) {
		s->pays = s->on = false;
		s->gain = 0;
		per_s = 0;
	} else {
		if (s->on != s->pays && per_s && s->before_per_s)
			learn(s, per_s);
		s->on = s->pays != (++s->turn % EXPLORE == 0);
	}
	s->before_per_s = per_s;
	s->began_at = now;
	s->began = s->work;
	s->looks = 0;
	return s->on;
}
