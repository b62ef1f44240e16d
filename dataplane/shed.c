/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that are kept for later make room for what needs one now.
 *
 * Interface: the part of core.h on descriptors. The limit is the process's, or the system's, while
 * what is kept is each core's own. So who finds none left asks its own core first, where it knows
 * at once whether to try again, and only then, without waiting, the others.
 */
#include "core_pvt.h"

void sl_shedder_add(struct sl_shedder *shedder)
{
	sl_list_append(&sl_core_self()->shedders, &shedder->node);
}

static bool shed_here(struct sl_core *core)
{
	sl_list_each_safe(n, &core->shedders) {
		struct sl_shedder *s = sl_list_entry(n, struct sl_shedder, node);

		if (s->shed(s))
			return true;
	}
	return false;
}

static void asked(struct sl_msg *msg)
{
	shed_here(sl_core_self());
	free(msg);
}

bool sl_descriptors_shed(void)
{
	struct sl_core *self = sl_core_self();

	if (shed_here(self))
		return true;
	for (uint32_t i = 0; i < self->cores->n; i++) {
		struct sl_core *core = self->cores->core[i];
		struct sl_msg *msg = core == self ? NULL : malloc(sizeof(*msg));

		if (!msg)
			continue;
		msg->fn = asked;
		sl_post(core, msg);
	}
	return false;
}
