/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where results of the engine become codes of the protocol. */
#include <errno.h>

#include "kafka_pvt.h"

static const int16_t of_refusal[SL_REFUSED_LAST] = {
#define X(name, what, kafka) [SL_REFUSED_##name] = KAFKA_ERR_##kafka,
#include "stores/topics/refusals.def"
#undef X
};

static int16_t of_errno(int err)
{
	switch (err) {
	case -ETIME:
		return KAFKA_ERR_REQUEST_TIMED_OUT;
	case -EBADMSG:
		return KAFKA_ERR_CORRUPT_MESSAGE;
	case -EIO:
	case -ENOSPC:
	case -EROFS:
	case -EDQUOT:
		return KAFKA_ERR_KAFKA_STORAGE_ERROR;
	default:
		return KAFKA_ERR_UNKNOWN_SERVER_ERROR;
	}
}

int16_t kafka_error_of(int result)
{
	if (result < 0)
		return of_errno(result);
	SL_ASSERT(result < SL_REFUSED_LAST);
	return of_refusal[result];
}
