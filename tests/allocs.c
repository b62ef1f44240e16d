/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts and fails (allocs.h), in front of the C library's own. */
#include <errno.h>
#include <stdlib.h>

#include "allocs.h"
#include "dataplane/dataplane.h"

static unsigned long calls;
static unsigned long failing; /* the number of the call that fails, from now on; 0: none */

unsigned long allocs_counted(void)
{
	return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

void allocs_fail(unsigned long nth)
{
	__atomic_store_n(&failing, nth ? allocs_counted() + nth : 0, __ATOMIC_RELAXED);
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

/* Return: whether this call may have what it asks for. */
static bool count(void)
{
	if (!sl_core_self())
		return true;
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) !=
	    __atomic_load_n(&failing, __ATOMIC_RELAXED))
		return true;
	errno = ENOMEM;
	return false;
}

void *malloc(size_t n)
{
	return count() ? __libc_malloc(n) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return count() ? __libc_calloc(n, size) : NULL;
}

void *realloc(void *p, size_t n)
{
	return count() ? __libc_realloc(p, n) : NULL;
}
#endif
