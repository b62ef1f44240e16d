// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top_screen.c: the live screen on a terminal of the test's own. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/daemon.h"
#include "harness.h"

enum { SCREEN_BYTES = 1 << 20 };

/* @seen: all that the program wrote to its terminal. */
FIXTURE(screen)
{
	struct daemon_kit d;
	int terminal;
	pid_t pid;
	char seen[SCREEN_BYTES];
	size_t n;
};

static void size_set(int terminal, unsigned short columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};

	ASSERT_EQ(0, ioctl(terminal, TIOCSWINSZ, &size));
}

static void top_start(FIXTURE_DATA(screen) * self, unsigned http_port, const char *term)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char http[32];

	snprintf(http, sizeof(http), "127.0.0.1:%u", http_port);
	self->pid = forkpty(&self->terminal, NULL, NULL, &size);
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		setenv("TERM", term, 1);
		unsetenv("NO_COLOR");
		execl(harness_build_path("sluice"), "sluice", "top", "--interval", "100ms",
		      "--http", http, (char *)NULL);
		_exit(127);
	}
}

/* Reads on for at most @ms. Return: whether anything came. */
static bool read_some(FIXTURE_DATA(screen) * self, int ms)
{
	struct pollfd p = {.fd = self->terminal, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	ASSERT_GT(SCREEN_BYTES - 1, self->n);
	n = read(self->terminal, self->seen + self->n, SCREEN_BYTES - 1 - self->n);
	if (n <= 0)
		return false; /* EIO: the program has ended */
	self->n += (size_t)n;
	return true;
}

/* Waits until @text was written, behind what earlier calls found. */
static void expect_seen(FIXTURE_DATA(screen) * self, const char *text)
{
	const char *at;

	while (!(at = memmem(self->seen, self->n, text, strlen(text))))
		if (!read_some(self, 20000 * harness_time_scale())) {
			TH_LOG("no '%s' in what was written: %.*s", text, (int)self->n, self->seen);
			ASSERT_TRUE(false);
		}
	self->n -= (size_t)(at - self->seen) + strlen(text);
	memmove(self->seen, at + strlen(text), self->n);
}

static void type(FIXTURE_DATA(screen) * self, const char *keys)
{
	ASSERT_EQ((ssize_t)strlen(keys), write(self->terminal, keys, strlen(keys)));
}

static void expect_end(FIXTURE_DATA(screen) * self, int status)
{
	int seen;

	while (read_some(self, 20000 * harness_time_scale()))
		;
	ASSERT_EQ(self->pid, waitpid(self->pid, &seen, 0));
	EXPECT_EQ(status, WIFEXITED(seen) ? WEXITSTATUS(seen) : 128 + WTERMSIG(seen));
	close(self->terminal);
}

FIXTURE_SETUP(screen)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
}

FIXTURE_TEARDOWN(screen)
{
	if (daemon_runs(&self->d))
		EXPECT_EQ(0, daemon_stop(&self->d));
}

TEST_F(screen, tables_and_keys_are_shown_until_q)
{
	top_start(self, self->d.http_port, "xterm-256color");
	expect_seen(self, "sluice " SL_VERSION);
	expect_seen(self, "q quit");
	expect_seen(self, "LISTENERS");
	expect_seen(self, "zero-copy");
	type(self, "q");
	expect_end(self, 0);
}

TEST_F(screen, keys_sort_pause_and_show_idle_rows)
{
	top_start(self, self->d.http_port, "xterm-256color");
	expect_seen(self, "by name");
	expect_seen(self, "q quit");
	type(self, "s");
	expect_seen(self, "usiest first"); /* the b is there already */
	type(self, "a");
	expect_seen(self, "with idle rows");
	type(self, "\033[6~\033[6~");
	expect_seen(self, "KAFKA");
	type(self, "p");
	expect_seen(self, "paused:");
	type(self, "q");
	expect_end(self, 0);
}

TEST_F(screen, layout_follows_the_terminal)
{
	top_start(self, self->d.http_port, "xterm-256color");
	expect_seen(self, "LISTENERS");
	size_set(self->terminal, 140);
	expect_seen(self, "p99.9");
	size_set(self->terminal, 20);
	expect_seen(self, "LISTENERS");
	type(self, "q");
	expect_end(self, 0);
}

TEST_F(screen, colours_are_only_for_terminals_that_have_them)
{
	top_start(self, self->d.http_port, "xterm-256color");
	expect_seen(self, "\033[36m");
	type(self, "q");
	expect_end(self, 0);
	self->n = 0;
	top_start(self, self->d.http_port, "vt100");
	while (!memmem(self->seen, self->n, "LISTENERS", 9))
		ASSERT_TRUE(read_some(self, 20000 * harness_time_scale()));
	EXPECT_NULL(memmem(self->seen, self->n, "\033[36m", 5));
	type(self, "q");
	expect_end(self, 0);
}

TEST_F(screen, daemon_that_is_away_is_asked_again)
{
	unsigned port = self->d.http_port;

	ASSERT_EQ(0, daemon_stop(&self->d));
	top_start(self, port, "xterm-256color");
	expect_seen(self, "Connection refused");
	expect_seen(self, "Trying again.");
	daemon_set(&self->d, "http.listen=127.0.0.1:%u", port);
	daemon_must_start(&self->d);
	expect_seen(self, "LISTENERS");
	ASSERT_EQ(0, daemon_stop(&self->d));
	expect_seen(self, "below is the last answer");
	type(self, "q");
	expect_end(self, 0);
}

TEST_F(screen, unknown_terminal_is_refused)
{
	top_start(self, self->d.http_port, "no-such-terminal");
	expect_seen(self, "'no-such-terminal' is not known");
	expect_end(self, 1);
}

TEST_HARNESS_MAIN
