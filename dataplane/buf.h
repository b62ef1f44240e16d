/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in flight: reference-counted memory, slices of it, extents of files, and parts.
 *
 * A buf is memory of a core's arena (outside cores, in tools: of the heap), at most one block of
 * the largest class; a file is an open descriptor. Both live as long as references to them are
 * held. Each core counts its own references: a buf released on a foreign core goes home by mailbox;
 * a file's home hears from a core when that core's count falls to zero. No counter is shared.
 *
 * Order of parts: bufs and slices; files and extents; parts.
 */
#ifndef DATAPLANE_BUF_H
#define DATAPLANE_BUF_H

#include "core.h"

/* ---- bufs and slices -------------------------------------------------------------------- */

#define SL_BUF_BYTES_MIN (UINT64_C(1) << 10)
#define SL_BUF_BYTES_MAX (UINT64_C(16) << 20)

/**
 * struct sl_buf - memory with a count of references.
 * @bytes: capacity. @refs: on its home core only. @msg: carries a foreign release home. @node: free
 * list of its class. @gone: NULL, or the memory is not the arena's but of who embedded the buf, and
 * this is called at home when the last reference is gone.
 */
struct sl_buf {
	uint8_t *data;
	struct sl_core *home;
	uint32_t bytes;
	uint32_t refs;
	struct sl_msg msg;
	struct sl_list node;
	void (*gone)(struct sl_buf *buf);
};

/**
 * sl_buf_new() - memory of at least @bytes (1..SL_BUF_BYTES_MAX, asserted) from this core's arena,
 * with one reference. Never blocks. Return: the buf, or NULL when the arena's budget is used up.
 */
struct sl_buf *sl_buf_new(size_t bytes);

/* Core-local: on the buf's home core. */
struct sl_buf *sl_buf_retain(struct sl_buf *buf);

/* From any core. Accepts NULL. */
void sl_buf_release(struct sl_buf *buf);

/* A buf of the caller's memory, with one reference; on this core, or none. */
static inline void sl_buf_init(struct sl_buf *buf, void *data, size_t bytes,
			       void (*gone)(struct sl_buf *buf))
{
	*buf = (struct sl_buf){.data = data, .home = sl_core_self(), .bytes = (uint32_t)bytes,
			       .refs = 1, .gone = gone};
	sl_list_init(&buf->node);
}

/* Bytes of the core's arena held by bufs. */
uint64_t sl_buf_bytes_used(const struct sl_core *core);

/* Bytes of a buf; holds a reference when buf is set, borrows memory that outlives it if not. */
struct sl_slice {
	struct sl_buf *buf;
	const uint8_t *data;
	size_t len;
};

/* A slice of [@off, @off + @len) of @buf, which retains it; bounds are asserted. */
struct sl_slice sl_slice_of(struct sl_buf *buf, size_t off, size_t len);

/* A part of @s; retains its buf. Bounds are asserted. */
struct sl_slice sl_slice_sub(const struct sl_slice *s, size_t off, size_t len);

static inline struct sl_slice sl_slice_borrow(const void *data, size_t len)
{
	return (struct sl_slice){.data = data, .len = len};
}

static inline void sl_slice_release(struct sl_slice *s)
{
	sl_buf_release(s->buf);
	*s = (struct sl_slice){0};
}

/* ---- files and extents ------------------------------------------------------------------ */

struct sl_file_refs;

/**
 * struct sl_file - an open file whose extents may be on their way to sockets of any core.
 * @fd: its descriptor, closed by the owner in @gone.
 * @home: the core that owns it, where @gone is called once nothing holds it any more.
 * @map: gives out bytes [off, off + len) in memory, where the owner promises that what is held is
 *	never written again; 0 or -errno, from any core that holds the file. NULL: it does not, or
 *	not yet; set as an atomic.
 * @image: its first @image_bytes as the owner mapped them, for this core; NULL: it did not. Others
 *	may cut the file meanwhile, so they are for system calls alone, which then say EFAULT.
 * @resident: bytes found in the page cache by home's connections, not long after @since.
 */
struct sl_file {
	int fd;
	struct sl_core *home;
	void (*gone)(struct sl_file *file);
	int (*map)(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data);
	const uint8_t *image;
	uint64_t image_bytes;
	uint64_t granted; /* references held by other cores, as home knows */
	uint32_t refs;	  /* held on the home core */
	struct {
		uint64_t from, to;
		int64_t since;
	} resident;
	struct sl_file_refs *foreign; /* per core: held there, returned there */
};

/**
 * sl_file_init() - a file of this core (or of no core: offline tools) with one reference.
 * Return: 0 or -ENOMEM.
 */
int sl_file_init(struct sl_file *file, int fd, void (*gone)(struct sl_file *file));

/* One more reference, on a core that holds one. */
void sl_file_retain(struct sl_file *file);

/**
 * sl_file_grant() - on the home core: a reference to be held and released on core @to.
 * Handing it over (the return of a sl_call) is what makes @to hold it: @to calls sl_file_held().
 */
void sl_file_grant(struct sl_file *file, struct sl_core *to);
void sl_file_held(struct sl_file *file);

/* On the core that holds the reference. Accepts NULL. */
void sl_file_release(struct sl_file *file);

/* Bytes [off, off + len) of a file; holds a reference. */
struct sl_extent {
	struct sl_file *file;
	uint64_t off;
	uint64_t len;
};

/* ---- parts ------------------------------------------------------------------------------ */

enum sl_part_kind { SL_PART_SLICE, SL_PART_EXTENT };

/* @borrowed: what it names is held by another part, which is released later. */
struct sl_part {
	enum sl_part_kind kind;
	bool borrowed;
	union {
		struct sl_slice slice;
		struct sl_extent extent;
	};
};

static inline uint64_t sl_part_len(const struct sl_part *p)
{
	return p->kind == SL_PART_SLICE ? p->slice.len : p->extent.len;
}

static inline struct sl_part sl_part_slice(struct sl_slice s)
{
	return (struct sl_part){.kind = SL_PART_SLICE, .slice = s};
}

static inline struct sl_part sl_part_extent(struct sl_extent e)
{
	return (struct sl_part){.kind = SL_PART_EXTENT, .extent = e};
}

/* Releases what @p holds and empties it. */
void sl_part_release(struct sl_part *p);

/**
 * sl_part_borrow() - a part for [@off, @off + @len) of @p, which keeps its reference and must
 * outlive it: for parts that leave in pieces, on whichever core. Bounds are asserted.
 */
struct sl_part sl_part_borrow(const struct sl_part *p, uint64_t off, uint64_t len);

#endif
