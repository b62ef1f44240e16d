/* SPDX-License-Identifier: Apache-2.0 */
/* Memory nodes: of processors, of threads, of ranges; with one node all of it names that one. */
#include <errno.h>
#include <numa.h>
#include <sys/mman.h>

#include "harness.h"
#include "uring/uring.h"

enum { PAGE = 4096, PAGES = 16 };

static uint8_t *fresh(void)
{
	uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_TRUE(p != MAP_FAILED);
	madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* Whether pages can be asked where they lie: kernels without NUMA and some containers refuse. */
static bool can_ask(void)
{
	uint8_t *p = fresh();
	int res;

	p[0] = 1;
	res = sl_numa_node_of(p);
	munmap(p, PAGES * PAGE);
	if (res < 0)
		SKIP(return false, "move_pages: %s", strerrorname_np(-res));
	return true;
}

/* Touches all of @p; all must come to lie on @node. */
static void expect_on(uint8_t *p, int node)
{
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(-ENOENT, sl_numa_node_of(p + i * PAGE));
		p[i * PAGE + 5] = 1;
		EXPECT_EQ(node, sl_numa_node_of(p + i * PAGE + 77));
	}
	munmap(p, PAGES * PAGE);
}

/* Nodes with memory, in order. Return: how many. */
static int nodes_of(int nodes[static 64])
{
	struct bitmask *allowed = numa_get_mems_allowed();
	int n = 0;

	for (int i = 0; i < 64; i++)
		if (numa_bitmask_isbitset(allowed, (unsigned)i))
			nodes[n++] = i;
	numa_bitmask_free(allowed);
	return n;
}

TEST(every_processor_has_its_node)
{
	EXPECT_LE(1, sl_numa_nodes());
	EXPECT_EQ(-1, sl_numa_node_of_cpu(1 << 20));
	if (numa_available() < 0)
		SKIP(return, "a kernel without NUMA");
	for (int cpu = 0; cpu < numa_num_configured_cpus(); cpu++) {
		EXPECT_LE(0, sl_numa_node_of_cpu(cpu));
		EXPECT_GT(SL_NUMA_NODES_MAX, sl_numa_node_of_cpu(cpu));
	}
}

TEST(a_thread_takes_its_memory_from_the_node_it_prefers)
{
	struct sl_numa_policy before, between;
	int nodes[64], n;

	if (!can_ask())
		return;
	n = nodes_of(nodes);
	EXPECT_EQ(n, sl_numa_nodes());
	for (int i = 0; i < n; i++) {
		ASSERT_EQ(0, sl_numa_prefer(nodes[i], i ? &between : &before));
		expect_on(fresh(), nodes[i]);
	}
	EXPECT_EQ(0, sl_numa_restore(&before));
	ASSERT_EQ(0, sl_numa_prefer(nodes[0], &between));
	EXPECT_EQ(before.mode, between.mode);
	EXPECT_MEMEQ(before.mask, between.mask, sizeof(before.mask));
}

TEST(a_range_lies_where_it_is_bound_to)
{
	int nodes[64], n;

	if (!can_ask())
		return;
	n = nodes_of(nodes);
	for (int i = 0; i < n; i++) {
		struct sl_numa_policy before;
		uint8_t *p = fresh();

		/* Whatever the thread itself prefers. */
		ASSERT_EQ(0, sl_numa_prefer(nodes[(i + 1) % n], &before));
		EXPECT_EQ(0, sl_numa_bind(p, PAGES * PAGE, nodes[i]));
		expect_on(p, nodes[i]);
		EXPECT_EQ(0, sl_numa_restore(&before));
	}
	EXPECT_EQ(-EINVAL, sl_numa_bind((void *)1, PAGE, nodes[0]));
}

TEST_HARNESS_MAIN
