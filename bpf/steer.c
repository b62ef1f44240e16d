// SPDX-License-Identifier: Apache-2.0
/*
 * steer: loads steer.bpf.c, lets listeners join its groups and gives it its rules.
 *
 * Interface: the part of bpf.h on steering. Joining and rules need no privileges: they go by the
 * descriptors of the maps.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/socket.h>

#include "bpf_pvt.h"
#include "steer.skel.h"

static int load(struct bpf_load *l, struct steer_bpf *skel)
{
	uint32_t cores = sl_min(sl_max(l->conf->steer_cores, 1u), (uint32_t)SL_STEER_CORES);
	uint32_t sockets = cores * sl_max(l->conf->steer_groups, 1u);
	int err;

	skel->rodata->cores = cores;
	bpf_map__set_max_entries(skel->maps.sockets, sockets);
	bpf_map__set_max_entries(skel->maps.groups, sockets);
	err = steer_bpf__load(skel);
	return err ? bpf_refuse(l, "the kernel does not load it", err) : 0;
}

int steer_load(struct bpf_load *l)
{
	struct steer_bpf *skel = steer_bpf__open();
	int err;

	if (!skel)
		return bpf_refuse(l, "it cannot be opened", -errno);
	err = load(l, skel);
	if (err) {
		steer_bpf__destroy(skel);
		return err;
	}
	l->skel = skel;
	l->data = &skel->bss->steer;
	return 0;
}

void steer_unload(void *skel)
{
	steer_bpf__destroy(skel);
}

int steer_join(void *skel, uint32_t group, uint32_t core, int fd)
{
	struct steer_bpf *s = skel;
	uint32_t at = group * s->rodata->cores + core;
	int program = bpf_program__fd(s->progs.choose_core);
	uint64_t cookie, value = (uint64_t)fd;
	socklen_t len = sizeof(cookie);
	int err;

	if (core >= s->rodata->cores)
		return -ERANGE;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return -errno;
	err = bpf_map__update_elem(s->maps.sockets, &at, sizeof(at), &value, sizeof(value), 0);
	if (!err)
		err = bpf_map__update_elem(s->maps.groups, &cookie, sizeof(cookie), &group,
					   sizeof(group), 0);
	if (err)
		return err;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)))
		return -errno;
	return 0;
}

static int forget_rules(struct bpf_map *map)
{
	struct sl_steer_prefix prefix;
	int err;

	while (!(err = bpf_map__get_next_key(map, NULL, &prefix, sizeof(prefix)))) {
		err = bpf_map__delete_elem(map, &prefix, sizeof(prefix), 0);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int steer_rules(void *skel, const struct sl_steer_rule *rules, size_t n)
{
	struct steer_bpf *s = skel;
	int err = forget_rules(s->maps.rules);

	for (size_t i = 0; i < n && !err; i++)
		err = bpf_map__update_elem(s->maps.rules, &rules[i].prefix,
					   sizeof(rules[i].prefix), &rules[i].mask,
					   sizeof(rules[i].mask), 0);
	return err;
}
