/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: what core 0 made for all cores to read, and replaces as a whole.
 *
 * A struct sl_view lies in what is shown, which does not change while anybody holds it. Each core
 * holds it from the beginning on, for its own uses, until it takes the next one in its place.
 * Threads that take turns are to it what core 0 is.
 */
#ifndef DATAPLANE_VIEW_H
#define DATAPLANE_VIEW_H

#include "core.h"

struct sl_view_hold;

/**
 * struct sl_view - who holds it; member of what is shown.
 * @holders: cores that hold it, as core 0 knows. @gone: called on core 0 once no core does.
 */
struct sl_view {
	struct sl_view_hold *holds; /* one a core */
	uint32_t cores_n, holders;
	void (*gone)(struct sl_view *view);
};

/**
 * sl_view_init() - a view that each of @cores holds @uses times.
 * On core 0, or before the cores start. Return: 0 or -ENOMEM.
 */
int sl_view_init(struct sl_view *view, uint32_t cores, uint32_t uses,
		 void (*gone)(struct sl_view *view));

/* Frees what init took, whoever holds it: nobody looks at it any more. Zeroed: there is nothing. */
void sl_view_done(struct sl_view *view);

/* One more use by this core, which holds it already. */
void sl_view_retain(struct sl_view *view);

/* One use less by this core. What is shown may be gone with its last one. */
void sl_view_release(struct sl_view *view);

#endif
