/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 connection, from its preface to its end.
 *
 * Interface: h2.h. nghttp2 is the session; one fiber feeds it, sends what it makes, keeps the
 * deadlines, and waits for the peer or for the fibers of streams. Invariant: the fiber leaves only
 * when no stream's fiber is left, for they refer to what lies in its frame.
 *
 * Order of parts: the session; receiving; deadlines; draining; the end; serving.
 */
#include "h2.h"

#include <errno.h>

#include "h2_pvt.h"

/* ---- the session ------------------------------------------------------------------------ */

void h2_end(struct h2 *h2, uint32_t error)
{
	nghttp2_session_terminate_session(h2->ng, error);
	h2->drain = H2_DRAINS;
	h2->head_at = h2->idle_at = h2->stuck_at = h2->drain_at = h2->answered_at = SL_NEVER;
}

static int new_session(struct h2 *h2)
{
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *option = NULL;
	int rc = nghttp2_session_callbacks_new(&cb);

	if (!rc)
		rc = nghttp2_option_new(&option);
	if (!rc) {
		h2_recv_callbacks(cb);
		h2_send_callbacks(cb);
		nghttp2_option_set_no_auto_window_update(option, 1);
		nghttp2_option_set_max_send_header_block_length(option, H2_HEAD_BYTES_MAX);
		nghttp2_option_set_max_outbound_ack(option,
						    2 * H2_GUARD_TOKENS); /* the guard is first */
		rc = nghttp2_session_server_new2(&h2->ng, cb, h2, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	return rc ? -ENOMEM : 0;
}

static int greet(struct h2 *h2)
{
	uint64_t head_max = __atomic_load_n(&h2->server->head_bytes_max, __ATOMIC_RELAXED);
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)head_max},
	};
	int rc = nghttp2_submit_settings(h2->ng, NGHTTP2_FLAG_NONE, settings,
					 SL_ARRAY_SIZE(settings));

	if (!rc)
		rc = nghttp2_session_set_local_window_size(h2->ng, NGHTTP2_FLAG_NONE, 0,
							   H2_CONN_WINDOW);
	return rc ? -ENOMEM : 0;
}

static int begin(struct h2 *h2, struct sl_conn *conn)
{
	int err;

	*h2 = (struct h2){
		.conn = conn,
		.server = sl_conn_arg(conn),
		.head_at = SL_NEVER,
		.stuck_at = SL_NEVER,
		.drain_at = SL_NEVER,
		.answered_at = SL_NEVER,
		.idle_at = sl_conn_idle_deadline(conn),
	};
	sl_list_init(&h2->streams);
	sl_list_init(&h2->waiting);
	sl_list_init(&h2->kept);
	sl_waitq_init(&h2->gone);
	h2_guard_init(&h2->guard, sl_now());
	err = new_session(h2);
	return err ? err : greet(h2);
}

/* ---- receiving -------------------------------------------------------------------------- */

/* A header block that is longer than any that is accepted would be decompressed for nothing. */
static void check_head(struct h2 *h2, size_t n)
{
	uint64_t max = __atomic_load_n(&h2->server->head_bytes_max, __ATOMIC_RELAXED);

	if (!h2->in_head)
		return;
	h2->head_fed += n;
	if (h2->head_fed > 4 * max)
		h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int receive(struct h2 *h2)
{
	const uint8_t *p;
	size_t n;

	while ((n = sl_conn_next(h2->conn, &p))) {
		ssize_t used = nghttp2_session_mem_recv(h2->ng, p, n);

		if (used < 0) {
			sl_conn_blame(h2->conn, nghttp2_strerror((int)used));
			return used == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
		}
		sl_conn_skip(h2->conn, n);
		check_head(h2, n);
	}
	return 0;
}

/* ---- deadlines -------------------------------------------------------------------------- */

/* Whether content waits for nothing but the peer's windows. */
static bool is_stuck(const struct h2 *h2)
{
	return h2->out_bytes && !nghttp2_session_want_write(h2->ng);
}

static void note_progress(struct h2 *h2)
{
	if (!is_stuck(h2))
		h2->stuck_at = SL_NEVER;
	else if (h2->data_sent || h2->stuck_at == SL_NEVER)
		h2->stuck_at = sl_conn_write_deadline(h2->conn);
	h2->data_sent = false;
}

static int64_t next_deadline(const struct h2 *h2)
{
	int64_t at = sl_min(sl_min(h2->head_at, h2->stuck_at), h2->drain_at);

	return sl_min(at, sl_list_empty(&h2->streams) ? h2->idle_at : h2->answered_at);
}

static void keep_deadlines(struct h2 *h2)
{
	int64_t now = sl_now();

	/* What is still on its way has its own limit, and cannot have been answered yet. */
	if (now >= h2->stuck_at && sl_conn_queued(h2->conn))
		h2->stuck_at = sl_conn_write_deadline(h2->conn);
	if (now >= h2->head_at || now >= h2->stuck_at)
		h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
	else if (now >= h2->idle_at && sl_list_empty(&h2->streams))
		h2_end(h2, NGHTTP2_NO_ERROR);
}

/* ---- draining --------------------------------------------------------------------------- */

/* How long the answer to a ping is waited for, behind which no stream can come that the peer began
 * before it heard of the end. */
#define SAYING_NS SL_SEC

static void keep_draining(struct h2 *h2)
{
	nghttp2_session *ng = h2->ng;

	if (h2->drain == H2_SERVES && sl_conn_ending(h2->conn)) {
		h2->drain = H2_SAYS_SO;
		h2->pinged = false;
		h2->drain_at = sl_now() + SAYING_NS;
		nghttp2_submit_shutdown_notice(ng);
		nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, NULL);
	}
	if (h2->drain == H2_SAYS_SO && (h2->pinged || sl_now() >= h2->drain_at)) {
		h2->drain = H2_DRAINS;
		h2->drain_at = SL_NEVER;
		nghttp2_submit_goaway(ng, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(ng), NGHTTP2_NO_ERROR,
				      NULL, 0);
	}
}

/* ---- the end ---------------------------------------------------------------------------- */

static bool is_over(const struct h2 *h2)
{
	return h2->drain != H2_SAYS_SO && !nghttp2_session_want_read(h2->ng) &&
	       !nghttp2_session_want_write(h2->ng);
}

static void end(struct h2 *h2)
{
	h2->ended = true;
	sl_list_each_safe(n, &h2->streams)
		h2_stream_close(sl_list_entry(n, struct h2_stream, node));
	while (h2->fibers)
		sl_waitq_wait(&h2->gone, SL_NEVER);
	h2_send_done(h2);
	nghttp2_session_del(h2->ng);
}

/* ---- serving ---------------------------------------------------------------------------- */

static int run(struct h2 *h2)
{
	for (;;) {
		int err = receive(h2);

		if (!err) {
			h2_stream_start(h2);
			keep_draining(h2);
			keep_deadlines(h2);
			h2_stream_call_off(h2);
			err = h2_send_flush(h2);
		}
		if (err)
			return err;
		if (is_over(h2))
			return h2_send_close(h2);
		note_progress(h2);
		err = sl_conn_wait_event(h2->conn, nghttp2_session_want_write(h2->ng),
					 next_deadline(h2));
		if (err && err != -ETIME)
			return err;
	}
}

int http_h2_serve(struct sl_conn *conn, const char *peer)
{
	struct h2 h2;
	int err = begin(&h2, conn);

	h2.peer = peer;
	if (!err)
		err = run(&h2);
	end(&h2);
	return err;
}
