// SPDX-License-Identifier: Apache-2.0
/* A file of bearer keys, up to the first zero, and behind it the field that a client sent. */
#include <errno.h>
#include <string.h>

#include <sluice/assert.h>

#include "dataplane/dataplane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	size_t len = zero ? (size_t)(zero - data) : size;
	struct sl_keyring r = {0};
	char name[SL_KEY_NAME_BYTES], why[300] = "";
	int err = sl_keyring_parse(&r, "fuzz", (const char *)data, len, why, sizeof(why)), res;

	SL_ASSERT(err ? err == -EINVAL && why[0] && !r.now : r.now != NULL);
	res = sl_keys_check(&r, zero ? (const char *)zero + 1 : NULL, zero ? size - len - 1 : 0,
			    SL_SCOPE_READ, name);
	SL_ASSERT(memchr(name, 0, sizeof(name)));
	SL_ASSERT(err ? !res : res == 0 || res == -ENOKEY || res == -EACCES);
	sl_keyring_done(&r);
	return 0;
}
