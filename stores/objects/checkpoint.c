/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: the indexes of a collection in one file, so that no start makes them anew.
 *
 * Interface: checkpoint_*() of objects_pvt.h; docs/format.md has the layout. The file replaces the
 * one before as a whole. It says of each row only where its object lies: keys and vectors come back
 * from the log.
 * Invariant: what it says is true of the log up to its offset; nothing between the look at rows and
 * at the indexes has a turn.
 *
 * Order of parts: runs of bytes; writing; reading.
 */
#include <xxhash.h>

#include "objects_pvt.h"

#define CHECKPOINT_FILE "checkpoint"
#define CHECKPOINT_MAGIC UINT64_C(0x314b434f43554c53) /* "SLUCOCK1" */
#define CHECKPOINT_BYTES_MAX (UINT64_C(64) * SL_GIB)

enum { CHECKPOINT_VERSION = 1, CHECKPOINT_SUM = 8 };

struct checkpoint_header {
	uint64_t magic;
	uint32_t version, version_min;
	uint64_t bytes;
	uint64_t offset;
	uint32_t rows, vectors;
	uint64_t payload_bytes;
	uint8_t zero[16];
};
static_assert(sizeof(struct checkpoint_header) == 64, "docs/format.md");
static_assert(offsetof(struct checkpoint_header, payload_bytes) == 40, "docs/format.md");

struct vector_header {
	uint32_t name_bytes, zero;
	uint64_t revision;
	uint64_t index_bytes;
};
static_assert(sizeof(struct vector_header) == 24, "docs/format.md");

static size_t tail_bytes(uint32_t rows)
{
	return ((size_t)rows + 63) / 64 * 8;
}

/* ---- runs of bytes ---------------------------------------------------------------------- */

int run_read(void *arg, void *ret_data, size_t n)
{
	struct run *run = arg;

	if (n > run->n)
		return -EBADMSG;
	memcpy(ret_data, run->p, n);
	run->p += n;
	run->n -= n;
	return 0;
}

/* The next @n bytes and what fills them up to 8, or NULL. */
static const uint8_t *run_take(struct run *run, uint64_t n)
{
	const uint8_t *p = run->p;
	uint64_t all = sl_round_up(n, 8);

	if (all < n || all > run->n)
		return NULL;
	run->p += all;
	run->n -= all;
	return p;
}

/* What is being written. */
struct out {
	uint8_t *p;
	size_t n, room;
};

static int out_write(void *arg, const void *data, size_t n)
{
	struct out *out = arg;

	if (out->room - out->n < n) {
		size_t room = sl_max(out->n + n, out->room * 3 / 2);
		uint8_t *p = realloc(out->p, room);

		if (!p)
			return -ENOMEM;
		out->p = p;
		out->room = room;
	}
	memcpy(out->p + out->n, data, n);
	out->n += n;
	return 0;
}

static int out_align(struct out *out)
{
	static const uint8_t zeros[8];

	return out_write(out, zeros, sl_round_up(out->n, 8) - out->n);
}

/* ---- writing ---------------------------------------------------------------------------- */

static int put_vector(struct collection *c, struct vector *v, struct out *out)
{
	size_t name = strlen(v->conf->name), at = out->n, from;
	struct vector_header h = {.name_bytes = (uint32_t)name, .revision = v->revision};
	int rc = out_write(out, &h, sizeof(h));

	if (!rc)
		rc = out_write(out, v->conf->name, name);
	if (!rc)
		rc = out_align(out);
	for (uint32_t row = 0; row < c->rows.n && !rc; row += 64)
		rc = out_write(out, &v->tail_bits[row / 64], sizeof(v->tail_bits[0]));
	from = out->n;
	if (!rc && v->main)
		rc = sl_index_save(v->main, out_write, out);
	if (rc)
		return rc;
	h.index_bytes = out->n - from;
	memcpy(out->p + at, &h, sizeof(h));
	return out_align(out);
}

static int put_all(struct collection *c, struct checkpoint_header *h, struct out *out)
{
	size_t from;
	int rc = out_write(out, h, sizeof(*h));

	for (uint32_t row = 0; row < c->rows.n && !rc; row++)
		rc = out_write(out, &c->rows.at[row].place, sizeof(uint64_t));
	for (uint32_t i = 0; i < c->vectors_n && !rc; i++)
		rc = put_vector(c, c->vectors[i], out);
	from = out->n;
	/* What names rows that are gone is made anew. */
	if (!rc && collection_has_payload(c) && !c->retired)
		rc = sl_payload_save(c->payload, out_write, out);
	h->payload_bytes = out->n - from;
	return rc ? rc : out_align(out);
}

static int encode(struct collection *c, struct out *out)
{
	struct checkpoint_header h = {
		.magic = CHECKPOINT_MAGIC,
		.version = CHECKPOINT_VERSION,
		.version_min = CHECKPOINT_VERSION,
		.offset = c->applied,
		.rows = c->rows.n,
		.vectors = c->vectors_n,
	};
	uint64_t sum;
	int rc = put_all(c, &h, out);

	if (rc)
		return rc;
	h.bytes = out->n + CHECKPOINT_SUM;
	memcpy(out->p, &h, sizeof(h));
	sum = XXH3_64bits(out->p, out->n);
	return out_write(out, &sum, sizeof(sum));
}

int checkpoint_save(struct collection *c, int64_t deadline)
{
	struct out out = {0};
	uint64_t since = c->since, changed = c->changed, moved = c->moved;
	int rc = encode(c, &out);

	/* Without durability it could tell of what the log loses, and others then replace. */
	if (!rc)
		rc = sl_log_sync(c->log, deadline);
	if (!rc)
		rc = sl_write_file(c->dir, CHECKPOINT_FILE, out.p, out.n,
				   SL_FAULT(SYNC_OBJECTS_CHECKPOINT),
				   SL_FAULT(SYNC_OBJECTS_CHECKPOINT_FOLDER), deadline);
	free(out.p);
	/* Also after a failure: it is tried again when as much has come again. */
	c->since -= since;
	c->moved -= moved;
	if (rc) {
		objects_tell(c->cs, OBJECTS_CHECKPOINT_FAILED, c->own->pub.name, rc);
		return rc;
	}
	c->changed -= changed;
	sl_count(SL_M_OBJECTS_CHECKPOINTS, 1);
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int get_vector(const struct collection *c, struct checkpoint *k, struct run *run)
{
	const uint8_t *head = run_take(run, sizeof(struct vector_header)), *name, *tail, *index;
	struct vector_header h;
	uint32_t i;

	if (!head)
		return -EBADMSG;
	memcpy(&h, head, sizeof(h));
	name = run_take(run, h.name_bytes);
	tail = run_take(run, tail_bytes(k->rows));
	index = run_take(run, h.index_bytes);
	if (!name || !tail || !index)
		return -EBADMSG;
	for (i = 0; i < c->vectors_n; i++)
		if (strlen(c->vectors[i]->conf->name) == h.name_bytes &&
		    memcmp(c->vectors[i]->conf->name, name, h.name_bytes) == 0)
			break;
	/* One that is to be made otherwise now, or is of no vector, is of no use. */
	if (i == c->vectors_n || c->vectors[i]->revision != h.revision)
		return 0;
	k->tails[i] = tail;
	k->indexes[i] = index;
	k->index_bytes[i] = h.index_bytes;
	return 0;
}

static int decode(const struct collection *c, struct checkpoint *k)
{
	struct run run = {k->bytes, k->n};
	struct checkpoint_header h;
	int rc = 0;

	if (k->n < sizeof(h) + CHECKPOINT_SUM)
		return -EBADMSG;
	memcpy(&h, run_take(&run, sizeof(h)), sizeof(h));
	if (h.magic != CHECKPOINT_MAGIC || h.bytes != k->n ||
	    sl_load_le64(k->bytes + k->n - CHECKPOINT_SUM) !=
		    XXH3_64bits(k->bytes, k->n - CHECKPOINT_SUM))
		return -EBADMSG;
	if (h.version_min > CHECKPOINT_VERSION)
		return -EPROTONOSUPPORT;
	run.n -= CHECKPOINT_SUM;
	k->offset = h.offset;
	k->rows = h.rows;
	k->places = run_take(&run, (uint64_t)h.rows * 8);
	if (!k->places)
		return -EBADMSG;
	for (uint32_t i = 0; i < h.vectors && !rc; i++)
		rc = get_vector(c, k, &run);
	k->payload = rc ? NULL : run_take(&run, h.payload_bytes);
	k->payload_bytes = h.payload_bytes;
	return k->payload && !run.n ? 0 : -EBADMSG;
}

int checkpoint_load(struct collection *c, struct checkpoint *ret_checkpoint, int64_t deadline)
{
	struct checkpoint k = {0};
	struct statx stx;
	ssize_t n;
	int rc = sl_stat(c->dir, CHECKPOINT_FILE, &stx, deadline);

	if (rc)
		return rc;
	if (stx.stx_size > CHECKPOINT_BYTES_MAX)
		return -EBADMSG;
	k.bytes = malloc(stx.stx_size + 1);
	if (!k.bytes)
		return -ENOMEM;
	n = sl_read_file(c->dir, CHECKPOINT_FILE, k.bytes, stx.stx_size, deadline);
	k.n = n < 0 ? 0 : (size_t)n;
	rc = n < 0 ? (int)n : decode(c, &k);
	/* A disk that cannot read it any more costs no more than one that read it wrong. */
	if (rc == -EIO)
		rc = -EBADMSG;
	if (rc)
		checkpoint_done(&k);
	else
		*ret_checkpoint = k;
	return rc;
}

void checkpoint_done(struct checkpoint *k)
{
	free(k->bytes);
	*k = (struct checkpoint){0};
}
