/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not resident and small enough is brought into the page cache and sent from there: one at
 * a time and a crowd, with a disk that fails, and from peers that go.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "peer.h"

#define BIT(op) (UINT64_C(1) << (op))

static void request(int fd, const char *how, size_t off, size_t len, unsigned pieces)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%zu %zu %u", how, off, len, pieces);
	peer_request(fd, text);
}

static uint64_t fallbacks(struct peer *x, enum sl_fallback reason)
{
	return peer_metric(x, SL_M_DELIVER_FALLBACKS, reason);
}

#define DROP(x)                                                                                    \
	do {                                                                                       \
		if (!peer_drop_cache(x, 0, PEER_FILE_BYTES))                                       \
			SKIP(return, "the file system of %s keeps its files in memory",            \
			     harness_tmpdir());                                                    \
	} while (0)

/* ---- one at a time ---------------------------------------------------------------------- */

static void sizes(struct peer *x)
{
	static const size_t lens[] = {4097, 65536, 100001, 262144};
	int fd = peer_connect(x);
	uint64_t total = 0;

	for (unsigned i = 0; i < SL_ARRAY_SIZE(lens); i++) {
		DROP(x);
		request(fd, i % 2 ? "s" : "", 333333 + i, lens[i], 1);
		peer_expect(fd, x->bytes + 333333 + i, lens[i]);
		total += lens[i];
		EXPECT_EQ(total, peer_sent(x, SL_RUNG_SENDFILE));
		EXPECT_EQ(i + 1, fallbacks(x, SL_FALLBACK_COLD));
	}
	EXPECT_EQ(total, peer_metric(x, SL_M_DELIVER_ZEROCOPY, 0));
	close(fd);
}

TEST(what_is_cold_and_small_is_brought_in_and_sent_without_a_copy)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = sizes});
}

static void splices(struct peer *x)
{
	int fd = peer_connect(x);

	DROP(x);
	request(fd, "", 0, 262145, 1);
	peer_expect(fd, x->bytes, 262145);
	EXPECT_LT(0, peer_sent(x, SL_RUNG_SPLICE));
	DROP(x);
	request(fd, "", 0, 60000, 3);
	peer_expect(fd, x->bytes, 60000);
	EXPECT_LE(262144, peer_sent(x, SL_RUNG_SPLICE));
	EXPECT_EQ(2, fallbacks(x, SL_FALLBACK_COLD));
	close(fd);
}

TEST(what_is_large_or_in_several_extents_is_spliced)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = splices});
}

/* ---- a crowd ---------------------------------------------------------------------------- */

enum { CROWD = 200, CROWD_BYTES = 20000 };

static void crowd(struct peer *x)
{
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++)
		fds[i] = peer_connect(x);
	DROP(x);
	for (int i = 0; i < CROWD; i++)
		request(fds[i], "", (size_t)i * CROWD_BYTES, CROWD_BYTES, 1);
	/* Some go while they wait for their turn. */
	for (int i = 0; i < CROWD; i += 7)
		close(fds[i]);
	for (int i = 0; i < CROWD; i++) {
		if (i % 7 == 0)
			continue;
		peer_expect(fds[i], x->bytes + (size_t)i * CROWD_BYTES, CROWD_BYTES);
		close(fds[i]);
	}
	EXPECT_EQ(0, peer_sent(x, SL_RUNG_READ_FIXED));
	EXPECT_EQ(0, fallbacks(x, SL_FALLBACK_PIPES));
}

TEST(more_than_may_be_under_way_have_their_turn)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = crowd});
}

/* ---- a disk that fails ------------------------------------------------------------------ */

static void once(struct peer *x)
{
	int fd = peer_connect(x);

	DROP(x);
	request(fd, "", 77, 50000, 1);
	peer_expect(fd, x->bytes + 77, 50000);
	close(fd);
}

static void with_fault(enum sl_op op)
{
	struct sl_faults f;

	sl_faults_init(&f, NULL);
	f.ops = BIT(op);
	f.nth = 1;
	f.err = EIO;
	peer_run(&(struct peer){.answer = peer_extent, .client = once, .backend = &f.backend});
	EXPECT_LE(1, f.count);
}

TEST(reading_ahead_may_fail)
{
	with_fault(SL_OP_FADVISE);
}

TEST(whether_it_has_come_may_not_be_known)
{
	with_fault(SL_OP_READ);
}

static void end_is_told(struct peer *x)
{
	int fd = peer_connect(x), other;

	DROP(x);
	request(fd, "", PEER_FILE_BYTES - 1000, 50000, 1);
	EXPECT_TRUE(peer_ends_after_all(fd));
	close(fd);
	other = peer_connect(x);
	peer_ping(other, "fine");
	close(other);
}

TEST(a_file_that_is_shorter_ends_the_connection)
{
	peer_run(&(struct peer){.answer = peer_extent, .client = end_is_told});
}

TEST_HARNESS_MAIN
