/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer keys: who may do what by the HTTP APIs.
 *
 * The file has a line for each key: "NAME SHA256 SCOPE[,SCOPE...]", the digest of the key in
 * hexadecimal, so that the file tells nobody a key. Empty lines and those that begin with # are
 * passed over.
 */
#ifndef DATAPLANE_KEYS_H
#define DATAPLANE_KEYS_H

#include <stddef.h>
#include <stdint.h>

/* What a key is good for. One for admin is good for everything. */
enum {
	SL_SCOPE_READ = 1 << 0,
	SL_SCOPE_WRITE = 1 << 1,
	SL_SCOPE_ADMIN = 1 << 2,
};

enum { SL_KEY_NAME_BYTES = 64 };

/**
 * struct sl_keyring - the keys in force; zeroed: none are asked for, and everything is allowed.
 * Changed by sl_keyring_load() on one core at a time, looked at by all.
 */
struct sl_keyring {
	struct sl_keys *now; /* atomic */
};

/**
 * sl_keyring_load() - take the keys of the file at @path from now on; "": none are asked for. Parks
 * a fiber, blocks a thread without one. Tables that were in force are kept until sl_keyring_done().
 * Return: 0; -EINVAL, -ENOMEM or the -errno of reading, with file, line and cure in @why: then the
 *	keys stay as they were.
 */
int sl_keyring_load(struct sl_keyring *r, const char *path, char *why, size_t why_len,
		    int64_t deadline);

/* The same of a text, called @name in messages: for tests. */
int sl_keyring_parse(struct sl_keyring *r, const char *name, const char *text, size_t len,
		     char *why, size_t why_len);
void sl_keyring_done(struct sl_keyring *r);

/**
 * sl_keys_check() - whether a request may do what @scope says; takes the same time whichever key
 * is wrong.
 * @authorization, @len: the value of its Authorization field; 0 bytes: it has none.
 * @ret_name: the key's name, for the access log; "" without a key. May be NULL.
 * Return: 0; -ENOKEY: there is no key, or nobody's (401 with WWW-Authenticate: Bearer); -EACCES:
 *	the key is not good for that (403).
 */
int sl_keys_check(const struct sl_keyring *r, const char *authorization, size_t len, uint32_t scope,
		  char ret_name[SL_KEY_NAME_BYTES]);

#endif
