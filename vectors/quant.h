/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisers: short codes of vectors, from which distances to a query are estimated.
 *
 * A quantiser is trained with a sample of the vectors, codes vectors, and prepares queries: the
 * distance of one, as prepared, to a code is an estimate of that to the vector. Each is one file
 * with a `struct quant_kind`, and a row of `kinds` in quant.c.
 *
 * Vectors come as floats (index_floats()), of length 1 where the metric is the cosine, which is the
 * inner product then.
 *
 * Order of parts: kinds; quantisers; those that there are.
 */
#ifndef VECTORS_QUANT_H
#define VECTORS_QUANT_H

#include "index_pvt.h"

/* ---- kinds ------------------------------------------------------------------------------ */

struct quantiser;

/**
 * struct quant_kind - one kind, one file. @bytes: of its own struct, whose first member is the
 * quantiser.
 * @symmetric: a prepared query is a code. @copies: a code is the vector as it is. @rough: codes are
 *	not to be held against each other, or not if there is something better.
 * @times, @more: so many times k, and so many more, candidates are held against the query if it
 *	does not say itself; @graded: with one bit a component, and with more as many times fewer.
 * @train_rows: with more than so many it is not trained again.
 * @init: sets the lengths. @train: with @n vectors, going on from @was if there was one; 1: codes
 *	are others now; 0; -ENOMEM.
 * @decode: what @code stands for, as @point_dim floats, of which distances may be computed as of
 *	vectors; @restore: the vector itself, where that is another.
 * @distances: of @n codes, less what all have in common (@scale, @base).
 * All but @init, @encode, @decode and @distances may be NULL: there is nothing to do; @prepare of
 * symmetric ones is @encode.
 */
struct quant_kind {
	const char *name;
	size_t bytes;
	bool symmetric, copies, rough, graded;
	float times, more;
	uint32_t train_rows;
	bool (*can)(enum sl_component component, enum sl_metric metric);
	int (*init)(struct quantiser *q);
	void (*done)(struct quantiser *q);
	int (*train)(struct quantiser *q, const struct quantiser *was, const float *x, uint32_t n);
	void (*encode)(const struct quantiser *q, const float *x, uint8_t *ret_code);
	void (*decode)(const struct quantiser *q, const uint8_t *code, float *ret_x);
	void (*restore)(const struct quantiser *q, const uint8_t *code, float *ret_x);
	void (*prepare)(const struct quantiser *q, const float *x, void *ret_query);
	void (*distances)(const struct quantiser *q, const void *query, const uint8_t *const *codes,
			  uint32_t n, float *ret);
	uint64_t (*memory)(const struct quantiser *q);
	int (*save)(const struct quantiser *q, struct index_out *out);
	int (*load)(struct quantiser *q, struct index_in *in);
};

/* ---- quantisers ------------------------------------------------------------------------- */

/**
 * struct quantiser - first member of each kind's own.
 * @metric: one that is not the cosine. @code_bytes, @query_bytes: of a code, of a prepared query.
 * @point_dim: components of what is decoded. @scale, @base: a distance is @base and @scale times
 * what the kind says it is. @x: room for a vector.
 */
struct quantiser {
	const struct quant_kind *kind;
	const struct sl_rows *rows;
	enum sl_metric metric;
	uint32_t dim, bits;
	uint64_t seed;
	size_t code_bytes, query_bytes;
	uint32_t point_dim;
	float scale, base;
	float *x;
};

/* The one that @conf wants for @rows, or the kinds' default. Return: 0; -EINVAL; -ENOMEM. */
int quantiser_new(const struct sl_index_conf *conf, const struct sl_rows *rows,
		  struct quantiser **ret_q);
void quantiser_free(struct quantiser *q);
uint64_t quantiser_memory(const struct quantiser *q);

/* Another of the same kind, trained with @n vectors. Return: 1: it is; 0: no need; -ENOMEM. */
int quantiser_train(const struct quantiser *was, const float *x, uint32_t n,
		    struct quantiser **ret_q);

/* @vector: of the rows' kind. */
void quantiser_encode(const struct quantiser *q, const void *vector, uint8_t *ret_code);
void quantiser_prepare(const struct quantiser *q, const void *vector, void *ret_query);

/* The vector that @code stands for, as floats. */
void quantiser_decode(const struct quantiser *q, const uint8_t *code, float *ret_x);

/* Of a component's code, at the most. */
#define QUANT_BITS_MAX 8u

/* Candidates that a search of @index gives, at the most. */
static inline uint32_t quantiser_candidates(const struct quantiser *q, const struct sl_index *index,
					    const struct sl_query *query)
{
	double n = query->k * (double)query->oversampling;

	/* Of few components there are few codes, and many rows with each. */
	if (query->oversampling <= 0)
		n = (query->k * (double)q->kind->times +
		     q->kind->more * sl_max(1.0, 64.0 / index->rows->dim)) /
		    (q->kind->graded ? q->bits : 1);
	return (uint32_t)sl_min(sl_max(n, (double)query->k), (double)index->n);
}

/* The distance that @d of this quantiser stands for. */
static inline float quantiser_real(const struct quantiser *q, float d)
{
	return q->base + q->scale * d;
}

/* From code to code, so that neither is read beyond its end. */
static inline size_t quantiser_stride(const struct quantiser *q)
{
	return sl_round_up(q->code_bytes, q->code_bytes > 48 ? SL_ROW_ALIGN : 16);
}

/* Of @n codes, as the kind says they are. */
static inline void quantiser_distances(const struct quantiser *q, const void *query,
				       const uint8_t *const *codes, uint32_t n, float *ret)
{
	q->kind->distances(q, query, codes, n, ret);
	for (uint32_t i = 0; i < n; i++)
		ret[i] = or_farthest(ret[i]);
}

static inline float quantiser_distance(const struct quantiser *q, const void *query,
				       const uint8_t *code)
{
	float d;

	quantiser_distances(q, query, &code, 1, &d);
	return d;
}

int quantiser_save(const struct quantiser *q, struct index_out *out);
int quantiser_load(const struct sl_rows *rows, struct index_in *in, struct quantiser **ret_q);

/* ---- those that there are --------------------------------------------------------------- */

/* Floats whose distance is one of sums. */
bool quant_floats(enum sl_component component, enum sl_metric metric);

/* Those whose metric comes down to inner products, too. */
bool quant_products(enum sl_component component, enum sl_metric metric);

/* The mean of those that are of numbers among @n vectors. Return: 1; 0: none is. */
int quant_mean(const float *x, uint32_t n, uint32_t dim, float *ret_mean);

extern const struct quant_kind quant_none;
extern const struct quant_kind quant_sq8;
extern const struct quant_kind quant_pq8;
extern const struct quant_kind quant_pq4;
extern const struct quant_kind quant_binary;
extern const struct quant_kind quant_rabitq;

#endif
