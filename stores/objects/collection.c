/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection: one in memory: opened by its first use, entered and left, put away, dropped.
 *
 * Interface: "collections" of objects_pvt.h.
 * Invariants: a collection is on its core's table from the moment when its opening begins until it
 * is freed; nobody is inside when it is freed. What is not on the table takes no memory.
 *
 * Order of parts: the table; parts; opening; entering; putting away; dropping; other descriptions.
 */
#include "objects_pvt.h"

/* ---- the table -------------------------------------------------------------------------- */

static uint32_t id_hash(const uint8_t *id)
{
	return (uint32_t)sl_mix64(sl_load_le64(id) ^ sl_load_le64(id + 8));
}

struct collection *collection_find(struct core_store *cs, const uint8_t *id)
{
	struct collection *c;

	if (!cs->table_n)
		return NULL;
	for (c = cs->table[id_hash(id) & (cs->table_n - 1)]; c; c = c->next)
		if (memcmp(c->own->pub.id, id, SL_OBJECT_UUID_BYTES) == 0)
			return c;
	return NULL;
}

static int table_grow(struct core_store *cs)
{
	uint32_t n = cs->table_n ? cs->table_n * 2 : 16;
	struct collection **table = calloc(n, sizeof(*table));

	if (!table)
		return -ENOMEM;
	free(cs->table);
	cs->table = table;
	cs->table_n = n;
	sl_list_each(node, &cs->collections) {
		struct collection *c = sl_list_entry(node, struct collection, node);
		struct collection **slot = &table[id_hash(c->own->pub.id) & (n - 1)];

		c->next = *slot;
		*slot = c;
	}
	return 0;
}

static void table_remove(struct collection *c)
{
	struct core_store *cs = c->cs;
	struct collection **slot = &cs->table[id_hash(c->own->pub.id) & (cs->table_n - 1)];

	while (*slot != c)
		slot = &(*slot)->next;
	*slot = c->next;
	sl_list_remove(&c->node);
	cs->collections_n--;
}

/* ---- parts ------------------------------------------------------------------------------ */

static uint32_t row_of(void *arg, enum sl_key_kind kind, const uint8_t *key)
{
	struct collection *c = arg;
	struct sl_filter_key k = key_from(kind, key);

	return rows_find(&c->rows, &k);
}

int collection_payload_new(struct collection *c)
{
	sl_payload_free(c->payload);
	c->payload = NULL;
	return sl_payload_new(row_of, c, &c->payload);
}

int collection_payload_load(struct collection *c, struct run *run)
{
	sl_payload_free(c->payload);
	c->payload = NULL;
	return sl_payload_load(run_read, run, row_of, c, &c->payload);
}

static void vectors_free(struct collection *c)
{
	for (uint32_t i = 0; i < c->vectors_n; i++)
		vector_free(c->vectors[i]);
	c->vectors_n = 0;
}

static int vectors_make(struct collection *c)
{
	const struct sl_objects_conf *conf = &c->own->pub.conf;

	while (c->vectors_n < conf->vectors_n) {
		uint32_t i = c->vectors_n;
		int rc = vector_new(&conf->vectors[i], c->own->revisions[i], &c->vectors[i]);

		if (rc)
			return rc;
		c->vectors_n++;
	}
	return 0;
}

/* What is in memory of it, but for itself. */
static void contents_free(struct collection *c)
{
	SL_ASSERT(sl_list_empty(&c->pending));
	far_done(c);
	vectors_free(c);
	sl_payload_free(c->payload);
	sl_scratch_free(c->scratch);
	sl_object_builder_free(c->builder);
	rows_done(&c->rows);
	c->payload = NULL;
	c->scratch = NULL;
	c->builder = NULL;
	if (c->dir >= 0)
		sl_close(c->dir);
	c->dir = -1;
}

int collection_reset(struct collection *c)
{
	far_done(c);
	vectors_free(c);
	rows_done(&c->rows);
	c->live_bytes = c->since = c->changed = c->moved = c->lost = 0;
	c->retired = 0;
	c->applied = 0;
	return collection_payload_new(c) ? -ENOMEM : vectors_make(c);
}

static void collection_free(struct collection *c)
{
	memory_forget(c);
	contents_free(c);
	free(c->own);
	free(c);
}

int collection_reserve(struct collection *c, uint64_t rows)
{
	int rc = rows_reserve(&c->rows, rows);

	for (uint32_t i = 0; i < c->vectors_n && !rc; i++) {
		rc = vector_reserve(c->vectors[i], rows);
		if (!rc && c->vectors[i]->rows.partial)
			rc = far_reserve(c, c->rows.cap);
	}
	return rc;
}

uint64_t collection_bytes(const struct collection *c)
{
	return memory_of(c) + (c->payload ? sl_payload_bytes(c->payload) : 0);
}

uint32_t collection_vector(const struct collection *c, const char *name)
{
	uint32_t i;

	for (i = 0; i < c->vectors_n && strcmp(c->vectors[i]->conf->name, name) != 0; i++)
		;
	return i;
}

bool collection_has_payload(const struct collection *c)
{
	return sl_payload_index_at(c->payload, 0, NULL) != NULL;
}

/* ---- opening ---------------------------------------------------------------------------- */

static struct collection *collection_new(struct core_store *cs,
					 const struct objects_collection *pub)
{
	struct collection *c = calloc(1, sizeof(*c));
	struct collection **slot;

	if (!c)
		return NULL;
	c->own = described_new(pub, described_of(pub)->revisions);
	if (!c->own || (cs->collections_n >= cs->table_n && table_grow(cs))) {
		free(c->own);
		free(c);
		return NULL;
	}
	c->cs = cs;
	c->dir = -1;
	sl_waitq_init(&c->changed_q);
	sl_waitq_init(&c->settled);
	sl_mutex_init(&c->writing);
	sl_list_init(&c->pending);
	sl_list_init(&c->waiting);
	id_print(pub->id, c->path);
	slot = &cs->table[id_hash(pub->id) & (cs->table_n - 1)];
	c->next = *slot;
	*slot = c;
	sl_list_append(&cs->collections, &c->node);
	cs->collections_n++;
	return c;
}

static int parts_make(struct collection *c)
{
	int rc = vectors_make(c);

	if (!rc)
		rc = collection_payload_new(c);
	if (!rc)
		rc = sl_scratch_new(&c->scratch);
	return rc ? rc : sl_object_builder_new(&c->builder);
}

static int collection_load(struct collection *c, int64_t deadline)
{
	struct core_store *cs = c->cs;
	int rc = sl_open(cs->o->dir, c->path, O_RDONLY | O_DIRECTORY, 0, deadline);

	if (rc < 0)
		return rc;
	c->dir = rc;
	rc = parts_make(c);
	if (!rc)
		rc = sl_log_open(cs->logs, c->dir, "log", c->own->pub.name, &objects_log_kind,
				 &cs->conf.log, &c->log, deadline);
	if (rc)
		return rc;
	rc = collection_recover(c, deadline);
	if (!rc)
		rc = payload_complete(c, deadline);
	if (rc) {
		sl_log_abandon(c->log);
		c->log = NULL;
	}
	return rc;
}

static void collection_open(struct collection *c, int64_t deadline)
{
	int rc = collection_load(c, deadline);

	if (rc)
		contents_free(c);
	c->err = rc;
	c->state = rc ? COLLECTION_FAILED : COLLECTION_OPEN;
	c->used_at = sl_now();
	c->indexing = true;
	if (!rc) {
		memory_count(c);
		sl_count(SL_M_OBJECTS_OPENED, 1);
	}
	if (rc && rc != -ENOENT)
		objects_tell(c->cs, OBJECTS_FAILED, c->own->pub.name, rc);
	sl_waitq_wake_all(&c->changed_q, 0);
	keeper_wake(c->cs);
}

/* ---- entering --------------------------------------------------------------------------- */

void collection_unuse(struct collection *c)
{
	SL_ASSERT(c->users > 0);
	if (--c->users)
		return;
	sl_waitq_wake_all(&c->changed_q, 0);
	if (c->stale || c->state == COLLECTION_FAILED)
		keeper_wake(c->cs);
}

void collection_leave(struct collection *c)
{
	c->used_at = sl_now();
	collection_unuse(c);
}

/* The state is one in which there is nothing to wait for. */
static bool settled(const struct collection *c)
{
	return c->state == COLLECTION_GONE || c->state == COLLECTION_FAILED ||
	       (c->state == COLLECTION_OPEN && !c->stale);
}

int collection_enter(struct core_store *cs, const struct objects_collection *pub,
		     struct collection **ret_collection, int64_t deadline)
{
	struct collection *c;
	int rc;

	while ((c = collection_find(cs, pub->id)) && !settled(c)) {
		/* What waits is inside no more than who is not there: it looks again by name. */
		sl_waitq_wait(&c->changed_q, sl_min(deadline, sl_now() + 10 * SL_MSEC));
		if (sl_now() >= deadline)
			return -ETIME;
	}
	if (!c) {
		c = collection_new(cs, pub);
		if (!c)
			return -ENOMEM;
		c->state = COLLECTION_OPENING;
		c->users++;
		collection_open(c, SL_NEVER);
	} else {
		c->users++;
	}
	rc = c->state == COLLECTION_OPEN ? 0 : c->state == COLLECTION_GONE ? -ENOENT : c->err;
	if (rc)
		collection_leave(c);
	else
		*ret_collection = c;
	return rc;
}

/* ---- putting away ----------------------------------------------------------------------- */

int collection_put_away(struct collection *c, bool checkpoint, int64_t deadline)
{
	int rc = 0;

	SL_ASSERT(c->users == 0);
	c->state = c->state == COLLECTION_GONE ? COLLECTION_GONE : COLLECTION_CLOSING;
	if (c->log && checkpoint && c->changed && !c->stale && !sl_log_failed(c->log))
		checkpoint_save(c, deadline);
	if (c->log && c->state == COLLECTION_GONE)
		sl_log_abandon(c->log);
	else if (c->log)
		rc = sl_log_close(c->log, deadline);
	c->log = NULL;
	if (c->state != COLLECTION_GONE)
		table_remove(c);
	/* Those who wait look it up again. */
	sl_waitq_wake_all(&c->changed_q, 0);
	collection_free(c);
	return rc;
}

int collections_close(struct core_store *cs, int64_t deadline)
{
	int first = 0;

	while (!sl_list_empty(&cs->collections)) {
		struct collection *c = sl_list_first(&cs->collections, struct collection, node);
		int rc;

		while (c->users)
			sl_waitq_wait(&c->changed_q, SL_NEVER);
		rc = collection_put_away(c, true, deadline);
		first = first ? first : rc;
	}
	return first;
}

/* ---- dropping --------------------------------------------------------------------------- */

void collection_drop(struct core_store *cs, const uint8_t *id)
{
	struct collection *c;

	/* One that is opened or put away at the moment is waited for. */
	while ((c = collection_find(cs, id)) &&
	       (c->state == COLLECTION_OPENING || c->state == COLLECTION_CLOSING))
		sl_waitq_wait(&c->changed_q, sl_now() + 10 * SL_MSEC);
	if (!c)
		return;
	table_remove(c);
	c->state = COLLECTION_GONE;
	sl_waitq_wake_all(&c->changed_q, 0);
	while (c->users)
		sl_waitq_wait(&c->changed_q, SL_NEVER);
	collection_put_away(c, false, SL_NEVER);
}

/* ---- other descriptions ----------------------------------------------------------------- */

static bool has_index(const struct sl_objects_conf *conf, const struct sl_payload_conf *x)
{
	for (uint32_t i = 0; i < conf->indexes_n; i++)
		if (payload_same(&conf->indexes[i], x))
			return true;
	return false;
}

static void payload_trim(struct collection *c)
{
	const struct sl_payload_conf *x;
	uint32_t i = 0;

	while ((x = sl_payload_index_at(c->payload, i, NULL))) {
		if (has_index(&c->own->pub.conf, x))
			i++;
		else
			sl_payload_index_remove(c->payload, x->path, x->type);
	}
}

/* The vectors of @node, of those that are there and new ones, in its order. */
static int vectors_gather(struct collection *c, const struct described *node,
			  struct vector *ret_vectors[SL_OBJECTS_VECTORS_MAX], bool *ret_more)
{
	const struct sl_objects_conf *conf = &node->pub.conf;
	int rc = 0;

	*ret_more = false;
	for (uint32_t k = 0; k < conf->vectors_n && !rc; k++) {
		uint32_t i = collection_vector(c, conf->vectors[k].name);

		ret_vectors[k] = i < c->vectors_n ? c->vectors[i] : NULL;
		if (ret_vectors[k])
			continue;
		*ret_more = true;
		rc = vector_new(&conf->vectors[k], node->revisions[k], &ret_vectors[k]);
		if (!rc)
			rc = vector_reserve(ret_vectors[k], c->rows.cap);
	}
	for (uint32_t k = 0; rc && k < conf->vectors_n; k++)
		if (ret_vectors[k] && collection_vector(c, conf->vectors[k].name) == c->vectors_n)
			vector_free(ret_vectors[k]);
	return rc;
}

static void vectors_follow(struct collection *c, const struct described *node)
{
	for (uint32_t k = 0; k < c->vectors_n; k++) {
		struct vector *v = c->vectors[k];

		v->conf = &node->pub.conf.vectors[k];
		/* The keeper makes it anew. */
		if (v->far)
			continue;
		if (v->revision != node->revisions[k] && vector_restart(v))
			c->stale = true;
		v->revision = node->revisions[k];
	}
}

/* Takes over @node. */
static int follow(struct collection *c, struct described *node)
{
	struct vector *vectors[SL_OBJECTS_VECTORS_MAX] = {0};
	struct described *old = c->own;
	bool more;
	int rc = vectors_gather(c, node, vectors, &more);

	if (rc)
		return rc;
	memcpy(c->vectors, vectors, sizeof(vectors));
	c->vectors_n = node->pub.conf.vectors_n;
	c->own = node;
	vectors_follow(c, node);
	free(old);
	payload_trim(c);
	c->changed++;
	c->indexing = true;
	/* Objects may have had that vector before: they are looked at by opening it anew. */
	c->stale |= more && c->rows.live;
	return 0;
}

int collection_configure(struct collection *c, const struct objects_collection *pub,
			 const uint64_t *revisions, int64_t deadline)
{
	struct described *node = described_new(pub, revisions);
	int rc;

	if (!node)
		return -ENOMEM;
	rc = sl_mutex_lock(&c->writing, deadline);
	if (rc) {
		free(node);
		return rc;
	}
	rc = pending_drain(c, deadline);
	if (!rc)
		rc = follow(c, node);
	if (rc)
		free(node);
	sl_mutex_unlock(&c->writing);
	if (!rc)
		rc = payload_complete(c, deadline);
	keeper_wake(c->cs);
	return rc;
}
