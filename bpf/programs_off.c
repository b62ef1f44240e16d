// SPDX-License-Identifier: Apache-2.0
/* Stands for all loaders in a build without CONFIG_BPF: every program is refused, and says why. */
#include <errno.h>
#include <stdio.h>

#include "bpf_pvt.h"

static int load_none(struct bpf_load *l)
{
	return -EOPNOTSUPP;
}

static void unload_none(void *skel)
{
	SL_ASSERT(!skel);
}

const struct bpf_loader bpf_loaders[SL_BPF_LAST] = {
#define X(id, ...) [SL_BPF_##id] = {load_none, unload_none},
#include "programs.def"
#undef X
};

int steer_join(void *skel, uint32_t group, uint32_t core, int fd)
{
	return -EOPNOTSUPP;
}

int steer_rules(void *skel, const struct sl_steer_rule *rules, size_t n)
{
	return -EOPNOTSUPP;
}

int ports_join(void *skel, uint32_t at, uint32_t core, int fd)
{
	return -EOPNOTSUPP;
}

int bpf_prepare(struct bpf_shared *ret_shared, char *why, size_t why_len)
{
	snprintf(why, why_len,
		 "this sluice was built without its kernel programs; install clang, "
		 "bpftool and libbpf and build it again");
	return -EOPNOTSUPP;
}
