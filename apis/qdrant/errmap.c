// SPDX-License-Identifier: Apache-2.0
/*
 * From what went wrong to Qdrant's error object.
 *
 * Interface: qd_errno() and qd_fault() of qdrant_pvt.h. The one place of this folder where an errno
 * or a fault of the store becomes a status; what a request itself has wrong is told where it is
 * read. Texts are worded as Qdrant's are where its clients' users know them.
 */
#include <errno.h>

#include "qdrant_pvt.h"

static const struct {
	int err, status;
	const char *why;
} errnos[] = {
	{EPROTO, 400, "Format error in JSON body: the body is not framed as HTTP wants it"},
	{EILSEQ, 400, "Wrong input: the path is malformed, or a text is not UTF-8"},
	{EINVAL, 400, "Wrong input: the request cannot be carried out as it is"},
	{ENOENT, 404, "Not found: it does not exist, or not any more"},
	{ETIME, 408, "Timeout: the operation did not end in time; it may still have an effect"},
	{EEXIST, 409, "Wrong input: it exists already"},
	{EAGAIN, 409, "Conflict: somebody else changed it meanwhile; try again"},
	{EMSGSIZE, 413, "Payload error: the body is too long: send it in several requests"},
	{EFBIG, 413, "Payload error: a point is longer than 256 MiB"},
	{E2BIG, 413, "Service error: the answer is too long: ask for less with a smaller limit"},
	{ENOMEM, 503,
	 "Service unavailable: out of memory: see node.memory_max_bytes and "
	 "objects.memory_max_bytes"},
	{ESHUTDOWN, 503, "Service unavailable: the server stops"},
	{EROFS, 503, "Service unavailable: the disk failed, and nothing can be written"},
	{EIO, 503, "Service unavailable: the disk failed"},
	{ENOSPC, 507, "No space left on device: free some, then write again"},
	{EDQUOT, 507, "No space left on device: the quota is used up"},
};

void qd_errno(struct qd_call *c, int err)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(errnos); i++) {
		if (errnos[i].err == -err) {
			qd_wrong(c, errnos[i].status, "%s", errnos[i].why);
			return;
		}
	}
	qd_wrong(c, 500, "Service internal error: errno %d", -err);
}

int qd_fault(struct qd_call *c, enum sl_objects_fault fault, const struct sl_objects_vector *conf,
	     const char *name, uint32_t dim)
{
	switch (fault) {
	case SL_OBJECTS_NO_KEY:
		return qd_format_error(c, "missing field `id`");
	case SL_OBJECTS_UNKNOWN_VECTOR:
		return qd_wrong(c, 400, "Wrong input: Not existing vector name error: %.200s",
				name);
	case SL_OBJECTS_WRONG_DIM:
		return qd_wrong(c, 400,
				"Wrong input: Vector dimension error: expected dim: %u, got %u",
				conf ? conf->dim : 0, dim);
	case SL_OBJECTS_WRONG_TYPE:
		return qd_wrong(c, 400, "Wrong input: vector \"%.200s\" is not one of numbers",
				name);
	case SL_OBJECTS_BAD_QUERY:
		return qd_wrong(c, 400,
				"Wrong input: the vector is not finite, or limit too large");
	case SL_OBJECTS_NO_OBJECT:
		return qd_wrong(c, 404,
				"Not found: No point with the id of the query found, or it "
				"lacks vector \"%.200s\"",
				name);
	default:
		return qd_wrong(c, 400, "Wrong input: a point is damaged or not allowed");
	}
}
