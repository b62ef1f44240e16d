/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetch: which partitions are asked (the request, or the session that it goes on with), a look or
 * a wait in the engine, and a reply of headers and extents: no record passes through here.
 *
 * Fetch sessions (KIP-227) live on their connection, since a client has one connection for its
 * fetches to a node: a session id that is not this connection's is FETCH_SESSION_ID_NOT_FOUND,
 * upon which clients ask in full. Invariants: a session's partitions stand in the order of their
 * topics; a partition is left out of an incremental reply only if nothing of it has changed since
 * the last one.
 *
 * Order of parts: sessions; what is asked; looking; the response; the reply.
 */
#include <errno.h>

#include "kafka_pvt.h"

/* ---- sessions --------------------------------------------------------------------------- */

/* A partition that is asked for; of a session or of one request. */
struct asked {
	struct sl_uuid id;
	char *name; /* of sessions up to version 12, from the heap; else NULL */
	struct kafka_str wire_name;
	int32_t partition;
	int32_t epoch;
	int64_t offset;
	int32_t bytes_max;
	uint64_t end, start; /* as last told */
	int16_t error;
	bool told;
	bool gone; /* forgotten by the request that is served */
};

struct fetch_session {
	int32_t id;
	int32_t epoch; /* expected next */
	bool by_id;
	uint32_t n, cap;
	uint32_t turn; /* whose turn it is to be looked at first */
	uint32_t hint; /* where a search begins */
	struct asked *v;
};

/* What one connection may make us remember. */
enum { SESSION_PARTITIONS_MAX = 1 << 16 };

void fetch_session_free(struct fetch_session *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	free(s->v);
	free(s);
}

static bool same(const struct asked *a, const struct asked *b, bool by_id)
{
	if (a->partition != b->partition)
		return false;
	return by_id ? sl_uuid_equal(&a->id, &b->id)
		     : kafka_str_eq(a->wire_name, b->wire_name);
}

/*
 * Clients name partitions in the order of the session, mostly: the search begins behind the last
 * find, or thousands of them would cost the core the square of that.
 */
static struct asked *session_find(struct fetch_session *s, const struct asked *a)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t at = s->hint < s->n ? s->hint : 0;

		s->hint = at + 1;
		if (same(&s->v[at], a, s->by_id))
			return &s->v[at];
	}
	return NULL;
}

/* Return: 0; -E2BIG: the session is full; -ENOMEM. */
static int session_add(struct fetch_session *s, const struct asked *a)
{
	struct asked *at;

	if (s->n == SESSION_PARTITIONS_MAX)
		return -E2BIG;
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 16;

		at = realloc(s->v, cap * sizeof(*at));
		if (!at)
			return -ENOMEM;
		s->v = at;
		s->cap = cap;
	}
	at = &s->v[s->n];
	*at = *a;
	if (!s->by_id) {
		at->name = strndup(a->wire_name.p, (size_t)a->wire_name.n);
		if (!at->name)
			return -ENOMEM;
		at->wire_name.p = at->name;
	}
	s->n++;
	return 0;
}

static int session_put(struct fetch_session *s, const struct asked *a)
{
	struct asked *at = session_find(s, a);

	if (!at)
		return session_add(s, a);
	at->offset = a->offset;
	at->bytes_max = a->bytes_max;
	at->epoch = a->epoch;
	return 0;
}

/* Takes out what is marked as gone. */
static void session_shrink(struct fetch_session *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (s->v[i].gone)
			free(s->v[i].name);
		else
			s->v[n++] = s->v[i];
	}
	s->n = n;
}

static void session_forget(struct fetch_session *s, const struct asked *a)
{
	struct asked *at = session_find(s, a);

	if (at)
		at->gone = true;
}

/* ---- what is asked ---------------------------------------------------------------------- */

struct fetch {
	struct kafka_request *rq;
	const struct kafka_fetch_request *req;
	struct fetch_session *session; /* NULL: a fetch outside sessions */
	bool incremental;
	bool by_id;
	struct asked *v;
	uint32_t n;
	uint32_t first;		       /* looked at first */
	struct sl_fetch_part *parts;   /* in the order of looking: part i is v[(first + i) % n] */
	struct sl_fetch f;
};

static struct asked asked_of(const struct kafka_fetch_request_topic *t,
			     const struct kafka_fetch_request_partition *p)
{
	return (struct asked){
		.id = kafka_uuid_to_sl(t->topic_id),
		.wire_name = t->topic,
		.partition = p->partition,
		.epoch = p->current_leader_epoch,
		.offset = p->fetch_offset,
		.bytes_max = p->partition_max_bytes,
	};
}

/* The request's own list. */
static int list_request(struct fetch *x)
{
	uint32_t n = 0;

	for (int32_t t = 0; t < x->req->topics.n; t++)
		n += (uint32_t)x->req->topics.v[t].partitions.n;
	x->v = kafka_alloc(x->rq, n, sizeof(*x->v));
	if (!x->v)
		return -ENOMEM;
	for (int32_t t = 0; t < x->req->topics.n; t++) {
		const struct kafka_fetch_request_topic *topic = &x->req->topics.v[t];

		for (int32_t p = 0; p < topic->partitions.n; p++)
			x->v[x->n++] = asked_of(topic, &topic->partitions.v[p]);
	}
	return 0;
}

/* Brings the session up to date with the request, whose list it becomes. */
static int list_session(struct fetch *x)
{
	const struct kafka_fetch_request *req = x->req;
	struct fetch_session *s = x->session;

	for (int32_t t = 0; t < req->forgotten_topics_data.n; t++) {
		const struct kafka_fetch_request_forgotten_topic *topic =
			&req->forgotten_topics_data.v[t];

		for (int32_t p = 0; p < topic->partitions.n; p++)
			session_forget(s, &(struct asked){
						  .id = kafka_uuid_to_sl(topic->topic_id),
						  .wire_name = topic->topic,
						  .partition = topic->partitions.v[p]});
	}
	session_shrink(s);
	for (int32_t t = 0; t < req->topics.n; t++) {
		const struct kafka_fetch_request_topic *topic = &req->topics.v[t];

		for (int32_t p = 0; p < topic->partitions.n; p++) {
			struct asked a = asked_of(topic, &topic->partitions.v[p]);
			int err = x->incremental ? session_put(s, &a) : session_add(s, &a);

			if (err)
				return err;
		}
	}
	x->v = s->v;
	x->n = s->n;
	x->first = s->n ? s->turn++ % s->n : 0;
	return 0;
}

static void close_session(struct kafka_conn *state)
{
	fetch_session_free(state->session);
	state->session = NULL;
}

/* A list that is too long for a session is answered without one. */
static int open_session(struct fetch *x, struct kafka_conn *state)
{
	struct fetch_session *s = calloc(1, sizeof(*s));
	int err;

	close_session(state);
	if (!s)
		return -ENOMEM;
	do
		sl_random(&s->id, sizeof(s->id));
	while ((s->id &= INT32_MAX) == 0);
	s->epoch = 1;
	s->by_id = x->by_id;
	state->session = s;
	x->session = s;
	err = list_session(x);
	if (err != -E2BIG)
		return err;
	close_session(state);
	x->session = NULL;
	return list_request(x);
}

/* Return: 0, an error code of the whole response (> 0), or -errno. */
static int choose_list(struct fetch *x)
{
	struct kafka_conn *state = sl_conn_state(x->rq->conn);
	struct fetch_session *s = state->session;
	int32_t id = x->req->session_id, epoch = x->req->session_epoch;
	int err;

	if (epoch == -1 || x->rq->version < 7) {
		if (s && s->id == id)
			close_session(state);
		return list_request(x);
	}
	if (epoch == 0)
		return open_session(x, state);
	if (!s || s->id != id || s->by_id != x->by_id)
		return KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND;
	if (s->epoch != epoch)
		return KAFKA_ERR_INVALID_FETCH_SESSION_EPOCH;
	s->epoch = epoch == INT32_MAX ? 1 : epoch + 1;
	x->session = s;
	x->incremental = true;
	err = list_session(x);
	if (err != -E2BIG)
		return err;
	/* Upon which the client names all that it wants, and is answered without a session. */
	close_session(state);
	return KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND;
}

/* ---- looking ---------------------------------------------------------------------------- */

/* Partitions of topics that are not there get their error at once, and nobody waits. */
static int look(struct fetch *x, struct sl_topics_view *view)
{
	const struct kafka_fetch_request *req = x->req;
	bool missing = false;

	x->parts = kafka_alloc(x->rq, x->n, sizeof(*x->parts));
	if (!x->parts)
		return -ENOMEM;
	x->f = (struct sl_fetch){
		.parts = x->parts,
		.bytes_max = sl_min((uint64_t)sl_max(req->max_bytes, 0),
				    x->rq->server->fetch_bytes_max),
		.bytes_min = (uint64_t)sl_max(req->min_bytes, 0),
		.wait = kafka_park,
		.wait_arg = x->rq->conn,
	};
	for (uint32_t i = 0; i < x->n; i++) {
		struct asked *a = &x->v[(x->first + i) % x->n];
		const struct sl_topic *topic =
			x->by_id ? sl_topics_view_find_id(view, &a->id)
				 : sl_topics_view_find(view, kafka_to_sl(a->wire_name));

		a->error = 0;
		if (!topic || a->offset < 0 || a->partition < 0 ||
		    (uint32_t)a->partition >= topic->partitions) {
			a->error = topic && a->offset < 0 ? KAFKA_ERR_OFFSET_OUT_OF_RANGE
				   : x->by_id && !topic	 ? KAFKA_ERR_UNKNOWN_TOPIC_ID
						: KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
			missing = true;
			continue;
		}
		kafka_note_home(x->rq, topic, (uint32_t)a->partition);
		x->parts[x->f.n++] = (struct sl_fetch_part){
			.topic = topic,
			.partition = (uint32_t)a->partition,
			.epoch = a->epoch,
			.offset = (uint64_t)a->offset,
			.bytes_max = (uint64_t)sl_max(a->bytes_max, 0),
		};
	}
	if (missing || !x->f.bytes_min || req->max_wait_ms <= 0)
		return sl_fetch_once(x->rq->topics, &x->f, SL_NEVER);
	return sl_fetch_wait(x->rq->topics, &x->f, kafka_deadline(req->max_wait_ms));
}

/* ---- the response ----------------------------------------------------------------------- */

static void fill_partition(struct fetch *x, struct asked *a, const struct sl_fetch_part *part,
			   struct kafka_fetch_response_partition *o)
{
	kafka_init(&kafka_fetch_response_partition_schema, o);
	o->partition_index = a->partition;
	o->high_watermark = -1;
	o->records = (struct kafka_records){0};
	o->aborted_transactions.n = x->req->isolation_level ? 0 : -1;
	if (!part) {
		o->error_code = a->error;
		return;
	}
	a->error = kafka_error_of(part->result);
	o->error_code = a->error;
	if (part->result && part->result != SL_REFUSED_OUT_OF_RANGE)
		return;
	o->high_watermark = (int64_t)part->end;
	o->last_stable_offset = (int64_t)part->end;
	o->log_start_offset = (int64_t)part->start;
	o->records.n = (int32_t)part->bytes;
	o->records.cookie = (uint64_t)(part - x->parts);
}

/* Whether an incremental reply may leave the partition out. */
static bool unchanged(const struct fetch *x, const struct asked *a,
		      const struct sl_fetch_part *part)
{
	return x->incremental && part && !part->result && !part->bytes && a->told &&
	       a->end == part->end && a->start == part->start;
}

static void remember(struct asked *a, const struct sl_fetch_part *part)
{
	a->told = part && !part->result;
	if (!a->told)
		return;
	a->end = part->end;
	a->start = part->start;
}

static bool same_topic(const struct fetch *x, const struct asked *a, const struct asked *b)
{
	return x->by_id ? sl_uuid_equal(&a->id, &b->id) : kafka_str_eq(a->wire_name, b->wire_name);
}

/* Part of each v[i], or NULL where it has an error of its own. */
static int match_parts(struct fetch *x, const struct sl_fetch_part ***ret_of)
{
	const struct sl_fetch_part **of = kafka_alloc(x->rq, x->n, sizeof(struct sl_fetch_part *));
	uint32_t part = 0;

	if (!of)
		return -ENOMEM;
	for (uint32_t i = 0; i < x->n; i++) {
		uint32_t at = (x->first + i) % x->n;

		if (!x->v[at].error)
			of[at] = &x->parts[part++];
	}
	SL_ASSERT(part == x->f.n);
	*ret_of = of;
	return 0;
}

static int fill(struct fetch *x, struct kafka_fetch_response *res)
{
	struct kafka_fetch_response_partition *p =
		kafka_alloc(x->rq, x->n, sizeof(*p));
	struct kafka_fetch_response_topic *topic = NULL;
	const struct sl_fetch_part **of;
	const struct asked *last = NULL;

	res->responses.v = kafka_alloc(x->rq, x->n, sizeof(*res->responses.v));
	if (!p || !res->responses.v || match_parts(x, &of))
		return -ENOMEM;
	for (uint32_t i = 0; i < x->n; i++) {
		struct asked *a = &x->v[i];

		if (unchanged(x, a, of[i]))
			continue;
		if (!last || !same_topic(x, last, a)) {
			topic = &res->responses.v[res->responses.n++];
			topic->topic = a->wire_name;
			topic->topic_id = kafka_uuid_from_sl(&a->id);
			topic->partitions.v = p;
			topic->partitions.n = 0;
			last = a;
		}
		fill_partition(x, a, of[i], p++);
		topic->partitions.n++;
		remember(a, of[i]);
	}
	return 0;
}

/* ---- the reply -------------------------------------------------------------------------- */

static void add_extents(struct sl_reply *r, struct sl_fetch_part *part)
{
	for (uint32_t i = 0; i < part->n_spans; i++)
		sl_reply_add(r, sl_part_extent(part->spans[i].extent));
	part->n_spans = 0; /* their references are the reply's now */
}

/* Headers as slices of the encoded response, and between them the extents of each split. */
static void add_parts(struct fetch *x, struct sl_reply *r, const struct kafka_out *out)
{
	size_t at = 0;

	for (unsigned i = 0; i < out->splits_n; i++) {
		const struct kafka_split *s = &out->splits[i];

		sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes + at, s->at - at)));
		add_extents(r, &x->parts[s->cookie]);
		at = s->at;
	}
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes + at, out->len - at)));
}

static int deliver(struct fetch *x, const struct kafka_fetch_response *res)
{
	struct kafka_request *rq = x->rq;
	struct kafka_split *splits;
	struct kafka_sizes sizes;
	struct kafka_out out;
	struct sl_reply *r;
	int err = kafka_response_size(KAFKA_FETCH, rq->version, res, &sizes);

	if (err)
		return err;
	splits = kafka_alloc(rq, sizes.splits, sizeof(*splits));
	r = kafka_reply_new(rq, sizes.splits * (1 + SL_FETCH_SPANS) + 1, sizes.mem_bytes);
	if (!r || !splits) {
		sl_reply_free(r);
		return -ENOMEM;
	}
	kafka_out_init(&out, r->bytes, sizes.mem_bytes);
	kafka_out_splits(&out, splits, sizes.splits);
	err = kafka_response_encode(KAFKA_FETCH, rq->version, rq->correlation_id, res, &sizes,
				    &out);
	if (err) {
		sl_reply_free(r);
		return err;
	}
	kafka_count_errors(KAFKA_FETCH, out.errors);
	add_parts(x, r, &out);
	return sl_deliver(r, SL_NEVER);
}

int kafka_fetch_handle(struct kafka_request *rq, const struct kafka_fetch_request *req,
		       struct kafka_fetch_response *res)
{
	struct fetch x = {.rq = rq, .req = req, .by_id = rq->version >= 13};
	struct sl_topics_view *view;
	int err = choose_list(&x);

	if (err > 0) {
		res->error_code = (int16_t)err;
		return 0;
	}
	if (err)
		return err;
	res->session_id = x.session ? x.session->id : 0;
	view = sl_topics_view(rq->topics);
	err = look(&x, view);
	if (!err) {
		err = fill(&x, res);
		if (!err)
			err = deliver(&x, res);
		sl_fetch_release(&x.f);
	}
	sl_topics_view_release(view);
	return err ? err : KAFKA_REPLIED;
}
