/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel's io_uring can do, and, where it refuses, why and what helps.
 *
 * Interface: sl_feature_info(), sl_ring_has(); inside the folder feature_probe() and
 * feature_explain(). The rows are in features.def; set-up flags are found by ring.c's ladder,
 * operations by the kernel's own probe, the rest here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "uring_pvt.h"

static const struct sl_feature_info features[SL_FEATURE_LAST] = {
#define X(name, since, required, without) [SL_FEATURE_##name] = {#name, since, required, without},
#include "features.def"
#undef X
};

const struct sl_feature_info *sl_feature_info(enum sl_feature f)
{
	SL_ASSERT(f < SL_FEATURE_LAST);
	return &features[f];
}

bool sl_ring_has(const struct sl_ring *ring, enum sl_feature f)
{
	SL_ASSERT(f < SL_FEATURE_LAST);
	return ring->features >> f & 1;
}

/* Features that the kernel tells of by a bit of io_uring_params.features. */
static const struct {
	uint32_t bit;
	enum sl_feature feature;
} by_param[] = {
	{IORING_FEAT_EXT_ARG, SL_FEATURE_EXT_ARG},
	{IORING_FEAT_NODROP, SL_FEATURE_NODROP},
	{IORING_FEAT_RECVSEND_BUNDLE, SL_FEATURE_RECV_BUNDLE},
};

/* Features that stand and fall with an operation; MULTISHOT_RECV came with SEND_ZC in 6.0. */
static const struct {
	uint8_t opcode;
	enum sl_feature feature;
} by_opcode[] = {
	{IORING_OP_MSG_RING, SL_FEATURE_MSG_RING},
	{IORING_OP_SOCKET, SL_FEATURE_MULTISHOT_ACCEPT},
	{IORING_OP_SEND_ZC, SL_FEATURE_MULTISHOT_RECV},
	{IORING_OP_SEND_ZC, SL_FEATURE_SEND_ZC},
	{IORING_OP_FTRUNCATE, SL_FEATURE_FTRUNCATE},
};

static void probe_buf_ring(struct sl_ring *ring)
{
	int err;
	struct io_uring_buf_ring *br = io_uring_setup_buf_ring(&ring->uring, 1, UINT16_MAX, 0,
							       &err);

	if (!br)
		return;
	feature_set(ring, SL_FEATURE_PROVIDED_BUFFERS);
	io_uring_free_buf_ring(&ring->uring, br, 1, UINT16_MAX);
}

static int missing(const struct sl_ring *ring, char *why, size_t len)
{
	for (int f = 0; f < SL_FEATURE_LAST; f++) {
		struct utsname u;

		if (!features[f].required || sl_ring_has(ring, (enum sl_feature)f))
			continue;
		uname(&u);
		snprintf(why, len,
			 "io_uring of this kernel (%s) has no %s (%s), which came with Linux %s; "
			 "sluice needs Linux 6.1 or later: boot a newer kernel",
			 u.release, features[f].name, features[f].without, features[f].since);
		return -ENOSYS;
	}
	return 0;
}

int feature_probe(struct sl_ring *ring, char *why, size_t len)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);

	if (!probe) {
		snprintf(why, len, "io_uring cannot be probed: out of memory, or seccomp refuses "
				   "io_uring_register");
		return -ENOSYS;
	}
	for (int op = 0; op < SL_OP_LAST; op++)
		if (op_table[op].prep && io_uring_opcode_supported(probe, op_table[op].opcode))
			ring->opcodes |= UINT64_C(1) << op;
	for (size_t i = 0; i < SL_ARRAY_SIZE(by_opcode); i++)
		if (io_uring_opcode_supported(probe, by_opcode[i].opcode))
			feature_set(ring, by_opcode[i].feature);
	io_uring_free_probe(probe);
	for (size_t i = 0; i < SL_ARRAY_SIZE(by_param); i++)
		if (ring->uring.features & by_param[i].bit)
			feature_set(ring, by_param[i].feature);
	probe_buf_ring(ring);
	return missing(ring, why, len);
}

/* Return: the value of kernel.io_uring_disabled, or -1 where there is no such setting. */
static int disabled_by_sysctl(void)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

void feature_explain(int err, char *why, size_t len)
{
	int sysctl = disabled_by_sysctl();
	struct utsname u;

	uname(&u);
	if (err == -EPERM && sysctl > 0)
		snprintf(why, len,
			 "io_uring is disabled by the sysctl kernel.io_uring_disabled=%d; "
			 "allow it with: sysctl kernel.io_uring_disabled=0%s",
			 sysctl, sysctl == 1 ? ", or run sluiced as root" : "");
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, len,
			 "a seccomp filter refuses io_uring_setup (%s); run the container with "
			 "packaging/seccomp-io-uring.json as its profile", strerror(-err));
	else if (err == -ENOSYS)
		snprintf(why, len,
			 "this kernel (%s) has no io_uring, or a seccomp filter hides it; sluice "
			 "needs Linux 6.1 or later with CONFIG_IO_URING, and in a container "
			 "packaging/seccomp-io-uring.json as its profile", u.release);
	else if (err == -ENOMEM)
		snprintf(why, len,
			 "no memory for a ring: raise the locked-memory limit (ulimit -l, or "
			 "LimitMEMLOCK= in the unit)");
	else if (err == -EMFILE || err == -ENFILE)
		snprintf(why, len, "no descriptor for a ring: raise RLIMIT_NOFILE (ulimit -n)");
	else
		snprintf(why, len, "io_uring_setup on kernel %s: %s", u.release, strerror(-err));
}
