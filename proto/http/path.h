/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's path names below a root folder. */
#ifndef PROTO_HTTP_PATH_H
#define PROTO_HTTP_PATH_H

#include "arena.h"
#include "request.h"

/* The longest path that the kernel takes, its NUL included. */
#define HTTP_PATH_BYTES 4096

/**
 * http_path_clean() - @path relative to a root: percent-encoding undone once, empty segments and
 * "." left out, ".." resolved. "" is the root; a path that means a folder ends with "/".
 * @ret_path: HTTP_PATH_BYTES bytes, terminated.
 * Return: its length; -EILSEQ: malformed encoding, NUL, or ".." that leads above the root; -ENOENT:
 *	   an encoded slash, which no name has; -ENAMETOOLONG.
 */
ssize_t http_path_clean(struct http_str path, char *ret_path);

/**
 * http_percent_decode() - @s, its percent-encoding undone once; any bytes, NUL and slashes too.
 * Return: bytes, at most @max; -EILSEQ: malformed encoding; -ENAMETOOLONG.
 */
ssize_t http_percent_decode(struct http_str s, void *ret_bytes, size_t max);

/* The same into @a, with a NUL behind it. Return: bytes; -EILSEQ; -ENOMEM. */
ssize_t http_percent_text(struct http_str s, struct http_arena *a, const char **ret_text);

/**
 * http_path_encode() - the @n bytes of @name as a segment of a URI, behind @ret_text.
 * @size: its room. Return: bytes written, without NUL; -ENOSPC.
 */
ssize_t http_path_encode(const char *name, size_t n, char *ret_text, size_t size);

#endif
