/* SPDX-License-Identifier: Apache-2.0 */
/* saved.h: bytes that an index is saved to. */
#include "saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vectors/vectors.h"

int write_bytes(void *arg, const void *data, size_t n)
{
	struct bytes *b = arg;

	if (b->n + n > b->room)
		return -ENOSPC;
	if (n)
		memcpy(b->p + b->n, data, n);
	b->n += n;
	return 0;
}

int read_bytes(void *arg, void *ret_data, size_t n)
{
	struct bytes *b = arg;

	if (b->at + n > b->n)
		return -ENODATA;
	if (n)
		memcpy(ret_data, b->p + b->at, n);
	b->at += n;
	return 0;
}

struct bytes saved(struct sl_index *index)
{
	struct bytes b = {.room = 4 << 20};

	b.p = malloc(b.room);
	ASSERT_TRUE(b.p != NULL);
	ASSERT_EQ(0, sl_index_save(index, write_bytes, &b));
	return b;
}
