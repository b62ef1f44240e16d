/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL: what queries mean, written again in one form, and what is no query.
 *
 * Order of parts: writing; what is meant; variables; fragments; what is refused; bounds; values.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apis/weaviate/graphql.h"
#include "harness.h"

/* ---- writing ---------------------------------------------------------------------------- */

static void write_members(struct sl_text *t, const struct gql_value *v);

static void write_value(struct sl_text *t, const struct gql_value *v)
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
		sl_text_printf(t, "%g", v->number);
		break;
	case GQL_STRING:
		sl_text_printf(t, "'%s'", v->text);
		break;
	case GQL_ENUM:
		sl_text_put_string(t, v->text);
		break;
	case GQL_LIST:
		sl_text_put_string(t, "[");
		for (uint32_t i = 0; i < v->n; i++) {
			sl_text_put_string(t, i ? " " : "");
			write_value(t, &v->items[i]);
		}
		sl_text_put_string(t, "]");
		break;
	default:
		sl_text_put_string(t, "{");
		write_members(t, v);
		sl_text_put_string(t, "}");
	}
}

static void write_members(struct sl_text *t, const struct gql_value *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		const struct gql_member *m = &v->members[i];

		sl_text_printf(t, "%s%.*s:", i ? " " : "", (int)m->name.n, m->name.p);
		write_value(t, &m->value);
	}
}

static void write_selections(struct sl_text *t, const struct gql_selection *s)
{
	for (const char *gap = ""; s; s = s->next, gap = " ") {
		sl_text_put_string(t, gap);
		if (s->fragment)
			sl_text_printf(t, "...%.*s", (int)s->name.n, s->name.p);
		else if (s->alias.p != s->name.p)
			sl_text_printf(t, "%.*s=%.*s", (int)s->alias.n, s->alias.p, (int)s->name.n,
				       s->name.p);
		else
			sl_text_printf(t, "%.*s", (int)s->name.n, s->name.p);
		if (s->args.n) {
			sl_text_put_string(t, "(");
			write_members(t, &s->args);
			sl_text_put_string(t, ")");
		}
		if (s->first) {
			sl_text_put_string(t, "{");
			write_selections(t, s->first);
			sl_text_put_string(t, "}");
		}
	}
}

/* @document with @variables (JSON; NULL: none) written again, or "line:column sentence". */
static char *again(const char *document, const char *operation, const char *variables)
{
	const struct gql_selection *first = NULL;
	struct gql_error error = {0};
	struct sl_text t = {0};
	struct http_arena a;
	yyjson_doc *doc = variables ? yyjson_read(variables, strlen(variables), 0) : NULL;
	char *text = strdup(document);
	int err;

	http_arena_init(&a, 64 << 20);
	err = gql_parse(&a, text, strlen(text), (struct http_str){operation, strlen(operation)},
			doc ? yyjson_doc_get_root(doc) : NULL, &first, &error);
	if (err == -EPROTO)
		sl_text_printf(&t, "%u:%u %s", error.line, error.column, error.text);
	else if (err)
		sl_text_printf(&t, "%d", err);
	else
		write_selections(&t, first);
	sl_text_put(&t, "", 1);
	ASSERT_EQ(0, t.err);
	http_arena_done(&a);
	yyjson_doc_free(doc);
	free(text);
	return t.data;
}

static void expect(const char *wanted, const char *document)
{
	char *seen = again(document, "", NULL);

	if (!EXPECT_STREQ(wanted, seen))
		TH_LOG("%s", document);
	free(seen);
}

static void expect_with(const char *wanted, const char *document, const char *operation,
			const char *variables)
{
	char *seen = again(document, operation, variables);

	if (!EXPECT_STREQ(wanted, seen))
		TH_LOG("%s", document);
	free(seen);
}

/* ---- what is meant ---------------------------------------------------------------------- */

/* As weaviate-ts-client and weaviate-client send it. */
TEST(queries_of_clients_are_read)
{
	expect("Get{A(where:{operator:And operands:[{operator:Equal valueInt:1 path:['a']}]} "
	       "nearVector:{vector:[1 2.5] distance:0.3} limit:2 sort:[{path:['a'] order:asc}])"
	       "{a _additional{id distance} ref{...B{x}}}}",
	       "{Get{A(where:{operator:And,operands:[{operator:Equal,valueInt:1,path:[\"a\"]}]},"
	       "nearVector:{vector:[1,2.5],distance:0.3},limit:2,sort:[{path:[\"a\"],order:asc}])"
	       "{a _additional{id distance} ref { ... on B { x } }}}}");
	expect("Aggregate{A{meta{count}}}", "{Aggregate{A{meta{count}}}}");
}

TEST(operations_may_have_a_word_and_a_name)
{
	expect("Get{A{a}}", "query { Get { A { a } } }");
	expect("Get{A{a}}", "query Q @include(if: true) { Get { A { a } } }");
	expect("a", "\xef\xbb\xbf# a comment\n{ a } # and one at the end");
}

TEST(aliases_are_what_a_field_is_called)
{
	expect("x=Get{y=A(limit:1){z=a}}", "{ x: Get { y : A(limit: 1) { z:a } } }");
}

TEST(values_of_all_kinds)
{
	expect("f(a:null b:true c:false d:-12 e:1.5 f:1e+20 g:'x' h:Equal i:[] j:{} k:[[1] [2 3]])",
	       "{ f(a: null, b: true, c: false, d: -12, e: 1.5, f: 1e20, g: \"x\", h: Equal, "
	       "i: [], j: {}, k: [[1] [2,3,]]) }");
	expect("f(a:9223372036854775807 b:9.22337e+18)",
	       "{ f(a: 9223372036854775807, b: 9223372036854775808) }");
}

TEST(texts_are_values_of_any_form)
{
	expect("f(a:'{ } ( # ...' b:'one\ntwo' c:'' d:'\xe2\x82\xac')",
	       "{f(a:\"{ } ( # ...\" b:\"\"\"\n  one\n  two\"\"\" c:\"\" d:\"\\u20ac\")}");
}

/* ---- variables -------------------------------------------------------------------------- */

TEST(variables_are_replaced)
{
	expect_with("f(a:[1 2.5] b:{x:'y'} c:null d:7 e:[7])",
		    "query Q($a: [Float!]!, $b: In = {x: \"n\"}, $c: Int, $d: Int! = 7)"
		    "{ f(a: $a, b: $b, c: $c, d: $d, e: [$d]) }",
		    "", "{\"a\": [1, 2.5], \"b\": {\"x\": \"y\"}, \"z\": 1}");
	expect_with("1:6 Variable \"$a\" is not defined", "{f(a:$a)}", "", NULL);
}

TEST(variables_that_are_required_must_come)
{
	expect_with("1:9 Variable \"$a\" is required, and has no value",
		    "query Q($a: Int!) {f(a: $a)}", "", "{}");
	expect_with("g", "query Q($a: Int!) {f(a: $a)} query R {g}", "R", "{}");
}

TEST(directives_leave_selections_out)
{
	expect_with("a c",
		    "query($t: Boolean!) { a @include(if: $t) b @skip(if: $t) c "
		    "... @skip(if: $t) { d } }",
		    "", "{\"t\": true}");
	expect("1:6 Directives are @skip(if: ...) and @include(if: ...)", "{ a @upper }");
}

/* ---- fragments -------------------------------------------------------------------------- */

TEST(fragments_stand_anywhere)
{
	expect("Get{A{...A{a b}}}", "fragment F on A { a b } query { Get { A { ...F } } }");
	expect("Get{A{...A{a b} ...A{a b}}}",
	       "{ Get { A { ...F ...F } } } fragment F on A { a b }");
	expect("...{a}", "{ ... { a } }");
	expect("1:6 Unknown fragment \"F\"", "{ ...F }");
}

TEST(operations_are_chosen_by_name)
{
	static const char two[] = "query A { a } query B { b }";

	expect_with("a", two, "A", NULL);
	expect_with("b", two, "B", NULL);
	expect_with("1:1 Unknown operation named \"C\"", two, "C", NULL);
	expect("1:1 Must provide operation name if query contains multiple operations", two);
	expect("1:1 Must provide an operation", "fragment F on A { a }");
	expect("1:1 Must provide an operation", "");
}

/* ---- what is refused -------------------------------------------------------------------- */

TEST(mistakes_are_told_with_their_place)
{
	expect("1:2 Expected a name, found the end", "{");
	expect("1:2 Expected a name, found '}'", "{}");
	expect("2:3 Expected a name, found '1'", "{\n  1 }");
	expect("1:5 Expected a name, found '}'", "{ a{}}");
	expect("1:8 Expected a value, found ')'", "{ f(a: ) }");
	expect("1:7 Expected ':', found '1'", "{ f(a 1) }");
	expect("1:8 A number that cannot be read", "{ f(a: 01) }");
	expect("1:9 An escape that no text may have", "{ f(a: \"\\x\") }");
	expect("1:11 A block of text does not end", "{ f(a: \"\"\"x) }");
	expect("1:1 Schema is not configured for mutations", "mutation { a }");
	expect("1:1 Expected 'query' or 'fragment', found \"type\"", "type A { a: Int }");
	expect("1:3 Expected a name, found the byte 0xff", "{ \xff }");
}

/* ---- bounds ----------------------------------------------------------------------------- */

/* @n times @open, then @inner, then @n times @close. */
static char *nested(uint32_t n, const char *open, const char *inner, const char *close)
{
	struct sl_text t = {0};

	for (uint32_t i = 0; i < n; i++)
		sl_text_put_string(&t, open);
	sl_text_put_string(&t, inner);
	for (uint32_t i = 0; i < n; i++)
		sl_text_put_string(&t, close);
	sl_text_put(&t, "", 1);
	ASSERT_EQ(0, t.err);
	return t.data;
}

static void expect_end(const char *wanted, char *document)
{
	char *seen = again(document, "", NULL);
	size_t n = strlen(seen), wanted_n = strlen(wanted);

	ASSERT_LE(wanted_n, n);
	EXPECT_STREQ(wanted, seen + n - wanted_n);
	free(seen);
	free(document);
}

TEST(depth_is_bounded)
{
	expect_end("Selections are more than 32 deep", nested(100000, "{a", "", "}"));
	expect_end("}", nested(32, "{a", "", "}"));
}

TEST(depth_of_values_is_bounded)
{
	char *lists = nested(100000, "[", "", "]");
	struct sl_text t = {0};

	sl_text_printf(&t, "{f(a:%s)}", lists);
	sl_text_put(&t, "", 1);
	expect_end("Values are more than 32 deep", t.data);
	free(lists);
}

TEST(fragments_within_themselves_are_refused)
{
	expect("1:1 Selections are more than 32 deep, their fragments included",
	       "{ ...F } fragment F on A { a ...F }");
	expect("1:1 Selections are more than 32 deep, their fragments included",
	       "{ ...F } fragment F on A { ...G } fragment G on A { ...F }");
}

/* Each fragment is twice in the next: 2^20 selections out of a short text. */
TEST(fragments_that_multiply_are_refused)
{
	struct sl_text t = {0};

	sl_text_put_string(&t, "{ ...F0 } fragment F20 on A { a }");
	for (int i = 0; i < 20; i++)
		sl_text_printf(&t, " fragment F%d on A { ...F%d ...F%d }", i, i + 1, i + 1);
	sl_text_put(&t, "", 1);
	expect_end("More than 4096 selections", t.data);
}

TEST(memory_is_bounded)
{
	struct gql_error error;
	const struct gql_selection *first;
	struct http_arena a;
	char *text = nested(50000, "", "{ f(a: [", "1,");

	http_arena_init(&a, 256 << 10);
	EXPECT_EQ(-ENOMEM,
		  gql_parse(&a, text, strlen(text), (struct http_str){0}, NULL, &first, &error));
	http_arena_done(&a);
	free(text);
}

/* ---- values ----------------------------------------------------------------------------- */

TEST(json_becomes_the_same_values)
{
	static const char json[] = "{\"a\": [1, 2.5, null, true, \"x\"], \"b\": {\"c\": -3}, "
				   "\"d\": 18446744073709551615}";
	yyjson_doc *doc = yyjson_read(json, sizeof(json) - 1, 0);
	struct sl_text t = {0};
	struct gql_value v;
	struct http_arena a;

	http_arena_init(&a, 1 << 20);
	ASSERT_EQ(0, gql_of_json(&a, yyjson_doc_get_root(doc), &v));
	write_value(&t, &v);
	sl_text_put(&t, "", 1);
	EXPECT_STREQ("{a:[1 2.5 null true 'x'] b:{c:-3} d:1.84467e+19}", t.data);
	EXPECT_NULL(gql_get(&v, "e"));
	ASSERT_NOT_NULL(gql_get(&v, "b"));
	EXPECT_EQ(-3, gql_get(gql_get(&v, "b"), "c")->integer);
	EXPECT_EQ(2.5, gql_number(&gql_get(&v, "a")->items[1]));
	sl_text_done(&t);
	http_arena_done(&a);
	yyjson_doc_free(doc);
}

TEST(json_that_is_too_deep_is_refused)
{
	char *text = nested(40, "[", "", "]");
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	struct gql_value v;
	struct http_arena a;

	http_arena_init(&a, 1 << 20);
	EXPECT_EQ(-EMSGSIZE, gql_of_json(&a, yyjson_doc_get_root(doc), &v));
	http_arena_done(&a);
	yyjson_doc_free(doc);
	free(text);
}

TEST_HARNESS_MAIN
