/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts (allocs.h), in front of the C library's own. */
#include <stdlib.h>

#include "allocs.h"
#include "dataplane/dataplane.h"

static unsigned long calls;

unsigned long allocs_counted(void)
{
	return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool allocs_can_count(void)
{
	return false;
}
#else
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

bool allocs_can_count(void)
{
	return true;
}

static void count(void)
{
	if (sl_core_self())
		__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t n)
{
	count();
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count();
	return __libc_realloc(p, n);
}
#endif
