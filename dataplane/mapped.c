/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mapped files: reading them without dying of it, and what of them is at hand for a connection.
 *
 * Interface: sl_mapped_try() of mapped.h, mapped_bytes() of conn_pvt.h. What cannot be read is a
 * SIGBUS of whoever reads it, which a handler turns into an error; any other SIGBUS goes to whoever
 * had it before. Invariant: memory that is given to a connection was in the page cache a moment
 * ago, and was touched since, so that reading it waits for no disk.
 *
 * Order of parts: SIGBUS; what is at hand.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "conn_pvt.h"
#include "mapped.h"

/* ---- SIGBUS ----------------------------------------------------------------------------- */

static __thread sigjmp_buf *volatile guarded;
static struct sigaction before;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	if (guarded)
		siglongjmp(*guarded, 1);
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(sig, info, context);
	else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)
		signal(sig, SIG_DFL); /* what brought us here comes again, and ends the process */
	else
		before.sa_handler(sig);
}

static void install(void)
{
	/* Not blocked while it runs, for it is left by a jump. */
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &before);
}

/* The thread sanitizer blocks all signals while a handler runs, whatever that asks for. */
static void unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int sl_mapped_try(void (*fn)(void *arg), void *arg)
{
	sigjmp_buf here;

	pthread_once(&installed, install);
	if (sigsetjmp(here, 0)) {
		guarded = NULL;
		unblock();
		return -EIO;
	}
	guarded = &here;
	fn(arg);
	guarded = NULL;
	return 0;
}

/* ---- what is at hand -------------------------------------------------------------------- */

enum { PAGE_BYTES = 4096 };

struct range {
	const uint8_t *data;
	size_t len;
};

/* Brings its pages into the page table. */
static void touch(void *arg)
{
	const struct range *r = arg;
	const volatile uint8_t *p = r->data;

	for (size_t i = 0; i < r->len; i += PAGE_BYTES)
		(void)p[i];
	(void)p[r->len - 1];
}

const uint8_t *mapped_bytes(struct sl_conn *c, const struct sl_extent *e, uint64_t off, size_t len)
{
	int (*map)(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data) =
		__atomic_load_n(&e->file->map, __ATOMIC_ACQUIRE);
	struct range r = {.len = len};

	SL_ASSERT(len && off <= e->len && len <= e->len - off);
	if (!map || !residency_has(c, e, off, len))
		return NULL;
	if (map(e->file, e->off + off, len, &r.data)) {
		rung_fell_back(c, SL_FALLBACK_MAP);
		return NULL;
	}
	if (sl_mapped_try(touch, &r)) {
		rung_fell_back(c, SL_FALLBACK_UNREADABLE);
		return NULL;
	}
	return r.data;
}
