/* SPDX-License-Identifier: Apache-2.0 */
/*
 * far: vectors that are not in memory: they are read in the log, from the objects that have them.
 *
 * Interface: "vectors that are not in memory" of objects_pvt.h. A search takes its candidates by
 * their codes, then reads many at a time past the page cache, and holds them against the query as
 * they come; others have their turns meanwhile.
 * Invariants: what is read was verified; a row whose object is no longer the one that was there
 * when the search began is left out. An object that is moved meanwhile is read at its new place.
 *
 * Order of parts: places; reads; many reads; searching; all rows; making indexes anew; keeping up.
 */
#include "objects_pvt.h"

/* ---- places ----------------------------------------------------------------------------- */

/**
 * struct far_segment - a segment of the log, open for direct reads. @file: NULL: a free place.
 */
struct far_segment {
	uint64_t base;
	struct sl_direct *file;
};

/* A spot is where an object is: its segment's number and one more, and its place in that. */
enum { SPOT_BITS = 40, SEGMENTS_MAX = (1 << (64 - SPOT_BITS)) - 1 };

int far_reserve(struct collection *c, uint32_t rows)
{
	struct far *f = &c->far;
	uint64_t *spots;

	if (rows <= f->spots_n)
		return 0;
	spots = realloc(f->spots, rows * sizeof(*spots));
	if (!spots)
		return -ENOMEM;
	memset(spots + f->spots_n, 0, (rows - f->spots_n) * sizeof(*spots));
	f->spots = spots;
	f->spots_n = rows;
	return 0;
}

void far_forget(struct collection *c, uint32_t row)
{
	if (row < c->far.spots_n)
		c->far.spots[row] = 0;
}

void far_done(struct collection *c)
{
	struct far *f = &c->far;

	for (uint32_t i = 0; i < f->segments_n; i++)
		sl_direct_close(f->segments[i].file);
	free(f->segments);
	free(f->spots);
	*f = (struct far){0};
}

void far_trimmed(struct collection *c)
{
	struct far *f = &c->far;

	for (uint32_t i = 0; i < f->segments_n; i++) {
		if (f->segments[i].base >= sl_log_start(c->log))
			continue;
		sl_direct_close(f->segments[i].file);
		f->segments[i].file = NULL;
	}
}

uint64_t far_bytes(const struct collection *c)
{
	return c->far.spots_n * sizeof(*c->far.spots) +
	       c->far.segments_n * sizeof(*c->far.segments);
}

/* A place for another segment, or NULL. */
static struct far_segment *segment_room(struct far *f)
{
	struct far_segment *all;

	for (uint32_t i = 0; i < f->segments_n; i++)
		if (!f->segments[i].file)
			return &f->segments[i];
	all = f->segments_n < SEGMENTS_MAX
		      ? realloc(f->segments, (f->segments_n + 1) * sizeof(*all))
		      : NULL;
	if (!all)
		return NULL;
	f->segments = all;
	all[f->segments_n] = (struct far_segment){0};
	return &all[f->segments_n++];
}

static struct far_segment *segment_find(struct far *f, uint64_t base)
{
	for (uint32_t i = 0; i < f->segments_n; i++)
		if (f->segments[i].file && f->segments[i].base == base)
			return &f->segments[i];
	return NULL;
}

static int segment_open(struct collection *c, uint64_t base, int64_t deadline)
{
	struct far_segment *s;
	struct sl_direct *file;
	int rc;

	if (segment_find(&c->far, base))
		return 0;
	rc = sl_log_open_direct(c->log, base, &file, deadline);
	if (rc)
		return rc;
	/* Another may have opened it meanwhile. */
	s = segment_find(&c->far, base) ? NULL : segment_room(&c->far);
	if (!s) {
		sl_direct_close(file);
		return segment_find(&c->far, base) ? 0 : -ENOMEM;
	}
	*s = (struct far_segment){base, file};
	return 0;
}

/* Notes that the object of @row is in @span, of segment number @segment. Return: whether it is, as
 * a whole. */
static bool spot_set(struct collection *c, uint32_t row, const struct sl_span *span,
		     uint64_t segment)
{
	const struct row *r = &c->rows.at[row];
	uint64_t offset = row_offset(r);

	if (!r->place || offset < span->base || offset >= span->next ||
	    r->at + (uint64_t)r->bytes > span->extent.len)
		return false;
	c->far.spots[row] = (segment + 1) << SPOT_BITS | (span->extent.off + r->at);
	return true;
}

/* Looks up where the object of @row is; it may have been moved meanwhile. What was written with it
 * is, as a rule, in the rows beside it, and need not be looked up then. */
static int spot_find(struct collection *c, uint32_t row, int64_t deadline)
{
	const uint64_t place = c->rows.at[row].place;
	struct far_segment *s;
	uint64_t segment;
	struct sl_span span;
	int rc = sl_log_read(c->log, row_offset(&c->rows.at[row]), 1, NULL, &span, 1, deadline);

	if (rc <= 0)
		return rc ? rc : -ERANGE;
	sl_file_held(span.extent.file);
	rc = segment_open(c, span.segment, deadline);
	sl_file_release(span.extent.file);
	if (rc)
		return rc;
	s = segment_find(&c->far, span.segment);
	if (row >= c->rows.n || c->rows.at[row].place != place || !s)
		return -ESTALE;
	segment = (uint64_t)(s - c->far.segments);
	if (!spot_set(c, row, &span, segment))
		return -EBADMSG;
	for (uint32_t i = row; i > 0 && spot_set(c, i - 1, &span, segment); i--)
		;
	for (uint32_t i = row + 1; i < c->rows.n && spot_set(c, i, &span, segment); i++)
		;
	return 0;
}

/* ---- reads ------------------------------------------------------------------------------ */

/**
 * struct fetch - the object of a row on its way. @place: the row's, when it was begun. @reader:
 * NULL: it is read when it is needed, by the page cache. @slice, @copy, @hit: what holds it.
 */
struct fetch {
	uint32_t row, bytes;
	uint64_t place;
	struct sl_direct_reader *reader;
	struct sl_slice slice;
	uint8_t *copy;
	struct objects_hit hit;
	bool is_slice;
};

static void fetch_begin(struct collection *c, struct fetch *f, uint32_t row, int64_t deadline)
{
	struct sl_direct_reader_conf conf = {.ops_max = 1};
	uint64_t spot;

	*f = (struct fetch){.row = row};
	if (!sl_core_self() || !c->rows.at[row].place ||
	    (!c->far.spots[row] && spot_find(c, row, deadline)))
		return;
	spot = c->far.spots[row];
	f->place = c->rows.at[row].place;
	f->bytes = c->rows.at[row].bytes;
	conf.off = spot & ((UINT64_C(1) << SPOT_BITS) - 1);
	conf.end = conf.off + f->bytes;
	if (sl_direct_reader_new(c->far.segments[(spot >> SPOT_BITS) - 1].file, &conf, &f->reader))
		f->reader = NULL;
	else
		sl_direct_reader_begin(f->reader);
}

static void fetch_done(struct fetch *f)
{
	sl_direct_reader_free(f->reader);
	if (f->is_slice)
		sl_slice_release(&f->slice);
	free(f->copy);
	objects_release(&f->hit, 1);
	*f = (struct fetch){0};
}

/* Gathers what comes in several slices, or lies where objects may not. */
static int fetch_copy(struct fetch *f, int64_t deadline)
{
	size_t at = f->slice.len;
	int rc = 1;

	f->copy = aligned_alloc(SL_OBJECT_ALIGN, sl_round_up(f->bytes, SL_OBJECT_ALIGN));
	if (!f->copy)
		return -ENOMEM;
	memcpy(f->copy, f->slice.data, f->slice.len);
	while (at < f->bytes && rc > 0) {
		struct sl_slice slice;

		rc = sl_direct_reader_next(f->reader, &slice, deadline);
		if (rc > 0) {
			memcpy(f->copy + at, slice.data, slice.len);
			at += slice.len;
			sl_slice_release(&slice);
		}
	}
	return rc < 0 ? rc : at == f->bytes ? 0 : -EBADMSG;
}

static int fetch_direct(struct fetch *f, const struct row *row, const struct sl_object **ret_object,
			int64_t deadline)
{
	const uint8_t *p;
	int rc = sl_direct_reader_next(f->reader, &f->slice, deadline);

	if (rc <= 0)
		return rc ? rc : -EBADMSG;
	f->is_slice = true;
	p = f->slice.data;
	if (f->slice.len < f->bytes || (uintptr_t)p % SL_OBJECT_ALIGN) {
		rc = fetch_copy(f, deadline);
		p = f->copy;
	} else {
		rc = 0;
	}
	return rc ? rc : object_open(p, row, ret_object);
}

/* Whether the object in @row is there, and was so before @since was applied. */
static bool is_old(const struct collection *c, uint32_t row, uint64_t since)
{
	return c->rows.at[row].place && c->rows.at[row].version < since;
}

/* Waits for it. Return: 0; -ENOENT: it is not there any more; -EBADMSG: it is damaged; -errno. */
static int fetch_end(struct collection *c, struct fetch *f, uint64_t since,
		     const struct sl_object **ret_object, int64_t deadline)
{
	const struct row *row = &c->rows.at[f->row];
	struct row was = *row;
	int rc;

	if (!is_old(c, f->row, since))
		return -ENOENT;
	if (f->reader && row->place == f->place) {
		rc = fetch_direct(f, &was, ret_object, deadline);
		row = &c->rows.at[f->row];
		if (!is_old(c, f->row, since))
			return -ENOENT;
		/* What fails may have been moved, and its place freed. */
		if (!rc || row->place == f->place)
			return rc;
	}
	rc = object_load(c, f->row, &f->hit, deadline);
	if (!rc && f->hit.version >= since)
		rc = -ENOENT;
	*ret_object = f->hit.object;
	return rc;
}

/* ---- many reads ------------------------------------------------------------------------- */

/* So many are on their way, and so many are looked at together. */
enum { FLYING = 32, TOGETHER = 32 };

/**
 * struct many - the vectors of rows, read in their order.
 * @rows: @n of them. @since: what was applied later is left out. @each: of @n of the rows; @which
 * are these, @vectors are as rows are. 0: go on.
 */
struct many {
	struct collection *c;
	struct vector *v;
	const struct sl_hit *rows;
	uint32_t n;
	uint64_t since;
	int (*each)(struct many *m, const uint32_t *which, const void *const *vectors, uint32_t n);

	struct fetch flying[FLYING];
	uint32_t which[TOGETHER], together;
	const void *vectors[TOGETHER];
	uint8_t *room; /* for TOGETHER of them */
};

/* Hands on what was gathered, but for what was replaced while others were waited for. */
static int hand_on(struct many *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->together; i++) {
		if (!is_old(m->c, m->rows[m->which[i]].row, m->since))
			continue;
		m->which[n] = m->which[i];
		m->vectors[n++] = m->vectors[i];
	}
	m->together = 0;
	return n ? m->each(m, m->which, m->vectors, n) : 0;
}

/* Takes the @i'th row to those gathered. */
static int take(struct many *m, uint32_t i, int64_t deadline)
{
	uint8_t *to = m->room + m->together * m->v->rows.stride;
	const struct sl_object *o;
	int rc = fetch_end(m->c, &m->flying[i % FLYING], m->since, &o, deadline);

	/* What is damaged is found by nobody. */
	if (rc == -ENOENT || rc == -EBADMSG)
		return 0;
	if (!rc)
		rc = vector_row(m->v, o, to);
	if (rc <= 0)
		return rc;
	m->which[m->together] = i;
	m->vectors[m->together++] = to;
	return 0;
}

static int read_many(struct many *m, int64_t deadline)
{
	uint32_t begun = 0;
	int rc = 0;

	m->room = aligned_alloc(SL_ROW_ALIGN, TOGETHER * m->v->rows.stride);
	if (!m->room)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n && !rc; i++) {
		for (; begun < m->n && begun < i + FLYING; begun++)
			fetch_begin(m->c, &m->flying[begun % FLYING], m->rows[begun].row, deadline);
		rc = take(m, i, deadline);
		fetch_done(&m->flying[i % FLYING]);
		if (!rc && m->together == TOGETHER) {
			rc = hand_on(m);
			sl_fiber_yield(deadline);
		}
	}
	if (!rc)
		rc = hand_on(m);
	for (uint32_t i = 0; i < FLYING; i++)
		fetch_done(&m->flying[i]);
	free(m->room);
	return rc;
}

/* ---- searching -------------------------------------------------------------------------- */

struct rescore {
	struct many m; /* first */
	const struct sl_query *query;
	struct sl_hit *hits;
	uint32_t n;
};

static int rescore_each(struct many *m, const uint32_t *which, const void *const *vectors,
			uint32_t n)
{
	struct rescore *r = (struct rescore *)m;
	struct sl_hit candidates[TOGETHER];

	for (uint32_t i = 0; i < n; i++)
		candidates[i] = m->rows[which[i]];
	r->n = sl_index_rescore(m->v->main, r->query, candidates, vectors, n, r->hits, r->n);
	return 0;
}

/* Rows of the main index that are worth to be read; all that are allowed if @query is exact. */
static int candidates_of(struct collection *c, struct vector *v, const struct sl_query *query,
			 struct sl_hit **ret_rows)
{
	uint32_t room = query->exact ? sl_index_count(v->main)
				     : sl_index_candidates_max(v->main, query);
	struct sl_hit *rows = malloc((room + (size_t)1) * sizeof(*rows));
	int n = 0;

	if (!rows)
		return -ENOMEM;
	if (!query->exact)
		n = sl_index_candidates(v->main, query, rows, c->scratch);
	for (uint32_t row = 0; query->exact && row < c->rows.n && (uint32_t)n < room; row++)
		if (vector_in_main(v, row) && sl_query_allows(query, row))
			rows[n++] = (struct sl_hit){.row = row};
	if (n < 0)
		free(rows);
	else
		*ret_rows = rows;
	return n;
}

uint32_t far_clean(const struct collection *c, uint64_t since, struct sl_hit *hits, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (is_old(c, hits[i].row, since))
			hits[kept++] = hits[i];
	return kept;
}

int far_search(struct collection *c, struct vector *v, const struct sl_query *query,
	       struct sl_hit *ret_hits, int64_t deadline)
{
	struct rescore r = {.m = {.c = c, .v = v, .since = c->applied, .each = rescore_each},
			    .query = query,
			    .hits = ret_hits};
	struct sl_hit *rows = NULL;
	int n = sl_index_search(v->tail, query, ret_hits, c->scratch), rc;

	if (n < 0)
		return n;
	r.n = (uint32_t)n;
	n = candidates_of(c, v, query, &rows);
	if (n < 0)
		return n;
	r.m.rows = rows;
	r.m.n = (uint32_t)n;
	rc = read_many(&r.m, deadline);
	free(rows);
	return rc ? rc : (int)far_clean(c, r.m.since, ret_hits, r.n);
}

int far_vector(struct collection *c, const struct vector *v, uint32_t row, void *ret_row,
	       int64_t deadline)
{
	struct objects_hit hit = {0};
	int rc;

	if (vector_is_here(v, row)) {
		memcpy(ret_row, sl_row(&v->rows, row), v->rows.stride);
		return 0;
	}
	rc = object_load(c, row, &hit, deadline);
	if (!rc)
		rc = vector_row(v, hit.object, ret_row) == 1 ? 0 : -ENOENT;
	objects_release(&hit, 1);
	return rc;
}

/* ---- all rows --------------------------------------------------------------------------- */

struct every {
	struct many m; /* first */
	void (*each)(void *arg, uint32_t row, const void *vector);
	void *arg;
};

static int every_each(struct many *m, const uint32_t *which, const void *const *vectors, uint32_t n)
{
	struct every *e = (struct every *)m;

	for (uint32_t i = 0; i < n; i++)
		e->each(e->arg, m->rows[which[i]].row, vectors[i]);
	return 0;
}

int far_each(struct collection *c, struct vector *v, const struct sl_hit *rows, uint32_t n,
	     void (*each)(void *arg, uint32_t row, const void *vector), void *arg, int64_t deadline)
{
	struct every e = {.m = {.c = c, .v = v, .rows = rows, .n = n}, .each = each, .arg = arg};

	e.m.since = c->applied;
	e.m.each = every_each;
	return read_many(&e.m, deadline);
}

/* ---- making indexes anew ---------------------------------------------------------------- */

/* @added: a bit for each of the rows. */
struct anew {
	struct many m; /* first */
	uint32_t added;
};
static_assert(TOGETHER <= 32, "a bit for each");

static int anew_each(struct many *m, const uint32_t *which, const void *const *vectors, uint32_t n)
{
	struct anew *a = (struct anew *)m;
	int rc = 0;

	for (uint32_t i = 0; i < n && !rc; i++) {
		rc = vector_anew_add(m->v, m->rows[which[i]].row, vectors[i]);
		a->added |= UINT32_C(1) << which[i];
	}
	return rc;
}

/* Adds the next rows. Return: how many there were; -errno. */
static int anew_rows(struct collection *c, struct vector *v)
{
	struct sl_hit rows[TOGETHER];
	struct anew a = {
		.m = {.c = c, .v = v, .rows = rows, .since = c->applied, .each = anew_each}};
	int rc;

	a.m.n = vector_anew_rows(v, TOGETHER, rows);
	rc = read_many(&a.m, SL_NEVER);
	/* What cannot be read is not found any more, either way. */
	for (uint32_t i = 0; i < a.m.n && !rc; i++)
		if (!(a.added >> i & 1) && vector_in_main(v, rows[i].row))
			vector_remove(v, rows[i].row);
	return rc ? rc : (int)a.m.n;
}

bool far_anew(struct collection *c, uint32_t i, int64_t budget_ns)
{
	struct vector *v = c->vectors[i];
	int n;

	if (!v->next && vector_anew(v, c->own->revisions[i]))
		return false;
	n = anew_rows(c, v);
	/* Its description may have changed once more meanwhile. */
	if (n < 0 || v->next_revision != c->own->revisions[i]) {
		vector_anew_end(v, false);
		return n >= 0;
	}
	if (vector_anew_step(v, budget_ns) == 1 || n)
		return true;
	c->moved += sl_index_count(v->next);
	c->changed++;
	vector_anew_end(v, true);
	return true;
}

/* ---- keeping up ------------------------------------------------------------------------- */

/* What rows that are not codes alone yet may take of memory, about. */
#define HERE_BYTES_MAX (4 * SL_MIB)

#define STEP_NS SL_MSEC

void far_keep_up(struct collection *c, int64_t deadline)
{
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		struct vector *v = c->vectors[i];

		while (v->rows.partial && vector_rows_bytes(v) > HERE_BYTES_MAX &&
		       vector_step(v, STEP_NS, &c->moved) == 1)
			sl_fiber_yield(deadline);
	}
}
