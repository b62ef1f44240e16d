/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input as JSON that Qdrant's API is sent: read value by value, where a parser of the whole
 * must agree; and as a filter, which is refused, or may be asked of an object.
 */
#include <stdlib.h>
#include <string.h>

#include "apis/qdrant/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct objects_collection collection = {.name = "c"};

static struct qd_call call_new(void)
{
	struct qd_call c = {.collection = &collection, .deadline = SL_NEVER};

	http_arena_init(&c.arena, 64 * SL_MIB);
	return c;
}

static char *text_of(struct qd_call *c, const uint8_t *data, size_t size)
{
	char *text = http_arena_alloc(&c->arena, size + YYJSON_PADDING_SIZE, 16);

	SL_ASSERT(text);
	memcpy(text, data, size);
	memset(text + size, 0, YYJSON_PADDING_SIZE);
	return text;
}

/* How many members the map has that the text is; -errno. */
static long scan_members(struct qd_call *c, const uint8_t *data, size_t size)
{
	bool first = true;
	struct qd_scan s;
	char name[32];
	long n = 0;
	int more;

	qd_scan_text(&s, c, text_of(c, data, size), size);
	more = qd_scan_take(&s, "{");
	while (more > 0 && (more = qd_scan_member(&s, &first, name, sizeof(name))) > 0) {
		yyjson_val *v;
		char *text;
		size_t len;
		int err = qd_scan_value(&s, &text, &len);

		if (!err)
			err = qd_scan_parse(&s, &c->arena, text, len, &v);
		if (err)
			return err;
		n++;
	}
	if (!more)
		more = qd_scan_end(&s);
	return more < 0 ? more : n;
}

static const struct sl_object *object(void)
{
	static const char json[] =
		"{\"id\":1,\"vector\":[1,2],\"payload\":{\"a\":1,\"b\":[1.5,\"x\",null],\"c\":"
		"{\"d\":\"2024-01-01\",\"e\":[{\"f\":true}]},\"g\":{\"lat\":1,\"lon\":2}}}";
	static const struct sl_object *o;
	struct sl_object_builder *b;
	size_t n;
	void *p;

	if (o)
		return o;
	SL_ASSERT(!sl_object_builder_new(&b));
	SL_ASSERT(!sl_object_put_json(b, SL_JSON_POINT, json, sizeof(json) - 1, NULL, 0, NULL, 0));
	SL_ASSERT(!sl_object_build_bytes(b, &n));
	p = malloc(n);
	SL_ASSERT(p);
	SL_ASSERT(!sl_object_build(b, p, n));
	SL_ASSERT(!sl_object_open(p, n, &o));
	sl_object_builder_free(b);
	return o;
}

static void use_as_filter(struct qd_call *c, yyjson_val *root)
{
	const struct sl_filter *f, *not_f;
	struct sl_objects_scroll order = {0};
	struct qd_select select = {0};
	struct http_json j;

	if (!qd_filter(c, root, &f)) {
		const struct sl_filter none = {.kind = SL_FILTER_NONE, .of = &f, .of_n = 1};

		not_f = &none;
		SL_ASSERT(sl_filter_matches(f, object()) != sl_filter_matches(not_f, object()));
	}
	if (yyjson_is_obj(root))
		(void)qd_order(c, root, &order);
	if (!qd_select(c, root, &select)) {
		http_json_init(&j, SL_MIB);
		http_json_open(&j, '{');
		qd_put_parts(&j, object(), &select);
		SL_ASSERT(!j.err);
		http_json_done(&j);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qd_call c = call_new();
	struct http_json_error error;
	yyjson_val *root;
	long members;
	int err;

	if (size > 64 << 10)
		return 0;
	members = scan_members(&c, data, size);
	err = http_json_parse(&c.arena, text_of(&c, data, size), size, &root, &error);
	SL_ASSERT(err || !yyjson_is_obj(root) || members == (long)yyjson_obj_size(root));
	SL_ASSERT(!err || members < 0);
	if (!err)
		use_as_filter(&c, root);
	http_arena_done(&c.arena);
	return 0;
}
