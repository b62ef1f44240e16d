/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Produce: batches from the connection into logs, in steps that stay in the processor's cache.
 *
 * The body is parsed as it arrives: what precedes a partition's records is small and is peeked
 * at; records of up to a window are peeked at whole and appended from there, larger ones go
 * through a buf in steps (receive, checksum, write). Several partitions are appended one after
 * the other; each append's commit holds the reply, and a commit that is lost later becomes that
 * partition's error in the reply. Invariant: every byte of the frame is consumed, or the
 * connection is closed.
 *
 * Order of parts: the stream; records; what the request says; the reply.
 */
#include <errno.h>

#include "kafka_pvt.h"

/* ---- the stream ------------------------------------------------------------------------- */

/* What precedes records, in one piece, is no longer than this. */
enum { HEAD_BYTES_MAX = 64 << 10, FIRST_PEEK_BYTES = 4092, STEP_BYTES = 256 << 10 };

struct stream {
	struct kafka_request *rq;
	struct kafka_in in;    /* over what is peeked */
	const uint8_t *start;  /* of what is peeked */
	size_t peeked;
	bool flexible;
	struct sl_buf *step;   /* for records that are larger than a window */
};

/* Consumes what was parsed. */
static void consume(struct stream *s)
{
	size_t n = (size_t)(s->in.p - s->start);

	sl_conn_skip(s->rq->conn, n);
	s->rq->frame_left -= n;
	s->start = s->in.p;
	s->peeked -= n;
}

/* Has at least @n bytes in front of the cursor, which may move. */
static int want(struct stream *s, size_t n)
{
	int err;

	if (kafka_in_left(&s->in) >= n)
		return 0;
	consume(s);
	if (n > s->rq->frame_left)
		return -EBADMSG;
	n = sl_max(n, sl_min(s->rq->frame_left, (size_t)FIRST_PEEK_BYTES));
	err = sl_conn_peek(s->rq->conn, n, &s->start, sl_conn_read_deadline(s->rq->conn));
	if (err)
		return err;
	s->peeked = n;
	kafka_in_init(&s->in, s->start, n);
	return 0;
}

/* Parses with @parse, asking for more bytes as long as it runs out of them. */
static int parse(struct stream *s, void (*get)(struct stream *s, struct kafka_in *in, void *ret),
		 void *ret)
{
	size_t n = 1;

	for (;;) {
		struct kafka_in in;
		int err = want(s, n);

		if (err)
			return err;
		in = s->in;
		get(s, &in, ret);
		if (!in.err) {
			s->in.p = in.p;
			return 0;
		}
		if (in.err != -ENODATA)
			return in.err;
		n = kafka_in_left(&s->in);
		if (n >= s->rq->frame_left - (size_t)(s->in.p - s->start))
			return -EBADMSG;
		if (n >= HEAD_BYTES_MAX) {
			sl_conn_blame(s->rq->conn,
				      "what precedes records in a Produce has more than 64 KiB");
			return -EMSGSIZE;
		}
		n = sl_min(n * 2, s->rq->frame_left - (size_t)(s->in.p - s->start));
	}
}

/* ---- records ---------------------------------------------------------------------------- */

struct partition_result {
	int32_t index;
	int16_t error;
	int64_t base, append_ms, log_start;
};

struct topic_result {
	const struct sl_topic *topic; /* NULL: unknown */
	struct kafka_str name;
	struct kafka_uuid id;
	struct partition_result *partitions;
	int32_t n;
};

struct produce {
	struct stream s;
	struct sl_topics_view *view;
	struct sl_reply *reply;
	struct topic_result *topics;
	int32_t topics_n, partitions_n;
	int16_t acks;
	bool failed; /* some partition has an error */
	int64_t deadline;
};

/* Reads past @left bytes of records that nobody wants. */
static int skip_records(struct stream *s, size_t left)
{
	while (left) {
		size_t n = sl_min(left, (size_t)FIRST_PEEK_BYTES);
		int err = want(s, n);

		if (err)
			return err;
		s->in.p += n;
		left -= n;
	}
	return 0;
}

/* Takes records that fit into a window. Return: as append_records(). */
static int append_small(struct produce *p, struct sl_topic_append *a, size_t len, int *ret_result)
{
	struct iovec iov;
	int err = want(&p->s, len);

	if (err)
		return err;
	/* The window is the connection's own memory; the header is placed in it. */
	iov = (struct iovec){(void *)p->s.in.p, len};
	*ret_result = sl_topic_append(p->s.rq->topics, a, &iov, 1, p->deadline);
	p->s.in.p += len;
	return 0;
}

static int append_steps(struct produce *p, struct sl_topic_append *a, size_t len, int *ret_result)
{
	struct stream *s = &p->s;
	struct kafka_request *rq = s->rq;
	int err = want(s, SL_BATCH_HEADER_BYTES);
	int result;

	if (err)
		return err;
	if (!s->step)
		s->step = sl_buf_new(STEP_BYTES);
	if (!s->step)
		return -ENOMEM;
	result = sl_topic_append_begin(rq->topics, a, s->in.p, len, p->deadline);
	if (result) {
		*ret_result = result;
		return skip_records(s, len);
	}
	consume(s);
	kafka_in_init(&s->in, s->start, 0);
	s->peeked = 0;
	while (len) {
		size_t n = sl_min(len, (size_t)STEP_BYTES);

		err = sl_conn_read_all(rq->conn, s->step->data, n, sl_conn_read_deadline(rq->conn));
		if (err) {
			sl_topic_append_abort(a);
			return err;
		}
		rq->frame_left -= n;
		len -= n;
		result = sl_topic_append_write(a, s->step->data, n, p->deadline);
		if (result) {
			sl_topic_append_abort(a);
			*ret_result = result;
			return skip_records(s, len);
		}
	}
	*ret_result = sl_topic_append_finish(a, p->deadline);
	return 0;
}

static void lost(struct sl_hold *hold, int err);

/* Return: 0, with the outcome in @r, or -errno of the connection. */
static int append_records(struct produce *p, const struct sl_topic *topic,
			  struct partition_result *r, int32_t len, int32_t ordinal)
{
	struct sl_topic_append a = {.topic = topic, .partition = (uint32_t)r->index};
	struct sl_hold *hold = NULL;
	int result = 0;
	int err;

	if (p->acks && p->reply->n_holds == p->reply->holds_max)
		return -EMSGSIZE;
	if (p->acks) {
		hold = sl_reply_hold(p->reply, lost, (void *)(intptr_t)ordinal);
		a.commit = &hold->commit;
	}
	if ((size_t)len <= STEP_BYTES)
		err = append_small(p, &a, (size_t)len, &result);
	else
		err = append_steps(p, &a, (size_t)len, &result);
	if (err || result) {
		if (hold)
			sl_hold_settle(hold, 0);
		r->error = err ? 0 : kafka_error_of(result);
		p->failed = true;
		return err;
	}
	if (hold && a.decided) {
		r->error = a.commit->res ? kafka_error_of(a.commit->res) : 0;
		sl_hold_settle(hold, 0);
	}
	r->base = r->error ? -1 : (int64_t)a.base;
	r->log_start = (int64_t)a.log_start;
	r->append_ms = a.append_ms;
	return 0;
}

/* ---- what the request says -------------------------------------------------------------- */

struct head {
	struct kafka_str transactional_id;
	int16_t acks;
	int32_t timeout_ms;
	int32_t topics;
};

static void get_header(struct stream *s, struct kafka_in *in, void *ret)
{
	(void)s;
	int err = kafka_request_header_decode(in, ret);

	if (err)
		kafka_in_fail(in, err);
}

static void get_head(struct stream *s, struct kafka_in *in, void *ret)
{
	struct head *h = ret;

	h->transactional_id = kafka_get_nullable_str(in, s->flexible);
	h->acks = kafka_get_i16(in);
	h->timeout_ms = kafka_get_i32(in);
	h->topics = kafka_get_len(in, s->flexible);
}

static void get_topic(struct stream *s, struct kafka_in *in, void *ret)
{
	struct topic_result *t = ret;

	if (s->rq->version >= 13)
		t->id = kafka_get_uuid(in);
	else
		t->name = kafka_get_str(in, s->flexible);
	t->n = kafka_get_len(in, s->flexible);
}

struct partition_head {
	int32_t index, len;
};

static void get_partition(struct stream *s, struct kafka_in *in, void *ret)
{
	struct partition_head *h = ret;

	h->index = kafka_get_i32(in);
	h->len = kafka_get_len(in, s->flexible);
}

static void get_tags(struct stream *s, struct kafka_in *in, void *ret)
{
	(void)s;
	(void)ret;
	kafka_skip_tags(in);
}

static int skip_tags(struct stream *s)
{
	return s->flexible ? parse(s, get_tags, NULL) : 0;
}

/* Of a topic's and a partition's entry in a request, less than anything that can follow them. */
enum { TOPIC_BYTES_MIN = 2, PARTITION_BYTES_MIN = 5 };

static bool lies(const struct stream *s, int32_t n, size_t bytes_min)
{
	return n < 0 || (size_t)n > s->rq->frame_left / bytes_min;
}

/* What a topic and a partition take in the response at most, its name apart. */
enum { REPLY_BYTES = 64, REPLY_TOPIC_BYTES = 32, REPLY_PARTITION_BYTES = 48 };

/* Partitions that one request may name, if it names several topics. */
enum { PARTITIONS_MAX = 1 << 16 };

/*
 * The reply comes before the appends, whose commits it holds. With one topic its size is known;
 * with more, what is left of the frame bounds it. Memory that stays unused is never touched.
 */
static int make_reply(struct produce *p, int32_t partitions)
{
	struct kafka_request *rq = p->s.rq;
	size_t topics = (size_t)p->topics_n;
	size_t n = (size_t)partitions, holds = n;

	if (p->reply || !p->acks)
		return 0;
	if (topics > 1) {
		n = sl_min(n + rq->frame_left / PARTITION_BYTES_MIN, (size_t)PARTITIONS_MAX);
		/* Only what holds a batch is appended and waited for. */
		holds = sl_min(n, 1 + rq->frame_left / SL_BATCH_HEADER_BYTES);
	}
	p->reply = sl_reply_new(rq->conn, 1, (uint32_t)holds,
				REPLY_BYTES + topics * (REPLY_TOPIC_BYTES + SL_TOPIC_NAME_MAX) +
					n * REPLY_PARTITION_BYTES);
	return p->reply ? 0 : -ENOMEM;
}

static int serve_partition(struct produce *p, struct topic_result *t, struct partition_result *r)
{
	struct partition_head h;
	int err = parse(&p->s, get_partition, &h);

	if (err)
		return err;
	*r = (struct partition_result){.index = h.index, .base = -1, .append_ms = -1,
				       .log_start = -1};
	if (h.len > 0 && (size_t)h.len > p->s.rq->frame_left)
		return -EBADMSG;
	if (p->acks < -1 || p->acks > 1)
		r->error = KAFKA_ERR_INVALID_REQUIRED_ACKS;
	else if (!t->topic)
		r->error = p->s.rq->version >= 13 ? KAFKA_ERR_UNKNOWN_TOPIC_ID
						  : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else if (h.len < SL_BATCH_HEADER_BYTES)
		r->error = KAFKA_ERR_CORRUPT_MESSAGE;
	if (r->error) {
		p->failed = true;
		err = skip_records(&p->s, h.len < 0 ? 0 : (size_t)h.len);
	} else {
		kafka_note_home(p->s.rq, t->topic, (uint32_t)h.index);
		err = append_records(p, t->topic, r, h.len, p->partitions_n);
	}
	p->partitions_n++;
	return err ? err : skip_tags(&p->s);
}

static int serve_topic(struct produce *p, struct topic_result *t)
{
	struct kafka_request *rq = p->s.rq;
	struct sl_uuid id;
	int err = parse(&p->s, get_topic, t);

	if (err)
		return err;
	if (lies(&p->s, t->n, PARTITION_BYTES_MIN))
		return -EBADMSG;
	if (rq->version >= 13) {
		id = kafka_uuid_to_sl(t->id);
		t->topic = sl_topics_view_find_id(p->view, &id);
	} else {
		if (t->name.n > SL_TOPIC_NAME_MAX)
			return -EBADMSG;
		t->name = kafka_strdup(rq, t->name.p, (size_t)t->name.n);
		t->topic = sl_topics_view_find(p->view, kafka_to_sl(t->name));
	}
	t->partitions = kafka_alloc(rq, (size_t)t->n, sizeof(*t->partitions));
	if (!t->partitions)
		return -ENOMEM;
	err = make_reply(p, t->n);
	for (int32_t i = 0; !err && i < t->n; i++)
		err = serve_partition(p, t, &t->partitions[i]);
	return err ? err : skip_tags(&p->s);
}

/* ---- the reply -------------------------------------------------------------------------- */

/* What was lost while later partitions of the request were still read. */
static void note_lost(struct produce *p)
{
	for (uint32_t i = 0; i < p->reply->n_holds; i++) {
		const struct sl_hold *h = &p->reply->holds[i];
		int32_t ordinal = (int32_t)(intptr_t)h->cookie;

		if (!h->err)
			continue;
		for (struct topic_result *t = p->topics; t < p->topics + p->topics_n; t++) {
			if (ordinal < t->n) {
				t->partitions[ordinal].error = kafka_error_of(h->err);
				t->partitions[ordinal].base = -1;
				break;
			}
			ordinal -= t->n;
		}
	}
}

static int fill(struct produce *p, struct kafka_produce_response *res)
{
	struct kafka_request *rq = p->s.rq;

	note_lost(p);
	kafka_init(&kafka_produce_response_schema, res);
	res->responses.n = p->topics_n;
	res->responses.v = kafka_alloc(rq, (size_t)p->topics_n, sizeof(*res->responses.v));
	if (!res->responses.v)
		return -ENOMEM;
	for (int32_t i = 0; i < p->topics_n; i++) {
		const struct topic_result *t = &p->topics[i];
		struct kafka_produce_response_topic *out = &res->responses.v[i];

		out->name = t->name;
		out->topic_id = t->id;
		out->partition_responses.n = t->n;
		out->partition_responses.v =
			kafka_alloc(rq, (size_t)t->n, sizeof(*out->partition_responses.v));
		if (!out->partition_responses.v)
			return -ENOMEM;
		for (int32_t k = 0; k < t->n; k++) {
			struct kafka_produce_response_partition *o =
				&out->partition_responses.v[k];

			kafka_init(&kafka_produce_response_partition_schema, o);
			o->index = t->partitions[k].index;
			o->error_code = t->partitions[k].error;
			o->base_offset = t->partitions[k].base;
			o->log_append_time_ms = t->partitions[k].append_ms;
			o->log_start_offset = t->partitions[k].log_start;
		}
	}
	return 0;
}

/* The first byte of the entry of partition @ordinal (counted over all topics), behind its index. */
static uint8_t *find_entry(const struct sl_reply *r, int version, int32_t ordinal)
{
	const bool flexible = version >= 9;
	struct kafka_in in;
	int32_t topics, seen = 0;

	kafka_in_init(&in, r->bytes, sl_part_len(&r->parts[0]));
	kafka_get_raw(&in, KAFKA_FRAME_PREFIX_BYTES + 4 + flexible); /* and the header's tags */
	topics = kafka_get_len(&in, flexible);
	for (int32_t t = 0; t < topics && !in.err; t++) {
		int32_t n;

		if (version >= 13)
			kafka_get_uuid(&in);
		else
			kafka_get_str(&in, flexible);
		n = kafka_get_len(&in, flexible);
		for (int32_t i = 0; i < n && !in.err; i++) {
			kafka_get_i32(&in);
			if (seen++ == ordinal)
				return (uint8_t *)in.p;
			kafka_get_raw(&in, 2 + 8 + 8 + (version >= 5 ? 8 : 0));
			if (version >= 8) {
				kafka_get_len(&in, flexible);
				kafka_get_nullable_str(&in, flexible);
			}
			if (flexible)
				kafka_skip_tags(&in);
		}
		if (flexible)
			kafka_skip_tags(&in);
	}
	return NULL;
}

/* The version is kept behind the last byte of the encoded reply, for lost(). */
static void lost(struct sl_hold *hold, int err)
{
	struct sl_reply *r = hold->reply;
	uint8_t *entry;

	if (!r->n)
		return; /* not encoded yet: fill() looks at the holds */
	entry = find_entry(r, r->bytes[r->bytes_max - 1], (int32_t)(intptr_t)hold->cookie);
	SL_ASSERT(entry);
	sl_store_be16(entry, (uint16_t)kafka_error_of(err));
	sl_store_be64(entry + 2, UINT64_MAX);
	kafka_count_errors(KAFKA_PRODUCE, 1);
}

static int deliver(struct produce *p)
{
	struct kafka_request *rq = p->s.rq;
	struct kafka_produce_response res;
	struct sl_reply *r = p->reply;
	struct kafka_sizes sizes;
	struct kafka_out out;
	int err;

	err = fill(p, &res);
	if (!err)
		err = kafka_response_size(KAFKA_PRODUCE, rq->version, &res, &sizes);
	if (!err && sizes.mem_bytes >= r->bytes_max)
		err = -ENOBUFS;
	if (err)
		return err;
	kafka_out_init(&out, r->bytes, r->bytes_max - 1);
	err = kafka_response_encode(KAFKA_PRODUCE, rq->version, rq->correlation_id, &res, &sizes,
				    &out);
	if (err)
		return err;
	kafka_count_errors(KAFKA_PRODUCE, out.errors);
	r->bytes[r->bytes_max - 1] = (uint8_t)rq->version;
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, out.len)));
	p->reply = NULL;
	return sl_deliver(r, SL_NEVER);
}

static int serve(struct produce *p)
{
	struct kafka_request *rq = p->s.rq;
	struct kafka_request_header header;
	struct head head;
	int err = parse(&p->s, get_header, &header);

	if (err)
		return err;
	rq->correlation_id = header.correlation_id;
	rq->version = header.api_version;
	if (rq->version < rq->api->min || rq->version > rq->api->max)
		return -EPROTONOSUPPORT;
	p->s.flexible = rq->version >= rq->api->flexible_since;
	err = parse(&p->s, get_head, &head);
	if (err)
		return err;
	if (lies(&p->s, head.topics, TOPIC_BYTES_MIN))
		return -EBADMSG;
	p->acks = head.acks;
	p->deadline = kafka_deadline(head.timeout_ms);
	p->topics_n = head.topics;
	p->topics = kafka_alloc(rq, (size_t)head.topics, sizeof(*p->topics));
	if (!p->topics)
		return -ENOMEM;
	for (int32_t i = 0; !err && i < head.topics; i++)
		err = serve_topic(p, &p->topics[i]);
	if (!err)
		err = skip_tags(&p->s);
	if (err)
		return err;
	consume(&p->s);
	if (rq->frame_left)
		return -EBADMSG;
	/* Nobody hears of an error but by the end of the connection. */
	if (!p->acks)
		return p->failed ? -ECONNRESET : 0;
	err = make_reply(p, 0);
	return err ? err : deliver(p);
}

int kafka_produce_serve(struct kafka_request *rq)
{
	struct produce p = {.s.rq = rq, .view = sl_topics_view(rq->topics)};
	int err = serve(&p);

	sl_buf_release(p.s.step);
	sl_topics_view_release(p.view);
	if (p.reply)
		sl_reply_abandon(p.reply);
	return err;
}

/* In the table of APIs only for its versions: serve.c passes Produce on before it is decoded. */
int kafka_produce_handle(struct kafka_request *rq, const struct kafka_produce_request *req,
			 struct kafka_produce_response *res)
{
	(void)rq;
	(void)req;
	(void)res;
	return -EPROTO;
}
