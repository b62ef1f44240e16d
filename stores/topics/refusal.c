/* SPDX-License-Identifier: Apache-2.0 */
/* refusal: the texts of results. Interface: refusal.h; rows: refusals.def. */
#include "refusal.h"

#include <sluice/assert.h>
#include <sluice/util.h>

static const char *const texts[] = {
#define X(name, what, kafka) [SL_REFUSED_##name] = what,
#include "refusals.def"
#undef X
};
static_assert(SL_ARRAY_SIZE(texts) == SL_REFUSED_LAST, "a text for each refusal");

const char *sl_refusal_text(int result)
{
	if (result < 0)
		return strerror(-result);
	SL_ASSERT(result < SL_REFUSED_LAST);
	return texts[result];
}
