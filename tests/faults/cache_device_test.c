/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon whose cache is a block device (a loop device here), which it opens when it is confined,
 * and nobody: begun as root, and by somebody who never was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/util.h>

#include "daemon.h"
#include "harness.h"
#include "proto/http/web.h"

enum { NOBODY = 65534, DEVICE_BYTES = 96 << 20 };

FIXTURE(device)
{
	struct daemon_kit d;
	char loop[100]; /* "": there is none */
};

static bool run(const char *command, char *ret_line, int len)
{
	FILE *f = popen(command, "r");

	if (f && fgets(ret_line, len, f))
		ret_line[strcspn(ret_line, "\n")] = '\0';
	return f && !pclose(f);
}

static void attach(char *ret_loop, int len)
{
	char path[300], command[400];
	int fd;

	snprintf(path, sizeof(path), "%s/disk", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, DEVICE_BYTES));
	close(fd);
	snprintf(command, sizeof(command), "losetup --find --show %s 2>/dev/null", path);
	run(command, ret_loop, len);
}

FIXTURE_SETUP(device)
{
	char command[400], line[400] = "";

	daemon_init(&self->d, NULL);
	if (geteuid())
		return;
	ASSERT_EQ(0, chmod(harness_tmpdir(), 0755));
	attach(self->loop, sizeof(self->loop));
	if (!self->loop[0])
		return;
	ASSERT_EQ(0, chown(self->loop, 0, 0));
	snprintf(command, sizeof(command), "%s cache format %s", harness_build_path("sluice"),
		 self->loop);
	ASSERT_TRUE(run(command, line, sizeof(line)));
	daemon_set(&self->d, "cache.path=%s", self->loop);
}

FIXTURE_TEARDOWN(device)
{
	char command[200], line[200];

	if (!self->loop[0])
		return;
	EXPECT_EQ(0, chown(self->loop, 0, 0)); /* the next who gets it need not be nobody */
	snprintf(command, sizeof(command), "losetup -d %s", self->loop);
	EXPECT_TRUE(run(command, line, sizeof(line)));
}

/* The status of the answer to @text, whose body must be @body, unless that is NULL. */
static int ask(const struct daemon_kit *d, const char *text, const char *body)
{
	int fd = serving_connect(d->http_port), status = 0;
	struct web_answer *a = calloc(1, sizeof(*a));

	ASSERT_NOT_NULL(a);
	serving_send(fd, text, strlen(text));
	if (web_read(fd, false, a)) {
		status = a->status;
		if (body)
			EXPECT_STREQ(body, a->body);
		web_answer_done(a);
	}
	free(a);
	close(fd);
	return status;
}

/* Stores, is killed, and finds it again; as nobody, and confined where the kernel can. */
static void store_and_find(struct daemon_kit *d)
{
	static const char put[] = "PUT /cache/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
				  "bytes";
	char path[60], line[100] = "";

	daemon_must_start(d);
	snprintf(path, sizeof(path), "grep ^Uid: /proc/%d/status", (int)d->pid);
	ASSERT_TRUE(run(path, line, sizeof(line)));
	EXPECT_STREQ("Uid:\t65534\t65534\t65534\t65534", line);
	EXPECT_EQ(201, ask(d, put, NULL));
	daemon_kill(d);
	daemon_must_start(d);
	EXPECT_EQ(200, ask(d, "GET /cache/k HTTP/1.1\r\nHost: h\r\n\r\n", "bytes"));
	EXPECT_EQ(0, daemon_stop(d));
	if (daemon_log_count(d, "privileges.not-confined"))
		TH_LOG("this kernel does not confine");
}

TEST_F_TIMEOUT(device, it_is_opened_after_privileges_are_given_up, 60)
{
	if (!self->loop[0])
		SKIP(return, "there is no loop device here, or no root");
	daemon_set(&self->d, "node.user=nobody");
	/* It is still root's. */
	EXPECT_EQ(1, daemon_start(&self->d));
	EXPECT_EQ(1, daemon_log_count(&self->d, "give it to node.user"));
	ASSERT_EQ(0, chown(self->loop, NOBODY, NOBODY));
	store_and_find(&self->d);
}

TEST_F_TIMEOUT(device, it_is_used_by_who_never_was_root, 60)
{
	if (!self->loop[0])
		SKIP(return, "there is no loop device here, or no root");
	ASSERT_EQ(0, chown(self->loop, NOBODY, NOBODY));
	ASSERT_EQ(0, chown(harness_tmpdir(), NOBODY, NOBODY));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, 0)); /* for the teardown; not past exec() */
	if (!access(harness_build_path("sluiced"), X_OK))
		store_and_find(&self->d);
	ASSERT_EQ(0, setresuid(0, 0, 0));
	if (access(self->d.log, F_OK))
		SKIP(return, "nobody may not run %s", harness_build_path("sluiced"));
}

TEST_HARNESS_MAIN
