/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the IVF index share.
 *
 * A model is the trained part and the rows in it. A vector is centred and projected on the axes
 * along which rows vary most; the nearest centroid there names its list; what the projection
 * differs from the centroid is coded, two components in 4 bits. Far or near is then estimated, for
 * L2, as
 *
 *	|c|^2 - 2 q.c  +  (|r|^2 + 2 c.r + |x'|^2)  +  -2 q.r
 *
 * with q the projected query, c the centroid, r the coded difference and x' what the projection
 * left out: the first is one number a list, the second is kept with the row, the third is looked
 * up.
 *
 * Order of parts: the model; its rows; training; the kind.
 */
#ifndef VECTORS_IVF_PVT_H
#define VECTORS_IVF_PVT_H

#include "kmeans.h"
#include "quant.h"
#include "slabs.h"

/* ---- the model -------------------------------------------------------------------------- */

/* Axes, of which two share a place of the code. */
#define IVF_AXES SCAN_PANEL
#define IVF_PLACES (IVF_AXES / 2)
#define IVF_BLOCK_BYTES (IVF_PLACES * 16u)

/**
 * struct ivf_list - the rows nearest to one centroid, in blocks of SCAN_BLOCK.
 * @more: the second term of each. @split_at: so many are two lists.
 */
struct ivf_list {
	uint32_t *rows;
	float *more;
	uint8_t *codes;
	uint32_t n, room, split_at;
};

/* Where a row is; @list is SL_ROW_NONE if nowhere. */
struct ivf_place {
	uint32_t list, at;
};

/**
 * struct ivf_codes - @q: a quantiser; @chunks: its code of each row, in chunks as the rows are,
 * @n of them, of @stride bytes each, from @slabs; none where it would copy vectors. @refs: models
 * that have them.
 */
struct ivf_codes {
	struct quantiser *q;
	size_t stride;
	struct sl_slabs slabs;
	uint8_t **chunks;
	uint32_t n, refs;
};

/* The quantiser of codes that there are none of yet, which is theirs from now on. */
void ivf_set_quantiser(struct ivf_codes *codes, struct quantiser *q);
uint64_t ivf_codes_memory(const struct ivf_codes *codes);

/**
 * struct ivf_model - @mean, @axes (a panel of dim rows): of the projection; @origin: the mean on
 * the axes. @c: the lists' centroids.
 * @books: of each place its codes' two components, [place][component][code].
 * @codes: the rows', which another model may have as well.
 * @trained: rows that there were then.
 */
struct ivf_model {
	const struct sl_index *index;
	const struct scan_set *set;
	uint32_t dim, trained;
	float *mean, *axes, origin[IVF_AXES];
	struct ivf_codes *codes;
	struct centroids c;
	float books[IVF_PLACES][2][SCAN_CODES];
	struct ivf_list *lists;
	uint32_t lists_room;
	struct ivf_place *places;
	uint32_t places_n;
	float *vector, *scores; /* room for one vector that is added */
};

/* @from: NULL, or whose codes it has too, instead of some of its own. */
int ivf_model_new(const struct sl_index *index, const struct ivf_model *from,
		  struct ivf_model **ret_model);
void ivf_model_free(struct ivf_model *m);

/* Without its codes. */
uint64_t ivf_model_memory(const struct ivf_model *m);

/* Whether rows have codes beside those in their lists. */
static inline bool ivf_has_codes(const struct ivf_model *m)
{
	return !m->codes->q->kind->copies;
}

static inline uint8_t *ivf_code(const struct ivf_model *m, uint32_t row)
{
	return m->codes->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * m->codes->stride;
}

/* The vector of @row, as index_floats(); of which @from has a code if it is not here. */
void ivf_row_floats(const struct sl_index *index, const struct ivf_model *from, uint32_t row,
		    float *ret_x);

/* The axes and the mean are what they will be. */
void ivf_axes_are_set(struct ivf_model *m);

/* @x, floats, on the axes; @centred: less the mean. */
void ivf_project(const struct ivf_model *m, const float *x, bool centred, float *ret_y);

/* ---- its rows --------------------------------------------------------------------------- */

static inline bool ivf_holds(const struct ivf_model *m, uint32_t row)
{
	return row < m->places_n && m->places[row].list != SL_ROW_NONE;
}

/* Another list, with that centroid. Return: 0 or -ENOMEM. */
int ivf_list_add(struct ivf_model *m, const float *centroid);

/* @from: as in ivf_row_floats(). Return: 0 or -ENOMEM: nothing was changed. */
int ivf_insert(struct ivf_model *m, const struct ivf_model *from, uint32_t row);
void ivf_remove(struct ivf_model *m, uint32_t row);

/* Makes room for @n rows more in a list, for where @row is, for its copy. */
int ivf_list_reserve(struct ivf_list *list, uint32_t n);
int ivf_row_reserve(struct ivf_model *m, uint32_t row);

/* Makes two of a list that is too long. Return: 1: done; 0: there is none; -ENOMEM. */
int ivf_split(struct ivf_model *m, int64_t *cost_ns);

/* ---- training --------------------------------------------------------------------------- */

struct ivf_build;

/* @old: NULL or the model that is used meanwhile, whose codes the new one goes on with if rows are
 * not here: they are all that is known of those. */
int ivf_build_new(const struct sl_index *index, const struct ivf_model *old,
		  struct ivf_build **ret_build);
void ivf_build_free(struct ivf_build *b);

/* Without @codes (may be NULL), which are counted already. */
uint64_t ivf_build_memory(const struct ivf_build *b, const struct ivf_codes *codes);

/* A little of it. Return: 1: more is left; 0: the model is whole; -ENOMEM. */
int ivf_build_step(struct ivf_build *b, int64_t *cost_ns);

struct ivf_model *ivf_build_model(struct ivf_build *b);

/* The model is the caller's from now on. */
struct ivf_model *ivf_build_take(struct ivf_build *b);

/* Whether @row, if it is added now, will not be come by any more. */
bool ivf_build_is_past(const struct ivf_build *b, uint32_t row);

/* ---- the kind --------------------------------------------------------------------------- */

/**
 * struct ivf - @model: NULL: there are too few rows, which are all looked at. @build: NULL: none is
 * made now. @gone: rows that were removed since the last one was begun.
 */
struct ivf {
	struct sl_index index;
	struct ivf_model *model;
	struct ivf_build *build;
	uint32_t gone;
};

int ivf_save(const struct sl_index *index, struct index_out *out);
int ivf_load(struct sl_index *index, struct index_in *in);

#endif
