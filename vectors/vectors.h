/* SPDX-License-Identifier: Apache-2.0 */
/* vectors: the one header that the layers to the right include. */
#ifndef VECTORS_VECTORS_H
#define VECTORS_VECTORS_H

#include <sluice/distance.h>
#include <sluice/filter.h>

#include "batch.h"
#include "half.h"
#include "index.h"
#include "object.h"
#include "payload.h"
#include "slabs.h"

#endif
