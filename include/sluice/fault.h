/* SPDX-License-Identifier: Apache-2.0 */
/* The enumeration of fault points; fault.def holds the rows. */
#ifndef SLUICE_FAULT_H
#define SLUICE_FAULT_H

#define SL_FAULT(name) SL_FAULT_##name

enum sl_fault {
#define X(name, what) SL_FAULT_##name,
#include <sluice/fault.def>
#undef X
	SL_FAULT_LAST
};

#endif
