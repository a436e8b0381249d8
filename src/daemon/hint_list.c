/* File names told by inotify.
 * SPDX-License-Identifier: MIT */
#include "hint_list.h"

#include <stdlib.h>

#include "syncd/alloc.h"

void hint_list_add(struct hint_list *list, const struct local_hint *hint)
{
	if (list->is_lost)
		return;
	if (list->count == HINT_LIST_MAX) {
		hint_list_lose(list);
		return;
	}
	list->items = xgrow(list->items, list->count, &list->cap, sizeof(*list->items));
	list->items[list->count] = *hint;
	list->items[list->count++].file = xstrdup(hint->file);
}

void hint_list_lose(struct hint_list *list)
{
	hint_list_clear(list);
	list->is_lost = true;
}

void hint_list_clear(struct hint_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)list->items[i].file);
	free(list->items);
	*list = (struct hint_list){ .count = 0 };
}

void hint_list_move(struct hint_list *to, struct hint_list *from)
{
	hint_list_clear(to);
	*to = *from;
	*from = (struct hint_list){ .count = 0 };
}
