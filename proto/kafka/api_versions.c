/* SPDX-License-Identifier: Apache-2.0 */
/* ApiVersions: which APIs and versions are served (apis.def), also to clients that are too new. */
#include <errno.h>

#include "kafka_pvt.h"

int kafka_api_versions_handle(struct kafka_request *rq,
			      const struct kafka_api_versions_request *req,
			      struct kafka_api_versions_response *res)
{
	static const struct kafka_api_versions_response_key keys[] = {
#define X(id, name, min, max, ...) {KAFKA_##id, min, max},
#include "apis.def"
#undef X
	};

	(void)req;
	res->api_keys.v = kafka_alloc(rq, 1, sizeof(keys));
	if (!res->api_keys.v)
		return -ENOMEM;
	memcpy(res->api_keys.v, keys, sizeof(keys));
	res->api_keys.n = SL_ARRAY_SIZE(keys);
	return 0;
}
