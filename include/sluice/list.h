/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked circular lists. A head and an unlinked node point at themselves, so
 * that removal needs no head and may be repeated.
 */
#ifndef SLUICE_LIST_H
#define SLUICE_LIST_H

#include <stdbool.h>

#include <sluice/util.h>

struct sl_list {
	struct sl_list *next, *prev;
};

static inline void sl_list_init(struct sl_list *l)
{
	l->next = l->prev = l;
}

/* True for a head without nodes, and for a node that is on no list. */
static inline bool sl_list_empty(const struct sl_list *l)
{
	return l->next == l;
}

static inline void sl_list_insert_between(struct sl_list *n, struct sl_list *prev,
					  struct sl_list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* Adds @n as the first node. */
static inline void sl_list_push(struct sl_list *head, struct sl_list *n)
{
	sl_list_insert_between(n, head, head->next);
}

/* Adds @n as the last node. */
static inline void sl_list_append(struct sl_list *head, struct sl_list *n)
{
	sl_list_insert_between(n, head->prev, head);
}

static inline void sl_list_remove(struct sl_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	sl_list_init(n);
}

/* Removes and returns the first node, or NULL. */
static inline struct sl_list *sl_list_pop(struct sl_list *head)
{
	struct sl_list *n = head->next;

	if (n == head)
		return NULL;
	sl_list_remove(n);
	return n;
}

/* Moves all nodes of @from to the end of @to. */
static inline void sl_list_splice(struct sl_list *to, struct sl_list *from)
{
	if (sl_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	sl_list_init(from);
}

#define sl_list_entry(ptr, type, member) sl_container_of(ptr, type, member)

#define sl_list_first(head, type, member)                                                          \
	(sl_list_empty(head) ? NULL : sl_list_entry((head)->next, type, member))

#define sl_list_each(n, head)                                                                      \
	for (struct sl_list *n = (head)->next; n != (head); n = n->next)

/* The loop's body may remove @n, and nothing else. */
#define sl_list_each_safe(n, head)                                                                 \
	for (struct sl_list *n = (head)->next, *sl_next_ = n->next; n != (head);                   \
	     n = sl_next_, sl_next_ = n->next)

#endif
