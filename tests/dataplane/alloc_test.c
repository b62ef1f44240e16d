/* SPDX-License-Identifier: Apache-2.0 */
/* Requests are served, and sent by each rung, from memory that was taken before. */
#include <stdio.h>
#include <unistd.h>

#include "allocs.h"
#include "peer.h"

/* "<off> <len>": an extent of the file; anything else is echoed. */
static int answer(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	unsigned long off, bytes;
	struct sl_reply *r;

	if (sscanf(body, "%lu %lu", &off, &bytes) != 2)
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 1, 0, (uint32_t)bytes, "", 0);
	peer_add_extent(x, r, off, bytes);
	return sl_deliver(r, SL_NEVER);
}

static void round_of(struct peer *x, int fd, bool cold)
{
	static const size_t lens[] = {100, 4096, 16384, 16385, 300000, 1000000};
	char text[64];

	for (unsigned i = 0; i < SL_ARRAY_SIZE(lens); i++) {
		if (cold)
			peer_drop_once(x, 0, PEER_FILE_BYTES);
		snprintf(text, sizeof(text), "%u %zu", i * 100000, lens[i]);
		peer_request(fd, text);
		peer_expect(fd, x->bytes + i * 100000, lens[i]);
		peer_ping(fd, "an echo");
	}
}

static void hot_and_cold(struct peer *x)
{
	int fd = peer_connect(x);
	unsigned long before;

	for (int i = 0; i < 10; i++)
		round_of(x, fd, i % 2);
	before = allocs_counted();
	EXPECT_LT(0, before); /* the counting works */
	for (int i = 0; i < 20; i++)
		round_of(x, fd, i % 2);
	EXPECT_EQ(before, allocs_counted());
	close(fd);
}

TEST(served_requests_allocate_nothing)
{
	if (!allocs_can_count())
		SKIP(return, "a sanitizer has an allocator of its own");
	peer_run(&(struct peer){.answer = answer, .client = hot_and_cold});
}

TEST_HARNESS_MAIN
