// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks of processors: of the server, our own, and of the whole machine.
 *
 * Interface: bench_cpu_read(). On loopback the kernel does the network's work of one side on the
 * other side's processor now and then, so the sum over the machine is read as well.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"

/* Reads the start of a file of /proc as text. */
static int text_read(const char *path, char *ret_text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return -errno;
	n = fread(ret_text, 1, size - 1, f);
	ret_text[n] = 0;
	fclose(f);
	return n ? 0 : -ESRCH;
}

/* utime and stime are the 14th and 15th word; the 2nd, in parentheses, may hold anything. */
static int process_read(int64_t pid, double *ret_s)
{
	unsigned long long user, system;
	char path[64], text[1024];
	const char *at;
	int err;

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	err = text_read(path, text, sizeof(text));
	if (err)
		return -ESRCH;
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			  &system) != 2)
		return -ESRCH;
	*ret_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	return 0;
}

/* All but idle and iowait; and what of it was done for no process. */
static void machine_read(struct bench_cpu *cpu)
{
	unsigned long long v[8] = {0};
	char text[512];

	if (text_read("/proc/stat", text, sizeof(text)) ||
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
		   &v[4], &v[5], &v[6], &v[7]) < 4)
		return;
	cpu->irq_s = (double)(v[5] + v[6]) / (double)sysconf(_SC_CLK_TCK);
	cpu->busy_s = (double)(v[0] + v[1] + v[2]) / (double)sysconf(_SC_CLK_TCK) + cpu->irq_s;
}

static double timeval_s(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int bench_cpu_read(int64_t pid, struct bench_cpu *ret_cpu)
{
	struct bench_cpu cpu = {.at_ns = now_ns(), .server_s = -1};
	struct rusage self;

	if (pid && process_read(pid, &cpu.server_s))
		return -ESRCH;
	getrusage(RUSAGE_SELF, &self);
	cpu.client_s = timeval_s(self.ru_utime) + timeval_s(self.ru_stime);
	machine_read(&cpu);
	*ret_cpu = cpu;
	return 0;
}
