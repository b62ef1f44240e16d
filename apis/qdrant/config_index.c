// SPDX-License-Identifier: Apache-2.0
/*
 * A collection's indexes over properties: between Qdrant's words and the store's.
 *
 * Interface: qd_conf_index(), qd_conf_unindex() of qdrant_pvt.h.
 *
 * Order of parts: schemas; indexes.
 */
#include <errno.h>
#include <string.h>

#include "config_pvt.h"

/* ---- schemas ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sl_tokens kind;
} tokenisers[] = {
	{"word", SL_TOKENS_WORD},
	{"whitespace", SL_TOKENS_SPACE},
	{"prefix", SL_TOKENS_PREFIX},
	{"multilingual", SL_TOKENS_WORD},
};

static int read_tokeniser(struct qd_call *c, yyjson_val *v, struct sl_tokeniser *ret)
{
	uint64_t min = 0, max = 0;
	const char *name = "word";
	bool lowercase = true;
	int err = qd_get_string(c, v, "tokenizer", &name);

	if (!err)
		err = qd_get_bool(c, v, "lowercase", &lowercase);
	if (!err)
		err = qd_get_uint(c, v, "min_token_len", UINT32_MAX, &min);
	if (!err)
		err = qd_get_uint(c, v, "max_token_len", UINT32_MAX, &max);
	if (err)
		return err;
	*ret = (struct sl_tokeniser){
		.keep_case = !lowercase, .min = (uint32_t)min, .max = (uint32_t)max};
	for (size_t i = 0; i < SL_ARRAY_SIZE(tokenisers); i++) {
		if (!strcmp(tokenisers[i].name, name)) {
			ret->kind = tokenisers[i].kind;
			return 0;
		}
	}
	return qd_format_error(c, "tokenizer: expected word, whitespace, prefix or multilingual");
}

/* "keyword", or {"type": "keyword", …}. */
static int read_schema(struct qd_call *c, yyjson_val *v, struct sl_payload_conf *ret)
{
	const char *name = yyjson_is_str(v) ? yyjson_get_str(v)
					    : yyjson_get_str(yyjson_obj_get(v, "type"));

	if (name && qd_schema_find(name, &ret->type))
		return ret->type == SL_PAYLOAD_TEXT ? read_tokeniser(c, v, &ret->tokeniser) : 0;
	return qd_format_error(c, "field_schema: expected keyword, integer, float, bool, datetime, "
				  "uuid, geo or text");
}

/* ---- indexes ---------------------------------------------------------------------------- */

/* All indexes but those of @path, with room for one more. */
static int copy_indexes(struct qd_call *c, const char *path, struct sl_payload_conf **ret,
			uint32_t *ret_n)
{
	const struct sl_objects_conf *conf = &c->collection->conf;

	*ret_n = 0;
	*ret = http_arena_array(&c->arena, struct sl_payload_conf, conf->indexes_n + 1);
	if (!*ret)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->indexes_n; i++)
		if (strcmp(conf->indexes[i].path, path))
			(*ret)[(*ret_n)++] = conf->indexes[i];
	return 0;
}

int qd_conf_index(struct qd_call *c, const char *path, yyjson_val *schema,
		  struct sl_objects_conf *ret_conf)
{
	struct sl_payload_conf *indexes, index = {.path = path};
	struct qd_meta meta;
	uint32_t n;
	int err = qd_meta_check_own(c);

	if (!err)
		err = read_schema(c, schema, &index);
	if (!err)
		err = copy_indexes(c, path, &indexes, &n);
	if (!err)
		err = qd_meta_of(c, &meta);
	if (!err)
		err = qd_meta_add_index(&meta, path, index.type);
	if (!err && yyjson_is_obj(schema))
		err = qd_meta_put(&meta, yyjson_mut_obj_get(meta.schema, path), "params", schema);
	*ret_conf = c->collection->conf;
	if (!err)
		err = qd_meta_write(c, &meta, ret_conf);
	if (err)
		return err;
	indexes[n++] = index;
	ret_conf->indexes = indexes;
	ret_conf->indexes_n = n;
	return 0;
}

int qd_conf_unindex(struct qd_call *c, const char *path, struct sl_objects_conf *ret_conf,
		    bool *ret_changed)
{
	struct sl_payload_conf *indexes;
	struct qd_meta meta;
	uint32_t n;
	int err = qd_meta_check_own(c);

	if (!err)
		err = copy_indexes(c, path, &indexes, &n);
	if (!err)
		err = qd_meta_of(c, &meta);
	if (err)
		return err;
	yyjson_mut_obj_remove_key(meta.schema, path);
	*ret_changed = n != c->collection->conf.indexes_n;
	*ret_conf = c->collection->conf;
	ret_conf->indexes = indexes;
	ret_conf->indexes_n = n;
	return qd_meta_write(c, &meta, ret_conf);
}
