/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's store of objects: held objects, and all reading but searches.
 *
 * Interface: "held objects" and "reading" of <sluice/objects.h>, hits_out(). What the store gives
 * out is held by a buffer of one owner; here it becomes one that any thread may hold.
 *
 * Order of parts: held objects; by key; lists; counts and facets.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

/* ---- held objects ----------------------------------------------------------------------- */

/* Without a core a buf is on the heap, and nobody else's. */
static void buf_gone(void *buf)
{
	sl_buf_release(buf);
}

static int hit_out(struct objects_hit *hit, struct sl_objects_hit *ret_hit)
{
	struct sl_buffer *buffer = NULL;
	int err = 0;

	if (hit->buf)
		err = buffer_of(hit->buf->data, sl_object_bytes(hit->object), buf_gone, hit->buf,
				&buffer);
	if (err)
		return err;
	*ret_hit = (struct sl_objects_hit){
		.key = hit->key,
		.object = hit->object,
		.version = hit->version,
		.score = hit->score,
		.buffer = buffer,
	};
	return 0;
}

int hits_out(struct objects_hit *hits, uint32_t n, struct sl_objects_hit *ret_hits)
{
	for (uint32_t i = 0; i < n; i++) {
		int err = hit_out(&hits[i], &ret_hits[i]);

		if (err) {
			objects_release(hits + i, n - i);
			sl_objects_release(ret_hits, i);
			return err;
		}
	}
	return 0;
}

int hits_out_new(struct objects_hit *hits, uint32_t n, struct sl_objects_hit **ret_hits)
{
	struct sl_objects_hit *out = calloc((size_t)n + 1, sizeof(*out));
	int err = -ENOMEM;

	if (out)
		err = hits_out(hits, n, out);
	else
		objects_release(hits, n);
	free(hits);
	if (err)
		free(out);
	else
		*ret_hits = out;
	return err;
}

void sl_objects_release(struct sl_objects_hit *hits, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sl_buffer_release(hits[i].buffer);
		hits[i].buffer = NULL;
		hits[i].object = NULL;
	}
}

/* ---- by key ----------------------------------------------------------------------------- */

int sl_objects_get(struct sl_objects *o, const char *name, const struct sl_filter_key *keys,
		   uint32_t n, struct sl_objects_hit *ret_hits)
{
	struct objects_hit *hits = calloc((size_t)n + 1, sizeof(*hits));
	int err;

	if (!hits)
		return -ENOMEM;
	sl_turns_enter(o->turns);
	err = objects_get(o->objects, name, keys, n, hits, SL_NEVER);
	sl_turns_leave(o->turns);
	if (!err)
		err = hits_out(hits, n, ret_hits);
	free(hits);
	return err;
}

/* ---- lists ------------------------------------------------------------------------------ */

int sl_objects_scroll(struct sl_objects *o, const char *name,
		      const struct sl_objects_scroll *scroll, struct sl_objects_list *ret_list)
{
	struct sl_objects_list out = {0};
	struct objects_list list;
	int err;

	sl_turns_enter(o->turns);
	err = objects_scroll(o->objects, name, scroll, &list, SL_NEVER);
	sl_turns_leave(o->turns);
	if (err)
		return err;
	out.n = list.n;
	out.next = list.next;
	err = hits_out_new(list.hits, list.n, &out.hits);
	if (!err)
		*ret_list = out;
	return err;
}

void sl_objects_list_done(struct sl_objects_list *list)
{
	sl_objects_release(list->hits, list->n);
	free(list->hits);
	*list = (struct sl_objects_list){0};
}

/* ---- counts and facets ------------------------------------------------------------------ */

int sl_objects_count(struct sl_objects *o, const char *name, const struct sl_filter *filter,
		     bool exact, uint64_t *ret_n)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_count(o->objects, name, filter, exact, ret_n, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}

int sl_objects_facet(struct sl_objects *o, const char *name, const struct sl_filter *filter,
		     const char *path, uint32_t limit, struct sl_objects_facet **ret_facets,
		     uint32_t *ret_n)
{
	int err;

	sl_turns_enter(o->turns);
	err = objects_facet(o->objects, name, filter, path, limit, ret_facets, ret_n, SL_NEVER);
	sl_turns_leave(o->turns);
	return err;
}
