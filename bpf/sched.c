// SPDX-License-Identifier: Apache-2.0
/* sched: loads sched.bpf.c and attaches its two programs; both or none. */
#include "bpf_pvt.h"
#include "sched.skel.h"

static int load_and_attach(struct bpf_load *l, struct sched_bpf *skel)
{
	int err;

	skel->rodata->own_tgid = l->shared->tgid;
	err = sched_bpf__load(skel);
	if (err)
		return bpf_refuse(l, "the kernel does not load it", err);
	err = bpf_attach_raw(l, skel->progs.on_wakeup, "sched_wakeup", NULL,
			     &skel->links.on_wakeup);
	if (err)
		return err;
	return bpf_attach_raw(l, skel->progs.on_switch, "sched_switch", NULL,
			      &skel->links.on_switch);
}

BPF_LOADER(sched)
