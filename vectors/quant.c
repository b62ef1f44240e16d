/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisers: what all kinds have in common, their table, and the one that codes nothing.
 *
 * Interface: quant.h. A new kind is one file, one value of enum sl_quantiser and one row of
 * `kinds`.
 *
 * Order of parts: none; kinds; making; training; coding; keeping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quant.h"

/* ---- none ------------------------------------------------------------------------------- */

static int none_init(struct quantiser *q)
{
	/* as it is: the metric is the rows' own */
	q->metric = q->rows->metric;
	q->base = 0;
	q->code_bytes = q->query_bytes = sl_vector_bytes(q->rows->component, q->dim);
	return 0;
}

static void none_decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	index_floats(q->rows, code, ret_x);
}

static void none_distances(const struct quantiser *q, const void *query,
			   const uint8_t *const *codes, uint32_t n, float *ret)
{
	sl_distance_fn distance = sl_distance(q->metric, q->rows->component);

	for (uint32_t i = 0; i < n; i++)
		ret[i] = distance(query, codes[i], q->dim);
}

static bool none_can(enum sl_component component, enum sl_metric metric)
{
	(void)component;
	(void)metric;
	return true;
}

const struct quant_kind quant_none = {
	.name = "none",
	.bytes = sizeof(struct quantiser),
	.symmetric = true,
	.copies = true,
	.times = 1,
	.can = none_can,
	.init = none_init,
	.decode = none_decode,
	.distances = none_distances,
};

/* ---- kinds ------------------------------------------------------------------------------ */

static const struct quant_kind *const kinds[SL_QUANTISER_LAST] = {
	[SL_QUANTISER_NONE] = &quant_none,     [SL_QUANTISER_SQ8] = &quant_sq8,
	[SL_QUANTISER_PQ8] = &quant_pq8,       [SL_QUANTISER_PQ4] = &quant_pq4,
	[SL_QUANTISER_BINARY] = &quant_binary, [SL_QUANTISER_RABITQ] = &quant_rabitq,
};

const char *sl_quantiser_name(enum sl_quantiser quantiser)
{
	SL_ASSERT(quantiser < SL_QUANTISER_LAST);
	return quantiser == SL_QUANTISER_DEFAULT ? "default" : kinds[quantiser]->name;
}

bool sl_quantiser_can(enum sl_quantiser quantiser, enum sl_component component,
		      enum sl_metric metric)
{
	SL_ASSERT(quantiser < SL_QUANTISER_LAST);
	return quantiser == SL_QUANTISER_DEFAULT || kinds[quantiser]->can(component, metric);
}

bool quant_floats(enum sl_component component, enum sl_metric metric)
{
	return (component == SL_F32 || component == SL_F16) && metric != SL_METRIC_HAMMING;
}

bool quant_products(enum sl_component component, enum sl_metric metric)
{
	return quant_floats(component, metric) && metric != SL_METRIC_MANHATTAN;
}

/* ---- making ----------------------------------------------------------------------------- */

static int make(const struct quant_kind *kind, const struct sl_rows *rows, uint32_t bits,
		uint64_t seed, struct quantiser **ret_q)
{
	bool cosine = rows->metric == SL_METRIC_COSINE;
	struct quantiser *q = calloc(1, kind->bytes);
	int err;

	if (!q)
		return -ENOMEM;
	q->kind = kind;
	q->rows = rows;
	q->metric = cosine ? SL_METRIC_DOT : rows->metric;
	q->base = cosine ? 1 : 0;
	q->scale = 1;
	q->dim = q->point_dim = rows->dim;
	q->bits = bits;
	q->seed = seed;
	q->x = malloc(rows->dim * sizeof(*q->x));
	err = q->x ? kind->init(q) : -ENOMEM;
	if (err) {
		quantiser_free(q);
		return err;
	}
	*ret_q = q;
	return 0;
}

int quantiser_new(const struct sl_index_conf *conf, const struct sl_rows *rows,
		  struct quantiser **ret_q)
{
	enum sl_quantiser which = conf->quantiser;

	if (which == SL_QUANTISER_DEFAULT)
		which = quant_sq8.can(rows->component, rows->metric) ? SL_QUANTISER_SQ8
								     : SL_QUANTISER_NONE;
	if (!kinds[which]->can(rows->component, rows->metric) ||
	    conf->quantiser_bits > QUANT_BITS_MAX)
		return -EINVAL;
	return make(kinds[which], rows, conf->quantiser_bits, conf->seed, ret_q);
}

void quantiser_free(struct quantiser *q)
{
	if (!q)
		return;
	if (q->kind->done)
		q->kind->done(q);
	free(q->x);
	free(q);
}

uint64_t quantiser_memory(const struct quantiser *q)
{
	return q->kind->bytes + q->dim * sizeof(*q->x) + (q->kind->memory ? q->kind->memory(q) : 0);
}

/* ---- training --------------------------------------------------------------------------- */

int quantiser_train(const struct quantiser *was, const float *x, uint32_t n,
		    struct quantiser **ret_q)
{
	struct quantiser *q;
	int changed;

	if (!was->kind->train)
		return 0;
	changed = make(was->kind, was->rows, was->bits, was->seed, &q);
	if (changed)
		return changed;
	changed = was->kind->train(q, was, x, n);
	if (changed > 0)
		*ret_q = q;
	else
		quantiser_free(q);
	return changed;
}

int quant_mean(const float *x, uint32_t n, uint32_t dim, float *ret_mean)
{
	uint32_t counted = 0;

	memset(ret_mean, 0, dim * sizeof(float));
	for (uint32_t row = 0; row < n; row++, x += dim) {
		float sum = 0;

		for (uint32_t i = 0; i < dim; i++)
			sum += x[i];
		if (!isfinite(sum))
			continue;
		counted++;
		/* so that no sum is much longer than what it is of */
		for (uint32_t i = 0; i < dim; i++)
			ret_mean[i] += (x[i] - ret_mean[i]) / (float)counted;
	}
	return counted > 0;
}

/* ---- coding ----------------------------------------------------------------------------- */

void quantiser_encode(const struct quantiser *q, const void *vector, uint8_t *ret_code)
{
	if (q->kind->copies) {
		memcpy(ret_code, vector, q->code_bytes);
		return;
	}
	index_floats(q->rows, vector, q->x);
	q->kind->encode(q, q->x, ret_code);
}

void quantiser_prepare(const struct quantiser *q, const void *vector, void *ret_query)
{
	if (q->kind->symmetric) {
		quantiser_encode(q, vector, ret_query);
		return;
	}
	index_floats(q->rows, vector, q->x);
	q->kind->prepare(q, q->x, ret_query);
}

void quantiser_decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	(q->kind->restore ? q->kind->restore : q->kind->decode)(q, code, ret_x);
}

/* ---- keeping ---------------------------------------------------------------------------- */

/* What it was made with stays, whatever is wanted of new ones. */
struct header {
	uint32_t kind, bits;
	uint64_t seed;
};

static uint32_t number_of(const struct quantiser *q)
{
	uint32_t which = SL_QUANTISER_NONE;

	while (kinds[which] != q->kind)
		which++;
	return which;
}

int quantiser_save(const struct quantiser *q, struct index_out *out)
{
	struct header h = {number_of(q), q->bits, q->seed};
	int err = index_write(out, &h, sizeof(h));

	return err || !q->kind->save ? err : q->kind->save(q, out);
}

int quantiser_load(const struct sl_rows *rows, struct index_in *in, struct quantiser **ret_q)
{
	struct quantiser *q;
	struct header h;
	int err = index_read(in, &h, sizeof(h));

	if (err)
		return err;
	if (!h.kind || h.kind >= SL_QUANTISER_LAST || h.bits > QUANT_BITS_MAX ||
	    !kinds[h.kind]->can(rows->component, rows->metric))
		return -EBADMSG;
	err = make(kinds[h.kind], rows, h.bits, h.seed, &q);
	if (err)
		return err;
	err = q->kind->load ? q->kind->load(q, in) : 0;
	if (err) {
		quantiser_free(q);
		return err;
	}
	*ret_q = q;
	return 0;
}
