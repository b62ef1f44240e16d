/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life: start, reload, reports, an orderly end, DATADIR's mark. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "tests/faults/daemon.h"

TEST(an_orderly_end_is_remembered_and_a_kill_is_noticed)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_stop(&d));
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_log_count(&d, "daemon.recovering"));
	daemon_kill(&d);
	daemon_must_start(&d);
	EXPECT_EQ(1, daemon_log_wait(&d, "daemon.recovering", 1));
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST(a_second_daemon_is_refused)
{
	struct daemon_kit first, second;
	char holder[32];

	daemon_init(&first, NULL);
	daemon_must_start(&first);
	daemon_init(&second, first.datadir);
	snprintf(second.log, sizeof(second.log), "%s/second.log", harness_tmpdir());
	EXPECT_EQ(1, daemon_start(&second));
	snprintf(holder, sizeof(holder), "%d", (int)first.pid);
	EXPECT_LE(1, daemon_log_count(&second, holder));
	EXPECT_TRUE(daemon_runs(&first));
	EXPECT_EQ(0, daemon_stop(&first));
}

TEST(signals_reload_report_and_stop)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "node.cores=2");
	daemon_must_start(&d);
	kill(d.pid, SIGHUP);
	EXPECT_EQ(1, daemon_log_wait(&d, "settings.reloaded", 1));
	kill(d.pid, SIGUSR1);
	EXPECT_EQ(2, daemon_log_wait(&d, "core.state", 2));
	EXPECT_EQ(0, daemon_stop(&d));
	EXPECT_EQ(1, daemon_log_count(&d, "daemon.stopping"));
}

TEST(a_cache_is_made_kept_and_reloaded)
{
	struct daemon_kit d, second;
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cache/CACHE", harness_tmpdir());
	daemon_init(&d, NULL);
	daemon_set(&d, "node.cores=2");
	daemon_must_start(&d);
	EXPECT_NE(0, access(path, F_OK));
	EXPECT_EQ(0, daemon_stop(&d));
	daemon_set(&d, "cache.path=%s/cache", harness_tmpdir());
	daemon_must_start(&d);
	EXPECT_EQ(0, access(path, F_OK));
	kill(d.pid, SIGHUP);
	EXPECT_EQ(1, daemon_log_wait(&d, "settings.reloaded", 1));
	/* Another daemon may not have it, too. */
	daemon_init(&second, NULL);
	snprintf(second.datadir, sizeof(second.datadir), "%s/second", harness_tmpdir());
	snprintf(second.log, sizeof(second.log), "%s/second.log", harness_tmpdir());
	daemon_set(&second, "cache.path=%s/cache", harness_tmpdir());
	EXPECT_EQ(1, daemon_start(&second));
	EXPECT_EQ(1, daemon_log_count(&second, "another process uses it"));
	daemon_kill(&d);
	/* A damaged description empties the cache, and keeps nobody from serving. */
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fclose(f);
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_log_count(&d, "cache.dropped"));
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST(it_starts_in_a_moment_and_is_small_at_rest)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_must_start(&d);
	/* Generous bounds: figures are docs/benchmarks.md's; this is for what goes wrong. */
	EXPECT_LT(d.ready_ns, INT64_C(5000000000) * harness_time_scale());
	EXPECT_LT(daemon_rss_bytes(&d), (UINT64_C(64) << 20) * (unsigned)harness_time_scale());
	EXPECT_EQ(0, daemon_stop(&d));
}

/* Settings of each core and the limit of the daemon: kept, or lowered and said so. */
TEST(more_open_files_than_the_limit_leaves_are_lowered)
{
	struct rlimit few = {1000, 1000};
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "node.cores=2");
	daemon_set(&d, "static.listen=127.0.0.1:0");
	daemon_set(&d, "static.root=%s", harness_tmpdir());
	daemon_set(&d, "static.open_files=250");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_stop(&d));
	EXPECT_EQ(0, daemon_log_count(&d, "static.open-files-lowered"));
	daemon_set(&d, "static.open_files=251");
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_stop(&d));
	EXPECT_EQ(1, daemon_log_count(&d, "wanted=251 kept=250 limit=1000 cure="));
}

TEST_HARNESS_MAIN
