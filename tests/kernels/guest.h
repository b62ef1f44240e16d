/* SPDX-License-Identifier: Apache-2.0 */
/* What acked.c and stored.c are told by the environment, and tell the scripts line by line. */
#ifndef TESTS_KERNELS_GUEST_H
#define TESTS_KERNELS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

/* A variable of the environment, without which the program ends. */
const char *guest_setting(const char *name);

/* The port of ACKED_PORT. */
uint16_t guest_port(void);

/* "acked NAME LANE END", out at once: the power may go. */
void guest_tell_acked(int lane, uint64_t end);

/* "kept NAME", or "lost NAME". */
void guest_tell_kept(bool lost);

#endif
