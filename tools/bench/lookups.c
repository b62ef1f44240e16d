// SPDX-License-Identifier: Apache-2.0
/*
 * bench-lookups: how long it takes to look all of some objects up, in ways that all verify what
 * they give.
 *
 *	direct		each object a file of its own, read past the page cache into aligned memory,
 *			copied to the caller's, CRC32C over the copy: the plainest cache on a disk
 *	copy		sl_cache_lookup() into the caller's memory
 *	first		sl_cache_lookup_zero_copy(), the first time after the cache was opened
 *	mapped		the same again: every block was verified
 *	verified	the same with SL_CACHE_VERIFY: every byte is verified each time
 *
 * Interface: bench-lookups FOLDER OBJECTS BYTES ROUNDS; works in FOLDER, which it leaves empty, and
 * prints one line of JSON: for each way the median of ROUNDS in milliseconds for all objects. The
 * cache's objects are in the page cache; the files of the direct way are not read by way of it.
 *
 * Order of parts: time; objects; the ways; all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <sluice/cache.h>
#include <sluice/util.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 1000, ALIGN = 4096 };

struct bench {
	const char *folder;
	unsigned objects, rounds;
	size_t bytes;
	struct sl_cache *cache;
	uint8_t *aligned, *mine; /* memory of one object each */
	unsigned *sums; /* of the files */
	double ms[ROUNDS_MAX];
};

static void die(const char *what, int err)
{
	fprintf(stderr, "bench-lookups: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

/* ---- time ------------------------------------------------------------------------------- */

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median time of @round, which looks all objects up; @before prepares each round. */
static double measure(struct bench *b, void (*before)(struct bench *b),
		      void (*round)(struct bench *b))
{
	for (unsigned i = 0; i < b->rounds; i++) {
		double began;

		if (before)
			before(b);
		began = now_ms();
		round(b);
		b->ms[i] = now_ms() - began;
	}
	qsort(b->ms, b->rounds, sizeof(b->ms[0]), by_size);
	return b->ms[b->rounds / 2];
}

/* ---- objects ---------------------------------------------------------------------------- */

static void path_of(const struct bench *b, unsigned i, char path[4200])
{
	snprintf(path, 4200, "%s/%u", b->folder, i);
}

static size_t key_of(unsigned i, char key[16])
{
	return (size_t)snprintf(key, 16, "object %u", i);
}

static void fill(const struct bench *b, unsigned object)
{
	for (size_t i = 0; i + 8 <= b->bytes; i += 8) {
		uint64_t x = sl_mix64(object * UINT64_C(0x100000000) + i);

		memcpy(b->aligned + i, &x, 8);
	}
}

static void write_file(struct bench *b, unsigned i)
{
	char path[4200];
	int fd;

	path_of(b, i, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, b->aligned, b->bytes, 0) != (ssize_t)b->bytes || fdatasync(fd))
		die(path, errno);
	close(fd);
	b->sums[i] = crc32_iscsi(b->aligned, (int)b->bytes, 0);
}

static void store_all(struct bench *b)
{
	for (unsigned i = 0; i < b->objects; i++) {
		char key[16];
		int err;

		fill(b, i);
		write_file(b, i);
		err = sl_cache_put(b->cache, key, key_of(i, key), b->aligned, b->bytes,
				   SL_CACHE_TTL_NEVER);
		if (err)
			die("an object cannot be stored", err);
	}
}

/* ---- the ways --------------------------------------------------------------------------- */

static void direct(struct bench *b)
{
	for (unsigned i = 0; i < b->objects; i++) {
		char path[4200];
		int fd;

		path_of(b, i, path);
		fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd < 0 || pread(fd, b->aligned, b->bytes, 0) != (ssize_t)b->bytes)
			die(path, errno);
		close(fd);
		memcpy(b->mine, b->aligned, b->bytes);
		if (crc32_iscsi(b->mine, (int)b->bytes, 0) != b->sums[i])
			die(path, EBADMSG);
	}
}

static void copy(struct bench *b)
{
	for (unsigned i = 0; i < b->objects; i++) {
		char key[16];
		size_t n = key_of(i, key);

		if (sl_cache_lookup(b->cache, key, n, 0, b->mine, b->bytes) != (ssize_t)b->bytes)
			die("an object is not found", ENOENT);
	}
}

static void zero_copy(struct bench *b, unsigned flags)
{
	for (unsigned i = 0; i < b->objects; i++) {
		struct sl_cache_object *object;
		const void *data;
		char key[16];
		size_t n;
		int err = sl_cache_lookup_zero_copy(b->cache, key, key_of(i, key), flags, &object,
						    &data, &n);

		if (err || n != b->bytes)
			die("an object is not found", err);
		sl_cache_release(object);
	}
}

static void mapped(struct bench *b)
{
	zero_copy(b, 0);
}

static void verified(struct bench *b)
{
	zero_copy(b, SL_CACHE_VERIFY);
}

/* ---- all of it -------------------------------------------------------------------------- */

static void open_cache(struct bench *b)
{
	char path[4200], settings[64], why[300];

	snprintf(path, sizeof(path), "%s/cache", b->folder);
	snprintf(settings, sizeof(settings), "max_bytes=%zu",
		 sl_max(4 * b->objects * b->bytes, (size_t)256 << 20));
	if (sl_cache_open(path, settings, &b->cache, why, sizeof(why))) {
		fprintf(stderr, "bench-lookups: %s\n", why);
		exit(1);
	}
}

static void reopen(struct bench *b)
{
	sl_cache_close(b->cache);
	open_cache(b);
}

static void clean(struct bench *b)
{
	char path[4200], command[4300];

	for (unsigned i = 0; i < b->objects; i++) {
		path_of(b, i, path);
		unlink(path);
	}
	snprintf(command, sizeof(command), "rm -rf -- '%s/cache'", b->folder);
	if (strchr(b->folder, '\'') || system(command))
		fprintf(stderr, "bench-lookups: %s/cache is left\n", b->folder);
}

static void report(struct bench *b)
{
	printf("{\"objects\": %u, \"bytes\": %zu", b->objects, b->bytes);
	printf(", \"direct\": %.4f", measure(b, NULL, direct));
	printf(", \"first\": %.4f", measure(b, reopen, mapped));
	printf(", \"copy\": %.4f", measure(b, NULL, copy));
	printf(", \"mapped\": %.4f", measure(b, NULL, mapped));
	printf(", \"verified\": %.4f}\n", measure(b, NULL, verified));
}

int main(int argc, char **argv)
{
	struct bench b = {0};

	if (argc == 5) {
		b = (struct bench){.folder = argv[1],
				   .objects = (unsigned)atoi(argv[2]),
				   .bytes = (size_t)atol(argv[3]),
				   .rounds = (unsigned)atoi(argv[4])};
	}
	if (!b.objects || !b.bytes || b.bytes % ALIGN || !b.rounds || b.rounds > ROUNDS_MAX) {
		fprintf(stderr,
			"usage: bench-lookups FOLDER OBJECTS BYTES ROUNDS\n"
			"BYTES is a multiple of %d, ROUNDS at most %d.\n",
			ALIGN, ROUNDS_MAX);
		return 2;
	}
	b.aligned = aligned_alloc(ALIGN, b.bytes);
	b.mine = aligned_alloc(ALIGN, b.bytes);
	b.sums = calloc(b.objects, sizeof(*b.sums));
	if (!b.aligned || !b.mine || !b.sums)
		die("memory", ENOMEM);
	open_cache(&b);
	store_all(&b);
	report(&b);
	sl_cache_close(b.cache);
	clean(&b);
	free(b.sums);
	free(b.mine);
	free(b.aligned);
	return 0;
}
