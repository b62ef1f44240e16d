// SPDX-License-Identifier: Apache-2.0
/* pagecache: loads pagecache.bpf.c and attaches its two programs; both or none. */
#include "bpf_pvt.h"
#include "pagecache.skel.h"

static int load_and_attach(struct bpf_load *l, struct pagecache_bpf *skel)
{
	static const enum kernel_field needs[] = {KERNEL_FOLIO_MAPPING, KERNEL_FOLIO_INDEX,
						  KERNEL_MAPPING_HOST, KERNEL_INODE_MODE,
						  KERNEL_INODE_SIZE};
	int err = bpf_need_fields(l, needs, SL_ARRAY_SIZE(needs));

	if (err)
		return err;
	skel->rodata->own_tgid = l->shared->tgid;
	skel->rodata->fields = l->shared->fields;
	err = pagecache_bpf__load(skel);
	if (err)
		return bpf_refuse(l, "the kernel does not load it", err);
	err = bpf_attach_raw(l, skel->progs.on_add, "mm_filemap_add_to_page_cache", NULL,
			     &skel->links.on_add);
	if (err)
		return err;
	return bpf_attach_raw(l, skel->progs.on_delete, "mm_filemap_delete_from_page_cache", NULL,
			      &skel->links.on_delete);
}

BPF_LOADER(pagecache)
