/* SPDX-License-Identifier: Apache-2.0 */
/* <sluice/cache.h> by itself, before any other header: what a program of C sees of libsluice. */
#include <sluice/cache.h>

#include <stdio.h>

#include "harness.h"

/* All that is declared is there, with the type that a program would give it. */
TEST(what_is_declared_can_be_called)
{
	int (*open)(const char *, const char *, struct sl_cache **, char *, size_t) = sl_cache_open;
	void (*close)(struct sl_cache *) = sl_cache_close;
	int (*put)(struct sl_cache *, const void *, size_t, const void *, size_t, int64_t) =
		sl_cache_put;
	ssize_t (*lookup)(struct sl_cache *, const void *, size_t, uint64_t, void *, size_t) =
		sl_cache_lookup;
	struct sl_cache *cache = NULL;
	char path[300], why[100], buf[8];

	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	ASSERT_EQ(0, open(path, NULL, &cache, why, sizeof(why)));
	EXPECT_EQ(0, put(cache, "k", 1, "value", 5, SL_CACHE_TTL_NEVER));
	EXPECT_EQ(5, lookup(cache, "k", 1, 0, buf, sizeof(buf)));
	EXPECT_MEMEQ("value", buf, 5);
	close(cache);
}

TEST_HARNESS_MAIN
