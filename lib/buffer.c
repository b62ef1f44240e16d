/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's buffers: memory with a count of references.
 *
 * Interface: <sluice/buffer.h>. Programs of others hand buffers between threads as they like, so
 * that these counts are atomic and a pool has a lock; dataplane's bufs, which belong to cores, have
 * neither. A pool lives as long as it is open or has a block out.
 *
 * Order of parts: pools; buffers; slices.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib_pvt.h"

#define ALIGN 64u
#define PAGE 4096u

/**
 * struct sl_buffer - @data, @bytes: what it holds. @map, @map_bytes: of a mapped file, from the
 * page on. @pool, @class: of a block; @next: in the pool, while it waits there. @gone: NULL, or
 * gives back what is not its own.
 */
struct sl_buffer {
	uint32_t refs;
	uint32_t class;
	enum sl_buffer_kind kind;
	uint8_t *data;
	size_t bytes;
	void *map;
	size_t map_bytes;
	struct sl_pool *pool;
	struct sl_buffer *next;
	void (*gone)(void *arg);
	void *arg;
};

/* ---- pools ------------------------------------------------------------------------------ */

/* @refs: one of whoever opened it, one of each block that is out. The rest is guarded by @lock. */
struct sl_pool {
	uint32_t refs;
	pthread_mutex_t lock;
	uint64_t bytes_max, held_bytes, idle_bytes;
	struct sl_buffer *idle[SL_POOL_CLASSES];
	bool closed;
};

int sl_pool_new(uint64_t bytes_max, struct sl_pool **ret_pool)
{
	struct sl_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->refs = 1;
	pool->bytes_max = bytes_max;
	pthread_mutex_init(&pool->lock, NULL);
	*ret_pool = pool;
	return 0;
}

static void memory_free(struct sl_buffer *b)
{
	free(b->data);
	free(b);
}

static void pool_put(struct sl_pool *pool)
{
	if (__atomic_sub_fetch(&pool->refs, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* With the lock. */
static uint64_t drop_idle(struct sl_pool *pool)
{
	uint64_t bytes = pool->idle_bytes;

	for (uint32_t i = 0; i < SL_POOL_CLASSES; i++) {
		while (pool->idle[i]) {
			struct sl_buffer *b = pool->idle[i];

			pool->idle[i] = b->next;
			memory_free(b);
		}
	}
	pool->idle_bytes = 0;
	return bytes;
}

uint64_t sl_pool_trim(struct sl_pool *pool)
{
	uint64_t bytes;

	pthread_mutex_lock(&pool->lock);
	bytes = drop_idle(pool);
	pthread_mutex_unlock(&pool->lock);
	return bytes;
}

void sl_pool_free(struct sl_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	drop_idle(pool);
	pthread_mutex_unlock(&pool->lock);
	pool_put(pool);
}

void sl_pool_stat(struct sl_pool *pool, uint64_t *ret_held_bytes, uint64_t *ret_idle_bytes)
{
	pthread_mutex_lock(&pool->lock);
	if (ret_held_bytes)
		*ret_held_bytes = pool->held_bytes;
	if (ret_idle_bytes)
		*ret_idle_bytes = pool->idle_bytes;
	pthread_mutex_unlock(&pool->lock);
}

/* ---- buffers ---------------------------------------------------------------------------- */

static size_t class_bytes(uint32_t class)
{
	return (size_t)SL_POOL_BYTES_MIN << 2 * class;
}

static uint32_t class_of(size_t bytes)
{
	uint32_t class = 0;

	while (class_bytes(class) < bytes)
		class++;
	return class;
}

static int memory_new(size_t bytes, size_t align, enum sl_buffer_kind kind,
		      struct sl_buffer **ret_buffer)
{
	struct sl_buffer *b = calloc(1, sizeof(*b));
	void *data;

	if (!b)
		return -ENOMEM;
	if (posix_memalign(&data, align, bytes)) {
		free(b);
		return -ENOMEM;
	}
	*b = (struct sl_buffer){.refs = 1, .kind = kind, .data = data, .bytes = bytes};
	*ret_buffer = b;
	return 0;
}

/* Makes room below the bound for one more block; blocks of other classes that wait go first. With
 * the lock. */
static bool may_grow(struct sl_pool *pool, size_t bytes)
{
	if (!pool->bytes_max || pool->held_bytes + pool->idle_bytes + bytes <= pool->bytes_max)
		return true;
	if (pool->held_bytes + bytes > pool->bytes_max)
		return false;
	drop_idle(pool);
	return true;
}

/* With the lock. */
static int take_block(struct sl_pool *pool, uint32_t class, struct sl_buffer **ret_buffer)
{
	size_t bytes = class_bytes(class);
	struct sl_buffer *b = pool->idle[class];
	int err;

	if (b) {
		pool->idle[class] = b->next;
		pool->idle_bytes -= bytes;
	} else {
		if (!may_grow(pool, bytes))
			return -ENOBUFS;
		err = memory_new(bytes, bytes < PAGE ? ALIGN : PAGE, SL_BUFFER_POOL, &b);
		if (err)
			return err;
	}
	pool->held_bytes += bytes;
	b->refs = 1;
	b->class = class;
	b->pool = pool;
	b->next = NULL;
	__atomic_add_fetch(&pool->refs, 1, __ATOMIC_RELAXED);
	*ret_buffer = b;
	return 0;
}

int sl_buffer_new(struct sl_pool *pool, size_t bytes, struct sl_buffer **ret_buffer)
{
	int err;

	if (!bytes)
		return -EINVAL;
	if (bytes > SL_POOL_BYTES_MAX)
		return -E2BIG;
	pthread_mutex_lock(&pool->lock);
	err = take_block(pool, class_of(bytes), ret_buffer);
	pthread_mutex_unlock(&pool->lock);
	return err;
}

int sl_buffer_new_heap(size_t bytes, struct sl_buffer **ret_buffer)
{
	if (!bytes || bytes > SIZE_MAX / 2)
		return -EINVAL;
	return memory_new(bytes, ALIGN, SL_BUFFER_HEAP, ret_buffer);
}

int buffer_of(void *data, size_t bytes, void (*gone)(void *arg), void *arg,
	      struct sl_buffer **ret_buffer)
{
	struct sl_buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	*b = (struct sl_buffer){.refs = 1, .kind = SL_BUFFER_HEAP, .data = data, .bytes = bytes,
				.gone = gone, .arg = arg};
	*ret_buffer = b;
	return 0;
}

int sl_buffer_map(int fd, uint64_t off, size_t bytes, struct sl_buffer **ret_buffer)
{
	size_t lead = off % PAGE;
	struct sl_buffer *b;
	struct stat st;

	if (!bytes)
		return -EINVAL;
	if (fstat(fd, &st))
		return -errno;
	if (off > (uint64_t)st.st_size || bytes > (uint64_t)st.st_size - off)
		return -ERANGE;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct sl_buffer){.refs = 1, .kind = SL_BUFFER_MAPPED, .bytes = bytes,
				.map_bytes = bytes + lead};
	b->map = mmap(NULL, b->map_bytes, PROT_READ, MAP_SHARED, fd, (off_t)(off - lead));
	if (b->map == MAP_FAILED) {
		int err = -errno;

		free(b);
		return err;
	}
	b->data = (uint8_t *)b->map + lead;
	*ret_buffer = b;
	return 0;
}

/* The block waits in its pool, unless that was closed. */
static void give_back(struct sl_buffer *b)
{
	struct sl_pool *pool = b->pool;
	bool closed;

	pthread_mutex_lock(&pool->lock);
	pool->held_bytes -= b->bytes;
	closed = pool->closed;
	if (!closed) {
		b->next = pool->idle[b->class];
		pool->idle[b->class] = b;
		pool->idle_bytes += b->bytes;
	}
	pthread_mutex_unlock(&pool->lock);
	if (closed)
		memory_free(b);
	pool_put(pool);
}

struct sl_buffer *sl_buffer_retain(struct sl_buffer *b)
{
	uint32_t was = __atomic_fetch_add(&b->refs, 1, __ATOMIC_RELAXED);

	SL_ASSERT(was && was < UINT32_MAX);
	return b;
}

void sl_buffer_release(struct sl_buffer *b)
{
	uint32_t was;

	if (!b)
		return;
	was = __atomic_fetch_sub(&b->refs, 1, __ATOMIC_ACQ_REL);
	SL_ASSERT(was);
	if (was > 1)
		return;
	switch (b->kind) {
	case SL_BUFFER_POOL:
		give_back(b);
		break;
	case SL_BUFFER_MAPPED:
		munmap(b->map, b->map_bytes);
		free(b);
		break;
	default:
		if (b->gone) {
			b->gone(b->arg);
			free(b);
		} else {
			memory_free(b);
		}
		break;
	}
}

uint32_t sl_buffer_count(const struct sl_buffer *b)
{
	return __atomic_load_n(&b->refs, __ATOMIC_RELAXED);
}

enum sl_buffer_kind sl_buffer_kind(const struct sl_buffer *b)
{
	return b->kind;
}

size_t sl_buffer_bytes(const struct sl_buffer *b)
{
	return b->bytes;
}

void *sl_buffer_data(struct sl_buffer *b)
{
	return b->data;
}

/* ---- slices ----------------------------------------------------------------------------- */

/* Bytes [@off, @off + @n) of the @bytes at @data, which are @b's. */
static int cut(struct sl_buffer *b, const uint8_t *data, size_t bytes, size_t off, size_t n,
	       struct sl_buffer_slice *ret_slice)
{
	if (off > bytes || n > bytes - off)
		return -ERANGE;
	*ret_slice = (struct sl_buffer_slice){
		.buffer = sl_buffer_retain(b), .data = data + off, .n = n};
	return 0;
}

int sl_buffer_slice(struct sl_buffer *b, size_t off, size_t n, struct sl_buffer_slice *ret_slice)
{
	return cut(b, b->data, b->bytes, off, n, ret_slice);
}

int sl_buffer_slice_again(const struct sl_buffer_slice *s, size_t off, size_t n,
			  struct sl_buffer_slice *ret_slice)
{
	return cut(s->buffer, s->data, s->n, off, n, ret_slice);
}

void sl_buffer_slice_release(struct sl_buffer_slice *s)
{
	sl_buffer_release(s->buffer);
	*s = (struct sl_buffer_slice){0};
}
