/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the cache lies on disk: encoding and decoding of all its structures (docs/format.md).
 *
 * Interface: format.h. Invariants: nothing of a structure is looked at before its sum was; what
 * belongs to a file has a sum that is seeded with the file's salt, so that remains of another file
 * never pass. What decodes has lengths within their bounds.
 *
 * Order of parts: sums; the cache; segments; records; heads; the journal.
 */
#include <errno.h>
#include <xxhash.h>

#include "format.h"
#include "table.h"

/* ---- sums ------------------------------------------------------------------------------- */

#define FORMAT_VERSION 1

#define MAGIC_SUPER UINT64_C(0x3148434143554c53)   /* "SLUCACH1" */
#define MAGIC_DEVICE UINT64_C(0x3156454443554c53)  /* "SLUCDEV1" */
#define MAGIC_SEGMENT UINT64_C(0x31534343454c5553) /* "SULECCS1" */
#define MAGIC_SEAL UINT64_C(0x31464343454c5553)	   /* "SULECCF1" */
#define MAGIC_HEAD UINT64_C(0x314f4343454c5553)	   /* "SULECCO1" */
#define MAGIC_JOURNAL UINT64_C(0x314a4343454c5553) /* "SULECCJ1" */
#define MAGIC_GONE 0x474c4a53u			   /* "SJLG" */

/* Every sum is the last eight bytes of its structure and covers what lies before it. */
static uint64_t sum_of(const void *p, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(p, len - sizeof(uint64_t), seed);
}

struct prefix {
	uint64_t magic;
	uint32_t version, version_min;
};

static struct prefix prefix_of(uint64_t magic)
{
	return (struct prefix){magic, FORMAT_VERSION, FORMAT_VERSION};
}

/* Whether @p, whose sum is @sum, has this magic and a version that can be read. */
static int check(const struct prefix *p, uint64_t magic, uint64_t sum, uint64_t want)
{
	if (p->magic != magic || sum != want)
		return -EBADMSG;
	return p->version_min > FORMAT_VERSION ? -EPROTONOSUPPORT : 0;
}

static bool is_power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

/* ---- the cache -------------------------------------------------------------------------- */

struct disk_super {
	struct prefix prefix;
	uint64_t seed;
	uint32_t shards, block_size;
	uint8_t reserved[472];
	uint64_t sum;
};

static_assert(sizeof(struct disk_super) == SUPER_BYTES, "format");
static_assert(offsetof(struct disk_super, seed) == 16, "format");

void super_encode(const struct super *s, uint8_t out[SUPER_BYTES])
{
	struct disk_super d = {
		.prefix = prefix_of(MAGIC_SUPER),
		.seed = s->seed,
		.shards = s->shards,
		.block_size = s->block_size,
	};

	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(out, &d, sizeof(d));
}

static bool is_sane(uint32_t shards, uint32_t block_size)
{
	return is_power_of_two(shards) && shards <= CACHE_SHARDS_MAX &&
	       is_power_of_two(block_size) && block_size >= 4096 && block_size <= 65536;
}

int super_decode(const uint8_t in[SUPER_BYTES], struct super *ret_super)
{
	struct disk_super d;
	int err;

	memcpy(&d, in, sizeof(d));
	err = check(&d.prefix, MAGIC_SUPER, d.sum, sum_of(&d, sizeof(d), 0));
	if (err)
		return err;
	if (!is_sane(d.shards, d.block_size))
		return -EBADMSG;
	*ret_super = (struct super){d.seed, d.shards, d.block_size};
	return 0;
}

struct disk_device {
	struct prefix prefix;
	uint64_t seed;
	uint32_t shards, block_size;
	uint64_t bytes, first, shard_bytes, slot_bytes, journal_bytes;
	uint32_t slots;
	uint8_t reserved[428];
	uint64_t sum;
};

static_assert(sizeof(struct disk_device) == SUPER_BYTES, "format");
static_assert(offsetof(struct disk_device, slots) == 72, "format");

void device_layout_encode(const struct device_layout *l, uint8_t out[SUPER_BYTES])
{
	struct disk_device d = {
		.prefix = prefix_of(MAGIC_DEVICE),
		.seed = l->super.seed,
		.shards = l->super.shards,
		.block_size = l->super.block_size,
		.bytes = l->bytes,
		.first = l->first,
		.shard_bytes = l->shard_bytes,
		.slot_bytes = l->slot_bytes,
		.journal_bytes = l->journal_bytes,
		.slots = l->slots,
	};

	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(out, &d, sizeof(d));
}

/* Parts that do not overlap, each of which has a use. */
static bool layout_fits(const struct disk_device *d)
{
	const uint64_t max = UINT64_C(1) << 56;

	if (d->bytes > max || d->first > max || d->shard_bytes > max || d->slot_bytes > SL_GIB ||
	    d->journal_bytes > max || !d->slots || d->first < SEG_HEADER_BYTES)
		return false;
	return d->slot_bytes >= DEVICE_SLOT_BYTES_MIN &&
	       d->journal_bytes >= DEVICE_JOURNAL_BYTES_MIN &&
	       !(d->first % 4096 || d->shard_bytes % 4096 || d->slot_bytes % 65536 ||
		 d->journal_bytes % 4096) &&
	       d->slots * d->slot_bytes + 2 * d->journal_bytes <= d->shard_bytes &&
	       d->first + d->shards * d->shard_bytes + SEG_HEADER_BYTES <= d->bytes;
}

int device_layout_decode(const uint8_t in[SUPER_BYTES], struct device_layout *ret_layout)
{
	struct disk_device d;
	int err;

	memcpy(&d, in, sizeof(d));
	err = check(&d.prefix, MAGIC_DEVICE, d.sum, sum_of(&d, sizeof(d), 0));
	if (err)
		return err;
	if (!is_sane(d.shards, d.block_size) || !layout_fits(&d))
		return -EBADMSG;
	*ret_layout = (struct device_layout){
		.super = {d.seed, d.shards, d.block_size},
		.bytes = d.bytes,
		.first = d.first,
		.shard_bytes = d.shard_bytes,
		.slot_bytes = d.slot_bytes,
		.journal_bytes = d.journal_bytes,
		.slots = d.slots,
	};
	return 0;
}

/* ---- segments --------------------------------------------------------------------------- */

struct disk_segment {
	struct prefix prefix;
	uint64_t salt;
	int64_t created_ms;
	uint32_t shard, seq, region, index_max, solo;
	uint8_t reserved[452];
	uint64_t sum;
};

static_assert(sizeof(struct disk_segment) == SEG_SECTOR_BYTES, "format");
static_assert(offsetof(struct disk_segment, shard) == 32, "format");

void cseg_header_encode(const struct seg_header *h, uint8_t out[SEG_SECTOR_BYTES])
{
	struct disk_segment d = {
		.prefix = prefix_of(MAGIC_SEGMENT),
		.salt = h->salt,
		.created_ms = h->created_ms,
		.shard = h->shard,
		.seq = h->seq,
		.region = h->region,
		.index_max = h->index_max,
		.solo = h->solo,
	};

	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(out, &d, sizeof(d));
}

int cseg_header_decode(const uint8_t in[SEG_SECTOR_BYTES], struct seg_header *ret_header)
{
	struct disk_segment d;
	int err;

	memcpy(&d, in, sizeof(d));
	err = check(&d.prefix, MAGIC_SEGMENT, d.sum, sum_of(&d, sizeof(d), 0));
	if (err)
		return err;
	if (d.region >= CACHE_REGIONS || !d.index_max)
		return -EBADMSG;
	*ret_header = (struct seg_header){d.salt, d.created_ms, d.shard, d.seq, d.region,
					  d.index_max, d.solo || d.index_max == 1};
	return 0;
}

struct disk_seal {
	struct prefix prefix;
	uint64_t bytes, records_sum;
	uint32_t records, durable;
	uint8_t reserved[464];
	uint64_t sum;
};

static_assert(sizeof(struct disk_seal) == SEG_SECTOR_BYTES, "format");

void cseg_seal_encode(const struct seg_seal *s, uint64_t salt, uint8_t out[SEG_SECTOR_BYTES])
{
	struct disk_seal d = {
		.prefix = prefix_of(MAGIC_SEAL),
		.bytes = s->bytes,
		.records_sum = s->sum,
		.records = s->records,
		.durable = s->durable,
	};

	d.sum = sum_of(&d, sizeof(d), salt);
	memcpy(out, &d, sizeof(d));
}

int cseg_seal_decode(const uint8_t in[SEG_SECTOR_BYTES], uint64_t salt, struct seg_seal *ret_seal)
{
	struct disk_seal d;
	int err;

	memcpy(&d, in, sizeof(d));
	err = check(&d.prefix, MAGIC_SEAL, d.sum, sum_of(&d, sizeof(d), salt));
	if (!err)
		*ret_seal = (struct seg_seal){d.bytes, d.records_sum, d.records,
						 d.durable};
	return err;
}

/* ---- records ---------------------------------------------------------------------------- */

struct disk_record {
	uint64_t hash[2];
	uint64_t version;
	uint32_t block, blocks;
	uint32_t expires_s, durable;
	uint64_t reserved[2];
	uint64_t sum;
};

static_assert(sizeof(struct disk_record) == RECORD_BYTES, "format");

void record_encode(const struct record *r, uint64_t salt, uint32_t number,
		   uint8_t out[RECORD_BYTES])
{
	struct disk_record d = {
		.hash = {r->hash[0], r->hash[1]},
		.version = r->version,
		.block = r->block,
		.blocks = r->blocks,
		.expires_s = r->expires_s,
		.durable = r->durable,
	};

	d.sum = sum_of(&d, sizeof(d), salt + number);
	memcpy(out, &d, sizeof(d));
}

static bool is_none(const struct disk_record *d)
{
	return !d->hash[0] && !d->hash[1] && !d->version && !d->blocks && !d->sum;
}

bool record_is_none(const uint8_t in[RECORD_BYTES])
{
	struct disk_record d;

	memcpy(&d, in, sizeof(d));
	return is_none(&d);
}

int record_decode(const uint8_t in[RECORD_BYTES], uint64_t salt, uint32_t number,
		  struct record *ret_record)
{
	struct disk_record d;

	memcpy(&d, in, sizeof(d));
	if (is_none(&d))
		return -ENODATA;
	if (d.sum != sum_of(&d, sizeof(d), salt + number) || !d.blocks ||
	    d.version > CACHE_VERSION_MAX)
		return -EBADMSG;
	*ret_record = (struct record){
		.hash = {d.hash[0], d.hash[1]},
		.version = d.version,
		.block = d.block,
		.blocks = d.blocks,
		.expires_s = d.expires_s,
		.durable = d.durable,
	};
	return 0;
}

/* ---- heads ------------------------------------------------------------------------------ */

struct disk_head {
	uint64_t magic;
	uint64_t hash[2];
	uint64_t version;
	uint64_t bytes;
	int64_t stored_ms, expires_ms;
	uint64_t sums_at, body_sum;
	uint32_t body_at, key_n, tags_n, meta_n;
	uint32_t format, format_min;
	uint64_t text_sum;
	uint64_t reserved[2];
	uint64_t sum;
};

static_assert(sizeof(struct disk_head) == HEAD_BYTES, "format");
static_assert(offsetof(struct disk_head, text_sum) == 96, "format");

/*
 * A large body begins with a block, so that it is read and sent by whole pages. What is left of the
 * block before it has room for another head, if both are short.
 */
void head_place(struct head *h, uint32_t block_size)
{
	uint64_t at = HEAD_BYTES + head_text_n(h);

	at = h->bytes >= BODY_BLOCK_BYTES ? sl_round_up(at, block_size) : sl_round_up(at, 64);
	h->body_at = (uint32_t)at;
	h->sums_at = h->bytes > BODY_BLOCK_BYTES ? sl_round_up(at + h->bytes, 8) : 0;
}

bool head_has_other(const struct head *h, uint32_t block_size)
{
	return h->body_at == block_size && h->bytes >= BODY_BLOCK_BYTES &&
	       HEAD_BYTES + head_text_n(h) <= block_size / 2;
}

uint64_t head_total(const struct head *h)
{
	if (h->sums_at)
		return h->sums_at + body_blocks(h->bytes) * sizeof(uint64_t);
	return h->body_at + h->bytes;
}

void head_encode(const struct head *h, uint64_t salt, const uint8_t *text, uint8_t out[HEAD_BYTES])
{
	struct disk_head d = {
		.magic = MAGIC_HEAD,
		.hash = {h->hash[0], h->hash[1]},
		.version = h->version,
		.bytes = h->bytes,
		.stored_ms = h->stored_ms,
		.expires_ms = h->expires_ms,
		.sums_at = h->sums_at,
		.body_sum = h->body_sum,
		.body_at = h->body_at,
		.key_n = h->key_n,
		.tags_n = h->tags_n,
		.meta_n = h->meta_n,
		.format = FORMAT_VERSION,
		.format_min = FORMAT_VERSION,
		.text_sum = XXH3_64bits_withSeed(text, head_text_n(h), salt),
	};

	d.sum = sum_of(&d, sizeof(d), salt);
	memcpy(out, &d, sizeof(d));
}

static bool lengths_fit(const struct disk_head *d)
{
	uint64_t text = (uint64_t)d->key_n + d->tags_n + d->meta_n;

	if (!d->key_n || d->key_n > CACHE_KEY_BYTES_MAX || d->tags_n > TAGS_BYTES_MAX ||
	    d->meta_n > CACHE_META_BYTES_MAX || d->bytes > BODY_BYTES_MAX ||
	    d->body_at < HEAD_BYTES + text)
		return false;
	if (d->bytes <= BODY_BLOCK_BYTES)
		return !d->sums_at;
	return d->sums_at >= d->body_at + d->bytes && !(d->sums_at & 7) &&
	       d->sums_at < d->body_at + d->bytes + 65536;
}

int head_decode(const uint8_t in[HEAD_BYTES], uint64_t salt, struct head *ret_head)
{
	struct disk_head d;

	memcpy(&d, in, sizeof(d));
	if (d.magic != MAGIC_HEAD || d.sum != sum_of(&d, sizeof(d), salt))
		return -EBADMSG;
	if (d.format_min > FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	if (!lengths_fit(&d))
		return -EBADMSG;
	*ret_head = (struct head){
		.hash = {d.hash[0], d.hash[1]},
		.version = d.version,
		.bytes = d.bytes,
		.stored_ms = d.stored_ms,
		.expires_ms = d.expires_ms,
		.sums_at = d.sums_at,
		.body_sum = d.body_sum,
		.body_at = d.body_at,
		.key_n = d.key_n,
		.tags_n = d.tags_n,
		.meta_n = d.meta_n,
	};
	return 0;
}

int head_text_check(const uint8_t in[HEAD_BYTES], uint64_t salt, const uint8_t *text)
{
	struct disk_head d;

	memcpy(&d, in, sizeof(d));
	if (d.text_sum != XXH3_64bits_withSeed(text, (size_t)d.key_n + d.tags_n + d.meta_n, salt))
		return -EBADMSG;
	return 0;
}

/* ---- the journal ------------------------------------------------------------------------ */

struct disk_journal {
	struct prefix prefix;
	uint64_t salt, first, generation;
	uint8_t reserved[464];
	uint64_t sum;
};

static_assert(sizeof(struct disk_journal) == JOURNAL_HEADER_BYTES, "format");

void journal_header_encode(const struct journal_header *h, uint8_t out[JOURNAL_HEADER_BYTES])
{
	struct disk_journal d = {
		.prefix = prefix_of(MAGIC_JOURNAL),
		.salt = h->salt,
		.first = h->first,
		.generation = h->generation,
	};

	d.sum = sum_of(&d, sizeof(d), 0);
	memcpy(out, &d, sizeof(d));
}

int journal_header_decode(const uint8_t in[JOURNAL_HEADER_BYTES],
			  struct journal_header *ret_header)
{
	struct disk_journal d;
	int err;

	memcpy(&d, in, sizeof(d));
	err = check(&d.prefix, MAGIC_JOURNAL, d.sum, sum_of(&d, sizeof(d), 0));
	if (!err)
		*ret_header = (struct journal_header){d.salt, d.first, d.generation};
	return err;
}

struct disk_gone {
	uint32_t magic, n;
	uint64_t hash[2];
	uint64_t version, number, durable;
	uint32_t seq, type;
	uint64_t reserved;
};

static_assert(sizeof(struct disk_gone) == JOURNAL_TEXT_AT - 8, "format");

uint64_t journal_record_bytes(uint32_t n)
{
	return sl_round_up(JOURNAL_TEXT_AT + (uint64_t)n, JOURNAL_ALIGN);
}

/* Stands before the text; covers both, and what fills up. */
static uint64_t gone_sum(const uint8_t *p, uint64_t n, uint64_t salt)
{
	return XXH3_64bits_withSeed(p + JOURNAL_TEXT_AT, n - JOURNAL_TEXT_AT,
				    XXH3_64bits_withSeed(p, sizeof(struct disk_gone), salt));
}

void journal_record_encode(const struct journal_record *r, uint64_t salt, const uint8_t *text,
			   uint8_t *out)
{
	struct disk_gone d = {
		.magic = MAGIC_GONE,
		.n = r->n,
		.hash = {r->hash[0], r->hash[1]},
		.version = r->version,
		.number = r->number,
		.durable = r->durable,
		.seq = r->seq,
		.type = r->type,
	};
	uint64_t sum;

	memset(out, 0, journal_record_bytes(r->n));
	memcpy(out, &d, sizeof(d));
	if (r->n)
		memcpy(out + JOURNAL_TEXT_AT, text, r->n);
	sum = gone_sum(out, journal_record_bytes(r->n), salt);
	memcpy(out + sizeof(d), &sum, sizeof(sum));
}

int journal_record_decode(const uint8_t *in, uint64_t in_n, uint64_t salt,
			  struct journal_record *ret_record)
{
	struct disk_gone d;
	uint64_t sum;

	if (in_n < JOURNAL_ALIGN)
		return -EBADMSG;
	memcpy(&d, in, sizeof(d));
	memcpy(&sum, in + sizeof(d), sizeof(sum));
	if (d.magic != MAGIC_GONE || d.n > CACHE_KEY_BYTES_MAX ||
	    journal_record_bytes(d.n) > in_n || d.type < JOURNAL_GONE || d.type >= JOURNAL_LAST ||
	    sum != gone_sum(in, journal_record_bytes(d.n), salt))
		return -EBADMSG;
	*ret_record = (struct journal_record){
		.hash = {d.hash[0], d.hash[1]},
		.version = d.version,
		.number = d.number,
		.durable = d.durable,
		.seq = d.seq,
		.type = d.type,
		.n = d.n,
	};
	return 0;
}
