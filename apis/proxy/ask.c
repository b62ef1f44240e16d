/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the origin is told of a request, and what the client of the origin.
 *
 * Interface: "requests to the origin" of proxy_pvt.h. Invariant: nothing that belongs to the
 * client's connection goes on to the origin's.
 *
 * Order of parts: the target; fields; errors.
 */
#include <errno.h>
#include <string.h>

#include "proxy_pvt.h"

/* ---- the target ------------------------------------------------------------------------- */

void proxy_put_path(const struct http_request *rq, struct sl_text *ret_path)
{
	struct http_str path = http_request_str(rq, rq->path);
	struct http_str query = http_request_str(rq, rq->query);

	if (path.n)
		sl_text_put(ret_path, path.p, path.n);
	else
		sl_text_put(ret_path, "/", 1);
	if (!query.n)
		return;
	sl_text_put(ret_path, "?", 1);
	sl_text_put(ret_path, query.p, query.n);
}

void proxy_put_host(const struct http_request *rq, struct sl_text *ret_host)
{
	struct http_str host = http_request_str(rq, rq->authority);

	http_put_small_letters(ret_host, host);
}

void proxy_put_key(const struct http_request *rq, struct sl_text *ret_key)
{
	sl_text_put_string(ret_key, strcmp(rq->scheme, "https") ? "p:http://" : "p:https://");
	proxy_put_host(rq, ret_key);
	proxy_put_path(rq, ret_key);
}

/* ---- fields ----------------------------------------------------------------------------- */

/* Told anew by the proxy: whom it asks, and how the body is framed. */
static bool is_told_anew(struct http_str name)
{
	static const char *const names[] = {"Host", "Content-Length", "Expect",
					    "X-Forwarded-Proto"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (http_str_is(name, names[i]))
			return true;
	return false;
}

static bool asks_for_less(struct http_str name)
{
	static const char *const names[] = {"Range",	"If-Range",	     "If-None-Match",
					    "If-Match", "If-Modified-Since", "If-Unmodified-Since"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (http_str_is(name, names[i]))
			return true;
	return false;
}

static void put_connection(const struct http_request *rq, struct sl_text *ret_list)
{
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_str v = http_request_str(rq, rq->fields[i].value);

		if (!http_str_is(http_request_str(rq, rq->fields[i].name), "Connection"))
			continue;
		sl_text_put(ret_list, ",", ret_list->len ? 1 : 0);
		sl_text_put(ret_list, v.p, v.n);
	}
}

/* Without the port. @ret_v6: as it must be quoted in Forwarded. */
static struct http_str peer_address(const char *peer, bool *ret_v6)
{
	const char *colon = strrchr(peer, ':');
	struct http_str s = {peer, colon ? (size_t)(colon - peer) : strlen(peer)};

	*ret_v6 = s.n && s.p[0] == '[';
	return s;
}

static void put_forwarded(const struct http_request *rq, struct sl_text *ret_lines)
{
	bool v6;
	struct http_str peer = peer_address(sl_conn_peer(rq->conn), &v6);
	struct http_str bare = v6 && peer.n > 2 ? (struct http_str){peer.p + 1, peer.n - 2} : peer;

	http_lines_put(ret_lines, http_str_of("X-Forwarded-For"), bare);
	http_lines_put_string(ret_lines, "X-Forwarded-Proto", rq->scheme);
	sl_text_printf(ret_lines, "Forwarded: for=%s%.*s%s;proto=%s\r\n", v6 ? "\"" : "",
		       (int)peer.n, peer.p, v6 ? "\"" : "", rq->scheme);
	sl_text_printf(ret_lines, "Via: %u.%u sluice\r\n", rq->major, rq->minor);
}

void proxy_put_lines(const struct http_request *rq, bool whole, struct sl_text *ret_lines)
{
	struct sl_text connection = {0};

	put_connection(rq, &connection);
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_str name = http_request_str(rq, rq->fields[i].name);

		if (http_field_is_hop(name, http_str_text(&connection)) || is_told_anew(name) ||
		    (!whole && asks_for_less(name)))
			continue;
		http_lines_put(ret_lines, name, http_request_str(rq, rq->fields[i].value));
	}
	put_forwarded(rq, ret_lines);
	if (connection.err)
		ret_lines->err = connection.err;
	sl_text_done(&connection);
}

/* ---- errors ----------------------------------------------------------------------------- */

int proxy_put_error(struct http_response *rs, int err)
{
	if (err == -ETIME)
		http_response_error(rs, 504, "the origin did not answer in time");
	else if (err == -EPROTO)
		http_response_error(rs, 502, "the origin's answer is malformed");
	else if (err == -ENOMEM)
		return err;
	else
		http_response_error(rs, 502, "the origin cannot be reached, or broke off");
	return 0;
}
