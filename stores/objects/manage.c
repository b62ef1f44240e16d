/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage: creating, deleting and changing collections, and aliases. All of it happens on core 0,
 * one change at a time: on disk first, then in a new view that every core has taken when the call
 * returns.
 *
 * Interface: objects_create(), _delete(), _change(), _alias() of objects.h; draft_*() of
 * objects_pvt.h.
 * Order of parts: publishing; creating; deleting; changing; drafts; aliases.
 */
#include "objects_pvt.h"

static struct sl_core *core_at(uint32_t i)
{
	struct sl_core *self = sl_core_self();

	return self ? sl_cores_at(sl_core_cores(self), i) : NULL;
}

/* What is on disk already has to be seen: without memory for that it is tried again. */
static void wait_for_memory(void)
{
	sl_sleep(sl_now() + 10 * SL_MSEC);
}

static void call_surely(struct sl_core *core, int (*fn)(void *arg, int64_t deadline), void *arg)
{
	while (sl_call(core, fn, arg, SL_NEVER) == -ENOMEM)
		wait_for_memory();
}

/* ---- publishing ------------------------------------------------------------------------- */

struct publish {
	struct core_store *cs;
	struct objects_view *view;
};

static int publish_here(void *arg, int64_t deadline)
{
	struct publish *p = arg;
	struct objects_view *old = p->cs->view;

	(void)deadline;
	/* A core that has stopped needs no view; its reference goes with the last close. */
	if (home_ready(p->cs, SL_NEVER))
		return 0;
	p->cs->view = p->view;
	objects_view_release(old);
	return 0;
}

static void publish(struct objects *o, struct described *const *nodes, uint32_t n)
{
	struct publish p;

	while (catalogue_view_new(o, nodes, n, o->aliases, o->aliases_n, &p.view))
		wait_for_memory();
	o->view = p.view;
	for (uint32_t i = 0; i < o->cores_n; i++) {
		p.cs = &o->cores[i];
		call_surely(core_at(i), publish_here, &p);
	}
}

/* The view without the nodes at @leave_out and @and_out (or n), with @add (or NULL) in its place by
 * name. */
static void publish_swap(struct objects *o, uint32_t leave_out, uint32_t and_out,
			 struct described *add)
{
	const struct objects_view *v = o->view;
	struct described **nodes;
	uint32_t n = 0;

	while (!(nodes = calloc((size_t)v->n + 2, sizeof(*nodes))))
		wait_for_memory();
	for (uint32_t i = 0; i < v->n; i++) {
		if (i == leave_out || i == and_out)
			continue;
		if (add && strcmp(add->pub.name, v->by_name[i]->pub.name) < 0) {
			nodes[n++] = add;
			add = NULL;
		}
		nodes[n++] = v->by_name[i];
	}
	if (add)
		nodes[n++] = add;
	publish(o, nodes, n);
	free(nodes);
}

static void publish_change(struct objects *o, uint32_t leave_out, struct described *add)
{
	publish_swap(o, leave_out, o->view->n, add);
}

/* Where the collection @name, or of that alias, is in the view, or n. */
static uint32_t position_of(const struct objects *o, const char *name)
{
	const struct objects_collection *pub = objects_view_find(o->view, name);
	uint32_t i;

	for (i = 0; i < o->view->n && &o->view->by_name[i]->pub != pub; i++)
		;
	return i;
}

/**
 * struct change - one change of the catalogue; first member of what each kind needs.
 * @fn: carries it out on core 0 with the catalogue to itself.
 */
struct change {
	struct objects *o;
	int (*fn)(struct change *change, int64_t deadline);
	const char *name, *to;
	const struct sl_objects_conf *conf;
	uint64_t generation;
	const struct objects_alias_change *aliases;
	uint32_t aliases_n;
	char *why;
	size_t why_len;
};

static int change_here(void *arg, int64_t deadline)
{
	struct change *c = arg;
	struct core_store *cs = &c->o->cores[0];
	int rc = home_ready(cs, deadline);

	if (!rc)
		rc = sl_mutex_lock(&c->o->changing, deadline);
	if (rc)
		return rc;
	rc = cs->draining ? -ESHUTDOWN : c->fn(c, deadline);
	sl_mutex_unlock(&c->o->changing);
	return rc;
}

static int change_make(struct change *c, int64_t deadline)
{
	if (c->why_len)
		c->why[0] = 0;
	return sl_call(core_at(0), change_here, c, deadline);
}

/* ---- creating --------------------------------------------------------------------------- */

static void id_new(uint8_t *ret_id)
{
	sl_random(ret_id, SL_OBJECT_UUID_BYTES);
	ret_id[6] = (ret_id[6] & 0x0f) | 0x40;
	ret_id[8] = (ret_id[8] & 0x3f) | 0x80;
}

static int create(struct change *c, int64_t deadline)
{
	struct objects_collection pub = {
		.name = c->name,
		.created_ms = wall_ms(),
		.generation = 1,
		.conf = *c->conf,
	};
	uint64_t revisions[SL_OBJECTS_VECTORS_MAX] = {0};
	struct described *node;
	int rc;

	if (!name_ok(c->name) && !is_draft(c->name)) {
		snprintf(c->why, c->why_len,
			 "a name has 1 to %d bytes, and neither slashes nor "
			 "control characters",
			 SL_OBJECTS_NAME_BYTES_MAX);
		return -EINVAL;
	}
	if (objects_view_find(c->o->view, c->name))
		return -EEXIST;
	rc = conf_check(c->conf, c->why, c->why_len);
	if (rc)
		return rc;
	id_new(pub.id);
	node = described_new(&pub, revisions);
	if (!node)
		return -ENOMEM;
	rc = folder_create(c->o, node, deadline);
	if (!rc)
		publish_change(c->o, c->o->view->n, node);
	described_release(node);
	return rc;
}

static int create_as(struct objects *o, const char *name, const struct sl_objects_conf *conf,
		     char *why, size_t why_len, int64_t deadline)
{
	struct change c = {
		.o = o, .fn = create, .name = name, .conf = conf, .why = why, .why_len = why_len};

	return change_make(&c, deadline);
}

int objects_create(struct objects *o, const char *name, const struct sl_objects_conf *conf,
		   char *why, size_t why_len, int64_t deadline)
{
	/* What is called like a draft is no name. */
	return create_as(o, is_draft(name) ? "" : name, conf, why, why_len, deadline);
}

/* ---- deleting --------------------------------------------------------------------------- */

struct forget {
	struct core_store *cs;
	uint8_t id[SL_OBJECT_UUID_BYTES];
};

static int forget_here(void *arg, int64_t deadline)
{
	struct forget *f = arg;

	(void)deadline;
	/* A core that has stopped has no collections left. */
	if (home_ready(f->cs, SL_NEVER) == 0)
		collection_drop(f->cs, f->id);
	return 0;
}

/* Once the home has let go of the collection, the files can go. */
static void remove_fiber(void *arg)
{
	struct forget *f = arg;
	struct core_store *zero = f->cs;
	struct objects *o = zero->o;
	struct objects_collection pub = {0};
	struct sl_core *home;

	memcpy(pub.id, f->id, sizeof(pub.id));
	home = collection_home(&pub);
	f->cs = objects_at(o, home);
	call_surely(home, forget_here, f);
	/* What cannot be removed now is when the node starts again. */
	folder_remove(o, f->id, SL_NEVER);
	free(f);
	store_fiber_end(zero);
}

static void alias_remove(struct objects *o, uint32_t i)
{
	free(o->aliases[i].alias);
	o->aliases[i] = o->aliases[--o->aliases_n];
}

static struct forget *forget_new(struct objects *o, const struct described *node)
{
	struct forget *f = calloc(1, sizeof(*f));

	if (f) {
		f->cs = &o->cores[0];
		memcpy(f->id, node->pub.id, sizeof(f->id));
	}
	return f;
}

/* Its folder is called deleted-, and no view has it. */
static void forget_begin(struct forget *f)
{
	if (f && store_fiber_start(f->cs, remove_fiber, f))
		free(f); /* the next start removes its files */
}

static int delete (struct change *c, int64_t deadline)
{
	struct objects *o = c->o;
	uint32_t at = position_of(o, c->name);
	struct forget *f;
	int rc;

	if (at == o->view->n)
		return -ENOENT;
	f = forget_new(o, o->view->by_name[at]);
	if (!f)
		return -ENOMEM;
	rc = folder_delete(o, f->id, deadline);
	if (rc) {
		free(f);
		return rc;
	}
	publish_change(o, at, NULL);
	/* In the file they may stay: they are of no collection. */
	for (uint32_t i = o->aliases_n; i-- > 0;)
		if (memcmp(o->aliases[i].id, f->id, sizeof(f->id)) == 0)
			alias_remove(o, i);
	forget_begin(f);
	return 0;
}

int objects_delete(struct objects *o, const char *name, int64_t deadline)
{
	struct change c = {.o = o, .fn = delete, .name = name};

	return change_make(&c, deadline);
}

/* ---- changing --------------------------------------------------------------------------- */

static bool same_index(const struct sl_objects_vector *was, const struct sl_objects_vector *is)
{
	const struct sl_index_conf a = vector_index_conf(was), b = vector_index_conf(is);

	return a.kind == b.kind && a.seed == b.seed && a.train_rows == b.train_rows &&
	       a.lists == b.lists && a.rescore == b.rescore && a.links == b.links &&
	       a.quantiser == b.quantiser && a.quantiser_bits == b.quantiser_bits &&
	       a.effort_add == b.effort_add;
}

/* What is new keeps to what is there; @ret_revisions: of the vectors of c->conf. */
static int change_check(struct change *c, const struct described *old, uint64_t *ret_revisions)
{
	const struct sl_objects_conf *was = &old->pub.conf, *is = c->conf;
	int rc = conf_check(is, c->why, c->why_len);

	for (uint32_t i = 0; i < was->vectors_n && !rc; i++) {
		const struct sl_objects_vector *a = &was->vectors[i], *b = NULL;
		uint32_t k;

		for (k = 0; k < is->vectors_n && strcmp(is->vectors[k].name, a->name) != 0; k++)
			;
		if (k < is->vectors_n)
			b = &is->vectors[k];
		if (!b || b->dim != a->dim || b->metric != a->metric ||
		    b->component != a->component) {
			snprintf(c->why, c->why_len,
				 "vector \"%s\" cannot be taken away or given "
				 "other dimensions, another distance or another type",
				 a->name);
			return -EINVAL;
		}
		ret_revisions[k] = old->revisions[i] + !same_index(a, b);
	}
	return rc;
}

struct configure {
	struct core_store *cs;
	const struct described *node;
};

static int configure_here(void *arg, int64_t deadline)
{
	struct configure *f = arg;
	struct collection *c;
	int rc = home_ready(f->cs, deadline);

	if (rc || !collection_find(f->cs, f->node->pub.id))
		return 0; /* it will be opened as it is described */
	rc = collection_enter(f->cs, &f->node->pub, &c, deadline);
	if (rc)
		return rc;
	rc = collection_configure(c, &f->node->pub, f->node->revisions, deadline);
	collection_leave(c);
	return rc;
}

/* Its home takes the description over. */
static int configure(struct objects *o, const struct described *node)
{
	struct sl_core *home = collection_home(&node->pub);
	struct configure f = {objects_at(o, home), node};

	return sl_call(home, configure_here, &f, SL_NEVER);
}

static int change(struct change *c, int64_t deadline)
{
	struct objects *o = c->o;
	uint32_t at = position_of(o, c->name);
	uint64_t revisions[SL_OBJECTS_VECTORS_MAX] = {0};
	struct objects_collection pub;
	struct described *node;
	int rc;

	if (at == o->view->n)
		return -ENOENT;
	pub = o->view->by_name[at]->pub;
	if (c->generation && c->generation != pub.generation)
		return -EAGAIN;
	rc = change_check(c, o->view->by_name[at], revisions);
	if (rc)
		return rc;
	pub.conf = *c->conf;
	pub.generation++;
	node = described_new(&pub, revisions);
	if (!node)
		return -ENOMEM;
	memcpy(node->replaces, o->view->by_name[at]->replaces, sizeof(node->replaces));
	rc = folder_rewrite(o, node, deadline);
	if (!rc) {
		publish_change(o, at, node);
		rc = configure(o, node);
	}
	described_release(node);
	return rc;
}

int objects_change(struct objects *o, const char *name, uint64_t generation,
		   const struct sl_objects_conf *conf, char *why, size_t why_len, int64_t deadline)
{
	struct change c = {.o = o,
			   .fn = change,
			   .name = name,
			   .conf = conf,
			   .generation = generation,
			   .why = why,
			   .why_len = why_len};

	return change_make(&c, deadline);
}

/* ---- drafts ----------------------------------------------------------------------------- */

int draft_create(struct objects *o, const struct sl_objects_conf *conf,
		 char ret_name[DRAFT_NAME_BYTES], char *why, size_t why_len, int64_t deadline)
{
	uint8_t random[SL_OBJECT_UUID_BYTES];

	sl_random(random, sizeof(random));
	ret_name[0] = DRAFT_MARK;
	id_print(random, ret_name + 1);
	return create_as(o, ret_name, conf, why, why_len, deadline);
}

/* What is @node's, or of none, is that of the collection whose place it took. */
static void aliases_inherit(struct objects *o, const struct described *node)
{
	bool any = false;

	for (uint32_t i = 0; i < o->aliases_n; i++) {
		if (memcmp(o->aliases[i].id, node->replaces, sizeof(node->replaces)) != 0)
			continue;
		memcpy(o->aliases[i].id, node->pub.id, sizeof(o->aliases[i].id));
		any = true;
	}
	/* If that fails the next start does it by the description. */
	if (any)
		aliases_write(o, o->aliases, o->aliases_n, SL_NEVER);
}

/* The description as it is to be; its folder's file is what decides. */
static int take_place_on_disk(struct objects *o, struct described *node,
			      const struct described *old, int64_t deadline)
{
	int rc;

	if (old)
		memcpy(node->replaces, old->pub.id, sizeof(node->replaces));
	rc = folder_rewrite(o, node, deadline);
	if (rc || !old)
		return rc;
	folder_inherit(o, old->pub.id, node->pub.id);
	aliases_inherit(o, node);
	/* Until it is, the next start knows by the description that it is to be. */
	folder_delete(o, old->pub.id, SL_NEVER);
	return 0;
}

static int take_place(struct change *c, int64_t deadline)
{
	struct objects *o = c->o;
	uint32_t at = position_of(o, c->name), to = position_of(o, c->to);
	const struct described *draft, *old = to < o->view->n ? o->view->by_name[to] : NULL;
	struct objects_collection pub;
	struct described *node;
	struct forget *f = NULL;
	int rc;

	if (at == o->view->n)
		return -ENOENT;
	draft = o->view->by_name[at];
	pub = draft->pub;
	pub.name = old ? old->pub.name : c->to;
	node = name_ok(pub.name) ? described_new(&pub, draft->revisions) : NULL;
	if (!node)
		return name_ok(pub.name) ? -ENOMEM : -EINVAL;
	if (old && !(f = forget_new(o, old)))
		rc = -ENOMEM;
	else
		rc = take_place_on_disk(o, node, old, deadline);
	if (rc) {
		free(f);
	} else {
		publish_swap(o, at, to, node);
		forget_begin(f);
		/* What it is called is all that is different: it may stay as it was there. */
		configure(o, node);
	}
	described_release(node);
	return rc;
}

int draft_publish(struct objects *o, const char *draft, const char *name, int64_t deadline)
{
	struct change c = {.o = o, .fn = take_place, .name = draft, .to = name};

	return change_make(&c, deadline);
}

/* ---- aliases ---------------------------------------------------------------------------- */

/* Aliases that are being changed. */
struct aliases {
	struct alias *at;
	uint32_t n;
};

static void list_free(struct aliases *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		free(l->at[i].alias);
	free(l->at);
}

static int list_add(struct aliases *l, const char *alias, const uint8_t *id)
{
	l->at[l->n].alias = strdup(alias);
	if (!l->at[l->n].alias)
		return -ENOMEM;
	memcpy(l->at[l->n++].id, id, SL_OBJECT_UUID_BYTES);
	return 0;
}

static uint32_t list_find(const struct aliases *l, const char *alias)
{
	uint32_t i;

	for (i = 0; i < l->n && strcmp(l->at[i].alias, alias) != 0; i++)
		;
	return i;
}

static bool is_collection(const struct objects *o, const char *name)
{
	for (uint32_t i = 0; i < o->view->n; i++)
		if (strcmp(o->view->by_name[i]->pub.name, name) == 0)
			return true;
	return false;
}

static void list_remove(struct aliases *l, uint32_t i)
{
	free(l->at[i].alias);
	l->at[i] = l->at[--l->n];
}

static int alias_create(struct change *c, struct aliases *l, const struct objects_alias_change *x)
{
	uint32_t at = position_of(c->o, x->name), i = list_find(l, x->alias);

	if (at == c->o->view->n) {
		snprintf(c->why, c->why_len, "there is no collection %s", x->name);
		return -ENOENT;
	}
	if (!name_ok(x->alias)) {
		snprintf(c->why, c->why_len, "an alias is named as a collection is");
		return -EINVAL;
	}
	if (is_collection(c->o, x->alias)) {
		snprintf(c->why, c->why_len, "%s is a collection", x->alias);
		return -EEXIST;
	}
	if (i < l->n)
		list_remove(l, i);
	return list_add(l, x->alias, c->o->view->by_name[at]->pub.id);
}

static int alias_rename(struct change *c, struct aliases *l, const struct objects_alias_change *x)
{
	uint32_t i = list_find(l, x->alias), to = list_find(l, x->name);
	char *name;

	if (!name_ok(x->name)) {
		snprintf(c->why, c->why_len, "an alias is named as a collection is");
		return -EINVAL;
	}
	if (is_collection(c->o, x->name) || (to < l->n && to != i)) {
		snprintf(c->why, c->why_len, "the name %s is taken", x->name);
		return -EEXIST;
	}
	name = strdup(x->name);
	if (!name)
		return -ENOMEM;
	free(l->at[i].alias);
	l->at[i].alias = name;
	return 0;
}

static int alias_change(struct change *c, struct aliases *l, const struct objects_alias_change *x)
{
	uint32_t i = list_find(l, x->alias);

	if (x->kind == OBJECTS_ALIAS_CREATE)
		return alias_create(c, l, x);
	if (i == l->n) {
		snprintf(c->why, c->why_len, "there is no alias %s", x->alias);
		return -ENOENT;
	}
	if (x->kind == OBJECTS_ALIAS_RENAME)
		return alias_rename(c, l, x);
	list_remove(l, i);
	return 0;
}

static int aliases_change(struct change *c, int64_t deadline)
{
	struct objects *o = c->o;
	struct aliases l = {.at = calloc((size_t)o->aliases_n + c->aliases_n + 1, sizeof(*l.at))};
	struct aliases old;
	int rc = l.at ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < o->aliases_n && !rc; i++)
		rc = list_add(&l, o->aliases[i].alias, o->aliases[i].id);
	for (uint32_t i = 0; i < c->aliases_n && !rc; i++)
		rc = alias_change(c, &l, &c->aliases[i]);
	if (!rc)
		rc = aliases_write(o, l.at, l.n, deadline);
	if (!rc) {
		old = (struct aliases){o->aliases, o->aliases_n};
		o->aliases = l.at;
		o->aliases_n = l.n;
		l = old;
		publish(o, o->view->by_name, o->view->n);
	}
	list_free(&l);
	return rc;
}

int objects_alias(struct objects *o, const struct objects_alias_change *changes, uint32_t n,
		  char *why, size_t why_len, int64_t deadline)
{
	struct change c = {.o = o,
			   .fn = aliases_change,
			   .aliases = changes,
			   .aliases_n = n,
			   .why = why,
			   .why_len = why_len};

	return change_make(&c, deadline);
}
