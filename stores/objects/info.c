/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info: a collection's figures, and those of all for /metrics.
 *
 * Interface: objects_info(), objects_search_names() of objects.h; "figures" of objects_pvt.h.
 * Invariant: what is shown each second costs no more than a look at each collection in memory.
 *
 * Order of parts: of a collection; of a core; searches; events.
 */
#include "objects_pvt.h"

/* ---- of a collection -------------------------------------------------------------------- */

struct asking {
	struct visit visit;
	struct sl_objects_info info;
};

static void vectors_count(const struct collection *c, struct sl_objects_info *info)
{
	for (uint32_t i = 0; i < c->vectors_n; i++) {
		const struct vector *v = c->vectors[i];

		info->vectors += vector_count(v);
		info->indexed += v->main ? sl_index_count(v->main) : 0;
	}
}

static int info_here(struct collection *c, void *visit, int64_t deadline)
{
	struct sl_objects_info *info = &((struct asking *)visit)->info;

	(void)deadline;
	info->objects = c->rows.live;
	vectors_count(c, info);
	info->log_bytes = sl_log_bytes(c->log);
	info->live_bytes = c->live_bytes;
	info->memory_bytes = collection_bytes(c);
	info->indexing = c->indexing;
	info->failed = sl_log_failed(c->log);
	return 0;
}

int objects_info(struct objects *o, const char *name, struct sl_objects_info *ret_info,
		 int64_t deadline)
{
	struct asking a = {0};
	int rc = visit(o, name, info_here, &a.visit, deadline);

	if (!rc)
		*ret_info = a.info;
	return rc;
}

/* ---- of a core -------------------------------------------------------------------------- */

void figures_show(const struct core_store *cs)
{
	struct sl_metrics *m = sl_core_metrics(sl_core_self());
	struct sl_objects_info all = {0};
	uint64_t open = 0, indexing = 0;

	sl_list_each(node, &cs->collections) {
		struct collection *c = sl_list_entry(node, struct collection, node);

		if (c->state != COLLECTION_OPEN || c->stale)
			continue;
		open++;
		indexing += c->indexing;
		all.objects += c->rows.live;
		vectors_count(c, &all);
		all.log_bytes += sl_log_bytes(c->log);
		all.live_bytes += c->live_bytes;
		memory_count(c);
		all.memory_bytes += c->counted_bytes;
	}
	if (cs == &cs->o->cores[0])
		sl_metric_set(m, SL_M_OBJECTS_COLLECTIONS, objects_view_count(cs->view));
	sl_metric_set(m, SL_M_OBJECTS_OPEN, open);
	sl_metric_set(m, SL_M_OBJECTS_HELD, all.objects);
	sl_metric_set(m, SL_M_OBJECTS_MEMORY, all.memory_bytes);
	sl_metric_set(m, SL_M_OBJECTS_LOG_BYTES, all.log_bytes);
	sl_metric_set(m, SL_M_OBJECTS_LIVE_BYTES, all.live_bytes);
	sl_metric_set(m, SL_M_OBJECTS_VECTORS, all.vectors);
	sl_metric_set(m, SL_M_OBJECTS_INDEXED, all.indexed);
	sl_metric_set(m, SL_M_OBJECTS_INDEXING, indexing);
}

/* ---- searches --------------------------------------------------------------------------- */

const char *const *objects_search_names(uint32_t *ret_n)
{
	static const char *const names[SEARCH_LAST] = {
		[SEARCH_FLAT] = "flat",		[SEARCH_IVF] = "ivf",
		[SEARCH_HNSW] = "hnsw",		[SEARCH_FILTERED] = "filtered",
		[SEARCH_WEIGHED] = "weighed",
	};

	*ret_n = SEARCH_LAST;
	return names;
}

void search_count(enum search_kind kind, int64_t ns)
{
	struct sl_core *core = sl_core_self();

	if (!core)
		return;
	sl_metric_add1(sl_core_metrics(core), SL_M_OBJECTS_SEARCHES, kind, 1);
	sl_metric_record1(sl_core_metrics(core), SL_M_OBJECTS_SEARCH_TIME, kind, (uint64_t)ns);
}

/* ---- events ----------------------------------------------------------------------------- */

void event_count(enum objects_event event, int64_t a)
{
	switch (event) {
	case OBJECTS_FAILED:
		sl_count(SL_M_OBJECTS_FAILURES, 1);
		break;
	case OBJECTS_LOST:
		sl_count(SL_M_OBJECTS_LOST, (uint64_t)a);
		break;
	case OBJECTS_REBUILT:
		sl_count(SL_M_OBJECTS_REBUILDS, 1);
		break;
	case OBJECTS_CHECKPOINT_FAILED:
		sl_count(SL_M_OBJECTS_CHECKPOINT_FAILURES, 1);
		break;
	case OBJECTS_COMPACTED:
		sl_count(SL_M_OBJECTS_COMPACTIONS, 1);
		sl_count(SL_M_OBJECTS_COMPACTED, (uint64_t)a);
		break;
	default: /* told before there are cores */
		break;
	}
}
