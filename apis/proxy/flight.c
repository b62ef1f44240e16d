/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights: who waits for what, and how it reaches them.
 *
 * Interface: flight.h. What a flight does once the origin answers is in flight_fill.c, how its body
 * is read in flight_body.c. A flight is touched on its home core only: the calls go there. It is
 * found by its key until its outcome is known; then the cache is. Invariant: what cannot be shared
 * is read by the one who began the flight, its leader, alone.
 *
 * Order of parts: keys; flights of a core; news; joining; forgetting; leaving.
 */
#include "flight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flight_pvt.h"

/* ---- keys ------------------------------------------------------------------------------- */

static uint64_t hash_of(struct http_str key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * UINT64_C(0x100000001b3);
	return sl_mix64(h);
}

static int hex_digits(uint64_t v)
{
	return v ? (67 - __builtin_clzll(v)) / 4 : 1;
}

static char *put_hex(char *p, uint64_t v, int digits)
{
	while (digits--)
		*p++ = "0123456789abcdef"[v >> digits * 4 & 15];
	return p;
}

/* A line end is in no key that a request can make. */
void flight_slice_key(struct http_str key, uint64_t generation, uint64_t slice,
		      struct sl_text *ret_key)
{
	char text[1 + 16 + 1 + 16], *p = text;

	*p++ = '\n';
	p = put_hex(p, generation, 16);
	*p++ = '.';
	p = put_hex(p, slice, hex_digits(slice));
	sl_text_put(ret_key, key.p, key.n);
	sl_text_put(ret_key, text, (size_t)(p - text));
}

void flight_vary_key(struct http_str base, uint64_t generation, struct http_str names,
		     struct http_lines lines, struct sl_text *ret_key)
{
	sl_text_put(ret_key, base.p, base.n);
	sl_text_printf(ret_key, "\n%016" PRIx64 "?", generation);
	http_vary_select(names, lines, ret_key);
}

/* ---- flights of a core ------------------------------------------------------------------ */

/* What several requests waited for in vain is not waited for again, for a while. */
enum { ALONE_SLOTS = 1024 };
#define ALONE_NS (5 * SL_SEC)

enum { BUCKETS = 1024 };

/**
 * struct flights - of one core. @alone: keys, by their hash, whose responses could not be shared.
 * @n: flights that there are, those under way and those that are still read; @gone: one less.
 */
struct flights {
	_Alignas(64) struct sl_list buckets[BUCKETS];
	struct {
		uint64_t hash;
		int64_t until;
	} alone[ALONE_SLOTS];
	uint32_t n;
	struct sl_waitq gone;
};

int flights_new(struct http_proxy *p)
{
	p->flights = aligned_alloc(_Alignof(struct flights), p->cores * sizeof(*p->flights));
	if (!p->flights)
		return -ENOMEM;
	memset(p->flights, 0, p->cores * sizeof(*p->flights));
	for (uint32_t i = 0; i < p->cores; i++) {
		for (int b = 0; b < BUCKETS; b++)
			sl_list_init(&p->flights[i].buckets[b]);
		sl_waitq_init(&p->flights[i].gone);
	}
	return 0;
}

void flights_free(struct http_proxy *p)
{
	free(p->flights);
	p->flights = NULL;
}

static struct flights *flights_here(struct http_proxy *p)
{
	uint32_t id = sl_core_id(sl_core_self());

	SL_ASSERT(id < p->cores);
	return &p->flights[id];
}

void flights_stop(struct http_proxy *p, int64_t deadline)
{
	struct flights *all = flights_here(p);

	while (all->n && sl_waitq_wait(&all->gone, deadline) != -ETIME)
		;
}

static struct flight *find(struct flights *all, uint64_t hash, struct http_str key)
{
	struct sl_list *bucket = &all->buckets[hash % BUCKETS];

	for (struct sl_list *l = bucket->next; l != bucket; l = l->next) {
		struct flight *f = sl_container_of(l, struct flight, node);

		if (f->hash == hash && f->key.len == key.n && !memcmp(f->key.data, key.p, key.n))
			return f;
	}
	return NULL;
}

void flight_unlist(struct flight *f)
{
	if (f->listed)
		sl_list_remove(&f->node);
	f->listed = false;
}

void flight_mark_alone(struct flight *f)
{
	struct flights *all = flights_here(f->proxy);

	if (!f->contended)
		return;
	all->alone[f->hash % ALONE_SLOTS].hash = f->hash;
	all->alone[f->hash % ALONE_SLOTS].until = sl_now() + ALONE_NS;
}

static bool is_alone(const struct flights *all, uint64_t hash)
{
	return all->alone[hash % ALONE_SLOTS].hash == hash &&
	       sl_now() < all->alone[hash % ALONE_SLOTS].until;
}

static void free_interim(struct flight *f)
{
	while (f->interim) {
		struct interim *i = f->interim;

		f->interim = i->next;
		sl_text_done(&i->lines);
		free(i);
	}
}

static void free_flight(struct flight *f)
{
	struct flights *all = flights_here(f->proxy);

	flight_unlist(f);
	flight_drop(f);
	free_interim(f);
	sl_text_done(&f->key);
	sl_text_done(&f->asked);
	sl_text_done(&f->old_fields);
	sl_text_done(&f->fields);
	sl_text_done(&f->stored_key);
	sl_text_done(&f->names);
	free(f);
	all->n--;
	sl_waitq_wake_all(&all->gone, 0);
}

void flight_release(struct flight *f)
{
	SL_ASSERT(f->refs > 0);
	if (!--f->refs)
		free_flight(f);
}

/* ---- news ------------------------------------------------------------------------------- */

void flight_view_done(struct flight_view *v)
{
	sl_text_done(&v->fields);
	sl_text_done(&v->key);
}

void flight_news(struct flight *f, enum flight_state state)
{
	f->state = state;
	if (state >= FLIGHT_ENDED)
		flight_unlist(f);
	sl_waitq_wake_all(&f->changed, 0);
}

/* Whether a request with these lines is answered by what is being stored. */
static bool selects_this(const struct flight *f, struct http_lines lines)
{
	struct sl_text key = {0};
	bool same;

	if (!f->names.len)
		return true;
	flight_vary_key(f->base, f->generation, http_str_text(&f->names), lines, &key);
	same = !key.err && key.len == f->stored_key.len &&
	       !memcmp(key.data, f->stored_key.data, key.len);
	sl_text_done(&key);
	return same;
}

static int tell_response(const struct flight *f, struct flight_view *v)
{
	v->status = f->status;
	v->bytes = f->bytes;
	v->caching = f->caching;
	sl_text_put(&v->fields, f->fields.data, f->fields.len);
	return v->fields.err;
}

static int tell_slices(const struct flight *f, struct flight_view *v)
{
	v->sliced = true;
	v->slice = f->slice;
	v->head = flight_slices_head(f);
	v->head.fields = http_lines_of(&v->fields);
	sl_text_put(&v->key, f->stored_key.data, f->stored_key.len);
	return v->key.err;
}

static int tell_interim(struct flight *f, struct flight_view *v)
{
	struct interim *i = f->interim;

	f->interim = i->next;
	v->news = FLIGHT_INTERIM;
	v->status = i->status;
	v->fields = i->lines;
	free(i);
	return 0;
}

static int tell_stored(const struct flight *f, struct flight_view *v)
{
	v->news = FLIGHT_STORED;
	sl_text_put(&v->key, f->stored_key.data, f->stored_key.len);
	return v->key.err;
}

static int tell_stream(const struct flight *f, bool leader, struct http_lines lines,
		       struct flight_view *v)
{
	int err;

	/* What it selects is to be looked up by what is known of Vary by now. */
	v->news = FLIGHT_STORED;
	if (!leader && !selects_this(f, lines))
		return 0;
	v->news = FLIGHT_STREAM;
	v->storing = !f->refused;
	err = tell_response(f, v);
	return err || !f->whole ? err : tell_slices(f, v);
}

/* Waits until there is something to tell, and tells it. */
static int tell(struct flight *f, bool leader, struct http_lines lines, struct flight_view *v,
		int64_t deadline)
{
	int err = 0;

	while (f->state == FLIGHT_ASKING && !(leader && f->interim) && !err)
		err = sl_waitq_wait(&f->changed, deadline);
	if (err)
		return err;
	if (leader && f->interim)
		return tell_interim(f, v);
	v->err = f->err;
	v->status = f->status;
	if (f->passed) {
		v->news = leader ? FLIGHT_STREAM : FLIGHT_ALONE;
		f->contended |= !leader;
		return leader ? tell_response(f, v) : 0;
	}
	switch (f->state) {
	case FLIGHT_PASSING:
	case FLIGHT_STORING:
	case FLIGHT_COMMITTING:
		return tell_stream(f, leader, lines, v);
	case FLIGHT_DONE:
		return tell_stored(f, v);
	case FLIGHT_OTHER:
		v->news = FLIGHT_CHANGED;
		return 0;
	case FLIGHT_UNSHARED:
		v->news = FLIGHT_ALONE;
		return 0;
	default:
		/* Who waited all the time is not to miss what could not be stored. */
		if (f->filled)
			return tell_stream(f, leader, lines, v);
		v->news = FLIGHT_FAILED;
		return 0;
	}
}

/* ---- joining ---------------------------------------------------------------------------- */

/* One block holds all that was asked for. */
static void copy_str(struct flight *f, struct http_str from, struct http_str *ret_to)
{
	*ret_to = (struct http_str){(const char *)f->asked.len, from.n};
	sl_text_put(&f->asked, from.p, from.n);
}

static void settle_str(const struct flight *f, struct http_str *s)
{
	s->p = f->asked.data + (size_t)s->p;
}

static int copy_ask(struct flight *f, const struct flight_ask *ask)
{
	f->kind = ask->kind;
	f->slice = ask->slice;
	f->slice_bytes = ask->slice_bytes;
	f->seen = ask->seen;
	f->authorized = ask->authorized;
	copy_str(f, ask->base, &f->base);
	copy_str(f, ask->host, &f->host);
	copy_str(f, ask->path, &f->path);
	copy_str(f, ask->lines, &f->lines);
	sl_text_put(&f->key, ask->key.p, ask->key.n);
	sl_text_put(&f->stored_key, ask->key.p, ask->key.n);
	if (ask->old) {
		f->has_old = true;
		f->old = *ask->old;
		sl_text_put(&f->old_fields, ask->old->fields.p, ask->old->fields.n);
		f->old.fields = http_lines_of(&f->old_fields);
	}
	if (f->asked.err || f->key.err || f->stored_key.err || f->old_fields.err)
		return -ENOMEM;
	settle_str(f, &f->base);
	settle_str(f, &f->host);
	settle_str(f, &f->path);
	settle_str(f, &f->lines);
	return 0;
}

static int begin(struct http_proxy *p, const struct flight_ask *ask, uint64_t hash, bool led,
		 struct flight **ret_f)
{
	struct flights *all = flights_here(p);
	struct flight *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->proxy = p;
	f->home = sl_core_self();
	f->hash = hash;
	f->refs = led ? 2 : 1;
	f->led = led;
	sl_waitq_init(&f->changed);
	sl_list_init(&f->readers);
	all->n++;
	err = copy_ask(f, ask);
	if (!err)
		err = sl_fiber_start(SL_STACK_SMALL, flight_fly, f);
	if (err) {
		free_flight(f);
		return err;
	}
	sl_list_append(&all->buckets[hash % BUCKETS], &f->node);
	f->listed = true;
	*ret_f = f;
	return 0;
}

static int add_reader(struct flight *f, struct flight_reader **ret_r)
{
	struct flight_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->f = f;
	sl_list_append(&f->readers, &r->node);
	*ret_r = r;
	return 0;
}

static void leave(struct flight_reader *r)
{
	struct flight *f = r->f;

	sl_list_remove(&r->node);
	free(r);
	sl_waitq_wake_all(&f->changed, 0);
	flight_release(f);
}

/*
 * A response that is known already answers later requests only as long as it is fresh, or they
 * would get from a flight what they would not get from the cache. That of a slice was judged by
 * who looked its object up.
 */
static bool is_for_others(const struct flight *f)
{
	static const struct http_cc none = {0};

	return f->kind == FLIGHT_SLICE ||
	       (f->state != FLIGHT_STORING && f->state != FLIGHT_COMMITTING) ||
	       http_reuse(&f->caching, &none, proxy_now_ms()) == HTTP_REUSE_AS_IS;
}

struct join {
	struct http_proxy *p;
	const struct flight_ask *ask;
	uint64_t hash;
	bool waits;
	struct flight_reader *r;
	struct flight_view *view;
};

static int join_here(void *arg, int64_t deadline)
{
	struct join *j = arg;
	struct flights *all = flights_here(j->p);
	struct flight *f = find(all, j->hash, j->ask->key);
	struct http_lines lines = {j->ask->lines.p, j->ask->lines.n};
	bool leader = !f;
	int err = 0;

	if (j->waits && (f ? !is_for_others(f) : !j->ask->old && is_alone(all, j->hash))) {
		j->view->news = FLIGHT_ALONE;
		return 0;
	}
	if (f && j->waits)
		f->refs++;
	if (!f)
		err = begin(j->p, j->ask, j->hash, j->waits, &f);
	if (err || !j->waits)
		return err;
	err = add_reader(f, &j->r);
	if (err) {
		flight_release(f);
		return err;
	}
	j->view->collapsed = !leader;
	err = tell(f, leader, lines, j->view, deadline);
	/* Who reads no stream has all that there is for him. */
	if (err || (j->view->news != FLIGHT_STREAM && j->view->news != FLIGHT_INTERIM)) {
		leave(j->r);
		j->r = NULL;
	}
	return err;
}

static int join(struct join *j, int64_t deadline)
{
	struct sl_cores *cores = sl_core_cores(sl_core_self());

	j->hash = hash_of(j->ask->key);
	return sl_call(sl_core_home(cores, j->hash), join_here, j, deadline);
}

int flight_join(struct http_proxy *p, const struct flight_ask *ask,
		struct flight_reader **ret_reader, struct flight_view *ret_view, int64_t deadline)
{
	struct join j = {.p = p, .ask = ask, .waits = true, .view = ret_view};
	int err;

	*ret_view = (struct flight_view){0};
	err = join(&j, deadline);
	if (err)
		flight_view_done(ret_view);
	else
		*ret_reader = j.r;
	return err;
}

void flight_begin(struct http_proxy *p, const struct flight_ask *ask)
{
	struct join j = {.p = p, .ask = ask};

	/* Without memory for it nothing is fetched ahead: the next request will try. */
	(void)join(&j, SL_NEVER);
}

struct wait {
	struct flight_reader *r;
	struct flight_view *view;
};

static int wait_here(void *arg, int64_t deadline)
{
	struct wait *w = arg;

	return tell(w->r->f, true, (struct http_lines){0}, w->view, deadline);
}

int flight_wait(struct flight_reader *r, struct flight_view *ret_view, int64_t deadline)
{
	struct wait w = {r, ret_view};

	*ret_view = (struct flight_view){0};
	return sl_call(r->f->home, wait_here, &w, deadline);
}

/* ---- forgetting ------------------------------------------------------------------------- */

struct forget {
	struct http_proxy *p;
	enum http_proxy_forgets which;
	struct http_str key;
};

static bool is_meant(const struct flight *f, const struct forget *g)
{
	if (g->which == HTTP_PROXY_FORGETS_ALL)
		return true;
	if (f->base.n < g->key.n || memcmp(f->base.p, g->key.p, g->key.n))
		return false;
	/* A slice's base may itself be a variant: behind a line end. */
	return g->which == HTTP_PROXY_FORGETS_PREFIX || f->base.n == g->key.n ||
	       f->base.p[g->key.n] == '\n';
}

static int forget_many_here(void *arg, int64_t deadline)
{
	const struct forget *g = arg;
	struct flights *all = flights_here(g->p);

	(void)deadline;
	for (int b = 0; b < BUCKETS; b++)
		sl_list_each_safe(n, &all->buckets[b]) {
			struct flight *f = sl_list_entry(n, struct flight, node);

			if (!is_meant(f, g))
				continue;
			f->forgotten = true;
			flight_unlist(f);
		}
	return 0;
}

void http_proxy_forget(struct http_proxy *p, enum http_proxy_forgets which, struct http_str key)
{
	struct forget g = {p, which, key};
	struct sl_cores *cores = sl_core_cores(sl_core_self());

	/* Without memory for a call it is stored, as if it had come a moment earlier. */
	for (uint32_t i = 0; i < p->cores; i++)
		(void)sl_call(sl_cores_at(cores, i), forget_many_here, &g, SL_NEVER);
}

/* ---- leaving ---------------------------------------------------------------------------- */

static int leave_here(void *arg, int64_t deadline)
{
	(void)deadline;
	leave(arg);
	return 0;
}

void flight_leave(struct flight_reader *r)
{
	int err;

	if (!r)
		return;
	err = sl_call(r->f->home, leave_here, r, SL_NEVER);
	/* Without memory for the call the flight stays, and with it what it holds. */
	if (err)
		sl_log_warn("proxy.flight-kept", SL_KV_ERRNO(err));
}
