// SPDX-License-Identifier: Apache-2.0
/*
 * fields: finds the fields of kernel.def in the kernel's own description of its types (BTF).
 *
 * Interface: bpf_fields_find() of bpf_pvt.h. libbpf can do this for each program (CO-RE), but
 * reads and indexes the whole description, some megabytes, for each of them: 20 ms a program.
 * Here it is mapped and walked once, and only structs that rows name are looked into.
 * Invariant: nothing outside the description is read, whatever it says.
 * Order of parts: the walk over types; one struct; the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf_pvt.h"

static const struct {
	const char *type, *field;
} rows[KERNEL_LAST] = {
#define X(id, t, f) [KERNEL_##id] = {#t, #f},
#include "kernel.def"
#undef X
};

const char *bpf_field_name(enum kernel_field f)
{
	SL_ASSERT(f < KERNEL_LAST);
	return rows[f].field;
}

const char *bpf_field_type(enum kernel_field f)
{
	SL_ASSERT(f < KERNEL_LAST);
	return rows[f].type;
}

/* ---- the walk over types ---------------------------------------------------------------- */

/* @types: of each type, by its number less one, its distance from the first. */
struct walk {
	const uint8_t *first, *end;
	const char *strings;
	uint32_t strings_len;
	uint32_t *types;
	uint32_t types_n;
};

static const char *string_at(const struct walk *w, uint32_t off)
{
	return off < w->strings_len ? w->strings + off : "";
}

/* The bytes that follow the head of a type; -EBADMSG for a kind that is not known. */
static int64_t tail_bytes(uint32_t kind, uint32_t vlen)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return (int64_t)vlen * (int64_t)sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return (int64_t)vlen * (int64_t)sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return (int64_t)vlen * (int64_t)sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return (int64_t)vlen * (int64_t)sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return (int64_t)vlen * (int64_t)sizeof(struct btf_var_secinfo);
	default:
		return kind && kind <= BTF_KIND_TYPE_TAG ? 0 : -EBADMSG;
	}
}

/* Notes where each type begins. Every noted type lies within [first, end) as a whole. */
static int index_types(struct walk *w)
{
	const uint8_t *at = w->first;

	while (at < w->end) {
		const struct btf_type *t = (const struct btf_type *)at;
		int64_t tail;

		if ((size_t)(w->end - at) < sizeof(*t))
			return -EBADMSG;
		tail = tail_bytes(BTF_INFO_KIND(t->info), BTF_INFO_VLEN(t->info));
		if (tail < 0 || tail > w->end - at - (int64_t)sizeof(*t))
			return -EBADMSG;
		w->types[w->types_n++] = (uint32_t)(at - w->first);
		at += sizeof(*t) + (size_t)tail;
	}
	return 0;
}

static const struct btf_type *type_at(const struct walk *w, uint32_t number)
{
	if (!number || number > w->types_n)
		return NULL;
	return (const struct btf_type *)(w->first + w->types[number - 1]);
}

/* ---- one struct ------------------------------------------------------------------------- */

static bool has_members(const struct btf_type *t)
{
	uint32_t kind = t ? BTF_INFO_KIND(t->info) : BTF_KIND_UNKN;

	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

/* Where @field lies in @t, in bits, looking into members without a name; -ENOENT. */
static int64_t find_field(const struct walk *w, const struct btf_type *t, const char *field,
			  int depth)
{
	const struct btf_member *m = (const struct btf_member *)(t + 1);
	bool bitfields = BTF_INFO_KFLAG(t->info);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		int64_t at = bitfields ? BTF_MEMBER_BIT_OFFSET(m[i].offset) : m[i].offset;
		const char *name = string_at(w, m[i].name_off);
		const struct btf_type *inner = *name ? NULL : type_at(w, m[i].type);
		int64_t within;

		if (*name && strcmp(name, field) == 0)
			return at;
		if (!has_members(inner) || !depth)
			continue;
		within = find_field(w, inner, field, depth - 1);
		if (within >= 0)
			return at + within;
	}
	return -ENOENT;
}

static void look_into(const struct walk *w, const struct btf_type *t, struct kernel_fields *fields)
{
	enum { DEPTH_MAX = 8 };
	const char *name = string_at(w, t->name_off);

	for (int f = 0; f < KERNEL_LAST; f++) {
		int64_t at;

		if (fields->at[f] != KERNEL_NOWHERE || strcmp(name, rows[f].type) != 0)
			continue;
		at = find_field(w, t, rows[f].field, DEPTH_MAX);
		if (at >= 0 && at % 8 == 0)
			fields->at[f] = (uint32_t)(at / 8);
	}
}

int bpf_fields_parse(const void *btf, size_t len, struct kernel_fields *ret_fields)
{
	const struct btf_header *h = btf;
	struct kernel_fields fields;
	struct walk w = {0};
	uint64_t types_at, strings_at;
	int err;

	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len < sizeof(*h))
		return -EBADMSG;
	types_at = (uint64_t)h->hdr_len + h->type_off;
	strings_at = (uint64_t)h->hdr_len + h->str_off;
	if (types_at % 4 || types_at + h->type_len > len || strings_at + h->str_len > len ||
	    !h->str_len || ((const char *)btf)[strings_at + h->str_len - 1])
		return -EBADMSG;
	w.first = (const uint8_t *)btf + types_at;
	w.end = w.first + h->type_len;
	w.strings = (const char *)btf + strings_at;
	w.strings_len = h->str_len;
	w.types = malloc((h->type_len / sizeof(struct btf_type) + 1) * sizeof(*w.types));
	if (!w.types)
		return -ENOMEM;
	err = index_types(&w);
	memset(&fields, 0xff, sizeof(fields));
	for (uint32_t n = 1; n <= w.types_n && !err; n++)
		if (BTF_INFO_KIND(type_at(&w, n)->info) == BTF_KIND_STRUCT)
			look_into(&w, type_at(&w, n), &fields);
	free(w.types);
	if (!err)
		*ret_fields = fields;
	return err;
}

/* ---- the file --------------------------------------------------------------------------- */

int bpf_fields_read(int fd, size_t len, struct kernel_fields *ret_fields)
{
	char *copy = malloc(len);
	size_t got = 0;
	ssize_t n = 1;
	int err;

	if (!copy)
		return -ENOMEM;
	while (got < len && (n = read(fd, copy + got, len - got)) > 0)
		got += (size_t)n;
	err = n < 0 ? -errno : bpf_fields_parse(copy, got, ret_fields);
	free(copy);
	return err;
}

int bpf_fields_find(struct kernel_fields *ret_fields)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		err = -errno;
		goto out;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		/* before Linux 6.16 */
		err = bpf_fields_read(fd, (size_t)st.st_size, ret_fields);
		goto out;
	}
	err = bpf_fields_parse(map, (size_t)st.st_size, ret_fields);
	munmap(map, (size_t)st.st_size);
out:
	close(fd);
	return err;
}
