/* The file names that inotify told of one mailbox and that no pass has looked at yet.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_HINT_LIST_H
#define SYNCD_HINT_LIST_H

#include "syncd/ports.h"

#define HINT_LIST_MAX 1000 /* more of them: reading the directories is cheaper */

struct hint_list {
	struct local_hint *items; /* in the order of the events */
	size_t count;
	size_t cap;
	bool is_lost; /* they are not all: only reading the directories tells */
};

/* Copies the name. */
void hint_list_add(struct hint_list *list, const struct local_hint *hint);

/* Only the directories themselves can tell now. */
void hint_list_lose(struct hint_list *list);

/* Forgets them, as somebody looks at the directories or at these files from now on. */
void hint_list_clear(struct hint_list *list);

/* Moves all of `from` into `to`, which is emptied before. */
void hint_list_move(struct hint_list *to, struct hint_list *from);

#endif
