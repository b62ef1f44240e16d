/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: what is gone although its bytes may still lie in a segment.
 *
 * An object that was removed, purged, or found bad must not come back with the next start, nor an
 * old version because the newer one was evicted. Its bytes cannot be unwritten, so the journal says
 * that they do not count, until their segments are no more.
 *
 * Interface: "the journal" of cache_pvt.h. Each record is written twice, so that no single damage
 * loses it; each has a number, and tells up to which one all were on disk when it was written: so a
 * torn end and the loss of what was durable are told apart. Invariants: who holds @lock writes;
 * numbers follow one another; a record on disk before it is acknowledged.
 *
 * Order of parts: in memory; reading; the file; adding; trimming.
 */
#include "cache_pvt.h"

enum { RECORDS_AT = 2 * JOURNAL_HEADER_BYTES };

/* ---- in memory -------------------------------------------------------------------------- */

void journal_init(struct journal *j, struct shard *s)
{
	*j = (struct journal){.shard = s, .seat.fd = -1, .room = UINT64_MAX};
	sl_list_init(&j->live);
	sl_mutex_init(&j->lock);
}

static void forget(struct journal *j, struct gone *g)
{
	sl_list_remove(&g->node);
	j->live_n--;
	j->live_bytes -= 2 * journal_record_bytes(g->r.n);
	free(g);
}

void journal_clear(struct journal *j)
{
	while (!sl_list_empty(&j->live))
		forget(j, sl_list_first(&j->live, struct gone, node));
	journal_loaded(j);
	j->broken = true;
}

void journal_done(struct journal *j)
{
	journal_clear(j);
	if (j->seat.fd >= 0)
		j->seat.leave(&j->seat, 0);
	j->seat.fd = -1;
}

static int keep(struct journal *j, const struct journal_record *r, const uint8_t *text)
{
	struct gone *g = malloc(sizeof(*g) + r->n);

	if (!g)
		return -ENOMEM;
	g->r = *r;
	g->next = NULL;
	if (r->n)
		memcpy(g->text, text, r->n);
	sl_list_init(&g->node);
	sl_list_append(&j->live, &g->node);
	j->live_n++;
	j->live_bytes += 2 * journal_record_bytes(r->n);
	return 0;
}

static struct gone **bucket_of(const struct journal *j, const uint64_t hash[2])
{
	return &j->buckets[hash[0] & (j->buckets_n - 1)];
}

static int make_buckets(struct journal *j)
{
	for (j->buckets_n = 16; j->buckets_n < j->live_n;)
		j->buckets_n *= 2;
	j->buckets = calloc(j->buckets_n, sizeof(struct gone *));
	if (!j->buckets)
		return -ENOMEM;
	sl_list_each(n, &j->live) {
		struct gone *g = sl_list_entry(n, struct gone, node);

		if (g->r.type == JOURNAL_PREFIX || g->r.type == JOURNAL_TAG)
			continue;
		g->next = *bucket_of(j, g->r.hash);
		*bucket_of(j, g->r.hash) = g;
	}
	return 0;
}

bool journal_says_gone(const struct journal *j, const uint64_t hash[2], uint64_t version)
{
	const struct gone *g = *bucket_of(j, hash);

	while (g && (g->r.hash[0] != hash[0] || g->r.hash[1] != hash[1] || version > g->r.version))
		g = g->next;
	return g;
}

void journal_loaded(struct journal *j)
{
	free(j->buckets);
	j->buckets = NULL;
}

/* ---- reading ---------------------------------------------------------------------------- */

/*
 * Every record of @data that is whole, once. Return: 0; -EBADMSG: of those that were durable one is
 * missing; -ENOMEM.
 */
static int take_records(struct journal *j, const uint8_t *data, uint64_t size)
{
	uint64_t at = RECORDS_AT, gap = UINT64_MAX;

	j->end = at;
	while (at < size) {
		struct journal_record r;
		uint64_t n;

		if (journal_record_decode(data + at, size - at, j->salt, &r)) {
			at += JOURNAL_ALIGN;
			continue;
		}
		n = journal_record_bytes(r.n);
		at += n;
		if (r.number < j->next) {
			j->end = at;
			continue; /* the second copy */
		}
		j->end = at + n; /* where the second copy ends, or should */
		if (r.number > j->next)
			gap = sl_min(gap, j->next);
		j->next = r.number + 1;
		j->durable = sl_max(j->durable, r.durable);
		if (keep(j, &r, data + at - n + JOURNAL_TEXT_AT))
			return -ENOMEM;
	}
	/* What was not durable may be missing; once more is, that would look like damage. */
	j->broken = gap != UINT64_MAX;
	return gap < j->durable ? -EBADMSG : 0;
}

static int parse(struct journal *j, const uint8_t *data, uint64_t size)
{
	struct journal_header h;
	int err = -EBADMSG;

	if (size >= RECORDS_AT)
		err = journal_header_decode(data, &h);
	if (err == -EBADMSG && size >= RECORDS_AT)
		err = journal_header_decode(data + JOURNAL_HEADER_BYTES, &h);
	if (err)
		return err;
	j->salt = h.salt;
	j->next = j->durable = h.first;
	return take_records(j, data, size);
}

/* What of @bytes of a journal is read at first, and is enough where so much is of no use. */
#define LOOK_BYTES SL_MIB
#define QUIET_BYTES (256 * SL_KIB)

/* The first @n bytes. */
static int read_part(struct journal *j, uint64_t n, int64_t deadline)
{
	uint8_t *data = malloc(n + 1);
	ssize_t got;
	int err;

	if (!data)
		return -ENOMEM;
	while (!sl_list_empty(&j->live))
		forget(j, sl_list_first(&j->live, struct gone, node));
	got = sl_read_some(j->seat.fd, data, n, j->seat.base, deadline);
	err = got < 0 ? (int)got : parse(j, data, (uint64_t)got);
	free(data);
	return err;
}

/*
 * A file is read as a whole. An area is longer than what is in it; records follow one another, and
 * of those that are on disk no more than one may be damaged, so that much without any is the end.
 */
int journal_load(struct journal *j, int64_t deadline)
{
	int err = j->shard->c->medium->journal_open(j);
	uint64_t n;

	if (err == -ENOENT)
		return make_buckets(j);
	if (err)
		return err;
	n = j->room == UINT64_MAX ? j->seat.bytes : sl_min(j->seat.bytes, LOOK_BYTES);
	err = read_part(j, n, deadline);
	while (!err && n < j->seat.bytes && j->end + QUIET_BYTES > n) {
		n = sl_min(2 * n, j->seat.bytes);
		err = read_part(j, n, deadline);
	}
	return err ? err : make_buckets(j);
}

/* ---- the file --------------------------------------------------------------------------- */

static void fill(struct journal *j, uint8_t *out, uint64_t salt)
{
	struct journal_header h = {.salt = salt};
	uint64_t number = 0;
	uint8_t *at = out + RECORDS_AT;

	journal_header_encode(&h, out);
	journal_header_encode(&h, out + JOURNAL_HEADER_BYTES);
	sl_list_each(node, &j->live) {
		struct gone *g = sl_list_entry(node, struct gone, node);
		uint64_t n = journal_record_bytes(g->r.n);

		g->r.number = number++;
		g->r.durable = j->live_n; /* the file appears as a whole */
		journal_record_encode(&g->r, salt, g->text, at);
		memcpy(at + n, at, n);
		at += 2 * n;
	}
}

/*
 * More is gone than there is room to say: then everything is, in one record, which holds for all
 * that the others were about.
 */
static int give_up_all(struct journal *j)
{
	struct shard *s = j->shard;
	struct journal_record r = {
		.version = s->last_version + 1,
		.seq = s->last_seq,
		.type = JOURNAL_PREFIX,
	};
	int err = purge_add(&s->bans, PURGE_PREFIX, "", 0, r.version);

	if (!err)
		err = keep(j, &r, NULL);
	if (err)
		return err;
	while (j->live_n > 1)
		forget(j, sl_list_first(&j->live, struct gone, node));
	shard_event(s, CACHE_DROPPED, (int64_t)s->n.segments, -ENOSPC);
	shard_forget_all(s);
	return 0;
}

/* Writes what still matters into a journal that takes the old one's place. Under the lock. */
static int rewrite(struct journal *j, int64_t deadline)
{
	int err = RECORDS_AT + j->live_bytes > j->room ? give_up_all(j) : 0;
	uint64_t bytes = RECORDS_AT + j->live_bytes, salt;
	uint8_t *data = err ? NULL : malloc(bytes);

	if (!data)
		return -ENOMEM;
	sl_random(&salt, sizeof(salt));
	fill(j, data, salt);
	j->broken = true; /* the numbers in memory are the new file's */
	err = j->shard->c->medium->journal_replace(j, data, bytes, deadline);
	free(data);
	if (err)
		return err;
	j->salt = salt;
	j->end = bytes;
	j->next = j->durable = j->live_n;
	j->broken = false;
	return 0;
}

/* ---- adding ----------------------------------------------------------------------------- */

/* What is kept in memory and not in the file makes the file a broken one. */
static int append(struct journal *j, struct journal_record *r, const uint8_t *text)
{
	uint64_t n = journal_record_bytes(r->n);
	uint8_t *out;
	int err;

	if (j->end + 2 * n > j->room)
		return -ENOSPC;
	out = malloc(2 * n);
	if (!out)
		return -ENOMEM;
	r->number = j->next;
	r->durable = j->durable;
	journal_record_encode(r, j->salt, text, out);
	memcpy(out + n, out, n);
	err = sl_write_all(j->seat.fd, out, 2 * n, j->seat.base + j->end, SL_NEVER);
	free(out);
	j->broken = err;
	j->end += 2 * n;
	j->next++;
	return err;
}

int journal_add(struct journal *j, enum journal_type type, const uint64_t hash[2], uint64_t version,
		const void *text, uint32_t n, int64_t deadline)
{
	struct journal_record r = {
		.version = version,
		.seq = j->shard->last_seq,
		.type = type,
		.n = n,
	};
	int err = sl_mutex_lock(&j->lock, deadline);

	if (err)
		return err;
	if (hash)
		memcpy(r.hash, hash, sizeof(r.hash));
	err = keep(j, &r, text);
	if (!err && (j->seat.fd < 0 || j->broken))
		j->broken = true; /* the next sync writes all of it */
	else if (!err && append(j, &r, text))
		j->broken = true;
	sl_mutex_unlock(&j->lock);
	return err;
}

int journal_sync(struct journal *j, int64_t deadline)
{
	uint64_t mine = j->next;
	int err = sl_mutex_lock(&j->lock, deadline);

	if (err)
		return err;
	/* What a failed sync left behind is written as a whole again. */
	if (j->broken) {
		err = rewrite(j, SL_NEVER);
	} else if (j->durable < mine && CONF(j->shard->c, durability) != SL_DURABILITY_NONE) {
		uint64_t target = j->next;

		err = sl_fsync(j->seat.fd, true, SL_FAULT(SYNC_CACHE_JOURNAL), SL_NEVER);
		if (err)
			j->broken = true;
		else
			j->durable = target;
	}
	sl_mutex_unlock(&j->lock);
	return err;
}

/* ---- trimming --------------------------------------------------------------------------- */

/* A file this large is worth writing again when most of it is of no use any more. */
#define REWRITE_BYTES (256 * SL_KIB)

void journal_trim(struct journal *j, uint32_t seq, int64_t deadline)
{
	if (sl_mutex_lock(&j->lock, deadline))
		return;
	sl_list_each_safe(n, &j->live) {
		struct gone *g = sl_list_entry(n, struct gone, node);

		if (g->r.seq < seq)
			forget(j, g);
	}
	/* If that fails the old file is as true as before. */
	if (j->seat.fd >= 0 && !j->broken && j->end > REWRITE_BYTES && j->end > 4 * j->live_bytes)
		rewrite(j, deadline);
	sl_mutex_unlock(&j->lock);
}
