/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static probes: SL_PROBE2(accept, name, fd) stands where a connection is accepted. probes.def has
 * the rows; docs/telemetry.md says how to look at them. Without <sys/sdt.h> (Debian:
 * systemtap-sdt-dev) nothing is compiled in.
 */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

enum sl_probe {
#define X(name, args, when) SL_PROBE_##name,
#include <sluice/probes.def>
#undef X
	SL_PROBE_LAST
};

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define SL_HAS_PROBES 1
#else
#define SL_HAS_PROBES 0
#define DTRACE_PROBE1(provider, name, a) ((void)(a))
#define DTRACE_PROBE2(provider, name, a, b) ((void)(a), (void)(b))
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

/* The enumeration is named so that a probe without a row does not compile. */
#define SL_PROBE_DO(name, probe)                                                                   \
	do {                                                                                       \
		(void)SL_PROBE_##name;                                                             \
		probe;                                                                             \
	} while (0)
#define SL_PROBE1(name, a) SL_PROBE_DO(name, DTRACE_PROBE1(sluice, name, a))
#define SL_PROBE2(name, a, b) SL_PROBE_DO(name, DTRACE_PROBE2(sluice, name, a, b))
#define SL_PROBE3(name, a, b, c) SL_PROBE_DO(name, DTRACE_PROBE3(sluice, name, a, b, c))
#define SL_PROBE4(name, a, b, c, d) SL_PROBE_DO(name, DTRACE_PROBE4(sluice, name, a, b, c, d))

#endif
