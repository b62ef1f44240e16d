/* SPDX-License-Identifier: Apache-2.0 */
/* Media types by the ends of file names. */
#ifndef APIS_STATIC_MIME_H
#define APIS_STATIC_MIME_H

#include <stdbool.h>
#include <stddef.h>

/* The type of the file at @path; "application/octet-stream" for an end that has no row. */
const char *http_mime_type(const char *path);

/* The table, for its test: row @i, in the order of its ends. Return: false behind the last. */
bool http_mime_row(size_t i, const char **ret_end, const char **ret_type);

#endif
