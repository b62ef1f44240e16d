// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/lines.c: lines whole, in order, and no waiting beyond what was asked. */
#include "tools/sluice/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/util.h>

#include "harness.h"

FIXTURE(lines)
{
	struct lines l;
	int fds[2];
	const char *line;
	size_t len;
};

FIXTURE_SETUP(lines)
{
	ASSERT_EQ(0, pipe(self->fds));
	lines_init(&self->l, self->fds[0]);
}

FIXTURE_TEARDOWN(lines)
{
	lines_done(&self->l);
	close(self->fds[0]);
}

#define PUT(text) ASSERT_EQ(strlen(text), write(self->fds[1], text, strlen(text)))
#define NEXT(wait_ns) lines_next(&self->l, 1000, wait_ns, &self->line, &self->len)
#define EXPECT_LINE(text)                                                                          \
	do {                                                                                       \
		ASSERT_EQ(1, NEXT(SL_SEC));                                                        \
		ASSERT_EQ(strlen(text), self->len);                                                \
		EXPECT_MEMEQ(text, self->line, self->len);                                         \
	} while (0)

TEST_F(lines, come_one_by_one)
{
	PUT("one\n\nthree\nlast");
	close(self->fds[1]);
	EXPECT_LINE("one");
	EXPECT_LINE("");
	EXPECT_LINE("three");
	EXPECT_LINE("last");
	EXPECT_EQ(0, NEXT(SL_SEC));
	EXPECT_EQ(0, NEXT(SL_SEC));
}

TEST_F(lines, unfinished_line_is_waited_for_no_longer_than_asked)
{
	EXPECT_EQ(-EAGAIN, NEXT(5 * SL_MSEC));
	PUT("ha");
	EXPECT_EQ(-EAGAIN, NEXT(5 * SL_MSEC));
	EXPECT_EQ(-EAGAIN, NEXT(0));
	PUT("lf\nnext");
	EXPECT_LINE("half");
	EXPECT_EQ(-EAGAIN, NEXT(0));
}

TEST_F(lines, line_of_many_reads_is_whole)
{
	static char big[600000];
	const char *line;
	size_t len, sum = 0;
	int r;

	memset(big, 'x', sizeof(big));
	for (size_t at = 0; at < sizeof(big); at += 60000) {
		ASSERT_EQ(60000, write(self->fds[1], big + at, 60000));
		r = lines_next(&self->l, sizeof(big), 0, &line, &len);
		ASSERT_EQ(-EAGAIN, r);
		sum += 60000;
	}
	PUT("\n");
	ASSERT_EQ(1, lines_next(&self->l, sizeof(big), SL_SEC, &line, &len));
	EXPECT_EQ(sum, len);
}

TEST_F(lines, too_long_is_told)
{
	static char big[1002];

	memset(big, 'x', sizeof(big));
	ASSERT_EQ(sizeof(big), write(self->fds[1], big, sizeof(big)));
	EXPECT_EQ(-EMSGSIZE, NEXT(SL_SEC));
}

TEST_HARNESS_MAIN
