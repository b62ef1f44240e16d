/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of segments/ share.
 *
 * Interface: kit.h. Order of parts: the kind; batches; running; logs; appending; reading; damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "kit.h"

/* ---- the kind ----------------------------------------------------------------------------- */

enum { KIT_MAGIC = 0x4b495442 };

static uint32_t kit_sum(uint32_t sum, const void *p, size_t len)
{
	/* With inversions: otherwise a torn batch of zeros would have the sum 0, and pass. */
	return ~crc32_iscsi((unsigned char *)p, (int)len, ~sum);
}

static int kit_frame(const uint8_t *h, struct sl_frame *ret_frame)
{
	if (sl_load_le32(h + 16) != KIT_MAGIC || sl_load_le32(h + 12) < KIT_HEADER)
		return -EBADMSG;
	*ret_frame = (struct sl_frame){
		.base = sl_load_le64(h),
		.epoch = sl_load_le32(h + 8),
		.bytes = sl_load_le32(h + 12),
		.records = sl_load_le32(h + 24),
		.sum = sl_load_le32(h + 20),
		.sum_from = KIT_SUM_FROM,
		.time_max = (int64_t)sl_load_le64(h + 32),
	};
	return 0;
}

static void kit_place(uint8_t *h, uint64_t base, uint32_t epoch)
{
	sl_store_le64(h, base);
	sl_store_le32(h + 8, epoch);
}

static void kit_unplace(uint8_t *h)
{
	sl_store_le64(h, UINT64_MAX);
}

const struct sl_log_kind kit_kind = {
	.name = "kit",
	.id = 77,
	.header_bytes = KIT_HEADER,
	.frame = kit_frame,
	.place = kit_place,
	.unplace = kit_unplace,
	.sum = kit_sum,
};

uint32_t kit_id(const uint8_t *header)
{
	return sl_load_le32(header + 28);
}

/* ---- batches ------------------------------------------------------------------------------ */

struct sl_frame kit_make(const struct kit_batch *b, uint8_t *buf)
{
	struct sl_frame f;
	uint64_t x = b->id;

	SL_ASSERT(b->bytes >= KIT_HEADER);
	memset(buf, 0, KIT_HEADER);
	sl_store_le32(buf + 12, (uint32_t)b->bytes);
	sl_store_le32(buf + 16, KIT_MAGIC);
	sl_store_le32(buf + 24, b->records);
	sl_store_le32(buf + 28, b->id);
	sl_store_le64(buf + 32, (uint64_t)b->time);
	for (size_t i = KIT_HEADER; i < b->bytes; i++) {
		if (i % 8 == 0)
			x = sl_mix64(x + i);
		buf[i] = (uint8_t)(x >> i % 8 * 8);
	}
	sl_store_le32(buf + 20, kit_sum(0, buf + KIT_SUM_FROM, b->bytes - KIT_SUM_FROM));
	kit_frame(buf, &f);
	return f;
}

bool kit_is(const struct kit_batch *b, const uint8_t *buf)
{
	uint8_t *want = malloc(b->bytes);
	bool same;

	SL_ASSERT(want);
	kit_make(b, want);
	same = !memcmp(want + 12, buf + 12, b->bytes - 12);
	free(want);
	return same;
}

/* ---- running ------------------------------------------------------------------------------ */

static void heard(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	struct kit *k = arg;

	SL_ASSERT(event < SL_LOG_EVENT_LAST && !strcmp(name, "kit"));
	k->events[event]++;
	k->a[event] = a;
	k->b[event] = b;
}

static int open_parent(struct kit *k)
{
	k->dir = sl_open(AT_FDCWD, k->sim ? "/" : harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0,
			 SL_NEVER);
	return sl_min(k->dir, 0);
}

struct kit_call {
	struct kit *k;
	int (*body)(struct kit *k);
};

static int run_body(void *arg)
{
	struct kit_call *c = arg;
	int res = open_parent(c->k);

	if (res)
		return res;
	res = c->body(c->k);
	sl_close(c->k->dir);
	return res;
}

int kit_run_on(struct kit *k, const struct sl_cores_conf *conf, int (*body)(struct kit *k))
{
	struct kit_call c = {k, body};

	return sl_core_run(conf, run_body, &c);
}

int kit_run(struct kit *k, int (*body)(struct kit *k))
{
	struct sl_cores_conf conf = {.backend = k->sim ? sl_sim_backend(k->sim) : NULL,
				     .arena_bytes_max = 64 * SL_MIB, .rx_buffers = 8};

	return kit_run_on(k, &conf, body);
}

int kit_run_plain(struct kit *k, int (*body)(struct kit *k))
{
	struct sl_backend *before = sl_backend_use(k->sim ? sl_sim_backend(k->sim) : NULL);
	struct kit_call c = {k, body};
	int res;

	SL_ASSERT(!k->background);
	res = run_body(&c);
	sl_backend_use(before);
	return res;
}

/* ---- logs --------------------------------------------------------------------------------- */

int kit_create(struct kit *k)
{
	int err = sl_mkdir(k->dir, "log", 0700, SL_NEVER);

	if (!err)
		err = sl_log_create(k->dir, "log", &kit_kind, SL_NEVER);
	if (!err)
		err = sl_fsync(k->dir, false, SL_FAULT(SYNC_TOPIC_FOLDER), SL_NEVER);
	return err ? err : kit_open(k);
}

int kit_open(struct kit *k)
{
	struct sl_logs_conf conf = {.event = heard, .arg = k, .background = k->background,
				    .refused = k->refused};
	int err = sl_logs_new(&conf, &k->logs);

	if (err)
		return err;
	err = sl_log_open(k->logs, k->dir, "log", "kit", &kit_kind, &k->conf, &k->log, SL_NEVER);
	if (!err)
		return 0;
	k->log = NULL;
	sl_logs_free(k->logs, SL_NEVER);
	k->logs = NULL;
	return err;
}

int kit_close(struct kit *k)
{
	int err = sl_log_close(k->log, SL_NEVER);

	sl_logs_free(k->logs, SL_NEVER);
	k->log = NULL;
	k->logs = NULL;
	return err;
}

void kit_abandon(struct kit *k)
{
	sl_log_abandon(k->log);
	sl_logs_free(k->logs, SL_NEVER);
	k->log = NULL;
	k->logs = NULL;
}

/* ---- appending ---------------------------------------------------------------------------- */

int kit_append_nowait(struct kit *k, const struct kit_batch *b, struct sl_commit *commit,
		      uint64_t *ret_base)
{
	uint8_t *buf = malloc(b->bytes);
	struct sl_frame f;
	struct iovec iov;
	int err;

	SL_ASSERT(buf);
	f = kit_make(b, buf);
	iov = (struct iovec){buf, b->bytes};
	err = sl_log_append(k->log, &iov, 1, &f, commit, ret_base, SL_NEVER);
	free(buf);
	return err;
}

int kit_append(struct kit *k, const struct kit_batch *b, uint64_t *ret_base)
{
	uint64_t base;
	int err = kit_append_nowait(k, b, NULL, &base);

	if (err < 0)
		return err;
	if (!err && k->background)
		err = sl_order_wait(sl_log_order(k->log), base + b->records, SL_NEVER);
	else if (!err)
		err = sl_log_sync(k->log, SL_NEVER);
	if (err < 0)
		return err;
	if (ret_base)
		*ret_base = base;
	return 0;
}

int kit_fill(struct kit *k, uint32_t id, uint32_t n, size_t bytes)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		struct kit_batch b = {id + i, 1, bytes, 1000 + id + i};
		uint64_t base;

		err = kit_append_nowait(k, &b, NULL, &base);
		err = sl_min(err, 0);
	}
	return err ? err : sl_log_sync(k->log, SL_NEVER);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Checks one span and adds its ids. Return: batches, or -EBADMSG. */
static int check_span(const struct sl_span *s, uint32_t *ids, int n)
{
	uint8_t *data = malloc(s->extent.len);
	uint64_t at = 0, next = s->base;
	int got = 0;

	SL_ASSERT(data);
	if (sl_read_all(s->extent.file->fd, data, s->extent.len, s->extent.off, SL_NEVER))
		goto bad;
	while (at < s->extent.len) {
		struct sl_frame f;

		if (s->extent.len - at < KIT_HEADER || kit_frame(data + at, &f) ||
		    f.bytes > s->extent.len - at || f.base != next ||
		    f.sum != kit_sum(0, data + at + KIT_SUM_FROM, f.bytes - KIT_SUM_FROM))
			goto bad;
		if (got < n)
			ids[got++] = kit_id(data + at);
		at += f.bytes;
		next += f.records;
	}
	if (next != s->next)
		goto bad;
	free(data);
	return got;
bad:
	TH_LOG("span [%llu, %llu) at %llu of %llu bytes is wrong at %llu",
	       (unsigned long long)s->base, (unsigned long long)s->next,
	       (unsigned long long)s->extent.off, (unsigned long long)s->extent.len,
	       (unsigned long long)at);
	free(data);
	return -EBADMSG;
}

int kit_read(struct kit *k, uint64_t offset, uint64_t bytes_max, uint32_t *ret_ids, int n,
	     uint64_t *ret_next)
{
	struct sl_span spans[4];
	int r = sl_log_read(k->log, offset, bytes_max, NULL, spans, SL_ARRAY_SIZE(spans), SL_NEVER);
	int got = 0;

	for (int i = 0; i < r; i++) {
		int m = got < 0 ? got : check_span(&spans[i], ret_ids + got, n - got);

		sl_file_held(spans[i].extent.file);
		got = m < 0 ? m : got + m;
		if (ret_next)
			*ret_next = spans[i].next;
		sl_file_release(spans[i].extent.file);
	}
	return r < 0 ? r : got;
}

/* ---- damage ------------------------------------------------------------------------------- */

const char *kit_path(uint64_t base, const char *suffix)
{
	static char path[2][64];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "log/%020llu%s", (unsigned long long)base, suffix);
	return path[turn];
}

int kit_flip(struct kit *k, const char *path, uint64_t offset, int bit)
{
	char whole[512];
	uint8_t byte;
	int fd;

	if (k->sim)
		return sl_sim_flip(k->sim, path, offset, bit);
	snprintf(whole, sizeof(whole), "%s/%s", harness_tmpdir(), path);
	fd = open(whole, O_RDWR);
	if (fd < 0)
		return -errno;
	if (pread(fd, &byte, 1, (off_t)offset) != 1) {
		close(fd);
		return -ERANGE;
	}
	byte ^= (uint8_t)(1 << bit);
	if (pwrite(fd, &byte, 1, (off_t)offset) != 1) {
		close(fd);
		return -EIO;
	}
	fdatasync(fd);
	close(fd);
	return 0;
}
