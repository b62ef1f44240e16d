// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL: a query's text as a tree.
 *
 * Interface: graphql.h. By the grammar of the specification of October 2021, of which definitions
 * of types are left out. A document is read once, token by token (graphql_token.c); variables are
 * replaced as they come. Fragments are found afterwards, for they may stand behind their use.
 * Invariants: no call goes deeper than GQL_DEPTH_MAX; the tree has no circle, and walking it meets
 * at most GQL_SELECTIONS_MAX selections.
 *
 * Order of parts: what is read; JSON; values; variables; selections; documents; fragments; calls.
 */
#include "graphql_pvt.h"

#include <errno.h>
#include <string.h>

/* ---- what is read ----------------------------------------------------------------------- */

/* A fragment, @type is what it is on; or an operation. */
struct definition {
	struct http_str name, type;
	struct gql_selection *first;
	struct definition *next;
};

/* The use of a fragment by its name, until it is known. */
struct spread {
	struct gql_selection *selection;
	struct http_str name;
	const char *at;
	struct spread *next;
};

/**
 * struct reading - one document.
 * @t: its text. @operation: which of its operations is meant.
 * @values, @variables: what the client sent with it, and what the last operation declares.
 */
struct reading {
	struct http_arena *a;
	struct gql_tokens t;
	struct http_str operation;
	yyjson_val *values;
	struct gql_member *variables;
	uint32_t variables_n;
	struct definition *operations, *fragments;
	struct spread *spreads;
};

static bool str_is(struct http_str s, const char *literal)
{
	return s.n == strlen(literal) && !memcmp(s.p, literal, s.n);
}

static bool str_same(struct http_str a, struct http_str b)
{
	return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

/* ---- JSON ------------------------------------------------------------------------------- */

static int json_value(struct http_arena *a, yyjson_val *json, uint32_t depth,
		      struct gql_value *ret);

static int json_list(struct http_arena *a, yyjson_val *json, uint32_t depth, struct gql_value *ret)
{
	size_t n = yyjson_arr_size(json);
	struct gql_value *items = http_arena_array(a, struct gql_value, n);
	yyjson_arr_iter iter;
	int err = items ? 0 : -ENOMEM;

	yyjson_arr_iter_init(json, &iter);
	for (size_t i = 0; i < n && !err; i++)
		err = json_value(a, yyjson_arr_iter_next(&iter), depth, &items[i]);
	*ret = (struct gql_value){.kind = GQL_LIST, .n = (uint32_t)n, .items = items};
	return err;
}

static int json_object(struct http_arena *a, yyjson_val *json, uint32_t depth,
		       struct gql_value *ret)
{
	size_t n = yyjson_obj_size(json);
	struct gql_member *members = http_arena_array(a, struct gql_member, n);
	yyjson_obj_iter iter;
	int err = members ? 0 : -ENOMEM;

	yyjson_obj_iter_init(json, &iter);
	for (size_t i = 0; i < n && !err; i++) {
		yyjson_val *name = yyjson_obj_iter_next(&iter);

		members[i].name = (struct http_str){yyjson_get_str(name), yyjson_get_len(name)};
		err = json_value(a, yyjson_obj_iter_get_val(name), depth, &members[i].value);
	}
	*ret = (struct gql_value){.kind = GQL_OBJECT, .n = (uint32_t)n, .members = members};
	return err;
}

static int json_value(struct http_arena *a, yyjson_val *json, uint32_t depth, struct gql_value *ret)
{
	if (depth >= GQL_DEPTH_MAX)
		return -EMSGSIZE;
	if (yyjson_is_arr(json))
		return json_list(a, json, depth + 1, ret);
	if (yyjson_is_obj(json))
		return json_object(a, json, depth + 1, ret);
	*ret = (struct gql_value){.kind = GQL_NULL};
	if (yyjson_is_bool(json))
		*ret = (struct gql_value){.kind = GQL_BOOLEAN, .boolean = yyjson_get_bool(json)};
	else if (yyjson_is_sint(json) ||
		 (yyjson_is_uint(json) && yyjson_get_uint(json) <= INT64_MAX))
		*ret = (struct gql_value){.kind = GQL_INTEGER, .integer = yyjson_get_sint(json)};
	else if (yyjson_is_num(json))
		*ret = (struct gql_value){.kind = GQL_NUMBER, .number = yyjson_get_num(json)};
	else if (yyjson_is_str(json))
		*ret = (struct gql_value){.kind = GQL_STRING,
					  .n = (uint32_t)yyjson_get_len(json),
					  .text = yyjson_get_str(json)};
	return 0;
}

/* ---- values ----------------------------------------------------------------------------- */

static int take_value(struct reading *r, uint32_t depth, struct gql_value *ret);

/* Room for one more of @n things of @size bytes at @p; it doubles. */
static void *room_for(struct http_arena *a, void *p, uint32_t n, size_t size)
{
	enum { FIRST = 8 };
	void *more;

	if (n && (n < FIRST || (n & (n - 1))))
		return p;
	more = http_arena_alloc(a, (n ? 2ul * n : FIRST) * size, 8);
	if (more && n)
		memcpy(more, p, n * size);
	return more;
}

static int take_list(struct reading *r, uint32_t depth, struct gql_value *ret)
{
	struct gql_value *items = NULL;
	uint32_t n = 0;

	while (!gql_take(&r->t, ']')) {
		int err;

		items = room_for(r->a, items, n, sizeof(*items));
		if (!items)
			return -ENOMEM;
		err = take_value(r, depth, &items[n++]);
		if (err)
			return err;
	}
	*ret = (struct gql_value){.kind = GQL_LIST, .n = n, .items = items};
	return 0;
}

/* Names with their values up to @closing: an object, or arguments. */
static int take_members(struct reading *r, char closing, uint32_t depth, struct gql_value *ret)
{
	struct gql_member *members = NULL;
	uint32_t n = 0;

	while (!gql_take(&r->t, closing)) {
		int err;

		members = room_for(r->a, members, n, sizeof(*members));
		if (!members)
			return -ENOMEM;
		err = gql_take_name(&r->t, &members[n].name);
		if (!err)
			err = gql_expect(&r->t, ':');
		if (!err)
			err = take_value(r, depth, &members[n].value);
		if (err)
			return err;
		n++;
	}
	*ret = (struct gql_value){.kind = GQL_OBJECT, .n = n, .members = members};
	return 0;
}

static int take_variable(struct reading *r, struct gql_value *ret)
{
	const char *at = r->t.p - 1;
	struct http_str name;
	int err = gql_take_name(&r->t, &name);

	if (err)
		return err;
	for (uint32_t i = 0; i < r->variables_n; i++) {
		if (!str_same(r->variables[i].name, name))
			continue;
		*ret = r->variables[i].value;
		return 0;
	}
	return gql_wrong(&r->t, at, "Variable \"$%.*s\" is not defined",
			 (int)sl_min(name.n, (size_t)64), name.p);
}

static int take_word(struct reading *r, struct gql_value *ret)
{
	struct http_str name;
	char *text;
	int err = gql_take_name(&r->t, &name);

	if (err)
		return err;
	*ret = (struct gql_value){.kind = GQL_NULL};
	if (str_is(name, "null"))
		return 0;
	if (str_is(name, "true") || str_is(name, "false")) {
		*ret = (struct gql_value){.kind = GQL_BOOLEAN, .boolean = name.n == 4};
		return 0;
	}
	/* What stands behind it is still to be read: no NUL can be put there. */
	text = http_arena_text(r->a, name.p, name.n);
	*ret = (struct gql_value){.kind = GQL_ENUM, .n = (uint32_t)name.n, .text = text};
	return text ? 0 : -ENOMEM;
}

static int take_value(struct reading *r, uint32_t depth, struct gql_value *ret)
{
	gql_skip(&r->t);
	if (depth >= GQL_DEPTH_MAX)
		return gql_wrong(&r->t, r->t.p, "Values are more than %d deep", GQL_DEPTH_MAX);
	if (*r->t.p == '-' || gql_is_digit(*r->t.p))
		return gql_take_number(&r->t, ret);
	if (*r->t.p == '"')
		return gql_take_text(&r->t, ret);
	if (gql_take(&r->t, '['))
		return take_list(r, depth + 1, ret);
	if (gql_take(&r->t, '{'))
		return take_members(r, '}', depth + 1, ret);
	if (gql_take(&r->t, '$'))
		return take_variable(r, ret);
	if (gql_is_letter(*r->t.p))
		return take_word(r, ret);
	return gql_unexpected(&r->t, "a value");
}

/* ---- variables -------------------------------------------------------------------------- */

/* A type is read and not looked at: what takes the value looks at that. */
static int take_type(struct reading *r, bool *ret_wanted)
{
	struct http_str name;
	uint32_t lists = 0;
	int err;

	while (gql_take(&r->t, '[') && lists < GQL_DEPTH_MAX)
		lists++;
	err = gql_take_name(&r->t, &name);
	*ret_wanted = !err && gql_take(&r->t, '!');
	while (!err && lists--) {
		err = gql_expect(&r->t, ']');
		*ret_wanted = !err && gql_take(&r->t, '!');
	}
	return err;
}

/* What the client sent for it, or its default. */
static int value_of(struct reading *r, const char *at, struct gql_member *m, bool wanted)
{
	yyjson_val *sent = yyjson_obj_getn(r->values, m->name.p, m->name.n);
	int err = sent ? json_value(r->a, sent, 0, &m->value) : 0;

	if (err == -EMSGSIZE)
		return gql_wrong(&r->t, at, "A variable's values are more than %d deep",
				 GQL_DEPTH_MAX);
	if (!err && wanted && m->value.kind == GQL_NULL)
		return gql_wrong(&r->t, at, "Variable \"$%.*s\" is required, and has no value",
				 (int)sl_min(m->name.n, (size_t)64), m->name.p);
	return err;
}

static int take_directives(struct reading *r, bool *ret_drop);

/* @meant: it may be the operation that is meant, whose variables must be there. */
static int take_variables(struct reading *r, bool meant)
{
	bool wanted, drop;
	int err = 0;

	r->variables = NULL;
	r->variables_n = 0;
	if (!gql_take(&r->t, '('))
		return 0;
	while (!err && !gql_take(&r->t, ')')) {
		struct gql_member *m;
		const char *at = r->t.p;

		r->variables = room_for(r->a, r->variables, r->variables_n, sizeof(*m));
		if (!r->variables)
			return -ENOMEM;
		m = &r->variables[r->variables_n];
		*m = (struct gql_member){0};
		err = gql_expect(&r->t, '$');
		err = err ? err : gql_take_name(&r->t, &m->name);
		err = err ? err : gql_expect(&r->t, ':');
		err = err ? err : take_type(r, &wanted);
		if (!err && gql_take(&r->t, '='))
			err = take_value(r, 0, &m->value);
		err = err ? err : take_directives(r, &drop);
		err = err ? err : value_of(r, at, m, wanted && meant);
		r->variables_n++;
	}
	return err;
}

/* ---- selections ------------------------------------------------------------------------- */

static int take_directive(struct reading *r, bool *ret_drop)
{
	const struct gql_value *condition;
	const char *at = r->t.p;
	struct gql_value args = {.kind = GQL_OBJECT};
	struct http_str name;
	int err = gql_take_name(&r->t, &name);

	if (!err && gql_take(&r->t, '('))
		err = take_members(r, ')', 0, &args);
	if (err)
		return err;
	condition = gql_get(&args, "if");
	if ((!str_is(name, "skip") && !str_is(name, "include")) || !condition ||
	    condition->kind != GQL_BOOLEAN)
		return gql_wrong(&r->t, at, "Directives are @skip(if: ...) and @include(if: ...)");
	*ret_drop |= condition->boolean == str_is(name, "skip");
	return 0;
}

/* @ret_drop: the selection is not meant. */
static int take_directives(struct reading *r, bool *ret_drop)
{
	int err = 0;

	*ret_drop = false;
	while (!err && gql_take(&r->t, '@'))
		err = take_directive(r, ret_drop);
	return err;
}

static int take_selections(struct reading *r, uint32_t depth, struct gql_selection **ret_first);

static int take_field(struct reading *r, uint32_t depth, struct gql_selection *s, bool *ret_drop)
{
	int err = gql_take_name(&r->t, &s->name);

	s->alias = s->name;
	if (!err && gql_take(&r->t, ':'))
		err = gql_take_name(&r->t, &s->name);
	if (!err && gql_take(&r->t, '('))
		err = take_members(r, ')', 0, &s->args);
	if (!err)
		err = take_directives(r, ret_drop);
	if (!err && gql_take(&r->t, '{'))
		err = take_selections(r, depth + 1, (struct gql_selection **)&s->first);
	return err;
}

static int take_spread(struct reading *r, struct gql_selection *s, struct http_str name,
		       const char *at, bool *ret_drop)
{
	struct spread *spread = http_arena_new(r->a, struct spread);

	if (!spread)
		return -ENOMEM;
	*spread = (struct spread){.selection = s, .name = name, .at = at, .next = r->spreads};
	r->spreads = spread;
	return take_directives(r, ret_drop);
}

/* Behind the dots: "on Type {", "{", or the name of a fragment. */
static int take_fragment(struct reading *r, uint32_t depth, struct gql_selection *s, bool *ret_drop)
{
	const char *at = r->t.p;
	struct http_str name = {0};
	int err = 0;

	s->fragment = true;
	gql_skip(&r->t);
	if (gql_is_letter(*r->t.p))
		err = gql_take_name(&r->t, &name);
	if (!err && name.n && !str_is(name, "on"))
		return take_spread(r, s, name, at, ret_drop);
	if (!err && name.n)
		err = gql_take_name(&r->t, &s->name);
	if (!err)
		err = take_directives(r, ret_drop);
	if (!err)
		err = gql_expect(&r->t, '{');
	return err ? err : take_selections(r, depth + 1, (struct gql_selection **)&s->first);
}

/* Behind the bracket, up to the one that closes. */
static int take_selections(struct reading *r, uint32_t depth, struct gql_selection **ret_first)
{
	struct gql_selection **last = ret_first;
	bool drop = false;
	int err;

	if (depth >= GQL_DEPTH_MAX)
		return gql_wrong(&r->t, r->t.p, "Selections are more than %d deep", GQL_DEPTH_MAX);
	*ret_first = NULL;
	do {
		struct gql_selection *s = http_arena_new(r->a, struct gql_selection);

		if (!s)
			return -ENOMEM;
		s->args.kind = GQL_OBJECT;
		err = gql_take_dots(&r->t) ? take_fragment(r, depth, s, &drop)
					   : take_field(r, depth, s, &drop);
		if (err)
			return err;
		if (!drop) {
			*last = s;
			last = (struct gql_selection **)&s->next;
		}
	} while (!gql_take(&r->t, '}'));
	return 0;
}

/* ---- documents -------------------------------------------------------------------------- */

static int define(struct reading *r, struct definition **list, struct http_str name,
		  struct http_str type)
{
	struct definition *d = http_arena_new(r->a, struct definition);
	int err = d ? gql_expect(&r->t, '{') : -ENOMEM;

	if (err)
		return err;
	d->name = name;
	d->type = type;
	d->next = *list;
	*list = d;
	return take_selections(r, 0, &d->first);
}

static int take_fragment_definition(struct reading *r)
{
	struct http_str name, on, type;
	bool drop;
	int err = gql_take_name(&r->t, &name);

	if (!err)
		err = gql_take_name(&r->t, &on);
	if (!err && !str_is(on, "on"))
		return gql_wrong(&r->t, on.p, "Expected 'on' behind a fragment's name");
	if (!err)
		err = gql_take_name(&r->t, &type);
	if (!err)
		err = take_directives(r, &drop);
	if (!err)
		err = define(r, &r->fragments, name, type);
	return err;
}

static int take_operation(struct reading *r)
{
	struct http_str name = {0};
	bool drop;
	int err = 0;

	gql_skip(&r->t);
	if (gql_is_letter(*r->t.p))
		err = gql_take_name(&r->t, &name);
	if (!err)
		err = take_variables(r, !r->operation.n || str_same(name, r->operation));
	if (!err)
		err = take_directives(r, &drop);
	return err ? err : define(r, &r->operations, name, (struct http_str){0});
}

static int take_definition(struct reading *r)
{
	struct http_str word;
	int err;

	if (*r->t.p == '{')
		return define(r, &r->operations, (struct http_str){0}, (struct http_str){0});
	err = gql_take_name(&r->t, &word);
	if (err)
		return err;
	if (str_is(word, "query"))
		return take_operation(r);
	if (str_is(word, "fragment"))
		return take_fragment_definition(r);
	if (str_is(word, "mutation") || str_is(word, "subscription"))
		return gql_wrong(&r->t, word.p, "Schema is not configured for %.*ss", (int)word.n,
				 word.p);
	return gql_wrong(&r->t, word.p, "Expected 'query' or 'fragment', found \"%.*s\"",
			 (int)sl_min(word.n, (size_t)64), word.p);
}

static int take_document(struct reading *r)
{
	int err = 0;

	if (r->t.end - r->t.p >= 3 && !memcmp(r->t.p, "\xef\xbb\xbf", 3))
		r->t.p += 3;
	gql_skip(&r->t);
	while (!err && r->t.p < r->t.end) {
		err = take_definition(r);
		gql_skip(&r->t);
	}
	return err;
}

static int find_operation(struct reading *r, struct http_str wanted, struct definition **ret)
{
	struct definition *found = NULL;

	for (struct definition *d = r->operations; d; d = d->next) {
		if (wanted.n && !str_same(d->name, wanted))
			continue;
		if (found)
			return gql_wrong(&r->t, r->t.begin,
					 "Must provide operation name if query contains "
					 "multiple operations");
		found = d;
	}
	if (!found && wanted.n)
		return gql_wrong(&r->t, r->t.begin, "Unknown operation named \"%.*s\"",
				 (int)sl_min(wanted.n, (size_t)64), wanted.p);
	*ret = found;
	return found ? 0 : gql_wrong(&r->t, r->t.begin, "Must provide an operation");
}

/* ---- fragments -------------------------------------------------------------------------- */

static int find_fragments(struct reading *r)
{
	for (struct spread *s = r->spreads; s; s = s->next) {
		const struct definition *d = r->fragments;

		while (d && !str_same(d->name, s->name))
			d = d->next;
		if (!d)
			return gql_wrong(&r->t, s->at, "Unknown fragment \"%.*s\"",
					 (int)sl_min(s->name.n, (size_t)64), s->name.p);
		s->selection->name = d->type;
		s->selection->first = d->first;
	}
	return 0;
}

/* Fragments may stand within themselves, or multiply: this is where that ends. */
static int walk(struct reading *r, const struct gql_selection *s, uint32_t depth, uint32_t *n)
{
	int err = 0;

	if (s && depth >= GQL_DEPTH_MAX)
		return gql_wrong(&r->t, r->t.begin,
				 "Selections are more than %d deep, their fragments "
				 "included",
				 GQL_DEPTH_MAX);
	for (; s && !err; s = s->next) {
		if (++*n > GQL_SELECTIONS_MAX)
			return gql_wrong(&r->t, r->t.begin, "More than %d selections",
					 GQL_SELECTIONS_MAX);
		err = walk(r, s->first, depth + 1, n);
	}
	return err;
}

/* ---- calls ------------------------------------------------------------------------------ */

const struct gql_value *gql_get(const struct gql_value *object, const char *name)
{
	for (uint32_t i = object->kind == GQL_OBJECT ? object->n : 0; i--;) {
		const struct gql_member *m = &object->members[i];

		if (str_is(m->name, name))
			return m->value.kind == GQL_NULL ? NULL : &m->value;
	}
	return NULL;
}

int gql_of_json(struct http_arena *a, yyjson_val *json, struct gql_value *ret_value)
{
	return json_value(a, json, 0, ret_value);
}

int gql_parse(struct http_arena *a, char *text, size_t n, struct http_str operation,
	      yyjson_val *variables, const struct gql_selection **ret_first,
	      struct gql_error *ret_error)
{
	struct reading r = {.a = a,
			    .t = {.begin = text, .p = text, .end = text + n, .error = ret_error},
			    .operation = operation,
			    .values = variables};
	struct definition *d = NULL;
	uint32_t selections = 0;
	int err;

	SL_ASSERT(!text[n]);
	err = take_document(&r);
	if (!err)
		err = find_operation(&r, operation, &d);
	if (!err)
		err = find_fragments(&r);
	if (!err)
		err = walk(&r, d->first, 0, &selections);
	if (!err)
		*ret_first = d->first;
	return err;
}
