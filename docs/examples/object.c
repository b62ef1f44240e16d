/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An example of libsluice: an object from JSON to bytes, changed, and back.
 *
 *	cc object.c $(pkg-config --cflags --libs libsluice) -o object
 *	./object '{"id": 1, "payload": {"city": "Ulm"}, "vector": [1, 0.5]}' '{"visits": 3}'
 *
 * The first argument is a point as Qdrant has them, others are merged into its payload. On standard
 * error stands what the object has; on standard output, it as JSON.
 */
#include <sluice/object.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the builder was given, at a place for which vectors are aligned. NULL: it cannot be. */
static const struct sl_object *build(struct sl_object_builder *b)
{
	const struct sl_object *object;
	size_t n, room;
	void *bytes;

	if (sl_object_build_bytes(b, &n))
		return NULL;
	room = (n + SL_OBJECT_ALIGN - 1) / SL_OBJECT_ALIGN * SL_OBJECT_ALIGN;
	bytes = aligned_alloc(SL_OBJECT_ALIGN, room);
	if (!bytes || sl_object_build(b, bytes, n) || sl_object_open(bytes, n, &object)) {
		free(bytes);
		return NULL;
	}
	return object;
}

static void tell(const struct sl_object *object)
{
	const struct sl_value *properties = sl_object_properties(object);
	uint32_t dim;

	for (uint32_t i = 0; i < sl_value_count(properties); i++) {
		size_t n;
		const char *name = sl_value_name(sl_value_at(properties, i), &n);

		fprintf(stderr, "property %.*s\n", (int)n, name);
	}
	if (sl_object_vector(object, "", NULL, &dim))
		fprintf(stderr, "a vector of %u dimensions\n", dim);
	fprintf(stderr, "%zu bytes\n", sl_object_bytes(object));
}

static int print(const struct sl_object *object)
{
	char *text;
	size_t n;
	int err = sl_object_to_json(object, SL_JSON_POINT, &text, &n);

	if (err)
		return err;
	puts(text);
	free(text);
	return 0;
}

/* An object is never written to: another is built of what it was and what is new. */
static int change(struct sl_object_builder *b, const struct sl_object *object, char **texts,
		  char *why, size_t why_len)
{
	int err;

	sl_object_builder_reset(b);
	err = sl_object_load(b, object);
	for (; !err && *texts; texts++)
		err = sl_object_merge_json(b, SL_JSON_POINT, "", *texts, strlen(*texts), NULL, 0,
					   why, why_len);
	return err;
}

int main(int argc, char **argv)
{
	const struct sl_object *first = NULL, *second = NULL;
	struct sl_object_builder *b;
	char why[256] = "memory is used up";
	int status = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: object POINT [PAYLOAD...]\n");
		return 2;
	}
	if (sl_object_builder_new(&b))
		return 1;
	if (!sl_object_put_json(b, SL_JSON_POINT, argv[1], strlen(argv[1]), NULL, 0, why,
				sizeof(why)))
		first = build(b);
	if (first && !change(b, first, argv + 2, why, sizeof(why)))
		second = build(b);
	if (second) {
		tell(second);
		status = print(second) ? 1 : 0;
	} else {
		fprintf(stderr, "object: %s\n", why);
	}
	sl_object_builder_free(b);
	free((void *)first);
	free((void *)second);
	return status;
}
