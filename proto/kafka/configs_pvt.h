/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of topics as the protocol shows them: what topics.c and configs.c share (configs.c). */
#ifndef PROTO_KAFKA_CONFIGS_PVT_H
#define PROTO_KAFKA_CONFIGS_PVT_H

#include "kafka_pvt.h"

/* Where a setting's value comes from, as the protocol counts. */
enum config_source {
	CONFIG_OF_TOPIC = 1,
	CONFIG_OF_NODE = 4,
	CONFIG_DEFAULT = 5,
};

/**
 * config_set() - parse one setting of a topic into *ret_settings.
 * Return: 0; KAFKA_ERR_INVALID_CONFIG with the reason in *ret_text.
 */
int16_t config_set(struct kafka_request *rq, struct sl_topic_settings *ret_settings,
		   struct kafka_str name, struct kafka_str value, struct kafka_str *ret_text);

/* @value of @key as text that lives as long as the response. */
struct kafka_str config_text(struct kafka_request *rq, enum sl_topic_key key, int64_t value);

#endif
