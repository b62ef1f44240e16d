/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: what collections take of it, and the bound on that.
 *
 * Interface: "memory" of objects_pvt.h. Each core counts its own collections, when they are opened,
 * written to and shown, and all look at the cores' sums.
 * Invariant: a core's sum is that of what its collections were counted as.
 */
#include "objects_pvt.h"

uint64_t memory_of(const struct collection *c)
{
	uint64_t n = sizeof(*c) + rows_bytes(&c->rows) + far_bytes(c);

	for (uint32_t i = 0; i < c->vectors_n; i++)
		n += vector_bytes(c->vectors[i]);
	return n;
}

static void count_as(struct collection *c, uint64_t bytes)
{
	uint64_t *sum = &c->cs->memory_bytes;

	__atomic_store_n(sum, *sum - c->counted_bytes + bytes, __ATOMIC_RELAXED);
	c->counted_bytes = bytes;
}

void memory_count(struct collection *c)
{
	count_as(c, memory_of(c));
}

void memory_forget(struct collection *c)
{
	count_as(c, 0);
}

/* Objects are longer than what is kept in memory of them, but for a row and codes. */
int memory_check(struct collection *c, uint64_t bytes)
{
	const struct objects *o = c->cs->o;
	uint64_t max = c->cs->conf.memory_max_bytes, all = bytes;

	if (!max)
		return 0;
	memory_count(c);
	for (uint32_t i = 0; i < o->cores_n; i++)
		all += __atomic_load_n(&o->cores[i].memory_bytes, __ATOMIC_RELAXED);
	return all <= max ? 0 : -ENOMEM;
}
