/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offsets: committing, fetching and deleting a group's offsets.
 *
 * Interface: "offsets" of groups.h. A commit is in the journal and durable before it is in memory,
 * so what is fetched survives a crash.
 * Order of parts: fencing; committing; fetching; deleting.
 */
#include <errno.h>

#include "groups_pvt.h"

/* ---- fencing ---------------------------------------------------------------------------- */

/* A commit of nobody's is for groups that have no members: consumers that assign themselves. */
static int fence(const struct group *g, const struct sl_group_member *who,
		 struct group_member **ret_member)
{
	bool nobody = who->generation < 0 && who->member_id.len == 0;
	int rc;

	*ret_member = NULL;
	if (nobody && (!g || g->state == SL_GROUP_EMPTY))
		return 0;
	if (!g)
		return who->generation < 0 ? SL_REFUSED_UNKNOWN_MEMBER : SL_REFUSED_BAD_GENERATION;
	rc = group_check_member(g, who, ret_member);
	if (rc)
		return rc;
	return g->state == SL_GROUP_COMPLETING ? SL_REFUSED_REBALANCING : 0;
}

/* ---- committing ------------------------------------------------------------------------- */

struct commit {
	const struct sl_group_member *who;
	struct sl_offset *offsets;
	uint32_t n;
};

/* Puts those first that are stored; the others keep their refusal. Return: how many. */
static uint32_t commit_check(struct commit *c, struct sl_offset *ret_good, uint32_t metadata_max)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		struct sl_offset *o = &c->offsets[i];

		o->result = o->metadata.len > metadata_max ? SL_REFUSED_METADATA_TOO_LARGE : 0;
		if (!o->result)
			ret_good[good++] = *o;
	}
	return good;
}

/* The group was deleted while the record was on its way, which is behind the deletion. */
static int put_anew(struct shard *sh, struct sl_str id, const struct sl_offset *offsets,
		    uint32_t n, int64_t at_ms, uint64_t point)
{
	struct group *g = shard_group_get(sh, id);
	int rc = g ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !rc; i++)
		rc = group_offset_put(g, &offsets[i], at_ms, point);
	if (g)
		group_leave(g);
	return rc;
}

static int commit_store(struct group *g, const struct sl_offset *offsets, uint32_t n,
			int64_t deadline)
{
	struct shard *sh = g->shard;
	int64_t now_ms = wall_ms();
	struct blob_out b = {0};
	struct journal_write write;
	uint64_t point = 0;
	int rc;

	group_record_begin(&b);
	group_encode_offsets(&b, g->id, offsets, n);
	rc = group_record_end(&b, GROUP_RECORD_OFFSETS, now_ms);
	if (!rc) {
		rc = shard_write(sh, &b, &write, &point, deadline);
		if (!rc && g->state == SL_GROUP_DEAD)
			rc = put_anew(sh, g->id, offsets, n, now_ms, point);
		else
			for (uint32_t i = 0; i < n && !rc; i++)
				rc = group_offset_put(g, &offsets[i], now_ms, point);
		shard_write_end(sh, &write);
	}
	blob_done(&b);
	return rc;
}

static int commit_group(struct group *g, struct commit *c, int64_t deadline)
{
	struct sl_offset *good = calloc(c->n + 1, sizeof(*good));
	uint32_t n;
	int rc = 0;

	if (!good)
		return -ENOMEM;
	n = commit_check(c, good, g->shard->tc->conf.offset_metadata_bytes_max);
	if (n)
		rc = commit_store(g, good, n, deadline);
	free(good);
	return rc;
}

static int commit_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct commit *c = v->arg;
	struct group_member *m;
	int rc = fence(g, c->who, &m);

	if (rc)
		return rc;
	if (m)
		group_member_alive(m);
	g = shard_group_get(v->sh, v->group);
	if (!g)
		return -ENOMEM;
	rc = commit_group(g, c, deadline);
	group_leave(g);
	return rc;
}

int sl_offsets_commit(struct sl_topics *t, const struct sl_group_member *m,
		      struct sl_offset *offsets, uint32_t n, int64_t deadline)
{
	struct commit c = {m, offsets, n};

	return group_visit(t, m->group, commit_here, &c, deadline);
}

/* ---- fetching --------------------------------------------------------------------------- */

struct fetch {
	const struct sl_group_member *who;
	const struct sl_offset *asked;
	uint32_t n;
	struct sl_offset_list *list;
};

struct measure {
	size_t bytes;
	uint32_t n;
};

static void measure_offset(void *arg, struct group_offset *o)
{
	struct measure *m = arg;

	m->bytes += sizeof(struct sl_offset) + o->metadata.len;
	m->n++;
}

static void measure_asked(const struct group *g, const struct fetch *f, struct measure *m)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct group_offset *o =
			g ? group_offset_find(g, &f->asked[i].topic, f->asked[i].partition) : NULL;

		m->bytes += sizeof(struct sl_offset) + (o ? o->metadata.len : 0);
		m->n++;
	}
}

struct fill {
	struct pack pk;
	struct sl_offset *at;
};

static void fill_offset(void *arg, struct group_offset *o)
{
	struct fill *fill = arg;

	*fill->at++ = (struct sl_offset){
		.topic = o->topic,
		.partition = o->partition,
		.epoch = o->epoch,
		.offset = o->offset,
		.metadata = pack_str(&fill->pk, o->metadata),
	};
}

static void fill_asked(const struct group *g, const struct fetch *f, struct fill *fill)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct sl_offset *a = &f->asked[i];
		struct group_offset *o = g ? group_offset_find(g, &a->topic, a->partition) : NULL;

		if (o)
			fill_offset(fill, o);
		else
			*fill->at++ = (struct sl_offset){
				.topic = a->topic,
				.partition = a->partition,
				.epoch = -1,
				.offset = -1,
			};
	}
}

static int fetch_group(struct group *g, const struct fetch *f)
{
	struct sl_offset_list list = {0};
	struct measure m = {0};
	struct fill fill;
	int rc;

	if (f->asked)
		measure_asked(g, f, &m);
	else if (g)
		group_offsets_each(g, measure_offset, &m);
	rc = pack_init(&fill.pk, m.bytes, &list.memory);
	if (rc)
		return rc;
	list.n = m.n;
	list.offsets = fill.at = pack_room(&fill.pk, m.n * sizeof(struct sl_offset));
	if (f->asked)
		fill_asked(g, f, &fill);
	else if (g)
		group_offsets_each(g, fill_offset, &fill);
	SL_ASSERT(fill.at == list.offsets + list.n);
	*f->list = list;
	return 0;
}

static int fetch_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct fetch *f = v->arg;
	struct group_member *m;
	int rc;

	if (f->who->member_id.len) {
		rc = g ? group_check_member(g, f->who, &m) : SL_REFUSED_UNKNOWN_MEMBER;
		if (rc)
			return rc;
	}
	return fetch_group(g, f);
}

int sl_offsets_fetch(struct sl_topics *t, const struct sl_group_member *m,
		     const struct sl_offset *asked, uint32_t n, struct sl_offset_list *ret_list,
		     int64_t deadline)
{
	struct fetch f = {m, asked, n, ret_list};

	return group_visit(t, m->group, fetch_here, &f, deadline);
}

void sl_offset_list_done(struct sl_offset_list *list)
{
	free(list->memory);
	*list = (struct sl_offset_list){0};
}

/* ---- deleting --------------------------------------------------------------------------- */

static int forget_store(struct group *g, const struct sl_offset *offsets, uint32_t n,
			int64_t deadline)
{
	struct blob_out b = {0};
	struct journal_write write;
	uint64_t point = 0;
	int rc;

	group_record_begin(&b);
	group_encode_forget(&b, g->id, offsets, n);
	rc = group_record_end(&b, GROUP_RECORD_FORGET, wall_ms());
	if (!rc) {
		rc = shard_write(g->shard, &b, &write, &point, deadline);
		for (uint32_t i = 0; i < n && !rc; i++) {
			struct group_offset *o = group_offset_find(g, &offsets[i].topic,
								   offsets[i].partition);

			if (o && o->point <= point)
				group_offset_remove(g, o);
		}
		shard_write_end(g->shard, &write);
	}
	blob_done(&b);
	return rc;
}

struct forget {
	struct sl_offset *offsets;
	uint32_t n;
};

static int forget_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct forget *f = v->arg;
	int rc;

	if (!g)
		return SL_REFUSED_UNKNOWN_GROUP;
	for (uint32_t i = 0; i < f->n; i++)
		f->offsets[i].result = g->members_n ? SL_REFUSED_OFFSET_SUBSCRIBED : 0;
	if (g->members_n || f->n == 0)
		return 0;
	g->users++;
	rc = forget_store(g, f->offsets, f->n, deadline);
	group_leave(g);
	return rc;
}

int sl_offsets_delete(struct sl_topics *t, struct sl_str group, struct sl_offset *offsets,
		      uint32_t n, int64_t deadline)
{
	struct forget f = {offsets, n};

	return group_visit(t, group, forget_here, &f, deadline);
}
