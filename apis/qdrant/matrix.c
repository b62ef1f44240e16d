// SPDX-License-Identifier: Apache-2.0
/*
 * Distances within a sample of points: each one's nearest others of it.
 *
 * Interface: handlers of qdrant_pvt.h. The sample is drawn, then each of its points is searched for
 * among the others, all in one call of the store.
 */
#include <errno.h>
#include <string.h>

#include "qdrant_pvt.h"

enum { SAMPLE_MAX = 1000, NEIGHBOURS_MAX = 1000 };

/* @sample: the points, held. @queries: one for each, answered. */
struct matrix {
	struct qd_query sample, *queries;
};

static int draw(struct qd_call *c, struct matrix *m, uint64_t *ret_limit)
{
	uint64_t sample = 10;
	const char *using = "";
	int err = qd_get_uint(c, c->body, "sample", SAMPLE_MAX, &sample);

	*ret_limit = 3;
	if (!err)
		err = qd_get_uint(c, c->body, "limit", NEIGHBOURS_MAX, ret_limit);
	if (!err)
		err = qd_get_string(c, c->body, "using", &using);
	if (!err && (sample < 2 || !*ret_limit))
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [sample: must be 2 or larger, "
			       "limit: 1 or larger]");
	if (!err)
		err = qd_filter(c, qd_member(c->body, "filter"), &m->sample.q.filter);
	if (!err && !qd_vector_conf(c->collection, using))
		err = qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, using, 0);
	m->sample.q.vector_name = using;
	if (!err)
		err = qd_sample(c, &m->sample);
	if (err)
		return err;
	m->sample.limit = (uint32_t)sample;
	return qd_run(c, &m->sample, 1);
}

static int search(struct qd_call *c, struct matrix *m, uint32_t limit)
{
	uint32_t n = m->sample.n;
	struct sl_filter_key *keys = http_arena_array(&c->arena, struct sl_filter_key, n);
	const struct sl_filter *within;
	int err;

	m->queries = http_arena_array(&c->arena, struct qd_query, n);
	if (!keys || !m->queries)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		keys[i] = m->sample.hits[i].key;
	err = qd_filter_keys(c, keys, n, false, &within);
	if (err)
		return err;
	for (uint32_t i = 0; i < n; i++) {
		m->queries[i].kind = QD_NEAREST;
		m->queries[i].limit = limit;
		m->queries[i].q.vector_name = m->sample.q.vector_name;
		m->queries[i].q.like = keys[i];
		m->queries[i].q.filter = within;
		m->queries[i].q.exact = true;
	}
	return qd_run(c, m->queries, n);
}

static int answer(struct qd_call *c, void (*put)(struct qd_call *c, const struct matrix *m))
{
	struct matrix *m = http_arena_new(&c->arena, struct matrix);
	uint64_t limit;
	int err = m ? draw(c, m, &limit) : -ENOMEM;

	if (!err)
		err = search(c, m, (uint32_t)limit);
	if (!err) {
		http_json_open(&c->j, '{');
		put(c, m);
		http_json_close(&c->j, '}');
	}
	for (uint32_t i = 0; m && m->queries && i < m->sample.n; i++)
		qd_query_done(&m->queries[i]);
	if (m)
		qd_query_done(&m->sample);
	return err;
}

static void put_pairs(struct qd_call *c, const struct matrix *m)
{
	http_json_key(&c->j, "pairs");
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < m->sample.n; i++) {
		for (uint32_t k = 0; k < m->queries[i].n; k++) {
			http_json_open(&c->j, '{');
			http_json_key(&c->j, "a");
			qd_put_id(&c->j, &m->sample.hits[i].key);
			http_json_key(&c->j, "b");
			qd_put_id(&c->j, &m->queries[i].hits[k].key);
			http_json_key(&c->j, "score");
			http_json_float(&c->j, m->queries[i].hits[k].score);
			http_json_close(&c->j, '}');
		}
	}
	http_json_close(&c->j, ']');
}

int qd_matrix_pairs(struct qd_call *c)
{
	return answer(c, put_pairs);
}

static uint32_t place_of(const struct matrix *m, const struct sl_filter_key *key)
{
	uint32_t i = 0;

	while (i < m->sample.n && objects_key_compare(&m->sample.hits[i].key, key))
		i++;
	return i;
}

/* Rows, columns and scores of the matrix's cells, each as a list of its own. */
enum cell { CELL_ROW, CELL_COLUMN, CELL_SCORE };

static void put_cells(struct qd_call *c, const struct matrix *m, const char *name, enum cell what)
{
	http_json_key(&c->j, name);
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < m->sample.n; i++) {
		for (uint32_t k = 0; k < m->queries[i].n; k++) {
			const struct objects_hit *hit = &m->queries[i].hits[k];

			if (what == CELL_ROW)
				http_json_uint(&c->j, i);
			else if (what == CELL_COLUMN)
				http_json_uint(&c->j, place_of(m, &hit->key));
			else
				http_json_float(&c->j, hit->score);
		}
	}
	http_json_close(&c->j, ']');
}

static void put_offsets(struct qd_call *c, const struct matrix *m)
{
	put_cells(c, m, "offsets_row", CELL_ROW);
	put_cells(c, m, "offsets_col", CELL_COLUMN);
	put_cells(c, m, "scores", CELL_SCORE);
	http_json_key(&c->j, "ids");
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < m->sample.n; i++)
		qd_put_id(&c->j, &m->sample.hits[i].key);
	http_json_close(&c->j, ']');
}

int qd_matrix_offsets(struct qd_call *c)
{
	return answer(c, put_offsets);
}
