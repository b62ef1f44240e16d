/* SPDX-License-Identifier: Apache-2.0 */
/* info: a collection's figures. Interface: objects_info() of objects.h. */
#include "objects_pvt.h"

struct asking {
	struct visit visit;
	struct objects_info info;
};

static int info_here(struct collection *c, void *visit, int64_t deadline)
{
	struct objects_info *info = &((struct asking *)visit)->info;

	(void)deadline;
	info->objects = c->rows.live;
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		const struct vector *v = c->vectors[i];

		info->vectors += vector_count(v);
		info->indexed += v->main ? sl_index_count(v->main) : 0;
	}
	info->log_bytes = sl_log_bytes(c->log);
	info->live_bytes = c->live_bytes;
	info->memory_bytes = collection_bytes(c);
	info->indexing = c->indexing;
	info->failed = sl_log_failed(c->log);
	return 0;
}

int objects_info(struct objects *o, const char *name, struct objects_info *ret_info,
		 int64_t deadline)
{
	struct asking a = {0};
	int rc = visit(o, name, info_here, &a.visit, deadline);

	if (!rc)
		*ret_info = a.info;
	return rc;
}
