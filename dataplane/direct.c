/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct reads: O_DIRECT into registered memory, in pieces, a bounded number of them in flight.
 *
 * Interface: direct.h. A window is a range of a file that is being read in pieces, which begin and
 * end in order; sl_direct_read() has one on its stack, a reader one on the heap, which grows ahead.
 * Invariants: a piece's memory is not let go before its completion came: who has a window on the
 * stack waits for all of them, and a reader that is freed leaves the rest to the last completion.
 * The descriptor stays open until then, for an operation that was begun may not yet have been
 * submitted, and its number must not become another file's. What is in flight is charged to the
 * core from before an operation begins until it completed.
 *
 * Order of parts: files; the core's budget; operations; pieces; windows; reads; readers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core_pvt.h"
#include "direct.h"
#include "file.h"
#include "log.h"

/* ---- files ------------------------------------------------------------------------------ */

struct sl_direct {
	struct sl_core *home;
	uint64_t size;
	uint32_t refs; /* the opener's and each window's */
	uint32_t align;
	int fd;
};

/* What the arena's memory is aligned to, and a step can be cut into. */
enum { MEM_ALIGN_MAX = 4096, ALIGN_MAX = 64 << 10 };

static const char *const fallback_names[] = {
	[SL_DIRECT_BUFFERED] = "buffered",
	[SL_DIRECT_MEMLOCK] = "memlock",
	[SL_DIRECT_UNREGISTERED] = "unregistered",
};
static_assert(SL_ARRAY_SIZE(fallback_names) == SL_DIRECT_FALLBACK_LAST, "one name each");

const char *sl_direct_fallback_name(enum sl_direct_fallback reason)
{
	SL_ASSERT(reason < SL_DIRECT_FALLBACK_LAST);
	return fallback_names[reason];
}

/* The alignment of direct reads of the file behind @stx; 0: it has none that suits. */
static uint32_t align_of(const struct statx *stx)
{
	uint32_t align = stx->stx_dio_offset_align, mem = stx->stx_dio_mem_align;

	/* Not told: no file system asks for more than its block. */
	if (!(stx->stx_mask & STATX_DIOALIGN)) {
		align = stx->stx_blksize;
		mem = 1;
	}
	if (align & (align - 1) || align > ALIGN_MAX || mem > MEM_ALIGN_MAX)
		return 0;
	return align;
}

/* Opens with O_DIRECT if that is of use here. */
static int open_as(struct sl_direct *f, int dir, const char *path, int flags, int64_t deadline)
{
	struct statx stx;
	struct sl_io io;
	int err;

	f->fd = sl_open(dir, path, O_RDONLY | flags, 0, deadline);
	if (f->fd < 0)
		return f->fd;
	sl_io_statx(&io, f->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &stx);
	err = sl_await(&io, deadline);
	if (err)
		return err;
	/* A block device does not tell, and ends behind what is asked for. */
	f->size = S_ISBLK(stx.stx_mode) ? INT64_MAX : stx.stx_size;
	f->align = flags & O_DIRECT ? align_of(&stx) : 1;
	return f->align ? 0 : -EINVAL;
}

int sl_direct_open(int dir, const char *path, struct sl_direct **ret_file, int64_t deadline)
{
	struct sl_direct *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->home = sl_core_self();
	f->refs = 1;
	err = open_as(f, dir, path, O_DIRECT, deadline);
	if (err == -EINVAL) {
		sl_close(f->fd);
		err = open_as(f, dir, path, 0, deadline);
	}
	if (err) {
		sl_close(f->fd);
		free(f);
		return err;
	}
	*ret_file = f;
	return 0;
}

void sl_direct_close(struct sl_direct *file)
{
	if (!file)
		return;
	SL_ON_CORE(file->home);
	SL_ASSERT(file->refs > 0);
	if (--file->refs)
		return;
	sl_close(file->fd);
	free(file);
}

uint32_t sl_direct_align(const struct sl_direct *file)
{
	return file->align;
}

uint64_t sl_direct_size(const struct sl_direct *file)
{
	return file->size;
}

/* ---- the core's budget ------------------------------------------------------------------ */

void direct_init(struct direct *d, uint32_t ops_max, uint64_t bytes_max)
{
	*d = (struct direct){.ops_max = ops_max ? ops_max : 128,
			     .bytes_max = bytes_max ? bytes_max : 32 * SL_MIB};
	sl_list_init(&d->wanting);
}

/* Who waits for room, on its fiber's stack. */
struct want {
	struct sl_list node;
	struct sl_fiber *fiber;
	uint32_t bytes;
	bool granted;
};

/* A lone operation always fits, whatever the limits. */
static bool fits(const struct direct *d, uint32_t bytes)
{
	return !d->ops || (d->ops < d->ops_max && d->bytes + bytes <= d->bytes_max);
}

static void charge(struct sl_core *core, uint32_t bytes)
{
	core->direct.ops++;
	core->direct.bytes += bytes;
	sl_metric_set(core->metrics, SL_M_DIRECT_IN_FLIGHT, core->direct.ops);
	sl_metric_set(core->metrics, SL_M_DIRECT_IN_FLIGHT_BYTES, core->direct.bytes);
}

static bool charge_if_free(struct sl_core *core, uint32_t bytes)
{
	if (!sl_list_empty(&core->direct.wanting) || !fits(&core->direct, bytes))
		return false;
	charge(core, bytes);
	return true;
}

/* Gives back, and grants what then fits to those who wait, first come, first served. */
static void refund(struct sl_core *core, uint32_t bytes)
{
	struct direct *d = &core->direct;
	struct want *w;

	SL_ASSERT(d->ops > 0 && d->bytes >= bytes);
	d->ops--;
	d->bytes -= bytes;
	while ((w = sl_list_first(&d->wanting, struct want, node)) && fits(d, w->bytes)) {
		sl_list_remove(&w->node);
		w->granted = true;
		charge(core, w->bytes);
		sl_fiber_wake(w->fiber, 0);
	}
	sl_metric_set(core->metrics, SL_M_DIRECT_IN_FLIGHT, d->ops);
	sl_metric_set(core->metrics, SL_M_DIRECT_IN_FLIGHT_BYTES, d->bytes);
}

static int charge_in_turn(struct sl_core *core, uint32_t bytes, int64_t deadline)
{
	struct want w = {.fiber = sl_fiber_self(), .bytes = bytes};

	sl_list_append(&core->direct.wanting, &w.node);
	sl_fiber_park(deadline);
	if (w.granted) /* also in the turn in which the deadline passed */
		return 0;
	sl_list_remove(&w.node);
	return -ETIME;
}

/* ---- operations ------------------------------------------------------------------------- */

static void count_fallback(struct sl_core *core, enum sl_direct_fallback reason)
{
	sl_metric_add1(core->metrics, SL_M_DIRECT_FALLBACKS, reason, 1);
}

/* Says once for each core that memory cannot be registered, and tries no more. */
static void give_up_registering(struct sl_core *core, int err)
{
	struct direct *d = &core->direct;

	d->unregistered = err == -ENOMEM ? SL_DIRECT_MEMLOCK : SL_DIRECT_UNREGISTERED;
	d->gave_up = true;
	sl_log_notice("direct.unregistered", SL_KV_ERRNO(err), SL_KV(fallback, "plain reads"),
		      SL_KV(cure, err == -ENOMEM ? "raise LimitMEMLOCK (ulimit -l)"
						 : "sluice doctor shows what io_uring lacks"));
}

/* The registered buffer around @buf, or -errno: it is to be read into as plain memory. */
static int fixed_index(struct sl_core *core, const struct sl_buf *buf)
{
	struct direct *d = &core->direct;
	int index = bufs_fixed_index(core, buf);

	if (index < 0 && !d->gave_up)
		give_up_registering(core, index);
	if (index < 0)
		count_fallback(core, (enum sl_direct_fallback)d->unregistered);
	return index;
}

/* Fills in a read of @len bytes at @off to @at in @buf, by the best way there is. */
static void prepare(struct sl_io *io, const struct sl_direct *f, const struct sl_buf *buf,
		    uint32_t at, uint32_t len, uint64_t off)
{
	struct sl_core *core = sl_core_self();
	int index = core ? fixed_index(core, buf) : -ENOENT;

	if (index < 0)
		sl_io_read(io, f->fd, buf->data + at, len, off);
	else
		sl_io_read_fixed(io, f->fd, buf->data + at, len, off, index);
	if (!core)
		return;
	sl_metric_add(core->metrics, SL_M_DIRECT_READS, 1);
	if (f->align == 1)
		count_fallback(core, SL_DIRECT_BUFFERED);
}

/* ---- pieces ----------------------------------------------------------------------------- */

enum piece_state {
	PIECE_SHORT, /* not all of it came: to be begun, or gone on with */
	PIECE_FLYING,
	PIECE_LANDED, /* completed, and not looked at */
	PIECE_DONE,
};

/* One buffer of a window. Bytes are counted from @off, which is aligned. */
struct piece {
	struct sl_io io;
	struct window *window;
	struct sl_buf *buf;
	uint64_t off;
	uint32_t skip; /* ahead of the first byte that was asked for */
	uint32_t want; /* one behind the last */
	uint32_t span; /* the same, aligned */
	uint32_t got;
	uint32_t charged;
	int err;
	enum piece_state state;
};

struct window {
	struct sl_direct *file;
	struct piece *pieces; /* a ring of @ring_n, the oldest of @n in use at @first */
	uint32_t ring_n, first, n;
	uint32_t flying;
	uint64_t next, end; /* what was not begun */
	uint64_t ahead_bytes; /* bounds @held_bytes, but for a first piece */
	uint64_t held_bytes;
	uint32_t step_bytes;
	bool ended; /* the file did */
	bool freed; /* by its reader: the last completion takes it down */
	struct sl_fiber *waiter; /* for the oldest piece */
};

static void window_free(struct window *w);

static struct piece *piece_at(struct window *w, uint32_t i)
{
	return &w->pieces[(w->first + i) % w->ring_n];
}

static void piece_landed(struct sl_io *io)
{
	struct piece *p = sl_container_of(io, struct piece, io);
	struct sl_core *core = sl_core_self();
	struct window *w = p->window;

	SL_ASSERT(p->state == PIECE_FLYING && w->flying > 0);
	p->state = PIECE_LANDED;
	w->flying--;
	if (io->res > 0)
		sl_metric_add(core->metrics, SL_M_DIRECT_BYTES, (uint64_t)io->res);
	refund(core, p->charged);
	if (w->freed) {
		if (!w->flying)
			window_free(w);
	} else if (w->waiter && p == piece_at(w, 0)) {
		sl_fiber_wake(w->waiter, 0);
		w->waiter = NULL;
	}
}

/* Begins, or goes on with, a piece that is paid for; a thread without fibers waits here. */
static void piece_start(struct piece *p, uint32_t from, int64_t deadline)
{
	struct window *w = p->window;
	struct sl_core *core = sl_core_self();
	int err;

	prepare(&p->io, w->file, p->buf, from, p->span - from, p->off + from);
	if (!sl_fiber_self()) {
		sl_io_now(&p->io);
		p->state = PIECE_LANDED;
		return;
	}
	p->io.done = piece_landed;
	while ((err = sl_ring_start(core->ring, &p->io)) == -EBUSY)
		sl_fiber_yield(deadline);
	p->state = err ? PIECE_DONE : PIECE_FLYING;
	p->err = err;
	w->flying += !err;
	if (err)
		refund(core, p->charged);
}

/* Where a short piece goes on: the beginning of the block that did not come as a whole. */
static uint32_t piece_from(const struct piece *p)
{
	return (uint32_t)sl_round_down(p->got, p->window->file->align);
}

/* Looks at what came. Only the end of the file may keep a read from getting any further. */
static void piece_settle(struct piece *p)
{
	uint32_t from = (uint32_t)(p->io.off - p->off), before = p->got;
	struct statx stx;

	p->state = PIECE_DONE;
	if (p->io.res < 0) {
		p->err = p->io.res;
		return;
	}
	p->got = sl_max(before, from + (uint32_t)p->io.res);
	if (p->got >= p->want || !p->io.res)
		return;
	if (p->got > before) {
		p->state = PIECE_SHORT;
		return;
	}
	p->err = sl_stat_now(p->window->file->fd, "", &stx);
	if (!p->err && p->off + p->got < stx.stx_size)
		p->err = -EIO;
}

/* Stops until @p has landed. */
static int piece_wait(struct piece *p, int64_t deadline)
{
	struct window *w = p->window;

	SL_ASSERT(p == piece_at(w, 0));
	while (p->state == PIECE_FLYING) {
		int res;

		w->waiter = sl_fiber_self();
		res = sl_fiber_park(deadline);
		w->waiter = NULL;
		if (res == -ETIME && p->state == PIECE_FLYING)
			return -ETIME;
	}
	return 0;
}

/* Sees the oldest piece done. Return: 0; -ETIME, and it goes on; -errno of its read. */
static int piece_finish(struct piece *p, int64_t deadline)
{
	int err = 0;

	while (p->state != PIECE_DONE) {
		if (p->state == PIECE_LANDED)
			piece_settle(p);
		if (p->state == PIECE_FLYING)
			err = piece_wait(p, deadline);
		if (p->state == PIECE_SHORT) {
			uint32_t from = piece_from(p);

			p->charged = p->span - from;
			if (sl_fiber_self() && !charge_if_free(sl_core_self(), p->charged))
				err = charge_in_turn(sl_core_self(), p->charged, deadline);
			if (!err)
				piece_start(p, from, deadline);
		}
		if (err)
			return err;
	}
	return p->err;
}

/* ---- windows ---------------------------------------------------------------------------- */

static void window_init(struct window *w, struct sl_direct *file, struct piece *pieces, uint32_t n,
			uint64_t off, uint64_t end)
{
	SL_ON_CORE(file->home);
	*w = (struct window){
		.file = file,
		.pieces = pieces,
		.ring_n = n,
		.next = off,
		.end = end,
		.ahead_bytes = UINT64_MAX,
		.step_bytes = SL_DIRECT_STEP_BYTES,
	};
	file->refs++;
}

/* Lets the oldest piece go; its buf is the caller's. */
static void window_pop(struct window *w)
{
	struct piece *p = piece_at(w, 0);

	SL_ASSERT(w->n > 0 && p->state != PIECE_FLYING);
	w->held_bytes -= p->span;
	w->first = (w->first + 1) % w->ring_n;
	w->n--;
}

/* Nothing may be flying. */
static void window_drop(struct window *w)
{
	SL_ASSERT(!w->flying);
	while (w->n) {
		sl_buf_release(piece_at(w, 0)->buf);
		window_pop(w);
	}
	sl_direct_close(w->file);
}

static void window_cancel(struct window *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (piece_at(w, i)->state == PIECE_FLYING)
			sl_ring_cancel(sl_core_ring(sl_core_self()), &piece_at(w, i)->io);
}

/* Lays out the next piece, without memory yet. */
static void piece_next(struct window *w, struct piece *p)
{
	uint32_t align = w->file->align;
	uint64_t off = sl_round_down(w->next, align);

	*p = (struct piece){.window = w,
			    .off = off,
			    .skip = (uint32_t)(w->next - off),
			    .want = (uint32_t)sl_min(w->end - off, (uint64_t)w->step_bytes)};
	p->span = (uint32_t)sl_round_up(p->want, align);
	p->charged = p->span;
}

/* Gets the room and the memory that @p needs. Return: 0; -EAGAIN, -ETIME: no room; -ENOMEM. */
static int piece_pay(struct piece *p, bool wait, int64_t deadline)
{
	struct sl_core *core = sl_core_self();
	int err = 0;

	if (sl_fiber_self() && !charge_if_free(core, p->charged))
		err = wait ? charge_in_turn(core, p->charged, deadline) : -EAGAIN;
	if (err)
		return err;
	p->buf = sl_buf_new(p->span);
	if (p->buf)
		return 0;
	if (sl_fiber_self())
		refund(core, p->charged);
	return -ENOMEM;
}

/* Whether to begin another piece: what is needed now in any case, more as far as it may be. */
static bool wants_more(const struct window *w)
{
	if (w->ended || w->next >= w->end)
		return false;
	return !w->n || (w->n < w->ring_n && w->next < w->file->size &&
			 w->held_bytes + w->step_bytes <= w->ahead_bytes);
}

/* Begins what there is room for; waits, if it may, for that of the piece that is needed now. */
static int window_fill(struct window *w, bool wait, int64_t deadline)
{
	while (wants_more(w)) {
		struct piece *p = piece_at(w, w->n);
		bool needed = !w->n;
		int err;

		piece_next(w, p);
		err = piece_pay(p, wait && needed, deadline);
		if (err)
			return needed ? err : 0;
		w->n++;
		w->held_bytes += p->span;
		w->next = p->off + p->want;
		piece_start(p, 0, deadline);
		if (!sl_fiber_self())
			break;
	}
	return 0;
}

/* Return: 1 and the next slice, which is not empty; 0 at the end; -errno. */
static int window_take(struct window *w, struct sl_slice *ret_slice, int64_t deadline)
{
	struct piece *p;
	uint32_t upto;
	int err = window_fill(w, true, deadline);

	if (err || !w->n || w->ended)
		return err;
	p = piece_at(w, 0);
	err = piece_finish(p, deadline);
	if (err)
		return err;
	upto = sl_min(p->got, p->want);
	w->ended = upto < p->want;
	if (upto <= p->skip)
		return 0;
	*ret_slice = (struct sl_slice){p->buf, p->buf->data + p->skip, upto - p->skip};
	window_pop(w);
	return 1;
}

/* ---- reads ------------------------------------------------------------------------------ */

enum { READ_PIECES = 16 };

int sl_direct_read(struct sl_direct *file, uint64_t off, size_t len, struct sl_slice *ret_slices,
		   uint32_t n, int64_t deadline)
{
	struct piece pieces[READ_PIECES];
	struct window w;
	uint32_t made = 0;
	int res;

	SL_ASSERT(n >= sl_direct_slices(len));
	window_init(&w, file, pieces, READ_PIECES, off,
		    off + sl_min((uint64_t)len, UINT64_MAX - off));
	while ((res = window_take(&w, &ret_slices[made], deadline)) > 0)
		made++;
	/* The operations lie on this stack. */
	if (w.flying)
		window_cancel(&w);
	while (w.n) {
		piece_wait(piece_at(&w, 0), SL_NEVER);
		sl_buf_release(piece_at(&w, 0)->buf);
		window_pop(&w);
	}
	window_drop(&w);
	if (res == 0)
		return (int)made;
	while (made)
		sl_slice_release(&ret_slices[--made]);
	return res;
}

/* ---- readers ---------------------------------------------------------------------------- */

enum { READER_OPS = 16, STEP_SMALL = 64 << 10, AHEAD_FOR_LARGE_STEPS = 1 << 20 };

struct sl_direct_reader {
	struct window window;
	uint64_t ahead_bytes_max;
	struct piece pieces[];
};

static void window_free(struct window *w)
{
	window_drop(w);
	free(sl_container_of(w, struct sl_direct_reader, window));
}

int sl_direct_reader_new(struct sl_direct *file, const struct sl_direct_reader_conf *conf,
			 struct sl_direct_reader **ret_reader)
{
	uint32_t n = conf->ops_max ? conf->ops_max : READER_OPS;
	struct sl_direct_reader *r = calloc(1, sizeof(*r) + n * sizeof(r->pieces[0]));

	if (!r)
		return -ENOMEM;
	window_init(&r->window, file, r->pieces, n, conf->off, conf->end ? conf->end : UINT64_MAX);
	r->window.step_bytes = STEP_SMALL;
	r->window.ahead_bytes = STEP_SMALL;
	r->ahead_bytes_max = conf->ahead_bytes_max ? conf->ahead_bytes_max : 4 * SL_MIB;
	*ret_reader = r;
	return 0;
}

void sl_direct_reader_begin(struct sl_direct_reader *reader)
{
	/* A failure is told by the call that needs the piece. A plain thread would wait here. */
	if (sl_fiber_self())
		window_fill(&reader->window, false, sl_now());
}

/* Who takes a second slice reads sequentially, and so on: each one doubles the window. */
static void grow_ahead(struct sl_direct_reader *r)
{
	struct window *w = &r->window;

	w->ahead_bytes = sl_min(2 * w->ahead_bytes, r->ahead_bytes_max);
	w->step_bytes = w->ahead_bytes < AHEAD_FOR_LARGE_STEPS ? STEP_SMALL : SL_DIRECT_STEP_BYTES;
}

int sl_direct_reader_next(struct sl_direct_reader *reader, struct sl_slice *ret_slice,
			  int64_t deadline)
{
	int res = window_take(&reader->window, ret_slice, deadline);

	if (res <= 0)
		return res;
	grow_ahead(reader);
	if (sl_fiber_self())
		window_fill(&reader->window, false, deadline);
	return 1;
}

void sl_direct_reader_free(struct sl_direct_reader *reader)
{
	if (!reader)
		return;
	SL_ON_CORE(reader->window.file->home);
	reader->window.freed = true;
	if (reader->window.flying)
		window_cancel(&reader->window);
	else
		window_free(&reader->window);
}
