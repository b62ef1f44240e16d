/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dataplane/ share of a core. */
#ifndef DATAPLANE_CORE_PVT_H
#define DATAPLANE_CORE_PVT_H

#include <pthread.h>

#include "buf.h"
#include "core.h"
#include "metric.h"
#include "steer.h"

/* ---- fibers (fiber.c) ------------------------------------------------------------------- */

/* A context that can be switched to: a fiber's, or the core loop's own. */
struct context {
	void *sp;
	const void *stack_low; /* for the address sanitizer */
	size_t stack_bytes;
	void *fake_stack;      /* the address sanitizer's */
	void *tsan;	       /* the thread sanitizer's */
};

enum fiber_state {
	FIBER_FREE,
	FIBER_NEW, /* ready, and did not run yet */
	FIBER_READY,
	FIBER_WOKEN,
	FIBER_RUNNING,
	FIBER_PARKED
};

/*
 * A core's is at the high end of its stack; a thread's (turns.c) uses node, wake_res and state.
 * What is touched before it runs lies together.
 */
struct sl_fiber {
	_Alignas(64) struct sl_list node;
	void (*fn)(void *arg);
	void *arg;
	enum fiber_state state;
	enum sl_stack stack;
	struct sl_core *core;
	bool is_thread;
	int wake_res;
	struct context context;
	struct sl_timer timer;
};

struct fibers {
	struct sl_list ready;
	/* Stacks, as struct sl_fiber: the one used last first; and those that hold no pages. */
	struct sl_list free[SL_STACK_LAST], bare[SL_STACK_LAST];
	struct sl_list slabs;
	struct sl_fiber *running;
	struct sl_fiber *hot; /* whose stack was used last, if it is the first of @free */
	struct context loop;
	uint32_t count; /* leased */
	uint32_t free_count[SL_STACK_LAST]; /* of @free */
};

void fibers_init(struct fibers *f);
void fibers_done(struct fibers *f);

/* Runs the fibers that are ready now, once each. Return: how many. */
int fibers_run(struct sl_core *core);

/* ---- threads that take turns (turns.c) -------------------------------------------------- */

/* This thread's stand-in for a fiber while it has its turn, or NULL. */
struct sl_fiber *turns_self(void);

/* As sl_fiber_park() and sl_fiber_wake(). */
int turns_park(struct sl_fiber *fiber, int64_t deadline);
void turns_wake(struct sl_fiber *fiber, int res);

/* As sl_fiber_yield(). */
void turns_yield(void);

/* ---- timers (timer.c) ------------------------------------------------------------------- */

/* A 4-ary heap by time; slot 0 is unused so that a timer's slot says whether it is set. */
struct timers {
	struct sl_timer **heap;
	uint32_t n, cap;
};

void timers_done(struct timers *t);

/* Calls the timers due at @now. */
void timers_run(struct timers *t, int64_t now);

/* When the next one is due, or SL_NEVER. */
int64_t timers_next(const struct timers *t);

/* ---- mailbox (mailbox.c) ---------------------------------------------------------------- */

struct mailbox {
	struct sl_msg *head;  /* last sent first */
	uint32_t sleeping;    /* the owner waits, or is about to */
};

/* Calls what was sent, in order. Return: how many. */
int mailbox_run(struct mailbox *m);
bool mailbox_empty(const struct mailbox *m);

/* ---- bufs (buf.c) ----------------------------------------------------------------------- */

enum { BUF_CLASSES = 8 }; /* 1 KiB × 4^i, the last 16 MiB */

struct sl_buf;

struct bufs {
	struct sl_arena arena;
	struct sl_list free[BUF_CLASSES];
	struct sl_list slabs; /* of descriptors */
	struct sl_list spare; /* descriptors without memory */
	uint64_t used_bytes;
	int unregistered; /* -errno: the ring refused to register its memory */
};

/* @node: where the arena is to lie, or -1. */
int bufs_init(struct bufs *b, uint64_t bytes_max, int node);
void bufs_done(struct bufs *b);

/**
 * bufs_fixed_index() - the registered buffer of @core's ring around @buf, for fixed reads.
 * Return: its index; or -errno, which stays once it was so: plain reads into @buf are left.
 */
int bufs_fixed_index(struct sl_core *core, const struct sl_buf *buf);

/* ---- receive buffers (conn.c) ----------------------------------------------------------- */

/* A provided buffer in a connection's queue; indexed by the buffer's id. */
struct rx_chunk {
	uint32_t len;
	uint16_t next;
};

#define RX_NONE UINT16_MAX

struct rx {
	struct sl_bufring ring;
	struct rx_chunk *chunks;
	struct sl_list starved; /* connections whose receive found no buffer */
};

/* ---- pipes (pipe.c) --------------------------------------------------------------------- */

/* A pipe to splice through; its ends never block. */
struct pipe {
	struct sl_list node;
	int in, out;	/* descriptors: to be written to, to be read from */
	uint32_t bytes; /* how much it holds */
};

struct pipes {
	struct sl_list free;
	uint32_t open;
};

void pipes_init(struct pipes *p);
void pipes_done(struct pipes *p);

/* An empty pipe; NULL if as many are in use as may be, or the kernel gives no more. */
struct pipe *pipe_get(struct pipes *p);

/* Gives it back; one that is not empty is closed. Accepts NULL. */
void pipe_put(struct pipes *p, struct pipe *pipe, bool empty);

/* ---- fetches (fetch.c) ------------------------------------------------------------------- */

/* Of extents into the page cache. @n: under way; @waiting: connections whose turn comes later. */
struct fetches {
	uint32_t n;
	uint8_t byte; /* read by all of them, looked at by nobody */
	struct sl_list waiting;
};

void fetches_init(struct fetches *f);

/* ---- direct reads (direct.c) ------------------------------------------------------------ */

/* What is in flight, its limits, and who waits for room, as struct want. */
struct direct {
	uint32_t ops, ops_max;
	uint64_t bytes, bytes_max;
	struct sl_list wanting;
	bool gave_up;		/* memory cannot be registered */
	uint8_t unregistered;	/* enum sl_direct_fallback: why */
};

/* Zero limits take the defaults. */
void direct_init(struct direct *d, uint32_t ops_max, uint64_t bytes_max);

/* ---- spinning (spin.c) ------------------------------------------------------------------ */

/* What was sent since the cores began. */
struct spin_work {
	uint64_t bytes, sends;
};

struct spin {
	int64_t ns_max; /* 0: never */
	struct spin_work work;

	/* The epoch that runs, and the one before; 0 a second: nothing can be told of it. */
	int64_t began_at;
	struct spin_work began;
	uint64_t looks; /* how often the core had nothing to do in it */
	bool on;
	uint64_t before_per_s;

	bool pays;
	double gain; /* between -1 and 1; moving average */
	uint32_t turn;
};

/* The core has nothing to do: whether to spin before it sleeps. @now: the clock. */
bool spin_wanted(struct spin *s, int64_t now);

/* ---- the core --------------------------------------------------------------------------- */

struct sl_core {
	struct sl_cores *cores;
	uint32_t id;
	int pin_res; /* 0, or why its thread could not be pinned */
	int node;    /* of its memory; -1: wherever it falls */
	struct sl_numa_policy policy; /* of the thread, before it was the core's */
	int64_t now;	 /* when the turn began */
	int64_t read_at; /* when the clock was read last, by core_clock() or for the turn */
	struct sl_ring *ring;
	struct fibers fibers;
	struct timers timers;
	struct mailbox mailbox;
	struct bufs bufs;
	struct rx rx;
	struct direct direct;
	struct spin spin;
	struct sl_list listeners;
	struct sl_list shedders;
	struct sl_list sending;	   /* connections that used up their turn of sending */
	struct sl_list file_notes; /* spare; extent.c */
	struct pipes pipes;
	struct fetches fetches;
	struct sl_list transfers;  /* spare; transfer.c */
	struct sl_list zerocopies; /* spare; rung_send_zc.c */
	struct sl_backend *backend;
	struct sl_metrics *metrics;
	struct sl_steer_count steer;
	struct {
		int64_t turn;
		uint32_t steps;
		bool no_kernel; /* it cannot encrypt */
	} shakes; /* steps of TLS handshakes in the turn of that time */
	struct sl_ring_stats counted; /* of the ring, as last added to the metrics */
	uint32_t resting;	      /* atomic: nothing left to do, and the cores are to stop */
	pthread_t thread;
	int (*start)(struct sl_core *core, void *arg);
	void *start_arg;
	int start_res;
	bool has_thread;
};

/* Threads make their cores one after the other, and go on together or not at all. */
enum cores_phase { CORES_MAKING, CORES_RUNNING, CORES_GIVEN_UP };

struct sl_cores {
	uint32_t n;
	uint32_t stop;	  /* atomic */
	uint32_t made;	  /* under lock, as the next two */
	uint32_t started;
	enum cores_phase phase;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	pthread_barrier_t ended;
	struct sl_registry *registry;
	bool owns_registry;
	struct sl_core *core[];
};

/*
 * The time, now. What only wants to know roughly when it began takes core->read_at: nothing long
 * happens between two readings of a turn.
 */
static inline int64_t core_clock(struct sl_core *core)
{
	return core->read_at = sl_clock_ns();
}

/* extent.c */
void file_notes_done(struct sl_core *core);

/* transfer.c, rung_send_zc.c: free what is spare. */
void transfers_done(struct sl_core *core);
void zerocopies_done(struct sl_core *core);

/* conn.c: goes on with the connections of core->sending. Return: how many. */
int conns_send(struct sl_core *core);

#endif
