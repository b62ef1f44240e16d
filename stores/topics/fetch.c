/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch: locating batches for readers, and waiting for more.
 *
 * Interface: "reading" of topics.h up to sl_fetch_release().
 * A look visits each core that is home to some of the partitions once, in the order of their
 * first part. A wait puts one commit of each partition into its log's order, for the offset
 * behind its end; the first that is told wakes the fetch, which then takes the others back. What
 * was told to another core is on its way before the answer to that, so afterwards nothing can
 * come any more.
 * Invariants: a part's armed is written by its home, during calls only, its told and all of the
 * fetch by the asking core; what was told is on no list, so that cancelling it changes nothing.
 *
 * Order of parts: one partition; visiting; waiting.
 */
#include <errno.h>

#include "topics_pvt.h"

/* ---- one partition ---------------------------------------------------------------------- */

int epoch_check(const struct core_state *tc, int32_t epoch)
{
	if (epoch < 0 || (uint32_t)epoch == tc->conf.epoch)
		return 0;
	return (uint32_t)epoch < tc->conf.epoch ? SL_REFUSED_STALE_EPOCH
						: SL_REFUSED_FUTURE_EPOCH;
}

static int read_result(int rc)
{
	if (rc == -ERANGE)
		return SL_REFUSED_OUT_OF_RANGE;
	return rc == -EBADMSG ? SL_REFUSED_QUARANTINED : partition_result(rc);
}

/* Takes the spans over from this core to @to, or gives them up. */
static void spans_hand_over(struct sl_fetch_part *fp, int n, struct sl_core *to, bool keep)
{
	for (int i = 0; i < n; i++) {
		struct sl_file *file = fp->spans[i].extent.file;

		if (keep && to == sl_core_self())
			continue;
		if (keep)
			sl_file_grant(file, to);
		sl_file_release(file);
	}
	fp->n_spans = keep ? (uint32_t)n : 0;
}

static int part_read(struct partition *p, struct sl_fetch *f, struct sl_fetch_part *fp,
		     struct sl_core *to, int64_t deadline)
{
	uint64_t left = f->bytes < f->bytes_max ? f->bytes_max - f->bytes : 0;
	uint64_t max = sl_min(left, fp->bytes_max), bytes = 0;
	bool keep;
	int n;

	if (!p->log)
		return fp->offset == 0 ? 0 : SL_REFUSED_OUT_OF_RANGE;
	if (f->bytes && max == 0)
		return 0;
	n = sl_log_read(p->log, fp->offset, sl_max(max, UINT64_C(1)), NULL, fp->spans,
			SL_FETCH_SPANS, deadline);
	if (n < 0)
		return read_result(n);
	for (int i = 0; i < n; i++) {
		sl_file_held(fp->spans[i].extent.file);
		bytes += fp->spans[i].extent.len;
	}
	/* The first batch comes whatever its size, but only the first one of the whole fetch. */
	keep = f->bytes == 0 || bytes <= max;
	spans_hand_over(fp, n, to, keep);
	if (keep) {
		fp->bytes = bytes;
		f->bytes += bytes;
	}
	return 0;
}

static int part_look(struct core_state *tc, struct sl_fetch *f, struct sl_fetch_part *fp,
		     struct sl_core *to, int64_t deadline)
{
	struct partition *p;
	int rc = epoch_check(tc, fp->epoch);

	if (!rc)
		rc = partition_enter(tc, fp->topic, fp->partition, false, &p, deadline);
	if (rc)
		return rc;
	rc = part_read(p, f, fp, to, deadline);
	fp->start = partition_start(p);
	fp->end = partition_end(p);
	if (!rc && p->log && sl_log_failed(p->log) && fp->offset >= fp->end)
		rc = SL_REFUSED_FAILED;
	partition_leave(p);
	return rc;
}

/* ---- visiting --------------------------------------------------------------------------- */

struct visit {
	struct core_state *tc; /* where */
	struct sl_fetch *f;
	struct sl_core *to; /* who asks */
	bool woken;	    /* there is more already */
};

static bool part_is_at(const struct sl_fetch_part *fp, const struct sl_core *core)
{
	return sl_topic_home(fp->topic, fp->partition) == core;
}

static int look_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	struct sl_fetch *f = v->f;
	int rc = core_ready(v->tc, deadline);

	for (uint32_t i = 0; i < f->n && !rc; i++) {
		struct sl_fetch_part *fp = &f->parts[i];

		if (!part_is_at(fp, v->tc->core))
			continue;
		fp->result = part_look(v->tc, f, fp, v->to, deadline);
		f->refused += fp->result != 0;
	}
	return rc;
}

/* Runs @fn on every core that is home to a part (with @armed: an armed one), once each. */
static int visit_homes(struct sl_topics *t, struct sl_fetch *f,
		       int (*fn)(void *arg, int64_t deadline), bool armed, bool *ret_woken,
		       int64_t deadline)
{
	struct sl_core *self = sl_core_self();

	for (uint32_t i = 0; i < f->n; i++) {
		struct sl_core *home = sl_topic_home(f->parts[i].topic, f->parts[i].partition);
		struct visit v = {topics_at(t, home), f, self, false};
		uint32_t k = 0;
		int rc;

		if (armed && !f->parts[i].armed)
			continue;
		while (k < i && ((armed && !f->parts[k].armed) || !part_is_at(&f->parts[k], home)))
			k++;
		if (k < i)
			continue; /* that core was visited for part k */
		rc = sl_call(home, fn, &v, deadline);
		if (ret_woken)
			*ret_woken |= v.woken;
		if (rc)
			return rc;
	}
	return 0;
}

int sl_fetch_once(struct sl_topics *t, struct sl_fetch *f, int64_t deadline)
{
	struct sl_core *self = sl_core_self();
	int rc;

	f->bytes = 0;
	f->refused = 0;
	for (uint32_t i = 0; i < f->n; i++) {
		struct sl_fetch_part *fp = &f->parts[i];

		fp->result = 0;
		fp->start = fp->end = fp->bytes = 0;
		fp->n_spans = 0;
		fp->armed = fp->told = false;
		fp->fetch = f;
	}
	rc = visit_homes(t, f, look_here, false, NULL, deadline);
	for (uint32_t i = 0; i < f->n; i++) {
		struct sl_fetch_part *fp = &f->parts[i];

		if (fp->n_spans && part_is_at(fp, self))
			continue;
		for (uint32_t k = 0; k < fp->n_spans; k++)
			sl_file_held(fp->spans[k].extent.file);
	}
	if (rc)
		sl_fetch_release(f);
	return rc;
}

void sl_fetch_release(struct sl_fetch *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct sl_fetch_part *fp = &f->parts[i];

		for (uint32_t k = 0; k < fp->n_spans; k++)
			sl_file_release(fp->spans[k].extent.file);
		fp->n_spans = 0;
	}
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* On the asking core. */
static void part_told(struct sl_commit *commit)
{
	struct sl_fetch_part *fp = sl_container_of(commit, struct sl_fetch_part, commit);

	SL_ASSERT(!fp->told);
	SL_ON_CORE(commit->core);
	fp->told = true;
	fp->fetch->woken = true;
	sl_waitq_wake_all(&fp->fetch->q, 0);
}

/* Return: whether the part need not be waited for. */
static bool part_arm(struct core_state *tc, struct sl_fetch_part *fp, struct sl_core *to,
		     int64_t deadline)
{
	struct partition *p;

	if (partition_enter(tc, fp->topic, fp->partition, false, &p, deadline))
		return true; /* the next look tells why */
	fp->commit = (struct sl_commit){.core = to, .done = part_told};
	fp->armed = !sl_order_add(partition_order(p), &fp->commit, fp->end + 1);
	partition_leave(p);
	return !fp->armed;
}

static int arm_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	int rc = core_ready(v->tc, deadline);

	for (uint32_t i = 0; i < v->f->n && !rc && !v->woken; i++)
		if (part_is_at(&v->f->parts[i], v->tc->core))
			v->woken = part_arm(v->tc, &v->f->parts[i], v->to, deadline);
	return rc;
}

static int disarm_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;

	for (uint32_t i = 0; i < v->f->n; i++) {
		struct sl_fetch_part *fp = &v->f->parts[i];
		struct partition *p;

		if (!fp->armed || !part_is_at(fp, v->tc->core))
			continue;
		/* A partition that is gone has told everybody. */
		p = partition_find(v->tc, &fp->topic->id, fp->partition);
		if (p)
			sl_order_cancel(partition_order(p), &fp->commit);
		fp->armed = false;
	}
	return 0;
}

static void disarm(struct sl_topics *t, struct sl_fetch *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		f->parts[i].armed &= !f->parts[i].told;
	while (visit_homes(t, f, disarm_here, true, NULL, SL_NEVER) == -ENOMEM)
		sl_sleep(sl_now() + SL_MSEC);
}

/* Parks until there may be more. Return: 0; -ETIME; what f->wait() said; -errno. */
static int wait_more(struct sl_topics *t, struct core_state *tc, struct sl_fetch *f,
		     int64_t deadline)
{
	bool woken = false;
	int rc;

	f->woken = tc->draining;
	for (uint32_t i = 0; i < f->n; i++)
		f->parts[i].armed = f->parts[i].told = false;
	sl_waitq_init(&f->q);
	sl_list_append(&tc->fetches, &f->node);
	rc = visit_homes(t, f, arm_here, false, &woken, deadline);
	if (!rc && !woken && !f->woken)
		rc = f->wait ? f->wait(f->wait_arg, &f->q, deadline)
			     : sl_waitq_wait(&f->q, deadline);
	sl_list_remove(&f->node);
	disarm(t, f);
	return rc;
}

int sl_fetch_wait(struct sl_topics *t, struct sl_fetch *f, int64_t deadline)
{
	struct core_state *tc = topics_self(t);

	for (;;) {
		int rc = sl_fetch_once(t, f, SL_NEVER);

		if (rc || f->bytes >= f->bytes_min || f->refused || tc->draining ||
		    sl_now() >= deadline)
			return rc;
		rc = wait_more(t, tc, f, deadline);
		if (rc == -ETIME)
			return 0;
		sl_fetch_release(f);
		if (rc)
			return rc;
	}
}
