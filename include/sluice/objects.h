/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects: sluice's store of objects in a program of one's own, without the daemon. libsluice(3).
 *
 * A store is a folder of collections, which hold objects (object.h): found by key, by filter
 * (filter.h) and by the likeness of their vectors (index.h). It is what sluiced has as
 * node.datadir, and belongs to one process at a time; its calls may be made by any of its threads.
 *
 * Calls block the calling thread. What changes something returns when it is durable, as the setting
 * durability says; nobody sees it before, and everybody after. A collection is named by its name
 * or by an alias. Functions that are handed to a call are called by it, and make no call of this
 * header themselves.
 *
 * Calls return 0 or a count, or a negative errno: -ENOENT: there is no such collection; -EINVAL:
 * with a line in @why where there is one; others are the machine's fault. Outputs stay as they are
 * then, if nothing else is said. @why, @why_len: NULL, 0: not wanted.
 *
 * Cosine: vectors are kept at length 1, in objects too, unless the collection keeps them as they
 * were given; a vector of zeros stays one.
 *
 * Order of parts: the store; collections; keys; held objects; writing; reading; searching;
 * snapshots; watching.
 */
#ifndef SLUICE_OBJECTS_H
#define SLUICE_OBJECTS_H

#include <sluice/buffer.h>
#include <sluice/filter.h>
#include <sluice/index.h>
#include <sluice/object.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_objects;

/* ---- the store -------------------------------------------------------------------------- */

/**
 * sl_objects_open() - take the store in the folder @path, which is made if it is missing.
 * @settings: durability of the section [node] and all of [objects] of sluice.conf(5), as
 *	"durability=none checkpoint_bytes=16M"; separated by spaces, commas or lines, without spaces
 *	within. NULL or "": the defaults.
 * Return: 0; -EBUSY: another process has it; -ENOTEMPTY: the folder holds something else; -EINVAL:
 *	   a setting is wrong; -EPROTONOSUPPORT: made by a newer sluice; -errno.
 */
int sl_objects_open(const char *path, const char *settings, struct sl_objects **ret_objects,
		    char *why, size_t why_len);

/**
 * sl_objects_close() - keep the indexes, so that they are there at the next opening, and give the
 * folder back. No other call may be under way; what is held of it may be released later. Accepts
 * NULL.
 * Return: 0; -errno: something could not be kept, and is made anew from what is stored.
 */
int sl_objects_close(struct sl_objects *objects);

/**
 * sl_objects_work() - some of what nobody waits for: new vectors go into the index, indexes are
 * saved, space of replaced objects is given back, collections that nobody asks for leave the
 * memory. Where there is nothing to do, waits until there is, @wait_ms at the most.
 * Without it everything is stored and found all the same, but vectors that no index has yet are
 * looked at one by one, and space is not given back. A program calls it again and again, in a
 * thread for that or whenever it has time. Return: 1: there may be more; 0: there was nothing.
 */
int sl_objects_work(struct sl_objects *objects, int64_t wait_ms);

/* ---- collections ------------------------------------------------------------------------ */

#define SL_OBJECTS_NAME_BYTES_MAX 255
#define SL_OBJECTS_VECTORS_MAX 64u
#define SL_OBJECTS_INDEXES_MAX 1024u
#define SL_OBJECTS_META_BYTES_MAX (4u << 20)

/**
 * struct sl_objects_vector - one of a collection's named vectors.
 * @name: "" is as good a name as any. @component: what it is kept as in memory for searches, from
 *	vectors of f32 in objects; SL_I8 and SL_BITS take objects' vectors of that type as well (f32
 *	is rounded, or is a 1 above 0).
 * @index: how it is found. @automatic: by looking at all while they are few, then as @index says,
 *	but by lists where that is a graph of which nothing more is said, and vectors can be listed.
 * @on_disk: vectors that are indexed by codes are read where they are needed, not kept in memory.
 */
struct sl_objects_vector {
	const char *name;
	uint32_t dim;
	enum sl_metric metric;
	enum sl_component component;
	struct sl_index_conf index;
	bool automatic;
	bool on_disk;
};

/**
 * struct sl_objects_conf - how a collection is kept.
 * @indexes: over properties; a filter need not have one, but is slow without.
 * @strict: objects with vectors that are not in @vectors are refused; otherwise these are kept and
 *	not searched. An object may lack vectors either way.
 * @as_given: vectors of cosine are kept in objects as they came.
 * @meta: the program's own, opaque here. (What collections of the daemon's APIs have there is
 *	theirs.)
 */
struct sl_objects_conf {
	const struct sl_objects_vector *vectors;
	uint32_t vectors_n;
	const struct sl_payload_conf *indexes;
	uint32_t indexes_n;
	bool strict;
	bool as_given;
	const void *meta;
	size_t meta_n;
};

/* @generation: rises with each change of @conf. */
struct sl_objects_collection {
	const char *name;
	int64_t created_ms;
	uint64_t generation;
	struct sl_objects_conf conf;
};

/**
 * sl_objects_create() - @name: 1 to SL_OBJECTS_NAME_BYTES_MAX bytes of UTF-8 without control
 * characters and slashes. Return: 0; -EEXIST: a collection or an alias has this name; -EINVAL.
 */
int sl_objects_create(struct sl_objects *objects, const char *name,
		      const struct sl_objects_conf *conf, char *why, size_t why_len);

/**
 * sl_objects_change() - give a collection another conf. Vectors that it has keep their dim, metric
 * and component, and none may be missing. New indexes over properties are there on return, those of
 * vectors are made by sl_objects_work().
 * @generation: of the conf that the change was made from; 0: whatever it is.
 * Return: 0; -ENOENT; -EAGAIN: it has another generation; -EINVAL.
 */
int sl_objects_change(struct sl_objects *objects, const char *name, uint64_t generation,
		      const struct sl_objects_conf *conf, char *why, size_t why_len);

/* Deletes a collection, its objects, aliases and snapshots. */
int sl_objects_drop(struct sl_objects *objects, const char *name);

/**
 * sl_objects_alias() - @alias means the collection @name from now on, or nothing if that is NULL.
 * Return: 0; -ENOENT: no such collection, no such alias to be deleted; -EEXIST: a collection is
 *	   named so.
 */
int sl_objects_alias(struct sl_objects *objects, const char *alias, const char *name);

/**
 * sl_objects_collections() - call @each for every collection by rising name, until it returns other
 * than 0, which is then returned. What it is given is gone when it returns; it may use the store.
 */
int sl_objects_collections(struct sl_objects *objects,
			   int (*each)(void *arg, const struct sl_objects_collection *collection),
			   void *arg);

/**
 * struct sl_objects_info - of a collection as it is.
 * @vectors: of all names; @indexed: of these, found without being looked at one by one.
 * @log_bytes: on disk; @live_bytes: of these, of objects that are not replaced or deleted.
 * @memory_bytes: taken for it. @indexing: sl_objects_work() has something to do for its vectors.
 * @failed: 0, or the -errno because of which it takes no writes until the store is opened again.
 */
struct sl_objects_info {
	uint64_t objects;
	uint64_t vectors, indexed;
	uint64_t log_bytes, live_bytes, memory_bytes;
	bool indexing;
	int failed;
};

int sl_objects_info(struct sl_objects *objects, const char *name, struct sl_objects_info *ret_info);

/* ---- keys ------------------------------------------------------------------------------- */

/* As sl_object_key() gives it, and struct sl_filter takes it. */
struct sl_filter_key sl_objects_key_integer(uint64_t key);
struct sl_filter_key sl_objects_key_uuid(const uint8_t uuid[SL_OBJECT_UUID_BYTES]);

/* ---- held objects ----------------------------------------------------------------------- */

/**
 * struct sl_objects_hit - an object that was found.
 * @object: NULL: not asked for, or (of sl_objects_get()) there is none. It stays as it is, whatever
 *	becomes of its key, as long as @buffer, which holds it, is: until sl_objects_release(), and
 *	longer for who retains it (buffer.h).
 * @version: rises with each write of the collection. @score: see struct sl_objects_query.
 */
struct sl_objects_hit {
	struct sl_filter_key key;
	const struct sl_object *object;
	uint64_t version;
	float score;
	struct sl_buffer *buffer;
};

/* Releases what @n hits hold, and empties them. */
void sl_objects_release(struct sl_objects_hit *hits, uint32_t n);

/* ---- writing ---------------------------------------------------------------------------- */

enum sl_objects_op_kind {
	SL_OBJECTS_PUT, /* whatever was there */
	SL_OBJECTS_INSERT, /* -EEXIST if there is one */
	SL_OBJECTS_CHANGE, /* -ENOENT if there is none */
	SL_OBJECTS_DELETE, /* -ENOENT if there is none */
	SL_OBJECTS_OP_LAST
};

/* What is wrong with an object or a query, with -EINVAL. */
enum sl_objects_fault {
	SL_OBJECTS_FINE,
	SL_OBJECTS_NO_KEY,
	SL_OBJECTS_BAD_OBJECT, /* there is none */
	SL_OBJECTS_UNKNOWN_VECTOR, /* the collection has none of the name, and is strict or asked */
	SL_OBJECTS_WRONG_DIM,
	SL_OBJECTS_WRONG_TYPE, /* its components are neither f32 nor what the collection keeps */
	SL_OBJECTS_BAD_QUERY, /* no vector and nothing to be like, not finite, or k is too large */
	SL_OBJECTS_NO_OBJECT, /* the object to be like does not exist, or lacks that vector */
	SL_OBJECTS_FAULT_LAST
};

/**
 * struct sl_objects_op - one of a write's operations; what is asked, then what became of it.
 * @key: of CHANGE and DELETE. @object: of PUT and INSERT, with its key in it; in the caller's
 *	memory, sl_object_open() accepted it.
 * @change: of CHANGE; edits @b, which is loaded with @old (or resets it and puts another one); the
 *	key may not change. What it returns other than 0 is the operation's result, and nothing is
 *	changed; 1 is for "it is fine as it is".
 * @result: 0; 1; -EEXIST; -ENOENT; -EINVAL: @fault says why, of the vector @vector of the conf
 *	where it is about one, which has @dim components in the object.
 * @version: that the object has now.
 */
struct sl_objects_op {
	enum sl_objects_op_kind kind;
	struct sl_filter_key key;
	const struct sl_object *object;
	int (*change)(void *arg, const struct sl_object *old, struct sl_object_builder *b);
	void *arg;

	int result;
	enum sl_objects_fault fault;
	uint32_t vector, dim;
	uint64_t version;
};

/**
 * sl_objects_write() - carry out @n > 0 operations in their order, durable together on return.
 * @all: if an object to be put is refused (-EINVAL), nothing is carried out, and that is the call's
 *	result; what a change makes is refused by itself.
 * Return: 0: each one's result says what became of it; or -errno: it was cut short, the operations
 *	   before that place may have been carried out, or be found to be after the next opening.
 */
int sl_objects_write(struct sl_objects *objects, const char *name, struct sl_objects_op *ops,
		     uint32_t n, bool all);

/* The same of one PUT, and of one DELETE. Return: its result. */
int sl_objects_put(struct sl_objects *objects, const char *name, const struct sl_object *object);
int sl_objects_delete(struct sl_objects *objects, const char *name, struct sl_filter_key key);

/**
 * sl_objects_write_matching() - the CHANGE or DELETE @op for all objects that match (NULL: all), at
 * most @limit. Durable on return; a crash meanwhile may have done it for some.
 * @ret_n: for how many; may be NULL.
 */
int sl_objects_write_matching(struct sl_objects *objects, const char *name,
			      const struct sl_filter *filter, const struct sl_objects_op *op,
			      uint64_t limit, uint64_t *ret_n);

/* ---- reading ---------------------------------------------------------------------------- */

/* The most objects, and the most bytes of objects, that one call gives. */
#define SL_OBJECTS_LIMIT_MAX 1000000u
#define SL_OBJECTS_BYTES_MAX (256u << 20)

/* @ret_hits: one for each of the @n keys, in their order; to be released. */
int sl_objects_get(struct sl_objects *objects, const char *name, const struct sl_filter_key *keys,
		   uint32_t n, struct sl_objects_hit *ret_hits);

/**
 * struct sl_objects_scroll - which objects to list.
 * @filter: NULL: all. @from: the first key, if there is one (kind SL_KEY_NONE: from the first on).
 * @after: begin behind it. @skip: so many first. Integers come first, by value, then UUIDs.
 * @order_by: NULL: by key; or a path: by the value there, and not from a key on. Objects without
 *	such a value are left out; those with several stand there by their first.
 * @descending, @order_from: of that: larger values first; the first value (NULL: from the end of
 *	the order on), a number, an integer or a date.
 */
struct sl_objects_scroll {
	const struct sl_filter *filter;
	struct sl_filter_key from;
	bool after;
	uint32_t skip;
	uint32_t limit;
	const char *order_by;
	bool descending;
	const struct sl_operand *order_from;
	bool with_objects;
};

/* @next: where the next call goes on; kind SL_KEY_NONE: there are no more. */
struct sl_objects_list {
	struct sl_objects_hit *hits;
	uint32_t n;
	struct sl_filter_key next;
};

int sl_objects_scroll(struct sl_objects *objects, const char *name,
		      const struct sl_objects_scroll *scroll, struct sl_objects_list *ret_list);
void sl_objects_list_done(struct sl_objects_list *list);

/* How many match. @exact: otherwise an estimate will do. */
int sl_objects_count(struct sl_objects *objects, const char *name, const struct sl_filter *filter,
		     bool exact, uint64_t *ret_n);

/* A value and how many objects have it at a path. */
struct sl_objects_facet {
	struct sl_operand value;
	uint64_t n;
};

/**
 * sl_objects_facet() - the most frequent values at @path (texts, integers, booleans, UUIDs) of
 * objects that match, at most @limit of them; of equally frequent ones the lower first.
 * @ret_facets: to be freed by free(), with the texts in them.
 */
int sl_objects_facet(struct sl_objects *objects, const char *name, const struct sl_filter *filter,
		     const char *path, uint32_t limit, struct sl_objects_facet **ret_facets,
		     uint32_t *ret_n);

/* ---- searching -------------------------------------------------------------------------- */

/**
 * struct sl_objects_query - what is looked for, then what was found.
 * @vector_name: which vector. @vector, @dim: what it should be like, as f32, of any length.
 * @like: if @vector is NULL, the object whose vector that is; it is not among the hits.
 * @weigh: instead of both: all vectors are given to it, as f32, and what it returns is the score,
 *	larger being nearer.
 * @k: how many hits, behind the first @offset. @effort: how many nearest a graph keeps meanwhile,
 *	or what finds as many with another index; 0: the index's default. @exact, @oversampling,
 *	@estimates: as of sl_query.
 * @bounded: only what has at least the score @bound, or, where smaller is nearer, at most.
 * @with_objects: hits hold their object.
 * @result: 0; -EINVAL: @fault says why; other -errno. @hits, @n: nearest first; to be ended by
 *	sl_objects_queries_done().
 * Scores: cosine: of the angle, 1 at most; dot: the product; larger is nearer with these. L2: the
 * distance (not squared), Manhattan, Hamming: smaller is nearer.
 */
struct sl_objects_query {
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
	struct sl_objects_hit *hits;
	uint32_t n;
};

/* Answers @n queries. Return: 0: each one's result; or -errno. */
int sl_objects_search(struct sl_objects *objects, const char *name,
		      struct sl_objects_query *queries, uint32_t n);

/* Releases what the hits hold, and the hits. */
void sl_objects_queries_done(struct sl_objects_query *queries, uint32_t n);

/* ---- snapshots -------------------------------------------------------------------------- */

#define SL_OBJECTS_SNAPSHOT_NAME_MAX 300

/* A file that holds a collection as it was at one moment; belongs to that collection. */
struct sl_objects_snapshot {
	char name[SL_OBJECTS_SNAPSHOT_NAME_MAX];
	uint64_t bytes;
	int64_t created_ms;
};

int sl_objects_snapshot_create(struct sl_objects *objects, const char *name,
			       struct sl_objects_snapshot *ret_snapshot);

/* @ret_snapshots: to be freed by free(); the oldest first. */
int sl_objects_snapshot_list(struct sl_objects *objects, const char *name,
			     struct sl_objects_snapshot **ret_snapshots, uint32_t *ret_n);

/* -ENOENT: no such collection or snapshot. */
int sl_objects_snapshot_delete(struct sl_objects *objects, const char *name, const char *snapshot);

/* @ret_fd: the file, to be read and closed. */
int sl_objects_snapshot_open(struct sl_objects *objects, const char *name, const char *snapshot,
			     int *ret_fd);

/**
 * sl_objects_snapshot_restore() - make the collection @name what the snapshot file at @path holds,
 * its conf and its objects; a collection that is there is replaced.
 * Return: 0; -EBADMSG: no snapshot, or damaged; -errno.
 */
int sl_objects_snapshot_restore(struct sl_objects *objects, const char *name, const char *path,
				char *why, size_t why_len);

/* ---- watching --------------------------------------------------------------------------- */

/* Calls @each for every figure of the store; libsluice(3) says what they mean. */
void sl_objects_stat(struct sl_objects *objects,
		     void (*each)(void *arg, const char *name, uint64_t value), void *arg);

#ifdef __cplusplus
}
#endif

#endif
