/* SPDX-License-Identifier: Apache-2.0 */
/* What the loaders of this folder share: one row each, and the words in which they refuse. */
#ifndef BPF_BPF_PVT_H
#define BPF_BPF_PVT_H

#include <errno.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "bpf.h"
#include "kernel.h"

/**
 * struct bpf_shared - what is found out once for all programs.
 * @tgid: this process's number as the programs see it, outside of any pid namespace.
 * @fields: where fields of the kernel's structs lie, by bpf_need_fields(), whose outcome
 *	@fields_err is, 1 before its first call.
 */
struct bpf_shared {
	uint32_t tgid;
	struct kernel_fields fields;
	int fields_err;
};

/**
 * struct bpf_load - what a loader is given and gives back.
 * @skel: the loader's own object. @data: what the program counts in, NULL where it does not.
 * @why: filled by bpf_refuse().
 */
struct bpf_load {
	const struct sl_bpf_conf *conf;
	struct bpf_shared *shared;
	void *skel;
	void *data;
	char *why;
	size_t why_len;
};

/**
 * struct bpf_loader - how a program is loaded.
 * @load: 0 with @l->skel set; or -errno, with nothing left behind and @l->why filled.
 * @unload: undoes it.
 */
struct bpf_loader {
	int (*load)(struct bpf_load *l);
	void (*unload)(void *skel);
};

/* Each program's loader: punts_load(), punts_unload() in punts.c, and so on. */
#define X(id, name, ...)                                                                           \
	int name##_load(struct bpf_load *l);                                                       \
	void name##_unload(void *skel);
#include "programs.def"
#undef X

/* steer.c, on what steer_load() left in @skel: see sl_bpf_steer_join(), sl_bpf_steer_rules(). */
int steer_join(void *skel, uint32_t group, uint32_t core, int fd);
int steer_rules(void *skel, const struct sl_steer_rule *rules, size_t n);

/* ports.c, on what ports_load() left in @skel: see sl_bpf_ports_join(). */
int ports_join(void *skel, uint32_t at, uint32_t core, int fd);

/* By enum sl_bpf_program: programs.c, or programs_off.c in a build without CONFIG_BPF. */
extern const struct bpf_loader bpf_loaders[SL_BPF_LAST];

/* Before the first load. Return: 0; or -errno with @why filled, and nothing can be loaded. */
int bpf_prepare(struct bpf_shared *ret_shared, char *why, size_t why_len);

struct bpf_program;
struct bpf_link;

/* Says in @l->why what was refused, and what would help against @err. Return: @err. */
int bpf_refuse(struct bpf_load *l, const char *what, int err);

/**
 * bpf_need_fields() - fill in @l->shared->fields, of which this program needs @needs, @n of them.
 * Return: 0, with all of these known; or -errno with @l->why filled.
 */
int bpf_need_fields(struct bpf_load *l, const enum kernel_field *needs, size_t n);

/**
 * bpf_attach_raw() - attach @prog to the raw tracepoint @name; where this kernel has none of that
 * name, to @older unless it is NULL.
 * Return: 0 with *ret_link, which the skeleton of @prog is to own; or -errno with @l->why filled.
 */
int bpf_attach_raw(struct bpf_load *l, struct bpf_program *prog, const char *name,
		   const char *older, struct bpf_link **ret_link);

/**
 * BPF_LOADER() - @name_load() and @name_unload(), of a program that counts in its variable @name:
 * its skeleton is opened, given to the file's own load_and_attach(), and destroyed if that fails.
 */
#define BPF_LOADER(name)                                                                           \
	int name##_load(struct bpf_load *l)                                                        \
	{                                                                                          \
		struct name##_bpf *skel = name##_bpf__open();                                      \
		int err = skel ? load_and_attach(l, skel)                                          \
			       : bpf_refuse(l, "it cannot be opened", -errno);                     \
		if (err) {                                                                         \
			name##_bpf__destroy(skel);                                                 \
			return err;                                                                \
		}                                                                                  \
		l->skel = skel;                                                                    \
		l->data = &skel->bss->name;                                                        \
		return 0;                                                                          \
	}                                                                                          \
	void name##_unload(void *skel)                                                             \
	{                                                                                          \
		name##_bpf__destroy(skel);                                                         \
	}

/* ---- fields.c --------------------------------------------------------------------------- */

/* All fields of kernel.def in the running kernel. Return: 0 or -errno (-ENOENT: it has no BTF). */
int bpf_fields_find(struct kernel_fields *ret_fields);

/* The same in a description of @len bytes at @btf. -EBADMSG: it is none. */
int bpf_fields_parse(const void *btf, size_t len, struct kernel_fields *ret_fields);

/* The same in a file of @len bytes, which need not be mappable. */
int bpf_fields_read(int fd, size_t len, struct kernel_fields *ret_fields);

/* "io_kiocb" and "opcode", for messages. */
const char *bpf_field_type(enum kernel_field f);
const char *bpf_field_name(enum kernel_field f);

#endif
