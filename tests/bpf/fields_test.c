// SPDX-License-Identifier: Apache-2.0
/* Fields of kernel structs: found in a description made here, in this kernel's, and in no wreck. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/bpf_pvt.h"
#include "harness.h"

/* int; union { …; int opcode } at 8; struct io_kiocb { int x; union at 16 bytes; }; another. */
struct description {
	struct btf_header head;
	struct {
		struct btf_type integer;
		uint32_t integer_bits;
		struct btf_type anonymous;
		struct btf_member inner[2];
		struct btf_type other;
		struct btf_member other_member;
		struct btf_type wanted;
		struct btf_member outer[2];
	} types;
	char strings[64];
};

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

/* Appends @s to the strings. Return: its place. */
static uint32_t put(struct description *d, const char *s)
{
	uint32_t at = d->head.str_len;

	memcpy(d->strings + at, s, strlen(s) + 1);
	d->head.str_len += (uint32_t)strlen(s) + 1;
	return at;
}

static struct description describe(const char *type, const char *field)
{
	struct description d = {
		.head = {.magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(d.head)}};
	uint32_t x;

	d.head.type_len = sizeof(d.types);
	d.head.str_off = sizeof(d.types);
	d.head.str_len = 1;
	x = put(&d, "x");
	d.types.integer = (struct btf_type){put(&d, "int"), INFO(BTF_KIND_INT, 0), {4}};
	d.types.integer_bits = 32;
	d.types.anonymous = (struct btf_type){0, INFO(BTF_KIND_STRUCT, 2), {16}};
	d.types.inner[0] = (struct btf_member){x, 1, 0};
	d.types.inner[1] = (struct btf_member){put(&d, field), 1, 8 * 8};
	d.types.other = (struct btf_type){put(&d, "other"), INFO(BTF_KIND_STRUCT, 1), {4}};
	d.types.other_member = (struct btf_member){d.types.inner[1].name_off, 1, 0};
	d.types.wanted = (struct btf_type){put(&d, type), INFO(BTF_KIND_STRUCT, 2), {32}};
	d.types.outer[0] = (struct btf_member){x, 1, 0};
	d.types.outer[1] = (struct btf_member){0, 2, 16 * 8};
	return d;
}

TEST(a_field_is_found_within_members_without_a_name)
{
	struct description d = describe("io_kiocb", "opcode");
	struct kernel_fields fields;

	ASSERT_EQ(0, bpf_fields_parse(&d, sizeof(d), &fields));
	EXPECT_EQ(24, fields.at[KERNEL_REQ_OPCODE]);
}

TEST(a_struct_or_a_field_of_another_name_is_nowhere)
{
	struct description no_type = describe("io_kioc", "opcode");
	struct description no_field = describe("io_kiocb", "opcod");
	struct kernel_fields fields;

	ASSERT_EQ(0, bpf_fields_parse(&no_type, sizeof(no_type), &fields));
	EXPECT_EQ(KERNEL_NOWHERE, fields.at[KERNEL_REQ_OPCODE]);
	ASSERT_EQ(0, bpf_fields_parse(&no_field, sizeof(no_field), &fields));
	EXPECT_EQ(KERNEL_NOWHERE, fields.at[KERNEL_REQ_OPCODE]);
}

/* Each length ends where memory ends, so that a sanitizer sees whoever reads on. */
TEST(a_description_cut_short_is_refused)
{
	struct description d = describe("io_kiocb", "opcode");
	size_t whole = sizeof(d.head) + sizeof(d.types) + d.head.str_len;
	struct kernel_fields fields;

	for (size_t len = 0; len < whole; len++) {
		char *copy = malloc(len + !len);

		ASSERT_NOT_NULL(copy);
		memcpy(copy, &d, len);
		EXPECT_EQ(-EBADMSG, bpf_fields_parse(copy, len, &fields));
		free(copy);
	}
	EXPECT_EQ(0, bpf_fields_parse(&d, whole, &fields));
}

TEST(nonsense_is_refused_or_read_within_bounds)
{
	struct description good = describe("io_kiocb", "opcode");
	struct kernel_fields fields;
	int refused = 0;

	for (int i = 0; i < 20000; i++) {
		struct description *d = malloc(sizeof(*d));

		ASSERT_NOT_NULL(d);
		*d = good;
		for (int k = 0; k < 3; k++)
			((uint8_t *)d)[harness_random() % sizeof(*d)] = (uint8_t)harness_random();
		refused += bpf_fields_parse(d, sizeof(*d), &fields) != 0;
		free(d);
	}
	EXPECT_LT(0, refused);
	EXPECT_LT(refused, 20000);
}

TEST(this_kernel_has_all_fields)
{
	struct kernel_fields fields;
	int err = bpf_fields_find(&fields);

	if (err == -ENOENT)
		SKIP(return, "this kernel does not describe its types");
	ASSERT_EQ(0, err);
	for (int f = 0; f < KERNEL_LAST; f++) {
		TH_LOG("%s.%s: %u", bpf_field_type((enum kernel_field)f),
		       bpf_field_name((enum kernel_field)f), fields.at[f]);
		EXPECT_NE(KERNEL_NOWHERE, fields.at[f]);
	}
}

TEST(a_kernel_that_does_not_map_its_description_is_read)
{
	struct kernel_fields mapped, copied;
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		SKIP(return, "this kernel does not describe its types");
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(0, bpf_fields_find(&mapped));
	ASSERT_EQ(0, bpf_fields_read(fd, (size_t)st.st_size, &copied));
	EXPECT_MEMEQ(&mapped, &copied, sizeof(mapped));
	EXPECT_EQ(-EBADMSG,
		  bpf_fields_read(fd, (size_t)st.st_size, &copied)); /* it is at its end */
	close(fd);
}

TEST_HARNESS_MAIN
