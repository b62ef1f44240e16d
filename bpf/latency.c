// SPDX-License-Identifier: Apache-2.0
/* latency: loads latency.bpf.c and attaches its two programs; both or none. */
#include "bpf_pvt.h"
#include "latency.skel.h"

static int load_and_attach(struct bpf_load *l, struct latency_bpf *skel)
{
	static const enum kernel_field needs[] = {KERNEL_REQ_OPCODE};
	int err = bpf_need_fields(l, needs, SL_ARRAY_SIZE(needs));

	if (err)
		return err;
	skel->rodata->own_tgid = l->shared->tgid;
	skel->rodata->fields = l->shared->fields;
	skel->rodata->sample = l->conf->sample ? l->conf->sample : 1;
	err = latency_bpf__load(skel);
	if (err)
		return bpf_refuse(l, "the kernel does not load it", err);
	err = bpf_attach_raw(l, skel->progs.on_submit, "io_uring_submit_req", "io_uring_submit_sqe",
			     &skel->links.on_submit);
	if (err)
		return err;
	return bpf_attach_raw(l, skel->progs.on_complete, "io_uring_complete", NULL,
			      &skel->links.on_complete);
}

BPF_LOADER(latency)
