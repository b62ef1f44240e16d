/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is mapped from files, where reading can fail. */
#ifndef DATAPLANE_MAPPED_H
#define DATAPLANE_MAPPED_H

/**
 * sl_mapped_try() - @fn(@arg), which reads mapped memory and does not park. What it does must be of
 * no use if it is left in the middle.
 * Return: 0; -EIO: some of the memory cannot be read (the disk fails, or the file is shorter by
 *	now), and @fn was left there.
 */
int sl_mapped_try(void (*fn)(void *arg), void *arg);

#endif
