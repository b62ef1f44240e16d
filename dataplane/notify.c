// SPDX-License-Identifier: Apache-2.0
/*
 * notify: sd_notify(3) in the daemon's words. Interface: notify.h.
 *
 * A message is one datagram to a local socket whose reader is the service manager. The
 * environment is left as it is: a reload and the end come later.
 */
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include <sluice/util.h>

#include "notify.h"
#include "uring/uring.h"

/* A status may not bring lines of its own: each line of a message is an assignment. */
#define STATUS_BYTES_MAX 512

static int send_state(const char *state, const char *status)
{
	char line[STATUS_BYTES_MAX] = "";
	int rc;

	if (status) {
		snprintf(line, sizeof(line), "STATUS=%s", status);
		for (char *p = line; *p; p++)
			if (*p == '\n')
				*p = ' ';
	}
	rc = sd_notifyf(0, "%s%s", state, line);
	return rc < 0 ? rc : 0;
}

int sl_notify_ready(const char *status)
{
	return send_state("READY=1\n", status);
}

/* Type=notify-reload (systemd 253) wants the time of the reload; Type=notify ignores it. */
int sl_notify_reloading(void)
{
	char state[80];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
		 sl_clock_ns() / SL_USEC);
	return send_state(state, "reloading");
}

int sl_notify_stopping(const char *status)
{
	return send_state("STOPPING=1\n", status);
}

int sl_notify_status(const char *status)
{
	return send_state("", status);
}

int64_t sl_notify_watchdog_ns(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return sl_max((int64_t)(usec / 2) * SL_USEC, INT64_C(1));
}

int sl_notify_alive(void)
{
	return send_state("WATCHDOG=1\n", NULL);
}
