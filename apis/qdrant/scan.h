/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long bodies, value by value, of which one at a time lies in memory. What is wrong with them is
 * told as Qdrant tells it.
 */
#ifndef APIS_QDRANT_SCAN_H
#define APIS_QDRANT_SCAN_H

#include "qdrant_pvt.h"

struct qd_scan {
	struct qd_call *c;
	struct http_window w;
};

/* Of the body of c->rq. Return: 0 or -ENOMEM. */
int qd_scan_body(struct qd_scan *s, struct qd_call *c);

/* Of @n bytes of memory, which have YYJSON_PADDING_SIZE behind them. */
void qd_scan_text(struct qd_scan *s, struct qd_call *c, char *text, size_t n);

/* The next character that is no white space, which stays. Return: 0: the end; -errno. */
int qd_scan_peek(struct qd_scan *s);

/* The same, and it must be one of @any, and is used up. Return: it, or QD_ANSWERED or -errno. */
int qd_scan_take(struct qd_scan *s, const char *any);

/**
 * qd_scan_value() - the text of the next value, which is used up. Good until the next call; may be
 * parsed in place. Return: 0; QD_ANSWERED; -EMSGSIZE: it is too long; -errno.
 */
int qd_scan_value(struct qd_scan *s, char **ret_text, size_t *ret_n);

/* A value that is to outlive the next call. */
int qd_scan_keep(struct qd_scan *s, char **ret_text, size_t *ret_n);

/**
 * qd_scan_member() - the name of the next member of a map whose '{' was taken; its value follows.
 * @first: of the map; is cleared. @ret_name: a room of @size, for the name as it is written, with
 *	its escapes; a longer one is cut.
 * Return: 1; 0: '}' was taken; QD_ANSWERED or -errno.
 */
int qd_scan_member(struct qd_scan *s, bool *first, char *ret_name, size_t size);

/* Whether another item of a list follows whose '[' was taken. Return: as above. */
int qd_scan_item(struct qd_scan *s, bool *first);

/* What was taken is not followed by anything. */
int qd_scan_end(struct qd_scan *s);

/* Parses a value that was given just now, into @a. */
int qd_scan_parse(struct qd_scan *s, struct http_arena *a, char *text, size_t n, yyjson_val **ret);

#endif
