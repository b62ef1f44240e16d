/* SPDX-License-Identifier: Apache-2.0 */
/* filter_kit.h: objects of JSON. */
#include "filter_kit.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

struct sl_object *object_of(const char *point)
{
	struct sl_object_builder *b;
	const struct sl_object *o;
	char why[256] = "";
	uint8_t *bytes;
	size_t n;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	if (sl_object_put_json(b, SL_JSON_POINT, point, strlen(point), NULL, 0, why, sizeof(why)))
		TH_LOG("%s: %s", point, why);
	ASSERT_STREQ("", why);
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	bytes = malloc(n);
	ASSERT_TRUE(bytes != NULL);
	ASSERT_EQ(0, sl_object_build(b, bytes, n));
	ASSERT_EQ(0, sl_object_open(bytes, n, &o));
	sl_object_builder_free(b);
	return (struct sl_object *)bytes;
}
