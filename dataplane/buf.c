/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bufs: reference-counted memory in size classes from a core's arena.
 *
 * Interface: the first part of buf.h. A block of a class is split into four of the next smaller
 * one; blocks are not merged again, since a server's mix of sizes hardly changes. Invariants: a
 * buf's descriptor stays with its memory; counts change on the home core alone; outside cores
 * (tools) bufs come from the heap and belong to no core.
 *
 * Order of parts: descriptors; classes; bufs; slices.
 */
#include <errno.h>
#include <string.h>

#include "core_pvt.h"

/* ---- descriptors ------------------------------------------------------------------------ */

enum { SLAB_BUFS = 127 };

struct buf_slab {
	struct sl_list node;
	struct sl_buf bufs[SLAB_BUFS];
};

static struct sl_buf *descriptor(struct bufs *b)
{
	struct sl_list *n = sl_list_pop(&b->spare);

	if (!n) {
		struct buf_slab *slab = calloc(1, sizeof(*slab));

		if (!slab)
			return NULL;
		sl_list_push(&b->slabs, &slab->node);
		for (int i = 0; i < SLAB_BUFS; i++)
			sl_list_append(&b->spare, &slab->bufs[i].node);
		n = sl_list_pop(&b->spare);
	}
	return sl_list_entry(n, struct sl_buf, node);
}

int bufs_init(struct bufs *b, uint64_t bytes_max, int node)
{
	int err;

	memset(b, 0, sizeof(*b));
	sl_list_init(&b->slabs);
	sl_list_init(&b->spare);
	for (int i = 0; i < BUF_CLASSES; i++)
		sl_list_init(&b->free[i]);
	err = sl_arena_init(&b->arena, bytes_max);
	/* For what another core or the kernel touches first; where it is refused the thread's own
	 * preference decides, and whether that is refused is told once. */
	if (!err && node >= 0)
		sl_numa_bind(b->arena.base, b->arena.bytes_max, node);
	return err;
}

void bufs_done(struct bufs *b)
{
	struct sl_list *n;

	if (!b->slabs.next)
		return;
	SL_ASSERT(b->used_bytes == 0);
	while ((n = sl_list_pop(&b->slabs)))
		free(sl_list_entry(n, struct buf_slab, node));
	sl_arena_done(&b->arena);
}

/* ---- classes ---------------------------------------------------------------------------- */

static uint32_t class_bytes(int class)
{
	return (uint32_t)(SL_BUF_BYTES_MIN << 2 * class);
}

static int class_of(size_t bytes)
{
	int class = 0;

	while (class_bytes(class) < bytes)
		class++;
	return class;
}

static void add_free(struct bufs *b, struct sl_buf *buf, uint8_t *data, int class)
{
	buf->data = data;
	buf->bytes = class_bytes(class);
	buf->home = sl_core_self();
	buf->refs = 0;
	sl_list_push(&b->free[class], &buf->node);
}

/* Makes sure that @class has a free block. Return: 0 or -ENOMEM. */
static int refill(struct bufs *b, int class)
{
	struct sl_buf *whole, *part[4];
	uint8_t *data;

	if (!sl_list_empty(&b->free[class]))
		return 0;
	if (class == BUF_CLASSES - 1) {
		static_assert(SL_BUF_BYTES_MAX == SL_ARENA_CHUNK_BYTES, "a chunk is a block");
		whole = descriptor(b);
		if (!whole)
			return -ENOMEM;
		data = sl_arena_grow(&b->arena);
		if (!data) {
			sl_list_push(&b->spare, &whole->node);
			return -ENOMEM;
		}
		add_free(b, whole, data, class);
		return 0;
	}
	if (refill(b, class + 1))
		return -ENOMEM;
	for (int i = 1; i < 4; i++) {
		part[i] = descriptor(b);
		if (!part[i]) {
			while (--i)
				sl_list_push(&b->spare, &part[i]->node);
			return -ENOMEM;
		}
	}
	whole = sl_list_entry(sl_list_pop(&b->free[class + 1]), struct sl_buf, node);
	part[0] = whole;
	data = whole->data;
	for (int i = 3; i >= 0; i--)
		add_free(b, part[i], data + (size_t)i * class_bytes(class), class);
	return 0;
}

/* ---- bufs ------------------------------------------------------------------------------- */

static struct sl_buf *new_on_heap(size_t bytes)
{
	struct sl_buf *buf = calloc(1, sizeof(*buf));
	void *data;

	if (!buf)
		return NULL;
	if (posix_memalign(&data, 4096, bytes)) { /* an arena's are aligned: direct.c */
		free(buf);
		return NULL;
	}
	buf->data = data;
	buf->bytes = (uint32_t)bytes;
	buf->refs = 1;
	return buf;
}

struct sl_buf *sl_buf_new(size_t bytes)
{
	struct sl_core *core = sl_core_self();
	struct sl_buf *buf;
	struct bufs *b;
	int class;

	SL_ASSERT(bytes > 0 && bytes <= SL_BUF_BYTES_MAX);
	if (!core)
		return new_on_heap(bytes);
	b = &core->bufs;
	class = class_of(bytes);
	if (refill(b, class))
		return NULL;
	buf = sl_list_entry(sl_list_pop(&b->free[class]), struct sl_buf, node);
	SL_ASSERT(buf->refs == 0 && buf->bytes >= bytes);
	buf->refs = 1;
	b->used_bytes += buf->bytes;
	return buf;
}

struct sl_buf *sl_buf_retain(struct sl_buf *buf)
{
	SL_ASSERT(buf->refs > 0);
	SL_ON_CORE(buf->home);
	buf->refs++;
	return buf;
}

/* Blocks this large give their pages back when they are freed, so that a burst does not stay. */
enum { TRIM_BYTES = 4 << 20 };

static void put_back(struct sl_buf *buf)
{
	struct bufs *b = &buf->home->bufs;

	b->used_bytes -= buf->bytes;
	if (buf->bytes >= TRIM_BYTES)
		sl_arena_trim(&b->arena, buf->data, buf->bytes);
	sl_list_push(&b->free[class_of(buf->bytes)], &buf->node);
}

static void came_home(struct sl_msg *msg)
{
	sl_buf_release(sl_container_of(msg, struct sl_buf, msg));
}

void sl_buf_release(struct sl_buf *buf)
{
	if (!buf)
		return;
	if (buf->home && buf->home != sl_core_self()) {
		/* One foreign core holds at most the one reference that was handed to it. */
		buf->msg.fn = came_home;
		sl_post(buf->home, &buf->msg);
		return;
	}
	SL_ASSERT(buf->refs > 0);
	if (--buf->refs)
		return;
	if (buf->gone) {
		buf->gone(buf);
		return;
	}
	if (buf->home) {
		put_back(buf);
		return;
	}
	free(buf->data);
	free(buf);
}

int bufs_fixed_index(struct sl_core *core, const struct sl_buf *buf)
{
	struct bufs *b = &core->bufs;
	int index;

	if (b->unregistered)
		return b->unregistered;
	index = sl_arena_register(&b->arena, core->ring, buf->data);
	if (index < 0)
		b->unregistered = index;
	return index;
}

uint64_t sl_buf_bytes_used(const struct sl_core *core)
{
	return core->bufs.used_bytes;
}

/* ---- slices ----------------------------------------------------------------------------- */

struct sl_slice sl_slice_of(struct sl_buf *buf, size_t off, size_t len)
{
	SL_ASSERT(off <= buf->bytes && len <= buf->bytes - off);
	return (struct sl_slice){sl_buf_retain(buf), buf->data + off, len};
}

struct sl_slice sl_slice_sub(const struct sl_slice *s, size_t off, size_t len)
{
	SL_ASSERT(off <= s->len && len <= s->len - off);
	return (struct sl_slice){s->buf ? sl_buf_retain(s->buf) : NULL, s->data + off, len};
}

void sl_part_release(struct sl_part *p)
{
	if (p->borrowed)
		;
	else if (p->kind == SL_PART_SLICE)
		sl_buf_release(p->slice.buf);
	else
		sl_file_release(p->extent.file);
	*p = (struct sl_part){0};
}

struct sl_part sl_part_borrow(const struct sl_part *p, uint64_t off, uint64_t len)
{
	struct sl_part piece = *p;

	SL_ASSERT(off <= sl_part_len(p) && len <= sl_part_len(p) - off);
	piece.borrowed = true;
	if (p->kind == SL_PART_SLICE)
		piece.slice = (struct sl_slice){.data = p->slice.data + off, .len = len};
	else
		piece.extent.off += off;
	if (p->kind == SL_PART_EXTENT)
		piece.extent.len = len;
	return piece;
}
