/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric: counters, gauges and histograms, one row of metrics.def each.
 *
 * Each core has slots of its own, which only its thread writes, by plain relaxed stores: counting
 * is one addition. Anybody may read: a reader adds up the cores. Some rows have no slots: what they
 * show is counted elsewhere, by the kernel for example, and a source is asked for it by who reads.
 *
 * A label's possible values are a dimension: a table of names given to the registry at start,
 * before the first core's slots are made. A cell of a labelled metric is found by the positions
 * of its values in those tables.
 *
 * Order of parts: dimensions and rows; the registry; counting; reading.
 */
#ifndef DATAPLANE_METRIC_H
#define DATAPLANE_METRIC_H

#include <stdbool.h>

#include <sluice/assert.h>

#include "hist.h"
#include "text.h"

/* ---- dimensions and rows ---------------------------------------------------------------- */

enum sl_dim {
	SL_DIM_NONE,
	SL_DIM_CORE, /* of itself: the number of the core */
	SL_DIM_LISTENER, /* "kafka", "http", … */
	SL_DIM_RUNG, /* deliver.h */
	SL_DIM_CLOSE, /* why connections end; label `reason` */
	SL_DIM_FALLBACK, /* deliver.h; label `reason` */
	SL_DIM_API, /* Kafka's APIs */
	SL_DIM_HTTP_API, /* what HTTP listeners serve; label `api` */
	SL_DIM_SEARCH, /* how objects are searched; label `kind` */
	SL_DIM_DIRECT_FALLBACK, /* direct.h; label `reason` */
	SL_DIM_OPCODE, /* of io_uring, by the kernel's numbers; label `op` */
	SL_DIM_PROGRAM, /* that runs in the kernel */
	SL_DIM_POLICY, /* of steering; bpf/steer.h */
	SL_DIM_MECHANISM, /* of steering; steer.h */
	SL_DIM_LAST
};

enum sl_metric_type { SL_METRIC_COUNTER, SL_METRIC_GAUGE, SL_METRIC_HISTOGRAM };
enum sl_metric_unit { SL_METRIC_ONE, SL_METRIC_NS, SL_METRIC_BYTES };

/* SL_M_CORE_LOOPS and so on. */
enum sl_metric_id {
#define X(id, ...) SL_M_##id,
#define SOURCED X
#include "metrics.def"
#undef SOURCED
#undef X
	SL_M_LAST
};

struct sl_metric_info {
	const char *name, *help;
	enum sl_metric_type type;
	enum sl_metric_unit unit;
	enum sl_dim dims[2]; /* SL_DIM_NONE: no such label */
};

/* Row @id; asserts that it exists. */
const struct sl_metric_info *sl_metric_info(enum sl_metric_id id);

/* ---- the registry ----------------------------------------------------------------------- */

struct sl_registry;

/* For cores 0..@cores - 1. Return: 0 or -ENOMEM. */
int sl_registry_new(uint32_t cores, struct sl_registry **ret_registry);

/* Nothing may count any more: frees the slots of all cores too. Accepts NULL. */
void sl_registry_free(struct sl_registry *registry);

/**
 * sl_registry_dim() - the possible values of @dim: @names, @n of them, which outlive the registry.
 * A NULL among them is a position that is not used: nothing is shown of it.
 * Before the first sl_metrics_new(). A metric with a dimension that was never given cannot be
 * counted, and is not shown.
 */
void sl_registry_dim(struct sl_registry *registry, enum sl_dim dim, const char *const *names,
		     uint32_t n);

/**
 * struct sl_metric_source - who knows the values of sourced rows.
 * @read: the value of row @id for values @i and @j of its labels (of `core`: its number), put into
 *	*ret_value, or added to *ret_hist, which is zero, for a histogram. False: it is not known,
 *	and not shown. Called by whoever reads, on any thread, several at a time.
 */
struct sl_metric_source {
	bool (*read)(void *arg, enum sl_metric_id id, uint32_t i, uint32_t j, uint64_t *ret_value,
		     struct sl_hist *ret_hist);
	void *arg;
};

/* Gives the sourced row @id its source, which outlives the registry; one without is not shown. */
void sl_registry_source(struct sl_registry *registry, enum sl_metric_id id,
			const struct sl_metric_source *source);

/**
 * struct sl_metrics - one core's slots. Its fields are for the inline functions below.
 * @scalars: of metrics without labels (CORE is none here), by row.
 * @cells, @sizes: the others: first cell, and the number of values of each dimension.
 */
struct sl_metrics {
	uint64_t scalars[SL_M_LAST];
	uint64_t *cells[SL_M_LAST];
	uint32_t sizes[SL_M_LAST][2];
};

/**
 * sl_metrics_new() - make the slots of core @core; to be called by its thread, whose memory node
 * they should lie on. They stay until sl_registry_free(). Return: 0 or -ENOMEM.
 */
int sl_metrics_new(struct sl_registry *registry, uint32_t core, struct sl_metrics **ret_metrics);

/* ---- counting, by the core's own thread ------------------------------------------------- */

/* Adds @n to a counter or gauge without labels; wraps, so that (uint64_t)-1 takes one off. */
static inline void sl_metric_add(struct sl_metrics *m, enum sl_metric_id id, uint64_t n)
{
	SL_DCHECK(!m->cells[id]);
	sl_hist_slot_add(&m->scalars[id], n);
}

static inline void sl_metric_set(struct sl_metrics *m, enum sl_metric_id id, uint64_t v)
{
	SL_DCHECK(!m->cells[id]);
	__atomic_store_n(&m->scalars[id], v, __ATOMIC_RELAXED);
}

/**
 * sl_metric_cell() - the slot of values @i and @j (0 where there is no second label), to be kept
 * by who counts often and added to by sl_cell_add(). For counters and gauges.
 */
static inline uint64_t *sl_metric_cell(struct sl_metrics *m, enum sl_metric_id id, uint32_t i,
				       uint32_t j)
{
	SL_ASSERT(i < m->sizes[id][0]);
	SL_ASSERT(j < m->sizes[id][1]);
	return m->cells[id] + (size_t)i * m->sizes[id][1] + j;
}

static inline void sl_cell_add(uint64_t *cell, uint64_t n)
{
	sl_hist_slot_add(cell, n);
}

static inline void sl_metric_add1(struct sl_metrics *m, enum sl_metric_id id, uint32_t i,
				  uint64_t n)
{
	sl_cell_add(sl_metric_cell(m, id, i, 0), n);
}

static inline void sl_metric_add2(struct sl_metrics *m, enum sl_metric_id id, uint32_t i,
				  uint32_t j, uint64_t n)
{
	sl_cell_add(sl_metric_cell(m, id, i, j), n);
}

/* The histogram of values @i and @j; 0 where there is no such label. */
static inline struct sl_hist *sl_metric_hist(struct sl_metrics *m, enum sl_metric_id id,
					     uint32_t i, uint32_t j)
{
	SL_ASSERT(i < m->sizes[id][0]);
	SL_ASSERT(j < m->sizes[id][1]);
	return (struct sl_hist *)m->cells[id] + (size_t)i * m->sizes[id][1] + j;
}

/* Counts @value (ns or bytes) in a histogram without labels, or with one. */
static inline void sl_metric_record(struct sl_metrics *m, enum sl_metric_id id, uint64_t value)
{
	sl_hist_record(sl_metric_hist(m, id, 0, 0), value);
}

static inline void sl_metric_record1(struct sl_metrics *m, enum sl_metric_id id, uint32_t i,
				     uint64_t value)
{
	sl_hist_record(sl_metric_hist(m, id, i, 0), value);
}

/* ---- reading ---------------------------------------------------------------------------- */

/**
 * struct sl_metric_sample - one value, added up over the cores unless it has the label `core`.
 * @labels: the names of its labels, NULL where there is none; @values: theirs.
 * @value: of counters; of gauges as int64_t. @hist: of histograms; good during the call.
 */
struct sl_metric_sample {
	enum sl_metric_id id;
	const struct sl_metric_info *info;
	const char *labels[2];
	const char *values[2];
	uint64_t value;
	const struct sl_hist *hist;
};

/**
 * sl_metrics_each() - call @each for every value, in the order of the rows, from any thread.
 * Labelled histograms that counted nothing are left out. A value other than 0 from @each ends the
 * walk and is returned; else 0.
 */
int sl_metrics_each(const struct sl_registry *registry,
		    int (*each)(void *arg, const struct sl_metric_sample *sample), void *arg);

/* What Prometheus reads: append to @out; SL_METRICS_CONTENT_TYPE. Return: 0 or -ENOMEM. */
#define SL_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
int sl_metrics_render(const struct sl_registry *registry, struct sl_text *out);

#endif
