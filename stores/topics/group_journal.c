/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_journal: the records in which groups are kept (docs/format.md), written and read back.
 *
 * Interface: "the journal" of groups_pvt.h. A record is a batch of one in a log of its own kind:
 * a header of 40 bytes, then a payload of integers and strings (blob_pvt.h).
 * Invariant: applying the records from any point on, in order, to a state that contains those
 * before it and perhaps some of them, ends in the same state.
 *
 * Order of parts: framing; payloads; applying.
 */
#include <errno.h>

#include "groups_pvt.h"

/* ---- framing ---------------------------------------------------------------------------- */

#define RECORD_MAGIC UINT32_C(0x4a474c53) /* "SLGJ" */

struct record_header {
	uint32_t magic;
	uint32_t bytes; /* header included */
	uint64_t base;
	uint32_t epoch;
	uint32_t sum; /* CRC32C of all that follows this field */
	int64_t time_ms;
	uint16_t type;
	uint16_t zero;
	uint32_t zero2;
};
static_assert(sizeof(struct record_header) == GROUP_RECORD_HEADER_BYTES, "as on disk");
static_assert(offsetof(struct record_header, time_ms) == 24, "where the sum begins");

static int kind_frame(const uint8_t *header, struct sl_frame *ret_frame)
{
	struct record_header h;

	memcpy(&h, header, sizeof(h));
	if (h.magic != RECORD_MAGIC || h.bytes < sizeof(h) || h.bytes > GROUP_RECORD_BYTES_MAX ||
	    h.base > INT64_MAX)
		return -EBADMSG;
	*ret_frame = (struct sl_frame){
		.base = h.base,
		.bytes = h.bytes,
		.time_max = h.time_ms,
		.records = 1,
		.epoch = h.epoch,
		.sum = h.sum,
		.sum_from = offsetof(struct record_header, time_ms),
	};
	return 0;
}

static void kind_place(uint8_t *header, uint64_t base, uint32_t epoch)
{
	sl_store_le64(header + offsetof(struct record_header, base), base);
	sl_store_le32(header + offsetof(struct record_header, epoch), epoch);
}

/* A base that frame() refuses. */
static void kind_unplace(uint8_t *header)
{
	sl_store_le64(header + offsetof(struct record_header, base), UINT64_MAX);
}

const struct sl_log_kind group_journal_kind = {
	.name = "group-journal",
	.id = 2,
	.header_bytes = GROUP_RECORD_HEADER_BYTES,
	.frame = kind_frame,
	.place = kind_place,
	.unplace = kind_unplace,
	.sum = sl_crc32c,
};

void group_record_begin(struct blob_out *b)
{
	SL_ASSERT(b->len == 0);
	blob_room(b, sizeof(struct record_header));
}

int group_record_end(struct blob_out *b, enum group_record_type type, int64_t now_ms)
{
	struct record_header h = {.magic = RECORD_MAGIC, .time_ms = now_ms};

	if (b->err)
		return b->err;
	if (b->len > GROUP_RECORD_BYTES_MAX)
		return -E2BIG;
	h.type = (uint16_t)type;
	h.bytes = (uint32_t)b->len;
	memcpy(b->p, &h, sizeof(h));
	h.sum = sl_crc32c(0, b->p + offsetof(struct record_header, time_ms),
			  b->len - offsetof(struct record_header, time_ms));
	memcpy(b->p, &h, sizeof(h));
	return 0;
}

/* ---- payloads --------------------------------------------------------------------------- */

#define OFFSET_BYTES_MIN 36 /* topic, partition, epoch, offset, metadata's length */
#define FORGET_BYTES 20
#define MEMBER_BYTES_MIN 32
#define PROTOCOL_BYTES_MIN 8

void group_encode_offsets(struct blob_out *b, struct sl_str group, const struct sl_offset *o,
			  uint32_t n)
{
	blob_put_str(b, group);
	blob_put_u32(b, n);
	for (uint32_t i = 0; i < n; i++) {
		blob_put(b, o[i].topic.b, sizeof(o[i].topic.b));
		blob_put_u32(b, o[i].partition);
		blob_put_u32(b, (uint32_t)o[i].epoch);
		blob_put_u64(b, (uint64_t)o[i].offset);
		blob_put_str(b, o[i].metadata);
	}
}

void group_encode_forget(struct blob_out *b, struct sl_str group, const struct sl_offset *o,
			 uint32_t n)
{
	blob_put_str(b, group);
	blob_put_u32(b, n);
	for (uint32_t i = 0; i < n; i++) {
		blob_put(b, o[i].topic.b, sizeof(o[i].topic.b));
		blob_put_u32(b, o[i].partition);
	}
}

static void encode_member(struct blob_out *b, const struct group_member *m)
{
	blob_put_str(b, m->id);
	blob_put_str(b, m->instance_id);
	blob_put_str(b, m->client_id);
	blob_put_str(b, m->client_host);
	blob_put_u32(b, (uint32_t)m->session_timeout_ms);
	blob_put_u32(b, (uint32_t)m->rebalance_timeout_ms);
	blob_put_str(b, m->assignment);
	blob_put_u32(b, m->protocols_n);
	for (uint32_t i = 0; i < m->protocols_n; i++) {
		blob_put_str(b, m->protocols[i].name);
		blob_put_str(b, m->protocols[i].metadata);
	}
}

/* Members without assignments are of no use after a restart: they have to join again. */
void group_encode_group(struct blob_out *b, const struct group *g, bool with_members)
{
	blob_put_str(b, g->id);
	blob_put_u32(b, (uint32_t)g->generation);
	blob_put_u64(b, (uint64_t)g->empty_since_ms);
	blob_put_str(b, g->protocol_type);
	blob_put_str(b, g->protocol);
	blob_put_str(b, g->leader ? g->leader->id : (struct sl_str){0});
	blob_put_u32(b, with_members ? g->members_n : 0);
	if (!with_members)
		return;
	sl_list_each(n, &g->members)
		encode_member(b, sl_list_entry(n, struct group_member, node));
}

void group_encode_gone(struct blob_out *b, struct sl_str group)
{
	blob_put_str(b, group);
}

/* ---- applying --------------------------------------------------------------------------- */

static void get_uuid(struct blob_in *in, struct sl_uuid *ret_id)
{
	const uint8_t *p = blob_get(in, sizeof(ret_id->b));

	if (p)
		memcpy(ret_id->b, p, sizeof(ret_id->b));
}

static int apply_offsets(struct group *g, struct blob_in *in, int64_t at_ms, uint64_t point)
{
	uint32_t n = blob_get_count(in, OFFSET_BYTES_MIN);

	while (n-- > 0) {
		struct sl_offset o = {0};

		get_uuid(in, &o.topic);
		o.partition = blob_get_u32(in);
		o.epoch = (int32_t)blob_get_u32(in);
		o.offset = (int64_t)blob_get_u64(in);
		o.metadata = blob_get_str(in);
		if (in->bad)
			return -EBADMSG;
		if (group_offset_put(g, &o, at_ms, point))
			return -ENOMEM;
	}
	return 0;
}

static int apply_forget(struct group *g, struct blob_in *in, uint64_t point)
{
	uint32_t n = blob_get_count(in, FORGET_BYTES);

	while (n-- > 0) {
		struct group_offset *known;
		struct sl_uuid topic = {0};
		uint32_t partition;

		get_uuid(in, &topic);
		partition = blob_get_u32(in);
		known = group_offset_find(g, &topic, partition);
		if (known && known->point <= point)
			group_offset_remove(g, known);
	}
	return 0;
}

static int get_protocols(struct blob_in *in, struct group_member *m)
{
	uint32_t n = blob_get_count(in, PROTOCOL_BYTES_MIN);
	struct sl_group_protocol *protocols = calloc(n + 1, sizeof(*protocols));
	int rc;

	if (!protocols)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		protocols[i].name = blob_get_str(in);
		protocols[i].metadata = blob_get_str(in);
	}
	rc = in->bad ? -EBADMSG : group_member_protocols(m, protocols, n);
	free(protocols);
	return rc;
}

static int get_member(struct group *g, struct blob_in *in)
{
	struct sl_str id = blob_get_str(in), instance = blob_get_str(in);
	struct sl_str client = blob_get_str(in), host = blob_get_str(in), assignment;
	int32_t session = (int32_t)blob_get_u32(in), rebalance = (int32_t)blob_get_u32(in);
	struct group_member *m;

	assignment = blob_get_str(in);
	if (in->bad || !id.s || session <= 0 || rebalance < 0 || group_member_find(g, id))
		return -EBADMSG;
	m = group_member_new(g, id, instance, client, host, session, rebalance);
	if (!m || str_copy(assignment, &m->assignment))
		return -ENOMEM;
	return get_protocols(in, m);
}

static void members_clear(struct group *g)
{
	sl_list_each_safe(n, &g->members)
		group_member_free(sl_list_entry(n, struct group_member, node));
	g->leader = NULL;
	g->state = SL_GROUP_EMPTY;
}

static int apply_group(struct group *g, struct blob_in *in)
{
	struct sl_str type, protocol, leader;
	uint32_t n;

	members_clear(g);
	g->generation = (int32_t)blob_get_u32(in);
	g->empty_since_ms = (int64_t)blob_get_u64(in);
	type = blob_get_str(in);
	protocol = blob_get_str(in);
	leader = blob_get_str(in);
	str_free(&g->protocol_type);
	str_free(&g->protocol);
	if (str_copy(type, &g->protocol_type) || str_copy(protocol, &g->protocol))
		return -ENOMEM;
	n = blob_get_count(in, MEMBER_BYTES_MIN);
	while (n-- > 0) {
		int rc = get_member(g, in);

		if (rc) {
			members_clear(g);
			return rc;
		}
	}
	if (g->generation < 0)
		return -EBADMSG;
	if (leader.s)
		g->leader = group_member_find(g, leader);
	g->state = g->members_n ? SL_GROUP_STABLE : SL_GROUP_EMPTY;
	g->persisted = true;
	return 0;
}

static int apply_gone(struct shard *sh, struct sl_str id)
{
	struct group *g = shard_group(sh, id);

	if (g)
		shard_group_remove(g);
	return 0;
}

int group_apply(struct shard *sh, enum group_record_type type, const void *p, size_t len,
		int64_t at_ms, uint64_t point)
{
	struct blob_in in = {p, (const uint8_t *)p + len, false};
	struct sl_str id = blob_get_str(&in);
	struct group *g;
	int rc;

	if (in.bad || id.len < 1 || id.len > GROUP_ID_BYTES_MAX)
		return -EBADMSG;
	if (type == GROUP_RECORD_GONE)
		return blob_complete(&in) ? apply_gone(sh, id) : -EBADMSG;
	g = shard_group_get(sh, id);
	if (!g)
		return -ENOMEM;
	if (type == GROUP_RECORD_OFFSETS)
		rc = apply_offsets(g, &in, at_ms, point);
	else if (type == GROUP_RECORD_FORGET)
		rc = apply_forget(g, &in, point);
	else if (type == GROUP_RECORD_GROUP)
		rc = apply_group(g, &in);
	else
		rc = -EBADMSG;
	group_leave(g);
	return rc || blob_complete(&in) ? rc : -EBADMSG;
}

ssize_t group_apply_record(struct shard *sh, const uint8_t *p, size_t len)
{
	struct record_header h;
	struct sl_frame frame;
	int rc;

	if (len < sizeof(h) || kind_frame(p, &frame) || frame.bytes > len ||
	    sl_crc32c(0, p + frame.sum_from, frame.bytes - frame.sum_from) != frame.sum)
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	rc = group_apply(sh, h.type, p + sizeof(h), frame.bytes - sizeof(h), h.time_ms, h.base);
	return rc ? rc : (ssize_t)frame.bytes;
}
