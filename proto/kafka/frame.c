/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the Kafka protocol: length, request or response header, message.
 *
 * Interface: the last part of codec.h. A request header is v1 (key, version, correlation id,
 * client id) or, where the message is flexible, v2 (the same and tagged fields; the client id
 * keeps its old encoding, for a broker must be able to read the header of any version). A response
 * header is the correlation id, followed by tagged fields where the message is flexible; only
 * ApiVersions never has those, because the client does not know yet what the broker speaks.
 * Header v0 (ControlledShutdown v0) belongs to an API that sluice does not have.
 *
 * Invariant: what the encoders append is as long as their size functions said.
 */
#include "codec.h"

#include <sluice/assert.h>

/* Length prefix, key, version, correlation id. */
#define REQUEST_FIXED_BYTES (KAFKA_FRAME_PREFIX_BYTES + 2 + 2 + 4)
/* Length prefix, correlation id. */
#define RESPONSE_FIXED_BYTES (KAFKA_FRAME_PREFIX_BYTES + 4)

static bool response_has_tags(const struct kafka_api_info *info, int version)
{
	return version >= info->flexible_since && info->key != KAFKA_API_VERSIONS;
}

int kafka_request_header_decode(struct kafka_in *in, struct kafka_request_header *ret_header)
{
	struct kafka_request_header h;
	const struct kafka_api_info *info;

	h.api_key = kafka_get_i16(in);
	h.api_version = kafka_get_i16(in);
	h.correlation_id = kafka_get_i32(in);
	h.client_id = kafka_get_nullable_str(in, false);
	info = kafka_api_find(h.api_key);
	if (info && h.api_version >= info->flexible_since)
		kafka_skip_tags(in);
	if (in->err)
		return in->err;
	*ret_header = h;
	return 0;
}

int kafka_response_header_decode(struct kafka_in *in, enum kafka_api api, int version,
				 int32_t *ret_correlation_id)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	int32_t id;

	if (!info || version < info->min || version > info->max)
		return -EOPNOTSUPP;
	id = kafka_get_i32(in);
	if (response_has_tags(info, version))
		kafka_skip_tags(in);
	if (in->err)
		return in->err;
	*ret_correlation_id = id;
	return 0;
}

/* Adds what stands before the message; a frame's length must fit its prefix. */
static int add_head(size_t head_bytes, struct kafka_sizes *sizes)
{
	if (sizes->wire_bytes + head_bytes - KAFKA_FRAME_PREFIX_BYTES > INT32_MAX)
		return -EMSGSIZE;
	sizes->wire_bytes += head_bytes;
	sizes->mem_bytes += head_bytes;
	return 0;
}

/* The message, and the check that the frame became what the sizes promised. */
static int put_message(const struct kafka_schema *schema, int version, const void *msg,
		       const struct kafka_sizes *sizes, size_t from, struct kafka_out *out)
{
	int err = kafka_encode(schema, version, msg, out);

	if (err)
		return err;
	SL_ASSERT(out->len - from == sizes->mem_bytes);
	return 0;
}

int kafka_response_size(enum kafka_api api, int version, const void *msg,
			struct kafka_sizes *ret_sizes)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	struct kafka_sizes sizes;
	int err;

	if (!info)
		return -EOPNOTSUPP;
	err = kafka_size(info->response, version, msg, &sizes);
	if (!err)
		err = add_head(RESPONSE_FIXED_BYTES + response_has_tags(info, version), &sizes);
	if (err)
		return err;
	*ret_sizes = sizes;
	return 0;
}

int kafka_response_encode(enum kafka_api api, int version, int32_t correlation_id, const void *msg,
			  const struct kafka_sizes *sizes, struct kafka_out *out)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	size_t from = out->len;

	if (!info)
		return -EOPNOTSUPP;
	SL_ASSERT(sizes->wire_bytes >= RESPONSE_FIXED_BYTES);
	kafka_put_i32(out, (int32_t)(sizes->wire_bytes - KAFKA_FRAME_PREFIX_BYTES));
	kafka_put_i32(out, correlation_id);
	if (response_has_tags(info, version))
		kafka_put_uvarint(out, 0);
	return put_message(info->response, version, msg, sizes, from, out);
}

int kafka_request_size(enum kafka_api api, int version, struct kafka_str client_id, const void *msg,
		       struct kafka_sizes *ret_sizes)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	struct kafka_out head = {.p = NULL};
	struct kafka_sizes sizes;
	int err;

	if (!info)
		return -EOPNOTSUPP;
	kafka_put_nullable_str(&head, client_id, false);
	if (head.err)
		return head.err;
	err = kafka_size(info->request, version, msg, &sizes);
	if (!err)
		err = add_head(REQUEST_FIXED_BYTES + head.len + (version >= info->flexible_since),
			       &sizes);
	if (err)
		return err;
	*ret_sizes = sizes;
	return 0;
}

int kafka_request_encode(enum kafka_api api, int version, int32_t correlation_id,
			 struct kafka_str client_id, const void *msg,
			 const struct kafka_sizes *sizes, struct kafka_out *out)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	size_t from = out->len;

	if (!info)
		return -EOPNOTSUPP;
	SL_ASSERT(sizes->wire_bytes >= REQUEST_FIXED_BYTES);
	kafka_put_i32(out, (int32_t)(sizes->wire_bytes - KAFKA_FRAME_PREFIX_BYTES));
	kafka_put_i16(out, info->key);
	kafka_put_i16(out, (int16_t)version);
	kafka_put_i32(out, correlation_id);
	kafka_put_nullable_str(out, client_id, false);
	if (version >= info->flexible_since)
		kafka_put_uvarint(out, 0);
	return put_message(info->request, version, msg, sizes, from, out);
}
