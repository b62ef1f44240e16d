// SPDX-License-Identifier: Apache-2.0
/* sched: loads sched.bpf.c and attaches its two programs; both or none. */
#include <errno.h>

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

int sched_load(struct bpf_load *l)
{
	struct sched_bpf *skel = sched_bpf__open();
	int err;

	if (!skel)
		return bpf_refuse(l, "it cannot be opened", -errno);
	err = load_and_attach(l, skel);
	if (err) {
		sched_bpf__destroy(skel);
		return err;
	}
	l->skel = skel;
	l->data = &skel->bss->sched;
	return 0;
}

void sched_unload(void *skel)
{
	sched_bpf__destroy(skel);
}
