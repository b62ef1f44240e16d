/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping payload indexes: rows and keys as they are, under one checksum.
 *
 * Interface: payload.h (sl_payload_save(), sl_payload_load()).
 *
 * After a header come the rows, the names of vectors, then each index: what it is of, its bitmaps,
 * its words or sorted keys. What is loaded is checked as far as nothing goes out of bounds: rows
 * are of those that there are, keys are of their type and rise.
 *
 * Order of parts: what is saved; saving; loading; checking; calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "object_pvt.h"
#include "payload_pvt.h"

/* ---- what is saved ---------------------------------------------------------------------- */

#define MAGIC UINT64_C(0x4f4c594150554c53) /* "SLUPAYLO" */

enum { FORMAT_VERSION = 1, PATH_BYTES_MAX = 1 << 20 };

struct header {
	uint64_t magic;
	uint32_t version, indexes;
};

struct index_header {
	uint32_t type, path_n;
	uint32_t tokens, keep_case, token_min, token_max;
};

static_assert(sizeof(struct header) == 16, "as in the format");
static_assert(sizeof(struct index_header) == 24, "as in the format");

/* ---- saving ----------------------------------------------------------------------------- */

static int save_index(struct payload_index *x, struct index_out *out)
{
	struct index_header h = {
		.type = x->conf.type,
		.path_n = (uint32_t)strlen(x->path),
		.tokens = x->conf.tokeniser.kind,
		.keep_case = x->conf.tokeniser.keep_case,
		.token_min = x->conf.tokeniser.min,
		.token_max = x->conf.tokeniser.max,
	};
	int err = index_write(out, &h, sizeof(h));
	roaring_bitmap_t **map;

	if (!err)
		err = index_write(out, x->path, h.path_n);
	for (uint32_t i = 0; !err && (map = payload_bitmap(x, i)); i++)
		err = bitmap_save(*map, out);
	if (!err)
		err = sorted_save(&x->counts, out);
	if (err)
		return err;
	return payload_is_sorted(x->conf.type) ? sorted_save(&x->sorted, out)
					       : dict_save(&x->dict, out);
}

static int save(void *arg, struct index_out *out)
{
	const struct sl_payload *p = arg;
	struct header h = {MAGIC, FORMAT_VERSION, 0};
	int err;

	for (uint32_t i = 0; i < p->index_n; i++)
		h.indexes += p->indexes[i]->ready;
	err = index_write(out, &h, sizeof(h));
	if (!err)
		err = bitmap_save(p->rows, out);
	if (!err)
		err = dict_save(&p->vectors, out);
	for (uint32_t i = 0; !err && i < p->index_n; i++)
		if (p->indexes[i]->ready)
			err = save_index(p->indexes[i], out);
	return err;
}

/* ---- checking --------------------------------------------------------------------------- */

static bool conf_is_right(const struct index_header *h)
{
	return h->type < SL_PAYLOAD_LAST && h->tokens < SL_TOKENS_LAST && h->keep_case <= 1 &&
	       h->path_n <= PATH_BYTES_MAX;
}

static bool word_is_right(enum sl_payload_type type, const struct word *w)
{
	switch (type) {
	case SL_PAYLOAD_BOOLEAN:
		return w->n == 1 && (uint8_t)w->key[0] <= 1;
	case SL_PAYLOAD_UUID:
		return w->n == SL_OBJECT_UUID_BYTES;
	case SL_PAYLOAD_TEXT:
		return w->n > 0;
	default:
		return true;
	}
}

static bool words_are_right(const struct payload_index *x)
{
	for (uint32_t i = 0; i < x->dict.room; i++)
		if (x->dict.slots[i] && !word_is_right(x->conf.type, x->dict.slots[i]))
			return false;
	return true;
}

/* Keys of numbers that no number has: those of NaN, and that of -0. */
static bool keys_are_right(const struct payload_index *x)
{
	struct sorted_at at = {0, 0}, end = sorted_end(&x->sorted);
	uint64_t key;
	uint32_t row;

	if (x->conf.type != SL_PAYLOAD_NUMBER)
		return true;
	while (sorted_next(&x->sorted, &at, end, &key, &row))
		if (!isfinite(number_of_key(key)) || key_of_number(number_of_key(key)) != key)
			return false;
	return true;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int load_conf(struct index_in *in, struct payload_index **ret_index)
{
	struct sl_payload_conf conf = {0};
	struct index_header h;
	int err = index_read(in, &h, sizeof(h));
	char *path;

	if (err)
		return err;
	if (!conf_is_right(&h))
		return -EBADMSG;
	path = calloc(1, h.path_n + 1);
	if (!path)
		return -ENOMEM;
	conf = (struct sl_payload_conf){
		path, h.type, {h.tokens, h.keep_case, h.token_min, h.token_max}};
	err = index_read(in, path, h.path_n);
	if (!err && strlen(path) != h.path_n)
		err = -EBADMSG;
	if (!err)
		err = payload_index_new(&conf, ret_index);
	free(path);
	return err;
}

/* So that taking a row out needs no memory: what it was folded from has at most three times the
 * bytes. */
static int reserve_words(struct sl_payload *p, const struct payload_index *x)
{
	size_t n = 0;

	for (uint32_t i = 0; i < x->dict.room; i++)
		if (x->dict.slots[i])
			n = sl_max(n, 3 * (size_t)x->dict.slots[i]->n);
	return payload_reserve_text(p, n);
}

static int load_content(struct sl_payload *p, struct payload_index *x, struct index_in *in,
			uint64_t rows)
{
	roaring_bitmap_t **map;
	int err = 0;

	for (uint32_t i = 0; !err && (map = payload_bitmap(x, i)); i++)
		err = bitmap_load(in, rows, map);
	if (!err)
		err = sorted_load(&x->counts, in, rows);
	if (err)
		return err;
	err = payload_is_sorted(x->conf.type) ? sorted_load(&x->sorted, in, rows)
					      : dict_load(&x->dict, in, rows);
	if (err)
		return err;
	if (!words_are_right(x) || !keys_are_right(x) || !roaring_bitmap_equals(x->rows, p->rows))
		return -EBADMSG;
	x->ready = true;
	return x->conf.type == SL_PAYLOAD_TEXT ? reserve_words(p, x) : 0;
}

static int load_index(struct sl_payload *p, struct index_in *in, uint64_t rows)
{
	struct payload_index *x = NULL;
	int err = load_conf(in, &x);

	if (!err)
		err = payload_can_add(p, &x->conf);
	if (!err)
		err = load_content(p, x, in, rows);
	if (!err)
		err = payload_append(p, x);
	if (err)
		payload_index_free(x);
	return err == -EEXIST || err == -EINVAL ? -EBADMSG : err;
}

static int load(void *arg, struct index_in *in)
{
	struct sl_payload *p = arg;
	struct header h;
	uint64_t rows;
	int err = index_read(in, &h, sizeof(h));

	if (err)
		return err;
	if (h.magic != MAGIC || h.version != FORMAT_VERSION)
		return -EBADMSG;
	err = bitmap_load(in, SL_ROW_NONE, &p->rows);
	if (err)
		return err;
	rows = payload_rows_max(p);
	err = dict_load(&p->vectors, in, rows);
	for (uint32_t i = 0; !err && i < h.indexes; i++)
		err = load_index(p, in, rows);
	return err;
}

/* ---- calls ------------------------------------------------------------------------------ */

int sl_payload_save(const struct sl_payload *p, sl_write_fn write, void *arg)
{
	return index_save_by(save, (void *)p, write, arg);
}

int sl_payload_load(sl_read_fn read, void *arg, sl_row_of_fn row_of, void *row_of_arg,
		    struct sl_payload **ret_payload)
{
	struct sl_payload *p;
	int err = sl_payload_new(row_of, row_of_arg, &p);

	if (err)
		return err;
	err = index_load_by(load, p, read, arg);
	if (err) {
		sl_payload_free(p);
		return err;
	}
	*ret_payload = p;
	return 0;
}
