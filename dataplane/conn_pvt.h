/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's inside, for conn.c, conn_read.c, listen.c, deliver.c and the rungs. */
#ifndef DATAPLANE_CONN_PVT_H
#define DATAPLANE_CONN_PVT_H

#include "conn.h"
#include "core_pvt.h"

struct sl_listener {
	struct sl_list node; /* core->listeners */
	struct sl_core *core;
	const struct sl_proto *proto;
	void *arg;
	struct sl_conn_limits limits;
	struct sl_list conns;
	struct sl_waitq gone; /* sl_listener_drain() waits for conns to end */
	struct sl_io accept;
	struct sl_timer retry; /* accepting again after EMFILE and the like */
	uint64_t *received;    /* metric cells */
	uint64_t *requests;
	struct sl_hist *request_time;
	uint32_t n;
	uint32_t dim;
	int fd;
	bool draining;
	bool joined; /* the program in the kernel chooses (steer.c) */
};

/* How far the first queued reply is sent. */
struct cursor {
	uint32_t part;
	uint64_t off; /* in that part */
};

/*
 * SMALL: multishot, into shared buffers. MEDIUM: a request's first bytes into a shared buffer, the
 * rest, and what is behind it, into the window. LARGE: the first bytes, then in place.
 */
enum rx_mode { RX_SMALL, RX_MEDIUM, RX_LARGE };

struct sl_conn {
	struct sl_list node; /* listener's */
	struct sl_listener *l;
	int fd;

	/* Life. */
	enum sl_close why;   /* first reason to end */
	bool serving;	     /* a fiber runs serve() */
	bool closing;	     /* no request is begun, no reply taken any more */
	bool lingering;	     /* everything is sent, waiting for the peer's end */
	bool eof;	     /* the peer ended, or the socket failed */
	bool dead;	     /* shut down: nothing is sent any more */
	struct sl_timer timer;
	int64_t idle_at;     /* when waiting for a request ends; SL_NEVER while serving */
	int64_t write_at;    /* when waiting for the socket to take more ends */

	/* Receiving: what came and was not consumed is the window, then the chunks in order. */
	struct sl_io rx;
	enum rx_mode mode;   /* how large requests are */
	size_t asked;	     /* the most that was asked for in one piece, in this request */
	bool direct;	     /* receiving in place: the shared buffers must not be used */
	uint8_t small_run;   /* requests in a row that were small */
	struct sl_list starved; /* core->rx.starved */
	struct sl_buf *window;
	uint32_t window_off, window_len;
	uint16_t head, tail; /* chunks */
	uint32_t head_off;
	size_t buffered;
	size_t wanted;	     /* what the reader waits for */
	struct sl_fiber *reader; /* parked for bytes */
	struct sl_fiber *waiter; /* parked in sl_conn_wait() */

	/* Sending. */
	struct sl_list replies;
	uint32_t n_replies;
	struct cursor cursor;
	struct sl_io tx;     /* waiting for room in the socket */
	struct sl_list sending; /* core->sending */
	struct sl_waitq room;

	/* Moving: the rest is set while it is on its way. */
	struct {
		struct sl_msg msg;
		struct sl_core *to; /* NULL: it stays */
		const struct sl_proto *proto;
		uint32_t dim;
		bool asked;
	} move;

	_Alignas(16) uint8_t state[];
};

/* ---- conn.c ----------------------------------------------------------------------------- */

/* Takes over @fd. */
void conn_start(struct sl_listener *l, int fd);

/* Ends @c: at once, or, when @gracefully, after what is queued was sent. May free it. */
void conn_end(struct sl_conn *c, enum sl_close why, bool gracefully);

/* Frees @c if it has ended and nothing refers to it any more. Return: whether it is gone. */
bool conn_try_free(struct sl_conn *c);

/* What to do next: serve a request, wait for more, end. May free @c. */
void conn_advance(struct sl_conn *c);

/* Makes the timer due when the earliest of the connection's deadlines is. */
void conn_set_timer(struct sl_conn *c);

/* ---- conn_move.c ------------------------------------------------------------------------ */

/**
 * conn_move_try() - go on with the move that @c was asked for, if there is one. Not while a request
 * is served. Return: whether nothing else is to be done with @c, which may be gone.
 */
bool conn_move_try(struct sl_conn *c);

/* ---- conn_read.c ------------------------------------------------------------------------ */

/* Begins to receive, unless it does already. */
void rx_arm(struct sl_conn *c);
void rx_cancel(struct sl_conn *c);

/* The first bytes in one piece; NULL when there are none. */
const uint8_t *rx_contiguous(const struct sl_conn *c, size_t *ret_len);

/* Makes the first @n bytes (all have come) contiguous. Return: 0 or -ENOMEM. */
int rx_gather(struct sl_conn *c, size_t n);

/* A request was served: what it tells of those that follow. */
void rx_note_request(struct sl_conn *c);

/* Receives what is there without waiting, where that is worth trying. Return: whether any came. */
bool rx_try(struct sl_conn *c);

/* Drops everything that came. */
void rx_drop(struct sl_conn *c);

/* Lets starved connections receive again, as far as there are buffers. */
void rx_feed(struct sl_core *core);

/* Whether shared buffers are so scarce that none should be held while a request is served. */
bool rx_scarce(const struct sl_conn *c);

/* ---- steer.c ---------------------------------------------------------------------------- */

/* A connection more, or less, on @core, the caller's. */
void steer_opened(struct sl_core *core);
void steer_closed(struct sl_core *core);

/* ---- deliver.c -------------------------------------------------------------------------- */

/* Sends what may be sent now; never parks. May end and free @c. */
void conn_flush(struct sl_conn *c);
void tx_cancel(struct sl_conn *c);

/* ---- rungs ------------------------------------------------------------------------------ */

/**
 * struct rung - a way of bytes to the socket.
 * @can: whether it can send the part.
 * @send: sends at most @bytes_max from the connection's cursor, in its first reply @r, on; it may
 *	go on into the replies behind, as far as they are decided. Moves nothing itself.
 *	Return: bytes sent (> 0), -EAGAIN when the socket is full, -EOPNOTSUPP if this part cannot
 *	be sent so, -errno.
 */
struct rung {
	const char *name;
	bool (*can)(const struct sl_conn *c, const struct sl_part *p);
	ssize_t (*send)(struct sl_conn *c, struct sl_reply *r, size_t bytes_max);
};

extern const struct rung rung_copy, rung_sendfile;

/* rungs.c: the rung for the part at the cursor; counts why it is not the first choice. */
enum sl_rung rung_choose(struct sl_conn *c, const struct sl_part *p);
const struct rung *rung_at(enum sl_rung rung);

#endif
