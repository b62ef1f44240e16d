/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_meta: topics' names, folders, and their description on disk (docs/format.md).
 *
 * Interface: topic_meta_pvt.h, sl_topic_name_ok(). Settings are in settings.c.
 * Order of parts: names; folders; the description.
 */
#include "topic_meta_pvt.h"

#include <errno.h>

#define META_MAGIC "SLTOPIC"
#define META_VERSION 1
#define FOLDER_NAME_BYTES_MAX 200

static_assert(sizeof(META_MAGIC) == BLOB_MAGIC_BYTES, "with its zero");
static_assert(FOLDER_NAME_BYTES_MAX + 1 + 32 + 1 <= TOPIC_FOLDER_BYTES, "a folder's name fits");

/* ---- names ------------------------------------------------------------------------------ */

static bool name_char_ok(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool sl_topic_name_ok(struct sl_str name)
{
	if (!name.s || name.len < 1 || name.len > SL_TOPIC_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!name_char_ok(name.s[i]))
			return false;
	return !(name.s[0] == '.' && (name.len == 1 || (name.len == 2 && name.s[1] == '.')));
}

bool topic_names_collide(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !((*a == '.' || *a == '_') && (*b == '.' || *b == '_')))
			return false;
	return *a == *b;
}

/* ---- folders ---------------------------------------------------------------------------- */

static void put_hex(const struct sl_uuid *id, char *p)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(id->b); i++) {
		*p++ = digits[id->b[i] >> 4];
		*p++ = digits[id->b[i] & 15];
	}
	*p = 0;
}

static bool is_hex(const char *p)
{
	size_t n = strspn(p, "0123456789abcdef");

	return n == 32 && p[n] == 0;
}

void topic_folder_name(const struct sl_topic *topic, char ret_name[TOPIC_FOLDER_BYTES])
{
	size_t n = sl_min(topic->name_len, (uint32_t)FOLDER_NAME_BYTES_MAX);

	memcpy(ret_name, topic->name, n);
	ret_name[n] = '.';
	put_hex(&topic->id, ret_name + n + 1);
}

void topic_folder_marked(const char *prefix, const struct sl_uuid *id,
			 char ret_name[TOPIC_FOLDER_BYTES])
{
	size_t n = strlen(prefix);

	SL_ASSERT(n + 33 <= TOPIC_FOLDER_BYTES);
	memcpy(ret_name, prefix, n);
	put_hex(id, ret_name + n);
}

/* A dot before the id marks a topic's own folder, whatever its name begins with. */
enum topic_folder_kind topic_folder_kind(const char *name)
{
	size_t len = strlen(name);

	if (len > 33 && name[len - 33] == '.' && is_hex(name + len - 32))
		return TOPIC_FOLDER_TOPIC;
	if (strncmp(name, TOPIC_NEW_PREFIX, strlen(TOPIC_NEW_PREFIX)) == 0 &&
	    is_hex(name + strlen(TOPIC_NEW_PREFIX)))
		return TOPIC_FOLDER_NEW;
	if (strncmp(name, TOPIC_DELETED_PREFIX, strlen(TOPIC_DELETED_PREFIX)) == 0 &&
	    is_hex(name + strlen(TOPIC_DELETED_PREFIX)))
		return TOPIC_FOLDER_DELETED;
	return TOPIC_FOLDER_OTHER;
}

/* ---- the description -------------------------------------------------------------------- */

int topic_meta_encode(const struct sl_topic *topic, struct blob_out *b)
{
	blob_begin(b, META_MAGIC, META_VERSION);
	blob_put(b, topic->id.b, sizeof(topic->id.b));
	blob_put_u64(b, (uint64_t)topic->created_ms);
	blob_put_u32(b, topic->partitions);
	blob_put_str(b, (struct sl_str){topic->name, topic->name_len});
	blob_put_u32(b, (uint32_t)__builtin_popcount(topic->own.set));
	for (unsigned k = 0; k < SL_TOPIC_KEY_LAST; k++) {
		if (!(topic->own.set & 1U << k))
			continue;
		blob_put_u32(b, k);
		blob_put_u64(b, (uint64_t)topic->own.value[k]);
	}
	return blob_end(b);
}

/* Settings that this version does not know were put there by a newer one that lets us read. */
static void settings_decode(struct blob_in *in, struct sl_topic_settings *s)
{
	uint32_t n = blob_get_count(in, 12);

	while (n-- > 0) {
		uint32_t key = blob_get_u32(in);
		int64_t value = (int64_t)blob_get_u64(in);

		if (key >= SL_TOPIC_KEY_LAST)
			continue;
		s->set |= 1U << key;
		s->value[key] = value;
	}
}

int topic_meta_decode(const void *p, size_t len, struct sl_topic *ret_topic)
{
	struct sl_topic topic = {0};
	const uint8_t *id;
	struct blob_in in;
	struct sl_str name;
	int rc = blob_open(&in, p, len, META_MAGIC, META_VERSION);

	if (rc)
		return rc;
	id = blob_get(&in, sizeof(topic.id.b));
	if (id)
		memcpy(topic.id.b, id, sizeof(topic.id.b));
	topic.created_ms = (int64_t)blob_get_u64(&in);
	topic.partitions = blob_get_u32(&in);
	name = blob_get_str(&in);
	settings_decode(&in, &topic.own);
	if (!blob_complete(&in) || !sl_topic_name_ok(name) || topic.partitions < 1)
		return -EBADMSG;
	memcpy(topic.name, name.s, name.len);
	topic.name_len = (uint32_t)name.len;
	*ret_topic = topic;
	return 0;
}
