/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: what a topic can be configured with: one row of the table a key.
 *
 * Interface: topics.h (sl_topic_key_name() and the calls below it).
 * Order of parts: the table; names; values.
 */
#include <errno.h>
#include <inttypes.h>

#include "topics.h"

/* ---- the table -------------------------------------------------------------------------- */

/* Either words, a value being the position of one, or a range of integers. */
static const struct {
	const char *name;
	const char *words[4];
	int64_t min, max;
} rows[] = {
	[SL_TOPIC_CLEANUP_POLICY] = {"cleanup.policy", .words = {"delete"}},
	[SL_TOPIC_COMPRESSION_TYPE] = {"compression.type", .words = {"producer"}},
	[SL_TOPIC_MAX_MESSAGE_BYTES] = {"max.message.bytes", .min = 128, .max = INT32_MAX - 64},
	[SL_TOPIC_TIMESTAMP_TYPE] = {"message.timestamp.type",
				     .words = {"CreateTime", "LogAppendTime"}},
	[SL_TOPIC_MIN_INSYNC_REPLICAS] = {"min.insync.replicas", .min = 1, .max = 1},
	[SL_TOPIC_RETENTION_BYTES] = {"retention.bytes", .min = -1, .max = INT64_MAX},
	[SL_TOPIC_RETENTION_MS] = {"retention.ms", .min = -1, .max = INT64_MAX / 1000000},
	[SL_TOPIC_SEGMENT_BYTES] = {"segment.bytes", .min = 65536, .max = INT32_MAX},
	[SL_TOPIC_SEGMENT_MS] = {"segment.ms", .min = 1, .max = INT64_MAX / 1000000},
	[SL_TOPIC_DURABILITY] = {"sluice.durability", .words = {"group", "each", "none"}},
};
static_assert(SL_ARRAY_SIZE(rows) == SL_TOPIC_KEY_LAST, "a row for each key");
static_assert(SL_TOPIC_KEY_LAST <= 32, "keys fit in the mask");
static_assert(SL_DURABILITY_GROUP == 0 && SL_DURABILITY_EACH == 1 && SL_DURABILITY_NONE == 2,
	      "words of sluice.durability in the order of the enum");

/* ---- names ------------------------------------------------------------------------------ */

const char *sl_topic_key_name(enum sl_topic_key key)
{
	SL_ASSERT(key < SL_TOPIC_KEY_LAST);
	return rows[key].name;
}

static bool str_is(struct sl_str s, const char *word)
{
	return s.s && s.len == strlen(word) && memcmp(s.s, word, s.len) == 0;
}

enum sl_topic_key sl_topic_key_find(struct sl_str name)
{
	for (unsigned k = 0; k < SL_TOPIC_KEY_LAST; k++)
		if (str_is(name, rows[k].name))
			return k;
	return SL_TOPIC_KEY_LAST;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool parse_int(struct sl_str s, int64_t *ret_v)
{
	char text[24], *end, *digits;

	if (s.len < 1 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.s, s.len);
	text[s.len] = 0;
	digits = text + (text[0] == '-');
	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	*ret_v = strtoll(text, &end, 10);
	return errno == 0 && *end == 0;
}

static bool parse_word(enum sl_topic_key key, struct sl_str s, int64_t *ret_v)
{
	for (unsigned i = 0; i < SL_ARRAY_SIZE(rows[key].words) && rows[key].words[i]; i++) {
		if (str_is(s, rows[key].words[i])) {
			*ret_v = i;
			return true;
		}
	}
	return false;
}

int sl_topic_settings_set(struct sl_topic_settings *ret_settings, enum sl_topic_key key,
			  struct sl_str value)
{
	int64_t v = 0;

	SL_ASSERT(key < SL_TOPIC_KEY_LAST);
	if (!value.s)
		return SL_REFUSED_BAD_CONFIG;
	if (rows[key].words[0]) {
		if (!parse_word(key, value, &v))
			return SL_REFUSED_BAD_CONFIG;
	} else if (!parse_int(value, &v) || v < rows[key].min || v > rows[key].max) {
		return SL_REFUSED_BAD_CONFIG;
	}
	ret_settings->set |= 1U << key;
	ret_settings->value[key] = v;
	return 0;
}

size_t sl_topic_value_text(enum sl_topic_key key, int64_t value, char *ret_text, size_t size)
{
	int n;

	SL_ASSERT(key < SL_TOPIC_KEY_LAST);
	SL_ASSERT(size > 0);
	if (rows[key].words[0] && value >= 0 && value < (int64_t)SL_ARRAY_SIZE(rows[key].words) &&
	    rows[key].words[value])
		n = snprintf(ret_text, size, "%s", rows[key].words[value]);
	else
		n = snprintf(ret_text, size, "%" PRId64, value);
	return sl_min((size_t)n, size - 1);
}
