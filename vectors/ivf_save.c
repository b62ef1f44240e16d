/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IVF index's model is saved and loaded: what was trained, then list by list its rows with
 * their codes. A model that is being made is not saved; it is begun anew.
 *
 * Interface: ivf_pvt.h. Rows that the common part does not have, or that come twice, are refused
 * before their memory is taken.
 *
 * Order of parts: what they share; saving; loading.
 */
#include <errno.h>
#include <stdlib.h>

#include "ivf_pvt.h"

/* ---- what they share -------------------------------------------------------------------- */

struct model_header {
	uint32_t is_there, trained;
	uint32_t lists, axes;
};

struct list_header {
	uint32_t n, split_at;
};

static size_t blocks_bytes(uint32_t n)
{
	return (size_t)(n + SCAN_BLOCK - 1) / SCAN_BLOCK * IVF_BLOCK_BYTES;
}

/* ---- saving ----------------------------------------------------------------------------- */

static int save_list(const struct ivf_model *m, uint32_t i, struct index_out *out)
{
	const struct ivf_list *l = &m->lists[i];
	struct list_header h = {l->n, l->split_at};
	float centroid[IVF_AXES];
	int err;

	centroids_get(&m->c, i, centroid);
	err = index_write(out, &h, sizeof(h));
	if (!err)
		err = index_write(out, centroid, sizeof(centroid));
	if (!err)
		err = index_write(out, l->rows, l->n * sizeof(*l->rows));
	if (!err)
		err = index_write(out, l->more, l->n * sizeof(*l->more));
	if (!err)
		err = index_write(out, l->codes, blocks_bytes(l->n));
	for (uint32_t r = 0; !err && ivf_has_codes(m) && r < l->n; r++)
		err = index_write(out, ivf_code(m, l->rows[r]), m->codes->q->code_bytes);
	return err;
}

int ivf_save(const struct sl_index *index, struct index_out *out)
{
	const struct ivf_model *m = sl_container_of(index, const struct ivf, index)->model;
	struct model_header h = {.is_there = m != NULL, .axes = IVF_AXES};
	int err;

	if (m) {
		h.trained = m->trained;
		h.lists = m->c.n;
	}
	err = index_write(out, &h, sizeof(h));
	if (err || !m)
		return err;
	err = quantiser_save(m->codes->q, out);
	if (!err)
		err = index_write(out, m->mean, m->dim * sizeof(float));
	if (!err)
		err = index_write(out, m->axes, (size_t)m->dim * IVF_AXES * sizeof(float));
	if (!err)
		err = index_write(out, m->books, sizeof(m->books));
	for (uint32_t i = 0; !err && i < m->c.n; i++)
		err = save_list(m, i, out);
	return err;
}

/* ---- loading ---------------------------------------------------------------------------- */

/* @left: rows that may still come. */
static int load_list(struct ivf_model *m, struct index_in *in, uint32_t *left)
{
	struct list_header h;
	struct ivf_list *l;
	float centroid[IVF_AXES];
	int err = index_read(in, &h, sizeof(h));

	if (err)
		return err;
	err = index_read(in, centroid, sizeof(centroid));
	if (err)
		return err;
	if (h.n > *left)
		return -EBADMSG;
	*left -= h.n;
	err = ivf_list_add(m, centroid);
	if (err)
		return err;
	l = &m->lists[m->c.n - 1];
	l->split_at = h.split_at;
	err = ivf_list_reserve(l, h.n);
	if (!err)
		err = index_read(in, l->rows, h.n * sizeof(*l->rows));
	if (!err)
		err = index_read(in, l->more, h.n * sizeof(*l->more));
	if (!err)
		err = index_read(in, l->codes, blocks_bytes(h.n));
	if (err)
		return err;
	for (; l->n < h.n; l->n++) {
		uint32_t row = l->rows[l->n];

		if (!index_has(m->index, row) || ivf_holds(m, row))
			return -EBADMSG;
		err = ivf_row_reserve(m, row);
		if (!err && ivf_has_codes(m))
			err = index_read(in, ivf_code(m, row), m->codes->q->code_bytes);
		if (err)
			return err;
		m->places[row] = (struct ivf_place){m->c.n - 1, l->n};
	}
	return 0;
}

static int load_quantiser(struct ivf_model *m, struct index_in *in)
{
	struct quantiser *q;
	int err = quantiser_load(m->index->rows, in, &q);

	if (!err)
		ivf_set_quantiser(m->codes, q);
	return err;
}

static int load_model(struct ivf_model *m, struct index_in *in, uint32_t lists)
{
	uint32_t left = m->index->n;
	int err = load_quantiser(m, in);

	if (!err)
		err = index_read(in, m->mean, m->dim * sizeof(float));

	if (!err)
		err = index_read(in, m->axes, (size_t)m->dim * IVF_AXES * sizeof(float));
	if (!err)
		err = index_read(in, m->books, sizeof(m->books));
	ivf_axes_are_set(m);
	for (uint32_t i = 0; !err && i < lists; i++)
		err = load_list(m, in, &left);
	return err ? err : left ? -EBADMSG : 0;
}

int ivf_load(struct sl_index *index, struct index_in *in)
{
	struct ivf *ivf = sl_container_of(index, struct ivf, index);
	struct model_header h;
	int err = index_read(in, &h, sizeof(h));

	if (err)
		return err;
	if (!h.is_there)
		return 0;
	if (h.is_there != 1 || !h.lists || h.axes != IVF_AXES)
		return -EBADMSG;
	err = ivf_model_new(index, NULL, &ivf->model);
	if (err)
		return err;
	ivf->model->trained = h.trained;
	return load_model(ivf->model, in, h.lists);
}
