/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: the indexes of a collection in one file, so that no start makes them anew.
 *
 * Interface: checkpoint_*() of objects_pvt.h; docs/format.md has the layout. It is written and read
 * in steps, so that it is never in memory as a whole; nobody writes to the collection meanwhile,
 * but searches go on. The file before it is kept, for a start that finds this one damaged.
 * Invariant: what it says is true of the log up to its offset.
 *
 * Order of parts: writing; what is written; replacing; runs of bytes; reading.
 */
#include <xxhash.h>

#include "objects_pvt.h"

#define CHECKPOINT_FILE "checkpoint"
#define CHECKPOINT_OLD "checkpoint.old"
#define CHECKPOINT_NEW "checkpoint.new"
#define CHECKPOINT_MAGIC UINT64_C(0x314b434f43554c53) /* "SLUCOCK1" */

enum { CHECKPOINT_VERSION = 2, CHECKPOINT_SUM = 8, STEP_BYTES = 256 * SL_KIB };

struct checkpoint_header {
	uint64_t magic;
	uint32_t version, version_min;
	uint64_t offset;
	uint32_t rows, vectors;
	uint8_t zero[32];
};
static_assert(sizeof(struct checkpoint_header) == 64, "docs/format.md");
static_assert(offsetof(struct checkpoint_header, vectors) == 28, "docs/format.md");

static_assert(sizeof(struct row) == 40, "docs/format.md");
static_assert(offsetof(struct row, place) == 24, "docs/format.md");

struct vector_header {
	uint32_t name_bytes, zero;
	uint64_t revision;
};
static_assert(sizeof(struct vector_header) == 16, "docs/format.md");

/* What the file ends with, behind the bytes of each vector's index. */
struct checkpoint_end {
	uint64_t payload_bytes;
	uint64_t bytes;
	uint64_t sum;
};
static_assert(sizeof(struct checkpoint_end) == 24, "docs/format.md");

/* Of a bit for each row. */
static size_t bits_bytes(uint32_t rows)
{
	return ((size_t)rows + 63) / 64 * 8;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* So much is sent on its way to the disk at once: until it is there a machine, or a group of
 * processes, that has little memory cannot take its pages back. */
#define SEND_BYTES (4 * SL_MIB)

/* @pos: bytes so far, of which the last @n are in @buf; those below @sent are on their way. */
struct out {
	int fd;
	uint64_t pos, sent;
	uint8_t *buf;
	size_t n;
	XXH3_state_t *sum;
};

/* Nobody reads it soon, so that what is clean may go as well. A failure costs nothing. */
static void out_send(struct out *out)
{
	struct sl_io io;

	sl_io_fadvise(&io, out->fd, out->sent, (uint32_t)(out->pos - out->sent),
		      POSIX_FADV_DONTNEED);
	sl_await(&io, SL_NEVER);
	out->sent = out->pos;
}

static int out_flush(struct out *out)
{
	int rc = sl_write_all(out->fd, out->buf, out->n, out->pos - out->n, SL_NEVER);

	out->n = 0;
	if (!rc && out->pos - out->sent >= SEND_BYTES)
		out_send(out);
	sl_fiber_yield(SL_NEVER);
	return rc;
}

static int out_write(void *arg, const void *data, size_t n)
{
	struct out *out = arg;
	const uint8_t *p = data;
	int rc = 0;

	XXH3_64bits_update(out->sum, data, n);
	while (n && !rc) {
		size_t step = sl_min(n, STEP_BYTES - out->n);

		memcpy(out->buf + out->n, p, step);
		out->n += step;
		out->pos += step;
		p += step;
		n -= step;
		if (out->n == STEP_BYTES)
			rc = out_flush(out);
	}
	return rc;
}

static int out_align(struct out *out)
{
	static const uint8_t zeros[8];

	return out_write(out, zeros, sl_round_up(out->pos, 8) - out->pos);
}

/* ---- what is written -------------------------------------------------------------------- */

static int put_vector(const struct collection *c, struct vector *v, struct out *out,
		      uint64_t *ret_index_bytes)
{
	size_t name = strlen(v->conf->name);
	struct vector_header h = {.name_bytes = (uint32_t)name, .revision = v->revision};
	int rc = out_write(out, &h, sizeof(h));
	uint64_t from;

	if (!rc)
		rc = out_write(out, v->conf->name, name);
	if (!rc)
		rc = out_align(out);
	if (!rc && c->rows.n)
		rc = out_write(out, v->has, bits_bytes(c->rows.n));
	if (!rc && c->rows.n)
		rc = out_write(out, v->tail_bits, bits_bytes(c->rows.n));
	from = out->pos;
	if (!rc && v->main)
		rc = sl_index_save(v->main, out_write, out);
	*ret_index_bytes = out->pos - from;
	return rc ? rc : out_align(out);
}

static int put_end(const struct collection *c, struct out *out, const uint64_t *index_bytes,
		   uint64_t payload_bytes)
{
	struct checkpoint_end end = {.payload_bytes = payload_bytes};
	int rc = out_write(out, index_bytes, c->vectors_n * sizeof(*index_bytes));

	end.bytes = out->pos + sizeof(end);
	if (!rc)
		rc = out_write(out, &end, sizeof(end) - CHECKPOINT_SUM);
	end.sum = XXH3_64bits_digest(out->sum);
	if (!rc)
		rc = out_write(out, &end.sum, CHECKPOINT_SUM);
	return rc ? rc : out_flush(out);
}

static int put_all(struct collection *c, struct out *out)
{
	struct checkpoint_header h = {
		.magic = CHECKPOINT_MAGIC,
		.version = CHECKPOINT_VERSION,
		.version_min = CHECKPOINT_VERSION,
		.offset = c->applied,
		.rows = c->rows.n,
		.vectors = c->vectors_n,
	};
	uint64_t index_bytes[SL_OBJECTS_VECTORS_MAX], from;
	int rc = out_write(out, &h, sizeof(h));

	if (!rc && c->rows.n)
		rc = out_write(out, c->rows.at, c->rows.n * sizeof(*c->rows.at));
	for (uint32_t i = 0; i < c->vectors_n && !rc; i++)
		rc = put_vector(c, c->vectors[i], out, &index_bytes[i]);
	from = out->pos;
	/* What names rows that are gone is made anew. */
	if (!rc && collection_has_payload(c) && !c->retired)
		rc = sl_payload_save(c->payload, out_write, out);
	from = out->pos - from;
	if (!rc)
		rc = out_align(out);
	return rc ? rc : put_end(c, out, index_bytes, from);
}

static int write_steps(struct collection *c, int fd)
{
	struct out out = {.fd = fd, .buf = malloc(STEP_BYTES), .sum = XXH3_createState()};
	int rc = -ENOMEM;

	if (out.buf && out.sum) {
		XXH3_64bits_reset(out.sum);
		rc = put_all(c, &out);
	}
	XXH3_freeState(out.sum);
	free(out.buf);
	c->checkpoint_bytes = out.pos;
	return rc;
}

/* ---- replacing -------------------------------------------------------------------------- */

/* What is done since is counted from here on, also after a failure: then it is tried again when as
 * much has come again. */
static int write_still(struct collection *c, int fd, uint64_t *ret_changed, int64_t deadline)
{
	int rc = sl_mutex_lock(&c->writing, deadline);

	if (rc)
		return rc;
	rc = pending_drain(c, deadline);
	*ret_changed = c->changed;
	c->since = c->moved = 0;
	if (!rc)
		rc = write_steps(c, fd);
	sl_mutex_unlock(&c->writing);
	return rc;
}

static int write_new(struct collection *c, uint64_t *ret_changed, int64_t deadline)
{
	int fd = sl_open(c->dir, CHECKPOINT_NEW, O_RDWR | O_CREAT | O_TRUNC, 0600, deadline), rc;

	if (fd < 0)
		return fd;
	rc = write_still(c, fd, ret_changed, deadline);
	/* Without durability it could tell of what the log loses, and others then replace. */
	if (!rc)
		rc = sl_log_sync(c->log, deadline);
	if (!rc)
		rc = sl_fsync(fd, false, SL_FAULT(SYNC_OBJECTS_CHECKPOINT), deadline);
	sl_close(fd);
	return rc;
}

static int replace(struct collection *c, int64_t deadline)
{
	int rc = sl_rename(c->dir, CHECKPOINT_FILE, c->dir, CHECKPOINT_OLD, deadline);

	if (!rc || rc == -ENOENT)
		rc = sl_rename(c->dir, CHECKPOINT_NEW, c->dir, CHECKPOINT_FILE, deadline);
	if (!rc)
		rc = sl_fsync(c->dir, false, SL_FAULT(SYNC_OBJECTS_CHECKPOINT_FOLDER), deadline);
	return rc;
}

int checkpoint_save(struct collection *c, int64_t deadline)
{
	uint64_t changed = 0;
	int rc = write_new(c, &changed, deadline);

	if (!rc)
		rc = replace(c, deadline);
	if (rc) {
		sl_unlink(c->dir, CHECKPOINT_NEW, 0, SL_NEVER);
		objects_tell(c->cs, OBJECTS_CHECKPOINT_FAILED, c->own->pub.name, rc);
		return rc;
	}
	c->changed -= changed;
	sl_count(SL_M_OBJECTS_CHECKPOINTS, 1);
	return 0;
}

/* ---- runs of bytes ---------------------------------------------------------------------- */

/* The next STEP_BYTES of it, or what is left. */
static int run_fill(struct run *run)
{
	size_t n = (size_t)sl_min(run->left, (uint64_t)STEP_BYTES);
	int rc = sl_read_all(run->fd, run->buf, n, run->pos, SL_NEVER);

	if (rc)
		return rc == -ENODATA || rc == -EIO ? -EBADMSG : rc;
	run->p = run->buf;
	run->ready = n;
	run->pos += n;
	run->left -= n;
	sl_fiber_yield(SL_NEVER);
	return 0;
}

int run_read(void *arg, void *ret_data, size_t n)
{
	struct run *run = arg;
	uint8_t *to = ret_data;

	if (n > run->left + run->ready)
		return -EBADMSG;
	while (n) {
		int rc = run->ready ? 0 : run_fill(run);
		size_t step = sl_min(n, run->ready);

		if (rc)
			return rc;
		memcpy(to, run->p, step);
		run->p += step;
		run->ready -= step;
		to += step;
		n -= step;
	}
	return 0;
}

void checkpoint_run(struct checkpoint *k, uint64_t at, uint64_t n, struct run *ret_run)
{
	*ret_run = (struct run){.fd = k->fd, .pos = at, .left = n, .buf = k->buf};
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Whether the sum at the end is that of all before. */
static int verify(struct checkpoint *k, uint64_t bytes)
{
	XXH3_state_t *sum = XXH3_createState();
	uint8_t *step = malloc(STEP_BYTES);
	uint64_t left = bytes - CHECKPOINT_SUM, is = 0, want = 0;
	struct run run;
	int rc = sum && step ? 0 : -ENOMEM;

	checkpoint_run(k, 0, bytes, &run);
	if (!rc)
		XXH3_64bits_reset(sum);
	while (!rc && left) {
		size_t n = (size_t)sl_min(left, (uint64_t)STEP_BYTES);

		rc = run_read(&run, step, n);
		if (!rc)
			XXH3_64bits_update(sum, step, n);
		left -= n;
	}
	if (!rc)
		is = XXH3_64bits_digest(sum);
	if (!rc)
		rc = run_read(&run, &want, sizeof(want));
	XXH3_freeState(sum);
	free(step);
	return rc ? rc : is == want ? 0 : -EBADMSG;
}

/* @n bytes and what fills them up to 8 were read of all that there are. */
static bool pass(uint64_t *at, uint64_t end, uint64_t n)
{
	uint64_t all = sl_round_up(n, 8);

	if (all < n || all > end - *at)
		return false;
	*at += all;
	return true;
}

static int get_at(struct checkpoint *k, uint64_t at, void *ret_data, size_t n)
{
	struct run run;

	checkpoint_run(k, at, n, &run);
	return run_read(&run, ret_data, n);
}

/* One that is to be made otherwise now, or is of no vector, is of no use. */
static uint32_t vector_named(const struct collection *c, const char *name,
			     const struct vector_header *h)
{
	uint32_t i = collection_vector(c, name);

	return i < c->vectors_n && c->vectors[i]->revision == h->revision ? i : c->vectors_n;
}

static int get_bits(struct checkpoint *k, uint64_t at, uint8_t **ret_bits)
{
	*ret_bits = malloc(bits_bytes(k->rows) + 1);
	return *ret_bits ? get_at(k, at, *ret_bits, bits_bytes(k->rows)) : -ENOMEM;
}

static int get_vector(const struct collection *c, struct checkpoint *k, uint64_t *at, uint64_t end,
		      uint64_t index_bytes)
{
	char name[SL_OBJECTS_NAME_BYTES_MAX + 1] = "";
	uint64_t name_at, has_at, tail_at;
	struct vector_header h;
	uint32_t i;
	int rc = get_at(k, *at, &h, sizeof(h));

	if (rc)
		return rc;
	if (!pass(at, end, sizeof(h)) || h.name_bytes > SL_OBJECTS_NAME_BYTES_MAX)
		return -EBADMSG;
	name_at = *at;
	if (!pass(at, end, h.name_bytes))
		return -EBADMSG;
	has_at = *at;
	tail_at = has_at + bits_bytes(k->rows);
	if (!pass(at, end, 2 * bits_bytes(k->rows)))
		return -EBADMSG;
	rc = get_at(k, name_at, name, h.name_bytes);
	i = vector_named(c, name, &h);
	if (!rc && i < c->vectors_n) {
		k->index_at[i] = *at;
		k->index_bytes[i] = index_bytes;
		rc = get_bits(k, has_at, &k->has[i]);
		if (!rc)
			rc = get_bits(k, tail_at, &k->tails[i]);
	}
	return rc || pass(at, end, index_bytes) ? rc : -EBADMSG;
}

/* Where everything is. */
static int get_all(const struct collection *c, struct checkpoint *k, uint64_t bytes)
{
	uint64_t index_bytes[SL_OBJECTS_VECTORS_MAX], at = sizeof(struct checkpoint_header), end;
	struct checkpoint_header h;
	struct checkpoint_end last = {0};
	int rc = get_at(k, 0, &h, sizeof(h));

	if (rc)
		return rc;
	if (h.magic != CHECKPOINT_MAGIC || h.vectors > SL_OBJECTS_VECTORS_MAX)
		return -EBADMSG;
	if (h.version_min > CHECKPOINT_VERSION)
		return -EPROTONOSUPPORT;
	end = sizeof(last) + h.vectors * sizeof(*index_bytes);
	if (h.version != CHECKPOINT_VERSION || bytes < at + end)
		return -EBADMSG;
	end = bytes - end;
	rc = get_at(k, end, index_bytes, h.vectors * sizeof(*index_bytes));
	if (!rc)
		rc = get_at(k, bytes - sizeof(last), &last, sizeof(last));
	k->offset = h.offset;
	k->rows = h.rows;
	k->rows_at = at;
	if (!rc && (last.bytes != bytes || !pass(&at, end, (uint64_t)h.rows * sizeof(struct row))))
		rc = -EBADMSG;
	for (uint32_t i = 0; i < h.vectors && !rc; i++)
		rc = get_vector(c, k, &at, end, index_bytes[i]);
	k->payload_at = at;
	k->payload_bytes = last.payload_bytes;
	return rc || (pass(&at, end, last.payload_bytes) && at == end) ? rc : -EBADMSG;
}

static int load_file(struct collection *c, const char *path, struct checkpoint *k, int64_t deadline)
{
	struct statx stx;
	int rc;

	*k = (struct checkpoint){.fd = sl_open(c->dir, path, O_RDONLY, 0, deadline)};
	/* A disk that cannot read it any more costs no more than one that read it wrong. */
	if (k->fd < 0)
		return k->fd == -EIO ? -EBADMSG : k->fd;
	k->buf = malloc(STEP_BYTES);
	rc = k->buf ? sl_stat(k->fd, "", &stx, deadline) : -ENOMEM;
	if (!rc && stx.stx_size < sizeof(struct checkpoint_header) + sizeof(struct checkpoint_end))
		rc = -EBADMSG;
	if (!rc)
		rc = verify(k, stx.stx_size);
	if (!rc)
		rc = get_all(c, k, stx.stx_size);
	/* One that is of later than the log is has nothing to do with it. */
	if (!rc && k->offset > sl_log_durable(c->log))
		rc = -EBADMSG;
	if (rc)
		checkpoint_done(k);
	else
		c->checkpoint_bytes = stx.stx_size;
	return rc;
}

int checkpoint_load(struct collection *c, struct checkpoint *ret_checkpoint, int64_t deadline)
{
	int rc = load_file(c, CHECKPOINT_FILE, ret_checkpoint, deadline);

	if (rc == -EBADMSG)
		objects_tell(c->cs, OBJECTS_REBUILT, c->own->pub.name, rc);
	/* A kill may have come between two renames. */
	if (rc == -ENOENT || rc == -EBADMSG)
		rc = load_file(c, CHECKPOINT_OLD, ret_checkpoint, deadline);
	return rc == -EBADMSG ? -ENOENT : rc;
}

void checkpoint_done(struct checkpoint *k)
{
	for (uint32_t i = 0; i < SL_OBJECTS_VECTORS_MAX; i++) {
		free(k->has[i]);
		free(k->tails[i]);
	}
	if (k->fd >= 0)
		sl_close(k->fd);
	free(k->buf);
	*k = (struct checkpoint){.fd = -1};
}
