// SPDX-License-Identifier: Apache-2.0
/*
 * metric: the registry of dimensions and cores' slots, and reading them.
 *
 * Interface: metric.h; rows: metrics.def.
 * Invariants: dimensions do not change once slots exist, so that every core's cells of a metric
 * have the same shape; a core's slots are published by a release store and never moved.
 * Order of parts: tables; the registry; slots; walking; Prometheus's text format 0.0.4.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric.h"

/* ---- tables ----------------------------------------------------------------------------- */

static const struct sl_metric_info rows[] = {
#define NONE                                                                                       \
	{                                                                                          \
		SL_DIM_NONE, SL_DIM_NONE                                                           \
	}
#define L1(a)                                                                                      \
	{                                                                                          \
		SL_DIM_##a, SL_DIM_NONE                                                            \
	}
#define L2(a, b)                                                                                   \
	{                                                                                          \
		SL_DIM_##a, SL_DIM_##b                                                             \
	}
#define X(id, t, u, n, labels, h)                                                                  \
	[SL_M_##id] = {.name = n,                                                                  \
		       .help = h,                                                                  \
		       .type = SL_METRIC_##t,                                                      \
		       .unit = SL_METRIC_##u,                                                      \
		       .dims = labels},
#define SOURCED X
#include "metrics.def"
#undef SOURCED
#undef X
#undef L2
#undef L1
#undef NONE
};
_Static_assert(SL_ARRAY_SIZE(rows) == SL_M_LAST, "a row for each metric");

/* Rows that no core counts. */
static const bool sourced[SL_M_LAST] = {
#define X(...)
#define SOURCED(id, ...) [SL_M_##id] = true,
#include "metrics.def"
#undef SOURCED
#undef X
};

static const char *const dim_labels[] = {
	[SL_DIM_NONE] = NULL,	[SL_DIM_CORE] = "core",	   [SL_DIM_LISTENER] = "listener",
	[SL_DIM_RUNG] = "rung", [SL_DIM_CLOSE] = "reason", [SL_DIM_FALLBACK] = "reason",
	[SL_DIM_API] = "api",	[SL_DIM_OPCODE] = "op",	   [SL_DIM_PROGRAM] = "program",
	[SL_DIM_DIRECT_FALLBACK] = "reason", [SL_DIM_HTTP_API] = "api",
	[SL_DIM_SEARCH] = "kind",
	[SL_DIM_POLICY] = "policy", [SL_DIM_MECHANISM] = "mechanism",
};
_Static_assert(SL_ARRAY_SIZE(dim_labels) == SL_DIM_LAST, "a label for each dimension");

const struct sl_metric_info *sl_metric_info(enum sl_metric_id id)
{
	SL_ASSERT(id < SL_M_LAST);
	return &rows[id];
}

/* ---- the registry ----------------------------------------------------------------------- */

struct sl_registry {
	struct {
		const char *const *names;
		uint32_t n;
	} dims[SL_DIM_LAST];
	const struct sl_metric_source *sources[SL_M_LAST];
	uint32_t cores_n;
	struct sl_metrics *cores[]; /* NULL until the core made its slots */
};

int sl_registry_new(uint32_t cores, struct sl_registry **ret_registry)
{
	struct sl_registry *r = calloc(1, sizeof(*r) + cores * sizeof(r->cores[0]));

	if (!r)
		return -ENOMEM;
	r->cores_n = cores;
	*ret_registry = r;
	return 0;
}

void sl_registry_free(struct sl_registry *registry)
{
	if (!registry)
		return;
	for (uint32_t i = 0; i < registry->cores_n; i++)
		free(registry->cores[i]);
	free(registry);
}

void sl_registry_dim(struct sl_registry *registry, enum sl_dim dim, const char *const *names,
		     uint32_t n)
{
	SL_ASSERT(dim > SL_DIM_CORE && dim < SL_DIM_LAST);
	for (uint32_t i = 0; i < registry->cores_n; i++)
		SL_ASSERT(!registry->cores[i]);
	registry->dims[dim].names = names;
	registry->dims[dim].n = n;
}

void sl_registry_source(struct sl_registry *registry, enum sl_metric_id id,
			const struct sl_metric_source *source)
{
	SL_ASSERT(id < SL_M_LAST && sourced[id]);
	registry->sources[id] = source;
}

/* How many values label @k of row @id has: 1 where there is no such label, or each core has one. */
static uint32_t dim_size(const struct sl_registry *registry, enum sl_metric_id id, int k)
{
	enum sl_dim dim = rows[id].dims[k];

	return dim == SL_DIM_NONE || dim == SL_DIM_CORE ? 1 : registry->dims[dim].n;
}

/* ---- slots ------------------------------------------------------------------------------ */

static bool is_scalar(enum sl_metric_id id)
{
	return rows[id].type != SL_METRIC_HISTOGRAM && rows[id].dims[0] <= SL_DIM_CORE;
}

static size_t cells_of(const struct sl_registry *registry, enum sl_metric_id id)
{
	size_t n = (size_t)dim_size(registry, id, 0) * dim_size(registry, id, 1);

	if (is_scalar(id) || sourced[id])
		return 0;
	return rows[id].type == SL_METRIC_HISTOGRAM ? n * SL_HIST_SLOTS : n;
}

int sl_metrics_new(struct sl_registry *registry, uint32_t core, struct sl_metrics **ret_metrics)
{
	size_t n = 0, bytes;
	struct sl_metrics *m;
	uint64_t *cell;

	SL_ASSERT(core < registry->cores_n);
	SL_ASSERT(!registry->cores[core]);
	for (int id = 0; id < SL_M_LAST; id++)
		n += cells_of(registry, (enum sl_metric_id)id);
	/* Whole pages: none is shared with another core, or lies where another one's heap does. */
	bytes = sl_round_up(sizeof(*m) + n * sizeof(*cell), 4096);
	m = aligned_alloc(4096, bytes);
	if (!m)
		return -ENOMEM;
	memset(m, 0, bytes);
	cell = (uint64_t *)(m + 1);
	for (int i = 0; i < SL_M_LAST; i++) {
		enum sl_metric_id id = (enum sl_metric_id)i;

		if (is_scalar(id) || sourced[id])
			continue;
		m->cells[id] = cell;
		m->sizes[id][0] = dim_size(registry, id, 0);
		m->sizes[id][1] = dim_size(registry, id, 1);
		cell += cells_of(registry, id);
	}
	__atomic_store_n(&registry->cores[core], m, __ATOMIC_RELEASE);
	*ret_metrics = m;
	return 0;
}

/* ---- walking ---------------------------------------------------------------------------- */

struct walk {
	const struct sl_registry *registry;
	int (*each)(void *arg, const struct sl_metric_sample *sample);
	void *arg;
	struct sl_hist hist;
};

static const struct sl_metrics *core_of(const struct sl_registry *registry, uint32_t i)
{
	return __atomic_load_n(&registry->cores[i], __ATOMIC_ACQUIRE);
}

static uint64_t read_slot(const struct sl_metrics *m, enum sl_metric_id id, uint32_t cell)
{
	const uint64_t *slot = m->cells[id] ? m->cells[id] + cell : &m->scalars[id];

	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

/* What the row's source says of values @i and @j; nothing is shown of what it does not know. */
static int walk_source(struct walk *w, struct sl_metric_sample *s, uint32_t i, uint32_t j)
{
	const struct sl_metric_source *source = w->registry->sources[s->id];
	bool is_hist = s->info->type == SL_METRIC_HISTOGRAM;

	s->value = 0;
	if (is_hist)
		memset(&w->hist, 0, sizeof(w->hist));
	if (!source->read(source->arg, s->id, i, j, &s->value, &w->hist))
		return 0;
	if (is_hist && s->labels[0] && sl_hist_count(&w->hist) == 0)
		return 0;
	s->hist = is_hist ? &w->hist : NULL;
	return w->each(w->arg, s);
}

static int walk_by_core(struct walk *w, struct sl_metric_sample *s)
{
	char number[16];
	int rc = 0;

	s->labels[0] = dim_labels[SL_DIM_CORE];
	s->values[0] = number;
	for (uint32_t i = 0; i < w->registry->cores_n && rc == 0; i++) {
		const struct sl_metrics *m = core_of(w->registry, i);

		if (!m)
			continue;
		snprintf(number, sizeof(number), "%u", i);
		if (sourced[s->id]) {
			rc = walk_source(w, s, i, 0);
			continue;
		}
		s->value = read_slot(m, s->id, 0);
		rc = w->each(w->arg, s);
	}
	return rc;
}

/* The value of cell @cell over all cores. */
static int walk_cell(struct walk *w, struct sl_metric_sample *s, uint32_t cell)
{
	bool is_hist = s->info->type == SL_METRIC_HISTOGRAM;

	s->value = 0;
	if (is_hist)
		memset(&w->hist, 0, sizeof(w->hist));
	for (uint32_t i = 0; i < w->registry->cores_n; i++) {
		const struct sl_metrics *m = core_of(w->registry, i);

		if (m && is_hist)
			sl_hist_merge(&w->hist, (const struct sl_hist *)m->cells[s->id] + cell);
		else if (m)
			s->value += read_slot(m, s->id, cell);
	}
	if (is_hist && s->labels[0] && sl_hist_count(&w->hist) == 0)
		return 0;
	s->hist = is_hist ? &w->hist : NULL;
	return w->each(w->arg, s);
}

static int walk_row(struct walk *w, enum sl_metric_id id)
{
	const struct sl_metric_info *row = &rows[id];
	struct sl_metric_sample s = {.id = id, .info = row};
	uint32_t sizes[2] = {dim_size(w->registry, id, 0), dim_size(w->registry, id, 1)};

	if (sourced[id] && !w->registry->sources[id])
		return 0;
	if (row->dims[0] == SL_DIM_CORE)
		return walk_by_core(w, &s);
	for (int k = 0; k < 2; k++)
		s.labels[k] = dim_labels[row->dims[k]];
	for (uint32_t i = 0; i < sizes[0]; i++) {
		for (uint32_t j = 0; j < sizes[1]; j++) {
			int rc;

			if (s.labels[0])
				s.values[0] = w->registry->dims[row->dims[0]].names[i];
			if (s.labels[1])
				s.values[1] = w->registry->dims[row->dims[1]].names[j];
			if ((s.labels[0] && !s.values[0]) || (s.labels[1] && !s.values[1]))
				continue; /* a position without a name is no value */
			rc = sourced[id] ? walk_source(w, &s, i, j)
					  : walk_cell(w, &s, i * sizes[1] + j);
			if (rc)
				return rc;
		}
	}
	return 0;
}

int sl_metrics_each(const struct sl_registry *registry,
		    int (*each)(void *arg, const struct sl_metric_sample *sample), void *arg)
{
	struct walk w = {.registry = registry, .each = each, .arg = arg};
	int rc = 0;

	for (int id = 0; id < SL_M_LAST && rc == 0; id++)
		rc = walk_row(&w, (enum sl_metric_id)id);
	return rc;
}

/* ---- Prometheus's text format ----------------------------------------------------------- */

struct page {
	struct sl_text *out;
	int last; /* the row whose HELP and TYPE were written, or -1 */
};

/* @quotes: as the value of a label; else as a help text, where a quote is like any other. */
static void put_escaped(struct sl_text *out, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\n')
			sl_text_put_string(out, "\\n");
		else if (*s == '\\' || (*s == '"' && quotes))
			sl_text_printf(out, "\\%c", *s);
		else
			sl_text_put(out, s, 1);
	}
}

/* Nanoseconds as seconds, without zeros at the end: 0.000001024. */
static void put_seconds(struct sl_text *out, uint64_t ns)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / (uint64_t)SL_SEC,
			 ns % (uint64_t)SL_SEC);

	while (text[n - 1] == '0')
		n--;
	n -= text[n - 1] == '.';
	sl_text_put(out, text, (size_t)n);
}

static void put_value(struct sl_text *out, const struct sl_metric_info *row, uint64_t v)
{
	if (row->unit == SL_METRIC_NS)
		put_seconds(out, v);
	else if (row->type == SL_METRIC_GAUGE)
		sl_text_printf(out, "%" PRId64, (int64_t)v);
	else
		sl_text_printf(out, "%" PRIu64, v);
}

/* name_suffix{label="value",…  without the closing brace; how many labels were written. */
static int put_name(struct sl_text *out, const struct sl_metric_sample *s, const char *suffix)
{
	int n = 0;

	sl_text_printf(out, "%s%s", s->info->name, suffix);
	for (int k = 0; k < 2; k++) {
		if (!s->labels[k])
			continue;
		sl_text_printf(out, "%s%s=\"", n++ ? "," : "{", s->labels[k]);
		put_escaped(out, s->values[k], true);
		sl_text_put_string(out, "\"");
	}
	return n;
}

static void put_line(struct sl_text *out, const struct sl_metric_sample *s, const char *suffix,
		     uint64_t value)
{
	sl_text_put_string(out, put_name(out, s, suffix) ? "} " : " ");
	put_value(out, s->info, value);
	sl_text_put_string(out, "\n");
}

static void put_count(struct sl_text *out, const struct sl_metric_sample *s, const char *suffix,
		      uint64_t count)
{
	sl_text_put_string(out, put_name(out, s, suffix) ? "} " : " ");
	sl_text_printf(out, "%" PRIu64 "\n", count);
}

/* Powers of two that are shown: 1 µs to 69 s, and 64 B to 1 GiB; each is exact (hist.h). */
static void put_hist(struct sl_text *out, const struct sl_metric_sample *s)
{
	bool is_time = s->info->unit == SL_METRIC_NS;
	uint32_t first = is_time ? 10 : 6, last = is_time ? 36 : 30, step = is_time ? 1 : 2;
	uint64_t count = sl_hist_count(s->hist);

	for (uint32_t exp = first; exp <= last; exp += step) {
		uint64_t bound = UINT64_C(1) << exp;

		sl_text_put_string(out, put_name(out, s, "_bucket") ? ",le=\"" : "{le=\"");
		put_value(out, s->info, bound);
		sl_text_printf(out, "\"} %" PRIu64 "\n", sl_hist_count_to(s->hist, bound));
	}
	sl_text_put_string(out, put_name(out, s, "_bucket") ? ",le=\"+Inf\"} " : "{le=\"+Inf\"} ");
	sl_text_printf(out, "%" PRIu64 "\n", count);
	put_line(out, s, "_sum", s->hist->sum);
	put_count(out, s, "_count", count);
}

static int put_sample(void *arg, const struct sl_metric_sample *s)
{
	static const char *const types[] = {[SL_METRIC_COUNTER] = "counter",
					    [SL_METRIC_GAUGE] = "gauge",
					    [SL_METRIC_HISTOGRAM] = "histogram"};
	struct page *p = arg;

	if (p->last != (int)s->id) {
		sl_text_printf(p->out, "# HELP %s ", s->info->name);
		put_escaped(p->out, s->info->help, false);
		sl_text_printf(p->out, "\n# TYPE %s %s\n", s->info->name, types[s->info->type]);
		p->last = (int)s->id;
	}
	if (s->hist)
		put_hist(p->out, s);
	else
		put_line(p->out, s, "", s->value);
	return p->out->err;
}

int sl_metrics_render(const struct sl_registry *registry, struct sl_text *out)
{
	struct page p = {.out = out, .last = -1};

	return sl_metrics_each(registry, put_sample, &p);
}
