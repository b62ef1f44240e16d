/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rungs: which one sends what, what is counted, falling back, files that are too short. That
 * every mixture of parts arrives is shown by deliver_test.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define BIT(op) (UINT64_C(1) << (op))

/* "<off> <len>": an extent of the file, which may lie past its end. "s...": on a small socket. */
static int answer_extent(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	unsigned long off = 0, bytes = 0;
	struct sl_reply *r;

	if (*body == 's') {
		peer_small_socket(c);
		body++;
	}
	if (sscanf(body, "%lu %lu", &off, &bytes) != 2)
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 1, 0, (uint32_t)bytes, "", 0);
	peer_add_extent(x, r, off, bytes);
	return sl_deliver(r, SL_NEVER);
}

static void ask(struct peer *x, int fd, const char *how, size_t off, size_t len)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%zu %zu", how, off, len);
	peer_request(fd, text);
	peer_expect(fd, x->bytes + off, len);
}

static uint64_t sent_by(struct peer *x, enum sl_rung rung)
{
	return peer_metric(x, SL_M_DELIVER_BYTES, rung);
}

TEST(rungs_and_reasons_have_names)
{
	EXPECT_STREQ("copy", sl_rung_name(SL_RUNG_COPY));
	EXPECT_STREQ("sendfile", sl_rung_name(SL_RUNG_SENDFILE));
	EXPECT_STREQ("small", sl_fallback_name(SL_FALLBACK_SMALL));
	EXPECT_STREQ("file", sl_fallback_name(SL_FALLBACK_FILE));
}

static void by_size(struct peer *x)
{
	int fd = peer_connect(x);

	peer_ping(fd, "12345678");
	EXPECT_EQ(12, sent_by(x, SL_RUNG_COPY));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_SMALL));
	ask(x, fd, "", 5, 16384);
	EXPECT_EQ(12 + 4 + 16384, sent_by(x, SL_RUNG_COPY));
	EXPECT_EQ(0, sent_by(x, SL_RUNG_SENDFILE));
	ask(x, fd, "", 7, 16385);
	EXPECT_EQ(12 + 4 + 16384 + 4, sent_by(x, SL_RUNG_COPY));
	EXPECT_EQ(16385, sent_by(x, SL_RUNG_SENDFILE));
	ask(x, fd, "", 1, PEER_FILE_BYTES - 1);
	EXPECT_EQ(16385 + PEER_FILE_BYTES - 1, sent_by(x, SL_RUNG_SENDFILE));
	EXPECT_LT(2, peer_metric(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SENDFILE));
	EXPECT_EQ(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_FILE));
	close(fd);
}

TEST(the_rung_follows_the_size_and_bytes_are_counted)
{
	peer_run(&(struct peer){.answer = answer_extent, .client = by_size});
}

static void full_socket(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "s", 123, 2000000);
	EXPECT_EQ(2000000, sent_by(x, SL_RUNG_SENDFILE));
	EXPECT_LT(20, peer_metric(x, SL_M_DELIVER_TRANSFERS, SL_RUNG_SENDFILE));
	ask(x, fd, "s", 0, 16384);
	close(fd);
}

TEST(sendfile_goes_on_where_the_socket_was_full)
{
	peer_run(&(struct peer){.answer = answer_extent, .client = full_socket});
}

/* ---- falling back ----------------------------------------------------------------------- */

static void copied(struct peer *x)
{
	int fd = peer_connect(x);

	ask(x, fd, "", 99, 1000000);
	EXPECT_EQ(0, sent_by(x, SL_RUNG_SENDFILE));
	EXPECT_EQ(1000004, sent_by(x, SL_RUNG_COPY));
	EXPECT_LT(0, peer_metric(x, SL_M_DELIVER_FALLBACKS, SL_FALLBACK_FILE));
	ask(x, fd, "s", 3, 300000);
	EXPECT_EQ(1300008, sent_by(x, SL_RUNG_COPY));
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
	peer_run(&(struct peer){.answer = answer_extent, .client = copied, .backend = &f.backend});
}

TEST(a_file_that_sendfile_refuses_is_copied)
{
	without_sendfile(EINVAL);
}

TEST(a_kernel_without_sendfile_copies)
{
	without_sendfile(ENOSYS);
}

/* ---- files that are not what was promised -------------------------------------------------- */

static void too_short(struct peer *x)
{
	static const size_t lens[] = {100, 16384, 16385, 300000};

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
	peer_run(&(struct peer){.answer = answer_extent, .client = too_short});
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
		struct peer){.answer = answer_extent, .client = too_short, .backend = &f.backend});
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
	f.ops = BIT(SL_OP_READ);
	f.nth = 1;
	f.err = EIO;
	f.sticky = true;
	peer_run(&(
		struct peer){.answer = answer_extent, .client = unreadable, .backend = &f.backend});
}

TEST_HARNESS_MAIN
