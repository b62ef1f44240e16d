/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as a GraphQL document: it is refused with a place in it, or what it means, written and
 * read again, means the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apis/weaviate/graphql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_members(struct sl_text *t, const struct gql_value *v);

static void put_text(struct sl_text *t, const struct gql_value *v)
{
	sl_text_put_string(t, "\"");
	for (uint32_t i = 0; i < v->n; i++) {
		unsigned char c = (unsigned char)v->text[i];

		if (c < 0x20 || c == '"' || c == '\\')
			sl_text_printf(t, "\\u%04x", c);
		else
			sl_text_put(t, &v->text[i], 1);
	}
	sl_text_put_string(t, "\"");
}

static void put_value(struct sl_text *t, const struct gql_value *v)
{
	switch (v->kind) {
	case GQL_NULL:
		sl_text_put_string(t, "null");
		break;
	case GQL_BOOLEAN:
		sl_text_put_string(t, v->boolean ? "true" : "false");
		break;
	case GQL_INTEGER:
		sl_text_printf(t, "%" PRId64, v->integer);
		break;
	case GQL_NUMBER:
		sl_text_printf(t, "%.17e", v->number);
		break;
	case GQL_STRING:
		put_text(t, v);
		break;
	case GQL_ENUM:
		SL_ASSERT(strlen(v->text) == v->n);
		sl_text_put_string(t, v->text);
		break;
	case GQL_LIST:
		sl_text_put_string(t, "[");
		for (uint32_t i = 0; i < v->n; i++) {
			put_value(t, &v->items[i]);
			sl_text_put_string(t, " ");
		}
		sl_text_put_string(t, "]");
		break;
	default:
		SL_ASSERT(v->kind == GQL_OBJECT);
		sl_text_put_string(t, "{");
		put_members(t, v);
		sl_text_put_string(t, "}");
	}
}

static void put_members(struct sl_text *t, const struct gql_value *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		sl_text_put(t, v->members[i].name.p, v->members[i].name.n);
		sl_text_put_string(t, ":");
		put_value(t, &v->members[i].value);
		sl_text_put_string(t, " ");
	}
}

static void put_selections(struct sl_text *t, const struct gql_selection *s)
{
	sl_text_put_string(t, "{");
	for (; s; s = s->next) {
		if (s->fragment) {
			sl_text_put_string(t, s->name.n ? "... on " : "...");
			sl_text_put(t, s->name.p, s->name.n);
		} else {
			sl_text_put(t, s->alias.p, s->alias.n);
			sl_text_put_string(t, ":");
			sl_text_put(t, s->name.p, s->name.n);
		}
		if (s->args.n) {
			sl_text_put_string(t, "(");
			put_members(t, &s->args);
			sl_text_put_string(t, ")");
		}
		if (s->first)
			put_selections(t, s->first);
		sl_text_put_string(t, " ");
	}
	sl_text_put_string(t, "}");
}

/* What is selected, as text; -EPROTO and the like. */
static int read_text(const char *p, size_t n, struct sl_text *ret)
{
	const struct gql_selection *first = NULL;
	struct gql_error error = {0};
	struct http_arena a;
	char *text = malloc(n + 1);
	int err;

	SL_ASSERT(text);
	memcpy(text, p, n);
	text[n] = 0;
	http_arena_init(&a, 64 << 20);
	err = gql_parse(&a, text, n, (struct http_str){0}, NULL, &first, &error);
	SL_ASSERT(err != -EPROTO || (error.line && error.column && error.text[0]));
	if (!err)
		put_selections(ret, first);
	http_arena_done(&a);
	free(text);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl_text once = {0}, twice = {0};

	/* Nothing is left to be written where all was skipped. */
	if (!read_text((const char *)data, size, &once) && !memmem(once.data, once.len, "{}", 2)) {
		SL_ASSERT(!read_text(once.data, once.len, &twice));
		SL_ASSERT(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
	}
	sl_text_done(&once);
	sl_text_done(&twice);
	return 0;
}
