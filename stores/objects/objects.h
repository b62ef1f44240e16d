/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects: collections of objects (sluice/object.h) that are found by key, by filter and by the
 * likeness of their vectors. No protocol: the folders of apis/ only translate.
 *
 * Who owns what: core 0 owns the catalogue of collections and hands every core an immutable view of
 * it; a collection's log, keys, vectors and indexes live on the core that the hash of its id
 * chooses. The calls below may be made on any core, in a fiber; they go where they have to. A
 * collection is named by its name or by an alias.
 *
 * Threads that take turns (dataplane/fiber.h) may have a store too, instead of cores: they are to
 * it what the fibers of one core are. It has no fibers of its own then, and what these do is done
 * by objects_keep().
 *
 * A write is told when it is as durable as node.durability says, and nobody sees it before. What a
 * search sees is what was written when it began.
 *
 * Cosine: vectors are kept at length 1, in objects too, unless the collection keeps them as they
 * were given; a vector of zeros stays one. An object then holds what Qdrant would return.
 *
 * Results: 0 or a count; -ENOENT: no such collection; -EEXIST; -EINVAL: with a line in @why where
 * there is one; -ESHUTDOWN: the store stops; -ETIME, -ENOMEM, -ENOSPC, -EIO and other -errno: the
 * machine's fault. Outputs are untouched unless 0 is returned or the comment says otherwise.
 *
 * This layer never logs: what the operator must hear goes to the events of struct
 * objects_store_conf.
 *
 * What is asked is described by the types of <sluice/objects.h>, for programs without the daemon
 * as well; what holds an object is a buf here. The functions in them (change, weigh) are called on
 * the collection's core and must not park.
 *
 * Order of parts: open and close; collections; aliases; keys and held objects; writing; reading;
 * searching; snapshots.
 */
#ifndef STORES_OBJECTS_OBJECTS_H
#define STORES_OBJECTS_OBJECTS_H

#include <sluice/objects.h>

#include "segments/segments.h"
#include "vectors/vectors.h"

struct objects;

/* ---- open and close --------------------------------------------------------------------- */

enum objects_event {
	OBJECTS_SKIPPED, /* name: a folder that is no collection's; a: -errno */
	OBJECTS_FAILED, /* name: collection that does not open; a: -errno */
	OBJECTS_LOST, /* name: collection; a: objects that can no longer be read */
	OBJECTS_REBUILT, /* name: whose checkpoint was of no use; a: -errno */
	OBJECTS_CHECKPOINT_FAILED, /* name: whose checkpoint could not be written; a: -errno */
	OBJECTS_COMPACTED, /* name; a: bytes given back */
	OBJECTS_EVENT_LAST
};

/**
 * struct objects_store_conf - limits and surroundings; zero fields of sizes and times take the
 * defaults.
 * @dir: DATADIR, open as long as the store is. @cores: how many will call objects_start(); 1 where
 *	threads take turns.
 * @epoch: of this start of the node. @log: durability, preallocation and segments of collections'
 *	logs. @logs: scrub and background of the logs, without which (where threads take turns)
 *	those who write commit together; its event gets what collections meet.
 * @checkpoint_bytes: written to a collection's log before its indexes are saved again (64 MiB).
 * @idle_ns: a collection that nobody asked for so long is put away, out of memory (60 s).
 * @memory_max_bytes: of all collections in memory, on all cores (0: no bound). Puts and insertions
 *	that would make more are -ENOMEM. Indexes of payloads are not counted.
 * @event: may be NULL; must not park; called on any core.
 */
struct objects_store_conf {
	int dir;
	uint32_t cores;
	uint32_t epoch;
	struct sl_log_conf log;
	struct sl_logs_conf logs;
	uint64_t checkpoint_bytes;
	int64_t idle_ns;
	uint64_t memory_max_bytes;
	void (*event)(void *arg, enum objects_event event, const char *name, int64_t a);
	void *arg;
};

/**
 * objects_open() - read the catalogue. Before the cores start, or on the only core.
 * Return: 0; -EPROTONOSUPPORT: written by a newer sluice; -errno.
 */
int objects_open(const struct objects_store_conf *conf, struct objects **ret_objects);

/* Makes the calling core serve; once on each core, in a fiber, before anything else here.
 * Collections are opened when first used. */
int objects_start(struct objects *o, int64_t deadline);

/**
 * objects_keep() - for threads that take turns: some of what is done in the background on a core,
 * or, as long as there is nothing to do, waiting for it until @deadline.
 * Return: 1: there may be more; 0: there was nothing.
 */
int objects_keep(struct objects *o, int64_t deadline);

/* Takes new limits (dir, cores and epoch stay); on each core. */
void objects_configure(struct objects *o, const struct objects_store_conf *conf);

/* On each core: what is in progress in the background ends; new calls get -ESHUTDOWN. */
void objects_drain(struct objects *o);

/**
 * objects_stop() - the clean close of the calling core's share: snapshots, logs closed.
 * On each core, after objects_drain() on all and when no call is in progress or to come; no core
 * may end before all of them have stopped. Return: 0 or the first -errno; all is closed either way.
 */
int objects_stop(struct objects *o, int64_t deadline);

/* After every core that started has stopped. Accepts NULL. */
void objects_free(struct objects *o);

/* ---- collections ------------------------------------------------------------------------ */

/* A collection as a view shows it; immutable. @generation: rises with each change of it. */
struct objects_collection {
	const char *name;
	uint8_t id[SL_OBJECT_UUID_BYTES];
	int64_t created_ms;
	uint64_t generation;
	struct sl_objects_conf conf;
};

struct objects_alias {
	const char *alias;
	const char *name; /* of the collection */
};

/**
 * struct objects_view - all collections and aliases at one moment, by name. Held by a core-local
 * reference: what is in it stays as long as that is held, over parking calls too.
 */
struct objects_view;

/* The calling core's current view, with a reference; to be released on the same core. */
struct objects_view *objects_view(struct objects *o);
void objects_view_release(struct objects_view *view);

uint32_t objects_view_count(const struct objects_view *view);

/* By rising name. */
const struct objects_collection *objects_view_at(const struct objects_view *view, uint32_t i);

/* By name or alias; NULL: there is none. */
const struct objects_collection *objects_view_find(const struct objects_view *view,
						   const char *name);

uint32_t objects_view_alias_count(const struct objects_view *view);
const struct objects_alias *objects_view_alias_at(const struct objects_view *view, uint32_t i);

/**
 * objects_create() - create a collection; durable and in every core's view on return.
 * @name: 1 to SL_OBJECTS_NAME_BYTES_MAX bytes of UTF-8 without control characters and slashes.
 * Return: 0; -EEXIST: a collection or an alias has this name; -EINVAL.
 */
int objects_create(struct objects *o, const char *name, const struct sl_objects_conf *conf,
		   char *why, size_t why_len, int64_t deadline);

/**
 * objects_change() - give a collection another conf. Vectors that it has keep their dim, metric and
 * component, and none may be missing; indexes that are new or different are there on return for
 * payloads, and are made in the background for vectors.
 * @generation: of the conf that the change was made from; 0: whatever it is.
 * Return: 0; -ENOENT; -EAGAIN: it has another generation; -EINVAL.
 */
int objects_change(struct objects *o, const char *name, uint64_t generation,
		   const struct sl_objects_conf *conf, char *why, size_t why_len, int64_t deadline);

/* Deletes a collection, its aliases and snapshots: gone from every view, durably, on return. */
int objects_delete(struct objects *o, const char *name, int64_t deadline);

int objects_info(struct objects *o, const char *name, struct sl_objects_info *ret_info,
		 int64_t deadline);

/* The values of SL_DIM_SEARCH: how a search is counted. */
const char *const *objects_search_names(uint32_t *ret_n);

/* ---- aliases ---------------------------------------------------------------------------- */

enum objects_alias_change_kind {
	OBJECTS_ALIAS_CREATE, /* alias of the collection @name, whatever it was an alias of */
	OBJECTS_ALIAS_DELETE,
	OBJECTS_ALIAS_RENAME, /* to @name */
	OBJECTS_ALIAS_CHANGE_LAST
};

struct objects_alias_change {
	enum objects_alias_change_kind kind;
	const char *alias;
	const char *name;
};

/* Makes all of the changes, in order, or none. -ENOENT: no such collection or alias; -EEXIST. */
int objects_alias(struct objects *o, const struct objects_alias_change *changes, uint32_t n,
		  char *why, size_t why_len, int64_t deadline);

/* ---- keys and held objects -------------------------------------------------------------- */

struct sl_filter_key objects_key_integer(uint64_t key);
struct sl_filter_key objects_key_uuid(const uint8_t uuid[SL_OBJECT_UUID_BYTES]);

/* The order in which objects are listed: integers by value, then UUIDs by their bytes. */
int objects_key_compare(const struct sl_filter_key *a, const struct sl_filter_key *b);

/**
 * struct objects_hit - an object that was found.
 * @object: NULL: not asked for, or (of objects_get()) there is none. Readable until the release,
 *	on any core.
 * @version: rises with each write of the collection. @score: see struct objects_query.
 * @buf: what holds it.
 */
struct objects_hit {
	struct sl_filter_key key;
	const struct sl_object *object;
	uint64_t version;
	float score;
	struct sl_buf *buf;
};

/* Releases what @n hits hold, from any core; those without an object too. */
void objects_release(struct objects_hit *hits, uint32_t n);

/* ---- writing ---------------------------------------------------------------------------- */

/**
 * objects_write() - carry out @n > 0 operations in their order, durable together on return.
 * @all: if an object to be put is refused (-EINVAL), nothing is carried out, and that is the call's
 *	result; what a change makes is refused by itself.
 * @ret_version: that of the write (may be NULL).
 * Return: 0: each one's result says what became of it; or -errno: it was cut short, the operations
 * before that place may have been carried out, or be found to be after the next start.
 */
int objects_write(struct objects *o, const char *name, struct sl_objects_op *ops, uint32_t n,
		  bool all, uint64_t *ret_version, int64_t deadline);

/**
 * objects_write_matching() - the CHANGE or DELETE @op for all objects that match, at most @limit.
 * Durable on return; a crash meanwhile may have done it for some. @ret_n: for how many (may be
 * NULL).
 */
int objects_write_matching(struct objects *o, const char *name, const struct sl_filter *filter,
			   const struct sl_objects_op *op, uint64_t limit, uint64_t *ret_n,
			   uint64_t *ret_version, int64_t deadline);

/* ---- reading ---------------------------------------------------------------------------- */

/* @ret_hits: one for each of the @n keys, in their order; to be released. */
int objects_get(struct objects *o, const char *name, const struct sl_filter_key *keys, uint32_t n,
		struct objects_hit *ret_hits, int64_t deadline);

/* @next: kind SL_KEY_NONE: there are no more. */
struct objects_list {
	struct objects_hit *hits;
	uint32_t n;
	struct sl_filter_key next;
};

int objects_scroll(struct objects *o, const char *name, const struct sl_objects_scroll *scroll,
		   struct objects_list *ret_list, int64_t deadline);
void objects_list_done(struct objects_list *list);

/* @exact: otherwise an estimate will do. */
int objects_count(struct objects *o, const char *name, const struct sl_filter *filter, bool exact,
		  uint64_t *ret_n, int64_t deadline);

/**
 * objects_facet() - the most frequent values at @path (texts, integers, booleans, UUIDs), at most
 * @limit of them; of equally frequent ones the lower first.
 * @ret_facets: to be freed by free(), with the texts in them.
 */
int objects_facet(struct objects *o, const char *name, const struct sl_filter *filter,
		  const char *path, uint32_t limit, struct sl_objects_facet **ret_facets,
		  uint32_t *ret_n, int64_t deadline);

/* ---- searching -------------------------------------------------------------------------- */

/**
 * struct objects_query - what is looked for, then what was found; as struct sl_objects_query.
 * @hits, @n: nearest first; to be ended by objects_queries_done().
 */
struct objects_query {
	const char *vector_name;
	const float *vector;
	uint32_t dim;
	struct sl_filter_key like;
	float (*weigh)(void *arg, const float *vector, uint32_t dim);
	void *arg;
	uint32_t k, offset;
	const struct sl_filter *filter;
	uint32_t effort;
	float oversampling;
	bool exact, estimates;
	bool bounded;
	float bound;
	bool with_objects;

	int result;
	enum sl_objects_fault fault;
	struct objects_hit *hits;
	uint32_t n;
};

/* Whether a larger score is nearer. */
bool objects_larger_is_nearer(enum sl_metric metric);

/* Answers @n queries. Return: 0: each one's result; or -errno. */
int objects_search(struct objects *o, const char *name, struct objects_query *queries, uint32_t n,
		   int64_t deadline);

/* Releases what the hits hold, and the hits. */
void objects_queries_done(struct objects_query *queries, uint32_t n);

/* ---- snapshots -------------------------------------------------------------------------- */

int objects_snapshot_create(struct objects *o, const char *name,
			    struct sl_objects_snapshot *ret_snapshot, int64_t deadline);

/* @ret_snapshots: to be freed by free(); the oldest first. */
int objects_snapshot_list(struct objects *o, const char *name,
			  struct sl_objects_snapshot **ret_snapshots, uint32_t *ret_n,
			  int64_t deadline);

/* -ENOENT: no such collection or snapshot. */
int objects_snapshot_delete(struct objects *o, const char *name, const char *snapshot,
			    int64_t deadline);

/* @ret_extent: all of the file; its reference is held on the caller's core. */
int objects_snapshot_open(struct objects *o, const char *name, const char *snapshot,
			  struct sl_extent *ret_extent, int64_t deadline);

/**
 * objects_snapshot_restore() - make the collection @name what the snapshot file @path of @dir
 * holds, its conf and its objects; a collection that is there is replaced.
 * Return: 0; -EBADMSG: no snapshot, or damaged; -errno.
 */
int objects_snapshot_restore(struct objects *o, const char *name, int dir, const char *path,
			     char *why, size_t why_len, int64_t deadline);

/* A snapshot file that comes from elsewhere, piece by piece; no kill leaves anything of it. */
struct objects_upload;

int objects_upload_new(struct objects *o, struct objects_upload **ret_upload, int64_t deadline);

/* The next @n bytes. */
int objects_upload_write(struct objects_upload *upload, const void *data, size_t n,
			 int64_t deadline);

/* objects_snapshot_restore() of what came. */
int objects_upload_restore(struct objects_upload *upload, const char *name, char *why,
			   size_t why_len, int64_t deadline);

/* On the core that made it, restored or not. Accepts NULL. */
void objects_upload_free(struct objects_upload *upload);

#endif
