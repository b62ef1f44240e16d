// SPDX-License-Identifier: Apache-2.0
/*
 * ports: loads ports.bpf.c, attaches it to this process's network namespace, and lets listeners
 * join.
 *
 * Interface: the part of bpf.h on ports of cores. The link is held by a descriptor: the program
 * goes with the process, however that ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bpf_pvt.h"
#include "ports.skel.h"

static int attach(struct bpf_load *l, struct ports_bpf *skel)
{
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (netns < 0)
		return bpf_refuse(l, "/proc/self/ns/net", -errno);
	skel->links.find_core = bpf_program__attach_netns(skel->progs.find_core, netns);
	if (!skel->links.find_core)
		err = bpf_refuse(l, "the network namespace does not take it", -errno);
	close(netns);
	return err;
}

static int load_and_attach(struct bpf_load *l, struct ports_bpf *skel)
{
	uint32_t cores = sl_max(l->conf->steer_cores, 1u);
	int err;

	skel->rodata->cores = cores;
	bpf_map__set_max_entries(skel->maps.sockets, cores * SL_PORTS_ADDRS);
	err = ports_bpf__load(skel);
	return err ? bpf_refuse(l, "the kernel does not load it", err) : attach(l, skel);
}

int ports_load(struct bpf_load *l)
{
	struct ports_bpf *skel = ports_bpf__open();
	int err;

	if (!skel)
		return bpf_refuse(l, "it cannot be opened", -errno);
	err = load_and_attach(l, skel);
	if (err) {
		ports_bpf__destroy(skel);
		return err;
	}
	l->skel = skel;
	l->data = &skel->bss->ports;
	return 0;
}

void ports_unload(void *skel)
{
	ports_bpf__destroy(skel);
}

int ports_join(void *skel, uint32_t at, uint32_t core, int fd)
{
	struct ports_bpf *s = skel;
	uint32_t slot = at * s->rodata->cores + core;
	uint64_t value = (uint64_t)fd;

	SL_ASSERT(core < s->rodata->cores);
	return bpf_map__update_elem(s->maps.sockets, &slot, sizeof(slot), &value, sizeof(value),
				    0);
}
