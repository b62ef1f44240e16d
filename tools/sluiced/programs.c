/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's kernel programs: which are wanted, and when each is loaded.
 *
 * Interface: "programs.c" of daemon.h. Those that listeners are opened with are loaded by a thread
 * of its own while the first one waits for the disk: the kernel takes as long to check them as the
 * disk takes to sync DATADIR's incarnation. Those that only count come when the daemon serves,
 * with the capabilities that it keeps: nobody waits for them. A program that is refused is told of,
 * and missed by nobody.
 *
 * Order of parts: which; before; when it serves.
 */
#include <errno.h>

#include "daemon.h"

/* ---- which ------------------------------------------------------------------------------ */

#define WITH_LISTENERS (UINT64_C(1) << SL_BPF_STEER | UINT64_C(1) << SL_BPF_PORTS)

static uint64_t wanted_programs(const struct daemon *d)
{
	const struct sl_conf *c = &d->conf;
	const bool wanted[SL_BPF_LAST] = {
		[SL_BPF_PUNTS] = c->bpf.punts,
		[SL_BPF_LATENCY] = c->bpf.latency,
		[SL_BPF_SCHED] = c->bpf.sched,
		[SL_BPF_PAGECACHE] = c->bpf.pagecache,
		[SL_BPF_TCP] = c->bpf.tcp,
		[SL_BPF_STEER] = c->bpf.steer && d->cores_n > 1,
		[SL_BPF_PORTS] = c->bpf.ports && c->kafka.core_ports.first,
	};
	uint64_t mask = 0;

	for (int p = 0; p < SL_BPF_LAST; p++)
		mask |= (uint64_t)(c->bpf.enabled && wanted[p]) << p;
	return mask;
}

static struct sl_bpf_conf conf_of(const struct daemon *d, uint64_t which)
{
	return (struct sl_bpf_conf){
		.wanted = wanted_programs(d) & which,
		.sample = (uint32_t)d->conf.bpf.sample,
		.steer_cores = d->cores_n,
		.steer_groups = listeners_addresses(&d->conf),
	};
}

static void tell(const struct daemon *d, uint64_t wanted)
{
	uint32_t loaded = 0, refused = 0;

	for (int p = 0; p < SL_BPF_LAST; p++) {
		const struct sl_bpf_status *s = sl_bpf_status(d->bpf, (enum sl_bpf_program)p);

		loaded += s->state == SL_BPF_LOADED;
		if (s->state != SL_BPF_REFUSED)
			continue;
		refused++;
		if (wanted >> p & 1)
			sl_log_debug("bpf.program-off",
				     SL_KV(program, sl_bpf_info((enum sl_bpf_program)p)->name),
				     SL_KV(why, s->why));
	}
	if (wanted & ~WITH_LISTENERS)
		sl_log_debug("bpf.loaded", SL_KV(programs, loaded), SL_KV(refused, refused));
}

/* ---- before ----------------------------------------------------------------------------- */

static void *load(void *arg)
{
	struct loader *l = arg;

	sl_bpf_load(&l->conf, &l->bpf);
	return NULL;
}

void programs_begin(struct loader *l, const struct daemon *d)
{
	*l = (struct loader){.conf = conf_of(d, WITH_LISTENERS)};
	l->has_thread = l->conf.wanted && !pthread_create(&l->thread, NULL, load, l);
	if (!l->has_thread)
		load(l);
}

int programs_end(struct loader *l, struct daemon *d)
{
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	d->bpf = l->bpf;
	if (!d->bpf)
		return -ENOMEM;
	tell(d, l->conf.wanted);
	return 0;
}

/* ---- when it serves --------------------------------------------------------------------- */

struct sl_bpf_conf programs_that_count(const struct daemon *d)
{
	return conf_of(d, ~WITH_LISTENERS);
}

void programs_count(struct daemon *d, const struct sl_bpf_conf *conf)
{
	if (!conf->wanted)
		return;
	sl_bpf_load_more(d->bpf, conf);
	tell(d, conf->wanted);
}
