/* SPDX-License-Identifier: Apache-2.0 */
/* What groups.c and group_offsets.c share. */
#ifndef PROTO_KAFKA_GROUPS_PVT_H
#define PROTO_KAFKA_GROUPS_PVT_H

#include "kafka_pvt.h"

/*
 * The wire code of a group call's result. Members know what to do about few codes; whatever is the
 * machine's fault sends them to look for the coordinator again, and so to wait.
 */
int16_t group_error(int result);

#endif
