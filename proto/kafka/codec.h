/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of the Kafka protocol: messages to and from bytes, driven by the tables that
 * messages.def becomes. Every message goes both ways: the server decodes requests and encodes
 * responses, the client tools the reverse.
 *
 * Decoding: strings, bytes and records are slices of the input, arrays and structs come from the
 * caller's arena; so a decoded message lives as long as both. A field that the version lacks
 * gets its default, unknown tagged fields are skipped.
 *
 * Encoding is done in two steps, so that memory is allocated once and the length is known before
 * the first byte leaves:
 *
 *	struct kafka_fetch_response res;
 *	kafka_init(&kafka_fetch_response_schema, &res);
 *	... fill in; a partition's records are {.p = NULL, .n = bytes, .cookie = my_index} ...
 *	err = kafka_response_size(KAFKA_FETCH, version, &res, &sizes);
 *	kafka_out_init(&out, memory of sizes.mem_bytes, sizes.mem_bytes);
 *	kafka_out_splits(&out, room for sizes.splits, sizes.splits);
 *	err = kafka_response_encode(KAFKA_FETCH, version, correlation_id, &res, &sizes, &out);
 *	... send out.p up to splits[0].at, the extent of splits[0].cookie, and so on ...
 *
 * A field that the version lacks is left out in silence when encoding; what it meant is the
 * caller's business. No call here parks, allocates outside the arena, or logs.
 */
#ifndef PROTO_KAFKA_CODEC_H
#define PROTO_KAFKA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bump.h"
#include "wire.h"

/* API keys: KAFKA_PRODUCE = 0, KAFKA_FETCH = 1, ... one for each API() row of messages.def. */
enum kafka_api {
#define API(id, key, name, min, max, flexible) KAFKA_##id = key,
#include "messages.def"
	KAFKA_API_LAST = KAFKA_DESCRIBE_CLUSTER + 1 /* highest key plus one */
};

/* ---- schemas (read by the codec and by tests) ----------------------------------------------- */

enum kafka_type {
	KAFKA_T_BOOL,
	KAFKA_T_INT8,
	KAFKA_T_INT16,
	KAFKA_T_ERROR, /* an int16 that is an error code: struct kafka_out counts them */
	KAFKA_T_INT32,
	KAFKA_T_INT64,
	KAFKA_T_UUID,
	KAFKA_T_STRING,
	KAFKA_T_BYTES,
	KAFKA_T_RECORDS,
	KAFKA_T_STRUCT,
	KAFKA_T_ARRAY,
	KAFKA_T_LAST
};

struct kafka_schema;

/* A field: one row of messages.def. */
struct kafka_field {
	const char *name;
	const struct kafka_schema *schema; /* of a struct, or of an array's elements that are */
	int64_t dflt; /* of an integer or bool */
	uint16_t offset; /* in the C struct */
	uint8_t type; /* enum kafka_type */
	uint8_t elem; /* an array's elements: enum kafka_type, not ARRAY */
	int8_t since, until; /* versions that carry it */
	int8_t nullable_since; /* if is_nullable */
	uint8_t tag; /* if is_tagged */
	bool is_nullable, is_tagged, is_null_default;
};

/* A struct: a whole message (then with versions) or a part of one. */
struct kafka_schema {
	const char *name;
	const struct kafka_field *fields; /* in the order of the wire */
	uint16_t fields_n;
	uint32_t size; /* of the C struct, bytes */
	int8_t min, max, flexible_since;
	bool is_message;
};

/* What every array member looks like; n < 0 is null. */
struct kafka_array {
	void *v;
	int32_t n;
};

/* An API that the codec knows. */
struct kafka_api_info {
	const char *name; /* in snake case; NULL for a key that is not known */
	int16_t key;
	int16_t min, max; /* versions that the codec has; what is advertised is in apis.def */
	int16_t flexible_since; /* > max if no version is */
	const struct kafka_schema *request, *response;
};

/**
 * kafka_api_find() - the API with key @key.
 * Return: a row that lives for ever; NULL if the codec has none.
 */
const struct kafka_api_info *kafka_api_find(int key);

/* ---- messages ------------------------------------------------------------------------------- */

/**
 * kafka_init() - set every field of @msg to the protocol's default.
 * @schema: what @msg is; a part of a message will do as well.
 */
void kafka_init(const struct kafka_schema *schema, void *msg);

/**
 * kafka_decode() - read a whole message.
 * @schema: a request or response, such as &kafka_fetch_request_schema.
 * @p, @n: the message without header, all of it and nothing more.
 * @mem: arrays and structs come from here; its limit bounds what a peer can make us hold.
 * @ret_msg: the struct of the schema. After an error its contents are undefined.
 *
 * An array's count is compared with the bytes that are left before anything is allocated.
 *
 * Return: 0; -EBADMSG if the input is too short, malformed (null where it may not be, a negative
 *         or lying count, a duplicate tag) or has bytes left over; -EOPNOTSUPP for a version that
 *         the message does not have; -ENOMEM when the arena's limit is reached.
 */
int kafka_decode(const struct kafka_schema *schema, int version, const void *p, size_t n,
		 struct sl_bump *mem, void *ret_msg);

/**
 * kafka_decode_from() - read a message at a cursor, which ends up behind it.
 *
 * As kafka_decode(), but bytes may follow, and an input that ends early is -ENODATA.
 */
int kafka_decode_from(const struct kafka_schema *schema, int version, struct kafka_in *in,
		      struct sl_bump *mem, void *ret_msg);

struct kafka_sizes {
	size_t wire_bytes; /* all of it */
	size_t mem_bytes; /* what the encoder writes: wire_bytes less the splits' bytes */
	unsigned splits; /* records that are not in memory */
};

/**
 * kafka_size() - what kafka_encode() of the same arguments will write.
 *
 * Return: 0; -EOPNOTSUPP for a version that the message does not have; -EINVAL for a value that
 *         the version cannot carry (null, an overlong string); -EMSGSIZE above INT32_MAX bytes.
 */
int kafka_size(const struct kafka_schema *schema, int version, const void *msg,
	       struct kafka_sizes *ret_sizes);

/**
 * kafka_encode() - append a message to an output.
 * @out: with room as kafka_size() said.
 *
 * Return: 0; as kafka_size(), or -ENOBUFS; then what was appended is of no use.
 */
int kafka_encode(const struct kafka_schema *schema, int version, const void *msg,
		 struct kafka_out *out);

/* ---- frames: length, header, message -------------------------------------------------------- */

/* Length prefix of a frame; it does not count itself. */
#define KAFKA_FRAME_PREFIX_BYTES 4

struct kafka_request_header {
	int16_t api_key, api_version;
	int32_t correlation_id;
	struct kafka_str client_id; /* may be null */
};

/**
 * kafka_request_header_decode() - read a request header (v1, or v2 where the version is flexible).
 * @in: behind the frame's length; ends up at the message.
 *
 * A version above the known ones counts as flexible, as ApiVersions needs; of an unknown API only
 * the fields that all headers share are read.
 * Return: 0; -ENODATA when it ends early; -EBADMSG. @ret_header is untouched on failure.
 */
int kafka_request_header_decode(struct kafka_in *in, struct kafka_request_header *ret_header);

/**
 * kafka_response_header_decode() - read a response header (v0, or v1 where the version is flexible;
 * ApiVersions always v0).
 * Return: as kafka_request_header_decode(); -EOPNOTSUPP for an unknown API or version.
 */
int kafka_response_header_decode(struct kafka_in *in, enum kafka_api api, int version,
				 int32_t *ret_correlation_id);

/**
 * kafka_response_size() - sizes of a whole response frame, the length prefix included.
 * Return: as kafka_size(), with -EOPNOTSUPP for an unknown API too.
 */
int kafka_response_size(enum kafka_api api, int version, const void *msg,
			struct kafka_sizes *ret_sizes);

/**
 * kafka_response_encode() - append a whole response frame.
 * @sizes: from kafka_response_size() of the same arguments (asserted).
 * Return: as kafka_encode().
 */
int kafka_response_encode(enum kafka_api api, int version, int32_t correlation_id, const void *msg,
			  const struct kafka_sizes *sizes, struct kafka_out *out);

/**
 * kafka_request_size() - sizes of a whole request frame; as kafka_response_size().
 * @client_id: may be null.
 */
int kafka_request_size(enum kafka_api api, int version, struct kafka_str client_id, const void *msg,
		       struct kafka_sizes *ret_sizes);

/**
 * kafka_request_encode() - append a whole request frame; as kafka_response_encode().
 */
int kafka_request_encode(enum kafka_api api, int version, int32_t correlation_id,
			 struct kafka_str client_id, const void *msg,
			 const struct kafka_sizes *sizes, struct kafka_out *out);

#endif
