/* SPDX-License-Identifier: Apache-2.0 */
/* A cache for tests of libsluice, and what is in it (lib_kit.h). */
#include "lib_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uring/uring.h"

struct sl_cache *lib_open(const char *settings)
{
	struct sl_cache *c = NULL;
	char path[200], why[300];

	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	if (!EXPECT_EQ(0, sl_cache_open(path, settings, &c, why, sizeof(why)))) {
		TH_LOG("%s", why);
		ASSERT_NOT_NULL(c);
	}
	return c;
}

static uint8_t byte_at(uint64_t seed, uint64_t at)
{
	return (uint8_t)(sl_mix64(seed * 1000003 + at / 8) >> 8 * (at % 8));
}

void lib_fill(uint8_t *dst, size_t n, uint64_t seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = byte_at(seed, at + i);
}

bool lib_is(const void *data, size_t n, uint64_t seed, uint64_t at)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(seed, at + i))
			return false;
	return true;
}

const char *lib_key(uint64_t seed)
{
	static __thread char key[40];

	snprintf(key, sizeof(key), "key-%llu", (unsigned long long)seed);
	return key;
}

int lib_put(struct sl_cache *c, uint64_t seed, size_t n)
{
	uint8_t *body = malloc(n ? n : 1);
	const char *key = lib_key(seed);
	int err;

	ASSERT_NOT_NULL(body);
	lib_fill(body, n, seed, 0);
	err = sl_cache_put(c, key, strlen(key), body, n, SL_CACHE_TTL_DEFAULT);
	free(body);
	return err;
}

int lib_get(struct sl_cache *c, uint64_t seed, size_t n)
{
	uint8_t *body = malloc(n + 1);
	const char *key = lib_key(seed);
	ssize_t got;

	ASSERT_NOT_NULL(body);
	got = sl_cache_lookup(c, key, strlen(key), 0, body, n + 1);
	if (got >= 0)
		got = (size_t)got == n && lib_is(body, n, seed, 0) ? 0 : -EBADMSG;
	free(body);
	return (int)got;
}

void lib_figure_note(void *figure, const char *name, uint64_t value)
{
	struct lib_figure *w = figure;

	if (strcmp(name, w->name))
		return;
	w->value = value;
	w->found = true;
}

uint64_t lib_stat(struct sl_cache *c, const char *name)
{
	struct lib_figure w = {.name = name};

	sl_cache_stat(c, lib_figure_note, &w);
	ASSERT_TRUE(w.found);
	return w.value;
}
