/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and listeners, and what a protocol is to them.
 *
 * A connection that waits for its next request holds no fiber and no buffer. Once enough bytes
 * are there, as the protocol's need() says, a fiber is leased and runs the protocol's serve() for
 * one request; requests of one connection are served one after the other.
 *
 * Order of parts: protocols; listeners; reading; serving more than one request at a time; the rest.
 */
#ifndef DATAPLANE_CONN_H
#define DATAPLANE_CONN_H

#include <sys/socket.h>

#include "deliver.h"

/* ---- protocols -------------------------------------------------------------------------- */

/**
 * struct sl_proto - how one protocol is served; a const row of tools/sluiced's table.
 * @name: as the listener's metrics and logs show it.
 * @stack: stack class of serve().
 * @conn_bytes: size of the protocol's state per connection (sl_conn_state()), zeroed at first.
 * @need: how many bytes must have come, from the start of a request, before serve() is called,
 *	given the first @have bytes (@have > 0). More than @have: wait for so many, and ask again.
 *	@have or less: serve now. Must not exceed sl_conn_window_bytes(). Runs outside fibers.
 *	Negative: -errno, the connection is closed (and logged once).
 * @serve: answers one request, of which need() bytes have come, from the connection's current
 *	position, which it leaves behind the request. 0: go on. Negative: close; -ECONNRESET,
 *	-EPIPE and -ETIME are the peer's own ends, others are logged once.
 * @alpn: what a client may choose by TLS, best first ("h2,http/1.1"); NULL: nothing is chosen.
 * @closed: the connection's state is about to be freed; may be NULL. Runs outside fibers.
 */
struct sl_proto {
	const char *name;
	const char *alpn;
	enum sl_stack stack;
	size_t conn_bytes;
	ssize_t (*need)(struct sl_conn *conn, const uint8_t *p, size_t have);
	int (*serve)(struct sl_conn *conn);
	void (*closed)(struct sl_conn *conn);
};

/**
 * struct sl_conn_limits - the same for all connections of a listener.
 * Times are in ns. @idle: without a request begun; @header: from a request's first byte until
 * serve() is called, and between any two bytes that serve() waits for; @write: without progress
 * in sending; 0: no limit. @memory_bytes: see below. @ahead_bytes: of later requests, received
 * while one is served. @replies: queued. @conns: connections of one core's listener.
 * @loopback_reno: on a loopback address reno is the congestion control. @deliver: how they send.
 * @handshake: of TLS, until it is done.
 *
 * What a connection makes the core hold is bounded so: bytes received lie in at most @ahead_bytes
 * of shared buffers (and what the receive in flight still brings) and a window of at most
 * SL_CONN_WINDOW_BYTES; replies queued keep at most @memory_bytes, or no next request is begun;
 * a handler that needs a request in one piece refuses what exceeds @memory_bytes
 * (sl_conn_memory_max()). One reply, the last queued, may go beyond by its own size. A streamed
 * body has its handler's one step, and, if others had to wait for the stream, what of the batch was
 * taken back into memory: bounded by the longest batch.
 */
struct sl_conn_limits {
	int64_t idle_ns, header_ns, write_ns;
	size_t memory_bytes;
	size_t ahead_bytes;
	uint32_t replies;
	uint32_t conns;
	bool loopback_reno;
	struct sl_deliver_conf deliver;
	int64_t handshake_ns;
};

/* Why connections end, as metrics name it. */
enum sl_close {
	SL_CLOSE_NONE,
	SL_CLOSE_PEER,	   /* the peer ended it */
	SL_CLOSE_IDLE,	   /* no request within the idle limit */
	SL_CLOSE_HEADER,   /* a request begun and not finished within the header limit */
	SL_CLOSE_SLOW,	   /* the peer takes no bytes within the write limit */
	SL_CLOSE_REPLY,	   /* the protocol's reply asked for it */
	SL_CLOSE_PROTOCOL, /* the peer broke the protocol */
	SL_CLOSE_ERROR,	   /* of the socket or of this side: memory, a lost commit */
	SL_CLOSE_DRAIN,	   /* the daemon stops */
	SL_CLOSE_LIMIT,	   /* too many connections */
	SL_CLOSE_HANDSHAKE, /* of TLS failed, or took too long */
	SL_CLOSE_LAST
};

const char *sl_close_name(enum sl_close why);

/* ---- listeners -------------------------------------------------------------------------- */

struct sl_listener;

/**
 * sl_listen() - accept connections of @proto on @addr on this core, which shares the address with
 * the other cores' listeners (SO_REUSEPORT). @arg: sl_conn_arg() of its connections. @dim: the
 * value of the metrics' label `listener`.
 * Return: 0, or -errno with the cause in @why.
 */
int sl_listen(const struct sockaddr *addr, socklen_t len, const struct sl_proto *proto, void *arg,
	      uint32_t dim, const struct sl_conn_limits *limits, struct sl_listener **ret_listener,
	      char *why, size_t why_len);

/**
 * sl_listener_secure() - new connections speak TLS by @tls, which it takes over from now on; NULL:
 * none. Protocols see plain bytes, as ever. On its core.
 */
struct sl_tls;
void sl_listener_secure(struct sl_listener *l, struct sl_tls *tls);

/**
 * sl_listen_alone() - make sure that no other process listens on @addr, before the first
 * sl_listen() there, which would share the port with it in silence. One that was just killed may
 * keep its listener for a moment: looks again until @deadline. Parks.
 * Return: 0, or -errno with the cause in @why.
 */
int sl_listen_alone(const struct sockaddr *addr, socklen_t len, char *why, size_t why_len,
		    int64_t deadline);

/**
 * sl_listener_steer() - from now on new connections are given to this listener, or to those of the
 * other cores on its address, as @s says. On its core, of every core, for each address the same
 * @group (from 0) of its own; again after sl_steering_set(). @s outlives the listener.
 */
struct sl_steering;
void sl_listener_steer(struct sl_listener *l, struct sl_steering *s, uint32_t group);

/* As sl_bpf_ports_join(), for this listener. Return: 0 or -errno. On its core. */
struct sl_bpf;
int sl_listener_join_ports(const struct sl_listener *l, const struct sl_bpf *bpf, uint32_t at);

/* Other limits and another @arg, from the next request on. On its core. */
void sl_listener_configure(struct sl_listener *l, void *arg, const struct sl_conn_limits *limits);

/* The address it is bound to (the port, where 0 was asked for). */
int sl_listener_addr(const struct sl_listener *l, struct sockaddr_storage *ret_addr);

/**
 * sl_listener_drain() - stop accepting, close idle connections, let requests in progress end until
 * @deadline, then close the rest. Parks.
 */
void sl_listener_drain(struct sl_listener *l, int64_t deadline);

/* After draining. Accepts NULL. */
void sl_listener_free(struct sl_listener *l);

uint32_t sl_listener_conns(const struct sl_listener *l);

/* ---- reading, in serve() ---------------------------------------------------------------- */

/* The most that need() may ask for and sl_conn_peek() can gather: 256 KiB. */
#define SL_CONN_WINDOW_BYTES (UINT64_C(256) << 10)

/* Bytes received and not consumed. */
size_t sl_conn_buffered(const struct sl_conn *conn);

/**
 * sl_conn_peek() - the next @n bytes (<= SL_CONN_WINDOW_BYTES) in one piece, waiting for them.
 * The pointer is good until the next peek, skip or read on this connection; it stays good while
 * the fiber is parked elsewhere.
 * Return: 0; -ETIME; -ECONNRESET if the peer ended before; -ENOMEM.
 */
int sl_conn_peek(struct sl_conn *conn, size_t n, const uint8_t **ret_p, int64_t deadline);

/* Consumes @n bytes that have come. */
void sl_conn_skip(struct sl_conn *conn, size_t n);

/**
 * sl_conn_read_all() - exactly @n bytes into @dst: those that have come are copied, the rest are
 * received in place, past the shared buffers. For bodies that are too large to peek at; take them
 * in steps of at most 256 KiB, so that each stays in the processor's cache.
 * Return: as sl_conn_peek().
 */
int sl_conn_read_all(struct sl_conn *conn, void *dst, size_t n, int64_t deadline);

/* ---- serving more than one request at a time -------------------------------------------- */

/*
 * For a protocol whose serve() lasts as long as the connection and starts fibers of its own for
 * requests. Only the fiber in serve() reads and delivers; the others poke it.
 */

/* The first bytes received and not consumed, in one piece. Return: how many; 0: none. */
size_t sl_conn_next(const struct sl_conn *conn, const uint8_t **ret_p);

/**
 * sl_conn_wait_event() - park the fiber in serve() until bytes have come, sl_conn_poke(), the
 * listener drains, or, if @sent, a reply was sent. Everything that came is consumed before.
 * Return: 0: look at everything; -ETIME; -ECONNRESET: the peer ended, or the connection did.
 */
int sl_conn_wait_event(struct sl_conn *conn, bool sent, int64_t deadline);

/* Makes sl_conn_wait_event() return, now or at its next call. From any fiber of the core. */
void sl_conn_poke(struct sl_conn *conn);

/* Replies that are not sent yet. */
uint32_t sl_conn_queued(const struct sl_conn *conn);

/* For how long the peer may take nothing: now + the listener's write limit. */
int64_t sl_conn_write_deadline(const struct sl_conn *conn);

/* The same for a connection without a request. */
int64_t sl_conn_idle_deadline(const struct sl_conn *conn);

/* A request was served within @ns: serve() as a whole then counts as no request of its own. */
void sl_conn_note_request(struct sl_conn *conn, int64_t ns);

/* ---- the rest --------------------------------------------------------------------------- */

void *sl_conn_state(struct sl_conn *conn);
void *sl_conn_arg(const struct sl_conn *conn);
struct sl_core *sl_conn_core(const struct sl_conn *conn);

/* The deadline for the next bytes from the peer: now + the listener's header limit. */
int64_t sl_conn_read_deadline(const struct sl_conn *conn);

/* "127.0.0.1:1234" or "[::1]:1234". */
const char *sl_conn_peer(const struct sl_conn *conn);

/* The local address that the client reached. */
int sl_conn_local(const struct sl_conn *conn, struct sockaddr_storage *ret_addr);

/* Whether it is encrypted, and what the peer chose to speak ("h2"; "": it did not choose). */
bool sl_conn_tls(const struct sl_conn *conn);
const char *sl_conn_alpn(const struct sl_conn *conn);

/* The value of the metrics' label `listener`. */
uint32_t sl_conn_dim(const struct sl_conn *conn);

/**
 * sl_conn_blame() - say in words, which live for ever, why need() or serve() are about to close
 * @conn: which limit was exceeded, say. They go into the line that is logged then.
 */
void sl_conn_blame(struct sl_conn *conn, const char *why);

/* The listener's limit of memory: what a handler may take for one request. */
size_t sl_conn_memory_max(const struct sl_conn *conn);

/* True once the peer has closed or reset, or the listener drains: long waits should end. */
bool sl_conn_ending(const struct sl_conn *conn);

/**
 * sl_conn_move() - from the next request on @conn is served on core @to, by the listener there of
 * the same protocol and dimension; sl_conn_core() and sl_conn_arg() change with it. To be called
 * in serve(), of which the protocol's state may then point at nothing that belongs to a core. The
 * first call counts, later ones do nothing. Replies are sent from here before it goes; a
 * connection that ends or drains meanwhile stays.
 */
void sl_conn_move(struct sl_conn *conn, struct sl_core *to);

/**
 * sl_conn_wait() - park a fiber that serves @conn until it is woken by sl_waitq_wake_*(@q),
 * sl_conn_ending(), or @deadline. Return: the wake-up's value, -ECONNRESET, or -ETIME.
 */
int sl_conn_wait(struct sl_conn *conn, struct sl_waitq *q, int64_t deadline);

#endif
