/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: telling systemd how the daemon is (Type=notify). Each call does nothing, and returns 0,
 * when the daemon was not started by a manager that asked for it (NOTIFY_SOCKET).
 */
#ifndef DATAPLANE_NOTIFY_H
#define DATAPLANE_NOTIFY_H

#include <stdint.h>

/* Every listener serves; @status is a line for `systemctl status`. Return: 0 or -errno. */
int sl_notify_ready(const char *status);

/* Settings are being read again; followed by sl_notify_ready(). */
int sl_notify_reloading(void);

/* The daemon drains; @status as above. */
int sl_notify_stopping(const char *status);

/* Changes the line alone. */
int sl_notify_status(const char *status);

/**
 * sl_notify_watchdog_ns() - how often sl_notify_alive() has to be called: half of the time after
 * which the manager would kill the daemon; 0: not at all.
 */
int64_t sl_notify_watchdog_ns(void);
int sl_notify_alive(void);

#endif
