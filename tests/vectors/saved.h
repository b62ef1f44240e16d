/* SPDX-License-Identifier: Apache-2.0 */
/* Where tests save an index to, and load it from: bytes in memory. */
#ifndef TESTS_VECTORS_SAVED_H
#define TESTS_VECTORS_SAVED_H

#include <stddef.h>
#include <stdint.h>

/* @room: as much as may be written. @at: how far it was read. @p is the caller's to free. */
struct bytes {
	uint8_t *p;
	size_t n, room, at;
};

/* For sl_index_save() and sl_index_load(), with a struct bytes; -ENOSPC and -ENODATA at the end. */
int write_bytes(void *arg, const void *data, size_t n);
int read_bytes(void *arg, void *ret_data, size_t n);

/* @index as it is saved. */
struct sl_index;
struct bytes saved(struct sl_index *index);

#endif
