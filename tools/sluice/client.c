// SPDX-License-Identifier: Apache-2.0
/*
 * The client's core: connections, versions, one request and its response, errors in words.
 *
 * Interface: client.h, first two parts. Invariants: a connection that failed in any way is closed
 * and opened anew by the next call, for what is in it can no longer be told apart; a response
 * with another correlation id is a failure of the peer.
 * Order of parts: errors; connections; versions; a request; the client.
 */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

#define NODES_MAX 64
#define RESPONSE_BYTES_MAX (512 * SL_MIB)
#define REPLY_HEAP_BYTES_MAX (256 * SL_MIB)
#define CLIENT_PORT 9092

/* What is known of a broker, and the connection to it. */
struct node {
	struct net_addr addr;
	int32_t id; /* CLIENT_ANY_NODE until metadata says */
	int fd; /* -1: not connected */
	int32_t correlation_id;
	int16_t min[KAFKA_API_LAST], max[KAFKA_API_LAST]; /* max -1: the broker has it not */
};

struct client {
	int64_t timeout_ns;
	unsigned bootstrap_n; /* nodes[] begins with these */
	unsigned nodes_n;
	struct node nodes[NODES_MAX];
	char error[768];
};

/* ---- errors ----------------------------------------------------------------------------- */

int client_fail(struct client *c, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
	return err;
}

/* What a user can do about an error code, where that is known. */
static const char *code_advice(int code)
{
	switch (code) {
	case KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION:
		return "; `sluice topic list` shows what there is, `sluice topic create` makes one";
	case KAFKA_ERR_MESSAGE_TOO_LARGE:
	case KAFKA_ERR_RECORD_LIST_TOO_LARGE:
		return "; send smaller batches (--batch-bytes), or raise max.message.bytes";
	case KAFKA_ERR_INVALID_PARTITIONS:
		return "; ask for at least one partition (--partitions)";
	case KAFKA_ERR_KAFKA_STORAGE_ERROR:
		return "; the daemon's log says what the disk did";
	case KAFKA_ERR_OFFSET_OUT_OF_RANGE:
		return "; `sluice topic describe` shows the offsets that are there";
	case KAFKA_ERR_TOPIC_ALREADY_EXISTS:
		return "; `sluice topic describe` shows it";
	default:
		return "";
	}
}

int client_refused(struct client *c, int code, struct kafka_str said, const char *doing)
{
	if (said.n > 0)
		client_fail(c, code, "%s: %.*s (%s)%s", doing, said.n, said.p,
			    kafka_error_name(code), code_advice(code));
	else
		client_fail(c, code, "%s: %s (%s)%s", doing, kafka_error_text(code),
			    kafka_error_name(code), code_advice(code));
	return code > 0 ? code : -EREMOTEIO;
}

static const char *errno_text(int err)
{
	switch (err) {
	case -ETIME:
		return "no answer in time (--timeout)";
	case -ECONNRESET:
		return "the peer closed the connection; its log may say why";
	case -ECONNREFUSED:
		return "nothing listens there; is sluiced running (--bootstrap HOST:PORT)?";
	case -ENOENT:
		return "the name has no address";
	default:
		return strerror(-err);
	}
}

static int node_fail(struct client *c, struct node *node, int err, const char *doing)
{
	if (node->fd >= 0)
		close(node->fd);
	node->fd = -1;
	return client_fail(c, err, "%s %s:%u: %s", doing, node->addr.host, node->addr.port,
			   errno_text(err));
}

bool client_may_retry(int err)
{
	switch (err) {
	case -ETIME:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ECONNABORTED:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
	case -EPIPE:
		return true;
	default:
		return err > 0 && kafka_error_is_retriable(err);
	}
}

const char *client_error(const struct client *c)
{
	return c->error;
}

int32_t client_timeout_ms(const struct client *c)
{
	return (int32_t)sl_min(c->timeout_ns / SL_MSEC, (int64_t)INT32_MAX);
}

/* ---- a request -------------------------------------------------------------------------- */

/* Sends a request of a known version. */
static int request_send(struct node *node, const struct kafka_api_info *info, int version,
			const void *req, int64_t deadline)
{
	enum kafka_api api = (enum kafka_api)info->key;
	struct kafka_str id = KAFKA_STR("sluice");
	struct kafka_sizes sizes;
	struct kafka_out out;
	uint8_t *buf;
	int err = kafka_request_size(api, version, id, req, &sizes);

	if (err)
		return err;
	SL_ASSERT(!sizes.splits);
	buf = malloc(sizes.mem_bytes);
	if (!buf)
		return -ENOMEM;
	kafka_out_init(&out, buf, sizes.mem_bytes);
	err = kafka_request_encode(api, version, ++node->correlation_id, id, req, &sizes, &out);
	if (!err)
		err = net_send_all(node->fd, buf, out.len, deadline);
	free(buf);
	return err;
}

/* One frame, without its length. */
static int frame_receive(struct node *node, uint8_t **ret_p, size_t *ret_len, int64_t deadline)
{
	uint8_t prefix[KAFKA_FRAME_PREFIX_BYTES];
	uint8_t *p;
	uint32_t len;
	int err = net_recv_all(node->fd, prefix, sizeof(prefix), deadline);

	if (err)
		return err;
	len = sl_load_be32(prefix);
	if (len > RESPONSE_BYTES_MAX)
		return -EPROTO;
	p = malloc(len ? len : 1);
	if (!p)
		return -ENOMEM;
	err = net_recv_all(node->fd, p, len, deadline);
	if (err) {
		free(p);
		return err;
	}
	*ret_p = p;
	*ret_len = len;
	return 0;
}

/* Receives the answer to the last request; @in stands at its message. */
static int response_receive(struct node *node, const struct kafka_api_info *info, int version,
			    struct client_reply *reply, struct kafka_in *ret_in, int64_t deadline)
{
	int32_t id = 0;
	size_t len;
	int err = frame_receive(node, &reply->buf, &len, deadline);

	if (err)
		return err;
	sl_bump_init(&reply->mem, NULL, 0, REPLY_HEAP_BYTES_MAX);
	kafka_in_init(ret_in, reply->buf, len);
	err = kafka_response_header_decode(ret_in, (enum kafka_api)info->key, version, &id);
	if (err || id != node->correlation_id) {
		client_reply_done(reply);
		return -EPROTO;
	}
	return 0;
}

void client_reply_done(struct client_reply *reply)
{
	sl_bump_done(&reply->mem);
	free(reply->buf);
	*reply = (struct client_reply){0};
}

/* ---- versions --------------------------------------------------------------------------- */

static void versions_take(struct node *node, const struct kafka_api_versions_response *res)
{
	for (int i = 0; i < KAFKA_API_LAST; i++)
		node->max[i] = -1;
	for (int i = 0; i < res->api_keys.n; i++) {
		const struct kafka_api_versions_response_key *k = &res->api_keys.v[i];

		if (k->api_key < 0 || k->api_key >= KAFKA_API_LAST)
			continue;
		node->min[k->api_key] = k->min_version;
		node->max[k->api_key] = k->max_version;
	}
}

/* A broker that does not know our version answers in version 0, list and all. */
static int versions_ask(struct node *node, int version, int *ret_code, int64_t deadline)
{
	const struct kafka_api_info *info = kafka_api_find(KAFKA_API_VERSIONS);
	struct kafka_api_versions_request req;
	struct kafka_api_versions_response res;
	struct client_reply reply = {0};
	struct kafka_in in;
	int err;

	kafka_init(info->request, &req);
	req.client_software_name = KAFKA_STR("sluice");
	req.client_software_version = kafka_str_of(SL_VERSION);
	err = request_send(node, info, version, &req, deadline);
	if (!err)
		err = response_receive(node, info, version, &reply, &in, deadline);
	if (err)
		return err;
	if (kafka_in_left(&in) >= 2)
		*ret_code = (int16_t)sl_load_be16(in.p);
	if (*ret_code == KAFKA_ERR_UNSUPPORTED_VERSION)
		version = 0;
	err = kafka_decode(info->response, version, in.p, kafka_in_left(&in), &reply.mem, &res);
	if (!err)
		versions_take(node, &res);
	client_reply_done(&reply);
	return err ? -EPROTO : 0;
}

/* ---- connections ------------------------------------------------------------------------ */

static int node_connect(struct client *c, struct node *node, int64_t deadline)
{
	int code = 0, err;

	node->fd = net_connect(&node->addr, deadline);
	if (node->fd < 0)
		return node_fail(c, node, node->fd, "connecting to");
	err = versions_ask(node, 3, &code, deadline);
	if (!err && code == KAFKA_ERR_UNSUPPORTED_VERSION)
		code = 0;
	if (err == -EPROTO || err == -EBADMSG || code) {
		node_fail(c, node, -EPROTO, "connecting to");
		return client_fail(c, -EPROTO,
				   "connecting to %s:%u: what listens there does not speak Kafka's "
				   "protocol; is it another port (--bootstrap HOST:PORT)?",
				   node->addr.host, node->addr.port);
	}
	return err ? node_fail(c, node, err, "connecting to") : 0;
}

/* Any bootstrap address that answers, beginning with one that is connected. */
static int any_node(struct client *c, struct node **ret_node, int64_t deadline)
{
	int err = -ENOENT;

	for (unsigned i = 0; i < c->bootstrap_n; i++) {
		*ret_node = &c->nodes[i];
		if (c->nodes[i].fd >= 0)
			return 0;
	}
	for (unsigned i = 0; i < c->bootstrap_n && err; i++) {
		*ret_node = &c->nodes[i];
		err = node_connect(c, *ret_node, deadline);
	}
	return err;
}

static int node_get(struct client *c, int32_t id, struct node **ret_node, int64_t deadline)
{
	if (id == CLIENT_ANY_NODE)
		return any_node(c, ret_node, deadline);
	for (unsigned i = 0; i < c->nodes_n; i++) {
		if (c->nodes[i].id != id)
			continue;
		*ret_node = &c->nodes[i];
		return c->nodes[i].fd >= 0 ? 0 : node_connect(c, *ret_node, deadline);
	}
	return client_fail(c, -ENOENT, "the metadata tells of no broker %d", id);
}

static struct node *node_add(struct client *c, const struct net_addr *addr)
{
	struct node *node;

	if (c->nodes_n == NODES_MAX)
		return NULL;
	node = &c->nodes[c->nodes_n++];
	*node = (struct node){.addr = *addr, .id = CLIENT_ANY_NODE, .fd = -1};
	return node;
}

/* Learns the brokers' ids and addresses from a Metadata response. */
static void brokers_take(struct client *c, const struct kafka_metadata_response *res)
{
	for (int i = 0; i < res->brokers.n; i++) {
		const struct kafka_metadata_response_broker *b = &res->brokers.v[i];
		struct net_addr addr = {.port = (uint16_t)b->port};
		struct node *node = NULL;

		if (b->host.n <= 0 || b->host.n >= NET_HOST_BYTES)
			continue;
		memcpy(addr.host, b->host.p, (size_t)b->host.n);
		for (unsigned j = 0; j < c->nodes_n && !node; j++)
			if (addr.port == c->nodes[j].addr.port &&
			    !strcmp(addr.host, c->nodes[j].addr.host))
				node = &c->nodes[j];
		for (unsigned j = 0; j < c->nodes_n; j++)
			if (&c->nodes[j] != node && c->nodes[j].id == b->node_id)
				c->nodes[j].id = CLIENT_ANY_NODE;
		node = node ? node : node_add(c, &addr);
		if (node)
			node->id = b->node_id;
	}
}

/* ---- the client ------------------------------------------------------------------------- */

/* The version to speak, or -EOPNOTSUPP. */
static int version_pick(struct client *c, const struct node *node,
			const struct kafka_api_info *info, int version_max)
{
	int version = sl_min(sl_min((int)info->max, version_max), (int)node->max[info->key]);

	if (node->max[info->key] >= 0 && version >= sl_max(info->min, node->min[info->key]))
		return version;
	return client_fail(c, -EOPNOTSUPP,
			   "%s:%u has no version of %s that this program speaks (its %d to %d, "
			   "ours %d to %d)",
			   node->addr.host, node->addr.port, info->name, node->min[info->key],
			   node->max[info->key], info->min, sl_min((int)info->max, version_max));
}

int client_call(struct client *c, int32_t id, enum kafka_api api, int version_max, const void *req,
		void *ret_res, struct client_reply *reply)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	int64_t deadline = now_ns() + c->timeout_ns;
	struct node *node = NULL;
	struct kafka_in in;
	int version, err;

	SL_ASSERT(info);
	err = node_get(c, id, &node, deadline);
	if (err)
		return err;
	version = version_pick(c, node, info, version_max);
	if (version < 0)
		return version;
	err = request_send(node, info, version, req, deadline);
	if (err || !ret_res)
		return err ? node_fail(c, node, err, "sending to") : 0;
	err = response_receive(node, info, version, reply, &in, deadline);
	if (err)
		return node_fail(c, node, err, "waiting for an answer of");
	err = kafka_decode(info->response, version, in.p, kafka_in_left(&in), &reply->mem, ret_res);
	if (err) {
		client_reply_done(reply);
		return node_fail(c, node, err == -ENOMEM ? err : -EPROTO, "reading the answer of");
	}
	if (api == KAFKA_METADATA)
		brokers_take(c, ret_res);
	return 0;
}

int client_new(const struct client_conf *conf, struct client **ret_client)
{
	struct client *c = calloc(1, sizeof(*c));
	const char *at = conf->bootstrap;
	struct node *node;

	*ret_client = c;
	if (!c)
		return -ENOMEM;
	c->timeout_ns = conf->timeout_ns;
	for (;;) {
		size_t n = strcspn(at, ",");
		struct net_addr addr;

		if (net_addr_parse(at, n, CLIENT_PORT, &addr) || !node_add(c, &addr))
			return client_fail(c, -EINVAL, "'%.*s' is no address: expected HOST:PORT",
					   (int)n, at);
		c->bootstrap_n++;
		if (!at[n])
			return any_node(c, &node, now_ns() + c->timeout_ns);
		at += n + 1;
	}
}

void client_free(struct client *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->nodes_n; i++)
		if (c->nodes[i].fd >= 0)
			close(c->nodes[i].fd);
	free(c);
}
