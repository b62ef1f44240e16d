/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of stores/objects share.
 *
 * Interface: objects_kit.h. Order of parts: running; collections; objects; questions.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "objects_kit.h"

/* ---- running ------------------------------------------------------------------------------ */

static void heard(void *arg, enum objects_event event, const char *name, int64_t a)
{
	struct ok *k = arg;

	SL_ASSERT(event < OBJECTS_EVENT_LAST);
	SL_ASSERT(name);
	k->events[event]++;
	k->told[event] = a;
}

static void log_heard(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	struct ok *k = arg;

	SL_ASSERT(event < SL_LOG_EVENT_LAST);
	(void)name;
	(void)a;
	(void)b;
	k->log_events[event]++;
}

void ok_init(struct ok *k, struct sl_sim *sim)
{
	*k = (struct ok){
		.sim = sim,
		.conf =
			{
				.dir = -1,
				.cores = 1,
				.epoch = 1,
				.log = {.segment_bytes = SL_MIB, .preallocate_bytes = 64 * SL_KIB},
				.logs = {.event = log_heard, .arg = k, .background = true},
				.event = heard,
				.arg = k,
			},
	};
}

struct ok_call {
	struct ok *k;
	int (*body)(struct ok *k);
};

static int run_body(void *arg)
{
	struct ok_call *c = arg;

	return c->body(c->k);
}

int ok_run(struct ok *k, int (*body)(struct ok *k))
{
	struct sl_cores_conf conf = {
		.backend = k->sim ? sl_sim_backend(k->sim) : NULL,
		.arena_bytes_max = 256 * SL_MIB,
		.rx_buffers = 8,
	};
	struct ok_call c = {k, body};

	return sl_core_run(&conf, run_body, &c);
}

int ok_open(struct ok *k)
{
	int rc;

	k->conf.dir = sl_open(AT_FDCWD, k->sim ? "/" : harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0,
			      SL_NEVER);
	if (k->conf.dir < 0)
		return k->conf.dir;
	rc = objects_open(&k->conf, &k->o);
	if (!rc)
		rc = objects_start(k->o, SL_NEVER);
	if (!rc)
		return 0;
	objects_free(k->o);
	k->o = NULL;
	sl_close(k->conf.dir);
	return rc;
}

int ok_close(struct ok *k)
{
	int rc = objects_stop(k->o, SL_NEVER);

	objects_free(k->o);
	k->o = NULL;
	sl_close(k->conf.dir);
	return rc;
}

/* Every write that the stop would make fails: the disk stays as it is. */
void ok_kill(struct ok *k)
{
	SL_ASSERT(k->sim);
	sl_sim_cut(k->sim);
	ok_close(k);
}

/* ---- collections -------------------------------------------------------------------------- */

int ok_create(struct ok *k, const char *name, enum sl_index_kind kind)
{
	const struct sl_objects_vector vector = {
		.name = "",
		.dim = OK_DIM,
		.metric = SL_METRIC_L2,
		.component = SL_F32,
		.index = {.kind = kind},
	};
	const struct sl_objects_conf conf = {
		.vectors = &vector,
		.vectors_n = 1,
		.strict = true,
		.meta = "meta",
		.meta_n = 4,
	};
	char why[200];
	int rc = objects_create(k->o, name, &conf, why, sizeof(why), SL_NEVER);

	if (rc == -EINVAL)
		TH_LOG("%s", why);
	return rc;
}

/* ---- objects ------------------------------------------------------------------------------ */

void ok_vector(int64_t n, float ret_vector[OK_DIM])
{
	uint64_t x = (uint64_t)n;

	for (int i = 0; i < OK_DIM; i++) {
		x = sl_mix64(x + 1);
		ret_vector[i] = (float)(x % 1000) / 100;
	}
}

static void put_all(struct sl_object_builder *b, const struct ok_object *x, const float *vector,
		    const char *text)
{
	sl_object_put_key_integer(b, x->key);
	ASSERT_EQ(0, sl_object_put_integer(b, SL_OBJECT_PROPERTIES, "n", x->n));
	ASSERT_EQ(0, sl_object_put_boolean(b, SL_OBJECT_PROPERTIES, "even", x->n % 2 == 0));
	ASSERT_EQ(0, sl_object_put_text(b, SL_OBJECT_PROPERTIES, "text", text, x->padding));
	if (!x->bare)
		ASSERT_EQ(0, sl_object_put_vector(b, "", SL_VECTOR_F32, vector, OK_DIM));
}

struct sl_object *ok_make(const struct ok_object *x)
{
	struct sl_object_builder *b;
	float vector[OK_DIM];
	char *text = malloc(x->padding + 1);
	struct sl_object *o;
	size_t n;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	ASSERT_NE(NULL, text);
	memset(text, 'x', x->padding);
	ok_vector(x->n, vector);
	put_all(b, x, vector, text);
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	o = aligned_alloc(SL_OBJECT_ALIGN, sl_round_up(n, SL_OBJECT_ALIGN));
	ASSERT_NE(NULL, o);
	ASSERT_EQ(0, sl_object_build(b, o, n));
	sl_object_builder_free(b);
	free(text);
	return o;
}

int ok_put(struct ok *k, const char *name, uint64_t from, uint32_t n, int64_t add)
{
	struct sl_objects_op *ops = calloc(n, sizeof(*ops));
	int rc;

	ASSERT_NE(NULL, ops);
	for (uint32_t i = 0; i < n; i++) {
		ops[i].kind = SL_OBJECTS_PUT;
		ops[i].object = ok_make(
			&(struct ok_object){.key = from + i, .n = (int64_t)(from + i) + add});
	}
	rc = objects_write(k->o, name, ops, n, false, NULL, SL_NEVER);
	for (uint32_t i = 0; i < n; i++) {
		if (!rc)
			rc = ops[i].result;
		free((void *)ops[i].object);
	}
	free(ops);
	return rc;
}

int ok_delete(struct ok *k, const char *name, uint64_t key)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_DELETE, .key = objects_key_integer(key)};
	int rc = objects_write(k->o, name, &op, 1, false, NULL, SL_NEVER);

	return rc ? rc : op.result;
}

/* ---- questions ---------------------------------------------------------------------------- */

int64_t ok_number(struct ok *k, const char *name, uint64_t key)
{
	struct sl_filter_key at = objects_key_integer(key);
	struct objects_hit hit;
	int64_t n = -1;
	int rc = objects_get(k->o, name, &at, 1, &hit, SL_NEVER);

	if (rc)
		return rc - 1000;
	if (hit.object)
		n = sl_value_integer(sl_value_find(sl_object_properties(hit.object), "n"));
	objects_release(&hit, 1);
	return n;
}

int64_t ok_count(struct ok *k, const char *name)
{
	uint64_t n = 0;
	int rc = objects_count(k->o, name, NULL, true, &n, SL_NEVER);

	return rc ? rc : (int64_t)n;
}

int64_t ok_nearest(struct ok *k, const char *name, int64_t n, bool exact)
{
	float vector[OK_DIM];
	struct objects_query q = {
		.vector_name = "", .vector = vector, .dim = OK_DIM, .k = 1, .exact = exact};
	int64_t key = -1;
	int rc;

	ok_vector(n, vector);
	rc = objects_search(k->o, name, &q, 1, SL_NEVER);
	if (rc || q.result)
		return (rc ? rc : q.result) - 1000;
	if (q.n)
		memcpy(&key, q.hits[0].key.key, sizeof(key));
	objects_queries_done(&q, 1);
	return key;
}

int ok_indexed(struct ok *k, const char *name)
{
	struct sl_objects_info info;
	int rc;

	while (!(rc = objects_info(k->o, name, &info, SL_NEVER)) && info.indexing)
		sl_sleep(sl_now() + SL_MSEC);
	return rc;
}
