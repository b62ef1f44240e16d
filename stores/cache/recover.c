/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: what a shard's folder holds is found again, from the indexes of its segments and the
 * journal; no body is read.
 *
 * Interface: shard_recover(), recover_sync(). Of several records of a key the one with the largest
 * version counts. An index record that does not verify is looked for by the head that it told of.
 * Where that does not help, because a whole segment or a part of the journal cannot be read, an old
 * version of any object could pass for the newest: then all of the shard is dropped. Objects
 * themselves are verified when they are loaded; only those that were being stored when the power
 * went are verified here, for such a one must not take the place of an older one that was whole.
 *
 * Order of parts: one object; looking for heads; one segment; the shard; dropping; syncing.
 */
#include "cache_pvt.h"

/* ---- one object ------------------------------------------------------------------------- */

static int enter(struct segment *g, const struct record *r)
{
	struct shard *s = g->shard;
	struct cache_slot *before, old;
	struct cache_slot slot = {
		.version = r->version,
		.region = g->region,
		.segment = g->id,
		.block = r->block,
		.blocks = r->blocks,
		.expires_s = r->expires_s,
	};
	int res;

	s->last_version = sl_max(s->last_version, r->version);
	if (journal_says_gone(&s->journal, r->hash, r->version))
		return 0;
	before = cache_table_find(&s->table, r->hash);
	if (before && before->version > r->version) {
		before->flags |= SLOT_SHADOWS;
		return 0;
	}
	if (before && (before->version < r->version || before->flags & SLOT_SHADOWS))
		slot.flags = SLOT_SHADOWS;
	cache_slot_set_hash(&slot, r->hash);
	res = before ? cache_table_put(&s->table, &slot, &old) : cache_table_add(&s->table, &slot);
	if (res < 0)
		return res;
	if (res)
		s3fifo_removed(&s->fifo, &old);
	s3fifo_added(&s->fifo, &slot);
	return 0;
}

/* Whether the body of an object was that of an older version, which was found whole. */
static bool has_old_body(const struct segment *g, const struct record *r)
{
	const struct cache_slot *slot = cache_table_find(&g->shard->table, r->hash);

	return slot && slot->segment == g->id && slot->block == r->block;
}

/* Whether all of an object is there, of which only the record may be. */
static bool is_whole(struct segment *g, const struct record *r)
{
	struct cache *c = g->shard->c;
	struct place at = {
		.file = &g->file,
		.salt = g->salt,
		.pos = cseg_block_at(g, r->block),
		.version = r->version,
		.blocks = r->blocks,
	};
	struct view *w;
	int err;

	sl_file_retain(&g->file);
	if (view_load(c, &at, r->hash, &w, SL_NEVER))
		return false;
	err = w->body || has_old_body(g, r) ? 0 : view_verify(w, 0, w->o.bytes, SL_NEVER);
	cache_release(&w->o);
	return !err;
}

/* ---- looking for heads ------------------------------------------------------------------ */

/* Of the head at @pos, or at its second place, the newer one. Return: 1; 0: none; -errno. */
static int newest_head(struct segment *g, uint64_t pos, struct head *ret_head)
{
	uint32_t block = g->shard->c->super.block_size;
	int found = 0;

	for (int i = 0; i < 2; i++) {
		uint8_t fixed[HEAD_BYTES];
		struct head h;
		int err = sl_read_all(g->file.fd, fixed, sizeof(fixed),
				      cseg_at(g, pos + i * block / 2), SL_NEVER);

		if (err && err != -ENODATA)
			return err;
		if (err || head_decode(fixed, g->salt, &h) || (i && !head_has_other(&h, block)) ||
		    (found && h.version < ret_head->version))
			continue;
		*ret_head = h;
		found = 1;
	}
	return found;
}

/* Whether there is an object at @pos. Return: 1, with its record; 0; -errno. */
static int look_for_head(struct segment *g, uint64_t pos, struct record *ret_record)
{
	uint32_t block = g->shard->c->super.block_size;
	struct head h;
	int res = newest_head(g, pos, &h);

	if (res <= 0)
		return res;
	*ret_record = (struct record){
		.hash = {h.hash[0], h.hash[1]},
		.version = h.version,
		.block = (uint32_t)(pos / block),
		.blocks = (uint32_t)(sl_round_up(head_total(&h), block) / block),
		.expires_s = h.expires_ms / 1000 >= (int64_t)CACHE_EXPIRES_NEVER
				     ? CACHE_EXPIRES_NEVER
				     : (uint32_t)(h.expires_ms / 1000),
	};
	return 1;
}

static int keep_extra(struct segment *g, const struct record *r)
{
	struct record *more = realloc(g->extra, (g->extra_n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	g->extra = more;
	g->extra[g->extra_n++] = *r;
	return 0;
}

/* What the index tells of the object at a block; @end: the block behind it, or 0. */
struct known {
	uint64_t version;
	uint32_t end;
};

/* @index: g->records of it; @n: blocks. To be freed. */
static struct known *know(const struct segment *g, const struct index *index, uint32_t n)
{
	struct known *known = calloc(n + 1, sizeof(*known));
	struct record r;

	for (uint32_t i = 0; known && i < g->records; i++)
		if (!cseg_record_at(g, index, i, &r) && r.block < n &&
		    r.version >= known[r.block].version)
			known[r.block] = (struct known){r.version, r.block + r.blocks};
	return known;
}

/* Objects that the index should tell of, and does not. @index: g->records of it. */
static int find_heads(struct segment *g, const struct index *index)
{
	uint32_t size = g->shard->c->super.block_size, n = (uint32_t)(g->pos / size);
	uint32_t at = (uint32_t)(cseg_data_at(g->index_max, size) / size);
	struct known *known = know(g, index, n);
	struct record r;
	int res = known ? 0 : -ENOMEM;

	while (res >= 0 && at < n) {
		uint32_t end = known[at].end;

		res = look_for_head(g, (uint64_t)at * size, &r);
		if (cache_is_damage(res) && end)
			res = 0; /* that it cannot be read is found out by who looks it up */
		if (res == 1 && (!end || r.version > known[at].version))
			res = keep_extra(g, &r);
		if (res >= 0)
			at = sl_max(at + 1, end);
	}
	free(known);
	for (uint32_t i = 0; i < g->extra_n && res >= 0; i++)
		res = is_whole(g, &g->extra[i]) ? enter(g, &g->extra[i]) : 0;
	return sl_min(res, 0);
}

/* ---- one segment ------------------------------------------------------------------------ */

/*
 * What its records tell. @end: records that there may be. @durable: how many are known to be on
 * disk, with their objects. @damaged: known when all were looked at.
 */
struct found {
	const struct index *index;
	uint32_t end, durable;
	bool damaged;
};

/* The last record tells most. */
static uint32_t durable_of(const struct segment *g, const struct index *index)
{
	struct record r;

	for (uint32_t i = g->records; i-- > 0;)
		if (!cseg_record_at(g, index, i, &r))
			return r.durable;
	return 0;
}

static int read_index(struct segment *g, struct index *index, struct found *ret_found)
{
	int err;

	*ret_found = (struct found){.index = index, .end = g->index_max};
	if (g->records) {
		err = cseg_read_index(g, index, SL_NEVER);
		if (err || cseg_is_sealed_as(g, index->p, &ret_found->durable))
			return err;
	}
	/* It was not sealed, or not as it is. */
	err = cseg_find_index(g, index, &ret_found->end, SL_NEVER);
	ret_found->durable = err ? 0 : durable_of(g, index);
	return err;
}

enum { AHEAD = 16 };

static int enter_records(struct segment *g, struct found *f)
{
	struct record r[AHEAD];
	int err = 0;

	for (uint32_t first = 0; first < g->records && !err; first += AHEAD) {
		uint32_t n = sl_min(g->records - first, (uint32_t)AHEAD);
		bool there[AHEAD];

		for (uint32_t i = 0; i < n; i++) {
			int res = cseg_record_at(g, f->index, first + i, &r[i]);

			there[i] = !res;
			f->damaged |= res == -EBADMSG;
			if (there[i])
				cache_table_fetch_head(&g->shard->table, r[i].hash);
		}
		for (uint32_t i = 0; i < n; i++)
			if (there[i])
				cache_table_fetch_slot(&g->shard->table, r[i].hash);
		for (uint32_t i = 0; i < n && !err; i++)
			if (there[i] && (first + i < f->durable || is_whole(g, &r[i])))
				err = enter(g, &r[i]);
	}
	if (!err && f->damaged)
		err = find_heads(g, f->index);
	g->written = g->records;
	g->synced = sl_min(f->durable, g->records);
	g->doubtful = g->synced < g->written;
	return err;
}

/* @expected: records of all segments that told how many they have. */
static int recover_segment(struct segment *g, struct index *index, uint64_t *expected)
{
	uint32_t told = g->records;
	struct found f;
	int err = read_index(g, index, &f);

	if (err)
		return err;
	*expected += g->records - sl_min(told, g->records);
	/* Most of a start would be the splitting of buckets. */
	cache_table_expect(&g->shard->table, (uint32_t)sl_min(*expected, (uint64_t)UINT32_MAX / 2));
	err = enter_records(g, &f);
	g->index_max = f.end;
	if (!err && !g->records)
		err = cseg_unlink(g, SL_NEVER);
	return err;
}

/* ---- the shard -------------------------------------------------------------------------- */

struct names {
	uint32_t *seqs;
	uint32_t n, room;
	struct shard *shard;
};

static int note_seq(void *arg, uint32_t seq)
{
	struct names *f = arg;

	if (f->n == f->room) {
		uint32_t room = f->room ? 2 * f->room : 64;
		uint32_t *more = realloc(f->seqs, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->seqs = more;
		f->room = room;
	}
	f->seqs[f->n++] = seq;
	f->shard->last_seq = sl_max(f->shard->last_seq, seq);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Bans count for look-ups again. */
static int recover_bans(struct shard *s)
{
	int err = 0;

	sl_list_each(n, &s->journal.live) {
		const struct gone *g = sl_list_entry(n, struct gone, node);

		s->last_version = sl_max(s->last_version, g->r.version);
		if (!err && (g->r.type == JOURNAL_PREFIX || g->r.type == JOURNAL_TAG))
			err = purge_add(&s->bans,
					g->r.type == JOURNAL_PREFIX ? PURGE_PREFIX : PURGE_TAG,
					g->text, g->r.n, g->r.version);
		if (g->r.type == JOURNAL_BAD)
			count_up(&s->n.quarantined, 1);
	}
	return err;
}

/* @f: what there is, in order. What was not sealed is found last, and looked at first. */
static int recover_segments(struct shard *s, const struct names *f)
{
	struct index index = {0};
	struct segment *g;
	uint64_t records = 0;
	int err = 0;

	for (uint32_t i = 0; i < f->n && !err; i++) {
		err = cseg_load(s, f->seqs[i], &g);
		records += err ? 0 : g->records;
	}
	for (uint32_t i = s->segs_n; i-- > 0 && !err;)
		err = s->segs[i] ? recover_segment(s->segs[i], &index, &records) : 0;
	cache_table_fit(&s->table);
	free(index.p);
	return err;
}

static int recover_all(struct shard *s, const struct names *f)
{
	int err = journal_load(&s->journal, SL_NEVER);

	if (!err)
		err = recover_segments(s, f);
	journal_loaded(&s->journal);
	return err ? err : recover_bans(s);
}

/* Versions given out but not found, since nothing became of them, are not given out again. */
enum { VERSIONS_SKIPPED = 1 << 16 };

/* ---- dropping --------------------------------------------------------------------------- */

static int drop_all(struct shard *s)
{
	int err = 0;

	while (cache_table_count(&s->table))
		cache_table_del(&s->table, cache_table_at(&s->table, 0));
	for (uint32_t i = 0; i < s->segs_n && !err; i++)
		if (s->segs[i])
			err = cseg_unlink(s->segs[i], SL_NEVER);
	if (!err)
		err = s->c->medium->empty(s);
	s3fifo_done(&s->fifo);
	s3fifo_init(&s->fifo, shard_max_bytes(s) / s->c->super.block_size);
	return err;
}

/* What says nothing about what is stored. */
static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

void shard_recover(struct shard *s, int64_t deadline)
{
	struct names f = {.shard = s};
	int err = s->c->medium->shard_open(s);
	bool opened = !err;

	(void)deadline;
	s->home = sl_core_self();
	if (!err)
		err = s->c->medium->list(s, note_seq, &f);
	if (!err) {
		if (f.n)
			qsort(f.seqs, f.n, sizeof(*f.seqs), by_number);
		err = recover_all(s, &f);
	}
	if (err) {
		shard_event(s, CACHE_DROPPED, f.n, err);
		if (!is_shortage(err) && opened)
			err = drop_all(s);
	}
	free(f.seqs);
	s->last_version = s->last_version / CACHE_SHARDS_MAX * CACHE_SHARDS_MAX + s->id +
			  (uint64_t)VERSIONS_SKIPPED * CACHE_SHARDS_MAX;
	s->n.objects = cache_table_count(&s->table);
	s->n.bytes = s->bytes;
	sl_count(SL_M_CACHE_OBJECTS, s->n.objects);
	s->started = !err;
}

/* ---- syncing ---------------------------------------------------------------------------- */

enum { SYNCS = 16 };

/* All of @ios at once, which takes little longer than one. */
static void sync_together(struct segment **g, struct sl_io *ios, int n)
{
	struct sl_io *list[SYNCS] = {0};

	for (int i = 0; i < n; i++) {
		sl_io_fsync(&ios[i], g[i]->file.fd, true, SL_FAULT(SYNC_CACHE_RECOVERY));
		list[i] = &ios[i];
	}
	sl_await_all(list, n, SL_NEVER);
	for (int i = 0; i < n; i++) {
		g[i]->doubtful = false;
		if (!ios[i].res)
			g[i]->synced = g[i]->written;
		else
			shard_event(g[i]->shard, CACHE_FAILED, ios[i].res, 0);
	}
}

static struct segment *next_doubtful(struct shard *s, uint32_t *at)
{
	while (*at < s->segs_n) {
		struct segment *g = s->segs[(*at)++];

		if (g && g->doubtful)
			return g;
	}
	return NULL;
}

void recover_sync(struct shard *const *shards, uint32_t n)
{
	struct segment *g[SYNCS];
	struct sl_io ios[SYNCS];
	int got = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = 0;

		while ((g[got] = next_doubtful(shards[i], &at))) {
			if (++got < SYNCS)
				continue;
			sync_together(g, ios, got);
			got = 0;
		}
	}
	sync_together(g, ios, got);
}
