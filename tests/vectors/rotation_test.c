/* SPDX-License-Identifier: Apache-2.0 */
/* Random rotations: lengths and angles stay, each component comes from all, and back again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/util.h>

#include "harness.h"
#include "vectors/rotation.h"

enum { ROOM = 1088 };

static const uint32_t dims[] = {1, 19, 64, 65, 128, 200, 256, 784, 1025};

static void draw(float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		x[i] = (float)(harness_random() % 2000) / 1000 - 1;
}

static double product(const float *a, const float *b, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

TEST(lengths_and_angles_stay)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(dims); i++) {
		float x[2][ROOM], y[2][ROOM];
		uint32_t dim = dims[i];
		struct rotation r;

		ASSERT_EQ(0, rotation_init(&r, dim, harness_random()));
		ASSERT_TRUE(r.n >= dim && r.n % ROTATION_STEP == 0 && r.n <= ROOM);
		for (int v = 0; v < 2; v++) {
			draw(x[v], dim);
			rotate(&r, x[v], y[v]);
		}
		EXPECT_TRUE(fabs(product(x[0], x[0], dim) - product(y[0], y[0], r.n)) < 1e-3);
		EXPECT_TRUE(fabs(product(x[0], x[1], dim) - product(y[0], y[1], r.n)) < 1e-3);
		rotation_done(&r);
	}
}

TEST(what_was_turned_is_turned_back)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(dims); i++) {
		float x[ROOM], y[ROOM], back[ROOM];
		struct rotation r;

		ASSERT_EQ(0, rotation_init(&r, dims[i], harness_random()));
		draw(x, dims[i]);
		rotate(&r, x, y);
		rotate_back(&r, y, back);
		for (uint32_t j = 0; j < dims[i]; j++)
			ASSERT_TRUE(fabsf(x[j] - back[j]) < 1e-5f);
		rotation_done(&r);
	}
}

/* A vector of one component is spread: no other has more than a part of it. */
TEST(a_component_goes_to_all)
{
	for (size_t i = 2; i < SL_ARRAY_SIZE(dims); i++) {
		float x[ROOM] = {0}, y[ROOM], highest = 0;
		struct rotation r;
		uint32_t some = 0;

		ASSERT_EQ(0, rotation_init(&r, dims[i], harness_random()));
		x[harness_random() % dims[i]] = 1;
		rotate(&r, x, y);
		for (uint32_t j = 0; j < r.n; j++) {
			highest = fmaxf(highest, fabsf(y[j]));
			some += fabsf(y[j]) > 1e-6f;
		}
		EXPECT_TRUE(highest < 0.8f);
		EXPECT_TRUE(some >= r.n / 3);
		rotation_done(&r);
	}
}

TEST(a_seed_gives_one_rotation)
{
	float x[64], y[3][64];
	struct rotation r;

	draw(x, 64);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, rotation_init(&r, 64, i == 2 ? 8 : 7));
		rotate(&r, x, y[i]);
		rotation_done(&r);
	}
	EXPECT_EQ(0, memcmp(y[0], y[1], sizeof(y[0])));
	EXPECT_NE(0, memcmp(y[0], y[2], sizeof(y[0])));
}

TEST_HARNESS_MAIN
