/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: who still holds what core 0 shows to all cores.
 *
 * Interface: view.h. Invariants: each core alone touches its count, and tells core 0, by one
 * message that was made with the view, when it falls to zero; from then on it does not look at the
 * view. Core 0 alone counts the cores.
 */
#include <errno.h>

#include "core_pvt.h"
#include "view.h"

struct sl_view_hold {
	struct sl_msg msg; /* carries the last release to core 0 */
	struct sl_view *view;
	uint32_t uses;
} __attribute__((aligned(64)));

int sl_view_init(struct sl_view *view, uint32_t cores, uint32_t uses,
		 void (*gone)(struct sl_view *view))
{
	struct sl_view_hold *holds = aligned_alloc(64, cores * sizeof(*holds));

	SL_ASSERT(cores && uses);
	if (!holds)
		return -ENOMEM;
	for (uint32_t i = 0; i < cores; i++)
		holds[i] = (struct sl_view_hold){.view = view, .uses = uses};
	*view = (struct sl_view){.holds = holds, .cores_n = cores, .holders = cores, .gone = gone};
	return 0;
}

void sl_view_done(struct sl_view *view)
{
	free(view->holds);
	view->holds = NULL;
}

static struct sl_view_hold *own_hold(struct sl_view *view)
{
	struct sl_core *core = sl_core_self();
	uint32_t id = core ? core->id : 0;

	SL_ASSERT(id < view->cores_n && view->holds[id].uses > 0);
	return &view->holds[id];
}

void sl_view_retain(struct sl_view *view)
{
	own_hold(view)->uses++;
}

/* On core 0: one core less holds the view. */
static void hold_returned(struct sl_msg *msg)
{
	struct sl_view *view = sl_container_of(msg, struct sl_view_hold, msg)->view;

	SL_ASSERT(view->holders > 0);
	if (--view->holders == 0)
		view->gone(view);
}

void sl_view_release(struct sl_view *view)
{
	struct sl_view_hold *hold = own_hold(view);
	struct sl_core *core = sl_core_self();

	if (--hold->uses > 0)
		return;
	hold->msg.fn = hold_returned;
	if (!core || core->id == 0)
		hold_returned(&hold->msg);
	else
		sl_post(sl_cores_at(core->cores, 0), &hold->msg);
}
