/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry: what the programs in the kernel count, as rows of metrics. A row whose program is not
 * loaded is not shown.
 */
#ifndef DATAPLANE_TELEMETRY_H
#define DATAPLANE_TELEMETRY_H

#include "bpf/bpf.h"

#include "metric.h"

/* Its fields are telemetry.c's own. */
struct sl_telemetry {
	const struct sl_bpf *bpf;
	struct sl_metric_source source;
	const char *programs[SL_BPF_LAST];
};

/**
 * sl_telemetry_init() - give @registry the sources and dimensions of all rows that @bpf knows of.
 * Before the first core's slots are made; @t and @bpf outlive the registry.
 */
void sl_telemetry_init(struct sl_telemetry *t, struct sl_registry *registry,
		       const struct sl_bpf *bpf);

#endif
