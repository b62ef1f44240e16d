// SPDX-License-Identifier: Apache-2.0
/* What the service manager hears. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/util.h>

#include "dataplane/notify.h"
#include "harness.h"

FIXTURE(manager)
{
	int fd;
	char heard[1024];
};
FIXTURE_SETUP(manager)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", harness_tmpdir());
	self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, bind(self->fd, (struct sockaddr *)&sa, sizeof(sa)));
	ASSERT_EQ(0, setenv("NOTIFY_SOCKET", sa.sun_path, 1));
}
FIXTURE_TEARDOWN(manager)
{
	close(self->fd);
}

static const char *hear(FIXTURE_DATA(manager) * self)
{
	ssize_t n = recv(self->fd, self->heard, sizeof(self->heard) - 1, 0);

	ASSERT_LE(0, n);
	self->heard[n] = '\0';
	return self->heard;
}

TEST_F(manager, hears_ready_stopping_and_status)
{
	EXPECT_EQ(0, sl_notify_ready("kafka 127.0.0.1:9092"));
	EXPECT_STREQ("READY=1\nSTATUS=kafka 127.0.0.1:9092", hear(self));
	EXPECT_EQ(0, sl_notify_stopping("draining"));
	EXPECT_STREQ("STOPPING=1\nSTATUS=draining", hear(self));
	EXPECT_EQ(0, sl_notify_status("one\nREADY=1"));
	EXPECT_STREQ("STATUS=one READY=1", hear(self));
}

TEST_F(manager, hears_when_a_reload_began)
{
	unsigned long long usec = 0;

	EXPECT_EQ(0, sl_notify_reloading());
	EXPECT_EQ(1, sscanf(hear(self), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &usec));
	EXPECT_LT(0, usec);
}

TEST_F(manager, is_told_twice_in_its_watchdog_time)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	EXPECT_EQ(0, sl_notify_watchdog_ns());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	EXPECT_EQ(1500 * SL_MSEC, sl_notify_watchdog_ns());
	EXPECT_EQ(0, sl_notify_alive());
	EXPECT_STREQ("WATCHDOG=1\n", hear(self));
}

TEST(without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	EXPECT_EQ(0, sl_notify_ready("x"));
	EXPECT_EQ(0, sl_notify_alive());
	EXPECT_EQ(0, sl_notify_watchdog_ns());
}

TEST_HARNESS_MAIN
