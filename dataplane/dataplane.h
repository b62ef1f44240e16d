/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataplane: bytes in flight. The one header that folders to the right include.
 *
 * Cores and fibers (core.h, fiber.h), buffers, extents and parts (buf.h), durability waits
 * (commit.h), what all cores see (view.h), delivery (deliver.h), connections (conn.h), file
 * operations (file.h), reads past the page cache (direct.h), outgoing connections (stream.h,
 * resolve.h), and what surrounds them: configuration, logs, metrics, the data folder, privileges,
 * signals, systemd.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include "buf.h"
#include "commit.h"
#include "conf.h"
#include "conn.h"
#include "core.h"
#include "datadir.h"
#include "deliver.h"
#include "direct.h"
#include "fiber.h"
#include "file.h"
#include "keys.h"
#include "log.h"
#include "mapped.h"
#include "metric.h"
#include "notify.h"
#include "privileges.h"
#include "resolve.h"
#include "signals.h"
#include "steer.h"
#include "stream.h"
#include "telemetry.h"
#include "tls.h"
#include "view.h"

#endif
