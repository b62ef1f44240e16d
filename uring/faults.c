/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that fails chosen calls of another one.
 *
 * Interface: struct sl_faults, sl_faults_init(). Invariants: each counted call takes one number,
 * whichever thread makes it; an operation that fails with an error was not performed, but for
 * CLOSE, which lets go of the descriptor all the same, as Linux does; an operation made short
 * looks to its caller as it was begun.
 *
 * Order of parts: choosing; failing; making short; the backend.
 */
#include <errno.h>

#include "uring.h"

/* ---- choosing --------------------------------------------------------------------------- */

static struct sl_faults *faults_of(struct sl_backend *b)
{
	return sl_container_of(b, struct sl_faults, backend);
}

/* Counts @io; whether it is one of those that fail. */
static bool chosen(struct sl_faults *f, const struct sl_io *io)
{
	uint64_t n;

	SL_ASSERT(io->op < SL_OP_LAST);
	if (!(f->ops >> io->op & 1))
		return false;
	n = __atomic_add_fetch(&f->count, 1, __ATOMIC_RELAXED);
	return f->nth && (n == f->nth || (f->sticky && n > f->nth));
}

/* ---- failing ---------------------------------------------------------------------------- */

/* The descriptor of a failed CLOSE is gone; the inner backend's own verdict is of no interest. */
static int fail(struct sl_faults *f, struct sl_io *io)
{
	if (io->op == SL_OP_CLOSE)
		f->inner->now(f->inner, io);
	return io->res = -f->err;
}

/* ---- making short ----------------------------------------------------------------------- */

static void halve(struct sl_io *io)
{
	io->len = io->len > 1 ? io->len / 2 : 1;
}

/* Operations on several vectors become the plain one on half of the first that is not empty. */
static void halve_vectors(struct sl_io *io, enum sl_op plain, const struct iovec *iov, size_t n)
{
	while (n && !iov->iov_len) {
		iov++;
		n--;
	}
	if (!n)
		return;
	io->op = (uint8_t)plain;
	io->buf = iov->iov_base;
	io->len = (uint32_t)sl_min(iov->iov_len, (size_t)INT32_MAX);
	halve(io);
}

static void shorten(struct sl_io *io)
{
	switch (io->op) {
	case SL_OP_READV:
		halve_vectors(io, SL_OP_READ, io->iov, io->len);
		break;
	case SL_OP_WRITEV:
		halve_vectors(io, SL_OP_WRITE, io->iov, io->len);
		break;
	case SL_OP_SENDMSG:
		halve_vectors(io, SL_OP_SEND, io->msg->msg_iov, io->msg->msg_iovlen);
		break;
	case SL_OP_RECV:
		if (io->options & SL_IO_MULTISHOT)
			break; /* its length is the buffer's */
		halve(io);
		break;
	case SL_OP_READ:
	case SL_OP_READ_FIXED:
	case SL_OP_WRITE:
	case SL_OP_SEND:
	case SL_OP_SEND_ZC:
	case SL_OP_SENDFILE:
	case SL_OP_SPLICE:
		if (io->len)
			halve(io);
		break;
	default:
		break; /* has no length, and is performed */
	}
}

/* What shorten() changes, to be put back: callers look at it in done(). */
struct shape {
	void *buf;
	uint32_t len;
	uint8_t op;
};

static struct shape shape_save(const struct sl_io *io)
{
	return (struct shape){io->buf, io->len, io->op};
}

static void shape_restore(struct sl_io *io, const struct shape *s)
{
	io->buf = s->buf;
	io->len = s->len;
	io->op = s->op;
}

/* ---- the backend ------------------------------------------------------------------------ */

static int faults_now(struct sl_backend *b, struct sl_io *io)
{
	struct sl_faults *f = faults_of(b);
	struct shape shape = shape_save(io);
	int res;

	if (!chosen(f, io))
		return f->inner->now(f->inner, io);
	if (f->err)
		return fail(f, io);
	shorten(io);
	res = f->inner->now(f->inner, io);
	shape_restore(io, &shape);
	return res;
}

static int faults_start(struct sl_backend *b, struct sl_ring *ring, struct sl_io *io)
{
	struct sl_faults *f = faults_of(b);
	struct shape shape = shape_save(io);
	int err;

	if (!chosen(f, io))
		return f->inner->start(f->inner, ring, io);
	if (f->err) {
		fail(f, io);
		sl_ring_complete(ring, io);
		return 0;
	}
	/* Backends take the operation's fields when it is begun. */
	shorten(io);
	err = f->inner->start(f->inner, ring, io);
	shape_restore(io, &shape);
	return err;
}

void sl_faults_init(struct sl_faults *f, struct sl_backend *inner)
{
	*f = (struct sl_faults){
		.backend = {"faults", faults_now, faults_start},
		.inner = inner ? inner : sl_backend_kernel(),
	};
	SL_ASSERT(f->inner != &f->backend);
}
