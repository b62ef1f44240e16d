/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distances: the scalar set against values worked out by hand, every other set against it, over
 * all lengths, alignments and extremes. Vectors end where their memory ends, so that what is read
 * beyond them is noticed.
 */
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "vectors/vectors.h"

/* ---- memory that ends with the vector --------------------------------------------------- */

#define ROOM (SL_DIM_MAX * sizeof(float) + 4096)

/* Return: memory of ROOM bytes, behind which nothing may be read. */
static uint8_t *guarded(void)
{
	size_t room = (ROOM + 4095) / 4096 * 4096;
	uint8_t *p =
		mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)p);
	ASSERT_EQ(0, mprotect(p + room, 4096, PROT_NONE));
	return p + room - ROOM;
}

/* Where a vector of @bytes begins that ends @before_end bytes before the memory of guarded(). */
static uint8_t *at_end(uint8_t *memory, size_t bytes, size_t before_end)
{
	return memory + ROOM - before_end - bytes;
}

/* ---- components ------------------------------------------------------------------------- */

static uint16_t small_half(void)
{
	/* 2^-8 to 2^7 */
	return (uint16_t)((harness_random() & 0x83ff) | ((7 + harness_random() % 16) << 10));
}

static void fill(enum sl_component component, uint8_t *v, size_t dim)
{
	size_t bytes = sl_vector_bytes(component, dim);

	for (size_t i = 0; i < bytes; i++)
		v[i] = (uint8_t)harness_random();
	for (size_t i = 0; component == SL_F32 && i < dim; i++) {
		float f = (float)(harness_random() % 2000000) / 1e6f - 1;

		memcpy(v + i * sizeof(f), &f, sizeof(f));
	}
	for (size_t i = 0; component == SL_F16 && i < dim; i++) {
		uint16_t h = small_half();

		memcpy(v + i * sizeof(h), &h, sizeof(h));
	}
	if (component == SL_BITS && dim % 8)
		v[bytes - 1] &= (uint8_t)((1u << dim % 8) - 1);
}

/* Every seventh component of @b becomes that of @a, for Hamming to find some that are the same. */
static void make_alike(enum sl_component component, uint8_t *b, const uint8_t *a, size_t dim)
{
	size_t each = sl_vector_bytes(component, 8) / 8;

	for (size_t i = 0; component != SL_BITS && i < dim; i += 7)
		memcpy(b + i * each, a + i * each, each);
}

/* ---- the scalar set --------------------------------------------------------------------- */

static float scalar(enum sl_metric metric, enum sl_component component, const void *a,
		    const void *b, size_t dim)
{
	return sl_distance_of(SL_DISTANCE_SCALAR, metric, component)(a, b, dim);
}

TEST(scalar_f32)
{
	const float a[] = {1, -2, 3}, b[] = {4, -2, -1}, zero[3] = {0};

	EXPECT_TRUE(scalar(SL_METRIC_L2, SL_F32, a, b, 3) == 25);
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_F32, a, b, 3) == -5);
	EXPECT_TRUE(scalar(SL_METRIC_MANHATTAN, SL_F32, a, b, 3) == 7);
	EXPECT_TRUE(scalar(SL_METRIC_HAMMING, SL_F32, a, b, 3) == 2);
	EXPECT_TRUE(fabsf(scalar(SL_METRIC_COSINE, SL_F32, a, b, 3) - 0.7083941f) < 1e-6f);
	EXPECT_TRUE(scalar(SL_METRIC_COSINE, SL_F32, a, a, 3) == 0);
	EXPECT_TRUE(scalar(SL_METRIC_COSINE, SL_F32, a, zero, 3) == 1);
	EXPECT_TRUE(scalar(SL_METRIC_L2, SL_F32, a, b, 0) == 0);
}

TEST(scalar_f16)
{
	/* 1, -2, 3; 65504 (the largest), 2^-24 (the smallest), 2^-14 (the smallest normal one) */
	const uint16_t a[] = {0x3c00, 0xc000, 0x4200}, edge[] = {0x7bff, 0x0001, 0x0400};
	const uint16_t one[] = {0x3c00, 0x3c00, 0x3c00}, infinite[] = {0x7c00};

	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_F16, a, one, 3) == -2);
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_F16, edge, one, 1) == -65504);
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_F16, edge + 1, one, 1) == -ldexpf(1, -24));
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_F16, edge + 2, one, 1) == -ldexpf(1, -14));
	EXPECT_FALSE(isfinite(scalar(SL_METRIC_DOT, SL_F16, infinite, one, 1)));
}

TEST(scalar_i8)
{
	const int8_t a[] = {127, -128, 5}, b[] = {-128, 127, 5};

	EXPECT_TRUE(scalar(SL_METRIC_L2, SL_I8, a, b, 3) == 130050);
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_I8, a, b, 3) == 32487);
	EXPECT_TRUE(scalar(SL_METRIC_MANHATTAN, SL_I8, a, b, 3) == 510);
	EXPECT_TRUE(scalar(SL_METRIC_HAMMING, SL_I8, a, b, 3) == 2);
}

TEST(scalar_bits)
{
	const uint8_t a[] = {0xf0, 0x01}, b[] = {0x3c, 0x03};

	EXPECT_TRUE(scalar(SL_METRIC_HAMMING, SL_BITS, a, b, 10) == 5);
	EXPECT_TRUE(scalar(SL_METRIC_L2, SL_BITS, a, b, 10) == 5);
	EXPECT_TRUE(scalar(SL_METRIC_MANHATTAN, SL_BITS, a, b, 10) == 5);
	EXPECT_TRUE(scalar(SL_METRIC_DOT, SL_BITS, a, b, 10) == -3);
	EXPECT_TRUE(fabsf(scalar(SL_METRIC_COSINE, SL_BITS, a, b, 10) - 0.4522774f) < 1e-6f);
}

TEST(names)
{
	EXPECT_STREQ("cosine", sl_metric_name(SL_METRIC_COSINE));
	EXPECT_STREQ("f16", sl_component_name(SL_F16));
	EXPECT_STREQ("avx512", sl_distance_set_name(SL_DISTANCE_AVX512));
}

/* ---- the other sets against it ---------------------------------------------------------- */

FIXTURE(set)
{
	uint8_t *a, *b;
};

FIXTURE_VARIANT(set)
{
	enum sl_distance_set set;
};

FIXTURE_VARIANT_ADD(set, avx512){.set = SL_DISTANCE_AVX512};
FIXTURE_VARIANT_ADD(set, avx2){.set = SL_DISTANCE_AVX2};
FIXTURE_VARIANT_ADD(set, neon){.set = SL_DISTANCE_NEON};

FIXTURE_SETUP(set)
{
	if (!sl_distance_of(variant->set, SL_METRIC_L2, SL_F32))
		SKIP(return, "this processor has no %s", sl_distance_set_name(variant->set));
	self->a = guarded();
	self->b = guarded();
}

FIXTURE_TEARDOWN(set)
{
}

/* What the terms add up to when none cancels another: what rounding is in proportion to. */
static double magnitude(enum sl_metric metric, enum sl_component component, const void *a,
			const void *b, size_t dim, double exact)
{
	if (metric == SL_METRIC_COSINE)
		return 1;
	if (metric != SL_METRIC_DOT)
		return fabs(exact);
	return sqrt((double)scalar(metric, component, a, a, dim) *
		    (double)scalar(metric, component, b, b, dim));
}

static bool agrees(enum sl_distance_set set, enum sl_metric metric, enum sl_component component,
		   const void *a, const void *b, size_t dim)
{
	double want = (double)scalar(metric, component, a, b, dim);
	double got = (double)sl_distance_of(set, metric, component)(a, b, dim);
	bool whole = component == SL_I8 || component == SL_BITS || metric == SL_METRIC_HAMMING;
	double off = fabs(got - want);

	if (whole && metric != SL_METRIC_COSINE
		    ? off == 0
		    : off <= SL_DISTANCE_TOLERANCE * magnitude(metric, component, a, b, dim, want))
		return true;
	TH_LOG("%s, %s, %zu components: %.9g, not %.9g", sl_metric_name(metric),
	       sl_component_name(component), dim, got, want);
	return false;
}

static bool all_agree(enum sl_distance_set set, enum sl_component component, const void *a,
		      const void *b, size_t dim)
{
	bool agree = true;

	for (uint32_t m = 0; m < SL_METRIC_LAST; m++)
		agree &= agrees(set, (enum sl_metric)m, component, a, b, dim);
	return agree;
}

TEST_F(set, every_length_and_alignment)
{
	for (size_t dim = 0; dim <= 600; dim++) {
		for (uint32_t c = 0; c < SL_COMPONENT_LAST; c++) {
			enum sl_component component = (enum sl_component)c;
			size_t bytes = sl_vector_bytes(component, dim);
			uint8_t *a = at_end(self->a, bytes, dim % 65 ? harness_random() % 64 : 0);
			uint8_t *b = at_end(self->b, bytes, dim % 3 ? harness_random() % 64 : 0);

			fill(component, a, dim);
			fill(component, b, dim);
			make_alike(component, b, a, dim);
			ASSERT_TRUE(all_agree(variant->set, component, a, b, dim));
		}
	}
}

TEST_F(set, long_vectors)
{
	static const size_t dims[] = {768, 784, 1024, 1536, 4095, 4096, SL_DIM_MAX};

	for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++) {
		for (uint32_t c = 0; c < SL_COMPONENT_LAST; c++) {
			size_t bytes = sl_vector_bytes((enum sl_component)c, dims[i]);
			uint8_t *a = at_end(self->a, bytes, 0), *b = at_end(self->b, bytes, 0);

			fill((enum sl_component)c, a, dims[i]);
			fill((enum sl_component)c, b, dims[i]);
			EXPECT_TRUE(all_agree(variant->set, (enum sl_component)c, a, b, dims[i]));
		}
	}
}

/* No sum of the longest vectors leaves its register. */
TEST_F(set, extreme_bytes)
{
	uint8_t *a = at_end(self->a, SL_DIM_MAX, 0), *b = at_end(self->b, SL_DIM_MAX, 0);

	for (int x = 0; x < 2; x++) {
		for (int y = 0; y < 2; y++) {
			memset(a, x ? 0x80 : 0x7f, SL_DIM_MAX);
			memset(b, y ? 0x80 : 0x7f, SL_DIM_MAX);
			EXPECT_TRUE(all_agree(variant->set, SL_I8, a, b, SL_DIM_MAX));
			EXPECT_TRUE(all_agree(variant->set, SL_BITS, a, b, SL_DIM_MAX));
		}
	}
}

TEST_F(set, every_half)
{
	const uint16_t one = 0x3c00;

	for (uint32_t h = 0; h < 65536; h++) {
		uint16_t half = (uint16_t)h;
		float want = scalar(SL_METRIC_DOT, SL_F16, &half, &one, 1);
		float got = sl_distance_of(variant->set, SL_METRIC_DOT, SL_F16)(&half, &one, 1);

		ASSERT_TRUE(isnan(want) ? isnan(got) : want == got);
	}
}

TEST_F(set, what_is_not_finite_stays_so)
{
	static const float odd[] = {NAN, INFINITY, -INFINITY};
	float a[37], b[37];

	for (size_t i = 0; i < 37 * 3; i++) {
		fill(SL_F32, (uint8_t *)a, 37);
		fill(SL_F32, (uint8_t *)b, 37);
		a[i % 37] = odd[i / 37];
		for (uint32_t m = 0; m < SL_METRIC_HAMMING; m++) {
			sl_distance_fn fn = sl_distance_of(variant->set, (enum sl_metric)m, SL_F32);

			EXPECT_FALSE(isfinite(fn(a, b, 37)));
		}
	}
}

/* ---- choosing --------------------------------------------------------------------------- */

TEST(the_widest_set_is_chosen)
{
	for (uint32_t m = 0; m < SL_METRIC_LAST; m++) {
		for (uint32_t c = 0; c < SL_COMPONENT_LAST; c++) {
			enum sl_metric metric = (enum sl_metric)m;
			enum sl_component component = (enum sl_component)c;
			sl_distance_fn want = NULL;

			for (uint32_t s = 0; s < SL_DISTANCE_SET_LAST && !want; s++)
				want = sl_distance_of((enum sl_distance_set)s, metric, component);
			EXPECT_TRUE(sl_distance(metric, component) == want);
		}
	}
}

TEST_HARNESS_MAIN
