/* SPDX-License-Identifier: Apache-2.0 */
/* codec: the compression codecs of record batches, as streams out and in one piece in. */
#ifndef STORES_TOPICS_CODEC_PVT_H
#define STORES_TOPICS_CODEC_PVT_H

#include <zlib.h>

#include "batch.h"

/* A stream of uncompressed bytes out of compressed ones that lie in memory. */
struct decoder {
	enum sl_codec codec;
	const uint8_t *in;
	size_t in_len, in_pos;
	bool framed; /* snappy in Java's frames */
	bool ended;
	z_stream z;
	void *ctx;	/* lz4, zstd */
	uint8_t *block; /* snappy: the block being read */
	size_t block_cap, block_len, block_pos;
};

/* Return: 0; -EBADMSG; -ENOMEM. On failure there is nothing to undo. */
int decoder_init(struct decoder *d, enum sl_codec codec, const void *in, size_t len);

/* Return: bytes put into @out, 0 only at the end (@len > 0); -EBADMSG; -ENOMEM. */
ssize_t decoder_read(struct decoder *d, void *out, size_t len);

void decoder_done(struct decoder *d);

/* Room that codec_compress() needs for @len bytes. */
size_t codec_bound(enum sl_codec codec, size_t len);

/* Return: bytes in @out, or -ENOMEM. Snappy is framed as the Java client frames it. */
ssize_t codec_compress(enum sl_codec codec, const void *in, size_t len, void *out, size_t cap);

#endif
