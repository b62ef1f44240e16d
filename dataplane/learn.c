/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to which size is copying an extent cheaper than sendfile? It depends on the machine, the
 * kernel and what the listener's clients are; with deliver.adaptive each listener measures it.
 *
 * Interface: learn_*() of conn_pvt.h. Sizes fall into classes of a power of two from 4 KiB on; of
 * each the average cost of both ways is kept, and one extent in EXPLORE goes the way that seems
 * dearer or is not known, so that the averages stay true. Costs are of whole replies, since the
 * way of the extent decides how many calls the reply takes.
 */
#include "conn_pvt.h"

enum { CLASS_BYTES_MIN = 4 << 10, EXPLORE = 64, WEIGHT = 16 };

/* -1: so small that copying is always right; LEARN_CLASSES: so large that it never is. */
static int class_of(uint64_t len)
{
	int class = -1;

	while (class < LEARN_CLASSES && len >= (uint64_t)CLASS_BYTES_MIN << (class + 1))
		class++;
	return class;
}

bool learn_says_copy(struct learnt *l, uint64_t len, bool usual)
{
	int class = class_of(len);
	const uint32_t *cost;
	bool copy;

	if (class < 0 || class == LEARN_CLASSES)
		return class < 0;
	cost = l->cost_ns[class];
	copy = cost[0] && cost[1] ? cost[1] < cost[0] : usual;
	return copy != (l->turn[class]++ % EXPLORE == EXPLORE - 1);
}

void learn_note(struct learnt *l, uint64_t len, bool copied, uint64_t ns)
{
	int class = class_of(len);
	uint32_t *cost;

	if (class < 0 || class == LEARN_CLASSES)
		return;
	cost = &l->cost_ns[class][copied];
	/* One that was interrupted says nothing; a lasting change gets through by and by. */
	ns = sl_min(ns, *cost ? (uint64_t)*cost * 4 : (uint64_t)SL_MSEC);
	if (!*cost)
		*cost = (uint32_t)ns + 1;
	else
		*cost = (uint32_t)((*cost * (uint64_t)(WEIGHT - 1) + ns) / WEIGHT) + 1;
}
