/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at a segment file from outside: for `sluice log`, and for people in trouble.
 *
 * Interface: sl_segment_inspect(). Reads only, verifies everything, and goes on behind what is
 * bad. It knows nothing of a log: no quarantine, no neighbours.
 */
#include "segments_pvt.h"

struct inspection {
	struct walk w;
	struct sl_segment_info *info;
	int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame, uint64_t pos,
		    int err);
	void *arg;
};

/* What lies at w->pos although it is no good batch. */
static int tell_bad(struct inspection *in)
{
	uint8_t header[SEG_HEADER_MAX] = {0};
	struct sl_frame f;
	uint64_t pos = in->w.pos;

	if (sl_read_some(in->w.fd, header, in->w.kind->header_bytes, pos, SL_NEVER) < 0 ||
	    in->w.kind->frame(header, &f))
		f = (struct sl_frame){.base = in->w.next};
	in->info->bad++;
	return in->each ? in->each(in->arg, header, &f, pos, -EBADMSG) : 0;
}

/* Return: 0 to go on, 1 at the end, or what ends it. */
static int step_over_bad(struct inspection *in)
{
	struct walk *w = &in->w;
	uint64_t pos, off;
	int r = tell_bad(in);

	if (r)
		return r;
	r = walk_resync(w, &pos, &off, SL_NEVER);
	if (r <= 0)
		return r ? r : 1;
	w->pos = pos;
	w->next = off;
	return 0;
}

static int inspect_batch(struct inspection *in)
{
	uint8_t copy[SEG_HEADER_MAX];
	struct walk *w = &in->w;
	const uint8_t *header;
	struct sl_frame f;
	int r = walk_peek(w, &f, &header, SL_NEVER);

	if (r == 0)
		return 1;
	if (r == 1) {
		memcpy(copy, header, w->kind->header_bytes);
		r = walk_sum(w, &f, SL_NEVER);
	}
	if (r == -EBADMSG)
		return step_over_bad(in);
	if (r)
		return r;
	in->info->batches++;
	r = in->each ? in->each(in->arg, copy, &f, w->pos, 0) : 0;
	walk_step(w, &f);
	return r;
}

/* Header and footer; *@ret_limit: where batches end at the latest. */
static int inspect_frame(int fd, const struct sl_log_kind *kind, struct sl_segment_info *info,
			 uint64_t *ret_limit, uint64_t *ret_limit_off)
{
	uint8_t block[SEG_DATA];
	struct seg_footer f;
	struct seg_header h;
	struct seg_slot slot;
	ssize_t n = sl_read_some(fd, block, sizeof(block), 0, SL_NEVER);
	int err;

	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(block))
		return -EBADMSG;
	err = seg_block_decode(block, &h, &slot);
	if (err)
		return err;
	if (h.kind != kind->id)
		return -EBADMSG;
	info->base = h.base;
	info->durable_bytes = slot.seq ? slot.mark.pos : 0;
	*ret_limit = info->bytes;
	*ret_limit_off = UINT64_MAX;
	if (info->bytes < SEG_DATA + SEG_FOOTER)
		return 0;
	err = sl_read_all(fd, block, SEG_FOOTER, info->bytes - SEG_FOOTER, SL_NEVER);
	if (err)
		return err;
	if (!seg_footer_decode(block, &f) && f.bytes == info->bytes - SEG_FOOTER &&
	    f.salt == h.salt) {
		info->sealed = true;
		info->durable_bytes = f.bytes;
		*ret_limit = f.bytes;
		*ret_limit_off = f.next;
	}
	return 0;
}

/* Whether the file's index is there and right. */
static bool inspect_index(int dir, const char *name, uint64_t base)
{
	struct index_entry *e;
	struct index_file f;
	char path[256];
	struct statx stx;
	uint8_t *raw;
	ssize_t n;
	size_t len = strlen(name);

	if (len < 4 || len >= sizeof(path))
		return false;
	memcpy(path, name, len + 1);
	memcpy(path + len - 4, ".idx", 4);
	if (sl_stat(dir, path, &stx, SL_NEVER) || stx.stx_size > 32 * SL_MIB)
		return false;
	raw = malloc(stx.stx_size + 1);
	if (!raw)
		return false;
	n = sl_read_file(dir, path, raw, stx.stx_size + 1, SL_NEVER);
	n = n < 0 ? n : index_decode(raw, (size_t)n, &f, &e);
	free(raw);
	if (n < 0)
		return false;
	free(e);
	return f.base == base;
}

static void name_info(struct sl_segment_info *info, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	size_t len = strnlen(last, sizeof(info->name) - 1);

	memcpy(info->name, last, len);
	info->name[len] = 0;
}

int sl_segment_inspect(int dir, const char *name, const struct sl_log_kind *kind,
		       int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame,
				   uint64_t pos, int err),
		       void *arg, struct sl_segment_info *ret_info)
{
	struct inspection in = {.info = ret_info, .each = each, .arg = arg};
	struct statx stx;
	uint64_t limit, limit_off;
	int fd, r;

	*ret_info = (struct sl_segment_info){0};
	name_info(ret_info, name);
	fd = sl_open(dir, name, O_RDONLY, 0, SL_NEVER);
	if (fd < 0)
		return fd;
	r = sl_stat(fd, "", &stx, SL_NEVER);
	if (r)
		goto out_close;
	ret_info->bytes = stx.stx_size;
	r = inspect_frame(fd, kind, ret_info, &limit, &limit_off);
	if (r)
		goto out_err;
	in.w = (struct walk){.kind = kind, .fd = fd, .cap = WALK_ALL, .pos = SEG_DATA,
			     .limit = limit, .next = ret_info->base, .limit_off = limit_off,
			     .seg_base = ret_info->base};
	in.w.buf = malloc(WALK_ALL);
	if (!in.w.buf) {
		r = -ENOMEM;
		goto out_close;
	}
	while (!(r = inspect_batch(&in)))
		;
	free(in.w.buf);
	ret_info->next = in.w.next;
	ret_info->index_ok = inspect_index(dir, name, ret_info->base);
	r = r == 1 ? 0 : r;
out_err:
	ret_info->err = r;
out_close:
	sl_close(fd);
	return r;
}
