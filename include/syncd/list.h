/* Intrusive doubly linked list: a ring through its head. A node belongs to at
 * most one list at a time and is embedded in the caller's struct.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_LIST_H
#define SYNCD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev;
	struct list *next;
};

/* Makes `head` an empty list, or `node` a node in no list. */
static inline void list_init(struct list *head)
{
	head->prev = head;
	head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
	list_append(head->next, node);
}

/* Takes `node` out of its list; harmless when it is in none. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, or NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

/* Walks the list; `node` must not be removed inside (use list_first in a
 * while loop for that). */
#define list_for_each(node, head)                                                                  \
	for (struct list *node = (head)->next; node != (head); node = node->next)

#endif
