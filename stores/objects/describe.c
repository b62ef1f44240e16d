/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: what a collection is, in memory and in its file, which is an object (vectors/object.h).
 *
 * Interface: "descriptions" of objects_pvt.h.
 * Invariant: what conf_check() accepts is encoded and decoded to the same; a file that says
 * something else is refused.
 *
 * Order of parts: names; checks; nodes; encoding; decoding.
 */
#include "objects_pvt.h"

/* ---- names ------------------------------------------------------------------------------ */

bool name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > SL_OBJECTS_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == '/' || name[i] == 0x7f)
			return false;
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void id_print(const uint8_t *id, char ret_text[ID_TEXT_BYTES])
{
	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", id[i]);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_parse(const char *text, uint8_t *ret_id)
{
	uint8_t id[SL_OBJECT_UUID_BYTES];

	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
	}
	if (text[2 * SL_OBJECT_UUID_BYTES])
		return false;
	memcpy(ret_id, id, sizeof(id));
	return true;
}

/* ---- checks ----------------------------------------------------------------------------- */

#define REFUSE(why, why_len, ...) (snprintf(why, why_len, __VA_ARGS__), -EINVAL)

static int vector_check(const struct sl_objects_conf *conf, uint32_t i, char *why, size_t why_len)
{
	const struct sl_objects_vector *v = &conf->vectors[i];

	if (strlen(v->name) > SL_OBJECTS_NAME_BYTES_MAX)
		return REFUSE(why, why_len, "the name of vector %u is longer than %d bytes", i,
			      SL_OBJECTS_NAME_BYTES_MAX);
	if (v->dim < 1 || v->dim > SL_OBJECT_DIM_MAX)
		return REFUSE(why, why_len, "vector \"%s\" has %u dimensions; 1 to %u are possible",
			      v->name, v->dim, SL_OBJECT_DIM_MAX);
	if (v->metric >= SL_METRIC_LAST || v->component >= SL_COMPONENT_LAST ||
	    v->index.kind >= SL_INDEX_LAST)
		return REFUSE(why, why_len,
			      "vector \"%s\" has a metric, a type or an index that "
			      "does not exist",
			      v->name);
	if (v->index.quantiser >= SL_QUANTISER_LAST || v->index.quantiser_bits > 8 ||
	    !sl_quantiser_can(v->index.quantiser, v->component, v->metric))
		return REFUSE(why, why_len, "vector \"%s\" cannot be coded as its index wants it",
			      v->name);
	if (v->metric == SL_METRIC_COSINE && v->component != SL_F32 && v->component != SL_F16)
		return REFUSE(why, why_len, "vector \"%s\": cosine needs components of f32 or f16",
			      v->name);
	for (uint32_t k = 0; k < i; k++)
		if (strcmp(conf->vectors[k].name, v->name) == 0)
			return REFUSE(why, why_len, "two vectors have the name \"%s\"", v->name);
	return 0;
}

int conf_check(const struct sl_objects_conf *conf, char *why, size_t why_len)
{
	if (conf->vectors_n > SL_OBJECTS_VECTORS_MAX)
		return REFUSE(why, why_len, "%u vectors; a collection has at most %u",
			      conf->vectors_n, SL_OBJECTS_VECTORS_MAX);
	if (conf->indexes_n > SL_OBJECTS_INDEXES_MAX)
		return REFUSE(why, why_len, "%u payload indexes; a collection has at most %u",
			      conf->indexes_n, SL_OBJECTS_INDEXES_MAX);
	if (conf->meta_n > SL_OBJECTS_META_BYTES_MAX)
		return REFUSE(why, why_len, "a description of %zu bytes; at most %u are kept",
			      conf->meta_n, SL_OBJECTS_META_BYTES_MAX);
	for (uint32_t i = 0; i < conf->vectors_n; i++) {
		int rc = vector_check(conf, i, why, why_len);

		if (rc)
			return rc;
	}
	for (uint32_t i = 0; i < conf->indexes_n; i++) {
		const struct sl_payload_conf *x = &conf->indexes[i];

		if (x->type >= SL_PAYLOAD_LAST || !x->path[0] ||
		    strlen(x->path) > SL_OBJECT_NAME_BYTES_MAX)
			return REFUSE(why, why_len, "a payload index has no path or no type");
	}
	return 0;
}

/* ---- nodes ------------------------------------------------------------------------------ */

/* Lays things behind one another; without memory it only counts. */
struct packer {
	uint8_t *base;
	size_t n;
};

static void *pack(struct packer *k, const void *p, size_t n)
{
	void *at = k->base ? k->base + k->n : NULL;

	if (at && n)
		memcpy(at, p, n);
	k->n += sl_round_up(n, 8);
	return at;
}

static const char *pack_text(struct packer *k, const char *s)
{
	return pack(k, s, strlen(s) + 1);
}

static void pack_conf(struct packer *k, const struct sl_objects_conf *from,
		      struct sl_objects_conf *to)
{
	struct sl_objects_vector *vectors;
	struct sl_payload_conf *indexes;

	vectors = pack(k, from->vectors, from->vectors_n * sizeof(*vectors));
	indexes = pack(k, from->indexes, from->indexes_n * sizeof(*indexes));
	for (uint32_t i = 0; i < from->vectors_n; i++) {
		const char *name = pack_text(k, from->vectors[i].name);

		if (k->base)
			vectors[i].name = name;
	}
	for (uint32_t i = 0; i < from->indexes_n; i++) {
		const char *path = pack_text(k, from->indexes[i].path);

		if (k->base)
			indexes[i].path = path;
	}
	*to = *from;
	to->vectors = vectors;
	to->indexes = indexes;
	to->meta = pack(k, from->meta, from->meta_n);
}

static struct described *pack_node(struct packer *k, const struct objects_collection *pub,
				   const uint64_t *revisions)
{
	struct described shell = {.pub = *pub, .refs = 1}, *node = pack(k, &shell, sizeof(shell));

	shell.pub.name = pack_text(k, pub->name);
	shell.revisions = pack(k, revisions, pub->conf.vectors_n * sizeof(*revisions));
	pack_conf(k, &pub->conf, &shell.pub.conf);
	if (node)
		*node = shell;
	return node;
}

struct described *described_new(const struct objects_collection *pub, const uint64_t *revisions)
{
	struct packer k = {0};

	pack_node(&k, pub, revisions);
	k.base = calloc(1, k.n);
	k.n = 0;
	return k.base ? pack_node(&k, pub, revisions) : NULL;
}

/* ---- encoding --------------------------------------------------------------------------- */

/* A number of a map, and the field that it is of. */
struct number {
	const char *name;
	size_t at, bytes;
};

#define NUMBER(type, field, name) {name, offsetof(type, field), sizeof(((type *)0)->field)}

static const struct number vector_numbers[] = {
	NUMBER(struct sl_objects_vector, dim, "dim"),
	NUMBER(struct sl_objects_vector, metric, "metric"),
	NUMBER(struct sl_objects_vector, component, "component"),
	NUMBER(struct sl_objects_vector, automatic, "automatic"),
	NUMBER(struct sl_objects_vector, on_disk, "on_disk"),
	NUMBER(struct sl_objects_vector, index.kind, "index"),
	NUMBER(struct sl_objects_vector, index.seed, "seed"),
	NUMBER(struct sl_objects_vector, index.train_rows, "train_rows"),
	NUMBER(struct sl_objects_vector, index.lists, "lists"),
	NUMBER(struct sl_objects_vector, index.rescore, "rescore"),
	NUMBER(struct sl_objects_vector, index.links, "links"),
	NUMBER(struct sl_objects_vector, index.effort_add, "effort_add"),
	NUMBER(struct sl_objects_vector, index.quantiser, "quantiser"),
	NUMBER(struct sl_objects_vector, index.quantiser_bits, "quantiser_bits"),
};

static const struct number index_numbers[] = {
	NUMBER(struct sl_payload_conf, type, "type"),
	NUMBER(struct sl_payload_conf, tokeniser.kind, "tokens"),
	NUMBER(struct sl_payload_conf, tokeniser.keep_case, "keep_case"),
	NUMBER(struct sl_payload_conf, tokeniser.min, "min"),
	NUMBER(struct sl_payload_conf, tokeniser.max, "max"),
};

static int put_numbers(struct sl_object_builder *b, uint32_t in, const struct number *numbers,
		       size_t n, const void *of)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		uint64_t v = 0;

		memcpy(&v, (const uint8_t *)of + numbers[i].at, numbers[i].bytes);
		rc = sl_object_put_integer(b, in, numbers[i].name, (int64_t)v);
	}
	return rc;
}

static int put_vector(struct sl_object_builder *b, uint32_t list, const struct described *node,
		      uint32_t i)
{
	const struct sl_objects_vector *v = &node->pub.conf.vectors[i];
	uint32_t in;
	int rc = sl_object_put_map(b, list, NULL, &in);

	if (!rc)
		rc = sl_object_put_text(b, in, "name", v->name, strlen(v->name));
	if (!rc)
		rc = sl_object_put_integer(b, in, "revision", (int64_t)node->revisions[i]);
	return rc ? rc : put_numbers(b, in, vector_numbers, SL_ARRAY_SIZE(vector_numbers), v);
}

static int put_index(struct sl_object_builder *b, uint32_t list, const struct sl_payload_conf *x)
{
	uint32_t in;
	int rc = sl_object_put_map(b, list, NULL, &in);

	if (!rc)
		rc = sl_object_put_text(b, in, "path", x->path, strlen(x->path));
	return rc ? rc : put_numbers(b, in, index_numbers, SL_ARRAY_SIZE(index_numbers), x);
}

static int put_node(struct sl_object_builder *b, const struct described *node)
{
	static const uint8_t none[SL_OBJECT_UUID_BYTES];
	const struct objects_collection *pub = &node->pub;
	uint32_t list, top = SL_OBJECT_PROPERTIES;
	int rc;

	sl_object_put_key_uuid(b, pub->id);
	sl_object_put_times(b, pub->created_ms, pub->created_ms);
	rc = sl_object_put_text(b, top, "name", pub->name, strlen(pub->name));
	if (!rc)
		rc = sl_object_put_integer(b, top, "generation", (int64_t)pub->generation);
	if (!rc)
		rc = sl_object_put_boolean(b, top, "strict", pub->conf.strict);
	if (!rc)
		rc = sl_object_put_boolean(b, top, "as_given", pub->conf.as_given);
	if (!rc)
		rc = sl_object_put_blob(b, top, "meta", pub->conf.meta, pub->conf.meta_n);
	if (!rc && memcmp(node->replaces, none, sizeof(none)) != 0)
		rc = sl_object_put_uuid(b, top, "replaces", node->replaces);
	if (!rc)
		rc = sl_object_put_list(b, top, "vectors", &list);
	for (uint32_t i = 0; i < pub->conf.vectors_n && !rc; i++)
		rc = put_vector(b, list, node, i);
	if (!rc)
		rc = sl_object_put_list(b, top, "indexes", &list);
	for (uint32_t i = 0; i < pub->conf.indexes_n && !rc; i++)
		rc = put_index(b, list, &pub->conf.indexes[i]);
	return rc;
}

int described_encode(const struct described *node, struct sl_object **ret_object)
{
	struct sl_object_builder *b;
	int rc = sl_object_builder_new(&b);

	if (rc)
		return rc;
	rc = put_node(b, node);
	if (!rc)
		rc = object_new(b, ret_object);
	sl_object_builder_free(b);
	return rc;
}

/* ---- decoding --------------------------------------------------------------------------- */

/* What a file says, before it is packed. @texts: ended by zeros, as long as the file at most. */
struct draft {
	struct objects_collection pub;
	struct sl_objects_vector vectors[SL_OBJECTS_VECTORS_MAX];
	uint64_t revisions[SL_OBJECTS_VECTORS_MAX];
	struct sl_payload_conf indexes[SL_OBJECTS_INDEXES_MAX];
	char *texts;
	size_t texts_n;
};

static const struct sl_value *get(const struct sl_value *map, const char *name,
				  enum sl_value_type type)
{
	const struct sl_value *v = sl_value_get(map, name, strlen(name));

	return v && sl_value_type(v) == type ? v : NULL;
}

static const char *get_text(struct draft *d, const struct sl_value *map, const char *name)
{
	const struct sl_value *v = get(map, name, SL_VALUE_TEXT);
	char *at = d->texts + d->texts_n;
	const char *s;
	size_t n;

	if (!v)
		return NULL;
	s = sl_value_text(v, &n);
	memcpy(at, s, n);
	at[n] = 0;
	d->texts_n += n + 1; /* a value has 16 bytes besides its text */
	return at;
}

static uint64_t get_number(const struct sl_value *map, const char *name)
{
	const struct sl_value *v = get(map, name, SL_VALUE_INTEGER);

	return v ? (uint64_t)sl_value_integer(v) : 0;
}

static bool get_boolean(const struct sl_value *map, const char *name)
{
	const struct sl_value *v = get(map, name, SL_VALUE_BOOLEAN);

	return v && sl_value_boolean(v);
}

/* Numbers that a file of an older sluice lacks are 0. */
static void get_numbers(const struct sl_value *map, const struct number *numbers, size_t n,
			void *of)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = get_number(map, numbers[i].name);

		memcpy((uint8_t *)of + numbers[i].at, &v, numbers[i].bytes);
	}
}

static bool draft_lists(struct draft *d, const struct sl_value *top)
{
	const struct sl_value *vectors = get(top, "vectors", SL_VALUE_LIST);
	const struct sl_value *indexes = get(top, "indexes", SL_VALUE_LIST);
	struct sl_objects_conf *conf = &d->pub.conf;

	if (!vectors || !indexes || sl_value_count(vectors) > SL_OBJECTS_VECTORS_MAX ||
	    sl_value_count(indexes) > SL_OBJECTS_INDEXES_MAX)
		return false;
	conf->vectors_n = sl_value_count(vectors);
	conf->indexes_n = sl_value_count(indexes);
	for (uint32_t i = 0; i < conf->vectors_n; i++) {
		const struct sl_value *map = sl_value_at(vectors, i);

		if (sl_value_type(map) != SL_VALUE_MAP)
			return false;
		d->vectors[i].name = get_text(d, map, "name");
		d->revisions[i] = get_number(map, "revision");
		get_numbers(map, vector_numbers, SL_ARRAY_SIZE(vector_numbers), &d->vectors[i]);
		if (!d->vectors[i].name)
			return false;
	}
	for (uint32_t i = 0; i < conf->indexes_n; i++) {
		const struct sl_value *map = sl_value_at(indexes, i);

		if (sl_value_type(map) != SL_VALUE_MAP)
			return false;
		d->indexes[i].path = get_text(d, map, "path");
		get_numbers(map, index_numbers, SL_ARRAY_SIZE(index_numbers), &d->indexes[i]);
		if (!d->indexes[i].path)
			return false;
	}
	return true;
}

static bool draft_read(struct draft *d, const struct sl_object *o)
{
	const struct sl_value *top = sl_object_properties(o), *meta;
	struct objects_collection *pub = &d->pub;
	const uint8_t *key;

	pub->conf.vectors = d->vectors;
	pub->conf.indexes = d->indexes;
	if (sl_object_key(o, &key) != SL_KEY_UUID)
		return false;
	memcpy(pub->id, key, sizeof(pub->id));
	pub->created_ms = sl_object_created_ms(o);
	pub->name = get_text(d, top, "name");
	pub->generation = get_number(top, "generation");
	pub->conf.strict = get_boolean(top, "strict");
	pub->conf.as_given = get_boolean(top, "as_given");
	meta = get(top, "meta", SL_VALUE_BLOB);
	if (!pub->name || !(name_ok(pub->name) || is_draft(pub->name)) || !meta)
		return false;
	pub->conf.meta = sl_value_blob(meta, &pub->conf.meta_n);
	return draft_lists(d, top);
}

int described_decode(const void *bytes, size_t n, struct described **ret_node)
{
	const struct sl_value *replaces;
	const struct sl_object *o;
	struct draft *d;
	struct described *node = NULL;
	int rc = sl_object_open(bytes, n, &o);
	char why[200];

	if (rc)
		return rc;
	d = calloc(1, sizeof(*d));
	if (d)
		d->texts = malloc(sl_object_bytes(o));
	rc = -ENOMEM;
	if (d && d->texts) {
		rc = -EBADMSG;
		if (draft_read(d, o) && !conf_check(&d->pub.conf, why, sizeof(why)))
			rc = (node = described_new(&d->pub, d->revisions)) ? 0 : -ENOMEM;
	}
	replaces = get(sl_object_properties(o), "replaces", SL_VALUE_UUID);
	if (!rc && replaces)
		memcpy(node->replaces, sl_value_uuid(replaces), sizeof(node->replaces));
	if (d)
		free(d->texts);
	free(d);
	if (!rc)
		*ret_node = node;
	return rc;
}
