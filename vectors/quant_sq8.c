/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Components as bytes (SQ8): a quarter of the memory of floats, and a distance that is one of
 * integers.
 *
 * Interface: quant.h. One range serves all components, so that the distance of codes is that of the
 * vectors but for a factor, and rounding; what lies outside the range is taken to its end. Where
 * products are to stay products the range is one around zero.
 *
 * Order of parts: the range; coding; distances; keeping; the kind.
 */
#include <errno.h>
#include <string.h>

#include "quant.h"

/**
 * struct sq8 - bytes of x * @by - @less.
 */
struct sq8 {
	struct quantiser q;
	float low, high, by, less;
	sl_distance_fn distance;
};

static const struct sq8 *sq8_of(const struct quantiser *q)
{
	return sl_container_of(q, const struct sq8, q);
}

/* ---- the range -------------------------------------------------------------------------- */

static void set_range(struct sq8 *s, float low, float high)
{
	bool around_zero = s->q.metric == SL_METRIC_DOT;
	float width = around_zero ? sl_max(high, -low) : high - low,
	      steps = around_zero ? 127 : 255;
	float step = width / steps;

	s->low = low;
	s->high = high;
	s->by = width > 0 ? steps / width : 0;
	s->less = around_zero ? 0 : low * s->by + 128;
	s->q.scale = s->q.metric == SL_METRIC_MANHATTAN ? step : step * step;
}

static int init(struct quantiser *q)
{
	struct sq8 *s = (struct sq8 *)q;

	/* the zeros that fill it up change no distance, and need no partial register */
	q->code_bytes = q->query_bytes = sl_round_up(q->dim, SL_ROW_ALIGN);
	s->distance = sl_distance(q->metric, SL_I8);
	set_range(s, 0, 0);
	return 0;
}

static int train(struct quantiser *q, const struct quantiser *was, const float *x, uint32_t n)
{
	struct sq8 *s = (struct sq8 *)q;
	const struct sq8 *before = sq8_of(was);
	bool knows = before->low < before->high;
	float low = knows ? before->low : INFINITY, high = knows ? before->high : -INFINITY;

	for (size_t i = 0; i < (size_t)n * q->dim; i++) {
		if (!isfinite(x[i]))
			continue;
		low = sl_min(low, x[i]);
		high = sl_max(high, x[i]);
	}
	if (!(low <= high))
		return 0;
	set_range(s, low, high);
	return low != before->low || high != before->high;
}

/* ---- coding ----------------------------------------------------------------------------- */

/* What is no number becomes the range's middle. */
static void encode(const struct quantiser *q, const float *x, uint8_t *ret_code)
{
	const struct sq8 *s = sq8_of(q);

	for (uint32_t i = 0; i < q->dim; i++) {
		float f = x[i] * s->by - s->less;

		f = f == f ? f : 0;
		f = f < 127 ? f : 127;
		f = f > -128 ? f : -128;
		ret_code[i] = (uint8_t)(int8_t)(int)(f + (f < 0 ? -0.5f : 0.5f));
	}
	memset(ret_code + q->dim, 0, q->code_bytes - q->dim);
}

static void decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct sq8 *s = sq8_of(q);

	for (uint32_t i = 0; i < q->dim; i++)
		ret_x[i] = s->by > 0 ? ((float)(int8_t)code[i] + s->less) / s->by : 0;
}

/* ---- distances -------------------------------------------------------------------------- */

static void distances(const struct quantiser *q, const void *query, const uint8_t *const *codes,
		      uint32_t n, float *ret)
{
	sl_distance_fn distance = sq8_of(q)->distance;

	for (uint32_t i = 0; i < n; i++)
		ret[i] = distance(query, codes[i], q->code_bytes);
}

/* ---- keeping ---------------------------------------------------------------------------- */

static int save(const struct quantiser *q, struct index_out *out)
{
	float range[2] = {sq8_of(q)->low, sq8_of(q)->high};

	return index_write(out, range, sizeof(range));
}

static int load(struct quantiser *q, struct index_in *in)
{
	float range[2];
	int err = index_read(in, range, sizeof(range));

	if (err)
		return err;
	if (!isfinite(range[0]) || !isfinite(range[1]) || range[0] > range[1])
		return -EBADMSG;
	set_range((struct sq8 *)q, range[0], range[1]);
	return 0;
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct quant_kind quant_sq8 = {
	.name = "sq8",
	.bytes = sizeof(struct sq8),
	.symmetric = true,
	.times = 1.5f,
	.more = 4,
	.train_rows = 65536,
	.can = quant_floats,
	.init = init,
	.train = train,
	.encode = encode,
	.decode = decode,
	.distances = distances,
	.save = save,
	.load = load,
};
