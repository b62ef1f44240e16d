/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec: gzip, snappy, lz4 and zstd as Kafka's clients use them.
 *
 * Interface: codec_pvt.h. Decoding is by streams, so that a batch that swells takes a bounded
 * amount of memory: what the codec's window needs, and for snappy one block, whose length is
 * believed only as far as the format can swell (64 bytes out of a 3-byte copy).
 *
 * Order of parts: gzip; snappy; lz4; zstd; the table; encoding.
 */
#include "codec_pvt.h"

#include <errno.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include <sluice/bytes.h>

static size_t in_left(const struct decoder *d)
{
	return d->in_len - d->in_pos;
}

static int plain_init(struct decoder *d)
{
	return 0;
}

static ssize_t plain_read(struct decoder *d, void *out, size_t len)
{
	size_t n = sl_min(len, in_left(d));

	memcpy(out, d->in + d->in_pos, n);
	d->in_pos += n;
	return (ssize_t)n;
}

static void plain_done(struct decoder *d)
{
}

/* ---- gzip ------------------------------------------------------------------------------- */

#define ZLIB_GZIP_ONLY (16 + MAX_WBITS)

static int gzip_init(struct decoder *d)
{
	int rc = inflateInit2(&d->z, ZLIB_GZIP_ONLY);

	SL_ASSERT(rc != Z_STREAM_ERROR && rc != Z_VERSION_ERROR);
	return rc == Z_OK ? 0 : -ENOMEM;
}

/* The end of a member: more input is another member. */
static int gzip_member_end(struct decoder *d)
{
	if (in_left(d) == 0) {
		d->ended = true;
		return 0;
	}
	return inflateReset(&d->z) == Z_OK ? 0 : -EBADMSG;
}

static ssize_t gzip_read(struct decoder *d, void *out, size_t len)
{
	size_t got = 0;

	while (got == 0 && !d->ended) {
		size_t avail = sl_min(in_left(d), (size_t)UINT32_MAX);
		int rc;

		d->z.next_in = (Bytef *)(uintptr_t)(d->in + d->in_pos);
		d->z.avail_in = (uInt)avail;
		d->z.next_out = out;
		d->z.avail_out = (uInt)sl_min(len, (size_t)UINT32_MAX);
		rc = inflate(&d->z, Z_NO_FLUSH);
		d->in_pos += avail - d->z.avail_in;
		got = (size_t)(d->z.next_out - (Bytef *)out);
		if (rc == Z_MEM_ERROR)
			return -ENOMEM;
		if (rc == Z_STREAM_END)
			rc = gzip_member_end(d);
		if (rc != Z_OK)
			return -EBADMSG;
	}
	return (ssize_t)got;
}

static void gzip_done(struct decoder *d)
{
	inflateEnd(&d->z);
}

/* ---- snappy ----------------------------------------------------------------------------- */

/* Java's stream: this magic, two versions, then blocks with a big-endian length each. */
static const uint8_t snappy_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

#define SNAPPY_HEADER_BYTES 16
#define SNAPPY_SWELL_MAX 22
#define SNAPPY_BLOCK_BYTES (32 * SL_KIB)

static int snappy_init(struct decoder *d)
{
	if (d->in_len >= SNAPPY_HEADER_BYTES &&
	    memcmp(d->in, snappy_magic, sizeof(snappy_magic)) == 0) {
		d->framed = true;
		d->in_pos = SNAPPY_HEADER_BYTES;
	}
	return 0;
}

/* Finds the next block's compressed bytes and steps over them. */
static int snappy_block_find(struct decoder *d, const char **ret_p, size_t *ret_len)
{
	size_t len = in_left(d);

	if (d->framed) {
		if (len < 4)
			return -EBADMSG;
		len = sl_load_be32(d->in + d->in_pos);
		d->in_pos += 4;
		if (len > in_left(d))
			return -EBADMSG;
	}
	*ret_p = (const char *)d->in + d->in_pos;
	*ret_len = len;
	d->in_pos += len;
	return 0;
}

static int snappy_block_next(struct decoder *d)
{
	const char *p = NULL;
	size_t len = 0, plain;
	int rc = snappy_block_find(d, &p, &len);

	if (rc)
		return rc;
	if (snappy_uncompressed_length(p, len, &plain) != SNAPPY_OK ||
	    plain > len * SNAPPY_SWELL_MAX)
		return -EBADMSG;
	if (plain > d->block_cap) {
		uint8_t *block = realloc(d->block, plain);

		if (!block)
			return -ENOMEM;
		d->block = block;
		d->block_cap = plain;
	}
	if (plain && snappy_uncompress(p, len, (char *)d->block, &plain) != SNAPPY_OK)
		return -EBADMSG;
	SL_ASSERT(plain <= d->block_cap);
	d->block_len = plain;
	d->block_pos = 0;
	return 0;
}

static ssize_t snappy_read(struct decoder *d, void *out, size_t len)
{
	size_t n;

	while (d->block_pos == d->block_len) {
		int rc;

		if (in_left(d) == 0)
			return 0;
		rc = snappy_block_next(d);
		if (rc)
			return rc;
	}
	n = sl_min(len, d->block_len - d->block_pos);
	memcpy(out, d->block + d->block_pos, n);
	d->block_pos += n;
	return (ssize_t)n;
}

static void snappy_done(struct decoder *d)
{
	free(d->block);
}

/* ---- lz4 -------------------------------------------------------------------------------- */

static int lz4_init(struct decoder *d)
{
	LZ4F_dctx *ctx;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
		return -ENOMEM;
	d->ctx = ctx;
	d->ended = true; /* between frames, where the input may end */
	return 0;
}

static ssize_t lz4_read(struct decoder *d, void *out, size_t len)
{
	size_t got = 0;

	while (got == 0) {
		size_t in = in_left(d), rc;

		if (in == 0 && d->ended)
			return 0;
		got = len;
		rc = LZ4F_decompress(d->ctx, out, &got, d->in + d->in_pos, &in, NULL);
		if (LZ4F_isError(rc) || (in == 0 && got == 0))
			return -EBADMSG;
		d->in_pos += in;
		d->ended = rc == 0;
	}
	return (ssize_t)got;
}

static void lz4_done(struct decoder *d)
{
	LZ4F_freeDecompressionContext(d->ctx);
}

/* ---- zstd ------------------------------------------------------------------------------- */

static int zstd_init(struct decoder *d)
{
	d->ctx = ZSTD_createDCtx();
	d->ended = true;
	return d->ctx ? 0 : -ENOMEM;
}

static ssize_t zstd_read(struct decoder *d, void *out, size_t len)
{
	ZSTD_outBuffer o = {out, len, 0};

	while (o.pos == 0) {
		ZSTD_inBuffer i = {d->in, d->in_len, d->in_pos};
		size_t rc;

		if (in_left(d) == 0 && d->ended)
			return 0;
		rc = ZSTD_decompressStream(d->ctx, &o, &i);
		if (ZSTD_isError(rc) || (i.pos == d->in_pos && o.pos == 0))
			return -EBADMSG;
		d->in_pos = i.pos;
		d->ended = rc == 0;
	}
	return (ssize_t)o.pos;
}

static void zstd_done(struct decoder *d)
{
	ZSTD_freeDCtx(d->ctx);
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct {
	int (*init)(struct decoder *d);
	ssize_t (*read)(struct decoder *d, void *out, size_t len);
	void (*done)(struct decoder *d);
} decoders[] = {
	[SL_CODEC_NONE] = {plain_init, plain_read, plain_done},
	[SL_CODEC_GZIP] = {gzip_init, gzip_read, gzip_done},
	[SL_CODEC_SNAPPY] = {snappy_init, snappy_read, snappy_done},
	[SL_CODEC_LZ4] = {lz4_init, lz4_read, lz4_done},
	[SL_CODEC_ZSTD] = {zstd_init, zstd_read, zstd_done},
};
static_assert(SL_ARRAY_SIZE(decoders) == SL_CODEC_LAST, "a row for each codec");

int decoder_init(struct decoder *d, enum sl_codec codec, const void *in, size_t len)
{
	if (codec >= SL_CODEC_LAST)
		return -EBADMSG;
	*d = (struct decoder){.codec = codec, .in = in, .in_len = len};
	return decoders[codec].init(d);
}

ssize_t decoder_read(struct decoder *d, void *out, size_t len)
{
	SL_ASSERT(len > 0);
	SL_ASSERT(d->in_pos <= d->in_len);
	return decoders[d->codec].read(d, out, len);
}

void decoder_done(struct decoder *d)
{
	decoders[d->codec].done(d);
	*d = (struct decoder){0};
}

/* ---- encoding --------------------------------------------------------------------------- */

static size_t snappy_blocks(size_t len)
{
	return (len + SNAPPY_BLOCK_BYTES - 1) / SNAPPY_BLOCK_BYTES;
}

/* Kafka's Java reader refuses frames whose blocks depend on one another. */
static const LZ4F_preferences_t lz4_prefs = {
	.frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
};

size_t codec_bound(enum sl_codec codec, size_t len)
{
	switch (codec) {
	case SL_CODEC_GZIP:
		return compressBound(len) + 32;
	case SL_CODEC_SNAPPY:
		return SNAPPY_HEADER_BYTES +
		       snappy_blocks(len) * (4 + snappy_max_compressed_length(SNAPPY_BLOCK_BYTES));
	case SL_CODEC_LZ4:
		return LZ4F_compressFrameBound(len, &lz4_prefs);
	case SL_CODEC_ZSTD:
		return ZSTD_compressBound(len);
	default:
		return len;
	}
}

static ssize_t gzip_compress(const void *in, size_t len, void *out, size_t cap)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)cap};
	int rc;

	SL_ASSERT(len <= UINT32_MAX && cap <= UINT32_MAX);
	rc = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, ZLIB_GZIP_ONLY, 8,
			  Z_DEFAULT_STRATEGY);
	if (rc != Z_OK)
		return -ENOMEM;
	rc = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	SL_ASSERT(rc == Z_STREAM_END);
	return (ssize_t)z.total_out;
}

static ssize_t snappy_blocks_compress(const char *in, size_t len, uint8_t *out, size_t cap)
{
	uint8_t *p = out + SNAPPY_HEADER_BYTES;

	memcpy(out, snappy_magic, sizeof(snappy_magic));
	sl_store_be32(out + 8, 1);
	sl_store_be32(out + 12, 1);
	while (len > 0) {
		size_t n = sl_min(len, (size_t)SNAPPY_BLOCK_BYTES);
		size_t room = cap - (size_t)(p + 4 - out);
		snappy_status rc = snappy_compress(in, n, (char *)p + 4, &room);

		SL_ASSERT(rc == SNAPPY_OK);
		sl_store_be32(p, (uint32_t)room);
		p += 4 + room;
		in += n;
		len -= n;
	}
	return p - out;
}

ssize_t codec_compress(enum sl_codec codec, const void *in, size_t len, void *out, size_t cap)
{
	size_t n;

	SL_ASSERT(codec < SL_CODEC_LAST);
	SL_ASSERT(cap >= codec_bound(codec, len));
	switch (codec) {
	case SL_CODEC_GZIP:
		return gzip_compress(in, len, out, cap);
	case SL_CODEC_SNAPPY:
		return snappy_blocks_compress(in, len, out, cap);
	case SL_CODEC_LZ4:
		n = LZ4F_compressFrame(out, cap, in, len, &lz4_prefs);
		return LZ4F_isError(n) ? -ENOMEM : (ssize_t)n;
	case SL_CODEC_ZSTD:
		n = ZSTD_compress(out, cap, in, len, ZSTD_CLEVEL_DEFAULT);
		return ZSTD_isError(n) ? -ENOMEM : (ssize_t)n;
	default:
		memcpy(out, in, len);
		return (ssize_t)len;
	}
}
