/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How many opcodes of io_uring programs tell apart. */
#ifndef BPF_OPCODES_H
#define BPF_OPCODES_H

/* A power of two; Linux 6.18 has 63. */
#define SL_BPF_OPCODES 64

#endif
