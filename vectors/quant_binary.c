/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary quantisation: of each component only its sign.
 *
 * Interface: quant.h. Vectors are centred, unless products are to stay products, and turned at
 * random, so that each sign says as much as another. Of two vectors that many signs differ as their
 * angle is of half a turn; with their lengths, which are kept, that is a distance.
 *
 * Order of parts: the quantiser; coding; distances; keeping; the kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quant.h"
#include "rotation.h"

/* ---- the quantiser ---------------------------------------------------------------------- */

/**
 * struct binary - @cosines: of the angle of which so many signs are the part. @y: room for a vector
 * that is turned.
 */
struct binary {
	struct quantiser q;
	struct rotation r;
	float *mean, *cosines, *y;
};

/* Behind the signs of a code. */
struct tail {
	float length, zero;
};

static const struct binary *binary_of(const struct quantiser *q)
{
	return sl_container_of(q, const struct binary, q);
}

static struct tail tail_of(const struct binary *b, const uint8_t *code)
{
	struct tail t;

	memcpy(&t, code + b->r.n / 8, sizeof(t));
	return t;
}

static void done(struct quantiser *q)
{
	struct binary *b = (struct binary *)q;

	rotation_done(&b->r);
	free(b->mean);
	free(b->cosines);
	free(b->y);
}

static int init(struct quantiser *q)
{
	struct binary *b = (struct binary *)q;
	int err = rotation_init(&b->r, q->dim, q->seed);

	if (err)
		return err;
	b->mean = calloc(q->dim, sizeof(float));
	b->cosines = malloc((b->r.n + 1) * sizeof(float));
	b->y = malloc(b->r.n * sizeof(float));
	if (!b->mean || !b->cosines || !b->y)
		return -ENOMEM;
	for (uint32_t i = 0; i <= b->r.n; i++)
		b->cosines[i] = (float)cos(M_PI * i / b->r.n);
	q->code_bytes = q->query_bytes = b->r.n / 8 + sizeof(struct tail);
	q->point_dim = b->r.n;
	return 0;
}

static int train(struct quantiser *q, const struct quantiser *was, const float *x, uint32_t n)
{
	struct binary *b = (struct binary *)q;

	(void)was;
	if (q->metric == SL_METRIC_DOT)
		return 0;
	return quant_mean(x, n, q->dim, b->mean);
}

static uint64_t memory(const struct quantiser *q)
{
	const struct binary *b = binary_of(q);

	return q->dim * sizeof(float) + rotation_memory(&b->r) + b->r.n * 2 * sizeof(float);
}

/* ---- coding ----------------------------------------------------------------------------- */

static void encode(const struct quantiser *q, const float *x, uint8_t *ret_code)
{
	const struct binary *b = binary_of(q);
	struct tail tail = {0};
	float square = 0;

	for (uint32_t i = 0; i < q->dim; i++) {
		b->y[i] = x[i] - b->mean[i];
		square += b->y[i] * b->y[i];
	}
	/* x may be q->x, but never y */
	memset(ret_code, 0, q->code_bytes);
	rotate_in_place(&b->r, b->y);
	for (uint32_t i = 0; i < b->r.n; i++)
		ret_code[i / 8] |= (uint8_t)((b->y[i] > 0) << i % 8);
	tail.length = sqrtf(square);
	memcpy(ret_code + b->r.n / 8, &tail, sizeof(tail));
}

static void decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct binary *b = binary_of(q);
	float each = tail_of(b, code).length / sqrtf((float)b->r.n);

	for (uint32_t i = 0; i < b->r.n; i++)
		ret_x[i] = code[i / 8] >> i % 8 & 1 ? each : -each;
}

static void restore(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct binary *b = binary_of(q);

	decode(q, code, b->y);
	rotate_back(&b->r, b->y, ret_x);
	for (uint32_t i = 0; i < q->dim; i++)
		ret_x[i] += b->mean[i];
}

/* ---- distances -------------------------------------------------------------------------- */

static void distances(const struct quantiser *q, const void *query, const uint8_t *const *codes,
		      uint32_t n, float *ret)
{
	const struct binary *b = binary_of(q);
	sl_distance_fn differ = sl_distance(SL_METRIC_HAMMING, SL_BITS);
	float a = tail_of(b, query).length;

	for (uint32_t i = 0; i < n; i++) {
		float c = tail_of(b, codes[i]).length;
		float product = a * c * b->cosines[(uint32_t)differ(query, codes[i], b->r.n)];

		ret[i] = q->metric == SL_METRIC_DOT ? -product : a * a + c * c - 2 * product;
	}
}

/* ---- keeping ---------------------------------------------------------------------------- */

static int save(const struct quantiser *q, struct index_out *out)
{
	return index_write(out, binary_of(q)->mean, q->dim * sizeof(float));
}

static int load(struct quantiser *q, struct index_in *in)
{
	return index_read(in, ((struct binary *)q)->mean, q->dim * sizeof(float));
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct quant_kind quant_binary = {
	.name = "binary",
	.bytes = sizeof(struct binary),
	.symmetric = true,
	.rough = true,
	.times = 16,
	.more = 40,
	.train_rows = 4096,
	.can = quant_products,
	.init = init,
	.done = done,
	.train = train,
	.encode = encode,
	.decode = decode,
	.restore = restore,
	.distances = distances,
	.memory = memory,
	.save = save,
	.load = load,
};
