/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload on one log, its model, and the check.
 *
 * Interface: world.h. Order of parts: the model; the workload; checks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

/* ---- the model ---------------------------------------------------------------------------- */

static uint64_t draw(struct world *w, uint64_t below)
{
	w->rng += UINT64_C(0x9e3779b97f4a7c15);
	return sl_mix64(w->rng) % below;
}

static uint32_t new_batch(struct world *w)
{
	struct model *m = &w->m;
	uint32_t id = m->n++;

	SL_ASSERT(id < IDS);
	m->batch[id] = (struct kit_batch){
		.id = id,
		.records = 1 + (uint32_t)draw(w, 3),
		.bytes = KIT_HEADER + draw(w, 700),
		.time = 1000 + (int64_t)draw(w, 1000),
	};
	m->tried[id] = true;
	return id;
}

static void acknowledged(struct world *w, uint32_t id, uint64_t base)
{
	/* Without durability only what was served after a sync is owed. */
	w->m.owed[id] = w->k.conf.durability != SL_DURABILITY_NONE;
	w->m.base[id] = base;
}

/* ---- the workload ------------------------------------------------------------------------- */

static int append_one(struct world *w)
{
	uint32_t id = new_batch(w);
	uint64_t base = 0;
	int err = kit_append(&w->k, &w->m.batch[id], &base);

	if (!err)
		acknowledged(w, id, base);
	return err;
}

static void writer(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 5; i++) {
		int err = append_one(w);

		if (err)
			w->err = err;
	}
	w->writers--;
	sl_waitq_wake_all(&w->joined, 0);
}

static int append_together(struct world *w)
{
	w->err = 0;
	sl_waitq_init(&w->joined);
	for (w->writers = 0; w->writers < 3; w->writers++)
		if (sl_fiber_start(SL_STACK_SMALL, writer, w))
			return -ENOMEM;
	while (w->writers)
		sl_waitq_wait(&w->joined, SL_NEVER);
	return w->err;
}

static int append_streamed(struct world *w, bool finish)
{
	uint32_t id = new_batch(w);
	struct kit_batch *b = &w->m.batch[id];
	static uint8_t buf[4096];
	struct sl_append a;
	struct sl_frame f;
	uint64_t base;
	size_t done = 0;
	int err;

	b->bytes += 600;
	f = kit_make(b, buf);
	err = sl_log_reserve(w->k.log, &f, &a, SL_NEVER);
	while (!err && done < b->bytes) {
		size_t len = sl_min(b->bytes - done, (size_t)500);

		err = sl_append_write(&a, buf + done, len, SL_NEVER);
		done += len;
		if (err || (!finish && done >= 1000)) {
			sl_append_abort(&a);
			return err;
		}
	}
	if (err)
		return err;
	err = sl_append_finish(&a, NULL, &base, SL_NEVER);
	if (err < 0)
		return err;
	if (!err)
		err = sl_log_sync(w->k.log, SL_NEVER);
	if (err >= 0)
		acknowledged(w, id, base);
	return sl_min(err, 0);
}

static int trim_some(struct world *w)
{
	uint64_t start = sl_log_start(w->k.log) + 1 + draw(w, sl_log_durable(w->k.log) / 2 + 1);
	int err;

	start = sl_min(start, sl_log_durable(w->k.log));
	w->m.start_max = sl_max(w->m.start_max, start);
	err = sl_log_trim(w->k.log, start, SL_NEVER);
	if (!err)
		w->m.start_min = sl_max(w->m.start_min, start);
	return err;
}

static int retain_some(struct world *w)
{
	int n;

	w->k.conf.retention_bytes = 12000;
	sl_log_configure(w->k.log, &w->k.conf);
	/* It may go as far as its first kept segment, which is seen only afterwards. */
	w->m.start_max = sl_log_durable(w->k.log);
	n = sl_log_retain(w->k.log, 5000, SL_NEVER);
	if (n < 0)
		return n;
	w->m.start_min = w->m.start_max = sl_log_start(w->k.log);
	w->k.conf.retention_bytes = 0;
	return 0;
}

static int reopen(struct world *w, enum sl_durability durability, bool background)
{
	int err = kit_close(&w->k);

	w->m.closed = !err;
	if (err && !w->go_on)
		return err;
	w->k.conf.durability = durability;
	w->k.background = background;
	err = kit_open(&w->k);
	/* From now on the next append may make it unclean. */
	w->m.closed = false;
	return err;
}

/* A killed process: what the page cache holds is served after the next start. */
static int killed(struct world *w)
{
	uint32_t id[2];
	uint64_t base[2];
	int err = reopen(w, SL_DURABILITY_GROUP, false);

	for (int i = 0; i < 2 && !err; i++) {
		id[i] = new_batch(w);
		err = sl_min(kit_append_nowait(&w->k, &w->m.batch[id[i]], NULL, &base[i]), 0);
	}
	if (err)
		return err;
	kit_abandon(&w->k);
	err = kit_open(&w->k);
	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		if (base[i] < sl_log_durable(w->k.log))
			acknowledged(w, id[i], base[i]);
	return 0;
}

/* One step; after an error the next ones are only tried if the workload is to go on. */
static void step(struct world *w, int *err, int (*fn)(struct world *w))
{
	int e;

	if (*err && (!w->go_on || !w->k.log))
		return;
	e = fn(w);
	*err = *err ? *err : e;
}

static int create(struct world *w)
{
	int err = kit_create(&w->k);

	w->m.created = !err;
	return err;
}

static int stream_and_abort(struct world *w)
{
	return append_streamed(w, false);
}

static int stream_and_finish(struct world *w)
{
	return append_streamed(w, true);
}

static int reopen_each(struct world *w)
{
	return reopen(w, SL_DURABILITY_EACH, true);
}

static int close_all(struct world *w)
{
	int err = kit_close(&w->k);

	w->m.closed = !err;
	return err;
}

static int (*const steps[])(struct world *w) = {
	append_together, stream_and_abort, stream_and_finish, trim_some,  append_together,
	killed,		 append_one,	   retain_some,	      reopen_each, append_one,
	append_one,	 append_one,	   append_one,	      close_all,
};

int world_work(struct kit *k)
{
	struct world *w = (struct world *)k;
	int err = create(w);

	for (size_t i = 0; i < SL_ARRAY_SIZE(steps); i++)
		step(w, &err, steps[i]);
	if (k->log)
		kit_abandon(k);
	return err;
}

void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){.rng = seed};
	w->k.sim = sl_sim_new(seed, NULL);
	w->k.background = true;
	w->k.conf.segment_bytes = 4096 + 2500;
	w->k.conf.index_interval_bytes = 256;
}

/* ---- checks ------------------------------------------------------------------------------- */

#define WRONG(v, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(v)->wrong[0])                                                                \
			snprintf((v)->wrong, sizeof((v)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

struct seen {
	struct verdict *v;
	uint64_t next;
	bool seen[IDS];
	uint64_t base[IDS];
};

static void see_batch(struct seen *s, const uint8_t *data, const struct sl_frame *f)
{
	uint32_t id = kit_id(data);

	if (id >= IDS || !s->v->m->tried[id])
		WRONG(s->v, "batch %u was never appended", id);
	else if (!kit_is(&s->v->m->batch[id], data))
		WRONG(s->v, "batch %u is not what was appended", id);
	else if (s->seen[id])
		WRONG(s->v, "batch %u is there twice", id);
	else {
		s->seen[id] = true;
		s->base[id] = f->base;
	}
}

static void see_span(struct seen *s, const struct sl_span *span)
{
	static uint8_t data[1 << 16];
	uint64_t at = 0, next = span->base;

	if (span->extent.len > sizeof(data) ||
	    sl_read_all(span->extent.file->fd, data, span->extent.len, span->extent.off, SL_NEVER))
		WRONG(s->v, "a span of %llu bytes cannot be read",
		      (unsigned long long)span->extent.len);
	while (at < span->extent.len && !s->v->wrong[0]) {
		struct sl_frame f;

		if (kit_kind.frame(data + at, &f) || f.base != next) {
			WRONG(s->v, "no batch at offset %llu", (unsigned long long)next);
			return;
		}
		see_batch(s, data + at, &f);
		at += f.bytes;
		next += f.records;
	}
}

static void check_reads(struct kit *k, struct verdict *v)
{
	struct seen s = {.v = v};
	struct sl_span span;
	uint64_t at = sl_log_start(k->log);
	int r;

	while (!v->wrong[0] && (r = sl_log_read(k->log, at, 2000, NULL, &span, 1, SL_NEVER)) == 1) {
		see_span(&s, &span);
		at = span.next;
		sl_file_release(span.extent.file);
	}
	if (v->wrong[0])
		return;
	if (r || at != sl_log_durable(k->log))
		WRONG(v, "reading at %llu says %d", (unsigned long long)at, r);
	for (uint32_t id = 0; id < v->m->n; id++) {
		if (!v->m->owed[id] || v->m->base[id] < v->m->start_max)
			continue;
		if (!s.seen[id])
			WRONG(v, "acknowledged batch %u is lost", id);
		else if (s.base[id] != v->m->base[id])
			WRONG(v, "acknowledged batch %u has moved", id);
	}
}

/* Each owed batch by itself, so that indexes are asked. */
static void check_index(struct kit *k, struct verdict *v)
{
	for (uint32_t id = 0; id < v->m->n && !v->wrong[0]; id++) {
		struct sl_span span;

		if (!v->m->owed[id] || v->m->base[id] < sl_log_start(k->log))
			continue;
		if (sl_log_read(k->log, v->m->base[id], 1, NULL, &span, 1, SL_NEVER) != 1 ||
		    span.base != v->m->base[id]) {
			WRONG(v, "batch %u is not found by its offset", id);
			return;
		}
		sl_file_release(span.extent.file);
	}
	if (v->m->closed && !v->m->index_may_lack && k->events[SL_LOG_INDEX])
		WRONG(v, "an index is missing after a clean close");
}

static void check_log(struct kit *k, struct verdict *v)
{
	if (sl_log_start(k->log) < v->m->start_min)
		WRONG(v, "the start %llu came back after a trim to %llu",
		      (unsigned long long)sl_log_start(k->log),
		      (unsigned long long)v->m->start_min);
	if (sl_log_start(k->log) > v->m->start_max)
		WRONG(v, "the start is %llu, nobody asked for more than %llu",
		      (unsigned long long)sl_log_start(k->log),
		      (unsigned long long)v->m->start_max);
	if (v->m->closed && !sl_log_was_clean(k->log))
		WRONG(v, "a clean close is forgotten");
	if (k->events[SL_LOG_QUARANTINED])
		WRONG(v, "offset %lld was quarantined", (long long)k->a[SL_LOG_QUARANTINED]);
	check_reads(k, v);
	check_index(k, v);
}

struct check_call {
	struct kit k; /* first */
	struct verdict *v;
	bool append;
};

static int check_body(struct kit *k)
{
	struct check_call *c = (struct check_call *)k;
	struct kit_batch b = {.id = 1000, .records = 2, .bytes = 300, .time = 5};
	uint64_t end, base = 0;
	int err = kit_open(k);

	if (err) {
		if (c->v->m->created)
			WRONG(c->v, "the log does not open: %d", err);
		return 0;
	}
	check_log(k, c->v);
	end = sl_log_end(k->log);
	if (c->append && !c->v->wrong[0] && (kit_append(k, &b, &base) || base != end))
		WRONG(c->v, "an append after recovery fails");
	kit_close(k);
	return 0;
}

void world_check(struct sl_sim *sim, struct verdict *v, bool append)
{
	struct check_call c = {.k = {.sim = sim}, .v = v, .append = append};

	c.k.conf.segment_bytes = 4096 + 2500;
	c.k.conf.index_interval_bytes = 256;
	kit_run_plain(&c.k, check_body);
}
