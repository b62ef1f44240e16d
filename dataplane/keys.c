/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer keys, by their digests.
 *
 * Interface: keys.h. A table is built whole and then only read, by any core; the one that took its
 * place points at it, so that whoever looks at it still may. Digests are compared all of them and
 * each as a whole, so that time tells nothing of how near a guess came.
 *
 * Order of parts: lines; tables; the check.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "keys.h"
#include "text.h"

enum { DIGEST_BYTES = 32, FILE_BYTES_MAX = 1 << 20, KEY_BYTES_MAX = 1024 };

struct key {
	char name[SL_KEY_NAME_BYTES];
	uint8_t digest[DIGEST_BYTES];
	uint32_t scopes;
};

struct sl_keys {
	struct sl_keys *older;
	bool nobody_asked; /* the setting was taken away */
	uint32_t n;
	struct key v[];
};

/* ---- lines ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint32_t scopes;
} scopes[] = {
	{"read", SL_SCOPE_READ},
	{"write", SL_SCOPE_WRITE},
	{"admin", SL_SCOPE_READ | SL_SCOPE_WRITE | SL_SCOPE_ADMIN},
};

/* The word at *@p, before @end. Return: its length. */
static size_t next_word(const char **p, const char *end, const char **ret_word)
{
	const char *word;

	while (*p < end && isspace((unsigned char)**p))
		++*p;
	word = *p;
	while (*p < end && !isspace((unsigned char)**p))
		++*p;
	*ret_word = word;
	return (size_t)(*p - word);
}

static bool read_digest(const char *p, size_t len, uint8_t *dst)
{
	if (len != 2 * DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = sl_hex_digit(p[2 * i]), low = sl_hex_digit(p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		dst[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_scopes(const char *p, size_t len, uint32_t *ret_scopes)
{
	const char *end = p + len;
	uint32_t all = 0;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma ? comma : end) - p);
		uint32_t one = 0;

		for (size_t i = 0; i < SL_ARRAY_SIZE(scopes); i++)
			if (strlen(scopes[i].name) == n && !memcmp(scopes[i].name, p, n))
				one = scopes[i].scopes;
		if (!one)
			return false;
		all |= one;
		p += n + (comma != NULL);
	}
	*ret_scopes = all;
	return all;
}

/* Return: NULL, or what is wrong with the line [@p, @end). */
static const char *read_line(const char *p, const char *end, struct key *ret_key)
{
	struct key k = {0};
	const char *word;
	size_t len = next_word(&p, end, &word);

	if (!len || len >= sizeof(k.name))
		return "the name of a key has 1 to 63 characters";
	memcpy(k.name, word, len);
	len = next_word(&p, end, &word);
	if (!read_digest(word, len, k.digest))
		return "the second word must be the key's SHA-256, 64 hexadecimal digits "
		       "(printf %s KEY | sha256sum)";
	len = next_word(&p, end, &word);
	if (!read_scopes(word, len, &k.scopes))
		return "the third word must be scopes: read, write or admin, with commas between "
		       "them";
	if (next_word(&p, end, &word))
		return "there is more than name, digest and scopes";
	*ret_key = k;
	return NULL;
}

/* ---- tables ----------------------------------------------------------------------------- */

static bool says_nothing(const char *p, const char *end)
{
	const char *word;

	return !next_word(&p, end, &word) || *word == '#';
}

/* Return: 0 or -errno. */
static int read_table(const char *path, const char *text, size_t len, struct sl_keys **ret_keys,
		      char *why, size_t why_len)
{
	const char *end = text + len;
	struct sl_keys *t;
	size_t lines = 1;

	for (const char *p = text; p < end; p++)
		lines += *p == '\n';
	t = calloc(1, sizeof(*t) + lines * sizeof(t->v[0]));
	if (!t)
		return -ENOMEM;
	for (size_t line = 1; text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const char *wrong;

		stop = stop ? stop : end;
		wrong = says_nothing(text, stop) ? NULL : read_line(text, stop, &t->v[t->n]);
		if (wrong) {
			snprintf(why, why_len, "keys %s, line %zu: %s", path, line, wrong);
			free(t);
			return -EINVAL;
		}
		t->n += !says_nothing(text, stop);
		text = stop + 1;
	}
	*ret_keys = t;
	return 0;
}

/* Old tables stay: somebody may look at them. */
static void publish(struct sl_keyring *r, struct sl_keys *t)
{
	t->older = r->now;
	__atomic_store_n(&r->now, t, __ATOMIC_RELEASE);
}

int sl_keyring_parse(struct sl_keyring *r, const char *name, const char *text, size_t len,
		     char *why, size_t why_len)
{
	struct sl_keys *t;
	int err = read_table(name, text, len, &t, why, why_len);

	if (!err)
		publish(r, t);
	return err;
}

static int read_file(struct sl_keyring *r, const char *path, char *why, size_t why_len,
		     int64_t deadline)
{
	char *text = malloc(FILE_BYTES_MAX);
	ssize_t n = text ? sl_read_file(AT_FDCWD, path, text, FILE_BYTES_MAX, deadline) : -ENOMEM;
	int err = (int)sl_min(n, (ssize_t)0);

	if (!err)
		err = sl_keyring_parse(r, path, text, (size_t)n, why, why_len);
	free(text);
	if (err && !why[0])
		snprintf(why, why_len, "keys %s: %s%s", path, strerror(-err),
			 err == -EACCES ? "; the user that the daemon runs as must be able to "
					  "read it" : "");
	return err;
}

int sl_keyring_load(struct sl_keyring *r, const char *path, char *why, size_t why_len,
		    int64_t deadline)
{
	why[0] = 0;
	if (path[0])
		return read_file(r, path, why, why_len, deadline);
	if (r->now && !r->now->nobody_asked) {
		struct sl_keys *t = calloc(1, sizeof(*t));

		if (!t)
			return -ENOMEM;
		t->nobody_asked = true;
		publish(r, t);
	}
	return 0;
}

void sl_keyring_done(struct sl_keyring *r)
{
	while (r->now) {
		struct sl_keys *t = r->now;

		r->now = t->older;
		free(t);
	}
}

/* ---- the check -------------------------------------------------------------------------- */

/* The key in "Bearer KEY". Return: its length, 0: none. */
static size_t bearer(const char *p, size_t len, const char **ret_key)
{
	static const char scheme[] = "Bearer ";
	size_t n = sizeof(scheme) - 1;

	if (len <= n || strncasecmp(p, scheme, n) != 0)
		return 0;
	while (n < len && p[n] == ' ')
		n++;
	*ret_key = p + n;
	return len - n <= KEY_BYTES_MAX ? len - n : 0;
}

int sl_keys_check(const struct sl_keyring *r, const char *authorization, size_t len, uint32_t scope,
		  char ret_name[SL_KEY_NAME_BYTES])
{
	const struct sl_keys *t = __atomic_load_n(&r->now, __ATOMIC_ACQUIRE);
	const struct key *found = NULL;
	uint8_t digest[DIGEST_BYTES];
	const char *key;
	size_t n;

	if (ret_name)
		ret_name[0] = 0;
	if (!t || t->nobody_asked)
		return 0;
	n = bearer(authorization, len, &key);
	if (!n || EVP_Digest(key, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOKEY;
	for (uint32_t i = 0; i < t->n; i++)
		if (!CRYPTO_memcmp(digest, t->v[i].digest, DIGEST_BYTES))
			found = &t->v[i];
	if (!found)
		return -ENOKEY;
	if (ret_name)
		memcpy(ret_name, found->name, SL_KEY_NAME_BYTES);
	return (found->scopes & scope) == scope ? 0 : -EACCES;
}
