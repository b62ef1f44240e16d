/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts that a reader on another core is to send. What holds them may belong to a third core and
 * can be away from there only once, so the core that has them keeps its reference, and the reader
 * gets one of its own kind, whose end tells the keeper.
 */
#ifndef APIS_PROXY_LEND_H
#define APIS_PROXY_LEND_H

#include "dataplane/dataplane.h"

struct http_lent;

/* On the core that holds @part, which is taken over. Return: NULL: no memory, @part is released. */
struct http_lent *http_lend(struct sl_part part);

/* On the reader's core, once. Return: 0 with a part of this core's; -ENOMEM: it is given back. */
int http_borrow(struct http_lent *l, struct sl_part *ret_part);

/* On either core, instead of borrowing it. */
void http_lent_return(struct http_lent *l);

#endif
