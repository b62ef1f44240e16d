// SPDX-License-Identifier: Apache-2.0
/*
 * signals: a signalfd. Interface: signals.h.
 * The descriptor is read by a plain call: it has no position, which the operation table's reads
 * need, and what comes from it is no input that a test would fail.
 * Invariant: what is blocked is what the descriptor tells of, and no more.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "signals.h"

static const struct {
	int number;
	enum sl_signal meaning;
} table[] = {
	{SIGTERM, SL_SIGNAL_STOP},
	{SIGINT, SL_SIGNAL_STOP},
	{SIGHUP, SL_SIGNAL_RELOAD},
	{SIGUSR1, SL_SIGNAL_REPORT},
};

int sl_signals_open(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set, old;
	int fd, rc;

	sigemptyset(&set);
	for (size_t i = 0; i < SL_ARRAY_SIZE(table); i++)
		sigaddset(&set, table[i].number);
	rc = pthread_sigmask(SIG_BLOCK, &set, &old);
	if (rc)
		return -rc;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		rc = -errno;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		return rc;
	}
	sigaction(SIGPIPE, &ignore, NULL);
	return fd;
}

int sl_signals_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? SL_SIGNAL_NONE : -errno;
	SL_ASSERT(n == sizeof(info)); /* a signalfd gives whole records */
	for (size_t i = 0; i < SL_ARRAY_SIZE(table); i++)
		if (table[i].number == (int)info.ssi_signo)
			return table[i].meaning;
	return -EPROTO;
}
