/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rungs: which one sends what, what is counted, falling back, files that are too short. That
 * every mixture of parts arrives is shown by deliver_test.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define BIT(op) (UINT64_C(1) << (op))

static void ask(struct peer *x, int fd, const char *how, size_t off, size_t len)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%zu %zu", how, off, len);
	peer_request(fd, text);
	peer_expect(fd, x->bytes + off, len);
}

TEST(rungs_and_reasons_have_names)
{
	EXPECT_STREQ("copy", sl_rung_name(SL_RUNG_COPY));
	EXPECT_STREQ("sendfile", sl_rung_name(SL_RUNG_SENDFILE));
	EXPECT_STREQ("splice", sl_rung_name(SL_RUNG_SPLICE));
	EXPECT_STREQ("read_fixed", sl_rung_name(SL_RUNG_READ_FIXED));
	EXPECT_STREQ("send_zc", sl_rung_name(SL_RUNG_SEND_ZC));
	EXPECT_STREQ("small", sl_fallback_name(SL_FALLBACK_SMALL));
	EXPECT_STREQ("cold", sl_fallback_name(SL_FALLBACK_COLD));
	EXPECT_STREQ("file", sl_fallback_name(SL_FALLBACK_FILE));
	EXPECT_STREQ("pipes", sl_fallback_name(SL_FALLBACK_PIPES));
	EXPECT_STREQ("memlock", sl_fallback_name(SL_FALLBACK_MEMLOCK));
	EXPECT_STREQ("peer", sl_fallback_name(SL_FALLBACK_PEER));
}

static void by_size(struct peer *x)
{
	int fd = peer_connect(x);

	peer_ping(fd, "12345678");
	EXPECT_EQ(12, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_SMALL));
	ask(x, fd, "", 5, 4096);
	EXPECT_EQ(12 + 4 + 4096, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_SENDFILE));
	ask(x, fd, "", 7, 4097);
	EXPECT_EQ(12 + 4 + 4096 + 4, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(4097, peer_sent(x, SL_RUNG_SENDFILE));
	ask(x, fd, "", 1, PEER_FILE_BYTES - 1);
	EXPECT_EQ(4097 + PEER_FILE_BYTES - 1, peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_LT(2, peer_metric(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SENDFILE));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_FILE));
	close(fd);
}

TEST(the_rung_follows_the_size_and_bytes_are_counted)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = by_size});
}

static void in_pieces(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "", 3, 1 << 20);
	EXPECT_EQ(1 << 20, peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_LE(4, peer_metric(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SENDFILE));
	close(fd);
}

/* 256 KiB each, after which the others have their turn. */
TEST(no_connection_sends_a_whole_large_answer_at_once)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = in_pieces});
}

static void full_socket(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "s", 123, 2000000);
	EXPECT_EQ(2000000, peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_LT(1, peer_metric(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SENDFILE));
	ask(x, fd, "s", 0, 16384);
	close(fd);
}

TEST(sendfile_goes_on_where_the_socket_was_full)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = full_socket});
}

/* ---- falling back ----------------------------------------------------------------------- */

static void copied(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "", 99, 1000000);
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_EQ(4, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(1000000, peer_sent(x, SL_RUNG_READ_FIXED));
	EXPECT_EQ(1, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_FILE));
	ask(x, fd, "s", 3, 300000);
	EXPECT_EQ(1300000, peer_sent(x, SL_RUNG_READ_FIXED));
	close(fd);
}

static void without_sendfile(int err)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_SENDFILE);
	f.nth = 1;
	f.err = err;
	f.sticky = true;
	peer_run(&(struct peer){.answer = peer_extent, .client = copied, .backend = &f.backend});
}

TEST(a_file_that_sendfile_refuses_is_read)
{
	without_sendfile(EINVAL);
}

TEST(a_kernel_without_sendfile_reads)
{
	without_sendfile(ENOSYS);
}

/* ---- not resident -------------------------------------------------------------------------- */

/* Drops the cache before a client asks for @len bytes at @off. */
static void ask_cold(struct peer *x, int fd, const char *how, size_t off, size_t len)
{
	if (!peer_drop_cache(x, 0, PEER_FILE_BYTES)) {
		SKIP(return, "the file system of %s keeps its files in memory", harness_tmpdir());
	}
	ask(x, fd, how, off, len);
}

static void cold(struct peer *x)
{
	int fd = peer_connect(x);

	ask_cold(x, fd, "", 4097, 3000000);
	EXPECT_LE(256 << 10, peer_sent(x, SL_RUNG_SPLICE));
	EXPECT_EQ(3000000, peer_sent(x, SL_RUNG_SPLICE) + peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_READ_FIXED));
	EXPECT_EQ(3000000, peer_metric(x, SL_M_DELIVER_ZEROCOPY, 0));
	EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_COLD));
	ask_cold(x, fd, "s", 0, PEER_FILE_BYTES);
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_PIPES));
	close(fd);
}

TEST(what_is_not_resident_is_spliced)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = cold});
}

static void neighbours(struct peer *x)
{
	static const unsigned pieces[] = {2, 3, 5, 17, 100};
	int fd = peer_connect(x);
	char text[64];

	for (unsigned i = 0; i < SL_ARRAY_SIZE(pieces); i++) {
		if (!peer_drop_cache(x, 0, PEER_FILE_BYTES))
			SKIP(return, "the file system of %s keeps its files in memory",
			     harness_tmpdir());
		snprintf(text, sizeof(text), "%s%u 1700001 %u", i % 2 ? "s" : "", i, pieces[i]);
		peer_request(fd, text);
		peer_expect(fd, x->bytes + i, 1700001);
	}
	EXPECT_LT(0, peer_sent(x, SL_RUNG_SPLICE));
	close(fd);
}

TEST(extents_that_follow_each_other_are_spliced_by_a_chain)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = neighbours});
}

static void cold_and_small(struct peer *x)
{
	int fd = peer_connect(x);

	for (uint64_t i = 1; i <= 3; i++) {
		ask(x, fd, "", 1234567, 4096);
		EXPECT_EQ(i, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_COLD));
		EXPECT_EQ(i * (4096 + 4), peer_sent(x, SL_RUNG_COPY));
	}
	close(fd);
}

/* No read is answered at once; a real one that was not tends to be the next time. */
TEST(what_is_small_and_not_resident_is_read_by_the_ring)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_READ);
	f.nth = 1;
	f.err = EAGAIN;
	f.sticky = true;
	peer_run(&(struct peer){
		.answer = peer_extent, .client = cold_and_small, .backend = &f.backend});
}

/* More cold answers at once than there are pipes; nobody waits for one. */
static void crowd(struct peer *x)
{
	enum { MANY = 100 };
	int fds[MANY];
	char text[64];

	if (!peer_drop_cache(x, 0, PEER_FILE_BYTES))
		SKIP(return, "the file system of %s keeps its files in memory", harness_tmpdir());
	for (int i = 0; i < MANY; i++) {
		fds[i] = peer_connect(x);
		snprintf(text, sizeof(text), "s%d 300000", i * 30000);
		peer_request(fds[i], text);
	}
	for (int i = 0; i < MANY; i++) {
		peer_expect(fds[i], x->bytes + i * 30000, 300000);
		close(fds[i]);
	}
	EXPECT_EQ(MANY * 300000, peer_sent(x, SL_RUNG_SPLICE) + peer_sent(x, SL_RUNG_SENDFILE) +
					 peer_sent(x, SL_RUNG_READ_FIXED));
}

TEST(more_cold_answers_than_pipes_are_all_sent)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = crowd});
}

static void gone_meanwhile(struct peer *x)
{
	char text[64];

	for (int i = 0; i < 50; i++) {
		int fd = peer_connect(x);

		peer_drop_once(x, 0, PEER_FILE_BYTES);
		snprintf(text, sizeof(text), "%s%d 1000000", i % 2 ? "s" : "", i * 10000);
		peer_request(fd, text);
		if (i % 3)
			usleep((unsigned)(harness_random() % 2000));
		close(fd);
	}
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_PEER, 1));
}

TEST(a_peer_that_goes_while_the_disk_is_waited_for_leaves_nothing_behind)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = gone_meanwhile});
}

/* ---- mapped by its owner ------------------------------------------------------------------- */

enum { IMAGE_BYTES = 64 << 10 };

static int answer_mapped(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	if (!x->file.image) {
		x->file.image = mmap(NULL, IMAGE_BYTES, PROT_READ, MAP_SHARED, x->file.fd, 0);
		x->file.image_bytes = IMAGE_BYTES;
		ASSERT_NE(MAP_FAILED, (void *)x->file.image);
	}
	return peer_extent(x, c, body, len);
}

static void where_it_lies(struct peer *x)
{
	int fd = peer_connect(x);
	const struct sl_faults *f = sl_container_of(x->backend, struct sl_faults, backend);

	ask(x, fd, "", 5, 4096);
	ask(x, fd, "s", IMAGE_BYTES - 1, 1);
	EXPECT_EQ(4097, peer_metric(x, SL_M_DELIVER_MAPPED, 0));
	EXPECT_EQ(2, peer_metric(x, SL_M_DELIVER_MAPS, 0));
	EXPECT_EQ(0, __atomic_load_n(&f->count, __ATOMIC_RELAXED));
	/* Behind the map, and larger than what is copied. */
	ask(x, fd, "", IMAGE_BYTES - 1, 2);
	EXPECT_EQ(1, __atomic_load_n(&f->count, __ATOMIC_RELAXED));
	ask(x, fd, "", 5, 4097);
	EXPECT_EQ(4097, peer_sent(x, SL_RUNG_SENDFILE));
	EXPECT_EQ(4097, peer_metric(x, SL_M_DELIVER_MAPPED, 0));
	EXPECT_EQ(4 * 4 + 4096 + 1 + 2, peer_sent(x, SL_RUNG_COPY));
	close(fd);
}

TEST(what_is_small_and_mapped_is_sent_from_where_it_lies)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_READ);
	peer_run(&(struct peer){
		.answer = answer_mapped, .client = where_it_lies, .backend = &f.backend});
}

static void cut_short(struct peer *x)
{
	int fd = peer_connect(x), other;

	ask(x, fd, "", 8192, 4096);
	ASSERT_EQ(0, ftruncate(x->file.fd, 4096));
	peer_request(fd, "8192 4096");
	EXPECT_TRUE(peer_ends_after_all(fd));
	close(fd);
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_ERROR, 1));
	other = peer_connect(x);
	ask(x, other, "", 0, 4096);
	close(other);
}

TEST(a_mapped_file_that_was_cut_ends_the_connection_alone)
{
	peer_run(&(struct peer){.answer = answer_mapped, .client = cut_short});
}

/* ---- every rung, as it is asked for -------------------------------------------------------- */

FIXTURE(forced)
{
	struct peer x;
};
FIXTURE_VARIANT(forced)
{
	enum sl_rung rung;
};
FIXTURE_VARIANT_ADD(forced, copy){.rung = SL_RUNG_COPY};
FIXTURE_VARIANT_ADD(forced, sendfile){.rung = SL_RUNG_SENDFILE};
FIXTURE_VARIANT_ADD(forced, splice){.rung = SL_RUNG_SPLICE};
FIXTURE_VARIANT_ADD(forced, read_fixed){.rung = SL_RUNG_READ_FIXED};

#define FORCED(which)                                                                              \
	{20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 1000, 3000,                      \
	 .deliver.rung = (uint8_t)(1 + (which))}

FIXTURE_SETUP(forced)
{
	self->x = (struct peer){
		.limits = FORCED(variant->rung),
		.answer = peer_extent,
		.arg = (void *)&variant->rung,
	};
}
FIXTURE_TEARDOWN(forced)
{
}

static void any_size(struct peer *x)
{
	static const size_t lens[] = {1, 4095, 4096, 4097, 16385, 262144, 262145, 1000000};
	enum sl_rung rung = *(const enum sl_rung *)x->arg;
	int fd = peer_connect(x);
	uint64_t heads = 0, total = 0;

	for (unsigned i = 0; i < SL_ARRAY_SIZE(lens); i++) {
		for (int small = 0; small < 2; small++) {
			ask(x, fd, small ? "s" : "", i * 5000 + 3, lens[i]);
			heads += 4;
			total += lens[i];
		}
	}
	/* What read_fixed brings in as a whole leaves with its head. */
	EXPECT_EQ(heads + total, peer_sent(x, rung) + (rung == SL_RUNG_COPY
							     ? 0
							     : peer_sent(x, SL_RUNG_COPY)));
	EXPECT_LE(2 * (262144 + 262145 + 1000000), peer_sent(x, rung));
	close(fd);
}

TEST_F(forced, rung_sends_every_size)
{
	self->x.client = any_size;
	peer_run(&self->x);
}

/* The @nth of the operations that the rung lives by fails: the peer gets all, or the end. */
static void some_fail(struct peer *x)
{
	int fd = peer_connect(x), other;
	char text[64];

	snprintf(text, sizeof(text), "%d %d", 77, 3000000); /* more than one turn sends */
	peer_request(fd, text);
	EXPECT_TRUE(peer_ends_after_all(fd));
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_ERROR, 1));
	close(fd);
	other = peer_connect(x);
	peer_ping(other, "fine");
	close(other);
}

TEST_F(forced, failing_disk_ends_the_connection_alone)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_READ) | BIT(SL_OP_READ_FIXED) | BIT(SL_OP_SENDFILE) | BIT(SL_OP_SPLICE);
	f.nth = 2;
	f.err = EIO;
	self->x.backend = &f.backend;
	self->x.client = some_fail;
	peer_run(&self->x);
	EXPECT_LE(2, f.count);
}

static void all_arrives(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "", 77, 600000);
	ask(x, fd, "s", 1, 70000);
	peer_request(fd, "5 400000 6");
	peer_expect(fd, x->bytes + 5, 400000);
	close(fd);
}

TEST_F(forced, short_transfers_are_continued)
{
	for (uint64_t nth = 1; nth < 6; nth++) {
		struct sl_faults f;
		struct peer x = self->x;

		sl_faults_init(&f, NULL);
		f.ops = BIT(SL_OP_READ) | BIT(SL_OP_READ_FIXED) | BIT(SL_OP_SENDFILE) |
			BIT(SL_OP_SPLICE) | BIT(SL_OP_SEND) | BIT(SL_OP_SENDMSG);
		f.nth = nth;
		f.sticky = nth % 2;
		x.backend = &f.backend;
		x.client = all_arrives;
		peer_run(&x);
		EXPECT_LE(nth, f.count);
	}
}

/* ---- memory ------------------------------------------------------------------------------- */

/* "<len>": so many bytes of a buf of the core. */
static int answer_memory(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	unsigned long bytes = 0;
	struct sl_reply *r;
	struct sl_buf *buf;

	if (sscanf(body, "%lu", &bytes) != 1)
		return peer_echo(x, c, body, len);
	buf = sl_buf_new(bytes);
	ASSERT_NOT_NULL(buf);
	memcpy(buf->data, x->bytes, bytes);
	r = peer_reply(c, 1, 0, (uint32_t)bytes, "", 0);
	sl_reply_add(r, sl_part_slice((struct sl_slice){buf, buf->data, bytes}));
	return sl_deliver(r, SL_NEVER);
}

static void ask_memory(struct peer *x, int fd, size_t len)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu", len);
	peer_request(fd, text);
	peer_expect(fd, x->bytes, len);
}

/* On loopback the kernel copies: nothing is tried. */
static void local(struct peer *x)
{
	int fd = peer_connect(x);

	for (int i = 0; i < 3; i++)
		ask_memory(x, fd, 200000);
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_SEND_ZC));
	EXPECT_EQ(600012, peer_metric(x, SL_M_DELIVER_COPIED, 0));
	EXPECT_EQ(1, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_PEER));
	close(fd);
}

TEST(memory_for_a_local_peer_is_copied)
{
	peer_run(&(struct peer){.answer = answer_memory, .client = local});
}

/* The first send finds out that the way copies, and the connection tries no more. */
static void zero_copy(struct peer *x)
{
	int fd = peer_connect(x);

	ask_memory(x, fd, 10239);
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_SEND_ZC));
	ask_memory(x, fd, 1000000);
	EXPECT_LT(0, peer_sent(x, SL_RUNG_SEND_ZC));
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_PEER, 1));
	for (int i = 0; i < 20; i++)
		ask_memory(x, fd, 300000);
	EXPECT_EQ(10239 + 1000000 + 20 * 300000 + 22 * 4,
		  peer_sent(x, SL_RUNG_SEND_ZC) + peer_sent(x, SL_RUNG_COPY));
	EXPECT_LT(20 * 300000, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_ZEROCOPY, 0));
	close(fd);
}

TEST(memory_is_sent_without_a_copy_until_the_kernel_says_it_copies)
{
	peer_run(&(struct peer){.limits = FORCED(SL_RUNG_SEND_ZC),
				.answer = answer_memory,
				.client = zero_copy});
}

/* The kernel holds the memory of what is not acknowledged; the server ends all the same. */
static void zero_copy_unread(struct peer *x)
{
	for (int i = 0; i < 20; i++) {
		int fd = peer_connect(x);

		peer_request(fd, "4000000");
		usleep((unsigned)(harness_random() % 2000));
		if (i % 2)
			close(fd);
	}
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SEND_ZC, 1));
}

TEST(a_peer_that_reads_nothing_gets_no_memory_kept_when_the_server_ends)
{
	peer_run(&(struct peer){.limits = FORCED(SL_RUNG_SEND_ZC),
				.answer = answer_memory,
				.client = zero_copy_unread});
}

static void without_zero_copy(struct peer *x)
{
	int fd = peer_connect(x);

	ask_memory(x, fd, 500000);
	ask_memory(x, fd, 500000);
	EXPECT_EQ(1000008, peer_sent(x, SL_RUNG_COPY));
	EXPECT_EQ(1, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_PEER));
	close(fd);
}

TEST(a_kernel_that_refuses_zero_copy_copies)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_SEND_ZC);
	f.nth = 1;
	f.err = EINVAL;
	f.sticky = true;
	peer_run(&(struct peer){.limits = FORCED(SL_RUNG_SEND_ZC),
				.answer = answer_memory,
				.client = without_zero_copy,
				.backend = &f.backend});
}

/* ---- files that are not what was promised -------------------------------------------------- */

static void too_short(struct peer *x)
{
	static const size_t lens[] = {100, 4096, 4097, 16385, 300000};

	for (unsigned i = 0; i < SL_ARRAY_SIZE(lens); i++) {
		int fd = peer_connect(x), other = peer_connect(x);
		char text[64];

		snprintf(text, sizeof(text), "%zu %zu", PEER_FILE_BYTES - lens[i] / 2, lens[i]);
		peer_request(fd, text);
		EXPECT_TRUE(peer_ends_after_all(fd));
		peer_ping(other, "fine");
		EXPECT_TRUE(peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_ERROR, i + 1));
		close(fd);
		close(other);
	}
}

TEST(a_file_shorter_than_promised_ends_the_connection)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = too_short});
}

TEST(a_file_shorter_than_promised_ends_the_connection_when_copied_too)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_SENDFILE);
	f.nth = 1;
	f.err = EINVAL;
	f.sticky = true;
	peer_run(&(
		struct peer){.answer = peer_extent, .client = too_short, .backend = &f.backend});
}

static void unreadable(struct peer *x)
{
	int fd = peer_connect(x), other = peer_connect(x);

	peer_ping(fd, "fine");
	peer_request(fd, "0 1000");
	EXPECT_TRUE(peer_ends_after_all(fd));
	peer_ping(other, "fine");
	close(fd);
	close(other);
}

TEST(a_disk_that_fails_ends_the_connection)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(SL_OP_READ) | BIT(SL_OP_READ_FIXED);
	f.nth = 1;
	f.err = EIO;
	f.sticky = true;
	peer_run(&(
		struct peer){.answer = peer_extent, .client = unreadable, .backend = &f.backend});
}

TEST_HARNESS_MAIN
