/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's inside, for conn.c, conn_read.c, listen.c, deliver.c and the rungs. */
#ifndef DATAPLANE_CONN_PVT_H
#define DATAPLANE_CONN_PVT_H

#include <poll.h>

#include "conn.h"
#include "core_pvt.h"
#include "tls_pvt.h"

/*
 * learn.c: what sending an extent costs by the copy and the sendfile rung, in ns a reply, by the
 * class of its size.
 */
enum { LEARN_CLASSES = 8 };

struct learnt {
	uint32_t cost_ns[LEARN_CLASSES][2]; /* moving averages; 0: not yet known */
	uint32_t turn[LEARN_CLASSES];
};

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
	struct learnt learnt;
	struct sl_tls *tls; /* of new connections; NULL: plain */
	uint32_t n;
	uint32_t dim;
	int fd;
	bool draining;
	bool joined; /* the program in the kernel chooses (steer.c) */
	bool unpaced; /* its peers are on this machine, and sending to them is not paced */
};

/*
 * How far the first queued reply is sent. The extent at the cursor was found resident up to
 * @resident, not long before @probed_at; 0: not looked at.
 */
struct cursor {
	uint32_t part;
	uint64_t off; /* in that part */
	uint64_t resident;
	int64_t probed_at;
	uint64_t fetched; /* up to there it was brought in, or tried to be */
	bool cold;	  /* it is to be brought in before it is sent */
	bool unsendable; /* the kernel cannot send this file */
	struct {
		uint64_t ns;  /* for sending the reply so far */
		uint64_t len; /* of its only extent */
		bool copied;  /* that extent */
		bool spoilt;  /* it says nothing of the cost of one extent */
	} cost; /* kept if it is to be learnt from */
};

/*
 * What the socket may hold queued (send_queue.c). before: a growth that is on trial; acked and
 * busy: since the connection began, as seen at the last look.
 */
struct send_queue {
	uint64_t bytes;	     /* 0: not bounded */
	int64_t look_at;     /* when to look again whether the bound is right */
	uint64_t acked, busy_us;
	uint64_t before, before_per_s; /* the bound, and what the path carried */
	uint16_t resting;    /* looks until it may grow again */
	bool on_trial;
	bool unlocked;	     /* the kernel bounds it: the path is long */
};

/* What the kernel tells of a path. */
struct send_path {
	uint64_t bytes_per_s; /* of delivery, lately */
	uint64_t round_trip_us; /* the least */
	uint64_t acked, busy_us; /* bytes, and the time in which any were under way */
};

/* Bytes of the part at the cursor on their way through a pipe or a buf. */
struct transfer {
	struct sl_list node; /* core->transfers */
	enum sl_rung rung;   /* which goes on with it */
	struct pipe *pipe;
	struct sl_buf *buf;
	uint32_t have, sent;   /* bytes */
	uint32_t pending;      /* operations of the chain that are not done */
	int err;	       /* of the first that failed */
	int64_t offs[SL_CHAIN_MAX]; /* in their files */
	struct sl_io chain[SL_CHAIN_MAX];
};

/*
 * SMALL: multishot, into shared buffers. MEDIUM: a request's first bytes into a shared buffer, the
 * rest, and what is behind it, into the window. LARGE: the first bytes, then in place.
 */
enum rx_mode { RX_SMALL, RX_MEDIUM, RX_LARGE };

struct sl_conn {
	struct sl_list node; /* listener's */
	struct sl_listener *l;
	struct tls *tls; /* NULL: plain */
	int fd;

	/* Life. */
	enum sl_close why;   /* first reason to end */
	const char *blame;   /* its cause in words, or NULL */
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
	bool direct;	     /* receiving in place: shared buffers and window are left alone */
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
	bool poked;	     /* sl_conn_poke() since sl_conn_wait_event() returned */
	bool pokable;	     /* the reader is parked in that */
	bool wants_sent;     /* and waits for replies to be sent */
	bool noted;	     /* sl_conn_note_request() counts its requests */

	/* Sending. */
	struct sl_list replies;
	uint32_t n_replies;
	size_t replies_held; /* memory that they keep */
	struct cursor cursor;
	struct sl_io tx;     /* waiting for room in the socket, or for the disk */
	struct transfer *transfer;
	struct zerocopy *zerocopy; /* a send that is not answered yet */
	uint32_t zerocopies; /* sends whose memory the kernel still holds */
	bool way_known;	     /* whether it copies anyway */
	bool copies_anyway;  /* the way to this peer: zero-copy sends are of no use */
	struct send_queue queue;
	struct sl_list sending; /* core->sending */
	struct sl_waitq room;

	/* What the kernel told of it so far (conn_tcp.c). */
	uint64_t busy_us, limited_us;
	uint8_t until_told;

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

/* ---- conn_tls.c ------------------------------------------------------------------------- */

/* On a listener with TLS. Return: 0 or -ENOMEM. */
int conn_tls_start(struct sl_conn *c);
void conn_tls_free(struct sl_conn *c);

/* Makes c->rx wait for what comes next. Return: whether there is anything to wait for. */
bool conn_tls_arm(struct sl_conn *c);

/* c->rx waits for the peer's end only, because more was there; that is used up. */
static inline bool conn_tls_waits_for_end(const struct sl_conn *c)
{
	return c->rx.flags == POLLRDHUP && !c->tls->ahead;
}

/* Decrypts what is there. Return: whether any came. */
bool conn_tls_try(struct sl_conn *c);

/* In serve(): at least @n bytes into the window, or exactly @n into @dst. Return: 0 or -errno. */
int conn_tls_gather(struct sl_conn *c, size_t n, int64_t deadline);
int conn_tls_read(struct sl_conn *c, uint8_t *dst, size_t n, int64_t deadline);

/* Says that nothing follows. Return: whether it is said; else it goes on when there is room. */
bool conn_tls_end(struct sl_conn *c);

/* Whether this side encrypts what @c sends: files cannot go to its socket by themselves. */
static inline bool conn_encrypts(const struct sl_conn *c)
{
	return c->tls && !c->tls->kernel;
}

/* ---- conn_tcp.c ------------------------------------------------------------------------- */

/* A request was served: asks the kernel now and then. */
void tcp_note_request(struct sl_conn *c);

/* Asks the kernel how sending went since it was asked last, and counts that. */
void tcp_note(struct sl_conn *c);

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

/* Room behind what is in the window, at least one byte; NULL: no memory. rx_took() follows. */
uint8_t *rx_room(struct sl_conn *c, size_t *ret_room);

/* @n bytes came there; a window without any goes. */
void rx_took(struct sl_conn *c, size_t n);

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

/* @n bytes left by @rung: counts them and moves the cursor. */
void conn_sent(struct sl_conn *c, enum sl_rung rung, size_t n);

/* Ends @c, which could not send. */
void conn_cannot_send(struct sl_conn *c, int err);

/* Goes on with sending once the socket has room. */
void conn_wait_for_room(struct sl_conn *c);

/* Begins c->tx, whose done() goes on with sending. Return: 0, or -EBUSY: conn_later(). */
int conn_begin(struct sl_conn *c, void (*done)(struct sl_io *io));

/**
 * conn_sendv() - @iov to the socket, or through TLS; @more: other bytes follow.
 * Return: bytes taken, -EAGAIN when the socket is full, -errno.
 */
ssize_t conn_sendv(struct sl_conn *c, struct iovec *iov, int n, bool more);

/* Sends in the core's next turn. Return: -EINPROGRESS. */
int conn_later(struct sl_conn *c);

/* ---- rungs ------------------------------------------------------------------------------ */

/**
 * struct rung - a way of bytes to the socket.
 * @below: which rung sends what this one cannot.
 * @copies: its bytes pass through user space.
 * @can: whether it can send the part.
 * @send: sends at most @bytes_max from the connection's cursor, in its first reply @r, on; it may
 *	go on into the replies behind, as far as they are decided. Moves nothing itself.
 *	Return: bytes sent (> 0), -EAGAIN when the socket is full, -EINPROGRESS when an operation
 *	was begun that goes on by itself, -EOPNOTSUPP if this part cannot be sent so (having
 *	counted why), -errno.
 */
struct rung {
	const char *name;
	enum sl_rung below;
	bool copies;
	bool (*can)(const struct sl_conn *c, const struct sl_part *p);
	ssize_t (*send)(struct sl_conn *c, struct sl_reply *r, size_t bytes_max);
};

extern const struct rung rung_copy, rung_sendfile, rung_splice, rung_read_fixed, rung_send_zc;

/*
 * rungs.c: the rung for the part at the cursor, and in *bytes_max at most how much of it, never
 * more than was there; counts why it is not the first choice.
 */
enum sl_rung rung_choose(struct sl_conn *c, const struct sl_part *p, size_t *bytes_max);
const struct rung *rung_at(enum sl_rung rung);
void rung_fell_back(struct sl_conn *c, enum sl_fallback reason);

/* The kernel cannot send the file at the cursor: counts that and tries no more. */
void rung_cannot(struct sl_conn *c);

/* Whether an extent of @len bytes is to be copied on this connection, if it is resident. */
bool rung_copies(struct sl_conn *c, uint64_t len);

/* The page cache was sent from, or filled, just now: counts it if that waited for the disk. */
void rung_note_stall(struct sl_conn *c);

/* An extent of the first reply goes by copy or sendfile: for learning what that costs. */
void rung_note(struct sl_conn *c, uint64_t len, bool copied);

/* Whether bytes follow the first @n from the cursor on in @r: more is to come on the socket. */
static inline bool rung_more(const struct sl_conn *c, const struct sl_reply *r, uint64_t n)
{
	return c->cursor.off + n < sl_part_len(&r->parts[c->cursor.part]) ||
	       c->cursor.part + 1 < r->n;
}

/* ---- transfer.c ------------------------------------------------------------------------- */

/* A transfer of @rung for @c, empty; NULL: out of memory. */
struct transfer *transfer_new(struct sl_conn *c, enum sl_rung rung);

/* Whether c->transfer waits for the disk by operations of its own. */
static inline bool transfer_waits(const struct sl_conn *c)
{
	return c->transfer && c->transfer->pending;
}

/* Bytes of c->transfer leave by @io, a send or splice; the last of them end it. Return: as a
 * rung's send(). */
ssize_t transfer_send(struct sl_conn *c, struct sl_io *io);

/* @n bytes of c->transfer left; the last of them end it. Return: @n, or -EIO for none. */
ssize_t transfer_sent(struct sl_conn *c, ssize_t n);

/* Ends c->transfer, whatever it holds. Nothing of it may be in flight. */
void transfer_drop(struct sl_conn *c);

/* ---- residency.c ------------------------------------------------------------------------ */

/*
 * Whether the bytes behind the cursor in @e are in the page cache, as a good guess; at most how
 * many of them goes to *bytes_max.
 */
bool residency_probe(struct sl_conn *c, const struct sl_extent *e, size_t *bytes_max);

/* Whether bytes [@off, @off + @len) of @e are, or were a moment ago. */
bool residency_has(const struct sl_conn *c, const struct sl_extent *e, uint64_t off, size_t len);

/* ---- fetch.c ---------------------------------------------------------------------------- */

/* Whether the rest of @e, at the cursor, is to be brought into the page cache, to be sent then. */
bool fetch_can(const struct sl_conn *c, const struct sl_extent *e);

/* Begins that; sending goes on by itself afterwards. Return: -EINPROGRESS. */
ssize_t fetch_begin(struct sl_conn *c, const struct sl_extent *e);

/* ---- mapped.c --------------------------------------------------------------------------- */

/*
 * Bytes [@off, @off + @len) of @e in memory, if they are there by themselves; NULL: read them. What
 * is to be mapped and cannot be is counted.
 */
const uint8_t *mapped_bytes(struct sl_conn *c, const struct sl_extent *e, uint64_t off, size_t len);

/* ---- send_queue.c ----------------------------------------------------------------------- */

/* Before a part of which @left bytes are to be sent: bounds what the socket holds queued. */
void send_queue_bound(struct sl_conn *c, uint64_t left);

/* The socket was full: looks whether the bound is right for the path. */
void send_queue_full(struct sl_conn *c);

/* What the bound should be, given what @p tells now; q->bytes: as it is. */
uint64_t send_queue_next(struct send_queue *q, const struct send_path *p);

/* ---- learn.c ---------------------------------------------------------------------------- */

/* Whether to copy an extent of @len bytes rather than sendfile it; @usual: if it is not known. */
bool learn_says_copy(struct learnt *l, uint64_t len, bool usual);

/* A reply with an extent of @len bytes, and nothing else of size, cost @ns to send. */
void learn_note(struct learnt *l, uint64_t len, bool copied, uint64_t ns);

#endif
