/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An example of libsluice: notes with vectors in a store, found by likeness and by tag.
 *
 *	cc objects.c $(pkg-config --cflags --libs libsluice) -o objects
 *	./objects FOLDER import <notes
 *	./objects FOLDER search '[1, 0.5]' [TAG]
 *
 * A line of notes is a point as Qdrant has them: {"id": 1, "payload": {"tag": "red"}, "vector":
 * [1, 0.5]}. What was said to be stored is there after a kill -9; what the store holds can be served
 * by sluiced -D FOLDER, and the other way round.
 */
#include <errno.h>
#include <sluice/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTION "notes"
#define BATCH 1000

static char why[256];

/* An object of the line, in memory of its own. NULL: it is none. */
static struct sl_object *object_of(struct sl_object_builder *b, const char *line)
{
	struct sl_object *object;
	size_t n;

	sl_object_builder_reset(b);
	if (sl_object_put_json(b, SL_JSON_POINT, line, strlen(line), NULL, 0, why, sizeof(why)) ||
	    sl_object_build_bytes(b, &n))
		return NULL;
	object = aligned_alloc(SL_OBJECT_ALIGN, (n + SL_OBJECT_ALIGN - 1) & ~(SL_OBJECT_ALIGN - 1));
	if (object && sl_object_build(b, object, n)) {
		free(object);
		return NULL;
	}
	return object;
}

/* A collection for vectors as @first has, unless it is there. */
static int create(struct sl_objects *store, const struct sl_object *first)
{
	struct sl_objects_vector vector = {
		.name = "",
		.metric = SL_METRIC_COSINE,
		.component = SL_F32,
		.index = {.kind = SL_INDEX_HNSW},
	};
	const struct sl_payload_conf tag = {.path = "tag", .type = SL_PAYLOAD_KEYWORD};
	const struct sl_objects_conf conf = {
		.vectors = &vector,
		.vectors_n = 1,
		.indexes = &tag,
		.indexes_n = 1,
	};
	int err;

	if (!sl_object_vector(first, "", NULL, &vector.dim))
		return -EINVAL;
	err = sl_objects_create(store, COLLECTION, &conf, why, sizeof(why));
	return err == -EEXIST ? 0 : err;
}

/* Stores @n objects, and says so when they are durable. */
static int store_batch(struct sl_objects *store, struct sl_objects_op *ops, unsigned n)
{
	int err = n ? sl_objects_write(store, COLLECTION, ops, n, false) : 0;

	for (unsigned i = 0; i < n; i++) {
		if (!err && ops[i].result)
			fprintf(stderr, "an object is refused: %s\n", strerror(-ops[i].result));
		else if (!err)
			printf("stored %llu\n", (unsigned long long)ops[i].version);
		free((void *)ops[i].object);
	}
	fflush(stdout);
	return err;
}

static int import(struct sl_objects *store)
{
	static struct sl_objects_op ops[BATCH];
	struct sl_object_builder *b;
	char *line = NULL;
	size_t room = 0;
	unsigned n = 0;
	int err = sl_object_builder_new(&b), created = 0;

	while (!err && getline(&line, &room, stdin) > 0) {
		struct sl_object *object = object_of(b, line);

		if (!object) {
			fprintf(stderr, "a line is no object: %s\n", why);
			continue;
		}
		if (!created++)
			err = create(store, object);
		ops[n++] = (struct sl_objects_op){.kind = SL_OBJECTS_PUT, .object = object};
		if (n < BATCH && !err)
			continue;
		err = err ? err : store_batch(store, ops, n);
		n = 0;
		/* A little of what would else be done later. */
		sl_objects_work(store, 0);
	}
	if (!err)
		err = store_batch(store, ops, n);
	while (!err && sl_objects_work(store, 0))
		;
	free(line);
	sl_object_builder_free(b);
	return err;
}

static unsigned vector_of(const char *text, float *ret_vector, unsigned max)
{
	unsigned n = 0;

	for (const char *at = text + strspn(text, "[ "); n < max && *at && *at != ']';
	     at += strspn(at, ", ")) {
		char *end;

		ret_vector[n++] = strtof(at, &end);
		if (end == at)
			return 0;
		at = end;
	}
	return n;
}

static int search(struct sl_objects *store, const char *text, const char *tag)
{
	static float vector[SL_OBJECT_DIM_MAX];
	const struct sl_operand operand = {
		.type = SL_VALUE_TEXT, .text = {tag, tag ? strlen(tag) : 0}};
	const struct sl_filter filter = {
		.kind = SL_FILTER_MATCH, .path = "tag", .operands = &operand, .operand_n = 1};
	struct sl_objects_query q = {
		.vector = vector,
		.dim = vector_of(text, vector, SL_OBJECT_DIM_MAX),
		.k = 3,
		.filter = tag ? &filter : NULL,
		.with_objects = true,
	};
	int err = sl_objects_search(store, COLLECTION, &q, 1);

	if (err || q.result)
		return err ? err : q.result;
	for (unsigned i = 0; i < q.n && !err; i++) {
		char *json;
		size_t n;

		err = sl_object_to_json(q.hits[i].object, SL_JSON_POINT, &json, &n);
		if (err)
			break;
		printf("%.4f %s\n", q.hits[i].score, json);
		free(json);
	}
	sl_objects_queries_done(&q, 1);
	return err;
}

int main(int argc, char **argv)
{
	struct sl_objects *store;
	int err;

	if (argc < 3 || (strcmp(argv[2], "import") && (strcmp(argv[2], "search") || argc < 4))) {
		fprintf(stderr, "usage: objects FOLDER import | search VECTOR [TAG]\n");
		return 2;
	}
	if (sl_objects_open(argv[1], NULL, &store, why, sizeof(why))) {
		fprintf(stderr, "objects: %s\n", why);
		return 1;
	}
	why[0] = 0;
	err = argv[2][0] == 'i' ? import(store) : search(store, argv[3], argc > 4 ? argv[4] : NULL);
	if (err)
		fprintf(stderr, "objects: %s\n", why[0] ? why : strerror(-err));
	if (sl_objects_close(store))
		fprintf(stderr, "objects: an index was not kept; it is made anew\n");
	return err ? 1 : 0;
}
