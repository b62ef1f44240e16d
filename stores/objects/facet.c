/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facet: how often which value stands at a path.
 *
 * Interface: objects_facet() of objects.h. An index of the path counts by itself; without one all
 * objects that match are looked at. Values are gathered as they come and then sorted.
 *
 * Order of parts: values; from an index; from objects; the result; the call.
 */
#include "objects_pvt.h"

/* ---- values ----------------------------------------------------------------------------- */

/**
 * struct faceting - a call, at home.
 * @at: values, several times perhaps; of texts p is where they are in @texts, until the end.
 */
struct faceting {
	struct visit visit;
	const struct sl_filter *filter;
	const char *path;
	uint32_t limit;
	struct sl_objects_facet *at;
	uint32_t n, room;
	char *texts;
	size_t texts_n, texts_room;
	struct sl_objects_facet *result;
	uint32_t result_n;
};

static const char *text_of(const struct faceting *f, const struct sl_operand *v)
{
	return f->texts + (uintptr_t)v->text.p;
}

static int text_keep(struct faceting *f, struct sl_operand *v)
{
	size_t n = v->text.n;

	if (f->texts_room - f->texts_n < n) {
		size_t room = sl_max(f->texts_n + n, f->texts_room * 2);
		char *texts = realloc(f->texts, room);

		if (!texts)
			return -ENOMEM;
		f->texts = texts;
		f->texts_room = room;
	}
	if (n)
		memcpy(f->texts + f->texts_n, v->text.p, n);
	v->text.p = (const char *)(uintptr_t)f->texts_n;
	f->texts_n += n;
	return 0;
}

static int value_add(struct faceting *f, struct sl_operand v, uint64_t n)
{
	if (f->n == f->room) {
		uint32_t room = f->room ? f->room * 2 : 64;
		struct sl_objects_facet *at = realloc(f->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		f->at = at;
		f->room = room;
	}
	if (v.type == SL_VALUE_TEXT && text_keep(f, &v))
		return -ENOMEM;
	f->at[f->n++] = (struct sl_objects_facet){v, n};
	return 0;
}

static int value_compare(const struct faceting *f, const struct sl_operand *a,
			 const struct sl_operand *b)
{
	size_t n;
	int order;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	switch (a->type) {
	case SL_VALUE_BOOLEAN:
		return a->boolean - b->boolean;
	case SL_VALUE_INTEGER:
		return (a->integer > b->integer) - (a->integer < b->integer);
	case SL_VALUE_UUID:
		return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
	default:
		n = sl_min(a->text.n, b->text.n);
		order = n ? memcmp(text_of(f, a), text_of(f, b), n) : 0;
		return order ? order : (a->text.n > b->text.n) - (a->text.n < b->text.n);
	}
}

/* ---- from an index ---------------------------------------------------------------------- */

static int indexed(void *arg, const struct sl_operand *value, uint32_t rows)
{
	return value_add(arg, *value, rows);
}

/* Return: 0; -ENOENT: indexes cannot tell; -errno. */
static int facet_index(struct collection *c, struct faceting *f)
{
	struct sl_row_set *set = NULL;
	bool exact = true;
	int rc = 0;

	if (!collection_has_payload(c) || c->retired || !sl_payload_can_facet(c->payload, f->path))
		return -ENOENT;
	if (f->filter)
		rc = sl_payload_rows(c->payload, f->filter, &set, &exact);
	if (!rc)
		rc = exact ? sl_payload_facet(c->payload, f->path, set, indexed, f) : -ENOENT;
	sl_row_set_free(set);
	return rc;
}

/* ---- from objects ----------------------------------------------------------------------- */

static bool operand_of(const struct sl_value *v, struct sl_operand *ret_operand)
{
	ret_operand->type = sl_value_type(v);
	switch (ret_operand->type) {
	case SL_VALUE_BOOLEAN:
		ret_operand->boolean = sl_value_boolean(v);
		return true;
	case SL_VALUE_INTEGER:
		ret_operand->integer = sl_value_integer(v);
		return true;
	case SL_VALUE_TEXT:
		ret_operand->text.p = sl_value_text(v, &ret_operand->text.n);
		return true;
	case SL_VALUE_UUID:
		memcpy(ret_operand->uuid, sl_value_uuid(v), sizeof(ret_operand->uuid));
		return true;
	default:
		return false;
	}
}

/* Values of one object; @from: the first of these, which count once each. */
struct one {
	struct faceting *f;
	uint32_t from;
};

static int one_add(struct one *one, const struct sl_value *v)
{
	struct faceting *f = one->f;
	struct sl_operand operand;
	int rc;

	if (!operand_of(v, &operand))
		return 0;
	rc = value_add(f, operand, 1);
	for (uint32_t i = one->from; !rc && i + 1 < f->n; i++) {
		if (value_compare(f, &f->at[i].value, &f->at[f->n - 1].value) == 0) {
			f->n--;
			break;
		}
	}
	return rc;
}

static int looked_at(void *arg, const struct sl_value *v)
{
	int rc = 0;

	if (sl_value_type(v) != SL_VALUE_LIST)
		return one_add(arg, v);
	for (uint32_t i = 0; i < sl_value_count(v) && !rc; i++)
		rc = one_add(arg, sl_value_at(v, i));
	return rc;
}

static int facet_objects(struct collection *c, struct faceting *f, int64_t deadline)
{
	struct matches m;
	int rc = matches_find(c, f->filter, &m, deadline);

	if (rc)
		return rc;
	for (uint32_t row = 0; row < c->rows.n && !rc; row++) {
		struct objects_hit hit = {0};
		struct one one = {f, f->n};

		if (!c->rows.at[row].place || !matches_has(&m, row))
			continue;
		rc = object_load(c, row, &hit, deadline);
		if (rc == -ENOENT || rc == -EBADMSG) {
			rc = 0;
			continue;
		}
		if (!rc && (!m.loose || sl_filter_matches(f->filter, hit.object)))
			rc = sl_value_visit(sl_object_properties(hit.object), f->path, looked_at,
					    &one);
		objects_release(&hit, 1);
		if (row % 32 == 0)
			sl_fiber_yield(deadline);
	}
	matches_done(&m);
	return rc;
}

/* ---- the result ------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b, void *f)
{
	const struct sl_objects_facet *x = a, *y = b;

	return value_compare(f, &x->value, &y->value);
}

static int by_count(const void *a, const void *b, void *f)
{
	const struct sl_objects_facet *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return value_compare(f, &x->value, &y->value);
}

/* One entry for each value, the most frequent first, with the texts behind them. */
static int result_make(struct faceting *f)
{
	uint32_t n = 0;
	size_t bytes;
	char *texts;

	if (f->n)
		qsort_r(f->at, f->n, sizeof(*f->at), by_value, f);
	for (uint32_t i = 0; i < f->n; i++) {
		if (n && value_compare(f, &f->at[n - 1].value, &f->at[i].value) == 0)
			f->at[n - 1].n += f->at[i].n;
		else
			f->at[n++] = f->at[i];
	}
	if (n)
		qsort_r(f->at, n, sizeof(*f->at), by_count, f);
	f->result_n = n = sl_min(n, f->limit);
	bytes = n * sizeof(*f->result);
	for (uint32_t i = 0; i < n; i++)
		bytes += f->at[i].value.type == SL_VALUE_TEXT ? f->at[i].value.text.n : 0;
	f->result = malloc(bytes + 1);
	if (!f->result)
		return -ENOMEM;
	texts = (char *)(f->result + n);
	for (uint32_t i = 0; i < n; i++) {
		struct sl_operand *v = &f->result[i].value;

		f->result[i] = f->at[i];
		if (v->type != SL_VALUE_TEXT)
			continue;
		if (v->text.n)
			memcpy(texts, text_of(f, v), v->text.n);
		v->text.p = texts;
		texts += v->text.n;
	}
	return 0;
}

/* ---- the call --------------------------------------------------------------------------- */

static int facet_here(struct collection *c, void *visit, int64_t deadline)
{
	struct faceting *f = visit;
	int rc = f->filter ? sl_filter_check(f->filter, NULL, 0) : 0;

	if (!rc)
		rc = facet_index(c, f);
	if (rc == -ENOENT)
		rc = facet_objects(c, f, deadline);
	if (!rc)
		rc = result_make(f);
	free(f->at);
	free(f->texts);
	return rc;
}

int objects_facet(struct objects *o, const char *name, const struct sl_filter *filter,
		  const char *path, uint32_t limit, struct sl_objects_facet **ret_facets,
		  uint32_t *ret_n, int64_t deadline)
{
	struct faceting f = {.filter = filter, .path = path, .limit = limit};
	int rc = visit(o, name, facet_here, &f.visit, deadline);

	if (rc)
		return rc;
	*ret_facets = f.result;
	*ret_n = f.result_n;
	return 0;
}
