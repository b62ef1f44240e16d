/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which payload index knows about a condition's path.
 *
 * Interface: payload_pvt.h. Of a condition within nested ones the paths are put together; that goes
 * through lists, so [] may stand in an index's path or not.
 *
 * Order of parts: steps; finding.
 */
#include <string.h>

#include "object_pvt.h"
#include "payload_pvt.h"

/* ---- steps ------------------------------------------------------------------------------ */

/* The next step that is not []. */
static struct step next_step(const char **path)
{
	struct step s;

	do
		s = object_path_step(path);
	while (s.kind == STEP_ALL);
	return s;
}

static bool is_step(struct step a, struct step b)
{
	return a.kind == b.kind && a.item == b.item && a.name_n == b.name_n &&
	       (!a.name_n || !memcmp(a.name, b.name, a.name_n));
}

/* Whether @path begins with these steps; it is moved behind them. */
static bool begins_with(const char **path, const char *steps)
{
	struct step s;

	while ((s = next_step(&steps)).kind != STEP_END)
		if (!is_step(s, next_step(path)))
			return false;
	return true;
}

static bool is_within(const char **path, const struct payload_nest *in)
{
	return !in || (is_within(path, in->up) && begins_with(path, in->path));
}

/* ---- finding ---------------------------------------------------------------------------- */

static bool is_of(const struct payload_index *x, const struct payload_nest *in, const char *path)
{
	const char *rest = x->path;

	if (!x->ready)
		return false;
	if (!in)
		return !strcmp(x->path, path);
	return is_within(&rest, in) && begins_with(&rest, path) &&
	       next_step(&rest).kind == STEP_END;
}

struct payload_index *payload_find(const struct sl_payload *p, const struct payload_nest *in,
				   const char *path, enum sl_payload_type type)
{
	for (uint32_t i = 0; i < p->index_n; i++) {
		struct payload_index *x = p->indexes[i];

		if ((type == PAYLOAD_ANY || x->conf.type == type) && is_of(x, in, path))
			return x;
	}
	return NULL;
}

struct payload_index *payload_find_for(const struct sl_payload *p, const struct payload_nest *in,
				       const char *path, enum sl_value_type type)
{
	struct payload_index *x;

	switch (type) {
	case SL_VALUE_BOOLEAN:
		return payload_find(p, in, path, SL_PAYLOAD_BOOLEAN);
	case SL_VALUE_INTEGER:
	case SL_VALUE_NUMBER:
		x = payload_find(p, in, path, SL_PAYLOAD_INTEGER);
		return x ? x : payload_find(p, in, path, SL_PAYLOAD_NUMBER);
	case SL_VALUE_TEXT:
		return payload_find(p, in, path, SL_PAYLOAD_KEYWORD);
	case SL_VALUE_DATE:
		return payload_find(p, in, path, SL_PAYLOAD_DATE);
	case SL_VALUE_UUID:
		return payload_find(p, in, path, SL_PAYLOAD_UUID);
	default:
		return NULL;
	}
}

struct payload_index *payload_find_range(const struct sl_payload *p, const struct payload_nest *in,
					 const struct sl_filter *f)
{
	enum sl_value_type low = f->range.low.type, high = f->range.high.type;
	enum sl_value_type type = low != SL_VALUE_NULL ? low : high;

	return payload_find_for(p, in, f->path, type == SL_VALUE_NULL ? SL_VALUE_NUMBER : type);
}

const struct word *payload_word(const struct payload_index *x, const struct sl_operand *o)
{
	switch (o->type) {
	case SL_VALUE_BOOLEAN:
		return dict_find(&x->dict, &o->boolean, 1);
	case SL_VALUE_UUID:
		return dict_find(&x->dict, o->uuid, sizeof(o->uuid));
	default:
		SL_ASSERT(o->type == SL_VALUE_TEXT);
		return dict_find(&x->dict, o->text.p, (uint32_t)o->text.n);
	}
}

bool payload_has_tokens(const struct payload_index *x, const struct sl_filter *f)
{
	const struct sl_tokeniser *t = &x->conf.tokeniser, *u = &f->tokeniser;

	return t->kind == u->kind && t->keep_case == u->keep_case && t->min == u->min &&
	       t->max == u->max;
}
