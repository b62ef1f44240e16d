// SPDX-License-Identifier: Apache-2.0
/* punts: loads punts.bpf.c and attaches its two programs; both or none. */
#include "bpf_pvt.h"
#include "punts.skel.h"

static int load_and_attach(struct bpf_load *l, struct punts_bpf *skel)
{
	static const enum kernel_field needs[] = {KERNEL_REQ_OPCODE};
	int err = bpf_need_fields(l, needs, SL_ARRAY_SIZE(needs));

	if (err)
		return err;
	skel->rodata->own_tgid = l->shared->tgid;
	skel->rodata->fields = l->shared->fields;
	err = punts_bpf__load(skel);
	if (err)
		return bpf_refuse(l, "the kernel does not load it", err);
	err = bpf_attach_raw(l, skel->progs.on_punt, "io_uring_queue_async_work", NULL,
			     &skel->links.on_punt);
	if (err)
		return err;
	return bpf_attach_raw(l, skel->progs.on_overflow, "io_uring_cqe_overflow", NULL,
			      &skel->links.on_overflow);
}

BPF_LOADER(punts)
