// SPDX-License-Identifier: Apache-2.0
/*
 * The program `sluice`, run by a test.
 *
 * Interface: run.h. Input and outputs are files of harness_tmpdir(), so that nobody waits for a
 * full pipe.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define ARGS_MAX 30

static int file_open(const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", harness_tmpdir(), name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	return fd;
}

static void file_read(const char *name, char *ret_text)
{
	int fd = file_open(name, O_RDONLY);
	ssize_t n = read(fd, ret_text, RUN_OUT_BYTES - 1);

	ASSERT_LE(0, n);
	ret_text[n] = 0;
	close(fd);
}

static void child(unsigned port, const char *const *args)
{
	const char *argv[ARGS_MAX + 2] = {harness_build_path("sluice")};
	char bootstrap[32];

	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", port ? port : 1);
	setenv("SLUICE_BOOTSTRAP", bootstrap, 1);
	for (int i = 0; args[i] && i < ARGS_MAX; i++)
		argv[i + 1] = args[i];
	dup2(file_open("input", O_RDONLY), STDIN_FILENO);
	dup2(file_open("out", O_WRONLY | O_CREAT | O_TRUNC), STDOUT_FILENO);
	dup2(file_open("err", O_WRONLY | O_CREAT | O_TRUNC), STDERR_FILENO);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

const struct run_result *run_sluice(unsigned bootstrap_port, const char *input,
				    const char *const *args)
{
	static struct run_result r;
	int fd = file_open("input", O_WRONLY | O_CREAT | O_TRUNC), status;
	size_t len = input ? strlen(input) : 0;
	pid_t pid;

	ASSERT_EQ((ssize_t)len, write(fd, input ? input : "", len));
	close(fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		child(bootstrap_port, args);
	while (waitpid(pid, &status, 0) < 0)
		ASSERT_EQ(EINTR, errno);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	file_read("out", r.out);
	file_read("err", r.err);
	return &r;
}
