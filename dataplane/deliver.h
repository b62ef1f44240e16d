/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery: replies, each a list of parts whose total length is known before its first byte
 * leaves, sent in order on their connection and not before what they depend on is durable.
 *
 * Order of parts: rungs; replies.
 */
#ifndef DATAPLANE_DELIVER_H
#define DATAPLANE_DELIVER_H

#include "buf.h"
#include "commit.h"

struct sl_conn;

/* ---- rungs ------------------------------------------------------------------------------ */

/* The ladder, as metrics name it; a rung is one file rung_<name>.c and one row in rungs.c. */
enum sl_rung {
	SL_RUNG_COPY,	    /* memory, and resident extents so small that a copy is cheaper */
	SL_RUNG_SENDFILE,   /* resident extents, from the page cache, inline */
	SL_RUNG_SPLICE,	    /* extents that are not resident: a ring operation waits for the disk */
	SL_RUNG_READ_FIXED, /* what the others cannot send: read by the ring into the arena */
	SL_RUNG_SEND_ZC,    /* memory, which the network card reads by itself */
	SL_RUNG_LAST
};

/* Why a part was not sent by the rung that its size asked for. */
enum sl_fallback {
	SL_FALLBACK_SMALL,   /* an extent so small that copying is cheaper */
	SL_FALLBACK_COLD,    /* an extent that is not resident */
	SL_FALLBACK_FILE,    /* the file's kind cannot be sent by the kernel */
	SL_FALLBACK_PIPES,   /* no pipe is free */
	SL_FALLBACK_MEMLOCK, /* memory cannot be registered: each read maps its pages */
	SL_FALLBACK_PEER,    /* the way to this peer copies in any case */
	SL_FALLBACK_TLS,     /* this side encrypts: the kernel cannot send the file by itself */
	SL_FALLBACK_MAP,     /* a file to be encrypted cannot be mapped: it is copied before */
	SL_FALLBACK_UNREADABLE, /* the disk fails to bring in what is mapped */
	SL_FALLBACK_LAST
};

/**
 * struct sl_deliver_conf - how a listener's connections send; zero fields take the defaults.
 * @copy_max_bytes: extents up to this size are copied (4 KiB).
 * @zerocopy_min_bytes: memory from this size on is sent without a copy, where that is possible
 *	(10 KiB).
 * @rung: 0: the cheapest, as the page cache, the size and the peer tell; else 1 + the rung that
 *	sends whatever it can, for measuring.
 * @adaptive: learn from what sending costs here up to which size copying is cheaper, instead of
 *	@copy_max_bytes.
 * @unbounded: leave to the kernel how much a socket holds queued.
 */
struct sl_deliver_conf {
	uint32_t copy_max_bytes;
	uint32_t zerocopy_min_bytes;
	uint8_t rung;
	bool adaptive;
	bool unbounded;
};

const char *sl_rung_name(enum sl_rung rung);
const char *sl_fallback_name(enum sl_fallback reason);

/* ---- replies ---------------------------------------------------------------------------- */

struct sl_reply;

/**
 * struct sl_hold - one commit that a reply waits for.
 * @lost: called on the connection's core if the commit is lost, before the reply is sent: patches
 *	the reply's bytes so that they tell of the error. NULL: the connection is closed instead.
 * @cookie: the protocol's own, for @lost.
 * @err: the loss, once this core has heard of it (commit.res is the order's core's until then).
 */
struct sl_hold {
	struct sl_commit commit;
	struct sl_reply *reply;
	void (*lost)(struct sl_hold *hold, int err);
	void *cookie;
	int err;
};

/**
 * struct sl_reply - memory of one arena buf, which ends with its sending.
 * @parts, @n: to be filled by the protocol, at most @parts_max; the reply owns their references.
 * @holds, @n_holds: likewise; taken with sl_reply_hold().
 * @bytes: the protocol's scratch memory, of the size asked for, living as long as the reply: the
 *	place for headers, whose slices borrow it.
 * @close: close the connection once this reply is sent.
 */
struct sl_reply {
	struct sl_list node;
	struct sl_buf *buf;
	struct sl_conn *conn;
	struct sl_part *parts;
	struct sl_hold *holds;
	uint8_t *bytes;
	size_t bytes_max;
	size_t held; /* memory that it keeps while it is queued */
	uint32_t n, parts_max;
	uint32_t n_holds, holds_max;
	uint32_t undecided; /* holds whose commit is neither durable nor lost */
	bool close;
	bool broken; /* a commit is lost that nobody can tell of */
};

/**
 * sl_reply_new() - a reply for @conn with room for @parts_max parts, @holds_max holds and
 * @bytes_max bytes of scratch memory. Return: the reply, or NULL when memory is used up.
 */
struct sl_reply *sl_reply_new(struct sl_conn *conn, uint32_t parts_max, uint32_t holds_max,
			      size_t bytes_max);

/* Gives up a reply that was not delivered; its holds must be decided or never added. */
void sl_reply_free(struct sl_reply *reply);

/* The same with holds that may be undecided: it goes when they are, and the connection with it. */
void sl_reply_abandon(struct sl_reply *reply);

static inline void sl_reply_add(struct sl_reply *r, struct sl_part part)
{
	SL_ASSERT(r->n < r->parts_max);
	r->parts[r->n++] = part;
}

/**
 * sl_reply_hold() - the next free hold, with its commit ready to be passed to sl_order_add(), on
 * whichever core the order lives, directly or through an append. The reply counts it as undecided
 * until the commit's done() was called, or sl_hold_settle().
 */
struct sl_hold *sl_reply_hold(struct sl_reply *reply, void (*lost)(struct sl_hold *, int err),
			      void *cookie);

/* The hold was decided at once, or nothing came of it: @err 0, or the loss (calls lost()). */
void sl_hold_settle(struct sl_hold *hold, int err);

/**
 * sl_deliver() - send @reply on its connection after all replies before it, as soon as what it
 * waits for is durable. Takes the reply over. Parks while the connection has too many replies
 * queued, or replies that keep more memory than a connection may hold; a reply that must wait is
 * sent by the connection's writer, so that the caller may go on with the next request.
 * Return: 0, or -errno when the connection is beyond use (the reply is freed all the same).
 */
int sl_deliver(struct sl_reply *reply, int64_t deadline);

#endif
