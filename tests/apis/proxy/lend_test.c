// SPDX-License-Identifier: Apache-2.0
/* Parts on another core than the one that holds them. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "apis/proxy/lend.h"
#include "harness.h"

/* What core 0 lends and core 1 borrows; @gone: the keeper's file is not held any more. */
static struct {
	struct http_lent *lent[2];
	struct sl_part got[2];
	struct sl_file file;
	int gone;
} shared;

static void file_gone(struct sl_file *file)
{
	__atomic_store_n(&shared.gone, 1, __ATOMIC_RELEASE);
	close(file->fd);
}

static int borrow(void *arg, int64_t deadline)
{
	(void)arg;
	(void)deadline;
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, http_borrow(shared.lent[i], &shared.got[i]));
	EXPECT_EQ(5, sl_part_len(&shared.got[0]));
	EXPECT_EQ(0, memcmp("hello", shared.got[0].slice.data, 5));
	EXPECT_EQ(7, shared.got[1].extent.off);
	EXPECT_EQ(9, shared.got[1].extent.len);
	EXPECT_EQ(shared.file.fd, shared.got[1].extent.file->fd);
	/* As often as it likes. */
	sl_buf_retain(shared.got[0].slice.buf);
	sl_file_retain(shared.got[1].extent.file);
	for (int i = 0; i < 2; i++) {
		struct sl_part again = shared.got[i];

		sl_part_release(&again);
	}
	return 0;
}

static int let_go(void *arg, int64_t deadline)
{
	(void)arg;
	(void)deadline;
	for (int i = 0; i < 2; i++)
		sl_part_release(&shared.got[i]);
	return 0;
}

static int lend_and_wait(struct sl_core *core)
{
	struct sl_buf *buf = sl_buf_new(1000);
	struct sl_core *other = sl_cores_at(sl_core_cores(core), 1);
	uint64_t used = sl_buf_bytes_used(core);

	memcpy(buf->data, "hello", 5);
	ASSERT_EQ(0, sl_file_init(&shared.file, open("/dev/null", O_RDONLY), file_gone));
	shared.lent[0] = http_lend(sl_part_slice((struct sl_slice){buf, buf->data, 5}));
	shared.lent[1] = http_lend(sl_part_extent((struct sl_extent){&shared.file, 7, 9}));
	ASSERT_EQ(0, sl_call(other, borrow, NULL, SL_NEVER));
	EXPECT_EQ(used, sl_buf_bytes_used(core));
	EXPECT_EQ(0, shared.gone);
	ASSERT_EQ(0, sl_call(other, let_go, NULL, SL_NEVER));
	while (!shared.gone || sl_buf_bytes_used(core) == used)
		sl_sleep(sl_now() + SL_MSEC);
	return 0;
}

static int start(struct sl_core *core, void *arg)
{
	(void)arg;
	return sl_core_id(core) ? 0 : lend_and_wait(core);
}

TEST(keeper_lets_go_when_the_reader_did)
{
	const struct sl_cores_conf conf = {.n = 2};
	struct sl_cores *cores;
	char why[200] = "";

	if (!EXPECT_EQ(0, sl_cores_start(&conf, start, NULL, &cores, why, sizeof(why)))) {
		TH_LOG("%s", why);
		return;
	}
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

static int return_unread(void *arg)
{
	struct sl_buf *buf = sl_buf_new(1000);
	uint64_t used = sl_buf_bytes_used(sl_core_self());

	(void)arg;
	http_lent_return(http_lend(sl_part_slice((struct sl_slice){buf, buf->data, 5})));
	EXPECT_LT(sl_buf_bytes_used(sl_core_self()), used);
	return 0;
}

TEST(what_is_not_borrowed_is_returned)
{
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){0}, return_unread, NULL));
}

TEST_HARNESS_MAIN
