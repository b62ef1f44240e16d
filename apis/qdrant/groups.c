// SPDX-License-Identifier: Apache-2.0
/*
 * Searches whose hits are put together by a value of theirs.
 *
 * Interface: the handlers of grouped searches. The search is asked for more hits, four times as
 * many each time, until all groups that are wanted are full, there are no more hits, or
 * GROUPED_MAX of them. A hit with several values stands in several groups; groups are in the order
 * of their first hits.
 *
 * Order of parts: groups; filling them; searching; looking up; answers; handlers.
 */
#include <errno.h>
#include <string.h>

#include <sluice/bytes.h>

#include "qdrant_pvt.h"

/* ---- groups ----------------------------------------------------------------------------- */

enum { GROUPED_MAX = 10000, GROUP_SIZE_MAX = 1000 };

/* @value: within the object of its first hit. @hits: numbers of hits, @n of them. */
struct group {
	const struct sl_value *value;
	uint32_t n, *hits;
};

/**
 * struct grouping - @path: where the value is. @limit: groups, @size: hits of each, at most.
 * @full: groups that have as many hits as may be.
 */
struct grouping {
	struct qd_call *c;
	const char *path;
	uint32_t limit, size, n, full;
	struct group *groups;
	uint32_t hit; /* the one at hand */
};

static int read_grouping(struct qd_call *c, struct grouping *ret)
{
	uint64_t limit = 10, size = 3;
	int err = qd_get_string(c, c->body, "group_by", &ret->path);

	if (!err && !ret->path)
		err = qd_format_error(c, "missing field `group_by`");
	if (!err)
		err = qd_get_uint(c, c->body, "limit", GROUPED_MAX, &limit);
	if (!err)
		err = qd_get_uint(c, c->body, "group_size", GROUP_SIZE_MAX, &size);
	if (!err && (!limit || !size))
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [limit, group_size: must be 1 "
			       "or larger]");
	ret->c = c;
	ret->limit = (uint32_t)limit;
	ret->size = (uint32_t)size;
	return err;
}

/* ---- filling them ----------------------------------------------------------------------- */

/* Values that groups can have as their ids. */
static bool is_id(const struct sl_value *v)
{
	enum sl_value_type type = sl_value_type(v);

	return type == SL_VALUE_INTEGER || type == SL_VALUE_TEXT || type == SL_VALUE_UUID;
}

static struct group *find_group(struct grouping *g, const struct sl_value *v)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (!sl_value_compare(g->groups[i].value, v))
			return &g->groups[i];
	if (g->n == g->limit)
		return NULL;
	g->groups[g->n] = (struct group){.value = v,
					 .hits = http_arena_array(&g->c->arena, uint32_t, g->size)};
	return &g->groups[g->n++];
}

/* Puts the hit at hand into the group of @v. */
static int add_value(void *arg, const struct sl_value *v)
{
	struct grouping *g = arg;
	struct group *group;

	if (sl_value_type(v) == SL_VALUE_LIST) {
		int err = 0;

		for (uint32_t i = 0; !err && i < sl_value_count(v); i++)
			if (sl_value_type(sl_value_at(v, i)) != SL_VALUE_LIST)
				err = add_value(arg, sl_value_at(v, i));
		return err;
	}
	group = is_id(v) ? find_group(g, v) : NULL;
	if (!group || group->n == g->size)
		return 0;
	if (!group->hits)
		return -ENOMEM;
	if (group->n && group->hits[group->n - 1] == g->hit)
		return 0;
	group->hits[group->n++] = g->hit;
	g->full += group->n == g->size;
	return 0;
}

static int fill(struct grouping *g, const struct qd_query *q)
{
	int err = 0;

	g->n = g->full = 0;
	g->groups = http_arena_array(&g->c->arena, struct group, g->limit);
	if (!g->groups)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < q->n; i++) {
		g->hit = i;
		if (q->hits[i].object)
			err = sl_value_visit(sl_object_properties(q->hits[i].object), g->path,
					     add_value, g);
	}
	if (err == -EINVAL)
		return qd_wrong(g->c, 400, "Wrong input: group_by: \"%.100s\" is no path", g->path);
	return err;
}

/* ---- searching -------------------------------------------------------------------------- */

static int search_once(struct grouping *g, enum qd_dialect dialect, uint32_t k, struct qd_query *q)
{
	int err = qd_query_parse(g->c, g->c->body, dialect, q);

	if (err)
		return err;
	q->q.with_objects = true;
	q->limit = k;
	q->offset = 0;
	for (uint32_t i = 0; i < q->prefetch_n; i++)
		q->prefetch[i].limit = sl_max(q->prefetch[i].limit, k);
	err = qd_run(g->c, q, 1);
	return err ? err : fill(g, q);
}

static int search(struct grouping *g, enum qd_dialect dialect, struct qd_query *q)
{
	uint32_t k = sl_min(4 * g->limit * g->size, (uint32_t)GROUPED_MAX);

	for (;;) {
		int err = search_once(g, dialect, k, q);

		if (err || g->full == g->limit || q->n < k || k == GROUPED_MAX)
			return err;
		qd_query_done(q);
		k = sl_min(4 * k, (uint32_t)GROUPED_MAX);
	}
}

/* ---- looking up ------------------------------------------------------------------------- */

/* "with_lookup": points of another collection, whose ids are those of the groups. */
struct lookup {
	const char *collection;
	struct qd_select select;
	struct objects_hit *hits; /* one a group */
};

static int read_lookup(struct qd_call *c, struct lookup *ret)
{
	yyjson_val *v = qd_member(c->body, "with_lookup");
	int err;

	ret->select.payload = true;
	if (!v || yyjson_is_str(v)) {
		ret->collection = yyjson_get_str(v);
		return 0;
	}
	err = qd_get_string(c, v, "collection", &ret->collection);
	return err ? err : qd_select(c, v, &ret->select);
}

/* The point that a group's id may be the id of. */
static struct sl_filter_key key_of(const struct sl_value *v)
{
	struct sl_filter_key key = {0};
	const char *text;
	size_t n;

	switch (sl_value_type(v)) {
	case SL_VALUE_INTEGER:
		return sl_value_integer(v) >= 0 ? objects_key_integer((uint64_t)sl_value_integer(v))
						: key;
	case SL_VALUE_UUID:
		return objects_key_uuid(sl_value_uuid(v));
	default:
		text = sl_value_text(v, &n);
		qd_id_text(text, n, &key);
		return key;
	}
}

static int look_up(struct grouping *g, struct lookup *l)
{
	struct sl_filter_key *keys = http_arena_array(&g->c->arena, struct sl_filter_key, g->n);
	struct objects_hit *hits = http_arena_array(&g->c->arena, struct objects_hit, g->n);
	uint32_t n = 0;
	int err;

	l->hits = http_arena_array(&g->c->arena, struct objects_hit, g->n);
	if (!keys || !hits || !l->hits)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->n; i++) {
		keys[n] = key_of(g->groups[i].value);
		n += keys[n].kind != SL_KEY_NONE;
	}
	err = n ? objects_get(g->c->o, l->collection, keys, n, hits, g->c->deadline) : 0;
	if (err == -ENOENT)
		return qd_no_collection(g->c, l->collection);
	n = 0;
	for (uint32_t i = 0; !err && i < g->n; i++)
		if (key_of(g->groups[i].value).kind != SL_KEY_NONE)
			l->hits[i] = hits[n++];
	return err;
}

/* ---- answers ---------------------------------------------------------------------------- */

static void put_group(struct grouping *g, const struct group *group, const struct qd_query *q,
		      const struct lookup *l)
{
	struct http_json *j = &g->c->j;
	const struct objects_hit *found = l->hits ? &l->hits[group - g->groups] : NULL;

	http_json_open(j, '{');
	http_json_key(j, "hits");
	http_json_open(j, '[');
	for (uint32_t i = 0; i < group->n; i++)
		qd_put_hit(j, &q->hits[group->hits[i]], &q->select, true);
	http_json_close(j, ']');
	http_json_key(j, "id");
	http_json_value(j, SL_JSON_POINT, group->value);
	if (found && found->object) {
		http_json_key(j, "lookup");
		qd_put_hit(j, found, &l->select, false);
	}
	http_json_close(j, '}');
}

static int answer(struct qd_call *c, enum qd_dialect dialect)
{
	struct qd_query *q = http_arena_new(&c->arena, struct qd_query);
	struct grouping g = {0};
	struct lookup l = {0};
	int err = q ? read_grouping(c, &g) : -ENOMEM;

	if (!err)
		err = read_lookup(c, &l);
	if (err)
		return err;
	err = search(&g, dialect, q);
	if (!err && l.collection)
		err = look_up(&g, &l);
	if (!err) {
		http_json_open(&c->j, '{');
		http_json_key(&c->j, "groups");
		http_json_open(&c->j, '[');
		for (uint32_t i = 0; i < g.n; i++)
			put_group(&g, &g.groups[i], q, &l);
		http_json_close(&c->j, ']');
		http_json_close(&c->j, '}');
	}
	if (l.hits)
		objects_release(l.hits, g.n);
	qd_query_done(q);
	return err;
}

/* ---- handlers --------------------------------------------------------------------------- */

int qd_query_groups(struct qd_call *c)
{
	return answer(c, QD_QUERY);
}

int qd_search_groups(struct qd_call *c)
{
	return answer(c, QD_SEARCH);
}

int qd_recommend_groups(struct qd_call *c)
{
	return answer(c, QD_RECOMMEND);
}
