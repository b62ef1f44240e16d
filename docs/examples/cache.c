/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An example of libsluice: copies a file to standard output by way of a cache.
 *
 *	cc cache.c $(pkg-config --cflags --libs libsluice) -o cache
 *	./cache FOLDER FILE...
 *
 * A file that is in the cache is not opened: its bytes are written from where the cache has them in
 * memory. One that is not is stored while it is read. What became of each stands on standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <sluice/cache.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All of it. Return: 0 or -errno. */
static int write_all(int fd, const void *data, size_t n)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done < 0)
			continue;
		data = (const char *)data + done;
		n -= (size_t)done;
	}
	return 0;
}

/* The file that is open, to the cache and to standard output. */
static int store(struct sl_cache_put *put, int fd)
{
	char piece[65536];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		int err = sl_cache_put_write(put, piece, (size_t)n);

		if (!err)
			err = write_all(STDOUT_FILENO, piece, (size_t)n);
		if (err)
			return err;
	}
	return n < 0 ? -errno : 0;
}

static int miss(struct sl_cache *cache, const char *path)
{
	struct sl_cache_put *put;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = sl_cache_put_begin(cache, path, strlen(path), &put);
	if (!err) {
		sl_cache_put_ttl(put, 24 * 3600 * 1000);
		sl_cache_put_tag(put, "files", strlen("files"));
		err = store(put, fd);
		if (err)
			sl_cache_put_abort(put);
		else
			err = sl_cache_put_commit(put);
	}
	close(fd);
	return err;
}

static int copy(struct sl_cache *cache, const char *path)
{
	struct sl_cache_object *object;
	const void *data;
	size_t n;
	int err = sl_cache_lookup_zero_copy(cache, path, strlen(path), 0, &object, &data, &n);

	if (err == -ENOENT) {
		fprintf(stderr, "%s: miss\n", path);
		return miss(cache, path);
	}
	if (err)
		return err;
	fprintf(stderr, "%s: hit, %zu bytes\n", path, n);
	err = write_all(STDOUT_FILENO, data, n);
	sl_cache_release(object);
	return err;
}

int main(int argc, char **argv)
{
	struct sl_cache *cache;
	char why[256];
	int failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: cache FOLDER FILE...\n");
		return 2;
	}
	if (sl_cache_open(argv[1], "max_bytes=256M", &cache, why, sizeof(why))) {
		fprintf(stderr, "cache: %s\n", why);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		int err = copy(cache, argv[i]);

		if (err)
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-err));
		failed |= err != 0;
	}
	sl_cache_close(cache);
	return failed;
}
