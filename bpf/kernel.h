/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where the fields of kernel structs lie that programs read. No header of any one kernel is needed
 * to build, and one program fits all kernels that have the fields.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#include <stdint.h>

/* KERNEL_REQ_OPCODE and so on. */
enum kernel_field {
#define X(id, type, field) KERNEL_##id,
#include "kernel.def"
#undef X
	KERNEL_LAST
};

/* By enum kernel_field, in bytes from the start of its struct; KERNEL_NOWHERE: there is none. */
struct kernel_fields {
	uint32_t at[KERNEL_LAST];
};

#define KERNEL_NOWHERE UINT32_MAX

/* In a program: reads field @id of the struct at @ptr into @to, whose size is the field's. */
#define KERNEL_READ(to, ptr, fields, id)                                                           \
	bpf_probe_read_kernel(&(to), sizeof(to), (const char *)(ptr) + (fields).at[KERNEL_##id])

#endif
