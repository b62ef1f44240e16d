/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folders: the catalogue on disk: a folder a collection, and one file of aliases.
 *
 * Interface: folder*(), aliases_write() of objects_pvt.h; docs/format.md has the layout.
 * DATADIR/objects/<id> holds the description, the log and the checkpoint.
 * Invariants: a folder gets its own name only when it is whole and durable; a deletion is durable,
 * by its new name, before it is told.
 *
 * Order of parts: names; reading; creating; deleting; leftovers; aliases.
 */
#include <dirent.h>

#include "objects_pvt.h"

#define DESCRIPTION "collection"
#define ALIASES "aliases"
#define NEW "new-"
#define DELETED "deleted-"
#define FILE_BYTES_MAX (64 * SL_MIB)

/* ---- names ------------------------------------------------------------------------------ */

#define NAME_BYTES (ID_TEXT_BYTES + sizeof(DELETED))

static void marked(const char *mark, const uint8_t *id, char ret_name[NAME_BYTES])
{
	char text[ID_TEXT_BYTES];

	id_print(id, text);
	snprintf(ret_name, NAME_BYTES, "%s%s", mark, text);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* @ret_bytes: to be freed. */
static int file_read(int dir, const char *path, uint8_t **ret_bytes, size_t *ret_n)
{
	struct statx stx;
	uint8_t *p;
	ssize_t n;
	int rc = sl_stat(dir, path, &stx, SL_NEVER);

	if (rc)
		return rc;
	if (stx.stx_size > FILE_BYTES_MAX)
		return -EBADMSG;
	p = malloc(stx.stx_size + 1);
	if (!p)
		return -ENOMEM;
	n = sl_read_file(dir, path, p, stx.stx_size, SL_NEVER);
	if (n < 0) {
		free(p);
		return (int)n;
	}
	*ret_bytes = p;
	*ret_n = (size_t)n;
	return 0;
}

static int node_read(struct objects *o, const char *folder, const uint8_t *id,
		     struct described **ret_node)
{
	char path[NAME_BYTES + sizeof(DESCRIPTION) + 1];
	struct described *node;
	uint8_t *bytes;
	size_t n;
	int rc;

	snprintf(path, sizeof(path), "%s/" DESCRIPTION, folder);
	rc = file_read(o->dir, path, &bytes, &n);
	if (rc)
		return rc;
	rc = described_decode(bytes, n, &node);
	free(bytes);
	if (rc)
		return rc;
	if (memcmp(node->pub.id, id, SL_OBJECT_UUID_BYTES) != 0) {
		described_release(node);
		return -EBADMSG;
	}
	*ret_node = node;
	return 0;
}

struct scan {
	struct objects *o;
	struct described **nodes;
	uint32_t n;
};

static int scan_add(struct scan *s, struct described *node)
{
	struct described **nodes = realloc(s->nodes, (s->n + 1) * sizeof(*nodes));

	if (!nodes) {
		described_release(node);
		return -ENOMEM;
	}
	s->nodes = nodes;
	nodes[s->n++] = node;
	return 0;
}

static int leftover_add(struct objects *o, const char *name)
{
	char **names = realloc(o->leftovers, (o->leftovers_n + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	o->leftovers = names;
	names[o->leftovers_n] = strdup(name);
	if (!names[o->leftovers_n])
		return -ENOMEM;
	o->leftovers_n++;
	return 0;
}

static int scan_entry(void *arg, const char *name, int type)
{
	struct scan *s = arg;
	uint8_t id[SL_OBJECT_UUID_BYTES];
	struct described *node;
	int rc;

	if (type == DT_REG && strncmp(name, OBJECTS_UPLOAD, strlen(OBJECTS_UPLOAD)) == 0)
		return leftover_add(s->o, name);
	if (type != DT_DIR)
		return 0;
	if (strncmp(name, NEW, strlen(NEW)) == 0 || strncmp(name, DELETED, strlen(DELETED)) == 0)
		return leftover_add(s->o, name);
	rc = id_parse(name, id) ? node_read(s->o, name, id, &node) : -EINVAL;
	if (!rc)
		return scan_add(s, node);
	if (rc == -EPROTONOSUPPORT || rc == -ENOMEM)
		return rc;
	objects_tell(&s->o->cores[0], OBJECTS_SKIPPED, name, rc);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct described *const *x = a, *const *y = b;

	return strcmp((*x)->pub.name, (*y)->pub.name);
}

/* Who took the place of the collection @id; NULL: nobody did. */
static const struct described *scan_successor(const struct scan *s, const uint8_t *id)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!is_draft(s->nodes[i]->pub.name) &&
		    memcmp(s->nodes[i]->replaces, id, SL_OBJECT_UUID_BYTES) == 0)
			return s->nodes[i];
	return NULL;
}

/* Who has that place now, by way of those who had it meanwhile. Of a circle, which only tampering
 * can leave, nobody took anybody's. */
static const struct described *scan_heir(const struct scan *s, const uint8_t *id)
{
	const struct described *heir = NULL, *next = scan_successor(s, id);

	for (uint32_t i = 0; next && i < s->n; i++) {
		heir = next;
		next = scan_successor(s, heir->pub.id);
	}
	return next ? NULL : heir;
}

/* Aliases go on to what took the place of their collection. */
static void scan_aliases(const struct scan *s)
{
	bool any = false;

	for (uint32_t i = 0; i < s->o->aliases_n; i++) {
		const struct described *heir = scan_heir(s, s->o->aliases[i].id);

		if (!heir)
			continue;
		memcpy(s->o->aliases[i].id, heir->pub.id, SL_OBJECT_UUID_BYTES);
		any = true;
	}
	/* If that fails the next start does it by what the descriptions still say. */
	if (any)
		aliases_write(s->o, s->o->aliases, s->o->aliases_n, SL_NEVER);
}

/* A folder that is not to be seen any more: removed, as what a deletion left. */
static int scan_drop(struct scan *s, const struct described *node)
{
	char deleted[NAME_BYTES];
	int rc = folder_delete(s->o, node->pub.id, SL_NEVER);

	marked(DELETED, node->pub.id, deleted);
	return rc ? rc : leftover_add(s->o, deleted);
}

/* Drops drafts, and what they took the place of. Heirs are looked for among all that there were. */
static int scan_drafts(struct scan *s)
{
	uint32_t i = 0, kept = s->n;
	int rc = 0;

	while (i < kept && !rc) {
		struct described *node = s->nodes[i];
		const struct described *heir = scan_heir(s, node->pub.id);

		if (!heir && !is_draft(node->pub.name)) {
			i++;
			continue;
		}
		if (heir)
			folder_inherit(s->o, node->pub.id, heir->pub.id);
		s->nodes[i] = s->nodes[--kept];
		s->nodes[kept] = node;
		rc = scan_drop(s, node);
	}
	while (s->n > kept)
		described_release(s->nodes[--s->n]);
	return rc;
}

/* Of two folders with one name, which only tampering can leave, the second is passed over. */
static void scan_unique(struct scan *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct described *node = s->nodes[i];

		if (kept && strcmp(s->nodes[kept - 1]->pub.name, node->pub.name) == 0) {
			objects_tell(&s->o->cores[0], OBJECTS_SKIPPED, node->pub.name, -EEXIST);
			described_release(node);
			continue;
		}
		s->nodes[kept++] = node;
	}
	s->n = kept;
}

static int alias_add(struct objects *o, const struct sl_value *v)
{
	struct alias *aliases = realloc(o->aliases, (o->aliases_n + 1) * sizeof(*aliases));
	const char *name;
	size_t n;

	if (!aliases)
		return -ENOMEM;
	o->aliases = aliases;
	name = sl_value_name(v, &n);
	aliases[o->aliases_n].alias = strndup(name, n);
	if (!aliases[o->aliases_n].alias)
		return -ENOMEM;
	memcpy(aliases[o->aliases_n].id, sl_value_uuid(v), SL_OBJECT_UUID_BYTES);
	o->aliases_n++;
	return 0;
}

static int aliases_read(struct objects *o)
{
	const struct sl_object *object;
	const struct sl_value *top;
	uint8_t *bytes;
	size_t n;
	int rc = file_read(o->dir, ALIASES, &bytes, &n);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = sl_object_open(bytes, n, &object);
	if (!rc) {
		top = sl_object_properties(object);
		for (uint32_t i = 0; i < sl_value_count(top) && !rc; i++)
			if (sl_value_type(sl_value_at(top, i)) == SL_VALUE_UUID)
				rc = alias_add(o, sl_value_at(top, i));
	}
	free(bytes);
	if (rc != -EBADMSG)
		return rc;
	/* Aliases that are destroyed keep no collection from being served. */
	objects_tell(&o->cores[0], OBJECTS_SKIPPED, ALIASES, rc);
	return 0;
}

int folders_scan(struct objects *o)
{
	struct scan s = {.o = o};
	int rc = sl_list_folder(o->dir, scan_entry, &s);

	if (!rc)
		rc = aliases_read(o);
	if (!rc) {
		scan_aliases(&s);
		rc = scan_drafts(&s);
	}
	if (!rc) {
		if (s.n)
			qsort(s.nodes, s.n, sizeof(*s.nodes), by_name);
		scan_unique(&s);
		rc = catalogue_view_new(o, s.nodes, s.n, o->aliases, o->aliases_n, &o->view);
	}
	for (uint32_t i = 0; i < s.n; i++)
		described_release(s.nodes[i]);
	free(s.nodes);
	return rc;
}

/* ---- creating --------------------------------------------------------------------------- */

static int write_description(int folder, const struct described *node, int64_t deadline)
{
	struct sl_object *o;
	int rc = described_encode(node, &o);

	if (rc)
		return rc;
	rc = sl_write_file(folder, DESCRIPTION, o, sl_object_bytes(o), SL_FAULT(SYNC_OBJECTS_META),
			   SL_FAULT(SYNC_OBJECTS_NEW), deadline);
	free(o);
	return rc;
}

/* The folder under its new- name, durable but for that name. */
static int create_new(struct objects *o, const struct described *node, const char *name,
		      int64_t deadline)
{
	int rc = sl_mkdir(o->dir, name, 0700, deadline), folder;

	if (rc)
		return rc;
	folder = sl_open(o->dir, name, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (folder < 0)
		return folder;
	rc = sl_mkdir(folder, "log", 0700, deadline);
	if (!rc)
		rc = sl_log_create(folder, "log", &objects_log_kind, deadline);
	if (!rc)
		rc = write_description(folder, node, deadline);
	sl_close(folder);
	return rc;
}

int folder_create(struct objects *o, const struct described *node, int64_t deadline)
{
	char new[NAME_BYTES], name[NAME_BYTES];
	int rc;

	marked(NEW, node->pub.id, new);
	marked("", node->pub.id, name);
	rc = create_new(o, node, new, deadline);
	if (rc)
		goto out_remove;
	rc = sl_rename(o->dir, new, o->dir, name, deadline);
	if (rc)
		goto out_remove;
	rc = sl_fsync(o->dir, false, SL_FAULT(SYNC_OBJECTS_FOLDER), deadline);
	if (!rc)
		return 0;
	sl_rename(o->dir, name, o->dir, new, SL_NEVER);
out_remove:
	sl_remove_tree(o->dir, new, SL_NEVER);
	return rc;
}

int folder_rewrite(struct objects *o, const struct described *node, int64_t deadline)
{
	char name[NAME_BYTES];
	int folder, rc;

	marked("", node->pub.id, name);
	folder = sl_open(o->dir, name, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (folder < 0)
		return folder;
	rc = write_description(folder, node, deadline);
	sl_close(folder);
	return rc;
}

/* ---- deleting --------------------------------------------------------------------------- */

int folder_delete(struct objects *o, const uint8_t *id, int64_t deadline)
{
	char deleted[NAME_BYTES], name[NAME_BYTES];
	int rc;

	marked(DELETED, id, deleted);
	marked("", id, name);
	rc = sl_rename(o->dir, name, o->dir, deleted, deadline);
	if (rc)
		return rc;
	rc = sl_fsync(o->dir, false, SL_FAULT(SYNC_OBJECTS_FOLDER), deadline);
	if (rc)
		sl_rename(o->dir, deleted, o->dir, name, SL_NEVER);
	return rc;
}

static void entries_sync(struct objects *o, const char *name)
{
	int fd = sl_open(o->dir, name, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);

	if (fd < 0)
		return;
	sl_fsync(fd, false, SL_FAULT(SYNC_OBJECTS_SNAPSHOT_FOLDER), SL_NEVER);
	sl_close(fd);
}

void folder_inherit(struct objects *o, const uint8_t *from, const uint8_t *to)
{
	char was[NAME_BYTES], is[NAME_BYTES];
	char was_path[NAME_BYTES + sizeof(SNAPSHOTS) + 1], path[NAME_BYTES + sizeof(SNAPSHOTS) + 1];

	marked("", from, was);
	marked("", to, is);
	snprintf(was_path, sizeof(was_path), "%s/" SNAPSHOTS, was);
	snprintf(path, sizeof(path), "%s/" SNAPSHOTS, is);
	/* There need not be any; and what a crash undoes is done again at the next start. */
	if (sl_rename(o->dir, was_path, o->dir, path, SL_NEVER))
		return;
	/* On disk before what they leave is removed. */
	entries_sync(o, is);
	entries_sync(o, was);
}

int folder_remove(struct objects *o, const uint8_t *id, int64_t deadline)
{
	char deleted[NAME_BYTES];

	marked(DELETED, id, deleted);
	return sl_remove_tree(o->dir, deleted, deadline);
}

/* ---- leftovers -------------------------------------------------------------------------- */

void folders_sweep(struct objects *o)
{
	/* What cannot be removed now is tried again at the next start. */
	for (uint32_t i = 0; i < o->leftovers_n; i++)
		if (sl_unlink(o->dir, o->leftovers[i], 0, SL_NEVER))
			sl_remove_tree(o->dir, o->leftovers[i], SL_NEVER);
}

/* ---- aliases ---------------------------------------------------------------------------- */

static int aliases_encode(const struct alias *aliases, uint32_t n, struct sl_object **ret_object)
{
	struct sl_object_builder *b;
	int rc = sl_object_builder_new(&b);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = sl_object_put_uuid(b, SL_OBJECT_PROPERTIES, aliases[i].alias, aliases[i].id);
	if (!rc)
		rc = object_new(b, ret_object);
	sl_object_builder_free(b);
	return rc;
}

int aliases_write(struct objects *o, const struct alias *aliases, uint32_t n, int64_t deadline)
{
	struct sl_object *object;
	int rc = aliases_encode(aliases, n, &object);

	if (rc)
		return rc;
	rc = sl_write_file(o->dir, ALIASES, object, sl_object_bytes(object),
			   SL_FAULT(SYNC_OBJECTS_META), SL_FAULT(SYNC_OBJECTS_FOLDER), deadline);
	free(object);
	return rc;
}
