/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage: creating, deleting and altering topics. All of it happens on core 0, one change at a
 * time: on disk first, then in a new view that every core has taken when the call returns. The view
 * is made before, so that a change that fails is nowhere.
 *
 * Interface: sl_topics_create(), _delete(), _alter() of topics.h.
 * Order of parts: publishing; creating; deleting; altering; defaults that changed.
 */
#include <errno.h>

#include "topics_pvt.h"

static struct sl_core *core_at(uint32_t i)
{
	return sl_cores_at(sl_core_cores(sl_core_self()), i);
}

/* ---- publishing ------------------------------------------------------------------------- */

struct publish {
	struct core_state *tc;
	struct sl_topics_view *view;
	bool altered; /* topics' settings */
	bool home;    /* for what the core is home to; otherwise for look-ups */
};

static int publish_here(void *arg, int64_t deadline)
{
	struct publish *p = arg;
	struct sl_topics_view **at, *old;
	int rc = core_ready(p->tc, SL_NEVER);

	/* A core that has stopped needs no view; its reference goes with the last close. */
	if (rc)
		return 0;
	at = p->home ? &p->tc->home_view : &p->tc->view;
	old = *at;
	*at = p->view;
	sl_topics_view_release(old);
	if (p->altered && p->home)
		partitions_configure(p->tc);
	return 0;
}

static void publish_to_all(struct sl_topics *t, struct publish p)
{
	for (uint32_t i = 0; i < t->cores_n; i++) {
		p.tc = &t->cores[i];
		/* Without memory for the hop the core goes on with its old view for a while. */
		while (sl_call(core_at(i), publish_here, &p, SL_NEVER) == -ENOMEM)
			sl_sleep(sl_now() + 10 * SL_MSEC);
	}
}

/*
 * Replaces the view by @view and waits until every core has it. Homes take a new topic before
 * anybody can find it, and give up a deleted one after nobody can any more.
 */
static void publish(struct sl_topics *t, struct sl_topics_view *view, bool altered)
{
	bool deletes = view->n < t->view->n;

	t->view = view;
	publish_to_all(t, (struct publish){.view = view, .altered = altered, .home = !deletes});
	publish_to_all(t, (struct publish){.view = view, .altered = altered, .home = deletes});
}

/* The nodes of the view without the one at @leave_out (or n), with @add (or NULL) in its place. */
static struct topic_node **nodes_with(const struct sl_topics_view *v, uint32_t leave_out,
				      struct topic_node *add, uint32_t *ret_n)
{
	struct topic_node **nodes = calloc((size_t)v->n + 2, sizeof(struct topic_node *));
	uint32_t n = 0;

	if (!nodes)
		return NULL;
	for (uint32_t i = 0; i < v->n; i++) {
		if (i == leave_out)
			continue;
		if (add && strcmp(add->topic.name, v->by_name[i]->topic.name) < 0) {
			nodes[n++] = add;
			add = NULL;
		}
		nodes[n++] = v->by_name[i];
	}
	if (add)
		nodes[n++] = add;
	*ret_n = n;
	return nodes;
}

/* The view that is to follow; given to publish(), or to view_free(). */
static int view_with(struct sl_topics *t, uint32_t leave_out, struct topic_node *add,
		     struct sl_topics_view **ret_view)
{
	uint32_t n = 0;
	struct topic_node **nodes = nodes_with(t->view, leave_out, add, &n);
	int rc = nodes ? view_new(t, nodes, n, ret_view) : -ENOMEM;

	free(nodes);
	return rc;
}

/* By @store on disk, then in the place of the topic at @at (or n: besides all that there are). */
static int node_publish(struct sl_topics *t, uint32_t at, struct topic_node *node,
			int (*store)(struct sl_topics *t, const struct sl_topic *topic,
				     int64_t deadline),
			int64_t deadline)
{
	bool altered = at < t->view->n;
	struct sl_topics_view *view;
	int rc = view_with(t, at, node, &view);

	if (rc)
		return rc;
	rc = store(t, &node->topic, deadline);
	if (rc)
		view_free(view);
	else
		publish(t, view, altered);
	return rc;
}

static uint32_t position_of(const struct sl_topics_view *v, const struct sl_uuid *id)
{
	uint32_t i;

	for (i = 0; i < v->n && !sl_uuid_equal(&v->by_name[i]->topic.id, id); i++)
		;
	return i;
}

/* Runs on core 0 with the catalogue to itself. */
static int begin_change(struct sl_topics *t, int64_t deadline)
{
	struct core_state *tc = &t->cores[0];
	int rc = core_ready(tc, deadline);

	if (!rc)
		rc = sl_mutex_lock(&t->changing, deadline);
	if (!rc && tc->draining) {
		sl_mutex_unlock(&t->changing);
		rc = SL_REFUSED_STOPPING;
	}
	return rc;
}

/* ---- creating --------------------------------------------------------------------------- */

struct change {
	struct sl_topics *t;
	struct sl_str name;
	struct sl_uuid id;
	uint32_t partitions;
	const struct sl_topic_settings *settings;
	bool check_only;
};

static int create_check(const struct sl_topics *t, const struct change *c)
{
	if (!sl_topic_name_ok(c->name))
		return SL_REFUSED_BAD_NAME;
	if (sl_topics_view_find(t->view, c->name))
		return SL_REFUSED_TOPIC_EXISTS;
	if (c->partitions < 1 || c->partitions > t->cores[0].conf.partitions_max)
		return SL_REFUSED_BAD_PARTITIONS;
	return 0;
}

/* Random, version 4, and never one that a command line would take for an option. */
static struct sl_uuid uuid_new(void)
{
	struct sl_uuid id;

	do {
		sl_random(id.b, sizeof(id.b));
	} while (id.b[0] >> 2 == 62);
	id.b[6] = (id.b[6] & 0x0f) | 0x40;
	id.b[8] = (id.b[8] & 0x3f) | 0x80;
	return id;
}

static int create_checked(struct change *c, int64_t deadline)
{
	struct sl_topics *t = c->t;
	struct topic_node *node = calloc(1, sizeof(*node));
	int rc;

	if (!node)
		return -ENOMEM;
	node->refs = 1;
	node->topic.id = c->id = uuid_new();
	node->topic.partitions = c->partitions;
	node->topic.created_ms = wall_ms();
	node->topic.name_len = (uint32_t)c->name.len;
	memcpy(node->topic.name, c->name.s, c->name.len);
	if (c->settings)
		node->topic.own = *c->settings;
	settings_resolve(&t->cores[0].conf, &node->topic);
	for (uint32_t i = 0; i < t->view->n; i++) {
		if (topic_names_collide(node->topic.name, t->view->by_name[i]->topic.name)) {
			topic_node_release(node);
			return SL_REFUSED_BAD_NAME;
		}
	}
	rc = c->check_only ? 0 : node_publish(t, t->view->n, node, files_create, deadline);
	topic_node_release(node);
	return partition_result(rc);
}

static int create_here(void *arg, int64_t deadline)
{
	struct change *c = arg;
	int rc = begin_change(c->t, deadline);

	if (rc)
		return rc;
	rc = create_check(c->t, c);
	if (!rc)
		rc = create_checked(c, deadline);
	sl_mutex_unlock(&c->t->changing);
	return rc;
}

int sl_topics_create(struct sl_topics *t, struct sl_str name, uint32_t partitions,
		     const struct sl_topic_settings *settings, bool check_only,
		     struct sl_uuid *ret_id, int64_t deadline)
{
	struct change c = {
		.t = t,
		.name = name,
		.partitions = partitions,
		.settings = settings,
		.check_only = check_only,
	};
	int rc = sl_call(core_at(0), create_here, &c, deadline);

	if (!rc && ret_id)
		*ret_id = c.id;
	return rc;
}

/* ---- deleting --------------------------------------------------------------------------- */

struct forget {
	struct core_state *tc;
	struct sl_uuid id;
};

static int forget_here(void *arg, int64_t deadline)
{
	struct forget *f = arg;

	/* A core that has stopped has no partitions left. */
	if (core_ready(f->tc, SL_NEVER))
		return 0;
	partitions_drop(f->tc, &f->id);
	shards_forget_topic(f->tc, &f->id);
	return 0;
}

/* Once every core has let go of the partitions, the files can go. */
static void remove_fiber(void *arg)
{
	struct forget *f = arg;
	struct core_state *tc = f->tc;
	struct sl_topics *t = tc->t;

	for (uint32_t i = 0; i < t->cores_n; i++) {
		f->tc = &t->cores[i];
		while (sl_call(core_at(i), forget_here, f, SL_NEVER) == -ENOMEM)
			sl_sleep(sl_now() + 10 * SL_MSEC);
	}
	/* What cannot be removed now is when the node starts again. */
	files_remove(t, &f->id, SL_NEVER);
	free(f);
	core_fiber_end(tc);
}

static int delete_locked(struct change *c, int64_t deadline)
{
	struct sl_topics *t = c->t;
	uint32_t at = position_of(t->view, &c->id);
	struct sl_topics_view *view;
	struct forget *f;
	int rc;

	if (at == t->view->n)
		return SL_REFUSED_UNKNOWN_TOPIC_ID;
	rc = view_with(t, at, NULL, &view);
	if (rc)
		return rc;
	f = calloc(1, sizeof(*f));
	rc = f ? files_delete(t, &t->view->by_name[at]->topic, deadline) : -ENOMEM;
	if (rc) {
		view_free(view);
		free(f);
		return partition_result(rc);
	}
	publish(t, view, false);
	*f = (struct forget){&t->cores[0], c->id};
	rc = sl_fiber_start(SL_STACK_SMALL, remove_fiber, f);
	if (rc) {
		free(f);
		return 0; /* it is deleted; the next start removes its files */
	}
	t->cores[0].fibers++;
	return 0;
}

static int delete_here(void *arg, int64_t deadline)
{
	struct change *c = arg;
	int rc = begin_change(c->t, deadline);

	if (rc)
		return rc;
	rc = delete_locked(c, deadline);
	sl_mutex_unlock(&c->t->changing);
	return rc;
}

int sl_topics_delete(struct sl_topics *t, const struct sl_uuid *id, int64_t deadline)
{
	struct change c = {.t = t, .id = *id};

	return sl_call(core_at(0), delete_here, &c, deadline);
}

/* ---- altering --------------------------------------------------------------------------- */

static int alter_locked(struct change *c, int64_t deadline)
{
	struct sl_topics *t = c->t;
	uint32_t at = position_of(t->view, &c->id);
	struct topic_node *node;
	int rc;

	if (at == t->view->n)
		return SL_REFUSED_UNKNOWN_TOPIC_ID;
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->refs = 1;
	node->topic = t->view->by_name[at]->topic;
	if (c->settings)
		node->topic.own = *c->settings;
	settings_resolve(&t->cores[0].conf, &node->topic);
	rc = SL_REFUSED_BAD_PARTITIONS;
	if (c->partitions && (c->partitions <= node->topic.partitions ||
			      c->partitions > t->cores[0].conf.partitions_max))
		goto out_release;
	if (c->partitions)
		node->topic.partitions = c->partitions;
	rc = c->check_only ? 0
			   : partition_result(node_publish(t, at, node, files_rewrite, deadline));
out_release:
	topic_node_release(node);
	return rc;
}

static int alter_here(void *arg, int64_t deadline)
{
	struct change *c = arg;
	int rc = begin_change(c->t, deadline);

	if (rc)
		return rc;
	rc = alter_locked(c, deadline);
	sl_mutex_unlock(&c->t->changing);
	return rc;
}

int sl_topics_alter(struct sl_topics *t, const struct sl_uuid *id, uint32_t partitions,
		    const struct sl_topic_settings *settings, bool check_only, int64_t deadline)
{
	struct change c = {
		.t = t,
		.id = *id,
		.partitions = partitions,
		.settings = settings,
		.check_only = check_only,
	};

	return sl_call(core_at(0), alter_here, &c, deadline);
}

/* ---- defaults that changed -------------------------------------------------------------- */

static int resolve_all_locked(struct core_state *tc)
{
	struct sl_topics *t = tc->t;
	struct topic_node **nodes = calloc(t->view->n + 1, sizeof(struct topic_node *));
	struct sl_topics_view *view;
	uint32_t n = 0;
	int rc = nodes ? 0 : -ENOMEM;

	for (; !rc && n < t->view->n; n++) {
		nodes[n] = calloc(1, sizeof(struct topic_node));
		if (!nodes[n]) {
			rc = -ENOMEM;
			break;
		}
		nodes[n]->refs = 1;
		nodes[n]->topic = t->view->by_name[n]->topic;
		settings_resolve(&tc->conf, &nodes[n]->topic);
	}
	if (!rc)
		rc = view_new(t, nodes, n, &view);
	if (!rc)
		publish(t, view, true);
	for (uint32_t i = 0; i < n; i++)
		topic_node_release(nodes[i]);
	free(nodes);
	return rc;
}

/* All topics take over what the node's settings now say. */
void topics_resolve_all(void *core_state)
{
	struct core_state *tc = core_state;

	if (begin_change(tc->t, SL_NEVER) == 0) {
		resolve_all_locked(tc);
		sl_mutex_unlock(&tc->t->changing);
	}
	core_fiber_end(tc);
}
