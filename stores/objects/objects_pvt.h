/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects_pvt: the store from inside: what each core keeps, views, collections.
 *
 * struct core_store and the collections in it are touched by their core alone, but for what says
 * otherwise. The catalogue's master (struct objects below "core 0") belongs to core 0.
 *
 * Order of parts: keys and objects; descriptions; views; batches; rows; vectors; collections; their
 * parts, by file; cores.
 */
#ifndef STORES_OBJECTS_OBJECTS_PVT_H
#define STORES_OBJECTS_OBJECTS_PVT_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/bytes.h>
#include <sluice/util.h>

#include "objects.h"

struct core_store;

/* ---- keys and objects ------------------------------------------------------------------- */

static inline struct sl_filter_key key_from(enum sl_key_kind kind, const uint8_t *bytes)
{
	struct sl_filter_key key = {.kind = kind};

	memcpy(key.key, bytes, sizeof(key.key));
	return key;
}

/* That of @o, which has one. */
static inline struct sl_filter_key object_key(const struct sl_object *o)
{
	const uint8_t *bytes;
	enum sl_key_kind kind = sl_object_key(o, &bytes);

	return key_from(kind, bytes);
}

static inline bool has_key(const struct sl_object *o, enum sl_key_kind kind, const uint8_t *bytes)
{
	const uint8_t *key;

	return sl_object_key(o, &key) == kind && memcmp(key, bytes, SL_OBJECT_UUID_BYTES) == 0;
}

uint64_t key_hash(const struct sl_filter_key *key);

/* What @b holds (write.c). @ret_object: aligned, to be freed. Return: 0 or -errno. */
int object_new(struct sl_object_builder *b, struct sl_object **ret_object);

/* ---- descriptions (describe.c) ---------------------------------------------------------- */

#define ID_TEXT_BYTES 33 /* 32 hexadecimal digits, and a zero */

/**
 * struct described - a collection as views show it, in one piece of memory.
 * @refs: views that show it; core 0's. @revisions: of each vector's index: rises when it is to be
 * made otherwise. @replaces: the id of the collection whose place it took; zeros: of none.
 */
struct described {
	struct objects_collection pub; /* first */
	uint32_t refs;
	uint64_t *revisions;
	uint8_t replaces[SL_OBJECT_UUID_BYTES];
};

/* A copy of @pub, with one reference. Return: NULL: out of memory. */
struct described *described_new(const struct objects_collection *pub, const uint64_t *revisions);

static inline struct described *described_of(const struct objects_collection *pub)
{
	return sl_container_of(pub, struct described, pub);
}

/* Whether a collection can be kept so. Return: 0; -EINVAL and @why. */
int conf_check(const struct sl_objects_conf *conf, char *why, size_t why_len);
bool name_ok(const char *name);

/* A draft is a collection that nobody is shown, as a snapshot is restored into it: it has a name
 * that no other can have, and is gone with the next start. */
#define DRAFT_MARK '\1'
#define DRAFT_NAME_BYTES (ID_TEXT_BYTES + 1)

static inline bool is_draft(const char *name)
{
	return name[0] == DRAFT_MARK;
}

void id_print(const uint8_t *id, char ret_text[ID_TEXT_BYTES]);
bool id_parse(const char *text, uint8_t *ret_id);

/* As the file of a collection's folder holds it. @ret_object: to be freed. */
int described_encode(const struct described *node, struct sl_object **ret_object);
int described_decode(const void *bytes, size_t n, struct described **ret_node);

/* ---- views (catalogue.c) ---------------------------------------------------------------- */

/* An alias and whose. */
struct alias {
	char *alias;
	uint8_t id[SL_OBJECT_UUID_BYTES];
};

struct objects_view {
	struct sl_view view; /* each core uses it once, as struct core_store's */
	struct sl_list node; /* of all views; core 0's */
	uint32_t n, aliases_n;
	uint32_t drafts; /* of @n, the first ones */
	struct described **by_name; /* sorted */
	struct objects_alias *aliases; /* sorted; the view's own copies of the aliases */
};

/**
 * catalogue_view_new() - a view of @nodes, @n of them, sorted by name, which it retains, and of
 * those @aliases whose collection is among them. On core 0, or before the cores start.
 */
int catalogue_view_new(struct objects *o, struct described *const *nodes, uint32_t n,
		       const struct alias *aliases, uint32_t aliases_n,
		       struct objects_view **ret_view);
void catalogue_view_free(struct objects_view *view);
void described_release(struct described *node);

/* ---- batches (batch.c) ------------------------------------------------------------------ */

enum {
	BATCH_HEADER_BYTES = 64,
	BATCH_ENTRY_BYTES = 40,
	BATCH_ALIGN = 64,
	BATCH_OPS_MAX = 8192,
};

/* A batch is ended when it has so many bytes: what a flipped bit can cost, and a read's length. */
#define BATCH_BYTES (SL_MIB)
#define BATCH_BYTES_MAX (SL_OBJECT_BYTES_MAX + SL_MIB)

enum batch_op { BATCH_PUT = 1, BATCH_DELETE };

/**
 * struct batch_entry - one operation, as it lies behind the header.
 * @version: 0: the operation's own offset; else one more than the version that the object had
 *	before it was moved here. @at: from the batch's beginning on. @kind: of the key.
 */
struct batch_entry {
	uint8_t key[SL_OBJECT_UUID_BYTES];
	uint64_t version;
	uint32_t at, bytes;
	uint8_t kind, op;
	uint8_t zero[6];
};

extern const struct sl_log_kind objects_log_kind;

/**
 * struct batch - one being made; zeroed is empty.
 * @data: the objects, each at a multiple of BATCH_ALIGN. @hashes: of its keys: a set of @mask + 1
 * places, 0: none, at least half of them; NULL: none yet.
 */
struct batch {
	struct batch_entry *entries;
	uint32_t n, cap;
	uint8_t *data;
	size_t len, data_cap;
	uint64_t *hashes;
	uint32_t mask;
};

void batch_done(struct batch *b);

/* Where the first object of a batch lies. */
size_t batch_data_at(const struct batch *b);

/**
 * batch_add() - one more operation.
 * @ret_room: where the object's @bytes go (NULL with 0), to be filled at once.
 * Return: 0; -ENOMEM; -EMSGSIZE.
 */
int batch_add(struct batch *b, enum batch_op op, const struct sl_filter_key *key, uint64_t version,
	      size_t bytes, uint8_t **ret_room);

/* Whether an operation on a key of that hash is in it. */
bool batch_has(const struct batch *b, uint64_t hash);

/* Whether it is long enough. */
static inline bool batch_full(const struct batch *b)
{
	return b->n >= BATCH_OPS_MAX || b->len >= BATCH_BYTES;
}

/* Header and entries as they lie before the objects, at no place yet; its entries' places are those
 * in the batch then. To be freed. Return: NULL: out of memory. */
uint8_t *batch_table(struct batch *b, size_t *ret_n);

/**
 * batch_append() - append it to @log; its entries' places are those in the batch then.
 * @ret_base: the offset of its first operation. Return: 0 or -errno.
 */
int batch_append(struct sl_log *log, struct batch *b, uint64_t *ret_base, int64_t deadline);

/**
 * batch_read() - look at a batch that lies at @p, of at most @n bytes.
 * @ret_entries: at any alignment; entry_load() reads one. @ret_whole: its checksum holds; else each
 * object has to show that it is whole.
 * Return: 0; -EBADMSG: nothing can be said of what it holds.
 */
int batch_read(const uint8_t *p, size_t n, struct sl_frame *ret_frame, const uint8_t **ret_entries,
	       bool *ret_whole);
void entry_load(const uint8_t *entries, uint32_t i, struct batch_entry *ret_entry);

static inline struct sl_filter_key entry_key(const struct batch_entry *e)
{
	return key_from((enum sl_key_kind)e->kind, e->key);
}

/* ---- rows (rows.c) ---------------------------------------------------------------------- */

/**
 * struct row - one object: its key, its version, and where it lies in the log.
 * @place: the operation's offset, and above it the key's kind; 0: the row is free. @at, @bytes: of
 *	the object in its batch.
 */
struct row {
	uint8_t key[SL_OBJECT_UUID_BYTES];
	uint64_t version;
	uint64_t place;
	uint32_t at, bytes;
};

#define ROW_KIND_SHIFT 62
#define ROW_OFFSET_MASK ((UINT64_C(1) << ROW_KIND_SHIFT) - 1)

static inline uint64_t row_offset(const struct row *row)
{
	return row->place & ROW_OFFSET_MASK;
}

static inline enum sl_key_kind row_kind(const struct row *row)
{
	return (enum sl_key_kind)(row->place >> ROW_KIND_SHIFT);
}

static inline uint64_t row_place(uint64_t offset, enum sl_key_kind kind)
{
	return offset | (uint64_t)kind << ROW_KIND_SHIFT;
}

static inline struct sl_filter_key row_key(const struct row *row)
{
	return key_from(row_kind(row), row->key);
}

/**
 * struct rows - all rows of a collection, and which key is in which.
 * @n: rows that were ever used; @live: of these, not free. @slots: row + 1 by hash of its key, of
 *	@mask + 1; 0: none. @free: rows to be used again.
 * A key costs its 16 bytes and at most 12 of slots.
 */
struct rows {
	struct row *at;
	uint32_t n, cap, live;
	uint32_t *slots;
	uint32_t mask;
	uint32_t *free;
	uint32_t free_n;
};

void rows_done(struct rows *r);

/* Makes room for @n rows in all, so that rows_add() does not fail. Return: 0; -ENOMEM; -EFBIG. */
int rows_reserve(struct rows *r, uint64_t n);

/* The row of @key, or SL_ROW_NONE. */
uint32_t rows_find(const struct rows *r, const struct sl_filter_key *key);

/* A row for @key, which has none; a free one if there is. The rest of it is the caller's. */
uint32_t rows_add(struct rows *r, const struct sl_filter_key *key, uint64_t offset);

/* Puts the key of row @row, which was given its place by the caller, into the slots. */
void rows_enter(struct rows *r, uint32_t row);

/* Takes @row out; @again: it may be used again. */
void rows_remove(struct rows *r, uint32_t row, bool again);

uint64_t rows_bytes(const struct rows *r);

/* ---- vectors (vectors.c) ---------------------------------------------------------------- */

/**
 * struct vector - what is kept of one named vector.
 * @conf: in the collection's own node. @rows: as indexes see them: cosine's rows have length 1 and
 *	are compared by their product. @tail: rows that are looked at one by one; @main: the others;
 *	NULL: none yet; it had @main_most at the most. @revision: of @main. @has, @tail_bits, @here:
 *	a bit for each row that has such a vector, that is in the tail, that is in memory.
 * @slabs: that the chunks are from. @chunks: of those that lie on disk only @filled of @chunks_n;
 *	others are NULL; rows below @top were touched. @far: no row of @main need be in memory.
 *	@next: is to take its place: it has those rows below @next_row.
 */
struct vector {
	const struct sl_objects_vector *conf;
	uint64_t revision;
	struct sl_rows rows;
	struct sl_slabs slabs;
	uint8_t **chunks;
	uint32_t chunks_n, filled, top;
	uint64_t *has, *tail_bits, *here; /* for all rows of the chunks */
	struct sl_index *tail, *main, *next;
	uint32_t main_most, next_row;
	uint64_t next_revision;
	bool far, next_far;
};

/* How the main index is made. */
struct sl_index_conf vector_index_conf(const struct sl_objects_vector *conf);

int vector_new(const struct sl_objects_vector *conf, uint64_t revision, struct vector **ret_vector);
void vector_free(struct vector *v);

/* Memory for rows below @n. */
int vector_reserve(struct vector *v, uint64_t n);

/* What the object has, as rows are. Return: 1; 0: it has none; -ENOMEM. */
int vector_row(const struct vector *v, const struct sl_object *o, void *ret_row);

/* Takes what the object has into @row; it is found by vector_add() only. As vector_row(). */
int vector_put(struct vector *v, uint32_t row, const struct sl_object *o);

/* Return: 0 or -ENOMEM. */
int vector_add(struct vector *v, uint32_t row);
void vector_remove(struct vector *v, uint32_t row);
bool vector_has(const struct vector *v, uint32_t row);

/* Whether the main index has it; whether it is in memory; what those take that are. */
bool vector_in_main(const struct vector *v, uint32_t row);
bool vector_is_here(const struct vector *v, uint32_t row);
uint64_t vector_rows_bytes(const struct vector *v);

/* The query @vector as rows are. @ret_query: room for a row. False: a component is not finite. */
bool vector_query(const struct vector *v, const float *vector, void *ret_query);

/* @row, as rows are, as f32. */
void vector_floats(const struct vector *v, const void *row, float *ret_floats);

/* What a distance between rows is as a score. */
float vector_score(const struct vector *v, float distance);

/* Gives @p the length 1; zeros stay zeros. */
void vector_normalise(float *p, uint32_t dim);

/* Moves rows from the tail to the main index, for about @budget_ns, and counts them. Return: 1:
 * more is left; 0. */
int vector_step(struct vector *v, int64_t budget_ns, uint64_t *moved);

/* At the start: @row has the vector, wherever it will be found. */
void vector_claim(struct vector *v, uint32_t row);

/* At the start: whether the main index that was loaded makes do without rows in memory. */
bool vector_go_far(struct vector *v);

/**
 * vector_settle() - at the start, once the rows below @rows are there: those in @tail (a bit each,
 * in words of 64; NULL: all) are in the tail, of far ones already, the others in the main index, if
 * it is the one that was saved with them; else all are in the tail.
 * Return: 0; -ENOMEM; -ESTALE: it is not, of far ones.
 */
int vector_settle(struct vector *v, uint32_t rows, const uint8_t *tail);

/* Gives all rows, which are not far, back to the tail: the main index is to be made anew. Return: 0
 * or -ENOMEM. */
int vector_restart(struct vector *v);

/*
 * Of far ones another index is made from what is read while the main one answers, and the tail
 * stays: vector_anew() begins it, vector_anew_rows() gives the next rows to be read, each is given
 * to vector_anew_add() if it is still in the main index, vector_anew_step() is as sl_index_step(),
 * and in the end one of both goes.
 */
bool vector_wants_anew(const struct vector *v, uint64_t revision);
int vector_anew(struct vector *v, uint64_t revision);
uint32_t vector_anew_rows(struct vector *v, uint32_t n, struct sl_hit *ret_rows);
int vector_anew_add(struct vector *v, uint32_t row, const void *p);
int vector_anew_step(struct vector *v, int64_t budget_ns);
void vector_anew_end(struct vector *v, bool all);

uint64_t vector_bytes(const struct vector *v);
uint32_t vector_count(const struct vector *v);

/* ---- vectors that are not in memory (far.c) --------------------------------------------- */

struct collection;
struct far_segment;

/* @spots: where the object of each row is, of those that were asked for; 0: look it up. */
struct far {
	uint64_t *spots;
	uint32_t spots_n;
	struct far_segment *segments;
	uint32_t segments_n;
};

/* Room for so many rows in all. Return: 0 or -ENOMEM. */
int far_reserve(struct collection *c, uint32_t rows);
void far_done(struct collection *c);
uint64_t far_bytes(const struct collection *c);

/* The object of @row is elsewhere. The log was trimmed. */
void far_forget(struct collection *c, uint32_t row);
void far_trimmed(struct collection *c);

/* As sl_index_search(), over the tail and a main index that is far; parks. What was replaced or
 * deleted meanwhile is not among the hits. */
int far_search(struct collection *c, struct vector *v, const struct sl_query *query,
	       struct sl_hit *ret_hits, int64_t deadline);

/* Keeps those of @hits whose object is there, and was so before @since. Return: how many. */
uint32_t far_clean(const struct collection *c, uint64_t since, struct sl_hit *hits, uint32_t n);

/* The vector of @row, which has one, as rows are. Return: 0; as object_load(). */
int far_vector(struct collection *c, const struct vector *v, uint32_t row, void *ret_row,
	       int64_t deadline);

/* Calls @each for those of @rows that can be read and are not replaced meanwhile. */
int far_each(struct collection *c, struct vector *v, const struct sl_hit *rows, uint32_t n,
	     void (*each)(void *arg, uint32_t row, const void *vector), void *arg,
	     int64_t deadline);

/* A step of making the index of vector @i anew. Return: whether there may be more to do. */
bool far_anew(struct collection *c, uint32_t i, int64_t budget_ns);

/* Indexes until what waits for it takes no more memory than it may. */
void far_keep_up(struct collection *c, int64_t deadline);

/* ---- collections (collection.c) --------------------------------------------------------- */

enum collection_state {
	COLLECTION_OPENING,
	COLLECTION_OPEN,
	COLLECTION_CLOSING, /* it is put away; who comes waits for that */
	COLLECTION_FAILED, /* it does not open; tried again by who comes later */
	COLLECTION_GONE, /* deleted; off the table */
};

/* A batch that is appended and not yet durable, in the order of the log. */
struct pending {
	struct sl_list node;
	struct batch batch;
	uint64_t base;
	struct sl_object *
		*olds; /* of each operation, what it replaces; NULL without payload indexes */
	bool applied;
};

/**
 * struct collection - one that is in memory.
 * @own: its description, a copy. @users: calls that are inside. @applied: all operations below this
 * offset are in memory. @pending: struct pending. @promised: rows that these may take.
 * @writing: who appends. @live_bytes: of objects that are there. @since: bytes applied since the
 * checkpoint, which takes @checkpoint_bytes; @changed: operations since, @moved: rows that a main
 * index got. @counted_bytes: of memory, in its core's sum.
 * @retired: rows that payload indexes know of but whose object could not be read.
 * @stale: memory ran out in the middle of a change: to be opened anew. @lost: objects that could
 * not be read. @compact_from: no compaction before @since is so much. @indexing: rows may be moved
 * on.
 */
struct collection {
	struct collection *next; /* in the table */
	struct sl_list node;
	struct core_store *cs;
	struct described *own;
	enum collection_state state;
	int err;
	uint32_t users;
	struct sl_waitq changed_q; /* state, users */
	char path[ID_TEXT_BYTES];
	int dir;
	struct sl_log *log;

	struct rows rows;
	struct vector *vectors[SL_OBJECTS_VECTORS_MAX];
	uint32_t vectors_n;
	struct far far;
	struct sl_payload *payload;
	struct sl_scratch *scratch;
	struct sl_object_builder *builder;

	struct sl_mutex writing;
	struct sl_list pending;
	struct sl_waitq settled; /* @applied moved, or writes were lost */
	uint64_t applied, promised;
	uint64_t live_bytes, since, changed, moved, lost, compact_from, checkpoint_bytes;
	uint64_t counted_bytes;
	uint32_t retired;
	bool stale, indexing;
	int64_t used_at;
	struct sl_list waiting; /* searches: struct job */
};

/**
 * collection_enter() - the collection of @id on its home core, open; to be left again.
 * Return: 0; -ENOENT: it is deleted; -ESHUTDOWN; -ETIME; -errno: it does not open.
 */
int collection_enter(struct core_store *cs, const struct objects_collection *pub,
		     struct collection **ret_collection, int64_t deadline);
void collection_leave(struct collection *c);

/* Those of the background, who do not keep it from being put away as idle. */
static inline void collection_use(struct collection *c)
{
	c->users++;
}
void collection_unuse(struct collection *c);

struct collection *collection_find(struct core_store *cs, const uint8_t *id);

/* Closes it and frees its memory: @checkpoint: keep indexes first. Its users have left. */
int collection_put_away(struct collection *c, bool checkpoint, int64_t deadline);

/* Takes it off the table, as it is deleted, and frees it once nobody is inside. */
void collection_drop(struct core_store *cs, const uint8_t *id);

/* Takes another description. Payload indexes that are new are made. */
int collection_configure(struct collection *c, const struct objects_collection *pub,
			 const uint64_t *revisions, int64_t deadline);

/* The number of the vector @name, or vectors_n. */
uint32_t collection_vector(const struct collection *c, const char *name);

/* Room for @rows rows in all, in every part. Return: 0; -ENOMEM; -EFBIG. */
int collection_reserve(struct collection *c, uint64_t rows);

uint64_t collection_bytes(const struct collection *c);

/* Empties what is in memory of it. Return: 0 or -ENOMEM. */
int collection_reset(struct collection *c);

/* Makes c->payload anew, empty or of what a checkpoint holds. */
struct run;
int collection_payload_new(struct collection *c);
int collection_payload_load(struct collection *c, struct run *run);

/* Closes all of a core. */
int collections_close(struct core_store *cs, int64_t deadline);

/* ---- memory (memory.c) ------------------------------------------------------------------ */

/* What @c takes, without indexes of payloads, whose bytes are counted bitmap by bitmap. */
uint64_t memory_of(const struct collection *c);

/* Brings its core's sum up to date; takes @c, which is freed, out of it. */
void memory_count(struct collection *c);
void memory_forget(struct collection *c);

/* Whether objects of @bytes may be put into @c. Return: 0; -ENOMEM: it would be too much. */
int memory_check(struct collection *c, uint64_t bytes);

/* ---- applying (apply.c) ----------------------------------------------------------------- */

/**
 * apply_put() - @o, at @at of its batch, is what its key has from operation @offset on.
 * @old: what it replaces; wanted where there are payload indexes, NULL if it cannot be read.
 */
void apply_put(struct collection *c, const struct sl_filter_key *key, uint64_t offset,
	       uint64_t version, uint32_t at, const struct sl_object *o,
	       const struct sl_object *old);
void apply_delete(struct collection *c, const struct sl_filter_key *key,
		  const struct sl_object *old);

/* The same object lies at another place now. */
void apply_move(struct collection *c, uint32_t row, uint64_t offset, uint32_t at);

/* Finds the object in @row by its vectors; they are in place. */
void apply_vectors(struct collection *c, uint32_t row, const struct sl_object *o);

/* Applies what is durable, in order. */
void apply_durable(struct collection *c);

bool collection_has_payload(const struct collection *c);

/* ---- reading (read.c) ------------------------------------------------------------------- */

/**
 * object_load() - the object of @row as it is now, verified, in memory of its own.
 * Return: 0; -ENOENT: it went meanwhile; -EBADMSG: it is damaged; -errno.
 */
int object_load(struct collection *c, uint32_t row, struct objects_hit *ret_hit, int64_t deadline);

/* The object of @row, which lies at @p. Return: 0 or -EBADMSG. */
int object_open(const void *p, const struct row *row, const struct sl_object **ret_object);

/* ---- matching (matching.c) -------------------------------------------------------------- */

/**
 * struct matches - rows that a filter means; all if it is NULL.
 * @words: a bit for each of @rows; NULL: all. @count: bits that are set. @loose: objects are to be
 * held against the filter: it may name others too, or was found while others wrote.
 */
struct matches {
	uint64_t *words;
	uint32_t rows, count;
	bool loose;
};

/* What indexes say; never parks. Return: 0; -EINVAL; -ENOMEM. */
int matches_guess(struct collection *c, const struct sl_filter *filter,
		  struct matches *ret_matches);

/* Parks to read objects if indexes do not say all. Return: 0; -EINVAL; -errno. */
int matches_find(struct collection *c, const struct sl_filter *filter, struct matches *ret_matches,
		 int64_t deadline);
void matches_done(struct matches *m);

/* Whether the object in @row matches: 1; 0, also if it cannot be read; -errno. */
int object_matches(struct collection *c, uint32_t row, const struct sl_filter *filter,
		   int64_t deadline);

static inline bool matches_has(const struct matches *m, uint32_t row)
{
	return !m->words || (row < m->rows && m->words[row / 64] >> row % 64 & 1);
}

/* ---- starting and keeping --------------------------------------------------------------- */

/* recover.c: brings an open log's contents into memory. */
int collection_recover(struct collection *c, int64_t deadline);

bool payload_same(const struct sl_payload_conf *a, const struct sl_payload_conf *b);

/* Payload indexes: all that are in the description, over no rows; those that are missing, over all
 * rows, while nobody writes. */
int payload_declare(struct collection *c);
int payload_complete(struct collection *c, int64_t deadline);

/**
 * struct checkpoint - what a file says of a collection as it was at an offset (checkpoint.c).
 * @rows_at, @rows: struct row, as they were. @has, @tails: of each vector of the collection the
 *	rows that have it, and those in its tail, a bit each; NULL: its index is of no use.
 */
struct checkpoint {
	int fd;
	uint8_t *buf;
	uint64_t offset;
	uint32_t rows;
	uint64_t rows_at;
	uint8_t *has[SL_OBJECTS_VECTORS_MAX], *tails[SL_OBJECTS_VECTORS_MAX];
	uint64_t index_at[SL_OBJECTS_VECTORS_MAX], index_bytes[SL_OBJECTS_VECTORS_MAX];
	uint64_t payload_at, payload_bytes;
};

/* The newest that verifies; that others do not is told as an event. Return: 0; -ENOENT; -ENOMEM;
 * -EPROTONOSUPPORT; -errno. */
int checkpoint_load(struct collection *c, struct checkpoint *ret_checkpoint, int64_t deadline);
void checkpoint_done(struct checkpoint *k);

/* Reads from a run of bytes of a checkpoint, one at a time: the sl_read_fn of what it holds. */
struct run {
	int fd;
	uint64_t pos, left;
	uint8_t *buf;
	const uint8_t *p;
	size_t ready;
};
void checkpoint_run(struct checkpoint *k, uint64_t at, uint64_t n, struct run *ret_run);
int run_read(void *run, void *ret_data, size_t n);

/* Writes one. Return: 0 or -errno, told as an event. */
int checkpoint_save(struct collection *c, int64_t deadline);

/* compact.c: moves what is live to the end of the log and trims the rest. */
bool compaction_due(const struct collection *c);
int collection_compact(struct collection *c, int64_t deadline);

/* Waits until nothing is pending; with c->writing. Return: 0; or the log's failure. */
int pending_drain(struct collection *c, int64_t deadline);

/**
 * pending_append() - append @batch, which is emptied, and keep it for apply_durable().
 * With c->writing, and room for its rows. @olds: taken over also on failure, as struct pending has
 * them.
 */
int pending_append(struct collection *c, struct batch *batch, struct sl_object **olds,
		   uint64_t *ret_base, int64_t deadline);

/* Whether an operation on a key of that hash is pending. */
bool pending_has(const struct collection *c, uint64_t hash);

/* Waits until all below @end is durable and applied. Return: 0; or the log's failure. */
int pending_settle(struct collection *c, uint64_t end);

/* Objects that the operations of a batch, @n of them, replace. */
void olds_free(struct sl_object **olds, uint32_t n);

/* ---- cores ------------------------------------------------------------------------------ */

struct core_store {
	struct objects *o;
	struct objects_store_conf conf;
	bool started, draining, stopping;
	struct sl_logs *logs;
	struct objects_view *view;

	struct collection **table; /* table_n, a power of two or 0 */
	uint32_t table_n, collections_n;
	struct sl_list collections;
	struct sl_waitq keeper; /* there is work, or the end */
	bool work; /* for the keeper */
	struct sl_mutex keeping; /* who stands in for the keeper */
	uint64_t memory_bytes; /* of its collections, as counted; others read it */
	uint32_t fibers; /* of the background, running */
	struct sl_waitq ended;
} __attribute__((aligned(64)));

struct objects {
	struct objects_store_conf conf;
	int dir;
	uint32_t cores_n;
	struct core_store *cores;

	/* core 0 */
	struct sl_mutex changing; /* the catalogue */
	struct sl_list views;
	struct objects_view *view;
	struct alias *aliases;
	uint32_t aliases_n;
	char **leftovers; /* folders of creations and deletions that a crash cut short */
	uint32_t leftovers_n;
};

/* The state of @core; that of threads that take turns, who have none (NULL), is the first. */
static inline struct core_store *objects_at(struct objects *o, const struct sl_core *core)
{
	uint32_t id = core ? sl_core_id(core) : 0;

	SL_ASSERT(id < o->cores_n);
	return &o->cores[id];
}

/* The calling core's state. */
static inline struct core_store *objects_self(struct objects *o)
{
	return objects_at(o, sl_core_self());
}

/* NULL, which is where the caller is, where threads take turns. */
struct sl_core *collection_home(const struct objects_collection *pub);

/* In what a call runs on another core: that core may not have started yet, or have stopped. */
int home_ready(struct core_store *cs, int64_t deadline);

/* Starts @fn in a fiber that objects_stop() waits for; it calls store_fiber_end() last. Where
 * threads take turns it is done at once. */
int store_fiber_start(struct core_store *cs, void (*fn)(void *arg), void *arg);
void store_fiber_end(struct core_store *cs);

void objects_tell(struct core_store *cs, enum objects_event event, const char *name, int64_t a);

/* ---- figures (info.c) ------------------------------------------------------------------- */

/* How a search was answered, as it is counted. */
enum search_kind {
	SEARCH_FLAT,
	SEARCH_IVF,
	SEARCH_HNSW,
	SEARCH_FILTERED, /* in whichever way */
	SEARCH_WEIGHED,
	SEARCH_LAST
};

void search_count(enum search_kind kind, int64_t ns);

/* What is in memory of the core, as gauges. */
void figures_show(const struct core_store *cs);

/* One more for the events of @event, where there are metrics: on a core. */
void event_count(enum objects_event event, int64_t a);

/* keeper.c: indexes, checkpoints, compacts and puts away. */
void keeper(void *core_state);
void keeper_wake(struct core_store *cs);

/**
 * struct visit - first member of what a call carries to a collection's home.
 * @fn: what is done there, inside of the collection.
 */
struct visit {
	struct objects *o;
	const struct objects_collection *pub;
	int (*fn)(struct collection *c, void *visit, int64_t deadline);
};

/* Runs @visit->fn at the home of collection @name, with its own view of the catalogue held. */
int visit(struct objects *o, const char *name,
	  int (*fn)(struct collection *c, void *visit, int64_t deadline), struct visit *visit,
	  int64_t deadline);

/* What a file that is uploaded is called for a moment, before its name goes. */
#define OBJECTS_UPLOAD "upload-"

/* manage.c: a draft like @conf. @ret_name: by which it is found. As objects_create(). */
int draft_create(struct objects *o, const struct sl_objects_conf *conf,
		 char ret_name[DRAFT_NAME_BYTES], char *why, size_t why_len, int64_t deadline);

/* The draft becomes the collection @name, in one step: of one that is there nothing stays but its
 * snapshots and aliases, which are the new one's then. */
int draft_publish(struct objects *o, const char *draft, const char *name, int64_t deadline);

/* Of a collection's folder, that of its snapshots. */
#define SNAPSHOTS "snapshots"

/* folders.c: the catalogue on disk. */
int folders_scan(struct objects *o);
int folder_create(struct objects *o, const struct described *node, int64_t deadline);
int folder_rewrite(struct objects *o, const struct described *node, int64_t deadline);
int folder_delete(struct objects *o, const uint8_t *id, int64_t deadline);
int folder_remove(struct objects *o, const uint8_t *id, int64_t deadline);

/* Snapshots of collection @from become those of @to. */
void folder_inherit(struct objects *o, const uint8_t *from, const uint8_t *to);
void folders_sweep(struct objects *o);
int aliases_write(struct objects *o, const struct alias *aliases, uint32_t n, int64_t deadline);

static inline int64_t wall_ms(void)
{
	return sl_wall_clock_ns() / SL_MSEC;
}

#endif
