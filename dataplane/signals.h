/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals: SIGTERM, SIGINT, SIGHUP and SIGUSR1 as readable events of a descriptor.
 *
 * The main thread blocks them before any other thread is made, so that all threads inherit the
 * mask and none is ever interrupted; core 0 polls the descriptor by its ring. SIGPIPE is ignored.
 */
#ifndef DATAPLANE_SIGNALS_H
#define DATAPLANE_SIGNALS_H

enum sl_signal {
	SL_SIGNAL_NONE,
	SL_SIGNAL_STOP, /* SIGTERM, SIGINT: drain, sync, end */
	SL_SIGNAL_RELOAD, /* SIGHUP: read the settings again */
	SL_SIGNAL_REPORT, /* SIGUSR1: log what the daemon holds */
};

/**
 * sl_signals_open() - block the signals in the calling thread and those that it makes from now
 * on, and ignore SIGPIPE. Return: a non-blocking descriptor to poll for POLLIN, or -errno.
 */
int sl_signals_open(void);

/**
 * sl_signals_next() - take the next signal off @fd. Several of a kind may have become one.
 * Return: an enum sl_signal, SL_SIGNAL_NONE when none is left, or -errno.
 */
int sl_signals_next(int fd);

#endif
