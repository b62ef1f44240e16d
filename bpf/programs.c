// SPDX-License-Identifier: Apache-2.0
/*
 * The loaders of all programs, and what they share: this process's number, fields, attaching.
 *
 * Interface: bpf_pvt.h. In a build without CONFIG_BPF programs_off.c stands in its place.
 * Order of parts: the table; refusing; preparing; attaching.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf_pvt.h"

/* ---- the table -------------------------------------------------------------------------- */

const struct bpf_loader bpf_loaders[SL_BPF_LAST] = {
#define X(id, name, ...) [SL_BPF_##id] = {name##_load, name##_unload},
#include "programs.def"
#undef X
};

/* ---- refusing --------------------------------------------------------------------------- */

static const char *cure_of(int err)
{
	switch (err) {
	case -EPERM:
		return "; it takes CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, which root has";
	case -EACCES:
		return "; its verifier is stricter without CAP_PERFMON; if that is there, report "
		       "the release of this kernel as a fault of sluice";
	case -ENOSYS:
		return "; a kernel with CONFIG_BPF_SYSCALL is needed";
	default:
		return "";
	}
}

static int refuse(char *why, size_t why_len, const char *what, int err)
{
	SL_ASSERT(err < 0);
	snprintf(why, why_len, "%s: %s%s", what, strerror(-err), cure_of(err));
	return err;
}

int bpf_refuse(struct bpf_load *l, const char *what, int err)
{
	return refuse(l->why, l->why_len, what, err);
}

/* ---- preparing -------------------------------------------------------------------------- */

/* What libbpf would print is told by bpf_refuse(), in fewer words. */
static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/*
 * In a pid namespace the kernel knows this process by another number than getpid() says. A program
 * of three instructions, run once by this very thread, returns the one that programs see.
 */
int bpf_prepare(struct bpf_shared *ret_shared, char *why, size_t why_len)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int err, fd;

	libbpf_set_print(say_nothing);
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "sl_tgid", "Dual BSD/GPL", insns,
			   SL_ARRAY_SIZE(insns), NULL);
	if (fd < 0)
		return refuse(why, why_len, "the kernel takes no programs", fd);
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	if (err)
		return refuse(why, why_len, "the kernel does not run programs on demand", err);
	*ret_shared = (struct bpf_shared){.tgid = run.retval, .fields_err = 1};
	return 0;
}

int bpf_need_fields(struct bpf_load *l, const enum kernel_field *needs, size_t n)
{
	struct bpf_shared *s = l->shared;

	if (s->fields_err == 1)
		s->fields_err = bpf_fields_find(&s->fields);
	if (s->fields_err == -ENOENT) {
		snprintf(l->why, l->why_len,
			 "this kernel does not describe its types; boot one "
			 "with CONFIG_DEBUG_INFO_BTF");
		return -ENOENT;
	}
	if (s->fields_err)
		return bpf_refuse(l, "/sys/kernel/btf/vmlinux", s->fields_err);
	for (size_t i = 0; i < n; i++) {
		if (s->fields.at[needs[i]] != KERNEL_NOWHERE)
			continue;
		snprintf(l->why, l->why_len, "this kernel's struct %s has no %s",
			 bpf_field_type(needs[i]), bpf_field_name(needs[i]));
		return -ENOENT;
	}
	return 0;
}

/* ---- attaching -------------------------------------------------------------------------- */

int bpf_attach_raw(struct bpf_load *l, struct bpf_program *prog, const char *name,
		   const char *older, struct bpf_link **ret_link)
{
	struct bpf_link *link = bpf_program__attach_raw_tracepoint(prog, name);
	char what[80];
	int err;

	if (!link && errno == ENOENT && older)
		link = bpf_program__attach_raw_tracepoint(prog, older);
	if (link) {
		*ret_link = link;
		return 0;
	}
	err = -errno;
	snprintf(what, sizeof(what), err == -ENOENT ? "this kernel has no tracepoint %s" : "%s",
		 name);
	return bpf_refuse(l, what, err);
}
