/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Product quantisation (Jégou, Douze and Schmid, 2011): a code is which of a book's points some
 * components are nearest to, for all components, some at a time.
 *
 * Interface: quant.h. A byte codes four components: with 8 bits by one book of 256 points, with 4
 * bits by two books of 16 points, for two components each. A query is prepared as what each value
 * of each byte adds to the distance.
 *
 * Order of parts: the books; training; coding; distances; keeping; the kinds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmeans.h"
#include "quant.h"

/* ---- the books -------------------------------------------------------------------------- */

enum { A_BYTE = 4, VALUES = 256, ROUNDS = 6 };

/**
 * struct pq - @books, @books_n of them, of @wide components each, with at most @points points; a
 * byte of the code has @halves of them. @filled: room for a vector with zeros behind its end,
 * @scores: for those of a book.
 */
struct pq {
	struct quantiser q;
	const struct scan_set *set;
	struct centroids *books;
	uint32_t books_n, wide, points, halves;
	float *filled, *scores;
};

static const struct pq *pq_of(const struct quantiser *q)
{
	return sl_container_of(q, const struct pq, q);
}

static void done(struct quantiser *q)
{
	struct pq *p = (struct pq *)q;

	for (uint32_t i = 0; p->books && i < p->books_n; i++)
		centroids_done(&p->books[i]);
	free(p->books);
	free(p->filled);
	free(p->scores);
}

static int init(struct quantiser *q, uint32_t halves)
{
	struct pq *p = (struct pq *)q;

	p->set = scan_set();
	p->halves = halves;
	p->wide = A_BYTE / halves;
	p->points = halves == 1 ? VALUES : SCAN_CODES;
	q->code_bytes = (q->dim + A_BYTE - 1) / A_BYTE;
	q->query_bytes = q->code_bytes * VALUES * sizeof(float);
	p->books_n = (uint32_t)q->code_bytes * halves;
	p->books = calloc(p->books_n, sizeof(*p->books));
	p->filled = calloc(q->code_bytes, A_BYTE * sizeof(float));
	p->scores = malloc(VALUES * sizeof(float));
	if (!p->books || !p->filled || !p->scores)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->books_n; i++)
		p->books[i].dim = p->wide;
	return 0;
}

static int init_8(struct quantiser *q)
{
	return init(q, 1);
}

static int init_4(struct quantiser *q)
{
	return init(q, 2);
}

static uint64_t memory(const struct quantiser *q)
{
	const struct pq *p = pq_of(q);
	uint64_t n = p->books_n * sizeof(*p->books);

	for (uint32_t i = 0; i < p->books_n; i++)
		n += centroids_room(&p->books[i]) * (p->wide + 1) * sizeof(float);
	return n;
}

/* ---- training --------------------------------------------------------------------------- */

/* The components of book @i of @n vectors at @x. */
static void part_of(const struct pq *p, const float *x, uint32_t n, uint32_t i, float *ret_points)
{
	uint32_t from = i * p->wide, have = from < p->q.dim ? p->q.dim - from : 0;

	have = sl_min(have, p->wide);
	memset(ret_points, 0, (size_t)n * p->wide * sizeof(float));
	for (uint32_t row = 0; row < n; row++)
		memcpy(ret_points + (size_t)row * p->wide, x + (size_t)row * p->q.dim + from,
		       have * sizeof(float));
}

static int train(struct quantiser *q, const struct quantiser *was, const float *x, uint32_t n)
{
	struct pq *p = (struct pq *)q;
	float *points = malloc(sl_max(n, 1u) * p->wide * sizeof(float));
	int err = points ? 0 : -ENOMEM;

	(void)was;
	for (uint32_t i = 0; !err && n && i < p->books_n; i++) {
		struct kmeans km;

		part_of(p, x, n, i, points);
		err = kmeans_init(&km, &p->books[i], sl_min(n, p->points), points, n, ROUNDS,
				  q->seed + i);
		while (!err && kmeans_step(&km, n))
			;
		if (!err)
			kmeans_done(&km);
	}
	free(points);
	return err ? err : n > 0;
}

/* ---- coding ----------------------------------------------------------------------------- */

/* Vectors whose length is no multiple of a byte's components go on with zeros. */
static const float *fill(const struct pq *p, const float *x)
{
	if (p->q.dim % A_BYTE == 0)
		return x;
	memcpy(p->filled, x, p->q.dim * sizeof(float));
	return p->filled;
}

static void encode(const struct quantiser *q, const float *x, uint8_t *ret_code)
{
	const struct pq *p = pq_of(q);

	x = fill(p, x);
	memset(ret_code, 0, q->code_bytes);
	for (uint32_t i = 0; i < p->books_n; i++) {
		uint32_t code = 0;

		if (p->books[i].n)
			code = centroids_nearest(p->set, &p->books[i], x + i * p->wide, p->scores);
		ret_code[i / p->halves] |= (uint8_t)(code << i % p->halves * 4);
	}
}

static void decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct pq *p = pq_of(q);

	for (uint32_t i = 0; i < p->books_n; i++) {
		uint32_t at = p->halves == 1 ? code[i] : code[i / 2] >> i % 2 * 4 & 15;
		float part[A_BYTE] = {0};

		/* few points have few codes, and what was loaded may be any */
		if (p->books[i].n)
			centroids_get(&p->books[i], sl_min(at, p->books[i].n - 1), part);
		for (uint32_t j = 0; j < p->wide && i * p->wide + j < q->dim; j++)
			ret_x[i * p->wide + j] = part[j];
	}
}

/* ---- distances -------------------------------------------------------------------------- */

/* What each point of book @i adds to the distance from @x. */
static void score(const struct pq *p, uint32_t i, const float *x, float *ret)
{
	const struct centroids *c = &p->books[i];
	bool dot = p->q.metric == SL_METRIC_DOT;
	float square = 0;

	if (c->n)
		centroids_scores(p->set, c, x, ret);
	for (uint32_t j = 0; j < p->wide; j++)
		square += x[j] * x[j];
	for (uint32_t j = 0; j < p->points; j++) {
		if (j >= c->n)
			ret[j] = 0;
		else
			ret[j] = dot ? (ret[j] - c->norms[j]) / 2 : ret[j] + square;
	}
}

static void prepare(const struct quantiser *q, const float *x, void *ret_query)
{
	const struct pq *p = pq_of(q);
	float *tables = ret_query, low[SCAN_PANEL], high[SCAN_PANEL];

	x = fill(p, x);
	for (uint32_t i = 0; i < q->code_bytes; i++, tables += VALUES) {
		if (p->halves == 1) {
			score(p, i, x + i * A_BYTE, tables);
			continue;
		}
		score(p, i * 2, x + i * A_BYTE, low);
		score(p, i * 2 + 1, x + i * A_BYTE + 2, high);
		for (uint32_t j = 0; j < VALUES; j++)
			tables[j] = low[j % SCAN_CODES] + high[j / SCAN_CODES];
	}
}

static void distances(const struct quantiser *q, const void *query, const uint8_t *const *codes,
		      uint32_t n, float *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		const float *tables = query;
		const uint8_t *code = codes[i];
		float sum[4] = {0};
		size_t at = 0;

		/* in turn, so that one addition need not wait for the other */
		for (; at + 4 <= q->code_bytes; at += 4, tables += 4 * VALUES)
			for (uint32_t t = 0; t < 4; t++)
				sum[t] += tables[t * VALUES + code[at + t]];
		for (; at < q->code_bytes; at++, tables += VALUES)
			sum[0] += tables[code[at]];
		ret[i] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
	}
}

/* ---- keeping ---------------------------------------------------------------------------- */

static int save(const struct quantiser *q, struct index_out *out)
{
	const struct pq *p = pq_of(q);
	float point[A_BYTE];
	int err = 0;

	for (uint32_t i = 0; !err && i < p->books_n; i++) {
		err = index_write(out, &p->books[i].n, sizeof(p->books[i].n));
		for (uint32_t j = 0; !err && j < p->books[i].n; j++) {
			centroids_get(&p->books[i], j, point);
			err = index_write(out, point, p->wide * sizeof(float));
		}
	}
	return err;
}

static int load(struct quantiser *q, struct index_in *in)
{
	struct pq *p = (struct pq *)q;
	float point[A_BYTE];
	int err = 0;

	for (uint32_t i = 0; !err && i < p->books_n; i++) {
		uint32_t n = 0;

		err = index_read(in, &n, sizeof(n));
		if (!err && n > p->points)
			err = -EBADMSG;
		for (uint32_t j = 0; !err && j < n; j++) {
			err = index_read(in, point, p->wide * sizeof(float));
			if (!err)
				err = centroids_add(&p->books[i], point);
		}
	}
	return err;
}

/* ---- the kinds -------------------------------------------------------------------------- */

#define PQ(label, start, candidates)                                                               \
	{                                                                                          \
		.name = label, .bytes = sizeof(struct pq), .rough = true, .times = candidates,     \
		.more = 20, .train_rows = 4096, .can = quant_products, .init = start,              \
		.done = done, .train = train, .encode = encode, .decode = decode,                  \
		.prepare = prepare, .distances = distances, .memory = memory, .save = save,        \
		.load = load                                                                       \
	}

const struct quant_kind quant_pq8 = PQ("pq8", init_8, 4);
const struct quant_kind quant_pq4 = PQ("pq4", init_4, 6);
