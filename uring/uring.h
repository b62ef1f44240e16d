/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring: how the process talks to the kernel.
 *
 * Every read, write, sync, send, receive, splice, open, clock reading and random number of the
 * process is one struct sl_io, described by one row of the operation table (ops.c) and carried
 * out by a backend: the ring and plain system calls (kernel), faults that fail chosen calls, or a
 * simulated disk. An operation is either begun on a ring (sl_ring_start) and completed by its
 * done() from sl_ring_turn(), or done at once on the calling thread (sl_io_now).
 *
 * Order of parts: operations; backends; the ring; the buffer arena; provided buffers; memory nodes;
 * features.
 */
#ifndef URING_URING_H
#define URING_URING_H

#include <linux/time_types.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <sluice/assert.h>
#include <sluice/fault.h>
#include <sluice/list.h>

struct open_how;
struct statfs;
struct statx;

/* What cachestat(2) tells of a range of a file, in pages. */
struct sl_cachestat {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* ---- operations ------------------------------------------------------------------------- */

enum sl_op {
	/* files */
	SL_OP_OPENAT,
	SL_OP_OPENAT2,
	SL_OP_CLOSE,
	SL_OP_READ,
	SL_OP_READV,
	SL_OP_READ_FIXED,
	SL_OP_WRITE,
	SL_OP_WRITEV,
	SL_OP_FSYNC,
	SL_OP_FALLOCATE,
	SL_OP_FTRUNCATE,
	SL_OP_FADVISE,
	SL_OP_CACHESTAT,
	SL_OP_STATX,
	SL_OP_STATFS,
	SL_OP_GETDENTS,
	SL_OP_MKDIRAT,
	SL_OP_UNLINKAT,
	SL_OP_RENAMEAT,
	/* sockets and pipes */
	SL_OP_ACCEPT,
	SL_OP_CONNECT,
	SL_OP_RECV,
	SL_OP_SEND,
	SL_OP_SENDMSG,
	SL_OP_SEND_ZC,
	SL_OP_SENDFILE,
	SL_OP_SPLICE,
	SL_OP_SHUTDOWN,
	SL_OP_POLL,
	/* the ring itself */
	SL_OP_TIMEOUT,
	SL_OP_CANCEL,
	SL_OP_MSG_RING,
	/* surroundings */
	SL_OP_CLOCK,
	SL_OP_RANDOM,
	SL_OP_LAST
};

/* Options of one operation, beside its own flags. */
enum {
	SL_IO_MULTISHOT = 1 << 0,     /* ACCEPT, RECV, POLL: done() is called many times */
	SL_IO_BUFFER_SELECT = 1 << 1, /* RECV: the kernel picks a buffer of group buf_group */
	SL_IO_FIXED_FILE = 1 << 2,    /* fd is a slot of the ring's registered files */
	SL_IO_DATASYNC = 1 << 3,      /* FSYNC: data and size only */
};

/**
 * struct sl_io - one operation, in memory of the caller that stays put until done() was called
 * for the last time.
 *
 * Fill it with one of the sl_io_<op>() helpers below, which set every field.
 */
struct sl_io {
	struct sl_list node;	      /* the ring's list of completions made without the kernel */
	void (*done)(struct sl_io *); /* on the ring's thread; res and more are set */
	void *arg;		      /* the caller's own, for done() */
	union {
		void *buf;
		const void *data;
		const char *path;
		const struct iovec *iov;
		struct msghdr *msg;
		const struct sockaddr *addr;
		struct sl_io *target; /* CANCEL */
		struct __kernel_timespec ts;
	};
	union {
		const char *path2;
		const struct open_how *how;
		struct statx *stx;
		struct sl_cachestat *cachestat;
		int64_t *off2; /* SENDFILE, SPLICE: offset in the input file, advanced; or NULL */
	};
	uint64_t off; /* in the file; MSG_RING: user data for the other ring */
	uint32_t len; /* bytes; READV and WRITEV: vectors; LISTEN: backlog */
	uint32_t flags; /* the operation's own; READ and WRITE: RWF_… */
	int32_t fd;
	int32_t fd2; /* SENDFILE, SPLICE: input; RENAMEAT: new folder */
	int32_t res; /* count or descriptor, or -errno */
	uint16_t buf_group; /* BUFFER_SELECT: group; READ_FIXED: index; done: buffer id */
	uint16_t gen;	    /* matches the completion's, or the completion is a stranger's */
	uint8_t op;	    /* enum sl_op */
	uint8_t fault;	    /* enum sl_fault: a name for tests */
	uint8_t options;
	bool inflight;	 /* begun, and done() not yet called for the last time */
	bool more;	 /* in done(): it will be called again */
	bool has_buffer; /* in done(): buf_group holds the id of a provided buffer */
	bool notif;	 /* in done(): SEND_ZC lets go of the memory; res says whether it copied */
};

static inline void sl_io_init(struct sl_io *io, enum sl_op op, int fd)
{
	*io = (struct sl_io){.op = (uint8_t)op, .fd = fd};
	sl_list_init(&io->node);
}

static inline void sl_io_openat(struct sl_io *io, int dir, const char *path, int flags, int mode)
{
	sl_io_init(io, SL_OP_OPENAT, dir);
	io->path = path;
	io->flags = (uint32_t)flags;
	io->len = (uint32_t)mode;
}

/* As openat2(2). @how stays put like @io; its flags have O_CLOEXEC (asserted). */
static inline void sl_io_openat2(struct sl_io *io, int dir, const char *path,
				 const struct open_how *how)
{
	sl_io_init(io, SL_OP_OPENAT2, dir);
	io->path = path;
	io->how = how;
}

static inline void sl_io_close(struct sl_io *io, int fd)
{
	sl_io_init(io, SL_OP_CLOSE, fd);
}

static inline void sl_io_read(struct sl_io *io, int fd, void *buf, size_t len, uint64_t off)
{
	sl_io_init(io, SL_OP_READ, fd);
	io->buf = buf;
	io->len = (uint32_t)len;
	io->off = off;
}

static inline void sl_io_write(struct sl_io *io, int fd, const void *data, size_t len, uint64_t off)
{
	sl_io_init(io, SL_OP_WRITE, fd);
	io->data = data;
	io->len = (uint32_t)len;
	io->off = off;
}

static inline void sl_io_readv(struct sl_io *io, int fd, const struct iovec *iov, size_t n,
			       uint64_t off)
{
	sl_io_init(io, SL_OP_READV, fd);
	io->iov = iov;
	io->len = (uint32_t)n;
	io->off = off;
}

static inline void sl_io_writev(struct sl_io *io, int fd, const struct iovec *iov, size_t n,
				uint64_t off)
{
	sl_io_init(io, SL_OP_WRITEV, fd);
	io->iov = iov;
	io->len = (uint32_t)n;
	io->off = off;
}

/* @index: the registered buffer that holds @buf (sl_arena_register()). */
static inline void sl_io_read_fixed(struct sl_io *io, int fd, void *buf, size_t len, uint64_t off,
				    int index)
{
	sl_io_read(io, fd, buf, len, off);
	io->op = SL_OP_READ_FIXED;
	io->buf_group = (uint16_t)index;
}

/* @data_only: fdatasync; @fault names the place for tests. */
static inline void sl_io_fsync(struct sl_io *io, int fd, bool data_only, enum sl_fault fault)
{
	sl_io_init(io, SL_OP_FSYNC, fd);
	io->options = data_only ? SL_IO_DATASYNC : 0;
	io->fault = (uint8_t)fault;
}

static inline void sl_io_fallocate(struct sl_io *io, int fd, int mode, uint64_t off, uint32_t len)
{
	sl_io_init(io, SL_OP_FALLOCATE, fd);
	io->flags = (uint32_t)mode;
	io->off = off;
	io->len = len;
}

static inline void sl_io_ftruncate(struct sl_io *io, int fd, uint64_t size)
{
	sl_io_init(io, SL_OP_FTRUNCATE, fd);
	io->off = size;
}

/* @advice: POSIX_FADV_…; a @len of 0 means to the end. */
static inline void sl_io_fadvise(struct sl_io *io, int fd, uint64_t off, uint32_t len, int advice)
{
	sl_io_init(io, SL_OP_FADVISE, fd);
	io->off = off;
	io->len = len;
	io->flags = (uint32_t)advice;
}

/* How many pages of [@off, @off + @len) are in the page cache; now only. -ENOSYS before 6.5. */
static inline void sl_io_cachestat(struct sl_io *io, int fd, uint64_t off, uint32_t len,
				   struct sl_cachestat *ret_stat)
{
	sl_io_init(io, SL_OP_CACHESTAT, fd);
	io->off = off;
	io->len = len;
	io->cachestat = ret_stat;
}

/* An empty @path with AT_EMPTY_PATH in @flags asks about @dir itself. */
static inline void sl_io_statx(struct sl_io *io, int dir, const char *path, int flags,
			       uint32_t mask, struct statx *ret_stx)
{
	sl_io_init(io, SL_OP_STATX, dir);
	io->path = path;
	io->flags = (uint32_t)flags;
	io->len = mask;
	io->stx = ret_stx;
}

/* Of the file system that @fd lies on; now only. */
static inline void sl_io_statfs(struct sl_io *io, int fd, struct statfs *ret_fs)
{
	sl_io_init(io, SL_OP_STATFS, fd);
	io->buf = ret_fs;
}

/* Fills @buf with struct linux_dirent64 records; res is the bytes filled, 0 at the end. */
static inline void sl_io_getdents(struct sl_io *io, int fd, void *buf, size_t len)
{
	sl_io_init(io, SL_OP_GETDENTS, fd);
	io->buf = buf;
	io->len = (uint32_t)len;
}

static inline void sl_io_mkdirat(struct sl_io *io, int dir, const char *path, int mode)
{
	sl_io_init(io, SL_OP_MKDIRAT, dir);
	io->path = path;
	io->len = (uint32_t)mode;
}

/* @flags: AT_REMOVEDIR for a folder. */
static inline void sl_io_unlinkat(struct sl_io *io, int dir, const char *path, int flags)
{
	sl_io_init(io, SL_OP_UNLINKAT, dir);
	io->path = path;
	io->flags = (uint32_t)flags;
}

static inline void sl_io_renameat(struct sl_io *io, int dir, const char *path, int dir2,
				  const char *path2)
{
	sl_io_init(io, SL_OP_RENAMEAT, dir);
	io->path = path;
	io->fd2 = dir2;
	io->path2 = path2;
}

/* @flags: SOCK_CLOEXEC and the like; @options: SL_IO_MULTISHOT. */
static inline void sl_io_accept(struct sl_io *io, int fd, int flags, int options)
{
	sl_io_init(io, SL_OP_ACCEPT, fd);
	io->flags = (uint32_t)flags;
	io->options = (uint8_t)options;
}

static inline void sl_io_connect(struct sl_io *io, int fd, const struct sockaddr *addr,
				 socklen_t len)
{
	sl_io_init(io, SL_OP_CONNECT, fd);
	io->addr = addr;
	io->len = len;
}

static inline void sl_io_recv(struct sl_io *io, int fd, void *buf, size_t len, int flags)
{
	sl_io_init(io, SL_OP_RECV, fd);
	io->buf = buf;
	io->len = (uint32_t)len;
	io->flags = (uint32_t)flags;
}

/* Into a buffer of group @group, at most @len bytes, or a buffer's whole length if @len is 0. */
static inline void sl_io_recv_select(struct sl_io *io, int fd, size_t len, uint16_t group,
				     int options)
{
	sl_io_recv(io, fd, NULL, len, 0);
	io->buf_group = group;
	io->options = (uint8_t)(options | SL_IO_BUFFER_SELECT);
}

static inline void sl_io_send(struct sl_io *io, int fd, const void *data, size_t len, int flags)
{
	sl_io_init(io, SL_OP_SEND, fd);
	io->data = data;
	io->len = (uint32_t)len;
	io->flags = (uint32_t)flags;
}

static inline void sl_io_sendmsg(struct sl_io *io, int fd, struct msghdr *msg, int flags)
{
	sl_io_init(io, SL_OP_SENDMSG, fd);
	io->msg = msg;
	io->flags = (uint32_t)flags;
}

/* In the notification's res: the kernel copied after all. */
#define SL_ZC_COPIED (1u << 31)

/**
 * sl_io_send_zc() - send from @data without copying; on a ring only. done() comes with the bytes
 * sent (`more` set), then with `notif`, when the kernel needs @data no more; after an error that
 * left nothing in flight it comes once, with `more` unset.
 */
static inline void sl_io_send_zc(struct sl_io *io, int fd, const void *data, size_t len, int flags)
{
	sl_io_send(io, fd, data, len, flags);
	io->op = SL_OP_SEND_ZC;
}

/* From file @in at *@off to socket @fd; now only. The socket's O_NONBLOCK decides about waiting. */
static inline void sl_io_sendfile(struct sl_io *io, int fd, int in, int64_t *off, size_t len)
{
	sl_io_init(io, SL_OP_SENDFILE, fd);
	io->fd2 = in;
	io->off2 = off;
	io->len = (uint32_t)len;
}

/* From @in (at *@off, NULL for a pipe) to @fd, one of them a pipe; @flags: SPLICE_F_…. */
static inline void sl_io_splice(struct sl_io *io, int fd, int in, int64_t *off, size_t len,
				int flags)
{
	sl_io_sendfile(io, fd, in, off, len);
	io->op = SL_OP_SPLICE;
	io->flags = (uint32_t)flags;
}

static inline void sl_io_shutdown(struct sl_io *io, int fd, int how)
{
	sl_io_init(io, SL_OP_SHUTDOWN, fd);
	io->flags = (uint32_t)how;
}

/* @events: POLLIN and the like; res is the events seen. */
static inline void sl_io_poll(struct sl_io *io, int fd, uint32_t events, int options)
{
	sl_io_init(io, SL_OP_POLL, fd);
	io->flags = events;
	io->options = (uint8_t)options;
}

/* Asks that @target complete early; @target's done() still comes, this one's res is of no use. */
static inline void sl_io_cancel(struct sl_io *io, struct sl_io *target)
{
	sl_io_init(io, SL_OP_CANCEL, -1);
	io->target = target;
}

/* ---- backends --------------------------------------------------------------------------- */

struct sl_ring;

/**
 * struct sl_backend - who carries operations out. The first member of each backend's own struct.
 * @now: performs @io on the calling thread, blocking if it must (a call that would block for a
 *	peer says -EAGAIN because its socket is non-blocking); returns what it also puts into
 *	io->res: a count, or -errno.
 * @start: begins @io on @ring; 0, or -errno if it could not be begun (done() is then not called).
 *	Completes it later through the kernel or by sl_ring_complete().
 */
struct sl_backend {
	const char *name;
	int (*now)(struct sl_backend *b, struct sl_io *io);
	int (*start)(struct sl_backend *b, struct sl_ring *ring, struct sl_io *io);
};

/* The backend of the machine itself: system calls, and the kernel's ring. Has no state. */
struct sl_backend *sl_backend_kernel(void);

/**
 * sl_backend_use() - make @b the calling thread's backend for sl_io_now(); NULL: the kernel.
 * A core's thread uses its ring's backend. Return: the one used until now.
 */
struct sl_backend *sl_backend_use(struct sl_backend *b);

/* Performs @io on the calling thread with its backend. Return: io->res. */
int sl_io_now(struct sl_io *io);

/* Nanoseconds of CLOCK_MONOTONIC, and of CLOCK_REALTIME, as the thread's backend tells them. */
int64_t sl_clock_ns(void);
int64_t sl_wall_clock_ns(void);

/* Fills @buf with random bytes from the thread's backend; it cannot fail. */
void sl_random(void *buf, size_t len);

/* The name of @op as logs and metrics show it. */
const char *sl_op_name(enum sl_op op);

/* Names of io_uring's opcodes ("recv") by the kernel's numbers, NULL for those never begun. */
const char *const *sl_opcode_names(uint32_t *ret_n);

/**
 * struct sl_faults - a backend that fails chosen calls of another one.
 * @inner: who carries out what is not failed.
 * @ops: bit (1 << op) set for each operation that is counted.
 * @nth: the counted call to fail, from 1; 0 fails none.
 * @err: positive errno to fail it with; 0 makes a read or write short (half its bytes, at least 1).
 * @sticky: fail every counted call from the nth on, as a dead disk does.
 * @count: counted calls so far; atomic, for several cores may share one.
 * Created by sl_faults_init(); usable at once as &faults->backend.
 */
struct sl_faults {
	struct sl_backend backend;
	struct sl_backend *inner;
	uint64_t ops;
	uint64_t nth;
	int err;
	bool sticky;
	uint64_t count;
};

void sl_faults_init(struct sl_faults *f, struct sl_backend *inner);

/* All operations on files, and all on sockets, as masks for sl_faults.ops. */
uint64_t sl_ops_file_mask(void);
uint64_t sl_ops_socket_mask(void);

/* ---- the ring --------------------------------------------------------------------------- */

/**
 * struct sl_ring_conf - what a ring is set up with; zero fields take the defaults.
 * @sq_entries: submission queue entries (256). @cq_entries: completion queue entries (4096).
 * @files: slots for registered files (0: none). @buffers: slots for registered buffers (0: none).
 * @backend: who carries operations out (NULL: the kernel).
 * @wake: called on the ring's thread when another ring or thread woke it; @wake_arg goes with it.
 */
struct sl_ring_conf {
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t files;
	uint32_t buffers;
	struct sl_backend *backend;
	void (*wake)(void *arg);
	void *wake_arg;
};

struct sl_ring_stats {
	uint64_t turns, enters, submits, completions, overflows, inline_fallbacks;
};

/**
 * sl_ring_new() - set up a ring, disabled, going down the ladder of optional flags.
 * @why: on failure filled with the cause and its cure in one line, for the user.
 * Return: 0, or -errno. The ring may be made on one thread and enabled by another, its owner.
 */
int sl_ring_new(const struct sl_ring_conf *conf, struct sl_ring **ret_ring, char *why,
		size_t why_len);

/* Makes the calling thread the ring's owner; all calls below are for the owner alone. */
int sl_ring_enable(struct sl_ring *ring);

/* Nothing may be in flight. Accepts NULL. */
void sl_ring_free(struct sl_ring *ring);

/**
 * sl_ring_start() - begin @io; its done() comes from a later sl_ring_turn().
 * Return: 0, or -errno (-EBUSY: the queue is full although it was flushed; try again next turn).
 */
int sl_ring_start(struct sl_ring *ring, struct sl_io *io);

/**
 * sl_ring_start_chain() - begin @n operations (1..SL_CHAIN_MAX), each of which starts when the one
 * before it is done in full; after one that failed or came short the rest end with -ECANCELED.
 * Return: 0, or -EBUSY with none of them begun.
 */
#define SL_CHAIN_MAX 4
int sl_ring_start_chain(struct sl_ring *ring, struct sl_io *ios, int n);

/* Asks that @io complete early, with -ECANCELED unless it is done already. done() still comes. */
int sl_ring_cancel(struct sl_ring *ring, struct sl_io *io);

/* For backends: @io is finished with io->res; done() comes from the next turn. */
void sl_ring_complete(struct sl_ring *ring, struct sl_io *io);

/* For backends: begins @io in the kernel's ring. */
int sl_ring_start_kernel(struct sl_ring *ring, struct sl_io *io);

/**
 * sl_ring_turn() - submit what was begun, wait for a completion until @deadline, and call done()
 * for the completions that are there, some dozens at most; the next turn then does not wait. A
 * @deadline in the past means: do not wait.
 * Return: completions seen, or -errno of io_uring_enter (never -EINTR, -ETIME, -EAGAIN, -EBUSY).
 */
int sl_ring_turn(struct sl_ring *ring, int64_t deadline);

/**
 * sl_ring_watch() - submit what was begun, and look for something to do until @until without giving
 * up the processor, so that whoever brings it need not wake this thread.
 * Return: whether the next turn would find something at once.
 */
bool sl_ring_watch(struct sl_ring *ring, int64_t until);

/* Operations begun and not yet finished. */
uint32_t sl_ring_inflight(const struct sl_ring *ring);
const struct sl_ring_stats *sl_ring_stats(const struct sl_ring *ring);
int sl_ring_fd(const struct sl_ring *ring);

/* Wakes the owner of @to out of its wait, from the owner of @from, by MSG_RING. */
int sl_ring_wake(struct sl_ring *from, const struct sl_ring *to);

/* The same from a thread that owns no ring. */
void sl_ring_wake_from_outside(const struct sl_ring *to);

/* Puts @fd into a free slot of the registered files. Return: the slot, or -errno (-ENFILE). */
int sl_ring_file_register(struct sl_ring *ring, int fd);
void sl_ring_file_unregister(struct sl_ring *ring, int slot);

/* ---- the buffer arena ------------------------------------------------------------------- */

#define SL_ARENA_CHUNK_BYTES (UINT64_C(16) << 20)

/**
 * struct sl_arena - one core's buffer memory: a reserved range of addresses, taken into use chunk
 * by chunk, made resident only by touch, registered with the ring only when a fixed-buffer
 * operation first needs a chunk (registering pins and charges it).
 */
struct sl_arena {
	uint8_t *base;
	uint64_t bytes_max;  /* reserved, a multiple of the chunk */
	uint32_t chunks;     /* in use */
	uint32_t chunks_max;
	uint64_t *registered; /* bit per chunk */
};

/* @bytes_max is rounded up to whole chunks. Return: 0 or -ENOMEM. */
int sl_arena_init(struct sl_arena *a, uint64_t bytes_max);
void sl_arena_done(struct sl_arena *a);

/* Takes the next chunk into use. Return: its memory, or NULL when the arena is used up. */
void *sl_arena_grow(struct sl_arena *a);

/**
 * sl_arena_trim() - give the memory of [@p, @p + @len) back to the kernel; it reads as zeros when
 * used again. What is registered stays as it is: the ring holds those very pages.
 */
void sl_arena_trim(struct sl_arena *a, void *p, size_t len);

/**
 * sl_arena_register() - the registered buffer index that covers @p, registering its chunk with
 * @ring first if need be. Return: the index, or -errno (-ENOMEM: RLIMIT_MEMLOCK without
 * CAP_IPC_LOCK; the caller falls back to plain reads).
 */
int sl_arena_register(struct sl_arena *a, struct sl_ring *ring, const void *p);

/* ---- provided buffers ------------------------------------------------------------------- */

/**
 * struct sl_bufring - a ring of equal buffers from which the kernel picks for receives.
 * The holder of a buffer gives it back with sl_bufring_return().
 */
struct sl_bufring {
	struct sl_ring *ring;
	void *br;	     /* struct io_uring_buf_ring */
	uint8_t *mem;	     /* count × bytes */
	uint32_t count;	     /* a power of two */
	uint32_t bytes;	     /* of one buffer */
	uint32_t out;	     /* buffers held by users */
	uint16_t group;
};

int sl_bufring_init(struct sl_bufring *b, struct sl_ring *ring, uint16_t group, uint32_t count,
		    uint32_t bytes);
void sl_bufring_done(struct sl_bufring *b);

static inline uint8_t *sl_bufring_mem(const struct sl_bufring *b, uint16_t id)
{
	SL_ASSERT(id < b->count);
	return b->mem + (size_t)id * b->bytes;
}

/* To be called once by done() for each completion that has_buffer. */
void sl_bufring_taken(struct sl_bufring *b, uint16_t id);
void sl_bufring_return(struct sl_bufring *b, uint16_t id);

/* ---- memory nodes ----------------------------------------------------------------------- */

enum { SL_NUMA_NODES_MAX = 1024, SL_NUMA_MASK_WORDS = SL_NUMA_NODES_MAX / 64 };

/* Nodes whose memory this process may use; 1 where the kernel knows of none. */
int sl_numa_nodes(void);

/* The node of processor @cpu, or -1. */
int sl_numa_node_of_cpu(int cpu);

/* From where a thread's memory comes, as it was before; for sl_numa_restore() alone. */
struct sl_numa_policy {
	int mode;
	unsigned long mask[SL_NUMA_MASK_WORDS];
};

/**
 * sl_numa_prefer() - what the calling thread, or the kernel for it, touches first from now on comes
 * from @node while that has memory. Return: 0 or -errno (-EPERM: a container's seccomp filter).
 */
int sl_numa_prefer(int node, struct sl_numa_policy *ret_before);
int sl_numa_restore(const struct sl_numa_policy *policy);

/* The same for [@p, @p + @len), whole pages not touched yet, whoever touches them. */
int sl_numa_bind(void *p, size_t len, int node);

/* The node on which the page at @p lies, or -errno (-ENOENT: it was not touched yet). */
int sl_numa_node_of(const void *p);

/* ---- features --------------------------------------------------------------------------- */

enum sl_feature {
#define X(name, since, required, without) SL_FEATURE_##name,
#include "features.def"
#undef X
	SL_FEATURE_LAST
};

/**
 * struct sl_feature_info - one row of the feature table, for `sluice doctor`.
 * @since: the kernel that brought it. @without: what is lost where it is missing.
 */
struct sl_feature_info {
	const char *name;
	const char *since;
	bool required;
	const char *without;
};

const struct sl_feature_info *sl_feature_info(enum sl_feature f);

/* Whether @ring found @f when it was set up. */
bool sl_ring_has(const struct sl_ring *ring, enum sl_feature f);

#endif
