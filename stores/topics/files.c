/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: the catalogue on disk. One folder a topic, below DATADIR/topics.
 *
 * Interface: "the catalogue on disk" of topics_pvt.h.
 * Invariants: a folder NAME.ID was whole and durable before it got that name, so what a crash
 * leaves is the topic or nothing; a deletion is durable once the folder has its deleted- name,
 * which no start takes for a topic.
 *
 * Order of parts: reading all; creating; deleting; leftovers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "topics_pvt.h"

#define META_FILE "meta"

/* ---- reading all ------------------------------------------------------------------------ */

struct scan {
	struct sl_topics *t;
	struct topic_node **nodes;
	uint32_t n, cap;
};

static int scan_add(struct scan *s, const struct sl_topic *topic)
{
	struct topic_node *node;

	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 64;
		struct topic_node **nodes = realloc(s->nodes, cap * sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		s->nodes = nodes;
		s->cap = cap;
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->topic = *topic;
	settings_resolve(&s->t->conf, &node->topic);
	s->nodes[s->n++] = node;
	return 0;
}

static int read_meta(int dir, const char *folder, struct sl_topic *ret_topic)
{
	char path[TOPIC_FOLDER_BYTES + sizeof(META_FILE) + 1], own[TOPIC_FOLDER_BYTES];
	uint8_t buf[TOPIC_META_BYTES_MAX];
	struct sl_topic topic;
	ssize_t n;
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/" META_FILE, folder) >= sizeof(path))
		return -EBADMSG;
	n = sl_read_file(dir, path, buf, sizeof(buf), SL_NEVER);
	if (n < 0)
		return (int)n;
	rc = topic_meta_decode(buf, (size_t)n, &topic);
	if (rc)
		return rc;
	topic_folder_name(&topic, own);
	if (strcmp(own, folder) != 0)
		return -EBADMSG;
	*ret_topic = topic;
	return 0;
}

static int leftover_add(struct sl_topics *t, const char *name)
{
	char **names = realloc(t->leftovers, (t->leftovers_n + 1) * sizeof(char *));

	if (!names)
		return -ENOMEM;
	t->leftovers = names;
	names[t->leftovers_n] = strdup(name);
	if (!names[t->leftovers_n])
		return -ENOMEM;
	t->leftovers_n++;
	return 0;
}

static int scan_entry(void *arg, const char *name, int type)
{
	struct scan *s = arg;
	struct sl_topic topic;
	int rc;

	if (type != DT_DIR)
		return 0;
	switch (topic_folder_kind(name)) {
	case TOPIC_FOLDER_NEW:
	case TOPIC_FOLDER_DELETED:
		return leftover_add(s->t, name);
	case TOPIC_FOLDER_OTHER:
		topics_event(&s->t->cores[0], SL_TOPICS_SKIPPED, name, -EINVAL);
		return 0;
	case TOPIC_FOLDER_TOPIC:
		break;
	}
	rc = read_meta(s->t->dir, name, &topic);
	if (rc == 0)
		return scan_add(s, &topic);
	if (rc == -EPROTONOSUPPORT || rc == -ENOMEM)
		return rc;
	topics_event(&s->t->cores[0], SL_TOPICS_SKIPPED, name, rc);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct topic_node *const *x = a, *const *y = b;

	return strcmp((*x)->topic.name, (*y)->topic.name);
}

/* Of two folders with one name, which only tampering can leave, the second is passed over. */
static void scan_unique(struct scan *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct topic_node *node = s->nodes[i];

		if (kept && strcmp(s->nodes[kept - 1]->topic.name, node->topic.name) == 0) {
			topics_event(&s->t->cores[0], SL_TOPICS_SKIPPED, node->topic.name, -EEXIST);
			free(node);
			continue;
		}
		s->nodes[kept++] = node;
	}
	s->n = kept;
}

int files_scan(struct sl_topics *t)
{
	struct scan s = {.t = t};
	int rc = sl_list_folder(t->dir, scan_entry, &s);

	if (!rc) {
		if (s.n)
			qsort(s.nodes, s.n, sizeof(struct topic_node *), by_name);
		scan_unique(&s);
		rc = view_new(t, s.nodes, s.n, &t->view);
	}
	if (rc)
		for (uint32_t i = 0; i < s.n; i++)
			free(s.nodes[i]);
	free(s.nodes);
	return rc;
}

/* ---- creating --------------------------------------------------------------------------- */

/* @name: the topic's folder. */
static int write_meta(struct sl_topics *t, const char *name, const struct sl_topic *topic,
		      int64_t deadline)
{
	struct blob_out b = {0};
	int rc, folder = sl_open(t->dir, name, O_RDONLY | O_DIRECTORY, 0, deadline);

	if (folder < 0)
		return folder;
	rc = topic_meta_encode(topic, &b);
	if (!rc)
		rc = sl_write_file(folder, META_FILE, b.p, b.len, SL_FAULT(SYNC_TOPIC_META),
				   SL_FAULT(SYNC_TOPIC_NEW), deadline);
	blob_done(&b);
	sl_close(folder);
	return rc;
}

int files_create(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline)
{
	char new[TOPIC_FOLDER_BYTES], name[TOPIC_FOLDER_BYTES];
	int rc;

	topic_folder_marked(TOPIC_NEW_PREFIX, &topic->id, new);
	topic_folder_name(topic, name);
	/* Durable but for its name, until it has that. */
	rc = sl_mkdir(t->dir, new, 0700, deadline);
	if (!rc)
		rc = write_meta(t, new, topic, deadline);
	if (rc)
		goto out_remove;
	rc = sl_rename(t->dir, new, t->dir, name, deadline);
	if (rc)
		goto out_remove;
	rc = sl_fsync(t->dir, false, SL_FAULT(SYNC_TOPIC_FOLDER), deadline);
	if (!rc)
		return 0;
	sl_rename(t->dir, name, t->dir, new, SL_NEVER);
out_remove:
	sl_remove_tree(t->dir, new, SL_NEVER);
	return rc;
}

int files_rewrite(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline)
{
	char name[TOPIC_FOLDER_BYTES];

	topic_folder_name(topic, name);
	return write_meta(t, name, topic, deadline);
}

/* ---- deleting --------------------------------------------------------------------------- */

int files_delete(struct sl_topics *t, const struct sl_topic *topic, int64_t deadline)
{
	char deleted[TOPIC_FOLDER_BYTES], name[TOPIC_FOLDER_BYTES];
	int rc;

	topic_folder_marked(TOPIC_DELETED_PREFIX, &topic->id, deleted);
	topic_folder_name(topic, name);
	rc = sl_rename(t->dir, name, t->dir, deleted, deadline);
	if (rc)
		return rc;
	rc = sl_fsync(t->dir, false, SL_FAULT(SYNC_TOPIC_FOLDER), deadline);
	if (rc)
		sl_rename(t->dir, deleted, t->dir, name, SL_NEVER);
	return rc;
}

int files_remove(struct sl_topics *t, const struct sl_uuid *id, int64_t deadline)
{
	char deleted[TOPIC_FOLDER_BYTES];

	topic_folder_marked(TOPIC_DELETED_PREFIX, id, deleted);
	return sl_remove_tree(t->dir, deleted, deadline);
}

/* ---- leftovers -------------------------------------------------------------------------- */

void files_sweep(struct sl_topics *t)
{
	for (uint32_t i = 0; i < t->leftovers_n; i++) {
		int rc = sl_remove_tree(t->dir, t->leftovers[i], SL_NEVER);

		/* What cannot be removed now is tried again at the next start. */
		topics_event(&t->cores[0], rc ? SL_TOPICS_SKIPPED : SL_TOPICS_FINISHED,
			     t->leftovers[i], rc);
	}
}
