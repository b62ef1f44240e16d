/* SPDX-License-Identifier: Apache-2.0 */
/* drawn.h: floats at random. */
#include "drawn.h"

#include "harness.h"

float drawn_normal(void)
{
	float sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (float)(harness_random() % 65536) / 65536 - 0.5f;
	return sum;
}

int drawn_order(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}
