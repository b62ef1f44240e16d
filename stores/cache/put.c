/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storing: from the first bytes of a body to an object that is found.
 *
 * Interface: cache_put_*() of cache.h; "puts" of cache_pvt.h. A put belongs to the core that began
 * it. What fits into little memory is gathered there, and written at home when it is committed, in
 * one call; anything else has its place on disk from the beginning (or from when it turns out to be
 * large) and is written as it comes, by the core that receives it. An object of unknown length that
 * does not stay small gets a segment of its own, which grows.
 *
 * Invariants: nothing finds an object before its head is written, which is last. Bytes that were
 * given out as parts are not written again: a buf that somebody else holds is not filled anew.
 *
 * Order of parts: beginning; memory; the file; filling; parts; at home; the end.
 */
#include "cache_pvt.h"
#include "sums.h"

/* A body up to this size is gathered in memory, if its length is known; and if it is not. */
#define GATHER_BYTES (256 * SL_KIB)
enum { BUFS_MAX = 4, BUF_BYTES = 256 << 10, BUF_BYTES_FIRST = 16 << 10 };

/**
 * struct cache_put - @promised: bytes, or CACHE_BYTES_UNKNOWN. @came: so far. @text: key, tags,
 * meta. @bufs: what is not in the file: bytes from @written on, @used of the last one's. @g: its
 * segment, NULL while there is none; @pos: of the object there; @room: of the body there.
 * @sum, @sums: of the block that is coming, and of those before it. @version: what the object must
 * have been to be replaced (0: anything).
 */
struct cache_put {
	struct cache *c;
	struct shard *s;
	struct head head;
	uint8_t *text;
	uint64_t promised, came, written, version;
	struct sl_buf *bufs[BUFS_MAX];
	uint32_t bufs_n;
	size_t used;
	struct segment *g;
	uint64_t pos, room;
	bool alone; /* the segment is its own */
	bool ended; /* home has let go of its place */
	uint64_t *sums;
	uint64_t sums_n, sums_room;
	XXH3_state_t *sum;
	struct sl_msg msg; /* the way home of an abort */
};

/* ---- beginning -------------------------------------------------------------------------- */

static int text_bytes(struct cache_key key, const struct cache_put_conf *conf, uint32_t *ret_tags)
{
	uint32_t tags = 0;

	if (!key.n || key.n > CACHE_KEY_BYTES_MAX || conf->meta_bytes > CACHE_META_BYTES_MAX ||
	    conf->tags_n > CACHE_TAGS_MAX)
		return -EMSGSIZE;
	for (uint32_t i = 0; i < conf->tags_n; i++) {
		if (!conf->tags[i].n || conf->tags[i].n > CACHE_TAG_BYTES_MAX)
			return -EMSGSIZE;
		tags += (uint32_t)conf->tags[i].n + 2;
	}
	*ret_tags = tags;
	return 0;
}

void put_write_text(uint8_t *p, struct cache_key key, const struct cache_put_conf *conf)
{
	memcpy(p, key.p, key.n);
	p += key.n;
	for (uint32_t i = 0; i < conf->tags_n; i++) {
		uint16_t n = (uint16_t)conf->tags[i].n;

		memcpy(p, &n, 2);
		memcpy(p + 2, conf->tags[i].p, n);
		p += 2 + n;
	}
	if (conf->meta_bytes)
		memcpy(p, conf->meta, conf->meta_bytes);
}

int64_t put_expiry(const struct cache *c, int64_t expires_ms)
{
	int64_t ttl = CONF(c, ttl_ns);

	if (expires_ms)
		return expires_ms;
	return ttl ? cache_now_ms() + ttl / SL_MSEC : INT64_MAX;
}

void put_replaces(struct cache_put *p, uint64_t version)
{
	p->version = version;
}

/* All but the object itself. */
static void let_go(struct cache_put *p)
{
	for (uint32_t i = 0; i < p->bufs_n; i++)
		sl_buf_release(p->bufs[i]);
	XXH3_freeState(p->sum);
	free(p->sums);
	free(p->text);
}

static void put_free(struct cache_put *p)
{
	let_go(p);
	free(p);
}

static int put_new(struct cache *c, struct cache_key key, const struct cache_put_conf *conf,
		   struct cache_put **ret_put)
{
	struct cache_put *p;
	uint32_t tags;
	int err = text_bytes(key, conf, &tags);

	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->c = c;
	p->promised = conf->bytes;
	p->head = (struct head){
		.expires_ms = put_expiry(c, conf->expires_ms),
		.key_n = (uint32_t)key.n,
		.tags_n = tags,
		.meta_n = conf->meta_bytes,
		.bytes = conf->bytes == CACHE_BYTES_UNKNOWN ? BODY_BLOCK_BYTES : conf->bytes,
	};
	p->text = malloc(head_text_n(&p->head));
	p->sum = XXH3_createState();
	if (!p->text || !p->sum) {
		put_free(p);
		return -ENOMEM;
	}
	put_write_text(p->text, key, conf);
	cache_hash(c, key, p->head.hash);
	p->s = cache_shard(c, p->head.hash);
	head_place(&p->head, c->super.block_size);
	XXH3_64bits_reset(p->sum);
	*ret_put = p;
	return 0;
}

static int to_file(struct cache_put *p, int64_t deadline);

static bool is_too_long(struct cache *c, uint64_t bytes)
{
	uint64_t max = CONF(c, object_max_bytes);

	return (max && bytes > max) || bytes > shard_object_max(&c->shards[0]);
}

/* At home. Without free space, what is new would cost others theirs. */
static int admit(void *arg, int64_t deadline)
{
	struct cache_put *p = arg;
	struct shard *s = p->s;

	(void)deadline;
	if (shard_has_space(s) || cache_table_find(&s->table, p->head.hash) ||
	    !s3fifo_refuses(&s->fifo, p->head.hash))
		return 0;
	count_up(&s->n.refused, 1);
	sl_count(SL_M_CACHE_REFUSED, 1);
	return -EAGAIN;
}

int cache_put_begin(struct cache *c, struct cache_key key, const struct cache_put_conf *conf,
		    struct cache_put **ret_put, int64_t deadline)
{
	struct cache_put *p;
	int err;

	if (conf->bytes != CACHE_BYTES_UNKNOWN && is_too_long(c, conf->bytes))
		return -EFBIG;
	err = put_new(c, key, conf, &p);
	if (err)
		return err;
	if (conf->optional && CONF(c, admission) == CACHE_ADMIT_SECOND)
		err = shard_call(p->s, admit, p, deadline);
	if (!err && conf->bytes != CACHE_BYTES_UNKNOWN && conf->bytes > GATHER_BYTES)
		err = to_file(p, deadline);
	if (err) {
		put_free(p);
		return err;
	}
	*ret_put = p;
	return 0;
}

/* ---- the file --------------------------------------------------------------------------- */

/* A call at home about a place in a segment. */
struct place_call {
	struct cache_put *p;
	uint64_t bytes;
	struct sl_core *to;
};

static int reserve(void *arg, int64_t deadline)
{
	struct place_call *a = arg;
	struct cache_put *p = a->p;
	enum cache_region region = s3fifo_admit(&p->s->fifo, p->head.hash);
	int err = shard_reserve(p->s, region, a->bytes, &p->g, &p->pos, deadline);

	if (!err)
		sl_file_grant(&p->g->file, a->to);
	return err;
}

static int grow(void *arg, int64_t deadline)
{
	struct place_call *a = arg;

	return shard_grow(a->p->g, a->bytes, deadline);
}

static int write_bufs(struct cache_put *p, int64_t deadline);

/* At home: what comes next makes room first. */
static int note_full(void *arg, int64_t deadline)
{
	struct cache_put *p = arg;

	(void)deadline;
	shard_note_full(p->s);
	shard_event(p->s, CACHE_FULL, (int64_t)p->came, 0);
	return 0;
}

/* From now on the body goes to disk as it comes. */
static int to_file(struct cache_put *p, int64_t deadline)
{
	struct place_call a = {.p = p, .to = sl_core_self()};
	int err;

	p->alone = p->promised == CACHE_BYTES_UNKNOWN;
	a.bytes = p->alone ? shard_shared_max(p->s) + BODY_BLOCK_BYTES : head_total(&p->head);
	err = shard_call(p->s, reserve, &a, deadline);
	if (err) {
		p->g = NULL;
		return err;
	}
	sl_file_held(&p->g->file);
	p->room = p->alone ? a.bytes - p->head.body_at : p->promised;
	return write_bufs(p, deadline);
}

/* Room for @bytes of the body, and for their sums. */
static int make_room(struct cache_put *p, uint64_t bytes, int64_t deadline)
{
	struct place_call a = {.p = p};
	uint64_t wanted = bytes + body_blocks(bytes) * sizeof(uint64_t) + 8;
	int err;

	if (!p->alone || wanted <= p->room)
		return 0;
	a.bytes = sl_round_up(sl_max(wanted - p->room, p->room / 2), BODY_BLOCK_BYTES);
	err = shard_call(p->s, grow, &a, deadline);
	if (err == -EFBIG) { /* then no more than it needs */
		a.bytes = sl_round_up(wanted - p->room, p->c->super.block_size);
		err = shard_call(p->s, grow, &a, deadline);
	}
	if (!err)
		p->room += a.bytes;
	return err;
}

/* Writes what is in memory behind what is in the file. */
static int write_bufs(struct cache_put *p, int64_t deadline)
{
	uint64_t at = p->written;
	int err = make_room(p, p->came, deadline);

	for (uint32_t i = 0; i < p->bufs_n && !err; i++) {
		size_t n = i + 1 < p->bufs_n ? p->bufs[i]->bytes : p->used;

		err = sl_write_all(p->g->file.fd, p->bufs[i]->data, n,
				   cseg_at(p->g, p->pos + p->head.body_at + at), deadline);
		at += n;
	}
	if (err == -ENOSPC)
		shard_call(p->s, note_full, p, SL_NEVER);
	if (err)
		return err; /* all of it is still there to be sent */
	SL_ASSERT(at == p->came);
	p->written = at;
	/* What somebody else still reads is not filled again. */
	while (p->bufs_n > 1 || (p->bufs_n && p->bufs[0]->refs > 1)) {
		sl_buf_release(p->bufs[0]);
		memmove(p->bufs, p->bufs + 1, --p->bufs_n * sizeof(struct sl_buf *));
	}
	p->used = 0;
	return 0;
}

/* ---- filling ---------------------------------------------------------------------------- */

static size_t missing(const struct cache_put *p)
{
	uint64_t left = p->promised == CACHE_BYTES_UNKNOWN ? BUF_BYTES : p->promised - p->came;

	return (size_t)sl_min(left, (uint64_t)BUF_BYTES);
}

/* A buf with room as the last one. */
static int next_buf(struct cache_put *p, int64_t deadline)
{
	size_t bytes = missing(p);
	struct sl_buf *buf;
	int err = 0;

	if (p->promised == CACHE_BYTES_UNKNOWN && !p->bufs_n && !p->g)
		bytes = BUF_BYTES_FIRST;
	if (p->g && p->bufs_n && p->used)
		err = write_bufs(p, deadline);
	else if (p->bufs_n == BUFS_MAX)
		err = to_file(p, deadline);
	if (err || (p->bufs_n && !p->used))
		return err;
	buf = sl_buf_new(bytes);
	if (!buf)
		return -ENOMEM;
	p->bufs[p->bufs_n++] = buf;
	p->used = 0;
	return 0;
}

static bool has_room(const struct cache_put *p)
{
	return p->bufs_n && p->used < p->bufs[p->bufs_n - 1]->bytes;
}

int cache_put_room(struct cache_put *p, void **ret_room, size_t *ret_n, int64_t deadline)
{
	struct sl_buf *buf;
	int err;

	if (!missing(p))
		return -EBADMSG;
	if (!has_room(p)) {
		err = next_buf(p, deadline);
		if (err)
			return err;
	}
	buf = p->bufs[p->bufs_n - 1];
	*ret_room = buf->data + p->used;
	*ret_n = sl_min(buf->bytes - p->used, missing(p));
	return 0;
}

static int end_block(struct cache_put *p)
{
	if (p->sums_n == p->sums_room) {
		uint64_t room = p->sums_room ? 2 * p->sums_room : 8;
		uint64_t *more = realloc(p->sums, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->sums = more;
		p->sums_room = room;
	}
	p->sums[p->sums_n++] = XXH3_64bits_digest(p->sum);
	XXH3_64bits_reset(p->sum);
	return 0;
}

/* While the bytes are in the processor's cache. */
static int add_sums(struct cache_put *p, const uint8_t *data, size_t n)
{
	uint64_t at = p->came;

	while (n) {
		size_t step = sl_min(n, (size_t)(BODY_BLOCK_BYTES - at % BODY_BLOCK_BYTES));

		XXH3_64bits_update(p->sum, data, step);
		at += step;
		data += step;
		n -= step;
		if (at % BODY_BLOCK_BYTES == 0 && end_block(p))
			return -ENOMEM;
	}
	return 0;
}

int cache_put_took(struct cache_put *p, size_t n, int64_t deadline)
{
	struct sl_buf *buf = p->bufs[p->bufs_n - 1];
	int err;

	SL_ASSERT(has_room(p) && n <= buf->bytes - p->used && n <= missing(p));
	err = add_sums(p, buf->data + p->used, n);
	if (err)
		return err;
	p->used += n;
	p->came += n;
	if (p->promised == CACHE_BYTES_UNKNOWN && is_too_long(p->c, p->came))
		return -EFBIG;
	return p->g && !has_room(p) ? write_bufs(p, deadline) : 0;
}

int cache_put_write(struct cache_put *p, const void *data, size_t n, int64_t deadline)
{
	const uint8_t *from = data;

	while (n) {
		void *room;
		size_t step;
		int err = cache_put_room(p, &room, &step, deadline);

		if (err)
			return err;
		step = sl_min(step, n);
		memcpy(room, from, step);
		err = cache_put_took(p, step, deadline);
		if (err)
			return err;
		from += step;
		n -= step;
	}
	return 0;
}

/* ---- parts ------------------------------------------------------------------------------ */

uint64_t cache_put_written(const struct cache_put *p)
{
	return p->came;
}

int cache_put_parts(struct cache_put *p, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		    uint32_t n)
{
	uint64_t at = p->written, end = off + len;
	int got = 0;

	SL_ASSERT(n >= CACHE_PARTS_MAX && off <= p->came && len <= p->came - off);
	if (off < sl_min(end, at)) {
		uint64_t part = sl_min(end, at) - off;

		sl_file_retain(&p->g->file);
		ret_parts[got++] = sl_part_extent((struct sl_extent){
			&p->g->file, cseg_at(p->g, p->pos + p->head.body_at + off), part});
		off += part;
	}
	for (uint32_t i = 0; i < p->bufs_n && off < end; i++) {
		size_t have = i + 1 < p->bufs_n ? p->bufs[i]->bytes : p->used;

		if (off < at + have) {
			uint64_t part = sl_min(end, at + have) - off;

			ret_parts[got++] = sl_part_slice(sl_slice_of(p->bufs[i], off - at, part));
			off += part;
		}
		at += have;
	}
	SL_ASSERT(off == end);
	return got;
}

/* ---- at home ---------------------------------------------------------------------------- */

/* Whether the object may still be replaced by this one. */
static int check_version(const struct cache_put *p)
{
	const struct cache_slot *slot = cache_table_find(&p->s->table, p->head.hash);

	if (!p->version || (slot && slot->version == p->version))
		return 0;
	return slot ? -ESTALE : -ENOENT;
}

/* Body and sums of what was gathered. */
static int write_gathered(struct cache_put *p)
{
	struct iovec iov[BUFS_MAX];
	int err;

	for (uint32_t i = 0; i < p->bufs_n; i++)
		iov[i] = (struct iovec){p->bufs[i]->data,
					i + 1 < p->bufs_n ? p->bufs[i]->bytes : p->used};
	err = sl_writev_all(p->g->file.fd, iov, (int)p->bufs_n,
			    cseg_at(p->g, p->pos + p->head.body_at), SL_NEVER);
	if (err || !p->head.sums_at)
		return err;
	return sl_write_all(p->g->file.fd, p->sums, p->sums_n * sizeof(uint64_t),
			    cseg_at(p->g, p->pos + p->head.sums_at), SL_NEVER);
}

/* From its version on until it is in the table: what bans there are must stay known. */
static int write_and_enter(struct cache_put *p)
{
	int err;

	p->s->commits++;
	p->head.version = shard_next_version(p->s);
	err = shard_write_head(p->g, p->pos, 0, &p->head, p->text);
	if (!err)
		err = shard_commit(p->s, p->g, p->pos, &p->head, p->text);
	p->s->commits--;
	return err;
}

static int commit(void *arg, int64_t deadline)
{
	struct cache_put *p = arg;
	int err = check_version(p);

	p->ended = true;
	if (!err && !p->g) {
		enum cache_region region = s3fifo_admit(&p->s->fifo, p->head.hash);

		err = shard_reserve(p->s, region, head_total(&p->head), &p->g, &p->pos, deadline);
		if (err)
			p->g = NULL;
		else
			err = write_gathered(p);
	}
	if (!err)
		err = check_version(p); /* making room may have parked */
	if (!err)
		err = write_and_enter(p);
	if (err == -ENOSPC)
		note_full(p, deadline);
	if (p->g) {
		if (p->alone && !err)
			shard_fit(p->g, p->pos + head_total(&p->head));
		shard_unpin(p->g);
	}
	return err;
}

/* ---- the end ---------------------------------------------------------------------------- */

/* The rest of the body, and the sums, if it has a place. */
static int finish_file(struct cache_put *p, int64_t deadline)
{
	int err = p->used ? write_bufs(p, deadline) : 0;

	if (!err)
		err = make_room(p, p->came, deadline);
	if (err || !p->head.sums_at)
		return err;
	return sl_write_all(p->g->file.fd, p->sums, p->sums_n * sizeof(uint64_t),
			    cseg_at(p->g, p->pos + p->head.sums_at), deadline);
}

static int finish(struct cache_put *p, int64_t deadline)
{
	int err = 0;

	if (p->promised != CACHE_BYTES_UNKNOWN && p->came != p->promised)
		return -EBADMSG;
	if (p->came % BODY_BLOCK_BYTES || !p->came)
		err = end_block(p);
	if (err)
		return err;
	p->head.bytes = p->came;
	p->head.stored_ms = cache_now_ms();
	head_place(&p->head, p->c->super.block_size);
	p->head.body_sum = p->head.sums_at ? XXH3_64bits(p->sums, p->sums_n * sizeof(uint64_t))
					   : p->sums[0];
	return p->g ? finish_file(p, deadline) : 0;
}

static void abort_fiber(void *arg)
{
	struct cache_put *p = arg;

	shard_unpin(p->g);
	free(p);
}

static void abort_home(struct sl_msg *msg)
{
	struct cache_put *p = sl_container_of(msg, struct cache_put, msg);

	/* Without memory for a fiber the segment's end waits for the disk here. */
	if (sl_fiber_start(SL_STACK_SMALL, abort_fiber, p))
		abort_fiber(p);
}

void cache_put_abort(struct cache_put *p)
{
	if (!p)
		return;
	if (!p->g) {
		put_free(p);
		return;
	}
	sl_file_release(&p->g->file);
	let_go(p);
	if (!p->s->home) {
		abort_fiber(p);
		return;
	}
	p->msg.fn = abort_home;
	sl_post(p->s->home, &p->msg);
}

int cache_put_commit_version(struct cache_put *p, uint64_t *ret_version, int64_t deadline)
{
	struct sl_file *file = p->g ? &p->g->file : NULL;
	int err = finish(p, deadline);

	if (!err)
		err = shard_call(p->s, commit, p, deadline);
	if (!p->ended) { /* it did not get there */
		cache_put_abort(p);
		return err;
	}
	sl_file_release(file);
	if (!err)
		*ret_version = p->head.version;
	put_free(p);
	return err;
}

int cache_put_commit(struct cache_put *p, int64_t deadline)
{
	uint64_t version;

	return cache_put_commit_version(p, &version, deadline);
}
