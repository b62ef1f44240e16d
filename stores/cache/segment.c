/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: files to which objects are appended, each with an index of them at its front.
 *
 * Interface: "segments" of cache_pvt.h. The first block holds the header and, once nothing is added
 * any more, the seal; then comes the index, whose records are written one by one, and then the
 * objects. The blocks of header and index are written more than once and are never sent to anybody;
 * an object's are written once. Invariants: whoever waits in cseg_sync() is told of a sync that
 * began after its record was written; after one that failed nothing is added, and none is tried
 * again.
 *
 * Order of parts: the open file; making; loading; adding; syncing; sealing; the end.
 */
#include <sys/mman.h>
#include <xxhash.h>

#include "cache_pvt.h"

/* ---- the open file ---------------------------------------------------------------------- */

uint64_t cseg_block_at(const struct segment *g, uint64_t block)
{
	return cseg_at(g, block * g->shard->c->super.block_size);
}

static void cseg_free(struct segment *g)
{
	if (g->map)
		munmap(g->map, g->map_bytes);
	free(g->extra);
	free(g);
}

static void free_in_steps(void *arg)
{
	struct segment *g = arg;

	g->seat.leave(&g->seat, g->pos);
	cseg_free(g);
}

/* The last extent is gone, and the shard does not want it any more. */
static void file_gone(struct sl_file *file)
{
	struct segment *g = sl_container_of(file, struct segment, file);

	SL_ASSERT(sl_list_empty(&g->node));
	if (g->unlinked && g->pos > SL_FREE_AT_ONCE_BYTES && file->home &&
	    !sl_fiber_start(SL_STACK_SMALL, free_in_steps, g))
		return;
	g->seat.leave(&g->seat, 0);
	cseg_free(g);
}

/* Takes a free number of the shard's table. */
static int take_id(struct shard *s, struct segment *g)
{
	uint32_t id = 0, room;
	struct segment **segs;

	while (id < s->segs_n && s->segs[id])
		id++;
	if (id == s->segs_n) {
		room = s->segs_n ? s->segs_n * 2 : 16;
		segs = realloc(s->segs, room * sizeof(struct segment *));
		if (!segs)
			return -ENOMEM;
		memset(segs + s->segs_n, 0, (room - s->segs_n) * sizeof(struct segment *));
		s->segs = segs;
		s->segs_n = room;
	}
	s->segs[id] = g;
	g->id = id;
	return 0;
}

/* Takes @seat over, also when it fails. */
static int cseg_new(struct shard *s, struct seat *seat, const struct seg_header *h,
		   struct segment **ret_segment)
{
	struct segment *g = calloc(1, sizeof(*g));

	if (!g)
		goto out_leave;
	if (sl_file_init(&g->file, seat->fd, file_gone))
		goto out_free;
	sl_list_init(&g->node);
	sl_waitq_init(&g->sync);
	g->shard = s;
	g->seat = *seat;
	g->salt = h->salt;
	g->seq = h->seq;
	g->region = (enum cache_region)h->region;
	g->index_max = h->index_max;
	g->pos = cseg_data_at(h->index_max, s->c->super.block_size);
	if (!take_id(s, g)) {
		*ret_segment = g;
		return 0;
	}
	sl_file_release(&g->file);
	return -ENOMEM;
out_free:
	free(g);
out_leave:
	seat->leave(seat, 0);
	return -ENOMEM;
}

static int write_seal(struct segment *g);

void cseg_close(struct segment *g)
{
	struct shard *s = g->shard;

	SL_ASSERT(s->segs[g->id] == g && !g->puts);
	if (g->unsealed && !g->unlinked && !g->no_seal)
		write_seal(g);
	s->segs[g->id] = NULL;
	sl_list_remove(&g->node);
	count_up(&s->n.segments, (uint64_t)-1);
	sl_file_release(&g->file);
}

/* At the end of its region's row. */
static void enter(struct segment *g)
{
	sl_list_append(&g->shard->regions[g->region], &g->node);
	count_up(&g->shard->n.segments, 1);
}

/* ---- making ----------------------------------------------------------------------------- */

void cseg_first_block(const struct seg_header *h, uint8_t out[SEG_HEADER_BYTES])
{
	memset(out, 0, SEG_HEADER_BYTES);
	cseg_header_encode(h, out);
	cseg_header_encode(h, out + SEG_HEADER_BYTES - SEG_SECTOR_BYTES);
}

int cseg_first_decode(const uint8_t in[SEG_HEADER_BYTES], struct seg_header *ret_header)
{
	int err = cseg_header_decode(in, ret_header);

	if (err == -EBADMSG)
		err = cseg_header_decode(in + SEG_HEADER_BYTES - SEG_SECTOR_BYTES, ret_header);
	return err;
}

int cseg_create(struct shard *s, enum cache_region region, uint64_t bytes,
	       struct segment **ret_segment, int64_t deadline)
{
	uint32_t block = s->c->super.block_size;
	struct seg_header h = {
		.created_ms = cache_now_ms(),
		.shard = s->id,
		.seq = ++s->last_seq,
		.region = region,
		.index_max = bytes ? (uint32_t)(bytes / block) : SOLO_RECORDS,
		.solo = !bytes,
	};
	struct segment *g;
	struct seat seat;
	int err;

	sl_random(&h.salt, sizeof(h.salt));
	err = s->c->medium->make(s, &h, &seat, deadline);
	if (!err)
		err = cseg_new(s, &seat, &h, &g);
	if (err)
		return err;
	g->solo = !bytes;
	g->room = bytes ? g->pos + bytes : UINT64_MAX;
	s->bytes += g->pos;
	s3fifo_grew(&s->fifo, region, g->pos / block);
	enter(g);
	*ret_segment = g;
	return 0;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int read_header(const struct seat *seat, struct seg_header *ret_header,
		       struct seg_seal *ret_seal)
{
	uint8_t block[SEG_HEADER_BYTES];
	int err = sl_read_all(seat->fd, block, sizeof(block), seat->base, SL_NEVER);

	if (err)
		return err;
	err = cseg_first_decode(block, ret_header);
	if (!err && cseg_seal_decode(block + SEG_SECTOR_BYTES, ret_header->salt, ret_seal))
		*ret_seal = (struct seg_seal){0};
	return err;
}

int cseg_load(struct shard *s, uint32_t seq, struct segment **ret_segment)
{
	struct seg_seal seal;
	struct seg_header h;
	struct segment *g;
	struct seat seat;
	int err = s->c->medium->find(s, seq, &seat);

	if (err)
		return err;
	err = read_header(&seat, &h, &seal);
	if (!err && (h.seq != seq || h.shard != s->id))
		err = -EBADMSG;
	if (err) {
		seat.leave(&seat, 0);
		return err;
	}
	err = cseg_new(s, &seat, &h, &g);
	if (err)
		return err;
	g->solo = h.solo;
	g->sealed = true;
	g->records = sl_min(seal.records, h.index_max);
	/* A slot is longer than what is in it. */
	if (s->c->device && seal.bytes)
		seat.bytes = sl_min(seat.bytes, seal.bytes);
	g->pos = sl_max(g->pos, sl_round_up(seat.bytes, s->c->super.block_size));
	g->room = g->pos;
	s->bytes += g->pos;
	s3fifo_grew(&s->fifo, g->region, g->pos / s->c->super.block_size);
	enter(g);
	*ret_segment = g;
	return 0;
}

static int make_room(struct index *index, size_t n)
{
	if (index->p && n <= index->room)
		return 0;
	free(index->p);
	index->p = malloc(n ? n : 1);
	index->room = index->p ? n : 0;
	return index->p ? 0 : -ENOMEM;
}

/* Records [@first, @end) to their places in @index; what is behind the file's end is empty. */
static int read_records(struct segment *g, const struct index *index, uint32_t first, uint32_t end,
			int64_t deadline)
{
	uint64_t at = (uint64_t)first * RECORD_BYTES;
	size_t n = (size_t)(end - first) * RECORD_BYTES;
	ssize_t got = sl_read_some(g->file.fd, index->p + at, n, cseg_at(g, SEG_HEADER_BYTES + at),
				   deadline);

	if (got < 0)
		return (int)got;
	memset(index->p + at + got, 0, n - (size_t)got);
	return 0;
}

int cseg_read_index(struct segment *g, struct index *index, int64_t deadline)
{
	if (make_room(index, (size_t)g->records * RECORD_BYTES))
		return -ENOMEM;
	return read_records(g, index, 0, g->records, deadline);
}

/* Of records up to @end, those from @first on: behind the last that is there, or @first. */
static uint32_t end_of_records(const struct index *index, uint32_t first, uint32_t end)
{
	while (end > first && record_is_none(index->p + (size_t)(end - 1) * RECORD_BYTES))
		end--;
	return end;
}

int cseg_find_index(struct segment *g, struct index *index, uint32_t *ret_end, int64_t deadline)
{
	uint32_t first = 0, n = 0;

	if (make_room(index, (size_t)g->index_max * RECORD_BYTES))
		return -ENOMEM;
	while (first < g->index_max) {
		uint32_t end = first + sl_min(g->index_max - first, (uint32_t)INDEX_STEP_RECORDS);
		int err = read_records(g, index, first, end, deadline);
		uint32_t last = err ? first : end_of_records(index, first, end);

		if (err)
			return err;
		if (last == first)
			break;
		n = last;
		first = end;
	}
	g->records = n;
	g->no_seal = true;
	*ret_end = first;
	return 0;
}

bool cseg_is_sealed_as(struct segment *g, const uint8_t *index, uint32_t *ret_durable)
{
	uint8_t block[SEG_HEADER_BYTES];
	struct seg_seal seal;

	if (sl_read_all(g->file.fd, block, sizeof(block), cseg_at(g, 0), SL_NEVER) ||
	    cseg_seal_decode(block + SEG_SECTOR_BYTES, g->salt, &seal) ||
	    seal.records != g->records ||
	    seal.sum != XXH3_64bits_withSeed(index, (size_t)g->records * RECORD_BYTES, g->salt))
		return false;
	*ret_durable = seal.durable;
	return true;
}

/* ---- adding ----------------------------------------------------------------------------- */

/* Where nothing is synced, everything counts as if it were. */
static uint32_t durable(const struct segment *g)
{
	bool none = CONF(g->shard->c, durability) == SL_DURABILITY_NONE;

	return none ? g->index_max : (uint32_t)g->synced;
}

int cseg_record(struct segment *g, const struct record *r)
{
	struct record numbered = *r;
	uint8_t out[RECORD_BYTES];
	uint32_t number = g->records;
	int err;

	SL_ASSERT(number < g->index_max && g->puts);
	if (g->err)
		return g->err;
	numbered.durable = durable(g);
	record_encode(&numbered, g->salt, number, out);
	/* Nothing parks in between: the number is taken when its record is there. */
	err = sl_write_all(g->file.fd, out, sizeof(out),
			   cseg_at(g, SEG_HEADER_BYTES + (uint64_t)number * RECORD_BYTES),
			   SL_NEVER);
	if (err)
		return err;
	g->records++;
	g->written++;
	return 0;
}

/* ---- syncing ---------------------------------------------------------------------------- */

static void sync_once(struct segment *g)
{
	uint64_t target = g->written;
	int64_t began = sl_clock_ns();
	int err;

	g->syncing = true;
	err = sl_fsync(g->file.fd, true, SL_FAULT(SYNC_CACHE_COMMIT), SL_NEVER);
	g->syncing = false;
	if (sl_core_self())
		sl_metric_record(sl_core_metrics(sl_core_self()), SL_M_CACHE_SYNC_TIME,
				 (uint64_t)(sl_clock_ns() - began));
	if (err) {
		g->err = err;
		shard_event(g->shard, CACHE_FAILED, err, 0);
	} else {
		g->synced = target;
	}
	sl_waitq_wake_all(&g->sync, 0);
}

/* Who finds no sync under way makes one, for all who wrote before it; the others wait. */
int cseg_sync(struct segment *g, int64_t deadline)
{
	uint64_t mine = g->written;
	int err = 0;

	while (!g->err && g->synced < mine && !err) {
		if (g->syncing)
			err = sl_waitq_wait(&g->sync, deadline);
		else
			sync_once(g);
	}
	return g->synced >= mine ? 0 : g->err ? g->err : err;
}

/* ---- sealing ---------------------------------------------------------------------------- */

static int write_seal(struct segment *g)
{
	struct seg_seal seal = {.bytes = g->pos, .records = g->records, .durable = durable(g)};
	uint8_t out[SEG_SECTOR_BYTES];
	struct index index = {0};
	int err = g->err ? g->err : cseg_read_index(g, &index, SL_NEVER);

	/* An update came while the index was read: then the seal is for the end to write. */
	if (!err && g->records != seal.records)
		err = -EAGAIN;
	if (!err)
		seal.sum = XXH3_64bits_withSeed(index.p, (size_t)seal.records * RECORD_BYTES,
						g->salt);
	free(index.p);
	if (err)
		return err;
	cseg_seal_encode(&seal, g->salt, out);
	return sl_write_all(g->file.fd, out, sizeof(out), cseg_at(g, SEG_SECTOR_BYTES), SL_NEVER);
}

int cseg_unseal(struct segment *g)
{
	static const uint8_t none[SEG_SECTOR_BYTES];
	int err;

	if (!g->sealed || g->unsealed)
		return 0;
	err = sl_write_all(g->file.fd, none, sizeof(none), cseg_at(g, SEG_SECTOR_BYTES), SL_NEVER);
	g->unsealed = !err;
	return err;
}

void cseg_seal(struct segment *g)
{
	g->room = g->pos;
	if (g->sealed || g->puts)
		return;
	g->sealed = true;
	write_seal(g); /* one that is missing costs the next start a longer look */
}

/* ---- the end ---------------------------------------------------------------------------- */

int cseg_unlink(struct segment *g, int64_t deadline)
{
	struct shard *s = g->shard;
	int err;

	SL_ASSERT(!g->puts && !g->unlinked);
	g->unlinked = true;
	err = s->c->medium->remove(s, g, deadline);
	if (err) {
		g->unlinked = false;
		return err;
	}
	SL_ASSERT(s->bytes >= g->pos);
	s->bytes -= g->pos;
	s3fifo_shrank(&s->fifo, g->region, g->pos / s->c->super.block_size);
	cseg_close(g);
	return 0;
}
