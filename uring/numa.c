/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory nodes: which there are, whose processors are whose, and on which one memory comes to lie.
 *
 * Interface: sl_numa_*() of uring.h. The only file that calls libnuma. Invariant: a node is asked
 * for and not insisted on: when it has no memory left, another one gives it.
 *
 * Order of parts: nodes; policies; pages.
 */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <unistd.h>

#include "uring.h"

/* A set of nodes as system calls take it; the kernel reads one bit less than it is told of. */
enum { MASK_BITS = SL_NUMA_NODES_MAX + 1 };

/* ---- nodes ------------------------------------------------------------------------------ */

int sl_numa_nodes(void)
{
	struct bitmask *allowed;
	unsigned n;

	if (numa_available() < 0)
		return 1;
	allowed = numa_get_mems_allowed();
	n = numa_bitmask_weight(allowed);
	numa_bitmask_free(allowed);
	return (int)sl_max(n, 1u);
}

int sl_numa_node_of_cpu(int cpu)
{
	int node = numa_available() < 0 ? -1 : numa_node_of_cpu(cpu);

	return node < SL_NUMA_NODES_MAX ? node : -1;
}

/* ---- policies --------------------------------------------------------------------------- */

static void mask_of(int node, unsigned long *ret_mask)
{
	const unsigned bits = 8 * sizeof(*ret_mask);

	SL_ASSERT(node >= 0 && node < SL_NUMA_NODES_MAX);
	ret_mask[(unsigned)node / bits] |= 1UL << (unsigned)node % bits;
}

int sl_numa_prefer(int node, struct sl_numa_policy *ret_before)
{
	struct sl_numa_policy before = {0};
	unsigned long mask[SL_NUMA_MASK_WORDS] = {0};

	mask_of(node, mask);
	if (get_mempolicy(&before.mode, before.mask, MASK_BITS, NULL, 0) ||
	    set_mempolicy(MPOL_PREFERRED, mask, MASK_BITS))
		return -errno;
	*ret_before = before;
	return 0;
}

int sl_numa_restore(const struct sl_numa_policy *policy)
{
	return set_mempolicy(policy->mode, policy->mask, MASK_BITS) ? -errno : 0;
}

int sl_numa_bind(void *p, size_t len, int node)
{
	unsigned long mask[SL_NUMA_MASK_WORDS] = {0};

	mask_of(node, mask);
	return mbind(p, len, MPOL_PREFERRED, mask, MASK_BITS, 0) ? -errno : 0;
}

/* ---- pages ------------------------------------------------------------------------------ */

int sl_numa_node_of(const void *p)
{
	void *page = (void *)((uintptr_t)p & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1));
	int status = -ENOENT;

	/* Without a list of nodes to move to it tells where a page lies. */
	if (move_pages(0, 1, &page, NULL, &status, 0))
		return -errno;
	return status == -EFAULT ? -ENOENT : status; /* as older kernels say it */
}
