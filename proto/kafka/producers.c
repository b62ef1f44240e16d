/* SPDX-License-Identifier: Apache-2.0 */
/*
 * InitProducerId: identities of idempotent producers.
 *
 * Interface: kafka_init_producer_id_handle() of kafka_pvt.h.
 * Every call gives a new id with epoch 0: a producer that asks again, after an error that broke its
 * sequence, goes on under another identity. Transactions are not served: a transactional id is
 * refused by the one code that every client takes for final.
 */
#include <errno.h>

#include "kafka_pvt.h"

#define ID_TIME_NS (30 * SL_SEC)

int kafka_init_producer_id_handle(struct kafka_request *rq,
				  const struct kafka_init_producer_id_request *req,
				  struct kafka_init_producer_id_response *res)
{
	int64_t id = -1;
	int result;

	res->producer_id = -1;
	res->producer_epoch = -1;
	if (!kafka_str_is_null(req->transactional_id)) {
		res->error_code = req->transactional_id.n
					  ? KAFKA_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
					  : KAFKA_ERR_INVALID_REQUEST;
		return 0;
	}
	result = sl_producer_id_new(rq->topics, &id, sl_now() + ID_TIME_NS);
	if (result) {
		/* Retriable, whatever the cause: the producer keeps its records meanwhile. */
		res->error_code = KAFKA_ERR_COORDINATOR_NOT_AVAILABLE;
		return 0;
	}
	SL_ASSERT(id >= 0);
	res->producer_id = id;
	res->producer_epoch = 0;
	return 0;
}
