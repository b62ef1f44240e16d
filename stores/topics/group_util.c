/* SPDX-License-Identifier: Apache-2.0 */
/* group_util: strings that groups own, and the memory of results. Interface: groups_pvt.h. */
#include <errno.h>

#include "groups_pvt.h"

int str_copy(struct sl_str s, struct sl_str *ret_copy)
{
	char *p;

	if (!s.s) {
		*ret_copy = (struct sl_str){0};
		return 0;
	}
	p = malloc(s.len + 1);
	if (!p)
		return -ENOMEM;
	memcpy(p, s.s, s.len);
	p[s.len] = 0;
	*ret_copy = (struct sl_str){p, s.len};
	return 0;
}

void str_free(struct sl_str *s)
{
	free((void *)(uintptr_t)s->s);
	*s = (struct sl_str){0};
}

int pack_init(struct pack *pk, size_t bytes, void **ret_memory)
{
	char *p = malloc(bytes + 1);

	if (!p)
		return -ENOMEM;
	*pk = (struct pack){p, p + bytes};
	*ret_memory = p;
	return 0;
}

void *pack_room(struct pack *pk, size_t bytes)
{
	void *p = pk->p;

	SL_ASSERT(bytes <= (size_t)(pk->end - pk->p));
	SL_ASSERT((uintptr_t)p % 8 == 0);
	pk->p += bytes;
	return p;
}

struct sl_str pack_str(struct pack *pk, struct sl_str s)
{
	char *p = pk->p;

	if (!s.s)
		return s;
	SL_ASSERT(s.len <= (size_t)(pk->end - pk->p));
	memcpy(p, s.s, s.len);
	pk->p += s.len;
	return (struct sl_str){p, s.len};
}
