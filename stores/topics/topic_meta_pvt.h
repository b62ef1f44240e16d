/* SPDX-License-Identifier: Apache-2.0 */
/* topic_meta: a topic's description on disk, names of topics and of their folders. */
#ifndef STORES_TOPICS_TOPIC_META_PVT_H
#define STORES_TOPICS_TOPIC_META_PVT_H

#include "blob_pvt.h"
#include "topics.h"

#define TOPIC_META_BYTES_MAX 4096

/* A folder of a topic: at most 200 bytes of its name, a dot, its id; folders begun or deleted. */
#define TOPIC_FOLDER_BYTES 240
#define TOPIC_NEW_PREFIX "new-"
#define TOPIC_DELETED_PREFIX "deleted-"

enum topic_folder_kind {
	TOPIC_FOLDER_OTHER,   /* not ours */
	TOPIC_FOLDER_TOPIC,   /* NAME.ID */
	TOPIC_FOLDER_NEW,     /* new-ID: a creation that did not finish */
	TOPIC_FOLDER_DELETED, /* deleted-ID: a deletion that did not finish */
};

/* What is on disk: name, id, partitions, created_ms and own of *topic. */
int topic_meta_encode(const struct sl_topic *topic, struct blob_out *b);

/* Return: 0; -EBADMSG; -EPROTONOSUPPORT. Fills the same fields; the rest is zeroed. */
int topic_meta_decode(const void *p, size_t len, struct sl_topic *ret_topic);

void topic_folder_name(const struct sl_topic *topic, char ret_name[TOPIC_FOLDER_BYTES]);

/* "new-" or "deleted-" and the id. */
void topic_folder_marked(const char *prefix, const struct sl_uuid *id,
			 char ret_name[TOPIC_FOLDER_BYTES]);
enum topic_folder_kind topic_folder_kind(const char *name);

/* Whether two names differ by . and _ at most, which Kafka's metrics cannot tell apart. */
bool topic_names_collide(const char *a, const char *b);

#endif
